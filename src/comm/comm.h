/* What ranks do together, made of exchanges (trm/comm.h). comm NULL is a process alone, and nothing
 * happens then. An exchange that fails is the call's failure; the ranks are out of step afterwards.
 */
#ifndef TRM_COMM_COMM_H
#define TRM_COMM_COMM_H

#include <stdint.h>

#include "base/error.h"
#include "trm/comm.h"

static inline int trm__comm_size(const trm_comm *c) {
  return c ? c->size : 1;
}
static inline int trm__comm_rank(const trm_comm *c) {
  return c ? c->rank : 0;
}
/* The rank that writes and tells: 0, or who is alone. */
static inline bool trm__comm_leads(const trm_comm *c) {
  return trm__comm_rank(c) == 0;
}

/* At the start of what ranks do together: no failure is known yet. And at its end: this one is, of
 * which all have the same, and another trm__comm_settle has nothing to tell. */
static inline void trm__comm_begin(trm_comm *c) {
  if (c) c->agreed = false;
}
static inline void trm__comm_all_know(trm_comm *c) {
  if (c) c->agreed = true;
}

/* CONFIG for a communicator that is none, or has a number of ranks that no tree of sums has. */
trm_status trm__comm_check(const trm_comm *c, trm_error *err);
/* The same, and then, once for a communicator: CONFIG on all ranks where one has another version or
 * commit of trm. In front of all that ranks say to each other. */
trm_status trm__comm_meet(trm_comm *c, trm_error *err);
/* Of a rank that says it is of this version. */
trm_status trm__comm_meet_as(trm_comm *c, const char *version, trm_error *err);
trm_status trm__comm_exchange(trm_comm *c, int peer, const void *out, size_t n_out, void *in,
                              size_t n_in, trm_error *err);

/* Every rank comes with the status of what it did alone, and all leave with the same one: OK, or
 * that of the first rank that failed, whose name is in front of its message. A place of all ranks
 * must not be entered by some while others have failed before it: this is in front of it. A failure
 * that all know already is passed on as it is. */
trm_status trm__comm_settle(trm_comm *c, trm_status st, trm_error *err);

/* all[]: rank r has bytes [at[r], at[r + 1]) of it, at[size + 1] rising; then everyone has all. */
trm_status trm__comm_gather(trm_comm *c, void *all, const size_t *at, trm_error *err);
/* The same with `bytes` of each rank. */
trm_status trm__comm_gather_equal(trm_comm *c, void *all, size_t bytes, trm_error *err);
/* data[n] of rank 0, or of rank `from`, goes to all. */
trm_status trm__comm_broadcast(trm_comm *c, void *data, size_t n, trm_error *err);
trm_status trm__comm_broadcast_from(trm_comm *c, int from, void *data, size_t n, trm_error *err);
/* v[n] becomes the sum over the ranks, for counts. scratch [n]. */
trm_status trm__comm_add(trm_comm *c, int64_t *v, size_t n, int64_t *scratch, trm_error *err);
/* CONFIG on all ranks where one has another text than rank 0: "its WHAT is TEXT, rank 0's TEXT". */
trm_status trm__comm_same(trm_comm *c, const char *what, const char *text, const char *remedy,
                          trm_error *err);

#endif
