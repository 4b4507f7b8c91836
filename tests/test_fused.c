/* Activations that write the operands of the next product, on every instruction set and in both
 * number formats, against plain loops in double: SwiGLU, its gradient, softmax; and units turned
 * into operands. */
#include "units.h"

/* What an activation may be off by before the format rounds it, relative: float32's sigmoid, and
 * the one for bfloat16. */
static double exactness(const trm__product *p) {
  return p->dtype == TRM_BFLOAT16 ? 4e-4 : 4e-6;
}
/* By rounding to the format, relative. */
static double rounding(const trm__product *p) {
  return p->dtype == TRM_BFLOAT16 ? 0x1p-8 : 0x1p-24;
}

static void near(const trm__kernels *k, const trm__product *p, const char *what, int i, int j,
                 real got, double want, double size) {
  probe_true(fabs((double)got - want) <= fabs(want) * rounding(p) + size * exactness(p),
             "%s %s %s at %d %d: %g, expected %g", k->name, trm_dtype_name(p->dtype), what, i, j,
             (double)got, want);
}

/* Element (i, j) of an operand B of depth `deep` units. */
static const real *column_at(const trm__product *p, const real *b, ptrdiff_t ps, int j) {
  return b + j / p->nr * ps + j % p->nr;
}

/* rows x n at row stride ld, NaN in the gaps; spoilt: NaN all over. */
typedef struct grid {
  int rows, n;
  ptrdiff_t ld;
  fenced f;
  real *v;
} grid;
static grid grid_spoilt(int rows, int n, ptrdiff_t ld) {
  grid g = {.rows = rows, .n = n, .ld = ld, .f = fence((rows - 1) * ld + n)};
  g.v = g.f.v;
  return g;
}
static grid grid_random(int rows, int n, ptrdiff_t ld, double scale, trm__rng *rng) {
  grid g = grid_spoilt(rows, n, ld);
  for (int i = 0; i < rows; i++) probe_fill(g.v + i * ld, n, scale, rng);
  return g;
}
/* What was written stays within the rows. */
static void grid_close(const grid *g) {
  for (int i = 0; i + 1 < g->rows; i++)
    for (ptrdiff_t j = g->n; j < g->ld; j++) assert_true(isnan(g->v[i * g->ld + j]));
  unfence(g->f);
}

/* --- SwiGLU --- */

typedef struct swiglu {
  double act, dg, du, size_dg, size_du; /* sizes: before terms cancel */
} swiglu;
static swiglu swiglu_of(double g, double u, double d) {
  double s = 1 / (1 + exp(-g));
  return (swiglu){g * s * u, d * u * (s + g * s * (1 - s)), d * g * s,
                  fabs(d * u) * s * (1 + fabs(g)), fabs(d * g * s)};
}
/* The same times inv, and slope g u the gradient by g u. */
static swiglu gate_norm_of(double g, double u, double d, double inv, double slope) {
  swiglu w = swiglu_of(g, u, d * inv);
  w.act *= inv;
  w.dg += slope * g * u * u;
  w.du += slope * g * u * g;
  w.size_dg += fabs(slope * g * u * u);
  w.size_du += fabs(slope * g * u * g);
  return w;
}

