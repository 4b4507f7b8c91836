/* Self-attention: y = norm(x + W_o softmax(q k^T / sqrt(d)) v), no mask, H heads of d = D / H.
 *
 * Forward   [q k v] = x W_qkv^T, rotary positions on q and k      saved: q k v [R, 3D] (rotated),
 *           o = softmax(q k^T / sqrt(d)) v per head               o [R, D], lse [H, R], inv [R]
 *           y = norm(x + o W_o^T)                                 8 R D^2 + 4 R L D FLOPs
 * Backward  ds = norm'(dy), do = ds W_o, delta = rowsum(do * o)
 *           p recomputed from q, k, lse; dv = p^T do; dt = p * (do v^T - delta) / sqrt(d);
 *           dq = dt k, dk = dt^T q; rotation undone
 *           dx = ds + [dq dk dv] W_qkv, dW_qkv = [dq dk dv]^T x, dW_o = ds^T o
 * A head of one row is one item of work; its queries go in blocks of CPU_ROWS, so the [L, L] scores
 * never exist as a whole. */
#include "backend/cpu.h"

#include <math.h>
#include <string.h>

static unsigned attention_packing(const trm__block *blk, int i) {
  (void)blk;
  (void)i;
  return CPU_AS_B;
}
static int64_t attention_saved(const trm__dims *m, const trm__product *p) {
  (void)p;
  return (int64_t)m->L * (4 * m->D + m->H + 1);
}

/* Team, forward without saving: qkv, o, lse. Backward: ds, do, dqkv, an operand of a weight
 * gradient, delta [H, R]. */
static int64_t attention_shared(const cpu_backend *c, int b, bool training) {
  const trm__dims *m = &c->base.dims;
  int64_t R = (int64_t)b * m->L;
  int64_t forward = R * (4 * m->D + m->H);
  int64_t backward = R * (5 * m->D + m->H) + trm__size_b(c->p, (int)R, m->D);
  return training && backward > forward ? backward : forward;
}
static int64_t attention_scratch(const cpu_backend *c, int b, bool training) {
  const trm__dims *m = &c->base.dims;
  const trm__product *p = c->p;
  int64_t keys = trm__size_b(p, m->d, m->L), values = trm__size_b(p, m->L, m->d);
  int64_t rows = CPU_ROWS * 2 * (int64_t)m->D;
  int64_t forward = keys + values + CPU_ROWS * (m->d + 2 * (int64_t)m->L);
  int64_t backward =
      2 * keys + values + CPU_ROWS * ((int64_t)m->d + 3 * m->L) + trm__size_b(p, CPU_ROWS, m->d);
  int64_t most = forward > rows ? forward : rows;
  int64_t grad = cpu_grad_scratch(c, b * m->L);
  int64_t back = CPU_ROWS * 3 * (int64_t)m->D;
  if (!training) return most;
  if (backward > most) most = backward;
  if (back > most) most = back;
  return grad > most ? grad : most;
}

/* Where one head of one row of the tile stands in qkv [R, 3D] and o [R, D]. */
typedef struct head_view {
  int64_t qkv, o, lse;
} head_view;
static head_view view_of(const trm__dims *m, int b, int64_t item) {
  int64_t row = item / m->H, h = item % m->H, R = (int64_t)b * m->L;
  return (head_view){row * m->L * 3 * m->D + h * m->d, row * m->L * m->D + h * m->d,
                     h * R + row * m->L};
}

/* o = softmax(q k^T / sqrt(d)) v for one head. */
static void head_forward(const cpu_backend *c, const real *qkv, real *o, real *lse, real *scratch) {
  const trm__dims *m = &c->base.dims;
  const trm__product *p = c->p;
  const int L = m->L, D = m->D, d = m->d, deep = trm__units(p, d), wide = trm__units(p, L);
  const int part = (int)cpu_part(L, CPU_ROWS);
  real scale = (real)(1 / sqrt((double)d));
  real *keys = scratch, *values = keys + trm__size_b(p, d, L), *s = values + trm__size_b(p, L, d);
  real *own = s + (int64_t)CPU_ROWS * L, inverse[CPU_ROWS];
  int64_t lda;
  p->to_b(d, L, qkv + D, 1, 3 * D, keys);
  p->to_b(L, d, qkv + 2 * D, 3 * D, 1, values);
  for (int r = 0; r < L; r += part) {
    int rows = cpu_min(part, L - r);
    const real *q = cpu_a(p, rows, d, qkv + (int64_t)r * 3 * D, 3 * D, own, &lda);
    p->gemm(rows, L, deep, q, lda, keys, (ptrdiff_t)deep * p->nr, s, L, TRM__SET);
    p->softmax_a(rows, L, s, L, scale, own, wide, lse + r, inverse);
    p->gemm(rows, d, wide, own, wide, values, (ptrdiff_t)wide * p->nr, o + (int64_t)r * D, D,
            TRM__SET);
    c->k->scale_rows(rows, d, o + (int64_t)r * D, D, inverse);
  }
}

