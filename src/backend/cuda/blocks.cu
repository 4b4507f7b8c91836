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
#include <type_traits>

#include "attention.cuh"
#include "backend.cuh"
#include "experts.cuh"
#include "hopper/gated.cuh"
#include "hopper/mixer_groups.cuh"
#include "mixer.cuh"
#include "vector.cuh"

/* --- sizes ----------------------------------------------------------------------------------- */

static int64_t reals(const trm__carver &c) {
  return c.most / (int64_t)sizeof(real);
}

template <class T>
struct Attention {
  T *qkv, *o, *d_o, *dqkv;
  T *out; /* o, or divided by its root mean square, out_inv [R] by it */
  float *lse, *inv, *qk_inv, *delta, *out_inv;
};
template <class T>
struct Gated { /* mlp and mixer */
  T *gu, *act, *xt, *out, *dgu;
  float *inv;
};

/* What a pass on b rows carves; both carvers are the same where nothing is kept. */
template <class T>
static Attention<T> attention_memory(const CudaBackend *c, int b, trm__carver *saved,
                                     trm__carver *shared, bool backward) {
  const trm__dims &dims = c->base.dims;
  const int64_t R = (int64_t)b * dims.L;
  Attention<T> a = {};
  a.qkv = carve<T>(saved, R * 3 * dims.D);
  a.o = carve<T>(saved, R * dims.D);
  a.lse = carve<float>(saved, R * dims.H);
  a.inv = carve<float>(saved, R);
  if (dims.qk_norm) a.qk_inv = carve<float>(saved, R * 2 * dims.H);
  a.out = dims.attn_out_norm ? carve<T>(shared, R * dims.D) : a.o;
  if (dims.attn_out_norm) a.out_inv = carve<float>(shared, R);
  if (!backward) return a;
  a.d_o = carve<T>(shared, R * dims.D);
  a.dqkv = carve<T>(shared, R * 3 * dims.D);
  a.delta = carve<float>(shared, R * dims.H);
  return a;
}

template <class T>
static Gated<T> mlp_memory(const CudaBackend *c, int b, trm__carver *saved, trm__carver *shared,
                           bool) {
  const trm__dims &dims = c->base.dims;
  const int64_t R = (int64_t)b * dims.L;
  Gated<T> g = {};
  if (!c->gated || saved != shared) g.gu = carve<T>(saved, R * 2 * dims.F);
  g.inv = carve<float>(saved, R);
  g.act = carve<T>(shared, R * dims.F);
  return g;
}

template <class T>
static Gated<T> mixer_memory(const CudaBackend *c, int b, trm__carver *saved, trm__carver *shared,
                             bool backward) {
  const trm__dims &dims = c->base.dims;
  const bool fused = c->fused_mixer;
  const int64_t N = (int64_t)b * dims.D;
  Gated<T> g = {};
  if (!fused) g.gu = carve<T>(saved, 2 * dims.FL * N);
  g.inv = carve<float>(saved, N);
  if (fused && !backward) return g;
  if (fused) g.gu = carve<T>(shared, 2 * dims.FL * N);
  g.act = carve<T>(shared, dims.FL * N);
  g.xt = carve<T>(shared, dims.L * N);
  g.out = carve<T>(shared, dims.L * N);
  return g;
}

/* --- products -------------------------------------------------------------------------------- */

/* y [R, rows] = x [R, cols] W^T (+ add), W [rows, cols] */
template <class T>
static void times_weight(CudaBackend *c, int64_t R, int rows, int cols, const T *x,
                         const Operand &w, const T *add, T *y) {
  product(c, {R, rows, cols, x, cols, false, w.at, w.ld, true, y, rows, add, false});
}
/* dx [R, cols] = dy [R, rows] W (+ add) */
template <class T>
static void times_weight_back(CudaBackend *c, int64_t R, int rows, int cols, const T *dy,
                              const Operand &w, const T *add, T *dx) {
  product(c, {R, cols, rows, dy, rows, false, w.at, w.ld, false, dx, cols, add, false});
}
/* dW [rows, cols] (+)= dy^T x over R rows */
template <class T>
static void weight_grad(CudaBackend *c, int64_t R, int rows, int cols, const T *dy, const T *x,
                        real *dw, bool accumulate) {
  gradient(c, {rows, cols, R, dy, rows, true, x, cols, false, dw, cols, NULL, true}, accumulate);
}
/* The mixer's products, weights on the left: y [rows, N] = W x, W^T x, and dW (+)= dy x^T over N.
 */
