/* A supervision step in bfloat16 against the same step in float32: latents, logits, q and all
 * gradients within what rounding the operands explains, on every instruction set of this machine.
 * With TRM_ISA on that one alone; with TEST_BRIEF with less work: an emulator is a hundred times
 * slower.
 * double_formats.c is the same in double. */
#include "probe.h"

#include <stdio.h>
#include <stdlib.h>

#include "kernels/kernels.h"
#include "nn/model.h"
#include "nn/walk.h"

enum { ROWS = 8, SEQ = 17, MAX_ISA = 8 };
/* Relative, of norms. bfloat16 has 8 bits: an operand is off by 2^-9 at most. A dozen products pass
 * that on forward and as many backward. */
static const double FORWARD = 0.01, BACKWARD = 0.04, DIFFERENT = 1e-4;

typedef struct input {
  trm_model *model;
  trm__pool *pool;
  int32_t inputs[ROWS * SEQ], labels[ROWS * SEQ], steps[ROWS];
  const real *puzzle[ROWS];
  real *start[TRM__MAX_LATENTS];
  int64_t latent; /* of all rows */
} input;

/* What a step leaves. */
typedef struct result {
  real *z[TRM__MAX_LATENTS], *logits, *q, *grads, *d_puzzle;
} result;

typedef struct job {
  const input *in;
  trm__backend *be;
  trm__walker *w;
  trm__tile tile;
  real **step_grads; /* NULL: inference */
  real *outer;
} job;

static input *input_open(const trm_model_config *c) {
  input *in = trm__alloc(1, sizeof *in);
  trm__rng rng = probe_rng(31);
  trm_error err;
  assert_non_null(in);
  if (trm_model_create(c, 3, &in->model, &err) != TRM_OK) fail_msg("%s", err.msg);
  assert_int_equal(trm__pool_create(1, &in->pool, &err), TRM_OK);
  const trm__layout *l = in->model->layout;
  const trm__dims *m = &l->dims;
  in->latent = (int64_t)ROWS * m->L * m->D;
  /* Nets as they are created blow up what enters them; these keep an error small. */
  for (int64_t i = l->net_offset[0]; i < l->n_params; i++) in->model->params[i] *= (real)0.7;
  probe_fill(in->model->puzzle_emb, l->n_puzzle_emb, 1, &rng);
  probe_fill(in->model->params + l->outer.q_weight, 2 * m->D, 0.1, &rng);
  for (int i = 0; i < ROWS * SEQ; i++) {
    in->inputs[i] = (int32_t)trm__rng_below(&rng, (uint32_t)m->V);
    in->labels[i] = (int32_t)trm__rng_below(&rng, (uint32_t)m->V);
  }
  for (int r = 0; r < ROWS; r++) {
    in->puzzle[r] = in->model->puzzle_emb + (int64_t)r * m->E;
    in->steps[r] = r + 1;
  }
  for (int i = 0; i < l->plan->n_latents; i++) in->start[i] = probe_random(in->latent, 1.7, &rng);
  return in;
}
static void input_close(input *in) {
  for (int i = 0; i < TRM__MAX_LATENTS; i++) trm__free(in->start[i]);
  trm__pool_free(in->pool);
  trm_model_free(in->model);
  trm__free(in);
}
static void result_free(result *r) {
  for (int i = 0; i < TRM__MAX_LATENTS; i++) trm__free(r->z[i]);
  trm__free(r->logits);
  trm__free(r->q);
  trm__free(r->grads);
  trm__free(r->d_puzzle);
}

static void walk_lane(void *arg, trm__lane *lane) {
  job *j = arg;
  j->be->ops->pack(j->be, lane, j->in->model->params);
  trm__lane_barrier(lane);
  if (j->step_grads)
    trm__walk_train(j->w, lane, &j->tile, j->step_grads, j->outer, j->outer, false);
  else
    trm__walk_infer(j->w, lane, &j->tile);
}

