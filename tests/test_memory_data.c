/* Models and data from memory are what they would be from files, and are checked as these are. */
#include "folder.h"
#include "small_model.h"
#include "trm/dataset.h"
#include "trm/sudoku.h"

/* --- data --- */

typedef struct arrays {
  folder f;
  int64_t puzzle_indices[FOLDER_ROWS + 1], group_indices[FOLDER_ROWS + 1];
  trm_dataset_arrays a;
} arrays;

static void fill(arrays *x) {
  x->f = folder_good();
  for (int i = 0; i <= FOLDER_ROWS; i++) {
    x->puzzle_indices[i] = x->f.puzzle_indices[i];
    x->group_indices[i] = x->f.group_indices[i];
  }
  x->a = (trm_dataset_arrays){.vocab_size = FOLDER_VOCAB,
                              .seq_len = FOLDER_LEN,
                              .num_puzzle_identifiers = 3,
                              .examples = FOLDER_ROWS,
                              .puzzles = 6,
                              .groups = 4,
                              .inputs = x->f.inputs,
                              .labels = x->f.labels,
                              .puzzle_identifiers = x->f.ids,
                              .puzzle_indices = x->puzzle_indices,
                              .group_indices = x->group_indices};
}

static trm_dataset *made_of(const trm_dataset_arrays *a) {
  trm_dataset *d;
  trm_error err;
  if (trm_dataset_from_arrays(a, &d, &err) != TRM_OK) fail_msg("%s", err.msg);
  return d;
}

static void arrays_are_as_a_folder(void **state) {
  /* The same arrays in memory and in a folder. */
  scratch *s = *state;
  arrays x;
  uint64_t left, right;
  trm_dataset *file;
  fill(&x);
  folder_write(&x.f, scratch_path(s, "set"), "train");
  assert_int_equal(trm_dataset_open(scratch_path(s, "set"), "train", &file, NULL), TRM_OK);
  trm_dataset *memory = made_of(&x.a);

  /* What is known of both. */
  const trm_dataset_info *have = trm_dataset_get_info(memory), *want = trm_dataset_get_info(file);
  assert_int_equal(have->examples, want->examples);
  assert_int_equal(have->puzzles, want->puzzles);
  assert_int_equal(have->groups, want->groups);
  assert_true(have->mean_puzzle_examples == want->mean_puzzle_examples);
  assert_int_equal(have->puzzle.kind, TRM_PUZZLE_SUDOKU); /* known by the examples */

  /* The same puzzles by their fingerprint, and each example. */
  assert_int_equal(trm_dataset_fingerprint(memory, &left, NULL), TRM_OK);
  assert_int_equal(trm_dataset_fingerprint(file, &right, NULL), TRM_OK);
  assert_true(left == right);
  for (int64_t i = 0; i < have->examples; i++) {
    int32_t got[2 * FOLDER_LEN + 1], wanted[2 * FOLDER_LEN + 1];
    trm_dataset_example(memory, i, got, got + FOLDER_LEN, got + 2 * FOLDER_LEN);
    trm_dataset_example(file, i, wanted, wanted + FOLDER_LEN, wanted + 2 * FOLDER_LEN);
    assert_memory_equal(got, wanted, sizeof got);
  }
  trm_dataset_free(memory);
  trm_dataset_free(file);
}

/* Without indices every example is a puzzle, and every puzzle a group; without ids all are 0. */
static void what_is_not_said_is_single(void **state) {
  /* Only inputs and labels. */
  (void)state;
  arrays x;
  int32_t id;
  fill(&x);
  x.a.puzzle_indices = x.a.group_indices = NULL;
  x.a.puzzle_identifiers = NULL;
  x.a.num_puzzle_identifiers = 0;
  x.a.puzzles = x.a.groups = 0;

  /* Every example stands for itself, with id 0. */
  trm_dataset *d = made_of(&x.a);
  const trm_dataset_info *info = trm_dataset_get_info(d);
  assert_int_equal(info->puzzles, FOLDER_ROWS);
  assert_int_equal(info->groups, FOLDER_ROWS);
  assert_int_equal(info->num_puzzle_identifiers, 1);
  trm_dataset_example(d, FOLDER_ROWS - 1, NULL, NULL, &id);
  assert_int_equal(id, 0);
  trm_dataset_free(d);

  /* Ids without a count are counted, and an ignored label is no class. */
  fill(&x);
  x.a.num_puzzle_identifiers = 0;
  x.f.labels[7] = TRM_IGNORE_LABEL;
  d = made_of(&x.a);
  assert_int_equal(trm_dataset_get_info(d)->num_puzzle_identifiers, 3);
  trm_dataset_free(d);
}

