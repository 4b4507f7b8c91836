/* The models that a server or a page answers by, loaded by path or name. */
#ifndef TRM_CLI_SERVE_SERVED_MODELS_H
#define TRM_CLI_SERVE_SERVED_MODELS_H

#include "cli/serve/requests.h"

typedef struct served_models {
  int n;
  serve_model *v;    /* [n] */
  trm_model **owned; /* [n], in the same order */
  char (*names)[128], (*abouts)[256];
} served_models;

/* Those that `words` name, each called by the last part of its path; with n 0 all that have a name
 * (named_models.h), of which what is no model that puzzles can be given to is told of and left out.
 * A zeroed list; what was loaded is freed by served_models_free also after an error. Errors:
 * ARGUMENT where two have one name; CONFIG where a model does not say what its tokens mean; IO,
 * MEMORY and those of trm_model_open. */
trm_status served_models_load(served_models *out, int n, char **words, trm_error *err);
void served_models_free(served_models *m);

#endif
