/* The CPU backend: packing the weights, and the table of ops.
 *
 * Weights are packed once per update into the order in which the products read them; a tile's rows
 * (or, in the mixer, channels) are worked on in blocks whose intermediate values stay in cache. */
#include "backend/cpu.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

/* Packed weights beyond this do not stay in a usual second-level cache. */
enum { FAR_BYTES = 1 << 20 };

static const cpu_block_kind *const kinds[TRM__BLOCK_KINDS] = {
    [TRM__BLOCK_ATTENTION] = &trm__cpu_attention,
    [TRM__BLOCK_MIXER] = &trm__cpu_mixer,
    [TRM__BLOCK_MLP] = &trm__cpu_mlp,
};

/* --- packed weights -------------------------------------------------------------------------- */

/* One packed form of a weight. */
typedef struct pack_job {
  bool as_a;
  int outer, depth; /* rows of A or columns of B; k */
  int outer_stride, depth_stride;
  bool in_chunks; /* the depth: CPU_CHUNK of its first half, as many of its second, and so on */
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
  *job = pass == FORWARD ? (pack_job){as_a, w->rows, w->cols, w->cols, 1, false}
                         : (pack_job){as_a, w->cols, w->rows, 1, w->cols, packing & CPU_IN_CHUNKS};
  return packing != CPU_PLAIN;
}

static real **place_of(cpu_packed *p, int pass, int i) {
  return pass == FORWARD ? &p->fwd[i] : &p->bwd[i];
}

static int64_t job_size(const cpu_backend *c, const pack_job *job) {
  return job->as_a ? (int64_t)job->outer * trm__units(c->p, job->depth)
                   : trm__size_b(c->p, job->depth, job->outer);
}

