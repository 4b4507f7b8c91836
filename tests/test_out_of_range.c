/* What a program hands to the library by mistake: a value outside an enumeration, a device that
 * does not exist, a size that is negative, a model that was only peeked at. Every function refuses
 * it with a sentence, or says what its header promises for it. */
#include <math.h>

#include "small_model.h"
#include "small_trainer.h"
#include "trm.h"

enum { EXAMPLES = 8 };

/* Beyond every enumeration and size that there is, on both sides. */
static const int values[] = {-1, INT32_MIN, 99, INT32_MAX};
enum { N_VALUES = sizeof values / sizeof *values };

typedef struct things {
  scratch *s;
  trm_model *model, *peeked;
  trm_dataset *data;
  char path[160]; /* of the model's folder */
} things;

/* --- functions that return a status --- */

/* Calls one of them with `bad` in one place of what it takes; nothing else is wrong. */
typedef trm_status call(const things *t, int bad, trm_error *err);

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

/* --- data, evaluation --- */

static trm_status with_stream(const things *t, trm_stream_config c, trm_error *err) {
  trm_stream *s;
  const trm_dataset *d = t->data;
  const trm_status st = trm_stream_create(&d, 1, &c, &s, err);
  trm_stream_free(s);
  return st;
}
static trm_status stream_augment(const things *t, int bad, trm_error *err) {
  return with_stream(
      t, (trm_stream_config){.batch_size = 2, .epochs_per_iter = 1, .augment = (trm_augment)bad},
      err);
}
static trm_status stream_batch(const things *t, int bad, trm_error *err) {
  return with_stream(t, (trm_stream_config){.batch_size = bad, .epochs_per_iter = 1}, err);
}
static trm_status stream_epochs(const things *t, int bad, trm_error *err) {
  return with_stream(t, (trm_stream_config){.batch_size = 2, .epochs_per_iter = bad < 0 ? bad : 0},
                     err);
}
static trm_status stream_sets(const things *t, int bad, trm_error *err) {
  trm_stream *s;
  const trm_dataset *d = t->data;
  return trm_stream_create(&d, bad < 0 ? bad : 0,
                           &(trm_stream_config){.batch_size = 2, .epochs_per_iter = 1}, &s, err);
}
static trm_status stream_seek(const things *t, int bad, trm_error *err) {
  trm_stream *s;
  const trm_dataset *d = t->data;
  const trm_stream_config c = {.batch_size = 2, .epochs_per_iter = 1};
  assert_int_equal(trm_stream_create(&d, 1, &c, &s, NULL), TRM_OK);
  const trm_status st = trm_stream_seek(s, bad < 0 ? bad : INT64_MIN, err);
  trm_stream_free(s);
  return st;
}

#define ARRAYS_FIELD(name, field, type)                              \
  static trm_status name(const things *t, int bad, trm_error *err) { \
    const int32_t cells[EXAMPLES * SMALL_LEN] = {0};                 \
    trm_dataset_arrays a = {.vocab_size = 7,                         \
                            .seq_len = SMALL_LEN,                    \
                            .examples = EXAMPLES,                    \
                            .inputs = cells,                         \
                            .labels = cells};                        \
    trm_dataset *d;                                                  \
    (void)t;                                                         \
    a.field = (type)bad;                                             \
    const trm_status st = trm_dataset_from_arrays(&a, &d, err);      \
    trm_dataset_free(d);                                             \
    return st;                                                       \
  }
ARRAYS_FIELD(arrays_puzzle, puzzle.kind, trm_puzzle_kind)
ARRAYS_FIELD(arrays_vocabulary, vocab_size, int)
ARRAYS_FIELD(arrays_cells, seq_len, int)
static trm_status arrays_examples(const things *t, int bad, trm_error *err) {
  const int32_t cells[SMALL_LEN] = {0};
  trm_dataset_arrays a = {.vocab_size = 7, .seq_len = SMALL_LEN, .inputs = cells, .labels = cells};
  trm_dataset *d;
  (void)t;
  a.examples = bad < 0 ? bad : INT64_MAX;
  return trm_dataset_from_arrays(&a, &d, err);
}

