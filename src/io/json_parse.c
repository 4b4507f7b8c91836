/* The parser. One scanner goes over a text twice: first it only checks and counts, so that a wrong
 * text costs no memory; then it fills the one block that the counts ask for.
 *
 * Filling takes no more room than the values need, and no recursion: the block's beginning is a
 * stack of values in the order of the text, its end holds what is done. When an array or object is
 * closed, all it contains lies on top of the stack and moves, at once, before what is done. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"
#include "io/json_value.h"

typedef struct parser {
  const char *text;
  size_t n, at;
  size_t depth;
  bool *is_array;       /* [TRM__JSON_MAX_DEPTH]: of what is open */
  size_t values, bytes; /* so far: nodes, and strings with their zeros */
  size_t most_values,
      most_bytes;   /* there is room for: a mapped file may change between the passes */
  trm__json *node;  /* [most_values]; NULL while counting */
  size_t top, done; /* the stack is [0, top), what is done begins at `done` */
  size_t inner;     /* the innermost that is open, on the stack */
  char *string;     /* where the next one goes */
  trm__json unread; /* takes the values while counting */
  trm__json_fault *fault;
} parser;

/* --- faults --- */

static bool fail_at(const parser *p, size_t at, const char *what) {
  trm__json_fault *f = p->fault;
  f->byte = at;
  f->line = f->column = 1;
  for (size_t i = 0; i < at; i++) {
    f->column += ((unsigned char)p->text[i] & 0xc0) != 0x80;
    if (p->text[i] != '\n') continue;
    f->line++;
    f->column = 1;
  }
  snprintf(f->what, sizeof f->what, "%s", what);
  return false;
}

static bool fail_want(const parser *p, const char *wanted) {
  const unsigned char c = p->at < p->n ? (unsigned char)p->text[p->at] : 0;
  char what[sizeof p->fault->what];
  if (p->at >= p->n)
    snprintf(what, sizeof what, "want %s, found the end", wanted);
  else
    snprintf(what, sizeof what,
             c > ' ' && c < 0x7f ? "want %s, found '%c'" : "want %s, found byte %u", wanted, c);
  return fail_at(p, p->at, what);
}

/* The next byte that is no space; 0 at the end. */
static char next_mark(parser *p) {
  while (p->at < p->n) {
    const char c = p->text[p->at];
    if (c != ' ' && c != '\n' && c != '\r' && c != '\t') return c;
    p->at++;
  }
  return 0;
}

static const char changed[] = "the file changed while it was read";

/* A value on top of the stack; NULL when there are too many. */
static trm__json *add(parser *p, trm__json_kind kind) {
  if (p->node && p->values >= p->most_values) {
    (void)fail_at(p, 0, changed);
    return NULL;
  }
  trm__json *v = p->node ? &p->node[p->top++] : &p->unread;
  v->kind = (uint8_t)kind;
  if (++p->values <= TRM__JSON_MAX_VALUES) return v;
  char what[100];
  snprintf(what, sizeof what, "more than %d JSON values and keys; want at most that at once",
           TRM__JSON_MAX_VALUES);
  fail_at(p, p->at, what);
  return NULL;
}

/* --- strings --- */

/* XXXX of \uXXXX at a byte; -1 for something else. */
static int read_hex(const parser *p, size_t at) {
  int v = 0;
  if (p->n < 4 || at > p->n - 4) return -1;
  for (size_t i = at; i < at + 4; i++) {
    const char c = p->text[i], lower = (char)(c | 0x20);
    const int digit = c >= '0' && c <= '9'           ? c - '0'
                      : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10
                                                     : -1;
    if (digit < 0) return -1;
    v = v << 4 | digit;
  }
  return v;
}

static size_t encode(int point, char out[4]) {
  static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
  const size_t n = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  for (size_t i = n - 1; i > 0; i--, point >>= 6) out[i] = (char)(0x80 | (point & 0x3f));
  out[0] = (char)(lead[n] | point);
  return n;
}

/* \uXXXX, of which two may be one character. */
static bool scan_unicode(parser *p, char out[4], size_t *n) {
  int point = read_hex(p, p->at + 2);
  const size_t start = p->at;
  if (point < 0) return fail_at(p, start, "want four hexadecimal digits after \\u");
  if (point == 0) return fail_at(p, start, "\\u0000 is not taken");
  p->at += 6;
  if (point >= 0xd800 && point < 0xe000) {
    const bool follows = p->at + 1 < p->n && p->text[p->at] == '\\' && p->text[p->at + 1] == 'u';
    const int second = point < 0xdc00 && follows ? read_hex(p, p->at + 2) : -1;
    if (second < 0xdc00 || second >= 0xe000)
      return fail_at(p, start, "half of a surrogate pair is no character");
    point = 0x10000 + ((point - 0xd800) << 10) + (second - 0xdc00);
    p->at += 6;
  }
  *n = encode(point, out);
  return true;
}

