/* Packing and the matrix product on every instruction set of this machine, against plain loops in
 * double; and the promise on bits: an element of C does not depend on the tile it is computed in
 * nor on how the sum is split over calls. */
#include "fence.h"

#include <float.h>
#include <stdlib.h>

#include "kernels/kernels.h"
#include "trm.h"

enum { MAX_ISA = 4 };

/* --- packing --- */

/* Element (r, p) of the panels: r along them, p along k. */
static real packed_at(const real *dst, int width, int k, int r, int p) {
  return dst[((int64_t)(r / width) * k + p) * width + r % width];
}

/* `count` along the panels, k deep, at the given strides. */
static void check_pack(const trm__kernels *kk, bool as_a, int count, int k, ptrdiff_t along,
                       ptrdiff_t depth) {
  int width = as_a ? kk->mr : kk->nr, padded = (count + width - 1) / width * width;
  int64_t n = (count - 1) * along + (k - 1) * depth + 1;
  fenced src = fence(n), dst = fence((int64_t)padded * k);
  trm__rng rng = probe_rng((uint64_t)(count * 1000 + k));
  probe_fill(src.v, n, 1, &rng);
  if (as_a)
    kk->pack_a(count, k, src.v, along, depth, dst.v);
  else
    kk->pack_b(k, count, src.v, depth, along, dst.v);
  for (int r = 0; r < padded; r++)
    for (int p = 0; p < k; p++) {
      real want = r < count ? src.v[r * along + p * depth] : 0;
      probe_true(packed_at(dst.v, width, k, r, p) == want,
                 "%s pack_%c count %d k %d strides %td %td at %d %d", kk->name, as_a ? 'a' : 'b',
                 count, k, along, depth, r, p);
    }
  unfence(src);
  unfence(dst);
}

static int isas(const trm__kernels **k) {
  int n = trm__kernels_runnable(k, MAX_ISA);
  assert_in_range(n, 1, MAX_ISA);
  assert_string_equal(k[n - 1]->name, "portable");
  return n;
}

static void packing_takes_every_layout(void **state) {
  (void)state;
  static const int counts[] = {1, 2, 3, 5, 6, 7, 11, 12, 13, 16, 17, 31, 32, 33, 37, 64, 65};
  static const int depths[] = {1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 33};
  const trm__kernels *k[MAX_ISA];
  int n = isas(k);
  for (int i = 0; i < n; i++)
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
      for (size_t d = 0; d < sizeof depths / sizeof *depths; d++)
        for (int as_a = 0; as_a < 2; as_a++) {
          int m = counts[c], kk = depths[d];
          check_pack(k[i], as_a, m, kk, kk, 1);         /* contiguous along k */
          check_pack(k[i], as_a, m, kk, kk + 5, 1);     /* with gaps */
          check_pack(k[i], as_a, m, kk, 1, m);          /* contiguous along the panel */
          check_pack(k[i], as_a, m, kk, 1, m + 3);      /* with gaps */
          check_pack(k[i], as_a, m, kk, 2, 2 * m + 1);  /* neither */
          check_pack(k[i], as_a, m, kk, 3 * kk + 2, 3); /* neither */
        }
}

/* --- products --- */

typedef struct product {
  const trm__kernels *k;
  int m, n, depth, ldc;
  fenced a, b, c; /* plain [m, depth], [depth, n], [m, ldc] */
  fenced pa, pb;  /* packed */
  real *start;    /* what C holds before */
} product;

static int64_t size_of_c(const product *p) {
  return (int64_t)(p->m - 1) * p->ldc + p->n;
}

static product product_open(const trm__kernels *k, int m, int n, int depth, int gap) {
  product p = {.k = k, .m = m, .n = n, .depth = depth, .ldc = n + gap};
  trm__rng rng = probe_rng((uint64_t)(m * 1000003 + n * 1009 + depth));
  p.a = fence((int64_t)m * depth);
  p.b = fence((int64_t)n * depth);
  p.c = fence(size_of_c(&p));
  p.pa = fence(trm__packed_a(k, m, depth));
  p.pb = fence(trm__packed_b(k, depth, n));
  probe_fill(p.a.v, (int64_t)m * depth, 1, &rng);
  probe_fill(p.b.v, (int64_t)n * depth, 1, &rng);
  k->pack_a(m, depth, p.a.v, depth, 1, p.pa.v);
  k->pack_b(depth, n, p.b.v, n, 1, p.pb.v);
  p.start = probe_random(size_of_c(&p), 1, &rng);
  return p;
}
static void product_close(product *p) {
  unfence(p->a);
  unfence(p->b);
  unfence(p->c);
  unfence(p->pa);
  unfence(p->pb);
  trm__free(p->start);
}
static void product_reset(const product *p) {
  memcpy(p->c.v, p->start, (size_t)size_of_c(p) * sizeof(real));
}
/* Rows [i0, i1) and depth [p0, p1) as its own call; i0 must start a panel. */
static void product_part(const product *p, int i0, int i1, int p0, int p1, bool accumulate) {
  const trm__kernels *k = p->k;
  k->gemm(i1 - i0, p->n, p1 - p0, p->pa.v + (int64_t)i0 * p->depth + (int64_t)p0 * k->mr,
          (ptrdiff_t)p->depth * k->mr, p->pb.v + (int64_t)p0 * k->nr, (ptrdiff_t)p->depth * k->nr,
          p->c.v + (int64_t)i0 * p->ldc, p->ldc, accumulate);
}

