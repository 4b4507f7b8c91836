/* Numbers as text, over so many of them that it takes a while. */
#include "base/number.h"

#include <math.h>

#include "base/rng.h"
#include "scratch.h"

/* Millions of them: of any bits, and as people write them, which come back as they were written. */
static void millions_come_back(void **state) {
  enum { MILLIONS = 1000000 };
  (void)state;

  /* Any bits, and every other time up to 15 digits with any number of them behind the point. */
  trm__rng rng = trm__rng_at(2, TRM__RNG_TEST, 0, 0);
  for (int i = 0; i < 2 * MILLIONS; i++) {
    const uint64_t bits =
        (uint64_t)trm__rng_below(&rng, UINT32_MAX) << 32 | trm__rng_below(&rng, UINT32_MAX);
    const int64_t whole = (int64_t)(bits >> 10) % INT64_C(1000000000000000);
    double v;
    char text[TRM__NUMBER_SIZE], written[64];
    memcpy(&v, &bits, sizeof v);
    if (i % 2) { /* up to 15 digits, any number of them behind the point */
      snprintf(written, sizeof written, "%llde-%d", (long long)whole, i / 2 % 20);
      v = strtod(written, NULL);
    }
    if (!isfinite(v)) continue;

    /* What is printed is read as the same number. */
    const size_t n = trm__number_print(v, text);
    const double again = trm__number_read(text, n);
    if (memcmp(&again, &v, sizeof v) != 0) fail_msg("%s: %a, want %a", text, again, v);

    /* What people write comes back with as many digits as it had: none is added, none is lost. */
    if (i % 2 == 0) continue;
    int digits = 0;
    for (int64_t k = whole; k % 10 == 0 && k; k /= 10) digits--;
    for (int64_t k = whole; k; k /= 10) digits++;
    const char *c = text;
    while (*c == '0' || *c == '.' || *c == '-') c++;
    for (; *c && *c != 'e'; c++) digits -= *c != '.';
    while (c > text && (c[-1] == '0' || c[-1] == '.')) digits += *--c == '0';
    if (digits) fail_msg("%s printed as %s", written, text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(millions_come_back)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
