/* The option parser that the commands share, their exit codes, and numbers as text. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* cmocka.h needs what stands before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

#include "cli/cli.h"

static const cli_manual manual = {"prog A B [options]", "About.\n", NULL};

static bool parse_line(const char *line, const cli_option *options, int *argc, char **argv,
                       int *code) {
  static char text[256];
  snprintf(text, sizeof text, "%s", line);
  *argc = 0;
  for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) argv[(*argc)++] = word;
  return cli_options_parse(&manual, options, argc, argv, code);
}

static void test_options(void **state) {
  /* One option of each kind. */
  (void)state;
  bool json = false;
  int steps = 1, code = -1, argc;
  int64_t limit = 0;
  double share = 0, bar = 0;
  const char *file = NULL, *out = NULL, *picture = NULL;
  trm_dtype dtype = TRM_DTYPES;
  char *argv[32];
  const cli_option options[] = {
      {"json", CLI_FLAG, &json, NULL, "h"},       {"steps", CLI_INT, &steps, "N", "h"},
      {"limit", CLI_INT64, &limit, "N", "h"},     {"share", CLI_DOUBLE, &share, "X", "h"},
      {"file", CLI_STRING, &file, "F", "h"},      {"dtype", CLI_DTYPE, &dtype, "D", "h"},
      {"out", CLI_OUTPUT, &out, "FILE.npy", "h"}, {"svg", CLI_STREAM, &picture, "FILE.svg", "h"},
      {"bar", CLI_LOGIT, &bar, "X", "h"},         {NULL, CLI_FLAG, NULL, NULL, NULL}};

  /* Values may be joined or follow, arguments stand between, and -- ends options. */
  assert_true(parse_line(
      "a --json --steps 5 - --limit=7 --share 0.5 --file=x=y --dtype bfloat16 b -- --json", options,
      &argc, argv, &code));
  assert_int_equal(argc, 4);
  assert_string_equal(argv[1], "-");
  assert_string_equal(argv[3], "--json");
  assert_true(json && steps == 5 && limit == 7 && share == 0.5 && dtype == TRM_BFLOAT16);
  assert_string_equal(file, "x=y");
  assert_true(parse_line("--bar -1.5", options, &argc, argv, &code) && bar == -1.5);

  /* Names, values and places of output that are wrong. */
  static const char *const wrong[] = {
      "--jsom",       "--steps",     "--steps x",    "--steps -1",
      "--json=1",     "--steps=",    "-x",           "--out -",
      "--out=",       "--out=-",     "--out a.csv",  "--out b/.x.npz",
      "--svg=",       "--svg a.png", "--share nan",  "--steps 1e99",
      "--limit 0x10", "--stepsx 5",  "--dtype half", "--dtype=",
      "--share -1",   "--bar inf",   "--bar x"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    code = -1;
    if (parse_line(wrong[i], options, &argc, argv, &code)) fail_msg("%s was accepted", wrong[i]);
    assert_int_equal(code, CLI_USAGE);
  }
}

