/* hostcuda: the part of CUDA that trm's backend uses, executed on the CPU, so that its sources are
 * tested on machines without a GPU. Names, arguments and errors are those of CUDA's own headers.
 *
 * A launch runs its blocks one after the other, those of a cluster together; their threads are
 * fibers that take turns at barriers and collectives. So every thread's every access happens, at
 * the address it would have: with the address sanitizer, device and dynamic shared memory are
 * checked to the byte, and fresh memory is full of NaN. Graphs record launches, copies and
 * products, and replay them.
 *
 * What is asynchronous is as late as is legal: a copy (cp.async) arrives at the wait for it; a copy
 * in bulk when no thread can go on without it, one block of the cluster at a time, in the shuffled
 * order any time, and where it goes there is NaN until then; a product by a warp group is computed,
 * from what its operands are then, at the wait for it, until which its accumulators are NaN.
 *
 * A kernel is stopped, by abort() and a message, when threads of a block meet different barriers or
 * end without meeting one, when lanes of a warp meet different collectives, a shuffle reads a lane
 * outside its mask, an address of ldmatrix or cp.async is not aligned to 16 bytes, or a stack of
 * 256 KiB runs over. Vector loads that are not aligned are for the undefined-behaviour sanitizer.
 * Also a thread that waits forever, and:
 * - barriers in shared memory (mbarrier) that are not initialised, or twice, not aligned to 8
 *   bytes, overwritten, of an impossible count, at which more arrive or bytes are expected than
 *   they count, whose phases overtake a thread that waits, or that are in a block that has ended;
 * - copies in bulk not aligned to 16 bytes, to outside of the block's dynamic shared memory or of
 *   the cluster, two to the same place, or into a block that has ended or ends before they arrive;
 * - warp groups whose threads take different steps (products, fences, commits, waits) or disagree
 *   about one, that end with products under way, write accumulators or shared operands of those (by
 *   copies), change registers between products without wgmma.fence, or begin without one;
 * - operands that are not tiles swizzled by 128 bytes, K-major, at multiples of 1,024 bytes;
 * - products, and copies in bulk, where the last to write was a cp.async whose thread has called no
 *   proxy fence since, and products that read where a copy in bulk is under way.
 * Refused as CUDA refuses them: copies that leave an allocation or go another way than said,
 * waiting and allocating while the same thread records, grids, blocks, clusters and shared memory
 * that no GPU has.
 *
 * What it cannot show: speed, bank conflicts, weak memory order, threads and blocks that really run
 * at once, too many registers, host memory that a kernel reads, static shared memory (it counts for
 * no limit, keeps what the block before wrote, and is one for all blocks of a cluster, whose
 * kernels must not use it), plain stores into shared memory without a proxy fence or into operands
 * of a product under way, accumulators read before a product without wgmma.fence, operands in
 * registers that are changed before the wait, warps of a warp group of which one has seen products
 * end before the others, and cuBLAS's own order of summation.
 *
 * The environment makes things fail: HOSTCUDA_DEVICES=N (negative: the driver is too old),
 * HOSTCUDA_ARCH=MAJOR.MINOR, HOSTCUDA_PROCESSORS=N, HOSTCUDA_MEMORY=BYTES of the device,
 * HOSTCUDA_PINNED=BYTES of the host at a time, HOSTCUDA_FAIL_AFTER=N (the N-th launch and all calls
 * after it fail), HOSTCUDA_ORDER=reverse|shuffle (in which blocks, and the threads of a block, take
 * turns: what lacks a barrier gives other results). HOSTCUDA_COUNT=FILE: how often each kernel,
 * product and memset ran (count.cpp). */
#ifndef HOSTCUDA_CUDA_RUNTIME_H
#define HOSTCUDA_CUDA_RUNTIME_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <functional>
#include <tuple>
#include <type_traits>

/* --- the language ---------------------------------------------------------------------------- */

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __shared__ static /* blocks run one after the other */
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __grid_constant__

/* Macros, because the C library declares some of these names for itself. */
#define __expf(x) expf(x)
#define __logf(x) logf(x)

using std::isfinite;
using std::isnan;

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x, y, z;
  dim3(unsigned vx = 1, unsigned vy = 1, unsigned vz = 1) : x(vx), y(vy), z(vz) {}
};
struct __align__(16) uint4 {
  unsigned x, y, z, w;
};
struct __align__(16) int4 {
  int x, y, z, w;
};
struct __align__(16) float4 {
  float x, y, z, w;
};
struct __align__(8) float2 {
  float x, y;
};
struct __align__(8) uint2 {
  unsigned x, y;
};
static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) {
  return {x, y, z, w};
}
static inline uint2 make_uint2(unsigned x, unsigned y) {
  return {x, y};
}
static inline float4 make_float4(float x, float y, float z, float w) {
  return {x, y, z, w};
}
static inline float2 make_float2(float x, float y) {
  return {x, y};
}

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;