/* Each element within the rounding of its sum; the values between the rows untouched. */
static void check_product(const product *p, bool accumulate) {
  for (int64_t at = 0; at < size_of_c(p); at++) {
    int i = (int)(at / p->ldc), j = (int)(at % p->ldc);
    double want = (double)p->start[at], size = fabs(want), got = (double)p->c.v[at], bound = 0;
    if (j < p->n) {
      if (!accumulate) want = size = 0;
      for (int q = 0; q < p->depth; q++) {
        double t =
            (double)p->a.v[(int64_t)i * p->depth + q] * (double)p->b.v[(int64_t)q * p->n + j];
        want += t;
        size += fabs(t);
      }
      bound = size * FLT_EPSILON * sqrt((double)p->depth + 1);
    }
    probe_true(fabs(got - want) <= bound,
               "%s gemm %d x %d x %d accumulate %d at %d %d: %g, expected %g", p->k->name, p->m,
               p->n, p->depth, accumulate, i, j, got, want);
  }
}

static void check_sizes(const trm__kernels *k, int m, int n, int depth, int gap) {
  product p = product_open(k, m, n, depth, gap);
  for (int accumulate = 0; accumulate < 2; accumulate++) {
    product_reset(&p);
    product_part(&p, 0, m, 0, depth, accumulate);
    check_product(&p, accumulate);
  }
  product_close(&p);
}

static void products_of_awkward_sizes(void **state) {
  (void)state;
  static const int primes[] = {1, 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37};
  static const int depths[] = {255, 256, 257, 511, 512, 513, 515};
  enum { N = sizeof primes / sizeof *primes };
  const trm__kernels *k[MAX_ISA];
  int isa = isas(k);
  for (int i = 0; i < isa; i++) {
    int mr = k[i]->mr, nr = k[i]->nr;
    const int ms[] = {1, mr - 1, mr, mr + 1, 2 * mr + 1};
    const int ns[] = {1,  nr / 2 - 1, nr / 2, nr / 2 + 1,     nr - 1,
                      nr, nr + 1,     2 * nr, 2 * nr + nr / 2};
    for (int a = 0; a < N; a++)
      for (int b = 0; b < N; b++)
        for (int c = 0; c < N; c += 2) check_sizes(k[i], primes[a], primes[b], primes[c], b % 3);
    for (size_t a = 0; a < sizeof ms / sizeof *ms; a++)
      for (size_t b = 0; b < sizeof ns / sizeof *ns; b++) {
        check_sizes(k[i], ms[a], ns[b], 9, 0);
        check_sizes(k[i], ms[a], ns[b], 257, 1);
      }
    for (size_t d = 0; d < sizeof depths / sizeof *depths; d++)
      check_sizes(k[i], mr + 2, nr + 3, depths[d], 2);
  }
}

static void a_split_sum_has_the_same_bits(void **state) {
  (void)state;
  static const int sizes[][3] = {{1, 1, 40}, {13, 37, 19}, {25, 65, 31}, {7, 33, 600}};
  const trm__kernels *k[MAX_ISA];
  int isa = isas(k);
  for (int i = 0; i < isa; i++)
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
      int m = sizes[s][0], depth = sizes[s][2], by = depth > 100 ? 37 : 1;
      product p = product_open(k[i], m, sizes[s][1], depth, 1);
      for (int accumulate = 0; accumulate < 2; accumulate++) {
        product_reset(&p);
        product_part(&p, 0, m, 0, depth, accumulate);
        real *whole = probe_copy(p.c.v, size_of_c(&p));
        for (int split = 1; split < depth; split += by) {
          product_reset(&p);
          product_part(&p, 0, m, 0, split, accumulate);
          product_part(&p, 0, m, split, depth, true);
          probe_true(probe_same(p.c.v, whole, size_of_c(&p)), "%s m %d depth %d split at %d",
                     k[i]->name, m, depth, split);
        }
        trm__free(whole);
      }
      product_close(&p);
    }
}

