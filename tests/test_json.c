/* JSON: what is taken, what is refused and where, how it is looked up, and how it is written. */
#include "gzip_bytes.h"
#include "io/json.h"

#include <math.h>

#include "base/memory.h"
#include "json_text.h"

/* --- reading --- */

static void values_are_what_the_text_says(void **state) {
  /* Every kind of value, with spaces, escapes, an empty key and nesting. */
  (void)state;
  trm__json *root = json_of(
      " { \"a\" : [ 1 , -2.5e1, true,false, null ], \"\\u00fc\\ud83d\\ude00\\n\": {} , "
      "\"\":[[],\"x\"]}\r\n");

  /* Keys are in their order, and unescaped. */
  assert_int_equal(trm__json_n_members(root), 3);
  assert_string_equal(trm__json_key(root, 1), "\xc3\xbc\xf0\x9f\x98\x80\n");

  /* Numbers, words, and what lies beyond the end of a list. */
  const trm__json *a = trm__json_get(root, "a"), *last = trm__json_get(root, "");
  assert_int_equal(trm__json_n_items(a), 5);
  assert_int_equal(trm__json_integer(trm__json_item(a, 0)), 1);
  assert_true(trm__json_number(trm__json_item(a, 0)) == 1);
  assert_true(trm__json_number(trm__json_item(a, 1)) == -25);
  assert_int_equal(trm__json_integer(trm__json_item(a, 1)), 0); /* a real */
  assert_true(trm__json_is_true(trm__json_item(a, 2)));
  assert_true(trm__json_is(trm__json_item(a, 3), TRM__JSON_FALSE));
  assert_true(trm__json_is(trm__json_item(a, 4), TRM__JSON_NULL));
  assert_null(trm__json_item(a, 5));
  assert_true(trm__json_is(trm__json_member(root, 1), TRM__JSON_OBJECT));

  /* Lists in lists, and texts with their length. */
  assert_int_equal(trm__json_n_items(last), 2);
  assert_int_equal(trm__json_n_items(trm__json_item(last, 0)), 0);
  assert_string_equal(trm__json_text(trm__json_item(last, 1)), "x");
  assert_int_equal(trm__json_length(trm__json_item(last, 1)), 1);

  /* What is not there is nothing, whatever it is looked for in. */
  assert_null(trm__json_get(root, "b"));
  assert_null(trm__json_get(a, "b")); /* of no object */
  assert_null(trm__json_text(NULL));
  trm__json_free(root);
}

/* Looked up one by one below a dozen, else in sorted order. */
static void every_member_is_found(void **state) {
  /* Objects of up to 300 members, whose keys are in no order. */
  (void)state;
  static char text[40000], key[32];
  for (int n = 0; n < 300; n += n < 20 ? 1 : 93) {
    size_t at = (size_t)snprintf(text, sizeof text, "{");
    for (int i = 0; i < n; i++)
      at += (size_t)snprintf(text + at, sizeof text - at, "%s\"%.*s%d\":%d", i ? "," : "", i % 5,
                             "xxxxx", i * 7919 % 1000, i);
    snprintf(text + at, sizeof text - at, "}");

    /* Each member is found by its place and by its key. */
    trm__json *root = json_of(text);
    assert_int_equal(trm__json_n_members(root), n);
    for (int i = 0; i < n; i++) {
      snprintf(key, sizeof key, "%.*s%d", i % 5, "xxxxx", i * 7919 % 1000);
      assert_string_equal(trm__json_key(root, (size_t)i), key);
      const trm__json *v = trm__json_get(root, key);
      assert_ptr_equal(v, trm__json_member(root, (size_t)i));
      assert_int_equal(trm__json_integer(v), i);
    }

    /* One that is not there is not found. */
    assert_null(trm__json_get(root, "xxxxxxxx"));
    trm__json_free(root);
  }
}