/* The dynamic shared memory of the block that runs. */
void *hostcuda_shared_memory(void);

void __syncthreads(void);
int __syncthreads_or(int predicate);
void __syncwarp(unsigned mask = 0xffffffffu);
unsigned __ballot_sync(unsigned mask, int predicate);
int __any_sync(unsigned mask, int predicate);
/* Gives every lane of the mask the 8 bytes of lane `from`. */
uint64_t hostcuda_shuffle(unsigned mask, uint64_t value, int from);
int hostcuda_lane(void);

template <class T>
static inline T __shfl_sync(unsigned mask, T value, int from) {
  uint64_t bits = 0;
  static_assert(sizeof value <= sizeof bits, "shuffles of 8 bytes at most");
  memcpy(&bits, &value, sizeof value);
  bits = hostcuda_shuffle(mask, bits, from & 31);
  memcpy(&value, &bits, sizeof value);
  return value;
}
template <class T>
static inline T __shfl_xor_sync(unsigned mask, T value, int lanes) {
  return __shfl_sync(mask, value, hostcuda_lane() ^ lanes);
}
template <class T>
static inline T __shfl_down_sync(unsigned mask, T value, int by) {
  const int from = hostcuda_lane() + by;
  return __shfl_sync(mask, value, from < 32 ? from : hostcuda_lane());
}

template <class T>
static inline T __ldg(const T *p) {
  return *p;
}
static inline float __fdividef(float a, float b) {
  return a / b;
}
static inline float rsqrtf(float x) {
  return 1 / sqrtf(x);
}
static inline int __popc(unsigned bits) {
  return __builtin_popcount(bits);
}
static inline unsigned __float_as_uint(float x) {
  unsigned bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}
static inline float __uint_as_float(unsigned bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}
static inline float __frcp_rn(float x) {
  return 1 / x;
}
template <class T>
static inline T min(T a, T b) {
  return b < a ? b : a;
}
template <class T>
static inline T max(T a, T b) {
  return a < b ? b : a;
}

/* PTX: ldmatrix.sync.aligned.m8n8.xN[.trans].shared.b16; each lane's row address. */
void hostcuda_ldmatrix(uint32_t *r, int n, bool trans, const void *row_address);
/* PTX: mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32, d += a b. */
void hostcuda_mma_bf16(float d[4], const uint32_t a[4], const uint32_t b[2]);
/* PTX: cp.async.cg.shared.global 16 with src-size `bytes`, commit_group, wait_group. The copy is
 * made by the wait, so that one which is missing shows. */
void hostcuda_cp_async16(void *shared, const void *global, int bytes);
void hostcuda_cp_async_commit(void);
void hostcuda_cp_async_wait(int groups);

/* --- compute capability 9.0 ------------------------------------------------------------------ */

/* PTX: cvta.to.shared, of dynamic shared memory; with the alignment of p up to 1,024 bytes. */
uint32_t hostcuda_shared_address(const void *p);
/* PTX: %cluster_ctarank; barrier.cluster.arrive and wait. */
unsigned hostcuda_cluster_rank(void);
void hostcuda_cluster_sync(void);
/* PTX: mbarrier.init, arrive, arrive in another block (mapa), arrive.expect_tx, and try_wait.parity
 * until it is over. */
void hostcuda_mbarrier_init(uint64_t *bar, unsigned count);
void hostcuda_mbarrier_arrive(uint64_t *bar);
void hostcuda_mbarrier_arrive_at(uint64_t *bar, unsigned rank);
void hostcuda_mbarrier_expect(uint64_t *bar, unsigned bytes);
void hostcuda_mbarrier_wait(uint64_t *bar, unsigned parity);
/* PTX: cp.async.bulk.shared::cluster.global with mbarrier::complete_tx::bytes.multicast::cluster,
 * and prefetch.global.L2. */
void hostcuda_bulk_copy(void *to, const void *from, unsigned bytes, uint64_t *bar, unsigned blocks);
void hostcuda_prefetch(const void *at);
/* PTX: fence.proxy.async.shared::cta. */
void hostcuda_proxy_fence(void);
/* PTX: bar.sync of the threads of this warp group. */
void hostcuda_group_sync(void);
/* PTX: wgmma.fence, wgmma.mma_async.m64nNk16.f32.bf16.bf16 with operands K-major in shared memory,
 * or A in registers, commit_group and wait_group. d: the thread's n / 2 accumulators. */
void hostcuda_wgmma_fence(void);
void hostcuda_wgmma(float *d, int n, uint64_t a, uint64_t b, bool accumulate);
void hostcuda_wgmma_registers(float *d, int n, const uint32_t a[4], uint64_t b, bool accumulate);
void hostcuda_wgmma_commit(void);
void hostcuda_wgmma_wait(int groups);

