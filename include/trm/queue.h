/* Many puzzles over one solver: what waits takes the rows of what is done, so that a puzzle costs
 * the steps that it takes and no row is ever empty while another puzzle waits.
 *
 *   trm_queue_create(model, &(trm_queue_config){.waiting = 100}, &q, &err);
 *   while (more || trm_queue_busy(q)) {
 *     while (more && trm_queue_room(q))
 *       if ((more = next_puzzle(tokens)))
 *         trm_queue_submit(q, &(trm_queue_puzzle){.inputs = tokens}, &place, &err);
 *     trm_queue_step(q, &err);
 *     while (trm_queue_take(q, &answer)) print(answer.answer);
 *   }
 *
 * A puzzle is known by its place, from its submission until its answer is taken; the place is then
 * another's. Puzzles begin in the order in which they came. Answers are the same bits whatever else
 * the queue holds and however it is divided into steps and threads (on a GPU: see solver.h).
 *
 * One queue, one thread at a time; its solver starts workers of its own. The model must outlive it
 * and must not change while it exists.
 */
#ifndef TRM_QUEUE_H
#define TRM_QUEUE_H

#include "trm/solver.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TRM_MAX_STEPS = 1024 /* supervision steps of a puzzle */ };

/* When a puzzle stops before its last step. */
typedef enum trm_halt {
  TRM_HALT_NEVER, /* as the reference evaluates */
  TRM_HALT_Q,     /* once trm_solver_halt_margin > halt_margin; 0: the rule of
                     training, unless arch.halt_margin is another */
  TRM_HALT_TWICE, /* once it was so after two steps in a row */
  TRM_HALTS
} trm_halt;

typedef struct trm_queue_config {
  int rows;        /* puzzles solved side by side at most; 0: as many as keep the threads (or the
                      GPU) busy, and half of the memory that is left at most */
  int group;       /* rows are made in groups of so many, one at least; 0: 1 */
  int64_t puzzles; /* how many will come, where that is known: no more rows are made; 0: unknown */
  int waiting;     /* puzzles that may be there beyond the rows, waiting or not yet taken */
  int trajectory;  /* keep what each puzzle answered after its first so many steps; 0: none */
  bool logits;     /* keep the logits of answers that are done */
  bool latents;    /* decode every latent after each step (trm_solver_decode_latent) */
  int threads;     /* of the CPU's backend; 0: as many as the process may use */
  trm_device device; /* all zero: the CPU */
  double noise;      /* on latents, as of a solver, */
  uint64_t seed;     /* and its seed, and that of all that the model draws */
} trm_queue_config;

typedef struct trm_queue_puzzle {
  const int32_t *inputs; /* [seq_len] tokens; copied */
  int32_t puzzle_id;
  int steps; /* supervision steps at most; 0: the model's halt_max_steps */
  trm_halt halt;
  double halt_margin; /* in logits, finite; of rules other than TRM_HALT_NEVER */
  uint64_t noise_key; /* where something is drawn (trm_solver_set_noise_key) */
} trm_queue_puzzle;

/* A puzzle and what is known of its answer. The pointers are valid until the next call that
 * changes the queue. */
typedef struct trm_queue_answer {
  int place;
  bool done;
  int row;                        /* of the solver while it is not done; else -1 */
  int steps;                      /* taken */
  bool halted;                    /* its rule stopped it, be it after its last step */
  double margin;                  /* trm_solver_halt_margin after the last step */
  const int32_t *inputs, *answer; /* [seq_len] */
  const float *logits; /* [seq_len, V]; NULL when it is done and the configuration keeps none */
  float q_halt, q_continue;
  /* Of the first `trajectory` steps, as far as they were taken; NULL where none are kept: */
  const int32_t *trajectory; /* [min(steps, trajectory), seq_len] */
  const float *q_trajectory; /* [min(steps, trajectory)]: q_halt */
  const int32_t *latents;    /* [trm_solver_latent_count, seq_len]: tokens that each latent reads as
                                after the last step; NULL where they are not decoded */
} trm_queue_answer;

typedef struct trm_queue trm_queue;

/* Errors: ARGUMENT for a size that is negative or too large; those of trm_solver_create. */
TRM_API trm_status trm_queue_create(const trm_model *model, const trm_queue_config *config,
                                    trm_queue **out, trm_error *err);
TRM_API void trm_queue_free(trm_queue *q);

/* All places: rows and waiting. */
TRM_API int trm_queue_places(const trm_queue *q);
/* Places that are free: so many puzzles can be submitted now. */
TRM_API int trm_queue_room(const trm_queue *q);
/* Puzzles that are not done. */
TRM_API int trm_queue_busy(const trm_queue *q);

/* One puzzle more; *place (NULL is fine) is where it is, 0 <= place < places. No allocation.
 * Errors: RANGE for a token or id that the model does not know, ARGUMENT for options out of range
 * or when there is no room. Nothing has changed then: a bad puzzle fails alone. */
TRM_API trm_status trm_queue_submit(trm_queue *q, const trm_queue_puzzle *puzzle, int *place,
                                    trm_error *err);
/* Those that wait take the rows that are free; then one supervision step of all rows (none is
 * fine). No allocation; on the CPU it cannot fail. Errors: SYSTEM (a GPU). */
TRM_API trm_status trm_queue_step(trm_queue *q, trm_error *err);
/* The i-th of the puzzles that have taken a step and are not done, in no particular order; false
 * for i beyond them. */
TRM_API bool trm_queue_look(const trm_queue *q, int i, trm_queue_answer *out);
/* The answer that was done first and is still there; its place is free from now on. False: none. */
TRM_API bool trm_queue_take(trm_queue *q, trm_queue_answer *out);
/* The puzzle of a place that is taken leaves the queue, done or not; ARGUMENT when there is none.
 */
TRM_API trm_status trm_queue_cancel(trm_queue *q, int place, trm_error *err);

/* The solver, to look at: rows are those of trm_queue_answer.row. */
TRM_API trm_solver *trm_queue_solver(trm_queue *q);

#ifdef __cplusplus
}
#endif
#endif
