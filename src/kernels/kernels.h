/* The single-thread numerical kernels, one table per instruction set.
 *
 * Every kernel body (body_product.inc, body_vector.inc, body_optim.inc) is written once on the
 * vector type of simd.h and compiled once per instruction set. Which table runs is decided from
 * what the CPU and the operating system support, or by the environment variable TRM_ISA.
 *
 * Bits: every output element is computed by the same sequence of operations whatever the tile, the
 * alignment, the number of rows in the call or the split of a sum over several calls. Matrix
 * products add their k terms one by one in order (each with one rounding), so accumulating K1 and
 * then K2 terms equals K1 + K2 at once. The bfloat16 products of ARM add the two of a unit to each
 * other first, those of AMX what is in a block of 32 (body_amx.inc): there K1 must be a multiple of
 * trm__product.block.
 */
#ifndef TRM_KERNELS_KERNELS_H
#define TRM_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "kernels/real.h"
#include "trm/model.h"
#include "trm/trainer.h"

/* Figures of one update by one rule (docs/MODEL.md section 4), shared by all elements; each rule
 * reads those that it knows. */
typedef struct trm__adam {
  real lr, decay; /* decay = 1 - lr * weight_decay */
  real beta1, beta2;
  real step_scale; /* lr / (1 - beta1^t) */
  real root_scale; /* 1 / sqrt(1 - beta2^t) */
  real eps;        /* AdamW */
  real momentum;   /* Muon */
  real ema;        /* EMA rate */
} trm__adam;

/* An optimiser's step on n weights p, by their gradients g; m and v are its state as far as it has
 * one, which moves on. */
typedef void trm__step_fn(int64_t n, const trm__adam *o, real *p, const real *g, real *m, real *v);

/* How a product treats C and what it asks for early (which changes no result). */
enum {
  TRM__SET = 0,     /* C = A B */
  TRM__ADD = 1,     /* C += A B */
  TRM__FETCH_B = 2, /* B comes from far: a weight of a large model */
  TRM__FETCH_C = 4  /* C comes from far: the gradient of a weight */
};

/* The matrix product with its operands in one number format (the sum is always in reals).
 *
 * Operands are stored in units as wide as a real: in float32 one value; in bfloat16, where the
 * instruction set multiplies it, a pair of neighbours along the depth k (a missing one is zero),
 * else one value rounded to bfloat16; in int8 four whole numbers, behind a head with their scale
 * (body_int8.inc). trm__units(p, k) units hold a depth of k.
 *   A: rows of units, [m][lda].
 *   B: panels of nr columns, [ceil(n / nr)][units][nr]; short panels are padded with zeros. */
