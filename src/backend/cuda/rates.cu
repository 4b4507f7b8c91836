/* The two rates that a GPU has at best: of arithmetic in one plain product of random values (zeros
 * take less power, and run faster), and of memory in a copy. Medians of several timings. */
#include <stdlib.h>

#include "rates.cuh"
#include "vector.cuh"

enum { TIMES = 9, COPY_BYTES = 1 << 30 };

/* Seconds of `calls` calls of f on the stream. */
template <class F>
static double seconds_of(int calls, cudaEvent_t from, cudaEvent_t to, cudaStream_t stream, F f) {
  float ms = 0;
  cudaEventRecord(from, stream);
  for (int i = 0; i < calls; i++) f();
  cudaEventRecord(to, stream);
  cudaEventSynchronize(to);
  cudaEventElapsedTime(&ms, from, to);
  return 1e-3 * ms / calls;
}

static int by_value(const void *a, const void *b) {
  const double x = *static_cast<const double *>(a), y = *static_cast<const double *>(b);
  return (x > y) - (x < y);
}
template <class F>
static double median_seconds(cudaStream_t stream, F f) {
  double seconds[TIMES];
  cudaEvent_t from = NULL, to = NULL;
  cudaEventCreate(&from);
  cudaEventCreate(&to);
  const double once = seconds_of(1, from, to, stream, f),
               again = seconds_of(1, from, to, stream, f);
  const double least = once < again ? once : again;
  const int calls = least < 1e-2 && least > 0 ? (int)(2e-2 / least) + 1 : 1;
  for (double &s : seconds) s = seconds_of(calls, from, to, stream, f);
  qsort(seconds, TIMES, sizeof *seconds, by_value);
  cudaEventDestroy(from);
  cudaEventDestroy(to);
  return seconds[TIMES / 2];
}

__global__ static void fill_kernel(float *v, int64_t n) {
  const int64_t i = thread_index();
  uint32_t x = (uint32_t)i * 2654435761u; /* Knuth's multiplicative hash, twice */
  x = (x ^ x >> 15) * 2654435761u;
  if (i < n) v[i] = (float)(x >> 8) / (1 << 23) - 1;
}

template <class T>
static void fill(float *random, T *to, int64_t n, cudaStream_t stream) {
  launch(fill_kernel, grid_for(n), BLOCK, 0, stream, random, n);
  convert_rows(random, to, 1, (int)n, (int)n, stream);
}

template <class T>
static cudaError_t measure(Products *p, unsigned char *memory, int64_t bytes, int m, int n, int k,
                           cudaStream_t stream, Rates *out) {
  const int64_t mk = (int64_t)m * k, kn = (int64_t)k * n;
  float *random = reinterpret_cast<float *>(memory);
  T *a = reinterpret_cast<T *>(random + (mk > kn ? mk : kn)), *b = a + mk, *c = b + kn;

  fill(random, a, mk, stream);
  fill(random, b, kn, stream);
  const Product x = {m, n, k, a, k, false, b, n, false, c, n, NULL, false};
  cublasStatus_t status = CUBLAS_STATUS_SUCCESS;
  const double product = median_seconds(stream, [&] {
    const cublasStatus_t now = multiply(p, x, stream);
    if (status == CUBLAS_STATUS_SUCCESS) status = now;
  });

  const size_t half = (size_t)(bytes / 2);
  const double copy = median_seconds(stream, [&] {
    cudaMemcpyAsync(memory + half, memory, half, cudaMemcpyDeviceToDevice, stream);
  });

  out->product = status;
  out->flops = 2.0 * m * n * k / product;
  out->bytes = 2.0 * (double)half / copy;
  const cudaError_t error = cudaStreamSynchronize(stream);
  return error != cudaSuccess ? error : cudaGetLastError();
}

cudaError_t measure_rates(bool bfloat16, int m, int n, int k, Rates *out) {
  enum { WORKSPACE = 32 << 20 };
  const int64_t size = bfloat16 ? 2 : 4, mk = (int64_t)m * k, kn = (int64_t)k * n;
  const int64_t product = 4 * (mk > kn ? mk : kn) + size * (mk + kn + (int64_t)m * n);
  /* A large product is for a large GPU; a copy 16 times the size of it is beyond its caches. */
  int64_t bytes = 16 * product < (int64_t)COPY_BYTES ? 16 * product : (int64_t)COPY_BYTES;
  if (bytes < product) bytes = product;
  unsigned char *memory = NULL;
  cudaStream_t stream = NULL;
  Products products = {};
  cudaError_t error = cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
  if (error == cudaSuccess)
    error = cudaMalloc(reinterpret_cast<void **>(&memory), (size_t)(bytes + WORKSPACE));
  out->product = CUBLAS_STATUS_SUCCESS;
  if (error == cudaSuccess)
    out->product = products_create(&products, bfloat16 ? CUDA_R_16BF : CUDA_R_32F,
                                   memory + bytes / 256 * 256, WORKSPACE - 256);
  if (error == cudaSuccess && out->product == CUBLAS_STATUS_SUCCESS)
    error =
        (bfloat16 ? measure<bf16> : measure<float>)(&products, memory, bytes, m, n, k, stream, out);
  products_destroy(&products);
  if (memory) cudaFree(memory);
  if (stream) cudaStreamDestroy(stream);
  return error;
}
