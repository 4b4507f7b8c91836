/* SwiGLU over the channels: y = norm(x + W_out (silu(x W_g) * (x W_u))), rows independent.
 *
 * Forward   [g u] = x W_in^T          saved: g u [R, 2F], inv [R]   (R = b L rows)
 *           a = silu(g) * u
 *           y = norm(x + a W_out^T)   6 R D F FLOPs
 * Backward  ds = norm'(dy)            twice as many
 *           da = ds W_out, [dg du] = swiglu'(g, u, da)
 *           dx = ds + [dg du] W_in
 *           dW_out = ds^T a, dW_in = [dg du]^T x
 * A part of at most CPU_ROWS rows takes CPU_CHUNK units of F at a time from the first product
 * through the activation into the second, so that g, u and a never leave the cache on the way; g
 * and u are kept in the operands' format. */
#include "backend/cpu.h"

#include <string.h>

static unsigned mlp_packing(const trm__block *blk, int i) {
  (void)blk;
  return CPU_AS_B | (i == TRM__GATE_UP ? CPU_IN_CHUNKS : 0);
}
/* gu, a chunk of CPU_CHUNK columns of all rows after the other, so that a chunk of a few rows is
 * one stretch of memory: [2F / CPU_CHUNK][R / group][CPU_CHUNK]; then inv. */
static int64_t mlp_saved(const trm__dims *m, const trm__product *p) {
  return (int64_t)trm__units(p, m->L) * 2 * m->F + m->L;
}

/* Team: ds [R, D], act as B of depth R, one operand of a weight gradient. */
static int64_t mlp_shared(const cpu_backend *c, int b, bool training) {
  const trm__dims *m = &c->base.dims;
  int64_t R = (int64_t)b * m->L;
  return training ? R * m->D + trm__size_b(c->p, (int)R, m->F) + trm__size_b(c->p, (int)R, m->D)
                  : 0;
}
static int64_t mlp_scratch(const cpu_backend *c, int b, bool training) {
  const trm__dims *m = &c->base.dims;
  int64_t rows = CPU_ROWS * (2 * (int64_t)m->D + 3 * CPU_CHUNK);
  int64_t grad = training ? cpu_grad_scratch(c, b * m->L) : 0;
  return rows > grad ? rows : grad;
}

/* One part of the rows, forward. gu: its first row in what is kept, `next` per column; or NULL. */
static void mlp_rows(const cpu_backend *c, const cpu_packed *w, int rows, const real *x, real *y,
                     real *gu, int64_t next, real *inv, real *scratch) {
  const trm__dims *m = &c->base.dims;
  const trm__product *p = c->p;
  const int D = m->D, F = m->F, half = trm__units(p, CPU_CHUNK);
  const ptrdiff_t in_ps = (ptrdiff_t)trm__units(p, D) * p->nr,
                  out_ps = (ptrdiff_t)trm__units(p, F) * p->nr;
  real *out = scratch + CPU_ROWS * D, *act = out + CPU_ROWS * D;
  real *chunk = act + CPU_ROWS * CPU_CHUNK;
  int64_t lda;
  const real *xa = cpu_a(p, rows, D, x, D, scratch, &lda);
  /* In float32 the product writes what is kept, else the activation converts it. */
  const bool direct = gu && p->a_as_is;
  const int mode = c->far | (direct ? TRM__FETCH_C : 0);
  for (int f = 0; f < F; f += CPU_CHUNK) {
    real *keep_g = gu ? gu + f * next : NULL, *keep_u = gu ? gu + (F + f) * next : NULL;
    real *g = direct ? keep_g : chunk, *u = direct ? keep_u : chunk + rows * CPU_CHUNK;
    p->gemm(rows, CPU_CHUNK, trm__units(p, D), xa, lda, w->fwd[TRM__GATE_UP] + f / p->nr * in_ps,
            in_ps, g, CPU_CHUNK, mode);
    p->gemm(rows, CPU_CHUNK, trm__units(p, D), xa, lda,
            w->fwd[TRM__GATE_UP] + (F + f) / p->nr * in_ps, in_ps, u, CPU_CHUNK, mode);
    p->swiglu_a(rows, CPU_CHUNK, g, u, CPU_CHUNK, act, half, direct ? NULL : keep_g,
                direct ? NULL : keep_u);
    p->gemm(rows, D, half, act, half, w->fwd[TRM__DOWN] + f / p->group * p->nr, out_ps, out, D,
            (f > 0 ? TRM__ADD : TRM__SET) | c->far);
  }
  c->k->add_rms_rows(rows, D, x, D, out, D, (real)m->eps, y, D, inv);
}

