/* See ranks.h. */
#include "cli/run/ranks.h"

#include <fcntl.h>
#include <unistd.h>

/* Seconds until it is said for whom a rank waits, and again. */
enum { PATIENCE = 60, AGAIN = 600 };

/* Updates of large models are long, so waiting is no failure: Ctrl-C twice ends it. */
static bool tell_waiting(void *arg, int peer, double seconds) {
  double *told = arg;
  if (seconds < PATIENCE) *told = 0;
  if (seconds < PATIENCE || (*told > 0 && seconds < *told + AGAIN)) return true;
  *told = seconds;
  fprintf(stderr, "trm: waiting for rank %d, for %.0f s so far (docs/CLUSTER.md)\n", peer, seconds);
  return true;
}

/* What is printed is rank 0's. */
static trm_status hush(trm_error *err) {
  const int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
  const bool done = nothing >= 0 && fflush(stdout) == 0 && dup2(nothing, STDOUT_FILENO) >= 0;
  if (nothing >= 0) close(nothing);
  cli_mute();
  cli_quiet = true;
  return done ? TRM_OK : cli_fail(err, TRM_E_SYSTEM, -1, "/dev/null cannot be written to");
}

trm_status ranks_open(trm_comm **out, trm_error *err) {
  static double told;
  CLI_TRY(trm_comm_open(tell_waiting, &told, out, err));
  return *out && (*out)->rank > 0 ? hush(err) : TRM_OK;
}

int ranks_report(const trm_comm *comm, trm_status st, const trm_error *err) {
  trm_error own = *err;
  const int code = cli_exit_code(st);
  if (!comm || comm->size == 1) return cli_report_error(err);
  if (comm->agreed) return comm->rank == 0 ? cli_report_error(err) : code;
  cli_fail(&own, st, err->pos, "rank %d (%s): %.400s", comm->rank, comm->name, err->msg);
  return cli_report_error(&own);
}

bool ranks_refuse(const char *what, int *code) {
  trm_comm *comm;
  trm_error err = {0};
  trm_status st = ranks_open(&comm, &err);
  if (st == TRM_OK && (!comm || comm->size == 1)) {
    trm_comm_close(comm, TRM_OK); /* nobody else asks for it */
    return false;
  }
  if (st == TRM_OK) {
    comm->agreed = true; /* it is the same everywhere */
    st = cli_fail(&err, TRM_E_ARGUMENT, -1, "%s is of one process, not of %d ranks; start one, or with TRM_MPI=off several that "
                  "each do other work",
                  what, comm->size);
  }
  *code = ranks_close(comm, st, ranks_report(comm, st, &err));
  return true;
}

int ranks_close(trm_comm *comm, trm_status st, int code) {
  fflush(stderr);
  trm_comm_close(comm, st);
  return code;
}
