/* The CUDA plug-in under the trainer and the solver, against the CPU. Runs on a GPU, or on the
 * emulation of tests/hostcuda; TRM_PLUGINS says where the plug-in is. Without a device it is
 * skipped by name. */
#include <math.h>

#include "gpu_trainer.h"
#include "train/trainer.h"

enum { UPDATES = 6 };

static double difference(int64_t n, const float *a, const float *b) {
  double diff = 0, norm = 0;
  for (int64_t i = 0; i < n; i++) {
    diff += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    norm += (double)b[i] * (double)b[i];
  }
  return sqrt(diff / fmax(norm, 1e-30));
}

static void assert_near(const char *what, double got, double want, double tolerance) {
  if (!(fabs(got - want) <= tolerance * fmax(fabs(want), 1e-3)))
    fail_msg("%s: %.9g, not %.9g", what, got, want);
}

/* Weights of the same model; tensors that are near zero are compared with the others' size. */
static void same_weights(const trm_model *a, const trm_model *b, double tolerance) {
  for (int i = 0; i < trm_model_tensor_count(a); i++) {
    const trm_tensor x = trm_model_tensor_at(a, i), y = trm_model_tensor_at(b, i);
    const double d = difference(x.count, x.data, y.data);
    if (!(d <= tolerance)) fail_msg("%s differs by %.3g", x.name, d);
  }
}

/* ---- training ---- */

static void trains_as_the_cpu(const trm_model_config *mc, trm_trainer_config c, double tolerance) {
  /* The same model on both, the CPU's micro-batch its own choice. */
  trm_trainer *here, *there;
  trm_error err;
  c.device = gpu;
  there = trainer_of(mc, &c);
  c.device = (trm_device){0};
  c.micro_batch = 0;
  here = trainer_of(mc, &c);

  /* Losses and gradients are near; what is decided by them is the same. */
  for (int i = 0; i < UPDATES; i++) {
    const trm_metrics a = small_update(there), b = small_update(here);
    assert_near("loss", a.loss, b.loss, tolerance);
    assert_near("the gradient's norm", a.grad_norm, b.grad_norm, 30 * tolerance);
    assert_near("the auxiliary loss", a.aux_loss, b.aux_loss, tolerance);
    assert_near("the constraint loss", a.constraint_loss, b.constraint_loss, tolerance);
    assert_near("the least load", a.expert_load_min, b.expert_load_min, tolerance);
    assert_near("the largest load", a.expert_load_max, b.expert_load_max, tolerance);
    assert_true(a.count == b.count && a.steps == b.steps && a.lr == b.lr);
    assert_near("the residual", a.residual, b.residual, 30 * tolerance);
    assert_true(a.solver_iterations == b.solver_iterations);
    assert_memory_equal(trm_trainer_halted(there), trm_trainer_halted(here), ROWS);
    assert_memory_equal(trm_trainer_steps_taken(there), trm_trainer_steps_taken(here),
                        ROWS * sizeof(int32_t));
  }

  /* So are weights and their average in the end. */
  assert_int_equal(trm_trainer_sync(there, &err), TRM_OK);
  same_weights(trm_trainer_weights(there), trm_trainer_weights(here), 30 * tolerance);
  same_weights(trm_trainer_ema(there), trm_trainer_ema(here), 30 * tolerance);
  trm_trainer_free(here);
  trm_trainer_free(there);
}

/* In float32 the paths are the same but for the order of sums. q is set far from 0, so that no
 * rounding decides about halting. */
