/* Commands where the system gives a program a small stack (`ulimit -s`). */
#include "resource_limits.h"
#include "shell.h"

static void each_command_runs_in_64_kib(void **state) {
  /* A command of each kind; those that look at mazes need more. */
  static const char *const lines[] = {
      "$TRM --version",
      "$TRM data gen sudoku --size 4 --train 40 --test 8 --output-dir d4",
      ("$TRM train preset=sudoku4 data_paths='[d4]' checkpoint_path=run max_updates=3 "
       "arch.hidden_size=32 arch.num_heads=1 global_batch_size=8"),
      "$TRM train --resume run max_updates=5",
      ("$TRM train -m preset=sudoku4 data_paths='[d4]' seed=0,1 max_updates=2 --jobs 2 "
       "arch.hidden_size=32 arch.num_heads=1 global_batch_size=8"),
      "$TRM runs run runs --curves curves.svg --y loss --format json",
      "$TRM eval run d4",
      "$TRM solve run --puzzle 1234341221434...",
      "$TRM info run",
      "$TRM convert run run.pt",
      "$TRM data info d4",
      "$TRM data verify d4",
      "$TRM models"};

  /* A shell limits the stack of what it starts. */
  scratch *s = *state;
  char line[400];
  if (!limits_work()) skip();
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    snprintf(line, sizeof line, "ulimit -s 64 && %s", lines[i]);
    (void)shell(s, 0, line);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(each_command_runs_in_64_kib)};
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
