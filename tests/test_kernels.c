/* The vector kernels on every instruction set of this machine against plain loops in double:
 * values, every length of tail, aliases the contract allows, and nothing touched outside of the
 * rows. */
#include "fence.h"

#include <float.h>

#include "kernels/kernels.h"

enum { MAX_ISA = 8 };

/* --- rows x n values at stride ld: NaN between the rows, a fence behind the last --- */

typedef struct grid {
  int rows, n;
  ptrdiff_t ld;
  fenced f;
  real *v;
} grid;

static int64_t grid_size(const grid *g) {
  return (int64_t)(g->rows - 1) * g->ld + g->n;
}
static grid grid_new(int rows, int n, int gap) {
  grid g = {.rows = rows, .n = n, .ld = n + gap};
  g.f = fence(grid_size(&g));
  g.v = g.f.v;
  return g;
}
static grid grid_random(int rows, int n, int gap, double scale, trm__rng *r) {
  grid g = grid_new(rows, n, gap);
  for (int i = 0; i < rows; i++) probe_fill(g.v + i * g.ld, n, scale, r);
  return g;
}
static grid grid_copy(const grid *from) {
  grid g = grid_new(from->rows, from->n, (int)(from->ld - from->n));
  memcpy(g.v, from->v, (size_t)grid_size(&g) * sizeof *g.v);
  return g;
}
static double at(const grid *g, int i, int j) {
  return (double)g->v[i * g->ld + j];
}
static bool gaps_whole(const grid *g) {
  for (int i = 0; i + 1 < g->rows; i++)
    for (ptrdiff_t j = g->n; j < g->ld; j++)
      if (!isnan((double)g->v[i * g->ld + j])) return false;
  return true;
}
static void grids_free(grid *g, int n) {
  for (int i = 0; i < n; i++) unfence(g[i].f);
}

/* What a check is run on. */
typedef struct trial {
  const trm__kernels *k;
  const char *name;
  int rows, n, gap;
  trm__rng rng;
} trial;

/* |got - want| <= bound * size, with the place in the message. */
static void near(const trial *t, const char *what, int i, int j, double got, double want,
                 double size, double bound) {
  probe_true(fabs(got - want) <= bound * size + FLT_MIN,
             "%s %s %d x %d gap %d: %s at %d %d is %.9g, expected %.9g", t->k->name, t->name,
             t->rows, t->n, t->gap, what, i, j, got, want);
}
static void all_near(const trial *t, const char *what, const grid *got, const grid *want,
                     double size, double bound) {
  for (int i = 0; i < got->rows; i++)
    for (int j = 0; j < got->n; j++)
      near(t, what, i, j, at(got, i, j), at(want, i, j), size + fabs(at(want, i, j)), bound);
  probe_true(gaps_whole(got), "%s %s %d x %d", t->k->name, t->name, t->rows, t->n);
}
static void same_bits(const trial *t, const char *what, const grid *a, const grid *b) {
  for (int i = 0; i < a->rows; i++)
    probe_true(probe_same(a->v + i * a->ld, b->v + i * b->ld, a->n), "%s %s %d x %d: %s row %d",
               t->k->name, t->name, t->rows, t->n, what, i);
}
static const double ROUND = 4 * FLT_EPSILON;

/* --- norms --- */

/* The norm over the rows of the transposed grids is the norm over columns. */
static double norm_scale(const grid *x, const grid *r, bool cols, int line, double eps) {
  int n = cols ? x->rows : x->n;
  double sum = 0;
  for (int p = 0; p < n; p++) {
    int i = cols ? p : line, j = cols ? line : p;
    double s = at(x, i, j) + at(r, i, j);
    sum += s * s;
  }
  return 1 / sqrt(sum / n + eps);
}