static void float32_trains_as_the_cpu(void **state) {
  (void)state;
  for (int which = 0; which < N_MODELS; which++) {
    const trm_model_config mc = model_config(which);
    trains_as_the_cpu(&mc, training(gpu), 1e-4);
  }
}
static void options_train_as_on_the_cpu(void **state) {
  (void)state;
  trm_model_config mc = model_config(MIXER);
  trm_trainer_config c = training(gpu);
  c.optimizer = TRM_OPT_ADAMW;
  c.ema_rate = 0;
  c.micro_batch = 3;
  trains_as_the_cpu(&mc, c, 1e-4);
  c.freeze_weights = true;
  mc.puzzle_emb_len = 0;
  trains_as_the_cpu(&mc, c, 1e-4);
  mc.puzzle_emb_ndim = 0;
  mc.loss = TRM_LOSS_SOFTMAX;
  trains_as_the_cpu(&mc, training(gpu), 1e-4);
  mc.label_smoothing = 0.1;
  trains_as_the_cpu(&mc, training(gpu), 1e-4);

  /* Stages of a curriculum are different programs. */
  c = training(gpu);
  if (trm_trainer_config_set(&c, "curriculum", "[7%:T1n1,14%:T1n2]", NULL) != TRM_OK) fail();
  mc = model_config(MIXER);
  trains_as_the_cpu(&mc, c, 1e-4);

  /* Tables of the cells' rows and columns, and registers before a puzzle embedding. */
  mc = model_config(ATTENTION);
  mc.puzzle =
      (trm_puzzle){.kind = TRM_PUZZLE_GRID, .rows = 2, .cols = 3, .vocabulary = "a\0b\0c\0d\0e\0f"};
  mc.grid_tables = true;
  mc.registers = 2;
  trains_as_the_cpu(&mc, training(gpu), 1e-4);

  /* Of mazes open cells alone, each at its place, by the row's own length. */
  trm_model_config maze = model_config(ATTENTION);
  maze.puzzle = (trm_puzzle){.kind = TRM_PUZZLE_GRID,
                             .rows = 2,
                             .cols = 3,
                             .rules = "maze",
                             .vocabulary = "#\0 \0S\0G\0o\0x"};
  maze.open_cells = true;
  maze.pos_encodings = TRM_POS_ROPE2D;
  trains_as_the_cpu(&maze, training(gpu), 1e-4);
  maze.pos_encodings = TRM_POS_LEARNED;
  maze.grid_tables = maze.feedback = true;
  maze.registers = 1;
  trains_as_the_cpu(&maze, training(gpu), 1e-4);

  /* Held to the rules. */
  snprintf(mc.puzzle.rules, sizeof mc.puzzle.rules, "latin");
  mc.constraint_weight = 3;
  trains_as_the_cpu(&mc, training(gpu), 1e-4);

  /* Weights of steps, of the rules and of q, too. */
  mc.step_decay = 0.7;
  mc.step_decay_q = true;
  trains_as_the_cpu(&mc, training(gpu), 1e-4);
  mc.step_decay_q = false;

  /* Each step sees the answer before, corrupted here and there. */
  snprintf(mc.puzzle.vocabulary, sizeof mc.puzzle.vocabulary, ".");
  mc.feedback = true;
  mc.feedback_corrupt_cells = 0.4;
  trains_as_the_cpu(&mc, training(gpu), 1e-4);

  /* Random starts, damping and noise, in several tiles and through a continue loss. */
  mc = model_config(ATTENTION);
  mc.start_std = 1;
  mc.damping = 0.05;
  mc.update_noise = 0.1;
  trains_as_the_cpu(&mc, training(gpu), 1e-4);
  mc.no_ACT_continue = false;
  c = training(gpu);
  c.micro_batch = 3;
  trains_as_the_cpu(&mc, c, 1e-4);

  /* A table that is tied, in one tile and in several, and latents that learn where to start. */
  mc = model_config(TIED);
  trains_as_the_cpu(&mc, training(gpu), 1e-4);
  c = training(gpu);
  c.micro_batch = 3;
  trains_as_the_cpu(&mc, c, 1e-4);
}
/* Matrices that are tall, wide and of single heads. */
static void muon_trains_as_on_the_cpu(void **state) {
  (void)state;
  for (int which = 0; which < N_MODELS; which++) {
    trm_model_config mc = model_config(which);
    trm_trainer_config c = training(gpu);
    mc.q_weight = 0.05;
    c.optimizer = TRM_OPT_MUON;
    c.muon_per_head = which != HRM;
    c.grad_clip = which == HRM ? 0 : 0.5; /* with and without a bound that is met */
    c.lr_schedule = TRM_LR_LINEAR;
    trains_as_the_cpu(&mc, c, 1e-4);
  }
}
/* Both routers, over the channels and the positions, with the same noise; a tile is not the batch.
 */
