/* The checkpoints of a run folder: step_N/ holds a model folder (the average of the weights),
 * trainer.safetensors, run.json (the mark) and config.yaml, all that a run needs to go on.
 *
 * A step_N is complete or absent. The state of a run is its newest complete one, whatever `last`
 * and `best` say: these are pointers (base/pointer.h) for people, written anew from the mark.
 * Nothing is removed whose mark has not been read and found to be of this run, and no link is
 * followed. */
#ifndef TRM_RUN_CHECKPOINTS_H
#define TRM_RUN_CHECKPOINTS_H

#include "run/run_config.h"

/* What run.json holds: where a run stood at a checkpoint. */
typedef struct trm__run_mark {
  int64_t update, stream_position;
  int64_t evaluated; /* the last update with an evaluation */
  int64_t best_update;
  double best_exact; /* exact accuracy at best_update; -1: none yet */
  int64_t log_bytes;
  uint64_t seed, data; /* of the run; fingerprint of its training data */
} trm__run_mark;

enum { TRM__CHECKPOINT_NAME = 32 };
void trm__checkpoint_name(int64_t update, char name[TRM__CHECKPOINT_NAME]);
/* The mark of a checkpoint folder. Errors: IO, FORMAT, MEMORY. */
trm_status trm__run_mark_read(trm__run_mark *m, const char *checkpoint, trm_error *err);

/* A run's folder, and who is told what was found in it. */
typedef struct trm__run_place {
  trm__dir dir;
  const trm_run_listener *to; /* NULL: nobody */
} trm__run_place;

/* Puts right what copies and kills leave: `best` and `last` that became folders of their own are
 * step_N again or set aside, drafts are removed. The run must be locked. */
trm_status trm__checkpoints_settle(const trm__run_place *run, trm_error *err);
/* The newest complete checkpoint, update 0 where there never was one. Warns of one that is newer
 * and not complete, and fails when no other is left. */
trm_status trm__checkpoints_newest(const trm__run_place *run, trm__run_mark *m, trm_error *err);
/* The same for use as a model, which the state of its training may be missing beside. */
trm_status trm__checkpoints_newest_model(const trm__run_place *run, trm__run_mark *m,
                                         trm_error *err);
/* Makes `last` and `best` say what the mark says. A best checkpoint that is no longer there is
 * forgotten, in the mark too. */
trm_status trm__checkpoints_point(const trm__run_place *run, trm__run_mark *m, trm_error *err);
/* Writes step_N of the mark's update. */
trm_status trm__checkpoints_write(const trm__run_place *run, const trm__run_mark *m,
                                  const trm__run_config *c, trm_trainer *t, trm_error *err);
/* Removes the older ones of this run but the best one and, with keep_evaluated, those of
 * evaluations. */
trm_status trm__checkpoints_prune(const trm__run_place *run, const trm__run_mark *m,
                                  bool keep_evaluated, trm_error *err);

#endif
