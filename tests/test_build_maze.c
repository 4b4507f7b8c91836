/* Data sets of mazes: from the generator, and from tables. */
#include "processors.h"
#include "scratch.h"

#include "data/dataset_write.h"
#include "puzzle/dihedral.h"
#include "puzzle/maze/maze_board.h"
#include "trm/dataset.h"

/* --- generator --- */

static void generate(const char *dir, trm_maze_gen_config config, trm_build_report *report) {
  trm_error err;
  config.output_dir = dir;
  if (trm_gen_maze(&config, report, &err) != TRM_OK) fail_msg("%s", err.msg);
}

/* Counts the examples of a split that are not what was asked for, and copies its canonical keys. */
static void check_split(const char *dir, const char *split, int64_t n, int min_path,
                        trm__grid_key *keys) {
  /* What the split says of itself. */
  trm_dataset *d;
  assert_int_equal(trm_dataset_open(dir, split, &d, NULL), TRM_OK);
  const trm_dataset_info *info = trm_dataset_get_info(d);
  assert_int_equal(info->puzzle.kind, TRM_PUZZLE_MAZE);
  assert_int_equal(info->vocab_size, 6);
  assert_int_equal(info->examples, n);

  /* Each maze is long enough to go through, and its answer is right. */
  int rows = info->puzzle.rows, cols = info->puzzle.cols;
  for (int64_t i = 0; i < n; i++) {
    int32_t inputs[400], labels[400];
    uint8_t q[400], a[400], form[400];
    trm_dataset_example(d, i, inputs, labels, NULL);
    for (int c = 0; c < rows * cols; c++) {
      q[c] = (uint8_t)inputs[c];
      a[c] = (uint8_t)labels[c];
    }
    assert_true(trm_maze_shortest(rows, cols, q, NULL) >= min_path);
    assert_true(trm_maze_solves(rows, cols, q, a));

    /* Its key is the same for all its images. */
    trm__maze_canonical(&info->puzzle, q, form);
    keys[i] = trm__grid_key_of(form, rows * cols, 0);
  }
  trm_dataset_free(d);
}

static void mazes_are_generated(void **state) {
  /* Sizes and least paths; `expected` is what the generator wants where nothing is said. */
  scratch *s = *state;
  enum { TRAIN = 60, TEST = 40 };
  static const struct {
    int rows, cols, min_path, expected;
  } cases[] = {{10, 10, 0, 20}, {6, 14, 0, 20}, {12, 12, 40, 40}};

  /* The same configuration with one thread and, below, with three. */
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    char one[160], three[160];
    trm__grid_key train[TRAIN], test[TEST];
    trm_build_report report;
    trm_maze_gen_config config = {.rows = cases[k].rows,
                                  .cols = cases[k].cols,
                                  .min_path = cases[k].min_path,
                                  .n_train = TRAIN,
                                  .n_test = TEST,
                                  .seed = 5 + k,
                                  .threads = 1};
    snprintf(one, sizeof one, "%s", scratch_path(s, "one"));
    snprintf(three, sizeof three, "%s", scratch_path(s, "three"));

    /* As many mazes as were wanted, none of them twice, and none with an image in the other
     * split. */
    generate(one, config, &report);
    assert_int_equal(report.train_puzzles, TRAIN);
    assert_int_equal(report.test_examples, TEST);
    assert_int_equal(report.duplicates_in_train + report.duplicates_in_test, 0);
    assert_int_equal(report.symmetric_overlap, 0);

    /* What the report says is true of the files. */
    check_split(one, "train", TRAIN, cases[k].expected, train);
    check_split(one, "test", TEST, cases[k].expected, test);
    for (int i = 0; i < TRAIN; i++)
      for (int j = 0; j < TEST; j++)
        assert_false(train[i].a == test[j].a && train[i].b == test[j].b);

    /* Threads change no byte. */
    config.threads = 3;
    generate(three, config, &report);
    same_in_folders(one, three, "train/all__inputs.npy");
    same_in_folders(one, three, "test/all__labels.npy");
  }
}