/* Latents go from the start. */
static void walk(job *j, result *r) {
  /* One tile of all rows, from the same latents as every other walk. */
  const trm__layout *l = j->in->model->layout;
  trm__row_loss loss[ROWS];
  j->tile = (trm__tile){.rows = ROWS,
                        .inputs = j->in->inputs,
                        .puzzle = l->dims.E ? j->in->puzzle : NULL,
                        .logits = r->logits,
                        .q = r->q,
                        .labels = j->in->labels,
                        .steps = j->in->steps,
                        .max_steps = 16,
                        .loss = loss,
                        .d_puzzle = r->d_puzzle};

  for (int i = 0; i < l->plan->n_latents; i++) {
    memcpy(r->z[i], j->in->start[i], (size_t)j->in->latent * sizeof(real));
    j->tile.z[i] = r->z[i];
  }

  /* One lane walks it, with gradients where they are wanted. */
  assert_int_equal(trm__walker_create(l, j->be, ROWS, 1, j->step_grads != NULL, &j->w, NULL),
                   TRM_OK);
  trm__pool_run(j->in->pool, 1, walk_lane, j);
  trm__walker_free(j->w);
}

/* Gradients of a net are summed over its steps into the flat block. */
static void train(job *j, result *r) {
  /* Each step of the tail has a block of gradients for its net. */
  const trm__layout *l = j->in->model->layout;
  const trm__plan *p = l->plan;
  int n = p->n_grads;
  j->step_grads = trm__alloc((size_t)n, sizeof *j->step_grads);
  assert_non_null(j->step_grads);
  j->outer = r->grads;
  for (int i = 0; i < n; i++) {
    int net = p->grad_net[i];
    j->step_grads[i] =
        trm__alloc((size_t)(l->net_offset[net + 1] - l->net_offset[net]), sizeof(real));
    assert_non_null(j->step_grads[i]);
  }

  /* Its steps are added up in their order. */
  walk(j, r);
  for (int i = 0; i < n; i++) {
    int net = p->grad_net[i];
    for (int64_t at = l->net_offset[net]; at < l->net_offset[net + 1]; at++)
      r->grads[at] += j->step_grads[i][at - l->net_offset[net]];
    trm__free(j->step_grads[i]);
  }
  trm__free(j->step_grads);
}

static result run(const input *in, trm_dtype dtype) {
  trm_error err;
  assert_int_equal(trm_model_set_dtype(in->model, dtype, NULL), TRM_OK);
  const trm__layout *l = in->model->layout;
  const trm__dims *m = &l->dims;
  result r = {.logits = probe_reals((int64_t)ROWS * SEQ * m->V),
              .q = probe_reals(2 * ROWS),
              .grads = trm__alloc((size_t)l->n_params, sizeof(real)),
              .d_puzzle = probe_reals((int64_t)ROWS * m->E)};
  assert_non_null(r.grads);
  for (int i = 0; i < l->plan->n_latents; i++) r.z[i] = probe_reals(in->latent);
  job j = {.in = in};
  if (trm__cpu_create(m, &l->outer, l->blocks, l->n_blocks, true, &j.be, &err) != TRM_OK)
    fail_msg("%s", err.msg);
  train(&j, &r); /* its logits stay in the walker */
  j.step_grads = NULL;
  walk(&j, &r);
  j.be->ops->destroy(j.be);
  return r;
}

/* Close, and yet not the same: the format took effect. */
static void compare(const char *name, const char *what, const real *got, const real *want,
                    int64_t n, double bound) {
  double error = probe_error(got, want, n);
  probe_below(error, bound, "%s %s in bfloat16", name, what);
  probe_true(error > DIFFERENT, "%s %s: bfloat16 is no other than float32", name, what);
}

