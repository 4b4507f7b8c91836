/* Puzzles as text, one a line, as `trm solve` takes them. The first byte chooses the Sudoku's size.
 * What is accepted is printed as it was read, has a canonical form, and solves or does not. */
#include <string.h>

#include "fuzz.h"
#include "puzzle_lines.h"
#include "trm/sudoku.h"

static void check_puzzle(const trm_puzzle *p, const uint8_t *values) {
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const int sizes[] = {4, 6, 8, 9, 10, 12, 16};
  puzzle_lines lines;
  trm_error err;
  uint8_t values[TRM_SUDOKU_MAX_CELLS];
  bool more = true;
  if (!size) return 0;
  const trm_puzzle p = trm_sudoku_of_size(sizes[data[0] % (sizeof sizes / sizeof *sizes)]);
  (void)fuzz_accepted(trm_sudoku_parse(&p, (const char *)data + 1, size - 1, values, &err), &err);
  FUZZ_MUST(puzzle_lines_open(&lines, fuzz_file(0, data + 1, size - 1), &fuzz_error));
  while (more && fuzz_accepted_cli(puzzle_lines_next(&lines, &p, values, &more, &err), &err))
    if (more) check_puzzle(&p, values);
  puzzle_lines_close(&lines);
  return 0;
}
