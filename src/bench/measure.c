/* Timing the operations of a bench. The number of calls per measurement is found once, so that
 * later measurements do the same work. */
#include "bench/measure.h"

#include "base/memory.h"
#include "base/os_thread.h"
#include "base/rng.h"

void trm__bench_random(real *v, int64_t n) {
  trm__rng rng = trm__rng_at(0, TRM__RNG_TEST, 0, 0);
  for (int64_t i = 0; i < n; i++) v[i] = (real)(2 * trm__rng_uniform(&rng) - 1);
}

static trm_status create(int threads, int n_ops, trm_bench *b, trm_error *err) {
  TRM_ALLOC(&b->ops, n_ops, "the operations of a bench", err);
  TRM_ALLOC(&b->spent, threads, "the times of a bench", err);
  return trm__pool_create(threads, &b->pool, err);
}

trm_status trm__bench_create(int threads, int n_ops, void *state, void (*free_state)(void *),
                             trm_bench **out, trm_error *err) {
  trm_bench *b = NULL;
  trm_status st = TRM_OK;
  if (threads < 1 || threads > TRM__BENCH_THREADS)
    st = trm__fail(err, TRM_E_ARGUMENT, -1, "threads = %d: expected 1 to %d", threads,
                   TRM__BENCH_THREADS);
  if (st == TRM_OK && !(b = trm__alloc(1, sizeof *b)))
    st = trm__fail(err, TRM_E_MEMORY, -1, "no memory for a bench");

  /* The state is the bench's from here on, and ours to free while there is none. */
  if (!b) {
    free_state(state);
    return st;
  }
  b->state = state;
  b->free_state = free_state;
  st = create(threads, n_ops, b, err);
  if (st != TRM_OK) {
    trm_bench_free(b);
    return st;
  }
  *out = b;
  return TRM_OK;
}

void trm_bench_free(trm_bench *b) {
  if (!b) return;
  trm__pool_free(b->pool);
  b->free_state(b->state);
  trm__free(b->ops);
  trm__free(b->spent);
  trm__free(b);
}

int trm_bench_count(const trm_bench *b) {
  return b->n_ops;
}

const trm_bench_op *trm_bench_op_at(const trm_bench *b, int i) {
  return &b->ops[i].about;
}

typedef struct measurement {
  trm_bench *b;
  const trm__bench_op *op;
  int64_t repeats;
} measurement;

static void measure_lane(void *arg, trm__lane *lane) {
  const measurement *m = arg;
  double sum = 0, start = trm__os_seconds();
  for (int64_t i = 0; i < m->repeats; i++) {
    if (m->op->prepare) {
      m->op->prepare(m->b, m->op, lane);
      trm__lane_barrier(lane);
      start = trm__os_seconds();
    }
    m->op->run(m->b, m->op, lane);
    if (m->op->prepare) sum += trm__os_seconds() - start;
  }
  trm__lane_barrier(lane);
  if (!m->op->prepare) sum = trm__os_seconds() - start;
  if (lane->rank == 0) m->b->spent[lane->team] = sum / (double)m->repeats;
}

/* Seconds per call, of the slowest team. */
static double measure(trm_bench *b, const trm__bench_op *op, int64_t repeats) {
  measurement m = {b, op, repeats};
  double slowest = 0;
  trm__pool_run(b->pool, op->teams, measure_lane, &m);
  for (int i = 0; i < op->teams; i++)
    if (b->spent[i] > slowest) slowest = b->spent[i];
  return slowest;
}

double trm_bench_time(trm_bench *b, int i, double at_least) {
  const int64_t most = 1 << 30;
  trm__bench_op *op = &b->ops[i];
  if (op->repeats) return measure(b, op, op->repeats);
  for (int64_t n = 1;; n *= 4) {
    double seconds = measure(b, op, n), total = seconds * (double)n;
    op->repeats = n;
    if (total >= at_least || n >= most) return seconds;
    if (total < at_least / 8) continue; /* too short to extrapolate from */
    op->repeats = (int64_t)((double)n * at_least / total) + 1;
    return measure(b, op, op->repeats);
  }
}
