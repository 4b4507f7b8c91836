/* What puzzle ids mean: the fingerprint of their names, and models that are refused data whose ids
 * or tokens mean something else. Beside it what else is refused by name instead of used as an
 * index. */
#include "data/identity.h"

#include "puzzle/puzzle.h"
#include "small_data.h"
#include "small_model.h"

enum { LEN = 6, VOCAB = 7, IDS = 3 };

static const int32_t tokens[2 * LEN] = {1, 2, 3, 4, 5, 6, 1, 1, 1, 1, 1, 1}, ids[2] = {1, 2};

static char folder[160];

/* A data set of three ids with an identifiers.json of that text (NULL: none). */
static const char *make_data(scratch *s, const char *name, const char *text) {
  char path[240];
  snprintf(folder, sizeof folder, "%s/%s", s->dir, name);
  write_small_data(folder, 2, LEN, VOCAB, IDS, tokens, tokens, ids);
  snprintf(path, sizeof path, "%s/identifiers.json", folder);
  if (text)
    write_bytes(path, text, strlen(text));
  else
    (void)remove(path);
  return folder;
}

static uint64_t identity(scratch *s, const char *text) {
  uint64_t out;
  trm_error err;
  if (trm__identity_read(make_data(s, "d", text), &out, &err) != TRM_OK)
    fail_msg("%s: %s", text ? text : "", err.msg);
  return out;
}

/* --- the fingerprint --- */

static void names_count_not_how_they_are_written(void **state) {
  scratch *s = *state;

  /* Spaces, marks and escapes are the same name. */
  const uint64_t plain = identity(s, "[\"<blank>\",\"a\",\"b\xc3\xa9/\"]");
  assert_true(plain != 0);
  assert_true(identity(s, " [\n\"<blank>\" ,\t\"a\",\r\n \"b\xc3\xa9/\" ] \n") == plain);
  assert_true(identity(s, "\xef\xbb\xbf[\"<blank>\",\"a\",\"b\xc3\xa9/\"]") == plain);
  assert_true(identity(s, "[\"\\u003cblank\\u003E\",\"\\u0061\",\"b\\u00e9\\/\"]") == plain);
  assert_true(identity(s, "[\"\\ud83d\\ude00\\n\\\"\\\\\"]") ==
              identity(s, "[\"\xf0\x9f\x98\x80\\u000a\\u0022\\u005C\"]"));
  assert_true(identity(s, "[\"\\u20ac\"]") == identity(s, "[\"\xe2\x82\xac\"]"));

  /* Another order, other borders and empty names are not. */
  static const char *const others[] = {
      "[\"<blank>\",\"b\xc3\xa9/\",\"a\"]",      "[\"<blank>\",\"a\"]",
      "[\"<blank>\",\"ab\xc3\xa9/\"]",           "[\"<blank>\",\"ab\",\"\xc3\xa9/\"]",
      "[\"<blank>\",\"a\",\"b\xc3\xa9/\",\"\"]", "[\"\",\"<blank>\",\"a\",\"b\xc3\xa9/\"]"};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    assert_true(identity(s, others[i]) != plain);

  /* A long name of escapes, and one behind it. */
  enum { MANY = 1 << 20 };
  char *text = malloc(2 * MANY + 32);
  assert_non_null(text);
  size_t n = 0;
  text[n++] = '[';
  text[n++] = '"';
  for (int i = 0; i < MANY; i++) {
    text[n++] = '\\';
    text[n++] = i % 2 ? '"' : '\\';
  }
  memcpy(text + n, "\", \"x\"]", sizeof "\", \"x\"]");
  const uint64_t escaped = identity(s, text);
  text[2 * MANY + 1] = 't';
  assert_true(identity(s, text) != escaped);
  free(text);

  /* Name by name it is the same number. */
  static const char *const list[] = {"<blank>", "a", "b\xc3\xa9/"};
  trm__identity one_by_one = {0};
  for (int i = 0; i < 3; i++) trm__identity_add(&one_by_one, list[i], strlen(list[i]));
  assert_true(trm__identity_number(&one_by_one) == plain);
}

