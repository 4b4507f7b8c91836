/* Products of tiles in shared memory by one warp, c += A B, in steps of 16 along the depth.
 *
 * bf16 goes through the matrix units (ldmatrix, mma.sync m16n8k16), float through plain fused
 * multiply-adds, with the same functions and the same fragments, so that a kernel above exists
 * once, as a template over T. All 32 lanes of a warp call every function.
 *
 * Fragment of an accumulator tile of 16 rows and 8 columns, float c[4]: lane i owns rows i/4 (c[0],
 * c[1]) and i/4 + 8 (c[2], c[3]), columns 2 (i % 4) and the next one.
 * Operand A (16 rows, 16 deep) lies in registers, B in shared memory: "along" means that the depth
 * is contiguous (a row of the tile is a column of B), "across" that it is the other index.
 *
 * Rows of shared tiles start at multiples of 16 bytes; a row stride of an odd multiple of 16 bytes
 * (tile_stride) lets the eight rows that ldmatrix reads at a time fall into different banks. */
#ifndef TRM_BACKEND_CUDA_TILE_CUH
#define TRM_BACKEND_CUDA_TILE_CUH

#include "device.cuh"

enum {
  TILE_MOST_SHARED = 99 * 1024, /* bytes of a block that every GPU from compute 8.0 on can give */
  TILE_PLAIN_SHARED = 48 * 1024 /* what it gives unasked */
};

/* Elements between the rows of a shared tile with rows of n (a multiple of 16). */
template <class T>
__host__ __device__ constexpr int tile_stride(int n) {
  return n + 16 / (int)sizeof(T);
}

/* launch() with more shared memory than a kernel gets unasked. */
template <class... P, class... A>
inline void launch_large(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared,
                         cudaStream_t stream, A... args) {
  if (shared > TILE_PLAIN_SHARED)
    (void)cudaFuncSetAttribute(reinterpret_cast<const void *>(kernel),
                               cudaFuncAttributeMaxDynamicSharedMemorySize, (int)shared);
  launch(kernel, grid, block, shared, stream, args...);
}

__device__ __forceinline__ int lane_id() {
  return (int)(threadIdx.x % WARP);
}

/* 2^x and 1 / x to about 22 bits, subnormals as zeros. */
__device__ __forceinline__ float fast_exp2(float x) {
#ifdef __CUDACC__
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#else
  return exp2f(x);
#endif
}
__device__ __forceinline__ float fast_inverse(float x) {
#ifdef __CUDACC__
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#else
  return 1 / x;
#endif
}

/* 1 / (1 + exp(-g)) of two values with one division; at the bound 2^-60 is as good as less. */
__device__ __forceinline__ void sigmoids(float g0, float g1, float &s0, float &s1) {
  const float LOG2_E = 1.44269504f;
  float a = 1 + fast_exp2(fminf(-g0 * LOG2_E, 60)), b = 1 + fast_exp2(fminf(-g1 * LOG2_E, 60));
  float both = fast_inverse(a * b);
  s0 = both * b;
  s1 = both * a;
}

/* Of a = silu(g) u with s = sigmoid(g): a itself, and the gradients of g and u from da.
 * silu'(g) = s (1 + g (1 - s)). */
__device__ __forceinline__ void swiglu_back(float g, float u, float da, float s, float &a,
                                            float &dg, float &du) {
  const float silu = g * s;
  a = silu * u;
  du = da * silu;
  dg = da * u * (s + silu * (1 - s));
}

/* Copies 16 bytes to shared memory behind the thread's back, or zeros instead of them; both
 * addresses are multiples of 16 bytes. For zeros nothing is read, so `from` may lie anywhere. */
__device__ __forceinline__ void copy_async(void *to, const void *from, bool zeros) {
#ifdef __CUDACC__
  asm volatile(
      "cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"((uint32_t)__cvta_generic_to_shared(to)),
      "l"(from), "r"(zeros ? 0 : 16)
      : "memory");
#else
  hostcuda_cp_async16(to, from, zeros ? 0 : 16);
#endif
}
/* Ends a group of this thread's copies. */
__device__ __forceinline__ void copy_commit() {
#ifdef __CUDACC__
  asm volatile("cp.async.commit_group;" ::: "memory");
#else
  hostcuda_cp_async_commit();
#endif
}
/* Waits until at most N of this thread's groups are under way; the copies of other threads need a
 * barrier behind it. */
