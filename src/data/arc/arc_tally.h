/* Telling the copies of a task apart, without making them. */
#ifndef TRM_DATA_ARC_TALLY_H
#define TRM_DATA_ARC_TALLY_H

#include "base/error.h"
#include "puzzle/arc/arc_grid.h"
#include "puzzle/dihedral.h"

/* 128 bits that stand for the bag of (input, output) pairs of a copy: equal bags have equal marks,
 * and two different ones have the same with probability 2^-128. Never both 0. */
typedef struct trm__arc_mark {
  uint64_t a, b;
} trm__arc_mark;

/* A grid's mark is a sum over its cells of a random number for (place, colour). So for a copy it
 * is a sum over the ten colours c of what the cells of colour c give under the copy's transform
 * when they are painted colour[c]: numbers that are added up once per grid. */
typedef struct trm__arc_tally {
  uint8_t rows, cols;
  trm__arc_mark sum[TRM__DIHEDRAL][TRM__ARC_COLOURS][TRM__ARC_COLOURS]; /* transform, c, colour */
} trm__arc_tally;

/* The random numbers, the same on every machine: [cells][colours]. */
void trm__arc_tally_numbers(trm__arc_mark *numbers);
void trm__arc_tally_grid(const trm__arc_mark *numbers, const trm__arc_grid *g, trm__arc_tally *t);
/* Of n pairs, tally [n][2] being those of their inputs and outputs. */
trm__arc_mark trm__arc_tally_copy(const trm__arc_tally (*tally)[2], int64_t n,
                                  const trm__arc_copy *c);

/* A set of marks. */
typedef struct trm__arc_marks {
  trm__arc_mark *slot; /* open addressing; a slot of zeros is free */
  size_t mask;
} trm__arc_marks;
/* Room for n marks. */
trm_status trm__arc_marks_alloc(trm__arc_marks *set, int64_t n, trm_error *err);
void trm__arc_marks_free(trm__arc_marks *set);
void trm__arc_marks_clear(trm__arc_marks *set);
/* True when it was not there yet. */
bool trm__arc_marks_add(trm__arc_marks *set, trm__arc_mark m);

#endif
