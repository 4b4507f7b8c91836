/* See arc_write.h. Big files are made in passing: each of the two arrays of a split is one lane's
 * work, which expands a block of examples and hands it to the file. */
#include "data/arc/arc_write.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "io/json.h"
#include "io/npy.h"
#include "puzzle/puzzle.h"

/* --- JSON as Python's json.dump writes it --- */

static trm_status open_file(const char *folder, const char *name, trm__writer *w, trm_error *err) {
  char *path = trm__path_join(folder, name);
  if (!path) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");
  const trm_status st = trm__writer_open(w, path, err);
  trm__free(path);
  return st;
}

trm_status trm__arc_write_identifiers(const trm__arc_writing *w, trm_error *err) {
  trm__writer file;
  TRM_TRY(open_file(w->folder, "identifiers.json", &file, err));
  trm__writer_printf(&file, "[\"<blank>\"");
  for (int32_t id = 1; id <= w->drawn->n_names; id++) {
    char name[TRM__ARC_NAME_ROOM];
    trm__arc_drawn_name(w->drawn, id, name);
    trm__write(&file, ", ", 2);
    trm__json_write_text(&file, name);
  }
  trm__write(&file, "]", 1);
  return trm__writer_commit(&file, err);
}

static void write_grid(trm__writer *w, const char *key, const trm__arc_grid *g) {
  trm__writer_printf(w, "\"%s\": ", key);
  trm__arc_grid_write(w, g);
}

static void write_pairs(trm__writer *w, const char *key, const trm__arc_pair *pair, int n) {
  trm__writer_printf(w, "\"%s\": [", key);
  for (int i = 0; i < n; i++) {
    trm__write(w, i ? ", {" : "{", i ? 3 : 1);
    if (pair[i].output_first) {
      write_grid(w, "output", &pair[i].output);
      trm__write(w, ", ", 2);
    }
    write_grid(w, "input", &pair[i].input);
    if (!pair[i].output_first) {
      trm__write(w, ", ", 2);
      write_grid(w, "output", &pair[i].output);
    }
    trm__write(w, "}", 1);
  }
  trm__write(w, "]", 1);
}

trm_status trm__arc_write_tasks(const trm__arc_writing *w, const trm__arc_tasks *test,
                                trm_error *err) {
  trm__writer file;
  TRM_TRY(open_file(w->folder, "test_puzzles.json", &file, err));
  trm__write(&file, "{", 1);
  for (int64_t i = 0; test && i < test->n; i++) {
    const trm__arc_task *t = &test->task[w->drawn->test_order[i]];
    if (i) trm__write(&file, ", ", 2);
    trm__json_write_text(&file, t->id);
    trm__write(&file, ": {", 3);
    if (t->test_first) write_pairs(&file, "test", t->test, t->n_test);
    if (t->test_first) trm__write(&file, ", ", 2);
    write_pairs(&file, "train", t->train, t->n_train);
    if (!t->test_first) trm__write(&file, ", ", 2);
    if (!t->test_first) write_pairs(&file, "test", t->test, t->n_test);
    trm__write(&file, "}", 1);
  }
  trm__write(&file, "}", 1);
  return trm__writer_commit(&file, err);
}

/* --- dataset.json --- */

/* As Python's json.dump writes it. */
static trm__json_out print_info(const trm__arc_writing *w, const trm__arc_split *s, bool compact) {
  const trm_puzzle arc = {.kind = TRM_PUZZLE_ARC, .rows = s->canvas, .cols = s->canvas};
  trm__json_out o = trm__json_begin(TRM__JSON_SPACED);
  trm__json_open(&o, NULL, '{');
  trm__json_put_int(&o, "seq_len", s->canvas * s->canvas);
  trm__json_put_int(&o, "vocab_size", TRM__ARC_FIRST + TRM__ARC_COLOURS);
  trm__json_put_int(&o, "pad_id", 0);
  trm__json_put_int(&o, "ignore_label_id", 0);
  trm__json_put_int(&o, "blank_identifier_id", 0);
  trm__json_put_int(&o, "num_puzzle_identifiers", w->drawn->n_names + 1);
  trm__json_put_int(&o, "total_groups", s->groups);
  trm__json_put_real(&o, "mean_puzzle_examples", (double)s->examples / (double)s->puzzles);
  trm__json_put_int(&o, "total_puzzles", s->puzzles);
  trm__json_open(&o, "sets", '[');
  trm__json_put_text(&o, NULL, "all");
  trm__json_close(&o);
  /* The reference's canvas goes without saying, and its files are to be equal. */
  if (compact) trm__json_put_text(&o, "compact", "arc");
  if (compact || s->canvas != TRM__ARC_SIDE) trm__puzzle_put(&o, "puzzle", &arc);
  trm__json_close(&o);
  return o;
}

