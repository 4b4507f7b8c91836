/* The data of a training run: training sets, and what to evaluate on. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "puzzle/augmenter.h"
#include "puzzle/puzzle.h"
#include "run/run_parts.h"
#include "run/tell.h"
#include "train/curriculum.h"

/* Held back where there is no test split and no share is asked for. */
static const double default_share = 0.1;

void trm__run_data_free(trm__run_data *d) {
  /* Parts before the whole that they look into. */
  for (int i = d->n_owned - 1; i >= 0; i--) trm_dataset_free(d->owned[i]);
  trm__free(d->owned);
  trm__free(d->train);
  trm__free(d->test);
  trm__free(d->test_path);
  trm__free(d->votes);
  *d = (trm__run_data){0};
}

static trm_status open_set(trm__run_data *d, const char *dir, const char *split, trm_dataset **out,
                           trm_error *err) {
  TRM_TRY(trm_dataset_open(dir, split, out, err));
  d->owned[d->n_owned++] = *out;
  return TRM_OK;
}

static trm_status has_split(const char *dir, const char *split, bool *has, trm_error *err) {
  trm__kind kind;
  const trm_status st = trm__path_look_at(&kind, err, "%s/%s/dataset.json", dir, split);
  *has = kind != TRM__ABSENT;
  return st;
}

/* A set whose answers are to vote must be able to: found now, not by the first evaluation. */
static trm_status check_votes(const trm__run_config *c, const trm_run_listener *to,
                              const trm_dataset *set, const char *dir, const char **votes,
                              trm_error *err) {
  trm_arc_votes *v;
  if (!c->evaluators.n) return TRM_OK;
  if (!trm_puzzle_facts_of(&trm_dataset_get_info(set)->puzzle)->tasks)
    return trm__fail(err, TRM_E_CONFIG, -1, "evaluators: arc@ARC: %s is no ARC set", dir);
  TRM_TRY(trm_arc_votes_create(dir, &v, err));
  trm_arc_votes_free(v);
  long long all = trm_dataset_get_info(set)->examples;
  if (c->eval_limit && c->eval_limit < all)
    trm__warn(to, "%s: only %lld of %lld answers vote in an evaluation (eval_limit)", dir,
              (long long)c->eval_limit, all);
  *votes = dir;
  return TRM_OK;
}

/* None of the training folders has as many ids, and nothing tells what they mean. */
static bool ids_unsure(const trm__run_config *c, const trm__run_data *d,
                       const trm_dataset_info *info) {
  for (int i = 0; i < d->n_train; i++)
    if (trm_dataset_get_info(d->train[i])->num_puzzle_identifiers == info->num_puzzle_identifiers)
      return false;
  return trm_model_ids_unsure(&c->model, info);
}

/* A set must be of the kind that the model is made for, which the first training set says: found
 * now, not by the first evaluation. */
static trm_status check_set(const trm__run_config *c, const trm_run_listener *to,
                            const trm__run_data *d, const trm_dataset *set, const char *dir,
                            trm_error *err) {
  trm_error cause;
  const trm_dataset_info *info = trm_dataset_get_info(set);
  const trm_status st = trm_model_check_data(&c->model, info, &cause);
  if (st != TRM_OK)
    return trm__fail(err, st, cause.pos, "%.200s does not fit the training data, %.200s: %.500s",
                     dir, c->data_paths.v[0], cause.msg);
  if (ids_unsure(c, d, info))
    trm__warn(
        to,
        "%s has %d puzzle ids, the training data %d, and no identifiers.json says whether they "
        "mean the same",
        dir, info->num_puzzle_identifiers, c->model.num_puzzle_identifiers);
  return TRM_OK;
}

