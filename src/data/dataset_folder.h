/* The folder of a data set, complete or not at all. */
#ifndef TRM_DATA_DATASET_FOLDER_H
#define TRM_DATA_DATASET_FOLDER_H

#include "base/file.h"

/* A folder built beside its place. Zeroed before begin:
 *   trm__folder_begin(&f, dir, &err); files below f.temporary ...; trm__folder_commit(&f, &err);
 * and trm__folder_abort(&f) on every path; it removes what was not committed. */
typedef struct trm__folder {
  char *dir, *parent, *temporary, *replaced;
} trm__folder;

/* Refuses a `dir` that exists and is neither empty nor a data set of our own making. */
trm_status trm__folder_begin(trm__folder *f, const char *dir, trm_error *err);
/* identifiers.json of puzzles without ids of their own. */
trm_status trm__folder_write_blank(const trm__folder *f, trm_error *err);
/* Puts the folder in its place. */
trm_status trm__folder_commit(trm__folder *f, trm_error *err);
void trm__folder_abort(trm__folder *f);

#endif
