/* Whole trainings of recipes around nets that the reference does not have (sic, arXiv 2601.19085;
 * rekursiv-ai/priml): the embedded question, latents, logits, losses, gradients, what Muon, AdamW
 * and clipping make of the weights, and their average. No row halts in them, and every update has
 * the same batch. Where a recipe does what trm does not, it is done here, on its way through a
 * trainer on the CPU:
 *
 * - sic's head has a bias. It lies in the second row of q's weights, which without a continue loss
 *   nothing else looks at, is added to the logits before their loss, and its gradient to the others
 *   before their norm is taken.
 * - priml's corruption of what is fed back was drawn elsewhere; it takes the place of our draws.
 * - Both count the updates of their schedules from 0: a warm-up begins with a rate of 0, and
 * without one the first update has the whole rate. Ours count from 1 (docs/MODEL.md section 4).
 *
 * Muon in bfloat16, as both have it, and weights in bfloat16 are not compared: trm's are float32.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "kernels/loss.h"
#include "parity.h"
#include "train/trainer.h"

bool parity_is_recipe(const parity_case *c) {
  const char *source = string_of(c->json, "source", "");
  return !strncmp(source, "sic ", 4) || !strncmp(source, "priml ", 6);
}
static bool is_priml(const parity_case *c) {
  return string_of(c->json, "source", "")[0] == 'p';
}

/* --- configuration --------------------------------------------------------------------------- */

static bool is_true(const trm__json *o, const char *key) {
  return trm__json_is(trm__json_get(o, key), TRM__JSON_TRUE);
}
static int item_of(const trm__json *list, size_t i) {
  return (int)trm__json_number(trm__json_item(list, i));
}

/* A Sudoku, of which priml's tables, rules and feedback know rows, columns and boxes. */
static trm_status read_puzzle(parity_case *c, const trm__json *model, trm_model_config *out) {
  const trm__json *grid = trm__json_get(model, "grid"), *box = trm__json_get(model, "box");
  if (trm__json_n_items(box) != 2 || trm__json_n_items(grid) != 2)
    TRM_FAIL(&c->err, TRM_E_FORMAT, "case.json: want a grid and a box of two numbers");
  const trm_puzzle p = trm_sudoku_of_size(item_of(grid, 0));
  if (p.rows != item_of(grid, 0) || p.cols != item_of(grid, 1) || p.box_rows != item_of(box, 0) ||
      p.box_cols != item_of(box, 1))
    TRM_FAIL(&c->err, TRM_E_FORMAT, "case.json: its grid and box are no Sudoku's");
  out->puzzle = p;
  return TRM_OK;
}

