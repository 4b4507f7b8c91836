/* A curriculum of depth: each of its updates is one of a model that has these cycles, bit for bit,
 * and what it cannot be is refused. */
#include "processors.h"
#include "small_trainer.h"
#include "train/curriculum.h"

enum { STAGED = 4 /* updates of the first stage, of 8 */ };

static trm_model_config deep(trm_arch arch) {
  trm_model_config c = small_config(arch, SMALL_LEN);
  c.H_cycles = 3;
  c.L_cycles = 4;
  return c;
}

static trm_trainer_config staged(const char *stages) {
  trm_trainer_config c = small_training(16);
  trm_error err;
  c.total_steps = 2 * STAGED;
  if (trm_trainer_config_set(&c, "curriculum", stages, &err) != TRM_OK) fail_msg("%s", err.msg);
  return c;
}

/* The weights behind some updates more, and the metrics of the last one. */
static trm_metrics go_on(trm_trainer *t, int updates) {
  trm_metrics m = {0};
  for (int i = 0; i < updates; i++) m = small_update(t);
  return m;
}

/* --- what an update computes --- */

static void variants_of(int which, trm_model_config *c) {
  if (which == 1) c->nets = TRM_NETS_SEPARATE;
  if (which == 2) c->grad = (trm_grad){TRM_GRAD_ALL, 0};
  if (which == 3) c->moe = (trm_moe){TRM_ROUTER_SWITCH, 2};
  if (which == 4) c->no_ACT_continue = false;
  if (which == 5)
    c->start_std = c->update_noise = 0.5; /* draws go by the update, not by its length */
}

static void a_stage_is_training_of_a_shallower_model(void **state) {
  static const trm_arch archs[] = {TRM_ARCH_TRM, TRM_ARCH_HRM, TRM_ARCH_SINGLEZ, TRM_ARCH_HIER6};
  (void)state;
  for (int which = 0; which < 4 + 5; which++) {
    trm_model_config whole = deep(which < 4 ? archs[which] : TRM_ARCH_TRM);
    if (which >= 4) variants_of(which - 3, &whole);
    trm_model_config part = whole;
    part.H_cycles = 1;
    part.L_cycles = 2;
    trm_model *m = small_model(&whole, 5), *shallow = small_model(&part, 5);
    const trm_trainer_config with = staged("[50%:T1n2]"), without = staged("null");

    /* The first stage is a model with its cycles, and its weights are the same. */
    trm_trainer *t = small_trainer(m, &with), *s = small_trainer(shallow, &without);
    const trm_metrics got = go_on(t, STAGED), want = go_on(s, STAGED);
    if (!same_tensors(trm_trainer_weights(t), trm_trainer_weights(s)) ||
        memcmp(&got, &want, sizeof got) != 0)
      fail_msg("model %d: a stage is not its cycles", which);

    /* The update behind it is the whole model's. */
    (void)go_on(t, 1);
    (void)go_on(s, 1);
    if (same_tensors(trm_trainer_weights(t), trm_trainer_weights(s)))
      fail_msg("model %d: the stage does not end", which);
    trm_trainer_free(t);
    trm_trainer_free(s);
    trm_model_free(m);
    trm_model_free(shallow);
  }
}

static void evaluations_make_all_cycles(void **state) {
  static small_batch b;
  (void)state;
  const trm_model_config whole = deep(TRM_ARCH_TRM);
  trm_trainer_config with = staged("[50%:T1n2]");
  with.ema_rate = 0;
  trm_model *m = small_model(&whole, 5), *copy;
  trm_trainer *t = small_trainer(m, &with);
  (void)go_on(t, 1);

  /* The weights amid a stage answer as a copy of them that no trainer has. */
  assert_int_equal(trm_model_clone(trm_trainer_weights(t), &copy, NULL), TRM_OK);
  const trm_model *const models[2] = {trm_trainer_weights(t), copy};
  float logits[2][SMALL_LEN * 7];
  for (int i = 0; i < 2; i++) {
    const trm_solver_config c = {.batch = 1, .threads = 1};
    trm_solver *s;
    assert_int_equal(trm_solver_create(models[i], &c, &s, NULL), TRM_OK);
    assert_int_equal(trm_solver_start(s, 1, small_batch_at(&b, 3).inputs, NULL, NULL), TRM_OK);
    assert_int_equal(trm_solver_step(s, NULL), TRM_OK);
    memcpy(logits[i], trm_solver_logits(s), sizeof logits[i]);
    trm_solver_free(s);
  }
  assert_memory_equal(logits[0], logits[1], sizeof logits[0]);
  trm_model_free(copy);
  trm_trainer_free(t);
  trm_model_free(m);
}

/* --- the same bits --- */

static state_bytes trained(scratch *s, const trm_model *m, trm_trainer_config c, int threads,
                           int micro) {
  c.threads = threads;
  c.micro_batch = micro;
  trm_trainer *t = small_trainer(m, &c);
  (void)go_on(t, 2 * STAGED);
  const state_bytes out = state_of(s, t);
  trm_trainer_free(t);
  return out;
}

