/* Kernels bound by memory: 16 bytes per access, neighbours in a warp on neighbouring addresses. */
#include "vector.cuh"

#include "tile.cuh"

namespace {

/* 16 bytes of values. */
template <class T>
struct Pack {
  enum { N = 16 / sizeof(T) };
  float v[N];

  __device__ static Pack load(const T *p) {
    const uint4 raw = *reinterpret_cast<const uint4 *>(p);
    T values[N];
    Pack out;
    memcpy(values, &raw, sizeof raw);
    for (int i = 0; i < N; i++) out.v[i] = to_float(values[i]);
    return out;
  }
  __device__ void store(T *p) const {
    uint4 raw;
    T values[N];
    for (int i = 0; i < N; i++) values[i] = from_float<T>(v[i]);
    memcpy(&raw, values, sizeof raw);
    *reinterpret_cast<uint4 *>(p) = raw;
  }
};

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

/* --- norms over positions: a block takes 32 packs of channels, 8 threads share their positions -
 */

enum { GROUPS = 8 };

/* The sums of all groups, in their order, for the thread's channels. */
template <class T>
__device__ void sum_groups(float part[GROUPS][WARP][Pack<T>::N], Pack<T> *sum) {
  for (int i = 0; i < Pack<T>::N; i++) part[threadIdx.y][threadIdx.x][i] = sum->v[i];
  __syncthreads();
  for (int i = 0; i < Pack<T>::N; i++) {
    sum->v[i] = 0;
    for (int g = 0; g < GROUPS; g++) sum->v[i] += part[g][threadIdx.x][i];
  }
}

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

/* Thread i moves pack i of x [b, L, D]. */
template <class T>
__global__ void columns_kernel(const T *from, T *to, bool forward, int64_t packs, int b, int L,
                               int D) {
  const int64_t i = thread_index();
  if (i >= packs) return;
  const int64_t at = i * Pack<T>::N, row = at / D, r = row / L, l = row % L;
  const int64_t column = (l * b + r) * D + at % D;
  const uint4 *src = reinterpret_cast<const uint4 *>(from + (forward ? at : column));
  *reinterpret_cast<uint4 *>(to + (forward ? column : at)) = *src;
}

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

/* --- rotary positions, sums, conversions ----------------------------------------------------- */

/* Thread i turns N neighbouring pairs of a head, N = 1 or a pack. */
template <class T, int N>
__global__ void rotate_kernel(T *qkv, const float *cosine, const float *sine, int64_t items,
                              trm__dims m, const int32_t *places, float sign) {
  const int64_t i = thread_index();
  if (i >= items) return;
  const int H = m.H, d = m.d, half = d / 2, j = (int)(i % (half / N)) * N;
  const int64_t head = i / (half / N), row = head / (2 * H);
  const int64_t t = trm__grid_position(&m, places, row / m.L, (int)(row % m.L));
  if (t < 0) return;
  T *at = qkv + row * 3 * H * d + head % (2 * H) * d + j;
  Pack<T> a, b;
  if constexpr (N > 1) {
    a = Pack<T>::load(at);
    b = Pack<T>::load(at + half);
  } else {
    a.v[0] = to_float(at[0]);
    b.v[0] = to_float(at[half]);
  }

  /* (x, y) -> (x c - y s, y c + x s) */
#pragma unroll
  for (int k = 0; k < N; k++) {
    const float c = cosine[t * half + j + k], s = sign * sine[t * half + j + k];
    const float x = a.v[k], y = b.v[k];
    a.v[k] = x * c - y * s;
    b.v[k] = y * c + x * s;
  }

  if constexpr (N > 1) {
    a.store(at);
    b.store(at + half);
  } else {
    at[0] = from_float<T>(a.v[0]);
    at[half] = from_float<T>(b.v[0]);
  }
}

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

template <class T>
__global__ void mix_kernel(float a, const T *x, float b, T *h, int64_t packs) {
  const int64_t i = thread_index() * Pack<T>::N;
  if (i >= packs * Pack<T>::N) return;
  const Pack<T> p = Pack<T>::load(x + i);
  Pack<T> q = Pack<T>::load(h + i);
  for (int j = 0; j < Pack<T>::N; j++) q.v[j] = a * p.v[j] + b * q.v[j];
  q.store(h + i);
}

/* A thread has a pair of values. */
template <class T>
__global__ void jitter_kernel(const trm__noise *keys, int latent, float deviation, T *z,
                              int64_t pairs, int64_t all) {
  const int64_t i = thread_index();
  if (i >= all) return;
  double v[2];
  trm__jitter(&keys[i / pairs], latent, i % pairs, v);
  for (int k = 0; k < 2; k++)
    z[2 * i + k] = from_float<T>(to_float(z[2 * i + k]) + deviation * (float)v[k]);
}

template <class T>
__global__ void sum_kernel(Sources<T> src, int count, T *h, int64_t packs) {
  const int64_t at = thread_index() * Pack<T>::N;
  if (at >= packs * Pack<T>::N) return;
  Pack<T> s = Pack<T>::load(src.at[0] + at);
#pragma unroll /* so that the pointers stay in the kernel's parameters */
  for (int k = 1; k < SUM_MOST; k++) {
    if (k >= count) break;
    const Pack<T> p = Pack<T>::load(src.at[k] + at);
    for (int i = 0; i < Pack<T>::N; i++) s.v[i] += p.v[i];
  }
  s.store(h + at);
}

__global__ void add_parts_kernel(const float *part, int count, int64_t cols, int64_t ld,
                                 int64_t size, int64_t n, float *out, int64_t ld_out,
                                 bool accumulate) {
  const int64_t i = thread_index();
  if (i >= n) return;
  const int64_t row = i / cols, col = i % cols;
  const float *from = part + row * ld + col;
  float *to = out + row * ld_out + col;
  float sum = 0;
  for (int p = 0; p < count; p++) sum += from[p * size];
  *to = accumulate ? *to + sum : sum;
}

template <class T>
__global__ void convert_rows_kernel(const float *in, T *out, int64_t n, int cols, int ld) {
  const int64_t i = thread_index();
  if (i >= n) return;
  const int64_t row = i / ld, col = i % ld;
  out[i] = from_float<T>(col < cols ? in[row * cols + col] : 0.0f);
}

template <class T>
__global__ void to_reals_kernel(const T *in, float *out, int64_t n) {
  const int64_t i = thread_index();
  if (i < n) out[i] = to_float(in[i]);
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
static dim3 column_grid(int64_t N) {
  return dim3((unsigned)divide_up(N, WARP * Pack<T>::N));
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
static void move_columns(const T *from, T *to, bool forward, int b, int L, int D,
                         cudaStream_t stream) {
  const int64_t packs = (int64_t)b * L * D / Pack<T>::N;
  launch(columns_kernel<T>, grid_for(packs), BLOCK, 0, stream, from, to, forward, packs, b, L, D);
}
template <class T>
void to_columns(const T *x, T *xt, int b, int L, int D, cudaStream_t stream) {
  move_columns(x, xt, true, b, L, D, stream);
}
template <class T>
void from_columns(const T *xt, T *x, int b, int L, int D, cudaStream_t stream) {
  move_columns(xt, x, false, b, L, D, stream);
}

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

template <class T>
void rotate(T *qkv, const float *cosine, const float *sine, int b, const trm__dims &dims,
            const int32_t *places, float sign, cudaStream_t stream) {
  const int d = dims.d;
  const int64_t pairs = (int64_t)b * dims.L * 2 * dims.H * (d / 2);
  const bool packs = d / 2 % Pack<T>::N == 0;
  const int64_t items = packs ? pairs / Pack<T>::N : pairs;
  launch(packs ? rotate_kernel<T, Pack<T>::N> : rotate_kernel<T, 1>, grid_for(items), BLOCK, 0,
         stream, qkv, cosine, sine, items, dims, places, sign);
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
template <class T>
void sum(Sources<T> src, int count, T *h, int64_t n, cudaStream_t stream) {
  const int64_t packs = n / Pack<T>::N;
  launch(sum_kernel<T>, grid_for(packs), BLOCK, 0, stream, src, count, h, packs);
}
template <class T>
void mix(float a, const T *x, float b, T *h, int64_t n, cudaStream_t stream) {
  const int64_t packs = n / Pack<T>::N;
  launch(mix_kernel<T>, grid_for(packs), BLOCK, 0, stream, a, x, b, h, packs);
}
template <class T>
void jitter(const trm__noise *keys, int i, float deviation, T *z, int b, int64_t n,
            cudaStream_t stream) {
  const int64_t all = b * (n / 2);
  launch(jitter_kernel<T>, grid_for(all), BLOCK, 0, stream, keys, i, deviation, z, n / 2, all);
}
void add_parts(const float *part, int count, int64_t rows, int64_t cols, int64_t ld, float *out,
               int64_t ld_out, bool accumulate, cudaStream_t stream) {
  const int64_t n = rows * cols;
  launch(add_parts_kernel, grid_for(n), BLOCK, 0, stream, part, count, cols, ld, rows * ld, n, out,
         ld_out, accumulate);
}
template <class T>
void convert_rows(const float *in, T *out, int rows, int cols, int ld, cudaStream_t stream) {
  const int64_t n = (int64_t)rows * ld;
  launch(convert_rows_kernel<T>, grid_for(n), BLOCK, 0, stream, in, out, n, cols, ld);
}
template <class T>
void to_reals(const T *in, float *out, int64_t n, cudaStream_t stream) {
  launch(to_reals_kernel<T>, grid_for(n), BLOCK, 0, stream, in, out, n);
}

#define FOR_TYPE(T)                                                                           \
  template void norm_rows<T>(T *, float *, int64_t, int, float, cudaStream_t);                \
  template void norm_rows_of<T>(const T *, T *, float *, int64_t, int, float, cudaStream_t);  \
  template void norm_rows_grad<T>(const T *, const float *, T *, int64_t, int, cudaStream_t); \
  template void norm_columns<T>(const T *, const T *, T *, float *, int, int, int, float,     \
                                cudaStream_t);                                                \
  template void norm_columns_grad<T>(const T *, const float *, const T *, T *, int, int, int, \
                                     cudaStream_t);                                           \
  template void to_columns<T>(const T *, T *, int, int, int, cudaStream_t);                   \
  template void from_columns<T>(const T *, T *, int, int, int, cudaStream_t);                 \
  template void swiglu<T>(const T *, T *, int64_t, int64_t, int64_t, int64_t, cudaStream_t);  \
  template void swiglu_grad<T>(T *, T *, int64_t, int64_t, int64_t, int64_t, cudaStream_t);   \
  template void gate_norm_rows<T>(const T *, T *, int64_t, int, float, cudaStream_t);         \
  template void gate_norm_rows_grad<T>(T *, T *, int64_t, int, float, cudaStream_t);          \
  template void gate_norm_columns<T>(const T *, T *, int, int64_t, float, cudaStream_t);      \
  template void gate_norm_columns_grad<T>(T *, T *, int, int64_t, float, cudaStream_t);       \
  template void rotate<T>(T *, const float *, const float *, int, const trm__dims &,          \
                          const int32_t *, float, cudaStream_t);                              \
  template void norm_heads<T>(T *, float *, int64_t, int, int, float, cudaStream_t);          \
  template void norm_heads_grad<T>(const T *, const float *, T *, int64_t, int, int,          \
                                   cudaStream_t);                                             \
  template void sum<T>(Sources<T>, int, T *, int64_t, cudaStream_t);                          \
  template void mix<T>(float, const T *, float, T *, int64_t, cudaStream_t);                  \
  template void jitter<T>(const trm__noise *, int, float, T *, int, int64_t, cudaStream_t);   \
  template void convert_rows<T>(const float *, T *, int, int, int, cudaStream_t);             \
  template void to_reals<T>(const T *, float *, int64_t, cudaStream_t);
FOR_TYPE(float)
FOR_TYPE(bf16)
