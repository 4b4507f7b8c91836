/* SwiGLU over the positions (paper section 4.5): per row, with X = x [L, D] and weights on the
 * left,
 *
 * Forward   [G; U] = W_in X                 saved: G U [2FL, D], inv [D] per row
 *           A = silu(G) * U                 [FL, D]
 *           Y = norm over L of (X + W_out A), per channel       6 L FL D FLOPs per row
 * Backward  dS = norm'(dY), dA = W_out^T dS, [dG; dU] = swiglu'(G, U, dA)
 *           dX = dS + W_in^T [dG; dU]
 *           dW_out = sum over rows of dS A^T, dW_in = sum of [dG; dU] X^T
 * Channels are independent: a block of CPU_COLS of them goes through the whole block in cache, and
 * nothing is ever transposed. */
#include "backend/cpu.h"

static void mixer_weights(const trm__dims *m, int *o1, int *i1, int *o2, int *i2) {
  *o1 = 2 * m->FL;
  *i1 = m->L;
  *o2 = m->L;
  *i2 = m->FL;
}
static int64_t mixer_saved(const trm__dims *m) {
  return (int64_t)m->D * (2 * m->FL + 1);
}

/* Team: dS [b, L, D], A [b, FL, D], one packed operand of a weight gradient. */
static int64_t mixer_shared(const cpu_backend *c, int b, bool training) {
  const trm__dims *m = &c->base.dims;
  int wide = m->FL > m->L ? m->FL : m->L;
  return training ? (int64_t)b * m->D * (m->L + m->FL) + trm__packed_b(c->k, m->D, wide) : 0;
}
static int64_t mixer_scratch(const cpu_backend *c, int b, bool training) {
  const trm__dims *m = &c->base.dims;
  int64_t cols = CPU_COLS * (2 * (int64_t)m->L + 4 * CPU_CHUNK);
  int64_t grad = training ? CPU_ROWS * (int64_t)m->D : 0;
  (void)b;
  return cols > grad ? cols : grad;
}

/* The chunk of an A operand (packed chunk by chunk) that starts with unit f. */
static const real *chunk_of(const trm__kernels *k, const real *packed, int f, int depth) {
  return packed + f / CPU_CHUNK * trm__packed_a(k, CPU_CHUNK, depth);
}

/* Items of work: (row, block of channels). */
static int cols_per_row(const trm__dims *m) {
  return (m->D + CPU_COLS - 1) / CPU_COLS;
}

/* One block of n channels of one row, forward; pointers are at its first channel. */
static void mixer_cols(const cpu_backend *c, const cpu_packed *w, int n, const real *x, real *y,
                       real *gu, real *inv, real *scratch) {
  const trm__dims *m = &c->base.dims;
  const trm__kernels *k = c->k;
  int D = m->D, L = m->L, FL = m->FL;
  real *xp = scratch, *out = xp + CPU_COLS * L, *act = out + CPU_COLS * L;
  real *actp = act + CPU_COLS * CPU_CHUNK, *chunk = actp + CPU_COLS * CPU_CHUNK;
  k->pack_b(L, n, x, D, 1, xp);
  for (int f = 0; f < FL; f += CPU_CHUNK) {
    real *g = gu ? gu + (int64_t)f * D : chunk;
    real *u = gu ? gu + (int64_t)(FL + f) * D : chunk + CPU_CHUNK * CPU_COLS;
    int64_t ld = gu ? D : CPU_COLS;
    k->gemm(CPU_CHUNK, n, L, chunk_of(k, w->fwd_in, f, L), (ptrdiff_t)L * k->mr, xp,
            (ptrdiff_t)L * k->nr, g, ld, false);
    k->gemm(CPU_CHUNK, n, L, chunk_of(k, w->fwd_in, FL + f, L), (ptrdiff_t)L * k->mr, xp,
            (ptrdiff_t)L * k->nr, u, ld, false);
    k->swiglu(CPU_CHUNK, n, g, u, ld, act, CPU_COLS);
    k->pack_b(CPU_CHUNK, n, act, CPU_COLS, 1, actp);
    k->gemm(L, n, CPU_CHUNK, w->fwd_out + (ptrdiff_t)f * k->mr, (ptrdiff_t)FL * k->mr, actp,
            (ptrdiff_t)CPU_CHUNK * k->nr, out, CPU_COLS, f > 0);
  }
  k->add_rms_cols(L, n, x, D, out, CPU_COLS, (real)m->eps, y, D, inv);
}

