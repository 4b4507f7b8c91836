/* See connections.h. */
#include "cli/serve/connections.h"

#include <stdlib.h>
#include <sys/socket.h>

trm_status serve_connections_create(serve_connections *c, int most, trm_error *err) {
  *c = (serve_connections){.most = most};
  c->all = calloc((size_t)most, sizeof *c->all);
  c->polled = calloc((size_t)most, sizeof *c->polled);
  c->whose = calloc((size_t)most, sizeof *c->whose);
  pthread_mutex_init(&c->lock, NULL);
  if (c->all && c->polled && c->whose) return TRM_OK;
  return cli_fail(err, TRM_E_MEMORY, -1, "no memory for %d connections", most);
}

void serve_connections_free(serve_connections *c) {
  if (!c->most) return;
  free(c->all);
  free(c->polled);
  free(c->whose);
  pthread_mutex_destroy(&c->lock);
  *c = (serve_connections){0};
}

serve_connection *serve_connection_open(serve_connections *c, int fd) {
  serve_connection *one = NULL;
  pthread_mutex_lock(&c->lock);
  for (int i = 0; i < c->most && !one; i++)
    if (c->all[i].phase == PHASE_FREE) one = &c->all[i];
  if (one) {
    *one = (serve_connection){.phase = PHASE_READING, .fd = fd, .since = cli_now()};
    c->open++;
  }
  pthread_mutex_unlock(&c->lock);
  return one;
}

void serve_connection_close(serve_connections *c, serve_connection *one) {
  pthread_mutex_lock(&c->lock);
  one->phase = PHASE_FREE;
  c->open--;
  pthread_mutex_unlock(&c->lock);
}

void serve_connection_enter(serve_connections *c, serve_connection *one, serve_phase phase) {
  pthread_mutex_lock(&c->lock);
  one->phase = phase;
  one->since = cli_now();
  pthread_mutex_unlock(&c->lock);
}

serve_job *serve_connection_set_job(serve_connections *c, serve_connection *one, serve_job *job) {
  pthread_mutex_lock(&c->lock);
  serve_job *before = one->job;
  one->job = job;
  pthread_mutex_unlock(&c->lock);
  return before;
}

/* ---- watching ---- */

/* Its thread reads the end of the connection, and closes it. */
static void cut(serve_connection *one) {
  (void)shutdown(one->fd, SHUT_RDWR);
}

/* Under the lock, so that no descriptor is another's before it was looked at. */
static void look_for_leavers(serve_connections *c, int n) {
  if (n == 0 || poll(c->polled, (nfds_t)n, 0) <= 0) return;
  for (int i = 0; i < n; i++) {
    if (!c->polled[i].revents) continue;
    serve_connection *one = &c->all[c->whose[i]];
    cut(one);
    if (one->job) serve_job_abandon(one->job);
  }
}

/* libmicrohttpd may not see the end of a connection that comes with a request. What came with it
 * has been read after LEFT seconds. */
static bool may_have_left(const serve_connection *one, double seconds) {
  enum { LEFT = 1 };
  return one->phase == PHASE_READING && seconds > LEFT;
}

int serve_connections_watch(serve_connections *c, double timeout) {
  int busy = 0, n = 0;
  const double now = cli_now();
  pthread_mutex_lock(&c->lock);
  for (int i = 0; i < c->most; i++) {
    serve_connection *one = &c->all[i];
    if (one->phase == PHASE_FREE) continue;
    busy += one->phase != PHASE_READING;
    const bool waits = one->phase == PHASE_WORKING && one->job;
    if (waits || may_have_left(one, now - one->since)) {
      c->polled[n] = (struct pollfd){.fd = one->fd, .events = POLLRDHUP};
      c->whose[n++] = i;
    }
    if (!waits && now - one->since > timeout) cut(one);
  }
  look_for_leavers(c, n);
  pthread_mutex_unlock(&c->lock);
  return busy;
}

int serve_connections_count(serve_connections *c) {
  pthread_mutex_lock(&c->lock);
  const int open = c->open;
  pthread_mutex_unlock(&c->lock);
  return open;
}
