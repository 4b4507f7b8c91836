/* Forward and reverse over the plan (docs/MODEL.md section 1). What a step keeps is laid out in the
 * order the steps run; the reverse walk goes back over it. */
#include "nn/walk.h"

#include <stdio.h>

#include "base/carve.h"
#include "base/check.h"
#include "base/memory.h"

/* --- memory ---------------------------------------------------------------------------------- */

/* Reals of one step's saved activations, per row (be NULL: of a CPU backend): the net's input and
 * the output of each block, then what each block keeps for itself. */
static int64_t step_saved(const trm__layout *l, const trm__backend *be, int net) {
  const int n_blocks = l->net_first[net + 1] - l->net_first[net];
  int64_t size = (n_blocks + 1) * (be ? be->ops->latent_size(be) : (int64_t)l->dims.L * l->dims.D);
  for (int block = l->net_first[net]; block < l->net_first[net + 1]; block++)
    size += be ? be->ops->saved_size(be, l->blocks[block].kind)
               : trm__cpu_saved_size(&l->dims, l->blocks[block].kind);
  return size;
}

static int64_t all_saved(const trm__layout *l, const trm__backend *be) {
  int64_t size = 0;
  for (int step = l->plan->first_grad; step < l->plan->n_steps; step++)
    size += step_saved(l, be, l->plan->steps[step].net);
  return size;
}

int64_t trm__walk_saved_bytes(const trm__layout *layout) {
  return all_saved(layout, NULL) * (int64_t)sizeof(real);
}

/* Carves every part for tiles of w->rows rows by teams of `size` members. */
static void lay_out(trm__walker *w, const trm__backend *be, int size, bool training,
                    trm__carver *memory) {
  const trm__dims *dims = &w->layout->dims;
  const trm__backend_ops *ops = be->ops;
  const int64_t rows = w->rows, latent = rows * ops->latent_size(be);
  const int n_latents = w->layout->plan->n_latents;

  /* What the steps read and, in training, keep; the heads, and where the way back stands. */
  w->e = trm__carve(memory, latent, sizeof(real));
  if (training) {
    w->de = trm__carve(memory, latent, sizeof(real));
    w->saved = trm__carve(memory, rows * all_saved(w->layout, be), sizeof(real));
    w->logits = trm__carve(memory, rows * dims->S * dims->V, sizeof(real));
    w->q = trm__carve(memory, rows * 2, sizeof(real));
    w->q_next = trm__carve(memory, rows * 2, sizeof(real));
    w->q_target = trm__carve(memory, rows, sizeof(real));
    for (int i = 0; i < n_latents; i++) w->dz[i] = trm__carve(memory, latent, sizeof(real));
    for (int i = 0; i < n_latents && dims->q_continue; i++)
      w->next[i] = trm__carve(memory, latent, sizeof(real));
  }

  /* What the ops work in. */
  w->shared = trm__carve(memory, ops->shared_size(be, w->rows, training), sizeof(real));
  w->scratch_size = (ops->scratch_size(be, w->rows, training) + 31) / 16 * 16;
  w->scratch = trm__carve(memory, w->scratch_size * size, sizeof(real));
}

int64_t trm__walker_bytes(const trm__layout *layout, const trm__backend *be, int rows, int size,
                          bool training) {
  trm__walker w = {.layout = layout, .rows = rows};
  trm__carver count = {0};
  lay_out(&w, be, size, training, &count);
  return count.bytes;
}

trm_status trm__walker_create(const trm__layout *layout, trm__backend *be, int rows, int size,
                              bool training, trm__walker **out, trm_error *err) {
  const int64_t bytes = trm__walker_bytes(layout, be, rows, size, training);
  trm__walker *w;
  TRM_ALLOC(&w, 1, "a walker", err);
  w->layout = layout;
  w->be = be;
  w->rows = rows;

  char what[40];
  snprintf(what, sizeof what, "the activations of %d rows", rows);
  const trm_status st = trm__backend_alloc(be, bytes, 1, what, &w->memory, err);
  if (st != TRM_OK) {
    trm__free(w);
    return st;
  }

  trm__carver memory = {.block = w->memory};
  lay_out(w, be, size, training, &memory);
  TRM_ASSERT(memory.bytes == bytes);
  *out = w;
  return TRM_OK;
}

