/* Between the parts of hostcuda: the block that runs and its threads (threads.cpp), what warps do
 * together (warps.cpp), and the runtime around them (runtime.cpp, streams.cpp). */
#ifndef HOSTCUDA_THREADS_H
#define HOSTCUDA_THREADS_H

#include <vector>

#include "cuda_runtime.h"

namespace hostcuda {

enum { LANES = 32 };

/* An asynchronous copy of a thread, of its group number `group`. */
struct Copy {
  void *to;
  const void *from;
  int bytes, group;
};

enum State { NEW, READY, WAITING, DONE };

struct Fiber {
  State state;
  int index;
  uint3 thread;
  void *sp;
  unsigned char *stack;
  void *fake; /* the address sanitizer's */
  const char *waits_for;
  std::vector<Copy> copies; /* not made yet */
  int group;                /* the open one */
};

/* A collective under way. */
struct Warp {
  const char *what;
  unsigned mask;
  int arrived, wanted;
  void *args[LANES];
};

struct Block {
  std::vector<Fiber> fibers;
  std::vector<Warp> warps;
  Fiber *now;
};
extern Block block; /* the one that runs */

/* Lets the other threads run until somebody makes this one READY. */
void wait(const char *what);
/* A kernel did what no GPU would forgive: says what, where and who waits, and aborts. */
[[noreturn]] void give_up(const char *why);

void run_grid(const void *kernel, const dim3 &grid, const dim3 &threads, size_t shared,
              const std::function<void()> &body);

} /* namespace hostcuda */

#endif
