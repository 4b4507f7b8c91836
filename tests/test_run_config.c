/* The run configuration: defaults, published commands, presets, layers, every kind of error, the
 * way back through YAML, hostile YAML. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* cmocka.h needs what stands before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

#include "base/memory.h"
#include "base/number.h"
#include "run/run_config.h"

static char folder[64];

static int make_folder(void **state) {
  (void)state;
  strcpy(folder, "/tmp/trm_config_XXXXXX");
  return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
  (void)state;
  return rmdir(folder);
}

/* Loads from the overrides after the first two arguments, up to NULL. */
static trm_status load(trm__run_config *c, trm_error *err, ...) {
  const char *overrides[64];
  int n = 0;
  va_list args;
  va_start(args, err);
  while ((overrides[n] = va_arg(args, const char *))) n++;
  va_end(args);
  return trm__run_config_load(c, NULL, overrides, n, err);
}

static trm_status load_yaml_bytes(trm__run_config *c, const char *text, size_t n, trm_error *err) {
  char path[96];
  snprintf(path, sizeof path, "%s/run.yaml", folder);
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(text, 1, n, f), n);
  assert_int_equal(fclose(f), 0);
  trm_status st = trm__run_config_load(c, path, NULL, 0, err);
  unlink(path);
  return st;
}

static trm_status load_yaml(trm__run_config *c, const char *text, trm_error *err) {
  return load_yaml_bytes(c, text, strlen(text), err);
}

static void assert_says(const trm_error *err, const char *part) {
  if (!strstr(err->msg, part)) fail_msg("'%s' does not say '%s'", err->msg, part);
}

static void yaml_refused(const char *text, const char *part) {
  trm__run_config c;
  trm_error err = {0};
  assert_int_equal(load_yaml(&c, text, &err), TRM_E_CONFIG);
  assert_says(&err, part);
}

static void refused(const char *override, const char *part) {
  trm__run_config c;
  trm_error err = {0};
  assert_int_equal(load(&c, &err, override, NULL), TRM_E_CONFIG);
  assert_says(&err, part);
}

static void test_defaults(void **state) {
  (void)state;

  /* Without a word. */
  trm__run_config c;
  trm_error err;
  assert_int_equal(load(&c, &err, NULL), TRM_OK);

  /* The model is that of the paper. */
  assert_int_equal(c.model.arch, TRM_ARCH_TRM);
  assert_int_equal(c.model.hidden_size, 512);
  assert_int_equal(c.model.puzzle_emb_ndim, 512);
  assert_int_equal(c.model.puzzle_emb_len, 16);
  assert_int_equal(c.model.forward_dtype, TRM_BFLOAT16);

  /* Training is that of the reference, with its pace. */
  assert_int_equal(c.trainer.batch_size, 768);
  assert_true(c.trainer.lr == 1e-4 && c.trainer.puzzle_emb_lr == 1e-2);
  assert_true(c.trainer.weight_decay == 0.1 && c.trainer.puzzle_emb_weight_decay == 0.1);
  assert_true(c.trainer.beta1 == 0.9 && c.trainer.beta2 == 0.95 && c.trainer.lr_min_ratio == 1);
  assert_int_equal(c.trainer.lr_warmup_steps, 2000);
  assert_int_equal(c.epochs, 100000);
  assert_int_equal(c.eval_interval, 10000);
  assert_int_equal(c.trainer.seed, 0);

  /* No average of weights is evaluated unless it is asked for, and a run has a place but no
   * name. */
  assert_false(c.ema);
  assert_true(c.trainer.ema_rate == 0.999);
  assert_string_equal(c.out, "runs");
  assert_null(c.run_name);
  trm__run_config_free(&c);
}

static void test_published_command(void **state) {
  (void)state;

  /* The command of the reference's README for Sudoku-Extreme. */
  trm__run_config c;
  trm_error err;
  assert_int_equal(load(&c, &err, "arch=trm", "data_paths=[data/sudoku]", "evaluators=[]",
                        "epochs=50000", "eval_interval=5000", "lr=1e-4", "puzzle_emb_lr=1e-4",
                        "weight_decay=1.0", "puzzle_emb_weight_decay=1.0", "arch.mlp_t=True",
                        "arch.pos_encodings=none", "arch.L_layers=2", "arch.H_cycles=3",
                        "arch.L_cycles=6", "+run_name=r", "ema=True", NULL),
                   TRM_OK);

  /* Lists, numbers with and without a point, words and the key with a plus arrive as they are
   * meant. */
  assert_int_equal(c.data_paths.n, 1);
  assert_string_equal(c.data_paths.v[0], "data/sudoku");
  assert_int_equal(c.evaluators.n, 0);
  assert_int_equal(c.epochs, 50000);
  assert_int_equal(c.eval_interval, 5000);
  assert_true(c.trainer.puzzle_emb_lr == 1e-4 && c.trainer.weight_decay == 1);
  assert_true(c.model.mlp_t && c.ema);
  assert_int_equal(c.model.pos_encodings, TRM_POS_NONE);
  assert_int_equal(c.model.L_cycles, 6);
  assert_string_equal(c.run_name, "r");
  trm__run_config_free(&c);
}

