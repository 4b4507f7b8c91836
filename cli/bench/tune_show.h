/* The answers of a fine-tuning, as grids or as JSON. */
#ifndef TRM_CLI_TUNE_SHOW_H
#define TRM_CLI_TUNE_SHOW_H

#include "cli/cli.h"

typedef struct tune_answers {
  const trm_arc_tasks *all, *tasks; /* of a file; those of them that the votes are for */
  const trm_arc_votes *votes;
  bool json;
} tune_answers;

/* Both attempts to every test input of the file on stdout. Errors: MEMORY; those of stdout are left
 * to cli_finish. */
trm_status tune_show(const tune_answers *a, trm_error *err);

#endif
