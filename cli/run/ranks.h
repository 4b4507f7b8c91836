/* A command whose processes are ranks of a process manager: who speaks, and how it ends. Rank 0
 * says what one process would; the others say only what rank 0 cannot know. */
#ifndef TRM_CLI_RUN_RANKS_H
#define TRM_CLI_RUN_RANKS_H

#include "cli/cli.h"

#define RANKS_ABOUT \
  "Started by mpirun or srun, its processes share the work, and the files are those of one.\n"

/* *out: the communicator, NULL where this process is alone. From here on other ranks than 0 show
 * nothing on stdout, no notes and no progress. Errors: those of trm_comm_open. */
trm_status ranks_open(trm_comm **out, trm_error *err);
/* For what only one process does: true, with *code, when ranks were started for it, which end here.
 */
bool ranks_refuse(const char *what, int *code);
/* The exit code of what came to `st`; a failure is reported by rank 0 where all know it, else by
 * whoever has it, under its name. */
int ranks_report(const trm_comm *comm, trm_status st, const trm_error *err);
/* The last call, after the command's output was finished with `code`, which it returns; a failure
 * that the others do not know ends them, too. */
int ranks_close(trm_comm *comm, trm_status st, int code);

#endif
