/* JSON (RFC 8259), own and small: a document is one block of memory, taken when its text is known
 * to be right and its size is counted; a text that is written grows in one. Out of memory is an
 * error like others, and no result ever depends on the locale. */
#ifndef TRM_IO_JSON_H
#define TRM_IO_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/file.h"

/* --- values --- */

/* A value of a document. NULL is one that is not there: everything below takes it, and finds
 * nothing in it. */
typedef struct trm__json trm__json;

typedef enum trm__json_kind {
  TRM__JSON_NOTHING,
  TRM__JSON_NULL,
  TRM__JSON_FALSE,
  TRM__JSON_TRUE,
  TRM__JSON_INTEGER,
  TRM__JSON_REAL,
  TRM__JSON_BEYOND, /* NaN, Infinity, and what is beyond an int64 or a double: for keys of others */
  TRM__JSON_STRING,
  TRM__JSON_ARRAY,
  TRM__JSON_OBJECT
} trm__json_kind;

trm__json_kind trm__json_kind_of(const trm__json *v);
bool trm__json_is(const trm__json *v, trm__json_kind kind);
bool trm__json_is_bool(const trm__json *v);
bool trm__json_is_number(const trm__json *v); /* an integer or a real */

/* Of an array; 0 and NULL for other values and places. */
size_t trm__json_n_items(const trm__json *v);
const trm__json *trm__json_item(const trm__json *v, size_t i);
/* Of an object, in the order of the text. */
size_t trm__json_n_members(const trm__json *v);
const char *trm__json_key(const trm__json *v, size_t i);
const trm__json *trm__json_member(const trm__json *v, size_t i);
/* Looked up in logarithmic time. */
const trm__json *trm__json_get(const trm__json *v, const char *key);

/* 0, false or NULL for other kinds; a string is UTF-8 and has no zero but that at its end. */
int64_t trm__json_integer(const trm__json *v);
double trm__json_number(const trm__json *v);
bool trm__json_is_true(const trm__json *v);
/* An integer, or a real that is one: 3.0. */
bool trm__json_whole(const trm__json *v, int64_t *out);
const char *trm__json_text(const trm__json *v);
size_t trm__json_length(const trm__json *v); /* of the string */

/* Of the same kinds, numbers and texts; objects with the members in any order. */
bool trm__json_same(const trm__json *a, const trm__json *b);

/* object[key] of the type asked for, in [lo, hi]; 3.0 is an integer. Errors: FORMAT when absent or
 * of another type, RANGE when outside; both name `file` and key. */
trm_status trm__json_int(const trm__json *object, const char *file, const char *key, int64_t lo,
                         int64_t hi, int64_t *out, trm_error *err);
trm_status trm__json_double(const trm__json *object, const char *file, const char *key, double lo,
                            double hi, double *out, trm_error *err);
trm_status trm__json_bool(const trm__json *object, const char *file, const char *key, bool *out,
                          trm_error *err);
/* Lives as long as the object. */
trm_status trm__json_string(const trm__json *object, const char *file, const char *key,
                            const char **out, trm_error *err);

/* --- reading --- */

/* A document has at most so many values and keys, 16 bytes each, and its strings: so its tree takes
 * at most 8 times the bytes of its text, and 96 MB beside the strings. ARC's largest files have 1.5
 * million values, the names of a full ARC data set one. */
enum { TRM__JSON_MAX_VALUES = 6000000, TRM__JSON_MAX_DEPTH = 2048 };

/* What is wrong with a text, and where: byte from 0, line and column, in characters, from 1. */
typedef struct trm__json_fault {
  size_t byte;
  int64_t line, column;
  char what[160];
} trm__json_fault;

/* The value that a text of n bytes begins with, behind spaces; *used: the bytes it took. Without
 * `used` nothing but spaces may follow. Duplicate keys and \u0000 are refused; NaN, Infinity and
 * -Infinity, which Python writes, are values that nobody asks for. The text need not stay. Release
 * with trm__json_free.
 * OK, MEMORY, or FORMAT with the fault (which may be NULL). */
trm_status trm__json_decode(const char *text, size_t n, size_t *used, trm__json **out,
                            trm__json_fault *fault);
/* A whole text in memory, which begins in line `first_line` of the file. Errors: MEMORY; FORMAT
 * with file, line and column (err->pos is the line). */
