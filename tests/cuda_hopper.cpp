/* What kernels for compute capability 9.0 take for granted of src/backend/cuda/hopper/hopper.cuh:
 * tiles, products by warp groups, barriers, copies in bulk and clusters. It runs on tests/hostcuda
 * and, compiled by nvcc for sm_90a, on a GPU. What only the emulation does is in
 * test_hostcuda_hopper.cpp. */
#include "backend/cuda/hopper/hopper.cuh"
#include "device_array.h"

static std::vector<bf16> matrix(int rows, int deep, int seed) {
  std::vector<bf16> m((size_t)rows * deep);
  for (int i = 0; i < rows * deep; i++) m[i] = from_float<bf16>(small(5 * i + seed));
  return m;
}
/* a [m, deep] b [n, deep] transposed. */
static std::vector<float> product_of(const std::vector<bf16> &a, const std::vector<bf16> &b, int m,
                                     int n, int deep) {
  std::vector<float> c((size_t)m * n), fa(a.size()), fb(b.size());
  for (size_t i = 0; i < a.size(); i++) fa[i] = to_float(a[i]);
  for (size_t i = 0; i < b.size(); i++) fb[i] = to_float(b[i]);
  for (int i = 0; i < m; i++)
    for (int j = 0; j < n; j++)
      for (int k = 0; k < deep; k++) c[i * n + j] += fa[i * deep + k] * fb[j * deep + k];
  return c;
}
static void assert_same(const std::vector<float> &got, const std::vector<float> &want) {
  assert_int_equal(got.size(), want.size());
  for (size_t i = 0; i < got.size(); i++)
    if (got[i] != want[i]) fail_msg("value %zu: %g, not %g", i, got[i], want[i]);
}

enum { A_ROWS = 64, B_ROWS = 128, A_TILE = A_ROWS * TILE_ROW, B_TILE = B_ROWS * TILE_ROW };

/* The first address from p on where a tile may start. */
__device__ inline unsigned char *tiles_from(unsigned char *p) {
  return p + (TILE_ALIGNMENT - shared_address(p) % TILE_ALIGNMENT) % TILE_ALIGNMENT;
}
/* 64 values deep of rows that are `stride` values long into a tile, by the threads of a block. */
__device__ inline void store_tile(unsigned char *tile, const bf16 *from, int rows, int stride) {
  for (int i = threadIdx.x; i < rows * TILE_DEEP; i += blockDim.x) {
    const int r = i / TILE_DEEP, k = i % TILE_DEEP;
    *reinterpret_cast<bf16 *>(tile + tile_chunk(r, k / 8) + k % 8 * 2) = from[r * stride + k];
  }
}
__device__ inline void copy_tile(unsigned char *tile, const bf16 *from, int rows, int stride) {
  for (int i = threadIdx.x; i < rows * 8; i += blockDim.x)
    copy_async(tile + tile_chunk(i / 8, i % 8), from + i / 8 * stride + i % 8 * 8, false);
  copy_commit();
  copy_wait<0>();
}
/* 64 deep, in four steps. */
__device__ inline void multiply_tiles(sums<128> &d, const unsigned char *a, const unsigned char *b,
                                      bool accumulate) {
  const uint32_t at_a = shared_address(a), at_b = shared_address(b);
  for (int k = 0; k < TILE_DEEP / 16; k++)
    group_product(d, tile_descriptor(at_a + 32 * k), tile_descriptor(at_b + 32 * k),
                  accumulate || k > 0);
}
/* 64 rows of the warp group, from `to` on. */
__device__ inline void store_sums(const sums<128> &d, float *to, int stride) {
  const int warp = threadIdx.x % WARP_GROUP / 32, lane = threadIdx.x % 32;
  for (int i = 0; i < 64; i++) {
    const int row = 16 * warp + lane / 4 + i % 4 / 2 * 8, col = i / 4 * 8 + lane % 4 * 2 + i % 2;
    to[row * stride + col] = d.c[i];
  }
}