static trm_status read_config(parity_case *c, trm_model_config *out) {
  /* All that may be there; what a case has beside it would be left out in silence. */
  static const char *const known[] = {"block",
                                      "vocab_size",
                                      "cells",
                                      "grid",
                                      "box",
                                      "registers",
                                      "T",
                                      "n",
                                      "rope",
                                      "num_layers",
                                      "num_heads",
                                      "hidden_size",
                                      "positions",
                                      "rope_base",
                                      "norm_before_o_proj",
                                      "feedback_corrupt_row",
                                      "feedback_corrupt_cell"};
  const trm__json *m = trm__json_get(c->json, "model"), *o = trm__json_get(c->json, "optimizer");
  for (size_t i = 0; i < trm__json_n_members(m); i++) {
    size_t k = 0;
    while (k < sizeof known / sizeof *known && strcmp(known[k], trm__json_key(m, i)) != 0) k++;
    if (k == sizeof known / sizeof *known)
      TRM_FAIL(&c->err, TRM_E_FORMAT, "case.json: unknown key %s", trm__json_key(m, i));
  }
  if (strcmp(string_of(m, "rope", "1d"), "1d") != 0)
    TRM_FAIL(&c->err, TRM_E_FORMAT, "case.json: rope %s is not 1d", string_of(m, "rope", "1d"));

  /* The net. */
  const bool mixer = !strcmp(string_of(m, "block", "?"), "mixer");
  trm_model_config r = trm_model_config_default(TRM_ARCH_TRM);
  r.vocab_size = int_of(m, "vocab_size", 0);
  r.seq_len = int_of(m, "cells", 0);
  r.num_puzzle_identifiers = 1;
  r.hidden_size = int_of(m, "hidden_size", 0);
  r.num_heads = int_of(m, "num_heads", 1);
  r.L_layers = int_of(m, "num_layers", 0);
  r.H_cycles = int_of(m, "T", 0);
  r.L_cycles = int_of(m, "n", 0);
  r.mlp_t = mixer;
  r.pos_encodings = mixer ? TRM_POS_NONE : TRM_POS_ROPE;
  r.rope_theta = number_of(m, "rope_base", r.rope_theta);
  r.forward_dtype = TRM_FLOAT32;
  r.gate_norm = true;
  r.qk_norm = is_priml(c) && !mixer;
  r.attn_out_norm = is_true(m, "norm_before_o_proj");
  r.inner_norm_eps = is_priml(c) ? 1e-6 : 1e-5;

  /* What is put in. */
  r.puzzle_emb_ndim = r.puzzle_emb_len = 0;
  r.registers = int_of(m, "registers", 0);
  r.grid_tables = is_true(m, "positions");
  r.feedback = is_priml(c);
  r.feedback_corrupt_prob = 0; /* drawn elsewhere */
  if (is_priml(c)) TRM_TRY(read_puzzle(c, m, &r));

  /* Losses; no row halts. */
  r.loss = TRM_LOSS_SOFTMAX;
  r.label_smoothing = number_of(o, "label_smoothing", 0);
  r.q_weight = number_of(o, "q_weight", 0);
  r.constraint_weight = number_of(o, "csp_weight", 0);
  r.halting = TRM_HALTING_NEVER;
  r.halt_max_steps = int_of(c->json, "train_steps", 0) + 1;
  r.halt_exploration_prob = 0;
  *out = r;
  return TRM_OK;
}

/* A batch of B rows, as in every update. */
static int rows_of(const parity_case *c) {
  return (int)trm__safetensors_find(c->batches, "inputs")->shape[0];
}

static trm_trainer_config training_of(const parity_case *c) {
  const trm__json *o = trm__json_get(c->json, "optimizer"), *rates = trm__json_get(o, "rates");
  const trm__json *per_head = trm__json_get(trm__json_get(c->json, "routing"), "muon_per_head");
  trm_trainer_config t = trm_trainer_config_default();
  t.batch_size = rows_of(c);
  t.threads = 1; /* rows come one after the other */
  t.optimizer = TRM_OPT_MUON;
  t.lr = number_of(rates, "muon_lr", NAN);
  t.weight_decay = number_of(rates, "muon_wd", NAN);
  t.adam_lr = number_of(rates, "adamw_lr", NAN);
  t.adam_weight_decay = number_of(rates, "adamw_wd", NAN);
  t.muon_momentum = number_of(rates, "momentum", NAN);
  t.muon_steps = int_of(rates, "ns_steps", 0);
  t.muon_per_head = trm__json_n_items(per_head) > 0;
  t.grad_clip = number_of(o, "clip", 0);
  t.ema_rate = number_of(o, "ema", 0);
  t.lr_warmup_steps = int_of(o, "warmup", 0);
  t.total_steps = int_of(o, "total_steps", 0);
  t.lr_min_ratio = 0;
  return t;
}

/* --- tensors by their names ------------------------------------------------------------------ */

