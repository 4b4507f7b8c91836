/* See http.h. */
#include "cli/serve/http.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#ifdef TRM_MHD
#include "cli/serve/mhd.h"
#include "cli/serve/routes.h"

struct serve_http {
  serve_mhd mhd;
  serve_server *server;
  struct MHD_Daemon *daemon;
};

typedef enum MHD_Result result;

/* ---- sending ---- */

/* What browsers are told of every answer: it is what it says it is, it belongs to no other page, is
 * shown in none, and is kept nowhere. Of the page's files it is that they take nothing from
 * elsewhere, and are kept until their tag is another. */
static const struct {
  const char *name, *value, *of_page; /* NULL: the same */
} headers[] = {
    {"X-Content-Type-Options", "nosniff", NULL},
    {"X-Frame-Options", "DENY", NULL},
    {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
     "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    {"Cross-Origin-Resource-Policy", "same-origin", NULL},
    {"Referrer-Policy", "no-referrer", NULL},
    {"Cache-Control", "no-store", "no-cache"},
};

/* Queues a response (NULL: there was no memory), which is the library's from now on. */
static result send_response(serve_connection *c, int code, const char *type, bool of_page,
                            struct MHD_Response *response) {
  const serve_mhd *m = &c->http->mhd;
  serve_server *s = c->http->server;
  if (!response) return MHD_NO;
  for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
    m->MHD_add_response_header(
        response, headers[i].name,
        of_page && headers[i].of_page ? headers[i].of_page : headers[i].value);
  m->MHD_add_response_header(response, "Content-Type", type);
  if (atomic_load(&s->stopping)) m->MHD_add_response_header(response, "Connection", "close");
  metrics_answered(&s->counts[serve_route_place(c->route)], code);
  serve_connection_enter(&s->connections, c, PHASE_SENDING);
  const result queued = m->MHD_queue_response(c->link, (unsigned)code, response);
  m->MHD_destroy_response(response);
  return queued;
}

/* A reply, which is used up. */
static result send_reply(serve_connection *c, serve_reply *reply) {
  const serve_mhd *m = &c->http->mhd;
  char seconds[16];
  struct MHD_Response *response = NULL;
  if (reply->file)
    response =
        m->MHD_create_response_from_buffer(reply->code == 304 ? 0 : reply->file->size,
                                           (void *)reply->file->data, MHD_RESPMEM_PERSISTENT);
  else if (!reply->text.failed)
    response = m->MHD_create_response_from_buffer(
        reply->text.n, reply->text.n ? reply->text.at : "", MHD_RESPMEM_MUST_COPY);
  serve_text_free(&reply->text);

  /* What some statuses say beside. */
  snprintf(seconds, sizeof seconds, "%d", reply->retry_after);
  if (response && reply->retry_after) m->MHD_add_response_header(response, "Retry-After", seconds);
  if (response && reply->allow) m->MHD_add_response_header(response, "Allow", reply->allow);
  if (response && reply->code == 401)
    m->MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
  if (response && reply->file) m->MHD_add_response_header(response, "ETag", reply->file->tag);
  return send_response(c, reply->code, reply->type, reply->file != NULL, response);
}

/* ---- jobs ---- */

static void sleep_connection(void *arg) {
  serve_connection *c = arg;
  c->http->mhd.MHD_suspend_connection(c->link);
}

static void wake_connection(void *arg) {
  serve_connection *c = arg;
  c->http->mhd.MHD_resume_connection(c->link);
}

/* The whole answer, once it is there; the text stays the job's, which lives until all is sent. */
static result send_answer(serve_connection *c) {
  serve_job *job = c->job;
  const serve_waited what = serve_job_await(job);
  if (what == SERVE_ASLEEP) return MHD_YES;
  if (what == SERVE_GONE || job->out.failed || !job->out.n) return MHD_NO;
  return send_response(c, job->code, "application/json", false,
                       c->http->mhd.MHD_create_response_from_buffer(job->out.n, job->out.at,
                                                                    MHD_RESPMEM_PERSISTENT));
}

/* The next part of a stream; where there is none yet the connection sleeps. */
static ssize_t read_stream(void *arg, uint64_t at, char *to, size_t size) {
  serve_connection *c = arg;
  size_t n = 0;
  (void)at;
  const serve_waited what = serve_job_read(c->job, to, size, &n);
  serve_connection_enter(&c->http->server->connections, c,
                         what == SERVE_ASLEEP ? PHASE_WORKING : PHASE_SENDING);
  return what == SERVE_READY    ? (ssize_t)n
         : what == SERVE_ASLEEP ? 0
         : what == SERVE_ENDED  ? MHD_CONTENT_READER_END_OF_STREAM
                                : MHD_CONTENT_READER_END_WITH_ERROR;
}

static result send_stream(serve_connection *c) {
  enum { PART = 4096 }; /* bytes that are asked for at once */
  return send_response(
      c, 200, "text/event-stream", false,
      c->http->mhd.MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PART, read_stream, c, NULL));
}

