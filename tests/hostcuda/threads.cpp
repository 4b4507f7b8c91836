/* The threads of a block as fibers. A fiber runs until it has to wait; the scheduler goes round
 * those that can run. A barrier or collective is completed by the last to arrive. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <random>
#include <vector>

#include "cuda_bf16.h"
#include "cuda_runtime.h"
#include "threads.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define FIBER_LEAVE(save, bottom, size) __sanitizer_start_switch_fiber(save, bottom, size)
#define FIBER_ENTER(fake, bottom, size) __sanitizer_finish_switch_fiber(fake, bottom, size)
/* The last frames of the fiber before were left, not returned from. */
#define FIBER_FRESH(stack, size) __asan_unpoison_memory_region(stack, size)
#else
#define FIBER_LEAVE(save, bottom, size) ((void)(save), (void)(bottom), (void)(size))
#define FIBER_ENTER(fake, bottom, size) ((void)(fake), (void)(bottom), (void)(size))
#define FIBER_FRESH(stack, size) ((void)0)
#endif

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace {

enum { LANES = 32, STACK = 256 << 10 };

struct Copy {
  void *to;
  const void *from;
  int bytes;
};

enum State { READY, WAITING, DONE };

struct Fiber {
  void *sp;
  unsigned char *stack;
  void *fake; /* the address sanitizer's */
  uint3 thread;
  int index;
  State state;
  const char *waits_for;
  std::vector<std::vector<Copy>> copies; /* groups; the last one is open */
};

struct Warp {
  const char *what;
  unsigned mask;
  int arrived;
  void *args[LANES];
};

struct Block {
  std::vector<Fiber> fibers;
  std::vector<Warp> warps;
  std::vector<int> order;
  std::vector<unsigned char *> stacks; /* free ones, for all blocks to come */
  Fiber *now;
  void *main_sp, *main_fake;
  const void *main_bottom;
  size_t main_size;
  int alive, at_barrier, any, any_result;
  const std::function<void()> *body;
  void *shared;

  ~Block() {
    for (unsigned char *stack : stacks) free(stack);
  }
} block;

[[noreturn]] void give_up(const char *why) {
  fprintf(stderr, "hostcuda: block (%u, %u, %u): %s\n", blockIdx.x, blockIdx.y, blockIdx.z, why);
  for (const Fiber &f : block.fibers)
    if (f.state == WAITING)
      fprintf(stderr, "  thread (%u, %u, %u) waits at %s\n", f.thread.x, f.thread.y, f.thread.z,
              f.waits_for);
  abort();
}

/* --- switching ---------------------------------------------------------------------------------
 */

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

void *fresh_stack(unsigned char *stack, void (*entry)(void)) {
  void **top = reinterpret_cast<void **>(stack + STACK);
  *--top = NULL; /* entry's return address: it never returns */
  *--top = reinterpret_cast<void *>(entry);
  for (int i = 0; i < 6; i++) *--top = NULL;
  return top;
}
#else
#error "hostcuda switches fibers on x86-64 only"
#endif

void to_scheduler(Fiber *f) {
  const bool over = f->state == DONE;
  FIBER_LEAVE(over ? NULL : &f->fake, block.main_bottom, block.main_size);
  hostcuda_switch(&f->sp, block.main_sp);
  FIBER_ENTER(f->fake, &block.main_bottom, &block.main_size);
}

void wait(const char *what) {
  Fiber *f = block.now;
  f->state = WAITING;
  f->waits_for = what;
  to_scheduler(f);
}

void release_all(void) {
  block.at_barrier = 0;
  block.any_result = block.any;
  block.any = 0;
  for (Fiber &f : block.fibers)
    if (f.state == WAITING) f.state = READY;
}

void leave_block(Fiber *f) {
  f->state = DONE;
  block.alive--;
  if (block.alive > 0 && block.at_barrier == block.alive) release_all();
}

void entry(void) {
  FIBER_ENTER(NULL, &block.main_bottom, &block.main_size);
  (*block.body)();
  leave_block(block.now);
  to_scheduler(block.now);
}

void resume(Fiber *f) {
  if (!f->stack) {
    if (block.stacks.empty())
      block.stacks.push_back(static_cast<unsigned char *>(aligned_alloc(64, STACK)));
    f->stack = block.stacks.back();
    block.stacks.pop_back();
    FIBER_FRESH(f->stack, STACK);
    f->sp = fresh_stack(f->stack, entry);
  }
  block.now = f;
  threadIdx = f->thread;
  FIBER_LEAVE(&block.main_fake, f->stack, STACK);
  hostcuda_switch(&block.main_sp, f->sp);
  FIBER_ENTER(block.main_fake, NULL, NULL);
  if (f->state != DONE) return;
  block.stacks.push_back(f->stack);
  f->stack = NULL;
}

/* --- blocks ------------------------------------------------------------------------------------
 */

std::vector<int> order_of(int n) {
  const char *how = getenv("HOSTCUDA_ORDER");
  std::vector<int> order(n);
  for (int i = 0; i < n; i++) order[i] = i;
  if (how && !strcmp(how, "reverse")) std::reverse(order.begin(), order.end());
  static std::mt19937 draws(1);
  if (how && !strcmp(how, "shuffle")) std::shuffle(order.begin(), order.end(), draws);
  return order;
}

void begin_block(int threads) {
  block.fibers.assign(threads, Fiber());
  block.warps.assign((threads + LANES - 1) / LANES, Warp());
  for (int i = 0; i < threads; i++) {
    Fiber *f = &block.fibers[i];
    f->index = i;
    f->thread = {i % blockDim.x, i / blockDim.x % blockDim.y, i / blockDim.x / blockDim.y};
  }
  block.order = order_of(threads);
  block.alive = threads;
  block.at_barrier = block.any = 0;
}

void run_block(int threads) {
  begin_block(threads);
  while (block.alive > 0) {
    bool ran = false;
    for (int i : block.order)
      if (block.fibers[i].state == READY) {
        resume(&block.fibers[i]);
        ran = true;
      }
    if (!ran) give_up("its threads wait for each other forever");
  }
}

/* --- collectives of a warp -----------------------------------------------------------------------
 */

typedef void collective_fn(Warp *w, int lanes);

int lanes_of(int warp) {
  const int left = (int)block.fibers.size() - warp * LANES;
  return left < LANES ? left : LANES;
}

void collective(const char *what, unsigned mask, void *args, collective_fn *fn) {
  Fiber *f = block.now;
  const int warp = f->index / LANES, lanes = lanes_of(warp);
  Warp *w = &block.warps[warp];
  const unsigned all = lanes == LANES ? 0xffffffffu : (1u << lanes) - 1;
  if (w->arrived == 0) {
    w->what = what;
    w->mask = mask;
  } else if (w->what != what || w->mask != mask) {
    give_up("the lanes of a warp are at different collectives");
  }
  w->args[f->index % LANES] = args;
  if (++w->arrived < __builtin_popcount(mask & all)) {
    wait(what);
    threadIdx = f->thread;
    return;
  }
  fn(w, lanes);
  w->arrived = 0;
  for (int i = 0; i < lanes; i++) {
    Fiber *other = &block.fibers[warp * LANES + i];
    if ((mask >> i & 1) && other->state == WAITING) other->state = READY;
  }
}

void nothing(Warp *, int) {}

struct Shuffle {
  uint64_t value, out;
  int from;
};
void shuffle(Warp *w, int lanes) {
  for (int i = 0; i < lanes; i++) {
    if (!(w->mask >> i & 1)) continue;
    Shuffle *s = static_cast<Shuffle *>(w->args[i]);
    if (!(w->mask >> s->from & 1) || s->from >= lanes) give_up("a shuffle reads a lane outside");
    s->out = static_cast<Shuffle *>(w->args[s->from])->value;
  }
}

struct Vote {
  int predicate;
  unsigned out;
};
void vote(Warp *w, int lanes) {
  unsigned bits = 0;
  for (int i = 0; i < lanes; i++)
    if ((w->mask >> i & 1) && static_cast<Vote *>(w->args[i])->predicate) bits |= 1u << i;
  for (int i = 0; i < lanes; i++)
    if (w->mask >> i & 1) static_cast<Vote *>(w->args[i])->out = bits;
}

struct Load {
  uint32_t *r;
  int n;
  bool trans;
  const void *row;
};
/* Matrix k of 8 x 8 two-byte values has its rows at the addresses of lanes 8k .. 8k + 7. */
void load_matrices(Warp *w, int) {
  uint16_t matrix[4][8][8];
  const Load *first = static_cast<Load *>(w->args[0]);
  for (int i = 0; i < 8 * first->n; i++) {
    const void *row = static_cast<Load *>(w->args[i])->row;
    if (reinterpret_cast<uintptr_t>(row) % 16)
      give_up("ldmatrix: a row is not aligned to 16 bytes");
    memcpy(matrix[i / 8][i % 8], row, 16);
  }
  for (int lane = 0; lane < LANES; lane++)
    for (int k = 0; k < first->n; k++) {
      const int a = lane / 4, b = lane % 4 * 2;
      const uint32_t low = first->trans ? matrix[k][b][a] : matrix[k][a][b];
      const uint32_t high = first->trans ? matrix[k][b + 1][a] : matrix[k][a][b + 1];
      static_cast<Load *>(w->args[lane])->r[k] = low | high << 16;
    }
}

struct Multiply {
  float *d;
  const uint32_t *a, *b;
};
float half_of(uint32_t pair, int i) {
  return __bfloat162float({(uint16_t)(pair >> 16 * i)});
}
/* With g = lane / 4, t = lane % 4, i = 0, 1: a[0..3] hold rows g, g + 8, g, g + 8 and columns 2t +
 * i (a[2], a[3]: + 8); b[0..1] rows 2t + i (b[1]: + 8) of column g; d rows g (d[2..3]: + 8),
 * columns 2t + i. */
void multiply(Warp *w, int) {
  float a[16][16], b[16][8];
  for (int lane = 0; lane < LANES; lane++) {
    const Multiply *m = static_cast<Multiply *>(w->args[lane]);
    const int g = lane / 4, t = lane % 4 * 2;
    for (int i = 0; i < 2; i++) {
      for (int k = 0; k < 4; k++) a[g + k % 2 * 8][t + i + k / 2 * 8] = half_of(m->a[k], i);
      for (int k = 0; k < 2; k++) b[t + i + k * 8][g] = half_of(m->b[k], i);
    }
  }
  for (int lane = 0; lane < LANES; lane++) {
    float *d = static_cast<Multiply *>(w->args[lane])->d;
    const int g = lane / 4, t = lane % 4 * 2;
    for (int k = 0; k < 4; k++) {
      float sum = 0;
      for (int j = 0; j < 16; j++) sum += a[g + k / 2 * 8][j] * b[j][t + k % 2];
      d[k] += sum;
    }
  }
}

} /* namespace */

