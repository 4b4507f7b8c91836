/* Reading examples of an opened data set, and views of parts of it. */
#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/rng.h"
#include "data/dataset_index.h"

/* --- rows of any type --- */

static int32_t clamp(int64_t v) {
  return v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : (int32_t)v;
}

/* n elements of one integer type as int32; what does not fit becomes the nearest that does, which
 * no range check lets pass. An unsigned 64-bit value beyond int64 is read as the negative number
 * with the same bits: so NumPy writes a label of -100 there. */
#define ROW_READER(name, type)                                        \
  static void name(const unsigned char *p, int64_t n, int32_t *out) { \
    for (int64_t i = 0; i < n; i++) {                                 \
      type v;                                                         \
      memcpy(&v, p + (size_t)i * sizeof v, sizeof v);                 \
      out[i] = clamp((int64_t)v);                                     \
    }                                                                 \
  }
ROW_READER(read_u1, uint8_t)
ROW_READER(read_i1, int8_t)
ROW_READER(read_u2, uint16_t)
ROW_READER(read_i2, int16_t)
ROW_READER(read_u4, uint32_t)
ROW_READER(read_i4, int32_t)
ROW_READER(read_u8, uint64_t)
ROW_READER(read_i8, int64_t)

typedef void row_reader(const unsigned char *p, int64_t n, int32_t *out);

/* Floats, which are whole numbers here, and what does not lie as a machine reads it go one by one.
 */
void trm__dataset_read_row(const trm__npy *a, int64_t row, int32_t *out) {
  static row_reader *const readers[TRM__NPY_N_TYPES] = {
      [TRM__NPY_B1] = read_u1, [TRM__NPY_U1] = read_u1, [TRM__NPY_I1] = read_i1,
      [TRM__NPY_U2] = read_u2, [TRM__NPY_I2] = read_i2, [TRM__NPY_U4] = read_u4,
      [TRM__NPY_I4] = read_i4, [TRM__NPY_U8] = read_u8, [TRM__NPY_I8] = read_i8};
  row_reader *const read = readers[a->type];
  const int64_t n = a->row_count, first = row * n;
  if (read && !a->swapped && !a->fortran) {
    read(a->data + (size_t)first * trm__npy_type_size(a->type), n, out);
    return;
  }
  for (int64_t i = 0; i < n; i++) {
    unsigned char element[8];
    trm__npy_load(a, first + i, element);
    if (read)
      read(element, 1, &out[i]);
    else
      out[i] = clamp(trm__npy_int(a, first + i));
  }
}

static void read_tokens(const trm__arc_split *s, int64_t e, int side, int32_t *out) {
  uint8_t tokens[TRM__ARC_CELLS];
  trm__arc_split_tokens(s, e, side, tokens);
  for (int i = 0; i < s->canvas * s->canvas; i++) out[i] = tokens[i];
}

static void read_side(const trm__dataset_file *f, int64_t row, int side, int32_t *out) {
  if (f->arc)
    read_tokens(f->arc, row, side, out);
  else
    trm__dataset_read_row(side ? &f->labels : &f->inputs, row, out);
}

void trm__dataset_read(const trm_dataset *d, int64_t source, int32_t *inputs, int32_t *labels) {
  const trm_dataset *owner = d->files_of ? d->files_of : d;
  int k = owner->n_files - 1;
  while (source < owner->file[k].first) k--;
  int64_t row = source - owner->file[k].first;
  if (inputs) read_side(&owner->file[k], row, 0, inputs);
  if (!labels) return;
  read_side(&owner->file[k], row, 1, labels);
  for (int i = 0; i < d->info.seq_len; i++)
    if (labels[i] == d->info.ignore_label_id) labels[i] = TRM_IGNORE_LABEL;
}

/* --- the data set --- */

void trm__dataset_close_index(trm__dataset_file *f) {
  trm__npy_close(&f->ids);
  trm__npy_close(&f->puzzle_indices);
  trm__npy_close(&f->group_indices);
}

void trm_dataset_free(trm_dataset *d) {
  if (!d) return;
  for (int k = 0; k < d->n_files; k++) {
    trm__npy_close(&d->file[k].inputs);
    trm__npy_close(&d->file[k].labels);
    trm__dataset_close_index(&d->file[k]);
    if (d->file[k].arc) trm__arc_split_free(d->file[k].arc);
    trm__free(d->file[k].arc);
  }
  trm__free(d->file);
  trm__free(d->group_start);
  trm__free(d->puzzle_start);
  trm__free(d->source);
  trm__free(d->puzzle_id);
  trm__free(d);
}

const trm_dataset_info *trm_dataset_get_info(const trm_dataset *d) {
  return &d->info;
}

void trm_dataset_example(const trm_dataset *d, int64_t i, int32_t *inputs, int32_t *labels,
                         int32_t *puzzle_id) {
  /* The last puzzle that starts at or before i; puzzles without examples share their start with the
   * next one and so are never the last. */
  int64_t low = 0, high = d->info.puzzles;
  while (high - low > 1) {
    int64_t middle = low + (high - low) / 2;
    if (d->puzzle_start[middle] <= i)
      low = middle;
    else
      high = middle;
  }
  trm__dataset_read(d, d->source[low] + i - d->puzzle_start[low], inputs, labels);
  if (puzzle_id) *puzzle_id = d->puzzle_id[low];
}

