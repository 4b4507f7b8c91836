/* See arc_tasks.h. identifiers.json may have a million names: they are taken one by one and kept as
 * a few bytes each. */
#include "eval/arc_tasks.h"

#include <string.h>

#include "base/memory.h"
#include "io/json.h"

/* A test_puzzles.json of all public tasks has 4 MB; parsed it takes tens of times that. */
enum { MAX_TASKS_FILE = 1 << 25, MAX_TESTS = 1000 /* of a task */, FIRST_NAMES = 1024 };

static const char blank_name[] = "<blank>";

/* --- grids --- */

trm_status trm__arc_grid_from_json(const json_t *rows, bool may_be_empty, const char *where,
                                   trm__arc_grid *g, trm_error *err) {
  size_t n = json_array_size(rows), cols = json_array_size(json_array_get(rows, 0));
  g->rows = g->cols = 0;
  if (!json_is_array(rows)) TRM_FAIL(err, TRM_E_FORMAT, "%s: want a grid, an array of rows", where);
  for (size_t i = 0; i < n; i++) {
    const json_t *row = json_array_get(rows, i);
    if (!json_is_array(row) || json_array_size(row) != cols)
      TRM_FAIL(err, TRM_E_FORMAT, "%s: row %zu is no array of %zu colours like the first one",
               where, i + 1, cols);
  }
  if (may_be_empty && (n == 0 || cols == 0)) return TRM_OK;
  if (n < 1 || n > TRM__ARC_SIDE || cols < 1 || cols > TRM__ARC_SIDE)
    TRM_FAIL(err, TRM_E_RANGE, "%s: a grid of %zu rows and %zu columns; want 1 to %d of both",
             where, n, cols, TRM__ARC_SIDE);
  for (size_t i = 0; i < n * cols; i++) {
    const json_t *cell = json_array_get(json_array_get(rows, i / cols), i % cols);
    if (!json_is_integer(cell) || json_integer_value(cell) < 0 ||
        json_integer_value(cell) >= TRM__ARC_COLOURS)
      TRM_FAIL(err, TRM_E_RANGE, "%s: row %zu, column %zu is no colour from 0 to %d", where,
               i / cols + 1, i % cols + 1, TRM__ARC_COLOURS - 1);
    g->cell[i] = (uint8_t)json_integer_value(cell);
  }
  g->rows = (uint8_t)n;
  g->cols = (uint8_t)cols;
  return TRM_OK;
}

/* --- test_puzzles.json --- */

static trm_status read_side(const json_t *pair, const char *side, const char *where,
                            trm__arc_grids *grids, uint32_t *number, trm_error *err) {
  char text[512];
  trm__arc_grid g;
  (void)snprintf(text, sizeof text, "%s, %s", where, side);
  TRM_TRY(trm__arc_grid_from_json(json_object_get(pair, side), false, text, &g, err));
  return trm__arc_grids_add(grids, &g, number, err);
}

static trm_status read_task(const char *path, const char *name, const json_t *tests,
                            trm__arc_task *task, trm__arc_tasks *t, trm__arc_grids *grids,
                            trm_error *err) {
  char where[400];
  size_t length = strlen(name);
  TRM_ALLOC(&task->name, length + 1, "the name of a task", err);
  memcpy(task->name, name, length + 1);
  task->first = t->n_tests;
  for (size_t i = 0; i < json_array_size(tests); i++) {
    trm__arc_test *test = &t->test[t->n_tests];
    const json_t *pair = json_array_get(tests, i);
    (void)snprintf(where, sizeof where, "%.100s: task %.100s, test %zu", path, name, i + 1);
    TRM_TRY(read_side(pair, "input", where, grids, &test->input, err));
    TRM_TRY(read_side(pair, "output", where, grids, &test->output, err));
    test->slot = task->first;
    while (t->test[test->slot].input != test->input) test->slot++;
    t->n_tests++;
    task->n++;
  }
  return TRM_OK;
}

