/* For tests of device code: arrays on the device, reached through cudaMemcpy only. */
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

#define ok(call) assert_int_equal(call, cudaSuccess)

/* n values on the device, NaN at first. */
template <class T>
struct array {
  T *at;
  size_t n;
  explicit array(size_t count) : n(count) {
    ok(cudaMalloc((void **)&at, n * sizeof(T)));
    ok(cudaMemset(at, 0xff, n * sizeof(T)));
  }
  explicit array(const std::vector<T> &values) : array(values.size()) {
    ok(cudaMemcpy(at, values.data(), n * sizeof(T), cudaMemcpyHostToDevice));
  }
  std::vector<T> read() const {
    std::vector<T> values(n);
    ok(cudaDeviceSynchronize());
    ok(cudaGetLastError());
    ok(cudaMemcpy(values.data(), at, n * sizeof(T), cudaMemcpyDeviceToHost));
    return values;
  }
  ~array() { cudaFree(at); }
  array(const array &) = delete;
  array &operator=(const array &) = delete;
};

/* Small integers, so that every sum of their products is exact; never twice the same pattern. */
static inline float small(int i) {
  return (float)((i * 7 + i / 5 * 3 + i / 64) % 9 - 4);
}

#endif
