/* See field.h: what is the same for fields of every type, and for tables of them. */
#include "base/field.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "base/number.h"

void trm__sink_put(trm__sink *s, const char *fmt, ...) {
  va_list args;
  const bool room = s->n < s->room;
  va_start(args, fmt);
  const int n = vsnprintf(room ? s->text + s->n : NULL, room ? s->room - s->n : 0, fmt, args);
  va_end(args);
  if (n > 0) s->n += (size_t)n;
}

/* A counted word as one number: words are fewer than these. */
enum { COUNTED_WORDS = 16 };

/* --- one field --- */

trm_status trm__field_set(const trm_field *f, void *base, const trm__value *v) {
  return f->type->set(f, (char *)base + f->offset, v);
}

void trm__field_print(const trm_field *f, const void *base, trm__sink *s) {
  f->type->print(f, (const char *)base + f->offset, s);
}

double trm__field_number(const trm_field *f, const void *base) {
  const void *at = (const char *)base + f->offset;
  switch (f->type->form) {
    case TRM__FORM_INT:
    case TRM__FORM_WORD:
      return *(const int *)at;
    case TRM__FORM_INT64:
      return (double)*(const int64_t *)at;
    case TRM__FORM_UINT64:
      return (double)*(const uint64_t *)at;
    case TRM__FORM_DOUBLE:
      return *(const double *)at;
    case TRM__FORM_BOOL:
      return *(const bool *)at;
    case TRM__FORM_COUNTED: {
      const trm__counted *v = at;
      return v->word + COUNTED_WORDS * (double)v->n;
    }
    default:
      return 0;
  }
}

void trm__field_set_number(const trm_field *f, void *base, double v) {
  void *at = (char *)base + f->offset;
  switch (f->type->form) {
    case TRM__FORM_INT:
    case TRM__FORM_WORD:
      *(int *)at = (int)v;
      return;
    case TRM__FORM_INT64:
      *(int64_t *)at = (int64_t)v;
      return;
    case TRM__FORM_UINT64:
      *(uint64_t *)at = (uint64_t)v;
      return;
    case TRM__FORM_DOUBLE:
      *(double *)at = v;
      return;
    case TRM__FORM_BOOL:
      *(bool *)at = v != 0;
      return;
    case TRM__FORM_COUNTED:
      *(trm__counted *)at = (trm__counted){(int)v % COUNTED_WORDS, (int)v / COUNTED_WORDS};
      return;
    default:
      return;
  }
}

static bool is_ranged(const trm_field *f) {
  return f->high > f->low;
}

void trm__field_expect(const trm_field *f, trm__sink *s) {
  char low[TRM__NUMBER_SIZE], high[TRM__NUMBER_SIZE];
  trm__sink_put(s, "%s", f->type->expected);
  for (int i = 0; f->words && i < f->words->n; i++) {
    const trm__counted_word *row = f->words->rows;
    trm__sink_put(s, "%s %s", i ? "," : "", trm__words_name(f->words, i));
    if (f->type->form == TRM__FORM_COUNTED && row[i].most)
      trm__sink_put(s, ":N (N from %d to %d)", row[i].least, row[i].most);
  }
  if (!is_ranged(f)) return;
  trm__number_format("%g", f->low, low);
  trm__number_format("%.10g", f->high, high);
  trm__sink_put(s, f->use & TRM__ABOVE ? " above %s, up to %s" : " from %s to %s", low, high);
}

bool trm__field_allows(const trm_field *f, double v) {
  return (f->use & TRM__ABOVE ? v > f->low : v >= f->low) && v <= f->high;
}

bool trm__field_takes(const trm_field *f, double v) {
  return !is_ranged(f) || trm__field_allows(f, v);
}

