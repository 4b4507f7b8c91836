/* What the CUDA backend takes for granted about threads, matrix units, copies, graphs and products.
 * It runs on tests/hostcuda and, compiled by nvcc, on a GPU: what the emulation claims can so be
 * checked against the hardware. What only the emulation does is in test_hostcuda.cpp. */
#include <cublasLt.h>

#include "backend/cuda/tile.cuh"
#include "device_array.h"

#define done(call) assert_int_equal(call, CUBLAS_STATUS_SUCCESS)

/* --- threads ----------------------------------------------------------------------------- */

__global__ void index_kernel(int *out) {
  const int thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  const int block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  out[block * 24 + thread] = 100 * block + thread;
}
static void test_indices(void **) {
  array<int> out(2 * 3 * 4 * 24);
  launch(index_kernel, dim3(2, 3, 4), dim3(4, 3, 2), 0, NULL, out.at);
  const std::vector<int> got = out.read();
  for (int i = 0; i < (int)got.size(); i++) assert_int_equal(got[i], i / 24 * 100 + i % 24);
}

__global__ void reduce_kernel(const float *x, float *sums, int *any) {
  __shared__ float part[96];
  TRM_SHARED(float, more);
  part[threadIdx.x] = x[blockIdx.x * 96 + threadIdx.x];
  more[95 - threadIdx.x] = 2 * part[threadIdx.x];
  __syncthreads();
  for (int n = 48; n >= 3; n /= 2) {
    if ((int)threadIdx.x < n) part[threadIdx.x] += part[threadIdx.x + n];
    __syncthreads();
  }
  const int odd = __syncthreads_or(more[threadIdx.x] == 6);
  if (threadIdx.x == 0) sums[blockIdx.x] = part[0] + part[1] + part[2];
  any[blockIdx.x * 96 + threadIdx.x] = odd != 0;
}
static void test_barriers(void **) {
  enum { BLOCKS = 20 };
  std::vector<float> x(BLOCKS * 96);
  for (int i = 0; i < (int)x.size(); i++) x[i] = (float)(i % 97 == 5 ? 3 : i % 2);
  array<float> from(x), sums(BLOCKS);
  array<int> any(BLOCKS * 96);
  launch(reduce_kernel, BLOCKS, 96, 96 * sizeof(float), NULL, from.at, sums.at, any.at);
  const std::vector<float> got = sums.read();
  const std::vector<int> found = any.read();
  for (int b = 0; b < BLOCKS; b++) {
    float want = 0;
    bool three = false;
    for (int i = 0; i < 96; i++) want += x[b * 96 + i];
    for (int i = 0; i < 96; i++) three |= x[b * 96 + i] == 3;
    assert_true(got[b] == want);
    for (int i = 0; i < 96; i++) assert_int_equal(found[b * 96 + i], three);
  }
}

struct Lanes {
  int from, down;
  float exchanged;
  double wide, total;
  unsigned odd;
  int any, none;
};
__global__ void lanes_kernel(Lanes *out) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  Lanes l;
  l.from = __shfl_sync(0xffffffffu, (int)threadIdx.x, 7);
  l.down = __shfl_down_sync(0xffffffffu, (int)threadIdx.x, 5);
  l.exchanged = __shfl_xor_sync(0xffffffffu, 0.5f + (float)lane, 9);
  l.wide = __shfl_sync(0xffffffffu, 1 / (1.0 + lane), (lane + 1) % 32);
  l.total = warp_sum((float)(lane + warp));
  l.odd = __ballot_sync(0xffffffffu, lane % 2);
  l.any = __any_sync(0xffffffffu, lane == 31);
  l.none = __any_sync(0xffffffffu, lane == 32);
  __syncwarp();
  out[threadIdx.x] = l;
}
static void test_lanes(void **) {
  array<Lanes> out(64);
  launch(lanes_kernel, 1, 64, 0, NULL, out.at);
  const std::vector<Lanes> got = out.read();
  for (int i = 0; i < 64; i++) {
    const int lane = i % 32, warp = i / 32;
    assert_int_equal(got[i].from, 32 * warp + 7);
    assert_int_equal(got[i].down, lane + 5 < 32 ? i + 5 : i);
    assert_true(got[i].exchanged == 0.5f + (float)(lane ^ 9));
    assert_true(got[i].wide == 1 / (1.0 + (lane + 1) % 32));
    assert_true(got[i].total == 31 * 16 + 32 * warp);
    assert_int_equal(got[i].odd, 0xaaaaaaaau);
    assert_int_equal(got[i].any != 0, 1);
    assert_int_equal(got[i].none, 0);
  }
}

