/* The structures by name: every member has a row that lies where it does, and a program that knows
 * no structure trains, evaluates and asks. */
#include <math.h>

#include "base/field.h"
#include "declared.h"
#include "small_trainer.h"
#include "trm.h"

/* The header of a structure. */
static const char *header_of(const char *structure) {
  static const char *const headers[] = {"status.h", "puzzle.h",  "model.h",    "solver.h",
                                        "queue.h",  "trainer.h", "finetune.h", "dataset.h",
                                        "eval.h",   "run.h",     "think.h"};
  static char head[80];
  snprintf(head, sizeof head, "typedef struct %s {", structure);
  for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
    char path[300];
    size_t n;
    snprintf(path, sizeof path, "%s/include/trm/%s", TRM_SOURCE_DIR, headers[i]);
    char *text = (char *)read_bytes(path, &n);
    const bool found = strstr(text, head) != NULL;
    free(text);
    if (found) return headers[i];
  }
  fail_msg("no header declares %s", structure);
  return NULL;
}

static bool has_field(const trm_record *r, const char *name) {
  const trm_field *f;
  for (int i = 0; (f = trm_record_field(r, i)); i++)
    if (!strcmp(f->name, name)) return true;
  return false;
}

static void every_member_has_a_row(void **state) {
  const trm_record *r;
  (void)state;
  int records = 0;
  for (; (r = trm_record_at(records)); records++) {
    char names[4000];

    /* The members as the header declares them; two of a model's configuration are no single values.
     */
    int members = 0, rows = 0;
    assert_ptr_equal(trm_record_named(trm_record_name(r)), r);
    declared(header_of(trm_record_name(r)), trm_record_name(r), names);
    const bool model = !strcmp(trm_record_name(r), "trm_model_config");
    for (const char *name = names; *name; name += strlen(name) + 1) {
      if (model && (!strcmp(name, "puzzle") || !strcmp(name, "identifiers"))) continue;
      if (!has_field(r, name)) fail_msg("%s.%s has no row", trm_record_name(r), name);
      members++;
    }
    while (trm_record_field(r, rows)) rows++;
    assert_int_equal(rows, members);
  }

  /* There is no record or row beside these. */
  assert_true(records > 20);
  assert_null(trm_record_at(-1));
  assert_null(trm_record_named("trm_model"));
  assert_null(trm_record_field(trm_record_at(0), -1));
}

/* --- values --- */

static bool is_number(const trm_field *f) {
  return f->type == &trm__field_int || f->type == &trm__field_int64 ||
         f->type == &trm__field_seed || f->type == &trm__field_double ||
         f->type == &trm__field_float || f->type == &trm__field_bytes ||
         f->type == &trm__field_byte;
}

/* Sets the field at a path to 1 in zeroed memory, whose first and last bytes that change lie where
 * the field does, and gets it again. */
static void try_number(const trm_record *r, const trm_field *f, const char *path) {
  unsigned char *object = calloc(1, trm_record_size(r));
  const trm_field *at;
  char text[64];
  size_t offset, first = 0, last = trm_record_size(r);
  trm_error err;
  assert_non_null(object);
  if (trm_record_set(r, object, path, "1", &err) != TRM_OK) fail_msg("%s", err.msg);
  if (trm_record_get(r, object, path, text, sizeof text, &err) != TRM_OK) fail_msg("%s", err.msg);
  assert_true(!strcmp(text, "1") || !strcmp(text, "1.0"));
  assert_int_equal(trm_record_place(r, path, &at, &offset, &err), TRM_OK);
  assert_ptr_equal(at, f);
  while (first < last && !object[first]) first++;
  while (last > first && !object[last - 1]) last--;
  assert_true(first >= offset && last > first && last <= offset + sizeof(double));
  assert_true(f->type != &trm__field_int || last <= offset + sizeof(int));
  free(object);
}

/* All fields of a structure, those within and each end of an array. */
static void try_fields(const trm_record *whole, const trm_record *r, const char *before) {
  const trm_field *f;
  for (int i = 0; (f = trm_record_field(r, i)); i++) {
    const int count = trm_field_count(f);
    for (int place = 0; place<count; place += count> 1 ? count - 1 : 1) {
      char path[200], within[220];
      const trm_field *at;
      size_t offset;
      snprintf(path, sizeof path, "%s%s", before, f->name);
      if (count > 1 && f->type != &trm__field_chars)
        snprintf(path + strlen(path), 20, "[%d]", place);
      assert_int_equal(trm_record_place(whole, path, &at, &offset, NULL), TRM_OK);
      assert_true(offset < trm_record_size(whole));
      if (is_number(f) && trm__field_takes(f, 1)) try_number(whole, f, path);
      snprintf(within, sizeof within, "%s.", path);
      if (trm_field_record(f)) try_fields(whole, trm_field_record(f), within);
    }
  }
}

static void fields_lie_where_they_are_said(void **state) {
  const trm_record *r;
  (void)state;
  for (int i = 0; (r = trm_record_at(i)); i++) try_fields(r, r, "");
}

