/* A libtrm-mpi.so without MPI: ranks are processes that a test has started, with a socket between
 * each two of them (tests/rank_processes.h). */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "comm/mpi/mpi_part.h"

typedef struct socket_comm {
  trm_comm base;
  bool
      other; /* TEST_OTHER_VERSION: in its first message, 0.x of it is 9.x, and 8.x of its peer's */
  int peer[TRM_COMM_MOST]; /* sockets; -1: none */
} socket_comm;

static trm_status fail(trm_error *err, int peer) {
  if (err) {
    *err = (trm_error){.code = TRM_E_SYSTEM, .pos = -1};
    (void)snprintf(err->msg, sizeof err->msg, "rank %d is gone", peer);
  }
  return TRM_E_SYSTEM;
}

/* Some of what is left to send or to receive; false when the other end is closed. */
static bool move_some(int fd, char **in, size_t *n_in, const char **out, size_t *n_out) {
  struct pollfd p = {.fd = fd, .events = (short)((*n_in ? POLLIN : 0) | (*n_out ? POLLOUT : 0))};
  if (poll(&p, 1, 1000) < 0) return errno == EINTR;
  if (*n_out && p.revents & POLLOUT) {
    const ssize_t n = send(fd, *out, *n_out, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN && errno != EINTR) return false;
    *out += n > 0 ? n : 0;
    *n_out -= n > 0 ? (size_t)n : 0;
  }
  if (*n_in && p.revents & (POLLIN | POLLHUP)) {
    const ssize_t n = recv(fd, *in, *n_in, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return false;
    *in += n > 0 ? n : 0;
    *n_in -= n > 0 ? (size_t)n : 0;
  }
  return true;
}

static trm_status exchange(void *arg, int peer, const void *out, size_t n_out, void *in,
                           size_t n_in, trm_error *err) {
  socket_comm *c = arg;
  const char *from = out;
  char *to = in, changed[256];
  const bool first = c->other && n_out == sizeof changed && n_in == sizeof changed;
  if (first) {
    memcpy(changed, out, sizeof changed);
    changed[0] = '9';
    from = changed;
    c->other = false;
  }
  while (n_out || n_in)
    if (!move_some(c->peer[peer], &to, &n_in, &from, &n_out)) return fail(err, peer);
  if (first) *(char *)in = '8';
  return TRM_OK;
}

static trm_status open_comm(trm_comm_wait_fn *wait, void *arg, trm_comm **out, trm_error *err) {
  (void)wait;
  (void)arg;
  const char *at = getenv("TEST_SOCKETS");
  socket_comm *c = calloc(1, sizeof *c);
  if (!c || !at) return fail(err, -1);
  c->base.rank = atoi(getenv("TEST_RANK"));
  c->base.size = atoi(getenv("PMI_SIZE"));
  c->base.exchange = exchange;
  c->other = getenv("TEST_OTHER_VERSION");
  c->base.arg = c;
  (void)snprintf(c->base.name, sizeof c->base.name, "host%d", c->base.rank);
  for (int i = 0; i < c->base.size && i < TRM_COMM_MOST; i++) {
    char *end;
    c->peer[i] = (int)strtol(at, &end, 10);
    at = *end ? end + 1 : end;
  }
  *out = &c->base;
  return TRM_OK;
}

/* The others see closed sockets. */
static void close_comm(trm_comm *comm, int code) {
  if (code) _exit(code);
  free(comm->arg);
}

static const trm__mpi_part part = {TRM_VERSION, sizeof(trm_comm), open_comm, close_comm};

__attribute__((visibility("default"))) const trm__mpi_part *trm__mpi_table(void);
const trm__mpi_part *trm__mpi_table(void) {
  return &part;
}
