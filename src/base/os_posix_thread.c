/* Threads of POSIX; see os_thread.h. How they sleep is os_linux.c's or os_plain.c's. */
#define _GNU_SOURCE 1 /* in front of every header: POSIX's functions beside C's */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/os_thread.h"

_Static_assert(sizeof(pthread_t) <= sizeof(trm__os_thread), "a thread fits");

int trm__os_thread_start(trm__os_thread *t, size_t stack, void *(*fn)(void *arg), void *arg) {
  pthread_attr_t attr;
  pthread_t id;
  sigset_t all, before;
  int cause = pthread_attr_init(&attr);
  if (cause) return cause;
  cause = pthread_attr_setstacksize(&attr, stack);

  /* Signals are the embedding program's: its own threads take them. */
  (void)sigfillset(&all);
  (void)sigdelset(&all, SIGBUS);
  (void)sigdelset(&all, SIGSEGV);
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  if (!cause) cause = pthread_create(&id, &attr, fn, arg);
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  (void)pthread_attr_destroy(&attr);

  if (!cause) memcpy(&t->id, &id, sizeof id);
  return cause;
}

void trm__os_thread_join(trm__os_thread t) {
  pthread_t id;
  memcpy(&id, &t.id, sizeof id);
  (void)pthread_join(id, NULL);
}

void trm__os_yield(void) {
  (void)sched_yield();
}

int64_t trm__os_process(void) {
  return getpid();
}

int64_t trm__os_clock_ns(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}
