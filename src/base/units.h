/* Units of a grid: its canvas cut into parts of high x wide cells, in reading order. Rows are parts
 * of 1 x cols, columns of rows x 1, boxes of a Sudoku what their name says. */
#ifndef TRM_BASE_UNITS_H
#define TRM_BASE_UNITS_H

#include "base/philox.h"

enum { TRM__MOST_UNITS = 3 /* ways to cut one canvas, at most */ };

/* One way to cut a canvas of `cols` columns into n parts. */
typedef struct trm__unit_set {
  int cols, high, wide, n;
} trm__unit_set;

/* The unit that a cell is in. */
TRM__EVERYWHERE int trm__unit_of(trm__unit_set u, int cell) {
  return cell / u.cols / u.high * (u.cols / u.wide) + cell % u.cols / u.wide;
}
/* Cell i of high * wide of a unit. */
TRM__EVERYWHERE int trm__unit_cell(trm__unit_set u, int unit, int i) {
  const int across = u.cols / u.wide;
  return (unit / across * u.high + i / u.wide) * u.cols + unit % across * u.wide + i % u.wide;
}

#endif