/* Saved and opened again, a data set is what it was: of a byte a token and of more, with labels
 * that are ignored, of a part, and with names of its ids. */
static void saved_arrays_come_back(void **state) {
  static const char *const names[] = {"<blank>", "one", "t\"wo"};
  scratch *s = *state;
  for (int wide = 0; wide < 2; wide++) {
    arrays x;
    fill(&x);
    x.a.puzzle = trm_sudoku_of_size(4);
    if (wide) x.a.puzzle = (trm_puzzle){.kind = TRM_PUZZLE_NONE};
    if (wide) x.a.vocab_size = 1000;
    if (wide) x.f.inputs[3] = 999;
    x.f.labels[7] = TRM_IGNORE_LABEL;
    trm_dataset *all = made_of(&x.a), *rest, *held, *back;
    trm_error err;
    assert_int_equal(trm_dataset_split(all, 0.4, 1, &rest, &held, NULL), TRM_OK);
    if (trm_dataset_save(rest, held, wide ? NULL : names, scratch_path(s, "saved"), &err))
      fail_msg("%s", err.msg);

    for (int part = 0; part < 2; part++) {
      const trm_dataset *of = part ? held : rest;
      uint64_t left, right;
      if (trm_dataset_open(scratch_path(s, "saved"), part ? "test" : "train", &back, &err))
        fail_msg("%s", err.msg);
      assert_int_equal(trm_dataset_fingerprint(of, &left, NULL), TRM_OK);
      assert_int_equal(trm_dataset_fingerprint(back, &right, NULL), TRM_OK);
      assert_true(left == right);
      const trm_dataset_info *a = trm_dataset_get_info(of), *b = trm_dataset_get_info(back);
      assert_true(a->puzzles == b->puzzles && a->groups == b->groups &&
                  a->vocab_size == b->vocab_size && a->puzzle.kind == b->puzzle.kind);
      assert_int_equal(b->num_puzzle_identifiers, 3);
      assert_true((b->identifiers != 0) == !wide);
      for (int64_t i = 0; i < a->examples; i++) {
        int32_t want[2 * FOLDER_LEN + 1], got[2 * FOLDER_LEN + 1];
        trm_dataset_example(of, i, want, want + FOLDER_LEN, want + 2 * FOLDER_LEN);
        trm_dataset_example(back, i, got, got + FOLDER_LEN, got + 2 * FOLDER_LEN);
        assert_memory_equal(got, want, sizeof got);
      }
      trm_dataset_free(back);
    }
    trm_dataset_free(rest);
    trm_dataset_free(held);
    trm_dataset_free(all);
  }
}

