/* The system refuses the n-th block of memory or the n-th thread: models, solvers and evaluation
 * report it and give back all they took (the address sanitizer sees what they do not). */
#include "base/error.h"
#include "processors.h"
#include "refuse.h"
#include "small_data.h"
#include "small_model.h"

typedef struct things {
  scratch *s;
  trm_model_config config;
  trm_model *model;
  trm_dataset *data;
} things;

static trm_status create(things *t, trm_error *err) {
  trm_model *m;
  TRM_TRY(trm_model_create(&t->config, 1, &m, err));
  trm_model_free(m);
  return TRM_OK;
}

static trm_status copy(things *t, trm_error *err) {
  trm_model *m;
  TRM_TRY(trm_model_clone(t->model, &m, err));
  trm_model_free(m);
  return TRM_OK;
}

static trm_status cost(things *t, trm_error *err) {
  trm_model_cost c;
  return trm_model_cost_of(&t->config, &c, err);
}

static trm_status save(things *t, trm_error *err) {
  return trm_model_save(t->model, scratch_path(t->s, "saved"), err);
}

static trm_status load(things *t, trm_error *err) {
  trm_model *m;
  TRM_TRY(trm_model_load(scratch_path(t->s, "kept"), &m, err));
  trm_model_free(m);
  return TRM_OK;
}

static trm_status save_one_file(things *t, trm_error *err) {
  return trm_model_export(t->model, scratch_path(t->s, "saved.safetensors"), TRM_FILE_SAFETENSORS,
                          TRM_BFLOAT16, err);
}

static trm_status load_some(things *t, trm_error *err) {
  trm_model *m;
  TRM_TRY(trm_model_load(scratch_path(t->s, "some.safetensors"), &m, err));
  trm_model_free(m);
  return TRM_OK;
}

static trm_status save_torch(things *t, trm_error *err) {
  return trm_model_export(t->model, scratch_path(t->s, "saved.pt"), TRM_FILE_TORCH, TRM_FLOAT32,
                          err);
}

static trm_status load_torch(things *t, trm_error *err) {
  trm_model *m;
  TRM_TRY(trm_model_import(scratch_path(t->s, "kept.pt"), &t->config, &m, err));
  trm_model_free(m);
  return TRM_OK;
}

static trm_status keep(things *t, trm_error *err) {
  trm_model *m;
  TRM_TRY(trm_model_keep_puzzle_ids(t->model, (const int32_t[]){2, 0}, 2, &m, err));
  trm_model_free(m);
  return TRM_OK;
}

static trm_status solve(things *t, trm_error *err) {
  trm_solver *s;
  TRM_TRY(trm_solver_create(t->model, &(trm_solver_config){.batch = 3, .threads = 3}, &s, err));
  trm_solver_free(s);
  return TRM_OK;
}

static trm_status evaluate(things *t, trm_error *err) {
  static trm_eval_report r;
  return trm_evaluate(t->model, t->data, &(trm_eval_config){.threads = 2, .steps = 1}, &r, err);
}

static trm_status (*const jobs[])(things *, trm_error *) = {
    create,    copy,       cost,       save, load,  save_one_file,
    load_some, save_torch, load_torch, keep, solve, evaluate};

static void every_refusal_is_reported(void **state) {
  /* A model, its files in every form, one that keeps some ids, and data. */
  things t = {.s = *state, .config = small_config(TRM_ARCH_TRM, 6)};
  static const int32_t tokens[12] = {1, 2, 3, 4, 5, 6, 1, 1, 1, 1, 1, 1}, ids[2] = {0, 2};
  t.model = small_model(&t.config, 1);
  assert_int_equal(trm_model_save(t.model, scratch_path(t.s, "kept"), NULL), TRM_OK);
  assert_int_equal(
      trm_model_export(t.model, scratch_path(t.s, "kept.pt"), TRM_FILE_TORCH, TRM_FLOAT32, NULL),
      TRM_OK);
  trm_model *some;
  assert_int_equal(trm_model_keep_puzzle_ids(t.model, ids, 2, &some, NULL), TRM_OK);
  assert_int_equal(trm_model_export(some, scratch_path(t.s, "some.safetensors"),
                                    TRM_FILE_SAFETENSORS, TRM_FLOAT32, NULL),
                   TRM_OK);
  trm_model_free(some);
  write_small_data(scratch_path(t.s, "data"), 2, 6, 7, 3, tokens, tokens, ids);
  t.data = open_small_data(t.s->path);

  /* Each job with its first call refused, then its second, until none is. */
  for (size_t j = 0; j < sizeof jobs / sizeof jobs[0]; j++) {
    int n = 0;
    trm_status st;
    trm_error err;
    for (; REFUSING(n, st, err, jobs[j](&t, &err)); n++) {
      /* Each refusal is told, with a text. */
      if (st != TRM_E_MEMORY && st != TRM_E_SYSTEM)
        fail_msg("job %zu, call %d: status %d: %s", j, n, st, err.msg);
      assert_int_equal(err.code, st);
      assert_true(strlen(err.msg) > 10);

      /* Saving writes config.json last: what is there can be loaded or says that it is no model.
       */
      assert_false(jobs[j] == save && trm__path_exists(scratch_path(t.s, "saved/config.json")));
    }

    /* Every job asks for something more than once. */
    assert_true(n > 2);
    assert_int_equal(trm__remove_tree(scratch_path(t.s, "saved"), NULL), TRM_OK);
  }
  trm_dataset_free(t.data);
  trm_model_free(t.model);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_refusal_is_reported)};
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
