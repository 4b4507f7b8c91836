/* The fields of a model's configuration. */
#ifndef TRM_NN_MODEL_FIELDS_H
#define TRM_NN_MODEL_FIELDS_H

#include "base/field.h"
#include "trm/model.h"

/* In the order of config.json, `arch` first; all but puzzle and identifiers, which are no numbers
 * or words. */
extern const trm__fields trm__model_fields;

/* What an older release did not know, and is not set: left out of files and fingerprints. */
bool trm__model_field_is_silent(const trm_field *f, const trm_model_config *c);

#endif