/* --- matrix units ------------------------------------------------------------------------ */

enum { STRIDE = 24 /* values from row to row: 48 bytes */ };

template <bool TRANS>
__global__ void ldmatrix_kernel(const uint16_t *from, uint32_t *out) {
  __shared__ __align__(16) uint16_t tile[32 * STRIDE];
  for (int i = threadIdx.x; i < 32 * STRIDE; i += 32) tile[i] = from[i];
  __syncwarp();
  uint32_t r[4];
  ldmatrix4<TRANS>(r, reinterpret_cast<const bf16 *>(tile + threadIdx.x * STRIDE + 8));
  for (int k = 0; k < 4; k++) out[4 * threadIdx.x + k] = r[k];
}
/* Matrix k has its rows at the addresses of lanes 8k .. 8k + 7. */
static void test_ldmatrix(void **) {
  std::vector<uint16_t> from(32 * STRIDE);
  for (int i = 0; i < (int)from.size(); i++) from[i] = (uint16_t)(i + 1000);
  array<uint16_t> tile(from);
  array<uint32_t> plain(128), transposed(128);
  launch(ldmatrix_kernel<false>, 1, 32, 0, NULL, tile.at, plain.at);
  launch(ldmatrix_kernel<true>, 1, 32, 0, NULL, tile.at, transposed.at);
  const std::vector<uint32_t> got = plain.read(), across = transposed.read();
  for (int lane = 0; lane < 32; lane++)
    for (int k = 0; k < 4; k++)
      for (int half = 0; half < 2; half++) {
        const int a = lane / 4, b = lane % 4 * 2 + half;
        assert_int_equal(got[4 * lane + k] >> 16 * half & 0xffff,
                         from[(8 * k + a) * STRIDE + 8 + b]);
        assert_int_equal(across[4 * lane + k] >> 16 * half & 0xffff,
                         from[(8 * k + b) * STRIDE + 8 + a]);
      }
}

/* Fragments by the tables of the PTX manual, without ldmatrix: with g = lane / 4, t = lane % 4,
 * A's pairs are at (g, 2t), (g + 8, 2t), (g, 2t + 8), (g + 8, 2t + 8), B's down column g at rows 2t
 * and 2t + 8, and D's at (g, 2t), (g + 8, 2t). */
__global__ void mma_kernel(const float *a, const float *b, const float *c, float *d) {
  const int g = threadIdx.x / 4, t = threadIdx.x % 4 * 2;
  uint32_t ra[4], rb[2];
  for (int k = 0; k < 4; k++) {
    const float *at = a + (g + k % 2 * 8) * 16 + t + k / 2 * 8;
    ra[k] = pack_pair(at[0], at[1]);
  }
  for (int k = 0; k < 2; k++) {
    const float *at = b + (t + k * 8) * 8 + g;
    rb[k] = pack_pair(at[0], at[8]);
  }
  float rd[4];
  for (int k = 0; k < 4; k++) rd[k] = c[(g + k / 2 * 8) * 8 + t + k % 2];
  mma(rd, ra, rb[0], rb[1]);
  for (int k = 0; k < 4; k++) d[(g + k / 2 * 8) * 8 + t + k % 2] = rd[k];
}
static void test_mma(void **) {
  std::vector<float> a(16 * 16), b(16 * 8), c(16 * 8);
  for (int i = 0; i < 256; i++) a[i] = small(i);
  for (int i = 0; i < 128; i++) b[i] = small(3 * i + 1), c[i] = 0.25f * small(5 * i + 2);
  array<float> ga(a), gb(b), gc(c), gd(128);
  launch(mma_kernel, 1, 32, 0, NULL, ga.at, gb.at, gc.at, gd.at);
  const std::vector<float> got = gd.read();
  for (int i = 0; i < 16; i++)
    for (int j = 0; j < 8; j++) {
      float want = c[i * 8 + j];
      for (int k = 0; k < 16; k++) want += a[i * 16 + k] * b[k * 8 + j];
      assert_true(got[i * 8 + j] == want);
    }
}

