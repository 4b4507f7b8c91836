/* Sudoku of any box shape: text, rules, solver, generator.
 *
 * A grid is size * size values in reading order, 0 blank, 1..size digits. Tokens of a model are
 * the values plus 1 (0 is padding). As text a cell is one character: '.' or '0' blank, '1'..'9',
 * then 'A', 'B' … for sizes above 9. In these, where blanks are '.' and the last digit ('G' of
 * 16x16) does not occur, '0' is it: the digits 0 to F are read, too. 4x4 has 2x2 boxes, 6x6 boxes
 * of 2 rows x 3 columns, 9x9 3x3.
 */
#ifndef TRM_SUDOKU_H
#define TRM_SUDOKU_H

#include <stdbool.h>
#include <stdint.h>

#include "trm/model.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TRM_SUDOKU_MAX_SIZE = 16, TRM_SUDOKU_MAX_CELLS = 256 };

/* The puzzle description of size 4, 6, 8, 9, 10, 12 or 16; kind TRM_PUZZLE_NONE otherwise. */
TRM_API trm_puzzle trm_sudoku_of_size(int size);
/* True of a Sudoku whose boxes tile the grid and whose size this library holds: what all functions
 * here want. */
TRM_API bool trm_sudoku_known(const trm_puzzle *p);
/* n characters into values. Errors: FORMAT with the column (from 1) and what was expected. */
TRM_API trm_status trm_sudoku_parse(const trm_puzzle *p, const char *text, size_t n,
                                    uint8_t *values, trm_error *err);
/* Values into rows*cols characters and a terminating 0. */
TRM_API void trm_sudoku_format(const trm_puzzle *p, const uint8_t *values, char *text);
/* True when no digit stands twice in a row, column or box; else *cell (NULL is fine) is one of the
 * offenders. Blanks are allowed. */
TRM_API bool trm_sudoku_consistent(const trm_puzzle *p, const uint8_t *values, int *cell);
/* True when `answer` is complete, consistent, and keeps every given of `question`. */
TRM_API bool trm_sudoku_solves(const trm_puzzle *p, const uint8_t *question, const uint8_t *answer);
/* Whether a cell of an answer breaks a rule: not what was given, no digit, or one that stands twice
 * in a row, column or box; tokens [rows * cols], any values. False of another puzzle than a known
 * Sudoku. */
TRM_API bool trm_sudoku_violates(const trm_puzzle *p, const int32_t *inputs, const int32_t *answer,
                                 int cell);
/* How many cells do; -1 of another puzzle than a known Sudoku. */
TRM_API int trm_sudoku_violations(const trm_puzzle *p, const int32_t *inputs,
                                  const int32_t *answer);

/* Guesses a search may make (a fraction of a second up to 9x9, seconds at 16x16). The hardest
 * known 9x9 puzzles need some hundreds; only a nearly empty or hostile grid comes here. */
enum { TRM_SUDOKU_MAX_GUESSES = 1 << 18 };

typedef struct trm_sudoku_result {
  int solutions;      /* found, at most the limit asked for */
  int64_t backtracks; /* guesses that turned out wrong; with limit 2 the hardness rating */
  bool complete;      /* false: stopped at TRM_SUDOKU_MAX_GUESSES, there may be more solutions */
} trm_sudoku_result;
/* Looks for up to `limit` solutions; the first goes to `answer` (NULL is fine; untouched when there
 * is none). Singles are placed first, then the cell with the fewest candidates is guessed. A value
 * above the size or an unknown shape has no solution. No allocation. */
TRM_API trm_sudoku_result trm_sudoku_solve(const trm_puzzle *p, const uint8_t *question, int limit,
                                           uint8_t *answer);

/* The same puzzle under every symmetry (digits, bands, stacks, rows, columns, transpose where the
 * boxes allow it) has the same canonical form; values [cells]. */
TRM_API void trm_sudoku_canonical(const trm_puzzle *p, const uint8_t *values, uint8_t *canonical);

#ifdef __cplusplus
}
#endif
#endif
