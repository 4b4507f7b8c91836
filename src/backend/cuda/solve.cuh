/* Solvers of x = F(x) (docs/MODEL.md section 7); the host finds the contract at the op of that name
 * in backend/backend.h. */
#ifndef TRM_BACKEND_CUDA_SOLVE_CUH
#define TRM_BACKEND_CUDA_SOLVE_CUH

#include "backend/backend.h"
#include "device.cuh"

/* n: values of a row. */
template <class T>
void solve(const trm__solving &how, int b, int k, int64_t n, T *x, const T *f, const T *keep,
           T *best, T *history, trm__solved *rows, cudaStream_t stream);

#endif
