/* What tests/hostcuda does beyond a GPU of compute capability 9.0: products and copies in bulk that
 * are as late as is legal, and kernels stopped for what a GPU would hang on or hide. */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

extern "C" {
#include <cmocka.h>
}

#include "backend/cuda/hopper/hopper.cuh"
#include "backend/cuda/tile.cuh"

#define ok(call) assert_int_equal(call, cudaSuccess)

enum { SHARED = 40 << 10, TILE_A = 64 * TILE_ROW };

/* What a process of its own said that was stopped at this; "" where it was not. */
template <class... P, class... A>
static std::string reason(void (*kernel)(P...), unsigned cluster, unsigned threads, A... args) {
  /* The kernel runs in a child whose stderr is read: the emulation ends a program that is wrong. */
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  fflush(NULL);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], 2);
    close(ends[0]);
    launch_clusters(kernel, cluster, cluster, threads, SHARED, NULL, args...);
    _exit(cudaGetLastError() == cudaSuccess ? 0 : 98);
  }

  /* All that it said. */
  close(ends[1]);
  std::string said;
  char part[4096];
  for (ssize_t n; (n = read(ends[0], part, sizeof part)) > 0;) said.append(part, (size_t)n);
  close(ends[0]);

  /* It ended well, with nothing to tell, or was stopped on purpose. */
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return "";
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  return said;
}

/* Sorts 0, 1, … of a kernel are stopped for these reasons; NULL: not at all. */
template <class... A>
static void check_reasons(void (*kernel)(int, A...), unsigned cluster, unsigned threads,
                          const std::vector<const char *> &reasons, A... args) {
  for (size_t sort = 0; sort < reasons.size(); sort++) {
    const std::string said = reason(kernel, cluster, threads, (int)sort, args...);
    const char *want = reasons[sort];
    if (want ? said.find(want) == std::string::npos : !said.empty())
      fail_msg("sort %zu: %s, not %s", sort, said.c_str(), want ? want : "nothing");
  }
}

/* --- barriers ---------------------------------------------------------------------------- */

__global__ void barriers_kernel(int sort) {
  /* A barrier in order, one that nobody has made, and one that does not lie at a multiple of 8. */
  TRM_SHARED(unsigned char, memory);
  static uint64_t elsewhere;
  uint64_t *bar = reinterpret_cast<uint64_t *>(memory + 16);
  uint64_t *never = bar + 1, *skewed = reinterpret_cast<uint64_t *>(memory + 36);
  const unsigned most = (1u << 20) - 1;

  /* Sorts 1 to 11, 13 and 14 differ from a correct use by one mistake each. */
  if (threadIdx.x == 0 && sort != 12) {
    barrier_init(bar, sort == 6 ? 1 : 2);
    if (sort == 1) barrier_arrive(never);
    if (sort == 2) barrier_init(skewed, 1);
    if (sort == 3) barrier_init(never, 0);
    if (sort == 4) barrier_init(never, most + 1);
    if (sort == 5) barrier_init(bar, 2);
    if (sort == 6) barrier_expect(bar, 16);
    if (sort == 6) barrier_arrive(bar);
    if (sort == 7) barrier_expect(bar, most);
    if (sort == 7) barrier_expect(bar, most);
    if (sort == 8) memory[19] = 1;
    if (sort == 9) barrier_init(&elsewhere, 1);
    if (sort == 10) barrier_wait(bar, 2);
    if (sort == 13) barrier_arrive_at(bar, 1);
    if (sort != 11) barrier_arrive(bar);
    barrier_arrive(bar);
    barrier_wait(bar, 0);
  }

  if (sort == 12) { /* thread 0 may see the first phase's end, or wait for the third one's */
    if (threadIdx.x == 0) barrier_init(bar, 1);
    __syncthreads();
    if (threadIdx.x == 0) barrier_wait(bar, 0);
    if (threadIdx.x == 1) barrier_arrive(bar);
    if (threadIdx.x == 1) barrier_arrive(bar);
  }

  /* An address that is not in shared memory. */
  if (sort == 14) shared_address(&elsewhere);
}
static void test_wrong_barriers(void **) {
  check_reasons(barriers_kernel, 1, 32,
                {NULL, "never initialised", "not aligned to 8", "counts 1 to", "counts 1 to",
                 "initialised twice", "more threads arrive", "more bytes than", "overwritten",
                 "not in dynamic", "is 0 or 1", "wait for each other forever", "",
                 "outside of its cluster", "what is not in dynamic"});
}