static bool scan_escape(parser *p, char out[4], size_t *n) {
  static const char marks[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
  const char c = (char)(p->at + 1 < p->n ? p->text[p->at + 1] : 0);
  const char *mark = c ? strchr(marks, c) : NULL;
  if (c == 'u') return scan_unicode(p, out, n);
  if (!mark) return fail_at(p, p->at, "a backslash before something that it does not escape");
  p->at += 2;
  *out = meant[mark - marks];
  *n = 1;
  return true;
}

/* The bytes from `at` on that mean themselves; while filling they are known to be right. */
static size_t plain_bytes(const parser *p, size_t at) {
  const size_t start = at;
  while (at < p->n) {
    const unsigned char c = (unsigned char)p->text[at];
    if (c == '"' || c == '\\' || c < ' ') break;
    const size_t length = c < 0x80 || p->node ? 1 : trm__text_character(p->text + at, p->n - at);
    if (length == 0) break;
    at += length;
  }
  return at - start;
}

static bool put(parser *p, const char *bytes, size_t n) {
  p->bytes += n;
  if (!p->node) return true;
  if (p->bytes > p->most_bytes) return fail_at(p, 0, changed);
  memcpy(p->string, bytes, n);
  p->string += n;
  return true;
}

/* From its quote on, as a value on the stack. */
static bool scan_string(parser *p) {
  const char *start = p->string;
  trm__json *v = add(p, TRM__JSON_STRING);
  if (!v) return false;

  /* Stretches without escapes are copied as they are; what ends one is an escape, the quote, or
   * a fault. */
  for (p->at++;;) {
    const size_t plain = plain_bytes(p, p->at);
    if (!put(p, p->text + p->at, plain)) return false;
    p->at += plain;
    const char c = (char)(p->at < p->n ? p->text[p->at] : 0);
    if (c == '"') break;
    char out[4];
    size_t n = 0;
    if (c != '\\')
      return fail_want(p, (unsigned char)c < 0x80 ? "the quote that ends a string" : "UTF-8");
    if (!scan_escape(p, out, &n)) return false;
    if (!put(p, out, n)) return false;
  }
  p->at++;

  /* A terminating 0, and the value once its place is known: the first pass only counts. */
  if (!put(p, "", 1)) return false;
  if (!p->node) return true;
  v->as.text = start;
  v->n = (uint32_t)(p->string - start - 1);
  return true;
}

/* --- numbers and words --- */

static bool is_digit(const parser *p) {
  return p->at < p->n && p->text[p->at] >= '0' && p->text[p->at] <= '9';
}

static bool scan_digits(parser *p) {
  if (!is_digit(p)) return fail_want(p, "a digit");
  while (is_digit(p)) p->at++;
  return true;
}

/* Passes a number. *large: it may be more than a double holds. */
static bool scan_number_text(parser *p, bool *real, bool *large) {
  enum { SAFE = 200, SAFE_EXPONENT = 2 }; /* 200 digits with e99 end below 1e300 */
  const size_t start = p->at;
  size_t exponent_digits = 0;

  /* The whole part: 0, or digits that do not begin with it. */
  p->at += p->text[p->at] == '-';
  if (p->at < p->n && p->text[p->at] == '0')
    p->at++; /* no digit may follow */
  else if (!scan_digits(p))
    return false;

  /* The fraction. */
  const bool point = p->at < p->n && p->text[p->at] == '.';
  if (point) {
    p->at++;
    if (!scan_digits(p)) return false;
  }

  /* The exponent. */
  const bool exponent = p->at < p->n && (p->text[p->at] == 'e' || p->text[p->at] == 'E');
  if (exponent) {
    p->at++;
    if (p->at < p->n && (p->text[p->at] == '+' || p->text[p->at] == '-')) p->at++;
    const size_t digits = p->at;
    if (!scan_digits(p)) return false;
    exponent_digits = p->at - digits;
  }
  *real = point || exponent;
  *large = exponent_digits > SAFE_EXPONENT || p->at - start > SAFE;
  return true;
}

/* False beyond 64 bits. Counted downwards, for there is one negative number more. */
static bool read_integer(const char *text, size_t n, int64_t *out) {
  const bool negative = *text == '-';
  int64_t v = 0;
  for (size_t i = negative; i < n; i++) {
    const int digit = text[i] - '0';
    if (v < (INT64_MIN + digit) / 10) return false;
    v = 10 * v - digit;
  }
  if (!negative && v == INT64_MIN) return false;
  *out = negative ? v : -v;
  return true;
}

/* What was passed since `start` stays as it is written, for no number of ours says the same. */
static bool keep_text(parser *p, trm__json *v, size_t start) {
  const char *text = p->string;
  const size_t n = p->at - start;
  if (!put(p, p->text + start, n) || !put(p, "", 1)) return false;
  v->kind = TRM__JSON_BEYOND;
  if (!p->node) return true;
  v->as.text = text;
  v->n = (uint32_t)n;
  return true;
}

static bool scan_number(parser *p) {
  const size_t start = p->at;
  bool real, large;
  trm__json *v = add(p, TRM__JSON_INTEGER);
  if (!v || !scan_number_text(p, &real, &large)) return false;
  const char *text = p->text + start;
  if (!real) return read_integer(text, p->at - start, &v->as.integer) || keep_text(p, v, start);
  if (!p->node && !large) return true; /* while counting nobody asks for its value */
  v->kind = TRM__JSON_REAL;
  v->as.real = trm__number_read(text, p->at - start);
  return isfinite(v->as.real) || keep_text(p, v, start);
}

static bool scan_word(parser *p) {
  static const struct {
    const char *text;
    trm__json_kind kind;
  } words[] = {{"null", TRM__JSON_NULL},       {"false", TRM__JSON_FALSE},
               {"true", TRM__JSON_TRUE},       {"NaN", TRM__JSON_BEYOND},
               {"Infinity", TRM__JSON_BEYOND}, {"-Infinity", TRM__JSON_BEYOND}};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    const size_t n = strlen(words[i].text), start = p->at;
    if (p->n - p->at < n || memcmp(p->text + p->at, words[i].text, n) != 0) continue;
    trm__json *v = add(p, words[i].kind);
    if (!v) return false;
    p->at += n;
    return words[i].kind != TRM__JSON_BEYOND || keep_text(p, v, start);
  }
  return fail_want(p, "a value");
}

