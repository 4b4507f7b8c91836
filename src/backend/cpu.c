/* The CPU backend: packing the weights, and the table of ops.
 *
 * Weights are packed once per update into the order in which the products read them; a tile's rows
 * (or, in the mixer, channels) are worked on in blocks whose intermediate values stay in cache. */
#include "backend/cpu.h"

#include <math.h>
#include <string.h>

#include "backend/rope.h"
#include "base/check.h"
#include "base/memory.h"

/* Packed weights beyond this do not stay in a usual second-level cache. */
enum { FAR_BYTES = 1 << 20 };

static const cpu_block_kind *const kinds[TRM__BLOCK_KINDS] = {
    [TRM__BLOCK_ATTENTION] = &trm__cpu_attention,
    [TRM__BLOCK_MIXER] = &trm__cpu_mixer,
    [TRM__BLOCK_MLP] = &trm__cpu_mlp,
    [TRM__BLOCK_EXPERTS_T] = &trm__cpu_experts_t,
    [TRM__BLOCK_EXPERTS] = &trm__cpu_experts,
};

/* --- packed weights -------------------------------------------------------------------------- */

/* One packed form of a weight. */
typedef struct pack_job {
  bool as_a;
  int outer, depth; /* rows of A or columns of B; k */
  int outer_stride, depth_stride;
  int step;    /* of the depth, one operand of it */
  bool halves; /* of the depth a step of the first half, one of the second, and so on */
} pack_job;

enum { FORWARD, BACKWARD, PASSES };

static int n_passes(const cpu_backend *c) {
  return c->training ? PASSES : BACKWARD;
}

/* False where the weight is not packed. */
static bool job_of(const trm__block *blk, int pass, int i, pack_job *job) {
  const unsigned packing = kinds[blk->kind]->packing(blk, i);
  const trm__weight *w = &blk->w[i];
  const bool as_a = packing & CPU_AS_A;
  const bool down = packing & CPU_DOWN, gate_up = packing & CPU_GATE_UP;
  *job =
      pass == FORWARD
          ? (pack_job){as_a, w->rows, w->cols, w->cols, 1, down ? CPU_CHUNK : w->cols, false}
          : (pack_job){as_a, w->cols, w->rows, 1, w->cols, gate_up ? CPU_CHUNK : w->rows, gate_up};
  return packing != CPU_PLAIN;
}

static real **place_of(cpu_packed *p, int pass, int i) {
  return pass == FORWARD ? &p->fwd[i] : &p->bwd[i];
}

/* Units of the whole depth. */
static int job_units(const cpu_backend *c, const pack_job *job) {
  return job->depth / job->step * trm__units(c->product, job->step);
}
static int64_t job_size(const cpu_backend *c, const pack_job *job) {
  const int64_t nr = c->product->nr, outer = job->outer;
  return (job->as_a ? outer : (outer + nr - 1) / nr * nr) * job_units(c, job);
}

/* Packs this lane's share: pieces of nr rows or columns by CPU_CHUNK of the depth. */
static void run_job(const cpu_backend *c, const trm__lane *all, const pack_job *job,
                    const real *weight, real *dst) {
  const trm__product *p = c->product;
  const int units = job_units(c, job), step = job->step;
  int64_t lo, hi;
  trm__lane_share(all, job->outer, p->nr, &lo, &hi);

  for (int64_t r = lo; r < hi; r += p->nr) {
    int n = cpu_min(p->nr, (int)(hi - r));
    for (int d = 0, at = 0; d < job->depth; d += step, at += trm__units(p, step)) {
      /* Of halves, step 2 i of the depth is step i of the first, step 2 i + 1 of the second. */
      int from = job->halves ? d / step % 2 * (job->depth / 2) + d / step / 2 * step : d;
      const real *src = weight + r * job->outer_stride + (ptrdiff_t)from * job->depth_stride;
      if (job->as_a)
        p->to_a(n, step, src, job->outer_stride, job->depth_stride, dst + r * units + at, units);
      else
        p->to_b(step, n, src, job->depth_stride, job->outer_stride,
                dst + r * units + (ptrdiff_t)at * p->nr);
    }
  }
}

/* All packed forms of one block. */
static void pack_block(cpu_backend *c, const trm__lane *all, int block, const real *params) {
  const trm__block *blk = &c->base.blocks[block];
  pack_job job;
  for (int pass = 0; pass < n_passes(c); pass++)
    for (int i = 0; i < blk->n_weights; i++)
      if (job_of(blk, pass, i, &job))
        run_job(c, all, &job, params + blk->w[i].at, *place_of(&c->packed[block], pass, i));
}

