/* A submission against the solutions, counted as ARC Prize counts. Either is a file of all tasks or
 * a folder with a file for each. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "io/json.h"
#include "puzzle/arc/arc_task.h"
#include "trm/arc_vote.h"

/* A submission for all public tasks has 8 MB; with what a language model has said to each, more. */
enum { MAX_FILE = 1 << 28, MAX_ANSWER = 512 };

/* --- the solutions --- */

/* The right outputs of all tasks: {"ID": [grid, ...]}, or the tasks themselves. */
typedef struct output_source {
  const char *path;
  trm__json *json; /* or NULL: */
  trm__arc_tasks tasks;
} output_source;

static int64_t count_tasks(const output_source *s) {
  return s->json ? (int64_t)trm__json_n_members(s->json) : s->tasks.n;
}

static const char *id_of(const output_source *s, int64_t task) {
  return s->json ? trm__json_key(s->json, (size_t)task) : s->tasks.task[task].id;
}

static size_t count_tests(const output_source *s, int64_t task) {
  return s->json ? trm__json_n_items(trm__json_member(s->json, (size_t)task))
                 : (size_t)s->tasks.task[task].n_test;
}

static trm_status right_output(const output_source *s, int64_t task, size_t test, trm__arc_grid *g,
                               trm_error *err) {
  char where[400];
  (void)snprintf(where, sizeof where, "%.100s: task %.100s, test %zu", s->path, id_of(s, task),
                 test + 1);
  if (s->json)
    return trm__arc_grid_from_json(trm__json_item(trm__json_member(s->json, (size_t)task), test),
                                   where, g, err);
  const trm__arc_pair *pair = &s->tasks.task[task].test[test];
  if (!pair->has_output)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: its right output is not told: there is nothing to score with",
             where);
  *g = pair->output;
  return TRM_OK;
}

/* An object of tasks rather than of their outputs, or a single task. */
static bool has_tasks(const trm__json *json) {
  const trm__json *first = trm__json_member(json, 0);
  return trm__json_get(json, "train") || trm__json_is(first, TRM__JSON_OBJECT);
}

static trm_status load_solutions(const char *path, output_source *s, trm_error *err) {
  trm__kind kind;
  s->path = path;
  TRM_TRY(trm__path_look(path, &kind, err));
  if (kind == TRM__DIR) return trm__arc_tasks_load(path, &s->tasks, err);
  TRM_TRY(trm__json_load(path, MAX_FILE, &s->json, err));
  if (trm__json_n_members(s->json) == 0)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: want an object of tasks%s", path,
             trm__json_is(s->json, TRM__JSON_OBJECT) ? ", at least one" : "");
  if (!has_tasks(s->json)) return TRM_OK;
  trm__json_free(s->json);
  s->json = NULL;
  return trm__arc_tasks_load(path, &s->tasks, err);
}

static void free_solutions(output_source *s) {
  trm__json_free(s->json);
  trm__arc_tasks_free(&s->tasks);
}

/* --- the submission --- */

/* {"ID": entries, ...}, or a folder with the entries of task ID in ID.json. */
typedef struct entry_source {
  const char *path;
  trm__json *json;   /* the file; or of the folder: */
  trm__names names;  /* what is in it, sorted */
  trm__json *opened; /* the file that was read last */
  int64_t n;         /* tasks */
} entry_source;

