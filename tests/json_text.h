/* JSON in tests: texts as values, and files with one member changed. */
#ifndef TRM_TESTS_JSON_TEXT_H
#define TRM_TESTS_JSON_TEXT_H

#include "io/json.h"
#include "scratch.h"

/* The value that a text begins with, *used bytes of it, or with NULL the whole text (release with
 * trm__json_free). */
static inline trm__json *json_first(const char *text, size_t *used) {
  trm__json *value;
  trm__json_fault fault;
  if (trm__json_decode(text, strlen(text), used, &value, &fault) != TRM_OK)
    fail_msg("byte %zu: %s, in:\n%s", fault.byte, fault.what, text);
  return value;
}

static inline trm__json *json_of(const char *text) {
  return json_first(text, NULL);
}

static inline trm__json *json_of_file(const char *path) {
  size_t n;
  char *text = (char *)read_bytes(path, &n);
  trm__json *value = json_of(text);
  free(text);
  return value;
}

/* The object of a file, with a member that has this value, or with NULL is not there, at `to`. */
static inline void json_change(const char *from, const char *key, const char *value,
                               const char *to) {
  trm__json *root = json_of_file(from), *put = value ? json_of(value) : NULL;
  trm__json_out o = trm__json_begin(TRM__JSON_INDENTED);
  trm__json_open(&o, NULL, '{');
  for (size_t i = 0; i < trm__json_n_members(root); i++)
    if (strcmp(trm__json_key(root, i), key) != 0)
      trm__json_put_value(&o, trm__json_key(root, i), trm__json_member(root, i));
  if (value) trm__json_put_value(&o, key, put);
  trm__json_close(&o);
  assert_int_equal(trm__json_save(to, &o, NULL), TRM_OK);
  trm__json_free(root);
  trm__json_free(put);
}

#endif