/* A body that is complete. */
static result begin_job(serve_connection *c) {
  serve_server *s = c->http->server;
  const serve_job_link link = {sleep_connection, wake_connection, c};
  serve_reply reply = {0};
  serve_job *job = serve_route_ask(s, c->route, &c->body, &link, &reply);
  s->bodies -= c->body.room;
  serve_text_free(&c->body);
  if (!job) return send_reply(c, &reply);
  serve_connection_enter(&s->connections, c, PHASE_WORKING);
  (void)serve_connection_set_job(&s->connections, c, job);
  return job->ask.stream ? send_stream(c) : send_answer(c);
}

/* ---- what is asked for ---- */

/* What of the headers matters here. */
typedef struct asked {
  const char *host, *authorization, *origin, *length, *encoding, *kept;
  int hosts, authorizations, origins, lengths, encodings, kepts;
  bool broken; /* another name may be meant for one that says where the body ends */
} asked;

/* Whether a name begins as that of a header which says where the body ends, and goes on, as where a
 * space is before the colon or a line is folded: what is meant is open (RFC 9112, 5.1 and 5.2). */
static bool is_broken(const char *name) {
  static const char *const framing[] = {"Content-Length", "Transfer-Encoding"};
  for (size_t i = 0; i < sizeof framing / sizeof *framing; i++) {
    const size_t n = strlen(framing[i]);
    if (!strncasecmp(name, framing[i], n) && name[n]) return true;
  }
  return false;
}

/* The last value of each, and how many there are. */
static result take_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value) {
  asked *a = arg;
  const struct {
    const char *name, **value;
    int *n;
  } wanted[] = {{"Host", &a->host, &a->hosts},
                {"Authorization", &a->authorization, &a->authorizations},
                {"Origin", &a->origin, &a->origins},
                {"Content-Length", &a->length, &a->lengths},
                {"Transfer-Encoding", &a->encoding, &a->encodings},
                {"If-None-Match", &a->kept, &a->kepts}};
  (void)kind;
  a->broken |= is_broken(name);
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
    if (strcasecmp(name, wanted[i].name) != 0) continue;
    *wanted[i].value = value ? value : "";
    ++*wanted[i].n;
  }
  return MHD_YES;
}

static bool has_body(const asked *a) {
  return a->encodings || (a->lengths && strcmp(a->length, "0") != 0);
}

/* Whether the headers say once where the body ends (RFC 9112, 6.3), so that a proxy in front reads
 * the same requests as this server. */
static bool is_framed(const asked *a) {
  if (a->broken || a->lengths + a->encodings > 1) return false;
  return !a->encodings || !strcasecmp(a->encoding, "chunked");
}

static bool is_too_long(const char *length) {
  uint64_t n;
  return length && (!trm__number_uint64(length, &n) || n > SERVE_BODY);
}

static void refuse_length(serve_reply *out) {
  serve_refuse(out, 413, "the body is too large: want at most %d bytes", SERVE_BODY);
}

/* Whether the request may go on; else the reply says why not. */
static bool admit(serve_server *s, const serve_route *r, const char *method, const asked *a,
                  serve_reply *out) {
  /* Who calls: nobody by another name, and no page of somebody else. */
  if (!is_framed(a))
    serve_refuse(out, 400,
                 "the headers leave open where the body ends: want one Content-Length, or "
                 "Transfer-Encoding: chunked");
  else if (a->hosts != 1 || !guard_knows_host(&s->guard, a->host))
    serve_refuse(out, 421,
                 "this server does not go by that name: want localhost, its address, or a name "
                 "that --server-names lists, in the header Host");
  else if (a->origins > 1 || !guard_is_same_origin(a->origin, a->host))
    serve_refuse(out, 403, "requests from pages of other sites are not answered");
  else if (!(r && r->open) &&
           (a->authorizations > 1 || !guard_has_key(&s->guard, a->authorization)))
    serve_refuse(out, 401, "want a key, in the header \"Authorization: Bearer KEY\"");

  /* What is called. */
  else if (!r)
    serve_refuse(out, 404, "there is nothing by this path");
  else if (strcmp(r->method, method) != 0 && !(r->answer && !strcmp(method, "HEAD"))) {
    serve_refuse(out, 405, "want the method %s", r->method);
    out->allow = r->answer ? "GET, HEAD" : r->method;
  } else if (is_too_long(a->length)) {
    refuse_length(out);
  } else if (atomic_load(&s->stopping)) {
    serve_refuse(out, 503, "the server stops");
  }
  return out->code == 0;
}