static void rotate(const cpu_backend *c, int64_t lo, int64_t hi, real *qkv, real sign) {
  const trm__dims *m = &c->base.dims;
  int half = m->d / 2;
  if (!m->rope) return;
  for (int64_t r = lo; r < hi; r++) {
    int64_t t = r % m->L;
    c->k->rope(2 * m->H, m->d, qkv + r * 3 * m->D, c->rope_cos + t * half, c->rope_sin + t * half,
               sign);
  }
}

static void attention_forward(trm__backend *be, trm__workspace *ws, const trm__block *blk, int b,
                              const real *x, real *y, real *saved) {
  const cpu_backend *c = cpu_of(be);
  const trm__dims *m = &be->dims;
  const cpu_packed *w = cpu_packed_of(be, blk);
  int D = m->D;
  int64_t R = (int64_t)b * m->L, lo, hi, first, last;
  real *qkv = saved ? saved : ws->shared, *o = qkv + R * 3 * D, *lse = o + R * D;
  real *inv = saved ? lse + R * m->H : NULL;
  trm__lane_share(ws->lane, R, 1, &lo, &hi);
  trm__cpu_rows(c, lo, hi, 3 * D, D, x, D, w->fwd[TRM__QKV], qkv, 3 * D, false, ws->scratch);
  rotate(c, lo, hi, qkv, 1);
  trm__lane_barrier(ws->lane);
  trm__lane_share(ws->lane, (int64_t)b * m->H, 1, &first, &last);
  for (int64_t i = first; i < last; i++) {
    head_view v = view_of(m, b, i);
    head_forward(c, qkv + v.qkv, o + v.o, lse + v.lse, ws->scratch);
  }
  trm__lane_barrier(ws->lane);
  const int units = trm__units(c->p, D);
  int64_t part = cpu_part(hi - lo, CPU_ROWS), lda;
  real *out = ws->scratch + CPU_ROWS * D;
  for (int64_t r = lo; r < hi; r += part) {
    int rows = (int)(hi - r < part ? hi - r : part);
    const real *a = cpu_a(c->p, rows, D, o + r * D, D, ws->scratch, &lda);
    c->p->gemm(rows, D, units, a, lda, w->fwd[TRM__O], (ptrdiff_t)units * c->p->nr, out, D, c->far);
    c->k->add_rms_rows(rows, D, x + r * D, D, out, D, (real)m->eps, y + r * D, D,
                       inv ? inv + r : NULL);
  }
  trm__lane_barrier(ws->lane);
}

/* dqkv of one head from its do and delta. */
static void head_backward(const cpu_backend *c, const real *qkv, const real *lse, const real *d_o,
                          const real *delta, real *dqkv, real *scratch) {
  const trm__dims *m = &c->base.dims;
  const trm__product *p = c->p;
  const int L = m->L, D = m->D, d = m->d, deep = trm__units(p, d), wide = trm__units(p, L);
  const int part = (int)cpu_part(L, CPU_ROWS);
  const ptrdiff_t keys_ps = (ptrdiff_t)deep * p->nr;
  real scale = (real)(1 / sqrt((double)d));
  real *kt = scratch, *vt = kt + trm__size_b(p, d, L), *keys = vt + trm__size_b(p, d, L);
  real *s = keys + trm__size_b(p, L, d), *dt = s + (int64_t)CPU_ROWS * L;
  real *columns = dt + (int64_t)CPU_ROWS * L; /* A of L rows and part depth, or of rows x L */
  real *bp = columns + (int64_t)CPU_ROWS * L, *own = bp + trm__size_b(p, CPU_ROWS, d);
  int64_t lda;
  p->to_b(d, L, qkv + D, 1, 3 * D, kt);
  p->to_b(d, L, qkv + 2 * D, 1, 3 * D, vt);
  p->to_b(L, d, qkv + D, 3 * D, 1, keys);
  for (int r = 0; r < L; r += part) {
    const int rows = cpu_min(part, L - r), across = trm__units(p, rows);
    const ptrdiff_t across_ps = (ptrdiff_t)across * p->nr;
    const real *q = qkv + (int64_t)r * 3 * D, *dor = d_o + (int64_t)r * D;
    const real *a = cpu_a(p, rows, d, q, 3 * D, own, &lda);
    p->gemm(rows, L, deep, a, lda, kt, keys_ps, s, L, TRM__SET);
    a = cpu_a(p, rows, d, dor, D, own, &lda);
    p->gemm(rows, L, deep, a, lda, vt, keys_ps, dt, L, TRM__SET);
    c->k->softmax_grad(rows, L, s, L, scale, lse + r, dt, L, delta + r);
    a = cpu_a(p, rows, L, dt, L, columns, &lda);
    p->gemm(rows, d, wide, a, lda, keys, (ptrdiff_t)wide * p->nr, dqkv + (int64_t)r * 3 * D, 3 * D,
            TRM__SET);
    p->to_a(L, rows, dt, 1, L, columns, across);
    p->to_b(rows, d, q, 3 * D, 1, bp);
    p->gemm(L, d, across, columns, across, bp, across_ps, dqkv + D, 3 * D,
            r > 0 ? TRM__ADD : TRM__SET);
    p->to_a(L, rows, s, 1, L, columns, across);
    p->to_b(rows, d, dor, D, 1, bp);
    p->gemm(L, d, across, columns, across, bp, across_ps, dqkv + 2 * D, 3 * D,
            r > 0 ? TRM__ADD : TRM__SET);
  }
}

