/* One transcription of each loss, for training and for evaluation. */
#include "kernels/loss.h"

#include <math.h>
#include <stdbool.h>
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

/* --- each symbol once in a unit --- */

static int count_units(const trm__constraint *c) {
  int n = 0;
  for (int k = 0; k < c->n_units; k++) n += c->units[k].n;
  return n;
}

/* The softmax of a cell, what each symbol's sum is off by in each unit, and what it should be. */
int64_t trm__constraint_work(const trm__constraint *c) {
  return ((int64_t)count_units(c) + 2) * c->V;
}

static void find_softmax(int V, const real *x, double *p) {
  double big = (double)x[0], sum = 0;
  for (int i = 1; i < V; i++) big = (double)x[i] > big ? (double)x[i] : big;
  for (int i = 0; i < V; i++) sum += p[i] = exp((double)x[i] - big);
  for (int i = 0; i < V; i++) p[i] /= sum;
}

/* What is off in the unit of the k-th kind that a cell is in. */
static double *off_of(const trm__constraint *c, int k, int cell, double *off) {
  int before = 0;
  for (int i = 0; i < k; i++) before += c->units[i].n;
  return off + ((int64_t)before + trm__unit_of(c->units[k], cell)) * c->V;
}

/* L = mean over units u and symbols i > 0 of off^2, off_ui = sum over the cells of u of p_i -
 * target_i; dL/dx_i = p_i (g_i - sum of p_j g_j), g_i = dL/dp_i, of padding 0. */
double trm__constraint_loss(const trm__constraint *c, const int32_t *labels, const real *x,
                            double weight, double *work, real *grad) {
  const int V = c->V, n = count_units(c);
  double *p = work, *target = work + V, *off = target + V, loss = 0;
  const double share = 1 / ((double)n * (V - 1));

  /* Which symbols are wanted. */
  bool any = false;
  for (int i = 0; i < V; i++) target[i] = 0;
  for (int t = 0; t < c->S; t++) {
    if (labels[t] <= 0) continue;
    target[labels[t]] = 1;
    any = true;
  }
  if (!any) {
    for (int64_t i = 0; i < (int64_t)c->S * V; i++) grad[i] = 0;
    return 0;
  }

  /* How far each sum is off. */
  for (int u = 0; u < n; u++)
    for (int i = 0; i < V; i++) off[(int64_t)u * V + i] = -target[i];
  for (int t = 0; t < c->S; t++) {
    find_softmax(V, x + (int64_t)t * V, p);
    for (int k = 0; k < c->n_units; k++) {
      double *at = off_of(c, k, t, off);
      for (int i = 1; i < V; i++) at[i] += p[i];
    }
  }
  for (int u = 0; u < n; u++)
    for (int i = 1; i < V; i++) loss += share * off[(int64_t)u * V + i] * off[(int64_t)u * V + i];

  /* And back, through the softmax of each cell; targets are used up. */
  for (int t = 0; t < c->S; t++, x += V, grad += V) {
    double *g = target, mean = 0;
    find_softmax(V, x, p);
    for (int i = 0; i < V; i++) g[i] = 0;
    for (int k = 0; k < c->n_units; k++) {
      const double *at = off_of(c, k, t, off);
      for (int i = 1; i < V; i++) g[i] += 2 * share * at[i];
    }
    for (int i = 1; i < V; i++) mean += p[i] * g[i];
    for (int i = 0; i < V; i++) grad[i] = (real)(weight * p[i] * (g[i] - mean));
  }
  return loss;
}

double trm__sigmoid(double x) {
  return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}

double trm__binary_cross_entropy(double x, double target) {
  return (x > 0 ? x : 0) - x * target + log1p(exp(-fabs(x)));
}
