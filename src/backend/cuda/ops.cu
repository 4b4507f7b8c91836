/* The ops on activations, rows and weights, each a few kernels on the backend's stream. */
#include <math.h>

#include <type_traits>

#include "backend.cuh"
#include "experts.cuh"
#include "outer.cuh"
#include "solve.cuh"
#include "train.cuh"
#include "vector.cuh"

/* Calls f with a null pointer of the type of activations. */
#define WITH_TYPE(be, f)             \
  do {                               \
    if (is_bf16(be))                 \
      f(static_cast<bf16 *>(NULL));  \
    else                             \
      f(static_cast<float *>(NULL)); \
  } while (0)
template <class T, class R>
static T *as(T *, R *p) {
  return reinterpret_cast<T *>(p);
}
template <class T, class R>
static const T *as(T *, const R *p) {
  return reinterpret_cast<const T *>(p);
}

/* --- sizes ----------------------------------------------------------------------------------- */

static int64_t latent_size(const trm__backend *be) {
  return (int64_t)be->dims.L * be->dims.D * value_size(be) / (int64_t)sizeof(real);
}
static int64_t saved_size(const trm__backend *be, trm__block_kind kind) {
  return block_saved(cuda_of(be), kind);
}
static int64_t shared_size(const trm__backend *be, int b, bool training) {
  const trm__dims &dims = be->dims;
  int64_t most = training ? table_grad_scratch((int64_t)b * dims.S, dims.V, dims.D) : 0;
  if (training && table_grad_scratch(b, 2, dims.D) > most) most = table_grad_scratch(b, 2, dims.D);
  if (training && losses_scratch(dims, b) > most) most = losses_scratch(dims, b);
  for (int i = 0; i < dims.n_tables && training; i++) {
    const int64_t n = table_grad_scratch((int64_t)b * dims.S, dims.units[i].n, dims.D);
    if (n > most) most = n;
  }
  const int64_t walls = table_grad_scratch((int64_t)b * dims.S, TRM__WALLS, dims.D);
  if (training && dims.grid_cells && walls > most) most = walls;
  if (training && (int64_t)b * dims.D > most) most = (int64_t)b * dims.D; /* start_grad's */
  for (int i = 0; i < be->n_blocks; i++) {
    const int64_t n = block_shared(cuda_of(be), be->blocks[i].kind, b, training);
    if (n > most) most = n;
  }
  return most;
}
static int64_t scratch_size(const trm__backend *, int, bool) {
  return 0;
}

/* --- weights --------------------------------------------------------------------------------- */

template <class T>
static void pack_weights(CudaBackend *c, const real *params) {
  for (int i = 0; i < c->base.n_blocks; i++) {
    const BlockWeights &w = c->weights[i];
    const trm__block &blk = c->base.blocks[i];
    for (int j = 0; j < blk.n_weights; j++)
      convert_rows(params + blk.w[j].at, static_cast<T *>(w.w[j].at), blk.w[j].rows, blk.w[j].cols,
                   w.w[j].ld, c->stream);
    block_pack(c, &w, &blk, params);
  }
}
static void pack(trm__backend *be, const trm__lane *, const real *params) {
  (is_bf16(be) ? pack_weights<bf16> : pack_weights<float>)(cuda_of(be), params);
  be->params = params;
}

/* --- embedding and sums ---------------------------------------------------------------------- */

/* sqrt(D), and with learned positions another sqrt(1/2). */
static float embed_scale(const trm__dims &dims) {
  return (float)(sqrt((double)dims.D) * (dims.learned ? 0.707106781 : 1.0));
}

static void op_embed(trm__backend *be, trm__workspace *ws, int b, const int32_t *inputs,
                     const int32_t *fed, const real *const *puzzle, real *e) {
  WITH_TYPE(be, [&](auto *t) {
    embed(be->dims, be->outer, be->params, b, inputs, ws->places, fed, puzzle,
          embed_scale(be->dims), as(t, e), cuda_of(be)->stream);
  });
}

template <class T>
static TableGrad<T> table_of(const trm__dims &dims, int b, const T *x) {
  return {x, b, dims.L, dims.D, dims.P, dims.S, dims.V, NULL, NULL, 0, {}, NULL, false};
}

