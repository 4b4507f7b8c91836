/* Everything that can be checked in a data set folder, one report per check. A failed check is a
 * finding, not an error: the others go on. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "data/dataset_index.h"
#include "data/splits.h"
#include "data/survey.h"
#include "io/json.h"
#include "puzzle/arc/arc_task.h"
#include "puzzle/kind.h"
#include "puzzle/puzzle.h"

enum {
  TICK = 64, /* examples between two reports of progress */
  MAX_DATASET_JSON = 1 << 20,
  MAX_NAMES_JSON = 1 << 28
};

static const char *const split_name[] = {"train", "test"};

typedef struct verify_job {
  const char *dir;
  const trm_verify_config *config;
  int failures;
  trm_dataset *d[2];
  bool has[2];
  int32_t *question, *label, *canvas; /* [seq_len] */
  int64_t done, total;
} verify_job;

/* What ends the verification instead of being a finding. */
static bool is_fatal(trm_status st) {
  return st == TRM_E_MEMORY || st == TRM_E_INTERRUPTED;
}

/* Reports a check; forwards only what is fatal. */
static trm_status report(verify_job *v, const char *check, trm_status st, const trm_error *finding,
                         trm_error *err) {
  if (is_fatal(st)) {
    if (err) *err = *finding;
    return st;
  }
  v->failures += st != TRM_OK;
  if (v->config->report) v->config->report(v->config->report_arg, check, st ? finding : NULL);
  return TRM_OK;
}

static trm_status load_json(const verify_job *v, const char *name, size_t max_bytes,
                            trm__json **out, trm_error *err) {
  *out = NULL;
  char *path = trm__path_join(v->dir, name);
  if (!path) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");
  trm_status st = trm__json_load(path, max_bytes, out, err);
  trm__free(path);
  return st;
}

/* --- dataset.json --- */

static trm_status check_count(const trm__json *root, const char *key, double want, double or_want,
                              const char *what, trm_error *err) {
  const trm__json *value = trm__json_get(root, key);
  if (!value || trm__json_is(value, TRM__JSON_NULL)) return TRM_OK;
  double found = trm__json_number(value), room = 1e-6 * fabs(want);
  if (trm__json_is_number(value) && (fabs(found - want) <= room || fabs(found - or_want) <= room))
    return TRM_OK;
  TRM_FAIL(err, TRM_E_RANGE, "\"%s\" is %.12g, the arrays have %.12g %s", key, found, want, what);
}

/* The reference's Sudoku builder writes the number of groups as total_puzzles, and 1 as the mean.
 */
static trm_status check_counts(const verify_job *v, int k, trm_error *err) {
  const trm_dataset_info *info = &v->d[k]->info;
  char name[32];
  trm__json *root;
  snprintf(name, sizeof name, "%s/dataset.json", split_name[k]);
  TRM_TRY(load_json(v, name, MAX_DATASET_JSON, &root, err));
  trm_status st = TRM_OK;
  TRM_GOTO(
      check_count(root, "total_groups", (double)info->groups, (double)info->groups, "groups", err));
  TRM_GOTO(check_count(root, "total_puzzles", (double)info->puzzles, (double)info->groups,
                       "puzzles", err));
  TRM_GOTO(check_count(root, "mean_puzzle_examples", info->mean_puzzle_examples,
                       info->mean_puzzle_examples, "examples per puzzle", err));
done:
  trm__json_free(root);
  return st;
}

/* --- names of ids --- */

static const trm_dataset_info *any_info(const verify_job *v) {
  return &(v->d[0] ? v->d[0] : v->d[1])->info;
}

static trm_status check_name(const trm_dataset_info *info, size_t id, const trm__json *value,
                             trm_error *err) {
  const trm__puzzle_kind *kind = trm__kind_of(&info->puzzle);
  const char *name = trm__json_text(value);
  if (!name) TRM_FAIL_AT(err, TRM_E_FORMAT, id, "identifiers.json: entry %zu is no text", id);
  if (kind->is_id && !kind->is_id(name))
    TRM_FAIL_AT(err, TRM_E_FORMAT, id, "identifiers.json: entry %zu is '%.60s', want %s", id, name,
                kind->wanted_id);
  return TRM_OK;
}

