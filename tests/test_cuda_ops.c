/* Every op of the CUDA backend by itself against the CPU's in float32, which the double tests hold
 * to the mathematics. The same random values go through both; what an op writes is recorded on the
 * CPU and compared on the GPU (or the emulation of tests/hostcuda), op by op. */
#include <math.h>

#include "backend/backend.h"
#include "gpu.h"
#include "nn/model.h"
#include "small_model.h"

enum { B = 3, LEN = 11, MAX_RECORDS = 96, MAX_BLOCKS = 256 };

typedef struct record {
  const char *name;
  int64_t n;
  float *v;
} record;

/* One pass over all ops of a model, on one device. */
typedef struct pass {
  trm_model *model;
  const trm__layout *l;
  trm__backend *be;
  const trm__backend_ops *ops;
  trm__lane lane;
  trm__workspace ws;
  int64_t latent; /* reals of B rows, as the backend stores them */
  int64_t values; /* of B rows on the host */
  float *host;    /* room for a latent, logits or the weights */
  record *records;
  int at; /* the next record */
  void *blocks[MAX_BLOCKS];
  int n_blocks; /* taken from the backend */
  bool compares;
  double tolerance;
} pass;

static void *take(pass *p, int64_t n, size_t size) {
  void *out;
  trm_error err;
  if (trm__backend_alloc(p->be, n, size, "a test", &out, &err) != TRM_OK) fail_msg("%s", err.msg);
  assert_true(p->n_blocks < MAX_BLOCKS);
  return p->blocks[p->n_blocks++] = out;
}
static float *random_values(pass *p, int64_t n, uint64_t stream, float scale) {
  trm__rng r = trm__rng_at(7, TRM__RNG_TEST, stream, 0);
  for (int64_t i = 0; i < n; i++) p->host[i] = scale * (2 * (float)trm__rng_uniform(&r) - 1);
  return p->host;
}
/* Plain reals, and a latent, with random values of that number. */
static real *reals(pass *p, int64_t n, uint64_t stream, float scale) {
  real *out = take(p, n, sizeof *out);
  p->ops->put(p->be, out, random_values(p, n, stream, scale), (size_t)n * sizeof *out);
  return out;
}
static real *latents(pass *p, uint64_t stream) {
  real *out = take(p, p->latent, sizeof *out);
  p->ops->put_latents(p->be, B, out, random_values(p, p->values, stream, 1));
  return out;
}
static int32_t *integers(pass *p, int n, int below, int step) {
  int32_t v[B * LEN];
  int32_t *out = take(p, n, sizeof *out);
  for (int i = 0; i < n; i++) v[i] = (i * step + i / 3) % below;
  p->ops->put(p->be, out, v, (size_t)n * sizeof *v);
  return out;
}

static void look(pass *p, const char *name, int64_t n) {
  record *r = &p->records[p->at++];
  assert_true(p->at < MAX_RECORDS);
  if (!p->compares) {
    *r = (record){name, n, malloc((size_t)n * sizeof *r->v + 1)};
    memcpy(r->v, p->host, (size_t)n * sizeof *r->v);
    return;
  }
  double diff = 0, norm = 0;
  assert_string_equal(r->name, name);
  for (int64_t i = 0; i < n; i++) {
    diff += pow((double)p->host[i] - (double)r->v[i], 2);
    norm += pow((double)r->v[i], 2);
  }
  if (!(sqrt(diff) <= p->tolerance * sqrt(norm) + 1e-30))
    fail_msg("%s: off by %.3g of %.3g", name, sqrt(diff), sqrt(norm));
}
static void look_reals(pass *p, const char *name, const real *v, int64_t n) {
  p->ops->get(p->be, p->host, v, (size_t)n * sizeof *v);
  look(p, name, n);
}
static void look_latents(pass *p, const char *name, const real *v) {
  p->ops->get_latents(p->be, B, p->host, v);
  look(p, name, p->values);
}

/* ---- the ops ---- */

