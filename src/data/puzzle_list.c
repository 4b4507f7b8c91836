/* Lists of puzzles, and how many in them are the same, literally and up to symmetry. Grids are
 * compared by 128-bit keys, whose chance of agreeing by accident is below 1e-20 for any list that
 * fits in memory. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "data/dataset_index.h"
#include "data/dataset_write.h"
#include "puzzle/kind.h"

trm_status trm__build_tick(trm_progress_fn *progress, void *arg, int64_t done, int64_t total,
                           trm_error *err) {
  if (progress && done % 64 == 0 && !progress(arg, done, total))
    TRM_FAIL(err, TRM_E_INTERRUPTED, "stopped: nothing was written");
  return TRM_OK;
}

int64_t trm__build_estimate(int64_t n, size_t at, size_t size) {
  return at < size ? (int64_t)((double)n * (double)size / (double)(at ? at : 1)) : n;
}

trm_status trm__puzzle_list_alloc(trm__puzzle_list *list, int64_t n, int cells, trm_error *err) {
  TRM_ALLOC(&list->question, n * cells, "puzzles", err);
  TRM_ALLOC(&list->answer, n * cells, "answers", err);
  list->room = n;
  return TRM_OK;
}

trm_status trm__puzzle_list_grow(trm__puzzle_list *list, int cells, int64_t expected,
                                 trm_error *err) {
  uint8_t **const block[2] = {&list->question, &list->answer};
  if (list->n < list->room) return TRM_OK;
  if (list->n == INT32_MAX) TRM_FAIL(err, TRM_E_RANGE, "more than 2^31 - 1 puzzles in a file");
  int64_t more = list->n + list->n / 2;
  if (more < expected) more = expected;
  more += more / 32 + 1024;
  if (more > INT32_MAX) more = INT32_MAX;
  for (int k = 0; k < 2; k++) {
    uint8_t *fresh;
    TRM_ALLOC(&fresh, more * cells, "puzzles", err);
    if (list->n) memcpy(fresh, *block[k], (size_t)(list->n * cells));
    trm__free(*block[k]);
    *block[k] = fresh;
  }
  list->room = more;
  return TRM_OK;
}

void trm__puzzle_list_free(trm__puzzle_list *list) {
  trm__free(list->question);
  trm__free(list->answer);
  memset(list, 0, sizeof *list);
}

trm_status trm__puzzle_list_thin(trm__puzzle_list *list, int cells, int64_t keep, uint64_t seed,
                                 trm_error *err) {
  int64_t n = 0;
  if (!keep || keep >= list->n) return TRM_OK;

  /* The first `keep` of a shuffled order are drawn. */
  int32_t *order;
  TRM_ALLOC(&order, list->n, "the subsample", err);
  for (int64_t i = 0; i < list->n; i++) order[i] = (int32_t)i;
  trm__rng rng = trm__rng_at(seed, TRM__RNG_SPLIT, TRM__SPLIT_SUBSAMPLE, 0);
  trm__rng_shuffle(&rng, order, list->n);

  /* They close up in the order of the list. */
  uint8_t *kept = trm__alloc((uint64_t)list->n, 1);
  for (int64_t i = 0; kept && i < keep; i++) kept[order[i]] = 1;
  for (int64_t i = 0; kept && i < list->n; i++) {
    if (!kept[i]) continue;
    memmove(list->question + n * cells, list->question + i * cells, (size_t)cells);
    memmove(list->answer + n * cells, list->answer + i * cells, (size_t)cells);
    n++;
  }

  /* Without memory the list is as it was. */
  bool done = kept != NULL;
  trm__free(kept);
  trm__free(order);
  if (!done) TRM_FAIL(err, TRM_E_MEMORY, "no memory for the subsample");
  list->n = n;
  return TRM_OK;
}

/* The finaliser of MurmurHash3's 64-bit variant. */
static uint64_t mix(uint64_t x) {
  x = (x ^ x >> 33) * 0xff51afd7ed558ccdull;
  x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53ull;
  return x ^ x >> 33;
}