/* The recipe's tensor for one of ours, whose name may begin with that of a layer. */
static const trm__st_tensor *find(const trm__safetensors *file, const char *prefix,
                                  const char *ours) {
  static const struct {
    const char *ours, *theirs[4];
  } names[] = {
      {"embed_tokens.embedding_weight", {"embed_tokens.weight", "embedding.embed_tokens.weight"}},
      {"embed_row.embedding_weight", {"embedding.channels.0.embed_pos_row"}},
      {"embed_column.embedding_weight", {"embedding.channels.0.embed_pos_col"}},
      {"embed_box.embedding_weight", {"embedding.channels.0.embed_pos_box"}},
      {"embed_feedback.embedding_weight",
       {"embedding.channels.0.embed_feedback", "embedding.channels.1.embed_feedback"}},
      {"embed_registers.embedding_weight", {"register_tokens", "prefix.register_tokens"}},
      {"lm_head.weight", {"head.weight"}},
      {"q_head.weight", {"q_head.weight", "halt_head.weight"}},
      {"q_head.bias", {"q_head.bias", "halt_head.bias"}},
      {"H_init", {"H_init", "slow_init"}},
      {"L_init", {"L_init", "fast_init"}},
      {"self_attn.qkv_proj.weight", {"attn.qkv_proj.weight", "attn.proj_qkv.weight"}},
      {"self_attn.o_proj.weight", {"attn.o_proj.weight", "attn.proj_out.weight"}},
      {"mlp_t.gate_up_proj.weight", {"attn.up_proj.weight", "token_mixer.up_proj.weight"}},
      {"mlp_t.down_proj.weight", {"attn.down_proj.weight", "token_mixer.down_proj.weight"}},
      {"mlp.gate_up_proj.weight",
       {"mlp.up_proj.weight", "ffn.up_proj.weight", "channel_mixer.up_proj.weight"}},
      {"mlp.down_proj.weight",
       {"mlp.down_proj.weight", "ffn.down_proj.weight", "channel_mixer.down_proj.weight"}},
  };
  int layer = 0, at = 0;
  char in_layer[40] = "", name[128];
  if (sscanf(ours, "L_level.layers.%d.%n", &layer, &at) == 1)
    snprintf(in_layer, sizeof in_layer, "reasoning.%d.", layer);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    for (int k = 0; !strcmp(ours + at, names[i].ours) && names[i].theirs[k]; k++) {
      snprintf(name, sizeof name, "%s%s%s", prefix, in_layer, names[i].theirs[k]);
      const trm__st_tensor *t = trm__safetensors_find(file, name);
      if (t) return t;
    }
  return NULL;
}

/* Where the bias of the head lies, in values of q's weights: behind the first row. */
static const trm__st_tensor *find_bias(const trm__safetensors *file, const char *prefix) {
  char name[64];
  snprintf(name, sizeof name, "%shead.bias", prefix);
  return trm__safetensors_find(file, name);
}
static bool has_bias(const parity_case *c) {
  return find_bias(c->init, "") != NULL;
}

/* Of q, whose second output may be none of the recipe's, the file may have the first row. */
static bool fits(const trm_tensor *ours, const trm__st_tensor *theirs) {
  const bool half = !strncmp(ours->name, "q_head.", 7) && 2 * theirs->count == ours->count;
  return theirs->dtype == TRM__F32 && (theirs->count == ours->count || half);
}

static trm_status read_weights(parity_case *c) {
  int used = 0;
  for (int i = 0; i < trm_model_tensor_count(c->model); i++) {
    const trm_tensor t = trm_model_tensor_at(c->model, i);
    const trm__st_tensor *have = find(c->init, "", t.name);
    if (!have || !fits(&t, have))
      TRM_FAIL(&c->err, TRM_E_SHAPE, "init.safetensors: %s %s", t.name,
               have ? "has another shape" : "is missing");
    memset(t.data, 0, (size_t)t.count * sizeof *t.data);
    TRM_TRY(trm__st_to_float(have, t.data, &c->err));
    used++;
  }
  if (has_bias(c)) {
    const trm__st_tensor *bias = find_bias(c->init, "");
    const int D = c->model->config.hidden_size;
    if (bias->count != c->model->config.vocab_size || bias->count > D)
      TRM_FAIL(&c->err, TRM_E_SHAPE, "init.safetensors: head.bias has another shape");
    TRM_TRY(trm__st_to_float(bias, trm_model_tensor_named(c->model, "q_head.weight").data + D,
                             &c->err));
    used++;
  }
  if (used != trm__safetensors_count(c->init))
    TRM_FAIL(&c->err, TRM_E_SHAPE, "init.safetensors: %d of its %d tensors are this model's", used,
             (int)trm__safetensors_count(c->init));
  return TRM_OK;
}

