/* The fused mixer (mixer.cuh): everything transposed, channels are the rows of the products.
 *
 *   G^T = x^T W_g^T, U^T = x^T W_u^T     A: x^T, 32 channels of a warp, B: rows of W_in as stored
 *   out^T = x^T + act^T W_out^T          A: act, as the first products leave it in registers
 * so a warp takes its 32 channels from the input to the norm alone, out^T [32][L] stays in its
 * registers, and the norm's sum over positions stays within four lanes. The 128 channels of a block
 * share the weights, which pass by in chunks of SwiGLU units, three stages of copies deep. Backward
 * the same: dact^T = ds^T W_out, dx^T = ds^T + dG^T W_g + dU^T W_u use the same chunks, read
 * across.
 *
 * L is padded to LP = 16 K. Rows of weights behind L or FL and positions behind L are zeros in the
 * tiles, so they add nothing. Sums: one warp each, in one order.
 *
 * Why these sizes: an ldmatrix of 512 bytes serves four products of 2 * 2048 operations (forward),
 * 4096 operations per cycle of shared memory, about what the matrix units take; with 16 channels a
 * warp it would be half. The registers (x^T 8 K, out^T 16 K, G and U 32 of a lane's 255) allow two
 * blocks of four warps per multiprocessor, which hide each other's begin and end. Weights come from
 * the second-level cache: 6 L FL bytes per row and 128 channels, at L = 97, FL = 512, D = 512 1.2
 * MB for 152 MFLOP, a quarter of what an H100 reads from it in the time that the products take. */
#include "mixer.cuh"

#include "tile.cuh"

