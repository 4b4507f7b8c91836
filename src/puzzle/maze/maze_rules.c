/* Mazes as text, as rules and under their symmetries. Invariant: a board's border is wall, and
 * floods are started with masks that leave walls out, so neighbours need no check. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "puzzle/dihedral.h"
#include "puzzle/maze/maze_board.h"

enum { OPEN = 1 << TRM_MAZE_FREE | 1 << TRM_MAZE_START | 1 << TRM_MAZE_GOAL };

trm_puzzle trm_maze_of_size(int rows, int cols) {
  trm_puzzle p = {.kind = TRM_PUZZLE_MAZE, .rows = rows, .cols = cols};
  return trm__maze_known(&p) ? p : (trm_puzzle){.kind = TRM_PUZZLE_NONE};
}

bool trm__maze_known(const trm_puzzle *p) {
  return p->kind == TRM_PUZZLE_MAZE && p->rows >= 1 && p->cols >= 1 &&
         p->rows <= TRM_PUZZLE_MAX_SIDE && p->cols <= TRM_PUZZLE_MAX_SIDE &&
         p->rows * p->cols <= TRM_MAZE_MAX_CELLS;
}

/* --- text --- */

static const char symbols[] = "?# SGo";

trm_status trm__maze_parse_at(const trm_puzzle *p, const char *text, size_t n, uint8_t *tokens,
                              const char *where, size_t column, trm_error *err) {
  size_t cells = (size_t)p->rows * (size_t)p->cols;
  for (size_t i = 0; i < n && i < cells; i++) {
    const char *at = text[i] ? strchr(symbols + 1, text[i]) : NULL;
    if (!at) {
      char shown[TRM__TEXT_SHOWN];
      TRM_FAIL_AT(err, TRM_E_FORMAT, column + i,
                  "%scolumn %zu: '%s' is no cell of a maze (want '#' wall, ' ' free, 'S', 'G' or "
                  "'o')",
                  where, column + i, trm__text_show(text + i, n - i, shown));
    }
    tokens[i] = (uint8_t)(at - symbols);
  }
  size_t end = column + (n < cells ? n : cells);
  if (n != cells)
    TRM_FAIL_AT(err, TRM_E_FORMAT, end,
                "%scolumn %zu: a maze of %dx%d cells has %zu characters, here %s %zu", where, end,
                p->rows, p->cols, cells, n == 1 ? "is" : "are", n);
  return TRM_OK;
}

trm_status trm_maze_parse(const trm_puzzle *p, const char *text, size_t n, uint8_t *tokens,
                          trm_error *err) {
  if (!trm__maze_known(p)) TRM_FAIL(err, TRM_E_ARGUMENT, "the puzzle is not a maze of known size");
  return trm__maze_parse_at(p, text, n, tokens, "", 1, err);
}

void trm_maze_format(const trm_puzzle *p, const uint8_t *tokens, char *text) {
  int cells = p->rows * p->cols;
  for (int i = 0; i < cells; i++) text[i] = symbols[tokens[i] <= TRM_MAZE_PATH ? tokens[i] : 0];
  text[cells] = 0;
}

/* --- paths --- */

void trm__maze_board_init(trm__maze_board *b, int rows, int cols) {
  b->rows = rows;
  b->cols = cols;
  b->stride = cols + 2;
  memset(b->cell, TRM_MAZE_WALL, (size_t)((rows + 2) * (cols + 2)));
}

static int board_cell(const trm__maze_board *b, int cell) {
  return (cell / b->cols + 1) * b->stride + cell % b->cols + 1;
}

static void set_cells(trm__maze_board *b, const uint8_t *tokens) {
  for (int i = 0; i < b->rows; i++)
    memcpy(b->cell + (i + 1) * b->stride + 1, tokens + i * b->cols, (size_t)b->cols);
}

static void forget_flood(trm__maze_board *b) {
  uint64_t eight;
  for (int i = 0; i < (b->rows + 2) * b->stride; i += 8) {
    memcpy(&eight, b->cell + i, sizeof eight);
    eight &= TRM__MAZE_TOKEN * (UINT64_MAX / UINT8_MAX);
    memcpy(b->cell + i, &eight, sizeof eight);
  }
}

static uint8_t mark_of(int moves) {
  return (uint8_t)((1 + moves % 3) * (TRM__MAZE_TOKEN + 1));
}

trm__maze_flooded trm__maze_flood(trm__maze_board *b, int from, unsigned open, int far) {
  const int step[4] = {b->stride, -1, 1, -b->stride};
  const uint64_t bits = open; /* none of them is that of a cell with a mark */
  trm__maze_flooded f = {0};

  /* Breadth first: the queue holds the cells reached, those of one distance side by side. */
  forget_flood(b);
  b->cell[from] |= mark_of(0);
  b->queue[0] = (uint16_t)from;
  int n = 1;
  for (int i = 0, end = 1;; end = n) { /* cells i .. end are f.moves away */
    if (f.moves < far) f.near = end;
    const uint8_t mark = mark_of(f.moves + 1);
    for (; i < end; i++)
      for (int d = 0; d < 4; d++) {
        const int next = b->queue[i] + step[d];
        const uint8_t cell = b->cell[next];
        if (!(bits >> cell & 1)) continue;
        b->cell[next] = cell | mark;
        b->queue[n++] = (uint16_t)next;
      }

    /* No cell is any farther away. */
    if (n == end) break;
    f.moves++;
  }
  f.cells = n;
  return f;
}

