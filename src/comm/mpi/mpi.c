/* libtrm-mpi.so: a communicator by MPI (mpi_part.h). The only file that knows MPI. */
#define _POSIX_C_SOURCE 200809L /* nanosleep */
#include <limits.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "comm/mpi/mpi_part.h"

/* Bytes of one message at most: MPI counts by int. And how long a rank looks without a pause for
 * what comes soon, before it lets others have the processor, and how long a message may take to be
 * taken back; in seconds. */
enum { PIECE = 1 << 30, FAILED = 1 /* exit code */ };
static const double hot = 20e-6, warm = 2e-3, grace = 1;

typedef struct mpi_comm {
  trm_comm base;
  trm_comm_wait_fn *wait;
  void *wait_arg;
  bool failed; /* an exchange has: nothing that follows is in step */
} mpi_comm;

static trm_status fail(trm_error *err, const char *what, int code) {
  char text[MPI_MAX_ERROR_STRING] = "";
  int n;
  if (code != MPI_SUCCESS && MPI_Error_string(code, text, &n) != MPI_SUCCESS) text[0] = 0;
  if (err) {
    *err = (trm_error){.code = TRM_E_SYSTEM, .pos = -1};
    (void)snprintf(err->msg, sizeof err->msg, "%s%s%.300s", what, *text ? ": " : "", text);
  }
  return TRM_E_SYSTEM;
}

/* --- waiting --- */

/* Between two looks at a message: nothing, then the processor is given away, then a pause. */
static void rest(double waited) {
  const struct timespec yield = {0, 0}, pause = {0, 200000};
  if (waited < hot) return;
  (void)nanosleep(waited < warm ? &yield : &pause, NULL);
}

/* One side of an exchange: what is sent and, when `found`, what is received. */
typedef struct pending {
  MPI_Request sent, received;
  char *to;
  int take;
  bool found; /* or there is nothing to receive */
} pending;

/* A message is received when it is known to be as long as it must be; of another length it comes
 * from a rank that does something else. */
static trm_status find_message(pending *p, int peer, trm_error *err) {
  MPI_Message message;
  MPI_Status status;
  int there = 0, n = 0;
  int code = MPI_Improbe(peer, 0, MPI_COMM_WORLD, &there, &message, &status);
  if (code != MPI_SUCCESS || !there)
    return code == MPI_SUCCESS ? TRM_OK : fail(err, "a message cannot be looked for", code);
  code = MPI_Get_count(&status, MPI_BYTE, &n);
  if (code == MPI_SUCCESS && n != p->take) {
    char what[96];
    (void)snprintf(what, sizeof what,
                   "out of step with rank %d, which does something else (%d bytes, want %d)", peer,
                   n, p->take);
    return fail(err, what, MPI_SUCCESS);
  }
  if (code == MPI_SUCCESS) code = MPI_Imrecv(p->to, n, MPI_BYTE, &message, &p->received);
  p->found = true;
  return code == MPI_SUCCESS ? TRM_OK : fail(err, "a message cannot be received", code);
}

static trm_status wait_for(mpi_comm *c, int peer, pending *p, trm_error *err) {
  const double start = MPI_Wtime();
  double asked = start;
  for (;;) {
    trm_status st = p->found ? TRM_OK : find_message(p, peer, err);
    if (st != TRM_OK) return st;
    MPI_Request both[2] = {p->sent, p->received};
    int done = 0;
    const int code = MPI_Testall(2, both, &done, MPI_STATUSES_IGNORE);
    if (code != MPI_SUCCESS) return fail(err, "a message failed", code);
    p->sent = both[0];
    p->received = both[1];
    if (done && p->found) return TRM_OK;

    /* Once a second whoever started this is asked. */
    const double now = MPI_Wtime();
    rest(now - start);
    if (!c->wait || now - asked < 1) continue;
    asked = now;
    if (c->wait(c->wait_arg, peer, now - start)) continue;
    char what[96];
    (void)snprintf(what, sizeof what, "rank %d does not answer for %.0f s", peer, now - start);
    return fail(err, what, MPI_SUCCESS);
  }
}

/* An exchange has failed, and the memory of its messages is the caller's again: they are taken
 * back. Where MPI does not let go of them, this process ends, and all others with it. */
