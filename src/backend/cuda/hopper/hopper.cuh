/* What compute capability 9.0 alone has (sm_90a): products by warp groups, copies in bulk, barriers
 * that count bytes, clusters of blocks. Thin names for single instructions, PTX ISA 8.0; on the CPU
 * tests/hostcuda does what the manual says they do.
 *
 * Operands of products lie in shared memory as tiles [rows][64 deep] of bfloat16 whose rows of 128
 * bytes are swizzled: of byte 16 c + i of row r, chunk c is stored as chunk c ^ (r % 8)
 * (tile_chunk). Tiles start at multiples of 1,024 bytes. */
#ifndef TRM_BACKEND_CUDA_HOPPER_HOPPER_CUH
#define TRM_BACKEND_CUDA_HOPPER_HOPPER_CUH

#include "backend/cuda/tile.cuh"

enum {
  WARP_GROUP = 128,     /* threads */
  TILE_DEEP = 64,       /* values of a row of a tile */
  TILE_ROW = 128,       /* bytes of it */
  TILE_ALIGNMENT = 1024 /* bytes */
};

/* Byte offset of 16-byte chunk c (8 values deep) of row r in a tile. */
__host__ __device__ constexpr int tile_chunk(int r, int c) {
  return r * TILE_ROW + (c ^ r % 8) * 16;
}

/* 32-bit address of shared memory. */
__device__ __forceinline__ uint32_t shared_address(const void *p) {
#ifdef __CUDACC__
  return (uint32_t)__cvta_generic_to_shared(p);
#else
  return hostcuda_shared_address(p);
#endif
}

/* The first tile in dynamic shared memory; in each block of a cluster at the same distance. */
__device__ __forceinline__ unsigned char *first_tile(unsigned char *shared) {
  return shared + (0u - shared_address(shared)) % TILE_ALIGNMENT;
}
/* Eight values to chunk c of row r. */
__device__ __forceinline__ void store_chunk(unsigned char *tile, int r, int c,
                                            const float (&v)[8]) {
  *reinterpret_cast<uint4 *>(tile + tile_chunk(r, c)) = make_uint4(
      pack_pair(v[0], v[1]), pack_pair(v[2], v[3]), pack_pair(v[4], v[5]), pack_pair(v[6], v[7]));
}

/* --- clusters -------------------------------------------------------------------------------- */

/* Launches kernel(args...) with neighbouring blocks in clusters of `cluster`. */
template <class... P, class... A>
inline void launch_clusters(void (*kernel)(P...), dim3 grid, unsigned cluster, dim3 block,
                            size_t shared, cudaStream_t stream, A... args) {
  cudaLaunchAttribute attribute = {};
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim.x = cluster;
  attribute.val.clusterDim.y = attribute.val.clusterDim.z = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared;
  config.stream = stream;
  config.attrs = &attribute;
  config.numAttrs = 1;
  (void)cudaFuncSetAttribute(reinterpret_cast<const void *>(kernel),
                             cudaFuncAttributeMaxDynamicSharedMemorySize, (int)shared);
  (void)cudaLaunchKernelEx(&config, kernel, static_cast<P>(args)...);
}

/* The block's number in its cluster. */
__device__ __forceinline__ unsigned cluster_rank() {
#ifdef __CUDACC__
  unsigned rank;
  asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
#else
  return hostcuda_cluster_rank();
#endif
}
/* All threads of all blocks of the cluster meet; what each wrote before is seen by all after. */
__device__ __forceinline__ void cluster_sync() {
#ifdef __CUDACC__
  asm volatile("barrier.cluster.arrive.release;\nbarrier.cluster.wait.acquire;" ::: "memory");
#else
  hostcuda_cluster_sync();
#endif
}

/* --- barriers in shared memory ---------------------------------------------------------------
 * A phase ends when `count` arrivals and all bytes expected have come; phases have parity 0, 1, 0,
 * … in turn. */

__device__ __forceinline__ void barrier_init(uint64_t *bar, unsigned count) {
#ifdef __CUDACC__
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(bar)), "r"(count)
               : "memory");
#else
  hostcuda_mbarrier_init(bar, count);
#endif
}
/* Behind the initialisations, before a cluster_sync. */
__device__ __forceinline__ void barrier_init_fence() {
#ifdef __CUDACC__
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
#endif
}
__device__ __forceinline__ void barrier_arrive(uint64_t *bar) {
#ifdef __CUDACC__
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(bar)) : "memory");
#else
  hostcuda_mbarrier_arrive(bar);
