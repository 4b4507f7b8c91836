/* A run as its folder tells of it: config.yaml, log.jsonl, record.jsonl and the lock of a process
 * that trains it. Nothing is locked for longer than a look takes, and nothing is written. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "base/os_file.h"
#include "base/text.h"
#include "run/run_config.h"
#include "run/run_folder.h"
#include "run/run_record.h"

const char trm__log_name[] = "log.jsonl";
static const char config_name[] = "config.yaml", exact_key[] = "all/exact_accuracy";

static const char *const stage_names[TRM_RUN_STAGES] = {"new", "stopped", "running", "diverged",
                                                        "done"};

const char *trm_run_stage_name(trm_run_stage stage) {
  return stage_names[stage];
}

void trm_run_record_free(trm_run_record *r) {
  if (!r) return;
  trm_run_config_free(r->config);
  trm__record_free(&r->record);
  trm__free(r->folder);
  trm__free(r);
}

const char *trm_run_record_folder(const trm_run_record *r) {
  return r->folder;
}

const trm_run_config *trm_run_record_config(const trm_run_record *r) {
  return r->config;
}

const trm_run_summary *trm_run_record_summary(const trm_run_record *r) {
  return &r->summary;
}

/* A member of a line of the record (NULL: there is none) as it is printed. */
static void print_member(const trm__json *line, const char *member, char *text, size_t size) {
  const trm__json *v = trm__json_get(line, member);
  if (trm__json_is(v, TRM__JSON_STRING))
    (void)snprintf(text, size, "%s", trm__json_text(v));
  else if (trm__json_is(v, TRM__JSON_INTEGER))
    (void)snprintf(text, size, "%lld", (long long)trm__json_integer(v));
  else if (size)
    text[0] = 0;
}

void trm_run_record_text(const trm_run_record *r, const char *member, char *text, size_t size) {
  print_member(trm__record_newest(&r->record), member, text, size);
}

void trm_run_record_end(const trm_run_record *r, const char *member, char *text, size_t size) {
  const trm__json *last = r->record.n ? r->record.line[r->record.n - 1] : NULL;
  print_member(last == trm__record_newest(&r->record) ? NULL : last, member, text, size);
}

/* ---- time without pauses ---- */

/* Files are hostile, and clocks are set. */
static bool is_time(double time) {
  return time > 0 && time < 1e12;
}

static void take_time(trm__run_clock *c, double time) {
  if (c->begun < 0) c->begun = time;
  c->last = fmax(c->last, time);
}

double trm__run_seconds_at(trm__run_clock *c, const trm__record *record, double time) {
  for (; c->at < record->n; c->at++) {
    const trm__json *line = record->line[c->at];
    const double then = trm__json_number(trm__json_get(line, "time"));
    if (then > time) break;
    if (!is_time(then)) continue;
    const bool starts = !strcmp(trm__json_text(trm__json_get(line, "event")), trm__record_start);
    if (starts && c->begun >= 0) c->paused += fmax(0, then - c->last);
    take_time(c, then);
  }
  if (is_time(time)) take_time(c, time);
  return c->begun < 0 ? 0 : c->last - c->begun - c->paused;
}

/* ---- the log ---- */

/* A line, its figures, and the seconds of training at it. `value`: of the key that is asked for. */
typedef struct log_line {
  double step, epoch, seconds, value;
  const trm__json *root;
} log_line;
typedef trm_status log_line_fn(void *arg, const log_line *line, trm_error *err);

static bool number_of(const trm__json *root, const char *key, double *out) {
  const trm__json *v = trm__json_get(root, key);
  if (!trm__json_is_number(v)) return false;
  *out = trm__json_number(v);
  return true;
}

/* A count, 0 for what can be none. */
static int64_t count_of(double v) {
  return v >= 0 && v < 9e15 ? (int64_t)v : 0;
}

static int64_t larger(int64_t a, int64_t b) {
  return a > b ? a : b;
}

static trm_status take_line(const char *text, size_t n, const char *key, double seconds,
                            log_line_fn *take, void *arg, trm_error *err) {
  trm__json *root = NULL;
  log_line line = {.seconds = seconds};
  trm_status st = trm__json_decode(text, n, NULL, &root, NULL);
  if (st == TRM_E_MEMORY) TRM_FAIL(err, st, "no memory for a line of a log");
  if (st != TRM_OK) return TRM_OK; /* half of it: its process was killed, or is writing it */
  line.root = root;
  if (number_of(root, "step", &line.step) && (!key || number_of(root, key, &line.value))) {
    (void)number_of(root, "epoch", &line.epoch);
    st = take(arg, &line, err);
  }
  trm__json_free(root);
  return st;
}

/* What follows the first `part` of a text; NULL: it is not there. */
static const char *behind(const char *text, size_t n, const char *part) {
  const size_t m = strlen(part);
  const char *end = text + n;
  for (; (text = memchr(text, part[0], (size_t)(end - text))) && (size_t)(end - text) >= m; text++)
    if (!memcmp(text, part, m)) return text + m;
  return NULL;
}