/* --- keys in order --- */

/* key[2 * i].order: which key is the i-th; moves the one at `i` down to its place in a heap. */
static void sift(trm__json *key, size_t i, size_t n) {
  const uint32_t moved = key[2 * i].order;
  for (size_t child; (child = 2 * i + 1) < n; i = child) {
    const trm__json *left = &key[2 * key[2 * child].order];
    if (child + 1 < n) {
      const trm__json *right = &key[2 * key[2 * (child + 1)].order];
      if (trm__json_compare(left, right->as.text, right->n) < 0) child++;
    }
    const trm__json *larger = &key[2 * key[2 * child].order];
    if (trm__json_compare(&key[2 * moved], larger->as.text, larger->n) >= 0) break;
    key[2 * i].order = key[2 * child].order;
  }
  key[2 * i].order = moved & 0xffffff;
}

static void sort_keys(trm__json *key, size_t n) {
  for (size_t i = 0; i < n; i++) key[2 * i].order = (uint32_t)i & 0xffffff;
  for (size_t i = n / 2; i-- > 0;) sift(key, i, n);
  for (size_t end = n - 1; end > 0; end--) {
    const uint32_t largest = key[0].order;
    key[0].order = key[2 * end].order;
    key[2 * end].order = largest & 0xffffff;
    sift(key, 0, end);
  }
}

/* The later one of two members with the same key; 0 when there are none. */
static size_t find_twice(trm__json *key, size_t n) {
  if (n > TRM__JSON_FEW) {
    sort_keys(key, n);
    for (size_t i = 1; i < n; i++) {
      const size_t a = key[2 * i - 2].order, b = key[2 * i].order;
      if (!trm__json_compare(&key[2 * a], key[2 * b].as.text, key[2 * b].n)) return a > b ? a : b;
    }
    return 0;
  }
  for (size_t b = 1; b < n; b++)
    for (size_t a = 0; a < b; a++)
      if (!trm__json_compare(&key[2 * a], key[2 * b].as.text, key[2 * b].n)) return b;
  return 0;
}

/* Where the i-th key of the object that begins at a byte is; the text is known to be right. */
static size_t place_of_key(const char *text, size_t at, size_t i) {
  size_t depth = 0, commas = 0;
  for (bool quoted = false;; at++) {
    const char c = text[at];
    if (c == '"' && !quoted && depth == 1 && commas == i) return at;
    if (c == '"') quoted = !quoted;
    if (c == '\\') at++;
    if (quoted) continue;
    depth += c == '{' || c == '[';
    depth -= c == '}' || c == ']';
    commas += c == ',' && depth == 1;
  }
}

/* --- arrays and objects --- */

/* While it is open a value knows where its text begins and what was open before. */
static bool open_nested(parser *p) {
  const bool array = p->text[p->at] == '[';
  if (p->depth == TRM__JSON_MAX_DEPTH) return fail_at(p, p->at, "more than 2048 levels");
  trm__json *v = add(p, array ? TRM__JSON_ARRAY : TRM__JSON_OBJECT);
  if (!v) return false;
  p->is_array[p->depth++] = array;
  v->as.integer = (int64_t)p->at++;
  v->n = (uint32_t)p->inner;
  if (p->node) p->inner = p->top - 1;
  return true;
}

