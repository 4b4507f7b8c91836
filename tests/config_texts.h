/* Run configurations from overrides and from YAML, for tests: taken, or refused with these words.
 */
#ifndef TRM_TESTS_CONFIG_TEXTS_H
#define TRM_TESTS_CONFIG_TEXTS_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* cmocka.h needs what stands before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

#include "run/run_config.h"

/* Where YAML files are written, one at a time. */
static char folder[64];

static inline int make_folder(void **state) {
  (void)state;
  strcpy(folder, "/tmp/trm_config_XXXXXX");
  return mkdtemp(folder) ? 0 : -1;
}

static inline int remove_folder(void **state) {
  (void)state;
  return rmdir(folder);
}

/* Loads from the overrides after the first two arguments, up to NULL. */
static inline trm_status load(trm__run_config *c, trm_error *err, ...) {
  const char *overrides[64];
  int n = 0;
  va_list args;
  va_start(args, err);
  while ((overrides[n] = va_arg(args, const char *))) n++;
  va_end(args);
  return trm__run_config_load(c, NULL, overrides, n, err);
}

static inline trm_status load_yaml_bytes(trm__run_config *c, const char *text, size_t n,
                                         trm_error *err) {
  char path[96];
  snprintf(path, sizeof path, "%s/run.yaml", folder);
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(text, 1, n, f), n);
  assert_int_equal(fclose(f), 0);
  trm_status st = trm__run_config_load(c, path, NULL, 0, err);
  unlink(path);
  return st;
}

static inline trm_status load_yaml(trm__run_config *c, const char *text, trm_error *err) {
  return load_yaml_bytes(c, text, strlen(text), err);
}

static inline void assert_says(const trm_error *err, const char *part) {
  if (!strstr(err->msg, part)) fail_msg("'%s' does not say '%s'", err->msg, part);
}

static inline void yaml_refused(const char *text, const char *part) {
  trm__run_config c;
  trm_error err = {0};
  assert_int_equal(load_yaml(&c, text, &err), TRM_E_CONFIG);
  assert_says(&err, part);
}

static inline void refused(const char *override, const char *part) {
  trm__run_config c;
  trm_error err = {0};
  assert_int_equal(load(&c, &err, override, NULL), TRM_E_CONFIG);
  assert_says(&err, part);
}

#endif
