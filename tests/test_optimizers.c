/* The optimisers, the schedule, the EMA and the puzzle embedding against transcriptions in double.
 */
#include <math.h>

#include "kernels/kernels.h"
#include "small_trainer.h"

/* ---- optimisers ---- */

/* A tensor in double, moved by the trainer's own gradients; a matrix of a net is so many matrices
 * [rows, cols] below each other. */
typedef struct slow_tensor {
  int64_t n, matrices, rows, cols; /* matrices 0: of no net, or a vector */
  const float *g;
  double *p, *m, *v, *ema;
} slow_tensor;

/* Update `t`, from 1, by a transcription of the optimiser's equations. */
typedef void slow_rule(const slow_tensor *s, const trm_trainer_config *c, double lr, int t);

static void slow_moments(const slow_tensor *s, const trm_trainer_config *c, int64_t j) {
  const double g = (double)s->g[j];
  s->m[j] = c->beta1 * s->m[j] + (1 - c->beta1) * g;
  s->v[j] = c->beta2 * s->v[j] + (1 - c->beta2) * g * g;
}

static void slow_adam_atan2(const slow_tensor *s, const trm_trainer_config *c, double lr, int t) {
  for (int64_t j = 0; j < s->n; j++) {
    slow_moments(s, c, j);
    s->p[j] -= lr * c->weight_decay * s->p[j];
    s->p[j] -= lr * atan2(s->m[j], sqrt(s->v[j] / (1 - pow(c->beta2, t)))) / (1 - pow(c->beta1, t));
  }
}

static void slow_adamw(const slow_tensor *s, const trm_trainer_config *c, double lr, int t) {
  for (int64_t j = 0; j < s->n; j++) {
    slow_moments(s, c, j);
    s->p[j] -= lr * c->weight_decay * s->p[j];
    s->p[j] -= lr * s->m[j] / (1 - pow(c->beta1, t)) /
               (sqrt(s->v[j] / (1 - pow(c->beta2, t))) + c->adam_eps);
  }
}

/* out [m, n] += by x [m, k] y, where y is [k, n], or [n, k] transposed */
static void slow_product(int64_t m, int64_t n, int64_t k, double by, const double *x,
                         const double *y, bool transposed, double *out) {
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++)
      for (int64_t q = 0; q < k; q++)
        out[i * n + j] += by * x[i * k + q] * (transposed ? y[j * k + q] : y[q * n + j]);
}

/* One matrix from its first value on; X is it or its transpose, whichever has fewer rows. */
static void slow_matrix(const slow_tensor *s, const trm_trainer_config *c, double lr, int64_t at) {
  const int64_t rows = s->rows, cols = s->cols, n = rows < cols ? rows : cols;
  const int64_t all = rows * cols, length = all / n;
  const int64_t down = rows < cols ? cols : 1, along = rows < cols ? 1 : cols;
  const double momentum = c->muon_momentum;
  double *x = calloc((size_t)(2 * all + 2 * n * n), sizeof *x), *next = x + all;
  double *a = next + all, *poly = a + n * n, norm = 0;
  assert_non_null(x);

  /* Its mean gradient, a step ahead, of norm 1. */
  for (int64_t j = 0; j < all; j++) {
    const int64_t from = at + j / length * down + j % length * along;
    const double g = (double)s->g[from];
    s->m[from] = momentum * s->m[from] + (1 - momentum) * g;
    x[j] = (1 - momentum) * g + momentum * s->m[from];
    norm += x[j] * x[j];
  }
  for (int64_t j = 0; j < all; j++) x[j] /= fmax(sqrt(norm), 1e-7);

  /* X <- a X + (b A + c A A) X, A = X X^T */
  for (int step = 0; step < c->muon_steps; step++) {
    memset(a, 0, (size_t)(n * n) * sizeof *a);
    slow_product(n, n, length, 1, x, x, true, a);
    for (int64_t j = 0; j < n * n; j++) poly[j] = -4.7750 * a[j];
    slow_product(n, n, n, 2.0315, a, a, false, poly);
    for (int64_t j = 0; j < all; j++) next[j] = 3.4445 * x[j];
    slow_product(n, length, n, 1, poly, x, false, next);
    memcpy(x, next, (size_t)all * sizeof *x);
  }

  const double scale = sqrt(rows > cols ? (double)rows / (double)cols : 1);
  for (int64_t j = 0; j < all; j++) {
    double *p = s->p + at + j / length * down + j % length * along;
    *p = *p * (1 - lr * c->weight_decay) - lr * scale * x[j];
  }
  free(x);
}

