/* Updates by Muon and AdamW, clipped, along a cosine, against numbers of the published training of
 * sic (shared/golden/recipes/sic_mixer). Its net is transcribed here in double, from the formulas
 * beside these numbers; its gradients take the place of the trainer's own between the halves of an
 * update. What trm's net has no weight for, the bias of the head, lies in the second row of q. */
#include <math.h>

#include "io/safetensors.h"
#include "small_trainer.h"
#include "train/trainer.h"

#define CASE TRM_SHARED_DIR "/golden/recipes/sic_mixer/"

enum { V = 12, L = 17, D = 24, F = 256, B = 4, T = 2, N = 3, STEPS = 4, CELLS = B * L };
enum { VALUES = CELLS * D };
static const double EPS = 1e-5, SMOOTHING = 0.2, Q_WEIGHT = 0.05;

/* --- the net --- */

/* y = rms(x + W_down (sigmoid(g) rms(g v))), [g, v] = W_up x: one of these over the positions of
 * each channel, then one over the channels of each position. */
typedef struct half {
  int n; /* values of x */
  const float *up, *down;
  float *d_up, *d_down;
} half;

typedef struct net {
  half halves[2];
  const float *embed, *head, *bias, *q, *q_bias;
  float *d_embed, *d_head, *d_bias, *d_q, *d_q_bias;
  const float *start[2];
  const int32_t *inputs, *labels;
  double z_h[VALUES], z_l[VALUES], e[VALUES]; /* [B, L, D] */
  double loss;
  int updates;
} net;

/* y = x / root, root = sqrt(mean(x^2) + eps), which is returned. */
static double rms(int n, const double *x, double *y) {
  double sum = 0;
  for (int i = 0; i < n; i++) sum += x[i] * x[i];
  const double root = sqrt(sum / n + EPS);
  for (int i = 0; i < n; i++) y[i] = x[i] / root;
  return root;
}
static void rms_back(int n, const double *y, double root, const double *dy, double *dx) {
  double sum = 0;
  for (int i = 0; i < n; i++) sum += dy[i] * y[i];
  for (int i = 0; i < n; i++) dx[i] = (dy[i] - y[i] * sum / n) / root;
}

/* x, of which `stride` leads to the next value, becomes y; with dy it becomes dx there. */
static void half_of(const half *w, int stride, double *x, double *dy) {
  double g[F], v[F], product[F], normed[F], s[D], y[D], ds[D];
  const int n = w->n;

  /* Forward. */
  for (int f = 0; f < F; f++) {
    g[f] = v[f] = 0;
    for (int i = 0; i < n; i++) {
      g[f] += (double)w->up[f * n + i] * x[i * stride];
      v[f] += (double)w->up[(F + f) * n + i] * x[i * stride];
    }
    product[f] = g[f] * v[f];
  }
  const double inner = rms(F, product, normed);
  for (int i = 0; i < n; i++) {
    s[i] = x[i * stride];
    for (int f = 0; f < F; f++) s[i] += (double)w->down[i * F + f] * normed[f] / (1 + exp(-g[f]));
  }
  const double outer = rms(n, s, y);
  for (int i = 0; i < n && !dy; i++) x[i * stride] = y[i];
  if (!dy) return;

  /* Backward through the norm and W_down. */
  double out[D], d_act[F] = {0}, d_normed[F], d_product[F], dg[F];
  for (int i = 0; i < n; i++) out[i] = dy[i * stride];
  rms_back(n, y, outer, out, ds);
  for (int f = 0; f < F; f++) {
    const double gate = 1 / (1 + exp(-g[f]));
    for (int i = 0; i < n; i++) {
      d_act[f] += (double)w->down[i * F + f] * ds[i];
      w->d_down[i * F + f] += (float)(ds[i] * gate * normed[f]);
    }
    d_normed[f] = d_act[f] * gate;
    dg[f] = d_act[f] * normed[f] * gate * (1 - gate);
  }

  /* Through the gate's norm and W_up. */
  rms_back(F, normed, inner, d_normed, d_product);
  for (int i = 0; i < n; i++) dy[i * stride] = ds[i];
  for (int f = 0; f < F; f++) {
    const double dgf = dg[f] + d_product[f] * v[f], dvf = d_product[f] * g[f];
    for (int i = 0; i < n; i++) {
      w->d_up[f * n + i] += (float)(dgf * x[i * stride]);
      w->d_up[(F + f) * n + i] += (float)(dvf * x[i * stride]);
      dy[i * stride] += (double)w->up[f * n + i] * dgf + (double)w->up[(F + f) * n + i] * dvf;
    }
  }
}