/* The test splits, when the configuration or the training folders have them. */
static trm_status open_tests(const trm_run_config *config, const trm_run_listener *to,
                             trm__run_data *d, trm_error *err) {
  const trm__run_config *c = &config->now;
  const bool own = c->data_paths_test.n > 0;
  const int n = own ? c->data_paths_test.n : c->data_paths.n;
  for (int i = 0; i < n; i++) {
    const char *dir = trm__run_path_at(config, own ? "data_paths_test" : "data_paths", i);
    trm_dataset *set;
    bool has = true;
    if (!own) TRM_TRY(has_split(dir, "test", &has, err));
    if (!has) continue;
    TRM_TRY(open_set(d, dir, "test", &set, err));
    TRM_TRY(check_set(c, to, d, set, dir, err));
    TRM_TRY(check_votes(c, to, set, dir, &d->votes[d->n_test], err));
    d->test_path[d->n_test] = i;
    d->test[d->n_test++] = set;
  }
  return TRM_OK;
}

static trm_status hold_back(const trm__run_config *c, trm__run_data *d, trm_error *err) {
  double share = c->validation_share > 0 ? c->validation_share : default_share;
  for (int i = 0; i < d->n_train; i++) {
    trm_dataset *rest, *held;
    TRM_TRY(trm_dataset_split(d->train[i], share, c->trainer.seed, &rest, &held, err));
    d->owned[d->n_owned++] = rest;
    d->owned[d->n_owned++] = held;
    d->train[i] = rest;
    d->test[d->n_test++] = held;
  }
  d->held_back = true;
  return TRM_OK;
}

/* What the ids of a folder mean, once for each meaning. */
static trm_status add_identifiers(trm_model_config *m, const trm_run_listener *to,
                                  const trm_dataset_info *info, const char *dir, trm_error *err) {
  int n = 0;
  if (!info->identifiers || m->puzzle_emb_ndim == 0) return TRM_OK;

  /* The place of the same list, or the first free one. */
  while (n < TRM_MODEL_ID_LISTS && m->identifiers[n] && m->identifiers[n] != info->identifiers) n++;
  if (n == TRM_MODEL_ID_LISTS)
    return trm__fail(err, TRM_E_CONFIG, -1,
                     "data_paths: %s is the folder of number %d whose puzzle ids have other names; "
                     "want at most %d: build one data set of them",
                     dir, n + 1, n);
  if (n > 0 && !m->identifiers[n])
    trm__warn(
        to,
        "%s names its puzzle ids differently than the folders before it: an id is another task in "
        "each, and they share its embedding; build one data set of them",
        dir);
  m->identifiers[n] = info->identifiers;
  return TRM_OK;
}

/* What the model is made for: the kind of the first training set, and the ids of all. */
static trm_status describe_model(trm__run_config *c, const trm_run_listener *to,
                                 const trm__run_data *d, trm_error *err) {
  const trm_dataset_info *first = trm_dataset_get_info(d->train[0]);
  int64_t identifiers = 0;
  c->model.vocab_size = first->vocab_size;
  c->model.seq_len = first->seq_len;
  c->model.puzzle = first->puzzle;

  /* The ids of all folders are counted together. */
  for (int i = 0; i < d->n_train; i++) {
    const trm_dataset_info *info = trm_dataset_get_info(d->train[i]);
    identifiers += info->num_puzzle_identifiers;
    TRM_TRY(add_identifiers(&c->model, to, info, c->data_paths.v[i], err));
  }
  if (identifiers > INT_MAX)
    return trm__fail(err, TRM_E_CONFIG, -1,
                     "data_paths: the folders have %lld puzzle ids together, want at most %d",
                     (long long)identifiers, INT_MAX);
  c->model.num_puzzle_identifiers = (int)identifiers;
  TRM_TRY(trm_model_config_check(&c->model, err));
  return trm__curriculum_fits(&c->trainer.curriculum, &c->model, err);
}

