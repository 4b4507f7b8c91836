/* A puzzle's grid as JSON. */
#include "puzzle/puzzle_json.h"

#include <string.h>

#include "puzzle/json_grid.h"
#include "puzzle/puzzle.h"

bool trm__puzzle_is_json(const trm_puzzle *p, const char *text, size_t n) {
  return n > 0 && *text == '[' && trm__puzzle_token(p, "[", 1) < 0;
}

/* The token of a cell, of what is said of it in place of a space, too. */
static int32_t token_of(const trm_puzzle *p, const char *text, size_t n) {
  const int32_t token = n ? trm__puzzle_token(p, text, n) : -1;
  return token < 0 && n == 1 && *text == '.' ? trm__puzzle_token(p, " ", 1) : token;
}

static trm_status refuse_size(const trm_puzzle *p, size_t rows, size_t cols, bool sized,
                              trm_error *err) {
  TRM_FAIL_AT(err, TRM_E_FORMAT, 1, "column 1: a grid of %zu x %zu cells; want %s%d x %d", rows,
              cols, sized ? "at most " : "", p->rows, p->cols);
}

static trm_status read_cells(const trm_puzzle *p, const trm__json *grid, size_t rows, size_t cols,
                             int32_t *tokens, trm_error *err) {
  char number[TRM__JSON_CELL];
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < cols; j++) {
      size_t n;
      const char *text = trm__json_cell(trm__json_item(trm__json_item(grid, i), j), number, &n);
      const int32_t token = token_of(p, text, n);
      if (token < 0)
        TRM_FAIL_AT(err, TRM_E_FORMAT, 1,
                    "column 1: row %zu, column %zu of the grid: '%.*s' is no symbol of this puzzle",
                    i + 1, j + 1, n < 20 ? (int)n : 20, text);
      tokens[i * (size_t)p->cols + j] = token;
    }
  return TRM_OK;
}

trm_status trm__puzzle_parse_json(const trm_puzzle *p, const char *text, size_t n, bool sized,
                                  int32_t *tokens, int *rows, int *cols, trm_error *err) {
  trm__json *grid;
  trm__json_fault fault;
  size_t n_rows, n_cols;
  trm_status st = trm__json_decode(text, n, NULL, &grid, &fault);
  if (st == TRM_E_MEMORY) TRM_FAIL(err, st, "no memory for a grid of JSON");
  if (st != TRM_OK)
    TRM_FAIL_AT(err, st, fault.byte + 1, "column %zu: JSON: %s", fault.byte + 1, fault.what);

  /* The grid must be one, and fit. */
  const size_t most_rows = (size_t)p->rows, most_cols = (size_t)p->cols;
  if (!trm__json_grid_size(grid, &n_rows, &n_cols))
    st = trm__fail(err, TRM_E_FORMAT, 1,
                   "column 1: want a grid, an array of rows of one length, which are arrays of "
                   "numbers or texts");
  else if (sized ? n_rows > most_rows || n_cols > most_cols
                 : n_rows != most_rows || n_cols != most_cols)
    st = refuse_size(p, n_rows, n_cols, sized, err);
  else
    st = read_cells(p, grid, n_rows, n_cols, tokens, err);

  /* How large it is. */
  *rows = (int)n_rows;
  *cols = (int)n_cols;
  trm__json_free(grid);
  return st;
}
