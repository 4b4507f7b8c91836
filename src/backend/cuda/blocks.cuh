/* The kinds of block y = norm(x + branch(x)), forward and backward, as sequences of products
 * and kernels; docs/MODEL.md section 1, and the same mathematics as backend/cpu_*.c.
 *
 * R = b L rows, N = b D columns. Kept for the backward pass, per tile:
 *   attention  qkv [R, 3D] (rotated), o [R, D], lse [b, H, L], inv [R]; qk_inv [R, 2H] where q
 *              and k are normed
 *   mlp        gu [R, 2F], inv [R]; where nothing is kept, gated products need no gu
 *   mixer      gu [2FL, N], inv [N]; where one kernel does it all, inv only
 *   experts    logits, inv; the rest is computed again
 * Weight gradients are products over all rows of the tile, added up in float32. */
#ifndef TRM_BACKEND_CUDA_BLOCKS_CUH
#define TRM_BACKEND_CUDA_BLOCKS_CUH

#include "backend.cuh"

/* --- what blocks.cu knows of a kind: a file NAME_block.cu each -------------------------------- */

/* Values of what is packed for either pass; 0: none. */
struct PackedSizes {
  int64_t forward, backward;
};

/* In one number format. */
template <class T>
struct KindOf {
  /* Carves what a pass on b rows needs; both carvers are the same where nothing is kept. */
  void (*count)(const CudaBackend *, int b, trm__carver *saved, trm__carver *shared, bool backward);
  void (*forward)(CudaBackend *, const BlockWeights *, int, const T *, T *, trm__carver *,
                  trm__carver *);
  void (*backward)(CudaBackend *, const BlockWeights *, int, const T *, const T *, T *,
                   real *const *, bool, trm__carver *, trm__carver *);
  /* What is packed beside the weights as rows; NULL: nothing. */
  PackedSizes (*packed)(const CudaBackend *);
  void (*pack)(CudaBackend *, const BlockWeights *, const trm__block *, const real *params);
};

struct Kind {
  KindOf<float> floats;
  KindOf<bf16> halves;
};
extern const Kind attention_kind, mixer_kind, mlp_kind, experts_t_kind, experts_kind;

/* --- products -------------------------------------------------------------------------------- */

/* y [R, rows] = x [R, cols] W^T (+ add), W [rows, cols] */
template <class T>
void times_weight(CudaBackend *c, int64_t R, int rows, int cols, const T *x, const Operand &w,
                  const T *add, T *y) {
  product(c, {R, rows, cols, x, cols, false, w.at, w.ld, true, y, rows, add, false});
}
/* dx [R, cols] = dy [R, rows] W (+ add) */
template <class T>
void times_weight_back(CudaBackend *c, int64_t R, int rows, int cols, const T *dy, const Operand &w,
                       const T *add, T *dx) {
  product(c, {R, cols, rows, dy, rows, false, w.at, w.ld, false, dx, cols, add, false});
}
/* dW [rows, cols] (+)= dy^T x over R rows */
template <class T>
void weight_grad(CudaBackend *c, int64_t R, int rows, int cols, const T *dy, const T *x, real *dw,
                 bool accumulate) {
  gradient(c, {rows, cols, R, dy, rows, true, x, cols, false, dw, cols, NULL, true}, accumulate);
}
/* The mixer's products, weights on the left: y [rows, N] = W x, W^T x, and dW (+)= dy x^T over N.
 */
template <class T>
void weight_times(CudaBackend *c, int64_t N, int rows, int cols, const Operand &w, const T *x,
                  T *y) {
  product(c, {rows, N, cols, w.at, w.ld, false, x, N, false, y, N, NULL, false});
}
template <class T>
void weight_times_back(CudaBackend *c, int64_t N, int rows, int cols, const Operand &w, const T *dy,
                       const T *add, T *dx) {
  product(c, {cols, N, rows, w.at, w.ld, true, dy, N, false, dx, N, add, false});
}
template <class T>
void column_grad(CudaBackend *c, int64_t N, int rows, int cols, const T *dy, const T *x, real *dw,
                 bool accumulate) {
  gradient(c, {rows, cols, N, dy, N, false, x, N, true, dw, cols, NULL, true}, accumulate);
}

#endif
