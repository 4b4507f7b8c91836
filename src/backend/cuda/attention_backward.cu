/* Backward pass of attention (attention.cuh), with p recomputed from q, k and lse and
 * ds = p * (d_o v^T - delta) / sqrt(d), the last factor applied to the sums:
 *   dv = p^T d_o, dk = ds^T q    per key
 *   dq = ds k                    per query
 * Per key p and ds are made transposed: what a product leaves in a warp's registers is operand A of
 * the next one as it stands. In general these are two kernels of one shape: rows of two kinds stay,
 * tiles of two others pass, and both make p and ds. Where a head fits a block (bf16, L <= 128, the
 * head sizes in use), one kernel makes them once, by keys, and hands ds to the queries through
 * shared memory; it reads every input once, which is what its time is spent on. Each element is
 * summed by one warp in one order: no atomics. */
#include "attention.cuh"
#include "attention_tiles.cuh"

using namespace attention;

namespace {

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

  /* From [b, L, H] to [b, H, L]. */
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
  const int own = (int)threadIdx.x / WARP * 16 * M, tiles = (p.keys + PASS - 1) / PASS;
  const bool idle = p.first + own >= z.L;

  /* Of keys: k and v stay, q and d_o pass, and s and dp are [keys, queries]; of queries: q and d_o
   * stay, k and v pass, and they are [queries, keys]. */
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
                                      p.keys - tile * PASS, z);
    copy_commit();
  };

  /* What stays, and the first tile of what passes. */
  for (int i = 0; i < 2; i++)
    load_tile<T, DP, plan::ROWS, THREADS>(shared + i * plan::ROWS * STRIDE,
                                          stay[i] + (int64_t)p.first * stay_ld[i], stay_ld[i],
                                          z.L - p.first, z);
  load_pass(0);

  /* lse and delta belong to queries: those that pass bring theirs with each tile, those that stay
   * have them in registers. */
  const bool numbering = OF_KEYS && (int)threadIdx.x < PASS;
  float2 next = numbers_of(lse, delta, (int)threadIdx.x, p.keys);
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

  /* Of keys: d0 = dk, d1 = dv; of queries: d0 = dq. */
  float d0[M][DP / 8][4] = {}, d1[OF_KEYS ? M : 1][DP / 8][4] = {};
  for (int tile = 0; tile < tiles; tile++) {
    const T *s0 = stages + tile % 2 * plan::STAGE, *s1 = s0 + PASS * STRIDE;
    float *own_numbers = numbers + tile % 2 * 2 * PASS;

    /* This tile's numbers and rows are there behind the barrier, and nobody reads the other stage
     * any more, so that the next tile may come. */
    if (numbering) {
      own_numbers[threadIdx.x] = next.x;
      own_numbers[PASS + threadIdx.x] = next.y;
      next = numbers_of(lse, delta, (tile + 1) * PASS + (int)threadIdx.x, p.keys);
    }
    copy_wait<0>();
    __syncthreads();
    if (tile + 1 < tiles) load_pass(tile + 1);
    if (idle) continue;

    /* s = k q^T, dp = v d_o^T; or s = q k^T, dp = d_o v^T */
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

    /* s <- p = exp(s / sqrt(d) - lse), dp <- ds = p * (dp - delta) */
    if (OF_KEYS) {
      if (p.keys < z.L) mask_rows(s, p.first + own, p.keys);
      gradient_by_columns(s, dp, z.scale * LOG2_E, own_numbers, own_numbers + PASS);
    } else {
      if ((tile + 1) * PASS > p.keys) mask_columns(s, p.keys - tile * PASS);
      gradient_by_rows(s, dp, z.scale * LOG2_E, lse_row, delta_row);
    }

    /* dv += p d_o, dk += ds q; or dq += ds k */
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

/* A whole head of bf16: 16 W >= L rows, a warp for 16 keys and 16 queries. ds [key][query] takes
 * the place of v and d_o when these are used up. */
template <int W>
struct head_plan {
  static constexpr int DP = 64, LP = 16 * W, STRIDE = tile_stride<bf16>(DP),
                       ACROSS = tile_stride<bf16>(LP), TILE = LP * STRIDE,
                       SHARED = 4 * TILE * (int)sizeof(bf16) + 2 * LP * (int)sizeof(float);
  static_assert(LP * ACROSS <= 2 * TILE && SHARED <= TILE_MOST_SHARED, "shared memory");
};

/* This lane's two elements of 16 rows of o, and delta of these rows from them and d_o in a tile. */
__device__ __forceinline__ void load_outputs(uint32_t (&own)[16], const bf16 *o, int ld, int count,
                                             int d) {
  const int col = 2 * lane_id();
#pragma unroll
  for (int i = 0; i < 16; i++)
    own[i] =
        i < count && col < d ? *reinterpret_cast<const uint32_t *>(o + (int64_t)i * ld + col) : 0;
}
__device__ __forceinline__ void deltas(float *delta, const uint32_t (&own)[16], const bf16 *d_o,
                                       int stride) {
#pragma unroll
  for (int i = 0; i < 16; i++) {
    uint32_t g = *reinterpret_cast<const uint32_t *>(d_o + i * stride + 2 * lane_id());
    float sum = warp_sum(pair_low(own[i]) * pair_low(g) + pair_high(own[i]) * pair_high(g));
    if (lane_id() == 0) delta[i] = sum;
  }
}

template <int W>
__global__ void __launch_bounds__(W *WARP, W < 8 ? 2 : 1)
    head_kernel(const bf16 *qkv, const bf16 *o, const float *lse, const bf16 *d_o, bf16 *dqkv,
                heads z) {
  typedef head_plan<W> plan;
  constexpr int DP = plan::DP, LP = plan::LP, STRIDE = plan::STRIDE, ACROSS = plan::ACROSS;
  TRM_SHARED(bf16, q);
  bf16 *k = q + plan::TILE, *v = k + plan::TILE, *g = v + plan::TILE, *ds = v;
  float *lses = reinterpret_cast<float *>(g + plan::TILE), *delta = lses + LP;
  const place p = place_of(z, LP);
  const int wide = z.H * z.d, ld = 3 * wide, own = (int)threadIdx.x / WARP * 16;

  /* q, k, v and d_o into shared memory; meanwhile this warp's rows of o, and lse to base 2. */
  for (int i = 0; i < 3; i++)
    load_tile<bf16, DP, LP, W * WARP>(q + i * plan::TILE, qkv + p.qkv + i * wide, ld, z.L, z);
  load_tile<bf16, DP, LP, W * WARP>(g, d_o + p.o, wide, z.L, z);
  copy_commit();
  uint32_t outputs[16];
  load_outputs(outputs, o + p.o + (int64_t)own * wide, wide, z.L - own, z.d);
  if ((int)threadIdx.x < LP)
    lses[threadIdx.x] = (int)threadIdx.x < z.L ? lse[p.at + (int)threadIdx.x] * LOG2_E : INFINITY;
  copy_wait<0>();
  __syncthreads();

  /* delta = rowsum(d_o * o) */
  deltas(delta + own, outputs, g + own * STRIDE, STRIDE);
  __syncthreads();

  /* The warp's 16 keys against all queries, 16 at a time. */
  float dk[1][DP / 8][4] = {}, dv[1][DP / 8][4] = {};
  operand<bf16> gradient[W][1];
#pragma unroll
  for (int j = 0; j < W; j++) {
    /* s = k q^T, dp = v d_o^T */
    float s[1][2][4] = {}, dp[1][2][4] = {};
    operand<bf16> a[1];
#pragma unroll
    for (int i = 0; i < DP / 16; i++) {
      load_along(a[0], k + own * STRIDE + 16 * i, STRIDE);
      mma_along(s, a, q + 16 * j * STRIDE + 16 * i, STRIDE);
      load_along(a[0], v + own * STRIDE + 16 * i, STRIDE);
      mma_along(dp, a, g + 16 * j * STRIDE + 16 * i, STRIDE);
    }

    /* Keys behind the last: their p may be infinite, and 0 times that is no 0 in ds k. */
    mask_rows(s, own, p.keys);

    /* s <- p, dp <- ds = p * (dp - delta); dv += p d_o, dk += ds q */
    gradient_by_columns(s, dp, z.scale * LOG2_E, lses + 16 * j, delta + 16 * j);
    pack(a[0], s[0][0], s[0][1]);
    mma_across(dv, a, g + 16 * j * STRIDE, STRIDE);
    pack(gradient[j][0], dp[0][0], dp[0][1]);
    mma_across(dk, gradient[j], q + 16 * j * STRIDE, STRIDE);
  }

  /* ds into shared memory, for the queries; dk and dv to where they belong. */
  __syncthreads(); /* q, v and d_o are used up */
#pragma unroll
  for (int j = 0; j < W; j++) store_along(ds + own * ACROSS + 16 * j, ACROSS, gradient[j][0]);
  const float scale[1][2] = {{z.scale, z.scale}}, one[1][2] = {{1, 1}};
  bf16 *to = dqkv + p.qkv + (int64_t)own * ld, *rows = q + own * STRIDE;
  write_rows<bf16, DP, 1>(dk, scale, rows, to + wide, ld, z.L - own, z);
  write_rows<bf16, DP, 1>(dv, one, rows, to + 2 * wide, ld, z.L - own, z);
  __syncthreads();

  /* dq = ds k, the warp's 16 queries against all keys. */
  float dq[1][DP / 8][4] = {};
#pragma unroll
  for (int j = 0; j < W; j++) {
    operand<bf16> a[1];
    load_across(a[0], ds + 16 * j * ACROSS + own, ACROSS);
    mma_across(dq, a, k + 16 * j * STRIDE, STRIDE);
  }
  write_rows<bf16, DP, 1>(dq, scale, rows, to, ld, z.L - own, z);
}

template <int W>
void run_head(const bf16 *qkv, const bf16 *o, const float *lse, const bf16 *d_o, bf16 *dqkv, int b,
              heads z, cudaStream_t stream) {
  launch_large(head_kernel<W>, dim3((unsigned)(b * z.H)), dim3(W * WARP), head_plan<W>::SHARED,
               stream, qkv, o, lse, d_o, dqkv, z);
}
/* Whether a block can take a head of these sizes (of pairs: outputs are read by two), and does. */
bool run_heads(const float *, const float *, const float *, const float *, float *, int, heads,
               cudaStream_t) {
  return false;
}
bool run_heads(const bf16 *qkv, const bf16 *o, const float *lse, const bf16 *d_o, bf16 *dqkv, int b,
               heads z, cudaStream_t stream) {
  if (z.L > 128 || z.d <= 32 || z.d > 64 || z.d % 2) return false;
  if (z.L <= 32)
    run_head<2>(qkv, o, lse, d_o, dqkv, b, z, stream);
  else if (z.L <= 64)
    run_head<4>(qkv, o, lse, d_o, dqkv, b, z, stream);
  else if (z.L <= 96)
    run_head<6>(qkv, o, lse, d_o, dqkv, b, z, stream);
  else if (z.L <= 112)
    run_head<7>(qkv, o, lse, d_o, dqkv, b, z, stream);
  else
    run_head<8>(qkv, o, lse, d_o, dqkv, b, z, stream);
  return true;
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
void attention_backward(const T *qkv, const T *o, const float *lse, const T *d_o, float *delta,
                        T *dqkv, int b, const trm__dims &dims, const int32_t *places,
                        cudaStream_t stream) {
  const int d = dims.d;
  heads z = heads_of<T>(dims, places, qkv, d_o, dqkv);
  int64_t n = (int64_t)b * z.L * z.H;
  if (run_heads(qkv, o, lse, d_o, dqkv, b, z, stream)) return;

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

template void attention_backward<float>(const float *, const float *, const float *, const float *,
                                        float *, float *, int, const trm__dims &, const int32_t *,
                                        cudaStream_t);
template void attention_backward<bf16>(const bf16 *, const bf16 *, const float *, const bf16 *,
                                       float *, bf16 *, int, const trm__dims &, const int32_t *,
                                       cudaStream_t);
