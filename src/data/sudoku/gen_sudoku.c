/* Generated Sudokus into a data set folder: what a puzzle must look like, for the common generator.
 */
#include "data/generate.h"
#include "puzzle/sudoku/sudoku_shape.h"

typedef struct maker {
  trm_puzzle puzzle;
  trm__sudoku_shape shape;
  trm__sudoku_target target;
} maker;

static int make_puzzle(const void *arg, trm__rng *rng, uint8_t *question, uint8_t *answer) {
  const maker *m = arg;
  return trm__sudoku_generate(&m->shape, &m->target, rng, question, answer);
}

static int make_hard(const void *arg, trm__rng *rng, uint8_t *questions, uint8_t *answers) {
  const maker *m = arg;
  return trm__sudoku_generate_hard(&m->puzzle, &m->shape, rng, questions, answers);
}

/* No puzzle with fewer givens has one solution. 9x9: McGuire, Tugemann and Civario 2012; 4x4 and
 * 6x6 are counted out. Else two digits that are not given could change places. */
static int least_givens(int size) {
  return size == 4 ? 4 : size == 6 ? 8 : size == 9 ? 17 : size - 1;
}

static trm_status check_config(const trm_sudoku_gen_config *c, trm_error *err) {
  trm_puzzle p = trm_sudoku_of_size(c->size);
  int cells = p.rows * p.cols;
  if (p.kind == TRM_PUZZLE_NONE)
    TRM_FAIL(err, TRM_E_ARGUMENT, "size %d: want 4, 6, 8, 9, 10, 12 or 16", c->size);

  /* Givens: within the grid, and enough for a single solution. */
  if (c->min_givens < 0 || c->max_givens < 0 || c->min_givens > cells || c->max_givens > cells ||
      (c->max_givens && c->min_givens > c->max_givens))
    TRM_FAIL(err, TRM_E_ARGUMENT, "%d to %d givens: want a range within 0 to %d", c->min_givens,
             c->max_givens, cells);
  if (c->max_givens && c->max_givens < least_givens(c->size))
    TRM_FAIL(err, TRM_E_ARGUMENT,
             "at most %d givens: a Sudoku of size %d with fewer than %d has more than one solution",
             c->max_givens, c->size, least_givens(c->size));

  /* Hard ones have a distribution of their own. */
  if (c->hard &&
      (c->size != 9 || c->min_givens || c->max_givens || c->min_backtracks || c->max_backtracks))
    TRM_FAIL(err, TRM_E_ARGUMENT,
             "hard Sudokus are of size 9, and their givens and backtracks cannot be bounded");

  /* Backtracks: any range. */
  if (c->min_backtracks < 0 || c->max_backtracks < 0 ||
      (c->max_backtracks && c->min_backtracks > c->max_backtracks))
    TRM_FAIL(err, TRM_E_ARGUMENT, "%lld to %lld backtracks: want a range of at least 0",
             (long long)c->min_backtracks, (long long)c->max_backtracks);
  return TRM_OK;
}

trm_status trm_gen_sudoku(const trm_sudoku_gen_config *config, trm_build_report *report,
                          trm_error *err) {
  TRM_TRY(check_config(config, err));
  maker m = {.puzzle = trm_sudoku_of_size(config->size),
             .target = {config->min_givens, config->max_givens, config->min_backtracks,
                        config->max_backtracks}};
  trm__generator g = {.puzzle = m.puzzle,
                      .make = config->hard ? make_hard : make_puzzle,
                      .yield = config->hard ? TRM__SUDOKU_HARD_YIELD : 1,
                      .maker = &m,
                      .remedy = "givens and backtracks",
                      .n_train = config->n_train,
                      .n_test = config->n_test,
                      .seed = config->seed,
                      .threads = config->threads,
                      .output_dir = config->output_dir,
                      .progress = config->progress,
                      .progress_arg = config->progress_arg};
  trm__sudoku_shape_init(&m.shape, &g.puzzle);
  return trm__generate(&g, report, err);
}
