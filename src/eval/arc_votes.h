/* The votes as the evaluation's state file holds them. */
#ifndef TRM_EVAL_ARC_VOTES_H
#define TRM_EVAL_ARC_VOTES_H

#include "eval/arc_tests.h"
#include "io/safetensors.h"
#include "trm/arc_vote.h"
#include "trm/dataset.h"

enum { TRM__ARC_VOTES_TENSORS = 6 };

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
  trm__arc_tests tests;
  trm__arc_grids grids;
  uint32_t own_grids; /* those of the tasks */
  trm__arc_vote *vote;
  int64_t n, room, blank, foreign;
};

/* SHAPE for data whose ids have other names than the votes know. */
trm_status trm__arc_votes_fit(const trm_arc_votes *v, const trm_dataset_info *data, trm_error *err);
/* The order of a prediction after all those there are. */
int64_t trm__arc_votes_next(const trm_arc_votes *v);

/* A vote from elsewhere is for a test input and a grid that there are. */
bool trm__arc_vote_fits(const trm_arc_votes *v, const trm__arc_vote *vote);
/* Room for so many votes more. */
trm_status trm__arc_votes_room(trm_arc_votes *v, int64_t more, trm_error *err);
/* The grids that were added to those of the tasks, packed, in the order of their numbers: bytes,
 * and these. */
size_t trm__arc_votes_grids_size(const trm_arc_votes *v);
void trm__arc_votes_grids(const trm_arc_votes *v, unsigned char *out);
/* What was added, as tensors; zeroed or freed, `block` is NULL. */
typedef struct trm__arc_votes_image {
  trm__st_tensor tensor[TRM__ARC_VOTES_TENSORS];
  void *block[TRM__ARC_VOTES_TENSORS];
} trm__arc_votes_image;
trm_status trm__arc_votes_image_make(const trm_arc_votes *v, trm__arc_votes_image *image,
                                     trm_error *err);
void trm__arc_votes_image_free(trm__arc_votes_image *image);
/* Adds what a file holds to empty votes of the same tasks. Errors: FORMAT, MEMORY. */
trm_status trm__arc_votes_restore(trm_arc_votes *v, const trm__safetensors *file, const char *path,
                                  trm_error *err);

#endif
