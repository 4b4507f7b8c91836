/* See json_grid.h. */
#include "puzzle/json_grid.h"

#include <inttypes.h>
#include <stdio.h>

const char *trm__json_cell(const trm__json *cell, char number[TRM__JSON_CELL], size_t *n) {
  int64_t value;
  *n = 0;
  if (trm__json_is(cell, TRM__JSON_NULL)) return "";
  if (trm__json_is(cell, TRM__JSON_STRING)) {
    *n = trm__json_length(cell);
    return trm__json_text(cell);
  }
  if (!trm__json_whole(cell, &value)) return NULL;
  *n = (size_t)snprintf(number, TRM__JSON_CELL, "%" PRId64, value);
  return number;
}

bool trm__json_grid_size(const trm__json *grid, size_t *rows, size_t *cols) {
  char number[TRM__JSON_CELL];
  size_t n;
  *rows = trm__json_n_items(grid);
  *cols = trm__json_n_items(trm__json_item(grid, 0));
  for (size_t i = 0; i < *rows; i++) {
    const trm__json *row = trm__json_item(grid, i);
    if (trm__json_n_items(row) != *cols) return false;
    for (size_t j = 0; j < *cols; j++)
      if (!trm__json_cell(trm__json_item(row, j), number, &n)) return false;
  }
  return *rows > 0 && *cols > 0;
}