static void check_norm(trial *t, bool cols) {
  grid x = grid_random(t->rows, t->n, t->gap, 3, &t->rng),
       r = grid_random(t->rows, t->n, t->gap + 1, 1, &t->rng);
  grid y = grid_new(t->rows, t->n, t->gap), in_place = grid_copy(&x),
       part = grid_new(t->rows, t->n, t->gap);
  grid inv = grid_new(1, cols ? t->n : t->rows, 0);
  const real eps = 1e-5f;
  const trm__kernels *k = t->k;

  /* y = (x + r) / rms(x + r) over each row or column, also in the place of x. */
  (cols ? k->add_rms_cols : k->add_rms_rows)(t->rows, t->n, x.v, x.ld, r.v, r.ld, eps, y.v, y.ld,
                                             inv.v);
  (cols ? k->add_rms_cols : k->add_rms_rows)(t->rows, t->n, in_place.v, x.ld, r.v, r.ld, eps,
                                             in_place.v, x.ld, NULL);
  same_bits(t, "in place", &in_place, &y);

  /* By the definition, one element at a time. */
  for (int i = 0; i < t->rows; i++)
    for (int j = 0; j < t->n; j++) {
      double scale = norm_scale(&x, &r, cols, cols ? j : i, (double)eps);
      double s = at(&x, i, j) + at(&r, i, j), size = fabs(at(&x, i, j)) + fabs(at(&r, i, j));
      near(t, "y", i, j, at(&y, i, j), s * scale, size * scale, 4 * ROUND);
      near(t, "inv", i, j, at(&inv, 0, cols ? j : i), scale, scale, 4 * ROUND);
    }

  /* A line alone has the same bits. */
  if (cols)
    for (int j = 0; j < t->n; j++)
      k->add_rms_cols(t->rows, 1, x.v + j, x.ld, r.v + j, r.ld, eps, part.v + j, part.ld, NULL);
  else
    for (int i = 0; i < t->rows; i++)
      k->add_rms_rows(1, t->n, x.v + i * x.ld, x.ld, r.v + i * r.ld, r.ld, eps,
                      part.v + i * part.ld, part.ld, NULL);
  same_bits(t, "one by one", &part, &y);
  assert_true(gaps_whole(&y) && gaps_whole(&in_place));
  grid all[] = {x, r, y, in_place, part, inv};
  grids_free(all, 6);
}
static void check_norm_rows(trial *t) {
  check_norm(t, false);
}
static void check_norm_cols(trial *t) {
  check_norm(t, true);
}

/* The norm of one grid alone is that of its sum with zeros, in its place. */
static void check_norm_alone(trial *t) {
  grid x = grid_random(t->rows, t->n, t->gap, 3, &t->rng),
       zero = grid_random(t->rows, t->n, 0, 0, &t->rng);
  grid y = grid_copy(&x), again = grid_copy(&x), inv = grid_new(1, t->rows, 0);
  t->k->add_rms_rows(t->rows, t->n, again.v, x.ld, zero.v, zero.ld, 1e-3f, again.v, x.ld, NULL);
  t->k->rms_rows(t->rows, t->n, y.v, y.ld, 1e-3f, inv.v);
  same_bits(t, "alone", &y, &again);
  for (int i = 0; i < t->rows; i++) {
    const double scale = norm_scale(&x, &zero, false, i, (double)1e-3f);
    near(t, "inv", i, 0, at(&inv, 0, i), scale, scale, 4 * ROUND);
  }
  assert_true(gaps_whole(&y));
  grid all[] = {x, zero, y, again, inv};
  grids_free(all, 5);
}

static void check_norm_grad(trial *t, bool cols) {
  grid y = grid_random(t->rows, t->n, t->gap, 1, &t->rng),
       dy = grid_random(t->rows, t->n, t->gap + 1, 2, &t->rng);
  grid inv = grid_random(1, cols ? t->n : t->rows, 0, 1, &t->rng),
       ds = grid_new(t->rows, t->n, t->gap);
  grid in_place = grid_copy(&dy);
  const trm__kernels *k = t->k;

  /* ds = inv (dy - y mean(y dy)), also in the place of dy. */
  (cols ? k->rms_cols_grad : k->rms_rows_grad)(t->rows, t->n, y.v, y.ld, inv.v, dy.v, dy.ld, ds.v,
                                               ds.ld);
  (cols ? k->rms_cols_grad : k->rms_rows_grad)(t->rows, t->n, y.v, y.ld, inv.v, in_place.v,
                                               in_place.ld, in_place.v, in_place.ld);
  same_bits(t, "in place", &in_place, &ds);

  /* By the definition, one element at a time. */
  for (int i = 0; i < t->rows; i++)
    for (int j = 0; j < t->n; j++) {
      double mean = 0, size = 0, scale = at(&inv, 0, cols ? j : i);
      int n = cols ? t->rows : t->n;
      for (int p = 0; p < n; p++) {
        double term = cols ? at(&y, p, j) * at(&dy, p, j) : at(&y, i, p) * at(&dy, i, p);
        mean += term / n;
        size += fabs(term) / n;
      }
      near(t, "ds", i, j, at(&ds, i, j), scale * (at(&dy, i, j) - at(&y, i, j) * mean),
           fabs(scale) * (fabs(at(&dy, i, j)) + size), 4 * ROUND);
    }
  assert_true(gaps_whole(&ds) && gaps_whole(&in_place));
  grid all[] = {y, dy, inv, ds, in_place};
  grids_free(all, 5);
}
static void check_rows_grad(trial *t) {
  check_norm_grad(t, false);
}
static void check_cols_grad(trial *t) {
  check_norm_grad(t, true);
}

