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
  bool colour;
} grid_view;

/* Lines, and columns of each of them. */
int grid_view_lines(const grid_view *v);
int grid_view_columns(const grid_view *v);
/* One line, without indent and line end; beyond the last one, spaces. */
void grid_view_line(const grid_view *v, int line, FILE *f);
/* All of them, indented by two. */
void grid_view_draw(const grid_view *v, FILE *f);
/* The same for two grids, side by side when `width` columns have room, else below each other; with
 * titles. */
void grid_view_draw_pair(const grid_view *left, const char *left_title, const grid_view *right,
                         const char *right_title, int width, FILE *f);

/* The columns of the terminal on stdout; 80 when there is none. */
int grid_view_terminal_columns(void);

#endif
