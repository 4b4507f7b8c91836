/* Mazes as text, as rules and under their symmetries. Invariant: a board's border is wall, and
 * floods are started with masks that leave walls out, so neighbours need no check. */
#include <stdio.h>
#include <string.h>

#include "data/dihedral.h"
#include "data/maze/maze_board.h"

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
      unsigned char u = (unsigned char)text[i];
      char shown[8];
      snprintf(shown, sizeof shown, u < 32 || u > 126 ? "\\x%02x" : "%c", u);
      TRM_FAIL_AT(err, TRM_E_FORMAT, column + i,
                  "%scolumn %zu: '%s' is no cell of a maze (want '#' wall, ' ' free, 'S', 'G' or "
                  "'o')",
                  where, column + i, shown);
    }
    tokens[i] = (uint8_t)(at - symbols);
  }
  size_t end = column + (n < cells ? n : cells);
  if (n != cells)
    TRM_FAIL_AT(err, TRM_E_FORMAT, end,
                "%scolumn %zu: a maze of %dx%d cells has %zu characters, here are %zu", where, end,
                p->rows, p->cols, cells, n);
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

int trm__maze_flood(trm__maze_board *b, int from, unsigned open) {
  const int step[4] = {b->stride, -1, 1, -b->stride};
  memset(b->moves, 0xff, (size_t)((b->rows + 2) * b->stride) * sizeof *b->moves);
  b->moves[from] = 0;
  b->queue[0] = (uint16_t)from;
  int n = 1;
  for (int i = 0; i < n; i++) {
    int at = b->queue[i];
    for (int d = 0; d < 4; d++) {
      int next = at + step[d];
      if (!(open >> b->cell[next] & 1) || b->moves[next] != TRM__MAZE_UNREACHED) continue;
      b->moves[next] = (uint16_t)(b->moves[at] + 1);
      b->queue[n++] = (uint16_t)next;
    }
  }
  return n;
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

/* Marks the path from board cell `at` to the goal, from which `b` was flooded. */
static void mark_path(const trm__maze_board *b, int at, uint8_t *answer) {
  const int step[4] = {b->stride, -1, 1, -b->stride};
  while (b->moves[at] > 1) {
    int d = 0; /* one of the four leads nearer, or `at` had not been reached */
    while (d < 3 && b->moves[at + step[d]] != b->moves[at] - 1) d++;
    at += step[d];
    answer[(at / b->stride - 1) * b->cols + at % b->stride - 1] = TRM_MAZE_PATH;
  }
}

int trm_maze_shortest(int rows, int cols, const uint8_t *question, uint8_t *answer) {
  trm_puzzle p = {.kind = TRM_PUZZLE_MAZE, .rows = rows, .cols = cols};
  int start, goal;
  if (!trm__maze_known(&p) || !find_ends(question, rows * cols, &start, &goal)) return 0;
  trm__maze_board b;
  trm__maze_board_init(&b, rows, cols);
  set_cells(&b, question);
  trm__maze_flood(&b, board_cell(&b, goal), OPEN);
  int moves = b.moves[board_cell(&b, start)];
  if (moves == TRM__MAZE_UNREACHED) return 0;
  if (answer) {
    memcpy(answer, question, (size_t)(rows * cols));
    mark_path(&b, board_cell(&b, start), answer);
  }
  return moves + 1;
}

/* Marked cells that are as many as a shortest path has, and that a walk over them alone needs all
 * of, are one path: that is all there is to check. */
bool trm_maze_solves(int rows, int cols, const uint8_t *question, const uint8_t *answer) {
  int length = trm_maze_shortest(rows, cols, question, NULL), marked = 0, start, goal;
  if (!length) return false;
  for (int i = 0; i < rows * cols; i++) {
    bool path = question[i] == TRM_MAZE_FREE && answer[i] == TRM_MAZE_PATH;
    if (!path && answer[i] != question[i]) return false;
    marked += path;
  }
  if (marked + 2 != length) return false;
  trm__maze_board b;
  trm__maze_board_init(&b, rows, cols);
  set_cells(&b, answer);
  find_ends(question, rows * cols, &start, &goal);
  trm__maze_flood(&b, board_cell(&b, start),
                  1u << TRM_MAZE_START | 1u << TRM_MAZE_GOAL | 1u << TRM_MAZE_PATH);
  return b.moves[board_cell(&b, goal)] == length - 1;
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
