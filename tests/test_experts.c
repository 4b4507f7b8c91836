/* Mixtures of experts: routers against numbers computed elsewhere, and what a model with experts
 * costs, trains to and tells. Blocks and gradients are in test_ops, double_ops and
 * double_gradients, a whole training in parity, threads and micro-batches in test_same_bits. */
#include "base/file.h"
#include "golden.h"
#include "io/json.h"
#include "op_plain.h"
#include "small_trainer.h"

/* --- a layer, as it was computed elsewhere ---------------------------------------------------- */

typedef struct golden {
  trm__json *json;
  trm__safetensors *init, *batches, *expected;
} golden;

static bool golden_open(golden *g, const char *name) {
  char dir[500], path[600];
  trm_error err;
  snprintf(dir, sizeof dir, "%s/golden/recipes/%s", TRM_SHARED_DIR, name);
  snprintf(path, sizeof path, "%s/case.json", dir);
  if (!trm__path_exists(path)) {
    print_message("no numbers at %s\n", dir);
    return false;
  }
  if (trm__json_load(path, 1 << 20, &g->json, &err) != TRM_OK) fail_msg("%s", err.msg);
  snprintf(path, sizeof path, "%s/init.safetensors", dir);
  g->init = golden_file(path);
  snprintf(path, sizeof path, "%s/batches.safetensors", dir);
  g->batches = golden_file(path);
  snprintf(path, sizeof path, "%s/expected.safetensors", dir);
  g->expected = golden_file(path);
  return true;
}
static void golden_close(golden *g) {
  trm__json_free(g->json);
  trm__safetensors_close(g->init);
  trm__safetensors_close(g->batches);
  trm__safetensors_close(g->expected);
}

/* The values of a tensor, as doubles. */
static double *values(const trm__safetensors *file, const char *name, int64_t *n) {
  const trm__st_tensor *t = trm__safetensors_find(file, name);
  trm_error err;
  if (!t) fail_msg("%s is missing", name);
  float *v = trm__alloc((size_t)t->count, sizeof *v);
  double *out = plain_new(t->count);
  assert_non_null(v);
  if (t->dtype != TRM__I32 && trm__st_to_float(t, v, &err) != TRM_OK) fail_msg("%s", err.msg);
  for (int64_t i = 0; i < t->count; i++)
    out[i] = t->dtype == TRM__I32 ? ((const int32_t *)t->data)[i] : (double)v[i];
  trm__free(v);
  if (n) *n = t->count;
  return out;
}

static void near(const golden *g, const char *name, const double *got) {
  int64_t n;
  double wrong = 0, size = 0, *want = values(g->expected, name, &n);
  for (int64_t i = 0; i < n; i++) {
    wrong += (got[i] - want[i]) * (got[i] - want[i]);
    size += want[i] * want[i];
  }
  probe_below(sqrt(wrong / size), 1e-5, "%s", name);
  trm__free(want);
}

static double number(const golden *g, const char *name) {
  return trm__json_number(trm__json_get(g->json, name));
}

/* The layer's forward pass, and the way back to the router: y [T, K]; gates and choices of each
 * token; what all told; gradients of the router's matrices for objective = sum of y dy + alpha aux.
 */
typedef struct layer {
  trm__experts x;
  int64_t T, K;
  double *h, *dy, *noise, *router, *spread, *gate_up, *down;
  double *y, *gates, *choice, told[2 * TRM__MAX_EXPERTS], aux, objective;
  double *d_router, *d_spread;
} layer;

static trm__logits logits_of(const layer *l, int64_t t, bool noisy) {
  trm__logits out = {.noisy = noisy};
  plain_linear(1, (int)l->K, l->x.n, l->h + t * l->K, l->router, out.clean);
  if (!noisy) return out;
  plain_linear(1, (int)l->K, l->x.n, l->h + t * l->K, l->spread, out.spread);
  memcpy(out.noise, l->noise + t * l->x.n, (size_t)l->x.n * sizeof *out.noise);
  return out;
}

/* Expert `expert` of token t. */
static void expert_of(const layer *l, int64_t t, int expert, double *out) {
  const int64_t F = l->x.width, K = l->K;
  plain_swiglu(1, (int)K, (int)F, 0, l->h + t * K, l->gate_up + expert * 2 * F * K,
               l->down + expert * K * F, out);
}

