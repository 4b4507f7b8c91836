/* Forward and reverse over the plan (docs/MODEL.md section 1). What a step keeps is laid out in the
 * order the steps run; the reverse walk goes back over it. */
#include "nn/walk.h"

#include <stdio.h>

#include "base/check.h"
#include "base/memory.h"

/* --- memory ---------------------------------------------------------------------------------- */

/* Reals of one step's saved activations, per row (be NULL: of a CPU backend): the net's input and
 * the output of each block, then what each block keeps for itself. */
static int64_t step_saved(const trm__layout *l, const trm__backend *be, int net) {
  int n = l->net_first[net + 1] - l->net_first[net];
  int64_t size = (n + 1) * (be ? be->ops->latent_size(be) : (int64_t)l->dims.L * l->dims.D);
  for (int b = l->net_first[net]; b < l->net_first[net + 1]; b++)
    size += be ? be->ops->saved_size(be, l->blocks[b].kind)
               : trm__cpu_saved_size(&l->dims, l->blocks[b].kind);
  return size;
}

static int64_t all_saved(const trm__layout *l, const trm__backend *be) {
  int64_t size = 0;
  for (int s = l->plan->first_grad; s < l->plan->n_steps; s++)
    size += step_saved(l, be, l->plan->steps[s].net);
  return size;
}

int64_t trm__walk_saved_bytes(const trm__layout *layout) {
  return all_saved(layout, NULL) * (int64_t)sizeof(real);
}

/* Assigns every part from one block; with base NULL it only counts. */
static int64_t lay_out(trm__walker *w, const trm__backend *be, int size, bool training,
                       real *base) {
  const trm__dims *m = &w->layout->dims;
  const trm__backend_ops *ops = be->ops;
  int64_t at = 0, rows = w->rows, latent = rows * ops->latent_size(be), b = w->rows;
#define PART(pointer, count)                 \
  do {                                       \
    (pointer) = base ? base + at : NULL;     \
    at += ((int64_t)(count) + 15) / 16 * 16; \
  } while (0)
  PART(w->e, latent);
  if (training) {
    PART(w->de, latent);
    PART(w->saved, rows * all_saved(w->layout, be));
    PART(w->logits, rows * m->S * m->V);
    PART(w->q, rows * 2);
    PART(w->q_next, rows * 2);
    PART(w->q_target, rows);
    for (int i = 0; i < w->layout->plan->n_latents; i++) PART(w->dz[i], latent);
    for (int i = 0; i < w->layout->plan->n_latents && m->q_continue; i++) PART(w->next[i], latent);
  }
  PART(w->shared, ops->shared_size(be, (int)b, training));
  w->scratch_size = (ops->scratch_size(be, (int)b, training) + 31) / 16 * 16;
  PART(w->scratch, w->scratch_size * size);
#undef PART
  return at;
}

int64_t trm__walker_bytes(const trm__layout *layout, const trm__backend *be, int rows, int size,
                          bool training) {
  trm__walker w = {.layout = layout, .rows = rows};
  return lay_out(&w, be, size, training, NULL) * (int64_t)sizeof(real);
}

trm_status trm__walker_create(const trm__layout *layout, trm__backend *be, int rows, int size,
                              bool training, trm__walker **out, trm_error *err) {
  trm__walker *w;
  TRM_ALLOC(&w, 1, "a walker", err);
  w->layout = layout;
  w->be = be;
  w->rows = rows;
  const int64_t n = lay_out(w, be, size, training, NULL);
  char what[40];
  snprintf(what, sizeof what, "the activations of %d rows", rows);
  const trm_status st = trm__backend_alloc(be, n, sizeof *w->memory, what, &w->memory, err);
  if (st != TRM_OK) {
    trm__free(w);
    return st;
  }
  lay_out(w, be, size, training, w->memory);
  *out = w;
  return TRM_OK;
}

void trm__walker_free(trm__walker *w) {
  if (!w) return;
  w->be->ops->release(w->be, w->memory);
  trm__free(w);
}

/* --- forward --------------------------------------------------------------------------------- */

typedef struct walk {
  trm__walker *w;
  const trm__layout *l;
  const trm__backend_ops *ops;
  trm__workspace ws;
  int rows;
  int64_t latent; /* reals of one latent of the tile */
} walk;

static walk begin_walk(trm__walker *w, trm__lane *lane, int rows) {
  return (walk){w,          w->layout,
                w->be->ops, {lane, w->shared, w->scratch + lane->rank * w->scratch_size},
                rows,       rows * w->be->ops->latent_size(w->be)};
}

static void copy(walk *k, real *to, const real *from) {
  k->ops->sum(k->w->be, &k->ws, k->latent, 1, &from, to);
}

/* h = the step's sum of latents and input. */
static void step_input(walk *k, const trm__step *s, real *const *z, real *h) {
  const real *src[TRM__MAX_LATENTS + 1];
  int n = 0;
  for (int i = 0; i < k->l->plan->n_latents; i++)
    if (s->src >> i & 1) src[n++] = z[i];
  if (s->add_input) src[n++] = k->w->e;
  TRM_ASSERT(n <= TRM__MAX_LATENTS + 1);
  k->ops->sum(k->w->be, &k->ws, k->latent, n, src, h);
}

/* Steps [0, end) in place, nothing kept. */
static void run_steps(walk *k, int end, real *const *z) {
  for (int i = 0; i < end; i++) {
    const trm__step *s = &k->l->plan->steps[i];
    real *h = z[s->dst];
    step_input(k, s, z, h);
    for (int b = k->l->net_first[s->net]; b < k->l->net_first[s->net + 1]; b++)
      k->ops->block(k->w->be, &k->ws, &k->w->be->blocks[b], k->rows, h, h, NULL);
  }
}

