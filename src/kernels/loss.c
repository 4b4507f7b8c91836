/* One transcription of each loss, for training and for evaluation. */
#include "kernels/loss.h"

#include <math.h>
#include <stddef.h>

/* A label of which a share `smoothing` is spread: t_i = kept [i = label] + spread is what p_i shall
 * be, and L = -sum t_i log p_i. Without smoothing nothing is computed for it. */
typedef struct smoothed {
  int label;
  double kept, spread;
} smoothed;

typedef double loss_fn(int V, const real *x, const smoothed *t, double weight, real *grad);

/* s(x) = x + 1 for x >= 0, else 1 / (1 - x): p = s / sum s, and
 * dL/dx_i = s'(x_i) (1 / sum - t_i / s_i). */
static double stablemax(int V, const real *x, const smoothed *t, double weight, real *grad) {
  double sum = 0, at_label = 1, logs = 0;
  for (int i = 0; i < V; i++) {
    double v = (double)x[i], s = v < 0 ? 1 / (1 - v + 1e-30) : v + 1;
    sum += s;
    if (i == t->label) at_label = s;
    if (t->spread > 0) logs += log(s);
  }
  for (int i = 0; grad && i < V; i++) {
    double v = (double)x[i], slope = v < 0 ? 1 / ((1 - v + 1e-30) * (1 - v + 1e-30)) : 1;
    double pull = i == t->label ? t->kept / at_label : 0;
    if (t->spread > 0) pull += t->spread * (v < 0 ? 1 - v : 1 / (v + 1));
    grad[i] = (real)(weight * slope * (1 / sum - pull));
  }
  if (t->spread > 0) return log(sum) - t->kept * log(at_label) - t->spread * logs;
  return -log(at_label / sum);
}

/* dL/dx_i = p_i - t_i. */
static double softmax(int V, const real *x, const smoothed *t, double weight, real *grad) {
  double big = (double)x[0], sum = 0, wanted = t->kept * (double)x[t->label];
  for (int i = 1; i < V; i++) big = (double)x[i] > big ? (double)x[i] : big;
  for (int i = 0; i < V; i++) sum += exp((double)x[i] - big);
  for (int i = 0; t->spread > 0 && i < V; i++) wanted += t->spread * (double)x[i];
  for (int i = 0; grad && i < V; i++)
    grad[i] = (real)(weight *
                     (exp((double)x[i] - big) / sum - ((i == t->label ? t->kept : 0) + t->spread)));
  return log(sum) + big - wanted;
}

static loss_fn *const losses[] = {[TRM_LOSS_STABLEMAX] = stablemax, [TRM_LOSS_SOFTMAX] = softmax};

double trm__cross_entropy(trm_loss kind, int V, const real *x, int label, double smoothing,
                          double weight, real *grad) {
  const smoothed t = {label, 1 - smoothing, smoothing / V};
  return losses[kind](V, x, &t, weight, grad);
}

double trm__sigmoid(double x) {
  return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}

double trm__binary_cross_entropy(double x, double target) {
  return (x > 0 ? x : 0) - x * target + log1p(exp(-fabs(x)));
}
