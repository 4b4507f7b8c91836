/* The plan of a configuration, from the row of its architecture (archs.c). */
#include "nn/plan.h"

#include "base/check.h"
#include "base/memory.h"

int trm__puzzle_positions(const trm_model_config *c) {
  const bool fixed = !trm__arch_of(c->arch)->fills_positions && c->puzzle_emb_len > 0;
  if (c->puzzle_emb_ndim == 0) return 0;
  return fixed ? c->puzzle_emb_len : (c->puzzle_emb_ndim + c->hidden_size - 1) / c->hidden_size;
}

trm_status trm__plan_create(const trm_model_config *config, trm__plan **out, trm_error *err) {
  const trm__arch *a = trm__arch_of(config->arch);
  const int n = a->once ? 0 : config->L_cycles, cycles = a->once ? 1 : config->H_cycles;
  trm__plan *p;
  TRM_ALLOC(&p, 1, "the plan", err);
  p->steps = trm__alloc((uint64_t)cycles * (uint64_t)(n + 1), sizeof *p->steps);
  if (!p->steps) {
    trm__free(p);
    TRM_FAIL(err, TRM_E_MEMORY, "no memory for a plan of %d x %d steps", cycles, n + 1);
  }

  /* The steps, and which of them have a gradient. */
  int last = 0;
  for (int t = 0; t < cycles; t++) {
    p->n_steps += last = a->cycle(a, n, p->steps + p->n_steps);
    TRM_ASSERT(last <= n + 1);
  }
  p->first_grad = p->n_steps - (a->grad_steps > 0 ? a->grad_steps : last);

  /* What they work on. */
  p->n_latents = a->n_latents;
  p->n_nets = a->n_nets;
  for (int i = 0; i < a->n_latents; i++) {
    p->latent[i] = a->latents[i].name;
    p->init[i] = a->latents[i].init;
  }
  for (int i = 0; i < a->n_nets; i++) {
    p->net[i] = a->nets[i].prefix;
    p->layers[i] = trm__net_layers(&a->nets[i], config);
  }
  *out = p;
  return TRM_OK;
}

void trm__plan_free(trm__plan *plan) {
  if (!plan) return;
  trm__free(plan->steps);
  trm__free(plan);
}
