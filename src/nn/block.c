/* The kinds of block: docs/MODEL.md section 1 has their equations. */
#include "nn/block.h"

/* --- attention ------------------------------------------------------------------------------- */

static int attention_weights(const trm__dims *dims, trm__weight_about *out) {
  out[TRM__QKV] = (trm__weight_about){"self_attn.qkv_proj", 3 * dims->D, dims->D};
  out[TRM__O] = (trm__weight_about){"self_attn.o_proj", dims->D, dims->D};
  return 2;
}
static double attention_flops(const trm__dims *dims) {
  double L = dims->L, D = dims->D;
  return 8 * L * D * D + 4 * L * L * D;
}

/* --- SwiGLU over the positions, and over the channels ---------------------------------------- */

static int mixer_weights(const trm__dims *dims, trm__weight_about *out) {
  out[TRM__GATE_UP] = (trm__weight_about){"mlp_t.gate_up_proj", 2 * dims->FL, dims->L};
  out[TRM__DOWN] = (trm__weight_about){"mlp_t.down_proj", dims->L, dims->FL};
  return 2;
}
static double mixer_flops(const trm__dims *dims) {
  double L = dims->L, D = dims->D;
  return 6 * L * dims->FL * D;
}

static int mlp_weights(const trm__dims *dims, trm__weight_about *out) {
  out[TRM__GATE_UP] = (trm__weight_about){"mlp.gate_up_proj", 2 * dims->F, dims->D};
  out[TRM__DOWN] = (trm__weight_about){"mlp.down_proj", dims->D, dims->F};
  return 2;
}
static double mlp_flops(const trm__dims *dims) {
  double L = dims->L, D = dims->D;
  return 6 * L * D * dims->F;
}

/* --- the table ------------------------------------------------------------------------------- */

const trm__block_about trm__block_kinds[TRM__BLOCK_KINDS] = {
    [TRM__BLOCK_ATTENTION] = {"attention", attention_weights, attention_flops},
    [TRM__BLOCK_MIXER] = {"mixer", mixer_weights, mixer_flops},
    [TRM__BLOCK_MLP] = {"mlp", mlp_weights, mlp_flops},
};
