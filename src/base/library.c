/* What the library says about itself. */
#include "base/cpus.h"
#include "trm.h"

const char *trm_version(void) {
  return TRM_VERSION;
}

int trm_default_threads(void) {
  return trm__default_threads();
}