static bool close_nested(parser *p) {
  const bool array = p->is_array[--p->depth];
  p->at++;
  if (!p->node) return true;
  trm__json *v = &p->node[p->inner];
  const size_t n = p->top - p->inner - 1, begin = (size_t)v->as.integer;
  p->top -= n;
  p->done -= n;
  p->inner = v->n;
  trm__json *first = &p->node[p->done];
  memmove(first, v + 1, n * sizeof *v);
  v->as.first = first;
  v->n = (uint32_t)(array ? n : n / 2);
  const size_t twice = array ? 0 : find_twice(first, v->n);
  if (!twice) return true;
  char what[sizeof p->fault->what];
  snprintf(what, sizeof what, "duplicate key \"%.80s\"", first[2 * twice].as.text);
  return fail_at(p, place_of_key(p->text, begin, twice), what);
}

static bool scan_key(parser *p) {
  if (next_mark(p) != '"') return fail_want(p, "a key in quotes");
  if (!scan_string(p)) return false;
  if (next_mark(p) != ':') return fail_want(p, "':' after a key");
  p->at++;
  return true;
}

/* Behind a value: what ends there, too, and the key of the next value. */
static bool scan_ends(parser *p) {
  while (p->depth) {
    const bool array = p->is_array[p->depth - 1];
    const char c = next_mark(p);
    if (c == (array ? ']' : '}')) {
      if (!close_nested(p)) return false;
    } else if (c == ',') {
      p->at++;
      return array || scan_key(p);
    } else {
      return fail_want(p, array ? "',' or ']' after a value" : "',' or '}' after a value");
    }
  }
  return true;
}

static bool begins_number(const parser *p, char c) {
  return (c >= '0' && c <= '9') || (c == '-' && !(p->at + 1 < p->n && p->text[p->at + 1] == 'I'));
}

static bool scan_document(parser *p) {
  do {
    const char c = next_mark(p);
    if (c == '[' || c == '{') {
      if (!open_nested(p)) return false;
      const bool array = c == '[';
      if (next_mark(p) != (array ? ']' : '}')) { /* not empty: a value follows */
        if (!array && !scan_key(p)) return false;
        continue;
      }
    } else if (c == '"' ? !scan_string(p) : begins_number(p, c) ? !scan_number(p) : !scan_word(p)) {
      return false;
    }
    if (!scan_ends(p)) return false;
  } while (p->depth);
  return true;
}

/* --- documents --- */

trm_status trm__json_decode(const char *text, size_t n, size_t *used, trm__json **out,
                            trm__json_fault *fault) {
  trm__json_fault unseen;
  bool is_array[TRM__JSON_MAX_DEPTH];
  parser p = {.text = text, .n = n, .is_array = is_array, .fault = fault ? fault : &unseen};
  *out = NULL;
  if (!scan_document(&p)) return TRM_E_FORMAT;
  const size_t end = p.at, values = p.values, bytes = p.bytes;
  if (!used && (next_mark(&p) || p.at < n)) {
    (void)fail_want(&p, "the end of the text");
    return TRM_E_FORMAT;
  }
  if (bytes > UINT32_MAX) {
    (void)fail_at(&p, 0, "strings of more than 4 GiB");
    return TRM_E_FORMAT;
  }
  /* Strings end in a zero each, and so does a block of nothing else. */
  trm__json *node = trm__alloc((uint64_t)values * sizeof *node + bytes, 1);
  if (!node) return TRM_E_MEMORY;
  p = (parser){.text = text,
               .n = n,
               .is_array = is_array,
               .fault = p.fault,
               .most_values = values,
               .most_bytes = bytes,
               .node = node,
               .done = values};
  p.string = (char *)(node + values);
  if (!scan_document(&p)) {
    trm__free(node);
    return TRM_E_FORMAT;
  }
  if (used) *used = end;
  *out = node;
  return TRM_OK;
}

trm_status trm__json_parse(const char *text, size_t n, const char *path, int64_t first_line,
                           trm__json **out, trm_error *err) {
  trm__json_fault fault;
  const trm_status st = trm__json_decode(text, n, NULL, out, &fault);
  if (st == TRM_OK) return TRM_OK;
  if (st == TRM_E_MEMORY) TRM_FAIL(err, st, "%s: no memory for its JSON", path);
  const int64_t line = first_line + fault.line - 1;
  TRM_FAIL_AT(err, st, line, "%s: line %lld, column %lld: %s", path, (long long)line,
              (long long)fault.column, fault.what);
}