static void what_is_no_list_of_names_is_refused(void **state) {
  scratch *s = *state;

  /* Texts that are no list of names, and the byte at which that is seen. */
  static const struct {
    const char *text;
    int64_t byte;
  } cases[] = {{"", 0},
               {"{\"a\": 1}", 0},
               {"[", 1},
               {"[]", 1},
               {"[1]", 1},
               {"[\"a\"", 4},
               {"[\"a\",]", 5},
               {"[\"a\" \"b\"]", 5},
               {"[\"a\"]]", 5},
               {"[\"a", 2},
               {"[\"\\x\"]", 2},
               {"[\"\\u12g4\"]", 2},
               {"[\"\\u12\x10"
                "4\"]",
                2},
               {"[\"\\u123", 2},
               {"[\"\\", 2},
               {"[\"\\ud83d\"]", 8},
               {"[\"\\ude00\"]", 8},
               {"[\"\\ud83d\\u0041\"]", 8}};

  /* The fingerprint refuses them at that byte. */
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint64_t out;
    trm_error err = {0};
    const char *dir = make_data(s, "broken", cases[i].text);
    if (trm__identity_read(dir, &out, &err) != TRM_E_FORMAT || err.pos != cases[i].byte)
      fail_msg("case %zu: byte %lld: %s", i, (long long)err.pos, err.msg);

    /* So does the data set, with the file's name. */
    trm_dataset *d;
    assert_int_equal(trm_dataset_open(dir, "test", &d, &err), TRM_E_FORMAT);
    assert_null(d);
    assert_true(speaks_of(&err, "identifiers.json: byte "));
  }
}

static void it_is_known_where_there_are_names(void **state) {
  scratch *s = *state;
  trm_dataset *d;
  make_data(s, "named", "[\"<blank>\", \"a\", \"b\"]");
  d = open_small_data(folder);
  assert_true(trm_dataset_get_info(d)->identifiers == identity(s, "[\"<blank>\", \"a\", \"b\"]"));
  trm_dataset_free(d);
  d = open_small_data(make_data(s, "named", NULL));
  assert_true(trm_dataset_get_info(d)->identifiers == 0);
  trm_dataset_free(d);
  /* Of one id nobody reads it. */
  static const int32_t blank[2] = {0, 0};
  make_data(s, "named", "broken");
  write_small_data(folder, 2, LEN, VOCAB, 1, tokens, tokens, blank);
  d = open_small_data(folder);
  assert_true(trm_dataset_get_info(d)->identifiers == 0);
  trm_dataset_free(d);
}

/* --- models and data --- */

static trm_model_config config_of(uint64_t first, uint64_t second) {
  trm_model_config c = small_config(TRM_ARCH_TRM, LEN);
  c.identifiers[0] = first;
  c.identifiers[1] = second;
  return c;
}

static trm_status evaluates(const trm_model_config *c, const char *dir, trm_error *err) {
  trm_model *m = small_model(c, 3);
  trm_dataset *d = open_small_data(dir);
  trm_eval_report *report = malloc(sizeof *report);
  assert_non_null(report);
  const trm_status st =
      trm_evaluate(m, d, &(trm_eval_config){.steps = 1, .threads = 1}, report, err);
  free(report);
  trm_dataset_free(d);
  trm_model_free(m);
  return st;
}

static void other_ids_are_refused(void **state) {
  scratch *s = *state;
  trm_error err = {0};

  /* A model that knows these ids, one that knows them as new ones, one that knows none, and one
   * that needs none. */
  const uint64_t own = identity(s, "[\"<blank>\", \"a\", \"b\"]");
  make_data(s, "own", "[\"<blank>\",\"a\",\"b\"]");
  trm_model_config c = config_of(own, 0), other = config_of(own + 1, 0), two = config_of(7, own);
  trm_model_config unknown = config_of(0, 0), none = config_of(own + 1, 0), one = other;
  none.puzzle_emb_ndim = none.puzzle_emb_len = 0;
  assert_int_equal(evaluates(&c, folder, &err), TRM_OK);
  assert_int_equal(evaluates(&two, folder, &err), TRM_OK);
  assert_int_equal(evaluates(&unknown, folder, &err), TRM_OK);
  assert_int_equal(evaluates(&none, folder, &err), TRM_OK);

  /* A model that knows others is refused, with both fingerprints and what makes them. */
  assert_int_equal(evaluates(&other, folder, &err), TRM_E_SHAPE);
  assert_true(speaks_of(&err, "are not those that the model was trained with"));
  assert_true(speaks_of(&err, "same subsets, order, seed and copies"));
  char hex[20];
  snprintf(hex, sizeof hex, "%016llx", (unsigned long long)own);
  assert_true(speaks_of(&err, hex));

  make_data(s, "own", NULL);
  assert_int_equal(evaluates(&other, folder, &err), TRM_OK); /* the data do not say */

  /* In doubt are other numbers of ids, where they matter and nothing is known. */
  trm_dataset_info info = {.num_puzzle_identifiers = 2, .identifiers = own};
  assert_false(trm_model_ids_unsure(&c, &info));
  assert_true(trm_model_ids_unsure(&unknown, &info));
  info.identifiers = 0;
  assert_true(trm_model_ids_unsure(&c, &info));
  assert_false(trm_model_ids_unsure(&none, &info));
  info.num_puzzle_identifiers = IDS;
  assert_false(trm_model_ids_unsure(&c, &info));
  one.num_puzzle_identifiers = info.num_puzzle_identifiers = 1;
  assert_false(trm_model_ids_unsure(&one, &info));
}

