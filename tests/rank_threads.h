/* Ranks that are threads of one process: a communicator without a process manager. */
#ifndef TRM_TESTS_RANK_THREADS_H
#define TRM_TESTS_RANK_THREADS_H

#include <pthread.h>

#include "scratch.h"
#include "trm.h"

/* What one rank holds out to another until it is taken. */
typedef struct parcel {
  const void *data;
  size_t n;
  bool there;
} parcel;

typedef struct rank_group {
  pthread_mutex_t lock;
  pthread_cond_t news;
  int size;
  parcel to[TRM_COMM_MOST][TRM_COMM_MOST]; /* [from][to] */
  bool gone[TRM_COMM_MOST];                /* it has left */
  int64_t sent[TRM_COMM_MOST];             /* bytes, of each rank */
  size_t first[TRM_COMM_MOST];             /* and of its first message */
  int exchanges[TRM_COMM_MOST];
} rank_group;

typedef struct rank_thread {
  rank_group *group;
  trm_comm comm;
  void (*work)(struct rank_thread *r);
  void *arg;
  int leaves_after; /* exchanges; 0: never */
} rank_thread;

/* A rank whose message `at`, counted from 1, has this byte throughout; rank -1: none. */
static struct {
  int rank, at;
  unsigned char byte;
} garbles = {-1, 0, 0};

/* Waits until the parcel is (not) there; false when the other has left before. */
static inline bool rank_waits(rank_group *g, const parcel *p, bool there, int other) {
  while (p->there != there) {
    if (g->gone[other]) return false;
    pthread_cond_wait(&g->news, &g->lock);
  }
  return true;
}

static inline trm_status rank_exchange(void *arg, int peer, const void *out, size_t n_out, void *in,
                                       size_t n_in, trm_error *err) {
  rank_thread *r = arg;
  rank_group *g = r->group;
  const int self = r->comm.rank;
  parcel *mine = &g->to[self][peer], *theirs = &g->to[peer][self];
  bool came = peer >= 0 && peer < g->size && peer != self;
  size_t n = n_in;
  void *garbled = NULL;

  /* Held out, taken, and back when the other has taken it. */
  pthread_mutex_lock(&g->lock);
  if (++g->exchanges[self] > r->leaves_after && r->leaves_after) came = false;
  if (!g->sent[self]) g->first[self] = n_out;
  g->sent[self] += (int64_t)n_out;
  if (self == garbles.rank && g->exchanges[self] == garbles.at && n_out) {
    assert_non_null(garbled = malloc(n_out));
    out = memset(garbled, garbles.byte, n_out);
  }
  if (came && n_out) *mine = (parcel){out, n_out, true};
  pthread_cond_broadcast(&g->news);
  if (came && n_in && (came = rank_waits(g, theirs, true, peer))) {
    n = theirs->n;
    if (n == n_in) memcpy(in, theirs->data, n);
    theirs->there = false;
    pthread_cond_broadcast(&g->news);
  }
  if (came && n_out) came = rank_waits(g, mine, false, peer);
  if (!came) *mine = (parcel){0}; /* nobody takes it any more */
  pthread_mutex_unlock(&g->lock);
  free(garbled);
  if (came && n == n_in) return TRM_OK;
  if (err) {
    *err = (trm_error){.code = TRM_E_SYSTEM, .pos = -1};
    if (came)
      snprintf(err->msg, sizeof err->msg, "out of step with rank %d: %zu bytes, want %zu", peer, n,
               n_in);
    else
      snprintf(err->msg, sizeof err->msg, "rank %d is gone", peer);
  }
  return TRM_E_SYSTEM;
}

static inline void *rank_runs(void *arg) {
  rank_thread *r = arg;
  r->work(r);
  pthread_mutex_lock(&r->group->lock);
  r->group->gone[r->comm.rank] = true;
  pthread_cond_broadcast(&r->group->news);
  pthread_mutex_unlock(&r->group->lock);
  return NULL;
}

/* work(r) on each of so many ranks, with args[rank] of `size` bytes each; returns when all are
 * done. leaver: a rank that is gone after so many exchanges; -1: none. */
static inline rank_group ranks_run(int ranks, void (*work)(rank_thread *), void *args, size_t size,
                                   int leaver, int after) {
  rank_group g = {.size = ranks};
  rank_thread r[TRM_COMM_MOST];
  pthread_t thread[TRM_COMM_MOST];
  assert_int_equal(pthread_mutex_init(&g.lock, NULL), 0);
  assert_int_equal(pthread_cond_init(&g.news, NULL), 0);
  for (int i = 0; i < ranks; i++) {
    r[i] = (rank_thread){.group = &g,
                         .comm = {.rank = i, .size = ranks, .exchange = rank_exchange},
                         .work = work,
                         .arg = (char *)args + (size_t)i * size,
                         .leaves_after = i == leaver ? after : 0};
    r[i].comm.arg = &r[i];
    snprintf(r[i].comm.name, sizeof r[i].comm.name, "host%d", i);
    assert_int_equal(pthread_create(&thread[i], NULL, rank_runs, &r[i]), 0);
  }
  for (int i = 0; i < ranks; i++) assert_int_equal(pthread_join(thread[i], NULL), 0);
  pthread_cond_destroy(&g.news);
  pthread_mutex_destroy(&g.lock);
  return g;
}

#endif
