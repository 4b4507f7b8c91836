/* What every file of the CUDA backend shares: the element types, launches, loads.
 *
 * The same sources are compiled twice: by nvcc for a GPU, and by a plain C++ compiler against
 * tests/hostcuda, which runs every thread of a block on the CPU, so that kernels are tested on
 * machines without a GPU. Therefore no <<< >>>, and what only a GPU has (matrix units, asynchronous
 * copies) stands in tile.cuh behind functions of its own.
 *
 * T is float or bfloat16: the format of activations and operands. Sums are in float. */
#ifndef TRM_BACKEND_CUDA_DEVICE_CUH
#define TRM_BACKEND_CUDA_DEVICE_CUH

#include <cuda_bf16.h>
#include <cuda_runtime.h>
#include <stdint.h>

typedef __nv_bfloat16 bf16;

enum { WARP = 32 };

__host__ __device__ inline float to_float(float x) {
  return x;
}
__host__ __device__ inline float to_float(bf16 x) {
  return __bfloat162float(x);
}
template <class T>
__host__ __device__ inline T from_float(float x);
template <>
__host__ __device__ inline float from_float<float>(float x) {
  return x;
}
template <>
__host__ __device__ inline bf16 from_float<bf16>(float x) {
  return __float2bfloat16(x); /* to nearest, ties to even */
}

/* A block's dynamic shared memory, aligned to 16 bytes: TRM_SHARED(float, tile); */
#ifdef __CUDACC__
#define TRM_SHARED(type, name)                                \
  extern __shared__ __align__(16) unsigned char trm_shared[]; \
  type *name = reinterpret_cast<type *>(trm_shared)
#else
#define TRM_SHARED(type, name) type *name = reinterpret_cast<type *>(hostcuda_shared_memory())
#endif

/* Launches kernel(args...); an error shows in cudaGetLastError. */
template <class... P, class... A>
inline void launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared, cudaStream_t stream,
                   A... args) {
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared;
  config.stream = stream;
  (void)cudaLaunchKernelEx(&config, kernel, static_cast<P>(args)...);
}

/* Sum over the lanes of a warp, in all of them. */
__device__ inline float warp_sum(float x) {
  for (int step = WARP / 2; step > 0; step /= 2) x += __shfl_xor_sync(0xffffffffu, x, step);
  return x;
}

static inline int64_t divide_up(int64_t n, int64_t by) {
  return (n + by - 1) / by;
}

/* Kernels of one thread an item: blocks of BLOCK threads, and the item of a thread. */
enum { BLOCK = 256 };

static inline dim3 grid_for(int64_t items) {
  return dim3((unsigned)divide_up(items, BLOCK));
}
__device__ inline int64_t thread_index() {
  return blockIdx.x * (int64_t)blockDim.x + threadIdx.x;
}

/* The sum over the THREADS threads of a block, by a tree, in all of them; `part` is shared. */
template <int THREADS, class N>
__device__ inline N block_sum(N x, N *part) {
  part[threadIdx.x] = x;
  __syncthreads();
  for (int step = THREADS / 2; step > 0; step /= 2) {
    if ((int)threadIdx.x < step) part[threadIdx.x] += part[threadIdx.x + step];
    __syncthreads();
  }
  const N sum = part[0];
  __syncthreads();
  return sum;
}

#endif
