/* Data sets of Sudokus: built from tables and lists. */
#include "sudoku_builds.h"

#define A2 "1234341221434312" /* breaks the rules: 1 twice in a column */

static const struct {
  const char *text;
  trm_status code;
  int pos;
  const char *word[2];
} bad_csv[] = {
    {"", TRM_E_FORMAT, 1, {"train.csv:1:1", "no Sudoku"}},
    {"\n\n", TRM_E_FORMAT, 1, {"no Sudoku", ""}},
    {HEAD, TRM_E_FORMAT, 2, {":2:1:", "no puzzle"}},
    {"source,question\nx,y,1\n", TRM_E_FORMAT, 1, {":1:1:", "'rating'"}},
    {"source,question,answer\na," Q1 "," A1 "\n", TRM_E_FORMAT, 1, {":1:1:", "'rating'"}},
    {HEAD "a," Q1 "\n", TRM_E_FORMAT, 2, {":2:19:", "2 columns"}},
    {HEAD "a,1...,1234,1\n", TRM_E_FORMAT, 2, {":2:3:", "4 characters"}},
    {HEAD "a," Q1 "," A1 ",1\r\n\r\na," Q1 ".," A1 ",1\n",
     TRM_E_FORMAT,
     4,
     {":4:19:", "here are 17"}},
    {HEAD "a," Q1 ",123434122143432,1\n", TRM_E_FORMAT, 2, {":2:35:", "here are 15"}},
    {HEAD "a,1..z3......3....," A1 ",1\n", TRM_E_FORMAT, 2, {":2:6:", "'z'"}},
    {HEAD "\"a,\"\"b\n\",\"1..5............\"," A1 ",1\n", TRM_E_FORMAT, 3, {":3:7:", "'5'"}},
    {HEAD "a," Q1 "," A1 ",1\na,13..3......3....," A1 ",1\n",
     TRM_E_PUZZLE,
     3,
     {":3:21:", "'2' where the question gives '3'"}},
    {HEAD "a," Q1 ",123434122143432.,1\n", TRM_E_PUZZLE, 2, {":2:35:", "blank"}},
    {HEAD "a,................," A2 ",1\n", TRM_E_PUZZLE, 2, {":2:34:", "twice"}},
    {HEAD "a," Q1 "," A1 ",easy\n", TRM_E_FORMAT, 2, {":2:37:", "rating"}},
    {HEAD "a," Q1 "," A1 ",\n", TRM_E_FORMAT, 2, {":2:37:", "rating"}},
    {HEAD "a," Q1 "," A1 ",1\n", TRM_E_RANGE, -1, {"none of 1", "at least 2"}},
    {HEAD "a,\"" Q1, TRM_E_FORMAT, 2, {":2:3:", "never closed"}},
    {HEAD "a,\"" Q1 "\"x," A1 ",1\n", TRM_E_FORMAT, 2, {":2:21:", "comma"}},
    {HEAD ",,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,\n",
     TRM_E_FORMAT,
     2,
     {":2:", "64"}},
};

static void bad_csv_is_refused(void **state) {
  scratch *s = *state;
  for (size_t i = 0; i < sizeof bad_csv / sizeof *bad_csv; i++) {
    trm_error err = {.pos = -2};
    trm_sudoku_build_config config = {.min_difficulty = 2};
    trm_status st = build(s, bad_csv[i].text, NULL, "bad", config, NULL, &err);
    if (st != bad_csv[i].code || err.pos != bad_csv[i].pos)
      print_message("case %zu: %d at %lld: %s\n", i, (int)st, (long long)err.pos, err.msg);
    assert_int_equal(st, bad_csv[i].code);
    assert_int_equal(err.pos, bad_csv[i].pos);
    for (int k = 0; k < 2; k++) assert_true(speaks_of(&err, bad_csv[i].word[k]));
    assert_int_equal(count_names(s, "bad"), 0);
  }
  trm_error err;
  assert_int_equal(build(s, HEAD "a," Q1 "," A1 ",3\n", HEAD "b,.,1,1\n", "bad",
                         (trm_sudoku_build_config){0}, NULL, &err),
                   TRM_E_FORMAT);
  assert_true(speaks_of(&err, "test.csv:2:4: a 4x4 Sudoku has 16 characters, here is 1"));
  assert_int_equal(count_names(s, "bad"), 0);
}

