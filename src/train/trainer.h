/* Inside a trainer. One update is: refill the halted rows; per row slot, in micro-batches, forward
 * and backward; halting and metrics; reduce the slots in a fixed tree; optimisers and EMA; pack.
 *
 * Bits: slot s holds rows [B s / SLOTS, B (s + 1) / SLOTS) of the batch whatever the threads.
 * Within a slot every gradient element adds its rows in order (one accumulator per step of the
 * plan, so that micro-batches of any size add in the same order); then steps, then slots, are added
 * in fixed order. */
#ifndef TRM_TRAIN_TRAINER_H
#define TRM_TRAIN_TRAINER_H

#include "base/team.h"
#include "kernels/kernels.h"
#include "nn/carry.h"
#include "nn/model.h"
#include "nn/walk.h"
#include "trm/trainer.h"

enum {
  TRM__SLOTS = 8,
  /* Elements of the flat block handled at a time: partial norms are one per chunk, added in order,
   * so that the norm does not depend on the number of threads. */
  TRM__CHUNK = 4096
};

struct trm_trainer {
  trm_trainer_config config;
  trm_model *model, *ema; /* ema NULL when there is none */
  const trm__kernels *k;
  trm__pool *pool;
  trm__backend *be;
  trm__carry *carry;
  int n_teams, micro_batch, n_grad_steps;
  trm__walker **walkers; /* [n_teams] */
  real *slot_grads;      /* [SLOTS, n_params]; the first becomes the mean gradient */
  real **step_grads;     /* [n_teams * n_grad_steps], into step_memory */
  real *step_memory;
  real *m, *v;           /* the optimiser's moments [n_params] */
  real *d_puzzle;        /* [B, E] */
  real *puzzle_sum;      /* [E] */
  int64_t *puzzle_order; /* [B] puzzle id << 32 | row, sorted */
  trm__row_loss *loss;   /* [B] */
  double *partial_norms; /* one per TRM__CHUNK of the flat block */
  double grad_norm;
  trm__adam adam;
  int64_t updates;
  trm_trainer_cost cost;
};

/* trainer_config.c: TRM_E_CONFIG with the first field that is out of its range. */
trm_status trm__trainer_check(const trm_trainer_config *c, trm_error *err);

/* trainer.c: hands the current weights to the backend. */
void trm__pack_weights(trm_trainer *t);

/* cost.c */
trm_trainer_cost trm__trainer_cost(const trm__layout *l, const trm__backend *be,
                                   const trm_trainer_config *config);

/* optimizer.c */
/* base * step / warm-up, then cosine from base to base * min_ratio at total (docs/MODEL.md section
 * 4). */
double trm__schedule(const trm_trainer_config *c, double base, int64_t step);
/* Adds up the slots, scales to the mean, and sets grad_norm; lanes of one team of all threads. */
void trm__reduce_gradients(trm_trainer *t, trm__lane *lane);
/* Dense parameters and their EMA; `adam` is set. */
void trm__update_weights(trm_trainer *t, trm__lane *lane);
/* Sign-SGD on the rows of the puzzle embedding that the batch used. */
void trm__update_puzzle_emb(trm_trainer *t, double lr);

#endif