/* --- the runtime ----------------------------------------------------------------------------- */

typedef enum cudaError {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorInsufficientDriver = 35,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidDevice = 101,
  cudaErrorInvalidResourceHandle = 400,
  cudaErrorIllegalState = 401,
  cudaErrorLaunchFailure = 719,
  cudaErrorStreamCaptureUnsupported = 900,
  cudaErrorStreamCaptureInvalidated = 901,
  cudaErrorInvalidClusterSize = 912
} cudaError_t;

typedef struct CUstream_st *cudaStream_t;
typedef struct CUgraph_st *cudaGraph_t;
typedef struct CUgraphExec_st *cudaGraphExec_t;
typedef struct CUevent_st *cudaEvent_t;

typedef enum cudaMemcpyKind {
  cudaMemcpyHostToHost,
  cudaMemcpyHostToDevice,
  cudaMemcpyDeviceToHost,
  cudaMemcpyDeviceToDevice,
  cudaMemcpyDefault
} cudaMemcpyKind;

enum { cudaStreamDefault = 0, cudaStreamNonBlocking = 1 };
enum cudaStreamCaptureMode {
  cudaStreamCaptureModeGlobal,
  cudaStreamCaptureModeThreadLocal,
  cudaStreamCaptureModeRelaxed
};
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };

typedef struct cudaDeviceProp {
  char name[256];
  size_t totalGlobalMem, sharedMemPerBlockOptin;
  int major, minor, multiProcessorCount, l2CacheSize;
} cudaDeviceProp;

typedef enum cudaLaunchAttributeID {
  cudaLaunchAttributeClusterDimension = 4
} cudaLaunchAttributeID;
typedef union cudaLaunchAttributeValue {
  struct {
    unsigned x, y, z;
  } clusterDim;
  char pad[64];
} cudaLaunchAttributeValue;
typedef struct cudaLaunchAttribute {
  cudaLaunchAttributeID id;
  cudaLaunchAttributeValue val;
} cudaLaunchAttribute;

typedef struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  size_t dynamicSmemBytes;
  cudaStream_t stream;
  cudaLaunchAttribute *attrs;
  unsigned numAttrs;
} cudaLaunchConfig_t;

const char *cudaGetErrorString(cudaError_t error);
const char *cudaGetErrorName(cudaError_t error);
cudaError_t cudaGetLastError(void);
cudaError_t cudaPeekAtLastError(void);
cudaError_t cudaDriverGetVersion(int *version);
cudaError_t cudaRuntimeGetVersion(int *version);
cudaError_t cudaGetDeviceCount(int *count);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *prop, int device);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDevice(int *device);
cudaError_t cudaDeviceSynchronize(void);
cudaError_t cudaMemGetInfo(size_t *room, size_t *all);
cudaError_t cudaMalloc(void **out, size_t bytes);
template <class T>
static inline cudaError_t cudaMalloc(T **out, size_t bytes) {
  return cudaMalloc(reinterpret_cast<void **>(out), bytes);
}
cudaError_t cudaFree(void *p);
/* Copies from here to the device are made when the stream is used again or waited for. */
cudaError_t cudaMallocHost(void **out, size_t bytes);
template <class T>
static inline cudaError_t cudaMallocHost(T **out, size_t bytes) {
  return cudaMallocHost(reinterpret_cast<void **>(out), bytes);
}
cudaError_t cudaFreeHost(void *p);
cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind kind);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream = NULL);
cudaError_t cudaMemset(void *to, int value, size_t bytes);
cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t stream = NULL);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *out);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph,
                                 unsigned long long flags = 0);
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph);
cudaError_t cudaEventCreate(cudaEvent_t *out);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream = NULL);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t from, cudaEvent_t to);

cudaError_t cudaFuncSetAttribute(const void *kernel, cudaFuncAttribute attribute, int value);
cudaError_t hostcuda_launch(const cudaLaunchConfig_t *config, const void *kernel,
                            std::function<void()> body);
template <class... P, class... A>
static inline cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t *config, void (*kernel)(P...),
                                             A &&...args) {
  std::tuple<std::decay_t<P>...> values(std::forward<A>(args)...);
  return hostcuda_launch(config, reinterpret_cast<const void *>(kernel),
                         [kernel, values] { std::apply(kernel, values); });
}

/* For the parts of hostcuda: does it now, or records it where the stream is being captured. */
cudaError_t hostcuda_enqueue(cudaStream_t stream, std::function<void()> work);
/* To be called when it runs. */
void hostcuda_count(const char *what);
void hostcuda_count_kernel(const void *kernel);

#endif
