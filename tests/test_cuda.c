/* The CUDA plug-in under the trainer and the solver, against the CPU. Runs on a GPU, or on the
 * emulation of tests/hostcuda; TRM_PLUGINS says where the plug-in is. Without a device it is
 * skipped by name. */
#include <math.h>

#include "gpu.h"
#include "small_data.h"
#include "small_trainer.h"
#include "train/trainer.h"
#include "trm/bench.h"

enum { ROWS = 10, UPDATES = 6 };

static bool emulated;

static trm_trainer_config training(trm_device device) {
  trm_trainer_config c = small_training(ROWS);
  c.device = device;
  c.seed = 9;
  return c;
}

static trm_trainer *trainer_of(const trm_model_config *mc, const trm_trainer_config *c) {
  trm_model *m = small_model(mc, 5);
  trm_trainer *t = small_trainer(m, c);
  trm_model_free(m);
  return t;
}

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
    assert_true(a.count == b.count && a.steps == b.steps && a.lr == b.lr);
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

/* From one device to the other and back nothing changes, in float32; then both go on alike. */
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

/* ---- several devices ---- */

static void needs_emulation(void) {
  if (!emulated) {
    print_message("skipped: a GPU does not fail, or multiply, on demand\n");
    skip();
  }
}

/* Each call is for its trainer's device, whichever the thread used last. */
static void two_devices_take_turns(void **state) {
  /* Two GPUs, which only the emulation has. */
  scratch *s = *state;
  trm_error err;
  trm_model_config mc = model_config(ATTENTION);
  mc.forward_dtype = TRM_BFLOAT16;
  trm_trainer *t[2];

  needs_emulation();
  setenv("HOSTCUDA_DEVICES", "2", 1);
  for (int i = 0; i < 2; i++) {
    const trm_trainer_config c = training((trm_device){TRM_DEVICE_CUDA, i});
    t[i] = trainer_of(&mc, &c);
  }

  /* Updates in turn; both trainers end in the same state. */
  for (int k = 0; k < 3; k++)
    for (int i = 0; i < 2; i++) (void)small_update(t[i]);
  same_trainers(s, t[0], t[1]);

  /* Each loads it, and one can do without the other. */
  for (int i = 0; i < 2; i++)
    if (trm_trainer_load(t[i], s->path, &err) != TRM_OK) fail_msg("%s", err.msg);
  trm_trainer_free(t[0]);
  (void)small_update(t[1]);
  trm_trainer_free(t[1]);
  unsetenv("HOSTCUDA_DEVICES");
}

/* Looking for a device that cannot be used is no failure of one that is in use. */
static void looking_around_harms_nobody(void **state) {
  /* A trainer on a GPU. */
  (void)state;
  char about[160];
  trm_error err;
  needs_emulation();
  const trm_model_config mc = model_config(MIXER);
  const trm_trainer_config c = training(gpu);
  trm_trainer *t = trainer_of(&mc, &c);

  /* No GPU, and no driver, while it is at work: the question fails, the work goes on. */
  for (int devices = -1; devices <= 0; devices++) {
    setenv("HOSTCUDA_DEVICES", devices ? "-1" : "0", 1);
    assert_int_equal(trm_device_describe(gpu, about, sizeof about, &err), TRM_E_SYSTEM);
    unsetenv("HOSTCUDA_DEVICES");
    (void)small_update(t);
  }

  /* Too little memory for a measurement. */
  const trm_bench_shape shape = {.m = 64, .n = 64, .k = 64};
  double flops, bytes;
  setenv("HOSTCUDA_MEMORY", "1000000", 1);
  assert_int_equal(trm_bench_device_rates(gpu, TRM_FLOAT32, &shape, &flops, &bytes, &err),
                   TRM_E_MEMORY);
  unsetenv("HOSTCUDA_MEMORY");
  (void)small_update(t);
  trm_trainer_free(t);
}

/* ---- solving ---- */

