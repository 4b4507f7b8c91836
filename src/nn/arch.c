/* Configurations: defaults of each architecture, names, and the check of every field. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/error.h"
#include "io/puzzle.h"
#include "nn/plan.h"
#include "trm/model.h"

/* Index = enumeration value; the aliases are the class names in published configurations. */
static const struct arch_name {
  const char *name, *alias;
} arch_names[] = {
    [TRM_ARCH_TRM] = {"trm", "recursive_reasoning.trm@TinyRecursiveReasoningModel_ACTV1"},
    [TRM_ARCH_HRM] = {"hrm", "recursive_reasoning.hrm@HierarchicalReasoningModel_ACTV1"},
    [TRM_ARCH_SINGLEZ] = {"trm_singlez",
                          "recursive_reasoning.trm_singlez@TinyRecursiveReasoningModel_ACTV1"},
    [TRM_ARCH_HIER6] = {"trm_hier6",
                        "recursive_reasoning.trm_hier6@TinyRecursiveReasoningModel_ACTV1"},
    [TRM_ARCH_TRANSFORMER] = {"transformers_baseline",
                              "recursive_reasoning.transformers_baseline@Model_ACTV2"},
};
static const char *const pos_names[] = {
    [TRM_POS_NONE] = "none", [TRM_POS_ROPE] = "rope", [TRM_POS_LEARNED] = "learned"};
static const char *const loss_names[] = {
    [TRM_LOSS_STABLEMAX] = "stablemax_cross_entropy", [TRM_LOSS_SOFTMAX] = "softmax_cross_entropy"};
static const struct dtype_name {
  const char *name, *alias;
} dtype_names[TRM_DTYPES] = {
    [TRM_FLOAT32] = {"float32", "f32"},
    [TRM_BFLOAT16] = {"bfloat16", "bf16"},
};
enum {
  N_ARCHS = sizeof arch_names / sizeof *arch_names,
  N_POS = sizeof pos_names / sizeof *pos_names,
  N_LOSSES = sizeof loss_names / sizeof *loss_names
};

const char *trm_arch_name(trm_arch arch) {
  return (unsigned)arch < N_ARCHS ? arch_names[arch].name : NULL;
}
const char *trm_arch_class_name(trm_arch arch) {
  return (unsigned)arch < N_ARCHS ? arch_names[arch].alias : NULL;
}
const char *trm_pos_encodings_name(trm_pos_encodings p) {
  return (unsigned)p < N_POS ? pos_names[p] : NULL;
}
const char *trm_loss_name(trm_loss l) {
  return (unsigned)l < N_LOSSES ? loss_names[l] : NULL;
}
const char *trm_dtype_name(trm_dtype t) {
  return (unsigned)t < TRM_DTYPES ? dtype_names[t].name : NULL;
}

bool trm_arch_from_name(const char *name, trm_arch *out) {
  for (int i = 0; i < N_ARCHS; i++)
    if (!strcmp(name, arch_names[i].name) || !strcmp(name, arch_names[i].alias)) {
      *out = (trm_arch)i;
      return true;
    }
  return false;
}
static int index_of(const char *name, const char *const *names, int n) {
  for (int i = 0; i < n; i++)
    if (!strcmp(name, names[i])) return i;
  return -1;
}
bool trm_pos_encodings_from_name(const char *name, trm_pos_encodings *out) {
  int i = index_of(name, pos_names, N_POS);
  if (i >= 0) *out = (trm_pos_encodings)i;
  return i >= 0;
}
bool trm_loss_from_name(const char *name, trm_loss *out) {
  int i = index_of(name, loss_names, N_LOSSES);
  if (i >= 0) *out = (trm_loss)i;
  return i >= 0;
}
bool trm_dtype_from_name(const char *name, trm_dtype *out) {
  for (int i = 0; i < TRM_DTYPES; i++)
    if (!strcmp(name, dtype_names[i].name) || !strcmp(name, dtype_names[i].alias)) {
      *out = (trm_dtype)i;
      return true;
    }
  return false;
}

trm_model_config trm_model_config_default(trm_arch arch) {
  trm_model_config c = {.arch = arch,
                        .hidden_size = 512,
                        .num_heads = 8,
                        .expansion = 4,
                        .H_layers = 0,
                        .L_layers = 2,
                        .H_cycles = 3,
                        .L_cycles = 6,
                        .pos_encodings = TRM_POS_ROPE,
                        .rope_theta = 10000,
                        .rms_norm_eps = 1e-5,
                        .puzzle_emb_ndim = 512,
                        .puzzle_emb_len = 16,
                        .halt_max_steps = 16,
                        .halt_exploration_prob = 0.1,
                        .no_ACT_continue = true,
                        .loss = TRM_LOSS_STABLEMAX,
                        .forward_dtype = TRM_BFLOAT16};
  if (arch == TRM_ARCH_HRM) {
    c.H_cycles = c.L_cycles = 2;
    c.H_layers = c.L_layers = 4;
    c.puzzle_emb_len = 0;
    c.no_ACT_continue = false;
  } else if (arch == TRM_ARCH_TRANSFORMER) {
    c.H_cycles = 1;
    c.H_layers = 8;
    c.L_layers = c.L_cycles = 0;
    c.puzzle_emb_len = 0;
    c.no_ACT_continue = false;
  }
  return c;
}