/* A step that keeps its activations: at `saved` the net's input and the output of each block one
 * after the other, behind them what each block keeps for itself. */
static void run_saved_step(walk *k, const trm__step *s, real *const *z, real *saved) {
  int first = k->l->net_first[s->net], end = k->l->net_first[s->net + 1];
  real *own = saved + (end - first + 1) * k->latent, *h = saved;
  step_input(k, s, z, h);
  for (int b = first; b < end; b++, h += k->latent) {
    const trm__block *blk = &k->w->be->blocks[b];
    k->ops->block(k->w->be, &k->ws, blk, k->rows, h, h + k->latent, own);
    own += k->rows * k->ops->saved_size(k->w->be, blk->kind);
  }
  copy(k, z[s->dst], h);
}

void trm__walk_infer(trm__walker *w, trm__lane *lane, const trm__tile *tile) {
  walk k = begin_walk(w, lane, tile->rows);
  k.ops->embed(w->be, &k.ws, tile->rows, tile->inputs, tile->puzzle, w->e);
  run_steps(&k, k.l->plan->n_steps, tile->z);
  k.ops->head(w->be, &k.ws, tile->rows, tile->z[k.l->plan->answer], tile->logits, tile->q);
}

/* --- backward -------------------------------------------------------------------------------- */

static void clear(walk *k, real *v) {
  k->ops->clear(k->w->be, &k->ws, k->latent, v);
}

/* The reverse of run_saved_step: dz[dst] becomes the gradient of the net's input, which every
 * source of the sum receives. */
static void reverse_step(walk *k, const trm__step *s, real *saved, real *grads, bool accumulate) {
  int first = k->l->net_first[s->net], end = k->l->net_first[s->net + 1];
  trm__walker *w = k->w;
  real *own = saved + (end - first + 1) * k->latent, *dh = w->dz[s->dst];
  for (int b = first; b < end; b++)
    own += k->rows * k->ops->saved_size(k->w->be, k->l->blocks[b].kind);
  for (int b = end - 1; b >= first; b--) {
    const trm__block *blk = &w->be->blocks[b];
    const real *x = saved + (b - first) * k->latent, *y = x + k->latent;
    real *dw[TRM__BLOCK_WEIGHTS];
    for (int i = 0; i < blk->n_weights; i++)
      dw[i] = grads + blk->w[i].at - k->l->net_offset[s->net];
    own -= k->rows * k->ops->saved_size(k->w->be, blk->kind);
    k->ops->block_grad(w->be, &k->ws, blk, k->rows, x, y, own, dh, dw, accumulate);
  }
  for (int i = 0; i < k->l->plan->n_latents; i++) {
    const real *both[] = {w->dz[i], dh};
    if (i != s->dst && (s->src >> i & 1)) k->ops->sum(w->be, &k->ws, k->latent, 2, both, w->dz[i]);
  }
  const real *both[] = {w->de, dh};
  if (s->add_input) k->ops->sum(w->be, &k->ws, k->latent, 2, both, w->de);
  if (!(s->src >> s->dst & 1)) clear(k, dh); /* the old value had no part in the sum */
}

/* target = sigmoid(q'[0] at the last step, else max(q')) of one more supervision step. */
static void continue_targets(walk *k, const trm__tile *tile) {
  trm__walker *w = k->w;
  const trm__plan *p = k->l->plan;
  for (int i = 0; i < p->n_latents; i++) copy(k, w->next[i], tile->z[i]);
  run_steps(k, p->n_steps, w->next);
  k->ops->head(w->be, &k->ws, k->rows, w->next[p->answer], w->logits, w->q_next);
  k->ops->q_target(w->be, &k->ws, k->rows, w->q_next, tile->steps, tile->max_steps, w->q_target);
}

void trm__walk_train(trm__walker *w, trm__lane *lane, const trm__tile *tile,
                     real *const *step_grads, real *outer_grads, bool accumulate) {
  walk k = begin_walk(w, lane, tile->rows);
  const trm__plan *p = k.l->plan;
  int rows = tile->rows;
  k.ops->embed(w->be, &k.ws, rows, tile->inputs, tile->puzzle, w->e);
  run_steps(&k, p->first_grad, tile->z);
  real *saved = w->saved;
  for (int i = p->first_grad; i < p->n_steps; i++) {
    run_saved_step(&k, &p->steps[i], tile->z, saved);
    saved += rows * step_saved(k.l, w->be, p->steps[i].net);
  }

  bool more = k.l->dims.q_continue;
  if (more) continue_targets(&k, tile);
  k.ops->head(w->be, &k.ws, rows, tile->z[p->answer], w->logits, w->q);
  k.ops->loss(w->be, &k.ws, rows, tile->labels, more ? w->q_target : NULL, w->logits, w->q,
              tile->loss);

  for (int i = 0; i < p->n_latents; i++)
    if (i != p->answer) clear(&k, w->dz[i]);
  clear(&k, w->de);
  k.ops->head_grad(w->be, &k.ws, rows, tile->z[p->answer], w->logits, w->q, w->dz[p->answer],
                   outer_grads);
  for (int i = p->n_steps - 1; i >= p->first_grad; i--) {
    saved -= rows * step_saved(k.l, w->be, p->steps[i].net);
    reverse_step(&k, &p->steps[i], saved, step_grads[i - p->first_grad], accumulate);
  }
  k.ops->embed_grad(w->be, &k.ws, rows, tile->inputs, w->de, outer_grads, tile->d_puzzle);
}
