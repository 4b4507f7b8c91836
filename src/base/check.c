/* Failed assertions and full lists. */
#include "base/check.h"

#ifdef TRM_ASSERTIONS
#include <stdio.h>
#include <stdlib.h>

_Noreturn void trm__assertion_failed(const char *condition, const char *file, int line) {
  (void)fprintf(stderr, "%s:%d: %s does not hold\n", file, line, condition);
  abort();
}
#endif

trm_status trm__check_list(int n, int capacity, const char *what, trm_error *err) {
  if (n <= capacity) return TRM_OK;
  TRM_FAIL(err, TRM_E_ARGUMENT,
           "%s: %d, but trm keeps room for %d: a mistake of trm, please report it", what, n,
           capacity);
}
