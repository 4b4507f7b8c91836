/* Inference: supervision steps on a batch of puzzles (paper section 4, Fig. 3 without loss).
 *
 *   trm_solver_create(model, &(trm_solver_config){.batch = 1}, &s, &err);
 *   trm_solver_start(s, 1, tokens, NULL, &err);
 *   for (int step = 0; step < 16; step++) { trm_solver_step(s); show(trm_solver_answer(s)); }
 *
 * One solver, one thread at a time; it starts its own workers. The model must outlive it and
 * must not change while it exists. Results are the same bits for any number of threads and any
 * batch.
 */
#ifndef TRM_SOLVER_H
#define TRM_SOLVER_H

#include "trm/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct trm_solver trm_solver;

typedef struct trm_solver_config {
  int batch;   /* rows at most in one start; 0: 1 */
  int threads; /* 0: as many as the process may use */
} trm_solver_config;

TRM_API trm_status trm_solver_create(const trm_model *model, const trm_solver_config *config,
                                     trm_solver **out, trm_error *err);
TRM_API void trm_solver_free(trm_solver *s);

/* Begins n (1..batch) puzzles: inputs [n, seq_len] tokens, puzzle_ids [n] or NULL for id 0;
 * latents start at H_init / L_init. Errors: ARGUMENT, RANGE (token or id out of range). */
TRM_API trm_status trm_solver_start(trm_solver *s, int n, const int32_t *inputs,
                                    const int32_t *puzzle_ids, trm_error *err);
/* One supervision step on all rows. No allocation, cannot fail. */
TRM_API void trm_solver_step(trm_solver *s);

/* Bytes the solver holds beside the model's weights. */
TRM_API int64_t trm_solver_bytes(const trm_solver *s);

/* After the last step, valid until the next one: */
TRM_API int trm_solver_rows(const trm_solver *s);
TRM_API int trm_solver_steps_done(const trm_solver *s);
TRM_API const int32_t *trm_solver_answer(const trm_solver *s);   /* [n, seq_len] argmax tokens */
TRM_API const float *trm_solver_logits(const trm_solver *s);     /* [n, seq_len, V] */
TRM_API const float *trm_solver_q_halt(const trm_solver *s);     /* [n]; > 0: "I am right" */
TRM_API const float *trm_solver_q_continue(const trm_solver *s); /* [n] */
TRM_API int trm_solver_latent_count(const trm_solver *s);
/* The i-th latent [n, L, D]; name is z_H, z_L, z_L1 …; NULL for i out of range. */
TRM_API const float *trm_solver_latent(const trm_solver *s, int i, const char **name);

#ifdef __cplusplus
}
#endif
#endif