template <class T>
static void weight_times(CudaBackend *c, int64_t N, int rows, int cols, const Operand &w,
                         const T *x, T *y) {
  product(c, {rows, N, cols, w.at, w.ld, false, x, N, false, y, N, NULL, false});
}
template <class T>
static void weight_times_back(CudaBackend *c, int64_t N, int rows, int cols, const Operand &w,
                              const T *dy, const T *add, T *dx) {
  product(c, {cols, N, rows, w.at, w.ld, true, dy, N, false, dx, N, add, false});
}
template <class T>
static void column_grad(CudaBackend *c, int64_t N, int rows, int cols, const T *dy, const T *x,
                        real *dw, bool accumulate) {
  gradient(c, {rows, cols, N, dy, N, false, x, N, true, dw, cols, NULL, true}, accumulate);
}

/* --- attention ------------------------------------------------------------------------------- */

template <class T>
static void attention_block(CudaBackend *c, const BlockWeights *w, int b, const T *x, T *y,
                            trm__carver *saved, trm__carver *shared) {
  const trm__dims &dims = c->base.dims;
  const int64_t R = (int64_t)b * dims.L;
  const Attention<T> a = attention_memory<T>(c, b, saved, shared, false);

  /* [q k v] = x W_qkv^T, q and k normed and rotated; o = softmax(q k^T / sqrt(d)) v */
  times_weight<T>(c, R, 3 * dims.D, dims.D, x, w->w[TRM__QKV], NULL, a.qkv);
  if (dims.qk_norm)
    norm_heads(a.qkv, a.qk_inv, R, dims.H, dims.d, (float)dims.inner_eps, c->stream);
  if (dims.rope) rotate(a.qkv, c->cosine, c->sine, b, dims, c->places, 1, c->stream);
  attention_forward(a.qkv, a.o, a.lse, b, dims, c->places, c->stream);

  /* y = norm(x + o W_o^T) */
  if (dims.attn_out_norm)
    norm_rows_of(a.o, a.out, a.out_inv, R, dims.D, (float)dims.inner_eps, c->stream);
  times_weight<T>(c, R, dims.D, dims.D, a.out, w->w[TRM__O], x, y);
  norm_rows(y, a.inv, R, dims.D, (float)dims.eps, c->stream);
}

template <class T>
static void attention_block_grad(CudaBackend *c, const BlockWeights *w, int b, const T *x,
                                 const T *y, T *dh, real *const *dw, bool accumulate,
                                 trm__carver *saved, trm__carver *shared) {
  const trm__dims &dims = c->base.dims;
  const int64_t R = (int64_t)b * dims.L;
  const Attention<T> a = attention_memory<T>(c, b, saved, shared, true);

  /* dh <- ds = norm'(dy); do = ds W_o, dW_o = ds^T o */
  norm_rows_grad(y, a.inv, dh, R, dims.D, c->stream);
  times_weight_back<T>(c, R, dims.D, dims.D, dh, w->w[TRM__O], NULL, a.d_o);
  if (dims.attn_out_norm) {
    norm_rows_of(a.o, a.out, a.out_inv, R, dims.D, (float)dims.inner_eps, c->stream);
    norm_rows_grad(a.out, a.out_inv, a.d_o, R, dims.D, c->stream);
  }
  weight_grad(c, R, dims.D, dims.D, dh, a.out, dw[TRM__O], accumulate);

  /* [dq dk dv] before norm and rotation, which keeps products and lengths, so that the norm sees
   * rotated ones; dW_qkv = [dq dk dv]^T x, dx = ds + [dq dk dv] W_qkv */
  attention_backward(a.qkv, a.o, a.lse, a.d_o, a.delta, a.dqkv, b, dims, c->places, c->stream);
  if (dims.qk_norm) norm_heads_grad(a.qkv, a.qk_inv, a.dqkv, R, dims.H, dims.d, c->stream);
  if (dims.rope) rotate(a.dqkv, c->cosine, c->sine, b, dims, c->places, -1, c->stream);
  weight_grad(c, R, 3 * dims.D, dims.D, a.dqkv, x, dw[TRM__QKV], accumulate);
  times_weight_back<T>(c, R, 3 * dims.D, dims.D, a.dqkv, w->w[TRM__QKV], dh, dh);
}