static void run_layer(layer *l, bool noisy, double alpha) {
  const int n = l->x.n;
  const int64_t K = l->K;
  double slope[2 * TRM__MAX_EXPERTS], *out = plain_new(K);
  memset(l->told, 0, sizeof l->told);
  memset(l->y, 0, (size_t)(l->T * K) * sizeof *l->y);
  memset(l->gates, 0, (size_t)(l->T * n) * sizeof *l->gates);
  memset(l->d_router, 0, (size_t)(n * K) * sizeof *l->d_router);
  memset(l->d_spread, 0, (size_t)(n * K) * sizeof *l->d_spread);

  /* Forward. */
  for (int64_t t = 0; t < l->T; t++) {
    const trm__logits logits = logits_of(l, t, noisy);
    const trm__route r = trm__route_of(&l->x, &logits);
    trm__route_tell(&l->x, &logits, &r, l->told);
    for (int k = 0; k < l->x.chosen; k++) {
      expert_of(l, t, r.expert[k], out);
      for (int64_t i = 0; i < K; i++) l->y[t * K + i] += r.gate[k] * out[i];
      l->gates[t * n + r.expert[k]] = r.gate[k];
      l->choice[t * l->x.chosen + k] = r.expert[k];
    }
  }
  l->aux = trm__route_balance(&l->x, (double)l->T, l->told, alpha, slope);
  l->objective = plain_dot(l->T * K, l->y, l->dy) + alpha * l->aux;

  /* And back. */
  for (int64_t t = 0; t < l->T; t++) {
    const trm__logits logits = logits_of(l, t, noisy);
    const trm__route r = trm__route_of(&l->x, &logits);
    double d_gate[TRM__MAX_CHOSEN] = {0}, d_clean[TRM__MAX_EXPERTS],
           d_spread[TRM__MAX_EXPERTS] = {0};
    for (int k = 0; k < l->x.chosen; k++) {
      expert_of(l, t, r.expert[k], out);
      d_gate[k] = plain_dot(K, out, l->dy + t * K);
    }
    trm__route_grad(&l->x, &logits, &r, d_gate, slope, d_clean, d_spread);
    for (int64_t e = 0; e < n; e++)
      for (int64_t i = 0; i < K; i++) {
        l->d_router[e * K + i] += d_clean[e] * l->h[t * K + i];
        l->d_spread[e * K + i] += d_spread[e] * l->h[t * K + i];
      }
  }
  trm__free(out);
}

static layer layer_open(const golden *g, trm_router router) {
  const trm__json *about = trm__json_get(g->json, "layer");
  const bool noisy = router == TRM_ROUTER_NOISY_TOP2;
  int64_t n_h, n_router;
  layer l = {.x = {.router = router,
                   .n = (int)trm__json_integer(trm__json_get(about, "experts")),
                   .chosen = (int)trm__json_integer(trm__json_get(about, "top_k")),
                   .width = (int)trm__json_integer(trm__json_get(about, "intermediate"))}};
  l.h = values(g->batches, "h", &n_h);
  l.dy = values(g->batches, "dy", NULL);
  l.router = values(g->init, "router", &n_router);
  l.gate_up = values(g->init, "gate_up", NULL);
  l.down = values(g->init, "down", NULL);
  l.spread = noisy ? values(g->init, "noise", NULL) : NULL;
  l.noise = noisy ? values(g->batches, "noise", NULL) : NULL;
  l.K = n_router / l.x.n;
  l.T = n_h / l.K;
  l.y = plain_new(n_h);
  l.gates = plain_new(l.T * l.x.n);
  l.choice = plain_new(l.T * l.x.chosen);
  l.d_router = plain_new(n_router);
  l.d_spread = plain_new(n_router);
  return l;
}
static void layer_free(layer *l) {
  double *all[] = {l->h,    l->dy, l->noise, l->router, l->spread,   l->gate_up,
                   l->down, l->y,  l->gates, l->choice, l->d_router, l->d_spread};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) trm__free(all[i]);
}

