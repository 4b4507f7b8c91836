/* The three kinds of block in double: forward against plain loops, backward against central
 * differences, and the same bits for teams of one, two and three members, with and without keeping
 * activations. */
#include "bench.h"

#include <stdlib.h>

/* y[i][o] = sum_j x[i][j] w[o][j] */
static void linear(int rows, int in, int out, const real *x, const real *w, real *y) {
  for (int i = 0; i < rows; i++)
    for (int o = 0; o < out; o++)
      y[(int64_t)i * out + o] = dot(x + (int64_t)i * in, w + (int64_t)o * in, in);
}

/* y = norm(x + r) over `count` values `step` apart */
static void plain_norm(int count, int step, double eps, const real *x, const real *r, real *y) {
  double sum = 0;
  for (int i = 0; i < count; i++) {
    double s = x[i * step] + r[i * step];
    sum += s * s;
  }
  for (int i = 0; i < count; i++)
    y[i * step] = (x[i * step] + r[i * step]) / sqrt(sum / count + eps);
}

/* rows x in -> rows x in: down(silu(gate) * up) */
static void plain_swiglu(int rows, int in, int width, const real *x, const real *w_in,
                         const real *w_out, real *y) {
  real *gu = probe_reals((int64_t)rows * 2 * width), *a = probe_reals((int64_t)rows * width);
  linear(rows, in, 2 * width, x, w_in, gu);
  for (int i = 0; i < rows; i++)
    for (int f = 0; f < width; f++) {
      double g = gu[(int64_t)i * 2 * width + f], u = gu[(int64_t)i * 2 * width + width + f];
      a[(int64_t)i * width + f] = g / (1 + exp(-g)) * u;
    }
  linear(rows, width, in, a, w_out, y);
  trm__free(gu);
  trm__free(a);
}

static void plain_mlp(const trm__dims *m, const real *x, const real *const *w, real *y) {
  real *r = probe_reals((int64_t)m->L * m->D);
  plain_swiglu(m->L, m->D, m->F, x, w[TRM__GATE_UP], w[TRM__DOWN], r);
  for (int t = 0; t < m->L; t++)
    plain_norm(m->D, 1, m->eps, x + (int64_t)t * m->D, r + (int64_t)t * m->D,
               y + (int64_t)t * m->D);
  trm__free(r);
}

/* [L, D] -> [D, L] */
static real *transposed(int rows, int cols, const real *x) {
  real *t = probe_reals((int64_t)rows * cols);
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < cols; j++) t[(int64_t)j * rows + i] = x[(int64_t)i * cols + j];
  return t;
}

static void plain_mixer(const trm__dims *m, const real *x, const real *const *w, real *y) {
  real *xt = transposed(m->L, m->D, x), *rt = probe_reals((int64_t)m->L * m->D);
  plain_swiglu(m->D, m->L, m->FL, xt, w[TRM__GATE_UP], w[TRM__DOWN], rt);
  real *r = transposed(m->D, m->L, rt);
  for (int c = 0; c < m->D; c++) plain_norm(m->L, m->D, m->eps, x + c, r + c, y + c);
  trm__free(xt);
  trm__free(rt);
  trm__free(r);
}

/* x cos + rotate_half(x) sin with tables of concatenated frequencies */
static void plain_rope(const trm__dims *m, int position, real *x) {
  real old[64];
  int half = m->d / 2;
  memcpy(old, x, (size_t)m->d * sizeof *x);
  for (int i = 0; i < m->d; i++) {
    double angle = position / pow(m->rope_theta, (double)(2 * (i % half)) / m->d);
    double rotated = i < half ? -old[i + half] : old[i - half];
    x[i] = old[i] * cos(angle) + rotated * sin(angle);
  }
}

