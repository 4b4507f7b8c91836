/* What the lanes of a warp do together: the last one to arrive does it for all. Matrix fragments
 * are laid out as the PTX manual says. */
#include <string.h>

#include "cuda_bf16.h"
#include "threads.h"

using namespace hostcuda;

namespace {

typedef void collective_fn(Warp *w, int lanes);

/* `what` names the collective by its address, too: lanes must agree on it. */
void collective(const char *what, unsigned mask, void *args, collective_fn *fn) {
  /* The lane, and its warp's place to meet. */
  Fiber *f = now;
  const int warp = f->index / LANES, lane = f->index % LANES;
  const int left = (int)block->threads - warp * LANES, lanes = left < LANES ? left : LANES;
  Warp *w = &block->warps[warp];

  /* The first one says which collective and who takes part; the others must agree. */
  if (!(mask >> lane & 1)) give_up("a lane is not in the mask that it names");
  if (w->arrived == 0) {
    w->what = what;
    w->mask = mask;
    w->wanted = 0;
    for (int i = 0; i < lanes; i++) w->wanted += mask >> i & 1;
  } else if (w->what != what || w->mask != mask) {
    give_up("the lanes of a warp are at different collectives");
  }

  /* All but the last one wait. */
  w->args[lane] = args;
  if (++w->arrived < w->wanted) {
    wait(what);
    return;
  }

  /* The last one does it for all and lets them go on. */
  fn(w, lanes);
  w->arrived = 0;
  for (int i = 0; i < lanes; i++)
    if (mask >> i & 1) block->fibers[warp * LANES + i].state = READY;
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
/* Matrix k of 8 x 8 two-byte values has its rows at the addresses of lanes 8k .. 8k + 7; lane i
 * gets of each the elements (i / 4, 2 (i % 4) + {0, 1}), of the transpose if asked. */
void load_matrices(Warp *w, int) {
  uint16_t matrix[4][8][8];
  const Load *first = static_cast<Load *>(w->args[0]);
  for (int i = 0; i < LANES; i++) {
    const Load *load = static_cast<Load *>(w->args[i]);
    if (load->n != first->n || load->trans != first->trans)
      give_up("ldmatrix: the lanes ask for different things");
    if (i >= 8 * first->n) continue;
    if (reinterpret_cast<uintptr_t>(load->row) % 16)
      give_up("ldmatrix: a row is not aligned to 16 bytes");
    memcpy(matrix[i / 8][i % 8], load->row, 16);
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
/* With g = lane / 4, t = lane % 4, i = 0, 1: a[0..3] hold rows g, g + 8, g, g + 8 and columns
 * 2t + i (a[2], a[3]: + 8); b[0..1] rows 2t + i (b[1]: + 8) of column g; d rows g (d[2..3]: + 8),
 * columns 2t + i. */
void multiply(Warp *w, int) {
  float a[16][16], b[16][8], sum[16][8] = {};
  for (int lane = 0; lane < LANES; lane++) {
    const Multiply *m = static_cast<Multiply *>(w->args[lane]);
    const int g = lane / 4, t = lane % 4 * 2;
    for (int i = 0; i < 2; i++) {
      for (int k = 0; k < 4; k++) a[g + k % 2 * 8][t + i + k / 2 * 8] = half_of(m->a[k], i);
      for (int k = 0; k < 2; k++) b[t + i + k * 8][g] = half_of(m->b[k], i);
    }
  }
  for (int row = 0; row < 16; row++)
    for (int j = 0; j < 16; j++)
      for (int col = 0; col < 8; col++) sum[row][col] += a[row][j] * b[j][col];
  for (int lane = 0; lane < LANES; lane++) {
    float *d = static_cast<Multiply *>(w->args[lane])->d;
    for (int k = 0; k < 4; k++) d[k] += sum[lane / 4 + k / 2 * 8][lane % 4 * 2 + k % 2];
  }
}

} /* namespace */

int hostcuda_lane(void) {
  return now->index % LANES;
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
  if (n != 1 && n != 2 && n != 4) give_up("ldmatrix: 1, 2 or 4 matrices");
  if (block->threads % LANES) give_up("ldmatrix: a warp has less than 32 lanes");
  collective("ldmatrix", 0xffffffffu, &load, load_matrices);
}
void hostcuda_mma_bf16(float d[4], const uint32_t a[4], const uint32_t b[2]) {
  Multiply m = {d, a, b};
  if (block->threads % LANES) give_up("mma: a warp has less than 32 lanes");
  collective("mma", 0xffffffffu, &m, multiply);
}

/* --- asynchronous copies --------------------------------------------------------------------- */

static void make(const Copy &c) {
  memcpy(c.to, c.from, (size_t)c.bytes);
  memset(static_cast<char *>(c.to) + c.bytes, 0, 16 - (size_t)c.bytes);
  copy_arrives(c.to);
}

/* Late, at its wait; in the shuffled order some come at once. */
void hostcuda_cp_async16(void *shared, const void *global, int bytes) {
  if (reinterpret_cast<uintptr_t>(shared) % 16 || reinterpret_cast<uintptr_t>(global) % 16)
    give_up("cp.async: an address is not aligned to 16 bytes");
  if (bytes < 0 || bytes > 16) give_up("cp.async: more than 16 bytes");
  copy_asked(shared);
  const Copy c = {shared, global, bytes, now->group};
  if (order_now() == SHUFFLE && draw(2))
    make(c);
  else
    now->copies.push_back(c);
}
void hostcuda_cp_async_commit(void) {
  now->group++;
}
void hostcuda_cp_async_wait(int groups) {
  Fiber *f = now;
  size_t n = 0;
  for (; n < f->copies.size() && f->copies[n].group < f->group - groups; n++) make(f->copies[n]);
  f->copies.erase(f->copies.begin(), f->copies.begin() + (long)n);
}
