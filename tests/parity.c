/* parity [--device NAME] [--dtype FORMAT] CASE_DIR…: computes what the reference computed for a
 * case and compares whatever tensors and figures the case holds. A case is a folder with
 *
 *   case.json                   arch, loss, model and optimizer (the reference's option names),
 *                               variant (what the reference has no name for), files_from (a folder
 *                               with files that are missing here), train_steps, eval_steps, metrics
 *                               per training step
 *   init.safetensors            every weight and buffer at the start
 *   batches.safetensors         inputs, labels [K, B, seq_len], puzzle_identifiers [K, B], int32
 *   expected_eval.safetensors   after evaluation step S of batch 0: stepS.logits, .q_halt, latents
 *   expected_train.safetensors  step0.grad.NAME of the mean loss; after K steps final.NAME,
 * ema.NAME
 *
 * or one of a recipe around another net (parity_recipe.c). Prints the largest relative error
 * ||a - b|| / ||b|| of each group; exit status 1 when one is above its tolerance, 2 when a case
 * cannot be read. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "io/field_json.h"
#include "parity.h"

static const group fresh_groups[N_GROUPS] = {[G_LOGITS] = {"logits", 1e-4, 0, "", 0},
                                             [G_Q] = {"q", 1e-4, 0, "", 0},
                                             [G_LATENT] = {"latents", 1e-4, 0, "", 0},
                                             [G_LOSS] = {"losses, rates", 1e-4, 0, "", 0},
                                             [G_COUNT] = {"counts, halting", 0, 0, "", 0},
                                             [G_GRAD] = {"gradients", 1e-3, 0, "", 0},
                                             [G_FINAL] = {"final weights", 1e-4, 0, "", 0},
                                             [G_EMA] = {"final EMA", 1e-4, 0, "", 0},
                                             [G_INPUT] = {"embedded input", 1e-4, 0, "", 0},
                                             [G_FED] = {"fed back", 0, 0, "", 0},
                                             [G_RULES] = {"broken rules", 1e-4, 0, "", 0},
                                             [G_MOVE] = {"moves of weights", 1e-4, 0, "", 0}};

/* Of a recipe, whose few updates magnify little: an epsilon of its inner norms that is ten times
 * too large is further off. */
#define RECIPE_TOLERANCE 1e-5

/* In bfloat16 the cases, computed in float32, are only near: what a wrong formula would exceed. */
static const double loose[N_GROUPS] = {
    [G_LOGITS] = 0.1, [G_Q] = 0.1,    [G_LATENT] = 0.2, [G_LOSS] = 0.1,
    [G_COUNT] = 1,    [G_GRAD] = 0.3, [G_FINAL] = 0.1,  [G_EMA] = 0.1,
    [G_INPUT] = 0.1,  [G_FED] = 1,    [G_RULES] = 0.2,  [G_MOVE] = 0.5};

/* Where and how the cases are computed, for all of them. */
static trm_device device;
static trm_dtype dtype = TRM_FLOAT32;

void parity_note(parity_case *c, int g, const char *name, double error) {
  group *grp = &c->groups[g];
  grp->compared++;
  if (!(error <= grp->worst)) { /* NaN counts */
    grp->worst = isnan(error) ? HUGE_VAL : error;
    snprintf(grp->worst_name, sizeof grp->worst_name, "%s", name);
  }
}

double parity_error(int64_t n, const float *a, const float *b) {
  double diff = 0, norm = 0;
  for (int64_t i = 0; i < n; i++) {
    diff += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    norm += (double)b[i] * (double)b[i];
  }
  return norm > 0 ? sqrt(diff / norm) : sqrt(diff);
}

/* A tensor of a file; of experts, which lie there one behind the other as one tensor, the part of
 * one of them. */
typedef struct piece {
  const trm__st_tensor *tensor; /* NULL: it is not there */
  int part, parts;
} piece;

/* By our name: `…mlp.experts.3.down_proj.weight` is the fourth part of `…mlp.down`, and
 * `…mlp.router.weight` is `…mlp.router`. */
