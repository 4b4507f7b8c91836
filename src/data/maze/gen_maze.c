/* Generated mazes into a data set folder.
 *
 * Long shortest paths are rare: of 30x30 patterns of walls one in 160 has any of 110 cells, and
 * there one pair of cells in 400. So a pattern gets several draws of start and goal, a connected
 * part whose longest path is seen to be too short is not tried again, and a start is flooded before
 * a goal is drawn, which is then only looked up among the cells that are far enough. */
#include "data/generate.h"
#include "puzzle/maze/maze_board.h"

enum {
  PATTERNS = 64,           /* of walls, tried for one candidate */
  PAIRS = 16,              /* of start and goal, tried in one pattern */
  HOPELESS = TRM_MAZE_PATH /* on the board: a free cell from where no path is long enough */
};

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

static int token_at(const trm__maze_board *b, int at) {
  return b->cell[at] & TRM__MAZE_TOKEN;
}

static int draw_open(const maker *m, trm__rng *rng, const trm__maze_board *b) {
  for (;;) {
    int cell = (int)trm__rng_below(rng, (uint32_t)(m->rows * m->cols));
    int at = (cell / m->cols + 1) * b->stride + cell % m->cols + 1;
    if (token_at(b, at) != TRM_MAZE_WALL) return at;
  }
}

/* The most moves from a cell to any other. */
static int flood_depth(trm__maze_board *b, int from, int *last) {
  const trm__maze_flooded f = trm__maze_flood(b, from, 1u << TRM_MAZE_FREE, 0);
  *last = b->queue[f.cells - 1];
  return f.moves;
}

/* False when no path among the cells that `from` is connected with has m->min_path cells, because
 * none has more than twice the moves from some cell to its farthest. That cell is `from`, or the
 * middle of a path that is about the longest. */
static bool may_be_long(const maker *m, trm__maze_board *b, int from) {
  int one_end, other_end, unused;
  if (2 * flood_depth(b, from, &one_end) + 1 < m->min_path) return false;
  int depth = flood_depth(b, one_end, &other_end), middle = other_end;
  if (depth + 1 >= m->min_path) return true;
  for (int moves = depth; moves > depth / 2; moves--) middle = trm__maze_back(b, middle);
  return 2 * flood_depth(b, middle, &unused) + 1 >= m->min_path;
}

/* After a flood: its cells are not worth another try. */
static void mark_hopeless(trm__maze_board *b, int reached) {
  for (int i = 0; i < reached; i++) b->cell[b->queue[i]] = HOPELESS;
}

/* Places S and G; false when the goal drawn is too near or cannot be reached. */
static bool draw_ends(const maker *m, trm__rng *rng, trm__maze_board *b, int n_free, bool *tested) {
  int start = draw_open(m, rng, b), pick = (int)trm__rng_below(rng, (uint32_t)n_free - 1);
  if (token_at(b, start) == HOPELESS) return false;
  bool hopeless = !*tested && !may_be_long(m, b, start);
  const trm__maze_flooded f = trm__maze_flood(b, start, 1u << TRM_MAZE_FREE, m->min_path - 1);
  if (hopeless) mark_hopeless(b, f.cells);
  *tested = !hopeless;
  if (hopeless) return false;
  if (pick >= f.cells - f.near) return false;
  b->cell[start] = TRM_MAZE_START;
  b->cell[b->queue[f.cells - 1 - pick]] = TRM_MAZE_GOAL;
  return true;
}

/* A pattern of walls, and a start and a goal in it that are far enough from each other. */
static bool draw_maze(const maker *m, trm__rng *rng, trm__maze_board *b) {
  bool tested = false; /* a part was found where paths may be long; all are flooded from then on */
  int n_free = draw_walls(m, rng, b);
  if (n_free < 2) return false;
  for (int i = 0; i < PAIRS; i++)
    if (draw_ends(m, rng, b, n_free, &tested)) return true;
  return false;
}

static int make_maze(const void *arg, trm__rng *rng, uint8_t *question, uint8_t *answer) {
  const maker *m = arg;
  trm__maze_board b;
  trm__maze_board_init(&b, m->rows, m->cols);
  for (int i = 0; i < PATTERNS; i++) {
    if (!draw_maze(m, rng, &b)) continue;
    for (int cell = 0; cell < m->rows * m->cols; cell++) {
      int token = token_at(&b, (cell / m->cols + 1) * b.stride + cell % m->cols + 1);
      question[cell] = (uint8_t)(token == HOPELESS ? TRM_MAZE_FREE : token);
    }
    return trm__maze_shortest(&b, question, answer) > 0;
  }
  return 0;
}

/* A shortest path never has all four cells of a 2x2 square, which is a circle: 3 of each square
 * that the maze is cut into, and what is left at odd sides. */
static int longest_path(int rows, int cols) {
  const int squares = (rows / 2) * (cols / 2);
  return rows * cols - squares;
}

static trm_status check_size(int rows, int cols, trm_error *err) {
  if (trm_maze_of_size(rows, cols).kind != TRM_PUZZLE_NONE) return TRM_OK;
  TRM_FAIL(err, TRM_E_ARGUMENT, "a maze of %dx%d cells: want sides of 1 to %d and at most %d cells",
           rows, cols, TRM_PUZZLE_MAX_SIDE, TRM_MAZE_MAX_CELLS);
}

static trm_status check_config(const trm_maze_gen_config *c, const maker *m, trm_error *err) {
  if (m->min_path < 2 || m->min_path > longest_path(c->rows, c->cols))
    TRM_FAIL(err, TRM_E_ARGUMENT,
             "a shortest path of %d cells: want 2 to %d, no maze of %dx%d cells has a longer one",
             m->min_path, longest_path(c->rows, c->cols), c->rows, c->cols);
  if (!(m->min_walls >= 0 && m->min_walls <= m->max_walls && m->max_walls <= 1))
    TRM_FAIL(err, TRM_E_ARGUMENT, "a share of walls from %g to %g: want a range within 0 to 1",
             m->min_walls, m->max_walls);
  return TRM_OK;
}

trm_status trm_gen_maze(const trm_maze_gen_config *config, trm_build_report *report,
                        trm_error *err) {
  TRM_TRY(check_size(config->rows, config->cols, err));
  maker m = {config->rows, config->cols, config->min_path, config->min_walls, config->max_walls};

  /* What is not asked for: paths of at least rows + cols cells, 30 to 50 % of walls. */
  if (m.min_path == 0) m.min_path = m.rows + m.cols;
  if (m.min_walls == 0 && m.max_walls == 0) {
    m.min_walls = 0.3;
    m.max_walls = 0.5;
  }

  /* A try gives one maze. */
  TRM_TRY(check_config(config, &m, err));
  trm__generator g = {.puzzle = trm_maze_of_size(config->rows, config->cols),
                      .make = make_maze,
                      .yield = 1,
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
