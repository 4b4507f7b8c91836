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

/* What one pass works in. `next` is from one column of gu to the next of all rows: gu is kept in
 * chunks of CPU_CHUNK columns one after the other, so that a chunk of a few rows is one stretch of
 * memory: [2F / CPU_CHUNK][R / group][CPU_CHUNK]. */
typedef struct mlp_memory {
  int64_t next;
  real *gu, *inv;          /* kept; NULL: they are not */
  real *ds, *act, *shared; /* the team's, backward; act: the operand B of depth R of dW_out */
  real *rows, *out;        /* the member's: operand A of a part of the rows, and their sum */
  real *act_a, *chunk;     /* forward: a chunk's activation as A; its g and u, side by side */
  real *da, *dgu;          /* backward: a chunk's da; its [dg du] as A */
  real *grad;              /* in the place of all these */
} mlp_memory;

static mlp_memory carve(const cpu_backend *c, int b, bool backward, cpu_memory memory) {
  const trm__dims *dims = &c->base.dims;
  const int64_t R = (int64_t)b * dims->L;
  mlp_memory own = {.next = trm__units(c->product, (int)R)};

  if (memory.saved != memory.shared) {
    own.gu = cpu_carve(memory.saved, own.next * 2 * dims->F);
    own.inv = cpu_carve(memory.saved, R);
  }

  own.rows = cpu_carve(memory.scratch, CPU_ROWS * dims->D);
  if (!backward) {
    own.out = cpu_carve(memory.scratch, CPU_ROWS * dims->D);
    own.act_a = cpu_carve(memory.scratch, CPU_ROWS * CPU_CHUNK);
    own.chunk = cpu_carve(memory.scratch, CPU_ROWS * 2 * CPU_CHUNK);
    return own;
  }

  own.ds = cpu_carve(memory.shared, R * dims->D);
  own.act = cpu_carve(memory.shared, trm__size_b(c->product, (int)R, dims->F));
  own.shared = cpu_carve(memory.shared, trm__size_b(c->product, (int)R, dims->D));
  own.da = cpu_carve(memory.scratch, CPU_ROWS * CPU_CHUNK);
  own.dgu = cpu_carve(memory.scratch, CPU_ROWS * 2 * CPU_CHUNK);
  trm__carve_anew(memory.scratch);
  own.grad = cpu_carve(memory.scratch, cpu_grad_scratch(c, (int)R));
  return own;
}

static void mlp_count(const cpu_backend *c, int b, bool backward, cpu_memory memory) {
  (void)carve(c, b, backward, memory);
}

/* Where row r of gu starts in each chunk. */
static int64_t row_of_gu(const cpu_backend *c, int64_t r) {
  return r / c->product->group * CPU_CHUNK;
}

/* Rows [r, r + rows), forward. */
static void mlp_rows(const cpu_backend *c, const cpu_packed *w, const mlp_memory *own, int64_t r,
                     int rows, const real *x, real *y) {
  const trm__dims *dims = &c->base.dims;
  const trm__product *p = c->product;
  const int D = dims->D, F = dims->F, deep = trm__units(p, D), half = trm__units(p, CPU_CHUNK);
  const ptrdiff_t in_ps = (ptrdiff_t)deep * p->nr, out_ps = (ptrdiff_t)trm__units(p, F) * p->nr;
  const real *gate = w->fwd[TRM__GATE_UP], *down = w->fwd[TRM__DOWN];
  real *kept = own->gu ? own->gu + row_of_gu(c, r) : NULL;
  int64_t lda;
  const real *xa = cpu_a(p, rows, D, x, D, own->rows, &lda);

  /* In float32 the product writes what is kept, else the activation converts it. */
  const bool direct = kept && p->a_as_is;
  const int mode = c->far | (direct ? TRM__FETCH_C : 0);

  /* The branch, CPU_CHUNK units of F at a time. */
  for (int f = 0; f < F; f += CPU_CHUNK) {
    real *keep_g = kept ? kept + f * own->next : NULL,
         *keep_u = kept ? kept + (F + f) * own->next : NULL;
    real *g = direct ? keep_g : own->chunk, *u = direct ? keep_u : own->chunk + rows * CPU_CHUNK;

    /* g = x W_g^T, u = x W_u^T */
    p->gemm(rows, CPU_CHUNK, deep, xa, lda, gate + f / p->nr * in_ps, in_ps, g, CPU_CHUNK, mode);
    p->gemm(rows, CPU_CHUNK, deep, xa, lda, gate + (F + f) / p->nr * in_ps, in_ps, u, CPU_CHUNK,
            mode);

    /* out += (silu(g) * u) W_out^T */
    p->swiglu_a(rows, CPU_CHUNK, g, u, CPU_CHUNK, own->act_a, half, direct ? NULL : keep_g,
                direct ? NULL : keep_u);
    p->gemm(rows, D, half, own->act_a, half, down + f / p->group * p->nr, out_ps, own->out, D,
            (f > 0 ? TRM__ADD : TRM__SET) | c->far);
  }

  /* y = norm(x + out) */
  c->kernels->add_rms_rows(rows, D, x, D, own->out, D, (real)dims->eps, y, D,
                           own->inv ? own->inv + r : NULL);
}

