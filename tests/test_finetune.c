/* Fine-tuning: new ids, frozen weights, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "processors.h"
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

/* So many updates are enough to learn what `shifts` wants, and so many to see which bits change. */
enum { LEARNED = 150, SHORT = 30 };

static trm_model *finetuned(const trm_model *m, const trm_dataset *d, int steps, bool freeze,
                            int threads, losses *l) {
  trm_finetune_config c = trm_finetune_config_default();
  trm_model *out;
  trm_error err;
  c.steps = steps;
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
  trm_model *learned = finetuned(m, d, LEARNED, false, 1, &l);
  assert_int_equal(trm_model_get_config(learned)->num_puzzle_identifiers, IDS);
  assert_true(l.last < 0.5 * l.first);
  trm_model_free(learned);
  /* By any number of threads the same. */
  trm_model *out = finetuned(m, d, SHORT, false, 2, &l);
  trm_model *same = finetuned(m, d, SHORT, false, 1, &l);
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
  trm_model *out = finetuned(m, d, SHORT, true, 1, &l);
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

static void same_weights(const trm_model *one, const trm_model *other) {
  for (int i = 0; i < trm_model_tensor_count(one); i++) {
    trm_tensor a = trm_model_tensor_at(one, i), b = trm_model_tensor_at(other, i);
    assert_memory_equal(a.data, b.data, (size_t)a.count * sizeof *a.data);
  }
}

/* Stopped again and again, by threads of another number, it ends in the same bits; what it hands
 * over when it is stopped is what so many updates make. */
static void stopped_ones_go_on(void **state) {
  scratch *s = *state;
  trm_dataset *d = shifts(s);
  trm_model *m = base_model(), *out;
  losses l = {0};
  trm_error err;

  /* The model of one that nobody stops. */
  trm_model *whole = finetuned(m, d, SHORT, false, 1, &l);
  trm_finetune_config c = trm_finetune_config_default();
  c.steps = SHORT;
  c.batch_size = 12;
  c.lr = 3e-3;
  c.state = scratch_path(s, "tune.state");
  c.progress = note_loss;
  c.progress_arg = &l;

  /* Stopped after the first updates, on the way and after the last ones. */
  const int64_t stops[] = {1, 2, 17, SHORT - 1, SHORT};
  for (int i = 0; i < 5; i++) {
    l.stop_at = stops[i];
    c.threads = 1 + i % 3;
    assert_int_equal(trm_finetune(m, d, &c, &out, &err), TRM_E_INTERRUPTED);
    assert_true(speaks_of(&err, "it is kept in"));
    assert_non_null(out);
    if (i == 4) same_weights(whole, out);
    trm_model_free(out);
  }

  /* All updates are done: the state gives the model without another one. */
  l = (losses){.first = -1, .last = -1};
  assert_int_equal(trm_finetune(m, d, &c, &out, &err), TRM_OK);
  assert_true(l.last == -1);
  same_weights(whole, out);
  trm_model_free(out);
  trm_model_free(whole);
  trm_model_free(m);
  trm_dataset_free(d);
}

typedef struct limit {
  int64_t enough_at, asked, updates;
} limit;

static bool is_enough(void *arg, int64_t done) {
  limit *l = arg;
  l->asked++;
  return done >= l->enough_at;
}

static bool count_update(void *arg, int64_t update, int64_t total, const trm_metrics *metrics) {
  limit *l = arg;
  (void)metrics;
  assert_true(update <= total);
  l->updates++;
  return true;
}

/* What is enough ends the updates as the last one does: the model is that of so many, its state is
 * kept, and nothing more is learned when it goes on. */
static void enough_is_enough(void **state) {
  /* A model and the data it is tuned on. */
  scratch *s = *state;
  trm_dataset *d = shifts(s);
  trm_model *m = base_model(), *few, *out;
  trm_error err;

  /* Twelve updates by their number, which are never enough. */
  limit l = {.enough_at = 1000};
  trm_finetune_config c = trm_finetune_config_default();
  c.steps = 12;
  c.warmup = 3;
  c.lr = 3e-3;
  c.enough = is_enough;
  c.progress = count_update;
  c.progress_arg = &l;
  assert_int_equal(trm_finetune(m, d, &c, &few, &err), TRM_OK);
  assert_true(l.updates == 12 && l.asked == 12);

  /* Twelve of a million, for then it is enough; the state is kept. */
  c.steps = 1 << 20;
  c.state = scratch_path(s, "tune.state");

  /* The same weights, and nothing more is learned when it goes on. */
  for (int again = 0; again < 2; again++) {
    l = (limit){.enough_at = 12};
    if (trm_finetune(m, d, &c, &out, &err) != TRM_OK) fail_msg("%s", err.msg);
    assert_int_equal(l.updates, again ? 0 : 12);
    same_weights(few, out);
    trm_model_free(out);
  }

  /* With other rates the state is of no use, and a warm-up has no negative length. */
  c.warmup = 4;
  assert_int_equal(trm_finetune(m, d, &c, &out, &err), TRM_E_CONFIG);
  c.warmup = -1;
  assert_int_equal(trm_finetune(m, d, &c, &out, &err), TRM_E_ARGUMENT);

  trm_model_free(few);
  trm_model_free(m);
  trm_dataset_free(d);
}

static void states_of_others_are_refused(void **state) {
  scratch *s = *state;
  trm_dataset *d = shifts(s);
  trm_model *m = base_model(), *out;
  losses l = {.stop_at = 2};
  trm_error err;
  trm_finetune_config c = trm_finetune_config_default(), other;
  char path[160];
  snprintf(path, sizeof path, "%s", scratch_path(s, "tune.state"));
  c.state = path;
  c.progress = note_loss;
  c.progress_arg = &l;

  /* A state of two updates. */
  assert_int_equal(trm_finetune(m, d, &c, &out, &err), TRM_E_INTERRUPTED);
  trm_model_free(out);

  /* Any setting that changes the model that comes of it. */
  for (int i = 0; i < 6; i++) {
    other = c;
    if (i == 0) other.steps++;
    if (i == 1) other.batch_size--;
    if (i == 2) other.lr *= 2;
    if (i == 3) other.puzzle_emb_lr *= 2;
    if (i == 4) other.seed++;
    if (i == 5) other.freeze_weights = true;
    assert_int_equal(trm_finetune(m, d, &other, &out, &err), TRM_E_CONFIG);
    assert_true(speaks_of(&err, "other settings"));
    assert_null(out);
  }

  /* Another model, and other numbers. */
  trm_model_tensor_at(m, 0).data[0] += 0.5f;
  assert_int_equal(trm_finetune(m, d, &c, &out, &err), TRM_E_CONFIG);
  assert_true(speaks_of(&err, "another model"));
  trm_model_tensor_at(m, 0).data[0] -= 0.5f;
  const bool exact = trm_model_get_config(m)->forward_dtype == TRM_FLOAT32;
  assert_int_equal(trm_model_set_dtype(m, exact ? TRM_BFLOAT16 : TRM_FLOAT32, NULL), TRM_OK);
  assert_int_equal(trm_finetune(m, d, &c, &out, &err), TRM_E_CONFIG);

  /* A training's state, and what is none. */
  trm_trainer *t;
  trm_trainer_config config = trm_trainer_config_default();
  config.batch_size = 2;
  assert_int_equal(trm_trainer_create(m, &config, &t, &err), TRM_OK);
  assert_int_equal(trm_trainer_save(t, path, &err), TRM_OK);
  trm_trainer_free(t);
  assert_int_equal(trm_finetune(m, d, &c, &out, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, "not the state of a fine-tuning"));
  write_bytes(path, "{}", 2);
  assert_int_equal(trm_finetune(m, d, &c, &out, &err), TRM_E_FORMAT);
  trm_model_free(m);
  trm_dataset_free(d);
}

static void false_requests_are_refused(void **state) {
  /* Stopped, it hands out the model of the updates that are done. */
  trm_dataset *d = shifts(*state);
  trm_model *m = base_model(), *plain, *long_rows, *out;
  trm_error err;
  trm_finetune_config c = trm_finetune_config_default();
  losses l = {.stop_at = 2};
  c.progress = note_loss;
  c.progress_arg = &l;
  assert_int_equal(trm_finetune(m, d, &c, &out, &err), TRM_E_INTERRUPTED);
  trm_model_free(out); /* of two updates */

  /* No steps at all; data without images. */
  c.steps = 0;
  assert_int_equal(trm_finetune(m, d, &c, &out, &err), TRM_E_ARGUMENT);
  c = trm_finetune_config_default();
  c.augment = TRM_AUGMENT_ON_THE_FLY;
  assert_int_equal(trm_finetune(m, d, &c, &out, &err), TRM_E_CONFIG);

  /* A model without puzzle embeddings has nothing to learn when its weights are frozen. */
  trm_model_config config = *trm_model_get_config(m);
  config.puzzle_emb_ndim = config.puzzle_emb_len = 0;
  assert_int_equal(trm_model_create(&config, 1, &plain, &err), TRM_OK);
  c = trm_finetune_config_default();
  c.freeze_weights = true;
  assert_int_equal(trm_finetune(plain, d, &c, &out, &err), TRM_E_CONFIG);

  /* A model of another length. */
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
      cmocka_unit_test_setup_teardown(stopped_ones_go_on, scratch_open, scratch_close),
      cmocka_unit_test_setup_teardown(enough_is_enough, scratch_open, scratch_close),
      cmocka_unit_test_setup_teardown(states_of_others_are_refused, scratch_open, scratch_close),
      cmocka_unit_test_setup_teardown(false_requests_are_refused, scratch_open, scratch_close),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
