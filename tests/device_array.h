/* For tests of device code: arrays on the device that begin as NaN, random values, and comparison
 * with a reference in double precision. Memory is reached through cudaMemcpy only. */
#ifndef TRM_TESTS_DEVICE_ARRAY_H
#define TRM_TESTS_DEVICE_ARRAY_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vector>

extern "C" {
#include <cmocka.h>
}

#include "backend/cuda/device.cuh"

typedef std::vector<double> reals;

/* An array of T on the device; `values` are what it holds, as T. */
template <class T>
struct array {
  T *at;
  size_t n;
  explicit array(size_t count) : n(count) { /* NaN */
    std::vector<unsigned char> ones(n * sizeof(T), 0xff);
    assert_int_equal(cudaMalloc((void **)&at, n * sizeof(T)), cudaSuccess);
    assert_int_equal(cudaMemcpy(at, ones.data(), n * sizeof(T), cudaMemcpyHostToDevice),
                     cudaSuccess);
  }
  explicit array(reals &values) : array(values.size()) { /* rounds them */
    std::vector<T> rounded(n);
    for (size_t i = 0; i < n; i++) {
      rounded[i] = from_float<T>((float)values[i]);
      values[i] = to_float(rounded[i]);
    }
    assert_int_equal(cudaMemcpy(at, rounded.data(), n * sizeof(T), cudaMemcpyHostToDevice),
                     cudaSuccess);
  }
  reals read() const {
    std::vector<T> got(n);
    reals values(n);
    assert_int_equal(cudaDeviceSynchronize(), cudaSuccess);
    assert_int_equal(cudaGetLastError(), cudaSuccess);
    assert_int_equal(cudaMemcpy(got.data(), at, n * sizeof(T), cudaMemcpyDeviceToHost),
                     cudaSuccess);
    for (size_t i = 0; i < n; i++) values[i] = to_float(got[i]);
    return values;
  }
  ~array() { cudaFree(at); }
  array(const array &) = delete;
  array &operator=(const array &) = delete;
};

static uint64_t seed = 1;
static double uniform(void) { /* -1 .. 1 */
  seed = seed * 6364136223846793005u + 1442695040888963407u;
  return (double)(seed >> 11) / (double)(1ull << 52) - 1;
}
static reals random_values(size_t n, double size) {
  reals x(n);
  for (double &v : x) v = size * uniform();
  return x;
}

/* The error norm is below the tolerance, no single error above ten times as much. */
static void expect(const char *what, const reals &got, const reals &want, double tolerance) {
  double error = 0, norm = 0, worst = 0;
  size_t where = 0;
  assert_int_equal(got.size(), want.size());
  for (size_t i = 0; i < got.size(); i++) {
    double e = fabs(got[i] - want[i]);
    error += e * e;
    norm += want[i] * want[i];
    if (!(e <= worst)) worst = e, where = i; /* NaN, too */
    if (isnan(e)) break;
  }
  double size = sqrt(norm / (double)want.size());
  if (!(sqrt(error) <= tolerance * sqrt(norm)) || !(worst <= 10 * tolerance * (size + 1e-3)))
    fail_msg("%s: error norm %g of %g, worst %g at %zu (%g, not %g)", what, sqrt(error), sqrt(norm),
             worst, where, got[where], want[where]);
}

#endif
