/* The ops of one model's training update, each by itself on random values of the sizes it has in
 * training. How often an update calls each follows from the plan. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "bench/measure.h"
#include "kernels/kernels.h"
#include "nn/block.h"
#include "nn/model.h"

/* Row slots of a trainer (docs/ARCHITECTURE.md, One training step): gradient blocks to add up. */
enum { SLOTS = 8 };

/* What is timed of a block. */
enum { FORWARD, SAVING, BACKWARD, WAYS };

/* A team's tile. */
typedef struct team_memory {
  real *x, *y, *dh, *dh_start, *saved, *logits, *q, *grads, *d_puzzle;
  real *shared, *scratch;
  trm__row_loss *loss;
} team_memory;

typedef struct state {
  trm_model *model;
  const trm__layout *l;
  const trm__kernels *k;
  trm__backend *be;
  int rows;
  int64_t latent, scratch_size;
  int32_t *inputs; /* [rows, S], also the labels */
  real *puzzle;    /* [E] */
  const real **puzzles;
  trm__row_loss *loss;
  real *memory, *moments; /* moments: m, v, EMA [n_params] */
  team_memory *team;
  char names[TRM__BLOCK_KINDS][WAYS][32]; /* of the ops of blocks */
} state;

static void free_state(void *arg) {
  state *s = arg;
  if (!s) return;
  if (s->be) s->be->ops->destroy(s->be);
  trm_model_free(s->model);
  void *blocks[] = {s->inputs, (void *)s->puzzles, s->puzzle, s->loss,
                    s->memory, s->moments,         s->team,   s};
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) trm__free(blocks[i]);
}

/* --- the operations -------------------------------------------------------------------------- */

static team_memory *team_of(const state *s, const trm__lane *lane) {
  return &s->team[lane->team];
}
static trm__workspace workspace(const state *s, trm__lane *lane) {
  team_memory *t = team_of(s, lane);
  return (trm__workspace){lane, t->shared, t->scratch + lane->rank * s->scratch_size};
}

/* Opens an operation: s, its team's memory t, and a workspace ws. */
#define BEGIN                              \
  const state *s = b->state;               \
  const team_memory *t = team_of(s, lane); \
  trm__workspace ws = workspace(s, lane);  \
  (void)op;

static void run_embed(trm_bench *b, const trm__bench_op *op, trm__lane *lane) {
  BEGIN
  s->be->ops->embed(s->be, &ws, s->rows, s->inputs, s->puzzles, t->y);
}
static void run_embed_grad(trm_bench *b, const trm__bench_op *op, trm__lane *lane) {
  BEGIN
  s->be->ops->embed_grad(s->be, &ws, s->rows, s->inputs, t->x, t->grads, t->d_puzzle);
}
static void run_sum(trm_bench *b, const trm__bench_op *op, trm__lane *lane) {
  BEGIN
  const real *src[] = {t->x, t->dh_start};
  s->be->ops->sum(s->be, &ws, s->latent, 2, src, t->y);
}
static void run_forward(trm_bench *b, const trm__bench_op *op, trm__lane *lane) {
  BEGIN
  s->be->ops->block(s->be, &ws, op->arg, s->rows, t->x, t->y, NULL);
}
static void run_saving(trm_bench *b, const trm__bench_op *op, trm__lane *lane) {
  BEGIN
  s->be->ops->block(s->be, &ws, op->arg, s->rows, t->x, t->y, t->saved);
}
/* A backward pass uses up what the forward pass kept, and turns dh into the input's gradient. */
static void prepare_backward(trm_bench *b, const trm__bench_op *op, trm__lane *lane) {
  BEGIN
  const real *src[] = {t->dh_start};
  s->be->ops->block(s->be, &ws, op->arg, s->rows, t->x, t->y, t->saved);
  s->be->ops->sum(s->be, &ws, s->latent, 1, src, t->dh);
}
static void run_backward(trm_bench *b, const trm__bench_op *op, trm__lane *lane) {
  BEGIN
  const trm__block *blk = op->arg;
  real *dw[TRM__BLOCK_WEIGHTS];
  for (int i = 0; i < blk->n_weights; i++) dw[i] = t->grads + blk->w[i].at;
  s->be->ops->block_grad(s->be, &ws, blk, s->rows, t->x, t->y, t->saved, t->dh, dw, true);
}
static void run_head(trm_bench *b, const trm__bench_op *op, trm__lane *lane) {
  BEGIN
  s->be->ops->head(s->be, &ws, s->rows, t->x, t->logits, t->q);
}
/* Called again it takes the gradients it left for logits: values of the same kind. */
static void run_loss(trm_bench *b, const trm__bench_op *op, trm__lane *lane) {
  BEGIN
  s->be->ops->loss(s->be, &ws, s->rows, s->inputs, NULL, t->logits, t->q, t->loss);
}
static void run_head_grad(trm_bench *b, const trm__bench_op *op, trm__lane *lane) {
  BEGIN
  s->be->ops->head_grad(s->be, &ws, s->rows, t->x, t->logits, t->q, t->dh, t->grads);
}

