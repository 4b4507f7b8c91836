/* Splits of data sets whose puzzles have one example each and no id of their own. */
#include "data/dataset_write.h"

#include <string.h>

#include "base/memory.h"
#include "io/json.h"
#include "puzzle/kind.h"
#include "puzzle/puzzle.h"

/* DIR/SPLIT/NAME */
static char *file_in(const trm__split_writer *w, const char *name) {
  return trm__path_join(w->path, name);
}

static trm_status begin_rows(const trm__split_writer *w, const char *name, trm__npy_writer *out,
                             trm_error *err) {
  int64_t shape[2] = {w->groups * w->copies, w->cells};
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
  w->cells = puzzle->rows * puzzle->cols;
  w->zero = trm__kind_of(puzzle)->zero;
  w->groups = groups;
  w->copies = copies;
  if (copies < 1 || groups > INT32_MAX / copies)
    TRM_FAIL(err, TRM_E_RANGE, "%lld puzzles with %lld copies each are more than 2^31 - 1 examples",
             (long long)groups, (long long)copies - 1);
  TRM_ALLOC(&w->tokens, w->cells, "an example", err);
  w->path = trm__path_join(f->path, split);
  if (!w->path) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");
  TRM_TRY(trm__make_dirs(w->path, err));
  TRM_TRY(begin_rows(w, "all__inputs.npy", &w->inputs, err));
  return begin_rows(w, "all__labels.npy", &w->labels, err);
}

static void add_row(trm__split_writer *w, trm__npy_writer *out, const uint8_t *values) {
  for (int i = 0; i < w->cells; i++) w->tokens[i] = (uint8_t)(values[i] + w->zero);
  trm__npy_append(out, w->tokens, 1);
}

void trm__split_add(trm__split_writer *w, const uint8_t *question, const uint8_t *answer) {
  add_row(w, &w->inputs, question);
  add_row(w, &w->labels, answer);
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
  trm__json_out o = trm__json_begin(TRM__JSON_INDENTED);
  char *path = file_in(w, "dataset.json");
  if (!path) TRM_FAIL(err, TRM_E_MEMORY, "no memory for dataset.json");

  /* The keys that the reference writes, in its order. */
  trm__json_open(&o, NULL, '{');
  trm__json_put_int(&o, "pad_id", 0);
  trm__json_put_int(&o, "ignore_label_id", 0);
  trm__json_put_int(&o, "blank_identifier_id", 0);
  trm__json_put_int(&o, "vocab_size", trm_puzzle_first_symbol(p) + trm_puzzle_n_symbols(p));
  trm__json_put_int(&o, "seq_len", p->rows * p->cols);
  trm__json_put_int(&o, "num_puzzle_identifiers", 1);
  trm__json_put_int(&o, "total_groups", w->groups);
  trm__json_put_real(&o, "mean_puzzle_examples", 1);
  trm__json_put_int(&o, "total_puzzles", w->groups * w->copies);
  trm__json_open(&o, "sets", '[');
  trm__json_put_text(&o, NULL, "all");
  trm__json_close(&o);

  /* What its tokens mean is trm's own. */
  trm__puzzle_put(&o, "puzzle", p);
  trm__json_close(&o);
  const trm_status st = trm__json_save(path, &o, err);
  trm__free(path);
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
  trm__free(w->tokens);
  trm__free(w->path);
  memset(w, 0, sizeof *w);
}