static void embedding(pass *p) {
  const trm__dims *m = &p->l->dims;
  const int64_t n = p->l->n_params;
  real *rows = reals(p, 3 * (int64_t)m->E + 1, 1, 1), *e = latents(p, 2), *de = latents(p, 3);
  real *grads = reals(p, n, 4, 1), *d_puzzle = reals(p, (int64_t)B * m->E + 1, 5, 1);
  const real *puzzle[B] = {rows + 2 * m->E, rows, rows + 2 * m->E};
  const real **at = take(p, B, sizeof *at);
  int32_t *inputs = integers(p, B * LEN, 7, 5);
  p->ops->put(p->be, (void *)at, (const void *)puzzle, sizeof puzzle);
  p->ops->embed(p->be, &p->ws, B, inputs, at, e);
  look_latents(p, "embed", e);
  p->ops->embed_grad(p->be, &p->ws, B, inputs, de, grads, d_puzzle);
  look_reals(p, "embed_grad: tables", grads, n);
  look_reals(p, "embed_grad: puzzles", d_puzzle, (int64_t)B * m->E);
  const real *src[] = {e, de, e};
  p->ops->sum(p->be, &p->ws, p->latent, 3, src, e);
  look_latents(p, "sum", e);
  p->ops->clear(p->be, &p->ws, p->latent, e);
  look_latents(p, "clear", e);
}

static void blocks(pass *p) {
  const int64_t n = p->l->n_params;
  for (int i = 0; i < p->be->n_blocks; i++) {
    const trm__block *blk = &p->be->blocks[i];
    real *x = latents(p, 10), *y = latents(p, 11), *dh = latents(p, 12);
    real *saved = take(p, B * p->ops->saved_size(p->be, blk->kind), sizeof *saved);
    real *grads = reals(p, n, 13, 1), *dw[TRM__BLOCK_WEIGHTS];
    for (int j = 0; j < blk->n_weights; j++) dw[j] = grads + blk->w[j].at;
    p->ops->block(p->be, &p->ws, blk, B, x, y, NULL);
    look_latents(p, "block", y);
    for (int again = 0; again < 2; again++) {
      p->ops->block(p->be, &p->ws, blk, B, x, y, saved);
      look_latents(p, "block, saving", y);
      p->ops->block_grad(p->be, &p->ws, blk, B, x, y, saved, dh, dw, again);
      look_latents(p, "block_grad: dx", dh);
      look_reals(p, "block_grad: weights", grads, n);
    }
    p->ops->block(p->be, &p->ws, blk, B, x, x, NULL);
    look_latents(p, "block in place", x);
  }
}

static void heads(pass *p, bool with_target) {
  const trm__dims *m = &p->l->dims;
  const int64_t n = p->l->n_params, logits_n = (int64_t)B * m->S * m->V;
  real *z = latents(p, 20), *dz = latents(p, 21), *logits = reals(p, logits_n, 22, 1);
  real *q = reals(p, 2 * B, 23, 1), *target = reals(p, B, 24, 1), *grads = reals(p, n, 25, 1);
  trm__row_loss *loss = take(p, B, sizeof *loss), got[B];
  int32_t *labels = integers(p, B * LEN, 7, 3), *steps = integers(p, B, 3, 1);
  const int32_t ignored[] = {-1, -1};
  p->ops->put(p->be, labels + 4, ignored, sizeof ignored);
  p->ops->head(p->be, &p->ws, B, z, logits, q);
  look_reals(p, "logits", logits, logits_n);
  look_reals(p, "q", q, 2 * B);
  p->ops->q_target(p->be, &p->ws, B, q, steps, 2, target);
  look_reals(p, "q_target", target, B);
  p->ops->loss(p->be, &p->ws, B, labels, with_target ? target : NULL, logits, q, loss);
  look_reals(p, "loss: d_logits", logits, logits_n);
  look_reals(p, "loss: dq", q, 2 * B);
  p->ops->get(p->be, got, loss, sizeof got);
  for (int r = 0; r < B; r++) {
    const double v[] = {got[r].lm,   got[r].q_halt, got[r].q_continue, got[r].q[0],
                        got[r].q[1], got[r].valid,  got[r].right};
    for (int i = 0; i < 7; i++) p->host[7 * r + i] = (float)v[i];
  }
  look(p, "loss: rows", 7 * B);
  p->ops->head_grad(p->be, &p->ws, B, z, logits, q, dz, grads);
  look_latents(p, "head_grad: dz", dz);
  look_reals(p, "head_grad: weights", grads, n);
}

