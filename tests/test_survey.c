/* What is counted in a data set folder, and what verifying it finds wrong. */
#include "small_sets.h"

#include "data/canonical.h"

static trm_survey survey_of(const char *dir) {
  trm_survey s;
  trm_error err;
  if (trm_dataset_survey(dir, NULL, &s, &err) != TRM_OK) fail_msg("%s", err.msg);
  return s;
}

static void sudokus_are_compared_up_to_their_symmetries(void **state) {
  const char *dir = scratch_path(*state, "sudoku");
  write_sudoku_set(dir);
  trm_survey s = survey_of(dir);
  assert_true(s.has_train && s.has_test && s.symmetric);
  assert_int_equal(s.train.info.examples, 3);
  assert_int_equal(s.train.copies, 1);
  assert_int_equal(s.train.ids, 1);
  assert_int_equal(s.train.originals, 2);
  assert_int_equal(s.train.repeated, 0);
  assert_int_equal(s.train.images, 0);
  assert_int_equal(s.test.images, 1);
  assert_int_equal(s.overlap, 1);
  assert_int_equal(s.overlap_originals, 2);
  assert_int_equal(s.test.sizes, 1);
  assert_int_equal(s.test.size[0].count, 3);
  trm_survey_config few = {.max_groups = 1};
  assert_int_equal(trm_dataset_survey(dir, &few, &s, NULL), TRM_OK);
  assert_int_equal(s.train.compared, 2);
  assert_int_equal(s.test.compared, 1);
}

static void mazes_are_compared_turned_and_mirrored(void **state) {
  const char *dir = scratch_path(*state, "maze");
  write_maze_set(dir);
  trm_survey s = survey_of(dir);
  assert_int_equal(s.overlap, 0);
  assert_int_equal(s.overlap_originals, 1);
  assert_int_equal(s.train.images, 0);
}

/* The images that keep the shape of a maze that is not square. */
static void all_images_of_a_maze_have_one_key(void **state) {
  (void)state;
  static const char *const images[] = {"S.#/..G", "#.S/G..", "..G/S.#", "G../#.S"};
  trm_puzzle p = {.kind = TRM_PUZZLE_MAZE, .rows = 2, .cols = 3};
  trm__grid_key first = {0};
  for (int i = 0; i < 4; i++) {
    trm__canonizer c = {0};
    int32_t tokens[6];
    set_tokens(&p, images[i], 0, tokens);
    assert_int_equal(trm__canonizer_init(&c, &p, 6, NULL), TRM_OK);
    trm__grid_key key = trm__canonical_key(&c, tokens);
    if (i == 0) first = key;
    assert_true(key.a == first.a && key.b == first.b);
    tokens[0] = 5;
    key = trm__canonical_key(&c, tokens);
    assert_true(key.a != first.a && key.b != first.b);
    trm__canonizer_free(&c);
  }
}

/* By what the user declared, and not at all without it. */
static void grids_are_compared_by_declared_symmetries(void **state) {
  const char *dir = scratch_path(*state, "declared");
  trm_puzzle p = {.kind = TRM_PUZZLE_GRID, .rows = 3, .cols = 3, .sized = true};
  static const char *const symbols[] = {"0", "1", "2", "3"};
  for (int i = 0; i < 4; i++) assert_true(trm__puzzle_add_symbol(&p, symbols[i]));
  const small_split train = {.question = {"012"}, .answer = {"0"}},
                    test = {.question = {"3/1/0", "1/0"},
                            .answer = {"0", "1"},
                            .puzzle = {0, 1},
                            .group = {0, 1}};
  for (int declared = 0; declared < 2; declared++) {
    strcpy(p.symmetries, declared ? "dihedral,permute:1-3" : "");
    write_split(dir, "train", &p, 1, &train);
    write_split(dir, "test", &p, 1, &test);
    trm_survey s = survey_of(dir);
    assert_int_equal(s.symmetric, declared);
    assert_int_equal(s.overlap, 0);
    assert_int_equal(s.overlap_originals, declared);
  }
}

/* Wherever the grids lie, and without the copies. */
static void arc_is_compared_by_pairs_of_originals(void **state) {
  const char *dir = scratch_path(*state, "arc");
  write_arc_set(dir);
  trm_survey s = survey_of(dir);
  assert_false(s.symmetric);
  assert_int_equal(s.train.info.examples, 4);
  assert_int_equal(s.train.compared, 3);
  assert_int_equal(s.train.copies, 1);
  assert_int_equal(s.train.ids, 3);
  assert_int_equal(s.train.least_examples, 1);
  assert_int_equal(s.train.most_examples, 2);
  assert_int_equal(s.overlap, 1);
  assert_int_equal(s.train.sizes, 3);
  assert_int_equal(s.test.sizes, 2);
  assert_int_equal(s.test.size[0].count, 1);
  assert_int_equal(s.test.size[0].rows, 2);
  assert_int_equal(s.test.size[0].cols, 2);
}