/* One half on all rows. */
static void whole_half(const half *w, bool positions, double *x, double *dy) {
  for (int b = 0; b < B; b++)
    for (int i = 0; i < (positions ? D : L); i++) {
      const int at = b * L * D + (positions ? i : i * D);
      half_of(w, positions ? D : 1, x + at, dy ? dy + at : NULL);
    }
}

/* z = f(a + b + c); the sum is kept in `in`, and what is between the halves in `mid`. */
static void apply(const net *m, const double *a, const double *b, const double *c, double *in,
                  double *mid, double *z) {
  for (int i = 0; i < VALUES; i++) in[i] = mid[i] = a[i] + b[i] + (c ? c[i] : 0);
  whole_half(&m->halves[0], true, mid, NULL);
  memcpy(z, mid, sizeof m->z_h);
  whole_half(&m->halves[1], false, z, NULL);
}
static void apply_back(const net *m, double *in, double *mid, double *dz) {
  whole_half(&m->halves[1], false, mid, dz);
  whole_half(&m->halves[0], true, in, dz);
}

/* The mean losses, and the gradients of the heads; dz: that of z_H. */
static void heads(net *m, double *dz) {
  m->loss = 0;
  memset(dz, 0, sizeof m->z_h);
  for (int b = 0; b < B; b++) {
    bool exact = true;
    for (int t = 0; t < L; t++) {
      const double *z = m->z_h + (b * L + t) * D;
      double x[V], sum = 0;
      int best = 0;
      for (int v = 0; v < V; v++) {
        x[v] = (double)m->bias[v];
        for (int d = 0; d < D; d++) x[v] += (double)m->head[v * D + d] * z[d];
        sum += exp(x[v]);
        if (x[v] > x[best]) best = v;
      }
      exact &= best == m->labels[b * L + t];

      for (int v = 0; v < V; v++) {
        const double target = SMOOTHING / V + (v == m->labels[b * L + t] ? 1 - SMOOTHING : 0);
        const double dx = (exp(x[v]) / sum - target) / CELLS;
        m->loss -= target * (x[v] - log(sum)) / CELLS;
        m->d_bias[v] += (float)dx;
        for (int d = 0; d < D; d++) {
          m->d_head[v * D + d] += (float)(dx * z[d]);
          dz[(b * L + t) * D + d] += dx * (double)m->head[v * D + d];
        }
      }
    }

    /* q at the first cell. */
    const double *z = m->z_h + b * L * D;
    double q = (double)m->q_bias[0];
    for (int d = 0; d < D; d++) q += (double)m->q[d] * z[d];
    const double dq = Q_WEIGHT * (1 / (1 + exp(-q)) - exact) / B;
    m->loss += Q_WEIGHT * (log1p(exp(q)) - exact * q) / B;
    m->d_q_bias[0] += (float)dq;
    for (int d = 0; d < D; d++) {
      m->d_q[d] += (float)(dq * z[d]);
      dz[b * L * D + d] += dq * (double)m->q[d];
    }
  }
}

/* A supervision step from the carried latents, and its gradients. */
static void step(net *m) {
  static double in[N + 1][VALUES], mid[N + 1][VALUES];
  double dz_h[VALUES], dz_l[VALUES], *e = m->e;
  for (int i = 0; i < VALUES; i++)
    e[i] = sqrt((double)D) * (double)m->embed[m->inputs[i / D] * D + i % D];
  for (int t = 0; t < T; t++) {
    for (int i = 0; i < N; i++) apply(m, m->z_l, m->z_h, e, in[i], mid[i], m->z_l);
    apply(m, m->z_h, m->z_l, NULL, in[N], mid[N], m->z_h);
  }

  /* The last cycle's way back; what it started from is constant. */
  heads(m, dz_h);
  apply_back(m, in[N], mid[N], dz_h);
  memcpy(dz_l, dz_h, sizeof dz_l);
  for (int i = N - 1; i >= 0; i--) {
    apply_back(m, in[i], mid[i], dz_l);
    for (int j = 0; j < VALUES; j++)
      m->d_embed[m->inputs[j / D] * D + j % D] += (float)(sqrt((double)D) * dz_l[j]);
  }
}

/* --- the trainer --- */

