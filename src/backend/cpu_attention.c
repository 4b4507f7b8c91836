/* Self-attention: y = norm(x + W_o softmax(q k^T / sqrt(d)) v), no mask, H heads of d = D / H.
 *
 * Forward   [q k v] = x W_qkv^T, rotary positions on q and k      saved: q k v [R, 3D] (rotated),
 *           o = softmax(q k^T / sqrt(d)) v per head               o [R, D], lse [H, R], inv [R]
 *           y = norm(x + o W_o^T)                                 8 R D^2 + 4 R L D FLOPs
 *           with qk_norm q and k of each head are divided by their root mean square before they are
 *           rotated (saved: qk_inv [R, 2H]), with attn_out_norm o is, over D (saved: o as it then
 *           is, out_inv [R])
 * Backward  ds = norm'(dy), do = ds W_o, delta = rowsum(do * o)
 *           p recomputed from q, k, lse; dv = p^T do; dt = p * (do v^T - delta) / sqrt(d);
 *           dq = dt k, dk = dt^T q; behind norms norm'(do), norm'(dq), norm'(dk); rotation undone
 *           dx = ds + [dq dk dv] W_qkv, dW_qkv = [dq dk dv]^T x, dW_o = ds^T o
 * A head of one row is one item of work; its queries go in blocks of CPU_ROWS, so the [L, L] scores
 * never exist as a whole. Of rows that end in padding L is what they have before it: behind it o
 * and [dq dk dv] are 0, so that it is neither seen nor has a gradient. */
#include "backend/cpu.h"

#include <math.h>
#include <string.h>

static unsigned attention_packing(const trm__block *blk, int i) {
  (void)blk;
  (void)i;
  return CPU_AS_B;
}

/* What one pass works in. */
typedef struct attention_memory {
  real *qkv, *o, *lse, *inv; /* kept for the backward pass; inv NULL: they are not */
  real *qk_inv, *out_inv; /* the same: with qk_norm of q and k of all heads; with attn_out_norm */
  real *ds, *d_o, *dqkv, *delta, *shared; /* the team's, backward; delta [H, R] */
  /* The member's, one group after the other in the same place: rows times a weight, a head, the
   * gradient of a weight. */
  real *rows, *out;
  real *kt, *v, *vt, *k; /* k^T, v, v^T and k of a head as operands B */
  real *s, *dt;          /* [CPU_ROWS, L]: scores, then p; dp, then dt */
  /* Operands of a part of the queries: A along d or L, A of L rows, B. */
  real *part_a, *columns, *part_b;
  real *grad;
  const int32_t *places; /* the workspace's */
} attention_memory;

