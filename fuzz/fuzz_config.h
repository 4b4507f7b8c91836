/* What the two ways to configure a run have in common: what was accepted is printed as YAML, which
 * must be accepted, too, and print the same. */
#ifndef TRM_FUZZ_CONFIG_H
#define TRM_FUZZ_CONFIG_H

#include <string.h>

#include "base/memory.h"
#include "fuzz.h"
#include "run/run_config.h"

static inline char *fuzz_printed(const trm__run_config *c, size_t *n) {
  char *text;
  FUZZ_MUST(trm__run_config_text(c, false, &text, &fuzz_error));
  *n = strlen(text);
  return text;
}

/* Frees *c. */
static inline void fuzz_print_again(trm__run_config *c) {
  trm__run_config again;
  size_t n, n_again;
  char *text = fuzz_printed(c, &n);
  FUZZ_MUST(trm__run_config_load(&again, fuzz_file(1, text, n), NULL, 0, &fuzz_error));
  char *text_again = fuzz_printed(&again, &n_again);
  FUZZ_CHECK(n == n_again && memcmp(text, text_again, n) == 0);
  trm__free(text);
  trm__free(text_again);
  trm__run_config_free(c);
  trm__run_config_free(&again);
}

#endif