static void check_swiglu(const trm__kernels *k, const trm__product *p, int rows, int n, int gap) {
  trm__rng rng = probe_rng((uint64_t)(rows * 100 + n));
  const int units = trm__units(p, n), deep = trm__units(p, rows);
  const bool as_a = n % p->nr == 0, as_b = rows % p->group == 0;
  grid g = grid_random(rows, n, n + gap, 12, &rng), u = grid_random(rows, n, n + gap, 2, &rng);
  grid a = grid_spoilt(rows, units, units + gap);
  fenced b = fence(trm__size_b(p, rows, n));

  /* As A in whole panels, as B in whole groups of rows: where both exist, they have the same
   * values. */
  if (as_a) p->swiglu_a(rows, n, g.v, u.v, g.ld, a.v, a.ld, NULL, NULL);
  if (as_b) p->swiglu_b(rows, n, g.v, u.v, g.ld, b.v, NULL, NULL, 0);
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < (n + p->nr - 1) / p->nr * p->nr; j++) {
      /* act = g sigmoid(g) u; what fills up the last panel is zero. */
      const real *column = column_at(p, b.v, (ptrdiff_t)deep * p->nr, j);
      double want =
          j < n ? swiglu_of((double)g.v[i * g.ld + j], (double)u.v[i * g.ld + j], 0).act : 0;
      if (as_b) near(k, p, "swiglu_b", i, j, value_at(p, column, p->nr, i), want, fabs(want));
      if (!as_a || j >= n) continue;
      near(k, p, "swiglu_a", i, j, value_at(p, a.v + i * a.ld, 1, j), want, fabs(want));
      if (as_b) assert_true(value_at(p, a.v + i * a.ld, 1, j) == value_at(p, column, p->nr, i));
    }
  grid_close(&g);
  grid_close(&u);
  grid_close(&a);
  unfence(b);
}
static void check_swiglus(const trm__kernels *k, const trm__product *p) {
  static const int ns[] = {1, 3, 15, 16, 17, 31, 32, 33, 64, 67, 96, 128};
  for (size_t n = 0; n < sizeof ns / sizeof *ns; n++)
    for (int rows = 1; rows < 9; rows++) check_swiglu(k, p, rows, ns[n], rows % 3);
}
static void swiglu_becomes_an_operand(void **state) {
  (void)state;
  on_every_product(check_swiglus);
}

/* The gradient works on what the forward pass kept: g and u, rounded to the format. */
typedef struct back {
  grid g0, u0, d;
  grid g, u;       /* kept; then units */
  grid inv, slope; /* of each row or column, with a norm; else 1 and 0 */
} back;
static back back_open(int rows, int n, int gap, grid g, grid u, int norms) {
  trm__rng rng = probe_rng((uint64_t)(rows * 1000 + n));
  back t = {.g0 = grid_random(rows, n, n + gap, 12, &rng),
            .u0 = grid_random(rows, n, n + gap, 2, &rng),
            .d = grid_random(rows, n, n + gap + 1, 2, &rng),
            .g = g,
            .u = u,
            .inv = grid_random(1, norms ? norms : 1, 1, 3, &rng),
            .slope = grid_random(1, norms ? norms : 1, 1, 0.1, &rng)};
  return t;
}
static void back_close(const back *t) {
  const grid *all[] = {&t->g0, &t->u0, &t->d, &t->g, &t->u, &t->inv, &t->slope};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) grid_close(all[i]);
}
/* Three gradients at one place, two of them twice: in the operand and as units; norm: which of the
 * norms is its, or -1. */
static void check_back(const trm__kernels *k, const trm__product *p, const back *t, int i, int j,
                       int norm, const real got[5]) {
  swiglu want =
      gate_norm_of((double)cast(p, t->g0.v[i * t->g0.ld + j]),
                   (double)cast(p, t->u0.v[i * t->u0.ld + j]), (double)t->d.v[i * t->d.ld + j],
                   norm < 0 ? 1 : (double)t->inv.v[norm], norm < 0 ? 0 : (double)t->slope.v[norm]);
  near(k, p, "act", i, j, got[0], want.act, fabs(want.act));
  near(k, p, "dg", i, j, got[1], want.dg, want.size_dg);
  near(k, p, "du", i, j, got[2], want.du, want.size_du);
  probe_true(got[3] == got[1] && got[4] == got[2], "%s %s units at %d %d", k->name,
             trm_dtype_name(p->dtype), i, j);
}

