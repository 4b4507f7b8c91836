/* Checkpoints in several files: an index and, between lines "====", the headers of the two
 * safetensors files "a" and "b" that it may name. An input of one part is a single file. */
#include "fuzz_checkpoint.h"
#include "io/tensor_set.h"

static void read_tensor(const trm__tensor_set *set, int i) {
  trm_error err;
  fuzz_read_values(trm__tensor_set_at(set, i));
  (void)fuzz_accepted(trm__tensor_set_check(set, i, &err), &err);
}

static void read_set(const char *path) {
  trm__tensor_set *set;
  trm_error err;
  const trm_status st = trm__tensor_set_open(path, &set, &err);
  FUZZ_CHECK((st == TRM_OK) == (set != NULL));
  if (!fuzz_accepted(st, &err)) return;
  FUZZ_CHECK(trm__tensor_set_rest(set));
  for (int i = 0; i < trm__tensor_set_count(set) && i < 64; i++) read_tensor(set, i);
  trm__tensor_set_close(set);
}

/* Where the choice of names begins: no file of a fuzzer's size is a whole model's. */
static void import_model(const char *path) {
  trm_model_config c;
  trm_model *m;
  trm_error err;
  if (!fuzz_complete(path, 0, &c)) return;
  if (fuzz_accepted(trm_model_peek(path, &c, &m, &err), &err)) trm_model_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const uint8_t zeros[256];
  static bool linked;
  fuzz_bytes parts[3];
  fuzz_split(data, size, parts, 3);
  (void)fuzz_file(0, parts[0].data, parts[0].size);
  for (int i = 1; i < 3; i++) (void)fuzz_tensors(i, parts[i], (fuzz_bytes){zeros, sizeof zeros});
  if (!linked) {
    fuzz_link("index", 0);
    fuzz_link("a", 1);
    fuzz_link("b", 2);
    linked = true;
  }
  read_set(fuzz_path("index"));
  import_model(fuzz_path("index"));
  return 0;
}
