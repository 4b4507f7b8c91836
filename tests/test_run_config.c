/* The run configuration: defaults, published commands, presets, notation, every key with its range
 * and its other names. */
#include <math.h>

#include "base/number.h"
#include "choices.h"
#include "config_texts.h"

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
    int n = 0;
    for (; p->make[n]; n++)
      if (strncmp(p->make[n], "trm data ", 9) != 0 || strstr(p->make[n], "--output-dir"))
        fail_msg("%s: %s", p->name, p->make[n]);
    assert_int_equal(c.data_paths.n, n);
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

  /* Tries of evaluations that would be for nothing. */
  refused("eval_views=0", "eval_views: want a whole number from 1 to 1024");
  refused("eval_select=best", "eval_select: want one of q, first, vote, mode, residual");
  refused("eval_select=mode", "a choice among several tries: want eval_views=K");
  refused("eval_bar=3", "eval_bar belongs to eval_select=first");
  refused("eval_rollouts=4", "eval_rollouts wants eval_noise");

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

    /* Each of its words is taken; there are tries for eval_select to choose from. */
    char word[CHOICE_TEXT];
    for (int i = 0; choice_value(f, i, false, word); i++) {
      snprintf(text, sizeof text, "%s=%s", f->key, word);
      if (load(&c, &err, text, "eval_views=2", NULL) != TRM_OK) fail_msg("%s", err.msg);
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
      cmocka_unit_test(test_suggestions),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