static void check_grad_a(const trm__kernels *k, const trm__product *p, int rows, int n, int gap,
                         bool norm) {
  const int half = n / p->group, deep = trm__units(p, rows);
  const ptrdiff_t ps = (ptrdiff_t)deep * p->nr + 4 * gap;
  back t =
      back_open(rows, n, gap, grid_spoilt(deep, n, n), grid_spoilt(deep, n, n), norm ? rows : 0);
  grid both = grid_spoilt(rows, 2 * half, 2 * half + gap);
  grid act = grid_spoilt(n / p->nr, deep * p->nr, ps);

  /* The forward pass keeps g and u as units; the gradient turns them into dg and du. */
  p->swiglu_a(rows, n, t.g0.v, t.u0.v, t.g0.ld, both.v, both.ld, t.g.v, t.u.v);
  if (norm)
    p->gate_norm_grad_a(rows, n, t.g.v, t.u.v, t.d.v, t.d.ld, both.v, both.ld, act.v, ps, t.inv.v,
                        t.slope.v);
  else
    p->swiglu_grad_a(rows, n, t.g.v, t.u.v, t.d.v, t.d.ld, both.v, both.ld, act.v, ps);
  for (int i = 0; i < whole(p, rows); i++)
    for (int j = 0; j < n; j++) {
      /* By place: in the operands and as units, up to the rows that fill up a group, which are
       * zero. */
      const real *row = both.v + i * both.ld;
      real in_act = value_at(p, column_at(p, act.v, ps, j), p->nr, i);
      real g = value_at(p, t.g.v + j, n, i), u = value_at(p, t.u.v + j, n, i);
      if (i < rows)
        check_back(k, p, &t, i, j, norm ? i : -1,
                   (real[]){in_act, value_at(p, row, 1, j), value_at(p, row + half, 1, j), g, u});
      else
        assert_true(in_act == 0 && g == 0 && u == 0);
    }
  back_close(&t);
  grid_close(&both);
  grid_close(&act);
}
static void check_grad_b(const trm__kernels *k, const trm__product *p, int rows, int n, int gap,
                         bool norm) {
  const ptrdiff_t half = (ptrdiff_t)trm__units(p, rows) * p->nr;
  const int kept = trm__kept(p, n);
  back t = back_open(rows, n, gap, grid_spoilt(rows, kept, kept + gap),
                     grid_spoilt(rows, kept, kept + gap), norm ? n : 0);
  grid act = grid_spoilt(rows, kept, kept + gap);
  fenced both = fence(trm__size_b(p, 2 * rows, n)), out = fence(trm__size_b(p, rows, n));

  /* The same with the operands B: first what is kept, then its gradient in its place. */
  p->swiglu_b(rows, n, t.g0.v, t.u0.v, t.g0.ld, out.v, t.g.v, t.u.v, t.g.ld);
  if (norm)
    p->gate_norm_grad_b(rows, n, t.g.v, t.u.v, t.g.ld, t.d.v, t.d.ld, both.v, act.v, t.inv.v,
                        t.slope.v);
  else
    p->swiglu_grad_b(rows, n, t.g.v, t.u.v, t.g.ld, t.d.v, t.d.ld, both.v, act.v);
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < kept * p->group; j++) {
      /* dg and du stand one above the other in B; columns that fill up a group are zero. */
      const real *column = column_at(p, both.v, 2 * half, j);
      real dg = value_at(p, column, p->nr, i), du = value_at(p, column + half, p->nr, i);
      real in_act = value_at(p, act.v + i * act.ld, 1, j);
      real g = value_at(p, t.g.v + i * t.g.ld, 1, j), u = value_at(p, t.u.v + i * t.u.ld, 1, j);
      if (j < n)
        check_back(k, p, &t, i, j, norm ? j : -1, (real[]){in_act, dg, du, g, u});
      else
        assert_true(dg == 0 && du == 0 && in_act == 0 && g == 0 && u == 0);
    }
  back_close(&t);
  grid_close(&act);
  unfence(both);
  unfence(out);
}
static void check_grads(const trm__kernels *k, const trm__product *p) {
  static const int ns[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 67};
  for (int i = 2; i < 20; i++) {
    const int rows = i / 2;
    const bool norm = i % 2;
    for (int panels = 1; panels < 4; panels++)
      check_grad_a(k, p, rows, panels * p->nr, rows % 3, norm);
    for (size_t n = 0; n < sizeof ns / sizeof *ns; n++)
      if (rows % p->group == 0) check_grad_b(k, p, rows, ns[n], rows % 3, norm);
  }
}
/* In float32 the product writes g and u where they are kept, n columns of rows that are ldk apart:
 * what lies behind them counts as zero, whatever it is. */
