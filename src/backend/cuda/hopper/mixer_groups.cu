/* Everything transposed, channels are the rows of the products (mixer.cu has the same plan for
 * single warps):
 *
 *   [G U]^T = x^T [W_g W_u]^T     A: x^T in registers, B: 32 units' gates and ups
 *   out^T = x^T + act^T W_out^T   A: act^T, as the first product leaves it in registers
 *
 * A warp group takes 64 channels of a row from the input to the norm: x^T (4 K registers of a
 * thread), out^T (8 K) and a chunk of G and U (32) stay with it. Three of them share the weights,
 * which a fourth brings stage by stage, 64 units each, packed beforehand as tiles lie in shared
 * memory. (At LP = 128 there are two, for want of registers and shared memory.) The groups drift
 * apart by a chunk or so: while one computes an activation, the products of the others keep the
 * matrix units busy. With A in registers shared memory is left to B: 2 KiB in the 32 cycles of a
 * product of 64 x 64 x 16. Two blocks are a cluster, and each fetches half of a stage for both: 2.7
 * TB/s from the second-level cache at full speed.
 *
 * L is padded to LP = 16 K, 96, 112 or 128, with zeros, in the weights and in the tiles of x. Sums
 * have one order. */
#include "mixer_groups.cuh"

#include "hopper.cuh"

namespace {

enum {
  CLUSTER = 2,
  CHANNELS = 64,                      /* of a group: a tile's row of positions */
  CHUNK = 32,                         /* SwiGLU units of a product; a stage has two chunks */
  UNITS = 2 * CHUNK,                  /* of a stage */
  DEEP = 2,                           /* tiles along the positions: 64 < L <= 128 */
  CHUNK_BYTES = 2 * CHUNK * TILE_ROW, /* a tile of gates and ups */
  LEAST_L = TILE_DEEP + 1,
  MOST_L = 128
};

/* Warp groups with products, registers of a thread (64 Ki in all), bytes in shared memory. A stage:
 * chunk 0's tiles of positions, chunk 1's, W_out [LP][64 units]. */
template <int K>
struct plan {
  static constexpr int GROUPS = K > 7 ? 2 : 3, THREADS = (1 + GROUPS) * WARP_GROUP;
  static constexpr int PRODUCER_REGISTERS = 24, CONSUMER_REGISTERS = K > 7 ? 240 : 160;
  static constexpr int LP = 16 * K, OUT = 2 * DEEP * CHUNK_BYTES, STAGE = OUT + LP * TILE_ROW;
  static constexpr int TILE = LP * TILE_ROW; /* of a group's x, and of its y */
  static constexpr int STAGES = 3;
  static constexpr int SHARED =
      TILE_ALIGNMENT + STAGES * STAGE + 2 * GROUPS * TILE + 2 * STAGES * (int)sizeof(uint64_t);
};

struct Job {
  const bf16 *x, *packed;
  bf16 *y;
  float *inv;
  int64_t columns; /* 64 channels of a row */
  int items;       /* a column for each group of each block of a cluster */
  int L, D, stages;
  float eps;
};

/* One thread of each block: its half of a stage, for both. */
template <int K>
__device__ void bring(const Job &job, unsigned char *stages, uint64_t *full, uint64_t *empty) {
  typedef plan<K> p;
  enum { HALF = p::STAGE / CLUSTER };
  const unsigned offset = cluster_rank() * HALF;
  const unsigned char *from = reinterpret_cast<const unsigned char *>(job.packed) + offset;
  Ring<p::STAGES> ring = {};
  for (int item = (int)blockIdx.x / CLUSTER; item < job.items; item += (int)gridDim.x / CLUSTER)
    for (int s = 0; s < job.stages; s++, ring.advance()) {
      barrier_wait(&empty[ring.stage], ring.parity ^ 1);
      barrier_expect(&full[ring.stage], p::STAGE);
      copy_bulk(stages + ring.stage * p::STAGE + offset, from + (int64_t)s * p::STAGE, HALF,
                &full[ring.stage], (1u << CLUSTER) - 1);
    }
}

/* A warp group at its work; `warp` of it. */
template <int K>
struct Group {
  typedef plan<K> p;
  const Job &job;
  unsigned char *x, *y; /* its tiles [LP][64 channels] */
  uint64_t first;       /* descriptor of the first stage */
  uint64_t *full, *empty;
  int warp, thread;
  Ring<p::STAGES> ring;
  int before; /* the stage whose products are under way, or -1 */

