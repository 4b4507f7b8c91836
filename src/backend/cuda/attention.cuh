/* Attention of all heads, flash-style: neither scores nor probabilities [L, L] ever lie in device
 * memory. Every sum has a fixed order: the same bits in every run. */
#ifndef TRM_BACKEND_CUDA_ATTENTION_CUH
#define TRM_BACKEND_CUDA_ATTENTION_CUH

#include "backend/backend.h"
#include "device.cuh"

enum { ATTENTION_MOST_D = 128 }; /* channels of a head */

/* qkv [b, L, 3, H, d] (positions already rotated) -> o [b, L, H, d] = softmax(q k^T / sqrt(d)) v,
 * lse [b, H, L] = log of the sum of exp of the scaled scores; dims has L, H and d. With places
 * [b, S] of dims.grid_cells, else NULL, no key is behind a row's length (trm__row_length), which is
 * 1 or more. */
template <class T>
void attention_forward(const T *qkv, T *o, float *lse, int b, const trm__dims &dims,
                       const int32_t *places, cudaStream_t stream);
/* dqkv [b, L, 3, H, d] from d_o [b, L, H, d], which is 0 behind a row's length; delta [b, H, L] is
 * scratch (sums of d_o * o). */
template <class T>
void attention_backward(const T *qkv, const T *o, const float *lse, const T *d_o, float *delta,
                        T *dqkv, int b, const trm__dims &dims, const int32_t *places,
                        cudaStream_t stream);

#endif
