/* Tensors of reference numbers that lie beside the checkout, for tests by cmocka: what is missing
 * fails them. The numbers themselves may be absent; whoever opens them asks first. */
#ifndef TRM_TESTS_GOLDEN_H
#define TRM_TESTS_GOLDEN_H

#include "io/safetensors.h"
#include "probe.h"

static inline trm__safetensors *golden_file(const char *path) {
  trm__safetensors *file;
  trm_error err;
  if (trm__safetensors_open(path, &file, &err) != TRM_OK) fail_msg("%s", err.msg);
  return file;
}

static inline const trm__st_tensor *golden_tensor(const trm__safetensors *file, const char *name) {
  const trm__st_tensor *t = trm__safetensors_find(file, name);
  if (!t) fail_msg("%s is missing", name);
  return t;
}

/* As it lies in the file. */
static inline const float *golden_floats(const trm__safetensors *file, const char *name) {
  const trm__st_tensor *t = golden_tensor(file, name);
  assert_int_equal(t->dtype, TRM__F32);
  return t->data;
}

/* A copy, to be freed. */
static inline float *golden_copy(const trm__safetensors *file, const char *name) {
  const trm__st_tensor *t = golden_tensor(file, name);
  float *v = trm__alloc((size_t)t->count, sizeof *v);
  assert_non_null(v);
  assert_int_equal(trm__st_to_float(t, v, NULL), TRM_OK);
  return v;
}

#endif
