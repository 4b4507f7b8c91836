/* Work done in the child of a fork; a child that hangs is killed by its alarm. */
#ifndef TRM_TESTS_CHILD_H
#define TRM_TESTS_CHILD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/wait.h>
#include <unistd.h>

/* The thread sanitizer cannot follow threads that a child starts: it takes them for the parent's.
 */
#if defined(__SANITIZE_THREAD__)
#define CHILD_NO_THREADS 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CHILD_NO_THREADS 1
#endif
#endif

/* Runs job(arg) in a child, or skips the test: whether it returned true, rather than false,
 * crashing or hanging. */
static inline bool child_does(bool (*job)(void *), void *arg) {
  enum { PATIENCE = 60 }; /* seconds */
#ifdef CHILD_NO_THREADS
  print_message("skipped: no threads in a child under the thread sanitizer\n");
  skip();
#endif
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    alarm(PATIENCE);
    _exit(job(arg) ? 0 : 1);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

#endif
