/* What `trm train` says before it begins. */
#ifndef TRM_CLI_TRAIN_PLAN_H
#define TRM_CLI_TRAIN_PLAN_H

#include "cli/cli.h"

/* Prints parameters, plan, memory, updates, work and an estimate of the time, which it measures. */
trm_status train_plan_print(const trm_run *run, FILE *f, trm_error *err);

/* Measures how long an update of it takes. Errors: INTERRUPTED, MEMORY, SYSTEM. */
trm_status train_plan_seconds(const trm_run *run, double *seconds, trm_error *err);

/* Warns of puzzles that have symmetric images and are often seen without any (train_advice.c). */
void train_advise_data(const trm_run *run);
/* What helps where a training takes more than a day. */
void train_advise_time(const trm_run *run, double seconds);

#endif
