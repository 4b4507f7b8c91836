/* SwiGLU over the channels: y = norm(x + W_out (silu(x W_g) * (x W_u))), rows independent.
 *
 * Forward   [g u] = x W_in^T          saved: g u [R, 2F], inv [R]   (R = b L rows)
 *           a = silu(g) * u
 *           y = norm(x + a W_out^T)   6 R D F FLOPs
 * Backward  ds = norm'(dy)            twice as many
 *           da = ds W_out, [dg du] = swiglu'(g, u, da)
 *           dx = ds + [dg du] W_in
 *           dW_out = ds^T a, dW_in = [dg du]^T x
 * With gate_norm a = silu(g) * u / rms(g u), rms over F: one number for a row, by which a W_out^T
 * is divided in the end. 1 / rms is kept, too, norm_inv [R]; backward, with slope = -norm_inv^2 / F
 * (ds . out), the branch being out,
 *
 *           da <- norm_inv da, dg += slope (g u) u, du += slope (g u) g
 *
 * A part of at most CPU_ROWS rows takes CPU_CHUNK units of F at a time from the first product
 * through the activation into the second, so that g, u and a never leave the cache on the way; g
 * and u are kept in the operands' format. */
#include "backend/cpu.h"

#include <math.h>
#include <string.h>

static unsigned mlp_packing(const trm__block *blk, int i) {
  (void)blk;
  return CPU_AS_B | (i == TRM__GATE_UP ? CPU_GATE_UP : CPU_DOWN);
}

/* --- the norm of gates times ups -------------------------------------------------------------- */

void trm__cpu_gate_norms(const cpu_backend *c, int n, int width, real *sums) {
  const real eps = (real)c->base.dims.inner_eps;
  for (int i = 0; i < n; i++) sums[i] = 1 / (real)sqrt((double)(sums[i] / (real)width + eps));
}
void trm__cpu_gate_slopes(int n, int width, const real *inv, const real *y_inv, const real *ds_x,
                          real *slope) {
  for (int i = 0; i < n; i++)
    slope[i] = -inv[i] * inv[i] / (real)width * (slope[i] / y_inv[i] - ds_x[i]);
}

/* --- the products of SwiGLU, of any width and any rows ---------------------------------------- */

void trm__cpu_swiglu_rows(const cpu_backend *c, const cpu_swiglu *s, int64_t r, int rows,
                          const real *x, real *out) {
  const trm__product *p = c->product;
  const int D = s->in, F = s->width, deep = trm__units(p, D), half = trm__units(p, CPU_CHUNK);
  const ptrdiff_t in_ps = (ptrdiff_t)deep * p->nr, out_ps = (ptrdiff_t)cpu_chunked(p, F) * p->nr;
  real *kept = s->gu ? s->gu + cpu_swiglu_at(c, r) : NULL;
  int64_t lda;
  const real *xa = cpu_a(p, rows, D, x, D, s->rows, &lda);

  /* In float32 the product writes what is kept, else the activation converts it. */
  const bool direct = kept && p->a_as_is;
  const int mode = c->far | (direct ? TRM__FETCH_C : 0);

  /* CPU_CHUNK units of F at a time. */
  if (s->norm_sum) memset(s->norm_sum, 0, (size_t)rows * sizeof *s->norm_sum);
  for (int f = 0; f < F; f += CPU_CHUNK) {
    real *keep_g = kept ? kept + f * s->next : NULL,
         *keep_u = kept ? kept + (F + f) * s->next : NULL;
    real *g = direct ? keep_g : s->chunk, *u = direct ? keep_u : s->chunk + rows * CPU_CHUNK;

    /* g = x W_g^T, u = x W_u^T */
    p->gemm(rows, CPU_CHUNK, deep, xa, lda, s->gate_up + f / p->nr * in_ps, in_ps, g, CPU_CHUNK,
            mode);
    p->gemm(rows, CPU_CHUNK, deep, xa, lda, s->gate_up + (F + f) / p->nr * in_ps, in_ps, u,
            CPU_CHUNK, mode);

    /* out += (silu(g) * u) W_out^T */
    if (s->norm_sum) c->kernels->add_squares_rows(rows, CPU_CHUNK, g, u, CPU_CHUNK, s->norm_sum);
    p->swiglu_a(rows, CPU_CHUNK, g, u, CPU_CHUNK, s->act_a, half, direct ? NULL : keep_g,
                direct ? NULL : keep_u);
    p->gemm(rows, D, half, s->act_a, half, s->down + (ptrdiff_t)cpu_chunked(p, f) * p->nr, out_ps,
            out, D, (f > 0 ? TRM__ADD : TRM__SET) | c->far);
  }
  if (!s->norm_sum) return;

  /* What the norm divides by, once for each row. */
  trm__cpu_gate_norms(c, rows, F, s->norm_sum);
  c->kernels->scale_rows(rows, D, out, D, s->norm_sum);
  if (s->norm_inv) memcpy(s->norm_inv + r, s->norm_sum, (size_t)rows * sizeof *s->norm_inv);
}