/* The value of the route's parameter in the query. */
typedef struct query {
  const char *parameter, *value;
  int n;
} query;

static result take_parameter(void *arg, enum MHD_ValueKind kind, const char *name,
                             const char *value) {
  query *q = arg;
  (void)kind;
  if (strcmp(name, q->parameter) != 0) return MHD_YES;
  q->value = value;
  q->n++;
  return MHD_YES;
}

/* A complete answer, of a path that is known. It counts as a body does until it is read: the curves
 * of many runs are a megabyte, and there are many connections. */
static result answer_at_once(serve_connection *c, const asked *a, serve_reply *reply) {
  serve_server *s = c->http->server;
  query q = {.parameter = c->route->parameter};
  if (q.parameter)
    c->http->mhd.MHD_get_connection_values(c->link, MHD_GET_ARGUMENT_KIND, take_parameter, &q);
  reply->value = q.n == 1 && q.value ? strdup(q.value) : NULL;
  c->route->answer(s, reply);
  free(reply->value);
  if (reply->file && a->kept && strstr(a->kept, reply->file->tag)) reply->code = 304;
  if (s->bodies + reply->text.n > SERVE_BODIES) {
    serve_text_free(&reply->text);
    serve_refuse(reply, 429, "answers that are not read leave no room for this one: come again");
    reply->retry_after = 1;
  }
  c->reply = reply->text.n;
  s->bodies += c->reply;
  return send_reply(c, reply);
}

/* The headers are there. What is answered before its body has come ends the connection, so this is
 * done for bodies that nobody wants, and else once all is there. */
static result begin_request(serve_connection *c, const char *path, const char *method, bool whole) {
  serve_server *s = c->http->server;
  serve_reply reply = {.path = path};
  asked a = {0};
  c->route = serve_route_of(path);
  c->refused = 0;
  c->http->mhd.MHD_get_connection_values(c->link, MHD_HEADER_KIND, take_header, &a);
  if (!whole && is_framed(&a) && !has_body(&a)) return MHD_YES;
  if (!admit(s, c->route, method, &a, &reply)) return send_reply(c, &reply);
  if (c->route->answer) return answer_at_once(c, &a, &reply);
  c->admitted = true;
  return whole ? begin_job(c) : MHD_YES;
}

/* Some of the body; of one that is too much nothing is kept, for only its end can be answered. */
static void take_body(serve_connection *c, const char *data, size_t n) {
  serve_server *s = c->http->server;
  const size_t before = c->body.room;
  if (c->refused) return;
  if (c->body.n + n > SERVE_BODY)
    c->refused = 413;
  else if (s->bodies + n > SERVE_BODIES)
    c->refused = 429;
  if (!c->refused) serve_text_add(&c->body, data, n);
  if (c->body.failed) c->refused = 503;
  s->bodies += c->body.room - before;
  if (!c->refused) return;
  s->bodies -= c->body.room;
  serve_text_free(&c->body);
}

static result end_body(serve_connection *c) {
  serve_reply reply = {0};
  if (!c->refused) return begin_job(c);
  if (c->refused == 413)
    refuse_length(&reply);
  else
    serve_refuse(&reply, c->refused, "there is no room for the request now: come again");
  reply.retry_after = c->refused == 413 ? 0 : 1;
  return send_reply(c, &reply);
}

/* Called when the headers are there, for each part of a body, at its end, and when a connection was
 * woken. */
