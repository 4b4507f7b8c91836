/* Where the program finds a plug-in, and which it takes: made-up ones, without a GPU. */
#include "launch.h"

static char home[300]; /* a folder with the program and a plug-in beside it */

static void copy(const char *from, const char *to, const char *name) {
  char command[1400];
  snprintf(command, sizeof command, "mkdir -p '%s' && cp '%s' '%s/%s'", to, from, to, name);
  assert_int_equal(system(command), 0);
}

/* What a command of the shell prints, on both streams. */
static char *shell(const char *command) {
  static char text[8192];
  char whole[2048];
  snprintf(whole, sizeof whole, "( %s ) 2>&1", command);
  FILE *f = popen(whole, "r");
  assert_non_null(f);
  text[fread(text, 1, sizeof text - 1, f)] = 0;
  assert_int_equal(pclose(f), 0);
  return text;
}

static void wants(const char *text, const char *words) {
  if (!strstr(text, words)) fail_msg("'%s' does not say '%s'", text, words);
}

static int make_home(void **state) {
  if (scratch_open(state) != 0) return -1;
  const scratch *s = *state;
  snprintf(home, sizeof home, "%s/bin", s->dir);
  copy(TRM_PROGRAM, home, "trm");
  copy(FAKE_PLUGINS "/good/libtrm-cuda.so", home, "libtrm-cuda.so");
  unsetenv("TRM_PLUGINS");
  return 0;
}

/* However the program is called: by its path, a path from here, a link, or a name. */
static void the_plugin_beside_the_program_is_found(void **state) {
  scratch *s = *state;
  static const char *const ways[] = {
      "%s/trm --version", "cd %s && ./trm --version", "cd %s/.. && bin/trm --version",
      "PATH=%s:$PATH; cd /; trm --version", "cd %s && PATH=.:$PATH trm --version"};
  char command[1024];
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(command, sizeof command, ways[i], home);
#pragma GCC diagnostic pop
    const char *text = shell(command);
    if (!strstr(text, "GPU: cuda:0, made-up device 0")) fail_msg("%s: %s", ways[i], text);
  }
  snprintf(command, sizeof command, "ln -s bin/trm %s/linked && %s/linked --version", s->dir,
           s->dir);
  wants(shell(command), "GPU: cuda:0, made-up device 0");
}

static void a_stale_plugin_is_refused(void **state) {
  (void)state;
  static const char *const ways[] = {"TRM_PLUGINS=" FAKE_PLUGINS "/stale " TRM_PROGRAM " --version",
                                     "TRM_PLUGINS=" FAKE_PLUGINS "/grown " TRM_PROGRAM
                                     " --version"};
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    const char *text = shell(ways[i]);
    wants(text, "/libtrm-cuda.so is of another build of trm");
    wants(text, "build both from one source");
  }
}

/* With device=auto the processor computes, and a line says why. */
static void a_device_that_is_passed_over_is_named(void **state) {
  scratch *s = *state;
  char command[1500];
  const char *const bench = TRM_PROGRAM " bench infer -m sudoku6 -b 1 -r 1 --device";
  snprintf(command, sizeof command, "TRM_PLUGINS=" FAKE_PLUGINS "/stale %s auto", bench);
  wants(shell(command), "/libtrm-cuda.so is of another build of trm");
  snprintf(command, sizeof command, "TRM_PLUGINS=" FAKE_PLUGINS "/stale %s cpu", bench);
  assert_null(strstr(shell(command), "on the CPU"));
  /* A plug-in that cannot be read is not one that is missing. */
  snprintf(command, sizeof command,
           "mkdir -p %s/bad && ln -sf libtrm-cuda.so %s/bad/libtrm-cuda.so && TRM_PLUGINS=%s/bad "
           "%s auto",
           s->dir, s->dir, s->dir, bench);
  wants(shell(command), "trm: on the CPU: no GPU support: libtrm-cuda.so cannot be loaded");
  snprintf(command, sizeof command,
           TRM_PROGRAM
           " data gen sudoku --size 6 --train 8 --test 2 --output-dir %s/data >/dev/null && "
           "TRM_PLUGINS=" FAKE_PLUGINS "/stale " TRM_PROGRAM
           " train preset=sudoku6-adam 'data_paths=[%s/data]' --dry-run",
           s->dir, s->dir);
  wants(shell(command), "/libtrm-cuda.so is of another build of trm");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_plugin_beside_the_program_is_found),
      cmocka_unit_test(a_stale_plugin_is_refused),
      cmocka_unit_test(a_device_that_is_passed_over_is_named),
  };
  return cmocka_run_group_tests(tests, make_home, scratch_close);
}
