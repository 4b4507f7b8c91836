/* The threads of a cluster as fibers: mostly the cluster is one block. A fiber runs until it has to
 * wait; the scheduler goes round those that can run. One that ends without ever having waited hands
 * its stack to the next, so that a kernel without barriers is a loop over its threads.
 *
 * One host thread at a time may be in here (streams.cpp holds a lock). */
#include "threads.h"

#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <algorithm>
#include <random>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define FIBER_LEAVE(save, bottom, size) __sanitizer_start_switch_fiber(save, bottom, size)
#define FIBER_ENTER(fake, bottom, size) __sanitizer_finish_switch_fiber(fake, bottom, size)
/* The last frames of the fiber before were left, not returned from. */
#define FIBER_FRESH(stack, size) __asan_unpoison_memory_region(stack, size)
#define FORBID(p, size) __asan_poison_memory_region(p, size)
#else
#define FIBER_LEAVE(save, bottom, size) ((void)(save), (void)(bottom), (void)(size))
#define FIBER_ENTER(fake, bottom, size) ((void)(fake), (void)(bottom), (void)(size))
#define FIBER_FRESH(stack, size) ((void)0)
#define FORBID(p, size) ((void)0)
#endif

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace hostcuda {

Cluster cluster;
Block *block;
Fiber *now;

namespace {

/* Stacks begin at different offsets, or all would compete for the same lines of the cache. */
enum { STACK = 256 << 10, GUARD = 4 << 10, STAGGER = 9 * 64, STAGGERS = 64 };
enum { MAP = GUARD + STACK + STAGGERS * STAGGER };

struct Scheduler {
  const void *kernel;
  const std::function<void()> *body;
  Order how;
  std::vector<int> order;              /* of the cluster's threads */
  size_t started, to_start;            /* of `order` */
  std::vector<unsigned char *> stacks; /* free ones; kept for the next launch */
  void *sp, *fake;                     /* the host thread's */
  const void *bottom;
  size_t size;
  std::vector<void *> maps; /* that the stacks are in */

  ~Scheduler() {
    for (void *map : maps) munmap(map, MAP);
  }
} scheduler;

} /* namespace */

void give_up(const char *why) {
  fprintf(stderr, "hostcuda: block (%u, %u, %u), thread (%u, %u, %u): %s; the kernel is\n",
          blockIdx.x, blockIdx.y, blockIdx.z, threadIdx.x, threadIdx.y, threadIdx.z, why);
  void *kernel = const_cast<void *>(scheduler.kernel);
  backtrace_symbols_fd(&kernel, 1, 2); /* for addr2line, where it has no name */
  int told = 0;
  for (const Fiber &f : cluster.fibers)
    if (f.state == WAITING && told++ < 40)
      fprintf(stderr, "  block (%u, %u, %u), thread (%u, %u, %u) waits at %s\n", f.block->index.x,
              f.block->index.y, f.block->index.z, f.thread.x, f.thread.y, f.thread.z, f.waits_for);
  fprintf(stderr, "  %d of %zu threads have ended\n",
          (int)std::count_if(cluster.fibers.begin(), cluster.fibers.end(),
                             [](const Fiber &f) { return f.state == DONE; }),
          cluster.fibers.size());
  abort();
}

/* --- switching ------------------------------------------------------------------------------- */

#if defined(__x86_64__)
/* Saves what a call must keep, and the stack; goes on where `to` was saved. */
extern "C" void hostcuda_switch(void **save, void *to);
__asm__(
    ".text\n.globl hostcuda_switch\n.hidden hostcuda_switch\n"
    ".type hostcuda_switch,@function\nhostcuda_switch:\n"
    "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
    "movq %rsp,(%rdi)\nmovq %rsi,%rsp\n"
    "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\nret\n"
    ".size hostcuda_switch,.-hostcuda_switch\n");

static void *fresh_stack(unsigned char *stack, void (*entry)(void)) {
  void **top = reinterpret_cast<void **>(stack + STACK);
  *--top = NULL; /* entry's return address: it never returns */
  *--top = reinterpret_cast<void *>(entry);
  for (int i = 0; i < 6; i++) *--top = NULL;
  return top;
}
#else
#error "hostcuda switches fibers on x86-64 only"
#endif

static unsigned char *take_stack(void) {
  if (!scheduler.stacks.empty()) {
    unsigned char *stack = scheduler.stacks.back();
    scheduler.stacks.pop_back();
    return stack;
  }
  void *map = mmap(NULL, MAP, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (map == MAP_FAILED || mprotect(map, GUARD, PROT_NONE)) give_up("no memory for its stack");
  scheduler.maps.push_back(map);
  const size_t stagger = scheduler.maps.size() % STAGGERS * STAGGER;
  return static_cast<unsigned char *>(map) + GUARD + stagger;
}

static void to_scheduler(Fiber *f) {
  FIBER_LEAVE(f->state == DONE ? NULL : &f->fake, scheduler.bottom, scheduler.size);
  hostcuda_switch(&f->sp, scheduler.sp);
  FIBER_ENTER(f->fake, &scheduler.bottom, &scheduler.size);
}

void wait(const char *what) {
  Fiber *f = now;
  f->state = WAITING;
  f->waits_for = what;
  to_scheduler(f);
}

void select_thread(Fiber *f) {
  now = f;
  block = f->block;
  threadIdx = f->thread;
  blockIdx = block->index;
}

/* All are there, or have ended. */
static void meet(void) {
  cluster.at_sync = 0;
  for (Fiber &f : cluster.fibers)
    if (f.state != DONE) f.state = READY;
}

static void leave(Fiber *f) {
  f->state = DONE;
  cluster.alive--;
  if (block->at_barrier > 0) give_up("it ended while others wait at a barrier");
  if (!block->groups.empty()) leave_group();
  if (--block->alive == 0) check_ended(block);
  if (cluster.at_sync > 0 && cluster.at_sync == cluster.alive) meet();
}

static void begin(Fiber *f, unsigned char *stack) {
  f->stack = stack;
  f->state = READY;
  select_thread(f);
}

static void entry(void) {
  FIBER_ENTER(NULL, &scheduler.bottom, &scheduler.size);
  for (;;) {
    (*scheduler.body)();
    Fiber *f = now;
    leave(f);
    if (scheduler.started >= scheduler.to_start) to_scheduler(f);
    begin(&cluster.fibers[scheduler.order[scheduler.started++]], f->stack);
  }
}

static void resume(Fiber *f) {
  select_thread(f);
  FIBER_LEAVE(&scheduler.fake, f->stack, STACK);
  hostcuda_switch(&scheduler.sp, f->sp);
  FIBER_ENTER(scheduler.fake, NULL, NULL);
  if (now->state == DONE) scheduler.stacks.push_back(now->stack);
}

/* --- blocks ---------------------------------------------------------------------------------- */

static Order order_from_environment(void) {
  const char *how = getenv("HOSTCUDA_ORDER");
  if (!how || !*how) return FORWARD;
  if (!strcmp(how, "reverse")) return REVERSE;
  if (!strcmp(how, "shuffle")) return SHUFFLE;
  fprintf(stderr, "hostcuda: HOSTCUDA_ORDER is reverse or shuffle\n");
  abort();
}

static std::mt19937 draws(1);

static void shuffle(std::vector<int> *order) {
  std::shuffle(order->begin(), order->end(), draws);
}
size_t draw(size_t n) {
  return draws() % n;
}
Order order_now(void) {
  return scheduler.how;
}

static std::vector<int> order_of(size_t n) {
  std::vector<int> order(n);
  for (size_t i = 0; i < n; i++) order[i] = (int)(scheduler.how == REVERSE ? n - 1 - i : i);
  if (scheduler.how == SHUFFLE) shuffle(&order);
  return order;
}

static void begin_grid(size_t blocks, size_t threads) {
  cluster.fibers.resize(blocks * threads);
  cluster.blocks.resize(blocks);
  for (unsigned i = 0; i < blocks * threads; i++) {
    Fiber *f = &cluster.fibers[i];
    const unsigned at = i % (unsigned)threads;
    f->index = (int)at;
    f->thread = {at % blockDim.x, at / blockDim.x % blockDim.y, at / blockDim.x / blockDim.y};
    f->block = &cluster.blocks[i / threads];
  }
  for (unsigned i = 0; i < blocks; i++) {
    Block *b = &cluster.blocks[i];
    b->rank = i;
    b->fibers = &cluster.fibers[i * threads];
    b->threads = threads;
    b->warps.assign((threads + LANES - 1) / LANES, Warp());
  }
  scheduler.order = order_of(blocks * threads);
}

/* Some threads, as far as they get; whether any ran. */
static bool run_threads(size_t first, size_t end) {
  /* Those that have not begun, each as far as it gets. */
  bool any = false, again = true;
  scheduler.to_start = end;
  while (scheduler.started < end) {
    Fiber *f = &cluster.fibers[scheduler.order[scheduler.started++]];
    begin(f, take_stack());
    FIBER_FRESH(f->stack, STACK);
    f->sp = fresh_stack(f->stack, entry);
    resume(f);
    any = true;
  }

  /* Then all that wait for nothing, until none gets further; in a shuffled order one round at a
   * time. */
  while (again) {
    again = false;
    for (size_t i = first; i < end; i++) {
      Fiber *f = &cluster.fibers[scheduler.order[i]];
      if (f->state != READY) continue;
      resume(f);
      any = again = true;
    }
    if (scheduler.how == SHUFFLE) return any;
  }
  return any;
}

static void begin_block(Block *b) {
  for (size_t i = 0; i < b->threads; i++) {
    Fiber *f = &b->fibers[i];
    f->state = NEW;
    f->group = 0;
    f->steps = 0;
    f->fences = 0;
    f->copies.clear();
    f->unfenced.clear();
    f->accumulators.clear();
    f->operands.clear();
  }
  memset(b->shared, 0xff, b->shared_bytes);
  b->alive = (int)b->threads;
  b->at_barrier = b->any = 0;
  b->groups.clear();
  b->barriers.clear();
  b->chunks.clear();
}

/* Warp by warp, whose stacks fit the cache; in the shuffled order a thread of any warp is next.
 * Copies in bulk arrive as late as possible, or by chance. */
static void run_cluster(void) {
  const size_t n = cluster.fibers.size(), step = scheduler.how == SHUFFLE ? n : (size_t)LANES;
  for (Block &b : cluster.blocks) begin_block(&b);
  cluster.alive = (int)n;
  cluster.at_sync = 0;
  scheduler.started = 0;
  while (cluster.alive > 0) {
    bool ran = false;
    for (size_t i = 0; i < n; i += step) ran |= run_threads(i, std::min(i + step, n));
    if (!ran && !land_copy()) give_up("the threads wait for each other forever");
    if (scheduler.how != SHUFFLE) continue;
    while (ran && copies_under_way() && draw(2)) land_copy();
    shuffle(&scheduler.order);
  }
}

static uint3 coordinates(unsigned i, const dim3 &of) {
  return {i % of.x, i / of.x % of.y, i / of.x / of.y};
}

/* Shared memory is aligned to 16 bytes, as kernels may expect, and not to more; it lies alike in
 * all blocks of a cluster. `blocks` are those of a cluster. */
void run_grid(const void *kernel, const dim3 &grid, const dim3 &blocks, const dim3 &threads,
              size_t shared, const std::function<void()> &body) {
  /* What kernels read of their grid. */
  const unsigned n = blocks.x * blocks.y * blocks.z;
  const dim3 clusters(grid.x / blocks.x, grid.y / blocks.y, grid.z / blocks.z);
  scheduler.kernel = kernel;
  scheduler.body = &body;
  scheduler.how = order_from_environment();
  gridDim = grid;
  blockDim = threads;
  begin_grid(n, (size_t)threads.x * threads.y * threads.z);

  /* Shared memory of each block, with forbidden bytes before it. */
  std::vector<void *> memory(n);
  for (unsigned i = 0; i < n; i++) {
    if (posix_memalign(&memory[i], SHARED_ALIGNMENT, CHUNK + shared)) give_up("no memory to share");
    FORBID(memory[i], CHUNK);
    cluster.blocks[i].shared = static_cast<unsigned char *>(memory[i]) + CHUNK;
    cluster.blocks[i].shared_bytes = shared;
  }

  /* Cluster by cluster, in the order that the environment asks for. */
  for (int at : order_of((size_t)clusters.x * clusters.y * clusters.z)) {
    const uint3 c = coordinates((unsigned)at, clusters);
    for (Block &b : cluster.blocks) {
      const uint3 in = coordinates(b.rank, blocks);
      b.index = {c.x * blocks.x + in.x, c.y * blocks.y + in.y, c.z * blocks.z + in.z};
    }
    run_cluster();
  }

  for (void *m : memory) free(m);
}

/* The result is kept until all have read it: nobody comes to the next barrier before. */
static int barrier(const char *what, int predicate) {
  Block *b = block;
  if (b->at_barrier > 0 && b->barrier != what)
    give_up("the threads of the block are at different barriers");
  if (b->alive < (int)b->threads) give_up("it is at a barrier, but others have ended");
  b->barrier = what;
  b->any |= predicate != 0;
  if (++b->at_barrier < b->alive) {
    wait(what);
    return b->any_result;
  }
  b->any_result = b->any;
  b->at_barrier = b->any = 0;
  for (size_t i = 0; i < b->threads; i++) b->fibers[i].state = READY;
  return b->any_result;
}

} /* namespace hostcuda */

using namespace hostcuda;

void *hostcuda_shared_memory(void) {
  return block->shared;
}
void __syncthreads(void) {
  barrier("__syncthreads", 0);
}
int __syncthreads_or(int predicate) {
  return barrier("__syncthreads_or", predicate);
}
unsigned hostcuda_cluster_rank(void) {
  return block->rank;
}
void hostcuda_cluster_sync(void) {
  if (++cluster.at_sync < cluster.alive)
    wait("cluster_sync");
  else
    meet();
}
