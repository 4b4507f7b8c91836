/* Forward and reverse over the plan (docs/MODEL.md section 1). What a step keeps is laid out in the
 * order the steps run; the reverse walk goes back over it. */
#include "nn/walk.h"

#include <stdio.h>

#include "base/carve.h"
#include "base/check.h"
#include "base/memory.h"

/* --- memory ---------------------------------------------------------------------------------- */

/* Reals of the saved activations of one application of a net, per row (be NULL: of a CPU backend):
 * the net's input and the output of each block, then what each block keeps for itself. */
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
  for (int i = 0; i < l->plan->n_grads; i++) size += step_saved(l, be, l->plan->grad_net[i]);
  return size;
}

int64_t trm__walk_saved_bytes(const trm__layout *layout) {
  return all_saved(layout, NULL) * (int64_t)sizeof(real);
}

static bool has_experts(const trm__dims *dims) {
  return dims->moe.router || dims->moe_t.router;
}

/* Whether any step is solved, and whether a gradient passes one by its Jacobian. */
static bool is_solved(const trm__plan *p) {
  return p->solving.method != TRM_RECURSION_UPDATES;
}
static bool by_jacobian(const trm__plan *p) {
  return is_solved(p) && p->solver_grad == TRM_SOLVER_GRAD_IMPLICIT;
}

static int64_t largest_net_size(const trm__layout *l) {
  int64_t most = 0;
  for (int net = 0; net < l->plan->n_nets; net++) {
    const int64_t n = l->net_offset[net + 1] - l->net_offset[net];
    if (n > most) most = n;
  }
  return most;
}

/* What solved steps work in. */
static void lay_out_solver(trm__walker *w, const trm__backend *be, bool training,
                           trm__carver *memory) {
  const trm__plan *p = w->plan;
  const int64_t latent = w->rows * be->ops->latent_size(be);
  if (!is_solved(p)) return;
  w->x = trm__carve(memory, latent, sizeof(real));
  w->f = trm__carve(memory, latent, sizeof(real));
  w->history = trm__carve(memory, latent * p->solving.history, sizeof(real));
  w->solved = trm__carve(memory, w->rows, sizeof *w->solved);
  if (!training) return;
  w->dz_before = trm__carve(memory, latent, sizeof(real));
  if (by_jacobian(p)) w->nowhere = trm__carve(memory, largest_net_size(w->layout), sizeof(real));
}

/* What damped steps work in. */
static void lay_out_damping(trm__walker *w, const trm__backend *be, bool training,
                            trm__carver *memory) {
  const int64_t latent = w->rows * be->ops->latent_size(be);
  if (w->plan->share == 1 || is_solved(w->plan)) return;
  w->f = trm__carve(memory, latent, sizeof(real));
  if (training) w->dz_before = trm__carve(memory, latent, sizeof(real));
}

/* Carves every part for tiles of w->rows rows by teams of `size` members. */
static void lay_out(trm__walker *w, const trm__backend *be, int size, bool training,
                    trm__carver *memory) {
  const trm__dims *dims = &w->layout->dims;
  const trm__backend_ops *ops = be->ops;
  const int64_t rows = w->rows, latent = rows * ops->latent_size(be);
  const int n_latents = w->plan->n_latents;

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
    for (int i = 0; i < n_latents && (dims->q_continue || has_experts(dims)); i++)
      w->next[i] = trm__carve(memory, latent, sizeof(real));
  }

  lay_out_solver(w, be, training, memory);
  lay_out_damping(w, be, training, memory);

  /* What the ops work in. */
  w->shared = trm__carve(memory, ops->shared_size(be, w->rows, training), sizeof(real));
  w->scratch_size = (ops->scratch_size(be, w->rows, training) + 31) / 16 * 16;
  w->scratch = trm__carve(memory, w->scratch_size * size, sizeof(real));
}

