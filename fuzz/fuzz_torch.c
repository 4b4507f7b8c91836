/* A file of torch.save, read as tensors and as a published checkpoint. An input that does not begin
 * with "PK" is the pickle of an archive whose storages 0 to 3 are there. */
#include <math.h>

#include "fuzz_checkpoint.h"
#include "io/zip.h"

enum { STORAGES = 4, STORAGE_BYTES = 256 };

static void add_entry(trm__zip_writer *w, const char *name, const void *data, size_t size) {
  trm__zip_begin(w, name, size);
  trm__zip_append(w, data, size);
  trm__zip_end(w);
}

static const char *make_archive(const uint8_t *pickle, size_t size) {
  static const uint8_t storage[STORAGE_BYTES] = {0, 0, 128, 63, 0, 0, 0, 64};
  const char *path = fuzz_path("archive");
  trm__zip_writer w;
  FUZZ_MUST(trm__zip_create(&w, path, &fuzz_error));
  add_entry(&w, "step_1/data.pkl", pickle, size);
  add_entry(&w, "step_1/byteorder", "little", 6);
  for (int i = 0; i < STORAGES; i++) {
    char name[32];
    snprintf(name, sizeof name, "step_1/data/%d", i);
    add_entry(&w, name, storage, STORAGE_BYTES >> i);
  }
  add_entry(&w, "step_1/version", "3\n", 2);
  FUZZ_MUST(trm__zip_commit(&w, &fuzz_error));
  return path;
}

static void read_tensor(const trm__torch_file *file, const trm__torch_tensor *t) {
  trm_error err;
  fuzz_read_values(t);
  (void)fuzz_accepted(trm__torch_check(file, t, &err), &err);
}

static void read_tensors(const char *path) {
  trm__torch_file *file;
  trm_error err;
  const trm_status st = trm__torch_open(path, &file, &err);
  FUZZ_CHECK((st == TRM_OK) == (file != NULL));
  if (!fuzz_accepted(st, &err)) return;
  for (int i = 0; i < trm__torch_count(file) && i < 64; i++)
    read_tensor(file, trm__torch_at(file, i));
  trm__torch_close(file);
}

static void import_model(const char *path) {
  trm_model_config c;
  trm_model *m;
  trm_error err;
  if (!fuzz_complete(path, FUZZ_CELLS, &c)) return;
  const trm_status st = trm_model_import(path, &c, &m, &err);
  FUZZ_CHECK((st == TRM_OK) == (m != NULL));
  if (!fuzz_accepted(st, &err)) return;
  for (int i = 0; i < trm_model_tensor_count(m); i++) {
    const trm_tensor t = trm_model_tensor_at(m, i);
    for (int64_t k = 0; k < t.count; k++) FUZZ_CHECK(isfinite(t.data[k]));
  }
  trm_model_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const bool whole = size >= 2 && !memcmp(data, "PK", 2);
  const char *path = whole ? fuzz_file(0, data, size) : make_archive(data, size);
  read_tensors(path);
  import_model(path);
  return 0;
}
