/* A puzzle a line, with what people write beside it: a solution, a hash, an index, a rating, in any
 * order and with any usual separator. What is long and looks like cells is never taken for such. */
#include <string.h>

#include "data/sudoku/sudoku_reader.h"

/* --- grids in a line --- */

/* A number up to `size` as the character of a cell; 0: it is none. */
static char cell_of_number(trm__span t, int size) {
  if (t.n == 1) return trm__sudoku_value(*t.text, size) >= 0 ? *t.text : 0;
  if (t.n != 2 || t.text[0] != '1' || t.text[1] < '0' || t.text[1] > '6') return 0;
  const int value = 10 + t.text[1] - '0';
  return value <= size ? (char)('A' + value - 10) : 0;
}

/* Cells that stand apart, or in groups of a row: "5 3 0 0 ...", "530070000 600195000 ...". */
static void join_tokens(trm_sudoku_reader *r, int want) {
  const size_t n = (size_t)r->n_tokens, width = n ? r->token[0].n : 0;
  bool even = n > 1 && n <= TRM__SUDOKU_MAX_TOKENS;
  for (size_t i = 1; even && i < n; i++) even = r->token[i].n == width;
  const int size = trm__sudoku_size_of(even ? n * width : n);
  if (!size || n > TRM__SUDOKU_MAX_TOKENS || (want && size != want)) return;
  if (even && width != 1 && width != (size_t)size) return;
  for (size_t i = 0; i < n; i++) {
    if (even && !trm__sudoku_are_cells(r->token[i], size)) return;
    const char cell = even ? 0 : cell_of_number(r->token[i], size);
    if (!even && (size < 10 || !cell)) return;
    if (even)
      memcpy(r->joined + i * width, r->token[i].text, width);
    else
      r->joined[i] = cell == '0' ? '.' : cell; /* beside numbers up to 16 it is no digit */
  }
  r->is_joined = true;
  r->found[0] = (trm__span){r->joined, (size_t)(size * size)};
  r->found_size = size;
  r->n_found = 1;
}

bool trm__sudoku_is_line(trm_sudoku_reader *r) {
  const int want = r->puzzle.kind == TRM_PUZZLE_NONE ? 0 : r->puzzle.rows;
  r->n_found = r->found_size = 0;
  r->is_joined = false;
  for (int i = 0; i < r->n_tokens && i < TRM__SUDOKU_MAX_TOKENS; i++) {
    const trm__span t = r->token[i];
    const int size = trm__sudoku_size_of(t.n);
    if (!size || (want && size != want) || size < r->found_size || !trm__sudoku_are_cells(t, size))
      continue;
    if (size > r->found_size) r->n_found = 0;
    r->found_size = size;
    if (r->n_found < 2) r->found[r->n_found] = t;
    r->n_found++;
  }
  if (!r->n_found) join_tokens(r, want);
  return r->n_found > 0;
}

/* --- which is what --- */

/* True when no cell is blank: in the digits from 0 on, each is there as often as any other. */
static bool is_complete(trm__span s, int size) {
  int zeros = 0;
  for (size_t i = 0; i < s.n; i++) {
    if (s.text[i] != '0' && trm__sudoku_is_blank(s.text[i])) return false;
    zeros += s.text[i] == '0';
  }
  return !zeros || (size >= 10 && zeros == size);
}

static bool is_found(const trm_sudoku_reader *r, trm__span t) {
  for (int i = 0; i < r->n_found && i < 2; i++)
    if (t.text == r->found[i].text) return true;
  return false;
}

