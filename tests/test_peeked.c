/* A model that was only peeked at has no weights: what needs them refuses it, and the rest answers.
 */
#include "out_of_range.h"

/* Each asks the peeked model for something that takes weights. */
typedef trm_status ask(const things *t, trm_error *err);

static trm_status save(const things *t, trm_error *err) {
  return trm_model_save(t->peeked, scratch_path(t->s, "saved"), err);
}
static trm_status export_folder(const things *t, trm_error *err) {
  return trm_model_export(t->peeked, scratch_path(t->s, "out"), TRM_FILE_FOLDER, TRM_FLOAT32, err);
}
static trm_status export_file(const things *t, trm_error *err) {
  return trm_model_export(t->peeked, scratch_path(t->s, "out.safetensors"), TRM_FILE_SAFETENSORS,
                          TRM_FLOAT32, err);
}
static trm_status export_torch(const things *t, trm_error *err) {
  return trm_model_export(t->peeked, scratch_path(t->s, "out.pt"), TRM_FILE_TORCH, TRM_FLOAT32,
                          err);
}
static trm_status keep_ids(const things *t, trm_error *err) {
  trm_model *m;
  return trm_model_keep_puzzle_ids(t->peeked, (const int32_t[]){1}, 1, &m, err);
}
static trm_status clone(const things *t, trm_error *err) {
  trm_model *m;
  return trm_model_clone(t->peeked, &m, err);
}
static trm_status format(const things *t, trm_error *err) {
  return trm_model_set_dtype(t->peeked, TRM_BFLOAT16, err);
}
static trm_status copy_to(const things *t, trm_error *err) {
  return trm_model_copy_weights(t->peeked, t->model, NULL, err);
}
static trm_status copy_from(const things *t, trm_error *err) {
  return trm_model_copy_weights(t->model, t->peeked, NULL, err);
}
static trm_status solver(const things *t, trm_error *err) {
  trm_solver *s;
  return trm_solver_create(t->peeked, &(trm_solver_config){.batch = 1}, &s, err);
}
static trm_status queue(const things *t, trm_error *err) {
  trm_queue *q;
  return trm_queue_create(t->peeked, &(trm_queue_config){.rows = 1}, &q, err);
}
static trm_status trainer(const things *t, trm_error *err) {
  trm_trainer *trainer;
  const trm_trainer_config c = small_training(4);
  return trm_trainer_create(t->peeked, &c, &trainer, err);
}
static trm_status evaluation(const things *t, trm_error *err) {
  static trm_eval_report report;
  return trm_evaluate(t->peeked, t->data, &(trm_eval_config){.threads = 1}, &report, err);
}
static trm_status tuning(const things *t, trm_error *err) {
  trm_model *m;
  const trm_finetune_config c = trm_finetune_config_default();
  return trm_finetune(t->peeked, t->data, &c, &m, err);
}

static void a_peeked_model_is_refused(void **state) {
  static const struct {
    const char *name;
    ask *ask;
  } asks[] = {{"save", save},
              {"export a folder", export_folder},
              {"export a file", export_file},
              {"export for torch", export_torch},
              {"keep ids", keep_ids},
              {"clone", clone},
              {"set the format", format},
              {"copy to it", copy_to},
              {"copy from it", copy_from},
              {"solver", solver},
              {"queue", queue},
              {"trainer", trainer},
              {"evaluate", evaluation},
              {"finetune", tuning}};
  const things *t = *state;
  for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
    trm_error err = {0};
    const trm_status st = asks[i].ask(t, &err);
    if (st != TRM_E_ARGUMENT) fail_msg("%s: %s", asks[i].name, trm_status_text(st));
    if (!strstr(err.msg, "peeked")) fail_msg("%s: %s", asks[i].name, err.msg);
  }

  /* What it can be asked. */
  int n = -1;
  assert_int_equal(trm_model_get_config(t->peeked)->seq_len, SMALL_LEN);
  assert_null(trm_model_puzzle_ids(t->peeked, &n));
  assert_int_equal(n, 0);
  assert_int_equal(trm_model_tensor_count(t->peeked), trm_model_tensor_count(t->model));
  assert_null(trm_model_tensor_at(t->peeked, 0).data);
  assert_null(trm_model_tensor_named(t->peeked, "no such tensor").data);
  assert_false(trm_model_puzzle_is_trained(t->peeked, 1, 0));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_peeked_model_is_refused),
  };
  return cmocka_run_group_tests(tests, make_things, free_things);
}