static trm_status check_identifiers(const verify_job *v, trm_error *err) {
  const trm_dataset_info *info = any_info(v);
  size_t want = 0;
  trm__json *names;
  for (int k = 0; k < 2; k++)
    if (v->d[k] && (size_t)v->d[k]->info.num_puzzle_identifiers > want)
      want = (size_t)v->d[k]->info.num_puzzle_identifiers;
  TRM_TRY(load_json(v, "identifiers.json", MAX_NAMES_JSON, &names, err));
  trm_status st = TRM_OK;
  if (!trm__json_is(names, TRM__JSON_ARRAY) || trm__json_n_items(names) != want)
    st = trm__fail(err, TRM_E_SHAPE, -1,
                   "identifiers.json has %zu entries, dataset.json says num_puzzle_identifiers %zu",
                   trm__json_n_items(names), want);
  for (size_t id = 0; st == TRM_OK && id < want; id++)
    st = check_name(info, id, trm__json_item(names, id), err);
  trm__json_free(names);
  return st;
}

/* A build without a test set writes an object without tasks. */
static trm_status is_empty_object(const char *path, bool *empty, trm_error *err) {
  trm__json *root;
  TRM_TRY(trm__json_load(path, TRM__ARC_MAX_JSON, &root, err));
  *empty = trm__json_is(root, TRM__JSON_OBJECT) && trm__json_n_members(root) == 0;
  trm__json_free(root);
  return TRM_OK;
}

/* Each task has its own id, without a copy's tail, among the names. */
static trm_status check_task_names(const verify_job *v, const trm__arc_tasks *tasks,
                                   trm_error *err) {
  trm__json *names = NULL;
  trm__arc_index index = {0};
  bool *named = NULL;
  trm_status st;

  /* Marks every task that a name is of. */
  TRM_GOTO(load_json(v, "identifiers.json", MAX_NAMES_JSON, &names, err));
  TRM_GOTO(trm__arc_index_make(tasks, &index, err));
  named = trm__alloc((uint64_t)tasks->n, sizeof *named);
  if (!named) TRM_GOTO(trm__fail(err, TRM_E_MEMORY, -1, "no memory for the ids of tasks"));
  for (size_t i = 0; i < trm__json_n_items(names); i++) {
    const char *name = trm__json_text(trm__json_item(names, i));
    const trm__arc_task *task = name ? trm__arc_index_find(&index, name) : NULL;
    if (task) named[task - tasks->task] = true;
  }

  /* The first that none is of is the finding. */
  for (int64_t i = 0; i < tasks->n && st == TRM_OK; i++)
    if (!named[i])
      st = trm__fail(err, TRM_E_FORMAT, -1,
                     "test_puzzles.json: task %s is none of the ids that identifiers.json names",
                     tasks->task[i].id);
done:
  trm__free(named);
  trm__arc_index_free(&index);
  trm__json_free(names);
  return st;
}

static trm_status check_tasks(const verify_job *v, const char *path, bool named, trm_error *err) {
  trm__arc_tasks tasks = {0};
  bool empty = false;
  trm_status st = TRM_OK;
  if (!v->has[1]) TRM_TRY(is_empty_object(path, &empty, err));
  if (empty) return TRM_OK;
  TRM_GOTO(trm__arc_tasks_load(path, &tasks, err));
  for (int64_t i = 0; i < tasks.n; i++)
    if (tasks.task[i].n_test == 0) {
      st = trm__fail(err, TRM_E_FORMAT, -1, "%s: task %s: want 1 or more test pairs, found none",
                     path, tasks.task[i].id);
      goto done;
    }
  if (named) st = check_task_names(v, &tasks, err);
done:
  trm__arc_tasks_free(&tasks);
  return st;
}

/* `named`: identifiers.json was found to be right. */
static trm_status check_test_puzzles(const verify_job *v, bool named, trm_error *err) {
  char *path = trm__path_join(v->dir, "test_puzzles.json");
  if (!path) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");
  const trm_status st = check_tasks(v, path, named, err);
  trm__free(path);
  return st;
}

/* --- single examples: each check sees question and label of one --- */

typedef struct example_check {
  /* What holds where it finds nothing; NULL: it does not apply. */
  const char *(*shows)(const trm_puzzle *p);
  /* Fills `err` of what is wrong with v->question, v->label; the place is added by the caller. */
  trm_status (*check)(const verify_job *v, int split, trm_error *err);
} example_check;

