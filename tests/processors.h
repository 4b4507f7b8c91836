/* As many processors as a test wants, whatever the machine has, so that threads beyond two are
 * really started: the library starts no more than the affinity mask has. Include once in a test. */
#ifndef TRM_TESTS_PROCESSORS_H
#define TRM_TESTS_PROCESSORS_H

#include <sched.h>
#include <string.h>

static int test_processors = 16;

/* In place of the C library's. */
int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set) {
  (void)pid;
  memset(set, 0, size);
  for (int i = 0; i < test_processors; i++) CPU_SET_S((size_t)i, size, set);
  return 0;
}

#endif
