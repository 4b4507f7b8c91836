/* Heads and losses (docs/MODEL.md sections 1 and 3). Logits are products like any other; losses are
 * computed in double, one row of the batch per member. */
#include "backend/cpu.h"

#include <string.h>

#include "kernels/loss.h"

/* The team's: an operand of the gradient of lm_head. The member's: lm_head as an operand, and rows
 * of either product or of that gradient; what the constraint loss of a row works in, and its
 * gradient. */
typedef struct head_memory {
  real *shared, *head, *rows, *grad;
  double *work;
  real *pull;
} head_memory;

static trm__constraint constraint_of(const trm__dims *dims) {
  return (trm__constraint){dims->S, dims->V, dims->n_units, dims->units};
}

static head_memory carve(const cpu_backend *c, cpu_memory memory) {
  const trm__dims *dims = &c->base.dims;
  head_memory own = {0};
  own.shared = cpu_carve(memory.shared, trm__size_b(c->fine, dims->S, dims->D));

  own.rows = cpu_carve(memory.scratch, CPU_ROWS * (dims->D > dims->V ? dims->D : dims->V));
  own.head = cpu_carve(memory.scratch, trm__size_b(c->fine, dims->V, dims->D));
  trm__carve_anew(memory.scratch);
  own.grad = cpu_carve(memory.scratch, cpu_grad_scratch(c, dims->S));
  if (dims->constraint_weight > 0) {
    const trm__constraint constraint = constraint_of(dims);
    trm__carve_anew(memory.scratch);
    own.work = trm__carve(memory.scratch, trm__constraint_work(&constraint), sizeof *own.work);
    own.pull = cpu_carve(memory.scratch, (int64_t)dims->S * dims->V);
  }
  return own;
}
void trm__cpu_head_count(const cpu_backend *c, cpu_memory memory) {
  (void)carve(c, memory);
}
/* In a workspace. */
static head_memory memory_of(const cpu_backend *c, const trm__workspace *ws) {
  trm__carver shared = {.block = (unsigned char *)ws->shared},
              scratch = {.block = (unsigned char *)ws->scratch};
  return carve(c, (cpu_memory){&shared, &shared, &scratch, NULL, NULL});
}

static void op_head(trm__backend *be, trm__workspace *ws, int b, const real *z, real *logits,
                    real *q) {
  const cpu_backend *c = cpu_of(be);
  const trm__dims *dims = &be->dims;
  int D = dims->D;
  const head_memory own = memory_of(c, ws);
  const real *wq = be->params + be->outer.q_weight, *bias = be->params + be->outer.q_bias;
  int64_t lo, hi;
  trm__lane_share(ws->lane, b, 1, &lo, &hi);
  for (int64_t row = lo; row < hi; row++) {
    const real *zr = z + row * dims->L * D;

    /* logits = z W_head^T at the positions behind the puzzle's. */
    trm__cpu_rows(c, c->fine, 0, dims->S, dims->V, D, zr + (int64_t)dims->P * D, D, c->head,
                  logits + row * dims->S * dims->V, dims->V, false, own.rows);

    /* q = W_q z + bias at position 0. */
    for (int i = 0; i < 2; i++) {
      c->kernels->dot_rows(1, D, zr, D, wq + (int64_t)i * D, D, &q[2 * row + i]);
      q[2 * row + i] += bias[i];
    }
  }
  trm__lane_barrier(ws->lane);
}

static int argmax(int n, const real *x) {
  int best = 0;
  for (int i = 1; i < n; i++)
    if (x[i] > x[best]) best = i;
  return best;
}

static void op_decode(trm__backend *be, trm__workspace *ws, int b, const int32_t *inputs,
                      const real *logits, int32_t *decoded) {
  const trm__dims *dims = &be->dims;
  int64_t lo, hi;
  trm__lane_share(ws->lane, (int64_t)b * dims->S, 1, &lo, &hi);
  for (int64_t i = lo; i < hi; i++)
    decoded[i] = trm__is_blank(dims, inputs[i]) ? argmax(dims->V, logits + i * dims->V) : inputs[i];
  trm__lane_barrier(ws->lane);
}

