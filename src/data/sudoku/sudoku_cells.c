/* What the forms of Sudoku files are made of: cells as text, sizes, solutions and candidates that
 * stand beside a puzzle, and what is said of text that is none. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "data/sudoku/sudoku_reader.h"

int trm__sudoku_size_of(size_t cells) {
  for (int size = 1; size <= TRM_SUDOKU_MAX_SIZE; size++)
    if ((size_t)(size * size) == cells) return trm__sudoku_is_size((size_t)size) ? size : 0;
  return 0;
}

bool trm__sudoku_is_size(size_t n) {
  return n <= TRM_SUDOKU_MAX_SIZE && trm_sudoku_of_size((int)n).kind != TRM_PUZZLE_NONE;
}

bool trm__sudoku_are_cells(trm__span s, int size) {
  for (size_t i = 0; i < s.n; i++)
    if (trm__sudoku_value(s.text[i], size) < 0) return false;
  return true;
}

/* --- sizes --- */

static trm_status refuse_shape(trm_sudoku_reader *r, const trm_puzzle *p, int64_t line,
                               size_t column, trm_error *err) {
  const trm_puzzle *want = &r->puzzle;
  const char *owner = r->config.owner ? r->config.owner : "the puzzle before";
  r->other_size = p->rows != want->rows ? p->rows : 0;
  if (p->rows != want->rows)
    return trm__sudoku_refuse(r, TRM_E_FORMAT, line, column, err,
                              "a %dx%d Sudoku of %d cells, but %s is %s%dx%d", p->rows, p->cols,
                              p->rows * p->cols, owner, r->config.owner ? "for " : "", want->rows,
                              want->cols);
  return trm__sudoku_refuse(r, TRM_E_FORMAT, line, column, err,
                            "boxes of %d rows and %d columns, but %s has boxes of %d rows and %d "
                            "columns",
                            p->box_rows, p->box_cols, owner, want->box_rows, want->box_cols);
}

trm_status trm__sudoku_refuse_row(trm_sudoku_reader *r, int size, trm_error *err) {
  const char *owner = r->config.owner ? r->config.owner : "the puzzle before";
  const int small = r->n_tokens == 1 ? trm__sudoku_size_of((size_t)size) : 0;
  char puzzle[40] = "";
  if (small) snprintf(puzzle, sizeof puzzle, "a %dx%d Sudoku of ", small, small);
  r->other_size = small ? small : size;
  return trm__sudoku_refuse(r, TRM_E_FORMAT, r->line, r->column, err,
                            "%s%s%d cells%s of a %dx%d Sudoku, but %s is %s%dx%d", puzzle,
                            small ? "" : "a row of ", size, small ? ", or a row" : ", as", size,
                            size, owner, r->config.owner ? "for " : "", r->puzzle.rows,
                            r->puzzle.cols);
}

trm_status trm__sudoku_take_shape(trm_sudoku_reader *r, const trm_puzzle *p, int64_t line,
                                  size_t column, trm_error *err) {
  const trm_puzzle *want = &r->puzzle;
  if (want->kind == TRM_PUZZLE_NONE) {
    if (r->config.uniform) r->puzzle = *p;
    return TRM_OK;
  }
  if (p->rows == want->rows && p->box_rows == want->box_rows && p->box_cols == want->box_cols)
    return TRM_OK;
  return refuse_shape(r, p, line, column, err);
}

trm_status trm__sudoku_begin(trm_sudoku_reader *r, trm_sudoku_entry *e, int size, int64_t line,
                             size_t column, trm_error *err) {
  const char *form = e->form;
  trm_puzzle p = trm_sudoku_of_size(size);
  if (r->puzzle.kind != TRM_PUZZLE_NONE && r->puzzle.rows == size) p = r->puzzle;
  TRM_TRY(trm__sudoku_take_shape(r, &p, line, column, err));
  memset(e, 0, sizeof *e);
  e->puzzle = p;
  e->form = form;
  e->line = line;
  e->column = (int)column;
  if (!r->config.uniform) r->zero = TRM__ZERO_UNSEEN;
  return TRM_OK;
}

/* --- cells --- */

