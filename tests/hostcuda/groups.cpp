/* Products by warp groups (wgmma), m64nNk16 of bfloat16 in float, as the PTX manual has them.
 * They are as late as is legal: computed when the warp group waits for them, from what its operands
 * are then; until then the accumulators are NaN.
 *
 * The threads of a warp group need not be at the same place, but each has to take the same steps;
 * only a wait holds them together. */
#include <string.h>

#include <algorithm>

#include "cuda_bf16.h"
#include "runtime.h"
#include "threads.h"

using namespace hostcuda;

namespace {

enum { DEEP = 16, ROW = 128 /* bytes */, PATTERN = 1024 /* bytes in which the swizzle repeats */ };

const char FENCE[] = "wgmma.fence", PRODUCT[] = "wgmma.mma_async", COMMIT[] = "wgmma.commit_group",
           PRODUCT_OF_REGISTERS[] = "wgmma.mma_async of registers", WAIT[] = "wgmma.wait_group";

WarpGroup *group_of(const Fiber *f) {
  return &block->groups[f->index / GROUP];
}

WarpGroup *own_group(void) {
  if (block->threads % GROUP) give_up("a warp group has less than 128 threads");
  if (block->groups.empty()) block->groups.resize(block->threads / GROUP);
  return group_of(now);
}

/* The thread's next step; whether it is the first to take it. */
bool take(const Step &s) {
  WarpGroup *g = own_group();
  const bool first = now->steps == g->steps.size();
  if (first) {
    const Fiber *f = &block->fibers[now->index / GROUP * GROUP];
    for (int i = 0; i < GROUP; i++)
      if (f[i].state == DONE) give_up("it goes on, but others of its warp group have ended");
    g->steps.push_back(s);
  }
  const Step &same = g->steps[now->steps++];
  if (same.what != s.what) give_up("the threads of a warp group do different things");
  if (same.n != s.n || same.a != s.a || same.b != s.b || same.accumulate != s.accumulate)
    give_up("the threads of a warp group ask for different products");
  return first;
}

/* --- operands -------------------------------------------------------------------------------- */

/* Of a descriptor: 16 values of each row from `start` on, `stride` bytes from eight rows to the
 * next. */
struct Tile {
  uint32_t start, stride;
};

/* Bits 0-13 the address, 16-29 the leading dimension (not used with swizzles), 32-45 the stride,
 * each without the last 4 bits; 49-51 base offset; 62-63 swizzle, 1 for 128 bytes. */
Tile decode(uint64_t descriptor) {
  const Tile t = {(uint32_t)(descriptor & 0x3fff) << 4, (uint32_t)(descriptor >> 32 & 0x3fff) << 4};
  if (descriptor >> 62 != 1) give_up("hostcuda knows operands swizzled by 128 bytes only");
  if (descriptor >> 49 & 7) give_up("hostcuda knows operands of base offset 0 only");
  if (descriptor & 0x3ff1c000c000c000) give_up("a descriptor has bits that mean nothing");
  if (t.start % PATTERN >= ROW || t.stride % PATTERN)
    give_up("a tile does not start at a multiple of 1,024 bytes");
  if (t.start % ROW + 2 * DEEP > ROW) give_up("an operand leaves the rows of its tile");
  return t;
}

/* Where its 16 bytes are, as a number of chunk: address bits 4-6 are mixed with bits 7-9. */
size_t chunk_at(const Tile &t, int row, int half) {
  const uint32_t plain = t.start + row / 8 * t.stride + row % 8 * ROW + half * CHUNK;
  const uint32_t at = plain ^ (plain >> 7 & 7) << 4;
  if (at < SHARED_AT || at - SHARED_AT + CHUNK > block->shared_bytes)
    give_up("an operand leaves dynamic shared memory");
  return (at - SHARED_AT) / CHUNK;
}

void begin_reading(uint64_t descriptor, int rows) {
  const Tile t = decode(descriptor);
  Chunk *chunks = chunks_of(block);
  for (int i = 0; i < 2 * rows; i++) {
    Chunk *c = &chunks[chunk_at(t, i / 2, i % 2)];
    if (c->unfenced) give_up("a product reads what cp.async wrote, without a proxy fence");
    if (c->landing) give_up("a product reads what a copy in bulk under way writes");
    c->readers++;
  }
}

/* As floats, the value at `deep` of `row` at out[row * by_row + deep * by_deep]. */
void read(uint64_t descriptor, int rows, int by_row, int by_deep, float *out) {
  const Tile t = decode(descriptor);
  for (int i = 0; i < 2 * rows; i++) {
    const size_t at = chunk_at(t, i / 2, i % 2);
    __nv_bfloat16 values[8];
    memcpy(values, block->shared + at * CHUNK, CHUNK);
    for (int k = 0; k < 8; k++)
      out[i / 2 * by_row + (i % 2 * 8 + k) * by_deep] = __bfloat162float(values[k]);
    block->chunks[at].readers--;
  }
}

/* --- accumulators ---------------------------------------------------------------------------- */

size_t bytes_of(int n) {
  return (size_t)n * sizeof(float);
}
bool untouched(const float *at, int n) {
  static const std::vector<unsigned char> nan(MOST_VALUES * sizeof(float), 0xff);
  return !memcmp(at, nan.data(), bytes_of(n));
}

/* Takes the thread's n accumulators for one more product; which of its own they are. */
size_t lend(float *at, int n, bool accumulate) {
  /* Accumulators are known by their address. */
  Fiber *f = now;
  size_t i = 0;
  while (i < f->accumulators.size() && f->accumulators[i].at != at) i++;
  const bool known = i < f->accumulators.size();
  if (!known) f->accumulators.push_back({at, n, {}, 0, 0});

  /* Those of another product under way must not overlap them. */
  for (const Accumulators &a : f->accumulators)
    if (a.at != at && a.under_way && a.at < at + n && at < a.at + a.n)
      give_up("the accumulators of two products overlap");
  Accumulators *a = &f->accumulators[i];

  /* Under way already: the same shape, and nobody may have written them. */
  if (a->under_way++) {
    if (a->n != n) give_up("products under way use the same accumulators in different shapes");
    if (!untouched(at, n)) give_up("the accumulators of a product under way were written");
    return i;
  }

  /* Otherwise they hold what the last product left, unless a fence stands between. */
  if (known && accumulate && a->n == n && a->fences == f->fences &&
      memcmp(a->values, at, bytes_of(n)))
    give_up("accumulators were changed between products, without wgmma.fence");

  /* From here on, until the product is waited for, they hold nothing. */
  a->n = n;
  memcpy(a->values, at, bytes_of(n));
  memset(at, 0xff, bytes_of(n));
  return i;
}

void give_back(Fiber *f, Accumulators *a) {
  if (--a->under_way) return;
  if (!untouched(a->at, a->n)) give_up("the accumulators of a product under way were written");
  memcpy(a->at, a->values, bytes_of(a->n));
  a->fences = f->fences;
}

/* Value v of thread t in the matrix of 64 x n. */
int place(int t, int v, int n) {
  const int warp = t / LANES, lane = t % LANES;
  const int row = 16 * warp + lane / 4 + v / 2 % 2 * 8, col = v / 4 * 8 + lane % 4 * 2 + v % 2;
  return row * n + col;
}

/* What the thread has of A cannot change between products without a fence. */
void lend_operand(const uint32_t *at) {
  Operand o = {at, {at[0], at[1], at[2], at[3]}};
  for (const Operand &was : now->operands)
    if (was.at == at && memcmp(was.pairs, o.pairs, sizeof o.pairs))
      give_up("an operand in registers was changed between products, without wgmma.fence");
  now->operands.push_back(o);
}

/* --- products -------------------------------------------------------------------------------- */

float sums[GROUP_ROWS * MOST_COLS], left[GROUP_ROWS * DEEP], right[DEEP * MOST_COLS];

/* sums += left right, in the order of the depth. */
void multiply(int n) {
  for (int row = 0; row < GROUP_ROWS; row++)
    for (int k = 0; k < DEEP; k += 4) {
      const float *a = left + row * DEEP + k, *b = right + k * n;
      const float a0 = a[0], a1 = a[1], a2 = a[2], a3 = a[3];
      float *__restrict to = sums + row * n;
      for (int col = 0; col < n; col++) {
        float v = to[col];
        v += a0 * b[col];
        v += a1 * b[n + col];
        v += a2 * b[2 * n + col];
        v += a3 * b[3 * n + col];
        to[col] = v;
      }
    }
}

/* Between the matrix and the threads' values of it. */
void move_sums(const Product &p, Fiber *fibers, bool out) {
  for (int t = 0; t < GROUP; t++) {
    float *values = fibers[t].accumulators[p.accumulators[t]].values;
    for (int v = 0; v < p.cols / 2; v++)
      if (out)
        values[v] = sums[place(t, v, p.cols)];
      else
        sums[place(t, v, p.cols)] = values[v];
  }
}

/* The four pairs of a thread: with g = lane / 4, k = 2 (lane % 4), rows g, g + 8, g, g + 8 of its
 * warp's 16, the values k, k + 1 deep, of the last two 8 deeper. */
void read_registers(const Product &p) {
  for (int t = 0; t < GROUP; t++)
    for (int i = 0; i < 8; i++) {
      const int row = t / LANES * 16 + t % LANES / 4 + i / 2 % 2 * 8;
      const uint16_t bits = (uint16_t)(p.pairs[t][i / 2] >> 16 * (i % 2));
      left[row * DEEP + t % 4 * 2 + i % 2 + i / 4 * 8] = __bfloat162float({bits});
    }
}

bool same_accumulators(const Product &p, const Product &q) {
  return p.cols == q.cols && std::equal(p.accumulators, p.accumulators + GROUP, q.accumulators);
}

/* The first n products, whose sums stay together as long as their accumulators are the same. */
void compute(WarpGroup *g, Fiber *fibers, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const Product &p = g->products[i];
    if (i == 0 || !same_accumulators(p, g->products[i - 1])) move_sums(p, fibers, false);
    if (!p.accumulate) memset(sums, 0, sizeof sums);
    if (p.in_registers)
      read_registers(p);
    else
      read(p.a, GROUP_ROWS, DEEP, 1, left);
    read(p.b, p.cols, 1, p.cols, right);
    multiply(p.cols);
    if (i + 1 == n || !same_accumulators(p, g->products[i + 1])) move_sums(p, fibers, true);
  }
  for (size_t i = 0; i < n; i++)
    for (int t = 0; t < GROUP; t++)
      give_back(&fibers[t], &fibers[t].accumulators[g->products[i].accumulators[t]]);
  g->products.erase(g->products.begin(), g->products.begin() + (long)n);
}

