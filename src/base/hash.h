/* FNV-1a, 64 bits: to tell bytes apart that nobody makes collide on purpose. */
#ifndef TRM_BASE_HASH_H
#define TRM_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define TRM__HASH_START UINT64_C(0xcbf29ce484222325)
#define TRM__HASH_PRIME UINT64_C(0x100000001b3)

/* Goes on from `hash`, at first TRM__HASH_START, with n bytes. */
uint64_t trm__hash_bytes(uint64_t hash, const void *data, size_t n);

#endif
