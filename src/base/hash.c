/* See hash.h. */
#include "base/hash.h"

uint64_t trm__hash_bytes(uint64_t hash, const void *data, size_t n) {
  const unsigned char *bytes = data;
  for (size_t i = 0; i < n; i++) hash = (hash ^ bytes[i]) * TRM__HASH_PRIME;
  return hash;
}
