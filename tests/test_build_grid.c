/* A user's own puzzles: cells, vocabulary, canvas, shares and hostile files. */
#include "grid_builds.h"

/* Tables as of all kinds of puzzles; see test_maze.c. */
static void tables_of_others_are_read(void **state) {
  static const struct {
    const char *text, *columns;
    int64_t puzzles, empty;
  } cases[] = {{"Input; OUTPUT ;x\nab/cd;\"ba/dc\"\n;;\nac/bd;bd/ac;\n;;", NULL, 2, 2},
               {"x\ty\nab/cd\tba/dc\n", "x,y", 1, 0},
               {"ab/cd\tba/dc\nca/bd\tba/dc", "1,2", 2, 0},
               {"question,answer\n=\"ab/cd\",'b/cd\n", NULL, 1, 0}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char paths[3][160];
    write_text(*state, "t.csv", cases[i].text);
    trm_grid_build_config c = config_in(*state, paths, "t.csv", NULL);
    c.columns = cases[i].columns;
    built b = build(&c);
    assert_int_equal(b.report.train_puzzles, cases[i].puzzles);
    assert_int_equal(b.report.empty_rows, cases[i].empty);
    release(&b);
  }
}

static bool stop_soon(void *arg, int64_t done, int64_t total) {
  (void)done, (void)total;
  return ++*(int *)arg < 3;
}

/* Whoever stops a build is heard while a file is read, not only behind it. */
static void a_stop_is_heard_while_lines_are_read(void **state) {
  static const char *const names[] = {"many.csv", "many.jsonl"};
  static const char *const lines[] = {"question,answer\n", "1/2,2/1\n",
                                      "{\"input\": [[1]], \"output\": [[2]]}\n"};
  for (int k = 0; k < 2; k++) {
    static char text[16384];
    char paths[3][160];
    int asked = 0, n = 0;
    for (int i = k; i < 300; i++)
      n += snprintf(text + n, sizeof text - (size_t)n, "%s", lines[k ? 2 : i > 0]);
    snprintf(text + n, sizeof text - (size_t)n, "not a row\n"); /* which is not come to */
    write_text(*state, names[k], text);
    trm_grid_build_config c = config_in(*state, paths, names[k], NULL);
    c.output_dir = scratch_path(*state, "stopped");
    c.progress = stop_soon;
    c.progress_arg = &asked;
    expect_failure(&c, TRM_E_INTERRUPTED, -1, "stopped");
  }
}

static void csv_of_one_size(void **state) {
  char paths[3][160];
  write_text(*state, "a.csv",
             "source,answer,question\nx,abcd,ab.d\nx,bb/aa,b./a.\nx,\"..\n..\n\",\"ab\r\ncd\"\n");
  write_text(*state, "b.csv", "question,answer\n....,abcd\n");
  trm_grid_build_config c = config_in(*state, paths, "a.csv", "b.csv");
  built b = build(&c);
  const trm_dataset_info *info = trm_dataset_get_info(b.train);
  assert_int_equal(info->puzzle.kind, TRM_PUZZLE_GRID);
  assert_int_equal(info->puzzle.rows, 2);
  assert_false(info->puzzle.sized);
  assert_int_equal(info->vocab_size, 6);
  assert_int_equal(info->groups, 3);
  assert_int_equal(b.report.test_puzzles, 1);
  assert_string_equal(trm_puzzle_symbol(&info->puzzle, 1), ".");
  expect_example(b.train, 0, "ab.d", "abcd");
  expect_example(b.train, 1, "b.a.", "bbaa");
  expect_example(b.train, 2, "abcd", "....");
  expect_example(b.test, 0, "....", "abcd");
  release(&b);
}

static void csv_sizes_can_be_said(void **state) {
  char paths[3][160];
  write_text(*state, "wide.csv", "question,answer\nabcabc,cbacba\n");
  trm_grid_build_config c = config_in(*state, paths, "wide.csv", NULL);
  c.rows = 2;
  c.cols = 3;
  built b = build(&c);
  assert_int_equal(trm_dataset_get_info(b.train)->puzzle.rows, 2);
  expect_example(b.train, 0, "abcabc", "cbacba");
  release(&b);
}

