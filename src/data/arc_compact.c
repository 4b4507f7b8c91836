/* See arc_compact.h. What the files say is checked to the last cell, so that making an example from
 * them later cannot fail. */
#include "data/arc_compact.h"

#include <string.h>

#include "base/memory.h"

/* The six arrays while they are read. */
typedef struct arrays {
  const char *folder, *set;
  int side; /* of the canvas */
  trm__npy pairs, pair_indices, group_indices, ids, copies, offsets;
} arrays;

static trm_status check_shapes(const arrays *a, trm_error *err) {
  if (a->pairs.shape[1] != 2 || a->pairs.shape[2] != a->side * a->side)
    TRM_FAIL(err, TRM_E_SHAPE, "%s/%s__pairs.npy is (%lld, %lld, %lld), want (pairs, 2, %d)",
             a->folder, a->set, (long long)a->pairs.shape[0], (long long)a->pairs.shape[1],
             (long long)a->pairs.shape[2], a->side * a->side);
  if (a->copies.shape[0] != a->ids.count || a->copies.shape[1] != TRM__ARC_COLOURS)
    TRM_FAIL(err, TRM_E_SHAPE,
             "%s/%s__copies.npy is (%lld, %lld), want (%lld, 10) as %s__puzzle_identifiers.npy "
             "has %lld entries",
             a->folder, a->set, (long long)a->copies.shape[0], (long long)a->copies.shape[1],
             (long long)a->ids.count, a->set, (long long)a->ids.count);
  if (a->pair_indices.count != a->group_indices.count)
    TRM_FAIL(err, TRM_E_SHAPE,
             "%s/%s__pair_indices.npy has %lld entries, %s__group_indices.npy %lld", a->folder,
             a->set, (long long)a->pair_indices.count, a->set, (long long)a->group_indices.count);
  if (a->pairs.shape[0] > INT32_MAX || a->ids.count > INT32_MAX)
    TRM_FAIL(err, TRM_E_RANGE, "%s holds more than 2^31 - 1 pairs or puzzles", a->folder);
  return TRM_OK;
}

/* A checked index into memory; every entry must be more than the one before. */
static trm_status read_starts(const arrays *a, const char *name, const trm__npy *index,
                              int64_t count, int64_t *start, trm_error *err) {
  TRM_TRY(
      trm__dataset_check_index((trm__dataset_place){a->folder, a->set}, name, index, count, err));
  for (int64_t g = 0; g < index->count; g++) {
    start[g] = trm__npy_int(index, g);
    if (g && start[g] == start[g - 1])
      TRM_FAIL_AT(err, TRM_E_RANGE, g, "%s/%s__%s.npy row %lld: %lld again: task %lld is empty",
                  a->folder, a->set, name, (long long)g, (long long)start[g], (long long)g - 1);
  }
  return TRM_OK;
}

/* The pairs, which must look as the builder would place them. */
static trm_status read_pairs(const arrays *a, trm__arc_split *s, trm_error *err) {
  const int cells = a->side * a->side;
  for (int64_t i = 0; i < s->pairs; i++) {
    int32_t row[2 * TRM__ARC_CELLS];
    trm__dataset_read_row(&a->pairs, i, row);
    for (int side = 0; side < 2; side++) {
      uint8_t again[TRM__ARC_CELLS];
      trm__arc_grid *g = &s->pair[i][side];
      const int32_t *tokens = row + side * cells;
      trm__arc_crop(tokens, a->side, g);
      trm__arc_place(g, a->side, 0, 0, again);
      bool same = g->rows > 0;
      for (int cell = 0; cell < cells; cell++) same = same && tokens[cell] == again[cell];
      if (!same)
        TRM_FAIL_AT(err, TRM_E_RANGE, i,
                    "%s/%s__pairs.npy row %lld: the %s is no grid at the top left of its canvas",
                    a->folder, a->set, (long long)i, side ? "output" : "input");
    }
  }
  return TRM_OK;
}

static trm_status read_copies(const arrays *a, trm__arc_split *s, trm_error *err) {
  for (int64_t p = 0; p < s->puzzles; p++) {
    int32_t row[TRM__ARC_COLOURS];
    unsigned seen = 1; /* colour 0 stays */
    trm__dataset_read_row(&a->copies, p, row);
    for (int v = 1; v < TRM__ARC_COLOURS; v++) {
      if (row[v] < 1 || row[v] >= TRM__ARC_COLOURS) break;
      seen |= 1u << row[v];
      s->copy[p].colour[v] = (uint8_t)row[v];
    }
    if (row[0] < 0 || row[0] > 7 || seen != (1u << TRM__ARC_COLOURS) - 1)
      TRM_FAIL_AT(err, TRM_E_RANGE, p,
                  "%s/%s__copies.npy row %lld: want a transform 0 to 7 and a permutation of 1 to 9",
                  a->folder, a->set, (long long)p);
    s->copy[p].transform = (uint8_t)row[0];
  }
  return TRM_OK;
}

static trm_status read_ids(const arrays *a, int64_t limit, trm__arc_split *s, trm_error *err) {
  for (int64_t p = 0; p < s->puzzles; p++) {
    const int64_t id = trm__npy_int(&a->ids, p);
    if (id < 0 || id >= limit)
      TRM_FAIL_AT(err, TRM_E_RANGE, p,
                  "%s/%s__puzzle_identifiers.npy row %lld: id %lld, want 0 to %lld", a->folder,
                  a->set, (long long)p, (long long)id, (long long)(limit - 1));
    s->id[p] = (int32_t)id;
  }
  return TRM_OK;
}

