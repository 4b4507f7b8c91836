/* The program on a GPU as a user runs it: a run that moves between devices, and what is said where
 * there is none. On a GPU, or on the emulation of tests/hostcuda. */
#include <math.h>

#include "gpu.h"
#include "launch.h"

/* A model that an emulated device trains in seconds. */
#define TINY                                                                                       \
  "preset=sudoku4", "arch.hidden_size=16", "arch.num_heads=2", "arch.L_layers=1",                  \
      "arch.forward_dtype=float32", "arch.H_cycles=1", "arch.L_cycles=1", "arch.halt_max_steps=2", \
      "lr_warmup_steps=1", "global_batch_size=4", "epochs=40", "eval_interval=null",               \
      "eval_limit=8"

static char data[160], runs[160], run[200], setting[2][200];

static void make_data(scratch *s) {
  snprintf(data, sizeof data, "%s/data", s->dir);
  snprintf(runs, sizeof runs, "%s/runs", s->dir);
  snprintf(run, sizeof run, "%s/p/r", runs);
  snprintf(setting[0], sizeof setting[0], "data_paths=[%s]", data);
  snprintf(setting[1], sizeof setting[1], "out=%s", runs);
  want(RUN("data", "gen", "sudoku", "--size", "4", "--train", "20", "--test", "8", "--output-dir",
           data),
       0);
}

/* The last model of the run `name`, in float32. */
static float *read_weights(const char *name, size_t *n) {
  char path[300];
  size_t size;
  snprintf(path, sizeof path, "%s/p/%s/last/model.safetensors", runs, name);
  unsigned char *bytes = read_bytes(path, &size);
  size_t header = 8;
  for (int i = 0; i < 8; i++) header += (size_t)bytes[i] << 8 * i;
  assert_true(header < size && (size - header) % sizeof(float) == 0);
  *n = (size - header) / sizeof(float);
  float *values = malloc(*n * sizeof *values);
  assert_non_null(values);
  memcpy(values, bytes + header, *n * sizeof *values);
  free(bytes);
  return values;
}
/* The norm of the difference of two runs' models, relative to that of the first. */
static double difference(const char *a, const char *b) {
  size_t n, n_b;
  float *x = read_weights(a, &n), *y = read_weights(b, &n_b);
  double norm = 0, error = 0;
  assert_int_equal(n, n_b);
  for (size_t i = 0; i < n; i++) {
    norm += (double)x[i] * x[i];
    error += ((double)x[i] - y[i]) * ((double)x[i] - y[i]);
  }
  free(x);
  free(y);
  return sqrt(error / norm);
}

/* A run with three more settings. */
static void moves_between_devices(scratch *s, const char *const *more) {
  make_data(s);
  assert_int_equal(trm__remove_tree(runs, NULL), TRM_OK);

  /* What the CPU alone makes of it, after all updates and after some. */
  want(RUN("train", TINY, setting[0], setting[1], more[0], more[1], more[2], "project_name=p",
           "run_name=cpu", "max_updates=7", "device=cpu"),
       0);
  want(RUN("train", TINY, setting[0], setting[1], more[0], more[1], more[2], "project_name=p",
           "run_name=early", "max_updates=5", "device=cpu"),
       0);
  want(RUN("train", TINY, setting[0], setting[1], more[0], more[1], more[2], "project_name=p",
           "run_name=r", "max_updates=3", "device=cuda:0"),
       0);
  says(out_text, "device       cuda:0: ");
  says(out_text, "micro-batches of 4 rows");
  want(RUN("train", "--resume", run, "max_updates=5", "device=cpu"), 0);
  says(out_text, "update 5");
  want(RUN("train", "--resume", run, "max_updates=7", "device=auto"), 0);
  says(out_text, "update 7");
  const double late = difference("cpu", "r"), early = difference("cpu", "early");
  if (!(late < early / 1000)) fail_msg("the runs end %g apart, two updates make %g", late, early);
  want(RUN("eval", run, data, "--device", "cuda", "--json"), 0);
  says(out_text, "\"examples\"");
  want(RUN("solve", run, "--data", data, "--device", "cuda"), 0);
}
static void runs_move_between_devices(void **state) {
  static const char *const usual[] = {"seed=0", "arch.grad=last_cycle", "arch.nets=shared"};
  moves_between_devices(*state, usual);
}
static void variants_move_between_devices(void **state) {
  static const char *const variant[] = {"arch.tie_embeddings=true", "arch.grad=all",
                                        "arch.learned_latents=true"};
  moves_between_devices(*state, variant);
}

/* Batches are built ahead there; a run that stops between loses none and takes none twice. */
static void interrupted_runs_end_in_the_same_bytes(void **state) {
  scratch *s = *state;
  char path[300];
  size_t n[2];
  make_data(s);
  for (int i = 0; i < 2; i++) {
    const char *name = i ? "run_name=halves" : "run_name=whole";
    want(RUN("train", TINY, setting[0], setting[1], "project_name=p", name,
             i ? "max_updates=3" : "max_updates=6", "device=cuda"),
         0);
  }
  snprintf(run, sizeof run, "%s/p/halves", runs);
  want(RUN("train", "--resume", run, "max_updates=6"), 0);
  snprintf(path, sizeof path, "%s/p/whole/last/trainer.safetensors", runs);
  unsigned char *whole = read_bytes(path, &n[0]);
  snprintf(path, sizeof path, "%s/p/halves/last/trainer.safetensors", runs);
  unsigned char *halves = read_bytes(path, &n[1]);
  assert_true(n[0] == n[1] && memcmp(whole, halves, n[0]) == 0);
  free(whole);
  free(halves);
}

static void version_names_the_device(void **state) {
  scratch *s = *state;
  const char *plugins = getenv("TRM_PLUGINS");
  char *kept = plugins ? strdup(plugins) : NULL;
  want(RUN("--version"), 0);
  says(out_text, "GPU: cuda:0, ");
  setenv("TRM_PLUGINS", s->dir, 1);
  want(RUN("--version"), 0);
  says(out_text, "GPU: none: no GPU support: libtrm-cuda.so cannot be loaded");
  /* The loader would map what is missing, and the program die there. */
  char path[300];
  size_t size;
  snprintf(path, sizeof path, "%s/libtrm-cuda.so", kept ? kept : ".");
  unsigned char *bytes = read_bytes(path, &size);
  assert_true(size > 5000);
  snprintf(path, sizeof path, "%s/libtrm-cuda.so", s->dir);
  write_bytes(path, bytes, 5000);
  free(bytes);
  want(RUN("--version"), 0);
  says(out_text, "libtrm-cuda.so is cut off");
  kept ? setenv("TRM_PLUGINS", kept, 1) : unsetenv("TRM_PLUGINS");
  free(kept);
}

static void devices_that_are_not_there_are_named(void **state) {
  scratch *s = *state;
  make_data(s);
  want(RUN("train", TINY, setting[0], setting[1], "device=cuda:99"), 1);
  says(err_text, "cuda:99");
  want(RUN("train", TINY, setting[0], setting[1], "device=gpu"), 2);
  says(err_text, "cpu, auto or cuda:N");
  want(RUN("bench", "ops", "--device", "cuda"), 2);
  says(err_text, "train and infer");
}

int main(void) {
  if (!gpu_found(NULL)) return 77;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(runs_move_between_devices),
      cmocka_unit_test(variants_move_between_devices),
      cmocka_unit_test(interrupted_runs_end_in_the_same_bytes),
      cmocka_unit_test(version_names_the_device),
      cmocka_unit_test(devices_that_are_not_there_are_named),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
