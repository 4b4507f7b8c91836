/* The types of fields that own no memory: how each is read from what a source says, and printed as
 * YAML. */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "base/field.h"
#include "base/number.h"
#include "base/text.h"

/* A plain scalar's text, or NULL. */
static const char *plain(const trm__value *v) {
  return v->is_list || v->quoted || !v->text[0] ? NULL : v->text;
}

/* --- whole numbers --- */

/* As Hydra, take 5e4 for a whole number too. *out changes only where it is one. */
static bool whole_number(const trm_field *f, const char *text, int64_t *out) {
  int64_t n;
  double d;
  if (!text) return false;
  if (!trm__number_int64(text, &n)) {
    if (!trm__number_double(text, &d) || d != floor(d) || fabs(d) > 9e15) return false;
    n = (int64_t)d;
  }
  if (!trm__field_takes(f, (double)n)) return false;
  *out = n;
  return true;
}

static trm_status set_int(const trm_field *f, void *at, const trm__value *v) {
  int64_t n;
  if (!whole_number(f, plain(v), &n) || n < INT_MIN || n > INT_MAX) return TRM_E_CONFIG;
  *(int *)at = (int)n;
  return TRM_OK;
}

static void print_int(const trm_field *f, const void *at, trm__sink *s) {
  (void)f;
  trm__sink_put(s, "%d", *(const int *)at);
}

static trm_status set_int64(const trm_field *f, void *at, const trm__value *v) {
  return whole_number(f, plain(v), at) ? TRM_OK : TRM_E_CONFIG;
}

static void print_int64(const trm_field *f, const void *at, trm__sink *s) {
  (void)f;
  trm__sink_put(s, "%lld", (long long)*(const int64_t *)at);
}

static trm_status set_limit(const trm_field *f, void *at, const trm__value *v) {
  if (!trm__value_is_null(v)) return set_int64(f, at, v);
  *(int64_t *)at = 0;
  return TRM_OK;
}

static void print_limit(const trm_field *f, const void *at, trm__sink *s) {
  if (*(const int64_t *)at)
    print_int64(f, at, s);
  else
    trm__sink_put(s, "null");
}

static trm_status set_seed(const trm_field *f, void *at, const trm__value *v) {
  const char *text = plain(v);
  (void)f;
  return text && trm__number_uint64(text, at) ? TRM_OK : TRM_E_CONFIG;
}

static void print_seed(const trm_field *f, const void *at, trm__sink *s) {
  (void)f;
  trm__sink_put(s, "%llu", (unsigned long long)*(const uint64_t *)at);
}

/* A number behind which a unit may stand. */
static trm_status set_bytes(const trm_field *f, void *at, const trm__value *v) {
  static const struct {
    const char *unit;
    double bytes;
  } units[] = {{"", 1},         {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30},
               {"TiB", 0x1p40}, {"kB", 1e3},     {"MB", 1e6},     {"GB", 1e9},
               {"TB", 1e12},    {"K", 0x1p10},   {"M", 0x1p20},   {"G", 0x1p30}};
  const char *text = plain(v);
  const size_t n = text ? strspn(text, "0123456789.eE+") : 0;
  if (!n || !trm__number_is_decimal(text, n)) return TRM_E_CONFIG;
  const char *unit = text + n + strspn(text + n, " ");
  for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
    if (strcmp(unit, units[i].unit) != 0) continue;
    const double bytes = floor(trm__number_read(text, n) * units[i].bytes);
    if (!trm__field_allows(f, bytes)) return TRM_E_CONFIG;
    *(int64_t *)at = (int64_t)bytes;
    return TRM_OK;
  }
  return TRM_E_CONFIG;
}

/* --- numbers --- */

static trm_status set_double(const trm_field *f, void *at, const trm__value *v) {
  double d;
  const char *text = plain(v);
  if (!text || !trm__number_double(text, &d) || !trm__field_takes(f, d)) return TRM_E_CONFIG;
  *(double *)at = d;
  return TRM_OK;
}

/* YAML takes 1e-05 for a text, 1.0e-05 for a number. What is not finite is only in results. */
static void put_number(double v, trm__sink *s) {
  char text[TRM__NUMBER_SIZE];
  if (!isfinite(v)) {
    trm__sink_put(s, "%s", isnan(v) ? "nan" : v > 0 ? "inf" : "-inf");
    return;
  }
  (void)trm__number_print(v, text);
  const int mantissa = (int)strcspn(text, "e");
  const bool has_point = memchr(text, '.', (size_t)mantissa) != NULL;
  trm__sink_put(s, "%.*s%s%s", mantissa, text, has_point ? "" : ".0", text + mantissa);
}

static void print_double(const trm_field *f, const void *at, trm__sink *s) {
  (void)f;
  put_number(*(const double *)at, s);
}

static trm_status set_float(const trm_field *f, void *at, const trm__value *v) {
  double d;
  TRM_TRY(set_double(f, &d, v));
  *(float *)at = (float)d;
  return TRM_OK;
}

static void print_float(const trm_field *f, const void *at, trm__sink *s) {
  (void)f;
  put_number((double)*(const float *)at, s);
}

static trm_status set_byte(const trm_field *f, void *at, const trm__value *v) {
  int64_t n;
  if (!whole_number(f, plain(v), &n) || n < 0 || n > UINT8_MAX) return TRM_E_CONFIG;
  *(uint8_t *)at = (uint8_t)n;
  return TRM_OK;
}

