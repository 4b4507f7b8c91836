/* What the kernels of attention share (attention.cu, attention_backward.cu): where a head lies,
 * tiles of a head's rows in shared memory, p and its gradient from scores.
 *
 * Positions behind L are zeros in the tiles: their keys get the score -inf, their queries lse =
 * inf. Keys behind a row's own length get -inf, too; its queries there see the others' keys, and
 * what they see has no gradient. Heads are padded to DP = 16, 32, 64 or 128 columns. */
#ifndef TRM_BACKEND_CUDA_ATTENTION_TILES_CUH
#define TRM_BACKEND_CUDA_ATTENTION_TILES_CUH

#include <math.h>

#include "backend/backend.h"
#include "tile.cuh"

namespace attention {

const float LOG2_E = 1.44269504f, LN_2 = 0.69314718f;

/* The heads of a batch. */
struct heads {
  int L, H, d;
  bool vectors;          /* rows consist of whole units of 16 bytes, everywhere */
  float scale;           /* 1 / sqrt(d) */
  int P, S, cells;       /* of the places [b, S] */
  const int32_t *places; /* NULL: every row is as long as L */
};
/* Which rows of which head a block has; tiles of a head are neighbours in the grid. */
struct place {
  int first;          /* row */
  int keys;           /* of the head: the length of its row of the batch */
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
  p.keys = z.places ? z.P + trm__places_before(z.places + row * z.S, z.S, z.cells) : z.L;
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

  /* Pairs from the registers into the warp's own rows of the tile. */
  __syncwarp();
#pragma unroll
  for (int m = 0; m < M; m++)
#pragma unroll
    for (int n = 0; n < DP / 8; n++)
#pragma unroll
      for (int e = 0; e < 2; e++)
        store_pair(own + (16 * m + 8 * e) * STRIDE + 8 * n, c[m][n][2 * e] * scale[m][e],
                   c[m][n][2 * e + 1] * scale[m][e]);

  /* Whole units of 16 bytes from there, or value by value where rows have no whole ones. */
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

/* The same of rows, the first of which is key `first` of a head that has `keys`. */
template <int M, int N>
__device__ __forceinline__ void mask_rows(float (&s)[M][N][4], int first, int keys) {
#pragma unroll
  for (int m = 0; m < M; m++)
#pragma unroll
    for (int e = 0; e < 4; e++)
      if (first + 16 * m + e / 2 * 8 + lane_id() / 4 >= keys)
#pragma unroll
        for (int n = 0; n < N; n++) s[m][n][e] = -INFINITY;
}

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

/* T: of the rows; a, b, c: the arrays that hold them. */
template <class T>
inline heads heads_of(const trm__dims &dims, const int32_t *places, const void *a, const void *b,
                      const void *c) {
  const int d = dims.d;
  uintptr_t bits = reinterpret_cast<uintptr_t>(a) | reinterpret_cast<uintptr_t>(b) |
                   reinterpret_cast<uintptr_t>(c);
  heads z = {dims.L,
             dims.H,
             d,
             (d * sizeof(T) | bits) % 16 == 0,
             (float)(1 / sqrt((double)d)),
             dims.P,
             dims.S,
             dims.grid_cells,
             places};
  return z;
}

}  // namespace attention

#endif
