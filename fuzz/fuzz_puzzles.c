/* Puzzles as text, one a line, as `trm solve` takes them. The first byte chooses what they are.
 * What is accepted is printed, and that reads back to the same; the rules, the symmetries and a
 * Sudoku's solver take it. */
#include <stdlib.h>
#include <string.h>

#include "cli/commands/puzzle_lines.h"
#include "data/canonical.h"
#include "fuzz.h"
#include "puzzle/puzzle.h"
#include "trm/sudoku.h"

static trm_puzzle grid_puzzle(bool sized, const char *rules, const char *symmetries) {
  static const char *const symbols[] = {".",  "#", "?",        "0", "1",       "2",
                                        "10", "/", "\xc3\xa9", " ", "\xc2\x9b"};
  trm_puzzle p = {.kind = TRM_PUZZLE_GRID, .rows = 4, .cols = 3, .sized = sized};
  snprintf(p.rules, sizeof p.rules, "%s", rules);
  snprintf(p.symmetries, sizeof p.symmetries, "%s", symmetries);
  for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++)
    FUZZ_CHECK(trm__puzzle_add_symbol(&p, symbols[i]));
  return p;
}

static trm_puzzle choose_puzzle(uint8_t choice) {
  static const int sizes[] = {4, 6, 8, 9, 10, 12, 16};
  enum { SIZES = sizeof sizes / sizeof *sizes };
  choice %= SIZES + 6;
  if (choice < SIZES) return trm_sudoku_of_size(sizes[choice]);
  switch (choice - SIZES) {
    case 0:
      return (trm_puzzle){.kind = TRM_PUZZLE_MAZE, .rows = 4, .cols = 5};
    case 1:
      return (trm_puzzle){.kind = TRM_PUZZLE_ARC, .rows = 30, .cols = 30};
    case 2:
      return grid_puzzle(false, "", "");
    case 3:
      return grid_puzzle(true, "latin", "dihedral,permute:0-2");
    case 4:
      return grid_puzzle(true, "nonogram", "transpose");
    default:
      return grid_puzzle(false, "nonogram", "flip,permute:#+.");
  }
}

static void check_sudoku(const trm_puzzle *p, const int32_t *tokens) {
  uint8_t values[TRM_SUDOKU_MAX_CELLS], form[TRM_SUDOKU_MAX_CELLS], answer[TRM_SUDOKU_MAX_CELLS];
  const int cells = p->rows * p->cols;
  int givens = 0;
  for (int i = 0; i < cells; i++) {
    FUZZ_CHECK(tokens[i] >= 1 && tokens[i] <= p->rows + 1);
    values[i] = (uint8_t)(tokens[i] - 1);
    givens += values[i] != 0;
  }
  if (!trm_sudoku_consistent(p, values, NULL)) return;
  trm_sudoku_canonical(p, values, form);
  FUZZ_CHECK(trm_sudoku_consistent(p, form, NULL));
  /* Emptier grids may take as many guesses as the solver makes, which is known and slow. */
  if (p->rows > 9 || 4 * givens < 3 * cells) return;
  const trm_sudoku_result r = trm_sudoku_solve(p, values, 2, answer);
  FUZZ_CHECK(r.solutions >= 0 && r.solutions <= 2 && r.backtracks >= 0);
  if (r.solutions) FUZZ_CHECK(trm_sudoku_solves(p, values, answer));
}

static void check_puzzle(const trm_puzzle *p, const int32_t *tokens) {
  const size_t cells = (size_t)(p->rows * p->cols), room = trm_puzzle_text_size(p);
  char *text = malloc(room);
  int32_t *again = malloc(cells * sizeof *again);
  trm__canonizer canonizer = {0};
  FUZZ_CHECK(text && again);
  const size_t n = trm_puzzle_format(p, tokens, text, room);
  FUZZ_CHECK(n < room && strlen(text) == n);
  FUZZ_MUST(trm_puzzle_parse(p, text, n, again, &fuzz_error));
  FUZZ_CHECK(memcmp(tokens, again, cells * sizeof *again) == 0);
  (void)trm_puzzle_solves(p, tokens, again);
  (void)trm_puzzle_locate(p, tokens);
  (void)trm_puzzle_crop(p, tokens, 0, 0);
  FUZZ_MUST(trm__canonizer_init(&canonizer, p, (int)cells, &fuzz_error));
  (void)trm__literal_key(&canonizer, tokens, again);
  (void)trm__canonical_key(&canonizer, tokens);
  trm__canonizer_free(&canonizer);
  if (p->kind == TRM_PUZZLE_SUDOKU) check_sudoku(p, tokens);
  free(again);
  free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  puzzle_lines lines;
  trm_error err;
  bool more = true;
  if (!size) return 0;
  const trm_puzzle p = choose_puzzle(data[0]);
  int32_t *tokens = malloc((size_t)(p.rows * p.cols) * sizeof *tokens);
  FUZZ_CHECK(tokens);
  if (fuzz_accepted(trm_puzzle_parse(&p, (const char *)data + 1, size - 1, tokens, &err), &err))
    check_puzzle(&p, tokens);
  if (p.kind == TRM_PUZZLE_SUDOKU) more = false; /* their files: fuzz_sudoku_file.c */
  FUZZ_MUST(puzzle_lines_open(&lines, &p, fuzz_file(0, data + 1, size - 1), &fuzz_error));
  while (more) /* behind a line that is refused it goes on */
    if (fuzz_accepted_cli(puzzle_lines_next(&lines, tokens, &more, &err), &err) && more)
      check_puzzle(&p, tokens);
  puzzle_lines_close(&lines);
  free(tokens);
  return 0;
}