static void structures_are_what_their_names_say(void **state) {
  char text[64];
  trm_error err = {0};
  (void)state;
  trm_eval_report report = {.exact = 3, .exact_interval = {0.25, NAN}, .n_steps = 4};
  report.step[3].accuracy = 0.75;
  const trm_record *r = trm_record_named("trm_eval_report");
  static const char *const want[][2] = {{"exact", "3"},
                                        {"exact_interval.low", "0.25"},
                                        {"exact_interval.high", "nan"},
                                        {"n_steps", "4"},
                                        {"rules", "false"},
                                        {"step[3].accuracy", "0.75"}};
  for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
    if (trm_record_get(r, &report, want[i][0], text, sizeof text, &err)) fail_msg("%s", err.msg);
    assert_string_equal(text, want[i][1]);
  }

  trm_solver_config config = {0};
  r = trm_record_named("trm_solver_config");
  assert_int_equal(trm_record_size(r), sizeof config);
  assert_int_equal(trm_record_set(r, &config, "batch", "7", NULL), TRM_OK);
  assert_int_equal(trm_record_set(r, &config, "device", "cuda:2", NULL), TRM_OK);
  assert_true(config.batch == 7 && config.device.kind == TRM_DEVICE_CUDA &&
              config.device.index == 2);

  trm_error other = {TRM_E_IO, 12, "a text"};
  r = trm_record_named("trm_error");
  assert_int_equal(trm_record_get(r, &other, "msg", text, sizeof text, NULL), TRM_OK);
  assert_string_equal(text, "a text");
  assert_int_equal(trm_record_set(r, &other, "msg", "another", NULL), TRM_OK);
  assert_string_equal(other.msg, "another");
}

static void defaults_are_those_of_the_functions(void **state) {
  (void)state;
  const trm_trainer_config trainer = trm_trainer_config_default();
  const trm_finetune_config tuning = trm_finetune_config_default();
  trm_trainer_config t;
  trm_finetune_config f;
  trm_solver_config s = {.batch = 3};

  /* Whatever was there before is gone. */
  memset(&t, 1, sizeof t);
  trm_record_default(trm_record_named("trm_trainer_config"), &t);
  trm_record_default(trm_record_named("trm_finetune_config"), &f);
  trm_record_default(trm_record_named("trm_solver_config"), &s);
  assert_true(t.batch_size == trainer.batch_size && t.lr == trainer.lr && t.threads == 0);
  assert_true(f.steps == tuning.steps && f.lr == tuning.lr && !f.progress);
  assert_int_equal(s.batch, 0);

  /* A model's defaults are those of its architecture; of none, the first one's. */
  for (int arch = -1; arch < 7; arch++) {
    trm_model_config m = {.arch = (trm_arch)arch};
    const trm_arch of = trm_arch_name(m.arch) ? m.arch : TRM_ARCH_TRM;
    const trm_model_config want = trm_model_config_default(of);
    trm_record_default(trm_record_named("trm_model_config"), &m);
    assert_true(m.arch == of && m.H_layers == want.H_layers && m.L_layers == want.L_layers);
  }
}

