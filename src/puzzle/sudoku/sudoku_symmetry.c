/* Random symmetries of Sudokus. Invariant: every draw maps solved grids to solved grids, because
 * bands, stacks, rows in a band and columns in a stack only change places among their like, and
 * transposition is drawn only where it maps boxes to boxes. */
#include "puzzle/sudoku/sudoku_symmetry.h"

static void identity(int32_t *v, int n) {
  for (int i = 0; i < n; i++) v[i] = i;
}

/* order[i]: the original line at place i; groups of `per` lines change places, then lines in them.
 */
static void draw_lines(int size, int per, trm__rng *rng, uint8_t *order) {
  int32_t groups[TRM_SUDOKU_MAX_SIZE], lines[TRM_SUDOKU_MAX_SIZE];
  identity(groups, size / per);
  trm__rng_shuffle(rng, groups, size / per);
  for (int g = 0; g < size / per; g++) {
    identity(lines, per);
    trm__rng_shuffle(rng, lines, per);
    for (int i = 0; i < per; i++) order[g * per + i] = (uint8_t)(groups[g] * per + lines[i]);
  }
}

void trm__symmetry_draw(const trm_puzzle *p, trm__rng *rng, trm__symmetry *g) {
  uint8_t rows[TRM_SUDOKU_MAX_SIZE], cols[TRM_SUDOKU_MAX_SIZE];
  int32_t digits[TRM_SUDOKU_MAX_SIZE];
  int size = p->rows;
  g->size = size;
  g->cells = size * size;
  draw_lines(size, p->box_rows, rng, rows);
  draw_lines(size, p->box_cols, rng, cols);
  identity(digits, size);
  trm__rng_shuffle(rng, digits, size);
  g->digit[0] = 0;
  for (int v = 0; v < size; v++) g->digit[v + 1] = (uint8_t)(digits[v] + 1);
  bool transpose = p->box_rows == p->box_cols && trm__rng_below(rng, 2);
  for (int i = 0; i < g->cells; i++) {
    int row = rows[i / size], col = cols[i % size];
    g->cell[i] = (uint8_t)(transpose ? col * size + row : row * size + col);
  }
}

void trm__symmetry_apply(const trm__symmetry *g, const uint8_t *from, uint8_t *to) {
  for (int i = 0; i < g->cells; i++) to[i] = g->digit[from[g->cell[i]]];
}

void trm__symmetry_apply_tokens(const trm__symmetry *g, const int32_t *from, int32_t *to) {
  for (int i = 0; i < g->cells; i++) {
    int32_t token = from[g->cell[i]];
    to[i] = token >= 2 && token <= g->size + 1 ? g->digit[token - 1] + 1 : token;
  }
}
