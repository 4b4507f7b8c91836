/* Text packed by gzip, in as many members as pieces are added. */
#ifndef TRM_TESTS_GZIP_BYTES_H
#define TRM_TESTS_GZIP_BYTES_H

#include <zlib.h>

#include "scratch.h"

typedef struct gzip_bytes {
  unsigned char data[1 << 17];
  size_t n;
} gzip_bytes;

static inline void gzip_add(gzip_bytes *g, const void *text, size_t n) {
  z_stream z = {.next_in = (unsigned char *)(uintptr_t)text,
                .avail_in = (uInt)n,
                .next_out = g->data + g->n,
                .avail_out = (uInt)(sizeof g->data - g->n)};
  assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, MAX_WBITS + 16, 9, 0), Z_OK);
  assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
  g->n += z.total_out;
  (void)deflateEnd(&z);
}

/* A file of one member. */
static inline void gzip_write(const char *path, const char *text) {
  static gzip_bytes g;
  g.n = 0;
  gzip_add(&g, text, strlen(text));
  write_bytes(path, g.data, g.n);
}

#endif
