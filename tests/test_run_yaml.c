/* The run configuration as YAML: files of today, of earlier releases and of the reference, the way
 * back, and hostile ones. */
#include "base/memory.h"
#include "config_texts.h"

/* A configuration that an earlier release wrote, its keys in another order. */
static void test_earlier_file(void **state) {
  (void)state;

  /* Keys that an older release had, in its order and its notation. */
  static const char text[] =
      "preset: null\narch:\n  name: hrm\n  loss:\n    name: losses@ACTLossHead\n"
      "    loss_type: stablemax_cross_entropy\n  halt_exploration_prob: 0.1\n"
      "  halt_max_steps: 16\n  H_cycles: 2\n  L_cycles: 2\n  H_layers: 4\n  L_layers: 4\n"
      "  hidden_size: 16\n  num_heads: 2\n  expansion: 4.0\n  puzzle_emb_ndim: 16\n"
      "  pos_encodings: rope\n  forward_dtype: bfloat16\n  mlp_t: false\n  puzzle_emb_len: 1\n"
      "  no_ACT_continue: false\n  rope_theta: 1.0e+04\n  rms_norm_eps: 1.0e-05\n"
      "data_paths: [d]\nepochs: 100000\nglobal_batch_size: 4\nlr: 0.0001\nseed: 7\nema: true\n"
      "ema_rate: 0.999\noptimizer: adam_atan2\ndevice: auto\nthreads: 1\nmemory_budget: 0\n"
      "micro_batch: 0\nmax_updates: 3\neval_limit: null\nlog_seconds: 3.0e+01\nout: runs\n";

  /* It is the configuration that is written today in other words. */
  trm__run_config c, same;
  trm_error err;
  const char *key;
  if (load_yaml(&c, text, &err) != TRM_OK) fail_msg("%s", err.msg);
  assert_int_equal(load(&same, &err, "arch=hrm", "arch.hidden_size=16", "arch.num_heads=2",
                        "arch.puzzle_emb_len=1", "data_paths=[d]", "global_batch_size=4", "seed=7",
                        "ema=True", NULL),
                   TRM_OK);
  assert_int_equal(trm__run_config_compare(&c, &same, &key, &err), TRM_OK);
  assert_null(key); /* max_updates and threads may change */

  /* A key that may not change is named. */
  same.trainer.beta2 = 0.5;
  assert_int_equal(trm__run_config_compare(&c, &same, &key, &err), TRM_OK);
  assert_string_equal(key, "beta2");
  trm__run_config_free(&c);
  trm__run_config_free(&same);

  /* Which keys may. */
  assert_true(trm__run_config_may_change("threads", 7) &&
              trm__run_config_may_change("epochs=3", 6));
  assert_false(trm__run_config_may_change("thread", 6) || trm__run_config_may_change("lr", 2) ||
               trm__run_config_may_change("lrr", 3));
}

static char *print(const trm__run_config *c) {
  char *text;
  assert_int_equal(trm__run_config_text(c, false, &text, NULL), TRM_OK);
  return text;
}

static void check_round_trip(trm__run_config *c) {
  trm__run_config back;
  trm_error err;
  char *text = print(c);
  if (load_yaml(&back, text, &err) != TRM_OK) fail_msg("%s\n%s", err.msg, text);
  char *again = print(&back);
  assert_string_equal(text, again);
  trm__run_config_free(&back);
  trm__free(text);
  trm__free(again);
  trm__run_config_free(c);
}

static void test_round_trip(void **state) {
  (void)state;
  trm__run_config c;
  trm_error err;

  /* The default, and texts that YAML would take for something else. */
  assert_int_equal(load(&c, &err, NULL), TRM_OK);
  check_round_trip(&c);
  assert_int_equal(
      load(&c, &err, "preset=sudoku6", "arch.hidden_size=128", "arch.puzzle_emb_ndim=64",
           "data_paths=[null,'',\"it's\", a: b,'#c', 12, -, \\]", "run_name='true'",
           "project_name=1e-4", "load_checkpoint=@a", "lr=0.1234567890123456",
           "seed=18446744073709551615", "out=tab\there", "checkpoint_path='say \"x\"'",
           "epochs=999999999999", NULL),
      TRM_OK);
  assert_int_equal(c.data_paths.n, 8);
  check_round_trip(&c);

  /* Characters of two, three and four bytes, and those that YAML takes for line ends or refuses. */
  assert_int_equal(load(&c, &err, "data_paths=[\u00e9, \u20ac, \U0001f600]",
                        "out=a\xc2\x85"
                        "b\u2028"
                        "c\ufeff"
                        "d\xc2\x80"
                        "e\xef\xbf\xbe",
                        NULL),
                   TRM_OK);
  check_round_trip(&c);

  /* What is no UTF-8 has no way into a file. */
  static const char *const broken[] = {
      "out=\xa0",    "out=\xc3", "out=\xc0\x80", "out=\xed\xa0\x80", "out=\xf4\x90\x80\x80",
      "out=\xe2\x82"};
  for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
    assert_int_equal(load(&c, &err, broken[i], NULL), TRM_E_CONFIG);
    assert_non_null(strstr(err.msg, "UTF-8"));
  }

  /* Every architecture. */
  for (int arch = 0; arch <= TRM_ARCH_TRANSFORMER; arch++) {
    char override[64];
    snprintf(override, sizeof override, "arch=%s", trm_arch_name((trm_arch)arch));
    assert_int_equal(
        load(&c, &err, override, "arch.H_cycles=7", "arch.forward_dtype=float32", NULL), TRM_OK);
    assert_int_equal(c.model.arch, arch);
    assert_int_equal(c.model.forward_dtype, TRM_FLOAT32);
    check_round_trip(&c);
  }
}