static attention_memory carve(const cpu_backend *c, int b, bool backward, cpu_memory memory) {
  const trm__dims *dims = &c->base.dims;
  const trm__product *p = c->product;
  const int L = dims->L, D = dims->D, d = dims->d;
  const int64_t R = (int64_t)b * L;
  attention_memory own = {.places = memory.places};

  /* Kept; the team's own where nothing is. */
  own.qkv = cpu_carve(memory.saved, R * 3 * D);
  own.o = cpu_carve(memory.saved, R * D);
  own.lse = cpu_carve(memory.saved, R * dims->H);
  if (memory.saved != memory.shared) {
    own.inv = cpu_carve(memory.saved, R);
    if (dims->qk_norm) own.qk_inv = cpu_carve(memory.saved, R * 2 * dims->H);
    if (dims->attn_out_norm) own.out_inv = cpu_carve(memory.saved, R);
  }

  /* Forward: o W_o^T needs rows and their result; a head its k and v, and the softmax of a part. */
  if (!backward) {
    own.rows = cpu_carve(memory.scratch, CPU_ROWS * (D + p->head));
    own.out = cpu_carve(memory.scratch, CPU_ROWS * D);
    trm__carve_anew(memory.scratch);
    own.kt = cpu_carve(memory.scratch, trm__size_b(p, d, L));
    own.v = cpu_carve(memory.scratch, trm__size_b(p, L, d));
    own.s = cpu_carve(memory.scratch, CPU_ROWS * L);
    own.part_a = cpu_carve(memory.scratch, CPU_ROWS * ((d > L ? d : L) + p->head));
    return own;
  }

  /* Backward: the gradients of all rows. */
  own.ds = cpu_carve(memory.shared, R * D);
  own.d_o = cpu_carve(memory.shared, R * D);
  own.dqkv = cpu_carve(memory.shared, R * 3 * D);
  own.delta = cpu_carve(memory.shared, R * dims->H);
  own.shared = cpu_carve(memory.shared, trm__size_b(p, (int)R, D));

  /* The deepest rows are [dq dk dv]; a head has all that one part of its queries needs. */
  own.rows = cpu_carve(memory.scratch, CPU_ROWS * 3 * D);
  trm__carve_anew(memory.scratch);
  own.kt = cpu_carve(memory.scratch, trm__size_b(p, d, L));
  own.vt = cpu_carve(memory.scratch, trm__size_b(p, d, L));
  own.k = cpu_carve(memory.scratch, trm__size_b(p, L, d));
  own.s = cpu_carve(memory.scratch, CPU_ROWS * L);
  own.dt = cpu_carve(memory.scratch, CPU_ROWS * L);
  own.columns = cpu_carve(memory.scratch, CPU_ROWS * L);
  own.part_b = cpu_carve(memory.scratch, trm__size_b(p, CPU_ROWS, d));
  own.part_a = cpu_carve(memory.scratch, CPU_ROWS * d);
  trm__carve_anew(memory.scratch);
  own.grad = cpu_carve(memory.scratch, cpu_grad_scratch(c, (int)R));
  return own;
}

static void attention_count(const cpu_backend *c, int b, bool backward, cpu_memory memory) {
  (void)carve(c, b, backward, memory);
}

/* Where one head of one row of the tile stands in qkv [R, 3D], o [R, D] and lse [H, R], and how
 * many of its positions are no padding. */
typedef struct head_view {
  int64_t qkv, o, lse;
  int length;
} head_view;
static head_view view_of(const attention_memory *own, const trm__dims *dims, int b, int64_t item) {
  int64_t row = item / dims->H, h = item % dims->H, R = (int64_t)b * dims->L;
  return (head_view){row * dims->L * 3 * dims->D + h * dims->d,
                     row * dims->L * dims->D + h * dims->d, h * R + row * dims->L,
                     trm__row_length(dims, own->places, row)};
}
/* x [L, d] of stride ld is 0 in the padding of a head. */
static void clear_padding(const trm__dims *dims, head_view at, real *x, int64_t ld) {
  for (int64_t r = at.length; r < dims->L; r++) memset(x + r * ld, 0, (size_t)dims->d * sizeof *x);
}

/* --- forward --------------------------------------------------------------------------------- */

/* o = softmax(q k^T / sqrt(d)) v for one head. */
static void head_forward(const cpu_backend *c, const attention_memory *own, head_view at) {
  const trm__dims *dims = &c->base.dims;
  const trm__product *p = c->product;
  const int L = at.length, D = dims->D, d = dims->d, deep = trm__units(p, d),
            wide = trm__units(p, L);
  const real *qkv = own->qkv + at.qkv;
  const real scale = (real)(1 / sqrt((double)d));
  int64_t lda;

  /* k^T and v meet every query: operands B, once per head. */
  p->to_b(d, L, qkv + D, 1, 3 * D, own->kt);
  p->to_b(L, d, qkv + 2 * D, 3 * D, 1, own->v);

  const int part = (int)cpu_part(p, L);
  for (int r = 0; r < L; r += part) {
    const int rows = cpu_min(part, L - r);
    real *o = own->o + at.o + (int64_t)r * D, inverse[CPU_ROWS];

    /* s = q k^T */
    const real *q = cpu_a(p, rows, d, qkv + (int64_t)r * 3 * D, 3 * D, own->part_a, &lda);
    p->gemm(rows, L, deep, q, lda, own->kt, (ptrdiff_t)deep * p->nr, own->s, L, TRM__SET);

    /* o = (e v) / rowsum(e) with e = exp(s / sqrt(d) - rowmax): d values are divided, not L. */
    p->softmax_a(rows, L, own->s, L, scale, own->part_a, wide, own->lse + at.lse + r, inverse);
    p->gemm(rows, d, wide, own->part_a, wide, own->v, (ptrdiff_t)wide * p->nr, o, D, TRM__SET);
    c->kernels->scale_rows(rows, d, o, D, inverse);
  }
  clear_padding(dims, at, own->o + at.o, D);
}