static void bits_do_not_depend_on_the_split(void **state) {
  const trm_model_config whole = deep(TRM_ARCH_TRM);
  trm_model *m = small_model(&whole, 5);
  const trm_trainer_config c = staged("[25%:T1n2,75%:T2n3]");
  const state_bytes want = trained(*state, m, c, 1, 1);
  for (int threads = 1; threads <= 3; threads++)
    for (int micro = 0; micro <= 2; micro += 2) {
      const state_bytes got = trained(*state, m, c, threads, micro);
      assert_true(same_state(got, want));
      free(got.data);
    }
  free(want.data);
  trm_model_free(m);
}

static void a_state_goes_on_in_its_stage(void **state) {
  trm_error err;
  const trm_model_config whole = deep(TRM_ARCH_TRM);
  trm_model *m = small_model(&whole, 5);
  const trm_trainer_config c = staged("[25%:T1n2,75%:T2n3]");
  const state_bytes want = trained(*state, m, c, 1, 0);
  for (int at = 1; at < 2 * STAGED; at++) {
    trm_trainer *first = small_trainer(m, &c), *second = small_trainer(m, &c);
    (void)go_on(first, at);
    assert_int_equal(trm_trainer_save(first, scratch_path(*state, "stage"), &err), TRM_OK);
    assert_int_equal(trm_trainer_load(second, scratch_path(*state, "stage"), &err), TRM_OK);
    (void)go_on(second, 2 * STAGED - at);
    const state_bytes got = state_of(*state, second);
    assert_true(same_state(got, want));
    free(got.data);
    trm_trainer_free(first);
    trm_trainer_free(second);
  }
  free(want.data);
  trm_model_free(m);
}

/* --- stages --- */

static void shares_are_of_all_updates(void **state) {
  (void)state;
  const trm_curriculum c = staged("[30%:T1n2,60%:T2n3]").curriculum;
  static const int64_t first[] = {0, 30, 60};
  for (int i = 0; i < 3; i++) {
    assert_int_equal(trm__curriculum_stage(&c, first[i], 100), i);
    if (i) assert_int_equal(trm__curriculum_stage(&c, first[i] - 1, 100), i - 1);
  }
  assert_int_equal(trm__curriculum_stage(&c, 1000, 100), 2);
}

static void refuses(const trm_model_config *mc, const char *stages, const char *reason) {
  trm_trainer_config c = small_training(16);
  trm_trainer *t = NULL;
  trm_error err = {0};
  trm_model *m = small_model(mc, 5);
  trm_status st = trm_trainer_config_set(&c, "curriculum", stages, &err);
  if (st == TRM_OK) st = trm_trainer_create(m, &c, &t, &err);
  if (st != TRM_E_CONFIG || !strstr(err.msg, "curriculum") || !strstr(err.msg, reason))
    fail_msg("%s: %d, %s", stages, st, err.msg);
  trm_model_free(m);
}

static void what_is_no_curriculum_is_refused(void **state) {
  (void)state;
  const trm_model_config whole = deep(TRM_ARCH_TRM), direct = small_config(TRM_ARCH_TRANSFORMER, 6);
  trm_model_config own = deep(TRM_ARCH_HIER), last = whole;
  last.grad = (trm_grad){TRM_GRAD_LAST, 9};
  static const char *const texts[] = {"30%:T1n2",     "[30:T1n2]",   "[30%:n2T1]", "[30%:T1n2",
                                      "[30%:T1n2,,]", "[30%:T1n2x]", "[x]",        "[1234%:T1n2]"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    refuses(&whole, texts[i], "want null or stages");
  refuses(&whole, "[1%:T1n1,2%:T1n1,3%:T1n1,4%:T1n1,5%:T1n1]", "4 at most");
  refuses(&whole, "[60%:T1n2,30%:T1n3]", "stage 2 ends at 30 %");
  refuses(&whole, "[101%:T1n2]", "up to 100");
  refuses(&whole, "[0%:T1n2]", "want more than 0");
  refuses(&whole, "[50%:T4n2]", "the model has T = 3, n = 4");
  refuses(&whole, "[50%:T0n2]", "H_cycles");
  refuses(&last, "[50%:T1n2]", "9 updates with gradient");
  refuses(&direct, "[50%:T1n0]", "no cycles");
  refuses(&own, "[50%:T1n2]", "a latent for every update");
}

/* What a run's plan asks before anything is allocated. */
static void fitting_needs_no_trainer(void **state) {
  (void)state;
  trm_error err;
  const trm_model_config whole = deep(TRM_ARCH_TRM);
  const trm_curriculum good = staged("[50%:T3n4]").curriculum,
                       deeper = staged("[50%:T3n5]").curriculum;
  assert_int_equal(trm__curriculum_fits(&good, &whole, &err), TRM_OK);
  assert_int_equal(trm__curriculum_fits(&deeper, &whole, &err), TRM_E_CONFIG);
  assert_non_null(strstr(err.msg, "stage 1 (T3n5)"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_stage_is_training_of_a_shallower_model),
      cmocka_unit_test(evaluations_make_all_cycles),
      cmocka_unit_test(bits_do_not_depend_on_the_split),
      cmocka_unit_test(a_state_goes_on_in_its_stage),
      cmocka_unit_test(shares_are_of_all_updates),
      cmocka_unit_test(what_is_no_curriculum_is_refused),
      cmocka_unit_test(fitting_needs_no_trainer),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