namespace {

enum {
  WARPS = 4,
  THREADS = WARPS * WARP,
  OWN = 32, /* channels of a warp: M operands of 16 */
  M = OWN / 16,
  CHANNELS = WARPS * OWN, /* of a block */
  XS = CHANNELS + 8,      /* elements between positions of a tile [LP][CHANNELS] */
  STAGES = 3
};

/* A chunk of F SwiGLU units in shared memory: W_g [F][LS], W_u [F][LS], W_out [16 K][FS]. */
template <int K, int F>
struct chunk_plan {
  static constexpr int LP = 16 * K, LS = LP + 8, FS = F + 8, UP = F * LS, OUT = 2 * UP,
                       SIZE = OUT + LP * FS;
};

struct weights {
  const bf16 *in, *out; /* [2 FL, ld_in], [L, ld_out] */
  int ld_in, ld_out, L, FL;
};

/* The block copies the chunk of units f .. f + F; one group of copies, possibly empty. A thread's
 * copies lie a fixed number of rows apart, so that an address costs an instruction or two: the
 * products leave issue slots for little more. */
template <int K, int F>
__device__ __forceinline__ void load_chunk(bf16 *s, const weights &w, int f) {
  typedef chunk_plan<K, F> plan;
  constexpr int ALONG = 2 * K, ACROSS = F / 8, OUT_ROWS = THREADS / ACROSS;
  constexpr int MOST = K <= 2 ? 32 : K <= 4 ? 16 : 8, ROWS = MOST < F ? MOST : F;
  static_assert(ROWS * ALONG <= THREADS && F % ROWS == 0, "rows per step");
  const int t = (int)threadIdx.x;

  /* Rows of W_in: gates f .. f + F, and their ups; then columns of W_out. */
  if (f < w.FL) {
    const int row = t / ALONG, col = t % ALONG * 8, at = (f + row) * w.ld_in + col;
    const int rows = col < w.ld_in ? w.FL - f - row : 0;
    if (row < ROWS) {
#pragma unroll
      for (int i = 0; i < F; i += ROWS) {
        bf16 *to = s + (row + i) * plan::LS + col;
        copy_async(to, w.in + at + i * w.ld_in, i >= rows);
        copy_async(to + plan::UP, w.in + at + (w.FL + i) * w.ld_in, i >= rows);
      }
    }

    const int l = t / ACROSS, unit = t % ACROSS * 8, from = l * w.ld_out + f + unit;
    const int positions = f + unit < w.ld_out ? w.L - l : 0;
#pragma unroll
    for (int i = 0; i < plan::LP; i += OUT_ROWS)
      if (i + OUT_ROWS <= plan::LP || l + i < plan::LP)
        copy_async(s + plan::OUT + (l + i) * plan::FS + unit, w.out + from + i * w.ld_out,
                   i >= positions);
  }
  copy_commit();
}

/* The block copies n of its channels at all L positions to a tile [LP][XS]. */
template <int K>
__device__ __forceinline__ void load_positions(bf16 *s, const bf16 *x, int L, int D, int n) {
  for (int i = (int)threadIdx.x; i < 16 * K * CHANNELS / 8; i += THREADS) {
    int l = i / (CHANNELS / 8), col = i % (CHANNELS / 8) * 8;
    bool valid = l < L && col < n;
    copy_async(s + l * XS + col, valid ? x + (int64_t)l * D + col : x, !valid);
  }
  copy_commit();
}
/* A warp writes its channels of such a tile, n of them, to g. */
__device__ __forceinline__ void write_positions(const bf16 *s, bf16 *g, int L, int64_t ld, int n) {
  for (int i = lane_id(); i < L * OWN / 8; i += WARP) {
    int l = i / (OWN / 8), col = i % (OWN / 8) * 8;
    if (col < n)
      *reinterpret_cast<uint4 *>(g + l * ld + col) =
          *reinterpret_cast<const uint4 *>(s + l * XS + col);
  }
}

/* The values of an operand from a tile, as accumulators of a result with positions as columns. */
template <int K>
__device__ __forceinline__ void unpack(float (&c)[M][2 * K][4], int m, int k,
                                       const operand<bf16> &a) {
#pragma unroll
  for (int e = 0; e < 4; e++) {
    c[m][2 * k + e / 2][e % 2 * 2] = pair_low(a.r[e]);
    c[m][2 * k + e / 2][e % 2 * 2 + 1] = pair_high(a.r[e]);
  }
}
/* A result with positions as columns, times a factor per channel, to a warp's part of a tile. */
template <int K>
__device__ __forceinline__ void store_positions(bf16 *s, const float (&c)[M][2 * K][4],
                                                const float (&scale)[M][2]) {
  const int lane = lane_id();
#pragma unroll
  for (int m = 0; m < M; m++)
#pragma unroll
    for (int n = 0; n < 2 * K; n++)
#pragma unroll
      for (int e = 0; e < 4; e++)
        s[(8 * n + lane % 4 * 2 + e % 2) * XS + 16 * m + e / 2 * 8 + lane / 4] =
            from_float<bf16>(c[m][n][e] * scale[m][e / 2]);
}

/* c[m] += A B^T for the two tiles of columns that one ldmatrix brings. */
__device__ __forceinline__ void mma_pair(float (&c)[M][2][4], const operand<bf16> (&a)[M],
                                         const uint32_t (&b)[4]) {
#pragma unroll
  for (int m = 0; m < M; m++) {
    mma(c[m][0], a[m].r, b[0], b[1]);
    mma(c[m][1], a[m].r, b[2], b[3]);
  }
}
/* Gates and ups of 16 units: `gate` and `up` are their rows of W_in. */
template <int K>
__device__ __forceinline__ void gates_and_ups(float (&g)[M][2][4], float (&u)[M][2][4],
                                              const operand<bf16> (&x)[K][M], const bf16 *gate,
                                              const bf16 *up) {
#pragma unroll
  for (int k = 0; k < K; k++) {
    uint32_t b[4];
    load_b_along(b, gate + 16 * k, 16 * K + 8);
    mma_pair(g, x[k], b);
    load_b_along(b, up + 16 * k, 16 * K + 8);
    mma_pair(u, x[k], b);
  }
}

enum { FORWARD_UNITS = 32 };

template <int K>
__global__ void __launch_bounds__(THREADS, 2)
    forward_kernel(const bf16 *x, bf16 *y, weights w, float *inv, int D, float eps) {
  typedef chunk_plan<K, FORWARD_UNITS> plan;
  static_assert(16 * K * XS <= 2 * plan::SIZE, "the input fits where two chunks go");
  TRM_SHARED(bf16, shared);
  const int groups = (D + CHANNELS - 1) / CHANNELS, first = (int)(blockIdx.x % groups) * CHANNELS;
  const int warp = (int)threadIdx.x / WARP, lane = lane_id(), own = warp * OWN;
  const int n = D - first - own; /* channels of the warp that exist, or more */
  const int64_t row = blockIdx.x / groups, at = row * w.L * D + first;
  bf16 *tile = shared + plan::SIZE;
  load_positions<K>(tile, x + at, w.L, D, D - first);
  load_chunk<K, FORWARD_UNITS>(shared, w, 0);
  copy_wait<1>();
  __syncthreads();
  operand<bf16> xt[K][M];
  float out[M][2 * K][4];
#pragma unroll
  for (int k = 0; k < K; k++)
#pragma unroll
    for (int m = 0; m < M; m++) {
      load_across(xt[k][m], tile + 16 * k * XS + own + 16 * m, XS);
      unpack<K>(out, m, k, xt[k][m]);
    }
  __syncthreads();
  load_chunk<K, FORWARD_UNITS>(shared + plan::SIZE, w, FORWARD_UNITS);
  for (int f = 0, stage = 0; f < w.FL; f += FORWARD_UNITS, stage = (stage + 1) % STAGES) {
    copy_wait<1>();
    __syncthreads(); /* this chunk is there, and nobody reads the one before any more */
    load_chunk<K, FORWARD_UNITS>(shared + (stage + 2) % STAGES * plan::SIZE, w,
                                 f + 2 * FORWARD_UNITS);
    if (n <= 0) continue;
    const bf16 *s = shared + stage * plan::SIZE;
#pragma unroll 1
    for (int i = 0; i < FORWARD_UNITS; i += 16) {
      float g[M][2][4] = {}, u[M][2][4] = {};
      gates_and_ups<K>(g, u, xt, s + i * plan::LS, s + plan::UP + i * plan::LS);
      operand<bf16> act[M];
#pragma unroll
      for (int m = 0; m < M; m++) {
#pragma unroll
        for (int j = 0; j < 2; j++)
#pragma unroll
          for (int e = 0; e < 4; e += 2) {
            float s0, s1;
            sigmoids(g[m][j][e], g[m][j][e + 1], s0, s1);
            g[m][j][e] *= s0 * u[m][j][e];
            g[m][j][e + 1] *= s1 * u[m][j][e + 1];
          }
        pack(act[m], g[m][0], g[m][1]);
      }
      mma_along(out, act, s + plan::OUT + i, plan::FS);
    }
  }
  copy_wait<0>();
  __syncthreads();
  if (n <= 0) return;
  float scale[M][2];
#pragma unroll
  for (int m = 0; m < M; m++)
#pragma unroll
    for (int r = 0; r < 2; r++) {
      float sum = 0;
#pragma unroll
      for (int k = 0; k < 2 * K; k++)
        sum += out[m][k][2 * r] * out[m][k][2 * r] + out[m][k][2 * r + 1] * out[m][k][2 * r + 1];
      sum += __shfl_xor_sync(0xffffffffu, sum, 1);
      sum += __shfl_xor_sync(0xffffffffu, sum, 2);
      int c = 16 * m + 8 * r + lane / 4;
      scale[m][r] = rsqrtf(sum / (float)w.L + eps);
      if (inv && lane % 4 == 0 && c < n) inv[row * D + first + own + c] = scale[m][r];
    }
  store_positions<K>(shared + own, out, scale);
  __syncwarp();
  write_positions(shared + own, y + at + own, w.L, D, n);
}

enum { BACKWARD_UNITS = 16, STAGING = 40 /* elements between units of a warp's [16][OWN] */ };

template <int K>
struct backward_plan {
  typedef chunk_plan<K, BACKWARD_UNITS> chunk;
  static constexpr int TILE = 16 * K * XS, STAGED = WARPS * 16 * STAGING,
                       REST = STAGES * chunk::SIZE + STAGED,
                       SHARED = (TILE + (TILE > REST ? TILE : REST)) * (int)sizeof(bf16);
  static_assert(SHARED <= TILE_MOST_SHARED, "shared memory");
};

/* A warp's tile of dy -> ds = inv (dy - y mean(dy y)): half of the positions of two channels a
 * lane. inv: of the warp's first channel, n of them valid. */
__device__ __forceinline__ void norm_gradient(bf16 *dy, const bf16 *y, const float *inv, int L,
                                              int n) {
  const int c = lane_id() % 16 * 2, half = lane_id() / 16;
  float low = 0, high = 0;
  for (int l = half; l < L; l += 2) {
    uint32_t g = *reinterpret_cast<const uint32_t *>(dy + l * XS + c);
    uint32_t v = *reinterpret_cast<const uint32_t *>(y + l * XS + c);
    low += pair_low(g) * pair_low(v);
    high += pair_high(g) * pair_high(v);
  }

  /* mean(dy y) of both halves */
  low = (low + __shfl_xor_sync(0xffffffffu, low, 16)) / (float)L;
  high = (high + __shfl_xor_sync(0xffffffffu, high, 16)) / (float)L;

  const float inv_low = c < n ? inv[c] : 0, inv_high = c < n ? inv[c + 1] : 0;
  for (int l = half; l < L; l += 2) {
    uint32_t *at = reinterpret_cast<uint32_t *>(dy + l * XS + c);
    uint32_t v = *reinterpret_cast<const uint32_t *>(y + l * XS + c);
    *at = pack_pair(inv_low * (pair_low(*at) - pair_low(v) * low),
                    inv_high * (pair_high(*at) - pair_high(v) * high));
  }
}

/* 16 units of a warp's channels [channel][unit] -> rows of g [unit][ld], `units` and n valid. */
__device__ __forceinline__ void write_units(bf16 *staging, const operand<bf16> (&a)[M], bf16 *g,
                                            int64_t ld, int units, int n) {
  const int lane = lane_id();
  __syncwarp();
#pragma unroll
  for (int m = 0; m < M; m++)
#pragma unroll
    for (int e = 0; e < 4; e++) {
      bf16 *at = staging + (e / 2 * 8 + lane % 4 * 2) * STAGING + 16 * m + e % 2 * 8 + lane / 4;
      const unsigned short low = (unsigned short)a[m].r[e],
                           high = (unsigned short)(a[m].r[e] >> 16);
      *reinterpret_cast<unsigned short *>(at) = low;
      *reinterpret_cast<unsigned short *>(at + STAGING) = high;
    }

  /* Rows of the staging area, 16 bytes a lane. */
  __syncwarp();
#pragma unroll
  for (int i = 0; i < 2; i++) {
    int f = lane / 4 + 8 * i, col = lane % 4 * 8;
    if (f < units && col < n)
      *reinterpret_cast<uint4 *>(g + f * ld + col) =
          *reinterpret_cast<const uint4 *>(staging + f * STAGING + col);
  }
}

/* Gates, ups and the gradient of the activation -> their gradients and the activation. */
__device__ __forceinline__ void swiglu_gradient(float (&g)[M][2][4], float (&u)[M][2][4],
                                                float (&da)[M][2][4]) {
#pragma unroll
  for (int m = 0; m < M; m++)
#pragma unroll
    for (int j = 0; j < 2; j++)
#pragma unroll
      for (int e = 0; e < 4; e += 2) {
        float s[2];
        sigmoids(g[m][j][e], g[m][j][e + 1], s[0], s[1]);
#pragma unroll
        for (int i = e; i < e + 2; i++)
          swiglu_back(g[m][j][i], u[m][j][i], da[m][j][i], s[i - e], da[m][j][i], g[m][j][i],
                      u[m][j][i]);
      }
}

struct gradients {
  bf16 *dh, *ds, *xt, *act, *dgu;
};

template <int K>
__global__ void __launch_bounds__(THREADS, 2)
    backward_kernel(const bf16 *x, const bf16 *y, const float *inv, weights w, gradients o, int D,
                    int64_t N) {
  typedef backward_plan<K> plan;
  typedef chunk_plan<K, BACKWARD_UNITS> chunk;
  TRM_SHARED(bf16, ds);
  bf16 *rest = ds + plan::TILE;
  const int groups = (D + CHANNELS - 1) / CHANNELS, first = (int)(blockIdx.x % groups) * CHANNELS;
  const int warp = (int)threadIdx.x / WARP, own = warp * OWN, n = D - first - own;
  const int64_t row = blockIdx.x / groups, at = row * w.L * D + first;
  const int64_t column = row * D + first + own; /* of the warp's first channel */
  load_positions<K>(ds, o.dh + at, w.L, D, D - first);
  load_positions<K>(rest, y + at, w.L, D, D - first);
  copy_wait<0>();
  __syncthreads();
  if (n > 0) norm_gradient(ds + own, rest + own, inv + column, w.L, n);
  __syncthreads();
  load_positions<K>(rest, x + at, w.L, D, D - first);
  write_positions(ds + own, o.ds + column, w.L, N, n);
  copy_wait<0>();
  __syncthreads();
  write_positions(rest + own, o.xt + column, w.L, N, n);
  operand<bf16> xt[K][M];
  float dx[M][2 * K][4];
#pragma unroll
  for (int k = 0; k < K; k++)
#pragma unroll
    for (int m = 0; m < M; m++) {
      load_across(xt[k][m], rest + 16 * k * XS + own + 16 * m, XS);
      operand<bf16> a;
      load_across(a, ds + 16 * k * XS + own + 16 * m, XS);
      unpack<K>(dx, m, k, a);
    }
  __syncthreads();
  bf16 *staging = rest + STAGES * chunk::SIZE + warp * 16 * STAGING;
  load_chunk<K, BACKWARD_UNITS>(rest, w, 0);
  load_chunk<K, BACKWARD_UNITS>(rest + chunk::SIZE, w, BACKWARD_UNITS);
  for (int f = 0, stage = 0; f < w.FL; f += BACKWARD_UNITS, stage = (stage + 1) % STAGES) {
    copy_wait<1>();
    __syncthreads(); /* this chunk is there, and nobody reads the one before any more */
    load_chunk<K, BACKWARD_UNITS>(rest + (stage + 2) % STAGES * chunk::SIZE, w,
                                  f + 2 * BACKWARD_UNITS);
    if (n <= 0) continue;
    const bf16 *s = rest + stage * chunk::SIZE;
    float da[M][2][4] = {}, g[M][2][4] = {}, u[M][2][4] = {};
#pragma unroll
    for (int k = 0; k < K; k++) {
      operand<bf16> a[M];
      uint32_t b[4];
#pragma unroll
      for (int m = 0; m < M; m++) load_across(a[m], ds + 16 * k * XS + own + 16 * m, XS);
      load_b_across(b, s + chunk::OUT + 16 * k * chunk::FS, chunk::FS);
      mma_pair(da, a, b);
    }
    gates_and_ups<K>(g, u, xt, s, s + chunk::UP);
    swiglu_gradient(g, u, da);
    const int units = w.FL - f;
    operand<bf16> a[M];
#pragma unroll
    for (int m = 0; m < M; m++) pack(a[m], da[m][0], da[m][1]);
    write_units(staging, a, o.act + f * N + column, N, units, n);
#pragma unroll
    for (int m = 0; m < M; m++) pack(a[m], g[m][0], g[m][1]);
    mma_across(dx, a, s, chunk::LS);
    write_units(staging, a, o.dgu + f * N + column, N, units, n);
#pragma unroll
    for (int m = 0; m < M; m++) pack(a[m], u[m][0], u[m][1]);
    mma_across(dx, a, s + chunk::UP, chunk::LS);
    write_units(staging, a, o.dgu + (w.FL + f) * N + column, N, units, n);
  }
  copy_wait<0>();
  if (n <= 0) return;
  /* Only this warp reads its channels of ds. */
  const float one[M][2] = {{1, 1}, {1, 1}};
  __syncwarp();
  store_positions<K>(ds + own, dx, one);
  __syncwarp();
  write_positions(ds + own, o.dh + at + own, w.L, D, n);
}

template <int K>
void run_forward(const bf16 *x, bf16 *y, weights w, float *inv, int b, int D, float eps,
                 cudaStream_t stream) {
  unsigned blocks = (unsigned)(b * divide_up(D, CHANNELS));
  launch_large(forward_kernel<K>, dim3(blocks), dim3(THREADS),
               STAGES * chunk_plan<K, FORWARD_UNITS>::SIZE * sizeof(bf16), stream, x, y, w, inv, D,
               eps);
}
template <int K>
void run_backward(const bf16 *x, const bf16 *y, const float *inv, weights w, gradients o, int b,
                  int D, cudaStream_t stream) {
  unsigned blocks = (unsigned)(b * divide_up(D, CHANNELS));
  launch_large(backward_kernel<K>, dim3(blocks), dim3(THREADS), backward_plan<K>::SHARED, stream, x,
               y, inv, w, o, D, (int64_t)b * D);
}

}  // namespace

