/* JSON files by jansson, with errors that say where. */
#include "io/json.h"

#include <inttypes.h>

static trm_status parse_map(const trm__map *map, const char *path, size_t max_bytes, json_t **out,
                            trm_error *err) {
  if (map->size > max_bytes)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: %zu bytes; want at most %zu", path, map->size, max_bytes);
  json_error_t cause;
  const char *text = map->size ? (const char *)map->data : "";
  *out = json_loadb(text, map->size, JSON_REJECT_DUPLICATES, &cause);
  if (*out) return TRM_OK;
  if (json_error_code(&cause) == json_error_out_of_memory)
    TRM_FAIL(err, TRM_E_MEMORY, "%s: no memory for its JSON", path);
  TRM_FAIL_AT(err, TRM_E_FORMAT, cause.line, "%s: line %d, column %d: %s", path, cause.line,
              cause.column, cause.text);
}

trm_status trm__json_load(const char *path, size_t max_bytes, json_t **out, trm_error *err) {
  *out = NULL;
  trm__map map;
  TRM_TRY(trm__map_open(path, &map, err));
  const trm_status st = parse_map(&map, path, max_bytes, out, err);
  trm__map_close(&map);
  return st;
}

static int write_text(const char *text, size_t n, void *writer) {
  trm__write(writer, text, n);
  return 0;
}

trm_status trm__json_save(const char *path, const json_t *value, trm_error *err) {
  trm__writer w;
  TRM_TRY(trm__writer_open(&w, path, err));
  if (json_dump_callback(value, write_text, &w, JSON_INDENT(2) | JSON_ENCODE_ANY)) {
    trm__writer_abort(&w);
    TRM_FAIL(err, TRM_E_MEMORY, "%s: its JSON cannot be built", path);
  }
  trm__write(&w, "\n", 1);
  return trm__writer_commit(&w, err);
}

static const char *type_name(const json_t *value) {
  static const char *const names[] = {
      [JSON_OBJECT] = "an object",   [JSON_ARRAY] = "an array", [JSON_STRING] = "a string",
      [JSON_INTEGER] = "an integer", [JSON_REAL] = "a number",  [JSON_TRUE] = "true",
      [JSON_FALSE] = "false",        [JSON_NULL] = "null",
  };
  return value ? names[json_typeof(value)] : "nothing";
}

static trm_status fail_type(const json_t *value, const char *file, const char *key,
                            const char *wanted, trm_error *err) {
  TRM_FAIL(err, TRM_E_FORMAT, "%s: \"%s\": want %s, found %s", file, key, wanted, type_name(value));
}

trm_status trm__json_int(const json_t *object, const char *file, const char *key, int64_t lo,
                         int64_t hi, int64_t *out, trm_error *err) {
  const json_t *value = json_object_get(object, key);
  if (!json_is_integer(value)) return fail_type(value, file, key, "an integer", err);
  const int64_t v = json_integer_value(value);
  if (v < lo || v > hi)
    TRM_FAIL(err, TRM_E_RANGE, "%s: \"%s\": want %" PRId64 " to %" PRId64 ", found %" PRId64, file,
             key, lo, hi, v);
  *out = v;
  return TRM_OK;
}

trm_status trm__json_double(const json_t *object, const char *file, const char *key, double lo,
                            double hi, double *out, trm_error *err) {
  const json_t *value = json_object_get(object, key);
  if (!json_is_number(value)) return fail_type(value, file, key, "a number", err);
  const double v = json_number_value(value);
  if (!(v >= lo && v <= hi))
    TRM_FAIL(err, TRM_E_RANGE, "%s: \"%s\": want %g to %g, found %g", file, key, lo, hi, v);
  *out = v;
  return TRM_OK;
}

trm_status trm__json_bool(const json_t *object, const char *file, const char *key, bool *out,
                          trm_error *err) {
  const json_t *value = json_object_get(object, key);
  if (!json_is_boolean(value)) return fail_type(value, file, key, "true or false", err);
  *out = json_is_true(value);
  return TRM_OK;
}

trm_status trm__json_string(const json_t *object, const char *file, const char *key,
                            const char **out, trm_error *err) {
  const json_t *value = json_object_get(object, key);
  if (!json_is_string(value)) return fail_type(value, file, key, "a string", err);
  *out = json_string_value(value);
  return TRM_OK;
}
