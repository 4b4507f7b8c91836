/* The library on a system of which it knows nothing but C (TRM_OS=none, src/base/os_none*.c), run
 * on this one: it solves, trains, reads and writes files with one thread, and refuses in words what
 * it cannot do: threads and folders. */
#include <sys/stat.h>
#include <unistd.h>

#include "base/cpus.h"
#include "base/os_machine.h"
#include "base/team.h"
#include "io/npy_rows.h"
#include "small_trainer.h"

static const char *const model_file = TRM_SOURCE_DIR "/models/sudoku4.safetensors";

/* The scratch folder is this test's: the library removes no folders here. */
static int open_scratch(void **state) {
  return scratch_open(state);
}
static int close_scratch(void **state) {
  char command[100];
  snprintf(command, sizeof command, "rm -r %s", ((scratch *)*state)->dir);
  return system(command);
}

static void refused(trm_status st, trm_status want, const trm_error *err, const char *word) {
  assert_int_equal(st, want);
  assert_int_equal(err->code, want);
  if (!strstr(err->msg, word)) fail_msg("no \"%s\" in: %s", word, err->msg);
}

/* --- one thread --- */

static void one_thread_does_all(void **state) {
  (void)state;
  trm__pool *pool;
  trm_error err;
  assert_int_equal(trm_default_threads(), 1);
  assert_int_equal(trm__useful_threads(7), 1);
  assert_true(trm_memory_room(NULL, 0) == INT64_MAX);
  char name[4] = "abc";
  trm__os_host(name, sizeof name);
  assert_string_equal(name, "");
  assert_int_equal(trm__pool_create(1, &pool, &err), TRM_OK);
  trm__pool_free(pool);
  refused(trm__pool_create(2, &pool, &err), TRM_E_SYSTEM, &err, "TRM_OS=none");
}

static void shipped_models_solve(void **state) {
  (void)state;
  static const char text[] = "1...............";
  trm_model *m;
  trm_solver *s;
  trm_error err;
  uint8_t question[16], answer[16];
  int32_t tokens[16];
  if (trm_model_load(model_file, &m, &err) != TRM_OK) fail_msg("%s", err.msg);
  const trm_puzzle *puzzle = &trm_model_get_config(m)->puzzle;
  assert_int_equal(trm_sudoku_parse(puzzle, text, sizeof text - 1, question, &err), TRM_OK);
  for (int i = 0; i < 16; i++) tokens[i] = question[i] + 1;

  /* As many threads as are asked for are not there, and no less is computed. */
  const trm_solver_config config = {.batch = 1, .threads = 4};
  if (trm_solver_create(m, &config, &s, &err) != TRM_OK) fail_msg("%s", err.msg);
  assert_int_equal(trm_solver_start(s, 1, tokens, NULL, &err), TRM_OK);
  for (int i = 0; i < 16; i++) assert_int_equal(trm_solver_step(s, &err), TRM_OK);
  for (int i = 0; i < 16; i++) answer[i] = (uint8_t)(trm_solver_answer(s)[i] - 1);
  assert_true(trm_sudoku_solves(puzzle, question, answer));
  trm_solver_free(s);
  trm_model_free(m);
}

static void training_goes_on_from_a_file(void **state) {
  scratch *s = *state;
  const trm_model_config c = model_config(MIXER);
  const trm_trainer_config how = small_training(16);
  trm_model *m = small_model(&c, 1);
  trm_trainer *a = small_trainer(m, &how), *b = small_trainer(m, &how);
  trm_error err;
  for (int i = 0; i < 3; i++) (void)small_update(a);
  assert_int_equal(trm_trainer_save(a, scratch_path(s, "state"), &err), TRM_OK);
  assert_int_equal(trm_trainer_load(b, s->path, &err), TRM_OK);
  (void)small_update(a);
  (void)small_update(b);
  same_trainers(s, a, b);
  trm_trainer_free(a);
  trm_trainer_free(b);
  trm_model_free(m);
}

/* --- files --- */

static void write_text(const char *path, const char *text) {
  trm__writer w;
  trm_error err;
  if (trm__writer_open(&w, path, &err) != TRM_OK) fail_msg("%s", err.msg);
  trm__writer_seek(&w, 0);
  trm__write(&w, text, strlen(text));
  assert_int_equal(trm__writer_tell(&w), (int64_t)strlen(text));
  if (trm__writer_commit(&w, &err) != TRM_OK) fail_msg("%s", err.msg);
}

static void files_appear_whole(void **state) {
  scratch *s = *state;
  trm__map map;
  trm__writer w;
  trm__kind kind;
  char path[160];
  snprintf(path, sizeof path, "%s", scratch_path(s, "file"));
  write_text(path, "first");
  write_text(path, "and second");
  assert_int_equal(trm__writer_open(&w, path, NULL), TRM_OK);
  trm__write(&w, "lost", 4);
  trm__writer_abort(&w);

  assert_int_equal(trm__map_open(path, &map, NULL), TRM_OK);
  assert_int_equal(map.size, 10);
  assert_memory_equal(map.data, "and second", 10);
  trm__map_close(&map);
  assert_int_equal(trm__path_look(scratch_path(s, "file" TRM__PARTIAL), &kind, NULL), TRM_OK);
  assert_int_equal(kind, TRM__ABSENT);

  write_text(path, "");
  assert_int_equal(trm__map_open(path, &map, NULL), TRM_OK);
  assert_true(map.size == 0 && !map.data);
}

