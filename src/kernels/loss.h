/* Losses of one position or one row, in double (docs/MODEL.md section 3). */
#ifndef TRM_KERNELS_LOSS_H
#define TRM_KERNELS_LOSS_H

#include "base/units.h"
#include "kernels/real.h"
#include "trm/model.h"

/* Cross-entropy of V logits against a label, of which a share `smoothing` is spread evenly over all
 * V; with `grad` (NULL is fine, x is fine) also its gradient times `weight`. */
double trm__cross_entropy(trm_loss kind, int V, const real *x, int label, double smoothing,
                          double weight, real *grad);

/* What a grid of S cells is held to: each symbol once in every unit (docs/MODEL.md section 9). */
typedef struct trm__constraint {
  int S, V, n_units;
  const trm__unit_set *units; /* [n_units] */
} trm__constraint;
/* Doubles of scratch. */
int64_t trm__constraint_work(const trm__constraint *c);
/* The loss of one row, from logits x [S, V] and the symbols that occur in labels [S]; 0 where none
 * does. grad [S, V] = its gradient times `weight`; it is not x. */
double trm__constraint_loss(const trm__constraint *c, const int32_t *labels, const real *x,
                            double weight, double *work, real *grad);

double trm__sigmoid(double x);
/* Binary cross-entropy of the logit x; its gradient is sigmoid(x) - target. */
double trm__binary_cross_entropy(double x, double target);

#endif
