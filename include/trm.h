/* trm: Tiny Recursive Models. One header for everything, and the manual of the library.
 *
 * --- Start here ---
 *
 * A Tiny Recursive Model is a small network that applies itself to its own answer again and again.
 * A *model* is weights and a configuration; a *solver* answers puzzles with it, a *trainer* makes a
 * better one of it:
 *
 *   #include <trm.h>
 *
 *   trm_error err;
 *   trm_model *model = NULL;
 *   trm_solver *solver = NULL;
 *   if (trm_model_load("models/sudoku9.safetensors", &model, &err)) goto failed;
 *   if (trm_solver_create(model, &(trm_solver_config){.batch = 1}, &solver, &err)) goto failed;
 *   if (trm_solver_start(solver, 1, tokens, NULL, &err)) goto failed;
 *   for (int step = 0; step < 16; step++)
 *     if (trm_solver_step(solver, &err)) goto failed;
 *   use(trm_solver_answer(solver));
 *   ...
 *   failed: fprintf(stderr, "%s\n", err.msg);
 *
 * examples/solve_sudoku.c is that as a whole program, examples/train_run.c one that trains. What is
 * where:
 *
 *   trm/status.h       how failures are reported
 *   trm/model.h        configurations, weights, files of models, published checkpoints
 *   trm/field.h        the fields of configurations and of structures by name, for bindings
 *   trm/solver.h       answering puzzles; trm/queue.h: many of them, each as long as it takes
 *   trm/think.h        several tries of each puzzle, and whose answer counts
 *   trm/trainer.h      training, one update a call
 *   trm/finetune.h     a trained model learns a new task
 *   trm/run.h          a training run: settings, data, evaluations, a folder of checkpoints; which
 *                      model a path means, published checkpoints with their YAML
 *   trm/runs.h         runs that are there: what they say, how they compare; sweeps over settings
 *   trm/eval.h         how good a model is on a data set; trm/arc_vote.h: how ARC counts it
 *   trm/dataset.h      data sets: reading, the stream of batches, making them of Sudokus and mazes
 *   trm/arc.h, grid.h  making them of ARC's tasks, and of your own grids
 *   trm/puzzle.h       what a model's tokens mean; trm/sudoku.h, sudoku_file.h, maze.h: the rules
 *   trm/comm.h         processes that share a batch, an evaluation or a run
 *   trm/device.h       processor or GPU; trm/bench.h: how fast either is
 *
 * --- Building ---
 *
 * With an installed trm: `cc ... $(pkg-config --cflags --libs trm)`, or in CMake find_package(trm)
 * and trm::trm. In a build folder:
 *
 *   cc -std=c11 ... -Iinclude build/release/libtrm.a -lz -lexpat -lyaml -lm -lpthread -ldl
 *
 * As a part of your project: add_subdirectory(trm), or FetchContent, and trm::trm, which is then
 * linked statically (BUILD_SHARED_LIBS=ON: as a shared library).
 *
 * The headers are C11, and C++17. All names begin with trm_ or TRM_.
 *
 * --- Errors ---
 *
 * What can fail returns a trm_status, TRM_OK (0) or a code, and fills the trm_error that it is
 * given last: the code, a sentence that says what was wrong, where, and what helps, and the line or
 * byte it speaks of. NULL in its place is fine where the code will do. After a failure *out is
 * NULL, unless a comment says otherwise, and a file that could not be written whole is as it was.
 *
 * The library never prints, exits, aborts, installs a signal handler or keeps state between calls.
 * Files are taken to be hostile. It does trust the program that calls it: pointers that must not be
 * NULL, and objects that were freed, are not looked at.
 *
 * --- Ownership ---
 *
 * What a function called ..._create, ..._load, ..._open or ..._copy hands out in *out is yours, and
 * the function ..._free or ..._close of that kind takes it back; NULL is fine there. Everything
 * else that is returned as a pointer is a view: it belongs to the object that was asked, and is
 * valid as long as its comment says, at most as long as the object.
 *
 * Configurations are structures that the call only reads; set what you want to differ and leave the
 * rest zero, or start from ..._config_default(). Where an object goes on using what it was given (a
 * solver its model, a stream its data sets), its header says that that must outlive it.
 *
 * Memory is taken when an object is created; a step of training or solving takes none. What does
 * not fit into the memory that is left is refused with TRM_E_MEMORY before it is taken
 * (trm_memory_room).
 *
 * --- Threads ---
 *
 * One object, one thread at a time; different objects are independent. A model that nothing changes
 * may be read by many solvers at once. Solvers, trainers and evaluations start threads of their
 * own, as many as `threads` says (0: trm_default_threads), which take no signals; their results are
 * the same bits for any number of them on a CPU. A process may fork between calls: see
 * trm/solver.h. In a build without threads (TRM_OS=none, as for WebAssembly) everything happens in
 * the calling one.
 *
 * --- Versions ---
 *
 * 0.x: a new minor version may change functions and structures, which CHANGELOG.md lists; a new
 * patch version does not. TRM_VERSION_* is what a program was compiled with, trm_version() what it
 * runs with: compare them where the shared library may have been replaced.
 */
