/* Losses of one position or one row, in double (docs/MODEL.md section 3). */
#ifndef TRM_KERNELS_LOSS_H
#define TRM_KERNELS_LOSS_H

#include "kernels/real.h"
#include "trm/model.h"

/* Cross-entropy of V logits against a label, of which a share `smoothing` is spread evenly over all
 * V; with `grad` (NULL is fine, x is fine) also its gradient times `weight`. */
double trm__cross_entropy(trm_loss kind, int V, const real *x, int label, double smoothing,
                          double weight, real *grad);
double trm__sigmoid(double x);
/* Binary cross-entropy of the logit x; its gradient is sigmoid(x) - target. */
double trm__binary_cross_entropy(double x, double target);

#endif
