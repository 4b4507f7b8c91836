/* Runs that are there: what their folders record and tell, how they compare, and the run that a
 * configuration names. */
#include <math.h>
#include <time.h>
#include <unistd.h>

#include "io/json.h"
#include "small_runs.h"

/* Line i of its record.jsonl. */
static trm__json *line_of(scratch *s, const char *name, int i) {
  char path[400];
  size_t n;
  trm__json *v;
  snprintf(path, sizeof path, "%s/record.jsonl", path_of(s, name));
  char *text = (char *)read_bytes(path, &n), *line = text;
  for (; i > 0; i--) line = strchr(line, '\n') + 1;
  assert_int_equal(trm__json_parse(line, strcspn(line, "\n"), path, 1, &v, NULL), TRM_OK);
  free(text);
  return v;
}

static int lines_of(scratch *s, const char *name) {
  char path[400];
  size_t n;
  int lines = 0;
  snprintf(path, sizeof path, "%s/record.jsonl", path_of(s, name));
  char *text = (char *)read_bytes(path, &n);
  for (const char *c = text; (c = strchr(c, '\n')); c++) lines++;
  free(text);
  return lines;
}

static void says(const trm__json *v, const char *key, const char *want) {
  const char *text = trm__json_text(trm__json_get(v, key));
  if (!text || strcmp(text, want) != 0) fail_msg("%s: %s, not %s", key, text ? text : "-", want);
}

/* Its date is its time, as the C library says it. */
static void has_its_date(const trm__json *v) {
  char date[40];
  const time_t t = (time_t)trm__json_number(trm__json_get(v, "time"));
  assert_true(t > 1600000000);
  strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime(&t));
  says(v, "date", date);
}

/* ---- what is recorded ---- */

static bool stop_at_2(void *arg, const trm_run_progress *p) {
  (void)arg;
  return p->evaluating || p->done < 2;
}

/* Each start and each end is a line; nothing of an earlier one is lost. */
static void starts_and_ends_are_recorded(void **state) {
  scratch *s = *state;
  const trm_run_listener stops = {.progress = stop_at_2};
  trm_error err;
  trm_run *run = run_of(config_of(MORE("run_name=rec")), &stops);
  assert_int_equal(trm_run_set_command(run, "trm train 'a b' \xff", &err), TRM_OK);
  assert_int_equal(trm_run_train(run, 0, &err), TRM_E_INTERRUPTED);
  assert_int_equal(lines_of(s, "rec"), 2);
  trm_run_free(run);
  assert_int_equal(lines_of(s, "rec"), 2);

  /* Who trained it, on what. */
  trm__json *v = line_of(s, "rec", 0);
  const trm__json *data = trm__json_get(v, "data"), *first = trm__json_item(data, 0);
  says(v, "event", "start");
  says(v, "version", trm_version());
  says(v, "commit", trm_commit());
  says(v, "command", "trm train 'a b' ?");
  says(v, "kernels", trm_isa());
  says(v, "device", "cpu");
  has_its_date(v);
  assert_int_equal(trm__json_integer(trm__json_get(v, "update")), 0);
  assert_int_equal(trm__json_integer(trm__json_get(v, "end")), UPDATES);
  assert_int_equal(trm__json_integer(trm__json_get(v, "threads")), 1);
  assert_int_equal(trm__json_n_items(data), 2);
  says(first, "split", "train");
  says(first, "at", trm__json_text(trm__json_get(first, "path"))); /* it was from the root */
  assert_int_equal(trm__json_integer(trm__json_get(first, "examples")), 32);
  assert_int_equal(strlen(trm__json_text(trm__json_get(first, "fingerprint"))), 16);
  says(trm__json_item(data, 1), "split", "test");
  trm__json_free(v);
  v = line_of(s, "rec", 1);
  says(v, "event", "end");
  says(v, "state", "stopped");
  assert_int_equal(trm__json_integer(trm__json_get(v, "update")), 2);
  trm__json_free(v);

  /* It goes on: two more lines, and then none, for nothing is left to do. */
  train(MORE("run_name=rec"));
  assert_int_equal(lines_of(s, "rec"), 4);
  v = line_of(s, "rec", 3);
  says(v, "state", "done");
  trm__json_free(v);
  train(MORE("run_name=rec"));
  assert_int_equal(lines_of(s, "rec"), 4);

  /* One update a call is one start; a run that is freed before its end has stopped. */
  run = run_of(config_of(MORE("run_name=slow")), NULL);
  for (int i = 0; i < 3; i++) assert_int_equal(trm_run_train(run, 1, &err), TRM_OK);
  assert_int_equal(lines_of(s, "slow"), 1);
  trm_run_free(run);
  assert_int_equal(lines_of(s, "slow"), 2);
}