double trm__run_time_of(const char *text, size_t n) {
  static const char key[] = "\"time\":";
  const char *number = behind(text, n, key);
  size_t digits = 0;
  while (number && number + digits < text + n && strchr("0123456789.", number[digits]) &&
         number[digits])
    digits++;
  return number && trm__number_is_decimal(number, digits) ? trm__number_read(number, digits) : 0;
}

/* The lines of the log that speak of `key`; with `ends` the first and the last one, too, whether
 * they have it or not. */
static trm_status walk(const trm__map *map, const char *key, bool ends, const trm__record *record,
                       trm__run_clock *c, log_line_fn *take, void *arg, trm_error *err) {
  const char *text = (const char *)map->data, *end = text + map->size;
  for (bool first = true; text < end; first = false) {
    const char *stop = memchr(text, '\n', (size_t)(end - text));
    const size_t n = (size_t)((stop ? stop : end) - text);
    const double seconds = trm__run_seconds_at(c, record, trm__run_time_of(text, n));
    const bool at_end = ends && (first || n + 1 >= (size_t)(end - text));
    if (at_end || behind(text, n, key))
      TRM_TRY(take_line(text, n, ends ? NULL : key, seconds, take, arg, err));
    text += stop ? n + 1 : n;
  }
  return TRM_OK;
}

trm_status trm__run_log_path(const char *folder, char *path, bool *there, trm_error *err) {
  trm__dir d = {0};
  trm__kind kind;
  TRM_TRY(trm__dir_open(&d, folder, err));
  const trm_status st = trm__dir_look(&d, trm__log_name, &kind, err);
  trm__dir_close(&d);
  TRM_TRY(st);
  *there = kind == TRM__FILE;
  return trm__path_format(path, err, "%s/%s", folder, trm__log_name);
}

static trm_status map_log(const char *folder, trm__map *map, trm_error *err) {
  char path[TRM__PATH_MAX];
  bool there;
  *map = (trm__map){0};
  TRM_TRY(trm__run_log_path(folder, path, &there, err));
  return there ? trm__map_open(path, map, err) : TRM_OK;
}

/* ---- the summary ---- */

void trm__run_sum_begin(trm__run_sum *s, trm_run_record *r) {
  *s = (trm__run_sum){.summary = &r->summary};
  r->summary =
      (trm_run_summary){.seed = r->config->now.trainer.seed, .best_exact = -1, .last_exact = -1};
}

void trm__run_sum_line(trm__run_sum *s, const trm__json *line) {
  trm_run_summary *out = s->summary;
  double step = 0, epoch = 0, exact, n = 0;
  (void)number_of(line, "step", &step);
  (void)number_of(line, "epoch", &epoch);
  out->updates = larger(out->updates, count_of(step));
  if (epoch > 0) s->updates_per_epoch = step / epoch;
  if (!number_of(line, exact_key, &exact) || !(exact >= 0 && exact <= 1)) return;

  /* An evaluation; the first of the best ones is the best, as training has it. */
  (void)number_of(line, "all/n", &n);
  out->examples = count_of(n);
  out->last_exact = exact;
  out->last_update = out->updates;
  if (exact > out->best_exact) {
    out->best_exact = exact;
    out->best_update = out->updates;
  }
}

static trm_status sum_line(void *arg, const log_line *line, trm_error *err) {
  (void)err;
  trm__run_sum_line(arg, line->root);
  return TRM_OK;
}

static bool is_state(const trm__json *line, const char *state) {
  const char *text = trm__json_text(trm__json_get(line, "state"));
  return text && !strcmp(text, state);
}

/* A process has the lock of the log. */
static trm_status is_locked(const char *folder, bool *locked, trm_error *err) {
  trm__dir d = {0};
  int fd;
  trm__lock lock = TRM__LOCKED;
  *locked = false;
  TRM_TRY(trm__dir_open(&d, folder, err));
  if (trm__os_hold(&d, trm__log_name, false, &fd) == 0) {
    *locked = trm__os_lock(fd, &lock) == 0 && lock == TRM__LOCK_BUSY;
    trm__os_close(fd);
  }
  trm__dir_close(&d);
  return TRM_OK;
}

/* Where it ends: as its newest start says, or as its configuration does and its log, from which
 * older releases' runs show how many updates an epoch has. */
static int64_t end_of(const trm_run_record *r, double updates_per_epoch) {
  const trm__run_config *c = &r->config->now;
  double end;
  if (number_of(trm__record_newest(&r->record), "end", &end)) return count_of(end);
  if (updates_per_epoch <= 0) return 0;
  const double total = floor(fmin((double)c->epochs * updates_per_epoch * (1 + 1e-9), 9e15));
  return c->max_updates && (double)c->max_updates < total ? c->max_updates : (int64_t)total;
}