static void check_padding(const trm__kernels *k, const trm__product *p) {
  if (!p->a_as_is) return;
  const int rows = 4, n = p->nr - 3, ldk = trm__kept(p, n);
  trm__rng rng = probe_rng(7);
  fenced g = fence((int64_t)rows * ldk), u = fence((int64_t)rows * ldk);
  fenced act = fence((int64_t)rows * ldk), both = fence(2 * (int64_t)rows * p->nr);
  grid d = grid_random(rows, n, n, 1, &rng);
  for (int i = 0; i < rows; i++) {
    probe_fill(g.v + i * ldk, n, 2, &rng);
    probe_fill(u.v + i * ldk, n, 2, &rng);
  }

  /* Behind the n columns is NaN: the operand has zeros there. */
  p->swiglu_grad_b(rows, n, g.v, u.v, ldk, d.v, d.ld, both.v, act.v);
  for (int i = 0; i < 2 * rows; i++)
    for (int j = 0; j < p->nr; j++)
      probe_true(j < n ? isfinite((double)both.v[i * p->nr + j]) : both.v[i * p->nr + j] == 0,
                 "%s: %g at %d %d", k->name, (double)both.v[i * p->nr + j], i, j);
  grid_close(&d);
  unfence(g);
  unfence(u);
  unfence(act);
  unfence(both);
}
static void padding_counts_as_zero(void **state) {
  (void)state;
  on_every_product(check_padding);
}

static void gradients_of_swiglu_become_operands(void **state) {
  (void)state;
  on_every_product(check_grads);
}

/* --- softmax --- */

static void check_softmax(const trm__kernels *k, const trm__product *p, int rows, int n, int gap) {
  trm__rng rng = probe_rng((uint64_t)(rows * 100 + n));
  const int units = trm__units(p, n);
  const double scale = 0.25;
  grid s = grid_random(rows, n, n + gap, 30, &rng), a = grid_spoilt(rows, units, units + gap);
  grid one = grid_spoilt(rows, units, units + gap);
  fenced lse = fence(rows), inverse = fence(rows);
  real again[2];
  p->softmax_a(rows, n, s.v, s.ld, (real)scale, a.v, a.ld, lse.v, inverse.v);
  for (int i = 0; i < rows; i++) {
    const real *si = s.v + i * s.ld, *ai = a.v + i * a.ld;

    /* exp(scale s) / sum, and zeros that fill up a unit; lse is to the base 2. */
    double sum = 0;
    for (int j = 0; j < n; j++) sum += exp(scale * (double)si[j]);
    for (int j = 0; j < whole(p, n); j++) {
      double want = j < n ? exp(scale * (double)si[j]) / sum : 0;
      near(k, p, "softmax_a", i, j, value_at(p, ai, 1, j) * inverse.v[i], want, want);
    }
    assert_true(fabs((double)lse.v[i] - log2(sum)) < 4e-6);

    /* A row alone has the same bits. */
    p->softmax_a(1, n, si, s.ld, (real)scale, one.v + i * one.ld, one.ld, again, again + 1);
    assert_true(probe_same(one.v + i * one.ld, ai, units));
    assert_true(again[0] == lse.v[i] && again[1] == inverse.v[i]);
  }
  grid_close(&s);
  grid_close(&a);
  grid_close(&one);
  unfence(lse);
  unfence(inverse);
}
static void check_softmaxes(const trm__kernels *k, const trm__product *p) {
  for (int n = 1; n < 70; n++) check_softmax(k, p, 1 + n % 4, n, n % 3);
  check_softmax(k, p, 5, 916, 2);
}
static void softmax_becomes_an_operand(void **state) {
  (void)state;
  on_every_product(check_softmaxes);
}