static bool stop(void *arg, int64_t done, int64_t total) {
  (void)done;
  (void)total;
  return --*(int *)arg > 0;
}

static void what_cannot_be_looked_at_is_said(void **state) {
  scratch *sc = *state;
  trm_survey s;
  trm_error err;
  int ticks = 1, failures;
  assert_int_equal(trm_dataset_survey("/nonexistent", NULL, &s, &err), TRM_E_IO);
  assert_int_equal(trm_dataset_verify("/nonexistent", NULL, &failures, &err), TRM_E_IO);
  const char *dir = scratch_path(sc, "stopped");
  write_maze_set(dir);
  trm_survey_config config = {.progress = stop, .progress_arg = &ticks};
  assert_int_equal(trm_dataset_survey(dir, &config, &s, &err), TRM_E_INTERRUPTED);
  ticks = 1;
  trm_verify_config verify = {.progress = stop, .progress_arg = &ticks};
  assert_int_equal(trm_dataset_verify(dir, &verify, &failures, &err), TRM_E_INTERRUPTED);
  trm_puzzle other = {.kind = TRM_PUZZLE_MAZE, .rows = 2, .cols = 2};
  write_split(dir, "test", &other, 1, &(small_split){.question = {"SG/##"}, .answer = {"SG/##"}});
  assert_int_equal(trm_dataset_survey(dir, NULL, &s, &err), TRM_E_SHAPE);
  assert_true(speaks_of(&err, "seq_len 12"));
}

/* --- verify --- */

typedef struct findings {
  int passed;
  char failed[2048];
} findings;

static void collect(void *arg, const char *check, const trm_error *failure) {
  findings *f = arg;
  size_t used = strlen(f->failed);
  f->passed += !failure;
  if (failure) snprintf(f->failed + used, sizeof f->failed - used, "%s: %s\n", check, failure->msg);
}

/* Verifies; `part` ("": nothing) must be the only finding. */
static void finds(const char *dir, const char *part) {
  findings f = {0};
  trm_verify_config config = {.report = collect, .report_arg = &f};
  int failures;
  trm_error err;
  if (trm_dataset_verify(dir, &config, &failures, &err) != TRM_OK) fail_msg("%s", err.msg);
  if (!strstr(f.failed, part) || (failures > 0) != (*part != 0) || failures > 1 || f.passed < 3)
    fail_msg("%d failed, want '%s', found:\n%s", failures, part, f.failed);
}

/* The same folder with another file beside its splits, or one of its texts replaced. */
static void finds_with(const char *dir, const char *file, const char *text, const char *part) {
  char path[300];
  snprintf(path, sizeof path, "%s/%s", dir, file);
  size_t n;
  unsigned char *kept = read_bytes(path, &n);
  if (text)
    write_bytes(path, text, strlen(text));
  else
    assert_int_equal(remove(path), 0);
  finds(dir, part);
  write_bytes(path, kept, n);
  free(kept);
}

static void good_folders_pass(void **state) {
  scratch *s = *state;
  static void (*const writers[])(const char *) = {write_sudoku_set, write_maze_set, write_arc_set,
                                                  write_grid_set};
  for (int i = 0; i < 4; i++) {
    const char *dir = scratch_path(s, (const char *const[]){"good0", "good1", "good2", "good3"}[i]);
    writers[i](dir);
    finds(dir, "");
  }
}

/* As a build without a test set writes it. */
static void a_folder_without_a_test_set_passes(void **state) {
  const char *dir = scratch_path(*state, "untested");
  char path[300];
  write_arc_set(dir);
  snprintf(path, sizeof path, "%s/test/dataset.json", dir);
  assert_int_equal(remove(path), 0);
  write_beside(dir, "test_puzzles.json", "{}");
  finds(dir, "");
  finds_with(dir, "test_puzzles.json", "[]", "want a task, or an object of tasks");
}

