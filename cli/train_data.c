/* The data of a training run: training sets, and what to evaluate on. */
#include <stdlib.h>
#include <string.h>

#include "train.h"

/* Held back where there is no test split and no share is asked for. */
static const double default_share = 0.1;

void train_data_free(train_data *d) {
  /* Parts before the whole that they look into. */
  for (int i = d->n_owned - 1; i >= 0; i--) trm_dataset_free(d->owned[i]);
  free(d->owned);
  free(d->train);
  free(d->test);
  free(d->votes);
  *d = (train_data){0};
}

static trm_status open_set(train_data *d, const char *dir, const char *split, trm_dataset **out,
                           trm_error *err) {
  CLI_TRY(trm_dataset_open(dir, split, out, err));
  d->owned[d->n_owned++] = *out;
  return TRM_OK;
}

static bool has_split(const char *dir, const char *split) {
  char path[CLI_PATH_MAX];
  return cli_path(path, NULL, "%s/%s/dataset.json", dir, split) == TRM_OK && cli_exists(path);
}

static bool same_shape(const trm_dataset_info *a, const trm_dataset_info *b) {
  return a->vocab_size == b->vocab_size && a->seq_len == b->seq_len;
}

static trm_status check_shape(const trm_dataset *a, const char *a_name, const trm_dataset *b,
                              const char *b_name, trm_error *err) {
  const trm_dataset_info *x = trm_dataset_get_info(a), *y = trm_dataset_get_info(b);
  if (same_shape(x, y)) return TRM_OK;
  return cli_fail(
      err, TRM_E_SHAPE, -1,
      "%s and %s disagree: vocabulary %d and %d, length %d and %d; train on sets of one "
      "shape",
      a_name, b_name, x->vocab_size, y->vocab_size, x->seq_len, y->seq_len);
}

/* A set whose answers are to vote must be able to: found now, not by the first evaluation. */
static trm_status check_votes(const run_config *c, const trm_dataset *set, const char *dir,
                              const char **votes, trm_error *err) {
  trm_arc_votes *v;
  if (!c->evaluators.n) return TRM_OK;
  if (trm_dataset_get_info(set)->puzzle.kind != TRM_PUZZLE_ARC)
    return cli_fail(err, TRM_E_CONFIG, -1, "evaluators: arc@ARC: %s is no ARC set", dir);
  CLI_TRY(trm_arc_votes_create(dir, &v, err));
  trm_arc_votes_free(v);
  long long all = trm_dataset_get_info(set)->examples;
  if (c->eval_limit && c->eval_limit < all)
    cli_warn("%s: only %lld of %lld answers vote in an evaluation (eval_limit)", dir,
             (long long)c->eval_limit, all);
  *votes = dir;
  return TRM_OK;
}

/* The test splits, when the configuration or the training folders have them. */
static trm_status open_tests(const run_config *c, train_data *d, trm_error *err) {
  const config_list *paths = c->data_paths_test.n ? &c->data_paths_test : &c->data_paths;
  for (int i = 0; i < paths->n; i++) {
    trm_dataset *set;
    if (paths == &c->data_paths && !has_split(paths->v[i], "test")) continue;
    CLI_TRY(open_set(d, paths->v[i], "test", &set, err));
    CLI_TRY(check_shape(d->train[0], c->data_paths.v[0], set, paths->v[i], err));
    CLI_TRY(check_votes(c, set, paths->v[i], &d->votes[d->n_test], err));
    d->test[d->n_test++] = set;
  }
  return TRM_OK;
}

static trm_status hold_back(const run_config *c, train_data *d, trm_error *err) {
  double share = c->validation_share > 0 ? c->validation_share : default_share;
  for (int i = 0; i < d->n_train; i++) {
    trm_dataset *rest, *held;
    CLI_TRY(trm_dataset_split(d->train[i], share, c->trainer.seed, &rest, &held, err));
    d->owned[d->n_owned++] = rest;
    d->owned[d->n_owned++] = held;
    d->train[i] = rest;
    d->test[d->n_test++] = held;
  }
  d->held_back = true;
  return TRM_OK;
}

