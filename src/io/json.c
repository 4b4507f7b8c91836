/* JSON files by jansson, with errors that say where. */
#include "io/json.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <zlib.h>

#include "base/memory.h"

/* A value may take 100 bytes and more in jansson's tree, in the text two. So they are counted
 * beforehand by the marks between them (those within strings, too). ARC's largest files have 1.5
 * million, the names of a full ARC data set one. */
enum { MAX_VALUES = 6000000 };

static trm_status check_values(const char *text, size_t n, const char *path, const char *unit,
                               int64_t at, trm_error *err) {
  size_t values = 1;
  for (size_t i = 0; i < n; i++) values += text[i] == ',' || text[i] == '[' || text[i] == '{';
  if (values <= MAX_VALUES) return TRM_OK;
  TRM_FAIL_AT(err, TRM_E_FORMAT, at,
              "%s: from %s %" PRId64 " on: some %zu JSON values; want at most %d at once", path,
              unit, at, values, MAX_VALUES);
}

/* Without memory jansson may speak of an invalid token or say nothing: errno tells. */
trm_status trm__json_decode(const char *text, size_t n, size_t flags, json_t **out,
                            json_error_t *cause) {
  errno = 0;
  *out = json_loadb(text, n, flags, cause);
  if (*out) return TRM_OK;
  return errno == ENOMEM || json_error_code(cause) == json_error_out_of_memory ? TRM_E_MEMORY
                                                                               : TRM_E_FORMAT;
}

trm_status trm__json_parse(const char *text, size_t n, const char *path, int64_t first_line,
                           json_t **out, trm_error *err) {
  json_error_t cause;
  *out = NULL;
  TRM_TRY(check_values(text, n, path, "line", first_line, err));
  const trm_status st = trm__json_decode(text, n, JSON_REJECT_DUPLICATES, out, &cause);
  if (st == TRM_OK) return TRM_OK;
  if (st == TRM_E_MEMORY) TRM_FAIL(err, st, "%s: no memory for its JSON", path);
  const int64_t line = first_line + cause.line - 1;
  TRM_FAIL_AT(err, TRM_E_FORMAT, line, "%s: line %" PRId64 ", column %d: %s", path, line,
              cause.column, cause.text);
}

/* --- gzip --- */

/* A text that grows while it is inflated, to one byte more than `most` and no further. */
typedef struct text_buffer {
  char *text;
  size_t n, room, most;
} text_buffer;

static trm_status check_length(const text_buffer *b, const char *path, trm_error *err) {
  if (b->n <= b->most) return TRM_OK;
  TRM_FAIL(err, TRM_E_FORMAT, "%s: more than %zu bytes when unpacked; want at most that", path,
           b->most);
}

static trm_status make_room(text_buffer *b, const char *path, trm_error *err) {
  if (b->n < b->room) return TRM_OK;
  TRM_TRY(check_length(b, path, err));
  const size_t room = b->room > b->most / 4 ? b->most + 1 : 4 * b->room;
  char *larger;
  TRM_ALLOC(&larger, room, "a packed file's text", err);
  memcpy(larger, b->text, b->n);
  trm__free(b->text);
  b->text = larger;
  b->room = room;
  return TRM_OK;
}

/* Zeros may pad a file behind its last member. */
static bool is_padding(const z_stream *z, size_t packed) {
  for (size_t i = 0; i < z->avail_in + packed; i++)
    if (z->next_in[i]) return false;
  return true;
}

/* Inflates one gzip member after the other, as gunzip does. */
static trm_status inflate_all(z_stream *z, size_t packed, text_buffer *b, const char *path,
                              trm_error *err) {
  for (int result = Z_OK; result != Z_STREAM_END || packed || z->avail_in;) {
    if (!z->avail_in) {
      z->avail_in = packed < INT_MAX ? (uInt)packed : INT_MAX;
      packed -= z->avail_in;
    }
    if (result == Z_STREAM_END && (is_padding(z, packed) || inflateReset(z) != Z_OK)) break;
    TRM_TRY(make_room(b, path, err));
    const size_t room = b->room - b->n;
    z->next_out = (Bytef *)b->text + b->n;
    z->avail_out = room < INT_MAX ? (uInt)room : INT_MAX;
    const uInt offered = z->avail_out;
    result = inflate(z, Z_NO_FLUSH);
    b->n += offered - z->avail_out;
    if (result == Z_MEM_ERROR) TRM_FAIL(err, TRM_E_MEMORY, "%s: no memory to unpack it", path);
    if (result == Z_BUF_ERROR && !z->avail_in && !packed)
      TRM_FAIL(err, TRM_E_FORMAT, "%s: truncated: the gzip data do not end", path);
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
      TRM_FAIL(err, TRM_E_FORMAT, "%s: broken gzip data: %s", path, z->msg ? z->msg : "no cause");
  }
  return TRM_OK;
}

