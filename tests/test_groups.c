/* Groups of tensors with rules, rates and decays of their own; the host's place within the
 * reduction; and several trainers that share a batch. */
#include <math.h>
#include <pthread.h>

#include "small_trainer.h"
#include "train/trainer.h"

enum { UPDATES = 4 };

/* --- groups --- */

static bool is_mlp(const trm__slot *s) {
  return s->kind == TRM_TENSOR_PARAM && strstr(s->name, ".mlp.");
}
static bool is_dense(const trm__slot *s) {
  return s->kind == TRM_TENSOR_PARAM;
}
static bool is_any(const trm__slot *s) {
  return s->kind != TRM_TENSOR_BUFFER;
}

/* The weights of the SwiGLU apart from the rest; both as the configuration says. */
static int two_groups(const trm_trainer_config *c, trm__group_spec out[TRM__MAX_GROUPS]) {
  trm__group_spec own[TRM__MAX_GROUPS];
  assert_int_equal(trm__group_specs(c, own), 2);
  out[0] = out[1] = own[0];
  out[0].takes = is_mlp;
  out[2] = own[1];
  return 3;
}

static trm_trainer *grouped(const trm_model *m, const trm_trainer_config *c,
                            const trm__group_spec *specs, int n) {
  trm_trainer *t;
  trm_error err;
  if (trm__trainer_create(m, c, specs, n, &t, &err) != TRM_OK) fail_msg("%s", err.msg);
  return t;
}

static void one_group_or_two_are_the_same_bits(void **state) {
  /* Both rules, with one thread and two. */
  (void)state;
  const trm_optimizer optimizers[] = {TRM_OPT_ADAM_ATAN2, TRM_OPT_ADAMW};
  for (size_t i = 0; i < 2; i++)
    for (int threads = 1; threads <= 2; threads++) {
      /* Two layers, so that neither group is one stretch. */
      trm_model_config mc = model_config(ATTENTION);
      mc.L_layers = 2;
      trm_model *m = small_model(&mc, 5);
      trm_trainer_config c = small_training(12);
      c.optimizer = optimizers[i];
      c.threads = threads;

      /* One trainer with one group of all weights, one with two of the same rates. */
      trm__group_spec specs[TRM__MAX_GROUPS];
      trm_trainer *one = small_trainer(m, &c), *two = grouped(m, &c, specs, two_groups(&c, specs));
      assert_int_equal(one->groups.group[0].n_segments, 1);
      assert_true(two->groups.group[0].n_segments > 1 && two->groups.group[1].n_segments > 1);

      /* Their weights and averages stay the same. */
      for (int u = 0; u < UPDATES; u++) {
        small_update(one);
        small_update(two);
      }
      assert_true(same_tensors(one->model, two->model));
      assert_true(same_tensors(trm_trainer_ema(one), trm_trainer_ema(two)));
      trm_trainer_free(one);
      trm_trainer_free(two);
      trm_model_free(m);
    }
}

/* The rest moves as if there were no groups, in the first update. */
static void a_group_has_its_own_rate_and_decay(void **state) {
  /* One group does not move. */
  (void)state;
  const trm_model_config mc = model_config(ATTENTION);
  trm_model *m = small_model(&mc, 5);
  const trm_trainer_config c = small_training(12);
  trm__group_spec specs[TRM__MAX_GROUPS];
  const int n = two_groups(&c, specs);
  specs[0].lr = specs[0].weight_decay = 0;

  /* One update of it, beside one without groups. */
  trm_trainer *one = small_trainer(m, &c), *two = grouped(m, &c, specs, n);
  small_update(one);
  small_update(two);

  /* Tensors of that group are what they were; the others are those of the trainer without
   * groups. */
  for (int i = 0; i < trm_model_tensor_count(m); i++) {
    const trm_tensor before = trm_model_tensor_at(m, i),
                     want = trm_model_tensor_at(
                         is_mlp(&m->layout->slots[i]) ? m : trm_trainer_weights(one), i),
                     got = trm_model_tensor_at(trm_trainer_weights(two), i);
    assert_memory_equal(got.data, want.data, (size_t)got.count * sizeof *got.data);
    if (before.kind == TRM_TENSOR_PARAM && !is_mlp(&m->layout->slots[i]))
      assert_memory_not_equal(got.data, before.data, (size_t)got.count * sizeof *got.data);
  }
  trm_trainer_free(one);
  trm_trainer_free(two);
  trm_model_free(m);
}

