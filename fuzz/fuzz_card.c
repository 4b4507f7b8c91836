/* The card of a model: what is shown of it is one line of it, that of this model. */
#include <stdlib.h>
#include <string.h>

#include "cli/run/named_models.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char head[] = "# model: ";
  static bool linked;
  char text[40];
  trm_error err;
  (void)fuzz_file(0, data, size);
  if (!linked) fuzz_link("model.md", 0);
  linked = true;
  if (!fuzz_accepted(named_model_describe(fuzz_folder(), "model", text, sizeof text, &err), &err))
    return 0;
  const size_t n = strlen(text), skip = sizeof head - 1;
  FUZZ_CHECK(n < sizeof text && !strpbrk(text, "\r\n"));
  FUZZ_CHECK(n == 0 || (size >= skip + n && !memcmp(data, head, skip)));
  FUZZ_CHECK(!memcmp(text, n ? (const char *)data + skip : "", n));
  return 0;
}
