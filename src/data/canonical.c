/* See canonical.h. */
#include "data/canonical.h"

#include <string.h>

#include "base/memory.h"
<<<<<<< HEAD
=======
#include "data/maze_board.h"
>>>>>>> main
#include "data/sudoku_shape.h"

trm_status trm__canonizer_init(trm__canonizer *c, const trm_puzzle *p, int seq_len,
                               trm_error *err) {
  c->puzzle = p;
  c->seq_len = seq_len;
<<<<<<< HEAD
  c->symmetric = trm__sudoku_known(p);
  if (p->kind == TRM_PUZZLE_MAZE || p->kind == TRM_PUZZLE_GRID) {
    const char *names = p->kind == TRM_PUZZLE_MAZE ? "dihedral" : p->symmetries;
    TRM_TRY(trm__grid_symmetry_init(&c->grid, p, names, "puzzle", NULL, err));
    c->symmetric = !trm__grid_symmetry_none(&c->grid);
=======
  c->symmetric = has_cells(p);
  if (p->kind == TRM_PUZZLE_GRID && *p->symmetries) {
    TRM_TRY(
        trm__grid_symmetry_init(&c->declared, p, p->symmetries, "dataset.json: puzzle", NULL, err));
    c->symmetric = !trm__grid_symmetry_none(&c->declared);
>>>>>>> main
  }
  TRM_ALLOC(&c->line, 2 * ((size_t)seq_len + 2), "the comparison of examples", err);
  TRM_ALLOC(&c->image, (size_t)seq_len + 2, "the comparison of examples", err);
  return TRM_OK;
}

void trm__canonizer_free(trm__canonizer *c) {
  trm__free(c->line);
  trm__free(c->image);
  memset(c, 0, sizeof *c);
}

/* The bytes of n values as a key. */
static trm__grid_key key_of(const int32_t *values, int n) {
  return trm__grid_key_of((const uint8_t *)values, n * (int)sizeof *values, 0);
}

/* Size and cells of a grid at `out`; how many values these are. */
static int write_grid(const trm__canonizer *c, const int32_t *tokens, int32_t *out) {
  const trm_puzzle *p = c->puzzle;
  if (!trm_puzzle_is_sized(p)) {
    memcpy(out, tokens, (size_t)c->seq_len * sizeof *out);
    return c->seq_len;
  }
  trm_puzzle_box box = trm_puzzle_locate(p, tokens);
  int n = 2;
  out[0] = box.rows;
  out[1] = box.cols;
  for (int row = 0; row < box.rows; row++, n += box.cols)
    memcpy(out + n, tokens + (box.row + row) * p->cols + box.col, (size_t)box.cols * sizeof *out);
  return n;
}

trm__grid_key trm__literal_key(const trm__canonizer *c, const int32_t *question,
                               const int32_t *label) {
  int n = write_grid(c, question, c->line);
  if (label) n += write_grid(c, label, c->line + n);
  return key_of(c->line, n);
}

/* A question with a foreign token has no images but itself. */
static trm__grid_key sudoku_key(const trm__canonizer *c, const int32_t *question) {
  uint8_t values[TRM_SUDOKU_MAX_CELLS], form[TRM_SUDOKU_MAX_CELLS];
  for (int i = 0; i < c->seq_len; i++) {
    if (question[i] < 1 || question[i] > c->puzzle->rows + 1)
      return trm__literal_key(c, question, NULL);
    values[i] = (uint8_t)(question[i] - 1);
  }
  trm_sudoku_canonical(c->puzzle, values, form);
  return trm__grid_key_of(form, c->seq_len, 0);
}

trm__grid_key trm__canonical_key(const trm__canonizer *c, const int32_t *question) {
  if (!c->symmetric) return trm__literal_key(c, question, NULL);
<<<<<<< HEAD
  if (c->puzzle->kind == TRM_PUZZLE_SUDOKU) return sudoku_key(c, question);
  trm__grid_canonical(&c->grid, question, c->image, c->line);
  return key_of(c->line, c->seq_len);
=======
  if (has_cells(c->puzzle)) return cells_key(c, question);
  trm__grid_canonical(&c->declared, question, c->scratch, c->scratch + c->seq_len);
  return key_of(c->scratch + c->seq_len, c->seq_len);
>>>>>>> main
}