static trm_status count_tests(const char *path, json_t *root, size_t *n, trm_error *err) {
  const char *name;
  json_t *task;
  *n = 0;
  json_object_foreach(root, name, task) {
    const json_t *tests = json_object_get(task, "test");
    size_t pairs = json_array_size(tests);
    if (pairs == 0 || pairs > MAX_TESTS || strlen(name) > TRM__ARC_MAX_NAME)
      TRM_FAIL(err, TRM_E_FORMAT,
               "%s: task %.80s: want a name of at most %d bytes and an array \"test\" of 1 to %d "
               "pairs",
               path, name, TRM__ARC_MAX_NAME, MAX_TESTS);
    *n += pairs;
  }
  if (*n == 0) TRM_FAIL(err, TRM_E_FORMAT, "%s: want an object of tasks, found none", path);
  return TRM_OK;
}

/* Fills `index` with the number of each task. */
static trm_status read_tasks(const char *path, json_t *root, json_t *index, trm__arc_tasks *t,
                             trm__arc_grids *grids, trm_error *err) {
  const char *name;
  json_t *task;
  size_t n;
  TRM_TRY(count_tests(path, root, &n, err));
  TRM_ALLOC(&t->task, json_object_size(root), "the test tasks", err);
  TRM_ALLOC(&t->test, n, "the test inputs", err);
  json_object_foreach(root, name, task) {
    if (json_object_set_new(index, name, json_integer(t->n_tasks)))
      TRM_FAIL(err, TRM_E_MEMORY, "no memory for the names of %zu tasks", json_object_size(root));
    trm__arc_task *now = &t->task[t->n_tasks++];
    TRM_TRY(read_task(path, name, json_object_get(task, "test"), now, t, grids, err));
  }
  return TRM_OK;
}

/* --- identifiers.json --- */

static trm_status read_name(const char *path, const char *text, const json_t *index,
                            trm__arc_tasks *t, trm_error *err) {
  trm__arc_name *name = &t->name[t->n_names];
  char id[TRM__ARC_MAX_NAME + 1];
  size_t length;
  if (!trm__arc_copy_parse(text, &length, &name->copy))
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: id %d: '%.80s' is neither TASK nor TASK|||tN|||COLOURS with N from 0 to 7 and a "
             "permutation of the colours",
             path, t->n_names, text);
  name->task = strcmp(text, blank_name) ? TRM__ARC_UNTESTED : TRM__ARC_BLANK;
  if (name->task == TRM__ARC_UNTESTED && length <= TRM__ARC_MAX_NAME) {
    memcpy(id, text, length);
    id[length] = 0;
    const json_t *task = json_object_get(index, id);
    if (task) name->task = (int32_t)json_integer_value(task);
  }
  t->n_names++;
  return TRM_OK;
}

static trm_status make_room(trm__arc_tasks *t, int32_t *room, trm_error *err) {
  trm__arc_name *name;
  if (t->n_names < *room) return TRM_OK;
  if (*room > INT32_MAX / 2) TRM_FAIL(err, TRM_E_FORMAT, "more than 2^30 puzzle ids");
  int32_t twice = *room ? 2 * *room : FIRST_NAMES;
  TRM_ALLOC(&name, twice, "the names of puzzle ids", err);
  if (t->n_names) memcpy(name, t->name, (size_t)t->n_names * sizeof *name);
  trm__free(t->name);
  t->name = name;
  *room = twice;
  return TRM_OK;
}

/* A place in the text of a file. */
typedef struct cursor {
  const char *path, *text;
  size_t at, size;
} cursor;

static char next_mark(cursor *c) {
  while (c->at < c->size && c->text[c->at] && strchr(" \t\r\n", c->text[c->at])) c->at++;
  return (char)(c->at < c->size ? c->text[c->at] : 0);
}