void trm__cpu_swiglu_rows_grad(const cpu_backend *c, const cpu_swiglu *s, int64_t r, int rows,
                               const real *ds, real *dx, real *act, ptrdiff_t act_ps) {
  const trm__product *p = c->product;
  const int D = s->in, F = s->width, deep = trm__units(p, D), half = trm__units(p, CPU_CHUNK);
  const ptrdiff_t out_ps = (ptrdiff_t)deep * p->nr, in_ps = (ptrdiff_t)trm__units(p, 2 * F) * p->nr;
  real *gu = s->gu + cpu_swiglu_at(c, r);
  int64_t lda;
  const real *dsa = cpu_a(p, rows, D, ds, D, s->rows, &lda);

  for (int f = 0; f < F; f += CPU_CHUNK) {
    /* da = ds W_out */
    p->gemm(rows, CPU_CHUNK, deep, dsa, lda, s->down_back + f / p->nr * out_ps, out_ps, s->da,
            CPU_CHUNK, c->far);

    /* dg = da * u * silu'(g), du = da * silu(g), and a = silu(g) * u once more */
    real *g = gu + f * s->next, *u = gu + (F + f) * s->next, *a = act + f / p->nr * act_ps;
    if (s->norm_slope)
      p->gate_norm_grad_a(rows, CPU_CHUNK, g, u, s->da, CPU_CHUNK, s->dgu, 2 * half, a, act_ps,
                          s->norm_inv + r, s->norm_slope);
    else
      p->swiglu_grad_a(rows, CPU_CHUNK, g, u, s->da, CPU_CHUNK, s->dgu, 2 * half, a, act_ps);

    /* dx += [dg du] W_in */
    p->gemm(rows, D, 2 * half, s->dgu, 2 * half,
            s->gate_up_back + (ptrdiff_t)2 * f / p->group * p->nr, in_ps, dx, D, TRM__ADD | c->far);
  }
}

void trm__cpu_swiglu_carve(const cpu_backend *c, cpu_swiglu *s, bool backward,
                           trm__carver *scratch) {
  s->rows = cpu_carve(scratch, CPU_ROWS * (s->in + c->product->head));
  if (!backward) {
    s->act_a = cpu_carve(scratch, CPU_ROWS * CPU_CHUNK);
    s->chunk = cpu_carve(scratch, CPU_ROWS * 2 * CPU_CHUNK);
  } else {
    s->da = cpu_carve(scratch, CPU_ROWS * CPU_CHUNK);
    s->dgu = cpu_carve(scratch, CPU_ROWS * 2 * CPU_CHUNK);
  }
}

void trm__cpu_swiglu_weights(cpu_swiglu *s, const cpu_packed *w, int first) {
  s->gate_up = w->fwd[first + TRM__GATE_UP];
  s->down = w->fwd[first + TRM__DOWN];
  s->gate_up_back = w->bwd[first + TRM__GATE_UP];
  s->down_back = w->bwd[first + TRM__DOWN];
}

/* --- the block -------------------------------------------------------------------------------- */

/* What one pass works in. */
typedef struct mlp_memory {
  cpu_swiglu swiglu;
  real *inv;               /* kept; NULL: it is not */
  real *ds_x;              /* the member's, backward with gate_norm: ds . x of a part of the rows */
  real *ds, *act, *shared; /* the team's, backward; act: the operand B of depth R of dW_out */
  real *out;               /* the member's, forward: the branch of a part of the rows */
  real *grad;              /* in the place of the member's */
} mlp_memory;

static mlp_memory carve(const cpu_backend *c, int b, bool backward, cpu_memory memory) {
  const trm__dims *dims = &c->base.dims;
  const int64_t R = (int64_t)b * dims->L;
  mlp_memory own = {.swiglu = {.in = dims->D, .width = dims->F}};
  own.swiglu.next = trm__units(c->product, (int)R);

  if (memory.saved != memory.shared) {
    own.swiglu.gu = cpu_carve(memory.saved, own.swiglu.next * 2 * dims->F);
    own.inv = cpu_carve(memory.saved, R);
    if (dims->gate_norm) own.swiglu.norm_inv = cpu_carve(memory.saved, R);
  }

  trm__cpu_swiglu_carve(c, &own.swiglu, backward, memory.scratch);
  if (dims->gate_norm && backward) {
    own.swiglu.norm_slope = cpu_carve(memory.scratch, CPU_ROWS);
    own.ds_x = cpu_carve(memory.scratch, CPU_ROWS);
  }
  if (!backward) {
    if (dims->gate_norm) own.swiglu.norm_sum = cpu_carve(memory.scratch, CPU_ROWS);
    own.out = cpu_carve(memory.scratch, CPU_ROWS * dims->D);
    return own;
  }

  own.ds = cpu_carve(memory.shared, R * dims->D);
  own.act = cpu_carve(memory.shared, trm__size_b(c->product, (int)R, dims->F));
  own.shared = cpu_carve(memory.shared, trm__size_b(c->product, (int)R, dims->D));
  trm__carve_anew(memory.scratch);
  own.grad = cpu_carve(memory.scratch, cpu_grad_scratch(c, (int)R));
  return own;
}