int64_t trm__walker_bytes(const trm__layout *layout, const trm__backend *be, int rows, int size,
                          bool training) {
  trm__walker w = {.layout = layout, .plan = layout->plan, .rows = rows};
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
  w->plan = layout->plan;
  w->be = be;
  w->rows = rows;
  w->training = training;

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
  int64_t latent;          /* reals of one latent of the tile */
  const trm__noise *noise; /* keys of the rows' draws */
  /* Of blocks of experts in training; NULL: none. */
  const trm__experts_update *experts;
  int64_t first_row;
  bool tells; /* they say where their tokens go */
  trm__routing routing;
} walking;

static walking begin_walk(trm__walker *w, trm__lane *lane, const trm__tile *tile) {
  const int rows = tile->rows;
  return (walking){.w = w,
                   .be = w->be,
                   .layout = w->layout,
                   .ops = w->be->ops,
                   .ws = {.lane = lane,
                          .shared = w->shared,
                          .places = tile->places,
                          .scratch = w->scratch + lane->rank * w->scratch_size},
                   .rows = rows,
                   .experts = tile->experts,
                   .first_row = tile->first_row,
                   .noise = tile->noise,
                   .latent = rows * w->be->ops->latent_size(w->be)};
}

static void embed(walking *walk, const trm__tile *tile) {
  walk->ops->embed(walk->be, &walk->ws, walk->rows, tile->inputs, tile->fed, tile->puzzle,
                   walk->w->e);
}

/* Random starts of rows that have just begun. */
static void start(walking *walk, const trm__tile *tile) {
  const trm__plan *plan = walk->w->plan;
  TRM_ASSERT(!trm__plan_draws(plan) || tile->noise);
  for (int i = 0; i < plan->n_latents && plan->start > 0; i++) {
    const trm__draws draws = trm__draws_start(walk->w->training, (uint64_t)i);
    walk->ops->start(walk->be, &walk->ws, walk->rows, walk->noise, &draws, tile->steps,
                     (real)plan->start, tile->z[i]);
  }
}

/* What the next step sees of these logits. */
static void decode(walking *walk, const trm__tile *tile, const real *logits) {
  if (walk->layout->dims.feedback)
    walk->ops->decode(walk->be, &walk->ws, walk->rows, tile->inputs, logits, tile->decoded);
}

static void copy(walking *walk, real *to, const real *from) {
  walk->ops->sum(walk->be, &walk->ws, walk->latent, 1, &from, to);
}

/* Reals that a block of the step's net keeps for itself. */
static int64_t block_saved(const walking *walk, int block) {
  return walk->rows * walk->ops->saved_size(walk->be, walk->layout->blocks[block].kind);
}

/* --- experts --- */

static int largest_net(const trm__layout *l) {
  int most = 0;
  for (int net = 0; net < l->plan->n_nets; net++) {
    const int n = l->net_first[net + 1] - l->net_first[net];
    if (n > most) most = n;
  }
  return most;
}
trm__experts_update trm__experts_update_of(const trm__layout *l, int rows) {
  const trm__dims *dims = &l->dims;
  const trm__plan *p = l->plan;
  const int stride = largest_net(l), n_grad = p->n_steps - p->first_grad;
  return (trm__experts_update){
      .stride = stride,
      .figures = 2 * (dims->moe.n > dims->moe_t.n ? dims->moe.n : dims->moe_t.n),
      .rows = rows,
      .applications = 2 * p->n_steps * stride,
      .with_grad = has_experts(dims) ? n_grad * stride : 0};
}

static int figures_of(const trm__layout *l, trm__block_kind kind) {
  return 2 * trm__experts_of(&l->dims, kind)->n;
}

