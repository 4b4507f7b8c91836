/* The splits of a data set folder: which there are, and what is said where one is missing. */
#ifndef TRM_DATA_SPLITS_H
#define TRM_DATA_SPLITS_H

#include "base/error.h"

#include <stdbool.h>

/* Which of DIR/train and DIR/test have a dataset.json. Errors: IO when there is none, MEMORY. */
trm_status trm__find_splits(const char *dir, bool *train, bool *test, trm_error *err);
/* Fails for a split that DIR does not have (NULL: for want of any): IO, with those that it has or
 * with what else DIR is. */
trm_status trm__split_missing(const char *dir, const char *split, trm_error *err);

#endif
