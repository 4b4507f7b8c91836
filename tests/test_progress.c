/* How far a long command is, where nobody watches a terminal: whole lines, when they come, and what
 * they say. The time is what the test says it is. */
#include "scratch.h"

#include <fcntl.h>
#include <unistd.h>

#include "cli/cli.h"

static char text[16384]; /* what came to stderr since the last look */

/* Sends stderr to a file while `show` runs, and reads it. */
static void capture(scratch *s, void (*show)(cli_progress *p), cli_progress *p) {
  const int kept = dup(STDERR_FILENO);
  const int file = open(scratch_path(s, "err"), O_RDWR | O_CREAT | O_TRUNC, 0666);
  assert_true(kept >= 0 && file >= 0 && dup2(file, STDERR_FILENO) >= 0);
  close(file);
  cli_progress_begin(p, "training", 0, 1000, "samples", 8);
  p->started = 100;
  show(p);
  cli_progress_end(p);
  assert_true(dup2(kept, STDERR_FILENO) >= 0);
  close(kept);
  size_t n;
  unsigned char *bytes = read_bytes(scratch_path(s, "err"), &n);
  assert_true(n < sizeof text);
  snprintf(text, sizeof text, "%.*s", (int)n, (char *)bytes);
  free(bytes);
}

/* An update a second, for a hundred seconds. */
static void hundred(cli_progress *p) {
  for (int i = 1; i <= 100; i++) cli_progress_update_at(p, i, "loss 0.500", 100 + i);
}

static void lines_come_soon_and_then_every_30_seconds(void **state) {
  cli_progress p;
  cli_progress_pace(30);
  capture(*state, hundred, &p);
  assert_string_equal(text,
                      "trm: training   0%  3/1000  loss 0.500  8.00 samples/s  ETA 16 min 37 s\n"
                      "trm: training   3%  33/1000  loss 0.500  8.00 samples/s  ETA 16 min 7 s\n"
                      "trm: training   6%  63/1000  loss 0.500  8.00 samples/s  ETA 15 min 37 s\n"
                      "trm: training   9%  93/1000  loss 0.500  8.00 samples/s  ETA 15 min 7 s\n");
}

static void the_pace_can_be_set(void **state) {
  cli_progress p;
  cli_progress_pace(0);
  capture(*state, hundred, &p);
  assert_string_equal(text, "");
  cli_progress_pace(1);
  capture(*state, hundred, &p);
  int lines = 0;
  for (const char *c = text; *c; c++) lines += *c == '\n';
  assert_int_equal(lines, 100);
}

static void quiet_says_nothing(void **state) {
  cli_progress p;
  cli_progress_pace(1);
  cli_quiet = true;
  capture(*state, hundred, &p);
  cli_quiet = false;
  assert_string_equal(text, "");
}

/* What began again after 900 of 1,000 has not done these now. */
static void resumed(cli_progress *p) {
  p->first = 900;
  cli_progress_update_at(p, 904, NULL, 104);
}

static void a_resumed_run_is_as_fast_as_it_is_now(void **state) {
  cli_progress p;
  cli_progress_pace(30);
  capture(*state, resumed, &p);
  assert_string_equal(text, "trm: training  90%  904/1000  8.00 samples/s  ETA 1 min 36 s\n");
}

/* An evaluation that begins in a training has no first line of its own. */
static void parts(cli_progress *p) {
  cli_progress inner;
  cli_progress_update_at(p, 10, NULL, 110);
  cli_progress_begin(&inner, "evaluating", 0, 50, "examples", 1);
  inner.started = 111;
  cli_progress_update_at(&inner, 10, NULL, 121);
  cli_progress_update_at(&inner, 40, NULL, 140);
  cli_progress_end(&inner);
  cli_progress_update_at(p, 11, NULL, 141);
}

static void parts_share_the_pace(void **state) {
  cli_progress p;
  cli_progress_pace(30);
  capture(*state, parts, &p);
  assert_string_equal(text,
                      "trm: training   1%  10/1000  8.00 samples/s  ETA 16 min 30 s\n"
                      "trm: evaluating  80%  40/50  1.38 examples/s  ETA 7 s\n");
}

/* What takes long is told while it runs, what does not is not. */
static void patience_is_asked_for(void **state) {
  (void)state;

  /* Messages go into a pipe. */
  static const char told[] = "trm: timing\n";
  cli_patience p;
  int ends[2];
  char got[64] = "";
  const int kept = dup(STDERR_FILENO);
  assert_true(kept >= 0 && pipe(ends) == 0 && dup2(ends[1], STDERR_FILENO) >= 0);
  close(ends[1]);

  /* Short work, and work that is to be quiet, say nothing. */
  cli_patience_begin(&p, 1e6, "too early");
  cli_patience_end(&p);
  cli_quiet = true;
  cli_patience_begin(&p, 0, "quiet");
  cli_patience_end(&p);
  cli_quiet = false;

  /* Long work says so before it ends, and once. */
  cli_patience_begin(&p, 0, "timing");
  for (size_t n = 0; n < sizeof told - 1;) { /* it comes before the end */
    const ssize_t more = read(ends[0], got + n, sizeof got - 1 - n);
    assert_true(more > 0);
    n += (size_t)more;
  }
  cli_patience_end(&p);
  cli_patience_end(&p);

  /* Nothing else came. */
  assert_true(dup2(kept, STDERR_FILENO) >= 0);
  close(kept);
  close(ends[0]);
  assert_string_equal(got, told);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(patience_is_asked_for),
      cmocka_unit_test(lines_come_soon_and_then_every_30_seconds),
      cmocka_unit_test(the_pace_can_be_set),
      cmocka_unit_test(quiet_says_nothing),
      cmocka_unit_test(a_resumed_run_is_as_fast_as_it_is_now),
      cmocka_unit_test(parts_share_the_pace),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
