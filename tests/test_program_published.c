/* Published checkpoints in every command: what their files leave out, and files that contradict
 * their configuration. */
#include <math.h>

#include "converting.h"
#include "io/torch_file.h"
#include "io/zip.h"
#include "nn/layout.h"

#define GOLDEN TRM_SHARED_DIR "/golden/torch-checkpoint/step_10"

static const char *write_yaml(scratch *s, const char *dir, const char *arch) {
  static char pt[240];
  char path[240], text[2000];
  snprintf(path, sizeof path, "%s/%s", s->dir, dir);
  assert_int_equal(trm__make_dirs(path, NULL), TRM_OK);
  snprintf(path, sizeof path, "%s/%s/all_config.yaml", s->dir, dir);
  snprintf(text, sizeof text,
           "arch:\n  name: recursive_reasoning.trm@TinyRecursiveReasoningModel_ACTV1\n"
           "  loss:\n    name: losses@ACTLossHead\n    loss_type: stablemax_cross_entropy\n"
           "  H_cycles: 2\n  L_cycles: 2\n  num_heads: 2\n  puzzle_emb_len: 2\n"
           "  halt_max_steps: 4\n  halt_exploration_prob: 0.1\n  forward_dtype: float32\n%s"
           "data_paths_test: null\nevaluators:\n- name: arc@ARC\n  submission_K: 2\n"
           "lr: never mind\nunheard_of: {a: [b]}\n",
           arch);
  write_bytes(path, text, strlen(text));
  snprintf(pt, sizeof pt, "%s/%s/step_7", s->dir, dir);
  return pt;
}

static void shapes_tell_the_rest(void **state) {
  /* Most of the configuration is left out of the YAML, as published ones do. */
  scratch *s = *state;
  trm_model *m = make_model(s, "m", true), *back;
  trm_error err;
  const char *pt = write_yaml(s, "pub", "  mlp_t: true\n  pos_encodings: none\n");
  assert_int_equal(trm_model_export(m, pt, TRM_FILE_TORCH, TRM_FLOAT32, &err), TRM_OK);

  /* Shapes of tensors say how wide and deep the model is. */
  want(RUN("convert", pt, place(s, path_b, "pub.safetensors")), 0);
  back = load(path_b);
  trm_model_config c = *trm_model_get_config(back);
  assert_true(c.expansion == 4 && c.L_layers == 1 && c.seq_len == SEQ && c.hidden_size == 16);
  same_config(m, back);
  same_weights(m, back, false);
  trm_model_free(back);

  /* A YAML that says otherwise is refused with both values. */
  write_yaml(s, "pub", "  mlp_t: true\n  pos_encodings: none\n  hidden_size: 32\n");
  want(RUN("info", pt), 3);
  says(err_text, "hidden_size is 16, but the configuration says 32");
  write_yaml(s, "pub", "  mlp_t: true\n  pos_encodings: none\n  L_layers: 2\n");
  want(RUN("info", pt), 3);
  says(err_text, "is 1, but the configuration says 2");
  write_yaml(s, "pub", "  mlp_t: false\n  pos_encodings: none\n");
  want(RUN("info", pt), 3);
  says(err_text, "mlp_t = false");

  /* A key that nobody knows may change answers, so it is not passed over. */
  write_yaml(s, "pub", "  mlp_t: true\n  pos_encodings: none\n  mlp_u: 1\n");
  want(RUN("info", pt), 3);
  says(err_text, "unknown key 'arch.mlp_u'");

  /* Without a YAML there is no telling, and the file that is wanted is named. */
  char yaml[240];
  snprintf(yaml, sizeof yaml, "%s/pub/all_config.yaml", s->dir);
  assert_int_equal(unlink(yaml), 0);
  want(RUN("info", pt), 1);
  says(err_text, "no all_config.yaml beside it");
  trm_model_free(m);
}

/* What no tensor shows and answers depend on must be named; the defaults that are taken are told.
 */
