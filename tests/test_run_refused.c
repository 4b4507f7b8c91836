/* The system refuses the n-th block of memory: configurations and runs report it, give back all
 * they took (the address sanitizer sees what they do not), and what is saved stays whole. */
#include "refuse.h"
#include "scratch.h"
#include "trm.h"

static char data_setting[240], out_setting[240], folder[200];

static int set_up(void **state) {
  char data[200];
  if (scratch_open(state)) return -1;
  scratch *s = *state;
  snprintf(data, sizeof data, "%s", scratch_path(s, "data"));
  snprintf(data_setting, sizeof data_setting, "data_paths=[%s]", data);
  snprintf(out_setting, sizeof out_setting, "out=%s", s->dir);
  snprintf(folder, sizeof folder, "%s", scratch_path(s, "p/r"));
  const trm_sudoku_gen_config gen = {
      .size = 4, .n_train = 8, .n_test = 2, .threads = 1, .output_dir = data};
  return trm_gen_sudoku(&gen, NULL, NULL) == TRM_OK ? 0 : -1;
}

static trm_status configure(trm_error *err) {
  static const char *const settings[] = {"preset=sudoku6", "data_paths=[a, b]"};
  trm_run_config *c;
  TRM_TRY(trm_run_config_load(NULL, settings, 2, &c, err));
  const trm_status st = trm_run_config_set(c, "run_name", "r", err);
  if (st != TRM_OK) assert_null(trm_run_config_item(c, "run_name", 0));
  trm_run_config_free(c);
  return st;
}

static trm_status begin(trm_error *err) {
  static const char *const settings[] = {data_setting,
                                         out_setting,
                                         "project_name=p",
                                         "run_name=r",
                                         "arch.hidden_size=8",
                                         "arch.num_heads=1",
                                         "arch.mlp_t=True",
                                         "arch.pos_encodings=none",
                                         "arch.L_layers=1",
                                         "arch.H_cycles=1",
                                         "arch.L_cycles=1",
                                         "arch.puzzle_emb_len=1",
                                         "arch.halt_max_steps=2",
                                         "global_batch_size=4",
                                         "epochs=2",
                                         "threads=1",
                                         "device=cpu",
                                         "ema=True"};

  /* All that a run does: it is configured, trains, saves and ends. */
  trm_run_config *c;
  trm_run *run;
  TRM_TRY(trm_run_config_load(NULL, settings, sizeof settings / sizeof *settings, &c, err));
  TRM_TRY(trm_run_create(c, NULL, &run, err));
  trm_status st = trm_run_train(run, 1, err);
  if (st == TRM_OK) st = trm_run_save(run, err);
  trm_run_free(run);
  return st;
}

static trm_status go_on(trm_error *err) {
  trm_run *run;
  TRM_TRY(trm_run_open(folder, NULL, 0, NULL, &run, err));
  const trm_status st = trm_run_train(run, 1, err);
  trm_run_free(run);
  return st;
}

static trm_status look(trm_error *err) {
  char file[TRM_PATH_SIZE];
  const char *which;
  trm_model *m;
  TRM_TRY(trm_model_find(folder, NULL, file, &which, err));
  TRM_TRY(trm_model_open(file, NULL, NULL, &m, err));
  trm_model_free(m);
  return TRM_OK;
}

/* A run that cannot be read for want of memory is not passed over. */
static trm_status compare(trm_error *err) {
  const char *const where = folder, *const key = "lr";
  trm_runs *runs;
  trm_run_point *points = NULL;
  int64_t n;
  int group[1], groups;
  TRM_TRY(trm_runs_find(&where, 1, NULL, &runs, err));
  assert_int_equal(trm_runs_count(runs), 1);
  trm_status st = trm_runs_group(runs, &key, 1, group, &groups, err);
  if (st == TRM_OK)
    st = trm_run_record_curve(trm_runs_at(runs, 0), "train/lm_loss", &points, &n, err);
  trm_run_points_free(points);
  trm_runs_free(runs);
  return st;
}

static trm_status sweep(trm_error *err) {
  static const char *const values[] = {"seed=0,1", "lr=range(3)", "data_paths=[a,b],[c]"};
  const char *const *settings;
  trm_sweep *s;
  int n;
  TRM_TRY(trm_sweep_create(values, 3, &s, err));
  const trm_status st = trm_sweep_settings(s, 7, &settings, &n, err);
  if (st == TRM_OK) assert_int_equal(n, 4);
  trm_sweep_free(s);
  return st;
}

/* `fresh`: without the folder of the time before. */
static void refuse_each(trm_status (*run)(trm_error *err), bool fresh) {
  int reported = 0;
  for (int n = 0;; n++) {
    trm_error err;
    if (fresh) assert_int_equal(trm__remove_tree(folder, NULL), TRM_OK);
    calls_left = n;
    const trm_status st = run(&err);
    const bool was_refused = calls_left < 0;
    calls_left = -1;
    if (st != TRM_OK && st != TRM_E_MEMORY && st != TRM_E_SYSTEM)
      fail_msg("block %d: %d: %s", n, (int)st, err.msg);
    reported += st != TRM_OK;
    if (was_refused) continue;
    assert_int_equal(st, TRM_OK);
    break;
  }
  assert_true(reported > 8);
}

static void refused_blocks_are_reported(void **state) {
  (void)state;
  refuse_each(configure, false);
  refuse_each(begin, true);
  refuse_each(look, false);
  refuse_each(go_on, false);
  refuse_each(compare, false);
  refuse_each(sweep, false);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(refused_blocks_are_reported)};
  return cmocka_run_group_tests(tests, set_up, scratch_close);
}
