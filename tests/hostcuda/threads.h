/* Between the parts of hostcuda: the cluster that runs, its blocks and their threads (threads.cpp),
 * what warps do together (warps.cpp), warp groups (groups.cpp), barriers and copies in shared
 * memory (barriers.cpp), and the runtime around them (runtime.cpp, streams.cpp). */
#ifndef HOSTCUDA_THREADS_H
#define HOSTCUDA_THREADS_H

#include <map>
#include <vector>

#include "cuda_runtime.h"

namespace hostcuda {

enum { LANES = 32, GROUP = 128 /* threads of a warp group */, CHUNK = 16 /* bytes */ };
enum { GROUP_ROWS = 64, MOST_COLS = 256, MOST_VALUES = 128 /* of a thread */ };

/* An asynchronous copy of a thread, of its group number `group`. */
struct Copy {
  void *to;
  const void *from;
  int bytes, group;
};

/* Accumulators of a thread that products of its warp group have used. While any is under way the
 * thread sees NaN, and what they are is here. */
struct Accumulators {
  float *at;
  int n;
  float values[MOST_VALUES];
  int under_way;
  long fences; /* of the thread, when they were given back */
};

/* A thread's registers of A, four pairs, that a product has used. */
struct Operand {
  const uint32_t *at;
  uint32_t pairs[4];
};

enum State { NEW, READY, WAITING, DONE };

struct Block;

struct Fiber {
  State state;
  int index; /* in its block */
  uint3 thread;
  Block *block;
  void *sp;
  unsigned char *stack;
  void *fake; /* the address sanitizer's */
  const char *waits_for;
  std::vector<Copy> copies;       /* not made yet */
  int group;                      /* the open one */
  std::vector<uint32_t> unfenced; /* chunks that its copies wrote since its last proxy fence */
  std::vector<Accumulators> accumulators;
  std::vector<Operand> operands; /* since its last fence */
  size_t steps;                  /* that it took of those its warp group takes together */
  long fences;
};

/* A collective under way. */
struct Warp {
  const char *what;
  unsigned mask;
  int arrived, wanted;
  void *args[LANES];
};

/* A product under way; `group` is the number of its group. */
struct Product {
  int cols;
  uint64_t a, b; /* descriptors; without that of A it is in registers */
  bool in_registers, accumulate;
  int group;
  size_t accumulators[GROUP]; /* of each thread: which of its own */
  uint32_t pairs[GROUP][4];
};
/* What all threads of a warp group do alike, one behind the other. */
struct Step {
  const char *what;
  int n; /* columns, or the groups to wait for */
  uint64_t a, b;
  bool accumulate;
  size_t product; /* of those under way */
};
struct WarpGroup {
  std::vector<Step> steps; /* since the last wait */
  std::vector<Product> products;
  int group;            /* the open one */
  int waiting, meeting; /* at a wait; at group_sync */
};

/* A barrier that counts arrivals and bytes. */
struct Barrier {
  uint32_t count, pending, phase;
  int64_t bytes;
  std::vector<Fiber *> waiting;
};

/* What happens to 16 bytes of shared memory. */
struct Chunk {
  uint16_t unfenced; /* 1 + the thread whose copy (cp.async) wrote them, until its proxy fence */
  uint16_t readers;  /* products under way */
  uint16_t landing;  /* copies in bulk under way */
};

struct Block {
  uint3 index;
  unsigned rank; /* in its cluster */
  Fiber *fibers;
  size_t threads;
  std::vector<Warp> warps;
  std::vector<WarpGroup> groups;
  unsigned char *shared; /* dynamic shared memory */
  size_t shared_bytes;
  std::vector<Chunk> chunks;            /* of it, once any is needed */
  std::map<uint32_t, Barrier> barriers; /* by their offset */
  int alive, at_barrier, any, any_result;
  const char *barrier; /* that they are at */
};

struct Cluster {
  std::vector<Block> blocks;
  std::vector<Fiber> fibers; /* of all of them */
  int alive, at_sync;
};

extern Cluster cluster; /* the one that runs */
extern Block *block;    /* of the thread that runs */
extern Fiber *now;      /* that thread */

enum Order { FORWARD, REVERSE, SHUFFLE };
Order order_now(void);
/* A number below n, by chance. */
size_t draw(size_t n);

/* Makes it the thread that runs, as far as it shows. */
void select_thread(Fiber *f);
/* Lets the other threads run until somebody makes this one READY. */
void wait(const char *what);
/* A kernel did what no GPU would forgive: says what, where and who waits, and aborts. */
[[noreturn]] void give_up(const char *why);

void run_grid(const void *kernel, const dim3 &grid, const dim3 &blocks, const dim3 &threads,
              size_t shared, const std::function<void()> &body);

/* --- barriers.cpp --- */

/* The chunks of the block's dynamic shared memory. */
Chunk *chunks_of(Block *b);
/* Whether `bytes` from p on lie in the block's dynamic shared memory. */
bool in_shared(const Block *b, const void *p, size_t bytes);
/* Address of the first byte of dynamic shared memory as PTX has it. */
enum { SHARED_AT = 1024 + CHUNK, SHARED_ALIGNMENT = 1024 };
/* A thread's copy of 16 bytes (cp.async) is asked for, or arrives. */
void copy_asked(const void *to);
void copy_arrives(const void *to);
/* Copies in bulk. */
bool copies_under_way(void);
/* Carries out one of them; false where there are none. */
bool land_copy(void);
/* The last thread of the block has ended. */
void check_ended(const Block *b);

/* --- groups.cpp --- */

/* The thread that runs has ended. */
void leave_group(void);

} /* namespace hostcuda */

#endif
