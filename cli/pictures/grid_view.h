/* Grids on the terminal. */
#ifndef TRM_CLI_GRID_VIEW_H
#define TRM_CLI_GRID_VIEW_H

#include "cli/cli.h"

/* A grid to be drawn: the part `box` of tokens [rows * cols], in colour or as plain text. With
 * `question` givens that were overwritten are marked, !5!; with `before` cells that differ from it,
 * [5]. Both may be NULL. */
typedef struct grid_view {
  const trm_puzzle *puzzle;
  const int32_t *tokens, *question, *before;
  trm_puzzle_box box;
  bool judged; /* with `question`: cells of a Sudoku that break a rule are marked as givens are that
                  were overwritten, [5! where they changed */
  bool colour; /* of a terminal, which adds to the marks; givens are bold */
  bool ticked; /* without colour givens are marked, too: 5' */
  bool tight;  /* one column less for each cell: 5] 5! 5' */
  const char *title; /* above it where several are drawn; NULL: none of them has one */
} grid_view;

/* How a cell stands out. */
typedef struct grid_look {
  bool given, changed, wrong;
} grid_look;
grid_look grid_view_look(const grid_view *v, int cell);
/* What the marks of such a grid mean, in a line. */
void grid_view_legend(const grid_view *v, char *text, size_t size);

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

/* The columns of the terminal on stdout, and its lines; 80 and 24 when there is none. */
int grid_view_terminal_columns(void);
int grid_view_terminal_lines(void);

#endif
