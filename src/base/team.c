/* Threads that wait for each other cheaply in three worlds: with a processor each, a waiter
 * spins for the few microseconds between two ops; with more threads than processors, it
 * gives its processor away at once; where others want the processors, too, it sleeps.
 *
 * Everything rests on the gate, a counter that opens once per generation. A barrier is a
 * gate opened by the last to arrive; the pool starts work by opening a gate and ends it
 * with a barrier of all threads. Opening a gate publishes all that was written before.
 *
 * A gate is two numbers and a bed for those who sleep at it (base/os_thread.h): there is nothing
 * to make that could fail, and nothing that a fork could leave half done. */
#include "base/team.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "base/cpus.h"
#include "base/memory.h"
#include "base/os_file.h"
#include "base/os_thread.h"

/* Measured with two threads on two processors, alone and beside another such process. Longer spins
 * gain nothing and cost a fifth when a partner waits for this very processor; with fewer yields,
 * waiters sleep between ops and are late. */
enum {
  SPINS = 100,  /* pauses of about 10 to 40 ns each */
  YIELDS = 300, /* then let others run, as long as that costs less than sleeping and waking */
  /* Who yields to another program's thread is not asked again before its time slice is over,
   * milliseconds later, at every gate; who sleeps is given a processor soon after it is woken. A
   * yield that takes so long, in ns, says that it is so, for this number of waits. */
  LONG_YIELD = 100000,
  CROWDED_WAITS = 2000,
  /* The system's default may be as little as a shell's `ulimit -s` or musl's 128 KiB. The deepest
   * work, making mazes, takes 60 KiB; sanitizers make frames larger. */
  STACK_BYTES = 1 << 20
};

/* --- gates --- */

typedef struct gate {
  _Alignas(64) atomic_uint generation;
  atomic_uint sleepers;
  trm__os_bed bed;
} gate;

static void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/* Sleeper and opener each write one of (sleepers, generation) and then read the other, all
 * sequentially consistent: at least one of them sees the other, so no wake-up is lost. */
static void gate_open(gate *g) {
  atomic_fetch_add(&g->generation, 1);
  if (atomic_load(&g->sleepers) != 0) trm__os_wake_all(&g->bed, &g->generation);
}

static bool gate_opened(gate *g, unsigned seen) {
  return atomic_load_explicit(&g->generation, memory_order_acquire) != seen;
}

/* How the threads of a pool wait; each field says for how many times. */
typedef struct patience {
  int spins;            /* of each wait */
  atomic_int no_yields; /* waits from now on that do without */
} patience;

/* True when the gate opened; false when it is time to sleep. */
static bool wait_yielding(gate *g, unsigned seen, patience *p) {
  if (atomic_load_explicit(&p->no_yields, memory_order_relaxed) > 0) {
    atomic_fetch_sub_explicit(&p->no_yields, 1, memory_order_relaxed);
    return false;
  }
  int64_t before = trm__os_clock_ns();
  for (int i = 0; i < YIELDS; i++) {
    if (gate_opened(g, seen)) return true;
    trm__os_yield();
    const int64_t now = trm__os_clock_ns();
    if (now - before > LONG_YIELD) {
      atomic_store_explicit(&p->no_yields, CROWDED_WAITS, memory_order_relaxed);
      break;
    }
    before = now;
  }
  return gate_opened(g, seen);
}

/* Waits until the gate has left generation `seen`. */
static void gate_wait(gate *g, unsigned seen, patience *p) {
  for (int i = 0; i < p->spins; i++) {
    if (gate_opened(g, seen)) return;
    pause_briefly();
  }
  if (wait_yielding(g, seen, p)) return;
  atomic_fetch_add(&g->sleepers, 1);
  while (atomic_load(&g->generation) == seen) trm__os_sleep(&g->bed, &g->generation, seen);
  atomic_fetch_sub(&g->sleepers, 1);
}

/* --- barriers --- */

struct trm__barrier {
  gate gate;
  _Alignas(64) atomic_int arrived;
  int size;
  patience *patience; /* the pool's */
};

static void barrier_wait(trm__barrier *b) {
  /* The generation cannot change before this member has arrived. */
  const unsigned seen = atomic_load_explicit(&b->gate.generation, memory_order_relaxed);
  if (atomic_fetch_add(&b->arrived, 1) == b->size - 1) {
    atomic_store_explicit(&b->arrived, 0, memory_order_relaxed);
    gate_open(&b->gate);
  } else {
    gate_wait(&b->gate, seen, b->patience);
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
  trm__os_thread thread;
  int index;
} worker;

struct trm__pool {
  gate start;
  _Alignas(64) patience patience;
  int n_threads, n_started;
  int64_t owner; /* the process that the workers are threads of */
  bool quit;
  bool alone; /* no workers could be had after a fork: the caller is all lanes, one by one */
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
    gate_wait(&pool->start, seen, &pool->patience);
    if (pool->quit) return NULL;
    run_lane(pool, self->index);
    barrier_wait(&pool->barriers[pool->n_threads]);
  }
}

