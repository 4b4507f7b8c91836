/* Sudokus of any form (trm/sudoku_file.h) from a file, stdin or the command line, one by one. */
#ifndef TRM_CLI_SUDOKU_INPUT_H
#define TRM_CLI_SUDOKU_INPUT_H

#include "cli/commands/byte_input.h"

typedef struct sudoku_source {
  const char *text;    /* of --puzzle, or NULL */
  const char *file;    /* "-" is stdin */
  const char *columns; /* of a table, or NULL */
} sudoku_source;

typedef struct sudoku_input {
  byte_input in;
  trm_sudoku_reader *reader;
  int64_t line; /* of the last puzzle */
  bool advised; /* which model is for puzzles of another size */
  bool told;    /* that a line was passed over */

  /* What sudoku_input_ready found. */
  bool known, more;
  trm_status st;
  trm_error error;
  trm_sudoku_entry entry;
} sudoku_input;

/* `p`: the only size taken, that of `owner`; NULL: any. What `source` names must outlive it. An
 * error of a FILE that is a puzzle itself says so. */
trm_status sudoku_input_open(sudoku_input *in, const sudoku_source *source, const trm_puzzle *p,
                             const char *owner, trm_error *err);
void sudoku_input_close(sudoku_input *in); /* a zeroed one is fine */
/* False when the next puzzle would have to be waited for. */
bool sudoku_input_ready(sudoku_input *in);
/* The next puzzle; *more false at the end. FORMAT and PUZZLE are of one puzzle, and PUZZLE also of
 * givens that break the rules: the next call goes on behind it. err->pos is the line. */
trm_status sudoku_input_next(sudoku_input *in, trm_sudoku_entry *e, bool *more, trm_error *err);
/* True when `text` is a Sudoku of any form; of the size *p (NULL: not asked for). */
bool sudoku_input_is_puzzle(const char *text, trm_puzzle *p);

#endif