/* The gradients of the net in place of the trainer's, which divides by its rows. */
static trm_status replace(void *arg, trm__backend *be, const trm__update *u, trm_error *err) {
  net *m = arg;
  (void)be;
  (void)err;
  memset(u->grads, 0, (size_t)u->n * sizeof *u->grads);
  step(m);
  for (int64_t i = 0; i < u->n; i++) u->grads[i] *= (float)u->rows;
  m->updates++;
  return TRM_OK;
}

static trm_model *shaped(void) {
  trm_model_config c = small_config(TRM_ARCH_TRM, L);
  c.vocab_size = V;
  c.hidden_size = D;
  c.num_heads = 1;
  c.L_layers = 1;
  c.expansion = 4;
  c.mlp_t = true;
  c.pos_encodings = TRM_POS_NONE;
  c.puzzle_emb_ndim = c.puzzle_emb_len = 0;
  return small_model(&c, 5);
}

static const struct name {
  const char *theirs, *ours;
  int at; /* values into it */
} names[] = {
    {"embed_tokens.weight", "embed_tokens.embedding_weight", 0},
    {"head.weight", "lm_head.weight", 0},
    {"head.bias", "q_head.weight", D},
    {"q_head.weight", "q_head.weight", 0},
    {"q_head.bias", "q_head.bias", 0},
    {"reasoning.0.attn.up_proj.weight", "L_level.layers.0.mlp_t.gate_up_proj.weight", 0},
    {"reasoning.0.attn.down_proj.weight", "L_level.layers.0.mlp_t.down_proj.weight", 0},
    {"reasoning.0.mlp.up_proj.weight", "L_level.layers.0.mlp.gate_up_proj.weight", 0},
    {"reasoning.0.mlp.down_proj.weight", "L_level.layers.0.mlp.down_proj.weight", 0},
};
enum { NAMES = sizeof names / sizeof *names };

static const trm__st_tensor *tensor(const trm__safetensors *file, const char *prefix,
                                    const char *name) {
  char whole[128];
  snprintf(whole, sizeof whole, "%s%s", prefix, name);
  const trm__st_tensor *t = trm__safetensors_find(file, whole);
  if (!t) fail_msg("no tensor %s", whole);
  return t;
}
static trm__safetensors *opened(const char *path) {
  trm__safetensors *file;
  trm_error err;
  if (trm__safetensors_open(path, &file, &err) != TRM_OK) fail_msg("%s", err.msg);
  return file;
}

/* How far values are from theirs, by the norm of what theirs moved (or of theirs, without an
 * origin). */
static double off_by(const trm__st_tensor *want, const trm__st_tensor *origin, const float *have) {
  double off = 0, all = 0;
  for (int64_t i = 0; i < want->count; i++) {
    float w, o = 0;
    memcpy(&w, (const char *)want->data + i * 4, sizeof w);
    if (origin) memcpy(&o, (const char *)origin->data + i * 4, sizeof o);
    off += pow((double)have[i] - (double)w, 2);
    all += pow((double)w - (double)o, 2);
  }
  return sqrt(off / all);
}

static float *gradient_of(trm_trainer *t, const char *name) {
  const trm__slot *s = &t->model->layout->slots[trm__layout_find(t->model->layout, name)];
  return t->update.grads + s->offset;
}