/* Q1 with its rows 1 and 2 exchanged; its digits 1 and 2 exchanged, too. */
#define Q1_MOVED "3...2......3...."
#define A1_MOVED "3421213412434312"

static void csv_becomes_a_folder(void **state) {
  /* Quoted fields, both ends of lines, a byte order mark, and columns in another order. */
  scratch *s = *state;
  trm_build_report report;
  trm_error err;
  static const char train[] = "\xef\xbb\xbf" HEAD "\"x, y\",\"" Q1 "\"," A1
                              ",3\r\n"
                              "b,1...............," A1 ",1\nb,1...............," A1 ",9\n";
  static const char test[] = "rating,answer,question\n5," A1 "," Q1 "\n5," A1_MOVED "," Q1_MOVED
                             "\n5," A1 ",12..............";

  /* The counts of the report: a repeated puzzle, one in both splits, and one that is its image. */
  assert_int_equal(
      build(s, train, test, "built", (trm_sudoku_build_config){.num_aug = 2}, &report, &err),
      TRM_OK);
  assert_int_equal(report.train_puzzles, 3);
  assert_int_equal(report.train_examples, 9);
  assert_int_equal(report.test_puzzles, 3);
  assert_int_equal(report.duplicates_in_train, 1);
  assert_int_equal(report.duplicates_in_test, 0);
  assert_int_equal(report.overlap, 1);
  assert_int_equal(report.symmetric_overlap, 2);

  /* The folder says what the puzzles are, with augmented examples as puzzles of one group. */
  trm_dataset *d;
  assert_int_equal(trm_dataset_open(scratch_path(s, "built"), "train", &d, &err), TRM_OK);
  const trm_dataset_info *info = trm_dataset_get_info(d);
  assert_int_equal(info->examples, 9);
  assert_int_equal(info->puzzles, 9);
  assert_int_equal(info->groups, 3);
  assert_int_equal(info->vocab_size, 6);
  assert_int_equal(info->ignore_label_id, 0);
  assert_int_equal(info->puzzle.kind, TRM_PUZZLE_SUDOKU);

  /* Every example is a solved puzzle, and those of a group are images of its first one. */
  for (int64_t i = 0; i < 9; i++) {
    int32_t inputs[16], labels[16], id;
    uint8_t q[16], a[16], form[16];
    trm_dataset_example(d, i, inputs, labels, &id);
    assert_int_equal(id, 0);
    for (int k = 0; k < 16; k++) q[k] = (uint8_t)(inputs[k] - 1), a[k] = (uint8_t)(labels[k] - 1);
    assert_true(trm_sudoku_solves(&info->puzzle, q, a));
    static uint8_t first[16];
    trm_sudoku_canonical(&info->puzzle, q, i % 3 ? form : first);
    if (i % 3) assert_memory_equal(form, first, 16);
  }
  trm_dataset_free(d);

  /* Sudokus have no ids of their own, and nothing else lies in the folder. */
  size_t n;
  unsigned char *names = read_bytes(scratch_path(s, "built/identifiers.json"), &n);
  assert_non_null(strstr((char *)names, "\"<blank>\""));
  free(names);
  assert_int_equal(count_names(s, "built"), 1);
}

/* Whatever ends the lines, and with a byte order mark or a cut end, no puzzle is lost. */
static void every_line_is_read(void **state) {
  /* The ends that systems write, one that a careless copy makes, and a mix of them. */
  static const char *const ends[] = {"\n", "\r\n", "\r", "\r\r\n"};
  static const char *const lists[] = {"# c%s.234341221434321%s" Q1 "%s%s1234.41221434321%s",
                                      "question,answer%s1...............," A1 "%s\"" Q1 "\"," A1
                                      "%s%s3...2......3....," A1_MOVED "%s"};
  scratch *s = *state;
  trm_build_report report;
  trm_error err;

  /* A list and a table, with and without a mark, with and without an end of the last line. */
  for (int k = 0; k < 2; k++)
    for (int mark = 0; mark < 2; mark++)
      for (int e = 0; e < 5; e++)
        for (int last = 0; last < 2; last++) {
          char text[300];
          const char *a = ends[e % 4], *b = e == 4 ? ends[2] : a, *c = e == 4 ? ends[1] : a;
          int n = snprintf(text, sizeof text, "%s", mark ? "\xef\xbb\xbf" : "");
          snprintf(text + n, sizeof text - (size_t)n, lists[k], a, b, c, a, last ? b : "");

          /* Three puzzles, of which one is broken and is counted, not lost. */
          const trm_sudoku_build_config config = {.skip_invalid = true};
          if (build(s, text, NULL, "ends", config, &report, &err) != TRM_OK)
            fail_msg("%s", err.msg);
          assert_int_equal(report.train_puzzles + report.skipped, 3);
        }
}

