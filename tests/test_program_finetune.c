/* trm finetune as a user runs it: a task that a model has never seen is learned and answered. */
#include <jansson.h>

#include "launch.h"
#include "small_model.h"

static const char task_text[] =
    "{\"train\": [{\"input\": [[1]], \"output\": [[3]]}, {\"input\": [[2]], \"output\": [[3]]}],"
    " \"test\": [{\"input\": [[4]]}, {\"input\": [[5]], \"output\": [[3]]}]}";

static trm_model_config arc_config(void) {
  trm_model_config c = small_config(TRM_ARCH_TRM, 900);
  c.vocab_size = 12;
  c.H_cycles = c.L_cycles = 1;
  c.pos_encodings = TRM_POS_ROPE;
  c.puzzle = (trm_puzzle){.kind = TRM_PUZZLE_ARC, .rows = 30, .cols = 30};
  c.halt_max_steps = 2;
  return c;
}

static void save_model(const trm_model_config *c, const char *dir) {
  trm_error err;
  trm_model *m = small_model(c, 3);
  if (trm_model_save(m, dir, &err) != TRM_OK) fail_msg("%s", err.msg);
  trm_model_free(m);
}

static void a_new_task_is_answered(void **state) {
  scratch *s = *state;
  char model[160], task[160], out[160], submission[160];
  trm_model_config c = arc_config();
  snprintf(model, sizeof model, "%s/model", s->dir);
  snprintf(task, sizeof task, "%s/0f5a1c2e.json", s->dir);
  snprintf(out, sizeof out, "%s/tuned", s->dir);
  snprintf(submission, sizeof submission, "%s/submission.json", s->dir);
  save_model(&c, model);
  write_bytes(task, task_text, sizeof task_text - 1);
  want(RUN("finetune", model, "--task", task, "--steps", "5", "--copies", "2", "--batch", "4",
           "--out", out, "--submission", submission),
       0);
  says(out_text, "task 0f5a1c2e, test input 1 of 2");
  says(out_text, "task 0f5a1c2e, test input 2 of 2");
  json_t *root = json_load_file(submission, 0, NULL);
  json_t *answers = json_object_get(root, "0f5a1c2e");
  assert_int_equal(json_array_size(answers), 2);
  /* The same again as JSON: the attempts are those of the submission; three copies have voted. */
  want(RUN("finetune", model, "--task", task, "--steps", "5", "--copies", "2", "--batch", "4",
           "--json"),
       0);
  json_error_t cause;
  const char *line = out_text;
  for (size_t i = 0; i < 2; i++) {
    json_t *input = json_loads(line, JSON_DISABLE_EOF_CHECK, &cause);
    assert_non_null(input);
    json_t *attempts = json_object_get(input, "attempts"), *best = json_array_get(attempts, 0);
    assert_true(json_equal(json_object_get(best, "grid"),
                           json_object_get(json_array_get(answers, i), "attempt_1")));
    assert_true(json_integer_value(json_object_get(best, "votes")) >= 1);
    assert_true(json_integer_value(json_object_get(best, "votes")) <= 3);
    /* Only the second input has an output to be right about. */
    assert_int_equal(json_is_null(json_object_get(best, "right")), i == 0);
    json_decref(input);
    line = strchr(line, '\n') + 1;
  }
  json_decref(root);
  /* The model was kept, with the ids of the task and its copies. */
  want(RUN("info", out, "--json"), 0);
  says(out_text, "\"num_puzzle_identifiers\": 4");
}

static void what_cannot_be_learned_is_refused(void **state) {
  scratch *s = *state;
  char model[160], plain[160], task[160];
  trm_model_config c = arc_config();
  snprintf(model, sizeof model, "%s/model", s->dir);
  snprintf(plain, sizeof plain, "%s/plain", s->dir);
  snprintf(task, sizeof task, "%s/task.json", s->dir);
  save_model(&c, model);
  c.puzzle_emb_ndim = c.puzzle_emb_len = 0;
  trm_model *m;
  trm_error err;
  assert_int_equal(trm_model_create(&c, 1, &m, &err), TRM_OK);
  assert_int_equal(trm_model_save(m, plain, &err), TRM_OK);
  trm_model_free(m);
  write_bytes(task, task_text, sizeof task_text - 1);
  want(RUN("finetune", plain, "--task", task, "--freeze-weights"), 2);
  says(err_text, "no puzzle embeddings");
  want(RUN("finetune", model), 2);
  want(RUN("finetune", model, "--task", "nowhere.json"), 1);
  /* Folders that hold anything else are left as they are, before any work. */
  want(RUN("finetune", model, "--task", task, "--steps", "100000000", "--out", s->dir), 1);
  says(err_text, "which no model folder does");
  want(RUN("convert", model, s->dir), 1);
  says(err_text, "which no model folder does");
  want(RUN("convert", model, plain), 0);
  static const char no_test[] =
      "{\"train\": [{\"input\": [[1]], \"output\": [[2]]}], \"test\": []}";
  write_bytes(task, no_test, sizeof no_test - 1);
  want(RUN("finetune", model, "--task", task), 3);
  says(err_text, "no \"test\" pair");
  write_bytes(task, "{", 1);
  want(RUN("finetune", model, "--task", task), 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_new_task_is_answered, scratch_open, scratch_close),
      cmocka_unit_test_setup_teardown(what_cannot_be_learned_is_refused, scratch_open,
                                      scratch_close),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
