/* The random part of the reference's ARC builder, draw for draw: which copies are made of which
 * task, the ids of all of them, and where every example lies on the canvas. */
#ifndef TRM_DATA_ARC_DRAW_H
#define TRM_DATA_ARC_DRAW_H

#include "data/arc_split.h"
#include "puzzle/arc/arc_task.h"
#include "trm/dataset.h"

enum { TRM__ARC_MAX_AUG = 1000000, TRM__ARC_NAME_ROOM = TRM__ARC_MAX_ID + TRM__ARC_NAME_TAIL + 1 };

typedef struct trm__arc_plan {
  const trm__arc_tasks *subset; /* [n_subsets] */
  int n_subsets, test_subset;   /* test_subset -1: all pairs are for training */
  int num_aug;
  int canvas; /* side of the square; every grid fits on it */
  uint32_t seed;
  trm_progress_fn *progress; /* asked before each task is drawn: none of so many examples is done */
  void *progress_arg;
} trm__arc_plan;

enum { TRM__ARC_TRAIN, TRM__ARC_TEST, TRM__ARC_SPLITS };

/* Points into the tasks of the plan, which must outlive it. */
typedef struct trm__arc_drawn {
  trm__arc_split split[TRM__ARC_SPLITS]; /* one without groups: not there */
  int32_t n_names;                       /* ids are 1 .. n_names */
  uint64_t *name;                        /* [n_names], packed */
  const trm__arc_task **task;            /* one per task id, in the order of the ids as texts */
  int32_t *test_order;                   /* the tasks of the test subset in their shuffled order */
  int64_t tasks;                         /* different task ids */
  int64_t repeated;                      /* tasks of the test subset that another subset has, too */
  int64_t short_of_copies;               /* tasks with fewer different copies than asked for */
} trm__arc_drawn;

/* `drawn` is zeroed before. Errors: ARGUMENT; RANGE for too many; FORMAT for a test task without a
 * test pair; MEMORY; INTERRUPTED. */
trm_status trm__arc_draw(const trm__arc_plan *plan, trm__arc_drawn *drawn, trm_error *err);
void trm__arc_drawn_free(trm__arc_drawn *drawn);
/* The name of an id, 1 .. n_names: "ID" or "ID|||tK|||0PERMUTED". */
void trm__arc_drawn_name(const trm__arc_drawn *drawn, int32_t id, char name[TRM__ARC_NAME_ROOM]);

#endif
