/* Muon: updates of matrices whose singular values are all about 1 (docs/MODEL.md section 4). The
 * matrices of a segment, all of one shape, go through everything side by side. */
#include <math.h>

#include "backend.cuh"
#include "train.cuh"

namespace {

/* The segment's matrices, as they lie in the weight. */
struct Muon {
  int64_t n; /* values of one matrix */
  int count, rows, cols, side;
  int chunks;         /* of TRM__CHUNK values that a matrix has: a block of threads each */
  float *x, *next;    /* [count, rows, cols] */
  float *gram, *poly; /* [count, side, side] */
  double *squares;    /* [count, chunks] */
};

Muon muon_of(const trm__segment &s, float *scratch) {
  trm__carver memory = {reinterpret_cast<unsigned char *>(scratch), 0, 0};
  Muon m = {};
  m.n = (int64_t)s.rows * s.cols;
  m.count = s.count;
  m.rows = s.rows;
  m.cols = s.cols;
  m.side = s.rows < s.cols ? s.rows : s.cols;
  m.chunks = (int)divide_up(m.n, TRM__CHUNK);
  m.squares = carve<double>(&memory, (int64_t)m.count * m.chunks);
  m.x = carve<float>(&memory, m.count * m.n);
  m.next = carve<float>(&memory, m.count * m.n);
  m.gram = carve<float>(&memory, (int64_t)m.count * m.side * m.side);
  m.poly = carve<float>(&memory, (int64_t)m.count * m.side * m.side);
  return m;
}

/* Block (chunk, matrix): m <- momentum m + (1 - momentum) g; X = (1 - momentum) g + momentum m, and
 * the sum of its squares. */
__global__ void mean_kernel(Muon m, trm__update u, const trm__adam *figures, int64_t at,
                            float *mean) {
  __shared__ double part[BLOCK];
  const float keep = figures->momentum;
  const int64_t first = blockIdx.x * (int64_t)TRM__CHUNK, matrix = blockIdx.y * m.n;
  double sum = 0;
  if (!u.totals->apply) return;
  for (int64_t i = first + threadIdx.x; i < first + TRM__CHUNK && i < m.n; i += BLOCK) {
    const float g = u.grads[at + matrix + i];
    const float moved = keep * mean[matrix + i] + (1 - keep) * g;
    const float x = (1 - keep) * g + keep * moved;
    mean[matrix + i] = moved;
    m.x[matrix + i] = x;
    sum += (double)x * x;
  }
  sum = block_sum<BLOCK>(sum, part);
  if (threadIdx.x == 0) m.squares[blockIdx.y * (int64_t)m.chunks + blockIdx.x] = sum;
}

/* The same blocks: X by its norm. */
__global__ void norm_kernel(Muon m) {
  __shared__ double part[BLOCK];
  const int64_t first = blockIdx.x * (int64_t)TRM__CHUNK, matrix = blockIdx.y * m.n;
  double sum = 0;
  for (int i = threadIdx.x; i < m.chunks; i += BLOCK)
    sum += m.squares[blockIdx.y * (int64_t)m.chunks + i];
  sum = block_sum<BLOCK>(sum, part);
  const float inverse = (float)(1 / fmax(sqrt(sum), 1e-7));
  for (int64_t i = first + threadIdx.x; i < first + TRM__CHUNK && i < m.n; i += BLOCK)
    m.x[matrix + i] *= inverse;
}

/* a + b A + c A A, from A and A A. */
__global__ void poly_kernel(Muon m) {
  const int64_t i = thread_index(), square = (int64_t)m.side * m.side;
  if (i >= m.count * square) return;
  const float diagonal = i % square % (m.side + 1) == 0 ? 3.4445f : 0;
  m.poly[i] = 2.0315f * m.poly[i] - 4.7750f * m.gram[i] + diagonal;
}

/* p <- decay p - rate X, and its average. */
__global__ void move_kernel(Muon m, trm__update u, const trm__adam *figures, int64_t at,
                            float scale) {
  const int64_t i = thread_index();
  if (i >= m.count * m.n || !u.totals->apply) return;
  const trm__adam o = *figures;
  const float p = u.params[at + i] * o.decay - o.lr * scale * m.x[i];
  u.params[at + i] = p;
  if (u.ema) u.ema[at + i] = o.ema * u.ema[at + i] + (1 - o.ema) * p;
}

/* C [m, n] = A B of all matrices. */
void products(CudaBackend *c, const Muon &of, Product x) {
  x.c_float = true;
  x.count = of.count;
  x.ldc = x.n;
  x.c_step = x.m * x.n;
  note_product(c, multiply(&c->exact, x, c->stream));
}

/* X <- (a + b A + c A A) X, A = X X^T; where X has more rows than columns, X (a + b A + c A A) with
 * A = X^T X: a step of Newton and Schulz. */
void iterate(CudaBackend *c, Muon *m) {
  const bool tall = m->rows > m->cols;
  const int64_t side = m->side, square = side * side;
  Product gram = {}, twice = {}, next = {};
  gram.m = gram.n = twice.m = twice.n = twice.k = side;
  gram.k = m->rows + m->cols - side;
  gram.a = gram.b = m->x;
  gram.lda = gram.ldb = m->cols;
  gram.a_step = gram.b_step = m->n;
  gram.a_transposed = tall;
  gram.b_transposed = !tall;
  gram.c = m->gram;
  products(c, *m, gram);

  twice.a = twice.b = m->gram;
  twice.lda = twice.ldb = side;
  twice.a_step = twice.b_step = square;
  twice.c = m->poly;
  products(c, *m, twice);
  launch(poly_kernel, grid_for(m->count * square), BLOCK, 0, c->stream, *m);

  next.m = m->rows;
  next.n = m->cols;
  next.k = side;
  next.a = tall ? m->x : m->poly;
  next.lda = side; /* as many columns as X has, where it is tall */
  next.a_step = tall ? m->n : square;
  next.b = tall ? m->poly : m->x;
  next.ldb = m->cols;
  next.b_step = tall ? square : m->n;
  next.c = m->next;
  products(c, *m, next);
  float *x = m->x;
  m->x = m->next;
  m->next = x;
}

} /* namespace */

void muon(CudaBackend *c, const trm__update &u, const trm__group &g) {
  for (int i = 0; i < g.n_segments; i++) {
    const trm__segment &s = g.segments[i];
    Muon m = muon_of(s, g.scratch);
    const float scale = (float)sqrt(s.rows > s.cols ? (double)s.rows / s.cols : 1);
    const dim3 chunks((unsigned)m.chunks, (unsigned)m.count);
    launch(mean_kernel, chunks, BLOCK, 0, c->stream, m, u, g.figures, s.at, g.state[0] + s.state);
    launch(norm_kernel, chunks, BLOCK, 0, c->stream, m);
    for (int step = 0; step < g.steps; step++) iterate(c, &m);
    launch(move_kernel, grid_for(m.count * m.n), BLOCK, 0, c->stream, m, u, g.figures, s.at, scale);
  }
}