static void pointers_name_checkpoints(void **state) {
  scratch *s = *state;
  trm__dir d;
  int64_t step;
  assert_int_equal(trm__dir_open(&d, s->dir, NULL), TRM_OK);
  assert_int_equal(trm__pointer_read(&d, "last", &step, NULL), TRM_OK);
  assert_int_equal(step, -1);
  assert_int_equal(trm__pointer_write(&d, "last", 25, NULL), TRM_OK);
  assert_int_equal(trm__pointer_read(&d, "last", &step, NULL), TRM_OK);
  assert_int_equal(step, 25);
  assert_int_equal(trm__dir_remove(&d, "last", NULL), TRM_OK);
  assert_int_equal(trm__dir_remove(&d, "last", NULL), TRM_OK);
  trm__dir_close(&d);
}

static void what_is_missing_is_said(void **state) {
  scratch *s = *state;
  trm__map map;
  trm__kind kind;
  trm_error err;
  refused(trm__map_open(scratch_path(s, "none"), &map, &err), TRM_E_IO, &err, "No such file");
  refused(trm__map_open(s->dir, &map, &err), TRM_E_IO, &err, "is a folder");
  assert_int_equal(trm__path_look(s->dir, &kind, &err), TRM_OK);
  assert_int_equal(kind, TRM__DIR);
  trm__writer w;
  refused(trm__writer_open(&w, scratch_path(s, "no/where"), &err), TRM_E_IO, &err, "No such file");
}

/* --- folders --- */

static void folders_are_refused(void **state) {
  scratch *s = *state;
  const trm_model_config c = model_config(MIXER);
  trm_model *m = small_model(&c, 1), *again;
  trm__names names;
  trm__dir d;
  trm__kind kind;
  trm_error err;
  assert_int_equal(trm__make_dirs(s->dir, &err), TRM_OK);
  refused(trm__make_dirs(scratch_path(s, "new"), &err), TRM_E_IO, &err, "TRM_OS=none");
  refused(trm_model_save(m, scratch_path(s, "new"), &err), TRM_E_IO, &err, "TRM_OS=none");
  assert_int_equal(trm__path_look(scratch_path(s, "new"), &kind, NULL), TRM_OK);
  assert_int_equal(kind, TRM__ABSENT);
  assert_int_equal(trm__dir_open(&d, s->dir, &err), TRM_OK);
  refused(trm__dir_names(&d, &names, &err), TRM_E_IO, &err, "TRM_OS=none");
  trm__dir_close(&d);

  /* A model in one file is the way out. */
  const char *path = scratch_path(s, "model.safetensors");
  assert_int_equal(trm_model_export(m, path, TRM_FILE_SAFETENSORS, TRM_FLOAT32, &err), TRM_OK);
  if (trm_model_load(path, &again, &err) != TRM_OK) fail_msg("%s", err.msg);
  trm_model_free(again);
  trm_model_free(m);
}

static void rows_are_refused(void **state) {
  scratch *s = *state;
  trm__npy_rows rows;
  trm__kind kind;
  trm_error err;
  const char *path = scratch_path(s, "rows.npy");
  refused(trm__npy_rows_open(&rows, path, TRM__NPY_I4, 2, 3, NULL, &err), TRM_E_IO, &err,
          "TRM_OS=none");
  trm__npy_rows_close(&rows, false);
  assert_int_equal(trm__path_look(path, &kind, NULL), TRM_OK);
  assert_int_equal(kind, TRM__ABSENT);
}

/* Configurations are resolved, YAML and models of one file are found; a folder that grows is not
 * had. */
static void runs_have_no_folder(void **state) {
  scratch *s = *state;
  static const char *const settings[] = {"preset=sudoku4"};
  char file[TRM_PATH_SIZE];
  const char *which;
  trm_run_config *c;
  trm_model *m;
  trm__dir d;
  trm_error err;
  int log, links;
  if (trm_run_config_load(NULL, settings, 1, &c, &err) != TRM_OK) fail_msg("%s", err.msg);
  assert_int_equal(trm_run_config_model(c)->hidden_size, 64);
  trm_run_config_free(c);
  assert_int_equal(trm_model_find(model_file, NULL, file, &which, &err), TRM_OK);
  if (trm_model_open(file, NULL, NULL, &m, &err) != TRM_OK) fail_msg("%s", err.msg);
  trm_model_free(m);

  assert_int_equal(trm__dir_open(&d, s->dir, &err), TRM_OK);
  refused(trm__dir_open_log(&d, "log.jsonl", &log, &links, &err), TRM_E_SYSTEM, &err,
          "TRM_OS=none");
  trm__dir_close(&d);
#ifdef TRM_YAML_TESTED
  static const char yaml[] = "epochs: 5\n";
  write_bytes(scratch_path(s, "run.yaml"), yaml, sizeof yaml - 1);
  if (trm_run_config_load(s->path, NULL, 0, &c, &err) != TRM_OK) fail_msg("%s", err.msg);
  trm_run_config_free(c);
#endif
}

static void no_plug_in_is_loaded(void **state) {
  (void)state;
  char text[200];
  trm_error err;
  refused(trm_device_describe((trm_device){TRM_DEVICE_CUDA, 0}, text, sizeof text, &err),
          TRM_E_SYSTEM, &err, "loads no plug-in");
  assert_int_equal(trm_device_resolve((trm_device){TRM_DEVICE_AUTO, 0}, NULL).kind, TRM_DEVICE_CPU);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_thread_does_all),          cmocka_unit_test(shipped_models_solve),
      cmocka_unit_test(training_goes_on_from_a_file), cmocka_unit_test(files_appear_whole),
      cmocka_unit_test(pointers_name_checkpoints),    cmocka_unit_test(what_is_missing_is_said),
      cmocka_unit_test(folders_are_refused),          cmocka_unit_test(rows_are_refused),
      cmocka_unit_test(runs_have_no_folder),          cmocka_unit_test(no_plug_in_is_loaded)};
  return cmocka_run_group_tests(tests, open_scratch, close_scratch);
}
