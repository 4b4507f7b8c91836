/* The connections that are open: what each is doing, since when, and for which job. One thread
 * answers them, another watches: it cuts those that take too long, and sees when a client leaves
 * that waits for an answer, which libmicrohttpd does not look at meanwhile. */
#ifndef TRM_CLI_SERVE_CONNECTIONS_H
#define TRM_CLI_SERVE_CONNECTIONS_H

#include <poll.h>

#include "cli/serve/serve_text.h"
#include "cli/serve/worker.h"

struct serve_route;
struct serve_http;
struct MHD_Connection;

typedef enum serve_phase {
  PHASE_FREE,    /* of nobody */
  PHASE_READING, /* a request is to come, and to be complete in time */
  PHASE_WORKING, /* it waits for its answer, or for the next part of it */
  PHASE_SENDING  /* there is something to send, and to be read in time */
} serve_phase;

typedef struct serve_connection {
  /* Under the lock: */
  serve_phase phase;
  int fd;
  double since; /* the phase began, or some of a stream was read */
  serve_job *job;

  /* Of the thread that answers: */
  struct serve_http *http;
  struct MHD_Connection *link;
  const struct serve_route *route;
  bool admitted; /* its body is wanted */
  serve_text body;
  int refused;  /* status of a body that is not kept */
  size_t reply; /* bytes of an answer that was ready at once and is not read yet */
} serve_connection;

typedef struct serve_connections {
  pthread_mutex_t lock;
  serve_connection *all; /* [most] */
  struct pollfd *polled; /* [most], the watcher's; with whose they are: */
  int *whose;
  int most, open;
} serve_connections;

trm_status serve_connections_create(serve_connections *c, int most, trm_error *err);
void serve_connections_free(serve_connections *c); /* when all are closed */

/* NULL when there are too many. */
serve_connection *serve_connection_open(serve_connections *c, int fd);
void serve_connection_close(serve_connections *c, serve_connection *one);
void serve_connection_enter(serve_connections *c, serve_connection *one, serve_phase phase);
/* The job that it waits for; NULL takes it back, and returns the one before. */
serve_job *serve_connection_set_job(serve_connections *c, serve_connection *one, serve_job *job);

/* Cuts connections that have been reading or sending for more than `timeout` seconds, and those of
 * clients that have left, whose jobs it abandons. Returns those that work or send. */
int serve_connections_watch(serve_connections *c, double timeout);
int serve_connections_count(serve_connections *c);

#endif