static void what_stands_beside_a_puzzle_is_not_passed_over(void **state) {
  static const struct {
    const char *text;
    int pos;
    const char *word[2];
  } bad[] = {{"  " Q1 "\t" Q1 "\n", 1, {":1:20:", "two puzzles"}},
             {Q1 " 1..........1234\n", 1, {":1:18:", "15 cells beside a puzzle of 16"}},
             {"1...\r1..2\r", 1, {":1:1:", "2 rows of 4 cells"}},
             {"# only\n# comments\n", 1, {":1:1:", "no Sudoku"}},
             {"\xff\xfe"
              "1.",
              1,
              {"UTF-16", "save it as UTF-8"}},
             {"question,answer\n" Q1 "," A1 ",,\n" Q1 "," A1 ",3\n", 3, {":3:35:", "3 columns"}},
             {"question,answer,question\n" Q1 "," A1 ",\n", 1, {":1:17:", "two columns"}},
             {"\xfe\xff"
              "question,answer\n",
              1,
              {"UTF-16", "save it as UTF-8"}}};

  /* Each is refused at its place, though the puzzle itself could be read. */
  scratch *s = *state;
  trm_error err;
  const trm_sudoku_build_config strict = {0}, config = {.skip_invalid = true};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal(build(s, bad[i].text, NULL, "beside", strict, NULL, &err), TRM_E_FORMAT);
    assert_int_equal(err.pos, bad[i].pos);
    for (int k = 0; k < 2; k++) assert_true(speaks_of(&err, bad[i].word[k]));
    assert_int_equal(count_names(s, "beside"), 0);
  }

  /* A comment may stand there, also with a comma in the first line. */
  trm_build_report report;
  if (build(s, "1.3.34..2143432.  # easy, 2\n" Q1 "# hard\n", NULL, "beside", config, &report,
            &err))
    fail_msg("%s", err.msg);
  assert_int_equal(report.train_puzzles + report.skipped, 2);
}

/* What cannot be read or has a wrong solution ends a build, which names the way on; empty rows of a
 * spreadsheet do not. */
static void bad_rows_are_left_out_on_demand(void **state) {
  static const char text[] = HEAD "a," Q1 "," A1 ",1\n,,,\nb," Q1 "," A2
                                  ",1\nc,1..z,,\n,,,\n"
                                  "d,1...............,,\n";

  /* The first bad row ends a build, and the message has the way on. */
  scratch *s = *state;
  trm_build_report report;
  trm_error err;
  trm_sudoku_build_config config = {0};
  assert_int_equal(build(s, text, NULL, "left", config, &report, &err), TRM_E_PUZZLE);
  assert_true(speaks_of(&err, "train.csv:4:") && speaks_of(&err, "; --skip-invalid leaves it out"));
  assert_int_equal(build(s, "1...............\n", NULL, "left", config, &report, &err),
                   TRM_E_PUZZLE);
  assert_true(speaks_of(&err, "more than one solution; --skip-invalid leaves it out"));

  /* With it rows are left out, and counted by what is wrong about them. */
  config.skip_invalid = true;
  if (build(s, text, HEAD "a," Q1 "," A1 ",\n,,,\n", "left", config, &report, &err))
    fail_msg("%s", err.msg);
  assert_int_equal(report.train_puzzles, 1);
  assert_int_equal(report.unreadable, 2);
  assert_int_equal(report.skipped, 1);
  assert_int_equal(report.empty_rows, 3);

  /* Lines of words, behind puzzles of a line each and before them. */
  assert_int_equal(build(s, "A title\n" Q1 " " A1 "\nlost\n" Q1 " " A1 "\n\nlost, too\n", NULL,
                         "left", config, &report, &err),
                   TRM_OK);
  assert_int_equal(report.titles, 2);

  /* What is left out says nothing of the size of the others. */
  static const char first[] = HEAD
      "a,z"
      "................................................................................"
      ",,\nb," Q1 "," A1 ",1\n";
  if (build(s, first, NULL, "left", config, &report, &err)) fail_msg("%s", err.msg);
  assert_int_equal(report.train_puzzles, 1);
  assert_int_equal(report.unreadable, 1);

  /* Nothing is left: then the first error is told. */
  assert_int_equal(build(s, HEAD "a,1..z,,\nb,1,,\n", NULL, "none", config, NULL, &err),
                   TRM_E_FORMAT);
  assert_true(speaks_of(&err, "train.csv:2:"));
  assert_int_equal(build(s, "question,question\n", NULL, "none", config, NULL, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, "two columns") && !strstr(err.msg, "--skip-invalid"));
}

