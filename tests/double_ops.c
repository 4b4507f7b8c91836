/* Embedding, sums, heads and losses in double: forward against plain loops, backward against
 * central differences, and the same bits for teams of one, two and three members. */
#include "bench.h"

#include <stdlib.h>

/* --- embedding --- */

typedef struct embed_run {
  int32_t *inputs;
  real *puzzle, *e, *de, *grads, *d_puzzle;
  const real **rows;
  int64_t n;
} embed_run;

static void op_embed(bench *t, trm__workspace *ws, void *args) {
  embed_run *a = args;
  t->be->ops->embed(t->be, ws, t->b, a->inputs, t->m.E ? a->rows : NULL, a->e);
}
static void op_embed_grad(bench *t, trm__workspace *ws, void *args) {
  embed_run *a = args;
  t->be->ops->embed_grad(t->be, ws, t->b, a->inputs, a->de, a->grads, a->d_puzzle);
}
static double embed_objective(void *arg) {
  objective *o = arg;
  embed_run *a = o->run;
  run(o->t, 1, op_embed, a);
  return dot(a->e, a->de, a->n);
}

static double plain_embed(const bench *t, const embed_run *a, int row, int pos, int j) {
  const trm__dims *m = &t->m;
  int flat = pos * m->D + j;
  double v = pos >= m->P   ? t->params[t->outer.embed_tokens +
                                     (int64_t)a->inputs[row * m->S + pos - m->P] * m->D + j]
             : flat < m->E ? a->puzzle[(int64_t)row * m->E + flat]
                           : 0;
  if (m->learned) v = 0.707106781 * (v + t->params[t->outer.embed_pos + (int64_t)pos * m->D + j]);
  return sqrt((double)m->D) * v;
}

static void check_embed(const char *name, trm__dims m, int b) {
  bench *t = bench_open(m, TRM__BLOCK_MLP, b);
  int64_t E = m.E, n_tokens = (int64_t)b * m.S;
  embed_run a = {.n = (int64_t)b * t->m.L * m.D};
  a.inputs = trm__alloc((size_t)n_tokens, sizeof *a.inputs);
  a.rows = trm__alloc((size_t)b, sizeof *a.rows);
  for (int64_t i = 0; i < n_tokens; i++)
    a.inputs[i] = (int32_t)trm__rng_below(&t->rng, (uint32_t)m.V);
  a.puzzle = probe_random(b * E + 1, 1, &t->rng);
  for (int r = 0; r < b; r++) a.rows[r] = a.puzzle + r * E;
  a.e = probe_reals(a.n);
  a.de = probe_random(a.n, 1, &t->rng);
  real *before = probe_random(t->n_params, 1, &t->rng), *first = NULL, *first_puzzle = NULL,
       *first_e = NULL;
  for (int members = 1; members <= TEAMS; members++) {
    a.grads = probe_copy(before, t->n_params);
    a.d_puzzle = probe_reals(b * E);
    probe_spoil(a.e, a.n);
    run(t, members, op_embed, &a);
    run(t, members, op_embed_grad, &a);
    if (members == 1) {
      first = a.grads;
      first_puzzle = a.d_puzzle;
      first_e = probe_copy(a.e, a.n);
      continue;
    }
    probe_true(probe_same(a.grads, first, t->n_params) &&
                   probe_same(a.d_puzzle, first_puzzle, b * E) && probe_same(a.e, first_e, a.n),
               "embed %s by %d members", name, members);
    trm__free(a.grads);
    trm__free(a.d_puzzle);
  }
  for (int64_t i = 0; i < a.n; i++) {
    int j = (int)(i % m.D), pos = (int)(i / m.D % t->m.L), row = (int)(i / m.D / t->m.L);
    probe_true(fabs(first_e[i] - plain_embed(t, &a, row, pos, j)) < 1e-13,
               "embed %s row %d position %d value %d", name, row, pos, j);
  }
  objective o = {t, &a};
  for (int64_t i = 0; i < t->n_params; i++) first[i] -= before[i];
  probe_below(
      probe_gradient(embed_objective, &o, t->params, first, t->n_params, PROBES, 1e-3, &t->rng),
      GRADIENT, "embed %s weights", name);
  if (E)
    probe_below(
        probe_gradient(embed_objective, &o, a.puzzle, first_puzzle, b * E, PROBES, 1e-3, &t->rng),
        GRADIENT, "embed %s puzzle", name);
  trm__free(a.inputs);
  trm__free((void *)a.rows);
  trm__free(a.puzzle);
  trm__free(a.e);
  trm__free(a.de);
  trm__free(before);
  trm__free(first);
  trm__free(first_puzzle);
  trm__free(first_e);
  bench_close(t);
}