static trm_status split(const things *t, int bad, trm_error *err) {
  trm_dataset *rest, *held;
  return trm_dataset_split(t->data, bad < 0 ? bad : (double)NAN, 1, &rest, &held, err);
}

static trm_status evaluate(const things *t, trm_eval_config c, trm_error *err) {
  static trm_eval_report report;
  c.threads = c.threads ? c.threads : 1;
  return trm_evaluate(t->model, t->data, &c, &report, err);
}
static trm_status eval_halt(const things *t, int bad, trm_error *err) {
  return evaluate(t, (trm_eval_config){.halt = (trm_halt)bad}, err);
}
static trm_status eval_device(const things *t, int bad, trm_error *err) {
  return evaluate(t, (trm_eval_config){.device = {(trm_device_kind)bad, 0}}, err);
}
static trm_status eval_steps(const things *t, int bad, trm_error *err) {
  return evaluate(t, (trm_eval_config){.steps = bad}, err);
}
static trm_status eval_batch(const things *t, int bad, trm_error *err) {
  return evaluate(t, (trm_eval_config){.batch = bad}, err);
}
static trm_status eval_threads(const things *t, int bad, trm_error *err) {
  return evaluate(t, (trm_eval_config){.threads = bad}, err);
}
static trm_status eval_limit(const things *t, int bad, trm_error *err) {
  return evaluate(t, (trm_eval_config){.limit = bad < 0 ? bad : INT64_MIN}, err);
}
static trm_status eval_margin(const things *t, int bad, trm_error *err) {
  return evaluate(t, (trm_eval_config){.halt_margin = bad < 0 ? (double)-INFINITY : (double)NAN},
                  err);
}

/* --- making data; nothing is written --- */

static trm_status gen_sudoku(const things *t, trm_sudoku_gen_config c, trm_error *err) {
  c.output_dir = scratch_path(t->s, "made");
  c.size = c.size ? c.size : 4;
  c.n_train = c.n_train ? c.n_train : 1;
  return trm_gen_sudoku(&c, NULL, err);
}
static trm_status gen_sudoku_size(const things *t, int bad, trm_error *err) {
  return gen_sudoku(t, (trm_sudoku_gen_config){.size = bad}, err);
}
static trm_status gen_sudoku_train(const things *t, int bad, trm_error *err) {
  return gen_sudoku(t, (trm_sudoku_gen_config){.n_train = bad < 0 ? bad : INT64_MIN}, err);
}
static trm_status gen_sudoku_givens(const things *t, int bad, trm_error *err) {
  return gen_sudoku(t, (trm_sudoku_gen_config){.min_givens = bad}, err);
}
static trm_status gen_sudoku_threads(const things *t, int bad, trm_error *err) {
  return gen_sudoku(t, (trm_sudoku_gen_config){.threads = bad}, err);
}

static trm_status gen_maze(const things *t, trm_maze_gen_config c, trm_error *err) {
  c.output_dir = scratch_path(t->s, "made");
  c.rows = c.rows ? c.rows : 6;
  c.cols = c.cols ? c.cols : 6;
  c.n_train = c.n_train ? c.n_train : 1;
  return trm_gen_maze(&c, NULL, err);
}
static trm_status gen_maze_rows(const things *t, int bad, trm_error *err) {
  return gen_maze(t, (trm_maze_gen_config){.rows = bad}, err);
}
static trm_status gen_maze_train(const things *t, int bad, trm_error *err) {
  return gen_maze(t, (trm_maze_gen_config){.n_train = bad < 0 ? bad : INT64_MIN}, err);
}
static trm_status gen_maze_path(const things *t, int bad, trm_error *err) {
  return gen_maze(t, (trm_maze_gen_config){.min_path = bad}, err);
}
static trm_status gen_maze_walls(const things *t, int bad, trm_error *err) {
  return gen_maze(t, (trm_maze_gen_config){.max_walls = bad < 0 ? bad : (double)NAN}, err);
}
static trm_status gen_maze_threads(const things *t, int bad, trm_error *err) {
  return gen_maze(t, (trm_maze_gen_config){.threads = bad}, err);
}

