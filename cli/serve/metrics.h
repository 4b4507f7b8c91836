/* What is counted, for GET /metrics: the text format of Prometheus. */
#ifndef TRM_CLI_SERVE_METRICS_H
#define TRM_CLI_SERVE_METRICS_H

#include "cli/serve/serve_text.h"

enum { METRICS_BOUNDS = 12 };
/* Seconds of the histogram, each but the last, which has no bound. */
extern const double metrics_bounds[METRICS_BOUNDS];

/* Of one model; kept under the lock of its worker. */
typedef struct metrics_model {
  int64_t solved, cancelled, refused; /* puzzles; refused: the waiting list was full */
  int64_t steps;                      /* of rows */
  int64_t bucket[METRICS_BOUNDS + 1]; /* puzzles by their seconds; not cumulative */
  double seconds;                     /* their sum */
  int waiting, running;               /* puzzles, now */
} metrics_model;
void metrics_solved(metrics_model *m, double seconds);

/* One answered request of a route, by its status; kept by the thread that answers. */
enum { METRICS_CODES = 16 };
typedef struct metrics_route {
  const char *path;
  int code[METRICS_CODES]; /* 0: not used yet */
  int64_t n[METRICS_CODES];
} metrics_route;
void metrics_answered(metrics_route *r, int code);

typedef struct metrics {
  const metrics_route *routes;
  int n_routes;
  const char *const *names; /* [n_models] */
  const metrics_model *models;
  int n_models;
  int connections;
  double uptime; /* seconds */
} metrics;
void metrics_write(serve_text *out, const metrics *m);

#endif
