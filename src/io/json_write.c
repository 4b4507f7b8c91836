/* The writer: a text that grows, and what went wrong first. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"
#include "io/json_value.h"

enum { FIRST_ROOM = 512, MAX_LEVELS = sizeof((trm__json_out *)0)->is_array / sizeof(bool) };

trm__json_out trm__json_begin(trm__json_style style) {
  return (trm__json_out){.style = style, .status = TRM_OK};
}

/* --- pieces of the text --- */

static void fail(trm__json_out *o, trm_status status, const char *key, const char *what) {
  if (o->status != TRM_OK) return;
  o->status = status;
  snprintf(o->problem, sizeof o->problem, "%s%.60s%s%s", key ? "\"" : "", key ? key : "",
           key ? "\": " : "", what);
}

/* Room for n bytes and a zero; false when there is none. */
static bool make_room(trm__json_out *o, size_t n) {
  if (o->status != TRM_OK) return false;
  if (n < o->room - o->n) return true;
  const size_t room = (o->n + n < FIRST_ROOM ? FIRST_ROOM : o->n + n) * 2;
  char *larger = trm__alloc(room, 1);
  if (!larger) {
    fail(o, TRM_E_MEMORY, NULL, "no memory for its JSON");
    return false;
  }
  if (o->n) memcpy(larger, o->text, o->n);
  trm__free(o->text);
  o->text = larger;
  o->room = room;
  return true;
}

static void put(trm__json_out *o, const char *text, size_t n) {
  if (!make_room(o, n)) return;
  memcpy(o->text + o->n, text, n);
  o->n += n;
}

static void put_line(trm__json_out *o) {
  put(o, "\n", 1);
  for (int i = 0; i < o->depth; i++) put(o, "  ", 2);
}

