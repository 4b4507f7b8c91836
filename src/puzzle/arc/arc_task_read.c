/* Tasks, grids and solutions from JSON; see arc_task.h. Nothing of a file is believed: every grid
 * is measured and every cell looked at. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "puzzle/arc/arc_task.h"

enum { WHERE = 400 }; /* room to say where something stands */

/* --- grids --- */

/* 3 and 3.0; anything else is no colour. */
static int64_t colour_of(const trm__json *cell) {
  const double v = trm__json_is_number(cell) ? trm__json_number(cell) : -1;
  return v >= 0 && v < (double)TRM__ARC_COLOURS && floor(v) == v ? (int64_t)v : -1;
}

static trm_status read_cells(const trm__json *row, int i, const char *where, trm__arc_grid *g,
                             trm_error *err) {
  for (int j = 0; j < g->cols; j++) {
    const int64_t v = colour_of(trm__json_item(row, (size_t)j));
    if (v < 0)
      TRM_FAIL(err, TRM_E_RANGE, "%s: row %d, column %d: want a colour, a whole number 0 to 9",
               where, i + 1, j + 1);
    g->cell[i * g->cols + j] = (uint8_t)v;
  }
  return TRM_OK;
}

trm_status trm__arc_grid_from_json(const trm__json *rows, const char *where, trm__arc_grid *g,
                                   trm_error *err) {
  const size_t n_rows = trm__json_n_items(rows),
               n_cols = trm__json_n_items(trm__json_item(rows, 0));
  if (n_rows < 1 || n_rows > TRM__ARC_SIDE || n_cols < 1 || n_cols > TRM__ARC_SIDE)
    TRM_FAIL(
        err, TRM_E_FORMAT,
        "%s: want a grid of 1 to 30 rows, each an array of 1 to 30 colours, found %zu row%s and "
        "%zu column%s",
        where, n_rows, TRM__S(n_rows), n_cols, TRM__S(n_cols));
  memset(g, 0, sizeof *g);
  g->rows = (uint8_t)n_rows;
  g->cols = (uint8_t)n_cols;
  for (int i = 0; i < g->rows; i++) {
    const trm__json *row = trm__json_item(rows, (size_t)i);
    if (trm__json_n_items(row) != n_cols)
      TRM_FAIL(err, TRM_E_SHAPE, "%s: row %d has %zu cell%s, row 1 has %zu", where, i + 1,
               trm__json_n_items(row), TRM__S(trm__json_n_items(row)), n_cols);
    TRM_TRY(read_cells(row, i, where, g, err));
  }
  return TRM_OK;
}

void trm__arc_grid_write(trm__writer *w, const trm__arc_grid *g) {
  trm__write(w, "[", 1);
  for (int i = 0; i < g->rows; i++) {
    char row[3 * TRM__ARC_SIDE];
    for (int j = 0; j < g->cols; j++) {
      row[3 * j] = (char)('0' + g->cell[i * g->cols + j]);
      row[3 * j + 1] = ',';
      row[3 * j + 2] = ' ';
    }
    trm__writer_printf(w, "%s[%.*s]", i ? ", " : "", 3 * g->cols - 2, row);
  }
  trm__write(w, "]", 1);
}

/* --- pairs --- */

static const trm__arc_grid one_black_cell = {.rows = 1, .cols = 1};

/* Of two keys of an object, or of a pair [input, output]. */
static bool comes_before(const trm__json *object, const char *first, const char *second) {
  for (size_t i = 0; i < trm__json_n_members(object); i++) {
    const char *key = trm__json_key(object, i);
    if (!strcmp(key, first)) return true;
    if (!strcmp(key, second)) return false;
  }
  return false;
}

/* {"input": grid, "output": grid}, or [grid, grid]. */
static trm_status read_pair(const trm__json *json, const char *where, bool needs_output,
                            trm__arc_pair *pair, trm_error *err) {
  char side[WHERE + 16];
  const bool listed = trm__json_n_items(json) == 2;
  const trm__json *input = listed ? trm__json_item(json, 0) : trm__json_get(json, "input"),
                  *output = listed ? trm__json_item(json, 1) : trm__json_get(json, "output");
  (void)snprintf(side, sizeof side, "%s: \"input\"", where);
  TRM_TRY(trm__arc_grid_from_json(input, side, &pair->input, err));
  pair->has_output = needs_output || (output && !trm__json_is(output, TRM__JSON_NULL));
  pair->output_first = comes_before(json, "output", "input");
  pair->output = one_black_cell;
  if (!pair->has_output) return TRM_OK;
  (void)snprintf(side, sizeof side, "%s: \"output\"", where);
  return trm__arc_grid_from_json(output, side, &pair->output, err);
}

/* --- one file in the place of another --- */

