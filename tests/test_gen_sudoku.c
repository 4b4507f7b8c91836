/* Data sets of Sudokus: from the generator, and what becomes of a place where a build fails. */
#include <unistd.h>

#include "sudoku_builds.h"

static trm_sudoku_gen_config gen_config(scratch *s, const char *name) {
  return (trm_sudoku_gen_config){.size = 6,
                                 .n_train = 60,
                                 .n_test = 40,
                                 .max_givens = 12,
                                 .seed = 5,
                                 .threads = 1,
                                 .output_dir = scratch_path(s, name)};
}

static void assert_same_files(scratch *s, const char *left, const char *right, bool same) {
  char command[400];
  snprintf(command, sizeof command, "diff -r '%s/%s' '%s/%s' > /dev/null", s->dir, left, s->dir,
           right);
  assert_int_equal(system(command) == 0, same);
}

/* Every size that is said to be generated is, and no other. */
static void sizes_that_are_told_are_generated(void **state) {
  scratch *s = *state;
  trm_error err;
  for (int size = 0; size < 15; size++) { /* 16 is as the others, and slow */
    const trm_sudoku_gen_config config = {
        .size = size, .n_train = 1, .output_dir = scratch_path(s, "sizes")};
    const trm_status st = trm_gen_sudoku(&config, NULL, &err);
    assert_int_equal(st == TRM_OK, trm_sudoku_of_size(size).kind == TRM_PUZZLE_SUDOKU);
    if (st != TRM_OK) assert_true(speaks_of(&err, "want 4, 6, 8, 9, 10, 12 or 16"));
  }
}

static void generation_is_reproducible(void **state) {
  scratch *s = *state;
  trm_error err;
  static const char *const names[] = {"gen1", "gen2", "gen3", "gen4"};
  for (int k = 0; k < 4; k++) {
    trm_sudoku_gen_config config = gen_config(s, names[k]);
    config.threads = k < 3 ? k + 1 : 1;
    config.seed = k < 3 ? 5 : 6;
    assert_int_equal(trm_gen_sudoku(&config, NULL, &err), TRM_OK);
  }
  assert_same_files(s, "gen1", "gen2", true);
  assert_same_files(s, "gen1", "gen3", true);
  assert_same_files(s, "gen1", "gen4", false);
  static const char csv[] = HEAD "a," Q1 "," A1 ",3\n";
  for (int k = 0; k < 2; k++)
    assert_int_equal(build(s, csv, csv, k ? "csv2" : "csv1",
                           (trm_sudoku_build_config){.num_aug = 20, .seed = 4}, NULL, NULL),
                     TRM_OK);
  assert_same_files(s, "csv1", "csv2", true);
}

/* Examples of both splits with an answer in common, up to symmetry. */
static int count_common_answers(scratch *s, const char *dir) {
  /* The canonical answers of both splits. */
  static uint8_t form[2][100][TRM_SUDOKU_MAX_CELLS];
  const trm_puzzle p = trm_sudoku_of_size(9);
  int n[2], common = 0;
  for (int k = 0; k < 2; k++) {
    trm_dataset *d;
    assert_int_equal(trm_dataset_open(scratch_path(s, dir), k ? "test" : "train", &d, NULL),
                     TRM_OK);
    n[k] = (int)trm_dataset_get_info(d)->examples;
    for (int i = 0; i < n[k]; i++) {
      int32_t question[81], answer[81], id;
      uint8_t value[81];
      trm_dataset_example(d, i, question, answer, &id);
      for (int c = 0; c < 81; c++) value[c] = (uint8_t)(answer[c] - 1);
      trm_sudoku_canonical(&p, value, form[k][i]);
    }
    trm_dataset_free(d);
  }

  /* Each answer of one against each of the other. */
  for (int i = 0; i < n[0]; i++)
    for (int j = 0; j < n[1]; j++) common += !memcmp(form[0][i], form[1][j], 81);
  return common;
}

