/* Numbers as text: exact, as short as they can be, and the same in every locale. */
#include "base/number.h"

#include <float.h>
#include <math.h>

#include "base/memory.h"
#include "base/rng.h"
#include "comma_locale.h"
#include "io/json.h"

static const struct {
  double value;
  const char *text;
} printed[] = {{0, "0.0"},
               {-0.0, "-0.0"},
               {1, "1.0"},
               {-12.5, "-12.5"},
               {0.1, "0.1"},
               {0.1 + 0.2, "0.30000000000000004"},
               {100, "100.0"},
               {1e15, "1000000000000000.0"},
               {123456789012345678.0, "1.2345678901234568e+17"},
               {1e16, "1e+16"},
               {0.0001, "0.0001"},
               {0.00012, "0.00012"},
               {1e-5, "1e-05"},
               {1.5e300, "1.5e+300"},
               {5e-324, "5e-324"},
               {2.2250738585072014e-308, "2.2250738585072014e-308"},
               {DBL_MAX, "1.7976931348623157e+308"},
               /* Powers of two whose shortest text is not what rounding gives. */
               {0x1p-1017, "7.120236347223045e-307"},
               {0x1p-44, "5.684341886080802e-14"}};

static void numbers_print_as_python_does(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof printed / sizeof *printed; i++) {
    char text[TRM__NUMBER_SIZE];
    const size_t n = trm__number_print(printed[i].value, text);
    assert_string_equal(text, printed[i].text);
    assert_int_equal(n, strlen(text));
  }
}

static void same_bits(double a, double b, const char *text) {
  if (memcmp(&a, &b, sizeof a) != 0) fail_msg("%s: %a, want %a", text, a, b);
}

static const struct {
  const char *text;
  double value;
} texts[] = {{"0", 0.0},
             {"-0", -0.0},
             {"+3", 3},
             {"007", 7},
             {".5", 0.5},
             {"5.", 5},
             {"1e5", 1e5},
             {"1E+5", 1e5},
             {"1e-5", 1e-5},
             {"9007199254740993", 9007199254740992.0}, /* half way: to the even one */
             {"9007199254740993.0000000000000000000000000000000000001", 9007199254740994.0},
             {"1e400", HUGE_VAL},
             {"-1e400", -HUGE_VAL},
             {"1e-400", 0},
             {"0e99999999999999999999", 0},
             {"1e99999999999999999999", HUGE_VAL},
             {"1e-99999999999999999999", 0},
             {"2.2250738585072011e-308", 0x1.0p-1022 - 0x1p-1074},
             {"4.9e-324", 0x1p-1074},
             {"2.4703282292062327208e-324", 0}};

static void texts_read_as_the_nearest_number(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    assert_true(trm__number_is_decimal(texts[i].text, strlen(texts[i].text)));
    same_bits(trm__number_read(texts[i].text, strlen(texts[i].text)), texts[i].value,
              texts[i].text);
  }
  /* Two million digits are not more than 800, but for whether anything follows. */
  enum { MANY = 2000000 };
  char *many = malloc(MANY);
  assert_non_null(many);
  memset(many, '0', MANY);
  memcpy(many, "9007199254740993.", 17);
  assert_true(trm__number_read(many, MANY) == 9007199254740992.0);
  many[MANY - 1] = '1';
  assert_true(trm__number_read(many, MANY) == 9007199254740994.0);
  free(many);
}

static void other_texts_are_no_numbers(void **state) {
  (void)state;
  static const char *const bad[] = {"",    ".",   "-",  "e5", "1e",  "1e+",   "0x1",  "inf",
                                    "nan", "1,5", " 1", "1 ", "--1", "1.2.3", "1e5.", "1_0"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    if (trm__number_is_decimal(bad[i], strlen(bad[i]))) fail_msg("'%s' is taken", bad[i]);
}

/* What is printed reads back to the bit, and nothing shorter does. */
static void any_number_comes_back(void **state) {
  (void)state;
  trm__rng rng = trm__rng_at(1, TRM__RNG_TEST, 0, 0);
  for (int i = 0; i < 20000; i++) {
    const uint64_t bits =
        (uint64_t)trm__rng_below(&rng, UINT32_MAX) << 32 | trm__rng_below(&rng, UINT32_MAX);
    double v;
    char text[TRM__NUMBER_SIZE], shorter[64];
    memcpy(&v, &bits, sizeof v);
    if (!isfinite(v)) continue;
    const size_t n = trm__number_print(v, text);
    same_bits(trm__number_read(text, n), v, text);
    same_bits(strtod(text, NULL), v, text);
    int digits = 0;
    for (const char *c = text; *c && *c != 'e'; c++) digits += *c >= '0' && *c <= '9';
    if (digits < 17 || !strchr(text, 'e')) continue;
    snprintf(shorter, sizeof shorter, "%.15e", v);
    assert_false(strtod(shorter, NULL) >= v && strtod(shorter, NULL) <= v);
  }
}

/* --- locales --- */

static void no_locale_changes_a_number(void **state) {
  char text[TRM__NUMBER_SIZE];
  if (!enter_comma_locale(*state)) skip();
  snprintf(text, sizeof text, "%.1f", 0.5);
  assert_string_equal(text, "0,5"); /* the locale does what it is here for */
  numbers_print_as_python_does(state);
  texts_read_as_the_nearest_number(state);
  other_texts_are_no_numbers(state);
  trm__number_format("%a", 1.5, text);
  assert_string_equal(text, "0x1.8p+0");
  trm__number_format("%.17g", -0.3, text);
  assert_string_equal(text, "-0.29999999999999999");
  trm__number_format("%a", 2, text);
  assert_string_equal(text, "0x1p+1");
  (void)setlocale(LC_ALL, "C");
}

static void no_locale_changes_json(void **state) {
  static const char text[] = "[0.1,-2.5e-07,1e+300]";
  trm__json *root;
  char *again;
  if (!enter_comma_locale(*state)) skip();
  assert_int_equal(trm__json_decode(text, sizeof text - 1, NULL, &root, NULL), TRM_OK);
  assert_true(trm__json_number(trm__json_item(root, 0)) == 0.1);
  assert_true(trm__json_number(trm__json_item(root, 1)) == -2.5e-7);
  trm__json_out o = trm__json_begin(TRM__JSON_COMPACT);
  trm__json_put_value(&o, NULL, root);
  assert_int_equal(trm__json_finish(&o, "a list", &again, NULL), TRM_OK);
  assert_string_equal(again, text);
  trm__free(again);
  trm__json_free(root);
  (void)setlocale(LC_ALL, "C");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(numbers_print_as_python_does),
      cmocka_unit_test(texts_read_as_the_nearest_number),
      cmocka_unit_test(other_texts_are_no_numbers),
      cmocka_unit_test(any_number_comes_back),
      cmocka_unit_test(no_locale_changes_a_number),
      cmocka_unit_test(no_locale_changes_json),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
