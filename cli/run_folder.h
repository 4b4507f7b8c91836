/* The folder of a run:
 *   config.yaml          the resolved configuration
 *   log.jsonl            one JSON object per line
 *   step_N/              a checkpoint: a model folder (EMA weights), trainer.safetensors, run.json
 *   last, best           symbolic links to step_N
 * A step_N folder is complete or absent, and so is each link: a kill at any moment leaves at most
 * folders and files ending in .tmp, and a log that is longer than the last checkpoint says; both
 * are put right when the run is opened again. An open run is locked against a second process. */
#ifndef TRM_CLI_RUN_FOLDER_H
#define TRM_CLI_RUN_FOLDER_H

#include <jansson.h>

#include "config.h"
#include "files.h"

/* What run.json holds: where a run stood at a checkpoint. */
typedef struct run_mark {
  int64_t update, stream_position;
  int64_t evaluated; /* the last update with an evaluation */
  int64_t best_update;
  double best_exact; /* exact accuracy at best_update; -1: none yet */
  int64_t log_bytes;
  uint64_t seed, data; /* of the run; fingerprint of its training data */
} run_mark;

typedef struct run_folder {
  char path[CLI_PATH_MAX];
  int log; /* file descriptor, -1: not open */
  bool keep_evaluated;
  run_mark mark;
} run_folder;

/* A new folder for `c`, with its config.yaml; names that the configuration leaves open are chosen
 * and written into it. An existing folder is an error. */
trm_status run_folder_create(run_folder *r, run_config *c, trm_error *err);
/* What run_folder_create would refuse of the names that are given; makes nothing. */
trm_status run_folder_check(run_config *c, trm_error *err);
/* An existing run: cleans up, reads the mark of the last checkpoint (update 0 when there is none),
 * cuts the log to its length. keep_evaluated: the checkpoints of all evaluations are kept. */
trm_status run_folder_open(run_folder *r, const char *path, bool keep_evaluated, trm_error *err);
void run_folder_close(run_folder *r);
/* Closes and removes a new folder that has no checkpoint: its name is free again. */
void run_folder_discard(run_folder *r);
trm_status run_folder_write_config(const run_folder *r, const run_config *c, trm_error *err);
/* Appends a line; takes `line` over (NULL: out of memory). */
trm_status run_folder_log(run_folder *r, json_t *line, trm_error *err);
/* Writes the checkpoint of r->mark.update and makes it the last, and the best if asked; then
 * removes those that are no longer wanted. */
trm_status run_folder_save(run_folder *r, trm_trainer *t, bool best, trm_error *err);
/* The mark of a checkpoint folder. */
trm_status run_mark_read(run_mark *m, const char *checkpoint, trm_error *err);
/* What a user means by the model at `path`: a model folder, a file, or a run's best, else last,
 * checkpoint (then *which is "best" or "last", else NULL). */
trm_status run_folder_find_model(const char *path, char *model, const char **which, trm_error *err);
/* Finds and loads it, and says on stderr which checkpoint of a run it is. */
trm_status run_folder_load_model(const char *path, char *model, trm_model **out, trm_error *err);
/* The same for use on data: they tell what a published checkpoint does not, seq_len and the meaning
 * of tokens. NULL: nothing is known of them. */
trm_status run_folder_load_model_for(const char *path, const trm_dataset_info *data, char *model,
                                     trm_model **out, trm_error *err);

#endif
