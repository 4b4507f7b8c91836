/* Scoring ARC: votes over the symmetric copies of a task, pass@K, and Kaggle's submission format.
 *
 * A model answers many copies of each test input. Every answer is cropped to its grid, the copy's
 * colours and dihedral transform are undone, and equal grids are counted; grids are ranked by
 * (count, mean of sigmoid(q_halt)), and the one that was answered first wins a tie. The first two
 * are the attempts of a submission. pass@K of a task is the share of its test inputs whose right
 * output is among the first K; the score is the mean over all tasks of test_puzzles.json. Test
 * inputs whose right output is hidden, as it is in a set built without solutions, are not scored.
 *
 *   trm_arc_votes_create("data/arc1", &votes, &err);
 *   for each prediction: trm_arc_votes_add(votes, row, id, 30, inputs, answer, q_halt, &err);
 *   trm_arc_votes_count(votes, (const int[]){1, 2}, 2, pass, &counts, &err);
 */
#ifndef TRM_ARC_VOTE_H
#define TRM_ARC_VOTE_H

#include "trm/arc.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One object, one thread. A prediction takes 24 bytes, and a grid that is new half a byte a cell
 * and about 24 more: 419 tasks with 1,000 copies of 30 x 30 that all differ stay below 250 MB. */
typedef struct trm_arc_votes trm_arc_votes;

/* Reads DIR/identifiers.json and DIR/test_puzzles.json. Errors: IO; FORMAT with file and line or
 * task; SHAPE and RANGE for what is no grid; MEMORY. */
TRM_API trm_status trm_arc_votes_create(const char *dir, trm_arc_votes **out, trm_error *err);
/* The same for tasks in memory, all of which have test pairs, and the names of ids [n_names], as
 * trm_arc_data_create gives them; neither is needed afterwards. */
TRM_API trm_status trm_arc_votes_create_for(const trm_arc_tasks *tasks, const char *const *names,
                                            int n_names, trm_arc_votes **out, trm_error *err);
TRM_API void trm_arc_votes_free(trm_arc_votes *v);
/* One prediction: the puzzle's id, its input and the model's answer [side * side] as tokens on the
 * data set's canvas (puzzle.rows of its trm_dataset_info: 30, or less), q_halt as a logit. `order`
 * decides which grid was first: in a file its row; distinct for each prediction. Predictions for
 * the blank id and for inputs that are no test input of a task are only counted. Errors: ARGUMENT
 * for a side that is not 1 to 30; RANGE for an id that identifiers.json does not name; NUMERIC for
 * q_halt NaN; MEMORY (the prediction is not counted then). */
TRM_API trm_status trm_arc_votes_add(trm_arc_votes *v, int64_t order, int32_t puzzle_id, int side,
                                     const int32_t *inputs, const int32_t *answer, double q_halt,
                                     trm_error *err);
/* Adds the predictions of .npy files for the first rows of `data`, in file order: preds [N,
 * seq_len] of integers or floats that are whole, q [N] logits, ids NULL or [N] to be compared with
 * the data's. Called again, the predictions of several evaluations are pooled, those of the first
 * call first.
 * Errors: IO, FORMAT; SHAPE; RANGE for an id that differs; NUMERIC; MEMORY; INTERRUPTED. */
TRM_API trm_status trm_arc_votes_add_files(trm_arc_votes *v, const trm_dataset *data,
                                           const char *preds, const char *q, const char *ids,
                                           trm_progress_fn *progress, void *progress_arg,
                                           trm_error *err);

typedef struct trm_arc_counts {
  int64_t tasks, inputs; /* in test_puzzles.json; inputs of all tasks */
  int64_t unanswered;    /* of those inputs without any prediction: wrong, not in the submission */
  int64_t votes;         /* predictions that count */
  int64_t blank;         /* predictions for the blank id */
  int64_t foreign;       /* predictions for another task's id or for an input that is none */
  int64_t grids;         /* distinct, predicted or right */
  int64_t hidden;        /* test inputs whose right output is not known: in no pass@K */
  int64_t scored;        /* tasks with a test input whose right output is known */
} trm_arc_counts;

