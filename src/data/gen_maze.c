/* Generated mazes into a data set folder.
 *
 * Long shortest paths are rare among random mazes (30x30, 110 cells: one of some thousands), so a
 * try has to be cheap: walls and a start are drawn, a single flood from the start counts the goals
 * that are far enough, and only then a goal is drawn. This gives the same mazes as drawing the goal
 * first and throwing the maze away when it is too near. */
#include "data/generate.h"
#include "data/maze_board.h"

enum { TRIES = 256 /* of one candidate */ };

typedef struct maker {
  int rows, cols, min_path;
  double min_walls, max_walls;
} maker;

static int draw_walls(const maker *m, trm__rng *rng, trm__maze_board *b) {
  double share = m->min_walls + (m->max_walls - m->min_walls) * trm__rng_uniform(rng);
  uint32_t bound = (uint32_t)(share * 0x1p16), bits = 0;
  int n_free = 0, left = 0;
  for (int i = 1; i <= m->rows; i++)
    for (int j = 1; j <= m->cols; j++, left--, bits >>= 16) {
      if (!left) {
        bits = trm__rng_u32(rng);
        left = 2;
      }
      bool wall = (bits & 0xffff) < bound;
      b->cell[i * b->stride + j] = wall ? TRM_MAZE_WALL : TRM_MAZE_FREE;
      n_free += !wall;
    }
  return n_free;
}

static int draw_free(const maker *m, trm__rng *rng, const trm__maze_board *b) {
  for (;;) {
    int cell = (int)trm__rng_below(rng, (uint32_t)(m->rows * m->cols));
    int at = (cell / m->cols + 1) * b->stride + cell % m->cols + 1;
    if (b->cell[at] == TRM_MAZE_FREE) return at;
  }
}

/* A random maze on the board; true when its shortest path is long enough. */
static bool draw_maze(const maker *m, trm__rng *rng, trm__maze_board *b) {
  int n_free = draw_walls(m, rng, b);
  if (n_free < 2) return false;
  int start = draw_free(m, rng, b);
  int reached = trm__maze_flood(b, start, 1u << TRM_MAZE_FREE), far = 0;
  while (far < reached - 1 && b->moves[b->queue[reached - 1 - far]] + 1 >= m->min_path) far++;
  if (!far) return false;
  int pick = (int)trm__rng_below(rng, (uint32_t)n_free - 1);
  if (pick >= far) return false;
  b->cell[start] = TRM_MAZE_START;
  b->cell[b->queue[reached - 1 - pick]] = TRM_MAZE_GOAL;
  return true;
}

static bool make_maze(const void *arg, trm__rng *rng, uint8_t *question, uint8_t *answer) {
  const maker *m = arg;
  trm__maze_board b;
  trm__maze_board_init(&b, m->rows, m->cols);
  for (int i = 0; i < TRIES; i++) {
    if (!draw_maze(m, rng, &b)) continue;
    for (int cell = 0; cell < m->rows * m->cols; cell++)
      question[cell] = b.cell[(cell / m->cols + 1) * b.stride + cell % m->cols + 1];
    return trm_maze_shortest(m->rows, m->cols, question, answer) > 0;
  }
  return false;
}

static trm_status check_config(const trm_maze_gen_config *c, const maker *m, trm_error *err) {
  if (trm_maze_of_size(c->rows, c->cols).kind == TRM_PUZZLE_NONE)
    TRM_FAIL(err, TRM_E_ARGUMENT,
             "a maze of %dx%d cells: want sides of 1 to %d and at most %d cells", c->rows, c->cols,
             TRM_PUZZLE_MAX_SIDE, TRM_MAZE_MAX_CELLS);
  if (m->min_path < 2 || m->min_path > c->rows * c->cols)
    TRM_FAIL(err, TRM_E_ARGUMENT,
             "a shortest path of %d cells: want 2 to %d in a maze of %dx%d cells", m->min_path,
             c->rows * c->cols, c->rows, c->cols);
  if (!(m->min_walls >= 0 && m->min_walls <= m->max_walls && m->max_walls <= 1))
    TRM_FAIL(err, TRM_E_ARGUMENT, "a share of walls from %g to %g: want a range within 0 to 1",
             m->min_walls, m->max_walls);
  return TRM_OK;
}

trm_status trm_gen_maze(const trm_maze_gen_config *config, trm_build_report *report,
                        trm_error *err) {
  maker m = {config->rows, config->cols, config->min_path, config->min_walls, config->max_walls};
  if (m.min_path == 0) m.min_path = m.rows + m.cols;
  if (m.min_walls == 0 && m.max_walls == 0) {
    m.min_walls = 0.3;
    m.max_walls = 0.5;
  }
  TRM_TRY(check_config(config, &m, err));
  trm__generator g = {.puzzle = trm_maze_of_size(config->rows, config->cols),
                      .make = make_maze,
                      .maker = &m,
                      .remedy = "the length of the path and the share of walls",
                      .n_train = config->n_train,
                      .n_test = config->n_test,
                      .seed = config->seed,
                      .threads = config->threads,
                      .output_dir = config->output_dir,
                      .progress = config->progress,
                      .progress_arg = config->progress_arg};
  return trm__generate(&g, report, err);
}
