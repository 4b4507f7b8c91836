/* One table row per architecture: what its latents and nets are, and how one cycle of its
 * recursion goes. docs/MODEL.md section 1 has the schedules. */
#include "nn/plan.h"

#include "base/memory.h"

enum { Z_H = 0, Z_L = 1 };
#define BIT(i) ((uint16_t)(1u << (i)))

/* Writes the steps of one cycle; returns their number. */
typedef int cycle_fn(const trm_model_config *, trm__step *out);

/* n times z_L <- net(z_L + z_H + e); z_H <- net(z_H + z_L). HRM's second net updates z_H. */
static int cycle_two(const trm_model_config *c, trm__step *out) {
  uint16_t both = BIT(Z_H) | BIT(Z_L);
  uint8_t high = c->arch == TRM_ARCH_HRM;
  for (int i = 0; i < c->L_cycles; i++) out[i] = (trm__step){0, Z_L, both, true};
  out[c->L_cycles] = (trm__step){high, Z_H, both, false};
  return c->L_cycles + 1;
}

/* n times z <- net(z + e); z <- net(z). */
static int cycle_single(const trm_model_config *c, trm__step *out) {
  for (int i = 0; i < c->L_cycles; i++) out[i] = (trm__step){0, 0, BIT(0), true};
  out[c->L_cycles] = (trm__step){0, 0, BIT(0), false};
  return c->L_cycles + 1;
}

/* z_i <- net(all z + z_H + e) in turn; z_H <- net(z_H + all z). */
static int cycle_hier6(const trm_model_config *c, trm__step *out) {
  uint16_t all = BIT(TRM__MAX_LATENTS) - 1;
  for (int i = 0; i < c->L_cycles; i++)
    out[i] = (trm__step){0, (uint8_t)(1 + i % (TRM__MAX_LATENTS - 1)), all, true};
  out[c->L_cycles] = (trm__step){0, Z_H, all, false};
  return c->L_cycles + 1;
}

/* z_H <- net(z_H + e). */
static int cycle_direct(const trm_model_config *c, trm__step *out) {
  (void)c;
  out[0] = (trm__step){0, Z_H, BIT(Z_H), true};
  return 1;
}

typedef struct arch_plan {
  cycle_fn *cycle;
  int n_latents, n_nets;
  int grad_steps; /* of the last cycle, with gradient; 0: all */
  bool once;      /* one cycle whatever H_cycles says */
  const char *latent[TRM__MAX_LATENTS], *init[TRM__MAX_LATENTS], *net[TRM__MAX_NETS];
} arch_plan;

static const arch_plan arch_table[] = {
    [TRM_ARCH_TRM] = {cycle_two, 2, 1, 0, false, {"z_H", "z_L"}, {"H_init", "L_init"}, {"L_level"}},
    [TRM_ARCH_HRM] =
        {cycle_two, 2, 2, 2, false, {"z_H", "z_L"}, {"H_init", "L_init"}, {"L_level", "H_level"}},
    [TRM_ARCH_SINGLEZ] = {cycle_single, 1, 1, 0, false, {"z_L"}, {"L_init"}, {"L_level"}},
    [TRM_ARCH_HIER6] = {cycle_hier6,
                        7,
                        1,
                        0,
                        false,
                        {"z_H", "z_L1", "z_L2", "z_L3", "z_L4", "z_L5", "z_L6"},
                        {"H_init", "L1_init", "L2_init", "L3_init", "L4_init", "L5_init",
                         "L6_init"},
                        {"L_level"}},
    [TRM_ARCH_TRANSFORMER] = {cycle_direct, 1, 1, 0, true, {"z_H"}, {"H_init"}, {"H_level"}},
};

trm_status trm__plan_create(const trm_model_config *config, trm__plan **out, trm_error *err) {
  const arch_plan *a = &arch_table[config->arch];
  int cycles = a->once ? 1 : config->H_cycles, most = a->once ? 1 : config->L_cycles + 1;
  trm__plan *p;
  TRM_ALLOC(&p, 1, "the plan", err);
  p->steps = trm__alloc((size_t)cycles * (size_t)most, sizeof *p->steps);
  if (!p->steps) {
    trm__free(p);
    TRM_FAIL(err, TRM_E_MEMORY, "no memory for a plan of %d x %d steps", cycles, most);
  }
  p->n_latents = a->n_latents;
  p->n_nets = a->n_nets;
  int last = 0;
  for (int t = 0; t < cycles; t++) p->n_steps += last = a->cycle(config, p->steps + p->n_steps);
  p->first_grad = p->n_steps - (a->grad_steps > 0 ? a->grad_steps : last);
  for (int i = 0; i < a->n_latents; i++) {
    p->latent[i] = a->latent[i];
    p->init[i] = a->init[i];
  }
  for (int i = 0; i < a->n_nets; i++) {
    p->net[i] = a->net[i];
    p->layers[i] = a->net[i][0] == 'H' ? config->H_layers : config->L_layers;
  }
  *out = p;
  return TRM_OK;
}

void trm__plan_free(trm__plan *plan) {
  if (!plan) return;
  trm__free(plan->steps);
  trm__free(plan);
}