static void embedding(void **state) {
  (void)state;
  check_embed("plain", (trm__dims){.V = 7, .S = 13, .D = 20, .H = 1, .F = 256}, 3);
  check_embed("learned", (trm__dims){.V = 7, .S = 13, .D = 20, .H = 1, .F = 256, .learned = true},
              2);
  check_embed("one whole position",
              (trm__dims){.V = 7, .S = 9, .P = 4, .E = 16, .D = 16, .H = 1, .F = 256}, 3);
  check_embed(
      "two and a bit positions, learned",
      (trm__dims){.V = 5, .S = 9, .P = 3, .E = 37, .D = 16, .H = 1, .F = 256, .learned = true}, 3);
  check_embed("part of a position",
              (trm__dims){.V = 5, .S = 9, .P = 2, .E = 5, .D = 33, .H = 1, .F = 256}, 1);
}

/* --- sums --- */

enum { SUM_MOST = 8, SUM_SIZE = 1000 };
typedef struct sum_run {
  int n_src;
  const real *src[SUM_MOST];
  real *h;
} sum_run;

static void op_sum(bench *t, trm__workspace *ws, void *args) {
  sum_run *a = args;
  t->be->ops->sum(t->be, ws, SUM_SIZE, a->n_src, a->src, a->h);
}

/* In place or not, by any team: the terms are added in the order in which they are given. */
static void sums(void **state) {
  (void)state;
  bench *t = bench_open((trm__dims){.V = 5, .S = 9, .D = 16, .H = 1, .F = 256}, TRM__BLOCK_MLP, 1);
  real *v[SUM_MOST], *want = probe_reals(SUM_SIZE);
  for (int i = 0; i < SUM_MOST; i++) /* every order rounds its own way */
    v[i] = probe_random(SUM_SIZE, pow(0.3, i % 4), &t->rng);
  for (int n = 1; n <= SUM_MOST; n++)
    for (int self = -1; self < n; self++)
      for (int members = 1; members <= TEAMS; members++) {
        sum_run a = {.n_src = n,
                     .h = self < 0 ? probe_reals(SUM_SIZE) : probe_copy(v[self], SUM_SIZE)};
        for (int i = 0; i < n; i++) a.src[i] = i == self ? a.h : v[i];
        for (int j = 0; j < SUM_SIZE; j++) {
          want[j] = v[0][j];
          for (int i = 1; i < n; i++) want[j] += v[i][j];
        }
        run(t, members, op_sum, &a);
        probe_true(probe_same(a.h, want, SUM_SIZE), "sum of %d into %d by %d members", n, self,
                   members);
        trm__free(a.h);
      }
  for (int i = 0; i < SUM_MOST; i++) trm__free(v[i]);
  trm__free(want);
  bench_close(t);
}

/* --- heads --- */

typedef struct head_run {
  int64_t n, n_logits;
  real *z, *logits, *q, *d_logits, *dq, *dz, *grads;
} head_run;

static void op_head(bench *t, trm__workspace *ws, void *args) {
  head_run *a = args;
  t->be->ops->head(t->be, ws, t->b, a->z, a->logits, a->q);
}
static void op_head_grad(bench *t, trm__workspace *ws, void *args) {
  head_run *a = args;
  t->be->ops->head_grad(t->be, ws, t->b, a->z, a->d_logits, a->dq, a->dz, a->grads);
}
static double head_objective(void *arg) {
  objective *o = arg;
  head_run *a = o->run;
  run(o->t, 1, op_head, a);
  return dot(a->logits, a->d_logits, a->n_logits) + dot(a->q, a->dq, 2 * o->t->b);
}

static void check_head_forward(const bench *t, const char *name, const head_run *a) {
  const trm__dims *m = &t->m;
  for (int row = 0; row < t->b; row++) {
    const real *z = a->z + (int64_t)row * m->L * m->D;
    for (int s = 0; s < m->S; s++)
      for (int v = 0; v < m->V; v++) {
        double want = dot(z + (int64_t)(m->P + s) * m->D,
                          t->params + t->outer.lm_head + (int64_t)v * m->D, m->D);
        probe_true(fabs(a->logits[((int64_t)row * m->S + s) * m->V + v] - want) < 1e-13,
                   "head %s logits", name);
      }
    for (int i = 0; i < 2; i++)
      probe_true(
          fabs(a->q[2 * row + i] - dot(z, t->params + t->outer.q_weight + (int64_t)i * m->D, m->D) -
               t->params[t->outer.q_bias + i]) < 1e-13,
          "head %s q", name);
  }
}

