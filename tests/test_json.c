/* JSON: texts as Python writes them, and what is told when there is no memory. */
#include "io/json.h"

#include <errno.h>

#include "scratch.h"

/* --- texts --- */

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
  json_t *back = json_loads(found, JSON_DECODE_ANY, NULL);
  assert_string_equal(json_string_value(back), text);
  json_decref(back);
  free(found);
}

/* --- memory --- */

static int blocks_left; /* that are still given; -1: all */

static void *few_blocks(size_t n) {
  if (blocks_left == 0) {
    errno = ENOMEM;
    return NULL;
  }
  if (blocks_left > 0) blocks_left--;
  return malloc(n);
}

static void no_memory_is_no_fault_of_the_text(void **state) {
  static const char text[] = "{\"a\": [1, -2.5, true, null], \"b\": {\"c\": \"\\u00fc text\"}}";
  const char *path = scratch_path(*state, "a.json");
  write_bytes(path, text, sizeof text - 1);
  trm_status st = TRM_E_MEMORY;
  int n = 0;
  json_set_alloc_funcs(few_blocks, free);
  for (; st == TRM_E_MEMORY; n++) {
    json_t *json;
    blocks_left = n;
    st = trm__json_load(path, sizeof text, &json, NULL);
    json_decref(json);
  }
  json_set_alloc_funcs(malloc, free);
  assert_int_equal(st, TRM_OK);
  assert_true(n > 10);
}

static void lines_count_from_that_of_the_text(void **state) {
  (void)state;
  trm_error err;
  json_t *json;
  assert_int_equal(trm__json_parse("{\n]", 3, "f", 7, &json, &err), TRM_E_FORMAT);
  assert_int_equal(err.pos, 8);
  assert_true(speaks_of(&err, "f: line 8, column"));
  assert_int_equal(trm__json_parse("", 0, "f", 7, &json, &err), TRM_E_FORMAT);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(texts_are_escaped_as_python_does),
                                     cmocka_unit_test(no_memory_is_no_fault_of_the_text),
                                     cmocka_unit_test(lines_count_from_that_of_the_text)};
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
