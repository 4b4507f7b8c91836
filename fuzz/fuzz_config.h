/* What the two ways to configure a run have in common: what was accepted is printed as YAML, which
 * must be accepted, too, and print the same. */
#ifndef TRM_FUZZ_CONFIG_H
#define TRM_FUZZ_CONFIG_H

#include <stdlib.h>
#include <string.h>

#include "cli/run/config.h"
#include "fuzz.h"

static inline char *fuzz_printed(const run_config *c, size_t *n) {
  char *text;
  FUZZ_MUST(run_config_text(c, false, &text, &fuzz_error));
  *n = strlen(text);
  return text;
}

/* Frees *c. */
static inline void fuzz_print_again(run_config *c) {
  run_config again;
  size_t n, n_again;
  char *text = fuzz_printed(c, &n);
  FUZZ_MUST(run_config_load(&again, fuzz_file(1, text, n), NULL, 0, &fuzz_error));
  char *text_again = fuzz_printed(&again, &n_again);
  FUZZ_CHECK(n == n_again && memcmp(text, text_again, n) == 0);
  free(text);
  free(text_again);
  run_config_free(c);
  run_config_free(&again);
}

#endif
