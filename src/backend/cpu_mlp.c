/* SwiGLU over the channels: y = norm(x + W_out (silu(x W_g) * (x W_u))), rows independent.
 *
 * Forward   [g u] = x W_in^T          saved: g u [R, 2F], inv [R]   (R = b L rows)
 *           a = silu(g) * u
 *           y = norm(x + a W_out^T)   6 R D F FLOPs
 * Backward  ds = norm'(dy)            twice as many
 *           da = ds W_out, [dg du] = swiglu'(g, u, da)
 *           dx = ds + [dg du] W_in
 *           dW_out = ds^T a, dW_in = [dg du]^T x
 * A block of CPU_ROWS rows takes CPU_CHUNK units of F at a time from the first product through the
 * activation into the second, so that g, u and a never leave the cache on the way. */
#include "backend/cpu.h"

#include <string.h>

static void mlp_weights(const trm__dims *m, int *o1, int *i1, int *o2, int *i2) {
  *o1 = 2 * m->F;
  *i1 = m->D;
  *o2 = m->D;
  *i2 = m->F;
}
static int64_t mlp_saved(const trm__dims *m) {
  return (int64_t)m->L * (2 * m->F + 1);
}

/* Team: ds [R, D], act [R, F], one packed operand of a weight gradient. */
static int64_t mlp_shared(const cpu_backend *c, int b, bool training) {
  const trm__dims *m = &c->base.dims;
  int64_t R = (int64_t)b * m->L;
  int wide = m->F > m->D ? m->F : m->D;
  return training ? R * (m->D + m->F) + trm__packed_b(c->k, R, wide) : 0;
}
static int64_t mlp_scratch(const cpu_backend *c, int b, bool training) {
  const trm__dims *m = &c->base.dims;
  int64_t rows = CPU_ROWS * (2 * (int64_t)m->D + 4 * CPU_CHUNK);
  int64_t grad = training ? CPU_ROWS * (int64_t)b * m->L : 0;
  return rows > grad ? rows : grad;
}

/* One block of rows, forward. g, u: row stride ldg, starting at unit 0 of the block's first row;
 * when nothing is saved they hold one chunk only (step 0). */
static void mlp_rows(const cpu_backend *c, const cpu_packed *w, int rows, const real *x, real *y,
                     real *gu, int64_t ldg, real *inv, real *scratch) {
  const trm__dims *m = &c->base.dims;
  const trm__kernels *k = c->k;
  int D = m->D, F = m->F;
  bool keep = gu != NULL;
  real *xp = scratch, *out = xp + CPU_ROWS * D, *act = out + CPU_ROWS * D;
  real *actp = act + CPU_ROWS * CPU_CHUNK, *chunk = actp + CPU_ROWS * CPU_CHUNK;
  k->pack_a(rows, D, x, D, 1, xp);
  for (int f = 0; f < F; f += CPU_CHUNK) {
    real *g = keep ? gu + f : chunk, *u = keep ? gu + F + f : chunk + CPU_CHUNK;
    int64_t ld = keep ? ldg : 2 * CPU_CHUNK;
    k->gemm(rows, CPU_CHUNK, D, xp, (ptrdiff_t)D * k->mr, w->fwd_in + (ptrdiff_t)f * D,
            (ptrdiff_t)D * k->nr, g, ld, false);
    k->gemm(rows, CPU_CHUNK, D, xp, (ptrdiff_t)D * k->mr, w->fwd_in + (ptrdiff_t)(F + f) * D,
            (ptrdiff_t)D * k->nr, u, ld, false);
    k->swiglu(rows, CPU_CHUNK, g, u, ld, act, CPU_CHUNK);
    k->pack_a(rows, CPU_CHUNK, act, CPU_CHUNK, 1, actp);
    k->gemm(rows, D, CPU_CHUNK, actp, (ptrdiff_t)CPU_CHUNK * k->mr,
            w->fwd_out + (ptrdiff_t)f * k->nr, (ptrdiff_t)F * k->nr, out, D, f > 0);
  }
  k->add_rms_rows(rows, D, x, D, out, D, (real)m->eps, y, D, inv);
}

