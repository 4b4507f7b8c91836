/* Attention of all heads (attention.cuh): products of tiles (tile.cuh), softmax on the way.
 *
 * A block takes some rows of one head of one batch row, its warps 16 or 32 of them each, and lets
 * tiles of the other side pass by, the next one being copied while the present one is used:
 *   forward         rows are queries, keys and values pass; the softmax is corrected as it goes
 *   backward, keys  rows are keys, queries and d_o pass: dv += p^T d_o, dk += ds^T q
 *   backward, rest  rows are queries, keys and values pass: dq += ds k
 * with ds = p * (d_o v^T - delta) / sqrt(d); its last factor is applied to the sums. p comes from
 * q, k and lse both times, transposed for the keys, so that what one product leaves in registers is
 * the next one's operand as it stands. Each element is summed by one warp in one order: no atomics.
 *
 * Positions behind L are zeros in the tiles: their keys get the score -inf, their queries lse =
 * inf. Heads are padded to DP = 16, 32, 64 or 128. For bf16 up to 64 a warp holds two operands of
 * 16 rows (M = 2), so that what ldmatrix reads serves four products: with one operand a
 * multiprocessor's shared memory (128 bytes a cycle) would be slower than its matrix units. */
#include "attention.cuh"

#include <math.h>

#include "tile.cuh"

namespace {

const float LOG2_E = 1.44269504f, LN_2 = 0.69314718f;

/* The heads of a batch. */
struct heads {
  int L, H, d;
  bool vectors; /* rows consist of whole units of 16 bytes, everywhere */
  float scale;  /* 1 / sqrt(d) */
};
/* Which rows of which head a block has; tiles of a head are neighbours in the grid. */
struct place {
  int first;          /* row */
  int64_t qkv, o, at; /* where the head starts in [b, L, 3, H, d], [b, L, H, d] and [b, H, L] */
};
__device__ inline place place_of(const heads &z, int rows) {
  int tiles = (z.L + rows - 1) / rows;
  int64_t head = blockIdx.x / tiles, row = head / z.H, h = head % z.H, wide = z.H * z.d;
  place p;
  p.first = (int)(blockIdx.x % tiles) * rows;
  p.qkv = row * z.L * 3 * wide + h * z.d;
  p.o = row * z.L * wide + h * z.d;
  p.at = head * z.L;
  return p;
}

/* The block copies ROWS rows of g, `count` of them valid, to a shared tile: d of DP columns. Done
 * behind copy_wait and a barrier. */
template <class T, int DP, int ROWS, int THREADS>
__device__ __forceinline__ void load_tile(T *s, const T *g, int ld, int count, const heads &z) {
  constexpr int UNIT = 16 / (int)sizeof(T), UNITS = DP / UNIT;
  for (int i = (int)threadIdx.x; i < ROWS * UNITS; i += THREADS) {
    int row = i / UNITS, col = i % UNITS * UNIT;
    T *to = s + row * tile_stride<T>(DP) + col;
    const T *from = g + (int64_t)row * ld + col;
    if (z.vectors) {
      bool valid = row < count && col < z.d;
      copy_async(to, valid ? from : g, !valid);
    } else {
      for (int e = 0; e < UNIT; e++)
        to[e] = row < count && col + e < z.d ? from[e] : from_float<T>(0);
    }
  }
}

/* A warp's sums times `scale`, a factor for each row of a lane, through its shared tile (16 M rows)
 * to `count` rows of g. */
template <class T, int DP, int M>
__device__ __forceinline__ void write_rows(const float (&c)[M][DP / 8][4],
                                           const float (&scale)[M][2], T *s, T *g, int ld,
                                           int count, const heads &z) {
  constexpr int UNIT = 16 / (int)sizeof(T), UNITS = DP / UNIT, STRIDE = tile_stride<T>(DP);
  const int lane = lane_id();
  T *own = s + lane / 4 * STRIDE + lane % 4 * 2;
  __syncwarp();
#pragma unroll
  for (int m = 0; m < M; m++)
#pragma unroll
    for (int n = 0; n < DP / 8; n++)
#pragma unroll
      for (int e = 0; e < 2; e++)
        store_pair(own + (16 * m + 8 * e) * STRIDE + 8 * n, c[m][n][2 * e] * scale[m][e],
                   c[m][n][2 * e + 1] * scale[m][e]);
  __syncwarp();
  for (int i = lane; i < 16 * M * UNITS; i += WARP) {
    int row = i / UNITS, col = i % UNITS * UNIT;
    const T *from = s + row * STRIDE + col;
    T *to = g + (int64_t)row * ld + col;
    if (row >= count) break;
    if (z.vectors) {
      if (col < z.d) *reinterpret_cast<uint4 *>(to) = *reinterpret_cast<const uint4 *>(from);
    } else {
      for (int e = 0; e < UNIT && col + e < z.d; e++) to[e] = from[e];
    }
  }
}

/* Over the four lanes that share a row. */
__device__ __forceinline__ float row_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
  return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}
