/* Opening a data set folder. Everything in it is checked here, so that whoever reads examples later
 * may trust every index, token, label and id. */
#include <string.h>

#include "base/memory.h"
#include "data/arc_compact.h"
#include "data/dataset_index.h"
#include "data/identity.h"
#include "data/splits.h"
#include "io/json.h"
#include "puzzle/kind.h"
#include "puzzle/puzzle.h"

enum {
  MAX_JSON_BYTES = 1 << 20,
  MAX_SETS = 1024,
  MAX_NAME = 200,
  MESSAGE = sizeof(((trm_error *)0)->msg), /* a name in a message is not longer */
  RECOGNISE = 16                           /* examples looked at to recognise a kind */
};

/* An open in progress. */
typedef struct opening {
  const char *dir, *split;
  char *folder, *json_path; /* DIR/SPLIT and its dataset.json */
  trm__json *json;
  trm_dataset *d;
  bool count_ids; /* dataset.json does not say how many ids there are */
  bool compact;   /* the compact form of ARC */
} opening;

/* --- dataset.json --- */

static trm_status read_int_or(const opening *o, const char *key, int64_t low, int64_t high,
                              int otherwise, int *out, trm_error *err) {
  const trm__json *value = trm__json_get(o->json, key);
  *out = otherwise;
  if (!value || trm__json_is(value, TRM__JSON_NULL)) return TRM_OK;
  int64_t v = 0;
  TRM_TRY(trm__json_int(o->json, o->json_path, key, low, high, &v, err));
  *out = (int)v;
  return TRM_OK;
}

static trm_status read_puzzle(const opening *o, trm_dataset_info *info, trm_error *err) {
  const trm__json *puzzle = trm__json_get(o->json, "puzzle");
  if (!puzzle || trm__json_is(puzzle, TRM__JSON_NULL)) return TRM_OK;
  TRM_TRY(trm__puzzle_from_json(puzzle, o->json_path, &info->puzzle, err));
  return trm__puzzle_check(&info->puzzle, info->vocab_size, info->seq_len, o->json_path, err);
}

/* Whether the folder holds examples or what they are made from. */
static trm_status read_form(opening *o, trm_error *err) {
  const trm_dataset_info *info = &o->d->info;
  const char *form;
  if (!trm__json_get(o->json, "compact")) return TRM_OK;
  TRM_TRY(trm__json_string(o->json, o->json_path, "compact", &form, err));
  if (strcmp(form, "arc") != 0)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: \"compact\": want \"arc\", found \"%.40s\"", o->json_path,
             form);
  if (!trm_puzzle_facts_of(&info->puzzle)->tasks || info->pad_id != 0 || o->count_ids)
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: a compact set must have pad_id 0, num_puzzle_identifiers and a \"puzzle\" of "
             "kind arc",
             o->json_path);
  o->compact = true;
  return TRM_OK;
}

static trm_status read_info(opening *o, trm_error *err) {
  trm_dataset_info *info = &o->d->info;
  int64_t vocab = 0, seq_len = 0;
  TRM_TRY(trm__json_int(o->json, o->json_path, "vocab_size", 1, TRM__MAX_VOCAB, &vocab, err));
  TRM_TRY(trm__json_int(o->json, o->json_path, "seq_len", 1, TRM__MAX_SEQ_LEN, &seq_len, err));
  info->vocab_size = (int)vocab;
  info->seq_len = (int)seq_len;
  TRM_TRY(read_int_or(o, "pad_id", 0, vocab - 1, 0, &info->pad_id, err));
  TRM_TRY(read_int_or(o, "ignore_label_id", INT32_MIN, INT32_MAX, TRM_IGNORE_LABEL,
                      &info->ignore_label_id, err));
  TRM_TRY(read_int_or(o, "blank_identifier_id", 0, INT32_MAX, 0, &info->blank_identifier_id, err));
  TRM_TRY(read_int_or(o, "num_puzzle_identifiers", 1, INT32_MAX, 0, &info->num_puzzle_identifiers,
                      err));
  o->count_ids = info->num_puzzle_identifiers == 0;
  TRM_TRY(read_puzzle(o, info, err));
  return read_form(o, err);
}

/* --- one set of arrays --- */