static void bad_sizes_are_refused(void **state) {
  /* Sizes and shares that no maze has, a path that is longer than any, and more mazes than there
   * are. */
  scratch *s = *state;
  static const struct {
    trm_maze_gen_config config;
    trm_status code;
    const char *word;
  } cases[] = {
      {{.rows = 0, .cols = 4, .n_train = 1}, TRM_E_ARGUMENT, "sides of 1 to 1024"},
      {{.rows = 4, .cols = 4, .n_train = 1, .min_path = 13}, TRM_E_ARGUMENT, "2 to 12"},
      {{.rows = 3, .cols = 5, .n_train = 1, .min_path = 14}, TRM_E_ARGUMENT, "2 to 13"},
      {{.rows = 4, .cols = 4, .n_train = 0}, TRM_E_ARGUMENT, "at least 1"},
      {{.rows = 4, .cols = 4, .n_train = 1, .max_walls = 1.5}, TRM_E_ARGUMENT, "share of walls"},
      {{.rows = 4, .cols = 4, .n_train = 1, .min_walls = 0.5, .max_walls = 0.4},
       TRM_E_ARGUMENT,
       "share of walls"},
      {{.rows = 1, .cols = 3, .n_train = 40, .min_path = 3}, TRM_E_CONFIG, "only 2 of 40"}};

  /* The message says what is possible, and there is no folder. */
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    trm_error err;
    trm_maze_gen_config config = cases[i].config;
    config.output_dir = scratch_path(s, "refused");
    assert_int_equal(trm_gen_maze(&config, NULL, &err), cases[i].code);
    assert_true(speaks_of(&err, cases[i].word));
    assert_false(trm__path_exists(scratch_path(s, "refused")));
  }
}

/* --- builder --- */

#define HEAD "source,question,answer,rating\n"

static trm_status build(scratch *s, const char *train, const char *test,
                        trm_maze_build_config config, trm_build_report *report, trm_error *err) {
  char train_path[160], test_path[160], out[160];
  snprintf(train_path, sizeof train_path, "%s", scratch_path(s, "train.csv"));
  snprintf(test_path, sizeof test_path, "%s", scratch_path(s, "test.csv"));
  snprintf(out, sizeof out, "%s", scratch_path(s, "built"));
  write_bytes(train_path, train, strlen(train));
  if (test) write_bytes(test_path, test, strlen(test));
  config.train_csv = train_path;
  config.test_csv = test ? test_path : NULL;
  config.output_dir = out;
  return trm_build_maze(&config, report, err);
}

static void bad_csv_is_refused(void **state) {
  /* What is wrong about a table, the line that it is seen at, and what is said. */
  scratch *s = *state;
  static const struct {
    const char *text;
    int rows, cols;
    trm_status code;
    int pos;
    const char *word;
  } cases[] = {
      {"", 0, 0, TRM_E_FORMAT, 1, "empty"},
      {HEAD, 0, 0, TRM_E_FORMAT, 2, "no puzzle"},
      {HEAD "a,S  G ,SooG ,1\n", 0, 0, TRM_E_FORMAT, 2, "5 characters is no square"},
      {HEAD "a,,,1\n", 0, 0, TRM_E_FORMAT, 2, "0 characters"},
      {HEAD "a,S G #     ,SoG #     ,1\n", 0, 0, TRM_E_FORMAT, 2, "10 characters"},
      {HEAD "a,S G,SoG,1\n\na,S G,So ,1\n", 1, 3, TRM_E_PUZZLE, 4, "line 4 column 9"},
      {HEAD "a,S G,S G,1\n", 1, 3, TRM_E_PUZZLE, 2, "0 cells are marked, a shortest path has 1"},
      {HEAD "a,S#G,S#G,1\n", 1, 3, TRM_E_PUZZLE, 2, "no maze with a solution"},
      {HEAD "a,SoG,SoG,1\n", 1, 3, TRM_E_PUZZLE, 2, "no maze with a solution"},
      {HEAD "a,S.G,SoG,1\n", 1, 3, TRM_E_FORMAT, 2, "line 2 column 4: '.'"},
      {HEAD "a,S G,SoG ,1\n", 1, 3, TRM_E_FORMAT, 2, "line 2 column 10"},
      {HEAD "a,S G,SoG,1\n", 3, 0, TRM_E_ARGUMENT, -1, "want both"}};

  /* A case that differs is printed with its number and its message. */
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    trm_error err = {.pos = -2};
    trm_maze_build_config config = {.rows = cases[i].rows, .cols = cases[i].cols};
    trm_status st = build(s, cases[i].text, NULL, config, NULL, &err);
    if (st != cases[i].code || err.pos != cases[i].pos)
      print_message("case %zu: %d at %lld: %s\n", i, (int)st, (long long)err.pos, err.msg);

    /* Nothing is built. */
    assert_int_equal(st, cases[i].code);
    assert_int_equal(err.pos, cases[i].pos);
    assert_true(speaks_of(&err, cases[i].word));
    assert_false(trm__path_exists(scratch_path(s, "built")));
  }
}