/* Rotary positions on the heads of q and k, rows [lo, hi); sign -1 undoes them. */
static void rotate(const cpu_backend *c, const attention_memory *own, int64_t lo, int64_t hi,
                   real *qkv, real sign) {
  const trm__dims *dims = &c->base.dims;
  int half = dims->d / 2;
  if (!dims->rope) return;
  for (int64_t r = lo; r < hi; r++) {
    const int64_t t = trm__grid_position(dims, own->places, r / dims->L, (int)(r % dims->L));
    if (t < 0) continue;
    c->kernels->rope(2 * dims->H, dims->d, qkv + r * 3 * dims->D, c->rope_cos + t * half,
                     c->rope_sin + t * half, sign);
  }
}

/* The norms of the heads of q and k, rows [lo, hi), and from dq and dk behind them those before.
 * A rotation keeps products and lengths: it does not matter that q and k are rotated by then. */
static void norm_heads(const cpu_backend *c, const attention_memory *own, int64_t lo, int64_t hi) {
  const trm__dims *dims = &c->base.dims;
  const int heads = 2 * dims->H, d = dims->d;
  for (int64_t r = lo; r < hi && dims->qk_norm; r++)
    c->kernels->rms_rows(heads, d, own->qkv + r * 3 * dims->D, d, (real)dims->inner_eps,
                         own->qk_inv ? own->qk_inv + r * heads : NULL);
}
static void norm_heads_grad(const cpu_backend *c, const attention_memory *own, int64_t lo,
                            int64_t hi) {
  const trm__dims *dims = &c->base.dims;
  const int heads = 2 * dims->H, d = dims->d;
  for (int64_t r = lo; r < hi && dims->qk_norm; r++) {
    real *dqk = own->dqkv + r * 3 * dims->D;
    c->kernels->rms_rows_grad(heads, d, own->qkv + r * 3 * dims->D, d, own->qk_inv + r * heads, dqk,
                              d, dqk, d);
  }
}

static void attention_forward(trm__backend *be, trm__lane *lane, const trm__block *blk, int b,
                              const real *x, real *y, cpu_memory memory) {
  const cpu_backend *c = cpu_of(be);
  const trm__dims *dims = &be->dims;
  const trm__product *p = c->product;
  const cpu_packed *w = cpu_packed_of(be, blk);
  const attention_memory own = carve(c, b, false, memory);
  const int D = dims->D, units = trm__units(p, D);
  const int64_t R = (int64_t)b * dims->L;
  int64_t lo, hi, first, last, lda;

  /* [q k v] = x W_qkv^T, rows among the members; q and k normed and rotated. */
  trm__lane_share(lane, R, 1, &lo, &hi);
  trm__cpu_rows(c, c->product, lo, hi, 3 * D, D, x, D, w->fwd[TRM__QKV], own.qkv, 3 * D, false,
                own.rows);
  norm_heads(c, &own, lo, hi);
  rotate(c, &own, lo, hi, own.qkv, 1);
  trm__lane_barrier(lane);

  /* o, heads of all rows among the members. */
  trm__lane_share(lane, (int64_t)b * dims->H, 1, &first, &last);
  for (int64_t i = first; i < last; i++) head_forward(c, &own, view_of(&own, dims, b, i));
  trm__lane_barrier(lane);

  if (dims->attn_out_norm)
    c->kernels->rms_rows((int)(hi - lo), D, own.o + lo * D, D, (real)dims->inner_eps,
                         own.out_inv ? own.out_inv + lo : NULL);

  /* y = norm(x + o W_o^T), the sum of a part while its product is in the cache. */
  const int64_t part = cpu_part(c->product, hi - lo);
  for (int64_t r = lo; r < hi; r += part) {
    const int rows = (int)(hi - r < part ? hi - r : part);
    const real *a = cpu_a(p, rows, D, own.o + r * D, D, own.rows, &lda);
    p->gemm(rows, D, units, a, lda, w->fwd[TRM__O], (ptrdiff_t)units * p->nr, own.out, D, c->far);
    c->kernels->add_rms_rows(rows, D, x + r * D, D, own.out, D, (real)dims->eps, y + r * D, D,
                             own.inv ? own.inv + r : NULL);
  }
  trm__lane_barrier(lane);
}

