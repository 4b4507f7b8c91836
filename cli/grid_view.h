/* Grids on the terminal. */
#ifndef TRM_CLI_GRID_VIEW_H
#define TRM_CLI_GRID_VIEW_H

#include "cli.h"

/* Draws `values` with lines between the boxes. Cells that differ from `before` stand out (bold, or
 * [5] without colour), givens of `question` are dim, a given that was overwritten is marked red or
 * !5!. */
void grid_view_draw(const trm_puzzle *p, const uint8_t *question, const uint8_t *before,
                    const uint8_t *values, bool colour, FILE *f);

#endif
