/* The parts of a run: its data, its schedule, its batches, its loop. */
#ifndef TRM_RUN_RUN_PARTS_H
#define TRM_RUN_RUN_PARTS_H

#include "comm/comm.h"
#include "run/run_config.h"
#include "run/run_folder.h"

/* ---- data (run_data.c) ---- */

typedef struct trm__run_data {
  trm_dataset **owned; /* everything opened, in this order */
  int n_owned;
  const trm_dataset **train, **test;
  int *test_path; /* [n_test]: which of the folders of test data, or of training data without any */
  const char **votes; /* [n_test]: the folder whose ARC tasks a test set's answers vote for, NULL */
  int n_train, n_test;
  bool held_back; /* test is a share of the training data */
  int64_t groups;
  double mean_puzzle_examples;
} trm__run_data;

/* Opens the data of a configuration and completes its model with what the data say. The test data
 * are the test splits, or a share of the training data where there are none or the configuration
 * asks for it. */
trm_status trm__run_data_open(trm_run_config *config, const trm_run_listener *to, trm__run_data *d,
                              trm_error *err);
void trm__run_data_free(trm__run_data *d);
/* One number for all training sets, to know them again when a run is resumed. */
trm_status trm__run_data_fingerprint(const trm__run_data *d, uint64_t *out, trm_error *err);

/* ---- schedule (schedule.c) ---- */

/* Updates of a configuration, and where among them the evaluations are. */
typedef struct trm__schedule {
  int64_t total; /* of all epochs, as the learning rate sees it */
  int64_t end;   /* where this run ends: total or max_updates */
  double updates_per_epoch;
  double eval_every; /* updates between evaluations, 0: only at the end */
  int64_t skip_evals;
} trm__schedule;

/* TRM_E_CONFIG when there is not a single update. */
trm_status trm__schedule_of(const trm__run_config *c, const trm__run_data *d, trm__schedule *s,
                            trm_error *err);
/* The trainer of a run: its learning rate knows all updates, without `ema` there is no average. */
trm_trainer_config trm__schedule_trainer(const trm__run_config *c, const trm__schedule *s);
/* True when an evaluation follows update u (1..end). */
bool trm__schedule_evaluates(const trm__schedule *s, int64_t u);

/* ---- batches (ahead.c) ---- */

typedef struct trm__ahead trm__ahead;
/* `ahead`: a thread builds batches while updates run, where the system has one; it has the stream
 * for itself then. */
trm_status trm__ahead_create(trm_stream *stream, int rows, int len, bool ahead, trm__ahead **out,
                             trm_error *err);
void trm__ahead_free(trm__ahead *a);
/* The next batch, valid until the next call; only rows with wants[row] are sure to be built. */
const trm_batch *trm__ahead_next(trm__ahead *a, const uint8_t *wants);
/* Has a listener change the batch handed out last, where it wants to. Errors: what it returns. */
trm_status trm__ahead_change(trm__ahead *a, const trm_run_listener *by, int64_t update,
                             const uint8_t *wants, trm_error *err);
/* The stream's position behind the batch handed out last. */
int64_t trm__ahead_position(const trm__ahead *a);

/* ---- the run (run.c), and its loop (run_loop.c) ---- */

struct trm_run {
  trm_run_listener listener;
  trm_run_config *config;
  trm__run_data data;
  trm__schedule schedule;
  trm_run_plan plan;
  trm__run_folder folder;
  bool resumed, placed, settings; /* settings: some were given when it was opened */
  char *command;                  /* that trains it, as it was typed; NULL: unknown */
  bool recorded;                  /* record.jsonl has a start of this process without an end */
  bool ended;                     /* it says already that all is done */
  trm_trainer *trainer;           /* NULL: not begun */
  trm_stream *stream;
  trm__ahead *batches;
  double started, saved_at; /* seconds: of the call that trains, of the last checkpoint */
  int64_t first;            /* the update that call began after */
  int64_t saved;            /* the update of the last checkpoint */
  bool resumes;             /* what came before may lack its evaluation */
  bool failed;              /* a batch was taken and not learned from: the stream is ahead */
  double loss, exact;       /* smoothed; -1: none yet */
};

/* ---- ranks that share it (run_ranks.c); alone, these do nothing or what one does alone ---- */

/* CONFIG on all ranks where one has another version, other kernels, settings or data. */
trm_status trm__run_ranks_meet(const trm_run *run, uint64_t data, trm_error *err);
/* All have the folder's path and the mark of rank 0. */
trm_status trm__run_ranks_follow(trm_run *run, trm_error *err);
/* trm__comm_settle of `st`, in one exchange with this: whether any rank wants to stop, and whether
 * rank 0 finds that a checkpoint is due. */
trm_status trm__run_ranks_stop(const trm_run *run, trm_status st, bool *stop, bool *due,
                               trm_error *err);
/* trm__comm_settle among the ranks of the run. */
static inline trm_status trm__run_settle(const trm_run *run, trm_status st, trm_error *err) {
  return trm__comm_settle(run->listener.comm, st, err);
}
static inline bool trm__run_leads(const trm_run *run) {
  return trm__comm_leads(run->listener.comm);
}

/* ---- what its record gets (run_events.c) ---- */

/* Whether the record of a run that is there says that it is done; what is broken in it is told. */
trm_status trm__run_record_look(trm_run *run, trm_error *err);
/* A start, unless this process has written one that has no end yet. */
trm_status trm__run_record_start(trm_run *run, trm_error *err);
/* An end, where there is a start without one. `message`: why, if it failed. */
void trm__run_record_end(trm_run *run, trm_status why, const char *message);

#endif