  /* Where column number i is in x and y; behind the last one nothing is there. */
  __device__ int64_t place(int64_t i) const {
    const int64_t per_row = job.D / CHANNELS;
    return i / per_row * job.L * job.D + i % per_row * CHANNELS;
  }
  /* One group of copies, possibly of zeros. */
  __device__ void load(int64_t column) {
    const bool any = column < job.columns;
    const bf16 *from = job.x + (any ? place(column) : 0);
    for (int i = thread; i < p::LP * 8; i += WARP_GROUP)
      copy_async(x + tile_chunk(i / 8, i % 8), from + (int64_t)(i / 8) * job.D + i % 8 * 8,
                 !any || i / 8 >= job.L);
    copy_commit();
  }
  /* x^T of the warp's 16 channels, positions 16 k and on, and the sums that begin with them. */
  __device__ __forceinline__ void take(operand<bf16> (&xt)[K], sums<16 * K> &out) {
    const int i = lane_id();
#pragma unroll
    for (int k = 0; k < K; k++) {
      ldmatrix4<true>(xt[k].r,
                      reinterpret_cast<const bf16 *>(
                          x + tile_chunk(16 * k + i % 8 + i / 16 * 8, 2 * warp + i / 8 % 2)));
#pragma unroll
      for (int e = 0; e < 4; e++) {
        float *to = out.c + 4 * (2 * k + e / 2) + e % 2 * 2;
        to[0] = pair_low(xt[k].r[e]);
        to[1] = pair_high(xt[k].r[e]);
      }
    }
  }

  /* A lane tells each block of the cluster, for both bring weights. */
  __device__ __forceinline__ void release() {
    if (before >= 0 && lane_id() < CLUSTER) barrier_arrive_at(&empty[before], lane_id());
  }
  __device__ __forceinline__ uint64_t at(int bytes) const {
    return first + (uint64_t)((ring.stage * p::STAGE + bytes) / 16);
  }

  /* Two chunks. A group's products end in their order, so the wait for the first of a chunk is one
   * for the second of the chunk before. */
  __device__ __forceinline__ void stage(const operand<bf16> (&xt)[K], sums<16 * K> &out) {
    barrier_wait(&full[ring.stage], ring.parity);
#pragma unroll
    for (int h = 0; h < 2; h++) {
      sums<2 * CHUNK> gu;
      group_begin();
#pragma unroll
      for (int k = 0; k < K; k++)
        group_product(gu, xt[k].r, at((h * DEEP + k / 4) * CHUNK_BYTES + k % 4 * 32), k > 0);
      group_commit();
      group_wait<0>();
      pin(gu);
      if (h == 0) release();
      operand<bf16> act[2];
#pragma unroll
      for (int i = 0; i < CHUNK / 2; i += 2) {
        float s0, s1;
        const float g0 = gu.c[i], g1 = gu.c[i + 1];
        sigmoids(g0, g1, s0, s1);
        act[i / 8].r[i % 8 / 2] =
            pack_pair(g0 * s0 * gu.c[i + CHUNK / 2], g1 * s1 * gu.c[i + 1 + CHUNK / 2]);
      }
      group_begin();
#pragma unroll
      for (int i = 0; i < 2; i++) group_product(out, act[i].r, at(p::OUT + (2 * h + i) * 32), true);
      group_commit();
    }
    before = ring.stage;
    ring.advance();
  }