static void slow_muon(const slow_tensor *s, const trm_trainer_config *c, double lr, int t) {
  (void)t;
  for (int64_t at = 0; at < s->n; at += s->rows * s->cols) slow_matrix(s, c, lr, at);
}

/* by_matrix: AdamW has what is no matrix of a net. */
static const struct {
  slow_rule *rule;
  bool by_matrix;
} slow_rules[TRM_OPTIMIZERS] = {
    [TRM_OPT_ADAM_ATAN2] = {slow_adam_atan2, false},
    [TRM_OPT_ADAMW] = {slow_adamw, false},
    [TRM_OPT_MUON] = {slow_muon, true},
};

/* What is left to AdamW has a rate and decay of its own. */
static void slow_tensor_update(const slow_tensor *s, const trm_trainer_config *c, double lr,
                               int t) {
  if (!slow_rules[c->optimizer].by_matrix || s->matrices) {
    slow_rules[c->optimizer].rule(s, c, lr, t);
    return;
  }
  trm_trainer_config rest = *c;
  rest.weight_decay = c->adam_weight_decay;
  slow_adamw(s, &rest, lr * c->adam_lr / c->lr, t);
}

/* The dense weights. */
typedef struct slow_optimizer {
  double *p, *m, *v, *ema;
  int64_t n;
} slow_optimizer;

static void slow_update(slow_optimizer *o, const trm_trainer_config *c, double lr,
                        const trm_trainer *t) {
  int64_t at = 0;
  for (int i = 0; i < trm_model_tensor_count(trm_trainer_weights(t)); i++) {
    const trm_tensor g = trm_trainer_gradient_at(t, i);
    if (!g.data) continue;
    slow_tensor s = {.n = g.count,
                     .g = g.data,
                     .p = o->p + at,
                     .m = o->m + at,
                     .v = o->v + at,
                     .ema = o->ema + at};
    if (strstr(g.name, ".layers.")) {
      const bool of_heads = strstr(g.name, "qkv_proj") && c->muon_per_head;
      s.matrices = of_heads ? 3 * trm_model_get_config(trm_trainer_weights(t))->num_heads : 1;
      s.rows = g.shape[0] / s.matrices;
      s.cols = g.shape[1];
    }
    slow_tensor_update(&s, c, lr, (int)trm_trainer_updates(t));
    for (int64_t j = 0; j < s.n; j++)
      s.ema[j] = c->ema_rate * s.ema[j] + (1 - c->ema_rate) * s.p[j];
    at += g.count;
  }
  assert_int_equal(at, o->n);
}

/* The largest distance of the trained parameters of a model from `want`. */
static double distance(const trm_model *m, const double *want) {
  double worst = 0;
  for (int i = 0; i < trm_model_tensor_count(m); i++) {
    const trm_tensor w = trm_model_tensor_at(m, i);
    for (int64_t j = 0; w.kind == TRM_TENSOR_PARAM && j < w.count; j++) {
      const double off = fabs((double)w.data[j] - *want++);
      if (off > worst) worst = off;
    }
  }
  return worst;
}