static trm__arc_content content_of(const trm__json *json) {
  const trm__json *item = NULL;
  for (size_t i = 0; i < trm__json_n_items(json); i++) {
    item = trm__json_item(json, i);
    if (!trm__json_is(item, TRM__JSON_NULL)) break;
  }
  const trm__json *cell = trm__json_item(trm__json_item(item, 0), 0);
  if (trm__json_get(json, "train") || trm__json_get(json, "examples") ||
      trm__json_get(item, "input") || trm__json_n_items(cell))
    return TRM__ARC_PAIRS;
  if (trm__json_get(item, "attempt_1") || trm__json_get(item, "attempt_2"))
    return TRM__ARC_ATTEMPTS;
  return trm__json_is_number(cell) ? TRM__ARC_OUTPUTS : TRM__ARC_UNKNOWN;
}

trm_status trm__arc_content_check(const trm__json *json, trm__arc_content want, const char *path,
                                  const char *id, trm_error *err) {
  static const struct {
    const char *file, *holds;
  } contents[] = {[TRM__ARC_PAIRS] = {"a file of challenges", "pairs of grids"},
                  [TRM__ARC_OUTPUTS] = {"a file of solutions", "right outputs"},
                  [TRM__ARC_ATTEMPTS] = {"a submission", "attempts"}};
  const trm__arc_content is = content_of(json);
  if (is == TRM__ARC_UNKNOWN || is == want) return TRM_OK;
  TRM_FAIL(err, TRM_E_FORMAT, "%.220s is %s: task %.120s has %s; want %s", path, contents[is].file,
           id, contents[is].holds, contents[want].file);
}

/* --- tasks --- */

/* Where the pairs of a task stand: in two arrays, or in one whose last item is for the test. */
typedef struct parts {
  const char *path, *id;
  const trm__json *train, *test;
  size_t n_train, n_test;
  bool test_first, one_list;
} parts;

static parts find_parts(const trm__json *json, const char *path, const char *id) {
  parts p = {.path = path, .id = id};
  const trm__json *train = trm__json_get(json, "train"), *list = trm__json_get(json, "examples");
  if (trm__json_is(json, TRM__JSON_ARRAY)) list = json;
  p.one_list = list && !train;
  p.train = p.one_list ? list : train;
  p.test = p.one_list ? NULL : trm__json_get(json, "test");
  if (trm__json_is(p.test, TRM__JSON_NULL)) p.test = NULL;
  const size_t n = trm__json_n_items(p.train);
  p.n_test = p.one_list ? n > 1 : trm__json_n_items(p.test);
  p.n_train = p.one_list ? n - p.n_test : n;
  p.test_first = comes_before(json, "test", "train");
  return p;
}

static trm_status check_parts(const parts *p, trm_error *err) {
  if (p->n_train >= 1 && p->n_train <= TRM__ARC_MAX_PAIRS && p->n_test <= TRM__ARC_MAX_PAIRS &&
      (!p->test || trm__json_is(p->test, TRM__JSON_ARRAY)))
    return TRM_OK;
  TRM_FAIL(err, TRM_E_FORMAT,
           "%s: task %s: want an array \"train\" of 1 to %d pairs and an array \"test\" of at most "
           "as many, or one array of pairs",
           p->path, p->id, TRM__ARC_MAX_PAIRS);
}

static size_t at_most(size_t n) {
  return n < TRM__ARC_MAX_PAIRS ? n : TRM__ARC_MAX_PAIRS;
}

/* Counts the pairs before memory is taken for them: one is some bytes of JSON, but 1.8 KB here. */
static trm_status count_pairs(trm__arc_tasks *list, const parts *p, trm_error *err) {
  list->pairs += (int64_t)(at_most(p->n_train) + at_most(p->n_test));
  if (list->pairs <= TRM__ARC_MAX_LISTED) return TRM_OK;
  TRM_FAIL(err, TRM_E_RANGE,
           "%s: task %s: more than %d pairs with those before it; take fewer tasks", p->path, p->id,
           TRM__ARC_MAX_LISTED);
}

static trm_status take_pairs(trm__arc_task *task, size_t n_train, size_t n_test, trm_error *err) {
  TRM_ALLOC(&task->train, n_train + n_test, "the pairs of a task", err);
  task->test = task->train + n_train;
  task->n_train = (int)n_train;
  task->n_test = (int)n_test;
  return TRM_OK;
}

static trm_status read_pairs(const parts *p, trm__arc_task *task, trm_error *err) {
  for (size_t i = 0; i < p->n_train + p->n_test; i++) {
    const bool is_test = i >= p->n_train;
    const size_t place = is_test && !p->one_list ? i - p->n_train : i;
    const char *which = p->one_list ? "" : is_test ? "test " : "train ";
    char where[WHERE];
    (void)snprintf(where, sizeof where, "%.220s: task %s: %spair %zu", p->path, p->id, which,
                   place + 1);
    TRM_TRY(read_pair(trm__json_item(is_test && !p->one_list ? p->test : p->train, place), where,
                      !is_test, &task->train[i], err));
  }
  return TRM_OK;
}