static piece find_piece(const trm__safetensors *file, const char *name) {
  static const struct {
    const char *ours, *theirs;
  } ends[] = {{".gate_up_proj.weight", ".gate_up"},
              {".down_proj.weight", ".down"},
              {".router.weight", ".router"}};
  piece p = {file ? trm__safetensors_find(file, name) : NULL, 0, 1};
  char other[128];
  if (!file || p.tensor) return p;

  const char *experts = strstr(name, ".experts.");
  char *end = (char *)name + strlen(name);
  const long part = experts ? strtol(experts + strlen(".experts."), &end, 10) : 0;
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
    const char *at = experts ? end : strstr(name, ends[i].ours);
    if (!at || strcmp(at, ends[i].ours) != 0) continue;
    snprintf(other, sizeof other, "%.*s%s", (int)((experts ? experts : at) - name), name,
             ends[i].theirs);
    p.tensor = trm__safetensors_find(file, other);
  }
  if (p.tensor && experts) {
    p.part = (int)part;
    p.parts = (int)p.tensor->shape[0];
  }
  return p;
}

/* out[n] of it; SHAPE when it has another size. */
static trm_status read_piece(piece p, int64_t n, float *out, trm_error *err) {
  if (p.tensor->count != n * p.parts || p.part >= p.parts)
    TRM_FAIL(err, TRM_E_SHAPE, "%s has another shape", p.tensor->name);
  float *all = p.parts > 1 ? trm__alloc((size_t)(n * p.parts), sizeof *all) : out;
  if (!all) TRM_FAIL(err, TRM_E_MEMORY, "no memory for %s", p.tensor->name);
  const trm_status st = trm__st_to_float(p.tensor, all, err);
  if (all == out) return st;
  memcpy(out, all + p.part * n, (size_t)n * sizeof *out);
  trm__free(all);
  return st;
}

/* Compares one expected tensor; a missing one is fine, a wrong size is an error of infinity. Of
 * parts the first counts as compared. */
static void compare(parity_case *c, int g, const trm__safetensors *file, const char *name,
                    int64_t n, const float *ours) {
  const piece p = find_piece(file, name);
  if (!p.tensor) return;
  float *want = ours ? trm__alloc((size_t)n, sizeof *want) : NULL;
  double error = HUGE_VAL;
  if (want && read_piece(p, n, want, &c->err) == TRM_OK) error = parity_error(n, ours, want);
  parity_note(c, g, name, error);
  c->groups[g].compared -= p.part > 0;
  trm__free(want);
}

/* --- reading a case -------------------------------------------------------------------------- */

static trm_status open_part(parity_case *c, const char *name, bool needed, trm__safetensors **out) {
  const char *elsewhere = trm__json_text(trm__json_get(c->json, "files_from"));
  char *path = trm__path_join(c->dir, name), *folder = NULL;
  trm_status st = TRM_OK;
  if (elsewhere && !trm__path_exists(path)) {
    trm__free(path);
    folder = trm__path_join(c->dir, elsewhere);
    path = trm__path_join(folder, name);
    trm__free(folder);
  }
  if (needed || trm__path_exists(path)) st = trm__safetensors_open(path, out, &c->err);
  trm__free(path);
  return st;
}

/* A mixture of experts, each as wide as the SwiGLU it stands for. */
static trm_status read_moe(parity_case *c, const trm__json *moe, trm_model_config *out) {
  char value[32];
  snprintf(value, sizeof value, "%s:%d", string_of(moe, "kind", "?"), int_of(moe, "experts", 0));
  out->moe_aux_weight = number_of(moe, "alpha", 0);
  return trm_model_config_set(out, "moe", value, &c->err);
}

/* What a variant of the cases is here; the architecture is in `arch`. */
static trm_status read_variant(parity_case *c, trm_model_config *out) {
  static const struct {
    const char *name, *field, *value; /* value NULL: "last:" and the variant's number */
  } known[] = {
      {"two_nets", "nets", "separate"},   {"gradient_updates", "grad", NULL},
      {"tied", "tie_embeddings", "true"}, {"single", "arch", "trm_singlez"},
      {"x_always", "x_always", "true"},   {"continue_repaired", "no_ACT_continue", "false"}};
  const trm__json *variant = trm__json_get(c->json, "variant");
  for (size_t i = 0; i < trm__json_n_members(variant); i++) {
    const char *name = trm__json_key(variant, i);
    size_t k = 0;
    if (!strcmp(name, "moe")) {
      TRM_TRY(read_moe(c, trm__json_get(variant, name), out));
      continue;
    }
    while (k < sizeof known / sizeof *known && strcmp(known[k].name, name) != 0) k++;
    if (k == sizeof known / sizeof *known)
      TRM_FAIL(&c->err, TRM_E_FORMAT, "unknown variant %s", name);
    char value[32];
    snprintf(value, sizeof value, "last:%d", int_of(variant, name, 0));
    TRM_TRY(trm_model_config_set(out, known[k].field, known[k].value ? known[k].value : value,
                                 &c->err));
  }
  return TRM_OK;
}

