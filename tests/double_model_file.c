/* A model built in double is saved in float32 and comes back as the nearest floats. */
#include "nn/model.h"
#include "scratch.h"

static void weights_are_rounded_once(void **state) {
  /* A model in double, of two nets. */
  scratch *s = *state;
  trm_model_config c = trm_model_config_default(TRM_ARCH_HRM);
  c.vocab_size = 7;
  c.seq_len = 9;
  c.num_puzzle_identifiers = 3;
  c.hidden_size = c.puzzle_emb_ndim = 16;
  c.num_heads = 2;
  trm_model *m, *back;
  assert_int_equal(trm_model_create(&c, 1, &m, NULL), TRM_OK);

  /* Saved and loaded twice. */
  for (int round = 0; round < 2; round++) {
    trm_error err;
    if (trm_model_save(m, scratch_path(s, "model"), &err) != TRM_OK) fail_msg("%s", err.msg);
    if (trm_model_load(s->path, &back, &err) != TRM_OK) fail_msg("%s", err.msg);

    /* The first time values are rounded to float32; what has been rounded stays. */
    int64_t rounded = 0;
    for (int i = 0; i < m->layout->n_slots; i++) {
      const trm__slot *slot = &m->layout->slots[i];
      const real *a = trm__model_slot(m, slot), *b = trm__model_slot(back, slot);
      for (int64_t k = 0; k < slot->count; k++) {
        assert_true(b[k] == (real)(float)a[k]);
        rounded += a[k] != b[k];
      }
    }
    assert_true(round == 0 ? rounded > 1000 : rounded == 0);
    trm_model_free(m);
    m = back;
  }
  trm_model_free(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(weights_are_rounded_once)};
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