static void cpu_pack(trm__backend *be, const trm__lane *lane, const real *params) {
  cpu_backend *c = cpu_of(be);
  trm__lane all = {0, 1, lane->team * lane->size + lane->rank, lane->n_teams * lane->size, NULL};
  for (int i = 0; i < be->n_blocks; i++) pack_block(c, &all, i, params);
  if (all.rank == 0) {
    const trm__dims *dims = &be->dims;
    c->fine->to_b(dims->D, dims->V, params + be->outer.lm_head, 1, dims->D, c->head);
    be->params = params;
  }
}

/* --- sizes ----------------------------------------------------------------------------------- */

static int64_t in_reals(const trm__carver *c) {
  return c->most / (int64_t)sizeof(real);
}

/* Of a tile of one row: what larger ones keep is at most as much per row. */
static int64_t saved_size(const cpu_backend *c, trm__block_kind kind) {
  trm__carver saved = {0}, rest = {0};
  kinds[kind]->count(c, 1, false, (cpu_memory){&saved, &rest, &rest, NULL, NULL});
  return in_reals(&saved);
}
static int64_t cpu_saved_size(const trm__backend *be, trm__block_kind kind) {
  return saved_size((const cpu_backend *)be, kind);
}
int64_t trm__cpu_saved_size(const trm__dims *dims, trm__block_kind kind) {
  cpu_backend c = {.base.dims = *dims};
  if (trm__kernels_select(&c.kernels, NULL) != TRM_OK) c.kernels = &TRM__KERNELS_ALWAYS;
  c.product = trm__product_of(c.kernels, dims->dtype);
  c.fine = cpu_fine(c.kernels, dims->dtype);
  if (!c.product) c.product = c.fine; /* refused when it is to compute */
  return saved_size(&c, kind);
}

/* What the most demanding op takes of the team's and of a member's memory: they follow each other
 * in the same place. */
static void count_ops(const trm__backend *be, int b, bool training, trm__carver *shared,
                      trm__carver *scratch) {
  const cpu_backend *c = (const cpu_backend *)be;
  trm__carver saved = {0};
  trm__cpu_head_count(c, (cpu_memory){&saved, shared, scratch, NULL, NULL});
  for (int i = 0; i < be->n_blocks; i++)
    for (int backward = 0; backward <= training; backward++) {
      trm__carver *kept = backward ? &saved : shared; /* forward: all of it, when nothing is kept */
      trm__carve_anew(shared);
      trm__carve_anew(scratch);
      kinds[be->blocks[i].kind]->count(c, b, backward,
                                       (cpu_memory){kept, shared, scratch, NULL, NULL});
    }
}
static int64_t cpu_shared_size(const trm__backend *be, int b, bool training) {
  trm__carver shared = {0}, scratch = {0};
  count_ops(be, b, training, &shared, &scratch);
  return in_reals(&shared);
}
static int64_t cpu_scratch_size(const trm__backend *be, int b, bool training) {
  trm__carver shared = {0}, scratch = {0};
  count_ops(be, b, training, &shared, &scratch);
  return in_reals(&scratch);
}

static const char *cpu_kernels(const trm__backend *be) {
  return ((const cpu_backend *)be)->kernels->name;
}

static int64_t cpu_held_bytes(const trm__backend *be) {
  return ((const cpu_backend *)be)->bytes;
}

/* What an op has carved is what was counted for it. */
static void check_carved(const trm__backend *be, const trm__block *blk, int b, bool training,
                         const trm__carver *saved, const trm__carver *shared,
                         const trm__carver *scratch) {
  TRM_ASSERT(in_reals(saved) <= b * cpu_saved_size(be, blk->kind));
  TRM_ASSERT(in_reals(shared) <= cpu_shared_size(be, b, training));
  TRM_ASSERT(in_reals(scratch) <= cpu_scratch_size(be, b, training));
}

static trm__carver carver(real *block) {
  return (trm__carver){.block = (unsigned char *)block};
}

static void cpu_block(trm__backend *be, trm__workspace *ws, const trm__block *blk, int b,
                      const real *x, real *y, real *saved) {
  trm__carver kept = carver(saved), shared = carver(ws->shared), scratch = carver(ws->scratch);
  const cpu_memory memory = {saved ? &kept : &shared, &shared, &scratch, ws->routing, ws->places};
  kinds[blk->kind]->forward(be, ws->lane, blk, b, x, y, memory);
  check_carved(be, blk, b, false, &kept, &shared, &scratch);
}
static void cpu_block_grad(trm__backend *be, trm__workspace *ws, const trm__block *blk, int b,
                           const real *x, const real *y, real *saved, real *dh, real *const *dw,
                           bool accumulate) {
  trm__carver kept = carver(saved), shared = carver(ws->shared), scratch = carver(ws->scratch);
  const cpu_memory memory = {&kept, &shared, &scratch, ws->routing, ws->places};
  kinds[blk->kind]->backward(be, ws->lane, blk, b, x, y, dh, dw, accumulate, memory);
  check_carved(be, blk, b, true, &kept, &shared, &scratch);
}

