/* The data set folder of a builder. It grows beside its place and is renamed into it, so that who
 * looks sees the old folder or the new one, and a failure leaves nothing. */
#include "data/dataset_write.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "io/json.h"

/* --- the folder --- */

/* The copy of a path without trailing slashes, with a suffix. */
static char *path_with(const char *path, const char *suffix) {
  size_t n = strlen(path), m = strlen(suffix);
  while (n > 1 && path[n - 1] == '/') n--;
  char *copy = trm__alloc(n + m + 1, 1);
  if (!copy) return NULL;
  memcpy(copy, path, n);
  memcpy(copy + n, suffix, m);
  return copy;
}

static bool is_ours(const char *name) {
  static const char *const ours[] = {".", "..", "train", "test", "identifiers.json"};
  for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
    if (!strcmp(name, ours[i])) return true;
  return false;
}

/* True when DIR/SPLIT is absent or holds a dataset.json. */
static bool is_split(const char *dir, const char *split) {
  char *path = trm__path_join(dir, split),
       *json = path ? trm__path_join(path, "dataset.json") : NULL;
  bool good = json && (!trm__path_exists(path) || trm__path_exists(json));
  trm__free(json);
  trm__free(path);
  return good;
}

/* What may be replaced: nothing, an empty folder, or what an earlier build wrote. */
static trm_status check_place(const char *dir, trm_error *err) {
  if (!trm__path_exists(dir)) return TRM_OK;
  if (!trm__path_is_dir(dir))
    TRM_FAIL(err, TRM_E_IO, "%s exists and is no folder: choose another output folder", dir);
  DIR *handle = opendir(dir);
  if (!handle) TRM_FAIL(err, TRM_E_IO, "%s: %s", dir, strerror(errno));
  trm_status st = TRM_OK;
  for (struct dirent *e; st == TRM_OK && (e = readdir(handle));)
    if (!is_ours(e->d_name))
      st = trm__fail(err, TRM_E_IO, -1,
                     "%s holds '%s', which no data set does: it is not replaced; choose another "
                     "output folder",
                     dir, e->d_name);
  (void)closedir(handle);
  if (st == TRM_OK && (!is_split(dir, "train") || !is_split(dir, "test")))
    st = trm__fail(
        err, TRM_E_IO, -1,
        "%s is no data set (train or test in it has no dataset.json): it is not replaced; "
        "choose another output folder",
        dir);
  return st;
}

trm_status trm__folder_begin(trm__folder *f, const char *dir, trm_error *err) {
  if (!dir || !*dir) TRM_FAIL(err, TRM_E_ARGUMENT, "no output folder was named");
  char suffix[64];
  snprintf(suffix, sizeof suffix, ".partial-%ld", (long)getpid());
  f->dir = path_with(dir, "");
  if (!f->dir) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");
  TRM_TRY(check_place(f->dir, err));
  snprintf(suffix, sizeof suffix, ".replaced-%ld", (long)getpid());
  f->replaced = path_with(dir, suffix);
  snprintf(suffix, sizeof suffix, ".partial-%ld", (long)getpid());
  f->temporary = path_with(dir, suffix);
  if (!f->replaced || !f->temporary) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");
  TRM_TRY(trm__remove_tree(f->temporary, err));
  return trm__make_dirs(f->temporary, err);
}

static trm_status write_identifiers(const trm__folder *f, trm_error *err) {
  char *path = trm__path_join(f->temporary, "identifiers.json");
  json_t *names = json_pack("[s]", "<blank>");
  trm_status st = path && names
                      ? trm__json_save(path, names, err)
                      : trm__fail(err, TRM_E_MEMORY, -1, "no memory for identifiers.json");
  json_decref(names);
  trm__free(path);
  return st;
}

/* fsync of the folder that holds `path`. */
static trm_status sync_parent(const char *path, trm_error *err) {
  char *parent = path_with(path, "");
  if (!parent) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");
  char *slash = strrchr(parent, '/');
  const char *dir = parent;
  if (!slash)
    dir = ".";
  else if (slash == parent)
    dir = "/";
  else
    *slash = 0;
  trm_status st = trm__sync_dir(dir, err);
  trm__free(parent);
  return st;
}

trm_status trm__folder_commit(trm__folder *f, trm_error *err) {
  TRM_TRY(write_identifiers(f, err));
  TRM_TRY(trm__sync_dir(f->temporary, err));
  TRM_TRY(check_place(f->dir, err));
  bool replaces = trm__path_exists(f->dir);
  if (replaces) {
    TRM_TRY(trm__remove_tree(f->replaced, err));
    if (rename(f->dir, f->replaced))
      TRM_FAIL(err, TRM_E_IO, "%s cannot be replaced: %s", f->dir, strerror(errno));
  }
  if (rename(f->temporary, f->dir)) {
    int cause = errno;
    if (replaces) (void)rename(f->replaced, f->dir);
    TRM_FAIL(err, TRM_E_IO, "%s cannot be put in place: %s", f->dir, strerror(cause));
  }
  trm__free(f->temporary);
  f->temporary = NULL;
  TRM_TRY(sync_parent(f->dir, err));
  return replaces ? trm__remove_tree(f->replaced, err) : TRM_OK;
}

