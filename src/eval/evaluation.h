/* An evaluation under way, and its state in a file. */
#ifndef TRM_EVAL_EVALUATION_H
#define TRM_EVAL_EVALUATION_H

#include "comm/comm.h"
#include "io/safetensors.h"
#include "trm.h"

enum { TRM__EVAL_METAS = 11 };

/* What a state belongs to: model, data and options, each a text of its own so that a refusal can
 * name what differs. */
typedef struct trm__eval_identity {
  char text[TRM__EVAL_METAS][40];
  trm__st_meta meta[TRM__EVAL_METAS]; /* these texts */
  int n; /* without the last, which is of other tries than a single one */
} trm__eval_identity;

/* Of one example's last step; zeros for one without labels. */
typedef struct trm__eval_losses {
  double lm, q_halt;
} trm__eval_losses;

/* Whole numbers, of the examples that are done. */
typedef struct trm__eval_totals {
  int64_t rows, cells, cells_right, q_right, checked, valid;
} trm__eval_totals;

/* What is counted of several tries: steps, answers that the rules accepted, those that were found
 * by a search. */
enum { TRM__TAKEN_STEPS, TRM__TAKEN_ACCEPTED, TRM__TAKEN_FOUND, TRM__TAKEN };

/* A row as it goes to rank 0, with the answer [S] behind it. */
typedef struct trm__eval_record {
  int64_t example;
  int32_t steps;
  float q_halt;
  uint8_t there, exact, valid;
} trm__eval_record;

typedef struct trm__evaluation {
  const trm_dataset *data;
  const trm_eval_config *config;
  const trm_model *model;
  trm_model_config shape; /* of the model */
  trm_puzzle puzzle;      /* whose rules are checked */
  trm_thinker *thinker;
  int64_t total, next; /* examples to look at, and the turn that is next */
  int64_t stride;      /* turn k is that of example k * stride modulo total */
  int64_t first_order; /* of the first example's vote */
  int steps;           /* of a try */
  int told;            /* steps that are told of: all of a single try, else the last alone */
  double saved_at;     /* seconds, of the last state */
  trm__eval_identity identity;
  /* By place of the queue: */
  int64_t *example;
  int32_t *history;         /* [told]: right cells after each step */
  int32_t *inputs, *labels; /* [S] of one example */
  /* Of ranks that tell rows: [size][n_records] of them, this rank's first `kept`; NULL: none. */
  unsigned char *records;
  int64_t n_records, kept;
  int64_t round_left, round_steps; /* steps until ranks ask each other again, and of a round */
  double round_began;              /* seconds */
  int64_t voted, blank, foreign;   /* what the votes held before, the same on all ranks */
  /* What the state holds: */
  int64_t n_done;
  uint8_t *done;            /* [total] */
  trm__eval_losses *loss;   /* [total] */
  int64_t *exact, *halted;  /* [told]: right rows after a step; rows whose last step it was */
  int64_t *right;           /* [told, S + 1]: right cells of the rows with so many labels */
  trm__eval_totals *totals; /* one */
  int64_t *q_valid;         /* one, where there are rules: checked rows whose q is right by them */
  int64_t *taken;           /* [TRM__TAKEN], of several tries */
} trm__evaluation;

/* eval_ranks.c: memory for the rows, one of them, and what all ranks know at the end. Alone they do
 * nothing. */
trm_status trm__eval_ranks_begin(trm__evaluation *e, trm_error *err);
void trm__eval_ranks_keep(trm__evaluation *e, const trm_eval_row *row);
trm_status trm__eval_ranks_end(trm__evaluation *e, trm_error *err);

/* Between two steps of this rank, whose work came to `st`: now and then the ranks ask each other
 * whether to go on. INTERRUPTED and failures reach all of them then. *busy: this rank has work;
 * false when none has any more. */
trm_status trm__eval_ranks_round(trm__evaluation *e, trm_status st, bool *busy, trm_error *err);

/* eval_state.c: CONFIG on all ranks where one has another model, data, kernels or options than
 * rank 0. */
trm_status trm__eval_ranks_meet(trm__evaluation *e, trm_error *err);

/* Fills the identity and reads config->state if it exists; *found tells. */
trm_status trm__eval_state_open(trm__evaluation *e, bool *found, trm_error *err);
/* After an open. */
trm_status trm__eval_state_save(const trm__evaluation *e, trm_error *err);

#endif
