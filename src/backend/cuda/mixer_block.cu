/* SwiGLU over the positions, the mixer, as a block. */
#include "mixer.cuh"

#include <type_traits>

#include "blocks.cuh"
#include "hopper/mixer_groups.cuh"
#include "norms.cuh"
#include "swiglu.cuh"
#include "vector.cuh"

template <class T>
struct GatedColumns {
  T *gu, *act, *xt, *out;
  float *inv;
};

template <class T>
static GatedColumns<T> mixer_memory(const CudaBackend *c, int b, trm__carver *saved,
                                    trm__carver *shared, bool backward) {
  const trm__dims &dims = c->base.dims;
  const bool fused = c->fused_mixer;
  const int64_t N = (int64_t)b * dims.D;
  GatedColumns<T> g = {};
  if (!fused) g.gu = carve<T>(saved, 2 * dims.FL * N);
  g.inv = carve<float>(saved, N);
  if (fused && !backward) return g;
  if (fused) g.gu = carve<T>(shared, 2 * dims.FL * N);
  g.act = carve<T>(shared, dims.FL * N);
  g.xt = carve<T>(shared, dims.L * N);
  g.out = carve<T>(shared, dims.L * N);
  return g;
}

template <class T>
static void mixer_count(const CudaBackend *c, int b, trm__carver *saved, trm__carver *shared,
                        bool backward) {
  mixer_memory<T>(c, b, saved, shared, backward);
}

/* The whole mixer in one kernel; false where it has to be done by products. */
template <class T>
static bool fused_forward(CudaBackend *c, const BlockWeights *w, int b, const T *x, T *y,
                          float *inv) {
  if constexpr (std::is_same<T, bf16>::value) {
    const trm__dims &dims = c->base.dims;
    if (c->mixer_groups)
      mixer_groups_forward(x, y, w->packed_forward, inv, b, dims.L, dims.D, dims.FL,
                           (float)dims.eps, c->multiprocessors, c->stream);
    else if (c->fused_mixer)
      mixer_fused_forward(x, y, static_cast<const bf16 *>(w->w[TRM__GATE_UP].at),
                          w->w[TRM__GATE_UP].ld, static_cast<const bf16 *>(w->w[TRM__DOWN].at),
                          w->w[TRM__DOWN].ld, inv, b, dims.L, dims.D, dims.FL, (float)dims.eps,
                          c->stream);
  }
  return c->fused_mixer;
}
template <class T>
static bool fused_backward(CudaBackend *c, const BlockWeights *w, int b, const T *x, const T *y,
                           T *dh, const GatedColumns<T> &g) {
  if constexpr (std::is_same<T, bf16>::value) {
    const trm__dims &dims = c->base.dims;
    if (c->fused_mixer)
      mixer_fused_backward(x, y, g.inv, static_cast<const bf16 *>(w->w[TRM__GATE_UP].at),
                           w->w[TRM__GATE_UP].ld, static_cast<const bf16 *>(w->w[TRM__DOWN].at),
                           w->w[TRM__DOWN].ld, dh, g.out, g.xt, g.act, g.gu, b, dims.L, dims.D,
                           dims.FL, c->stream);
  }
  return c->fused_mixer;
}

template <class T>
static void mixer_block(CudaBackend *c, const BlockWeights *w, int b, const T *x, T *y,
                        trm__carver *saved, trm__carver *shared) {
  const trm__dims &dims = c->base.dims;
  const int64_t N = (int64_t)b * dims.D;
  const GatedColumns<T> g = mixer_memory<T>(c, b, saved, shared, false);
  if (fused_forward(c, w, b, x, y, g.inv)) return;

  /* X as columns [L, N]; A = silu(W_g X) * (W_u X); Y = norm over L of (X + W_out A) */
  to_columns(x, g.xt, b, dims.L, dims.D, c->stream);
  weight_times(c, N, 2 * dims.FL, dims.L, w->w[TRM__GATE_UP], g.xt, g.gu);
  if (dims.gate_norm)
    gate_norm_columns(g.gu, g.act, dims.FL, N, (float)dims.inner_eps, c->stream);
  else
    swiglu(g.gu, g.act, dims.FL, N, N, dims.FL * N, c->stream);
  weight_times(c, N, dims.L, dims.FL, w->w[TRM__DOWN], g.act, g.out);
  norm_columns(x, g.out, y, g.inv, b, dims.L, dims.D, (float)dims.eps, c->stream);
}

template <class T>
static void mixer_block_grad(CudaBackend *c, const BlockWeights *w, int b, const T *x, const T *y,
                             T *dh, real *const *dw, bool accumulate, trm__carver *saved,
                             trm__carver *shared) {
  const trm__dims &dims = c->base.dims;
  const int64_t N = (int64_t)b * dims.D;
  const GatedColumns<T> g = mixer_memory<T>(c, b, saved, shared, true);
  const bool fused = fused_backward(c, w, b, x, y, dh, g);

  /* out <- dS = norm'(dY); dA = W_out^T dS, in whose place A is left; [dG; dU] in that of [G; U] */
  if (!fused) {
    norm_columns_grad(y, g.inv, dh, g.out, b, dims.L, dims.D, c->stream);
    weight_times_back<T>(c, N, dims.L, dims.FL, w->w[TRM__DOWN], g.out, NULL, g.act);
    if (dims.gate_norm)
      gate_norm_columns_grad(g.gu, g.act, dims.FL, N, (float)dims.inner_eps, c->stream);
    else
      swiglu_grad(g.gu, g.act, dims.FL, N, N, dims.FL * N, c->stream);
    to_columns(x, g.xt, b, dims.L, dims.D, c->stream);
  }

  /* dW_out = dS A^T, dW_in = [dG; dU] X^T */
  column_grad(c, N, dims.L, dims.FL, g.out, g.act, dw[TRM__DOWN], accumulate);
  column_grad(c, N, 2 * dims.FL, dims.L, g.gu, g.xt, dw[TRM__GATE_UP], accumulate);
  if (fused) return;

  /* dX = dS + W_in^T [dG; dU], back as rows */
  weight_times_back(c, N, 2 * dims.FL, dims.L, w->w[TRM__GATE_UP], g.gu, g.out, g.out);
  from_columns(g.out, dh, b, dims.L, dims.D, c->stream);
}

/* --- what warp groups read (hopper/) --------------------------------------------------------- */

static PackedSizes mixer_packed(const CudaBackend *c) {
  const trm__dims &dims = c->base.dims;
  return {c->mixer_groups ? mixer_groups_size(dims.L, dims.FL) : 0, 0};
}
static void mixer_pack(CudaBackend *c, const BlockWeights *w, const trm__block *blk,
                       const real *params) {
  const trm__dims &dims = c->base.dims;
  if (w->packed_forward)
    mixer_groups_pack(params + blk->w[TRM__GATE_UP].at, params + blk->w[TRM__DOWN].at,
                      w->packed_forward, dims.L, dims.FL, c->stream);
}

const Kind mixer_kind = {
    {mixer_count<float>, mixer_block<float>, mixer_block_grad<float>, mixer_packed, mixer_pack},
    {mixer_count<bf16>, mixer_block<bf16>, mixer_block_grad<bf16>, mixer_packed, mixer_pack}};
