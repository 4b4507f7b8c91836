/* Model folders from outside: what is accepted in other forms, and what is refused with a message
 * that helps. The model under test has D = 16 and 9 positions. */
#include <math.h>

#include "io/json.h"
#include "io/safetensors.h"
#include "json_text.h"
#include "small_model.h"

/* A good folder, and the one that tests spoil. */
typedef struct folders {
  scratch *s;
  char good[80], bad[80], good_config[120], good_weights[120], bad_config[120], bad_weights[120];
} folders;

static folders make_folders(scratch *s) {
  folders f = {.s = s};
  snprintf(f.good, sizeof f.good, "%s/good", s->dir);
  snprintf(f.bad, sizeof f.bad, "%s/bad", s->dir);
  snprintf(f.good_config, sizeof f.good_config, "%s/config.json", f.good);
  snprintf(f.good_weights, sizeof f.good_weights, "%s/model.safetensors", f.good);
  snprintf(f.bad_config, sizeof f.bad_config, "%s/config.json", f.bad);
  snprintf(f.bad_weights, sizeof f.bad_weights, "%s/model.safetensors", f.bad);
  trm_model_config c = small_config(TRM_ARCH_TRM, 9);
  trm_model *m = small_model(&c, 1);
  assert_int_equal(trm__remove_tree(f.bad, NULL), TRM_OK);
  assert_int_equal(trm_model_save(m, f.good, NULL), TRM_OK);
  assert_int_equal(trm_model_save(m, f.bad, NULL), TRM_OK);
  trm_model_free(m);
  return f;
}

/* Loads the spoilt folder and wants it refused. */
static void refuses(const folders *f, const char *what, trm_status status, const char *word) {
  trm_model *m;
  trm_error err = {.msg = "nothing was wrong"};
  trm_status st = trm_model_load(f->bad, &m, &err);
  if (st != status) fail_msg("%s: status %d, want %d: %s", what, st, status, err.msg);
  assert_null(m);
  assert_int_equal(err.code, status);
  if (!strstr(err.msg, f->bad) || !strstr(err.msg, word))
    fail_msg("%s: no \"%s\" or folder in: %s", what, word, err.msg);
}

/* --- config.json --- */

