/* Rule checkers by name: whether an answer is right, be it the labelled one or another, and whether
 * a question can have such an answer at all.
 *
 * A checker sees a rectangle of symbols, not tokens, so one works for its own kind of puzzle and
 * for a user's grids whose vocabulary has its symbols. Of a grid that is smaller than its canvas it
 * sees the grid alone. */
#include <string.h>

#include "base/error.h"
#include "data/maze/maze_board.h"
#include "data/sudoku/sudoku_shape.h"
#include "trm/puzzle.h"

enum { MAX_TOKENS = TRM_PUZZLE_MAX_SYMBOLS + 2 };

typedef struct view {
  const trm_puzzle *puzzle;
  int rows, cols, top, left; /* the grid on the canvas */
  const int32_t *inputs, *answer;
  char letter[MAX_TOKENS]; /* a token's symbol of one byte, else 0 */
  int number[MAX_TOKENS];  /* a symbol that is a number, else -1 */
} view;

/* --- the grid --- */

static int number_of(const char *symbol) {
  int n = 0;
  for (const char *c = symbol; *c; c++) {
    if (*c < '0' || *c > '9' || n > 100000) return -1;
    n = 10 * n + *c - '0';
  }
  return n;
}

static int token_at(const view *v, const int32_t *tokens, int i, int j) {
  int32_t token = tokens[(v->top + i) * v->puzzle->cols + v->left + j];
  return token >= 0 && token < MAX_TOKENS ? token : 0;
}

static char letter_at(const view *v, const int32_t *tokens, int i, int j) {
  return v->letter[token_at(v, tokens, i, j)];
}

static void name_tokens(view *v) {
  int first = trm_puzzle_first_symbol(v->puzzle), n = trm_puzzle_n_symbols(v->puzzle);
  for (int token = 0; token < MAX_TOKENS; token++) v->number[token] = -1;
  for (int token = first; token < first + n && token < MAX_TOKENS; token++) {
    const char *symbol = trm_puzzle_symbol(v->puzzle, token);
    v->number[token] = number_of(symbol);
    if (!symbol[1]) v->letter[token] = symbol[0];
  }
}

static bool has_symbol(const trm_puzzle *p, int32_t token) {
  return token >= trm_puzzle_first_symbol(p) && trm_puzzle_symbol(p, token) != NULL;
}

/* The rectangle of symbols of the input, as everywhere; the canvas when grids fill it. */
static void find_grid(view *v) {
  const trm_puzzle_box box = trm_puzzle_locate(v->puzzle, v->inputs);
  v->top = box.row;
  v->left = box.col;
  v->rows = box.rows;
  v->cols = box.cols;
}

/* --- the checkers --- */

/* A cell of the grid in a message, from 1 in both directions. */
static trm_status refuse_cell(int i, int j, const char *what, trm_error *err) {
  TRM_FAIL_AT(err, TRM_E_PUZZLE, -1, "row %d, column %d: %s: no answer can be valid", i + 1, j + 1,
              what);
}

static trm_status refuse(const char *what, trm_error *err) {
  TRM_FAIL(err, TRM_E_PUZZLE, "%s: no answer can be valid", what);
}

/* '.' or '0' blank, '1' to '9', 'A' ... */
static bool read_digits(const view *v, const int32_t *tokens, const trm_puzzle *p,
                        uint8_t *values) {
  char text[TRM_SUDOKU_MAX_CELLS];
  for (int i = 0; i < p->rows * p->cols; i++)
    text[i] = letter_at(v, tokens, i / p->cols, i % p->cols);
  return trm_sudoku_parse(p, text, (size_t)(p->rows * p->cols), values, NULL) == TRM_OK;
}

static trm_puzzle sudoku_of(const view *v) {
  if (v->puzzle->kind == TRM_PUZZLE_SUDOKU) return *v->puzzle;
  return trm_sudoku_of_size(v->rows == v->cols ? v->rows : 0);
}

static trm_status check_sudoku(const view *v, trm_error *err) {
  uint8_t question[TRM_SUDOKU_MAX_CELLS];
  int cell;
  const trm_puzzle p = sudoku_of(v);
  if (!trm__sudoku_known(&p) || !read_digits(v, v->inputs, &p, question))
    return refuse("the grid is no Sudoku of a known size", err);
  if (trm_sudoku_consistent(&p, question, &cell)) return TRM_OK;
  return refuse_cell(cell / p.cols, cell % p.cols,
                     "the digit stands twice in its row, column or box", err);
}