static void mlp_count(const cpu_backend *c, int b, bool backward, cpu_memory memory) {
  (void)carve(c, b, backward, memory);
}

/* Rows [r, r + rows), forward: y = norm(x + out). */
static void mlp_rows(const cpu_backend *c, const mlp_memory *own, int64_t r, int rows,
                     const real *x, real *y) {
  const int D = c->base.dims.D;
  trm__cpu_swiglu_rows(c, &own->swiglu, r, rows, x, own->out);
  c->kernels->add_rms_rows(rows, D, x, D, own->out, D, (real)c->base.dims.eps, y, D,
                           own->inv ? own->inv + r : NULL);
}

static void mlp_forward(trm__backend *be, trm__lane *lane, const trm__block *blk, int b,
                        const real *x, real *y, cpu_memory memory) {
  const cpu_backend *c = cpu_of(be);
  const int64_t D = be->dims.D, R = (int64_t)b * be->dims.L;
  mlp_memory own = carve(c, b, false, memory);
  int64_t lo, hi;
  trm__cpu_swiglu_weights(&own.swiglu, cpu_packed_of(be, blk), 0);
  trm__lane_share(lane, R, 2, &lo, &hi);
  const int64_t part = cpu_part(c->product, hi - lo);
  for (int64_t r = lo; r < hi; r += part)
    mlp_rows(c, &own, r, (int)(hi - r < part ? hi - r : part), x + r * D, y + r * D);
  trm__lane_barrier(lane);
}

/* Rows [r, r + rows), backward to the input: dh <- dx; their g u become units across the rows of
 * dg du; their part of the operand B of dW_out is filled in. */
static void mlp_rows_grad(const cpu_backend *c, const mlp_memory *own, int64_t r, int rows,
                          const real *x, const real *y, real *dh) {
  const trm__product *p = c->product;
  const int D = c->base.dims.D;
  real *ds = own->ds + r * D;

  /* ds = norm'(dy), which is also the first part of dx. */
  c->kernels->rms_rows_grad(rows, D, y, D, own->inv + r, dh, D, ds, D);
  memcpy(dh, ds, (size_t)rows * (size_t)D * sizeof *dh);
  if (own->ds_x) {
    c->kernels->dot_rows(rows, D, ds, D, y, D, own->swiglu.norm_slope);
    c->kernels->dot_rows(rows, D, ds, D, x, D, own->ds_x);
    trm__cpu_gate_slopes(rows, own->swiglu.width, own->swiglu.norm_inv + r, own->inv + r, own->ds_x,
                         own->swiglu.norm_slope);
  }
  trm__cpu_swiglu_rows_grad(c, &own->swiglu, r, rows, ds, dh, own->act + r / p->group * p->nr,
                            (ptrdiff_t)own->swiglu.next * p->nr);
}

static void mlp_backward(trm__backend *be, trm__lane *lane, const trm__block *blk, int b,
                         const real *x, const real *y, real *dh, real *const *dw, bool accumulate,
                         cpu_memory memory) {
  const cpu_backend *c = cpu_of(be);
  mlp_memory own = carve(c, b, true, memory);
  const int D = be->dims.D, F = be->dims.F;
  const int64_t R = (int64_t)b * be->dims.L;
  int64_t lo, hi;
  trm__cpu_swiglu_weights(&own.swiglu, cpu_packed_of(be, blk), 0);

  /* dx, rows among the members. */
  trm__lane_share(lane, R, 2, &lo, &hi);
  const int64_t part = cpu_part(c->product, hi - lo);
  for (int64_t r = lo; r < hi; r += part)
    mlp_rows_grad(c, &own, r, (int)(hi - r < part ? hi - r : part), x + r * D, y + r * D,
                  dh + r * D);

  /* dW_out = ds^T a, a packed already; dW_in = [dg du]^T x, [dg du] in chunks. */
  const cpu_operand act = {.form = CPU_PACKED, .data = own.act};
  const cpu_operand dgu = cpu_swiglu_dgu(c, &own.swiglu, 0);
  trm__cpu_weight_grad(c, lane, D, F, (int)R, 1, cpu_across(own.ds, D), act, dw[TRM__DOWN],
                       accumulate, NULL, own.grad);
  trm__cpu_weight_grad(c, lane, 2 * F, D, (int)R, 1, dgu, cpu_across(x, D), dw[TRM__GATE_UP],
                       accumulate, own.shared, own.grad);
  trm__lane_barrier(lane);
}

const cpu_block_kind trm__cpu_mlp = {
    .packing = mlp_packing,
    .count = mlp_count,
    .forward = mlp_forward,
    .backward = mlp_backward,
};
