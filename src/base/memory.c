/* The one place that asks the system for memory. */
#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/os_machine.h"
#include "base/room.h"

enum {
  CACHE_LINE = 64,      /* also the width of the widest vector register */
  LARGE_PAGE = 2 << 20, /* of x86-64, and of arm64 with pages of 4 KiB */
  LARGE = 64 << 20      /* bytes from which on it is asked whether there is room */
};

void *trm__alloc(uint64_t n, size_t size) {
  if (size && n > (PTRDIFF_MAX - CACHE_LINE) / size) return NULL;
  size_t bytes = ((size_t)n * size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
  if (bytes == 0) bytes = CACHE_LINE;
  const size_t align = bytes >= LARGE_PAGE ? LARGE_PAGE : CACHE_LINE;
  if (bytes >= LARGE && (int64_t)bytes > trm__memory_room("").bytes) return NULL;
  void *p = trm__os_block(align, bytes);
  if (!p) return NULL;
  memset(p, 0, bytes);
  return p;
}

void trm__free(void *p) {
  free(p);
}

trm_status trm__no_memory(const char *what, uint64_t n, size_t size, trm_error *err) {
  const trm__room room = trm__memory_room("");
  if ((double)n * (double)size <= (double)room.bytes)
    TRM_FAIL(err, TRM_E_MEMORY, "no memory for %s (%llu x %zu bytes)", what, (unsigned long long)n,
             size);
  TRM_FAIL(err, TRM_E_MEMORY, "no memory for %s (%llu x %zu bytes): %.1f MiB are left of %s", what,
           (unsigned long long)n, size, (double)room.bytes / 0x1p20, room.of);
}