/* ids: two rows of the batch share one. A loss of NaN must leave everything as it is. */
static void updates(pass *p, trm__rule rule, bool bad) {
  const int E = p->l->dims.E;
  const int64_t n = p->l->n_params;
  const trm__adam figures[] = {{1e-2f, 0.9f, 0.8f, 0.7f, 2e-2f, 1.5f, 1e-8f, 0.6f},
                               {.lr = 0.1f, .decay = 0.9f}};
  trm__row_loss loss[B] = {{.lm = 1}, {.lm = bad ? NAN : 2}, {.lm = 3}};
  trm__totals totals;
  trm__update u = {.n = n,
                   .rows = B,
                   .grads = take(p, p->ops->slots * n, sizeof(real)),
                   .params = reals(p, n, 31, 1),
                   .ema = reals(p, n, 35, 1),
                   .partial_norms = take(p, n / TRM__CHUNK + 1, sizeof(double)),
                   .totals = take(p, 1, sizeof totals),
                   .puzzle_emb = E ? reals(p, 3 * (int64_t)E, 36, 1) : NULL,
                   .d_puzzle = reals(p, (int64_t)B * E + 1, 37, 1),
                   .puzzle_ids = integers(p, B, 2, 1),
                   .order = take(p, B, sizeof(int64_t)),
                   .sum = take(p, E, sizeof(real))};
  trm__adam *at_figures = take(p, 2, sizeof *figures);
  trm__row_loss *at_loss = take(p, B, sizeof loss);
  /* Two stretches with one value between them that no rule takes. */
  const int64_t half = n / 2;
  const trm__segment segments[] = {{0, half, 0, 0, 0}, {half + 1, n - half - 1, half, 0, 0}};
  const trm__group dense = {.rule = rule,
                            .n_segments = 2,
                            .segments = segments,
                            .state = {reals(p, n, 32, 1), reals(p, n, 33, 0)},
                            .figures = at_figures},
                   rows = {.rule = TRM__RULE_SIGN_ROWS, .figures = at_figures + 1};
  p->ops->put(p->be, at_figures, figures, sizeof figures);
  p->ops->put(p->be, at_loss, loss, sizeof loss);
  p->ops->put(p->be, u.grads, random_values(p, n, 30, 1), (size_t)n * sizeof(real));
  u.loss = at_loss;
  p->ops->sum_slots(p->be, &p->ws, &u);
  look_reals(p, "sum_slots: gradients", u.grads, n);
  p->ops->finish_grads(p->be, &p->ws, &u);
  look_reals(p, "finish_grads: gradients", u.grads, n);
  p->ops->update(p->be, &p->ws, &u, &dense);
  if (E) p->ops->update(p->be, &p->ws, &u, &rows);
  p->ops->get(p->be, &totals, u.totals, sizeof totals);
  p->host[0] = (float)totals.grad_norm;
  p->host[1] = (float)totals.apply;
  look(p, "finish_grads: totals", 2);
  assert_int_equal(totals.apply, !bad);
  look_reals(p, "update: weights", u.params, n);
  look_reals(p, "update: first moments", dense.state[0], n);
  look_reals(p, "update: second moments", dense.state[1], n);
  look_reals(p, "update: EMA", u.ema, n);
  if (E) look_reals(p, "update: puzzle embedding", u.puzzle_emb, 3 * (int64_t)E);
}

enum { ROWS = 600 /* of a batch: more than a block has threads */ };

