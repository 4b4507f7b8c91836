/* A host program forks: the child goes on with pools, solvers and trainers that the parent made,
 * or frees them, and gets the same bits; the parent notices nothing. */
#include <stdatomic.h>
#include <time.h>

#include "base/team.h"
#include "child.h"
#include "processors.h"
#include "small_trainer.h"

enum { MAX_THREADS = 8 };

/* Longer than workers spin and yield. */
static void let_workers_fall_asleep(void) {
  const struct timespec a_while = {0, 30 * 1000 * 1000};
  (void)nanosleep(&a_while, NULL);
}

/* --- pools --- */

typedef struct count {
  trm__pool *pool;
  int n_teams;
  int cells[2][MAX_THREADS]; /* before and after a barrier of the team */
  atomic_int wrong;
} count;

static void count_lane(void *arg, trm__lane *lane) {
  count *c = arg;
  int *before = c->cells[0] + lane->team * lane->size, *after = c->cells[1];
  before[lane->rank]++;
  trm__lane_barrier(lane);
  for (int i = 1; i < lane->size; i++)
    if (before[i] != before[0]) atomic_fetch_add(&c->wrong, 1);
  trm__lane_barrier(lane);
  after[lane->team * lane->size + lane->rank]++;
}

static bool count_once(count *c) {
  memset(c->cells, 0, sizeof c->cells);
  atomic_store(&c->wrong, 0);
  trm__pool_run(c->pool, c->n_teams, count_lane, c);
  for (int i = 0; i < trm__pool_threads(c->pool); i++)
    if (c->cells[0][i] != 1 || c->cells[1][i] != 1) return false;
  return atomic_load(&c->wrong) == 0;
}

static bool count_often(void *arg) {
  for (int i = 0; i < 100; i++)
    if (!count_once(arg)) return false;
  return true;
}

static bool count_and_free(void *arg) {
  count *c = arg;
  const bool good = count_often(c);
  trm__pool_free(c->pool);
  return good;
}

static bool only_free(void *arg) {
  count *c = arg;
  trm__pool_free(c->pool);
  return true;
}

/* A grandchild, before and after the child has workers of its own. */
static bool pass_on(void *arg) {
  return child_does(count_and_free, arg) && count_often(arg) && child_does(count_and_free, arg) &&
         count_and_free(arg);
}

static void a_pool_works_on_in_both(void **state) {
  (void)state;
  static bool (*const jobs[])(void *) = {count_often, count_and_free, only_free, pass_on};
  static const int ways[][2] = {{1, 1}, {2, 1}, {2, 2}, {3, 1}, {6, 2}, {8, 8}};
  for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
    count c = {.n_teams = ways[w][1]};
    assert_int_equal(trm__pool_create(ways[w][0], &c.pool, NULL), TRM_OK);
#if !defined(__SANITIZE_ADDRESS__) /* a thread that starts holds a lock of the sanitizer's */
    assert_true(child_does(count_and_free, &c)); /* workers may not have begun yet */
#endif
    for (size_t j = 0; j < sizeof jobs / sizeof *jobs; j++) {
      assert_true(count_often(&c));
      assert_true(child_does(jobs[j], &c)); /* workers are on their way to sleep */
      let_workers_fall_asleep();
      assert_true(child_does(jobs[j], &c));
    }
    assert_true(count_and_free(&c));
  }
}

/* --- solvers --- */

enum { ROWS = 4, LEN = 130, VOCAB = 7 };

typedef struct solving {
  trm_solver *solver;
  int rows;
  int32_t inputs[ROWS * LEN];
  float want[ROWS * LEN * VOCAB];
} solving;

/* Logits after two steps. */
static const float *solve(solving *s) {
  const int32_t ids[ROWS] = {0};
  if (trm_solver_start(s->solver, s->rows, s->inputs, ids, NULL) != TRM_OK) return NULL;
  trm_solver_step(s->solver, NULL);
  trm_solver_step(s->solver, NULL);
  return trm_solver_logits(s->solver);
}

static bool solve_the_same(void *arg) {
  solving *s = arg;
  const float *got = solve(s);
  return got && memcmp(got, s->want, (size_t)(s->rows * LEN * VOCAB) * sizeof *got) == 0;
}

static bool solve_and_free(void *arg) {
  solving *s = arg;
  const bool good = solve_the_same(s);
  trm_solver_free(s->solver);
  return good;
}

/* One row is one tile for one team of all; four are enough for a team each. */
static void a_solver_gives_the_same_bits_in_both(void **state) {
  (void)state;
  const trm_model_config config = small_config(TRM_ARCH_TRM, LEN);
  trm_model *m = small_model(&config, 3);
  static solving s;
  trm__rng r = trm__rng_at(6, TRM__RNG_TEST, 1, 0);
  for (int i = 0; i < ROWS * LEN; i++) s.inputs[i] = (int32_t)trm__rng_below(&r, VOCAB);
  for (int threads = 1; threads <= 3; threads++) {
    const trm_solver_config c = {.batch = ROWS, .threads = threads};
    for (s.rows = 1; s.rows <= ROWS; s.rows += ROWS - 1) {
      assert_int_equal(trm_solver_create(m, &c, &s.solver, NULL), TRM_OK);
      const float *got = solve(&s);
      assert_non_null(got);
      memcpy(s.want, got, (size_t)(s.rows * LEN * VOCAB) * sizeof *got);
      assert_true(child_does(solve_the_same, &s));
      assert_true(child_does(solve_and_free, &s));
      assert_true(solve_and_free(&s));
    }
  }
  trm_model_free(m);
}

/* --- trainers --- */

typedef struct training {
  trm_trainer *trainer;
  trm_metrics want[3];
} training;

/* Three updates, and whether their losses and gradients were the wanted ones to the bit. */
static bool train_the_same(void *arg) {
  training *t = arg;
  bool same = true;
  for (int i = 0; i < 3; i++) {
    const trm_metrics got = small_update(t->trainer);
    same = same && got.loss == t->want[i].loss && got.grad_norm == t->want[i].grad_norm;
  }
  trm_trainer_free(t->trainer);
  return same;
}

static void a_trainer_trains_the_same_in_both(void **state) {
  (void)state;
  const trm_model_config c = model_config(MIXER);
  trm_model *m = small_model(&c, 1);
  for (int threads = 1; threads <= 3; threads++) { /* 2: two teams; 3: one team of three */
    trm_trainer_config config = small_training(SMALL_BATCH);
    training t = {.trainer = small_trainer(m, &config)};
    (void)small_update(t.trainer);
    for (int i = 0; i < 3; i++) t.want[i] = small_update(t.trainer);
    trm_trainer_free(t.trainer);
    config.threads = threads;
    t.trainer = small_trainer(m, &config);
    (void)small_update(t.trainer);
    assert_true(child_does(train_the_same, &t));
    assert_true(train_the_same(&t));
  }
  trm_model_free(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_pool_works_on_in_both),
      cmocka_unit_test(a_solver_gives_the_same_bits_in_both),
      cmocka_unit_test(a_trainer_trains_the_same_in_both),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