/* "é" has two bytes, "█" three. */
static void cells_are_characters(void **state) {
  char paths[3][160];
  write_text(*state, "utf8.csv", "question,answer\n\xc3\xa9\xe2\x96\x88/ab,abba\n");
  trm_grid_build_config c = config_in(*state, paths, "utf8.csv", NULL);
  built b = build(&c);
  const trm_puzzle *p = &trm_dataset_get_info(b.train)->puzzle;
  assert_int_equal(p->rows * p->cols, 4);
  assert_string_equal(trm_puzzle_symbol(p, 3), "\xc3\xa9");
  assert_string_equal(trm_puzzle_symbol(p, 4), "\xe2\x96\x88");
  release(&b);
}

static void sizes_may_differ(void **state) {
  /* Two puzzles of different sizes, with symbols that are numbers and texts. */
  char paths[3][160];
  write_text(*state, "sizes.jsonl",
             "{\"input\": [[1, 2, 10]], \"output\": [[\"x\"], [null]]}\n\n"
             "{\"input\": [[2, 2], [1, 1]], \"output\": [[10, 1, 2]], \"id\": 4, \"more\": {}}");
  trm_grid_build_config c = config_in(*state, paths, "sizes.jsonl", NULL);

  /* Symbols are in the order of their bytes, and the canvas is the largest side. */
  built b = build(&c);
  const trm_dataset_info *info = trm_dataset_get_info(b.train);
  assert_true(info->puzzle.sized);
  assert_int_equal(info->vocab_size, 6); /* padding, end, 1, 10, 2, x by their bytes */
  assert_string_equal(trm_puzzle_symbol(&info->puzzle, 3), "10");
  assert_int_equal(info->puzzle.cols, 3);

  /* Every row ends where its grid does. */
  expect_example(b.train, 0, "121|||", "x|**|*");
  expect_example(b.train, 1, "22|11|", "112|||");
  release(&b);

  /* A canvas that is asked for has room behind the grids. */
  c.canvas_rows = 3;
  c.canvas_cols = 4;
  b = build(&c);
  expect_example(b.train, 0, "121||||_____", "x|***|**|***");
  release(&b);

  /* One that is too small is refused with its size. */
  c.canvas_cols = 2;
  c.output_dir = scratch_path(*state, "other");
  expect_failure(&c, TRM_E_CONFIG, 1, "canvas of 3 x 2");
}

static void vocabularies(void **state) {
  /* Numbers with signs, a test set with one symbol more, and a list that has all. */
  char paths[3][160];
  write_text(*state, "v.jsonl", "{\"input\": [[10, 9, -1]], \"output\": [[9, 9, \"10\"]]}\n");
  write_text(*state, "t.jsonl", "\n{\"input\": [[10, 9, 7]], \"output\": [[9, 9, 9]]}\n");
  write_text(*state, "list.txt", "7\r\n9\n,\n10\n-1\n");
  trm_grid_build_config c = config_in(*state, paths, "v.jsonl", NULL);

  /* Integers are in their order. */
  built b = build(&c);
  const trm_puzzle *p = &trm_dataset_get_info(b.train)->puzzle;
  assert_int_equal(trm_puzzle_n_symbols(p), 3);
  assert_string_equal(trm_puzzle_symbol(p, 1), "-1");
  assert_string_equal(trm_puzzle_symbol(p, 2), "9");
  assert_string_equal(trm_puzzle_symbol(p, 3), "10");
  release(&b);

  /* Places for what follows. */
  char test[160], list[160], other[160];
  snprintf(test, sizeof test, "%s", scratch_path(*state, "t.jsonl"));
  snprintf(list, sizeof list, "%s", scratch_path(*state, "list.txt"));
  snprintf(other, sizeof other, "%s", scratch_path(*state, "other"));

  /* A list is taken in its order. */
  c.vocabulary = list;
  c.test = test;
  b = build(&c);
  p = &trm_dataset_get_info(b.test)->puzzle;
  assert_int_equal(trm_puzzle_n_symbols(p), 5);
  assert_string_equal(trm_puzzle_symbol(p, 1), "7");
  assert_string_equal(trm_puzzle_symbol(p, 3), ",");
  release(&b);

  /* A symbol that the training set lacks is refused with line and cell. */
  c.output_dir = other;
  c.vocabulary = NULL;
  expect_failure(&c, TRM_E_PUZZLE, 2, "t.jsonl line 2: input row 1, column 3: '7'");

  /* So is one that a list lacks; and a list must be a list. */
  c.vocabulary = "9,10";
  expect_failure(&c, TRM_E_PUZZLE, 1, "'-1'");
  c.vocabulary = "9,9";
  expect_failure(&c, TRM_E_ARGUMENT, -1, "symbol 2");
  c.vocabulary = "";
  expect_failure(&c, TRM_E_ARGUMENT, -1, "no symbols");
}

