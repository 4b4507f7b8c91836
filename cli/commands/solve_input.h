/* Where trm solve takes its puzzles from: lines of text, or examples of a data set. */
#ifndef TRM_CLI_SOLVE_INPUT_H
#define TRM_CLI_SOLVE_INPUT_H

#include "cli/commands/puzzle_lines.h"
#include "cli/commands/sudoku_input.h"
#include "cli/pictures/puzzle_names.h"

typedef struct solve_source {
  const char *puzzle;   /* text of --puzzle, or NULL */
  const char *file;     /* of puzzles, "-" is stdin */
  const char *columns;  /* of a table of Sudokus, or NULL */
  const char *data;     /* a data set folder in place of both, or NULL */
  const char *split;    /* of it */
  int64_t first, count; /* examples of it */
} solve_source;

typedef struct solve_input {
  const char *name;    /* of the file, for messages */
  puzzle_lines lines;  /* of any kind but ... */
  sudoku_input sudoku; /* ... Sudokus */
  bool told_zero;
  trm_puzzle puzzle;
  trm_dataset *data;
  puzzle_names *names;
  int64_t next, end; /* examples of `data` */
  int32_t blank_id;  /* the id of no puzzle in particular */
} solve_input;

/* Which model is meant: *model as it is; NULL becomes `name`, a model for the Sudoku of --puzzle.
 * False after a usage error, which names the models that there are: no such one is known, or *model
 * is a puzzle. */
bool solve_input_model(const char **model, const solve_source *source, char *name, size_t size);
/* Opens what `source` names for a model. Errors: those of the files; CONFIG when the kind of puzzle
 * is unknown; SHAPE when the data do not fit the model; ARGUMENT. */
trm_status solve_input_open(solve_input *in, const solve_source *source,
                            const trm_model_config *model, trm_error *err);
void solve_input_close(solve_input *in); /* a zeroed one is fine */
/* True where a person types the puzzles. */
bool solve_input_typed(const solve_input *in);
/* False when the next puzzle would have to be waited for. */
bool solve_input_ready(solve_input *in);
/* The next puzzle: tokens [seq_len], its id, and from a data set its number and label [seq_len]
 * (else *index is -1). *more false at the end. FORMAT and PUZZLE are of this puzzle only. */
trm_status solve_input_next(solve_input *in, int32_t *question, int32_t *label, int32_t *id,
                            int64_t *index, bool *more, trm_error *err);

#endif