/* Sizes beyond these bounds are refused alone; shared memory is below TILE_MOST_SHARED for all. */
bool mixer_fused_fits(int L, int D, int FL) {
  return L >= 1 && L <= MIXER_FUSED_MOST_L && D % 8 == 0 && FL >= 1;
}

void mixer_fused_forward(const bf16 *x, bf16 *y, const bf16 *w_in, int ld_in, const bf16 *w_out,
                         int ld_out, float *inv, int b, int L, int D, int FL, float eps,
                         cudaStream_t stream) {
  const weights w = {w_in, w_out, ld_in, ld_out, L, FL};
  if (L <= 32)
    run_forward<2>(x, y, w, inv, b, D, eps, stream);
  else if (L <= 64)
    run_forward<4>(x, y, w, inv, b, D, eps, stream);
  else if (L <= 96)
    run_forward<6>(x, y, w, inv, b, D, eps, stream);
  else if (L <= 112)
    run_forward<7>(x, y, w, inv, b, D, eps, stream);
  else
    run_forward<8>(x, y, w, inv, b, D, eps, stream);
}

void mixer_fused_backward(const bf16 *x, const bf16 *y, const float *inv, const bf16 *w_in,
                          int ld_in, const bf16 *w_out, int ld_out, bf16 *dh, bf16 *ds, bf16 *xt,
                          bf16 *act, bf16 *dgu, int b, int L, int D, int FL, cudaStream_t stream) {
  const weights w = {w_in, w_out, ld_in, ld_out, L, FL};
  const gradients o = {dh, ds, xt, act, dgu};
  if (L <= 32)
    run_backward<2>(x, y, inv, w, o, b, D, stream);
  else if (L <= 64)
    run_backward<4>(x, y, inv, w, o, b, D, stream);
  else if (L <= 96)
    run_backward<6>(x, y, inv, w, o, b, D, stream);
  else if (L <= 112)
    run_backward<7>(x, y, inv, w, o, b, D, stream);
  else
    run_backward<8>(x, y, inv, w, o, b, D, stream);
}