static void plain_attention(const trm__dims *m, const real *x, const real *const *w, real *y) {
  int L = m->L, D = m->D, d = m->d;
  real *qkv = probe_reals((int64_t)L * 3 * D), *o = probe_reals((int64_t)L * D),
       *p = probe_reals(L);
  real *r = probe_reals((int64_t)L * D);
  linear(L, D, 3 * D, x, w[TRM__QKV], qkv);
  for (int t = 0; t < L && m->rope; t++)
    for (int h = 0; h < 2 * m->H; h++) plain_rope(m, t, qkv + (int64_t)t * 3 * D + h * d);
  for (int h = 0; h < m->H; h++)
    for (int t = 0; t < L; t++) {
      double sum = 0;
      for (int s = 0; s < L; s++) {
        p[s] = exp(dot(qkv + (int64_t)t * 3 * D + h * d, qkv + (int64_t)s * 3 * D + D + h * d, d) /
                   sqrt((double)d));
        sum += p[s];
      }
      for (int i = 0; i < d; i++) {
        double v = 0;
        for (int s = 0; s < L; s++) v += p[s] / sum * qkv[(int64_t)s * 3 * D + 2 * D + h * d + i];
        o[(int64_t)t * D + h * d + i] = v;
      }
    }
  linear(L, D, D, o, w[TRM__O], r);
  for (int t = 0; t < L; t++)
    plain_norm(D, 1, m->eps, x + (int64_t)t * D, r + (int64_t)t * D, y + (int64_t)t * D);
  trm__free(qkv);
  trm__free(o);
  trm__free(p);
  trm__free(r);
}

static const struct block_case {
  const char *name;
  trm__block_kind kind;
  void (*plain)(const trm__dims *, const real *x, const real *const *w, real *y);
  trm__dims m;
  int b;
} block_cases[] = {
#define ATTENTION TRM__BLOCK_ATTENTION, plain_attention
#define MIXER TRM__BLOCK_MIXER, plain_mixer
#define MLP TRM__BLOCK_MLP, plain_mlp
    {"attention", ATTENTION, {.V = 5, .S = 13, .D = 24, .H = 3, .F = 256, .FL = 256}, 1},
    {"attention rope", ATTENTION, {.V = 5, .S = 35, .P = 2, .D = 20, .H = 2, .rope = true}, 3},
    {"attention rope, several blocks of queries",
     ATTENTION,
     {.V = 5, .S = 130, .D = 16, .H = 1, .rope = true},
     1},
    {"attention, several blocks of queries and rows",
     ATTENTION,
     {.V = 5, .S = 197, .D = 14, .H = 7},
     2},
    {"mixer", MIXER, {.V = 5, .S = 13, .D = 16, .H = 1, .FL = 256}, 1},
    {"mixer, two blocks of channels", MIXER, {.V = 5, .S = 37, .D = 160, .H = 1, .FL = 256}, 3},
    {"mixer, long", MIXER, {.V = 5, .S = 130, .D = 131, .H = 1, .FL = 512}, 1},
    {"mlp", MLP, {.V = 5, .S = 13, .D = 16, .H = 1, .F = 256}, 1},
    {"mlp, odd width", MLP, {.V = 5, .S = 37, .D = 27, .H = 1, .F = 256}, 3},
    {"mlp, several blocks of rows", MLP, {.V = 5, .S = 130, .D = 40, .H = 1, .F = 512}, 1},
};

/* Everything a block's two directions read and write. */
typedef struct block_run {
  int64_t n, n_saved;
  const real *r; /* dL/dy of the objective y . r */
  real *x, *y, *saved, *dh;
  real *grads; /* of all weights, one behind the other as the weights are */
  bool accumulate;
} block_run;

static block_run block_memory(const bench *t, real *x, const real *r) {
  int64_t n = (int64_t)t->b * t->m.L * t->m.D,
          kept = t->b * t->be->ops->saved_size(t->be, t->blk->kind);
  return (block_run){.n = n,
                     .n_saved = kept,
                     .x = x,
                     .r = r,
                     .y = probe_reals(n),
                     .saved = probe_reals(kept),
                     .dh = probe_reals(n),
                     .grads = probe_reals(t->n_weights)};
}
static void block_release(block_run *a) {
  trm__free(a->y);
  trm__free(a->saved);
  trm__free(a->dh);
  trm__free(a->grads);
}

/* Where weight i of the block is among all of them. */
static int64_t weight_at(const bench *t, int i) {
  return t->blk->w[i].at - t->first_weight;
}

static void op_forward(bench *t, trm__workspace *ws, void *args) {
  block_run *a = args;
  t->be->ops->block(t->be, ws, t->blk, t->b, a->x, a->y, NULL);
}
static void op_in_place(bench *t, trm__workspace *ws, void *args) {
  block_run *a = args;
  t->be->ops->block(t->be, ws, t->blk, t->b, a->y, a->y, NULL);
}
static void op_both(bench *t, trm__workspace *ws, void *args) {
  block_run *a = args;
  real *dw[TRM__BLOCK_WEIGHTS];
  for (int i = 0; i < t->blk->n_weights; i++) dw[i] = a->grads + weight_at(t, i);
  t->be->ops->block(t->be, ws, t->blk, t->b, a->x, a->y, a->saved);
  if (ws->lane->rank == 0) memcpy(a->dh, a->r, (size_t)a->n * sizeof *a->dh);
  trm__lane_barrier(ws->lane);
  t->be->ops->block_grad(t->be, ws, t->blk, t->b, a->x, a->y, a->saved, a->dh, dw, a->accumulate);
}

