/* See stats.h. */
#include "cli/reproduce/stats.h"

#include <math.h>

static const double normal = 1.959963984540054; /* its quantile at 97.5 % */

repro_pair repro_pair_of(const uint8_t *row, const uint8_t *base, int64_t n) {
  repro_pair p = {.n = n};
  for (int64_t i = 0; i < n; i++) {
    const bool a = repro_bit(row, i), b = repro_bit(base, i);
    p.only_row += a && !b;
    p.only_base += b && !a;
  }
  return p;
}

/* The first are tabled; behind them three terms of the expansion of Cornish and Fisher in 1 /
 * freedom are right to a thousandth. */
double repro_student(int freedom) {
  static const double first[] = {12.7062, 4.3027, 3.1824, 2.7764, 2.5706,
                                 2.4469,  2.3646, 2.3060, 2.2622, 2.2281};
  enum { N_FIRST = sizeof first / sizeof *first };
  if (freedom < 1) return INFINITY;
  if (freedom <= N_FIRST) return first[freedom - 1];
  const double z = normal, f = freedom, z3 = z * z * z, z5 = z3 * z * z, z7 = z5 * z * z;
  return z + (z3 + z) / (4 * f) + (5 * z5 + 16 * z3 + 3 * z) / (96 * f * f) +
         (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * f * f * f);
}

/* Half a puzzle more in each of the four cells: both, neither, and either one alone. */
typedef struct adjusted {
  double value, error;
} adjusted;

static adjusted adjust(const repro_pair *p) {
  const double n = (double)p->n + 2, b = (double)p->only_row + 0.5, c = (double)p->only_base + 0.5;
  return (adjusted){(b - c) / n, sqrt(b + c - (b - c) * (b - c) / n) / n};
}

static double plain(const repro_pair *p) {
  return p->n ? (double)(p->only_row - p->only_base) / (double)p->n : 0;
}

static repro_difference of_one(const repro_pair *p) {
  const adjusted a = adjust(p);
  return (repro_difference){
      1, plain(p), {fmax(-1, a.value - normal * a.error), fmin(1, a.value + normal * a.error)}};
}

repro_difference repro_difference_of(const repro_pair *pairs, int n, bool shared) {
  if (n < 1) return (repro_difference){0};
  if (n == 1) return of_one(pairs);

  /* Mean and variance of the seeds' differences, in one pass; errors of the puzzles beside them. */
  double mean = 0, squares = 0, errors = 0, variances = 0;
  for (int i = 0; i < n; i++) {
    const double value = plain(&pairs[i]), error = adjust(&pairs[i]).error, step = value - mean;
    mean += step / (i + 1);
    squares += step * (value - mean);
    errors += error / n;
    variances += error * error / n / n;
  }

  /* The wider of the two. Trainings that happen to agree do not make puzzles any more. */
  const double by_seeds = repro_student(n - 1) * sqrt(squares / (n - 1) / n);
  const double by_puzzles = normal * (shared ? errors : sqrt(variances));
  const double half = fmax(by_seeds, by_puzzles);
  return (repro_difference){n, mean, {fmax(-1, mean - half), fmin(1, mean + half)}};
}