static void mixer_forward(trm__backend *be, trm__workspace *ws, const trm__block *blk, int b,
                          const real *x, real *y, real *saved) {
  const trm__dims *m = &be->dims;
  int64_t per_row = cols_per_row(m), lo, hi;
  trm__lane_share(ws->lane, b * per_row, 1, &lo, &hi);
  for (int64_t i = lo; i < hi; i++) {
    int64_t row = i / per_row, col = i % per_row * CPU_COLS, at = row * m->L * m->D + col;
    real *keep = saved ? saved + row * mixer_saved(m) : NULL;
    mixer_cols(cpu_of(be), cpu_packed_of(be, blk), cpu_min(CPU_COLS, (int)(m->D - col)), x + at,
               y + at, keep ? keep + col : NULL,
               keep ? keep + 2 * (int64_t)m->FL * m->D + col : NULL, ws->scratch);
  }
  trm__lane_barrier(ws->lane);
}

/* One block of n channels of one row, backward to the input. */
static void mixer_cols_grad(const cpu_backend *c, const cpu_packed *w, int n, const real *y,
                            real *gu, const real *inv, real *dh, real *ds, real *act,
                            real *scratch) {
  const trm__dims *m = &c->base.dims;
  const trm__kernels *k = c->k;
  int D = m->D, L = m->L, FL = m->FL;
  real *dsp = scratch, *da = dsp + CPU_COLS * L, *gp = da + CPU_COLS * CPU_CHUNK;
  k->rms_cols_grad(L, n, y, D, inv, dh, D, ds, D);
  for (int i = 0; i < L; i++)
    for (int j = 0; j < n; j++) dh[(int64_t)i * D + j] = ds[(int64_t)i * D + j];
  k->pack_b(L, n, ds, D, 1, dsp);
  for (int f = 0; f < FL; f += CPU_CHUNK) {
    real *g = gu + (int64_t)f * D, *u = gu + (int64_t)(FL + f) * D;
    k->gemm(CPU_CHUNK, n, L, chunk_of(k, w->bwd_out, f, L), (ptrdiff_t)L * k->mr, dsp,
            (ptrdiff_t)L * k->nr, da, CPU_COLS, false);
    k->swiglu_grad(CPU_CHUNK, n, g, u, D, da, CPU_COLS, act + (int64_t)f * D, D);
    for (int half = 0; half < 2; half++) {
      k->pack_b(CPU_CHUNK, n, half ? u : g, D, 1, gp);
      k->gemm(L, n, CPU_CHUNK, w->bwd_in + (ptrdiff_t)(half * FL + f) * k->mr,
              (ptrdiff_t)2 * FL * k->mr, gp, (ptrdiff_t)CPU_CHUNK * k->nr, dh, D, true);
    }
  }
}

static void mixer_backward(trm__backend *be, trm__workspace *ws, const trm__block *blk, int b,
                           const real *x, const real *y, real *saved, real *dh, real *d_in,
                           real *d_out, bool accumulate) {
  const cpu_backend *c = cpu_of(be);
  const trm__dims *m = &be->dims;
  int D = m->D, L = m->L, FL = m->FL;
  int64_t per_row = cols_per_row(m), keep = mixer_saved(m), lo, hi;
  real *ds = ws->shared, *act = ds + (int64_t)b * L * D, *packed = act + (int64_t)b * FL * D;
  trm__lane_share(ws->lane, b * per_row, 1, &lo, &hi);
  for (int64_t i = lo; i < hi; i++) {
    int64_t row = i / per_row, col = i % per_row * CPU_COLS, at = row * L * D + col;
    real *gu = saved + row * keep + col;
    mixer_cols_grad(c, cpu_packed_of(be, blk), cpu_min(CPU_COLS, (int)(D - col)), y + at, gu,
                    gu + 2 * (int64_t)FL * D, dh + at, ds + at, act + row * FL * D + col,
                    ws->scratch);
  }
  trm__cpu_weight_grad(c, ws, L, FL, D, b, (cpu_operand){ds, D, 1, (int64_t)L * D},
                       (cpu_operand){act, 1, D, (int64_t)FL * D}, d_out, accumulate, packed,
                       ws->scratch);
  trm__cpu_weight_grad(c, ws, 2 * FL, L, D, b, (cpu_operand){saved, D, 1, keep},
                       (cpu_operand){x, 1, D, (int64_t)L * D}, d_in, accumulate, packed,
                       ws->scratch);
}

const cpu_block_kind trm__cpu_mixer = {"mixer",      true,          mixer_weights, mixer_saved,
                                       mixer_shared, mixer_scratch, mixer_forward, mixer_backward};
