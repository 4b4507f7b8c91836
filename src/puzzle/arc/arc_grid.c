/* See arc_grid.h; the rules are those of the reference's builder and evaluator. */
#include "puzzle/arc/arc_grid.h"

#include <string.h>

#include "puzzle/dihedral.h"

const trm__arc_copy trm__arc_identity = {0, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}};

bool trm__arc_same(const trm__arc_grid *a, const trm__arc_grid *b) {
  return a->rows == b->rows && a->cols == b->cols &&
         !memcmp(a->cell, b->cell, (size_t)a->rows * a->cols);
}

static void turn(int transform, const uint8_t colour[TRM__ARC_COLOURS], const trm__arc_grid *from,
                 trm__arc_grid *to) {
  bool turns = trm__dihedral_turns(transform);
  to->rows = turns ? from->cols : from->rows;
  to->cols = turns ? from->rows : from->cols;
  uint8_t *out = to->cell;
  for (int i = 0; i < to->rows; i++)
    for (int j = 0; j < to->cols; j++)
      *out++ = colour[from->cell[trm__dihedral_source(transform, from->rows, from->cols, i, j)]];
}

void trm__arc_copy_apply(const trm__arc_copy *c, const trm__arc_grid *from, trm__arc_grid *to) {
  turn(c->transform, c->colour, from, to);
}

void trm__arc_copy_undo(const trm__arc_copy *c, const trm__arc_grid *from, trm__arc_grid *to) {
  uint8_t back[TRM__ARC_COLOURS];
  for (int v = 0; v < TRM__ARC_COLOURS; v++) back[c->colour[v]] = (uint8_t)v;
  turn(trm__dihedral_inverse(c->transform), back, from, to);
}

/* --- names --- */

static const char separator[] = "|||";

void trm__arc_copy_tail(const trm__arc_copy *c, char tail[TRM__ARC_NAME_TAIL + 1]) {
  memcpy(tail, "|||t0|||", 8);
  tail[4] = (char)('0' + c->transform);
  for (int v = 0; v < TRM__ARC_COLOURS; v++) tail[8 + v] = (char)('0' + c->colour[v]);
  tail[18] = 0;
}

bool trm__arc_copy_parse(const char *name, size_t *id_length, trm__arc_copy *c) {
  const char *tail = strstr(name, separator);
  *c = trm__arc_identity;
  *id_length = tail ? (size_t)(tail - name) : strlen(name);
  if (!tail) return true;
  if (strlen(tail) != 18 || tail[3] != 't' || tail[4] < '0' || tail[4] > '7' ||
      memcmp(tail + 5, separator, 3) != 0)
    return false;
  c->transform = (uint8_t)(tail[4] - '0');
  unsigned seen = 0;
  for (int v = 0; v < TRM__ARC_COLOURS; v++) {
    int colour = tail[8 + v] - '0';
    if (colour < 0 || colour >= TRM__ARC_COLOURS) return false;
    c->colour[v] = (uint8_t)colour;
    seen |= 1u << colour;
  }
  return seen == (1u << TRM__ARC_COLOURS) - 1;
}

/* --- the canvas --- */

void trm__arc_place(const trm__arc_grid *g, int side, int row, int col, uint8_t *tokens) {
  int end_row = row + g->rows, end_col = col + g->cols;
  memset(tokens, 0, (size_t)side * (size_t)side);
  for (int i = 0; i < g->rows; i++) {
    uint8_t *line = tokens + (row + i) * side;
    for (int j = 0; j < g->cols; j++)
      line[col + j] = (uint8_t)(g->cell[i * g->cols + j] + TRM__ARC_FIRST);
    if (end_col < side) line[end_col] = TRM__ARC_FIRST - 1;
  }
  if (end_row < side) memset(tokens + end_row * side + col, TRM__ARC_FIRST - 1, g->cols);
}

void trm__arc_crop(const int32_t *tokens, int side, trm__arc_grid *g) {
  int width = side, best = 0;
  g->rows = g->cols = 0;
  for (int rows = 1; rows <= side; rows++) {
    const int32_t *line = tokens + (rows - 1) * side;
    int col = 0;
    while (col < width && line[col] >= TRM__ARC_FIRST &&
           line[col] < TRM__ARC_FIRST + TRM__ARC_COLOURS)
      col++;
    width = col;
    if (rows * width <= best) continue;
    best = rows * width;
    g->rows = (uint8_t)rows;
    g->cols = (uint8_t)width;
  }
  for (int i = 0; i < g->rows; i++)
    for (int j = 0; j < g->cols; j++)
      g->cell[i * g->cols + j] = (uint8_t)(tokens[i * side + j] - TRM__ARC_FIRST);
}
