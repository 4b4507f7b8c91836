/* POSIX and no more, as on macOS: sleeping on a condition, processors that are online, limits of
 * the process; see os_thread.h and os_machine.h. */
#define _GNU_SOURCE 1 /* in front of every header: POSIX's functions beside C's */
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/os_machine.h"
#include "base/os_thread.h"

/* --- sleeping --- */

/* Both as they are initialised statically: they hold nothing, and are not destroyed. */
typedef struct bed {
  pthread_mutex_t lock;
  pthread_cond_t changed;
} bed;

_Static_assert(sizeof(bed) <= sizeof(trm__os_bed), "a bed fits");

static bed *of(trm__os_bed *b) {
  return (bed *)(void *)b;
}

void trm__os_bed_make(trm__os_bed *b) {
  *of(b) = (bed){PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER};
}

/* Between the look and the sleep the lock is held, so nobody wakes in between. */
void trm__os_sleep(trm__os_bed *b, atomic_uint *word, unsigned seen) {
  (void)pthread_mutex_lock(&of(b)->lock);
  if (atomic_load(word) == seen) (void)pthread_cond_wait(&of(b)->changed, &of(b)->lock);
  (void)pthread_mutex_unlock(&of(b)->lock);
}

void trm__os_wake_all(trm__os_bed *b, atomic_uint *word) {
  (void)word;
  (void)pthread_mutex_lock(&of(b)->lock);
  (void)pthread_cond_broadcast(&of(b)->changed);
  (void)pthread_mutex_unlock(&of(b)->lock);
}

/* --- the machine --- */

int trm__os_processors(void) {
  const long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 && online <= 1 << 16 ? (int)online : 1;
}

void trm__os_processor(char *text, size_t n) {
  if (n) text[0] = 0; /* POSIX has no name for it */
}

bool trm__os_has_arm_bf16(void) {
  return false;
}
bool trm__os_has_arm_dot(void) {
  return false;
}
bool trm__os_has_avx_vnni(void) {
  return false;
}
bool trm__os_grants_amx(void) {
  return false;
}

/* POSIX does not say how much of it is taken. */
static uint64_t limit_of(int resource) {
  struct rlimit limit;
  if (getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return TRM__NO_LIMIT;
  return limit.rlim_cur;
}

size_t trm__os_limits(const char *root, trm__os_limit out[TRM__OS_LIMITS]) {
  (void)root;
  out[0] = (trm__os_limit){limit_of(RLIMIT_AS), "the limit on address space (ulimit -v)"};
  out[1] = (trm__os_limit){limit_of(RLIMIT_DATA), "the limit on data (ulimit -d)"};
  return 2;
}

/* posix_memalign is called by name and here alone, as in os_linux.c. */
void *trm__os_block(size_t align, size_t bytes) {
  void *p = NULL;
  return posix_memalign(&p, align, bytes) ? NULL : p;
}
