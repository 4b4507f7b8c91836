/* A .npz file: the zip archive, its arrays, and a data set built from them. An input that does not
 * begin with "PK" gives the arrays inputs, labels and other as parts, in a good archive. */
#include <string.h>

#include "base/memory.h"
#include "fuzz.h"
#include "io/npz.h"
#include "io/zip.h"
#include "trm/grid.h"

enum { PARTS = 3, MOST_BYTES = 1 << 20, MOST = 16 };

static const char *make_archive(const uint8_t *data, size_t size) {
  static const char *const names[PARTS] = {"inputs.npy", "labels.npy", "other.npy"};
  const char *path = fuzz_path("archive.npz");
  fuzz_bytes parts[PARTS];
  trm__zip_writer w;
  fuzz_split(data, size, parts, PARTS);
  FUZZ_MUST(trm__zip_create(&w, path, &fuzz_error));
  for (int i = 0; i < PARTS; i++) {
    trm__zip_begin(&w, names[i], parts[i].size);
    trm__zip_append(&w, parts[i].data, parts[i].size);
    trm__zip_end(&w);
  }
  FUZZ_MUST(trm__zip_commit(&w, &fuzz_error));
  return path;
}

static void read_entries(const char *path) {
  trm__zip *zip;
  trm_error err;
  if (!fuzz_accepted(trm__zip_open(path, &zip, &err), &err)) return;
  for (int i = 0; i < trm__zip_count(zip) && i < MOST; i++) {
    const trm__zip_entry *e = trm__zip_at(zip, i);
    unsigned char *bytes;
    FUZZ_CHECK(trm__zip_find(zip, e->name) == e);
    if (!e->deflated) (void)fuzz_accepted(trm__zip_check(zip, e, &err), &err);
    if (fuzz_accepted(trm__zip_read(zip, e, MOST_BYTES, &bytes, &err), &err)) {
      const unsigned char *view = trm__zip_view(zip, e);
      FUZZ_CHECK(e->size <= MOST_BYTES && (view != NULL) == !e->deflated);
      if (view) FUZZ_CHECK(memcmp(view, bytes, e->size) == 0);
      trm__free(bytes);
    }
  }
  trm__zip_close(zip);
}

static void read_arrays(const char *path) {
  trm__npz *npz;
  trm_error err;
  if (!fuzz_accepted(trm__npz_open(path, &npz, &err), &err)) return;
  for (int i = 0; i < trm__npz_count(npz) && i < MOST; i++) {
    trm__npz_rows *rows;
    double sum = 0;
    if (!fuzz_accepted(trm__npz_find(npz, trm__npz_name(npz, i), &rows, &err), &err)) continue;
    FUZZ_CHECK(rows);
    const trm__npy *a = trm__npz_array(rows);
    bool good = a->count <= MOST_BYTES;
    for (int64_t row = 0; good && a->row_count && row < a->shape[0]; row++) {
      good = fuzz_accepted(trm__npz_next(rows, &err), &err);
      for (int64_t k = 0; good && k < a->row_count; k++) sum += trm__npy_double(a, k);
    }
    FUZZ_CHECK(sum <= 0 || sum >= 0 || sum != sum);
    trm__npz_rows_close(rows);
  }
  trm__npz_close(npz);
}

static void build(const char *path) {
  trm_error err;
  trm_dataset *d;
  const trm_grid_build_config config = {
      .train = path, .output_dir = fuzz_path("built"), .num_aug = 1, .symmetries = "dihedral"};
  if (!fuzz_accepted(trm_build_grid(&config, NULL, &err), &err)) return;
  FUZZ_MUST(trm_dataset_open(config.output_dir, "train", &d, &fuzz_error));
  trm_dataset_free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static bool linked;
  const bool whole = size >= 2 && !memcmp(data, "PK", 2);
  (void)fuzz_file(0, data, size);
  if (!linked) fuzz_link("whole.npz", 0);
  linked = true;
  const char *path = whole ? fuzz_path("whole.npz") : make_archive(data, size);
  read_entries(path);
  read_arrays(path);
  build(path);
  return 0;
}
