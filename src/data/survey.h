/* What looking at a folder and verifying it have in common. */
#ifndef TRM_DATA_SURVEY_H
#define TRM_DATA_SURVEY_H

#include "trm/dataset.h"

/* Errors: SHAPE when tokens of one split mean another thing in the other. */
trm_status trm__splits_agree(const char *dir, const trm_dataset *train, const trm_dataset *test,
                             trm_error *err);
/* Reports progress (NULL is fine). Errors: INTERRUPTED. */
trm_status trm__tick(trm_progress_fn *progress, void *arg, int64_t done, int64_t total,
                     trm_error *err);

#endif
