/* The nets of recipes that norm inside of their blocks, against numbers of their own code: one
 * supervision step and its gradient, by the ops of a backend, for the cases sic_* and priml_* of
 * the reference numbers (skipped where they are absent). What surrounds the nets, embedding and
 * losses, is plain loops here: a recipe's own are not all the library's. */
#include <math.h>

#include "base/file.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "nn/model.h"
#include "probe.h"

enum { MOST_KEPT = 64, MOST_CELLS = 128, MOST_ROWS = 8 };

typedef struct recipe {
  const char *name;
  trm__json *json;
  trm__safetensors *init, *batches, *train;
  trm_model *model;
  trm__backend *be;
  trm__lane lane;
  trm__workspace ws;
  int B, T, n;
  int64_t latent; /* values of one latent of all rows */
  real *e, *z_H, *z_L;
  /* Of the updates of the last cycle: what each block read, what the last wrote, what was kept. */
  int n_updates;
  real *x[MOST_KEPT], *saved[MOST_KEPT];
  real *grads; /* as the parameters */
} recipe;

/* --- a case ---------------------------------------------------------------------------------- */

static trm__safetensors *open_tensors(const char *dir, const char *name) {
  char path[600];
  trm__safetensors *f;
  trm_error err;
  snprintf(path, sizeof path, "%s/%s", dir, name);
  if (trm__safetensors_open(path, &f, &err) != TRM_OK) fail_msg("%s", err.msg);
  return f;
}
static double number(const trm__json *o, const char *key, double otherwise) {
  const trm__json *v = trm__json_get(o, key);
  return trm__json_is_number(v) ? trm__json_number(v) : otherwise;
}
static int whole(const trm__json *o, const char *key, int otherwise) {
  return (int)number(o, key, otherwise);
}

/* n values of the tensor, by the first of the names that the file has; a name ends the list. */
static float *tensor(const trm__safetensors *f, int64_t n, const char *const *names) {
  trm_error err;
  for (; *names; names++) {
    const trm__st_tensor *t = trm__safetensors_find(f, *names);
    if (!t) continue;
    float *v = trm__alloc((size_t)n, sizeof *v);
    assert_non_null(v);
    assert_int_equal(t->count, n);
    assert_int_equal(trm__st_to_float(t, v, &err), TRM_OK);
    return v;
  }
  return NULL;
}
#define TENSOR(f, n, ...) tensor(f, n, (const char *const[]){__VA_ARGS__, NULL})
static const int32_t *whole_numbers(const recipe *r, const char *name) {
  const trm__st_tensor *t = trm__safetensors_find(r->batches, name);
  assert_non_null(t);
  return t->data;
}

/* What the recipe calls its options; both divide by roots of means with an epsilon of their own. */
static trm_model_config config_of(const recipe *r) {
  const trm__json *m = trm__json_get(r->json, "model");
  const bool mixer = !strcmp(trm__json_text(trm__json_get(m, "block")), "mixer");
  const bool priml = !strncmp(r->name, "priml", 5);
  const trm__json *norms_outputs = trm__json_get(m, "norm_before_o_proj");
  trm_model_config c = trm_model_config_default(TRM_ARCH_TRM);
  c.vocab_size = whole(m, "vocab_size", 0);
  c.seq_len = whole(m, "cells", 0);
  c.num_puzzle_identifiers = 1;
  c.hidden_size = whole(m, "hidden_size", 0);
  c.num_heads = whole(m, "num_heads", 1);
  c.L_layers = whole(m, "num_layers", 0);
  c.puzzle_emb_len = whole(m, "registers", 0);
  c.puzzle_emb_ndim = c.puzzle_emb_len * c.hidden_size;
  c.mlp_t = mixer;
  c.pos_encodings = mixer ? TRM_POS_NONE : TRM_POS_ROPE;
  c.forward_dtype = TRM_FLOAT32;
  c.gate_norm = true;
  c.qk_norm = priml && !mixer;
  c.attn_out_norm = norms_outputs && trm__json_is(norms_outputs, TRM__JSON_TRUE);
  c.inner_norm_eps = priml ? 1e-6 : 1e-5;
  return c;
}