static void a_switch_as_elsewhere(void **state) {
  golden g;
  (void)state;
  if (!golden_open(&g, "moe_switch_layer")) skip();
  layer l = layer_open(&g, TRM_ROUTER_SWITCH);
  run_layer(&l, false, 0.01);
  near(&g, "y", l.y);
  near(&g, "choice", l.choice);
  near(&g, "grad.router", l.d_router);
  double share[TRM__MAX_EXPERTS], mean[TRM__MAX_EXPERTS];
  for (int i = 0; i < l.x.n; i++) {
    share[i] = l.told[i] / (double)l.T;
    mean[i] = l.told[l.x.n + i] / (double)l.T;
  }
  near(&g, "share", share);
  near(&g, "mean_probability", mean);
  probe_below(fabs(l.aux - number(&g, "aux")), 1e-5, "the auxiliary loss");
  probe_below(fabs(l.objective - number(&g, "objective")), 1e-4, "the objective");
  layer_free(&l);
  golden_close(&g);
}

static void noisy_ones_as_elsewhere(void **state) {
  golden g;
  (void)state;
  if (!golden_open(&g, "moe_shazeer_layer")) skip();
  layer l = layer_open(&g, TRM_ROUTER_NOISY_TOP2);
  run_layer(&l, true, 0.01);
  near(&g, "y", l.y);
  near(&g, "choice", l.choice);
  near(&g, "gates", l.gates);
  near(&g, "importance", l.told);
  near(&g, "load", l.told + l.x.n);
  near(&g, "grad.router", l.d_router);
  near(&g, "grad.noise", l.d_spread);
  probe_below(fabs(l.aux - number(&g, "aux")), 1e-5, "the auxiliary loss");
  probe_below(fabs(l.objective - number(&g, "objective")), 1e-4, "the objective");

  /* Without noise the load is the number of tokens. */
  run_layer(&l, false, 0.01);
  near(&g, "no_noise.y", l.y);
  near(&g, "no_noise.gates", l.gates);
  probe_below(fabs(l.aux - number(&g, "no_noise_aux")), 1e-5, "the auxiliary loss without noise");
  layer_free(&l);
  golden_close(&g);
}

/* --- what routers do with odd logits ---------------------------------------------------------- */

static void equal_logits_go_to_the_first(void **state) {
  const trm__experts one = {TRM_ROUTER_SWITCH, 5, 1, 128}, two = {TRM_ROUTER_NOISY_TOP2, 5, 2, 64};
  const trm__logits l = {.clean = {-1, 2, 2, 0, 2}};
  (void)state;
  assert_int_equal(trm__route_of(&one, &l).expert[0], 1);
  const trm__route r = trm__route_of(&two, &l);
  assert_int_equal(r.expert[0], 1);
  assert_int_equal(r.expert[1], 2);
  assert_int_equal(r.next, 4);
  assert_true(r.gate[0] == 0.5 && r.gate[1] == 0.5);
}

/* A loss that is NaN is reported; on the way there no index may leave its array. */
static void nan_logits_go_somewhere(void **state) {
  const trm__experts two = {TRM_ROUTER_NOISY_TOP2, 3, 2, 64};
  const trm__logits l = {.clean = {NAN, NAN, NAN}};
  const trm__route r = trm__route_of(&two, &l);
  (void)state;
  assert_true(r.expert[0] != r.expert[1] && r.next >= 0 && r.next < 3);
  assert_in_range(r.expert[0], 0, 2);
  assert_in_range(r.expert[1], 0, 2);
}

/* Where the noise has no width, a load of 0 or 1 has no slope, and that is not NaN. */
static void noise_without_width_has_no_slope(void **state) {
  const trm__experts two = {TRM_ROUTER_NOISY_TOP2, 3, 2, 64};
  const trm__logits l = {
      .clean = {1, 2, 3}, .spread = {-800, -800, -800}, .noise = {1, -1, 2}, .noisy = true};
  const trm__route r = trm__route_of(&two, &l);
  const double d_gate[] = {1, -1}, slope[] = {1, 2, 3, 4, 5, 6};
  double d_clean[3], d_spread[3];
  (void)state;
  trm__route_grad(&two, &l, &r, d_gate, slope, d_clean, d_spread);
  for (int i = 0; i < 3; i++) assert_true(isfinite(d_clean[i]) && isfinite(d_spread[i]));
}

/* --- models ----------------------------------------------------------------------------------- */

static trm_model_config with_experts(int which, trm_router router, int n) {
  trm_model_config c = model_config(which);
  c.moe = (trm_moe){router, n};
  if (c.mlp_t) c.moe_t = c.moe;
  c.halt_exploration_prob = 0;
  return c;
}