/* --- products ---------------------------------------------------------------------------- */

/* A block of two warp groups, 64 rows each, one tile after the other. With `given` the sums start
 * from what `out` has. */
template <bool ASYNC>
__global__ void product_kernel(const bf16 *a, const bf16 *b, float *out, int deep, bool given) {
  TRM_SHARED(unsigned char, memory);
  unsigned char *tiles = tiles_from(memory);
  const int group = threadIdx.x / WARP_GROUP;
  sums<128> d;

  /* Sums start from nonsense, which the first product ignores, or from those given. */
  for (int i = 0; i < 64; i++) d.c[i] = 1e9f;
  if (given) {
    const int warp = threadIdx.x % WARP_GROUP / 32, lane = threadIdx.x % 32;
    for (int i = 0; i < 64; i++)
      d.c[i] = out[(64 * group + 16 * warp + lane / 4 + i % 4 / 2 * 8) * B_ROWS + i / 4 * 8 +
                   lane % 4 * 2 + i % 2];
  }

  /* A tile of both operands at a time, by asynchronous copies or by plain stores. */
  for (int k = 0; k < deep; k += TILE_DEEP) {
    __syncthreads();
    if (ASYNC) {
      copy_tile(tiles, a + k, 2 * A_ROWS, deep);
      copy_tile(tiles + 2 * A_TILE, b + k, B_ROWS, deep);
    } else {
      store_tile(tiles, a + k, 2 * A_ROWS, deep);
      store_tile(tiles + 2 * A_TILE, b + k, B_ROWS, deep);
    }
    proxy_fence();
    __syncthreads();

    /* The group multiplies it, and waits until it may be written over. */
    pin(d);
    group_begin();
    multiply_tiles(d, tiles + group * A_TILE, tiles + 2 * A_TILE, k > 0 || given);
    group_commit();
    group_wait<0>();
    pin(d);
  }
  store_sums(d, out + 64 * group * B_ROWS, B_ROWS);
}
static const size_t product_shared = 2 * A_TILE + B_TILE + TILE_ALIGNMENT;

template <bool ASYNC>
static void check_products(void) {
  (void)cudaFuncSetAttribute(reinterpret_cast<const void *>(product_kernel<ASYNC>),
                             cudaFuncAttributeMaxDynamicSharedMemorySize, (int)product_shared);
  for (const int deep : {64, 192})
    for (const bool given : {false, true}) {
      const std::vector<bf16> a = matrix(128, deep, 1), b = matrix(128, deep, 2);
      std::vector<float> start(128 * 128), want = product_of(a, b, 128, 128, deep);
      for (int i = 0; i < 128 * 128; i++) start[i] = 0.25f * small(i);
      for (int i = 0; given && i < 128 * 128; i++) want[i] += start[i];
      array<bf16> ga(a), gb(b);
      array<float> out(start);
      launch(product_kernel<ASYNC>, 1, 256, product_shared, NULL, ga.at, gb.at, out.at, deep,
             given);
      assert_same(out.read(), want);
    }
}
static void test_products(void **) {
  check_products<false>();
}
static void test_products_of_copies(void **) {
  check_products<true>();
}

