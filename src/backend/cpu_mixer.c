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
 * only operands of weight gradients are transposed. G and U are kept in the operands' format. */
#include "backend/cpu.h"

#include <string.h>

static unsigned mixer_packing(const trm__block *blk, int i) {
  (void)blk;
  return CPU_AS_A | (i == TRM__GATE_UP ? CPU_IN_CHUNKS : 0);
}
/* Channels go in blocks of block_cols(): a block of [G; U] and of A is one stretch of memory. */
static int block_cols(const trm__dims *m) {
  return cpu_min(m->D, CPU_COLS);
}
static int n_blocks(const trm__dims *m) {
  return (m->D + CPU_COLS - 1) / CPU_COLS;
}
/* Reals between the rows of a block of G, U or A as kept, and of n such rows of all blocks. */
static int kept_cols(const trm__dims *m, const trm__product *p) {
  return trm__kept(p, block_cols(m));
}
static int64_t kept_rows(const trm__dims *m, const trm__product *p, int n) {
  return (int64_t)n_blocks(m) * n * kept_cols(m, p);
}

/* G U [blocks][2FL][kept_cols], inv [D]. */
static int64_t mixer_saved(const trm__dims *m, const trm__product *p) {
  return kept_rows(m, p, 2 * m->FL) + m->D;
}

/* Team: dS [b, L, D], A [b][blocks][FL][kept_cols], one operand of a weight gradient. */
static int64_t mixer_shared(const cpu_backend *c, int b, bool training) {
  const trm__dims *m = &c->base.dims;
  int wide = m->FL > m->L ? m->FL : m->L;
  return training ? (int64_t)b * (m->D * m->L + kept_rows(m, c->p, m->FL)) +
                        trm__size_b(c->p, block_cols(m), wide)
                  : 0;
}
static int64_t mixer_scratch(const cpu_backend *c, int b, bool training) {
  const trm__dims *m = &c->base.dims;
  int64_t cols = CPU_COLS * (2 * (int64_t)m->L + 1 + 3 * CPU_CHUNK);
  int64_t grad = training ? cpu_grad_scratch(c, block_cols(m)) : 0;
  (void)b;
  return cols > grad ? cols : grad;
}

/* One block of n channels of one row, forward; x, y at its first channel; gu: what is kept of the
 * block, or NULL. */
static void mixer_cols(const cpu_backend *c, const cpu_packed *w, int n, const real *x, real *y,
                       real *gu, real *inv, real *scratch) {
  const trm__dims *m = &c->base.dims;
  const trm__product *p = c->p;
  const int D = m->D, L = m->L, FL = m->FL, ldk = kept_cols(m, p);
  const int in = trm__units(p, L), width = trm__units(p, FL), half = trm__units(p, CPU_CHUNK);
  real *out = scratch + CPU_COLS * (L + 1), *act = out + CPU_COLS * L;
  real *chunk = act + CPU_COLS * CPU_CHUNK;
  /* In float32 the product writes what is kept, else the activation converts it. */
  const bool direct = gu && p->a_as_is;
  const int ld = direct ? ldk : n, mode = direct ? TRM__FETCH_C : TRM__SET;
  p->to_b(L, n, x, D, 1, scratch);
  for (int f = 0; f < FL; f += CPU_CHUNK) {
    real *keep_g = gu ? gu + f * ldk : NULL, *keep_u = gu ? gu + (FL + f) * ldk : NULL;
    real *g = direct ? keep_g : chunk, *u = direct ? keep_u : chunk + CPU_CHUNK * n;
    p->gemm(CPU_CHUNK, n, in, w->fwd[TRM__GATE_UP] + (ptrdiff_t)f * in, in, scratch,
            (ptrdiff_t)in * p->nr, g, ld, mode);
    p->gemm(CPU_CHUNK, n, in, w->fwd[TRM__GATE_UP] + (ptrdiff_t)(FL + f) * in, in, scratch,
            (ptrdiff_t)in * p->nr, u, ld, mode);
    p->swiglu_b(CPU_CHUNK, n, g, u, ld, act, direct ? NULL : keep_g, direct ? NULL : keep_u, ldk);
    p->gemm(L, n, half, w->fwd[TRM__DOWN] + f / p->group, width, act, (ptrdiff_t)half * p->nr, out,
            n, f > 0 ? TRM__ADD : TRM__SET);
  }
  c->k->add_rms_cols(L, n, x, D, out, n, (real)m->eps, y, D, inv);
}

static void mixer_forward(trm__backend *be, trm__workspace *ws, const trm__block *blk, int b,
                          const real *x, real *y, real *saved) {
  const trm__dims *m = &be->dims;
  const trm__product *p = cpu_of(be)->p;
  const int64_t keep = kept_rows(m, p, 2 * m->FL),
                block_keep = (int64_t)2 * m->FL * kept_cols(m, p);
  int step = CPU_COLS;
  /* A large team on few rows gets narrower blocks, where no layout depends on them. */
  while (!saved && step > p->nr && (int64_t)b * ((m->D + step - 1) / step) < ws->lane->size)
    step /= 2;
  int64_t lo, hi, blocks = (m->D + step - 1) / step;
  trm__lane_share(ws->lane, b * blocks, 1, &lo, &hi);
  for (int64_t i = lo; i < hi; i++) {
    int64_t row = i / blocks, block = i % blocks, col = block * step;
    int64_t at = row * m->L * m->D + col;
    real *gu = saved ? saved + row * keep + block * block_keep : NULL;
    real *inv = saved ? saved + b * keep + row * m->D + col : NULL;
    mixer_cols(cpu_of(be), cpu_packed_of(be, blk), cpu_min(step, (int)(m->D - col)), x + at, y + at,
               gu, inv, ws->scratch);
  }
  trm__lane_barrier(ws->lane);
}