static bool stop_soon(void *arg, int64_t done, int64_t total) {
  (void)done, (void)total;
  return ++*(int *)arg < 3;
}

/* A stop is seen where puzzles are far between, and lines have a bound. */
static void long_files_are_read_in_pieces(void **state) {
  enum { SIZE = 5 << 20 };
  scratch *s = *state;
  char *text = malloc(SIZE + 1);
  int asked = 0;
  trm_error err;
  assert_non_null(text);
  for (int i = 0; i < SIZE; i++) text[i] = i % 64 == 63 ? '\n' : '#';
  text[SIZE] = 0;
  const trm_sudoku_build_config config = {.progress = stop_soon, .progress_arg = &asked};
  assert_int_equal(build(s, text, NULL, "long", config, NULL, &err), TRM_E_INTERRUPTED);
  memset(text, '1', SIZE);
  assert_int_equal(build(s, text, NULL, "long", (trm_sudoku_build_config){0}, NULL, &err),
                   TRM_E_FORMAT);
  assert_true(speaks_of(&err, "train.csv:1:1048576: the line is too long for a puzzle"));
  free(text);
}

/* A solved 16x16 grid in the digits 1 to G, as 0 to F where G is 0, with blanks at some cells. */
static void write_sixteen(bool from_zero, const char *blank, char text[257]) {
  const trm_puzzle p = trm_sudoku_of_size(16);
  for (int i = 0; i < 256; i++) {
    int row = i / 16, value = (row % 4 * 4 + row / 4 + i % 16) % 16 + 1;
    text[i] = "123456789ABCDEFG"[value - 1];
    if (from_zero && value == 16) text[i] = '0';
    if (*blank && i % 7 == 0) text[i] = *blank;
  }
  text[256] = 0;
  assert_true(p.kind == TRM_PUZZLE_SUDOKU);
}

/* 0 to F are the digits of a 16x16 Sudoku as often as 1 to G: its zeros are no blanks. */
static void sixteen_digits_may_begin_with_zero(void **state) {
  /* The same puzzles in both notations, with a dot or a 0 for a blank. */
  scratch *s = *state;
  char zero[257], zero_solved[257], last[257], blank_zero[257], text[1400];
  trm_error err;
  trm_dataset *d[2];
  write_sixteen(true, ".", zero);
  write_sixteen(true, "", zero_solved);
  write_sixteen(false, ".", last);
  write_sixteen(false, "0", blank_zero);
  const trm_sudoku_build_config config = {0};

  /* A list and a table: both say the same as with G. */
  for (int k = 0; k < 2; k++) {
    snprintf(text, sizeof text, k ? "question,answer\n%s,%s\n" : "%s\n", zero, zero_solved);
    if (build(s, text, NULL, "zero", config, NULL, &err)) fail_msg("%s", err.msg);
    snprintf(text, sizeof text, "%s\n", k ? blank_zero : last);
    if (build(s, text, NULL, "last", config, NULL, &err)) fail_msg("%s", err.msg);
    for (int i = 0; i < 2; i++)
      assert_int_equal(trm_dataset_open(scratch_path(s, i ? "last" : "zero"), "train", &d[i], NULL),
                       TRM_OK);
    int32_t inputs[2][256], labels[2][256], id;
    for (int i = 0; i < 2; i++) trm_dataset_example(d[i], 0, inputs[i], labels[i], &id);
    assert_memory_equal(inputs[0], inputs[1], sizeof inputs[0]);
    assert_memory_equal(labels[0], labels[1], sizeof labels[0]);
    for (int i = 0; i < 2; i++) trm_dataset_free(d[i]);
  }

  /* Both at once is ambiguous. */
  snprintf(text, sizeof text, "%s\n%s\n", zero, blank_zero);
  assert_int_equal(build(s, text, NULL, "both", config, NULL, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, ":2:1: is 0 a blank or a digit?"));
  assert_true(speaks_of(&err, "write '.' for every blank"));

  /* Nor can zeros be both in one puzzle. */
  for (int i = 0; i < 256; i++)
    if (zero[i] == '.') zero[i] = '0';
  snprintf(text, sizeof text, "question,answer\n%s,%s\n", zero, zero_solved);
  assert_int_equal(build(s, text, NULL, "both", config, NULL, &err), TRM_E_FORMAT);
  assert_int_equal(count_names(s, "both"), 0);
}

