/* Threads that wait for each other cheaply in both worlds: with a processor each, a waiter
 * spins for the few microseconds between two ops; with more threads than processors, it
 * gives its processor away at once.
 *
 * Everything rests on the gate, a counter that opens once per generation. A barrier is a
 * gate opened by the last to arrive; the pool starts work by opening a gate and ends it
 * with a barrier of all threads. Opening a gate publishes all that was written before. */
#include "base/team.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

enum {
  SPINS = 500, /* pauses of about 10 to 40 ns each: longer than an imbalance between ops */
  YIELDS = 20, /* then let others run, as long as that costs less than sleeping and waking */
  CPU_SET_MAX = 1 << 20,
  MAX_THREADS = 1 << 14 /* a slip of the pen must not take all memory for barriers */
};

/* --- gates --- */

typedef struct gate {
  _Alignas(64) atomic_uint generation;
  atomic_uint sleepers;
  pthread_mutex_t mutex;
  pthread_cond_t cond;
} gate;

static void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static int gate_init(gate *g) {
  atomic_init(&g->generation, 0);
  atomic_init(&g->sleepers, 0);
  int cause = pthread_mutex_init(&g->mutex, NULL);
  if (cause) return cause;
  cause = pthread_cond_init(&g->cond, NULL);
  if (cause) (void)pthread_mutex_destroy(&g->mutex);
  return cause;
}

static void gate_destroy(gate *g) {
  (void)pthread_cond_destroy(&g->cond);
  (void)pthread_mutex_destroy(&g->mutex);
}

/* Sleeper and opener each write one of (sleepers, generation) and then read the other, all
 * sequentially consistent: at least one of them sees the other, so no wake-up is lost. */
static void gate_open(gate *g) {
  atomic_fetch_add(&g->generation, 1);
  if (atomic_load(&g->sleepers) == 0) return;
  (void)pthread_mutex_lock(&g->mutex);
  (void)pthread_cond_broadcast(&g->cond);
  (void)pthread_mutex_unlock(&g->mutex);
}

static bool gate_opened(gate *g, unsigned seen) {
  return atomic_load_explicit(&g->generation, memory_order_acquire) != seen;
}

/* Waits until the gate has left generation `seen`. */
static void gate_wait(gate *g, unsigned seen, int spins) {
  for (int i = 0; i < spins; i++) {
    if (gate_opened(g, seen)) return;
    pause_briefly();
  }
  for (int i = 0; i < YIELDS; i++) {
    if (gate_opened(g, seen)) return;
    (void)sched_yield();
  }
  (void)pthread_mutex_lock(&g->mutex);
  atomic_fetch_add(&g->sleepers, 1);
  while (atomic_load(&g->generation) == seen) (void)pthread_cond_wait(&g->cond, &g->mutex);
  atomic_fetch_sub(&g->sleepers, 1);
  (void)pthread_mutex_unlock(&g->mutex);
}

/* --- barriers --- */

struct trm__barrier {
  gate gate;
  _Alignas(64) atomic_int arrived;
  int size, spins;
};

static void barrier_wait(trm__barrier *b) {
  /* The generation cannot change before this member has arrived. */
  const unsigned seen = atomic_load_explicit(&b->gate.generation, memory_order_relaxed);
  if (atomic_fetch_add(&b->arrived, 1) == b->size - 1) {
    atomic_store_explicit(&b->arrived, 0, memory_order_relaxed);
    gate_open(&b->gate);
  } else {
    gate_wait(&b->gate, seen, b->spins);
  }
}

void trm__lane_barrier(trm__lane *lane) {
  if (lane->size > 1) barrier_wait(lane->barrier);
}

void trm__lane_share(const trm__lane *lane, int64_t n, int64_t grain, int64_t *lo, int64_t *hi) {
  const int64_t units = n / grain + (n % grain != 0);
  const int64_t each = units / lane->size, more = units % lane->size;
  const int64_t first = lane->rank * each + (lane->rank < more ? lane->rank : more);
  const int64_t last = first + each + (lane->rank < more);
  *lo = first * grain < n ? first * grain : n;
  *hi = last == units ? n : last * grain;
}

/* --- the pool --- */

typedef struct worker {
  trm__pool *pool;
  pthread_t thread;
  int index;
} worker;

struct trm__pool {
  gate start;
  int n_threads, n_started, n_barriers, spins;
  bool quit;
  /* The work in hand: written before `start` opens, read after. */
  int n_teams;
  trm__lane_fn *fn;
  void *arg;
  worker *workers;        /* [n_threads], the first unused: the caller */
  trm__barrier *barriers; /* [n_threads + 1]: one for each team, the last for the end of work */
};

