/* Lists that are full, and assertions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"

static int pushed[3] = {-1, -1, -1}, behind = 7;

/* One more than there is room for. */
static int fill(void) {
  int n = 0;
  for (int i = 0; i < 4; i++) pushed[trm__push(&n, 3)] = i;
  return n;
}

#ifdef TRM_ASSERTIONS
static void expect_abort(void (*f)(void), const char *words) {
  char text[512] = "";
  int ends[2], status;
  assert_int_equal(pipe(ends), 0);
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    (void)signal(SIGABRT, SIG_DFL);
    (void)dup2(ends[1], STDERR_FILENO);
    f();
    _exit(0);
  }
  (void)close(ends[1]);
  for (ssize_t n, at = 0; (n = read(ends[0], text + at, sizeof text - 1 - (size_t)at)) > 0;)
    at += n;
  (void)close(ends[0]);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  assert_non_null(strstr(text, words));
}
static void overflow(void) {
  (void)fill();
}
static void push_to_nothing(void) {
  int n = 0;
  (void)trm__push(&n, 0);
}
static void assert_false_thing(void) {
  TRM_ASSERT(behind == 8);
}

static void an_overflow_ends_the_program(void **state) {
  (void)state;
  expect_abort(overflow, "at < capacity does not hold");
  expect_abort(push_to_nothing, "capacity > 0 does not hold");
  expect_abort(assert_false_thing, "test_check.c:");
}
#else
/* Nothing is written beyond the list, and the count tells. */
static void an_overflow_stays_within_the_list(void **state) {
  (void)state;
  assert_int_equal(fill(), 4);
  assert_true(pushed[0] == 0 && pushed[1] == 1 && pushed[2] == 3 && behind == 7);
  TRM_ASSERT(behind == 8);
}
#endif

static void a_list_that_fits_is_fine(void **state) {
  (void)state;
  trm_error err;
  int n = 0;
  for (int i = 0; i < 3; i++) assert_int_equal(trm__push(&n, 3), i);
  assert_int_equal(trm__check_list(n, 3, "things", &err), TRM_OK);
  assert_int_equal(trm__check_list(4, 3, "things", &err), TRM_E_ARGUMENT);
  assert_non_null(strstr(err.msg, "things: 4"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
#ifdef TRM_ASSERTIONS
      cmocka_unit_test(an_overflow_ends_the_program),
#else
      cmocka_unit_test(an_overflow_stays_within_the_list),
#endif
      cmocka_unit_test(a_list_that_fits_is_fine),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
