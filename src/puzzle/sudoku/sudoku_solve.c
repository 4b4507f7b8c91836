/* The Sudoku solver: naked and hidden singles to a fixed point, then a guess at the cell with the
 * fewest candidates. Exact up to the limit of solutions and the bound on guesses; the bound is what
 * keeps a nearly empty or contradictory 16x16 grid from running for ever. Memory is the stack
 * alone: at most one board per cell.
 *
 * A board knows the candidates of each cell and, for each unit and digit, how many places are left,
 * so that a candidate taken away shows at once whether a single came of it. What singles lead to
 * does not depend on the order they are placed in, so backtracks measure the puzzle, not this
 * code. */
#include <string.h>

#include "puzzle/sudoku/sudoku_shape.h"

enum {
  WORDS = TRM__SUDOKU_CELL_WORDS,
  PLACED = 128 /* places left of a digit that stands in the unit: far from 0 and 1 */
};

typedef struct board {
  uint64_t open[WORDS]; /* cells without a digit */
  uint64_t places[TRM_SUDOKU_MAX_SIZE][WORDS];
  uint16_t candidates[TRM_SUDOKU_MAX_CELLS];
  uint8_t left[TRM__SUDOKU_MAX_UNITS][TRM_SUDOKU_MAX_SIZE];
} board;

typedef struct single {
  uint8_t cell, digit; /* digit from 0 */
} single;

/* Singles to be placed: one of each given or cell, and one of each unit and digit at most. */
typedef struct todo {
  int n;
  single list[2 * TRM_SUDOKU_MAX_CELLS + TRM__SUDOKU_MAX_UNITS * TRM_SUDOKU_MAX_SIZE];
} todo;

static void add_single(todo *t, int cell, int digit) {
  t->list[t->n++] = (single){(uint8_t)cell, (uint8_t)digit};
}

static bool is_single(uint16_t bits) {
  return (bits & (bits - 1)) == 0;
}

/* The one place of a digit in a unit. */
static int find_place(const trm__sudoku_shape *s, const board *b, int unit, int digit) {
  int w = 0;
  while (!(b->places[digit][w] & s->unit_cells[unit][w])) w++;
  return w * 64 + __builtin_ctzll(b->places[digit][w] & s->unit_cells[unit][w]);
}

/* A place less for a digit in the units of a cell; false when one has none left. */
static bool leave_units(const trm__sudoku_shape *s, board *b, todo *t, int cell, int digit) {
  const uint8_t *units = s->units[cell];
  b->places[digit][cell / 64] &= ~((uint64_t)1 << cell % 64);
  for (int i = 0; i < 3; i++) {
    int left = --b->left[units[i]][digit];
    if (left > 1) continue;
    if (!left) return false;
    add_single(t, find_place(s, b, units[i], digit), digit);
  }
  return true;
}

/* Takes a candidate away; false when the cell or a unit is left without. */
static bool remove_candidate(const trm__sudoku_shape *s, board *b, todo *t, int cell, int digit) {
  uint16_t left = b->candidates[cell] & (uint16_t) ~(1u << digit);
  b->candidates[cell] = left;
  if (!left) return false;
  if (is_single(left)) add_single(t, cell, __builtin_ctz(left));
  return leave_units(s, b, t, cell, digit);
}

static bool place(const trm__sudoku_shape *s, board *b, todo *t, int cell, int digit) {
  uint16_t bit = (uint16_t)(1u << digit), others = b->candidates[cell] & (uint16_t)~bit;
  if (!(b->candidates[cell] & bit)) return false;
  if (!(b->open[cell / 64] >> cell % 64 & 1)) return true;
  b->open[cell / 64] &= ~((uint64_t)1 << cell % 64);
  b->candidates[cell] = bit;
  for (int i = 0; i < 3; i++) b->left[s->units[cell][i]][digit] = PLACED;
  for (; others; others &= (uint16_t)(others - 1))
    if (!leave_units(s, b, t, cell, __builtin_ctz(others))) return false;
  for (int w = 0; w < s->words; w++)
    for (uint64_t m = b->places[digit][w] & s->peers[cell][w]; m; m &= m - 1)
      if (!remove_candidate(s, b, t, w * 64 + __builtin_ctzll(m), digit)) return false;
  return true;
}

static bool propagate(const trm__sudoku_shape *s, board *b, todo *t) {
  while (t->n) {
    single next = t->list[--t->n];
    if (!place(s, b, t, next.cell, next.digit)) return false;
  }
  return true;
}

