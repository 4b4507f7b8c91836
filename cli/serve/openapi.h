/* The interface, described for programs: OpenAPI 3.0, from the tables of routes and members. */
#ifndef TRM_CLI_SERVE_OPENAPI_H
#define TRM_CLI_SERVE_OPENAPI_H

/* In a fresh block (trm__free); NULL: no memory. `most`: puzzles of a batch. */
char *serve_openapi_json(int most);

#endif
