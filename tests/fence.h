/* Memory that ends at a page which may not be touched: a read or write one value past the end stops
 * the test in every build, also where a sanitizer does not see vector instructions. In front of it
 * stand NaN, which spoil what reads them; a write there is found when the memory is given back. */
#ifndef TRM_TESTS_FENCE_H
#define TRM_TESTS_FENCE_H

#include "probe.h"

#include <sys/mman.h>
#include <unistd.h>

typedef struct fenced {
  real *v;
  void *map;
  size_t bytes;
} fenced;

static inline fenced fence(int64_t n) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), size = (size_t)n * sizeof(real);
  size_t body = (size + page - 1) / page * page;
  fenced f = {.bytes = body + page};
  f.map = mmap(NULL, f.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(f.map != MAP_FAILED);
  assert_int_equal(mprotect((char *)f.map + body, page, PROT_NONE), 0);
  f.v = (real *)(void *)((char *)f.map + body - size);
  memset(f.map, 0xff, body - size);
  probe_spoil(f.v, n);
  return f;
}
static inline void unfence(fenced f) {
  for (const unsigned char *p = f.map; p < (const unsigned char *)f.v; p++)
    assert_int_equal(*p, 0xff);
  assert_int_equal(munmap(f.map, f.bytes), 0);
}

#endif
