/* The folder of a run:
 *   config.yaml          the resolved configuration
 *   log.jsonl            one JSON object per line; an open run holds its lock
 *   record.jsonl         what trained it, where, when and on which data (record.h)
 *   step_N/              checkpoints (checkpoints.h)
 *   last, best           pointers: text files that name a step_N
 * A kill at any moment leaves at most drafts (base/draft.h) and a log that is longer than the
 * newest checkpoint says; both are put right when the run is opened again. What lies in the folder
 * is never followed out of it: links of these names are refused, replaced or passed over. */
#ifndef TRM_RUN_RUN_FOLDER_H
#define TRM_RUN_RUN_FOLDER_H

#include "io/json.h"
#include "run/checkpoints.h"

/* Zeroed: none. What is worth telling goes to at.to. */
typedef struct trm__run_folder {
  char path[TRM__PATH_MAX];
  trm__run_place at;
  int log; /* valid while `open` */
  bool open, keep_evaluated;
  trm__run_mark mark;
} trm__run_folder;

/* A new folder for `c`, with its config.yaml; names that the configuration leaves open are chosen
 * and written into it. An existing folder is an error. */
trm_status trm__run_folder_create(trm__run_folder *r, trm__run_config *c, trm_error *err);
/* The folder that a configuration names, "" where its name is left open; the project's name that it
 * leaves open is chosen and written into it. Errors: CONFIG, ARGUMENT, MEMORY. */
trm_status trm__run_folder_path(trm__run_config *c, char *path, trm_error *err);
/* What trm__run_folder_create would refuse of the names that are given; makes nothing. */
trm_status trm__run_folder_check(trm__run_config *c, trm_error *err);
/* Refuses what is no run folder, and names the run that a checkpoint or a file of one is in, a run
 * that lies in the folder, or where a lost config.yaml is kept. Errors: IO. */
trm_status trm__run_folder_check_is_run(const char *path, trm_error *err);
/* For a message: the first run in a folder of runs or of projects. False: none that can be seen. */
bool trm__run_folder_below(const char *path, char run[TRM__PATH_MAX]);
/* An existing run: locks it, puts right what copies and kills left, and reads the mark of the
 * newest checkpoint (update 0 when there is none). */
trm_status trm__run_folder_open(trm__run_folder *r, const char *path, trm_error *err);
/* Once configuration and data are known to be the run's: removes checkpoints that are no longer
 * wanted (keep_evaluated: those of evaluations are) and cuts the log to the length of the mark. */
trm_status trm__run_folder_go_on(trm__run_folder *r, bool keep_evaluated, trm_error *err);
void trm__run_folder_close(trm__run_folder *r);
/* Closes and removes a new folder that has no checkpoint: its name is free again. */
void trm__run_folder_discard(trm__run_folder *r);
trm_status trm__run_folder_write_config(const trm__run_folder *r, const trm__run_config *c,
                                        trm_error *err);
/* Finishes a compact text and appends it as a line. */
trm_status trm__run_folder_log(trm__run_folder *r, trm__json_out *line, trm_error *err);
/* Refuses a configuration that is not the one the newest checkpoint was made with, but for keys
 * that may change when a run goes on: config.yaml was cut, or edited. */
trm_status trm__run_folder_check_config(const trm__run_folder *r, const trm__run_config *c,
                                        trm_error *err);
/* After a failure `st` to read the config.yaml of a run: says where it is whole. Returns FORMAT
 * then, else `st`. */
trm_status trm__run_folder_explain_config(const char *run, trm_status st, trm_error *err);
/* Writes the checkpoint of r->mark.update; then removes those that are no longer wanted. */
trm_status trm__run_folder_save(trm__run_folder *r, const trm__run_config *c, trm_trainer *t,
                                trm_error *err);
/* The same by rank 0, where the trainer has others, which all call it (run_save.c). */
trm_status trm__run_folder_save_all(trm__run_folder *r, const trm__run_config *c, trm_trainer *t,
                                    trm_error *err);
/* trm__trainer_step (train/trainer.h). */
trm_status trm__run_step(trm_trainer *t, trm_status given, const trm_batch *fresh,
                         trm_metrics *metrics, bool *begun, trm_error *err);
/* Notes what sharing updates has cost so far, where ranks do. */
void trm__run_tell_shared(const trm_run_listener *to, const trm_trainer *t);
/* The state of the trainer in the newest checkpoint. */
trm_status trm__run_folder_state(const trm__run_folder *r, char *path, trm_error *err);

#endif