static trm_status build_arc(const things *t, trm_arc_build_config c, trm_error *err) {
  static const char *const subsets[] = {"training"};
  static const char task[] =
      "{\"a\":{\"train\":[{\"input\":[[1]],\"output\":[[2]]}],\"test\":[{\"input\":[[1]]}]}}";
  char prefix[160];
  write_bytes(scratch_path(t->s, "arc_training_challenges.json"), task, sizeof task - 1);
  snprintf(prefix, sizeof prefix, "%s", scratch_path(t->s, "arc"));
  c.output_dir = scratch_path(t->s, "made");
  c.input_prefix = prefix;
  c.subsets = subsets;
  c.n_subsets = 1;
  return trm_build_arc(&c, NULL, err);
}
static trm_status build_arc_copies(const things *t, int bad, trm_error *err) {
  return build_arc(t, (trm_arc_build_config){.num_aug = bad < 0 ? bad : INT32_MAX}, err);
}
static trm_status build_arc_canvas(const things *t, int bad, trm_error *err) {
  return build_arc(t, (trm_arc_build_config){.canvas = bad}, err);
}

/* --- devices, bench, puzzles --- */

static trm_status describe(const things *t, int bad, trm_error *err) {
  char text[100];
  (void)t;
  return trm_device_describe((trm_device){(trm_device_kind)bad, 0}, text, sizeof text, err);
}
static const trm_bench_shape shape = {"shape", 8, 8, 8};
static trm_status products_dtype(const things *t, int bad, trm_error *err) {
  trm_bench *b;
  (void)t;
  return trm_bench_create_products((trm_dtype)bad, 1, &shape, 1, &b, err);
}
static trm_status products_threads(const things *t, int bad, trm_error *err) {
  trm_bench *b;
  (void)t;
  return trm_bench_create_products(TRM_FLOAT32, bad, &shape, 1, &b, err);
}
static trm_status products_shapes(const things *t, int bad, trm_error *err) {
  trm_bench *b;
  const trm_bench_shape wrong = {"shape", 8, bad, 8};
  (void)t;
  return trm_bench_create_products(TRM_FLOAT32, 1, &wrong, 1, &b, err);
}
static trm_status copy_threads(const things *t, int bad, trm_error *err) {
  trm_bench *b;
  (void)t;
  return trm_bench_create_copy(bad, 1024, &b, err);
}
static trm_status copy_bytes(const things *t, int bad, trm_error *err) {
  trm_bench *b;
  (void)t;
  return trm_bench_create_copy(1, bad < 0 ? bad : 0, &b, err);
}
static trm_status rates_dtype(const things *t, int bad, trm_error *err) {
  double flops, bytes;
  (void)t;
  return trm_bench_device_rates((trm_device){TRM_DEVICE_CUDA, 0}, (trm_dtype)bad, &shape, &flops,
                                &bytes, err);
}
static trm_status rates_device(const things *t, int bad, trm_error *err) {
  double flops, bytes;
  (void)t;
  return trm_bench_device_rates((trm_device){(trm_device_kind)bad, 0}, TRM_FLOAT32, &shape, &flops,
                                &bytes, err);
}
static trm_status ops_arch(const things *t, int bad, trm_error *err) {
  trm_bench *b;
  trm_model_config c = *trm_model_get_config(t->model);
  c.arch = (trm_arch)bad;
  return trm_bench_create_ops(&c, 1, 1, 1, &b, err);
}
static trm_status ops_dtype(const things *t, int bad, trm_error *err) {
  trm_bench *b;
  trm_model_config c = *trm_model_get_config(t->model);
  c.forward_dtype = (trm_dtype)bad;
  return trm_bench_create_ops(&c, 1, 1, 1, &b, err);
}
static trm_status ops_teams(const things *t, int bad, trm_error *err) {
  trm_bench *b;
  return trm_bench_create_ops(trm_model_get_config(t->model), 1, bad, 1, &b, err);
}
static trm_status ops_rows(const things *t, int bad, trm_error *err) {
  trm_bench *b;
  return trm_bench_create_ops(trm_model_get_config(t->model), 1, 1, bad, &b, err);
}