enum { TRM__MOST_COLS = 64 /* no nr is larger */ };
enum { TRM__MOST_CHUNK = 128 /* SwiGLU units of one call in int8 */ };
enum { TRM__TRAINED_DTYPES = TRM_INT8 /* formats before it have gradients, and files hold them */ };
typedef struct trm__product {
  trm_dtype dtype;
  int group;     /* values per unit: 1, 2 or 4; 0: this set has no such product */
  int head;      /* units before those of the values */
  int block;     /* values of depth that are summed together: where a sum may be cut (above) */
  bool a_as_is;  /* a row that is contiguous along the depth is operand A as it stands */
  int mr, nr;    /* register tile: up to mr rows x nr columns */
  int rows_unit; /* rows of A that are handled at once go best in multiples of it; even */

  /* Element (i, p) of A is src[i*rs + p*cs], element (p, j) of B is src[p*rs + j*cs]; one of the
   * strides must be 1. */
  void (*to_a)(int m, int k, const real *src, ptrdiff_t rs, ptrdiff_t cs, real *dst, ptrdiff_t lda);
  void (*to_b)(int k, int n, const real *src, ptrdiff_t rs, ptrdiff_t cs, real *dst);
  /* C (m x n, row stride ldc) = or += A B. b_ps: distance of two panels (units * nr, more when B is
   * a part of a deeper operand). */
  void (*gemm)(int m, int n, int units, const real *a, ptrdiff_t lda, const real *b, ptrdiff_t b_ps,
               real *c, ptrdiff_t ldc, int mode);
  /* silu(g) * u on rows x n, row stride ld, as an operand of the product that follows, and g and u
   * in the operands' precision for the backward pass (both keep NULL: not), a block of nr columns
   * in nr / group reals; in float32 the product may have written g and u there itself.
   *
   *   swiglu_a  A of depth n, a multiple of nr. Kept: the blocks of `group` rows side by side,
   *             [rows / group][n / nr][group][nr / group].
   *   swiglu_b  B of depth `rows`, a multiple of group. Kept: [rows][ldk], block by block. */
  void (*swiglu_a)(int rows, int n, const real *g, const real *u, ptrdiff_t ld, real *out,
                   ptrdiff_t lda, real *keep_g, real *keep_u);
  void (*swiglu_b)(int rows, int n, const real *g, const real *u, ptrdiff_t ld, real *out,
                   real *keep_g, real *keep_u, ptrdiff_t ldk);
  /* Operand A of depth n whose rows, times inverse, are softmax(scale * s); lse: log2 of the sum of
   * exp(scale * s), for the backward pass. */
  void (*softmax_a)(int rows, int n, const real *s, ptrdiff_t ld, real scale, real *out,
                    ptrdiff_t lda, real *lse, real *inverse);

  /* The backward pass, in int8 NULL. Of SwiGLU: from what was kept and d = dL/d(silu(g) u) [rows,
   * n], the gradients dg and du and the value itself, as operands of the products that follow.
   *   swiglu_grad_a  both: A of depth 2 n, dg then du; act: panels of B of depth `rows`, act_ps
   *                  apart; g and u become units across the rows, [rows / group][n].
   *   swiglu_grad_b  both: B of depth 2 rows, dg then du; g, u and act [rows][ldk] become units
   *                  along each row. */
  void (*swiglu_grad_a)(int rows, int n, real *g, real *u, const real *d, ptrdiff_t ldd, real *both,
                        ptrdiff_t lda, real *act, ptrdiff_t act_ps);
  void (*swiglu_grad_b)(int rows, int n, real *g, real *u, ptrdiff_t ldk, const real *d,
                        ptrdiff_t ldd, real *both, real *act);
  /* The same of inv silu(g) u, with inv and slope of each row (a) or column (b): what a norm of g u
   * adds to the gradient by g u is slope g u. */
  void (*gate_norm_grad_a)(int rows, int n, real *g, real *u, const real *d, ptrdiff_t ldd,
                           real *both, ptrdiff_t lda, real *act, ptrdiff_t act_ps, const real *inv,
                           const real *slope);
  void (*gate_norm_grad_b)(int rows, int n, real *g, real *u, ptrdiff_t ldk, const real *d,
                           ptrdiff_t ldd, real *both, real *act, const real *inv,
                           const real *slope);
  /* Operands from units: A [m][lda] from src [units][ld >= m], B from src [n][ld >= units]. */
  void (*units_to_a)(int m, int units, const real *src, ptrdiff_t ld, real *dst, ptrdiff_t lda);
  void (*units_to_b)(int units, int n, const real *src, ptrdiff_t ld, real *dst);
} trm__product;

typedef struct trm__kernels {
  const char *name;
  trm__product product[TRM_DTYPES];

  /* s = x + r; inv = 1 / sqrt(mean(s^2) + eps); y = s * inv. Rows: mean over each row of n. y may
   * be x. inv (NULL is fine) keeps one scale per row or column for the backward pass. */
  void (*add_rms_rows)(int rows, int n, const real *x, ptrdiff_t ldx, const real *r, ptrdiff_t ldr,
                       real eps, real *y, ptrdiff_t ldy, real *inv);
  /* The same of x alone, in place. */
  void (*rms_rows)(int rows, int n, real *x, ptrdiff_t ldx, real eps, real *inv);
  /* ds = inv * (dy - y * mean(dy * y)); ds may be dy. */
  void (*rms_rows_grad)(int rows, int n, const real *y, ptrdiff_t ldy, const real *inv,
                        const real *dy, ptrdiff_t lddy, real *ds, ptrdiff_t ldds);
  /* The same with the mean over the rows of each column; inv [n]. */
  void (*add_rms_cols)(int rows, int n, const real *x, ptrdiff_t ldx, const real *r, ptrdiff_t ldr,
                       real eps, real *y, ptrdiff_t ldy, real *inv);
  void (*rms_cols_grad)(int rows, int n, const real *y, ptrdiff_t ldy, const real *inv,
                        const real *dy, ptrdiff_t lddy, real *ds, ptrdiff_t ldds);

  /* Rotate-half rotary positions on one row of `heads` vectors of d values, in place;
   * c and s [d/2] are the position's cosines and sines. sign -1 undoes it (and is its gradient). */
  void (*rope)(int heads, int d, real *x, const real *c, const real *s, real sign);
  /* s <- p = softmax(scale * s), by its lse; dp <- scale * p * (dp - delta), delta one value per
   * row.
   */
  void (*softmax_grad)(int rows, int n, real *s, ptrdiff_t ld, real scale, const real *lse,
                       real *dp, ptrdiff_t lddp, const real *delta);
  /* delta[row] = sum of a * b over the row. */
  void (*dot_rows)(int rows, int n, const real *a, ptrdiff_t lda, const real *b, ptrdiff_t ldb,
                   real *delta);

  /* The same over each column; delta [n]. */
  void (*dot_cols)(int rows, int n, const real *a, ptrdiff_t lda, const real *b, ptrdiff_t ldb,
                   real *delta);
  /* sum[row], or sum[column], += sum of (a b)^2 over the row, or the column; a and b lie alike. */
  void (*add_squares_rows)(int rows, int n, const real *a, const real *b, ptrdiff_t ld, real *sum);
  void (*add_squares_cols)(int rows, int n, const real *a, const real *b, ptrdiff_t ld, real *sum);

  /* x *= scale[row], or scale[column] */
  void (*scale_rows)(int rows, int n, real *x, ptrdiff_t ld, const real *scale);
  void (*scale_cols)(int rows, int n, real *x, ptrdiff_t ld, const real *scale);

  void (*add)(int64_t n, real *y, const real *x);                   /* y += x */
  void (*add_to)(int64_t n, real *y, const real *a, const real *b); /* y = a + b */
  void (*scale_add)(int64_t n, real *y, real scale, const real *x); /* y += scale * x */

  /* Of optimisers that work element by element (body_optim.inc); NULL: not of this one. */
  trm__step_fn *const *step; /* [TRM_OPTIMIZERS] */
  void (*ema)(int64_t n, const trm__adam *o, const real *p, real *avg);
  /* y *= scale; returns the sum of squares of the result, in double. */
  double (*scale_norm)(int64_t n, real *y, real scale);
} trm__kernels;