static void attention_backward(trm__backend *be, trm__workspace *ws, const trm__block *blk, int b,
                               const real *x, const real *y, real *saved, real *dh, real *const *dw,
                               bool accumulate) {
  const cpu_backend *c = cpu_of(be);
  const trm__dims *m = &be->dims;
  const cpu_packed *w = cpu_packed_of(be, blk);
  const trm__kernels *k = c->k;
  int D = m->D;
  int64_t R = (int64_t)b * m->L, lo, hi, first, last;
  const real *qkv = saved, *o = qkv + R * 3 * D, *lse = o + R * D, *inv = lse + R * m->H;
  real *ds = ws->shared, *d_o = ds + R * D, *dqkv = d_o + R * D, *packed = dqkv + R * 3 * D;
  real *delta = packed + trm__size_b(c->p, (int)R, D);
  trm__lane_share(ws->lane, R, 1, &lo, &hi);
  k->rms_rows_grad((int)(hi - lo), D, y + lo * D, D, inv + lo, dh + lo * D, D, ds + lo * D, D);
  memcpy(dh + lo * D, ds + lo * D, (size_t)(hi - lo) * (size_t)D * sizeof *dh);
  trm__cpu_rows(c, lo, hi, D, D, ds, D, w->bwd[TRM__O], d_o, D, false, ws->scratch);
  for (int h = 0; h < m->H; h++)
    k->dot_rows((int)(hi - lo), m->d, d_o + lo * D + h * m->d, D, o + lo * D + h * m->d, D,
                delta + h * R + lo);
  trm__lane_barrier(ws->lane);
  trm__lane_share(ws->lane, (int64_t)b * m->H, 1, &first, &last);
  for (int64_t i = first; i < last; i++) {
    head_view v = view_of(m, b, i);
    head_backward(c, qkv + v.qkv, lse + v.lse, d_o + v.o, delta + v.lse, dqkv + v.qkv, ws->scratch);
  }
  trm__lane_barrier(ws->lane);
  rotate(c, lo, hi, dqkv, -1);
  trm__cpu_rows(c, lo, hi, D, 3 * D, dqkv, 3 * D, w->bwd[TRM__QKV], dh, D, true, ws->scratch);
  trm__cpu_weight_grad(c, ws, D, D, (int)R, 1, (cpu_operand){CPU_ACROSS, ds, D, 0, 0, 0},
                       (cpu_operand){CPU_ACROSS, o, D, 0, 0, 0}, dw[TRM__O], accumulate, packed,
                       ws->scratch);
  trm__cpu_weight_grad(c, ws, 3 * D, D, (int)R, 1, (cpu_operand){CPU_ACROSS, dqkv, 3 * D, 0, 0, 0},
                       (cpu_operand){CPU_ACROSS, x, D, 0, 0, 0}, dw[TRM__QKV], accumulate, packed,
                       ws->scratch);
  trm__lane_barrier(ws->lane);
}

const cpu_block_kind trm__cpu_attention = {
    .packing = attention_packing,
    .saved = attention_saved,
    .shared = attention_shared,
    .scratch = attention_scratch,
    .forward = attention_forward,
    .backward = attention_backward,
};