static void test_architecture_first(void **state) {
  (void)state;
  trm__run_config c;
  trm_error err;
  assert_int_equal(load(&c, &err, "arch.H_cycles=5", "arch=hrm", "arch.hidden_size=64", NULL),
                   TRM_OK);
  assert_int_equal(c.model.arch, TRM_ARCH_HRM);
  assert_int_equal(c.model.H_cycles, 5);
  assert_int_equal(c.model.H_layers, 4);
  assert_false(c.model.no_ACT_continue);
  assert_int_equal(c.model.puzzle_emb_ndim, 64);
  trm__run_config_free(&c);
  /* The same architecture again keeps what a preset set, another one does not. */
  assert_int_equal(load(&c, &err, "preset=sudoku6", "arch=trm", NULL), TRM_OK);
  assert_true(c.model.mlp_t);
  trm__run_config_free(&c);
  assert_int_equal(load(&c, &err, "preset=sudoku6", "arch=hrm", NULL), TRM_OK);
  assert_false(c.model.mlp_t);
  trm__run_config_free(&c);
}

static void test_presets(void **state) {
  (void)state;

  /* Each preset is complete: it loads, and it says how its data are made. */
  trm__run_config c;
  trm_error err;
  for (int i = 0; trm_run_preset_at(i); i++) {
    const trm_run_preset *p = trm_run_preset_at(i);
    char override[64];
    snprintf(override, sizeof override, "preset=%s", p->name);
    if (load(&c, &err, override, NULL) != TRM_OK) fail_msg("%s: %s", p->name, err.msg);
    assert_string_equal(c.preset, p->name);
    assert_int_equal(c.data_paths.n, 1);
    if (strncmp(p->make, "trm data ", 9) != 0 || strstr(p->make, "--output-dir"))
      fail_msg("%s: %s", p->name, p->make);
    if ((p->kind == TRM_PUZZLE_NONE) != (p->cells == 0)) fail_msg("%s", p->name);
    trm__run_config_free(&c);
  }

  /* An override counts, wherever the preset stands. */
  assert_int_equal(load(&c, &err, "lr=0.5", "preset=sudoku6", NULL), TRM_OK);
  assert_true(c.trainer.lr == 0.5);
  assert_int_equal(c.model.hidden_size, c.model.puzzle_emb_ndim);
  assert_int_equal(c.augment, TRM_AUGMENT_ON_THE_FLY);
  trm__run_config_free(&c);

  /* A name that is misspelt is told the right one. */
  refused("preset=sudoku-mpl", "did you mean 'sudoku-mlp'");
  refused("preset=zzzzzzzz", "--list-presets");
}

/* What the arithmetic of the paper's Sudoku model is without its padding. */
static void test_no_padding(void **state) {
  (void)state;
  static const char *const presets[] = {"preset=sudoku-mlp", "preset=sudoku-mlp-nopad"};
  trm_model_cost cost[2];
  trm_error err;
  for (int i = 0; i < 2; i++) {
    trm__run_config c;
    assert_int_equal(load(&c, &err, presets[i], NULL), TRM_OK);
    c.model.vocab_size = 11;
    c.model.seq_len = 81;
    c.model.num_puzzle_identifiers = 1;
    if (trm_model_cost_of(&c.model, &cost[i], &err) != TRM_OK) fail_msg("%s", err.msg);
    trm__run_config_free(&c);
  }
  assert_int_equal(cost[0].positions, 97);
  assert_int_equal(cost[1].positions, 81);
  assert_int_equal(cost[1].n_puzzle_emb, 0);
  assert_true(fabs(1 - cost[1].flops_train / cost[0].flops_train - 0.27) < 0.005);
}