__device__ __forceinline__ float row_sum(float x) {
  x += __shfl_xor_sync(0xffffffffu, x, 1);
  return x + __shfl_xor_sync(0xffffffffu, x, 2);
}

/* Keys behind L, of which `valid` are before it in this tile, get the score -inf. */
template <int M, int N>
__device__ __forceinline__ void mask_columns(float (&s)[M][N][4], int valid) {
#pragma unroll
  for (int n = 0; n < N; n++)
#pragma unroll
    for (int e = 0; e < 4; e++)
      if (8 * n + lane_id() % 4 * 2 + e % 2 >= valid)
#pragma unroll
        for (int m = 0; m < M; m++) s[m][n][e] = -INFINITY;
}

/* Forward: M operands of 16 queries a warp, tiles of KEYS keys. The queries lie in the second stage
 * until they are in registers. */
template <class T, int DP>
struct forward_plan {
  static constexpr int M = sizeof(T) == 2 && DP <= 64 ? 2 : 1, WARPS = 4, THREADS = WARPS * WARP,
                       ROWS = 16 * M * WARPS, KEYS = sizeof(T) == 2 ? 64 : 32,
                       STRIDE = tile_stride<T>(DP), STAGE = 2 * KEYS * STRIDE,
                       SHARED = 2 * STAGE * (int)sizeof(T);
  static_assert(ROWS <= 2 * KEYS && SHARED <= TILE_MOST_SHARED, "shared memory");
};

/* Scores of a tile -> probabilities before division; greatest score (base 2), sum and output so far
 * are corrected. `sum` is this lane's part. */
template <int M, int N, int ND>
__device__ __forceinline__ void soften(float (&s)[M][N][4], float scale, float (&most)[M][2],
                                       float (&sum)[M][2], float (&o)[M][ND][4]) {
#pragma unroll
  for (int m = 0; m < M; m++)
#pragma unroll
    for (int r = 0; r < 2; r++) {
      float top = s[m][0][2 * r], part = 0;
#pragma unroll
      for (int n = 0; n < N; n++) top = fmaxf(top, fmaxf(s[m][n][2 * r], s[m][n][2 * r + 1]));
      top = fmaxf(most[m][r], row_max(top) * scale);
      float before = fast_exp2(most[m][r] - top);
      most[m][r] = top;
#pragma unroll
      for (int n = 0; n < N; n++)
#pragma unroll
        for (int e = 2 * r; e < 2 * r + 2; e++) {
          s[m][n][e] = fast_exp2(s[m][n][e] * scale - top);
          part += s[m][n][e];
        }
      sum[m][r] = sum[m][r] * before + part;
#pragma unroll
      for (int n = 0; n < ND; n++) {
        o[m][n][2 * r] *= before;
        o[m][n][2 * r + 1] *= before;
      }
    }
}