trm_status trm__dataset_alloc_index(trm_dataset *d, trm_error *err) {
  TRM_ALLOC(&d->group_start, d->info.groups + 1, "the groups of a data set", err);
  TRM_ALLOC(&d->puzzle_start, d->info.puzzles + 1, "the puzzles of a data set", err);
  TRM_ALLOC(&d->source, d->info.puzzles, "the puzzles of a data set", err);
  TRM_ALLOC(&d->puzzle_id, d->info.puzzles, "the puzzles of a data set", err);
  return TRM_OK;
}

/* --- fingerprint --- */

trm_status trm_dataset_fingerprint(const trm_dataset *d, uint64_t *out, trm_error *err) {
  enum { MOST = 4096 };
  const trm_dataset_info *info = &d->info;
  const int64_t counts[] = {info->examples, info->puzzles,    info->groups,
                            info->seq_len,  info->vocab_size, info->num_puzzle_identifiers};
  size_t n = (size_t)info->seq_len;
  int64_t step = info->examples / MOST + 1;
  uint64_t hash = trm__hash_bytes(TRM__HASH_START, counts, sizeof counts);
  int32_t *row;
  TRM_ALLOC(&row, 2 * n + 1, "an example", err);
  for (int64_t i = 0; i < info->examples; i += step) {
    trm_dataset_example(d, i, row, row + n, row + 2 * n);
    hash = trm__hash_bytes(hash, row, (2 * n + 1) * sizeof *row);
  }
  trm__free(row);
  *out = hash;
  return TRM_OK;
}

/* --- views --- */

/* The groups with held[g] == wanted, in file order. */
static trm_status make_view(const trm_dataset *d, const uint8_t *held, uint8_t wanted,
                            trm_dataset **out, trm_error *err) {
  trm_dataset *v;
  TRM_ALLOC(&v, 1, "a part of a data set", err);
  *out = v;

  /* A view has the files of the whole, and counts of its own. */
  v->info = d->info;
  v->files_of = d->files_of ? d->files_of : d;
  v->info.groups = v->info.puzzles = 0;
  for (int64_t g = 0; g < d->info.groups; g++) {
    if (held[g] != wanted) continue;
    v->info.groups++;
    v->info.puzzles += d->group_start[g + 1] - d->group_start[g];
  }

  /* The puzzles of its groups follow each other; their examples stay where they lie in the
   * files. */
  TRM_TRY(trm__dataset_alloc_index(v, err));
  int64_t group = 0, puzzle = 0;
  for (int64_t g = 0; g < d->info.groups; g++) {
    if (held[g] != wanted) continue;
    for (int64_t p = d->group_start[g]; p < d->group_start[g + 1]; p++, puzzle++) {
      v->source[puzzle] = d->source[p];
      v->puzzle_id[puzzle] = d->puzzle_id[p];
      v->puzzle_start[puzzle + 1] =
          v->puzzle_start[puzzle] + d->puzzle_start[p + 1] - d->puzzle_start[p];
    }
    v->group_start[++group] = puzzle;
  }

  /* What follows from the index. */
  v->info.examples = v->puzzle_start[puzzle];
  v->info.mean_puzzle_examples = puzzle ? (double)v->info.examples / (double)puzzle : 0;
  return TRM_OK;
}

/* held[g] = 1 for `count` groups drawn by the seed. */
static trm_status draw_held(const trm_dataset *d, int64_t count, uint64_t seed, uint8_t *held,
                            trm_error *err) {
  int32_t *order;
  TRM_ALLOC(&order, d->info.groups, "the split of a data set", err);
  for (int64_t g = 0; g < d->info.groups; g++) order[g] = (int32_t)g;
  trm__rng rng = trm__rng_at(seed, TRM__RNG_SPLIT, TRM__SPLIT_VALIDATION, 0);
  trm__rng_shuffle(&rng, order, d->info.groups);
  for (int64_t i = 0; i < count; i++) held[order[i]] = 1;
  trm__free(order);
  return TRM_OK;
}

trm_status trm_dataset_split(const trm_dataset *d, double share, uint64_t seed, trm_dataset **rest,
                             trm_dataset **held, trm_error *err) {
  *rest = *held = NULL;
  if (!(share > 0 && share < 1))
    TRM_FAIL(err, TRM_E_ARGUMENT, "a validation share of %g: want more than 0, less than 1", share);
  if (d->info.groups < 2)
    TRM_FAIL(err, TRM_E_RANGE, "a data set of one group has nothing to hold out");

  /* At least one group on each side. */
  int64_t count = (int64_t)llround(share * (double)d->info.groups);
  if (count < 1) count = 1;
  if (count > d->info.groups - 1) count = d->info.groups - 1;

  /* Two views share the groups. */
  uint8_t *chosen;
  TRM_ALLOC(&chosen, d->info.groups, "the split of a data set", err);
  trm_status st;
  TRM_GOTO(draw_held(d, count, seed, chosen, err));
  TRM_GOTO(make_view(d, chosen, 0, rest, err));
  TRM_GOTO(make_view(d, chosen, 1, held, err));
done:

  /* Both or none. */
  trm__free(chosen);
  if (st != TRM_OK) {
    trm_dataset_free(*rest);
    trm_dataset_free(*held);
    *rest = *held = NULL;
  }
  return st;
}
