/* See open_cells.h. */
#include "nn/open_cells.h"

#include <string.h>

#include "puzzle/puzzle.h"
#include "trm/dataset.h"

/* Of the token of a wall beside 0 for all others: its loss is 0. */
static const real sure = (real)1e30;

void trm__gather_cells(const trm__dims *dims, const trm_puzzle *puzzle, int32_t wall,
                       const int32_t *inputs, const int32_t *labels, trm__sequence *out) {
  const int n = trm__puzzle_open_cells(puzzle, wall, inputs, dims->S, out->places);
  for (int t = 0; t < dims->S; t++) {
    if (t >= n) out->places[t] = TRM__NO_PLACE;
    const int cell = t < n ? trm__place_cell(out->places[t]) : -1;
    out->inputs[t] = cell < 0 ? 0 : inputs[cell];
    if (labels) out->labels[t] = cell < 0 ? TRM_IGNORE_LABEL : labels[cell];
  }
}

void trm__spread_logits(const trm__dims *dims, int32_t wall, const int32_t *inputs,
                        const real *from, real *to) {
  const size_t bytes = (size_t)dims->V * sizeof *to;
  for (int cell = 0; cell < dims->grid_cells; cell++, to += dims->V) {
    if (inputs[cell] == wall) {
      memset(to, 0, bytes);
      to[wall] = sure;
    } else {
      memcpy(to, from, bytes);
      from += dims->V;
    }
  }
}

trm_status trm__check_places(const trm__dims *dims, int row, const int32_t *places,
                             trm_error *err) {
  bool rises = true;
  for (int t = 0; t < dims->S && rises; t++) {
    const int32_t place = places[t], before = t ? places[t - 1] : 0;
    const bool ends = place == TRM__NO_PLACE;
    rises =
        ends ||
        (place >= 0 && place < dims->grid_cells * TRM__WALLS &&
         (t == 0 || (before != TRM__NO_PLACE && trm__place_cell(place) > trm__place_cell(before))));
  }
  if (!rises)
    TRM_FAIL_AT(err, TRM_E_RANGE, row,
                "row %d: its places are not rising cells of a grid of %d, then padding", row,
                dims->grid_cells);
  return TRM_OK;
}