static void solves_as_the_cpu(void **state) {
  /* Puzzles that leave and come between steps. */
  (void)state;
  enum { BATCH = 5, STEPS = 3 };
  static small_batch b;
  trm_error err;

  /* Every model, on both devices. */
  const trm_batch puzzles = small_batch_at(&b, 3);
  for (int which = 0; which < N_MODELS; which++) {
    const trm_model_config mc = model_config(which);
    trm_model *m = small_model(&mc, 5);
    trm_solver *s[2];
    for (int i = 0; i < 2; i++) {
      const trm_solver_config c = {
          .batch = BATCH, .threads = 1, .device = i ? gpu : (trm_device){0}};
      if (trm_solver_create(m, &c, &s[i], &err) != TRM_OK) fail_msg("%s", err.msg);
      assert_int_equal(trm_solver_start(s[i], 3, puzzles.inputs, puzzles.puzzle_ids, &err), TRM_OK);

      /* One leaves, three come. */
      for (int k = 0; k < STEPS; k++) assert_int_equal(trm_solver_step(s[i], &err), TRM_OK);
      trm_solver_remove(s[i], 0);
      for (int k = 3; k < 6; k++)
        assert_int_equal(
            trm_solver_add(s[i], puzzles.inputs + k * SMALL_LEN, puzzles.puzzle_ids[k], &err),
            TRM_OK);
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

    trm_solver_free(s[0]);
    trm_solver_free(s[1]);
    trm_model_free(m);
  }
}

/* ---- what cannot be ---- */

static trm_status create_on(trm_device device, const trm_model_config *mc, trm_error *err) {
  trm_trainer_config c = training(device);
  trm_model *m = small_model(mc, 5);
  trm_trainer *t;
  const trm_status st = trm_trainer_create(m, &c, &t, err);
  if (st == TRM_OK) trm_trainer_free(t);
  trm_model_free(m);
  return st;
}

static void refused_with(const char *name, const char *value, trm_status want, const char *why) {
  const trm_model_config mc = model_config(MIXER);
  trm_error err;
  setenv(name, value, 1);
  const trm_status st = create_on(gpu, &mc, &err);
  unsetenv(name);
  if (st != want) fail_msg("%s: %d, not %d: %s", value, (int)st, (int)want, err.msg);
  if (!strstr(err.msg, why)) fail_msg("'%s' does not say '%s'", err.msg, why);
}

static void devices_that_do_not_fit_are_refused(void **state) {
  /* A device that is not there. */
  (void)state;
  trm_error err;
  trm_model_config mc = model_config(MIXER);
  assert_int_equal(create_on((trm_device){TRM_DEVICE_CUDA, 77}, &mc, &err), TRM_E_SYSTEM);
  assert_non_null(strstr(err.msg, "cuda:77"));

  /* Sizes that the kernels do not have. */
  mc.hidden_size = 20;
  assert_int_equal(create_on(gpu, &mc, &err), TRM_E_CONFIG);
  assert_non_null(strstr(err.msg, "multiple of 8"));
  mc = model_config(ATTENTION);
  mc.hidden_size = 272;
  mc.num_heads = 2;
  assert_int_equal(create_on(gpu, &mc, &err), TRM_E_CONFIG);
  assert_non_null(strstr(err.msg, "136 channels"));

  /* Kernels for a GPU that is too old, or of none that there is. */
  refused_with("TRM_CUDA_ARCH", "7.5", TRM_E_CONFIG, "TRM_CUDA_ARCH is 7.5");
  refused_with("TRM_CUDA_ARCH", "99.0", TRM_E_CONFIG, "TRM_CUDA_ARCH is 99.0");
  const char *const no_arch[] = {"8.0x", "8",  " 8.0", "8. 0",
                                 "8.-1", "8.", "-8.0", "99.00000000000"};
  for (size_t i = 0; i < sizeof no_arch / sizeof *no_arch; i++)
    refused_with("TRM_CUDA_ARCH", no_arch[i], TRM_E_CONFIG, "for example 8.0");

  /* What only the emulation can show: no device, no driver, an old GPU, no memory on either
   * side. */
  needs_emulation();
  refused_with("HOSTCUDA_DEVICES", "0", TRM_E_SYSTEM, "no CUDA-capable device");
  refused_with("HOSTCUDA_DEVICES", "-1", TRM_E_SYSTEM, "driver is too old");
  refused_with("TRM_CUDA_ARCH", "9.1", TRM_E_CONFIG, "TRM_CUDA_ARCH is 9.1");
  refused_with("HOSTCUDA_ARCH", "7.5", TRM_E_SYSTEM, "needs 8.0 or newer");
  refused_with("HOSTCUDA_PINNED", "1000", TRM_E_MEMORY, "no memory of the host");
  refused_with("HOSTCUDA_MEMORY", "34000000", TRM_E_MEMORY, "no memory for");
}

static void automatic_choice_falls_back_to_the_cpu(void **state) {
  (void)state;
  trm_error why;
  needs_emulation();
  assert_int_equal(trm_device_resolve((trm_device){TRM_DEVICE_AUTO, 0}, &why).kind,
                   TRM_DEVICE_CUDA);
  setenv("HOSTCUDA_DEVICES", "0", 1);
  const trm_device d = trm_device_resolve((trm_device){TRM_DEVICE_AUTO, 0}, &why);
  unsetenv("HOSTCUDA_DEVICES");
  assert_int_equal(d.kind, TRM_DEVICE_CPU);
  assert_non_null(strstr(why.msg, "no CUDA-capable device"));
}

static bool until_the_first(void *arg, int64_t done, int64_t total) {
  (void)arg;
  (void)total;
  return done == 0;
}
/* Hopper's kernels for Hopper alone, whatever TRM_CUDA_ARCH says. */
static void kernels_are_those_of_the_device(void **state) {
  /* The device, what the user wants, and the kernels that follow. */
  (void)state;
  static const struct {
    const char *device, *wanted, *kernels;
  } cases[] = {{"9.0", "", "cuda 9.0"},     {"9.0", "9.0", "cuda 9.0"}, {"9.0", "8.6", "cuda 8.0"},
               {"8.9", "", "cuda 8.0"},     {"10.0", "", "cuda 8.0"},   {"10.0", "9.0", "cuda 8.0"},
               {"12.0", "10.0", "cuda 8.0"}};

  /* A mixer of a size for which Hopper has kernels of its own. */
  needs_emulation();
  trm_model_config mc = small_config(TRM_ARCH_TRM, 80);
  mc.hidden_size = 64;
  mc.mlp_t = true;
  mc.forward_dtype = TRM_BFLOAT16;
  trm_model *m = small_model(&mc, 5);
  int32_t tokens[80] = {1, 2, 3};

  /* They are named, and they run. */
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    trm_solver *s;
    trm_error err;
    setenv("HOSTCUDA_ARCH", cases[i].device, 1);
    setenv("TRM_CUDA_ARCH", cases[i].wanted, 1);
    if (trm_solver_create(m, &(trm_solver_config){.device = gpu}, &s, &err) != TRM_OK)
      fail_msg("%s", err.msg);
    assert_string_equal(trm_solver_kernels(s), cases[i].kernels);
    assert_int_equal(trm_solver_start(s, 1, tokens, NULL, &err), TRM_OK);
    assert_int_equal(trm_solver_step(s, &err), TRM_OK);
    trm_solver_free(s);
  }

  unsetenv("HOSTCUDA_ARCH");
  unsetenv("TRM_CUDA_ARCH");
  trm_model_free(m);
}

