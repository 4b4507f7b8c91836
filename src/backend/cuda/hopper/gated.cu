/* One kernel for both directions (gated.cuh): C [R, 128 tiles] = A [R, D] B^T, whose tiles of 128 x
 * 128 results never reach memory but go through an epilogue:
 *
 *   forward   A = x,  B = 64 rows of gates and the same 64 of ups by turns
 *   backward  A = dh, B = W_out^T
 *
 * A block takes 128 rows of A, which stay in its shared memory (128 KiB at D = 512), through a
 * range of tiles of B, which pass by in stages of 64 deep. Two warp groups have 64 rows each. Each
 * has two sets of accumulators: while the products of a tile fill the one, the epilogue of the tile
 * before empties the other, a slice at a time beside the products of two stages, so that the matrix
 * units need not wait. A third warp group brings the operands: one warp B, in bulk copies of what
 * was packed beforehand as tiles lie in shared memory; three warps A, 16 bytes at a time.
 *
 * Two blocks, of neighbouring rows, are a cluster: each fetches half of a stage of B, for both. So
 * a byte from the second-level cache serves 256 rows: 256 operations, 2.7 TB/s at 700 TFLOP/s. From
 * shared memory a product of 64 x 128 x 16 reads 6 KiB in the 64 cycles that it takes.
 *
 * Rows behind R are computed from zeros and not stored. Sums run over D in one order. */
#include "gated.cuh"

#include "hopper.cuh"

namespace {

enum {
  ROWS = 128, /* of A, a block's */
  COLS = 128, /* of B, a tile's */
  TILE_BYTES = ROWS * TILE_ROW,
  STAGES = 6,
  MOST_DEEP = GATED_MOST_D / TILE_DEEP, /* tiles of A */
  CLUSTER = 2,
  GROUPS = 2, /* warp groups with products */
  THREADS = (1 + GROUPS) * WARP_GROUP,
  WARPS = GROUPS * WARP_GROUP / WARP, /* of them */
  LOADERS = WARP_GROUP - WARP,        /* threads that bring A */
  BEHIND = 3,                         /* tiles of A under way */
  PRODUCER_REGISTERS = 40,            /* of a thread; 384 threads share 64 Ki */
  CONSUMER_REGISTERS = 232
};

struct Barriers {
  uint64_t a_full[MOST_DEEP], a_empty[MOST_DEEP], b_full[STAGES], b_empty[STAGES];
};

/* What all threads know. */
struct Job {
  const bf16 *a, *b; /* [R, D]; packed */
  bf16 *gu, *act;    /* [R, 2F] or NULL, [R, F] */
  int64_t R;
  int items;      /* a pair of row tiles and a part of the tiles of B each */
  int D, F, deep; /* tiles of D */
  int tiles, parts;
};

/* A cluster's way through its items and their tiles. */
struct Place {
  int64_t row; /* the block's first */
  int item;
  int tile, end;  /* of the item */
  bool first;     /* tile of the item */
  unsigned round; /* of A, counted from 0 */

