/* What Muon takes and does for a segment of matrices, on any device; its rule is each device's. */
#ifndef TRM_BACKEND_MUON_H
#define TRM_BACKEND_MUON_H

#include "backend/backend.h"
#include "base/carve.h"

/* Reals of scratch: X and its successor, two squares of the shorter side. A GPU has these of all
 * matrices at once and partial norms; a CPU those of one, the norms of its rows, and an operand B,
 * in whose panels columns are missing. */
static inline int64_t trm__muon_scratch(const trm__segment *s) {
  const int64_t side = s->rows < s->cols ? s->rows : s->cols, length = s->rows + s->cols - side;
  const int64_t of_one = 2 * side * length + 2 * side * side;
  const int64_t norms = 2 * (side * length / TRM__CHUNK + 1);
  const int64_t operand = (side + TRM__MOST_COLS) * (length + TRM__MOST_COLS);
  return s->count * (of_one + norms) + operand + side + 8 * TRM__CARVE_ALIGN;
}

/* FLOPs of the products of so many steps: X X^T, the square of that, and a polynomial of it by X.
 */
static inline double trm__muon_flops(const trm__segment *s, int steps) {
  const double side = s->rows < s->cols ? s->rows : s->cols, length = s->rows + s->cols - side;
  return s->count * (double)steps * 2 * side * side * (2 * length + side);
}

#endif
