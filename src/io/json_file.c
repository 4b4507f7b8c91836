/* JSON files: whole ones, packed or not, and those that are read member by member. */
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "io/foreign.h"
#include "io/gzip.h"
#include "io/json.h"

/* A file that could not be read is called what it is, where that is known. */
static trm_status name_foreign(const trm__map *map, const char *path, trm_error *err) {
  TRM_TRY(trm__foreign_look(TRM__WANT_TEXT, path, map->data, map->size, err));
  return TRM_E_FORMAT;
}

/* --- members, one by one --- */

/* A place in the text of a file. */
typedef struct walk {
  const char *path, *text;
  size_t at, size, max_bytes;
} walk;

static int next_mark(walk *w) {
  while (w->at < w->size && memchr(" \t\r\n", w->text[w->at], 4)) w->at++;
  return w->at < w->size ? w->text[w->at] : 0;
}

static trm_status expect(walk *w, int mark, const char *what, trm_error *err) {
  if (next_mark(w) != mark)
    TRM_FAIL_AT(err, TRM_E_FORMAT, w->at, "%s: byte %zu: want %s", w->path, w->at, what);
  w->at++;
  return TRM_OK;
}

/* The byte behind the value that begins at w->at: its brackets are closed there, or, outside of
 * any, a mark follows. A wrong value ends somewhere. */
static size_t end_of_value(const walk *w) {
  size_t i = w->at, depth = 0;
  for (bool quoted = false; i < w->size; i++) {
    const char c = w->text[i];
    if (quoted && c == '\\') i++;
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (depth == 0 && (c == ',' || c == '}')) break;
    depth += c == '[' || c == '{';
    depth -= c == ']' || c == '}';
    if (depth == SIZE_MAX) break; /* more closed than opened */
  }
  return i < w->size ? i : w->size;
}

/* A value of n bytes, or with `begins` the one that these begin with. */
static trm_status read_part(walk *w, size_t n, bool begins, trm__json **out, trm_error *err) {
  trm__json_fault fault;
  size_t used = n;
  const trm_status st = trm__json_decode(w->text + w->at, n, begins ? &used : NULL, out, &fault);
  if (st == TRM_E_MEMORY) TRM_FAIL(err, st, "%s: no memory for its JSON", w->path);
  if (st != TRM_OK)
    TRM_FAIL_AT(err, st, w->at + fault.byte, "%s: byte %zu: %s", w->path, w->at + fault.byte,
                fault.what);
  w->at += used;
  return TRM_OK;
}

static trm_status read_value(walk *w, const char *key, trm__json **value, trm_error *err) {
  TRM_TRY(expect(w, ':', "':' after a key", err));
  const size_t n = end_of_value(w) - w->at;
  if (n > w->max_bytes)
    TRM_FAIL_AT(err, TRM_E_FORMAT, w->at, "%s: \"%.80s\" has %zu bytes; want at most %zu", w->path,
                key, n, w->max_bytes);
  return read_part(w, n, false, value, err);
}

static trm_status walk_members(walk *w, trm__json_member_fn *member, void *arg, trm_error *err) {
  TRM_TRY(expect(w, '{', "an object, {\"KEY\": VALUE, ...}", err));
  for (bool more = next_mark(w) != '}'; more;) {
    trm__json *key, *value = NULL;
    if (next_mark(w) != '"') return expect(w, '"', "a key in quotes", err);
    TRM_TRY(read_part(w, w->size - w->at, true, &key, err));
    trm_status st = read_value(w, trm__json_text(key), &value, err);
    if (st == TRM_OK) st = member(arg, trm__json_text(key), value, err);
    trm__json_free(key);
    trm__json_free(value);
    TRM_TRY(st);
    more = next_mark(w) == ',';
    w->at += more;
  }
  TRM_TRY(expect(w, '}', "',' or '}' after a value", err));
  if (next_mark(w) || w->at < w->size)
    TRM_FAIL_AT(err, TRM_E_FORMAT, w->at, "%s: byte %zu: text after the object", w->path, w->at);
  return TRM_OK;
}

trm_status trm__json_members(const char *path, size_t max_bytes, trm__json_member_fn *member,
                             void *arg, trm_error *err) {
  trm__map map;
  TRM_TRY(trm__map_open(path, &map, err));
  walk w = {path, map.size ? (const char *)map.data : "", 0, map.size, max_bytes};
  w.at = trm__text_mark(w.text, w.size);
  trm_status st = walk_members(&w, member, arg, err);
  if (st == TRM_E_FORMAT) st = name_foreign(&map, path, err);
  trm__map_close(&map);
  return st;
}

/* --- loading and saving --- */

static trm_status parse_text(const char *text, size_t n, const char *path, trm__json **out,
                             trm_error *err) {
  if (n && trm__text_is_wide(text, n))
    TRM_FAIL(err, TRM_E_FORMAT, "%s is text in UTF-16 or UTF-32; save it as UTF-8", path);
  const size_t mark = n ? trm__text_mark(text, n) : 0;
  return trm__json_parse(text + mark, n - mark, path, 1, out, err);
}

static trm_status parse_packed(const trm__map *map, const char *path, size_t max_bytes,
                               trm__json **out, trm_error *err) {
  unsigned char *text;
  size_t n;
  TRM_TRY(trm__gzip_measure(path, map->data, map->size, max_bytes, &n, err));
  if (n > max_bytes)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: more than %zu bytes when unpacked; want at most that", path,
             max_bytes);
  TRM_TRY(trm__gzip_unpack(path, map->data, map->size, n, &text, err));
  const trm_status st = parse_text((const char *)text, n, path, out, err);
  trm__free(text);
  return st;
}

static trm_status parse_map(const trm__map *map, const char *path, size_t max_bytes,
                            trm__json **out, trm_error *err) {
  if (map->size > max_bytes)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: %zu bytes; want at most %zu", path, map->size, max_bytes);
  if (map->size && trm__gzip_is(map->data, map->size))
    return parse_packed(map, path, max_bytes, out, err);
  return parse_text(map->size ? (const char *)map->data : "", map->size, path, out, err);
}

bool trm__json_span_take(trm__json_span *s, const char *text, size_t n) {
  bool closed = false;
  for (size_t i = 0; i < n; i++) {
    const char c = text[i];
    if (s->quoted) {
      s->quoted = s->escaped || c != '"';
      s->escaped = !s->escaped && c == '\\';
    } else if (c == '"') {
      s->quoted = true;
    } else if (c == '[' || c == '{') {
      s->depth++;
    } else if (c == ']' || c == '}') {
      closed |= --s->depth <= 0;
    }
  }
  return closed;
}

bool trm__json_begins_grid(const char *text, size_t n) {
  trm__json_span span = {.depth = 0};
  size_t brackets = 0, i = 0;
  for (; i < n && (text[i] == '[' || text[i] == ' ' || text[i] == '\t'); i++)
    brackets += text[i] == '[';
  if (!brackets || (brackets < 2 && i < n)) return false;
  return !trm__json_span_take(&span, text, n);
}

trm_status trm__json_load(const char *path, size_t max_bytes, trm__json **out, trm_error *err) {
  *out = NULL;
  trm__map map;
  TRM_TRY(trm__map_open(path, &map, err));
  trm_status st = parse_map(&map, path, max_bytes, out, err);
  if (st == TRM_E_FORMAT) st = name_foreign(&map, path, err);
  trm__map_close(&map);
  return st;
}
