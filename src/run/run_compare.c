/* Many runs: finding them, the keys in which they differ, groups of equal values, spreads. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/os_file.h"
#include "base/text.h"
#include "run/run_config.h"
#include "run/run_folder.h"
#include "run/tell.h"
#include "trm/runs.h"

struct trm_runs {
  trm_run_record **v;
  char **real; /* where each lies, whatever leads there */
  int n, room;
  const char **keys; /* in which they differ, up to NULL */
};

void trm_runs_free(trm_runs *runs) {
  if (!runs) return;
  for (int i = 0; i < runs->n; i++) {
    trm_run_record_free(runs->v[i]);
    trm__free(runs->real[i]);
  }
  trm__free(runs->v);
  trm__free(runs->real);
  trm__free(runs->keys);
  trm__free(runs);
}

int trm_runs_count(const trm_runs *runs) {
  return runs->n;
}

const trm_run_record *trm_runs_at(const trm_runs *runs, int i) {
  return i >= 0 && i < runs->n ? runs->v[i] : NULL;
}

/* ---- finding ---- */

static bool is_among(const trm_runs *runs, const char *real) {
  for (int i = 0; i < runs->n; i++)
    if (!strcmp(runs->real[i], real)) return true;
  return false;
}

static trm_status make_room(trm_runs *runs, trm_error *err) {
  const int room = 2 * runs->room + 32;
  trm_run_record **v;
  char **real;
  if (runs->n < runs->room) return TRM_OK;
  TRM_ALLOC(&v, room, "a list of runs", err);
  real = trm__alloc((uint64_t)room, sizeof *real);
  if (!real) {
    trm__free(v);
    TRM_FAIL(err, TRM_E_MEMORY, "no memory for a list of runs");
  }
  if (runs->n) memcpy(v, runs->v, (size_t)runs->n * sizeof *v);
  if (runs->n) memcpy(real, runs->real, (size_t)runs->n * sizeof *real);
  trm__free(runs->v);
  trm__free(runs->real);
  runs->v = v;
  runs->real = real;
  runs->room = room;
  return TRM_OK;
}

/* A run counts once, by whichever paths it is reached. */
static trm_status add_run(trm_runs *runs, const char *folder, const trm_run_listener *to,
                          trm_error *err) {
  trm_error cause = {0};
  trm_run_record *r;
  char *real = NULL;
  TRM_TRY(make_room(runs, err));

  /* What is wrong with one run is told, and the others are listed. */
  const trm_status st = trm_run_record_open(folder, &r, &cause);
  if (st == TRM_E_MEMORY) return trm__fail(err, st, cause.pos, "%s", cause.msg);
  if (st != TRM_OK) {
    trm__warn(to, "%.200s is passed over: %.400s", folder, cause.msg);
    return TRM_OK;
  }
  if (trm__os_real_path(folder, &real) != 0) real = trm__text_copy(folder, SIZE_MAX);
  if (real && !is_among(runs, real)) {
    runs->real[runs->n] = real;
    runs->v[runs->n++] = r;
    return TRM_OK;
  }
  trm_run_record_free(r);
  if (!real) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a list of runs");
  trm__free(real);
  return TRM_OK;
}

/* A configuration without the parts of a model beside it: a run folder, not a checkpoint. */
static trm_status is_run(const char *path, bool *is, trm_error *err) {
  trm__kind config, model;
  TRM_TRY(trm__path_look_at(&config, err, "%s/config.yaml", path));
  TRM_TRY(trm__path_look_at(&model, err, "%s/model.safetensors", path));
  *is = config == TRM__FILE && model == TRM__ABSENT;
  return TRM_OK;
}

/* What is done with the folder of a run that was found. */
typedef struct search {
  const trm_run_listener *to;
  trm_status (*found)(struct search *s, const char *folder, trm_error *err);
  trm_runs *runs; /* of trm_runs_find */
  trm_run_folder_fn *told;
  void *arg;
  bool over; /* nobody wants to know more */
} search;

static trm_status find_below(search *s, const char *path, int depth, trm_error *err);