static void test_notation(void **state) {
  (void)state;

  /* Lists, quotes, words for truth, numbers with exponents, sizes with units, and a reference to
   * another key. */
  trm__run_config c;
  trm_error err;
  assert_int_equal(
      load(&c, &err, "data_paths=[ a , 'b c', \"d,e\" ]", "++run_name=\"x y\"", "seed=7",
           "project_name='null'", "ema=on", "arch.mlp_t=false", "epochs=5e4", "eval_interval=null",
           "memory_budget=1.5GiB", "load_checkpoint=null", "+arch.puzzle_emb_ndim=${.hidden_size}",
           "optimizer=adamw", "checkpoint_path=a=b", NULL),
      TRM_OK);

  /* Quotes and commas in them belong to the text; 'null' in quotes is a text. */
  assert_int_equal(c.data_paths.n, 3);
  assert_string_equal(c.data_paths.v[1], "b c");
  assert_string_equal(c.data_paths.v[2], "d,e");
  assert_string_equal(c.run_name, "x y");
  assert_string_equal(c.project_name, "null");
  assert_string_equal(c.checkpoint_path, "a=b");

  /* Numbers are whole where they have to be; null is nothing or no limit. */
  assert_int_equal(c.trainer.seed, 7);
  assert_int_equal(c.epochs, 50000);
  assert_int_equal(c.eval_interval, 0);
  assert_int_equal(c.trainer.memory_budget, 3LL << 29);
  assert_int_equal(c.trainer.optimizer, TRM_OPT_ADAMW);
  assert_null(c.load_checkpoint);
  assert_int_equal(c.model.puzzle_emb_ndim, 512);
  trm__run_config_free(&c);
}

static void test_bad_values(void **state) {
  (void)state;

  /* Keys that there are not, with the one that was meant. */
  refused("lrr=1", "did you mean 'lr'");
  refused("hidden_size=64", "did you mean 'arch.hidden_size'");
  refused("arch.L_cycle=6", "did you mean 'arch.L_cycles'");
  refused("completely_unknown=6", "--list-keys");

  /* Numbers that are none, or are out of their range. */
  refused("lr=fast", "lr: want a number from 0 to 1000, got 'fast'");
  refused("lr=nan", "lr: want a number");
  refused("lr=0x10", "lr: want a number");
  refused("lr=-1", "got '-1'");
  refused("lr='1'", "got '1'");
  refused("epochs=1.5", "epochs: want a whole number");
  refused("epochs=99999999999999999999", "epochs: want a whole number");
  refused("epochs=", "epochs: want a whole number");

  /* Values of another kind: truths, lists, texts, names. */
  refused("ema=maybe", "ema: want True or False, got 'maybe'");
  refused("ema=[True]", "got a list");
  refused("data_paths=data/sudoku",
          "want a list such as \"[a,b]\", here data_paths=\"[data/sudoku]\"");
  refused("data_paths=[a", "does not match");
  refused("data_paths=[a,,b]", "does not match");
  refused("data_paths=[[a]]", "does not match");
  refused("run_name='a", "does not match");
  refused("run_name=[a]", "want null or text");
  refused("arch=gpt", "arch.name: want one of trm, hrm");
  refused("arch.pos_encodings=sine", "got 'sine'");
  refused("arch.forward_dtype=half", "want one of float32, bfloat16");
  refused("evaluators=[arc@ARC,x@Y]", "'x@Y' does not exist");
  refused("eval_save_outputs=[preds]", "trm eval");

  /* Ranges that are not those of all numbers, and overrides that are no key=value. */
  refused("memory_budget=2GX", "memory_budget: want bytes");
  refused("beta1=1", "beta1");
  refused("seed=-1", "seed");
  refused("no-equals-sign", "want key=value");
  refused("=5", "want key=value");
  refused("+++lr=5", "want key=value");
  refused("~lr=5", "unknown key");

  /* Places that are written to. */
  refused("checkpoint_path=-", "folder to write");
  refused("out=-", "folder to write");
  refused("out=", "folder to write");
}

/* Every key that has a range is refused outside of it by the same words, as an override and in a
 * file; and every key takes back what is printed of it. */
