/* One op of the backend under test: weights of a small model with one block, a pool for each size
 * of team, and memory of exactly the promised sizes, spoiled before every run. */
#ifndef TRM_TESTS_BENCH_H
#define TRM_TESTS_BENCH_H

#include "nn/block.h"
#include "probe.h"

enum { TEAMS = 3, PROBES = 4 };
/* Bounds: one sum in double; a gradient against differences. */
#define FORWARD 1e-13
#define GRADIENT 1e-7

typedef struct bench {
  trm__dims m;
  trm__outer outer;
  int64_t n_params;
  trm__weight_about about[TRM__BLOCK_WEIGHTS]; /* of the block's weights, which are the last */
  int64_t first_weight, n_weights;             /* where they start, and their values */
  real *params;
  trm__backend *be;
  trm__block *blk;
  int b;
  trm__pool *pool[TEAMS];
  trm__rng rng;
} bench;

static inline int64_t take(int64_t *end, int64_t n) {
  int64_t at = *end;
  *end += n;
  return at;
}

static inline int64_t weight_values(const trm__weight_about *w) {
  return (int64_t)w->rows * (w->cols ? w->cols : 1);
}

static inline bench *bench_open(trm__dims m, trm__block_kind kind, int b) {
  bench *t = trm__alloc(1, sizeof *t);
  assert_non_null(t);
  m.L = m.P + m.S;
  m.d = m.D / m.H;
  m.rope_theta = 10000;
  m.eps = 1e-5;
  *t = (bench){.m = m, .b = b, .rng = probe_rng(11)};
  int64_t *n = &t->n_params, V = m.V, D = m.D;
  t->outer.embed_tokens = take(n, V * D);
  t->outer.embed_pos = m.learned ? take(n, m.L * D) : -1;
  t->outer.lm_head = take(n, V * D);
  t->outer.q_weight = take(n, 2 * D);
  t->outer.q_bias = take(n, 2);
  trm__block blk = {kind, trm__block_kinds[kind].weights(&m, t->about), {{0, 0, 0}}};
  t->first_weight = *n;
  for (int i = 0; i < blk.n_weights; i++) {
    const int rows = t->about[i].rows, cols = t->about[i].cols;
    blk.w[i] = (trm__weight){take(n, weight_values(&t->about[i])), rows, cols};
  }
  t->n_weights = *n - t->first_weight;
  t->params = probe_random(*n, 1.5 / sqrt((double)(kind == TRM__BLOCK_MIXER ? m.L : D)), &t->rng);
  trm_error err;
  assert_int_equal(trm__cpu_create(&t->m, &t->outer, &blk, 1, true, &t->be, &err), TRM_OK);
  t->blk = t->be->blocks;
  for (int i = 0; i < TEAMS; i++)
    assert_int_equal(trm__pool_create(i + 1, &t->pool[i], &err), TRM_OK);
  return t;
}

static inline void bench_close(bench *t) {
  for (int i = 0; i < TEAMS; i++) trm__pool_free(t->pool[i]);
  t->be->ops->destroy(t->be);
  trm__free(t->params);
  trm__free(t);
}

/* An op with its arguments, run by all members. */
typedef void op_fn(bench *t, trm__workspace *ws, void *args);
typedef struct job {
  bench *t;
  op_fn *op;
  void *args;
  real *shared, *scratch;
  int64_t scratch_size;
} job;

static inline void run_member(void *arg, trm__lane *lane) {
  job *j = arg;
  trm__workspace ws = {lane, j->shared, j->scratch + lane->rank * j->scratch_size};
  j->t->be->ops->pack(j->t->be, lane, j->t->params);
  trm__lane_barrier(lane);
  j->op(j->t, &ws, j->args);
}

/* Fresh, spoiled memory of exactly the promised size. */
static inline void run(bench *t, int members, op_fn *op, void *args) {
  const trm__backend_ops *ops = t->be->ops;
  job j = {.t = t, .op = op, .args = args, .scratch_size = ops->scratch_size(t->be, t->b, true)};
  int64_t n = ops->shared_size(t->be, t->b, true);
  j.shared = probe_reals(n);
  j.scratch = probe_reals(j.scratch_size * members);
  trm__pool_run(t->pool[members - 1], 1, run_member, &j);
  trm__free(j.shared);
  trm__free(j.scratch);
}

static inline double dot(const real *a, const real *b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

/* --- blocks
 * --------------------------------------------------------------------------------------- */

/* What a difference is taken of: an op on a bench. */
typedef struct objective {
  bench *t;
  void *run;
} objective;

#endif