trm_status trm__field_check(const trm_field *f, const void *base, trm_error *err) {
  char number[TRM__NUMBER_SIZE], expected[240] = "";
  trm__sink s = {expected, sizeof expected, 0};
  const double v = trm__field_number(f, base);
  const bool good =
      f->type->form == TRM__FORM_COUNTED
          ? trm__counted_is_good(f, *(const trm__counted *)((const char *)base + f->offset))
      : f->words ? trm__words_name(f->words, (int)v) != NULL
                 : trm__field_takes(f, v);
  if (good) return TRM_OK;
  trm__number_format("%.10g", v, number);
  trm__field_expect(f, &s);
  TRM_FAIL(err, TRM_E_CONFIG, "%s = %s: want %s", f->name, number, expected);
}

bool trm__field_is_called(const trm_field *f, const char *word) {
  const char *dot = f->key ? strrchr(f->key, '.') : NULL;
  return !strcmp(f->name, word) || (f->key && !strcmp(f->key, word)) ||
         (dot && !strcmp(dot + 1, word)) || trm__word_is_listed(word, f->synonyms);
}

/* --- tables --- */

const trm_field *trm__fields_at(const trm__fields *t, int i) {
  return i >= 0 && i < t->n ? &t->v[i] : NULL;
}

const trm_field *trm__fields_find(const trm__fields *t, const char *name) {
  for (int i = 0; i < t->n; i++)
    if (!strcmp(t->v[i].name, name)) return &t->v[i];
  return NULL;
}

void trm__fields_default(const trm__fields *t, void *base) {
  for (int i = 0; i < t->n; i++) trm__field_set_number(&t->v[i], base, t->v[i].initial);
}

trm_status trm__fields_check(const trm__fields *t, const void *base, trm_error *err) {
  for (int i = 0; i < t->n; i++) TRM_TRY(trm__field_check(&t->v[i], base, err));
  return TRM_OK;
}

static trm_status find(const trm__fields *t, const char *name, const trm_field **out,
                       trm_error *err) {
  trm__nearest near = {.word = name};
  *out = trm__fields_find(t, name);
  if (*out) return TRM_OK;
  for (int i = 0; i < t->n; i++) {
    if (trm__field_is_called(&t->v[i], name)) near = (trm__nearest){name, t->v[i].name, 0};
    trm__nearest_offer(&near, t->v[i].name);
  }
  TRM_FAIL(err, TRM_E_CONFIG, "%s has no field '%.60s'%s%s%s", t->of, name,
           near.best ? "; did you mean '" : "", near.best ? near.best : "", near.best ? "'?" : "");
}

/* --- paths --- */

/* Bytes of one value of an array: of structures, whole numbers of 64 bits, or bytes. */
static size_t size_of(const trm_field *f) {
  if (f->inner) return f->inner->size;
  return f->type == &trm__field_int64 ? sizeof(int64_t) : sizeof(uint8_t);
}

/* "[3]" at *at; nothing is the first value. */
static bool read_place(const trm_field *f, const char **at, size_t *place) {
  *place = 0;
  if (**at != '[') return true;
  const char *digits = *at + 1;
  const size_t n = strspn(digits, "0123456789");
  if (n == 0 || n > 6 || digits[n] != ']') return false;
  for (size_t i = 0; i < n; i++) *place = 10 * *place + (size_t)(digits[i] - '0');
  *at = digits + n + 1;
  return *place < (size_t)f->count && f->type != &trm__field_chars;
}

trm_status trm__fields_follow(const trm__fields *t, const char *path, const trm_field **field,
                              size_t *offset, trm_error *err) {
  const char *at = path;
  *offset = 0;
  for (;;) {
    char name[64];
    size_t place = 0;
    const char *rest = at + strcspn(at, ".[");
    snprintf(name, sizeof name, "%.*s", (int)(rest - at < 63 ? rest - at : 63), at);
    const trm_field *f = *field = trm__fields_find(t, name);

    /* What leads on is a structure within; all else is told as a name that there is not. */
    const bool good = f && read_place(f, &rest, &place) && (!*rest || (*rest == '.' && f->inner));
    if (!good) return find(t, at, field, err);
    *offset += f->offset + place * size_of(f);
    if (!*rest) return TRM_OK;
    t = f->inner;
    at = rest + 1;
  }
}

