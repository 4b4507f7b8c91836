/* The state of all rows between supervision steps (docs/MODEL.md section 2): latents, counters and
 * the row's current puzzle. */
#ifndef TRM_NN_CARRY_H
#define TRM_NN_CARRY_H

#include "nn/model.h"
#include "nn/walk.h"

typedef struct trm__carry {
  const trm_model *model;
  int rows;
  real *z[TRM__MAX_LATENTS];             /* [rows, L, D] */
  int32_t *inputs, *labels, *puzzle_ids; /* [rows, S], [rows, S], [rows] */
  int32_t *steps;                        /* [rows] supervision steps taken */
  uint8_t *halted;                       /* [rows] */
  const real **puzzle;                   /* [rows] rows of the puzzle embedding */
} trm__carry;

/* All rows halted. `model` gives the sizes, the initial latents and the puzzle embedding. */
trm_status trm__carry_create(const trm_model *model, int rows, trm__carry **out, trm_error *err);
void trm__carry_free(trm__carry *c);
int64_t trm__carry_bytes(const trm__layout *layout, int rows);
/* TRM_E_RANGE when a token, label or id of rows with want[row] (NULL: all) is outside the model. */
trm_status trm__carry_check(const trm__carry *c, int n, const uint8_t *want, const int32_t *inputs,
                            const int32_t *labels, const int32_t *puzzle_ids, trm_error *err);
/* The same for what is to become one row: inputs, labels [S]. */
trm_status trm__carry_check_row(const trm__carry *c, int row, const int32_t *inputs,
                                const int32_t *labels, int32_t puzzle_id, trm_error *err);
/* Gives row its next puzzle: latents from H_init / L_init, steps 0. labels NULL: all ignored. */
void trm__carry_refill(trm__carry *c, int row, const int32_t *inputs, const int32_t *labels,
                       int32_t puzzle_id);
/* Row `to` becomes a copy of row `from`. */
void trm__carry_move(trm__carry *c, int to, int from);
/* The tile of rows [first, first + n): the input pointers, no outputs. */
trm__tile trm__carry_tile(const trm__carry *c, int first, int n);

#endif