static void op_embed_grad(trm__backend *be, trm__workspace *ws, int b, const int32_t *inputs,
                          const int32_t *fed, const real *de, real *grads, real *d_puzzle) {
  const trm__dims &dims = be->dims;
  const trm__outer &o = be->outer;
  const cudaStream_t stream = cuda_of(be)->stream;
  WITH_TYPE(be, [&](auto *t) {
    auto g = table_of(dims, b, as(t, de));
    g.tokens = inputs;
    g.scale = embed_scale(dims);
    table_grad(g, ws->shared, grads + o.embed_tokens, stream);
    g.tokens = fed;
    if (fed) table_grad(g, ws->shared, grads + o.embed_feedback, stream);
    g.tokens = NULL;
    g.places = ws->places;
    for (int i = 0; i < dims.n_tables; i++) {
      g.units = dims.units[i];
      g.V = g.units.n;
      table_grad(g, ws->shared, grads + o.embed_units[i], stream);
    }
    g.walls = true;
    g.V = TRM__WALLS;
    if (ws->places) table_grad(g, ws->shared, grads + o.embed_walls, stream);
    puzzle_grad(dims, b, as(t, de), g.scale, d_puzzle, stream);
    position_grad(dims, b, dims.R, ws->places, as(t, de), g.scale, grads + o.registers, stream);
    position_grad(dims, b, dims.learned ? trm__grid_positions(&dims) : 0, ws->places, as(t, de),
                  g.scale, grads + o.embed_pos, stream);
  });
}

static void op_clear(trm__backend *be, trm__workspace *, int64_t n, real *h) {
  CudaBackend *c = cuda_of(be);
  note(c, cudaMemsetAsync(h, 0, (size_t)n * sizeof *h, c->stream));
}

static_assert(SUM_MOST >= TRM__MAX_LATENTS + 1, "a step adds up all latents and the input");
template <class T>
static void add(CudaBackend *c, int64_t values, int n_src, const real *const *src, real *h) {
  Sources<T> from = {};
  for (int i = 0; i < n_src; i++) from.at[i] = reinterpret_cast<const T *>(src[i]);
  sum(from, n_src, reinterpret_cast<T *>(h), values, c->stream);
}
static void op_sum(trm__backend *be, trm__workspace *, int64_t n, int n_src, const real *const *src,
                   real *h) {
  const int64_t values = n * (int64_t)sizeof(real) / value_size(be);
  (is_bf16(be) ? add<bf16> : add<float>)(cuda_of(be), values, n_src, src, h);
}
static void op_add_grads(trm__backend *be, trm__workspace *, int64_t n, int n_src,
                         const real *const *src, real *to) {
  add<float>(cuda_of(be), n, n_src, src, to);
}

static void op_mix(trm__backend *be, trm__workspace *, int64_t n, real a, const real *x, real b,
                   real *h) {
  const int64_t values = n * (int64_t)sizeof(real) / value_size(be);
  WITH_TYPE(be, [&](auto *t) { mix(a, as(t, x), b, as(t, h), values, cuda_of(be)->stream); });
}
static void op_jitter(trm__backend *be, trm__workspace *, int b, const trm__noise *keys,
                      const trm__draws *draws, real deviation, real *z) {
  const int64_t n = (int64_t)be->dims.L * be->dims.D;
  WITH_TYPE(be,
            [&](auto *t) { jitter(keys, *draws, deviation, as(t, z), b, n, cuda_of(be)->stream); });
}
static void op_start(trm__backend *be, trm__workspace *, int b, const trm__noise *keys,
                     const trm__draws *draws, const int32_t *steps, real deviation, real *z) {
  const int64_t n = (int64_t)be->dims.L * be->dims.D;
  WITH_TYPE(be, [&](auto *t) {
    start(keys, *draws, steps, deviation, as(t, z), b, n, cuda_of(be)->stream);
  });
}
static void op_solve(trm__backend *be, trm__workspace *, const trm__solving *how, int b, int k,
                     real *x, const real *f, const real *keep, real *best, real *history,
                     trm__solved *rows) {
  const int64_t n = (int64_t)be->dims.L * be->dims.D;
  WITH_TYPE(be, [&](auto *t) {
    solve(*how, b, k, n, as(t, x), as(t, f), as(t, keep), as(t, best), as(t, history), rows,
          cuda_of(be)->stream);
  });
}

/* --- blocks ---------------------------------------------------------------------------------- */

static void op_block(trm__backend *be, trm__workspace *ws, const trm__block *blk, int b,
                     const real *x, real *y, real *saved) {
  block_forward(cuda_of(be), blk, b, x, y, saved, ws);
}
static void op_block_grad(trm__backend *be, trm__workspace *ws, const trm__block *blk, int b,
                          const real *x, const real *y, real *saved, real *dh, real *const *dw,
                          bool accumulate) {
  block_backward(cuda_of(be), blk, b, x, y, saved, dh, dw, accumulate, ws);
}
static void op_balance(trm__backend *be, trm__workspace *, trm__block_kind kind, int rows,
                       double weight, const double *told, trm__balance *out) {
  const trm__dims &dims = be->dims;
  balance_load(*trm__experts_of(&dims, kind), rows, (double)rows * trm__experts_tokens(&dims, kind),
               weight, told, out, cuda_of(be)->stream);
}

/* --- heads and losses ------------------------------------------------------------------------ */