/* --- asynchronous copies ----------------------------------------------------------------- */

/* Three groups of 16 bytes a thread, the last one of zeros. out: after the wait for the first, for
 * the second, for all. */
__global__ void copy_kernel(const float4 *from, float4 *out) {
  __shared__ float4 tile[3][32];
  const int i = threadIdx.x, other = 31 - i;
  for (int k = 0; k < 3; k++) tile[k][i] = make_float4(-1, -1, -1, -1);
  __syncthreads();
  for (int k = 0; k < 3; k++) {
    copy_async(&tile[k][i], &from[32 * k + i], k == 2);
    copy_commit();
  }
  copy_wait<2>();
  __syncthreads();
  out[i] = tile[0][other];
  copy_wait<1>();
  __syncthreads();
  out[32 + i] = tile[1][other];
  copy_wait<0>();
  __syncthreads();
  out[64 + i] = tile[2][other];
}
static void test_copies(void **) {
  std::vector<float4> values(96);
  for (int i = 0; i < 96; i++) values[i] = make_float4((float)i, i + .25f, i + .5f, i + .75f);
  array<float4> from(values), out(96);
  launch(copy_kernel, 1, 32, 0, NULL, from.at, out.at);
  const std::vector<float4> got = out.read();
  const float4 zero = make_float4(0, 0, 0, 0);
  for (int i = 0; i < 96; i++) {
    const float4 want = i < 64 ? values[i / 32 * 32 + 31 - i % 32] : zero;
    assert_memory_equal(&got[i], &want, sizeof want);
  }
}

/* --- conversions ------------------------------------------------------------------------- */

static void test_bfloat16(void **) {
  const struct {
    float from, to;
  } cases[] = {{1, 1},
               {1.00390625f, 1},            /* 1 + 2^-8: half way, to even */
               {1.01171875f, 1.015625f},    /* 1 + 3 2^-8: half way, to even */
               {1.00390637f, 1.0078125f},   /* a bit more than half way */
               {-3.39e38f, -3.3895314e38f}, /* the largest */
               {3.4e38f, INFINITY},
               {-0.0f, -0.0f},
               {1e-40f, 9.1835496e-41f}}; /* subnormal: 2^-133 */
  for (const auto &c : cases) {
    const float got = to_float(from_float<bf16>(c.from));
    assert_true(signbit(got) == signbit(c.to));
    assert_true(got == c.to || fabsf(got - c.to) <= 1e-4f * fabsf(c.to));
  }
  assert_true(isnan(to_float(from_float<bf16>(NAN))));
}

/* --- graphs ------------------------------------------------------------------------------ */

