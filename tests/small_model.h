/* Models that are small enough to run in every test and give answers that differ. */
#ifndef TRM_TESTS_SMALL_MODEL_H
#define TRM_TESTS_SMALL_MODEL_H

#include "base/rng.h"
#include "scratch.h"
#include "trm.h"

static inline trm_model_config small_config(trm_arch arch, int seq_len) {
  trm_model_config c = trm_model_config_default(arch);
  c.vocab_size = 7;
  c.seq_len = seq_len;
  c.num_puzzle_identifiers = 3;
  c.hidden_size = 16;
  c.num_heads = 2;
  c.H_cycles = 2;
  c.L_cycles = arch == TRM_ARCH_TRANSFORMER ? 0 : 2;
  c.L_layers = arch == TRM_ARCH_TRANSFORMER ? 0 : 1;
  c.H_layers = arch == TRM_ARCH_TRANSFORMER || arch == TRM_ARCH_HRM ? 1 : 0;
  c.puzzle_emb_ndim = 20;
  c.puzzle_emb_len = 2;
  c.halt_max_steps = 4;
  c.forward_dtype = TRM_FLOAT32;
  return c;
}

/* A created model says -5 for every q and knows no puzzle ids; this one has values in both. */
static inline trm_model *small_model(const trm_model_config *c, uint64_t seed) {
  static const char *const names[] = {"q_head.weight", "q_head.bias", "puzzle_emb.weights"};
  trm_model *m;
  trm_error err;
  if (trm_model_create(c, seed, &m, &err) != TRM_OK) fail_msg("%s", err.msg);
  for (uint32_t k = 0; k < 3; k++) {
    trm_tensor t = trm_model_tensor_named(m, names[k]);
    trm__rng r = trm__rng_at(seed, TRM__RNG_TEST, 0, k);
    for (int64_t i = 0; i < t.count; i++) t.data[i] = (float)(2 * trm__rng_uniform(&r) - 1);
  }
  return m;
}

/* Names, shapes and every bit. */
static inline bool same_tensors(const trm_model *a, const trm_model *b) {
  if (trm_model_tensor_count(a) != trm_model_tensor_count(b)) return false;
  for (int i = 0; i < trm_model_tensor_count(a); i++) {
    trm_tensor s = trm_model_tensor_at(a, i), t = trm_model_tensor_at(b, i);
    if (strcmp(s.name, t.name) || s.kind != t.kind || s.count != t.count || s.ndim != t.ndim ||
        memcmp(s.shape, t.shape, sizeof s.shape) ||
        memcmp(s.data, t.data, (size_t)s.count * sizeof *s.data))
      return false;
  }
  return true;
}

#endif