static void bad_files_are_refused(void **state) {
  /* One mistake of a file each: its line, and the word that tells it. */
  static const struct {
    const char *name, *text;
    trm_status code;
    int64_t pos;
    const char *word;
  } cases[] = {
      {"a.txt", "", TRM_E_FORMAT, -1, "by its name"},
      {"a.csv", "", TRM_E_FORMAT, 1, "empty"},
      {"a.csv", "question,answer\n", TRM_E_FORMAT, 2, "no puzzle"},
      {"a.csv", "question\nabcd\n", TRM_E_FORMAT, 1, "'answer'"},
      {"a.csv", "question,answer\nabcd,abcd\nabcd\n", TRM_E_FORMAT, 3, "column 2 of the header"},
      {"a.csv", "question,answer\nabc,abcd\n", TRM_E_FORMAT, 2, "no square"},
      {"a.csv", "question,answer\nab/c,abcd\n", TRM_E_FORMAT, 2, "row 2 of the grid has 1"},
      {"a.csv", "question,answer\n,abcd\n", TRM_E_FORMAT, 2, "0 x 0"},
      {"a.csv", "question,answer\n/,abcd\n", TRM_E_FORMAT, 2, "cells"},
      {"a.csv", "question,answer\nab\tc,abcd\n", TRM_E_FORMAT, 2, "control"},
      {"a.csv", "question,answer\na\xe2\x96,abcd\n", TRM_E_FORMAT, 2, "not UTF-8"},
      {"a.csv", "question,answer\n\xc0\x80,abcd\n", TRM_E_FORMAT, 2, "not UTF-8"},
      {"a.csv", "question,answer\n\"a\"\"b\",abcd\n", TRM_E_FORMAT, 2, "quote"},
      {"a.jsonl", "\n \n", TRM_E_FORMAT, -1, "no puzzle"},
      {"a.jsonl", "{\"input\": [[1]], \"output\": [[1]]}\n{\"input\"\n", TRM_E_FORMAT, 2,
       "line 2, column"},
      {"a.jsonl", "[1]\n", TRM_E_FORMAT, 1, "an object"},
      {"a.jsonl", "{\"input\": [[1]]}", TRM_E_FORMAT, 1, "\"output\""},
      {"a.jsonl", "{\"input\": [[1]], \"ouput\": [[1]]}", TRM_E_FORMAT, 1, "but \"ouput\""},
      {"a.jsonl", "{\"input\": [[1]], \"output\": [[1]], \"ID\": 1}", TRM_E_FORMAT, 1,
       "\"ID\": want \"id\""},
      {"a.jsonl", "{\"input\": [], \"output\": [[1]]}", TRM_E_FORMAT, 1, "\"input\""},
      {"a.jsonl", "{\"input\": [[]], \"output\": [[1]]}", TRM_E_FORMAT, 1, "\"input\""},
      {"a.jsonl", "{\"input\": [[1, 2], [3]], \"output\": [[1]]}", TRM_E_FORMAT, 1, "row 2"},
      {"a.jsonl", "{\"input\": [[1], [2, 3]], \"output\": [[1]]}", TRM_E_FORMAT, 1, "row 2"},
      {"a.jsonl", "{\"input\": [[1, 2], 3], \"output\": [[1]]}", TRM_E_FORMAT, 1, "row 2"},
      {"a.jsonl", "{\"input\": [[1, 2.5]], \"output\": [[1]]}", TRM_E_FORMAT, 1, "column 2"},
      {"a.jsonl", "{\"input\": [[1, null]], \"output\": [[1]]}", TRM_E_FORMAT, 1, "column 2"},
      {"a.jsonl", "{\"input\": [[\"\"]], \"output\": [[1]]}", TRM_E_FORMAT, 1, "no symbol"},
      {"a.jsonl", "{\"input\": [[\"\\u001b\"]], \"output\": [[1]]}", TRM_E_FORMAT, 1, "no symbol"},
      {"a.jsonl", "{\"input\": [[\"0123456789abcdef\"]], \"output\": [[1]]}", TRM_E_FORMAT, 1,
       "15 bytes"},
      {"a.jsonl", "{\"input\": [[1]], \"input\": [[1]], \"output\": [[1]]}", TRM_E_FORMAT, 1,
       "uplicate"},
      {"a.jsonl", "{\"input\": [[1]], \"output\": [[1]], \"id\": [2]}", TRM_E_FORMAT, 1, "\"id\""},
      {"a.jsonl", "{\"input\": [[1]], \"output\": [[1]], \"id\": 1.5}", TRM_E_FORMAT, 1, "\"id\""},
      {"a.jsonl", "\n{\"input\": [[1]], \"output\": [[1]], \"id\": 18446744073709551615}",
       TRM_E_FORMAT, 2, "\"id\": want a text or an integer of 64 bits"},
      {"a.jsonl", "\n{\"input\": [[1, NaN]], \"output\": [[1]]}", TRM_E_FORMAT, 2,
       "line 2: input row 1, column 2: want an integer of 64 bits"},
      {"a.jsonl", "{\"input\": [[1]], \"output\": [[-Infinity]]}", TRM_E_FORMAT, 1,
       "output row 1, column 1"},
      {"a.jsonl", "{\"input\": [[99999999999999999999]], \"output\": [[1]]}", TRM_E_FORMAT, 1,
       "input row 1, column 1"},
      {"a.jsonl", "{\"input\": NaN, \"output\": [[1]]}", TRM_E_FORMAT, 1, "\"input\": want a grid"},
  };

  /* Nothing is built of any. */
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char paths[3][160];
    write_text(*state, cases[i].name, cases[i].text);
    trm_grid_build_config c = config_in(*state, paths, cases[i].name, NULL);
    snprintf(paths[2], 160, "%s", scratch_path(*state, "none"));
    expect_failure(&c, cases[i].code, cases[i].pos, cases[i].word);
  }
}

