/* Inside the CUDA backend: the object that all its files share. */
#ifndef TRM_BACKEND_CUDA_BACKEND_CUH
#define TRM_BACKEND_CUDA_BACKEND_CUH

#include "backend/plugin.h"
#include "base/carve.h"
#include "device.cuh"
#include "product.cuh"

/* A block's weights as operands, in the order of its list: row-major, rows of ld values, ld a
 * multiple of 8; and as what runs by warp groups (hopper/) reads them in either pass, or NULL. */
struct Operand {
  void *at;
  int ld;
};
struct BlockWeights {
  Operand w[TRM__BLOCK_WEIGHTS];
  bf16 *packed_forward, *packed_backward;
};

struct CudaBackend {
  trm__backend base; /* first: a trm__backend pointer is one to this */
  trm__backend_ops ops;
  char name[16]; /* cuda:N */
  int index;
  int multiprocessors;
  const char *kernels;
  cudaStream_t stream;
  Products products;
  Products exact;         /* of floats, whatever the model's format is; in training */
  BlockWeights *weights;  /* [n_blocks] */
  void *memory;           /* behind workspace, weights, parts and tables */
  void *workspace;        /* of products */
  int64_t bytes;          /* of it */
  float *cosine, *sine;   /* [grid positions, d/2] */
  unsigned char *staging; /* of the host, pinned: what is on its way to the device */
  size_t staged;          /* bytes of it that may be */
  float *parts;           /* of the gradient of any weights */
  /* Of the op that is being put together: the block, and what the workspace says (or NULL). */
  const trm__block *block;
  const trm__routing *routing;
  const int32_t *places;
  bool fused_mixer;
  bool mixer_groups; /* its forward pass by warp groups */
  bool gated;        /* SwiGLU over channels in the epilogues of its products */
  /* What went wrong first; ops are void, run reports it. */
  cudaError_t failed;
  cublasStatus_t product_failed;
  /* The recorded program. */
  trm__program *program;
  void *program_arg;
  int program_key;
  cudaGraphExec_t graph; /* NULL: it ran, but was not recorded yet */
};

static inline CudaBackend *cuda_of(trm__backend *be) {
  return reinterpret_cast<CudaBackend *>(be);
}
static inline const CudaBackend *cuda_of(const trm__backend *be) {
  return reinterpret_cast<const CudaBackend *>(be);
}
static inline bool is_bf16(const trm__backend *be) {
  return be->dims.dtype == TRM_BFLOAT16;
}
static inline int64_t value_size(const trm__backend *be) {
  return is_bf16(be) ? 2 : 4;
}

/* n values of one of the block's parts. */
template <class U>
static U *carve(trm__carver *c, int64_t n) {
  return static_cast<U *>(trm__carve(c, n, sizeof(U)));
}

/* Keeps the first failure. */
void note(CudaBackend *c, cudaError_t error);
void note_product(CudaBackend *c, cublasStatus_t status);
/* A product, and a gradient of weights, whose failure is kept. */
void product(CudaBackend *c, const Product &x);
void gradient(CudaBackend *c, const Product &x, bool accumulate);

/* blocks.cu: the sizes and the two directions of each kind of block, as the ops of that name. */
bool block_known(trm__block_kind kind);
/* Values of packed_forward and packed_backward, 0: none; and what fills them, from floats. */
void block_packed(const CudaBackend *c, trm__block_kind kind, int64_t *forward, int64_t *backward);
void block_pack(CudaBackend *c, const BlockWeights *w, const trm__block *blk, const real *params);
int64_t block_saved(const CudaBackend *c, trm__block_kind kind);
int64_t block_shared(const CudaBackend *c, trm__block_kind kind, int b, bool training);
void block_forward(CudaBackend *c, const trm__block *blk, int b, const real *x, real *y,
                   real *saved, const trm__workspace *ws);
void block_backward(CudaBackend *c, const trm__block *blk, int b, const real *x, const real *y,
                    real *saved, real *dh, real *const *dw, bool accumulate,
                    const trm__workspace *ws);

/* ops.cu: fills in the ops that work on activations, rows and weights. */
void set_ops(trm__backend_ops *ops);

#endif