/* One block of n channels of one row, backward to the input. dg, du and the activation are left as
 * units along the channels. */
static void mixer_cols_grad(const cpu_backend *c, const cpu_packed *w, int n, const real *y,
                            real *gu, const real *inv, real *dh, real *ds, real *act,
                            real *scratch) {
  const trm__dims *m = &c->base.dims;
  const trm__product *p = c->p;
  const int D = m->D, L = m->L, FL = m->FL, ldk = kept_cols(m, p);
  const int in = trm__units(p, L), wide = trm__units(p, 2 * FL), half = trm__units(p, CPU_CHUNK);
  real *da = scratch + CPU_COLS * (L + 1), *both = da + CPU_COLS * CPU_CHUNK;
  c->k->rms_cols_grad(L, n, y, D, inv, dh, D, ds, D);
  for (int i = 0; i < L; i++)
    memcpy(dh + (int64_t)i * D, ds + (int64_t)i * D, (size_t)n * sizeof *dh);
  p->to_b(L, n, ds, D, 1, scratch);
  for (int f = 0; f < FL; f += CPU_CHUNK) {
    p->gemm(CPU_CHUNK, n, in, w->bwd[TRM__DOWN] + (ptrdiff_t)f * in, in, scratch,
            (ptrdiff_t)in * p->nr, da, n, TRM__SET);
    p->swiglu_grad_b(CPU_CHUNK, n, gu + f * ldk, gu + (FL + f) * ldk, ldk, da, n, both,
                     act + f * ldk);
    p->gemm(L, n, 2 * half, w->bwd[TRM__GATE_UP] + 2 * f / p->group, wide, both,
            (ptrdiff_t)2 * half * p->nr, dh, D, TRM__ADD);
  }
}

static void mixer_backward(trm__backend *be, trm__workspace *ws, const trm__block *blk, int b,
                           const real *x, const real *y, real *saved, real *dh, real *const *dw,
                           bool accumulate) {
  const cpu_backend *c = cpu_of(be);
  const trm__dims *m = &be->dims;
  const int D = m->D, L = m->L, FL = m->FL, blocks = n_blocks(m), ldk = kept_cols(m, c->p);
  const int64_t keep = kept_rows(m, c->p, 2 * FL), keep_act = kept_rows(m, c->p, FL);
  int64_t lo, hi;
  real *ds = ws->shared, *act = ds + (int64_t)b * L * D, *packed = act + b * keep_act;
  trm__lane_share(ws->lane, (int64_t)b * blocks, 1, &lo, &hi);
  for (int64_t i = lo; i < hi; i++) {
    int64_t row = i / blocks, block = i % blocks, col = block * CPU_COLS, at = row * L * D + col;
    mixer_cols_grad(c, cpu_packed_of(be, blk), cpu_min(CPU_COLS, (int)(D - col)), y + at,
                    saved + row * keep + block * 2 * FL * ldk, saved + b * keep + row * D + col,
                    dh + at, ds + at, act + row * keep_act + block * FL * ldk, ws->scratch);
  }
  /* The depth of both products is the channels: block by block of each row. */
  for (int64_t i = 0; i < (int64_t)b * blocks; i++) {
    int64_t row = i / blocks, block = i % blocks, at = row * L * D + block * CPU_COLS;
    int n = cpu_min(CPU_COLS, (int)(D - block * CPU_COLS));
    trm__cpu_weight_grad(
        c, ws, L, FL, n, 1, (cpu_operand){CPU_ALONG, ds + at, D, 0, 0, 0},
        (cpu_operand){CPU_UNITS_ALONG, act + row * keep_act + block * FL * ldk, ldk, 0, 0, 0},
        dw[TRM__DOWN], accumulate || i > 0, packed, ws->scratch);
    trm__cpu_weight_grad(
        c, ws, 2 * FL, L, n, 1,
        (cpu_operand){CPU_UNITS_ALONG, saved + row * keep + block * 2 * FL * ldk, ldk, 0, 0, 0},
        (cpu_operand){CPU_ALONG, x + at, D, 0, 0, 0}, dw[TRM__GATE_UP], accumulate || i > 0, packed,
        ws->scratch);
  }
  trm__lane_barrier(ws->lane);
}

const cpu_block_kind trm__cpu_mixer = {
    .packing = mixer_packing,
    .saved = mixer_saved,
    .shared = mixer_shared,
    .scratch = mixer_scratch,
    .forward = mixer_forward,
    .backward = mixer_backward,
};