trm_status trm__run_sum_end(const trm__run_sum *sum, trm_run_record *r, const trm__run_clock *c,
                            trm_error *err) {
  trm_run_summary *s = &r->summary;
  trm__run_clock whole = *c;
  bool locked;
  s->seconds = trm__run_seconds_at(&whole, &r->record, INFINITY);
  s->end = end_of(r, sum->updates_per_epoch);
  const trm__json *last = r->record.n ? r->record.line[r->record.n - 1] : NULL;
  double update = 0;
  if (number_of(last, "update", &update)) s->updates = larger(s->updates, count_of(update));
  TRM_TRY(is_locked(r->folder, &locked, err));
  const bool ended = !last || is_state(last, "done"); /* older releases kept no record */
  s->stage = locked                                        ? TRM_RUN_RUNNING
             : is_state(last, "diverged")                  ? TRM_RUN_DIVERGED
             : ended && s->updates && s->updates >= s->end ? TRM_RUN_DONE
             : s->updates                                  ? TRM_RUN_STOPPED
                                                           : TRM_RUN_NEW;
  s->diverged_at = s->stage == TRM_RUN_DIVERGED ? count_of(update) + 1 : 0;
  return TRM_OK;
}

/* The log first: it says what was done, and when. */
static trm_status sum_up(trm_run_record *r, trm_error *err) {
  trm__run_clock c = trm__run_clock_new;
  trm__run_sum sum;
  trm__map map;
  trm__run_sum_begin(&sum, r);
  TRM_TRY(map_log(r->folder, &map, err));
  const trm_status st = walk(&map, exact_key, true, &r->record, &c, sum_line, &sum, err);
  trm__map_close(&map);
  TRM_TRY(st);
  return trm__run_sum_end(&sum, r, &c, err);
}

/* ---- opening ---- */

trm_status trm__run_record_renew(trm_run_record *r, trm_error *err) {
  char file[TRM__PATH_MAX];
  trm_run_config *config;
  trm__record record;
  TRM_TRY(trm__run_folder_check_is_run(r->folder, err));
  TRM_TRY(trm__path_format(file, err, "%s/%s", r->folder, config_name));
  TRM_TRY(trm_run_config_load(file, NULL, 0, &config, err));
  const trm_status st = trm__record_read(r->folder, &record, err);
  if (st != TRM_OK) {
    trm_run_config_free(config);
    return st;
  }
  trm_run_config_free(r->config);
  trm__record_free(&r->record);
  r->config = config;
  r->record = record;
  return TRM_OK;
}

trm_status trm__run_record_begin(trm_run_record *r, const char *folder, trm_error *err) {
  r->folder = trm__text_copy(folder, SIZE_MAX);
  if (!r->folder) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a run");
  for (size_t n = strlen(folder); n > 1 && r->folder[n - 1] == '/'; n--) r->folder[n - 1] = 0;
  return trm__run_record_renew(r, err);
}

trm_status trm_run_record_open(const char *folder, trm_run_record **out, trm_error *err) {
  trm_run_record *r;
  *out = NULL;
  TRM_ALLOC(&r, 1, "a run", err);
  trm_status st = trm__run_record_begin(r, folder, err);
  if (st == TRM_OK) st = sum_up(r, err);
  if (st == TRM_OK)
    *out = r;
  else
    trm_run_record_free(r);
  return st;
}

/* ---- curves ---- */

typedef struct drawing {
  trm_run_point *points;
  int64_t n, room;
  double batch;
} drawing;

static trm_status add_point(void *arg, const log_line *line, trm_error *err) {
  drawing *d = arg;
  if (d->n == d->room) {
    trm_run_point *grown;
    TRM_ALLOC(&grown, 2 * d->room + 256, "a learning curve", err);
    if (d->n) memcpy(grown, d->points, (size_t)d->n * sizeof *grown);
    trm__free(d->points);
    d->points = grown;
    d->room = 2 * d->room + 256;
  }
  d->points[d->n++] = (trm_run_point){.update = line->step,
                                      .seconds = line->seconds,
                                      .samples = line->step * d->batch,
                                      .value = line->value};
  return TRM_OK;
}

trm_status trm_run_record_curve(const trm_run_record *r, const char *key, trm_run_point **points,
                                int64_t *n, trm_error *err) {
  trm__run_clock c = trm__run_clock_new;
  drawing d = {.batch = (double)r->config->now.trainer.batch_size};
  trm__map map;
  *points = NULL;
  *n = 0;
  TRM_TRY(map_log(r->folder, &map, err));
  const trm_status st = walk(&map, key, false, &r->record, &c, add_point, &d, err);
  trm__map_close(&map);
  if (st != TRM_OK) {
    trm__free(d.points);
    return st;
  }
  *points = d.points;
  *n = d.n;
  return TRM_OK;
}

void trm_run_points_free(trm_run_point *points) {
  trm__free(points);
}
