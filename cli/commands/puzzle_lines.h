/* Puzzles as text, a line each or a grid of JSON over several, from a file, stdin or the command
 * line; of Sudokus, which are written in many forms, see sudoku_input.h. */
#ifndef TRM_CLI_PUZZLE_LINES_H
#define TRM_CLI_PUZZLE_LINES_H

#include "cli/commands/byte_input.h"

typedef struct puzzle_lines {
  byte_input in;
  const trm_puzzle *puzzle;
  size_t at;                /* bytes of `in` that were looked at */
  int64_t line;             /* complete so far */
  int64_t first;            /* the first one of what is being collected */
  char *buffer;             /* of the line that is being collected */
  size_t used, buffer_size; /* size: more than any puzzle has */
  bool complete, cut;       /* the line is all there; it is longer than the buffer */
  bool passing;             /* the rest of a line that was too long */
  bool after_cr;            /* a LF now would belong to the last line end */
} puzzle_lines;

/* Lines of a file or pipe ("-" is stdin), or those of `text`, ended by LF, CR LF or CR. `p` and the
 * texts must outlive them. */
trm_status puzzle_lines_open(puzzle_lines *in, const trm_puzzle *p, const char *path,
                             trm_error *err);
trm_status puzzle_lines_open_text(puzzle_lines *in, const trm_puzzle *p, const char *name,
                                  const char *text, trm_error *err);
void puzzle_lines_close(puzzle_lines *in); /* a zeroed one is fine */
/* False when the next line would have to be waited for. */
bool puzzle_lines_ready(puzzle_lines *in);
/* What begins a line that is skipped: "#", or "//" where a puzzle may begin with '#'. */
const char *puzzle_lines_comment(const trm_puzzle *p);
/* The next puzzle as tokens [rows * cols]; *more false at the end. Empty lines and comments are
 * skipped. A wait ends with INTERRUPTED after a signal. FORMAT is of one line: the next call goes
 * on behind it. It names file, line and column, and err->pos is the line. */
trm_status puzzle_lines_next(puzzle_lines *in, int32_t *tokens, bool *more, trm_error *err);

#endif
