/* The eight symmetries of a rectangle of cells, numbered as in the reference: 0 identity, 1 to 3
 * counter-clockwise by 90, 180, 270 degrees, 4 left-right, 5 up-down, 6 transpose, 7 the other
 * diagonal. */
#ifndef TRM_PUZZLE_DIHEDRAL_H
#define TRM_PUZZLE_DIHEDRAL_H

#include <stdbool.h>

enum { TRM__DIHEDRAL = 8 };

/* Rows and columns change places. */
static inline bool trm__dihedral_turns(int t) {
  return t == 1 || t == 3 || t >= 6;
}

static inline int trm__dihedral_inverse(int t) {
  return t == 1 ? 3 : t == 3 ? 1 : t;
}

/* The cell of a rows x cols rectangle that transform t moves to (i, j) of the image, which is
 * cols x rows where t turns. */
static inline int trm__dihedral_source(int t, int rows, int cols, int i, int j) {
  /* t as: transpose first, then mirror rows, then mirror columns of the original. */
  static const struct {
    bool turn, up_down, left_right;
  } as[TRM__DIHEDRAL] = {{false, false, false}, {true, false, true},  {false, true, true},
                         {true, true, false},   {false, false, true}, {false, true, false},
                         {true, false, false},  {true, true, true}};
  int row = as[t].turn ? j : i, col = as[t].turn ? i : j;
  if (as[t].up_down) row = rows - 1 - row;
  if (as[t].left_right) col = cols - 1 - col;
  return row * cols + col;
}

#endif
