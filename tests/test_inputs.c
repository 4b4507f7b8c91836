/* What is put in beside the tokens, and what the rules of a puzzle teach, against numbers computed
 * elsewhere (docs/MODEL.md section 8). Blocks, gradients and whole updates are in test_ops,
 * double_gradients, test_same_bits and test_cuda. */
#include "base/file.h"
#include "io/safetensors.h"
#include "kernels/loss.h"
#include "probe.h"
#include "puzzle/puzzle.h"
#include "train/trainer.h"
#include "trm.h"

/* --- numbers --- */

typedef struct golden {
  trm__safetensors *init, *batches, *expected;
} golden;

static trm__safetensors *golden_file(const char *name, const char *part) {
  char path[600];
  trm__safetensors *file;
  trm_error err;
  snprintf(path, sizeof path, "%s/golden/recipes/%s/%s.safetensors", TRM_SHARED_DIR, name, part);
  if (!trm__path_exists(path)) {
    print_message("no numbers at %s\n", path);
    return NULL;
  }
  if (trm__safetensors_open(path, &file, &err) != TRM_OK) fail_msg("%s", err.msg);
  return file;
}
static bool golden_open(golden *g, const char *name) {
  g->init = golden_file(name, "init");
  if (!g->init) return false;
  g->batches = golden_file(name, "batches");
  g->expected = golden_file(name, "expected_train");
  return true;
}
static void golden_close(golden *g) {
  trm__safetensors_close(g->init);
  trm__safetensors_close(g->batches);
  trm__safetensors_close(g->expected);
}

static const trm__st_tensor *tensor(const trm__safetensors *file, const char *name) {
  const trm__st_tensor *t = trm__safetensors_find(file, name);
  if (!t) fail_msg("%s is missing", name);
  return t;
}
static real *reals(const trm__safetensors *file, const char *name) {
  const trm__st_tensor *t = tensor(file, name);
  real *v = trm__alloc((size_t)t->count, sizeof *v);
  assert_non_null(v);
  assert_int_equal(trm__st_to_float(t, v, NULL), TRM_OK);
  return v;
}
static int32_t *ints(const trm__safetensors *file, const char *name) {
  const trm__st_tensor *t = tensor(file, name);
  int32_t *v = trm__alloc((size_t)t->count, sizeof *v);
  assert_non_null(v);
  assert_int_equal(t->dtype, TRM__I32);
  memcpy(v, t->data, (size_t)t->count * sizeof *v);
  return v;
}

static const struct sudoku {
  const char *name;
  int size, V;
} sudokus[] = {{"priml_mixer", 4, 6}, {"priml_attention", 9, 11}};
enum { N_SUDOKUS = 2 };

/* --- each digit once in a row, column and box --- */

static void the_constraint_loss_is_as_computed_elsewhere(void **state) {
  (void)state;
  for (int i = 0; i < N_SUDOKUS; i++) {
    const trm_puzzle p = trm_sudoku_of_size(sudokus[i].size);
    trm__unit_set units[TRM__MOST_UNITS];
    const trm__constraint c = {p.rows * p.cols, sudokus[i].V, trm__puzzle_units(&p, units), units};
    const int64_t row = (int64_t)c.S * c.V;
    golden g;
    if (!golden_open(&g, sudokus[i].name)) continue;

    /* Row by row; the gradient is that of their mean. */
    int32_t *labels = ints(g.batches, "labels");
    real *logits = reals(g.expected, "step0.logits"), *want = reals(g.expected, "step0.csp_rows");
    const int n = (int)(tensor(g.batches, "labels")->count / c.S);
    real *slopes = reals(g.expected, "step0.csp_grad_logits"), *got = probe_reals(n * row);
    double *work = trm__alloc((size_t)trm__constraint_work(&c), sizeof *work);
    assert_non_null(work);
    for (int r = 0; r < n; r++) {
      const double loss = trm__constraint_loss(&c, labels + r * c.S, logits + r * row, 1.0 / n,
                                               work, got + r * row);
      probe_below(fabs(loss / (double)want[r] - 1), 1e-5, "%s, row %d", sudokus[i].name, r);
    }
    probe_below(probe_error(got, slopes, n * row), 1e-5, "%s, gradient", sudokus[i].name);

    void *all[] = {labels, logits, want, slopes, got, work};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) trm__free(all[k]);
    golden_close(&g);
  }
}