  /* y = out / rms, by way of a tile, so that rows of 128 bytes are written. */
  __device__ __forceinline__ void write(const sums<16 * K> &out, int64_t column) {
    const int lane = lane_id();
    const bool any = column < job.columns;
#pragma unroll
    for (int half = 0; half < 2; half++) {
      float sum = 0;
#pragma unroll
      for (int j = 0; j < 2 * K; j++) {
        const float a = out.c[4 * j + 2 * half], b = out.c[4 * j + 2 * half + 1];
        sum += a * a + b * b;
      }
      sum += __shfl_xor_sync(0xffffffffu, sum, 1);
      sum += __shfl_xor_sync(0xffffffffu, sum, 2);
      const float scale = rsqrtf(sum / (float)job.L + job.eps);
      const int c = 16 * warp + 8 * half + lane / 4;
      if (any && job.inv && lane % 4 == 0) job.inv[column * CHANNELS + c] = scale;
#pragma unroll
      for (int j = 0; j < 2 * K; j++)
#pragma unroll
        for (int e = 0; e < 2; e++) {
          const int l = 8 * j + lane % 4 * 2 + e;
          reinterpret_cast<bf16 *>(y + tile_chunk(l, c / 8))[c % 8] =
              from_float<bf16>(out.c[4 * j + 2 * half + e] * scale);
        }
    }
    group_sync();
    for (int i = thread; i < job.L * 8 && any; i += WARP_GROUP)
      *reinterpret_cast<uint4 *>(job.y + place(column) + (int64_t)(i / 8) * job.D + i % 8 * 8) =
          *reinterpret_cast<const uint4 *>(y + tile_chunk(i / 8, i % 8));
  }

  __device__ int64_t column_of(int item, int group) const {
    return ((int64_t)item * CLUSTER + cluster_rank()) * p::GROUPS + group;
  }

