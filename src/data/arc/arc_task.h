/* Tasks of ARC in memory, and the files they come from. */
#ifndef TRM_DATA_ARC_TASK_H
#define TRM_DATA_ARC_TASK_H

#include <jansson.h>

#include "base/file.h"
#include "data/arc/arc_grid.h"

enum {
  TRM__ARC_MAX_ID = 100,         /* bytes of a task's id */
  TRM__ARC_MAX_PAIRS = 1000,     /* of a task in "train", and in "test" */
  TRM__ARC_MAX_LISTED = 1 << 17, /* pairs of all tasks of a list */
  TRM__ARC_MAX_JSON = 16 << 20   /* bytes of one file, unpacked; of a task in a larger one */
};

/* Grids are 1 to 30 cells high and wide. A pair whose output the file does not tell has the single
 * cell 0 for one. */
typedef struct trm__arc_pair {
  trm__arc_grid input, output;
  bool has_output;   /* always of a train pair */
  bool output_first; /* in the file, "output" comes before "input" */
} trm__arc_pair;

/* n_train >= 1; n_test may be 0. An id is not empty, and has no "|||" and no control character. */
typedef struct trm__arc_task {
  char id[TRM__ARC_MAX_ID + 1];
  bool test_first; /* in the file, "test" comes before "train" */
  int n_train, n_test;
  trm__arc_pair *train, *test; /* one block: free `train` */
} trm__arc_task;

/* Tasks with different ids, in the order of their files. A zeroed list is an empty one. */
typedef struct trm__arc_tasks {
  int64_t n, room, pairs;
  trm__arc_task *task;
} trm__arc_tasks;
void trm__arc_tasks_free(trm__arc_tasks *list); /* zeroes it */
/* True when no grid of the task is higher or wider than `side`. */
bool trm__arc_task_fits(const trm__arc_task *task, int side);
/* Frees the tasks that do not fit; returns how many those were. */
int64_t trm__arc_tasks_keep_fitting(trm__arc_tasks *list, int side);

/* Appends the tasks of a file or a folder:
 *   a file {"train": [{"input": [[...]], "output": [[...]]}, ...], "test": [...]}: one task, whose
 *     id is the file's name without .json or .json.gz;
 *   a file {"ID": {"train": ..., "test": ...}, ...}: all of them in their order;
 *   a folder: each *.json and *.json.gz in it is one task; in the order of their ids.
 * Files may be packed by gzip, and then have TRM__ARC_MAX_JSON bytes unpacked at most; others may
 * be larger when none of their tasks is: the test_puzzles.json of any build can be read. Keys other
 * than those four are passed over. Errors: IO, MEMORY; FORMAT and RANGE naming file, task, pair and
 * cell; RANGE for more than TRM__ARC_MAX_LISTED pairs; SHAPE for rows of different lengths. */
trm_status trm__arc_tasks_load(const char *path, trm__arc_tasks *list, trm_error *err);
/* A file of one task. */
trm_status trm__arc_task_load(const char *path, trm__arc_task *task, trm_error *err);
void trm__arc_task_free(trm__arc_task *task); /* zeroes it */
/* Sets the outputs of all test pairs from {"ID": [GRID, ...], ...}; every task of the list must be
 * in it, others may. */
trm_status trm__arc_tasks_solve(const char *path, trm__arc_tasks *list, trm_error *err);
/* Into an empty list: the subset that the reference calls `subset`: PREFIX_SUBSET_challenges.json
 * with, where it is there, PREFIX_SUBSET_solutions.json; or else the folder PREFIX/SUBSET, or else
 * the folder SUBSET. Each file may end in .json.gz. */
trm_status trm__arc_tasks_load_subset(const char *prefix, const char *subset, trm__arc_tasks *list,
                                      trm_error *err);

/* The tasks of a list in the order of their ids, to find them; the list must stay as it is. A
 * zeroed one finds nothing. */
typedef struct trm__arc_index {
  int64_t n;
  const trm__arc_task **task;
} trm__arc_index;
trm_status trm__arc_index_make(const trm__arc_tasks *list, trm__arc_index *index, trm_error *err);
void trm__arc_index_free(trm__arc_index *index); /* zeroes it */
/* The task with this id, or NULL. */
const trm__arc_task *trm__arc_index_find(const trm__arc_index *index, const char *id);

/* A grid from [[0, 1, ...], ...]; `where` begins the message. */
trm_status trm__arc_grid_from_json(const json_t *rows, const char *where, trm__arc_grid *g,
                                   trm_error *err);
/* The same backwards, as Python's json.dump writes it. */
void trm__arc_grid_write(trm__writer *w, const trm__arc_grid *g);

#endif
