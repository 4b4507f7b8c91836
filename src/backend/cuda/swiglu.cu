/* SwiGLU and its gradient, with and without a norm of gates times ups. */
#include "swiglu.cuh"

#include "pack.cuh"
#include "tile.cuh"

namespace {

/* --- SwiGLU ---------------------------------------------------------------------------------- */

/* For what is rounded to T: in bfloat16 with the units for 2^x and 1 / x, which err by far less. */
template <class T>
__device__ float sigmoid(float x) {
  return 1 / (1 + expf(-x));
}
template <>
__device__ float sigmoid<bf16>(float x) {
  return fast_inverse(1 + fast_exp2(-1.442695041f * x));
}

template <class T>
__global__ void swiglu_kernel(const T *gu, T *act, int64_t packs, int64_t cols, int64_t ld,
                              int64_t up) {
  const int64_t i = thread_index();
  if (i >= packs) return;
  const int64_t at = i * Pack<T>::N, from = at / cols * ld + at % cols;
  Pack<T> g = Pack<T>::load(gu + from);
  const Pack<T> u = Pack<T>::load(gu + from + up);
  for (int j = 0; j < Pack<T>::N; j++) g.v[j] *= sigmoid<T>(g.v[j]) * u.v[j];
  g.store(act + at);
}

/* silu'(g) = s (1 + g (1 - s)), s = sigmoid(g) */
template <class T>
__global__ void swiglu_grad_kernel(T *gu, T *da, int64_t packs, int64_t cols, int64_t ld,
                                   int64_t up) {
  const int64_t i = thread_index();
  if (i >= packs) return;
  const int64_t at = i * Pack<T>::N, from = at / cols * ld + at % cols;
  Pack<T> g = Pack<T>::load(gu + from), u = Pack<T>::load(gu + from + up),
          d = Pack<T>::load(da + at);
  for (int j = 0; j < Pack<T>::N; j++) {
    const float s = sigmoid<T>(g.v[j]), silu = g.v[j] * s, dact = d.v[j];
    d.v[j] = silu * u.v[j];
    g.v[j] = dact * u.v[j] * s * (1 + g.v[j] * (1 - s));
    u.v[j] = dact * silu;
  }
  d.store(da + at);
  g.store(gu + from);
  u.store(gu + from + up);
}

/* --- SwiGLU with a norm of gates times ups: rows by warps, columns as norms over positions -------
 */

/* What is summed of some units: (g u)^2, and da . silu(g) u. */
struct GateSums {
  float squares, products;
};

template <class T>
__device__ void gate_sum(GateSums *sums, float g, float u, float da) {
  const float m = g * u;
  sums->squares += m * m;
  sums->products += da * sigmoid<T>(g) * m;
}
/* da becomes the activation, g and u their gradients: with inv = 1 / sqrt(mean (g u)^2 + eps), a =
 * inv silu(g) u and the loss changes with g u by slope g u through inv. */
template <class T>
__device__ void gate_back(GateSums sums, int width, float eps, float *g, float *u, float *da) {
  const float inv = rsqrtf(sums.squares / width + eps);
  const float slope = -inv * inv * inv * sums.products / width;
  const float s = sigmoid<T>(*g), silu = *g * s, m = slope * *g * *u, d = inv * *da;
  *da = inv * silu * *u;
  const float dg = *u * (d * s * (1 + *g * (1 - s)) + m);
  *u = d * silu + m * *g;
  *g = dg;
}

template <class T>
__global__ void gate_norm_rows_kernel(const T *gu, T *act, int64_t R, int F, float eps) {
  const int64_t row = thread_index() / WARP;
  const int lane = threadIdx.x % WARP;
  if (row >= R) return;
  const T *gates = gu + row * 2 * F, *ups = gates + F;
  GateSums sums = {0, 0};
  for (int j = lane * Pack<T>::N; j < F; j += WARP * Pack<T>::N) {
    const Pack<T> g = Pack<T>::load(gates + j), u = Pack<T>::load(ups + j);
    for (int i = 0; i < Pack<T>::N; i++) gate_sum<T>(&sums, g.v[i], u.v[i], 0);
  }

  const float inv = rsqrtf(warp_sum(sums.squares) / F + eps);
  for (int j = lane * Pack<T>::N; j < F; j += WARP * Pack<T>::N) {
    Pack<T> g = Pack<T>::load(gates + j);
    const Pack<T> u = Pack<T>::load(ups + j);
    for (int i = 0; i < Pack<T>::N; i++) g.v[i] *= sigmoid<T>(g.v[i]) * u.v[i] * inv;
    g.store(act + row * F + j);
  }
}

template <class T>
__global__ void gate_norm_rows_grad_kernel(T *gu, T *da, int64_t R, int F, float eps) {
  const int64_t row = thread_index() / WARP;
  const int lane = threadIdx.x % WARP;
  if (row >= R) return;
  T *gates = gu + row * 2 * F, *ups = gates + F;
  da += row * F;
  GateSums sums = {0, 0};
  for (int j = lane * Pack<T>::N; j < F; j += WARP * Pack<T>::N) {
    const Pack<T> g = Pack<T>::load(gates + j), u = Pack<T>::load(ups + j),
                  d = Pack<T>::load(da + j);
    for (int i = 0; i < Pack<T>::N; i++) gate_sum<T>(&sums, g.v[i], u.v[i], d.v[i]);
  }

  sums.squares = warp_sum(sums.squares);
  sums.products = warp_sum(sums.products);
  for (int j = lane * Pack<T>::N; j < F; j += WARP * Pack<T>::N) {
    Pack<T> g = Pack<T>::load(gates + j), u = Pack<T>::load(ups + j), d = Pack<T>::load(da + j);
    for (int i = 0; i < Pack<T>::N; i++) gate_back<T>(sums, F, eps, &g.v[i], &u.v[i], &d.v[i]);
    d.store(da + j);
    g.store(gates + j);
    u.store(ups + j);
  }
}

template <class T>
__global__ void gate_norm_columns_kernel(const T *gu, T *act, int FL, int64_t N, float eps) {
  __shared__ float part[GROUPS][WARP][Pack<T>::N];
  const int64_t column = (blockIdx.x * (int64_t)WARP + threadIdx.x) * Pack<T>::N;
  const bool inside = column < N;
  const T *gates = gu + column, *ups = gates + FL * N;
  Pack<T> sum = {};
  for (int f = threadIdx.y; f < FL && inside; f += GROUPS) {
    const Pack<T> g = Pack<T>::load(gates + f * N), u = Pack<T>::load(ups + f * N);
    for (int i = 0; i < Pack<T>::N; i++) {
      const float m = g.v[i] * u.v[i];
      sum.v[i] += m * m;
    }
  }
  sum_groups<T>(part, &sum);
  if (!inside) return;

  for (int i = 0; i < Pack<T>::N; i++) sum.v[i] = rsqrtf(sum.v[i] / FL + eps);
  for (int f = threadIdx.y; f < FL; f += GROUPS) {
    Pack<T> g = Pack<T>::load(gates + f * N);
    const Pack<T> u = Pack<T>::load(ups + f * N);
    for (int i = 0; i < Pack<T>::N; i++) g.v[i] *= sigmoid<T>(g.v[i]) * u.v[i] * sum.v[i];
    g.store(act + f * N + column);
  }
}

template <class T>
__global__ void gate_norm_columns_grad_kernel(T *gu, T *da, int FL, int64_t N, float eps) {
  __shared__ float part[2][GROUPS][WARP][Pack<T>::N];
  const int64_t column = (blockIdx.x * (int64_t)WARP + threadIdx.x) * Pack<T>::N;
  const bool inside = column < N;
  T *gates = gu + column, *ups = gates + FL * N;
  da += column;
  Pack<T> squares = {}, products = {};
  for (int f = threadIdx.y; f < FL && inside; f += GROUPS) {
    const Pack<T> g = Pack<T>::load(gates + f * N), u = Pack<T>::load(ups + f * N),
                  d = Pack<T>::load(da + f * N);
    for (int i = 0; i < Pack<T>::N; i++) {
      GateSums sums = {squares.v[i], products.v[i]};
      gate_sum<T>(&sums, g.v[i], u.v[i], d.v[i]);
      squares.v[i] = sums.squares;
      products.v[i] = sums.products;
    }
  }
  sum_groups<T>(part[0], &squares);
  sum_groups<T>(part[1], &products);
  if (!inside) return;

  for (int f = threadIdx.y; f < FL; f += GROUPS) {
    Pack<T> g = Pack<T>::load(gates + f * N), u = Pack<T>::load(ups + f * N),
            d = Pack<T>::load(da + f * N);
    for (int i = 0; i < Pack<T>::N; i++)
      gate_back<T>({squares.v[i], products.v[i]}, FL, eps, &g.v[i], &u.v[i], &d.v[i]);
    d.store(da + f * N);
    g.store(gates + f * N);
    u.store(ups + f * N);
  }
}

} /* namespace */