/* Beside a puzzle nothing may stand that looks like another one, or like the rest of it. */
static trm_status check_others(trm_sudoku_reader *r, trm_error *err) {
  const size_t cells = (size_t)(r->found_size * r->found_size);
  if (r->n_found > 2 || r->n_tokens > TRM__SUDOKU_MAX_TOKENS)
    return trm__sudoku_refuse(r, TRM_E_FORMAT, r->line, r->column, err,
                              "more than a puzzle and its solution in a line: want a puzzle a "
                              "line");
  for (int i = 0; !r->is_joined && i < r->n_tokens; i++) {
    const trm__span t = r->token[i];
    if (is_found(r, t) || 3 * t.n < 2 * cells || !trm__sudoku_are_cells(t, r->found_size)) continue;
    return trm__sudoku_refuse(r, TRM_E_FORMAT, r->line, trm__sudoku_column(r, t.text), err,
                              "%zu cells beside a puzzle of %zu: is one too many or too few?", t.n,
                              cells);
  }
  return TRM_OK;
}

trm_status trm__sudoku_read_line(trm_sudoku_reader *r, trm_sudoku_entry *e, bool *found,
                                 trm_error *err) {
  trm__span puzzle = r->found[0], solution = {NULL, 0};

  /* Of two grids the complete one is the solution, the second if both are. */
  TRM_TRY(check_others(r, err));
  if (r->n_found == 2) {
    solution = r->found[1];
    if (is_complete(puzzle, r->found_size) && !is_complete(solution, r->found_size)) {
      solution = r->found[0];
      puzzle = r->found[1];
    }
    if (!is_complete(solution, r->found_size))
      return trm__sudoku_refuse(r, TRM_E_FORMAT, r->line, trm__sudoku_column(r, solution.text), err,
                                "two puzzles in a line: want a puzzle a line, perhaps with its "
                                "solution");
  }

  /* The puzzle, then what it must agree with. */
  const size_t column = r->is_joined ? r->column : trm__sudoku_column(r, puzzle.text);
  TRM_TRY(trm__sudoku_begin(r, e, r->found_size, r->line, column, err));
  e->in_line = !r->is_joined;
  TRM_TRY(trm__sudoku_read_givens(r, e, puzzle, err));
  if (solution.n)
    TRM_TRY(trm__sudoku_read_solution(r, e, solution, trm__sudoku_column(r, solution.text), err));
  *found = true;
  return TRM_OK;
}

/* --- 729 candidates --- */

bool trm__sudoku_is_candidates(trm_sudoku_reader *r) {
  for (int i = 0; i < r->n_tokens && i < TRM__SUDOKU_MAX_TOKENS; i++) {
    const trm__span t = r->token[i];
    bool fits = t.n == TRM__SUDOKU_MARKS;
    for (int k = 0; fits && k < TRM__SUDOKU_MARKS; k++)
      fits = t.text[k] == '1' + k % 9 || trm__sudoku_is_blank(t.text[k]);
    if (!fits) continue;
    r->found[0] = t;
    return true;
  }
  return false;
}

trm_status trm__sudoku_read_candidates(trm_sudoku_reader *r, trm_sudoku_entry *e, bool *found,
                                       trm_error *err) {
  const trm__span s = r->found[0];
  uint16_t marks[TRM_SUDOKU_MAX_CELLS] = {0};
  TRM_TRY(trm__sudoku_begin(r, e, 9, r->line, trm__sudoku_column(r, s.text), err));
  for (int k = 0; k < TRM__SUDOKU_MARKS; k++)
    if (!trm__sudoku_is_blank(s.text[k])) marks[k / 9] |= (uint16_t)(1u << k % 9);
  for (int i = 0; i < 81; i++) {
    if (!marks[i])
      return trm__sudoku_refuse(r, TRM_E_PUZZLE, r->line, (size_t)e->column + 9 * (size_t)i, err,
                                "no candidate in row %d, column %d", i / 9 + 1, i % 9 + 1);
    if (!(marks[i] & (marks[i] - 1))) e->givens[i] = (uint8_t)(__builtin_ctz(marks[i]) + 1);
  }
  TRM_TRY(trm__sudoku_check_marks(r, e, marks, err));
  *found = true;
  return TRM_OK;
}
