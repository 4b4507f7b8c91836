/* The Sudoku solver: candidates as bit sets, naked and hidden singles to a fixed point, then a
 * guess at the cell with the fewest candidates. Exact up to the limit of solutions and the bound on
 * guesses; the bound is what keeps a nearly empty or contradictory 16x16 grid from running for
 * ever. Memory is the stack alone: at most one board per cell. */
#include <string.h>

#include "data/sudoku_shape.h"

typedef struct board {
  uint16_t candidates[TRM_SUDOKU_MAX_CELLS];
  uint64_t dirty;                      /* units whose candidates changed since the last look */
  uint8_t queue[TRM_SUDOKU_MAX_CELLS]; /* cells newly reduced to one candidate */
  int queued, solved;                  /* length of the queue; cells taken off it so far */
} board;

static bool is_single(uint16_t bits) {
  return (bits & (bits - 1)) == 0;
}

/* Leaves `bits` of a cell's candidates; false when none is left. */
static bool restrict_cell(const trm__sudoku_shape *s, board *b, int cell, uint16_t bits) {
  uint16_t before = b->candidates[cell], after = before & bits;
  if (after == before) return true;
  if (!after) return false;
  b->candidates[cell] = after;
  b->dirty |= (uint64_t)1 << s->row[cell] | (uint64_t)1 << (s->size + s->col[cell]) |
              (uint64_t)1 << (2 * s->size + s->box[cell]);
  if (is_single(after)) b->queue[b->queued++] = (uint8_t)cell;
  return true;
}

static bool remove_from_peers(const trm__sudoku_shape *s, board *b) {
  while (b->solved < b->queued) {
    int cell = b->queue[b->solved++];
    uint16_t others = (uint16_t)~b->candidates[cell];
    for (int i = 0; i < s->n_peers; i++)
      if (!restrict_cell(s, b, s->peer[cell][i], others)) return false;
  }
  return true;
}

/* Digits that have one place left in the unit go there; false when one has none. */
static bool place_hidden(const trm__sudoku_shape *s, board *b, const uint8_t *unit) {
  uint16_t once = 0, twice = 0;
  for (int i = 0; i < s->size; i++) {
    uint16_t c = b->candidates[unit[i]];
    twice |= once & c;
    once |= c;
  }
  if (once != s->all) return false;
  uint16_t hidden = once & (uint16_t)~twice;
  for (int i = 0; hidden && i < s->size; i++) {
    uint16_t mine = b->candidates[unit[i]] & hidden;
    if (!mine) continue;
    if (!is_single(mine)) return false; /* two digits want one cell */
    if (!restrict_cell(s, b, unit[i], mine)) return false;
  }
  return true;
}

static bool propagate(const trm__sudoku_shape *s, board *b) {
  for (;;) {
    if (!remove_from_peers(s, b)) return false;
    if (!b->dirty) return true;
    int u = __builtin_ctzll(b->dirty);
    b->dirty &= b->dirty - 1;
    if (!place_hidden(s, b, s->unit[u])) return false;
  }
}

/* The open cell with the fewest candidates: the first such, or a random one. */
static int pick_cell(const trm__sudoku_search *search, const board *b) {
  int best = -1, fewest = TRM_SUDOKU_MAX_SIZE + 1;
  uint32_t ties = 0;
  for (int cell = 0; cell < search->shape->cells; cell++) {
    int n = __builtin_popcount(b->candidates[cell]);
    if (n < 2 || n > fewest) continue;
    if (n < fewest) {
      ties = 0;
      best = cell;
      fewest = n;
      if (n == 2 && !search->rng) break;
    }
    if (search->rng && trm__rng_below(search->rng, ++ties) == 0) best = cell;
  }
  return best;
}

static uint16_t pick_digit(const trm__sudoku_search *search, uint16_t bits) {
  uint32_t skip = 0;
  if (search->rng) skip = trm__rng_below(search->rng, (uint32_t)__builtin_popcount(bits));
  while (skip--) bits &= (uint16_t)(bits - 1);
  return (uint16_t)(bits & -bits);
}

static void record_solution(trm__sudoku_search *search, const board *b) {
  int at = search->solutions++, cells = search->shape->cells;
  if (!search->answer || at >= (search->room ? search->room : 1)) return;
  for (int i = 0; i < cells; i++)
    search->answer[at * cells + i] = (uint8_t)(__builtin_ctz(b->candidates[i]) + 1);
}

/* Explores a board whose singles are all placed. */
static void explore(trm__sudoku_search *search, const board *b) {
  if (b->solved == search->shape->cells) {
    record_solution(search, b);
    return;
  }
  int cell = pick_cell(search, b);
  for (uint16_t left = b->candidates[cell]; left;) {
    if (search->solutions >= search->limit) return;
    if (search->guesses >= search->max_guesses) {
      search->complete = false;
      return;
    }
    uint16_t digit = pick_digit(search, left);
    left &= (uint16_t)~digit;
    search->guesses++;
    int before = search->solutions;
    board next = *b;
    if (restrict_cell(search->shape, &next, cell, digit) && propagate(search->shape, &next))
      explore(search, &next);
    if (!search->complete) return;
    search->backtracks += search->solutions == before;
  }
}

void trm__sudoku_search_run(trm__sudoku_search *search, const uint8_t *question) {
  const trm__sudoku_shape *s = search->shape;
  search->solutions = 0;
  search->guesses = search->backtracks = 0;
  search->complete = true;
  board b;
  b.queued = b.solved = 0;
  b.dirty = ((uint64_t)1 << s->n_units) - 1;
  for (int i = 0; i < s->cells; i++) b.candidates[i] = s->all;
  for (int i = 0; i < s->cells; i++) {
    if (question[i] > s->size) return;
    if (question[i] && !restrict_cell(s, &b, i, (uint16_t)(1u << (question[i] - 1)))) return;
  }
  if (search->forbidden_cell >= 0 &&
      !restrict_cell(s, &b, search->forbidden_cell,
                     (uint16_t) ~(1u << (search->forbidden_value - 1))))
    return;
  if (search->limit > 0 && propagate(s, &b)) explore(search, &b);
}

trm_sudoku_result trm_sudoku_solve(const trm_puzzle *p, const uint8_t *question, int limit,
                                   uint8_t *answer) {
  if (!trm__sudoku_known(p)) return (trm_sudoku_result){.complete = true};
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
