/* Arrays as the bytes of .npy files, which stand for parts of an input that are empty. */
#ifndef TRM_FUZZ_ARRAYS_H
#define TRM_FUZZ_ARRAYS_H

#include <string.h>

#include "fuzz.h"
#include "io/npy.h"

typedef struct fuzz_array {
  uint8_t data[4096];
  size_t size;
} fuzz_array;

/* `shape` has ndim dimensions of the values, one byte each. */
static inline void fuzz_array_make(fuzz_array *a, int ndim, const int64_t *shape,
                                   const uint8_t *values) {
  const char *path = fuzz_path("array.npy");
  trm__map map;
  FUZZ_MUST(trm__npy_save(path, TRM__NPY_U1, ndim, shape, values, &fuzz_error));
  FUZZ_MUST(trm__map_open(path, &map, &fuzz_error));
  FUZZ_CHECK(map.size <= sizeof a->data);
  memcpy(a->data, map.data, map.size);
  a->size = map.size;
  trm__map_close(&map);
}

#endif
