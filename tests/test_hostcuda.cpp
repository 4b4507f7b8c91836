/* What tests/hostcuda does beyond a GPU: memory that is full of NaN, failures on demand, threads
 * and blocks in other orders, and kernels stopped for what a GPU would hang on or hide. */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>
#include <vector>

extern "C" {
#include <cmocka.h>
}

#include <cublasLt.h>

#include "backend/cuda/device.cuh"

#define ok(call) assert_int_equal(call, cudaSuccess)

/* The exit status of `work` in a process of its own, or minus the signal that ended it; what it
 * says goes nowhere. */
template <class F>
static int run_apart(F work) {
  fflush(NULL);
  const pid_t child = fork();
  if (child == 0) {
    if (!freopen("/dev/null", "w", stderr)) _exit(99);
    _exit(work());
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

template <class... P, class... A>
static bool stops(void (*kernel)(P...), dim3 block, A... args) {
  return run_apart([=] {
           launch(kernel, 1, block, 1024, NULL, args...);
           return 0;
         }) == -SIGABRT;
}

/* --- kernels that are stopped ------------------------------------------------------------ */

__global__ void left_kernel(int leaves) {
  if ((int)threadIdx.x == leaves) return;
  __syncthreads();
}
__global__ void two_barriers_kernel(int sort) {
  if (sort == 0 || threadIdx.x < 32)
    __syncthreads();
  else
    __syncthreads_or(1);
}
__global__ void collectives_kernel(int sort) {
  if (sort == 1 && threadIdx.x == 5) return;
  if (sort == 2 && threadIdx.x % 2)
    __ballot_sync(0xffffffffu, 1);
  else if (sort == 3)
    __shfl_sync(0x0000ffffu, 1, 0); /* half of the lanes are not in the mask */
  else if (sort == 4 && threadIdx.x < 16)
    __shfl_sync(0x0000ffffu, 1, 20);
  else if (sort != 4)
    __syncwarp();
}
__global__ void barrier_and_warp_kernel(int sort) {
  if (sort == 0 || threadIdx.x < 16)
    __syncwarp();
  else
    __syncthreads();
}
__global__ void alignment_kernel(int shared, int global, const unsigned char *from) {
  TRM_SHARED(unsigned char, tile);
  hostcuda_cp_async16(tile + 16 * threadIdx.x + shared, from + global, 16);
  uint32_t r[1];
  if (from == NULL) hostcuda_ldmatrix(r, 1, false, tile + shared);
}
static void test_stopped_kernels(void **) {
  assert_false(stops(left_kernel, 64, -1));
  assert_true(stops(left_kernel, 64, 0)); /* it leaves before, or after, the others wait */
  assert_true(stops(left_kernel, 64, 63));
  assert_false(stops(two_barriers_kernel, 64, 0));
  assert_true(stops(two_barriers_kernel, 64, 1));
  assert_false(stops(collectives_kernel, 32, 0));
  for (int sort = 1; sort <= 4; sort++) assert_true(stops(collectives_kernel, 32, sort));
  assert_false(stops(barrier_and_warp_kernel, 32, 0));
  assert_true(stops(barrier_and_warp_kernel, 32, 1));
  const unsigned char *none = NULL;
  assert_false(stops(alignment_kernel, 32, 0, 0, none));
  assert_true(stops(alignment_kernel, 32, 8, 0, none));
  assert_true(stops(alignment_kernel, 32, 0, 8, none));
}

/* --- fresh memory ------------------------------------------------------------------------ */

__global__ void fresh_kernel(float *out) {
  TRM_SHARED(float, tile);
  out[blockIdx.x] = tile[3];
  tile[3] = 1;
}
/* Two groups, of which at most `pending` may be under way when the tile is read. */
__global__ void early_kernel(const float4 *from, float4 *out, int pending) {
  TRM_SHARED(float4, tile);
  for (int k = 0; k < 2; k++) {
    tile[2 * threadIdx.x + k] = make_float4(-1, -1, -1, -1);
    hostcuda_cp_async16(&tile[2 * threadIdx.x + k], &from[threadIdx.x], 12);
    hostcuda_cp_async_commit();
  }
  hostcuda_cp_async_wait(pending);
  for (int k = 0; k < 2; k++) out[2 * threadIdx.x + k] = tile[2 * threadIdx.x + k];
}
static void test_what_was_not_written(void **) {
  float *x = NULL, values[32];
  ok(cudaMalloc(&x, sizeof values));
  ok(cudaMemcpy(values, x, sizeof values, cudaMemcpyDeviceToHost));
  for (float v : values) assert_true(isnan(v));
  ok(cudaMemset(x, 0, sizeof values));
  launch(fresh_kernel, 8, 1, 16, NULL, x);
  ok(cudaMemcpy(values, x, sizeof values, cudaMemcpyDeviceToHost));
  for (int i = 0; i < 32; i++) assert_true(i < 8 ? isnan(values[i]) : values[i] == 0);
  ok(cudaFree(x));
}
static void test_copies_come_late(void **) {
  float4 *from = NULL, *out = NULL, got[8];
  ok(cudaMalloc(&from, sizeof got));
  ok(cudaMalloc(&out, sizeof got));
  ok(cudaMemset(from, 0x40, sizeof got));
  for (int pending = 0; pending <= 2; pending++) {
    launch(early_kernel, 1, 4, sizeof got, NULL, from, out, pending);
    ok(cudaMemcpy(got, out, sizeof got, cudaMemcpyDeviceToHost));
    for (int i = 0; i < 8; i++) {
      const bool late = i % 2 >= 2 - pending;
      assert_true((got[i].x == -1) == late && (got[i].z == -1) == late);
      assert_true(got[i].w == (late ? -1 : 0)); /* of 16 bytes, 12 were asked for */
    }
  }
  ok(cudaFree(from));
  ok(cudaFree(out));
}

/* --- copies ------------------------------------------------------------------------------ */

static void test_wrong_copies(void **) {
  unsigned char *x = NULL, *y = NULL, host[64] = {};
  ok(cudaMalloc(&x, 64));
  ok(cudaMalloc(&y, 64));
  ok(cudaMemcpy(x + 8, host, 56, cudaMemcpyHostToDevice));
  ok(cudaMemcpy(y + 8, x, 56, cudaMemcpyDeviceToDevice));
  ok(cudaMemset(x + 63, 0, 1));
  assert_int_not_equal(cudaMemcpy(x + 8, host, 57, cudaMemcpyHostToDevice), cudaSuccess);
  assert_int_not_equal(cudaMemcpy(host, x, 65, cudaMemcpyDeviceToHost), cudaSuccess);
  assert_int_not_equal(cudaMemcpy(host, y, 64, cudaMemcpyHostToDevice), cudaSuccess);
  assert_int_not_equal(cudaMemcpy(x, host, 64, cudaMemcpyDeviceToDevice), cudaSuccess);
  assert_int_not_equal(cudaMemcpy(x, y, 64, cudaMemcpyHostToDevice), cudaSuccess);
  assert_int_not_equal(cudaMemset(x + 1, 0, 64), cudaSuccess);
  assert_int_not_equal(cudaMemset(host, 0, 64), cudaSuccess);
  assert_int_not_equal(cudaFree(x + 1), cudaSuccess);
  assert_int_equal(cudaGetLastError(), cudaErrorInvalidValue);
  ok(cudaFree(x));
  ok(cudaFree(y));
  assert_int_not_equal(cudaMemset(x, 0, 1), cudaSuccess);
  assert_int_not_equal(cudaGetLastError(), cudaSuccess);
}

/* --- failures on demand ------------------------------------------------------------------ */

__global__ void nothing_kernel() {}
__global__ void add_kernel(int *x) {
  x[threadIdx.x]++;
}

static void test_devices(void **) {
  /* Without a word there is one device, a Hopper. */
  int n = -1;
  cudaDeviceProp prop;
  ok(cudaGetDeviceCount(&n));
  assert_int_equal(n, 1);
  ok(cudaGetDeviceProperties(&prop, 0));
  assert_int_equal(prop.major * 10 + prop.minor, 90);

  /* The environment makes it several of another kind, and no more than these. */
  setenv("HOSTCUDA_ARCH", "7.5", 1);
  setenv("HOSTCUDA_DEVICES", "3", 1);
  ok(cudaGetDeviceCount(&n));
  assert_int_equal(n, 3);
  ok(cudaGetDeviceProperties(&prop, 2));
  assert_int_equal(prop.major * 10 + prop.minor, 75);
  assert_int_equal(cudaSetDevice(3), cudaErrorInvalidDevice);

  /* None at all, and a machine without a driver, have errors of their own. */
  setenv("HOSTCUDA_DEVICES", "0", 1);
  void *p = NULL;
  assert_int_equal(cudaGetDeviceCount(&n), cudaErrorNoDevice);
  assert_int_equal(cudaMalloc(&p, 4), cudaErrorNoDevice);
  setenv("HOSTCUDA_DEVICES", "-1", 1);
  assert_int_equal(cudaGetDeviceCount(&n), cudaErrorInsufficientDriver);

  /* The last error is kept until it is asked for. */
  unsetenv("HOSTCUDA_ARCH");
  unsetenv("HOSTCUDA_DEVICES");
  assert_int_not_equal(cudaGetLastError(), cudaSuccess);
  ok(cudaGetLastError());
}
static void test_several_devices(void **) {
  /* Two devices with little memory each. */
  void *p = NULL;
  size_t room[2], all = 0;
  cudaStream_t stream;
  setenv("HOSTCUDA_DEVICES", "2", 1);
  setenv("HOSTCUDA_MEMORY", "1000", 1);

  /* Memory and streams belong to the device that is current. */
  ok(cudaSetDevice(1));
  ok(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  ok(cudaMalloc(&p, 600));
  ok(cudaMemGetInfo(&room[1], &all));
  launch(nothing_kernel, 1, 32, 0, stream);
  ok(cudaGetLastError());

  /* The other one has all of its memory. */
  ok(cudaSetDevice(0));
  ok(cudaMemGetInfo(&room[0], &all));
  assert_true(room[0] == 1000 && room[1] == 400);

  /* A stream of one device takes no work while the other one is current. */
  launch(nothing_kernel, 1, 32, 0, stream);
  assert_int_equal(cudaGetLastError(), cudaErrorInvalidResourceHandle);
  ok(cudaFree(p));
  ok(cudaStreamDestroy(stream));
  unsetenv("HOSTCUDA_DEVICES");
  unsetenv("HOSTCUDA_MEMORY");
}
static void test_memory_ends(void **) {
  void *p = NULL, *more = NULL;
  size_t room = 0, all = 0;
  setenv("HOSTCUDA_MEMORY", "1000", 1);
  ok(cudaMalloc(&p, 600));
  assert_int_equal(cudaMalloc(&more, 401), cudaErrorMemoryAllocation);
  assert_null(more);
  ok(cudaMemGetInfo(&room, &all));
  assert_int_equal(room, 400);
  assert_int_equal(all, 1000);
  assert_int_equal(cudaPeekAtLastError(), cudaErrorMemoryAllocation);
  assert_int_equal(cudaGetLastError(), cudaErrorMemoryAllocation);
  ok(cudaGetLastError());
  ok(cudaMalloc(&more, 400));
  ok(cudaFree(p));
  ok(cudaFree(more));
  unsetenv("HOSTCUDA_MEMORY");
}
static void test_launch_fails(void **) {
  assert_int_equal(run_apart([] {
                     setenv("HOSTCUDA_FAIL_AFTER", "3", 1);
                     void *p = NULL;
                     if (cudaMalloc(&p, 4)) return 1;
                     for (int i = 0; i < 2; i++) launch(nothing_kernel, 1, 32, 0, NULL);
                     if (cudaDeviceSynchronize() || cudaGetLastError()) return 2;
                     launch(nothing_kernel, 1, 32, 0, NULL);
                     for (int i = 0; i < 2; i++) /* for good */
                       if (cudaGetLastError() != cudaErrorLaunchFailure) return 3;
                     if (cudaDeviceSynchronize() != cudaErrorLaunchFailure) return 4;
                     if (cudaMemset(p, 0, 4) != cudaErrorLaunchFailure) return 5;
                     cudaFree(p);
                     return 0;
                   }),
                   0);
}

/* --- orders ------------------------------------------------------------------------------ */

/* Whoever writes last; and a sum that lacks a barrier, which the usual order forgives. */
__global__ void last_kernel(int *out) {
  out[0] = (int)threadIdx.x;
  out[1] = (int)blockIdx.x;
}
__global__ void race_kernel(int *out) {
  TRM_SHARED(int, part);
  part[threadIdx.x] = 1;
  if (threadIdx.x > 0) part[threadIdx.x] += part[threadIdx.x - 1];
  __syncthreads();
  if (threadIdx.x == 0) out[0] = part[63];
}
static void run_in(const char *order, int *last, int *sum) {
  int *x = NULL;
  setenv("HOSTCUDA_ORDER", order, 1);
  ok(cudaMalloc(&x, 2 * sizeof *x));
  launch(last_kernel, 40, 70, 0, NULL, x);
  ok(cudaMemcpy(last, x, 2 * sizeof *x, cudaMemcpyDeviceToHost));
  launch(race_kernel, 1, 64, 64 * sizeof(int), NULL, x);
  ok(cudaMemcpy(sum, x, sizeof *x, cudaMemcpyDeviceToHost));
  ok(cudaFree(x));
  unsetenv("HOSTCUDA_ORDER");
}
static void test_orders(void **) {
  int last[2], sum;
  run_in("", last, &sum);
  assert_true(last[0] == 69 && last[1] == 39 && sum == 64);
  run_in("reverse", last, &sum);
  assert_true(last[0] == 0 && last[1] == 0 && sum != 64);
  run_in("shuffle", last, &sum);
  assert_true((last[0] != 69 || last[1] != 39) && (last[0] != 0 || last[1] != 0) && sum != 64);
}

/* --- host threads ------------------------------------------------------------------------ */

static void count(int times, bool *right) {
  /* A counter for each thread, on a stream of its own. */
  int *x = NULL, got[256];
  cudaStream_t stream;
  bool good = cudaMalloc(&x, sizeof got) == cudaSuccess &&
              cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess &&
              cudaMemsetAsync(x, 0, sizeof got, stream) == cudaSuccess;

  /* Recorded and replayed again and again, with memory taken meanwhile. */
  for (int i = 0; i < times && good; i++) {
    cudaGraph_t graph = NULL;
    cudaGraphExec_t exec = NULL;
    void *other = NULL;
    cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
    launch(add_kernel, 1, 256, 0, stream, x);
    cudaStreamEndCapture(stream, &graph);
    good = graph && cudaGraphInstantiate(&exec, graph) == cudaSuccess &&
           cudaGraphLaunch(exec, stream) == cudaSuccess &&
           cudaMalloc(&other, 8) == cudaSuccess && /* though the other thread may be recording */
           cudaFree(other) == cudaSuccess;
    cudaGraphExecDestroy(exec);
    cudaGraphDestroy(graph);
  }

  /* Every replay has counted once. */
  good = good && cudaMemcpy(got, x, sizeof got, cudaMemcpyDeviceToHost) == cudaSuccess;
  for (int i = 0; i < 256 && good; i++) good = got[i] == times;
  cudaStreamDestroy(stream);
  cudaFree(x);
  *right = good && cudaGetLastError() == cudaSuccess;
}
static void test_two_host_threads(void **) {
  bool right[2] = {};
  std::thread other(count, 200, &right[0]);
  count(300, &right[1]);
  other.join();
  assert_true(right[0] && right[1]);
}

/* A recording forbids others to allocate only in the global mode. */
static void test_recording_beside(void **) {
  /* One stream, in both modes. */
  cudaStream_t stream;
  cudaGraph_t graph;
  ok(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));

  /* While it records, another thread takes memory. */
  for (const bool global : {false, true}) {
    cudaError_t made = cudaSuccess;
    ok(cudaStreamBeginCapture(
        stream, global ? cudaStreamCaptureModeGlobal : cudaStreamCaptureModeThreadLocal));
    std::thread other([&made] {
      void *p = NULL;
      made = cudaMalloc(&p, 8);
      cudaFree(p);
    });
    other.join();

    /* In the global mode that is refused, and the recording is void. */
    assert_int_equal(made, global ? cudaErrorStreamCaptureUnsupported : cudaSuccess);
    const cudaError_t ended = cudaStreamEndCapture(stream, &graph);
    assert_int_equal(ended, global ? cudaErrorStreamCaptureInvalidated : cudaSuccess);
    ok(cudaGraphDestroy(graph));
  }

  /* The error belongs to the thread that recorded. */
  assert_int_equal(cudaGetLastError(), cudaErrorStreamCaptureInvalidated);
  ok(cudaStreamDestroy(stream));
}

/* --- products ---------------------------------------------------------------------------- */

struct Products {
  cublasLtHandle_t handle;
  cublasLtMatmulDesc_t desc;
  cublasLtMatmulPreference_t wish;
  cublasLtMatmulHeuristicResult_t best;
};
static cublasStatus_t ask(Products *p, cudaDataType_t ab, cudaDataType_t c, cudaDataType_t d, int m,
                          int rows_d, int ld, cublasLtMatrixLayout_t l[4]) {
  int found = 0;
  cublasLtMatrixLayoutCreate(&l[0], ab, (uint64_t)m, 4, ld);
  cublasLtMatrixLayoutCreate(&l[1], ab, 4, 4, 4);
  cublasLtMatrixLayoutCreate(&l[2], c, (uint64_t)m, 4, m);
  cublasLtMatrixLayoutCreate(&l[3], d, (uint64_t)rows_d, 4, m);
  return cublasLtMatmulAlgoGetHeuristic(p->handle, p->desc, l[0], l[1], l[2], l[3], p->wish, 1,
                                        &p->best, &found);
}
static void forget(cublasLtMatrixLayout_t l[4]) {
  for (int i = 0; i < 4; i++) cublasLtMatrixLayoutDestroy(l[i]);
}
static void test_refused_products(void **) {
  /* Types and shapes of products, and what NVIDIA's manual says of them. */
  const cudaDataType_t f = CUDA_R_32F, h = CUDA_R_16BF;
  const struct {
    cudaDataType_t ab, c, d;
    int rows_d, ld;
    cublasStatus_t want;
  } cases[] = {
      {f, f, f, 8, 8, CUBLAS_STATUS_SUCCESS},       {h, h, h, 8, 8, CUBLAS_STATUS_SUCCESS},
      {h, f, f, 8, 9, CUBLAS_STATUS_SUCCESS},       {f, h, h, 8, 8, CUBLAS_STATUS_NOT_SUPPORTED},
      {h, h, f, 8, 8, CUBLAS_STATUS_NOT_SUPPORTED}, {f, f, f, 7, 8, CUBLAS_STATUS_NOT_SUPPORTED},
      {f, f, f, 8, 7, CUBLAS_STATUS_NOT_SUPPORTED}};

  /* Each is asked for an algorithm. */
  Products p = {};
  cublasLtMatrixLayout_t l[4], other[4];
  cublasLtCreate(&p.handle);
  cublasLtMatmulDescCreate(&p.desc, CUBLAS_COMPUTE_32F, f);
  cublasLtMatmulPreferenceCreate(&p.wish);
  for (const auto &c : cases) {
    assert_int_equal(ask(&p, c.ab, c.c, c.d, 8, c.rows_d, c.ld, l), c.want);
    forget(l);
  }

  /* An alignment that is no power of two is refused; with one that is, algorithms are for their
   * shape. */
  uint32_t alignment = 24;
  uint64_t room = 1 << 16;
  const auto set = cublasLtMatmulPreferenceSetAttribute;
  set(p.wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &alignment, sizeof alignment);
  assert_int_equal(ask(&p, f, f, f, 8, 8, 8, l), CUBLAS_STATUS_INVALID_VALUE);
  forget(l);
  alignment = 16;
  set(p.wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &alignment, sizeof alignment);
  set(p.wish, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &room, sizeof room);
  assert_int_equal(ask(&p, f, f, f, 16, 16, 16, other), CUBLAS_STATUS_SUCCESS);
  const cublasLtMatmulAlgo_t for_another = p.best.algo;
  assert_int_equal(ask(&p, f, f, f, 8, 8, 8, l), CUBLAS_STATUS_SUCCESS);
  assert_true(p.best.workspaceSize > 0 && p.best.workspaceSize <= room);

  /* Operands of zeros, somewhere in memory that is large enough. */
  float *x = NULL;
  const float one = 1, zero = 0;
  ok(cudaMalloc(&x, (size_t)1 << 17));
  ok(cudaMemset(x, 0, (size_t)1 << 17));
  const auto multiply = [&](const float *b, const cublasLtMatmulAlgo_t *algo, size_t bytes) {
    return cublasLtMatmul(p.handle, p.desc, &one, x, l[0], b, l[1], &zero, x + 256, l[2], x + 256,
                          l[3], algo, x + 1024, bytes, NULL);
  };

  /* The algorithm wants the alignment, the workspace and the shape that it was found for. */
  assert_int_equal(multiply(x + 68, &p.best.algo, p.best.workspaceSize), CUBLAS_STATUS_SUCCESS);
  assert_int_not_equal(multiply(x + 66, &p.best.algo, p.best.workspaceSize), 0);
  assert_int_not_equal(multiply(x + 68, &p.best.algo, p.best.workspaceSize - 1), 0);
  assert_int_not_equal(multiply(x + 68, &for_another, p.best.workspaceSize), 0);

  /* What lies in the workspace is lost: whoever keeps something there would see it on a GPU,
   * too. */
  std::vector<float> used(2);
  ok(cudaMemcpy(used.data(), x + 1024, 8, cudaMemcpyDeviceToHost));
  assert_true(isnan(used[0]));

  ok(cudaFree(x));
  forget(l);
  forget(other);
  cublasLtMatmulPreferenceDestroy(p.wish);
  cublasLtMatmulDescDestroy(p.desc);
  cublasLtDestroy(p.handle);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_stopped_kernels),  cmocka_unit_test(test_what_was_not_written),
      cmocka_unit_test(test_copies_come_late), cmocka_unit_test(test_wrong_copies),
      cmocka_unit_test(test_devices),          cmocka_unit_test(test_several_devices),
      cmocka_unit_test(test_memory_ends),      cmocka_unit_test(test_launch_fails),
      cmocka_unit_test(test_orders),           cmocka_unit_test(test_two_host_threads),
      cmocka_unit_test(test_recording_beside), cmocka_unit_test(test_refused_products)};
  return cmocka_run_group_tests_name("hostcuda", tests, NULL, NULL);
}
