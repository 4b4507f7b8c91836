/* A grid on a terminal that is drawn over itself, so that one sees it change. */
#ifndef TRM_CLI_GRID_SCREEN_H
#define TRM_CLI_GRID_SCREEN_H

#include "cli/pictures/grid_view.h"

typedef struct grid_screen {
  bool redraws;   /* stdout is a terminal whose cursor can be moved; else nothing here is called */
  double pace;    /* seconds that what changed stays before the next is drawn over it */
  double until;   /* cli_now when these are over */
  int lines;      /* drawn last, directly above the cursor; 0: nothing is drawn over */
  int high, wide; /* of the terminal then */
  int pauses;     /* of the program until then, in which others write on the terminal */
  bool told;      /* what the marks mean, where grids are not drawn over each other */
} grid_screen;

void grid_screen_open(grid_screen *s, double pace);
/* What is there stays, the next grid begins below it. */
void grid_screen_begin(grid_screen *s);
/* Draws the grid between its title and what the marks mean, in place of the last one. A terminal
 * that is too narrow gets cells without spaces between them. One that is too small even then, that
 * has another size than before, or that others had in between (Ctrl-Z), gets the grid below the
 * last one; where it is too small and nothing `changed` only the title. Waits until the last one
 * was seen, or a signal came. */
void grid_screen_show(grid_screen *s, const char *title, const grid_view *v, bool changed);

#endif