static trm_status read_config(parity_case *c, trm_model_config *out) {
  const trm__json *o = trm__json_get(c->json, "model");
  trm_arch arch;
  if (!trm_arch_from_name(string_of(c->json, "arch", "?"), &arch))
    TRM_FAIL(&c->err, TRM_E_FORMAT, "unknown arch %s", string_of(c->json, "arch", "?"));
  *out = trm_model_config_default(arch);
  out->halt_exploration_prob = 0;
  const trm_field *f;
  for (int i = 1; (f = trm_model_config_field(i)); i++)
    if (trm__json_get(o, f->name)) TRM_TRY(trm__field_from_json(o, c->dir, f, out, &c->err));
  if (!trm_loss_from_name(string_of(c->json, "loss", "stablemax_cross_entropy"), &out->loss))
    TRM_FAIL(&c->err, TRM_E_FORMAT, "unknown loss");
  return read_variant(c, out);
}

static trm_status read_weights(parity_case *c) {
  int used = 0;
  for (int i = 0; i < trm_model_tensor_count(c->model); i++) {
    trm_tensor t = trm_model_tensor_at(c->model, i);
    const piece have = find_piece(c->init, t.name);
    const int first = have.parts > 1; /* dimensions that count the parts */
    if (!have.tensor || have.tensor->ndim != t.ndim + first ||
        have.tensor->shape[first] != t.shape[0] ||
        (t.ndim == 2 && have.tensor->shape[first + 1] != t.shape[1]))
      TRM_FAIL(&c->err, TRM_E_SHAPE, "init.safetensors: %s %s", t.name,
               have.tensor ? "has another shape" : "is missing");
    TRM_TRY(read_piece(have, t.count, t.data, &c->err));
    used += have.part == 0;
  }
  if (used != trm__safetensors_count(c->init))
    TRM_FAIL(&c->err, TRM_E_SHAPE, "init.safetensors: %d of its %d tensors are this model's", used,
             (int)trm__safetensors_count(c->init));
  return TRM_OK;
}

static trm_status read_case(parity_case *c) {
  trm_model_config config;
  char *path = trm__path_join(c->dir, "case.json");
  trm_status st = trm__json_load(path, 64u << 20, &c->json, &c->err);
  trm__free(path);
  TRM_TRY(st);
  TRM_TRY(open_part(c, "init.safetensors", true, &c->init));
  TRM_TRY(open_part(c, "batches.safetensors", true, &c->batches));
  TRM_TRY(open_part(c, "expected_eval.safetensors", false, &c->eval));
  TRM_TRY(open_part(c, "expected_train.safetensors", false, &c->train));
  if (parity_is_recipe(c)) {
    if (device.kind != TRM_DEVICE_CPU)
      TRM_FAIL(&c->err, TRM_E_ARGUMENT, "a recipe is computed on the CPU; want no --device");
    return parity_read_recipe(c);
  }
  TRM_TRY(read_config(c, &config));
  TRM_TRY(trm_model_create(&config, 0, &c->model, &c->err));
  return read_weights(c);
}

/* int32 [K, B, …] of the batches file, checked against seq_len (0: one value per row). */
static trm_status batch_tensor(parity_case *c, const char *name, int seq_len, const int32_t **out,
                               int *steps, int *rows) {
  const trm__st_tensor *t = trm__safetensors_find(c->batches, name);
  if (!t || t->dtype != TRM__I32 || t->ndim != (seq_len ? 3 : 2) ||
      (seq_len && t->shape[2] != seq_len))
    TRM_FAIL(&c->err, TRM_E_SHAPE, "batches.safetensors: %s is missing or has another shape", name);
  *out = t->data;
  *steps = (int)t->shape[0];
  *rows = (int)t->shape[1];
  return TRM_OK;
}

/* --- evaluation ------------------------------------------------------------------------------ */