static void take_back(const mpi_comm *c, pending *p, const char *why) {
  MPI_Request both[2] = {p->sent, p->received};
  for (int i = 0; i < 2; i++)
    if (both[i] != MPI_REQUEST_NULL) (void)MPI_Cancel(&both[i]);
  const double start = MPI_Wtime();
  for (int done = 0; MPI_Wtime() - start < grace; rest(grace)) {
    const int code = MPI_Testall(2, both, &done, MPI_STATUSES_IGNORE);
    if (done && code == MPI_SUCCESS) return;
  }
  fprintf(
      stderr,
      "trm: error: rank %d (%s): %.300s; a message cannot be taken back, so all ranks end here\n",
      c->base.rank, c->base.name, why);
  fflush(stderr);
  (void)MPI_Abort(MPI_COMM_WORLD, FAILED);
}

static trm_status exchange(void *arg, int peer, const void *out, size_t n_out, void *in,
                           size_t n_in, trm_error *err) {
  mpi_comm *c = arg;
  const char *from = out;
  char *to = in;
  trm_error own;
  if (!err) err = &own;
  if (c->failed) return fail(err, "an exchange of this rank has failed before", MPI_SUCCESS);
  c->failed = true; /* until it is done */
  do {
    const size_t give = n_out < PIECE ? n_out : PIECE, take = n_in < PIECE ? n_in : PIECE;
    pending p = {MPI_REQUEST_NULL, MPI_REQUEST_NULL, to, (int)take, take == 0};
    int code = MPI_SUCCESS;
    if (give) code = MPI_Isend(from, (int)give, MPI_BYTE, peer, 0, MPI_COMM_WORLD, &p.sent);
    if (code != MPI_SUCCESS) return fail(err, "a message cannot be sent", code);
    const trm_status st = wait_for(c, peer, &p, err);
    if (st != TRM_OK) {
      take_back(c, &p, err->msg);
      return st;
    }
    from = from ? from + give : from;
    to = to ? to + take : to;
    n_out -= give;
    n_in -= take;
  } while (n_out || n_in);
  c->failed = false;
  return TRM_OK;
}

/* --- start and end --- */

static trm_status open_comm(trm_comm_wait_fn *wait, void *arg, trm_comm **out, trm_error *err) {
  int have = 0, running, n = 0;
  char host[MPI_MAX_PROCESSOR_NAME] = "?";
  *out = NULL;
  int code = MPI_Initialized(&running);
  if (code == MPI_SUCCESS && !running)
    code = MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &have);
  else if (code == MPI_SUCCESS)
    code = MPI_Query_thread(&have);
  if (code != MPI_SUCCESS) return fail(err, "MPI does not start", code);
  if (have < MPI_THREAD_SERIALIZED)
    return fail(err,
                "this MPI lets one thread alone send messages: want MPI_THREAD_SERIALIZED, of "
                "whoever built it or started it in this process",
                MPI_SUCCESS);
  mpi_comm *c = calloc(1, sizeof *c);
  if (!c) return fail(err, "no memory for a communicator", MPI_SUCCESS);

  /* Failures are returned, as far as MPI can. */
  (void)MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  (void)MPI_Comm_rank(MPI_COMM_WORLD, &c->base.rank);
  (void)MPI_Comm_size(MPI_COMM_WORLD, &c->base.size);
  (void)MPI_Get_processor_name(host, &n);
  (void)snprintf(c->base.name, sizeof c->base.name, "%.60s", host);
  c->base.exchange = exchange;
  c->base.arg = c;
  c->wait = wait;
  c->wait_arg = arg;
  *out = &c->base;
  return TRM_OK;
}

static void close_comm(trm_comm *comm, int code) {
  if (code) (void)MPI_Abort(MPI_COMM_WORLD, code);
  (void)MPI_Finalize();
  free(comm->arg);
}

static const trm__mpi_part part = {TRM_VERSION, sizeof(trm_comm), open_comm, close_comm};

__attribute__((visibility("default"))) const trm__mpi_part *trm__mpi_table(void);
const trm__mpi_part *trm__mpi_table(void) {
  return &part;
}
