/* Runs of the library that take an instant: Sudokus of side 4, six updates; and folders of runs
 * with a log and a record as a test wants them. */
#ifndef TRM_TESTS_SMALL_RUNS_H
#define TRM_TESTS_SMALL_RUNS_H

#include "scratch.h"
#include "trm.h"

static char data_setting[240], out_setting[240];

static inline int set_up(void **state) {
  char data[200];
  if (scratch_open(state)) return -1;
  scratch *s = *state;
  snprintf(data, sizeof data, "%s", scratch_path(s, "data"));
  snprintf(data_setting, sizeof data_setting, "data_paths=[%s]", data);
  snprintf(out_setting, sizeof out_setting, "out=%s", scratch_path(s, "runs"));
  const trm_sudoku_gen_config gen = {.size = 4, .n_train = 32, .n_test = 8, .output_dir = data};
  return trm_gen_sudoku(&gen, NULL, NULL) == TRM_OK ? 0 : -1;
}

enum { MOST = 32, UPDATES = 6 };

/* A configuration of a tiny run with a few settings more, up to NULL. */
static inline trm_run_config *config_of(const char *const *more) {
  static const char *const small[] = {"project_name=p",
                                      "arch=trm",
                                      "arch.L_layers=1",
                                      "arch.H_cycles=1",
                                      "arch.L_cycles=1",
                                      "arch.hidden_size=16",
                                      "arch.num_heads=2",
                                      "arch.mlp_t=True",
                                      "arch.pos_encodings=none",
                                      "arch.puzzle_emb_len=1",
                                      "arch.halt_max_steps=2",
                                      "global_batch_size=16",
                                      "epochs=3",
                                      "eval_interval=1",
                                      "lr_warmup_steps=0",
                                      "threads=1",
                                      "device=cpu"};
  const char *settings[MOST] = {data_setting, out_setting};
  int n = 2;
  trm_run_config *c;
  trm_error err;
  for (size_t i = 0; i < sizeof small / sizeof *small; i++) settings[n++] = small[i];
  for (; *more; more++) settings[n++] = *more;
  if (trm_run_config_load(NULL, settings, n, &c, &err) != TRM_OK) fail_msg("%s", err.msg);
  return c;
}
#define MORE(...)         \
  (const char *const[]) { \
    __VA_ARGS__, NULL     \
  }

static inline trm_run *run_of(trm_run_config *c, const trm_run_listener *l) {
  trm_run *run;
  trm_error err;
  if (trm_run_continue(c, l, &run, &err) != TRM_OK) fail_msg("%s", err.msg);
  return run;
}

/* Trains a run of its own settings to its end. */
static inline void train(const char *const *more) {
  trm_run *run = run_of(config_of(more), NULL);
  trm_error err;
  if (trm_run_train(run, 0, &err) != TRM_OK) fail_msg("%s", err.msg);
  trm_run_free(run);
}

static inline const char *path_of(scratch *s, const char *name) {
  static char path[300];
  snprintf(path, sizeof path, "%s/runs/p/%s", s->dir, name);
  return path;
}

static inline trm_run_record *record_of(const char *folder) {
  trm_run_record *r;
  trm_error err;
  if (trm_run_record_open(folder, &r, &err) != TRM_OK) fail_msg("%s", err.msg);
  return r;
}

/* A log and a record as they might be, in the folder of a run that was trained. */
static inline void put_files(scratch *s, const char *name, const char *log, const char *record) {
  char path[400];
  snprintf(path, sizeof path, "%s/log.jsonl", path_of(s, name));
  write_bytes(path, log, strlen(log));
  snprintf(path, sizeof path, "%s/record.jsonl", path_of(s, name));
  if (record)
    write_bytes(path, record, strlen(record));
  else
    (void)unlink(path);
}

#define AT(step, time) "{\"step\":" #step ",\"epoch\":" #step ".0,\"time\":" #time ".0"
#define EXACT(step, time, exact) \
  AT(step, time)                 \
  ",\"all/exact_accuracy\":" #exact ",\"all/n\":8}\n"
#define LOSS(step, time, loss) \
  AT(step, time)               \
  ",\"train/lm_loss\":" #loss "}\n"
#define START(update, end, time)                                                 \
  "{\"event\":\"start\",\"update\":" #update ",\"end\":" #end ",\"time\":" #time \
  ".0,\"host\":"                                                                 \
  "\"h\",\"threads\":3}\n"
#define END(update, state, time) \
  "{\"event\":\"end\",\"update\":" #update ",\"state\":\"" state "\",\"time\":" #time ".0}\n"

#endif
