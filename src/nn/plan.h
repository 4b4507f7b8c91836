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
  int first_grad; /* steps from here on keep activations and have a backward pass */
  int answer;     /* the latent that the heads read */
  const char *latent[TRM__MAX_LATENTS]; /* "z_H", …, as in the reference's carry */
  const char *init[TRM__MAX_LATENTS];   /* the buffer it starts from: "H_init", … */
  const char *net[TRM__MAX_NETS];       /* prefix of the net's tensors */
  int layers[TRM__MAX_NETS];
  trm__step *steps;
} trm__plan;

/* Latent updates of a supervision step, and how many of them are to have a gradient: more than
 * there are in a configuration that is refused. */
int trm__plan_updates(const trm_model_config *config);
int trm__plan_updates_with_grad(const trm_model_config *config);
/* P: puzzle_emb_len, or as many positions as the embedding fills (always so in hrm and the
 * transformer); 0 without an embedding. */
int trm__puzzle_positions(const trm_model_config *config);
/* The plan of a checked configuration. */
trm_status trm__plan_create(const trm_model_config *config, trm__plan **out, trm_error *err);
void trm__plan_free(trm__plan *plan);

#endif
