/* The state of all rows between supervision steps, in a backend's memory (docs/MODEL.md section 2):
 * latents, counters and the row's current puzzle; and what a row that has halted takes next. */
#ifndef TRM_NN_CARRY_H
#define TRM_NN_CARRY_H

#include "nn/model.h"
#include "nn/open_cells.h"
#include "nn/walk.h"
#include "nn/weights.h"

typedef struct trm__carry {
  const trm_model *model;
  trm__backend *be;
  int n_rows;
  void *memory; /* behind rows and fresh */
  trm__rows rows;
  trm__fresh fresh;
  int32_t wall;          /* with open_cells the token of walls, else -1 */
  trm__sequence offered; /* with open_cells: of the host, one row */
} trm__carry;

/* All rows halted. `model` gives the sizes, `weights` the initial latents and the puzzle embedding;
 * all outlive the carry. */
trm_status trm__carry_create(const trm_model *model, trm__backend *be, const trm__weights *weights,
                             int rows, trm__carry **out, trm_error *err);
void trm__carry_free(trm__carry *c);
int64_t trm__carry_bytes(const trm__layout *layout, const trm__backend *be, int rows);
/* TRM_E_RANGE when a token, label or id of rows with want[row] (NULL: all) is outside the model, or
 * a maze has more open cells than it takes. inputs, labels [n, seq_len]. */
trm_status trm__carry_check(const trm__carry *c, int n, const uint8_t *want, const int32_t *inputs,
                            const int32_t *labels, const int32_t *puzzle_ids, trm_error *err);
/* The same for what is to become one row: inputs, labels [seq_len]. */
trm_status trm__carry_check_row(const trm__carry *c, int row, const int32_t *inputs,
                                const int32_t *labels, int32_t puzzle_id, trm_error *err);
/* The same for rows as they lie in the carry: inputs, labels, places [n, S], places NULL where it
 * has none. */
trm_status trm__carry_check_kept(const trm__carry *c, int n, const int32_t *inputs,
                                 const int32_t *labels, const int32_t *places,
                                 const int32_t *puzzle_ids, trm_error *err);
/* What rows [first, first + n) take when they are refilled (trm__backend_ops.refill): of the host's
 * inputs, labels [n, seq_len], puzzle_ids [n]; ids NULL: 0, labels NULL: not looked at. */
void trm__carry_offer(trm__carry *c, int first, int n, const int32_t *inputs, const int32_t *labels,
                      const int32_t *puzzle_ids);
/* Rows [first, first + n) halt. */
void trm__carry_halt(trm__carry *c, int first, int n);
/* Sets what follows from the puzzle ids, which have been written. */
void trm__carry_restore(trm__carry *c);
/* Row `to` becomes a copy of row `from`. */
void trm__carry_move(trm__carry *c, int to, int from);
/* The tile of rows [first, first + n): the input pointers, no outputs but the answer that is fed
 * back; what a step sees is the last one as it was. */
trm__tile trm__carry_tile(const trm__carry *c, int first, int n);

#endif