/* A text, whether it is taken, else the byte and a word of the fault. */
static const struct {
  const char *text;
  int byte; /* -1: taken */
  const char *word;
} texts[] = {
    {"1", -1, NULL},
    {" \"a\" ", -1, NULL},
    {"[]", -1, NULL},
    {"{\"a\":{\"a\":1},\"b\":[{\"a\":1}]}", -1, NULL},
    {"-0", -1, NULL},
    {"9223372036854775807", -1, NULL},
    {"-9223372036854775808", -1, NULL},
    {"1.7976931348623157e308", -1, NULL},
    {"1e-999999999999999999999", -1, NULL},
    {"\"\\u0001\\\"\\\\\\/\\b\\f\\n\\r\\t\"", -1, NULL},
    {"\"\xf4\x8f\xbf\xbf\xed\x9f\xbf\x7f\"", -1, NULL},
    {"", 0, "want a value, found the end"},
    {"  ", 2, "the end"},
    {"nul", 0, "want a value, found 'n'"},
    {"nulls", 4, "want the end of the text, found 's'"},
    {"[1,]", 3, "want a value, found ']'"},
    {"[1 2]", 3, "',' or ']' after a value, found '2'"},
    {"[1}", 2, "',' or ']'"},
    {"{\"a\":1]", 6, "',' or '}'"},
    {"{\"a\" 1}", 5, "':' after a key"},
    {"{\"a\":1,}", 7, "a key in quotes"},
    {"{a:1}", 1, "a key in quotes"},
    {"{1:1}", 1, "a key in quotes"},
    {"{\"a\":}", 5, "want a value"},
    {"[", 1, "want a value, found the end"},
    {"[[1]", 4, "the end"},
    {"01", 1, "want the end of the text"},
    {"-", 1, "a digit"},
    {"+1", 0, "want a value"},
    {"1.", 2, "a digit"},
    {".5", 0, "want a value"},
    {"1.e5", 2, "a digit"},
    {"1e", 2, "a digit"},
    {"1e+", 3, "a digit"},
    {"0x10", 1, "the end of the text"},
    {"1,5", 1, "the end of the text"},
    {"NaN", -1, NULL},
    {"[Infinity,-Infinity, NaN]", -1, NULL},
    {"9223372036854775808", -1, NULL},
    {"-9223372036854775809", -1, NULL},
    {"[1e309]", -1, NULL},
    {"-NaN", 1, "a digit"},
    {"Nan", 0, "want a value, found 'N'"},
    {"Infinit", 0, "want a value, found 'I'"},
    {"-Inf", 0, "want a value, found '-'"},
    {"NaNs", 3, "want the end of the text"},
    {"{NaN:1}", 1, "a key in quotes"},
    {"\"a", 2, "the quote that ends a string, found the end"},
    {"\"a\tb\"", 2, "found byte 9"},
    {"\"a\nb\"", 2, "found byte 10"},
    {"\"\\x\"", 1, "backslash"},
    {"\"\\", 1, "backslash"},
    {"\"\\u12g4\"", 1, "four hexadecimal digits"},
    {"\"\\u123", 1, "four hexadecimal digits"},
    {"\"\\u0000\"", 1, "\\u0000"},
    {"\"\\ud800\"", 1, "surrogate"},
    {"\"\\ud800\\u0041\"", 1, "surrogate"},
    {"\"\\udc00\"", 1, "surrogate"},
    {"\"\\ud83d\\ud83d\"", 1, "surrogate"},
    {"\"\xff\"", 1, "want UTF-8, found byte 255"},
    {"\"\xc0\xaf\"", 1, "UTF-8"},
    {"\"\xc3\"", 1, "UTF-8"},
    {"\"\xe0\x80\x80\"", 1, "UTF-8"},
    {"\"\xed\xa0\x80\"", 1, "UTF-8"},
    {"\"\xf4\x90\x80\x80\"", 1, "UTF-8"},
    {"\xef\xbb\xbf{}", 0, "want a value, found byte 239"},
    {"// no\n1", 0, "want a value"},
    {"'a'", 0, "want a value"},
    {"{\"a\":1, \"a\":2}", 8, "duplicate key \"a\""},
    {"[{\"x\":{\"b\":[1,2],\"\\u0062\":\"}\"}}]", 17, "duplicate key \"b\""},
    {"{\"a\":0,\"b\":\"{,\\\"\",\"c\":[0,0],\"d\":0,\"e\":0,\"f\":0,\"g\":0,\"h\":0,\"i\":0,"
     "\"j\":0,\"k\":0,\"l\":0,\"m\":0,\"c\":1}",
     88, "duplicate key \"c\""},
};