static void what_is_not_there_is_refused(void **state) {
  static const struct {
    const char *record, *path, *value;
    trm_status status;
    const char *says;
  } cases[] = {
      {"trm_solver_config", "batches", "1", TRM_E_CONFIG, "did you mean 'batch'?"},
      {"trm_solver_config", "batch", "many", TRM_E_CONFIG, "want a whole number"},
      {"trm_solver_config", "batch", "2147483648", TRM_E_CONFIG, "want a whole number"},
      {"trm_solver_config", "batch", "", TRM_E_CONFIG, "want a whole number"},
      {"trm_solver_config", "batch.x", "1", TRM_E_CONFIG, "has no field 'batch.x'"},
      {"trm_solver_config", "batch[0]", "1", TRM_E_CONFIG, "has no field 'batch[0]'"},
      {"trm_solver_config", "device", "gpu", TRM_E_CONFIG, "cuda:N"},
      {"trm_eval_report", "step[1024].accuracy", "1", TRM_E_CONFIG, "step[1024].accuracy"},
      {"trm_eval_report", "step[-1].accuracy", "1", TRM_E_CONFIG, "step[-1].accuracy"},
      {"trm_eval_report", "step[1", "1", TRM_E_CONFIG, "step[1"},
      {"trm_eval_report", "step[4294967296].accuracy", "1", TRM_E_CONFIG, "has no field"},
      {"trm_eval_report", "exact_interval.middle", "1", TRM_E_CONFIG, "an interval has no field"},
      {"trm_eval_report", "exact_interval", "1", TRM_E_ARGUMENT, "ask for its place"},
      {"trm_eval_report", "step", "1", TRM_E_ARGUMENT, "ask for its place"},
      {"trm_eval_report", "", "1", TRM_E_CONFIG, "has no field"},
      {"trm_eval_config", "state", "x", TRM_E_ARGUMENT, "state is a pointer"},
      {"trm_puzzle", "rules", "a name of sixteen", TRM_E_CONFIG, "a shorter text"},
      {"trm_puzzle", "vocabulary[3]", "256", TRM_E_CONFIG, "0 to 255"},
      {"trm_error", "msg[1]", "x", TRM_E_CONFIG, "has no field 'msg[1]'"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    /* A refusal says what is wrong and changes nothing: the object stays zero. */
    const trm_record *r = trm_record_named(cases[i].record);
    unsigned char *object = calloc(2, trm_record_size(r));
    trm_error err = {0};
    assert_non_null(object);
    assert_int_equal(trm_record_set(r, object, cases[i].path, cases[i].value, &err),
                     cases[i].status);
    if (!speaks_of(&err, cases[i].says)) fail_msg("%s: %s", cases[i].path, err.msg);
    assert_memory_equal(object, object + trm_record_size(r), trm_record_size(r));
    free(object);
  }

  /* A value that does not fit the room of the caller. */
  char small[3];
  const trm_solver_config config = {.batch = 100};
  assert_int_equal(trm_record_get(trm_record_named("trm_solver_config"), &config, "batch", small,
                                  sizeof small, NULL),
                   TRM_E_ARGUMENT);
}

/* --- a binding --- */

static void *made(const char *name) {
  const trm_record *r = trm_record_named(name);
  void *object = malloc(trm_record_size(r));
  assert_non_null(object);
  trm_record_default(r, object);
  return object;
}

static void put(const char *name, void *object, const char *path, const char *value) {
  trm_error err;
  if (trm_record_set(trm_record_named(name), object, path, value, &err)) fail_msg("%s", err.msg);
}

static void put_pointer(const char *name, void *object, const char *path, const void *value) {
  const trm_field *f;
  size_t offset;
  assert_int_equal(trm_record_place(trm_record_named(name), path, &f, &offset, NULL), TRM_OK);
  assert_string_equal(trm_field_bounds(f).type, "pointer");
  memcpy((char *)object + offset, &value, sizeof value);
}

static double got(const char *name, const void *object, const char *path) {
  char text[64];
  trm_error err;
  if (trm_record_get(trm_record_named(name), object, path, text, sizeof text, &err))
    fail_msg("%s", err.msg);
  return strtod(text, NULL);
}

/* Nothing here names a member of a structure. */
static void a_program_without_structures_trains_and_evaluates(void **state) {
  static small_batch b;
  const trm_model_config mc = model_config(MIXER);
  trm_model *m = small_model(&mc, 5);
  trm_dataset *d;
  trm_trainer *t;
  trm_error err;
  (void)state;
  (void)small_batch_at(&b, 3);

  void *arrays = made("trm_dataset_arrays");
  put("trm_dataset_arrays", arrays, "vocab_size", "7");
  put("trm_dataset_arrays", arrays, "seq_len", "6");
  put("trm_dataset_arrays", arrays, "num_puzzle_identifiers", "3");
  put("trm_dataset_arrays", arrays, "examples", "48");
  put_pointer("trm_dataset_arrays", arrays, "inputs", b.inputs);
  put_pointer("trm_dataset_arrays", arrays, "labels", b.labels);
  put_pointer("trm_dataset_arrays", arrays, "puzzle_identifiers", b.ids);
  if (trm_dataset_from_arrays(arrays, &d, &err)) fail_msg("%s", err.msg);
  assert_true(got("trm_dataset_info", trm_dataset_get_info(d), "examples") == 48);

  void *training = made("trm_trainer_config"), *batch = made("trm_batch");
  void *metrics = made("trm_metrics");
  put("trm_trainer_config", training, "batch_size", "48");
  put("trm_trainer_config", training, "threads", "1");
  put_pointer("trm_batch", batch, "inputs", b.inputs);
  put_pointer("trm_batch", batch, "labels", b.labels);
  put_pointer("trm_batch", batch, "puzzle_ids", b.ids);
  if (trm_trainer_create(m, training, &t, &err)) fail_msg("%s", err.msg);
  assert_int_equal(trm_trainer_step(t, batch, metrics, NULL), TRM_OK);
  assert_true(got("trm_metrics", metrics, "loss") > 0);

  void *config = made("trm_eval_config"), *report = made("trm_eval_report");
  put("trm_eval_config", config, "threads", "1");
  put("trm_eval_config", config, "steps", "2");
  if (trm_evaluate(trm_trainer_weights(t), d, config, report, &err)) fail_msg("%s", err.msg);
  assert_true(got("trm_eval_report", report, "n_steps") == 2);
  assert_true(got("trm_eval_report", report, "step[1].halted") ==
              got("trm_eval_report", report, "examples"));

  void *all[] = {arrays, training, batch, metrics, config, report};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
  trm_trainer_free(t);
  trm_dataset_free(d);
  trm_model_free(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_member_has_a_row),
      cmocka_unit_test(fields_lie_where_they_are_said),
      cmocka_unit_test(structures_are_what_their_names_say),
      cmocka_unit_test(defaults_are_those_of_the_functions),
      cmocka_unit_test(what_is_not_there_is_refused),
      cmocka_unit_test(a_program_without_structures_trains_and_evaluates),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