/* What a block of step s is told of its application, where it has experts; `shift`: steps. */
static void tell_block(walking *walk, const trm__step *s, int block, int shift) {
  const trm__layout *l = walk->layout;
  const trm__experts_update *x = walk->experts;
  const trm__block_kind kind = l->blocks[block].kind;
  const int step = (int)(s - walk->w->plan->steps), own = block - l->net_first[s->net];
  walk->ws.routing = NULL;
  if (!x || !trm__experts_of(&l->dims, kind)) return;
  walk->routing = (trm__routing){.noise = x->noise,
                                 .application = (int64_t)(step + shift) * x->stride + own,
                                 .row = walk->first_row};
  walk->ws.routing = &walk->routing;

  /* Those with a gradient tell what they see, or are told what came of it. */
  const int first = walk->w->plan->first_grad;
  if (step < first || shift > 0) return;
  const int64_t a = (int64_t)(step - first) * x->stride + own;
  if (walk->tells)
    walk->routing.told = x->told + a * x->rows * x->figures + walk->first_row * figures_of(l, kind);
  walk->routing.balance = &x->balance[a];
}

/* h = the step's sum of latents and input. */
static void step_input(walking *walk, const trm__step *s, real *const *z, real *h) {
  const real *src[TRM__MAX_LATENTS + 1];
  int n_src = 0;
  for (int i = 0; i < walk->w->plan->n_latents; i++)
    if (s->src >> i & 1) src[n_src++] = z[i];
  if (s->add_input) src[n_src++] = walk->w->e;
  TRM_ASSERT(n_src <= TRM__MAX_LATENTS + 1);
  walk->ops->sum(walk->be, &walk->ws, walk->latent, n_src, src, h);
}

/* h = net(sum), nothing kept; h may be a latent. `shift`: as an application of so many steps later.
 */
static void run_step(walking *walk, const trm__step *s, int shift, real *const *z, real *h) {
  const int *net_first = walk->layout->net_first;
  step_input(walk, s, z, h);
  for (int block = net_first[s->net]; block < net_first[s->net + 1]; block++) {
    tell_block(walk, s, block, shift);
    walk->ops->block(walk->be, &walk->ws, &walk->be->blocks[block], walk->rows, h, h, NULL);
  }
}

/* A device that only records what it is to do cannot be asked: it takes all iterations, in which
 * rows that are done stay as they are. */
static bool all_done(const walking *walk, const trm__solved *rows) {
  for (int i = 0; i < walk->rows && walk->ops->host; i++)
    if (!rows[i].done) return false;
  return walk->ops->host;
}

/* The solution of a solved step from z[dst], in its place: of the iterate of least residual the
 * net's value, or, with `argument`, itself. */
static void solve_step(walking *walk, const trm__step *s, real *const *z, bool argument,
                       trm__solved *rows) {
  trm__walker *w = walk->w;
  const trm__solving *how = &walk->w->plan->solving;
  real *at_x[TRM__MAX_LATENTS];
  for (int i = 0; i < walk->w->plan->n_latents; i++) at_x[i] = i == s->dst ? w->x : z[i];
  copy(walk, w->x, z[s->dst]);
  for (int k = 0; k < how->iterations; k++) {
    run_step(walk, s, 0, at_x, w->f);
    walk->ops->solve(walk->be, &walk->ws, how, walk->rows, k, w->x, w->f, argument ? w->x : w->f,
                     z[s->dst], w->history, rows);
    if (all_done(walk, rows)) break;
  }
}

/* The share of net(sum) in an application. */
static real share_of(const walking *walk, const trm__step *s) {
  return (real)(s->solved ? walk->w->plan->tau : walk->w->plan->share);
}

/* Noise on what a step has updated. */
static void stir(walking *walk, const trm__step *s, int shift, real *z) {
  const trm__plan *plan = walk->w->plan;
  const trm__draws draws =
      trm__draws_behind(walk->w->training, (uint64_t)(s - plan->steps + shift));
  if (plan->noise > 0)
    walk->ops->jitter(walk->be, &walk->ws, walk->rows, walk->noise, &draws, (real)plan->noise, z);
}

/* z[dst] <- share net(sum) + (1 - share) z[dst] + noise, nothing kept. */
static void update_latent(walking *walk, const trm__step *s, int shift, real *const *z) {
  const real share = share_of(walk, s);
  real *h = share == 1 ? z[s->dst] : walk->w->f;
  run_step(walk, s, shift, z, h);
  if (share != 1) walk->ops->mix(walk->be, &walk->ws, walk->latent, share, h, 1 - share, z[s->dst]);
  stir(walk, s, shift, z[s->dst]);
}