#ifndef TRM_H
#define TRM_H

#include "trm/arc.h"
#include "trm/arc_vote.h"
#include "trm/bench.h"
#include "trm/comm.h"
#include "trm/dataset.h"
#include "trm/device.h"
#include "trm/eval.h"
#include "trm/field.h"
#include "trm/finetune.h"
#include "trm/grid.h"
#include "trm/maze.h"
#include "trm/model.h"
#include "trm/puzzle.h"
#include "trm/queue.h"
#include "trm/run.h"
#include "trm/runs.h"
#include "trm/solver.h"
#include "trm/status.h"
#include "trm/sudoku.h"
#include "trm/sudoku_file.h"
#include "trm/think.h"
#include "trm/trainer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* This header's version. */
#define TRM_VERSION_MAJOR 0
#define TRM_VERSION_MINOR 1
#define TRM_VERSION_PATCH 0
/* Versions as numbers that can be compared: #if TRM_VERSION_NUMBER >= TRM_VERSION_OF(0, 2, 0) */
#define TRM_VERSION_OF(major, minor, patch) ((major)*1000000 + (minor)*1000 + (patch))
#define TRM_VERSION_NUMBER TRM_VERSION_OF(TRM_VERSION_MAJOR, TRM_VERSION_MINOR, TRM_VERSION_PATCH)

/* The library's version, "MAJOR.MINOR.PATCH". */
TRM_API const char *trm_version(void);
/* The commit of the sources that it was built of, "-dirty" behind it where these were changed; "":
 * unknown, as of a build without git. */
TRM_API const char *trm_commit(void);
/* The instruction set whose kernels run here: "amx_bf16", "avx512_bf16", "avx512", "avx2",
 * "neon_bf16", "neon", "portable" or, in a page, "simd128"; "none" when the environment variable
 * TRM_ISA asks for one that this CPU lacks. */
TRM_API const char *trm_isa(void);
/* Threads used when a configuration says 0: the processors this process may run on, but not more
 * than the CPU limit of its control groups (a container's), rounded up. */
TRM_API int trm_default_threads(void);
/* Bytes that this process can still take: what the machine has free, but not more than the memory
 * limits of its control groups, RLIMIT_AS and RLIMIT_DATA leave; INT64_MAX when nothing is known.
 * `limit` [n] (NULL is fine) names the one that binds, as in "left of LIMIT". Automatic sizes stay
 * within, and what does not fit is refused (MEMORY) before it is taken. */
TRM_API int64_t trm_memory_room(char *limit, size_t n);

#ifdef __cplusplus
}
#endif
#endif