/* A record that is broken, or is a link to elsewhere, keeps no run from going on. */
static void a_broken_record_is_no_hindrance(void **state) {
  scratch *s = *state;
  char path[400], other[200];
  train(MORE("run_name=broken", "max_updates=2"));
  snprintf(path, sizeof path, "%s/record.jsonl", path_of(s, "broken"));
  write_bytes(path, "{\"event\":\"sta", 13);
  train(MORE("run_name=broken", "max_updates=3"));
  assert_int_equal(lines_of(s, "broken"), 3);

  snprintf(other, sizeof other, "%s", scratch_path(s, "mine"));
  write_bytes(other, "mine\n", 5);
  assert_int_equal(unlink(path), 0);
  assert_int_equal(symlink(other, path), 0);
  train(MORE("run_name=broken", "max_updates=4"));
  assert_int_equal(lines_of(s, "broken"), 2);
  size_t n;
  free(read_bytes(other, &n));
  assert_int_equal(n, 5);
}

/* ---- what a folder tells ---- */

static void folders_tell_what_was_done(void **state) {
  static const struct {
    const char *log, *record;
    trm_run_stage stage;
    int updates, end, best_update, last_update, diverged_at;
    double best, last, seconds;
  } cases[] = {
      {"", NULL, TRM_RUN_NEW, 0, 0, 0, 0, 0, -1, -1, 0},

      /* The first of the best evaluations is the best; a torn last line is none. */
      {LOSS(1, 110, 2) EXACT(2, 120, 0.5) EXACT(4, 140, 0.75) EXACT(6, 160, 0.75)
           EXACT(8, 170, 0.25) "{\"step\":9,\"ti",
       START(0, 20, 100) END(8, "stopped", 180), TRM_RUN_STOPPED, 8, 20, 4, 8, 0, 0.75, 0.25, 80},

      /* A pause is no training; a process that was killed worked until its last line. */
      {LOSS(1, 110, 2) LOSS(2, 120, 2) LOSS(3, 520, 1) EXACT(4, 530, 1),
       START(0, 4, 100) START(2, 4, 510) END(4, "done", 540), TRM_RUN_DONE, 4, 4, 4, 4, 0, 1, 1,
       50},

      /* Killed after all was done, but before it was said: it has to be looked after once more. */
      {LOSS(4, 110, 2), START(0, 4, 100), TRM_RUN_STOPPED, 4, 4, 0, 0, 0, -1, -1, 10},
      {LOSS(1, 110, 2), START(0, 9, 100) END(2, "diverged", 125), TRM_RUN_DIVERGED, 2, 9, 0, 0, 3,
       -1, -1, 25},
      {LOSS(1, 110, 2), START(0, 9, 100) END(1, "failed", 111), TRM_RUN_STOPPED, 1, 9, 0, 0, 0, -1,
       -1, 11},

      /* Older releases kept no record: an epoch is an update here, and the run has three. */
      {LOSS(1, 110, 2) EXACT(3, 130, 0.5), NULL, TRM_RUN_DONE, 3, 3, 3, 3, 0, 0.5, 0.5, 20},
      {LOSS(1, 110, 2) EXACT(2, 130, 0.5), NULL, TRM_RUN_STOPPED, 2, 3, 2, 2, 0, 0.5, 0.5, 20},
  };
  scratch *s = *state;
  train(MORE("run_name=told", "max_updates=1"));
  train(MORE("run_name=old"));
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *name = cases[i].record ? "told" : "old"; /* the second has no max_updates */
    put_files(s, name, cases[i].log, cases[i].record);
    trm_run_record *r = record_of(path_of(s, name));
    const trm_run_summary *t = trm_run_record_summary(r);
    if (t->stage != cases[i].stage) fail_msg("%d: %s", (int)i, trm_run_stage_name(t->stage));
    assert_int_equal(t->updates, cases[i].updates);
    assert_int_equal(t->end, cases[i].end);
    assert_int_equal(t->best_update, cases[i].best_update);
    assert_int_equal(t->last_update, cases[i].last_update);
    assert_int_equal(t->diverged_at, cases[i].diverged_at);
    assert_true(t->best_exact == cases[i].best && t->last_exact == cases[i].last);
    if (fabs(t->seconds - cases[i].seconds) > 1e-6) fail_msg("%d: %g s", (int)i, t->seconds);
    trm_run_record_free(r);
  }
}

