/* Element-wise work on activations, fused where values would pass through memory twice. Rows have D
 * values, D a multiple of 8, so that 16 bytes at a time never cross a row. R = b L rows; N = b D
 * columns: column r D + c of a [.., N] matrix is channel c of row r of the batch. */
#ifndef TRM_BACKEND_CUDA_VECTOR_CUH
#define TRM_BACKEND_CUDA_VECTOR_CUH

#include "backend/backend.h"
#include "device.cuh"
#include "kernels/jitter.h"

/* xt [L, N] <- x [b, L, D], and back. */
template <class T>
void to_columns(const T *x, T *xt, int b, int L, int D, cudaStream_t stream);
template <class T>
void from_columns(const T *xt, T *x, int b, int L, int D, cudaStream_t stream);

/* Rotary positions on the 2 H first heads of qkv [b, L, 3, H, d]: pairs (i, i + d/2) by the angle
 * of trm__grid_position with these places, cosine and sine [grid positions, d/2]; sign -1 undoes
 * it. */
template <class T>
void rotate(T *qkv, const float *cosine, const float *sine, int b, const trm__dims &dims,
            const int32_t *places, float sign, cudaStream_t stream);

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

/* As the ops of these names: z[b, n] by the keys [b] of the rows; n is even. */
template <class T>
void jitter(const trm__noise *keys, trm__draws draws, float deviation, T *z, int b, int64_t n,
            cudaStream_t stream);
template <class T>
void start(const trm__noise *keys, trm__draws draws, const int32_t *steps, float deviation, T *z,
           int b, int64_t n, cudaStream_t stream);

/* out [rows, cols] (+)= the sum of `count` parts [rows, ld], in their order. */
void add_parts(const float *part, int count, int64_t rows, int64_t cols, int64_t ld, float *out,
               int64_t ld_out, bool accumulate, cudaStream_t stream);

/* out [rows, ld] (zeros behind the columns) = in [rows, cols]. */
template <class T>
void convert_rows(const float *in, T *out, int rows, int cols, int ld, cudaStream_t stream);
template <class T>
void to_reals(const T *in, float *out, int64_t n, cudaStream_t stream);

#endif