/* Packs this lane's share: pieces of nr rows or columns by CPU_CHUNK of the depth. */
static void run_job(const cpu_backend *c, const trm__lane *all, const pack_job *job,
                    const real *weight, real *dst) {
  const trm__product *p = c->p;
  const int units = trm__units(p, job->depth), step = job->in_chunks ? CPU_CHUNK : job->depth;
  int64_t lo, hi;
  trm__lane_share(all, job->outer, p->nr, &lo, &hi);
  for (int64_t r = lo; r < hi; r += p->nr) {
    int n = cpu_min(p->nr, (int)(hi - r));
    for (int d = 0; d < job->depth; d += step) {
      int from = job->in_chunks ? d / step % 2 * (job->depth / 2) + d / step / 2 * step : d;
      const real *src = weight + r * job->outer_stride + (ptrdiff_t)from * job->depth_stride;
      if (job->as_a)
        p->to_a(n, step, src, job->outer_stride, job->depth_stride, dst + r * units + d / p->group,
                units);
      else
        p->to_b(step, n, src, job->depth_stride, job->outer_stride,
                dst + r * units + (ptrdiff_t)d / p->group * p->nr);
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
    const trm__dims *m = &be->dims;
    c->p->to_b(m->D, m->V, params + be->outer.lm_head, 1, m->D, c->head);
    be->params = params;
  }
}

/* --- sizes ----------------------------------------------------------------------------------- */

static int64_t saved_size(const trm__dims *dims, const trm__product *p, trm__block_kind kind) {
  return (kinds[kind]->saved(dims, p) + 15) / 16 * 16; /* keeps what follows on whole cache lines */
}
static int64_t cpu_saved_size(const trm__backend *be, trm__block_kind kind) {
  return saved_size(&be->dims, ((const cpu_backend *)be)->p, kind);
}
int64_t trm__cpu_saved_size(const trm__dims *dims, trm__block_kind kind) {
  const trm__kernels *k;
  if (trm__kernels_select(&k, NULL) != TRM_OK) k = &trm__kernels_portable;
  return saved_size(dims, &k->product[dims->dtype], kind);
}

static int64_t largest(const trm__backend *be, int b, bool training, bool shared) {
  const cpu_backend *c = (const cpu_backend *)be;
  int64_t most = shared ? trm__cpu_head_shared(c, b) : trm__cpu_head_scratch(c, b);
  for (int i = 0; i < be->n_blocks; i++) {
    const cpu_block_kind *kind = kinds[be->blocks[i].kind];
    int64_t n = shared ? kind->shared(c, b, training) : kind->scratch(c, b, training);
    if (n > most) most = n;
  }
  return most;
}
static int64_t cpu_shared_size(const trm__backend *be, int b, bool training) {
  return largest(be, b, training, true);
}
static int64_t cpu_scratch_size(const trm__backend *be, int b, bool training) {
  return largest(be, b, training, false);
}

static const char *cpu_kernels(const trm__backend *be) {
  return ((const cpu_backend *)be)->k->name;
}

static int64_t cpu_held_bytes(const trm__backend *be) {
  return ((const cpu_backend *)be)->n_memory * (int64_t)sizeof(real);
}

static void cpu_block(trm__backend *be, trm__workspace *ws, const trm__block *blk, int b,
                      const real *x, real *y, real *saved) {
  kinds[blk->kind]->forward(be, ws, blk, b, x, y, saved);
}
static void cpu_block_grad(trm__backend *be, trm__workspace *ws, const trm__block *blk, int b,
                           const real *x, const real *y, real *saved, real *dh, real *const *dw,
                           bool accumulate) {
  kinds[blk->kind]->backward(be, ws, blk, b, x, y, saved, dh, dw, accumulate);
}

/* --- creation -------------------------------------------------------------------------------- */

static void cpu_destroy(trm__backend *be) {
  cpu_backend *c = cpu_of(be);
  trm__free(c->memory);
  trm__free(c->packed);
  trm__free(be->blocks);
  trm__free(c);
}

const trm__backend_ops trm__cpu_ops = {
    .name = "cpu",
    .host = true,
    .kernels = cpu_kernels,
    .slots = CPU_SLOTS,
    .destroy = cpu_destroy,
    .alloc = trm__cpu_alloc,
    .release = trm__cpu_release,
    .put = trm__cpu_move,
    .get = trm__cpu_move,
    .copy = trm__cpu_move,
    .put_latents = trm__cpu_move_latents,
    .get_latents = trm__cpu_move_latents,
    .budget = trm__cpu_budget,
    .run = trm__cpu_run,
    .latent_size = trm__cpu_latent_size,
    .saved_size = cpu_saved_size,
    .shared_size = cpu_shared_size,
    .scratch_size = cpu_scratch_size,
    .held_bytes = cpu_held_bytes,
    .pack = cpu_pack,
    .embed = trm__cpu_embed,
    .embed_grad = trm__cpu_embed_grad,
    .clear = trm__cpu_clear,
    .sum = trm__cpu_sum,
    .block = cpu_block,
    .block_grad = cpu_block_grad,
    .head = trm__cpu_head,
    .loss = trm__cpu_loss,
    .head_grad = trm__cpu_head_grad,
    .q_target = trm__cpu_q_target,
    .refill = trm__cpu_refill,
    .halt = trm__cpu_halt,
    .clear_grads = trm__cpu_clear,
    .add_grads = trm__cpu_sum,
    .sum_slots = trm__cpu_sum_slots,
    .finish_grads = trm__cpu_finish_grads,
    .has_rule = trm__cpu_has_rule,
    .update = trm__cpu_update,
};

static int64_t lay_out_block(cpu_backend *c, int block, real *base) {
  const trm__block *blk = &c->base.blocks[block];
  pack_job job;
  int64_t at = 0;
  for (int pass = 0; pass < n_passes(c); pass++)
    for (int i = 0; i < blk->n_weights; i++) {
      if (!job_of(blk, pass, i, &job)) continue;
      *place_of(&c->packed[block], pass, i) = base ? base + at : NULL;
      at += (job_size(c, &job) + 15) / 16 * 16;
    }
  return at;
}

/* Lays the packed weights and tables out in one block; NULL base only counts. */
static int64_t lay_out(cpu_backend *c, real *base) {
  const trm__dims *m = &c->base.dims;
  int64_t at = 0;
  for (int i = 0; i < c->base.n_blocks; i++) at += lay_out_block(c, i, base ? base + at : NULL);
  c->head = base ? base + at : NULL;
  at += trm__size_b(c->p, m->D, m->V);
  c->rope_cos = base ? base + at : NULL;
  at += (int64_t)m->L * (m->d / 2);
  c->rope_sin = base ? base + at : NULL;
  return at + (int64_t)m->L * (m->d / 2);
}

/* Angles t * theta^(-2i/d), in double. */
static void fill_rope(cpu_backend *c) {
  const trm__dims *m = &c->base.dims;
  int half = m->d / 2;
  for (int t = 0; t < m->L; t++)
    for (int i = 0; i < half; i++) {
      double angle = t * pow(m->rope_theta, -2.0 * i / m->d);
      c->rope_cos[t * half + i] = (real)cos(angle);
      c->rope_sin[t * half + i] = (real)sin(angle);
    }
}

trm_status trm__cpu_create(const trm__dims *dims, const trm__outer *outer, const trm__block *blocks,
                           int n_blocks, bool training, trm__backend **out, trm_error *err) {
  const trm__kernels *k;
  cpu_backend *c;
  TRM_TRY(trm__kernels_select(&k, err));
  TRM_ALLOC(&c, 1, "the CPU backend", err);
  c->base =
      (trm__backend){.ops = &trm__cpu_ops, .dims = *dims, .outer = *outer, .n_blocks = n_blocks};
  c->k = k;
  c->p = &k->product[dims->dtype];
  c->training = training;
  c->base.blocks = trm__alloc((uint64_t)n_blocks, sizeof *blocks);
  c->packed = trm__alloc((uint64_t)n_blocks, sizeof *c->packed);
  if (c->base.blocks && c->packed) {
    memcpy(c->base.blocks, blocks, (size_t)n_blocks * sizeof *blocks);
    c->n_memory = lay_out(c, NULL);
    c->memory = trm__alloc((uint64_t)c->n_memory, sizeof *c->memory);
  }
  if (!c->memory) {
    cpu_destroy(&c->base);
    TRM_FAIL(err, TRM_E_MEMORY, "no memory for the packed weights");
  }
  lay_out(c, c->memory);
  c->far = c->n_memory * (int64_t)sizeof(real) > FAR_BYTES ? TRM__FETCH_B : 0;
  if (dims->rope) fill_rope(c);
  *out = &c->base;
  return TRM_OK;
}
