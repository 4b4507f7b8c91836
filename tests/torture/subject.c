/* See subject.h. */
#include "subject.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

bool shell(const char *fmt, ...) {
  char line[8192];
  va_list args;
  va_start(args, fmt);
  const int n = vsnprintf(line, sizeof line, fmt, args);
  va_end(args);
  return n > 0 && n < (int)sizeof line && system(line) == 0;
}

char *file_text(const char *path) {
  FILE *f = fopen(path, "rb");
  char *text = NULL;
  size_t capacity = 0;
  if (!f || getdelim(&text, &capacity, 0, f) < 0) {
    free(text);
    text = strdup("");
  }
  if (f) fclose(f);
  return text;
}

bool command_words(const char *program, const char *list, int n, char *words) {
  for (; n > 0 && list; n--) {
    list = strchr(list, '|');
    if (list) list++;
  }
  if (!list) return false;
  path_format(words, WORDS_SIZE, "%s %.*s", program, (int)strcspn(list, "|"), list);
  return true;
}

bool fixture_make(const char *work, const char *program) {
  const bool good = shell("mkdir '%s/fixture' && cd '%s/fixture' && TRM='%s' sh '%s/fixture.sh'",
                          work, work, program, TORTURE_SOURCE);
  if (!good) fprintf(stderr, "torture: %s/fixture.sh fails\n", TORTURE_SOURCE);
  return good;
}

/* One run in a fresh copy of the folder; its tree in *t, what it prints in *report. */
static bool run_once(const subject *j, const char *work, const char *program, const strike *s,
                     outcome *o, tree *t, char **report) {
  char dir[PATH_SIZE + 8], out[PATH_SIZE], err[PATH_SIZE], words[WORDS_SIZE];
  path_format(dir, sizeof dir, "%s.run", j->folder);
  path_format(out, sizeof out, "%s/out", work);
  path_format(err, sizeof err, "%s/err", work);
  if (!shell("rm -rf '%s' && cp -a '%s' '%s'", dir, j->folder, dir)) return false;
  if (!command_words(program, j->s->command, 0, words)) return false;
  if (!run_struck(dir, words, out, err, s, o) || o->code != 0) {
    char *text = file_text(err);
    fprintf(stderr, "torture: %s: %s ends with code %d, signal %d%s: %s\n", j->s->name, words,
            o->code, o->signal, o->hung ? ", hangs" : "", text);
    free(text);
    return false;
  }
  *t = tree_read(dir);
  *report = file_text(out);
  return shell("rm -rf '%s'", dir);
}

static bool count_allocations(subject *j, const char *work, const char *program, tree *t,
                              char **report) {
  char path[PATH_SIZE];
  outcome o;
  path_format(path, sizeof path, "%s/count", work);
  setenv("TORTURE_COUNT", path, 1);
  const bool good = run_once(j, work, program, &(strike){.kind = STRIKE_ALLOC}, &o, t, report);
  unsetenv("TORTURE_COUNT");
  if (!good) return false;
  char *text = file_text(path);
  j->n_allocations = strtol(text, NULL, 10);
  j->seconds = o.seconds;
  free(text);
  return true;
}

bool subject_make(subject *j, const scenario *s, const char *work, const char *program) {
  /* A copy of the fixture, made ready for the scenario. */
  *j = (subject){.s = s};
  path_format(j->folder, sizeof j->folder, "%s/%s", work, s->name);
  if (!shell("cp -a '%s/fixture' '%s' && cd '%s' && export TRM='%s' && { %s } >'%s/out' 2>&1", work,
             j->folder, j->folder, program, s->before ? s->before : ":;", work)) {
    fprintf(stderr, "torture: %s: cannot be made ready\n", s->name);
    return false;
  }

  /* Two undisturbed runs: one that counts allocations, one that records calls. */
  j->before = tree_read(j->folder);
  tree again = {0};
  char *second = NULL;
  outcome o = {0};
  bool good = count_allocations(j, work, program, &j->after, &j->report) &&
              run_once(j, work, program, &(strike){.kind = STRIKE_RECORD}, &o, &again, &second);
  j->calls = o.calls;
  j->n_calls = o.n_calls;

  /* The quicker time counts; the first run had to be loaded. */
  if (good && o.seconds < j->seconds) j->seconds = o.seconds;

  /* Both must leave the same, or nothing could be told of a run that is struck. */
  const char *differs = good ? tree_first_difference(&j->after, &again) : NULL;
  if (differs || (good && s->report != REPORT_TIMED && strcmp(j->report, second) != 0)) {
    fprintf(stderr, "torture: %s: two undisturbed runs differ: %s\n", s->name,
            differs ? differs : "the report");
    good = false;
  }
  tree_free(&again);
  free(second);
  return good;
}

void subject_free(subject *j) {
  tree_free(&j->before);
  tree_free(&j->after);
  free(j->report);
  free(j->calls);
}
