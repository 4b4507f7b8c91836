/* The three kinds of block y = norm(x + branch(x)), forward and backward, as sequences of products
 * and kernels; docs/MODEL.md section 1, and the same mathematics as backend/cpu_*.c.
 *
 * R = b L rows, N = b D columns. Kept for the backward pass, per tile:
 *   attention  qkv [R, 3D] (rotated), o [R, D], lse [b, H, L], inv [R]
 *   mlp        gu [R, 2F], inv [R]; where nothing is kept, gated products need no gu
 *   mixer      gu [2FL, N], inv [N]; where one kernel does it all, inv only
 * Weight gradients are products over all rows of the tile, added up in float32. */
#include <type_traits>

#include "attention.cuh"
#include "backend.cuh"
#include "hopper/gated.cuh"
#include "hopper/mixer_groups.cuh"
#include "mixer.cuh"
#include "vector.cuh"

/* --- sizes ----------------------------------------------------------------------------------- */

/* Bytes, up to the next 256: what follows stays aligned for products. */
static int64_t padded(int64_t bytes) {
  return (bytes + 255) / 256 * 256;
}
static int64_t reals(int64_t bytes) {
  return padded(bytes) / (int64_t)sizeof(real);
}

/* Takes stretches of one block of memory, one after the other. */
struct Taker {
  unsigned char *at;
  int64_t bytes;
  template <class U>
  U *take(int64_t n) {
    U *p = reinterpret_cast<U *>(at);
    const int64_t size = padded(n * (int64_t)sizeof(U));
    if (at) at += size;
    bytes += size;
    return p;
  }
};

template <class T>
struct Attention {
  T *qkv, *o, *d_o, *dqkv;
  float *lse, *inv, *delta;
};
template <class T>
struct Gated { /* mlp and mixer */
  T *gu, *act, *xt, *out, *dgu;
  float *inv;
};

/* saved and shared NULL only count. Without `saved` everything lies in `shared`. */
template <class T>
static Attention<T> attention_memory(const CudaBackend *c, int b, Taker *saved, Taker *shared,
                                     bool backward) {
  const trm__dims &m = c->base.dims;
  const int64_t R = (int64_t)b * m.L;
  Attention<T> a = {};
  a.qkv = saved->take<T>(R * 3 * m.D);
  a.o = saved->take<T>(R * m.D);
  a.lse = saved->take<float>(R * m.H);
  a.inv = saved->take<float>(R);
  if (!backward) return a;
  a.d_o = shared->take<T>(R * m.D);
  a.dqkv = shared->take<T>(R * 3 * m.D);
  a.delta = shared->take<float>(R * m.H);
  return a;
}

template <class T>
static Gated<T> mlp_memory(const CudaBackend *c, int b, Taker *saved, Taker *shared, bool) {
  const trm__dims &m = c->base.dims;
  const int64_t R = (int64_t)b * m.L;
  Gated<T> g = {};
  if (!c->gated || saved != shared) g.gu = saved->take<T>(R * 2 * m.F);
  g.inv = saved->take<float>(R);
  g.act = shared->take<T>(R * m.F);
  return g;
}

template <class T>
static Gated<T> mixer_memory(const CudaBackend *c, int b, Taker *saved, Taker *shared,
                             bool backward) {
  const trm__dims &m = c->base.dims;
  const bool fused = c->fused_mixer;
  const int64_t N = (int64_t)b * m.D;
  Gated<T> g = {};
  if (!fused) g.gu = saved->take<T>(2 * m.FL * N);
  g.inv = saved->take<float>(N);
  if (fused && !backward) return g;
  if (fused) g.gu = shared->take<T>(2 * m.FL * N);
  g.act = shared->take<T>(m.FL * N);
  g.xt = shared->take<T>(m.L * N);
  g.out = shared->take<T>(m.L * N);
  return g;
}

/* --- products -------------------------------------------------------------------------------- */

