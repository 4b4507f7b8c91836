/* The figures of a training's log as curves that stay small: of a log of any length each key keeps
 * so many points, means of as many lines each. No locks here. */
#ifndef TRM_CLI_SERVE_RUN_CURVES_H
#define TRM_CLI_SERVE_RUN_CURVES_H

#include "io/json.h"
#include "trm/runs.h"

enum {
  RUN_CURVES = 48,  /* keys of a run at most; those that come later are not kept */
  RUN_POINTS = 256, /* of a curve at most */
  RUN_KEY_SIZE = 96 /* bytes of a key with its zero; longer ones are not kept */
};

typedef struct run_curve {
  char key[RUN_KEY_SIZE];
  int n;                 /* points */
  int64_t per, filled;   /* lines of a point; of the last one */
  trm_run_point *points; /* [RUN_POINTS] of malloc */
} run_curve;

/* All zero: none. */
typedef struct run_curves {
  run_curve *curve[RUN_CURVES];
  int n;
} run_curves;

/* A figure more; without memory for its curve it is left out. */
void run_curves_add(run_curves *c, const char *key, const trm_run_point *point);
void run_curves_clear(run_curves *c); /* releases all */
/* NULL: there is none. */
const run_curve *run_curves_find(const run_curves *c, const char *key);
/* Its members: "updates", "seconds", "samples" and "values", arrays of one length. */
void run_curve_put(const run_curve *curve, trm__json_out *o);

#endif