/* int32 of the batches, n values. */
static trm_status check_tokens(parity_case *c, const char *name, int64_t n) {
  const trm__st_tensor *t = trm__safetensors_find(c->batches, name);
  if (!t || t->dtype != TRM__I32 || t->count != n)
    TRM_FAIL(&c->err, TRM_E_SHAPE, "batches.safetensors: %s is missing or has another shape", name);
  return TRM_OK;
}

trm_status parity_read_recipe(parity_case *c) {
  static const char *const fed[] = {"feedback", "feedback_corrupt_mask", "feedback_corrupt_token"};
  trm_model_config config;
  TRM_TRY(read_config(c, &config));

  /* One batch [B, cells] for all updates, and of each what is fed back. */
  const trm__st_tensor *inputs = trm__safetensors_find(c->batches, "inputs");
  const int64_t n = inputs ? inputs->count : 0;
  if (!c->train || !inputs || inputs->ndim != 2 || inputs->shape[1] != config.seq_len)
    TRM_FAIL(&c->err, TRM_E_SHAPE, "batches.safetensors: want inputs [B, %d], and what to expect",
             config.seq_len);
  TRM_TRY(check_tokens(c, "inputs", n));
  TRM_TRY(check_tokens(c, "labels", n));
  for (int i = 0; i < 3 && config.feedback; i++)
    TRM_TRY(check_tokens(c, fed[i], n * int_of(c->json, "train_steps", 0)));

  TRM_TRY(trm_model_create(&config, 0, &c->model, &c->err));
  return read_weights(c);
}

/* --- comparisons ----------------------------------------------------------------------------- */

/* `ours` has as many values as the tensor, or more. */
static void compare_values(parity_case *c, int g, const trm__st_tensor *want, const float *ours) {
  if (want) parity_note(c, g, want->name, parity_error(want->count, ours, want->data));
}
/* A tensor of an update; n values, or it is an error. */
static void compare(parity_case *c, int g, int update, const char *name, int64_t n,
                    const float *ours) {
  char whole[96];
  snprintf(whole, sizeof whole, "step%d.%s", update, name);
  const trm__st_tensor *want = trm__safetensors_find(c->train, whole);
  if (want && (want->count != n || want->dtype != TRM__F32))
    parity_note(c, g, whole, HUGE_VAL);
  else
    compare_values(c, g, want, ours);
}
/* The share of tokens that differ. */
static void compare_tokens(parity_case *c, int g, const char *name, const int32_t *want, int64_t n,
                           const int32_t *ours) {
  int64_t wrong = 0;
  for (int64_t i = 0; i < n; i++) wrong += !ours || ours[i] != want[i];
  parity_note(c, g, name, (double)wrong / (double)n);
}

/* By how far it is off, and by how far off its way from where it began. */
static void compare_moved(parity_case *c, int g, const trm__st_tensor *want,
                          const trm__st_tensor *origin, const float *ours) {
  double off = 0, way = 0;
  compare_values(c, g, want, ours);
  if (!want || g != G_FINAL) return;
  const float *to = want->data, *from = origin->data;
  for (int64_t i = 0; i < want->count; i++) {
    off += pow((double)ours[i] - (double)to[i], 2);
    way += pow((double)to[i] - (double)from[i], 2);
  }
  parity_note(c, G_MOVE, want->name, way > 0 ? sqrt(off / way) : sqrt(off));
}
static void compare_weights(parity_case *c, int g, const char *prefix, const trm_model *m) {
  for (int i = 0; i < trm_model_tensor_count(m); i++) {
    const trm_tensor t = trm_model_tensor_at(m, i);
    compare_moved(c, g, find(c->train, prefix, t.name), find(c->init, "", t.name), t.data);
  }
  compare_moved(c, g, find_bias(c->train, prefix), find_bias(c->init, ""),
                trm_model_tensor_named(m, "q_head.weight").data + m->config.hidden_size);
}

