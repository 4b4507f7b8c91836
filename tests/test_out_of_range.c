/* Models, solvers, queues and trainers with values out of range, and what has no name or nothing to
 * free: every function refuses it with a sentence, or says what its header promises for it. */
#include <math.h>

#include "out_of_range.h"

/* --- models and solving --- */

static trm_status with_config(const things *t, trm_model_config c, trm_error *err) {
  trm_model *m;
  (void)t;
  const trm_status st = trm_model_create(&c, 1, &m, err);
  if (st != TRM_OK) assert_null(m);
  trm_model_free(m);
  return st;
}

#define CONFIG_FIELD(name, field, type)                              \
  static trm_status name(const things *t, int bad, trm_error *err) { \
    trm_model_config c = *trm_model_get_config(t->model);            \
    c.field = (type)bad;                                             \
    return with_config(t, c, err);                                   \
  }
CONFIG_FIELD(model_arch, arch, trm_arch)
CONFIG_FIELD(model_positions, pos_encodings, trm_pos_encodings)
CONFIG_FIELD(model_loss, loss, trm_loss)
CONFIG_FIELD(model_dtype, forward_dtype, trm_dtype)
CONFIG_FIELD(model_puzzle, puzzle.kind, trm_puzzle_kind)
CONFIG_FIELD(model_hidden, hidden_size, int)
CONFIG_FIELD(model_heads, num_heads, int)
CONFIG_FIELD(model_layers, L_layers, int)
CONFIG_FIELD(model_cells, seq_len, int)

static trm_status model_cost(const things *t, int bad, trm_error *err) {
  trm_model_config c = *trm_model_get_config(t->model);
  trm_model_cost cost;
  c.arch = (trm_arch)bad;
  return trm_model_cost_of(&c, &cost, err);
}

/* These look at the architecture before they look at the file. */
#define OF_A_FILE(name, ...)                                         \
  static trm_status name(const things *t, int bad, trm_error *err) { \
    trm_model_config c = *trm_model_get_config(t->model);            \
    trm_model *m = NULL;                                             \
    char text[200];                                                  \
    char path[200];                                                  \
    (void)text;                                                      \
    snprintf(path, sizeof path, "%s/model.safetensors", t->path);    \
    c.arch = (trm_arch)bad;                                          \
    const trm_status st = __VA_ARGS__;                               \
    assert_null(m);                                                  \
    return st;                                                       \
  }
OF_A_FILE(import_model, trm_model_import(path, &c, &m, err))
OF_A_FILE(complete_config, trm_model_complete_config(path, &c, err))
OF_A_FILE(import_note, trm_model_import_note(path, &c, text, sizeof text, err))
OF_A_FILE(peek_model, trm_model_peek(path, &c, &m, err))

static trm_status set_dtype(const things *t, int bad, trm_error *err) {
  return trm_model_set_dtype(t->model, (trm_dtype)bad, err);
}
static trm_status export_format(const things *t, int bad, trm_error *err) {
  return trm_model_export(t->model, scratch_path(t->s, "out"), (trm_file_format)bad, TRM_FLOAT32,
                          err);
}
static trm_status export_dtype(const things *t, int bad, trm_error *err) {
  return trm_model_export(t->model, scratch_path(t->s, "out.safetensors"), TRM_FILE_SAFETENSORS,
                          (trm_dtype)bad, err);
}
static trm_status keep_id(const things *t, int bad, trm_error *err) {
  const int32_t id = bad;
  trm_model *m;
  return trm_model_keep_puzzle_ids(t->model, &id, 1, &m, err);
}

/* --- solving --- */

static trm_status with_solver(const things *t, trm_solver_config c, trm_error *err) {
  trm_solver *s;
  const trm_status st = trm_solver_create(t->model, &c, &s, err);
  trm_solver_free(s);
  return st;
}
static trm_status solver_device(const things *t, int bad, trm_error *err) {
  return with_solver(t, (trm_solver_config){.device = {(trm_device_kind)bad, 0}}, err);
}
static trm_status solver_batch(const things *t, int bad, trm_error *err) {
  return with_solver(t, (trm_solver_config){.batch = bad}, err);
}
static trm_status solver_threads(const things *t, int bad, trm_error *err) {
  return with_solver(t, (trm_solver_config){.threads = bad}, err);
}
static trm_status solver_rows(const things *t, int bad, trm_error *err) {
  trm_solver *s;
  const int32_t inputs[2 * SMALL_LEN] = {0};
  assert_int_equal(trm_solver_create(t->model, &(trm_solver_config){.batch = 2}, &s, NULL), TRM_OK);
  const trm_status st = trm_solver_start(s, bad, inputs, NULL, err);
  trm_solver_free(s);
  return st;
}
static trm_status solver_token(const things *t, int bad, trm_error *err) {
  trm_solver *s;
  const int32_t inputs[SMALL_LEN] = {1, bad};
  assert_int_equal(trm_solver_create(t->model, &(trm_solver_config){.batch = 1}, &s, NULL), TRM_OK);
  assert_int_equal(trm_solver_check(s, inputs, 0, NULL), TRM_E_RANGE);
  assert_int_equal(trm_solver_start(s, 1, inputs, NULL, NULL), TRM_E_RANGE);
  const trm_status st = trm_solver_add(s, inputs, 0, err);
  trm_solver_free(s);
  return st;
}
static trm_status solver_id(const things *t, int bad, trm_error *err) {
  trm_solver *s;
  const int32_t inputs[SMALL_LEN] = {0}, id = bad;
  assert_int_equal(trm_solver_create(t->model, &(trm_solver_config){.batch = 1}, &s, NULL), TRM_OK);
  assert_int_equal(trm_solver_start(s, 1, inputs, &id, NULL), TRM_E_RANGE);
  const trm_status st = trm_solver_add(s, inputs, bad, err);
  trm_solver_free(s);
  return st;
}