/* Tables are read by the mechanism of all: names in any case, other separators, columns that are
 * chosen, what a spreadsheet adds. */
static void tables_of_others_are_read(void **state) {
  /* Tables that are understood: the columns to take, how many mazes and how many empty rows. */
  scratch *s = *state;
  static const struct {
    const char *text, *columns;
    int64_t mazes, empty;
  } good[] = {{" Question ; ANSWER\n\"S G\";\"SoG\"\n;\nS  ;S  \n", NULL, -1, 0},
              {" Question ; ANSWER;x\n\"S G\";\"SoG\"\n;;\nG S;GoS\n;;\n", NULL, 2, 2},
              {"puzzle\tsolution\nS G\tSoG\n\t\n", NULL, 1, 1},
              {"input,output\n=\"S G\",\"=\"\"SoG\"\"\"\n", NULL, 1, 0},
              {"a;b\nSoG;S G\n", "b,a", 1, 0},
              {"1;SoG;S G\n2;GoS;G S\n", "3,2", 2, 0},
              {"answer;puzzle\nSoG;S G\n", "2,1", 1, 0}};

  /* A maze of free cells only is none, and not an empty row either. */
  trm_error err;
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    trm_build_report report;
    const trm_maze_build_config config = {.rows = 1, .cols = 3, .columns = good[i].columns};
    const trm_status st = build(s, good[i].text, NULL, config, &report, &err);
    if (good[i].mazes < 0) {
      assert_int_equal(st, TRM_E_PUZZLE);
      continue;
    }

    /* Mazes and empty rows are counted. */
    if (st != TRM_OK) fail_msg("%zu: %s", i, err.msg);
    assert_int_equal(report.train_puzzles, good[i].mazes);
    assert_int_equal(report.empty_rows, good[i].empty);
  }
}

static void tables_that_are_not_understood_are_refused(void **state) {
  scratch *s = *state;
  static const struct {
    const char *text, *columns, *word;
    trm_status code;
  } bad[] = {
      {"a;b\nSoG;S G\n", NULL, "say which with --columns QUESTION,ANSWER", TRM_E_FORMAT},
      {"a;b\nSoG;S G\n", "c,a", "no column 'c' in the first line, which has 2", TRM_E_FORMAT},
      {"a;b\nSoG;S G\n", "a", "the answer is needed, too", TRM_E_ARGUMENT},
      {"question;answer\n\"S G\"x;SoG\n", NULL, "want a semicolon", TRM_E_FORMAT},
      {"question,answer\nS\xc3\xa9G,SoG\n", NULL, "'\xc3\xa9' is no cell", TRM_E_FORMAT},
      {"question,answer\nS,SoG\n", NULL, "has 3 characters, here is 1", TRM_E_FORMAT}};

  /* By what is wrong. */
  trm_error err;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    const trm_maze_build_config config = {.rows = 1, .cols = 3, .columns = bad[i].columns};
    assert_int_equal(build(s, bad[i].text, NULL, config, NULL, &err), bad[i].code);
    assert_true(speaks_of(&err, bad[i].word));
  }
}

