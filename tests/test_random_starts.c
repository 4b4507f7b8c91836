/* Random starts, damped updates and noise behind them (EqR, arXiv 2605.21488): against numbers
 * computed elsewhere, with their draws in place of ours; what ours are, and that nothing but their
 * keys decides them. The ops on every device are in test_ops and test_cuda_ops, gradients in
 * double_gradients, rollouts in test_think. */
#include <math.h>

#include "base/file.h"
#include "golden.h"
#include "io/json.h"
#include "nn/model.h"
#include "small_data.h"
#include "small_trainer.h"
#include "train/trainer.h"

#define CASE TRM_SHARED_DIR "/golden/recipes/eqr_mixer/"

/* --- numbers computed elsewhere -------------------------------------------------------------- */

typedef struct golden {
  trm__json *json;
  trm__safetensors *init, *batches, *train, *eval;
  trm_model_config config;
  int B, updates; /* rows; latent updates of a supervision step */
} golden;

static double number(const trm__json *o, const char *key) {
  const trm__json *v = trm__json_get(o, key);
  if (!trm__json_is_number(v)) fail_msg("no %s", key);
  return trm__json_number(v);
}

static trm_model_config config_of(const trm__json *m) {
  trm_model_config c = trm_model_config_default(TRM_ARCH_TRM);
  c.vocab_size = (int)number(m, "vocab_size");
  c.seq_len = (int)number(m, "seq_len");
  c.num_puzzle_identifiers = 1;
  c.hidden_size = (int)number(m, "hidden_size");
  c.num_heads = (int)number(m, "num_heads");
  c.expansion = number(m, "expansion");
  c.L_layers = (int)number(m, "L_layers");
  c.H_cycles = (int)number(m, "H_cycles");
  c.L_cycles = (int)number(m, "L_cycles");
  c.halt_max_steps = (int)number(m, "halt_max_steps");
  c.halt_exploration_prob = number(m, "halt_exploration_prob");
  c.mlp_t = true;
  c.pos_encodings = TRM_POS_NONE;
  c.puzzle_emb_ndim = c.puzzle_emb_len = 0;
  c.forward_dtype = TRM_FLOAT32;
  c.start_std = 1;
  c.damping = 1 - number(m, "lambda_");
  c.update_noise = number(m, "noise_scale");
  return c;
}

static bool golden_open(golden *g) {
  if (!trm__path_exists(CASE "case.json")) return false;
  assert_int_equal(trm__json_load(CASE "case.json", 1 << 24, &g->json, NULL), TRM_OK);
  g->init = golden_file(CASE "init.safetensors");
  g->batches = golden_file(CASE "batches.safetensors");
  g->train = golden_file(CASE "expected_train.safetensors");
  g->eval = golden_file(CASE "expected_eval.safetensors");
  g->config = config_of(trm__json_get(g->json, "model"));
  g->B = (int)golden_tensor(g->batches, "inputs")->shape[1];
  g->updates = (int)golden_tensor(g->batches, "noise")->shape[1];
  assert_int_equal(g->updates, g->config.H_cycles * (g->config.L_cycles + 1));
  return true;
}
static void golden_close(golden *g) {
  trm__json_free(g->json);
  trm__safetensors_close(g->init);
  trm__safetensors_close(g->batches);
  trm__safetensors_close(g->train);
  trm__safetensors_close(g->eval);
}

/* Its weights; all of them, but where our latents would start. */
static trm_model *model_of(const golden *g) {
  trm_model *m;
  trm_error err;
  if (trm_model_create(&g->config, 1, &m, &err) != TRM_OK) fail_msg("%s", err.msg);
  for (int i = 0; i < trm_model_tensor_count(m); i++) {
    const trm_tensor t = trm_model_tensor_at(m, i);
    if (t.kind != TRM_TENSOR_PARAM) continue;
    assert_int_equal(golden_tensor(g->init, t.name)->count, t.count);
    memcpy(t.data, golden_floats(g->init, t.name), (size_t)t.count * sizeof *t.data);
  }
  return m;
}