void trm__folder_abort(trm__folder *f) {
  if (f->temporary) (void)trm__remove_tree(f->temporary, NULL);
  trm__free(f->dir);
  trm__free(f->temporary);
  trm__free(f->replaced);
  memset(f, 0, sizeof *f);
}

/* --- a split --- */

/* DIR/SPLIT/NAME */
static char *file_in(const trm__split_writer *w, const char *name) {
  return trm__path_join(w->path, name);
}

static trm_status begin_rows(const trm__split_writer *w, const char *name, trm__npy_writer *out,
                             trm_error *err) {
  int64_t shape[2] = {w->groups * w->copies, w->puzzle->rows * w->puzzle->cols};
  char *path = file_in(w, name);
  if (!path) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");
  trm_status st = trm__npy_create(out, path, TRM__NPY_U1, 2, shape, err);
  trm__free(path);
  return st;
}

trm_status trm__split_begin(trm__split_writer *w, const trm__folder *f, const char *split,
                            const trm_puzzle *puzzle, int64_t groups, int64_t copies,
                            trm_error *err) {
  w->puzzle = puzzle;
  w->groups = groups;
  w->copies = copies;
  if (copies < 1 || groups > INT32_MAX / copies)
    TRM_FAIL(err, TRM_E_RANGE, "%lld puzzles with %lld copies each are more than 2^31 - 1 examples",
             (long long)groups, (long long)copies - 1);
  w->path = trm__path_join(f->temporary, split);
  if (!w->path) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");
  TRM_TRY(trm__make_dirs(w->path, err));
  TRM_TRY(begin_rows(w, "all__inputs.npy", &w->inputs, err));
  return begin_rows(w, "all__labels.npy", &w->labels, err);
}

void trm__split_add(trm__split_writer *w, const uint8_t *question, const uint8_t *answer) {
  uint8_t inputs[TRM_SUDOKU_MAX_CELLS], labels[TRM_SUDOKU_MAX_CELLS];
  for (int i = 0; i < w->puzzle->rows * w->puzzle->cols; i++) {
    inputs[i] = (uint8_t)(question[i] + 1);
    labels[i] = (uint8_t)(answer[i] + 1);
  }
  trm__npy_append(&w->inputs, inputs, 1);
  trm__npy_append(&w->labels, labels, 1);
}

/* NAME.npy = 0, step, 2 step ... (n values, int32). */
static trm_status write_steps(const trm__split_writer *w, const char *name, int64_t n, int64_t step,
                              trm_error *err) {
  int32_t *v;
  TRM_ALLOC(&v, n, name, err);
  for (int64_t i = 0; i < n; i++) v[i] = (int32_t)(i * step);
  char *path = file_in(w, name);
  trm_status st = path ? trm__npy_save(path, TRM__NPY_I4, 1, &n, v, err)
                       : trm__fail(err, TRM_E_MEMORY, -1, "no memory for a path");
  trm__free(path);
  trm__free(v);
  return st;
}

static trm_status write_json(const trm__split_writer *w, trm_error *err) {
  const trm_puzzle *p = w->puzzle;
  json_t *json =
      json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:I, s:f, s:I, s:[s], s:{s:s, s:i, s:i, s:i, s:i}}",
                "pad_id", 0, "ignore_label_id", 0, "blank_identifier_id", 0, "vocab_size",
                p->rows + 2, "seq_len", p->rows * p->cols, "num_puzzle_identifiers", 1,
                "total_groups", (json_int_t)w->groups, "mean_puzzle_examples", 1.0, "total_puzzles",
                (json_int_t)(w->groups * w->copies), "sets", "all", "puzzle", "kind", "sudoku",
                "rows", p->rows, "cols", p->cols, "box_rows", p->box_rows, "box_cols", p->box_cols);
  char *path = file_in(w, "dataset.json");
  trm_status st = path && json ? trm__json_save(path, json, err)
                               : trm__fail(err, TRM_E_MEMORY, -1, "no memory for dataset.json");
  trm__free(path);
  json_decref(json);
  return st;
}

trm_status trm__split_end(trm__split_writer *w, trm_error *err) {
  int64_t puzzles = w->groups * w->copies;
  TRM_TRY(trm__npy_commit(&w->inputs, err));
  TRM_TRY(trm__npy_commit(&w->labels, err));
  TRM_TRY(write_steps(w, "all__puzzle_identifiers.npy", puzzles, 0, err));
  TRM_TRY(write_steps(w, "all__puzzle_indices.npy", puzzles + 1, 1, err));
  TRM_TRY(write_steps(w, "all__group_indices.npy", w->groups + 1, w->copies, err));
  return write_json(w, err);
}

void trm__split_abort(trm__split_writer *w) {
  trm__npy_abort(&w->inputs);
  trm__npy_abort(&w->labels);
  trm__free(w->path);
  memset(w, 0, sizeof *w);
}