  __device__ static Place begin() {
    Place p = {};
    p.item = (int)blockIdx.x / CLUSTER;
    p.round = 0u - 1;
    return p;
  }
  /* To the next tile; false behind the last. */
  __device__ bool next(const Job &job) {
    first = ++tile >= end;
    if (!first) return true;
    if (round != 0u - 1) item += (int)gridDim.x / CLUSTER;
    if (item >= job.items) return false;
    const int part = item % job.parts;
    round++;
    row = ((int64_t)(item / job.parts) * CLUSTER + cluster_rank()) * ROWS;
    tile = job.tiles * part / job.parts;
    end = job.tiles * (part + 1) / job.parts;
    return true;
  }
  __device__ bool last() const { return tile + 1 == end; }
};

struct Tiles {
  unsigned char *a, *b; /* [deep], [STAGES] tiles */
  Barriers *bar;
};

/* --- operands -------------------------------------------------------------------------------- */

/* One warp, whose first lane copies. What the epilogue of a tile reads is fetched into the
 * second-level cache on the way. */
template <bool READS>
__device__ void bring_b(const Job &job, const Tiles &s) {
  enum { HALF = TILE_BYTES / CLUSTER };
  const unsigned rank = cluster_rank();
  const unsigned char *from = reinterpret_cast<const unsigned char *>(job.b) + rank * HALF;
  Ring<STAGES> ring = {};
  for (Place p = Place::begin(); p.next(job);) {
    for (int i = lane_id(); READS && i < ROWS * 16; i += WARP) { /* rows of 8 + 8 sectors */
      const int64_t row = p.row + i / 16;
      if (row < job.R)
        prefetch(job.gu + (2 * row + i % 16 / 8) * job.F + p.tile * COLS + i % 8 * 16);
    }

    /* This block's half of each tile of B, to both blocks. */
    for (int k = 0; k < job.deep; k++, ring.advance()) {
      if (lane_id() > 0) continue;
      barrier_wait(&s.bar->b_empty[ring.stage], ring.parity ^ 1);
      barrier_expect(&s.bar->b_full[ring.stage], TILE_BYTES);
      copy_bulk(s.b + ring.stage * TILE_BYTES + rank * HALF,
                from + ((int64_t)p.tile * job.deep + k) * TILE_BYTES, HALF,
                &s.bar->b_full[ring.stage], (1u << CLUSTER) - 1);
    }
    __syncwarp();
  }
}

/* Three warps; `thread` among them. */
__device__ void bring_a(const Job &job, const Tiles &s, int thread) {
  for (Place p = Place::begin(); p.next(job);) {
    if (!p.first) continue;

    /* BEHIND tiles are on their way while the one before them is announced. */
    int there = 0; /* tiles that others were told of */
    for (int k = 0; k < job.deep; k++) {
      barrier_wait(&s.bar->a_empty[k], (p.round & 1) ^ 1);
      for (int i = thread; i < ROWS * (TILE_ROW / 16); i += LOADERS) {
        const int r = i / 8, c = i % 8, d = k * TILE_DEEP + 8 * c;
        copy_async(s.a + k * TILE_BYTES + tile_chunk(r, c), job.a + (p.row + r) * job.D + d,
                   p.row + r >= job.R || d >= job.D);
      }
      copy_commit();
      if (k < BEHIND) continue;
      copy_wait<BEHIND>();
      proxy_fence();
      barrier_arrive(&s.bar->a_full[there++]);
    }
    copy_wait<0>();
    proxy_fence();
    while (there < job.deep) barrier_arrive(&s.bar->a_full[there++]);
  }
}

/* --- epilogues ------------------------------------------------------------------------------- */

/* Among the four lanes of the same eight rows: r[i] of lane j goes to r[j] of lane i. Of four
 * accumulator tiles with two columns a lane, a lane so gets eight columns of one. */
__device__ __forceinline__ void exchange(uint32_t &a, uint32_t &b, bool upper, int lanes) {
  const uint32_t keep = upper ? b : a, give = upper ? a : b;
  const uint32_t got = __shfl_xor_sync(0xffffffffu, give, lanes);
  a = upper ? got : keep;
  b = upper ? keep : got;
}
__device__ __forceinline__ void transpose_quad(uint32_t (&r)[4]) {
  const bool odd = lane_id() & 1, high = lane_id() & 2;
  exchange(r[0], r[1], odd, 1);
  exchange(r[2], r[3], odd, 1);
  exchange(r[0], r[2], high, 2);
  exchange(r[1], r[3], high, 2);
}

/* Where a thread's part of a tile goes: its row lane / 4 of the warp's 16, and the one 8 below; of
 * each 32 columns the 8 that it has behind the transposition. */
struct Spot {
  bf16 *gu, *act;
  int left; /* rows from here on */

  /* row: the warp's first; column: the tile's. */
  __device__ Spot(const Job &job, int64_t row, int column) {
    row += lane_id() / 4;
    column += lane_id() % 4 * 8;
    left = (int)(job.R - row);
    if (left <= 0) row = job.R - 1; /* to load from */
    gu = job.gu ? job.gu + row * 2 * job.F + column : NULL;
    act = job.act + row * job.F + column;
  }
};
__device__ __forceinline__ void store_pairs(bf16 *to, const uint32_t (&r)[4]) {
  *reinterpret_cast<uint4 *>(to) = make_uint4(r[0], r[1], r[2], r[3]);
}

/* An epilogue in SLICES slices: slice S is the rows lane / 4 + 8 (S % 2) and the columns from
 * 32 (S / 2) on. `load` comes before the products that run beside the slice, `store` behind them.
 */
struct Forward {
  enum { SLICES = 4, UNITS = COLS / 2 /* of SwiGLU in a tile */ };
  static constexpr bool READS = false; /* gates and ups */
  struct Loaded {};

