/* Sudoku as text and as rules. Invariant: every shape that passes trm_sudoku_known has
 * box_rows * box_cols == rows == cols <= TRM_SUDOKU_MAX_SIZE, so cells and units fit the tables. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "puzzle/puzzle.h"
#include "puzzle/sudoku/sudoku_shape.h"

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

bool trm_sudoku_known(const trm_puzzle *p) {
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

  /* The three units of a cell: its row, its column and its box. */
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

  /* Its peers are the cells of these units but itself. */
  for (int cell = 0; cell < s->cells; cell++) {
    for (int u = 0; u < 3; u++)
      for (int w = 0; w < s->words; w++) s->peers[cell][w] |= s->unit_cells[s->units[cell][u]][w];
    s->peers[cell][cell / 64] &= ~((uint64_t)1 << cell % 64);
  }
}

/* The value that a character stands for plus one; 0: none. */
static const uint8_t value_plus_one[256] = {
    ['.'] = 1,  ['0'] = 1,  ['_'] = 1,  ['*'] = 1,  ['-'] = 1,  ['x'] = 1,  ['X'] = 1,  ['?'] = 1,
    ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,  ['8'] = 9,
    ['9'] = 10, ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16, ['G'] = 17,
    ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16, ['g'] = 17};

bool trm__sudoku_is_blank(char c) {
  return value_plus_one[(unsigned char)c] == 1;
}

int trm__sudoku_value(char c, int size) {
  const int v = value_plus_one[(unsigned char)c] - 1;
  return v <= size ? v : -1;
}

static char char_of(int value) {
  if (value == 0) return '.';
  return (char)(value < 10 ? '0' + value : 'A' + value - 10);
}

trm__sudoku_zero trm__sudoku_zero_of(const trm_puzzle *p, const char *text, size_t n,
                                     bool complete) {
  const char last = char_of(p->rows), small = (char)(last - 'A' + 'a');
  if (p->rows < 10 || n == 0) return TRM__ZERO_UNSEEN;
  if (memchr(text, last, n) || memchr(text, small, n)) return TRM__ZERO_IS_BLANK;
  if (!memchr(text, '0', n)) return TRM__ZERO_UNSEEN;
  for (size_t i = 0; i < n && !complete; i++)
    complete = text[i] != '0' && trm__sudoku_is_blank(text[i]);
  return complete ? TRM__ZERO_IS_LAST : TRM__ZERO_IS_BLANK;
}

bool trm__sudoku_read_cells(const trm_puzzle *p, const char *text, size_t n, bool complete,
                            uint8_t *values, size_t *at, char why[TRM__SUDOKU_WHY]) {
  const size_t cells = (size_t)p->rows * (size_t)p->cols;
  const bool zero_is_last = trm__sudoku_zero_of(p, text, n, complete) == TRM__ZERO_IS_LAST;

  /* The first character that is no cell is told. */
  for (*at = 0; *at < n && *at < cells; ++*at) {
    const char c = text[*at];
    const int v = zero_is_last && c == '0' ? p->rows : trm__sudoku_value(c, p->rows);
    if (v >= 0) {
      values[*at] = (uint8_t)v;
      continue;
    }
    char shown[TRM__TEXT_SHOWN];
    snprintf(why, TRM__SUDOKU_WHY,
             "'%s' is no cell of a %dx%d Sudoku (want '.' or '0' for a blank, or '1' to '%c')",
             trm__text_show(text + *at, n - *at, shown), p->rows, p->cols, char_of(p->rows));
    return false;
  }

  /* As many as the grid has. */
  if (n == cells) return true;
  const size_t count = trm__text_count(text, n);
  snprintf(why, TRM__SUDOKU_WHY, "a %dx%d Sudoku has %zu characters, here %s %zu", p->rows, p->cols,
           cells, count == 1 ? "is" : "are", count);
  return false;
}

trm_status trm_sudoku_parse(const trm_puzzle *p, const char *text, size_t n, uint8_t *values,
                            trm_error *err) {
  size_t at;
  char why[TRM__SUDOKU_WHY], plain[4 * TRM_SUDOKU_MAX_CELLS];
  if (n <= sizeof plain && !trm__sudoku_is_plain(text, n)) {
    n = trm__sudoku_make_plain(text, n, plain);
    text = plain;
  }
  if (!trm_sudoku_known(p))
    TRM_FAIL(err, TRM_E_ARGUMENT, "the puzzle is not a Sudoku of a known shape");
  if (trm__sudoku_read_cells(p, text, n, false, values, &at, why)) return TRM_OK;
  TRM_FAIL_AT(err, TRM_E_FORMAT, at + 1, "column %zu: %s", at + 1, why);
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

/* Whether another cell of one of the cell's units has its token. */
static bool is_repeated(const trm__unit_set *sets, int n, const int32_t *answer, int cell) {
  for (int k = 0; k < n; k++) {
    const int unit = trm__unit_of(sets[k], cell);
    for (int i = 0; i < sets[k].high * sets[k].wide; i++) {
      const int other = trm__unit_cell(sets[k], unit, i);
      if (other != cell && answer[other] == answer[cell]) return true;
    }
  }
  return false;
}

bool trm_sudoku_violates(const trm_puzzle *p, const int32_t *inputs, const int32_t *answer,
                         int cell) {
  enum { BLANK = 1 }; /* a digit's token is above */
  trm__unit_set sets[TRM__MOST_UNITS];
  if (!trm_sudoku_known(p)) return false;
  const int32_t asked = inputs[cell], now = answer[cell];
  return (asked > BLANK && asked != now) || now <= BLANK || now > BLANK + p->rows ||
         is_repeated(sets, trm__puzzle_units(p, sets), answer, cell);
}

int trm_sudoku_violations(const trm_puzzle *p, const int32_t *inputs, const int32_t *answer) {
  int n = 0;
  if (!trm_sudoku_known(p)) return -1;
  for (int cell = 0; cell < p->rows * p->cols; cell++)
    n += trm_sudoku_violates(p, inputs, answer, cell);
  return n;
}
