/* A little glue over jansson: files, and values that must be there and be right. */
#ifndef TRM_IO_JSON_H
#define TRM_IO_JSON_H

#include <jansson.h>

#include "base/file.h"

/* Parses a file of at most max_bytes, packed by gzip or not; release with json_decref. A packed
 * file may not hold more either, and none more than some 6 million values. Duplicate keys are
 * refused.
 * Errors: IO; FORMAT with file, line and column (err->pos is the line). */
trm_status trm__json_load(const char *path, size_t max_bytes, json_t **out, trm_error *err);
/* The same of a text in memory, which begins in line `first_line` of the file. Errors: MEMORY;
 * FORMAT. */
trm_status trm__json_parse(const char *text, size_t n, const char *path, int64_t first_line,
                           json_t **out, trm_error *err);
/* jansson's json_loadb with its flags; OK, MEMORY or, with the cause, FORMAT. */
trm_status trm__json_decode(const char *text, size_t n, size_t flags, json_t **out,
                            json_error_t *cause);
/* The members of the object in a file of any size, one by one: memory is taken for one, which has
 * at most max_bytes. A key may come twice. Errors: as above, with the byte of the file (err->pos);
 * what `member` returns, which ends it. */
typedef trm_status trm__json_member_fn(void *arg, const char *key, const json_t *value,
                                       trm_error *err);
trm_status trm__json_members(const char *path, size_t max_bytes, trm__json_member_fn *member,
                             void *arg, trm_error *err);
/* Writes it indented, complete or not at all. */
trm_status trm__json_save(const char *path, const json_t *value, trm_error *err);
/* A text in quotes as Python's json.dump writes it: ASCII only. `text` is valid UTF-8 without
 * control characters. */
void trm__json_write_text(trm__writer *w, const char *text);

/* object[key] of the type asked for, in [lo, hi]. Errors: FORMAT when absent or of another type,
 * RANGE when outside; both name `file` and key. */
trm_status trm__json_int(const json_t *object, const char *file, const char *key, int64_t lo,
                         int64_t hi, int64_t *out, trm_error *err);
trm_status trm__json_double(const json_t *object, const char *file, const char *key, double lo,
                            double hi, double *out, trm_error *err);
trm_status trm__json_bool(const json_t *object, const char *file, const char *key, bool *out,
                          trm_error *err);
/* Lives as long as the object. */
trm_status trm__json_string(const json_t *object, const char *file, const char *key,
                            const char **out, trm_error *err);

#endif