static void mlp_forward(trm__backend *be, trm__workspace *ws, const trm__block *blk, int b,
                        const real *x, real *y, real *saved) {
  const cpu_backend *c = cpu_of(be);
  const trm__dims *m = &be->dims;
  int64_t R = (int64_t)b * m->L, lo, hi;
  real *inv = saved ? saved + R * 2 * m->F : NULL;
  trm__lane_share(ws->lane, R, CPU_GRAIN, &lo, &hi);
  for (int64_t r = lo; r < hi; r += CPU_ROWS)
    mlp_rows(c, cpu_packed_of(be, blk), (int)(hi - r < CPU_ROWS ? hi - r : CPU_ROWS), x + r * m->D,
             y + r * m->D, saved ? saved + r * 2 * m->F : NULL, 2 * m->F, inv ? inv + r : NULL,
             ws->scratch);
  trm__lane_barrier(ws->lane);
}

/* One block of rows, backward to the input: dh <- dx, g u <- dg du, act written for dW_out. */
static void mlp_rows_grad(const cpu_backend *c, const cpu_packed *w, int rows, const real *y,
                          real *gu, const real *inv, real *dh, real *ds, real *act, real *scratch) {
  const trm__dims *m = &c->base.dims;
  const trm__kernels *k = c->k;
  int D = m->D, F = m->F;
  real *dsp = scratch, *da = dsp + CPU_ROWS * D, *gp = da + CPU_ROWS * CPU_CHUNK;
  k->rms_rows_grad(rows, D, y, D, inv, dh, D, ds, D);
  memcpy(dh, ds, (size_t)rows * (size_t)D * sizeof *dh);
  k->pack_a(rows, D, ds, D, 1, dsp);
  for (int f = 0; f < F; f += CPU_CHUNK) {
    k->gemm(rows, CPU_CHUNK, D, dsp, (ptrdiff_t)D * k->mr, w->bwd_out + (ptrdiff_t)f * D,
            (ptrdiff_t)D * k->nr, da, CPU_CHUNK, false);
    k->swiglu_grad(rows, CPU_CHUNK, gu + f, gu + F + f, 2 * F, da, CPU_CHUNK, act + f, F);
    for (int half = 0; half < 2; half++) {
      k->pack_a(rows, CPU_CHUNK, gu + half * F + f, 2 * F, 1, gp);
      k->gemm(rows, D, CPU_CHUNK, gp, (ptrdiff_t)CPU_CHUNK * k->mr,
              w->bwd_in + (ptrdiff_t)(half * F + f) * k->nr, (ptrdiff_t)2 * F * k->nr, dh, D, true);
    }
  }
}

static void mlp_backward(trm__backend *be, trm__workspace *ws, const trm__block *blk, int b,
                         const real *x, const real *y, real *saved, real *dh, real *d_in,
                         real *d_out, bool accumulate) {
  const cpu_backend *c = cpu_of(be);
  const trm__dims *m = &be->dims;
  int D = m->D, F = m->F;
  int64_t R = (int64_t)b * m->L, lo, hi;
  const real *inv = saved + R * 2 * F;
  real *ds = ws->shared, *act = ds + R * D, *packed = act + R * F;
  trm__lane_share(ws->lane, R, CPU_GRAIN, &lo, &hi);
  for (int64_t r = lo; r < hi; r += CPU_ROWS)
    mlp_rows_grad(c, cpu_packed_of(be, blk), (int)(hi - r < CPU_ROWS ? hi - r : CPU_ROWS),
                  y + r * D, saved + r * 2 * F, inv + r, dh + r * D, ds + r * D, act + r * F,
                  ws->scratch);
  trm__cpu_weight_grad(c, ws, D, F, (int)R, 1, (cpu_operand){ds, 1, D, 0},
                       (cpu_operand){act, F, 1, 0}, d_out, accumulate, packed, ws->scratch);
  trm__cpu_weight_grad(c, ws, 2 * F, D, (int)R, 1, (cpu_operand){saved, 1, 2 * F, 0},
                       (cpu_operand){x, D, 1, 0}, d_in, accumulate, packed, ws->scratch);
}

const cpu_block_kind trm__cpu_mlp = {"mlp",      false,       mlp_weights, mlp_saved,
                                     mlp_shared, mlp_scratch, mlp_forward, mlp_backward};