static trm_status set_id(const char *path, const char *id, trm__arc_task *task, trm_error *err) {
  const size_t n = strlen(id);
  bool plain = n > 0 && n <= TRM__ARC_MAX_ID && !strstr(id, "|||");
  for (size_t i = 0, step; plain && i < n; i += step) {
    step = trm__text_character(id + i, n - i);
    plain = step && !trm__text_is_control(id + i, step);
  }
  if (!plain)
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: '%.120s' cannot be the id of a task: want 1 to %d bytes of UTF-8 without control "
             "characters and without \"|||\"",
             path, id, TRM__ARC_MAX_ID);
  memcpy(task->id, id, n + 1);
  return TRM_OK;
}

/* --- tasks that are none --- */

static void name_invalid(trm_arc_invalid *invalid, const char *id, const trm_error *why) {
  enum { NAMED = 5 };
  const size_t used = strlen(invalid->ids);
  if (invalid->tasks == 0) invalid->why = *why;
  if (invalid->tasks < NAMED)
    (void)snprintf(invalid->ids + used, sizeof invalid->ids - used, "%s%s", used ? ", " : "", id);
  invalid->tasks++;
}

/* What is left of a task that cannot be read: its id and how many test inputs it has. */
static trm_status spoil(trm__arc_tasks *list, trm__arc_task *task, size_t n_test,
                        const trm_error *why, trm_error *err) {
  name_invalid(&list->invalid, task->id, why);
  trm__free(task->train);
  task->train = NULL;
  task->invalid = true;
  TRM_TRY(take_pairs(task, 0, n_test, err));
  for (size_t i = 0; i < n_test; i++)
    task->test[i] = (trm__arc_pair){.input = one_black_cell, .output = one_black_cell};
  return TRM_OK;
}

/* `st` and `why` are of reading the task. */
static trm_status judge(trm__arc_tasks *list, trm__arc_task *task, size_t n_test, trm_status st,
                        const trm_error *why, trm_error *err) {
  if (st == TRM_OK) return TRM_OK;
  const bool of_the_task = st == TRM_E_FORMAT || st == TRM_E_RANGE || st == TRM_E_SHAPE;
  if (of_the_task && list->lenient) return spoil(list, task, n_test, why, err);
  if (of_the_task) name_invalid(&list->invalid, task->id, why);
  if (err) *err = *why;
  return st;
}

trm_status trm__arc_task_read(const trm__json *json, const char *path, const char *id,
                              trm__arc_tasks *list, trm_error *err) {
  trm__arc_task *task;
  trm_error why;
  const parts p = find_parts(json, path, id);
  TRM_TRY(trm__arc_tasks_add(list, &task, err));
  TRM_TRY(set_id(path, id, task, err));
  TRM_TRY(count_pairs(list, &p, err));
  trm_status st = trm__arc_content_check(json, TRM__ARC_PAIRS, path, id, &why);
  if (st != TRM_OK && !list->lenient) { /* the file is at fault, not one of its tasks */
    if (err) *err = why;
    return st;
  }
  if (st == TRM_OK) st = check_parts(&p, &why);
  if (st == TRM_OK) {
    TRM_TRY(take_pairs(task, p.n_train, p.n_test, err));
    task->test_first = p.test_first;
    task->listed = p.one_list;
    st = read_pairs(&p, task, &why);
  }
  return judge(list, task, at_most(p.n_test), st, &why, err);
}

/* --- solutions --- */

/* A grid that is null stays hidden. */
static trm_status read_outputs(const trm__json *grids, const char *path, trm__arc_task *task,
                               trm_error *err) {
  if (trm__json_n_items(grids) != (size_t)task->n_test ||
      (task->n_test && !trm__json_is(grids, TRM__JSON_ARRAY)))
    TRM_FAIL(err, TRM_E_FORMAT, "%s: task %s: want an array of %d grids, one per test pair", path,
             task->id, task->n_test);
  for (int i = 0; i < task->n_test; i++) {
    char where[WHERE];
    const trm__json *grid = trm__json_item(grids, (size_t)i);
    if (trm__json_is(grid, TRM__JSON_NULL)) continue;
    (void)snprintf(where, sizeof where, "%.220s: task %s: solution %d", path, task->id, i + 1);
    TRM_TRY(trm__arc_grid_from_json(grid, where, &task->test[i].output, err));
    task->test[i].has_output = true;
  }
  return TRM_OK;
}

trm_status trm__arc_tasks_solve(const char *path, trm__arc_tasks *list, trm_error *err) {
  trm__json *json;
  TRM_TRY(trm__json_load(path, TRM__ARC_MAX_JSON, &json, err));
  trm_status st = TRM_OK;
  for (int64_t i = 0; i < list->n && st == TRM_OK; i++) {
    trm__arc_task *task = &list->task[i];
    trm_error why;
    if (task->invalid) continue;
    const trm__json *grids = trm__json_get(json, task->id);
    st = trm__arc_content_check(grids, TRM__ARC_OUTPUTS, path, task->id, err);
    if (st != TRM_OK) break;
    st = read_outputs(grids, path, task, &why);
    st = judge(list, task, (size_t)task->n_test, st, &why, err);
  }
  trm__json_free(json);
  return st;
}
