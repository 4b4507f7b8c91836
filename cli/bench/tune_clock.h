/* The time that a fine-tuning may take: what is used of it, and what is kept back for the answers.
 */
#ifndef TRM_CLI_TUNE_CLOCK_H
#define TRM_CLI_TUNE_CLOCK_H

#include "base/folder.h"
#include "cli/cli.h"

typedef struct tune_clock {
  double budget;            /* seconds, for training and answers; 0: no limit */
  double used, started;     /* used by earlier processes; when this one began */
  double answers;           /* supervision steps of a row that the answers take: rows times steps */
  double row_step;          /* seconds of one, from the training; 0: not known yet */
  int64_t trained;          /* updates, when the training is over; -1: it is not */
  double saved_at;          /* cli_now() */
  char file[TRM__PATH_MAX]; /* remembers all this; "": nothing does */
  trm_status status;        /* of the last write */
  trm_error error;
} tune_clock;

/* At the start of the command. `state`, which may be NULL, is the file that the fine-tuning goes on
 * from: where it is, STATE.time tells what was used. Errors: IO; FORMAT and RANGE for a STATE.time
 * that is another file, whether STATE is there or not. */
trm_status tune_clock_begin(tune_clock *c, double minutes, const char *state, trm_error *err);
double tune_clock_used(const tune_clock *c);
/* Nothing is left of the budget. */
bool tune_clock_over(const tune_clock *c);
/* What is left is needed for the answers: their supervision steps take as long as those of the
 * training, or half of the budget where they would take more. */
bool tune_clock_answers_are_due(const tune_clock *c);
/* Every second, or at once; a failure is remembered in `status`, and clears `file`. */
void tune_clock_keep(tune_clock *c, bool at_once);

#endif