/* The net's weights, by all names that they go by. */
static void read_weights(recipe *r) {
  static const struct {
    const char *ours, *theirs[3];
  } names[] = {
      {"self_attn.qkv_proj", {"attn.qkv_proj", "attn.proj_qkv", NULL}},
      {"self_attn.o_proj", {"attn.o_proj", "attn.proj_out", NULL}},
      {"mlp_t.gate_up_proj", {"attn.up_proj", "token_mixer.up_proj", NULL}},
      {"mlp_t.down_proj", {"attn.down_proj", "token_mixer.down_proj", NULL}},
      {"mlp.gate_up_proj", {"mlp.up_proj", "ffn.up_proj", "channel_mixer.up_proj"}},
      {"mlp.down_proj", {"mlp.down_proj", "ffn.down_proj", "channel_mixer.down_proj"}},
  };
  int found = 0;
  for (int i = 0; i < trm_model_tensor_count(r->model); i++) {
    const trm_tensor t = trm_model_tensor_at(r->model, i);
    int layer = 0, at = 0;
    if (sscanf(t.name, "L_level.layers.%d.%n", &layer, &at) != 1) continue;
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
      for (int j = 0; j < 3 && names[k].theirs[j]; j++) {
        char name[120];
        if (strncmp(t.name + at, names[k].ours, strlen(names[k].ours)) != 0) continue;
        snprintf(name, sizeof name, "reasoning.%d.%s.weight", layer, names[k].theirs[j]);
        float *v = TENSOR(r->init, t.count, name);
        if (!v) continue;
        memcpy(t.data, v, (size_t)t.count * sizeof *v);
        trm__free(v);
        found++;
      }
  }
  assert_int_equal(found, 4 * r->model->config.L_layers);
}

/* One vector at every position of every row. */
static real *latents_of(const recipe *r, const char *of_sic, const char *of_priml) {
  const int D = r->be->dims.D;
  float *v = TENSOR(r->init, D, of_sic, of_priml);
  real *z = probe_reals(r->latent);
  assert_non_null(v);
  for (int64_t i = 0; i < r->latent; i++) z[i] = v[i % D];
  trm__free(v);
  return z;
}

/* sqrt(D) times registers and tokens, or as it is given. */
static real *input_of(const recipe *r) {
  const trm__dims *m = &r->be->dims;
  float *given = TENSOR(r->train, r->latent, "step0.input_embedding");
  if (given) return given;
  const int32_t *inputs = whole_numbers(r, "inputs");
  float *table = TENSOR(r->init, (int64_t)m->V * m->D, "embed_tokens.weight");
  float *registers = TENSOR(r->init, (int64_t)m->P * m->D, "register_tokens");
  real *e = probe_reals(r->latent);
  for (int64_t i = 0; i < r->latent; i++) {
    const int64_t row = i / m->D / m->L, t = i / m->D % m->L, j = i % m->D;
    e[i] = (real)sqrt((double)m->D) *
           (t < m->P ? registers[t * m->D + j] : table[inputs[row * m->S + t - m->P] * m->D + j]);
  }
  trm__free(table);
  trm__free(registers);
  return e;
}

static bool recipe_open(recipe *r, const char *name) {
  char dir[500], path[600];
  trm_error err;
  *r = (recipe){.name = name, .lane = {0, 1, 0, 1, NULL}};
  snprintf(dir, sizeof dir, "%s/golden/recipes/%s", TRM_SHARED_DIR, name);
  snprintf(path, sizeof path, "%s/case.json", dir);
  if (!trm__path_exists(path)) return false;
  assert_int_equal(trm__json_load(path, 1 << 24, &r->json, &err), TRM_OK);
  r->init = open_tensors(dir, "init.safetensors");
  r->batches = open_tensors(dir, "batches.safetensors");
  r->train = open_tensors(dir, "expected_train.safetensors");
  r->T = whole(trm__json_get(r->json, "model"), "T", 0);
  r->n = whole(trm__json_get(r->json, "model"), "n", 0);
  r->B = (int)trm__safetensors_find(r->batches, "inputs")->shape[0];

  /* The net and its backend. */
  const trm_model_config c = config_of(r);
  if (trm_model_create(&c, 0, &r->model, &err) != TRM_OK) fail_msg("%s", err.msg);
  read_weights(r);
  const trm__layout *l = r->model->layout;
  assert_int_equal(trm__cpu_create(&l->dims, &l->outer, l->blocks, l->n_blocks, true, &r->be, &err),
                   TRM_OK);
  r->ws.lane = &r->lane;
  r->ws.shared = probe_reals(r->be->ops->shared_size(r->be, r->B, true));
  r->ws.scratch = probe_reals(r->be->ops->scratch_size(r->be, r->B, true));
  r->be->ops->pack(r->be, &r->lane, r->model->params);

  /* Where the step begins. */
  r->latent = (int64_t)r->B * l->dims.L * l->dims.D;
  r->grads = trm__alloc((size_t)l->n_params, sizeof *r->grads);
  assert_non_null(r->grads);
  assert_true(r->B <= MOST_ROWS && l->dims.S <= MOST_CELLS &&
              (r->n + 1) * (l->n_blocks + 1) <= MOST_KEPT);
  r->z_H = latents_of(r, "H_init", "slow_init");
  r->z_L = latents_of(r, "L_init", "fast_init");
  r->e = input_of(r);
  return true;
}

