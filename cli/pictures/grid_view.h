/* Grids on the terminal. */
#ifndef TRM_CLI_GRID_VIEW_H
#define TRM_CLI_GRID_VIEW_H

#include "cli/cli.h"

/* A grid to be drawn: the part `box` of tokens [rows * cols], in colour or as plain text. With
 * `question` givens are dim and one that was overwritten is marked red or !5!; with `before` cells
 * that differ from it stand out (bold, or [5]). Both may be NULL. */
typedef struct grid_view {
  const trm_puzzle *puzzle;
  const int32_t *tokens, *question, *before;
  trm_puzzle_box box;
  bool colour;       /* of a terminal */
  const char *title; /* above it where several are drawn; NULL: none of them has one */
} grid_view;

/* How a cell stands out. */
typedef enum grid_look { GRID_PLAIN, GRID_GIVEN, GRID_CHANGED, GRID_WRONG } grid_look;
grid_look grid_view_look(const grid_view *v, int cell);

/* Lines, and columns of each of them. */
int grid_view_lines(const grid_view *v);
int grid_view_columns(const grid_view *v);
/* One line, without indent and line end; beyond the last one, spaces. */
void grid_view_line(const grid_view *v, int line, FILE *f);
/* All of them, indented by two. */
void grid_view_draw(const grid_view *v, FILE *f);
/* The same for n grids with titles: as many of them side by side as `width` columns have room for,
 * the others below. */
void grid_view_draw_row(const grid_view *views, int n, int width, FILE *f);

/* The columns of the terminal on stdout; 80 when there is none. */
int grid_view_terminal_columns(void);

#endif
