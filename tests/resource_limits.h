/* Limits of memory that a test sets for itself. */
#ifndef TRM_TESTS_RESOURCE_LIMITS_H
#define TRM_TESTS_RESOURCE_LIMITS_H

#include <stdbool.h>
#include <sys/resource.h>

/* A sanitizer maps more than any limit; an emulator may take them without a word and set none. */
static inline bool limits_work(void) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return false;
#else
  const struct rlimit wanted = {.rlim_cur = RLIM_INFINITY - 1, .rlim_max = RLIM_INFINITY};
  struct rlimit before, now = {0};
  const bool set = getrlimit(RLIMIT_DATA, &before) == 0 && setrlimit(RLIMIT_DATA, &wanted) == 0;
  const bool works = set && getrlimit(RLIMIT_DATA, &now) == 0 && now.rlim_cur == wanted.rlim_cur;
  if (set) (void)setrlimit(RLIMIT_DATA, &before);
  return works;
#endif
}

#endif