static trm_status with_queue(const things *t, trm_queue_config c, trm_error *err) {
  trm_queue *q;
  const trm_status st = trm_queue_create(t->model, &c, &q, err);
  trm_queue_free(q);
  return st;
}
static trm_status queue_device(const things *t, int bad, trm_error *err) {
  return with_queue(t, (trm_queue_config){.device = {(trm_device_kind)bad, 0}}, err);
}
static trm_status queue_rows(const things *t, int bad, trm_error *err) {
  return with_queue(t, (trm_queue_config){.rows = bad}, err);
}
static trm_status queue_waiting(const things *t, int bad, trm_error *err) {
  return with_queue(t, (trm_queue_config){.rows = 1, .waiting = bad}, err);
}
static trm_status queue_puzzles(const things *t, int bad, trm_error *err) {
  return with_queue(t, (trm_queue_config){.rows = 1, .puzzles = bad < 0 ? bad : INT64_MIN}, err);
}
static trm_status queue_trajectory(const things *t, int bad, trm_error *err) {
  return with_queue(t, (trm_queue_config){.rows = 1, .trajectory = bad}, err);
}
static trm_status queue_threads(const things *t, int bad, trm_error *err) {
  return with_queue(t, (trm_queue_config){.rows = 1, .threads = bad}, err);
}

static trm_status submit(const things *t, trm_queue_puzzle p, trm_error *err) {
  trm_queue *q;
  const int32_t inputs[SMALL_LEN] = {0};
  p.inputs = inputs;
  assert_int_equal(trm_queue_create(t->model, &(trm_queue_config){.rows = 1}, &q, NULL), TRM_OK);
  const trm_status st = trm_queue_submit(q, &p, NULL, err);
  trm_queue_free(q);
  return st;
}
static trm_status queue_halt(const things *t, int bad, trm_error *err) {
  return submit(t, (trm_queue_puzzle){.halt = (trm_halt)bad}, err);
}
static trm_status queue_steps(const things *t, int bad, trm_error *err) {
  return submit(t, (trm_queue_puzzle){.steps = bad}, err);
}
static trm_status queue_margin(const things *t, int bad, trm_error *err) {
  return submit(t, (trm_queue_puzzle){.halt_margin = bad < 0 ? (double)-INFINITY : (double)NAN},
                err);
}
static trm_status queue_id(const things *t, int bad, trm_error *err) {
  return submit(t, (trm_queue_puzzle){.puzzle_id = bad}, err);
}
static trm_status queue_cancel(const things *t, int bad, trm_error *err) {
  trm_queue *q;
  assert_int_equal(trm_queue_create(t->model, &(trm_queue_config){.rows = 1}, &q, NULL), TRM_OK);
  const trm_status st = trm_queue_cancel(q, bad, err);
  trm_queue_free(q);
  return st;
}

/* --- training --- */

static trm_status with_trainer(const things *t, const trm_trainer_config *c, trm_error *err) {
  trm_trainer *trainer;
  trm_trainer_cost cost;
  const trm_status st = trm_trainer_create(t->model, c, &trainer, err);
  const trm_status of_cost = trm_trainer_cost_of(trm_model_get_config(t->model), c, &cost, NULL);
  trm_trainer_free(trainer);
  return of_cost == TRM_OK ? TRM_OK : st;
}
#define TRAINER_FIELD(name, field, type)                             \
  static trm_status name(const things *t, int bad, trm_error *err) { \
    trm_trainer_config c = small_training(4);                        \
    c.field = (type)bad;                                             \
    return with_trainer(t, &c, err);                                 \
  }
TRAINER_FIELD(trainer_optimizer, optimizer, trm_optimizer)
TRAINER_FIELD(trainer_device, device.kind, trm_device_kind)
TRAINER_FIELD(trainer_batch, batch_size, int)
TRAINER_FIELD(trainer_threads, threads, int)
TRAINER_FIELD(trainer_rows, micro_batch, int)
static trm_status trainer_rate(const things *t, int bad, trm_error *err) {
  trm_trainer_config c = small_training(4);
  c.lr = bad < 0 ? -1 : (double)NAN;
  return with_trainer(t, &c, err);
}

