/* The parts of `trm train`: its data, its plan, its loop. */
#ifndef TRM_CLI_TRAIN_H
#define TRM_CLI_TRAIN_H

#include "cli/run/config.h"
#include "cli/run/run_folder.h"

/* ---- data (train_data.c) ---- */

typedef struct train_data {
  trm_dataset **owned; /* everything opened, in this order */
  int n_owned;
  const trm_dataset **train, **test;
  const char **votes; /* [n_test]: the folder whose ARC tasks a test set's answers vote for, NULL */
  int n_train, n_test;
  bool held_back; /* test is a share of the training data */
  int64_t groups;
  double mean_puzzle_examples;
} train_data;

/* Opens the data of `c` and completes c->model with what the data say. The test data are the test
 * splits, or a share of the training data where there are none or the configuration asks for it. */
trm_status train_data_open(run_config *c, train_data *d, trm_error *err);
void train_data_free(train_data *d);
/* One number for all training sets, to know them again when a run is resumed. */
trm_status train_data_fingerprint(const train_data *d, uint64_t *out, trm_error *err);

/* ---- plan (train_plan.c) ---- */

/* Updates of a configuration, and where among them the evaluations are. */
typedef struct train_schedule {
  int64_t total; /* of all epochs, as the learning rate sees it */
  int64_t end;   /* where this run ends: total or max_updates */
  double updates_per_epoch;
  double eval_every; /* updates between evaluations, 0: only at the end */
  int64_t skip_evals;
} train_schedule;

/* TRM_E_CONFIG when there is not a single update. */
trm_status train_schedule_of(const run_config *c, const train_data *d, train_schedule *s,
                             trm_error *err);
/* The trainer of a run: its learning rate knows all updates, without `ema` there is no average. */
trm_trainer_config train_trainer_config(const run_config *c, const train_schedule *s);
/* True when an evaluation follows update u (1..end). */
bool train_schedule_evaluates(const train_schedule *s, int64_t u);
/* Prints parameters, plan, memory, updates, work and an estimate of the time, which it measures. */
trm_status train_plan_print(const run_config *c, const train_data *d, const train_schedule *s,
                            FILE *f, trm_error *err);

/* ---- advice (train_advice.c) ---- */

/* Fails for a training folder that does not exist, with the command that makes it. */
trm_status train_advise_missing(const run_config *c, const char *dir, trm_error *err);
/* Warns of puzzles that have symmetric images and are often seen without any. */
void train_advise_data(const run_config *c, const train_data *d, const train_schedule *s);
/* What helps where a training takes more than a day. */
void train_advise_time(const run_config *c, const train_data *d, double seconds);

/* ---- batches (train_ahead.c) ---- */

typedef struct train_ahead train_ahead;
/* `ahead`: a thread builds batches while updates run; it has the stream for itself then. */
trm_status train_ahead_create(trm_stream *stream, int rows, int len, bool ahead, train_ahead **out,
                              trm_error *err);
void train_ahead_free(train_ahead *a);
/* The next batch, valid until the next call; only rows with wants[row] are sure to be built. */
const trm_batch *train_ahead_next(train_ahead *a, const uint8_t *wants);
/* The stream's position behind the batch handed out last. */
int64_t train_ahead_position(const train_ahead *a);

/* ---- loop (train_loop.c) ---- */

/* Trains from r->mark to s->end. TRM_E_INTERRUPTED: a signal came and the state is saved. */
trm_status train_loop(const run_config *c, const train_data *d, const train_schedule *s,
                      run_folder *r, trm_trainer *t, trm_stream *stream, trm_error *err);

#endif
