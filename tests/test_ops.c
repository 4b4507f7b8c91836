/* Every op of the CPU backend at every shape (op_checks.h), on every instruction set of this
 * machine and in both number formats. double_ops.c is the same in double. */
#include "op_checks.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_ISA = 8, MAX_BACKENDS = MAX_ISA * TRM_DTYPES };

static trm__pool *pools[TEAMS];

/* How far off a format may be: values, gradients. */
#ifdef TRM_REAL_DOUBLE
static const double tolerances[][2] = {[TRM_FLOAT32] = {1e-12, 1e-7}};
#else
static const double tolerances[][2] = {[TRM_FLOAT32] = {1e-5, 2e-5}, [TRM_BFLOAT16] = {2e-2, 4e-2}};
#endif
enum { FORMATS = sizeof tolerances / sizeof *tolerances };

static int backends_of(op_trial *t, op_backend *on) {
  const trm__kernels *k[MAX_ISA];
  const int isas = trm__kernels_runnable(k, MAX_ISA);
  trm_error err;
  int n = 0;

  for (int isa = 0; isa < isas; isa++)
    for (int format = 0; format < FORMATS; format++) {
      if (t->shape->scope == TRM__OF_UPDATE && format > 0) continue; /* updates know no format */
      static char names[MAX_BACKENDS][48];
      op_backend *o = &on[n];
      assert_int_equal(setenv("TRM_ISA", k[isa]->name, 1), 0);
      t->m.dtype = (trm_dtype)format;
      snprintf(names[n], sizeof names[n], "%s, %s", k[isa]->name, trm_dtype_name(t->m.dtype));
      *o = (op_backend){names[n], NULL, pools, tolerances[format][0], tolerances[format][1]};
      must(trm__cpu_create(&t->m, &t->outer, &t->blk, 1, true, &o->be, &err), &err);
      n++;
    }
  return n;
}

static void every_op_at_every_shape(void **state) {
  (void)state;
  for (int i = 0; i < OP_SHAPES; i++) {
    op_backend on[MAX_BACKENDS];
    op_trial t = trial_of(&op_shapes[i]);
    const int n = backends_of(&t, on);
    check_shape(&t, on, n);
    for (int j = 0; j < n; j++) on[j].be->ops->destroy(on[j].be);
  }
}

/* Nothing is left out: loops for each op, a shape for each kind of block. */
static void everything_has_a_reference(void **state) {
  (void)state;
  for (int i = 0; i < TRM__OPS; i++)
    probe_true(plain_ops[i] || trm__ops[i].is_gradient || i == TRM__OP_PACK,
               "%s: it has no plain loops", trm__ops[i].name);
  for (int kind = 0; kind < TRM__BLOCK_KINDS; kind++) {
    int shapes = 0;
    for (int i = 0; i < OP_SHAPES; i++)
      shapes += op_shapes[i].scope == TRM__OF_BLOCK && (int)op_shapes[i].kind == kind;
    probe_true(shapes > 0, "%s: it has no shape", trm__block_kinds[kind].name);
  }
}

/* --- what no row of the table says: any number of terms, in the order in which they are given ---
 */

enum { TERMS = 8, SUM_SIZE = 1000 };

typedef struct sum_call {
  trm__backend *be;
  int n_src;
  const real *src[TERMS];
  real *h;
} sum_call;

static void call_sum(void *arg, trm__lane *lane) {
  const sum_call *c = arg;
  trm__workspace ws = {.lane = lane};
  c->be->ops->sum(c->be, &ws, SUM_SIZE, c->n_src, c->src, c->h);
}

/* Into a term of its own, or none (self < 0). */
static void check_sum(trm__backend *be, real *const *terms, int n, int self, int members) {
  sum_call c = {.be = be,
                .n_src = n,
                .h = self < 0 ? probe_reals(SUM_SIZE) : probe_copy(terms[self], SUM_SIZE)};
  for (int i = 0; i < n; i++) c.src[i] = i == self ? c.h : terms[i];
  trm__pool_run(pools[members - 1], 1, call_sum, &c);
  for (int j = 0; j < SUM_SIZE; j++) {
    real want = terms[0][j];
    for (int i = 1; i < n; i++) want += terms[i][j];
    probe_true(c.h[j] == want, "sum of %d into %d by %d members", n, self, members);
  }
  trm__free(c.h);
}

static void sums_keep_their_order(void **state) {
  (void)state;
  op_trial t = trial_of(&op_shapes[0]);
  op_backend on[MAX_BACKENDS];
  const int backends = backends_of(&t, on);
  real *terms[TERMS];

  for (int i = 0; i < TERMS; i++) /* every order rounds its own way */
    terms[i] = probe_random(SUM_SIZE, pow(0.3, i % 4), &t.rng);

  /* One format of each set: sums know none. */
  for (int i = 0; i < backends; i += FORMATS)
    for (int n = 1; n <= TERMS; n++)
      for (int self = -1; self < n; self++)
        for (int members = 1; members <= TEAMS; members++)
          check_sum(on[i].be, terms, n, self, members);
  for (int i = 0; i < TERMS; i++) trm__free(terms[i]);
  for (int i = 0; i < backends; i++) on[i].be->ops->destroy(on[i].be);
}

static int open_pools(void **state) {
  trm_error err;
  (void)state;
  for (int i = 0; i < TEAMS; i++) must(trm__pool_create(i + 1, &pools[i], &err), &err);
  return 0;
}
static int close_pools(void **state) {
  (void)state;
  for (int i = 0; i < TEAMS; i++) trm__pool_free(pools[i]);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(everything_has_a_reference),
                                     cmocka_unit_test(every_op_at_every_shape),
                                     cmocka_unit_test(sums_keep_their_order)};
  return cmocka_run_group_tests(tests, open_pools, close_pools);
}