static void tokens_of_another_meaning_are_refused(void **state) {
  (void)state;

  /* A model and data of one vocabulary, and symbols of which two are swapped. */
  trm_model_config m = small_config(TRM_ARCH_TRM, 12);
  trm_dataset_info d = {.vocab_size = 6, .seq_len = 12, .num_puzzle_identifiers = 1};
  trm_error err;
  m.vocab_size = 6;
  static const char *const symbols[] = {"#", " ", "S", "G", "o"};
  trm_puzzle grid = {.kind = TRM_PUZZLE_GRID, .rows = 3, .cols = 4}, turned = grid;
  for (int i = 0; i < 5; i++) {
    assert_true(trm__puzzle_add_symbol(&grid, symbols[i]));
    assert_true(trm__puzzle_add_symbol(&turned, symbols[i == 2 ? 3 : i == 3 ? 2 : i]));
  }

  /* What is not a matter of tokens may differ. */
  m.puzzle = d.puzzle = grid;
  assert_int_equal(trm_model_check_data(&m, &d, &err), TRM_OK);
  snprintf(d.puzzle.rules, sizeof d.puzzle.rules, "latin"); /* no matter of tokens */
  assert_int_equal(trm_model_check_data(&m, &d, &err), TRM_OK);

  /* A token of another meaning is named with both. */
  d.puzzle = turned;
  assert_int_equal(trm_model_check_data(&m, &d, &err), TRM_E_SHAPE);
  assert_true(speaks_of(&err, "token 3 is 'G' in the data, 'S' in the model"));

  /* So is another kind or shape of puzzle. */
  d.puzzle = (trm_puzzle){.kind = TRM_PUZZLE_MAZE, .rows = 3, .cols = 4};
  assert_int_equal(trm_model_check_data(&m, &d, &err), TRM_E_SHAPE);
  assert_true(speaks_of(&err, "the data: kind maze, 3 x 4 cells; the model: kind grid"));
  m.puzzle = (trm_puzzle){.kind = TRM_PUZZLE_MAZE, .rows = 4, .cols = 3};
  assert_int_equal(trm_model_check_data(&m, &d, &err), TRM_E_SHAPE);

  /* A model that knows nothing of its puzzle takes any. */
  m.puzzle = (trm_puzzle){0};
  assert_int_equal(trm_model_check_data(&m, &d, &err), TRM_OK);

  /* Boxes that lie the other way are another puzzle. */
  m.puzzle = d.puzzle = trm_sudoku_of_size(6);
  m.seq_len = d.seq_len = 36;
  m.puzzle.box_rows = d.puzzle.box_cols;
  m.puzzle.box_cols = d.puzzle.box_rows;
  assert_int_equal(trm_model_check_data(&m, &d, &err), TRM_E_SHAPE);
  assert_true(speaks_of(&err, "boxes of"));
}

static trm_model *load(const char *path) {
  trm_model *m;
  trm_error err;
  if (trm_model_load(path, &m, &err) != TRM_OK) fail_msg("%s", err.msg);
  return m;
}

static void wants_identifiers(const trm_model *m, uint64_t first, uint64_t second) {
  const trm_model_config *c = trm_model_get_config(m);
  assert_true(c->identifiers[0] == first && c->identifiers[1] == second && !c->identifiers[2]);
}

