/* Root-mean-square norms and their gradients: of rows, of columns, of heads. */
#include "norms.cuh"

#include "pack.cuh"

namespace {

/* --- norms over rows: a warp a row ----------------------------------------------------------- */

template <class T>
__global__ void norm_rows_kernel(const T *x, T *y, float *inv, int64_t R, int D, float eps) {
  const int64_t row = thread_index() / WARP;
  const int lane = threadIdx.x % WARP;
  if (row >= R) return;
  const T *from = x + row * D;
  T *at = y + row * D;
  float sum = 0;
  for (int j = lane * Pack<T>::N; j < D; j += WARP * Pack<T>::N) {
    const Pack<T> p = Pack<T>::load(from + j);
    for (int i = 0; i < Pack<T>::N; i++) sum += p.v[i] * p.v[i];
  }

  /* y <- x / sqrt(mean(x^2) + eps) */
  const float scale = rsqrtf(warp_sum(sum) / D + eps);
  for (int j = lane * Pack<T>::N; j < D; j += WARP * Pack<T>::N) {
    Pack<T> p = Pack<T>::load(from + j);
    for (int i = 0; i < Pack<T>::N; i++) p.v[i] *= scale;
    p.store(at + j);
  }
  if (inv && lane == 0) inv[row] = scale;
}

/* ds = inv (dy - y mean(dy y)) */
template <class T>
__global__ void norm_rows_grad_kernel(const T *y, const float *inv, T *dh, int64_t R, int D) {
  const int64_t row = thread_index() / WARP;
  const int lane = threadIdx.x % WARP;
  if (row >= R) return;
  y += row * D;
  dh += row * D;
  float sum = 0;
  for (int j = lane * Pack<T>::N; j < D; j += WARP * Pack<T>::N) {
    const Pack<T> a = Pack<T>::load(y + j), g = Pack<T>::load(dh + j);
    for (int i = 0; i < Pack<T>::N; i++) sum += a.v[i] * g.v[i];
  }

  const float mean = warp_sum(sum) / D, scale = inv[row];
  for (int j = lane * Pack<T>::N; j < D; j += WARP * Pack<T>::N) {
    const Pack<T> a = Pack<T>::load(y + j);
    Pack<T> g = Pack<T>::load(dh + j);
    for (int i = 0; i < Pack<T>::N; i++) g.v[i] = scale * (g.v[i] - a.v[i] * mean);
    g.store(dh + j);
  }
}

/* --- norms over positions -------------------------------------------------------------------- */

template <class T>
__global__ void norm_columns_kernel(const T *x, const T *out, T *y, float *inv, int64_t N, int L,
                                    int D, float eps) {
  __shared__ float part[GROUPS][WARP][Pack<T>::N];
  const int64_t column = (blockIdx.x * (int64_t)WARP + threadIdx.x) * Pack<T>::N;
  const bool inside = column < N;
  const int64_t at = column / D * D * L + column % D;

  /* s = x + out, kept in y; sum of s^2 over the positions, a part by each group. */
  Pack<T> sum = {};
  for (int l = threadIdx.y; l < L && inside; l += GROUPS) {
    Pack<T> a = Pack<T>::load(x + at + (int64_t)l * D);
    const Pack<T> o = Pack<T>::load(out + l * N + column);
    for (int i = 0; i < Pack<T>::N; i++) {
      a.v[i] = to_float(from_float<T>(a.v[i] + o.v[i])); /* as it is read again below */
      sum.v[i] += a.v[i] * a.v[i];
    }
    a.store(y + at + (int64_t)l * D);
  }
  sum_groups<T>(part, &sum);
  if (!inside) return;

  /* y = s / sqrt(mean(s^2) + eps), from s as it was stored. */
  for (int i = 0; i < Pack<T>::N; i++) sum.v[i] = rsqrtf(sum.v[i] / L + eps);
  for (int l = threadIdx.y; l < L; l += GROUPS) {
    Pack<T> a = Pack<T>::load(y + at + (int64_t)l * D);
    for (int i = 0; i < Pack<T>::N; i++) a.v[i] *= sum.v[i];
    a.store(y + at + (int64_t)l * D);
  }
  for (int i = 0; i < Pack<T>::N && inv && threadIdx.y == 0; i++) inv[column + i] = sum.v[i];
}

template <class T>
__global__ void norm_columns_grad_kernel(const T *y, const float *inv, const T *dh, T *ds,
                                         int64_t N, int L, int D) {
  __shared__ float part[GROUPS][WARP][Pack<T>::N];
  const int64_t column = (blockIdx.x * (int64_t)WARP + threadIdx.x) * Pack<T>::N;
  const bool inside = column < N;
  const int64_t at = column / D * D * L + column % D;

  /* sum of y * dy over the positions */
  Pack<T> sum = {};
  for (int l = threadIdx.y; l < L && inside; l += GROUPS) {
    const Pack<T> a = Pack<T>::load(y + at + (int64_t)l * D);
    const Pack<T> g = Pack<T>::load(dh + at + (int64_t)l * D);
    for (int i = 0; i < Pack<T>::N; i++) sum.v[i] += a.v[i] * g.v[i];
  }
  sum_groups<T>(part, &sum);
  if (!inside) return;
  for (int l = threadIdx.y; l < L; l += GROUPS) {
    const Pack<T> a = Pack<T>::load(y + at + (int64_t)l * D);
    Pack<T> g = Pack<T>::load(dh + at + (int64_t)l * D);
    for (int i = 0; i < Pack<T>::N; i++)
      g.v[i] = inv[column + i] * (g.v[i] - a.v[i] * (sum.v[i] / L));
    g.store(ds + l * N + column);
  }
}

/* --- norms of heads -------------------------------------------------------------------------- */

/* A warp a head, of `heads` = 2 H in each row: value by value, for a head may be of any size. */
template <class T>
__global__ void norm_heads_kernel(T *qkv, float *inv, int64_t n, int heads, int d, float eps) {
  const int64_t head = thread_index() / WARP;
  const int lane = threadIdx.x % WARP;
  if (head >= n) return;
  T *at = qkv + head / heads * (heads / 2 * 3) * d + head % heads * d;
  float sum = 0;
  for (int j = lane; j < d; j += WARP) sum += to_float(at[j]) * to_float(at[j]);
  const float scale = rsqrtf(warp_sum(sum) / d + eps);
  for (int j = lane; j < d; j += WARP) at[j] = from_float<T>(to_float(at[j]) * scale);
  if (lane == 0) inv[head] = scale;
}
template <class T>
__global__ void norm_heads_grad_kernel(const T *qkv, const float *inv, T *dqkv, int64_t n,
                                       int heads, int d) {
  const int64_t head = thread_index() / WARP;
  const int lane = threadIdx.x % WARP;
  if (head >= n) return;
  const int64_t first = head / heads * (heads / 2 * 3) * d + head % heads * d;
  const T *y = qkv + first;
  T *dy = dqkv + first;
  float sum = 0;
  for (int j = lane; j < d; j += WARP) sum += to_float(y[j]) * to_float(dy[j]);
  const float mean = warp_sum(sum) / d, scale = inv[head];
  for (int j = lane; j < d; j += WARP)
    dy[j] = from_float<T>(scale * (to_float(dy[j]) - to_float(y[j]) * mean));
}

} /* namespace */

