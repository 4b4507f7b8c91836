/* What the library says about itself. */
#include <stdio.h>

#include "base/commit.h"
#include "base/cpus.h"
#include "base/room.h"
#include "trm.h"

const char *trm_version(void) {
  return TRM_VERSION;
}

const char *trm_commit(void) {
  return trm__commit;
}

int trm_default_threads(void) {
  return trm__default_threads();
}

int64_t trm_memory_room(char *limit, size_t n) {
  const trm__room room = trm__memory_room("");
  if (limit && n) snprintf(limit, n, "%s", room.of);
  return room.bytes;
}