static void print_byte(const trm_field *f, const void *at, trm__sink *s) {
  (void)f;
  trm__sink_put(s, "%d", *(const uint8_t *)at);
}

/* --- texts in place, and what has none --- */

static trm_status set_chars(const trm_field *f, void *at, const trm__value *v) {
  const size_t n = strlen(v->text);
  if (n >= (size_t)f->count) return TRM_E_CONFIG;
  memcpy(at, v->text, n + 1);
  return TRM_OK;
}

static void print_chars(const trm_field *f, const void *at, trm__sink *s) {
  trm__sink_put(s, "%.*s", f->count, (const char *)at);
}

static trm_status set_nothing(const trm_field *f, void *at, const trm__value *v) {
  (void)f, (void)at, (void)v;
  return TRM_E_CONFIG;
}

static void print_nothing(const trm_field *f, const void *at, trm__sink *s) {
  (void)f, (void)at, (void)s;
}

/* --- truth and words --- */

static trm_status set_bool(const trm_field *f, void *at, const trm__value *v) {
  static const struct {
    const char *word;
    bool value;
  } words[] = {{"true", true},   {"yes", true}, {"on", true},
               {"false", false}, {"no", false}, {"off", false}};
  const char *text = plain(v);
  (void)f;
  for (size_t i = 0; text && i < sizeof words / sizeof *words; i++)
    if (trm__text_alike(text, words[i].word, SIZE_MAX)) {
      *(bool *)at = words[i].value;
      return TRM_OK;
    }
  return TRM_E_CONFIG;
}

static void print_bool(const trm_field *f, const void *at, trm__sink *s) {
  (void)f;
  trm__sink_put(s, *(const bool *)at ? "true" : "false");
}

static trm_status set_word(const trm_field *f, void *at, const trm__value *v) {
  return !v->is_list && trm__words_read(f->words, v->text, at) ? TRM_OK : TRM_E_CONFIG;
}

static void print_word(const trm_field *f, const void *at, trm__sink *s) {
  trm__sink_put(s, "%s", trm__words_name(f->words, *(const int *)at));
}

/* --- words with a number --- */

static const trm__counted_word *counted_row(const trm_field *f, int word) {
  return trm__words_name(f->words, word) ? (const trm__counted_word *)f->words->rows + word : NULL;
}

bool trm__counted_is_good(const trm_field *f, trm__counted v) {
  const trm__counted_word *row = counted_row(f, v.word);
  return row && (row->most ? v.n >= row->least && v.n <= row->most : v.n == 0);
}

static trm_status set_counted(const trm_field *f, void *at, const trm__value *v) {
  char word[32];
  trm__counted got = {0};
  int64_t n = 0;
  if (v->is_list) return TRM_E_CONFIG;

  /* The word, and behind a colon its number. */
  const size_t length = strcspn(v->text, ":");
  if (length >= sizeof word) return TRM_E_CONFIG;
  memcpy(word, v->text, length);
  word[length] = 0;
  if (!trm__words_read(f->words, word, &got.word)) return TRM_E_CONFIG;
  if (v->text[length] && (!trm__number_int64(v->text + length + 1, &n) || n < 1 || n > INT_MAX))
    return TRM_E_CONFIG;
  got.n = (int)n;
  if (!trm__counted_is_good(f, got)) return TRM_E_CONFIG;
  *(trm__counted *)at = got;
  return TRM_OK;
}

static void print_counted(const trm_field *f, const void *at, trm__sink *s) {
  const trm__counted *v = at;
  trm__sink_put(s, "%s", trm__words_name(f->words, v->word));
  if (v->n) trm__sink_put(s, ":%d", v->n);
}

const trm__field_type trm__field_int = {"int", "a whole number", TRM__FORM_INT, set_int, print_int};
const trm__field_type trm__field_int64 = {"int", "a whole number", TRM__FORM_INT64, set_int64,
                                          print_int64};
const trm__field_type trm__field_limit = {"int|null", "null or a whole number", TRM__FORM_INT64,
                                          set_limit, print_limit};
const trm__field_type trm__field_seed = {"int", "a whole number, 0 or more", TRM__FORM_UINT64,
                                         set_seed, print_seed};
const trm__field_type trm__field_bytes = {"bytes", "bytes such as 1500MiB or 2GiB", TRM__FORM_INT64,
                                          set_bytes, print_int64};
const trm__field_type trm__field_double = {"float", "a number", TRM__FORM_DOUBLE, set_double,
                                           print_double};
const trm__field_type trm__field_float = {"float", "a number", TRM__FORM_OTHER, set_float,
                                          print_float};
const trm__field_type trm__field_byte = {"int", "a whole number from 0 to 255", TRM__FORM_OTHER,
                                         set_byte, print_byte};
const trm__field_type trm__field_chars = {"text", "a shorter text", TRM__FORM_OTHER, set_chars,
                                          print_chars};
const trm__field_type trm__field_pointer = {"pointer", "nothing", TRM__FORM_OTHER, set_nothing,
                                            print_nothing};
const trm__field_type trm__field_record = {"record", "nothing", TRM__FORM_OTHER, set_nothing,
                                           print_nothing};
const trm__field_type trm__field_bool = {"bool", "True or False", TRM__FORM_BOOL, set_bool,
                                         print_bool};
const trm__field_type trm__field_word = {"choice", "one of", TRM__FORM_WORD, set_word, print_word};
const trm__field_type trm__field_counted = {"choice", "one of", TRM__FORM_COUNTED, set_counted,
                                            print_counted};
