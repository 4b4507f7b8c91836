/* Where a token stands whose sequence is not the whole grid but its open cells in reading order
 * (docs/MODEL.md section 9): the cell and the walls around it in one number. A row has as many
 * places as it has tokens; those behind the last open cell are padding. */
#ifndef TRM_BASE_PLACE_H
#define TRM_BASE_PLACE_H

#include "base/philox.h"

enum {
  TRM__NO_PLACE = -1, /* of padding */
  TRM__WALLS = 16     /* ways to have walls: bit 0 above, 1 to the right, 2 below, 3 to the left */
};

TRM__EVERYWHERE int32_t trm__place_of(int cell, int walls) {
  return cell * TRM__WALLS + walls;
}
/* Of a place that is none of padding. */
TRM__EVERYWHERE int trm__place_cell(int32_t place) {
  return place / TRM__WALLS;
}
TRM__EVERYWHERE int trm__place_walls(int32_t place) {
  return place % TRM__WALLS;
}

/* How many of the n places of a row are of cells before `cell`: with one beyond the grid, how many
 * tokens the row has. */
TRM__EVERYWHERE int trm__places_before(const int32_t *places, int n, int cell) {
  int low = 0, high = n;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (places[middle] != TRM__NO_PLACE && trm__place_cell(places[middle]) < cell)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

#endif
