/* Which of several tries of a puzzle is its answer (trm/think.h, trm_select). */
#ifndef TRM_NN_CHOOSE_H
#define TRM_NN_CHOOSE_H

#include "base/words.h"
#include "kernels/real.h"
#include "trm/think.h"

extern const trm__words trm__select_words; /* trm_select's */

/* What is known of one try at its end. */
typedef struct trm__try {
  bool done;     /* it was not ended before */
  bool passed;   /* the bar, of FIRST */
  bool accepted; /* by the rules: better than any other, the fewer steps it took */
  int steps;     /* taken */
  float q_halt, q_continue;
  double margin;
  double residual;       /* of RESIDUAL */
  const int32_t *answer; /* [S] */
} trm__try;

/* The index of the try whose answer counts; of VOTE that of the largest margin. At least one of the
 * n is done. */
int trm__choose(trm_select rule, int n, int S, const trm__try *tries);
/* How many that are done have the answer [S]. */
int trm__choose_agree(int n, int S, const trm__try *tries, const int32_t *answer);

/* The first of the largest. */
int trm__argmax(int n, const real *v);
/* Probabilities add up as whole numbers, so that the order of the tries says nothing: sums [S, V]
 * of softmax(logits [S, V]) in units of 2^-40. */
void trm__vote_add(int S, int V, const real *logits, int64_t *sums);
/* The mean over the positions of the L2 norm over the vocabulary of a - b, both [S, V]. */
double trm__logits_distance(int S, int V, const real *a, const real *b);
/* The token of the largest sum of each position; of equals the least. */
void trm__vote_count(int S, int V, const int64_t *sums, int32_t *answer);

#endif