/* --- the embedded question -------------------------------------------------------------------- */

/* A Sudoku's model of that width with everything that is put in beside the tokens. */
static trm_model_config config_of(const struct sudoku *s, int width) {
  trm_model_config c = trm_model_config_default(TRM_ARCH_TRM);
  c.puzzle = trm_sudoku_of_size(s->size);
  c.vocab_size = s->V;
  c.seq_len = s->size * s->size;
  c.num_puzzle_identifiers = 1;
  c.hidden_size = width;
  c.num_heads = 2;
  c.H_cycles = c.L_cycles = c.L_layers = 1;
  c.puzzle_emb_ndim = c.puzzle_emb_len = 0;
  c.forward_dtype = TRM_FLOAT32;
  c.grid_tables = c.feedback = true;
  c.registers = 1;
  return c;
}

static void fill(trm_model *m, const golden *g, const char *name, const char *theirs) {
  const trm_tensor t = trm_model_tensor_named(m, name);
  real *v = reals(g->init, theirs);
  assert_int_equal(t.count, tensor(g->init, theirs)->count);
  memcpy(t.data, v, (size_t)t.count * sizeof *v);
  trm__free(v);
}

/* sqrt(D) (token + row + column + box + what is fed back), behind sqrt(D) register. */
static void the_input_is_as_computed_elsewhere(void **state) {
  static const char *const names[][2] = {
      {"embed_tokens.embedding_weight", "embedding.embed_tokens.weight"},
      {"embed_row.embedding_weight", "embedding.channels.0.embed_pos_row"},
      {"embed_column.embedding_weight", "embedding.channels.0.embed_pos_col"},
      {"embed_box.embedding_weight", "embedding.channels.0.embed_pos_box"},
      {"embed_feedback.embedding_weight", "embedding.channels.1.embed_feedback"},
      {"embed_registers.embedding_weight", "prefix.register_tokens"}};
  const struct sudoku *s = &sudokus[1];
  golden g;
  (void)state;
  if (!golden_open(&g, s->name)) return;
  const trm_model_config c = config_of(s, 32);
  trm_model *m;
  trm__backend *be;
  trm_error err;
  if (trm_model_create(&c, 1, &m, &err) != TRM_OK) fail_msg("%s", err.msg);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) fill(m, &g, names[i][0], names[i][1]);

  const trm__layout *l = m->layout;
  assert_int_equal(trm__cpu_create(&l->dims, &l->outer, l->blocks, l->n_blocks, false, &be, &err),
                   TRM_OK);
  trm__lane lane = {0, 1, 0, 1, NULL};
  trm__workspace ws = {.lane = &lane};
  be->ops->pack(be, &lane, m->params);

  /* The first step sees the puzzle itself, corrupted. */
  const int cells = c.seq_len, n = (int)(tensor(g.batches, "inputs")->count / cells);
  int32_t *inputs = ints(g.batches, "inputs"), *fed = ints(g.batches, "feedback");
  real *want = reals(g.expected, "step0.input_embedding");
  real *got = probe_reals((int64_t)n * l->dims.L * l->dims.D);
  be->ops->embed(be, &ws, n, inputs, fed, NULL, got);
  probe_below(probe_error(got, want, (int64_t)n * l->dims.L * l->dims.D), 1e-6, "the input");

  void *all[] = {inputs, fed, want, got};
  for (size_t k = 0; k < sizeof all / sizeof *all; k++) trm__free(all[k]);
  be->ops->destroy(be);
  trm_model_free(m);
  golden_close(&g);
}