trm__grid_key trm__grid_key_of(const uint8_t *values, int cells, uint64_t seed) {
  trm__grid_key key = {mix(seed + 1), mix(~seed)};
  for (int i = 0; i < cells; i += 8) {
    uint64_t word = 0;
    memcpy(&word, values + i, (size_t)(cells - i < 8 ? cells - i : 8));
    key.a = mix(key.a ^ word) + 0x9e3779b97f4a7c15ull;
    key.b = mix(key.b + word * 0xd6e8feb86659fd93ull) ^ 0x2545f4914f6cdd1dull;
  }
  return key;
}

int trm__grid_key_compare(const void *left, const void *right) {
  const trm__grid_key *l = left, *r = right;
  if (l->a != r->a) return l->a < r->a ? -1 : 1;
  return (l->b > r->b) - (l->b < r->b);
}

/* The keys of a list's questions, or of their canonical forms. */
static trm_status make_keys(const trm_puzzle *p, const trm__puzzle_list *list, bool canonical,
                            trm_progress_fn *progress, void *progress_arg, trm__grid_key **out,
                            trm_error *err) {
  const trm__puzzle_kind *kind = trm__kind_of(p);
  trm_status st = TRM_OK;
  int cells = p->rows * p->cols;
  uint8_t *form;
  TRM_ALLOC(out, list->n, "the search for duplicates", err);
  TRM_ALLOC(&form, cells, "the search for duplicates", err);
  for (int64_t i = 0; st == TRM_OK && i < list->n; i++) {
    const uint8_t *grid = list->question + i * cells;
    if (canonical) kind->canonical(p, grid, form);
    (*out)[i] = trm__grid_key_of(canonical ? form : grid, cells, 0);
    st = trm__build_tick(progress, progress_arg, i, list->n, err);
  }
  trm__free(form);
  return st;
}

int64_t trm__grid_keys_sort(trm__grid_key *keys, int64_t n) {
  int64_t repeats = 0;
  if (n) qsort(keys, (size_t)n, sizeof *keys, trm__grid_key_compare);
  for (int64_t i = 1; i < n; i++) repeats += trm__grid_key_compare(&keys[i - 1], &keys[i]) == 0;
  return repeats;
}

int64_t trm__grid_keys_shared(const trm__grid_key *train, int64_t n_train,
                              const trm__grid_key *test, int64_t n_test) {
  int64_t shared = 0, i = 0;
  for (int64_t k = 0; k < n_test; k++) {
    while (i < n_train && trm__grid_key_compare(&train[i], &test[k]) < 0) i++;
    shared += i < n_train && trm__grid_key_compare(&train[i], &test[k]) == 0;
  }
  return shared;
}

void trm__count_keys(trm__grid_key *train, int64_t n_train, trm__grid_key *test, int64_t n_test,
                     bool canonical, trm_build_report *report) {
  const int64_t train_repeats = trm__grid_keys_sort(train, n_train);
  const int64_t test_repeats = trm__grid_keys_sort(test, n_test);
  const int64_t shared = trm__grid_keys_shared(train, n_train, test, n_test);
  if (canonical) {
    report->symmetric_overlap = shared;
    return;
  }
  report->train_puzzles = n_train;
  report->test_puzzles = n_test;
  report->overlap = shared;
  report->duplicates_in_train = train_repeats;
  report->duplicates_in_test = test_repeats;
}

trm_status trm__count_duplicates(const trm_puzzle *p, const trm__puzzle_list *train,
                                 const trm__puzzle_list *test, trm_progress_fn *progress,
                                 void *progress_arg, trm_build_report *report, trm_error *err) {
  for (int canonical = 0; canonical < 2; canonical++) {
    trm__grid_key *train_keys = NULL, *test_keys = NULL;
    if (canonical && !test->n) break;
    trm_status st = make_keys(p, train, canonical, progress, progress_arg, &train_keys, err);
    if (st == TRM_OK) st = make_keys(p, test, canonical, progress, progress_arg, &test_keys, err);
    if (st == TRM_OK) trm__count_keys(train_keys, train->n, test_keys, test->n, canonical, report);
    trm__free(train_keys);
    trm__free(test_keys);
    TRM_TRY(st);
  }
  return TRM_OK;
}