static void experts_train_as_on_the_cpu(void **state) {
  (void)state;
  for (int which = MIXER; which <= ATTENTION; which++) {
    trm_model_config mc = model_config(which);
    trm_trainer_config c = training(gpu);
    c.micro_batch = 3;
    mc.moe_aux_weight = 0.5;
    mc.moe = (trm_moe){TRM_ROUTER_NOISY_TOP2, 5};
    if (mc.mlp_t) mc.moe_t = (trm_moe){TRM_ROUTER_SWITCH, 3};
    trains_as_the_cpu(&mc, c, 1e-4);
    mc.moe = (trm_moe){TRM_ROUTER_SWITCH, 2};
    if (mc.mlp_t) mc.moe_t = (trm_moe){TRM_ROUTER_NOISY_TOP2, 4};
    trains_as_the_cpu(&mc, c, 1e-4);
  }
}
/* The GPU takes all iterations, in which rows that are done stay as they are. */
static void solved_steps_train_as_on_the_cpu(void **state) {
  (void)state;
  static const struct {
    trm_recursion solver;
    trm_solver_grad grad;
    double tau;
  } ways[] = {{TRM_RECURSION_FIXED_POINT, {TRM_SOLVER_GRAD_ONE_STEP, 0}, 1},
              {TRM_RECURSION_ANDERSON, {TRM_SOLVER_GRAD_IMPLICIT, 0}, 1},
              {TRM_RECURSION_BROYDEN, {TRM_SOLVER_GRAD_PHANTOM, 2}, 0.5}};
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    trm_model_config mc = model_config(i % 2 ? MIXER : ATTENTION);
    mc.solver = ways[i].solver;
    mc.solver_grad = ways[i].grad;
    mc.solver_tau = ways[i].tau;
    mc.solver_iterations = 5;
    mc.solver_tolerance = 0.22;
    trains_as_the_cpu(&mc, training(gpu), 1e-4);
  }
}
static void bfloat16_trains_near_the_cpu(void **state) {
  (void)state;
  for (int which = 0; which < N_MODELS; which++) {
    trm_model_config mc = model_config(which);
    mc.forward_dtype = TRM_BFLOAT16;
    trains_as_the_cpu(&mc, training(gpu), 2e-2);
  }
}

/* In bfloat16 a GPU has a kernel of its own for up to 128 positions, on Hopper another one from 65
 * positions on; what is longer goes by products. */
static void mixers_of_any_length_train_near_the_cpu(void **state) {
  /* A length for each of the ways, with widths that suit it. */
  (void)state;
  enum { B = 2, MOST = 140 };
  const int lengths[] = {80, MOST}, widths[] = {64, 16};
  int32_t inputs[B * MOST], ids[B] = {0, 1};
  for (int i = 0; i < B * MOST; i++) inputs[i] = i * 5 % 7;

  /* Both formats of each. */
  for (int which = 0; which < 4; which++) {
    const int format = which % 2;
    double loss[2];
    trm_model_config mc = small_config(TRM_ARCH_TRM, lengths[which / 2]);
    mc.hidden_size = widths[which / 2];
    mc.mlp_t = true;
    mc.pos_encodings = TRM_POS_NONE;
    mc.halt_exploration_prob = 0;
    mc.forward_dtype = format ? TRM_BFLOAT16 : TRM_FLOAT32;

    /* Three updates on each device. */
    for (int on_gpu = 0; on_gpu < 2; on_gpu++) {
      trm_trainer_config c = training(on_gpu ? gpu : (trm_device){0});
      trm_metrics m;
      trm_error err;
      c.batch_size = B;
      trm_trainer *t = trainer_of(&mc, &c);
      for (int i = 0; i < 3; i++)
        assert_int_equal(trm_trainer_step(t, &(trm_batch){inputs, inputs, ids}, &m, &err), TRM_OK);
      loss[on_gpu] = m.loss;
      trm_trainer_free(t);
    }

    assert_near("loss", loss[1], loss[0], format ? 2e-2 : 1e-4);
  }
}

