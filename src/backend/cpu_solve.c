/* Solvers of x = F(x) (docs/MODEL.md section 7): what lies between two applications of F, row by
 * row. A row belongs to one member; sums are in double, in an order that is nobody's choice. */
#include <math.h>
#include <string.h>

#include "backend/cpu.h"
#include "backend/solve.h"

/* --- sums of a row --------------------------------------------------------------------------- */

enum { PARTS = 8 };

static double sum_of(const double part[PARTS]) {
  return ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
}
static double dot(int64_t n, const real *a, const real *b) {
  double part[PARTS] = {0};
  for (int64_t i = 0; i + PARTS <= n; i += PARTS)
    for (int j = 0; j < PARTS; j++) part[j] += (double)a[i + j] * (double)b[i + j];
  for (int64_t i = n - n % PARTS; i < n; i++) part[i % PARTS] += (double)a[i] * (double)b[i];
  return sum_of(part);
}
/* |f - x|^2 */
static double distance(int64_t n, const real *f, const real *x) {
  double part[PARTS] = {0};
  for (int64_t i = 0; i < n; i++) {
    const double g = (double)f[i] - (double)x[i];
    part[i % PARTS] += g * g;
  }
  return sum_of(part);
}

/* --- the next iterate ------------------------------------------------------------------------ */

/* A row between two iterations. */
typedef struct solve_row {
  int k;
  int64_t n; /* values */
  real *x;
  const real *f;
  real *history;
  trm__solved *at;
  double unit; /* of the residuals */
} solve_row;

/* x <- F(x) */
static void next_fixed_point(const solve_row *r) {
  memcpy(r->x, r->f, (size_t)r->n * sizeof *r->x);
}

/* x <- sum_j w_j F(x_j) over the last m iterates. */
static void next_anderson(const solve_row *r) {
  enum { M = TRM__ANDERSON };
  const int slot = r->k % M, n = r->k + 1 < M ? r->k + 1 : M;
  real *of_f = r->history, *of_g = of_f + M * r->n, *g = of_g + slot * r->n;

  /* What this iteration adds to the history. */
  memcpy(of_f + slot * r->n, r->f, (size_t)r->n * sizeof *r->f);
  for (int64_t i = 0; i < r->n; i++) g[i] = r->f[i] - r->x[i];
  for (int j = 0; j < n; j++)
    r->at->product[slot][j] = r->at->product[j][slot] = dot(r->n, g, of_g + j * r->n);

  trm__anderson_weights(r->at, r->k, n, TRM__ANDERSON_LAMBDA * r->unit * r->unit);
  for (int64_t i = 0; i < r->n; i++) {
    double sum = 0;
    for (int j = r->k - n + 1; j <= r->k; j++)
      sum += r->at->weight[j % M] * (double)of_f[(j % M) * r->n + i];
    r->x[i] = (real)sum;
  }
}

/* The pair that takes B to the inverse Jacobian of g along the last step: u v^T, v = B^T dx,
 * u = (dx - B dg) / v.dg, in the place of the oldest. B = -I + sum of the pairs. */
static void add_pair(const solve_row *r, real *of_u, real *of_v, const real *dg, const real *dx) {
  const int P = TRM__BROYDEN, slot = r->at->pairs % P, n = r->at->pairs < P ? r->at->pairs : P;
  real *u = of_u + slot * r->n, *v = of_v + slot * r->n;
  double a[TRM__BROYDEN], b[TRM__BROYDEN];
  for (int j = 0; j < n; j++) {
    a[j] = dot(r->n, of_u + j * r->n, dx);
    b[j] = dot(r->n, of_v + j * r->n, dg);
  }
  for (int64_t i = 0; i < r->n; i++) {
    double bt_dx = -(double)dx[i], rest = (double)dx[i] + (double)dg[i];
    for (int j = 0; j < n; j++) {
      bt_dx += a[j] * (double)of_v[j * r->n + i];
      rest -= b[j] * (double)of_u[j * r->n + i];
    }
    v[i] = (real)bt_dx;
    u[i] = (real)rest;
  }

  /* A denominator of nothing: the pair is as good as none. */
  const double by = dot(r->n, v, dg);
  const double least = TRM__BROYDEN_NOTHING * sqrt(dot(r->n, v, v) * dot(r->n, dg, dg));
  for (int64_t i = 0; i < r->n; i++) u[i] = fabs(by) > least ? (real)((double)u[i] / by) : 0;
  r->at->pairs++;
}

/* x <- x - B g, g = F(x) - x. */
static void next_broyden(const solve_row *r) {
  const int P = TRM__BROYDEN;
  real *of_u = r->history, *of_v = of_u + P * r->n, *g = of_v + P * r->n, *dx = g + r->n;

  /* The last step and what it changed, dg where the last g was; then g in its place. */
  if (r->k > 0) {
    for (int64_t i = 0; i < r->n; i++) g[i] = r->f[i] - r->x[i] - g[i];
    add_pair(r, of_u, of_v, g, dx);
  }
  for (int64_t i = 0; i < r->n; i++) g[i] = r->f[i] - r->x[i];

  const int n = r->at->pairs < P ? r->at->pairs : P;
  double c[TRM__BROYDEN];
  for (int j = 0; j < n; j++) c[j] = dot(r->n, of_v + j * r->n, g);
  for (int64_t i = 0; i < r->n; i++) {
    double step = (double)g[i];
    for (int j = 0; j < n; j++) step -= c[j] * (double)of_u[j * r->n + i];
    dx[i] = (real)step;
    r->x[i] += dx[i];
  }
}

static void (*const next[])(const solve_row *) = {
    [TRM_RECURSION_FIXED_POINT] = next_fixed_point,
    [TRM_RECURSION_ANDERSON] = next_anderson,
    [TRM_RECURSION_BROYDEN] = next_broyden,
};

/* --- the op ---------------------------------------------------------------------------------- */

/* Measures iteration k; false: the row is done. */
static bool goes_on(const trm__solving *how, const solve_row *r, const real *keep, real *best) {
  trm__solved *at = r->at;
  const double residual = sqrt(distance(r->n, r->f, r->x) / (double)r->n);
  if (r->k == 0) *at = (trm__solved){.first = residual};
  if (r->k == 0 || residual < at->residual) {
    at->residual = residual;
    memcpy(best, keep, (size_t)r->n * sizeof *best);
  }
  at->iterations = r->k + 1;
  at->done = trm__solve_ends(how, r->k, residual, at->first);
  return !at->done;
}

static void op_solve(trm__backend *be, trm__workspace *ws, const trm__solving *how, int b, int k,
                     real *x, const real *f, const real *keep, real *best, real *history,
                     trm__solved *rows) {
  const int64_t n = (int64_t)be->dims.L * be->dims.D;
  int64_t lo, hi;
  trm__lane_share(ws->lane, b, 1, &lo, &hi);
  for (int64_t i = lo; i < hi; i++) {
    solve_row r = {k, n, x + i * n, f + i * n, history + i * how->history * n, &rows[i], 1};
    if (k > 0 && rows[i].done) continue;
    if (!goes_on(how, &r, keep + i * n, best + i * n)) continue;
    if (how->relative) r.unit = rows[i].first;
    next[how->method](&r);
  }
  trm__lane_barrier(ws->lane);
}

void trm__cpu_solve_ops(trm__backend_ops *ops) {
  ops->solve = op_solve;
}
