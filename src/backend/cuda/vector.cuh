/* Element-wise work on activations, fused where values would pass through memory twice. Rows have D
 * values, D a multiple of 8, so that 16 bytes at a time never cross a row. R = b L rows; N = b D
 * columns: column r D + c of a [.., N] matrix is channel c of row r of the batch. */
#ifndef TRM_BACKEND_CUDA_VECTOR_CUH
#define TRM_BACKEND_CUDA_VECTOR_CUH

#include "backend/backend.h"
#include "device.cuh"
#include "kernels/jitter.h"

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
/* xt [L, N] <- x [b, L, D], and back. */
template <class T>
void to_columns(const T *x, T *xt, int b, int L, int D, cudaStream_t stream);
template <class T>
void from_columns(const T *xt, T *x, int b, int L, int D, cudaStream_t stream);

/* Gates g = gu[row * ld + j], ups u = g[up], j < cols (a multiple of 8):
 * act [rows, cols] = silu(g) * u. */
template <class T>
void swiglu(const T *gu, T *act, int64_t rows, int64_t cols, int64_t ld, int64_t up,
            cudaStream_t stream);
/* da [rows, cols] becomes the activation, g and u their gradients. */
template <class T>
void swiglu_grad(T *gu, T *da, int64_t rows, int64_t cols, int64_t ld, int64_t up,
                 cudaStream_t stream);

/* Rotary positions on the 2 H first heads of qkv [b, L, 3, H, d]: pairs (i, i + d/2) by the angle
 * of trm__grid_position with these places, cosine and sine [grid positions, d/2]; sign -1 undoes
 * it. */
template <class T>
void rotate(T *qkv, const float *cosine, const float *sine, int b, const trm__dims &dims,
            const int32_t *places, float sign, cudaStream_t stream);

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

/* The 2 H first heads of qkv [R, 3, H, d], each divided by its root mean square; inv [R, 2 H] = 1
 * by that. And their gradient, in dqkv, behind the norm becomes that before it; qkv as it is
 * behind. */
template <class T>
void norm_heads(T *qkv, float *inv, int64_t R, int H, int d, float eps, cudaStream_t stream);
template <class T>
void norm_heads_grad(const T *qkv, const float *inv, T *dqkv, int64_t R, int H, int d,
                     cudaStream_t stream);

enum { SUM_MOST = 18 };
template <class T>
struct Sources {
  const T *at[SUM_MOST];
};
/* h[n] = sum of count sources, added in order in float; h may be one of them. */
template <class T>
void sum(Sources<T> src, int count, T *h, int64_t n, cudaStream_t stream);

/* h[n] = a x + b h; h may be x. */
template <class T>
void mix(float a, const T *x, float b, T *h, int64_t n, cudaStream_t stream);

/* z[b, n] += deviation * N(0, 1) by the keys [b] of the rows, of latent i; n is even. */
template <class T>
void jitter(const trm__noise *keys, int i, float deviation, T *z, int b, int64_t n,
            cudaStream_t stream);

/* out [rows, cols] (+)= the sum of `count` parts [rows, ld], in their order. */
void add_parts(const float *part, int count, int64_t rows, int64_t cols, int64_t ld, float *out,
               int64_t ld_out, bool accumulate, cudaStream_t stream);

/* out [rows, ld] (zeros behind the columns) = in [rows, cols]. */
template <class T>
void convert_rows(const float *in, T *out, int rows, int cols, int ld, cudaStream_t stream);
template <class T>
void to_reals(const T *in, float *out, int64_t n, cudaStream_t stream);

#endif