__global__ void add_kernel(float *x, float by) {
  x[threadIdx.x] += by;
}
static void test_graphs(void **) {
  array<float> x(std::vector<float>(32, 1.0f)), y(32);
  cudaStream_t stream;
  cudaGraph_t graph;
  cudaGraphExec_t exec;
  ok(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  ok(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));

  /* Two kernels, a copy and a fill are recorded; arguments are those of the call. */
  float by = 2;
  launch(add_kernel, 1, 32, 0, stream, x.at, by);
  by = 100; /* arguments are taken at the call */
  ok(cudaMemcpyAsync(y.at, x.at, 32 * sizeof(float), cudaMemcpyDeviceToDevice, stream));
  launch(add_kernel, 1, 32, 0, stream, y.at, 0.5f);
  ok(cudaMemsetAsync(x.at, 0, sizeof(float), stream));
  ok(cudaGetLastError());
  ok(cudaStreamEndCapture(stream, &graph));
  ok(cudaGraphInstantiate(&exec, graph, 0));
  ok(cudaGraphDestroy(graph));

  /* Each launch of the graph does all of it, in order. */
  assert_true(x.read()[5] == 1); /* recorded, not done */
  for (int k = 1; k <= 3; k++) {
    ok(cudaGraphLaunch(exec, stream));
    ok(cudaStreamSynchronize(stream));
    assert_true(x.read()[5] == 1 + 2 * k);
    assert_true(x.read()[0] == 0);
    assert_true(y.read()[5] == 1.5f + 2 * k);
  }
  ok(cudaGraphExecDestroy(exec));
  ok(cudaStreamDestroy(stream));
}