static void texts_are_taken_or_refused_where_they_are_wrong(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    trm__json *root;
    trm__json_fault fault = {0};
    const size_t n = strlen(texts[i].text);
    char *text = malloc(n + 1); /* nothing behind it */
    assert_non_null(text);
    memcpy(text, texts[i].text, n);
    const trm_status st = trm__json_decode(text, n, NULL, &root, &fault);
    const bool taken = texts[i].byte < 0;
    if ((st == TRM_OK) != taken || (!taken && (int)fault.byte != texts[i].byte) ||
        (!taken && !strstr(fault.what, texts[i].word)))
      fail_msg("%s: status %d, byte %zu: %s", texts[i].text, st, fault.byte, fault.what);
    assert_true((root != NULL) == taken);
    trm__json_free(root);
    free(text);
  }
}

/* Where doubles end, however it is written: what the counting pass takes for small enough is. */
static void the_largest_doubles_are_told(void **state) {
  (void)state;
  char text[1200];
  for (int digits = 1; digits < 400; digits++)
    for (int exponent = 0; exponent < 320; exponent += exponent < 90 ? 30 : 1) {
      const int n = snprintf(text, sizeof text, "[1%0*d.5e%d, 7, 0.%0*d1e%d]", digits, 0, exponent,
                             digits, 0, exponent + digits);
      trm__json *root;
      assert_int_equal(trm__json_parse(text, (size_t)n, "f", 1, &root, NULL), TRM_OK);
      assert_int_equal(trm__json_is(trm__json_item(root, 0), TRM__JSON_BEYOND),
                       digits + exponent > 308);
      assert_int_equal(trm__json_integer(trm__json_item(root, 1)), 7);
      assert_int_equal(trm__json_is(trm__json_item(root, 2), TRM__JSON_BEYOND), exponent > 309);
      trm__json_free(root);
    }
}

/* Numbers that no int64 or double holds stay as they are written, and nobody gets them for others.
 */
static void numbers_of_others_are_kept(void **state) {
  /* Numbers as Python writes them, and others that a double holds or not. */
  (void)state;
  static const char text[] =
      "{\"a\":NaN,\"b\":[-Infinity,Infinity],\"c\":18446744073709551616,\"d\":-1e400,\"e\":3.0,"
      "\"f\":2.5,\"g\":1e300}";
  static const char *const beyond[] = {"a", "c", "d"};
  trm__json *root = json_of(text);
  trm_error err;
  int64_t i = 7;
  double d = 7;

  /* No accessor gives a value for them, and a message has their text. */
  for (size_t k = 0; k < 3; k++) {
    const trm__json *v = trm__json_get(root, beyond[k]);
    assert_true(trm__json_is(v, TRM__JSON_BEYOND) && !trm__json_is_number(v));
    assert_null(trm__json_text(v));
    assert_false(trm__json_whole(v, &i));
    assert_int_equal(trm__json_int(root, "f", beyond[k], 0, 9, &i, &err), TRM_E_FORMAT);
    assert_true(speaks_of(&err, "want an integer, found ") && speaks_of(&err, beyond[k]));
    assert_int_equal(trm__json_double(root, "f", beyond[k], 0, 9, &d, &err), TRM_E_FORMAT);
  }
  assert_true(speaks_of(&err, "found -1e400"));

  /* A whole number may be written as a real; a fraction or too large a one is no integer. */
  i = 0;
  assert_int_equal(trm__json_int(root, "f", "e", 0, 9, &i, &err), TRM_OK);
  assert_int_equal(i, 3);
  assert_int_equal(trm__json_int(root, "f", "f", 0, 9, &i, &err), TRM_E_FORMAT);
  assert_int_equal(trm__json_int(root, "f", "g", 0, 9, &i, &err), TRM_E_FORMAT);

  /* They are written as they were read. */
  char *again;
  trm__json_out o = trm__json_begin(TRM__JSON_COMPACT);
  trm__json_put_value(&o, NULL, root);
  assert_int_equal(trm__json_finish(&o, "copy", &again, &err), TRM_OK);
  trm__json *copy = json_of(again);
  assert_true(trm__json_same(root, copy));
  assert_non_null(strstr(again, "\"c\":18446744073709551616"));

  /* Equality is that of their texts. */
  trm__json *other =
      json_of("{\"a\":NaN,\"b\":[-Infinity,NaN],\"c\":1,\"d\":1,\"e\":3,\"f\":2,\"g\":1}");
  assert_false(trm__json_same(trm__json_get(root, "b"), trm__json_get(other, "b")));
  assert_true(trm__json_same(trm__json_get(root, "a"), trm__json_get(other, "a")));
  trm__json_free(other);
  trm__json_free(copy);
  trm__json_free(root);
  trm__free(again);
}