template <int N>
__device__ __forceinline__ void copy_wait() {
#ifdef __CUDACC__
  asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
#else
  hostcuda_cp_async_wait(N);
#endif
}

/* Four 8x8 matrices; lane i names row i % 8 of matrix i / 8. Lane i gets of each the elements
 * (i / 4, 2 (i % 4) + {0, 1}), or with TRANS (2 (i % 4) + {0, 1}, i / 4). */
template <bool TRANS>
__device__ __forceinline__ void ldmatrix4(uint32_t (&r)[4], const bf16 *row) {
#ifdef __CUDACC__
  uint32_t at = (uint32_t)__cvta_generic_to_shared(row);
  if (TRANS)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(at));
  else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(at));
#else
  hostcuda_ldmatrix(r, 4, TRANS, row);
#endif
}

/* c += A B of 16 x 8 x 16; b is half of what ldmatrix4 brings. */
__device__ __forceinline__ void mma(float (&c)[4], const uint32_t (&a)[4], uint32_t b0,
                                    uint32_t b1) {
#ifdef __CUDACC__
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
  uint32_t b[2] = {b0, b1};
  hostcuda_mma_bf16(c, a, b);
#endif
}

/* Two values as neighbours in memory, the first one in the low half, and back. */
__device__ __forceinline__ uint32_t pack_pair(float low, float high) {
  union {
    __nv_bfloat162 pair;
    uint32_t bits;
  } u;
  u.pair = __floats2bfloat162_rn(low, high);
  return u.bits;
}
__device__ __forceinline__ float pair_low(uint32_t pair) {
  union {
    uint32_t bits;
    float value;
  } u;
  u.bits = pair << 16;
  return u.value;
}
__device__ __forceinline__ float pair_high(uint32_t pair) {
  union {
    uint32_t bits;
    float value;
  } u;
  u.bits = pair & 0xffff0000u;
  return u.value;
}
/* Two neighbours into memory, aligned to both. */
__device__ __forceinline__ void store_pair(bf16 *to, float low, float high) {
  *reinterpret_cast<uint32_t *>(to) = pack_pair(low, high);
}
__device__ __forceinline__ void store_pair(float *to, float low, float high) {
  *reinterpret_cast<float2 *>(to) = make_float2(low, high);
}

/* Operand A, 16 rows and 16 deep. bf16: what ldmatrix4 brings, of which r[0], r[1] are the depths
 * 0..7 of rows 0..7 and 8..15, r[2], r[3] the depths 8..15: packed pairs of two accumulator tiles.
 * float: two accumulator tiles. */
template <class T>
struct operand;
template <>
struct operand<bf16> {
  uint32_t r[4];
};
template <>
struct operand<float> {
  float c[2][4];
};

/* A from a shared tile [16 rows][depth]. */
__device__ __forceinline__ void load_along(operand<bf16> &a, const bf16 *s, int stride) {
  int i = lane_id();
  ldmatrix4<false>(a.r, s + (i % 16) * stride + i / 16 * 8);
}
__device__ __forceinline__ void load_along(operand<float> &a, const float *s, int stride) {
  const float *at = s + lane_id() / 4 * stride + lane_id() % 4 * 2;
  for (int j = 0; j < 2; j++)
    for (int e = 0; e < 4; e++) a.c[j][e] = at[e / 2 * 8 * stride + 8 * j + e % 2];
}
/* A from a shared tile [16 deep][rows]. */
__device__ __forceinline__ void load_across(operand<bf16> &a, const bf16 *s, int stride) {
  int i = lane_id();
  ldmatrix4<true>(a.r, s + (i % 8 + i / 16 * 8) * stride + i / 8 % 2 * 8);
}
/* A from two accumulator tiles: columns 0..7 and 8..15 of a result become depths. */
__device__ __forceinline__ void pack(operand<bf16> &a, const float (&lo)[4], const float (&hi)[4]) {
  a.r[0] = pack_pair(lo[0], lo[1]);
  a.r[1] = pack_pair(lo[2], lo[3]);
  a.r[2] = pack_pair(hi[0], hi[1]);
  a.r[3] = pack_pair(hi[2], hi[3]);
}
__device__ __forceinline__ void pack(operand<float> &a, const float (&lo)[4],
                                     const float (&hi)[4]) {
  for (int e = 0; e < 4; e++) a.c[0][e] = lo[e], a.c[1][e] = hi[e];
}
/* A into a shared tile [16 rows][depth]. */
__device__ __forceinline__ void store_along(bf16 *s, int stride, const operand<bf16> &a) {
  bf16 *at = s + lane_id() / 4 * stride + lane_id() % 4 * 2;
  for (int e = 0; e < 4; e++)
    *reinterpret_cast<uint32_t *>(at + e % 2 * 8 * stride + e / 2 * 8) = a.r[e];
}

