/* Loading a published checkpoint; trm/run.h says what one is. */
#ifndef TRM_RUN_PUBLISHED_H
#define TRM_RUN_PUBLISHED_H

#include "trm/run.h"

/* With what is known of the data that it is to be used on (NULL: nothing). Errors: those of
 * trm_published_config and trm_model_import; CONFIG where nothing shows seq_len. */
trm_status trm__published_load(const char *path, const trm_dataset_info *data,
                               const trm_run_listener *to, trm_model **out, trm_error *err);

#endif
