/* A puzzle's grid as JSON. */
#include "puzzle/puzzle_json.h"

#include <string.h>

#include "base/text.h"
#include "puzzle/json_grid.h"
#include "puzzle/puzzle.h"
#include "puzzle/roles.h"

bool trm__puzzle_is_json(const trm_puzzle *p, const char *text, size_t n) {
  return n > 0 && (*text == '[' || *text == '{') && trm__puzzle_token(p, text, 1) < 0;
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

static trm_status read_grid(const trm_puzzle *p, const trm__json *grid, bool sized, int32_t *tokens,
                            int *rows, int *cols, trm_error *err) {
  size_t n_rows, n_cols;
  const size_t most_rows = (size_t)p->rows, most_cols = (size_t)p->cols;
  if (!trm__json_grid_size(grid, &n_rows, &n_cols))
    return trm__fail(err, TRM_E_FORMAT, 1,
                     "column 1: want a grid, an array of rows of one length, which are arrays of "
                     "numbers or texts");
  if (sized ? n_rows > most_rows || n_cols > most_cols : n_rows != most_rows || n_cols != most_cols)
    return refuse_size(p, n_rows, n_cols, sized, err);
  *rows = (int)n_rows;
  *cols = (int)n_cols;
  return read_cells(p, grid, n_rows, n_cols, tokens, err);
}

/* The member of an object that is called as a column of questions; NULL: none. */
static const trm__json *question_of(const trm__json *object) {
  char name[TRM__ROLE_NAME];
  for (int k = 0; trm__role_name(NULL, TRM__QUESTION, k, name); k++)
    for (size_t i = 0; i < trm__json_n_members(object); i++)
      if (trm__text_alike(trm__json_key(object, i), name, sizeof name))
        return trm__json_member(object, i);
  return NULL;
}

static trm_status read_object(const trm_puzzle *p, const trm__json *object, bool sized,
                              int32_t *tokens, int *rows, int *cols, trm_error *err) {
  const trm__json *question = question_of(object);
  if (!question)
    TRM_FAIL_AT(err, TRM_E_FORMAT, 1,
                "column 1: the object has no puzzle: want it as \"puzzle\" or \"question\"");
  if (!trm__json_is(question, TRM__JSON_STRING))
    return read_grid(p, question, sized, tokens, rows, cols, err);

  /* A text has been given its end marks; a grid that fills the canvas gets no more. */
  *rows = p->rows;
  *cols = p->cols;
  return trm_puzzle_parse(p, trm__json_text(question), trm__json_length(question), tokens, err);
}

trm_status trm__puzzle_parse_json(const trm_puzzle *p, const char *text, size_t n, bool sized,
                                  int32_t *tokens, int *rows, int *cols, trm_error *err) {
  trm__json *root;
  trm__json_fault fault;
  trm_status st = trm__json_decode(text, n, NULL, &root, &fault);
  if (st == TRM_E_MEMORY) TRM_FAIL(err, st, "no memory for a grid of JSON");
  if (st != TRM_OK)
    TRM_FAIL_AT(err, st, fault.byte + 1, "column %zu: JSON: %s", fault.byte + 1, fault.what);
  st = (trm__json_is(root, TRM__JSON_OBJECT) ? read_object : read_grid)(p, root, sized, tokens,
                                                                        rows, cols, err);
  trm__json_free(root);
  return st;
}