/* Ranges keep every size and product far from overflow; they are generous, not meaningful. */
static const struct int_range {
  const char *name;
  size_t offset;
  int low, high;
} int_ranges[] = {
#define FIELD(f, low, high) \
  { #f, offsetof(trm_model_config, f), low, high }
    FIELD(vocab_size, 2, 65536),
    FIELD(seq_len, 1, 16384),
    FIELD(num_puzzle_identifiers, 1, 1 << 28),
    FIELD(hidden_size, 2, 8192),
    FIELD(num_heads, 1, 256),
    FIELD(H_layers, 0, TRM__MAX_LAYERS),
    FIELD(L_layers, 0, TRM__MAX_LAYERS),
    FIELD(H_cycles, 1, 1024),
    FIELD(L_cycles, 0, 1024),
    FIELD(puzzle_emb_ndim, 0, 1 << 20),
    FIELD(puzzle_emb_len, 0, 1024),
    FIELD(halt_max_steps, 1, 1024),
#undef FIELD
};

static trm_status check_ranges(const trm_model_config *c, trm_error *err) {
  for (size_t i = 0; i < sizeof int_ranges / sizeof *int_ranges; i++) {
    const struct int_range *r = &int_ranges[i];
    int v;
    memcpy(&v, (const char *)c + r->offset, sizeof v);
    if (v < r->low || v > r->high)
      TRM_FAIL(err, TRM_E_CONFIG, "%s = %d: expected %d to %d", r->name, v, r->low, r->high);
  }
  if (!(c->expansion > 0 && c->expansion <= 64))
    TRM_FAIL(err, TRM_E_CONFIG, "expansion = %g: expected above 0 and at most 64", c->expansion);
  if (!(c->halt_exploration_prob >= 0 && c->halt_exploration_prob <= 1))
    TRM_FAIL(err, TRM_E_CONFIG, "halt_exploration_prob = %g: expected 0 to 1",
             c->halt_exploration_prob);
  if (!(c->rms_norm_eps >= 0 && c->rms_norm_eps < 1))
    TRM_FAIL(err, TRM_E_CONFIG, "rms_norm_eps = %g: expected 0 to 1", c->rms_norm_eps);
  if (!(c->rope_theta > 0 && isfinite(c->rope_theta)))
    TRM_FAIL(err, TRM_E_CONFIG, "rope_theta = %g: expected above 0", c->rope_theta);
  return TRM_OK;
}

int trm__puzzle_positions(const trm_model_config *c) {
  bool fixed = c->arch != TRM_ARCH_HRM && c->arch != TRM_ARCH_TRANSFORMER && c->puzzle_emb_len > 0;
  if (c->puzzle_emb_ndim == 0) return 0;
  return fixed ? c->puzzle_emb_len : (c->puzzle_emb_ndim + c->hidden_size - 1) / c->hidden_size;
}

trm_status trm_model_config_check(const trm_model_config *c, trm_error *err) {
  if (!trm_arch_name(c->arch) || !trm_pos_encodings_name(c->pos_encodings) ||
      !trm_loss_name(c->loss) || !trm_dtype_name(c->forward_dtype))
    TRM_FAIL(err, TRM_E_CONFIG,
             "arch, pos_encodings, loss or forward_dtype is not one of its names");
  TRM_TRY(check_ranges(c, err));
  TRM_TRY(trm__puzzle_check(&c->puzzle, c->vocab_size, c->seq_len, "the model", err));
  if (c->hidden_size % c->num_heads)
    TRM_FAIL(err, TRM_E_CONFIG, "hidden_size = %d must be a multiple of num_heads = %d",
             c->hidden_size, c->num_heads);
  if (c->pos_encodings == TRM_POS_ROPE && !c->mlp_t && c->hidden_size / c->num_heads % 2)
    TRM_FAIL(err, TRM_E_CONFIG,
             "rotary positions need an even head size; hidden_size / num_heads = %d",
             c->hidden_size / c->num_heads);
  bool low = c->arch != TRM_ARCH_TRANSFORMER;
  bool high = c->arch == TRM_ARCH_TRANSFORMER || c->arch == TRM_ARCH_HRM;
  if ((low && (c->L_layers < 1 || c->L_cycles < 1)) || (high && c->H_layers < 1))
    TRM_FAIL(
        err, TRM_E_CONFIG, "%s needs %s", trm_arch_name(c->arch),
        high ? (low ? "L_layers, H_layers and L_cycles of at least 1" : "H_layers of at least 1")
             : "L_layers and L_cycles of at least 1");
  if (c->arch == TRM_ARCH_HIER6 && c->L_cycles > TRM__MAX_LATENTS - 1)
    TRM_FAIL(err, TRM_E_CONFIG, "trm_hier6 has 6 latents: L_cycles = %d is too many", c->L_cycles);
  if ((int64_t)trm__puzzle_positions(c) * c->hidden_size < c->puzzle_emb_ndim)
    TRM_FAIL(err, TRM_E_CONFIG,
             "puzzle_emb_ndim = %d does not fit into puzzle_emb_len = %d positions of %d values",
             c->puzzle_emb_ndim, c->puzzle_emb_len, c->hidden_size);
  return TRM_OK;
}