/* Scores far apart, and what is not a number. */
static void check_extremes(const trm__kernels *k, const trm__product *p) {
  real s[40], out[40], lse, inverse, g[64], u[64], b[512];
  for (int j = 0; j < 40; j++) s[j] = j == 17 ? 1000 : -1000;
  p->softmax_a(1, 40, s, 40, 1, out, 40, &lse, &inverse);
  for (int j = 0; j < 40; j++)
    near(k, p, "far softmax", 0, j, value_at(p, out, 1, j) * inverse, j == 17, 1);

  /* One NaN among the scores spoils their row. */
  for (int bad = 0; bad < 40; bad++) {
    for (int j = 0; j < 40; j++) s[j] = j == bad ? (real)NAN : 1;
    p->softmax_a(1, 40, s, 40, 1, out, 40, &lse, &inverse);
    assert_true(isnan(lse) && isnan(inverse));
  }
  /* In the gates and in the other factor: at its place, nowhere else. */
  for (int bad = 0; bad < 64; bad++) {
    for (int j = 0; j < 64; j++) g[j] = u[j] = 1;
    *(bad < 32 ? &g[bad] : &u[bad]) = (real)NAN;
    assert_true(trm__size_b(p, 2, 32) <= 512);
    p->swiglu_b(2, 32, g, u, 32, b, NULL, NULL, 0);
    for (int i = 0; i < 2; i++)
      for (int j = 0; j < 32; j++) {
        const real *column = column_at(p, b, (ptrdiff_t)trm__units(p, 2) * p->nr, j);
        assert_true(isnan(value_at(p, column, p->nr, i)) == (i * 32 + j == bad));
      }
  }
}
static void extremes_and_nan(void **state) {
  (void)state;
  on_every_product(check_extremes);
}

/* --- units --- */

static void check_units(const trm__kernels *k, const trm__product *p, int m, int units, int gap) {
  trm__rng rng = probe_rng((uint64_t)(m * 1000 + units));
  fenced across = fence((int64_t)(units - 1) * (m + gap) + m);
  fenced along = fence((int64_t)(m - 1) * (units + gap) + units);
  fenced a = fence((int64_t)(m - 1) * (units + gap) + units);
  fenced b = fence(trm__size_b(p, units * p->group, m));
  for (int i = 0; i < m; i++)
    for (int q = 0; q < units; q++) {
      uint32_t bits = trm__rng_below(&rng, UINT32_MAX);
      memcpy(&across.v[q * (m + gap) + i], &bits, sizeof bits);
      memcpy(&along.v[i * (units + gap) + q], &bits, sizeof bits);
    }

  /* The same bits as units across and along rows. */
  p->units_to_a(m, units, across.v, m + gap, a.v, units + gap);
  p->units_to_b(units, m, along.v, units + gap, b.v);
  for (int i = 0; i < (m + p->nr - 1) / p->nr * p->nr; i++) {
    /* B has them with zeros in its last panel, A without a change of what is between its rows. */
    const real *column = column_at(p, b.v, (ptrdiff_t)units * p->nr, i);
    for (int q = 0; q < units; q++) {
      uint32_t want = i < m ? bits_of(along.v[i * (units + gap) + q]) : 0;
      probe_true(bits_of(column[q * p->nr]) == want, "%s units_to_b %d x %d at %d %d", k->name, m,
                 units, i, q);
      if (i < m) assert_int_equal(bits_of(a.v[i * (units + gap) + q]), want);
    }
    for (int q = units; i < m - 1 && q < units + gap; q++)
      assert_true(isnan(a.v[i * (units + gap) + q]));
  }
  unfence(across);
  unfence(along);
  unfence(a);
  unfence(b);
}
static void check_all_units(const trm__kernels *k, const trm__product *p) {
  static const int sizes[] = {1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 49};
  enum { N = sizeof sizes / sizeof *sizes };
  for (int m = 0; m < N; m++)
    for (int u = 0; u < N; u++) check_units(k, p, sizes[m], sizes[u], (m + u) % 3);
}
static void units_become_operands(void **state) {
  (void)state;
  on_every_product(check_all_units);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(swiglu_becomes_an_operand),
      cmocka_unit_test(gradients_of_swiglu_become_operands),
      cmocka_unit_test(padding_counts_as_zero),
      cmocka_unit_test(softmax_becomes_an_operand),
      cmocka_unit_test(extremes_and_nan),
      cmocka_unit_test(units_become_operands),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
