/* Inside the CPU backend: the object, the constants of its blocking, and the helpers that all
 * blocks share. */
#ifndef TRM_BACKEND_CPU_H
#define TRM_BACKEND_CPU_H

#include "backend/backend.h"
#include "base/carve.h"
#include "kernels/kernels.h"

enum {
  CPU_ROWS = 112, /* rows of a tile handled at once, at most: even, a multiple of the tallest mr */
  CPU_COLS = 128, /* channels handled at once by the mixer: a multiple of every nr */
  CPU_SLOTS = 8,  /* blocks of gradients; a power of two */
  CPU_CHUNK = 128 /* SwiGLU units handled at once: a multiple of every nr; divides every width
                     (a multiple of 256) */
};
_Static_assert((int)CPU_CHUNK <= (int)TRM__MOST_CHUNK, "int8's activations are that long");

/* A block's weights as operands of its products, in the order of its list. */
typedef struct cpu_packed {
  real *fwd[TRM__BLOCK_WEIGHTS], *bwd[TRM__BLOCK_WEIGHTS]; /* bwd: NULL unless training */
} cpu_packed;

/* How one of them is packed. A weight [rows, cols] is multiplied along its columns going forward
 * and along its rows going backward. */
typedef enum cpu_packing {
  CPU_PLAIN = 0, /* not at all: it is read where it is */
  CPU_AS_A = 1,  /* as the left operand, A; else */
  CPU_AS_B = 2,  /* the right one */
  /* Of a SwiGLU: the depth is its units, CPU_CHUNK of them an operand, one after the other. */
  CPU_DOWN = 4,   /* going forward */
  CPU_GATE_UP = 8 /* going backward: CPU_CHUNK gates, their ups, and so on; the rows of the weight
                     are its gates, then its ups */
} cpu_packing;

typedef struct cpu_backend {
  trm__backend base;
  trm__backend_ops ops; /* base has it */
  const trm__kernels *kernels;
  const trm__product *product; /* of kernels: of the blocks, in the model's format; .. */
  const trm__product *fine;    /* .. and of the heads: never int8 */
  bool training;
  int far;            /* TRM__FETCH_B when the packed weights do not stay in a second-level cache */
  cpu_packed *packed; /* [n_blocks] */
  void *memory;       /* behind all packed weights and tables */
  int64_t bytes;      /* of it */
  real *rope_cos, *rope_sin; /* [grid positions, d/2] */
  real *head;                /* lm_head as B [D, V] */
} cpu_backend;

/* The product that stands in for one that has no gradient and is not meant for all ops. */
static inline const trm__product *cpu_fine(const trm__kernels *kernels, trm_dtype dtype) {
  return &kernels->product[dtype == TRM_INT8 ? TRM_BFLOAT16 : dtype];
}
/* Reals of SwiGLU's `width` units as the depth of a weight that is packed in chunks. */
static inline int cpu_chunked(const trm__product *p, int width) {
  return width / CPU_CHUNK * trm__units(p, CPU_CHUNK);
}
static inline cpu_backend *cpu_of(trm__backend *be) {
  return (cpu_backend *)be;
}
static inline const cpu_packed *cpu_packed_of(trm__backend *be, const trm__block *blk) {
  return &cpu_of(be)->packed[blk - be->blocks];
}
static inline int cpu_min(int a, int b) {
  return a < b ? a : b;
}
/* n rows in about equal parts of at most CPU_ROWS: the size of a part, in units of the product, so
 * that a pair of neighbours is in one part. */
static inline int64_t cpu_part(const trm__product *p, int64_t n) {
  const int64_t unit = p->rows_unit, most = CPU_ROWS / unit * unit, parts = (n + most - 1) / most;
  return parts > 1 ? ((n + parts - 1) / parts + unit - 1) / unit * unit : most;
}
/* Where a product over positions, or over entries of experts, may be cut into several: between
 * blocks that it sums together, and no pair of neighbours that is one unit is parted. */
static inline int cpu_depth_block(const trm__product *p) {
  return p->block > 2 ? p->block : 2;
}
/* Operand A of rows that are contiguous along the depth k: as they stand, or converted into scratch
 * (rows * trm__units(p, k) reals). */
