/* mpi_exchange WHAT: two ranks of libtrm-mpi.so, for mpi.sh.
 *   threads  exchanges by a thread that did not start MPI, which is asked what it allows
 *   slow     rank 0 waits for an answer of one second at most; its next exchange fails at once
 *   stuck    the same with a message that is too large to be on its way: it cannot be taken back */
#include <mpi.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trm.h"

enum { SMALL = 8, LARGE = 64 << 20 };

static bool impatient(void *arg, int peer, double seconds) {
  (void)peer;
  (void)seconds;
  return !*(const bool *)arg;
}

static trm_status talk(trm_comm *c, size_t n, trm_error *err) {
  unsigned char *out = malloc(n), *in = malloc(n);
  if (!out || !in) abort();
  memset(out, c->rank + 1, n);
  const trm_status st = c->exchange(c->arg, !c->rank, out, n, in, n, err);
  if (st == TRM_OK && in[n - 1] != 2 - c->rank) abort();
  free(out);
  free(in);
  return st;
}

static void *from_another_thread(void *arg) {
  trm_error err = {0};
  if (talk(arg, LARGE, &err) != TRM_OK || talk(arg, SMALL, &err) != TRM_OK) {
    fprintf(stderr, "%s\n", err.msg);
    abort();
  }
  return NULL;
}

static trm_status threads(trm_comm *c) {
  int level = 0;
  pthread_t other;
  (void)MPI_Query_thread(&level);
  if (level < MPI_THREAD_SERIALIZED || pthread_create(&other, NULL, from_another_thread, c))
    abort();
  pthread_join(other, NULL);
  if (c->rank == 0) printf("exchanged by another thread\n");
  return TRM_OK;
}

static trm_status give_up(trm_comm *c, size_t n) {
  trm_error err = {0}, next = {0};
  if (c->rank == 1) {
    sleep(20);
    return TRM_OK;
  }
  const trm_status st = talk(c, n, &err);
  if (st != TRM_E_SYSTEM || talk(c, SMALL, &next) != TRM_E_SYSTEM) abort();
  printf("%s; then: %s\n", err.msg, next.msg);
  fflush(stdout);
  return st;
}

int main(int argc, char **argv) {
  bool tired = argc == 2 && strcmp(argv[1], "threads") != 0;
  trm_comm *c;
  trm_error err = {0};
  if (trm_comm_open(impatient, &tired, &c, &err) != TRM_OK || !c || c->size != 2) {
    fprintf(stderr, "no two ranks: %s\n", err.msg);
    return 1;
  }
  const trm_status st = !tired ? threads(c) : give_up(c, argv[1][1] == 'l' ? SMALL : LARGE);
  trm_comm_close(c, st);
  return 0;
}