/* Grids that belong together are written in the same digits. */
static trm_status settle_zero(trm_sudoku_reader *r, const trm_sudoku_entry *e, trm__span cells,
                              size_t column, bool complete, trm_error *err) {
  const trm__sudoku_zero zero = trm__sudoku_zero_of(&e->puzzle, cells.text, cells.n, complete);
  if (zero == TRM__ZERO_UNSEEN) return TRM_OK;
  if (r->zero == TRM__ZERO_UNSEEN) r->zero = zero;
  if (r->zero == zero) return TRM_OK;
  const bool is_digit = zero == TRM__ZERO_IS_LAST;
  return trm__sudoku_refuse(r, TRM_E_FORMAT, e->line, column, err,
                            "is 0 a blank or a digit? Here it is %s, before it was %s; write '.' "
                            "for every blank",
                            is_digit ? "a digit" : "a blank", is_digit ? "a blank" : "a digit");
}

static trm_status read_cells(trm_sudoku_reader *r, const trm_sudoku_entry *e, trm__span cells,
                             size_t column, bool complete, uint8_t *values, trm_error *err) {
  size_t at;
  char why[TRM__SUDOKU_WHY];
  TRM_TRY(settle_zero(r, e, cells, column, complete, err));
  if (trm__sudoku_read_cells(&e->puzzle, cells.text, cells.n, complete, values, &at, why))
    return TRM_OK;
  return trm__sudoku_refuse(r, TRM_E_FORMAT, e->line, column + at, err, "%s", why);
}

trm_status trm__sudoku_read_givens(trm_sudoku_reader *r, trm_sudoku_entry *e, trm__span cells,
                                   trm_error *err) {
  TRM_TRY(read_cells(r, e, cells, (size_t)e->column, false, e->givens, err));
  e->zero_is_digit = r->zero == TRM__ZERO_IS_LAST;
  return TRM_OK;
}

/* The solution must be complete, keep the givens and obey the rules. */
static trm_status check_solution(const trm_sudoku_reader *r, const trm_sudoku_entry *e,
                                 size_t column, trm_error *err) {
  const trm_puzzle *p = &e->puzzle;

  /* The first cell that is blank or changes a given. */
  int cell = 0;
  for (; cell < p->rows * p->cols; cell++) {
    if (e->solution[cell] && (!e->givens[cell] || e->givens[cell] == e->solution[cell])) continue;
    const int row = cell / p->cols + 1, col = cell % p->cols + 1;
    char given[TRM_SUDOKU_MAX_CELLS + 1], found[TRM_SUDOKU_MAX_CELLS + 1];
    trm_sudoku_format(p, e->givens, given);
    trm_sudoku_format(p, e->solution, found);
    if (!e->solution[cell])
      return trm__sudoku_refuse(r, TRM_E_PUZZLE, e->line, column + (size_t)cell, err,
                                "the answer is blank in row %d, column %d of the grid", row, col);
    return trm__sudoku_refuse(r, TRM_E_PUZZLE, e->line, column + (size_t)cell, err,
                              "the answer has '%c' where the question gives '%c' (row %d, column "
                              "%d of the grid)",
                              found[cell], given[cell], row, col);
  }

  /* Complete and with its givens, it must obey the rules. */
  if (trm_sudoku_consistent(p, e->solution, &cell)) return TRM_OK;
  return trm__sudoku_refuse(r, TRM_E_PUZZLE, e->line, column + (size_t)cell, err,
                            "the answer breaks the rules: the digit in row %d, column %d of the "
                            "grid stands twice in its row, column or box",
                            cell / p->cols + 1, cell % p->cols + 1);
}

trm_status trm__sudoku_read_solution(trm_sudoku_reader *r, trm_sudoku_entry *e, trm__span cells,
                                     size_t column, trm_error *err) {
  if (!cells.n) return TRM_OK;
  TRM_TRY(read_cells(r, e, cells, column, true, e->solution, err));
  TRM_TRY(check_solution(r, e, column, err));
  e->has_solution = true;
  return TRM_OK;
}

/* --- candidates --- */

/* The first open cell whose candidates leave out a digit that no given in its row, column or box
 * is; -1: none. */
static int find_hint(const trm__sudoku_shape *s, const trm_sudoku_entry *e, const uint16_t *marks) {
  for (int cell = 0; cell < s->cells; cell++) {
    uint16_t possible = s->all;
    if (e->givens[cell] || !marks[cell]) continue;
    for (int other = 0; other < s->cells; other++)
      if (e->givens[other] && s->peers[cell][other / 64] >> other % 64 & 1)
        possible &= (uint16_t) ~(1u << (e->givens[other] - 1));
    if (possible & (uint16_t)~marks[cell]) return cell;
  }
  return -1;
}

