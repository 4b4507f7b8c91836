/* Between the two halves of hostcuda: running a grid, and the runtime around it. */
#ifndef HOSTCUDA_THREADS_H
#define HOSTCUDA_THREADS_H

#include "cuda_runtime.h"

void hostcuda_run_grid(const dim3 &grid, const dim3 &threads, size_t shared,
                       const std::function<void()> &body);

#endif
