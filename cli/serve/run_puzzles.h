/* A few puzzles of a training's data, as its newest checkpoint solves them, step by step. */
#ifndef TRM_CLI_SERVE_RUN_PUZZLES_H
#define TRM_CLI_SERVE_RUN_PUZZLES_H

#include <stdatomic.h>

#include "cli/serve/answers.h"

/* Solves them by the checkpoint of that update in the run's folder; `started` is the folder from
 * which relative paths of its data are meant, "": from here. *text: members of an object of JSON,
 * of trm__alloc, at most about half a MiB. Errors: those of reading checkpoint and data; SHAPE when
 * they do not fit together; CONFIG for puzzles without a text; INTERRUPTED once *stop is true;
 * MEMORY. */
trm_status run_puzzles_solve(const char *folder, const char *started, int64_t update,
                             const atomic_bool *stop, char **text, trm_error *err);

#endif