static void settings_are_not_guessed(void **state) {
  scratch *s = *state;

  /* The settings that answers depend on come first: NEEDED of them have no default. */
  static const char *const lines[] = {
      "  halt_max_steps: 4\n",
      "  H_cycles: 2\n",
      "  L_cycles: 2\n",
      "  num_heads: 2\n",
      "  pos_encodings: rope\n",
      "  loss: {name: losses@ACTLossHead, loss_type: stablemax_cross_entropy}\n",
      "  halt_exploration_prob: 0.1\n",
      "  forward_dtype: float32\n",
      "  puzzle_emb_len: 2\n",
      "  no_ACT_continue: true\n"};
  enum { LINES = sizeof lines / sizeof *lines, NEEDED = 5 };

  /* A torch file of a model without positions, whose length no tensor shows. */
  trm_model *m = make_model(s, "m", false);
  char pt[240], yaml[240], text[1000];
  trm_error err;
  make_data(s, "guess", 2, 0);
  snprintf(pt, sizeof pt, "%s", write_yaml(s, "guesses", ""));
  snprintf(yaml, sizeof yaml, "%s/guesses/all_config.yaml", s->dir);
  assert_int_equal(trm_model_export(m, pt, TRM_FILE_TORCH, TRM_FLOAT32, &err), TRM_OK);

  /* Each line is left out in turn. */
  for (int left_out = -1; left_out < LINES; left_out++) {
    size_t n = (size_t)snprintf(text, sizeof text, "arch:\n  name: trm\n");
    for (int i = 0; i < LINES; i++)
      if (i != left_out) n += (size_t)snprintf(text + n, sizeof text - n, "%s", lines[i]);
    write_bytes(yaml, text, n);
    const bool needed = left_out >= 0 && left_out < NEEDED;
    want(RUN("eval", pt, path_data, "--threads", "1"), needed ? 3 : 0);

    /* A setting that is needed is asked for by name; any other is assumed, and that is told. */
    if (needed) {
      char key[40];
      snprintf(key, sizeof key, "%.*s", (int)strcspn(lines[left_out] + 2, ":"),
               lines[left_out] + 2);
      says(err_text, key);
      says(err_text, "the reference has no default for");
    } else {
      says(err_text, "does not show seq_len: 6 is assumed, which the data have");
      assert_int_equal(left_out < 0, !strstr(err_text, "does not say all"));
    }
  }

  /* Everything that was assumed stands in one message, with its value. */
  snprintf(text, sizeof text, "arch:\n  name: trm\n%s%s%s%s%s", lines[0], lines[1], lines[2],
           lines[3], lines[4]);
  write_bytes(yaml, text, strlen(text));
  want(RUN("info", pt), 0);
  says(err_text,
       "arch.puzzle_emb_len=16, arch.halt_exploration_prob=0.1, arch.no_ACT_continue=true, "
       "arch.loss.loss_type=stablemax_cross_entropy, arch.forward_dtype=bfloat16 is assumed");
  trm_model_free(m);
}

static void data_give_seq_len_where_no_tensor_does(void **state) {
  /* With rotary positions no tensor has the length. */
  scratch *s = *state;
  trm_model *m = make_model(s, "m", false), *back;
  trm_error err;
  const char *pt = write_yaml(s, "rope", "  pos_encodings: rope\n");
  assert_int_equal(trm_model_export(m, pt, TRM_FILE_TORCH, TRM_FLOAT32, &err), TRM_OK);
  make_data(s, "data02", 2, 0);

  /* Looking works without it; solving wants it, and says what to do. */
  want(RUN("info", pt), 0);
  says(err_text, "does not show seq_len");
  want(RUN("solve", pt, "--puzzle", "1"), 3);
  says(err_text, "trm convert");

  /* Data know the length: scores are those of the model that was exported. */
  want(RUN("eval", path_a, path_data, "--threads", "1"), 0);
  static char whole[TEXT];
  memcpy(whole, strchr(out_text, '\n'), strlen(strchr(out_text, '\n')) + 1);
  want(RUN("eval", pt, path_data, "--threads", "1"), 0);
  assert_string_equal(strchr(out_text, '\n'), whole);

  /* `trm convert` takes it from data, or from the user. */
  want(RUN("convert", pt, place(s, path_b, "rope.safetensors"), "--data", path_data), 0);
  comes_back(path_b, m, false);
  want(RUN("convert", pt, path_b, "--seq-len", "900"), 0);
  back = load(path_b);
  assert_int_equal(trm_model_get_config(back)->seq_len, 900);
  assert_int_equal(trm_model_get_config(back)->puzzle.kind, TRM_PUZZLE_NONE);
  trm_model_free(back);

  /* The library does not guess, either. */
  trm_model_config c = *trm_model_get_config(m);
  c.seq_len = 0;
  assert_int_equal(trm_model_import(pt, &c, &back, &err), TRM_E_CONFIG);
  trm_model_free(m);
}

/* More than any model has. */
static void too_many_tensors_are_refused(void **state) {
  /* The reader has a bound on names, which is above any model of the paper's form. */
  enum { N = TRM__MOST_TENSORS + 1024 + 1 };
  scratch *s = *state;
  static trm__st_tensor tensors[N];
  static char name[N][40];
  char words[80];
  const float zero[4] = {0};
  trm_error err;

  /* Blocks without end, each a tensor of 2 x 2. */
  for (int i = 0; i < N; i++) {
    snprintf(name[i], sizeof name[i],
             i ? "L_level.layers.%d.mlp.down_proj.weight" : "embed_tokens.embedding_weight", i - 1);
    tensors[i] = (trm__st_tensor){
        .name = name[i], .dtype = TRM__F32, .ndim = 2, .shape = {2, 2}, .count = 4, .data = zero};
  }

  /* One above the bound is refused with the count. */
  snprintf(words, sizeof words, "%d tensors, want at most %d", N, N - 1);
  place(s, path_b, "many.pt");
  trm_model_config c = {0};
  assert_int_equal(trm__torch_save(path_b, "", tensors, N, &err), TRM_OK);
  assert_int_equal(trm_model_complete_config(path_b, &c, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, words));

  /* At the bound it is read, and the depth is left to the check of the configuration. */
  assert_int_equal(trm__torch_save(path_b, "", tensors, N - 1, &err), TRM_OK);
  assert_int_equal(trm_model_complete_config(path_b, &c, &err), TRM_OK);
  assert_true(c.L_layers > 64);

  /* Without an embedding there is no width. */
  assert_int_equal(trm__torch_save(path_b, "", tensors + 1, 2, &err), TRM_OK);
  assert_int_equal(trm_model_complete_config(path_b, &c, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, "no tensor embed_tokens"));
}