static void recipe_close(recipe *r) {
  trm__json_free(r->json);
  trm__safetensors_close(r->init);
  trm__safetensors_close(r->batches);
  trm__safetensors_close(r->train);
  r->be->ops->destroy(r->be);
  trm_model_free(r->model);
  trm__free(r->ws.shared);
  trm__free(r->ws.scratch);
  trm__free(r->grads);
  trm__free(r->e);
  trm__free(r->z_H);
  trm__free(r->z_L);
  for (int i = 0; i < MOST_KEPT; i++) {
    trm__free(r->x[i]);
    trm__free(r->saved[i]);
  }
}

/* --- a supervision step ---------------------------------------------------------------------- */

/* z = net(z_L + z_H + e) or, without e, net(z_H + z_L); kept where there is a gradient. */
static void update(recipe *r, real *z, const real *e, bool kept) {
  const int n_blocks = r->be->n_blocks, first = r->n_updates * (n_blocks + 1);
  real *h = probe_reals(r->latent);
  for (int64_t i = 0; i < r->latent; i++) h[i] = r->z_L[i] + r->z_H[i] + (e ? e[i] : 0);
  for (int k = 0; k < n_blocks; k++) {
    const trm__block *blk = &r->be->blocks[k];
    real *saved = NULL, *y = probe_reals(r->latent);
    if (kept) saved = probe_reals(r->B * r->be->ops->saved_size(r->be, blk->kind));
    r->be->ops->block(r->be, &r->ws, blk, r->B, h, y, saved);
    if (kept) {
      r->x[first + k] = h;
      r->saved[first + k] = saved;
    } else {
      trm__free(h);
    }
    h = y;
  }
  memcpy(z, h, (size_t)r->latent * sizeof *z);
  if (kept)
    r->x[first + n_blocks] = h;
  else
    trm__free(h);
  r->n_updates += kept;
}

static void run_step(recipe *r) {
  for (int t = 0; t < r->T; t++) {
    for (int i = 0; i < r->n; i++) update(r, r->z_L, r->e, t == r->T - 1);
    update(r, r->z_H, NULL, t == r->T - 1);
  }
}

/* dz, the gradient by what update u wrote, becomes that by what it read. */
static void update_grad(recipe *r, int u, real *dz) {
  const int n_blocks = r->be->n_blocks, first = u * (n_blocks + 1);
  for (int k = n_blocks - 1; k >= 0; k--) {
    const trm__block *blk = &r->be->blocks[k];
    real *dw[TRM__BLOCK_WEIGHTS];
    for (int i = 0; i < blk->n_weights; i++) dw[i] = r->grads + blk->w[i].at;
    r->be->ops->block_grad(r->be, &r->ws, blk, r->B, r->x[first + k], r->x[first + k + 1],
                           r->saved[first + k], dz, dw, u < r->n);
  }
}

/* --- heads and losses ------------------------------------------------------------------------ */

typedef struct heads {
  float *head, *bias, *q_weight, *q_bias;
  double *logits, *d_logits, q[MOST_ROWS], dq[MOST_ROWS];
} heads;

