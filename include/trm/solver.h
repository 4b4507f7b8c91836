/* Inference: supervision steps on a batch of puzzles (paper section 4, Fig. 3 without loss).
 *
 *   trm_solver_create(model, &(trm_solver_config){.batch = 1}, &s, &err);
 *   trm_solver_start(s, 1, tokens, NULL, &err);
 *   for (int step = 0; step < 16; step++) { trm_solver_step(s, &err); show(trm_solver_answer(s)); }
 *
 * Rows are independent: each has its own latents and its own count of steps, and a puzzle's results
 * are the same bits whatever the other rows hold (on a GPU: for the same number of rows). So rows
 * that are done can make room for other puzzles while the rest goes on, and many puzzles cost their
 * mean number of steps: trm_solver_add and trm_solver_remove, which a queue does (trm/queue.h).
 *
 * One solver, one thread at a time; it starts its own workers. The model must outlive it and
 * must not change while it exists. Results are the same bits for any number of threads and any
 * batch on the CPU; a GPU's products are chosen by size, so that another batch can round
 * differently.
 *
 * A program may fork while no call is in progress: parent and child each have the solver then, and
 * each frees its own; the child's first step starts workers of its own.
 */
#ifndef TRM_SOLVER_H
#define TRM_SOLVER_H

#include "trm/device.h"
#include "trm/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct trm_solver trm_solver;

#define TRM_MAX_NOISE 1e6 /* standard deviation; latents are of the size of 1 */

typedef struct trm_solver_config {
  int batch;         /* rows at most; 0: 1 */
  int threads;       /* of the CPU's backend; 0: as many as the process may use */
  trm_device device; /* all zero: the CPU */
  double noise;      /* standard deviation of what every value of the latents of the reasoning (all
                        but the answer's; a single latent) gets more before each step; 0: none */
  uint64_t seed;     /* of that noise, and of what the model draws itself (arch.start_std,
                        arch.update_noise) */
} trm_solver_config;

TRM_API trm_status trm_solver_create(const trm_model *model, const trm_solver_config *config,
                                     trm_solver **out, trm_error *err);
TRM_API void trm_solver_free(trm_solver *s);

/* Begins n (1..batch) puzzles in place of all there were: inputs [n, seq_len] tokens, puzzle_ids
 * [n] or NULL for id 0; latents start at H_init / L_init, or with the first step at random
 * (arch.start_std). Errors: ARGUMENT, RANGE (token or id out of range). */
TRM_API trm_status trm_solver_start(trm_solver *s, int n, const int32_t *inputs,
                                    const int32_t *puzzle_ids, trm_error *err);
/* RANGE for a token or id that the model does not know: what trm_solver_add would refuse. */
TRM_API trm_status trm_solver_check(const trm_solver *s, const int32_t *inputs, int32_t puzzle_id,
                                    trm_error *err);
/* One puzzle more, as the new last row: inputs [seq_len]. Its results have a meaning after the next
 * step. No allocation. Errors: ARGUMENT when all rows are taken, RANGE; the rows stay as they are.
 */
TRM_API trm_status trm_solver_add(trm_solver *s, const int32_t *inputs, int32_t puzzle_id,
                                  trm_error *err);
/* The draws of a row, from its next step on, are those of `key` (its lowest 56 bits count): they
 * depend on seed, key and the steps taken, on nothing else. A puzzle begins with key 0; before its
 * first step that is of its random start, too. */
TRM_API void trm_solver_set_noise_key(trm_solver *s, int row, uint64_t key);
/* Takes row 0 <= row < rows out. The last row takes its place, with its results and latents: going
 * through the rows from the last to the first, none is missed. */
TRM_API void trm_solver_remove(trm_solver *s, int row);
/* One supervision step on all rows (none is fine). No allocation; on the CPU it cannot fail.
 * Errors: SYSTEM (a GPU). */
TRM_API trm_status trm_solver_step(trm_solver *s, trm_error *err);

/* Bytes the solver holds beside the model's weights. */
TRM_API int64_t trm_solver_bytes(const trm_solver *s);

/* The set of kernels that computes: "avx512_bf16", "cuda 9.0". Others round differently. */
TRM_API const char *trm_solver_kernels(const trm_solver *s);
/* After the last step, valid until the next one; row i of each belongs to row i of the solver: */
TRM_API int trm_solver_rows(const trm_solver *s); /* n; 0 before the first start or add */
TRM_API const int32_t *trm_solver_steps_taken(const trm_solver *s); /* [n] by the row's puzzle */
TRM_API const int32_t *trm_solver_answer(const trm_solver *s);      /* [n, seq_len] argmax tokens */
TRM_API const float *trm_solver_logits(const trm_solver *s);        /* [n, seq_len, V] */
TRM_API const float *trm_solver_q_halt(const trm_solver *s);        /* [n]; > 0: "I am right" */
TRM_API const float *trm_solver_q_continue(const trm_solver *s);    /* [n] */
/* By how much q speaks for halting, in logits: q_halt, or q_halt - q_continue for a model
 * that is trained to say both (no_ACT_continue false). Above 0 the row halts in training
 * (docs/MODEL.md section 2); a higher bar costs steps and gives surer answers. */
TRM_API double trm_solver_halt_margin(const trm_solver *s, int row);
TRM_API int trm_solver_latent_count(const trm_solver *s);
/* The latent that the answer is read from: z_H, or a single z. */
TRM_API int trm_solver_answer_latent(const trm_solver *s);
/* "z_H", "z_L", "z_L1" …; NULL for i out of range. The model's. */
TRM_API const char *trm_solver_latent_name(const trm_solver *s, int i);
/* The i-th latent [n, L, D] and its name (with open_cells of each row's own sequence, padded); NULL
 * for i out of range. On a GPU a copy that is valid until the next call, and NULL also when the
 * device fails or memory is out. */
TRM_API const float *trm_solver_latent(trm_solver *s, int i, const char **name);
/* What the output head reads in the i-th latent of each row, as the paper's Fig. 6 does: logits [n,
 * seq_len, V] and tokens [n, seq_len], their argmax; either may be NULL. After a step that of the
 * answer's latent is the answer, to the bit; of another latent it is what the head, which was never
 * trained on it, makes of it. Nothing of the solver's state or results changes. The first call,
 * also one without rows, takes memory for a second set of logits; no other does. Errors: ARGUMENT
 * (i), MEMORY, SYSTEM (a GPU). */
TRM_API trm_status trm_solver_decode_latent(trm_solver *s, int i, int32_t *tokens, float *logits,
                                            trm_error *err);

#ifdef __cplusplus
}
#endif
#endif
