/* Updates ask the system for nothing; creation, saving and loading report every refusal and give
 * back what they took. */
#include <errno.h>
#include <pthread.h>

#include "processors.h"
#include "small_trainer.h"

static int calls_left = -1; /* calls that still succeed; -1: all */
static int calls, held;     /* calls made, blocks not given back */

static int refused(void) {
  calls++;
  if (calls_left < 0) return 0;
  return calls_left-- == 0;
}
static void *taken(void *p) {
  held += p != NULL;
  return p;
}

int __real_posix_memalign(void **p, size_t align, size_t n);
int __wrap_posix_memalign(void **p, size_t align, size_t n);
int __wrap_posix_memalign(void **p, size_t align, size_t n) {
  if (refused()) return ENOMEM;
  const int cause = __real_posix_memalign(p, align, n);
  held += cause == 0;
  return cause;
}

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_malloc(size_t n) {
  return refused() ? NULL : taken(__real_malloc(n));
}
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size) {
  return refused() ? NULL : taken(__real_calloc(n, size));
}
void *__real_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n) {
  if (refused()) return NULL;
  return p ? __real_realloc(p, n) : taken(__real_realloc(p, n));
}
void __real_free(void *p);
void __wrap_free(void *p);
void __wrap_free(void *p) {
  held -= p != NULL;
  __real_free(p);
}

int __real_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg) {
  return refused() ? EAGAIN : __real_pthread_create(t, a, fn, arg);
}

static trm_model *hard_model(void) {
  trm_model_config mc = small_config(TRM_ARCH_HRM, SMALL_LEN);
  mc.halt_exploration_prob = 0.5;
  return small_model(&mc, 5);
}

static void updates_ask_for_nothing(void **state) {
  static const int threads[] = {1, 3, 8};
  trm_model *m = hard_model();
  (void)state;
  for (int i = 0; i < 3; i++) {
    trm_trainer_config c = small_training(9);
    c.threads = threads[i];
    trm_trainer *t = small_trainer(m, &c);
    const int before = calls;
    calls_left = 0;
    for (int u = 0; u < 6; u++) (void)small_update(t);
    assert_non_null(trm_trainer_ema(t));
    calls_left = -1;
    assert_int_equal(calls, before);
    trm_trainer_free(t);
  }
  trm_model_free(m);
}

typedef struct things {
  scratch *s;
  trm_model *model;
  trm_trainer *trainer;
  state_bytes kept; /* the file that is loaded */
} things;

static trm_status create(things *t, trm_error *err) {
  trm_trainer_config c = small_training(9);
  trm_trainer *made = NULL;
  c.threads = 3;
  const trm_status st = trm_trainer_create(t->model, &c, &made, err);
  assert_true((st == TRM_OK) == (made != NULL));
  trm_trainer_free(made);
  return st;
}
static trm_status save(things *t, trm_error *err) {
  return trm_trainer_save(t->trainer, scratch_path(t->s, "saved"), err);
}
static trm_status load(things *t, trm_error *err) {
  return trm_trainer_load(t->trainer, scratch_path(t->s, "kept"), err);
}

static void expect_state(const things *t, state_bytes want) {
  const state_bytes now = state_of(t->s, t->trainer);
  assert_true(same_state(now, want));
  free(now.data);
}

/* Refuses one call after the other until the job does with what it gets. */
static void refuse_each(things *t, trm_status (*job)(things *, trm_error *)) {
  /* The first call, then the second, until none is refused. */
  const state_bytes before = state_of(t->s, t->trainer);
  int n = 0;
  for (;; n++) {
    trm_error err = {0};
    const int had = held;
    calls_left = n;
    const trm_status st = job(t, &err);
    const int unused = calls_left;
    calls_left = -1;

    /* All memory is given back; a load that did without what was refused has loaded all. */
    if (held != had) fail_msg("call %d: %d blocks were not given back", n, held - had);
    if (st == TRM_OK && job == load) expect_state(t, t->kept);

    /* Nothing was refused: the job works. */
    if (unused >= 0) {
      assert_int_equal(st, TRM_OK);
      break;
    }

    /* A refusal has a code and a text, leaves no file, and a trainer as it was. */
    if (st != TRM_E_MEMORY && !(st == TRM_E_SYSTEM && job == create))
      fail_msg("call %d: status %d: %s", n, st, err.msg);
    assert_int_equal(err.code, st);
    assert_true(strlen(err.msg) > 10);
    assert_false(job == save && trm__path_exists(scratch_path(t->s, "saved")));
    if (job == load) expect_state(t, before);
  }

  /* Every job takes something. */
  assert_true(n > 1);
  free(before.data);
}

static void every_refusal_is_reported(void **state) {
  things t = {.s = *state, .model = hard_model()};
  const trm_trainer_config c = small_training(9);
  t.trainer = small_trainer(t.model, &c);
  (void)small_update(t.trainer);
  (void)small_update(t.trainer);
  assert_int_equal(trm_trainer_save(t.trainer, scratch_path(t.s, "kept"), NULL), TRM_OK);
  t.kept = state_of(t.s, t.trainer);
  (void)small_update(t.trainer);
  refuse_each(&t, create);
  refuse_each(&t, save);
  assert_int_equal(trm__remove_tree(scratch_path(t.s, "saved"), NULL), TRM_OK);
  refuse_each(&t, load);
  assert_int_equal(trm_trainer_updates(t.trainer), 2);
  free(t.kept.data);
  trm_trainer_free(t.trainer);
  trm_model_free(t.model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(updates_ask_for_nothing),
      cmocka_unit_test(every_refusal_is_reported),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