/* --- rotary positions, softmax, dots --- */

/* rows heads of 2n values */
static void check_rope(trial *t) {
  int half = t->n, d = 2 * half;
  grid x = grid_random(t->rows, d, 0, 1, &t->rng), y = grid_copy(&x), cs = grid_new(2, half, 0);
  for (int j = 0; j < half; j++) {
    double angle = 10 * probe_uniform(&t->rng);
    cs.v[j] = (real)cos(angle);
    cs.v[half + j] = (real)sin(angle);
  }

  /* Pairs (j, j + half) are turned by their angle, and back again. */
  t->k->rope(t->rows, d, y.v, cs.v, cs.v + half, 1);
  for (int i = 0; i < t->rows; i++)
    for (int j = 0; j < half; j++) {
      double a = at(&x, i, j), b = at(&x, i, half + j), c = at(&cs, 0, j), s = at(&cs, 1, j);
      near(t, "x1", i, j, at(&y, i, j), a * c - b * s, 1, ROUND);
      near(t, "x2", i, j, at(&y, i, half + j), b * c + a * s, 1, ROUND);
    }
  t->k->rope(t->rows, d, y.v, cs.v, cs.v + half, -1);
  all_near(t, "undone", &y, &x, 1, ROUND);
  grid all[] = {x, y, cs};
  grids_free(all, 3);
}

/* Sums over columns, and of squared products over either. */
static void check_products(trial *t) {
  grid a = grid_random(t->rows, t->n, t->gap, 1, &t->rng),
       b = grid_random(t->rows, t->n, t->gap, 1, &t->rng);
  grid dots = grid_new(1, t->n, 0), cols = grid_random(1, t->n, 0, 1, &t->rng),
       rows = grid_random(1, t->rows, 0, 1, &t->rng), of_rows = grid_copy(&rows),
       of_cols = grid_copy(&cols), scaled = grid_copy(&a);
  t->k->dot_cols(t->rows, t->n, a.v, a.ld, b.v, b.ld, dots.v);
  t->k->add_squares_rows(t->rows, t->n, a.v, b.v, a.ld, of_rows.v);
  t->k->add_squares_cols(t->rows, t->n, a.v, b.v, a.ld, of_cols.v);
  t->k->scale_cols(t->rows, t->n, scaled.v, scaled.ld, cols.v);
  for (int j = 0; j < t->n; j++) {
    double dot = 0, sum = at(&cols, 0, j);
    for (int i = 0; i < t->rows; i++) {
      const double m = at(&a, i, j) * at(&b, i, j);
      dot += m;
      sum += m * m;
      near(t, "scaled", i, j, at(&scaled, i, j), at(&a, i, j) * at(&cols, 0, j), 1, ROUND);
    }
    near(t, "dot", 0, j, at(&dots, 0, j), dot, t->rows, ROUND);
    near(t, "of columns", 0, j, at(&of_cols, 0, j), sum, 1 + sum, 4 * ROUND);
  }
  for (int i = 0; i < t->rows; i++) {
    double sum = at(&rows, 0, i);
    for (int j = 0; j < t->n; j++) sum += pow(at(&a, i, j) * at(&b, i, j), 2);
    near(t, "of rows", i, 0, at(&of_rows, 0, i), sum, 1 + sum, 4 * ROUND);
  }
  assert_true(gaps_whole(&scaled));
  grid all[] = {a, b, dots, cols, rows, of_rows, of_cols, scaled};
  grids_free(all, 8);
}