/* dq alone: no logits, so its bias is all that sums over many rows. */
static void bias_of_many_rows(pass *p) {
  const int64_t n = p->l->n_params, latent = ROWS * p->ops->latent_size(p->be);
  const int64_t logits = (int64_t)ROWS * p->l->dims.S * p->l->dims.V;
  real *grads = take(p, n, sizeof *grads), *z = take(p, latent, sizeof *z);
  trm__workspace ws = p->ws;
  ws.shared = take(p, p->ops->shared_size(p->be, ROWS, true), sizeof(real));
  ws.scratch = take(p, p->ops->scratch_size(p->be, ROWS, true), sizeof(real));
  p->ops->head_grad(p->be, &ws, ROWS, z, take(p, logits, sizeof(real)), reals(p, 2 * ROWS, 51, 1),
                    take(p, latent, sizeof(real)), grads);
  look_reals(p, "head_grad: bias of many rows", grads + p->be->outer.q_bias, 2);
}

/* With few puzzle ids. */
static void puzzle_rows(pass *p) {
  enum { IDS = 5 };
  const int64_t E = p->l->dims.E;
  const trm__adam figures = {.lr = 0.1f, .decay = 0.9f};
  const trm__totals totals = {.apply = 1};
  int32_t ids[ROWS], *at_ids = take(p, ROWS, sizeof *at_ids);
  trm__adam *at_figures = take(p, 1, sizeof figures);
  trm__totals *at_totals = take(p, 1, sizeof totals);
  for (int i = 0; i < ROWS; i++) ids[i] = i * i % IDS;
  p->ops->put(p->be, at_ids, ids, sizeof ids);
  p->ops->put(p->be, at_figures, &figures, sizeof figures);
  p->ops->put(p->be, at_totals, &totals, sizeof totals);
  const trm__update u = {.rows = ROWS,
                         .totals = at_totals,
                         .puzzle_emb = reals(p, IDS * E, 41, 1),
                         .d_puzzle = reals(p, ROWS * E, 42, 1),
                         .puzzle_ids = at_ids,
                         .order = take(p, ROWS, sizeof(int64_t)),
                         .sum = take(p, E, sizeof(real))};
  const trm__group rows = {.rule = TRM__RULE_SIGN_ROWS, .figures = at_figures};
  p->ops->update(p->be, &p->ws, &u, &rows);
  look_reals(p, "update of many rows of puzzles", u.puzzle_emb, IDS * E);
}

/* ---- a pass ---- */

static void every_op(pass *p) {
  const trm__layout *l = p->l;
  trm_error err;
  const int64_t logits = (int64_t)B * l->dims.S * l->dims.V;
  p->ops = p->be->ops;
  p->lane = (trm__lane){0, 1, 0, 1, NULL};
  p->latent = B * p->ops->latent_size(p->be);
  p->values = (int64_t)B * l->dims.L * l->dims.D;
  p->host = malloc((size_t)(p->values + l->n_params + logits + ROWS * l->dims.E + 2 * ROWS) *
                   sizeof *p->host);
  p->ws = (trm__workspace){&p->lane, take(p, p->ops->shared_size(p->be, B, true), sizeof(real)),
                           take(p, p->ops->scratch_size(p->be, B, true), sizeof(real))};
  real *weights = take(p, l->n_params, sizeof *weights);
  p->ops->put(p->be, weights, p->model->params, (size_t)l->n_params * sizeof *weights);
  p->ops->pack(p->be, &p->lane, weights);
  embedding(p);
  blocks(p);
  heads(p, false);
  heads(p, true);
  updates(p, (trm__rule)TRM_OPT_ADAM_ATAN2, false);
  updates(p, (trm__rule)TRM_OPT_ADAMW, false);
  updates(p, (trm__rule)TRM_OPT_ADAM_ATAN2, true);
  bias_of_many_rows(p);
  if (l->dims.E) puzzle_rows(p);
  if (p->ops->run(p->be, NULL, NULL, 0, &err) != TRM_OK) fail_msg("%s", err.msg);
  for (int i = 0; i < p->n_blocks; i++) p->ops->release(p->be, p->blocks[i]);
  free(p->host);
}

