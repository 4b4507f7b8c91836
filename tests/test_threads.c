/* How many threads are started, how they wait where others want the processors, and what stack they
 * have. */
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/cpus.h"
#include "base/team.h"
#include "child.h"
#include "processors.h"
#include "small_trainer.h"

/* --- as many as are of use --- */

static int threads_of_this_process(void) {
  DIR *dir = opendir("/proc/self/task");
  int n = 0;
  assert_non_null(dir);
  for (const struct dirent *e; (e = readdir(dir));) n += e->d_name[0] != '.';
  closedir(dir);
  return n;
}

/* Whether so many run, now or soon: one that was joined is listed for another moment. */
static bool threads_become(int n) {
  const struct timespec moment = {.tv_nsec = 1000000};
  for (int i = 0; i < 2000 && threads_of_this_process() != n; i++) nanosleep(&moment, NULL);
  return threads_of_this_process() == n;
}

static void a_number_that_is_asked_for(void **state) {
  (void)state;
  const int all = trm__default_threads();
  assert_int_equal(trm__useful_threads(0), all);
  assert_int_equal(trm__useful_threads(1), 1);
  assert_int_equal(trm__useful_threads(all), all);
  assert_int_equal(trm__useful_threads(all + 1), all);
  assert_int_equal(trm__useful_threads(TRM__MAX_THREADS), all);
  assert_int_equal(trm__useful_threads(TRM__MAX_THREADS + 1), TRM__MAX_THREADS + 1);
  assert_int_equal(trm__useful_threads(-1), -1);
}

/* A team of more threads than processors waits at every op for those that have none. */
/* `want` is the state of the first trainer, and to be freed. */
static void is_as_the_first(scratch *s, const trm_trainer *t, state_bytes *want) {
  const state_bytes got = state_of(s, t);
  if (!want->data) *want = got;
  assert_true(same_state(got, *want));
  if (got.data != want->data) free(got.data);
}

static void threads_beyond_the_processors_are_not_started(void **state) {
  /* Two processors, and more threads than that. */
  scratch *s = *state;
  static const int asked[] = {1, 2, 3, 5, 7, 9, 15, 31};
  const trm_model_config mc = model_config(MIXER);
  trm_model *m = small_model(&mc, 5);
  trm_trainer_config c = small_training(SMALL_BATCH);
  trm_trainer_cost cost;
  state_bytes want = {0};
  trm_solver *solver;
  test_processors = 2;

  /* With the first thread a sanitizer starts one of its own, which stays. */
  trm__pool *first;
  assert_int_equal(trm__pool_create(2, &first, NULL), TRM_OK);
  trm__pool_free(first);
  (void)threads_become(1);
  const int before = threads_of_this_process();

  /* Each number that may be asked for: */
  for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
    const int useful = asked[i] < 2 ? asked[i] : trm__default_threads();
    c.threads = asked[i];

    /* no more are used than there are processors, */
    assert_int_equal(trm_trainer_cost_of(&mc, &c, &cost, NULL), TRM_OK);
    assert_int_equal(cost.threads, useful);
    assert_int_equal(cost.teams, useful);

    /* no more are started, */
    trm_trainer *t = small_trainer(m, &c);
    assert_true(threads_become(before + useful - 1));
    small_update(t);

    /* and the results are the same. */
    is_as_the_first(s, t, &want);
    trm_trainer_free(t);

    /* Solvers do as trainers do. */
    const trm_solver_config sc = {.batch = 2, .threads = asked[i]};
    assert_int_equal(trm_solver_create(m, &sc, &solver, NULL), TRM_OK);
    assert_true(threads_become(before + useful - 1));
    trm_solver_free(solver);
  }

  free(want.data);
  test_processors = 16;
  trm_model_free(m);
}

/* Where the activations of all teams would take more than they may, teams are fewer and larger, and
 * compute the same. */