static void check_softmax_grad(trial *t) {
  grid s = grid_random(t->rows, t->n, t->gap, 30, &t->rng), p = grid_copy(&s), one = grid_copy(&s);
  grid dp = grid_random(t->rows, t->n, t->gap + 1, 2, &t->rng), ds = grid_copy(&dp),
       ds1 = grid_copy(&dp);
  grid lse = grid_new(1, t->rows, 0), delta = grid_random(1, t->rows, 0, 1, &t->rng);
  const double scale = (double)0.25f;

  /* What the forward pass keeps: log2 of the sum of each row. */
  for (int i = 0; i < t->rows; i++) {
    double sum = 0;
    for (int j = 0; j < t->n; j++) sum += exp(scale * at(&s, i, j));
    lse.v[i] = (real)log2(sum);
  }

  /* p = 2^(scale s log2(e) - lse), ds = scale p (dp - delta). */
  t->k->softmax_grad(t->rows, t->n, p.v, p.ld, (real)scale, lse.v, ds.v, ds.ld, delta.v);
  for (int i = 0; i < t->rows; i++) {
    for (int j = 0; j < t->n; j++) { /* the exponent, up to 20, is rounded */
      double want = exp2(scale * 1.44269504088896341 * at(&s, i, j) - at(&lse, 0, i));
      near(t, "p", i, j, at(&p, i, j), want, want, 20 * ROUND);
      near(t, "ds", i, j, at(&ds, i, j), scale * at(&p, i, j) * (at(&dp, i, j) - at(&delta, 0, i)),
           at(&p, i, j), ROUND);
    }
    t->k->softmax_grad(1, t->n, one.v + i * one.ld, one.ld, (real)scale, lse.v + i,
                       ds1.v + i * ds1.ld, ds1.ld, delta.v + i);
  }

  /* A row alone has the same bits. */
  same_bits(t, "p one by one", &one, &p);
  same_bits(t, "ds one by one", &ds1, &ds);
  assert_true(gaps_whole(&p) && gaps_whole(&ds));
  grid all[] = {s, p, one, dp, ds, ds1, lse, delta};
  grids_free(all, 8);
}

static void check_scale(trial *t) {
  grid x = grid_random(t->rows, t->n, t->gap, 3, &t->rng), y = grid_copy(&x);
  grid scale = grid_random(1, t->rows, 0, 1, &t->rng);
  t->k->scale_rows(t->rows, t->n, y.v, y.ld, scale.v);
  for (int i = 0; i < t->rows; i++)
    for (int j = 0; j < t->n; j++) assert_true(y.v[i * y.ld + j] == x.v[i * x.ld + j] * scale.v[i]);
  assert_true(gaps_whole(&y));
  grid all[] = {x, y, scale};
  grids_free(all, 3);
}

static void check_dots(trial *t) {
  grid a = grid_random(t->rows, t->n, t->gap, 1, &t->rng),
       b = grid_random(t->rows, t->n, t->gap + 1, 1, &t->rng);
  grid dots = grid_new(1, t->rows, 0);
  t->k->dot_rows(t->rows, t->n, a.v, a.ld, b.v, b.ld, dots.v);
  for (int i = 0; i < t->rows; i++) {
    double want = 0, size = 0;
    for (int j = 0; j < t->n; j++) {
      want += at(&a, i, j) * at(&b, i, j);
      size += fabs(at(&a, i, j) * at(&b, i, j));
    }
    near(t, "dot", 0, i, at(&dots, 0, i), want, size, 4 * ROUND);
  }
  grid all[] = {a, b, dots};
  grids_free(all, 3);
}

/* --- sums and optimisers: one row --- */

static void check_sums(trial *t) {
  const trm__kernels *k = t->k;
  grid a = grid_random(1, t->n, 0, 1, &t->rng), b = grid_random(1, t->n, 0, 1, &t->rng);
  grid y = grid_copy(&a), z = grid_new(1, t->n, 0), w = grid_copy(&a), self = grid_copy(&a);
  k->add(t->n, y.v, b.v);
  k->add_to(t->n, z.v, a.v, b.v);
  k->add_to(t->n, self.v, self.v, b.v);
  k->scale_add(t->n, w.v, 0.3f, b.v);
  double square = 0;
  for (int j = 0; j < t->n; j++) {
    assert_true(y.v[j] == a.v[j] + b.v[j] && z.v[j] == y.v[j] && self.v[j] == y.v[j]);
    near(t, "scale_add", 0, j, at(&w, 0, j), at(&a, 0, j) + (double)0.3f * at(&b, 0, j), 1, ROUND);
    square += (double)(0.7f * a.v[j]) * (double)(0.7f * a.v[j]);
  }
  grid scaled = grid_copy(&a);
  double got = k->scale_norm(t->n, scaled.v, 0.7f);
  assert_true(fabs(got - square) <= 1e-14 * square);
  for (int j = 0; j < t->n; j++) assert_true(scaled.v[j] == 0.7f * a.v[j]);
  grid all[] = {a, b, y, z, w, self, scaled};
  grids_free(all, 7);
}

