/* Lines for the shell, as a user types them, and what they say. */
#ifndef TRM_TESTS_SHELL_H
#define TRM_TESTS_SHELL_H

#include <sys/wait.h>

#include "scratch.h"

/* The output of the last line: stdout and stderr together. */
static char out[1 << 17];

/* Of a line in the scratch folder that ends with the exit code `want`; $TRM is the program. */
static inline const char *shell(scratch *s, int want, const char *line) {
  char whole[4096];
  const int n =
      snprintf(whole, sizeof whole, "cd '%s' && TRM='%s'; ( %s ) 2>&1", s->dir, TRM_PROGRAM, line);
  assert_in_range(n, 1, sizeof whole - 1);
  FILE *f = popen(whole, "r");
  assert_non_null(f);
  out[fread(out, 1, sizeof out - 1, f)] = 0;
  const int status = pclose(f);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != want)
    fail_msg("%s\nends with %x, want exit code %d:\n%s", line, (unsigned)status, want, out);
  return out;
}

static inline void says(const char *text, const char *part) {
  if (!strstr(text, part)) fail_msg("no '%s' in:\n%s", part, text);
}

#endif
