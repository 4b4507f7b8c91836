/* What a function could not make, it does not hand out: whatever *out was, it is NULL after a
 * failure. */
#include "small_model.h"

/* What the calls are given; `wrong` is no file. */
typedef struct given {
  const char *wrong;
  trm_model *model, *outline; /* the outline has no weights */
  trm_model_config no_config;
  const trm_dataset *data;
  trm_arc_tasks *tasks;
} given;

/* Each function asked for what it cannot make, as a statement of its status. */
#define FAILING(X)                                                                                 \
  X(trm_model, model_create, trm_model_create(&g->no_config, 1, out, err))                         \
  X(trm_model, model_load, trm_model_load(g->wrong, out, err))                                     \
  X(trm_model, model_load_memory, trm_model_load_memory("", 0, "nothing", out, err))               \
  X(trm_model, model_import, trm_model_import(g->wrong, &g->no_config, out, err))                  \
  X(trm_model, model_peek, trm_model_peek(g->wrong, NULL, out, err))                               \
  X(trm_model, model_keep, trm_model_keep_puzzle_ids(g->model, &(int32_t){-1}, 1, out, err))       \
  X(trm_model, model_clone, trm_model_clone(g->outline, out, err))                                 \
  X(trm_solver, solver, trm_solver_create(g->model, &(trm_solver_config){.batch = -1}, out, err))  \
  X(trm_queue, queue, trm_queue_create(g->model, &(trm_queue_config){.rows = -1}, out, err))       \
  X(trm_trainer, trainer, trm_trainer_create(g->model, &(trm_trainer_config){0}, out, err))        \
  X(trm_model, finetune,                                                                           \
    trm_finetune(g->model, g->data, &(trm_finetune_config){.batch_size = -1}, out, err))           \
  X(trm_dataset, dataset_open, trm_dataset_open(g->wrong, "train", out, err))                      \
  X(trm_dataset, dataset_from_arrays, trm_dataset_from_arrays(&(trm_dataset_arrays){0}, out, err)) \
  X(trm_dataset, dataset_split_rest,                                                               \
    trm_dataset_split(g->data, 0, 1, out, &(trm_dataset *){0}, err))                               \
  X(trm_dataset, dataset_split_held,                                                               \
    trm_dataset_split(g->data, 0, 1, &(trm_dataset *){0}, out, err))                               \
  X(trm_stream, stream, trm_stream_create(&g->data, 1, &(trm_stream_config){0}, out, err))         \
  X(trm_sudoku_reader, sudoku_reader_create, trm_sudoku_reader_create(&maze, out, err))            \
  X(trm_sudoku_reader, sudoku_reader_open,                                                         \
    trm_sudoku_reader_open(&(trm_sudoku_reader_config){.name = g->wrong}, out, err))               \
  X(trm_arc_tasks, arc_tasks_load, trm_arc_tasks_load(g->wrong, out, err))                         \
  X(trm_arc_tasks, arc_tasks_load_all,                                                             \
    trm_arc_tasks_load_all(g->wrong, out, &(trm_arc_invalid){0}, err))                             \
  X(trm_arc_data, arc_data, trm_arc_data_create(g->tasks, 0, -1, 1, out, err))                     \
  X(trm_arc_votes, arc_votes, trm_arc_votes_create(g->wrong, out, err))                            \
  X(trm_arc_votes, arc_votes_for, trm_arc_votes_create_for(g->tasks, odd_names, 2, out, err))      \
  X(trm_bench, bench_products, trm_bench_create_products(TRM_FLOAT32, 1, NULL, 0, out, err))       \
  X(trm_bench, bench_copy, trm_bench_create_copy(1, 0, out, err))                                  \
  X(trm_bench, bench_ops, trm_bench_create_ops(&g->no_config, NULL, 0, 1, 1, out, err))

static const char *const odd_names[] = {"<blank>", "task|||t9"};
static const trm_sudoku_reader_config maze = {
    .puzzle = {.kind = TRM_PUZZLE_MAZE, .rows = 5, .cols = 5}};

#define CHECK(type, name, call)                              \
  static bool name##_fails_empty(const given *g) {           \
    static char other; /* what the caller's variable held */ \
    type *handed = (type *)(void *)&other, **out = &handed;  \
    trm_error message = {0}, *err = &message;                \
    const trm_status st = (call);                            \
    (void)g;                                                 \
    return st != TRM_OK && !handed;                          \
  }
FAILING(CHECK)

#define ROW(type, name, call) {#name, name##_fails_empty},
static const struct {
  const char *name;
  bool (*fails_empty)(const given *);
} checks[] = {FAILING(ROW)};

static void a_failure_hands_out_nothing(void **state) {
  /* What some of the checks are given: a model, its outline, data, tasks, and a path of nothing. */
  scratch *s = *state;
  static const char task[] =
      "{\"train\": [{\"input\": [[1]], \"output\": [[2]]}], \"test\": [{\"input\": [[1]]}]}";
  const trm_model_config c = small_config(TRM_ARCH_TRM, 5);
  const int32_t tokens[10] = {0};
  const trm_dataset_arrays arrays = {
      .vocab_size = 7, .seq_len = 5, .examples = 2, .inputs = tokens, .labels = tokens};
  trm_dataset *data;
  given g = {.model = small_model(&c, 1)};
  char wrong[160];
  int wrong_calls = 0;
  assert_int_equal(trm_model_save(g.model, scratch_path(s, "model"), NULL), TRM_OK);
  assert_int_equal(trm_model_peek(s->path, NULL, &g.outline, NULL), TRM_OK);
  assert_int_equal(trm_dataset_from_arrays(&arrays, &data, NULL), TRM_OK);
  g.data = data;
  write_bytes(scratch_path(s, "task.json"), task, strlen(task));
  assert_int_equal(trm_arc_tasks_load(s->path, &g.tasks, NULL), TRM_OK);
  snprintf(wrong, sizeof wrong, "%s", scratch_path(s, "nothing"));
  g.wrong = wrong;

  /* Each function fails with memory in *out that is no pointer, and must leave nothing there. */
  for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
    if (!checks[i].fails_empty(&g)) {
      print_error("%s succeeds, or leaves *out\n", checks[i].name);
      wrong_calls++;
    }

  /* All are tried, so that one run names all of them. */
  assert_int_equal(wrong_calls, 0);
  trm_arc_tasks_free(g.tasks);
  trm_dataset_free(data);
  trm_model_free(g.outline);
  trm_model_free(g.model);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_failure_hands_out_nothing)};
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
