/* The matrix product and its operands in both number formats, on every instruction set of this
 * machine, against plain loops in double; and the promise on bits: an element of C does not depend
 * on the tile it is computed in nor on how the sum is split over calls. */
#include <stdlib.h>
#include <string.h>

#include "units.h"

#include "trm.h"

/* --- operands --- */

/* A fenced matrix with element (i, p) at i*rs + p*cs, NaN in the gaps. */
static fenced matrix(int m, int k, ptrdiff_t rs, ptrdiff_t cs) {
  fenced f = fence((m - 1) * rs + (k - 1) * cs + 1);
  trm__rng rng = probe_rng((uint64_t)(m * 1000 + k));
  for (int i = 0; i < m; i++)
    for (int p = 0; p < k; p++) f.v[i * rs + p * cs] = (real)probe_uniform(&rng);
  return f;
}

static void check_operands(const trm__kernels *k, const trm__product *p, int m, int depth,
                           ptrdiff_t rs, ptrdiff_t cs) {
  int units = trm__units(p, depth), lda = units + 2, panels = (m + p->nr - 1) / p->nr;
  fenced src = matrix(m, depth, rs, cs), a = fence((int64_t)(m - 1) * lda + units);
  fenced b = fence(trm__size_b(p, depth, m));
  p->to_a(m, depth, src.v, rs, cs, a.v, lda);
  p->to_b(depth, m, src.v, cs, rs, b.v);

  /* B has whole panels and both whole units, filled up with zeros; A has only its rows. */
  for (int i = 0; i < panels * p->nr; i++) {
    const real *in_b = b.v + (ptrdiff_t)(i / p->nr) * units * p->nr + i % p->nr;
    for (int q = 0; q < whole(p, depth); q++) {
      real want = i < m && q < depth ? cast(p, src.v[i * rs + q * cs]) : 0;
      probe_true(value_at(p, in_b, p->nr, q) == want, "%s %s to_b %d x %d strides %td %td at %d %d",
                 k->name, trm_dtype_name(p->dtype), m, depth, rs, cs, i, q);
      if (i < m)
        probe_true(value_at(p, a.v + i * lda, 1, q) == want,
                   "%s %s to_a %d x %d strides %td %td at %d %d", k->name, trm_dtype_name(p->dtype),
                   m, depth, rs, cs, i, q);
    }
    for (int q = units; i < m - 1 && q < lda; q++) assert_true(isnan(a.v[i * lda + q]));
  }
  unfence(src);
  unfence(a);
  unfence(b);
}

static void check_layouts(const trm__kernels *k, const trm__product *p) {
  static const int counts[] = {1, 2, 3, 7, 8, 9, 13, 15, 16, 17, 31, 32, 33, 49, 65};
  static const int depths[] = {1, 2, 3, 4, 5, 8, 9, 15, 16, 17, 31, 32, 33, 47, 64, 67};
  for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
    for (size_t d = 0; d < sizeof depths / sizeof *depths; d++) {
      int m = counts[c], depth = depths[d];
      check_operands(k, p, m, depth, depth, 1);
      check_operands(k, p, m, depth, depth + 5, 1);
      if (depth > 1) check_operands(k, p, m, depth, 1, m);
      if (depth > 1) check_operands(k, p, m, depth, 1, m + 3);
    }
}
static void operands_of_every_layout(void **state) {
  (void)state;
  on_every_product(check_layouts);
}

