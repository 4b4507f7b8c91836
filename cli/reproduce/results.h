/* results.jsonl of a folder: one line for every run that is finished, with all that its tables are
 * made of. It is rewritten whole for each, so a kill leaves the lines before it. */
#ifndef TRM_CLI_REPRODUCE_RESULTS_H
#define TRM_CLI_REPRODUCE_RESULTS_H

#include "cli/cli.h"
#include "cli/reproduce/tables.h"

enum { REPRO_HASH = 20 };

typedef struct repro_result {
  char name[REPRO_NAME]; /* repro_row_name */
  int seed;
  int64_t diverged; /* the update that could not be made; 0: it was trained to the end */
  int64_t updates;
  double seconds; /* of training; below 0: not known */
  int64_t n, right;
  uint8_t *bits; /* [repro_bytes_of(n)]: which puzzles were answered exactly */
  /* Fingerprints of its data; "": the line does not say. */
  char training[REPRO_HASH], tests[REPRO_HASH];
  char *settings; /* joined by spaces */
  char *line;     /* as it is in the file, without the newline */
} repro_result;

typedef struct repro_results {
  char *path;
  repro_result *v;
  int n, room;
} repro_results;

/* Reads the file of a folder, where there is one. Errors: IO, FORMAT with the line, MEMORY. */
trm_status repro_results_load(repro_results *r, const char *folder, trm_error *err);
void repro_results_free(repro_results *r);
/* NULL: not done yet. Valid until the next is added. */
const repro_result *repro_results_find(const repro_results *r, const char *name, int seed);
/* A line of the task (its name), of the seed or of any (-1), that is known to be of other data;
 * NULL: there is none. */
const repro_result *repro_results_of_other_data(const repro_results *r, const char *task, int seed,
                                                uint64_t training, uint64_t tests);

/* What a line says beside the figures. */
typedef struct repro_record {
  const char *const *settings;
  int n_settings;
  const trm_model_cost *cost;
  uint64_t training, tests; /* fingerprints of the data */
  const char *device;
} repro_record;
/* Adds a line and writes the file. Takes `bits` over, also when it fails; the other texts of
 * `result` are made here. */
trm_status repro_results_add(repro_results *r, repro_result *result, const repro_record *record,
                             trm_error *err);
/* Settings as they are in a line, in a fresh block (free); NULL: no memory. */
char *repro_settings_text(const char *const *settings, int n);

#endif
