/* Values of a JSON document: looking them up, and asking them for what they should be. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "io/json_value.h"

void trm__json_free(trm__json *root) {
  trm__free(root); /* the document's block begins with it */
}

trm__json_kind trm__json_kind_of(const trm__json *v) {
  return v ? (trm__json_kind)v->kind : TRM__JSON_NOTHING;
}

bool trm__json_is(const trm__json *v, trm__json_kind kind) {
  return trm__json_kind_of(v) == kind;
}

bool trm__json_is_bool(const trm__json *v) {
  return trm__json_is(v, TRM__JSON_TRUE) || trm__json_is(v, TRM__JSON_FALSE);
}

bool trm__json_is_number(const trm__json *v) {
  return trm__json_is(v, TRM__JSON_INTEGER) || trm__json_is(v, TRM__JSON_REAL);
}

/* --- arrays and objects --- */

size_t trm__json_n_items(const trm__json *v) {
  return trm__json_is(v, TRM__JSON_ARRAY) ? v->n : 0;
}

const trm__json *trm__json_item(const trm__json *v, size_t i) {
  return i < trm__json_n_items(v) ? &v->as.first[i] : NULL;
}

size_t trm__json_n_members(const trm__json *v) {
  return trm__json_is(v, TRM__JSON_OBJECT) ? v->n : 0;
}

const char *trm__json_key(const trm__json *v, size_t i) {
  return i < trm__json_n_members(v) ? v->as.first[2 * i].as.text : NULL;
}

const trm__json *trm__json_member(const trm__json *v, size_t i) {
  return i < trm__json_n_members(v) ? &v->as.first[2 * i + 1] : NULL;
}

int trm__json_compare(const trm__json *a, const char *text, size_t n) {
  if (a->n != n) return a->n < n ? -1 : 1;
  return n ? memcmp(a->as.text, text, n) : 0;
}

const trm__json *trm__json_get(const trm__json *v, const char *key) {
  const size_t n = trm__json_n_members(v), length = strlen(key);
  if (n <= TRM__JSON_FEW) {
    for (size_t i = 0; i < n; i++)
      if (!trm__json_compare(&v->as.first[2 * i], key, length)) return &v->as.first[2 * i + 1];
    return NULL;
  }
  for (size_t low = 0, high = n; low < high;) {
    const size_t middle = low + (high - low) / 2;
    const trm__json *at = &v->as.first[2 * v->as.first[2 * middle].order];
    const int sign = trm__json_compare(at, key, length);
    if (sign == 0) return at + 1;
    if (sign < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return NULL;
}

/* --- single values --- */

int64_t trm__json_integer(const trm__json *v) {
  return trm__json_is(v, TRM__JSON_INTEGER) ? v->as.integer : 0;
}

double trm__json_number(const trm__json *v) {
  return trm__json_is(v, TRM__JSON_REAL) ? v->as.real : (double)trm__json_integer(v);
}

bool trm__json_whole(const trm__json *v, int64_t *out) {
  const double real = trm__json_number(v);
  *out = trm__json_integer(v);
  if (!trm__json_is(v, TRM__JSON_REAL)) return trm__json_is(v, TRM__JSON_INTEGER);
  if (!(fabs(real) <= 0x1p53) || floor(real) < real) return false;
  *out = (int64_t)real;
  return true;
}

bool trm__json_is_true(const trm__json *v) {
  return trm__json_is(v, TRM__JSON_TRUE);
}

const char *trm__json_text(const trm__json *v) {
  return trm__json_is(v, TRM__JSON_STRING) ? v->as.text : NULL;
}

size_t trm__json_length(const trm__json *v) {
  return trm__json_is(v, TRM__JSON_STRING) ? v->n : 0;
}

static bool same_members(const trm__json *a, const trm__json *b) {
  for (size_t i = 0; i < a->n; i++)
    if (!trm__json_same(trm__json_member(a, i), trm__json_get(b, trm__json_key(a, i))))
      return false;
  return true;
}

/* Recursive to the depth of the document, which the parser bounds. */
bool trm__json_same(const trm__json *a, const trm__json *b) {
  const trm__json_kind kind = trm__json_kind_of(a);
  if (kind != trm__json_kind_of(b)) return false;
  switch (kind) {
    case TRM__JSON_INTEGER:
      return a->as.integer == b->as.integer;
    case TRM__JSON_REAL:
      return !(a->as.real < b->as.real) && !(a->as.real > b->as.real);
    case TRM__JSON_BEYOND:
    case TRM__JSON_STRING:
      return !trm__json_compare(a, b->as.text, b->n);
    case TRM__JSON_OBJECT:
      return a->n == b->n && same_members(a, b);
    case TRM__JSON_ARRAY:
      if (a->n != b->n) return false;
      for (size_t i = 0; i < a->n; i++)
        if (!trm__json_same(&a->as.first[i], &b->as.first[i])) return false;
      return true;
    default:
      return true;
  }
}

/* --- members of the type asked for --- */

static trm_status fail_type(const trm__json *value, const char *file, const char *key,
                            const char *wanted, trm_error *err) {
  static const char *const names[] = {
      [TRM__JSON_NOTHING] = "nothing",    [TRM__JSON_NULL] = "null",
      [TRM__JSON_FALSE] = "false",        [TRM__JSON_TRUE] = "true",
      [TRM__JSON_INTEGER] = "an integer", [TRM__JSON_REAL] = "a number",
      [TRM__JSON_STRING] = "a string",    [TRM__JSON_ARRAY] = "an array",
      [TRM__JSON_OBJECT] = "an object",
  };
  const trm__json_kind kind = trm__json_kind_of(value);
  const char *found = kind == TRM__JSON_BEYOND ? value->as.text : names[kind];
  TRM_FAIL(err, TRM_E_FORMAT, "%s: \"%s\": want %s, found %.40s", file, key, wanted, found);
}

trm_status trm__json_int(const trm__json *object, const char *file, const char *key, int64_t lo,
                         int64_t hi, int64_t *out, trm_error *err) {
  const trm__json *value = trm__json_get(object, key);
  int64_t v;
  if (!trm__json_whole(value, &v)) return fail_type(value, file, key, "an integer", err);
  if (v < lo || v > hi)
    TRM_FAIL(err, TRM_E_RANGE, "%s: \"%s\": want %" PRId64 " to %" PRId64 ", found %" PRId64, file,
             key, lo, hi, v);
  *out = v;
  return TRM_OK;
}

trm_status trm__json_double(const trm__json *object, const char *file, const char *key, double lo,
                            double hi, double *out, trm_error *err) {
  const trm__json *value = trm__json_get(object, key);
  if (!trm__json_is_number(value)) return fail_type(value, file, key, "a number", err);
  const double v = trm__json_number(value);
  if (!(v >= lo && v <= hi))
    TRM_FAIL(err, TRM_E_RANGE, "%s: \"%s\": want %g to %g, found %g", file, key, lo, hi, v);
  *out = v;
  return TRM_OK;
}

trm_status trm__json_bool(const trm__json *object, const char *file, const char *key, bool *out,
                          trm_error *err) {
  const trm__json *value = trm__json_get(object, key);
  if (!trm__json_is_bool(value)) return fail_type(value, file, key, "true or false", err);
  *out = trm__json_is_true(value);
  return TRM_OK;
}

trm_status trm__json_string(const trm__json *object, const char *file, const char *key,
                            const char **out, trm_error *err) {
  const trm__json *value = trm__json_get(object, key);
  if (!trm__json_is(value, TRM__JSON_STRING)) return fail_type(value, file, key, "a string", err);
  *out = trm__json_text(value);
  return TRM_OK;
}