/* Rules that name the same state share its tensor, and a saved state goes on where it was. */
static void a_state_of_two_rules_goes_on(void **state) {
  /* Two groups of different rules. */
  scratch *s = *state;
  const trm_model_config mc = model_config(MIXER);
  trm_model *m = small_model(&mc, 5);
  const trm_trainer_config c = small_training(12);
  trm__group_spec specs[TRM__MAX_GROUPS];
  const int n = two_groups(&c, specs);
  specs[0].rule = (trm__rule)TRM_OPT_ADAMW;
  specs[0].weight_decay = 0.3;

  /* The state has each tensor once, whichever rule uses it. */
  trm_trainer *whole = grouped(m, &c, specs, n), *next = grouped(m, &c, specs, n);
  assert_int_equal(whole->groups.n_states, 2);
  assert_string_equal(whole->groups.state[0].name, "adam_m");
  for (int i = 0; i < 2; i++) assert_int_equal(whole->groups.state[i].n, m->layout->n_params);

  /* Half of the way one is saved, and another one goes on from there. */
  for (int u = 0; u < UPDATES; u++) {
    if (u == UPDATES / 2) {
      assert_int_equal(trm_trainer_save(whole, scratch_path(s, "state"), NULL), TRM_OK);
      assert_int_equal(trm_trainer_load(next, s->path, NULL), TRM_OK);
    }
    small_update(whole);
    if (u >= UPDATES / 2) small_update(next);
  }

  /* Both end in the same state. */
  same_trainers(s, whole, next);
  trm_trainer_free(whole);
  trm_trainer_free(next);
  trm_model_free(m);
}

/* Every trained value is in one segment; a rule that works by matrix gets each as it is. */
static void segments_cover_the_weights(void **state) {
  (void)state;
  const trm_model_config mc = model_config(ATTENTION);
  trm_model *m = small_model(&mc, 5);
  const trm_trainer_config c = small_training(12);
  trm__group_spec specs[TRM__MAX_GROUPS];
  trm__groups g;
  assert_int_equal(trm__groups_create(m->layout, specs, two_groups(&c, specs), &g, NULL), TRM_OK);
  int64_t n = 0;
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < g.group[i].n_segments; j++) n += g.group[i].segments[j].n;
  assert_int_equal(n, m->layout->n_params);
  assert_int_equal(trm__groups_reals(&g), 2 * n);
  assert_int_equal(g.group[2].n_segments, 1);
  assert_int_equal(g.group[2].segments[0].rows, mc.num_puzzle_identifiers);
  assert_int_equal(g.group[2].segments[0].cols, mc.puzzle_emb_ndim);
  trm__groups_free(&g, NULL);

  /* Matrix by matrix, at the places of the layout. */
  const trm__group_spec each = {.takes = is_any, .rule = TRM__RULE_SIGN_ROWS};
  assert_int_equal(trm__groups_create(m->layout, &each, 1, &g, NULL), TRM_OK);
  int at = 0;
  for (int i = 0; i < m->layout->n_slots; i++) {
    const trm__slot *s = &m->layout->slots[i];
    if (s->kind == TRM_TENSOR_BUFFER) continue;
    const trm__segment *have = &g.group[0].segments[at++];
    assert_true(have->at == s->offset && have->n == s->count && have->rows == s->shape[0] &&
                have->cols == s->shape[1]);
  }
  assert_int_equal(g.n_segments, at);
  assert_int_equal(trm__groups_reals(&g), 0);
  trm__groups_free(&g, NULL);
  trm_model_free(m);
}