static void share_of_params(const state *s, const trm__lane *lane, int64_t *lo, int64_t *n) {
  int64_t hi;
  trm__lane_share(lane, s->l->n_params, 64, lo, &hi);
  *n = hi - *lo;
}
static void run_add_gradients(trm_bench *b, const trm__bench_op *op, trm__lane *lane) {
  const state *s = b->state;
  int64_t lo, n;
  (void)op;
  share_of_params(s, lane, &lo, &n);
  s->k->add(n, s->moments + lo, s->team[0].grads + lo);
}
static void run_optimiser(trm_bench *b, const trm__bench_op *op, trm__lane *lane) {
  const trm__adam adam = {(real)1e-6, 1, (real)0.9, (real)0.95, (real)1e-6, 1, 0, (real)0.999};
  const state *s = b->state;
  int64_t lo, n, all = s->l->n_params;
  (void)op;
  share_of_params(s, lane, &lo, &n);
  real *p = s->model->params + lo, *m = s->moments + lo;
  s->k->step[TRM_OPT_ADAM_ATAN2](n, &adam, p, s->team[0].grads + lo, m, m + all);
  s->k->ema(n, &adam, p, m + 2 * all);
}
static void run_pack(trm_bench *b, const trm__bench_op *op, trm__lane *lane) {
  const state *s = b->state;
  (void)op;
  s->be->ops->pack(s->be, lane, s->model->params);
}

/* --- how often, and how much ----------------------------------------------------------------- */

/* Calls per tile; sums in units of three latents read or written. */
typedef struct tally {
  double forward[TRM__BLOCK_KINDS], saving[TRM__BLOCK_KINDS];
  double heads, sums, gradient_steps;
} tally;

static int n_sources(const trm__step *s) {
  int n = s->add_input;
  for (int i = 0; i < TRM__MAX_LATENTS; i++) n += s->src >> i & 1;
  return n;
}

static tally count_calls(const trm__layout *l) {
  const trm__plan *p = l->plan;
  const int again = l->dims.q_continue; /* one more forward walk, for the continue target */
  tally c = {.heads = 1 + again, .gradient_steps = p->n_steps - p->first_grad};
  for (int i = 0; i < p->n_steps; i++) {
    const trm__step *s = &p->steps[i];
    bool gradient = i >= p->first_grad;
    for (int j = l->net_first[s->net]; j < l->net_first[s->net + 1]; j++) {
      (gradient ? c.saving : c.forward)[l->blocks[j].kind] += 1;
      c.forward[l->blocks[j].kind] += again;
    }
    c.sums += (1 + again) * (n_sources(s) + 1) / 3.0;
    if (gradient) c.sums += 2 / 3.0 + n_sources(s); /* a copy; the gradient to every source */
  }
  return c;
}

typedef struct sizes {
  double latent, saved[TRM__BLOCK_KINDS], logits, params;
  double teams, unit; /* unit: bytes of an operand's value */
} sizes;

static sizes sizes_of(const state *s, int teams) {
  const trm__dims *m = &s->l->dims;
  sizes z = {.latent = 4 * (double)s->latent,
             .logits = 4.0 * s->rows * m->S * m->V,
             .params = 4 * (double)s->l->n_params,
             .teams = teams,
             .unit = m->dtype == TRM_BFLOAT16 ? 2 : 4};
  for (int i = 0; i < TRM__BLOCK_KINDS; i++)
    z.saved[i] = 4.0 * s->rows * (double)s->be->ops->saved_size(s->be, (trm__block_kind)i);
  return z;
}

