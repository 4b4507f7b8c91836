/* One block of memory cut into parts, one after the other. Whoever needs several parts has one
 * function that carves them all: without a block it counts, with one it says where they are, so
 * that sizes and places are the same fact. Plain C, which the plug-ins compile as C++, too. */
#ifndef TRM_BASE_CARVE_H
#define TRM_BASE_CARVE_H

#include <stddef.h>
#include <stdint.h>

enum { TRM__CARVE_ALIGN = 256 /* bytes: whole cache lines, and what a GPU's products like best */ };

typedef struct trm__carver {
  unsigned char *block; /* NULL: only counts. Parts are aligned as far as the block is */
  int64_t bytes;        /* carved so far */
  int64_t most;         /* the most that was carved at any time: the bytes that a block needs */
} trm__carver;

/* n objects of `size` bytes; NULL where it only counts. */
static inline void *trm__carve(trm__carver *c, int64_t n, size_t size) {
  void *part = c->block ? c->block + c->bytes : NULL;
  const int64_t bytes = n * (int64_t)size;
  c->bytes += (bytes + TRM__CARVE_ALIGN - 1) / TRM__CARVE_ALIGN * TRM__CARVE_ALIGN;
  if (c->bytes > c->most) c->most = c->bytes;
  return part;
}

/* What is carved from now on takes the place of what was carved before, which is used up by then.
 */
static inline void trm__carve_anew(trm__carver *c) {
  c->bytes = 0;
}

#endif