static void land_copies(void) {
  copy_commit();
  copy_wait<0>();
}

/* --- copies in bulk ---------------------------------------------------------------------- */

__global__ void bulk_kernel(int sort, const unsigned char *from) {
  /* One barrier of each block, behind what is copied. */
  TRM_SHARED(unsigned char, memory);
  uint64_t *bar = reinterpret_cast<uint64_t *>(memory + 1024);
  const unsigned rank = cluster_rank();
  if (threadIdx.x == 0 && (sort != 1 || rank == 0)) barrier_init(bar, 1);

  /* Sorts 2 and 3 reach for a block that has ended: one that has counts as arrived. */
  if (sort == 2 || sort == 3) {
    if (rank == 1) return;
    cluster_sync();
    if (threadIdx.x > 0) return;
    if (sort == 2) barrier_arrive_at(bar, 1);
    if (sort == 3) copy_bulk(memory, from, 16, bar, 2);
    return;
  }

  /* Sorts 4 to 14: addresses, sizes and destinations that the manual forbids. */
  cluster_sync();
  if (threadIdx.x == 0 && rank == 0) {
    if (sort == 4) copy_bulk(memory + 8, from, 16, bar, 3);
    if (sort == 5) copy_bulk(memory, from + 8, 16, bar, 3);
    if (sort == 6) copy_bulk(memory, from, 24, bar, 3);
    if (sort == 7) copy_bulk(memory, from, 0, bar, 3);
    if (sort == 8) copy_bulk(memory, from, 16, bar, 0);
    if (sort == 9) copy_bulk(memory, from, 16, bar, 4);
    if (sort == 10) copy_bulk(memory + SHARED - 16, from, 32, bar, 1);
    if (sort == 11) copy_bulk(memory + 16, from, 32, bar, 2);
    if (sort == 12 || sort == 13) copy_async(memory + 16, from, false);
    if (sort == 12) land_copies();
    if (sort == 14) copy_bulk(memory + 1008, from, 32, bar, 1); /* onto the barrier */
    copy_bulk(memory, from, 32, bar, 3);
    if (sort == 13) land_copies();
  }

  /* The copy is waited for, unless it is sort 15 that ends before it lands. */
  if (threadIdx.x == 0 && sort != 15) {
    barrier_expect(bar, 32);
    barrier_wait(bar, 0);
  }
  if (sort != 15) cluster_sync();
}
static void test_wrong_copies(void **) {
  unsigned char *x = NULL;
  ok(cudaMalloc(&x, 64));
  check_reasons(
      bulk_kernel, 2, 32,
      {NULL, "never initialised", "has ended", "has ended", "not aligned to 16",
       "not aligned to 16", "not aligned to 16", "of nothing", "or to none",
       "outside of the cluster", "leaves dynamic", "go to the same place", "without a proxy fence",
       "where a copy in bulk is under way", "overwritten", "ended"},
      (const unsigned char *)x);
  ok(cudaFree(x));
}