static void curves_have_updates_time_and_samples(void **state) {
  scratch *s = *state;
  trm_run_point *points;
  int64_t n;
  char text[20];
  train(MORE("run_name=curve", "max_updates=1"));
  put_files(s, "curve",
            LOSS(1, 110, 2) EXACT(2, 120, 0.5) LOSS(3, 520, 1.5) "{\"step\":4}\nno line\n" EXACT(
                4, 530, 1) "{\"step\":5,\"time\":540.0,\"train/lm_loss\":null}\n",
            START(0, 4, 100) START(2, 4, 510));
  trm_run_record *r = record_of(path_of(s, "curve"));
  assert_int_equal(trm_run_record_curve(r, "train/lm_loss", &points, &n, NULL), TRM_OK);
  assert_int_equal(n, 2);
  assert_true(points[0].update == 1 && points[0].seconds == 10 && points[0].samples == 16 &&
              points[0].value == 2);
  assert_true(points[1].update == 3 && points[1].seconds == 30 && points[1].value == 1.5);
  trm_run_points_free(points);
  assert_int_equal(trm_run_record_curve(r, "train/nothing", &points, &n, NULL), TRM_OK);
  assert_int_equal(n, 0);
  assert_null(points);

  /* Of the newest start. */
  trm_run_record_text(r, "host", text, sizeof text);
  assert_string_equal(text, "h");
  trm_run_record_text(r, "threads", text, sizeof text);
  assert_string_equal(text, "3");
  trm_run_record_text(r, "color", text, sizeof text);
  assert_string_equal(text, "");
  trm_run_record_free(r);
}

static void a_run_that_is_trained_is_running(void **state) {
  scratch *s = *state;
  trm_error err;
  trm_run *run = run_of(config_of(MORE("run_name=held")), NULL);
  assert_int_equal(trm_run_train(run, 1, &err), TRM_OK);

  /* A look does not take its lock away, and nobody else gets it. */
  for (int i = 0; i < 2; i++) {
    trm_run *other;
    trm_run_record *r = record_of(path_of(s, "held"));
    assert_int_equal(trm_run_record_summary(r)->stage, TRM_RUN_RUNNING);
    assert_int_equal(trm_run_record_summary(r)->updates, 1);
    assert_int_equal(trm_run_record_summary(r)->end, UPDATES);
    trm_run_record_free(r);
    assert_int_equal(trm_run_open(path_of(s, "held"), NULL, 0, NULL, &other, &err), TRM_E_IO);
    assert_true(speaks_of(&err, "another process"));
  }
  trm_run_free(run);
  trm_run_record *r = record_of(path_of(s, "held"));
  assert_int_equal(trm_run_record_summary(r)->stage, TRM_RUN_STOPPED);
  trm_run_record_free(r);
}

static void what_is_no_run_is_refused(void **state) {
  scratch *s = *state;
  trm_run_record *r;
  trm_error err;
  char path[400];
  assert_int_equal(trm_run_record_open(scratch_path(s, "data"), &r, &err), TRM_E_IO);
  assert_true(speaks_of(&err, "not a run folder"));
  assert_null(r);
  train(MORE("run_name=cut", "max_updates=1"));
  snprintf(path, sizeof path, "%s/config.yaml", path_of(s, "cut"));
  write_bytes(path, "arch: [", 7);
  assert_int_not_equal(trm_run_record_open(path_of(s, "cut"), &r, &err), TRM_OK);
  assert_true(speaks_of(&err, "config.yaml"));
}

/* ---- many ---- */

static void note(void *arg, trm_run_level level, const char *text) {
  (void)level;
  snprintf(arg, 500, "%s", text);
}

static bool count_down(void *arg, const char *folder) {
  assert_non_null(strchr(folder, '/'));
  return --*(int *)arg > 0;
}

