/* See metrics.h. */
#include "cli/serve/metrics.h"

#include <inttypes.h>
#include <string.h>

const double metrics_bounds[METRICS_BOUNDS] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                               0.1,   0.25,   0.5,   1,    2.5,   10};

void metrics_solved(metrics_model *m, double seconds) {
  int i = 0;
  while (i < METRICS_BOUNDS && seconds > metrics_bounds[i]) i++;
  m->bucket[i]++;
  m->solved++;
  m->seconds += seconds;
}

void metrics_answered(metrics_route *r, int code) {
  int i = 0;
  while (i < METRICS_CODES - 1 && r->code[i] && r->code[i] != code) i++;
  r->code[i] = code;
  r->n[i]++;
}

/* ---- the text ---- */

static void head(serve_text *out, const char *name, const char *type, const char *help) {
  serve_text_say(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* {name="value"}: quotes, backslashes and line ends are escaped; what else is in it stays. */
static void label(serve_text *out, const char *name, const char *value) {
  serve_text_say(out, "%s=\"", name);
  for (; *value; value++) {
    if (*value == '\n') serve_text_add(out, "\\n", 2);
    if (*value == '\n') continue;
    if (*value == '"' || *value == '\\') serve_text_add(out, "\\", 1);
    serve_text_add(out, value, 1);
  }
  serve_text_add(out, "\"", 1);
}

static void real(serve_text *out, double v) {
  char text[TRM__NUMBER_SIZE];
  serve_text_add(out, text, trm__number_print(v, text));
}

/* What there is one figure of for each model. */
static const struct family {
  const char *name, *type, *help;
  bool whole; /* int64_t; else int */
  size_t at;  /* in metrics_model */
} families[] = {
    {"trm_puzzles_solved_total", "counter", "Puzzles that were answered.", true,
     offsetof(metrics_model, solved)},
    {"trm_puzzles_cancelled_total", "counter", "Puzzles whose client left.", true,
     offsetof(metrics_model, cancelled)},
    {"trm_puzzles_refused_total", "counter", "Puzzles that found the waiting list full.", true,
     offsetof(metrics_model, refused)},
    {"trm_supervision_steps_total", "counter", "Supervision steps of all puzzles.", true,
     offsetof(metrics_model, steps)},
    {"trm_puzzles_waiting", "gauge", "Puzzles that wait for a row.", false,
     offsetof(metrics_model, waiting)},
    {"trm_puzzles_running", "gauge", "Puzzles that have a row.", false,
     offsetof(metrics_model, running)},
};

static void write_families(serve_text *out, const metrics *m) {
  for (size_t k = 0; k < sizeof families / sizeof *families; k++) {
    const struct family *f = &families[k];
    head(out, f->name, f->type, f->help);
    for (int i = 0; i < m->n_models; i++) {
      const char *at = (const char *)&m->models[i] + f->at;
      int64_t whole;
      int small;
      memcpy(&whole, at, f->whole ? sizeof whole : 0);
      memcpy(&small, at, f->whole ? 0 : sizeof small);
      serve_text_say(out, "%s{", f->name);
      label(out, "model", m->names[i]);
      serve_text_say(out, "} %" PRId64 "\n", f->whole ? whole : (int64_t)small);
    }
  }
}

static void write_seconds(serve_text *out, const metrics *m) {
  static const char name[] = "trm_puzzle_duration_seconds";
  head(out, name, "histogram", "From the request for a puzzle to its answer.");
  for (int i = 0; i < m->n_models; i++) {
    int64_t n = 0;
    for (int k = 0; k <= METRICS_BOUNDS; k++) {
      n += m->models[i].bucket[k];
      serve_text_say(out, "%s_bucket{", name);
      label(out, "model", m->names[i]);
      serve_text_say(out, ",le=\"");
      if (k < METRICS_BOUNDS) real(out, metrics_bounds[k]);
      serve_text_say(out, "%s\"} %" PRId64 "\n", k < METRICS_BOUNDS ? "" : "+Inf", n);
    }
    serve_text_say(out, "%s_sum{", name);
    label(out, "model", m->names[i]);
    serve_text_say(out, "} ");
    real(out, m->models[i].seconds);
    serve_text_say(out, "\n%s_count{", name);
    label(out, "model", m->names[i]);
    serve_text_say(out, "} %" PRId64 "\n", n);
  }
}

static void write_requests(serve_text *out, const metrics *m) {
  static const char name[] = "trm_http_requests_total";
  head(out, name, "counter", "Requests that were answered, by route and status.");
  for (int i = 0; i < m->n_routes; i++)
    for (int k = 0; k < METRICS_CODES && m->routes[i].code[k]; k++) {
      serve_text_say(out, "%s{", name);
      label(out, "route", m->routes[i].path);
      serve_text_say(out, ",code=\"%d\"} %" PRId64 "\n", m->routes[i].code[k], m->routes[i].n[k]);
    }
}

void metrics_write(serve_text *out, const metrics *m) {
  write_families(out, m);
  write_seconds(out, m);
  write_requests(out, m);
  head(out, "trm_http_connections", "gauge", "Connections that are open.");
  serve_text_say(out, "trm_http_connections %d\n", m->connections);
  head(out, "trm_uptime_seconds", "gauge", "Since the server began to listen.");
  serve_text_say(out, "trm_uptime_seconds ");
  real(out, m->uptime);
  serve_text_say(out, "\n");
}