/* y [R, rows] = x [R, cols] W^T (+ add), W [rows, cols] */
template <class T>
static void times_weight(CudaBackend *c, int64_t R, int rows, int cols, const T *x, const void *w,
                         int ldw, const T *add, T *y) {
  product(c, {R, rows, cols, x, cols, false, w, ldw, true, y, rows, add, false});
}
/* dx [R, cols] = dy [R, rows] W (+ add) */
template <class T>
static void times_weight_back(CudaBackend *c, int64_t R, int rows, int cols, const T *dy,
                              const void *w, int ldw, const T *add, T *dx) {
  product(c, {R, cols, rows, dy, rows, false, w, ldw, false, dx, cols, add, false});
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
static void weight_times(CudaBackend *c, int64_t N, int rows, int cols, const void *w, int ldw,
                         const T *x, T *y) {
  product(c, {rows, N, cols, w, ldw, false, x, N, false, y, N, NULL, false});
}
template <class T>
static void weight_times_back(CudaBackend *c, int64_t N, int rows, int cols, const void *w, int ldw,
                              const T *dy, const T *add, T *dx) {
  product(c, {cols, N, rows, w, ldw, true, dy, N, false, dx, N, add, false});
}
template <class T>
static void column_grad(CudaBackend *c, int64_t N, int rows, int cols, const T *dy, const T *x,
                        real *dw, bool accumulate) {
  gradient(c, {rows, cols, N, dy, N, false, x, N, true, dw, cols, NULL, true}, accumulate);
}

/* --- attention ------------------------------------------------------------------------------- */

template <class T>
static void attention_block(CudaBackend *c, const BlockWeights *w, int b, const T *x, T *y,
                            Taker *saved, Taker *shared) {
  const trm__dims &m = c->base.dims;
  const int64_t R = (int64_t)b * m.L;
  const Attention<T> a = attention_memory<T>(c, b, saved, shared, false);
  times_weight<T>(c, R, 3 * m.D, m.D, x, w->w[TRM__QKV].at, w->w[TRM__QKV].ld, NULL, a.qkv);
  if (m.rope) rotate(a.qkv, c->cosine, c->sine, b, m.L, m.H, m.d, 1, c->stream);
  attention_forward(a.qkv, a.o, a.lse, b, m.L, m.H, m.d, c->stream);
  times_weight<T>(c, R, m.D, m.D, a.o, w->w[TRM__O].at, w->w[TRM__O].ld, x, y);
  norm_rows(y, a.inv, R, m.D, (float)m.eps, c->stream);
}

template <class T>
static void attention_block_grad(CudaBackend *c, const BlockWeights *w, int b, const T *x,
                                 const T *y, T *dh, real *const *dw, bool accumulate, Taker *saved,
                                 Taker *shared) {
  const trm__dims &m = c->base.dims;
  const int64_t R = (int64_t)b * m.L;
  const Attention<T> a = attention_memory<T>(c, b, saved, shared, true);
  norm_rows_grad(y, a.inv, dh, R, m.D, c->stream);
  times_weight_back<T>(c, R, m.D, m.D, dh, w->w[TRM__O].at, w->w[TRM__O].ld, NULL, a.d_o);
  weight_grad(c, R, m.D, m.D, dh, a.o, dw[TRM__O], accumulate);
  attention_backward(a.qkv, a.o, a.lse, a.d_o, a.delta, a.dqkv, b, m.L, m.H, m.d, c->stream);
  if (m.rope) rotate(a.dqkv, c->cosine, c->sine, b, m.L, m.H, m.d, -1, c->stream);
  weight_grad(c, R, 3 * m.D, m.D, a.dqkv, x, dw[TRM__QKV], accumulate);
  times_weight_back<T>(c, R, 3 * m.D, m.D, a.dqkv, w->w[TRM__QKV].at, w->w[TRM__QKV].ld, dh, dh);
}

/* --- SwiGLU over channels -------------------------------------------------------------------- */

/* act and, where it is kept, gu from x; false where other products have to do it. */
template <class T>
static bool gated_products(CudaBackend *c, const BlockWeights *w, int64_t R, const T *x,
                           const Gated<T> &g) {
  if constexpr (std::is_same<T, bf16>::value) {
    const trm__dims &m = c->base.dims;
    if (c->gated)
      gated_forward(x, w->packed_forward, g.gu, g.act, R, m.D, m.F, c->multiprocessors, c->stream);
  }
  return c->gated;
}
template <class T>
static bool gated_products_grad(CudaBackend *c, const BlockWeights *w, int64_t R, const T *dh,
                                const Gated<T> &g) {
  if constexpr (std::is_same<T, bf16>::value) {
    const trm__dims &m = c->base.dims;
    if (c->gated)
      gated_backward(dh, w->packed_backward, g.gu, g.act, R, m.D, m.F, c->multiprocessors,
                     c->stream);
  }
  return c->gated;
}

template <class T>
static void mlp_block(CudaBackend *c, const BlockWeights *w, int b, const T *x, T *y, Taker *saved,
                      Taker *shared) {
  const trm__dims &m = c->base.dims;
  const int64_t R = (int64_t)b * m.L;
  const Gated<T> g = mlp_memory<T>(c, b, saved, shared, false);
  if (!gated_products(c, w, R, x, g)) {
    times_weight<T>(c, R, 2 * m.F, m.D, x, w->w[TRM__GATE_UP].at, w->w[TRM__GATE_UP].ld, NULL,
                    g.gu);
    swiglu(g.gu, g.act, R, m.F, 2 * m.F, m.F, c->stream);
  }
  times_weight<T>(c, R, m.D, m.F, g.act, w->w[TRM__DOWN].at, w->w[TRM__DOWN].ld, x, y);
  norm_rows(y, g.inv, R, m.D, (float)m.eps, c->stream);
}

template <class T>
static void mlp_block_grad(CudaBackend *c, const BlockWeights *w, int b, const T *x, const T *y,
                           T *dh, real *const *dw, bool accumulate, Taker *saved, Taker *shared) {
  const trm__dims &m = c->base.dims;
  const int64_t R = (int64_t)b * m.L;
  const Gated<T> g = mlp_memory<T>(c, b, saved, shared, true);
  norm_rows_grad(y, g.inv, dh, R, m.D, c->stream);
  if (!gated_products_grad(c, w, R, dh, g)) {
    times_weight_back<T>(c, R, m.D, m.F, dh, w->w[TRM__DOWN].at, w->w[TRM__DOWN].ld, NULL, g.act);
    swiglu_grad(g.gu, g.act, R, m.F, 2 * m.F, m.F, c->stream);
  }
  weight_grad(c, R, m.D, m.F, dh, g.act, dw[TRM__DOWN], accumulate);
  weight_grad(c, R, 2 * m.F, m.D, g.gu, x, dw[TRM__GATE_UP], accumulate);
  times_weight_back<T>(c, R, 2 * m.F, m.D, g.gu, w->w[TRM__GATE_UP].at, w->w[TRM__GATE_UP].ld, dh,
                       dh);
}

/* --- SwiGLU over positions ------------------------------------------------------------------- */

/* The whole mixer in one kernel; false where it has to be done by products. */
template <class T>
static bool fused_forward(CudaBackend *c, const BlockWeights *w, int b, const T *x, T *y,
                          float *inv) {
  if constexpr (std::is_same<T, bf16>::value) {
    const trm__dims &m = c->base.dims;
    if (c->mixer_groups)
      mixer_groups_forward(x, y, w->packed_forward, inv, b, m.L, m.D, m.FL, (float)m.eps,
                           c->multiprocessors, c->stream);
    else if (c->fused_mixer)
      mixer_fused_forward(x, y, static_cast<const bf16 *>(w->w[TRM__GATE_UP].at),
                          w->w[TRM__GATE_UP].ld, static_cast<const bf16 *>(w->w[TRM__DOWN].at),
                          w->w[TRM__DOWN].ld, inv, b, m.L, m.D, m.FL, (float)m.eps, c->stream);
  }
  return c->fused_mixer;
}
template <class T>
static bool fused_backward(CudaBackend *c, const BlockWeights *w, int b, const T *x, const T *y,
                           T *dh, const Gated<T> &g) {
  if constexpr (std::is_same<T, bf16>::value) {
    const trm__dims &m = c->base.dims;
    if (c->fused_mixer)
      mixer_fused_backward(x, y, g.inv, static_cast<const bf16 *>(w->w[TRM__GATE_UP].at),
                           w->w[TRM__GATE_UP].ld, static_cast<const bf16 *>(w->w[TRM__DOWN].at),
                           w->w[TRM__DOWN].ld, dh, g.out, g.xt, g.act, g.gu, b, m.L, m.D, m.FL,
                           c->stream);
  }
  return c->fused_mixer;
}

template <class T>
static void mixer_block(CudaBackend *c, const BlockWeights *w, int b, const T *x, T *y,
                        Taker *saved, Taker *shared) {
  const trm__dims &m = c->base.dims;
  const int64_t N = (int64_t)b * m.D;
  const Gated<T> g = mixer_memory<T>(c, b, saved, shared, false);
  if (fused_forward(c, w, b, x, y, g.inv)) return;
  to_columns(x, g.xt, b, m.L, m.D, c->stream);
  weight_times(c, N, 2 * m.FL, m.L, w->w[TRM__GATE_UP].at, w->w[TRM__GATE_UP].ld, g.xt, g.gu);
  swiglu(g.gu, g.act, m.FL, N, N, m.FL * N, c->stream);
  weight_times(c, N, m.L, m.FL, w->w[TRM__DOWN].at, w->w[TRM__DOWN].ld, g.act, g.out);
  norm_columns(x, g.out, y, g.inv, b, m.L, m.D, (float)m.eps, c->stream);
}

template <class T>
static void mixer_block_grad(CudaBackend *c, const BlockWeights *w, int b, const T *x, const T *y,
                             T *dh, real *const *dw, bool accumulate, Taker *saved, Taker *shared) {
  const trm__dims &m = c->base.dims;
  const int64_t N = (int64_t)b * m.D;
  const Gated<T> g = mixer_memory<T>(c, b, saved, shared, true);
  const bool fused = fused_backward(c, w, b, x, y, dh, g);
  if (!fused) {
    norm_columns_grad(y, g.inv, dh, g.out, b, m.L, m.D, c->stream);
    weight_times_back<T>(c, N, m.L, m.FL, w->w[TRM__DOWN].at, w->w[TRM__DOWN].ld, g.out, NULL,
                         g.act);
    swiglu_grad(g.gu, g.act, m.FL, N, N, m.FL * N, c->stream);
    to_columns(x, g.xt, b, m.L, m.D, c->stream);
  }
  column_grad(c, N, m.L, m.FL, g.out, g.act, dw[TRM__DOWN], accumulate);
  column_grad(c, N, 2 * m.FL, m.L, g.gu, g.xt, dw[TRM__GATE_UP], accumulate);
  if (fused) return;
  weight_times_back(c, N, 2 * m.FL, m.L, w->w[TRM__GATE_UP].at, w->w[TRM__GATE_UP].ld, g.gu, g.out,
                    g.out);
  from_columns(g.out, dh, b, m.L, m.D, c->stream);
}

/* --- what warp groups read (hopper/) --------------------------------------------------------- */

/* Values of either pass; 0: none. */
struct PackedSizes {
  int64_t forward, backward;
};

static PackedSizes mlp_packed(const CudaBackend *c) {
  const trm__dims &m = c->base.dims;
  if (!c->gated) return {0, 0};
  return {gated_size(2 * (int64_t)m.F, m.D), gated_size(m.F, m.D)};
}
static void mlp_pack(CudaBackend *c, const BlockWeights *w, const trm__block *blk,
                     const real *params) {
  const trm__dims &m = c->base.dims;
  if (w->packed_forward)
    gated_pack_in(params + blk->w[TRM__GATE_UP].at, w->packed_forward, m.D, m.F, c->stream);
  if (w->packed_backward)
    gated_pack_out(params + blk->w[TRM__DOWN].at, w->packed_backward, m.D, m.F, c->stream);
}

static PackedSizes mixer_packed(const CudaBackend *c) {
  const trm__dims &m = c->base.dims;
  return {c->mixer_groups ? mixer_groups_size(m.L, m.FL) : 0, 0};
}
static void mixer_pack(CudaBackend *c, const BlockWeights *w, const trm__block *blk,
                       const real *params) {
  const trm__dims &m = c->base.dims;
  if (w->packed_forward)
    mixer_groups_pack(params + blk->w[TRM__GATE_UP].at, params + blk->w[TRM__DOWN].at,
                      w->packed_forward, m.L, m.FL, c->stream);
}

/* --- by kind --------------------------------------------------------------------------------- */

/* One row per kind and number format. */
template <class T>
struct Kind {
  /* Takes what a tile of b rows needs. */
  void (*memory)(const CudaBackend *, int b, Taker *saved, Taker *shared, bool backward);
  void (*forward)(CudaBackend *, const BlockWeights *, int, const T *, T *, Taker *, Taker *);
  void (*backward)(CudaBackend *, const BlockWeights *, int, const T *, const T *, T *,
                   real *const *, bool, Taker *, Taker *);
  /* What is packed beside the weights as rows; NULL: nothing. */
  PackedSizes (*packed)(const CudaBackend *);
  void (*pack)(CudaBackend *, const BlockWeights *, const trm__block *, const real *params);
};

template <class T>
static void attention_takes(const CudaBackend *c, int b, Taker *saved, Taker *shared, bool back) {
  attention_memory<T>(c, b, saved, shared, back);
}
template <class T>
static void mixer_takes(const CudaBackend *c, int b, Taker *saved, Taker *shared, bool back) {
  mixer_memory<T>(c, b, saved, shared, back);
}
template <class T>
static void mlp_takes(const CudaBackend *c, int b, Taker *saved, Taker *shared, bool back) {
  mlp_memory<T>(c, b, saved, shared, back);
}

template <class T>
static const Kind<T> &kind_of(trm__block_kind kind) {
  static const Kind<T> kinds[TRM__BLOCK_KINDS] = {
      {attention_takes<T>, attention_block<T>, attention_block_grad<T>, NULL, NULL},
      {mixer_takes<T>, mixer_block<T>, mixer_block_grad<T>, mixer_packed, mixer_pack},
      {mlp_takes<T>, mlp_block<T>, mlp_block_grad<T>, mlp_packed, mlp_pack}};
  return kinds[kind];
}

bool block_known(trm__block_kind kind) {
  return kind_of<float>(kind).forward != NULL;
}

static void count(const CudaBackend *c, trm__block_kind kind, int b, Taker *saved, Taker *shared,
                  bool backward) {
  const auto memory = is_bf16(&c->base) ? kind_of<bf16>(kind).memory : kind_of<float>(kind).memory;
  memory(c, b, saved, shared, backward);
}
/* For a tile of one row: what larger tiles need is at most as much per row. */
int64_t block_saved(const CudaBackend *c, trm__block_kind kind) {
  Taker saved = {}, shared = {};
  count(c, kind, 1, &saved, &shared, false);
  return reals(saved.bytes);
}
int64_t block_shared(const CudaBackend *c, trm__block_kind kind, int b, bool training) {
  Taker forward = {}, saved = {}, backward = {};
  count(c, kind, b, &forward, &forward, false); /* all of it, when nothing is kept */
  if (training) count(c, kind, b, &saved, &backward, true);
  return reals(forward.bytes > backward.bytes ? forward.bytes : backward.bytes);
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

static Taker taker(real *memory) {
  return {reinterpret_cast<unsigned char *>(memory), 0};
}

template <class T>
static void forward(CudaBackend *c, const trm__block *blk, int b, const real *x, real *y,
                    real *saved, real *shared) {
  const BlockWeights *w = &c->weights[blk - c->base.blocks];
  Taker kept = taker(saved), own = taker(shared);
  kind_of<T>(blk->kind).forward(c, w, b, reinterpret_cast<const T *>(x), reinterpret_cast<T *>(y),
                                saved ? &kept : &own, &own);
}
void block_forward(CudaBackend *c, const trm__block *blk, int b, const real *x, real *y,
                   real *saved, real *shared) {
  (is_bf16(&c->base) ? forward<bf16> : forward<float>)(c, blk, b, x, y, saved, shared);
}

template <class T>
static void backward(CudaBackend *c, const trm__block *blk, int b, const real *x, const real *y,
                     real *saved, real *dh, real *const *dw, bool accumulate, real *shared) {
  const BlockWeights *w = &c->weights[blk - c->base.blocks];
  Taker kept = taker(saved), own = taker(shared);
  kind_of<T>(blk->kind).backward(c, w, b, reinterpret_cast<const T *>(x),
                                 reinterpret_cast<const T *>(y), reinterpret_cast<T *>(dh), dw,
                                 accumulate, &kept, &own);
}
void block_backward(CudaBackend *c, const trm__block *blk, int b, const real *x, const real *y,
                    real *saved, real *dh, real *const *dw, bool accumulate, real *shared) {
  (is_bf16(&c->base) ? backward<bf16> : backward<float>)(c, blk, b, x, y, saved, dh, dw, accumulate,
                                                         shared);
}
