/* safetensors: named tensors in one file. Eight bytes of length, a JSON header, the data. */
#ifndef TRM_IO_SAFETENSORS_H
#define TRM_IO_SAFETENSORS_H

#include "base/file.h"
#include "io/dtype.h"

enum { TRM__ST_MAX_DIMS = 8 };

/* A tensor in a file or to be written. Read ones: the name and the data belong to the file's
 * object, and data may be unaligned. */
typedef struct trm__st_tensor trm__st_tensor;
typedef void trm__st_write_fn(const trm__st_tensor *t, trm__writer *w);
struct trm__st_tensor {
  const char *name;
  trm__dtype dtype;
  int ndim;
  int64_t shape[TRM__ST_MAX_DIMS];
  int64_t count; /* elements; not looked at when written */
  const void *data;
  bool from_float; /* written: data are float32, to be converted to dtype (F32, BF16) on the way */
  trm__st_write_fn *write; /* written, by this, whose `data` are its own: all bytes of the shape */
};

typedef struct trm__st_meta {
  const char *key, *value;
} trm__st_meta;

/* A file, mapped and checked as a whole: every tensor has the bytes its shape and type want, in
 * the file, without overlap or gap. */
typedef struct trm__safetensors trm__safetensors;

/* Errors: IO; MEMORY; FORMAT with the file, the tensor or the byte, what was wanted and found. */
trm_status trm__safetensors_open(const char *path, trm__safetensors **out, trm_error *err);
/* The same of a file's n bytes in memory, which must outlive it; `name` is for messages. */
trm_status trm__safetensors_from_memory(const char *name, const void *bytes, size_t n,
                                        trm__safetensors **out, trm_error *err);
void trm__safetensors_close(trm__safetensors *file); /* NULL is fine */
int trm__safetensors_count(const trm__safetensors *file);
/* The i-th in the order of the data, 0 <= i < count. */
const trm__st_tensor *trm__safetensors_at(const trm__safetensors *file, int i);
/* NULL when there is none of that name. */
const trm__st_tensor *trm__safetensors_find(const trm__safetensors *file, const char *name);
/* A string of __metadata__; NULL when there is none. */
const char *trm__safetensors_meta(const trm__safetensors *file, const char *key);

/* out[count] = the tensor in float32, rounded to nearest from F64. FORMAT for integer tensors. */
trm_status trm__st_to_float(const trm__st_tensor *t, float *out, trm_error *err);

/* Writes all tensors (names distinct, data row-major) and metadata, complete or not at all. Types
 * of larger elements come first, so that every element is aligned to its size in the file.
 * Errors: ARGUMENT for a name or shape that cannot be written; IO; MEMORY. */
trm_status trm__safetensors_save(const char *path, const trm__st_tensor *tensors, int n,
                                 const trm__st_meta *meta, int n_meta, trm_error *err);

#endif