/* The draws of the case in place of ours: noise[step mod 2, update, row], start[begun, row]. */
static struct {
  const float *noise, *start[2];
  int64_t row; /* values of a latent of a row */
  int B, updates, step, begun;
} drawn;
static void their_noise(trm__backend *be, trm__workspace *ws, int b, const trm__noise *keys,
                        const trm__draws *draws, real deviation, real *z) {
  (void)be;
  (void)ws;
  assert_true(draws->step < (uint64_t)drawn.updates);
  const int64_t update = drawn.step % 2 * drawn.updates + (int64_t)draws->step;
  for (int r = 0; r < b; r++)
    for (int64_t i = 0; i < drawn.row; i++)
      z[r * drawn.row + i] +=
          deviation * drawn.noise[(update * drawn.B + keys[r].row) * drawn.row + i];
}
static void their_start(trm__backend *be, trm__workspace *ws, int b, const trm__noise *keys,
                        const trm__draws *draws, const int32_t *steps, real deviation, real *z) {
  (void)be;
  (void)ws;
  for (int r = 0; r < b; r++)
    for (int64_t i = 0; i < drawn.row && steps[r] == 1; i++)
      z[r * drawn.row + i] =
          deviation *
          drawn.start[draws->step][(drawn.begun * drawn.B + keys[r].row) * drawn.row + i];
}
static void draw_theirs(const golden *g, const trm__plan *plan, trm__backend_ops *ops) {
  drawn.noise = golden_floats(g->batches, "noise");
  for (int i = 0; i < 2; i++) {
    char name[40];
    snprintf(name, sizeof name, "start.%s", plan->latent[i]);
    drawn.start[i] = golden_floats(g->batches, name);
  }
  drawn.row = (int64_t)g->config.seq_len * g->config.hidden_size;
  drawn.B = g->B;
  drawn.updates = g->updates;
  drawn.step = drawn.begun = 0;
  ops->jitter = their_noise;
  ops->start = their_start;
}

/* The tensor of that name, if the case tells it; how many were checked. */
static int checked;
static void check(const trm__safetensors *f, const char *prefix, const char *name, const real *got,
                  int64_t stride, double tolerance) {
  char whole[120];
  snprintf(whole, sizeof whole, "%s%s", prefix, name);
  const trm__st_tensor *t = trm__safetensors_find(f, whole);
  if (!t) return;
  real *part = probe_reals(t->count);
  for (int64_t i = 0; i < t->count; i++) part[i] = got[i * stride];
  probe_below(probe_error(part, t->data, t->count), tolerance, "%s", whole);
  checked++;
  trm__free(part);
}

/* --- evaluation */

static void follow(const golden *g, trm_model *m, const char *prefix, int steps) {
  const trm__layout *l = m->layout;
  trm__backend *be;
  trm__walker *w;
  assert_int_equal(trm__cpu_create(&l->dims, &l->outer, l->blocks, l->n_blocks, false, &be, NULL),
                   TRM_OK);
  trm__backend_ops ops = *be->ops;
  be->ops = &ops;
  assert_int_equal(trm__walker_create(l, be, g->B, 1, false, &w, NULL), TRM_OK);
  draw_theirs(g, l->plan, &ops);

  /* All rows in one tile. */
  trm__lane lane = {0, 1, 0, 1, NULL};
  trm__noise keys[8];
  int32_t taken[8];
  assert_true(g->B <= 8);
  for (int r = 0; r < g->B; r++) keys[r] = (trm__noise){.row = r};
  real *logits = probe_reals((int64_t)g->B * l->dims.S * l->dims.V), *q = probe_reals(2 * g->B);
  trm__tile tile = {.rows = g->B,
                    .z = {probe_reals(g->B * drawn.row), probe_reals(g->B * drawn.row)},
                    .inputs = golden_tensor(g->batches, "inputs")->data,
                    .logits = logits,
                    .q = q,
                    .noise = keys,
                    .steps = taken};
  ops.pack(be, &lane, m->params);
  for (int step = 0; step < steps; step++) {
    char at[40];
    for (int r = 0; r < g->B; r++) taken[r] = step + 1;
    drawn.step = step;
    trm__walk_infer(w, &lane, &tile);
    snprintf(at, sizeof at, "%sstep%d.", prefix, step);
    for (int i = 0; i < 2; i++) check(g->eval, at, l->plan->latent[i], tile.z[i], 1, 1e-5);
    check(g->eval, at, "logits", logits, 1, 1e-5);
    check(g->eval, at, "q_halt", q, 2, 1e-5);
  }
  trm__free(logits);
  trm__free(q);
  trm__free(tile.z[0]);
  trm__free(tile.z[1]);
  trm__walker_free(w);
  be->ops->destroy(be);
}