static int by_name(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What is a task's in such a folder: results.json is a summary there. */
static bool is_entry_file(const char *name) {
  const size_t n = strlen(name);
  return *name != '.' && n > 5 && !strcmp(name + n - 5, ".json") && strcmp(name, "results.json");
}

static trm_status list_folder(entry_source *s, trm_error *err) {
  trm__dir d;
  TRM_TRY(trm__dir_open(&d, s->path, err));
  const trm_status st = trm__dir_names(&d, &s->names, err);
  trm__dir_close(&d);
  TRM_TRY(st);
  if (s->names.n) qsort(s->names.v, s->names.n, sizeof *s->names.v, by_name);
  for (size_t i = 0; i < s->names.n; i++) s->n += is_entry_file(s->names.v[i]);
  if (!s->n)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: holds no ID.json with the attempts of a task", s->path);
  return TRM_OK;
}

static trm_status load_submission(const char *path, entry_source *s, trm_error *err) {
  trm__kind kind;
  s->path = path;
  TRM_TRY(trm__path_look(path, &kind, err));
  if (kind == TRM__DIR) return list_folder(s, err);
  TRM_TRY(trm__json_load(path, MAX_FILE, &s->json, err));
  if (!trm__json_is(s->json, TRM__JSON_OBJECT))
    TRM_FAIL(err, TRM_E_FORMAT, "%s: want an object of tasks", path);
  s->n = (int64_t)trm__json_n_members(s->json);
  return TRM_OK;
}

static trm_status open_entry(entry_source *s, const char *name, const trm__json **entries,
                             trm_error *err) {
  char *path = trm__path_join(s->path, name);
  if (!path) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");
  trm__json_free(s->opened);
  const trm_status st = trm__json_load(path, MAX_FILE, &s->opened, err);
  trm__free(path);
  *entries = s->opened;
  return st;
}

/* The entries of a task, until the next ones are asked for; NULL: the submission lacks it. */
static trm_status find_entries(entry_source *s, const char *id, const trm__json **entries,
                               trm_error *err) {
  *entries = trm__json_get(s->json, id);
  if (s->json) return TRM_OK;
  char name[TRM__ARC_MAX_ID + 8], *key = name;
  if (strlen(id) > TRM__ARC_MAX_ID || strchr(id, '/')) return TRM_OK; /* no file's name */
  (void)snprintf(name, sizeof name, "%s.json", id);
  if (!s->names.n || !is_entry_file(name) ||
      !bsearch(&key, s->names.v, s->names.n, sizeof *s->names.v, by_name))
    return TRM_OK;
  return open_entry(s, name, entries, err);
}

static void free_submission(entry_source *s) {
  trm__json_free(s->json);
  trm__json_free(s->opened);
  trm__names_free(&s->names);
}

/* --- attempts --- */

typedef struct scoring {
  entry_source submission;
  output_source solutions;
  trm_arc_score score;
} scoring;

static bool is_nothing(const trm__json *v) {
  return trm__json_is(v, TRM__JSON_NOTHING) || trm__json_is(v, TRM__JSON_NULL);
}

/* A grid, or an empty one: [] or [[]]. */
static trm_status read_grid(const trm__json *attempt, const char *where, trm__arc_grid *g,
                            trm_error *err) {
  const trm__json *row = trm__json_item(attempt, 0);
  g->rows = g->cols = 0;
  const bool empty = trm__json_is(attempt, TRM__JSON_ARRAY) &&
                     (!row || (trm__json_n_items(attempt) == 1 &&
                               trm__json_is(row, TRM__JSON_ARRAY) && !trm__json_n_items(row)));
  return empty ? TRM_OK : trm__arc_grid_from_json(attempt, where, g, err);
}

/* A grid as text, "[[1, 2]]", which stands in some files of the ARC Prize. */
static trm_status read_text(const trm__json *text, const char *where, trm__arc_grid *g,
                            trm_error *err) {
  trm__json *json;
  TRM_TRY(trm__json_parse(trm__json_text(text), trm__json_length(text), where, 1, &json, err));
  const trm_status st = read_grid(json, where, g, err);
  trm__json_free(json);
  return st;
}

/* An attempt that is the right grid. A grid stands there, or {"answer": grid}; none, or one that is
 * null, is counted. */
static trm_status check_attempt(scoring *s, const trm__json *entry, const char *where, int number,
                                const trm__arc_grid *right, bool *solved, trm_error *err) {
  char key[16], text[MAX_ANSWER];
  trm__arc_grid g;
  (void)snprintf(key, sizeof key, "attempt_%d", number);
  (void)snprintf(text, sizeof text, "%s, %s", where, key);
  const trm__json *attempt = trm__json_get(entry, key);
  if (trm__json_is(attempt, TRM__JSON_OBJECT)) {
    const trm__json *answer = trm__json_get(attempt, "answer");
    if (!answer)
      TRM_FAIL(err, TRM_E_FORMAT, "%s: want a grid, or an object with an \"answer\"", text);
    attempt = answer;
  }
  if (is_nothing(attempt)) {
    s->score.no_attempt++;
    return TRM_OK;
  }
  TRM_TRY(trm__json_is(attempt, TRM__JSON_STRING) ? read_text(attempt, text, &g, err)
                                                  : read_grid(attempt, text, &g, err));
  *solved |= trm__arc_same(&g, right);
  return TRM_OK;
}

enum { ATTEMPTS = 2 };

/* An entry of the submission has the right grid among its attempts. */
static trm_status check_entry(scoring *s, const trm__json *entry, const char *where,
                              const trm__arc_grid *right, bool *solved, trm_error *err) {
  const bool known =
      is_nothing(entry) || trm__json_get(entry, "attempt_1") || trm__json_get(entry, "attempt_2");
  if (!known && (!trm__json_is(entry, TRM__JSON_OBJECT) || trm__json_n_members(entry)))
    TRM_FAIL(err, TRM_E_FORMAT, "%s: want an object with \"attempt_1\" and \"attempt_2\"", where);
  for (int i = 1; i <= ATTEMPTS; i++)
    TRM_TRY(check_attempt(s, entry, where, i, right, solved, err));
  return TRM_OK;
}

/* The test input that an entry is for: its place, unless its attempts tell another. */
static size_t place_of(const trm__json *entry, size_t place, size_t n) {
  static const char *const keys[ATTEMPTS] = {"attempt_1", "attempt_2"};
  for (int i = 0; i < ATTEMPTS; i++) {
    const trm__json *told =
        trm__json_get(trm__json_get(trm__json_get(entry, keys[i]), "metadata"), "pair_index");
    const int64_t index = trm__json_integer(told);
    if (trm__json_is(told, TRM__JSON_INTEGER) && index >= 0 && index < (int64_t)n)
      return (size_t)index;
  }
  return place;
}

static trm_status check_test(scoring *s, int64_t task, size_t test, const trm__json *entries,
                             bool *solved, trm_error *err) {
  const size_t n = count_tests(&s->solutions, task);
  const size_t n_entries = trm__json_n_items(entries);
  char where[400];
  trm__arc_grid right;
  bool answered = false, attempted = false;
  TRM_TRY(right_output(&s->solutions, task, test, &right, err));
  (void)snprintf(where, sizeof where, "%.100s: task %.100s, test %zu", s->submission.path,
                 id_of(&s->solutions, task), test + 1);

  /* The entries for this test input: one that has an attempt, and any that have none. */
  for (size_t i = 0; i < n_entries; i++) {
    const trm__json *entry = trm__json_item(entries, i);
    if (place_of(entry, i, n) != test) continue;
    const int64_t before = s->score.no_attempt;
    TRM_TRY(check_entry(s, entry, where, &right, solved, err));
    answered = true;
    if (s->score.no_attempt - before == ATTEMPTS) continue; /* takes none of the two attempts */
    if (attempted)
      TRM_FAIL(err, TRM_E_FORMAT,
               "%s: two entries are for this test input, by their places or what \"pair_index\" "
               "tells; want one",
               where);
    attempted = true;
  }
  s->score.unanswered += entries && !answered;
  return TRM_OK;
}

static trm_status score_task(scoring *s, int64_t task, const trm__json *entries, trm_error *err) {
  const char *id = id_of(&s->solutions, task);
  const size_t n = count_tests(&s->solutions, task), n_entries = trm__json_n_items(entries);
  int64_t right = 0;

  /* Both files say what they should of this task, and no more of it than there is. */
  TRM_TRY(trm__arc_content_check(entries, TRM__ARC_ATTEMPTS, s->submission.path, id, err));
  if (s->solutions.json)
    TRM_TRY(trm__arc_content_check(trm__json_member(s->solutions.json, (size_t)task),
                                   TRM__ARC_OUTPUTS, s->solutions.path, id, err));
  if (n == 0 || n > TRM__ARC_MAX_PAIRS)
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: task %.80s: want an array of grids, one for each test input, at most %d",
             s->solutions.path, id, TRM__ARC_MAX_PAIRS);
  if (entries && !trm__json_is(entries, TRM__JSON_ARRAY))
    TRM_FAIL(err, TRM_E_FORMAT, "%s: task %.80s: want an array, one entry for each test input",
             s->submission.path, id);
  if (n_entries > n)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: task %.80s: %zu entries, but %s has %zu test outputs",
             s->submission.path, id, n_entries, s->solutions.path, n);

  /* A task's score is the share of its test inputs that are solved. */
  for (size_t test = 0; test < n; test++) {
    bool solved = false;
    TRM_TRY(check_test(s, task, test, entries, &solved, err));
    right += solved;
  }
  s->score.tasks++;
  s->score.inputs += (int64_t)n;
  s->score.right += right;
  s->score.solved += right == (int64_t)n;
  s->score.score += (double)right / (double)n;
  s->score.missing += !entries;
  return TRM_OK;
}

static trm_status score_all(scoring *s, trm_error *err) {
  int64_t found = 0;
  for (int64_t task = 0; task < count_tasks(&s->solutions); task++) {
    const trm__json *entries;
    TRM_TRY(find_entries(&s->submission, id_of(&s->solutions, task), &entries, err));
    found += entries != NULL;
    TRM_TRY(score_task(s, task, is_nothing(entries) ? NULL : entries, err));
  }
  s->score.foreign = s->submission.n - found;
  s->score.score /= (double)s->score.tasks;
  return TRM_OK;
}

trm_status trm_arc_score_files(const char *submission, const char *solutions, trm_arc_score *out,
                               trm_error *err) {
  scoring s = {.score = {.tasks = 0}};
  trm_status st = load_submission(submission, &s.submission, err);
  if (st == TRM_OK) st = load_solutions(solutions, &s.solutions, err);
  if (st == TRM_OK) st = score_all(&s, err);
  if (st == TRM_OK) *out = s.score;
  free_submission(&s.submission);
  free_solutions(&s.solutions);
  return st;
}