#endif
}
/* At the barrier that lies at the same place in block `rank` of the cluster. */
__device__ __forceinline__ void barrier_arrive_at(uint64_t *bar, unsigned rank) {
#ifdef __CUDACC__
  asm volatile(
      "{\n.reg .b32 there;\n"
      "mapa.shared::cluster.u32 there, %0, %1;\n"
      "mbarrier.arrive.shared::cluster.b64 _, [there];\n}" ::"r"(shared_address(bar)),
      "r"(rank)
      : "memory");
#else
  hostcuda_mbarrier_arrive_at(bar, rank);
#endif
}
/* Arrives, and says how many bytes this phase waits for besides. */
__device__ __forceinline__ void barrier_expect(uint64_t *bar, unsigned bytes) {
#ifdef __CUDACC__
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(bar)),
               "r"(bytes)
               : "memory");
#else
  hostcuda_mbarrier_expect(bar, bytes);
#endif
}
/* Waits for the end of the phase of that parity; of the one before the first with parity 1. */
__device__ __forceinline__ void barrier_wait(uint64_t *bar, unsigned parity) {
#ifdef __CUDACC__
  asm volatile(
      "{\n.reg .pred over;\n"
      "again:\nmbarrier.try_wait.parity.shared::cta.b64 over, [%0], %1;\n"
      "@!over bra again;\n}" ::"r"(shared_address(bar)),
      "r"(parity)
      : "memory");
#else
  hostcuda_mbarrier_wait(bar, parity);
#endif
}

/* The place in a ring of stages, and the parity of its phase. */
template <int STAGES>
struct Ring {
  int stage;
  unsigned parity;
  __device__ void advance() {
    if (++stage == STAGES) stage = 0, parity ^= 1;
  }
};

/* --- copies in bulk ----------------------------------------------------------------------------
 */

/* Copies to the same place of each block of the cluster whose bit is set in `blocks`, where its
 * barrier at the place of `bar` counts the bytes. One thread; 16 bytes divide all three. */
__device__ __forceinline__ void copy_bulk(void *to, const void *from, unsigned bytes, uint64_t *bar,
                                          unsigned blocks) {
#ifdef __CUDACC__
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster "
      "[%0], [%1], %2, [%3], %4;" ::"r"(shared_address(to)),
      "l"(from), "r"(bytes), "r"(shared_address(bar)), "h"((uint16_t)blocks)
      : "memory");
#else
  hostcuda_bulk_copy(to, from, bytes, bar, blocks);
#endif
}
/* Fetches the 32 bytes around `at` into the second-level cache. (The form in bulk is one for a
 * warp: with 32 addresses it becomes a loop.) */
__device__ __forceinline__ void prefetch(const void *at) {
#ifdef __CUDACC__
  asm volatile("prefetch.global.L2 [%0];" ::"l"(at) : "memory");
#else
  hostcuda_prefetch(at);
#endif
}
/* What this thread stored in shared memory, and its copies that have arrived (cp.async), can be
 * read by products and bulk copies of those that it synchronises with after. */
__device__ __forceinline__ void proxy_fence() {
#ifdef __CUDACC__
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#else
  hostcuda_proxy_fence();
#endif
}

/* --- products by a warp group ------------------------------------------------------------------
 * All 128 threads call these, and go on while the product is computed: neither its operands nor its
 * accumulators may be touched before group_wait. */

/* Registers of each thread of the warp group from here on. */
template <int N>
__device__ __forceinline__ void more_registers() {
#ifdef __CUDACC__
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(N));
#endif
}
template <int N>
__device__ __forceinline__ void fewer_registers() {
#ifdef __CUDACC__
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(N));
#endif
}

/* The threads of this warp group meet; barriers 1, 2, … are those of groups 0, 1, … */
__device__ __forceinline__ void group_sync() {
#ifdef __CUDACC__
  asm volatile("bar.sync %0, %1;" ::"r"(1 + threadIdx.x / WARP_GROUP), "n"((int)WARP_GROUP)
               : "memory");
#else
  hostcuda_group_sync();
#endif
}

/* Accumulators of 64 rows and N columns. Warp w, lane i: c[4 j + e] is row 16 w + i / 4 + 8 (e /
 * 2), column 8 j + 2 (i % 4) + e % 2. */
template <int N>
struct sums {
  float c[N / 2];
};

/* The matrix descriptor of a tile (PTX ISA, "matrix descriptor"), or of what of it lies from `at`
 * on: address / 16, the 1,024 bytes from eight rows to the next / 16 at bit 32, swizzle of 128
 * bytes. */
__device__ __forceinline__ uint64_t tile_descriptor(uint32_t at) {
  return (uint64_t)((at & 0x3ffffu) >> 4) | 1ull << 16 | (uint64_t)(1024 >> 4) << 32 | 1ull << 62;
}

