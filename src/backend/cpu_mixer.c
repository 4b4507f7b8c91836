/* SwiGLU over the positions (paper section 4.5): per row, with X = x [L, D] and weights on the
 * left,
 *
 * Forward   [G; U] = W_in X                 saved: G U [2FL, D], inv [D] per row
 *           A = silu(G) * U                 [FL, D]
 *           Y = norm over L of (X + W_out A), per channel       6 L FL D FLOPs per row
 * Backward  dS = norm'(dY), dA = W_out^T dS, [dG; dU] = swiglu'(G, U, dA)
 *           dX = dS + W_in^T [dG; dU]
 *           dW_out = sum over rows of dS A^T, dW_in = sum of [dG; dU] X^T
 * With gate_norm A = silu(G) * U / rms(G U), rms over FL, per channel, as in cpu_mlp.c; 1 / rms is
 * kept, [D] per row.
 * Channels are independent: a block of CPU_COLS of them goes through the whole block in cache, and
 * only operands of weight gradients are transposed. G and U are kept in the operands' format. */
#include "backend/cpu.h"

#include <string.h>

static unsigned mixer_packing(const trm__block *blk, int i) {
  (void)blk;
  return CPU_AS_A | (i == TRM__GATE_UP ? CPU_GATE_UP : CPU_DOWN);
}
/* Channels go in blocks of block_cols(): a block of [G; U] and of A is one stretch of memory. */
static int block_cols(const trm__dims *dims) {
  return cpu_min(dims->D, CPU_COLS);
}
static int n_blocks(const trm__dims *dims) {
  return (dims->D + CPU_COLS - 1) / CPU_COLS;
}
/* Reals between the rows of a block of G, U or A as kept, and of n such rows of all blocks. */
static int kept_cols(const trm__dims *dims, const trm__product *p) {
  return trm__kept(p, block_cols(dims));
}
static int64_t kept_rows(const trm__dims *dims, const trm__product *p, int n) {
  return (int64_t)n_blocks(dims) * n * kept_cols(dims, p);
}

/* What one pass works in. */
typedef struct mixer_memory {
  real *gu, *inv; /* kept: [b][blocks][2FL][kept_cols], [b][D]; NULL: they are not */
  real *ds, *act; /* the team's, backward: [b, L, D], [b][blocks][FL][kept_cols] */
  real *shared;
  real *columns;       /* the member's: X or dS of a block of channels as B */
  real *out;           /* forward: W_out A of it */
  real *act_b, *chunk; /* forward: a chunk's A as B; its G and U, side by side */
  real *da, *dgu;      /* backward: a chunk's dA; its [dG; dU] as B */
  /* With gate_norm, else NULL: of channels 1 / rms(G U), kept, [b][D]; of a block of them sums of
   * squares, then that (forward); slopes and dS . X (backward). */
  real *norm_inv, *norm_sum, *norm_slope, *ds_x;
  real *grad; /* in the place of all these */
} mixer_memory;

static mixer_memory carve(const cpu_backend *c, int b, bool backward, cpu_memory memory) {
  const trm__dims *dims = &c->base.dims;
  const trm__product *p = c->product;
  const int cols = block_cols(dims);
  mixer_memory own = {0};

  if (memory.saved != memory.shared) {
    own.gu = cpu_carve(memory.saved, b * kept_rows(dims, p, 2 * dims->FL));
    own.inv = cpu_carve(memory.saved, (int64_t)b * dims->D);
    if (dims->gate_norm) own.norm_inv = cpu_carve(memory.saved, (int64_t)b * dims->D);
  }

  own.columns = cpu_carve(memory.scratch, trm__size_b(p, dims->L, cols));
  if (!backward) {
    own.out = cpu_carve(memory.scratch, (int64_t)dims->L * cols);
    own.act_b = cpu_carve(memory.scratch, trm__size_b(p, CPU_CHUNK, cols));
    own.chunk = cpu_carve(memory.scratch, 2 * CPU_CHUNK * cols);
    if (dims->gate_norm) own.norm_sum = cpu_carve(memory.scratch, cols);
    return own;
  }

  own.ds = cpu_carve(memory.shared, (int64_t)b * dims->L * dims->D);
  own.act = cpu_carve(memory.shared, b * kept_rows(dims, p, dims->FL));
  own.shared =
      cpu_carve(memory.shared, trm__size_b(p, cols, dims->FL > dims->L ? dims->FL : dims->L));
  own.da = cpu_carve(memory.scratch, CPU_CHUNK * cols);
  own.dgu = cpu_carve(memory.scratch, trm__size_b(p, 2 * CPU_CHUNK, cols));
  if (dims->gate_norm) {
    own.norm_slope = cpu_carve(memory.scratch, cols);
    own.ds_x = cpu_carve(memory.scratch, cols);
  }
  trm__carve_anew(memory.scratch);
  own.grad = cpu_carve(memory.scratch, cpu_grad_scratch(c, cols));
  return own;
}