/* A folder below: a run, or one that may have runs in it. What cannot be looked into is told. */
static trm_status look_in(search *s, const char *path, int depth, trm_error *err) {
  trm_error cause = {0};
  bool is;
  trm_status st = is_run(path, &is, &cause);
  if (st == TRM_OK && is)
    st = s->found(s, path, &cause);
  else if (st == TRM_OK && depth > 0)
    st = find_below(s, path, depth - 1, &cause);
  if (st == TRM_E_MEMORY) return trm__fail(err, st, cause.pos, "%s", cause.msg);
  if (st != TRM_OK) trm__warn(s->to, "%.200s is passed over: %.400s", path, cause.msg);
  return TRM_OK;
}

/* The folders in a folder, no link followed; `depth` is a bound for those that never end. Paths are
 * not on the stack, which may be small. */
static trm_status find_below(search *s, const char *path, int depth, trm_error *err) {
  trm__dir dir = {0};
  trm__names names = {0};
  trm__kind kind;
  trm_status st = trm__dir_open(&dir, path, err);
  if (st == TRM_OK) st = trm__dir_names(&dir, &names, err);
  for (size_t i = 0; i < names.n && st == TRM_OK && !s->over; i++) {
    if (trm__dir_look(&dir, names.v[i], &kind, NULL) != TRM_OK || kind != TRM__DIR) continue;
    char *below = trm__path_join(path, names.v[i]);
    st = below ? look_in(s, below, depth, err)
               : trm__fail(err, TRM_E_MEMORY, -1, "no memory for a path");
    trm__free(below);
  }
  trm__names_free(&names);
  trm__dir_close(&dir);
  return st;
}

static trm_status find_in(search *s, const char *folder, trm_error *err) {
  enum { DEEPEST = 16 };
  char path[TRM__PATH_MAX];
  trm__kind kind;
  bool is;
  TRM_TRY(trm__path_format(path, err, "%s", folder));
  for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--) path[n - 1] = 0;
  TRM_TRY(trm__path_look(path, &kind, err));
  if (kind == TRM__ABSENT) TRM_FAIL(err, TRM_E_IO, "%s does not exist", folder);
  if (kind != TRM__DIR) TRM_FAIL(err, TRM_E_IO, "%s: want a folder of runs, or a run", folder);
  TRM_TRY(is_run(path, &is, err));
  return is ? s->found(s, path, err) : find_below(s, path, DEEPEST, err);
}

static trm_status find_all(search *s, const char *const *folders, int n, trm_error *err) {
  for (int i = 0; i < n && !s->over; i++) TRM_TRY(find_in(s, folders[i], err));
  return TRM_OK;
}

static trm_status add_found(search *s, const char *folder, trm_error *err) {
  return add_run(s->runs, folder, s->to, err);
}

static trm_status tell_found(search *s, const char *folder, trm_error *err) {
  (void)err;
  s->over = !s->told(s->arg, folder);
  return TRM_OK;
}

trm_status trm_runs_look(const char *const *folders, int n, const trm_run_listener *listener,
                         trm_run_folder_fn *found, void *arg, trm_error *err) {
  search s = {.to = listener, .found = tell_found, .told = found, .arg = arg};
  return find_all(&s, folders, n, err);
}

/* ---- what differs ---- */

/* Where runs are, and what changes no result of one. */
static const char *const of_no_result[] = {"seed",
                                           "preset",
                                           "project_name",
                                           "run_name",
                                           "checkpoint_path",
                                           "out",
                                           "device",
                                           "threads",
                                           "memory_budget",
                                           "micro_batch",
                                           "log_interval",
                                           "log_seconds",
                                           "checkpoint_interval",
                                           "checkpoint_minutes",
                                           "checkpoint_every_eval"};

static bool matters(const char *key) {
  for (size_t i = 0; i < sizeof of_no_result / sizeof *of_no_result; i++)
    if (!strcmp(of_no_result[i], key)) return false;
  return true;
}

