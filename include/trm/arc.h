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

/* Data set folders from files of tasks. Subset S of prefix P is PATH_S_challenges.json with
 * PATH_S_solutions.json (P = PATH), or the folder P/S or S with one task {"train": [...],
 * "test": [...]} per file, whose id is the file's name; every file may end in .json.gz.
 * All pairs are for training, but for the test pairs of `test_set_name`.
 *
 * The folder holds every example of every copy, 1,800 bytes each, or, if `compact`, only the
 * original pairs and what was drawn: some 16 bytes a copy. trm_dataset_open reads both and gives
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
  uint64_t seed; /* 0 to 2^32 - 1, NumPy's range */
  bool compact;
  int threads; /* 0: as many as the process may use; the result does not depend on it */
  trm_progress_fn *progress; /* of examples written */
  void *progress_arg;
} trm_arc_build_config;

typedef struct trm_arc_build_report {
  int64_t tasks;                                      /* with different ids */
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

#ifdef __cplusplus
}
#endif
#endif
