/* Muon: updates of matrices whose singular values are all about 1 (docs/MODEL.md section 4). */
#include <math.h>

#include "backend/cpu.h"
#include "base/check.h"

/* One matrix [rows, cols], and X, which lies so that it has no more rows than columns:
 * [side, length]. */
typedef struct muon {
  int rows, cols, side, length;
  real *x, *next;         /* [side, length]: X and its successor */
  real *gram, *poly;      /* [side, side]: A = X X^T; a + b A + c A A */
  real *squares, *packed; /* [side] sums of the squares of X's rows; an operand B */
} muon;

static muon muon_of(const trm__product *p, const trm__segment *s, trm__carver *scratch) {
  muon m = {.rows = s->rows, .cols = s->cols, .side = cpu_min(s->rows, s->cols)};
  m.length = m.rows + m.cols - m.side;
  const int64_t n = (int64_t)m.side * m.length, square = (int64_t)m.side * m.side;
  const int64_t across = trm__size_b(p, m.side, m.length), along = trm__size_b(p, m.length, m.side);
  m.x = cpu_carve(scratch, n);
  m.next = cpu_carve(scratch, n);
  m.gram = cpu_carve(scratch, square);
  m.poly = cpu_carve(scratch, square);
  m.squares = cpu_carve(scratch, m.side);
  m.packed = cpu_carve(scratch, across > along ? across : along);
  return m;
}

/* Where element j of row i of X is in the weight. */
static int64_t place_of(const muon *m, int64_t i, int64_t j) {
  return m->side == m->rows ? i * m->cols + j : j * m->cols + i;
}

static cpu_operand along(const real *data, int64_t stride) {
  return (cpu_operand){.form = CPU_ALONG, .data = data, .stride = stride};
}

/* X <- (a + b A + c A A) X with A = X X^T: a step of Newton and Schulz, by which singular values
 * between 0 and 1 come near 1. */
static void iterate(const cpu_backend *c, trm__lane *lane, muon *m) {
  static const double a = 3.4445, b = -4.7750, cc = 2.0315;
  const int side = m->side, length = m->length;
  int64_t lo, hi;

  /* A, and of a + b A + c A A this member's rows, which it computed itself. */
  trm__cpu_weight_grad(c, lane, side, side, length, 1, along(m->x, length), along(m->x, length),
                       m->gram, false, m->packed, NULL);
  trm__cpu_weight_grad(c, lane, side, side, side, 1, along(m->gram, side),
                       cpu_across(m->gram, side), m->poly, false, m->packed, NULL);
  trm__lane_share(lane, side, 1, &lo, &hi);
  for (int64_t i = lo; i < hi; i++) {
    real *poly = m->poly + i * side;
    const real *gram = m->gram + i * side;
    for (int j = 0; j < side; j++) poly[j] = (real)cc * poly[j] + (real)b * gram[j];
    poly[i] += (real)a;
  }

  /* X, which each member swaps for itself. */
  trm__cpu_weight_grad(c, lane, side, length, side, 1, along(m->poly, side),
                       cpu_across(m->x, length), m->next, false, m->packed, NULL);
  real *x = m->x;
  m->x = m->next;
  m->next = x;
}

/* m <- momentum m + (1 - momentum) g; X = (1 - momentum) g + momentum m, by its norm. Rows [lo, hi)
 * of X are this member's. */
static void begin(const cpu_backend *c, trm__lane *lane, muon *m, real momentum, const real *grads,
                  real *mean, int64_t lo, int64_t hi) {
  const int64_t length = m->length;
  for (int64_t i = lo; i < hi; i++) {
    for (int64_t j = 0; j < length; j++) {
      const int64_t at = place_of(m, i, j);
      mean[at] = momentum * mean[at] + (1 - momentum) * grads[at];
      m->x[i * length + j] = (1 - momentum) * grads[at] + momentum * mean[at];
    }
    m->squares[i] = (real)c->kernels->scale_norm(length, m->x + i * length, 1);
  }

  /* The norm, by each member in the same order. */
  trm__lane_barrier(lane);
  double sum = 0;
  for (int i = 0; i < m->side; i++) sum += (double)m->squares[i];
  const real inverse = (real)(1 / fmax(sqrt(sum), 1e-7));
  c->kernels->scale_norm((hi - lo) * length, m->x + lo * length, inverse);
}

/* p <- decay p - rate X */
static void move(const muon *m, const trm__adam *o, real *params, int64_t lo, int64_t hi) {
  const real rate = o->lr * (real)sqrt(m->rows > m->cols ? (double)m->rows / m->cols : 1);
  for (int64_t i = lo; i < hi; i++)
    for (int64_t j = 0; j < m->length; j++) {
      real *p = params + place_of(m, i, j);
      *p = *p * o->decay - rate * m->x[i * m->length + j];
    }
}

/* One matrix, by all members; they have rows of X, in units that share no cache line of the weight
 * where it lies across. */
static void update_matrix(const cpu_backend *c, trm__lane *lane, const trm__update *u,
                          const trm__group *g, const trm__segment *s, int64_t at) {
  trm__carver scratch = {.block = (unsigned char *)g->scratch};
  muon m = muon_of(c->product, s, &scratch);
  real *params = u->params + s->at + at;
  const int64_t n = (int64_t)m.rows * m.cols;
  int64_t lo, hi;
  trm__lane_share(lane, m.side, 16, &lo, &hi);

  begin(c, lane, &m, g->figures->momentum, u->grads + s->at + at, g->state[0] + s->state + at, lo,
        hi);
  for (int step = 0; step < g->steps; step++) iterate(c, lane, &m);
  trm__lane_barrier(lane);
  move(&m, g->figures, params, lo, hi);

  trm__lane_barrier(lane);
  trm__lane_share(lane, n, 16, &lo, &hi);
  if (u->ema) c->kernels->ema(hi - lo, g->figures, params + lo, u->ema + s->at + at + lo);
}

void trm__cpu_muon(trm__backend *be, trm__workspace *ws, const trm__update *u,
                   const trm__group *g) {
  /* Products in float32, whose rows are operands as they stand, whatever the model's format is. */
  cpu_backend c = *cpu_of(be);
  c.product = &c.kernels->product[TRM_FLOAT32];
  TRM_ASSERT(c.product->a_as_is && c.product->nr <= TRM__MOST_COLS);
  for (int i = 0; i < g->n_segments; i++) {
    const trm__segment *s = &g->segments[i];
    for (int j = 0; j < s->count; j++) {
      update_matrix(&c, ws->lane, u, g, s, (int64_t)j * s->rows * s->cols);
      trm__lane_barrier(ws->lane); /* the next one takes the same scratch */
    }
  }
}