static void sum_up(train_data *d, int *identifiers) {
  double examples = 0, puzzles = 0;
  for (int i = 0; i < d->n_train; i++) {
    const trm_dataset_info *info = trm_dataset_get_info(d->train[i]);
    examples += info->mean_puzzle_examples * (double)info->puzzles;
    puzzles += (double)info->puzzles;
    d->groups += info->groups;
    *identifiers += info->num_puzzle_identifiers;
  }
  d->mean_puzzle_examples = puzzles > 0 ? examples / puzzles : 0;
}

/* Found now, not by the first evaluation. */
static trm_status check_test_ids(const run_config *c, const train_data *d, trm_error *err) {
  for (int i = 0; c->model.puzzle_emb_ndim > 0 && i < d->n_test; i++) {
    int ids = trm_dataset_get_info(d->test[i])->num_puzzle_identifiers;
    if (ids > c->model.num_puzzle_identifiers)
      return cli_fail(err, TRM_E_SHAPE, -1,
                      "test data %d have %d puzzle ids, the training data %d: an id that is not "
                      "trained has no embedding; num_puzzle_identifiers in the training data's "
                      "dataset.json must count both",
                      i + 1, ids, c->model.num_puzzle_identifiers);
  }
  return TRM_OK;
}

static trm_status open_all(run_config *c, train_data *d, trm_error *err) {
  for (int i = 0; i < c->data_paths.n; i++) {
    trm_dataset *set;
    CLI_TRY(open_set(d, c->data_paths.v[i], "train", &set, err));
    CLI_TRY(check_shape(d->n_train ? d->train[0] : set, c->data_paths.v[0], set, c->data_paths.v[i],
                        err));
    d->train[d->n_train++] = set;
  }
  if (c->validation_share == 0) CLI_TRY(open_tests(c, d, err));
  if (d->n_test == 0 && c->evaluators.n)
    return cli_fail(err, TRM_E_CONFIG, -1,
                    "evaluators: arc@ARC: wants the test split of an ARC set, not a share of the "
                    "training data");
  if (d->n_test == 0) CLI_TRY(hold_back(c, d, err));
  int identifiers = 0;
  sum_up(d, &identifiers);
  const trm_dataset_info *info = trm_dataset_get_info(d->train[0]);
  c->model.vocab_size = info->vocab_size;
  c->model.seq_len = info->seq_len;
  c->model.puzzle = info->puzzle;
  c->model.num_puzzle_identifiers = identifiers;
  CLI_TRY(check_test_ids(c, d, err));
  return trm_model_config_check(&c->model, err);
}

trm_status train_data_open(run_config *c, train_data *d, trm_error *err) {
  *d = (train_data){0};
  if (!c->data_paths.n)
    return cli_fail(err, TRM_E_CONFIG, -1,
                    "data_paths: no training data; give a folder, e.g. "
                    "data_paths=\"[data/sudoku6]\" (`trm data gen sudoku --help` makes one)");
  size_t n = (size_t)c->data_paths.n, n_test = n + (size_t)c->data_paths_test.n;
  d->owned = calloc(3 * n + n_test, sizeof *d->owned);
  d->train = calloc(n, sizeof *d->train);
  d->test = calloc(n_test, sizeof *d->test);
  d->votes = calloc(n_test, sizeof *d->votes);
  trm_status st = d->owned && d->train && d->test && d->votes
                      ? open_all(c, d, err)
                      : cli_fail(err, TRM_E_MEMORY, -1, "no memory for the list of data sets");
  if (st != TRM_OK) train_data_free(d);
  return st;
}

trm_status train_data_fingerprint(const train_data *d, uint64_t *out, trm_error *err) {
  uint64_t all = 0, one;
  for (int i = 0; i < d->n_train; i++) {
    CLI_TRY(trm_dataset_fingerprint(d->train[i], &one, err));
    all = all * 31 + one;
  }
  *out = all;
  return TRM_OK;
}
