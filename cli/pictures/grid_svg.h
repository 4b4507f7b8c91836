/* Grids as an SVG picture: rows of them, one below the other, each below its title; or a grid that
 * changes, as an animation by CSS. */
#ifndef TRM_CLI_GRID_SVG_H
#define TRM_CLI_GRID_SVG_H

#include "cli/pictures/grid_view.h"

/* What a cell of an animation shows. */
typedef struct grid_svg_cell {
  int32_t token;
  grid_look look;
} grid_svg_cell;

typedef struct grid_svg {
  const trm_puzzle *puzzle;
  int cell_width, cell_height;
  int width, height; /* of what is drawn */
  FILE *body;

  /* Animations: the frames of the last one, of which `high` is the highest grid, and what is seen
   * at its end. */
  int films, frames, top, high;
  int lines; /* the frame that has the lines between the cells */
  double pace;
  trm_puzzle_box box;
  grid_svg_cell *shown; /* [rows * cols] */

  bool cut;   /* there was no memory for some of it */
  char *text; /* of body */
  size_t size;
} grid_svg;

/* Begins a picture of such puzzles. Errors: MEMORY. */
trm_status grid_svg_begin(grid_svg *g, const trm_puzzle *p, trm_error *err);
/* n grids of that puzzle side by side, from the first to the second an arrow when they are question
 * and answer. What a question gives is bold on grey, what it leaves open has another ink; a corner
 * marks cells that differ from `before`, hatching those that are wrong (grid_view_look). Memory
 * that is missing is an error at the end. */
void grid_svg_add(grid_svg *g, const char *title, const grid_view *views, int n, bool arrow);
/* Begins an animation below all that was drawn: frames of `pace` seconds each, the last one longer,
 * over and over. At rest it is the last frame: where nothing moves, or nobody wants it to
 * (prefers-reduced-motion). */
void grid_svg_film(grid_svg *g, double pace);
void grid_svg_frame(grid_svg *g, const char *title, const grid_view *v);
/* Writes it, complete or not at all, "-" to stdout; frees it in any case. */
trm_status grid_svg_end(grid_svg *g, const char *path, trm_error *err);
void grid_svg_drop(grid_svg *g); /* a zeroed one is fine */

#endif
