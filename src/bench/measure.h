/* Inside a bench: a list of operations, each a function that all lanes of a pool call together. */
#ifndef TRM_BENCH_MEASURE_H
#define TRM_BENCH_MEASURE_H

#include "base/team.h"
#include "kernels/real.h"
#include "trm/bench.h"

/* More would be a slip of the pen; sizes stay far from overflow. */
enum { TRM__BENCH_THREADS = 4096 };

typedef struct trm__bench_op trm__bench_op;
typedef void trm__bench_fn(trm_bench *b, const trm__bench_op *op, trm__lane *lane);

struct trm__bench_op {
  trm_bench_op about;
  trm__bench_fn *prepare; /* before every call, not timed; NULL: nothing */
  trm__bench_fn *run;
  const void *arg; /* of these two */
  int teams;
  int64_t repeats; /* 0: not known yet */
};

struct trm_bench {
  trm__pool *pool;
  trm__bench_op *ops;
  int n_ops;
  double *spent; /* [threads] seconds per call of each team */
  void *state;   /* of the kind of bench */
  void (*free_state)(void *state);
};

/* A bench without operations, with room for n_ops. Takes `state` over, also when it fails. */
trm_status trm__bench_create(int threads, int n_ops, void *state, void (*free_state)(void *),
                             trm_bench **out, trm_error *err);
/* Uniform in [-1, 1). */
void trm__bench_random(real *v, int64_t n);

#endif
