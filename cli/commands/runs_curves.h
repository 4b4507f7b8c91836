/* Learning curves of groups of runs, as an SVG. */
#ifndef TRM_CLI_RUNS_CURVES_H
#define TRM_CLI_RUNS_CURVES_H

#include "cli/cli.h"

/* What is on the axes, by names as `trm runs --x` and `--y` have them. */
typedef struct runs_axes {
  int x;           /* 0 updates, 1 time, 2 samples */
  const char *key; /* of the log */
  const char *label;
  double factor; /* from the log's values to those that are shown */
} runs_axes;
/* A usage error is reported when it is false. y may be any key of the log. */
bool runs_axes_parse(const char *x, const char *y, runs_axes *axes);

/* A line for each group: the mean of its runs and, of two and more, a band of one standard
 * deviation. group[i] is that of run i; labels[g] names group g. Warns of runs without the key.
 * Errors: FORMAT when no run has it; MEMORY; IO. */
trm_status runs_curves_draw(const trm_runs *runs, const int *group, int groups,
                            const char *const *labels, const runs_axes *axes, const char *path,
                            trm_error *err);

#endif