/* ---- states ---- */

static void state_goes_on_bit_for_bit(void **state) {
  /* In both formats. */
  scratch *s = *state;
  trm_error err;
  for (int format = 0; format < 2; format++) {
    /* One that goes straight on, one that stops, and one with another past. */
    trm_model_config mc = model_config(ATTENTION);
    mc.forward_dtype = format ? TRM_BFLOAT16 : TRM_FLOAT32;
    const trm_trainer_config c = training(gpu);
    trm_trainer *straight = trainer_of(&mc, &c), *first = trainer_of(&mc, &c);
    trm_model *other = small_model(&mc, 77);
    trm_trainer *second = small_trainer(other, &c);
    trm_model_free(other);

    /* The third takes over from the second. */
    for (int i = 0; i < 9; i++) (void)small_update(straight);
    for (int i = 0; i < 4; i++) (void)small_update(first);
    assert_int_equal(trm_trainer_save(first, scratch_path(s, "half"), &err), TRM_OK);
    (void)small_update(second);
    if (trm_trainer_load(second, scratch_path(s, "half"), &err) != TRM_OK) fail_msg("%s", err.msg);
    assert_memory_equal(trm_trainer_steps_taken(second), trm_trainer_steps_taken(first),
                        ROWS * sizeof(int32_t));

    /* Its end is that of the first, in every bit. */
    for (int i = 0; i < 5; i++) (void)small_update(second);
    assert_int_equal(trm_trainer_sync(second, &err), TRM_OK);
    assert_int_equal(trm_trainer_sync(straight, &err), TRM_OK);
    same_weights(trm_trainer_weights(second), trm_trainer_weights(straight), 0);
    same_trainers(s, straight, second);
    trm_trainer_free(straight);
    trm_trainer_free(first);
    trm_trainer_free(second);
  }
}

static bool is_mlp(const trm__slot *s) {
  return strstr(s->name, ".mlp.");
}
static trm_status only_look(void *arg, trm__backend *be, const trm__update *u, trm_error *err) {
  real first;
  be->ops->get(be, &first, u->grads, sizeof first);
  ++*(int *)arg;
  return isfinite(first) ? TRM_OK : trm__fail(err, TRM_E_NUMERIC, -1, "no sum to look at");
}

/* Two groups of one rule, and a host that looks at the sum: two programs, and the same bits. */
static void groups_and_the_host_change_no_bit(void **state) {
  /* A group for the layers that mix channels, and one for the rest, of the same rule and rates. */
  (void)state;
  trm_model_config mc = model_config(ATTENTION);
  mc.L_layers = 2;
  const trm_trainer_config c = training(gpu);
  trm_model *m = small_model(&mc, 5);
  trm__group_spec own[TRM__MAX_GROUPS];
  assert_int_equal(trm__group_specs(&c, own), 2);
  trm__group_spec specs[] = {own[0], own[0], own[1]};
  specs[0].takes = is_mlp;

  /* One trainer as usual, one with the groups and a host that looks. */
  trm_trainer *one = small_trainer(m, &c), *two;
  trm_error err;
  int looks = 0;
  if (trm__trainer_create(m, &c, specs, 3, &two, &err) != TRM_OK) fail_msg("%s", err.msg);
  two->between = only_look;
  two->between_arg = &looks;

  /* It looks at each update. */
  for (int i = 0; i < UPDATES; i++) {
    small_update(one);
    small_update(two);
  }
  assert_int_equal(looks, UPDATES);

  /* No bit of the weights differs. */
  assert_int_equal(trm_trainer_sync(one, NULL), TRM_OK);
  assert_int_equal(trm_trainer_sync(two, NULL), TRM_OK);
  same_weights(trm_trainer_weights(one), trm_trainer_weights(two), 1e-30);
  same_weights(trm_trainer_ema(one), trm_trainer_ema(two), 1e-30);

  trm_trainer_free(one);
  trm_trainer_free(two);
  trm_model_free(m);
}

