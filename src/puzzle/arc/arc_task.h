/* Tasks of ARC in memory, and the files they come from. */
#ifndef TRM_PUZZLE_ARC_TASK_H
#define TRM_PUZZLE_ARC_TASK_H

#include "base/file.h"
#include "io/json.h"
#include "puzzle/arc/arc_grid.h"
#include "trm/arc.h"

enum {
  TRM__ARC_MAX_ID = 100,         /* bytes of a task's id */
  TRM__ARC_MAX_PAIRS = 1000,     /* of a task in "train", and in "test" */
  TRM__ARC_MAX_LISTED = 1 << 19, /* pairs of all tasks of a list: 1 GB */
  TRM__ARC_MAX_JSON = 16 << 20   /* bytes of one file, unpacked; of a task in a larger one */
};

/* Grids are 1 to 30 cells high and wide. A pair whose output the file does not tell has the single
 * cell 0 for one. */
typedef struct trm__arc_pair {
  trm__arc_grid input, output;
  bool has_output;   /* always of a train pair */
  bool output_first; /* in the file, "output" comes before "input" */
} trm__arc_pair;

/* n_train >= 1; n_test may be 0. An id is not empty, and has no "|||" and no control character. Of
 * a task that could not be read (`invalid`) there are only the id and the number of test pairs,
 * whose grids are the cell 0. */
typedef struct trm__arc_task {
  char id[TRM__ARC_MAX_ID + 1];
  bool test_first; /* in the file, "test" comes before "train" */
  bool invalid;
  bool listed; /* one list of pairs in the file */
  int n_train, n_test;
  trm__arc_pair *train, *test; /* one block: free `train` */
} trm__arc_task;

/* Tasks with different ids, in the order of their files. A zeroed list is an empty one. */
typedef struct trm_arc_tasks {
  int64_t n, room, pairs;
  trm__arc_task *task;
  bool lenient; /* set before reading: what is no task is counted, and kept as `invalid` */
  trm_arc_invalid invalid; /* those; of a list that is not lenient, the one that was refused */
} trm__arc_tasks;
void trm__arc_tasks_free(trm__arc_tasks *list); /* zeroes it */
/* The next free place, which counts as a task from now on. */
trm_status trm__arc_tasks_add(trm__arc_tasks *list, trm__arc_task **out, trm_error *err);
/* Appends a task of a file: {"train": pairs, "test": pairs}, or one list of pairs, alone or as
 * {"examples": pairs}, whose last pair is the test pair when there are two or more. A pair is
 * {"input": grid, "output": grid}, or [grid, grid]. A test output that is null is not told. */
trm_status trm__arc_task_read(const trm__json *json, const char *path, const char *id,
                              trm__arc_tasks *list, trm_error *err);
/* True when no grid of the task is higher or wider than `side`. */
bool trm__arc_task_fits(const trm__arc_task *task, int side);
/* Frees the tasks that do not fit; returns how many those were. */
int64_t trm__arc_tasks_keep_fitting(trm__arc_tasks *list, int side);
/* The same for those that are `invalid`. */
int64_t trm__arc_tasks_keep_valid(trm__arc_tasks *list);

/* Appends the tasks of a file or a folder:
 *   a file of one task (trm__arc_task_read), whose id is its name without .json or .json.gz;
 *   a file {"ID": {"train": ..., "test": ...}, ...}: all of them in their order;
 *   a file .jsonl or .ndjson, or such a one with .gz: a task in each line, with "task_id" or
 *   "id", or else called FILE-LINE;
 *   a folder: each *.json and *.json.gz in it is one task; in the order of their ids.
 * Files may be packed by gzip, and then have TRM__ARC_MAX_JSON bytes unpacked at most,
 * those of lines as much as there is room for; others may be larger when none of their tasks is:
 * the test_puzzles.json of any build can be read. Other keys are passed over. Errors: IO, MEMORY;
 * FORMAT and RANGE naming file, task, pair and cell; RANGE for more than TRM__ARC_MAX_LISTED pairs;
 * SHAPE for rows of different lengths. */
trm_status trm__arc_tasks_load(const char *path, trm__arc_tasks *list, trm_error *err);
/* A file of one task. */
trm_status trm__arc_task_load(const char *path, trm__arc_task *task, trm_error *err);
void trm__arc_task_free(trm__arc_task *task); /* zeroes it */
/* Sets the outputs of all test pairs from {"ID": [GRID, ...], ...}; every task of the list must be
 * in it, others may. */
trm_status trm__arc_tasks_solve(const char *path, trm__arc_tasks *list, trm_error *err);
/* Into an empty list: the subset that the reference calls `subset`: PREFIX_SUBSET_challenges.json
 * with, where it is there, PREFIX_SUBSET_solutions.json, or both with "-" in place of a "_"; or
 * else the folder PREFIX/SUBSET, or else the folder SUBSET. Each file may end in .json.gz. */
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

/* What a file of ARC's holds for each task: its pairs, the right outputs of its test inputs, or the
 * attempts of a submission. */
typedef enum trm__arc_content {
  TRM__ARC_UNKNOWN,
  TRM__ARC_PAIRS,
  TRM__ARC_OUTPUTS,
  TRM__ARC_ATTEMPTS
} trm__arc_content;
/* FORMAT where a task of a file clearly has something else than is wanted: a file in the place of
 * another. What it is not is for its reader to say. */
trm_status trm__arc_content_check(const trm__json *json, trm__arc_content want, const char *path,
                                  const char *id, trm_error *err);

/* A grid from [[0, 1, ...], ...]; `where` begins the message. */
trm_status trm__arc_grid_from_json(const trm__json *rows, const char *where, trm__arc_grid *g,
                                   trm_error *err);
/* The same backwards, as Python's json.dump writes it. */
void trm__arc_grid_write(trm__writer *w, const trm__arc_grid *g);

#endif
