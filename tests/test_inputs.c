/* What is fed back beside the tokens (docs/MODEL.md section 9): in training with cells replaced, at
 * test as it was answered. Tables, registers, rules and feedback of a whole training are in parity,
 * ops and gradients in test_ops, double_gradients, test_same_bits and test_cuda. */
#include "probe.h"
#include "train/trainer.h"
#include "trm.h"

/* A model of 4x4 Sudokus with everything that is put in beside the tokens. */
static trm_model_config config_of_4(void) {
  trm_model_config c = trm_model_config_default(TRM_ARCH_TRM);
  c.puzzle = trm_sudoku_of_size(4);
  c.vocab_size = 6;
  c.seq_len = 16;
  c.num_puzzle_identifiers = 1;
  c.hidden_size = 16;
  c.num_heads = 2;
  c.H_cycles = c.L_cycles = c.L_layers = 1;
  c.puzzle_emb_ndim = c.puzzle_emb_len = 0;
  c.forward_dtype = TRM_FLOAT32;
  c.grid_tables = c.feedback = true;
  c.registers = 1;
  return c;
}

/* Whole updates of a small model whose rows stay for several steps: givens are never replaced,
 * other cells in a share of a share of the rows, by digits; what is not is what was answered. */
static void training_corrupts_what_is_not_given(void **state) {
  enum { B = 60, UPDATES = 6, CELLS_OF_4 = 16 };
  (void)state;
  trm_model_config c = config_of_4();
  trm_trainer_config tc = trm_trainer_config_default();
  trm_model *m;
  trm_trainer *t;
  trm_error err;
  c.halting = TRM_HALTING_NEVER;
  c.halt_max_steps = 4;
  c.feedback_corrupt_prob = 0.5;
  c.feedback_corrupt_cells = 0.25;
  tc.batch_size = B;
  tc.threads = 1;
  if (trm_model_create(&c, 1, &m, &err) != TRM_OK) fail_msg("%s", err.msg);
  if (trm_trainer_create(m, &tc, &t, &err) != TRM_OK) fail_msg("%s", err.msg);

  /* Half of the cells are given. */
  int32_t inputs[B * CELLS_OF_4], labels[B * CELLS_OF_4], ids[B] = {0}, before[B * CELLS_OF_4];
  trm__rng r = probe_rng(3);
  for (int i = 0; i < B * CELLS_OF_4; i++) {
    labels[i] = 2 + (int32_t)trm__rng_below(&r, 4);
    inputs[i] = trm__rng_below(&r, 2) ? labels[i] : 1;
  }
  memcpy(before, inputs, sizeof before);

  int rows = 0, replaced = 0, open = 0;
  for (int u = 0; u < UPDATES; u++) {
    if (u == 4) memcpy(before, inputs, sizeof before); /* all begin anew */
    assert_int_equal(trm_trainer_step(t, &(trm_batch){inputs, labels, ids}, NULL, &err), TRM_OK);
    const trm__rows *all = &t->carry->rows;
    for (int row = 0; row < B; row++) {
      int differ = 0, blank = 0;
      for (int i = row * CELLS_OF_4; i < (row + 1) * CELLS_OF_4; i++) {
        if (inputs[i] != 1) assert_int_equal(all->fed[i], inputs[i]);
        if (inputs[i] != 1) assert_int_equal(all->decoded[i], inputs[i]);
        blank += inputs[i] == 1;
        if (all->fed[i] == before[i]) continue;
        differ++;
        assert_in_range(all->fed[i], 2, 5);
      }
      rows += differ > 0;
      replaced += differ;
      if (differ) open += blank;
    }
    memcpy(before, all->decoded, sizeof before);
  }

  /* About half of 360 rows, in which about a quarter of the cells were replaced (a fifth differ, or
   * all, as what was answered is one of four digits or not). */
  assert_in_range(rows, 120, 210);
  assert_in_range(100 * replaced / open, 15, 45);
  trm_trainer_free(t);
  trm_model_free(m);
}

/* What is asked sees its own last answer, uncorrupted: a table that is not zero changes the second
 * step and not the first, and rows that come, go and move take their answers along. */
static void answers_are_fed_back_uncorrupted(void **state) {
  enum { N = 3, CELLS_OF_4 = 16 };
  static const int32_t puzzles[N][CELLS_OF_4] = {{2, 1, 1, 1, 1, 1, 2, 1, 1, 3, 1, 1, 1, 1, 1, 5},
                                                 {1, 1, 4, 1, 3, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1},
                                                 {1, 5, 1, 1, 1, 1, 1, 3, 2, 1, 1, 1, 1, 1, 4, 1}};
  (void)state;
  const trm_model_config c = config_of_4();
  trm_model *m;
  trm_solver *s;
  trm_error err;
  float first[2][2 * CELLS_OF_4 * 6];
  trm__rng r = probe_rng(3);
  if (trm_model_create(&c, 1, &m, &err) != TRM_OK) fail_msg("%s", err.msg);
  const trm_tensor table = trm_model_tensor_named(m, "embed_feedback.embedding_weight");
  for (int64_t i = 0; i < table.count; i++) assert_true(table.data[i] == 0);

  /* Alone, two steps, without and with a table. */
  const size_t row = CELLS_OF_4 * 6;
  for (int with = 0; with < 2; with++) {
    if (with) probe_fill(table.data, table.count, 1, &r);
    assert_int_equal(trm_solver_create(m, &(trm_solver_config){.batch = N, .threads = 1}, &s, &err),
                     TRM_OK);
    assert_int_equal(trm_solver_start(s, 1, puzzles[2], NULL, &err), TRM_OK);
    for (int step = 0; step < 2; step++) {
      assert_int_equal(trm_solver_step(s, &err), TRM_OK);
      memcpy(first[with] + (size_t)step * row, trm_solver_logits(s), row * sizeof(float));
    }
    if (!with) trm_solver_free(s);
  }
  assert_memory_not_equal(first[0] + row, first[1] + row, row * sizeof(float));

  /* The same behind others, of which one leaves after a step: the last row takes its place. */
  assert_int_equal(trm_solver_start(s, N, puzzles[0], NULL, &err), TRM_OK);
  assert_int_equal(trm_solver_step(s, &err), TRM_OK);
  trm_solver_remove(s, 0);
  assert_int_equal(trm_solver_step(s, &err), TRM_OK);
  assert_memory_equal(trm_solver_logits(s), first[1] + row, row * sizeof(float));
  trm_solver_free(s);
  trm_model_free(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(training_corrupts_what_is_not_given),
      cmocka_unit_test(answers_are_fed_back_uncorrupted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
