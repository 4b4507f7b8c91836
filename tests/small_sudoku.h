/* Sudokus for tests: every size, and puzzles that are generated. */
#ifndef TRM_TESTS_SMALL_SUDOKU_H
#define TRM_TESTS_SMALL_SUDOKU_H

#include "puzzle/sudoku/sudoku_shape.h"
#include "scratch.h"

enum { CELLS = TRM_SUDOKU_MAX_CELLS };

static const int sizes[] = {4, 6, 8, 9, 10, 12, 16};
enum { N_SIZES = sizeof sizes / sizeof *sizes };

static inline void parse(int size, const char *text, uint8_t *values) {
  trm_puzzle p = trm_sudoku_of_size(size);
  trm_error err;
  assert_int_equal(trm_sudoku_parse(&p, text, strlen(text), values, &err), TRM_OK);
}

static inline trm__rng rng_at(uint64_t step, uint32_t row) {
  return trm__rng_at(11, TRM__RNG_TEST, step, row);
}

/* A generated puzzle without conditions. */
static inline void make_puzzle(int size, uint32_t i, uint8_t *question, uint8_t *answer) {
  trm_puzzle p = trm_sudoku_of_size(size);
  trm__sudoku_shape s;
  trm__sudoku_shape_init(&s, &p);
  trm__sudoku_target any = {0};
  trm__rng rng = rng_at(1000 + (uint64_t)size, i);
  while (!trm__sudoku_generate(&s, &any, &rng, question, answer)) {
  }
}

static inline int count_givens(const uint8_t *values, int cells) {
  int n = 0;
  for (int i = 0; i < cells; i++) n += values[i] > 0;
  return n;
}

#endif