static void runs_are_found_and_compared(void **state) {
  scratch *s = *state;
  char all[200], one[220], heard[500] = "";
  const trm_run_listener l = {.message = note, .arg = heard};
  trm_runs *runs;
  trm_error err;
  snprintf(all, sizeof all, "out=%s", scratch_path(s, "many"));
  train(MORE(all, "run_name=a", "max_updates=1"));
  train(MORE(all, "run_name=b", "max_updates=1", "seed=7", "threads=2"));
  train(MORE(all, "run_name=c", "max_updates=1", "lr=2e-4"));
  train(MORE(all, "run_name=d", "max_updates=1", "lr=2e-4", "seed=7", "project_name=q"));
  snprintf(all, sizeof all, "%s", scratch_path(s, "many"));
  snprintf(one, sizeof one, "%s/./q/d/", all); /* by another path than below */

  /* Each once, in the order of their paths; what is broken is told. */
  snprintf(heard, sizeof heard, "%s/p/e", all);
  assert_int_equal(trm__make_dirs(heard, NULL), TRM_OK);
  snprintf(heard, sizeof heard, "%s/p/e/config.yaml", all);
  write_bytes(heard, "arch: [", 7);
  if (trm_runs_find(MORE(one, all), 2, &l, &runs, &err) != TRM_OK) fail_msg("%s", err.msg);
  assert_non_null(strstr(heard, "p/e is passed over: "));
  static const char *const names[] = {"q/d", "p/a", "p/b", "p/c"};
  assert_int_equal(trm_runs_count(runs), 4);
  for (int i = 0; i < 4; i++)
    assert_non_null(strstr(trm_run_record_folder(trm_runs_at(runs, i)), names[i]));
  assert_null(trm_runs_at(runs, 4));

  /* Seeds, names and threads are no difference in what was trained. */
  assert_string_equal(trm_runs_key(runs, 0), "lr");
  assert_null(trm_runs_key(runs, 1));
  assert_null(trm_runs_key(runs, 5));
  int group[4], groups;
  assert_int_equal(trm_runs_group(runs, MORE("lr"), 1, group, &groups, &err), TRM_OK);
  assert_int_equal(groups, 2);
  assert_true(group[0] == 0 && group[1] == 1 && group[2] == 1 && group[3] == 0);
  assert_int_equal(trm_runs_group(runs, NULL, 0, group, &groups, &err), TRM_OK);
  assert_int_equal(groups, 1);
  assert_int_equal(trm_runs_group(runs, MORE("seed", "lr"), 2, group, &groups, &err), TRM_OK);
  assert_int_equal(groups, 4);
  assert_int_equal(trm_runs_group(runs, MORE("color"), 1, group, &groups, &err), TRM_E_CONFIG);
  assert_true(speaks_of(&err, "color"));
  trm_runs_free(runs);

  /* The same folders by their paths alone, until who asks has enough: also of what is no run. */
  int left = 100;
  assert_int_equal(trm_runs_look(MORE(all), 1, NULL, count_down, &left, &err), TRM_OK);
  assert_int_equal(left, 95);
  left = 2;
  assert_int_equal(trm_runs_look(MORE(all, all), 2, NULL, count_down, &left, &err), TRM_OK);
  assert_int_equal(left, 0);

  /* A folder that is named must be there. */
  assert_int_equal(trm_runs_find(MORE("/nowhere/at/all"), 1, NULL, &runs, &err), TRM_E_IO);
  assert_true(speaks_of(&err, "/nowhere/at/all does not exist"));
}

static void spreads_are_those_of_samples(void **state) {
  static const double values[] = {2, 4, NAN, 4, 4, INFINITY, 5, 5, 7, 9};
  (void)state;
  trm_spread t = trm_spread_of(values, 10);
  assert_int_equal(t.n, 8);
  assert_true(t.mean == 5 && fabs(t.deviation - sqrt(32.0 / 7)) < 1e-12);
  t = trm_spread_of(values, 1);
  assert_true(t.n == 1 && t.mean == 2 && t.deviation == 0);
  t = trm_spread_of(NULL, 0);
  assert_true(t.n == 0 && t.mean == 0 && t.deviation == 0);
}

/* ---- the run that a configuration names ---- */

