/* Solves a Sudoku with a trained model and shows the grid after every supervision step:
 *   solve_sudoku MODEL_FOLDER [PUZZLE]
 * PUZZLE is one character per cell in reading order, '.' or '0' for a blank; the default is a 9x9,
 * or a 6x6 for a model of these. */
#include <stdio.h>
#include <string.h>
#include <trm.h>

static const char nine[] =
    "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79";
static const char six[] = ".1.5..5.3..6...4......2..452.3......";

int main(int argc, char **argv) {
  trm_error err;
  trm_model *model = NULL;
  trm_solver *solver = NULL;
  uint8_t question[TRM_SUDOKU_MAX_CELLS], grid[TRM_SUDOKU_MAX_CELLS];
  int32_t tokens[TRM_SUDOKU_MAX_CELLS];

  if (argc < 2) return fprintf(stderr, "usage: solve_sudoku MODEL_FOLDER [PUZZLE]\n"), 2;
  if (trm_model_load(argv[1], &model, &err)) goto failed;
  const trm_model_config *config = trm_model_get_config(model);
  const trm_puzzle *puzzle = &config->puzzle;
  const char *text = argc > 2 ? argv[2] : puzzle->rows == 6 ? six : nine;
  if (trm_sudoku_parse(puzzle, text, strlen(text), question, &err)) goto failed;
  for (int i = 0; i < config->seq_len; i++) tokens[i] = question[i] + 1; /* token 0 is padding */

  if (trm_solver_create(model, &(trm_solver_config){.batch = 1}, &solver, &err)) goto failed;
  if (trm_solver_start(solver, 1, tokens, NULL, &err)) goto failed;
  for (int step = 1; step <= config->halt_max_steps; step++) {
    if (trm_solver_step(solver, &err)) goto failed;
    const int32_t *answer = trm_solver_answer(solver);
    for (int i = 0; i < config->seq_len; i++)
      grid[i] = (uint8_t)(answer[i] > 0 ? answer[i] - 1 : 0);
    char line[TRM_SUDOKU_MAX_CELLS + 1];
    trm_sudoku_format(puzzle, grid, line);
    printf("step %d, q_halt %.2f\n", step, (double)trm_solver_q_halt(solver)[0]);
    for (int r = 0; r < puzzle->rows; r++)
      printf("  %.*s\n", puzzle->cols, line + r * puzzle->cols);
    /* The model is 98 % sure that it is right; where it is less, it is often too sure. */
    if (trm_solver_q_halt(solver)[0] > 4) break;
  }
  printf("valid: %s\n", trm_sudoku_solves(puzzle, question, grid) ? "yes" : "no");
  trm_solver_free(solver);
  trm_model_free(model);
  if (fflush(stdout) == 0 && !ferror(stdout)) return 0;
  perror("solve_sudoku: stdout");
  return 1;

failed:
  fprintf(stderr, "solve_sudoku: %s\n", err.msg);
  trm_solver_free(solver);
  trm_model_free(model);
  return 1;
}