static void a_file_in_one_line_is_refused(void **state) {
  enum { MOST = 32 << 20 };
  char paths[3][160], *text = malloc(MOST + 2);
  assert_non_null(text);
  memset(text, '[', MOST + 1);
  text[MOST + 1] = 0;
  trm_grid_build_config c = config_in(*state, paths, "a.jsonl", NULL);
  snprintf(paths[2], 160, "%s", scratch_path(*state, "none"));
  write_text(*state, "a.jsonl", text);
  expect_failure(&c, TRM_E_FORMAT, 1, "line 1: more than 33554432 bytes");
  for (size_t i = 1; i < MOST; i++) text[i] = i % 2 ? '0' : ','; /* short enough, too many values */
  text[MOST] = 0;
  write_text(*state, "a.jsonl", text);
  expect_failure(&c, TRM_E_FORMAT, 1, "more than 6000000 JSON values");
  write_text(*state, "a.jsonl", "");
  free(text);
}

static void bad_settings_are_refused(void **state) {
  /* A good file, and one setting after the other that it does not allow. */
  char paths[3][160];
  write_text(*state, "ok.csv", "question,answer\nab/ab/..,ab/ba/..\n");
  trm_grid_build_config good = config_in(*state, paths, "ok.csv", NULL), c;
  snprintf(paths[2], 160, "%s", scratch_path(*state, "none"));

  /* Symmetries that are unknown, do not fit or overlap. */
  c = good, c.symmetries = "spin", expect_failure(&c, TRM_E_CONFIG, -1, "'spin'");
  c = good, c.symmetries = "transpose", expect_failure(&c, TRM_E_CONFIG, -1, "3 x 2");
  c = good, c.symmetries = "permute:a+c", expect_failure(&c, TRM_E_CONFIG, -1, "'c'");
  c = good, c.symmetries = "permute:b-a", expect_failure(&c, TRM_E_CONFIG, -1, "'b-a'");
  c = good, c.symmetries = "permute:a", expect_failure(&c, TRM_E_CONFIG, -1, "two symbols");
  c = good, c.symmetries = "permute:a+b,permute:b+.",
  expect_failure(&c, TRM_E_CONFIG, -1, "named twice");

  /* Copies without symmetries, and shares that leave nothing. */
  c = good, c.num_aug = 2, expect_failure(&c, TRM_E_CONFIG, -1, "none are declared");
  c = good, c.num_aug = -1, expect_failure(&c, TRM_E_ARGUMENT, -1, "-1 copies");
  c = good, c.test_share = 1, expect_failure(&c, TRM_E_ARGUMENT, -1, "less than 1");
  c = good, c.test_share = 0.5, c.test = c.train;
  expect_failure(&c, TRM_E_ARGUMENT, -1, "one file");
  c = good, c.test_share = 0.5, expect_failure(&c, TRM_E_RANGE, -1, "stay together");

  /* Sizes, and files that are missing. */
  c = good, c.rows = 2, expect_failure(&c, TRM_E_ARGUMENT, -1, "want both");
  c = good, c.canvas_rows = 2000, c.canvas_cols = 2, expect_failure(&c, TRM_E_ARGUMENT, -1, "2000");
  c = good, c.train = NULL, expect_failure(&c, TRM_E_ARGUMENT, -1, "no file");
  c = good, c.train = "/nowhere/a.csv", expect_failure(&c, TRM_E_IO, -1, "/nowhere/a.csv");
}