static trm_model_cost cost_of(const trm_model_config *c) {
  trm_model_cost cost;
  trm_error err;
  if (trm_model_cost_of(c, &cost, &err) != TRM_OK) fail_msg("%s", err.msg);
  return cost;
}

/* All experts' weights are there, but a token goes through one SwiGLU's worth of them. */
static void what_experts_cost(void **state) {
  (void)state;
  trm_model_config plain = model_config(ATTENTION);
  const trm_model_cost without = cost_of(&plain);
  const int64_t D = plain.hidden_size, F = 256, swiglu = 3 * D * F;
  const struct {
    trm_router router;
    int n;
    int64_t extra;
  } cases[] = {{TRM_ROUTER_SWITCH, 4, 3 * swiglu + 4 * D},
               {TRM_ROUTER_NOISY_TOP2, 8, 3 * swiglu + 2 * 8 * D}};
  for (size_t i = 0; i < 2; i++) {
    const trm_model_config c = with_experts(ATTENTION, cases[i].router, cases[i].n);
    const trm_model_cost cost = cost_of(&c);
    const double router = 2.0 * cost.positions * (double)(D * cases[i].n) * cost.n_updates;
    assert_true(cost.n_params == without.n_params + cases[i].extra);
    assert_true(cost.flops_forward == without.flops_forward + router);
    assert_true(cost.depth == without.depth);
  }
}

/* The auxiliary loss is its weight times the same, and no part of the loss. */
static void the_auxiliary_loss_is_reported(void **state) {
  (void)state;
  trm_model_config c = with_experts(MIXER, TRM_ROUTER_NOISY_TOP2, 5);
  const trm_trainer_config training = small_training(12);
  trm_metrics of[2];
  for (int i = 0; i < 2; i++) {
    c.moe_aux_weight = i ? 0.5 : 0.125;
    trm_model *m = small_model(&c, 3);
    trm_trainer *t = small_trainer(m, &training);
    of[i] = small_update(t);
    trm_trainer_free(t);
    trm_model_free(m);
  }
  assert_true(of[0].aux_loss > 0);
  assert_true(fabs(of[1].aux_loss / of[0].aux_loss - 4) < 1e-9);
  assert_true(of[1].loss == of[0].loss && of[0].loss == of[0].lm_loss + 0.5 * of[0].q_halt_loss);
  assert_true(of[1].grad_norm != of[0].grad_norm);
  assert_true(of[0].expert_load_min < 1 && of[0].expert_load_max > 1);
  assert_true(of[0].expert_load_min >= 0 && of[0].expert_load_max <= 5);
}

/* What it is there for: tokens spread over the experts. */
static void the_load_becomes_even(void **state) {
  (void)state;
  for (int router = TRM_ROUTER_SWITCH; router <= TRM_ROUTER_NOISY_TOP2; router++) {
    double spread[2];
    for (int i = 0; i < 2; i++) {
      trm_model_config c = with_experts(ATTENTION, (trm_router)router, 4);
      c.moe_aux_weight = i;
      trm_trainer_config training = small_training(24);
      training.total_steps = 60;
      trm_model *m = small_model(&c, 3);
      trm_trainer *t = small_trainer(m, &training);
      trm_metrics last = {0};
      for (int k = 0; k < 60; k++) last = small_update(t);
      spread[i] = last.expert_load_max - last.expert_load_min;
      trm_trainer_free(t);
      trm_model_free(m);
    }
    probe_true(spread[1] < 0.7 * spread[0], "router %d: %g without the auxiliary loss, %g with it",
               router, spread[0], spread[1]);
  }
}

static double loss_with(trm_router router, uint64_t seed, int64_t first_row) {
  const trm_model_config c = with_experts(ATTENTION, router, 5);
  trm_trainer_config training = small_training(6);
  training.seed = seed;
  training.first_row = first_row;
  trm_model *m = small_model(&c, 3);
  trm_trainer *t = small_trainer(m, &training);
  const double loss = small_update(t).loss;
  trm_trainer_free(t);
  trm_model_free(m);
  return loss;
}
static void noise_is_of_seed_and_row(void **state) {
  (void)state;
  const trm_router noisy = TRM_ROUTER_NOISY_TOP2;
  assert_true(loss_with(noisy, 1, 0) == loss_with(noisy, 1, 0));
  assert_true(loss_with(noisy, 1, 0) != loss_with(noisy, 2, 0));
  assert_true(loss_with(noisy, 1, 0) != loss_with(noisy, 1, 6));
  assert_true(loss_with(TRM_ROUTER_SWITCH, 1, 0) == loss_with(TRM_ROUTER_SWITCH, 2, 6));
}