static void files_and_copies_keep_it(void **state) {
  scratch *s = *state;
  char dir[160], file[160];
  const int32_t some[] = {1};

  /* A model that knows two lists. */
  const uint64_t first = UINT64_C(0xfedcba9876543210), second = 1;
  trm_model_config c = config_of(first, second);
  trm_model *m = small_model(&c, 3), *back, *kept;
  snprintf(dir, sizeof dir, "%s/model", s->dir);
  snprintf(file, sizeof file, "%s/model.safetensors", s->dir);
  assert_int_equal(trm_model_save(m, dir, NULL), TRM_OK);
  assert_int_equal(trm_model_export(m, file, TRM_FILE_SAFETENSORS, TRM_BFLOAT16, NULL), TRM_OK);

  /* In a folder, in one file, and after rows were left out. */
  back = load(dir);
  wants_identifiers(back, first, second);
  trm_model_free(back);
  back = load(file);
  wants_identifiers(back, first, second);
  assert_int_equal(trm_model_keep_puzzle_ids(back, some, 1, &kept, NULL), TRM_OK);
  wants_identifiers(kept, first, second);
  trm_model_free(kept);
  trm_model_free(back);

  /* What is written by hand must be whole. */
  static const char *const broken[] = {"[]",
                                       "\"fedcba9876543210\"",
                                       "[\"fedcba987654321\"]",
                                       "[\"FEDCBA9876543210\"]",
                                       "[\"0000000000000000\"]",
                                       "[1]"};
  char path[240], text[4096];
  snprintf(path, sizeof path, "%s/config.json", dir);
  size_t n;
  unsigned char *whole = read_bytes(path, &n);
  char *list = strstr((char *)whole, "\"identifiers\":");
  assert_non_null(list);
  for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
    trm_error err;
    snprintf(text, sizeof text, "%.*s\"identifiers\": %s}", (int)(list - (char *)whole), whole,
             broken[i]);
    write_bytes(path, text, strlen(text));
    assert_int_equal(trm_model_load(dir, &back, &err), TRM_E_FORMAT);
    assert_true(speaks_of(&err, "16 hexadecimal digits"));
  }
  free(whole);
  trm_model_free(m);
}

/* Embeddings go from id to id only where ids mean the same. */
static void embeddings_of_other_ids_are_not_taken_over(void **state) {
  (void)state;

  /* A model with weights, and three to take them over: the same ids, unknown ones, and others. */
  const trm_model_config a = config_of(5, 0), b = config_of(6, 0), unknown = config_of(0, 0);
  trm_model *from = small_model(&a, 3), *to;
  const trm_tensor have = trm_model_tensor_named(from, "puzzle_emb.weights");
  const trm_model_config *const cases[] = {&a, &unknown, &b};
  for (int i = 0; i < 3; i++) {
    /* A copy of the weights. */
    bool reset;
    assert_int_equal(trm_model_create(cases[i], 9, &to, NULL), TRM_OK);
    assert_int_equal(trm_model_copy_weights(to, from, &reset, NULL), TRM_OK);

    /* Only ids that are known to be others start from the mean of all; else each keeps its row. */
    const trm_tensor got = trm_model_tensor_named(to, "puzzle_emb.weights");
    assert_int_equal(reset, cases[i] == &b);
    for (int64_t k = 0; k < got.shape[1]; k++) {
      const float mean =
          (have.data[k] + have.data[have.shape[1] + k] + have.data[2 * have.shape[1] + k]) / 3;
      if (reset)
        assert_true(got.data[k] > mean - 1e-6f && got.data[k] < mean + 1e-6f);
      else
        assert_true(got.data[k] == have.data[k]);
    }
    trm_model_free(to);
  }
  trm_model_free(from);
}

static void a_tuned_model_knows_its_new_ids(void **state) {
  scratch *s = *state;

  /* A model that knows its ids, and data with names of their own. */
  const trm_model_config c = config_of(5, 6);
  trm_model *m = small_model(&c, 3), *tuned;
  make_data(s, "new", "[\"<blank>\", \"x\", \"y\"]");
  trm_dataset *d;
  char train[200], test[200];
  snprintf(test, sizeof test, "%s/test", folder);
  snprintf(train, sizeof train, "%s/train", folder);
  assert_int_equal(rename(test, train), 0);

  /* One step of fine-tuning on them. */
  assert_int_equal(trm_dataset_open(folder, "train", &d, NULL), TRM_OK);
  trm_finetune_config tune = trm_finetune_config_default();
  tune.steps = 1;
  tune.threads = 1;
  trm_error err;
  if (trm_finetune(m, d, &tune, &tuned, &err) != TRM_OK) fail_msg("%s", err.msg);

  /* Its ids are those of the data from then on. */
  wants_identifiers(tuned, trm_dataset_get_info(d)->identifiers, 0);
  assert_true(trm_dataset_get_info(d)->identifiers != 0);
  trm_model_free(tuned);
  trm_dataset_free(d);
  trm_model_free(m);
}

/* --- what used to be an index --- */

