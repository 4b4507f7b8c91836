/* Rotary positions, sums, moves and conversions. */
#include "vector.cuh"

#include "pack.cuh"

namespace {

/* --- moves ----------------------------------------------------------------------------------- */

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
__global__ void jitter_kernel(const trm__noise *keys, trm__draws draws, float deviation, T *z,
                              int64_t pairs, int64_t all) {
  const int64_t i = thread_index();
  if (i >= all) return;
  double v[2];
  trm__jitter(&keys[i / pairs], &draws, i % pairs, v);
  for (int k = 0; k < 2; k++)
    z[2 * i + k] = from_float<T>(to_float(z[2 * i + k]) + deviation * (float)v[k]);
}
template <class T>
__global__ void start_kernel(const trm__noise *keys, trm__draws draws, const int32_t *steps,
                             float deviation, T *z, int64_t pairs, int64_t all) {
  const int64_t i = thread_index();
  if (i >= all || steps[i / pairs] != 1) return;
  double v[2];
  trm__jitter_cut(&keys[i / pairs], &draws, i % pairs, v);
  for (int k = 0; k < 2; k++) z[2 * i + k] = from_float<T>(deviation * (float)v[k]);
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
void jitter(const trm__noise *keys, trm__draws draws, float deviation, T *z, int b, int64_t n,
            cudaStream_t stream) {
  const int64_t all = b * (n / 2);
  launch(jitter_kernel<T>, grid_for(all), BLOCK, 0, stream, keys, draws, deviation, z, n / 2, all);
}
template <class T>
void start(const trm__noise *keys, trm__draws draws, const int32_t *steps, float deviation, T *z,
           int b, int64_t n, cudaStream_t stream) {
  const int64_t all = b * (n / 2);
  launch(start_kernel<T>, grid_for(all), BLOCK, 0, stream, keys, draws, steps, deviation, z, n / 2,
         all);
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

#define FOR_TYPE(T)                                                                                \
  template void to_columns<T>(const T *, T *, int, int, int, cudaStream_t);                        \
  template void from_columns<T>(const T *, T *, int, int, int, cudaStream_t);                      \
  template void rotate<T>(T *, const float *, const float *, int, const trm__dims &,               \
                          const int32_t *, float, cudaStream_t);                                   \
  template void sum<T>(Sources<T>, int, T *, int64_t, cudaStream_t);                               \
  template void mix<T>(float, const T *, float, T *, int64_t, cudaStream_t);                       \
  template void jitter<T>(const trm__noise *, trm__draws, float, T *, int, int64_t, cudaStream_t); \
  template void start<T>(const trm__noise *, trm__draws, const int32_t *, float, T *, int,         \
                         int64_t, cudaStream_t);                                                   \
  template void convert_rows<T>(const float *, T *, int, int, int, cudaStream_t);                  \
  template void to_reals<T>(const T *, float *, int64_t, cudaStream_t);
FOR_TYPE(float)
FOR_TYPE(bf16)