static void lines_and_columns_count_characters(void **state) {
  (void)state;
  trm_error err;
  trm__json *json;
  assert_int_equal(trm__json_parse("{\n]", 3, "f", 7, &json, &err), TRM_E_FORMAT);
  assert_null(json);
  assert_int_equal(err.pos, 8);
  assert_true(speaks_of(&err, "f: line 8, column 1: want a key in quotes, found ']'"));
  static const char wide[] = "[\n \"\xc3\xbc\xe2\x82\xac\" 1]";
  assert_int_equal(trm__json_parse(wide, sizeof wide - 1, "f", 1, &json, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, "f: line 2, column 7: want ',' or ']'"));
  assert_int_equal(trm__json_parse("", 0, "f", 7, &json, &err), TRM_E_FORMAT);
  assert_int_equal(err.pos, 7);
}

/* No recursion: what is deepest is refused by its depth, not by the stack. */
static void depth_is_bounded(void **state) {
  (void)state;
  enum { DEEP = 100000 };
  char *text = malloc(2 * DEEP + 1);
  assert_non_null(text);
  for (int depth = TRM__JSON_MAX_DEPTH; depth <= TRM__JSON_MAX_DEPTH + 1; depth++) {
    trm__json *root;
    trm__json_fault fault;
    memset(text, '[', (size_t)depth);
    memset(text + depth, ']', (size_t)depth);
    const trm_status st = trm__json_decode(text, 2 * (size_t)depth, NULL, &root, &fault);
    assert_int_equal(st, depth == TRM__JSON_MAX_DEPTH ? TRM_OK : TRM_E_FORMAT);
    if (st != TRM_OK) assert_non_null(strstr(fault.what, "2048 levels"));
    trm__json_free(root);
  }
  memset(text, '[', DEEP);
  trm__json *root;
  assert_int_equal(trm__json_decode(text, DEEP, NULL, &root, NULL), TRM_E_FORMAT);
  free(text);
}

static void the_front_of_a_text_is_read(void **state) {
  (void)state;
  size_t used;
  trm__json *root = json_first(" [1] 2", &used);
  assert_int_equal(used, 4);
  trm__json_free(root);
  root = json_first("12]", &used);
  assert_int_equal(used, 2);
  assert_int_equal(trm__json_integer(root), 12);
  trm__json_free(root);
}

/* --- writing --- */

static void expect_text(trm__json_out *o, const char *want) {
  char *text;
  trm_error err;
  if (trm__json_finish(o, "f", &text, &err) != TRM_OK) fail_msg("%s", err.msg);
  assert_string_equal(text, want);
  trm__free(text);
}

