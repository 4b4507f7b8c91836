/* The two products that several ops share: rows by a packed weight, and the gradient of a weight.
 */
#include "backend/cpu.h"

void trm__cpu_rows(const cpu_backend *c, const trm__product *p, int64_t lo, int64_t hi, int n,
                   int depth, const real *x, int64_t ldx, const real *packed, real *y, int64_t ldy,
                   bool accumulate, real *scratch) {
  const int units = trm__units(p, depth);
  const int mode = (accumulate ? TRM__ADD : TRM__SET) | c->far;
  int64_t part = cpu_part(p, hi - lo), lda;
  for (int64_t r = lo; r < hi; r += part) {
    int rows = (int)(hi - r < part ? hi - r : part);
    const real *a = cpu_a(p, rows, depth, x + r * ldx, ldx, scratch, &lda);
    p->gemm(rows, n, units, a, lda, packed, (ptrdiff_t)units * p->nr, y + r * ldy, ldy, mode);
  }
}

/* Rows [i, i + rows) of operand A. */
static const real *grad_a(const trm__product *p, const cpu_operand *a, int term, int64_t i,
                          int rows, int k, real *scratch, int64_t *lda) {
  /* Row i: `each` from one to the next, stretches of a->block rows block_next apart. */
  const bool along = a->form == CPU_ALONG || a->form == CPU_UNITS_ALONG;
  const int64_t each = along ? a->stride : 1;
  const real *src = a->data + term * a->next +
                    (a->block ? i / a->block * a->block_next + i % a->block * each : i * each);

  /* As operand A, converted where it does not stand there as one. */
  *lda = trm__units(p, k);
  switch (a->form) {
    case CPU_ALONG:
      return cpu_a(p, rows, k, src, a->stride, scratch, lda);
    case CPU_ACROSS:
      p->to_a(rows, k, src, 1, a->stride, scratch, *lda);
      return scratch;
    case CPU_UNITS_ACROSS:
      p->units_to_a(rows, trm__units(p, k), src, a->stride, scratch, *lda);
      return scratch;
    default:
      *lda = a->stride;
      return src;
  }
}

/* Columns [j, j + cols) of operand B, into `packed`. */
static void grad_b(const trm__product *p, const cpu_operand *b, int term, int64_t j, int cols,
                   int k, real *packed) {
  const real *src = b->data + term * b->next;
  switch (b->form) {
    case CPU_ACROSS:
      p->to_b(k, cols, src + j, b->stride, 1, packed);
      return;
    case CPU_ALONG:
      p->to_b(k, cols, src + j * b->stride, 1, b->stride, packed);
      return;
    default:
      p->units_to_b(trm__units(p, k), cols, src + j * b->stride, b->stride, packed);
  }
}

void trm__cpu_weight_grad(const cpu_backend *c, trm__lane *lane, int m, int n, int k, int count,
                          cpu_operand a, cpu_operand b, real *out, bool accumulate, real *shared,
                          real *scratch) {
  const trm__product *p = c->product;
  const int units = trm__units(p, k);
  int64_t first_col, end_col, first_row, end_row, lda;

  /* This member's share: panels of B to pack, rows of C to compute. */
  trm__lane_share(lane, n, p->nr, &first_col, &end_col);
  trm__lane_share(lane, m, a.block ? a.block : 1, &first_row, &end_row);
  const int64_t part = a.block ? a.block : cpu_part(p, end_row - first_row);

  for (int term = 0; term < count; term++) {
    /* B_s, of which every member reads all: packed between two barriers, the first of which lets
     * the others finish with the term before. */
    const real *packed = b.form == CPU_PACKED ? b.data : shared;
    const int cols = (int)(end_col - first_col);
    trm__lane_barrier(lane);
    if (b.form != CPU_PACKED) {
      if (cols > 0) grad_b(p, &b, term, first_col, cols, k, shared + first_col * units);
      trm__lane_barrier(lane);
    }

    /* C (+)= A_s B_s, its rows in parts whose operand stays in cache. */
    const int mode = TRM__FETCH_C | (accumulate || term > 0 ? TRM__ADD : TRM__SET);
    for (int64_t i = first_row; i < end_row; i += part) {
      int rows = (int)(end_row - i < part ? end_row - i : part);
      const real *packed_a = grad_a(p, &a, term, i, rows, k, scratch, &lda);
      p->gemm(rows, n, units, packed_a, lda, packed, (ptrdiff_t)units * p->nr, out + i * n, n,
              mode);
    }
  }
}
