/* See canonical.h. */
#include "data/canonical.h"

#include <string.h>

#include "base/memory.h"
#include "puzzle/maze/maze_board.h"
#include "puzzle/sudoku/sudoku_shape.h"

static bool has_cells(const trm_puzzle *p) {
  return trm__sudoku_known(p) || trm__maze_known(p);
}

trm_status trm__canonizer_init(trm__canonizer *c, const trm_puzzle *p, int seq_len,
                               trm_error *err) {
  c->puzzle = p;
  c->seq_len = seq_len;
  c->symmetric = has_cells(p);
  if (p->kind == TRM_PUZZLE_GRID && *p->symmetries) {
    TRM_TRY(
        trm__grid_symmetry_init(&c->declared, p, p->symmetries, "dataset.json: puzzle", NULL, err));
    c->symmetric = !trm__grid_symmetry_none(&c->declared);
  }
  TRM_ALLOC(&c->line, 2 * ((size_t)seq_len + 2), "the comparison of examples", err);
  TRM_ALLOC(&c->scratch, 2 * (size_t)seq_len, "the comparison of examples", err);
  return TRM_OK;
}

void trm__canonizer_free(trm__canonizer *c) {
  trm__free(c->line);
  trm__free(c->scratch);
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

/* Of a Sudoku's values or a maze's tokens, which are bytes. A question with a foreign token has no
 * images but itself. */
static trm__grid_key cells_key(const trm__canonizer *c, const int32_t *question) {
  uint8_t *cells = (uint8_t *)c->scratch, *form = cells + c->seq_len;
  int blank = c->puzzle->kind == TRM_PUZZLE_SUDOKU; /* its token as a value is 0 */
  for (int i = 0; i < c->seq_len; i++) {
    if (!trm_puzzle_symbol(c->puzzle, question[i])) return trm__literal_key(c, question, NULL);
    cells[i] = (uint8_t)(question[i] - blank);
  }
  trm__puzzle_canonical(c->puzzle, cells, form);
  return trm__grid_key_of(form, c->seq_len, 0);
}

trm__grid_key trm__canonical_key(const trm__canonizer *c, const int32_t *question) {
  if (!c->symmetric) return trm__literal_key(c, question, NULL);
  if (has_cells(c->puzzle)) return cells_key(c, question);
  trm__grid_canonical(&c->declared, question, c->scratch, c->scratch + c->seq_len);
  return key_of(c->scratch + c->seq_len, c->seq_len);
}