/* The most open cells that a maze of a set has. */
static trm_status most_open_cells(const trm_dataset *set, int *most, trm_error *err) {
  const trm_dataset_info *info = trm_dataset_get_info(set);
  const int32_t wall = trm_puzzle_wall(&info->puzzle);
  int32_t *inputs;
  TRM_ALLOC(&inputs, info->seq_len, "an example", err);
  for (int64_t i = 0; i < info->examples; i++) {
    trm_dataset_example(set, i, inputs, NULL, NULL);
    const int n = trm__puzzle_open_cells(&info->puzzle, wall, inputs, 0, NULL);
    if (n > *most) *most = n;
  }
  trm__free(inputs);
  return TRM_OK;
}

/* With open_cells: a row has as many tokens as the data need, or more if somebody says so. */
static trm_status count_open_cells(trm__run_config *c, const trm__run_data *d, trm_error *err) {
  int most = 0;
  if (!c->model.open_cells) return TRM_OK;
  for (int i = 0; i < d->n_train; i++) TRM_TRY(most_open_cells(d->train[i], &most, err));
  for (int i = 0; i < d->n_test; i++) TRM_TRY(most_open_cells(d->test[i], &most, err));
  if (c->model.max_open_cells && c->model.max_open_cells < most)
    return trm__fail(err, TRM_E_CONFIG, -1,
                     "arch.max_open_cells = %d, but a maze of the data sets has %d open cells; set "
                     "it to that or more, or leave it out",
                     c->model.max_open_cells, most);
  if (!c->model.max_open_cells) c->model.max_open_cells = most;
  return TRM_OK;
}

/* What is trained on, without what is held back. */
static void sum_up(trm__run_data *d) {
  double examples = 0, puzzles = 0;
  for (int i = 0; i < d->n_train; i++) {
    const trm_dataset_info *info = trm_dataset_get_info(d->train[i]);
    examples += info->mean_puzzle_examples * (double)info->puzzles;
    puzzles += (double)info->puzzles;
    d->groups += info->groups;
  }
  d->mean_puzzle_examples = puzzles > 0 ? examples / puzzles : 0;
}

/* The preset's path i is `dir`. */
static bool is_path_of(const trm_run_preset *p, int i, const char *dir) {
  for (const char *const *s = p->settings; *s; s++) {
    const char *at = *s;
    if (strncmp(at, "data_paths=[", 12) != 0) continue;
    for (at += 12; i > 0; i--) at += strcspn(at, ",]") + 1;
    const size_t n = strcspn(at, ",]");
    return n == strlen(dir) && !strncmp(at, dir, n);
  }
  return false;
}

/* The command that makes path i: of the preset that is in use, or else of one that wants its data
 * there; NULL: none is known. */
static const char *maker_of(const trm__run_config *c, int i) {
  const trm_run_preset *p = c->preset ? trm_run_preset_find(c->preset) : NULL;
  for (int k = 0; p && p->make[k]; k++)
    if (k == i || !p->make[k + 1]) return p->make[k];
  for (int at = 0; (p = trm_run_preset_at(at)); at++)
    for (int k = 0; p->make[k]; k++)
      if (is_path_of(p, k, c->data_paths.v[i])) return p->make[k];
  return NULL;
}

/* A training folder that does not exist: it lies elsewhere, or there is a command that makes it. */
static trm_status fail_missing(const trm__run_config *c, const char *dir, int i, trm_error *err) {
  static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-+";
  const char *make = maker_of(c, i), *quote = dir[strspn(dir, plain)] ? "'" : "";
  if (!make)
    TRM_FAIL(err, TRM_E_IO,
             "%s does not exist; say where it is with data_paths=\"[FOLDER]\", or make it with "
             "`trm data gen` or `trm data build` (see their --help)",
             dir);
  TRM_FAIL(err, TRM_E_IO,
           "%s does not exist; say where it is with data_paths=\"[FOLDER]\", or make it with: %s "
           "--output-dir %s%s%s%s",
           dir, make, quote, dir, quote,
           strstr(make, " build ") ? " (docs/BUILD_DATA.md says where its files are from)" : "");
}