/* A value as it is printed, in a fresh block; NULL: no memory. */
static char *value_of(const trm_run_record *r, const trm__run_key *k) {
  trm__sink s = {0};
  const char *base = (const char *)&trm_run_record_config(r)->now + k->base;
  trm__field_print(k->field, base, &s);
  char *text = trm__alloc((uint64_t)s.n + 1, 1);
  if (text) trm__field_print(k->field, base, &(trm__sink){text, s.n + 1, 0});
  return text;
}

static trm_status same_value(const trm_run_record *a, const trm_run_record *b,
                             const trm__run_key *k, bool *same, trm_error *err) {
  char *x = value_of(a, k), *y = value_of(b, k);
  const bool known = x && y;
  *same = known && !strcmp(x, y);
  trm__free(x);
  trm__free(y);
  return known ? TRM_OK : trm__fail(err, TRM_E_MEMORY, -1, "no memory to compare runs");
}

static trm_status find_keys(trm_runs *runs, trm_error *err) {
  int n = 0;
  for (trm__run_key k = {0}; trm__run_next_key(&k);) n++;
  TRM_ALLOC(&runs->keys, n + 1, "the keys of runs", err);
  n = 0;
  for (trm__run_key k = {0}; trm__run_next_key(&k);) {
    bool same = true;
    for (int i = 1; i < runs->n && same && matters(k.field->key); i++)
      TRM_TRY(same_value(runs->v[0], runs->v[i], &k, &same, err));
    if (!same) runs->keys[n++] = k.field->key;
  }
  return TRM_OK;
}

const char *trm_runs_key(const trm_runs *runs, int i) {
  for (int j = 0; j < i; j++)
    if (!runs->keys[j]) return NULL;
  return i >= 0 ? runs->keys[i] : NULL;
}

trm_status trm_runs_find(const char *const *folders, int n, const trm_run_listener *listener,
                         trm_runs **out, trm_error *err) {
  trm_runs *runs;
  *out = NULL;
  TRM_ALLOC(&runs, 1, "a list of runs", err);
  search s = {.to = listener, .found = add_found, .runs = runs};
  trm_status st = find_all(&s, folders, n, err);
  if (st == TRM_OK) st = find_keys(runs, err);
  if (st == TRM_OK)
    *out = runs;
  else
    trm_runs_free(runs);
  return st;
}

/* ---- groups ---- */

static trm_status same_values(const trm_run_record *a, const trm_run_record *b,
                              const char *const *keys, int n, bool *same, trm_error *err) {
  *same = true;
  for (int i = 0; i < n && *same; i++) {
    trm__run_key k;
    if (!trm__run_find_key(keys[i], &k))
      TRM_FAIL(err, TRM_E_CONFIG, "unknown key '%.100s'; `trm train --list-keys` lists all",
               keys[i]);
    TRM_TRY(same_value(a, b, &k, same, err));
  }
  return TRM_OK;
}

trm_status trm_runs_group(const trm_runs *runs, const char *const *keys, int n, int *group,
                          int *groups, trm_error *err) {
  bool same;
  *groups = 0;
  if (runs->n) TRM_TRY(same_values(runs->v[0], runs->v[0], keys, n, &same, err));
  for (int i = 0; i < runs->n; i++) {
    group[i] = -1;
    for (int j = 0; j < i && group[i] < 0; j++) {
      TRM_TRY(same_values(runs->v[j], runs->v[i], keys, n, &same, err));
      if (same) group[i] = group[j];
    }
    if (group[i] < 0) group[i] = (*groups)++;
  }
  return TRM_OK;
}

trm_spread trm_spread_of(const double *values, int n) {
  trm_spread s = {0};
  double sum = 0, squares = 0;
  for (int i = 0; i < n; i++) {
    if (!isfinite(values[i])) continue;
    sum += values[i];
    s.n++;
  }
  s.mean = s.n ? sum / s.n : 0;
  for (int i = 0; i < n; i++)
    if (isfinite(values[i])) squares += (values[i] - s.mean) * (values[i] - s.mean);
  s.deviation = s.n > 1 ? sqrt(squares / (s.n - 1)) : 0;
  return s;
}
