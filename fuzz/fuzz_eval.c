/* The state file of an evaluation (as in fuzz_tensors.h, with the data of a good one). An
 * evaluation that goes on from it ends in a report that makes sense. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "fuzz_tensors.h"
#include "io/npy.h"
#include "trm/eval.h"

enum { ROWS = 3 };

static trm_model *model;
static trm_dataset *set;
static trm__map good;
static size_t good_data; /* where its data begins */

static void free_all(void) {
  trm_model_free(model);
  trm_dataset_free(set);
  trm__map_close(&good);
}

static void save_array(const char *name, int ndim, int64_t rows, int64_t cols,
                       const uint8_t *values) {
  const int64_t shape[2] = {rows, cols};
  FUZZ_MUST(trm__npy_save(fuzz_path(name), TRM__NPY_U1, ndim, shape, values, &fuzz_error));
}

static void make_data(void) {
  static const char json[] = "{\"vocab_size\": 4, \"seq_len\": 4, \"num_puzzle_identifiers\": 2}";
  const uint8_t cells[ROWS * FUZZ_CELLS] = {0, 1, 2, 3, 3, 2, 1, 0, 1, 1, 2, 2};
  trm__writer w;
  FUZZ_MUST(trm__make_dirs(fuzz_path("data/test"), &fuzz_error));
  FUZZ_MUST(trm__writer_open(&w, fuzz_path("data/test/dataset.json"), &fuzz_error));
  trm__write(&w, json, sizeof json - 1);
  FUZZ_MUST(trm__writer_commit(&w, &fuzz_error));
  save_array("data/test/all__inputs.npy", 2, ROWS, FUZZ_CELLS, cells);
  save_array("data/test/all__labels.npy", 2, ROWS, FUZZ_CELLS, cells);
  save_array("data/test/all__puzzle_identifiers.npy", 1, ROWS, 1, (const uint8_t[]){0, 1, 1});
  save_array("data/test/all__puzzle_indices.npy", 1, ROWS + 1, 1, (const uint8_t[]){0, 1, 2, 3});
  save_array("data/test/all__group_indices.npy", 1, ROWS + 1, 1, (const uint8_t[]){0, 1, 2, 3});
  FUZZ_MUST(trm_dataset_open(fuzz_path("data"), "test", &set, &fuzz_error));
}

static bool evaluate(const char *state, trm_error *err) {
  const trm_eval_config config = {.batch = 2, .threads = 1, .state = state, .state_seconds = 1e9};
  trm_eval_report report;
  if (!fuzz_accepted(trm_evaluate(model, set, &config, &report, err), err)) return false;
  FUZZ_CHECK(report.examples >= 0 && report.examples <= ROWS && report.exact <= report.examples);
  FUZZ_CHECK(report.cells_right >= 0 && report.cells_right <= report.cells);
  FUZZ_CHECK(report.exact_accuracy >= 0 && report.exact_accuracy <= 1);
  return true;
}

static void prepare(void) {
  const trm_model_config c = fuzz_small_model();
  trm_error err;
  uint64_t length;
  FUZZ_MUST(trm_model_create(&c, 1, &model, &fuzz_error));
  make_data();
  FUZZ_CHECK(evaluate(fuzz_path("good"), &err));
  FUZZ_MUST(trm__map_open(fuzz_path("good"), &good, &fuzz_error));
  memcpy(&length, good.data, sizeof length);
  good_data = sizeof length + (size_t)length;
  FUZZ_CHECK(atexit(free_all) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  trm_error err;
  if (!good_data) prepare();
  const fuzz_bytes rest = {good.data + good_data, good.size - good_data};
  const fuzz_bytes input = size ? (fuzz_bytes){data, size} : (fuzz_bytes){good.data, good.size};
  /* A link would be replaced by the next state: a copy of the file. */
  trm__map bytes;
  trm__writer w;
  FUZZ_MUST(trm__map_open(fuzz_tensors(0, input, rest), &bytes, &fuzz_error));
  FUZZ_MUST(trm__writer_open(&w, fuzz_path("state"), &fuzz_error));
  trm__write(&w, bytes.data, bytes.size);
  FUZZ_MUST(trm__writer_commit(&w, &fuzz_error));
  trm__map_close(&bytes);
  const bool accepted = evaluate(fuzz_path("state"), &err);
  FUZZ_CHECK(accepted || size); /* the good state is good */
  return 0;
}
