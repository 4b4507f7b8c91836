/* See choose.h. */
#include "nn/choose.h"

#include <math.h>
#include <string.h>

/* Whether try b is better than a by its margin; what is no number is never better. */
static bool is_surer(const trm__try *a, const trm__try *b) {
  return b->margin > a->margin || (isnan(a->margin) && !isnan(b->margin));
}

static bool same_answer(int S, const int32_t *a, const int32_t *b) {
  return !memcmp(a, b, (size_t)S * sizeof *a);
}

int trm__choose_agree(int n, int S, const trm__try *tries, const int32_t *answer) {
  int agree = 0;
  for (int i = 0; i < n; i++) agree += tries[i].done && same_answer(S, tries[i].answer, answer);
  return agree;
}

/* What a rule looks at before margins: the larger, the better. MODE compares each try with all
 * others: 21 MB at most of 256 tries of 81 cells, 340 MB of 1,024, beside steps of 3 and 13 TFLOP
 * (sudoku9, 16 of each try). */
static double rank_of(trm_select rule, int n, int S, const trm__try *tries, int i) {
  if (tries[i].accepted) return 1e9 - tries[i].steps;
  if (rule == TRM_SELECT_FIRST) return tries[i].passed ? TRM_MAX_STEPS + 1 - tries[i].steps : 0;
  if (rule == TRM_SELECT_RESIDUAL)
    return isnan(tries[i].residual) ? -(double)INFINITY : -tries[i].residual;
  if (rule == TRM_SELECT_MODE) return trm__choose_agree(n, S, tries, tries[i].answer);
  return 0;
}

int trm__choose(trm_select rule, int n, int S, const trm__try *tries) {
  int best = -1;
  double best_rank = 0;
  for (int i = 0; i < n; i++) {
    if (!tries[i].done) continue;
    const double rank = rank_of(rule, n, S, tries, i);
    if (best >= 0 && rank < best_rank) continue;
    if (best >= 0 && !(rank > best_rank) && !is_surer(&tries[best], &tries[i])) continue;
    best = i;
    best_rank = rank;
  }
  return best;
}

int trm__argmax(int n, const real *v) {
  int best = 0;
  for (int i = 1; i < n; i++)
    if (v[i] > v[best]) best = i;
  return best;
}

void trm__vote_add(int S, int V, const real *logits, int64_t *sums) {
  static const double units = (double)(INT64_C(1) << 40);
  for (int i = 0; i < S; i++, logits += V, sums += V) {
    double most = (double)logits[trm__argmax(V, logits)], sum = 0;
    for (int v = 0; v < V; v++) sum += exp((double)logits[v] - most);
    /* Logits that are no numbers give no votes. */
    for (int v = 0; v < V && isfinite(sum); v++)
      sums[v] += (int64_t)(exp((double)logits[v] - most) / sum * units + 0.5);
  }
}

double trm__logits_distance(int S, int V, const real *a, const real *b) {
  double sum = 0;
  for (int i = 0; i < S; i++, a += V, b += V) {
    double square = 0;
    for (int v = 0; v < V; v++)
      square += ((double)a[v] - (double)b[v]) * ((double)a[v] - (double)b[v]);
    sum += sqrt(square);
  }
  return sum / S;
}

void trm__vote_count(int S, int V, const int64_t *sums, int32_t *answer) {
  for (int i = 0; i < S; i++, sums += V) {
    answer[i] = 0;
    for (int v = 1; v < V; v++)
      if (sums[v] > sums[answer[i]]) answer[i] = v;
  }
}
