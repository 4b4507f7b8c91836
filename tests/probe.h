/* Numbers for tests: reproducible random values, memory that shows stray reads and writes, relative
 * errors, and gradients against central differences. */
#ifndef TRM_TESTS_PROBE_H
#define TRM_TESTS_PROBE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "kernels/real.h"

static inline trm__rng probe_rng(uint64_t seed) {
  return trm__rng_at(seed, TRM__RNG_TEST, 0, 0);
}
/* Uniform in (-1, 1). */
static inline double probe_uniform(trm__rng *r) {
  return 2 * trm__rng_uniform(r) - 1;
}
static inline void probe_fill(real *v, int64_t n, double scale, trm__rng *r) {
  for (int64_t i = 0; i < n; i++) v[i] = (real)(scale * probe_uniform(r));
}

/* Exactly n values, all NaN: what is read before it was written spoils the result. */
static inline void probe_spoil(real *v, int64_t n) {
  for (int64_t i = 0; i < n; i++) v[i] = (real)NAN;
}
static inline real *probe_reals(int64_t n) {
  real *v = trm__alloc((size_t)n, sizeof *v);
  assert_non_null(v);
  probe_spoil(v, n);
  return v;
}
static inline real *probe_random(int64_t n, double scale, trm__rng *r) {
  real *v = probe_reals(n);
  probe_fill(v, n, scale, r);
  return v;
}
static inline real *probe_copy(const real *from, int64_t n) {
  real *v = probe_reals(n);
  memcpy(v, from, (size_t)n * sizeof *v);
  return v;
}
static inline bool probe_same(const real *a, const real *b, int64_t n) {
  return memcmp(a, b, (size_t)n * sizeof *a) == 0;
}

/* ||a - b|| / ||b||; NaN anywhere gives NaN, which no bound accepts. */
static inline double probe_error(const real *a, const real *b, int64_t n) {
  double wrong = 0, size = 0;
  for (int64_t i = 0; i < n; i++) {
    double d = (double)a[i] - (double)b[i];
    wrong += d * d;
    size += (double)b[i] * (double)b[i];
  }
  return wrong == 0 ? 0 : sqrt(wrong / size);
}

/* A scalar function of whatever `arg` holds. */
typedef double probe_fn(void *arg);

/* df/ds of f(at + s direction) at s = 0: central differences of fourth order. */
static inline double probe_slope(probe_fn *f, void *arg, real *at, const real *direction, int64_t n,
                                 double h) {
  static const double offset[] = {1, -1, 2, -2}, weight[] = {8, -8, -1, 1};
  real *base = probe_copy(at, n);
  double sum = 0;
  for (int s = 0; s < 4; s++) {
    for (int64_t i = 0; i < n; i++)
      at[i] = (real)((double)base[i] + offset[s] * h * (double)direction[i]);
    sum += weight[s] * f(arg);
  }
  memcpy(at, base, (size_t)n * sizeof *at);
  trm__free(base);
  return sum / (12 * h);
}

/* The relative error of `gradient` (of f with respect to the n values at `at`), estimated from
 * `probes` random directions v: for a wrong gradient g, E[((g - g') . v)^2] is proportional to
 * ||g - g'||^2, so an error in any single value shows in every direction. The first directions are
 * the axes of the first and the last value. */
static inline double probe_gradient(probe_fn *f, void *arg, real *at, const real *gradient,
                                    int64_t n, int probes, double h, trm__rng *r) {
  double wrong = 0, size = 0, length = sqrt((double)n);
  real *v = probe_reals(n);
  for (int p = 0; p < probes + 2; p++) {
    if (p < 2) {
      memset(v, 0, (size_t)n * sizeof *v);
      v[p == 0 ? 0 : n - 1] = 1;
    } else {
      probe_fill(v, n, sqrt(3.0) / length, r); /* expected length 1 */
    }
    double want = probe_slope(f, arg, at, v, n, h), got = 0;
    for (int64_t i = 0; i < n; i++) got += (double)gradient[i] * (double)v[i];
    wrong += (got - want) * (got - want);
    size += want * want;
  }
  trm__free(v);
  return wrong == 0 ? 0 : sqrt(wrong / size);
}

/* Fails with the name of what was compared. */
#define probe_below(error, bound, ...)                                              \
  do {                                                                              \
    double probe_e = (error);                                                       \
    if (!(probe_e < (bound))) {                                                     \
      print_message(__VA_ARGS__);                                                   \
      print_message(": error %.3g, expected below %g\n", probe_e, (double)(bound)); \
      fail();                                                                       \
    }                                                                               \
  } while (0)
#define probe_true(condition, ...)                       \
  do {                                                   \
    if (!(condition)) {                                  \
      print_message(__VA_ARGS__);                        \
      print_message(": %s does not hold\n", #condition); \
      fail();                                            \
    }                                                    \
  } while (0)

#endif
