/* One run of one row: from its settings to a line of the results. */
#ifndef TRM_CLI_REPRODUCE_RUNNER_H
#define TRM_CLI_REPRODUCE_RUNNER_H

#include "cli/cli.h"
#include "cli/reproduce/costs.h"
#include "cli/reproduce/results.h"
#include "cli/reproduce/tables.h"

enum { REPRO_MAX_LABEL = 120 };

/* What all runs of a command have in common. */
typedef struct repro_bench {
  repro_scale scale;
  const char *folder;      /* of results, data and runs */
  const char *const *user; /* settings for all rows: a part of what the folder is about */
  int n_user;
  const char *const *place; /* settings that change no result: device, threads */
  int n_place;
  const char
      *data[REPRO_TASKS]; /* where they are, of tasks without a generator; NULL: the preset's */
  const char *command;    /* as it was typed, for the records of runs; NULL: unknown */
} repro_bench;

typedef enum repro_outcome {
  REPRO_DONE,    /* there is a result: of a run to the end, or of one that diverged */
  REPRO_UNABLE,  /* it does not fit into the memory of the GPU */
  REPRO_STOPPED, /* it was asked to end; what was learned is saved */
  REPRO_FAILED
} repro_outcome;

/* Trains a row with a seed, or goes on where that was stopped, and adds the result. `label` is
 * shown while it runs. A folder of a run with other settings is refused. */
repro_outcome repro_run(const repro_bench *b, const repro_row *row, int seed, const char *label,
                        repro_results *results, trm_error *why);

#endif