/* Nothing is there before the wait, and what the source is then comes. */
__global__ void late_kernel(float *from, float *out) {
  TRM_SHARED(float, memory);
  uint64_t *bar = reinterpret_cast<uint64_t *>(memory + 4);
  for (int i = 0; i < 4; i++) memory[i] = 1, from[i] = 2;
  barrier_init(bar, 1);
  copy_bulk(memory, from, 16, bar, 1);
  out[0] = memory[0];
  from[0] = 3;
  barrier_expect(bar, 16);
  barrier_wait(bar, 0);
  out[1] = memory[0];
}
/* The accumulators of the first group can be read after the first wait. */
__global__ void early_sums_kernel(float *out) {
  /* A tile of zeros as both operands, and sums that start at 5, so a product that is done shows. */
  TRM_SHARED(unsigned char, memory);
  unsigned char *tile = memory + TILE_ALIGNMENT - shared_address(memory) % TILE_ALIGNMENT;
  const uint64_t at = tile_descriptor(shared_address(tile));
  sums<128> d[2];
  for (int i = threadIdx.x; i < SHARED / 4 - 1024; i += 128)
    reinterpret_cast<uint32_t *>(tile)[i] = 0;
  for (int i = 0; i < 64; i++) d[0].c[i] = d[1].c[i] = 5;

  /* What threads wrote is visible to the matrix unit only behind the fence. */
  proxy_fence();
  __syncthreads();

  /* Two groups of one product each: neither can be read before it is waited for. */
  group_begin();
  float *to = out + 8 * threadIdx.x;
  for (int k = 0; k < 2; k++) {
    group_product(d[k], at, at, true);
    group_commit();
    to[k] = d[k].c[63];
  }

  /* Waiting for all but one group brings the first, then the second. */
  group_wait<1>();
  for (int k = 0; k < 2; k++) to[2 + k] = d[k].c[63];
  group_wait<0>();
  for (int k = 0; k < 2; k++) to[4 + k] = d[k].c[63];

  /* A product that belongs to no group is not waited for. */
  group_product(d[0], at, at, true);
  group_wait<0>();
  to[6] = d[0].c[63];

  /* Once its group is ended, it is. */
  group_commit();
  group_wait<0>();
  to[7] = d[0].c[63];
}
static void test_late(void **) {
  float *x = NULL, got[8 * 128];
  ok(cudaMalloc(&x, sizeof got));
  launch(late_kernel, 1, 1, 64, NULL, x, x + 4);
  ok(cudaMemcpy(got, x + 4, 8, cudaMemcpyDeviceToHost));
  assert_true(isnan(got[0]) && got[1] == 3);
  launch(early_sums_kernel, 1, 128, SHARED, NULL, x);
  ok(cudaMemcpy(got, x, sizeof got, cudaMemcpyDeviceToHost));
  for (int i = 0; i < 8 * 128; i++) {
    const bool late = i % 8 < 2 || i % 8 == 3 || i % 8 == 6;
    assert_true(late ? isnan(got[i]) : got[i] == 5);
  }
  ok(cudaFree(x));
}

/* --- products ---------------------------------------------------------------------------- */

/* A, 64 rows, and B, 128 rows, of zeros, and a barrier behind. */
struct operands {
  unsigned char *a, *b;
  uint64_t *bar;
  uint64_t at_a, at_b;
};
static operands begin(unsigned char *memory) {
  operands o;
  o.a = memory + TILE_ALIGNMENT - shared_address(memory) % TILE_ALIGNMENT;
  o.b = o.a + TILE_A;
  o.bar = reinterpret_cast<uint64_t *>(o.a + 3 * TILE_A);
  o.at_a = tile_descriptor(shared_address(o.a));
  o.at_b = tile_descriptor(shared_address(o.b));
  if (threadIdx.x == 0) {
    memset(o.a, 0, 3 * TILE_A);
    barrier_init(o.bar, 1);
  }
  __syncthreads();
  return o;
}
static void finish(void) {
  group_commit();
  group_wait<0>();
}