/* Every thread's accumulators as they are: row and column of A = row numbers, B = one 1. */
__global__ void layout_kernel(float *out) {
  TRM_SHARED(unsigned char, memory);
  unsigned char *a = tiles_from(memory), *b = a + A_TILE;
  sums<128> row, col;
  for (int i = threadIdx.x; i < (A_TILE + B_TILE) / 2; i += blockDim.x)
    reinterpret_cast<bf16 *>(a)[i] = from_float<bf16>(0);
  __syncthreads();

  /* The first product gives an element's row, the second, 16 deep further on, its column. */
  bf16 *value = reinterpret_cast<bf16 *>(b + tile_chunk(threadIdx.x, 0));
  value[0] = from_float<bf16>(1);                  /* all columns of deep 0 */
  value[1] = from_float<bf16>((float)threadIdx.x); /* deep 1: the column's number */
  value = reinterpret_cast<bf16 *>(a + tile_chunk(threadIdx.x % 64, 0));
  value[0] = from_float<bf16>((float)(threadIdx.x % 64));
  value = reinterpret_cast<bf16 *>(a + tile_chunk(threadIdx.x % 64, 2)); /* the next 16 deep */
  value[1] = from_float<bf16>(1);
  value = reinterpret_cast<bf16 *>(b + tile_chunk(threadIdx.x, 2));
  value[1] = from_float<bf16>((float)threadIdx.x);
  proxy_fence();
  __syncthreads();

  /* The second begins 32 bytes further on. */
  const uint64_t at_a = tile_descriptor(shared_address(a));
  const uint64_t at_b = tile_descriptor(shared_address(b));
  group_begin();
  group_product(row, at_a, at_b, false);
  group_commit();
  group_product(col, tile_descriptor(shared_address(a) + 32),
                tile_descriptor(shared_address(b) + 32), false);
  group_commit();
  group_wait<1>(); /* the first can be read while the second is under way */

  /* Row numbers on even places, column numbers on odd ones. */
  pin(row);
  for (int i = 0; i < 64; i++) out[128 * threadIdx.x + 2 * i] = row.c[i];
  group_wait<0>();
  pin(col);
  for (int i = 0; i < 64; i++) out[128 * threadIdx.x + 2 * i + 1] = col.c[i];
}
static void test_accumulators(void **) {
  array<float> out(128 * 128);
  launch(layout_kernel, 1, 128, A_TILE + B_TILE + TILE_ALIGNMENT, NULL, out.at);
  const std::vector<float> got = out.read();
  for (int t = 0; t < 128; t++)
    for (int j = 0; j < 16; j++)
      for (int e = 0; e < 4; e++) {
        const float *pair = &got[128 * t + 2 * (4 * j + e)];
        assert_true(pair[0] == (float)(t / 32 * 16 + t % 32 / 4 + 8 * (e / 2)));
        assert_true(pair[1] == (float)(8 * j + 2 * (t % 4) + e % 2));
      }
}

/* A in registers, B of N rows: 64 x N x 64. The threads of the warp group meet by themselves. */
template <int N>
__global__ void registers_kernel(const bf16 *a, const bf16 *b, float *out) {
  TRM_SHARED(unsigned char, memory);
  unsigned char *tile = tiles_from(memory);
  const int lane = threadIdx.x % 32, row = threadIdx.x / 32 * 16 + lane / 4;
  sums<N> d;
  uint32_t pairs[4][4];

  /* B goes to shared memory, A to where each thread holds its values of it. */
  store_tile(tile, b, N, TILE_DEEP);
  proxy_fence();
  group_sync();
  for (int k = 0; k < 4; k++)
    for (int i = 0; i < 4; i++) {
      const bf16 *at = a + (row + i % 2 * 8) * TILE_DEEP + 16 * k + lane % 4 * 2 + i / 2 * 8;
      pairs[k][i] = pack_pair(to_float(at[0]), to_float(at[1]));
    }

  /* Four products of 16 deep. */
  group_begin();
#pragma unroll
  for (int k = 0; k < 4; k++)
    group_product(d, pairs[k], tile_descriptor(shared_address(tile) + 32 * k), k > 0);
  group_commit();
  group_wait<0>();
  pin(d);
  for (int i = 0; i < N / 2; i++)
    out[(row + i % 4 / 2 * 8) * N + i / 4 * 8 + lane % 4 * 2 + i % 2] = d.c[i];
}
template <int N>
static void check_registers(void) {
  const std::vector<bf16> a = matrix(64, 64, 5), b = matrix(N, 64, 6);
  array<bf16> ga(a), gb(b);
  array<float> out(64 * N);
  launch(registers_kernel<N>, 1, 128, N * TILE_ROW + TILE_ALIGNMENT, NULL, (const bf16 *)ga.at,
         (const bf16 *)gb.at, out.at);
  assert_same(out.read(), product_of(a, b, 64, N, 64));
}
static void test_products_of_registers(void **) {
  check_registers<64>();
  check_registers<96>();
  check_registers<112>();
  check_registers<128>();
}