static void check_optimizer(int which, trm_trainer_config c) {
  /* A rule with a decay, and an epsilon that is large enough to be seen. */
  const trm_model_config mc = model_config(which);
  trm_model *m = small_model(&mc, 5);
  c.weight_decay = 0.7;
  if (c.optimizer == TRM_OPT_MUON) {
    c.adam_weight_decay = 0.9;
    c.adam_lr = 2e-3;
  }
  c.adam_eps = 1e-4;

  /* The same in double: weights, average and two moments. */
  trm_model_cost cost;
  assert_int_equal(trm_model_cost_of(&mc, &cost, NULL), TRM_OK);
  const size_t n = (size_t)cost.n_params;
  double *all = calloc(4 * n, sizeof *all);
  assert_non_null(all);
  slow_optimizer o = {all, all + n, all + 2 * n, all + 3 * n, cost.n_params};
  int64_t at = 0;
  for (int i = 0; i < trm_model_tensor_count(m); i++) {
    const trm_tensor w = trm_model_tensor_at(m, i);
    for (int64_t j = 0; w.kind == TRM_TENSOR_PARAM && j < w.count; j++, at++)
      o.p[at] = o.ema[at] = (double)w.data[j];
  }

  /* Updates by both, from the gradients that the trainer made. */
  trm_trainer *t = small_trainer(m, &c);
  for (int u = 0; u < 8; u++) {
    const trm_metrics metrics = small_update(t);
    slow_update(&o, &c, metrics.lr, t);
    const double off = distance(trm_trainer_weights(t), o.p);
    const double ema_off = distance(trm_trainer_ema(t), o.ema);
    if (!(off < 3e-6 && ema_off < 3e-6))
      fail_msg("%s by %d threads, update %d: weights off by %g, EMA by %g",
               trm_optimizer_name(c.optimizer), c.threads, u + 1, off, ema_off);
  }

  /* They did move. */
  assert_true(distance(m, o.p) > 5e-3);
  free(all);
  trm_trainer_free(t);
  trm_model_free(m);
}

static void optimizers_are_their_formulas(void **state) {
  (void)state;
  for (int i = 0; i < TRM_OPTIMIZERS; i++)
    for (int way = 0; way < 4; way++) {
      trm_trainer_config c = small_training(8);
      c.optimizer = (trm_optimizer)i;
      c.threads = 1 + way % 2;
      check_optimizer(way / 2 ? ATTENTION : MIXER, c);
    }
}

/* All steps that there may be, none, and heads that are not apart. */
static void muon_has_its_keys(void **state) {
  (void)state;
  for (int steps = 0; steps <= 5; steps += 5) {
    trm_trainer_config c = small_training(8);
    c.optimizer = TRM_OPT_MUON;
    c.muon_steps = steps;
    c.muon_momentum = 0.9;
    c.muon_per_head = false;
    check_optimizer(ATTENTION, c);
  }
}

static void lr_warms_up_and_follows_the_cosine(void **state) {
  /* Warm-up of 4, then from 1 to 0.1 over 6: at update 7 half of the way. */
  static const double want[] = {0.25,
                                0.5,
                                0.75,
                                1,
                                0.1 + 0.9 * 0.93301270189221932,
                                0.1 + 0.9 * 0.75,
                                0.55,
                                0.1 + 0.9 * 0.25,
                                0.1 + 0.9 * 0.06698729810778067,
                                0.1,
                                0.1,
                                0.1};

  /* Both rates follow it. */
  const trm_model_config mc = model_config(MIXER);
  trm_model *m = small_model(&mc, 5);
  (void)state;
  trm_trainer_config c = small_training(2);
  c.lr_warmup_steps = 4;
  c.total_steps = 10;
  trm_trainer *t = small_trainer(m, &c);
  for (int u = 0; u < 12; u++) {
    const trm_metrics metrics = small_update(t);
    assert_true(fabs(metrics.lr - want[u] * c.lr) < 1e-12);
    assert_true(fabs(metrics.puzzle_emb_lr - want[u] * c.puzzle_emb_lr) < 1e-12);
  }
  trm_trainer_free(t);

  /* Without a warm-up and without a decay the rate is what is said from the first update. */
  c.lr_warmup_steps = c.total_steps = 0;
  c.lr_min_ratio = 1;
  t = small_trainer(m, &c);
  assert_true(small_update(t).lr == c.lr);
  trm_trainer_free(t);
  trm_model_free(m);
}