/* Tensors of different blocks are apart, also where the place of one is the end of another. */
static void segments_stay_in_their_block(void **state) {
  (void)state;
  trm_model_config mc = model_config(MIXER);
  mc.num_puzzle_identifiers = 17; /* as many values as stand before the first layer */
  mc.puzzle_emb_ndim = 16;
  trm_model *m = small_model(&mc, 5);
  const trm__layout *l = m->layout;
  const trm__group_spec all = {.takes = is_any, .rule = (trm__rule)TRM_OPT_ADAMW};
  trm__groups g;
  assert_int_equal(l->n_puzzle_emb, l->net_offset[0]);
  assert_int_equal(trm__groups_create(l, &all, 1, &g, NULL), TRM_OK);
  assert_int_equal(g.n_segments, 3);
  const trm__segment *have = g.segments;
  assert_true(have[0].at == 0 && have[0].n == l->net_offset[0]);
  assert_true(have[1].at == 0 && have[1].n == l->n_puzzle_emb);
  assert_true(have[2].at == l->net_offset[0] && have[2].n == l->n_params - l->net_offset[0]);
  trm__groups_free(&g, NULL);
  trm_model_free(m);
}

/* Muon has the matrices of the nets, a head's q, k and v each for itself or as one; AdamW has
 * embeddings, heads and vectors. */
static void muon_shares_the_weights_with_adamw(void **state) {
  (void)state;
  for (int per_head = 0; per_head < 2; per_head++) {
    const trm_model_config mc = model_config(ATTENTION);
    trm_model *m = small_model(&mc, 5);
    trm_trainer_config c = small_training(12);
    trm__group_spec specs[TRM__MAX_GROUPS];
    trm__groups g;
    c.optimizer = TRM_OPT_MUON;
    c.muon_per_head = per_head;
    const int n = trm__group_specs(&c, specs);
    assert_int_equal(trm__groups_create(m->layout, specs, n, &g, NULL), TRM_OK);

    /* In the order of the names, by their kinds. */
    int at = 0;
    for (int i = 0; i < m->layout->n_slots; i++) {
      const trm__slot *s = &m->layout->slots[i];
      if (!strstr(s->name, ".layers.")) continue;
      const trm__segment *have = &g.group[0].segments[at++];
      const int heads = per_head && strstr(s->name, ".qkv_proj") ? 3 * mc.num_heads : 1;
      assert_true(have->at == s->offset && have->count == heads &&
                  have->rows * heads == s->shape[0] && have->cols == s->shape[1]);
    }
    assert_int_equal(g.group[0].n_segments, at);

    /* What is before the nets is one stretch, and each tensor of state has its part. */
    assert_int_equal(g.group[1].n_segments, 1);
    assert_int_equal(g.group[1].segments[0].n, m->layout->net_offset[0]);
    assert_int_equal(g.n_states, 3);
    assert_string_equal(g.state[0].name, "muon_m");
    assert_true(g.state[1].n == m->layout->net_offset[0] && g.state[2].n == g.state[1].n);

    /* What a trainer costs has their scratch: X and its successor at least. */
    const int64_t kept = g.state[0].n + 2 * g.state[1].n;
    assert_true(trm__groups_reals(&g) >= kept + 2 * 2 * 256 * mc.hidden_size);
    trm__groups_free(&g, NULL);
    trm_model_free(m);
  }
}

static void a_tensor_without_a_group_is_refused(void **state) {
  (void)state;
  const trm_model_config mc = model_config(MIXER);
  trm_model *m = small_model(&mc, 5);
  const trm_trainer_config c = small_training(12);
  const trm__group_spec only = {.takes = is_dense, .rule = (trm__rule)TRM_OPT_ADAMW};
  trm_trainer *t = NULL;
  trm_error err;
  assert_int_equal(trm__trainer_create(m, &c, &only, 1, &t, &err), TRM_E_ARGUMENT);
  assert_non_null(strstr(err.msg, "puzzle_emb.weights"));
  trm_model_free(m);
}

/* --- the host within the reduction --- */

typedef struct visit {
  int times;
  trm_status status;
  float factor;
} visit;

