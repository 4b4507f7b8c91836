/* The command line of a run: one override a line. */
#include <stdlib.h>

#include "fuzz_config.h"

enum { MOST = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *overrides[MOST];
  trm__run_config c;
  trm_error err;
  char *text = malloc(size + 1);
  FUZZ_CHECK(text);
  if (size) memcpy(text, data, size);
  text[size] = 0;
  int n = 0;
  for (char *at = text; at && n < MOST; n++) {
    overrides[n] = at;
    at = strchr(at, '\n');
    if (at) *at++ = 0;
  }
  if (!overrides[n - 1][0]) n--; /* what follows the last line's end */
  if (fuzz_accepted_cli(trm__run_config_load(&c, NULL, overrides, n, &err), &err))
    fuzz_print_again(&c);
  free(text);
  return 0;
}
