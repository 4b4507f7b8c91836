/* The seam for the system: threads, how they sleep, and the clock. Each function below is written
 * once per system (os_posix_*.c with os_linux.c or os_plain.c, or os_none.c; TRM_OS in CMake
 * chooses), and nothing outside these files asks which system it is. None of them takes memory
 * that the caller would have to give back. */
#ifndef TRM_BASE_OS_THREAD_H
#define TRM_BASE_OS_THREAD_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* A thread that runs; by value, valid until it is joined. */
typedef struct trm__os_thread {
  uintptr_t id;
} trm__os_thread;

/* Starts fn(arg) with so many bytes of stack. The thread takes no signals but those that its own
 * reading of memory raises. 0, or the cause why not (trm__os_text): *t is untouched then. */
int trm__os_thread_start(trm__os_thread *t, size_t stack, void *(*fn)(void *arg), void *arg);
/* Waits for its end; once for each thread, from another one. */
void trm__os_thread_join(trm__os_thread t);
/* Lets other threads have the processor for a moment. */
void trm__os_yield(void);

/* What threads sleep on beside a word, where the system needs more than the word. It lives beside
 * the word and has nothing to give back; whoever makes it anew, as after a fork, must know that
 * nobody sleeps on it. */
typedef union trm__os_bed {
  max_align_t align;
  unsigned char room[128];
} trm__os_bed;

void trm__os_bed_make(trm__os_bed *bed);
/* Sleeps until trm__os_wake_all of the same word, at once not if the word is no longer `seen`; may
 * return early. A thread that changes the word and then wakes is never missed. */
void trm__os_sleep(trm__os_bed *bed, atomic_uint *word, unsigned seen);
void trm__os_wake_all(trm__os_bed *bed, atomic_uint *word);

/* A number that the child of a fork has another of. */
int64_t trm__os_process(void);

/* Nanoseconds since some instant, never backwards where the system has such a clock. */
int64_t trm__os_clock_ns(void);
/* The same in seconds. */
static inline double trm__os_seconds(void) {
  return 1e-9 * (double)trm__os_clock_ns();
}

#endif