static double block_objective(void *arg) {
  objective *o = arg;
  block_run *a = o->run;
  run(o->t, 1, op_forward, a);
  return dot(a->y, a->r, a->n);
}

static void check_forward(bench *t, const struct block_case *c, block_run *a,
                          const block_run *whole) {
  int64_t row = (int64_t)t->m.L * t->m.D;
  real *want = probe_reals(a->n);
  const real *w[TRM__BLOCK_WEIGHTS];
  for (int i = 0; i < t->blk->n_weights; i++) w[i] = t->params + t->blk->w[i].at;
  for (int i = 0; i < t->b; i++) c->plain(&t->m, a->x + i * row, w, want + i * row);
  probe_below(probe_error(whole->y, want, a->n), FORWARD, "%s forward", c->name);
  run(t, 1, op_forward, a);
  probe_true(probe_same(a->y, whole->y, a->n), "%s without keeping", c->name);
  memcpy(a->y, a->x, (size_t)a->n * sizeof *a->y);
  run(t, 2, op_in_place, a);
  probe_true(probe_same(a->y, whole->y, a->n), "%s in place", c->name);
  trm__free(want);
}

static void check_gradients(bench *t, const char *name, block_run *a, const block_run *whole) {
  objective o = {t, a};
  probe_below(probe_gradient(block_objective, &o, a->x, whole->dh, a->n, PROBES, 1e-3, &t->rng),
              GRADIENT, "%s dx", name);
  for (int i = 0; i < t->blk->n_weights; i++)
    probe_below(probe_gradient(block_objective, &o, t->params + t->blk->w[i].at,
                               whole->grads + weight_at(t, i), weight_values(&t->about[i]), PROBES,
                               1e-3, &t->rng),
                GRADIENT, "%s, gradient of %s", name, t->about[i].name);
}

/* Adds to what is there instead of replacing it. */
static void check_accumulation(bench *t, const char *name, block_run *a, const block_run *whole) {
  probe_fill(a->grads, t->n_weights, 1, &t->rng);
  real *want = probe_copy(a->grads, t->n_weights);
  a->accumulate = true;
  run(t, 1, op_both, a);
  for (int64_t i = 0; i < t->n_weights; i++) want[i] += whole->grads[i];
  for (int i = 0; i < t->blk->n_weights; i++)
    probe_below(probe_error(a->grads + weight_at(t, i), want + weight_at(t, i),
                            weight_values(&t->about[i])),
                FORWARD, "%s, accumulated gradient of %s", name, t->about[i].name);
  trm__free(want);
}

static void blocks(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof block_cases / sizeof *block_cases; i++) {
    const struct block_case *c = &block_cases[i];
    bench *t = bench_open(c->m, c->kind, c->b);
    int64_t n = (int64_t)t->b * t->m.L * t->m.D;
    real *x = probe_random(n, 1.5, &t->rng), *r = probe_random(n, 1, &t->rng);
    block_run whole = block_memory(t, x, r);
    run(t, 1, op_both, &whole);
    for (int members = 2; members <= TEAMS; members++) {
      block_run a = block_memory(t, x, r);
      run(t, members, op_both, &a);
      probe_true(probe_same(a.y, whole.y, n) && probe_same(a.dh, whole.dh, n) &&
                     probe_same(a.grads, whole.grads, t->n_weights),
                 "%s by %d members", c->name, members);
      block_release(&a);
    }
    block_run a = block_memory(t, x, r);
    check_forward(t, c, &a, &whole);
    check_gradients(t, c->name, &a, &whole);
    check_accumulation(t, c->name, &a, &whole);
    block_release(&a);
    block_release(&whole);
    trm__free(x);
    trm__free(r);
    bench_close(t);
  }
}

int main(void) {
  unsetenv("TRM_ISA"); /* in double there is only the portable table */
  const struct CMUnitTest tests[] = {cmocka_unit_test(blocks)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