static void hard_sets_are_reproducible_and_disjoint(void **state) {
  scratch *s = *state;
  for (int k = 0; k < 2; k++) {
    trm_sudoku_gen_config config = {.size = 9,
                                    .hard = true,
                                    .n_train = 24,
                                    .n_test = 24,
                                    .seed = 1,
                                    .threads = k + 1,
                                    .output_dir = scratch_path(s, k ? "hard2" : "hard1")};
    trm_build_report report;
    assert_int_equal(trm_gen_sudoku(&config, &report, NULL), TRM_OK);
    assert_int_equal(report.train_puzzles, 24);
    assert_int_equal(report.test_puzzles, 24);
    assert_int_equal(report.symmetric_overlap, 0);
  }
  assert_int_equal(count_common_answers(s, "hard1"), 0);
  assert_same_files(s, "hard1", "hard2", true);
}

static void generated_sets_are_disjoint(void **state) {
  scratch *s = *state;

  /* Any number of givens, two threads: the hardest case for keeping the splits apart. */
  static const int sizes[] = {4, 6, 9};
  for (int k = 0; k < 3; k++) {
    trm_sudoku_gen_config config = gen_config(s, "disjoint");
    config.size = sizes[k];
    config.max_givens = 0;
    config.threads = 2;

    /* As many as were wanted, and the report counts nothing in common. */
    trm_build_report report;
    assert_int_equal(trm_gen_sudoku(&config, &report, NULL), TRM_OK);
    assert_int_equal(report.train_puzzles, 60);
    assert_int_equal(report.test_puzzles, 40);
    assert_int_equal(report.duplicates_in_train + report.duplicates_in_test + report.overlap +
                         report.symmetric_overlap,
                     0);

    /* What it counts is true: no puzzle of the test split has the form of one of the other. */
    static uint8_t forms[100][TRM_SUDOKU_MAX_CELLS];
    int n = 0;
    for (int split = 0; split < 2; split++) {
      trm_dataset *d;
      assert_int_equal(
          trm_dataset_open(scratch_path(s, "disjoint"), split ? "test" : "train", &d, NULL),
          TRM_OK);
      const trm_dataset_info *info = trm_dataset_get_info(d);
      for (int64_t i = 0; i < info->examples; i++, n++) {
        int32_t inputs[TRM_SUDOKU_MAX_CELLS];
        uint8_t q[TRM_SUDOKU_MAX_CELLS];
        trm_dataset_example(d, i, inputs, NULL, NULL);
        for (int c = 0; c < info->seq_len; c++) q[c] = (uint8_t)(inputs[c] - 1);

        /* Each has one solution. */
        assert_int_equal(trm_sudoku_solve(&info->puzzle, q, 2, NULL).solutions, 1);
        trm_sudoku_canonical(&info->puzzle, q, forms[n]);
        for (int j = 0; split && j < 60; j++)
          assert_int_not_equal(memcmp(forms[j], forms[n], (size_t)info->seq_len), 0);
      }
      trm_dataset_free(d);
    }
  }
}

static bool stop_at_once(void *arg, int64_t done, int64_t total) {
  (void)done, (void)total;
  ++*(int *)arg;
  return false;
}

static void failures_leave_nothing(void **state) {
  scratch *s = *state;

  /* A caller that stops at the first look: making puzzles, */
  trm_error err;
  int calls = 0;
  trm_sudoku_gen_config config = gen_config(s, "stopped");
  config.progress = stop_at_once;
  config.progress_arg = &calls;
  assert_int_equal(trm_gen_sudoku(&config, NULL, &err), TRM_E_INTERRUPTED);
  assert_int_equal(calls, 1);

  /* and building from a file. */
  assert_int_equal(
      build(s, HEAD "a," Q1 "," A1 ",3\n", NULL, "stopped",
            (trm_sudoku_build_config){.progress = stop_at_once, .progress_arg = &calls}, NULL,
            &err),
      TRM_E_INTERRUPTED);

  /* A wish that no puzzle can meet is known at once. */
  config = gen_config(s, "stopped");
  config.size = 4;
  config.max_givens = 3; /* fewer than any unique 4x4 puzzle has: seen at once */
  assert_int_equal(trm_gen_sudoku(&config, NULL, &err), TRM_E_ARGUMENT);
  assert_true(speaks_of(&err, "more than one solution"));

  /* One that might be met is given up after many tries, with advice. */
  config.max_givens = 0;
  config.min_backtracks = 1000; /* more than any of that size needs */
  assert_int_equal(trm_gen_sudoku(&config, NULL, &err), TRM_E_CONFIG);
  assert_true(speaks_of(&err, "none in the last 10000") && speaks_of(&err, "loosen"));

  /* After all of these there is no trace of a folder. */
  assert_int_equal(count_names(s, "stopped"), 0);
}