static trm_status parse_packed(const trm__map *map, const char *path, size_t max_bytes,
                               json_t **out, trm_error *err) {
  enum { GZIP_ONLY = 16, FIRST_ROOM = 1 << 16 };
  z_stream z = {.next_in = (z_const Bytef *)map->data};
  text_buffer b = {.room = FIRST_ROOM < max_bytes ? FIRST_ROOM : max_bytes + 1, .most = max_bytes};
  TRM_ALLOC(&b.text, b.room, "a packed file's text", err);
  trm_status st = inflateInit2(&z, MAX_WBITS + GZIP_ONLY) == Z_OK
                      ? inflate_all(&z, map->size, &b, path, err)
                      : trm__fail(err, TRM_E_MEMORY, -1, "%s: no memory to unpack it", path);
  (void)inflateEnd(&z);
  if (st == TRM_OK) st = check_length(&b, path, err);
  if (st == TRM_OK) st = trm__json_parse(b.text, b.n, path, 1, out, err);
  trm__free(b.text);
  return st;
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

static trm_status read_part(walk *w, size_t n, size_t flags, json_t **out, trm_error *err) {
  json_error_t cause;
  const trm_status st = trm__json_decode(w->text + w->at, n, flags | JSON_DECODE_ANY, out, &cause);
  if (st == TRM_E_MEMORY) TRM_FAIL(err, st, "%s: no memory for its JSON", w->path);
  if (st != TRM_OK)
    TRM_FAIL_AT(err, st, w->at + (size_t)cause.position, "%s: byte %zu: %s", w->path,
                w->at + (size_t)cause.position, cause.text);
  w->at += (flags & JSON_DISABLE_EOF_CHECK) ? (size_t)cause.position : n;
  return TRM_OK;
}

static trm_status read_value(walk *w, const char *key, json_t **value, trm_error *err) {
  TRM_TRY(expect(w, ':', "':' after a key", err));
  const size_t n = end_of_value(w) - w->at;
  if (n > w->max_bytes)
    TRM_FAIL_AT(err, TRM_E_FORMAT, w->at, "%s: \"%.80s\" has %zu bytes; want at most %zu", w->path,
                key, n, w->max_bytes);
  TRM_TRY(check_values(w->text + w->at, n, w->path, "byte", (int64_t)w->at, err));
  return read_part(w, n, JSON_REJECT_DUPLICATES, value, err);
}

static trm_status walk_members(walk *w, trm__json_member_fn *member, void *arg, trm_error *err) {
  TRM_TRY(expect(w, '{', "an object, {\"KEY\": VALUE, ...}", err));
  for (bool more = next_mark(w) != '}'; more;) {
    json_t *key, *value = NULL;
    if (next_mark(w) != '"') return expect(w, '"', "a key in quotes", err);
    TRM_TRY(read_part(w, w->size - w->at, JSON_DISABLE_EOF_CHECK, &key, err));
    trm_status st = read_value(w, json_string_value(key), &value, err);
    if (st == TRM_OK) st = member(arg, json_string_value(key), value, err);
    json_decref(key);
    json_decref(value);
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
  const trm_status st = walk_members(&w, member, arg, err);
  trm__map_close(&map);
  return st;
}

/* --- loading and saving --- */

static trm_status parse_map(const trm__map *map, const char *path, size_t max_bytes, json_t **out,
                            trm_error *err) {
  if (map->size > max_bytes)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: %zu bytes; want at most %zu", path, map->size, max_bytes);
  if (map->size >= 2 && map->data[0] == 0x1f && map->data[1] == 0x8b)
    return parse_packed(map, path, max_bytes, out, err);
  return trm__json_parse(map->size ? (const char *)map->data : "", map->size, path, 1, out, err);
}

trm_status trm__json_load(const char *path, size_t max_bytes, json_t **out, trm_error *err) {
  *out = NULL;
  trm__map map;
  TRM_TRY(trm__map_open(path, &map, err));
  const trm_status st = parse_map(&map, path, max_bytes, out, err);
  trm__map_close(&map);
  return st;
}

static int write_piece(const char *text, size_t n, void *writer) {
  trm__write(writer, text, n);
  return 0;
}

trm_status trm__json_save(const char *path, const json_t *value, trm_error *err) {
  trm__writer w;
  TRM_TRY(trm__writer_open(&w, path, err));
  if (json_dump_callback(value, write_piece, &w, JSON_INDENT(2) | JSON_ENCODE_ANY)) {
    trm__writer_abort(&w);
    TRM_FAIL(err, TRM_E_MEMORY, "%s: its JSON cannot be built", path);
  }
  trm__write(&w, "\n", 1);
  return trm__writer_commit(&w, err);
}

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
