/* Batches that a thread builds ahead: the same as those that are built when they are asked for, in
 * all rows that are wanted, with the same positions; and it ends whenever it is told to. */
#include "run/run_parts.h"
#include "scratch.h"
#include "trm.h"

enum { ROWS = 8, BATCHES = 40, CELLS = 16 };

static int set_up(void **state) {
  if (scratch_open(state)) return -1;
  const trm_sudoku_gen_config gen = {
      .size = 4, .n_train = 32, .n_test = 8, .output_dir = scratch_path(*state, "data")};
  return trm_gen_sudoku(&gen, NULL, NULL) == TRM_OK ? 0 : -1;
}

typedef struct source {
  trm_dataset *data;
  trm_stream *stream;
  trm__ahead *batches;
} source;

static source open_source(scratch *s, bool ahead) {
  source x;
  trm_error err;
  const trm_stream_config config = {.batch_size = ROWS, .epochs_per_iter = 2, .seed = 3};
  assert_int_equal(trm_dataset_open(scratch_path(s, "data"), "train", &x.data, &err), TRM_OK);
  const trm_dataset *sets[] = {x.data};
  assert_int_equal(trm_stream_create(sets, 1, &config, &x.stream, &err), TRM_OK);
  assert_int_equal(trm__ahead_create(x.stream, ROWS, CELLS, ahead, &x.batches, &err), TRM_OK);
  return x;
}

static void close_source(source *x) {
  trm__ahead_free(x->batches);
  trm_stream_free(x->stream);
  trm_dataset_free(x->data);
}

static void batches_are_the_same(void **state) {
  source now = open_source(*state, false), ahead = open_source(*state, true);
  uint8_t wants[ROWS];
  for (int i = 0; i < BATCHES; i++) {
    for (int row = 0; row < ROWS; row++) wants[row] = (row + i) % 3 != 0;
    const trm_batch *a = trm__ahead_next(now.batches, wants);
    const trm_batch *b = trm__ahead_next(ahead.batches, wants);
    for (int row = 0; row < ROWS; row++) {
      if (!wants[row]) continue;
      assert_int_equal(a->puzzle_ids[row], b->puzzle_ids[row]);
      assert_memory_equal(a->inputs + row * CELLS, b->inputs + row * CELLS,
                          CELLS * sizeof(int32_t));
      assert_memory_equal(a->labels + row * CELLS, b->labels + row * CELLS,
                          CELLS * sizeof(int32_t));
    }
    assert_int_equal(trm__ahead_position(now.batches), i + 1);
    assert_int_equal(trm__ahead_position(ahead.batches), i + 1);
  }
  close_source(&now);
  close_source(&ahead);
}

/* While the thread builds, or waits, or has hardly begun. */
static void it_ends_at_any_moment(void **state) {
  for (int i = 0; i < 60; i++) {
    source x = open_source(*state, true);
    for (int n = 0; n < i % 3; n++) (void)trm__ahead_next(x.batches, NULL);
    close_source(&x);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(batches_are_the_same),
                                     cmocka_unit_test(it_ends_at_any_moment)};
  return cmocka_run_group_tests(tests, set_up, scratch_close);
}
