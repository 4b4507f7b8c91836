/* The system refuses the n-th block of memory, or the n-th thread: base and io report it and
 * give back all they took (the address sanitizer sees what they do not). */
#include "base/memory.h"
#include "base/team.h"
#include "child.h"
#include "io/npy.h"
#include "io/safetensors.h"
#include "refuse.h"
#include "scratch.h"

static trm_status make_pool(scratch *s, trm_error *err) {
  (void)s;
  trm__pool *pool;
  TRM_TRY(trm__pool_create(4, &pool, err));
  trm__pool_free(pool);
  return TRM_OK;
}

static trm_status make_folders(scratch *s, trm_error *err) {
  return trm__make_dirs(s->dir, err);
}

static const int64_t shape[] = {3};
static const float values[] = {1, 2, 3};

static trm_status save_npy(scratch *s, trm_error *err) {
  return trm__npy_save(scratch_path(s, "a.npy"), TRM__NPY_F4, 1, shape, values, err);
}

static const trm__st_tensor tensor = {
    .name = "t", .dtype = TRM__F32, .ndim = 1, .shape = {3}, .data = values};

static trm_status save_tensors(scratch *s, trm_error *err) {
  return trm__safetensors_save(scratch_path(s, "a.safetensors"), &tensor, 1, NULL, 0, err);
}

static trm_status load_tensors(scratch *s, trm_error *err) {
  trm__safetensors *file;
  TRM_TRY(trm__safetensors_open(scratch_path(s, "kept.safetensors"), &file, err));
  trm__safetensors_close(file);
  return TRM_OK;
}

static void every_refusal_is_reported(void **state) {
  scratch *s = *state;

  /* Whatever takes memory or threads on the lowest floor. */
  static trm_status (*const jobs[])(scratch *, trm_error *) = {make_pool, make_folders, save_npy,
                                                               save_tensors, load_tensors};
  const char *path = scratch_path(s, "kept.safetensors");
  assert_int_equal(trm__safetensors_save(path, &tensor, 1, NULL, 0, NULL), TRM_OK);

  /* Each job with its first call refused, then its second, until none is. */
  for (size_t j = 0; j < sizeof jobs / sizeof jobs[0]; j++) {
    int n = 0;
    trm_status st;
    trm_error err;
    for (; REFUSING(n, st, err, jobs[j](s, &err)); n++) {
      /* A refusal has a code and a text, and leaves no file. */
      assert_true(st == TRM_E_MEMORY || st == TRM_E_SYSTEM);
      assert_int_equal(err.code, st);
      assert_true(strlen(err.msg) > 10);
      assert_false(trm__path_exists(scratch_path(s, "a.npy")));
      assert_false(trm__path_exists(scratch_path(s, "a.safetensors")));
    }

    /* Every job takes something, and makes its file in the end. */
    assert_true(n > 0);
    assert_int_equal(trm__remove_tree(scratch_path(s, "a.npy"), NULL), TRM_OK);
    assert_int_equal(trm__remove_tree(scratch_path(s, "a.safetensors"), NULL), TRM_OK);
  }
}

/* --- a fork, and no threads for the child --- */

enum { TEAMS = 2, THREADS = 4, RUNS = 20 };

typedef struct visits {
  int team[TEAMS]; /* by the first member */
  bool alone;      /* every member is the only one of its team */
} visits;

static void visit_lane(void *arg, trm__lane *lane) {
  visits *v = arg;
  if (lane->rank == 0) v->team[lane->team]++;
  if (lane->size > 1 && lane->team == 0 && lane->rank == 0) v->alone = false;
  trm__lane_barrier(lane);
}

/* Whether every team ran, and ran alone or not. */
static bool visit_all(trm__pool *pool, bool alone) {
  visits v = {.alone = true};
  for (int i = 0; i < RUNS; i++) trm__pool_run(pool, TEAMS, visit_lane, &v);
  return v.team[0] == RUNS && v.team[1] == RUNS && v.alone == alone;
}

typedef struct refusal {
  trm__pool *pool;
  int n;
} refusal;

static bool visit_with_refusal(void *arg) {
  refusal *r = arg;
  calls_left = r->n;
  const bool good = visit_all(r->pool, r->n < THREADS - 1);
  trm__pool_free(r->pool);
  return good;
}

/* The system refuses the n-th thread: none is left over, the caller does all the work. */
static void a_child_without_threads_works_alone(void **state) {
  (void)state;
  refusal r;
  assert_int_equal(trm__pool_create(THREADS, &r.pool, NULL), TRM_OK);
  assert_true(visit_all(r.pool, false));
  for (r.n = 0; r.n < THREADS; r.n++) assert_true(child_does(visit_with_refusal, &r));
  assert_true(visit_all(r.pool, false));
  trm__pool_free(r.pool);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_refusal_is_reported),
                                     cmocka_unit_test(a_child_without_threads_works_alone)};
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
