/* Puzzles as text lines from a file, stdin or the command line. */
#ifndef TRM_CLI_PUZZLE_LINES_H
#define TRM_CLI_PUZZLE_LINES_H

#include "cli.h"

typedef struct puzzle_lines {
  const char *name; /* for messages */
  FILE *f;          /* NULL: `text` is the only line */
  const char *text;
  const trm_puzzle *puzzle;
  bool may_wait; /* a pipe or a terminal: lines come when they come */
  int64_t line;
  char *buffer;       /* of the current line */
  size_t buffer_size; /* more than any puzzle has, with room for a comment */
} puzzle_lines;

/* Lines of a file ("-" is stdin), or the one line `text`. `p` and the texts must outlive them. */
trm_status puzzle_lines_open(puzzle_lines *in, const trm_puzzle *p, const char *path,
                             trm_error *err);
trm_status puzzle_lines_open_text(puzzle_lines *in, const trm_puzzle *p, const char *name,
                                  const char *text, trm_error *err);
void puzzle_lines_close(puzzle_lines *in); /* a zeroed one is fine */
/* False when the next line would have to be waited for. */
bool puzzle_lines_ready(const puzzle_lines *in);
/* What begins a line that is skipped: "#", or "//" where a puzzle may begin with '#'. */
const char *puzzle_lines_comment(const trm_puzzle *p);
/* The next puzzle as tokens [rows * cols]; *more false at the end. Empty lines and comments are
 * skipped. Errors name file, line and column; a Sudoku whose givens break the rules is
 * TRM_E_PUZZLE. */
trm_status puzzle_lines_next(puzzle_lines *in, int32_t *tokens, bool *more, trm_error *err);

#endif