static void schedules_end_at_their_share(void **state) {
  (void)state;
  static const struct {
    trm_lr_schedule schedule;
    double want[7];
  } ways[] = {{TRM_LR_LINEAR, {0.5, 1, 0.9, 0.8, 0.7, 0.6, 0.5}},
              {TRM_LR_CONSTANT, {0.5, 1, 1, 1, 1, 1, 1}}};
  const trm_model_config mc = model_config(MIXER);
  trm_model *m = small_model(&mc, 5);
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    trm_trainer_config c = small_training(2);
    c.lr_warmup_steps = 2;
    c.total_steps = 7;
    c.lr_min_ratio = 0.5;
    c.lr_schedule = ways[i].schedule;
    trm_trainer *t = small_trainer(m, &c);
    for (int u = 0; u < 7; u++) {
      const trm_metrics metrics = small_update(t);
      assert_true(fabs(metrics.lr - ways[i].want[u] * c.lr) < 1e-12);
      assert_true(fabs(metrics.lr / c.lr - metrics.puzzle_emb_lr / c.puzzle_emb_lr) < 1e-12);
    }
    trm_trainer_free(t);
  }

  /* A straight way needs an end other than its beginning. */
  trm_trainer_config c = small_training(2);
  trm_trainer *t;
  trm_error err;
  c.lr_schedule = TRM_LR_LINEAR;
  c.lr_min_ratio = 1;
  assert_int_equal(trm_trainer_create(m, &c, &t, &err), TRM_E_CONFIG);
  assert_non_null(strstr(err.msg, "lr_min_ratio"));
  trm_model_free(m);
}

/* By any threads, with a tile of any size: the gradient is that of the trainer without a bound, by
 * the factor that the norm asks for. */
static void gradients_are_clipped(void **state) {
  (void)state;
  const trm_model_config mc = model_config(MIXER);
  trm_model *m = small_model(&mc, 5);
  trm_trainer_config c = small_training(8);
  trm_trainer *free_one = small_trainer(m, &c);
  const double norm = small_update(free_one).grad_norm;
  const double clips[] = {norm / 3, 2 * norm};
  for (int way = 0; way < 4; way++) {
    c.grad_clip = clips[way / 2];
    c.threads = 1 + way % 2;
    c.micro_batch = way % 2;
    trm_trainer *t = small_trainer(m, &c);
    assert_true(small_update(t).grad_norm == norm);
    const double factor = way / 2 ? 1 : c.grad_clip / (norm + 1e-6);
    for (int i = 0; i < trm_model_tensor_count(m); i++) {
      const trm_tensor got = trm_trainer_gradient_at(t, i);
      const trm_tensor all = trm_trainer_gradient_at(free_one, i);
      for (int64_t j = 0; got.data && j < got.count; j++)
        assert_true(got.data[j] == all.data[j] * (float)factor);
    }
    trm_trainer_free(t);
  }
  trm_trainer_free(free_one);
  trm_model_free(m);
}

static void ema_keeps_buffers_and_embeddings_current(void **state) {
  const trm_model_config mc = model_config(ATTENTION);
  trm_model *m = small_model(&mc, 5);
  (void)state;
  for (int with = 0; with < 2; with++) {
    trm_trainer_config c = small_training(8);
    c.ema_rate = with ? 0.9 : 0;
    trm_trainer *t = small_trainer(m, &c);
    for (int u = 0; u < 3; u++) (void)small_update(t);
    const trm_model *w = trm_trainer_weights(t), *ema = trm_trainer_ema(t);
    assert_true((ema != w) == with);
    for (int i = 0; i < trm_model_tensor_count(w); i++) {
      const trm_tensor a = trm_model_tensor_at(w, i), b = trm_model_tensor_at(ema, i);
      const int same = memcmp(a.data, b.data, (size_t)a.count * sizeof *a.data) == 0;
      assert_int_equal(same, !with || a.kind != TRM_TENSOR_PARAM);
    }
    trm_trainer_free(t);
  }
  trm_model_free(m);
}

/* Ids 2, 0 (repeated) and 3; id 4 only in rows that are right and sure, so without any gradient; id
 * 1 not at all. */
