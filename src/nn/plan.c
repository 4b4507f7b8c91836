/* The plan of a configuration, from the row of its architecture (archs.c). */
#include "nn/plan.h"

#include "base/check.h"
#include "base/memory.h"

int trm__puzzle_positions(const trm_model_config *c) {
  const bool fixed = !trm__arch_of(c->arch)->fills_positions && c->puzzle_emb_len > 0;
  if (c->puzzle_emb_ndim == 0) return 0;
  return fixed ? c->puzzle_emb_len : (c->puzzle_emb_ndim + c->hidden_size - 1) / c->hidden_size;
}

int trm__front_positions(const trm_model_config *c) {
  return c->registers + trm__puzzle_positions(c);
}

/* Updates of one cycle: a solver's solution is one of them. */
static int updates_of_cycle(const trm_model_config *c) {
  if (trm__arch_of(c->arch)->once) return 1;
  return (c->solver == TRM_RECURSION_UPDATES ? c->L_cycles : 1) + 1;
}

int trm__plan_updates(const trm_model_config *c) {
  return (trm__arch_of(c->arch)->once ? 1 : c->H_cycles) * updates_of_cycle(c);
}

int trm__plan_updates_with_grad(const trm_model_config *c) {
  switch (c->grad.kind) {
    case TRM_GRAD_LAST_CYCLE:
      return updates_of_cycle(c);
    case TRM_GRAD_ONE_STEP:
      return 2;
    case TRM_GRAD_LAST:
      return c->grad.updates;
    case TRM_GRAD_ALL:
      return trm__plan_updates(c);
  }
  return 0;
}

/* With a solver every second update is solved, and the last one is not. */
int trm__plan_kept(const trm_model_config *c) {
  const int n = trm__plan_updates_with_grad(c);
  const bool phantom = c->solver_grad.kind == TRM_SOLVER_GRAD_PHANTOM;
  return n + (phantom ? n / 2 * (c->solver_grad.steps - 1) : 0);
}

trm_status trm__plan_create(const trm_model_config *config, trm__plan **out, trm_error *err) {
  const trm__arch *a = trm__arch_of(config->arch);
  const int each = updates_of_cycle(config), cycles = trm__plan_updates(config) / each;
  const bool solved = config->solver != TRM_RECURSION_UPDATES,
             phantom = config->solver_grad.kind == TRM_SOLVER_GRAD_PHANTOM;
  trm__plan *p;
  TRM_ALLOC(&p, 1, "the plan", err);
  p->steps = trm__alloc((uint64_t)cycles * (uint64_t)each, sizeof *p->steps);
  p->grad_net = trm__alloc((uint64_t)trm__plan_kept(config), sizeof *p->grad_net);
  if (!p->steps || !p->grad_net) {
    trm__plan_free(p);
    TRM_FAIL(err, TRM_E_MEMORY, "no memory for a plan of %d x %d steps", cycles, each);
  }

  /* What the steps work on. */
  p->n_latents = trm__n_latents(a, config);
  p->n_nets = trm__n_nets(a, config);
  p->solving = (trm__solving){.method = config->solver,
                              .tolerance = config->solver_tolerance,
                              .iterations = config->solver_iterations,
                              .history = trm__solve_history(config->solver)};
  p->solver_grad = config->solver_grad.kind;
  p->tau = phantom ? config->solver_tau : 1;
  p->share = 1 - config->damping;
  p->noise = config->update_noise;
  p->start = config->start_std;

  /* The steps, cycle by cycle, the answer's last; and which of them have a gradient. */
  for (int t = 0; t < cycles; t++) {
    trm__step *first = p->steps + p->n_steps, *last = first + each - 1;
    const int n = a->cycle(p->n_latents, each - 1, first);
    TRM_ASSERT(n == each);
    p->n_steps += n;
    for (int i = 0; i < n; i++) first[i].kept = 1;
    first->solved = solved;
    if (solved && phantom) first->kept = (uint8_t)config->solver_grad.steps;
    last->net = (uint8_t)(p->n_nets - 1);
    last->add_input |= config->x_always;
  }
  p->first_grad = p->n_steps - trm__plan_updates_with_grad(config);
  for (int i = p->first_grad; i < p->n_steps; i++)
    for (int k = 0; k < p->steps[i].kept; k++) p->grad_net[p->n_grads++] = p->steps[i].net;
  TRM_ASSERT(p->n_grads == trm__plan_kept(config));

  /* Their names. */
  for (int i = 0; i < p->n_latents; i++) {
    p->latent[i] = a->latents[i].name;
    p->init[i] = a->latents[i].init;
  }
  for (int i = 0; i < p->n_nets; i++) {
    p->net[i] = a->nets[i].prefix;
    p->layers[i] = trm__net_layers(&a->nets[i], config);
  }
  *out = p;
  return TRM_OK;
}

void trm__plan_free(trm__plan *plan) {
  if (!plan) return;
  trm__free(plan->steps);
  trm__free(plan->grad_net);
  trm__free(plan);
}