/* The grid found on the canvas, drawn again with its end marks, is all there is. */
static trm_status check_sized(const verify_job *v, const trm_puzzle *p, const int32_t *tokens,
                              const char *what, trm_error *err) {
  const trm__symbol_range r = trm__symbol_range_of(p);
  trm_puzzle_box box = trm_puzzle_locate(p, tokens);

  /* The canvas as it should be: -1 for any symbol, marks below and beside, else padding. */
  int32_t *want = v->canvas;
  memset(want, 0, (size_t)p->rows * (size_t)p->cols * sizeof *want);
  int end_row = box.row + box.rows, end_col = box.col + box.cols;
  for (int row = box.row; row < end_row; row++) {
    for (int col = box.col; col < end_col; col++) want[row * p->cols + col] = -1;
    if (end_col < p->cols) want[row * p->cols + end_col] = TRM_PUZZLE_END;
  }
  for (int col = box.col; col < end_col && end_row < p->rows; col++)
    want[end_row * p->cols + col] = TRM_PUZZLE_END;

  /* The canvas as it is; what a label does not score counts as padding. */
  for (int i = 0; i < p->rows * p->cols; i++) {
    int32_t token = tokens[i] == TRM_IGNORE_LABEL ? 0 : tokens[i];
    if (want[i] < 0 ? trm__has_symbol(r, token) : token == want[i]) continue;
    TRM_FAIL(
        err, TRM_E_FORMAT,
        "token %d of the %s in row %d, column %d: its grid of %d x %d is not whole, or its end "
        "marks are not where they belong",
        (int)token, what, i / p->cols, i % p->cols, box.rows, box.cols);
  }
  return TRM_OK;
}

/* In a user's labels cells may be left out of the score, wherever they are. */
static trm_status check_user_label(const verify_job *v, const trm_puzzle *p, trm_error *err) {
  for (int i = 0; i < p->rows * p->cols; i++)
    if (v->label[i] == 0)
      TRM_FAIL(err, TRM_E_FORMAT,
               "row %d, column %d of the label is padding, which would be learned: want a symbol, "
               "or the ignored label",
               i / p->cols, i % p->cols);
  return TRM_OK;
}

static trm_status check_whole_sized(const verify_job *v, const trm_puzzle *p, int split,
                                    trm_error *err) {
  TRM_TRY(check_sized(v, p, v->question, "question", err));
  if (trm_puzzle_locate(p, v->question).rows == 0)
    TRM_FAIL(err, TRM_E_FORMAT, "the question has no grid");
  if (split == 0 && trm_puzzle_locate(p, v->label).rows == 0)
    TRM_FAIL(err, TRM_E_FORMAT, "the label has no grid");
  if (trm_puzzle_facts_of(p)->declared) return check_user_label(v, p, err);
  return check_sized(v, p, v->label, "label", err);
}

static trm_status check_whole(const verify_job *v, int split, trm_error *err) {
  const trm_puzzle *p = &v->d[split]->info.puzzle;
  const trm__symbol_range r = trm__symbol_range_of(p);
  if (trm_puzzle_is_sized(p)) return check_whole_sized(v, p, split, err);
  for (int i = 0; i < p->rows * p->cols; i++)
    if (!trm__has_symbol(r, v->question[i]) ||
        (v->label[i] != TRM_IGNORE_LABEL && !trm__has_symbol(r, v->label[i])))
      TRM_FAIL(err, TRM_E_FORMAT, "row %d, column %d: tokens %d and %d (label) want a symbol each",
               i / p->cols, i % p->cols, (int)v->question[i], (int)v->label[i]);
  return TRM_OK;
}

static trm_status check_rules(const verify_job *v, int split, trm_error *err) {
  const trm_puzzle *p = &v->d[split]->info.puzzle;
  for (int i = 0; i < p->rows * p->cols; i++)
    v->canvas[i] = v->label[i] == TRM_IGNORE_LABEL ? 0 : v->label[i];
  if (!trm_puzzle_solves(p, v->question, v->canvas))
    TRM_FAIL(err, TRM_E_PUZZLE,
             "the label is no answer: it breaks the rules or changes what the question gives");
  return TRM_OK;
}

static trm_status check_question(const verify_job *v, int split, trm_error *err) {
  const trm_puzzle *p = &v->d[split]->info.puzzle;
  return trm__kind_of(p)->check_question(p, v->question, err);
}

static const char *shows_whole(const trm_puzzle *p) {
  return p->kind != TRM_PUZZLE_NONE ? "every grid is whole" : NULL;
}

static const char *shows_rules(const trm_puzzle *p) {
  return trm_puzzle_has_rules(p) ? "labels obey the rules and keep what is given" : NULL;
}

static const char *shows_question(const trm_puzzle *p) {
  return trm__kind_of(p)->shows;
}

static const example_check example_checks[] = {
    {shows_whole, check_whole},
    {shows_rules, check_rules},
    {shows_question, check_question},
};
enum { N_EXAMPLE_CHECKS = sizeof example_checks / sizeof *example_checks };

static int64_t step_of(const verify_job *v, int k) {
  int64_t most = v->config->max_examples, n = v->d[k]->info.examples;
  return most > 0 && n > most ? (n + most - 1) / most : 1;
}

