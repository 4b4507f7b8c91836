/* See grid_screen.h. */
#include "cli/pictures/grid_screen.h"

#include <string.h>

enum { INDENT = 2, LOOK = 20 /* milliseconds after which a wait looks whether a signal came */ };

void grid_screen_open(grid_screen *s, double pace) {
  *s = (grid_screen){.redraws = cli_moves(stdout), .pace = pace};
}

void grid_screen_begin(grid_screen *s) {
  s->lines = 0;
  s->told = false;
}

static void await(double until) {
  const struct timespec nap = {.tv_nsec = LOOK * 1000000L};
  while (cli_now() < until && !cli_interrupted()) nanosleep(&nap, NULL);
}

/* Of a text, as it is broken at the edge. */
static int lines_of(const char *text, int wide) {
  const int n = (int)strlen(text);
  return n ? (n - 1) / wide + 1 : 1;
}

/* The end of a line of `used` columns, from which on nothing is left of what was there. At the edge
 * there is nothing, and terminals whose cursor waits on the last character would erase that. */
static void end_line(int used, int wide) {
  fputs(used && used % wide == 0 ? "\n" : "\033[K\n", stdout);
}

static void show_text(const char *text, int wide) {
  fputs(text, stdout);
  end_line((int)strlen(text), wide);
}

void grid_screen_show(grid_screen *s, const char *title, const grid_view *v, bool changed) {
  grid_view view = *v;
  char legend[120];
  await(s->until);
  const int high = grid_view_terminal_lines(), wide = grid_view_terminal_columns();
  view.tight = INDENT + grid_view_columns(&view) > wide;
  grid_view_legend(&view, legend, sizeof legend);

  /* Everything, and the line that the cursor is in, has to be on the screen at once. */
  const int lines = lines_of(title, wide) + grid_view_lines(&view) + lines_of(legend, wide);
  const bool fits = INDENT + grid_view_columns(&view) <= wide && lines < high;
  const int pauses = cli_pauses();
  if (s->lines && fits && s->high == high && s->wide == wide && s->pauses == pauses)
    printf("\033[%dA", s->lines);

  /* Line by line over what was there, and nothing is left of what was longer. */
  fputc('\r', stdout);
  show_text(title, wide);
  for (int line = 0; (fits || changed) && line < grid_view_lines(&view); line++) {
    printf("%*s", INDENT, "");
    grid_view_line(&view, line, stdout);
    end_line(INDENT + grid_view_columns(&view), wide);
  }
  if (fits || !s->told) show_text(legend, wide);
  fputs("\033[J", stdout);
  fflush(stdout);
  s->lines = fits ? lines : 0;
  s->told = true;
  s->high = high;
  s->wide = wide;
  s->pauses = pauses;
  s->until = changed ? cli_now() + s->pace : 0;
}
