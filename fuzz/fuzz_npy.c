/* A .npy file: every element is read; writing it again and reading that gives the same. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "io/npy.h"

/* Bits of a NaN may differ, and integers of floats with them. */
static bool same_element(const trm__npy *a, const trm__npy *b, int64_t i) {
  const double x = trm__npy_double(a, i), y = trm__npy_double(b, i);
  if (trm__npy_is_integer(a) && trm__npy_int(a, i) != trm__npy_int(b, i)) return false;
  return x == y || (x != x && y != y);
}

/* The elements in C order. */
static void write_again(const trm__npy *a) {
  trm__npy b;
  const char *path = fuzz_path("copy.npy");
  const size_t size = trm__npy_type_size(a->type);
  unsigned char *data = malloc((size_t)a->count * size + 1);
  FUZZ_CHECK(data);
  for (int64_t i = 0; i < a->count; i++) trm__npy_load(a, i, data + (size_t)i * size);
  FUZZ_MUST(trm__npy_save(path, a->type, a->ndim, a->shape, data, &fuzz_error));
  free(data);
  FUZZ_MUST(trm__npy_open(path, &b, &fuzz_error));
  FUZZ_CHECK(b.type == a->type && b.ndim == a->ndim && b.count == a->count);
  FUZZ_CHECK(!b.swapped && !b.fortran);
  FUZZ_CHECK(trm__npy_find_fraction(a, a->count) == trm__npy_find_fraction(&b, b.count));
  FUZZ_CHECK(memcmp(a->shape, b.shape, sizeof b.shape) == 0 && b.row_count == a->row_count);
  for (int64_t i = 0; i < a->count; i++) FUZZ_CHECK(same_element(a, &b, i));
  trm__npy_close(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  trm__npy a;
  trm_error err;
  if (!fuzz_accepted(trm__npy_open(fuzz_file(0, data, size), &a, &err), &err)) return 0;
  FUZZ_CHECK(a.ndim >= 1 && a.ndim <= TRM__NPY_MAX_DIMS);
  FUZZ_CHECK(!a.fortran || a.ndim > 1);
  FUZZ_CHECK((trm__npy_check_whole(&a, "file", &err) == TRM_OK) ==
             (trm__npy_find_fraction(&a, a.count) < 0));
  FUZZ_CHECK(a.count >= 0 && (size_t)a.count <= size && a.shape[0] * a.row_count == a.count);
  write_again(&a);
  trm__npy_close(&a);
  return 0;
}
