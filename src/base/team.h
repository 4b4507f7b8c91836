/* Threads: a pool of workers split into teams that run in lockstep.
 *
 * trm__pool_run calls fn on every thread of the pool at once, each with its lane:
 * which team it is in, its rank there, and a barrier shared by the team. Model code
 * is written for a lane: every op splits its rows among the `size` members and ends
 * in a barrier. One team per thread suits a large batch (no waiting); one team of
 * all threads suits a single puzzle (latency).
 *
 * Teams know nothing of each other: a pool may run them at once, one after the other, and with
 * fewer members than it has threads. That is what remains when the process forks: the child has
 * the pool, which must have been idle, but no threads of it. Its first run there starts new ones;
 * where the system refuses them, the caller runs every team in turn as its only member. Results
 * are the same bits either way. Parent and child go on independently, and each frees its own. */
#ifndef TRM_BASE_TEAM_H
#define TRM_BASE_TEAM_H

#include <stdint.h>

#include "base/error.h"

/* A slip of the pen must not take all memory for barriers. */
enum { TRM__MAX_THREADS = 1 << 14 };

typedef struct trm__pool trm__pool;
typedef struct trm__barrier trm__barrier;

typedef struct trm__lane {
  int team, n_teams; /* this team, of so many */
  int rank, size;    /* this member, of so many */
  trm__barrier *barrier;
} trm__lane;

typedef void trm__lane_fn(void *arg, trm__lane *lane);

/* n_threads >= 1; the calling thread is one of them, n_threads - 1 are started. */
trm_status trm__pool_create(int n_threads, trm__pool **out, trm_error *err);
void trm__pool_free(trm__pool *pool); /* NULL is fine */
int trm__pool_threads(const trm__pool *pool);
/* Runs fn(arg, lane) on every thread as n_teams teams (n_teams divides the number of
 * threads); returns when all are done. */
void trm__pool_run(trm__pool *pool, int n_teams, trm__lane_fn *fn, void *arg);
/* Waits for all members of the team; returns at once in a team of one. */
void trm__lane_barrier(trm__lane *lane);
/* This member's share [*lo, *hi) of n items in units of `grain` items. */
void trm__lane_share(const trm__lane *lane, int64_t n, int64_t grain, int64_t *lo, int64_t *hi);

#endif