static void answers_are_as_computed_elsewhere(void **state) {
  (void)state;
  golden g = {0};
  if (!golden_open(&g)) skip();
  trm_model *m = model_of(&g);
  checked = 0;
  follow(&g, m, "", (int)number(g.json, "eval_steps"));
  trm_model_free(m);
  g.config.update_noise = 0;
  m = model_of(&g);
  follow(&g, m, "no_noise.", 1);
  assert_int_equal(checked, trm__safetensors_count(g.eval));
  trm_model_free(m);
  golden_close(&g);
}

/* --- training */

static trm_trainer_config training_of(const golden *g) {
  const trm__json *o = trm__json_get(g->json, "optimizer");
  trm_trainer_config c = trm_trainer_config_default();
  c.batch_size = g->B;
  c.threads = 1;
  c.lr = number(o, "lr");
  c.beta1 = number(o, "beta1");
  c.beta2 = number(o, "beta2");
  c.weight_decay = number(o, "weight_decay");
  c.lr_warmup_steps = (int64_t)number(o, "warmup_steps");
  c.lr_min_ratio = 1;
  c.ema_rate = number(o, "ema_rate");
  return c;
}

static void check_metrics(const golden *g, const trm_trainer *t, int step, const trm_metrics *m) {
  const trm__json *want = trm__json_item(trm__json_get(g->json, "metrics"), (size_t)step);
  const double got[] = {m->count, m->accuracy, m->exact_accuracy, m->q_halt_accuracy,
                        m->steps, m->lm_loss,  m->q_halt_loss,    m->loss};
  static const char *const names[] = {"count", "accuracy", "exact_accuracy", "q_halt_accuracy",
                                      "steps", "lm_loss",  "q_halt_loss",    "loss"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    probe_below(fabs(got[i] - number(want, names[i])), 1e-4, "%s of update %d", names[i], step + 1);
  for (int r = 0; r < g->B; r++)
    assert_int_equal(trm_trainer_halted(t)[r], (int)trm__json_number(trm__json_item(
                                                   trm__json_get(want, "halted"), (size_t)r)));
}

static void updates_are_as_computed_elsewhere(void **state) {
  (void)state;
  golden g = {0};
  if (!golden_open(&g)) skip();
  trm_model *m = model_of(&g);
  const trm_trainer_config c = training_of(&g);
  trm_trainer *t = small_trainer(m, &c);
  trm__backend_ops ops = *t->be->ops;
  t->be->ops = &ops;
  draw_theirs(&g, m->layout->plan, &ops);
  checked = 0;

  /* Each update with the draws of its number. */
  const int64_t cells = (int64_t)g.B * g.config.seq_len;
  for (int step = 0; step < (int)number(g.json, "train_steps"); step++) {
    const int32_t *inputs = golden_tensor(g.batches, "inputs")->data;
    const int32_t *labels = golden_tensor(g.batches, "labels")->data;
    const trm_batch batch = {inputs + step * cells, labels + step * cells, NULL};
    trm_metrics metrics;
    trm_error err;
    drawn.step = drawn.begun = step;
    if (trm_trainer_step(t, &batch, &metrics, &err) != TRM_OK) fail_msg("%s", err.msg);
    check_metrics(&g, t, step, &metrics);
    for (int i = 0; i < trm_model_tensor_count(m) && step == 0; i++) {
      const trm_tensor grad = trm_trainer_gradient_at(t, i);
      if (grad.data) check(g.train, "step0.grad.", grad.name, grad.data, 1, 1e-4);
    }
  }

  /* What became of the weights and of their average. */
  for (int i = 0; i < trm_model_tensor_count(m); i++) {
    const trm_tensor now = trm_model_tensor_at(trm_trainer_weights(t), i),
                     mean = trm_model_tensor_at(trm_trainer_ema(t), i);
    check(g.train, "final.", now.name, now.data, 1, 1e-4);
    check(g.train, "ema.", mean.name, mean.data, 1, 1e-4);
  }
  assert_int_equal(checked, trm__safetensors_count(g.train));
  trm_trainer_free(t);
  trm_model_free(m);
  golden_close(&g);
}

/* --- what is drawn --------------------------------------------------------------------------- */

static trm_model_config drawing(int which) {
  trm_model_config c = model_config(which);
  c.start_std = 0.5;
  c.damping = 0.05;
  c.update_noise = 0.1;
  return c;
}

/* Cut at two scales, with the deviation that is asked for; each value by itself. */
static void starts_are_cut_normals(void **state) {
  (void)state;
  enum { PAIRS = 50000 };
  const double most = 2 / 0.87962566103423978;
  const trm__noise key = {.seed = 3, .first = 17, .row = 5};
  const trm__draws draws = trm__draws_start(true, 1);
  double sum = 0, squares = 0, products = 0, far = 0;
  for (int64_t i = 0; i < PAIRS; i++) {
    double v[2];
    trm__jitter_cut(&key, &draws, i, v);
    for (int k = 0; k < 2; k++) {
      assert_true(fabs(v[k]) <= most);
      sum += v[k];
      squares += v[k] * v[k];
      far += fabs(v[k]) > 0.9 * most;
    }
    products += v[0] * v[1];
  }
  /* Of 100,000 values; four of their deviations. A share of 0.0275 is beyond 0.9 of the cut. */
  probe_below(fabs(sum / (2 * PAIRS)), 0.013, "mean");
  probe_below(fabs(squares / (2 * PAIRS) - 1), 0.013, "variance");
  probe_below(fabs(products / PAIRS), 0.018, "correlation");
  probe_below(fabs(far / (2 * PAIRS) - 0.02756), 0.0025, "share near the cut");
}

/* The latents of a row after its first step follow from its key alone, and the other keys' do not
 * look like them; latents of training draw otherwise. */
static void every_number_of_a_key_counts(void **state) {
  (void)state;
  static const struct {
    uint64_t seed, first;
    int64_t row;
    bool training;
    uint64_t latent;
  } keys[] = {{1, 2, 3, true, 0}, {9, 2, 3, true, 0},  {1, 9, 3, true, 0},
              {1, 2, 9, true, 0}, {1, 2, 3, false, 0}, {1, 2, 3, true, 1}};
  enum { KEYS = sizeof keys / sizeof *keys };
  double start[KEYS][2], behind[KEYS][2];
  for (int i = 0; i < KEYS; i++) {
    const trm__noise key = {keys[i].seed, keys[i].first, keys[i].row};
    const trm__draws of_start = trm__draws_start(keys[i].training, keys[i].latent),
                     of_update = trm__draws_behind(keys[i].training, keys[i].latent);
    trm__jitter_cut(&key, &of_start, 4, start[i]);
    trm__jitter(&key, &of_update, 4, behind[i]);
    for (int j = 0; j < i; j++)
      assert_true(start[i][0] != start[j][0] && start[i][1] != start[j][1] &&
                  behind[i][0] != behind[j][0] && start[i][0] != behind[j][0]);
  }
}

/* --- the same bits --------------------------------------------------------------------------- */

enum { UPDATES = 6 };
static void go_on(trm_trainer *t, int updates) {
  for (int i = 0; i < updates; i++) (void)small_update(t);
}

/* With experts, which go over the rows twice, and with a continue loss, which looks ahead. */
static trm_model_config variant(int which) {
  trm_model_config c = drawing(which == 2 ? HRM : which == 0 ? MIXER : ATTENTION);
  if (which == 1) c.moe = (trm_moe){TRM_ROUTER_SWITCH, 2};
  c.no_ACT_continue = which != 2;
  return c;
}
enum { VARIANTS = 3 };

static void updates_do_not_depend_on_the_split(void **state) {
  for (int which = 0; which < VARIANTS; which++) {
    const trm_model_config mc = variant(which);
    trm_model *m = small_model(&mc, 5);
    trm_trainer *first = NULL;
    for (int threads = 1; threads <= 3; threads++) {
      trm_trainer_config c = small_training(16);
      c.threads = threads;
      c.micro_batch = 3 - threads; /* the last: as the trainer chooses */
      trm_trainer *t = small_trainer(m, &c);
      go_on(t, UPDATES);
      if (first) same_trainers(*state, first, t);
      if (first) trm_trainer_free(t);
      if (!first) first = t;
    }
    trm_trainer_free(first);
    trm_model_free(m);
  }
}

static void a_state_goes_on_with_its_draws(void **state) {
  trm_error err;
  const trm_model_config mc = variant(0);
  trm_model *m = small_model(&mc, 5);
  trm_trainer_config c = small_training(16);
  trm_trainer *whole = small_trainer(m, &c), *first = small_trainer(m, &c),
              *second = small_trainer(m, &c);
  go_on(whole, UPDATES);
  go_on(first, 2);
  assert_int_equal(trm_trainer_save(first, scratch_path(*state, "half"), &err), TRM_OK);
  assert_int_equal(trm_trainer_load(second, scratch_path(*state, "half"), &err), TRM_OK);
  go_on(second, UPDATES - 2);
  same_trainers(*state, whole, second);

  /* Another seed is another training. */
  c.seed = 1;
  trm_trainer *other = small_trainer(m, &c);
  go_on(other, UPDATES);
  assert_false(same_tensors(trm_trainer_weights(whole), trm_trainer_weights(other)));
  trm_trainer_free(whole);
  trm_trainer_free(first);
  trm_trainer_free(second);
  trm_trainer_free(other);
  trm_model_free(m);
}

/* An evaluation by its seed alone. */
static void evaluations_go_by_their_seed(void **state) {
  const trm_model_config mc = drawing(ATTENTION);
  trm_model *m = small_model(&mc, 5);
  static small_batch b;
  const trm_batch puzzles = small_batch_at(&b, 1);
  const char *dir = scratch_path(*state, "data");
  write_small_data(dir, 9, SMALL_LEN, 7, 3, puzzles.inputs, puzzles.labels, puzzles.puzzle_ids);
  trm_dataset *d = open_small_data(dir);
  trm_eval_report want, got;
  trm_eval_config c = {.batch = 1, .threads = 1};
  assert_int_equal(trm_evaluate(m, d, &c, &want, NULL), TRM_OK);
  c.batch = 5;
  c.threads = 3;
  assert_int_equal(trm_evaluate(m, d, &c, &got, NULL), TRM_OK);
  assert_memory_equal(&got, &want, sizeof got);
  c.think.seed = 1;
  assert_int_equal(trm_evaluate(m, d, &c, &got, NULL), TRM_OK);
  assert_true(got.lm_loss != want.lm_loss);
  trm_dataset_free(d);
  trm_model_free(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(answers_are_as_computed_elsewhere),
      cmocka_unit_test(updates_are_as_computed_elsewhere),
      cmocka_unit_test(starts_are_cut_normals),
      cmocka_unit_test(every_number_of_a_key_counts),
      cmocka_unit_test(updates_do_not_depend_on_the_split),
      cmocka_unit_test(a_state_goes_on_with_its_draws),
      cmocka_unit_test(evaluations_go_by_their_seed),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
