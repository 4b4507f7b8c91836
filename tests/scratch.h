/* A folder for a test's files, and whole files in one call. */
#ifndef TRM_TESTS_SCRATCH_H
#define TRM_TESTS_SCRATCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/pointer.h"

typedef struct scratch {
  char dir[64];
  char path[160]; /* of the last scratch_path */
} scratch;

/* Group set-up and tear-down: *state is the scratch. */
static inline int scratch_open(void **state) {
  static scratch s;
  snprintf(s.dir, sizeof s.dir, "/tmp/trm_test_XXXXXX");
  if (!mkdtemp(s.dir)) return -1;
  *state = &s;
  return 0;
}

static inline int scratch_close(void **state) {
  scratch *s = *state;
  return trm__remove_tree(s->dir, NULL) == TRM_OK ? 0 : -1;
}

static inline const char *scratch_path(scratch *s, const char *name) {
  snprintf(s->path, sizeof s->path, "%s/%s", s->dir, name);
  return s->path;
}

static inline void write_bytes(const char *path, const void *data, size_t n) {
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  if (n) assert_int_equal(fwrite(data, 1, n, f), n);
  assert_int_equal(fclose(f), 0);
}

/* RUN/last/FILE or RUN/best/FILE as RUN/step_N/FILE, any other path as it is; until the next call.
 */
static inline const char *through_pointer(const char *path) {
  static char text[400];
  char *target;
  const char *mark = strstr(path, "/last/");
  if (!mark) mark = strstr(path, "/best/");
  if (!mark) return path;
  snprintf(text, sizeof text, "%.*s", (int)(mark + 5 - path), path);
  assert_int_equal(trm__pointer_follow(text, &target, NULL), TRM_OK);
  snprintf(text, sizeof text, "%s%s", target, mark + 5);
  trm__free(target);
  return text;
}

/* The file in a fresh block (free). */
static inline unsigned char *read_bytes(const char *path, size_t *n) {
  FILE *f = fopen(through_pointer(path), "rb");
  assert_non_null(f);
  assert_int_equal(fseek(f, 0, SEEK_END), 0);
  *n = (size_t)ftell(f);
  rewind(f);
  unsigned char *data = malloc(*n + 1);
  assert_non_null(data);
  assert_int_equal(fread(data, 1, *n, f), *n);
  data[*n] = 0;
  fclose(f);
  return data;
}

/* Both files have the same bytes. */
static inline void same_files(const char *a, const char *b) {
  size_t n, m;
  unsigned char *x = read_bytes(a, &n), *y = read_bytes(b, &m);
  assert_int_equal(n, m);
  assert_memory_equal(x, y, n);
  free(x);
  free(y);
}

/* NAME in both folders. */
static inline void same_in_folders(const char *left, const char *right, const char *name) {
  char a[300], b[300];
  snprintf(a, sizeof a, "%s/%s", left, name);
  snprintf(b, sizeof b, "%s/%s", right, name);
  same_files(a, b);
}

/* True when err speaks of `word`. */
static inline int speaks_of(const trm_error *err, const char *word) {
  if (strstr(err->msg, word)) return 1;
  print_message("message without \"%s\": %s\n", word, err->msg);
  return 0;
}

#endif