static void compare_step(parity_case *c, trm_solver *s, int step) {
  const trm_model_config *m = trm_model_get_config(c->model);
  int64_t n = trm_solver_rows(s), cells = n * m->seq_len;
  trm_model_cost cost;
  char name[96];
  snprintf(name, sizeof name, "step%d.logits", step);
  compare(c, G_LOGITS, c->eval, name, cells * m->vocab_size, trm_solver_logits(s));
  snprintf(name, sizeof name, "step%d.q_halt", step);
  compare(c, G_Q, c->eval, name, n, trm_solver_q_halt(s));
  snprintf(name, sizeof name, "step%d.q_continue", step);
  compare(c, G_Q, c->eval, name, n, trm_solver_q_continue(s));
  if (trm_model_cost_of(m, &cost, NULL) != TRM_OK) return;
  for (int i = 0; i < trm_solver_latent_count(s); i++) {
    const char *latent;
    const float *z = trm_solver_latent(s, i, &latent);
    snprintf(name, sizeof name, "step%d.%s", step, latent);
    compare(c, G_LATENT, c->eval, name, n * cost.positions * m->hidden_size, z);
  }
}

static trm_status run_eval(parity_case *c) {
  const trm_model_config *m = trm_model_get_config(c->model);
  const int32_t *inputs = NULL, *ids = NULL;
  int K = 0, B = 0;
  trm_solver *s;
  if (!c->eval) return TRM_OK;
  TRM_TRY(batch_tensor(c, "inputs", m->seq_len, &inputs, &K, &B));
  TRM_TRY(batch_tensor(c, "puzzle_identifiers", 0, &ids, &K, &B));
  TRM_TRY(
      trm_solver_create(c->model, &(trm_solver_config){.batch = B, .device = device}, &s, &c->err));
  trm_status st = trm_solver_start(s, B, inputs, ids, &c->err);
  for (int step = 0; st == TRM_OK && step < int_of(c->json, "eval_steps", 0); step++) {
    trm_solver_step(s, NULL);
    compare_step(c, s, step);
  }
  trm_solver_free(s);
  return st;
}

/* --- training -------------------------------------------------------------------------------- */

