/* See runner.h. */
#include "cli/reproduce/runner.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/folder.h"
#include "cli/reproduce/stats.h"
#include "cli/run/find_model.h"

/* A run and what is heard of it. */
typedef struct work {
  const repro_bench *bench;
  trm_run *run;
  cli_progress training, evaluating;
  bool shows_evaluation;
  uint8_t *bits;                /* of the evaluation that is under way, or was the last */
  int64_t examples, answers;    /* room in bits; of which so many were told */
  uint64_t trains_on, tests_on; /* fingerprints of its data */
} work;

/* --- what is heard --- */

static void tell(void *arg, trm_run_level level, const char *text) {
  work *w = arg;
  if (level == TRM_RUN_NOTE) return; /* of thirty runs they would hide what they are about */
  cli_progress_clear(&w->evaluating);
  cli_progress_clear(&w->training);
  cli_tell(NULL, level, text);
}

static bool follow(void *arg, const trm_run_progress *p) {
  work *w = arg;
  char extra[96];

  /* An evaluation begins: what an earlier one told is of another model. */
  if (p->evaluating && !w->shows_evaluation) {
    cli_progress_clear(&w->training);
    cli_progress_begin(&w->evaluating, "evaluating", 0, 0, "examples", 1);
    memset(w->bits, 0, (size_t)repro_bytes_of(w->examples));
    w->answers = 0;
  }
  if (!p->evaluating && w->shows_evaluation) cli_progress_end(&w->evaluating);
  w->shows_evaluation = p->evaluating;
  if (p->evaluating)
    return p->total ? cli_progress_tick(&w->evaluating, p->done, p->total) : !cli_interrupted();

  snprintf(extra, sizeof extra, "loss %.3f  exact %.1f %%", fmax(p->loss, 0),
           100 * fmax(p->exact, 0));
  cli_progress_update(&w->training, p->done, extra);
  return !cli_interrupted();
}

static trm_status keep_answer(void *arg, const trm_eval_row *row, trm_error *err) {
  work *w = arg;
  bool right = true;
  if (row->example >= w->examples)
    return cli_fail(err, TRM_E_RANGE, row->example, "example %lld of %lld was evaluated",
                    (long long)row->example, (long long)w->examples);
  const int n = trm_run_get_plan(w->run)->model->seq_len;
  for (int i = 0; right && i < n; i++)
    right = row->labels[i] < 0 || row->labels[i] == row->answer[i];
  if (right) w->bits[row->example / 8] |= (uint8_t)(1u << (row->example % 8));
  w->answers++;
  return TRM_OK;
}

/* --- data --- */

/* "KEY=" and a path in quotes, for it may have commas, between two brackets or none. */
static void put_path(char *out, size_t size, const char *key, const char *path, const char *end) {
  size_t n = (size_t)snprintf(out, size, "%s\"", key);
  for (; *path && n + 5 < size; path++) {
    if (*path == '"' || *path == '\\') out[n++] = '\\';
    out[n++] = *path;
  }
  snprintf(out + n, size - n, "\"%s", end);
}

/* Data of a seed are made when they are first needed; *folder is "" where they are the preset's. */
static trm_status provide_data(const repro_bench *b, repro_where where, int seed,
                               char folder[TRM__PATH_MAX], trm_error *err) {
  const repro_task *task = repro_task_of(b->scale, where);
  trm__kind kind;
  cli_progress bar;
  folder[0] = 0;
  if (!task->generate && b->data[where]) return trm__path_format(folder, err, "%s", b->data[where]);
  if (!task->generate) return TRM_OK;
  CLI_TRY(trm__path_format(folder, err, "%s/data/%s-%d", b->folder, task->name, seed));
  CLI_TRY(trm__path_look(folder, &kind, err));
  if (kind != TRM__ABSENT) return TRM_OK;
  cli_progress_begin(&bar, "generating", 0, 0, "puzzles", 1);
  const trm_status st = task->generate(folder, (uint64_t)seed, &bar, err);
  cli_progress_end(&bar);
  return st;
}

/* --- the run --- */

enum { OWN = 3 }; /* settings that say which run it is, and where */
typedef struct settings {
  const char *v[REPRO_MAX_SETTINGS];
  int n, n_common; /* the first n_common are the result's: without seed and places */
  char own[OWN][2 * TRM__PATH_MAX];
  char folder[TRM__PATH_MAX], data[TRM__PATH_MAX]; /* of the run, and what it learns; "" */
} settings;

