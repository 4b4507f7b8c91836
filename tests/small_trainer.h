/* Trainers of small models, batches for them, and their whole state as bytes. */
#ifndef TRM_TESTS_SMALL_TRAINER_H
#define TRM_TESTS_SMALL_TRAINER_H

#include "small_model.h"

enum { SMALL_LEN = 6, SMALL_BATCH = 48, SMALL_ROWS = 8 * 70 };

typedef struct small_batch {
  int32_t inputs[SMALL_ROWS * SMALL_LEN], labels[SMALL_ROWS * SMALL_LEN], ids[SMALL_ROWS];
} small_batch;

/* The n-th batch of a fixed sequence; every sixth label is ignored, and now and then a whole row.
 */
static inline trm_batch small_batch_at(small_batch *b, uint64_t n) {
  trm__rng r = trm__rng_at(n, TRM__RNG_TEST, 1, 0);
  for (int row = 0; row < SMALL_ROWS; row++) {
    const uint32_t ignored = trm__rng_below(&r, 9) == 0 ? 1 : 6;
    b->ids[row] = (int32_t)trm__rng_below(&r, 3);
    for (int i = row * SMALL_LEN; i < (row + 1) * SMALL_LEN; i++) {
      b->inputs[i] = (int32_t)trm__rng_below(&r, 7);
      b->labels[i] = (int32_t)trm__rng_below(&r, 7);
      if (trm__rng_below(&r, ignored) == 0) b->labels[i] = TRM_IGNORE_LABEL;
    }
  }
  return (trm_batch){b->inputs, b->labels, b->ids};
}

static inline trm_trainer_config small_training(int batch_size) {
  trm_trainer_config c = trm_trainer_config_default();
  c.batch_size = batch_size;
  c.threads = 1;
  c.lr = 3e-3;
  c.lr_warmup_steps = 2;
  c.total_steps = 30;
  c.lr_min_ratio = 0.1;
  c.ema_rate = 0.9;
  return c;
}

static inline trm_trainer *small_trainer(const trm_model *m, const trm_trainer_config *c) {
  trm_trainer *t;
  trm_error err;
  if (trm_trainer_create(m, c, &t, &err) != TRM_OK) fail_msg("%s", err.msg);
  return t;
}

/* The update with the batch of its number. */
static inline trm_metrics small_update(trm_trainer *t) {
  static small_batch b;
  trm_metrics m;
  trm_error err;
  const trm_batch fresh = small_batch_at(&b, (uint64_t)trm_trainer_updates(t));
  if (trm_trainer_step(t, &fresh, &m, &err) != TRM_OK) fail_msg("%s", err.msg);
  return m;
}

/* Every q becomes about `halt` and `go`, whatever the latents are. */
static inline void set_q(trm_model *m, float halt, float go) {
  trm_tensor w = trm_model_tensor_named(m, "q_head.weight");
  trm_tensor b = trm_model_tensor_named(m, "q_head.bias");
  memset(w.data, 0, (size_t)w.count * sizeof *w.data);
  b.data[0] = halt;
  b.data[1] = go;
}

typedef struct state_bytes {
  unsigned char *data;
  size_t n;
} state_bytes;

static inline state_bytes state_of(scratch *s, const trm_trainer *t) {
  state_bytes b;
  trm_error err;
  if (trm_trainer_save(t, scratch_path(s, "bytes"), &err) != TRM_OK) fail_msg("%s", err.msg);
  b.data = read_bytes(s->path, &b.n);
  return b;
}

static inline int same_state(state_bytes a, state_bytes b) {
  return a.n == b.n && memcmp(a.data, b.data, a.n) == 0;
}

/* Both trainers would be saved as the same bytes. */
static inline void same_trainers(scratch *s, const trm_trainer *a, const trm_trainer *b) {
  const state_bytes x = state_of(s, a), y = state_of(s, b);
  assert_true(same_state(x, y));
  free(x.data);
  free(y.data);
}

enum { MIXER, ATTENTION, HRM, N_MODELS, ODD_MIXER, ODD_ATTENTION, TIED, EXPERTS };

/* Models that between them take every way through an update. */
static inline trm_model_config model_config(int which) {
  trm_model_config c = small_config(which == HRM ? TRM_ARCH_HRM : TRM_ARCH_TRM, SMALL_LEN);
  c.mlp_t = which == MIXER || which == ODD_MIXER;
  c.pos_encodings = c.mlp_t ? TRM_POS_NONE : which == HRM ? TRM_POS_LEARNED : TRM_POS_ROPE;
  if (which == TIED) { /* what the outer weights may be otherwise */
    c.tie_embeddings = c.learned_latents = true;
    c.label_smoothing = 0.1;
    c.grad.kind = TRM_GRAD_ALL;
  }
  if (which == EXPERTS) c.moe = (trm_moe){TRM_ROUTER_SWITCH, 2};
  if (which == ODD_MIXER ||
      which ==
          ODD_ATTENTION) { /* an odd number of positions; channels that fill no block or vector */
    c.puzzle_emb_len = 3;
    c.hidden_size = which == ODD_MIXER ? 136 : 20;
  }
  c.halt_exploration_prob = 0.5;
  return c;
}

#endif