/* --- backward -------------------------------------------------------------------------------- */

/* out [rows, L] = x B for a part of the queries: x [rows, d] of stride ld, B of L columns. */
static void along_head(const cpu_backend *c, const attention_memory *own, int rows, int L,
                       const real *x, int64_t ld, const real *packed, real *out) {
  const trm__product *p = c->product;
  const int d = c->base.dims.d, deep = trm__units(p, d);
  int64_t lda;
  const real *a = cpu_a(p, rows, d, x, ld, own->part_a, &lda);
  p->gemm(rows, L, deep, a, lda, packed, (ptrdiff_t)deep * p->nr, out, L, TRM__SET);
}

/* out [L, d], stride 3D, = or += t^T x: what a part of the queries, t [rows, L] and x [rows, d] of
 * stride ld, gives to all keys. */
static void across_queries(const cpu_backend *c, const attention_memory *own, int rows, int L,
                           const real *t, const real *x, int64_t ld, real *out, int mode) {
  const trm__product *p = c->product;
  const trm__dims *dims = &c->base.dims;
  const int across = trm__units(p, rows);
  p->to_a(L, rows, t, 1, L, own->columns, across);
  p->to_b(rows, dims->d, x, ld, 1, own->part_b);
  p->gemm(L, dims->d, across, own->columns, across, own->part_b, (ptrdiff_t)across * p->nr, out,
          3 * dims->D, mode);
}

/* dqkv of one head from its do and delta. */
static void head_backward(const cpu_backend *c, const attention_memory *own, head_view at) {
  const trm__dims *dims = &c->base.dims;
  const trm__product *p = c->product;
  const int L = at.length, D = dims->D, d = dims->d, wide = trm__units(p, L);
  const real *qkv = own->qkv + at.qkv;
  const real scale = (real)(1 / sqrt((double)d));
  int64_t lda;

  /* k^T, v^T and k meet every query: operands B, once per head. */
  p->to_b(d, L, qkv + D, 1, 3 * D, own->kt);
  p->to_b(d, L, qkv + 2 * D, 1, 3 * D, own->vt);
  p->to_b(L, d, qkv + D, 3 * D, 1, own->k);

  const int part = (int)cpu_part(p, L);
  for (int r = 0; r < L; r += part) {
    const int rows = cpu_min(part, L - r), mode = r > 0 ? TRM__ADD : TRM__SET;
    const real *q = qkv + (int64_t)r * 3 * D, *d_o = own->d_o + at.o + (int64_t)r * D;
    real *dqkv = own->dqkv + at.qkv;

    /* s = q k^T, dp = do v^T */
    along_head(c, own, rows, L, q, 3 * D, own->kt, own->s);
    along_head(c, own, rows, L, d_o, D, own->vt, own->dt);

    /* s <- p = exp(s / sqrt(d)) / 2^lse; dp <- dt = p * (dp - delta) / sqrt(d), where delta is
     * rowsum(dp * p) = rowsum(do * o) */
    c->kernels->softmax_grad(rows, L, own->s, L, scale, own->lse + at.lse + r, own->dt, L,
                             own->delta + at.lse + r);

    /* dq = dt k, complete; dk += dt^T q, dv += p^T do */
    const real *dt = cpu_a(p, rows, L, own->dt, L, own->columns, &lda);
    p->gemm(rows, d, wide, dt, lda, own->k, (ptrdiff_t)wide * p->nr, dqkv + (int64_t)r * 3 * D,
            3 * D, TRM__SET);
    across_queries(c, own, rows, L, own->dt, q, 3 * D, dqkv + D, mode);
    across_queries(c, own, rows, L, own->s, d_o, D, dqkv + 2 * D, mode);
  }
  for (int part_of = 0; part_of < 3; part_of++)
    clear_padding(dims, at, own->dqkv + at.qkv + (int64_t)part_of * D, 3 * D);
}

