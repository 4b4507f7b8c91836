/* Root-mean-square norms. Shapes as in vector.cuh. */
#ifndef TRM_BACKEND_CUDA_NORMS_CUH
#define TRM_BACKEND_CUDA_NORMS_CUH

#include "device.cuh"

/* y[R, D] <- y / rms(y) row by row; inv [R] (or NULL) = 1 / rms. */
template <class T>
void norm_rows(T *y, float *inv, int64_t R, int D, float eps, cudaStream_t stream);
/* The same of x, to y; inv is not NULL. */
template <class T>
void norm_rows_of(const T *x, T *y, float *inv, int64_t R, int D, float eps, cudaStream_t stream);
/* dh[R, D], gradient of norm_rows's result y, becomes that of its argument. */
template <class T>
void norm_rows_grad(const T *y, const float *inv, T *dh, int64_t R, int D, cudaStream_t stream);

/* y [b, L, D] = norm over L of x + out, out [L, N]; y may be x; inv [N] or NULL. */
template <class T>
void norm_columns(const T *x, const T *out, T *y, float *inv, int b, int L, int D, float eps,
                  cudaStream_t stream);
/* ds [L, N]: gradient of norm_columns's sum from dh [b, L, D], that of its result y. */
template <class T>
void norm_columns_grad(const T *y, const float *inv, const T *dh, T *ds, int b, int L, int D,
                       cudaStream_t stream);
/* The 2 H first heads of qkv [R, 3, H, d], each divided by its root mean square; inv [R, 2 H] = 1
 * by that. And their gradient, in dqkv, behind the norm becomes that before it; qkv as it is
 * behind. */
template <class T>
void norm_heads(T *qkv, float *inv, int64_t R, int H, int d, float eps, cudaStream_t stream);
template <class T>
void norm_heads_grad(const T *qkv, const float *inv, T *dqkv, int64_t R, int H, int d,
                     cudaStream_t stream);

#endif
