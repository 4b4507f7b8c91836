/* Thread teams: every lane runs once, shares cover, barriers order memory. Run it under the
 * thread sanitizer too: plain variables on both sides of a barrier are the proof. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/team.h"

enum { MAX_THREADS = 8 };

static const int thread_counts[] = {1, 2, 3, 4, 6, 8};
enum { N_COUNTS = sizeof thread_counts / sizeof thread_counts[0] };

typedef struct roll {
  int calls[MAX_THREADS];
  int n_threads, n_teams;
  atomic_int wrong;
} roll;

static void call_roll(void *arg, trm__lane *lane) {
  roll *r = arg;
  const int size = r->n_threads / r->n_teams;
  if (lane->n_teams != r->n_teams || lane->size != size || lane->team < 0 ||
      lane->team >= r->n_teams || lane->rank < 0 || lane->rank >= size) {
    atomic_fetch_add(&r->wrong, 1);
    return;
  }
  r->calls[lane->team * size + lane->rank]++;
}

static void every_lane_runs_once_per_call(void **state) {
  (void)state;
  enum { CALLS = 200 };
  for (int c = 0; c < N_COUNTS; c++) {
    const int n = thread_counts[c];
    trm__pool *pool;
    assert_int_equal(trm__pool_create(n, &pool, NULL), TRM_OK);
    assert_int_equal(trm__pool_threads(pool), n);
    for (int teams = 1; teams <= n; teams++) {
      if (n % teams) continue;
      roll r = {.n_threads = n, .n_teams = teams};
      for (int i = 0; i < CALLS; i++) trm__pool_run(pool, teams, call_roll, &r);
      assert_int_equal(atomic_load(&r.wrong), 0);
      for (int i = 0; i < n; i++) assert_int_equal(r.calls[i], CALLS);
    }
    trm__pool_free(pool);
  }
}

/* Each member writes its cell, waits, and must find what its neighbours wrote this round. */
typedef struct relay {
  int rounds;
  int64_t cells[2][MAX_THREADS][MAX_THREADS]; /* [parity][team][rank] */
  atomic_int wrong;
} relay;

static void run_relay(void *arg, trm__lane *lane) {
  relay *r = arg;
  for (int round = 0; round < r->rounds; round++) {
    int64_t *cells = r->cells[round % 2][lane->team];
    cells[lane->rank] = (int64_t)round * 100 + lane->rank;
    trm__lane_barrier(lane);
    for (int i = 0; i < lane->size; i++) {
      if (cells[i] != (int64_t)round * 100 + i) atomic_fetch_add(&r->wrong, 1);
    }
  }
}

static void barriers_order_memory(void **state) {
  (void)state;
  for (int c = 0; c < N_COUNTS; c++) {
    const int n = thread_counts[c];
    trm__pool *pool;
    assert_int_equal(trm__pool_create(n, &pool, NULL), TRM_OK);
    for (int teams = 1; teams <= n; teams++) {
      if (n % teams) continue;
      relay r = {.rounds = 2000};
      for (int i = 0; i < 3; i++) trm__pool_run(pool, teams, run_relay, &r);
      assert_int_equal(atomic_load(&r.wrong), 0);
    }
    trm__pool_free(pool);
  }
}

/* What one call wrote, the caller and every lane of the next call see. */
typedef struct chain {
  int64_t value[MAX_THREADS];
  int n, step;
  atomic_int wrong;
} chain;

static void extend_chain(void *arg, trm__lane *lane) {
  chain *c = arg;
  const int left = (lane->rank + c->step) % lane->size; /* somebody else wrote it last time */
  if (c->value[left] != c->step) atomic_fetch_add(&c->wrong, 1);
  c->value[left] = c->step + 1;
}

static void calls_follow_each_other(void **state) {
  (void)state;
  for (int k = 0; k < N_COUNTS; k++) {
    trm__pool *pool;
    assert_int_equal(trm__pool_create(thread_counts[k], &pool, NULL), TRM_OK);
    chain c = {.n = thread_counts[k]};
    for (; c.step < 2000; c.step++) {
      trm__pool_run(pool, 1, extend_chain, &c);
      for (int i = 0; i < c.n; i++) assert_int_equal(c.value[i], c.step + 1);
    }
    assert_int_equal(atomic_load(&c.wrong), 0);
    trm__pool_free(pool);
  }
}

static void shares_cover_everything_once(void **state) {
  (void)state;

  /* Counts beside, at and above multiples of the grains. */
  static const int64_t counts[] = {0, 1, 2, 7, 8, 9, 63, 64, 65, 1000};
  static const int64_t grains[] = {1, 2, 4, 16, 64, 5000};
  for (size_t a = 0; a < sizeof counts / sizeof counts[0]; a++) {
    for (size_t b = 0; b < sizeof grains / sizeof grains[0]; b++) {
      for (int size = 1; size <= MAX_THREADS; size++) {
        /* Shares follow each other, and end at a grain or at the end. */
        const int64_t n = counts[a], grain = grains[b];
        int64_t at = 0, most = 0, least = INT64_MAX;
        for (int rank = 0; rank < size; rank++) {
          const trm__lane lane = {.rank = rank, .size = size};
          int64_t lo, hi;
          trm__lane_share(&lane, n, grain, &lo, &hi);
          assert_int_equal(lo, at);
          assert_true(hi >= lo);
          assert_true(hi == n || hi % grain == 0);

          /* They differ by one grain at most. */
          const int64_t units = (hi - lo + grain - 1) / grain;
          most = units > most ? units : most;
          least = units < least ? units : least;
          at = hi;
        }
        assert_int_equal(at, n);
        assert_true(most - least <= 1);
      }
    }
  }

  /* A count near the largest overflows nothing. */
  const trm__lane last = {.rank = 2, .size = 3};
  int64_t lo, hi;
  trm__lane_share(&last, INT64_MAX - 1, 4, &lo, &hi);
  assert_true(lo > 0 && lo < hi);
  assert_int_equal(hi, INT64_MAX - 1);
}

static void a_pool_that_cannot_be_had_says_so(void **state) {
  (void)state;
  trm_error err;
  trm__pool *pool;
  assert_int_equal(trm__pool_create(0, &pool, &err), TRM_E_ARGUMENT);
  assert_null(pool);
  trm__pool_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_lane_runs_once_per_call),
      cmocka_unit_test(barriers_order_memory),
      cmocka_unit_test(calls_follow_each_other),
      cmocka_unit_test(shares_cover_everything_once),
      cmocka_unit_test(a_pool_that_cannot_be_had_says_so),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
