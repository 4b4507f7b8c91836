/* What must hold whatever the input: mistakes of ours, never of a file or a caller. */
#ifndef TRM_BASE_CHECK_H
#define TRM_BASE_CHECK_H

#include "base/error.h"

/* Ends the program where the condition does not hold, in builds with assertions (TRM_ASSERTIONS:
 * dev, asan, tsan and what is derived from them); nothing in the others. */
#ifdef TRM_ASSERTIONS
#define TRM_ASSERT(condition) \
  ((condition) ? (void)0 : trm__assertion_failed(#condition, __FILE__, __LINE__))
_Noreturn void trm__assertion_failed(const char *condition, const char *file, int line);
#else
#define TRM_ASSERT(condition) ((void)sizeof(condition))
#endif

/* The index of one more element of a list with room for `capacity` (> 0), of which *n are there.
 * Where there is none an assertion fails; without assertions the last element is given once more,
 * and *n goes on counting, for trm__check_list to see. A list without room has no last element:
 * who pushes must know that there is some. */
static inline int trm__push(int *n, int capacity) {
  const int at = (*n)++;
  TRM_ASSERT(capacity > 0);
  TRM_ASSERT(at < capacity);
  return at < capacity ? at : capacity - 1;
}
/* After the pushes: ARGUMENT, naming the list, when they were more than it had room for. */
trm_status trm__check_list(int n, int capacity, const char *what, trm_error *err);

#endif
