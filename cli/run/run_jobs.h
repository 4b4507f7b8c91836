/* Many runs, trained one after another or side by side, each in a process of its own: what one does
 * to itself is not done to the others. Runs that are finished are passed over and begun ones go on,
 * so the same call again does what is left. */
#ifndef TRM_CLI_RUN_JOBS_H
#define TRM_CLI_RUN_JOBS_H

#include "cli/cli.h"

/* A run: what it is called in messages, and settings that name its folder. Views, until the next
 * one is asked for. */
typedef struct run_job {
  const char *label;
  const char *const *settings;
  int n;
} run_job;

typedef struct run_jobs {
  int n;
  trm_status (*job)(void *arg, int i, run_job *out, trm_error *err);
  void *arg;
  const char *config;  /* a YAML file of settings under those of each; NULL: none */
  const char *command; /* for the records of the runs; NULL: unknown */
  int at_once;         /* runs side by side, from 1, which share the processors */
} run_jobs;

/* What came of them. A run that diverged is one with a result. */
typedef struct run_jobs_tally {
  int done, diverged, failed, busy /* another process has it */, left;
} run_jobs_tally;

/* The configuration of a job, with the model that it starts from found. Errors: those of
 * trm_run_config_load, in front of which the job's label stands. */
trm_status run_jobs_load(const run_jobs *r, int i, trm_run_config **out, trm_error *err);
/* Trains them. First all are looked at: what one of them would refuse ends it before any is begun.
 * Prints a line for each on stdout, the rest on stderr. Returns an exit code: CLI_INTERRUPTED after
 * a signal, when those under way are saved; CLI_FAILED if one failed or another process has it. */
int run_jobs_train(const run_jobs *r, run_jobs_tally *tally);

#endif