/* Every way into an operand gives these bits; {from, to} as float32. */
static void check_rounding(const trm__kernels *k, const trm__product *p) {
  static const uint32_t cases[][2] = {
      {0x00000000, 0x00000000}, {0x80000000, 0x80000000}, /* zeros */
      {0x3f800000, 0x3f800000}, {0xc0490000, 0xc0490000}, /* exact */
      {0x3f808000, 0x3f800000}, {0x3f818000, 0x3f820000}, /* ties, to even */
      {0xbf808000, 0xbf800000}, {0xbf818000, 0xbf820000}, {0x3f807fff, 0x3f800000},
      {0x3f808001, 0x3f810000}, {0x3f817fff, 0x3f810000}, {0x3fffffff, 0x40000000},
      {0x7f7f7fff, 0x7f7f0000}, {0x7f7fffff, 0x7f800000}, /* the largest; beyond it */
      {0x00808000, 0x00800000}, {0x00818000, 0x00820000}, /* the smallest normal ones */
      {0x7f800000, 0x7f800000}, {0xff800000, 0xff800000}};
  static const uint32_t nans[] = {0x7f800001, 0xff800001, 0x7fc00000, 0x7fffffff, 0xffffffff};
  enum { N = sizeof cases / sizeof *cases, NANS = sizeof nans / sizeof *nans, ALL = N + NANS };
  real src[ALL], a[ALL], rows[ALL];
  real *b = probe_reals(trm__size_b(p, ALL, 1)), *cols = probe_reals(trm__size_b(p, 1, ALL));

  /* Four ways: a row or a column of values becomes an A or a B. */
  for (int i = 0; i < ALL; i++) src[i] = of_bits(i < N ? cases[i][0] : nans[i - N]);
  p->to_a(1, ALL, src, ALL, 1, a, ALL);
  p->to_a(ALL, 1, src, 1, ALL, rows, 1);
  p->to_b(ALL, 1, src, 1, ALL, b);
  p->to_b(1, ALL, src, ALL, 1, cols);

  /* NaN stays one, of any bits. */
  for (int i = 0; i < ALL; i++) {
    const real got[] = {value_at(p, a, 1, i), value_at(p, rows + i, 1, 0), value_at(p, b, p->nr, i),
                        value_at(p, cols + i / p->nr * p->nr + i % p->nr, 1, 0)};
    for (int way = 0; way < 4; way++)
      if (i >= N)
        probe_true(isnan(got[way]), "%s way %d: %08x became %08x", k->name, way, nans[i - N],
                   bits_of(got[way]));
      else
        probe_true(bits_of(got[way]) == cases[i][p->dtype == TRM_BFLOAT16],
                   "%s %s way %d: %08x became %08x", k->name, trm_dtype_name(p->dtype), way,
                   cases[i][0], bits_of(got[way]));
  }
  trm__free(b);
  trm__free(cols);
}
static void rounding_is_to_nearest_even(void **state) {
  (void)state;
  on_every_product(check_rounding);
}

/* --- products --- */

typedef struct product {
  const trm__kernels *k;
  const trm__product *p;
  int m, n, depth, units, lda, ldc;
  fenced a, b, c; /* plain [m, depth], [depth, n], [m, ldc] */
  fenced ua, ub;  /* as operands */
  real *start;    /* what C holds before */
} product;

static int64_t size_of_c(const product *p) {
  return (int64_t)(p->m - 1) * p->ldc + p->n;
}

static product product_open(const trm__kernels *k, const trm__product *fmt, int m, int n, int depth,
                            int gap) {
  product p = {.k = k, .p = fmt, .m = m, .n = n, .depth = depth, .ldc = n + gap};
  trm__rng rng = probe_rng((uint64_t)(m * 1000003 + n * 1009 + depth));
  p.units = trm__units(fmt, depth);
  p.lda = p.units + gap;
  p.a = fence((int64_t)m * depth);
  p.b = fence((int64_t)n * depth);
  p.c = fence(size_of_c(&p));
  p.ua = fence((int64_t)(m - 1) * p.lda + p.units);
  p.ub = fence(trm__size_b(fmt, depth, n));

  /* The factors as they are, as operands, and what C holds before. */
  probe_fill(p.a.v, (int64_t)m * depth, 1, &rng);
  probe_fill(p.b.v, (int64_t)n * depth, 1, &rng);
  fmt->to_a(m, depth, p.a.v, depth, 1, p.ua.v, p.lda);
  fmt->to_b(depth, n, p.b.v, n, 1, p.ub.v);
  p.start = probe_random(size_of_c(&p), 1, &rng);
  return p;
}
static void product_close(product *p) {
  unfence(p->a);
  unfence(p->b);
  unfence(p->c);
  unfence(p->ua);
  unfence(p->ub);
  trm__free(p->start);
}
static void product_reset(const product *p) {
  memcpy(p->c.v, p->start, (size_t)size_of_c(p) * sizeof(real));
}
/* Rows [i0, i1), columns from j0 on (a panel's first), units [u0, u1) as a call of its own. */
static void product_part(const product *p, int i0, int i1, int j0, int u0, int u1, int mode) {
  const int nr = p->p->nr;
  p->p->gemm(i1 - i0, p->n - j0, u1 - u0, p->ua.v + (int64_t)i0 * p->lda + u0, p->lda,
             p->ub.v + (int64_t)j0 * p->units + (int64_t)u0 * nr, (ptrdiff_t)p->units * nr,
             p->c.v + (int64_t)i0 * p->ldc + j0, p->ldc, mode);
}
static void product_whole(const product *p, int mode) {
  product_reset(p);
  product_part(p, 0, p->m, 0, 0, p->units, mode);
}