static void subsample_and_ratings_choose(void **state) {
  /* Forty puzzles of one answer, whose ratings are their numbers. */
  scratch *s = *state;
  char csv[8192] = HEAD;
  for (int i = 0; i < 40; i++) {
    char line[64], q[] = A1;
    for (int k = 0; k < 6; k++)
      if (i >> k & 1) q[k] = '.';
    snprintf(line, sizeof line, "a,%s,%s,%d\n", q, A1, i);
    strcat(csv, line);
  }

  /* Seven of the thirty that are hard enough. */
  trm_build_report report;
  trm_sudoku_build_config config = {.min_difficulty = 10, .subsample_size = 7, .seed = 3};
  assert_int_equal(build(s, csv, NULL, "sub", config, &report, NULL), TRM_OK);
  assert_int_equal(report.train_puzzles, 7);

  /* They stand in the order of the file, each once. */
  trm_dataset *d;
  assert_int_equal(trm_dataset_open(scratch_path(s, "sub"), "train", &d, NULL), TRM_OK);
  int before = 9;
  for (int64_t i = 0; i < 7; i++) {
    int32_t inputs[16];
    int which = 0;
    trm_dataset_example(d, i, inputs, NULL, NULL);
    for (int k = 0; k < 6; k++) which |= (inputs[k] == 1) << k;
    assert_true(which > before && which < 40); /* file order, each once, none too easy */
    before = which;
  }
  trm_dataset_free(d);

  /* A wish for more than there are gets all. */
  config.subsample_size = 100;
  assert_int_equal(build(s, csv, NULL, "sub", config, &report, NULL), TRM_OK);
  assert_int_equal(report.train_puzzles, 30);
}

static void published_csv_is_built(void **state) {
  scratch *s = *state;
  char csv[512];
  snprintf(csv, sizeof csv, "%s/data/sudoku-extreme/train.csv", TRM_SHARED_DIR);
  if (!trm__path_exists(csv)) {
    print_message("no data below %s\n", TRM_SHARED_DIR);
    skip();
  }
  trm_build_report report;
  trm_error err;
  trm_sudoku_build_config config = {.train_csv = csv, .output_dir = scratch_path(s, "extreme")};
  assert_int_equal(trm_build_sudoku(&config, &report, &err), TRM_OK);
  assert_int_equal(report.train_puzzles, 1000);
  assert_int_equal(report.duplicates_in_train, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      /* what is refused */
      cmocka_unit_test(bad_csv_is_refused),
      cmocka_unit_test(what_stands_beside_a_puzzle_is_not_passed_over),
      cmocka_unit_test(bad_rows_are_left_out_on_demand),
      cmocka_unit_test(long_files_are_read_in_pieces),

      /* what is built */
      cmocka_unit_test(csv_becomes_a_folder),
      cmocka_unit_test(every_line_is_read),
      cmocka_unit_test(sixteen_digits_may_begin_with_zero),
      cmocka_unit_test(subsample_and_ratings_choose),
      cmocka_unit_test(published_csv_is_built),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
