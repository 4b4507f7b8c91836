/* Symmetric images of a puzzle: what is drawn, and how it acts on values and tokens. */
#ifndef TRM_PUZZLE_SUDOKU_SYMMETRY_H
#define TRM_PUZZLE_SUDOKU_SYMMETRY_H

#include "base/rng.h"
#include "trm/sudoku.h"

/* A symmetry of a Sudoku as lookup tables: cell i of the image is cell `cell[i]` of the original,
 * digit v becomes digit[v] (digit[0] is 0: blanks stay). */
typedef struct trm__symmetry {
  int cells, size;
  uint8_t cell[TRM_SUDOKU_MAX_CELLS];
  uint8_t digit[TRM_SUDOKU_MAX_SIZE + 1];
} trm__symmetry;

/* A uniform draw; `p` must be known to trm_sudoku_known. */
void trm__symmetry_draw(const trm_puzzle *p, trm__rng *rng, trm__symmetry *g);
/* Values to values; `from` and `to` may not overlap. */
void trm__symmetry_apply(const trm__symmetry *g, const uint8_t *from, uint8_t *to);
/* Tokens (value + 1) to tokens; what is no digit's token (pad, blank, ignored label) moves with its
 * cell and keeps its value. */
void trm__symmetry_apply_tokens(const trm__symmetry *g, const int32_t *from, int32_t *to);

#endif
