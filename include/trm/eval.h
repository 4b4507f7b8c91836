/* Evaluation of a model on a data set: N_sup steps for all rows (docs/MODEL.md section 2), or with
 * early exit, where rows that halt make room for the next examples of the file. */
#ifndef TRM_EVAL_H
#define TRM_EVAL_H

#include "trm/dataset.h"
#include "trm/model.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TRM_EVAL_MAX_STEPS = 1024 };

typedef struct trm_interval {
  double low, high;
} trm_interval;
/* Wilson score interval at 95 % for `right` of n (n 0: 0 to 1). */
TRM_API trm_interval trm_wilson(double right, double n);

/* When a row stops before its last step. */
typedef enum trm_halt {
  TRM_HALT_NEVER, /* as the reference evaluates */
  TRM_HALT_Q      /* once trm_solver_halt_margin > halt_margin; 0: the rule of training */
} trm_halt;

typedef struct trm_eval_config {
  int64_t limit;      /* examples from the start of the file; 0: all */
  int steps;          /* supervision steps at most; 0: the model's halt_max_steps */
  trm_halt halt;      /* default: never */
  double halt_margin; /* finite; of TRM_HALT_Q */
  int batch;          /* 0: chosen */
  int threads;        /* 0: as many as the process may use */
  int32_t *preds;     /* NULL, or [examples or limit, seq_len]: final answers in file order */
  trm_progress_fn *progress;
  void *progress_arg;
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
  double exact_accuracy, q_halt_accuracy, lm_loss, q_halt_loss; /* of each row's last step */
  double mean_steps;                                            /* taken by a row */
  trm_interval exact_interval, q_halt_interval, cell_interval;
  int n_steps; /* at most */
  trm_eval_step step[TRM_EVAL_MAX_STEPS];
} trm_eval_report;

/* The report is the same bits for any batch and any number of threads; it is only written on
 * success. Progress is called after every supervision step, with the examples that are done and the
 * share of those that are under way. Memory besides the solver's: 16 bytes per
 * example, 8 per step and cell. Errors:
 * ARGUMENT; SHAPE when model and data disagree; NUMERIC when logits are NaN or infinite; MEMORY;
 * INTERRUPTED. */
TRM_API trm_status trm_evaluate(const trm_model *model, const trm_dataset *data,
                                const trm_eval_config *config, trm_eval_report *report,
                                trm_error *err);

#ifdef __cplusplus
}
#endif
#endif
