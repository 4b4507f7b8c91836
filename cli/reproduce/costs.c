/* See costs.h. */
#include "cli/reproduce/costs.h"

#include <math.h>
#include <string.h>

#include "cli/bench/bench_model.h"

/* A model as a run's data complete it. */
static trm_model_config model_of(const trm_run_config *c, const repro_task *task) {
  trm_model_config m = *trm_run_config_model(c);
  m.puzzle = task->puzzle;
  m.seq_len = m.puzzle.rows * m.puzzle.cols;
  m.vocab_size = trm_puzzle_first_symbol(&m.puzzle) + trm_puzzle_n_symbols(&m.puzzle);
  m.num_puzzle_identifiers = 1;
  return m;
}

/* A number that a key has; `otherwise` for null. */
static double number_of(const trm_run_config *c, const char *key, double otherwise) {
  char text[64];
  double value;
  if (trm_run_config_get(c, key, text, sizeof text, NULL) != TRM_OK) return otherwise;
  return trm__number_double(text, &value) ? value : otherwise;
}

static trm_status load(const repro_row *row, repro_scale scale, const char *const *user, int n,
                       trm_run_config **out, trm_error *err) {
  const char *settings[REPRO_MAX_SETTINGS];
  const int all = repro_row_settings(row, scale, user, n, settings);
  return trm_run_config_load(NULL, settings, all, out, err);
}

#define NO_END 9e15

/* Groups of the paper's data are its 1,000 puzzles; at the laptop's scale max_updates says it. */
static int64_t updates_of(const trm_run_config *c, repro_scale scale) {
  enum { PAPER_GROUPS = 1000 };
  const double batch = trm_run_config_trainer(c)->batch_size;
  const double most =
      scale == REPRO_PAPER ? floor(number_of(c, "epochs", 0) * PAPER_GROUPS / batch) : INFINITY;
  return (int64_t)fmin(fmin(most, number_of(c, "max_updates", INFINITY)), NO_END);
}

/* On a processor what does not fit is known; on a GPU who creates the trainer says so. */
static trm_status check_room(const trm_trainer_cost *cost, trm_device device, trm_error *err) {
  char limit[128], left[32], need[32];
  const int64_t room = trm_memory_room(limit, sizeof limit), bytes = cost->bytes + cost->evaluation;
  if (device.kind != TRM_DEVICE_CPU || bytes <= room) return TRM_OK;
  cli_format_bytes((double)room, left, sizeof left);
  cli_format_bytes((double)bytes, need, sizeof need);
  return cli_fail(err, TRM_E_MEMORY, -1, "%s of memory are needed, %s are left of %s", need, left,
                  limit);
}

static trm_status cost_of(const trm_run_config *c, const repro_task *task, repro_scale scale,
                          repro_cost *out, trm_error *err) {
  const trm_model_config m = model_of(c, task);
  trm_trainer_config t = *trm_run_config_trainer(c);
  trm_trainer_cost trainer;
  CLI_TRY(trm_model_config_check(&m, err));
  CLI_TRY(trm_model_cost_of(&m, &out->model, err));
  out->updates = updates_of(c, scale);
  if ((double)out->updates >= NO_END)
    return cli_fail(err, TRM_E_CONFIG, -1,
                    "max_updates: want a number, for at --scale laptop nothing else ends a row");
  t.total_steps = out->updates;
  t.device = trm_device_resolve(t.device, NULL);
  CLI_TRY(trm_trainer_cost_of(&m, &t, &trainer, err));
  CLI_TRY(check_room(&trainer, t.device, err));
  out->tests = (int64_t)fmin((double)task->tests, number_of(c, "eval_limit", INFINITY));
  out->bytes = trainer.bytes;
  out->train = (double)out->updates * t.batch_size * out->model.flops_train;

  /* With several tries of each puzzle at most that many times as much. */
  const double tries = number_of(c, "eval_views", 1) * number_of(c, "eval_rollouts", 1);
  out->eval = (double)out->tests * tries * m.halt_max_steps * out->model.flops_forward;
  return TRM_OK;
}

repro_cost repro_cost_of(const repro_row *row, repro_scale scale, const char *const *user, int n) {
  repro_cost out = {0};
  trm_run_config *c;
  trm_error why = {0};
  trm_status st = load(row, scale, user, n, &c, &why);
  if (st == TRM_OK) {
    st = cost_of(c, repro_task_of(scale, row->where), scale, &out, &why);
    trm_run_config_free(c);
  }
  if (st != TRM_OK)
    snprintf(out.unable, sizeof out.unable, "%.*s", (int)sizeof out.unable - 1, why.msg);
  return out;
}

/* About a second's worth on a processor. */
static int rows_of(const bench_model *m, trm_device device, int threads) {
  trm_model_cost cost;
  const int batch = m->trainer.batch_size;
  if (device.kind != TRM_DEVICE_CPU || trm_model_cost_of(&m->model, &cost, NULL) != TRM_OK)
    return batch;
  return (int)fmin(fmax(fmin(64, 2e10 / fmax(cost.flops_train, 1)), threads), batch);
}

trm_status repro_rate_of(const repro_row *row, repro_scale scale, const char *const *user, int n,
                         double *rate, trm_error *err) {
  bench_model m = {.name = "base"};
  bench_table table = {0};
  cli_patience patience;
  trm_run_config *c;
  CLI_TRY(load(row, scale, user, n, &c, err));
  m.model = model_of(c, repro_task_of(scale, row->where));
  m.trainer = *trm_run_config_trainer(c);
  trm_run_config_free(c);

  /* A few rows keep processors as busy as many do, a GPU is to be full. */
  const trm_device device = trm_device_resolve(m.trainer.device, err);
  const int threads = m.trainer.threads ? m.trainer.threads : trm_default_threads();
  const bench_case one = {.test = "train",
                          .model = &m,
                          .dtype = m.model.forward_dtype,
                          .device = device,
                          .threads = threads,
                          .batch = rows_of(&m, device, threads),
                          .runs = 1};
  cli_patience_begin(&patience, CLI_PATIENCE, "timing an update, which takes a while");
  const trm_status st = bench_train(&one, &table, err);
  cli_patience_end(&patience);
  *rate = table.n ? 1e9 * table.rows[0].number[BENCH_GFLOPS] : 0;
  bench_table_free(&table);
  return st;
}