  __device__ __forceinline__ void run(int group) {
    const int clusters = (int)gridDim.x / CLUSTER;
    int item = (int)blockIdx.x / CLUSTER;
    load(column_of(item, group));
    for (; item < job.items; item += clusters) {
      operand<bf16> xt[K];
      sums<16 * K> out;
      copy_wait<0>();
      group_sync();
      take(xt, out);
      pin(out);
      group_sync();
      load(column_of(item + clusters, group));
#pragma unroll 1
      for (int s = 0; s < job.stages; s++) stage(xt, out);
      group_wait<0>();
      pin(out);
      release();
      before = -1;
      write(out, column_of(item, group));
    }
    copy_wait<0>();
  }
};

template <int K>
__global__ void __launch_bounds__(plan<K>::THREADS, 1) mixer_groups_kernel(Job job) {
  typedef plan<K> p;
  TRM_SHARED(unsigned char, shared);
  unsigned char *base = first_tile(shared);
  unsigned char *tiles = base + p::STAGES * p::STAGE;
  uint64_t *full = reinterpret_cast<uint64_t *>(tiles + 2 * p::GROUPS * p::TILE);
  uint64_t *empty = full + p::STAGES;

  /* A stage is full when the copies of both blocks are there, empty when all warps of both have
   * read it. */
  if (threadIdx.x == 0) {
    for (int i = 0; i < p::STAGES; i++) {
      barrier_init(&full[i], 1);
      barrier_init(&empty[i], CLUSTER * p::GROUPS * WARP_GROUP / WARP);
    }
    barrier_init_fence();
  }
  cluster_sync();

  /* One thread of the first warp group brings weights; each of the others has columns of its own.
   */
  const int group = (int)threadIdx.x / WARP_GROUP - 1, thread = (int)threadIdx.x % WARP_GROUP;
  if (group < 0) {
    fewer_registers<p::PRODUCER_REGISTERS>();
    if (threadIdx.x == 0) bring<K>(job, base, full, empty);
  } else {
    more_registers<p::CONSUMER_REGISTERS>();
    Group<K> g = {job,
                  tiles + 2 * group * p::TILE,
                  tiles + (2 * group + 1) * p::TILE,
                  tile_descriptor(shared_address(base)),
                  full,
                  empty,
                  thread / WARP,
                  thread,
                  {},
                  -1};
    g.run(group);
  }
  cluster_sync(); /* what still comes from the other block finds this one there */
}

template <int K>
void run(Job job, int multiprocessors, cudaStream_t stream) {
  const int64_t most = multiprocessors > CLUSTER ? multiprocessors / CLUSTER : 1;
  job.items = (int)divide_up(job.columns, CLUSTER * plan<K>::GROUPS);
  const int64_t clusters = job.items < most ? job.items : most;
  launch_clusters(mixer_groups_kernel<K>, dim3((unsigned)(clusters * CLUSTER)), CLUSTER,
                  dim3(plan<K>::THREADS), plan<K>::SHARED, stream, job);
}

int padded(int L) {
  return L <= 96 ? 96 : L <= 112 ? 112 : 128;
}

/* A thread a chunk of 8 values of the stage's tiles. */
__global__ void pack_mixer_kernel(const float *w_in, const float *w_out, int L, int FL, int LP,
                                  int64_t chunks, bf16 *packed) {
  const int64_t i = thread_index();
  if (i >= chunks) return;
  const int in = 2 * DEEP * 2 * CHUNK, rows = in + LP; /* of a stage, TILE_ROW bytes each */
  const int c = (int)(i % 8), row = (int)(i / 8 % rows);
  const int64_t stage = i / 8 / rows;
  /* W_in: which chunk, which tile of positions, and its row: 32 gates, 32 ups. */
  const int h = row / (DEEP * 2 * CHUNK), tile = row / (2 * CHUNK) % DEEP, r = row % (2 * CHUNK);
  const int64_t f = stage * UNITS + h * CHUNK + r % CHUNK + (r >= CHUNK ? FL : 0);
  float v[8];
#pragma unroll
  for (int e = 0; e < 8; e++) {
    const int l = tile * TILE_DEEP + 8 * c + e;
    if (row < in)
      v[e] = l < L ? w_in[f * L + l] : 0;
    else
      v[e] = row - in < L ? w_out[(int64_t)(row - in) * FL + stage * UNITS + 8 * c + e] : 0;
  }
  unsigned char *to = reinterpret_cast<unsigned char *>(packed) + stage * rows * TILE_ROW;
  store_chunk(to, row, c, v);
}

}  // namespace

bool mixer_groups_fits(int L, int D, int FL) {
  return L >= LEAST_L && L <= MOST_L && D % CHANNELS == 0 && FL % UNITS == 0;
}

static int64_t chunks_of(int L, int FL) {
  return FL / UNITS * (int64_t)(2 * DEEP * 2 * CHUNK + padded(L)) * 8;
}
int64_t mixer_groups_size(int L, int FL) {
  return 8 * chunks_of(L, FL);
}
void mixer_groups_pack(const float *w_in, const float *w_out, bf16 *packed, int L, int FL,
                       cudaStream_t stream) {
  const int64_t chunks = chunks_of(L, FL);
  launch(pack_mixer_kernel, grid_for(chunks), BLOCK, 0, stream, w_in, w_out, L, FL, padded(L),
         chunks, packed);
}

void mixer_groups_forward(const bf16 *x, bf16 *y, const bf16 *packed, float *inv, int b, int L,
                          int D, int FL, float eps, int multiprocessors, cudaStream_t stream) {
  const Job job = {x, packed, y, inv, b * (int64_t)(D / CHANNELS), 0, L, D, FL / UNITS, eps};
  if (padded(L) == 96)
    run<6>(job, multiprocessors, stream);
  else if (padded(L) == 112)
    run<7>(job, multiprocessors, stream);
  else
    run<8>(job, multiprocessors, stream);
}
