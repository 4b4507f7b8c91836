/* `trm eval --scaling`: what more steps and more tries of the same weights are worth, and how well
 * q tells right answers from wrong ones. */
#ifndef TRM_CLI_EVAL_SCALING_H
#define TRM_CLI_EVAL_SCALING_H

#include "cli/text_table.h"

typedef struct eval_scaling {
  const char *model, *data, *split; /* their names */
  table_format format;              /* JSON: one object */
  const char *svg;                  /* NULL: no picture */
} eval_scaling;

/* Evaluates with `how`, but for what each row of the table says: one try of once, twice and four
 * times its steps, each rule among all its tries, and `first` and `q` among a quarter of them. Then
 * prints and draws; also, when a signal comes, what is finished until then. Errors: those of
 * trm_evaluate, of which INTERRUPTED says how many rows there are; MEMORY, IO. */
trm_status eval_scaling_run(const eval_scaling *s, const trm_model *model, const trm_dataset *data,
                            const trm_eval_config *how, trm_error *err);

/* An answer, and what the model thinks of it. */
typedef struct eval_judged {
  float q;
  bool right;
} eval_judged;
/* The share of pairs of a right and a wrong answer of which the right one has the larger q (equal
 * ones count half): the area under the ROC curve. Sorts all [n] by q. NAN where one of the two
 * kinds is missing. */
double eval_auc(int64_t n, eval_judged *all);

#endif