/* Each element within the rounding of its sum; the values between the rows untouched. */
static void check_product(const product *p, bool accumulate) {
  for (int64_t at = 0; at < size_of_c(p); at++) {
    int i = (int)(at / p->ldc), j = (int)(at % p->ldc);
    double want = (double)p->start[at], size = fabs(want), got = (double)p->c.v[at], bound = 0;
    if (j < p->n) {
      if (!accumulate) want = size = 0;
      for (int q = 0; q < p->depth; q++) {
        double t = (double)cast(p->p, p->a.v[(int64_t)i * p->depth + q]) *
                   (double)cast(p->p, p->b.v[(int64_t)q * p->n + j]);
        want += t;
        size += fabs(t);
      }
      bound = size * FLT_EPSILON * sqrt((double)p->depth + 1);
    }
    probe_true(fabs(got - want) <= bound,
               "%s %s gemm %d x %d x %d accumulate %d at %d %d: %g, expected %g", p->k->name,
               trm_dtype_name(p->p->dtype), p->m, p->n, p->depth, accumulate, i, j, got, want);
  }
}

static void check_size(const trm__kernels *k, const trm__product *fmt, int m, int n, int depth,
                       int gap) {
  product p = product_open(k, fmt, m, n, depth, gap);
  for (int add = TRM__SET; add <= TRM__ADD; add++) {
    product_whole(&p, add);
    check_product(&p, add);

    /* Fetching ahead and A as it is are ways to the same bits. */
    real *c = probe_copy(p.c.v, size_of_c(&p));
    product_whole(&p, add | TRM__FETCH_B | TRM__FETCH_C);
    assert_true(probe_same(c, p.c.v, size_of_c(&p)));
    if (fmt->a_as_is) {
      product_reset(&p);
      fmt->gemm(m, n, p.units, p.a.v, depth, p.ub.v, (ptrdiff_t)p.units * fmt->nr, p.c.v, p.ldc,
                add);
      assert_true(probe_same(c, p.c.v, size_of_c(&p)));
    }
    trm__free(c);
  }
  product_close(&p);
}

static void check_sizes(const trm__kernels *k, const trm__product *p) {
  static const int ns[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 47, 48, 49, 64, 70};
  static const int depths[] = {1, 2, 3, 5, 8, 17, 32, 33}, deep[] = {255, 256, 257, 511, 512, 513};
  enum { N = sizeof ns / sizeof *ns, D = sizeof depths / sizeof *depths };
  for (int m = 1; m <= 30; m++)
    for (int n = 0; n < N; n++) check_size(k, p, m, ns[n], depths[(m + 3 * n) % D], n % 3);
  for (size_t d = 0; d < sizeof deep / sizeof *deep; d++) { /* more than one pass of a panel */
    check_size(k, p, p->mr + 2, p->nr + 3, deep[d], 2);
    check_size(k, p, p->mr + 2, p->nr + 3, 2 * deep[d] + 1, 0);
  }
}
static void products_of_awkward_sizes(void **state) {
  (void)state;
  on_every_product(check_sizes);
}

/* The depth in two calls, each part with operands of its own, filled up with zeros. */
static void check_split(const product *p, int split, const real *whole_c, bool accumulate) {
  const trm__product *fmt = p->p;
  product_reset(p);
  for (int part = 0; part < 2; part++) {
    int from = part ? split : 0, k = part ? p->depth - split : split, units = trm__units(fmt, k);
    real *a = probe_reals((int64_t)p->m * units), *b = probe_reals(trm__size_b(fmt, k, p->n));
    fmt->to_a(p->m, k, p->a.v + from, p->depth, 1, a, units);
    fmt->to_b(k, p->n, p->b.v + (int64_t)from * p->n, p->n, 1, b);
    fmt->gemm(p->m, p->n, units, a, units, b, (ptrdiff_t)units * fmt->nr, p->c.v, p->ldc,
              part || accumulate ? TRM__ADD : TRM__SET);
    trm__free(a);
    trm__free(b);
  }
  probe_true(probe_same(p->c.v, whole_c, size_of_c(p)), "%s %s m %d depth %d split at %d",
             p->k->name, trm_dtype_name(fmt->dtype), p->m, p->depth, split);
}

