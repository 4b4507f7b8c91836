/* Keys that stand for the question of an example: literally, and up to the symmetries of its
 * puzzle. Two 128-bit keys agree by accident with a chance below 1e-20 for any set that fits on a
 * disk. */
#ifndef TRM_DATA_CANONICAL_H
#define TRM_DATA_CANONICAL_H

#include "data/dataset_write.h"
#include "puzzle/grid_symmetry.h"
#include "trm/puzzle.h"

/* What it takes to make keys of tokens [seq_len]. Zeroed before init, free on every path. */
typedef struct trm__canonizer {
  const trm_puzzle *puzzle;
  int seq_len;
  bool symmetric;              /* the puzzle has symmetries */
  bool has_form;               /* its kind has a canonical form of its own; else it may have ... */
  trm__grid_symmetry declared; /* ... symmetries that the kind or the user declares */
  int32_t *line;    /* [2, seq_len + 2]: a grid's size and cells, of question and label */
  int32_t *scratch; /* [2, seq_len] */
} trm__canonizer;

/* `p` must outlive it. */
trm_status trm__canonizer_init(trm__canonizer *c, const trm_puzzle *p, int seq_len, trm_error *err);
void trm__canonizer_free(trm__canonizer *c);

/* The grid wherever it lies on its canvas; with a label the pair. */
trm__grid_key trm__literal_key(const trm__canonizer *c, const int32_t *question,
                               const int32_t *label);
/* The same for all images of a question under the symmetries of its puzzle: of a Sudoku all that
 * keep its rules, of a maze the turned and mirrored ones, of a user's grids those that they
 * declare; otherwise the literal key. */
trm__grid_key trm__canonical_key(const trm__canonizer *c, const int32_t *question);

#endif
