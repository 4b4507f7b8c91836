/* The threads of a block as fibers. A fiber runs until it has to wait; the scheduler goes round
 * those that can run. One that ends without ever having waited hands its stack to the next, so that
 * a kernel without barriers is a loop over its threads.
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

Block block;

namespace {

/* Stacks begin at different offsets, or all would compete for the same lines of the cache. */
enum { STACK = 256 << 10, GUARD = 4 << 10, STAGGER = 9 * 64, STAGGERS = 64 };
enum { MAP = GUARD + STACK + STAGGERS * STAGGER };

enum Order { FORWARD, REVERSE, SHUFFLE };

struct Scheduler {
  const void *kernel;
  const std::function<void()> *body;
  unsigned char *shared;
  Order how;
  std::vector<int> order;              /* of the threads */
  size_t started, to_start;            /* of `order` */
  std::vector<unsigned char *> stacks; /* free ones; kept for the next launch */
  void *sp, *fake;                     /* the host thread's */
  const void *bottom;
  size_t size;
  int alive, at_barrier, any, any_result;
  const char *barrier;
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
  for (const Fiber &f : block.fibers)
    if (f.state == WAITING && told++ < 40)
      fprintf(stderr, "  thread (%u, %u, %u) waits at %s\n", f.thread.x, f.thread.y, f.thread.z,
              f.waits_for);
  fprintf(stderr, "  %d of %zu threads have ended\n",
          (int)std::count_if(block.fibers.begin(), block.fibers.end(),
                             [](const Fiber &f) { return f.state == DONE; }),
          block.fibers.size());
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
  Fiber *f = block.now;
  f->state = WAITING;
  f->waits_for = what;
  to_scheduler(f);
}

static void leave(Fiber *f) {
  f->state = DONE;
  scheduler.alive--;
  if (scheduler.at_barrier > 0) give_up("it ended while others wait at a barrier");
}

static void begin(Fiber *f, unsigned char *stack) {
  f->stack = stack;
  f->state = READY;
  block.now = f;
  threadIdx = f->thread;
}

static void entry(void) {
  FIBER_ENTER(NULL, &scheduler.bottom, &scheduler.size);
  for (;;) {
    (*scheduler.body)();
    Fiber *f = block.now;
    leave(f);
    if (scheduler.started >= scheduler.to_start) to_scheduler(f);
    begin(&block.fibers[scheduler.order[scheduler.started++]], f->stack);
  }
}

static void resume(Fiber *f) {
  block.now = f;
  threadIdx = f->thread;
  FIBER_LEAVE(&scheduler.fake, f->stack, STACK);
  hostcuda_switch(&scheduler.sp, f->sp);
  FIBER_ENTER(scheduler.fake, NULL, NULL);
  if (block.now->state == DONE) scheduler.stacks.push_back(block.now->stack);
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

static void shuffle(std::vector<int> *order) {
  static std::mt19937 draws(1);
  std::shuffle(order->begin(), order->end(), draws);
}

static std::vector<int> order_of(size_t n) {
  std::vector<int> order(n);
  for (size_t i = 0; i < n; i++) order[i] = (int)(scheduler.how == REVERSE ? n - 1 - i : i);
  if (scheduler.how == SHUFFLE) shuffle(&order);
  return order;
}

static void begin_grid(size_t threads) {
  block.fibers.resize(threads);
  block.warps.assign((threads + LANES - 1) / LANES, Warp());
  for (unsigned i = 0; i < threads; i++) {
    block.fibers[i].index = (int)i;
    block.fibers[i].thread = {i % blockDim.x, i / blockDim.x % blockDim.y,
                              i / blockDim.x / blockDim.y};
  }
  scheduler.order = order_of(threads);
}

/* Some threads, as far as they get; whether any ran. */
static bool run_threads(size_t first, size_t end) {
  bool any = false, again = true;
  scheduler.to_start = end;
  while (scheduler.started < end) {
    Fiber *f = &block.fibers[scheduler.order[scheduler.started++]];
    begin(f, take_stack());
    FIBER_FRESH(f->stack, STACK);
    f->sp = fresh_stack(f->stack, entry);
    resume(f);
    any = true;
  }
  while (again) {
    again = false;
    for (size_t i = first; i < end; i++) {
      Fiber *f = &block.fibers[scheduler.order[i]];
      if (f->state != READY) continue;
      resume(f);
      any = again = true;
    }
    if (scheduler.how == SHUFFLE) return any;
  }
  return any;
}

/* Warp by warp, whose stacks fit the cache; in the shuffled order a thread of any warp is next. */
static void run_block(void) {
  const size_t n = block.fibers.size(), step = scheduler.how == SHUFFLE ? n : (size_t)LANES;
  for (Fiber &f : block.fibers) {
    f.state = NEW;
    f.group = 0;
    f.copies.clear();
  }
  scheduler.alive = (int)n;
  scheduler.at_barrier = scheduler.any = 0;
  scheduler.started = 0;
  while (scheduler.alive > 0) {
    bool ran = false;
    for (size_t i = 0; i < n; i += step) ran |= run_threads(i, std::min(i + step, n));
    if (!ran) give_up("the threads wait for each other forever");
    if (scheduler.how == SHUFFLE) shuffle(&scheduler.order);
  }
}

/* Shared memory is aligned to 16 bytes, as kernels may expect, and not to more. */
void run_grid(const void *kernel, const dim3 &grid, const dim3 &threads, size_t shared,
              const std::function<void()> &body) {
  void *memory = NULL;
  if (posix_memalign(&memory, 32, 16 + shared)) give_up("no memory to share");
  FORBID(memory, 16);
  scheduler.kernel = kernel;
  scheduler.body = &body;
  scheduler.shared = static_cast<unsigned char *>(memory) + 16;
  scheduler.how = order_from_environment();
  gridDim = grid;
  blockDim = threads;
  begin_grid((size_t)threads.x * threads.y * threads.z);
  for (int at : order_of((size_t)grid.x * grid.y * grid.z)) {
    const unsigned i = (unsigned)at;
    blockIdx = {i % grid.x, i / grid.x % grid.y, i / grid.x / grid.y};
    memset(scheduler.shared, 0xff, shared);
    run_block();
  }
  free(memory);
}

/* The result is kept until all have read it: nobody comes to the next barrier before. */
static int barrier(const char *what, int predicate) {
  if (scheduler.at_barrier > 0 && scheduler.barrier != what)
    give_up("the threads of the block are at different barriers");
  if (scheduler.alive < (int)block.fibers.size())
    give_up("it is at a barrier, but others have ended");
  scheduler.barrier = what;
  scheduler.any |= predicate != 0;
  if (++scheduler.at_barrier < scheduler.alive) {
    wait(what);
    return scheduler.any_result;
  }
  scheduler.any_result = scheduler.any;
  scheduler.at_barrier = scheduler.any = 0;
  for (Fiber &f : block.fibers) f.state = READY;
  return scheduler.any_result;
}

} /* namespace hostcuda */

void *hostcuda_shared_memory(void) {
  return hostcuda::scheduler.shared;
}
void __syncthreads(void) {
  hostcuda::barrier("__syncthreads", 0);
}
int __syncthreads_or(int predicate) {
  return hostcuda::barrier("__syncthreads_or", predicate);
}