template <class T, int DP>
__global__ void __launch_bounds__(128) forward_kernel(const T *qkv, T *o, float *lse, heads z) {
  typedef forward_plan<T, DP> plan;
  constexpr int M = plan::M, KEYS = plan::KEYS, STRIDE = plan::STRIDE, THREADS = plan::THREADS;
  TRM_SHARED(T, shared);
  const place p = place_of(z, plan::ROWS);
  const int wide = z.H * z.d, ld = 3 * wide, warp = (int)threadIdx.x / WARP, lane = lane_id();
  const int own = warp * 16 * M, tiles = (z.L + KEYS - 1) / KEYS;
  const bool idle = p.first + own >= z.L;
  const T *keys = qkv + p.qkv + wide;
  auto load_keys = [&](int tile) {
    T *s = shared + tile % 2 * plan::STAGE;
    const T *g = keys + (int64_t)tile * KEYS * ld;
    load_tile<T, DP, KEYS, THREADS>(s, g, ld, z.L - tile * KEYS, z);
    load_tile<T, DP, KEYS, THREADS>(s + KEYS * STRIDE, g + wide, ld, z.L - tile * KEYS, z);
    copy_commit();
  };
  load_tile<T, DP, plan::ROWS, THREADS>(shared + plan::STAGE, qkv + p.qkv + (int64_t)p.first * ld,
                                        ld, z.L - p.first, z);
  copy_commit();
  load_keys(0);
  copy_wait<1>();
  __syncthreads();
  operand<T> q[DP / 16][M];
#pragma unroll
  for (int k = 0; k < DP / 16; k++)
#pragma unroll
    for (int m = 0; m < M; m++)
      load_along(q[k][m], shared + plan::STAGE + (own + 16 * m) * STRIDE + 16 * k, STRIDE);
  float out[M][DP / 8][4] = {}, most[M][2], sum[M][2] = {};
  for (int m = 0; m < M; m++) most[m][0] = most[m][1] = -INFINITY;
  for (int tile = 0; tile < tiles; tile++) {
    copy_wait<0>();
    __syncthreads(); /* this tile is there, and nobody reads the other stage any more */
    if (tile + 1 < tiles) load_keys(tile + 1);
    if (idle) continue;
    const T *s = shared + tile % 2 * plan::STAGE;
    float c[M][KEYS / 8][4] = {};
#pragma unroll
    for (int k = 0; k < DP / 16; k++) mma_along(c, q[k], s + 16 * k, STRIDE);
    if ((tile + 1) * KEYS > z.L) mask_columns(c, z.L - tile * KEYS);
    soften(c, z.scale * LOG2_E, most, sum, out);
#pragma unroll
    for (int k = 0; k < KEYS / 16; k++) {
      operand<T> a[M];
#pragma unroll
      for (int m = 0; m < M; m++) pack(a[m], c[m][2 * k], c[m][2 * k + 1]);
      mma_across(out, a, s + (KEYS + 16 * k) * STRIDE, STRIDE);
    }
  }
  __syncthreads();
  if (idle) return;
  float scale[M][2];
#pragma unroll
  for (int m = 0; m < M; m++)
#pragma unroll
    for (int r = 0; r < 2; r++) {
      float total = row_sum(sum[m][r]);
      int i = p.first + own + 16 * m + 8 * r + lane / 4;
      scale[m][r] = 1 / total;
      if (lane % 4 == 0 && i < z.L) lse[p.at + i] = most[m][r] * LN_2 + logf(total);
    }
  write_rows<T, DP, M>(out, scale, shared + own * STRIDE, o + p.o + (int64_t)(p.first + own) * wide,
                       wide, z.L - p.first - own, z);
}

/* delta[b, H, L] = sum of d_o * o over a head: a warp for each. */
template <class T>
__global__ void __launch_bounds__(256)
    delta_kernel(const T *o, const T *d_o, float *delta, int64_t n, heads z) {
  int64_t i = (int64_t)blockIdx.x * (256 / WARP) + threadIdx.x / WARP;
  if (i >= n) return;
  float sum = 0;
  for (int k = lane_id(); k < z.d; k += WARP)
    sum += to_float(o[i * z.d + k]) * to_float(d_o[i * z.d + k]);
  sum = warp_sum(sum);
  int64_t position = i / z.H, h = i % z.H, row = position / z.L;
  if (lane_id() == 0) delta[(row * z.H + h) * z.L + position % z.L] = sum;
}

/* Backward: ROWS rows of two kinds stay (keys and values, or queries and d_o), tiles of PASS rows
 * of the two others pass. A block of float has two warps, for its rows are twice as long. */