trm_status trm__sudoku_check_marks(const trm_sudoku_reader *r, const trm_sudoku_entry *e,
                                   const uint16_t *marks, trm_error *err) {
  uint8_t answer[TRM_SUDOKU_MAX_CELLS];
  trm__sudoku_shape shape;

  /* A puzzle without a solution is refused later, whatever its candidates are. */
  const trm_sudoku_result found = trm_sudoku_solve(&e->puzzle, e->givens, 2, answer);
  if (found.complete && !found.solutions) return TRM_OK; /* as of any puzzle, its user will see */
  trm__sudoku_shape_init(&shape, &e->puzzle);

  /* With one solution its digits must be among the candidates. */
  int cell = -1;
  if (found.complete && found.solutions == 1) {
    do cell++;
    while (cell < shape.cells && (!marks[cell] || marks[cell] >> (answer[cell] - 1) & 1));
    if (cell == shape.cells) return TRM_OK;
    return trm__sudoku_refuse(r, TRM_E_PUZZLE, e->line, (size_t)e->column, err,
                              "the candidates of row %d, column %d leave out its digit, %d",
                              cell / shape.size + 1, cell % shape.size + 1, answer[cell]);
  }

  /* With several, candidates that say more than the givens would be lost. */
  cell = find_hint(&shape, e, marks);
  if (cell < 0) return TRM_OK;
  return trm__sudoku_refuse(r, TRM_E_PUZZLE, e->line, (size_t)e->column, err,
                            "the candidates of row %d, column %d say more than the givens, which "
                            "alone have several solutions; only puzzles of givens can be used",
                            cell / shape.size + 1, cell % shape.size + 1);
}

/* --- what is none --- */

/* A text of no size that is known. */
static trm_status refuse_length(trm_sudoku_reader *r, size_t count, size_t column, trm_error *err) {
  return trm__sudoku_refuse(
      r, TRM_E_FORMAT, r->line, column, err,
      "%zu character%s no Sudoku that is known (want 81 for 9x9; 16, 36, 64, 100, 144 or 256 for "
      "4x4, 6x6, 8x8, 10x10, 12x12 or 16x16; '#' begins a comment)",
      count, count == 1 ? " is" : "s are");
}

/* Short words between separators before any puzzle: a header, of names that are not known. */
static bool may_be_header(const trm_sudoku_reader *r) {
  bool separated = false;
  if (r->any_puzzle || r->grid.rows || r->has_table || r->n_tokens < 2 ||
      r->n_tokens > TRM__SUDOKU_MAX_TOKENS)
    return false;
  for (size_t i = 0; i < r->length; i++) separated |= memchr(",;\t", r->text[i], 3) != NULL;
  for (int i = 0; i < r->n_tokens; i++) separated &= r->token[i].n < 16;
  return separated;
}

trm_status trm__sudoku_refuse_line(trm_sudoku_reader *r, trm__span s, trm_error *err) {
  const size_t column = trm__sudoku_column(r, s.text), count = trm__text_count(s.text, s.n);
  const int size = trm__sudoku_size_of(count);
  const trm_puzzle other = trm_sudoku_of_size(size);
  const trm_puzzle *want = r->puzzle.kind == TRM_PUZZLE_NONE ? &other : &r->puzzle;
  uint8_t values[TRM_SUDOKU_MAX_CELLS];
  char why[TRM__SUDOKU_WHY];
  size_t at = 0;

  /* What the line as a whole may have been meant for. */
  if (r->has_table && !s.n)
    return trm__sudoku_refuse(r, TRM_E_FORMAT, r->line, column, err,
                              "the row has text, but its puzzle is empty");
  if (may_be_header(r))
    return trm__sudoku_refuse(r, TRM_E_FORMAT, r->line, r->column, err,
                              "neither a Sudoku nor a header with a column of puzzles ('question', "
                              "'puzzle', 'quiz' ...): say which it is with --columns");

  /* A number of cells that no Sudoku has, or another has. */
  if (want->kind == TRM_PUZZLE_NONE) return refuse_length(r, count, column, err);
  if (size && size != want->rows && trm__sudoku_are_cells(s, size))
    return refuse_shape(r, &other, r->line, column, err);

  /* Of the right length: the first cell that is none. */
  if (trm__sudoku_read_cells(want, s.text, s.n, false, values, &at, why))
    return trm__sudoku_refuse(r, TRM_E_FORMAT, r->line, column, err, "no line of a known form");
  return trm__sudoku_refuse(r, TRM_E_FORMAT, r->line, column + at, err, "%s", why);
}
