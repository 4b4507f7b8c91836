/* A library for LD_PRELOAD: fails chosen allocations of the program, and tells the tracer where
 * the program itself begins, behind the loader.
 *
 *   TORTURE_ALLOC=N    the N-th allocation fails, counted from 1
 *   TORTURE_ALLOC=N+   and all that follow it
 *   TORTURE_COUNT=FILE the number of allocations is written there at the end
 *   TORTURE_WHERE=1    the callers of the (first) allocation that failed, on stderr
 *
 * For glibc, whose own functions are called under their other names. Blocks that the C library
 * takes for itself (streams, strdup, getline) are counted, too. */
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "marker.h"

#define EXPORTED __attribute__((visibility("default")))

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static atomic_long count;
static long first_failure; /* 0: none */
static bool all_after, tell_where, started;

__attribute__((constructor)) static void begin(void) {
  const char *alloc = getenv("TORTURE_ALLOC");
  void *warm[1];
  tell_where = getenv("TORTURE_WHERE") && backtrace(warm, 1) > 0; /* loads what it needs now */
  if (alloc) {
    first_failure = strtol(alloc, NULL, 10);
    all_after = strchr(alloc, '+') != NULL;
  }
  syscall(SYS_close, TORTURE_MARKER);
  started = true;
}

__attribute__((destructor)) static void end(void) {
  const char *path = getenv("TORTURE_COUNT");
  char text[24];
  const long counted = atomic_load(&count);
  started = false;
  const int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : -1;
  if (fd < 0) return;
  const int n = snprintf(text, sizeof text, "%ld\n", counted);
  if (write(fd, text, (size_t)n) != n) unlink(path);
  close(fd);
}

static bool is_refused(void) {
  if (!started) return false;
  const long n = atomic_fetch_add(&count, 1) + 1;
  if (!first_failure || (all_after ? n < first_failure : n != first_failure)) return false;
  if (tell_where) {
    void *frames[24];
    tell_where = started = false;
    backtrace_symbols_fd(frames, backtrace(frames, 24), STDERR_FILENO);
    started = true;
  }
  errno = ENOMEM;
  return true;
}

EXPORTED void *malloc(size_t n) {
  return is_refused() ? NULL : __libc_malloc(n);
}

EXPORTED void *calloc(size_t n, size_t size) {
  return is_refused() ? NULL : __libc_calloc(n, size);
}

EXPORTED void *realloc(void *old, size_t n) {
  return is_refused() ? NULL : __libc_realloc(old, n);
}

EXPORTED void *memalign(size_t align, size_t n) {
  return is_refused() ? NULL : __libc_memalign(align, n);
}

EXPORTED void *aligned_alloc(size_t align, size_t n) {
  return is_refused() ? NULL : __libc_memalign(align, n);
}

EXPORTED int posix_memalign(void **out, size_t align, size_t n) {
  if (is_refused()) return ENOMEM;
  *out = __libc_memalign(align, n);
  return *out ? 0 : ENOMEM;
}