static void symmetries_are_stored_and_counted(void **state) {
  char paths[3][160];
  /* The second is the first turned with a and b renamed, the third is new. */
  write_text(*state, "train.csv", "question,answer\naab/...,aab/...\n");
  write_text(*state, "test.csv",
             "question,answer\nb./b./a.,b./b./a.\nbab/...,bab/...\naab/...,aab/...\n");

  /* Without symmetries only what is equal counts. */
  trm_grid_build_config c = config_in(*state, paths, "train.csv", "test.csv");
  built b = build(&c);
  assert_int_equal(b.report.overlap, 1);
  assert_int_equal(b.report.symmetric_overlap, 1);
  assert_string_equal(trm_dataset_get_info(b.train)->puzzle.symmetries, "");
  release(&b);

  /* With them images count, too, and copies are made; none is made twice. */
  c.symmetries = "permute:a-b,flip,rotate";
  c.num_aug = 50;
  b = build(&c);
  assert_string_equal(trm_dataset_get_info(b.train)->puzzle.symmetries, "dihedral,permute:a-b");
  assert_int_equal(b.report.symmetric_overlap, 2);
  assert_int_equal(b.report.duplicates_in_train, 0);
  assert_int_equal(b.report.train_examples, 51);
  assert_int_equal(trm_dataset_get_info(b.train)->examples, 51);
  assert_int_equal(trm_dataset_get_info(b.train)->groups, 1);
  assert_int_equal(trm_dataset_get_info(b.test)->examples, 3);

  /* Each copy is the question's image with the answer's; one of 16 is the test puzzle. */
  int as_test = 0;
  for (int64_t i = 0; i < 51; i++) {
    int32_t inputs[9], labels[9];
    char in[10], out[10];
    const trm_puzzle *p = &trm_dataset_get_info(b.train)->puzzle;
    trm_dataset_example(b.train, i, inputs, labels, NULL);
    as_text(p, inputs, in);
    as_text(p, labels, out);
    for (int k = 0; k < 9; k++) assert_true(out[k] == in[k] || (in[k] == '_' && out[k] == '*'));
    as_test += !strcmp(in, "b.|b.|a.|");
  }
  assert_true(as_test >= 1); /* one of 16 images */
  release(&b);
}

