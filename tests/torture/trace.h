/* Runs a command and strikes it: at a moment, at its n-th system call, or at an allocation.
 *
 * System calls are seen by ptrace, so those within the C library are, too; only those of the table
 * in trace.c stop the command. For Linux on x86-64. */
#ifndef TRM_TORTURE_TRACE_H
#define TRM_TORTURE_TRACE_H

#include <stdbool.h>
#include <stdint.h>

typedef enum strike_kind {
  STRIKE_NONE,
  STRIKE_RECORD, /* nothing happens, but calls are recorded */
  STRIKE_MOMENT, /* `signal` after `seconds` */
  STRIKE_SIGNAL, /* `signal` in place of call number `at` */
  STRIKE_ERROR,  /* call number `at` fails with `error` */
  STRIKE_SHORT,  /* call number `at` is for half of the bytes; at 0: every read and write is */
  STRIKE_FULL,   /* from `bytes` written on, whatever needs room on the disk fails */
  STRIKE_ALLOC   /* allocation `at` fails; with `ever` all that follow, too */
} strike_kind;

typedef struct strike {
  strike_kind kind;
  long at; /* from 1 */
  int signal, error;
  double seconds;
  int64_t bytes;
  bool ever;
} strike;

/* A system call as it was recorded. */
typedef struct call {
  int row;       /* of the table of calls */
  int fd;        /* -1: none */
  int64_t bytes; /* asked for; 0 where it counts none */
} call;

typedef struct outcome {
  int code; /* -1: ended by `signal` */
  int signal;
  bool hung;   /* killed after a time out of proportion */
  bool struck; /* the strike happened (not known of allocations) */
  call hit;    /* the call that was struck by number */
  double seconds;
  long n_calls; /* also the number of allocations */
  call *calls;  /* of STRIKE_RECORD, to be freed */
} outcome;

enum { MAX_ERRORS = 4, TIMES_OUT = 60 /* seconds */ };

/* What the table knows of a call. */
const char *call_name(const call *c);
/* The errors it can end with; 0 ends them. */
const int *call_errors(const call *c);
bool call_writes(const call *c);  /* it changes files */
bool call_moves(const call *c);   /* it reads or writes bytes, perhaps fewer than asked for */
bool call_removes(const call *c); /* without it a temporary file cannot be removed */

/* Runs `words` (separated by spaces; the first is the program) in the folder `dir`, its output in
 * the files `out` and `err`. Returns false when the command could not be started or traced. */
bool run_struck(const char *dir, const char *words, const char *out, const char *err,
                const strike *s, outcome *o);

#endif