static void check_formats(const char *name, const trm_model_config *c) {
  input *in = input_open(c);
  const trm__layout *l = in->model->layout;
  result want = run(in, TRM_FLOAT32), got = run(in, TRM_BFLOAT16);
  for (int i = 0; i < l->plan->n_latents; i++)
    compare(name, l->plan->latent[i], got.z[i], want.z[i], in->latent, FORWARD);
  compare(name, "logits", got.logits, want.logits, (int64_t)ROWS * SEQ * l->dims.V, FORWARD);
  compare(name, "q", got.q, want.q, 2 * ROWS, FORWARD);
  for (int s = 0; s < l->n_slots; s++) {
    const trm__slot *slot = &l->slots[s];
    if (slot->kind == TRM_TENSOR_PARAM && strcmp(slot->name, "q_head.bias") != 0)
      compare(name, slot->name, got.grads + slot->offset, want.grads + slot->offset, slot->count,
              BACKWARD);
  }
  if (l->dims.E)
    compare(name, "puzzle_emb", got.d_puzzle, want.d_puzzle, (int64_t)ROWS * l->dims.E, BACKWARD);
  result_free(&want);
  result_free(&got);
  input_close(in);
}

static trm_model_config model_of(trm_arch arch, bool mlp_t, trm_pos_encodings pos) {
  trm_model_config c = trm_model_config_default(arch);
  c.vocab_size = 9;
  c.seq_len = SEQ;
  c.num_puzzle_identifiers = ROWS;
  c.hidden_size = 64;
  c.num_heads = 2;
  c.H_cycles = 2;
  c.L_cycles = c.L_layers = 1;
  c.mlp_t = mlp_t;
  c.pos_encodings = pos;
  c.puzzle_emb_ndim = mlp_t ? 0 : 70;
  c.puzzle_emb_len = 2;
  if (c.H_layers) c.H_layers = 1;
  return c;
}

static void bfloat16_is_close_to_float32(void **state) {
  /* Models that between them take every block and every way of telling positions. */
  static const struct {
    const char *name;
    trm_arch arch;
    bool mlp_t;
    trm_pos_encodings pos;
  } models[] = {{"mixer", TRM_ARCH_TRM, true, TRM_POS_NONE},
                {"attention", TRM_ARCH_TRM, false, TRM_POS_ROPE},
                {"learned positions", TRM_ARCH_TRM, false, TRM_POS_LEARNED},
                {"hrm", TRM_ARCH_HRM, false, TRM_POS_ROPE}};

  /* The instruction sets of this machine, or the one that is forced. */
  const trm__kernels *k[MAX_ISA];
  int isas = trm__kernels_runnable(k, MAX_ISA);
  char *before = getenv("TRM_ISA") ? strdup(getenv("TRM_ISA")) : NULL;
  const bool brief = getenv("TEST_BRIEF");
  (void)state;

  /* A short run, for an emulator, is of fewer and smaller models. */
  for (int i = 0; i < isas; i++) {
    if (before && strcmp(before, k[i]->name) != 0) continue;
    assert_int_equal(setenv("TRM_ISA", k[i]->name, 1), 0);
    for (size_t m = 0; m < (brief ? 2 : sizeof models / sizeof *models); m++) {
      char name[64];
      trm_model_config c = model_of(models[m].arch, models[m].mlp_t, models[m].pos);
      if (brief) {
        c.H_cycles = 1;
        c.hidden_size = 48;
      }
      snprintf(name, sizeof name, "%s %s", k[i]->name, models[m].name);
      check_formats(name, &c);
    }
  }

  /* What was forced before is forced again. */
  if (before)
    setenv("TRM_ISA", before, 1);
  else
    unsetenv("TRM_ISA");
  free(before);
}

static void formats_have_names(void **state) {
  (void)state;
  trm_dtype t;
  for (int i = 0; i < TRM_DTYPES; i++) {
    assert_true(trm_dtype_from_name(trm_dtype_name((trm_dtype)i), &t));
    assert_int_equal(t, i);
  }
  assert_string_equal(trm_dtype_name(TRM_BFLOAT16), "bfloat16");
  assert_true(trm_dtype_from_name("f32", &t) && t == TRM_FLOAT32);
  assert_true(trm_dtype_from_name("bf16", &t) && t == TRM_BFLOAT16);
  assert_null(trm_dtype_name(TRM_DTYPES));
  assert_null(trm_dtype_name((trm_dtype)-1));
  assert_false(trm_dtype_from_name("half", &t));
  assert_false(trm_dtype_from_name("", &t));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(bfloat16_is_close_to_float32),
                                     cmocka_unit_test(formats_have_names)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