/* From one device to the other and back nothing changes, in float32; then both go on alike. */
static void state_moves_between_devices(void **state) {
  /* A trainer on each device. */
  scratch *s = *state;
  trm_error err;
  const trm_model_config mc = model_config(MIXER);
  const trm_trainer_config on_gpu = training(gpu), on_cpu = training((trm_device){0});
  trm_trainer *there = trainer_of(&mc, &on_gpu), *here = trainer_of(&mc, &on_cpu);

  /* The state of the GPU's is loaded on the CPU: it is the same file again. */
  for (int i = 0; i < 5; i++) (void)small_update(there);
  assert_int_equal(trm_trainer_save(there, scratch_path(s, "moved"), &err), TRM_OK);
  if (trm_trainer_load(here, scratch_path(s, "moved"), &err) != TRM_OK) fail_msg("%s", err.msg);
  same_trainers(s, there, here);

  /* The next update is near on both. */
  const trm_metrics a = small_update(there), b = small_update(here);
  assert_near("loss", a.loss, b.loss, 1e-4);

  /* The way back is as whole. */
  assert_int_equal(trm_trainer_save(here, scratch_path(s, "back"), &err), TRM_OK);
  assert_int_equal(trm_trainer_load(there, scratch_path(s, "back"), &err), TRM_OK);
  same_trainers(s, there, here);
  trm_trainer_free(there);
  trm_trainer_free(here);
}

static void weights_that_are_not_finite_are_named(void **state) {
  (void)state;
  static small_batch b;
  const trm_model_config mc = model_config(MIXER);
  const trm_trainer_config c = training(gpu);
  trm_model *m = small_model(&mc, 5);
  trm_tensor w = trm_model_tensor_named(m, "lm_head.weight");
  trm_error err;
  w.data[3] = NAN;
  trm_trainer *t = small_trainer(m, &c);
  const trm_batch fresh = small_batch_at(&b, 0);
  assert_int_equal(trm_trainer_step(t, &fresh, NULL, &err), TRM_E_NUMERIC);
  assert_non_null(strstr(err.msg, "lm_head.weight"));
  assert_int_equal(trm_trainer_updates(t), 0);
  trm_tensor now = trm_model_tensor_named((trm_model *)(void *)trm_trainer_weights(t),
                                          "embed_tokens.embedding_weight");
  trm_tensor before = trm_model_tensor_named(m, "embed_tokens.embedding_weight");
  assert_memory_equal(now.data, before.data, (size_t)now.count * sizeof *now.data);
  trm_trainer_free(t);
  trm_model_free(m);
}

/* ---- solving ---- */