static inline const real *cpu_a(const trm__product *p, int rows, int k, const real *src, int64_t rs,
                                real *scratch, int64_t *lda) {
  *lda = p->a_as_is ? rs : trm__units(p, k);
  if (p->a_as_is) return src;
  p->to_a(rows, k, src, rs, 1, scratch, *lda);
  return scratch;
}

/* Where an op carves its parts: what is kept for the backward pass (of the team, the same carver as
 * `shared`, where nothing is kept), the team's, and this member's. */
typedef struct cpu_memory {
  trm__carver *saved, *shared, *scratch;
  const trm__routing *routing; /* of a block of experts: the workspace's */
  const int32_t *places;       /* the workspace's */
} cpu_memory;
static inline real *cpu_carve(trm__carver *c, int64_t n) {
  return trm__carve(c, n, sizeof(real));
}

/* Each kind of block: how its weights are packed, what a pass on b rows carves, and its two
 * directions, which carve the same. */
typedef struct cpu_block_kind {
  unsigned (*packing)(const trm__block *, int i); /* cpu_packing of weight i */
  void (*count)(const cpu_backend *, int b, bool backward, cpu_memory);
  void (*forward)(trm__backend *, trm__lane *, const trm__block *, int b, const real *x, real *y,
                  cpu_memory);
  void (*backward)(trm__backend *, trm__lane *, const trm__block *, int b, const real *x,
                   const real *y, real *dh, real *const *dw, bool accumulate, cpu_memory);
} cpu_block_kind;
extern const cpu_block_kind trm__cpu_attention, trm__cpu_mixer, trm__cpu_mlp, trm__cpu_experts_t,
    trm__cpu_experts;

/* y[rows, n] = (or +=) x[rows, depth] B by p, for this member's rows [lo, hi), B packed; scratch
 * CPU_ROWS * trm__units(p, depth) reals. */
void trm__cpu_rows(const cpu_backend *c, const trm__product *p, int64_t lo, int64_t hi, int n,
                   int depth, const real *x, int64_t ldx, const real *packed, real *y, int64_t ldy,
                   bool accumulate, real *scratch);

/* A SwiGLU over rows of `in` values (cpu_mlp.c): its weights as operands B, what it keeps of all
 * rows, and what a member works in. */
typedef struct cpu_swiglu {
  int in, width;
  const real *gate_up, *down, *gate_up_back, *down_back;
  /* [g u] in chunks of CPU_CHUNK columns one after the other, so that a chunk of a few rows is one
   * stretch of memory: [2 width / CPU_CHUNK][rows / group][CPU_CHUNK]; NULL: it is not kept.
   * `next`: units of all rows, from one column to the next. */
  real *gu;
  int64_t next;
  real *rows;          /* a part of the rows as operand A */
  real *act_a, *chunk; /* forward: a chunk's activation as A; its g and u, side by side */
  real *da, *dgu;      /* backward: a chunk's da; its [dg du] as A */
  /* With gate_norm, else NULL: 1 / rms(g u) of all rows, kept (or NULL); of a part of the rows sums
   * of squares, then that; and what the backward pass is to be told (trm__cpu_gate_slopes). */
  real *norm_inv, *norm_sum, *norm_slope;
} cpu_swiglu;
void trm__cpu_swiglu_carve(const cpu_backend *c, cpu_swiglu *s, bool backward,
                           trm__carver *scratch);
/* The weights from the block's first-th on. */
void trm__cpu_swiglu_weights(cpu_swiglu *s, const cpu_packed *w, int first);
/* Where row r of gu starts in each chunk. */
static inline int64_t cpu_swiglu_at(const cpu_backend *c, int64_t r) {
  return r / c->product->group * CPU_CHUNK;
}
/* Rows [r, r + rows), at most CPU_ROWS, r even: out = (silu(x W_g^T) * (x W_u^T)) W_out^T. x and
 * out start at row r. */
void trm__cpu_swiglu_rows(const cpu_backend *c, const cpu_swiglu *s, int64_t r, int rows,
                          const real *x, real *out);
