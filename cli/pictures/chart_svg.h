/* Charts as SVG: curves with bands, and bars with whiskers. They are light or dark as the viewer
 * is, and their colours (Okabe and Ito's) can be told apart without seeing red or green; from the
 * eighth on lines are dashed. */
#ifndef TRM_CLI_CHART_SVG_H
#define TRM_CLI_CHART_SVG_H

#include "cli/cli.h"

typedef struct chart_axis {
  const char *label; /* may be NULL */
  double low, high;  /* the range that is shown; equal: that of the data, with round ends ... */
  bool zero;         /* ... and 0 in it */
} chart_axis;

/* A curve. Points are in the order of x; one whose y is not finite breaks the line. */
typedef struct chart_line {
  const char *label; /* NULL: not in the legend */
  int colour;        /* from 0; lines of one colour are of one kind */
  int n;
  const double *x, *y;
  const double *low, *high; /* [n] a band around it; NULL: none */
} chart_line;

/* Rows of bars, one below the other: row r has a bar for each kind k, value[r * kinds + k], from
 * low to high a whisker; NAN: there is none. */
typedef struct chart_bars {
  int rows, kinds;
  const char *const *row_labels;
  const char *const *kind_labels; /* the legend */
  const double *value, *low, *high;
  const char *const *notes; /* words in the place of bars that are not there; NULL, here or of one:
                               none */
} chart_bars;

/* Written to a file, "-": stdout. `title` may be NULL. Errors: MEMORY, IO. */
trm_status chart_svg_lines(const char *path, const char *title, const chart_axis *x,
                           const chart_axis *y, const chart_line *lines, int n, trm_error *err);
trm_status chart_svg_bars(const char *path, const char *title, const chart_axis *value,
                          const chart_bars *bars, trm_error *err);

#endif