template <class T>
void norm_rows(T *y, float *inv, int64_t R, int D, float eps, cudaStream_t stream) {
  norm_rows_of(y, y, inv, R, D, eps, stream);
}
template <class T>
void norm_rows_of(const T *x, T *y, float *inv, int64_t R, int D, float eps, cudaStream_t stream) {
  launch(norm_rows_kernel<T>, grid_for(R * WARP), BLOCK, 0, stream, x, y, inv, R, D, eps);
}
template <class T>
void norm_rows_grad(const T *y, const float *inv, T *dh, int64_t R, int D, cudaStream_t stream) {
  launch(norm_rows_grad_kernel<T>, grid_for(R * WARP), BLOCK, 0, stream, y, inv, dh, R, D);
}

template <class T>
void norm_columns(const T *x, const T *out, T *y, float *inv, int b, int L, int D, float eps,
                  cudaStream_t stream) {
  const int64_t N = (int64_t)b * D;
  launch(norm_columns_kernel<T>, column_grid<T>(N), dim3(WARP, GROUPS), 0, stream, x, out, y, inv,
         N, L, D, eps);
}
template <class T>
void norm_columns_grad(const T *y, const float *inv, const T *dh, T *ds, int b, int L, int D,
                       cudaStream_t stream) {
  const int64_t N = (int64_t)b * D;
  launch(norm_columns_grad_kernel<T>, column_grid<T>(N), dim3(WARP, GROUPS), 0, stream, y, inv, dh,
         ds, N, L, D);
}
template <class T>
void norm_heads(T *qkv, float *inv, int64_t R, int H, int d, float eps, cudaStream_t stream) {
  const int64_t n = R * 2 * H;
  launch(norm_heads_kernel<T>, grid_for(n * WARP), BLOCK, 0, stream, qkv, inv, n, 2 * H, d, eps);
}
template <class T>
void norm_heads_grad(const T *qkv, const float *inv, T *dqkv, int64_t R, int H, int d,
                     cudaStream_t stream) {
  const int64_t n = R * 2 * H;
  launch(norm_heads_grad_kernel<T>, grid_for(n * WARP), BLOCK, 0, stream, qkv, inv, dqkv, n, 2 * H,
         d);
}

#define FOR_TYPE(T)                                                                           \
  template void norm_rows<T>(T *, float *, int64_t, int, float, cudaStream_t);                \
  template void norm_rows_of<T>(const T *, T *, float *, int64_t, int, float, cudaStream_t);  \
  template void norm_rows_grad<T>(const T *, const float *, T *, int64_t, int, cudaStream_t); \
  template void norm_columns<T>(const T *, const T *, T *, float *, int, int, int, float,     \
                                cudaStream_t);                                                \
  template void norm_columns_grad<T>(const T *, const float *, const T *, T *, int, int, int, \
                                     cudaStream_t);                                           \
  template void norm_heads<T>(T *, float *, int64_t, int, int, float, cudaStream_t);          \
  template void norm_heads_grad<T>(const T *, const float *, T *, int64_t, int, int, cudaStream_t);
FOR_TYPE(float)
FOR_TYPE(bf16)
