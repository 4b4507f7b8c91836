/* The two walks over a plan, on one tile of rows, by one team in lockstep: forward through all
 * steps, and backward through the tail that keeps its activations. */
#ifndef TRM_NN_WALK_H
#define TRM_NN_WALK_H

#include "backend/backend.h"
#include "nn/layout.h"

/* The rows a team works on, in the backend's memory. All pointers are to the tile's first row. */
typedef struct trm__tile {
  int rows;
  real *z[TRM__MAX_LATENTS]; /* carried latents [rows, L, D]: in and out */
  const int32_t *inputs;     /* [rows, S] */
  const real *const *puzzle; /* [rows] rows of the puzzle embedding; NULL without one */
  real *logits, *q;          /* out: [rows, S, V], [rows, 2]; training: scratch of the walker */
  /* Training only: */
  const int32_t *labels; /* [rows, S], negative: ignored */
  const int32_t *steps;  /* [rows] supervision steps taken, this one included */
  int max_steps;         /* N_sup */
  trm__row_loss *loss;   /* out [rows] */
  real *d_puzzle;        /* out [rows, E] */
} trm__tile;

/* A team's memory for tiles of up to `rows` rows. */
typedef struct trm__walker {
  const trm__layout *layout;
  trm__backend *be;
  int rows;
  void *memory; /* behind all that follows */
  real *e, *de, *saved, *logits, *q, *q_next, *q_target;
  real *dz[TRM__MAX_LATENTS], *next[TRM__MAX_LATENTS];
  real *shared, *scratch;
  int64_t scratch_size; /* of each member */
} trm__walker;

/* Bytes kept for the backward pass per row. */
int64_t trm__walk_saved_bytes(const trm__layout *layout);
/* Bytes of a walker for tiles of `rows` rows by teams of `size` members. */
int64_t trm__walker_bytes(const trm__layout *layout, const trm__backend *be, int rows, int size,
                          bool training);
trm_status trm__walker_create(const trm__layout *layout, trm__backend *be, int rows, int size,
                              bool training, trm__walker **out, trm_error *err);
void trm__walker_free(trm__walker *w);

/* One supervision step without gradient: latents, logits, q. */
void trm__walk_infer(trm__walker *w, trm__lane *lane, const trm__tile *tile);
/* What both heads say of latent i of the tile: logits, q. */
void trm__walk_decode(trm__walker *w, trm__lane *lane, const trm__tile *tile, int i);

/* One supervision step with losses and gradients of their sum over the tile's rows. The net of the
 * i-th step with gradient goes to step_grads[i] (its parameters from the start of the net),
 * replaced or, with `accumulate`, added to; the outer weights are added to outer_grads (flat
 * block). */
void trm__walk_train(trm__walker *w, trm__lane *lane, const trm__tile *tile,
                     real *const *step_grads, real *outer_grads, bool accumulate);

#endif
