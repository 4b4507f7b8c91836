/* record.jsonl of a run folder: where its figures come from. A line is a JSON object: a start says
 * what trains the run from which update on (program, machine, command, data), an end how far that
 * came and why it ended. Lines are added and never changed; a start without an end was killed, or
 * is under way. docs/TRAINING.md explains the members. */
#ifndef TRM_RUN_RECORD_H
#define TRM_RUN_RECORD_H

#include "io/json.h"
#include "trm/run.h"

/* Its name, and the values of a line's "event". */
extern const char trm__record_name[], trm__record_start[], trm__record_end[];

typedef struct trm__record {
  trm__json **line; /* an object each, with a known "event" */
  int n, broken;    /* lines that are none */
} trm__record;

/* An absent file has no lines. Errors: IO, MEMORY. */
trm_status trm__record_read(const char *folder, trm__record *out, trm_error *err);
void trm__record_free(trm__record *r);
/* The newest start; NULL: there is none. */
const trm__json *trm__record_newest(const trm__record *r);
/* Finishes a compact text and adds it as a line; the file is as before where that fails. */
trm_status trm__record_add(const trm__dir *folder, trm__json_out *line, trm_error *err);

#endif
