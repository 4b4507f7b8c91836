/* See judge.h. */
#include "judge.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The first problem of a case is kept: the others follow from it. */
void verdict_set(verdict *v, const char *about, const char *fmt, ...) {
  if (v->problem[0]) return;
  va_list args;
  va_start(args, fmt);
  vsnprintf(v->problem, sizeof v->problem, fmt, args);
  va_end(args);
  snprintf(v->about, sizeof v->about, "%s", about ? about : "");
  for (char *c = v->about; *c; c++)
    if (*c == '\n') *c = ' ';
}

/* ---- the end ---- */

static const int documented[] = {0, 1, 2, 3, 4, 130};
/* After these the program saves what was done; others may end it at once. */
static const int saving_signals[] = {SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGXCPU, SIGXFSZ};

static bool is_in(int value, const int *list, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (list[i] == value) return true;
  return false;
}
#define IS_IN(value, list) is_in(value, list, sizeof list / sizeof *list)

static bool says(const char *message, const char *words) {
  return strcasestr(message, words);
}

static bool names_cause(const char *message, int error) {
  if (error == ENOMEM && says(message, "memory")) return true;
  if (error == ENOSPC && (says(message, "no space") || says(message, "full"))) return true;
  return says(message, strerror(error));
}

/* Ready to be interrupted: the last handler was set before the call that was struck. */
static bool is_ready(const subject *j, long at) {
  for (long i = at - 1; i < j->n_calls; i++)
    if (!strcmp(call_name(&j->calls[i]), "sigaction")) return false;
  return at > 0;
}

/* A name that the program writes under until all is there: NAME.trm-partial and the like. */
static bool is_temporary(const char *path) {
  return strstr(path, ".trm-") || strstr(path, ".tmp") || strstr(path, ".part");
}

/* Whether all was done: a temporary file that could not be removed is left to the next run. */
static bool judge_results(const subject *j, const strike *s, const char *report,
                          const char *message, const tree *now, verdict *v) {
  const char *differs = tree_first_difference(&j->after, now);
  const bool is_left =
      differs && s->kind == STRIKE_ERROR && !tree_find(&j->after, differs) && is_temporary(differs);
  if (differs && !is_left) verdict_set(v, differs, "says that all is well, but a result is wrong");
  if (j->s->report != REPORT_TIMED && strcmp(j->report, report) != 0)
    verdict_set(v, message, "says that all is well, but its report is wrong");
  return !is_left;
}

static void judge_signal(const subject *j, const strike *s, const outcome *o, const char *message,
                         verdict *v) {
  if (o->signal) {
    if (s->kind == STRIKE_SIGNAL && IS_IN(s->signal, saving_signals) && is_ready(j, s->at))
      verdict_set(v, call_name(&o->hit), "dies of SIG%s", sigabbrev_np(s->signal));
  } else if (o->code != 0 && o->code != 130) {
    verdict_set(v, message, "ends with code %d after SIG%s", o->code, sigabbrev_np(s->signal));
  }
}

/* Of stdout the C library keeps only that it failed, not why. */
static void judge_failure(const subject *j, const outcome *o, int error, const char *report,
                          const char *message, verdict *v) {
  const bool finds = j->s->report == REPORT_FINDS && o->code == 3;
  const bool named = names_cause(message, error) || (finds && names_cause(report, error)) ||
                     (o->hit.fd == 1 && says(message, "could not be written to stdout"));
  if (!message[0]) verdict_set(v, NULL, "fails without a message");
  if (!named) verdict_set(v, message, "does not name the cause");
  if (o->code != 1 && !finds) verdict_set(v, message, "ends with code %d", o->code);
}

void judge_end(const subject *j, const strike *s, const outcome *o, const char *report,
               const char *message, const tree *now, verdict *v, bool *done) {
  const bool by_signal = s->kind == STRIKE_MOMENT || s->kind == STRIKE_SIGNAL;
  const int error = s->kind == STRIKE_ALLOC   ? ENOMEM
                    : s->kind == STRIKE_FULL  ? ENOSPC
                    : s->kind == STRIKE_ERROR ? s->error
                                              : 0;
  const bool mute = s->kind == STRIKE_ERROR && o->hit.fd == 2; /* cannot say why */
  *done = o->code == 0;
  if (o->hung) verdict_set(v, message, "hangs");
  if (o->signal && !(by_signal && o->struck && o->signal == s->signal))
    verdict_set(v, message, "crashes: SIG%s", sigabbrev_np(o->signal));
  if (!o->signal && !IS_IN(o->code, documented))
    verdict_set(v, message, "ends with code %d, which is not documented", o->code);

  if (*done) {
    *done = judge_results(j, s, report, message, now, v);
  } else if (by_signal && o->struck) {
    judge_signal(j, s, o, message, v);
  } else if (!error) {
    verdict_set(v, message, "fails without cause, code %d", o->code);
  } else if (!mute) {
    judge_failure(j, o, error, report, message, v);
  }
}

/* ---- files ---- */

/* One of the scenario's outputs. */
typedef struct output {
  char path[128];
  bool progress;
  bool early; /* has what was learned until an interruption */
} output;

static bool next_output(const char **list, output *out) {
  *list += strspn(*list, " ");
  const size_t n = strcspn(*list, " ");
  if (!n) return false;
  out->progress = **list == '~';
  out->early = **list == '^';
  const int mark = out->progress || out->early;
  snprintf(out->path, sizeof out->path, "%.*s", (int)n - mark, *list + mark);
  *list += n;
  return true;
}

/* What holds progress may do so beside its place, too. */
static bool is_output(const scenario *s, const char *path) {
  const char *list = s->outputs;
  for (output out; next_output(&list, &out);) {
    const size_t n = strlen(out.path);
    if (tree_is_below(path, out.path)) return true;
    if (out.progress && !strncmp(path, out.path, n) && is_temporary(path + n)) return true;
  }
  return false;
}

static void judge_outside(const subject *j, bool may_leave, const tree *now, verdict *v) {
  for (int i = 0; i < j->before.n; i++) {
    const entry *e = &j->before.entries[i], *is = tree_find(now, e->path);
    if (is_output(j->s, e->path)) continue;
    if (!is || is->kind != e->kind || is->content != e->content)
      verdict_set(v, e->path, "changes what is not its own");
  }
  for (int i = 0; i < now->n; i++) {
    const char *path = now->entries[i].path;
    if (tree_find(&j->before, path) || is_output(j->s, path)) continue;
    if (!is_temporary(path)) verdict_set(v, path, "makes what it was not asked for");
    if (!may_leave) verdict_set(v, path, "leaves a temporary file after a failure");
  }
}

void judge_files(const subject *j, const strike *s, const outcome *o, const tree *now, verdict *v) {
  const char *list = j->s->outputs;
  const bool tidying_failed =
      s->kind == STRIKE_ERROR && o->struck && (call_removes(&o->hit) || o->code == 0);
  for (output out; next_output(&list, &out);)
    if (!out.progress && !(out.early && o->code == 130) &&
        !tree_same_below(now, &j->before, out.path) && !tree_same_below(now, &j->after, out.path))
      verdict_set(v, out.path, "an output is neither as before nor complete");
  judge_outside(j, o->signal || tidying_failed, now, v);
}

void judge_next(const subject *j, const tree *now, verdict *v) {
  const char *differs = tree_first_difference(&j->after, now);
  if (!differs) return;
  if (!tree_find(&j->after, differs))
    verdict_set(v, differs, "the next run leaves what should not be there");
  verdict_set(v, differs, "the next run comes to another result");
}
