/* What lies between two applications of F, a block a row; sums in double, each by a tree. Next to
 * an application it is little work: it reads what a method keeps of a row once or twice. */
#include "solve.cuh"

#include "backend/solve.h"

namespace {

/* A row between two iterations, as a thread of its block sees it. */
template <class T>
struct Row {
  int k;
  int64_t n;
  T *x;
  const T *f;
  T *history;
  trm__solved *at;
  double unit;
  double *part; /* shared [BLOCK] */
};

template <class T>
__device__ double dot(const Row<T> &r, const T *a, const T *b) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < r.n; i += BLOCK)
    sum += (double)to_float(a[i]) * (double)to_float(b[i]);
  return block_sum<BLOCK>(sum, r.part);
}
template <class T>
__device__ double squared_distance(const Row<T> &r) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < r.n; i += BLOCK) {
    const double g = (double)to_float(r.f[i]) - (double)to_float(r.x[i]);
    sum += g * g;
  }
  return block_sum<BLOCK>(sum, r.part);
}

/* --- the next iterate: each thread has the same values from one step to the next ---------------
 */

template <class T>
__device__ void next_fixed_point(const Row<T> &r) {
  for (int64_t i = threadIdx.x; i < r.n; i += BLOCK) r.x[i] = r.f[i];
}

template <class T>
__device__ void next_anderson(const Row<T> &r) {
  enum { M = TRM__ANDERSON };
  const int slot = r.k % M, n = r.k + 1 < M ? r.k + 1 : M;
  T *of_f = r.history, *of_g = of_f + M * r.n;

  /* What this iteration adds to the history. */
  for (int64_t i = threadIdx.x; i < r.n; i += BLOCK) {
    of_f[slot * r.n + i] = r.f[i];
    of_g[slot * r.n + i] = from_float<T>(to_float(r.f[i]) - to_float(r.x[i]));
  }
  for (int j = 0; j < n; j++) {
    const double product = dot(r, of_g + slot * r.n, of_g + j * r.n);
    if (threadIdx.x == 0) r.at->product[slot][j] = r.at->product[j][slot] = product;
  }

  if (threadIdx.x == 0) trm__anderson_weights(r.at, r.k, n, TRM__ANDERSON_LAMBDA * r.unit * r.unit);
  __syncthreads();
  for (int64_t i = threadIdx.x; i < r.n; i += BLOCK) {
    double sum = 0;
    for (int j = r.k - n + 1; j <= r.k; j++)
      sum += r.at->weight[j % M] * (double)to_float(of_f[(j % M) * r.n + i]);
    r.x[i] = from_float<T>((float)sum);
  }
}

/* The pair of the last step; cpu_solve.c has the equations. */
template <class T>
__device__ void add_pair(const Row<T> &r, T *of_u, T *of_v, const T *dg, const T *dx, double *a,
                         double *b) {
  const int found = r.at->pairs, slot = found % TRM__BROYDEN;
  const int n = found < TRM__BROYDEN ? found : TRM__BROYDEN;
  T *u = of_u + slot * r.n, *v = of_v + slot * r.n;
  for (int j = 0; j < n; j++) {
    const double u_dx = dot(r, of_u + j * r.n, dx), v_dg = dot(r, of_v + j * r.n, dg);
    if (threadIdx.x == 0) {
      a[j] = u_dx;
      b[j] = v_dg;
    }
  }
  __syncthreads();
  for (int64_t i = threadIdx.x; i < r.n; i += BLOCK) {
    double bt_dx = -(double)to_float(dx[i]), rest = (double)to_float(dx[i]) + to_float(dg[i]);
    for (int j = 0; j < n; j++) {
      bt_dx += a[j] * (double)to_float(of_v[j * r.n + i]);
      rest -= b[j] * (double)to_float(of_u[j * r.n + i]);
    }
    v[i] = from_float<T>((float)bt_dx);
    u[i] = from_float<T>((float)rest);
  }

  const double by = dot(r, v, dg),
               least = TRM__BROYDEN_NOTHING * sqrt(dot(r, v, v) * dot(r, dg, dg));
  for (int64_t i = threadIdx.x; i < r.n; i += BLOCK)
    u[i] = from_float<T>(fabs(by) > least ? (float)((double)to_float(u[i]) / by) : 0.0f);
  if (threadIdx.x == 0) r.at->pairs = found + 1;
  __syncthreads();
}

