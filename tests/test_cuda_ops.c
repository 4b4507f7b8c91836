/* Every op of the CUDA backend at every shape (op_checks.h), on a GPU or the emulation of
 * tests/hostcuda, in both number formats; and copies to the device. */
#include "gpu.h"
#include "op_checks.h"

/* How far off a format may be: values, gradients. */
static const double tolerances[TRM__TRAINED_DTYPES][2] = {
    [TRM_FLOAT32] = {1e-5, 2e-5}, [TRM_BFLOAT16] = {2e-2, 4e-2}};

static trm__backend *on_gpu(const op_trial *t) {
  trm__backend *be;
  trm_error err;
  must(trm__backend_create(gpu, &t->m, &t->outer, &t->blk, 1, true, &be, &err), &err);
  return be;
}

/* What differs between GPUs: they have kernels of their own for SwiGLU in bfloat16. */
static bool is_special(const op_shape *shape, int format) {
  return shape->scope == TRM__OF_BLOCK && shape->kind != TRM__BLOCK_ATTENTION &&
         format == TRM_BFLOAT16;
}
/* Updates know no format. */
static bool is_wanted(const op_shape *shape, int format) {
  if (shape->m.D % 8 != 0) return false; /* a GPU refuses it */
  if (getenv("TRM_CUDA_ARCH")) return is_special(shape, format);
  return shape->scope != TRM__OF_UPDATE || format == TRM_FLOAT32;
}

static void every_op_at_every_shape(void **state) {
  (void)state;
  for (int i = 0; i < OP_SHAPES; i++) {
    op_backend on[TRM__TRAINED_DTYPES];
    op_trial t = trial_of(&op_shapes[i]);
    int n = 0;

    for (int format = 0; format < TRM__TRAINED_DTYPES; format++) {
      if (!is_wanted(&op_shapes[i], format)) continue;
      t.m.dtype = (trm_dtype)format;
      on[n++] = (op_backend){trm_dtype_name(t.m.dtype), on_gpu(&t), NULL, tolerances[format][0],
                             tolerances[format][1]};
    }

    if (n > 0) check_shape(&t, on, n);
    for (int j = 0; j < n; j++) on[j].be->ops->destroy(on[j].be);
  }
}

/* What is put may be changed at once, however much is on its way. */
static void what_is_put_arrives(void **state) {
  (void)state;
  enum { TIMES = 9, N = 300000, LARGE = 1500000 };
  const op_trial t = trial_of(&op_shapes[1]);
  trm__backend *be = on_gpu(&t);
  int32_t *host = malloc(LARGE * sizeof *host), *there[TIMES];

  /* The same memory of the host, again and again. */
  for (int k = 0; k < TIMES; k++) {
    const int n = k == 4 ? LARGE : N;
    trm_error err;
    must(trm__backend_alloc(be, n, sizeof *host, "a test", &there[k], &err), &err);
    for (int i = 0; i < n; i++) host[i] = 1000 * k + i % 997;
    be->ops->put(be, there[k], host, (size_t)n * sizeof *host);
  }

  /* All of them are there. */
  for (int k = 0; k < TIMES; k++) {
    const int n = k == 4 ? LARGE : N;
    be->ops->get(be, host, there[k], (size_t)n * sizeof *host);
    for (int i = 0; i < n; i++) assert_int_equal(host[i], 1000 * k + i % 997);
    be->ops->release(be, there[k]);
  }
  free(host);
  be->ops->destroy(be);
}

int main(void) {
  if (!gpu_found(NULL)) return 77;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_op_at_every_shape),
      cmocka_unit_test(what_is_put_arrives),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
