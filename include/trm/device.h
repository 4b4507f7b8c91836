/* Where a model is computed: this machine's processor, or a GPU.
 *
 * GPUs come with the plug-in libtrm-cuda.so, which is looked for when one is asked for: in the
 * folder that the environment variable TRM_PLUGINS names, else beside libtrm (or the program that
 * holds it), in trm/ beside it, where it is installed to, and then where the system keeps
 * libraries. A program without it serves machines without a GPU; nothing is linked to CUDA.
 *
 * Compute capability 9.0 (Hopper) has kernels of its own in bfloat16; the environment variable
 * TRM_CUDA_ARCH, with an older one such as 8.0, has it run those of all GPUs, which round
 * differently. What is no number from 8.0 to the GPU's own is refused with CONFIG where a trainer
 * or solver is created. trm_solver_kernels tells which.
 *
 * What lives on a GPU does not survive a fork: the child may neither use it nor make anew.
 */
#ifndef TRM_DEVICE_H
#define TRM_DEVICE_H

#include <stdbool.h>
#include <stddef.h>

#include "trm/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum trm_device_kind {
  TRM_DEVICE_CPU,
  TRM_DEVICE_CUDA,
  TRM_DEVICE_AUTO /* the first GPU that can be used, else the CPU */
} trm_device_kind;

/* All zero: the CPU. */
typedef struct trm_device {
  trm_device_kind kind;
  int index; /* of a GPU, as CUDA counts them */
} trm_device;

/* "cpu", "auto", "cuda" (the first one) or "cuda:N"; false for any other name. */
TRM_API bool trm_device_from_name(const char *name, trm_device *out);
/* The name, cut to n bytes with its end. */
TRM_API void trm_device_name(trm_device device, char *out, size_t n);
/* The device that AUTO means here and now; others as they are. Not an error where there is none:
 * that is the CPU. `why`, unless NULL, gets the reason why no GPU is used ("" when one is). */
TRM_API trm_device trm_device_resolve(trm_device device, trm_error *why);
/* True when AUTO takes the CPU although a GPU or a plug-in for one is there: `why` [n] says what is
 * in the way. */
TRM_API bool trm_device_passed_over(char *why, size_t n);
/* "NVIDIA H100 80GB HBM3, compute capability 9.0, 79 of 80 GiB free". Errors: SYSTEM with what is
 * missing (plug-in, driver, device) and the remedy. */
TRM_API trm_status trm_device_describe(trm_device device, char *out, size_t n, trm_error *err);

#ifdef __cplusplus
}
#endif
#endif
