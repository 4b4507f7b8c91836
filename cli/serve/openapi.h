/* The interface, described for programs: OpenAPI 3.0, from the tables of routes and members. */
#ifndef TRM_CLI_SERVE_OPENAPI_H
#define TRM_CLI_SERVE_OPENAPI_H

#include "cli/serve/requests.h"

/* Of a server with these models, and `most` puzzles in a batch. In a fresh block (trm__free); NULL:
 * no memory. */
char *serve_openapi_json(const serve_model *models, int n_models, int most);

#endif
