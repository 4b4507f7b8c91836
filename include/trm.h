/* trm: Tiny Recursive Models. One header for everything; see each part for its manual. */
#ifndef TRM_H
#define TRM_H

#include "trm/arc.h"
#include "trm/arc_vote.h"
#include "trm/bench.h"
#include "trm/dataset.h"
#include "trm/device.h"
#include "trm/eval.h"
#include "trm/finetune.h"
#include "trm/grid.h"
#include "trm/maze.h"
#include "trm/model.h"
#include "trm/puzzle.h"
#include "trm/solver.h"
#include "trm/status.h"
#include "trm/sudoku.h"
#include "trm/trainer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* "0.1.0". */
TRM_API const char *trm_version(void);
/* The instruction set whose kernels run here: "avx512_bf16", "avx512", "avx2", "neon_bf16", "neon"
 * or "portable"; "none" when the environment variable TRM_ISA asks for one that this CPU lacks. */
TRM_API const char *trm_isa(void);
/* Threads used when a configuration says 0: the processors this process may run on, but not more
 * than the CPU limit of its control groups (a container's), rounded up. */
TRM_API int trm_default_threads(void);

#ifdef __cplusplus
}
#endif
#endif