static void what_cannot_be_saved_is_refused(void **state) {
  scratch *s = *state;
  arrays x, y;
  trm_error err;
  fill(&x);
  fill(&y);
  y.a.vocab_size = 7;
  trm_dataset *a = made_of(&x.a), *b = made_of(&y.a);

  /* Splits of two kinds. */
  assert_int_equal(trm_dataset_save(a, b, NULL, scratch_path(s, "two"), &err), TRM_E_SHAPE);
  assert_true(speaks_of(&err, "vocab_size"));
  assert_false(trm__path_exists(scratch_path(s, "two")));

  /* Names that are none, or that no JSON can hold. */
  const char *names[] = {"<blank>", NULL, "three"};
  for (int i = 0; i < 2; i++, names[1] = "tw\xf6") {
    assert_int_equal(trm_dataset_save(a, NULL, names, scratch_path(s, "two"), &err),
                     TRM_E_ARGUMENT);
    assert_int_equal(err.pos, 1);
    assert_true(speaks_of(&err, i ? "id 1 is not UTF-8" : "none of id 1"));
  }

  /* Splits whose ids are called otherwise: one model's embeddings would be of both. */
  trm_dataset *called[2];
  for (int i = 0; i < 2; i++) {
    const char *const dir = scratch_path(s, i ? "others" : "ones");
    const char *const ids[] = {"<blank>", i ? "b" : "a", "c"};
    assert_int_equal(trm_dataset_save(a, NULL, ids, dir, &err), TRM_OK);
    assert_int_equal(trm_dataset_open(dir, "train", &called[i], &err), TRM_OK);
  }
  assert_int_equal(trm_dataset_save(called[0], called[1], NULL, scratch_path(s, "two"), &err),
                   TRM_E_SHAPE);
  assert_true(speaks_of(&err, "have other names"));
  assert_false(trm__path_exists(scratch_path(s, "two")));
  trm_dataset_free(called[0]);
  trm_dataset_free(called[1]);

  /* A folder of somebody else. */
  assert_int_equal(trm__make_dirs(scratch_path(s, "letters"), NULL), TRM_OK);
  write_bytes(scratch_path(s, "letters/one.txt"), "dear", 4);
  assert_int_equal(trm_dataset_save(a, NULL, NULL, scratch_path(s, "letters"), &err), TRM_E_IO);
  assert_true(trm__path_exists(scratch_path(s, "letters/one.txt")));
  trm_dataset_free(a);
  trm_dataset_free(b);
}

static void refuses(const trm_dataset_arrays *a, trm_status status, const char *words) {
  trm_dataset *d;
  trm_error err;
  assert_int_equal(trm_dataset_from_arrays(a, &d, &err), status);
  if (!speaks_of(&err, words)) fail_msg("'%s' does not say '%s'", err.msg, words);
  assert_null(d);
}

/* A few examples of a model with many ids; where nobody says how many, so many are free, and more
 * where there are as many puzzles. */
static void many_ids_are_said_or_have_puzzles(void **state) {
  enum { N = (1 << 16) + 1 };
  (void)state;
  arrays x;
  fill(&x);

  /* Said: any id below the number. */
  x.f.ids[4] = 876405;
  x.a.num_puzzle_identifiers = 876406;
  trm_dataset *d = made_of(&x.a);
  assert_int_equal(trm_dataset_get_info(d)->num_puzzle_identifiers, 876406);
  trm_dataset_free(d);

  /* Not said: the largest id that a data set may name for nothing. */
  x.f.ids[4] = (1 << 16) - 1;
  x.a.num_puzzle_identifiers = 0;
  trm_dataset_free(made_of(&x.a));

  /* Not said, but as many puzzles as ids. */
  int32_t *tokens = calloc(2 * N, sizeof *tokens);
  assert_non_null(tokens);
  tokens[2 * N - 1] = N;
  const trm_dataset_arrays many = {.vocab_size = FOLDER_VOCAB,
                                   .seq_len = 1,
                                   .examples = N,
                                   .puzzles = N,
                                   .inputs = tokens,
                                   .labels = tokens,
                                   .puzzle_identifiers = tokens + N};
  trm_dataset_free(made_of(&many));
  free(tokens);
}

static void wrong_arrays_are_refused(void **state) {
  /* One change of good arrays each, and the words that tell it. */
  (void)state;
  arrays x;
#define WRONG(change, status, words) \
  do {                               \
    fill(&x);                        \
    change;                          \
    refuses(&x.a, status, words);    \
  } while (0)

  /* Values: the array, the row and the column are named. */
  WRONG(x.f.inputs[17] = FOLDER_VOCAB, TRM_E_RANGE, "inputs row 1 column 1: token 6");
  WRONG(x.f.labels[33] = -1, TRM_E_RANGE, "labels row 2 column 1: label -1");
  WRONG(x.f.ids[4] = 3, TRM_E_RANGE, "puzzle_identifiers row 4: id 3");
  WRONG(x.puzzle_indices[6] = 11, TRM_E_RANGE, "puzzle_indices row 6: the last entry is 11");
  WRONG(x.group_indices[2] = 0, TRM_E_RANGE, "group_indices row 2: 0, want 1 to 6");

  /* Counts and sizes. */
  WRONG((x.a.num_puzzle_identifiers = 0, x.f.ids[4] = 1 << 16), TRM_E_RANGE,
        "the largest id is 65536, but there are 6 puzzles");
  WRONG(x.a.vocab_size = 0, TRM_E_ARGUMENT, "vocab_size = 0");
  WRONG(x.a.seq_len = -1, TRM_E_ARGUMENT, "seq_len = -1");
  WRONG(x.a.examples = 0, TRM_E_ARGUMENT, "examples = 0");
  WRONG(x.a.groups = -1, TRM_E_ARGUMENT, "groups = -1");
  WRONG(x.a.puzzles = (int64_t)1 << 40, TRM_E_ARGUMENT, "2^31 - 1");

  /* What is missing, or does not fit the shape. */
  WRONG(x.a.labels = NULL, TRM_E_ARGUMENT, "with inputs and labels");
  WRONG((x.a.puzzle = (trm_puzzle){.kind = TRM_PUZZLE_MAZE, .rows = 5, .cols = 5}), TRM_E_CONFIG,
        "puzzle");
#undef WRONG
}