static void styles_differ_in_spaces(void **state) {
  (void)state;
  static const char *const want[] = {
      "{\"a\":[],\"b\":[1,{\"c\":{}}],\"d\":null}",
      "{\"a\": [], \"b\": [1, {\"c\": {}}], \"d\": null}",
      "{\n  \"a\": [],\n  \"b\": [\n    1,\n    {\n      \"c\": {}\n    }\n  ],\n  \"d\": null\n}"};
  trm__json *root = json_of(want[0]);
  for (int style = TRM__JSON_COMPACT; style <= TRM__JSON_INDENTED; style++) {
    trm__json_out o = trm__json_begin((trm__json_style)style);
    trm__json_put_value(&o, NULL, root);
    expect_text(&o, want[style]);
  }
  trm__json_free(root);
}

static void numbers_are_as_short_as_they_can_be(void **state) {
  (void)state;
  trm__json_out o = trm__json_begin(TRM__JSON_COMPACT);
  trm__json_open(&o, NULL, '[');
  static const double reals[] = {0.1, 1, -0.0, 1e-5, 5e-324, 0.1 + 0.2, 1e22, 123456.75};
  for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) trm__json_put_real(&o, NULL, reals[i]);
  trm__json_put_int(&o, NULL, INT64_MIN);
  trm__json_put_uint(&o, NULL, UINT64_MAX);
  trm__json_put_bool(&o, NULL, false);
  trm__json_close(&o);
  expect_text(&o,
              "[0.1,1.0,-0.0,1e-05,5e-324,0.30000000000000004,1e+22,123456.75,"
              "-9223372036854775808,18446744073709551615,false]");
}

