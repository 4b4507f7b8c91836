/* Mazes: text, rules, shortest paths.
 *
 * A maze is rows * cols cells in reading order, as characters and as tokens of a model: '#' wall 1,
 * ' ' free 2, 'S' start 3, 'G' goal 4; an answer has 'o' path 5, too. Moves go up, down, left and
 * right. An answer is its question with the cells strictly between S and G on a shortest path
 * marked 'o'; S and G stay.
 */
#ifndef TRM_MAZE_H
#define TRM_MAZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trm/puzzle.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TRM_MAZE_MAX_CELLS = 16384 };

typedef enum trm_maze_token {
  TRM_MAZE_WALL = 1,
  TRM_MAZE_FREE,
  TRM_MAZE_START,
  TRM_MAZE_GOAL,
  TRM_MAZE_PATH
} trm_maze_token;

/* The puzzle description of mazes of rows x cols cells; kind TRM_PUZZLE_NONE when a side is outside
 * 1 .. TRM_PUZZLE_MAX_SIDE or there are more than TRM_MAZE_MAX_CELLS cells. */
TRM_API trm_puzzle trm_maze_of_size(int rows, int cols);
/* n characters into tokens. Errors: ARGUMENT when `p` is no maze of a known size; FORMAT with the
 * column (from 1) and what was expected. */
TRM_API trm_status trm_maze_parse(const trm_puzzle *p, const char *text, size_t n, uint8_t *tokens,
                                  trm_error *err);
/* Tokens into rows * cols characters and a terminating 0; '?' for what is no token of a maze. */
TRM_API void trm_maze_format(const trm_puzzle *p, const uint8_t *tokens, char *text);
/* The cells of a shortest path of a question, S and G counted; 0 when there is none, or not one S,
 * one G and else walls and free cells. With `answer` (NULL is fine; untouched when there is none)
 * the path that the published mazes are labelled with: from S on, of the moves that lead nearer to
 * G, the first of down, left, right, up. */
TRM_API int trm_maze_shortest(int rows, int cols, const uint8_t *question, uint8_t *answer);
/* True when `answer` is `question` with a shortest path marked, whichever it is: it differs only
 * where free cells became 'o', and these with S and G are one path of the least length. */
TRM_API bool trm_maze_solves(int rows, int cols, const uint8_t *question, const uint8_t *answer);

#ifdef __cplusplus
}
#endif
#endif