static void attention_backward(trm__backend *be, trm__lane *lane, const trm__block *blk, int b,
                               const real *x, const real *y, real *dh, real *const *dw,
                               bool accumulate, cpu_memory memory) {
  const cpu_backend *c = cpu_of(be);
  const trm__dims *dims = &be->dims;
  const trm__kernels *kernels = c->kernels;
  const cpu_packed *w = cpu_packed_of(be, blk);
  const attention_memory own = carve(c, b, true, memory);
  const int D = dims->D, d = dims->d;
  const int64_t R = (int64_t)b * dims->L;
  int64_t lo, hi, first, last;

  /* ds = norm'(dy), which is also the first part of dx; do = ds W_o. */
  trm__lane_share(lane, R, 1, &lo, &hi);
  const int rows = (int)(hi - lo);
  kernels->rms_rows_grad(rows, D, y + lo * D, D, own.inv + lo, dh + lo * D, D, own.ds + lo * D, D);
  memcpy(dh + lo * D, own.ds + lo * D, (size_t)rows * (size_t)D * sizeof *dh);
  trm__cpu_rows(c, c->product, lo, hi, D, D, own.ds, D, w->bwd[TRM__O], own.d_o, D, false,
                own.rows);

  if (dims->attn_out_norm)
    kernels->rms_rows_grad(rows, D, own.o + lo * D, D, own.out_inv + lo, own.d_o + lo * D, D,
                           own.d_o + lo * D, D);

  /* delta = rowsum(do * o) of each head, o as it is before a norm. */
  for (int h = 0; h < dims->H; h++) {
    real *delta = own.delta + h * R;
    kernels->dot_rows(rows, d, own.d_o + lo * D + h * d, D, own.o + lo * D + h * d, D, delta + lo);
    for (int64_t r = lo; r < hi && dims->attn_out_norm; r++) delta[r] /= own.out_inv[r];
  }
  trm__lane_barrier(lane);

  /* [dq dk dv], heads of all rows among the members. */
  trm__lane_share(lane, (int64_t)b * dims->H, 1, &first, &last);
  for (int64_t i = first; i < last; i++) head_backward(c, &own, view_of(&own, dims, b, i));
  trm__lane_barrier(lane);

  /* Before norm and rotation; dx += [dq dk dv] W_qkv. */
  norm_heads_grad(c, &own, lo, hi);
  rotate(c, &own, lo, hi, own.dqkv, -1);
  trm__cpu_rows(c, c->product, lo, hi, D, 3 * D, own.dqkv, 3 * D, w->bwd[TRM__QKV], dh, D, true,
                own.rows);

  /* dW_o = ds^T o, dW_qkv = [dq dk dv]^T x */
  trm__cpu_weight_grad(c, lane, D, D, (int)R, 1, cpu_across(own.ds, D), cpu_across(own.o, D),
                       dw[TRM__O], accumulate, own.shared, own.grad);
  trm__cpu_weight_grad(c, lane, 3 * D, D, (int)R, 1, cpu_across(own.dqkv, 3 * D), cpu_across(x, D),
                       dw[TRM__QKV], accumulate, own.shared, own.grad);
  trm__lane_barrier(lane);
}

const cpu_block_kind trm__cpu_attention = {
    .packing = attention_packing,
    .count = attention_count,
    .forward = attention_forward,
    .backward = attention_backward,
};