/* ds, the gradient of out: dx += that of x; gu becomes units across the rows of [dg du]; the
 * activation goes to an operand B of depth `all rows`: row r is at act, panels are act_ps apart. */
void trm__cpu_swiglu_rows_grad(const cpu_backend *c, const cpu_swiglu *s, int64_t r, int rows,
                               const real *ds, real *dx, real *act, ptrdiff_t act_ps);

/* sums of (g u)^2 over `width` units, of n rows or columns, become inv = 1 / sqrt(mean + eps). */
void trm__cpu_gate_norms(const cpu_backend *c, int n, int width, real *sums);
/* slope: of n rows or columns, what gate_norm_grad_* needs: L changes with g u by slope g u through
 * its norm, slope = -inv^2 / width (ds . out), where out is the branch and ds its gradient. As y =
 * norm(x + out), ds . out = ds . y / y_inv - ds . x; slope holds ds . y before. */
void trm__cpu_gate_slopes(int n, int width, const real *inv, const real *y_inv, const real *ds_x,
                          real *slope);

/* How a matrix [m, k] or [k, n] lies in memory. Values or units: across, neighbours are contiguous
 * and `stride` leads to the next step (unit) of depth; along, the depth is contiguous and `stride`
 * leads to the next row or column. CPU_PACKED: operand B already. */
typedef enum cpu_form {
  CPU_ACROSS,
  CPU_ALONG,
  CPU_UNITS_ACROSS,
  CPU_UNITS_ALONG,
  CPU_PACKED
} cpu_form;
typedef struct cpu_operand {
  cpu_form form;
  const real *data;
  int64_t stride, next; /* next: from one term of a sum to the next */
  int block;            /* rows of A in a stretch, block_next apart; 0: all */
  int64_t block_next;
} cpu_operand;
/* One matrix whose rows or columns lie side by side, `stride` from one step of depth to the next.
 */
static inline cpu_operand cpu_across(const real *data, int64_t stride) {
  return (cpu_operand){.form = CPU_ACROSS, .data = data, .stride = stride};
}
/* [dg du] of rows r and on, as swiglu_rows_grad leaves it. */
static inline cpu_operand cpu_swiglu_dgu(const cpu_backend *c, const cpu_swiglu *s, int64_t r) {
  return (cpu_operand){.form = CPU_UNITS_ACROSS,
                       .data = s->gu + cpu_swiglu_at(c, r),
                       .stride = CPU_CHUNK,
                       .block = CPU_CHUNK,
                       .block_next = s->next * CPU_CHUNK};
}
/* C (m x n) = or += sum over s < count of A_s B_s with depth k: the gradient of a weight. The team
 * packs B together into `shared` and splits the rows of C. shared: trm__size_b(k, n) reals;
 * scratch: cpu_grad_scratch(k). Begins with a barrier; the op that calls it ends with one. */
void trm__cpu_weight_grad(const cpu_backend *c, trm__lane *lane, int m, int n, int k, int count,
                          cpu_operand a, cpu_operand b, real *out, bool accumulate, real *shared,
                          real *scratch);
static inline int64_t cpu_grad_scratch(const cpu_backend *c, int k) {
  return (CPU_ROWS > CPU_CHUNK ? CPU_ROWS : CPU_CHUNK) * (int64_t)trm__units(c->product, k);
}

/* Each file's ops, put where the table has them. */
void trm__cpu_embed_ops(trm__backend_ops *ops);
void trm__cpu_head_ops(trm__backend_ops *ops);
void trm__cpu_solve_ops(trm__backend_ops *ops);
void trm__cpu_train_ops(trm__backend_ops *ops);

/* Of experts: trm__backend_ops.balance. */
void trm__cpu_balance(trm__backend *be, trm__workspace *ws, trm__block_kind kind, int rows,
                      double weight, const double *told, trm__balance *out);

/* The rule of that name (cpu_muon.c). */
void trm__cpu_muon(trm__backend *be, trm__workspace *ws, const trm__update *u, const trm__group *g);

/* What the ops of the heads carve. */
void trm__cpu_head_count(const cpu_backend *c, cpu_memory memory);

#endif