/* Answers do not depend on the width of a noise that only training has. */
static void answers_have_no_noise(void **state) {
  static small_batch b;
  (void)state;
  const trm_model_config c = with_experts(ATTENTION, TRM_ROUTER_NOISY_TOP2, 5);
  const trm_batch puzzles = small_batch_at(&b, 5);
  float logits[2][4 * SMALL_LEN * 7];
  for (int i = 0; i < 2; i++) {
    trm_model *m = small_model(&c, 3);
    trm_tensor noise = trm_model_tensor_named(m, "L_level.layers.0.mlp.noise.weight");
    trm_solver *s;
    trm_error err;
    assert_int_equal(noise.count, 5 * c.hidden_size);
    for (int64_t k = 0; k < noise.count; k++) {
      assert_true(noise.data[k] == 0);
      noise.data[k] = (float)i;
    }
    if (trm_solver_create(m, &(trm_solver_config){.batch = 4, .threads = 1}, &s, &err) != TRM_OK)
      fail_msg("%s", err.msg);
    assert_int_equal(trm_solver_start(s, 4, puzzles.inputs, puzzles.puzzle_ids, &err), TRM_OK);
    assert_int_equal(trm_solver_step(s, &err), TRM_OK);
    memcpy(logits[i], trm_solver_logits(s), sizeof logits[i]);
    trm_solver_free(s);
    trm_model_free(m);
  }
  assert_memory_equal(logits[0], logits[1], sizeof logits[0]);
}

/* A state that is loaded goes on with the noise where it was. */
static void a_loaded_state_goes_on(void **state) {
  const trm_model_config c = with_experts(MIXER, TRM_ROUTER_NOISY_TOP2, 4);
  const trm_trainer_config training = small_training(8);
  trm_model *m = small_model(&c, 3);
  trm_trainer *a = small_trainer(m, &training), *b = small_trainer(m, &training);
  trm_error err;
  for (int i = 0; i < 2; i++) small_update(a);
  assert_int_equal(trm_trainer_save(a, scratch_path(*state, "state"), &err), TRM_OK);
  assert_int_equal(trm_trainer_load(b, scratch_path(*state, "state"), &err), TRM_OK);
  small_update(a);
  small_update(b);
  same_trainers(*state, a, b);
  trm_trainer_free(a);
  trm_trainer_free(b);
  trm_model_free(m);
}

static void what_is_refused(void **state) {
  static const struct {
    const char *field, *value;
  } bad[] = {{"moe", "switch:1"},     {"moe", "switch:20"}, {"moe", "noisy_top2:2"},
             {"moe", "switch"},       {"moe", "top2:4"},    {"moe_t", "switch:-4"},
             {"moe_aux_weight", "-1"}};
  (void)state;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    trm_model_config c = model_config(MIXER);
    trm_error err = {0};
    assert_int_equal(trm_model_config_set(&c, bad[i].field, bad[i].value, &err), TRM_E_CONFIG);
    assert_non_null(strstr(err.msg, bad[i].field));
  }

  /* Attention has no SwiGLU over the positions. */
  trm_model_config c = model_config(ATTENTION);
  trm_error err;
  c.moe_t = (trm_moe){TRM_ROUTER_SWITCH, 4};
  assert_int_equal(trm_model_config_check(&c, &err), TRM_E_CONFIG);
  assert_non_null(strstr(err.msg, "mlp_t"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_switch_as_elsewhere),
      cmocka_unit_test(noisy_ones_as_elsewhere),
      cmocka_unit_test(equal_logits_go_to_the_first),
      cmocka_unit_test(nan_logits_go_somewhere),
      cmocka_unit_test(noise_without_width_has_no_slope),
      cmocka_unit_test(what_experts_cost),
      cmocka_unit_test(the_auxiliary_loss_is_reported),
      cmocka_unit_test(the_load_becomes_even),
      cmocka_unit_test(noise_is_of_seed_and_row),
      cmocka_unit_test(answers_have_no_noise),
      cmocka_unit_test(a_loaded_state_goes_on),
      cmocka_unit_test(what_is_refused),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