static void only_data_sets_are_replaced(void **state) {
  /* A folder `train` that no data set has made is not replaced. */
  scratch *s = *state;
  trm_error err;
  trm_sudoku_gen_config config = gen_config(s, "place");
  assert_int_equal(trm__make_dirs(scratch_path(s, "place/train"), NULL), TRM_OK);
  config.output_dir = scratch_path(s, "place");
  assert_int_equal(trm_gen_sudoku(&config, NULL, &err), TRM_E_IO); /* a train of another kind */
  assert_true(speaks_of(&err, "no data set"));

  /* A file of somebody's stays, and is named. */
  write_bytes(scratch_path(s, "place/thesis.txt"), "x", 1);
  config.output_dir = scratch_path(s, "place");
  assert_int_equal(trm_gen_sudoku(&config, NULL, &err), TRM_E_IO);
  assert_true(speaks_of(&err, "thesis.txt"));
  assert_true(trm__path_exists(scratch_path(s, "place/thesis.txt")));

  /* Nor does a file make room for a folder. */
  config.output_dir = s->path; /* a file */
  assert_int_equal(trm_gen_sudoku(&config, NULL, &err), TRM_E_IO);

  /* The empty folder, however its name is written, takes a data set, and the next one takes its
   * place. */
  assert_int_equal(unlink(scratch_path(s, "place/thesis.txt")), 0);
  assert_int_equal(rmdir(scratch_path(s, "place/train")), 0);
  char slash[200];
  snprintf(slash, sizeof slash, "%s/place///", s->dir);
  for (int k = 0; k < 2; k++) { /* into the empty folder, then over the data set */
    config = gen_config(s, "place");
    config.output_dir = slash;
    config.n_test = k ? 0 : 40;
    assert_int_equal(trm_gen_sudoku(&config, NULL, &err), TRM_OK);
    assert_int_equal(trm__path_exists(scratch_path(s, "place/test")), !k);
  }

  /* Nothing but the data set is left there. */
  assert_int_equal(count_names(s, "place"), 1);
}

static void bad_arguments_are_refused(void **state) {
  scratch *s = *state;
  trm_sudoku_gen_config good = gen_config(s, "arguments"), bad[9];
  for (int k = 0; k < 9; k++) bad[k] = good;
  bad[0].size = 7;
  bad[1].n_train = 0;
  bad[2].n_test = -1;
  bad[3].max_givens = 37;
  bad[4].min_givens = 13;
  bad[5].min_backtracks = -1;
  bad[6].min_backtracks = 3, bad[6].max_backtracks = 2;
  bad[7].threads = -1;
  bad[8].output_dir = "";
  for (int k = 0; k < 9; k++) assert_int_equal(trm_gen_sudoku(&bad[k], NULL, NULL), TRM_E_ARGUMENT);
  trm_sudoku_build_config build_bad = {.num_aug = -1};
  assert_int_equal(build(s, HEAD, NULL, "arguments", build_bad, NULL, NULL), TRM_E_ARGUMENT);
  assert_int_equal(count_names(s, "arguments"), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      /* what is generated */
      cmocka_unit_test(sizes_that_are_told_are_generated),
      cmocka_unit_test(generation_is_reproducible),
      cmocka_unit_test(hard_sets_are_reproducible_and_disjoint),
      cmocka_unit_test(generated_sets_are_disjoint),

      /* failures */
      cmocka_unit_test(failures_leave_nothing),
      cmocka_unit_test(only_data_sets_are_replaced),
      cmocka_unit_test(bad_arguments_are_refused),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
