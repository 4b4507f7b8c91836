/* A table of results: as figures, as Markdown, as a picture. */
#ifndef TRM_CLI_REPRODUCE_REPORT_H
#define TRM_CLI_REPRODUCE_REPORT_H

#include "cli/cli.h"
#include "cli/reproduce/costs.h"
#include "cli/reproduce/results.h"
#include "cli/reproduce/stats.h"
#include "cli/reproduce/tables.h"

/* Whether a row beside its base is what the paper says it is. */
typedef enum repro_verdict {
  REPRO_OPEN,    /* the paper says nothing of it, or there is no difference yet */
  REPRO_AGREES,  /* in its sign */
  REPRO_DIFFERS, /* in its sign, but zero is within the interval */
  REPRO_CONTRADICTS
} repro_verdict;
repro_verdict repro_judge(const repro_table *t, const repro_row *row, const repro_difference *d);

/* A row of the table over its seeds. Shares are from 0 to 1. */
typedef struct repro_line {
  const repro_row *row;
  bool wanted; /* or only shown with what is there of it */
  repro_cost cost;
  int seeds;           /* trained to the end, */
  int diverged;        /* and not; */
  int64_t diverged_at; /* the first of those that did not at this update */
  int64_t right, n;    /* of all seeds together */
  double mean, deviation;
  trm_interval interval;       /* Wilson's, of right and n */
  repro_difference difference; /* to the base; of the base and without one: seeds 0 */
  repro_verdict verdict;
  double seconds; /* mean of training; below 0: not known */
} repro_line;

typedef struct repro_report {
  const repro_table *table;
  repro_scale scale;
  int seeds;            /* that are wanted */
  const char *settings; /* the user's, as a text */
  repro_line *lines;    /* [table->n] */
} repro_report;

/* The figures of what is there; wanted and cost of the lines stay as they are. */
void repro_report_fill(repro_report *r, const repro_results *results);
/* Runs of wanted rows that are missing and can be made. */
int repro_report_missing(const repro_report *r);
void repro_report_markdown(const repro_report *r, FILE *f);
/* FOLDER/TABLE.md and FOLDER/TABLE.svg. Errors: IO, MEMORY. */
trm_status repro_report_save(const repro_report *r, const char *folder, trm_error *err);

#endif