static trm_status look(void *arg, trm__backend *be, const trm__update *u, trm_error *err) {
  visit *v = arg;
  v->times++;
  if (v->status != TRM_OK) return trm__fail(err, v->status, -1, "the others are gone");
  if (be->ops->host && v->factor != 1)
    for (int64_t i = 0; i < u->n; i++) u->grads[i] *= v->factor;
  return TRM_OK;
}

static void the_host_may_look_and_change_nothing(void **state) {
  /* Two trainers, one with a visitor between the halves of the update. */
  scratch *s = *state;
  const trm_model_config mc = model_config(HRM);
  trm_model *m = small_model(&mc, 5);
  const trm_trainer_config c = small_training(12);
  trm_trainer *alone = small_trainer(m, &c), *seen = small_trainer(m, &c);
  visit v = {.factor = 1};
  seen->between = look;
  seen->between_arg = &v;

  /* It comes once in each update, and sees sums that it does not touch. */
  for (int u = 0; u < UPDATES; u++) {
    small_update(alone);
    small_update(seen);
  }
  assert_int_equal(v.times, UPDATES);

  /* The state is that of the other one, though the update was two programs. */
  same_trainers(s, alone, seen);
  trm_trainer_free(alone);
  trm_trainer_free(seen);
  trm_model_free(m);
}

static void what_the_host_leaves_is_what_counts(void **state) {
  (void)state;
  const trm_model_config mc = model_config(MIXER);
  trm_model *m = small_model(&mc, 5);
  const trm_trainer_config c = small_training(12);
  trm_trainer *alone = small_trainer(m, &c), *seen = small_trainer(m, &c);
  visit v = {.factor = 0.25f}; /* a power of two: every bit stays */
  seen->between = look;
  seen->between_arg = &v;
  const trm_metrics whole = small_update(alone), quarter = small_update(seen);
  assert_true(quarter.grad_norm == whole.grad_norm / 4);
  assert_true(quarter.loss == whole.loss);

  /* Its failure is the update's, and no weight has moved. */
  small_batch b;
  trm_error err;
  trm_model *before;
  assert_int_equal(trm_model_clone(trm_trainer_weights(seen), &before, NULL), TRM_OK);
  v.status = TRM_E_SYSTEM;
  const trm_batch fresh = small_batch_at(&b, 1);
  assert_int_equal(trm_trainer_step(seen, &fresh, NULL, &err), TRM_E_SYSTEM);
  assert_string_equal(err.msg, "the others are gone");
  assert_true(same_tensors(before, trm_trainer_weights(seen)));
  assert_int_equal(trm_trainer_updates(seen), 1);
  trm_model_free(before);
  trm_trainer_free(alone);
  trm_trainer_free(seen);
  trm_model_free(m);
}

/* --- a shared batch --- */

enum { ALL = 24, HALF = ALL / 2 };

typedef struct meeting {
  pthread_barrier_t gate;
  real *sum[2];
} meeting;

typedef struct half {
  meeting *all;
  int index;
  trm_trainer *trainer;
} half;

/* What an all-reduce would do: both get the sum of both, for the mean over all rows. */
static trm_status exchange(void *arg, trm__backend *be, const trm__update *u, trm_error *err) {
  half *h = arg;
  real *own = h->all->sum[h->index];
  (void)be;
  (void)err;
  memcpy(own, u->grads, (size_t)u->n * sizeof *own);
  (void)pthread_barrier_wait(&h->all->gate);
  for (int64_t i = 0; i < u->n; i++)
    u->grads[i] = (h->all->sum[0][i] + h->all->sum[1][i]) * HALF / ALL;
  (void)pthread_barrier_wait(&h->all->gate);
  return TRM_OK;
}

static void *run_half(void *arg) {
  half *h = arg;
  for (uint64_t u = 0; u < UPDATES; u++) {
    small_batch b;
    const trm_batch all = small_batch_at(&b, u);
    const int row = h->index * HALF;
    const trm_batch own = {all.inputs + row * SMALL_LEN, all.labels + row * SMALL_LEN,
                           all.puzzle_ids + row};
    assert_int_equal(trm_trainer_step(h->trainer, &own, NULL, NULL), TRM_OK);
  }
  return NULL;
}

