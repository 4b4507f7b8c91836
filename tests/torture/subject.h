/* A scenario made ready: its folder before, what it must come to, and what it does on the way. */
#ifndef TRM_TORTURE_SUBJECT_H
#define TRM_TORTURE_SUBJECT_H

#include "scenarios.h"
#include "trace.h"
#include "tree.h"

enum { PATH_SIZE = 512, WORDS_SIZE = 2048 };

typedef struct subject {
  const scenario *s;
  char folder[PATH_SIZE]; /* as it is before, to be copied */
  tree before, after;     /* of the folder, without and with an undisturbed run */
  char *report;           /* what that run prints */
  double seconds;
  long n_allocations, n_calls;
  call *calls;
} subject;

/* Makes the fixture in work/fixture. */
bool fixture_make(const char *work, const char *program);
/* Runs the scenario undisturbed, in folders below `work`. False with a message when it fails, or
 * when two undisturbed runs differ. */
bool subject_make(subject *j, const scenario *s, const char *work, const char *program);
void subject_free(subject *j);

/* "PROGRAM ARGUMENTS" of alternative number `n` of a list separated by '|'; false: no such. */
bool command_words(const char *program, const char *list, int n, char *words);
/* A shell command; false when it fails. */
bool shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A file as text; "" when there is none. To be freed. */
char *file_text(const char *path);

#endif