static void a_peeked_model_computes_nothing(void **state) {
  scratch *s = *state;

  /* A model on disk, of which only the configuration is read. */
  char dir[160], out[160];
  const trm_model_config c = small_config(TRM_ARCH_TRM, LEN);
  const int32_t some[] = {1};
  trm_error err;
  trm_model *m = small_model(&c, 3), *peeked, *none;
  trm_solver *solver;
  trm_trainer *trainer;
  trm_trainer_config t = trm_trainer_config_default();
  t.batch_size = 1;
  t.threads = 1;
  snprintf(dir, sizeof dir, "%s/whole", s->dir);
  snprintf(out, sizeof out, "%s/peeked", s->dir);
  assert_int_equal(trm_model_save(m, dir, NULL), TRM_OK);
  assert_int_equal(trm_model_peek(dir, NULL, &peeked, NULL), TRM_OK);

/* Whatever needs its weights is refused, in the same words: */
#define REFUSED(call)                       \
  assert_int_equal((call), TRM_E_ARGUMENT); \
  assert_true(speaks_of(&err, "only peeked at"))

  /* computing, */
  REFUSED(trm_solver_create(peeked, &(trm_solver_config){.threads = 1}, &solver, &err));
  REFUSED(trm_trainer_create(peeked, &t, &trainer, &err));

  /* copying, */
  REFUSED(trm_model_clone(peeked, &none, &err));
  REFUSED(trm_model_keep_puzzle_ids(peeked, some, 1, &none, &err));
  REFUSED(trm_model_copy_weights(m, peeked, NULL, &err));
  REFUSED(trm_model_copy_weights(peeked, m, NULL, &err));

  /* writing, */
  REFUSED(trm_model_save(peeked, out, &err));
  REFUSED(trm_model_export(peeked, out, TRM_FILE_TORCH, TRM_FLOAT32, &err));

  /* and scoring and tuning on data. */
  make_data(s, "peek", NULL);
  trm_dataset *d = open_small_data(folder);
  trm_eval_report *report = malloc(sizeof *report);
  const trm_finetune_config tune = trm_finetune_config_default();
  assert_non_null(report);
  REFUSED(trm_evaluate(peeked, d, &(trm_eval_config){.threads = 1}, report, &err));
  REFUSED(trm_finetune(peeked, d, &tune, &none, &err));
  free(report);
  trm_dataset_free(d);
  trm_model_free(peeked);
  trm_model_free(m);
}

static void values_outside_of_an_enumeration_are_refused(void **state) {
  scratch *s = *state;

  /* Values that a caller in another language may send. */
  char name[16];
  trm_error err;
  const trm_model_config c = small_config(TRM_ARCH_TRM, LEN);
  trm_model *m = small_model(&c, 3);

  /* A number format: the model keeps its own. */
  for (int i = 0; i < 2; i++)
    assert_int_equal(trm_model_set_dtype(m, (trm_dtype)(i ? -1 : TRM_DTYPES), &err),
                     TRM_E_ARGUMENT);
  assert_int_equal(trm_model_get_config(m)->forward_dtype, TRM_FLOAT32);

  /* A device: it has a name for messages, and is refused. */
  const trm_device device = {.kind = (trm_device_kind)1000};
  trm_solver *solver;
  trm_device_name(device, name, sizeof name);
  assert_string_equal(name, "unknown");
  assert_int_equal(trm_solver_create(m, &(trm_solver_config){.device = device}, &solver, &err),
                   TRM_E_ARGUMENT);
  trm_model_free(m);

  /* A way of augmenting. */
  make_data(s, "augment", NULL);
  const trm_dataset *d = open_small_data(folder);
  const trm_stream_config config = {
      .batch_size = 1, .epochs_per_iter = 1, .augment = (trm_augment)2};
  trm_stream *stream;
  assert_int_equal(trm_stream_create(&d, 1, &config, &stream, &err), TRM_E_ARGUMENT);
  trm_dataset_free((trm_dataset *)(uintptr_t)d);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_count_not_how_they_are_written),
      cmocka_unit_test(what_is_no_list_of_names_is_refused),
      cmocka_unit_test(it_is_known_where_there_are_names),
      cmocka_unit_test(other_ids_are_refused),
      cmocka_unit_test(tokens_of_another_meaning_are_refused),
      cmocka_unit_test(files_and_copies_keep_it),
      cmocka_unit_test(embeddings_of_other_ids_are_not_taken_over),
      cmocka_unit_test(a_tuned_model_knows_its_new_ids),
      cmocka_unit_test(a_peeked_model_computes_nothing),
      cmocka_unit_test(values_outside_of_an_enumeration_are_refused),
  };
  return cmocka_run_group_tests_name("identity", tests, scratch_open, scratch_close);
}