/* Where 0 makes no sense, it is refused as what is below it. */
static void test_from_one(void **state) {
  /* Sizes, counts and minutes. */
  (void)state;
  int size = 7, code, argc;
  int64_t count = 7;
  double minutes = 7;
  char *argv[32], line[64];
  const cli_option options[] = {{"size", CLI_SIZE, &size, "N", "h"},
                                {"count", CLI_COUNT, &count, "N", "h"},
                                {"minutes", CLI_MINUTES, &minutes, "N", "h"},
                                {NULL, CLI_FLAG, NULL, NULL, NULL}};

  /* Nothing that is 0 or less, and no texts. */
  static const char *const wrong[] = {"0", "-1",  "-0.0", "",
                                      "x", "nan", "1e99", "99999999999999999999"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    for (int k = 0; options[k].name; k++) {
      snprintf(line, sizeof line, "--%s=%s", options[k].name, wrong[i]);
      code = -1;
      if (parse_line(line, options, &argc, argv, &code)) fail_msg("%s was accepted", line);
      assert_int_equal(code, CLI_USAGE);
    }

  /* There is an upper end to minutes, and up to the ends all is taken. */
  assert_false(parse_line("--minutes=10000001", options, &argc, argv, &code));
  assert_true(parse_line("--size 1 --count 1 --minutes 1e-3", options, &argc, argv, &code));
  assert_true(size == 1 && count == 1 && minutes == 1e-3);
  assert_true(parse_line("--minutes=1e7 --count=9999999999", options, &argc, argv, &code));
  assert_true(minutes == 1e7 && count == 9999999999);
}

/* Words after one option, as Python's argument parsers take lists; also one by one. */
static void test_words(void **state) {
  /* An option that takes words, and one that does not. */
  (void)state;
  cli_words words = {.n = 0};
  bool flag = false;
  int code = -1, argc;
  char *argv[80];
  const cli_option options[] = {{"subsets", CLI_WORDS, &words, "A B ...", "h"},
                                {"flag", CLI_FLAG, &flag, NULL, "h"},
                                {NULL, CLI_FLAG, NULL, NULL, NULL}};

  /* Words come to an end at the next option, and collect. */
  assert_true(
      parse_line("--subsets a b,c --flag --subsets=d e -- x y z", options, &argc, argv, &code));
  static const char *const want[] = {"a", "b,c", "d", "e"};
  assert_true(words.n == 4 && flag && argc == 3);
  for (int i = 0; i < 4; i++) assert_string_equal(words.word[i], want[i]);
  assert_string_equal(argv[0], "x");

  /* None at all, or an option that is misspelt. */
  static const char *const wrong[] = {"--subsets", "--subsets=", "--subsets a --flags"};
  for (int i = 0; i < 3; i++) {
    words.n = 0;
    assert_false(parse_line(wrong[i], options, &argc, argv, &code));
    assert_int_equal(code, CLI_USAGE);
  }

  /* One more than there is room for. */
  char many[256] = "--subsets";
  for (int i = 0; i <= CLI_MAX_WORDS; i++) strcat(many, " s");
  words.n = 0;
  assert_false(parse_line(many, options, &argc, argv, &code));
}

/* What is written has a name; that of another kind of file is a mistake. */
static void test_outputs(void **state) {
  (void)state;
  const char *out = NULL, *picture = NULL;
  int code = -1, argc;
  char *argv[32];
  const cli_option options[] = {{"out", CLI_OUTPUT, &out, "FILE.npy", "h"},
                                {"svg", CLI_STREAM, &picture, "FILE.svg", "h"},
                                {NULL, CLI_FLAG, NULL, NULL, NULL}};
  static const char *const right[] = {"a.npy", "a.NPY", "a", "./-", "a.d/b", "a.5", ".npz", "a.d/"};
  for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
    char line[40];
    snprintf(line, sizeof line, "--out %s --svg -", right[i]);
    assert_true(parse_line(line, options, &argc, argv, &code));
    assert_string_equal(out, right[i]);
    assert_string_equal(picture, "-");
  }
  assert_string_equal(cli_ending("a.b/c.onnx"), ".onnx");
  assert_string_equal(cli_ending("c.h5"), ".h5");
  assert_null(cli_ending("a.onnx/"));
  assert_null(cli_ending("step_1.5"));
}

static void test_exit_codes(void **state) {
  (void)state;
  assert_int_equal(cli_exit_code(TRM_OK), 0);
  assert_int_equal(cli_exit_code(TRM_E_IO), 1);
  assert_int_equal(cli_exit_code(TRM_E_NUMERIC), 1);
  assert_int_equal(cli_exit_code(TRM_E_CONFIG), 2);
  assert_int_equal(cli_exit_code(TRM_E_SHAPE), 3);
  assert_int_equal(cli_exit_code(TRM_E_INTERRUPTED), 130);
}

static void test_formats(void **state) {
  (void)state;
  char text[64];
  cli_format_duration(59.4, text, sizeof text);
  assert_string_equal(text, "59 s");
  cli_format_duration(3725, text, sizeof text);
  assert_string_equal(text, "1 h 2 min");
  cli_format_duration(INFINITY, text, sizeof text);
  assert_string_equal(text, "?");
  cli_format_bytes(1536, text, sizeof text);
  assert_string_equal(text, "1.5 KiB");
  cli_format_count(1234567, text, sizeof text);
  assert_string_equal(text, "1,234,567");
  cli_format_count(-123, text, sizeof text);
  assert_string_equal(text, "-123");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_options),    cmocka_unit_test(test_from_one),
      cmocka_unit_test(test_words),      cmocka_unit_test(test_outputs),
      cmocka_unit_test(test_exit_codes), cmocka_unit_test(test_formats),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
