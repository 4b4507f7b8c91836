/* What an ARC data set says beside its examples: the names of its puzzle ids, and the tasks to be
 * tested with their right outputs. Files from outside, checked. */
#ifndef TRM_EVAL_ARC_TESTS_H
#define TRM_EVAL_ARC_TESTS_H

#include "data/identity.h"
#include "eval/arc_grids.h"
#include "puzzle/arc/arc_task.h"

enum { TRM__ARC_BLANK = -2, TRM__ARC_UNTESTED = -1 };

/* A puzzle id: a copy of a task. */
typedef struct trm__arc_name {
  int32_t task; /* TRM__ARC_UNTESTED, TRM__ARC_BLANK */
  trm__arc_copy copy;
} trm__arc_name;

typedef struct trm__arc_test {
  uint32_t input, output; /* grids; output: where it is known */
  bool known;             /* what the right output is */
  int32_t slot;           /* the first test of its task with the same input, where its votes are */
} trm__arc_test;

typedef struct trm__arc_tested {
  char id[TRM__ARC_MAX_ID + 1];
  int32_t first, n; /* its tests */
} trm__arc_tested;

/* A zeroed one is empty. */
typedef struct trm__arc_tests {
  trm__arc_name *name;   /* [n_names]: by puzzle id */
  trm__arc_tested *task; /* [n_tasks], in the order of the file */
  trm__arc_test *test;   /* [n_tests] */
  int32_t n_names, n_tasks, n_tests;
  trm__identity identity; /* of the names */
  uint64_t fingerprint;   /* of both files, or of tasks and names in memory */
} trm__arc_tests;

/* Reads DIR/test_puzzles.json and DIR/identifiers.json. Grids are added to `grids`. On failure what
 * was read is in `t`. */
trm_status trm__arc_tests_load(const char *dir, trm__arc_tests *t, trm__arc_grids *grids,
                               trm_error *err);
/* The same of tasks in memory and the names of ids [n]. */
trm_status trm__arc_tests_of(const trm__arc_tasks *tasks, const char *const *names, int n,
                             trm__arc_tests *t, trm__arc_grids *grids, trm_error *err);
void trm__arc_tests_free(trm__arc_tests *t);

#endif
