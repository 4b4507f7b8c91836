/* What an update does around the gradients (docs/MODEL.md sections 2 and 4); the host finds each
 * function's contract at the op of its name in backend/backend.h. */
#ifndef TRM_BACKEND_CUDA_TRAIN_CUH
#define TRM_BACKEND_CUDA_TRAIN_CUH

#include "backend.cuh"

/* T is the type of the latents. */
template <class T>
void refill(const trm__dims &dims, const trm__rows &rows, const trm__fresh &fresh, int first, int n,
            int advance, cudaStream_t stream);
void halt(const trm__rows &rows, int n, const trm__halting &how, const trm__row_loss *loss,
          cudaStream_t stream);
void finish_grads(const trm__update &u, cudaStream_t stream);
bool has_rule(trm__rule rule);
void update(CudaBackend *c, const trm__update &u, const trm__group &g);
/* The rule of that name (muon.cu). */
void muon(CudaBackend *c, const trm__update &u, const trm__group &g);

#endif
