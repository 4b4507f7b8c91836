/* Sudoku as text and as rules. Invariant: every shape that passes trm__sudoku_known has
 * box_rows * box_cols == rows == cols <= TRM_SUDOKU_MAX_SIZE, so cells and units fit the tables. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "data/sudoku/sudoku_shape.h"

trm_puzzle trm_sudoku_of_size(int size) {
  static const struct {
    int size, box_rows, box_cols;
  } known[] = {{4, 2, 2}, {6, 2, 3}, {8, 2, 4}, {9, 3, 3}, {10, 2, 5}, {12, 3, 4}, {16, 4, 4}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (known[i].size == size)
      return (trm_puzzle){.kind = TRM_PUZZLE_SUDOKU,
                          .rows = size,
                          .cols = size,
                          .box_rows = known[i].box_rows,
                          .box_cols = known[i].box_cols};
  return (trm_puzzle){.kind = TRM_PUZZLE_NONE};
}

bool trm__sudoku_known(const trm_puzzle *p) {
  return p->kind == TRM_PUZZLE_SUDOKU && p->rows >= 2 && p->rows <= TRM_SUDOKU_MAX_SIZE &&
         p->rows == p->cols && p->box_rows >= 1 && p->box_rows <= p->rows && p->box_cols >= 1 &&
         p->box_cols <= p->cols && p->box_rows * p->box_cols == p->rows;
}

void trm__sudoku_shape_init(trm__sudoku_shape *s, const trm_puzzle *p) {
  memset(s, 0, sizeof *s);
  s->size = p->rows;
  s->cells = p->rows * p->cols;
  s->box_rows = p->box_rows;
  s->box_cols = p->box_cols;
  s->words = (s->cells + 63) / 64;
  s->all = (uint16_t)((1u << s->size) - 1);
  for (int cell = 0; cell < s->cells; cell++) {
    int row = cell / s->size, col = cell % s->size;
    int box = row / s->box_rows * s->box_rows + col / s->box_cols;
    s->row[cell] = (uint8_t)row;
    s->col[cell] = (uint8_t)col;
    s->box[cell] = (uint8_t)box;
    const int units[3] = {row, s->size + col, 2 * s->size + box};
    for (int u = 0; u < 3; u++) {
      s->units[cell][u] = (uint8_t)units[u];
      s->unit_cells[units[u]][cell / 64] |= (uint64_t)1 << cell % 64;
    }
  }
  for (int cell = 0; cell < s->cells; cell++) {
    for (int u = 0; u < 3; u++)
      for (int w = 0; w < s->words; w++) s->peers[cell][w] |= s->unit_cells[s->units[cell][u]][w];
    s->peers[cell][cell / 64] &= ~((uint64_t)1 << cell % 64);
  }
}

/* The value a character stands for, -1 when it stands for none. */
static int value_of(char c, int size) {
  int v = -1;
  if (c == '.' || c == '0') v = 0;
  if (c >= '1' && c <= '9') v = c - '0';
  if (c >= 'A' && c <= 'Z') v = c - 'A' + 10;
  if (c >= 'a' && c <= 'z') v = c - 'a' + 10;
  return v <= size ? v : -1;
}

static char char_of(int value) {
  if (value == 0) return '.';
  return (char)(value < 10 ? '0' + value : 'A' + value - 10);
}

/* A character for a message: itself, or its code when it cannot be printed. */
static void show_char(char c, char shown[8]) {
  unsigned char u = (unsigned char)c;
  snprintf(shown, 8, u < 32 || u > 126 ? "\\x%02x" : "%c", u);
}

trm_status trm__sudoku_parse_at(const trm_puzzle *p, const char *text, size_t n, uint8_t *values,
                                const char *where, size_t column, trm_error *err) {
  size_t cells = (size_t)p->rows * (size_t)p->cols;
  for (size_t i = 0; i < n && i < cells; i++) {
    int v = value_of(text[i], p->rows);
    if (v < 0) {
      char shown[8];
      show_char(text[i], shown);
      TRM_FAIL_AT(err, TRM_E_FORMAT, column + i,
                  "%scolumn %zu: '%s' is no cell of a %dx%d Sudoku (want '.' or '0' for a blank, "
                  "or '1' to '%c')",
                  where, column + i, shown, p->rows, p->cols, char_of(p->rows));
    }
    values[i] = (uint8_t)v;
  }
  size_t end = column + (n < cells ? n : cells);
  if (n != cells)
    TRM_FAIL_AT(err, TRM_E_FORMAT, end,
                "%scolumn %zu: a %dx%d Sudoku has %zu characters, here are %zu", where, end,
                p->rows, p->cols, cells, n);
  return TRM_OK;
}

trm_status trm_sudoku_parse(const trm_puzzle *p, const char *text, size_t n, uint8_t *values,
                            trm_error *err) {
  if (!trm__sudoku_known(p))
    TRM_FAIL(err, TRM_E_ARGUMENT, "the puzzle is not a Sudoku of a known shape");
  return trm__sudoku_parse_at(p, text, n, values, "", 1, err);
}

void trm_sudoku_format(const trm_puzzle *p, const uint8_t *values, char *text) {
  int cells = p->rows * p->cols;
  for (int i = 0; i < cells; i++) text[i] = char_of(values[i]);
  text[cells] = 0;
}

bool trm_sudoku_consistent(const trm_puzzle *p, const uint8_t *values, int *cell) {
  uint32_t seen[TRM__SUDOKU_MAX_UNITS] = {0};
  for (int i = 0; i < p->rows * p->cols; i++) {
    if (!values[i]) continue;
    int row = i / p->cols, col = i % p->cols;
    int units[3] = {row, p->rows + col,
                    2 * p->rows + row / p->box_rows * p->box_rows + col / p->box_cols};
    uint32_t bit = 1u << (values[i] & 31);
    bool twice = values[i] > p->rows;
    for (int u = 0; u < 3; u++) {
      twice |= (seen[units[u]] & bit) != 0;
      seen[units[u]] |= bit;
    }
    if (twice) {
      if (cell) *cell = i;
      return false;
    }
  }
  return true;
}

bool trm_sudoku_solves(const trm_puzzle *p, const uint8_t *question, const uint8_t *answer) {
  for (int i = 0; i < p->rows * p->cols; i++)
    if (!answer[i] || (question[i] && question[i] != answer[i])) return false;
  return trm_sudoku_consistent(p, answer, NULL);
}