static void test_yaml(void **state) {
  (void)state;

  /* Nothing, and a file of the reference with what it has for Hydra. */
  trm__run_config c;
  trm_error err;
  assert_int_equal(load_yaml(&c, "", &err), TRM_OK);
  trm__run_config_free(&c);
  assert_int_equal(load_yaml(&c,
                             "# a run\ndefaults:\n  - arch: hrm\n  - _self_\nhydra:\n"
                             "  output_subdir: null\nlr: 0.5\narch:\n  hidden_size: 128\n"
                             "  loss: {loss_type: softmax_cross_entropy}\n"
                             "  puzzle_emb_ndim: ${.hidden_size}\ndata_paths: [a, 'b']\n"
                             "evaluators:\n  - name: arc@ARC\n",
                             &err),
                   TRM_OK);

  /* Our keys are taken, the others are passed over. */
  assert_int_equal(c.model.arch, TRM_ARCH_HRM);
  assert_int_equal(c.model.loss, TRM_LOSS_SOFTMAX);
  assert_int_equal(c.model.puzzle_emb_ndim, 128);
  assert_int_equal(c.data_paths.n, 2);
  assert_int_equal(c.evaluators.n, 1);
  assert_true(c.trainer.lr == 0.5);
  trm__run_config_free(&c);
}

static void test_layers(void **state) {
  (void)state;
  char path[96];
  const char *overrides[] = {"lr=3"};
  trm__run_config c;
  trm_error err;
  snprintf(path, sizeof path, "%s/layers.yaml", folder);
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  fputs("preset: sudoku6\nlr: 2\nweight_decay: 2\n", f);
  assert_int_equal(fclose(f), 0);
  assert_int_equal(trm__run_config_load(&c, path, overrides, 1, &err), TRM_OK);
  unlink(path);
  assert_true(c.trainer.lr == 3 && c.trainer.weight_decay == 2);
  assert_int_equal(c.trainer.batch_size, 32);
  trm__run_config_free(&c);
}

/* As PyYAML writes one list that two keys have, and what more YAML allows. */
static void test_anchors(void **state) {
  (void)state;
  trm__run_config c;
  trm_error err;
  assert_int_equal(load_yaml(&c,
                             "data_paths: &id001\n- a\n- b\ndata_paths_test: *id001\n"
                             "lr: &x 0.5\nbeta1: *x\n&k beta2: &x 0.25\nweight_decay: *x\n"
                             "arch: {loss: &l {loss_type: softmax_cross_entropy}, name: trm}\n",
                             &err),
                   TRM_OK);
  assert_int_equal(c.data_paths_test.n, 2);
  assert_string_equal(c.data_paths_test.v[1], "b");
  assert_true(c.trainer.lr == 0.5 && c.trainer.beta1 == 0.5);
  assert_true(c.trainer.beta2 == 0.25 && c.trainer.weight_decay == 0.25); /* the last of a name */
  assert_int_equal(c.model.loss, TRM_LOSS_SOFTMAX);
  trm__run_config_free(&c);
  yaml_refused("lr: *x\n", "run.yaml:1:5: no anchor before it has the name of the alias x");
  yaml_refused("lr: *x\nbeta1: &x 1\n", "no anchor before it");
  yaml_refused("hydra: &a [*a]\n", "an alias inside of what it stands for: a");
  yaml_refused("hydra: &a {b: {c: *a}}\n", "an alias inside of what it stands for: a");

  /* Each list is ten of the one before: 10^4 texts by few bytes. */
  char bomb[600] = "hydra:\n- &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 4; i++) {
    size_t n = strlen(bomb);
    n += (size_t)snprintf(bomb + n, sizeof bomb - n, "- &a%d [", i);
    for (int k = 0; k < 10; k++)
      n += (size_t)snprintf(bomb + n, sizeof bomb - n, "%s*a%d", k ? "," : "", i - 1);
    snprintf(bomb + n, sizeof bomb - n, "]\n");
  }
  yaml_refused(bomb, "nested too deeply");
  char wide[40000] = "hydra:\n- &a [";
  for (int k = 0; k < 150; k++) strcat(wide, "x,");
  strcat(wide, "]\n- [");
  for (int k = 0; k < 150; k++) strcat(wide, "*a,");
  strcat(wide, "]\n");
  yaml_refused(wide, "aliases that stand for too much");
}