/* Devices round differently, so an evaluation stays where it began. */
static void evaluations_stay_on_their_device(void **state) {
  static trm_eval_report r;

  /* A small data set. */
  enum { N = 8 };
  scratch *s = *state;
  trm_error err;
  const trm_model_config mc = model_config(MIXER);
  int32_t tokens[N * 64], ids[N] = {0};
  assert_true(mc.seq_len <= 64);
  for (int i = 0; i < N * mc.seq_len; i++) tokens[i] = i % mc.vocab_size;
  write_small_data(scratch_path(s, "data"), N, mc.seq_len, mc.vocab_size, mc.num_puzzle_identifiers,
                   tokens, tokens, ids);
  trm_dataset *d = open_small_data(s->path);
  trm_model *m = small_model(&mc, 5);

  /* Begun on a GPU and stopped. */
  trm_eval_config c = {.batch = 2, .device = gpu, .progress = until_the_first};
  char *path = strdup(scratch_path(s, "eval.state"));
  c.state = path;
  assert_int_equal(trm_evaluate(m, d, &c, &r, NULL), TRM_E_INTERRUPTED);

  /* On the CPU it does not go on, nor with other kernels of the GPU. */
  c.progress = NULL;
  c.device = (trm_device){0};
  assert_int_equal(trm_evaluate(m, d, &c, &r, &err), TRM_E_CONFIG);
  assert_non_null(strstr(err.msg, "set of kernels (--device, TRM_ISA, TRM_CUDA_ARCH) was cuda "));
  c.device = gpu;
  if (emulated) {
    setenv("TRM_CUDA_ARCH", "8.0", 1);
    assert_int_equal(trm_evaluate(m, d, &c, &r, &err), TRM_E_CONFIG);
    assert_non_null(strstr(err.msg, "was cuda 9.0, now cuda 8.0"));
    unsetenv("TRM_CUDA_ARCH");
  }

  /* It goes on where it began. */
  assert_int_equal(trm_evaluate(m, d, &c, &r, &err), TRM_OK);

  free(path);
  trm_model_free(m);
  trm_dataset_free(d);
}