/* The product of that format: for int8 that of the set's instructions, or of quicker ones that the
 * machine has, too. Sums of whole numbers are the same by any. NULL: the set has none. */
const trm__product *trm__product_of(const trm__kernels *k, trm_dtype dtype);
/* All int8 products of this set that the machine can run, the slower first (tests); their number.
 */
enum { TRM__INT8_PRODUCTS = 2 };
int trm__int8_products(const trm__kernels *k, const trm__product *out[TRM__INT8_PRODUCTS]);

/* The table for this machine. TRM_ISA (a name below) forces one; TRM_E_CONFIG when the
 * name is unknown or this CPU lacks it. */
trm_status trm__kernels_select(const trm__kernels **out, trm_error *err);

extern const trm__kernels trm__kernels_portable;
#if !defined(TRM_REAL_DOUBLE) && (defined(__x86_64__) || defined(_M_X64))
#define TRM__HAVE_X86 1
extern const trm__kernels trm__kernels_avx2, trm__kernels_avx512, trm__kernels_avx512_bf16;
extern const trm__product trm__int8_avx512_vnni, trm__int8_avx_vnni;
#ifndef TRM__NO_AMX /* the build says: its compiler does not know the instructions */
#define TRM__HAVE_AMX 1
extern const trm__kernels trm__kernels_amx_bf16;
#endif
#endif
#if !defined(TRM_REAL_DOUBLE) && defined(__aarch64__) && defined(__ARM_NEON)
#define TRM__HAVE_NEON 1
extern const trm__kernels trm__kernels_neon, trm__kernels_neon_bf16;
extern const trm__product trm__int8_neon_dot;
#endif
/* The set that every machine of this build runs. */
#define TRM__KERNELS_ALWAYS trm__kernels_portable
#if !defined(TRM_REAL_DOUBLE) && defined(__wasm_simd128__)
#define TRM__HAVE_WASM 1
#undef TRM__KERNELS_ALWAYS /* the bits of plain C, which a page need not load, too */
#define TRM__KERNELS_ALWAYS trm__kernels_simd128
extern const trm__kernels trm__kernels_simd128;
#endif
/* Up to `max` tables this machine can run, best first; returns their number (tests, benches). */
int trm__kernels_runnable(const trm__kernels **out, int max);

static inline int trm__units(const trm__product *p, int k) {
  return p->head + (k + p->group - 1) / p->group;
}
/* Reals that n columns of a row of g or u are kept in. */
static inline int trm__kept(const trm__product *p, int n) {
  return (n + p->nr - 1) / p->nr * (p->nr / p->group);
}
/* Reals of operand B. */
static inline int64_t trm__size_b(const trm__product *p, int k, int64_t n) {
  return (n + p->nr - 1) / p->nr * p->nr * trm__units(p, k);
}

#endif
