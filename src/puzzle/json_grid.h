/* Grids in JSON, as json.dump and others write lists of lists: an array of rows, each an array of
 * cells that are whole numbers, texts or null. */
#ifndef TRM_PUZZLE_JSON_GRID_H
#define TRM_PUZZLE_JSON_GRID_H

#include "io/json.h"

/* Rows and columns; false when it is no grid: rows of one length, of numbers, texts and nulls. */
bool trm__json_grid_size(const trm__json *grid, size_t *rows, size_t *cols);
enum { TRM__JSON_CELL = 24 };
/* The text of a cell and its bytes; an empty one of null, NULL of anything but these. */
const char *trm__json_cell(const trm__json *cell, char number[TRM__JSON_CELL], size_t *n);

#endif