  template <int S>
  __device__ __forceinline__ static Loaded load(const Job &, const Spot &) {
    return {};
  }
  template <int S>
  __device__ __forceinline__ static void store(const Job &job, const sums<COLS> &d, const Loaded &,
                                               const Spot &spot) {
    uint32_t gate[4], up[4], act[4];
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const int at = 4 * (S / 2 * 4 + i) + S % 2 * 2;
      gate[i] = pack_pair(d.c[at], d.c[at + 1]);
      up[i] = pack_pair(d.c[at + 32], d.c[at + 33]);
    }
    transpose_quad(gate);
    transpose_quad(up);
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const float g0 = pair_low(gate[i]), g1 = pair_high(gate[i]);
      float s0, s1;
      sigmoids(g0, g1, s0, s1);
      act[i] = pack_pair(g0 * s0 * pair_low(up[i]), g1 * s1 * pair_high(up[i]));
    }
    if (spot.left <= S % 2 * 8) return;
    store_pairs(spot.act + S % 2 * 8 * (int64_t)job.F + S / 2 * 32, act);
    if (!spot.gu) return;
    bf16 *at = spot.gu + S % 2 * 16 * (int64_t)job.F + S / 2 * 32;
    store_pairs(at, gate);
    store_pairs(at + job.F, up);
  }
};

struct Backward {
  enum { SLICES = 8, UNITS = COLS };
  static constexpr bool READS = true;
  struct Loaded {
    uint4 gate, up;
  };

  template <int S>
  __device__ __forceinline__ static Loaded load(const Job &job, const Spot &spot) {
    /* Without a branch: those would make products wait (ptxas). Rows outside are not used. */
    const int64_t below = S % 2 * 8 < spot.left ? S % 2 * 16 * (int64_t)job.F : 0;
    const bf16 *at = spot.gu + below + S / 2 * 32;
    return {*reinterpret_cast<const uint4 *>(at), *reinterpret_cast<const uint4 *>(at + job.F)};
  }
  template <int S>
  __device__ __forceinline__ static void store(const Job &job, const sums<COLS> &d, const Loaded &l,
                                               const Spot &spot) {
    uint32_t even[4], odd[4], act[4], dg[4], du[4];
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const int at = 4 * (S / 2 * 4 + i) + S % 2 * 2;
      even[i] = __float_as_uint(copied(d.c[at]));
      odd[i] = __float_as_uint(copied(d.c[at + 1]));
    }
    transpose_quad(even);
    transpose_quad(odd);
    const uint32_t gate[4] = {l.gate.x, l.gate.y, l.gate.z, l.gate.w};
    const uint32_t up[4] = {l.up.x, l.up.y, l.up.z, l.up.w};
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const float g0 = pair_low(gate[i]), g1 = pair_high(gate[i]);
      float s0, s1, a[2], g[2], u[2];
      sigmoids(g0, g1, s0, s1);
      swiglu_back(g0, pair_low(up[i]), __uint_as_float(even[i]), s0, a[0], g[0], u[0]);
      swiglu_back(g1, pair_high(up[i]), __uint_as_float(odd[i]), s1, a[1], g[1], u[1]);
      act[i] = pack_pair(a[0], a[1]);
      dg[i] = pack_pair(g[0], g[1]);
      du[i] = pack_pair(u[0], u[1]);
    }
    if (spot.left <= S % 2 * 8) return;
    bf16 *at = spot.gu + S % 2 * 16 * (int64_t)job.F + S / 2 * 32;
    store_pairs(spot.act + S % 2 * 8 * (int64_t)job.F + S / 2 * 32, act);
    store_pairs(at, dg);
    store_pairs(at + job.F, du);
  }
};

/* --- products -------------------------------------------------------------------------------- */

/* The tiles of A and of B that a group of products reads and is the last to, or -1. */
struct Reads {
  int a, b;
};

/* A warp group at its work. */
template <class Epilogue>
struct Consumer {
  const Job &job;
  const Tiles &s;
  uint64_t a, b; /* descriptors of its rows of A's first tile, of the first stage */
  int64_t row;   /* in the block's, of the warp's first row */
  Ring<STAGES> ring;
  Reads older, newer; /* of the two groups of products under way */

  /* Their products are over, the tiles may be replaced. A lane tells each block of the cluster, for
   * both bring B. */
  __device__ __forceinline__ void release(Reads &r) {
    if (r.b >= 0 && lane_id() < CLUSTER) barrier_arrive_at(&s.bar->b_empty[r.b], lane_id());
    if (r.a >= 0 && lane_id() == 0) barrier_arrive(&s.bar->a_empty[r.a]);
    r.a = r.b = -1;
  }
  /* At most one group is under way behind it, none behind drain. */
  __device__ __forceinline__ void settle() {
    group_wait<1>();
    release(older);
  }
  __device__ __forceinline__ void drain() {
    group_wait<0>();
    release(older);
    release(newer);
  }