void trm__walker_free(trm__walker *w) {
  if (!w) return;
  w->be->ops->release(w->be, w->memory);
  trm__free(w);
}

/* --- forward --------------------------------------------------------------------------------- */

/* One supervision step of a tile, as one member of its team sees it. */
typedef struct walking {
  trm__walker *w;
  trm__backend *be;
  const trm__layout *layout;
  const trm__backend_ops *ops;
  trm__workspace ws;
  int rows;
  int64_t latent; /* reals of one latent of the tile */
} walking;

static walking begin_walk(trm__walker *w, trm__lane *lane, int rows) {
  return (walking){.w = w,
                   .be = w->be,
                   .layout = w->layout,
                   .ops = w->be->ops,
                   .ws = {lane, w->shared, w->scratch + lane->rank * w->scratch_size},
                   .rows = rows,
                   .latent = rows * w->be->ops->latent_size(w->be)};
}

static void copy(walking *walk, real *to, const real *from) {
  walk->ops->sum(walk->be, &walk->ws, walk->latent, 1, &from, to);
}

/* Reals that a block of the step's net keeps for itself. */
static int64_t block_saved(const walking *walk, int block) {
  return walk->rows * walk->ops->saved_size(walk->be, walk->layout->blocks[block].kind);
}

/* h = the step's sum of latents and input. */
static void step_input(walking *walk, const trm__step *s, real *const *z, real *h) {
  const real *src[TRM__MAX_LATENTS + 1];
  int n_src = 0;
  for (int i = 0; i < walk->layout->plan->n_latents; i++)
    if (s->src >> i & 1) src[n_src++] = z[i];
  if (s->add_input) src[n_src++] = walk->w->e;
  TRM_ASSERT(n_src <= TRM__MAX_LATENTS + 1);
  walk->ops->sum(walk->be, &walk->ws, walk->latent, n_src, src, h);
}

/* Steps [0, end) in place, nothing kept. */
static void run_steps(walking *walk, int end, real *const *z) {
  const int *net_first = walk->layout->net_first;
  for (int i = 0; i < end; i++) {
    const trm__step *s = &walk->layout->plan->steps[i];
    real *h = z[s->dst];
    step_input(walk, s, z, h);
    for (int block = net_first[s->net]; block < net_first[s->net + 1]; block++)
      walk->ops->block(walk->be, &walk->ws, &walk->be->blocks[block], walk->rows, h, h, NULL);
  }
}

/* A step that keeps its activations: at `saved` the net's input and the output of each block one
 * after the other, behind them what each block keeps for itself. */
static void run_saved_step(walking *walk, const trm__step *s, real *const *z, real *saved) {
  const int first = walk->layout->net_first[s->net], end = walk->layout->net_first[s->net + 1];
  real *own = saved + (end - first + 1) * walk->latent, *h = saved;
  step_input(walk, s, z, h);
  for (int block = first; block < end; block++, h += walk->latent) {
    walk->ops->block(walk->be, &walk->ws, &walk->be->blocks[block], walk->rows, h, h + walk->latent,
                     own);
    own += block_saved(walk, block);
  }
  copy(walk, z[s->dst], h);
}

void trm__walk_infer(trm__walker *w, trm__lane *lane, const trm__tile *tile) {
  walking walk = begin_walk(w, lane, tile->rows);
  const trm__plan *plan = w->layout->plan;
  walk.ops->embed(w->be, &walk.ws, tile->rows, tile->inputs, tile->puzzle, w->e);
  run_steps(&walk, plan->n_steps, tile->z);
  walk.ops->head(w->be, &walk.ws, tile->rows, tile->z[plan->answer], tile->logits, tile->q);
}

void trm__walk_decode(trm__walker *w, trm__lane *lane, const trm__tile *tile, int i) {
  walking walk = begin_walk(w, lane, tile->rows);
  walk.ops->head(w->be, &walk.ws, tile->rows, tile->z[i], tile->logits, tile->q);
}

/* --- backward -------------------------------------------------------------------------------- */

static void clear(walking *walk, real *h) {
  walk->ops->clear(walk->be, &walk->ws, walk->latent, h);
}

/* h += dh */
static void add(walking *walk, real *h, const real *dh) {
  const real *both[] = {h, dh};
  walk->ops->sum(walk->be, &walk->ws, walk->latent, 2, both, h);
}

