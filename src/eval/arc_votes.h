/* The votes as the evaluation's state file holds them. */
#ifndef TRM_EVAL_ARC_VOTES_H
#define TRM_EVAL_ARC_VOTES_H

#include "eval/arc_tasks.h"
#include "trm/arc_vote.h"

/* A prediction for a test input. */
typedef struct trm__arc_vote {
  int64_t order;
  uint32_t grid;
  int32_t slot; /* the test input */
  double q;     /* logit */
} trm__arc_vote;

/* Invariants: grids that are right outputs or test inputs come first; every vote's grid and slot
 * exist. */
struct trm_arc_votes {
  trm__arc_tasks tasks;
  trm__arc_grids grids;
  uint32_t own_grids; /* those of the tasks */
  trm__arc_vote *vote;
  int64_t n, room, blank, foreign;
};

#endif