/* Row i of A alone, packed as the first row of a panel, and column j of B alone. */
static void any_tile_has_the_same_bits(void **state) {
  (void)state;
  const trm__kernels *k[MAX_ISA];
  int isa = isas(k);
  for (int i = 0; i < isa; i++) {
    const trm__kernels *kk = k[i];
    int m = 2 * kk->mr + 3, n = 2 * kk->nr + kk->nr / 2 + 1, depth = 300;
    product p = product_open(kk, m, n, depth, 0);
    real *a = probe_reals(trm__packed_a(kk, m, depth)),
         *b = probe_reals(trm__packed_b(kk, depth, n));
    real *c = probe_reals((int64_t)m * n);
    product_part(&p, 0, m, 0, depth, false);
    for (int first = 0; first < m; first++) {
      for (int rows = 1; rows <= m - first; rows += 5) {
        kk->pack_a(rows, depth, p.a.v + (int64_t)first * depth, depth, 1, a);
        kk->gemm(rows, n, depth, a, (ptrdiff_t)depth * kk->mr, p.pb.v, (ptrdiff_t)depth * kk->nr, c,
                 n, false);
        probe_true(probe_same(c, p.c.v + (int64_t)first * n, (int64_t)rows * n),
                   "%s rows %d from %d", kk->name, rows, first);
      }
    }
    for (int j = 0; j < n; j++) {
      kk->pack_b(depth, 1, p.b.v + j, n, 1, b);
      kk->gemm(m, 1, depth, p.pa.v, (ptrdiff_t)depth * kk->mr, b, (ptrdiff_t)depth * kk->nr, c, 1,
               false);
      for (int r = 0; r < m; r++)
        probe_true(c[r] == p.c.v[(int64_t)r * n + j], "%s column %d row %d", kk->name, j, r);
    }
    trm__free(a);
    trm__free(b);
    trm__free(c);
    product_close(&p);
  }
}

/* Part of the panels and part of the depth, as the blocks of the model use it. */
static void parts_of_packed_operands(void **state) {
  (void)state;
  const trm__kernels *k[MAX_ISA];
  int isa = isas(k);
  for (int i = 0; i < isa; i++) {
    int mr = k[i]->mr, m = 3 * mr + 2, depth = 70;
    product p = product_open(k[i], m, k[i]->nr + 5, depth, 3);
    product_reset(&p);
    product_part(&p, 0, m, 0, depth, false);
    check_product(&p, false);
    real *whole = probe_copy(p.c.v, size_of_c(&p));
    product_reset(&p);
    for (int r = 0; r < m; r += 2 * mr)
      for (int d = 0; d < depth; d += 32)
        product_part(&p, r, r + 2 * mr < m ? r + 2 * mr : m, d, d + 32 < depth ? d + 32 : depth,
                     d > 0);
    assert_true(probe_same(whole, p.c.v, size_of_c(&p)));
    trm__free(whole);
    product_close(&p);
  }
}

static void nothing_to_sum_is_zero(void **state) {
  (void)state;
  const trm__kernels *k[MAX_ISA];
  int isa = isas(k);
  for (int i = 0; i < isa; i++) {
    real c[6] = {1, 2, 3, 4, 5, 6}, none[1] = {0};
    k[i]->gemm(2, 3, 0, none, 0, none, 0, c, 3, true);
    for (int j = 0; j < 6; j++) assert_true(c[j] == (real)(j + 1));
    k[i]->gemm(2, 3, 0, none, 0, none, 0, c, 3, false);
    for (int j = 0; j < 6; j++) assert_true(c[j] == 0);
  }
}

/* --- the choice of the table --- */

static void trm_isa_chooses(void **state) {
  (void)state;
  const trm__kernels *k[MAX_ISA], *got = NULL;
  trm_error err;
  char *before = getenv("TRM_ISA") ? strdup(getenv("TRM_ISA")) : NULL;
  int isa = isas(k);
  assert_int_equal(unsetenv("TRM_ISA"), 0);
  assert_int_equal(trm__kernels_select(&got, &err), TRM_OK);
  assert_ptr_equal(got, k[0]);
  assert_int_equal(setenv("TRM_ISA", "", 1), 0);
  assert_int_equal(trm__kernels_select(&got, &err), TRM_OK);
  assert_ptr_equal(got, k[0]);
  for (int i = 0; i < isa; i++) {
    assert_int_equal(setenv("TRM_ISA", k[i]->name, 1), 0);
    assert_int_equal(trm__kernels_select(&got, &err), TRM_OK);
    assert_ptr_equal(got, k[i]);
    assert_string_equal(trm_isa(), k[i]->name);
  }
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
      cmocka_unit_test(packing_takes_every_layout),
      cmocka_unit_test(products_of_awkward_sizes),
      cmocka_unit_test(a_split_sum_has_the_same_bits),
      cmocka_unit_test(any_tile_has_the_same_bits),
      cmocka_unit_test(parts_of_packed_operands),
      cmocka_unit_test(nothing_to_sum_is_zero),
      cmocka_unit_test(trm_isa_chooses),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