static double *doubles(int64_t n) {
  double *v = trm__alloc((size_t)n, sizeof *v);
  assert_non_null(v);
  return v;
}
/* Values of a head: as many outputs as the recipe has for halting, of which the first counts. */
static float *q_tensor(const recipe *r, const char *of_sic, const char *of_priml, int64_t each) {
  const trm__st_tensor *t = trm__safetensors_find(r->init, of_sic);
  if (!t) t = trm__safetensors_find(r->init, of_priml);
  assert_non_null(t);
  assert_true(t->count % each == 0);
  return TENSOR(r->init, t->count, of_sic, of_priml);
}

static heads heads_of(const recipe *r) {
  const trm__dims *m = &r->be->dims;
  const int64_t cells = (int64_t)r->B * m->S;
  heads h = {.head = TENSOR(r->init, (int64_t)m->V * m->D, "head.weight"),
             .bias = TENSOR(r->init, m->V, "head.bias"),
             .q_weight = q_tensor(r, "q_head.weight", "halt_head.weight", m->D),
             .q_bias = q_tensor(r, "q_head.bias", "halt_head.bias", 1),
             .logits = doubles(cells * m->V),
             .d_logits = doubles(cells * m->V)};
  for (int64_t i = 0; i < cells * m->V; i++) {
    const int64_t cell = i / m->V, v = i % m->V;
    const real *z = r->z_H + (cell / m->S * m->L + m->P + cell % m->S) * m->D;
    h.logits[i] = h.bias ? (double)h.bias[v] : 0;
    for (int j = 0; j < m->D; j++) h.logits[i] += (double)z[j] * (double)h.head[v * m->D + j];
  }
  for (int row = 0; row < r->B; row++) {
    const real *z = r->z_H + (int64_t)row * m->L * m->D;
    h.q[row] = (double)h.q_bias[0];
    for (int j = 0; j < m->D; j++) h.q[row] += (double)z[j] * (double)h.q_weight[j];
  }
  return h;
}
static void heads_free(heads *h) {
  trm__free(h->head);
  trm__free(h->bias);
  trm__free(h->q_weight);
  trm__free(h->q_bias);
  trm__free(h->logits);
  trm__free(h->d_logits);
}

/* Gradients of: mean cross-entropy of smoothed labels, q_weight times that of q, and csp_weight
 * times a loss whose gradient is given. */
static void losses_grad(const recipe *r, heads *h) {
  const trm__dims *m = &r->be->dims;
  const trm__json *o = trm__json_get(r->json, "optimizer");
  const double smooth = number(o, "label_smoothing", 0), csp = number(o, "csp_weight", 0);
  const int64_t cells = (int64_t)r->B * m->S;
  const int32_t *labels = whole_numbers(r, "labels");
  float *of_csp = TENSOR(r->train, cells * m->V, "step0.csp_grad_logits");
  bool right[MOST_ROWS];
  for (int row = 0; row < r->B; row++) right[row] = true;
  for (int64_t i = 0; i < cells; i++) {
    const double *x = h->logits + i * m->V;
    double sum = 0;
    int best = 0;
    assert_true(labels[i] >= 0);
    for (int v = 0; v < m->V; v++) {
      sum += exp(x[v]);
      best = x[v] > x[best] ? v : best;
    }
    right[i / m->S] = right[i / m->S] && best == labels[i];
    for (int v = 0; v < m->V; v++) {
      const double target = (v == labels[i] ? 1 - smooth : 0) + smooth / m->V;
      h->d_logits[i * m->V + v] = (exp(x[v]) / sum - target) / (double)cells;
      if (of_csp) h->d_logits[i * m->V + v] += csp * (double)of_csp[i * m->V + v];
    }
  }
  for (int row = 0; row < r->B; row++)
    h->dq[row] = number(o, "q_weight", 0) * (1 / (1 + exp(-h->q[row])) - right[row]) / r->B;
  trm__free(of_csp);
}

/* The gradient by z_H. */
static real *heads_grad(const recipe *r, const heads *h) {
  const trm__dims *m = &r->be->dims;
  real *dz = probe_reals(r->latent);
  for (int64_t i = 0; i < r->latent; i++) {
    const int64_t row = i / m->D / m->L, t = i / m->D % m->L, j = i % m->D;
    const double *d = h->d_logits + (row * m->S + t - m->P) * m->V;
    double sum = t == 0 ? h->dq[row] * (double)h->q_weight[j] : 0;
    for (int v = 0; v < m->V && t >= m->P; v++) sum += d[v] * (double)h->head[v * m->D + j];
    dz[i] = (real)sum;
  }
  return dz;
}

