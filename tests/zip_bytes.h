/* Zip archives built byte by byte, so that they can be wrong. */
#ifndef TRM_TESTS_ZIP_BYTES_H
#define TRM_TESTS_ZIP_BYTES_H

#include <zlib.h>

#include "scratch.h"

enum { ZIP_ROOM = 1 << 17, ZIP_ENTRIES = 16 };

typedef struct zip_bytes {
  unsigned char data[ZIP_ROOM], directory[4096];
  size_t n, n_directory;
  int entries;
} zip_bytes;

static inline size_t put_number(unsigned char *at, uint64_t v, int bytes) {
  for (int i = 0; i < bytes; i++, v >>= 8) at[i] = (unsigned char)(v & 0xFF);
  return (size_t)bytes;
}

/* What the header before the data and the one in the directory have in common: version to name
 * lengths. */
static inline size_t put_common(unsigned char *at, int method, uint32_t crc, size_t stored,
                                size_t size, const char *name) {
  size_t n = put_number(at, 20, 2);
  n += put_number(at + n, 0, 2);
  n += put_number(at + n, (uint64_t)method, 2);
  n += put_number(at + n, 0, 4);
  n += put_number(at + n, crc, 4);
  n += put_number(at + n, stored, 4);
  n += put_number(at + n, size, 4);
  n += put_number(at + n, strlen(name), 2);
  return n + put_number(at + n, 0, 2);
}

/* An entry whose headers say what they are told to. */
static inline void zip_add_raw(zip_bytes *z, const char *name, int method, uint32_t crc,
                               const void *stored, size_t n_stored, size_t size) {
  const size_t offset = z->n;
  unsigned char *p = z->data + z->n, *d = z->directory + z->n_directory;
  assert_true(z->n + n_stored + 256 < ZIP_ROOM && z->n_directory + 256 < sizeof z->directory);
  p += put_number(p, 0x04034b50, 4);
  p += put_common(p, method, crc, n_stored, size, name);
  memcpy(p, name, strlen(name));
  p += strlen(name);
  if (n_stored) memcpy(p, stored, n_stored);
  z->n = (size_t)(p - z->data) + n_stored;
  d += put_number(d, 0x02014b50, 4);
  d += put_number(d, 20, 2);
  d += put_common(d, method, crc, n_stored, size, name);
  d += put_number(d, 0, 10);
  d += put_number(d, offset, 4);
  memcpy(d, name, strlen(name));
  z->n_directory = (size_t)(d - z->directory) + strlen(name);
  z->entries++;
}

static inline void zip_add(zip_bytes *z, const char *name, const void *data, size_t n) {
  zip_add_raw(z, name, 0, (uint32_t)crc32(0, data, (uInt)n), data, n, n);
}

/* The same data, deflated. */
static inline void zip_add_deflated(zip_bytes *z, const char *name, const void *data, size_t n) {
  static unsigned char packed[ZIP_ROOM];
  z_stream s = {0};
  assert_int_equal(
      deflateInit2(&s, Z_BEST_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  s.next_in = (unsigned char *)(uintptr_t)data;
  s.avail_in = (uInt)n;
  s.next_out = packed;
  s.avail_out = sizeof packed;
  assert_int_equal(deflate(&s, Z_FINISH), Z_STREAM_END);
  const size_t stored = s.total_out;
  deflateEnd(&s);
  zip_add_raw(z, name, Z_DEFLATED, (uint32_t)crc32(0, data, (uInt)n), packed, stored, n);
}

/* Adds the directory. */
static inline void zip_end(zip_bytes *z) {
  const size_t start = z->n;
  memcpy(z->data + z->n, z->directory, z->n_directory);
  unsigned char *p = z->data + z->n + z->n_directory;
  p += put_number(p, 0x06054b50, 4);
  p += put_number(p, 0, 4);
  p += put_number(p, (uint64_t)z->entries, 2);
  p += put_number(p, (uint64_t)z->entries, 2);
  p += put_number(p, z->n_directory, 4);
  p += put_number(p, start, 4);
  p += put_number(p, 0, 2);
  z->n = (size_t)(p - z->data);
}

#endif