  /* Products of tile k of A, a group. */
  __device__ __forceinline__ void multiply(sums<COLS> &d, const Place &p, int k) {
    settle();
    if (p.first) {
      /* What brings A may wait for the last tile of the item before to be released. */
      if (k == 0) drain();
      barrier_wait(&s.bar->a_full[k], p.round & 1);
    }
    barrier_wait(&s.bar->b_full[ring.stage], ring.parity);
    const uint64_t at_a = a + (uint64_t)(k * TILE_BYTES / 16),
                   at_b = b + (uint64_t)(ring.stage * TILE_BYTES / 16);
    group_begin();
#pragma unroll
    for (int i = 0; i < TILE_DEEP / 16; i++)
      group_product(d, at_a + 2 * i, at_b + 2 * i, k > 0 || i > 0);
    group_commit();
    older = newer;
    newer = {p.last() ? k : -1, ring.stage};
    ring.advance();
  }

  /* The first `end` tiles of A, from k on. */
  __device__ __forceinline__ void multiply_until(sums<COLS> &d, const Place &p, int &k, int end) {
#pragma unroll 1
    for (; k < end; k++) multiply(d, p, k);
  }

  /* Products of a tile, while the one before leaves its accumulators for `spot`. */
  template <int S>
  __device__ __forceinline__ void beside(sums<COLS> &d, const Place &p, int k, sums<COLS> &done,
                                         const Spot &spot) {
    const auto loaded = Epilogue::template load<S>(job, spot);
    /* At least one for the first slice, so that the products of the tile before can be waited for.
     */
    multiply_until(d, p, k, ((S + 1) * job.deep + Epilogue::SLICES - 1) / Epilogue::SLICES);
    if (S == 0) {
      settle();
      pin(done);
    }
    Epilogue::template store<S>(job, done, loaded, spot);
    if constexpr (S + 1 < Epilogue::SLICES) beside<S + 1>(d, p, k, done, spot);
  }

  /* The same for the last tile, with nothing beside it. */
  template <int S>
  __device__ __forceinline__ void alone(sums<COLS> &done, const Spot &spot) {
    if (S == 0) {
      drain();
      pin(done);
    }
    Epilogue::template store<S>(job, done, Epilogue::template load<S>(job, spot), spot);
    if constexpr (S + 1 < Epilogue::SLICES) alone<S + 1>(done, spot);
  }

  __device__ __forceinline__ Spot spot_of(const Place &p) {
    return Spot(job, p.row + row, p.tile * Epilogue::UNITS);
  }

  __device__ __forceinline__ void run() {
    sums<COLS> even, odd;
    Place p = Place::begin();
    int k = 0;
    if (!p.next(job)) return;
    multiply_until(even, p, k, job.deep);
    for (;;) {
      const Spot first = spot_of(p);
      if (!p.next(job)) return alone<0>(even, first);
      beside<0>(odd, p, 0, even, first);
      const Spot second = spot_of(p);
      if (!p.next(job)) return alone<0>(odd, second);
      beside<0>(even, p, 0, odd, second);
    }
  }
};

template <class Epilogue>
__global__ void __launch_bounds__(THREADS, 1) gated_kernel(Job job) {
  TRM_SHARED(unsigned char, shared);
  unsigned char *base = first_tile(shared);
  Tiles s;
  s.b = base;
  s.a = base + STAGES * TILE_BYTES;
  s.bar = reinterpret_cast<Barriers *>(s.a + job.deep * TILE_BYTES);

  /* Who arrives at which barrier: loaders and copies at the full ones, warps that read at the empty
   * ones, for B those of both blocks. */
  if (threadIdx.x == 0) {
    for (int i = 0; i < MOST_DEEP; i++) {
      barrier_init(&s.bar->a_full[i], LOADERS);
      barrier_init(&s.bar->a_empty[i], WARPS);
    }
    for (int i = 0; i < STAGES; i++) {
      barrier_init(&s.bar->b_full[i], 1);
      barrier_init(&s.bar->b_empty[i], CLUSTER * WARPS);
    }
    barrier_init_fence();
  }
  cluster_sync();

  /* The first warp group brings operands, the others multiply and have most of the registers. */
  const int group = (int)threadIdx.x / WARP_GROUP - 1;
  if (group < 0) {
    fewer_registers<PRODUCER_REGISTERS>();
    if (threadIdx.x < WARP)
      bring_b<Epilogue::READS>(job, s);
    else
      bring_a(job, s, (int)threadIdx.x - WARP);
  } else {
    more_registers<CONSUMER_REGISTERS>();
    const int own = group * 64; /* its first row */
    Consumer<Epilogue> consumer = {job,
                                   s,
                                   tile_descriptor(shared_address(s.a + own * TILE_ROW)),
                                   tile_descriptor(shared_address(s.b)),
                                   own + (int)threadIdx.x % WARP_GROUP / WARP * 16,
                                   {},
                                   {-1, -1},
                                   {-1, -1}};
    consumer.run();
  }
  cluster_sync(); /* what still comes from the other block finds this one there */
}

