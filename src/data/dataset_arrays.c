/* Data sets of arrays in memory: each becomes what an opened file would be, and is checked like it.
 */
#include "base/memory.h"
#include "data/dataset_index.h"
#include "puzzle/puzzle.h"

static trm__npy array_of(trm__npy_type type, const void *data, int64_t rows, int64_t cols) {
  return (trm__npy){.data = data,
                    .type = type,
                    .ndim = cols > 1 ? 2 : 1,
                    .shape = {rows, cols, 1},
                    .count = rows * cols,
                    .row_count = cols};
}

/* 0, 1, ... n in a fresh block: every part has one of what it is made of. */
static trm_status count_up(int64_t n, int64_t **out, trm_error *err) {
  TRM_ALLOC(out, n + 1, "an index of a data set", err);
  for (int64_t i = 0; i <= n; i++) (*out)[i] = i;
  return TRM_OK;
}

static trm_status check_sizes(const trm_dataset_arrays *a, trm_error *err) {
  if (a->vocab_size < 1 || a->vocab_size > TRM__MAX_VOCAB || a->seq_len < 1 ||
      a->seq_len > TRM__MAX_SEQ_LEN || a->num_puzzle_identifiers < 0)
    TRM_FAIL(
        err, TRM_E_ARGUMENT,
        "vocab_size = %d, seq_len = %d, num_puzzle_identifiers = %d: expected 1 to %d, 1 to %d "
        "and none negative",
        a->vocab_size, a->seq_len, a->num_puzzle_identifiers, TRM__MAX_VOCAB, TRM__MAX_SEQ_LEN);
  if (a->examples < 1 || a->examples > INT32_MAX || a->puzzles < 0 || a->puzzles > INT32_MAX ||
      a->groups < 0 || a->groups > INT32_MAX || !a->inputs || !a->labels)
    TRM_FAIL(err, TRM_E_ARGUMENT,
             "examples = %lld, puzzles = %lld, groups = %lld: expected 1 to 2^31 - 1 examples with "
             "inputs and labels, no more puzzles or groups, and none negative",
             (long long)a->examples, (long long)a->puzzles, (long long)a->groups);
  return trm__puzzle_check(&a->puzzle, a->vocab_size, a->seq_len, "puzzle", err);
}

/* What stands in for index arrays that are not there. */
typedef struct stand_ins {
  int64_t *puzzles, *groups;
  int32_t *ids;
} stand_ins;

static trm_status wrap_arrays(const trm_dataset_arrays *a, trm__dataset_file *f, stand_ins *own,
                              trm_error *err) {
  const int64_t puzzles = a->puzzle_indices ? a->puzzles : a->examples;
  const int64_t groups = a->group_indices ? a->groups : puzzles;
  if (!a->puzzle_indices) TRM_TRY(count_up(puzzles, &own->puzzles, err));
  if (!a->group_indices) TRM_TRY(count_up(groups, &own->groups, err));
  if (!a->puzzle_identifiers) TRM_ALLOC(&own->ids, puzzles + 1, "the ids of a data set", err);
  f->inputs = array_of(TRM__NPY_I4, a->inputs, a->examples, a->seq_len);
  f->labels = array_of(TRM__NPY_I4, a->labels, a->examples, a->seq_len);
  f->ids = array_of(TRM__NPY_I4, own->ids ? own->ids : a->puzzle_identifiers, puzzles, 1);
  f->puzzle_indices =
      array_of(TRM__NPY_I8, own->puzzles ? own->puzzles : a->puzzle_indices, puzzles + 1, 1);
  f->group_indices =
      array_of(TRM__NPY_I8, own->groups ? own->groups : a->group_indices, groups + 1, 1);
  return TRM_OK;
}

/* A count that the caller says is believed; one that only the largest id tells as in a folder
 * without names, for a model has an embedding of each. */
static trm_status check_id_count(const trm_dataset_info *info, trm_error *err) {
  if (trm__dataset_ids_are_few(info)) return TRM_OK;
  TRM_FAIL(err, TRM_E_RANGE,
           "puzzle_identifiers: the largest id is %d, but there are %lld puzzles: beyond %d ids, "
           "say num_puzzle_identifiers",
           info->num_puzzle_identifiers - 1, (long long)info->puzzles, TRM__FREE_IDS);
}

static trm_status build(const trm_dataset_arrays *a, trm_dataset *d, stand_ins *own,
                        trm_error *err) {
  const trm__dataset_place memory = {NULL, NULL};
  const bool count_ids = a->num_puzzle_identifiers == 0;
  TRM_ALLOC(&d->file, 1, "the arrays of a data set", err);
  d->n_files = 1;
  d->info = (trm_dataset_info){.vocab_size = a->vocab_size,
                               .seq_len = a->seq_len,
                               .num_puzzle_identifiers = a->num_puzzle_identifiers,
                               .ignore_label_id = TRM_IGNORE_LABEL,
                               .puzzle = a->puzzle};
  TRM_TRY(wrap_arrays(a, d->file, own, err));
  TRM_TRY(trm__dataset_check_arrays(&d->info, memory, count_ids, d->file, err));
  TRM_TRY(trm__dataset_build_index(d, "the arrays", err));
  if (count_ids) TRM_TRY(check_id_count(&d->info, err));
  return trm__dataset_recognise(d, err);
}

trm_status trm_dataset_from_arrays(const trm_dataset_arrays *arrays, trm_dataset **out,
                                   trm_error *err) {
  stand_ins own = {0};
  trm_dataset *d;
  *out = NULL;
  TRM_TRY(check_sizes(arrays, err));
  TRM_ALLOC(&d, 1, "a data set", err);
  const trm_status st = build(arrays, d, &own, err);
  trm__free(own.puzzles);
  trm__free(own.groups);
  trm__free(own.ids);
  if (st == TRM_OK)
    *out = d;
  else
    trm_dataset_free(d);
  return st;
}
