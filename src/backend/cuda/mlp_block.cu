/* SwiGLU over the channels as a block. */
#include <type_traits>

#include "blocks.cuh"
#include "hopper/gated.cuh"
#include "norms.cuh"
#include "swiglu.cuh"

template <class T>
struct GatedRows {
  T *gu, *act;
  float *inv;
};

template <class T>
static GatedRows<T> mlp_memory(const CudaBackend *c, int b, trm__carver *saved, trm__carver *shared,
                               bool) {
  const trm__dims &dims = c->base.dims;
  const int64_t R = (int64_t)b * dims.L;
  GatedRows<T> g = {};
  if (!c->gated || saved != shared) g.gu = carve<T>(saved, R * 2 * dims.F);
  g.inv = carve<float>(saved, R);
  g.act = carve<T>(shared, R * dims.F);
  return g;
}

template <class T>
static void mlp_count(const CudaBackend *c, int b, trm__carver *saved, trm__carver *shared,
                      bool backward) {
  mlp_memory<T>(c, b, saved, shared, backward);
}

/* act and, where it is kept, gu from x; false where other products have to do it. */
template <class T>
static bool gated_products(CudaBackend *c, const BlockWeights *w, int64_t R, const T *x,
                           const GatedRows<T> &g) {
  if constexpr (std::is_same<T, bf16>::value) {
    const trm__dims &dims = c->base.dims;
    if (c->gated)
      gated_forward(x, w->packed_forward, g.gu, g.act, R, dims.D, dims.F, c->multiprocessors,
                    c->stream);
  }
  return c->gated;
}
template <class T>
static bool gated_products_grad(CudaBackend *c, const BlockWeights *w, int64_t R, const T *dh,
                                const GatedRows<T> &g) {
  if constexpr (std::is_same<T, bf16>::value) {
    const trm__dims &dims = c->base.dims;
    if (c->gated)
      gated_backward(dh, w->packed_backward, g.gu, g.act, R, dims.D, dims.F, c->multiprocessors,
                     c->stream);
  }
  return c->gated;
}

template <class T>
static void mlp_block(CudaBackend *c, const BlockWeights *w, int b, const T *x, T *y,
                      trm__carver *saved, trm__carver *shared) {
  const trm__dims &dims = c->base.dims;
  const int64_t R = (int64_t)b * dims.L;
  const GatedRows<T> g = mlp_memory<T>(c, b, saved, shared, false);

  /* a = silu(x W_g^T) * (x W_u^T), in the products' epilogue where there is one for it */
  if (!gated_products(c, w, R, x, g)) {
    times_weight<T>(c, R, 2 * dims.F, dims.D, x, w->w[TRM__GATE_UP], NULL, g.gu);
    if (dims.gate_norm)
      gate_norm_rows(g.gu, g.act, R, dims.F, (float)dims.inner_eps, c->stream);
    else
      swiglu(g.gu, g.act, R, dims.F, 2 * dims.F, dims.F, c->stream);
  }

  /* y = norm(x + a W_out^T) */
  times_weight<T>(c, R, dims.D, dims.F, g.act, w->w[TRM__DOWN], x, y);
  norm_rows(y, g.inv, R, dims.D, (float)dims.eps, c->stream);
}

template <class T>
static void mlp_block_grad(CudaBackend *c, const BlockWeights *w, int b, const T *x, const T *y,
                           T *dh, real *const *dw, bool accumulate, trm__carver *saved,
                           trm__carver *shared) {
  const trm__dims &dims = c->base.dims;
  const int64_t R = (int64_t)b * dims.L;
  const GatedRows<T> g = mlp_memory<T>(c, b, saved, shared, true);

  /* dh <- ds = norm'(dy); da = ds W_out, in whose place a is left, and [dg du] in that of [g u] */
  norm_rows_grad(y, g.inv, dh, R, dims.D, c->stream);
  if (!gated_products_grad(c, w, R, dh, g)) {
    times_weight_back<T>(c, R, dims.D, dims.F, dh, w->w[TRM__DOWN], NULL, g.act);
    if (dims.gate_norm)
      gate_norm_rows_grad(g.gu, g.act, R, dims.F, (float)dims.inner_eps, c->stream);
    else
      swiglu_grad(g.gu, g.act, R, dims.F, 2 * dims.F, dims.F, c->stream);
  }

  /* dW_out = ds^T a, dW_in = [dg du]^T x, dx = ds + [dg du] W_in */
  weight_grad(c, R, dims.D, dims.F, dh, g.act, dw[TRM__DOWN], accumulate);
  weight_grad(c, R, 2 * dims.F, dims.D, g.gu, x, dw[TRM__GATE_UP], accumulate);
  times_weight_back<T>(c, R, 2 * dims.F, dims.D, g.gu, w->w[TRM__GATE_UP], dh, dh);
}

/* --- what warp groups read (hopper/) --------------------------------------------------------- */

static PackedSizes mlp_packed(const CudaBackend *c) {
  const trm__dims &dims = c->base.dims;
  if (!c->gated) return {0, 0};
  return {gated_size(2 * (int64_t)dims.F, dims.D), gated_size(dims.F, dims.D)};
}
static void mlp_pack(CudaBackend *c, const BlockWeights *w, const trm__block *blk,
                     const real *params) {
  const trm__dims &dims = c->base.dims;
  if (w->packed_forward)
    gated_pack_in(params + blk->w[TRM__GATE_UP].at, w->packed_forward, dims.D, dims.F, c->stream);
  if (w->packed_backward)
    gated_pack_out(params + blk->w[TRM__DOWN].at, w->packed_backward, dims.D, dims.F, c->stream);
}

const Kind mlp_kind = {
    {mlp_count<float>, mlp_block<float>, mlp_block_grad<float>, mlp_packed, mlp_pack},
    {mlp_count<bf16>, mlp_block<bf16>, mlp_block_grad<bf16>, mlp_packed, mlp_pack}};
