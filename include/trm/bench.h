/* Measuring: what this machine's cores do at best, and what the parts of a model cost on them.
 *
 * A bench holds operations that can be timed one by one, each on all of its threads at once:
 *
 *   trm_bench_create_products   each thread a product of its own
 *   trm_bench_create_copy       each thread a copy of its own
 *   trm_bench_create_ops        the ops of a training update
 *
 * Only trm_bench_time computes; it allocates nothing. One bench, one thread at a time.
 */
#ifndef TRM_BENCH_H
#define TRM_BENCH_H

#include "trm/device.h"
#include "trm/model.h"
#include "trm/trainer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct trm_bench trm_bench;

/* What one call of an operation comes to, over all threads. */
typedef struct trm_bench_op {
  const char *name;
  double flops; /* the products that the model needs, 2 per multiply-add */
  double bytes; /* weights and activations in and out, each once */
  /* Ops of a model: calls per tile of `rows` rows of each team, or per update. */
  double calls;
  bool per_update;
} trm_bench_op;

/* C [m, n] = A [m, k] B [k, n]. */
typedef struct trm_bench_shape {
  const char *name;
  int m, n, k;
} trm_bench_shape;
/* The products of the published Sudoku models and of the 6x6 preset; *n of them. */
TRM_API const trm_bench_shape *trm_bench_shapes(int *n);

/* Products with both operands packed, each thread's own. `shapes` is copied, its names are not;
 * m, n, k: 1 to 16384. Errors: ARGUMENT, CONFIG (TRM_ISA), MEMORY, SYSTEM. */
TRM_API trm_status trm_bench_create_products(trm_dtype dtype, int threads,
                                             const trm_bench_shape *shapes, int n, trm_bench **out,
                                             trm_error *err);
/* One op: each thread copies `bytes` (1 to 2^40) of its own; counted twice, read and written.
 * Errors: ARGUMENT, MEMORY, SYSTEM. */
TRM_API trm_status trm_bench_create_copy(int threads, int64_t bytes, trm_bench **out,
                                         trm_error *err);
/* What a GPU does at best, in FLOP and bytes per second: in one product of that shape, random
 * values, and in a copy; medians. Errors: ARGUMENT (the CPU, sizes outside 8 to 16384 or no
 * multiples of 8), SYSTEM, MEMORY. */
TRM_API trm_status trm_bench_device_rates(trm_device device, trm_dtype dtype,
                                          const trm_bench_shape *shape, double *flops,
                                          double *bytes, trm_error *err);
/* Every op of a training update, as `teams` teams (a divisor of threads) with a tile of `rows` rows
 * each, on random values. With `trainer`, which may be NULL, an optimiser that works on matrices is
 * the row of these; what it leaves to AdamW is none. Errors: ARGUMENT, CONFIG, MEMORY, SYSTEM. */
TRM_API trm_status trm_bench_create_ops(const trm_model_config *config,
                                        const trm_trainer_config *trainer, int threads, int teams,
                                        int rows, trm_bench **out, trm_error *err);
TRM_API void trm_bench_free(trm_bench *b);

TRM_API int trm_bench_count(const trm_bench *b);
/* 0 <= i < count; valid as long as the bench. */
TRM_API const trm_bench_op *trm_bench_op_at(const trm_bench *b, int i);
/* Seconds of one call of operation i: a mean over as many calls as take about `at_least` seconds
 * (the first time it is called it also finds out how many those are). */
TRM_API double trm_bench_time(trm_bench *b, int i, double at_least);

#ifdef __cplusplus
}
#endif
#endif
