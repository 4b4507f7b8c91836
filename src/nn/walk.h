/* The two walks over a plan, on one tile of rows, by one team in lockstep: forward through all
 * steps, and backward through the tail that keeps its activations. */
#ifndef TRM_NN_WALK_H
#define TRM_NN_WALK_H

#include "backend/backend.h"
#include "nn/layout.h"

/* What the experts of a model are told of an update, and tell, in the backend's memory.
 * Applications are numbered step by step of the plan, in each step block by block; those with a
 * gradient from the first of these steps on. */
typedef struct trm__experts_update {
  int stride;       /* blocks of the largest net: from one step to the next */
  int figures;      /* told by a row in an application, at most */
  int rows;         /* of the batch */
  int applications; /* of a supervision step, and of the target of its continue loss */
  int with_grad;    /* 0: the model has no experts */
  double weight;    /* of one application's auxiliary loss in the sum over the rows */
  trm__noise *noise;
  double *told;          /* [with_grad][rows * figures] */
  trm__balance *balance; /* [with_grad]; of other blocks it stays zero */
} trm__experts_update;
/* Its sizes for a batch of so many rows. */
trm__experts_update trm__experts_update_of(const trm__layout *layout, int rows);

/* The rows a team works on, in the backend's memory. All pointers are to the tile's first row. */
typedef struct trm__tile {
  int rows;
  real *z[TRM__MAX_LATENTS]; /* carried latents [rows, L, D]: in and out */
  const int32_t *inputs;     /* [rows, S] */
  const int32_t *places;     /* [rows, S], or NULL: of the workspace */
  /* With feedback, else NULL: [rows, S] what is seen of the last answer; out: this one. Both may be
   * the same where nothing goes backward. */
  const int32_t *fed;
  int32_t *decoded;
  const real *const *puzzle; /* [rows] rows of the puzzle embedding; NULL without one */
  real *logits, *q;          /* out: [rows, S, V], [rows, 2]; training: scratch of the walker */
  const trm__noise *noise;   /* [rows] keys of draws; NULL: there are none. Deviation of those */
  real deviation;            /* before a step of trm__walk_infer; 0: none */
  const int32_t *steps;      /* [rows] supervision steps taken, this one included: of training, and
                                where latents start at random */
  /* Training only: */
  const int32_t *labels;              /* [rows, S], negative: ignored */
  int max_steps;                      /* N_sup */
  trm__row_loss *loss;                /* out [rows] */
  real *d_puzzle;                     /* out [rows, E] */
  const trm__experts_update *experts; /* NULL: there are none, or nobody tells them anything */
  int64_t first_row;                  /* of the batch */
  /* Out [rows]: how the last solved step went. NULL: nobody asks, or there is none. */
  trm__solved *solved;
} trm__tile;

/* A team's memory for tiles of up to `rows` rows. */
typedef struct trm__walker {
  const trm__layout *layout;
  const trm__plan
      *plan; /* the layout's, or one with the same latents and nets that keeps no more */
  trm__backend *be;
  int rows;
  bool training; /* its draws are those of an update */
  void *memory;  /* behind all that follows */
  real *e, *de, *saved, *logits, *q, *q_next, *q_target;
  real *dz[TRM__MAX_LATENTS];
  real *next[TRM__MAX_LATENTS]; /* scratch: of the continue loss, or of trm__walk_tell */
  real *shared, *scratch;
  int64_t scratch_size; /* of each member */
  /* Of a plan with solved steps; f also of one whose latents keep a share of their values: */
  real *x, *f, *history;
  trm__solved *solved;
  real *nowhere;   /* gradients of a net's weights that nobody wants */
  real *dz_before; /* a latent's gradient behind a step */
} trm__walker;

/* Bytes kept for the backward pass per row. */
int64_t trm__walk_saved_bytes(const trm__layout *layout);
/* Bytes of a walker for tiles of `rows` rows by teams of `size` members. */
int64_t trm__walker_bytes(const trm__layout *layout, const trm__backend *be, int rows, int size,
                          bool training);
trm_status trm__walker_create(const trm__layout *layout, trm__backend *be, int rows, int size,
                              bool training, trm__walker **out, trm_error *err);
void trm__walker_free(trm__walker *w);

/* One supervision step without gradient: latents, logits, q. With tile->deviation the latents of
 * the reasoning, all but the answer's (or the only one), are disturbed before. */
void trm__walk_infer(trm__walker *w, trm__lane *lane, const trm__tile *tile);
/* What both heads say of latent i of the tile: logits, q. */
void trm__walk_decode(trm__walker *w, trm__lane *lane, const trm__tile *tile, int i);

/* Experts: the steps without gradient in place, then the others on a copy of the latents, of which
 * nothing stays but what they told (tile->experts). trm__walk_train goes on from there. */
void trm__walk_tell(trm__walker *w, trm__lane *lane, const trm__tile *tile);
/* What all rows told becomes the balance of each application; by one team. */
void trm__walk_balance(const trm__walker *w, trm__workspace *ws,
                       const trm__experts_update *experts);

/* One supervision step with losses and gradients of their sum over the tile's rows. The net of the
 * i-th step with gradient goes to step_grads[i] (its parameters from the start of the net),
 * replaced or, with `accumulate`, added to; the outer weights are added to outer_grads (flat
 * block), but those of the heads to head_grads, of the same layout: outer_grads itself, or, where a
 * table is tied and both are sums over tiles, one of its own. With tile->experts it begins where
 * trm__walk_tell left the latents, and the gradient of the batch's auxiliary loss is in it. */
void trm__walk_train(trm__walker *w, trm__lane *lane, const trm__tile *tile,
                     real *const *step_grads, real *outer_grads, real *head_grads, bool accumulate);

#endif