static void teams_are_fewer_where_memory_binds(void **state) {
  scratch *s = *state;
  const trm_model_config mc = model_config(ATTENTION);
  trm_model *m = small_model(&mc, 5);
  trm_trainer_config c = small_training(SMALL_BATCH);
  trm_trainer_cost all, cost;
  state_bytes want = {0};

  /* Who says how many rows has all teams: what those take at the least. */
  c.threads = 8;
  c.micro_batch = 1;
  c.memory_budget = 1;
  assert_int_equal(trm_trainer_cost_of(&mc, &c, &all, NULL), TRM_OK);
  assert_int_equal(all.teams, 8);

  for (int eighths = 8; eighths >= 0; eighths -= 2) {
    c.micro_batch = 0;
    c.memory_budget = all.activations / 8 * eighths + 1;
    assert_int_equal(trm_trainer_cost_of(&mc, &c, &cost, NULL), TRM_OK);
    assert_true(cost.activations <= c.memory_budget || cost.teams == 1);
    assert_true(eighths < 8 ? cost.teams < 8 : cost.teams == 8);
    if (eighths == 0) assert_int_equal(cost.teams, 1);

    trm_trainer *t = small_trainer(m, &c);
    small_update(t);
    is_as_the_first(s, t, &want);
    trm_trainer_free(t);
  }
  free(want.data);
  trm_model_free(m);
}

/* --- waiting in a crowd --- */

static atomic_bool crowded; /* somebody else has the processor for longer than a gate is worth */
static atomic_int yields;

/* In place of the C library's. */
int sched_yield(void) {
  const struct timespec slice = {.tv_nsec = 1000000};
  atomic_fetch_add(&yields, 1);
  if (atomic_load(&crowded)) nanosleep(&slice, NULL);
  return 0;
}

enum { ROUNDS = 300, MEMBERS = 3 };

/* One member comes later than the others, who wait. */
static void meet(void *arg, trm__lane *lane) {
  const struct timespec late = {.tv_nsec = 50000};
  (void)arg;
  for (int i = 0; i < ROUNDS; i++) {
    if (i % lane->size == lane->rank) nanosleep(&late, NULL);
    trm__lane_barrier(lane);
  }
}

/* Yielding at every gate would give a time slice away at each. */
static void who_is_in_a_crowd_sleeps(void **state) {
  (void)state;
  for (int processors = 1; processors <= 16; processors += 15) {
    trm__pool *pool;
    test_processors = processors;
    assert_int_equal(trm__pool_create(MEMBERS, &pool, NULL), TRM_OK);
    atomic_store(&crowded, true);
    atomic_store(&yields, 0);
    trm__pool_run(pool, 1, meet, NULL);
    atomic_store(&crowded, false);
    const int given_away = atomic_load(&yields);
    trm__pool_free(pool);
    assert_in_range(given_away, 1, 3 * MEMBERS);
  }
  test_processors = 16;
}

/* --- stacks --- */

/* Uses more stack than a thread has on a host with a small default. */
static void use_stack(void *arg, trm__lane *lane) {
  volatile unsigned char much[300 << 10];
  (void)arg;
  for (size_t i = sizeof much; i > 0; i -= 1 << 10) much[i - 1] = (unsigned char)lane->rank;
  assert_true(much[sizeof much - 1] == lane->rank);
}

static bool run_on_small_default(void *arg) {
  pthread_attr_t attr;
  trm__pool *pool;
  (void)arg;
  if (pthread_attr_init(&attr) || pthread_attr_setstacksize(&attr, 128 << 10) ||
      pthread_setattr_default_np(&attr) || trm__pool_create(3, &pool, NULL) != TRM_OK)
    return false;
  trm__pool_run(pool, 1, use_stack, NULL);
  trm__pool_free(pool);
  return true;
}

static void threads_have_a_stack_of_their_own_size(void **state) {
  (void)state;
  assert_true(child_does(run_on_small_default, NULL));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_number_that_is_asked_for),
      cmocka_unit_test(threads_beyond_the_processors_are_not_started),
      cmocka_unit_test(teams_are_fewer_where_memory_binds),
      cmocka_unit_test(who_is_in_a_crowd_sleeps),
      cmocka_unit_test(threads_have_a_stack_of_their_own_size),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
