/* The recursion as data (paper Figs. 2 to 5): every model updates one latent at a time,
 *     z[dst] <- net(sum of z[i] for i in src, plus e where the step adds the input),
 * so a model is a list of such steps. One forward walk and one reverse walk of its tail serve all.
 */
#ifndef TRM_NN_PLAN_H
#define TRM_NN_PLAN_H

#include "base/error.h"
#include "nn/archs.h"

typedef struct trm__plan {
  int n_latents, n_nets, n_steps;
  int first_grad;       /* steps from here on keep activations and have a backward pass */
  int n_grads;          /* applications of nets that these keep, all in all; */
  uint8_t *grad_net;    /* of which net each is */
  int answer;           /* the latent that the heads read */
  trm__solving solving; /* of the solved steps; how a gradient passes them, and the share of f(z) in
                           each application of a phantom gradient (else 1) */
  trm_solver_grad_kind solver_grad;
  double tau;
  double share; /* of f(z) in an update of the others: z <- share f(z) + (1 - share) z + noise */
  double noise; /* its standard deviation, 0: none; */
  double start; /* that of where latents start, 0: at their vectors */
  const char *latent[TRM__MAX_LATENTS]; /* "z_H", …, as in the reference's carry */
  const char *init[TRM__MAX_LATENTS];   /* the buffer it starts from: "H_init", … */
  const char *net[TRM__MAX_NETS];       /* prefix of the net's tensors */
  int layers[TRM__MAX_NETS];
  trm__step *steps;
} trm__plan;

/* Whether its rows need keys to draw by (kernels/jitter.h). */
static inline bool trm__plan_draws(const trm__plan *p) {
  return p->start > 0 || p->noise > 0;
}

/* Latent updates of a supervision step, and how many of them are to have a gradient: more than
 * there are in a configuration that is refused. */
int trm__plan_updates(const trm_model_config *config);
int trm__plan_updates_with_grad(const trm_model_config *config);
/* Applications of nets that these keep: one each, or as many as a phantom gradient passes through.
 * A limit keeps sizes that go with their number far from overflow; cycles of 1024 updates have half
 * of it. */
enum { TRM__MOST_KEPT = 2050 };
int trm__plan_kept(const trm_model_config *config);
/* puzzle_emb_len, or as many positions as the embedding fills (always so in hrm and the
 * transformer); 0 without an embedding. */
int trm__puzzle_positions(const trm_model_config *config);
/* All positions before the cells: registers, then these. */
int trm__front_positions(const trm_model_config *config);
/* The plan of a checked configuration. */
trm_status trm__plan_create(const trm_model_config *config, trm__plan **out, trm_error *err);
void trm__plan_free(trm__plan *plan);

#endif