/* --- models --- */

static void a_model_is_what_its_file_is(void **state) {
  /* A model as one file, read into memory at an odd address. */
  scratch *s = *state;
  const trm_model_config c = small_config(TRM_ARCH_HRM, 5);
  trm_model *m = small_model(&c, 4), *copy;
  trm_error err;
  size_t n;
  const char *path = scratch_path(s, "m.safetensors");
  assert_int_equal(trm_model_export(m, path, TRM_FILE_SAFETENSORS, TRM_FLOAT32, NULL), TRM_OK);
  unsigned char *file = read_bytes(path, &n), *odd = malloc(n + 1);
  assert_non_null(odd);
  memcpy(odd + 1, file, n);

  /* Loaded from there, the caller may use the memory again. */
  assert_int_equal(trm_model_load_memory(odd + 1, n, "a name", &copy, &err), TRM_OK);
  memset(odd, 0xff, n + 1); /* it is not needed any more */
  assert_int_equal(trm_model_get_config(copy)->arch, TRM_ARCH_HRM);

  /* The weights are those of the model. */
  assert_true(same_tensors(copy, m));
  trm_model_free(copy);
  free(file);
  free(odd);
  trm_model_free(m);
}

/* Whatever is missing at the end is noticed, under the name that the caller gave. */
static void a_cut_model_is_refused(void **state) {
  scratch *s = *state;
  const trm_model_config c = small_config(TRM_ARCH_HRM, 5);
  trm_model *m = small_model(&c, 4), *copy;
  trm_error err;
  size_t n;
  const char *path = scratch_path(s, "m.safetensors");
  assert_int_equal(trm_model_export(m, path, TRM_FILE_SAFETENSORS, TRM_FLOAT32, NULL), TRM_OK);
  unsigned char *file = read_bytes(path, &n);
  for (size_t cut = 0; cut < n; cut += 1 + n / 97) {
    assert_int_equal(trm_model_load_memory(file, cut, "a name", &copy, &err), TRM_E_FORMAT);
    assert_true(speaks_of(&err, "a name"));
    assert_null(copy);
  }
  free(file);
  trm_model_free(m);
}

/* The weights of a folder do not say what they are. */
static void weights_alone_are_refused(void **state) {
  scratch *s = *state;
  const trm_model_config c = small_config(TRM_ARCH_TRM, 5);
  trm_model *m = small_model(&c, 4), *copy;
  trm_error err;
  size_t n;
  assert_int_equal(trm_model_save(m, scratch_path(s, "model"), NULL), TRM_OK);
  unsigned char *file = read_bytes(scratch_path(s, "model/model.safetensors"), &n);
  assert_int_equal(trm_model_load_memory(file, n, "weights", &copy, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, "weights: no trm_config in its metadata"));
  free(file);
  trm_model_free(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(arrays_are_as_a_folder),
      cmocka_unit_test(what_is_not_said_is_single),
      cmocka_unit_test(saved_arrays_come_back),
      cmocka_unit_test(what_cannot_be_saved_is_refused),
      cmocka_unit_test(many_ids_are_said_or_have_puzzles),
      cmocka_unit_test(wrong_arrays_are_refused),
      cmocka_unit_test(a_model_is_what_its_file_is),
      cmocka_unit_test(a_cut_model_is_refused),
      cmocka_unit_test(weights_alone_are_refused),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
