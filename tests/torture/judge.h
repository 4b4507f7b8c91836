/* What must hold after a command was struck, and after the run that follows. */
#ifndef TRM_TORTURE_JUDGE_H
#define TRM_TORTURE_JUDGE_H

#include "subject.h"

/* A problem, in words that are the same for all cases of its kind, and what it was about. */
typedef struct verdict {
  char problem[160]; /* "": none */
  char about[320];
} verdict;

/* The end of a struck run: its code, what it says, and, when it says that all is well, its results.
 * `done`: it did all there was to do. */
void judge_end(const subject *j, const strike *s, const outcome *o, const char *report,
               const char *message, const tree *now, verdict *v, bool *done);
/* The folder after it: nothing outside of the outputs has changed, each of those is old or new. */
void judge_files(const subject *j, const strike *s, const outcome *o, const tree *now, verdict *v);
/* The folder after the next run, which must be as if nothing had happened. */
void judge_next(const subject *j, const tree *now, verdict *v);

void verdict_set(verdict *v, const char *about, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
