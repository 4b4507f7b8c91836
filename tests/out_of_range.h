/* What a program hands to the library by mistake: a value outside an enumeration, a device that
 * does not exist, a size that is negative. Every function refuses it with a sentence. */
#ifndef TRM_TESTS_OUT_OF_RANGE_H
#define TRM_TESTS_OUT_OF_RANGE_H

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

static inline int make_things(void **state) {
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

static inline int free_things(void **state) {
  things *t = *state;
  trm_model_free(t->model);
  trm_model_free(t->peeked);
  trm_dataset_free(t->data);
  *state = t->s;
  return scratch_close(state);
}

/* Calls a function with `bad` in one place of what it takes; nothing else is wrong. */
typedef trm_status call(const things *t, int bad, trm_error *err);

typedef struct out_of_range {
  const char *name;
  call *call;
} out_of_range;
#define CALL(name) \
  { #name, name }

/* Each of them, with each of the values, refuses it with a sentence. */
static inline void assert_refused(const things *t, const out_of_range *calls, size_t n) {
  for (size_t i = 0; i < n; i++)
    for (size_t k = 0; k < N_VALUES; k++) {
      trm_error err = {0};
      call *f = calls[i].call;

      /* 99 may be a size like others, where sizes have a lower bound only. */
      const bool too_few = values[k] == 99 && f(t, INT32_MIN, NULL) != TRM_OK;
      const trm_status st = f(t, values[k], &err);
      assert_int_equal(f(t, values[k], NULL), st);
      if (st == TRM_OK && too_few) continue;

      /* The reason is of the kinds that a caller can mend, with or without room for a sentence. */
      if (st == TRM_OK) fail_msg("%s takes %d", calls[i].name, values[k]);
      if (st != TRM_E_ARGUMENT && st != TRM_E_CONFIG && st != TRM_E_RANGE && st != TRM_E_FORMAT)
        fail_msg("%s, %d: %s: %s", calls[i].name, values[k], trm_status_text(st), err.msg);
      if (err.code != st || strlen(err.msg) < 10)
        fail_msg("%s, %d: says '%s'", calls[i].name, values[k], err.msg);
    }
}

#endif