static const struct change {
  const char *key, *value; /* value NULL: removed */
  trm_status status;
  const char *word;
} changes[] = {
    {"format", NULL, TRM_E_FORMAT, "\"format\""},
    {"format", "\"hrm\"", TRM_E_FORMAT, "want \"trm\""},
    {"version", NULL, TRM_E_FORMAT, "\"version\""},
    {"version", "2", TRM_E_FORMAT, "reads version 1"},
    {"version", "-9223372036854775808", TRM_E_FORMAT, "reads version 1"},
    {"arch", NULL, TRM_E_FORMAT, "\"arch\""},
    {"arch", "7", TRM_E_FORMAT, "\"arch\""},
    {"arch", "\"gpt\"", TRM_E_CONFIG, "trm_hier6"},
    {"arch", "\"hrm\"", TRM_E_CONFIG, "H_layers"},
    {"arch", "\"transformers_baseline\"", TRM_E_CONFIG, "H_layers"},
    {"arch", "\"trm_singlez\"", TRM_E_FORMAT, "\"H_init\" is none of the model"},
    {"arch", "\"trm_hier6\"", TRM_E_FORMAT, "\"L_init\" is none of the model"},
    {"vocab_size", NULL, TRM_E_FORMAT, "\"vocab_size\""},
    {"vocab_size", "\"7\"", TRM_E_FORMAT, "found a string"},
    {"vocab_size", "7.5", TRM_E_FORMAT, "want an integer"},
    {"vocab_size", "NaN", TRM_E_FORMAT, "want an integer, found NaN"},
    {"vocab_size", "null", TRM_E_FORMAT, "want an integer"},
    {"vocab_size", "1", TRM_E_CONFIG, "vocab_size = 1"},
    {"vocab_size", "8", TRM_E_SHAPE, "is [7, 16], but config.json beside it wants [8, 16]"},
    {"vocab_size", "4294967303", TRM_E_CONFIG, "vocab_size = 4294967303"},
    {"seq_len", NULL, TRM_E_FORMAT, "\"seq_len\""},
    {"seq_len", "0", TRM_E_CONFIG, "seq_len = 0"},
    {"seq_len", "2147483647", TRM_E_CONFIG, "seq_len = 2147483647"},
    {"num_puzzle_identifiers", "-2147483648", TRM_E_CONFIG, "num_puzzle_identifiers"},
    {"num_puzzle_identifiers", "268435456", TRM_E_SHAPE, "puzzle_emb.weights"},
    {"hidden_size", "15", TRM_E_CONFIG, "multiple of num_heads"},
    {"hidden_size", "32", TRM_E_SHAPE, "[7, 32]"},
    {"hidden_size", "8192", TRM_E_SHAPE, "[7, 8192]"},
    {"num_heads", "0", TRM_E_CONFIG, "num_heads = 0"},
    {"num_heads", "16", TRM_E_CONFIG, "even head size"},
    {"expansion", "true", TRM_E_FORMAT, "want a number"},
    {"expansion", "0", TRM_E_CONFIG, "expansion = 0"},
    {"expansion", "-1e308", TRM_E_CONFIG, "expansion"},
    {"expansion", "64", TRM_E_SHAPE, "gate_up_proj"},
    {"H_layers", "-1", TRM_E_CONFIG, "H_layers"},
    {"L_layers", "0", TRM_E_CONFIG, "L_layers"},
    {"L_layers", "2", TRM_E_FORMAT, "no tensor \"L_level.layers.1"},
    {"H_cycles", "0", TRM_E_CONFIG, "H_cycles"},
    {"L_cycles", "1025", TRM_E_CONFIG, "L_cycles"},
    {"mlp_t", "1", TRM_E_FORMAT, "true or false"},
    {"mlp_t", "true", TRM_E_FORMAT, "self_attn"},
    {"pos_encodings", "\"rotary\"", TRM_E_CONFIG, "\"none\", \"rope\", \"learned\""},
    {"pos_encodings", "\"learned\"", TRM_E_FORMAT,
     "no tensor \"embed_pos.embedding_weight\" [11, 16]"},
    {"rope_theta", "0", TRM_E_CONFIG, "rope_theta"},
    {"rms_norm_eps", "-1e-5", TRM_E_CONFIG, "rms_norm_eps"},
    {"puzzle_emb_ndim", "0", TRM_E_FORMAT, "\"puzzle_emb.weights\" is none of the model"},
    {"puzzle_emb_ndim", "33", TRM_E_CONFIG, "does not fit"},
    {"puzzle_emb_ndim", "21", TRM_E_SHAPE, "[3, 21]"},
    {"puzzle_emb_len", "1", TRM_E_CONFIG, "does not fit"},
    {"halt_max_steps", "0", TRM_E_CONFIG, "halt_max_steps"},
    {"halt_exploration_prob", "1.5", TRM_E_CONFIG, "halt_exploration_prob"},
    {"no_ACT_continue", "\"yes\"", TRM_E_FORMAT, "no_ACT_continue"},
    {"loss", "\"hinge\"", TRM_E_CONFIG, "\"stablemax_cross_entropy\", \"softmax_cross_entropy\""},
    {"forward_dtype", "\"float16\"", TRM_E_CONFIG, "\"float32\", \"bfloat16\""},
    {"forward_dtype", "1", TRM_E_FORMAT, "forward_dtype"},
    {"colour", "1", TRM_E_CONFIG, "unknown key \"colour\""},
    {"puzzle", "7", TRM_E_FORMAT, "want an object"},
    {"puzzle", "null", TRM_E_FORMAT, "want an object"},
    {"puzzle", "{}", TRM_E_FORMAT, "\"kind\""},
    {"puzzle", "{\"kind\": \"chess\"}", TRM_E_CONFIG, "expected none, sudoku, maze"},
    {"puzzle", "{\"kind\": \"none\", \"depth\": 1}", TRM_E_CONFIG, "\"puzzle.depth\""},
    {"puzzle", "{\"kind\": \"none\", \"rows\": \"1\"}", TRM_E_FORMAT, "\"rows\""},
    {"puzzle", "{\"kind\": \"sudoku\"}", TRM_E_CONFIG, "no Sudoku has 0 x 0"},
    {"puzzle", "{\"kind\": \"sudoku\", \"rows\": 4, \"cols\": 4, \"box_rows\": 2, \"box_cols\": 2}",
     TRM_E_CONFIG, "seq_len 16 and vocab_size 6, not 9 and 7"},
    {"puzzle", "{\"kind\": \"sudoku\", \"rows\": 5, \"cols\": 5, \"box_rows\": 1, \"box_cols\": 5}",
     TRM_E_CONFIG, "seq_len 25 and vocab_size 7, not 9 and 7"},
    {"puzzle", "{\"kind\": \"sudoku\", \"rows\": 3, \"cols\": 3, \"box_rows\": 1, \"box_cols\": 3}",
     TRM_E_CONFIG, "seq_len 9 and vocab_size 5, not 9 and 7"},
    {"puzzle",
     "{\"kind\": \"sudoku\", \"rows\": 16, \"cols\": 16, \"box_rows\": 65536, \"box_cols\": 65536}",
     TRM_E_RANGE, "65536"},
    {"puzzle",
     "{\"kind\": \"sudoku\", \"rows\": 46341, \"cols\": 46341, \"box_rows\": 1, \"box_cols\": 1}",
     TRM_E_RANGE, "46341"},
};