static trm_status open_training(trm_run_config *config, const trm_run_listener *to,
                                trm__run_data *d, trm_error *err) {
  trm__run_config *c = &config->now;
  for (int i = 0; i < c->data_paths.n; i++) {
    const char *dir = trm__run_path_at(config, "data_paths", i);
    trm_dataset *set;
    trm__kind kind;
    TRM_TRY(trm__path_look(dir, &kind, err));
    if (kind == TRM__ABSENT) return fail_missing(c, dir, i, err);
    TRM_TRY(open_set(d, dir, "train", &set, err));
    d->train[d->n_train++] = set;
  }
  TRM_TRY(describe_model(c, to, d, err));
  for (int i = 1; i < d->n_train; i++)
    TRM_TRY(check_set(c, to, d, d->train[i], c->data_paths.v[i], err));
  return TRM_OK;
}

/* Images of test puzzles must be known: found now, not by the first evaluation. */
static trm_status check_views(const trm__run_config *c, const trm__run_data *d, trm_error *err) {
  for (int i = 0; i < d->n_test && c->tries.views > 1; i++) {
    const trm_puzzle *own = &trm_dataset_get_info(d->test[i])->puzzle;
    trm__augmenter images;
    trm_error cause;
    if (trm__augmenter_init_views(&images, own->kind == TRM_PUZZLE_NONE ? &c->model.puzzle : own,
                                  &cause) != TRM_OK)
      return trm__fail(err, TRM_E_CONFIG, -1, "eval_%.480s", cause.msg);
  }
  return TRM_OK;
}

static trm_status open_all(trm_run_config *config, const trm_run_listener *to, trm__run_data *d,
                           trm_error *err) {
  trm__run_config *c = &config->now;
  TRM_TRY(open_training(config, to, d, err));
  if (c->validation_share == 0) TRM_TRY(open_tests(config, to, d, err));
  if (d->n_test == 0 && c->evaluators.n)
    return trm__fail(err, TRM_E_CONFIG, -1,
                     "evaluators: arc@ARC: wants the test split of an ARC set, not a share of the "
                     "training data");
  if (d->n_test == 0) TRM_TRY(hold_back(c, d, err));
  sum_up(d);
  TRM_TRY(check_views(c, d, err));
  return count_open_cells(c, d, err);
}

trm_status trm__run_data_open(trm_run_config *config, const trm_run_listener *to, trm__run_data *d,
                              trm_error *err) {
  const trm__run_config *c = &config->now;
  *d = (trm__run_data){0};
  if (!c->data_paths.n)
    return trm__fail(err, TRM_E_CONFIG, -1,
                     "data_paths: no training data; start from a preset, e.g. `trm train "
                     "preset=sudoku6` (`trm train --list-presets` lists them), or give a folder, "
                     "data_paths=\"[data/sudoku6]\" (`trm data gen sudoku --help` makes one)");

  /* Lists as long as they can get: a training set may be split into two more. */
  size_t n = (size_t)c->data_paths.n, n_test = n + (size_t)c->data_paths_test.n;
  d->owned = trm__alloc((uint64_t)(3 * n + n_test), sizeof *d->owned);
  d->train = trm__alloc((uint64_t)(n), sizeof *d->train);
  d->test = trm__alloc((uint64_t)(n_test), sizeof *d->test);
  d->votes = trm__alloc((uint64_t)(n_test), sizeof *d->votes);
  d->test_path = trm__alloc((uint64_t)(n_test), sizeof *d->test_path);
  trm_status st = d->owned && d->train && d->test && d->votes && d->test_path
                      ? open_all(config, to, d, err)
                      : trm__fail(err, TRM_E_MEMORY, -1, "no memory for the list of data sets");
  if (st != TRM_OK) trm__run_data_free(d);
  return st;
}

trm_status trm__run_data_fingerprint(const trm__run_data *d, uint64_t *out, trm_error *err) {
  uint64_t all = 0, one;
  for (int i = 0; i < d->n_train; i++) {
    TRM_TRY(trm_dataset_fingerprint(d->train[i], &one, err));
    all = all * 31 + one;
  }
  *out = all;
  return TRM_OK;
}