trm_status trm__json_parse(const char *text, size_t n, const char *path, int64_t first_line,
                           trm__json **out, trm_error *err);
/* A file of at most max_bytes, packed by gzip or not, with a byte order mark or without; a packed
 * file may not hold more either. Errors: IO; as above. */
trm_status trm__json_load(const char *path, size_t max_bytes, trm__json **out, trm_error *err);
void trm__json_free(trm__json *root); /* NULL is fine */

/* Follows an array or object, of which `depth` is 0 before its first bracket, through a text that
 * comes in pieces. */
typedef struct trm__json_span {
  int64_t depth;
  bool quoted, escaped;
} trm__json_span;
/* Takes the next bytes; true when they have the bracket that closes the first one. */
bool trm__json_span_take(trm__json_span *s, const char *text, size_t n);
/* True of a line that begins a grid which other lines go on with: '[' alone, or "[[" with more. */
bool trm__json_begins_grid(const char *text, size_t n);

/* The members of the object in a file of any size, one by one: memory is taken for one, which has
 * at most max_bytes. A key may come twice. Errors: as above, with the byte of the file (err->pos);
 * what `member` returns, which ends it. */
typedef trm_status trm__json_member_fn(void *arg, const char *key, const trm__json *value,
                                       trm_error *err);
trm_status trm__json_members(const char *path, size_t max_bytes, trm__json_member_fn *member,
                             void *arg, trm_error *err);

/* --- writing --- */

typedef enum trm__json_style {
  TRM__JSON_COMPACT, /* {"a":1,"b":2} */
  TRM__JSON_SPACED,  /* {"a": 1, "b": 2} */
  TRM__JSON_INDENTED /* by two spaces */
} trm__json_style;

/* A text being written:
 *   trm__json_out o = trm__json_begin(TRM__JSON_INDENTED);
 *   trm__json_open(&o, NULL, '{');
 *   trm__json_put_int(&o, "step", 3); ...    (errors are remembered, not returned)
 *   trm__json_close(&o);
 *   TRM_TRY(trm__json_finish(&o, "a report", &text, err));
 * `key` names a member of an object; it is NULL for an item of an array and for the document. */
typedef struct trm__json_out {
  char *text;
  size_t n, room;
  trm__json_style style;
  int depth;
  bool begun; /* the innermost object or array has something in it */
  bool is_array[64];
  trm_status status;
  char problem[120];
} trm__json_out;
trm__json_out trm__json_begin(trm__json_style style);
void trm__json_open(trm__json_out *o, const char *key, char bracket); /* '{' or '[' */
void trm__json_close(trm__json_out *o);                               /* the innermost */
void trm__json_put_int(trm__json_out *o, const char *key, int64_t v);
void trm__json_put_uint(trm__json_out *o, const char *key, uint64_t v);
/* The shortest text that reads back as the same double, and as a real (1.0). */
void trm__json_put_real(trm__json_out *o, const char *key, double v);
void trm__json_put_bool(trm__json_out *o, const char *key, bool v);
void trm__json_put_null(trm__json_out *o, const char *key);
/* UTF-8; control characters are escaped, also those of eight bits. */
void trm__json_put_text(trm__json_out *o, const char *key, const char *text);
void trm__json_put_value(trm__json_out *o, const char *key, const trm__json *v);
/* `text` as it is: what trm__json_finish gave, both in the compact style. */
void trm__json_put_made(trm__json_out *o, const char *key, const char *text);
/* The text, to be released with trm__free, or NULL; nothing of `o` is left either way. Errors:
 * MEMORY; NUMERIC for a number that is not finite; ARGUMENT for a text that is not UTF-8. They
 * begin with `where`. */
trm_status trm__json_finish(trm__json_out *o, const char *where, char **text, trm_error *err);
/* Releases a text that is not wanted. */
void trm__json_drop(trm__json_out *o);
/* Finishes it into a file, with a newline; complete or not at all. */
trm_status trm__json_save(const char *path, trm__json_out *o, trm_error *err);

/* A text in quotes as Python's json.dump writes it: ASCII only. `text` is valid UTF-8 without
 * control characters. */
void trm__json_write_text(trm__writer *w, const char *text);

#endif
