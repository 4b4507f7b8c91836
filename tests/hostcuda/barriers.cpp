/* What lies in the dynamic shared memory of a cluster's blocks: barriers that count arrivals and
 * bytes (mbarrier), copies in bulk that arrive at them, and of every 16 bytes who writes or reads
 * them behind the back of the threads. */
#include <string.h>

#include <vector>

#include "threads.h"

namespace hostcuda {

namespace {

enum { MOST_COUNT = (1 << 20) - 1 /* arrivals, or bytes either way */ };

/* A copy in bulk under way into one block. */
struct Landing {
  Fiber *by;
  Block *to;
  uint32_t at, bar; /* offsets */
  const void *from;
  uint32_t bytes;
};
std::vector<Landing> landings;

uint32_t offset_of(const void *p) {
  return (uint32_t)(static_cast<const unsigned char *>(p) - block->shared);
}

/* What the 8 bytes of a barrier hold, so that it shows when somebody writes there. */
uint64_t mark_of(uint32_t at) {
  return 0xbadbad00badbad00 + at;
}

uint32_t barrier_offset(const uint64_t *bar) {
  if (reinterpret_cast<uintptr_t>(bar) % 8) give_up("a barrier is not aligned to 8 bytes");
  if (!in_shared(block, bar, 8)) give_up("a barrier is not in dynamic shared memory");
  return offset_of(bar);
}

Barrier *barrier_at(Block *b, uint32_t at) {
  const auto found = b->barriers.find(at);
  if (b->alive == 0) give_up("a barrier is in a block that has ended");
  if (found == b->barriers.end()) give_up("a barrier was never initialised");
  const uint64_t mark = mark_of(at);
  if (memcmp(b->shared + at, &mark, 8)) give_up("a barrier was overwritten");
  return &found->second;
}

void try_end(Barrier *b) {
  if (b->pending || b->bytes) return;
  b->pending = b->count;
  b->phase++;
  for (Fiber *f : b->waiting) f->state = READY;
  b->waiting.clear();
}

void arrive(Barrier *b) {
  if (b->pending == 0) give_up("more threads arrive at a barrier than it counts");
  b->pending--;
  try_end(b);
}

void count_bytes(Barrier *b, int64_t by) {
  b->bytes += by;
  if (b->bytes > MOST_COUNT || b->bytes < -MOST_COUNT)
    give_up("a barrier waits for more bytes than it can count");
}

} /* namespace */

bool in_shared(const Block *b, const void *p, size_t bytes) {
  const uintptr_t first = reinterpret_cast<uintptr_t>(b->shared);
  const uintptr_t at = reinterpret_cast<uintptr_t>(p);
  return at >= first && bytes <= b->shared_bytes && at - first <= b->shared_bytes - bytes;
}

Chunk *chunks_of(Block *b) {
  if (b->chunks.empty()) b->chunks.resize(b->shared_bytes / CHUNK + 1);
  return b->chunks.data();
}

void copy_asked(const void *to) {
  if (block->chunks.empty() || !in_shared(block, to, CHUNK)) return;
  const Chunk &c = block->chunks[offset_of(to) / CHUNK];
  if (c.readers) give_up("cp.async overwrites operands of a product under way");
  if (c.landing) give_up("cp.async goes where a copy in bulk is under way");
}

void copy_arrives(const void *to) {
  if (!in_shared(block, to, CHUNK)) return;
  const uint32_t at = offset_of(to) / CHUNK;
  Chunk *c = &chunks_of(block)[at];
  const uint16_t writer = (uint16_t)(now->index + 1);
  copy_asked(to);
  if (c->unfenced == writer) return;
  c->unfenced = writer;
  now->unfenced.push_back(at);
}

bool copies_under_way(void) {
  return !landings.empty();
}

/* The oldest one, the newest one, or any, for the GPU promises no order. */
bool land_copy(void) {
  if (landings.empty()) return false;
  const size_t n = landings.size(), orders[] = {0, n - 1, 0};
  const size_t which = order_now() == SHUFFLE ? draw(n) : orders[order_now()];
  const Landing l = landings[which];
  landings.erase(landings.begin() + (long)which);
  select_thread(l.by);
  Barrier *b = barrier_at(l.to, l.bar);
  for (uint32_t i = 0; i < l.bytes / CHUNK; i++) {
    Chunk *c = &l.to->chunks[l.at / CHUNK + i];
    if (c->readers) give_up("a copy in bulk overwrites operands of a product under way");
    c->landing--;
  }
  memcpy(l.to->shared + l.at, l.from, l.bytes);
  count_bytes(b, -(int64_t)l.bytes);
  try_end(b);
  return true;
}

void check_ended(const Block *b) {
  for (const Landing &l : landings)
    if (l.to == b) give_up("its block ended while copies in bulk into it are under way");
}

/* Until it is there, who looks finds NaN. */
static void launch_copy(Block *to, uint32_t at, const void *from, uint32_t bytes, uint32_t bar) {
  barrier_at(to, bar);
  for (uint32_t i = 0; i < bytes / CHUNK; i++) {
    Chunk *c = &chunks_of(to)[at / CHUNK + i];
    if (c->readers) give_up("a copy in bulk overwrites operands of a product under way");
    if (c->landing) give_up("two copies in bulk go to the same place");
    if (c->unfenced) give_up("a copy in bulk goes where cp.async wrote, without a proxy fence");
    c->landing++;
  }
  memset(to->shared + at, 0xff, bytes);
  landings.push_back({now, to, at, bar, from, bytes});
}

} /* namespace hostcuda */