/* What waits cannot be recorded, and spoils the recording; the stream is good again behind it. */
static void test_spoiled_capture(void **) {
  cudaStream_t stream;
  cudaGraph_t graph;
  array<float> x(32);
  ok(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  for (int k = 0; k < 3; k++) {
    void *p = NULL;
    ok(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    if (k == 0) assert_int_not_equal(cudaMalloc(&p, 4), cudaSuccess);
    if (k == 1) assert_int_not_equal(cudaStreamSynchronize(stream), cudaSuccess);
    if (k == 2) assert_int_not_equal(cudaMemcpy(x.at, &k, 4, cudaMemcpyHostToDevice), cudaSuccess);
    launch(add_kernel, 1, 32, 0, stream, x.at, 1.0f);
    assert_int_not_equal(cudaStreamEndCapture(stream, &graph), cudaSuccess);
    assert_null(graph);
    assert_int_not_equal(cudaGetLastError(), cudaSuccess);
  }

  /* Whatever was spoiled, the stream works. */
  ok(cudaMemsetAsync(x.at, 0, 32 * sizeof(float), stream));
  launch(add_kernel, 1, 32, 0, stream, x.at, 1.0f);
  ok(cudaStreamSynchronize(stream));
  assert_true(x.read()[31] == 1);
  ok(cudaStreamDestroy(stream));
}

/* --- refused launches -------------------------------------------------------------------- */

__global__ void large_kernel(float *x, int n) {
  TRM_SHARED(float, much);
  for (int i = threadIdx.x; i < n; i += blockDim.x) much[i] = (float)i;
  __syncthreads();
  if (threadIdx.x == 0 && n > 0) x[0] = much[n - 1] + much[0];
}
static void test_refused_launches(void **) {
  array<float> x(32);
  const struct {
    dim3 grid, block;
    size_t shared;
    bool fits;
  } cases[] = {{1, 1024, 0, true},
               {1, 1025, 0, false},
               {0, 32, 0, false},
               {1, 0, 0, false},
               {dim3(1, 65535), 1, 0, true},
               {dim3(1, 65536), 1, 0, false},
               {1, dim3(1, 1, 65), 0, false},
               {1, 32, 48 << 10, true},
               {1, 32, (48 << 10) + 16, false}};

  /* An error of a launch is told once, and the next launch is free of it. */
  for (const auto &c : cases) {
    launch(large_kernel, c.grid, c.block, c.shared, NULL, x.at, 0);
    assert_int_equal(cudaGetLastError() == cudaSuccess, c.fits);
    ok(cudaGetLastError()); /* told once */
    ok(cudaDeviceSynchronize());
  }

  /* Shared memory above the default has to be asked for, and there is an end to it. */
  const auto kernel = reinterpret_cast<const void *>(large_kernel);
  const cudaFuncAttribute most = cudaFuncAttributeMaxDynamicSharedMemorySize;
  assert_int_not_equal(cudaFuncSetAttribute(kernel, most, 1 << 20), cudaSuccess);
  assert_int_not_equal(cudaGetLastError(), cudaSuccess);
  const int bytes = 96 << 10;
  ok(cudaFuncSetAttribute(kernel, most, bytes));
  launch(large_kernel, 1, 32, (size_t)bytes, NULL, x.at, bytes / 4);
  assert_true(x.read()[0] == (float)(bytes / 4 - 1));
  launch(large_kernel, 1, 32, (size_t)bytes + 16, NULL, x.at, 0);
  assert_int_not_equal(cudaGetLastError(), cudaSuccess);
}

/* --- products ---------------------------------------------------------------------------- */

struct Case {
  int m, n, k;
  bool ta, tb;
  float alpha, beta;
  int gap; /* values behind every column */
};
template <class T>
static constexpr cudaDataType_t type_of(void) {
  return sizeof(T) == 4 ? CUDA_R_32F : CUDA_R_16BF;
}

/* Rows and columns as they lie in memory, ld values from column to column. */
struct Layout {
  int rows, cols, ld;
};
static Layout layout_of(int rows, int cols, bool transposed, int gap) {
  const int down = transposed ? cols : rows, across = transposed ? rows : cols;
  return {down, across, down + gap};
}
/* A matrix of small integers, NaN in the gaps. */
template <class T>
static std::vector<T> columns(const Layout &l, int seed) {
  std::vector<T> x((size_t)l.ld * l.cols, from_float<T>(NAN));
  for (int j = 0; j < l.cols; j++)
    for (int i = 0; i < l.rows; i++)
      x[(size_t)j * l.ld + i] = from_float<T>(small(seed + j * l.rows + i));
  return x;
}
static cublasLtMatrixLayout_t describe(cudaDataType_t type, const Layout &l) {
  cublasLtMatrixLayout_t made;
  done(cublasLtMatrixLayoutCreate(&made, type, (uint64_t)l.rows, (uint64_t)l.cols, l.ld));
  return made;
}

/* out = alpha op(a) op(b) + beta out, by all the calls that this takes. */
template <class T, class U>
static void multiply(const Case &c, const Layout of[3], const T *a, const T *b, U *out) {
  array<unsigned char> workspace(1 << 20);
  cublasLtHandle_t handle;
  cublasLtMatmulDesc_t desc;
  cublasLtMatmulPreference_t wish;
  cublasLtMatmulHeuristicResult_t best;

  /* The product: what is transposed, and the shapes of all three. */
  const cublasOperation_t opa = c.ta ? CUBLAS_OP_T : CUBLAS_OP_N;
  const cublasOperation_t opb = c.tb ? CUBLAS_OP_T : CUBLAS_OP_N;
  done(cublasLtCreate(&handle));
  done(cublasLtMatmulDescCreate(&desc, CUBLAS_COMPUTE_32F, CUDA_R_32F));
  done(cublasLtMatmulDescSetAttribute(desc, CUBLASLT_MATMUL_DESC_TRANSA, &opa, sizeof opa));
  done(cublasLtMatmulDescSetAttribute(desc, CUBLASLT_MATMUL_DESC_TRANSB, &opb, sizeof opb));
  cublasLtMatrixLayout_t la = describe(type_of<T>(), of[0]), lb = describe(type_of<T>(), of[1]),
                         lc = describe(type_of<U>(), of[2]);

  /* The way to it that fits the workspace and adds up in float32. */
  int found = 0;
  uint64_t room = workspace.n;
  const uint32_t reduction = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
  done(cublasLtMatmulPreferenceCreate(&wish));
  done(cublasLtMatmulPreferenceSetAttribute(wish, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &room,
                                            sizeof room));
  done(cublasLtMatmulPreferenceSetAttribute(wish, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
                                            &reduction, sizeof reduction));
  done(cublasLtMatmulAlgoGetHeuristic(handle, desc, la, lb, lc, lc, wish, 1, &best, &found));
  assert_int_equal(found, 1);
  assert_true(best.workspaceSize <= room);

  /* The product itself, which is complete before what it used is gone. */
  done(cublasLtMatmul(handle, desc, &c.alpha, a, la, b, lb, &c.beta, out, lc, out, lc, &best.algo,
                      workspace.at, best.workspaceSize, NULL));
  ok(cudaDeviceSynchronize());
  cublasLtMatmulPreferenceDestroy(wish);
  cublasLtMatrixLayoutDestroy(la);
  cublasLtMatrixLayoutDestroy(lb);
  cublasLtMatrixLayoutDestroy(lc);
  cublasLtMatmulDescDestroy(desc);
  cublasLtDestroy(handle);
}

template <class T, class U>
static void check_product(const Case &c) {
  const Layout of[] = {layout_of(c.m, c.k, c.ta, c.gap), layout_of(c.k, c.n, c.tb, c.gap),
                       layout_of(c.m, c.n, false, c.gap)};
  const std::vector<T> a = columns<T>(of[0], 1), b = columns<T>(of[1], 2);
  const std::vector<U> add = columns<U>(of[2], 3);
  array<T> ga(a), gb(b);
  array<U> gc(add);
  if (c.beta == 0) ok(cudaMemset(gc.at, 0xff, add.size() * sizeof(U))); /* not read */
  multiply(c, of, ga.at, gb.at, gc.at);

  /* Sums of small integers are exact in any order; the result is rounded once. */
  const std::vector<U> got = gc.read();
  const int lda = of[0].ld, ldb = of[1].ld, ldc = of[2].ld;
  for (int j = 0; j < c.n; j++)
    for (int i = 0; i < c.m; i++) {
      float sum = 0;
      for (int k = 0; k < c.k; k++)
        sum += to_float(a[c.ta ? i * lda + k : k * lda + i]) *
               to_float(b[c.tb ? k * ldb + j : j * ldb + k]);
      sum *= c.alpha;
      if (c.beta != 0) sum += c.beta * to_float(add[(size_t)j * ldc + i]);
      assert_true(to_float(got[(size_t)j * ldc + i]) == to_float(from_float<U>(sum)));
    }
}
static void test_products(void **) {
  for (int t = 0; t < 4; t++) {
    const Case cases[] = {{32, 24, 40, t % 2 == 1, t / 2 == 1, 1, 0, 0},
                          {8, 56, 16, t % 2 == 1, t / 2 == 1, 2, 1, 8},
                          {72, 8, 64, t % 2 == 1, t / 2 == 1, 1, 0.5f, 16}};
    for (const Case &c : cases) {
      check_product<float, float>(c);
      check_product<bf16, float>(c);
      check_product<bf16, bf16>(c);
    }
    check_product<float, float>({5, 3, 7, t % 2 == 1, t / 2 == 1, 1, 1, 3});
  }
}

int main(void) {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    puts("skipped: no CUDA device");
    return 77;
  }
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_indices),
                                     cmocka_unit_test(test_barriers),
                                     cmocka_unit_test(test_lanes),
                                     cmocka_unit_test(test_ldmatrix),
                                     cmocka_unit_test(test_mma),
                                     cmocka_unit_test(test_copies),
                                     cmocka_unit_test(test_bfloat16),
                                     cmocka_unit_test(test_graphs),
                                     cmocka_unit_test(test_spoiled_capture),
                                     cmocka_unit_test(test_refused_launches),
                                     cmocka_unit_test(test_products)};
  return cmocka_run_group_tests_name("cuda_basics", tests, NULL, NULL);
}
