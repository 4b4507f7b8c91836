/* Processes that do one work together. Each is a *rank* of a *communicator*: it knows its number,
 * how many there are, and one way to talk, an exchange of bytes with one other rank. All else is
 * made of exchanges: how ranks share a batch (trm_trainer_config.comm), an evaluation
 * (trm_eval_config.comm) or a whole run (trm_run_listener.comm), with the bits of one process.
 *
 *   trm_comm *comm;
 *   trm_comm_open(NULL, NULL, &comm, &err);         // started by mpirun or srun? else NULL
 *   listener.comm = comm;
 *   ... every rank makes the same calls ...
 *   trm_comm_close(comm, st);
 *
 * The library knows MPI only by a part of its own that is loaded (libtrm-mpi.so). A program that
 * has another way, such as sockets or a framework's own, fills in a trm_comm by itself.
 *
 * All ranks make the same calls in the same order, with the same arguments where nothing else is
 * said. A call with a communicator fails on all ranks, or on none, and the message names the rank
 * that is at fault; but where a rank cannot be reached any more, each finds that out for itself
 * (SYSTEM). After such a failure the communicator is good for trm_comm_close alone. Any thread of a
 * process may use a communicator, one at a time (MPI_THREAD_SERIALIZED of MPI).
 */
#ifndef TRM_COMM_H
#define TRM_COMM_H

#include <stdbool.h>
#include <stddef.h>

#include "trm/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TRM_COMM_MOST = 8 /* ranks: a batch has so many row slots */, TRM_COMM_NAME = 64 };

/* Sends n_out bytes to rank `peer`, which is another one, and receives n_in of it, both at the same
 * time: the peer makes the call that fits. Either may be 0. Both blocks are the caller's again when
 * it returns, also after a failure; where MPI does not give one back, all ranks end with a message
 * on stderr. Errors: SYSTEM when the peer is gone.
 */
typedef trm_status trm_comm_exchange_fn(void *arg, int peer, const void *out, size_t n_out,
                                        void *in, size_t n_in, trm_error *err);

typedef struct trm_comm {
  int rank, size;           /* 0 <= rank < size; size is 1, 2, 4 or 8 */
  char name[TRM_COMM_NAME]; /* where this rank is, for messages: its host */
  trm_comm_exchange_fn *exchange;
  void *arg;
  bool agreed; /* set by the library: the last failure is one that all ranks were told of */
  bool met;    /* set by the library: all ranks are of one version */
} trm_comm;

/* Asked about once a second while `peer` lets this rank wait; false: it waits no longer (SYSTEM).
 */
typedef bool trm_comm_wait_fn(void *arg, int peer, double seconds);

/* The communicator of the process manager that started this process: *out NULL where none did, or
 * where TRM_MPI=off has each process work alone. `wait` may be NULL. To be called once, before
 * other threads are started. Errors: SYSTEM when there is a process manager and libtrm-mpi.so
 * cannot be loaded, or MPI does not start; CONFIG for a number of ranks that cannot share a batch,
 * and where one has another version of trm.
 */
TRM_API trm_status trm_comm_open(trm_comm_wait_fn *wait, void *arg, trm_comm **out, trm_error *err);
/* Ends the work of this rank, which came to `st`. After a failure that the others do not know of
 * (comm->agreed) they are ended with it, and the call does not return; NULL is fine. */
TRM_API void trm_comm_close(trm_comm *comm, trm_status st);

#ifdef __cplusplus
}
#endif
#endif
