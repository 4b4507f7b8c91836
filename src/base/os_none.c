/* A system of which nothing is known but that it has C: one thread, a clock, memory. See
 * os_thread.h and os_machine.h. */
#include <stdlib.h>
#include <time.h>

#include "base/os_file.h"
#include "base/os_machine.h"
#include "base/os_thread.h"

/* --- threads: nobody sleeps where nobody else could wake --- */

int trm__os_thread_start(trm__os_thread *t, size_t stack, void *(*fn)(void *arg), void *arg) {
  (void)t;
  (void)stack;
  (void)fn;
  (void)arg;
  return TRM__OS_UNABLE;
}

void trm__os_thread_join(trm__os_thread t) {
  (void)t;
}

void trm__os_yield(void) {}

void trm__os_bed_make(trm__os_bed *bed) {
  (void)bed;
}

void trm__os_sleep(trm__os_bed *bed, atomic_uint *word, unsigned seen) {
  (void)bed;
  (void)word;
  (void)seen;
}

void trm__os_wake_all(trm__os_bed *bed, atomic_uint *word) {
  (void)bed;
  (void)word;
}

int64_t trm__os_process(void) {
  return 0;
}

/* The only clock of C with a unit that is known; whoever sets it may set it back. */
int64_t trm__os_clock_ns(void) {
  struct timespec t;
  if (timespec_get(&t, TIME_UTC) != TIME_UTC) return 0;
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* --- the machine --- */

void trm__os_host(char *text, size_t n) {
  if (n) text[0] = 0;
}

void trm__os_system(char *text, size_t n) {
  if (n) text[0] = 0;
}

void trm__os_processor(char *text, size_t n) {
  if (n) text[0] = 0;
}

int trm__os_processors(void) {
  return 1;
}

size_t trm__os_limits(const char *root, trm__os_limit out[TRM__OS_LIMITS]) {
  (void)root;
  (void)out;
  return 0;
}

void *trm__os_block(size_t align, size_t bytes) {
  (void)align; /* there are no large pages to gain */
  return aligned_alloc(64, bytes);
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
