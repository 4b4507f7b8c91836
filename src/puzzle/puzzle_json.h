/* Puzzles of any kind but Sudokus as JSON: [["#", " "], ["S", "G"]], [[0, 1], [1, 0]], and objects
 * that have such a grid, or its text, under a name of a column: {"puzzle": "#./SG"}. */
#ifndef TRM_PUZZLE_PUZZLE_JSON_H
#define TRM_PUZZLE_PUZZLE_JSON_H

#include "base/error.h"
#include "trm/puzzle.h"

/* True of a text that is an array or an object, unless its bracket is a symbol of the puzzle. */
bool trm__puzzle_is_json(const trm_puzzle *p, const char *text, size_t n);
/* Tokens [p->rows, p->cols], those of a smaller grid (`sized`) in the first corner, and how large
 * it is. Errors: FORMAT with the column, as of trm_puzzle_parse; MEMORY. */
trm_status trm__puzzle_parse_json(const trm_puzzle *p, const char *text, size_t n, bool sized,
                                  int32_t *tokens, int *rows, int *cols, trm_error *err);

#endif