static void run_lane(trm__pool *pool, int index) {
  const int size = pool->n_threads / pool->n_teams;
  trm__lane lane = {.team = index / size,
                    .n_teams = pool->n_teams,
                    .rank = index % size,
                    .size = size,
                    .barrier = &pool->barriers[index / size]};
  pool->fn(pool->arg, &lane);
}

static void *work(void *arg) {
  const worker *self = arg;
  trm__pool *pool = self->pool;
  for (unsigned seen = 0;; seen++) {
    gate_wait(&pool->start, seen, pool->spins);
    if (pool->quit) return NULL;
    run_lane(pool, self->index);
    barrier_wait(&pool->barriers[pool->n_threads]);
  }
}

void trm__pool_run(trm__pool *pool, int n_teams, trm__lane_fn *fn, void *arg) {
  pool->n_teams = n_teams;
  pool->fn = fn;
  pool->arg = arg;
  for (int i = 0; i < n_teams; i++) pool->barriers[i].size = pool->n_threads / n_teams;
  if (pool->n_threads > 1) gate_open(&pool->start);
  run_lane(pool, 0);
  if (pool->n_threads > 1) barrier_wait(&pool->barriers[pool->n_threads]);
}

static trm_status init_barriers(trm__pool *pool, trm_error *err) {
  TRM_ALLOC(&pool->barriers, pool->n_threads + 1, "the barriers of a thread pool", err);
  for (; pool->n_barriers <= pool->n_threads; pool->n_barriers++) {
    trm__barrier *b = &pool->barriers[pool->n_barriers];
    const int cause = gate_init(&b->gate);
    if (cause) TRM_FAIL(err, TRM_E_SYSTEM, "cannot make a barrier: %s", strerror(cause));
    atomic_init(&b->arrived, 0);
    b->size = pool->n_threads;
    b->spins = pool->spins;
  }
  return TRM_OK;
}

static trm_status start_workers(trm__pool *pool, trm_error *err) {
  TRM_ALLOC(&pool->workers, pool->n_threads, "the workers of a thread pool", err);
  /* Signals are the embedding program's: its own threads take them, workers none. */
  sigset_t all, before;
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  int cause = 0;
  while (!cause && pool->n_started < pool->n_threads - 1) {
    worker *w = &pool->workers[pool->n_started + 1];
    *w = (worker){.pool = pool, .index = pool->n_started + 1};
    cause = pthread_create(&w->thread, NULL, work, w);
    if (!cause) pool->n_started++;
  }
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (cause)
    TRM_FAIL(err, TRM_E_SYSTEM, "cannot start thread %d of %d: %s; ask for fewer threads",
             pool->n_started + 2, pool->n_threads, strerror(cause));
  return TRM_OK;
}

trm_status trm__pool_create(int n_threads, trm__pool **out, trm_error *err) {
  *out = NULL;
  if (n_threads < 1 || n_threads > MAX_THREADS)
    TRM_FAIL(err, TRM_E_ARGUMENT, "threads: want 1 to %d, got %d", MAX_THREADS, n_threads);
  trm__pool *pool = NULL;
  TRM_ALLOC(&pool, 1, "a thread pool", err);
  pool->n_threads = n_threads;
  pool->spins = n_threads <= trm__default_threads() ? SPINS : 0;
  const int cause = gate_init(&pool->start);
  if (cause) {
    trm__free(pool);
    TRM_FAIL(err, TRM_E_SYSTEM, "cannot make a thread pool: %s", strerror(cause));
  }
  trm_status st = init_barriers(pool, err);
  if (st == TRM_OK) st = start_workers(pool, err);
  if (st != TRM_OK) {
    trm__pool_free(pool);
    return st;
  }
  *out = pool;
  return TRM_OK;
}

void trm__pool_free(trm__pool *pool) {
  if (!pool) return;
  pool->quit = true;
  gate_open(&pool->start);
  for (int i = 1; i <= pool->n_started; i++) (void)pthread_join(pool->workers[i].thread, NULL);
  for (int i = 0; i < pool->n_barriers; i++) gate_destroy(&pool->barriers[i].gate);
  gate_destroy(&pool->start);
  trm__free(pool->workers);
  trm__free(pool->barriers);
  trm__free(pool);
}

int trm__pool_threads(const trm__pool *pool) {
  return pool->n_threads;
}

int trm__default_threads(void) {
  /* The kernel refuses (EINVAL) a set smaller than its own. */
  for (int n = CPU_SETSIZE; n <= CPU_SET_MAX; n *= 2) {
    cpu_set_t *set = CPU_ALLOC(n);
    if (!set) break;
    const size_t size = CPU_ALLOC_SIZE(n);
    const int count = sched_getaffinity(0, size, set) ? 0 : CPU_COUNT_S(size, set);
    CPU_FREE(set);
    if (count > 0) return count;
  }
  const long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 && online <= CPU_SET_MAX ? (int)online : 1;
}