trm_status trm__dataset_open_array(const char *folder, const char *set, const char *what, int ndim,
                                   trm__npy *a, trm_error *err) {
  char name[MAX_NAME + 64];
  snprintf(name, sizeof name, "%s__%s.npy", set, what);
  char *path = trm__path_join(folder, name);
  if (!path) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");
  trm_status st;
  TRM_GOTO(trm__npy_open(path, a, err));
  st = a->ndim == ndim
           ? trm__npy_check_whole(a, path, err)
           : trm__fail(err, TRM_E_SHAPE, -1, "%s has %d dimensions, want %d", path, a->ndim, ndim);
done:
  trm__free(path);
  return st;
}

const char *trm__dataset_array_name(trm__dataset_place at, const char *name, char *text,
                                    size_t size) {
  if (!at.folder) return name;
  snprintf(text, size, "%s/%s__%s.npy", at.folder, at.set, name);
  return text;
}

trm_status trm__dataset_check_index(trm__dataset_place at, const char *name, const trm__npy *a,
                                    int64_t count, trm_error *err) {
  char text[MESSAGE];
  const char *file = trm__dataset_array_name(at, name, text, sizeof text);
  if (a->count < 1) TRM_FAIL(err, TRM_E_SHAPE, "%s is empty, want at least the entry 0", file);
  int64_t before = 0;
  for (int64_t i = 0; i < a->count; i++) {
    int64_t v = trm__npy_int(a, i);
    if (i == 0 && v != 0)
      TRM_FAIL_AT(err, TRM_E_RANGE, i, "%s row 0: %lld, want 0", file, (long long)v);
    if (v < before || v > count)
      TRM_FAIL_AT(err, TRM_E_RANGE, i, "%s row %lld: %lld, want %lld to %lld", file, (long long)i,
                  (long long)v, (long long)before, (long long)count);
    before = v;
  }
  if (before != count)
    TRM_FAIL_AT(err, TRM_E_RANGE, a->count - 1, "%s row %lld: the last entry is %lld, want %lld",
                file, (long long)(a->count - 1), (long long)before, (long long)count);
  return TRM_OK;
}

static trm_status check_tokens(const trm_dataset_info *info, trm__dataset_place at,
                               const char *name, const trm__npy *a, bool labels, trm_error *err) {
  char text[MESSAGE];
  int32_t *row;
  TRM_ALLOC(&row, info->seq_len, "a row of a data set", err);
  trm_status st = TRM_OK;
  for (int64_t r = 0; r < a->shape[0] && st == TRM_OK; r++) {
    trm__dataset_read_row(a, r, row);
    for (int i = 0; i < info->seq_len; i++) {
      if (row[i] >= 0 && row[i] < info->vocab_size) continue;
      if (labels && (row[i] == info->ignore_label_id || row[i] == TRM_IGNORE_LABEL)) continue;
      st = trm__fail(err, TRM_E_RANGE, r,
                     "%s row %lld column %d: %s %lld, want 0 to %d (vocab_size %d)",
                     trm__dataset_array_name(at, name, text, sizeof text), (long long)r, i,
                     labels ? "label" : "token", (long long)trm__npy_int(a, r * info->seq_len + i),
                     info->vocab_size - 1, info->vocab_size);
      break;
    }
  }
  trm__free(row);
  return st;
}

static trm_status check_ids(trm_dataset_info *info, trm__dataset_place at, bool count_ids,
                            const trm__npy *ids, trm_error *err) {
  int64_t limit = count_ids ? INT32_MAX : info->num_puzzle_identifiers;
  char text[MESSAGE];
  for (int64_t i = 0; i < ids->count; i++) {
    int64_t id = trm__npy_int(ids, i);
    if (id < 0 || id >= limit)
      TRM_FAIL_AT(err, TRM_E_RANGE, i, "%s row %lld: id %lld, want 0 to %lld",
                  trm__dataset_array_name(at, "puzzle_identifiers", text, sizeof text),
                  (long long)i, (long long)id, (long long)(limit - 1));
    if (count_ids && id >= info->num_puzzle_identifiers) info->num_puzzle_identifiers = (int)id + 1;
  }
  return TRM_OK;
}

