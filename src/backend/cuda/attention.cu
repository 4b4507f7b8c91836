/* Forward pass of attention (attention.cuh): products of tiles (tile.cuh), softmax on the way.
 *
 * A block takes some queries of one head of one batch row, its warps 16 or 32 of them each, and
 * lets tiles of keys and values pass by, the next one being copied while the present one is used.
 * The softmax is corrected as it goes: greatest score and sum so far, and the output divided at the
 * end. What q k^T leaves in a warp's registers is operand A of the product with v as it stands.
 *
 * For bf16 up to DP = 64 a warp holds two operands of 16 queries (M = 2), so that what ldmatrix
 * reads serves four products: with one operand a multiprocessor's shared memory (128 bytes a cycle)
 * would be slower than its matrix units. */
#include "attention.cuh"
#include "attention_tiles.cuh"

using namespace attention;

namespace {

/* Over the four lanes that share a row. */
__device__ __forceinline__ float row_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
  return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}
__device__ __forceinline__ float row_sum(float x) {
  x += __shfl_xor_sync(0xffffffffu, x, 1);
  return x + __shfl_xor_sync(0xffffffffu, x, 2);
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
      /* The greatest score of the row so far, over this tile and those before. */
      float top = s[m][0][2 * r], part = 0;
#pragma unroll
      for (int n = 0; n < N; n++) top = fmaxf(top, fmaxf(s[m][n][2 * r], s[m][n][2 * r + 1]));
      top = fmaxf(most[m][r], row_max(top) * scale);

      /* What was summed with the former greatest score shrinks by 2^(former - new). */
      float before = fast_exp2(most[m][r] - top);
      most[m][r] = top;

      /* p = 2^(s - top); sum and o go on from their shrunk values. */
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
  const int own = warp * 16 * M, tiles = (p.keys + KEYS - 1) / KEYS;
  const bool idle = p.first + own >= z.L;
  const T *keys = qkv + p.qkv + wide;

  /* A tile of keys and its values, into the stage of its turn. */
  auto load_keys = [&](int tile) {
    T *s = shared + tile % 2 * plan::STAGE;
    const T *g = keys + (int64_t)tile * KEYS * ld;
    load_tile<T, DP, KEYS, THREADS>(s, g, ld, p.keys - tile * KEYS, z);
    load_tile<T, DP, KEYS, THREADS>(s + KEYS * STRIDE, g + wide, ld, p.keys - tile * KEYS, z);
    copy_commit();
  };

  /* The queries go through the second stage into registers while the first tile is on its way. */
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

  /* o = sum over tiles of p v, p relative to the greatest score so far. */
  float out[M][DP / 8][4] = {}, most[M][2], sum[M][2] = {};
  for (int m = 0; m < M; m++) most[m][0] = most[m][1] = -INFINITY;
  for (int tile = 0; tile < tiles; tile++) {
    copy_wait<0>();
    __syncthreads(); /* this tile is there, and nobody reads the other stage any more */
    if (tile + 1 < tiles) load_keys(tile + 1);
    if (idle) continue;

    /* c = q k^T, -inf behind the last key, then p */
    const T *s = shared + tile % 2 * plan::STAGE;
    float c[M][KEYS / 8][4] = {};
#pragma unroll
    for (int k = 0; k < DP / 16; k++) mma_along(c, q[k], s + 16 * k, STRIDE);
    if ((tile + 1) * KEYS > p.keys) mask_columns(c, p.keys - tile * KEYS);
    soften(c, z.scale * LOG2_E, most, sum, out);

    /* out += p v */
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

  /* lse = ln(sum) + greatest score; o is divided by the sum as it is written. */
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

template <class T, int DP>
void run_forward(const T *qkv, T *o, float *lse, int b, heads z, cudaStream_t stream) {
  typedef forward_plan<T, DP> plan;
  int64_t blocks = divide_up(z.L, plan::ROWS) * b * z.H;
  launch_large(forward_kernel<T, DP>, dim3((unsigned)blocks), dim3(plan::THREADS), plan::SHARED,
               stream, qkv, o, lse, z);
}

}  // namespace

template <class T>
void attention_forward(const T *qkv, T *o, float *lse, int b, const trm__dims &dims,
                       const int32_t *places, cudaStream_t stream) {
  const int d = dims.d;
  heads z = heads_of<T>(dims, places, qkv, o, o);
  if (d <= 16)
    run_forward<T, 16>(qkv, o, lse, b, z, stream);
  else if (d <= 32)
    run_forward<T, 32>(qkv, o, lse, b, z, stream);
  else if (d <= 64)
    run_forward<T, 64>(qkv, o, lse, b, z, stream);
  else
    run_forward<T, 128>(qkv, o, lse, b, z, stream);
}

template void attention_forward<float>(const float *, float *, float *, int, const trm__dims &,
                                       const int32_t *, cudaStream_t);
template void attention_forward<bf16>(const bf16 *, bf16 *, float *, int, const trm__dims &,
                                      const int32_t *, cudaStream_t);
