/* See runs_curves.h. */
#include "cli/commands/runs_curves.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/pictures/chart_svg.h"

/* ---- axes ---- */

static const char *const x_names[] = {"updates", "time", "samples"};
enum { X_UPDATES, X_TIME, X_SAMPLES, X_NAMES };

static const struct {
  const char *name, *key, *label;
  double factor;
} y_names[] = {
    {"exact", "all/exact_accuracy", "exactly right, % of the test set", 100},
    {"accuracy", "all/accuracy", "right cells, % of the test set", 100},
    {"test_loss", "all/lm_loss", "loss on the test set", 1},
    {"loss", "train/lm_loss", "training loss per puzzle", 1},
    {"train_exact", "train/exact_accuracy", "exactly right, % of the training batches", 100},
    {"train_accuracy", "train/accuracy", "right cells, % of the training batches", 100},
    {"steps", "train/steps", "supervision steps of a training puzzle", 1},
};
enum { Y_NAMES = sizeof y_names / sizeof *y_names };

bool runs_axes_parse(const char *x, const char *y, runs_axes *axes) {
  *axes = (runs_axes){.x = -1, .key = y, .label = y, .factor = 1};
  for (int i = 0; i < X_NAMES; i++)
    if (!strcmp(x, x_names[i])) axes->x = i;
  if (axes->x < 0) cli_usage_error("--x: want updates, time or samples, got '%s'", x);
  for (int i = 0; i < Y_NAMES; i++)
    if (!strcmp(y, y_names[i].name)) {
      axes->key = y_names[i].key;
      axes->label = y_names[i].label;
      axes->factor = y_names[i].factor;
      return axes->x >= 0;
    }
  if (axes->x >= 0 && !strchr(y, '/'))
    cli_usage_error(
        "--y: want exact, accuracy, test_loss, loss, train_exact, train_accuracy, steps or a key "
        "of the log, as train/grad_norm, got '%s'",
        y);
  return axes->x >= 0 && strchr(y, '/');
}

/* ---- the points of a run ---- */

typedef struct curve {
  double *x, *y; /* one block */
  int n;
  trm_run_stage stage;
} curve;

/* A line for every update is too much to look at: more points than these are means of neighbours.
 */
enum { MOST_POINTS = 150 };

static double x_of(const trm_run_point *p, const runs_axes *axes) {
  return axes->x == X_TIME ? p->seconds : axes->x == X_SAMPLES ? p->samples : p->update;
}

/* Means of stretches of about the same number of points; all of them where there are few. */
static bool make_curve(const trm_run_point *points, int64_t n, const runs_axes *axes, curve *out) {
  const int m = n > 2 * MOST_POINTS ? MOST_POINTS : (int)n;
  out->x = malloc((size_t)(2 * m + 1) * sizeof *out->x);
  out->n = m;
  if (!out->x) return false;
  out->y = out->x + m;
  for (int i = 0; i < m; i++) {
    const int64_t begin = n * i / m, end = n * (i + 1) / m;
    double x = 0, y = 0;
    for (int64_t j = begin; j < end; j++) {
      x += x_of(&points[j], axes);
      y += points[j].value;
    }
    out->x[i] = x / (double)(end - begin);
    out->y[i] = axes->factor * y / (double)(end - begin);
  }
  return true;
}

static trm_status read_curve(const trm_run_record *r, const runs_axes *axes, curve *out,
                             trm_error *err) {
  trm_run_point *points;
  int64_t n;
  *out = (curve){.stage = trm_run_record_summary(r)->stage};
  CLI_TRY(trm_run_record_curve(r, axes->key, &points, &n, err));
  if (!n) cli_warn("%.300s: its log has no %.100s", trm_run_record_folder(r), axes->key);
  const bool made = !n || make_curve(points, n, axes, out);
  trm_run_points_free(points);
  return made ? TRM_OK : cli_fail(err, TRM_E_MEMORY, -1, "no memory for a learning curve");
}

/* ---- the line of a group ---- */

/* Between two points a straight line; NAN before the first and behind the last. */
static double value_at(const curve *c, double x) {
  for (int i = 0; i < c->n; i++) {
    if (c->x[i] == x) return c->y[i];
    if (c->x[i] < x) continue;
    if (i == 0) return NAN;
    const double share = (x - c->x[i - 1]) / (c->x[i] - c->x[i - 1]);
    return c->y[i - 1] + share * (c->y[i] - c->y[i - 1]);
  }
  return NAN;
}

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The places where any of the runs has a point, each once. */
static int merge_places(const curve *const *curves, int n, double *x) {
  int all = 0, kept = 0;
  for (int k = 0; k < n; k++)
    for (int i = 0; i < curves[k]->n; i++) x[all++] = curves[k]->x[i];
  qsort(x, (size_t)all, sizeof *x, by_value);
  for (int i = 0; i < all; i++)
    if (!kept || x[i] > x[kept - 1]) x[kept++] = x[i];
  return kept;
}

