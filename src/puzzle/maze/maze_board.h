/* A maze with a wall around it, so that a step never leaves the grid, and the flood that finds
 * shortest paths. 50 KiB; meant for the stack, where a thread may have as little as 128 KiB. */
#ifndef TRM_PUZZLE_MAZE_BOARD_H
#define TRM_PUZZLE_MAZE_BOARD_H

#include "base/error.h"
#include "trm/maze.h"

enum {
  /* (rows + 2) (cols + 2) is largest for 16 x 1024 */
  TRM__MAZE_MAX_BOARD = TRM_MAZE_MAX_CELLS + 2 * (16 + TRM_PUZZLE_MAX_SIDE) + 8,
  TRM__MAZE_TOKEN = 15 /* the bits of a cell that are its token */
};

typedef struct trm__maze_board {
  int rows, cols, stride; /* cell (i, j) is (i + 1) * stride + j + 1 */
  /* A token; where the last flood came by, above it 1 + moves mod 3, which tells a cell's
   * neighbours nearer to the start from those farther away. */
  uint8_t cell[TRM__MAZE_MAX_BOARD];
  uint16_t queue[TRM_MAZE_MAX_CELLS]; /* of the last flood: cells reached, nearest first */
} trm__maze_board;

typedef struct trm__maze_flooded {
  int cells; /* reached, the first one counted: b->queue[0 .. cells) */
  int moves; /* from the first to the last of them */
  int near;  /* of them, those less than `far` moves away */
} trm__maze_flooded;

bool trm__maze_known(const trm_puzzle *p);
/* Sizes and the wall around; the cells inside are set by the caller. */
void trm__maze_board_init(trm__maze_board *b, int rows, int cols);
/* Visits what can be reached from a cell over cells whose token's bit is in `open`. */
trm__maze_flooded trm__maze_flood(trm__maze_board *b, int from, unsigned open, int far);
/* From a cell that the last flood reached to the next on a shortest way back to its start. */
int trm__maze_back(const trm__maze_board *b, int at);
/* trm_maze_shortest on a board of that size. */
int trm__maze_shortest(trm__maze_board *b, const uint8_t *question, uint8_t *answer);

/* trm_maze_parse for a text that begins at `column` of a file's line: messages begin with `where`
 * and count columns from there; err->pos is the column. */
trm_status trm__maze_parse_at(const trm_puzzle *p, const char *text, size_t n, uint8_t *tokens,
                              const char *where, size_t column, trm_error *err);
/* The images of a maze keep its shape under all eight transforms (puzzle/dihedral.h) when it is
 * square, else under four. transforms [8] takes their numbers; returns how many. */
int trm__maze_transforms(const trm_puzzle *p, int *transforms);
void trm__maze_image(const trm_puzzle *p, int transform, const uint8_t *from, uint8_t *to);
/* The least image: the same for all images of a maze. */
void trm__maze_canonical(const trm_puzzle *p, const uint8_t *tokens, uint8_t *canonical);

#endif
