/* Trainers on the device of the CUDA backend's tests. */
#ifndef TRM_TESTS_GPU_TRAINER_H
#define TRM_TESTS_GPU_TRAINER_H

#include "gpu.h"
#include "small_trainer.h"

enum { ROWS = 10 };

static bool emulated; /* the device is tests/hostcuda */

static inline trm_trainer_config training(trm_device device) {
  trm_trainer_config c = small_training(ROWS);
  c.device = device;
  c.seed = 9;
  return c;
}

static inline trm_trainer *trainer_of(const trm_model_config *mc, const trm_trainer_config *c) {
  trm_model *m = small_model(mc, 5);
  trm_trainer *t = small_trainer(m, c);
  trm_model_free(m);
  return t;
}

#endif
