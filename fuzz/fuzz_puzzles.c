/* Puzzles as text, one a line, as `trm solve` takes them. The first byte chooses the kind and size.
 * What is accepted is written so that it reads the same again; a Sudoku has a canonical form, and
 * solves or does not. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "io/puzzle.h"
#include "puzzle_lines.h"
#include "trm/sudoku.h"

static void check_sudoku(const trm_puzzle *p, const uint8_t *values) {
  uint8_t again[TRM_SUDOKU_MAX_CELLS], form[TRM_SUDOKU_MAX_CELLS], answer[TRM_SUDOKU_MAX_CELLS];
  char text[TRM_SUDOKU_MAX_CELLS + 1];
  const size_t cells = (size_t)(p->rows * p->cols);
  int givens = 0;
  trm_sudoku_format(p, values, text);
  FUZZ_CHECK(strlen(text) == cells);
  FUZZ_MUST(trm_sudoku_parse(p, text, cells, again, &fuzz_error));
  FUZZ_CHECK(memcmp(values, again, cells) == 0);
  FUZZ_CHECK(trm_sudoku_consistent(p, values, NULL));
  for (size_t i = 0; i < cells; i++) givens += values[i] != 0;
  trm_sudoku_canonical(p, values, form);
  FUZZ_CHECK(trm_sudoku_consistent(p, form, NULL));
  /* Emptier grids may take as many guesses as the solver makes, which is known and slow. */
  if (p->rows > 9 || 4 * givens < 3 * p->rows * p->cols) return;
  const trm_sudoku_result r = trm_sudoku_solve(p, values, 2, answer);
  FUZZ_CHECK(r.solutions >= 0 && r.solutions <= 2 && r.backtracks >= 0);
  if (r.solutions) FUZZ_CHECK(trm_sudoku_solves(p, values, answer));
}

enum { N_SIZES = 7, N_OTHERS = 4, MAX_CELLS = 900 };

static trm_puzzle grid_of(bool sized, const char *const *symbols) {
  trm_puzzle p = {.kind = TRM_PUZZLE_GRID, .rows = 3, .cols = 4, .sized = sized};
  for (; *symbols; symbols++) FUZZ_CHECK(trm__puzzle_add_symbol(&p, *symbols));
  return p;
}

static trm_puzzle choose_puzzle(unsigned which) {
  static const int sizes[N_SIZES] = {4, 6, 8, 9, 10, 12, 16};
  static const char *const odd[] = {" ", ".", "#", "/", "\\", "\xc3\xa9", "\x1b", NULL};
  static const char *const words[] = {"1", "12", "a b", "123456789012345", "\x7f", NULL};
  which %= N_SIZES + N_OTHERS;
  if (which < N_SIZES) return trm_sudoku_of_size(sizes[which]);
  const trm_puzzle others[N_OTHERS] = {{.kind = TRM_PUZZLE_MAZE, .rows = 3, .cols = 4},
                                       {.kind = TRM_PUZZLE_ARC, .rows = 30, .cols = 30},
                                       grid_of(false, odd),
                                       grid_of(true, words)};
  return others[which - N_SIZES];
}

static void check_puzzle(const trm_puzzle *p, const int32_t *tokens) {
  int32_t again[MAX_CELLS];
  const size_t cells = (size_t)(p->rows * p->cols), size = trm_puzzle_text_size(p);
  char *text = malloc(size);
  FUZZ_CHECK(text);
  const size_t n = trm_puzzle_format(p, tokens, text, size);
  FUZZ_CHECK(n < size && strlen(text) == n);
  FUZZ_MUST(trm_puzzle_parse(p, text, n, again, &fuzz_error));
  FUZZ_CHECK(memcmp(tokens, again, cells * sizeof *again) == 0);
  free(text);
  if (p->kind != TRM_PUZZLE_SUDOKU) return;
  uint8_t values[TRM_SUDOKU_MAX_CELLS];
  for (size_t i = 0; i < cells; i++) values[i] = (uint8_t)(tokens[i] - 1);
  check_sudoku(p, values);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  puzzle_lines lines;
  trm_error err;
  int32_t tokens[MAX_CELLS];
  bool more = true;
  if (!size) return 0;
  const trm_puzzle p = choose_puzzle(data[0]);
  (void)fuzz_accepted(trm_puzzle_parse(&p, (const char *)data + 1, size - 1, tokens, &err), &err);
  FUZZ_MUST(puzzle_lines_open(&lines, &p, fuzz_file(0, data + 1, size - 1), &fuzz_error));
  while (more && fuzz_accepted_cli(puzzle_lines_next(&lines, tokens, &more, &err), &err))
    if (more) check_puzzle(&p, tokens);
  puzzle_lines_close(&lines);
  return 0;
}
