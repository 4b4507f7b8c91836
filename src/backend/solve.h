/* What a solver decides between two iterations (docs/MODEL.md section 7), for the host and for
 * GPUs. */
#ifndef TRM_BACKEND_SOLVE_H
#define TRM_BACKEND_SOLVE_H

#include <math.h>

#include "backend/backend.h"

#ifdef __CUDACC__
#define TRM__ON_BOTH __host__ __device__
#else
#define TRM__ON_BOTH
#endif

/* Of Anderson's least squares, where residuals are of the size of 1; and of Broyden's pairs: one
 * whose denominator is this small beside its factors says nothing. */
#define TRM__ANDERSON_LAMBDA 1e-4
#define TRM__BROYDEN_NOTHING 1e-10

/* Whether a row is done after iteration k. */
TRM__ON_BOTH static inline bool trm__solve_ends(const trm__solving *how, int k, double residual,
                                                double first) {
  return residual <= how->tolerance * (how->relative ? first : 1) || !isfinite(residual) ||
         k + 1 >= how->iterations;
}

/* s->weight of the last n <= TRM__ANDERSON iterations up to k: they minimise
 * |sum_j w_j g_j|^2 + lambda |w|^2 with sum_j w_j = 1, where g_j = F(x_j) - x_j, which is
 * w = v / sum(v) with (G G^T + lambda I) v = 1. By a Cholesky factorisation, for the matrix is
 * positive definite; where rounding leaves nothing of that, F of the last iterate has all weight.
 */
TRM__ON_BOTH static inline void trm__anderson_weights(trm__solved *s, int k, int n, double lambda) {
  enum { M = TRM__ANDERSON };
  double a[M][M], v[M], sum = 0;
  bool sound = true;
  const int first = k - n + 1;

  /* A = L L^T, L over the lower half of A; L y = 1 on the way. */
  for (int i = 0; i < n; i++) {
    v[i] = 1;
    for (int j = 0; j <= i; j++) {
      double x = s->product[(first + i) % M][(first + j) % M] + (i == j ? lambda : 0);
      for (int p = 0; p < j; p++) x -= a[i][p] * a[j][p];
      if (i == j && !(x > 0)) sound = false;
      a[i][j] = i == j ? sqrt(x > 0 ? x : 1) : x / a[j][j];
      if (j < i) v[i] -= a[i][j] * v[j];
    }
    v[i] /= a[i][i];
  }

  /* L^T v = y */
  for (int i = n - 1; i >= 0; i--) {
    for (int p = i + 1; p < n; p++) v[i] -= a[p][i] * v[p];
    v[i] /= a[i][i];
    sum += v[i];
  }
  sound = sound && isfinite(sum) && sum != 0;

  for (int j = 0; j < M; j++) s->weight[j] = 0;
  for (int j = 0; j < n; j++) s->weight[(first + j) % M] = sound ? v[j] / sum : j == n - 1;
}

#endif