/* --- SwiGLU over channels -------------------------------------------------------------------- */

/* act and, where it is kept, gu from x; false where other products have to do it. */
template <class T>
static bool gated_products(CudaBackend *c, const BlockWeights *w, int64_t R, const T *x,
                           const Gated<T> &g) {
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
                                const Gated<T> &g) {
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
  const Gated<T> g = mlp_memory<T>(c, b, saved, shared, false);

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
  const Gated<T> g = mlp_memory<T>(c, b, saved, shared, true);

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

/* --- SwiGLU over positions ------------------------------------------------------------------- */

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
                           T *dh, const Gated<T> &g) {
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
  const Gated<T> g = mixer_memory<T>(c, b, saved, shared, false);
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
  const Gated<T> g = mixer_memory<T>(c, b, saved, shared, true);
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

/* --- experts --------------------------------------------------------------------------------- */

/* How many tokens an expert gets is known to the device alone, while the shapes of products are
 * part of a recorded program: so every expert sees all tokens, and its gates, of which most are
 * zero, say what counts. Over the channels tokens are rows; over the positions they are columns of
 * X [L, N], weights are on the left. */
template <class T>
struct Experts {
  Tokens in, inner; /* of K values; of as many as an expert is wide */
  Routes routes;
  float *inv, *d_gate, *d_logits;
  T *xt, *gu, *act, *out, *sum, *ds, *d_out, *da, *dx;
};

static Tokens tokens_of(bool columns, int64_t R, int each, int K) {
  return columns ? Tokens{R, each, K, 1, R} : Tokens{R, each, K, K, 1};
}

template <class T, bool POSITIONS>
static Experts<T> experts_memory(const CudaBackend *c, int b, trm__carver *saved,
                                 trm__carver *shared, bool backward) {
  const trm__dims &dims = c->base.dims;
  const trm__block_kind kind = POSITIONS ? TRM__BLOCK_EXPERTS_T : TRM__BLOCK_EXPERTS;
  const trm__experts &x = *trm__experts_of(&dims, kind);
  const int each = trm__experts_tokens(&dims, kind), K = trm__experts_inputs(&dims, kind);
  const int64_t R = (int64_t)b * each;
  const bool noisy = x.router == TRM_ROUTER_NOISY_TOP2;

  /* The tokens. */
  Experts<T> e = {};
  e.in = tokens_of(POSITIONS, R, each, K);
  e.inner = tokens_of(POSITIONS, R, each, x.width);
  e.routes.x = x;
  e.routes.noisy = noisy && c->routing && c->routing->noise;

  /* Kept; then what a pass works in. */
  e.routes.logits = carve<float>(saved, (noisy ? 3 : 1) * x.n * R);
  e.inv = carve<float>(saved, R);
  e.routes.expert = carve<int32_t>(shared, R * x.chosen);
  e.routes.gate = carve<float>(shared, R * x.chosen);
  if (POSITIONS) e.xt = carve<T>(shared, R * K);
  e.gu = carve<T>(shared, R * 2 * x.width);
  e.act = carve<T>(shared, R * x.width);
  if (!backward) {
    e.out = carve<T>(shared, R * K);
    e.sum = carve<T>(shared, R * K);
    return e;
  }
  if (POSITIONS) e.ds = carve<T>(shared, R * K);
  e.d_out = carve<T>(shared, R * K);
  e.da = carve<T>(shared, R * x.width);
  e.dx = carve<T>(shared, R * K);
  e.d_gate = carve<float>(shared, R * x.chosen);
  e.d_logits = carve<float>(shared, 2 * x.n * R);
  return e;
}

/* Products of tokens with the weight [rows, cols] and with its transpose, and its gradient. */
template <class T, bool POSITIONS>
static void tokens_times(CudaBackend *c, int64_t R, int rows, int cols, const Operand &w,
                         const T *x, T *y) {
  if (POSITIONS)
    weight_times(c, R, rows, cols, w, x, y);
  else
    times_weight<T>(c, R, rows, cols, x, w, NULL, y);
}
template <class T, bool POSITIONS>
static void tokens_times_back(CudaBackend *c, int64_t R, int rows, int cols, const Operand &w,
                              const T *dy, const T *add, T *dx) {
  if (POSITIONS)
    weight_times_back<T>(c, R, rows, cols, w, dy, add, dx);
  else
    times_weight_back<T>(c, R, rows, cols, dy, w, add, dx);
}
template <class T, bool POSITIONS>
static void tokens_grad(CudaBackend *c, int64_t R, int rows, int cols, const T *dy, const T *x,
                        real *dw, bool accumulate) {
  if (POSITIONS)
    column_grad(c, R, rows, cols, dy, x, dw, accumulate);
  else
    weight_grad(c, R, rows, cols, dy, x, dw, accumulate);
}

/* gu and act of one expert at all tokens. */
template <class T, bool POSITIONS>
static void expert_forward(CudaBackend *c, const BlockWeights *w, const Experts<T> &e, int expert,
                           const T *x) {
  const int64_t R = e.in.R, F = e.routes.x.width;
  const Operand *own = w->w + trm__expert_at(&e.routes.x, expert);
  tokens_times<T, POSITIONS>(c, R, (int)(2 * F), e.in.K, own[TRM__GATE_UP], x, e.gu);
  if (POSITIONS)
    swiglu(e.gu, e.act, F, R, R, F * R, c->stream);
  else
    swiglu(e.gu, e.act, R, F, 2 * F, F, c->stream);
}

/* The matrices of the block's router; of the noise NULL where there is none. */
static const real *router_of(const CudaBackend *c, int which) {
  return c->base.params + c->block->w[which].at;
}

template <class T, bool POSITIONS>
static void experts_block(CudaBackend *c, const BlockWeights *w, int b, const T *x, T *y,
                          trm__carver *saved, trm__carver *shared) {
  const trm__dims &dims = c->base.dims;
  const Experts<T> e = experts_memory<T, POSITIONS>(c, b, saved, shared, false);
  const int64_t R = e.in.R, n = e.routes.x.n, F = e.routes.x.width;
  const T *xs = POSITIONS ? e.xt : x;

  /* Where each token goes. */
  if (POSITIONS) to_columns(x, e.xt, b, dims.L, dims.D, c->stream);
  route_tokens(e.in, e.routes, xs, router_of(c, TRM__ROUTER),
               e.routes.noisy ? router_of(c, TRM__NOISE) : NULL, c->routing, c->stream);
  if (c->routing && c->routing->told) tell_load(e.in, e.routes, c->routing->told, c->stream);

  /* sum of gate * expert(x) */
  note(c, cudaMemsetAsync(e.sum, 0, (size_t)(R * e.in.K) * sizeof(T), c->stream));
  for (int i = 0; i < n; i++) {
    const Operand *own = w->w + trm__expert_at(&e.routes.x, i);
    expert_forward<T, POSITIONS>(c, w, e, i, xs);
    tokens_times<T, POSITIONS>(c, R, e.in.K, (int)F, own[TRM__DOWN], e.act, e.out);
    add_gated(e.in, e.routes, i, e.out, e.sum, c->stream);
  }

  /* y = norm(x + sum) */
  if (POSITIONS) {
    norm_columns(x, e.sum, y, e.inv, b, dims.L, dims.D, (float)dims.eps, c->stream);
  } else {
    const Sources<T> both = {{x, e.sum}};
    sum(both, 2, y, R * e.in.K, c->stream);
    norm_rows(y, e.inv, R, dims.D, (float)dims.eps, c->stream);
  }
}

template <class T, bool POSITIONS>
static void experts_block_grad(CudaBackend *c, const BlockWeights *w, int b, const T *x, const T *y,
                               T *dh, real *const *dw, bool accumulate, trm__carver *saved,
                               trm__carver *shared) {
  const trm__dims &dims = c->base.dims;
  const Experts<T> e = experts_memory<T, POSITIONS>(c, b, saved, shared, true);
  const trm__experts &about = e.routes.x;
  const int64_t R = e.in.R, F = about.width;
  const T *xs = POSITIONS ? e.xt : x, *ds = POSITIONS ? e.ds : dh;

  /* ds = norm'(dy), the first part of dx */
  choose_experts(e.in, e.routes, c->stream);
  if (POSITIONS) {
    to_columns(x, e.xt, b, dims.L, dims.D, c->stream);
    norm_columns_grad(y, e.inv, dh, e.ds, b, dims.L, dims.D, c->stream);
  } else {
    norm_rows_grad(y, e.inv, dh, R, dims.D, c->stream);
  }
  const Sources<T> first = {{ds}};
  sum(first, 1, e.dx, R * e.in.K, c->stream);

  for (int i = 0; i < about.n; i++) {
    const int at = trm__expert_at(&about, i);
    const Operand *own = w->w + at;

    /* da = ds W_out; d gate = da . a, and of the expert's tokens gate * da goes on */
    expert_forward<T, POSITIONS>(c, w, e, i, xs);
    tokens_times_back<T, POSITIONS>(c, R, e.in.K, (int)F, own[TRM__DOWN], ds, NULL, e.da);
    gate_grad(e.inner, e.routes, i, e.act, e.da, e.d_gate, c->stream);
    take_gated(e.in, e.routes, i, ds, e.d_out, c->stream);
    if (POSITIONS)
      swiglu_grad(e.gu, e.da, F, R, R, F * R, c->stream);
    else
      swiglu_grad(e.gu, e.da, R, F, 2 * F, F, c->stream);

    /* dW_out = do^T a, dW_in = [dg du]^T x, dx += [dg du] W_in */
    tokens_grad<T, POSITIONS>(c, R, e.in.K, (int)F, e.d_out, e.da, dw[at + TRM__DOWN], accumulate);
    tokens_grad<T, POSITIONS>(c, R, (int)(2 * F), e.in.K, e.gu, xs, dw[at + TRM__GATE_UP],
                              accumulate);
    tokens_times_back<T, POSITIONS>(c, R, (int)(2 * F), e.in.K, own[TRM__GATE_UP], e.gu, e.dx,
                                    e.dx);
  }

  /* To the router. */
  const float *d_spread = e.routes.noisy ? e.d_logits + about.n * R : NULL;
  route_grad(e.in, e.routes, e.d_gate, c->routing ? c->routing->balance : NULL, e.d_logits,
             c->stream);
  router_grad(e.in, about.n, e.d_logits, router_of(c, TRM__ROUTER), e.dx, c->stream);
  router_weight_grad(e.in, about.n, e.d_logits, xs, dw[TRM__ROUTER], accumulate, c->stream);
  if (d_spread) router_grad(e.in, about.n, d_spread, router_of(c, TRM__NOISE), e.dx, c->stream);
  if (about.router == TRM_ROUTER_NOISY_TOP2)
    router_weight_grad(e.in, about.n, d_spread, xs, dw[TRM__NOISE], accumulate, c->stream);

  const Sources<T> last = {{e.dx}};
  if (POSITIONS)
    from_columns(e.dx, dh, b, dims.L, dims.D, c->stream);
  else
    sum(last, 1, dh, R * e.in.K, c->stream);
}

/* --- what warp groups read (hopper/) --------------------------------------------------------- */

/* Values of either pass; 0: none. */
struct PackedSizes {
  int64_t forward, backward;
};

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

/* --- by kind --------------------------------------------------------------------------------- */

/* One row per kind and number format. */
template <class T>
struct Kind {
  /* Carves what a pass on b rows needs. */
  void (*count)(const CudaBackend *, int b, trm__carver *saved, trm__carver *shared, bool backward);
  void (*forward)(CudaBackend *, const BlockWeights *, int, const T *, T *, trm__carver *,
                  trm__carver *);
  void (*backward)(CudaBackend *, const BlockWeights *, int, const T *, const T *, T *,
                   real *const *, bool, trm__carver *, trm__carver *);
  /* What is packed beside the weights as rows; NULL: nothing. */
  PackedSizes (*packed)(const CudaBackend *);
  void (*pack)(CudaBackend *, const BlockWeights *, const trm__block *, const real *params);
};

template <class T>
static void attention_count(const CudaBackend *c, int b, trm__carver *saved, trm__carver *shared,
                            bool back) {
  attention_memory<T>(c, b, saved, shared, back);
}
template <class T>
static void mixer_count(const CudaBackend *c, int b, trm__carver *saved, trm__carver *shared,
                        bool back) {
  mixer_memory<T>(c, b, saved, shared, back);
}
template <class T>
static void mlp_count(const CudaBackend *c, int b, trm__carver *saved, trm__carver *shared,
                      bool back) {
  mlp_memory<T>(c, b, saved, shared, back);
}

template <class T, bool POSITIONS>
static void experts_count(const CudaBackend *c, int b, trm__carver *saved, trm__carver *shared,
                          bool back) {
  experts_memory<T, POSITIONS>(c, b, saved, shared, back);
}

template <class T>
static const Kind<T> &kind_of(trm__block_kind kind) {
  static const Kind<T> kinds[TRM__BLOCK_KINDS] = {
      {attention_count<T>, attention_block<T>, attention_block_grad<T>, NULL, NULL},
      {mixer_count<T>, mixer_block<T>, mixer_block_grad<T>, mixer_packed, mixer_pack},
      {mlp_count<T>, mlp_block<T>, mlp_block_grad<T>, mlp_packed, mlp_pack},
      {experts_count<T, true>, experts_block<T, true>, experts_block_grad<T, true>, NULL, NULL},
      {experts_count<T, false>, experts_block<T, false>, experts_block_grad<T, false>, NULL, NULL}};
  return kinds[kind];
}

bool block_known(trm__block_kind kind) {
  return kind_of<float>(kind).forward != NULL;
}

static void count(const CudaBackend *c, trm__block_kind kind, int b, trm__carver *saved,
                  trm__carver *shared, bool backward) {
  const auto carves = is_bf16(&c->base) ? kind_of<bf16>(kind).count : kind_of<float>(kind).count;
  carves(c, b, saved, shared, backward);
}
/* For a tile of one row: what larger tiles need is at most as much per row. */
int64_t block_saved(const CudaBackend *c, trm__block_kind kind) {
  trm__carver saved = {}, shared = {};
  count(c, kind, 1, &saved, &shared, false);
  return reals(saved);
}
int64_t block_shared(const CudaBackend *c, trm__block_kind kind, int b, bool training) {
  trm__carver saved = {}, shared = {};
  count(c, kind, b, &shared, &shared, false); /* all of it, when nothing is kept */
  trm__carve_anew(&shared);
  if (training) count(c, kind, b, &saved, &shared, true);
  return reals(shared);
}

void block_packed(const CudaBackend *c, trm__block_kind kind, int64_t *forward, int64_t *backward) {
  const Kind<bf16> &k = kind_of<bf16>(kind);
  const PackedSizes sizes = k.packed ? k.packed(c) : PackedSizes{0, 0};
  *forward = sizes.forward;
  *backward = sizes.backward;
}
void block_pack(CudaBackend *c, const BlockWeights *w, const trm__block *blk, const real *params) {
  const Kind<bf16> &k = kind_of<bf16>(blk->kind);
  if (k.pack) k.pack(c, w, blk, params);
}

static trm__carver carver(real *memory) {
  return {reinterpret_cast<unsigned char *>(memory), 0, 0};
}

template <class T>
static void forward(CudaBackend *c, const trm__block *blk, int b, const real *x, real *y,
                    real *saved, real *shared) {
  const BlockWeights *w = &c->weights[blk - c->base.blocks];
  trm__carver kept = carver(saved), own = carver(shared);
  kind_of<T>(blk->kind).forward(c, w, b, reinterpret_cast<const T *>(x), reinterpret_cast<T *>(y),
                                saved ? &kept : &own, &own);
}
void block_forward(CudaBackend *c, const trm__block *blk, int b, const real *x, real *y,
                   real *saved, const trm__workspace *ws) {
  c->block = blk;
  c->routing = ws->routing;
  c->places = ws->places;
  (is_bf16(&c->base) ? forward<bf16> : forward<float>)(c, blk, b, x, y, saved, ws->shared);
  c->routing = NULL; /* they were of this call */
  c->places = NULL;
}

template <class T>
static void backward(CudaBackend *c, const trm__block *blk, int b, const real *x, const real *y,
                     real *saved, real *dh, real *const *dw, bool accumulate, real *shared) {
  const BlockWeights *w = &c->weights[blk - c->base.blocks];
  trm__carver kept = carver(saved), own = carver(shared);
  kind_of<T>(blk->kind).backward(c, w, b, reinterpret_cast<const T *>(x),
                                 reinterpret_cast<const T *>(y), reinterpret_cast<T *>(dh), dw,
                                 accumulate, &kept, &own);
}
void block_backward(CudaBackend *c, const trm__block *blk, int b, const real *x, const real *y,
                    real *saved, real *dh, real *const *dw, bool accumulate,
                    const trm__workspace *ws) {
  c->block = blk;
  c->routing = ws->routing;
  c->places = ws->places;
  (is_bf16(&c->base) ? backward<bf16> : backward<float>)(c, blk, b, x, y, saved, dh, dw, accumulate,
                                                         ws->shared);
  c->routing = NULL;
  c->places = NULL;
}
