/* SwiGLU of what a product made. Shapes as in vector.cuh. */
#ifndef TRM_BACKEND_CUDA_SWIGLU_CUH
#define TRM_BACKEND_CUDA_SWIGLU_CUH

#include "device.cuh"

/* Gates g = gu[row * ld + j], ups u = g[up], j < cols (a multiple of 8):
 * act [rows, cols] = silu(g) * u. */
template <class T>
void swiglu(const T *gu, T *act, int64_t rows, int64_t cols, int64_t ld, int64_t up,
            cudaStream_t stream);
/* da [rows, cols] becomes the activation, g and u their gradients. */
template <class T>
void swiglu_grad(T *gu, T *da, int64_t rows, int64_t cols, int64_t ld, int64_t up,
                 cudaStream_t stream);

/* With a norm: act = silu(g) * u / rms(g u), over the F units of a row of gu [R, 2F], or the FL of
 * a column of gu [2FL, N], gates before ups, N a multiple of 8; and back, as swiglu_grad. */
template <class T>
void gate_norm_rows(const T *gu, T *act, int64_t R, int F, float eps, cudaStream_t stream);
template <class T>
void gate_norm_rows_grad(T *gu, T *da, int64_t R, int F, float eps, cudaStream_t stream);
template <class T>
void gate_norm_columns(const T *gu, T *act, int FL, int64_t N, float eps, cudaStream_t stream);
template <class T>
void gate_norm_columns_grad(T *gu, T *da, int FL, int64_t N, float eps, cudaStream_t stream);

#endif
