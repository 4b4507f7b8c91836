/* The folder of a run:
 *   config.yaml          the resolved configuration
 *   log.jsonl            one JSON object per line; an open run holds its lock
 *   step_N/              checkpoints (checkpoints.h)
 *   last, best           pointers: text files that name a step_N
 * A kill at any moment leaves at most drafts (base/draft.h) and a log that is longer than the
 * newest checkpoint says; both are put right when the run is opened again. What lies in the folder
 * is never followed out of it: links of these names are refused, replaced or passed over. */
#ifndef TRM_CLI_RUN_FOLDER_H
#define TRM_CLI_RUN_FOLDER_H

#include "cli/run/checkpoints.h"
#include "io/json.h"

typedef struct run_folder {
  char path[CLI_PATH_MAX];
  trm__dir dir;
  int log; /* file descriptor, -1: not open */
  bool keep_evaluated;
  run_mark mark;
} run_folder;

/* A new folder for `c`, with its config.yaml; names that the configuration leaves open are chosen
 * and written into it. An existing folder is an error. */
trm_status run_folder_create(run_folder *r, run_config *c, trm_error *err);
/* What run_folder_create would refuse of the names that are given; makes nothing. */
trm_status run_folder_check(run_config *c, trm_error *err);
/* Refuses what is no run folder, and names the run that a checkpoint or a file of one is in.
 * Errors: IO. */
trm_status run_folder_check_is_run(const char *path, trm_error *err);
/* An existing run: locks it, puts right what copies and kills left, and reads the mark of the
 * newest checkpoint (update 0 when there is none). */
trm_status run_folder_open(run_folder *r, const char *path, trm_error *err);
/* Once configuration and data are known to be the run's: removes checkpoints that are no longer
 * wanted (keep_evaluated: those of evaluations are) and cuts the log to the length of the mark. */
trm_status run_folder_go_on(run_folder *r, bool keep_evaluated, trm_error *err);
void run_folder_close(run_folder *r);
/* Closes and removes a new folder that has no checkpoint: its name is free again. */
void run_folder_discard(run_folder *r);
trm_status run_folder_write_config(const run_folder *r, const run_config *c, trm_error *err);
/* Finishes a compact text and appends it as a line. */
trm_status run_folder_log(run_folder *r, trm__json_out *line, trm_error *err);
/* Refuses a configuration that is not the one the newest checkpoint was made with, but for keys
 * that may change when a run goes on: config.yaml was cut, or edited. */
trm_status run_folder_check_config(const run_folder *r, const run_config *c, trm_error *err);
/* After a failure `st` to read the config.yaml of a run: says where it is whole. Returns FORMAT
 * then, else `st`. */
trm_status run_folder_explain_config(const char *run, trm_status st, trm_error *err);
/* Writes the checkpoint of r->mark.update; then removes those that are no longer wanted. */
trm_status run_folder_save(run_folder *r, const run_config *c, trm_trainer *t, trm_error *err);
/* The state of the trainer in the newest checkpoint. */
trm_status run_folder_state(const run_folder *r, char *path, trm_error *err);
/* What a user means by the model at `path`: a model folder, a file, what RUN/best or RUN/last
 * names, the name of a model (named_models.h), or a run's best, else newest, checkpoint (then
 * *which is "best" or "last", else NULL). */
trm_status run_folder_find_model(const char *path, char *model, const char **which, trm_error *err);
/* Finds and loads it, and says on stderr which checkpoint of a run it is. */
trm_status run_folder_load_model(const char *path, char *model, trm_model **out, trm_error *err);
/* The same for use on data: they tell what a published checkpoint does not, seq_len and the meaning
 * of tokens. NULL: nothing is known of them. */
trm_status run_folder_load_model_for(const char *path, const trm_dataset_info *data, char *model,
                                     trm_model **out, trm_error *err);

#endif