static trm_status write_info(const trm__arc_writing *w, const char *folder, const trm__arc_split *s,
                             bool compact, trm_error *err) {
  trm__json_out o = print_info(w, s, compact);
  char *text;
  trm__writer file;
  TRM_TRY(trm__json_finish(&o, "dataset.json", &text, err));
  const trm_status st = open_file(folder, "dataset.json", &file, err);
  if (st == TRM_OK) trm__write(&file, text, strlen(text));
  trm__free(text);
  return st == TRM_OK ? trm__writer_commit(&file, err) : st;
}

/* --- arrays --- */

static trm_status create_array(const char *folder, const char *name, trm__npy_type type, int ndim,
                               const int64_t *shape, trm__npy_writer *out, trm_error *err) {
  char *path = trm__path_join(folder, name);
  if (!path) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");
  const trm_status st = trm__npy_create(out, path, type, ndim, shape, err);
  trm__free(path);
  return st;
}

static trm_status save_array(const char *folder, const char *name, trm__npy_type type, int ndim,
                             const int64_t *shape, const void *data, trm_error *err) {
  trm__npy_writer w;
  TRM_TRY(create_array(folder, name, type, ndim, shape, &w, err));
  trm__npy_append(&w, data, shape[0]);
  return trm__npy_commit(&w, err);
}

/* The starts [groups + 1] as int32. */
static trm_status save_starts(const char *folder, const char *name, int64_t groups,
                              const int64_t *start, trm_error *err) {
  const int64_t n = groups + 1;
  int32_t *v;
  TRM_ALLOC(&v, n, name, err);
  for (int64_t g = 0; g < n; g++) v[g] = (int32_t)start[g];
  const trm_status st = save_array(folder, name, TRM__NPY_I4, 1, &n, v, err);
  trm__free(v);
  return st;
}

static trm_status save_puzzle_indices(const char *folder, const trm__arc_split *s, trm_error *err) {
  const int64_t n = s->puzzles + 1;
  int32_t *v;
  TRM_ALLOC(&v, n, "the examples of puzzles", err);
  for (int64_t g = 0; g < s->groups; g++)
    for (int64_t p = s->group_start[g]; p < s->group_start[g + 1]; p++)
      v[p + 1] = v[p] + (int32_t)(s->pair_start[g + 1] - s->pair_start[g]);
  const trm_status st = save_array(folder, "all__puzzle_indices.npy", TRM__NPY_I4, 1, &n, v, err);
  trm__free(v);
  return st;
}

/* --- the two big arrays --- */

enum { BLOCK = 512 /* examples */ };

typedef struct expansion {
  trm__arc_writing *w;
  const trm__arc_split *split;
  trm__npy_writer file[2];
  uint8_t *block[2]; /* [BLOCK, canvas * canvas] */
  trm_status status[2];
  trm_error error[2];
  atomic_bool stop;
} expansion;

static bool goes_on(expansion *x, const trm__lane *lane, int side, int64_t done) {
  trm__arc_writing *w = x->w;
  /* Only the caller's thread speaks to the caller; alone it writes both arrays in turn. */
  if (lane->rank || !w->progress) return !atomic_load(&x->stop);
  const int64_t here = lane->size > 1 ? done : (done + side * x->split->examples) / 2;
  if (!w->progress(w->progress_arg, w->done + here, w->total)) atomic_store(&x->stop, true);
  return !atomic_load(&x->stop);
}

static void expand_side(expansion *x, const trm__lane *lane, int side) {
  const trm__arc_split *s = x->split;
  const int cells = s->canvas * s->canvas;
  for (int64_t e = 0; e < s->examples; e += BLOCK) {
    if (!goes_on(x, lane, side, e)) return;
    const int64_t n = s->examples - e < BLOCK ? s->examples - e : BLOCK;
    for (int64_t i = 0; i < n; i++)
      trm__arc_split_tokens(s, e + i, side, x->block[side] + i * cells);
    trm__npy_append(&x->file[side], x->block[side], n);
  }
  x->status[side] = trm__npy_commit(&x->file[side], &x->error[side]);
}

static void expand_lane(void *arg, trm__lane *lane) {
  expansion *x = arg;
  for (int side = lane->rank; side < 2; side += lane->size) expand_side(x, lane, side);
}

static trm_status run_expansion(expansion *x, const char *folder, trm_error *err) {
  static const char *const names[] = {"all__inputs.npy", "all__labels.npy"};
  const int64_t cells = x->split->canvas * x->split->canvas;
  const int64_t shape[] = {x->split->examples, cells};
  for (int k = 0; k < 2; k++) {
    TRM_ALLOC(&x->block[k], BLOCK * cells, "a block of examples", err);
    TRM_TRY(create_array(folder, names[k], TRM__NPY_U1, 2, shape, &x->file[k], err));
  }
  trm__pool_run(x->w->pool, 1, expand_lane, x);
  if (atomic_load(&x->stop)) TRM_FAIL(err, TRM_E_INTERRUPTED, "stopped: nothing was written");
  for (int k = 0; k < 2; k++) {
    if (x->status[k] == TRM_OK) continue;
    if (err) *err = x->error[k];
    return x->status[k];
  }
  x->w->done += x->split->examples;
  return TRM_OK;
}