/* --- clusters ---------------------------------------------------------------------------- */

__global__ void rank_kernel(unsigned *out) {
  TRM_SHARED(unsigned char, memory);
  cluster_sync();
  if (threadIdx.x == 0) {
    out[2 * blockIdx.x] = cluster_rank();
    out[2 * blockIdx.x + 1] = shared_address(memory);
  }
}
static void test_clusters(void **) {
  for (const unsigned n : {1u, 2u, 4u, 8u}) {
    array<unsigned> out(32);
    launch_clusters(rank_kernel, 16, n, 64, 4096, NULL, out.at);
    const std::vector<unsigned> got = out.read();
    for (unsigned i = 0; i < 16; i++) {
      assert_int_equal(got[2 * i], i % n);
      assert_int_equal(got[2 * i + 1], got[1]);
    }
  }
  array<unsigned> out(64);
  launch_clusters(rank_kernel, 15, 2, 64, 4096, NULL, out.at);
  assert_int_not_equal(cudaGetLastError(), cudaSuccess);
  launch_clusters(rank_kernel, 32, 32, 64, 4096, NULL, out.at);
  assert_int_not_equal(cudaGetLastError(), cudaSuccess);
  ok(cudaDeviceSynchronize());
}

enum { ROUNDS = 7, SLOTS = 2, HALF = 1024 /* bytes of a slot that a block brings */ };

