/* Sudokus as a kind of puzzle. Values are 0 for a blank, then the digits; tokens are values + 1. */
#include <string.h>

#include "puzzle/kind.h"
#include "puzzle/sudoku/sudoku_shape.h"
#include "puzzle/sudoku/sudoku_symmetry.h"

static const char *const symbols[] = {".", "1", "2", "3", "4", "5", "6", "7", "8",
                                      "9", "A", "B", "C", "D", "E", "F", "G"};

static int count(const trm_puzzle *p) {
  return p->rows >= 0 && p->rows <= TRM_SUDOKU_MAX_SIZE ? p->rows + 1 : 0;
}

static trm_status check(const trm_puzzle *p, const char *file, trm_error *err) {
  if (trm_sudoku_known(p)) return TRM_OK;
  TRM_FAIL(err, TRM_E_CONFIG,
           "%s: puzzle: no Sudoku has %d x %d cells in boxes of %d x %d; expected 2 to %d rows, as "
           "many columns, and as many cells in a box",
           file, p->rows, p->cols, p->box_rows, p->box_cols, TRM_SUDOKU_MAX_SIZE);
}

static trm_status parse(const trm_puzzle *p, const char *text, size_t n, int32_t *tokens,
                        trm_error *err) {
  uint8_t values[TRM_SUDOKU_MAX_CELLS];
  TRM_TRY(trm_sudoku_parse(p, text, n, values, err));
  for (int i = 0; i < p->rows * p->cols; i++) tokens[i] = values[i] + 1;
  return TRM_OK;
}

/* --- answers --- */

/* '.' or '0' blank, '1' to '9', 'A' ... */
static bool read_digits(const trm__puzzle_view *v, const int32_t *tokens, const trm_puzzle *p,
                        uint8_t *values) {
  char text[TRM_SUDOKU_MAX_CELLS];
  for (int i = 0; i < p->rows * p->cols; i++)
    text[i] = trm__view_letter(v, tokens, i / p->cols, i % p->cols);
  return trm_sudoku_parse(p, text, (size_t)(p->rows * p->cols), values, NULL) == TRM_OK;
}

/* The puzzle, be it a Sudoku or a grid by its rules. */
static trm_puzzle sudoku_on(const trm_puzzle *p, int rows, int cols) {
  if (p->kind == TRM_PUZZLE_SUDOKU) return *p;
  return trm_sudoku_of_size(rows == cols ? rows : 0);
}
static trm_puzzle sudoku_of(const trm__puzzle_view *v) {
  return sudoku_on(v->puzzle, v->rows, v->cols);
}

static trm_status check_givens(const trm__puzzle_view *v, trm_error *err) {
  uint8_t question[TRM_SUDOKU_MAX_CELLS];
  int cell;
  const trm_puzzle p = sudoku_of(v);
  if (!trm_sudoku_known(&p) || !read_digits(v, v->inputs, &p, question))
    return trm__rules_refuse("the grid is no Sudoku of a known size", err);
  if (trm_sudoku_consistent(&p, question, &cell)) return TRM_OK;
  return trm__rules_refuse_cell(cell / p.cols, cell % p.cols,
                                "the digit stands twice in its row, column or box", err);
}

static bool solves(const trm__puzzle_view *v) {
  uint8_t question[TRM_SUDOKU_MAX_CELLS], answer[TRM_SUDOKU_MAX_CELLS];
  const trm_puzzle p = sudoku_of(v);
  return trm_sudoku_known(&p) && read_digits(v, v->inputs, &p, question) &&
         read_digits(v, v->answer, &p, answer) && trm_sudoku_solves(&p, question, answer);
}

static bool find_boxes(const trm_puzzle *p, int *rows, int *cols) {
  const trm_puzzle s = sudoku_on(p, p->rows, p->cols);
  *rows = s.box_rows;
  *cols = s.box_cols;
  return trm_sudoku_known(&s);
}

static const trm__puzzle_rules rules[] = {
    {.name = "sudoku",
     .solves = solves,
     .check = check_givens,
     .boxes = find_boxes,
     .once = true,
     .blanks = ".0"},
    {.name = NULL},
};

static trm_status check_unique(const trm_puzzle *p, const int32_t *question, trm_error *err) {
  uint8_t values[TRM_SUDOKU_MAX_CELLS];
  for (int i = 0; i < p->rows * p->cols; i++)
    values[i] = (uint8_t)(question[i] > 1 ? question[i] - 1 : 0);
  trm_sudoku_result r = trm_sudoku_solve(p, values, 2, NULL);
  if (r.solutions == 1 && r.complete) return TRM_OK;
  TRM_FAIL(err, TRM_E_PUZZLE, "%s",
           r.solutions > 1 ? "the question has more than one solution"
           : r.complete    ? "the question has no solution"
                           : "a second solution could not be ruled out in bounded time");
}

/* --- symmetries --- */

static void image(const trm_puzzle *p, trm__rng *rng, const int32_t *from_inputs,
                  const int32_t *from_labels, int32_t *inputs, int32_t *labels) {
  trm__symmetry g;
  trm__symmetry_draw(p, rng, &g);
  trm__symmetry_apply_tokens(&g, from_inputs, inputs);
  trm__symmetry_apply_tokens(&g, from_labels, labels);
}

/* Tokens are values + 1. */
static void tables(const trm_puzzle *p, trm__rng *rng, int32_t *cell, uint8_t *token) {
  trm__symmetry g;
  trm__symmetry_draw(p, rng, &g);
  for (int i = 0; i < g.cells; i++) cell[i] = g.cell[i];
  for (int v = 0; v <= g.size; v++) token[v + 1] = (uint8_t)(g.digit[v] + 1);
}

/* --- data that do not say what they hold --- */

static bool fits(int seq_len, int vocab_size, trm_puzzle *p) {
  *p = trm_sudoku_of_size(vocab_size - 2);
  return p->kind != TRM_PUZZLE_NONE && p->rows * p->cols == seq_len;
}

static bool is_example(const trm_puzzle *p, const int32_t *inputs, const int32_t *labels) {
  uint8_t question[TRM_SUDOKU_MAX_CELLS], answer[TRM_SUDOKU_MAX_CELLS];
  for (int i = 0; i < p->rows * p->cols; i++) {
    if (inputs[i] < 1 || labels[i] < 1) return false;
    question[i] = (uint8_t)(inputs[i] - 1);
    answer[i] = (uint8_t)(labels[i] - 1);
  }
  return trm_sudoku_solves(p, question, answer);
}

const trm__puzzle_kind trm__kind_sudoku = {
    .name = "sudoku",
    .facts = {.title = "Sudoku",
              .build = "trm data build sudoku --num-aug 1000",
              .blank = '.',
              .boxes = true},
    .symbols = symbols,
    .count = count,
    .check = check,
    .joined = true,
    .parse = parse,
    .rules = rules,
    .shows = "every Sudoku has exactly one solution",
    .check_question = check_unique,
    .image = image,
    .tables = tables,
    .known = trm_sudoku_known,
    .canonical = trm_sudoku_canonical,
    .zero = 1,
    .fits = fits,
    .is_example = is_example,
};