/* --- comparisons ----------------------------------------------------------------------------- */

static void compare(const recipe *r, const char *name, const real *got, int64_t n, double most) {
  float *want = TENSOR(r->train, n, name);
  double wrong = 0, size = 0;
  if (!want) return;
  for (int64_t i = 0; i < n; i++) {
    wrong += ((double)got[i] - (double)want[i]) * ((double)got[i] - (double)want[i]);
    size += (double)want[i] * (double)want[i];
  }
  print_message("%s %s: %.1e\n", r->name, name, sqrt(wrong / size));
  probe_below(sqrt(wrong / size), most, "%s %s", r->name, name);
  trm__free(want);
}

/* Gradients of the net's weights, by the names of the file. */
static int compare_weights(const recipe *r) {
  int compared = 0;
  for (int k = 0; k < r->be->n_blocks; k++)
    for (int i = 0; i < r->be->blocks[k].n_weights; i++) {
      const trm__weight *w = &r->be->blocks[k].w[i];
      const int64_t n = (int64_t)w->rows * w->cols;
      static const char *const theirs[TRM__BLOCK_KINDS][2][4] = {
          [TRM__BLOCK_ATTENTION] = {{"attn.qkv_proj", "attn.proj_qkv"},
                                    {"attn.o_proj", "attn.proj_out"}},
          [TRM__BLOCK_MIXER] = {{"attn.up_proj", "token_mixer.up_proj"},
                                {"attn.down_proj", "token_mixer.down_proj"}},
          [TRM__BLOCK_MLP] = {{"mlp.up_proj", "ffn.up_proj", "channel_mixer.up_proj"},
                              {"mlp.down_proj", "ffn.down_proj", "channel_mixer.down_proj"}}};
      for (int j = 0; j < 4; j++) {
        const char *part = theirs[r->be->blocks[k].kind][i][j];
        char name[120];
        if (!part) break;
        snprintf(name, sizeof name, "step0.grad.reasoning.%d.%s.weight", k / 2, part);
        compared += trm__safetensors_find(r->train, name) != NULL;
        compare(r, name, r->grads + w->at, n, 1e-3);
      }
    }
  return compared;
}

static void check_recipe(const char *name) {
  recipe r;
  if (!recipe_open(&r, name)) {
    print_message("%s: left out: no reference numbers beside the checkout\n", name);
    skip();
  }
  const trm__dims *m = &r.be->dims;

  /* What a supervision step leaves. */
  run_step(&r);
  compare(&r, "step0.z_H", r.z_H, r.latent, 1e-4);
  compare(&r, "step0.z_L", r.z_L, r.latent, 1e-4);
  heads h = heads_of(&r);
  real *logits = probe_reals((int64_t)r.B * m->S * m->V);
  for (int64_t i = 0; i < (int64_t)r.B * m->S * m->V; i++) logits[i] = (real)h.logits[i];
  compare(&r, "step0.logits", logits, (int64_t)r.B * m->S * m->V, 1e-4);

  /* Its gradient, through the last cycle: z_H is its last update, z_L those before. */
  losses_grad(&r, &h);
  real *dz = heads_grad(&r, &h);
  for (int u = r.n; u >= 0; u--) update_grad(&r, u, dz);
  assert_true(compare_weights(&r) >= 3);

  trm__free(dz);
  trm__free(logits);
  heads_free(&h);
  recipe_close(&r);
}

static void sic_mixer(void **state) {
  (void)state;
  check_recipe("sic_mixer");
}
static void sic_attention(void **state) {
  (void)state;
  check_recipe("sic_attention_per_head");
}
static void priml_mixer(void **state) {
  (void)state;
  check_recipe("priml_mixer");
}
static void priml_attention(void **state) {
  (void)state;
  check_recipe("priml_attention");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sic_mixer),
      cmocka_unit_test(sic_attention),
      cmocka_unit_test(priml_mixer),
      cmocka_unit_test(priml_attention),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