static void control_characters_are_escaped(void **state) {
  (void)state;
  trm__json_out o = trm__json_begin(TRM__JSON_COMPACT);
  trm__json_put_text(
      &o, NULL,
      "a\"\\/\b\f\n\r\t\x01\x1b\x7f\xc2\x80\xc2\x9b\xc2\xa0\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80");
  expect_text(&o,
              "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001b\\u007f\\u0080\\u009b\xc2\xa0\xc3\xbc"
              "\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

static trm_status take_member(void *arg, const char *key, const trm__json *value, trm_error *err) {
  (void)err;
  *(int64_t *)arg += trm__json_integer(value) + (int64_t)strlen(key);
  return TRM_OK;
}

static void files_may_begin_with_a_mark(void **state) {
  /* A mark before the text, packed and plain. */
  scratch *s = *state;
  static const char marked[] = "\xef\xbb\xbf{\"a\": 7}";
  trm_error err;
  int64_t v = 0;
  for (int packed = 0; packed < 2; packed++) {
    trm__json *root;
    if (packed)
      gzip_write(scratch_path(s, "m.json"), marked);
    else
      write_bytes(scratch_path(s, "m.json"), marked, sizeof marked - 1);
    if (trm__json_load(s->path, 10 + sizeof marked * 3, &root, &err) != TRM_OK)
      fail_msg("%s", err.msg);
    assert_int_equal(trm__json_integer(trm__json_get(root, "a")), 7);
    trm__json_free(root);

    /* Reading member by member passes it, too. */
    if (packed) continue;
    assert_int_equal(trm__json_members(s->path, 100, take_member, &v, &err), TRM_OK);
    assert_int_equal(v, 8);
  }

  /* What is packed is bounded by its length when unpacked. */
  trm__json *root;
  gzip_write(scratch_path(s, "m.json"), "[1,                                                  2]");
  assert_int_equal(trm__json_load(s->path, 50, &root, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, "more than 50 bytes when unpacked"));

  /* Other encodings are called by their name. */
  write_bytes(scratch_path(s, "w.json"), "\xff\xfe{\0}\0", 6);
  assert_int_equal(trm__json_load(s->path, 100, &root, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, "UTF-16"));
}

static void what_json_cannot_hold_is_refused(void **state) {
  (void)state;
  trm_error err;
  for (int i = 0; i < 4; i++) {
    static const char *const words[] = {"f: \"x\": not a number", "f: \"x\": an infinite",
                                        "f: \"x\": a text that is not UTF-8", "levels"};
    char *text;
    trm__json_out o = trm__json_begin(TRM__JSON_COMPACT);
    trm__json_open(&o, NULL, '{');
    if (i < 2) trm__json_put_real(&o, "x", i ? -HUGE_VAL : (double)NAN);
    if (i == 2) trm__json_put_text(&o, "x", "a\xff");
    for (int k = 0; i == 3 && k < 100; k++) trm__json_open(&o, "y", '{');
    for (int k = 0; i == 3 && k < 100; k++) trm__json_close(&o);
    trm__json_put_int(&o, "later", 1); /* what is first is told */
    trm__json_close(&o);
    assert_int_equal(trm__json_finish(&o, "f", &text, &err),
                     i < 2 ? TRM_E_NUMERIC : TRM_E_ARGUMENT);
    assert_true(speaks_of(&err, words[i]));
    assert_null(text);
  }
}

static void texts_are_escaped_as_python_does(void **state) {
  static const char text[] =
      "a~\"\\/ \xc3\xbc \xe2\x82\xac \xef\xbf\xbf \xf0\x90\x80\x80 "
      "\xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf";
  static const char want[] =
      "\"a~\\\"\\\\/ \\u00fc \\u20ac \\uffff \\ud800\\udc00 \\ud83d\\ude00 "
      "\\udbff\\udfff\"";
  trm__writer w;
  size_t n;
  const char *path = scratch_path(*state, "text.json");
  assert_int_equal(trm__writer_open(&w, path, NULL), TRM_OK);
  trm__json_write_text(&w, text);
  assert_int_equal(trm__writer_commit(&w, NULL), TRM_OK);
  char *found = (char *)read_bytes(path, &n);
  assert_string_equal(found, want);
  trm__json *back = json_of(found);
  assert_string_equal(trm__json_text(back), text);
  trm__json_free(back);
  free(found);
}

/* What another writer made stands in its place among the rest. */
static void what_is_made_is_put_as_it_is(void **state) {
  char *part;
  (void)state;
  trm__json_out o = trm__json_begin(TRM__JSON_COMPACT);
  trm__json_open(&o, NULL, '[');
  trm__json_put_text(&o, NULL, "a\"b");
  trm__json_put_real(&o, NULL, 1);
  trm__json_close(&o);
  assert_int_equal(trm__json_finish(&o, "a part", &part, NULL), TRM_OK);

  o = trm__json_begin(TRM__JSON_COMPACT);
  trm__json_open(&o, NULL, '{');
  trm__json_put_int(&o, "before", 1);
  trm__json_put_made(&o, "part", part);
  trm__json_open(&o, "all", '[');
  trm__json_put_made(&o, NULL, part);
  trm__json_put_made(&o, NULL, part);
  trm__json_close(&o);
  trm__json_close(&o);
  expect_text(&o,
              "{\"before\":1,\"part\":[\"a\\\"b\",1.0],"
              "\"all\":[[\"a\\\"b\",1.0],[\"a\\\"b\",1.0]]}");
  trm__free(part);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_are_what_the_text_says),
      cmocka_unit_test(every_member_is_found),
      cmocka_unit_test(texts_are_taken_or_refused_where_they_are_wrong),
      cmocka_unit_test(the_largest_doubles_are_told),
      cmocka_unit_test(numbers_of_others_are_kept),
      cmocka_unit_test(lines_and_columns_count_characters),
      cmocka_unit_test(depth_is_bounded),
      cmocka_unit_test(the_front_of_a_text_is_read),
      cmocka_unit_test(styles_differ_in_spaces),
      cmocka_unit_test(numbers_are_as_short_as_they_can_be),
      cmocka_unit_test(control_characters_are_escaped),
      cmocka_unit_test(what_is_made_is_put_as_it_is),
      cmocka_unit_test(files_may_begin_with_a_mark),
      cmocka_unit_test(what_json_cannot_hold_is_refused),
      cmocka_unit_test(texts_are_escaped_as_python_does),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
