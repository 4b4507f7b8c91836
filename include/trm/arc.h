/* ARC: data sets of tasks and their symmetric copies.
 *
 * A task has pairs of grids (input, output) to learn from, "train", and others to be answered,
 * "test". A data set has one puzzle id per task and per copy of a task; a copy is the task with its
 * grids turned (one of 8 ways) and the colours 1..9 permuted, and is called "ID|||tK|||0PERMUTED"
 * in identifiers.json. Everything is drawn as the reference implementation draws it, so that the
 * same seed gives the same data set, byte for byte, and the ids of its checkpoints fit.
 */
#ifndef TRM_ARC_H
#define TRM_ARC_H

#include "trm/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What was no task: grids of more than 30 rows or columns, other colours than 0 to 9, rows of
 * different lengths, no demonstration. */
typedef struct trm_arc_invalid {
  int64_t tasks;
  char ids[512]; /* of the first ones, with a comma between two */
  trm_error why; /* what is wrong with the first */
} trm_arc_invalid;

/* Data set folders from files of tasks. Subset S of prefix P is PATH_S_challenges.json with
 * PATH_S_solutions.json (P = PATH; "-" in place of a "_" will do), or the folder P/S or S with one
 * task per file, whose id is the file's name; every file may end in .json.gz. A task is {"train":
 * pairs, "test": pairs}; or one list of pairs, alone as RE-ARC's or as {"examples": pairs}: its
 * last pair is the test pair, the ones before it are the demonstrations. A test output that is
 * missing or null is hidden. All pairs are for training, but for the test pairs of `test_set_name`.
 *
 * The folder holds every example of every copy, two bytes a cell, or, if `compact`, only the
 * original pairs and what was drawn: some 60 bytes a copy. trm_dataset_open reads both and gives
 * the same data set. It appears when it is complete, in place of an earlier data set; a folder
 * that holds anything else is refused.
 *
 * Where the test set is the first of the subsets the reference leaves it to chance which split
 * comes first in the ids and draws; here it is always train.
 * Errors: IO; FORMAT, SHAPE and RANGE with file, task, pair and cell; ARGUMENT, MEMORY, SYSTEM,
 * INTERRUPTED. */
typedef struct trm_arc_build_config {
  const char *input_prefix;
  const char *const *subsets; /* [n_subsets], in this order */
  int n_subsets;
  const char *test_set_name; /* one of the subsets; NULL: all pairs are for training */
  const char *output_dir;
  int num_aug;   /* copies of each task: 0 to 1,000,000 */
  int canvas;    /* examples lie on a square of so many cells a side: 1 to 30; 0: 30, as in the
                    reference. Tasks with a larger grid are left out. A small canvas makes a model
                    of small tasks as much faster as it has fewer cells. */
  uint64_t seed; /* 0 to 2^32 - 1, NumPy's range */
  bool compact;
  bool skip_invalid; /* leave out what is no task and count it, instead of an error */
  int threads;       /* 0: as many as the process may use; the result does not depend on it */
  trm_progress_fn *progress; /* of examples written; 0 while copies are drawn */
  void *progress_arg;
} trm_arc_build_config;

typedef struct trm_arc_build_report {
  int64_t tasks;           /* with different ids */
  int64_t listed;          /* tasks that were one list of pairs, whose last is the test pair */
  int64_t too_large;       /* left out: larger than the canvas */
  trm_arc_invalid invalid; /* left out; after an error without skip_invalid: the one it is about */
  int64_t train_tasks, train_puzzles, train_examples; /* a task that is in two subsets is two */
  int64_t test_tasks, test_puzzles, test_examples;
  int64_t identifiers;        /* of puzzles, without the blank one */
  int64_t unsolved;           /* test pairs whose output no file tells: the single cell 0 */
  int64_t short_of_copies;    /* tasks that have fewer different copies than asked for, or where
                                 five tries at each were not enough to find them */
  int64_t test_tasks_trained; /* tasks of the test set that another subset has under the same id:
                                 their test pairs are trained on */
} trm_arc_build_report;
TRM_API trm_status trm_build_arc(const trm_arc_build_config *config, trm_arc_build_report *report,
                                 trm_error *err);

/* ---- tasks in memory, and data sets of them, e.g. to fine-tune a model on a new task ---- */

/* A list of tasks. */
typedef struct trm_arc_tasks trm_arc_tasks;

/* From a file of one task, a file {"ID": task, ...} (challenges of Kaggle, test_puzzles.json of a
 * data set), or a folder with one task per file; never empty. Errors: IO; FORMAT, SHAPE and RANGE
 * with file, task, pair and cell; MEMORY. */
TRM_API trm_status trm_arc_tasks_load(const char *path, trm_arc_tasks **out, trm_error *err);
/* The same where all of a file is to be answered: what is no task is no error, but counted. It is
 * in the list with its id and the number of its test inputs, and has no train pair. */
TRM_API trm_status trm_arc_tasks_load_all(const char *path, trm_arc_tasks **out,
                                          trm_arc_invalid *invalid, trm_error *err);
/* Copies of those of the tasks that can be learned and answered on such a canvas (0: 30), in their
 * order: none of their grids is larger, and they have test pairs. It may be empty. */
TRM_API trm_status trm_arc_tasks_possible(const trm_arc_tasks *tasks, int canvas,
                                          trm_arc_tasks **out, trm_error *err);
TRM_API void trm_arc_tasks_free(trm_arc_tasks *tasks);
TRM_API int64_t trm_arc_tasks_count(const trm_arc_tasks *tasks);
/* Of task i, 0 <= i < count. The id lives as long as the list. */
TRM_API const char *trm_arc_tasks_id(const trm_arc_tasks *tasks, int64_t i);
TRM_API int trm_arc_tasks_train_pairs(const trm_arc_tasks *tasks, int64_t i);
TRM_API int trm_arc_tasks_test_pairs(const trm_arc_tasks *tasks, int64_t i);
/* True when the file tells the output of test pair k of task i. */
TRM_API bool trm_arc_tasks_test_solved(const trm_arc_tasks *tasks, int64_t i, int k);

/* The data set that trm_build_arc makes of the tasks as the only subset, which is the test set:
 * `train` has the train pairs of every task and copy, `test` their test pairs, whose labels are the
 * single cell 0 where the file does not tell the output. Names are those of identifiers.json: the
 * puzzle with id i of either is names[i]; names[0] is "<blank>", the tasks and copies follow. */
typedef struct trm_arc_data {
  trm_dataset *train, *test; /* test NULL: no task has a test pair */
  const char *const *names;  /* [n_names] */
  int n_names;               /* ids are 0 .. n_names - 1 */
} trm_arc_data;

/* num_aug copies of each task, drawn by the seed, 0 to 2^32 - 1, on a canvas as above. The tasks
 * may be freed after it. Errors: ARGUMENT; SHAPE for a task with a grid larger than the canvas;
 * FORMAT when some tasks have test pairs and others have none; RANGE; MEMORY. */
TRM_API trm_status trm_arc_data_create(const trm_arc_tasks *tasks, int num_aug, int canvas,
                                       uint64_t seed, trm_arc_data **out, trm_error *err);
TRM_API void trm_arc_data_free(trm_arc_data *data);

#ifdef __cplusplus
}
#endif
#endif
