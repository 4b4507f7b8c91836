/* See field_json.h. */
#include "io/field_json.h"

#include <float.h>
#include <limits.h>
#include <stdio.h>

#include "base/check.h"

void trm__field_put_json(trm__json_out *o, const char *key, const trm_field *f, const void *base) {
  const void *at = (const char *)base + f->offset;
  switch (f->type->form) {
    case TRM__FORM_DOUBLE:
      trm__json_put_real(o, key, *(const double *)at);
      return;
    case TRM__FORM_BOOL:
      trm__json_put_bool(o, key, *(const bool *)at);
      return;
    case TRM__FORM_WORD:
      trm__json_put_text(o, key, trm__words_name(f->words, *(const int *)at));
      return;
    case TRM__FORM_COUNTED: {
      char text[48] = "";
      trm__field_print(f, base, &(trm__sink){text, sizeof text, 0});
      trm__json_put_text(o, key, text);
      return;
    }
    case TRM__FORM_INT:
      trm__json_put_int(o, key, *(const int *)at);
      return;
    case TRM__FORM_INT64:
      trm__json_put_int(o, key, *(const int64_t *)at);
      return;
    case TRM__FORM_UINT64: /* JSON's numbers here are int64_t and double */
    case TRM__FORM_OTHER:
      break;
  }
  TRM_ASSERT(false && "a form that JSON has");
}

static trm_status read_int(const trm__json *object, const char *path, const trm_field *f, int *at,
                           trm_error *err) {
  char expected[240] = "";
  trm__sink s = {expected, sizeof expected, 0};
  int64_t v;
  TRM_TRY(trm__json_int(object, path, f->name, INT64_MIN, INT64_MAX, &v, err));
  trm__field_expect(f, &s);
  if (v < INT_MIN || v > INT_MAX)
    TRM_FAIL(err, TRM_E_CONFIG, "%s: %s = %lld: want %s", path, f->name, (long long)v, expected);
  *at = (int)v;
  return TRM_OK;
}

static trm_status read_word(const trm__json *object, const char *path, const trm_field *f, int *at,
                            trm_error *err) {
  const char *name;
  char known[160] = "";
  trm__sink s = {known, sizeof known, 0};
  TRM_TRY(trm__json_string(object, path, f->name, &name, err));
  if (trm__words_read(f->words, name, at)) return TRM_OK;
  for (int i = 0; i < f->words->n; i++)
    trm__sink_put(&s, "%s\"%s\"", i ? ", " : "", trm__words_name(f->words, i));
  TRM_FAIL(err, TRM_E_CONFIG, "%s: %s = \"%.60s\": want one of %s", path, f->name, name, known);
}

static trm_status read_counted(const trm__json *object, const char *path, const trm_field *f,
                               void *base, trm_error *err) {
  const char *text;
  char expected[240] = "";
  trm__sink s = {expected, sizeof expected, 0};
  TRM_TRY(trm__json_string(object, path, f->name, &text, err));
  if (trm__field_set(f, base, &(trm__value){.text = (char *)text}) == TRM_OK) return TRM_OK;
  trm__field_expect(f, &s);
  TRM_FAIL(err, TRM_E_CONFIG, "%s: %s = \"%.60s\": want %s", path, f->name, text, expected);
}

trm_status trm__field_from_json(const trm__json *object, const char *path, const trm_field *f,
                                void *base, trm_error *err) {
  void *at = (char *)base + f->offset;
  switch (f->type->form) {
    case TRM__FORM_DOUBLE:
      return trm__json_double(object, path, f->name, -DBL_MAX, DBL_MAX, at, err);
    case TRM__FORM_BOOL:
      return trm__json_bool(object, path, f->name, at, err);
    case TRM__FORM_COUNTED:
      return read_counted(object, path, f, base, err);
    case TRM__FORM_WORD:
      return read_word(object, path, f, at, err);
    case TRM__FORM_INT:
      return read_int(object, path, f, at, err);
    case TRM__FORM_INT64:
      return trm__json_int(object, path, f->name, INT64_MIN, INT64_MAX, at, err);
    case TRM__FORM_UINT64:
    case TRM__FORM_OTHER:
      break;
  }
  TRM_ASSERT(false && "a form that JSON has");
  TRM_FAIL(err, TRM_E_FORMAT, "%s: %s is no field that JSON can hold", path, f->name);
}
