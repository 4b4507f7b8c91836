/* The mixer's SwiGLU over positions as one kernel each way, for what fits a multiprocessor's shared
 * memory: a block takes all L positions of a group of channels of one row from the input through
 * both products to the norm, so that gates, ups and activation (10 times the input) stay on chip.
 */
#ifndef TRM_BACKEND_CUDA_MIXER_CUH
#define TRM_BACKEND_CUDA_MIXER_CUH

#include "device.cuh"

enum { MIXER_FUSED_MOST_L = 128 };

/* Whether these sizes can be handled (L, and D a multiple of 8). */
bool mixer_fused_fits(int L, int D, int FL);
/* y = norm(x + W_out (silu(G) * U)), [G; U] = W_in x for every row and channel, norm over the L
 * positions with eps; x, y [b, L, D] (may be the same); w_in [2FL, ld_in], w_out [L, ld_out]
 * row-major, zeros behind the columns; inv [b, D] = 1 / root mean square, or NULL. */
void mixer_fused_forward(const bf16 *x, bf16 *y, const bf16 *w_in, int ld_in, const bf16 *w_out,
                         int ld_out, float *inv, int b, int L, int D, int FL, float eps,
                         cudaStream_t stream);
/* dh [b, L, D]: in dL/dy, out dL/dx. For the weight gradients, as operands with one column per row
 * and channel (N = b D columns, column of row r and channel c: r D + c):
 * ds [L, N] gradient behind the norm, xt [L, N] the input, act [FL, N] the activation, dgu [2FL, N]
 * the gradients of gates and ups: dW_out = ds act^T, dW_in = dgu xt^T. */
void mixer_fused_backward(const bf16 *x, const bf16 *y, const float *inv, const bf16 *w_in,
                          int ld_in, const bf16 *w_out, int ld_out, bf16 *dh, bf16 *ds, bf16 *xt,
                          bf16 *act, bf16 *dgu, int b, int L, int D, int FL, cudaStream_t stream);

#endif
