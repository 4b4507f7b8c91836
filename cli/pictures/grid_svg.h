/* Grids as an SVG picture: rows of them, one below the other, each below its title. */
#ifndef TRM_CLI_GRID_SVG_H
#define TRM_CLI_GRID_SVG_H

#include "cli/pictures/grid_view.h"

typedef struct grid_svg {
  const trm_puzzle *puzzle;
  int cell_width, cell_height;
  int width, height; /* of what is drawn */
  FILE *body;
  bool cut;   /* there was no memory for some of it */
  char *text; /* of body */
  size_t size;
} grid_svg;

/* Begins a picture of such puzzles. Errors: MEMORY. */
trm_status grid_svg_begin(grid_svg *g, const trm_puzzle *p, trm_error *err);
/* n grids of that puzzle side by side, from the first to the second an arrow when they are question
 * and answer. What a question leaves open has another ink; cells that differ from `before` and
 * givens that were overwritten have marks. Memory that is missing is an error at the end. */
void grid_svg_add(grid_svg *g, const char *title, const grid_view *views, int n, bool arrow);
/* Writes it, complete or not at all, "-" to stdout; frees it in any case. */
trm_status grid_svg_end(grid_svg *g, const char *path, trm_error *err);
void grid_svg_drop(grid_svg *g); /* a zeroed one is fine */

#endif
