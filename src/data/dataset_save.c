/* A data set, wherever it came from, into a folder that trm_dataset_open reads. */
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "data/dataset_folder.h"
#include "data/dataset_index.h"
#include "data/identity.h"
#include "io/json.h"
#include "puzzle/puzzle.h"

/* One split on its way. */
typedef struct saving {
  const trm_dataset *data;
  char *path;       /* DIR/SPLIT */
  int32_t *example; /* [2 seq_len]: inputs, labels */
  int8_t *narrow;   /* [seq_len] */
} saving;

/* DIR/SPLIT/all__NAME.npy */
static trm_status array_path(const saving *s, const char *name, char path[TRM__PATH_MAX],
                             trm_error *err) {
  return trm__path_format(path, err, "%s/all__%s.npy", s->path, name);
}

/* A byte a token where all tokens, and the mark of labels that are ignored, are one. */
static bool is_narrow(const trm_dataset *d) {
  return d->info.vocab_size <= INT8_MAX + 1;
}

static void append(const saving *s, trm__npy_writer *w, const int32_t *row) {
  if (!is_narrow(s->data)) {
    trm__npy_append(w, row, 1);
    return;
  }
  for (int i = 0; i < s->data->info.seq_len; i++) s->narrow[i] = (int8_t)row[i];
  trm__npy_append(w, s->narrow, 1);
}

static trm_status write_examples(const saving *s, trm__npy_writer *inputs, trm__npy_writer *labels,
                                 trm_error *err) {
  const trm_dataset_info *info = &s->data->info;
  const int64_t shape[2] = {info->examples, info->seq_len};
  const trm__npy_type type = is_narrow(s->data) ? TRM__NPY_I1 : TRM__NPY_I4;
  char path[TRM__PATH_MAX];
  TRM_TRY(array_path(s, "inputs", path, err));
  TRM_TRY(trm__npy_create(inputs, path, type, 2, shape, err));
  TRM_TRY(array_path(s, "labels", path, err));
  TRM_TRY(trm__npy_create(labels, path, type, 2, shape, err));
  for (int64_t i = 0; i < info->examples; i++) {
    trm_dataset_example(s->data, i, s->example, s->example + info->seq_len, NULL);
    append(s, inputs, s->example);
    append(s, labels, s->example + info->seq_len);
  }
  TRM_TRY(trm__npy_commit(inputs, err));
  return trm__npy_commit(labels, err);
}

static trm_status write_array(const saving *s, const char *name, trm__npy_type type, int64_t n,
                              const void *data, trm_error *err) {
  char path[TRM__PATH_MAX];
  TRM_TRY(array_path(s, name, path, err));
  return trm__npy_save(path, type, 1, &n, data, err);
}

static trm_status write_json(const saving *s, trm_error *err) {
  const trm_dataset_info *info = &s->data->info;
  trm__json_out o = trm__json_begin(TRM__JSON_INDENTED);
  char path[TRM__PATH_MAX];
  TRM_TRY(trm__path_format(path, err, "%s/dataset.json", s->path));

  /* The reference's keys in its order; ignored labels are in the arrays. */
  trm__json_open(&o, NULL, '{');
  trm__json_put_int(&o, "pad_id", info->pad_id);
  trm__json_put_int(&o, "ignore_label_id", TRM_IGNORE_LABEL);
  trm__json_put_int(&o, "blank_identifier_id", info->blank_identifier_id);
  trm__json_put_int(&o, "vocab_size", info->vocab_size);
  trm__json_put_int(&o, "seq_len", info->seq_len);
  trm__json_put_int(&o, "num_puzzle_identifiers", info->num_puzzle_identifiers);
  trm__json_put_int(&o, "total_groups", info->groups);
  trm__json_put_real(&o, "mean_puzzle_examples", info->mean_puzzle_examples);
  trm__json_put_int(&o, "total_puzzles", info->puzzles);
  trm__json_open(&o, "sets", '[');
  trm__json_put_text(&o, NULL, "all");
  trm__json_close(&o);

  /* What its tokens mean is trm's own. */
  if (info->puzzle.kind != TRM_PUZZLE_NONE) trm__puzzle_put(&o, "puzzle", &info->puzzle);
  trm__json_close(&o);
  return trm__json_save(path, &o, err);
}