static trm_status check_shapes(const trm_dataset_info *info, trm__dataset_place at,
                               const trm__dataset_file *f, trm_error *err) {
  int64_t rows = f->inputs.shape[0], len = info->seq_len;
  char text[MESSAGE];
  if (f->inputs.shape[1] != len)
    TRM_FAIL(err, TRM_E_SHAPE, "%s has %lld column%s, dataset.json says seq_len %lld",
             trm__dataset_array_name(at, "inputs", text, sizeof text),
             (long long)f->inputs.shape[1], TRM__S(f->inputs.shape[1]), (long long)len);
  if (f->labels.shape[0] != rows || f->labels.shape[1] != len)
    TRM_FAIL(err, TRM_E_SHAPE, "%s is (%lld, %lld), the inputs are (%lld, %lld)",
             trm__dataset_array_name(at, "labels", text, sizeof text),
             (long long)f->labels.shape[0], (long long)f->labels.shape[1], (long long)rows,
             (long long)len);
  if (f->puzzle_indices.count != f->ids.count + 1)
    TRM_FAIL(err, TRM_E_SHAPE, "%s has %lld entries, want %lld (one more than puzzle_identifiers)",
             trm__dataset_array_name(at, "puzzle_indices", text, sizeof text),
             (long long)f->puzzle_indices.count, (long long)f->ids.count + 1);
  return TRM_OK;
}

trm_status trm__dataset_check_arrays(trm_dataset_info *info, trm__dataset_place at, bool count_ids,
                                     const trm__dataset_file *f, trm_error *err) {
  TRM_TRY(check_shapes(info, at, f, err));
  TRM_TRY(
      trm__dataset_check_index(at, "puzzle_indices", &f->puzzle_indices, f->inputs.shape[0], err));
  TRM_TRY(trm__dataset_check_index(at, "group_indices", &f->group_indices, f->ids.count, err));
  TRM_TRY(check_ids(info, at, count_ids, &f->ids, err));
  TRM_TRY(check_tokens(info, at, "inputs", &f->inputs, false, err));
  return check_tokens(info, at, "labels", &f->labels, true, err);
}

static trm_status open_compact(opening *o, const char *set, trm__dataset_file *f, trm_error *err) {
  TRM_ALLOC(&f->arc, 1, "the tasks of a data set", err);
  const trm_dataset_info *info = &o->d->info;
  return trm__arc_compact_open(o->folder, set, info->puzzle.rows, info->num_puzzle_identifiers,
                               f->arc, err);
}

/* Opens and checks the five arrays of a set. */
static trm_status open_set(opening *o, const char *set, trm__dataset_file *f, trm_error *err) {
  TRM_TRY(trm__dataset_open_array(o->folder, set, "inputs", 2, &f->inputs, err));
  TRM_TRY(trm__dataset_open_array(o->folder, set, "labels", 2, &f->labels, err));
  TRM_TRY(trm__dataset_open_array(o->folder, set, "puzzle_identifiers", 1, &f->ids, err));
  TRM_TRY(trm__dataset_open_array(o->folder, set, "puzzle_indices", 1, &f->puzzle_indices, err));
  TRM_TRY(trm__dataset_open_array(o->folder, set, "group_indices", 1, &f->group_indices, err));
  return trm__dataset_check_arrays(&o->d->info, (trm__dataset_place){o->folder, set}, o->count_ids,
                                   f, err);
}

/* --- the index of all sets --- */

static trm_status count_all(trm_dataset *d, const char *folder, trm_error *err) {
  trm_dataset_info *info = &d->info;
  for (int k = 0; k < d->n_files; k++) {
    trm__dataset_file *f = &d->file[k];
    f->first = info->examples;
    info->examples += f->arc ? f->arc->examples : f->inputs.shape[0];
    info->puzzles += f->arc ? f->arc->puzzles : f->ids.count;
    info->groups += f->arc ? f->arc->groups : f->group_indices.count - 1;
    if (info->examples > INT32_MAX || info->puzzles > INT32_MAX || info->groups > INT32_MAX)
      TRM_FAIL(err, TRM_E_RANGE, "%s holds more than 2^31 - 1 examples, puzzles or groups", folder);
  }
  if (!info->examples) TRM_FAIL(err, TRM_E_FORMAT, "%s holds no examples", folder);
  info->mean_puzzle_examples = (double)info->examples / (double)info->puzzles;
  return TRM_OK;
}