/* The configuration that the reference saved is readable. */
static void test_reference_file(void **state) {
  (void)state;
  const char *path = TRM_SHARED_DIR "/golden/torch-checkpoint/all_config.yaml";
  trm__run_config c;
  trm_error err;
  if (access(path, R_OK) != 0) {
    print_message("%s is not here\n", path);
    skip();
  }
  if (trm__run_config_load(&c, path, NULL, 0, &err) != TRM_OK) fail_msg("%s", err.msg);
  assert_int_equal(c.model.forward_dtype, TRM_BFLOAT16);
  assert_int_equal(c.model.hidden_size, 64);
  assert_int_equal(c.model.puzzle_emb_len, 4);
  assert_string_equal(c.run_name, "demo");
  assert_true(c.checkpoint_every_eval);
  trm__run_config_free(&c);
}

static void test_bad_yaml(void **state) {
  (void)state;

  /* Keys: unknown, set twice, and where they stand. */
  trm__run_config c;
  trm_error err = {0};
  yaml_refused("lr: 1\nlrr: 2\n", "run.yaml:2:1: unknown key 'lrr'; did you mean 'lr'?");
  yaml_refused("lr: 1\narch:\n  L_cycles: many\n", "run.yaml:3:3: arch.L_cycles: want a whole");
  yaml_refused("lr: 1\nlr: 2\n", "run.yaml:2:1: 'lr' is set a second time (first in line 1)");

  /* Texts that are no YAML, or no map. */
  yaml_refused("lr: [1\n", "not YAML");
  yaml_refused("lr: 1\n\tseed: 2\n", "run.yaml:2:");
  yaml_refused("- lr\n", "want a map");
  yaml_refused("just text\n", "want a map");
  yaml_refused("lr: 1\n---\nlr: 2\n", "one document");

  /* Depth and kinds of values. */
  yaml_refused("arch: {a: {b: {c: {d: {e: 1}}}}}\n", "nested too deeply");
  yaml_refused("data_paths: [[a]]\n", "list of plain texts for data_paths");
  yaml_refused("evaluators:\n  - name: x@Y\n", "'x@Y' does not exist");
  yaml_refused("evaluators:\n  - id: x\n", "run.yaml:2:");
  yaml_refused("evaluators:\n  - name: [x]\n", "run.yaml:2:");
  yaml_refused("evaluators:\n  - name: x\n    id: y\n", "run.yaml:3:");

  /* Keys and numbers that YAML allows and a configuration does not. */
  yaml_refused("? [a]\n: b\n", "want a key");
  yaml_refused("lr: \"1\\0\"\n", "zero byte");
  yaml_refused("hydra: {a: {b: {c: {d: {e: 1}}}}}\n", "nested too deeply");
  yaml_refused("defaults: [{arch: gpt}]\n", "got 'gpt'");

  /* Bytes that are no text, and a file that is not there. */
  assert_int_equal(load_yaml_bytes(&c, "lr: \xff\xfe\n", 7, &err), TRM_E_CONFIG);
  assert_says(&err, "not YAML");
  assert_int_equal(trm__run_config_load(&c, "/nonexistent/run.yaml", NULL, 0, &err), TRM_E_IO);
  assert_says(&err, "/nonexistent/run.yaml");
}

static void test_huge_yaml(void **state) {
  (void)state;

  /* A text of one character, a little longer than a configuration may be. */
  trm__run_config c;
  trm_error err = {0};
  size_t n = (1 << 20) + 10;
  char *text = malloc(n + 1);
  assert_non_null(text);
  memset(text, '[', n);
  text[n] = 0;
  assert_int_equal(load_yaml(&c, text, &err), TRM_E_CONFIG);
  assert_says(&err, "more than");

  /* At a length that is allowed: too deep, one word, one key without an end. */
  assert_int_equal(load_yaml_bytes(&c, text, 100000, &err), TRM_E_CONFIG);
  memset(text, 'a', n);
  assert_int_equal(load_yaml_bytes(&c, text, 100000, &err), TRM_E_CONFIG);
  memcpy(text + 90000, ": 1", 3);
  assert_int_equal(load_yaml_bytes(&c, text, 100000, &err), TRM_E_CONFIG);

  /* More keys than there can be. */
  size_t used = 0;
  for (int i = 0; used + 16 < 100000; i++) used += (size_t)snprintf(text + used, 16, "k%d: 1\n", i);
  assert_int_equal(load_yaml_bytes(&c, text, used, &err), TRM_E_CONFIG);
  assert_says(&err, "too many keys");
  trm__free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_earlier_file), cmocka_unit_test(test_round_trip),
      cmocka_unit_test(test_yaml),         cmocka_unit_test(test_layers),
      cmocka_unit_test(test_anchors),      cmocka_unit_test(test_reference_file),
      cmocka_unit_test(test_bad_yaml),     cmocka_unit_test(test_huge_yaml),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
