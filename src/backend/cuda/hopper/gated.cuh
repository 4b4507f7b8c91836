/* SwiGLU over channels in the epilogues of its products, for compute capability 9.0: gates and ups
 * become the activation while they are in registers, so that the work on them costs no passes
 * through memory and runs beside the next product. (Backward, gates and ups are read and their
 * gradients written all the same, which takes longer than the product.) cuBLASLt has no such
 * epilogue. The results are those of products rounded to bfloat16 followed by swiglu (swiglu.cuh),
 * but for the order of the sums. */
#ifndef TRM_BACKEND_CUDA_HOPPER_GATED_CUH
#define TRM_BACKEND_CUDA_HOPPER_GATED_CUH

#include "backend/cuda/device.cuh"

enum { GATED_MOST_D = 512 };

/* Whether these sizes can be handled, by a GPU of compute capability 9.0. */
bool gated_fits(int D, int F);

/* The two weights as these products read them: w_in [2F, D] and w_out [D, F], in floats, to
 * gated_size(2F, D) and gated_size(F, D) values, aligned to 16 bytes. */
int64_t gated_size(int64_t rows, int D);
void gated_pack_in(const float *w_in, bf16 *packed, int D, int F, cudaStream_t stream);
void gated_pack_out(const float *w_out, bf16 *packed, int D, int F, cudaStream_t stream);

/* gu [R, 2F] = x [R, D] W_in^T (unless NULL), act [R, F] = silu(gates) * ups; rows are contiguous,
 * gates first. multiprocessors: of the device. */
void gated_forward(const bf16 *x, const bf16 *w_in, bf16 *gu, bf16 *act, int64_t R, int D, int F,
                   int multiprocessors, cudaStream_t stream);
/* Of da = dh [R, D] W_out, and gates and ups in gu: act becomes the activation, gu the gradients
 * of gates and ups. */
void gated_backward(const bf16 *dh, const bf16 *w_out, bf16 *gu, bf16 *act, int64_t R, int D, int F,
                    int multiprocessors, cudaStream_t stream);

/* Into how many parts the columns of `pairs` pairs of tiles are cut, so that `clusters` end at
 * about the same time. */
int gated_parts(int64_t pairs, int tiles, int64_t clusters);

#endif
