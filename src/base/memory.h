/* Memory: every block is 64-byte aligned and zeroed; sizes are checked products.
 * There is no allocation inside a training or solving step: objects take all
 * they need when they are created. */
#ifndef TRM_BASE_MEMORY_H
#define TRM_BASE_MEMORY_H

#include <stddef.h>

#include "base/error.h"

/* n * size bytes, zeroed, 64-byte aligned; NULL when it overflows or fails.
 * n == 0 gives a valid block that may not be read. Free with trm__free. */
void *trm__alloc(size_t n, size_t size);
void trm__free(void *p); /* NULL is fine */

/* *out = n objects of its element type, or TRM_E_MEMORY naming `what`. */
#define TRM_ALLOC(out, n, what, err)                                                           \
  do {                                                                                         \
    *(out) = trm__alloc((size_t)(n), sizeof **(out));                                          \
    if (!*(out))                                                                               \
      TRM_FAIL((err), TRM_E_MEMORY, "no memory for %s (%zu x %zu bytes)", (what), (size_t)(n), \
               sizeof **(out));                                                                \
  } while (0)

#endif
