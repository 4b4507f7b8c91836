/* Trains a model for a data set and keeps checkpoints, or goes on with a run that was stopped:
 *   train_run [KEY=VALUE ...]         as in: train_run preset=sudoku6 data_paths=[data/sudoku6]
 *   train_run --resume RUN_FOLDER
 * Ctrl-C saves and ends.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <trm.h>

static volatile sig_atomic_t stop;

static void on_interrupt(int number) {
  (void)number;
  stop = 1;
}

static void tell(void *arg, trm_run_level level, const char *text) {
  (void)arg;
  fprintf(stderr, "%s%s\n", level == TRM_RUN_WARNING ? "warning: " : "", text);
}

static bool go_on(void *arg, const trm_run_progress *p) {
  (void)arg;
  if (!p->evaluating && p->done % 100 == 0)
    fprintf(stderr, "update %lld of %lld, loss %.3f\n", (long long)p->done, (long long)p->total,
            p->loss);
  return !stop;
}

int main(int argc, char **argv) {
  const trm_run_listener listener = {.message = tell, .progress = go_on};
  const int resume = argc == 3 && !strcmp(argv[1], "--resume");
  trm_run_config *config;
  trm_run *run = NULL;
  trm_error err;
  trm_status st;
  signal(SIGINT, on_interrupt);

  if (resume) {
    st = trm_run_open(argv[2], NULL, 0, &listener, &run, &err);
  } else {
    st = trm_run_config_load(NULL, (const char *const *)argv + 1, argc - 1, &config, &err);
    if (st == TRM_OK) st = trm_run_create(config, &listener, &run, &err); /* takes config over */
  }
  if (st == TRM_OK) st = trm_run_train(run, 0, &err);
  if (st == TRM_OK || st == TRM_E_INTERRUPTED)
    printf("%s, update %lld\n", trm_run_get_state(run).folder,
           (long long)trm_run_get_state(run).update);
  else
    fprintf(stderr, "train_run: %s\n", err.msg);
  trm_run_free(run);
  return st != TRM_OK;
}