/* The K of pass@K [TRM_ARC_PASSES], as the reference reports them; constant. */
enum { TRM_ARC_PASSES = 6 };
TRM_API const int *trm_arc_pass_k(void);
/* pass[i] = pass@k[i], k[i] >= 1, i < n; NaN when no right output is known. `counts` may be NULL.
 * Errors: ARGUMENT, MEMORY. */
TRM_API trm_status trm_arc_votes_count(const trm_arc_votes *v, const int *k, int n, double *pass,
                                       trm_arc_counts *counts, trm_error *err);
/* A grid that was answered to a test input. */
typedef struct trm_arc_answer {
  int rows, cols;    /* 0: the empty grid */
  uint8_t cell[900]; /* row-major [rows, cols]: colours 0..9 */
  int64_t votes;
  double q;   /* mean of sigmoid(q_halt) */
  bool right; /* equal to the right output, which is known */
} trm_arc_answer;
/* The up to n best answers, in order, to test input `input` of task `task`, both counted from 0 in
 * the order of the tasks; *found says how many. The empty grid, which is never right, comes behind
 * all others. Errors: ARGUMENT, MEMORY. */
TRM_API trm_status trm_arc_votes_answers(const trm_arc_votes *v, int64_t task, int input, int n,
                                         trm_arc_answer *out, int *found, trm_error *err);
/* Writes the first two grids of every answered input, a single one twice, as Python's json.dump
 * would; the file appears complete or not at all. Errors: IO, MEMORY. */
TRM_API trm_status trm_arc_votes_submit(const trm_arc_votes *v, const char *path, trm_error *err);
/* The same for all tasks of a list, of which the votes' are some, in the same order: every test
 * input is in the file, and where there is no answer it is its own stand-in, twice; the empty grid
 * comes behind all others and has the input in its place. *stand_ins, which may be NULL: how many
 * test inputs have no answer. Errors: ARGUMENT when the votes have another task; IO,
 * MEMORY. */
TRM_API trm_status trm_arc_votes_submit_all(const trm_arc_votes *v, const trm_arc_tasks *tasks,
                                            const char *path, int64_t *stand_ins, trm_error *err);
/* Bytes the object holds. */
TRM_API int64_t trm_arc_votes_bytes(const trm_arc_votes *v);

typedef struct trm_arc_score {
  double score;          /* mean over tasks of the share of their test inputs that are right */
  int64_t tasks, solved; /* tasks in the solutions; of those with all test inputs right */
  int64_t inputs, right; /* the same counted in test inputs */
  int64_t missing;       /* tasks that the submission lacks: wrong */
  int64_t unanswered;    /* test inputs of the other tasks without an entry: wrong */
  int64_t no_attempt;    /* attempts of the entries that are null or not there: wrong */
  int64_t foreign;       /* tasks of the submission that are not in the solutions: ignored */
} trm_arc_score;

/* Scores a submission {task: [{"attempt_1": grid, "attempt_2": grid}, ...]} against solutions
 * {task: [grid, ...]} as ARC Prize does: a test input is right when either attempt is. An attempt
 * may also be {"answer": grid}, with the grid as text, too, and "metadata": {"pair_index": I} for
 * another test input than the entry's place tells; null, [] and one that is missing are wrong. The
 * submission may be a folder with the entries of each task in ID.json; the solutions may be tasks
 * whose outputs are told, in a file or a folder (trm_arc_tasks_load). Errors: IO; FORMAT, RANGE
 * with file, task and test input; MEMORY. */
TRM_API trm_status trm_arc_score_files(const char *submission, const char *solutions,
                                       trm_arc_score *out, trm_error *err);

#ifdef __cplusplus
}
#endif
#endif