/* Where the index of the next file goes on. */
typedef struct index_end {
  int64_t group, puzzle;
} index_end;

static void index_arc(trm_dataset *d, const trm__dataset_file *f, index_end *end) {
  const trm__arc_split *s = f->arc;
  for (int64_t g = 0; g < s->groups; g++) {
    int64_t example = f->first + s->example_start[g];
    d->group_start[end->group++] = end->puzzle;
    for (int64_t p = s->group_start[g]; p < s->group_start[g + 1]; p++, end->puzzle++) {
      d->source[end->puzzle] = d->puzzle_start[end->puzzle] = example;
      d->puzzle_id[end->puzzle] = s->id[p];
      example += s->pair_start[g + 1] - s->pair_start[g];
    }
  }
}

/* Copies the checked index arrays into memory and lets their files go. */
static void index_arrays(trm_dataset *d, trm__dataset_file *f, index_end *end) {
  for (int64_t g = 0; g + 1 < f->group_indices.count; g++)
    d->group_start[end->group++] = end->puzzle + trm__npy_int(&f->group_indices, g);
  for (int64_t p = 0; p < f->ids.count; p++, end->puzzle++) {
    d->source[end->puzzle] = f->first + trm__npy_int(&f->puzzle_indices, p);
    d->puzzle_start[end->puzzle] = d->source[end->puzzle];
    d->puzzle_id[end->puzzle] = (int32_t)trm__npy_int(&f->ids, p);
  }
  trm__dataset_close_index(f);
}

trm_status trm__dataset_build_index(trm_dataset *d, const char *folder, trm_error *err) {
  index_end end = {0, 0};
  TRM_TRY(count_all(d, folder, err));
  TRM_TRY(trm__dataset_alloc_index(d, err));
  for (int k = 0; k < d->n_files; k++) {
    trm__dataset_file *f = &d->file[k];
    if (f->arc)
      index_arc(d, f, &end);
    else
      index_arrays(d, f, &end);
  }
  d->group_start[end.group] = end.puzzle;
  d->puzzle_start[end.puzzle] = d->info.examples;
  return TRM_OK;
}

static trm_status set_name(const opening *o, size_t i, const char **name, trm_error *err) {
  const trm__json *sets = trm__json_get(o->json, "sets");
  *name = sets ? trm__json_text(trm__json_item(sets, i)) : "all";
  if (!*name || !**name || strlen(*name) > MAX_NAME || strchr(*name, '/') || **name == '.')
    TRM_FAIL(err, TRM_E_FORMAT, "%s: entry %zu of \"sets\" is no name of a set", o->json_path, i);
  return TRM_OK;
}

static trm_status open_sets(opening *o, trm_error *err) {
  const trm__json *sets = trm__json_get(o->json, "sets");
  size_t n = sets ? trm__json_n_items(sets) : 1;
  if (n < 1 || n > MAX_SETS)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: \"sets\" must be an array of 1 to %d names", o->json_path,
             MAX_SETS);
  TRM_ALLOC(&o->d->file, n, "the files of a data set", err);
  o->d->n_files = (int)n;
  for (size_t k = 0; k < n; k++) {
    const char *name;
    TRM_TRY(set_name(o, k, &name, err));
    TRM_TRY((o->compact ? open_compact : open_set)(o, name, &o->d->file[k], err));
  }
  return trm__dataset_build_index(o->d, o->folder, err);
}

/* --- what the tokens mean --- */

/* `row` has room for an example. */
static bool first_examples_are(const trm_dataset *d, const trm__puzzle_kind *kind,
                               const trm_puzzle *p, int32_t *row) {
  for (int64_t i = 0; kind->is_example && i < d->info.examples && i < RECOGNISE; i++) {
    trm__dataset_read(d, i, row, row + d->info.seq_len);
    if (!kind->is_example(p, row, row + d->info.seq_len)) return false;
  }
  return true;
}