static trm_status finetune(const things *t, trm_finetune_config c, trm_error *err) {
  trm_model *m;
  c.steps = 1;
  const trm_status st = trm_finetune(t->model, t->data, &c, &m, err);
  trm_model_free(m);
  return st;
}
#define FINETUNE_FIELD(name, field, type)                            \
  static trm_status name(const things *t, int bad, trm_error *err) { \
    trm_finetune_config c = trm_finetune_config_default();           \
    c.field = (type)bad;                                             \
    return finetune(t, c, err);                                      \
  }
FINETUNE_FIELD(finetune_augment, augment, trm_augment)
FINETUNE_FIELD(finetune_device, device.kind, trm_device_kind)
FINETUNE_FIELD(finetune_threads, threads, int)
FINETUNE_FIELD(finetune_batch, batch_size, int)
static trm_status finetune_warmup(const things *t, int bad, trm_error *err) {
  trm_finetune_config c = trm_finetune_config_default();
  c.warmup = bad < 0 ? bad : INT64_MAX;
  return finetune(t, c, err);
}

static const out_of_range calls[] = {
    CALL(model_arch),       CALL(model_positions),  CALL(model_loss),      CALL(model_dtype),
    CALL(model_puzzle),     CALL(model_hidden),     CALL(model_heads),     CALL(model_layers),
    CALL(model_cells),      CALL(model_cost),       CALL(import_model),    CALL(complete_config),
    CALL(import_note),      CALL(peek_model),       CALL(set_dtype),       CALL(export_format),
    CALL(export_dtype),     CALL(keep_id),          CALL(solver_device),   CALL(solver_batch),
    CALL(solver_threads),   CALL(solver_rows),      CALL(solver_token),    CALL(solver_id),
    CALL(queue_device),     CALL(queue_rows),       CALL(queue_waiting),   CALL(queue_puzzles),
    CALL(queue_trajectory), CALL(queue_threads),    CALL(queue_halt),      CALL(queue_steps),
    CALL(queue_margin),     CALL(queue_id),         CALL(queue_cancel),    CALL(trainer_optimizer),
    CALL(trainer_device),   CALL(trainer_batch),    CALL(trainer_threads), CALL(trainer_rows),
    CALL(trainer_rate),     CALL(finetune_augment), CALL(finetune_device), CALL(finetune_threads),
    CALL(finetune_batch),   CALL(finetune_warmup)};

static void values_out_of_range_are_refused(void **state) {
  assert_refused(*state, calls, sizeof calls / sizeof *calls);
}

/* --- functions that return none --- */

static void names_outside_are_none(void **state) {
  (void)state;
  for (size_t i = 0; i < N_VALUES; i++) {
    const int bad = values[i];
    assert_null(trm_arch_name((trm_arch)bad));
    assert_null(trm_arch_class_name((trm_arch)bad));
    assert_null(trm_pos_encodings_name((trm_pos_encodings)bad));
    assert_null(trm_loss_name((trm_loss)bad));
    assert_null(trm_dtype_name((trm_dtype)bad));
    assert_null(trm_optimizer_name((trm_optimizer)bad));
    assert_null(trm_puzzle_kind_name((trm_puzzle_kind)bad));
    assert_null(trm_puzzle_rules_name(bad));
    assert_null(trm_model_config_field(bad));
    assert_null(trm_trainer_config_field(bad));
    assert_string_equal(trm_status_text((trm_status)bad), "unknown status");
    char name[32];
    trm_device_name((trm_device){(trm_device_kind)bad, 0}, name, sizeof name);
    assert_string_equal(name, "unknown");
    assert_int_equal(trm_device_resolve((trm_device){(trm_device_kind)bad, 0}, NULL).kind,
                     (trm_device_kind)bad);

    /* The defaults of no architecture are refused as its configuration is. */
    const trm_model_config c = trm_model_config_default((trm_arch)bad);
    assert_int_equal(trm_model_config_check(&c, NULL), TRM_E_CONFIG);
  }
}

static void nothing_is_freed(void **state) {
  (void)state;
  trm_arc_data_free(NULL);
  trm_arc_tasks_free(NULL);
  trm_arc_votes_free(NULL);
  trm_bench_free(NULL);
  trm_dataset_free(NULL);
  trm_model_free(NULL);
  trm_queue_free(NULL);
  trm_solver_free(NULL);
  trm_stream_free(NULL);
  trm_sudoku_reader_free(NULL);
  trm_trainer_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_out_of_range_are_refused),
      cmocka_unit_test(names_outside_are_none),
      cmocka_unit_test(nothing_is_freed),
  };
  return cmocka_run_group_tests(tests, make_things, free_things);
}