static bool solves_sudoku(const view *v) {
  uint8_t question[TRM_SUDOKU_MAX_CELLS], answer[TRM_SUDOKU_MAX_CELLS];
  const trm_puzzle p = sudoku_of(v);
  return trm__sudoku_known(&p) && read_digits(v, v->inputs, &p, question) &&
         read_digits(v, v->answer, &p, answer) && trm_sudoku_solves(&p, question, answer);
}

static bool read_maze(const view *v, const int32_t *tokens, const trm_puzzle *p, uint8_t *cells) {
  for (int i = 0; i < p->rows * p->cols; i++)
    cells[i] = (uint8_t)letter_at(v, tokens, i / p->cols, i % p->cols);
  const char *text = (const char *)cells; /* letter by letter in place */
  return trm_maze_parse(p, text, (size_t)(p->rows * p->cols), cells, NULL) == TRM_OK;
}

static trm_status check_maze(const view *v, trm_error *err) {
  uint8_t question[TRM_MAZE_MAX_CELLS];
  const trm_puzzle p = trm_maze_of_size(v->rows, v->cols);
  if (p.kind != TRM_PUZZLE_MAZE || !read_maze(v, v->inputs, &p, question))
    return refuse("the grid is no maze", err);
  int starts = 0, goals = 0;
  for (int i = 0; i < p.rows * p.cols; i++) {
    if (question[i] == TRM_MAZE_PATH)
      return refuse_cell(i / p.cols, i % p.cols, "a path, 'o', is for the answer to mark", err);
    starts += question[i] == TRM_MAZE_START;
    goals += question[i] == TRM_MAZE_GOAL;
  }
  if (starts != 1 || goals != 1)
    TRM_FAIL(err, TRM_E_PUZZLE,
             "a maze has one start S and one goal G, here %s %d and %d: no answer can be valid",
             starts == 1 ? "is" : "are", starts, goals);
  if (!trm_maze_shortest(p.rows, p.cols, question, NULL))
    return refuse("no way leads from S to G", err);
  return TRM_OK;
}

static bool solves_maze(const view *v) {
  uint8_t question[TRM_MAZE_MAX_CELLS], answer[TRM_MAZE_MAX_CELLS];
  trm_puzzle p = trm_maze_of_size(v->rows, v->cols);
  return p.kind == TRM_PUZZLE_MAZE && read_maze(v, v->inputs, &p, question) &&
         read_maze(v, v->answer, &p, answer) && trm_maze_solves(v->rows, v->cols, question, answer);
}

static bool is_blank(char letter) {
  return letter == '.' || letter == '0';
}

/* True when a row or column of the answer has each symbol of the answer's first row once. */
static bool is_latin_line(const view *v, int at, bool column) {
  bool wanted[MAX_TOKENS] = {false};
  for (int j = 0; j < v->cols; j++) wanted[token_at(v, v->answer, 0, j)] = true;
  for (int j = 0; j < v->cols; j++) {
    int token = token_at(v, v->answer, column ? j : at, column ? at : j);
    if (!wanted[token] || !has_symbol(v->puzzle, token) || is_blank(v->letter[token])) return false;
    wanted[token] = false;
  }
  return true;
}

/* A given that stands before (i, j) in its row or column, too. */
static bool is_given_before(const view *v, int i, int j) {
  const int given = token_at(v, v->inputs, i, j);
  if (is_blank(v->letter[given])) return false;
  for (int k = 0; k < i; k++)
    if (token_at(v, v->inputs, k, j) == given) return true;
  for (int k = 0; k < j; k++)
    if (token_at(v, v->inputs, i, k) == given) return true;
  return false;
}

static trm_status check_latin(const view *v, trm_error *err) {
  if (v->rows != v->cols || v->rows < 1) return refuse("the grid is no square", err);
  for (int i = 0; i < v->rows; i++)
    for (int j = 0; j < v->cols; j++)
      if (is_given_before(v, i, j))
        return refuse_cell(i, j, "the symbol stands twice in its row or column", err);
  return TRM_OK;
}

static bool solves_latin(const view *v) {
  if (v->rows != v->cols || v->rows < 1) return false;
  for (int i = 0; i < v->rows; i++)
    for (int j = 0; j < v->cols; j++) {
      int given = token_at(v, v->inputs, i, j);
      if (!is_blank(v->letter[given]) && given != token_at(v, v->answer, i, j)) return false;
    }
  for (int i = 0; i < v->rows; i++)
    if (!is_latin_line(v, i, false) || !is_latin_line(v, i, true)) return false;
  return true;
}