/* --- creation -------------------------------------------------------------------------------- */

static void cpu_destroy(trm__backend *be) {
  cpu_backend *c = cpu_of(be);
  trm__free(c->memory);
  trm__free(c->packed);
  trm__free(be->blocks);
  trm__free(c);
}

/* Those of this file, and of the others. */
static void fill_ops(trm__backend_ops *ops, int block) {
  *ops = (trm__backend_ops){.name = "cpu",
                            .host = true,
                            .kernels = cpu_kernels,
                            .slots = CPU_SLOTS,
                            .block_positions = block,
                            .destroy = cpu_destroy,
                            .saved_size = cpu_saved_size,
                            .shared_size = cpu_shared_size,
                            .scratch_size = cpu_scratch_size,
                            .held_bytes = cpu_held_bytes,
                            .pack = cpu_pack,
                            .block = cpu_block,
                            .block_grad = cpu_block_grad,
                            .balance = trm__cpu_balance};
  trm__cpu_embed_ops(ops);
  trm__cpu_head_ops(ops);
  trm__cpu_solve_ops(ops);
  trm__cpu_train_ops(ops);
}

/* Carves the packed weights and the tables. */
static void lay_out(cpu_backend *c, trm__carver *memory) {
  const trm__dims *dims = &c->base.dims;
  const int64_t table = (int64_t)trm__grid_positions(dims) * (dims->d / 2);
  pack_job job;

  for (int block = 0; block < c->base.n_blocks; block++) {
    const trm__block *blk = &c->base.blocks[block];
    for (int pass = 0; pass < n_passes(c); pass++)
      for (int i = 0; i < blk->n_weights; i++)
        if (job_of(blk, pass, i, &job))
          *place_of(&c->packed[block], pass, i) = cpu_carve(memory, job_size(c, &job));
  }

  c->head = cpu_carve(memory, trm__size_b(c->fine, dims->D, dims->V));
  c->rope_cos = cpu_carve(memory, table);
  c->rope_sin = cpu_carve(memory, table);
}

/* Of all positions, in double. */
static void fill_rope(cpu_backend *c) {
  const trm__dims *dims = &c->base.dims;
  int half = dims->d / 2;
  for (int t = 0; t < trm__grid_positions(dims); t++)
    for (int i = 0; i < half; i++) {
      double angle = trm__rope_angle(dims, t, i);
      c->rope_cos[t * half + i] = (real)cos(angle);
      c->rope_sin[t * half + i] = (real)sin(angle);
    }
}

trm_status trm__cpu_create(const trm__dims *dims, const trm__outer *outer, const trm__block *blocks,
                           int n_blocks, bool training, trm__backend **out, trm_error *err) {
  const trm__kernels *kernels;
  trm__carver count = {0}, memory = {0};
  cpu_backend *c;
  TRM_TRY(trm__kernels_select(&kernels, err));
  if (dims->dtype == TRM_INT8 && training)
    TRM_FAIL(err, TRM_E_CONFIG,
             "forward_dtype=int8 is for solving, it has no gradient: train in bfloat16 or float32");
  if (!trm__product_of(kernels, dims->dtype))
    TRM_FAIL(err, TRM_E_CONFIG, "the kernels %s have no products in %s: choose another format",
             kernels->name, trm_dtype_name(dims->dtype));
  TRM_ALLOC(&c, 1, "the CPU backend", err);
  fill_ops(&c->ops, cpu_depth_block(&kernels->product[TRM_BFLOAT16]));
  c->base = (trm__backend){.ops = &c->ops, .dims = *dims, .outer = *outer, .n_blocks = n_blocks};
  c->kernels = kernels;
  c->product = trm__product_of(kernels, dims->dtype);
  c->fine = cpu_fine(kernels, dims->dtype);
  c->training = training;

  /* A copy of the blocks, and one block of memory for all that is packed. */
  c->base.blocks = trm__alloc((uint64_t)n_blocks, sizeof *blocks);
  c->packed = trm__alloc((uint64_t)n_blocks, sizeof *c->packed);
  if (c->base.blocks && c->packed) {
    memcpy(c->base.blocks, blocks, (size_t)n_blocks * sizeof *blocks);
    lay_out(c, &count);
    memory.block = trm__alloc((uint64_t)count.bytes, 1);
  }
  if (!memory.block) {
    cpu_destroy(&c->base);
    TRM_FAIL(err, TRM_E_MEMORY, "no memory for the packed weights");
  }
  c->memory = memory.block;
  lay_out(c, &memory);
  TRM_ASSERT(memory.bytes == count.bytes);

  c->bytes = memory.bytes;
  c->far = c->bytes > FAR_BYTES ? TRM__FETCH_B : 0;
  if (dims->rope) fill_rope(c);
  *out = &c->base;
  return TRM_OK;
}
