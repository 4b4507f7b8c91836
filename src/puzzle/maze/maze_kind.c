/* Mazes as a kind of puzzle. */
#include "puzzle/kind.h"
#include "puzzle/maze/maze_board.h"

static const char *const symbols[] = {"#", " ", "S", "G", "o"};
static const uint32_t fill[] = {0x333333, 0xF2F2F2, 0x2ECC40, 0xFF4136, 0xFFDC00};

enum { N_SYMBOLS = sizeof symbols / sizeof *symbols };

static bool read_cells(const trm__puzzle_view *v, const int32_t *tokens, const trm_puzzle *p,
                       uint8_t *cells) {
  for (int i = 0; i < p->rows * p->cols; i++)
    cells[i] = (uint8_t)trm__view_letter(v, tokens, i / p->cols, i % p->cols);
  const char *text = (const char *)cells; /* letter by letter in place */
  return trm_maze_parse(p, text, (size_t)(p->rows * p->cols), cells, NULL) == TRM_OK;
}

/* One start, one goal, a way between them, and nothing marked yet. */
static trm_status check_board(const trm__puzzle_view *v, trm_error *err) {
  uint8_t question[TRM_MAZE_MAX_CELLS];
  const trm_puzzle p = trm_maze_of_size(v->rows, v->cols);
  if (!trm__maze_known(&p) || !read_cells(v, v->inputs, &p, question))
    return trm__rules_refuse("the grid is no maze", err);

  int starts = 0, goals = 0;
  for (int i = 0; i < p.rows * p.cols; i++) {
    if (question[i] == TRM_MAZE_PATH)
      return trm__rules_refuse_cell(i / p.cols, i % p.cols,
                                    "a path, 'o', is for the answer to mark", err);
    starts += question[i] == TRM_MAZE_START;
    goals += question[i] == TRM_MAZE_GOAL;
  }
  if (starts != 1 || goals != 1)
    TRM_FAIL(err, TRM_E_PUZZLE,
             "a maze has one start S and one goal G, here %s %d and %d: no answer can be valid",
             starts == 1 ? "is" : "are", starts, goals);
  if (!trm_maze_shortest(p.rows, p.cols, question, NULL))
    return trm__rules_refuse("no way leads from S to G", err);
  return TRM_OK;
}

static bool solves(const trm__puzzle_view *v) {
  uint8_t question[TRM_MAZE_MAX_CELLS], answer[TRM_MAZE_MAX_CELLS];
  trm_puzzle p = trm_maze_of_size(v->rows, v->cols);
  return trm__maze_known(&p) && read_cells(v, v->inputs, &p, question) &&
         read_cells(v, v->answer, &p, answer) &&
         trm_maze_solves(v->rows, v->cols, question, answer);
}

static const trm__puzzle_rules rules[] = {
    {.name = "maze",
     .solves = solves,
     .check = check_board,
     .blanks = " ",
     .fills = " o",
     .wall = '#'},
    {.name = NULL},
};

/* Data that do not say what they hold may be square mazes. */
static bool fits(int seq_len, int vocab_size, trm_puzzle *p) {
  int side = 1;
  while (side * side < seq_len) side++;
  *p = (trm_puzzle){.kind = TRM_PUZZLE_MAZE, .rows = side, .cols = side};
  return side * side == seq_len && vocab_size == N_SYMBOLS + 1;
}

/* One start, one goal, and no path in the question. */
static bool is_example(const trm_puzzle *p, const int32_t *inputs, const int32_t *labels) {
  int starts = 0, goals = 0, others = 0;
  (void)labels;
  for (int i = 0; i < p->rows * p->cols; i++) {
    starts += inputs[i] == TRM_MAZE_START;
    goals += inputs[i] == TRM_MAZE_GOAL;
    others += inputs[i] < TRM_MAZE_WALL || inputs[i] > TRM_MAZE_GOAL;
  }
  return starts == 1 && goals == 1 && !others;
}

const trm__puzzle_kind trm__kind_maze = {
    .name = "maze",
    .facts = {.title = "maze",
              .build = "trm data build maze --aug",
              .blank = ' ',
              .pixels = true,
              .fill = fill,
              .n_fill = N_SYMBOLS,
              .lettered = 1u << 2 | 1u << 3 /* S and G */},
    .symbols = symbols,
    .n_symbols = N_SYMBOLS,
    .rules = rules,
    .symmetries = "dihedral",
    .known = trm__maze_known,
    .canonical = trm__maze_canonical,
    .fits = fits,
    .is_example = is_example,
};