static void missing_plugin_is_named(void **state) {
  scratch *s = *state;
  trm_error err;
  char *kept = strdup(getenv("TRM_PLUGINS"));
  setenv("TRM_PLUGINS", s->dir, 1);
  const trm_model_config mc = model_config(MIXER);
  assert_int_equal(create_on(gpu, &mc, &err), TRM_E_SYSTEM);
  assert_non_null(strstr(err.msg, "libtrm-cuda.so"));
  FILE *f = fopen(scratch_path(s, "libtrm-cuda.so"), "w");
  assert_non_null(f);
  fputs("not a library", f);
  fclose(f);
  assert_int_equal(create_on(gpu, &mc, &err), TRM_E_SYSTEM);
  assert_non_null(strstr(err.msg, s->path)); /* with what the loader says */
  setenv("TRM_PLUGINS", kept, 1);
  free(kept);
}

/* The last test: the device stays dead. An update fails with the reason; nothing crashes. */
static void dying_device_is_an_error(void **state) {
  (void)state;
  static small_batch b;
  needs_emulation();
  const trm_model_config mc = model_config(MIXER);
  const trm_trainer_config c = training(gpu);
  trm_trainer *t = trainer_of(&mc, &c);
  trm_error err;
  (void)small_update(t);
  const trm_batch fresh = small_batch_at(&b, 1);
  setenv("HOSTCUDA_FAIL_AFTER", "1", 1);
  assert_int_equal(trm_trainer_step(t, &fresh, NULL, &err), TRM_E_SYSTEM);
  assert_non_null(strstr(err.msg, "unspecified launch failure"));
  assert_int_equal(trm_trainer_updates(t), 1);
  assert_int_equal(trm_trainer_sync(t, &err), TRM_E_SYSTEM);
  assert_int_equal(trm_trainer_save(t, "/nowhere", &err), TRM_E_SYSTEM);
  trm_trainer_free(t);
}

int main(void) {
  if (!gpu_found(&emulated)) return 77;

  /* training */
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(float32_trains_as_the_cpu),
      cmocka_unit_test(options_train_as_on_the_cpu),
      cmocka_unit_test(bfloat16_trains_near_the_cpu),
      cmocka_unit_test(mixers_of_any_length_train_near_the_cpu),
      cmocka_unit_test(state_goes_on_bit_for_bit),
      cmocka_unit_test(groups_and_the_host_change_no_bit),
      cmocka_unit_test(state_moves_between_devices),

      /* devices in turn */
      cmocka_unit_test(weights_that_are_not_finite_are_named),
      cmocka_unit_test(two_devices_take_turns),
      cmocka_unit_test(looking_around_harms_nobody),
      cmocka_unit_test(solves_as_the_cpu),

      /* which device, and where it fails */
      cmocka_unit_test(devices_that_do_not_fit_are_refused),
      cmocka_unit_test(automatic_choice_falls_back_to_the_cpu),
      cmocka_unit_test(kernels_are_those_of_the_device),
      cmocka_unit_test(evaluations_stay_on_their_device),
      cmocka_unit_test(missing_plugin_is_named),
      cmocka_unit_test(dying_device_is_an_error),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
