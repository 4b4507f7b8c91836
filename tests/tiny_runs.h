/* Runs of the program that ask for little: Sudokus of side 4, and a model so small that an update
 * takes about a millisecond. */
#ifndef TRM_TESTS_TINY_RUNS_H
#define TRM_TESTS_TINY_RUNS_H

#include "launch.h"
#include "trm.h"

static char data_dir[160], model_dir[160];
static char data_setting[200], out_setting[200];

/* The arguments of `trm train` behind the command; `epochs` is a text. */
#define TINY_RUN(epochs)                                                                    \
  "preset=sudoku4", data_setting, out_setting, "arch.hidden_size=32", "arch.H_cycles=2",    \
      "arch.L_cycles=2", "arch.halt_max_steps=3", "global_batch_size=16", "epochs=" epochs, \
      "lr=1e-3", "threads=1"

/* FILE of the run of that name; its folder for "". */
static inline const char *run_path(scratch *s, const char *run, const char *file) {
  char name[96];
  snprintf(name, sizeof name, "runs/Data4-trm/%s%s%s", run, *file ? "/" : "", file);
  return scratch_path(s, name);
}

/* A group's set-up: data of so many puzzles, and a run "model" of two updates. */
static inline int open_runs(void **state, int n_train, int n_test, uint64_t seed) {
  if (scratch_open(state) != 0) return -1;
  scratch *s = *state;
  trm_error err;
  snprintf(data_dir, sizeof data_dir, "%s/data4", s->dir);
  snprintf(data_setting, sizeof data_setting, "data_paths=[%s]", data_dir);
  snprintf(out_setting, sizeof out_setting, "out=%s/runs", s->dir);
  const trm_sudoku_gen_config config = {.size = 4,
                                        .n_train = n_train,
                                        .n_test = n_test,
                                        .seed = seed,
                                        .threads = 1,
                                        .output_dir = data_dir};
  if (trm_gen_sudoku(&config, NULL, &err) != TRM_OK) {
    print_message("%s\n", err.msg);
    return -1;
  }
  snprintf(model_dir, sizeof model_dir, "%s", run_path(s, "model", ""));
  return RUN("train", TINY_RUN("1000"), "run_name=model", "max_updates=2");
}

#endif