/* --- on the way through an update ------------------------------------------------------------ */

/* Of the update that runs; one trainer at a time. */
static struct {
  trm__backend_ops theirs; /* without what is done here */
  const float *bias;       /* [V]; NULL: none */
  int V, S, row;           /* values of a row of logits, its cells; of a row of the input */
  int lost, embedded;      /* rows so far */
  real *logits;            /* [B, S, V] */
  real *input;             /* [B, row] */
  double *d_bias;          /* [V] of the sum over the rows */
  const int32_t *corrupt;  /* the recipe's */
} seen;

static void see_refill(trm__backend *be, trm__workspace *ws, const trm__rows *rows,
                       const trm__fresh *fresh, int first, int n, int advance) {
  trm__fresh theirs = *fresh;
  if (seen.corrupt) memcpy(theirs.corrupt, seen.corrupt, (size_t)(n * seen.S) * sizeof(int32_t));
  seen.theirs.refill(be, ws, rows, &theirs, first, n, advance);
}
static void see_input(trm__backend *be, trm__workspace *ws, int b, const int32_t *inputs,
                      const int32_t *fed, const real *const *puzzle, real *e) {
  seen.theirs.embed(be, ws, b, inputs, fed, puzzle, e);
  memcpy(seen.input + (size_t)seen.embedded * (size_t)seen.row, e,
         (size_t)(b * seen.row) * sizeof *e);
  seen.embedded += b;
}
static void see_loss(trm__backend *be, trm__workspace *ws, int b, const int32_t *labels,
                     const int32_t *steps, const real *q_target, real *logits, real *q,
                     trm__row_loss *out) {
  const int64_t n = (int64_t)b * seen.S * seen.V;
  for (int64_t i = 0; i < n && seen.bias; i++) logits[i] += seen.bias[i % seen.V];
  memcpy(seen.logits + (int64_t)seen.lost * seen.S * seen.V, logits, (size_t)n * sizeof *logits);
  seen.theirs.loss(be, ws, b, labels, steps, q_target, logits, q, out);
  for (int64_t i = 0; i < n; i++) seen.d_bias[i % seen.V] += (double)logits[i];
  seen.lost += b;
}

typedef struct recipe {
  parity_case *c;
  trm_trainer *t;
  int32_t *corrupt; /* [B, S] of the update that runs; NULL: what the trainer has */
} recipe;

/* Between the halves of an update: the bias's gradient joins the others; those of the first update
 * are compared before they are clipped. */
static trm_status see_gradients(void *arg, trm__backend *be, const trm__update *u, trm_error *err) {
  recipe *r = arg;
  parity_case *c = r->c;
  const trm__layout *l = r->t->model->layout;
  (void)be;
  real *bias = u->grads + l->outer.q_weight + l->dims.D;
  for (int v = 0; v < seen.V && seen.bias; v++) bias[v] += (real)seen.d_bias[v];
  if (r->t->updates > 0) return TRM_OK;

  /* Of the mean over the rows. */
  float *mean;
  TRM_ALLOC(&mean, u->n, "gradients", err);
  for (int64_t i = 0; i < u->n; i++) mean[i] = u->grads[i] / (real)u->rows;
  for (int i = 0; i < l->n_slots; i++)
    if (l->slots[i].kind == TRM_TENSOR_PARAM)
      compare_values(c, G_GRAD, find(c->train, "step0.grad.", l->slots[i].name),
                     mean + l->slots[i].offset);
  compare_values(c, G_GRAD, find_bias(c->train, "step0.grad."),
                 mean + l->outer.q_weight + l->dims.D);
  trm__free(mean);
  return TRM_OK;
}

/* --- an update ------------------------------------------------------------------------------- */

static const int32_t *tokens_of(const parity_case *c, const char *name) {
  const trm__st_tensor *t = trm__safetensors_find(c->batches, name);
  return t ? t->data : NULL;
}