template <class T, int DP>
struct backward_plan {
  static constexpr int M = sizeof(T) == 2 && DP <= 64 ? 2 : 1, WARPS = sizeof(T) == 2 ? 4 : 2,
                       THREADS = WARPS * WARP, ROWS = 16 * M * WARPS,
                       PASS = sizeof(T) == 2 ? 32 : 16, STRIDE = tile_stride<T>(DP),
                       STAGE = 2 * PASS * STRIDE, NUMBERS = 2 * 2 * PASS,
                       SHARED = (2 * ROWS * STRIDE + 2 * STAGE) * (int)sizeof(T) +
                                NUMBERS * (int)sizeof(float);
  static_assert(SHARED <= TILE_MOST_SHARED, "shared memory");
};

/* s -> p = exp(s / sqrt(d) - lse), dp -> p * (dp - delta); lse (base 2) and delta belong to the two
 * columns of a lane in each tile of columns, or to its two rows in each operand. */
template <int M, int N>
__device__ __forceinline__ void gradient_by_columns(float (&s)[M][N][4], float (&dp)[M][N][4],
                                                    float scale, const float *lse,
                                                    const float *delta) {
#pragma unroll
  for (int n = 0; n < N; n++)
#pragma unroll
    for (int e = 0; e < 2; e++) {
      float l = lse[8 * n + lane_id() % 4 * 2 + e], t = delta[8 * n + lane_id() % 4 * 2 + e];
#pragma unroll
      for (int m = 0; m < M; m++)
#pragma unroll
        for (int i = e; i < 4; i += 2) {
          s[m][n][i] = fast_exp2(s[m][n][i] * scale - l);
          dp[m][n][i] = s[m][n][i] * (dp[m][n][i] - t);
        }
    }
}
template <int M, int N>
__device__ __forceinline__ void gradient_by_rows(float (&s)[M][N][4], float (&dp)[M][N][4],
                                                 float scale, const float (&lse)[M][2],
                                                 const float (&delta)[M][2]) {
#pragma unroll
  for (int m = 0; m < M; m++)
#pragma unroll
    for (int n = 0; n < N; n++)
#pragma unroll
      for (int i = 0; i < 4; i++) {
        s[m][n][i] = fast_exp2(s[m][n][i] * scale - lse[m][i / 2]);
        dp[m][n][i] = s[m][n][i] * (dp[m][n][i] - delta[m][i / 2]);
      }
}

/* lse to base 2 and delta of query i of a head; behind L such that p = 0. */
__device__ __forceinline__ float2 numbers_of(const float *lse, const float *delta, int i, int L) {
  return i < L ? make_float2(lse[i] * LOG2_E, delta[i]) : make_float2(INFINITY, 0);
}

