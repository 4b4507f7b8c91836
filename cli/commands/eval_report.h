/* What `trm eval` prints, as text and as JSON. */
#ifndef TRM_CLI_EVAL_REPORT_H
#define TRM_CLI_EVAL_REPORT_H

#include "cli/cli.h"
#include "io/json.h"

typedef struct arc_summary {
  trm_arc_counts counts;
  double pass[TRM_ARC_PASSES];
} arc_summary;

trm_status arc_summarise(const trm_arc_votes *votes, arc_summary *s, trm_error *err);
void arc_print(const arc_summary *s);
/* An object of the counts and "ARC/pass@K". */
void arc_put(trm__json_out *o, const char *key, const arc_summary *s);

/* An evaluation that is done. */
typedef struct eval_outcome {
  const char *model, *data, *split, *dtype, *halt;
  int steps; /* of a try, at most */
  const trm_thinking *think;
  bool halts;                /* an early exit was asked for */
  int64_t examples_of_split; /* more than the report's when a limit was given */
  const trm_eval_report *report;
  const arc_summary *arc; /* NULL: no ARC set */
} eval_outcome;

void eval_print(const eval_outcome *o);
trm_status eval_print_json(const eval_outcome *o, trm_error *err);

#endif