int trm__maze_back(const trm__maze_board *b, int at) {
  const int step[4] = {b->stride, -1, 1, -b->stride};
  const int mark = b->cell[at] / (TRM__MAZE_TOKEN + 1), nearer = mark > 1 ? mark - 1 : 3;
  int d = 0; /* one of the four leads nearer */
  while (d < 3 && b->cell[at + step[d]] / (TRM__MAZE_TOKEN + 1) != nearer) d++;
  return at + step[d];
}

/* The cells of S and G; false unless there is one of each and nothing but walls and free cells. */
static bool find_ends(const uint8_t *question, int cells, int *start, int *goal) {
  *start = *goal = -1;
  for (int i = 0; i < cells; i++) {
    if (question[i] < TRM_MAZE_WALL || question[i] > TRM_MAZE_GOAL) return false;
    int *end = question[i] == TRM_MAZE_START ? start : question[i] == TRM_MAZE_GOAL ? goal : NULL;
    if (end && *end >= 0) return false;
    if (end) *end = i;
  }
  return *start >= 0 && *goal >= 0;
}

static bool is_reached(const trm__maze_board *b, int at) {
  return b->cell[at] > TRM__MAZE_TOKEN;
}

/* The moves from board cell `at` to where the last flood began, marked in the answer unless that is
 * NULL; -1 when it did not come by. */
static int walk_back(const trm__maze_board *b, int at, uint8_t *answer) {
  if (!is_reached(b, at)) return -1;
  int moves = 0;
  for (; at != b->queue[0]; moves++) {
    if (answer && moves)
      answer[(at / b->stride - 1) * b->cols + at % b->stride - 1] = TRM_MAZE_PATH;
    at = trm__maze_back(b, at);
  }
  return moves;
}

int trm__maze_shortest(trm__maze_board *b, const uint8_t *question, uint8_t *answer) {
  int start, goal;
  if (!find_ends(question, b->rows * b->cols, &start, &goal)) return 0;
  set_cells(b, question);
  trm__maze_flood(b, board_cell(b, goal), OPEN, 0);
  const int from = board_cell(b, start);
  if (answer && is_reached(b, from)) memcpy(answer, question, (size_t)(b->rows * b->cols));
  return walk_back(b, from, answer) + 1;
}

int trm_maze_shortest(int rows, int cols, const uint8_t *question, uint8_t *answer) {
  const trm_puzzle p = {.kind = TRM_PUZZLE_MAZE, .rows = rows, .cols = cols};
  if (!trm__maze_known(&p)) return 0;
  trm__maze_board b;
  trm__maze_board_init(&b, rows, cols);
  return trm__maze_shortest(&b, question, answer);
}

/* Marked cells that are as many as a shortest path has, and that a walk over them alone needs all
 * of, are one path: that is all there is to check. */
bool trm_maze_solves(int rows, int cols, const uint8_t *question, const uint8_t *answer) {
  const trm_puzzle p = {.kind = TRM_PUZZLE_MAZE, .rows = rows, .cols = cols};
  int marked = 0, start, goal;
  if (!trm__maze_known(&p)) return false;
  trm__maze_board b;
  trm__maze_board_init(&b, rows, cols);
  const int length = trm__maze_shortest(&b, question, NULL);
  if (!length) return false;
  for (int i = 0; i < rows * cols; i++) {
    bool path = question[i] == TRM_MAZE_FREE && answer[i] == TRM_MAZE_PATH;
    if (!path && answer[i] != question[i]) return false;
    marked += path;
  }
  if (marked + 2 != length) return false;
  set_cells(&b, answer);
  find_ends(question, rows * cols, &start, &goal);
  trm__maze_flood(&b, board_cell(&b, start),
                  1u << TRM_MAZE_START | 1u << TRM_MAZE_GOAL | 1u << TRM_MAZE_PATH, 0);
  return walk_back(&b, board_cell(&b, goal), NULL) == length - 1;
}

/* --- symmetries --- */

int trm__maze_transforms(const trm_puzzle *p, int *transforms) {
  int n = 0;
  for (int t = 0; t < TRM__DIHEDRAL; t++)
    if (p->rows == p->cols || !trm__dihedral_turns(t)) transforms[n++] = t;
  return n;
}

void trm__maze_image(const trm_puzzle *p, int transform, const uint8_t *from, uint8_t *to) {
  for (int i = 0; i < p->rows; i++)
    for (int j = 0; j < p->cols; j++)
      to[i * p->cols + j] = from[trm__dihedral_source(transform, p->rows, p->cols, i, j)];
}

void trm__maze_canonical(const trm_puzzle *p, const uint8_t *tokens, uint8_t *canonical) {
  int transforms[TRM__DIHEDRAL], n = trm__maze_transforms(p, transforms);
  size_t cells = (size_t)(p->rows * p->cols);
  memcpy(canonical, tokens, cells);
  for (int k = 0; k < n; k++) {
    uint8_t image[TRM_MAZE_MAX_CELLS];
    trm__maze_image(p, transforms[k], tokens, image);
    if (memcmp(image, canonical, cells) < 0) memcpy(canonical, image, cells);
  }
}
