/* One transcription of each loss, for training and for evaluation. */
#include "kernels/loss.h"

#include <math.h>
#include <stddef.h>

typedef double loss_fn(int V, const real *x, int label, double weight, real *grad);

/* s(x) = x + 1 for x >= 0, else 1 / (1 - x): p = s / sum s, and
 * dL/dx_i = s'(x_i) (1 / sum - [i = label] / s_i). */
static double stablemax(int V, const real *x, int label, double weight, real *grad) {
  double sum = 0, at_label = 1;
  for (int i = 0; i < V; i++) {
    double v = (double)x[i], s = v < 0 ? 1 / (1 - v + 1e-30) : v + 1;
    sum += s;
    if (i == label) at_label = s;
  }
  for (int i = 0; grad && i < V; i++) {
    double v = (double)x[i], slope = v < 0 ? 1 / ((1 - v + 1e-30) * (1 - v + 1e-30)) : 1;
    grad[i] = (real)(weight * slope * (1 / sum - (i == label ? 1 / at_label : 0)));
  }
  return -log(at_label / sum);
}

static double softmax(int V, const real *x, int label, double weight, real *grad) {
  double big = (double)x[0], sum = 0, at_label = (double)x[label];
  for (int i = 1; i < V; i++) big = (double)x[i] > big ? (double)x[i] : big;
  for (int i = 0; i < V; i++) sum += exp((double)x[i] - big);
  for (int i = 0; grad && i < V; i++)
    grad[i] = (real)(weight * (exp((double)x[i] - big) / sum - (i == label)));
  return log(sum) + big - at_label;
}

static loss_fn *const losses[] = {[TRM_LOSS_STABLEMAX] = stablemax, [TRM_LOSS_SOFTMAX] = softmax};

double trm__cross_entropy(trm_loss kind, int V, const real *x, int label, double weight,
                          real *grad) {
  return losses[kind](V, x, label, weight, grad);
}

double trm__sigmoid(double x) {
  return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}

double trm__binary_cross_entropy(double x, double target) {
  return (x > 0 ? x : 0) - x * target + log1p(exp(-fabs(x)));
}