static trm_status find(const char *const *more, bool *there, trm_error *err) {
  char folder[TRM_PATH_SIZE];
  trm_run_config *c = config_of(more);
  const trm_status st = trm_run_find(c, folder, there, err);
  trm_run_config_free(c);
  return st;
}

static void settings_must_be_those_of_the_folder(void **state) {
  (void)state;
  trm_error err;
  bool there;
  assert_int_equal(find(MORE("run_name=mine"), &there, &err), TRM_OK);
  assert_false(there);
  train(MORE("run_name=mine", "max_updates=2"));
  assert_int_equal(find(MORE("run_name=mine", "max_updates=2"), &there, &err), TRM_OK);
  assert_true(there);

  /* What may change when it goes on may be another; all else is another run. */
  assert_int_equal(find(MORE("run_name=mine", "log_interval=2"), &there, &err), TRM_OK);
  assert_int_equal(find(MORE("run_name=mine", "arch.L_cycles=2"), &there, &err), TRM_E_CONFIG);
  assert_true(speaks_of(&err, "its arch.L_cycles is 1, not 2"));
  assert_int_equal(find(MORE("run_name=mine", "seed=4"), &there, &err), TRM_E_CONFIG);
  assert_true(speaks_of(&err, "its seed is 0, not 4"));
  assert_int_equal(find(MORE("lr=1"), &there, &err), TRM_E_CONFIG);
  assert_true(speaks_of(&err, "run_name"));
  trm_run *run;
  assert_int_equal(trm_run_continue(config_of(MORE("run_name=mine", "seed=4")), NULL, &run, &err),
                   TRM_E_CONFIG);
  assert_null(run);
}

/* A run goes on from any folder: its relative paths lead where they led. */
static void paths_lead_where_they_led(void **state) {
  scratch *s = *state;
  char here[4096], folder[300];
  trm_run *run;
  trm_error err;
  assert_non_null(getcwd(here, sizeof here));
  assert_int_equal(chdir(s->dir), 0);
  train(MORE("data_paths=[data]", "run_name=moved", "max_updates=2"));
  snprintf(folder, sizeof folder, "%s", path_of(s, "moved"));
  assert_int_equal(chdir("/"), 0);
  if (trm_run_open(folder, MORE("max_updates=4"), 1, NULL, &run, &err) != TRM_OK)
    fail_msg("%s", err.msg);
  assert_int_equal(trm_run_train(run, 0, &err), TRM_OK);
  trm_run_free(run);

  /* Again, after it was started from there; but not where the user says otherwise. */
  if (trm_run_open(folder, MORE("max_updates=5"), 1, NULL, &run, &err) != TRM_OK)
    fail_msg("%s", err.msg);
  assert_string_equal(trm_run_config_item(trm_run_get_config(run), "data_paths", 0), "data");
  trm_run_free(run);
  assert_int_equal(trm_run_open(folder, MORE("data_paths=[data]"), 1, NULL, &run, &err), TRM_E_IO);

  /* Without a record the paths are those from here, as they always were. */
  snprintf(folder + strlen(folder), 20, "/record.jsonl");
  assert_int_equal(unlink(folder), 0);
  *strrchr(folder, '/') = 0;
  assert_int_equal(trm_run_open(folder, NULL, 0, NULL, &run, &err), TRM_E_IO);
  assert_int_equal(chdir(s->dir), 0);
  assert_int_equal(trm_run_open(folder, NULL, 0, NULL, &run, &err), TRM_OK);
  trm_run_free(run);
  assert_int_equal(chdir(here), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(starts_and_ends_are_recorded),
                                     cmocka_unit_test(a_broken_record_is_no_hindrance),
                                     cmocka_unit_test(folders_tell_what_was_done),
                                     cmocka_unit_test(curves_have_updates_time_and_samples),
                                     cmocka_unit_test(a_run_that_is_trained_is_running),
                                     cmocka_unit_test(what_is_no_run_is_refused),
                                     cmocka_unit_test(runs_are_found_and_compared),
                                     cmocka_unit_test(spreads_are_those_of_samples),
                                     cmocka_unit_test(settings_must_be_those_of_the_folder),
                                     cmocka_unit_test(paths_lead_where_they_led)};
  return cmocka_run_group_tests(tests, set_up, scratch_close);
}