/* What a step answered, with the givens, and of it what the next one sees. */
static void the_answer_is_fed_back_as_elsewhere(void **state) {
  (void)state;
  for (int i = 0; i < N_SUDOKUS; i++) {
    const struct sudoku *s = &sudokus[i];
    const int cells = s->size * s->size;
    golden g;
    if (!golden_open(&g, s->name)) continue;
    const trm_model_config c = config_of(s, 32);
    trm__layout *l;
    trm__backend *be;
    trm_error err;
    assert_int_equal(trm__layout_create(&c, &l, &err), TRM_OK);
    assert_int_equal(trm__cpu_create(&l->dims, &l->outer, l->blocks, l->n_blocks, false, &be, &err),
                     TRM_OK);
    trm__lane lane = {0, 1, 0, 1, NULL};
    trm__workspace ws = {.lane = &lane};

    /* Rows without latents, which all have halted. */
    enum { STEPS = 3 };
    const int n = (int)(tensor(g.batches, "inputs")->count / cells), all_cells = n * cells;
    int32_t *inputs = ints(g.batches, "inputs"), *want = ints(g.batches, "feedback");
    int32_t *mask = ints(g.batches, "feedback_corrupt_mask"),
            *token = ints(g.batches, "feedback_corrupt_token");
    int32_t *ints_of = trm__alloc(6 * (size_t)all_cells + 3 * (size_t)n, sizeof *ints_of);
    uint8_t *halted = trm__alloc((size_t)n, 1);
    const real **puzzle = trm__alloc((size_t)n, sizeof *puzzle);
    assert_true(ints_of && halted && puzzle);
    trm__rows rows = {.inputs = ints_of,
                      .labels = ints_of + all_cells,
                      .decoded = ints_of + 2 * all_cells,
                      .fed = ints_of + 3 * all_cells,
                      .puzzle_ids = ints_of + 6 * all_cells,
                      .steps = ints_of + 6 * all_cells + n,
                      .halted = halted,
                      .puzzle = puzzle};
    trm__fresh fresh = {.inputs = inputs,
                        .labels = ints_of + 4 * all_cells,
                        .puzzle_ids = ints_of + 6 * all_cells + 2 * n,
                        .corrupt = ints_of + 5 * all_cells};
    memset(halted, 1, (size_t)n);

    for (int k = 0; k < STEPS; k++) {
      char name[40];
      for (int j = 0; j < all_cells; j++)
        fresh.corrupt[j] = mask[k * all_cells + j] ? token[k * all_cells + j] : 0;
      be->ops->refill(be, &ws, &rows, &fresh, 0, n, 1);
      assert_memory_equal(rows.fed, want + k * all_cells, (size_t)all_cells * sizeof *want);

      snprintf(name, sizeof name, "step%d.logits", k);
      real *logits = reals(g.expected, name);
      be->ops->decode(be, &ws, n, rows.inputs, logits, rows.decoded);
      snprintf(name, sizeof name, "step%d.decoded", k);
      int32_t *decoded = ints(g.expected, name);
      assert_memory_equal(rows.decoded, decoded, (size_t)all_cells * sizeof *decoded);
      trm__free(logits);
      trm__free(decoded);
    }

    void *all[] = {inputs, want, mask, token, ints_of, halted, (void *)puzzle};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) trm__free(all[k]);
    be->ops->destroy(be);
    trm__layout_free(l);
    golden_close(&g);
  }
}

/* --- what training sees of its answers --- */

/* Whole updates of a small model whose rows stay for several steps: givens are never replaced,
 * other cells in a share of a share of the rows, by digits; what is not is what was answered. */
static void training_corrupts_what_is_not_given(void **state) {
  enum { B = 60, UPDATES = 6, CELLS_OF_4 = 16 };
  static const struct sudoku four = {"", 4, 6};
  (void)state;
  trm_model_config c = config_of(&four, 16);
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
  static const struct sudoku four = {"", 4, 6};
  static const int32_t puzzles[N][CELLS_OF_4] = {{2, 1, 1, 1, 1, 1, 2, 1, 1, 3, 1, 1, 1, 1, 1, 5},
                                                 {1, 1, 4, 1, 3, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1},
                                                 {1, 5, 1, 1, 1, 1, 1, 3, 2, 1, 1, 1, 1, 1, 4, 1}};
  (void)state;
  const trm_model_config c = config_of(&four, 16);
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
      cmocka_unit_test(the_input_is_as_computed_elsewhere),
      cmocka_unit_test(the_answer_is_fed_back_as_elsewhere),
      cmocka_unit_test(training_corrupts_what_is_not_given),
      cmocka_unit_test(answers_are_fed_back_uncorrupted),
      cmocka_unit_test(the_constraint_loss_is_as_computed_elsewhere),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
