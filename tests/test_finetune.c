/* Fine-tuning: new ids, frozen weights, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "small_data.h"
#include "small_model.h"

enum { EXAMPLES = 24, LEN = 6, VOCAB = 7, IDS = 5 };

/* The answer is the input plus the id: only an embedding can tell which. */
static trm_dataset *shifts(scratch *s) {
  int32_t inputs[EXAMPLES * LEN], labels[EXAMPLES * LEN], ids[EXAMPLES];
  trm__rng r = trm__rng_at(3, TRM__RNG_TEST, 0, 0);
  for (int i = 0; i < EXAMPLES; i++) {
    ids[i] = 1 + i % (IDS - 1);
    for (int j = i * LEN; j < (i + 1) * LEN; j++) {
      inputs[j] = 1 + (int32_t)trm__rng_below(&r, VOCAB - 1);
      labels[j] = 1 + (inputs[j] - 1 + ids[i]) % (VOCAB - 1);
    }
  }
  const char *dir = scratch_path(s, "shifts");
  write_small_data(dir, EXAMPLES, LEN, VOCAB, IDS, inputs, labels, ids);
  return open_small_data(dir);
}

static trm_model *base_model(void) {
  trm_model_config c = small_config(TRM_ARCH_TRM, LEN);
  trm_model *m;
  trm_error err;
  c.vocab_size = VOCAB;
  c.num_puzzle_identifiers = 3;
  if (trm_model_create(&c, 5, &m, &err) != TRM_OK) fail_msg("%s", err.msg);
  /* As if trained: rows that differ. */
  trm_tensor e = trm_model_tensor_named(m, "puzzle_emb.weights");
  assert_non_null(e.data);
  for (int64_t i = 0; i < e.count; i++) e.data[i] = (float)(i % 7) / 7 - 0.4f;
  return m;
}

typedef struct losses {
  double first, last;
  int64_t stop_at;
} losses;

static bool note_loss(void *arg, int64_t update, int64_t total, const trm_metrics *metrics) {
  losses *l = arg;
  assert_in_range(update, 1, total);
  if (update == 1) l->first = metrics->lm_loss;
  l->last = metrics->lm_loss;
  return update != l->stop_at;
}

static trm_model *finetuned(const trm_model *m, const trm_dataset *d, bool freeze, int threads,
                            losses *l) {
  trm_finetune_config c = trm_finetune_config_default();
  trm_model *out;
  trm_error err;
  c.steps = 150;
  c.batch_size = 12;
  c.lr = 3e-3;
  c.freeze_weights = freeze;
  c.threads = threads;
  c.progress = note_loss;
  c.progress_arg = l;
  if (trm_finetune(m, d, &c, &out, &err) != TRM_OK) fail_msg("%s", err.msg);
  return out;
}

static void new_ids_are_learned(void **state) {
  trm_dataset *d = shifts(*state);
  trm_model *m = base_model();
  losses l = {0};
  trm_model *out = finetuned(m, d, false, 2, &l);
  assert_int_equal(trm_model_get_config(out)->num_puzzle_identifiers, IDS);
  assert_true(l.last < 0.5 * l.first);
  losses again = {0};
  trm_model *same = finetuned(m, d, false, 1, &again);
  for (int i = 0; i < trm_model_tensor_count(out); i++) {
    trm_tensor a = trm_model_tensor_at(out, i), b = trm_model_tensor_at(same, i);
    assert_memory_equal(a.data, b.data, (size_t)a.count * sizeof *a.data);
  }
  trm_model_free(same);
  trm_model_free(out);
  trm_model_free(m);
  trm_dataset_free(d);
}

static void frozen_weights_stay(void **state) {
  trm_dataset *d = shifts(*state);
  trm_model *m = base_model();
  losses l = {0};
  trm_model *out = finetuned(m, d, true, 1, &l);
  for (int i = 0; i < trm_model_tensor_count(out); i++) {
    trm_tensor a = trm_model_tensor_at(out, i), b = trm_model_tensor_at(m, i);
    if (a.kind != TRM_TENSOR_PUZZLE_EMB)
      assert_memory_equal(a.data, b.data, (size_t)a.count * sizeof *a.data);
  }
  /* Id 0 occurs nowhere and still holds the mean of the model's rows; the others have left it. */
  trm_tensor e = trm_model_tensor_named(out, "puzzle_emb.weights");
  trm_tensor from = trm_model_tensor_named(m, "puzzle_emb.weights");
  int64_t width = e.shape[1];
  assert_int_equal(e.shape[0], IDS);
  for (int64_t j = 0; j < width; j++) {
    double mean = 0;
    for (int64_t i = 0; i < from.shape[0]; i++)
      mean += (double)from.data[i * width + j] / (double)from.shape[0];
    assert_true(mean - (double)e.data[j] < 1e-6 && (double)e.data[j] - mean < 1e-6);
  }
  for (int64_t i = 1; i < IDS; i++)
    assert_memory_not_equal(e.data, e.data + i * width, (size_t)width * sizeof *e.data);
  trm_model_free(out);
  trm_model_free(m);
  trm_dataset_free(d);
}

static void false_requests_are_refused(void **state) {
  trm_dataset *d = shifts(*state);
  trm_model *m = base_model(), *plain, *long_rows, *out;
  trm_error err;
  trm_finetune_config c = trm_finetune_config_default();
  losses l = {.stop_at = 2};
  c.progress = note_loss;
  c.progress_arg = &l;
  assert_int_equal(trm_finetune(m, d, &c, &out, &err), TRM_E_INTERRUPTED);
  assert_null(out);
  c.steps = 0;
  assert_int_equal(trm_finetune(m, d, &c, &out, &err), TRM_E_ARGUMENT);
  c = trm_finetune_config_default();
  c.augment = TRM_AUGMENT_ON_THE_FLY;
  assert_int_equal(trm_finetune(m, d, &c, &out, &err), TRM_E_CONFIG);
  trm_model_config config = *trm_model_get_config(m);
  config.puzzle_emb_ndim = config.puzzle_emb_len = 0;
  assert_int_equal(trm_model_create(&config, 1, &plain, &err), TRM_OK);
  c = trm_finetune_config_default();
  c.freeze_weights = true;
  assert_int_equal(trm_finetune(plain, d, &c, &out, &err), TRM_E_CONFIG);
  config = *trm_model_get_config(m);
  config.seq_len = LEN + 1;
  assert_int_equal(trm_model_create(&config, 1, &long_rows, &err), TRM_OK);
  assert_int_equal(trm_finetune(long_rows, d, &c, &out, &err), TRM_E_SHAPE);
  trm_model_free(long_rows);
  trm_model_free(plain);
  trm_model_free(m);
  trm_dataset_free(d);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(new_ids_are_learned, scratch_open, scratch_close),
      cmocka_unit_test_setup_teardown(frozen_weights_stay, scratch_open, scratch_close),
      cmocka_unit_test_setup_teardown(false_requests_are_refused, scratch_open, scratch_close),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