using namespace hostcuda;

uint32_t hostcuda_shared_address(const void *p) {
  if (!in_shared(block, p, 1)) give_up("a shared address of what is not in dynamic shared memory");
  return SHARED_AT + offset_of(p);
}

/* --- barriers -------------------------------------------------------------------------------- */

void hostcuda_mbarrier_init(uint64_t *bar, unsigned count) {
  const uint32_t at = barrier_offset(bar);
  const uint64_t mark = mark_of(at);
  if (count < 1 || count > MOST_COUNT) give_up("a barrier counts 1 to 2^20 - 1 arrivals");
  if (block->barriers.count(at)) give_up("a barrier is initialised twice");
  block->barriers[at] = {count, count, 0, 0, {}};
  memcpy(block->shared + at, &mark, 8);
}
void hostcuda_mbarrier_arrive(uint64_t *bar) {
  arrive(barrier_at(block, barrier_offset(bar)));
}
void hostcuda_mbarrier_arrive_at(uint64_t *bar, unsigned rank) {
  if (rank >= cluster.blocks.size()) give_up("it arrives at a block outside of its cluster");
  arrive(barrier_at(&cluster.blocks[rank], barrier_offset(bar)));
}
void hostcuda_mbarrier_expect(uint64_t *bar, unsigned bytes) {
  Barrier *b = barrier_at(block, barrier_offset(bar));
  count_bytes(b, bytes);
  arrive(b);
}
/* Over is the phase before the one that goes on. */
void hostcuda_mbarrier_wait(uint64_t *bar, unsigned parity) {
  Barrier *b = barrier_at(block, barrier_offset(bar));
  const uint32_t phase = b->phase;
  if (parity > 1) give_up("the parity of a barrier's phase is 0 or 1");
  if (phase % 2 != parity) return;
  b->waiting.push_back(now);
  wait("a barrier in shared memory");
  if (b->phase != phase + 1)
    give_up("the phase behind the one that it waits for ended, too, before it saw the first end");
}

/* --- copies in bulk -------------------------------------------------------------------------- */

void hostcuda_bulk_copy(void *to, const void *from, unsigned bytes, uint64_t *bar,
                        unsigned blocks) {
  if (reinterpret_cast<uintptr_t>(to) % CHUNK || reinterpret_cast<uintptr_t>(from) % CHUNK ||
      bytes % CHUNK)
    give_up("a copy in bulk is not aligned to 16 bytes");
  if (bytes == 0) give_up("a copy in bulk of nothing");
  if (!in_shared(block, to, bytes)) give_up("a copy in bulk leaves dynamic shared memory");
  if (blocks == 0 || blocks >> cluster.blocks.size())
    give_up("a copy in bulk goes to a block outside of the cluster, or to none");
  const uint32_t at = barrier_offset(bar);
  for (Block &b : cluster.blocks)
    if (blocks >> b.rank & 1) launch_copy(&b, offset_of(to), from, bytes, at);
}
void hostcuda_prefetch(const void *at) {
  (void)*static_cast<const volatile unsigned char *>(at); /* for the address sanitizer */
}
void hostcuda_proxy_fence(void) {
  for (const uint32_t at : now->unfenced)
    if (block->chunks[at].unfenced == now->index + 1) block->chunks[at].unfenced = 0;
  now->unfenced.clear();
}