static result answer(void *arg, struct MHD_Connection *link, const char *path, const char *method,
                     const char *version, const char *data, size_t *n, void **request) {
  serve_http *h = arg;
  (void)version;

  /* A connection for which there is no room is closed. */
  const union MHD_ConnectionInfo *info =
      h->mhd.MHD_get_connection_info(link, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  serve_connection *c = info ? info->socket_context : NULL;
  if (!c) return MHD_NO;

  if (!*request) {
    *request = c;
    c->admitted = false;
    return begin_request(c, path, method, false);
  }
  if (*n) {
    take_body(c, data, *n);
    *n = 0;
    return MHD_YES;
  }
  if (c->job) return send_answer(c);
  return c->admitted ? end_body(c) : begin_request(c, path, method, true);
}

/* A request is over, answered or not. */
static void end_request(void *arg, struct MHD_Connection *link, void **request,
                        enum MHD_RequestTerminationCode why) {
  serve_http *h = arg;
  serve_connection *c = *request;
  (void)link;
  (void)why;
  if (!c) return;
  serve_job *job = serve_connection_set_job(&h->server->connections, c, NULL);
  if (job) serve_job_leave(job);
  h->server->bodies -= c->body.room + c->reply;
  c->reply = 0;
  serve_text_free(&c->body);
  serve_connection_enter(&h->server->connections, c, PHASE_READING);
  *request = NULL;
}

/* A connection begins, or is about to be closed. */
static void notify(void *arg, struct MHD_Connection *link, void **context,
                   enum MHD_ConnectionNotificationCode what) {
  serve_http *h = arg;
  serve_connections *all = &h->server->connections;
  serve_connection *c = *context;
  if (what == MHD_CONNECTION_NOTIFY_STARTED) {
    const union MHD_ConnectionInfo *info =
        h->mhd.MHD_get_connection_info(link, MHD_CONNECTION_INFO_CONNECTION_FD);
    c = info ? serve_connection_open(all, info->connect_fd) : NULL;
    *context = c;
    if (!c) return;
    c->http = h;
    c->link = link;
  } else if (c) {
    serve_connection_close(all, c);
    *context = NULL;
  }
}

/* Paths stay as they were sent: none of ours has an escape, and one of a zero would cut it. */
static size_t keep_escapes(void *arg, struct MHD_Connection *link, char *text) {
  (void)arg;
  (void)link;
  return strlen(text);
}

/* ---- its life ---- */

trm_status serve_http_create(serve_server *s, serve_http **out, trm_error *err) {
  *out = NULL;
  serve_http *h = calloc(1, sizeof *h);
  if (!h) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for a server");
  h->server = s;
  const trm_status st = serve_mhd_load(&h->mhd, err);
  if (st == TRM_OK)
    *out = h;
  else
    free(h);
  return st;
}

trm_status serve_http_start(serve_http *h, int fd, trm_error *err) {
  serve_routes_name(h->server->counts);
  h->daemon = h->mhd.MHD_start_daemon(
      MHD_USE_AUTO_INTERNAL_THREAD | MHD_USE_SUSPEND_RESUME, 0, NULL, NULL, answer, h,
      MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_COMPLETED, end_request, h,
      MHD_OPTION_NOTIFY_CONNECTION, notify, h, MHD_OPTION_CONNECTION_LIMIT,
      (unsigned)SERVE_CONNECTIONS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)SERVE_HEADERS,
      MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_END);
  if (h->daemon) return TRM_OK;
  return cli_fail(err, TRM_E_SYSTEM, -1, "libmicrohttpd could not start: no thread, or no memory");
}

void serve_http_quiesce(serve_http *h) {
  if (h->daemon) (void)h->mhd.MHD_quiesce_daemon(h->daemon);
}

void serve_http_free(serve_http *h) {
  if (!h) return;
  if (h->daemon) h->mhd.MHD_stop_daemon(h->daemon);
  free(h);
}

#else

trm_status serve_http_create(serve_server *s, serve_http **out, trm_error *err) {
  (void)s;
  *out = NULL;
  return cli_fail(
      err, TRM_E_SYSTEM, -1,
      "this trm was built without libmicrohttpd, which trm serve needs: install it with "
      "its headers (the package libmicrohttpd-dev of Debian) and build again; a static "
      "program never has it");
}
trm_status serve_http_start(serve_http *h, int fd, trm_error *err) {
  (void)h;
  (void)fd;
  return cli_fail(err, TRM_E_SYSTEM, -1, "there is no server in this trm");
}
void serve_http_quiesce(serve_http *h) {
  (void)h;
}
void serve_http_free(serve_http *h) {
  (void)h;
}
#endif