static trm_status expect(cursor *c, const char *marks, char *found, trm_error *err) {
  *found = next_mark(c);
  if (!*found || !strchr(marks, *found))
    TRM_FAIL_AT(err, TRM_E_FORMAT, c->at,
                "%s: byte %zu: want one of %s, for an array of names [\"<blank>\", ...]", c->path,
                c->at, marks);
  c->at += *found != '"';
  return TRM_OK;
}

static trm_status take_name(cursor *c, json_t **out, trm_error *err) {
  json_error_t cause;
  *out = json_loadb(c->text + c->at, c->size - c->at, JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK,
                    &cause);
  if (!*out)
    TRM_FAIL_AT(err, TRM_E_FORMAT, c->at, "%s: the name at byte %zu: %s", c->path, c->at,
                cause.text);
  c->at += (size_t)cause.position;
  return TRM_OK;
}

static trm_status read_names(cursor *c, const json_t *index, trm__arc_tasks *t, trm_error *err) {
  int32_t room = 0;
  char mark;
  TRM_TRY(expect(c, "[", &mark, err));
  do {
    json_t *name;
    TRM_TRY(expect(c, "\"", &mark, err));
    TRM_TRY(take_name(c, &name, err));
    trm_status st = make_room(t, &room, err);
    if (st == TRM_OK) st = read_name(c->path, json_string_value(name), index, t, err);
    json_decref(name);
    if (st != TRM_OK) return st;
    TRM_TRY(expect(c, ",]", &mark, err));
  } while (mark == ',');
  if (next_mark(c) || c->at < c->size)
    TRM_FAIL_AT(err, TRM_E_FORMAT, c->at, "%s: byte %zu: text after the array", c->path, c->at);
  return TRM_OK;
}

/* --- both --- */

static uint64_t mix(uint64_t hash, const trm__map *map) {
  for (size_t i = 0; i < map->size; i++) hash = (hash ^ map->data[i]) * UINT64_C(0x100000001b3);
  return hash;
}

static trm_status load_tasks(const char *path, json_t *index, trm__arc_tasks *t,
                             trm__arc_grids *grids, trm_error *err) {
  json_t *root;
  trm__map map;
  TRM_TRY(trm__json_load(path, MAX_TASKS_FILE, &root, err));
  trm_status st = read_tasks(path, root, index, t, grids, err);
  json_decref(root);
  if (st != TRM_OK) return st;
  TRM_TRY(trm__map_open(path, &map, err));
  t->fingerprint = mix(UINT64_C(0xcbf29ce484222325), &map);
  trm__map_close(&map);
  return TRM_OK;
}

static trm_status load_names(const char *path, const json_t *index, trm__arc_tasks *t,
                             trm_error *err) {
  trm__map map;
  TRM_TRY(trm__map_open(path, &map, err));
  cursor c = {path, (const char *)map.data, 0, map.size};
  trm_status st = read_names(&c, index, t, err);
  t->fingerprint = mix(t->fingerprint, &map);
  trm__map_close(&map);
  return st;
}

trm_status trm__arc_tasks_load(const char *dir, trm__arc_tasks *t, trm__arc_grids *grids,
                               trm_error *err) {
  char *tasks = trm__path_join(dir, "test_puzzles.json");
  char *names = trm__path_join(dir, "identifiers.json");
  json_t *index = json_object();
  trm_status st = tasks && names && index
                      ? load_tasks(tasks, index, t, grids, err)
                      : trm__fail(err, TRM_E_MEMORY, -1, "no memory for an ARC data set");
  if (st == TRM_OK) st = load_names(names, index, t, err);
  json_decref(index);
  trm__free(tasks);
  trm__free(names);
  return st;
}

void trm__arc_tasks_free(trm__arc_tasks *t) {
  for (int32_t i = 0; i < t->n_tasks; i++) trm__free(t->task[i].name);
  trm__free(t->task);
  trm__free(t->test);
  trm__free(t->name);
  *t = (trm__arc_tasks){0};
}