/* The largest distance of two models' weights. (gcc 12 for ARM fails on it with fmax.) */
static double farthest(const trm_model *a, const trm_model *b) {
  double most = 0;
  for (int64_t i = 0; i < a->layout->n_params; i++) {
    const double distance = fabs((double)a->params[i] - (double)b->params[i]);
    if (distance > most) most = distance;
  }
  return most;
}

static void two_trainers_share_a_batch(void **state) {
  (void)state;
  trm_model_config mc = model_config(MIXER);
  mc.puzzle_emb_ndim = mc.puzzle_emb_len = 0;
  trm_model *m;
  assert_int_equal(trm_model_create(&mc, 5, &m, NULL), TRM_OK);
  trm_trainer_config c = small_training(ALL);
  trm_trainer *one = small_trainer(m, &c);
  meeting all;
  half halves[2];
  pthread_t other;
  assert_int_equal(pthread_barrier_init(&all.gate, NULL, 2), 0);
  c.batch_size = HALF;
  for (int i = 0; i < 2; i++) {
    c.first_row = i * HALF;
    halves[i] = (half){&all, i, small_trainer(m, &c)};
    halves[i].trainer->between = exchange;
    halves[i].trainer->between_arg = &halves[i];
    all.sum[i] = malloc((size_t)m->layout->n_params * sizeof(real));
  }
  for (int u = 0; u < UPDATES; u++) small_update(one);
  assert_int_equal(pthread_create(&other, NULL, run_half, &halves[1]), 0);
  run_half(&halves[0]);
  assert_int_equal(pthread_join(other, NULL), 0);

  /* What was drawn for a row is the same whoever had it, and something was. */
  int drawn = 0;
  for (int r = 0; r < ALL; r++) {
    drawn += one->drawn[r] > 0;
    assert_int_equal(halves[r / HALF].trainer->drawn[r % HALF], one->drawn[r]);
    assert_int_equal(halves[r / HALF].trainer->view.steps[r % HALF], one->view.steps[r]);
  }
  assert_true(drawn > 0 && drawn < ALL);
  /* Both halves hold the same weights, and those of the whole but for the order of the sums. */
  assert_true(same_tensors(halves[0].trainer->model, halves[1].trainer->model));
  assert_true(farthest(one->model, halves[0].trainer->model) < 1e-4);
  assert_true(farthest(one->model, m) > 1e-3);

  for (int i = 0; i < 2; i++) {
    trm_trainer_free(halves[i].trainer);
    free(all.sum[i]);
  }
  (void)pthread_barrier_destroy(&all.gate);
  trm_trainer_free(one);
  trm_model_free(m);
}

static void a_first_row_out_of_range_is_refused(void **state) {
  (void)state;
  const trm_model_config mc = model_config(MIXER);
  trm_model *m = small_model(&mc, 5);
  trm_trainer_config c = small_training(12);
  trm_trainer *t;
  trm_error err;
  c.first_row = -1;
  assert_int_equal(trm_trainer_create(m, &c, &t, &err), TRM_E_CONFIG);
  assert_non_null(strstr(err.msg, "first_row"));
  c.first_row = (int64_t)1 << 32;
  assert_int_equal(trm_trainer_create(m, &c, &t, &err), TRM_E_CONFIG);
  trm_model_free(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_group_or_two_are_the_same_bits),
      cmocka_unit_test(a_group_has_its_own_rate_and_decay),
      cmocka_unit_test(a_state_of_two_rules_goes_on),
      cmocka_unit_test(segments_cover_the_weights),
      cmocka_unit_test(segments_stay_in_their_block),
      cmocka_unit_test(muon_shares_the_weights_with_adamw),
      cmocka_unit_test(a_tensor_without_a_group_is_refused),
      cmocka_unit_test(the_host_may_look_and_change_nothing),
      cmocka_unit_test(what_the_host_leaves_is_what_counts),
      cmocka_unit_test(two_trainers_share_a_batch),
      cmocka_unit_test(a_first_row_out_of_range_is_refused),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
