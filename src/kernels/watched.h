/* Sanitizers check every load and store, which makes the inner loops of a matrix product many times
 * as slow, and do not see those under a mask. A function that is TRM__UNCHECKED is spared; who
 * calls it declares before, as a whole, what it is going to read and to write. Without sanitizers
 * all of this is nothing. */
#ifndef TRM_KERNELS_WATCHED_H
#define TRM_KERNELS_WATCHED_H

#include <stddef.h>

#include "kernels/real.h"

/* Inlined always, and then checked or not as the function around it is. */
#define TRM__INLINE static inline __attribute__((always_inline, unused)) TRM__AS_AROUND

#if defined(__has_feature) /* clang */
#if __has_feature(address_sanitizer)
#define TRM__WATCH_ADDRESS
#elif __has_feature(thread_sanitizer)
#define TRM__WATCH_THREAD
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define TRM__WATCH_ADDRESS
#elif defined(__SANITIZE_THREAD__)
#define TRM__WATCH_THREAD
#endif

#if defined(TRM__WATCH_ADDRESS)
#include <sanitizer/asan_interface.h>
#define TRM__UNCHECKED __attribute__((no_sanitize("address", "undefined")))
#define TRM__AS_AROUND __attribute__((no_sanitize("address")))
/* The first bad byte is touched, which ends the program with a report. */
static inline void trm__will_read(const real *p, ptrdiff_t n) {
  const volatile char *bad = __asan_region_is_poisoned((void *)p, (size_t)n * sizeof *p);
  if (bad) (void)*bad;
}
static inline void trm__will_write(real *p, ptrdiff_t n) {
  volatile char *bad = __asan_region_is_poisoned(p, (size_t)n * sizeof *p);
  if (bad) *bad = 0;
}
#elif defined(TRM__WATCH_THREAD)
#define TRM__UNCHECKED __attribute__((no_sanitize("thread")))
#define TRM__AS_AROUND
void __tsan_read_range(void *p, unsigned long bytes);
void __tsan_write_range(void *p, unsigned long bytes);
static inline void trm__will_read(const real *p, ptrdiff_t n) {
  __tsan_read_range((void *)p, (size_t)n * sizeof *p);
}
static inline void trm__will_write(real *p, ptrdiff_t n) {
  __tsan_write_range(p, (size_t)n * sizeof *p);
}
#else
#define TRM__UNCHECKED
#define TRM__AS_AROUND
static inline void trm__will_read(const real *p, ptrdiff_t n) {
  (void)p;
  (void)n;
}
static inline void trm__will_write(real *p, ptrdiff_t n) {
  (void)p;
  (void)n;
}
#endif

/* Rows of n values that lie ld apart. */
static inline void trm__will_read_rows(const real *p, int rows, ptrdiff_t n, ptrdiff_t ld) {
  for (int i = 0; i < rows; i++) trm__will_read(p + i * ld, n);
}
static inline void trm__will_write_rows(real *p, int rows, ptrdiff_t n, ptrdiff_t ld) {
  for (int i = 0; i < rows; i++) trm__will_write(p + i * ld, n);
}

#endif