template <class Epilogue>
void run(Job job, int multiprocessors, cudaStream_t stream) {
  const int64_t pairs = divide_up(job.R, ROWS * CLUSTER);
  const int64_t most = multiprocessors > CLUSTER ? multiprocessors / CLUSTER : 1;
  job.deep = (int)divide_up(job.D, TILE_DEEP);
  job.parts = gated_parts(pairs, job.tiles, most);
  job.items = (int)(pairs * job.parts);
  const int64_t clusters = job.items < most ? job.items : most;
  const size_t shared =
      TILE_ALIGNMENT + (size_t)(STAGES + job.deep) * TILE_BYTES + sizeof(Barriers);
  launch_clusters(gated_kernel<Epilogue>, dim3((unsigned)(clusters * CLUSTER)), CLUSTER,
                  dim3(THREADS), shared, stream, job);
}

/* --- packing --------------------------------------------------------------------------------- */

/* A thread a chunk of 8 values: row n of B (tiles of COLS, in turn by tiles of depth), from depth d
 * on. Row n's values lie `step` apart, from w + n * stride on. */
__global__ void pack_kernel(const float *w, int64_t stride, int64_t step, int gates, int D,
                            int deep, int64_t chunks, bf16 *packed) {
  const int64_t i = thread_index();
  if (i >= chunks) return;
  const int c = (int)(i % 8), k = (int)(i / 8 % deep);
  const int64_t n = i / 8 / deep, tile = n / COLS;
  const int r = (int)(n % COLS), half = COLS / 2;
  /* With gates: rows 0 .. 63 of a tile are gates, the others the ups of the same units. */
  const int64_t row = gates ? tile * half + r % half + (r >= half ? gates : 0) : n;
  float v[8];
#pragma unroll
  for (int e = 0; e < 8; e++) {
    const int d = k * TILE_DEEP + 8 * c + e;
    v[e] = d < D ? w[row * stride + d * step] : 0;
  }
  unsigned char *to = reinterpret_cast<unsigned char *>(packed) + (tile * deep + k) * TILE_BYTES;
  store_chunk(to, r, c, v);
}

void pack(const float *w, int64_t rows, int64_t stride, int64_t step, int gates, int D,
          bf16 *packed, cudaStream_t stream) {
  const int deep = (int)divide_up(D, TILE_DEEP);
  const int64_t chunks = rows * deep * 8;
  launch(pack_kernel, grid_for(chunks), BLOCK, 0, stream, w, stride, step, gates, D, deep, chunks,
         packed);
}

}  // namespace

bool gated_fits(int D, int F) {
  return D % 8 == 0 && D <= GATED_MOST_D && F % COLS == 0;
}

int64_t gated_size(int64_t rows, int D) {
  return rows * divide_up(D, TILE_DEEP) * TILE_DEEP;
}
void gated_pack_in(const float *w_in, bf16 *packed, int D, int F, cudaStream_t stream) {
  pack(w_in, 2 * (int64_t)F, D, 1, F, D, packed, stream);
}
void gated_pack_out(const float *w_out, bf16 *packed, int D, int F, cudaStream_t stream) {
  pack(w_out, F, 1, F, 0, D, packed, stream);
}

/* An item costs about a tile besides its tiles: until A is there, and its last epilogue. */
int gated_parts(int64_t pairs, int tiles, int64_t clusters) {
  int best = 1;
  int64_t least = INT64_MAX;
  for (int parts = 1; parts <= tiles; parts++) {
    const int64_t cost = divide_up(pairs * parts, clusters) * (divide_up(tiles, parts) + 1);
    if (cost < least) least = cost, best = parts;
  }
  return best;
}

void gated_forward(const bf16 *x, const bf16 *w_in, bf16 *gu, bf16 *act, int64_t R, int D, int F,
                   int multiprocessors, cudaStream_t stream) {
  run<Forward>({x, w_in, gu, act, R, 0, D, F, 0, F / (COLS / 2), 0}, multiprocessors, stream);
}
void gated_backward(const bf16 *dh, const bf16 *w_out, bf16 *gu, bf16 *act, int64_t R, int D, int F,
                    int multiprocessors, cudaStream_t stream) {
  run<Backward>({dh, w_out, gu, act, R, 0, D, F, 0, F / COLS, 0}, multiprocessors, stream);
}