static void check_splits(const trm__kernels *k, const trm__product *fmt) {
  static const int sizes[][3] = {{1, 1, 70}, {13, 37, 19}, {25, 65, 81}, {7, 33, 1100}};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
    const int depth = sizes[s][2], by = (depth > 100 ? 64 / fmt->block + 1 : 1) * fmt->block;
    product p = product_open(k, fmt, sizes[s][0], sizes[s][1], depth, 1);
    for (int accumulate = 0; accumulate < 2; accumulate++) {
      product_whole(&p, accumulate);
      real *c = probe_copy(p.c.v, size_of_c(&p));
      for (int split = fmt->block; split < depth; split += fmt->block * by)
        check_split(&p, split, c, accumulate);
      trm__free(c);
    }
    product_close(&p);
  }
}
static void a_split_sum_has_the_same_bits(void **state) {
  (void)state;
  on_every_product(check_splits);
}

/* Any rows of A, and any column of B alone. */
static void check_tiles(const trm__kernels *k, const trm__product *fmt) {
  int m = 2 * fmt->mr + 3, n = 2 * fmt->nr + fmt->nr / 2 + 1, depth = 301;
  product p = product_open(k, fmt, m, n, depth, 0);
  ptrdiff_t ps = (ptrdiff_t)p.units * fmt->nr;
  real *b = probe_reals(trm__size_b(fmt, depth, 1)), *c = probe_reals((int64_t)m * n);
  product_whole(&p, false);

  /* Rows from any one on, in any number. */
  for (int first = 0; first < m; first++)
    for (int rows = 1; rows <= m - first; rows += 5) {
      fmt->gemm(rows, n, p.units, p.ua.v + (int64_t)first * p.lda, p.lda, p.ub.v, ps, c, n,
                TRM__SET);
      probe_true(probe_same(c, p.c.v + (int64_t)first * n, (int64_t)rows * n), "%s rows %d from %d",
                 k->name, rows, first);
    }

  /* A column that was packed alone. */
  for (int j = 0; j < n; j++) {
    fmt->to_b(depth, 1, p.b.v + j, n, 1, b);
    fmt->gemm(m, 1, p.units, p.ua.v, p.lda, b, ps, c, 1, TRM__SET);
    for (int r = 0; r < m; r++)
      probe_true(c[r] == p.c.v[(int64_t)r * n + j], "%s column %d row %d", k->name, j, r);
  }
  trm__free(b);
  trm__free(c);
  product_close(&p);
}
static void any_tile_has_the_same_bits(void **state) {
  (void)state;
  on_every_product(check_tiles);
}

/* Some rows, some panels and part of the depth of operands, as the blocks of the model do. */
static void check_parts(const trm__kernels *k, const trm__product *fmt) {
  int m = 3 * fmt->mr + 2;
  product p = product_open(k, fmt, m, fmt->nr + 5, 75, 3);
  product_whole(&p, false);
  check_product(&p, false);
  real *c = probe_copy(p.c.v, size_of_c(&p));

  /* Two tiles of rows and sixteen units at a time, from the first units on in the order of the sum.
   */
  product_reset(&p);
  for (int r = 0; r < m; r += 2 * fmt->mr)
    for (int u = 0; u < p.units; u += 16) {
      int r1 = r + 2 * fmt->mr < m ? r + 2 * fmt->mr : m, u1 = u + 16 < p.units ? u + 16 : p.units;
      product_part(&p, r, r1, 0, u, u1, u > 0);
    }
  assert_true(probe_same(c, p.c.v, size_of_c(&p)));

  /* The panels behind the first one, again. */
  product_part(&p, 0, m, fmt->nr, 0, p.units, false);
  assert_true(probe_same(c, p.c.v, size_of_c(&p)));
  trm__free(c);
  product_close(&p);
}
static void parts_of_operands(void **state) {
  (void)state;
  on_every_product(check_parts);
}