/* What control characters would do to a terminal they do not do from within a JSON text. */
static void put_quoted(trm__json_out *o, const char *key, const char *text) {
  static const char marks[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
  size_t left = strlen(text);
  put(o, "\"", 1);

  /* A character at a time, which must be UTF-8. */
  for (size_t length; left; text += length, left -= length) {
    const unsigned char c = (unsigned char)*text;
    const char *mark = strchr(marks, c);
    length = trm__text_character(text, left);
    if (length == 0) {
      fail(o, TRM_E_ARGUMENT, key, "a text that is not UTF-8");
      return;
    }

    /* JSON wants quotes, backslashes and what is below a space escaped; DEL to U+009F may
     * control a terminal. */
    char escape[8] = {'\\', mark ? names[mark - marks] : 0, 0};
    const unsigned point = length == 2 ? (c & 0x1fu) << 6 | ((unsigned char)text[1] & 0x3fu) : c;
    if (!mark && (point < ' ' || (point >= 0x7f && point < 0xa0 && length <= 2)))
      snprintf(escape, sizeof escape, "\\u%04x", point);
    if (escape[1])
      put(o, escape, strlen(escape));
    else
      put(o, text, length);
  }
  put(o, "\"", 1);
}

/* What stands before a value: comma, place and key. */
static void put_place(trm__json_out *o, const char *key) {
  const bool spaced = o->style != TRM__JSON_COMPACT;
  if (o->begun) put(o, ", ", o->style == TRM__JSON_SPACED ? 2 : 1);
  if (o->style == TRM__JSON_INDENTED && o->depth) put_line(o);
  o->begun = true;
  if (!key) return;
  put_quoted(o, key, key);
  put(o, ": ", spaced ? 2 : 1);
}

/* --- values --- */

void trm__json_open(trm__json_out *o, const char *key, char bracket) {
  put_place(o, key);
  put(o, &bracket, 1);
  if (o->depth == MAX_LEVELS) {
    fail(o, TRM_E_ARGUMENT, key, "too many levels");
    return;
  }
  o->is_array[o->depth++] = bracket == '[';
  o->begun = false;
}

void trm__json_close(trm__json_out *o) {
  const bool empty = !o->begun;
  if (o->depth == 0) return; /* it was not opened, for there were too many */
  const bool array = o->is_array[--o->depth];
  if (o->style == TRM__JSON_INDENTED && !empty) put_line(o);
  put(o, array ? "]" : "}", 1);
  o->begun = true;
}

void trm__json_put_int(trm__json_out *o, const char *key, int64_t v) {
  char text[32];
  put_place(o, key);
  put(o, text, (size_t)snprintf(text, sizeof text, "%lld", (long long)v));
}

void trm__json_put_uint(trm__json_out *o, const char *key, uint64_t v) {
  char text[32];
  put_place(o, key);
  put(o, text, (size_t)snprintf(text, sizeof text, "%llu", (unsigned long long)v));
}

void trm__json_put_real(trm__json_out *o, const char *key, double v) {
  char text[TRM__NUMBER_SIZE];
  put_place(o, key);
  if (isfinite(v))
    put(o, text, trm__number_print(v, text));
  else
    fail(o, TRM_E_NUMERIC, key, isnan(v) ? "not a number (NaN)" : "an infinite number");
}

void trm__json_put_bool(trm__json_out *o, const char *key, bool v) {
  put_place(o, key);
  put(o, v ? "true" : "false", v ? 4 : 5);
}

void trm__json_put_null(trm__json_out *o, const char *key) {
  put_place(o, key);
  put(o, "null", 4);
}

void trm__json_put_text(trm__json_out *o, const char *key, const char *text) {
  put_place(o, key);
  put_quoted(o, key, text);
}

/* The items of an array, or the members of an object. */
static void put_container(trm__json_out *o, const char *key, const trm__json *v) {
  trm__json_open(o, key, trm__json_kind_of(v) == TRM__JSON_ARRAY ? '[' : '{');
  for (size_t i = 0; i < trm__json_n_items(v); i++)
    trm__json_put_value(o, NULL, trm__json_item(v, i));
  for (size_t i = 0; i < trm__json_n_members(v); i++)
    trm__json_put_value(o, trm__json_key(v, i), trm__json_member(v, i));
  trm__json_close(o);
}

/* Recursive to the depth that can be written. */
void trm__json_put_value(trm__json_out *o, const char *key, const trm__json *v) {
  if (o->status != TRM_OK) return;
  switch (trm__json_kind_of(v)) {
    case TRM__JSON_INTEGER:
      trm__json_put_int(o, key, trm__json_integer(v));
      return;
    case TRM__JSON_REAL:
      trm__json_put_real(o, key, trm__json_number(v));
      return;
    case TRM__JSON_BEYOND: /* a number that no type here holds: as it was written */
      put_place(o, key);
      put(o, v->as.text, v->n);
      return;
    case TRM__JSON_STRING:
      trm__json_put_text(o, key, trm__json_text(v));
      return;
    case TRM__JSON_ARRAY:
    case TRM__JSON_OBJECT:
      put_container(o, key, v);
      return;
    case TRM__JSON_TRUE:
    case TRM__JSON_FALSE:
      trm__json_put_bool(o, key, trm__json_is_true(v));
      return;
    default:
      trm__json_put_null(o, key);
      return;
  }
}

void trm__json_put_made(trm__json_out *o, const char *key, const char *text) {
  TRM_ASSERT(o->style == TRM__JSON_COMPACT); /* else it would have other lines and spaces */
  put_place(o, key);
  put(o, text, strlen(text));
}

/* --- the end --- */

trm_status trm__json_finish(trm__json_out *o, const char *where, char **text, trm_error *err) {
  put(o, "", 1); /* the zero, also of an empty text */
  *text = NULL;
  if (o->status == TRM_OK)
    *text = o->text;
  else
    trm__free(o->text);
  o->text = NULL;
  const trm_status st = o->status;
  if (st != TRM_OK) TRM_FAIL(err, st, "%s: %s", where, o->problem);
  return TRM_OK;
}

void trm__json_drop(trm__json_out *o) {
  trm__free(o->text);
  o->text = NULL;
}

trm_status trm__json_save(const char *path, trm__json_out *o, trm_error *err) {
  trm__writer w;
  char *text;
  TRM_TRY(trm__json_finish(o, path, &text, err));
  trm_status st = trm__writer_open(&w, path, err);
  if (st == TRM_OK) {
    trm__write(&w, text, strlen(text));
    trm__write(&w, "\n", 1);
    st = trm__writer_commit(&w, err);
  }
  trm__free(text);
  return st;
}

/* --- as Python writes --- */

void trm__json_write_text(trm__writer *w, const char *text) {
  trm__write(w, "\"", 1);
  for (const unsigned char *c = (const unsigned char *)text; *c;) {
    static const uint8_t lead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    const int bytes = *c < 0x80 ? 1 : *c < 0xe0 ? 2 : *c < 0xf0 ? 3 : 4;
    unsigned point = *c & lead[bytes];
    for (int i = 1; i < bytes; i++) point = point << 6 | (c[i] & 0x3fu);
    c += bytes;
    if (point >= 0x10000)
      trm__writer_printf(w, "\\u%04x\\u%04x", 0xd800 + ((point - 0x10000) >> 10),
                         0xdc00 + ((point - 0x10000) & 0x3ff));
    else if (point >= 0x80)
      trm__writer_printf(w, "\\u%04x", point);
    else
      trm__writer_printf(w, point == '"' || point == '\\' ? "\\%c" : "%c", (int)point);
  }
  trm__write(w, "\"", 1);
}