/* A tensor without elements, in a pickle; numbers and the length of the name are its opcodes. */
#define EMPTY_TENSOR(length, name, rows, cols)            \
  "X" length "\0\0\0" name                                \
  "ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storage" \
  "ctorch\nFloatStorage\nX\1\0\0\0"                       \
  "0X\3\0\0\0cpuK\0tQK\0(" rows cols                      \
  "t(K\1K\1t\x89"                                         \
  "ccollections\nOrderedDict\n)RtR"

/* It may be of any width: the lines that would do are told at once. */
static void an_endless_width_is_no_endless_search(void **state) {
  scratch *s = *state;
  static const char pickle[] =
      "\x80\2}(" EMPTY_TENSOR("\x1d", "embed_tokens.embedding_weight", "K\0", "K\x40")
          EMPTY_TENSOR("\x14", "x.puzzle_emb.weights", "K\0",
                       "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f")
              EMPTY_TENSOR("\x18", "a.mlp_t.down_proj.weight", "K\x0a", "K\0") "u.";
  trm__zip_writer w;
  trm_error err;
  assert_int_equal(trm__make_dirs(scratch_path(s, "endless"), &err), TRM_OK);
  place(s, path_b, "endless/m.pt");
  assert_int_equal(trm__zip_create(&w, path_b, &err), TRM_OK);
  trm__zip_begin(&w, "m/data.pkl", sizeof pickle - 1);
  trm__zip_append(&w, pickle, sizeof pickle - 1);
  trm__zip_end(&w);
  trm__zip_begin(&w, "m/data/0", 0);
  trm__zip_end(&w);
  assert_int_equal(trm__zip_commit(&w, &err), TRM_OK);

  want(RUN("info", path_b), 1);
  says(err_text, "puzzle_emb_len: 144115188075855872\n");
}

static void weights_must_be_finite_and_undamaged(void **state) {
  scratch *s = *state;
  trm_model *m = make_model(s, "m", true), *none;
  trm_error err;
  size_t n;
  place(s, path_b, "bad.pt");
  assert_int_equal(trm_model_export(m, path_b, TRM_FILE_TORCH, TRM_FLOAT32, &err), TRM_OK);
  unsigned char *bytes = read_bytes(path_b, &n);
  const float *q = trm_model_tensor_named(m, "q_head.weight").data;
  for (size_t i = 0; i + 8 < n; i++)
    if (!memcmp(bytes + i, q, 8)) bytes[i] ^= 1;
  write_bytes(path_b, bytes, n);
  free(bytes);
  assert_int_equal(trm_model_import(path_b, trm_model_get_config(m), &none, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, "is damaged"));
  trm_model_tensor_named(m, "q_head.bias").data[1] = NAN;
  assert_int_equal(trm_model_export(m, path_b, TRM_FILE_TORCH, TRM_FLOAT32, &err), TRM_OK);
  assert_int_equal(trm_model_import(path_b, trm_model_get_config(m), &none, &err), TRM_E_NUMERIC);
  assert_true(speaks_of(&err, "q_head.bias"));
  trm_model_free(m);
}

static void the_reference_checkpoint_works_everywhere(void **state) {
  scratch *s = *state;
  if (!trm__path_exists(GOLDEN)) {
    print_message("skipped: no reference checkpoint beside the checkout\n");
    skip();
  }
  static char answer[TEXT];
  want(RUN("info", GOLDEN), 0);
  says(out_text, "Sudoku 4x4");
  want(RUN("solve", GOLDEN, "--puzzle", "1...............", "--threads", "1"), 0);
  memcpy(answer, out_text, sizeof answer);
  want(RUN("convert", GOLDEN, place(s, path_b, "golden.safetensors")), 0);
  want(RUN("solve", path_b, "--puzzle", "1...............", "--threads", "1"), 0);
  assert_string_equal(out_text, answer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(shapes_tell_the_rest),
      cmocka_unit_test(settings_are_not_guessed),
      cmocka_unit_test(data_give_seq_len_where_no_tensor_does),
      cmocka_unit_test(too_many_tensors_are_refused),
      cmocka_unit_test(an_endless_width_is_no_endless_search),
      cmocka_unit_test(weights_must_be_finite_and_undamaged),
      cmocka_unit_test(the_reference_checkpoint_works_everywhere),
  };
  return cmocka_run_group_tests_name("published", tests, scratch_open, scratch_close);
}