/* Values of a block's weights. */
static double weights_of(const trm__block *blk) {
  double n = 0;
  for (int i = 0; i < blk->n_weights; i++)
    n += (double)blk->w[i].rows * (blk->w[i].cols ? blk->w[i].cols : 1);
  return n;
}

enum { MAX_OPS = 9 + WAYS * TRM__BLOCK_KINDS };

/* An op of every team, on its tile. */
static trm__bench_op *add_op(trm_bench *b, const sizes *z, const char *name, trm__bench_fn *run,
                             double calls, double flops, double bytes) {
  trm__bench_op *op = &b->ops[trm__push(&b->n_ops, MAX_OPS)];
  *op = (trm__bench_op){.about = {name, flops * z->teams, bytes * z->teams, calls, false},
                        .run = run,
                        .teams = (int)z->teams};
  return op;
}

/* The op's name, behind that of its kind of block. */
static const char *block_op_name(state *s, trm__block_kind kind, int way) {
  static const char *const ways[WAYS] = {
      [FORWARD] = "forward", [SAVING] = "forward, saving", [BACKWARD] = "backward"};
  char *name = s->names[kind][way];
  snprintf(name, sizeof s->names[kind][way], "%s %s", trm__block_kinds[kind].name, ways[way]);
  return name;
}

static void add_blocks(trm_bench *b, state *s, const sizes *z, const tally *c) {
  for (int kind = 0; kind < TRM__BLOCK_KINDS; kind++) {
    const trm__block *blk = NULL;
    for (int i = 0; i < s->be->n_blocks && !blk; i++)
      if ((int)s->be->blocks[i].kind == kind) blk = &s->be->blocks[i];
    if (!blk) continue;
    double flops = s->rows * trm__block_kinds[kind].flops(&s->l->dims);
    double weights = z->unit * weights_of(blk), grads = 8 * weights_of(blk);
    double kept = z->saved[kind], x = z->latent;
    if (c->forward[kind] > 0)
      add_op(b, z, block_op_name(s, blk->kind, FORWARD), run_forward, c->forward[kind], flops,
             weights + 2 * x)
          ->arg = blk;
    add_op(b, z, block_op_name(s, blk->kind, SAVING), run_saving, c->saving[kind], flops,
           weights + 2 * x + kept)
        ->arg = blk;
    trm__bench_op *op = add_op(b, z, block_op_name(s, blk->kind, BACKWARD), run_backward,
                               c->saving[kind], 2 * flops, weights + grads + 4 * x + kept);
    op->arg = blk;
    op->prepare = prepare_backward;
  }
}

/* An op of all threads, once for every row's gradients are there. */
static void add_update_op(trm_bench *b, const char *name, trm__bench_fn *run, double calls,
                          double bytes) {
  b->ops[trm__push(&b->n_ops, MAX_OPS)] =
      (trm__bench_op){.about = {name, 0, bytes, calls, true}, .run = run, .teams = 1};
}

static void add_ops(trm_bench *b, state *s, int teams) {
  const trm__dims *m = &s->l->dims;
  const sizes z = sizes_of(s, teams);
  const tally c = count_calls(s->l);
  double head = 2.0 * s->rows * m->S * m->V * m->D, packed = 2 * z.unit / 4 * z.params;
  add_op(b, &z, "embed", run_embed, 1, 0, 2 * z.latent);
  add_op(b, &z, "sum", run_sum, c.sums, 0, 3 * z.latent);
  add_blocks(b, s, &z, &c);
  add_op(b, &z, "head", run_head, c.heads, head, z.latent + z.logits);
  add_op(b, &z, "loss", run_loss, 1, 0, 2 * z.logits);
  add_op(b, &z, "head backward", run_head_grad, 1, 2 * head, 2 * z.latent + z.logits);
  add_op(b, &z, "embed backward", run_embed_grad, 1, 0, 2 * z.latent);
  add_update_op(b, "add gradients", run_add_gradients, (double)SLOTS * (c.gradient_steps + 1),
                3 * z.params);
  add_update_op(b, "optimiser", run_optimiser, 1, 9 * z.params);
  add_update_op(b, "pack", run_pack, 1, z.params + packed);
}

/* --- memory ---------------------------------------------------------------------------------- */

