/* A split of an ARC data set as what it is made of: every original pair once, and for each copy and
 * example what was drawn for it. Examples are made from it one by one, when they are asked for. */
#ifndef TRM_DATA_ARC_SPLIT_H
#define TRM_DATA_ARC_SPLIT_H

#include "base/error.h"
#include "puzzle/arc/arc_grid.h"

/* A group is a task, its puzzles are the task and its copies, and all of them have as many examples
 * as the task has pairs here, in their order. Invariants: the starts begin at 0, never fall, and
 * end at the number of pairs, puzzles and examples; every group has a puzzle and a pair; every
 * example fits on the canvas at its offset. */
typedef struct trm__arc_split {
  int64_t groups, puzzles, pairs, examples;
  int canvas;               /* the side of the square that examples lie on; every grid fits */
  trm__arc_grid (*pair)[2]; /* [pairs]: input, output */
  int64_t *pair_start;      /* [groups + 1] */
  int64_t *group_start;     /* [groups + 1]: first puzzle */
  int64_t *example_start;   /* [groups + 1] */
  trm__arc_copy *copy;      /* [puzzles] */
  int32_t *id;              /* [puzzles] */
  uint8_t (*offset)[2];     /* [examples]: row and column of the top left cell */
} trm__arc_split;

/* What does not depend on the number of examples, for so many groups, puzzles and pairs. */
trm_status trm__arc_split_alloc(trm__arc_split *s, int64_t groups, int64_t puzzles, int64_t pairs,
                                trm_error *err);
/* Once the other starts are set: example_start and examples, at most 2^31 - 1. */
trm_status trm__arc_split_count(trm__arc_split *s, trm_error *err);
trm_status trm__arc_split_alloc_offsets(trm__arc_split *s, trm_error *err);
void trm__arc_split_free(trm__arc_split *s); /* zeroes it */
/* The tokens [canvas * canvas] of example `e`: its input (side 0) or output (side 1). */
void trm__arc_split_tokens(const trm__arc_split *s, int64_t e, int side, uint8_t *tokens);
/* How far down and to the right the pair can move on the canvas under the copy: 0 .. limit, both;
 * negative when it does not fit. */
void trm__arc_pair_room(const trm__arc_grid pair[2], int canvas, const trm__arc_copy *c,
                        int limit[2]);

#endif