/* The figures of a training step. */
static const struct metric {
  const char *key;
  int group;
  size_t offset;
} metric_table[N_METRICS] = {
#define METRIC(key, group) \
  { #key, group, offsetof(trm_metrics, key) }
    METRIC(count, G_COUNT),      METRIC(exact_accuracy, G_COUNT), METRIC(q_halt_accuracy, G_COUNT),
    METRIC(steps, G_COUNT),      METRIC(accuracy, G_LOSS),        METRIC(lm_loss, G_LOSS),
    METRIC(q_halt_loss, G_LOSS), METRIC(q_continue_loss, G_LOSS), METRIC(loss, G_LOSS),
    METRIC(lr, G_LOSS),          METRIC(puzzle_emb_lr, G_LOSS),   METRIC(aux_loss, G_LOSS),
#undef METRIC
};

static void compare_metrics(parity_case *c, const trm__json *want, const trm_metrics *m,
                            const trm_trainer *t, int B) {
  /* Figures of the update, each with the size of the difference and of the figure itself. */
  for (int i = 0; i < N_METRICS; i++) {
    const trm__json *v = trm__json_get(want, metric_table[i].key);
    double ours;
    if (!trm__json_is_number(v)) continue;
    memcpy(&ours, (const char *)m + metric_table[i].offset, sizeof ours);
    parity_add(&c->series[i], ours, trm__json_number(v));
  }

  /* Who halted, and after how many steps, row by row. */
  const trm__json *halted = trm__json_get(want, "halted"),
                  *steps = trm__json_get(want, "steps_taken");
  for (int r = 0; r < B; r++) {
    if (trm__json_n_items(halted) == (size_t)B)
      parity_note(c, G_COUNT, "halted",
                  trm__json_integer(trm__json_item(halted, (size_t)r)) != trm_trainer_halted(t)[r]);
    if (trm__json_n_items(steps) == (size_t)B)
      parity_note(
          c, G_COUNT, "steps_taken",
          trm__json_integer(trm__json_item(steps, (size_t)r)) != trm_trainer_steps_taken(t)[r]);
  }
}

static void note_metrics(parity_case *c) {
  for (int i = 0; i < N_METRICS; i++)
    if (c->series[i].n)
      parity_note(c, metric_table[i].group, metric_table[i].key, parity_size(&c->series[i]));
}

static void compare_gradients(parity_case *c, const trm_trainer *t, int B) {
  char name[128];
  for (int i = 0; i < trm_model_tensor_count(c->model); i++) {
    trm_tensor g = trm_trainer_gradient_at(t, i);
    snprintf(name, sizeof name, "step0.grad.%s", g.name);
    if (g.data) compare(c, G_GRAD, c->train, name, g.count, g.data);
  }
  compare(c, G_GRAD, c->train, "step0.grad.puzzle_emb_local",
          (int64_t)B * trm_model_get_config(c->model)->puzzle_emb_ndim,
          trm_trainer_puzzle_emb_gradient(t));
}

static void compare_weights(parity_case *c, int g, const char *prefix, const trm_model *m) {
  char name[128];
  for (int i = 0; i < trm_model_tensor_count(m); i++) {
    trm_tensor t = trm_model_tensor_at(m, i);
    snprintf(name, sizeof name, "%s.%s", prefix, t.name);
    compare(c, g, c->train, name, t.count, t.data);
  }
}

static trm_status trainer_config(parity_case *c, int B, int K, trm_trainer_config *out) {
  const trm__json *o = trm__json_get(c->json, "optimizer");
  trm_trainer_config t = trm_trainer_config_default();
  t.batch_size = B;
  t.device = device;
  t.total_steps = K;
  t.lr = number_of(o, "lr", t.lr);
  t.beta1 = number_of(o, "beta1", t.beta1);
  t.beta2 = number_of(o, "beta2", t.beta2);
  t.adam_eps = number_of(o, "eps", t.adam_eps);
  t.weight_decay = number_of(o, "weight_decay", t.weight_decay);
  t.puzzle_emb_lr = number_of(o, "puzzle_emb_lr", t.puzzle_emb_lr);
  t.puzzle_emb_weight_decay = number_of(o, "puzzle_emb_weight_decay", t.puzzle_emb_weight_decay);
  t.lr_warmup_steps = int_of(o, "warmup_steps", 0);
  t.lr_min_ratio = number_of(o, "lr_min_ratio", 1);
  t.ema_rate = number_of(o, "ema_rate", 0);
  if (!trm_optimizer_from_name(string_of(o, "name", "adam_atan2"), &t.optimizer))
    TRM_FAIL(&c->err, TRM_E_FORMAT, "unknown optimizer %s", string_of(o, "name", ""));
  *out = t;
  return TRM_OK;
}

static trm_status run_train(parity_case *c) {
  const trm_model_config *m = trm_model_get_config(c->model);

  /* A case may have no training. */
  const int32_t *inputs = NULL, *labels = NULL, *ids = NULL;
  int K = 0, B = 0, steps = int_of(c->json, "train_steps", 0);
  trm_trainer_config config;
  trm_trainer *t;
  const trm__json *metrics = trm__json_get(c->json, "metrics");
  if (!c->train && !trm__json_n_items(metrics)) return TRM_OK;

  /* K batches of B rows. */
  TRM_TRY(batch_tensor(c, "inputs", m->seq_len, &inputs, &K, &B));
  TRM_TRY(batch_tensor(c, "labels", m->seq_len, &labels, &K, &B));
  TRM_TRY(batch_tensor(c, "puzzle_identifiers", 0, &ids, &K, &B));
  if (steps > K)
    TRM_FAIL(&c->err, TRM_E_SHAPE, "train_steps is %d, but there are %d batches", steps, K);

  /* A trainer as the reference's. */
  TRM_TRY(trainer_config(c, B, steps, &config));
  TRM_TRY(trm_trainer_create(c->model, &config, &t, &c->err));
  trm_status st = TRM_OK;

  /* After each update its figures; gradients of the first one only, for later ones have other
   * weights. */
  for (int k = 0; st == TRM_OK && k < steps; k++) {
    int64_t at = (int64_t)k * B * m->seq_len;
    trm_metrics got;
    st = trm_trainer_step(t, &(trm_batch){inputs + at, labels + at, ids + (int64_t)k * B}, &got,
                          &c->err);
    if (st != TRM_OK) break;
    st = trm_trainer_sync(t, &c->err);
    if (st != TRM_OK) break;
    if (k == 0) compare_gradients(c, t, B);
    compare_metrics(c, trm__json_item(metrics, (size_t)k), &got, t, B);
  }

  /* At the end the weights and their average. */
  if (st == TRM_OK) {
    note_metrics(c);
    compare_weights(c, G_FINAL, "final", trm_trainer_weights(t));
    compare_weights(c, G_EMA, "ema", trm_trainer_ema(t));
  }
  trm_trainer_free(t);
  return st;
}

/* --- report ---------------------------------------------------------------------------------- */

/* Expected tensors that nothing was compared with would be a check that cannot fail. */
static int64_t expected_count(const parity_case *c) {
  return (c->eval ? trm__safetensors_count(c->eval) : 0) +
         (c->train ? trm__safetensors_count(c->train) : 0);
}

static int report(const parity_case *c) {
  int bad = 0;
  int64_t compared = 0;
  printf("%s\n", c->dir);
  for (int g = 0; g < N_GROUPS; g++) {
    const group *grp = &c->groups[g];
    bool fails = grp->worst > grp->tolerance;
    if (g != G_LOSS && g != G_COUNT && g != G_MOVE) compared += grp->compared;
    if (grp->compared == 0) continue;
    printf("  %-16s %5d compared, worst %.2e (%s), tolerance %.0e  %s\n", grp->name, grp->compared,
           grp->worst, grp->worst_name[0] ? grp->worst_name : "all equal", grp->tolerance,
           fails ? "FAILS" : "ok");
    bad |= fails;
  }
  if (compared != expected_count(c)) {
    printf("  only %lld of %lld expected tensors have a counterpart  FAILS\n", (long long)compared,
           (long long)expected_count(c));
    bad = 1;
  }
  return bad;
}

static void set_tolerances(parity_case *c) {
  for (int g = 0; g < N_GROUPS; g++) {
    if (parity_is_recipe(c))
      c->groups[g].tolerance = fmin(c->groups[g].tolerance, RECIPE_TOLERANCE);
    if (dtype != TRM_FLOAT32) c->groups[g].tolerance = loose[g];
  }
}

static trm_status run_reference(parity_case *c) {
  TRM_TRY(run_eval(c));
  return run_train(c);
}

static int run_case(const char *dir) {
  parity_case c = {.dir = dir};
  int result = 2;
  memcpy(c.groups, fresh_groups, sizeof fresh_groups);
  trm_status st = read_case(&c);
  set_tolerances(&c);
  if (st == TRM_OK) st = trm_model_set_dtype(c.model, dtype, &c.err);
  if (st == TRM_OK) st = parity_is_recipe(&c) ? parity_run_recipe(&c) : run_reference(&c);
  if (st == TRM_OK)
    result = report(&c);
  else
    fprintf(stderr, "parity: %s: %s\n", dir, c.err.msg);
  trm__json_free(c.json);
  trm__safetensors_close(c.init);
  trm__safetensors_close(c.batches);
  trm__safetensors_close(c.eval);
  trm__safetensors_close(c.train);
  trm_model_free(c.model);
  return result;
}

/* Takes the options off the front; false when one is wrong. */
static bool read_options(int *argc, char ***argv) {
  while (*argc > 2 && !strncmp((*argv)[1], "--", 2)) {
    const char *name = (*argv)[1], *value = (*argv)[2];
    if (!(!strcmp(name, "--device") && trm_device_from_name(value, &device)) &&
        !(!strcmp(name, "--dtype") && trm_dtype_from_name(value, &dtype)))
      return false;
    *argc -= 2;
    *argv += 2;
  }
  return *argc > 1;
}

int main(int argc, char **argv) {
  int worst = 0, passed = 0;
  trm_error err;
  char about[160];
  if (!read_options(&argc, &argv)) {
    fprintf(stderr, "usage: parity [--device NAME] [--dtype float32|bfloat16] CASE_DIR...\n");
    return 2;
  }
  if (trm_device_describe(device, about, sizeof about, &err) != TRM_OK) {
    printf("skipped: %s\n", err.msg);
    return 77;
  }
  for (int i = 1; i < argc; i++) {
    int r = run_case(argv[i]);
    passed += r == 0;
    if (r > worst) worst = r;
  }
  printf("%d passed, %d failed\n", passed, argc - 1 - passed);
  return worst;
}