static void test_every_key(void **state) {
  (void)state;

  /* Every key of the program and of the library. */
  int n = 0;
  for (trm__run_key k = {0}; trm__run_next_key(&k); n++) {
    const trm_field *f = k.field;

    /* What is expected of its value, in the words of its row. */
    char text[160], want[200] = "", expected[160] = "";
    trm__sink s = {expected, sizeof expected, 0};
    trm__run_config c;
    trm_error err = {0};
    trm__field_expect(f, &s);
    const bool text_type = f->type == &trm__field_text || f->type == &trm__field_texts;

    /* Below and above its range, as an override. */
    for (int high = 0; high < 2 && !text_type; high++) {
      const bool real = f->type->form == TRM__FORM_DOUBLE, number = f->high > f->low;
      const double step = real ? 1e-3 : 1, bound = high ? f->high * (1 + 1e-3 * real) : f->low;
      char value[TRM__NUMBER_SIZE] = "what?";
      if (number) trm__number_format("%.17g", high ? bound + step : bound - step, value);
      snprintf(want, sizeof want, "%s: want %.120s, got '%s'", f->key, expected, value);
      snprintf(text, sizeof text, "%s=%s", f->key, value);
      refused(text, want);

      /* The same in a file, at the key's depth. */
      const char *dot = strchr(f->key, '.'), *second = dot ? strchr(dot + 1, '.') : NULL;
      if (second)
        snprintf(text, sizeof text, "arch: {loss: {%s: %s}}\n", second + 1, value);
      else
        snprintf(text, sizeof text, dot ? "arch: {%s: %s}\n" : "%s: %s\n", dot ? dot + 1 : f->key,
                 value);
      yaml_refused(text, want);
    }

    /* Each of its words is taken. */
    for (int i = 0; trm_field_choice(f, i); i++) {
      snprintf(text, sizeof text, "%s=%s", f->key, trm_field_choice(f, i));
      if (load(&c, &err, text, NULL) != TRM_OK) fail_msg("%s", err.msg);
      trm__run_config_free(&c);
    }
  }
  assert_true(n > 55);
}

static void test_synonyms(void **state) {
  (void)state;
  refused("n=6", "did you mean 'arch.L_cycles'");
  refused("T=3", "did you mean 'arch.H_cycles'");
  refused("N_sup=16", "did you mean 'arch.halt_max_steps'");
  refused("learning_rate=1", "did you mean 'lr'");
  refused("batch_size=1", "did you mean 'global_batch_size'");
  refused("hidden_dim=8", "did you mean 'arch.hidden_size'");
  refused("num_layers=8", "did you mean 'arch.L_layers'");
  refused("wd=1", "did you mean 'weight_decay'");
  refused("loss_type=softmax_cross_entropy", "did you mean 'arch.loss.loss_type'");
  yaml_refused("n: 6\n", "run.yaml:1:1: unknown key 'n'; did you mean 'arch.L_cycles'?");
}

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

static void test_suggestions(void **state) {
  (void)state;
  static const struct {
    const char *name, *value, *setting;
  } cases[] = {{"lr", "1e-3", "lr=1e-3"},
               {"max-updates", "5", "max_updates=5"},
               {"H_cycles", "3", "arch.H_cycles=3"},
               {"arch", "hrm", "arch.name=hrm"},
               {"hidden-size", NULL, "arch.hidden_size=VALUE"},
               {"batch-size", "7", "global_batch_size=7"},
               {"learning-rate", "7", "lr=7"},
               {"data", "a", "data_paths=\"[a]\""},
               {"data-paths", "[a,b]", "data_paths=[a,b]"}};
  char text[160];
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_true(trm_run_config_suggest(cases[i].name, cases[i].value, text, sizeof text));
    assert_string_equal(text, cases[i].setting);
  }
  assert_false(trm_run_config_suggest("ata", "1", text, sizeof text));
  assert_false(trm_run_config_suggest("lrr", "1", text, sizeof text));
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
  assert_int_equal(c.trainer.batch_size, 128);
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
      /* presets, overrides and values */
      cmocka_unit_test(test_defaults),
      cmocka_unit_test(test_published_command),
      cmocka_unit_test(test_architecture_first),
      cmocka_unit_test(test_presets),
      cmocka_unit_test(test_no_padding),
      cmocka_unit_test(test_notation),
      cmocka_unit_test(test_bad_values),

      /* keys */
      cmocka_unit_test(test_every_key),
      cmocka_unit_test(test_synonyms),
      cmocka_unit_test(test_earlier_file),
      cmocka_unit_test(test_suggestions),
      cmocka_unit_test(test_round_trip),

      /* YAML */
      cmocka_unit_test(test_yaml),
      cmocka_unit_test(test_layers),
      cmocka_unit_test(test_anchors),
      cmocka_unit_test(test_reference_file),
      cmocka_unit_test(test_bad_yaml),
      cmocka_unit_test(test_huge_yaml),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