template <class T>
__device__ void next_broyden(const Row<T> &r, double *a, double *b) {
  T *of_u = r.history, *of_v = of_u + TRM__BROYDEN * r.n, *g = of_v + TRM__BROYDEN * r.n,
    *dx = g + r.n;

  /* The last step and what it changed, dg where the last g was; then g in its place. */
  if (r.k > 0) {
    for (int64_t i = threadIdx.x; i < r.n; i += BLOCK)
      g[i] = from_float<T>(to_float(r.f[i]) - to_float(r.x[i]) - to_float(g[i]));
    add_pair(r, of_u, of_v, g, dx, a, b);
  }
  for (int64_t i = threadIdx.x; i < r.n; i += BLOCK)
    g[i] = from_float<T>(to_float(r.f[i]) - to_float(r.x[i]));

  const int n = r.at->pairs < TRM__BROYDEN ? r.at->pairs : TRM__BROYDEN;
  for (int j = 0; j < n; j++) {
    const double v_g = dot(r, of_v + j * r.n, g);
    if (threadIdx.x == 0) a[j] = v_g;
  }
  __syncthreads();
  for (int64_t i = threadIdx.x; i < r.n; i += BLOCK) {
    double step = to_float(g[i]);
    for (int j = 0; j < n; j++) step -= a[j] * (double)to_float(of_u[j * r.n + i]);
    dx[i] = from_float<T>((float)step);
    r.x[i] = from_float<T>(to_float(r.x[i]) + to_float(dx[i]));
  }
}

/* --- an iteration ---------------------------------------------------------------------------- */

template <class T>
__global__ void solve_kernel(trm__solving how, int k, int64_t n, T *x, const T *f, const T *keep,
                             T *best, T *history, trm__solved *rows) {
  __shared__ double part[BLOCK], a[TRM__BROYDEN], b[TRM__BROYDEN];
  const int64_t row = blockIdx.x, at = row * n;
  Row<T> r = {k, n, x + at, f + at, history + at * how.history, rows + row, 1, part};
  if (k > 0 && r.at->done) return;

  /* The residual, and what is kept of the least. */
  const double residual = sqrt(squared_distance(r) / (double)n);
  const double first = k == 0 ? residual : r.at->first;
  const bool better = k == 0 || residual < r.at->residual;
  const bool done = trm__solve_ends(&how, k, residual, first);
  __syncthreads();
  for (int64_t i = threadIdx.x; i < n && better; i += BLOCK) best[at + i] = keep[at + i];
  if (threadIdx.x == 0) {
    if (k == 0) *r.at = {};
    r.at->first = first;
    if (better) r.at->residual = residual;
    r.at->iterations = k + 1;
    r.at->done = done;
  }
  __syncthreads();
  if (done) return;

  if (how.relative) r.unit = first;
  if (how.method == TRM_RECURSION_FIXED_POINT) next_fixed_point(r);
  if (how.method == TRM_RECURSION_ANDERSON) next_anderson(r);
  if (how.method == TRM_RECURSION_BROYDEN) next_broyden(r, a, b);
}

} /* namespace */

template <class T>
void solve(const trm__solving &how, int b, int k, int64_t n, T *x, const T *f, const T *keep,
           T *best, T *history, trm__solved *rows, cudaStream_t stream) {
  launch(solve_kernel<T>, b, BLOCK, 0, stream, how, k, n, x, f, keep, best, history, rows);
}
template void solve<float>(const trm__solving &, int, int, int64_t, float *, const float *,
                           const float *, float *, float *, trm__solved *, cudaStream_t);
template void solve<bf16>(const trm__solving &, int, int, int64_t, bf16 *, const bf16 *,
                          const bf16 *, bf16 *, bf16 *, trm__solved *, cudaStream_t);