static void shares_keep_families_together(void **state) {
  char paths[3][160], text[8000];
  size_t n = 0;
  /* 20 families: a puzzle and its mirror image; and 20 of two unlike puzzles with one id. */
  for (int i = 0; i < 40; i++)
    n += (size_t)snprintf(
        text + n, sizeof text - n,
        i < 20 ? "{\"input\": [[%d, 100]], \"output\": [[%d, 100]]}\n"
                 "{\"input\": [[100, %d]], \"output\": [[100, %d]]}\n"
               : "{\"input\": [[%d, 101]], \"output\": [[%d, 101]], \"id\": \"%d\"}\n"
                 "{\"input\": [[%d, 102]], \"output\": [[1, 1]], \"id\": %d}\n",
        i, i, i, i, i);

  /* A share that is not a whole number of families. */
  write_text(*state, "share.jsonl", text);
  trm_grid_build_config c = config_in(*state, paths, "share.jsonl", NULL);
  c.symmetries = "flip";
  int seen = 0;
  for (uint64_t seed = 0; seed < 3; seed++) {
    c.seed = seed;
    c.test_share = 0.26; /* 21 of 80, and families have two */
    built b = build(&c);
    assert_int_equal(b.report.test_puzzles, 20);
    assert_int_equal(b.report.train_puzzles, 60);
    assert_int_equal(b.report.symmetric_overlap, 0);

    /* Whoever is in the test set is there with its family. */
    int first[40] = {0};
    for (int64_t i = 0; i < 20; i++) {
      int32_t inputs[2];
      const trm_puzzle *p = &trm_dataset_get_info(b.test)->puzzle;
      trm_dataset_example(b.test, i, inputs, NULL, NULL);
      int name = atoi(trm_puzzle_symbol(p, inputs[0]));
      if (name >= 100) name = atoi(trm_puzzle_symbol(p, inputs[1]));
      first[name]++;
    }
    for (int i = 0; i < 40; i++) assert_true(first[i] == 0 || first[i] == 2);
    seen += first[0] + first[39];
    release(&b);
  }

  /* Which families that are is drawn. */
  assert_true(seen < 12);
}

static void rules_are_checked(void **state) {
  /* Two puzzles of which one breaks the rules. */
  char paths[3][160];
  write_text(*state, "latin.csv", "question,answer\n1..2,1221\n1..1,1221\n");
  write_text(*state, "good.csv", "question,answer\n1...,1221\n");

  /* The good one is built, and its rules are kept with the data. */
  trm_grid_build_config c = config_in(*state, paths, "good.csv", NULL);
  c.rules = "latin";
  built b = build(&c);
  assert_string_equal(trm_dataset_get_info(b.train)->puzzle.rules, "latin");
  release(&b);

  /* The other one is refused by its line. */
  c = config_in(*state, paths, "latin.csv", NULL);
  snprintf(paths[2], 160, "%s", scratch_path(*state, "none"));
  c.rules = "latin";
  expect_failure(&c, TRM_E_PUZZLE, 2, "latin.csv line 2");

  /* Rules want questions and answers of one size. */
  write_text(*state, "sizes.csv", "question,answer\n.,10/21\n");
  char larger[160];
  snprintf(larger, sizeof larger, "%s", scratch_path(*state, "sizes.csv"));
  c.train = larger;
  expect_failure(&c, TRM_E_PUZZLE, 2, "both have the same size");

  /* Rules that are not known are refused with those that are. */
  c.rules = "chess";
  expect_failure(&c, TRM_E_CONFIG, -1, "known are sudoku");
  c.rules = "a name that is far too long for rules";
  expect_failure(&c, TRM_E_CONFIG, -1, "known are");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(csv_of_one_size),
      cmocka_unit_test(tables_of_others_are_read),
      cmocka_unit_test(a_stop_is_heard_while_lines_are_read),
      cmocka_unit_test(csv_sizes_can_be_said),
      cmocka_unit_test(cells_are_characters),
      cmocka_unit_test(sizes_may_differ),
      cmocka_unit_test(vocabularies),
      cmocka_unit_test(bad_files_are_refused),
      cmocka_unit_test(a_file_in_one_line_is_refused),
      cmocka_unit_test(bad_settings_are_refused),
      cmocka_unit_test(symmetries_are_stored_and_counted),
      cmocka_unit_test(shares_keep_families_together),
      cmocka_unit_test(rules_are_checked),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
