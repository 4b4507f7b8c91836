/* What a GPU does at best, for `trm bench`. */
#ifndef TRM_BACKEND_CUDA_RATES_CUH
#define TRM_BACKEND_CUDA_RATES_CUH

#include "product.cuh"

struct Rates {
  double flops, bytes;    /* per second; bytes read and written by a copy */
  cublasStatus_t product; /* how the products went */
};
/* C [m, n] = A [m, k] B [k, n] on the current device. */
cudaError_t measure_rates(bool bfloat16, int m, int n, int k, Rates *out);

#endif
