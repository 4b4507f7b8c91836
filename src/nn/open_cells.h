/* Models whose tokens are the open cells of a maze (docs/MODEL.md section 9): everything outside
 * sees whole grids, the net the sequence of each row. Here is the way from one to the other, and
 * back. */
#ifndef TRM_NN_OPEN_CELLS_H
#define TRM_NN_OPEN_CELLS_H

#include "backend/backend.h"

/* One row as the net has it: [S] each. */
typedef struct trm__sequence {
  int32_t *inputs, *labels, *places; /* of padding 0, a label that is ignored, and no place */
} trm__sequence;

/* Of the grid's inputs and labels (NULL: out->labels stays as it is); of more than S open cells the
 * first ones. */
void trm__gather_cells(const trm__dims *dims, const trm_puzzle *puzzle, int32_t wall,
                       const int32_t *inputs, const int32_t *labels, trm__sequence *out);
/* Logits [S, V] of the sequence become those of the grid, [grid_cells, V]: walls are sure to stay
 * walls. inputs: the grid's. */
void trm__spread_logits(const trm__dims *dims, int32_t wall, const int32_t *inputs,
                        const real *from, real *to);
/* RANGE where what is to be read as the places of a row [S] can be none. */
trm_status trm__check_places(const trm__dims *dims, int row, const int32_t *places, trm_error *err);

#endif
