/* Rules of puzzles, on tokens. */
#include "trm/puzzle.h"
#include "trm/sudoku.h"

bool trm_puzzle_has_rules(const trm_puzzle *p) {
  return p->kind == TRM_PUZZLE_SUDOKU;
}

/* False when a token is no cell of a Sudoku. */
static bool sudoku_values(const trm_puzzle *p, const int32_t *tokens, uint8_t *values) {
  for (int i = 0; i < p->rows * p->cols; i++) {
    if (tokens[i] < 1 || tokens[i] > p->rows + 1) return false;
    values[i] = (uint8_t)(tokens[i] - 1);
  }
  return true;
}

bool trm_puzzle_solves(const trm_puzzle *p, const int32_t *inputs, const int32_t *answer) {
  uint8_t question[TRM_SUDOKU_MAX_CELLS], values[TRM_SUDOKU_MAX_CELLS];
  return trm_puzzle_has_rules(p) && sudoku_values(p, inputs, question) &&
         sudoku_values(p, answer, values) && trm_sudoku_solves(p, question, values);
}