static void mlp_forward(trm__backend *be, trm__lane *lane, const trm__block *blk, int b,
                        const real *x, real *y, cpu_memory memory) {
  const cpu_backend *c = cpu_of(be);
  const int64_t D = be->dims.D, R = (int64_t)b * be->dims.L;
  const mlp_memory own = carve(c, b, false, memory);
  int64_t lo, hi;
  trm__lane_share(lane, R, 2, &lo, &hi);
  const int64_t part = cpu_part(hi - lo, CPU_ROWS);
  for (int64_t r = lo; r < hi; r += part)
    mlp_rows(c, cpu_packed_of(be, blk), &own, r, (int)(hi - r < part ? hi - r : part), x + r * D,
             y + r * D);
  trm__lane_barrier(lane);
}

/* Rows [r, r + rows), backward to the input: dh <- dx; their g u become units across the rows of
 * dg du; their part of the operand B of dW_out is filled in. */
static void mlp_rows_grad(const cpu_backend *c, const cpu_packed *w, const mlp_memory *own,
                          int64_t r, int rows, const real *y, real *dh) {
  const trm__dims *dims = &c->base.dims;
  const trm__product *p = c->product;
  const int D = dims->D, F = dims->F, deep = trm__units(p, D), half = trm__units(p, CPU_CHUNK);
  const ptrdiff_t out_ps = (ptrdiff_t)deep * p->nr, in_ps = (ptrdiff_t)trm__units(p, 2 * F) * p->nr,
                  act_ps = (ptrdiff_t)own->next * p->nr;
  real *gu = own->gu + row_of_gu(c, r), *act = own->act + r / p->group * p->nr;
  real *ds = own->ds + r * D;
  int64_t lda;

  /* ds = norm'(dy), which is also the first part of dx. */
  c->kernels->rms_rows_grad(rows, D, y, D, own->inv + r, dh, D, ds, D);
  memcpy(dh, ds, (size_t)rows * (size_t)D * sizeof *dh);
  const real *dsa = cpu_a(p, rows, D, ds, D, own->rows, &lda);

  for (int f = 0; f < F; f += CPU_CHUNK) {
    /* da = ds W_out */
    p->gemm(rows, CPU_CHUNK, deep, dsa, lda, w->bwd[TRM__DOWN] + f / p->nr * out_ps, out_ps,
            own->da, CPU_CHUNK, c->far);

    /* dg = da * u * silu'(g), du = da * silu(g), and a = silu(g) * u once more */
    p->swiglu_grad_a(rows, CPU_CHUNK, gu + f * own->next, gu + (F + f) * own->next, own->da,
                     CPU_CHUNK, own->dgu, 2 * half, act + f / p->nr * act_ps, act_ps);

    /* dx += [dg du] W_in */
    p->gemm(rows, D, 2 * half, own->dgu, 2 * half,
            w->bwd[TRM__GATE_UP] + (ptrdiff_t)2 * f / p->group * p->nr, in_ps, dh, D,
            TRM__ADD | c->far);
  }
}

static void mlp_backward(trm__backend *be, trm__lane *lane, const trm__block *blk, int b,
                         const real *x, const real *y, real *dh, real *const *dw, bool accumulate,
                         cpu_memory memory) {
  const cpu_backend *c = cpu_of(be);
  const mlp_memory own = carve(c, b, true, memory);
  const int D = be->dims.D, F = be->dims.F;
  const int64_t R = (int64_t)b * be->dims.L;
  int64_t lo, hi;

  /* dx, rows among the members. */
  trm__lane_share(lane, R, 2, &lo, &hi);
  const int64_t part = cpu_part(hi - lo, CPU_ROWS);
  for (int64_t r = lo; r < hi; r += part)
    mlp_rows_grad(c, cpu_packed_of(be, blk), &own, r, (int)(hi - r < part ? hi - r : part),
                  y + r * D, dh + r * D);

  /* dW_out = ds^T a, a packed already; dW_in = [dg du]^T x, [dg du] in chunks. */
  const cpu_operand act = {.form = CPU_PACKED, .data = own.act};
  const cpu_operand dgu = {.form = CPU_UNITS_ACROSS,
                           .data = own.gu,
                           .stride = CPU_CHUNK,
                           .block = CPU_CHUNK,
                           .block_next = own.next * CPU_CHUNK};
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