static void stop_workers(trm__pool *pool) {
  pool->quit = true;
  gate_open(&pool->start);
  for (int i = 1; i <= pool->n_started; i++) trm__os_thread_join(pool->workers[i].thread);
  pool->n_started = 0;
}

/* Shut, nobody at it. */
static void reset_gate(gate *g) {
  atomic_init(&g->generation, 0);
  atomic_init(&g->sleepers, 0);
  trm__os_bed_make(&g->bed);
}

static void reset_gates(trm__pool *pool) {
  reset_gate(&pool->start);
  for (int i = 0; i <= pool->n_threads; i++) {
    trm__barrier *b = &pool->barriers[i];
    reset_gate(&b->gate);
    atomic_init(&b->arrived, 0);
    b->size = pool->n_threads;
    b->patience = &pool->patience;
  }
}

/* Starts workers until all run or one cannot; 0 or why not (trm__os_text). */
static int start_each(trm__pool *pool) {
  while (pool->n_started < pool->n_threads - 1) {
    worker *w = &pool->workers[pool->n_started + 1];
    *w = (worker){.pool = pool, .index = pool->n_started + 1};
    const int cause = trm__os_thread_start(&w->thread, STACK_BYTES, work, w);
    if (cause) return cause;
    pool->n_started++;
  }
  return 0;
}

/* Makes this process the owner: fresh gates and all workers, or none. */
static trm_status start_workers(trm__pool *pool, trm_error *err) {
  pool->owner = trm__os_process();
  pool->n_started = 0;
  pool->quit = false;
  reset_gates(pool);
  const int cause = start_each(pool);
  if (!cause) return TRM_OK;
  const int failed = pool->n_started + 2;
  stop_workers(pool);
  TRM_FAIL(err, TRM_E_SYSTEM,
           "cannot start thread %d of %d (%s): no memory, or too many; ask for fewer threads",
           failed, pool->n_threads, trm__os_text(cause));
}

/* Every team in turn, with the caller as its only member. */
static void run_alone(trm__pool *pool) {
  for (int team = 0; team < pool->n_teams; team++) {
    trm__lane lane = {.team = team, .n_teams = pool->n_teams, .rank = 0, .size = 1};
    pool->fn(pool->arg, &lane);
  }
}

void trm__pool_run(trm__pool *pool, int n_teams, trm__lane_fn *fn, void *arg) {
  /* The child of a fork has a copy of the pool, but none of its threads. */
  if (pool->n_threads > 1 && pool->owner != trm__os_process())
    pool->alone = start_workers(pool, NULL) != TRM_OK;
  pool->n_teams = n_teams;
  pool->fn = fn;
  pool->arg = arg;
  if (pool->n_threads == 1 || pool->alone) {
    run_alone(pool);
    return;
  }
  for (int i = 0; i < n_teams; i++) pool->barriers[i].size = pool->n_threads / n_teams;
  gate_open(&pool->start);
  run_lane(pool, 0);
  barrier_wait(&pool->barriers[pool->n_threads]);
}

static trm_status fill_pool(trm__pool *pool, trm_error *err) {
  TRM_ALLOC(&pool->barriers, pool->n_threads + 1, "the barriers of a thread pool", err);
  TRM_ALLOC(&pool->workers, pool->n_threads, "the workers of a thread pool", err);
  return start_workers(pool, err);
}

trm_status trm__pool_create(int n_threads, trm__pool **out, trm_error *err) {
  *out = NULL;
  if (n_threads < 1 || n_threads > TRM__MAX_THREADS)
    TRM_FAIL(err, TRM_E_ARGUMENT, "threads: want 1 to %d, got %d", TRM__MAX_THREADS, n_threads);
  trm__pool *pool = NULL;
  TRM_ALLOC(&pool, 1, "a thread pool", err);
  pool->n_threads = n_threads;
  pool->patience.spins = n_threads <= trm__default_threads() ? SPINS : 0;
  const trm_status st = fill_pool(pool, err);
  if (st != TRM_OK) {
    trm__pool_free(pool);
    return st;
  }
  *out = pool;
  return TRM_OK;
}

void trm__pool_free(trm__pool *pool) {
  if (!pool) return;
  if (pool->n_started && pool->owner == trm__os_process()) stop_workers(pool);
  trm__free(pool->workers);
  trm__free(pool->barriers);
  trm__free(pool);
}

int trm__pool_threads(const trm__pool *pool) {
  return pool->n_threads;
}