/* Rounds of two halves, which each of two blocks brings to both. Each writes what it saw. */
__global__ void ring_kernel(const unsigned char *from, unsigned char *out) {
  TRM_SHARED(unsigned char, memory);
  uint64_t *full = reinterpret_cast<uint64_t *>(memory + SLOTS * 2 * HALF), *empty = full + SLOTS;
  const unsigned rank = cluster_rank();

  /* A slot is full when both halves have come, and empty when four warps of both blocks have read
   * it. */
  if (threadIdx.x == 0) {
    for (int i = 0; i < SLOTS; i++) {
      barrier_init(&full[i], 1);
      barrier_init(&empty[i], 2 * 4);
    }
    barrier_init_fence();
  }
  cluster_sync();

  /* One thread of each block sends its half of every round to both. */
  if (threadIdx.x == 128) {
    prefetch(from);
    for (int r = 0; r < ROUNDS; r++) {
      const int s = r % SLOTS;
      barrier_wait(&empty[s], r / SLOTS % 2 ^ 1);
      barrier_expect(&full[s], 2 * HALF);
      copy_bulk(memory + (2 * s + rank) * HALF, from + (2 * r + rank) * HALF, HALF, &full[s], 3);
    }
  }

  /* Four warps read what came, and tell both blocks that the slot is free. */
  if (threadIdx.x < 128)
    for (int r = 0; r < ROUNDS; r++) {
      const int s = r % SLOTS;
      barrier_wait(&full[s], r / SLOTS % 2);
      for (int i = threadIdx.x; i < 2 * HALF; i += 128)
        out[(blockIdx.x * ROUNDS + r) * 2 * HALF + i] = memory[2 * s * HALF + i];
      __syncwarp();
      if (threadIdx.x % 32 < 2) barrier_arrive_at(&empty[s], threadIdx.x % 32);
    }

  /* No block ends while the other may write to it. */
  cluster_sync();
}
static void check_ring(unsigned clusters, cudaStream_t stream, const array<unsigned char> &from,
                       const array<unsigned char> &out) {
  launch_clusters(ring_kernel, 2 * clusters, 2, 160, SLOTS * 2 * HALF + SLOTS * 16, stream,
                  (const unsigned char *)from.at, out.at);
}
static void assert_ring(const std::vector<unsigned char> &sent,
                        const std::vector<unsigned char> &got) {
  for (size_t i = 0; i < got.size(); i++) assert_int_equal(got[i], sent[i % sent.size()]);
}
static std::vector<unsigned char> letters(void) {
  std::vector<unsigned char> bytes(ROUNDS * 2 * HALF);
  for (size_t i = 0; i < bytes.size(); i++) bytes[i] = (unsigned char)(i * 13 + i / 251);
  return bytes;
}
static void test_rings(void **) {
  const std::vector<unsigned char> sent = letters();
  array<unsigned char> from(sent), out(3 * 2 * sent.size());
  check_ring(3, NULL, from, out);
  assert_ring(sent, out.read());
}
static void test_graphs(void **) {
  const std::vector<unsigned char> sent = letters();
  array<unsigned char> from(sent), out(2 * sent.size());
  cudaStream_t stream;
  cudaGraph_t graph;
  cudaGraphExec_t exec;

  /* The launch of clusters is recorded as any other. */
  ok(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  ok(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  check_ring(1, stream, from, out);
  ok(cudaStreamEndCapture(stream, &graph));
  ok(cudaGraphInstantiate(&exec, graph, 0));

  /* Each launch of the graph does all rounds again. */
  for (int i = 0; i < 2; i++) {
    ok(cudaMemset(out.at, 0xff, out.n));
    ok(cudaDeviceSynchronize());
    ok(cudaGraphLaunch(exec, stream));
    ok(cudaStreamSynchronize(stream));
    assert_ring(sent, out.read());
  }
  ok(cudaGraphExecDestroy(exec));
  ok(cudaGraphDestroy(graph));
  ok(cudaStreamDestroy(stream));
}

/* Bytes that come before they are expected, and arrivals that come before the bytes. */
__global__ void early_kernel(const unsigned char *from, unsigned *out) {
  TRM_SHARED(unsigned char, memory);
  uint64_t *bar = reinterpret_cast<uint64_t *>(memory + 64);
  if (threadIdx.x == 0) barrier_init(bar, 33);
  __syncthreads();
  for (unsigned phase = 0; phase < 3; phase++) {
    if (threadIdx.x == 0) {
      copy_bulk(memory, from + 64 * phase, 64, bar, 1);
      barrier_expect(bar, 64);
    }
    if (threadIdx.x >= 32) barrier_arrive(bar);
    barrier_wait(bar, phase % 2);
    barrier_wait(bar, phase % 2); /* over, as long as the next one is not */
    out[64 * phase + threadIdx.x] = memory[threadIdx.x];
    __syncthreads();
  }
}
static void test_phases(void **) {
  const std::vector<unsigned char> sent = letters();
  array<unsigned char> from(sent);
  array<unsigned> out(3 * 64);
  launch(early_kernel, 1, 64, 80, NULL, (const unsigned char *)from.at, out.at);
  const std::vector<unsigned> got = out.read();
  for (size_t i = 0; i < got.size(); i++) assert_int_equal(got[i], sent[i]);
}

/* --- all together ------------------------------------------------------------------------ */

enum { STAGE = A_TILE + B_TILE };

/* The tiles [deep / 64][rows] of a matrix, as they lie in shared memory. */
static std::vector<bf16> packed(const std::vector<bf16> &m, int rows, int deep) {
  std::vector<bf16> out(m.size());
  for (int r = 0; r < rows; r++)
    for (int k = 0; k < deep; k++)
      out[(k / 64 * rows * TILE_ROW + tile_chunk(r, k % 64 / 8)) / 2 + k % 8] = m[r * deep + k];
  return out;
}

/* Block i of two: rows 64 i .. 64 i + 63 of a b^T. Each brings its rows of a for itself, and half
 * of b for both. One warp group copies, the other one multiplies, one product behind. */
__global__ void __launch_bounds__(256)
    pipeline_kernel(const unsigned char *a, const unsigned char *b, float *out, int tiles) {
  TRM_SHARED(unsigned char, memory);
  unsigned char *stages = tiles_from(memory);
  uint64_t *full = reinterpret_cast<uint64_t *>(stages + SLOTS * STAGE), *empty = full + SLOTS;
  const unsigned rank = cluster_rank();
  if (threadIdx.x == 0) {
    for (int i = 0; i < SLOTS; i++) {
      barrier_init(&full[i], 1);
      barrier_init(&empty[i], 2);
    }
    barrier_init_fence();
  }
  cluster_sync();
  if (threadIdx.x == WARP_GROUP)
    for (int t = 0; t < tiles; t++) {
      const int s = t % SLOTS;
      unsigned char *stage = stages + s * STAGE;
      const unsigned half = rank * B_TILE / 2;
      barrier_wait(&empty[s], t / SLOTS % 2 ^ 1);
      barrier_expect(&full[s], STAGE);
      copy_bulk(stage, a + (2 * t + rank) * A_TILE, A_TILE, &full[s], 1u << rank);
      copy_bulk(stage + A_TILE + half, b + t * B_TILE + half, B_TILE / 2, &full[s], 3);
    }
  if (threadIdx.x < WARP_GROUP) {
    sums<128> d;
    for (int t = 0; t < tiles; t++) {
      const int s = t % SLOTS;
      const unsigned char *stage = stages + s * STAGE;
      barrier_wait(&full[s], t / SLOTS % 2);
      pin(d);
      group_begin();
      multiply_tiles(d, stage, stage + A_TILE, t > 0);
      group_commit();
      group_wait<1>();
      pin(d);
      if (t > 0 && threadIdx.x < 2) barrier_arrive_at(&empty[(t - 1) % SLOTS], threadIdx.x);
    }
    group_wait<0>();
    pin(d);
    store_sums(d, out + blockIdx.x * A_ROWS * B_ROWS, B_ROWS);
  }
  cluster_sync();
}
static void test_pipelines(void **) {
  for (const int tiles : {1, 2, 3, 8}) {
    const int deep = 64 * tiles;
    const std::vector<bf16> a = matrix(128, deep, 3), b = matrix(128, deep, 4);
    array<bf16> ga(packed(a, 128, deep)), gb(packed(b, 128, deep));
    array<float> out(128 * 128);
    launch_clusters(pipeline_kernel, 2, 2, 256, SLOTS * STAGE + TILE_ALIGNMENT + 16 * SLOTS, NULL,
                    (const unsigned char *)ga.at, (const unsigned char *)gb.at, out.at, tiles);
    assert_same(out.read(), product_of(a, b, 128, 128, deep));
  }
}

int main(void) {
  int devices = 0;
  cudaDeviceProp prop;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0 ||
      cudaGetDeviceProperties(&prop, 0) != cudaSuccess || prop.major != 9 || prop.minor != 0) {
    puts("skipped: no CUDA device of compute capability 9.0");
    return 77;
  }
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_products),
                                     cmocka_unit_test(test_products_of_copies),
                                     cmocka_unit_test(test_products_of_registers),
                                     cmocka_unit_test(test_accumulators),
                                     cmocka_unit_test(test_clusters),
                                     cmocka_unit_test(test_rings),
                                     cmocka_unit_test(test_graphs),
                                     cmocka_unit_test(test_phases),
                                     cmocka_unit_test(test_pipelines)};
  return cmocka_run_group_tests_name("cuda_hopper", tests, NULL, NULL);
}