static void false_configurations_are_refused(void **state) {
  folders f = make_folders(*state);
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
    const struct change *c = &changes[i];
    char what[200];
    snprintf(what, sizeof what, "%s = %s", c->key, c->value ? c->value : "(absent)");
    json_change(f.good_config, c->key, c->value, f.bad_config);
    refuses(&f, what, c->status, c->word);
  }
}

static void what_is_no_configuration_is_refused(void **state) {
  /* Texts that are no object, or that hold what no configuration may. */
  folders f = make_folders(*state);
  static const char *const texts[] = {"",
                                      "{",
                                      "[]",
                                      "7",
                                      "null",
                                      "\"trm\"",
                                      "{} {}",
                                      "{\"a\": 1e999}",
                                      "{\"version\": 99999999999999999999}",
                                      "{\"arch\": \"trm\", \"arch\": \"hrm\"}",
                                      "\xff\xfe{}"};

  /* Each is refused by the name of the file. */
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    write_bytes(f.bad_config, texts[i], strlen(texts[i]));
    refuses(&f, texts[i], TRM_E_FORMAT, "config.json");
  }

  /* So is a file that is larger than any. */
  char *big = calloc(1, (1 << 20) + 1);
  assert_non_null(big);
  memset(big, ' ', 1 << 20);
  write_bytes(f.bad_config, big, (1 << 20) + 1);
  free(big);
  refuses(&f, "a large file", TRM_E_FORMAT, "at most 1048576");
}

/* A field that is not there would be guessed. Only what the first release did not write may be
 * absent. */
static void absent_fields_are_refused(void **state) {
  /* A good configuration. */
  folders f = make_folders(*state);
  static const char *const optional[] = {"forward_dtype", "puzzle"};
  trm__json *root;
  trm_error err;
  int refused = 0;
  assert_int_equal(trm__json_load(f.good_config, 1 << 20, &root, &err), TRM_OK);

  /* Each of its fields is left out in turn. */
  for (size_t k = 0; k < trm__json_n_members(root); k++) {
    trm_model *m;
    const char *key = trm__json_key(root, k);
    trm__json_out o = trm__json_begin(TRM__JSON_INDENTED);
    trm__json_open(&o, NULL, '{');
    for (size_t i = 0; i < trm__json_n_members(root); i++)
      if (i != k) trm__json_put_value(&o, trm__json_key(root, i), trm__json_member(root, i));
    trm__json_close(&o);
    assert_int_equal(trm__json_save(f.bad_config, &o, NULL), TRM_OK);

    /* Without it the model is refused, but for those that an older release did not write. */
    if (strcmp(key, optional[0]) && strcmp(key, optional[1])) {
      char quoted[80];
      snprintf(quoted, sizeof quoted, "\"%s\"", key);
      refuses(&f, key, TRM_E_FORMAT, quoted);
      refused++;
    } else {
      if (trm_model_load(f.bad, &m, &err) != TRM_OK) fail_msg("%s", err.msg);
      trm_model_free(m);
    }
  }

  /* A new field is one that may be absent, so this number stays. */
  assert_int_equal(refused, 23);
  trm__json_free(root);
}

/* --- model.safetensors --- */

enum { MAX_TENSORS = 40, HEAD = 7 * 16 /* values of lm_head.weight */ };

/* The tensors of the good folder, to be changed and written to the bad one. */
typedef struct weights {
  trm__safetensors *file;
  trm__st_tensor t[MAX_TENSORS];
  int n, head;
  float *values; /* of lm_head.weight, to be spoilt */
} weights;

static weights open_weights(const folders *f) {
  weights w = {0};
  assert_int_equal(trm__safetensors_open(f->good_weights, &w.file, NULL), TRM_OK);
  assert_string_equal(trm__safetensors_meta(w.file, "format"), "pt");
  w.n = trm__safetensors_count(w.file);
  assert_in_range(w.n, 1, MAX_TENSORS - 1);
  for (int i = 0; i < w.n; i++) {
    w.t[i] = *trm__safetensors_at(w.file, i);
    assert_int_equal(w.t[i].dtype, TRM__F32);
    if (!strcmp(w.t[i].name, "lm_head.weight")) w.head = i;
  }
  assert_int_equal(w.t[w.head].count, HEAD);
  w.values = malloc(HEAD * sizeof *w.values);
  assert_non_null(w.values);
  memcpy(w.values, w.t[w.head].data, HEAD * sizeof *w.values);
  w.t[w.head].data = w.values;
  return w;
}

