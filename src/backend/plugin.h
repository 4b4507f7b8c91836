/* The one symbol of a plug-in: a table that hands out backends. Both sides are of one version of
 * trm, which the loader checks; a plug-in uses nothing of libtrm. */
#ifndef TRM_BACKEND_PLUGIN_H
#define TRM_BACKEND_PLUGIN_H

#include "backend/backend.h"

#define TRM__PLUGIN_SYMBOL "trm__plugin_table"
#define TRM__PLUGIN_FILE "libtrm-cuda.so"

typedef struct trm__plugin {
  const char *version; /* trm_version() */
  size_t ops_size;     /* sizeof(trm__backend_ops) */
  /* SYSTEM when device `index` cannot be used, with what is missing and the remedy. */
  trm_status (*describe)(int index, char *out, size_t n, trm_error *err);
  trm_status (*create)(int index, const trm__dims *dims, const trm__outer *outer,
                       const trm__block *blocks, int n_blocks, bool training, trm__backend **out,
                       trm_error *err);
  /* The rate of one product C [m, n] = A [m, k] B [k, n] (FLOP/s) and of a copy (bytes/s). */
  trm_status (*rates)(int index, trm_dtype dtype, int m, int n, int k, double *flops, double *bytes,
                      trm_error *err);
} trm__plugin;

typedef const trm__plugin *trm__plugin_fn(void);

#endif
