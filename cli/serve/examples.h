/* Puzzles to try. */
#ifndef TRM_CLI_SERVE_EXAMPLES_H
#define TRM_CLI_SERVE_EXAMPLES_H

#include "cli/serve/requests.h"

/* {"examples": [{"model": NAME, "puzzle": TEXT}, ...]}: for each model those that are puzzles of
 * its kind and size. In a fresh block (trm__free); NULL: no memory. */
char *serve_examples_json(const serve_model *models, int n);

/* The first one of a model; NULL: there is none. */
const char *serve_example_of(const serve_model *m);

#endif