static void write_weights(const folders *f, weights *w) {
  assert_int_equal(trm__safetensors_save(f->bad_weights, w->t, w->n, NULL, 0, NULL), TRM_OK);
}

static void close_weights(weights *w) {
  trm__safetensors_close(w->file);
  free(w->values);
}

static void lose_tensor(weights *w) {
  w->t[w->head] = w->t[--w->n];
}
static void rename_tensor(weights *w) {
  w->t[w->head].name = "model.inner.lm_head.weight";
}
static void add_tensor(weights *w) {
  w->t[w->n] = w->t[w->head];
  w->t[w->n++].name = "H_level.layers.0.mlp.down_proj.weight";
}
static void transpose(weights *w) {
  w->t[w->head].shape[0] = 16;
  w->t[w->head].shape[1] = 7;
}
static void flatten(weights *w) {
  w->t[w->head].ndim = 1;
  w->t[w->head].shape[0] = HEAD;
}
static void deepen(weights *w) {
  w->t[w->head].ndim = 3;
  w->t[w->head].shape[2] = 1;
}
static void empty(weights *w) {
  w->t[w->head].shape[0] = 0;
}
static void integers(weights *w) {
  w->t[w->head].dtype = TRM__I32;
}
static void put_nan(weights *w) {
  w->values[37] = NAN;
}
static void put_infinity(weights *w) {
  w->values[HEAD - 1] = -INFINITY;
}
static void too_wide(weights *w) {
  static double wide[HEAD];
  wide[5] = 1e39;
  w->t[w->head].dtype = TRM__F64;
  w->t[w->head].data = wide;
}

static void false_weights_are_refused(void **state) {
  /* One fault of a tensor each: what is done to it, and what is said of it. */
  static const struct {
    const char *what;
    void (*spoil)(weights *);
    trm_status status;
    const char *word;
  } cases[] = {
      {"lost", lose_tensor, TRM_E_FORMAT, "no tensor \"lm_head.weight\" [7, 16]"},
      {"renamed", rename_tensor, TRM_E_FORMAT, "\"model.inner.lm_head.weight\" is none"},
      {"added", add_tensor, TRM_E_FORMAT, "\"H_level.layers.0.mlp.down_proj.weight\" is none"},
      {"transposed", transpose, TRM_E_SHAPE, "is [16, 7], but config.json beside it wants [7, 16]"},
      {"flat", flatten, TRM_E_SHAPE, "is [112], but"},
      {"deep", deepen, TRM_E_SHAPE, "is [7, 16, 1], but"},
      {"empty", empty, TRM_E_SHAPE, "is [0, 16], but"},
      {"integers", integers, TRM_E_FORMAT, "\"lm_head.weight\" is I32"},
      {"nan", put_nan, TRM_E_NUMERIC, "\"lm_head.weight\", element 37 is nan"},
      {"infinite", put_infinity, TRM_E_NUMERIC, "\"lm_head.weight\", element 111 is -inf"},
      {"wide", too_wide, TRM_E_NUMERIC, "\"lm_head.weight\", element 5 is inf"},
  };

  /* The message names the tensor, and both shapes where they differ. */
  folders f = make_folders(*state);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    weights w = open_weights(&f);
    cases[i].spoil(&w);
    write_weights(&f, &w);
    refuses(&f, cases[i].what, cases[i].status, cases[i].word);
    close_weights(&w);
  }

  /* A file that is cut, or empty. */
  size_t n;
  unsigned char *raw = read_bytes(f.good_weights, &n);
  write_bytes(f.bad_weights, raw, n - 1);
  refuses(&f, "cut", TRM_E_FORMAT, "model.safetensors");
  write_bytes(f.bad_weights, raw, 0);
  refuses(&f, "nothing", TRM_E_FORMAT, "model.safetensors");
  free(raw);
}

/* A head beside tied weights, and none beside weights that are not: either may be a mistake of the
 * configuration, and is said to be. */
