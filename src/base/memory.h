/* Memory: every block is 64-byte aligned and zeroed; sizes are checked products.
 * There is no allocation inside a training or solving step: objects take all
 * they need when they are created. */
#ifndef TRM_BASE_MEMORY_H
#define TRM_BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* n * size bytes, zeroed, 64-byte aligned; NULL when it overflows, fails, or is a large block for
 * which there is no room (base/room.h): as all of it is written to, the process would be ended.
 * n == 0 gives a valid block that may not be read. Free with trm__free. n has 64 bits where size_t
 * has 32, too: products for it are taken in 64 bits, and never cut. */
void *trm__alloc(uint64_t n, size_t size);
void trm__free(void *p); /* NULL is fine */

/* TRM_E_MEMORY for `what`, and what there is too little of, if that is known. */
trm_status trm__no_memory(const char *what, uint64_t n, size_t size, trm_error *err);

/* *out = n objects of its element type, or TRM_E_MEMORY naming `what`. */
#define TRM_ALLOC(out, n, what, err)                                      \
  do {                                                                    \
    *(out) = trm__alloc((uint64_t)(n), sizeof **(out));                   \
    if (!*(out)) {                                                        \
      (void)trm__no_memory((what), (uint64_t)(n), sizeof **(out), (err)); \
      return TRM_E_MEMORY;                                                \
    }                                                                     \
  } while (0)

#endif
