/* The one symbol of libtrm-mpi.so: a table that hands out this process's communicator. It uses
 * nothing of libtrm; both sides are compiled from the same declarations, which the loader checks.
 */
#ifndef TRM_COMM_MPI_MPI_PART_H
#define TRM_COMM_MPI_MPI_PART_H

#include <stddef.h>

#include "trm/comm.h"

#define TRM__MPI_SYMBOL "trm__mpi_table"
#define TRM__MPI_FILE "libtrm-mpi.so"

typedef struct trm__mpi_part {
  /* These two stay where they are, in every version. */
  const char *version; /* trm_version() */
  size_t comm_bytes;   /* sizeof(trm_comm) */
  /* Starts MPI, whose communicator of all processes it is. Errors: SYSTEM. */
  trm_status (*open)(trm_comm_wait_fn *wait, void *arg, trm_comm **out, trm_error *err);
  /* An exchange that fails takes its messages back; where MPI does not let go of one within a
   * second, it says so on stderr and ends all ranks. */
  /* Ends MPI in step with the others, or, with `code` other than 0, ends them all with that. */
  void (*close)(trm_comm *comm, int code);
} trm__mpi_part;

typedef const trm__mpi_part *trm__mpi_fn(void);

#endif
