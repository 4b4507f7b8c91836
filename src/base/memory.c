/* The one place that asks the system for memory. posix_memalign and free are called by
 * name and once each, so that a test can wrap them at link time and refuse the n-th block. */
#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
  CACHE_LINE = 64,    /* also the width of the widest vector register */
  HUGE_PAGE = 2 << 20 /* of x86-64 and of arm64 with 4 KiB pages */
};

void *trm__alloc(size_t n, size_t size) {
  if (size && n > (PTRDIFF_MAX - CACHE_LINE) / size) return NULL;
  size_t bytes = (n * size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
  if (bytes == 0) bytes = CACHE_LINE;
  const size_t align = bytes >= HUGE_PAGE ? HUGE_PAGE : CACHE_LINE;
  void *p = NULL;
  if (posix_memalign(&p, align, bytes)) return NULL;
  /* Advice only: without huge pages the block is as good, with more TLB misses. */
  if (align == HUGE_PAGE) (void)madvise(p, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
  memset(p, 0, bytes);
  return p;
}

void trm__free(void *p) {
  free(p);
}
