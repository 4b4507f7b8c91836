/* What a server is made of. */
#ifndef TRM_CLI_SERVE_SERVER_H
#define TRM_CLI_SERVE_SERVER_H

#include <stdatomic.h>

#include "cli/serve/connections.h"
#include "cli/serve/guard.h"
#include "cli/serve/runs.h"
#include "cli/serve/worker.h"

enum {
  SERVE_BODY = 1 << 20,     /* bytes of a request's body at most, */
  SERVE_BODIES = 64 << 20,  /* and of all under way, with answers that are ready at once */
  SERVE_CONNECTIONS = 2048, /* at most */
  SERVE_HEADERS = 16 << 10, /* bytes of memory for one: its headers, ours, and a part of a body */
  SERVE_ROUTES = 16
};

typedef struct serve_server {
  guard guard;
  bool metrics; /* GET /metrics is answered */
  int waiting;  /* puzzles in line at most, of a model */
  double began; /* cli_now */
  atomic_bool stopping;
  serve_runs *runs; /* NULL: none are watched */

  /* By model: */
  int n_models;
  serve_model *models;
  serve_worker **workers;
  const char **names;

  /* Of the thread that answers, but for what has a lock: */
  serve_connections connections;
  metrics_route counts[SERVE_ROUTES]; /* by route; the last one is that of unknown paths */
  size_t bodies;                      /* bytes of bodies and such answers under way */
} serve_server;

#endif