/* Lays the teams' memory out in one block; NULL base only counts. */
static int64_t lay_out(state *s, int teams, int size, real *base) {
  const trm__dims *m = &s->l->dims;
  const trm__backend_ops *ops = s->be->ops;
  int64_t at = 0, rows = s->rows, saved = 0;
  for (int i = 0; i < s->be->n_blocks; i++) {
    int64_t n = ops->saved_size(s->be, s->be->blocks[i].kind);
    if (n > saved) saved = n;
  }
  s->latent = rows * m->L * m->D;
  s->scratch_size = (ops->scratch_size(s->be, s->rows, true) + 31) / 16 * 16;
#define PART(pointer, count)                 \
  do {                                       \
    (pointer) = base ? base + at : NULL;     \
    at += ((int64_t)(count) + 15) / 16 * 16; \
  } while (0)
  for (int i = 0; i < teams; i++) {
    team_memory *t = &s->team[i];
    t->loss = s->loss + i * rows;
    PART(t->x, s->latent);
    PART(t->y, s->latent);
    PART(t->dh, s->latent);
    PART(t->dh_start, s->latent);
    PART(t->saved, rows * saved);
    PART(t->logits, rows * m->S * m->V);
    PART(t->q, rows * 2);
    PART(t->grads, s->l->n_params);
    PART(t->d_puzzle, rows * m->E);
    PART(t->shared, ops->shared_size(s->be, s->rows, true));
    PART(t->scratch, s->scratch_size * size);
  }
#undef PART
  return at;
}

static trm_status take_memory(state *s, int teams, int size, trm_error *err) {
  const trm__dims *m = &s->l->dims;
  int64_t cells = (int64_t)s->rows * m->S;
  TRM_ALLOC(&s->team, teams, "the teams of a bench", err);
  TRM_ALLOC(&s->loss, (int64_t)teams * s->rows, "the losses of a bench", err);
  TRM_ALLOC(&s->inputs, cells, "the tokens of a bench", err);
  TRM_ALLOC(&s->puzzle, m->E, "the puzzle embedding of a bench", err);
  TRM_ALLOC(&s->puzzles, s->rows, "the puzzle embeddings of a bench", err);
  TRM_ALLOC(&s->moments, 3 * s->l->n_params, "the optimiser of a bench", err);
  int64_t n = lay_out(s, teams, size, NULL);
  TRM_ALLOC(&s->memory, n, "the activations of a bench", err);
  lay_out(s, teams, size, s->memory);
  trm__bench_random(s->memory, n);
  trm__bench_random(s->puzzle, m->E);
  for (int r = 0; r < s->rows; r++) s->puzzles[r] = s->puzzle;
  for (int64_t i = 0; i < cells; i++) s->inputs[i] = (int32_t)(i * 7 % m->V);
  return TRM_OK;
}

static void pack_lane(void *arg, trm__lane *lane) {
  const state *s = arg;
  s->be->ops->pack(s->be, lane, s->model->params);
}

static trm_status fill_state(state *s, const trm_model_config *config, int teams, int size,
                             trm_error *err) {
  TRM_TRY(trm__kernels_select(&s->k, err));
  TRM_TRY(trm_model_create(config, 0, &s->model, err));
  s->l = s->model->layout;
  TRM_TRY(
      trm__cpu_create(&s->l->dims, &s->l->outer, s->l->blocks, s->l->n_blocks, true, &s->be, err));
  return take_memory(s, teams, size, err);
}

trm_status trm_bench_create_ops(const trm_model_config *config, int threads, int teams, int rows,
                                trm_bench **out, trm_error *err) {
  state *s;
  trm_bench *b;
  *out = NULL;
  if (threads < 1 || teams < 1 || threads % teams || rows < 1 || rows > 1 << 14 ||
      threads > TRM__BENCH_THREADS)
    TRM_FAIL(err, TRM_E_ARGUMENT,
             "%d threads as %d teams, %d rows: want teams that divide the threads, 1 to %d rows",
             threads, teams, rows, 1 << 14);
  TRM_ALLOC(&s, 1, "a bench", err);
  s->rows = rows;
  trm_status st = fill_state(s, config, teams, threads / teams, err);
  if (st != TRM_OK) {
    free_state(s);
    return st;
  }
  TRM_TRY(trm__bench_create(threads, MAX_OPS, s, free_state, &b, err));
  add_ops(b, s, teams);
  trm__pool_run(b->pool, 1, pack_lane, s);
  *out = b;
  return TRM_OK;
}