static trm__adam adam_at(int step) {
  return (trm__adam){.lr = 0.01f,
                     .decay = 0.99f,
                     .beta1 = 0.9f,
                     .beta2 = 0.95f,
                     .step_scale = (real)(0.01 / (1 - pow(0.9, step))),
                     .root_scale = (real)(1 / sqrt(1 - pow(0.95, step))),
                     .eps = 1e-8f,
                     .ema = 0.999f};
}

/* What an optimiser's step makes of one weight and its state, and how large what rounds in it is.
 */
typedef struct stepped {
  double p, m, v, slack;
} stepped;
typedef stepped plain_step(const trm__adam *o, double p, double g, double m, double v);

static double plain_root(const trm__adam *o, double v) {
  return sqrt(v) * (double)o->root_scale;
}

static stepped plain_moments(const trm__adam *o, double g, double m, double v) {
  const double b1 = (double)o->beta1, b2 = (double)o->beta2;
  return (stepped){.m = b1 * m + (1 - b1) * g, .v = b2 * v + (1 - b2) * g * g};
}

static stepped adam_step(const trm__adam *o, stepped s, double p, double step) {
  const double scale = (double)o->step_scale;
  s.p = p * (double)o->decay - scale * step;
  s.slack = fabs(p) + scale * (1 + fabs(step)) * (1 + 1 / plain_root(o, s.v));
  return s;
}

static stepped plain_adam_atan2(const trm__adam *o, double p, double g, double m, double v) {
  const stepped s = plain_moments(o, g, m, v);
  return adam_step(o, s, p, atan2(s.m, plain_root(o, s.v)));
}

static stepped plain_adamw(const trm__adam *o, double p, double g, double m, double v) {
  const stepped s = plain_moments(o, g, m, v);
  return adam_step(o, s, p, s.m / (plain_root(o, s.v) + (double)o->eps));
}

static plain_step *const plain_steps[TRM_OPTIMIZERS] = {
    [TRM_OPT_ADAM_ATAN2] = plain_adam_atan2,
    [TRM_OPT_ADAMW] = plain_adamw,
};

static void check_step(trial *t, trm_optimizer which) {
  grid p = grid_random(1, t->n, 0, 1, &t->rng), g = grid_random(1, t->n, 0, 1, &t->rng);
  grid m = grid_random(1, t->n, 0, 1, &t->rng), v = grid_random(1, t->n, 0, 1, &t->rng);
  for (int j = 0; j < t->n; j++) v.v[j] *= v.v[j];
  grid p0 = grid_copy(&p), m0 = grid_copy(&m), v0 = grid_copy(&v);
  const trm__adam o = adam_at(3);
  t->k->step[which](t->n, &o, p.v, g.v, m.v, v.v);

  const char *name = trm_optimizer_name(which);
  for (int j = 0; j < t->n; j++) {
    const stepped want =
        plain_steps[which](&o, at(&p0, 0, j), at(&g, 0, j), at(&m0, 0, j), at(&v0, 0, j));
    near(t, "m", 0, j, at(&m, 0, j), want.m, 1, ROUND);
    near(t, "v", 0, j, at(&v, 0, j), want.v, want.v, 2 * ROUND);
    near(t, name, 0, j, at(&p, 0, j), want.p, want.slack, 2 * ROUND);
  }
  grid all[] = {p, g, m, v, p0, m0, v0};
  grids_free(all, 7);
}

static void check_steps(trial *t) {
  for (int i = 0; i < TRM_OPTIMIZERS; i++) {
    assert_true(!t->k->step[i] == !plain_steps[i]);
    if (plain_steps[i]) check_step(t, (trm_optimizer)i);
  }
}