static trm_status save_examples(trm__arc_writing *w, const char *folder, const trm__arc_split *s,
                                trm_error *err) {
  expansion *x;
  TRM_ALLOC(&x, 1, "the examples of a split", err);
  x->w = w;
  x->split = s;
  atomic_init(&x->stop, false);
  const trm_status st = run_expansion(x, folder, err);
  for (int k = 0; k < 2; k++) {
    trm__npy_abort(&x->file[k]);
    trm__free(x->block[k]);
  }
  trm__free(x);
  return st;
}

/* --- splits --- */

static trm_status save_split(trm__arc_writing *w, const char *folder, const trm__arc_split *s,
                             trm_error *err) {
  TRM_TRY(trm__make_dirs(folder, err));
  TRM_TRY(save_examples(w, folder, s, err));
  TRM_TRY(save_puzzle_indices(folder, s, err));
  TRM_TRY(
      save_array(folder, "all__puzzle_identifiers.npy", TRM__NPY_I4, 1, &s->puzzles, s->id, err));
  TRM_TRY(save_starts(folder, "all__group_indices.npy", s->groups, s->group_start, err));
  return write_info(w, folder, s, false, err);
}

trm_status trm__arc_write_split(trm__arc_writing *w, const char *name, const trm__arc_split *s,
                                trm_error *err) {
  char *folder = trm__path_join(w->folder, name);
  if (!folder) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");
  const trm_status st = save_split(w, folder, s, err);
  trm__free(folder);
  return st;
}

/* --- the compact form --- */

static trm_status save_pairs(const char *folder, const trm__arc_split *s, trm_error *err) {
  const int64_t cells = s->canvas * s->canvas, shape[] = {s->pairs, 2, cells};
  trm__npy_writer w;
  TRM_TRY(create_array(folder, "all__pairs.npy", TRM__NPY_U1, 3, shape, &w, err));
  for (int64_t i = 0; i < s->pairs; i++) {
    uint8_t tokens[2 * TRM__ARC_CELLS];
    for (int side = 0; side < 2; side++)
      trm__arc_place(&s->pair[i][side], s->canvas, 0, 0, tokens + side * cells);
    trm__npy_append(&w, tokens, 1);
  }
  return trm__npy_commit(&w, err);
}

static trm_status save_copies(const char *folder, const trm__arc_split *s, trm_error *err) {
  const int64_t shape[] = {s->puzzles, TRM__ARC_COLOURS};
  trm__npy_writer w;
  TRM_TRY(create_array(folder, "all__copies.npy", TRM__NPY_U1, 2, shape, &w, err));
  for (int64_t p = 0; p < s->puzzles; p++) {
    uint8_t row[TRM__ARC_COLOURS]; /* colour 0 stays: its place is the transform's */
    memcpy(row, s->copy[p].colour, sizeof row);
    row[0] = s->copy[p].transform;
    trm__npy_append(&w, row, 1);
  }
  return trm__npy_commit(&w, err);
}

static trm_status save_compact(trm__arc_writing *w, const char *folder, const trm__arc_split *s,
                               trm_error *err) {
  const int64_t offsets[] = {s->examples, 2};
  TRM_TRY(trm__make_dirs(folder, err));
  TRM_TRY(save_pairs(folder, s, err));
  TRM_TRY(save_starts(folder, "all__pair_indices.npy", s->groups, s->pair_start, err));
  TRM_TRY(save_copies(folder, s, err));
  TRM_TRY(save_array(folder, "all__offsets.npy", TRM__NPY_U1, 2, offsets, s->offset, err));
  TRM_TRY(
      save_array(folder, "all__puzzle_identifiers.npy", TRM__NPY_I4, 1, &s->puzzles, s->id, err));
  TRM_TRY(save_starts(folder, "all__group_indices.npy", s->groups, s->group_start, err));
  w->done += s->examples;
  if (w->progress && !w->progress(w->progress_arg, w->done, w->total))
    TRM_FAIL(err, TRM_E_INTERRUPTED, "stopped: nothing was written");
  return write_info(w, folder, s, true, err);
}

trm_status trm__arc_write_compact(trm__arc_writing *w, const char *name, const trm__arc_split *s,
                                  trm_error *err) {
  char *folder = trm__path_join(w->folder, name);
  if (!folder) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");
  const trm_status st = save_compact(w, folder, s, err);
  trm__free(folder);
  return st;
}