static trm_status write_split(saving *s, trm__npy_writer *inputs, trm__npy_writer *labels,
                              trm_error *err) {
  const trm_dataset *d = s->data;
  const int64_t puzzles = d->info.puzzles, groups = d->info.groups;
  TRM_ALLOC(&s->example, 2 * (int64_t)d->info.seq_len, "an example", err);
  TRM_ALLOC(&s->narrow, d->info.seq_len, "an example", err);
  TRM_TRY(trm__make_dirs(s->path, err));
  TRM_TRY(write_examples(s, inputs, labels, err));
  TRM_TRY(write_array(s, "puzzle_identifiers", TRM__NPY_I4, puzzles, d->puzzle_id, err));
  TRM_TRY(write_array(s, "puzzle_indices", TRM__NPY_I8, puzzles + 1, d->puzzle_start, err));
  TRM_TRY(write_array(s, "group_indices", TRM__NPY_I8, groups + 1, d->group_start, err));
  return write_json(s, err);
}

static trm_status save_split(const trm__folder *f, const char *split, const trm_dataset *data,
                             trm_error *err) {
  saving s = {.data = data, .path = trm__path_join(f->path, split)};
  trm__npy_writer inputs = {0}, labels = {0};
  trm_status st = s.path ? write_split(&s, &inputs, &labels, err)
                         : trm__fail(err, TRM_E_MEMORY, -1, "no memory for a path");
  trm__npy_abort(&inputs);
  trm__npy_abort(&labels);
  trm__free(s.example);
  trm__free(s.narrow);
  trm__free(s.path);
  return st;
}

/* identifiers.json; a single id is the blank one. Without names of several there is none. */
static trm_status write_names(const trm__folder *f, const char *const *names, int n,
                              trm_error *err) {
  char path[TRM__PATH_MAX];
  if (n == 1 && !names) return trm__dataset_folder_write_blank(f, err);
  if (!names) return TRM_OK;
  TRM_TRY(trm__path_format(path, err, "%s/identifiers.json", f->path));
  trm__json_out o = trm__json_begin(TRM__JSON_INDENTED);
  trm__json_open(&o, NULL, '[');
  for (int i = 0; i < n; i++) trm__json_put_text(&o, NULL, names[i]);
  trm__json_close(&o);
  return trm__json_save(path, &o, err);
}

/* What identifiers.json cannot hold. */
static trm_status check_names(const char *const *names, int n, trm_error *err) {
  for (int i = 0; i < n; i++) {
    const char *text = names[i];
    if (!text) TRM_FAIL_AT(err, TRM_E_ARGUMENT, i, "names: there is none of id %d", i);
    for (size_t left = strlen(text), length; left; text += length, left -= length)
      if ((length = trm__text_character(text, left)) == 0)
        TRM_FAIL_AT(err, TRM_E_ARGUMENT, i, "names: that of id %d is not UTF-8", i);
  }
  return TRM_OK;
}

/* What a model that is trained on one split could not be evaluated on. */
static trm_status check_splits(const trm_dataset *train, const trm_dataset *test, trm_error *err) {
  const trm_dataset_info *a = &train->info, *b = &test->info;
  if (a->vocab_size != b->vocab_size || a->seq_len != b->seq_len ||
      a->num_puzzle_identifiers != b->num_puzzle_identifiers)
    TRM_FAIL(err, TRM_E_SHAPE,
             "train has vocab_size %d, seq_len %d and %d puzzle ids, test %d, %d and %d: want the "
             "same",
             a->vocab_size, a->seq_len, a->num_puzzle_identifiers, b->vocab_size, b->seq_len,
             b->num_puzzle_identifiers);
  if (a->identifiers && b->identifiers && a->identifiers != b->identifiers)
    TRM_FAIL(err, TRM_E_SHAPE,
             "the ids of train and those of test have other names: want splits of one data set");
  return trm__puzzles_agree("train", &a->puzzle, "test", &b->puzzle, err);
}

static trm_status save(trm__folder *f, const trm_dataset *train, const trm_dataset *test,
                       const char *const *names, const char *dir, trm_error *err) {
  TRM_TRY(trm__dataset_folder_begin(f, dir, err));
  TRM_TRY(save_split(f, "train", train, err));
  if (test) TRM_TRY(save_split(f, "test", test, err));
  TRM_TRY(write_names(f, names, train->info.num_puzzle_identifiers, err));
  return trm__folder_commit(f, err);
}

trm_status trm_dataset_save(const trm_dataset *train, const trm_dataset *test,
                            const char *const *names, const char *dir, trm_error *err) {
  trm__folder folder = {0};
  if (test) TRM_TRY(check_splits(train, test, err));
  if (names) TRM_TRY(check_names(names, train->info.num_puzzle_identifiers, err));
  const trm_status st = save(&folder, train, test, names, dir, err);
  trm__folder_abort(&folder);
  return st;
}