/* The reverse of run_saved_step: dz[dst] becomes the gradient of the net's input, which every
 * source of the sum receives. */
static void reverse_step(walking *walk, const trm__step *s, real *saved, real *grads,
                         bool accumulate) {
  const trm__layout *l = walk->layout;
  const int first = l->net_first[s->net], end = l->net_first[s->net + 1];
  real *own = saved + (end - first + 1) * walk->latent, *dh = walk->w->dz[s->dst];
  for (int block = first; block < end; block++) own += block_saved(walk, block);

  /* Through the net, last block first: dh from that of a block's output to that of its input. */
  for (int block = end - 1; block >= first; block--) {
    const trm__block *blk = &walk->be->blocks[block];
    const real *x = saved + (block - first) * walk->latent, *y = x + walk->latent;
    real *dw[TRM__BLOCK_WEIGHTS];
    for (int i = 0; i < blk->n_weights; i++) dw[i] = grads + blk->w[i].at - l->net_offset[s->net];
    own -= block_saved(walk, block);
    walk->ops->block_grad(walk->be, &walk->ws, blk, walk->rows, x, y, own, dh, dw, accumulate);
  }

  /* To the sources of z[dst] <- net(sum of z[i] + e): each latent, the input, and the old z[dst],
   * which starts over at zero where it had no part. */
  for (int i = 0; i < l->plan->n_latents; i++)
    if (i != s->dst && (s->src >> i & 1)) add(walk, walk->w->dz[i], dh);
  if (s->add_input) add(walk, walk->w->de, dh);
  if (!(s->src >> s->dst & 1)) clear(walk, dh);
}

/* target = sigmoid(q'[0] at the last step, else max(q')) of one more supervision step. */
static void continue_targets(walking *walk, const trm__tile *tile) {
  trm__walker *w = walk->w;
  const trm__plan *plan = walk->layout->plan;
  for (int i = 0; i < plan->n_latents; i++) copy(walk, w->next[i], tile->z[i]);
  run_steps(walk, plan->n_steps, w->next);
  walk->ops->head(w->be, &walk->ws, walk->rows, w->next[plan->answer], w->logits, w->q_next);
  walk->ops->q_target(w->be, &walk->ws, walk->rows, w->q_next, tile->steps, tile->max_steps,
                      w->q_target);
}

void trm__walk_train(trm__walker *w, trm__lane *lane, const trm__tile *tile,
                     real *const *step_grads, real *outer_grads, bool accumulate) {
  walking walk = begin_walk(w, lane, tile->rows);
  const trm__plan *plan = w->layout->plan;
  const bool more = w->layout->dims.q_continue;
  const int rows = tile->rows;
  real *saved = w->saved, *z = tile->z[plan->answer];

  /* Forward: the steps without gradient in place, then those that keep their activations. */
  walk.ops->embed(w->be, &walk.ws, rows, tile->inputs, tile->puzzle, w->e);
  run_steps(&walk, plan->first_grad, tile->z);
  for (int i = plan->first_grad; i < plan->n_steps; i++) {
    run_saved_step(&walk, &plan->steps[i], tile->z, saved);
    saved += rows * step_saved(w->layout, w->be, plan->steps[i].net);
  }

  /* Losses; logits and q become their gradients. */
  if (more) continue_targets(&walk, tile);
  walk.ops->head(w->be, &walk.ws, rows, z, w->logits, w->q);
  walk.ops->loss(w->be, &walk.ws, rows, tile->labels, more ? w->q_target : NULL, w->logits, w->q,
                 tile->loss);

  /* Backward: only the answer's latent has a gradient to start with. The carried latents are
   * constants, so what reaches the first of these steps ends there. */
  for (int i = 0; i < plan->n_latents; i++)
    if (i != plan->answer) clear(&walk, w->dz[i]);
  clear(&walk, w->de);
  walk.ops->head_grad(w->be, &walk.ws, rows, z, w->logits, w->q, w->dz[plan->answer], outer_grads);
  for (int i = plan->n_steps - 1; i >= plan->first_grad; i--) {
    saved -= rows * step_saved(w->layout, w->be, plan->steps[i].net);
    reverse_step(&walk, &plan->steps[i], saved, step_grads[i - plan->first_grad], accumulate);
  }
  walk.ops->embed_grad(w->be, &walk.ws, rows, tile->inputs, w->de, outer_grads, tile->d_puzzle);
}
