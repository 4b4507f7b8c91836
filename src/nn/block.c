/* The kinds of block: docs/MODEL.md section 1 has their equations. */
#include "nn/block.h"

#include <stdio.h>

#include "base/check.h"

/* --- attention ------------------------------------------------------------------------------- */

static int attention_weights(const trm__dims *dims, trm__weight_about *out) {
  out[TRM__QKV] =
      (trm__weight_about){"self_attn.qkv_proj", 3 * dims->D, dims->D, false, 3 * dims->H};
  out[TRM__O] = (trm__weight_about){"self_attn.o_proj", dims->D, dims->D, false, 0};
  return 2;
}
static double attention_flops(const trm__dims *dims) {
  double L = dims->L, D = dims->D;
  return 8 * L * D * D + 4 * L * L * D;
}

/* --- SwiGLU over the positions, and over the channels ---------------------------------------- */

static int mixer_weights(const trm__dims *dims, trm__weight_about *out) {
  out[TRM__GATE_UP] = (trm__weight_about){"mlp_t.gate_up_proj", 2 * dims->FL, dims->L, false, 0};
  out[TRM__DOWN] = (trm__weight_about){"mlp_t.down_proj", dims->L, dims->FL, false, 0};
  return 2;
}
static double mixer_flops(const trm__dims *dims) {
  double L = dims->L, D = dims->D;
  return 6 * L * dims->FL * D;
}

static int mlp_weights(const trm__dims *dims, trm__weight_about *out) {
  out[TRM__GATE_UP] = (trm__weight_about){"mlp.gate_up_proj", 2 * dims->F, dims->D, false, 0};
  out[TRM__DOWN] = (trm__weight_about){"mlp.down_proj", dims->D, dims->F, false, 0};
  return 2;
}
static double mlp_flops(const trm__dims *dims) {
  double L = dims->L, D = dims->D;
  return 6 * L * D * dims->F;
}

/* --- mixtures of experts over either --------------------------------------------------------- */

/* Appends a weight of the branch; `expert` -1: of the router. */
static void add_weight(trm__weight_about *out, int *n, const char *branch, int expert,
                       const char *name, int rows, int cols, bool zero) {
  trm__weight_about *w = &out[trm__push(n, TRM__BLOCK_WEIGHTS)];
  *w = (trm__weight_about){.rows = rows, .cols = cols, .zero = zero};
  if (expert < 0)
    snprintf(w->name, sizeof w->name, "%s.%s", branch, name);
  else
    snprintf(w->name, sizeof w->name, "%s.experts.%d.%s", branch, expert, name);
}

_Static_assert(TRM__BLOCK_WEIGHTS >= 2 + 2 * TRM__MAX_EXPERTS, "all experts are in one list");
static int experts_weights(const char *branch, const trm__experts *x, int in,
                           trm__weight_about *out) {
  int n = 0;
  add_weight(out, &n, branch, -1, "router", x->n, in, false);
  if (x->router == TRM_ROUTER_NOISY_TOP2) add_weight(out, &n, branch, -1, "noise", x->n, in, true);
  for (int e = 0; e < x->n; e++) {
    add_weight(out, &n, branch, e, "gate_up_proj", 2 * x->width, in, false);
    add_weight(out, &n, branch, e, "down_proj", in, x->width, false);
  }
  return n;
}
static double experts_flops_of(const trm__dims *dims, const trm__experts *x) {
  double L = dims->L, D = dims->D;
  return L * D * (6.0 * x->chosen * x->width + 2.0 * x->n);
}

static int experts_t_weights(const trm__dims *dims, trm__weight_about *out) {
  return experts_weights("mlp_t", &dims->moe_t, dims->L, out);
}
static double experts_t_flops(const trm__dims *dims) {
  return experts_flops_of(dims, &dims->moe_t);
}
static int experts_mlp_weights(const trm__dims *dims, trm__weight_about *out) {
  return experts_weights("mlp", &dims->moe, dims->D, out);
}
static double experts_mlp_flops(const trm__dims *dims) {
  return experts_flops_of(dims, &dims->moe);
}

/* --- the table ------------------------------------------------------------------------------- */

const trm__block_about trm__block_kinds[TRM__BLOCK_KINDS] = {
    [TRM__BLOCK_ATTENTION] = {"attention", attention_weights, attention_flops},
    [TRM__BLOCK_MIXER] = {"mixer", mixer_weights, mixer_flops},
    [TRM__BLOCK_MLP] = {"mlp", mlp_weights, mlp_flops},
    [TRM__BLOCK_EXPERTS_T] = {"mixer of experts", experts_t_weights, experts_t_flops},
    [TRM__BLOCK_EXPERTS] = {"mlp of experts", experts_mlp_weights, experts_mlp_flops},
};