/* The mean is over the same runs from the first place that all know to the last one of those that
 * are done: else it would jump where one begins or ends. Those that are not done drop out. */
static void find_range(const curve *const *curves, int n, double *first, double *last) {
  *first = -INFINITY;
  *last = INFINITY;
  for (int k = 0; k < n; k++) {
    if (!curves[k]->n) continue;
    *first = fmax(*first, curves[k]->x[0]);
    if (curves[k]->stage == TRM_RUN_DONE) *last = fmin(*last, curves[k]->x[curves[k]->n - 1]);
  }
}

/* The mean of n runs and the band around it. */
static trm_status make_line(const curve *const *curves, int n, chart_line *line, trm_error *err) {
  int room = 0;
  double first, last;
  for (int k = 0; k < n; k++) room += curves[k]->n;
  double *x = malloc((size_t)(4 * room + n + 1) * sizeof *x);
  if (!x) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for a learning curve");
  double *y = x + room, *low = y + room, *high = low + room, *values = high + room;
  *line = (chart_line){line->label, line->colour, merge_places(curves, n, x), x, y, low, high};

  /* At every place where one of them has a point. */
  find_range(curves, n, &first, &last);
  for (int i = 0; i < line->n; i++) {
    const bool all = x[i] >= first && x[i] <= last;
    for (int k = 0; k < n; k++) values[k] = all ? value_at(curves[k], x[i]) : NAN;
    const trm_spread s = trm_spread_of(values, n);
    y[i] = s.n ? s.mean : NAN;
    low[i] = s.n > 1 ? s.mean - s.deviation : NAN;
    high[i] = s.n > 1 ? s.mean + s.deviation : NAN;
  }
  return TRM_OK;
}

/* The curves of a group: without runs that diverged, unless there are no others. */
static int choose_members(const curve *curves, const int *group, int n, int g, const curve **mine) {
  int members = 0;
  for (int diverged = 0; diverged < 2 && !members; diverged++)
    for (int i = 0; i < n; i++)
      if (group[i] == g && (curves[i].stage == TRM_RUN_DIVERGED) == (diverged == 1))
        mine[members++] = &curves[i];
  return members;
}

/* ---- the drawing ---- */

/* Seconds as hours or minutes where they are many. */
static const char *scale_time(curve *curves, int n) {
  double most = 0;
  for (int k = 0; k < n; k++)
    for (int i = 0; i < curves[k].n; i++) most = fmax(most, curves[k].x[i]);
  const double unit = most > 3 * 3600 ? 3600 : most > 180 ? 60 : 1;
  for (int k = 0; k < n; k++)
    for (int i = 0; i < curves[k].n; i++) curves[k].x[i] /= unit;
  return unit == 3600 ? "hours of training"
         : unit == 60 ? "minutes of training"
                      : "seconds of training";
}

static trm_status draw(const trm_runs *runs, const int *group, int groups,
                       const char *const *labels, const runs_axes *axes, const char *path,
                       curve *curves, const curve **mine, chart_line *lines, trm_error *err) {
  const int n = trm_runs_count(runs);
  int known = 0;
  for (int i = 0; i < n; i++) {
    CLI_TRY(read_curve(trm_runs_at(runs, i), axes, &curves[i], err));
    known += curves[i].n;
  }
  if (!known)
    return cli_fail(err, TRM_E_FORMAT, -1, "none of the runs has %.100s in its log", axes->key);
  const char *x_label = axes->x == X_TIME      ? scale_time(curves, n)
                        : axes->x == X_SAMPLES ? "samples"
                                               : "updates";

  /* A line for each group. */
  for (int g = 0; g < groups; g++) {
    const int members = choose_members(curves, group, n, g, mine);
    lines[g] = (chart_line){.label = groups > 1 || *labels[g] ? labels[g] : NULL, .colour = g};
    CLI_TRY(make_line(mine, members, &lines[g], err));
  }
  const chart_axis x = {.label = x_label, .zero = true},
                   y = {.label = axes->label, .high = axes->factor == 100 ? 100 : 0};
  return chart_svg_lines(path, NULL, &x, &y, lines, groups, err);
}

trm_status runs_curves_draw(const trm_runs *runs, const int *group, int groups,
                            const char *const *labels, const runs_axes *axes, const char *path,
                            trm_error *err) {
  const size_t n = (size_t)trm_runs_count(runs);
  curve *curves = calloc(n + 1, sizeof *curves);
  const curve **mine = calloc(n + 1, sizeof *mine);
  chart_line *lines = calloc((size_t)groups + 1, sizeof *lines);
  trm_status st;
  if (curves && mine && lines)
    st = draw(runs, group, groups, labels, axes, path, curves, mine, lines, err);
  else
    st = cli_fail(err, TRM_E_MEMORY, -1, "no memory for learning curves");
  for (size_t i = 0; curves && i < n; i++) free(curves[i].x);
  for (int g = 0; lines && g < groups; g++) free((double *)(uintptr_t)lines[g].x);
  free(curves);
  free(mine);
  free(lines);
  return st;
}
