/* What the figures of a table are worth: differences of two ways to train, with 95 % intervals.
 *
 * A seed has data, weights and an order of its own, so seeds are the replicates; within a seed both
 * answered the same puzzles, so these are paired. docs/REPRODUCE.md explains the choice. */
#ifndef TRM_CLI_REPRODUCE_STATS_H
#define TRM_CLI_REPRODUCE_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "trm/eval.h"

/* Puzzles are bits, the first the lowest of the first byte: 1 was answered exactly. */
static inline bool repro_bit(const uint8_t *bits, int64_t i) {
  return bits[i / 8] >> (i % 8) & 1;
}
static inline int64_t repro_bytes_of(int64_t n) {
  return (n + 7) / 8;
}

/* Puzzles that only one of the two answered. */
typedef struct repro_pair {
  int64_t n, only_row, only_base;
} repro_pair;
repro_pair repro_pair_of(const uint8_t *row, const uint8_t *base, int64_t n);

/* The quantile of Student's t at 97.5 %, for so many degrees of freedom (from 1). */
double repro_student(int freedom);

typedef struct repro_difference {
  int seeds;             /* compared; 0: none, and no figure means anything */
  double value;          /* mean over the seeds of (row's share - base's share) */
  trm_interval interval; /* of 95 % */
} repro_difference;
/* The difference over the pairs of n seeds (from 0). One seed: puzzles alone, the adjusted interval
 * of Agresti and Min (2005) for paired shares, about these two trainings. More: the t interval of
 * the seeds' differences, but never narrower than what the drawing of puzzles alone makes. shared:
 * the seeds have the same puzzles, which are then no more for having been answered again. */
repro_difference repro_difference_of(const repro_pair *pairs, int n, bool shared);

#endif
