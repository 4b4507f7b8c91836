/* The folder of a data set, complete or not at all: what trm__folder knows, and what is in one. */
#ifndef TRM_DATA_DATASET_FOLDER_H
#define TRM_DATA_DATASET_FOLDER_H

#include "base/draft.h"

/* Refuses a `dir` that exists and is neither empty nor a data set of our own making. */
trm_status trm__dataset_folder_begin(trm__folder *f, const char *dir, trm_error *err);
/* identifiers.json of puzzles without ids of their own. */
trm_status trm__dataset_folder_write_blank(const trm__folder *f, trm_error *err);

#endif