static void mlp_forward(trm__backend *be, trm__workspace *ws, const trm__block *blk, int b,
                        const real *x, real *y, real *saved) {
  const cpu_backend *c = cpu_of(be);
  const trm__dims *m = &be->dims;
  int64_t R = (int64_t)b * m->L, next = trm__units(c->p, (int)R), lo, hi;
  real *inv = saved ? saved + next * 2 * m->F : NULL;
  trm__lane_share(ws->lane, R, 2, &lo, &hi);
  int64_t part = cpu_part(hi - lo, CPU_ROWS);
  for (int64_t r = lo; r < hi; r += part)
    mlp_rows(c, cpu_packed_of(be, blk), (int)(hi - r < part ? hi - r : part), x + r * m->D,
             y + r * m->D, saved ? saved + r / c->p->group * CPU_CHUNK : NULL, next,
             inv ? inv + r : NULL, ws->scratch);
  trm__lane_barrier(ws->lane);
}

/* One part of the rows, backward to the input: dh <- dx; g u become units across the rows of dg du;
 * act, at the part's first row, the operand B of dW_out. */
static void mlp_rows_grad(const cpu_backend *c, const cpu_packed *w, int rows, const real *y,
                          real *gu, int64_t next, const real *inv, real *dh, real *ds, real *act,
                          real *scratch) {
  const trm__dims *m = &c->base.dims;
  const trm__product *p = c->p;
  const int D = m->D, F = m->F, half = trm__units(p, CPU_CHUNK);
  const ptrdiff_t out_ps = (ptrdiff_t)trm__units(p, D) * p->nr,
                  in_ps = (ptrdiff_t)trm__units(p, 2 * F) * p->nr, act_ps = (ptrdiff_t)next * p->nr;
  real *da = scratch + CPU_ROWS * D, *both = da + CPU_ROWS * CPU_CHUNK;
  int64_t lda;
  c->k->rms_rows_grad(rows, D, y, D, inv, dh, D, ds, D);
  memcpy(dh, ds, (size_t)rows * (size_t)D * sizeof *dh);
  const real *dsa = cpu_a(p, rows, D, ds, D, scratch, &lda);
  for (int f = 0; f < F; f += CPU_CHUNK) {
    p->gemm(rows, CPU_CHUNK, trm__units(p, D), dsa, lda, w->bwd[TRM__DOWN] + f / p->nr * out_ps,
            out_ps, da, CPU_CHUNK, c->far);
    p->swiglu_grad_a(rows, CPU_CHUNK, gu + f * next, gu + (F + f) * next, da, CPU_CHUNK, both,
                     2 * half, act + f / p->nr * act_ps, act_ps);
    p->gemm(rows, D, 2 * half, both, 2 * half,
            w->bwd[TRM__GATE_UP] + (ptrdiff_t)2 * f / p->group * p->nr, in_ps, dh, D,
            TRM__ADD | c->far);
  }
}

static void mlp_backward(trm__backend *be, trm__workspace *ws, const trm__block *blk, int b,
                         const real *x, const real *y, real *saved, real *dh, real *const *dw,
                         bool accumulate) {
  const cpu_backend *c = cpu_of(be);
  const trm__dims *m = &be->dims;
  int D = m->D, F = m->F;
  int64_t R = (int64_t)b * m->L, next = trm__units(c->p, (int)R), lo, hi;
  const real *inv = saved + next * 2 * F;
  real *ds = ws->shared, *act = ds + R * D, *packed = act + trm__size_b(c->p, (int)R, F);
  trm__lane_share(ws->lane, R, 2, &lo, &hi);
  int64_t part = cpu_part(hi - lo, CPU_ROWS);
  for (int64_t r = lo; r < hi; r += part)
    mlp_rows_grad(c, cpu_packed_of(be, blk), (int)(hi - r < part ? hi - r : part), y + r * D,
                  saved + r / c->p->group * CPU_CHUNK, next, inv + r, dh + r * D, ds + r * D,
                  act + r / c->p->group * c->p->nr, ws->scratch);
  trm__cpu_weight_grad(c, ws, D, F, (int)R, 1, (cpu_operand){CPU_ACROSS, ds, D, 0, 0, 0},
                       (cpu_operand){CPU_PACKED, act, 0, 0, 0, 0}, dw[TRM__DOWN], accumulate, NULL,
                       ws->scratch);
  trm__cpu_weight_grad(
      c, ws, 2 * F, D, (int)R, 1,
      (cpu_operand){CPU_UNITS_ACROSS, saved, CPU_CHUNK, 0, CPU_CHUNK, next * CPU_CHUNK},
      (cpu_operand){CPU_ACROSS, x, D, 0, 0, 0}, dw[TRM__GATE_UP], accumulate, packed, ws->scratch);
  trm__lane_barrier(ws->lane);
}

const cpu_block_kind trm__cpu_mlp = {
    .packing = mlp_packing,
    .saved = mlp_saved,
    .shared = mlp_shared,
    .scratch = mlp_scratch,
    .forward = mlp_forward,
    .backward = mlp_backward,
};
