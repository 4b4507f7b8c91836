/* How the cells of a puzzle look, the same on the terminal and in pictures. */
#ifndef TRM_CLI_GRID_STYLE_H
#define TRM_CLI_GRID_STYLE_H

#include "cli/cli.h"

typedef struct grid_style {
  bool filled;        /* the cell has a colour of its own */
  bool tells;         /* the colour says all, the symbol need not be shown */
  uint32_t fill, ink; /* 0xRRGGBB */
} grid_style;

/* Of any token, also one without a symbol. */
grid_style grid_style_of(const trm_puzzle *p, int32_t token);
/* True of kinds whose grids are drawn as small squares, such as ARC and mazes. */
bool grid_style_is_pixels(const trm_puzzle *p);
/* True of the symbol that stands where nothing is given yet. */
bool grid_style_is_blank(const trm_puzzle *p, const char *symbol);
/* True when a question's token must stay in the answer. */
bool grid_style_is_given(const trm_puzzle *p, int32_t token);

/* The symbol of a token as it can be printed, '?' for none and for control characters, in a text of
 * at most TRM_PUZZLE_MAX_SYMBOL bytes; returns its characters. */
int grid_style_symbol(const trm_puzzle *p, int32_t token, char text[TRM_PUZZLE_MAX_SYMBOL + 1]);
/* The characters of the puzzle's longest symbol. */
int grid_style_symbol_width(const trm_puzzle *p);

#endif