/* The offsets of the examples of one task. */
static trm_status read_task_offsets(const arrays *a, int64_t g, trm__arc_split *s, trm_error *err) {
  int64_t e = s->example_start[g];
  for (int64_t p = s->group_start[g]; p < s->group_start[g + 1]; p++)
    for (int64_t i = s->pair_start[g]; i < s->pair_start[g + 1]; i++, e++) {
      int room[2];
      int32_t row[2];
      trm__arc_pair_room(s->pair[i], s->canvas, &s->copy[p], room);
      trm__dataset_read_row(&a->offsets, e, row);
      if (row[0] < 0 || row[0] > room[0] || row[1] < 0 || row[1] > room[1])
        TRM_FAIL_AT(err, TRM_E_RANGE, e,
                    "%s/%s__offsets.npy row %lld: (%d, %d), want at most (%d, %d), where the pair "
                    "still fits",
                    a->folder, a->set, (long long)e, (int)row[0], (int)row[1], room[0], room[1]);
      s->offset[e][0] = (uint8_t)row[0];
      s->offset[e][1] = (uint8_t)row[1];
    }
  return TRM_OK;
}

static trm_status read_offsets(const arrays *a, trm__arc_split *s, trm_error *err) {
  TRM_TRY(trm__arc_split_count(s, err));
  if (a->offsets.shape[0] != s->examples || a->offsets.shape[1] != 2)
    TRM_FAIL(err, TRM_E_SHAPE, "%s/%s__offsets.npy is (%lld, %lld), want (%lld, 2)", a->folder,
             a->set, (long long)a->offsets.shape[0], (long long)a->offsets.shape[1],
             (long long)s->examples);
  TRM_TRY(trm__arc_split_alloc_offsets(s, err));
  for (int64_t g = 0; g < s->groups; g++) TRM_TRY(read_task_offsets(a, g, s, err));
  return TRM_OK;
}

static trm_status read_arrays(const arrays *a, int64_t id_limit, trm__arc_split *s,
                              trm_error *err) {
  TRM_TRY(check_shapes(a, err));
  s->groups = a->group_indices.count > 0 ? a->group_indices.count - 1 : 0;
  s->puzzles = a->ids.count;
  s->canvas = a->side;
  s->pairs = a->pairs.shape[0];
  TRM_TRY(trm__arc_split_alloc(s, s->groups, s->puzzles, s->pairs, err));
  TRM_TRY(read_starts(a, "pair_indices", &a->pair_indices, s->pairs, s->pair_start, err));
  TRM_TRY(read_starts(a, "group_indices", &a->group_indices, s->puzzles, s->group_start, err));
  TRM_TRY(read_pairs(a, s, err));
  TRM_TRY(read_copies(a, s, err));
  TRM_TRY(read_ids(a, id_limit, s, err));
  return read_offsets(a, s, err);
}

static trm_status open_arrays(arrays *a, trm_error *err) {
  const struct {
    const char *what;
    int ndim;
    trm__npy *array;
  } table[] = {{"pairs", 3, &a->pairs},
               {"pair_indices", 1, &a->pair_indices},
               {"group_indices", 1, &a->group_indices},
               {"puzzle_identifiers", 1, &a->ids},
               {"copies", 2, &a->copies},
               {"offsets", 2, &a->offsets}};
  for (size_t k = 0; k < sizeof table / sizeof *table; k++)
    TRM_TRY(trm__dataset_open_array(a->folder, a->set, table[k].what, table[k].ndim, table[k].array,
                                    err));
  return TRM_OK;
}

trm_status trm__arc_compact_open(const char *folder, const char *set, int side, int64_t id_limit,
                                 trm__arc_split *s, trm_error *err) {
  arrays a = {.folder = folder, .set = set, .side = side};
  trm_status st = open_arrays(&a, err);
  if (st == TRM_OK) st = read_arrays(&a, id_limit, s, err);
  trm__npy *const all[] = {&a.pairs, &a.pair_indices, &a.group_indices,
                           &a.ids,   &a.copies,       &a.offsets};
  for (size_t k = 0; k < sizeof all / sizeof *all; k++) trm__npy_close(all[k]);
  return st;
}

static trm_status fill_dataset(trm_dataset *d, trm__arc_split *s, int n_ids, trm_error *err) {
  d->info =
      (trm_dataset_info){.vocab_size = TRM__ARC_FIRST + TRM__ARC_COLOURS,
                         .seq_len = s->canvas * s->canvas,
                         .num_puzzle_identifiers = n_ids,
                         .puzzle = {.kind = TRM_PUZZLE_ARC, .rows = s->canvas, .cols = s->canvas}};
  TRM_ALLOC(&d->file, 1, "the tasks of a data set", err);
  d->n_files = 1;
  TRM_ALLOC(&d->file->arc, 1, "the tasks of a data set", err);
  *d->file->arc = *s;
  memset(s, 0, sizeof *s);
  return trm__dataset_build_index(d, "the data set of these tasks", err);
}

trm_status trm__arc_compact_dataset(trm__arc_split *s, int n_ids, trm_dataset **out,
                                    trm_error *err) {
  trm_dataset *d;
  *out = NULL;
  TRM_ALLOC(&d, 1, "a data set", err);
  const trm_status st = fill_dataset(d, s, n_ids, err);
  if (st == TRM_OK)
    *out = d;
  else
    trm_dataset_free(d);
  return st;
}
