/* HTTP by libmicrohttpd: one thread that accepts, reads, refuses what must be refused, hands over
 * puzzles and sends what is ready. A connection that waits is suspended and costs no time. */
#ifndef TRM_CLI_SERVE_HTTP_H
#define TRM_CLI_SERVE_HTTP_H

#include "cli/serve/server.h"

typedef struct serve_http serve_http;

/* Errors: SYSTEM where libmicrohttpd is missing, in the build or on this machine; MEMORY. */
trm_status serve_http_create(serve_server *s, serve_http **out, trm_error *err);
/* Answers who connects to the socket, which stays the caller's. Errors: SYSTEM. */
trm_status serve_http_start(serve_http *h, int fd, trm_error *err);
/* No more connections are accepted; those that there are go on. */
void serve_http_quiesce(serve_http *h);
/* Closes all, when all jobs have ended, and the library's thread. NULL is fine. */
void serve_http_free(serve_http *h);

#endif