/* Steps [first, end) in place, nothing kept. */
static void run_steps(walking *walk, int first, int end, int shift, real *const *z,
                      trm__solved *rows) {
  for (int i = first; i < end; i++) {
    const trm__step *s = &walk->w->plan->steps[i];
    if (s->solved)
      solve_step(walk, s, z, false, rows);
    else
      update_latent(walk, s, shift, z);
  }
}

/* An application of a net that keeps its activations: at `saved` its input, which is there, and the
 * output of each block one after the other, behind them what each block keeps for itself. Returns
 * its output. */
static const real *run_saved(walking *walk, const trm__step *s, real *saved) {
  const int first = walk->layout->net_first[s->net], end = walk->layout->net_first[s->net + 1];
  real *own = saved + (end - first + 1) * walk->latent, *h = saved;
  for (int block = first; block < end; block++, h += walk->latent) {
    tell_block(walk, s, block, 0);
    walk->ops->block(walk->be, &walk->ws, &walk->be->blocks[block], walk->rows, h, h + walk->latent,
                     own);
    own += block_saved(walk, block);
  }
  return h;
}

/* A step that keeps the activations of its applications, from `saved` on; returns what is behind
 * them. A solved one has them at its solution. */
static real *run_saved_step(walking *walk, const trm__step *s, real *const *z, real *saved,
                            trm__solved *rows) {
  const int64_t size = walk->rows * step_saved(walk->layout, walk->be, s->net);
  const real share = share_of(walk, s);
  if (s->solved) solve_step(walk, s, z, true, rows);
  for (int i = 0; i < s->kept; i++, saved += size) {
    step_input(walk, s, z, saved);
    const real *h = run_saved(walk, s, saved);
    if (share == 1)
      copy(walk, z[s->dst], h);
    else
      walk->ops->mix(walk->be, &walk->ws, walk->latent, share, h, 1 - share, z[s->dst]);
    stir(walk, s, 0, z[s->dst]);
  }
  return saved;
}

static trm__solved *solved_of(const trm__walker *w, const trm__tile *tile) {
  return tile->solved ? tile->solved : w->solved;
}

static void disturb(walking *walk, const trm__tile *tile) {
  const trm__plan *plan = walk->w->plan;
  for (int i = 0; i < plan->n_latents; i++)
    if (i != plan->answer || plan->n_latents == 1) {
      const trm__draws draws = trm__draws_before((uint32_t)i);
      walk->ops->jitter(walk->be, &walk->ws, tile->rows, tile->noise, &draws, tile->deviation,
                        tile->z[i]);
    }
}

void trm__walk_infer(trm__walker *w, trm__lane *lane, const trm__tile *tile) {
  walking walk = begin_walk(w, lane, tile);
  const trm__plan *plan = w->plan;
  embed(&walk, tile);
  start(&walk, tile);
  if (tile->deviation > 0) disturb(&walk, tile);
  run_steps(&walk, 0, plan->n_steps, 0, tile->z, solved_of(w, tile));
  walk.ops->head(w->be, &walk.ws, tile->rows, tile->z[plan->answer], tile->logits, tile->q);
  decode(&walk, tile, tile->logits);
}

void trm__walk_decode(trm__walker *w, trm__lane *lane, const trm__tile *tile, int i) {
  walking walk = begin_walk(w, lane, tile);
  walk.ops->head(w->be, &walk.ws, tile->rows, tile->z[i], tile->logits, tile->q);
}

/* --- the load of experts --------------------------------------------------------------------- */

void trm__walk_tell(trm__walker *w, trm__lane *lane, const trm__tile *tile) {
  walking walk = begin_walk(w, lane, tile);
  const trm__plan *plan = w->plan;
  embed(&walk, tile);
  start(&walk, tile);
  run_steps(&walk, 0, plan->first_grad, 0, tile->z, w->solved);
  for (int i = 0; i < plan->n_latents; i++) copy(&walk, w->next[i], tile->z[i]);
  walk.tells = true;
  run_steps(&walk, plan->first_grad, plan->n_steps, 0, w->next, w->solved);
}