/* --- what kernels call
 * ----------------------------------------------------------------------------- */

void hostcuda_run_grid(const dim3 &grid, const dim3 &threads, size_t shared,
                       const std::function<void()> &body) {
  const int n = (int)(threads.x * threads.y * threads.z);
  const int64_t blocks = (int64_t)grid.x * grid.y * grid.z;
  const std::vector<int> order = order_of((int)blocks);
  gridDim = grid;
  blockDim = threads;
  block.body = &body;
  for (int i : order) {
    blockIdx = {i % grid.x, i / grid.x % grid.y, i / grid.x / grid.y};
    block.shared = aligned_alloc(1024, (shared + 1023) / 1024 * 1024 + 1024);
#if defined(__SANITIZE_ADDRESS__) /* which finds what lies behind, to the byte */
    free(block.shared);
    block.shared = NULL;
    if (posix_memalign(&block.shared, 1024, shared ? shared : 1)) abort();
#endif
    memset(block.shared, 0xff, shared);
    run_block(n);
    free(block.shared);
  }
}

void *hostcuda_shared_memory(void) {
  return block.shared;
}
int hostcuda_lane(void) {
  return block.now->index % LANES;
}

int __syncthreads_or(int predicate) {
  Fiber *f = block.now;
  block.any |= predicate != 0;
  if (++block.at_barrier == block.alive) {
    release_all();
  } else {
    wait("__syncthreads");
    threadIdx = f->thread;
  }
  return block.any_result;
}
void __syncthreads(void) {
  __syncthreads_or(0);
}
void __syncwarp(unsigned mask) {
  collective("__syncwarp", mask, NULL, nothing);
}
uint64_t hostcuda_shuffle(unsigned mask, uint64_t value, int from) {
  Shuffle s = {value, 0, from};
  collective("a shuffle", mask, &s, shuffle);
  return s.out;
}
unsigned __ballot_sync(unsigned mask, int predicate) {
  Vote v = {predicate, 0};
  collective("a vote", mask, &v, vote);
  return v.out;
}
int __any_sync(unsigned mask, int predicate) {
  return __ballot_sync(mask, predicate) != 0;
}
void hostcuda_ldmatrix(uint32_t *r, int n, bool trans, const void *row_address) {
  Load load = {r, n, trans, row_address};
  collective("ldmatrix", 0xffffffffu, &load, load_matrices);
}
void hostcuda_mma_bf16(float d[4], const uint32_t a[4], const uint32_t b[2]) {
  Multiply m = {d, a, b};
  collective("mma", 0xffffffffu, &m, multiply);
}

void hostcuda_cp_async16(void *shared, const void *global, int bytes) {
  Fiber *f = block.now;
  if (reinterpret_cast<uintptr_t>(shared) % 16 ||
      (bytes > 0 && reinterpret_cast<uintptr_t>(global) % 16))
    give_up("cp.async: an address is not aligned to 16 bytes");
  if (f->copies.empty()) f->copies.emplace_back();
  f->copies.back().push_back({shared, global, bytes});
}
void hostcuda_cp_async_commit(void) {
  Fiber *f = block.now;
  if (f->copies.empty()) f->copies.emplace_back();
  f->copies.emplace_back();
}
void hostcuda_cp_async_wait(int groups) {
  Fiber *f = block.now;
  while ((int)f->copies.size() - 1 > groups) {
    for (const Copy &c : f->copies.front()) {
      memset(c.to, 0, 16);
      memcpy(c.to, c.from, (size_t)c.bytes);
    }
    f->copies.erase(f->copies.begin());
  }
}