static void agrees(const trm_model_config *c, double tolerance) {
  static record records[MAX_RECORDS];
  trm_error err;
  trm_model_config exact = *c;
  exact.forward_dtype = TRM_FLOAT32;
  const trm_device devices[] = {{TRM_DEVICE_CPU, 0}, gpu};
  int n = 0;
  for (int i = 0; i < 2; i++) {
    trm_model *m = small_model(i ? c : &exact, 5);
    pass p = {
        .model = m, .l = m->layout, .records = records, .compares = i, .tolerance = tolerance};
    if (trm__backend_create(devices[i], &p.l->dims, &p.l->outer, p.l->blocks, p.l->n_blocks, true,
                            &p.be, &err) != TRM_OK)
      fail_msg("%s", err.msg);
    every_op(&p);
    assert_true(i == 0 || n == p.at);
    n = p.at;
    p.ops->destroy(p.be);
    trm_model_free(m);
  }
  for (int i = 0; i < n; i++) free(records[i].v);
}

/* Models whose blocks, losses and embeddings are between them all there are. */
static trm_model_config config_of(int which) {
  trm_model_config c = small_config(TRM_ARCH_TRM, LEN);
  c.mlp_t = which == 0;
  c.pos_encodings = which == 0 ? TRM_POS_NONE : which == 1 ? TRM_POS_ROPE : TRM_POS_LEARNED;
  if (which == 1) { /* an embedding of more values than a block has threads */
    c.hidden_size = 32;
    c.puzzle_emb_len = 10;
    c.puzzle_emb_ndim = 300;
  }
  if (which == 2) {
    c.hidden_size = 72;
    c.num_heads = 4;
    c.loss = TRM_LOSS_SOFTMAX;
    c.puzzle_emb_ndim = 0;
    c.puzzle_emb_len = 0;
  }
  return c;
}

static void float32_ops_agree(void **state) {
  (void)state;
  for (int which = 0; which < 3; which++) {
    const trm_model_config c = config_of(which);
    agrees(&c, 1e-5);
  }
}
static void bfloat16_ops_are_near(void **state) {
  (void)state;
  for (int which = 0; which < 3; which++) {
    trm_model_config c = config_of(which);
    c.forward_dtype = TRM_BFLOAT16;
    agrees(&c, 2e-2);
  }
}

/* What is put may be changed at once, however much is on its way. */
static void what_is_put_arrives(void **state) {
  (void)state;
  enum { TIMES = 9, N = 300000, LARGE = 1500000 };
  const trm_model_config c = config_of(0);
  trm_model *m = small_model(&c, 5);
  pass p = {.model = m, .l = m->layout};
  trm_error err;
  if (trm__backend_create(gpu, &p.l->dims, &p.l->outer, p.l->blocks, p.l->n_blocks, false, &p.be,
                          &err) != TRM_OK)
    fail_msg("%s", err.msg);
  p.ops = p.be->ops;
  int32_t *host = malloc(LARGE * sizeof *host), *there[TIMES];
  for (int k = 0; k < TIMES; k++) there[k] = take(&p, k == 4 ? LARGE : N, sizeof *host);
  for (int k = 0; k < TIMES; k++) {
    const int n = k == 4 ? LARGE : N;
    for (int i = 0; i < n; i++) host[i] = 1000 * k + i % 997;
    p.ops->put(p.be, there[k], host, (size_t)n * sizeof *host);
  }
  for (int k = 0; k < TIMES; k++) {
    const int n = k == 4 ? LARGE : N;
    p.ops->get(p.be, host, there[k], (size_t)n * sizeof *host);
    for (int i = 0; i < n; i++) assert_int_equal(host[i], 1000 * k + i % 997);
    p.ops->release(p.be, there[k]);
  }
  free(host);
  p.ops->destroy(p.be);
  trm_model_free(m);
}

int main(void) {
  if (!gpu_found(NULL)) return 77;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(float32_ops_agree),
      cmocka_unit_test(bfloat16_ops_are_near),
      cmocka_unit_test(what_is_put_arrives),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