void trm__walk_balance(const trm__walker *w, trm__workspace *ws, const trm__experts_update *x) {
  const trm__layout *l = w->layout;
  const trm__plan *plan = w->plan;
  for (int i = plan->first_grad; i < plan->n_steps; i++) {
    const int net = plan->steps[i].net;
    for (int block = l->net_first[net]; block < l->net_first[net + 1]; block++) {
      const int64_t a = (int64_t)(i - plan->first_grad) * x->stride + block - l->net_first[net];
      if (trm__experts_of(&l->dims, l->blocks[block].kind))
        w->be->ops->balance(w->be, ws, l->blocks[block].kind, x->rows, x->weight,
                            x->told + a * x->rows * x->figures, &x->balance[a]);
    }
  }
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

/* The reverse of run_saved, which uses it up: dh, the gradient of its output, becomes that of its
 * input. */
static void reverse_saved(walking *walk, const trm__step *s, real *saved, real *dh, real *grads,
                          bool accumulate) {
  const trm__layout *l = walk->layout;
  const int first = l->net_first[s->net], end = l->net_first[s->net + 1];
  real *own = saved + (end - first + 1) * walk->latent;
  for (int block = first; block < end; block++) own += block_saved(walk, block);

  /* Through the net, last block first: dh from that of a block's output to that of its input. */
  for (int block = end - 1; block >= first; block--) {
    const trm__block *blk = &walk->be->blocks[block];
    const real *x = saved + (block - first) * walk->latent, *y = x + walk->latent;
    real *dw[TRM__BLOCK_WEIGHTS];
    for (int i = 0; i < blk->n_weights; i++) dw[i] = grads + blk->w[i].at - l->net_offset[s->net];
    own -= block_saved(walk, block);
    tell_block(walk, s, block, 0);
    walk->ops->block_grad(walk->be, &walk->ws, blk, walk->rows, x, y, own, dh, dw, accumulate);
  }
}

/* The implicit function theorem: of z = f(z + c) the gradient g by z becomes u = u df/dz + g, which
 * the solver finds in its turn, from u = 0. A product with df/dz is a way back through the net at
 * `saved`, after which it goes forward once more, for what was saved is used up. */
static void solve_gradient(walking *walk, const trm__step *s, real *saved, real *dz) {
  trm__walker *w = walk->w;
  trm__solving how = walk->w->plan->solving;
  how.relative = true; /* a gradient has no size of its own */
  copy(walk, w->dz_before, dz);
  clear(walk, w->x);
  copy(walk, w->f, dz);
  for (int k = 0;; k++) {
    walk->ops->solve(walk->be, &walk->ws, &how, walk->rows, k, w->x, w->f, w->f, dz, w->history,
                     w->solved);
    if (k + 1 == how.iterations || all_done(walk, w->solved)) return;
    copy(walk, w->f, w->x);
    reverse_saved(walk, s, saved, w->f, w->nowhere, false);
    run_saved(walk, s, saved);
    add(walk, w->f, w->dz_before);
  }
}

/* The reverse of run_saved_step: dz[dst] becomes the gradient of the old z[dst], and what else is
 * in the sum receives that of the net's input. Each application has gradients of its own. */
static void reverse_step(walking *walk, const trm__step *s, real *saved, real *const *grads,
                         bool accumulate) {
  const trm__layout *l = walk->layout;
  const int64_t size = walk->rows * step_saved(l, walk->be, s->net);
  const real share = share_of(walk, s);
  real *dh = walk->w->dz[s->dst], *before = walk->w->dz_before;
  if (s->solved && by_jacobian(walk->w->plan)) solve_gradient(walk, s, saved, dh);
  for (int k = s->kept - 1; k >= 0; k--) {
    if (share != 1) {
      copy(walk, before, dh);
      walk->ops->mix(walk->be, &walk->ws, walk->latent, share, before, 0, dh);
    }
    reverse_saved(walk, s, saved + k * size, dh, grads[k], accumulate);

    /* To the sources of z[dst] <- net(sum of z[i] + e): each latent, the input, and the old z[dst],
     * which starts over at zero where it had no part. */
    for (int i = 0; i < walk->w->plan->n_latents; i++)
      if (i != s->dst && (s->src >> i & 1)) add(walk, walk->w->dz[i], dh);
    if (s->add_input) add(walk, walk->w->de, dh);
    if (!(s->src >> s->dst & 1)) clear(walk, dh);
    if (share != 1) walk->ops->mix(walk->be, &walk->ws, walk->latent, 1 - share, before, 1, dh);
  }

  /* A solution does not depend on where the solver began. */
  if (s->solved) clear(walk, dh);
}

/* target = sigmoid(q'[0] at the last step, else max(q')) of one more supervision step. */
static void continue_targets(walking *walk, const trm__tile *tile) {
  trm__walker *w = walk->w;
  const trm__plan *plan = walk->w->plan;
  for (int i = 0; i < plan->n_latents; i++) copy(walk, w->next[i], tile->z[i]);
  run_steps(walk, 0, plan->n_steps, plan->n_steps, w->next, w->solved);
  walk->ops->head(w->be, &walk->ws, walk->rows, w->next[plan->answer], w->logits, w->q_next);
  walk->ops->q_target(w->be, &walk->ws, walk->rows, w->q_next, tile->steps, tile->max_steps,
                      w->q_target);
}

void trm__walk_train(trm__walker *w, trm__lane *lane, const trm__tile *tile,
                     real *const *step_grads, real *outer_grads, real *head_grads,
                     bool accumulate) {
  walking walk = begin_walk(w, lane, tile);
  const trm__plan *plan = w->plan;
  const bool more = w->layout->dims.q_continue;
  const int rows = tile->rows;
  real *saved = w->saved, *z = tile->z[plan->answer];

  /* Forward: the start and the steps without gradient in place, unless experts had to see them
   * already; then those that keep their activations. */
  embed(&walk, tile);
  if (!tile->experts) {
    start(&walk, tile);
    run_steps(&walk, 0, plan->first_grad, 0, tile->z, solved_of(w, tile));
  }
  for (int i = plan->first_grad; i < plan->n_steps; i++)
    saved = run_saved_step(&walk, &plan->steps[i], tile->z, saved, solved_of(w, tile));

  /* Losses; logits and q become their gradients. */
  if (more) continue_targets(&walk, tile);
  walk.ops->head(w->be, &walk.ws, rows, z, w->logits, w->q);
  decode(&walk, tile, w->logits);
  walk.ops->loss(w->be, &walk.ws, rows, tile->labels, tile->steps, more ? w->q_target : NULL,
                 w->logits, w->q, tile->loss);

  /* Backward: only the answer's latent has a gradient to start with. */
  for (int i = 0; i < plan->n_latents; i++)
    if (i != plan->answer) clear(&walk, w->dz[i]);
  clear(&walk, w->de);
  walk.ops->head_grad(w->be, &walk.ws, rows, z, w->logits, w->q, w->dz[plan->answer], head_grads);
  int at = plan->n_grads;
  for (int i = plan->n_steps - 1; i >= plan->first_grad; i--) {
    const trm__step *s = &plan->steps[i];
    at -= s->kept;
    saved -= rows * s->kept * step_saved(w->layout, w->be, s->net);
    reverse_step(&walk, s, saved, step_grads + at, accumulate);
  }
  walk.ops->embed_grad(w->be, &walk.ws, rows, tile->inputs, tile->fed, w->de, outer_grads,
                       tile->d_puzzle);

  /* Carried latents are constants, so what reaches the first of these steps ends there; but where
   * they are learned, the latents of rows that have just begun are the vectors they start from. */
  for (int i = 0; i < plan->n_latents && w->layout->learned_latents; i++)
    walk.ops->start_grad(w->be, &walk.ws, rows, tile->steps, w->dz[i],
                         outer_grads + w->layout->latent_init[i]);
}