template <class T>
void swiglu(const T *gu, T *act, int64_t rows, int64_t cols, int64_t ld, int64_t up,
            cudaStream_t stream) {
  const int64_t packs = rows * cols / Pack<T>::N;
  launch(swiglu_kernel<T>, grid_for(packs), BLOCK, 0, stream, gu, act, packs, cols, ld, up);
}
template <class T>
void swiglu_grad(T *gu, T *da, int64_t rows, int64_t cols, int64_t ld, int64_t up,
                 cudaStream_t stream) {
  const int64_t packs = rows * cols / Pack<T>::N;
  launch(swiglu_grad_kernel<T>, grid_for(packs), BLOCK, 0, stream, gu, da, packs, cols, ld, up);
}

template <class T>
void gate_norm_rows(const T *gu, T *act, int64_t R, int F, float eps, cudaStream_t stream) {
  launch(gate_norm_rows_kernel<T>, grid_for(R * WARP), BLOCK, 0, stream, gu, act, R, F, eps);
}
template <class T>
void gate_norm_rows_grad(T *gu, T *da, int64_t R, int F, float eps, cudaStream_t stream) {
  launch(gate_norm_rows_grad_kernel<T>, grid_for(R * WARP), BLOCK, 0, stream, gu, da, R, F, eps);
}
template <class T>
void gate_norm_columns(const T *gu, T *act, int FL, int64_t N, float eps, cudaStream_t stream) {
  launch(gate_norm_columns_kernel<T>, column_grid<T>(N), dim3(WARP, GROUPS), 0, stream, gu, act, FL,
         N, eps);
}
template <class T>
void gate_norm_columns_grad(T *gu, T *da, int FL, int64_t N, float eps, cudaStream_t stream) {
  launch(gate_norm_columns_grad_kernel<T>, column_grid<T>(N), dim3(WARP, GROUPS), 0, stream, gu, da,
         FL, N, eps);
}

#define FOR_TYPE(T)                                                                          \
  template void swiglu<T>(const T *, T *, int64_t, int64_t, int64_t, int64_t, cudaStream_t); \
  template void swiglu_grad<T>(T *, T *, int64_t, int64_t, int64_t, int64_t, cudaStream_t);  \
  template void gate_norm_rows<T>(const T *, T *, int64_t, int, float, cudaStream_t);        \
  template void gate_norm_rows_grad<T>(T *, T *, int64_t, int, float, cudaStream_t);         \
  template void gate_norm_columns<T>(const T *, T *, int, int64_t, float, cudaStream_t);     \
  template void gate_norm_columns_grad<T>(T *, T *, int, int64_t, float, cudaStream_t);
FOR_TYPE(float)
FOR_TYPE(bf16)
