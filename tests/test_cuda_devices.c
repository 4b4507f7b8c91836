/* Which GPU the CUDA plug-in takes, what it says of one that it cannot use, and several at once.
 * Runs where test_cuda.c does. */
#include "gpu_trainer.h"
#include "small_data.h"
#include "trm/bench.h"

static void needs_emulation(void) {
  if (!emulated) {
    print_message("skipped: a GPU does not fail, or multiply, on demand\n");
    skip();
  }
}

/* ---- several devices ---- */

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

  const struct CMUnitTest tests[] = {
      cmocka_unit_test(two_devices_take_turns),
      cmocka_unit_test(looking_around_harms_nobody),
      cmocka_unit_test(devices_that_do_not_fit_are_refused),
      cmocka_unit_test(automatic_choice_falls_back_to_the_cpu),
      cmocka_unit_test(kernels_are_those_of_the_device),
      cmocka_unit_test(evaluations_stay_on_their_device),
      cmocka_unit_test(missing_plugin_is_named),
      cmocka_unit_test(dying_device_is_an_error),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