static void mixer_count(const cpu_backend *c, int b, bool backward, cpu_memory memory) {
  (void)carve(c, b, backward, memory);
}

/* Where a block of channels of a row of the tile stands: in [b, L, D], in what is kept and in the
 * activations, and its scales. */
typedef struct cols_view {
  int n; /* channels */
  int64_t at, gu, act, inv;
} cols_view;
static cols_view view_of(const cpu_backend *c, int64_t row, int64_t block, int step) {
  const trm__dims *dims = &c->base.dims;
  const int64_t col = block * step, ld = kept_cols(dims, c->product);
  return (cols_view){
      .n = cpu_min(step, (int)(dims->D - col)),
      .at = row * dims->L * dims->D + col,
      .gu = row * kept_rows(dims, c->product, 2 * dims->FL) + block * 2 * dims->FL * ld,
      .act = row * kept_rows(dims, c->product, dims->FL) + block * dims->FL * ld,
      .inv = row * dims->D + col};
}

/* One block of channels of one row, forward. */
static void mixer_cols(const cpu_backend *c, const cpu_packed *w, const mixer_memory *own,
                       cols_view view, const real *x, real *y) {
  const trm__dims *dims = &c->base.dims;
  const trm__product *p = c->product;
  const int D = dims->D, L = dims->L, FL = dims->FL, n = view.n, ldk = kept_cols(dims, p);
  const int in = trm__units(p, L), width = cpu_chunked(p, FL), half = trm__units(p, CPU_CHUNK);
  const ptrdiff_t in_ps = (ptrdiff_t)in * p->nr, act_ps = (ptrdiff_t)half * p->nr;
  const real *gate = w->fwd[TRM__GATE_UP], *down = w->fwd[TRM__DOWN];
  real *kept = own->gu ? own->gu + view.gu : NULL;

  /* In float32 the product writes what is kept, else the activation converts it. */
  const bool direct = kept && p->a_as_is;
  const int ld = direct ? ldk : n, mode = direct ? TRM__FETCH_C : TRM__SET;

  /* The branch, CPU_CHUNK units of FL at a time. */
  p->to_b(L, n, x + view.at, D, 1, own->columns);
  if (own->norm_sum) memset(own->norm_sum, 0, (size_t)n * sizeof *own->norm_sum);
  for (int f = 0; f < FL; f += CPU_CHUNK) {
    real *keep_g = kept ? kept + f * ldk : NULL, *keep_u = kept ? kept + (FL + f) * ldk : NULL;
    real *g = direct ? keep_g : own->chunk, *u = direct ? keep_u : own->chunk + CPU_CHUNK * n;

    /* G = W_g X, U = W_u X */
    p->gemm(CPU_CHUNK, n, in, gate + (ptrdiff_t)f * in, in, own->columns, in_ps, g, ld, mode);
    p->gemm(CPU_CHUNK, n, in, gate + (ptrdiff_t)(FL + f) * in, in, own->columns, in_ps, u, ld,
            mode);

    /* out += W_out (silu(G) * U) */
    if (own->norm_sum) c->kernels->add_squares_cols(CPU_CHUNK, n, g, u, ld, own->norm_sum);
    p->swiglu_b(CPU_CHUNK, n, g, u, ld, own->act_b, direct ? NULL : keep_g, direct ? NULL : keep_u,
                ldk);
    p->gemm(L, n, half, down + cpu_chunked(p, f), width, own->act_b, act_ps, own->out, n,
            f > 0 ? TRM__ADD : TRM__SET);
  }

  /* What the norm divides by, once for each channel. */
  if (own->norm_sum) {
    trm__cpu_gate_norms(c, n, FL, own->norm_sum);
    c->kernels->scale_cols(L, n, own->out, n, own->norm_sum);
  }
  if (own->norm_inv)
    memcpy(own->norm_inv + view.inv, own->norm_sum, (size_t)n * sizeof *own->norm_inv);

  /* Y = norm over L of (X + out) */
  c->kernels->add_rms_cols(L, n, x + view.at, D, own->out, n, (real)dims->eps, y + view.at, D,
                           own->inv ? own->inv + view.inv : NULL);
}

static void mixer_forward(trm__backend *be, trm__lane *lane, const trm__block *blk, int b,
                          const real *x, real *y, cpu_memory memory) {
  const cpu_backend *c = cpu_of(be);
  const mixer_memory own = carve(c, b, false, memory);
  const int D = be->dims.D;
  int64_t lo, hi;

  /* A large team on few rows gets narrower blocks, where no layout depends on them. */
  int step = CPU_COLS;
  while (!own.gu && step > c->product->nr && (int64_t)b * ((D + step - 1) / step) < lane->size)
    step /= 2;

  const int64_t blocks = (D + step - 1) / step;
  trm__lane_share(lane, b * blocks, 1, &lo, &hi);
  for (int64_t i = lo; i < hi; i++)
    mixer_cols(c, cpu_packed_of(be, blk), &own, view_of(c, i / blocks, i % blocks, step), x, y);
  trm__lane_barrier(lane);
}

