/* Weights of supervision steps (CGAR, arXiv 2511.08653): what each step counts in the loss of its
 * row, against numbers computed elsewhere, and what an update reports of it. Gradients of a whole
 * step are in double_gradients, the op on every device in test_ops and test_cuda_ops. */
#include <math.h>

#include "base/file.h"
#include "golden.h"
#include "nn/model.h"
#include "small_trainer.h"

#define CASE TRM_SHARED_DIR "/golden/recipes/cgar/"

/* --- a case ---------------------------------------------------------------------------------- */

/* A model of the case's sizes: nine cells, seven tokens. */
static trm_model *model_of(const trm__safetensors *batches, int steps, bool of_q) {
  trm_model_config c = small_config(TRM_ARCH_TRM, (int)golden_tensor(batches, "labels")->shape[1]);
  c.vocab_size = (int)golden_tensor(batches, "logits")->shape[2];
  c.halt_max_steps = steps;
  c.step_decay = 0.7;
  c.step_decay_q = of_q;
  return small_model(&c, 1);
}

/* Gradients of the mean over the rows, in place. */
static void check_gradient(const trm__safetensors *expected, const char *reading, const char *of,
                           int rows, real *got) {
  char name[60];
  snprintf(name, sizeof name, "%s.grad_%s", reading, of);
  const int64_t n = golden_tensor(expected, name)->count;
  real *want = golden_copy(expected, name);
  for (int64_t i = 0; i < n; i++) got[i] /= (real)rows;
  probe_below(probe_error(got, want, n), 1e-6, "%s", name);
  trm__free(want);
}

/* Both readings: the weights are those of the answer's loss alone, or of q's, too. */
static void losses_are_as_computed_elsewhere(void **state) {
  static const char *const readings[] = {"token_loss_only", "both_losses"};
  (void)state;
  if (!trm__path_exists(CASE "batches.safetensors")) skip();
  trm__safetensors *b = golden_file(CASE "batches.safetensors"),
                   *e = golden_file(CASE "expected.safetensors");
  const int steps = (int)golden_tensor(e, "weights_by_step")->count,
            rows = (int)golden_tensor(b, "q")->shape[0];
  for (int which = 0; which < 2; which++) {
    trm_model *m = model_of(b, steps, which == 1);
    const trm__layout *l = m->layout;
    const trm__dims *dims = &l->dims;
    trm__backend *be;
    trm_error err;
    assert_int_equal(trm__cpu_create(dims, &l->outer, l->blocks, l->n_blocks, true, &be, &err),
                     TRM_OK);

    /* Each step's weight, which those of all steps share among themselves. */
    real *weights = golden_copy(e, "weights_by_step"), *of_rows = golden_copy(e, "row_weight");
    const int32_t *step_of_row = golden_tensor(b, "step_of_row")->data;
    double sum = 0;
    for (int t = 1; t <= steps; t++) {
      sum += trm__step_share(dims, t);
      probe_below(fabs(trm__step_share(dims, t) / (double)weights[t - 1] - 1), 1e-6, "step %d", t);
    }
    probe_below(fabs(sum - 1), 1e-12, "sum of the weights");

    /* Losses without the weights, gradients with. */
    trm__lane lane = {0, 1, 0, 1, NULL};
    trm__workspace ws = {.lane = &lane,
                         .scratch = probe_reals(be->ops->scratch_size(be, rows, true))};
    real *logits = golden_copy(b, "logits"), *q = golden_copy(b, "q");
    real *lm = golden_copy(e, "row_lm_loss"), *of_q = golden_copy(e, "row_q_loss");
    trm__row_loss loss[16];
    assert_true(rows <= 16);
    be->ops->loss(be, &ws, rows, golden_tensor(b, "labels")->data, step_of_row, NULL, logits, q,
                  loss);
    for (int r = 0; r < rows; r++) {
      probe_below(fabs(loss[r].lm / (double)lm[r] - 1), 1e-6, "lm of row %d", r);
      probe_below(fabs(loss[r].q_halt / (double)of_q[r] - 1), 1e-6, "q of row %d", r);
      probe_below(fabs(trm__step_share(dims, step_of_row[r]) / (double)of_rows[r] - 1), 1e-6,
                  "weight of row %d", r);
    }
    check_gradient(e, readings[which], "logits", rows, logits);
    check_gradient(e, readings[which], "q", rows, q);

    void *all[] = {weights, of_rows, logits, q, lm, of_q, ws.scratch};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) trm__free(all[i]);
    be->ops->destroy(be);
    trm_model_free(m);
  }
  trm__safetensors_close(b);
  trm__safetensors_close(e);
}

/* --- updates --------------------------------------------------------------------------------- */

static trm_metrics first_update(double decay, bool of_q, trm_trainer **out) {
  trm_model_config c = model_config(ATTENTION);
  c.step_decay = decay;
  c.step_decay_q = of_q;
  c.halt_max_steps = 2;
  trm_model *m = small_model(&c, 5);
  const trm_trainer_config config = small_training(8);
  *out = small_trainer(m, &config);
  const trm_metrics metrics = small_update(*out);
  trm_model_free(m);
  return metrics;
}

/* In the first update every row is at its first step: of two it counts 1 / (1 + decay). */
static void reports_are_of_losses_without_weights(void **state) {
  (void)state;
  trm_trainer *plain, *weighted, *both;
  const trm_metrics p = first_update(1, false, &plain), w = first_update(0.25, false, &weighted),
                    b = first_update(0.25, true, &both);
  assert_true(p.lm_loss == w.lm_loss && p.q_halt_loss == w.q_halt_loss && p.lm_loss == b.lm_loss);
  probe_below(fabs(p.loss - (p.lm_loss + 0.5 * p.q_halt_loss)), 1e-12, "loss");
  probe_below(fabs(w.loss - (0.8 * p.lm_loss + 0.5 * p.q_halt_loss)), 1e-12, "weighted loss");
  probe_below(fabs(b.loss - 0.8 * p.loss), 1e-12, "loss of which all is weighted");

  /* All of the gradient by the same factor. */
  probe_below(fabs(b.grad_norm / p.grad_norm - 0.8), 1e-5, "norm of the gradient");
  assert_true(fabs(w.grad_norm / p.grad_norm - 0.8) > 1e-4);
  trm_trainer_free(plain);
  trm_trainer_free(weighted);
  trm_trainer_free(both);
}

/* Rows are at different steps, in different micro-batches. */
static void bits_do_not_depend_on_the_split(void **state) {
  trm_model_config c = model_config(MIXER);
  c.step_decay = 0.7;
  trm_model *m = small_model(&c, 5);
  trm_trainer *first = NULL;
  for (int threads = 1; threads <= 3; threads++) {
    trm_trainer_config config = small_training(16);
    config.threads = threads;
    config.micro_batch = threads;
    trm_trainer *t = small_trainer(m, &config);
    for (int i = 0; i < 5; i++) (void)small_update(t);
    if (!first) {
      first = t;
      continue;
    }
    same_trainers(*state, first, t);
    trm_trainer_free(t);
  }
  trm_trainer_free(first);
  trm_model_free(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(losses_are_as_computed_elsewhere),
      cmocka_unit_test(reports_are_of_losses_without_weights),
      cmocka_unit_test(bits_do_not_depend_on_the_split),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
