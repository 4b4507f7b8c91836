/* Data, evaluations, devices, measurements and puzzles with values out of range. */
#include <math.h>

#include "out_of_range.h"

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

#define ARRAYS_FIELD(name, field, type)                               \
  static trm_status name(const things *t, int bad, trm_error *err) {  \
    const int32_t cells[EXAMPLES * 99] = {0}; /* room for any size */ \
    trm_dataset_arrays a = {.vocab_size = 7,                          \
                            .seq_len = SMALL_LEN,                     \
                            .examples = EXAMPLES,                     \
                            .inputs = cells,                          \
                            .labels = cells};                         \
    trm_dataset *d;                                                   \
    (void)t;                                                          \
    a.field = (type)bad;                                              \
    const trm_status st = trm_dataset_from_arrays(&a, &d, err);       \
    trm_dataset_free(d);                                              \
    return st;                                                        \
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
/* What 99 may have made. */
static trm_status freed(trm_status st, trm_bench **b) {
  trm_bench_free(*b);
  return st;
}
static trm_status products_dtype(const things *t, int bad, trm_error *err) {
  trm_bench *b;
  (void)t;
  return freed(trm_bench_create_products((trm_dtype)bad, 1, &shape, 1, &b, err), &b);
}
static trm_status products_threads(const things *t, int bad, trm_error *err) {
  trm_bench *b;
  (void)t;
  return freed(trm_bench_create_products(TRM_FLOAT32, bad, &shape, 1, &b, err), &b);
}
static trm_status products_shapes(const things *t, int bad, trm_error *err) {
  trm_bench *b;
  const trm_bench_shape wrong = {"shape", 8, bad, 8};
  (void)t;
  return freed(trm_bench_create_products(TRM_FLOAT32, 1, &wrong, 1, &b, err), &b);
}
static trm_status copy_threads(const things *t, int bad, trm_error *err) {
  trm_bench *b;
  (void)t;
  return freed(trm_bench_create_copy(bad, 1024, &b, err), &b);
}
static trm_status copy_bytes(const things *t, int bad, trm_error *err) {
  trm_bench *b;
  (void)t;
  return freed(trm_bench_create_copy(1, bad < 0 ? bad : 0, &b, err), &b);
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
  return freed(trm_bench_create_ops(&c, NULL, 1, 1, 1, &b, err), &b);
}
static trm_status ops_dtype(const things *t, int bad, trm_error *err) {
  trm_bench *b;
  trm_model_config c = *trm_model_get_config(t->model);
  c.forward_dtype = (trm_dtype)bad;
  return freed(trm_bench_create_ops(&c, NULL, 1, 1, 1, &b, err), &b);
}
static trm_status ops_teams(const things *t, int bad, trm_error *err) {
  trm_bench *b;
  return freed(trm_bench_create_ops(trm_model_get_config(t->model), NULL, 1, bad, 1, &b, err), &b);
}
static trm_status ops_rows(const things *t, int bad, trm_error *err) {
  trm_bench *b;
  return freed(trm_bench_create_ops(trm_model_get_config(t->model), NULL, 1, 1, bad, &b, err), &b);
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

static const out_of_range calls[] = {CALL(stream_augment),     CALL(stream_batch),
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
  assert_refused(*state, calls, sizeof calls / sizeof *calls);
}

/* --- puzzles of no kind --- */

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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_out_of_range_are_refused),
      cmocka_unit_test(puzzles_of_no_kind_have_nothing),
  };
  return cmocka_run_group_tests(tests, make_things, free_things);
}