/* One block of channels of one row, backward to the input. dg, du and the activation are left as
 * units along the channels. */
static void mixer_cols_grad(const cpu_backend *c, const cpu_packed *w, const mixer_memory *own,
                            cols_view view, const real *x, const real *y, real *dh) {
  const trm__dims *dims = &c->base.dims;
  const trm__product *p = c->product;
  const int D = dims->D, L = dims->L, FL = dims->FL, n = view.n, ldk = kept_cols(dims, p);
  const int in = trm__units(p, L), wide = trm__units(p, 2 * FL), half = trm__units(p, CPU_CHUNK);
  real *gu = own->gu + view.gu, *act = own->act + view.act, *ds = own->ds + view.at;
  real *dx = dh + view.at;

  /* dS = norm'(dY), which is also the first part of dX. */
  c->kernels->rms_cols_grad(L, n, y + view.at, D, own->inv + view.inv, dx, D, ds, D);
  for (int i = 0; i < L; i++)
    memcpy(dx + (int64_t)i * D, ds + (int64_t)i * D, (size_t)n * sizeof *dx);

  /* What a norm of G U adds. */
  if (own->norm_slope) {
    c->kernels->dot_cols(L, n, ds, D, y + view.at, D, own->norm_slope);
    c->kernels->dot_cols(L, n, ds, D, x + view.at, D, own->ds_x);
    trm__cpu_gate_slopes(n, FL, own->norm_inv + view.inv, own->inv + view.inv, own->ds_x,
                         own->norm_slope);
  }

  p->to_b(L, n, ds, D, 1, own->columns);
  for (int f = 0; f < FL; f += CPU_CHUNK) {
    /* dA = W_out^T dS */
    p->gemm(CPU_CHUNK, n, in, w->bwd[TRM__DOWN] + (ptrdiff_t)f * in, in, own->columns,
            (ptrdiff_t)in * p->nr, own->da, n, TRM__SET);

    /* dG = dA * U * silu'(G), dU = dA * silu(G), and A = silu(G) * U once more */
    real *g = gu + f * ldk, *u = gu + (FL + f) * ldk;
    if (own->norm_slope)
      p->gate_norm_grad_b(CPU_CHUNK, n, g, u, ldk, own->da, n, own->dgu, act + f * ldk,
                          own->norm_inv + view.inv, own->norm_slope);
    else
      p->swiglu_grad_b(CPU_CHUNK, n, g, u, ldk, own->da, n, own->dgu, act + f * ldk);

    /* dX += W_in^T [dG; dU] */
    p->gemm(L, n, 2 * half, w->bwd[TRM__GATE_UP] + 2 * f / p->group, wide, own->dgu,
            (ptrdiff_t)2 * half * p->nr, dx, D, TRM__ADD);
  }
}

static void mixer_backward(trm__backend *be, trm__lane *lane, const trm__block *blk, int b,
                           const real *x, const real *y, real *dh, real *const *dw, bool accumulate,
                           cpu_memory memory) {
  const cpu_backend *c = cpu_of(be);
  const trm__dims *dims = &be->dims;
  const mixer_memory own = carve(c, b, true, memory);
  const int D = dims->D, L = dims->L, FL = dims->FL, blocks = n_blocks(dims),
            ldk = kept_cols(dims, c->product);
  int64_t lo, hi;

  /* dX, blocks of channels of all rows among the members. */
  trm__lane_share(lane, (int64_t)b * blocks, 1, &lo, &hi);
  for (int64_t i = lo; i < hi; i++)
    mixer_cols_grad(c, cpu_packed_of(be, blk), &own, view_of(c, i / blocks, i % blocks, CPU_COLS),
                    x, y, dh);

  /* dW_out += dS A^T, dW_in += [dG; dU] X^T. The depth of both is the channels: block by block of
   * each row. */
  for (int64_t i = 0; i < (int64_t)b * blocks; i++) {
    const cols_view view = view_of(c, i / blocks, i % blocks, CPU_COLS);
    const cpu_operand ds = {.form = CPU_ALONG, .data = own.ds + view.at, .stride = D};
    const cpu_operand act = {.form = CPU_UNITS_ALONG, .data = own.act + view.act, .stride = ldk};
    const cpu_operand dgu = {.form = CPU_UNITS_ALONG, .data = own.gu + view.gu, .stride = ldk};
    const cpu_operand xs = {.form = CPU_ALONG, .data = x + view.at, .stride = D};
    trm__cpu_weight_grad(c, lane, L, FL, view.n, 1, ds, act, dw[TRM__DOWN], accumulate || i > 0,
                         own.shared, own.grad);
    trm__cpu_weight_grad(c, lane, 2 * FL, L, view.n, 1, dgu, xs, dw[TRM__GATE_UP],
                         accumulate || i > 0, own.shared, own.grad);
  }
  trm__lane_barrier(lane);
}

const cpu_block_kind trm__cpu_mixer = {
    .packing = mixer_packing,
    .count = mixer_count,
    .forward = mixer_forward,
    .backward = mixer_backward,
};