/* What replaces cells of what is fed back, 0: nothing; [B, S] of update k. */
static void read_corruption(const parity_case *c, int k, int64_t n, int32_t *out) {
  const int32_t *mask = tokens_of(c, "feedback_corrupt_mask"),
                *token = tokens_of(c, "feedback_corrupt_token");
  for (int64_t i = 0; i < n; i++) out[i] = mask[k * n + i] ? token[k * n + i] : 0;
}

/* The loss of broken rules, row by row, and the gradient of their mean. */
static trm_status compare_rules(parity_case *c, const trm_trainer *t) {
  const trm__dims *m = &t->model->layout->dims;
  const trm__constraint rules = {m->S, m->V, m->n_units, m->units};
  const int64_t row = (int64_t)m->S * m->V, B = t->config.batch_size;
  double *work;
  real *slopes, *rows;
  if (!(m->constraint_weight > 0)) return TRM_OK;
  TRM_ALLOC(&work, trm__constraint_work(&rules), "sums", &c->err);
  TRM_ALLOC(&slopes, B * row, "gradients", &c->err);
  TRM_ALLOC(&rows, B, "losses", &c->err);
  for (int64_t r = 0; r < B; r++) {
    rows[r] = (real)t->view.loss[r].constraint;
    (void)trm__constraint_loss(&rules, tokens_of(c, "labels") + r * m->S, seen.logits + r * row,
                               1.0 / (double)B, work, slopes + r * row);
  }
  compare(c, G_RULES, 0, "csp_rows", B, rows);
  compare(c, G_RULES, 0, "csp_grad_logits", B * row, slopes);
  trm__free(work);
  trm__free(slopes);
  trm__free(rows);
  return TRM_OK;
}

/* What the update was, by its number from 0. */
static trm_status compare_update(parity_case *c, const trm_trainer *t, int k) {
  const trm__layout *l = t->model->layout;
  const trm__dims *m = &l->dims;
  const trm__rows *rows = &t->carry->rows;
  const int64_t B = t->config.batch_size, cells = B * m->S;
  char name[64];
  float *q;
  TRM_ALLOC(&q, B, "q", &c->err);

  /* What went in, and what came out. */
  compare(c, G_INPUT, k, "input_embedding", B * m->L * m->D, seen.input);
  for (int i = 0; i < rows->n_latents; i++)
    compare(c, G_LATENT, k, l->plan->latent[i], B * m->L * m->D, rows->z[i]);
  compare(c, G_LOGITS, k, "logits", cells * m->V, seen.logits);
  for (int r = 0; r < B; r++) q[r] = (float)t->view.loss[r].q[0];
  compare(c, G_Q, k, "q_halt", B, q);
  trm__free(q);
  if (k == 0) TRM_TRY(compare_rules(c, t));

  /* What it saw of the answer before, and what the next one sees of its own. */
  snprintf(name, sizeof name, "step%d.decoded", k);
  const trm__st_tensor *decoded = trm__safetensors_find(c->train, name);
  if (decoded && (decoded->count != cells || decoded->dtype != TRM__I32))
    parity_note(c, G_FED, name, HUGE_VAL);
  else if (decoded)
    compare_tokens(c, G_FED, name, decoded->data, cells, rows->decoded);
  if (rows->fed)
    compare_tokens(c, G_COUNT, "feedback", tokens_of(c, "feedback") + k * cells, cells, rows->fed);
  for (int r = 0; r < B; r++) parity_note(c, G_COUNT, "halted", t->view.halted[r]);
  return TRM_OK;
}

/* Figures of an update, each a series over all of them. */
static const char *const figures[] = {"loss",     "lm_loss",   "q_halt_loss",
                                      "csp_loss", "grad_norm", "lr_scale"};
enum { FIGURES = sizeof figures / sizeof *figures };

static void add_figures(const trm__json *want, const trm_metrics *m, int B, double lr_scale,
                        struct series *series) {
  const double ours[FIGURES] = {m->loss / B,        m->lm_loss / B,
                                m->q_halt_loss / B, m->constraint_loss / B,
                                m->grad_norm,       lr_scale};
  for (int i = 0; i < FIGURES; i++) {
    const trm__json *v = trm__json_get(want, figures[i]);
    if (trm__json_is_number(v)) parity_add(&series[i], ours[i], trm__json_number(v));
  }
}

