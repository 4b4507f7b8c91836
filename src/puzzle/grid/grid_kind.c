/* A user's own grids as a kind of puzzle: symbols, rules and symmetries are said by each puzzle.
 * The rules here are of puzzles that have no kind. */
#include <string.h>

#include "puzzle/kind.h"
#include "puzzle/puzzle.h"

enum { N_TINTS = 12 };

/* Of a user's symbols in their order; the first is most often the blank. */
static const uint32_t tint[N_TINTS] = {0xF2F2F2, 0x4477AA, 0xEE6677, 0x228833, 0xCCBB44, 0x66CCEE,
                                       0xAA3377, 0xBBBBBB, 0xEE8866, 0x99DDFF, 0x77AADD, 0xFFAABB};

/* --- latin squares --- */

/* True when a row or column of the answer has each symbol of the answer's first row once. */
static bool is_latin_line(const trm__puzzle_view *v, int at, bool column) {
  const trm__symbol_range r = trm__symbol_range_of(v->puzzle);
  bool wanted[TRM__VIEW_TOKENS] = {false};
  for (int j = 0; j < v->cols; j++) wanted[trm__view_token(v, v->answer, 0, j)] = true;
  for (int j = 0; j < v->cols; j++) {
    int token = trm__view_token(v, v->answer, column ? j : at, column ? at : j);
    if (!wanted[token] || !trm__has_symbol(r, token) || trm__view_is_blank(v->letter[token]))
      return false;
    wanted[token] = false;
  }
  return true;
}

/* A given that stands before (i, j) in its row or column, too. */
static bool is_given_before(const trm__puzzle_view *v, int i, int j) {
  const int given = trm__view_token(v, v->inputs, i, j);
  if (trm__view_is_blank(v->letter[given])) return false;
  for (int k = 0; k < i; k++)
    if (trm__view_token(v, v->inputs, k, j) == given) return true;
  for (int k = 0; k < j; k++)
    if (trm__view_token(v, v->inputs, i, k) == given) return true;
  return false;
}

static trm_status check_latin(const trm__puzzle_view *v, trm_error *err) {
  if (v->rows != v->cols || v->rows < 1) return trm__rules_refuse("the grid is no square", err);
  for (int i = 0; i < v->rows; i++)
    for (int j = 0; j < v->cols; j++)
      if (is_given_before(v, i, j))
        return trm__rules_refuse_cell(i, j, "the symbol stands twice in its row or column", err);
  return TRM_OK;
}

static bool solves_latin(const trm__puzzle_view *v) {
  if (v->rows != v->cols || v->rows < 1) return false;
  for (int i = 0; i < v->rows; i++)
    for (int j = 0; j < v->cols; j++) {
      int given = trm__view_token(v, v->inputs, i, j);
      if (!trm__view_is_blank(v->letter[given]) && given != trm__view_token(v, v->answer, i, j))
        return false;
    }
  for (int i = 0; i < v->rows; i++)
    if (!is_latin_line(v, i, false) || !is_latin_line(v, i, true)) return false;
  return true;
}

/* --- nonograms --- */

/* The cells to find of a nonogram begin at (rows, cols); before them are the hints. */
typedef struct hints {
  int rows, cols;
} hints;

/* Hint k of row or column `at`: -1 for none. */
static int hint_at(const trm__puzzle_view *v, int at, bool column, int k) {
  return v->number[trm__view_token(v, v->inputs, column ? k : at, column ? at : k)];
}

/* True when the runs of '#' in row or column `at` are the numbers among its hints; 0 is no run. */
static bool runs_agree(const trm__puzzle_view *v, hints h, int at, bool column) {
  int hint = 0, n_hints = column ? h.rows : h.cols, end = column ? v->rows : v->cols, run = 0;

  /* Behind the last cell stands an empty one, which ends a run at the edge. */
  for (int k = n_hints; k <= end; k++) {
    char cell = k == end ? '.' : trm__view_letter(v, v->answer, column ? k : at, column ? at : k);
    if (cell != '#' && cell != '.') return false;
    if (cell == '#') {
      run++;
      continue;
    }
    if (!run) continue;

    /* A run has ended: the next hint that is a run must be as long. */
    int want = 0;
    while (hint < n_hints && want <= 0) want = hint_at(v, at, column, hint++);
    if (want != run) return false;
    run = 0;
  }

  /* No run is missing. */
  while (hint < n_hints)
    if (hint_at(v, at, column, hint++) > 0) return false;
  return true;
}

/* False when the cells to find are no rectangle in the lower right corner. */
static bool find_hints(const trm__puzzle_view *v, hints *h) {
  /* The hints end where the last row and the last column begin to ask. */
  *h = (hints){0, 0};
  while (h->cols < v->cols && v->rows &&
         trm__view_letter(v, v->inputs, v->rows - 1, h->cols) != '?')
    h->cols++;
  while (h->rows < v->rows && v->cols &&
         trm__view_letter(v, v->inputs, h->rows, v->cols - 1) != '?')
    h->rows++;
  if (h->cols == v->cols || h->rows == v->rows) return false;

  /* All cells behind them ask, and no other. */
  for (int i = 0; i < v->rows; i++)
    for (int j = 0; j < v->cols; j++)
      if ((trm__view_letter(v, v->inputs, i, j) == '?') != (i >= h->rows && j >= h->cols))
        return false;
  return true;
}

static trm_status check_nonogram(const trm__puzzle_view *v, trm_error *err) {
  hints h;
  if (find_hints(v, &h)) return TRM_OK;
  return trm__rules_refuse("the cells to find, '?', are no rectangle in the lower right corner",
                           err);
}

static bool solves_nonogram(const trm__puzzle_view *v) {
  hints h;
  if (!find_hints(v, &h)) return false;
  for (int i = h.rows; i < v->rows; i++)
    if (!runs_agree(v, h, i, false)) return false;
  for (int j = h.cols; j < v->cols; j++)
    if (!runs_agree(v, h, j, true)) return false;
  return true;
}

static const trm__puzzle_rules rules[] = {
    {.name = "latin", .solves = solves_latin, .check = check_latin, .once = true, .blanks = ".0"},
    {.name = "nonogram",
     .solves = solves_nonogram,
     .check = check_nonogram,
     .blanks = "?",
     .fills = "#."},
    {.name = NULL},
};

const trm__puzzle_kind trm__kind_grid = {
    .name = "grid",
    .facts = {.title = "grid",
              .build = "trm data build grid --num-aug 1000",
              .declared = true,
              .fill = tint,
              .n_fill = N_TINTS,
              .lettered = ~0u},
    .count = trm__puzzle_vocabulary_size,
    .rules = rules,
};