static void embedding_rows_follow_the_sign_of_their_sum(void **state) {
  /* Rows of ids, and a model whose q is sure of itself. */
  enum { ROWS = 8, IDS = 5, E = 20 };
  static const int32_t ids[ROWS] = {2, 0, 2, 4, 2, 3, 0, 4};
  trm_model_config mc = model_config(ATTENTION);
  mc.num_puzzle_identifiers = IDS;
  trm_model *m = small_model(&mc, 5);
  set_q(m, 200, 0); /* sigmoid(200) is 1: no gradient where it is right, a large one elsewhere */

  /* No warm-up and a decay that shows. */
  trm_trainer_config c = small_training(ROWS);
  c.lr_warmup_steps = 0;
  c.puzzle_emb_weight_decay = 0.5;
  trm_trainer *t = small_trainer(m, &c);
  const float *before = trm_model_tensor_named(m, "puzzle_emb.weights").data;
  const float *after = trm_model_tensor_named(trm_trainer_weights(t), "puzzle_emb.weights").data;
  const float *g = trm_trainer_puzzle_emb_gradient(t);

  /* One update; the rows of id 4 have no labels. */
  static small_batch b;
  trm_metrics metrics;
  (void)state;
  (void)small_batch_at(&b, 7);
  memcpy(b.ids, ids, sizeof ids);
  for (int i = 0; i < ROWS * SMALL_LEN; i++)
    b.labels[i] = ids[i / SMALL_LEN] == 4 ? TRM_IGNORE_LABEL : i % 7;
  const trm_batch fresh = {b.inputs, b.labels, b.ids};
  assert_int_equal(trm_trainer_step(t, &fresh, &metrics, NULL), TRM_OK);

  /* For each id: sign of the sum over its rows, not sum of the signs; decay for used rows only. */
  int repeated_disagree = 0;
  for (int id = 0; id < IDS; id++)
    for (int j = 0; j < E; j++) {
      double sum = 0, w = (double)before[id * E + j];
      int used = 0;
      for (int r = 0; r < ROWS; r++) {
        if (ids[r] != id) continue;
        repeated_disagree += used && (double)g[r * E + j] * sum < 0;
        sum += (double)g[r * E + j];
        used = 1;
      }
      const double want =
          w - (used ? metrics.puzzle_emb_lr * (0.5 * w + (sum > 0) - (sum < 0)) : 0);

      /* Some sum is zero exactly where no row has a gradient, and what is not used stays as it
       * is. */
      assert_true((sum == 0) == (id == 4 || id == 1));
      if (!used) assert_true(after[id * E + j] == before[id * E + j]);
      assert_true(fabs((double)after[id * E + j] - want) < 1e-6);
    }

  /* Otherwise the order of sign and sum would not show. */
  assert_true(repeated_disagree > 3);
  trm_trainer_free(t);
  trm_model_free(m);
}

static void frozen_weights_leave_the_embedding_free(void **state) {
  const trm_model_config mc = model_config(ATTENTION);
  trm_model *m = small_model(&mc, 5);
  trm_trainer_config c = small_training(8);
  (void)state;
  c.freeze_weights = true;
  trm_trainer *t = small_trainer(m, &c);
  for (int u = 0; u < 3; u++) (void)small_update(t);
  const trm_model *views[] = {trm_trainer_weights(t), trm_trainer_ema(t)};
  for (int k = 0; k < 2; k++)
    for (int i = 0; i < trm_model_tensor_count(m); i++) {
      const trm_tensor a = trm_model_tensor_at(m, i), b = trm_model_tensor_at(views[k], i);
      const int same = memcmp(a.data, b.data, (size_t)a.count * sizeof *a.data) == 0;
      assert_int_equal(same, a.kind != TRM_TENSOR_PUZZLE_EMB);
    }
  assert_int_equal(trm_trainer_updates(t), 3);
  trm_trainer_free(t);
  trm_model_free(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(optimizers_are_their_formulas),
      cmocka_unit_test(muon_has_its_keys),
      cmocka_unit_test(lr_warms_up_and_follows_the_cosine),
      cmocka_unit_test(schedules_end_at_their_share),
      cmocka_unit_test(gradients_are_clipped),
      cmocka_unit_test(ema_keeps_buffers_and_embeddings_current),
      cmocka_unit_test(embedding_rows_follow_the_sign_of_their_sum),
      cmocka_unit_test(frozen_weights_leave_the_embedding_free),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