/* Before the first product, and behind other uses of its accumulators. */
__device__ __forceinline__ void group_begin() {
#ifdef __CUDACC__
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#else
  hostcuda_wgmma_fence();
#endif
}
/* Ends a group of products. */
__device__ __forceinline__ void group_commit() {
#ifdef __CUDACC__
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#else
  hostcuda_wgmma_commit();
#endif
}
/* Waits until at most N groups are under way. */
template <int N>
__device__ __forceinline__ void group_wait() {
#ifdef __CUDACC__
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory");
#else
  hostcuda_wgmma_wait(N);
#endif
}
/* Keeps the compiler from moving uses of these across. */
template <int N>
__device__ __forceinline__ void pin(sums<N> &d) {
#ifdef __CUDACC__
#pragma unroll
  for (int i = 0; i < N / 2; i++) asm volatile("" : "+f"(d.c[i])::"memory");
#else
  (void)d;
#endif
}

/* The value of an accumulator in a register of its own: what is computed from it cannot then share
 * registers with products under way, for which ptxas would make them wait for each other. */
__device__ __forceinline__ float copied(float x) {
#ifdef __CUDACC__
  float y;
  asm volatile("mov.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#else
  return x;
#endif
}

/* The instruction for n columns: TRM_Nn are the names of the accumulators, TRM_Cn themselves. */
#ifdef __CUDACC__
#define TRM_NAMES_0 "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15"
#define TRM_NAMES_16 \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define TRM_NAMES_32 \
  "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47"
#define TRM_NAMES_48 "%48, %49, %50, %51, %52, %53, %54, %55"
#define TRM_NAMES_56 "%56, %57, %58, %59, %60, %61, %62, %63"
#define TRM_N64 TRM_NAMES_0 ", " TRM_NAMES_16
#define TRM_N96 TRM_N64 ", " TRM_NAMES_32
#define TRM_N112 TRM_N96 ", " TRM_NAMES_48
#define TRM_N128 TRM_N112 ", " TRM_NAMES_56
#define TRM_C4(i) "+f"(d.c[i]), "+f"(d.c[i + 1]), "+f"(d.c[i + 2]), "+f"(d.c[i + 3])
#define TRM_C8(i) TRM_C4(i), TRM_C4(i + 4)
#define TRM_C64 TRM_C8(0), TRM_C8(8), TRM_C8(16), TRM_C8(24)
#define TRM_C96 TRM_C64, TRM_C8(32), TRM_C8(40)
#define TRM_C112 TRM_C96, TRM_C8(48)
#define TRM_C128 TRM_C112, TRM_C8(56)
#define TRM_WGMMA(n, ab, scale, transposed, ...)                                           \
  asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, " scale                                   \
               ", 0;\nwgmma.mma_async.sync.aligned.m64n" #n "k16.f32.bf16.bf16 {" TRM_N##n \
               "}, " ab ", p, 1, 1, " transposed ";\n}"                                    \
               : TRM_C##n                                                                  \
               : __VA_ARGS__, "r"((int)accumulate))
#endif

/* d = A B^T (+ d) of 64 x 128 x 16; descriptors of 64 rows of A, 128 of B. */
__device__ __forceinline__ void group_product(sums<128> &d, uint64_t a, uint64_t b,
                                              bool accumulate) {
#ifdef __CUDACC__
  TRM_WGMMA(128, "%64, %65", "%66", "0, 0", "l"(a), "l"(b));
#else
  hostcuda_wgmma(d.c, 128, a, b, accumulate);
#endif
}

/* d = A B^T (+ d) of 64 x N x 16; A in registers, 16 rows a warp laid out as for ldmatrix
 * (operand<bf16>, tile.cuh); a descriptor of N rows of B. */
#ifdef __CUDACC__
#define TRM_GROUP_PRODUCT(n, ab, scale)                                                        \
  __device__ __forceinline__ void group_product(sums<n> &d, const uint32_t(&a)[4], uint64_t b, \
                                                bool accumulate) {                             \
    TRM_WGMMA(n, ab, scale, "0", "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));          \
  }
TRM_GROUP_PRODUCT(64, "{%32, %33, %34, %35}, %36", "%37")
TRM_GROUP_PRODUCT(96, "{%48, %49, %50, %51}, %52", "%53")
TRM_GROUP_PRODUCT(112, "{%56, %57, %58, %59}, %60", "%61")
TRM_GROUP_PRODUCT(128, "{%64, %65, %66, %67}, %68", "%69")
#else
template <int N>
inline void group_product(sums<N> &d, const uint32_t (&a)[4], uint64_t b, bool accumulate) {
  hostcuda_wgmma_registers(d.c, N, a, b, accumulate);
}
#endif

#endif
