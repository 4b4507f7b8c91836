/* Evaluation of a model on a data set: N_sup steps for all rows (docs/MODEL.md section 2), or with
 * early exit, where rows that halt make room for the next examples of the file. */
#ifndef TRM_EVAL_H
#define TRM_EVAL_H

#include "trm/arc_vote.h"
#include "trm/comm.h"
#include "trm/dataset.h"
#include "trm/device.h"
#include "trm/model.h"
#include "trm/think.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TRM_EVAL_MAX_STEPS = TRM_MAX_STEPS };

typedef struct trm_interval {
  double low, high;
} trm_interval;
/* Wilson score interval at 95 % for `right` of n (n 0: 0 to 1). */
TRM_API trm_interval trm_wilson(double right, double n);

/* An example that is finished. */
typedef struct trm_eval_row {
  int64_t example; /* its place in the file, from 0 */
  int32_t puzzle_id;
  const int32_t *inputs, *labels, *answer; /* [seq_len] */
  bool exact, valid; /* equal to its label; right by the rules, false where none are known */
  float q_halt;      /* logit */
  int steps;         /* taken, by all tries of it */
} trm_eval_row;
/* Called once for every example, in the order in which they finish; a failure ends the evaluation.
 */
typedef trm_status trm_eval_row_fn(void *arg, const trm_eval_row *row, trm_error *err);
/* Called before the state is saved: what the rows so far were told for must be on the disk. */
typedef trm_status trm_eval_sync_fn(void *arg, trm_error *err);

typedef struct trm_eval_config {
  int64_t limit;      /* examples from the start of the file; 0: all */
  bool spread;        /* in an order that is spread over them, so that an evaluation that is stopped
                         has seen some of everything; the report is the same */
  int steps;          /* supervision steps at most; 0: the model's halt_max_steps */
  trm_halt halt;      /* default: never */
  double halt_margin; /* in logits, finite; of TRM_HALT_Q and TWICE */
  trm_thinking think; /* tries of each example, and whose answer counts */
  int batch;          /* 0: chosen */
  int threads;        /* 0: as many as the process may use */
  trm_device device;  /* all zero: the CPU */
  trm_eval_row_fn *row; /* NULL: none */
  void *row_arg;
  trm_arc_votes *votes; /* NULL, or where every answer votes, after all that it holds */
  /* A file, for an evaluation that can be stopped: which rows are done, their counts, losses and
   * votes, and what they depend on; in no format to be read by others. It is written every
   * minute, when `progress` stops the evaluation, and at its end, and read when it exists. Rows
   * that are done are not told again. NULL: none. */
  const char *state;
  double state_seconds;         /* between writes; 0: 60 */
  uint64_t state_tag;           /* of the caller's own, must be the same when it goes on */
  trm_eval_sync_fn *state_sync; /* NULL, or called with row_arg */
  trm_progress_fn *progress;
  void *progress_arg;
  /* Ranks that share the evaluation, NULL: none. Each has a part of the examples; the report, and
   * the votes, are everywhere those of one process. `row` is called on rank 0, for all rows and at
   * the end, which takes 24 + 4 seq_len bytes for each; all ranks have one, or none. `state` is
   * refused (ARGUMENT), and so is a rank with another model, data, kernels or options (CONFIG). */
  trm_comm *comm;
} trm_eval_config;

typedef struct trm_eval_step {
  /* Means over rows, after this supervision step; a row that halted keeps its answer. */
  double accuracy, exact_accuracy;
  int64_t halted; /* rows whose last step this was */
} trm_eval_step;

typedef struct trm_eval_report {
  int64_t examples; /* rows with at least one label; the others count nowhere */
  int64_t exact, cells, cells_right;
  double accuracy; /* mean over rows of the share of right cells, as the reference */
  /* Of each row's last step. The q head is right by the label: above 0 and equal to it, or neither.
   */
  double exact_accuracy, q_halt_accuracy, lm_loss, q_halt_loss;
  double mean_steps;       /* taken by a row, by all its tries together */
  int tries;               /* of each example */
  int64_t accepted;        /* answers that the rules accepted meanwhile (think.verify), */
  int64_t found;           /* and how many of them a search found */
  bool rules;              /* the puzzle has a rule checker */
  int64_t checked, valid;  /* answers judged by the rules (rows without labels, too); right ones */
  double q_valid_accuracy; /* of those that were checked, how often the q head is right by the
                              rules: another answer than the label's may be right, too */
  trm_interval valid_interval, q_valid_interval;
  int64_t untrained; /* examples whose puzzle embedding was never trained: it is the blank id's */
  trm_interval exact_interval, q_halt_interval;
  trm_interval cell_interval; /* of cells_right / cells, which is no mean over rows */
  int n_steps; /* at most; 0 where there are several tries, whose steps are not looked at */
  trm_eval_step step[TRM_EVAL_MAX_STEPS];
} trm_eval_report;

/* The report is the same bits for any batch, any number of threads and any interruptions with a
 * state on the CPU (a GPU rounds differently for other numbers of rows at a time); it is only
 * written on success. Progress is called after every supervision step (and at
 * once when an evaluation goes on), with the examples that are done and the share of those that are
 * under way. Memory besides the solver's and the votes': 17 bytes per example, 8 per step and cell.
 * A state is refused unless model, data, votes, set of kernels and the fields limit, steps, halt,
 * halt_margin, think and state_tag are those it was saved with. One that is complete gives the
 * report at once; who has what they want removes it. Errors: ARGUMENT; SHAPE when the model may not
 * be used on the data (trm_model_check_data), or votes name ids otherwise; NUMERIC when logits are
 * NaN or infinite; CONFIG when a state belongs to another evaluation; FORMAT, IO; MEMORY;
 * INTERRUPTED; what `row` and `state_sync` return. */
TRM_API trm_status trm_evaluate(const trm_model *model, const trm_dataset *data,
                                const trm_eval_config *config, trm_eval_report *report,
                                trm_error *err);

#ifdef __cplusplus
}
#endif
#endif