static void check_ema(trial *t) {
  grid p = grid_random(1, t->n, 0, 1, &t->rng), avg = grid_random(1, t->n, 0, 1, &t->rng),
       was = grid_copy(&avg);
  trm__adam o = adam_at(1);
  t->k->ema(t->n, &o, p.v, avg.v);
  for (int j = 0; j < t->n; j++)
    near(t, "avg", 0, j, at(&avg, 0, j),
         (double)o.ema * at(&was, 0, j) + (1 - (double)o.ema) * at(&p, 0, j), 1, ROUND);
  grid all[] = {p, avg, was};
  grids_free(all, 3);
}

/* --- the table of checks --- */

static const struct check {
  const char *name;
  void (*run)(trial *);
} checks[] = {
    {"add_rms_rows", check_norm_rows},
    {"add_rms_cols", check_norm_cols},
    {"rms_rows", check_norm_alone},
    {"sums of products", check_products},
    {"rms_rows_grad", check_rows_grad},
    {"rms_cols_grad", check_cols_grad},
    {"rope", check_rope},
    {"softmax_grad", check_softmax_grad},
    {"dot_rows", check_dots},
    {"scale_rows", check_scale},
    {"sums", check_sums},
    {"steps", check_steps},
    {"ema", check_ema},
};

static void kernels_agree_with_plain_loops(void **state) {
  (void)state;
  static const int lengths[] = {1,  2,  3,  4,  5,  7,  8,  9,  13,  15,
                                16, 17, 24, 31, 32, 33, 47, 64, 100, 257};
  static const int rows[] = {1, 2, 3, 13};
  const trm__kernels *k[MAX_ISA];
  int isa = trm__kernels_runnable(k, MAX_ISA);
  for (int i = 0; i < isa; i++)
    for (size_t c = 0; c < sizeof checks / sizeof *checks; c++)
      for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
          trial t = {k[i],       checks[c].name,   rows[r],
                     lengths[l], (int)(l + r) % 3, probe_rng(l * 100 + r)};
          checks[c].run(&t);
        }
}

/* --- the elementary functions --- */

enum { MANY = 4096 };

/* 2^x through softmax_grad, whose scale makes the factor of x 1: p = 2^(1 x - 0). */
static void exp2_of(const trm__kernels *k, int n, real *x) {
  static const real zero = 0, ln2 = 0.693147181f, log2e = 1.44269504f;
  real dp[MANY];
  memset(dp, 0, sizeof dp);
  assert_true(ln2 * log2e == 1);
  k->softmax_grad(1, n, x, n, ln2, &zero, dp, n, &zero);
}

static double ulps(double got, double want) {
  int e;
  (void)frexp(want, &e);
  return fabs(got - want) / ldexp(1, e - FLT_MANT_DIG);
}

static void exponential(void **state) {
  (void)state;
  const trm__kernels *k[MAX_ISA];
  int isa = trm__kernels_runnable(k, MAX_ISA);
  for (int i = 0; i < isa; i++) {
    double worst = 0;
    for (int block = 0; block < 64; block++) {
      real x[MANY], y[MANY];
      for (int j = 0; j < MANY; j++)
        x[j] = (real)(-126 + 252.0 * (block * MANY + j) / (64 * MANY - 1));
      memcpy(y, x, sizeof y);
      exp2_of(k[i], MANY, y);
      for (int j = 0; j < MANY; j++) worst = fmax(worst, ulps((double)y[j], exp2((double)x[j])));
    }
    probe_below(worst, 3.0, "%s exp2, in units of the last place", k[i]->name);

    /* beyond the range: clamped to 2^-126 and 2^126; exact at whole numbers; NaN stays */
    real x[] = {-127,     -1000, -FLT_MAX, -INFINITY, 127, 1000, FLT_MAX,
                INFINITY, 0,     -0.0f,    5,         -9,  NAN};
    exp2_of(k[i], sizeof x / sizeof *x, x);
    for (int j = 0; j < 4; j++) assert_true(x[j] == 0x1p-126f);
    for (int j = 4; j < 8; j++) assert_true(x[j] == 0x1p126f);
    assert_true(x[8] == 1 && x[9] == 1 && x[10] == 32 && x[11] == 0x1p-9f);
    assert_true(isnan((double)x[12]));
  }
}