/* Issues one for the thread that runs. */
Product *issue(float *d, const Step &s, bool in_registers) {
  const bool first = take(s);
  WarpGroup *g = group_of(now);
  if (first) {
    if (!has_warp_groups()) give_up("this GPU has no products by warp groups");
    if (s.n % 8 || s.n < 8 || s.n > MOST_COLS) give_up("a product has 8, 16 … 256 columns");
    if (!in_registers) begin_reading(s.a, GROUP_ROWS);
    begin_reading(s.b, s.n);
    g->steps.back().product = g->products.size();
    g->products.push_back({s.n, s.a, s.b, in_registers, s.accumulate, g->group, {}, {}});
  }
  if (now->fences == 0) give_up("a product without wgmma.fence before it");
  Product *p = &g->products[g->steps[now->steps - 1].product];
  p->accumulators[now->index % GROUP] = lend(d, s.n / 2, s.accumulate);
  return p;
}

} /* namespace */

void hostcuda::leave_group(void) {
  const WarpGroup *g = group_of(now);
  if (g->meeting > 0) give_up("it ended while others of its warp group wait at group_sync");
  if (!g->products.empty()) give_up("it ended while products are under way");
  if (now->steps < g->steps.size()) give_up("it ended, but others of its warp group went on");
}

void hostcuda_group_sync(void) {
  WarpGroup *g = own_group();
  Fiber *fibers = &block->fibers[now->index / GROUP * GROUP];
  for (int i = 0; i < GROUP; i++)
    if (fibers[i].state == DONE) give_up("it is at group_sync, but others have ended");
  if (++g->meeting < GROUP) {
    wait("group_sync");
    return;
  }
  g->meeting = 0;
  for (int i = 0; i < GROUP; i++) fibers[i].state = READY;
}
void hostcuda_wgmma_fence(void) {
  take({FENCE, 0, 0, 0, false, 0});
  now->fences++;
  now->operands.clear();
}
void hostcuda_wgmma(float *d, int n, uint64_t a, uint64_t b, bool accumulate) {
  issue(d, {PRODUCT, n, a, b, accumulate, 0}, false);
}
void hostcuda_wgmma_registers(float *d, int n, const uint32_t a[4], uint64_t b, bool accumulate) {
  Product *p = issue(d, {PRODUCT_OF_REGISTERS, n, 0, b, accumulate, 0}, true);
  memcpy(p->pairs[now->index % GROUP], a, sizeof p->pairs[0]);
  lend_operand(a);
}
void hostcuda_wgmma_commit(void) {
  if (take({COMMIT, 0, 0, 0, false, 0})) group_of(now)->group++;
}
/* All steps before it have been taken by all. */
void hostcuda_wgmma_wait(int groups) {
  if (groups < 0 || groups > 7) give_up("wgmma.wait_group: 0 to 7 groups");
  take({WAIT, groups, 0, 0, false, 0});
  WarpGroup *g = group_of(now);
  if (++g->waiting < GROUP) {
    wait(WAIT);
    return;
  }
  Fiber *fibers = &block->fibers[now->index / GROUP * GROUP];
  size_t n = 0;
  while (n < g->products.size() && g->products[n].group < g->group - groups) n++;
  if (n) compute(g, fibers, n);
  g->waiting = 0;
  g->steps.clear();
  for (int i = 0; i < GROUP; i++) {
    fibers[i].steps = 0;
    fibers[i].state = READY;
  }
}
