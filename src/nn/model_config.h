/* The configuration of a model as the file config.json of its folder. */
#ifndef TRM_NN_MODEL_CONFIG_H
#define TRM_NN_MODEL_CONFIG_H

#include "base/error.h"
#include "trm/model.h"

/* Every field of trm_model_config under its own name, `arch` and other enumerations by their words,
 * the puzzle as an object, identifiers where they are known, and "format": "trm", "version": 1.
 * Complete or not at all. */
trm_status trm__model_config_save(const trm_model_config *c, const char *path, trm_error *err);
/* A checked configuration; every field must be there but what the first release did not write:
 * forward_dtype (then the architecture's), puzzle and identifiers (then unknown). Errors: IO;
 * FORMAT with the key when one that must be there is absent or of a wrong type; CONFIG for an
 * unknown key and for a value out of range. */
trm_status trm__model_config_load(const char *path, trm_model_config *c, trm_error *err);
/* The same as a text: in a fresh block (trm__free); `path` is for messages. */
trm_status trm__model_config_print(const trm_model_config *c, char **text, trm_error *err);
trm_status trm__model_config_parse(const char *text, const char *path, trm_model_config *c,
                                   trm_error *err);

#endif
