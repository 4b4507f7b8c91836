/* Families of puzzles as a forest: the root of a family is its first puzzle. */
#include "data/grid/grid_share.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/rng.h"
#include "data/dataset_index.h"

typedef struct keyed {
  trm__grid_key key;
  int32_t at;
} keyed;

static int compare(const void *left, const void *right) {
  const keyed *l = left, *r = right;
  const int order = trm__grid_key_compare(&l->key, &r->key);
  if (order) return order;
  return (l->at > r->at) - (l->at < r->at);
}

static int32_t root_of(int32_t *parent, int32_t i) {
  while (parent[i] != i) i = parent[i] = parent[parent[i]];
  return i;
}

/* Joins the families of all that have the same key. */
static void join_equal(keyed *v, int64_t n, int32_t *parent) {
  if (n) qsort(v, (size_t)n, sizeof *v, compare);
  for (int64_t i = 1; i < n; i++) {
    if (trm__grid_key_compare(&v[i].key, &v[i - 1].key) != 0) continue;
    int32_t a = root_of(parent, v[i - 1].at), b = root_of(parent, v[i].at);
    parent[a > b ? a : b] = a > b ? b : a;
  }
}

static void join_families(const trm__share_item *item, int64_t n, keyed *v, int32_t *parent) {
  int64_t with_id = 0;
  for (int64_t i = 0; i < n; i++) {
    parent[i] = (int32_t)i;
    v[i] = (keyed){item[i].form, (int32_t)i};
  }
  join_equal(v, n, parent);
  for (int64_t i = 0; i < n; i++)
    if (item[i].has_id) v[with_id++] = (keyed){{item[i].id, 0}, (int32_t)i};
  join_equal(v, with_id, parent);
}

/* Takes whole families in random order while they fit; how many puzzles were taken. */
static int64_t take(trm__share_item *item, int64_t n, int64_t most, uint64_t seed, int32_t *parent,
                    int32_t *roots, int32_t *size) {
  int64_t families = 0, taken = 0;
  for (int64_t i = 0; i < n; i++) {
    size[root_of(parent, (int32_t)i)]++;
    if (parent[i] == i) roots[families++] = (int32_t)i;
  }
  trm__rng rng = trm__rng_at(seed, TRM__RNG_SPLIT, TRM__SPLIT_TEST, 0);
  trm__rng_shuffle(&rng, roots, families);
  for (int64_t k = 0; k < families; k++) {
    if (taken + size[roots[k]] > most) continue;
    taken += size[roots[k]];
    item[roots[k]].chosen = true;
  }
  for (int64_t i = 0; i < n; i++) item[i].chosen = item[root_of(parent, (int32_t)i)].chosen;
  return taken;
}

trm_status trm__grid_share(trm__share_item *item, int64_t n, double share, uint64_t seed,
                           trm_error *err) {
  /* Some for testing, and some for training. */
  int64_t most = (int64_t)llround(share * (double)n);
  if (most < 1) most = 1;
  if (most > n - 1) most = n - 1;

  /* Related puzzles are a family, and families are taken whole. */
  keyed *v = NULL;
  int32_t *work; /* parent, roots, size */
  TRM_ALLOC(&work, 3 * n, "the share for testing", err);
  v = trm__alloc((uint64_t)n, sizeof *v);
  trm_status st = TRM_OK;
  if (!v) {
    st = trm__fail(err, TRM_E_MEMORY, -1, "no memory for the share for testing");
  } else {
    join_families(item, n, v, work);
    if (!take(item, n, most, seed, work, work + n, work + 2 * n))
      st = trm__fail(err, TRM_E_RANGE, -1,
                     "a share of %g is %lld of %lld puzzles, but related ones (images of one "
                     "another, or with one id) stay together and are more: take a larger share",
                     share, (long long)most, (long long)n);
  }
  trm__free(v);
  trm__free(work);
  return st;
}