static void check_head(const char *name, trm__dims m, int b) {
  bench *t = bench_open(m, TRM__BLOCK_MLP, b);
  head_run a = {.n = (int64_t)b * t->m.L * m.D, .n_logits = (int64_t)b * m.S * m.V};
  a.z = probe_random(a.n, 1, &t->rng);
  a.d_logits = probe_random(a.n_logits, 1, &t->rng);
  a.dq = probe_random(2 * b, 1, &t->rng);
  real *before = probe_random(t->n_params, 1, &t->rng);
  head_run first = {0};
  for (int members = 1; members <= TEAMS; members++) {
    a.logits = probe_reals(a.n_logits);
    a.q = probe_reals(2 * b);
    a.dz = probe_reals(a.n);
    a.grads = probe_copy(before, t->n_params);
    run(t, members, op_head, &a);
    run(t, members, op_head_grad, &a);
    if (members == 1) {
      first = a;
      continue;
    }
    probe_true(probe_same(a.logits, first.logits, a.n_logits) && probe_same(a.q, first.q, 2 * b) &&
                   probe_same(a.dz, first.dz, a.n) && probe_same(a.grads, first.grads, t->n_params),
               "head %s by %d members", name, members);
    trm__free(a.logits);
    trm__free(a.q);
    trm__free(a.dz);
    trm__free(a.grads);
  }
  check_head_forward(t, name, &first);
  a.logits = first.logits;
  a.q = first.q;
  objective o = {t, &a};
  for (int64_t i = 0; i < t->n_params; i++) first.grads[i] -= before[i];
  probe_below(probe_gradient(head_objective, &o, a.z, first.dz, a.n, PROBES, 1e-3, &t->rng),
              GRADIENT, "head %s dz", name);
  probe_below(probe_gradient(head_objective, &o, t->params, first.grads, t->n_params, PROBES, 1e-3,
                             &t->rng),
              GRADIENT, "head %s weights", name);
  real *all[] = {a.z, a.d_logits, a.dq, before, first.logits, first.q, first.dz, first.grads};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) trm__free(all[i]);
  bench_close(t);
}

static void heads(void **state) {
  (void)state;
  check_head("without puzzle positions", (trm__dims){.V = 5, .S = 13, .D = 16, .H = 1, .F = 256},
             1);
  check_head("with", (trm__dims){.V = 11, .S = 37, .P = 3, .D = 20, .H = 1, .F = 256}, 3);
  check_head("more words than channels, several blocks of rows",
             (trm__dims){.V = 41, .S = 130, .P = 1, .D = 12, .H = 1, .F = 256}, 2);
}

/* --- losses --- */

typedef struct loss_run {
  int64_t n_logits;
  int32_t *labels;
  const real *target;  /* NULL: no continue loss */
  real *logits, *q;    /* kept */
  real *d_logits, *dq; /* given to the op, which replaces them */
  trm__row_loss *loss;
} loss_run;

static void op_loss(bench *t, trm__workspace *ws, void *args) {
  loss_run *a = args;
  t->be->ops->loss(t->be, ws, t->b, a->labels, a->target, a->d_logits, a->dq, a->loss);
}
static void loss_once(bench *t, int members, loss_run *a) {
  memcpy(a->d_logits, a->logits, (size_t)a->n_logits * sizeof *a->logits);
  memcpy(a->dq, a->q, 2 * (size_t)t->b * sizeof *a->q);
  run(t, members, op_loss, a);
}
static double loss_objective(void *arg) {
  objective *o = arg;
  loss_run *a = o->run;
  double sum = 0;
  loss_once(o->t, 1, a);
  for (int r = 0; r < o->t->b; r++)
    sum += a->loss[r].lm + 0.5 * (a->loss[r].q_halt + a->loss[r].q_continue);
  return sum;
}

static double plain_entropy(const trm__dims *m, const real *x, int label) {
  double sum = 0, at = 0;
  for (int v = 0; v < m->V; v++) {
    double s = m->loss == TRM_LOSS_SOFTMAX ? exp(x[v])
               : x[v] >= 0                 ? x[v] + 1
                                           : 1 / (1 - x[v] + 1e-30);
    sum += s;
    if (v == label) at = s;
  }
  return -log(at / sum);
}
static double plain_bce(double x, double target) {
  double p = 1 / (1 + exp(-x));
  return -(target * log(p) + (1 - target) * log(1 - p));
}

