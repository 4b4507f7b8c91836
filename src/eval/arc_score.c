/* A submission against the solutions, counted as ARC Prize counts. */
#include <string.h>

#include "data/arc/arc_task.h"
#include "io/json.h"
#include "trm/arc_vote.h"

/* A submission for all public tasks has 8 MB; parsed it takes tens of times that. */
enum { MAX_FILE = 1 << 25 };

typedef struct scoring {
  const char *submission, *solutions;
  trm_arc_score *score;
} scoring;

/* An answer may also be empty. */
static trm_status read_attempt(const json_t *attempt, const char *where, trm__arc_grid *g,
                               trm_error *err) {
  const json_t *row = json_array_get(attempt, 0);
  g->rows = g->cols = 0;
  bool empty =
      json_is_array(attempt) &&
      (!row || (json_array_size(attempt) == 1 && json_is_array(row) && !json_array_size(row)));
  return empty ? TRM_OK : trm__arc_grid_from_json(attempt, where, g, err);
}

/* An entry of the submission has the right grid among its attempts. */
static trm_status check_entry(const json_t *entry, const char *where, const trm__arc_grid *right,
                              bool *solved, trm_error *err) {
  static const char *const attempts[] = {"attempt_1", "attempt_2"};
  trm__arc_grid g;
  int found = 0;
  for (int i = 0; i < 2; i++) {
    const json_t *attempt = json_object_get(entry, attempts[i]);
    char text[512];
    if (!attempt) continue;
    (void)snprintf(text, sizeof text, "%s, %s", where, attempts[i]);
    TRM_TRY(read_attempt(attempt, text, &g, err));
    *solved |= trm__arc_same(&g, right);
    found++;
  }
  if (!found)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: want an object with \"attempt_1\" and \"attempt_2\"", where);
  return TRM_OK;
}

static trm_status score_task(const scoring *s, const char *name, const json_t *right,
                             const json_t *entries, trm_error *err) {
  size_t n = json_array_size(right), answered = json_array_size(entries);
  int64_t solved = 0;
  if (n == 0)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: task %.80s: want an array of grids, one for each test input",
             s->solutions, name);
  if (entries && !json_is_array(entries))
    TRM_FAIL(err, TRM_E_FORMAT, "%s: task %.80s: want an array, one entry for each test input",
             s->submission, name);
  if (answered > n)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: task %.80s: %zu entries, but %s has %zu test outputs",
             s->submission, name, answered, s->solutions, n);
  for (size_t i = 0; i < n; i++) {
    char where[400];
    trm__arc_grid g;
    bool is_right = false;
    (void)snprintf(where, sizeof where, "%.100s: task %.100s, test %zu", s->solutions, name, i + 1);
    TRM_TRY(trm__arc_grid_from_json(json_array_get(right, i), where, &g, err));
    (void)snprintf(where, sizeof where, "%.100s: task %.100s, test %zu", s->submission, name,
                   i + 1);
    if (i < answered) TRM_TRY(check_entry(json_array_get(entries, i), where, &g, &is_right, err));
    solved += is_right;
  }
  s->score->tasks++;
  s->score->inputs += (int64_t)n;
  s->score->right += solved;
  s->score->solved += solved == (int64_t)n;
  s->score->score += (double)solved / (double)n;
  if (entries) s->score->unanswered += (int64_t)(n - answered);
  s->score->missing += !entries;
  return TRM_OK;
}

static trm_status score_all(const scoring *s, json_t *submission, json_t *solutions,
                            trm_error *err) {
  const char *name;
  json_t *value;
  if (!json_is_object(submission) || json_object_size(solutions) == 0)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: want an object of tasks%s",
             json_is_object(submission) ? s->solutions : s->submission,
             json_is_object(solutions) ? ", at least one" : "");
  json_object_foreach(solutions, name, value)
      TRM_TRY(score_task(s, name, value, json_object_get(submission, name), err));
  json_object_foreach(submission, name, value) s->score->foreign +=
      json_object_get(solutions, name) == NULL;
  s->score->score /= (double)s->score->tasks;
  return TRM_OK;
}

trm_status trm_arc_score_files(const char *submission, const char *solutions, trm_arc_score *out,
                               trm_error *err) {
  json_t *answers, *right = NULL;
  trm_arc_score score = {0};
  const scoring s = {submission, solutions, &score};
  TRM_TRY(trm__json_load(submission, MAX_FILE, &answers, err));
  trm_status st = trm__json_load(solutions, MAX_FILE, &right, err);
  if (st == TRM_OK) st = score_all(&s, answers, right, err);
  if (st == TRM_OK) *out = score;
  json_decref(answers);
  json_decref(right);
  return st;
}
