/* See run_curves.h. */
#include "cli/serve/run_curves.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const run_curve *run_curves_find(const run_curves *c, const char *key) {
  for (int i = 0; i < c->n; i++)
    if (!strcmp(c->curve[i]->key, key)) return c->curve[i];
  return NULL;
}

void run_curves_clear(run_curves *c) {
  for (int i = 0; i < c->n; i++) {
    free(c->curve[i]->points);
    free(c->curve[i]);
  }
  *c = (run_curves){0};
}

/* The curve of a key, which may be its first; NULL: there is no room. */
static run_curve *open_curve(run_curves *c, const char *key) {
  const run_curve *there = run_curves_find(c, key);
  if (there) return (run_curve *)there;
  const size_t size = strlen(key) + 1;
  if (c->n == RUN_CURVES || size > RUN_KEY_SIZE) return NULL;
  run_curve *curve = calloc(1, sizeof *curve);
  if (curve) curve->points = calloc(RUN_POINTS, sizeof *curve->points);
  if (!curve || !curve->points) {
    free(curve);
    return NULL;
  }
  memcpy(curve->key, key, size);
  curve->per = 1;
  c->curve[c->n++] = curve;
  return curve;
}

static double between(double a, double b, double part) {
  return a + (b - a) * part;
}

static trm_run_point mix(const trm_run_point *a, const trm_run_point *b, double part) {
  return (trm_run_point){.update = between(a->update, b->update, part),
                         .seconds = between(a->seconds, b->seconds, part),
                         .samples = between(a->samples, b->samples, part),
                         .value = between(a->value, b->value, part)};
}

/* Two points become one. */
static void halve(run_curve *curve) {
  for (int i = 0; i < RUN_POINTS / 2; i++)
    curve->points[i] = mix(&curve->points[2 * i], &curve->points[2 * i + 1], 0.5);
  curve->n = RUN_POINTS / 2;
  curve->per *= 2;
  curve->filled = curve->per;
}

void run_curves_add(run_curves *c, const char *key, const trm_run_point *point) {
  run_curve *curve = open_curve(c, key);
  if (!curve) return;
  if (curve->n && curve->filled < curve->per) {
    trm_run_point *last = &curve->points[curve->n - 1];
    *last = mix(last, point, 1.0 / (double)++curve->filled);
    return;
  }
  if (curve->n == RUN_POINTS) halve(curve);
  curve->points[curve->n++] = *point;
  curve->filled = 1;
}

void run_curve_put(const run_curve *curve, trm__json_out *o) {
  static const struct {
    const char *name;
    size_t at;
  } members[] = {{"updates", offsetof(trm_run_point, update)},
                 {"seconds", offsetof(trm_run_point, seconds)},
                 {"samples", offsetof(trm_run_point, samples)},
                 {"values", offsetof(trm_run_point, value)}};
  for (size_t k = 0; k < sizeof members / sizeof *members; k++) {
    trm__json_open(o, members[k].name, '[');
    for (int i = 0; i < curve->n; i++) {
      double v;
      memcpy(&v, (const char *)&curve->points[i] + members[k].at, sizeof v);
      if (members[k].at == offsetof(trm_run_point, seconds)) v = round(v * 1e3) / 1e3;
      if (isfinite(v))
        trm__json_put_real(o, NULL, v);
      else
        trm__json_put_null(o, NULL); /* the mean of what a double does not hold */
    }
    trm__json_close(o);
  }
}