/* What is wrong about one product, of thread 77 or of all. */
__global__ void products_kernel(int sort) {
  /* Operands in order; one thread among 128 that may do something else. */
  TRM_SHARED(unsigned char, memory);
  const operands o = begin(memory);
  const bool one = threadIdx.x == 77;
  uint64_t a = o.at_a, b = o.at_b;
  bool accumulate = true;
  sums<128> d = {};

  /* What one thread alone must not do differently. */
  if (sort == 1 && one) return;
  if (sort == 2 && one) a += 2;
  if (sort == 3 && one) accumulate = false;
  if (sort == 4 && one) group_commit();

  /* Descriptors that say something else than the tile that is there. */
  if (sort == 5) a &= ~(3ull << 62);
  if (sort == 6) a |= 1ull << 62 | 1ull << 63;
  if (sort == 7) b |= 1ull << 50;
  if (sort == 8) b += 128 / 16;
  if (sort == 9) b += 112 / 16;
  if (sort == 10) b += SHARED / 1024 * 1024 / 16;
  if (sort == 11) b = tile_descriptor(0);
  if (sort == 12) b += 64ull / 16 << 32;
  if (sort == 13) b |= 1ull << 14;

  /* The order of fence, product, group and wait. */
  if (sort != 14) group_begin();
  if (sort == 15) hostcuda_wgmma(d.c, 132, a, b, accumulate);
  group_product(d, a, b, accumulate);
  if (sort == 16) return;
  if (sort == 17 && one) d.c[5] = 0;
  finish();

  /* A barrier of some threads, while others are at another one or have ended. */
  if (sort == 18 && one) __syncthreads();
  if (sort == 18) group_sync();
  if (sort == 19 && one) return;
  if (sort == 19) group_sync();
}
static void test_wrong_products(void **) {
  /* One reason for each sort, in its order; the first one is correct. */
  check_reasons(products_kernel, 1, 128,
                {NULL,
                 "have ended",
                 "different products",
                 "different products",
                 "do different things",
                 "swizzled by 128",
                 "swizzled by 128",
                 "base offset 0",
                 "multiple of 1,024",
                 "leaves the rows",
                 "leaves dynamic",
                 "leaves dynamic",
                 "multiple of 1,024",
                 "mean nothing",
                 "without wgmma.fence",
                 "256 columns",
                 "products are under way",
                 "were written",
                 "forever",
                 "ended"});

  /* A product takes four warps. */
  assert_true(reason(products_kernel, 1, 96, 0).find("less than 128") != std::string::npos);

  /* Its instruction is there on one GPU only, not on newer ones. */
  setenv("HOSTCUDA_ARCH", "10.0", 1);
  assert_true(reason(products_kernel, 1, 128, 0).find("this GPU") != std::string::npos);
  unsetenv("HOSTCUDA_ARCH");
}

/* Accumulators and operands in registers that are used twice. */
__global__ void registers_kernel(int sort) {
  TRM_SHARED(unsigned char, memory);
  const operands o = begin(memory);
  union {
    sums<128> all;
    float c[96];
  } d = {};
  uint32_t a[4] = {};
  group_begin();
  group_product(d.all, a, o.at_b, true);
  if (sort == 1) a[threadIdx.x == 9] = 0x3f803f80;
  if (sort == 2) hostcuda_wgmma(d.c + 32, 128, o.at_a, o.at_b, true);
  if (sort == 3) hostcuda_wgmma(d.c, 64, o.at_a, o.at_b, true);
  if (sort == 4) finish();
  if (sort == 4) d.c[7] = 1;
  if (sort == 5) finish();
  if (sort == 5) a[0] = 1, d.c[7] = 1, group_begin();
  group_product(d.all, a, o.at_b, true);
  finish();
}
static void test_wrong_registers(void **) {
  check_reasons(registers_kernel, 1, 128,
                {NULL, "operand in registers", "overlap", "different shapes",
                 "changed between products", NULL});
}

