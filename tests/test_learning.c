/* Training learns: small Sudokus within seconds, on every instruction set, in both number formats.
 */
#include "small_trainer.h"

#include <math.h>

#include "kernels/kernels.h"

static trm_dataset *easy_sudokus(scratch *s) {
  trm_error err;
  trm_dataset *d;
  const trm_sudoku_gen_config gen = {.size = 4,
                                     .n_train = 64,
                                     .n_test = 1,
                                     .min_givens = 9,
                                     .seed = 1,
                                     .threads = 1,
                                     .output_dir = scratch_path(s, "sudoku4")};
  if (trm_gen_sudoku(&gen, NULL, &err) != TRM_OK) fail_msg("%s", err.msg);
  if (trm_dataset_open(s->path, "train", &d, &err) != TRM_OK) fail_msg("%s", err.msg);
  return d;
}

enum { ROWS = 16, CELLS = 16, UPDATES = 240, SPAN = 40 };

/* Loss per row and share of exact answers, over the first and the last updates. */
typedef struct progress {
  double loss[2], exact[2];
} progress;

static progress learn(const trm_model *m, trm_stream *stream) {
  /* A rate that is constant after a short warm-up, and no average of weights: what is measured is
   * the learning itself. */
  static int32_t inputs[ROWS * CELLS], labels[ROWS * CELLS];
  static int32_t ids[ROWS];
  trm_trainer_config c = small_training(ROWS);
  progress p = {{0}, {0}};
  double count[2] = {0};
  c.lr = 2e-3;
  c.lr_warmup_steps = 20;
  c.lr_min_ratio = 1;
  c.weight_decay = 0.1;
  c.ema_rate = 0;

  /* The figures of the first and the last updates are kept. */
  trm_trainer *t = small_trainer(m, &c);
  for (int u = 0; u < UPDATES; u++) {
    const int part = u < SPAN ? 0 : u >= UPDATES - SPAN ? 1 : -1;
    const trm_batch fresh = {inputs, labels, ids};
    trm_metrics metrics;
    trm_error err;
    trm_stream_next(stream, trm_trainer_wants(t), inputs, labels, ids);
    if (trm_trainer_step(t, &fresh, &metrics, &err) != TRM_OK) fail_msg("%s", err.msg);
    if (part < 0) continue;
    p.loss[part] += metrics.lm_loss / ROWS / SPAN;
    p.exact[part] += metrics.exact_accuracy;
    count[part] += metrics.count;
  }

  /* Exact answers count per row that halted. */
  for (int part = 0; part < 2; part++) p.exact[part] /= fmax(count[part], 1);
  trm_trainer_free(t);
  return p;
}

/* Hundreds of updates say nothing more under a sanitizer, and take minutes there. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { LEARNS = 0 };
#else
enum { LEARNS = 1 };
#endif

static void training_learns_small_sudokus(void **state) {
  /* Puzzles of side 4 and a model that learns them in a second. */
  if (!LEARNS) skip();
  trm_dataset *d = easy_sudokus(*state);
  trm_model_config mc = trm_model_config_default(TRM_ARCH_TRM);
  mc.vocab_size = 6;
  mc.seq_len = CELLS;
  mc.num_puzzle_identifiers = 1;
  mc.hidden_size = 32;
  mc.num_heads = 2;
  mc.L_layers = 1;
  mc.H_cycles = 1;
  mc.L_cycles = 2;
  mc.mlp_t = true;
  mc.pos_encodings = TRM_POS_NONE;
  mc.puzzle_emb_ndim = 0;
  mc.halt_max_steps = 2;
  trm_model *m;
  assert_int_equal(trm_model_create(&mc, 1, &m, NULL), TRM_OK);

  /* Each instruction set, unless the environment has chosen one. */
  const char *forced = getenv("TRM_ISA");
  const trm__kernels *kernels[8];
  const int n = trm__kernels_runnable(kernels, 8);
  for (int i = 0; i < n; i++) {
    if (forced && strcmp(forced, kernels[i]->name) != 0) continue;

    /* The same data in the same order. */
    trm_stream *stream;
    const trm_stream_config sc = {.batch_size = ROWS, .seed = 1, .epochs_per_iter = 1000};
    const trm_dataset *sets[] = {d};
    assert_int_equal(trm_stream_create(sets, 1, &sc, &stream, NULL), TRM_OK);
    assert_int_equal(setenv("TRM_ISA", kernels[i]->name, 1), 0);
    assert_int_equal(trm_model_set_dtype(m, i % 2 ? TRM_FLOAT32 : TRM_BFLOAT16, NULL),
                     TRM_OK); /* in turn: each takes a second */

    /* Far better at the end than at the start, when nearly nothing was right. */
    const progress p = learn(m, stream);
    print_message("%s: loss %.3f to %.3f, exact %.3f to %.3f\n", kernels[i]->name, p.loss[0],
                  p.loss[1], p.exact[0], p.exact[1]);
    assert_true(p.loss[1] < 0.5 * p.loss[0]);
    assert_true(p.exact[0] < 0.2 && p.exact[1] > 0.5);
    trm_stream_free(stream);
    if (!forced) assert_int_equal(unsetenv("TRM_ISA"), 0);
  }
  trm_model_free(m);
  trm_dataset_free(d);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(training_learns_small_sudokus)};
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
