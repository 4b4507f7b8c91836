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

static void attention_weights(const trm__dims *m, int *o1, int *i1, int *o2, int *i2) {
  *o1 = 3 * m->D;
  *i1 = *o2 = *i2 = m->D;
}
static int64_t attention_saved(const trm__dims *m) {
  return (int64_t)m->L * (4 * m->D + m->H + 1);
}

/* Team, forward without saving: qkv, o, lse. Backward: ds, do, dqkv, delta [H, R], and a packed
 * operand. */
static int64_t attention_shared(const cpu_backend *c, int b, bool training) {
  const trm__dims *m = &c->base.dims;
  int64_t R = (int64_t)b * m->L;
  int64_t forward = R * (4 * m->D + m->H);
  int64_t backward = R * (5 * m->D + m->H) + trm__packed_b(c->k, R, m->D);
  return training && backward > forward ? backward : forward;
}
static int64_t attention_scratch(const cpu_backend *c, int b, bool training) {
  const trm__dims *m = &c->base.dims;
  const trm__kernels *k = c->k;
  int64_t keys = trm__packed_b(k, m->d, m->L), values = trm__packed_b(k, m->L, m->d);
  int64_t rows = CPU_ROWS * 2 * (int64_t)m->D;
  int64_t forward = keys + values + CPU_ROWS * (m->d + 2 * (int64_t)m->L);
  int64_t backward = 2 * keys + values + CPU_ROWS * ((int64_t)m->d + 3 * m->L) +
                     trm__packed_a(k, m->L, CPU_ROWS) + trm__packed_b(k, CPU_ROWS, m->d);
  int64_t most = forward > rows ? forward : rows;
  int64_t grad = CPU_ROWS * (int64_t)b * m->L;
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
  const trm__kernels *k = c->k;
  int L = m->L, D = m->D, d = m->d;
  real scale = (real)(1 / sqrt((double)d));
  real *kp = scratch, *vp = kp + trm__packed_b(k, d, L), *qp = vp + trm__packed_b(k, L, d);
  real *s = qp + CPU_ROWS * d, *pp = s + (int64_t)CPU_ROWS * L;
  k->pack_b(d, L, qkv + D, 1, 3 * D, kp);
  k->pack_b(L, d, qkv + 2 * D, 3 * D, 1, vp);
  for (int r = 0; r < L; r += CPU_ROWS) {
    int rows = cpu_min(CPU_ROWS, L - r);
    k->pack_a(rows, d, qkv + (int64_t)r * 3 * D, 3 * D, 1, qp);
    k->gemm(rows, L, d, qp, (ptrdiff_t)d * k->mr, kp, (ptrdiff_t)d * k->nr, s, L, false);
    k->softmax_rows(rows, L, s, L, scale, lse + r);
    k->pack_a(rows, L, s, L, 1, pp);
    k->gemm(rows, d, L, pp, (ptrdiff_t)L * k->mr, vp, (ptrdiff_t)L * k->nr, o + (int64_t)r * D, D,
            false);
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
  const trm__kernels *k = c->k;
  int D = m->D;
  int64_t R = (int64_t)b * m->L, lo, hi, first, last;
  real *qkv = saved ? saved : ws->shared, *o = qkv + R * 3 * D, *lse = o + R * D;
  real *inv = saved ? lse + R * m->H : NULL;
  trm__lane_share(ws->lane, R, CPU_GRAIN, &lo, &hi);
  trm__cpu_rows(c, lo, hi, 3 * D, D, x, D, w->fwd_in, qkv, 3 * D, false, ws->scratch);
  rotate(c, lo, hi, qkv, 1);
  trm__lane_barrier(ws->lane);
  trm__lane_share(ws->lane, (int64_t)b * m->H, 1, &first, &last);
  for (int64_t i = first; i < last; i++) {
    head_view v = view_of(m, b, i);
    head_forward(c, qkv + v.qkv, o + v.o, lse + v.lse, ws->scratch);
  }
  trm__lane_barrier(ws->lane);
  real *op = ws->scratch, *out = op + CPU_ROWS * D;
  for (int64_t r = lo; r < hi; r += CPU_ROWS) {
    int rows = (int)(hi - r < CPU_ROWS ? hi - r : CPU_ROWS);
    k->pack_a(rows, D, o + r * D, D, 1, op);
    k->gemm(rows, D, D, op, (ptrdiff_t)D * k->mr, w->fwd_out, (ptrdiff_t)D * k->nr, out, D, false);
    k->add_rms_rows(rows, D, x + r * D, D, out, D, (real)m->eps, y + r * D, D,
                    inv ? inv + r : NULL);
  }
  trm__lane_barrier(ws->lane);
}

/* dqkv of one head from its do and delta. */
static void head_backward(const cpu_backend *c, const real *qkv, const real *lse, const real *d_o,
                          const real *delta, real *dqkv, real *scratch) {
  const trm__dims *m = &c->base.dims;
  const trm__kernels *k = c->k;
  int L = m->L, D = m->D, d = m->d;
  real scale = (real)(1 / sqrt((double)d));
  real *ktp = scratch, *vtp = ktp + trm__packed_b(k, d, L), *kp = vtp + trm__packed_b(k, d, L);
  real *rp = kp + trm__packed_b(k, L, d), *p = rp + CPU_ROWS * d, *dt = p + (int64_t)CPU_ROWS * L;
  real *dtp = dt + (int64_t)CPU_ROWS * L, *colp = dtp + (int64_t)CPU_ROWS * L;
  real *bp = colp + trm__packed_a(k, L, CPU_ROWS);
  k->pack_b(d, L, qkv + D, 1, 3 * D, ktp);
  k->pack_b(d, L, qkv + 2 * D, 1, 3 * D, vtp);
  k->pack_b(L, d, qkv + D, 3 * D, 1, kp);
  for (int r = 0; r < L; r += CPU_ROWS) {
    int rows = cpu_min(CPU_ROWS, L - r);
    const real *q = qkv + (int64_t)r * 3 * D, *dor = d_o + (int64_t)r * D;
    k->pack_a(rows, d, q, 3 * D, 1, rp);
    k->gemm(rows, L, d, rp, (ptrdiff_t)d * k->mr, ktp, (ptrdiff_t)d * k->nr, p, L, false);
    k->pack_a(rows, d, dor, D, 1, rp);
    k->gemm(rows, L, d, rp, (ptrdiff_t)d * k->mr, vtp, (ptrdiff_t)d * k->nr, dt, L, false);
    k->softmax_grad(rows, L, p, L, scale, lse + r, dt, L, delta + r);
    k->pack_a(rows, L, dt, L, 1, dtp);
    k->gemm(rows, d, L, dtp, (ptrdiff_t)L * k->mr, kp, (ptrdiff_t)L * k->nr,
            dqkv + (int64_t)r * 3 * D, 3 * D, false);
    k->pack_a(L, rows, dt, 1, L, colp);
    k->pack_b(rows, d, q, 3 * D, 1, bp);
    k->gemm(L, d, rows, colp, (ptrdiff_t)rows * k->mr, bp, (ptrdiff_t)rows * k->nr, dqkv + D, 3 * D,
            r > 0);
    k->pack_a(L, rows, p, 1, L, colp);
    k->pack_b(rows, d, dor, D, 1, bp);
    k->gemm(L, d, rows, colp, (ptrdiff_t)rows * k->mr, bp, (ptrdiff_t)rows * k->nr, dqkv + 2 * D,
            3 * D, r > 0);
  }
}

static void attention_backward(trm__backend *be, trm__workspace *ws, const trm__block *blk, int b,
                               const real *x, const real *y, real *saved, real *dh, real *d_in,
                               real *d_out, bool accumulate) {
  const cpu_backend *c = cpu_of(be);
  const trm__dims *m = &be->dims;
  const cpu_packed *w = cpu_packed_of(be, blk);
  const trm__kernels *k = c->k;
  int D = m->D;
  int64_t R = (int64_t)b * m->L, lo, hi, first, last;
  const real *qkv = saved, *o = qkv + R * 3 * D, *lse = o + R * D, *inv = lse + R * m->H;
  real *ds = ws->shared, *d_o = ds + R * D, *dqkv = d_o + R * D, *delta = dqkv + R * 3 * D;
  real *packed = delta + R * m->H;
  trm__lane_share(ws->lane, R, CPU_GRAIN, &lo, &hi);
  k->rms_rows_grad((int)(hi - lo), D, y + lo * D, D, inv + lo, dh + lo * D, D, ds + lo * D, D);
  memcpy(dh + lo * D, ds + lo * D, (size_t)(hi - lo) * (size_t)D * sizeof *dh);
  trm__cpu_rows(c, lo, hi, D, D, ds, D, w->bwd_out, d_o, D, false, ws->scratch);
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
  trm__cpu_rows(c, lo, hi, D, 3 * D, dqkv, 3 * D, w->bwd_in, dh, D, true, ws->scratch);
  trm__cpu_weight_grad(c, ws, D, D, (int)R, 1, (cpu_operand){ds, 1, D, 0},
                       (cpu_operand){o, D, 1, 0}, d_out, accumulate, packed, ws->scratch);
  trm__cpu_weight_grad(c, ws, 3 * D, D, (int)R, 1, (cpu_operand){dqkv, 1, 3 * D, 0},
                       (cpu_operand){x, D, 1, 0}, d_in, accumulate, packed, ws->scratch);
}

const cpu_block_kind trm__cpu_attention = {"attention",       false,
                                           attention_weights, attention_saved,
                                           attention_shared,  attention_scratch,
                                           attention_forward, attention_backward};