static int count_bits(uint32_t v) { /* of 16; not all processors have an instruction for it */
  v -= v >> 1 & 0x5555;
  v = (v & 0x3333) + (v >> 2 & 0x3333);
  v = (v + (v >> 4)) & 0x0f0f;
  return (int)((v + (v >> 8)) & 31);
}

/* The open cell with the fewest candidates: the first such, or a random one. */
static int pick_cell(const trm__sudoku_search *search, const board *b) {
  int best = -1, fewest = TRM_SUDOKU_MAX_SIZE + 1;
  uint32_t ties = 0;
  for (int w = 0; w < search->shape->words; w++)
    for (uint64_t m = b->open[w]; m; m &= m - 1) {
      int cell = w * 64 + __builtin_ctzll(m), n = count_bits(b->candidates[cell]);
      if (n > fewest) continue;
      if (n < fewest) {
        ties = 0;
        best = cell;
        fewest = n;
        if (n == 2 && !search->rng) return cell;
      }
      if (search->rng && trm__rng_below(search->rng, ++ties) == 0) best = cell;
    }
  return best;
}

static int pick_digit(const trm__sudoku_search *search, uint16_t bits) {
  uint32_t skip = 0;
  if (search->rng) skip = trm__rng_below(search->rng, (uint32_t)count_bits(bits));
  while (skip--) bits &= (uint16_t)(bits - 1);
  return __builtin_ctz(bits);
}

static void record_solution(trm__sudoku_search *search, const board *b) {
  int at = search->solutions++, cells = search->shape->cells;
  if (!search->answer || at >= (search->room ? search->room : 1)) return;
  for (int i = 0; i < cells; i++)
    search->answer[at * cells + i] = (uint8_t)(__builtin_ctz(b->candidates[i]) + 1);
}

/* Explores a board whose singles are all placed. */
static void explore(trm__sudoku_search *search, const board *b, todo *t) {
  int cell = pick_cell(search, b);
  if (cell < 0) {
    record_solution(search, b);
    return;
  }

  /* Each candidate of the cell is a guess, as long as there may be more solutions and work is
   * left. */
  for (uint16_t left = b->candidates[cell]; left;) {
    if (search->solutions >= search->limit) return;
    if (search->guesses >= search->max_guesses) {
      search->complete = false;
      return;
    }
    int digit = pick_digit(search, left), before = search->solutions;
    left &= (uint16_t) ~(1u << digit);
    search->guesses++;

    /* The guess and what follows from it, on a copy of the board. */
    board next = *b;
    t->n = 0;
    add_single(t, cell, digit);
    if (propagate(search->shape, &next, t)) explore(search, &next, t);
    if (!search->complete) return;
    search->backtracks += search->solutions == before;
  }
}

static void open_board(const trm__sudoku_shape *s, board *b) {
  memset(b->left, s->size, sizeof b->left);
  memset(b->open, 0, sizeof b->open);
  for (int i = 0; i < s->cells; i++) {
    b->candidates[i] = s->all;
    b->open[i / 64] |= (uint64_t)1 << i % 64;
  }
  for (int d = 0; d < s->size; d++) memcpy(b->places[d], b->open, sizeof b->open);
}

void trm__sudoku_search_run(trm__sudoku_search *search, const uint8_t *question) {
  const trm__sudoku_shape *s = search->shape;
  search->solutions = 0;
  search->guesses = search->backtracks = 0;
  search->complete = true;
  board b;
  todo t;
  t.n = 0; /* the list stays as it is: clearing it takes as long as an easy search */
  open_board(s, &b);
  for (int i = 0; i < s->cells; i++) {
    if (question[i] > s->size) return;
    if (question[i]) add_single(&t, i, question[i] - 1);
  }
  if (search->forbidden_cell >= 0 &&
      !remove_candidate(s, &b, &t, search->forbidden_cell, search->forbidden_value - 1))
    return;
  if (search->limit > 0 && propagate(s, &b, &t)) explore(search, &b, &t);
}

trm_sudoku_result trm_sudoku_solve(const trm_puzzle *p, const uint8_t *question, int limit,
                                   uint8_t *answer) {
  if (!trm_sudoku_known(p)) return (trm_sudoku_result){.complete = true};
  trm__sudoku_shape shape;
  trm__sudoku_shape_init(&shape, p);
  trm__sudoku_search search = {.shape = &shape,
                               .limit = limit,
                               .max_guesses = TRM_SUDOKU_MAX_GUESSES,
                               .answer = answer,
                               .forbidden_cell = -1};
  trm__sudoku_search_run(&search, question);
  return (trm_sudoku_result){search.solutions, search.backtracks, search.complete};
}