/* dk and dv of a block's keys, or dq of its queries. */
template <class T, int DP, bool OF_KEYS>
__global__ void __launch_bounds__(128) backward_kernel(const T *qkv, const float *lse, const T *d_o,
                                                       const float *delta, T *dqkv, heads z) {
  typedef backward_plan<T, DP> plan;
  constexpr int M = plan::M, PASS = plan::PASS, STRIDE = plan::STRIDE, THREADS = plan::THREADS;
  TRM_SHARED(T, shared);
  T *stages = shared + 2 * plan::ROWS * STRIDE;
  float *numbers = reinterpret_cast<float *>(stages + 2 * plan::STAGE); /* [stage][2][PASS] */
  const place p = place_of(z, plan::ROWS);
  const int wide = z.H * z.d, ld = 3 * wide, lane = lane_id();
  const int own = (int)threadIdx.x / WARP * 16 * M, tiles = (z.L + PASS - 1) / PASS;
  const bool idle = p.first + own >= z.L;
  const T *q = qkv + p.qkv, *k = q + wide, *v = k + wide, *g = d_o + p.o;
  const T *stay[2] = {OF_KEYS ? k : q, OF_KEYS ? v : g},
          *pass[2] = {OF_KEYS ? q : k, OF_KEYS ? g : v};
  const int stay_ld[2] = {ld, OF_KEYS ? ld : wide}, pass_ld[2] = {ld, OF_KEYS ? wide : ld};
  lse += p.at;
  delta += p.at;
  auto load_pass = [&](int tile) {
    for (int i = 0; i < 2; i++)
      load_tile<T, DP, PASS, THREADS>(stages + tile % 2 * plan::STAGE + i * PASS * STRIDE,
                                      pass[i] + (int64_t)tile * PASS * pass_ld[i], pass_ld[i],
                                      z.L - tile * PASS, z);
    copy_commit();
  };
  for (int i = 0; i < 2; i++)
    load_tile<T, DP, plan::ROWS, THREADS>(shared + i * plan::ROWS * STRIDE,
                                          stay[i] + (int64_t)p.first * stay_ld[i], stay_ld[i],
                                          z.L - p.first, z);
  load_pass(0);
  const bool numbering = OF_KEYS && (int)threadIdx.x < PASS;
  float2 next = numbers_of(lse, delta, (int)threadIdx.x, z.L);
  float lse_row[M][2], delta_row[M][2];
#pragma unroll
  for (int m = 0; m < M; m++)
#pragma unroll
    for (int r = 0; r < 2; r++) {
      float2 of_row =
          numbers_of(lse, delta, p.first + own + 16 * m + 8 * r + lane / 4, OF_KEYS ? 0 : z.L);
      lse_row[m][r] = of_row.x;
      delta_row[m][r] = of_row.y;
    }
  float d0[M][DP / 8][4] = {}, d1[OF_KEYS ? M : 1][DP / 8][4] = {};
  for (int tile = 0; tile < tiles; tile++) {
    const T *s0 = stages + tile % 2 * plan::STAGE, *s1 = s0 + PASS * STRIDE;
    float *own_numbers = numbers + tile % 2 * 2 * PASS;
    if (numbering) {
      own_numbers[threadIdx.x] = next.x;
      own_numbers[PASS + threadIdx.x] = next.y;
      next = numbers_of(lse, delta, (tile + 1) * PASS + (int)threadIdx.x, z.L);
    }
    copy_wait<0>();
    __syncthreads(); /* this tile is there, and nobody reads the other stage any more */
    if (tile + 1 < tiles) load_pass(tile + 1);
    if (idle) continue;
    float s[M][PASS / 8][4] = {}, dp[M][PASS / 8][4] = {};
#pragma unroll
    for (int i = 0; i < DP / 16; i++) {
      operand<T> a[M];
#pragma unroll
      for (int m = 0; m < M; m++)
        load_along(a[m], shared + (own + 16 * m) * STRIDE + 16 * i, STRIDE);
      mma_along(s, a, s0 + 16 * i, STRIDE);
#pragma unroll
      for (int m = 0; m < M; m++)
        load_along(a[m], shared + (plan::ROWS + own + 16 * m) * STRIDE + 16 * i, STRIDE);
      mma_along(dp, a, s1 + 16 * i, STRIDE);
    }
    if (OF_KEYS) {
      gradient_by_columns(s, dp, z.scale * LOG2_E, own_numbers, own_numbers + PASS);
    } else {
      if ((tile + 1) * PASS > z.L) mask_columns(s, z.L - tile * PASS);
      gradient_by_rows(s, dp, z.scale * LOG2_E, lse_row, delta_row);
    }
#pragma unroll
    for (int i = 0; i < PASS / 16; i++) {
      operand<T> a[M];
      if constexpr (OF_KEYS) {
#pragma unroll
        for (int m = 0; m < M; m++) pack(a[m], s[m][2 * i], s[m][2 * i + 1]);
        mma_across(d1, a, s1 + 16 * i * STRIDE, STRIDE);
      }
#pragma unroll
      for (int m = 0; m < M; m++) pack(a[m], dp[m][2 * i], dp[m][2 * i + 1]);
      mma_across(d0, a, s0 + 16 * i * STRIDE, STRIDE);
    }
  }
  if (idle) return;
  /* Only this warp reads its rows of the tiles that stay. */
  float scale[M][2], one[M][2];
  for (int m = 0; m < M; m++)
    for (int r = 0; r < 2; r++) scale[m][r] = z.scale, one[m][r] = 1;
  T *to = dqkv + p.qkv + (OF_KEYS ? wide : 0) + (int64_t)(p.first + own) * ld;
  write_rows<T, DP, M>(d0, scale, shared + own * STRIDE, to, ld, z.L - p.first - own, z);
  if constexpr (OF_KEYS)
    write_rows<T, DP, M>(d1, one, shared + (plan::ROWS + own) * STRIDE, to + wide, ld,
                         z.L - p.first - own, z);
}