static void a_nan_spoils_its_row(void **state) {
  (void)state;
  const trm__kernels *k[MAX_ISA];
  int isa = trm__kernels_runnable(k, MAX_ISA);
  for (int i = 0; i < isa; i++)
    for (int n = 1; n < 40; n += 3)
      for (int bad = 0; bad < n; bad += 2) {
        real g[40], one[40], out[40], inv;
        for (int j = 0; j < n; j++) g[j] = one[j] = 1;
        g[bad] = (real)NAN;
        k[i]->add_rms_rows(1, n, g, n, one, n, 1e-5f, out, n, &inv);
        for (int j = 0; j < n; j++) assert_true(isnan((double)out[j]));
        assert_true(isnan(k[i]->scale_norm(n, g, 1)));
      }
}

/* atan2(y[j], x) through adam_atan2 with both moments kept: 0 - (-1) atan2(m, sqrt(v) root_scale).
 */
static void atan2_of(const trm__kernels *k, int n, real *y, const real *x, real root_scale) {
  trm__adam o = {.decay = 1, .beta1 = 1, .beta2 = 1, .step_scale = -1, .root_scale = root_scale};
  real p[MANY], g[MANY], v[MANY];
  memset(p, 0, sizeof p);
  memset(g, 0, sizeof g);
  memcpy(v, x, (size_t)n * sizeof *v);
  k->step[TRM_OPT_ADAM_ATAN2](n, &o, p, g, y, v);
  memcpy(y, p, (size_t)n * sizeof *p);
}

static void arc_tangent(void **state) {
  (void)state;
  const trm__kernels *k[MAX_ISA];
  int isa = trm__kernels_runnable(k, MAX_ISA);
  for (int i = 0; i < isa; i++) {
    trm__rng rng = probe_rng(7);
    double worst = 0;
    for (int block = 0; block < 64; block++) {
      real y[MANY], v[MANY], got[MANY], scale = block % 2 ? 1 : 1e18f;
      for (int j = 0; j < MANY; j++) {
        /* all magnitudes, and half of the pairs within a factor of ten of each other */
        double far = j % 2 ? 37 : 0.5, x = pow(10, 18 * probe_uniform(&rng));
        v[j] = (real)(x * x > 3e38 ? 3e38 : x * x < 1e-36 ? 1e-36 : x * x);
        double size = sqrt((double)v[j]) * (double)scale * pow(10, far * probe_uniform(&rng));
        y[j] = (real)copysign(fmin(fmax(size, 1.2e-38), 3e38), probe_uniform(&rng));
      }
      memcpy(got, y, sizeof got);
      atan2_of(k[i], MANY, got, v, scale);
      for (int j = 0; j < MANY; j++) {
        double x = (double)((real)sqrt((double)v[j]) * scale), want = atan2((double)y[j], x);
        if (fabs(want) < 2 * FLT_MIN)
          assert_true(fabs((double)got[j] - want) < FLT_MIN);
        else
          worst = fmax(worst, ulps((double)got[j], want));
      }
    }
    probe_below(worst, 4.0, "%s atan2, in units of the last place", k[i]->name);

    /* y, x^2 and what comes of them: 0/0 is 0, an infinite moment alone is a quarter turn or none,
     * two of them and NaN are NaN, which the trainer's check of the weights then finds */
    real y[] = {0, -0.0f, 1, -1, 0, INFINITY, -INFINITY, 1, INFINITY, NAN, 1e-40f};
    const real v[] = {0, 0, 0, 0, 1, 1, 1, INFINITY, INFINITY, NAN, 0};
    const double half_pi = 1.5707963267948966;
    const double want[] = {0, 0, half_pi, -half_pi, 0, half_pi, -half_pi, 0, NAN, NAN, half_pi};
    atan2_of(k[i], sizeof y / sizeof *y, y, v, 1);
    for (size_t j = 0; j < sizeof y / sizeof *y; j++)
      probe_true(isnan(want[j]) ? isnan((double)y[j]) : fabs((double)y[j] - want[j]) < 2e-7,
                 "%s atan2 case %zu: %g, expected %g", k[i]->name, j, (double)y[j], want[j]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(kernels_agree_with_plain_loops),
      cmocka_unit_test(exponential),
      cmocka_unit_test(a_nan_spoils_its_row),
      cmocka_unit_test(arc_tangent),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