static trm_status make_settings(const repro_bench *b, const repro_row *row, int seed, settings *s,
                                trm_error *err) {
  char name[REPRO_NAME];
  repro_row_name(row, name);
  s->n = s->n_common = repro_row_settings(row, b->scale, b->user, b->n_user, s->v);
  CLI_TRY(trm__path_format(s->folder, err, "%s/runs/%s-%d", b->folder, name, seed));
  CLI_TRY(provide_data(b, row->where, seed, s->data, err));

  /* Seed, place and data; what changes no result comes last. */
  int own = 0;
  snprintf(s->own[own++], sizeof s->own[0], "seed=%d", seed);
  put_path(s->own[own++], sizeof s->own[0], "checkpoint_path=", s->folder, "");
  if (s->data[0]) put_path(s->own[own++], sizeof s->own[0], "data_paths=[", s->data, "]");
  for (int i = 0; i < own; i++) s->v[trm__push(&s->n, REPRO_MAX_SETTINGS)] = s->own[i];
  for (int i = 0; i < b->n_place; i++) s->v[trm__push(&s->n, REPRO_MAX_SETTINGS)] = b->place[i];
  return trm__check_list(s->n, REPRO_MAX_SETTINGS, "settings", err);
}

static trm_status open_run(const settings *s, const trm_run_listener *listener, trm_run **run,
                           trm_error *err) {
  char folder[TRM_PATH_SIZE];
  trm_run_config *c;
  trm_error why = {0};
  bool there;
  *run = NULL;
  CLI_TRY(trm_run_config_load(NULL, s->v, s->n, &c, err));
  const trm_status st = trm_run_find(c, folder, &there, &why);
  if (st == TRM_OK) return trm_run_continue(c, listener, run, err);
  trm_run_config_free(c);
  return cli_fail(err, st, why.pos, "%.400s%s", why.msg,
                  st == TRM_E_CONFIG ? "; tables are not mixed: name another --output" : "");
}

/* Data of the user that are not what the table says they are. */
static trm_status check_kind(const work *w, const repro_row *row, trm_error *err) {
  const repro_task *task = repro_task_of(w->bench->scale, row->where);
  const trm_dataset_info *info = trm_dataset_get_info(trm_run_training_set(w->run, 0));
  const trm_puzzle *want = &task->puzzle, *have = &info->puzzle;
  if (have->kind == want->kind && have->rows == want->rows && have->cols == want->cols)
    return TRM_OK;
  return cli_fail(err, TRM_E_CONFIG, -1,
                  "%s: its data are %s of %d x %d cells, but here is a puzzle of kind %s with %d "
                  "tokens: name others by --%s DIR",
                  task->about, trm_puzzle_kind_name(want->kind), want->rows, want->cols,
                  trm_puzzle_kind_name(have->kind), info->seq_len, task->name);
}

/* Rows are compared puzzle by puzzle, so those of a task have the same data: all of them where data
 * are the user's, those of a seed where they are generated. */
static trm_status check_data(work *w, const repro_row *row, int seed, const repro_results *results,
                             trm_error *err) {
  const repro_task *task = repro_task_of(w->bench->scale, row->where);
  CLI_TRY(check_kind(w, row, err));
  CLI_TRY(trm_dataset_fingerprint(trm_run_training_set(w->run, 0), &w->trains_on, err));
  CLI_TRY(trm_dataset_fingerprint(trm_run_test_set(w->run, 0), &w->tests_on, err));
  const repro_result *other = repro_results_of_other_data(
      results, task->name, task->generate ? seed : -1, w->trains_on, w->tests_on);
  if (!other) return TRM_OK;
  return cli_fail(err, TRM_E_CONFIG, -1,
                  "%.200s: %s of seed %d there was trained or tested on other data than these: "
                  "tables are not mixed; give the data that it had, or name another --output",
                  w->bench->folder, other->name, other->seed);
}

/* Room for the answers to the test set. */
static trm_status make_room(work *w, trm_error *err) {
  w->examples = trm_run_get_plan(w->run)->tests;
  w->bits = calloc((size_t)repro_bytes_of(w->examples) + 1, 1);
  if (w->bits) return TRM_OK;
  return cli_fail(err, TRM_E_MEMORY, -1, "no memory for %lld answers", (long long)w->examples);
}

/* The answers of a run whose evaluation an earlier process made, and did not come to write down:
 * its log has that already. */
static trm_status answer_again(work *w, trm_error *err) {
  cli_progress bar;
  trm_eval_report *report = malloc(sizeof *report);
  trm_eval_config c = trm_run_get_plan(w->run)->evaluation;
  if (!report) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for an evaluation");
  c.row = keep_answer;
  c.row_arg = w;
  c.progress = cli_progress_tick;
  c.progress_arg = &bar;
  cli_progress_begin(&bar, "evaluating", 0, 0, "examples", 1);
  const trm_status st =
      trm_evaluate(trm_run_model(w->run), trm_run_test_set(w->run, 0), &c, report, err);
  cli_progress_end(&bar);
  free(report);
  return st;
}

