/* What an ARC data set says beside its examples: the names of its puzzle ids, and the tasks to be
 * tested with their right outputs. Files from outside, checked. */
#ifndef TRM_EVAL_ARC_TASKS_H
#define TRM_EVAL_ARC_TASKS_H

#include <jansson.h>

#include "eval/arc_grids.h"

enum { TRM__ARC_MAX_NAME = 200, TRM__ARC_BLANK = -2, TRM__ARC_UNTESTED = -1 };

/* A puzzle id: a copy of a task. */
typedef struct trm__arc_name {
  int32_t task; /* TRM__ARC_UNTESTED, TRM__ARC_BLANK */
  trm__arc_copy copy;
} trm__arc_name;

typedef struct trm__arc_test {
  uint32_t input, output; /* grids */
  int32_t slot;           /* the first test of its task with the same input, where its votes are */
} trm__arc_test;

typedef struct trm__arc_task {
  char *name;
  int32_t first, n; /* its tests */
} trm__arc_task;

/* A zeroed one is empty. */
typedef struct trm__arc_tasks {
  trm__arc_name *name; /* [n_names]: by puzzle id */
  trm__arc_task *task; /* [n_tasks], in the order of the file */
  trm__arc_test *test; /* [n_tests] */
  int32_t n_names, n_tasks, n_tests;
  uint64_t fingerprint; /* of both files */
} trm__arc_tasks;

/* Grids are added to `grids`. On failure what was read is in `t`. */
trm_status trm__arc_tasks_load(const char *dir, trm__arc_tasks *t, trm__arc_grids *grids,
                               trm_error *err);
void trm__arc_tasks_free(trm__arc_tasks *t);

/* A grid of up to 30 x 30 colours as JSON, [] only if it may be empty. `where` begins the messages:
 * "FILE: task X, test input 1". Errors: FORMAT, RANGE. */
trm_status trm__arc_grid_from_json(const json_t *rows, bool may_be_empty, const char *where,
                                   trm__arc_grid *g, trm_error *err);

#endif