trm_status trm__dataset_recognise(trm_dataset *d, trm_error *err) {
  trm_dataset_info *info = &d->info;
  int32_t *row;
  if (info->puzzle.kind != TRM_PUZZLE_NONE) return TRM_OK;
  TRM_ALLOC(&row, 2 * (size_t)info->seq_len, "an example", err);
  for (int i = 0; i < TRM_PUZZLE_KINDS && info->puzzle.kind == TRM_PUZZLE_NONE; i++) {
    const trm__puzzle_kind *kind = trm__kinds[i];
    trm_puzzle p;
    if (kind->fits && kind->fits(info->seq_len, info->vocab_size, &p) &&
        first_examples_are(d, kind, &p, row))
      info->puzzle = p;
  }
  trm__free(row);
  return TRM_OK;
}

/* The bytes of DIR/identifiers.json; 0: there is none. */
static trm_status size_of_names(const opening *o, size_t *size, trm_error *err) {
  char *path = trm__path_join(o->dir, "identifiers.json");
  trm__map map = {0};
  trm__kind kind;
  if (!path) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");
  trm_status st = trm__path_look(path, &kind, err);
  if (kind != TRM__ABSENT) st = trm__map_open(path, &map, err);
  *size = map.size;
  trm__map_close(&map);
  trm__free(path);
  return st;
}

bool trm__dataset_ids_are_few(const trm_dataset_info *info) {
  const int64_t n = info->num_puzzle_identifiers;
  return n <= TRM__FREE_IDS || n <= info->puzzles + 1;
}

/* What is named may be more. */
static trm_status check_id_count(const opening *o, trm_error *err) {
  enum { LEAST_NAME = 3 /* bytes of "", in the list */ };
  const trm_dataset_info *info = &o->d->info;
  const int64_t n = info->num_puzzle_identifiers;
  size_t names;
  if (trm__dataset_ids_are_few(info)) return TRM_OK;
  TRM_TRY(size_of_names(o, &names, err));
  if (n <= (int64_t)(names / LEAST_NAME) + 1) return TRM_OK;
  TRM_FAIL(err, TRM_E_RANGE,
           "%s: %lld puzzle ids (%s), but %lld puzzles, and %zu bytes of names in "
           "identifiers.json: beyond %d, want no more ids than puzzles or names",
           o->json_path, (long long)n,
           o->count_ids ? "the largest in the arrays and those below" : "num_puzzle_identifiers",
           (long long)info->puzzles, names, TRM__FREE_IDS);
}

static trm_status open_folder(opening *o, trm_error *err) {
  trm__kind kind;
  TRM_TRY(trm__path_look(o->json_path, &kind, err));
  if (kind == TRM__ABSENT) return trm__split_missing(o->dir, o->split, err);
  TRM_TRY(trm__json_load(o->json_path, MAX_JSON_BYTES, &o->json, err));
  if (!trm__json_is(o->json, TRM__JSON_OBJECT))
    TRM_FAIL(err, TRM_E_FORMAT, "%s: want a JSON object", o->json_path);
  TRM_ALLOC(&o->d, 1, "a data set", err);
  TRM_TRY(read_info(o, err));
  TRM_TRY(open_sets(o, err));
  TRM_TRY(check_id_count(o, err));
  return trm__dataset_recognise(o->d, err);
}

trm_status trm__dataset_open_split(const char *dir, const char *split, trm_dataset **out,
                                   trm_error *err) {
  *out = NULL;
  opening o = {.dir = dir, .split = split, .folder = trm__path_join(dir, split)};
  if (o.folder) o.json_path = trm__path_join(o.folder, "dataset.json");
  trm_status st =
      o.json_path ? open_folder(&o, err) : trm__fail(err, TRM_E_MEMORY, -1, "no memory for a path");
  trm__json_free(o.json);
  trm__free(o.json_path);
  trm__free(o.folder);
  if (st == TRM_OK)
    *out = o.d;
  else
    trm_dataset_free(o.d);
  return st;
}

trm_status trm_dataset_open(const char *dir, const char *split, trm_dataset **out, trm_error *err) {
  TRM_TRY(trm__dataset_open_split(dir, split, out, err));
  trm_dataset_info *info = &(*out)->info;
  if (info->num_puzzle_identifiers == 1) return TRM_OK;
  const trm_status st = trm__identity_read(dir, &info->identifiers, err);
  if (st == TRM_OK) return TRM_OK;
  trm_dataset_free(*out);
  *out = NULL;
  return st;
}
