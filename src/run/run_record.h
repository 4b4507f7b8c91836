/* What a run folder tells, in the parts that reading it at once (run_record.c) and reading it as it
 * grows (run_follow.c) have in common. */
#ifndef TRM_RUN_RUN_RECORD_H
#define TRM_RUN_RUN_RECORD_H

#include "run/record.h"
#include "trm/runs.h"

struct trm_run_record {
  char *folder;
  trm_run_config *config;
  trm__record record;
  trm_run_summary summary;
};

extern const char trm__log_name[];

/* A record without a summary: its folder, configuration and lines. Errors: those of
 * trm_run_record_open; what there is of it is the caller's to free. */
trm_status trm__run_record_begin(trm_run_record *r, const char *folder, trm_error *err);
/* Configuration and lines as they are now; after a failure they are as before. */
trm_status trm__run_record_renew(trm_run_record *r, trm_error *err);
/* The path of the log [TRM__PATH_MAX]; *there: it is a file of the folder, and no link. Errors: IO,
 * MEMORY. */
trm_status trm__run_log_path(const char *folder, char *path, bool *there, trm_error *err);

/* Time of training, to which what lies between the last line before a start and that start does
 * not belong. */
typedef struct trm__run_clock {
  int at;              /* the next line of the record */
  double last, paused; /* the time of what was last seen; in pauses up to it */
  double begun;        /* -1: nothing was seen yet */
} trm__run_clock;
static const trm__run_clock trm__run_clock_new = {.begun = -1};

/* The time of a line of the log, without a look at all of it: a log may have millions, each of
 * which ends a pause or does not. 0: unknown. */
double trm__run_time_of(const char *text, size_t n);
/* Seconds of training at a line of that time, which comes behind those before it. */
double trm__run_seconds_at(trm__run_clock *c, const trm__record *record, double time);

/* A summary that is being made of the lines of a log: zeroed but for the summary. */
typedef struct trm__run_sum {
  trm_run_summary *summary;
  double updates_per_epoch; /* 0: unknown */
} trm__run_sum;
void trm__run_sum_begin(trm__run_sum *s, trm_run_record *r);
/* A line that has a number for "step". */
void trm__run_sum_line(trm__run_sum *s, const trm__json *line);
/* Behind the last line: how it ended, and where it ends. Errors: IO. */
trm_status trm__run_sum_end(const trm__run_sum *s, trm_run_record *r, const trm__run_clock *c,
                            trm_error *err);

#endif