static void op_head(trm__backend *be, trm__workspace *, int b, const real *z, real *logits,
                    real *q) {
  const trm__outer &o = be->outer;
  const real *p = be->params;
  WITH_TYPE(be, [&](auto *t) {
    head(be->dims, b, as(t, z), p + o.lm_head, p + o.q_weight, p + o.q_bias, logits, q,
         cuda_of(be)->stream);
  });
}

static void op_decode(trm__backend *be, trm__workspace *, int b, const int32_t *inputs,
                      const real *logits, int32_t *decoded) {
  decode(be->dims, b, inputs, logits, decoded, cuda_of(be)->stream);
}

static void op_loss(trm__backend *be, trm__workspace *ws, int b, const int32_t *labels,
                    const int32_t *steps, const real *q_target, real *logits, real *q,
                    trm__row_loss *out) {
  losses(be->dims, b, labels, steps, q_target, logits, q, out, ws->shared, cuda_of(be)->stream);
}

static void op_head_grad(trm__backend *be, trm__workspace *ws, int b, const real *z,
                         const real *d_logits, const real *dq, real *dz, real *grads) {
  const trm__dims &dims = be->dims;
  const trm__outer &o = be->outer;
  const cudaStream_t stream = cuda_of(be)->stream;
  WITH_TYPE(be, [&](auto *t) {
    auto g = table_of(dims, b, as(t, z));
    g.coefficient = d_logits;
    table_grad(g, ws->shared, grads + o.lm_head, stream);
    g.coefficient = dq; /* q_head sees position 0 */
    g.first = 0;
    g.S = 1;
    g.V = 2;
    table_grad(g, ws->shared, grads + o.q_weight, stream);
    bias_grad(b, dq, grads + o.q_bias, stream);
    head_grad(dims, b, d_logits, dq, be->params + o.lm_head, be->params + o.q_weight, as(t, dz),
              stream);
  });
}

static void op_start_grad(trm__backend *be, trm__workspace *ws, int b, const int32_t *steps,
                          const real *dz, real *d_init) {
  WITH_TYPE(be, [&](auto *t) {
    start_grad(be->dims, b, steps, as(t, dz), ws->shared, d_init, cuda_of(be)->stream);
  });
}

static void op_q_target(trm__backend *be, trm__workspace *, int b, const real *q,
                        const int32_t *steps, int max_steps, real *target) {
  q_targets(b, q, steps, max_steps, target, cuda_of(be)->stream);
}

/* --- updates --------------------------------------------------------------------------------- */

static void op_refill(trm__backend *be, trm__workspace *, const trm__rows *rows,
                      const trm__fresh *fresh, int first, int n, int advance) {
  WITH_TYPE(be, [&](auto *t) {
    refill<typename std::remove_pointer<decltype(t)>::type>(be->dims, *rows, *fresh, first, n,
                                                            advance, cuda_of(be)->stream);
  });
}
static void op_halt(trm__backend *be, trm__workspace *, const trm__rows *rows, int n,
                    const trm__halting *how, const trm__row_loss *loss) {
  halt(*rows, n, *how, loss, cuda_of(be)->stream);
}
/* There is one slot. */
static void op_sum_slots(trm__backend *, trm__workspace *, const trm__update *) {}
static void op_finish_grads(trm__backend *be, trm__workspace *, const trm__update *u) {
  finish_grads(*u, cuda_of(be)->stream);
}
static bool op_has_rule(const trm__backend *, trm__rule rule) {
  return has_rule(rule);
}
static void op_update(trm__backend *be, trm__workspace *, const trm__update *u,
                      const trm__group *g) {
  update(cuda_of(be), *u, *g);
}

void set_ops(trm__backend_ops *ops) {
  /* How much memory, and the weights as blocks want them. */
  ops->latent_size = latent_size;
  ops->saved_size = saved_size;
  ops->shared_size = shared_size;
  ops->scratch_size = scratch_size;
  ops->pack = pack;

  /* Forward and backward. */
  ops->embed = op_embed;
  ops->embed_grad = op_embed_grad;
  ops->clear = op_clear;
  ops->sum = op_sum;
  ops->mix = op_mix;
  ops->jitter = op_jitter;
  ops->start = op_start;
  ops->solve = op_solve;
  ops->block = op_block;
  ops->block_grad = op_block_grad;
  ops->balance = op_balance;
  ops->head = op_head;
  ops->decode = op_decode;
  ops->loss = op_loss;
  ops->head_grad = op_head_grad;
  ops->start_grad = op_start_grad;

  /* What an update does around them. */
  ops->q_target = op_q_target;
  ops->refill = op_refill;
  ops->halt = op_halt;
  ops->clear_grads = op_clear;
  ops->add_grads = op_add_grads;
  ops->sum_slots = op_sum_slots;
  ops->finish_grads = op_finish_grads;
  ops->has_rule = op_has_rule;
  ops->update = op_update;
}
