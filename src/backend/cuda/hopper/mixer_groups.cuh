/* The mixer's forward pass by warp groups, for compute capability 9.0: what mixer_fused_forward
 * (mixer.cuh) computes, with the matrix units at full speed. */
#ifndef TRM_BACKEND_CUDA_HOPPER_MIXER_GROUPS_CUH
#define TRM_BACKEND_CUDA_HOPPER_MIXER_GROUPS_CUH

#include "backend/cuda/device.cuh"

/* Whether these sizes can be handled, by a GPU of compute capability 9.0. */
bool mixer_groups_fits(int L, int D, int FL);
/* Both weights as it reads them: w_in [2FL, L], w_out [L, FL] in floats, to mixer_groups_size
 * values, aligned to 16 bytes. */
int64_t mixer_groups_size(int L, int FL);
void mixer_groups_pack(const float *w_in, const float *w_out, bf16 *packed, int L, int FL,
                       cudaStream_t stream);
/* y = norm(x + W_out (silu(G) * U)), [G; U] = W_in x for every row and channel, norm over the L
 * positions with eps; x, y [b, L, D] (may be the same); inv [b, D] = 1 / root mean square, or
 * NULL. multiprocessors: of the device. */
void mixer_groups_forward(const bf16 *x, bf16 *y, const bf16 *packed, float *inv, int b, int L,
                          int D, int FL, float eps, int multiprocessors, cudaStream_t stream);

#endif
