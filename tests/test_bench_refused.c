/* The system refuses the n-th block of memory or the n-th thread to a bench: it reports it and
 * gives back all it took. */
#include "refuse.h"
#include "small_model.h"

static trm_status products(trm_bench **b, trm_error *err) {
  const trm_bench_shape shape = {"product", 5, 6, 7};
  return trm_bench_create_products(TRM_BFLOAT16, 2, &shape, 1, b, err);
}

static trm_status copy(trm_bench **b, trm_error *err) {
  return trm_bench_create_copy(2, 1000, b, err);
}

static trm_status ops(trm_bench **b, trm_error *err) {
  const trm_model_config c = small_config(TRM_ARCH_TRM, 6);
  return trm_bench_create_ops(&c, NULL, 2, 1, 1, b, err);
}

static trm_status (*const jobs[])(trm_bench **, trm_error *) = {products, copy, ops};

static void every_refusal_is_reported(void **state) {
  (void)state;
  for (size_t j = 0; j < sizeof jobs / sizeof jobs[0]; j++) {
    int n = 0;
    for (;; n++) {
      /* The call number n is refused, and all before it are not. */
      trm_bench *b = NULL;
      trm_error err = {0};
      calls_left = n;
      const trm_status st = jobs[j](&b, &err);
      const int unused = calls_left;
      calls_left = -1;
      if (unused >= 0) { /* nothing was refused */
        assert_int_equal(st, TRM_OK);
        trm_bench_free(b);
        break;
      }

      /* Then the error says what and why. */
      if (st != TRM_E_MEMORY && st != TRM_E_SYSTEM)
        fail_msg("job %zu, call %d: status %d: %s", j, n, (int)st, err.msg);
      assert_int_equal(err.code, st);
      assert_true(strlen(err.msg) > 10);
    }
    assert_true(n > 4);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_refusal_is_reported)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