/* The cells to find of a nonogram begin at (rows, cols); before them are the hints. */
typedef struct hints {
  int rows, cols;
} hints;

/* True when the runs of '#' in row or column `at` are the numbers among its hints; 0 is no run. */
static bool runs_agree(const view *v, hints h, int at, bool column) {
  int hint = 0, n_hints = column ? h.rows : h.cols, end = column ? v->rows : v->cols, run = 0;
  for (int k = n_hints; k <= end; k++) {
    char cell = k == end ? '.' : letter_at(v, v->answer, column ? k : at, column ? at : k);
    if (cell != '#' && cell != '.') return false;
    if (cell == '#') {
      run++;
      continue;
    }
    if (!run) continue;
    int want = 0;
    while (hint < n_hints && want <= 0) {
      want = v->number[token_at(v, v->inputs, column ? hint : at, column ? at : hint)];
      hint++;
    }
    if (want != run) return false;
    run = 0;
  }
  for (; hint < n_hints; hint++)
    if (v->number[token_at(v, v->inputs, column ? hint : at, column ? at : hint)] > 0) return false;
  return true;
}

/* False when the cells to find are no rectangle in the lower right corner. */
static bool find_hints(const view *v, hints *h) {
  *h = (hints){0, 0};
  while (h->cols < v->cols && v->rows && letter_at(v, v->inputs, v->rows - 1, h->cols) != '?')
    h->cols++;
  while (h->rows < v->rows && v->cols && letter_at(v, v->inputs, h->rows, v->cols - 1) != '?')
    h->rows++;
  if (h->cols == v->cols || h->rows == v->rows) return false;
  for (int i = 0; i < v->rows; i++)
    for (int j = 0; j < v->cols; j++)
      if ((letter_at(v, v->inputs, i, j) == '?') != (i >= h->rows && j >= h->cols)) return false;
  return true;
}

static trm_status check_nonogram(const view *v, trm_error *err) {
  hints h;
  if (find_hints(v, &h)) return TRM_OK;
  return refuse("the cells to find, '?', are no rectangle in the lower right corner", err);
}

static bool solves_nonogram(const view *v) {
  hints h;
  if (!find_hints(v, &h)) return false;
  for (int i = h.rows; i < v->rows; i++)
    if (!runs_agree(v, h, i, false)) return false;
  for (int j = h.cols; j < v->cols; j++)
    if (!runs_agree(v, h, j, true)) return false;
  return true;
}

static const struct checker {
  const char *name;
  bool (*solves)(const view *v);
  trm_status (*check)(const view *v, trm_error *err); /* of the inputs alone */
} checkers[] = {{"sudoku", solves_sudoku, check_sudoku},
                {"maze", solves_maze, check_maze},
                {"latin", solves_latin, check_latin},
                {"nonogram", solves_nonogram, check_nonogram}};

enum { N_CHECKERS = sizeof checkers / sizeof *checkers };

/* --- by name --- */

const char *trm_puzzle_rules_name(int i) {
  return i >= 0 && i < N_CHECKERS ? checkers[i].name : NULL;
}

static const struct checker *find_checker(const trm_puzzle *p) {
  const char *name = p->kind == TRM_PUZZLE_GRID ? p->rules : trm_puzzle_kind_name(p->kind);
  for (int i = 0; name && i < N_CHECKERS; i++)
    if (!strcmp(name, checkers[i].name)) return &checkers[i];
  return NULL;
}

bool trm_puzzle_has_rules(const trm_puzzle *p) {
  return find_checker(p) != NULL;
}

static view look_at(const trm_puzzle *p, const int32_t *inputs, const int32_t *answer) {
  view v = {.puzzle = p, .inputs = inputs, .answer = answer};
  name_tokens(&v);
  find_grid(&v);
  return v;
}

bool trm_puzzle_solves(const trm_puzzle *p, const int32_t *inputs, const int32_t *answer) {
  const struct checker *checker = find_checker(p);
  if (!checker) return false;
  const view v = look_at(p, inputs, answer);
  return checker->solves(&v);
}

trm_status trm_puzzle_check(const trm_puzzle *p, const int32_t *inputs, trm_error *err) {
  const struct checker *checker = find_checker(p);
  if (!checker) return TRM_OK;
  const view v = look_at(p, inputs, inputs);
  return checker->check(&v, err);
}
