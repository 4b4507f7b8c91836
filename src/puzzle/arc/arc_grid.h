/* Grids of ARC, the symmetric copies that the reference makes of a task, and their place on the
 * canvas that the model sees: 30 x 30 as in the reference, or a smaller square. */
#ifndef TRM_PUZZLE_ARC_GRID_H
#define TRM_PUZZLE_ARC_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  TRM__ARC_SIDE = 30,
  TRM__ARC_CELLS = 900,
  TRM__ARC_COLOURS = 10,
  TRM__ARC_FIRST = 2,     /* the token of colour 0; 0 is padding, 1 the end of a grid */
  TRM__ARC_NAME_TAIL = 18 /* bytes of "|||tK|||0PERMUTED" */
};

/* Row-major, rows * cols colours 0..9; rows or cols 0: an empty grid (only of a prediction). */
typedef struct trm__arc_grid {
  uint8_t rows, cols;
  uint8_t cell[TRM__ARC_CELLS];
} trm__arc_grid;

/* Copy = the grid with colour c replaced by colour[c], then turned by the dihedral transform. */
typedef struct trm__arc_copy {
  uint8_t transform;
  uint8_t colour[TRM__ARC_COLOURS];
} trm__arc_copy;

extern const trm__arc_copy trm__arc_identity;

bool trm__arc_same(const trm__arc_grid *a, const trm__arc_grid *b);
/* `from` and `to` differ. */
void trm__arc_copy_apply(const trm__arc_copy *c, const trm__arc_grid *from, trm__arc_grid *to);
void trm__arc_copy_undo(const trm__arc_copy *c, const trm__arc_grid *from, trm__arc_grid *to);

/* "|||t3|||0713..." and a terminating 0, what follows the id in a copy's name. */
void trm__arc_copy_tail(const trm__arc_copy *c, char tail[TRM__ARC_NAME_TAIL + 1]);
/* "ID" or "ID|||tK|||0PERMUTED": the length of the id, and the copy. False when a name with "|||"
 * is not of that form. */
bool trm__arc_copy_parse(const char *name, size_t *id_length, trm__arc_copy *c);

/* The grid on a canvas of side x side cells with its top left cell at (row, col); it must fit. */
void trm__arc_place(const trm__arc_grid *g, int side, int row, int col, uint8_t *tokens);
/* The largest rectangle from the top left corner whose cells are all colours; the first found by
 * rows wins a tie. Empty when the corner is none. */
void trm__arc_crop(const int32_t *tokens, int side, trm__arc_grid *g);

#endif
