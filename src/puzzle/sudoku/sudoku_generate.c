/* Sudoku generator: a random solved grid, then cells emptied in random order as long as the
 * solution stays the only one. A cell may be emptied exactly when no solution has another digit
 * there, which is one bounded search for one solution; a search that hits its bound keeps the cell,
 * so the result is always proven unique. */
#include <string.h>

#include "puzzle/sudoku/sudoku_shape.h"

enum {
  GRID_GUESSES = 2000, /* a random fill that needs more is begun again */
  DIG_GUESSES = 20000  /* per emptied cell */
};

static bool random_grid(const trm__sudoku_shape *s, trm__rng *rng, uint8_t *grid) {
  static const uint8_t empty[TRM_SUDOKU_MAX_CELLS] = {0};
  trm__sudoku_search search = {.shape = s,
                               .limit = 1,
                               .max_guesses = GRID_GUESSES,
                               .rng = rng,
                               .answer = grid,
                               .forbidden_cell = -1};
  trm__sudoku_search_run(&search, empty);
  return search.solutions == 1;
}

static bool is_forced(const trm__sudoku_shape *s, const uint8_t *question, int cell, int value) {
  trm__sudoku_search search = {.shape = s,
                               .limit = 1,
                               .max_guesses = DIG_GUESSES,
                               .forbidden_cell = cell,
                               .forbidden_value = value};
  trm__sudoku_search_run(&search, question);
  return search.solutions == 0 && search.complete;
}

/* The number of givens to stop digging at. */
static int draw_stop(const trm__sudoku_target *target, trm__rng *rng) {
  if (target->max_givens <= target->min_givens || target->min_givens == 0)
    return target->min_givens;
  uint32_t span = (uint32_t)(target->max_givens - target->min_givens) + 1;
  return target->min_givens + (int)trm__rng_below(rng, span);
}

/* Empties cells in random order until `stop` givens are left or none can be spared. */
static int dig(const trm__sudoku_shape *s, trm__rng *rng, int stop, uint8_t *question,
               const uint8_t *answer) {
  int32_t order[TRM_SUDOKU_MAX_CELLS];
  int givens = 0;
  for (int i = 0; i < s->cells; i++) {
    order[i] = i;
    givens += question[i] > 0;
  }
  trm__rng_shuffle(rng, order, s->cells);
  for (int i = 0; i < s->cells && givens > stop; i++) {
    int cell = order[i];
    if (!question[cell]) continue;
    question[cell] = 0;
    if (is_forced(s, question, cell, answer[cell]))
      givens--;
    else
      question[cell] = answer[cell];
  }
  return givens;
}

void trm__sudoku_minimise(const trm__sudoku_shape *s, trm__rng *rng, uint8_t *question,
                          const uint8_t *answer) {
  dig(s, rng, 0, question, answer);
}

bool trm__sudoku_generate(const trm__sudoku_shape *s, const trm__sudoku_target *target,
                          trm__rng *rng, uint8_t *question, uint8_t *answer) {
  if (!random_grid(s, rng, answer)) return false;
  memcpy(question, answer, (size_t)s->cells);
  int givens = dig(s, rng, draw_stop(target, rng), question, answer);
  if (target->max_givens && givens > target->max_givens) return false;
  if (!target->min_backtracks && !target->max_backtracks) return true;
  trm__sudoku_search rate = {
      .shape = s, .limit = 2, .max_guesses = TRM_SUDOKU_MAX_GUESSES, .forbidden_cell = -1};
  trm__sudoku_search_run(&rate, question);
  return rate.complete && rate.backtracks >= target->min_backtracks &&
         (!target->max_backtracks || rate.backtracks <= target->max_backtracks);
}
