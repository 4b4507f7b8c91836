/* The element types of tensor files, and their way to float32 and back. */
#ifndef TRM_IO_DTYPE_H
#define TRM_IO_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From large elements to small. */
typedef enum trm__dtype {
  TRM__F64,
  TRM__I64,
  TRM__F32,
  TRM__I32,
  TRM__BF16,
  TRM__F16,
  TRM__I16,
  TRM__U8,
  TRM__I8,
  TRM__BOOL,
  TRM__N_DTYPES
} trm__dtype;

/* "BF16" */
const char *trm__dtype_name(trm__dtype dtype);
size_t trm__dtype_size(trm__dtype dtype);
bool trm__dtype_is_float(trm__dtype dtype);
/* out[i] = element i * stride, of a float type, rounded to nearest from F64; i < n. `data` may be
 * unaligned. */
void trm__dtype_to_float(trm__dtype dtype, const void *data, int64_t stride, int64_t n, float *out);
/* The n values as F32 or BF16 (to nearest, ties to even; a NaN stays one). */
void trm__dtype_from_float(trm__dtype dtype, const float *values, int64_t n, void *out);

#endif