static trm_status train(work *w, const char *label, trm_error *err) {
  const int64_t at = trm_run_get_state(w->run).update;
  const trm_run_plan *plan = trm_run_get_plan(w->run);
  CLI_TRY(trm_run_set_command(w->run, w->bench->command, err));
  CLI_TRY(trm_run_begin(w->run, err));
  CLI_TRY(cli_faults_check(err));
  cli_progress_begin(&w->training, label, at, plan->end, "samples", plan->trainer.batch_size);
  trm_status st = trm_run_train(w->run, 0, err);

  if (st == TRM_OK && w->answers == 0) st = answer_again(w, err);
  cli_progress_end(&w->evaluating);
  cli_progress_end(&w->training);
  return st;
}

/* --- the result --- */

static trm_status record(const work *w, const settings *s, repro_result *r, repro_results *results,
                         trm_error *err) {
  char device[32];
  trm_model_cost cost;
  const trm_run_plan *plan = trm_run_get_plan(w->run);
  repro_record about = {.settings = s->v,
                        .n_settings = s->n_common,
                        .cost = &cost,
                        .training = w->trains_on,
                        .tests = w->tests_on};
  trm_device_name(plan->trainer.device, device, sizeof device);
  about.device = device;
  CLI_TRY(trm_model_cost_of(plan->model, &cost, err));

  /* The time of all updates, also of those that processes before this one made. */
  trm_run_record *past;
  const trm_run_state at = trm_run_get_state(w->run);
  CLI_TRY(trm_run_record_open(at.folder, &past, err));
  r->updates = at.update;
  r->seconds = trm_run_record_summary(past)->seconds;
  trm_run_record_free(past);
  return repro_results_add(results, r, &about, err);
}

static trm_status record_answers(work *w, const settings *s, repro_result *r,
                                 repro_results *results, trm_error *err) {
  r->n = w->answers;
  for (int64_t i = 0; i < w->examples; i++) r->right += repro_bit(w->bits, i);
  r->bits = w->bits;
  w->bits = NULL;
  return record(w, s, r, results, err);
}

/* Only a GPU's memory is not known before it is asked for. */
static bool does_not_fit(const work *w, trm_status st) {
  return st == TRM_E_MEMORY && w->run && trm_run_get_state(w->run).update == 0 &&
         trm_run_get_plan(w->run)->trainer.device.kind != TRM_DEVICE_CPU;
}

/* What the status of a run means for its table. */
static repro_outcome judge(work *w, const settings *s, trm_status st, repro_result *r,
                           repro_results *results, trm_error *err) {
  if (st == TRM_E_INTERRUPTED && !cli_faulted()) return REPRO_STOPPED;
  if (does_not_fit(w, st)) {
    trm_run_discard(w->run);
    return REPRO_UNABLE;
  }
  if (st == TRM_E_NUMERIC && w->run) {
    r->diverged = trm_run_get_state(w->run).update + 1;
    st = record(w, s, r, results, err);
  } else if (st == TRM_OK) {
    st = record_answers(w, s, r, results, err);
  }
  return st == TRM_OK ? REPRO_DONE : REPRO_FAILED;
}

repro_outcome repro_run(const repro_bench *b, const repro_row *row, int seed, const char *label,
                        repro_results *results, trm_error *why) {
  work w = {.bench = b};
  repro_result r = {.seed = seed, .seconds = -1};
  trm_run_listener listener = cli_listener;
  settings *s = calloc(1, sizeof *s); /* its texts are too large for a small stack */
  if (!s) {
    cli_fail(why, TRM_E_MEMORY, -1, "no memory for a run");
    return REPRO_FAILED;
  }
  listener.message = tell;
  listener.progress = follow;
  listener.row = keep_answer;
  listener.arg = &w;
  repro_row_name(row, r.name);

  /* Trained, or what is left of it, and written down. */
  trm_status st = make_settings(b, row, seed, s, why);
  if (st == TRM_OK) st = open_run(s, &listener, &w.run, why);
  if (st == TRM_OK) st = check_data(&w, row, seed, results, why);
  if (st == TRM_OK) st = make_room(&w, why);
  if (st == TRM_OK) st = train(&w, label, why);
  const repro_outcome outcome = judge(&w, s, st, &r, results, why);
  trm_run_free(w.run);
  free(w.bits);
  free(s);
  return outcome;
}
