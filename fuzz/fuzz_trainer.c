/* A trainer's state file (as in fuzz_tensors.h; the data of a good one stands for what is absent).
 * A state that loads can be trained on and saved again. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "fuzz_tensors.h"
#include "trm/trainer.h"

enum { CELLS = FUZZ_CELLS, ROWS = 2 };

static trm_trainer *trainer;
static trm__map good;    /* the state of the new trainer */
static size_t good_data; /* where its data begins */

static void free_trainer(void) {
  trm_trainer_free(trainer);
  trm__map_close(&good);
}

static void prepare(void) {
  const trm_model_config model = fuzz_small_model();
  trm_trainer_config config = trm_trainer_config_default();
  trm_model *m;
  uint64_t length;
  config.batch_size = ROWS;
  config.threads = 1;
  config.total_steps = 10;
  FUZZ_MUST(trm_model_create(&model, 1, &m, &fuzz_error));
  FUZZ_MUST(trm_trainer_create(m, &config, &trainer, &fuzz_error));
  trm_model_free(m);
  FUZZ_MUST(trm_trainer_save(trainer, fuzz_path("good"), &fuzz_error));
  FUZZ_MUST(trm__map_open(fuzz_path("good"), &good, &fuzz_error));
  memcpy(&length, good.data, sizeof length);
  good_data = sizeof length + (size_t)length;
  FUZZ_CHECK(atexit(free_trainer) == 0);
}

static void go_on(void) {
  static const int32_t inputs[ROWS * CELLS] = {0, 1, 2, 3}, labels[ROWS * CELLS] = {3, 2, 1, 0};
  static const int32_t ids[ROWS] = {0, 1};
  trm_metrics metrics;
  trm_error err;
  for (int k = 0; k < 2; k++)
    if (!fuzz_accepted(trm_trainer_step(trainer, &(trm_batch){inputs, labels, ids}, &metrics, &err),
                       &err))
      return;
  FUZZ_CHECK(trm_trainer_updates(trainer) >= 2);
  (void)fuzz_accepted(trm_trainer_save(trainer, fuzz_path("saved"), &err), &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  trm_error err;
  if (!trainer) prepare();
  fuzz_bytes input = {data, size};
  if (!size) input = (fuzz_bytes){good.data, good.size};
  const char *path =
      fuzz_tensors(0, input, (fuzz_bytes){good.data + good_data, good.size - good_data});
  const trm_status st = trm_trainer_load(trainer, path, &err);
  FUZZ_CHECK(st == TRM_OK || size); /* the good state is good */
  if (fuzz_accepted(st, &err)) go_on();
  return 0;
}