/* A row has a bound, whether a line end is missing or a quote. */
static void an_endless_row_is_refused(void **state) {
  enum { SIZE = 3 << 20 };
  scratch *s = *state;
  trm_error err;
  char *text = malloc(SIZE + 1);
  assert_non_null(text);
  for (int k = 0; k < 2; k++) {
    memset(text, '#', SIZE);
    text[SIZE] = 0;
    memcpy(text, k ? "question,answer\n\"" : "question,answer\n,", 17);
    assert_int_equal(build(s, text, NULL, (trm_maze_build_config){0}, NULL, &err), TRM_E_FORMAT);
    assert_int_equal(err.pos, 2);
    assert_true(speaks_of(&err, "a row of more than 1 MiB"));
  }
  free(text);
}

static void csv_becomes_a_folder(void **state) {
  scratch *s = *state;

  /* The second test maze is a training maze mirrored; the third is new, the last repeats it. */
  static const char odd[] = HEAD "a,S #  #  G,S #oo#  G,3\n";
  static const char good[] = HEAD "a,S #  #  G,So# o# oG,3\na,S G      ,SoG      ,3\n";
  static const char test[] = HEAD
      "a,S G      ,SoG      ,3\na,G #  #  S,Go# o# oS,3\na,GS       ,GS       ,1\n"
      "a,GS       ,GS       ,1\n";
  trm_build_report report;
  trm_error err;

  /* An answer that is no shortest path; then what the report counts. */
  assert_int_equal(build(s, odd, NULL, (trm_maze_build_config){0}, NULL, &err), TRM_E_PUZZLE);
  if (build(s, good, test, (trm_maze_build_config){.aug = true}, &report, &err) != TRM_OK)
    fail_msg("%s", err.msg);
  assert_int_equal(report.train_puzzles, 2);
  assert_int_equal(report.train_examples, 16);
  assert_int_equal(report.test_examples, 4);
  assert_int_equal(report.duplicates_in_test, 1);
  assert_int_equal(report.overlap, 1);
  assert_int_equal(report.symmetric_overlap, 1);

  /* The eight images of a maze, in the order of the transforms, each with a path of its own. */
  trm_dataset *d;
  char dir[160];
  snprintf(dir, sizeof dir, "%s", scratch_path(s, "built"));
  assert_int_equal(trm_dataset_open(dir, "train", &d, NULL), TRM_OK);
  const trm_dataset_info *info = trm_dataset_get_info(d);
  assert_int_equal(info->groups, 2);
  assert_int_equal(info->puzzles, 16);
  for (int t = 0; t < 8; t++) {
    int32_t inputs[9], labels[9], first[9];
    uint8_t q[9], a[9];
    trm_dataset_example(d, 0, first, NULL, NULL);
    trm_dataset_example(d, t, inputs, labels, NULL);
    for (int i = 0; i < 9; i++) {
      q[i] = (uint8_t)inputs[i];
      a[i] = (uint8_t)labels[i];
      assert_int_equal(q[i], first[trm__dihedral_source(t, 3, 3, i / 3, i % 3)]);
    }
    assert_true(trm_maze_solves(3, 3, q, a));
  }
  trm_dataset_free(d);

  /* A maze that is no square has four; a subsample is of as many mazes as is said. */
  if (build(s, HEAD "a,S  G## #,SooG## #,1\n", NULL,
            (trm_maze_build_config){.rows = 2, .cols = 4, .aug = true}, &report, &err) != TRM_OK)
    fail_msg("%s", err.msg);
  assert_int_equal(report.train_examples, 4);
  if (build(s, good, NULL, (trm_maze_build_config){.subsample_size = 1}, &report, &err) != TRM_OK)
    fail_msg("%s", err.msg);
  assert_int_equal(report.train_examples, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      /* generator */
      cmocka_unit_test(mazes_are_generated),
      cmocka_unit_test(bad_sizes_are_refused),

      /* builder */
      cmocka_unit_test(bad_csv_is_refused),
      cmocka_unit_test(csv_becomes_a_folder),
      cmocka_unit_test(tables_of_others_are_read),
      cmocka_unit_test(tables_that_are_not_understood_are_refused),
      cmocka_unit_test(an_endless_row_is_refused),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
