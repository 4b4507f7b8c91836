/* The communicator of the process manager that started this process, by the part that knows MPI. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/optional.h"
#include "base/os_library.h"
#include "comm/comm.h"
#include "comm/mpi/mpi_part.h"
#include "trm.h"

enum { FAILED = 1 /* the exit code of ranks that are ended */ };

/* What process managers set for each process. Where it is the number of them, 1 is a process alone.
 */
static const struct {
  const char *name;
  bool counts;
} signs[] = {
    {"OMPI_COMM_WORLD_SIZE", true}, /* Open MPI's mpirun */
    {"PMI_SIZE", true},             /* MPICH's, Intel's; srun --mpi=pmi2 */
    {"MPI_LOCALNRANKS", true},      /* MPICH's hydra beside PMI */
    {"PMIX_RANK", false},           /* srun --mpi=pmix, prterun */
};

static const char *find_sign(void) {
  const char *off = getenv("TRM_MPI");
  if (off && !strcmp(off, "off")) return NULL;
  for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
    const char *value = getenv(signs[i].name);
    if (value && *value && !(signs[i].counts && !strcmp(value, "1"))) return signs[i].name;
  }
  return NULL;
}

static trm_status load_part(const char *sign, const trm__mpi_part **out, trm_error *err) {
  char why[TRM__OPTIONAL_WHY];
  bool there;
  void *library = trm__optional_open(TRM__MPI_FILE, why, &there);
  if (!library)
    TRM_FAIL(err, TRM_E_SYSTEM,
             "a process manager started this (%s is set), but %s cannot be loaded (%.200s): build "
             "it (docs/CLUSTER.md), or have each process work alone with TRM_MPI=off",
             sign, TRM__MPI_FILE, why);

  /* Of this build. */
  trm__mpi_fn *table = NULL;
  void *symbol = trm__os_library_symbol(library, TRM__MPI_SYMBOL);
  memcpy(&table, &symbol, sizeof table);
  const trm__mpi_part *part = table ? table() : NULL;
  if (!part || !part->version || strcmp(part->version, TRM_VERSION) != 0 ||
      part->comm_bytes != sizeof(trm_comm))
    TRM_FAIL(err, TRM_E_SYSTEM,
             "%.200s is of trm %.40s or of another build, this is trm %s: build both from one "
             "source",
             why, part && part->version ? part->version : "?", TRM_VERSION);
  *out = part;
  return TRM_OK;
}

/* A communicator, and the part that closes it. */
typedef struct opened {
  trm_comm *comm;
  const trm__mpi_part *part;
} opened;
static opened of_process; /* MPI starts once in a process, and a communicator is its own */

trm_status trm_comm_open(trm_comm_wait_fn *wait, void *arg, trm_comm **out, trm_error *err) {
  const char *sign = find_sign();
  const trm__mpi_part *part;
  *out = NULL;
  if (!sign) return TRM_OK;
  if (of_process.part) TRM_FAIL(err, TRM_E_ARGUMENT, "a process has one communicator of MPI");
  TRM_TRY(load_part(sign, &part, err));
  TRM_TRY(part->open(wait, arg, out, err));
  of_process = (opened){*out, part};
  const trm_status st = trm__comm_check(*out, err);
  if (st == TRM_OK) return trm__comm_meet(*out, err);

  /* All ranks see the same number. */
  (*out)->agreed = true;
  if ((*out)->rank > 0 && err) err->msg[0] = 0;
  return st;
}

void trm_comm_close(trm_comm *comm, trm_status st) {
  if (!comm) return;
  of_process.part->close(comm, st == TRM_OK || comm->agreed ? 0 : FAILED);
  of_process.comm = NULL;
}
