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
  trm__json **line; /* an object each, with a known "event" and a time */
  int n;
} trm__record;

/* All lines, but for those that are none. An absent file has no lines. Errors: IO, MEMORY. */
trm_status trm__record_read(const char *folder, trm__record *out, trm_error *err);
void trm__record_free(trm__record *r);
/* Its length, without a look at it; 0: it is absent. Errors: IO, MEMORY. */
trm_status trm__record_size(const char *folder, size_t *bytes, trm_error *err);
/* The newest start; NULL: there is none. */
const trm__json *trm__record_newest(const trm__record *r);
/* The last line of an event (NULL: of any), alone, for trm__json_free; NULL: there is none.
 * *broken: what stands behind it and is no line. */
trm_status trm__record_last(const char *folder, const char *event, trm__json **out, int *broken,
                            trm_error *err);
/* Finishes a compact text and adds it as a line; the file is as before where that fails. */
trm_status trm__record_add(const trm__dir *folder, trm__json_out *line, trm_error *err);

#endif