/* B of 16 deep and 16 columns: b[0], b[1] belong to columns 0..7, b[2], b[3] to the others.
 * From a tile [column][depth], and from a tile [depth][column]. */
__device__ __forceinline__ void load_b_along(uint32_t (&b)[4], const bf16 *s, int stride) {
  int i = lane_id();
  ldmatrix4<false>(b, s + (i % 8 + i / 16 * 8) * stride + i / 8 % 2 * 8);
}
__device__ __forceinline__ void load_b_across(uint32_t (&b)[4], const bf16 *s, int stride) {
  int i = lane_id();
  ldmatrix4<true>(b, s + (i % 16) * stride + i / 16 * 8);
}

/* c[m] += a[m] B for M operands and N (even) tiles of columns; B [8 N columns][depth]. */
template <int M, int N>
__device__ __forceinline__ void mma_along(float (&c)[M][N][4], const operand<bf16> (&a)[M],
                                          const bf16 *s, int stride) {
#pragma unroll
  for (int n = 0; n < N; n += 2) {
    uint32_t b[4];
    load_b_along(b, s + n * 8 * stride, stride);
#pragma unroll
    for (int m = 0; m < M; m++) {
      mma(c[m][n], a[m].r, b[0], b[1]);
      mma(c[m][n + 1], a[m].r, b[2], b[3]);
    }
  }
}
/* The same with B [depth][8 N columns]. */
template <int M, int N>
__device__ __forceinline__ void mma_across(float (&c)[M][N][4], const operand<bf16> (&a)[M],
                                           const bf16 *s, int stride) {
#pragma unroll
  for (int n = 0; n < N; n += 2) {
    uint32_t b[4];
    load_b_across(b, s + n * 8, stride);
#pragma unroll
    for (int m = 0; m < M; m++) {
      mma(c[m][n], a[m].r, b[0], b[1]);
      mma(c[m][n + 1], a[m].r, b[2], b[3]);
    }
  }
}

/* c += the product of one depth k: the lane of the same four that owns it hands a's values round.
 */
template <int M>
__device__ __forceinline__ void rows_at(float (&low)[M], float (&high)[M],
                                        const operand<float> (&a)[M], int k) {
  int owner = (lane_id() & ~3) | k % 8 / 2;
#pragma unroll
  for (int m = 0; m < M; m++) {
    low[m] = __shfl_sync(0xffffffffu, a[m].c[k / 8][k % 2], owner);
    high[m] = __shfl_sync(0xffffffffu, a[m].c[k / 8][2 + k % 2], owner);
  }
}
template <int M, int N, bool ALONG>
__device__ __forceinline__ void fma_tiles(float (&c)[M][N][4], const operand<float> (&a)[M],
                                          const float *s, int stride) {
  const float *at = s + lane_id() % 4 * 2 * (ALONG ? stride : 1);
#pragma unroll
  for (int k = 0; k < 16; k++) {
    float low[M], high[M];
    rows_at(low, high, a, k);
#pragma unroll
    for (int n = 0; n < N; n++) {
      float b0 = ALONG ? at[n * 8 * stride + k] : at[k * stride + n * 8];
      float b1 = ALONG ? at[(n * 8 + 1) * stride + k] : at[k * stride + n * 8 + 1];
#pragma unroll
      for (int m = 0; m < M; m++) {
        c[m][n][0] += low[m] * b0;
        c[m][n][1] += low[m] * b1;
        c[m][n][2] += high[m] * b0;
        c[m][n][3] += high[m] * b1;
      }
    }
  }
}
template <int M, int N>
__device__ __forceinline__ void mma_along(float (&c)[M][N][4], const operand<float> (&a)[M],
                                          const float *s, int stride) {
  fma_tiles<M, N, true>(c, a, s, stride);
}
template <int M, int N>
__device__ __forceinline__ void mma_across(float (&c)[M][N][4], const operand<float> (&a)[M],
                                           const float *s, int stride) {
  fma_tiles<M, N, false>(c, a, s, stride);
}

#endif