static trm_puzzle of_kind(int kind) {
  return (trm_puzzle){
      .kind = (trm_puzzle_kind)kind, .rows = 2, .cols = 2, .box_rows = 1, .box_cols = 2};
}
static trm_status puzzle_text(const things *t, int bad, trm_error *err) {
  const trm_puzzle p = of_kind(bad);
  int32_t tokens[4];
  (void)t;
  return trm_puzzle_parse(&p, "1234", 4, tokens, err);
}
static trm_status sudoku_text(const things *t, int bad, trm_error *err) {
  const trm_puzzle p = of_kind(bad);
  uint8_t digits[TRM_SUDOKU_MAX_CELLS];
  (void)t;
  return trm_sudoku_parse(&p, "1234", 4, digits, err);
}
static trm_status maze_text(const things *t, int bad, trm_error *err) {
  const trm_puzzle p = of_kind(bad);
  uint8_t tokens[4];
  (void)t;
  return trm_maze_parse(&p, "SG##", 4, tokens, err);
}

#define CALL(name) \
  { #name, name }
static const struct {
  const char *name;
  call *call;
} calls[] = {CALL(model_arch),         CALL(model_positions),
             CALL(model_loss),         CALL(model_dtype),
             CALL(model_puzzle),       CALL(model_hidden),
             CALL(model_heads),        CALL(model_layers),
             CALL(model_cells),        CALL(model_cost),
             CALL(import_model),       CALL(complete_config),
             CALL(import_note),        CALL(peek_model),
             CALL(set_dtype),          CALL(export_format),
             CALL(export_dtype),       CALL(keep_id),
             CALL(solver_device),      CALL(solver_batch),
             CALL(solver_threads),     CALL(solver_rows),
             CALL(solver_token),       CALL(solver_id),
             CALL(queue_device),       CALL(queue_rows),
             CALL(queue_waiting),      CALL(queue_puzzles),
             CALL(queue_trajectory),   CALL(queue_threads),
             CALL(queue_halt),         CALL(queue_steps),
             CALL(queue_margin),       CALL(queue_id),
             CALL(queue_cancel),       CALL(trainer_optimizer),
             CALL(trainer_device),     CALL(trainer_batch),
             CALL(trainer_threads),    CALL(trainer_rows),
             CALL(trainer_rate),       CALL(finetune_augment),
             CALL(finetune_device),    CALL(finetune_threads),
             CALL(finetune_batch),     CALL(finetune_warmup),
             CALL(stream_augment),     CALL(stream_batch),
             CALL(stream_epochs),      CALL(stream_sets),
             CALL(stream_seek),        CALL(arrays_puzzle),
             CALL(arrays_vocabulary),  CALL(arrays_cells),
             CALL(arrays_examples),    CALL(split),
             CALL(eval_halt),          CALL(eval_device),
             CALL(eval_steps),         CALL(eval_batch),
             CALL(eval_threads),       CALL(eval_limit),
             CALL(eval_margin),        CALL(gen_sudoku_size),
             CALL(gen_sudoku_train),   CALL(gen_sudoku_givens),
             CALL(gen_sudoku_threads), CALL(gen_maze_rows),
             CALL(gen_maze_train),     CALL(gen_maze_path),
             CALL(gen_maze_walls),     CALL(gen_maze_threads),
             CALL(build_arc_copies),   CALL(build_arc_canvas),
             CALL(describe),           CALL(products_dtype),
             CALL(products_threads),   CALL(products_shapes),
             CALL(copy_threads),       CALL(copy_bytes),
             CALL(rates_dtype),        CALL(rates_device),
             CALL(ops_arch),           CALL(ops_dtype),
             CALL(ops_teams),          CALL(ops_rows),
             CALL(puzzle_text),        CALL(sudoku_text),
             CALL(maze_text)};

static void values_out_of_range_are_refused(void **state) {
  const things *t = *state;
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
    for (size_t k = 0; k < N_VALUES; k++) {
      trm_error err = {0};
      call *f = calls[i].call;
      /* 99 is a size like others. */
      const bool too_few = values[k] == 99 && f(t, INT32_MIN, NULL) != TRM_OK;
      const trm_status st = f(t, values[k], &err);
      assert_int_equal(f(t, values[k], NULL), st);
      if (st == TRM_OK && too_few) continue;
      if (st == TRM_OK) fail_msg("%s takes %d", calls[i].name, values[k]);
      if (st != TRM_E_ARGUMENT && st != TRM_E_CONFIG && st != TRM_E_RANGE && st != TRM_E_FORMAT)
        fail_msg("%s, %d: %s: %s", calls[i].name, values[k], trm_status_text(st), err.msg);
      if (err.code != st || strlen(err.msg) < 10)
        fail_msg("%s, %d: says '%s'", calls[i].name, values[k], err.msg);
    }
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

static void puzzles_of_no_kind_have_nothing(void **state) {
  static const uint8_t cells[TRM_SUDOKU_MAX_CELLS];
  static const int32_t tokens[4] = {1, 2, 3, 4};
  (void)state;
  for (size_t i = 0; i < N_VALUES; i++) {
    const trm_puzzle p = of_kind(values[i]);
    char text[64] = "x";
    assert_int_equal(trm_puzzle_first_symbol(&p), 0);
    assert_int_equal(trm_puzzle_n_symbols(&p), 0);
    for (int token = -1; token < 3; token++) assert_null(trm_puzzle_symbol(&p, token));
    assert_false(trm_puzzle_has_rules(&p));
    assert_false(trm_puzzle_solves(&p, tokens, tokens));
    assert_false(trm_puzzle_is_sized(&p));
    assert_false(trm_puzzle_has_images(&p));
    assert_int_equal(trm_puzzle_format(&p, tokens, text, sizeof text), 0);
    assert_string_equal(text, "");
    assert_true(trm_puzzle_text_size(&p) >= 1);

    /* Of a size that no Sudoku and no maze has. */
    assert_int_equal(trm_sudoku_of_size(values[i]).kind, TRM_PUZZLE_NONE);
    assert_int_equal(trm_maze_of_size(values[i], -1).kind, TRM_PUZZLE_NONE);
    assert_int_equal(trm_maze_shortest(values[i], -1, cells, NULL), 0);
    assert_false(trm_maze_solves(values[i], -1, cells, cells));
  }
}

/* --- models that were only peeked at --- */

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

/* --- nothing --- */

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

/* --- the things --- */

static int make_things(void **state) {
  static things t;
  static int32_t inputs[EXAMPLES * SMALL_LEN], ids[EXAMPLES];
  trm_error err;
  if (scratch_open(state)) return -1;
  t = (things){.s = *state};

  /* A model, in memory and as a file that was only looked at. */
  const trm_model_config c = model_config(ATTENTION);
  t.model = small_model(&c, 5);
  snprintf(t.path, sizeof t.path, "%s", scratch_path(t.s, "model"));

  /* Examples that it can be trained on. */
  for (int i = 0; i < EXAMPLES * SMALL_LEN; i++) inputs[i] = i % 7;
  for (int i = 0; i < EXAMPLES; i++) ids[i] = i % 3;
  const trm_dataset_arrays a = {.vocab_size = 7,
                                .seq_len = SMALL_LEN,
                                .num_puzzle_identifiers = 3,
                                .examples = EXAMPLES,
                                .inputs = inputs,
                                .labels = inputs,
                                .puzzle_identifiers = ids};
  if (trm_model_save(t.model, t.path, &err) || trm_model_peek(t.path, NULL, &t.peeked, &err) ||
      trm_dataset_from_arrays(&a, &t.data, &err))
    fail_msg("%s", err.msg);
  *state = &t;
  return 0;
}

static int free_things(void **state) {
  things *t = *state;
  trm_model_free(t->model);
  trm_model_free(t->peeked);
  trm_dataset_free(t->data);
  *state = t->s;
  return scratch_close(state);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_out_of_range_are_refused),
      cmocka_unit_test(names_outside_are_none),
      cmocka_unit_test(puzzles_of_no_kind_have_nothing),
      cmocka_unit_test(a_peeked_model_is_refused),
      cmocka_unit_test(nothing_is_freed),
  };
  return cmocka_run_group_tests(tests, make_things, free_things);
}
