/* A safetensors file: every tensor is read; writing all of them again and reading that gives the
 * same. An input that begins with '{' is a header and data without the length in front. */
#include <stdlib.h>
#include <string.h>

#include "fuzz_tensors.h"
#include "io/safetensors.h"

enum { MOST = 64, MOST_META = 8 };

static void check_tensor(const trm__st_tensor *t) {
  trm_error err;
  FUZZ_CHECK(t->name && t->ndim >= 0 && t->ndim <= TRM__ST_MAX_DIMS);
  FUZZ_CHECK(t->count >= 0 && t->count <= FUZZ_TENSORS_MOST);
  float *values = malloc((size_t)t->count * sizeof *values + 1);
  FUZZ_CHECK(values);
  (void)fuzz_accepted(trm__st_to_float(t, values, &err), &err);
  free(values);
}

static void write_again(const trm__safetensors *file) {
  trm__st_tensor tensors[MOST];
  trm__safetensors *again;
  const char *path = fuzz_path("copy.safetensors"), *format = trm__safetensors_meta(file, "format");
  const trm__st_meta meta = {"format", format};
  const int n = trm__safetensors_count(file);
  if (n > MOST) return;
  for (int i = 0; i < n; i++) tensors[i] = *trm__safetensors_at(file, i);
  FUZZ_MUST(trm__safetensors_save(path, tensors, n, &meta, format != NULL, &fuzz_error));
  FUZZ_MUST(trm__safetensors_open(path, &again, &fuzz_error));
  FUZZ_CHECK(trm__safetensors_count(again) == n);
  const char *copied = trm__safetensors_meta(again, "format");
  FUZZ_CHECK(format ? copied && !strcmp(format, copied) : !copied);
  for (int i = 0; i < n; i++) {
    const trm__st_tensor *a = &tensors[i], *b = trm__safetensors_find(again, a->name);
    FUZZ_CHECK(b && b->dtype == a->dtype && b->ndim == a->ndim && b->count == a->count);
    FUZZ_CHECK(memcmp(a->shape, b->shape, sizeof a->shape) == 0);
    FUZZ_CHECK(memcmp(a->data, b->data, (size_t)a->count * trm__dtype_size(a->dtype)) == 0);
  }
  trm__safetensors_close(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  trm__safetensors *file;
  trm_error err;
  const char *path = fuzz_tensors(0, (fuzz_bytes){data, size}, (fuzz_bytes){NULL, 0});
  const trm_status st = trm__safetensors_open(path, &file, &err);
  FUZZ_CHECK((st == TRM_OK) == (file != NULL));
  if (!fuzz_accepted(st, &err)) return 0;
  for (int i = 0; i < trm__safetensors_count(file); i++) check_tensor(trm__safetensors_at(file, i));
  write_again(file);
  trm__safetensors_close(file);
  return 0;
}
