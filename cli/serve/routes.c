/* See routes.h. */
#include "cli/serve/routes.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "cli/serve/examples.h"
#include "cli/serve/openapi.h"

/* ---- replies ---- */

/* `json` of trm__alloc, which is released; NULL: there was no memory. */
static void reply_json(serve_reply *out, int code, char *json) {
  out->code = json ? code : 503;
  out->type = "application/json";
  if (json) serve_text_add(&out->text, json, strlen(json));
  trm__free(json);
}

void serve_refuse(serve_reply *out, int code, const char *fmt, ...) {
  char text[600];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  reply_json(out, code, serve_error_json(code, text));
}

static void get_health(serve_server *s, serve_reply *out) {
  (void)s; /* while it stops, nobody comes here */
  out->code = 200;
  out->type = "application/json";
  serve_text_say(&out->text, "{\"status\":\"ok\"}");
}

static void get_models(serve_server *s, serve_reply *out) {
  reply_json(out, 200, serve_models_json(s->models, s->n_models));
}

static void get_examples(serve_server *s, serve_reply *out) {
  reply_json(out, 200, serve_examples_json(s->models, s->n_models));
}

static void get_openapi(serve_server *s, serve_reply *out) {
  reply_json(out, 200, serve_openapi_json(s->models, s->n_models, s->waiting));
}

static void get_metrics(serve_server *s, serve_reply *out) {
  if (!s->metrics) {
    serve_refuse(out, 404, "there are no metrics: trm serve was started without --metrics");
    return;
  }
  metrics_model *models = calloc((size_t)s->n_models, sizeof *models);
  for (int i = 0; models && i < s->n_models; i++) models[i] = serve_worker_metrics(s->workers[i]);
  const metrics all = {.routes = s->counts,
                       .n_routes = SERVE_ROUTES,
                       .names = s->names,
                       .models = models,
                       .n_models = models ? s->n_models : 0,
                       .connections = serve_connections_count(&s->connections),
                       .uptime = cli_now() - s->began};
  out->code = 200;
  out->type = "text/plain; version=0.0.4; charset=utf-8";
  metrics_write(&out->text, &all);
  free(models);
}

/* ---- trainings ---- */

static bool has_runs(const serve_server *s, serve_reply *out) {
  if (!s->runs)
    serve_refuse(out, 404, "no trainings are watched: trm serve was started without --run FOLDER");
  return s->runs;
}

static void get_runs(serve_server *s, serve_reply *out) {
  if (has_runs(s, out)) reply_json(out, 200, serve_runs_json(s->runs));
}

static void get_curve(serve_server *s, serve_reply *out) {
  if (!has_runs(s, out)) return;
  if (out->value && serve_unescape(out->value))
    reply_json(out, 200, serve_runs_curve_json(s->runs, out->value));
  else
    serve_refuse(out, 400,
                 "want one parameter \"key\", a key of /v1/runs, in UTF-8: "
                 "/v1/runs/curve?key=all%%2Fexact_accuracy");
}

static void get_puzzles(serve_server *s, serve_reply *out) {
  int64_t id;
  bool there = false;
  if (!has_runs(s, out)) return;
  if (!out->value || !trm__number_int64(out->value, &id)) {
    serve_refuse(out, 400, "want one parameter \"run\", an id of /v1/runs: /v1/runs/puzzles?run=0");
    return;
  }
  char *json = serve_runs_puzzles_json(s->runs, id, &there);
  if (there) {
    reply_json(out, 200, json);
    return;
  }
  trm__free(json);
  serve_refuse(out, 404, "there is no run %lld", (long long)id);
}

static void get_page(serve_server *s, serve_reply *out) {
  (void)s;
  out->file = page_file_of(out->path);
  out->code = 200;
  out->type = out->file->type;
}

/* ---- the table ---- */

enum { PAGE }; /* the row of the page and its files */
static const serve_route routes[] = {
    [PAGE] = {"/", "GET", "The page for people.", true, get_page, NULL, false},
    {"/health", "GET", "Whether the server answers.", true, get_health, NULL, false},
    {"/metrics", "GET", "Figures in the text format of Prometheus, with --metrics.", false,
     get_metrics, NULL, false},
    {"/openapi.json", "GET", "This interface, described for programs.", false, get_openapi, NULL,
     false},
    {"/v1/examples", "GET", "Puzzles to try, of the models that are here.", false, get_examples,
     NULL, false},
    {"/v1/models", "GET", "The models that are here.", false, get_models, NULL, false},
    {"/v1/runs", "GET", "The trainings that are watched, with --run.", false, get_runs, NULL,
     false},
    {"/v1/runs/curve", "GET", "A figure of their logs.", false, get_curve, "key", false},
    {"/v1/runs/puzzles", "GET", "What the newest checkpoint of one solves, step by step.", false,
     get_puzzles, "run", false},
    {"/v1/solve", "POST", "Answers a puzzle, or follows it step by step.", false, NULL, NULL,
     false},
    {"/v1/batch", "POST", "Answers many puzzles, in their order.", false, NULL, NULL, true},
};
enum { ROUTES = sizeof routes / sizeof *routes };
_Static_assert((int)ROUTES < (int)SERVE_ROUTES, "the last place is that of unknown paths");

const serve_route *serve_route_at(int i) {
  return i < ROUTES ? &routes[i] : NULL;
}

const serve_route *serve_route_of(const char *path) {
  for (int i = 0; i < ROUTES; i++)
    if (!strcmp(routes[i].path, path)) return &routes[i];
  return page_file_of(path) ? &routes[PAGE] : NULL;
}

int serve_route_place(const serve_route *r) {
  return r ? (int)(r - routes) : SERVE_ROUTES - 1;
}

void serve_routes_name(metrics_route *counts) {
  for (int i = 0; i < ROUTES; i++) counts[i].path = routes[i].path;
  counts[SERVE_ROUTES - 1].path = "other";
}

/* ---- puzzles ---- */

static int status_of(trm_status st) {
  return st == TRM_E_MEMORY ? 503 : st == TRM_E_SYSTEM ? 500 : 400;
}

serve_job *serve_route_ask(serve_server *s, const serve_route *r, const serve_text *body,
                           const serve_job_link *link, serve_reply *out) {
  trm_error err;
  int seconds = 1;
  serve_job *job = calloc(1, sizeof *job);
  if (!job) {
    serve_refuse(out, 503, "no memory for the request");
    return NULL;
  }
  job->link = *link;
  const trm_status st = serve_ask_read(s->models, s->n_models, r->many ? s->waiting : 0,
                                       body->n ? body->at : "", body->n, &job->ask, &err);
  if (st != TRM_OK) {
    serve_refuse(out, status_of(st), "%s", err.msg);
    free(job);
    return NULL;
  }

  /* Of its model, if there is room in line. */
  switch (serve_worker_take(s->workers[job->ask.model], job, &seconds)) {
    case SERVE_TAKEN:
      return job;
    case SERVE_FULL:
      serve_refuse(out, 429, "too many puzzles are waiting: come again in %d second%s", seconds,
                   TRM__S(seconds));
      out->retry_after = seconds;
      break;
    default:
      serve_refuse(out, 503, "the server stops");
  }
  serve_job_free(job);
  return NULL;
}