template <class T>
heads heads_of(int L, int H, int d, const void *a, const void *b, const void *c) {
  uintptr_t bits = reinterpret_cast<uintptr_t>(a) | reinterpret_cast<uintptr_t>(b) |
                   reinterpret_cast<uintptr_t>(c);
  heads z = {L, H, d, (d * sizeof(T) | bits) % 16 == 0, (float)(1 / sqrt((double)d))};
  return z;
}

template <class T, int DP>
void run_forward(const T *qkv, T *o, float *lse, int b, heads z, cudaStream_t stream) {
  typedef forward_plan<T, DP> plan;
  int64_t blocks = divide_up(z.L, plan::ROWS) * b * z.H;
  launch_large(forward_kernel<T, DP>, dim3((unsigned)blocks), dim3(plan::THREADS), plan::SHARED,
               stream, qkv, o, lse, z);
}
template <class T, int DP>
void run_backward(const T *qkv, const float *lse, const T *d_o, const float *delta, T *dqkv, int b,
                  heads z, cudaStream_t stream) {
  typedef backward_plan<T, DP> plan;
  int64_t blocks = divide_up(z.L, plan::ROWS) * b * z.H;
  dim3 grid((unsigned)blocks), block(plan::THREADS);
  launch_large(backward_kernel<T, DP, true>, grid, block, plan::SHARED, stream, qkv, lse, d_o,
               delta, dqkv, z);
  launch_large(backward_kernel<T, DP, false>, grid, block, plan::SHARED, stream, qkv, lse, d_o,
               delta, dqkv, z);
}

}  // namespace

template <class T>
void attention_forward(const T *qkv, T *o, float *lse, int b, int L, int H, int d,
                       cudaStream_t stream) {
  heads z = heads_of<T>(L, H, d, qkv, o, o);
  if (d <= 16)
    run_forward<T, 16>(qkv, o, lse, b, z, stream);
  else if (d <= 32)
    run_forward<T, 32>(qkv, o, lse, b, z, stream);
  else if (d <= 64)
    run_forward<T, 64>(qkv, o, lse, b, z, stream);
  else
    run_forward<T, 128>(qkv, o, lse, b, z, stream);
}

template <class T>
void attention_backward(const T *qkv, const T *o, const float *lse, const T *d_o, float *delta,
                        T *dqkv, int b, int L, int H, int d, cudaStream_t stream) {
  heads z = heads_of<T>(L, H, d, qkv, d_o, dqkv);
  int64_t n = (int64_t)b * L * H;
  launch(delta_kernel<T>, dim3((unsigned)divide_up(n, 256 / WARP)), dim3(256), 0, stream, o, d_o,
         delta, n, z);
  if (d <= 16)
    run_backward<T, 16>(qkv, lse, d_o, delta, dqkv, b, z, stream);
  else if (d <= 32)
    run_backward<T, 32>(qkv, lse, d_o, delta, dqkv, b, z, stream);
  else if (d <= 64)
    run_backward<T, 64>(qkv, lse, d_o, delta, dqkv, b, z, stream);
  else
    run_backward<T, 128>(qkv, lse, d_o, delta, dqkv, b, z, stream);
}

template void attention_forward<float>(const float *, float *, float *, int, int, int, int,
                                       cudaStream_t);
template void attention_forward<bf16>(const bf16 *, bf16 *, float *, int, int, int, int,
                                      cudaStream_t);
template void attention_backward<float>(const float *, const float *, const float *, const float *,
                                        float *, float *, int, int, int, int, cudaStream_t);
template void attention_backward<bf16>(const bf16 *, const bf16 *, const float *, const bf16 *,
                                       float *, bf16 *, int, int, int, int, cudaStream_t);
