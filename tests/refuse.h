/* The system refuses the n-th block of memory or the n-th thread. The link of a *_refused test
 * wraps the two calls (tests/CMakeLists.txt), so that they come through here. */
#ifndef TRM_TESTS_REFUSE_H
#define TRM_TESTS_REFUSE_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#include "scratch.h"

static atomic_int calls_left = -1; /* calls that still succeed, of all threads; -1: all */

static atomic_size_t bytes_asked; /* for blocks that were given, of all threads */

static int refused(void) {
  int left = calls_left;
  while (left >= 0)
    if (atomic_compare_exchange_weak(&calls_left, &left, left - 1)) return left == 0;
  return 0;
}

int __real_posix_memalign(void **p, size_t align, size_t n);
int __wrap_posix_memalign(void **p, size_t align, size_t n);
int __wrap_posix_memalign(void **p, size_t align, size_t n) {
  if (refused()) return ENOMEM;
  bytes_asked += n;
  return __real_posix_memalign(p, align, n);
}

int __real_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg) {
  return refused() ? EAGAIN : __real_pthread_create(t, a, fn, arg);
}

static inline void refuse_call(int n) {
  calls_left = n;
}

/* Whether the job before came to the call that was to be refused; one that did not has succeeded.
 */
static inline bool was_refused(trm_status st) {
  const bool came = calls_left < 0;
  calls_left = -1;
  if (!came) assert_int_equal(st, TRM_OK);
  return came;
}

/* The condition of a loop over n, from 0: `st` and `err` are of a job whose n-th call is refused.
 * It ends with the first job that makes no more than n calls. */
#define REFUSING(n, st, err, job) \
  ((err) = (trm_error){0}, refuse_call(n), (st) = (job), was_refused(st))

#endif