/* Copies into what products read. */
__global__ void overtaken_kernel(int sort, const unsigned char *from) {
  /* Operands in order, which one thread may write too early or too late. */
  TRM_SHARED(unsigned char, memory);
  const operands o = begin(memory);
  const bool one = threadIdx.x == 77;
  sums<128> d;

  /* Writes before the product, with and without the fence that makes them visible. */
  group_begin();
  if (sort < 4) copy_async(o.b + 16 * threadIdx.x, from, false);
  land_copies();
  if (sort == 0 || (sort == 1 && one)) proxy_fence();
  if (sort == 2) { /* what is fenced can be written again */
    proxy_fence();
    if (one) copy_async(o.b, from, false);
    land_copies();
  }
  if (sort == 3) __syncwarp(), proxy_fence(), copy_async(memory, from, false), land_copies();
  if (sort == 4 && one) copy_async(o.b, from, false);
  if (sort == 5 && one) copy_bulk(o.b + 2 * TILE_A - 16, from, 16, o.bar, 1);

  /* The product is under way from here to the wait. */
  __syncthreads();
  group_product(d, o.at_a, o.at_b, false);
  group_commit();
  __syncthreads();

  /* Writes meanwhile, into what it reads. */
  land_copies();
  if (sort == 6 && one) copy_async(o.a + 1024, from, false);
  if (sort == 7 && one)
    copy_async(o.a + 1024 + 32, from, false); /* the next 16 deep: another one */
  if (sort == 8 && one) copy_bulk(o.a + 1024, from, 32, o.bar, 1);
  __syncthreads();

  /* Afterwards the memory is free again. */
  group_wait<0>();
  if (sort == 9 && one) copy_bulk(o.a + 1024, from, 32, o.bar, 1); /* that is the time for it */
  if ((sort == 9 || sort == 5) && one) {
    barrier_expect(o.bar, sort == 9 ? 32 : 16);
    barrier_wait(o.bar, 0);
  }
}
static void test_overtaken(void **) {
  unsigned char *x = NULL;
  ok(cudaMalloc(&x, 64));
  check_reasons(overtaken_kernel, 1, 128,
                {NULL, "without a proxy fence", "without a proxy fence", NULL,
                 "cp.async overwrites operands", "copy in bulk under way writes",
                 "cp.async overwrites operands", NULL, "bulk overwrites operands", NULL},
                (const unsigned char *)x);
  ok(cudaFree(x));
}

/* --- launches ---------------------------------------------------------------------------- */

__global__ void nothing_kernel() {}
static void test_refused_launches(void **) {
  launch_clusters(nothing_kernel, 6, 3, 32, 0, NULL);
  ok(cudaGetLastError());
  for (const unsigned n : {0u, 4u, 9u}) {
    launch_clusters(nothing_kernel, n == 9 ? 9 : 6, n, 32, 0, NULL);
    assert_int_equal(cudaGetLastError(), cudaErrorInvalidClusterSize);
  }
  setenv("HOSTCUDA_ARCH", "8.9", 1);
  launch_clusters(nothing_kernel, 6, 3, 32, 0, NULL);
  assert_int_equal(cudaGetLastError(), cudaErrorInvalidClusterSize);
  unsetenv("HOSTCUDA_ARCH");
  cudaLaunchAttribute attribute = {};
  cudaLaunchConfig_t config = {};
  config.attrs = &attribute;
  config.numAttrs = 1;
  assert_int_equal(cudaLaunchKernelEx(&config, nothing_kernel), cudaErrorInvalidValue);
  assert_int_equal(cudaGetLastError(), cudaErrorInvalidValue);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_wrong_barriers),
                                     cmocka_unit_test(test_wrong_copies),
                                     cmocka_unit_test(test_late),
                                     cmocka_unit_test(test_wrong_products),
                                     cmocka_unit_test(test_wrong_registers),
                                     cmocka_unit_test(test_overtaken),
                                     cmocka_unit_test(test_refused_launches)};
  return cmocka_run_group_tests_name("hostcuda_hopper", tests, NULL, NULL);
}
