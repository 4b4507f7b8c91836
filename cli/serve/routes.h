/* What can be asked for by which path. */
#ifndef TRM_CLI_SERVE_ROUTES_H
#define TRM_CLI_SERVE_ROUTES_H

#include "cli/serve/page.h"
#include "cli/serve/server.h"

/* An answer that is complete. */
typedef struct serve_reply {
  const char *path; /* what was asked for, */
  char *value;      /* and the value of the route's parameter as it was sent; NULL: none, or many */
  int code;
  const char *type; /* of the text */
  serve_text text;
  int retry_after;       /* seconds; 0: none */
  const char *allow;     /* the methods that there are, of 405 */
  const page_file *file; /* in place of the text: one of the page's, which browsers may keep */
} serve_reply;

typedef struct serve_route {
  const char *path, *method; /* "GET" or "POST"; HEAD goes where GET does */
  const char *about;         /* one sentence */
  bool open;                 /* nobody needs a key */
  /* Of GET: */
  void (*answer)(serve_server *s, serve_reply *out);
  const char *parameter; /* of its query; NULL: it has none, and what there is is not looked at */
  /* Of POST, whose body is a request for puzzles: whether it may be for many. */
  bool many;
} serve_route;

/* The i-th; NULL behind the last. */
const serve_route *serve_route_at(int i);
/* NULL: there is no such path. Paths are compared with those of the table and of the page's files,
 * and with nothing else. */
const serve_route *serve_route_of(const char *path);
/* Its place in serve_server.counts, also of NULL. */
int serve_route_place(const serve_route *r);
/* Gives every place its path. */
void serve_routes_name(metrics_route *counts);

/* An error as JSON, whose message is not a secret. */
void serve_refuse(serve_reply *out, int code, const char *fmt, ...) CLI_PRINTF(3, 4);
/* A body becomes a job, which has its connection from `link` and is in line; it is the caller's to
 * leave. NULL: the reply says why not. */
serve_job *serve_route_ask(serve_server *s, const serve_route *r, const serve_text *body,
                           const serve_job_link *link, serve_reply *out);

#endif
