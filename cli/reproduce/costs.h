/* What the rows of a table cost, before and while they are run. */
#ifndef TRM_CLI_REPRODUCE_COSTS_H
#define TRM_CLI_REPRODUCE_COSTS_H

#include "cli/cli.h"
#include "cli/reproduce/tables.h"

enum { REPRO_REASON = 300 };

/* A row as this build and machine would run it. */
typedef struct repro_cost {
  char unable[REPRO_REASON]; /* why it cannot; "": it can, and the rest is known */
  trm_model_cost model;
  int64_t bytes;          /* that training takes */
  int64_t updates, tests; /* of a run: updates, and puzzles of its evaluation */
  double train, eval;     /* FLOP of a run: its updates, and its evaluation */
} repro_cost;
/* With n settings of the user's. */
repro_cost repro_cost_of(const repro_row *row, repro_scale scale, const char *const *user, int n);
/* FLOP per second of training the row, from a few updates of random puzzles. Errors: those of a
 * trainer. */
trm_status repro_rate_of(const repro_row *row, repro_scale scale, const char *const *user, int n,
                         double *rate, trm_error *err);
#endif