/* q_target NULL: there is no continue loss. */
static void row_loss(const trm__dims *dims, const head_memory *own, const int32_t *labels,
                     int32_t step, const real *q_target, real *logits, real *q,
                     trm__row_loss *out) {
  const double share = trm__step_share(dims, step);
  trm__row_loss l = {.q = {(double)q[0], (double)q[1]}};
  real *first = logits;

  /* Broken rules, from the logits before they are gradients. */
  if (dims->constraint_weight > 0) {
    const trm__constraint constraint = constraint_of(dims);
    l.constraint = trm__constraint_loss(&constraint, labels, logits,
                                        share * dims->constraint_weight, own->work, own->pull);
  }

  /* lm: the mean cross-entropy over the labels that count; logits become its gradient. */
  for (int t = 0; t < dims->S; t++) l.valid += labels[t] >= 0;
  double weight = 1.0 / (l.valid > 0 ? l.valid : 1);
  for (int t = 0; t < dims->S; t++, logits += dims->V) {
    if (labels[t] < 0) {
      memset(logits, 0, (size_t)dims->V * sizeof *logits);
      continue;
    }
    l.right += argmax(dims->V, logits) == labels[t];
    l.lm += weight * trm__cross_entropy(dims->loss, dims->V, logits, labels[t],
                                        dims->label_smoothing, share * weight, logits);
  }
  for (int64_t i = 0; dims->constraint_weight > 0 && i < (int64_t)dims->S * dims->V; i++)
    first[i] += own->pull[i];

  /* q_halt: is every label hit? q_continue: its target. */
  const double exact = l.right == l.valid;
  const double q_weight = (dims->step_decay_q ? share : 1) * dims->q_weight;
  l.q_halt = trm__binary_cross_entropy(l.q[0], exact);
  q[0] = (real)(q_weight * (trm__sigmoid(l.q[0]) - exact));
  q[1] = 0;
  if (q_target) {
    l.q_continue = trm__binary_cross_entropy(l.q[1], (double)*q_target);
    q[1] = (real)(q_weight * (trm__sigmoid(l.q[1]) - (double)*q_target));
  }
  *out = l;
}

static void op_loss(trm__backend *be, trm__workspace *ws, int b, const int32_t *labels,
                    const int32_t *steps, const real *q_target, real *logits, real *q,
                    trm__row_loss *out) {
  const trm__dims *dims = &be->dims;
  const head_memory own = memory_of(cpu_of(be), ws);
  int64_t lo, hi;
  trm__lane_share(ws->lane, b, 1, &lo, &hi);
  for (int64_t row = lo; row < hi; row++)
    row_loss(dims, &own, labels + row * dims->S, steps[row], q_target ? q_target + row : NULL,
             logits + row * dims->S * dims->V, q + 2 * row, out + row);
  trm__lane_barrier(ws->lane);
}

/* dz of this member's rows. */
static void head_rows_grad(trm__backend *be, const head_memory *own, int64_t lo, int64_t hi,
                           const real *d_logits, const real *dq, real *dz) {
  const cpu_backend *c = cpu_of(be);
  const trm__dims *dims = &be->dims;
  int D = dims->D;
  const real *wq = be->params + be->outer.q_weight;

  /* dz = dlogits W_head behind the puzzle's positions, 0 in these but for q's part at position 0:
   * dz[0] += dq W_q. */
  if (lo < hi) c->fine->to_b(dims->V, D, be->params + be->outer.lm_head, D, 1, own->head);
  for (int64_t row = lo; row < hi; row++) {
    real *dr = dz + row * dims->L * D;
    memset(dr, 0, (size_t)dims->P * (size_t)D * sizeof *dr);
    trm__cpu_rows(c, c->fine, 0, dims->S, D, dims->V, d_logits + row * dims->S * dims->V, dims->V,
                  own->head, dr + (int64_t)dims->P * D, D, false, own->rows);
    for (int i = 0; i < 2; i++) c->kernels->scale_add(D, dr, dq[2 * row + i], wq + (int64_t)i * D);
  }
}

static void op_head_grad(trm__backend *be, trm__workspace *ws, int b, const real *z,
                         const real *d_logits, const real *dq, real *dz, real *grads) {
  const cpu_backend *c = cpu_of(be);
  const trm__dims *dims = &be->dims;
  const head_memory own = memory_of(c, ws);
  int D = dims->D;
  int64_t lo, hi;
  trm__lane_share(ws->lane, b, 1, &lo, &hi);
  head_rows_grad(be, &own, lo, hi, d_logits, dq, dz);

  /* dW_q += sum over rows of dq z[0]^T, dbias += sum of dq: two rows of weights, by one member. */
  for (int row = 0; row < b && ws->lane->rank == 0; row++)
    for (int i = 0; i < 2; i++) {
      c->kernels->scale_add(D, grads + be->outer.q_weight + (int64_t)i * D, dq[2 * row + i],
                            z + (int64_t)row * dims->L * D);
      grads[be->outer.q_bias + i] += dq[2 * row + i];
    }

  /* dW_head += sum over rows of dlogits^T z. */
  cpu_operand by = cpu_across(d_logits, dims->V), of = cpu_across(z + (int64_t)dims->P * D, D);
  by.next = (int64_t)dims->S * dims->V;
  of.next = (int64_t)dims->L * D;
  trm__cpu_weight_grad(c, ws->lane, dims->V, D, dims->S, b, by, of, grads + be->outer.lm_head, true,
                       own.shared, own.grad);
  trm__lane_barrier(ws->lane);
}

void trm__cpu_head_ops(trm__backend_ops *ops) {
  ops->head = op_head;
  ops->decode = op_decode;
  ops->loss = op_loss;
  ops->head_grad = op_head_grad;
}