static void weights_are_tied_or_have_a_head(void **state) {
  folders f = make_folders(*state);
  trm_model_config c = small_config(TRM_ARCH_TRM, 9);
  c.tie_embeddings = true;
  trm_model *m = small_model(&c, 1), *back;
  assert_int_equal(trm_model_save(m, f.bad, NULL), TRM_OK);
  assert_int_equal(trm_model_load(f.bad, &back, NULL), TRM_OK);
  assert_true(trm_model_get_config(back)->tie_embeddings && same_tensors(m, back));
  trm_model_free(back);

  weights w = open_weights(&f);
  write_weights(&f, &w); /* an untied model's, beside the configuration of a tied one */
  refuses(&f, "a head", TRM_E_FORMAT, "with tie_embeddings = true the token embedding is the head");
  close_weights(&w);
  size_t n;
  unsigned char *config = read_bytes(f.good_config, &n);
  assert_int_equal(trm_model_save(m, f.bad, NULL), TRM_OK);
  write_bytes(f.bad_config, config, n);
  refuses(&f, "no head", TRM_E_FORMAT, "the configuration has to say tie_embeddings = true");
  free(config);
  trm_model_free(m);
}

/* Values that every float type holds, written in each. */
static void other_float_types_are_converted(void **state) {
  /* The head of the model in other types. */
  folders f = make_folders(*state);
  static const trm__dtype types[] = {TRM__F64, TRM__BF16, TRM__F16};
  for (int k = 0; k < 3; k++) {
    weights w = open_weights(&f);
    unsigned char raw[HEAD * sizeof(double)];

    /* Values with five bits of fraction, which all of them hold. */
    for (int i = 0; i < HEAD; i++) {
      const float v = (float)(i % 32 - 16) / 16; /* five bits of fraction */
      const double d = (double)v;

      /* The bits of each type, made here by hand. */
      uint32_t bits;
      memcpy(&bits, &v, sizeof bits);
      const uint16_t bf16 = (uint16_t)(bits >> 16);
      const uint32_t exponent = (bits >> 23 & 255) - 112, sign = bits >> 16 & 0x8000;
      const uint16_t f16 = v == 0 ? 0 : (uint16_t)(sign | exponent << 10 | (bits >> 13 & 1023));
      const void *const forms[] = {&d, &bf16, &f16};
      size_t size = trm__dtype_size(types[k]);
      memcpy(raw + (size_t)i * size, forms[k], size);
    }

    /* The model is read with the values that were written. */
    w.t[w.head].dtype = types[k];
    w.t[w.head].data = raw;
    write_weights(&f, &w);
    close_weights(&w);
    trm_model *m;
    trm_error err;
    if (trm_model_load(f.bad, &m, &err) != TRM_OK) fail_msg("%s", err.msg);
    trm_tensor t = trm_model_tensor_named(m, "lm_head.weight");
    for (int i = 0; i < HEAD; i++) assert_true(t.data[i] == (float)(i % 32 - 16) / 16);
    trm_model_free(m);
  }
}

/* --- the folder --- */

static void what_is_no_model_folder_says_so(void **state) {
  folders f = make_folders(*state);
  assert_int_equal(remove(f.bad_weights), 0);
  refuses(&f, "no weights", TRM_E_IO, "it has no model.safetensors");
  assert_int_equal(remove(f.bad_config), 0);
  refuses(&f, "empty", TRM_E_IO, "it has no config.json. A model folder holds config.json");
  assert_int_equal(trm__remove_tree(f.bad, NULL), TRM_OK);
  refuses(&f, "absent", TRM_E_IO, "does not exist");
  write_bytes(f.bad, "x", 1);
  refuses(&f, "file", TRM_E_FORMAT, "a text, not a model: it begins");
  trm_model *m;
  trm_error err;
  assert_int_equal(trm_model_load("", &m, &err), TRM_E_IO);
  assert_int_equal(trm_model_load(f.good, &m, &err), TRM_OK);
  assert_int_equal(trm_model_save(m, f.bad, &err), TRM_E_IO); /* a file is in the way */
  assert_int_equal(remove(f.bad), 0);
  /* A place that cannot be written: config.json is a folder. The weights stay, no file is left. */
  assert_int_equal(trm__make_dirs(f.bad_config, &err), TRM_OK);
  assert_int_equal(trm_model_save(m, f.bad, &err), TRM_E_IO);
  assert_true(speaks_of(&err, "config.json"));
  trm_model_free(m);
  refuses(&f, "config.json is a folder", TRM_E_IO, "config.json");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(false_configurations_are_refused),
      cmocka_unit_test(what_is_no_configuration_is_refused),
      cmocka_unit_test(absent_fields_are_refused),
      cmocka_unit_test(false_weights_are_refused),
      cmocka_unit_test(weights_are_tied_or_have_a_head),
      cmocka_unit_test(other_float_types_are_converted),
      cmocka_unit_test(what_is_no_model_folder_says_so),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