/* Runs one check until it fails. */
static trm_status check_examples(verify_job *v, int k, const example_check *c, trm_error *err) {
  const trm_verify_config *config = v->config;
  trm_error what = {0};
  for (int64_t i = 0; i < v->d[k]->info.examples; i += step_of(v, k)) {
    if (v->done++ % TICK == 0)
      TRM_TRY(trm__tick(config->progress, config->progress_arg, v->done - 1, v->total, err));
    trm_dataset_example(v->d[k], i, v->question, v->label, NULL);
    trm_status st = c->check(v, k, &what);
    if (st != TRM_OK)
      return trm__fail(err, st, i, "%s example %lld: %s", split_name[k], (long long)i, what.msg);
  }
  return TRM_OK;
}

/* --- all of it --- */

static trm_status verify_examples(verify_job *v, int k, trm_error *err) {
  for (int c = 0; c < N_EXAMPLE_CHECKS; c++) {
    const example_check *check = &example_checks[c];
    const char *shows = check->shows(&v->d[k]->info.puzzle);
    char text[160];
    trm_error finding;
    int64_t before = v->done, n = v->d[k]->info.examples, step = step_of(v, k);
    if (!shows) continue;
    if (step > 1)
      snprintf(text, sizeof text, "%s: %s (in %lld of %lld examples)", split_name[k], shows,
               (long long)((n + step - 1) / step), (long long)n);
    else
      snprintf(text, sizeof text, "%s: %s", split_name[k], shows);
    trm_status st = check_examples(v, k, check, &finding);
    v->done = before + (n + step - 1) / step;
    TRM_TRY(report(v, text, st, &finding, err));
  }
  return TRM_OK;
}

static trm_status open_split(verify_job *v, int k, trm_error *err) {
  char text[64];
  trm_error finding;
  trm_status st = trm__dataset_open_split(v->dir, split_name[k], &v->d[k], &finding);
  snprintf(text, sizeof text, "%s: arrays, indices, tokens and ids", split_name[k]);
  TRM_TRY(report(v, text, st, &finding, err));
  if (st != TRM_OK) return TRM_OK;
  snprintf(text, sizeof text, "%s: the counts in dataset.json", split_name[k]);
  st = check_counts(v, k, &finding);
  return report(v, text, st, &finding, err);
}

static trm_status verify_folder(verify_job *v, trm_error *err) {
  trm_error finding;
  trm_status st;
  for (int k = 0; k < 2; k++)
    if (v->has[k]) TRM_TRY(open_split(v, k, err));
  if (!v->d[0] && !v->d[1]) return TRM_OK;
  if (v->d[0] && v->d[1]) {
    st = trm__splits_agree(v->dir, v->d[0], v->d[1], &finding);
    TRM_TRY(report(v, "train and test fit together", st, &finding, err));
  }
  st = check_identifiers(v, &finding);
  const bool named = st == TRM_OK;
  TRM_TRY(report(v, "identifiers.json names every id", st, &finding, err));
  if (trm_puzzle_facts_of(&any_info(v)->puzzle)->tasks) {
    st = check_test_puzzles(v, named, &finding);
    TRM_TRY(report(v, "test_puzzles.json", st, &finding, err));
  }
  return TRM_OK;
}

/* Room for the examples of both splits, and the number of looks at one. */
static trm_status prepare_examples(verify_job *v, trm_error *err) {
  size_t len = 1;
  for (int k = 0; k < 2; k++) {
    if (!v->d[k]) continue;
    const trm_dataset_info *info = &v->d[k]->info;
    if ((size_t)info->seq_len > len) len = (size_t)info->seq_len;
    for (int c = 0; c < N_EXAMPLE_CHECKS; c++)
      if (example_checks[c].shows(&info->puzzle))
        v->total += (info->examples + step_of(v, k) - 1) / step_of(v, k);
  }
  TRM_ALLOC(&v->question, 3 * len, "an example", err);
  v->label = v->question + len;
  v->canvas = v->label + len;
  return TRM_OK;
}

trm_status trm_dataset_verify(const char *dir, const trm_verify_config *config, int *failures,
                              trm_error *err) {
  static const trm_verify_config silent = {0};
  verify_job v = {.dir = dir, .config = config ? config : &silent};
  trm_status st;
  *failures = 0;
  TRM_TRY(trm__find_splits(dir, &v.has[0], &v.has[1], err));
  TRM_GOTO(verify_folder(&v, err));
  TRM_GOTO(prepare_examples(&v, err));
  for (int k = 0; k < 2; k++)
    if (v.d[k]) TRM_GOTO(verify_examples(&v, k, err));
  TRM_GOTO(trm__tick(v.config->progress, v.config->progress_arg, v.total, v.total, err));
done:
  *failures = v.failures;
  trm_dataset_free(v.d[0]);
  trm_dataset_free(v.d[1]);
  trm__free(v.question);
  return st;
}
