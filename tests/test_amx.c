/* Intel's matrix tiles: their sums value by value, operands of many tiles, tiles that another
 * library has shaped, and a process that gets none. Where there are none, all of it is skipped. */
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/os_machine.h"
#include "child.h"
#include "units.h"

#include "trm.h"

static const trm__kernels *with_tiles(void) {
  const trm__kernels *k[MAX_ISA];
  const int n = isas(k);
  for (int i = 0; i < n; i++)
    if (strcmp(k[i]->name, "amx_bf16") == 0) return k[i];
  print_message("this machine has no matrix tiles\n");
  skip();
  return NULL;
}

/* --- a process that gets none --- */

static bool answer_stays(bool want) {
  const char *const isa = trm_isa();
  return trm__os_grants_amx() == want && (strcmp(isa, "amx_bf16") == 0) == want;
}

/* Too small for a signal frame with tiles, and then gone. */
static bool compute_without(void *arg) {
  static char small[4096];
  const stack_t stack = {.ss_sp = small, .ss_size = sizeof small}, none = {.ss_flags = SS_DISABLE};
  (void)arg;
  if (sigaltstack(&stack, NULL) != 0 || !answer_stays(false)) return false;
  return sigaltstack(&none, NULL) == 0 && answer_stays(false);
}
static bool compute_with(void *arg) {
  (void)arg;
  return answer_stays(true);
}

/* In children, for a process asks once: before anything here has asked. */
static void a_small_signal_stack_forbids_tiles(void **state) {
  (void)state;
  assert_int_equal(unsetenv("TRM_ISA"), 0);
  if (!child_does(compute_with, NULL)) {
    print_message("this machine has no matrix tiles\n");
    skip();
  }
  assert_true(child_does(compute_without, NULL));
}

/* --- sums --- */

/* Numbers below the smallest normal one are zeros. */
static float flushed(float x) {
  return fabsf(x) < FLT_MIN ? copysignf(0, x) : x;
}

/* A row of A times a column of B, of so many units, added to c: of 16 units at a time the products
 * of their first values and those of their second ones, each sum in order. */
static float tile_sum(const trm__product *p, int units, const real *a, const real *b, float c) {
  c = flushed(c);
  for (int from = 0; from < units; from += 16) {
    float sum[2] = {0, 0};
    for (int q = 2 * from; q < 2 * units && q < 2 * (from + 16); q++)
      sum[q % 2] = flushed(
          fmaf(flushed(value_at(p, a, 1, q)), flushed(value_at(p, b, p->nr, q)), sum[q % 2]));
    c = flushed(c + flushed(sum[0] + sum[1]));
  }
  return c;
}

typedef struct sized {
  int m, n, depth, gap;
} sized;

static void check_sums(const trm__product *p, sized s) {
  const int units = trm__units(p, s.depth), lda = units + s.gap, ldc = s.n + s.gap;
  const ptrdiff_t ps = (ptrdiff_t)units * p->nr;
  const int64_t size_a = (int64_t)s.m * s.depth, size_b = (int64_t)s.n * s.depth;
  trm__rng rng = probe_rng((uint64_t)(s.m * 1009 + s.n * 31 + s.depth));
  real *from_a = probe_random(size_a, 1, &rng), *from_b = probe_random(size_b, 1, &rng);
  fenced a = fence((int64_t)(s.m - 1) * lda + units), b = fence(trm__size_b(p, s.depth, s.n));
  fenced c = fence((int64_t)(s.m - 1) * ldc + s.n);

  /* Values of many sizes, some of which are too small to be normal. */
  for (int64_t i = 0; i < size_a; i++) from_a[i] = ldexpf(from_a[i], i % 7 ? (int)(i % 9) : -125);
  p->to_a(s.m, s.depth, from_a, s.depth, 1, a.v, lda);
  p->to_b(s.depth, s.n, from_b, s.n, 1, b.v);

  /* Set, then added to, each element as by plain loops. */
  for (int mode = TRM__SET; mode <= TRM__ADD; mode++) {
    real *before = probe_copy(c.v, (int64_t)(s.m - 1) * ldc + s.n);
    p->gemm(s.m, s.n, units, a.v, lda, b.v, ps, c.v, ldc, mode);
    for (int i = 0; i < s.m; i++)
      for (int j = 0; j < s.n; j++) {
        const real *col = b.v + j / p->nr * ps + j % p->nr, got = c.v[(int64_t)i * ldc + j];
        const float start = mode == TRM__ADD ? before[(int64_t)i * ldc + j] : 0;
        const float want = tile_sum(p, units, a.v + (int64_t)i * lda, col, start);
        probe_true(got == want, "%d x %d x %d mode %d at %d %d: %a, expected %a", s.m, s.n, s.depth,
                   mode, i, j, (double)got, (double)want);
      }
    trm__free(before);
  }
  trm__free(from_a);
  trm__free(from_b);
  unfence(a);
  unfence(b);
  unfence(c);
}