static void check_row_loss(const bench *t, const char *name, const loss_run *a, int row) {
  const trm__dims *m = &t->m;
  const trm__row_loss *got = &a->loss[row];
  double lm = 0;
  int valid = 0, right = 0;
  for (int s = 0; s < m->S; s++) {
    const real *x = a->logits + ((int64_t)row * m->S + s) * m->V;
    int label = a->labels[row * m->S + s], best = 0;
    for (int v = 1; v < m->V; v++) best = x[v] > x[best] ? v : best;
    if (label < 0) {
      for (int v = 0; v < m->V; v++)
        probe_true(a->d_logits[x - a->logits + v] == 0, "%s: an ignored label has no gradient",
                   name);
      continue;
    }
    valid++;
    right += best == label;
    lm += plain_entropy(m, x, label);
  }
  probe_true(got->valid == valid && got->right == right, "%s row %d: %d of %d, expected %d of %d",
             name, row, got->right, got->valid, right, valid);
  probe_true(fabs(got->lm - lm / (valid ? valid : 1)) < 1e-12, "%s lm of row %d", name, row);
  probe_true(got->q[0] == a->q[2 * row] && got->q[1] == a->q[2 * row + 1], "%s q of row %d", name,
             row);
  probe_true(fabs(got->q_halt - plain_bce(a->q[2 * row], right == valid)) < 1e-12,
             "%s q_halt of row %d", name, row);
  double go = a->target ? plain_bce(a->q[2 * row + 1], a->target[row]) : 0;
  probe_true(fabs(got->q_continue - go) < 1e-12, "%s q_continue of row %d", name, row);
}

static void check_loss(const char *name, trm_loss kind, bool go) {
  enum { ROWS = 4 };
  trm__dims m = {.V = 7, .S = 13, .P = 1, .D = 8, .H = 1, .F = 256, .loss = kind, .q_continue = go};
  bench *t = bench_open(m, TRM__BLOCK_MLP, ROWS);
  loss_run a = {.n_logits = (int64_t)ROWS * m.S * m.V};
  a.logits = probe_random(a.n_logits, 6, &t->rng);
  a.q = probe_random(2 * ROWS, 3, &t->rng);
  real *target = probe_random(ROWS, 0.5, &t->rng);
  for (int r = 0; r < ROWS; r++) target[r] += 0.5;
  a.target = go ? target : NULL;
  a.labels = trm__alloc((size_t)ROWS * (size_t)m.S, sizeof *a.labels);
  a.loss = trm__alloc(ROWS, sizeof *a.loss);
  a.d_logits = probe_reals(a.n_logits);
  a.dq = probe_reals(2 * ROWS);
  /* stablemax has a second derivative that jumps at 0: keep the differences on one side */
  for (int64_t i = 0; i < a.n_logits; i++) a.logits[i] += a.logits[i] < 0 ? -0.1 : 0.1;
  for (int r = 0; r < ROWS; r++) /* row 0 all ignored, row 1 all right, the others some of each */
    for (int s = 0; s < m.S; s++) {
      int32_t label = (int32_t)trm__rng_below(&t->rng, (uint32_t)m.V);
      bool ignore = r == 0 || trm__rng_below(&t->rng, 3) == 0;
      a.labels[r * m.S + s] = ignore ? -1 - label : label;
      if (r == 1) a.logits[(r * m.S + s) * m.V + label] = 9;
    }
  loss_once(t, 1, &a);
  for (int r = 0; r < ROWS; r++) check_row_loss(t, name, &a, r);
  assert_int_equal(a.loss[0].valid, 0);
  assert_true(a.loss[1].valid > 0 && a.loss[1].right == a.loss[1].valid);
  assert_true(a.loss[2].right < a.loss[2].valid);
  real *d_logits = probe_copy(a.d_logits, a.n_logits), *dq = probe_copy(a.dq, 2 * ROWS);
  for (int members = 2; members <= TEAMS; members++) {
    loss_once(t, members, &a);
    probe_true(probe_same(a.d_logits, d_logits, a.n_logits) && probe_same(a.dq, dq, 2 * ROWS),
               "%s by %d members", name, members);
  }
  objective o = {t, &a};
  probe_below(
      probe_gradient(loss_objective, &o, a.logits, d_logits, a.n_logits, PROBES, 1e-3, &t->rng),
      GRADIENT, "%s logits", name);
  probe_below(probe_gradient(loss_objective, &o, a.q, dq, 2 * ROWS, PROBES, 1e-3, &t->rng),
              GRADIENT, "%s q", name);
  real *all[] = {a.logits, a.q, target, a.d_logits, a.dq, d_logits, dq};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) trm__free(all[i]);
  trm__free(a.labels);
  trm__free(a.loss);
  bench_close(t);
}

static void losses(void **state) {
  (void)state;
  check_loss("stablemax", TRM_LOSS_STABLEMAX, false);
  check_loss("stablemax with continue", TRM_LOSS_STABLEMAX, true);
  check_loss("softmax", TRM_LOSS_SOFTMAX, false);
  check_loss("softmax with continue", TRM_LOSS_SOFTMAX, true);
}

int main(void) {
  unsetenv("TRM_ISA"); /* in double there is only the portable table */
  const struct CMUnitTest tests[] = {cmocka_unit_test(embedding), cmocka_unit_test(sums),
                                     cmocka_unit_test(heads), cmocka_unit_test(losses)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