static void solves_as_the_cpu(void **state) {
  /* Puzzles that leave and come between steps. */
  (void)state;
  enum { BATCH = 5, STEPS = 3 };
  static small_batch b;
  trm_error err;

  /* Every model, on both devices; every second one with noise, the others draw themselves. */
  const trm_batch puzzles = small_batch_at(&b, 3);
  for (int which = 0; which < N_MODELS; which++) {
    trm_model_config mc = model_config(which);
    if (which % 2 == 0) mc.start_std = mc.update_noise = 0.5;
    if (which % 2 == 0) mc.damping = 0.1;
    trm_model *m = small_model(&mc, 5);
    trm_solver *s[2];
    for (int i = 0; i < 2; i++) {
      const trm_solver_config c = {.batch = BATCH,
                                   .threads = 1,
                                   .device = i ? gpu : (trm_device){0},
                                   .noise = which % 2 ? 0.25 : 0,
                                   .seed = 3};
      if (trm_solver_create(m, &c, &s[i], &err) != TRM_OK) fail_msg("%s", err.msg);
      assert_int_equal(trm_solver_start(s[i], 3, puzzles.inputs, puzzles.puzzle_ids, &err), TRM_OK);

      /* One leaves, three come. */
      for (int k = 0; k < STEPS; k++) assert_int_equal(trm_solver_step(s[i], &err), TRM_OK);
      trm_solver_remove(s[i], 0);
      for (int k = 3; k < 6; k++) {
        assert_int_equal(
            trm_solver_add(s[i], puzzles.inputs + k * SMALL_LEN, puzzles.puzzle_ids[k], &err),
            TRM_OK);
        trm_solver_set_noise_key(s[i], k - 1, UINT64_C(1) << 10 * k);
      }
      for (int k = 0; k < STEPS; k++) assert_int_equal(trm_solver_step(s[i], &err), TRM_OK);
      assert_int_equal(trm_solver_rows(s[i]), BATCH);
    }

    /* What a caller sees is near, and steps are the same. */
    const int64_t n = BATCH * SMALL_LEN * 7;
    assert_true(difference(n, trm_solver_logits(s[1]), trm_solver_logits(s[0])) < 1e-4);
    assert_true(difference(BATCH, trm_solver_q_halt(s[1]), trm_solver_q_halt(s[0])) < 1e-4);
    for (int i = 0; i < trm_solver_latent_count(s[0]); i++)
      assert_true(difference(BATCH * SMALL_LEN * 16, trm_solver_latent(s[1], i, NULL),
                             trm_solver_latent(s[0], i, NULL)) < 1e-4);
    assert_memory_equal(trm_solver_steps_taken(s[1]), trm_solver_steps_taken(s[0]),
                        BATCH * sizeof(int32_t));

    /* Every latent reads as it does on the CPU, also when the program is recorded, the second time;
     * that of the answer is the answer, to the bit. */
    for (int i = 0; i < trm_solver_latent_count(s[0]); i++) {
      static float decoded[2][BATCH * SMALL_LEN * 7];
      static int32_t tokens[BATCH * SMALL_LEN];
      for (int k = 0; k < 4; k++)
        assert_int_equal(trm_solver_decode_latent(s[k / 2], i, tokens, decoded[k / 2], &err),
                         TRM_OK);
      assert_true(difference(n, decoded[1], decoded[0]) < 1e-4);
      if (i != trm_solver_answer_latent(s[1])) continue;
      assert_memory_equal(decoded[1], trm_solver_logits(s[1]), sizeof decoded[1]);
      assert_memory_equal(tokens, trm_solver_answer(s[1]), sizeof tokens);
    }

    /* And the next step is one like any other. */
    for (int i = 0; i < 2; i++) assert_int_equal(trm_solver_step(s[i], &err), TRM_OK);
    assert_true(difference(n, trm_solver_logits(s[1]), trm_solver_logits(s[0])) < 1e-4);

    trm_solver_free(s[0]);
    trm_solver_free(s[1]);
    trm_model_free(m);
  }
}

int main(void) {
  if (!gpu_found(&emulated)) return 77;

  const struct CMUnitTest tests[] = {
      /* training */
      cmocka_unit_test(float32_trains_as_the_cpu),
      cmocka_unit_test(options_train_as_on_the_cpu),
      cmocka_unit_test(muon_trains_as_on_the_cpu),
      cmocka_unit_test(experts_train_as_on_the_cpu),
      cmocka_unit_test(solved_steps_train_as_on_the_cpu),
      cmocka_unit_test(bfloat16_trains_near_the_cpu),
      cmocka_unit_test(mixers_of_any_length_train_near_the_cpu),

      /* states */
      cmocka_unit_test(state_goes_on_bit_for_bit),
      cmocka_unit_test(groups_and_the_host_change_no_bit),
      cmocka_unit_test(state_moves_between_devices),
      cmocka_unit_test(weights_that_are_not_finite_are_named),

      /* solving */
      cmocka_unit_test(solves_as_the_cpu),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