static void sums_are_those_of_blocks(void **state) {
  (void)state;
  const trm__product *p = &with_tiles()->product[TRM_BFLOAT16];

  /* Every end of a tile: of the depth, of rows and of columns. */
  for (int depth = 1; depth <= 66; depth++) check_sums(p, (sized){17, 33, depth, depth % 3});
  for (int size = 1; size <= 65; size += 2) check_sums(p, (sized){size, 66 - size, 37, size % 2});

  /* More rows, columns and depth than one pass has. */
  check_sums(p, (sized){128, 128, 64, 0});
  check_sums(p, (sized){147, 21, 300, 1});
  check_sums(p, (sized){19, 181, 257, 2});
}

/* --- tiles of others --- */

#ifdef TRM__HAVE_AMX
/* LDTILECFG's operand, as another library may have it: 8 rows of 32 bytes, in all tiles or some. */
static void shape_tiles(int tiles) {
  _Alignas(64) unsigned char config[64] = {1};
  for (int t = 0; t < tiles; t++) {
    config[16 + 2 * t] = 32;
    config[48 + t] = 8;
  }
  __asm__ volatile("ldtilecfg %0" ::"m"(config));
}

typedef struct repeated {
  const trm__product *p;
  const real *a, *b, *want;
} repeated;
enum { ROWS = 40, COLS = 40, UNITS = 24 };

static bool gives_the_same(void *arg) {
  const repeated *r = arg;
  real c[ROWS * COLS];
  r->p->gemm(ROWS, COLS, UNITS, r->a, UNITS, r->b, (ptrdiff_t)UNITS * r->p->nr, c, COLS, TRM__SET);
  return memcmp(c, r->want, sizeof c) == 0;
}

static void tiles_may_have_any_shape_before(void **state) {
  (void)state;
  const trm__product *p = &with_tiles()->product[TRM_BFLOAT16];
  trm__rng rng = probe_rng(3);
  real *from = probe_random(ROWS * 2 * UNITS, 1, &rng), *a = probe_reals(ROWS * UNITS);
  real *b = probe_reals(trm__size_b(p, 2 * UNITS, COLS)), *c = probe_reals(ROWS * COLS);
  repeated r = {p, a, b, c};
  p->to_a(ROWS, 2 * UNITS, from, 2 * UNITS, 1, a, UNITS);
  p->to_b(2 * UNITS, COLS, from, 1, 2 * UNITS, b);
  p->gemm(ROWS, COLS, UNITS, a, UNITS, b, (ptrdiff_t)UNITS * p->nr, c, COLS, TRM__SET);

  /* Another library's, none, and those that a child has after a fork. */
  for (int tiles = 1; tiles <= 8; tiles++) {
    shape_tiles(tiles);
    assert_true(gives_the_same(&r));
  }
  __asm__ volatile("tilerelease");
  assert_true(gives_the_same(&r));
  assert_true(child_does(gives_the_same, &r));
  trm__free(from);
  trm__free(a);
  trm__free(b);
  trm__free(c);
}
#else
static void tiles_may_have_any_shape_before(void **state) {
  (void)state;
  (void)with_tiles();
}
#endif

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_small_signal_stack_forbids_tiles),
      cmocka_unit_test(sums_are_those_of_blocks),
      cmocka_unit_test(tiles_may_have_any_shape_before),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
