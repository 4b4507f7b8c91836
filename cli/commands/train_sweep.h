/* trm train -m: the runs of a sweep over settings. */
#ifndef TRM_CLI_TRAIN_SWEEP_H
#define TRM_CLI_TRAIN_SWEEP_H

#include "cli/cli.h"

typedef struct train_sweep {
  const char *const *settings;
  int n;
  const char *config;  /* NULL: none */
  const char *command; /* NULL: unknown */
  int jobs;            /* runs side by side */
  bool dry_run;        /* list them with their costs, and write nothing */
} train_sweep;

/* Returns an exit code. */
int train_sweep_run(const train_sweep *s);

#endif