static void what_is_wrong_beside_the_arrays_is_found(void **state) {
  /* A good set of ARC, of which one file at a time is replaced. */
  const char *dir = scratch_path(*state, "beside");
  write_arc_set(dir);

  /* Names: missing, too few, one that is no copy, one that is no text. */
  finds_with(dir, "identifiers.json", NULL, "identifiers.json");
  finds_with(dir, "identifiers.json", "[\"<blank>\"]", "has 1 entries");
  finds_with(dir, "identifiers.json", "[\"<blank>\", \"a\", \"a|||t8|||0123456789\", \"b\"]",
             "entry 2 is 'a|||t8|||0123456789'");
  finds_with(dir, "identifiers.json", "[\"<blank>\", \"a\", 7, \"b\"]", "entry 2 is no text");

  /* Tasks: missing, of another form, none, broken. */
  finds_with(dir, "test_puzzles.json", NULL, "test_puzzles.json");
  finds_with(dir, "test_puzzles.json", "[]", "want a task, or an object of tasks");
  finds_with(dir, "test_puzzles.json", "{}", "there is none in it");
  finds_with(dir, "test_puzzles.json", "{\"x\": 3}", "task x");

/* A task without a test, and one that no id is for. */
#define ONE "[{\"input\": [[1]], \"output\": [[2]]}]"
  finds_with(dir, "test_puzzles.json", "{\"b\": {\"train\": " ONE "}}", "1 or more test pairs");
  finds_with(dir, "test_puzzles.json", "{\"c\": {\"train\": " ONE ", \"test\": " ONE "}}",
             "task c is none of the ids");
#undef ONE

  /* A description that the arrays contradict, and one that says nothing. */
  finds_with(dir, "train/dataset.json",
             "{\"seq_len\": 900, \"vocab_size\": 12, \"num_puzzle_identifiers\": 4, "
             "\"ignore_label_id\": 0, \"total_groups\": 3, \"puzzle\": "
             "{\"kind\": \"arc\", \"rows\": 30, \"cols\": 30}}",
             "\"total_groups\" is 3, the arrays have 2");
  finds_with(dir, "test/dataset.json", "{}", "test: arrays");

  /* With all files in their place nothing is wrong. */
  finds(dir, "");
}

static void what_is_wrong_in_examples_is_found(void **state) {
  scratch *s = *state;
  trm_puzzle sudoku = trm_sudoku_of_size(4);
  const char *dir = scratch_path(s, "examples");
  small_split one = {.question = {"1234341221434321", "12..3412214343.1"},
                     .answer = {"1234341221434321", "1234341221434321"},
                     .puzzle = {0, 1},
                     .group = {0, 1}};
  write_split(dir, "test", &sudoku, 1, &one);
  write_beside(dir, "identifiers.json", "[\"<blank>\"]");
  finds(dir, "");
  one.answer[1] = "2134342112434312";
  write_split(dir, "test", &sudoku, 1, &one);
  finds(dir, "test: labels obey the rules and keep what is given: test example 1");
  one.answer[1] = "1234341221434321";
  one.question[1] = "................";
  write_split(dir, "test", &sudoku, 1, &one);
  finds(dir, "test example 1: the question has more than one solution");

  trm_puzzle p = {.kind = TRM_PUZZLE_ARC, .rows = 30, .cols = 30};
  static int32_t tokens[900];
  int32_t labels[1800];
  dir = scratch_path(s, "torn");
  write_arc_set(dir);
  char test[200];
  snprintf(test, sizeof test, "%s/test", dir);
  set_tokens(&p, "01/23", 0, tokens);
  memcpy(labels, tokens, sizeof tokens);
  set_tokens(&p, "7", 0, labels + 900);
  labels[2] = 0; /* the end mark of the first row */
  set_array(test, "labels", 2, 2, 900, labels);
  finds(dir, "test example 0: token 0 of the label in row 0, column 2");
  labels[2] = 1;
  labels[31] = 0; /* a cell */
  set_array(test, "labels", 2, 2, 900, labels);
  finds(dir, "test example 0: token 0 of the label in row 1, column 1");
  memset(labels, 0, 900 * sizeof *labels); /* an unknown answer may be missing in test */
  set_array(test, "labels", 2, 2, 900, labels);
  finds(dir, "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sudokus_are_compared_up_to_their_symmetries),
      cmocka_unit_test(mazes_are_compared_turned_and_mirrored),
      cmocka_unit_test(all_images_of_a_maze_have_one_key),
      cmocka_unit_test(grids_are_compared_by_declared_symmetries),
      cmocka_unit_test(arc_is_compared_by_pairs_of_originals),
      cmocka_unit_test(what_cannot_be_looked_at_is_said),
      cmocka_unit_test(good_folders_pass),
      cmocka_unit_test(a_folder_without_a_test_set_passes),
      cmocka_unit_test(what_is_wrong_beside_the_arrays_is_found),
      cmocka_unit_test(what_is_wrong_in_examples_is_found),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