static void updates_agree_with_published_training(void **state) {
  (void)state;
  FILE *there = fopen(CASE "case.json", "rb");
  if (!there) {
    print_message("skipped: no reference numbers beside the checkout\n");
    skip();
  }
  fclose(there);
  trm__safetensors *init = opened(CASE "init.safetensors"),
                   *train = opened(CASE "expected_train.safetensors"),
                   *batch = opened(CASE "batches.safetensors");

  /* A trainer with their weights; theirs has its first update at the top of the cosine. */
  trm_model *m = shaped();
  memset(trm_model_tensor_named(m, "q_head.weight").data, 0, 2 * D * sizeof(float));
  memset(trm_model_tensor_named(m, "q_head.bias").data, 0, 2 * sizeof(float));
  for (int i = 0; i < NAMES; i++)
    assert_int_equal(
        trm__st_to_float(tensor(init, "", names[i].theirs),
                         trm_model_tensor_named(m, names[i].ours).data + names[i].at, NULL),
        TRM_OK);
  trm_trainer_config c = small_training(B);
  c.threads = 2;
  c.optimizer = TRM_OPT_MUON;
  c.lr = 0.02;
  c.weight_decay = 0.05;
  c.adam_lr = 1e-3;
  c.adam_weight_decay = 0.1;
  c.muon_momentum = 0.6;
  c.muon_steps = 3;
  c.grad_clip = 1;
  c.lr_warmup_steps = 1;
  c.total_steps = 11;
  c.lr_min_ratio = 0;
  c.ema_rate = 0.9;
  trm_trainer *t = small_trainer(m, &c);

  /* Their net on these weights. */
  static net n;
  const float *start[2];
  const char *const of[NAMES + 1] = {"embed_tokens.embedding_weight", "lm_head.weight",
                                     "q_head.weight", "q_head.bias"};
  float *w[4], *dw[4];
  for (int i = 0; i < 4; i++) {
    w[i] = trm_model_tensor_named(t->model, of[i]).data;
    dw[i] = gradient_of(t, of[i]);
  }
  n = (net){.embed = w[0],
            .head = w[1],
            .q = w[2],
            .bias = w[2] + D,
            .q_bias = w[3],
            .d_embed = dw[0],
            .d_head = dw[1],
            .d_q = dw[2],
            .d_bias = dw[2] + D,
            .d_q_bias = dw[3]};
  for (int i = 0; i < 2; i++)
    n.halves[i] =
        (half){i ? D : L, trm_model_tensor_named(t->model, names[5 + 2 * i].ours).data,
               trm_model_tensor_named(t->model, names[6 + 2 * i].ours).data,
               gradient_of(t, names[5 + 2 * i].ours), gradient_of(t, names[6 + 2 * i].ours)};
  float starts[2][D];
  int32_t tokens[2][CELLS];
  assert_int_equal(trm__st_to_float(tensor(init, "", "H_init"), starts[0], NULL), TRM_OK);
  assert_int_equal(trm__st_to_float(tensor(init, "", "L_init"), starts[1], NULL), TRM_OK);
  memcpy(tokens[0], tensor(batch, "", "inputs")->data, sizeof tokens[0]);
  memcpy(tokens[1], tensor(batch, "", "labels")->data, sizeof tokens[1]);
  start[0] = starts[0];
  start[1] = starts[1];
  for (int i = 0; i < VALUES; i++) {
    n.z_h[i] = (double)start[0][i % D];
    n.z_l[i] = (double)start[1][i % D];
  }
  n.inputs = tokens[0];
  n.labels = tokens[1];
  t->between = replace;
  t->between_arg = &n;

  /* Their losses and norms, and of the first update their gradients, before they are clipped. */
  static const double losses[STEPS] = {2.9406650066375732, 2.644551992416382, 2.297734498977661,
                                       2.0026979446411133},
                      norms[STEPS] = {2.0233147144317627, 1.6223617792129517, 1.3469228744506836,
                                      1.1564794778823853};
  for (int u = 0; u < STEPS; u++) {
    const trm_metrics got = small_update(t);
    assert_true(fabs(n.loss - losses[u]) < 1e-5);
    assert_true(fabs(got.grad_norm - norms[u]) < 1e-5);
    for (int i = 0; i < NAMES && u == 0; i++) {
      float *g = gradient_of(t, names[i].ours) + names[i].at;
      const trm__st_tensor *want = tensor(train, "step0.grad.", names[i].theirs);
      for (int64_t j = 0; j < want->count; j++) g[j] *= (float)(got.grad_norm + 1e-6);
      assert_true(off_by(want, NULL, g) < 1e-5);
    }
  }
  assert_int_equal(n.updates, STEPS);

  /* Where the weights have moved to, and their average. */
  for (int i = 0; i < NAMES; i++) {
    const trm__st_tensor *origin = tensor(init, "", names[i].theirs),
                         *want = tensor(train, "final.", names[i].theirs);
    const float *have = trm_model_tensor_named(t->model, names[i].ours).data + names[i].at;
    const double off = off_by(want, origin, have);
    if (!(off < 1e-4)) fail_msg("%s is off by %g of its way", names[i].ours, off);
  }
  for (int i = 0; i < 5; i++)
    assert_true(off_by(tensor(train, "ema.", names[i].theirs), tensor(init, "", names[i].theirs),
                       trm_model_tensor_named(t->ema, names[i].ours).data + names[i].at) < 1e-4);
  trm__safetensors_close(init);
  trm__safetensors_close(train);
  trm__safetensors_close(batch);
  trm_trainer_free(t);
  trm_model_free(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(updates_agree_with_published_training)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