static void check_empty(const trm__kernels *k, const trm__product *p) {
  real c[6] = {1, 2, 3, 4, 5, 6}, none[1] = {0};
  (void)k;
  p->gemm(2, 3, 0, none, 0, none, 0, c, 3, TRM__ADD);
  for (int j = 0; j < 6; j++) assert_true(c[j] == (real)(j + 1));
  p->gemm(2, 3, 0, none, 0, none, 0, c, 3, TRM__SET);
  for (int j = 0; j < 6; j++) assert_true(c[j] == 0);
}
static void nothing_to_sum_is_zero(void **state) {
  (void)state;
  on_every_product(check_empty);
}

/* The instruction that multiplies pairs and float32 on rounded operands: the same bits. */
static void pairs_multiply_as_rounded_values(void **state) {
  (void)state;
#ifdef TRM__HAVE_X86
  const trm__kernels *k[MAX_ISA], *pairs = &trm__kernels_avx512_bf16, *reals = &trm__kernels_avx512;
  int n = isas(k);
  bool runs = false;
  for (int i = 0; i < n; i++) runs |= k[i] == pairs;

  /* Depths that are odd, and that take more than one pass. */
  if (runs) {
    assert_int_equal(pairs->product[TRM_BFLOAT16].group, 2);
    for (int depth = 1; depth < 1200; depth += depth < 20 ? 1 : 97) {
      product a = product_open(pairs, &pairs->product[TRM_BFLOAT16], 17, 37, depth, 1);
      product b = product_open(reals, &reals->product[TRM_BFLOAT16], 17, 37, depth, 1);
      product_whole(&a, true);
      product_whole(&b, true);
      probe_true(probe_same(a.c.v, b.c.v, size_of_c(&a)), "depth %d", depth);
      product_close(&a);
      product_close(&b);
    }
    return;
  }
#endif
  print_message("this machine has no bfloat16 products\n");
  skip();
}

/* --- the choice of the table --- */

static void trm_isa_chooses(void **state) {
  (void)state;
  const trm__kernels *k[MAX_ISA], *got = NULL;
  trm_error err;
  char *before = getenv("TRM_ISA") ? strdup(getenv("TRM_ISA")) : NULL;
  int isa = isas(k);

  /* Nobody chose: the best set of this machine. */
  assert_int_equal(unsetenv("TRM_ISA"), 0);
  assert_int_equal(trm__kernels_select(&got, &err), TRM_OK);
  assert_ptr_equal(got, k[0]);
  assert_int_equal(setenv("TRM_ISA", "", 1), 0);
  assert_int_equal(trm__kernels_select(&got, &err), TRM_OK);
  assert_ptr_equal(got, k[0]);

  /* Each by its name. */
  for (int i = 0; i < isa; i++) {
    assert_int_equal(setenv("TRM_ISA", k[i]->name, 1), 0);
    assert_int_equal(trm__kernels_select(&got, &err), TRM_OK);
    assert_ptr_equal(got, k[i]);
    assert_string_equal(trm_isa(), k[i]->name);
  }

  /* A name that is none is refused with the list of those that are. */
  static const char *const wrong[] = {"sse9", "AVX2", "avx", "avx5120"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    assert_int_equal(setenv("TRM_ISA", wrong[i], 1), 0);
    assert_int_equal(trm__kernels_select(&got, &err), TRM_E_CONFIG);
    assert_non_null(strstr(err.msg, wrong[i]));
    assert_non_null(strstr(err.msg, "portable"));
  }
  if (before)
    setenv("TRM_ISA", before, 1);
  else
    unsetenv("TRM_ISA");
  free(before);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(operands_of_every_layout),
      cmocka_unit_test(rounding_is_to_nearest_even),
      cmocka_unit_test(products_of_awkward_sizes),
      cmocka_unit_test(a_split_sum_has_the_same_bits),
      cmocka_unit_test(any_tile_has_the_same_bits),
      cmocka_unit_test(parts_of_operands),
      cmocka_unit_test(nothing_to_sum_is_zero),
      cmocka_unit_test(pairs_multiply_as_rounded_values),
      cmocka_unit_test(trm_isa_chooses),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