/* The rates of update k, in place of a schedule of the trainer's own. */
static double set_rates(trm_trainer *t, const trm_trainer_config *theirs, int k) {
  const double scale = trm__schedule(theirs, 1, k);
  trm__group_spec specs[TRM__MAX_GROUPS];
  const int n = trm__group_specs(theirs, specs);
  for (int i = 0; i < n; i++) t->groups.spec[i].lr = specs[i].lr * scale;
  return scale;
}

static trm_status run_updates(recipe *r, const trm_trainer_config *theirs) {
  parity_case *c = r->c;
  const trm_batch batch = {tokens_of(c, "inputs"), tokens_of(c, "labels"), NULL};
  const trm__json *metrics = trm__json_get(c->json, "metrics");
  const int B = theirs->batch_size, steps = int_of(c->json, "train_steps", 0);
  struct series series[FIGURES] = {{0}};
  for (int k = 0; k < steps; k++) {
    trm_metrics got;
    const double scale = set_rates(r->t, theirs, k);
    if (r->corrupt) read_corruption(c, k, (int64_t)B * seen.S, r->corrupt);
    seen.lost = seen.embedded = 0;
    memset(seen.d_bias, 0, (size_t)seen.V * sizeof *seen.d_bias);
    TRM_TRY(trm_trainer_step(r->t, &batch, &got, &c->err));
    TRM_TRY(compare_update(c, r->t, k));
    add_figures(trm__json_item(metrics, (size_t)k), &got, B, scale, series);
  }
  for (int i = 0; i < FIGURES; i++)
    if (series[i].n) parity_note(c, G_LOSS, figures[i], parity_size(&series[i]));
  compare_weights(c, G_FINAL, "final.", trm_trainer_weights(r->t));
  compare_weights(c, G_EMA, "ema.", trm_trainer_ema(r->t));
  return TRM_OK;
}

/* Memory for what is seen, and the ops that see it. */
static trm_status watch(recipe *r, trm__backend_ops *ops) {
  trm_trainer *t = r->t;
  const trm__dims *m = &t->model->layout->dims;
  const int64_t B = t->config.batch_size, cells = B * m->S;
  seen.theirs = *ops;
  seen.V = m->V;
  seen.S = m->S;
  seen.row = m->L * m->D;
  seen.bias = has_bias(r->c) ? t->weights.params + t->model->layout->outer.q_weight + m->D : NULL;
  TRM_ALLOC(&seen.logits, cells * m->V, "logits", &r->c->err);
  TRM_ALLOC(&seen.input, B * seen.row, "inputs", &r->c->err);
  TRM_ALLOC(&seen.d_bias, m->V, "a gradient", &r->c->err);
  if (tokens_of(r->c, "feedback_corrupt_mask"))
    TRM_ALLOC(&r->corrupt, cells, "corruption", &r->c->err);
  seen.corrupt = r->corrupt;
  ops->refill = see_refill;
  ops->embed = see_input;
  ops->loss = see_loss;
  t->be->ops = ops;
  t->between = see_gradients;
  t->between_arg = r;
  return TRM_OK;
}

trm_status parity_run_recipe(parity_case *c) {
  const trm_trainer_config theirs = training_of(c);
  trm_trainer_config ours = theirs;
  recipe r = {.c = c};
  ours.lr_warmup_steps = 0;
  ours.lr_min_ratio = 1;
  TRM_TRY(trm_trainer_create(c->model, &ours, &r.t, &c->err));
  trm__backend_ops ops = *r.t->be->ops;
  trm_status st = watch(&r, &ops);
  if (st == TRM_OK) st = run_updates(&r, &theirs);
  trm_trainer_free(r.t);
  trm__free(r.corrupt);
  trm__free(seen.logits);
  trm__free(seen.input);
  trm__free(seen.d_bias);
  return st;
}