/* --- by name --- */

/* The structure in which `field` would lie where `offset` is. */
static void *base_of(void *base, const trm_field *field, size_t offset) {
  return (char *)base + offset - field->offset;
}

static trm_status check_has_text(const trm_field *f, const char *path, trm_error *err) {
  if (f->type != &trm__field_pointer && f->type != &trm__field_record) return TRM_OK;
  TRM_FAIL(err, TRM_E_ARGUMENT, "%.60s is a %s and has no text: ask for its place", path,
           f->type->name);
}

trm_status trm__fields_set(const trm__fields *t, void *base, const char *name, const char *value,
                           trm_error *err) {
  char expected[240] = "";
  trm__sink s = {expected, sizeof expected, 0};
  const trm_field *f;
  size_t offset;
  TRM_TRY(trm__fields_follow(t, name, &f, &offset, err));
  TRM_TRY(check_has_text(f, name, err));
  /* A text is not written to: the structure is that of sources that own theirs. */
  const trm_status st =
      trm__field_set(f, base_of(base, f, offset), &(trm__value){.text = (char *)value});
  if (st == TRM_OK) return TRM_OK;
  trm__field_expect(f, &s);
  TRM_FAIL(err, TRM_E_CONFIG, "%s: want %s, got '%.100s'", name, expected, value);
}

trm_status trm__fields_get(const trm__fields *t, const void *base, const char *name, char *text,
                           size_t size, trm_error *err) {
  trm__sink s = {text, size, 0};
  const trm_field *f;
  size_t offset;
  if (size) *text = 0;
  TRM_TRY(trm__fields_follow(t, name, &f, &offset, err));
  TRM_TRY(check_has_text(f, name, err));
  const void *at = base_of((void *)base, f, offset);
  if (f->words) TRM_TRY(trm__field_check(f, at, err)); /* a number has a text in any case */
  trm__field_print(f, at, &s);
  if (s.n >= size)
    TRM_FAIL(err, TRM_E_ARGUMENT, "%s: its text takes %zu bytes, there is room for %zu", name,
             s.n + 1, size);
  return TRM_OK;
}

trm_status trm__fields_bounds(const trm__fields *t, const char *name, trm_bounds *out,
                              trm_error *err) {
  const trm_field *f;
  TRM_TRY(find(t, name, &f, err));
  *out = trm_field_bounds(f);
  return TRM_OK;
}

trm_bounds trm_field_bounds(const trm_field *f) {
  return (trm_bounds){.name = f->name,
                      .key = f->use & TRM__DATA ? NULL : f->key,
                      .type = f->type->name,
                      .help = f->help,
                      .low = f->low,
                      .high = f->high,
                      .above_low = (f->use & TRM__ABOVE) != 0};
}

const char *trm_field_choice(const trm_field *f, int i) {
  return f->words ? trm__words_name(f->words, i) : NULL;
}

int trm_field_count(const trm_field *f) {
  return f->count ? f->count : 1;
}

const trm_record *trm_field_record(const trm_field *f) {
  return f->inner;
}

/* --- records --- */

const char *trm_record_name(const trm_record *r) {
  return r->name;
}

size_t trm_record_size(const trm_record *r) {
  return r->size;
}

const trm_field *trm_record_field(const trm_record *r, int i) {
  return trm__fields_at(r, i);
}

trm_status trm_record_place(const trm_record *r, const char *path, const trm_field **field,
                            size_t *offset, trm_error *err) {
  return trm__fields_follow(r, path, field, offset, err);
}

trm_status trm_record_set(const trm_record *r, void *object, const char *path, const char *value,
                          trm_error *err) {
  return trm__fields_set(r, object, path, value, err);
}

trm_status trm_record_get(const trm_record *r, const void *object, const char *path, char *text,
                          size_t size, trm_error *err) {
  return trm__fields_get(r, object, path, text, size, err);
}
