/* The device of the CUDA backend's tests: a GPU, or the emulation of tests/hostcuda; TRM_PLUGINS
 * says where the plug-in is. */
#ifndef TRM_TESTS_GPU_H
#define TRM_TESTS_GPU_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trm.h"

static const trm_device gpu = {TRM_DEVICE_CUDA, 0};

/* Whether there is one; else says what is missing: the program then returns 77. */
static inline bool gpu_found(bool *emulated) {
  char about[160];
  trm_error err = {.msg = "TRM_PLUGINS names no plug-in"};
  const bool found = getenv("TRM_PLUGINS") && !trm_device_describe(gpu, about, sizeof about, &err);
  if (!found) printf("skipped: %s\n", err.msg);
  if (found && emulated) *emulated = strstr(about, "hostcuda") != NULL;
  return found;
}

#endif
