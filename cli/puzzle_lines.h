/* Puzzles as text lines from a file, stdin or the command line. */
#ifndef TRM_CLI_PUZZLE_LINES_H
#define TRM_CLI_PUZZLE_LINES_H

#include "cli.h"

typedef struct puzzle_lines {
  const char *name; /* for messages */
  FILE *f;          /* NULL: `text` is the only line */
  const char *text;
  bool may_wait; /* a pipe or a terminal: lines come when they come */
  int64_t line;
} puzzle_lines;

/* path "-" is stdin. */
trm_status puzzle_lines_open(puzzle_lines *in, const char *path, trm_error *err);
void puzzle_lines_close(puzzle_lines *in);
/* False when the next line would have to be waited for. */
bool puzzle_lines_ready(const puzzle_lines *in);
/* The next puzzle as values [cells]; *more false at the end. Empty lines and lines that start with
 * '#' are skipped. Errors name file, line and column; a puzzle whose givens break the rules is
 * TRM_E_PUZZLE. */
trm_status puzzle_lines_next(puzzle_lines *in, const trm_puzzle *p, uint8_t *values, bool *more,
                             trm_error *err);

#endif
