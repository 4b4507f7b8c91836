/* See arc_task.h. Nothing of a file is believed: every grid is measured and every cell looked at.
 */
#include "data/arc/arc_task.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "io/json.h"

/* --- grids and pairs --- */

enum { WHERE = 400 }; /* room to say where something stands */

static trm_status read_cells(const json_t *row, int i, const char *where, trm__arc_grid *g,
                             trm_error *err) {
  for (int j = 0; j < g->cols; j++) {
    const json_t *cell = json_array_get(row, (size_t)j);
    const json_int_t v = json_is_integer(cell) ? json_integer_value(cell) : -1;
    if (v < 0 || v >= TRM__ARC_COLOURS)
      TRM_FAIL(err, TRM_E_RANGE, "%s: row %d, column %d: want a colour, a whole number 0 to 9",
               where, i + 1, j + 1);
    g->cell[i * g->cols + j] = (uint8_t)v;
  }
  return TRM_OK;
}

trm_status trm__arc_grid_from_json(const json_t *rows, const char *where, trm__arc_grid *g,
                                   trm_error *err) {
  const size_t n_rows = json_array_size(rows), n_cols = json_array_size(json_array_get(rows, 0));
  if (n_rows < 1 || n_rows > TRM__ARC_SIDE || n_cols < 1 || n_cols > TRM__ARC_SIDE)
    TRM_FAIL(
        err, TRM_E_FORMAT,
        "%s: want a grid of 1 to 30 rows, each an array of 1 to 30 colours, found %zu rows and "
        "%zu columns",
        where, n_rows, n_cols);
  memset(g, 0, sizeof *g);
  g->rows = (uint8_t)n_rows;
  g->cols = (uint8_t)n_cols;
  for (int i = 0; i < g->rows; i++) {
    const json_t *row = json_array_get(rows, (size_t)i);
    if (json_array_size(row) != n_cols)
      TRM_FAIL(err, TRM_E_SHAPE, "%s: row %d has %zu cells, row 1 has %zu", where, i + 1,
               json_array_size(row), n_cols);
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

/* The place of a key among the keys of an object. */
static bool comes_before(const json_t *object, const char *first, const char *second) {
  void *iterator = json_object_iter((json_t *)(uintptr_t)object);
  for (; iterator; iterator = json_object_iter_next((json_t *)(uintptr_t)object, iterator)) {
    const char *key = json_object_iter_key(iterator);
    if (!strcmp(key, first)) return true;
    if (!strcmp(key, second)) return false;
  }
  return false;
}

static trm_status read_pair(const json_t *json, const char *where, bool needs_output,
                            trm__arc_pair *pair, trm_error *err) {
  char side[WHERE + 16];
  const json_t *output = json_object_get(json, "output");
  snprintf(side, sizeof side, "%s: \"input\"", where);
  TRM_TRY(trm__arc_grid_from_json(json_object_get(json, "input"), side, &pair->input, err));
  pair->has_output = needs_output || output;
  pair->output_first = comes_before(json, "output", "input");
  pair->output = (trm__arc_grid){.rows = 1, .cols = 1};
  if (!pair->has_output) return TRM_OK;
  snprintf(side, sizeof side, "%s: \"output\"", where);
  return trm__arc_grid_from_json(output, side, &pair->output, err);
}

static trm_status read_pairs(const json_t *json, const char *path, const char *id,
                             const char *which, bool needs_output, trm__arc_pair *pair,
                             trm_error *err) {
  for (size_t i = 0; i < json_array_size(json); i++) {
    char where[WHERE];
    snprintf(where, sizeof where, "%.220s: task %s: %s pair %zu", path, id, which, i + 1);
    TRM_TRY(read_pair(json_array_get(json, i), where, needs_output, &pair[i], err));
  }
  return TRM_OK;
}

/* --- tasks --- */

void trm__arc_task_free(trm__arc_task *task) {
  trm__free(task->train);
  memset(task, 0, sizeof *task);
}

static trm_status set_id(const char *path, const char *id, trm__arc_task *task, trm_error *err) {
  const size_t n = strlen(id);
  bool plain = n > 0 && n <= TRM__ARC_MAX_ID && !strstr(id, "|||");
  for (size_t i = 0; plain && i < n; i++) plain = (unsigned char)id[i] >= ' ' && id[i] != 0x7f;
  json_t *text = json_string(id); /* only for its check of UTF-8 */
  const bool utf8 = text != NULL;
  json_decref(text);
  if (!utf8 || !plain)
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: '%.120s' cannot be the id of a task: want 1 to %d bytes of UTF-8 without control "
             "characters and without \"|||\"",
             path, utf8 ? id : "...", TRM__ARC_MAX_ID);
  memcpy(task->id, id, n + 1);
  return TRM_OK;
}

/* The next free place, which counts as a task from now on. */
static trm_status add_task(trm__arc_tasks *list, trm__arc_task **out, trm_error *err) {
  if (list->n == list->room) {
    const int64_t room = list->room ? 2 * list->room : 64;
    trm__arc_task *larger;
    TRM_ALLOC(&larger, room, "a list of tasks", err);
    if (list->n) memcpy(larger, list->task, (size_t)list->n * sizeof *larger);
    trm__free(list->task);
    list->task = larger;
    list->room = room;
  }
  *out = &list->task[list->n++];
  return TRM_OK;
}

/* Counts the pairs before memory is taken for them: one is some bytes of JSON, but 1.8 KB here. */
static trm_status count_pairs(trm__arc_tasks *list, size_t n, const char *path, const char *id,
                              trm_error *err) {
  list->pairs += (int64_t)n;
  if (list->pairs <= TRM__ARC_MAX_LISTED) return TRM_OK;
  TRM_FAIL(err, TRM_E_RANGE,
           "%s: task %s: more than %d pairs with those before it; take fewer tasks", path, id,
           TRM__ARC_MAX_LISTED);
}

static trm_status read_task(const json_t *json, const char *path, const char *id,
                            trm__arc_tasks *list, trm_error *err) {
  trm__arc_task *task;
  TRM_TRY(add_task(list, &task, err));
  TRM_TRY(set_id(path, id, task, err));
  const json_t *train = json_object_get(json, "train"), *test = json_object_get(json, "test");
  const size_t n_train = json_array_size(train), n_test = json_array_size(test);
  if (n_train < 1 || n_train > TRM__ARC_MAX_PAIRS || n_test > TRM__ARC_MAX_PAIRS ||
      (test && !json_is_array(test)))
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: task %s: want an array \"train\" of 1 to %d pairs and an array \"test\" of at "
             "most as many",
             path, id, TRM__ARC_MAX_PAIRS);
  TRM_TRY(count_pairs(list, n_train + n_test, path, id, err));
  TRM_ALLOC(&task->train, n_train + n_test, "the pairs of a task", err);
  task->test = task->train + n_train;
  task->n_train = (int)n_train;
  task->n_test = (int)n_test;
  task->test_first = comes_before(json, "test", "train");
  TRM_TRY(read_pairs(train, path, id, "train", true, task->train, err));
  return read_pairs(test, path, id, "test", false, task->test, err);
}

/* --- the index --- */

static int by_id_of_pointed(const void *a, const void *b) {
  const trm__arc_task *const *x = a, *const *y = b;
  return strcmp((*x)->id, (*y)->id);
}

static int compare_id(const void *id, const void *entry) {
  const trm__arc_task *const *task = entry;
  return strcmp(id, (*task)->id);
}

trm_status trm__arc_index_make(const trm__arc_tasks *list, trm__arc_index *index, trm_error *err) {
  TRM_ALLOC(&index->task, list->n, "the order of tasks", err);
  index->n = list->n;
  for (int64_t i = 0; i < list->n; i++) index->task[i] = &list->task[i];
  if (index->n) qsort(index->task, (size_t)index->n, sizeof *index->task, by_id_of_pointed);
  return TRM_OK;
}

void trm__arc_index_free(trm__arc_index *index) {
  trm__free(index->task);
  *index = (trm__arc_index){0};
}

const trm__arc_task *trm__arc_index_find(const trm__arc_index *index, const char *id) {
  if (!index->n) return NULL;
  const trm__arc_task *const *found =
      bsearch(id, index->task, (size_t)index->n, sizeof *index->task, compare_id);
  return found ? *found : NULL;
}

/* --- lists --- */

void trm__arc_tasks_free(trm__arc_tasks *list) {
  for (int64_t i = 0; i < list->n; i++) trm__arc_task_free(&list->task[i]);
  trm__free(list->task);
  memset(list, 0, sizeof *list);
}

bool trm__arc_task_fits(const trm__arc_task *task, int side) {
  for (int i = 0; i < task->n_train + task->n_test; i++) {
    const trm__arc_pair *p = &task->train[i];
    if (p->input.rows > side || p->input.cols > side || p->output.rows > side ||
        p->output.cols > side)
      return false;
  }
  return true;
}

int64_t trm__arc_tasks_keep_fitting(trm__arc_tasks *list, int side) {
  int64_t kept = 0;
  const int64_t all = list->n;
  for (int64_t i = 0; i < all; i++) {
    trm__arc_task *task = &list->task[i];
    if (trm__arc_task_fits(task, side)) {
      list->task[kept++] = *task;
    } else {
      list->pairs -= task->n_train + task->n_test;
      trm__arc_task_free(task);
    }
  }
  list->n = kept;
  return all - kept;
}

/* The id of a task in a file of its own: its name without folders and ending. */
static void id_of_file(const char *path, char *id, size_t size) {
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  static const char *const endings[] = {".json.gz", ".json"};
  size_t n = strlen(name);
  for (size_t k = 0; k < sizeof endings / sizeof *endings; k++) {
    const size_t m = strlen(endings[k]);
    if (n > m && !strcmp(name + n - m, endings[k])) {
      n -= m;
      break;
    }
  }
  snprintf(id, size, "%.*s", (int)(n < size ? n : size - 1), name);
}

static trm_status add_object(json_t *json, const char *path, trm__arc_tasks *list, trm_error *err) {
  if (!json_is_object(json)) TRM_FAIL(err, TRM_E_FORMAT, "%s: want a JSON object", path);
  if (json_is_array(json_object_get(json, "train"))) {
    char id[TRM__ARC_MAX_ID + 100];
    id_of_file(path, id, sizeof id);
    return read_task(json, path, id, list, err);
  }
  if (!json_object_size(json)) TRM_FAIL(err, TRM_E_FORMAT, "%s: there is no task in it", path);
  const char *id;
  json_t *value;
  json_object_foreach(json, id, value) TRM_TRY(read_task(value, path, id, list, err));
  return TRM_OK;
}

/* --- files --- */

typedef struct large_file {
  const char *path;
  trm__arc_tasks *list;
} large_file;

static trm_status add_member(void *arg, const char *id, const json_t *value, trm_error *err) {
  const large_file *file = arg;
  return read_task(value, file->path, id, file->list, err);
}

/* Each member of a large file is one task, and is read by itself. */
static trm_status load_large(const char *path, trm__arc_tasks *list, trm_error *err) {
  const int64_t first = list->n;
  TRM_TRY(trm__json_members(path, TRM__ARC_MAX_JSON, add_member, &(large_file){path, list}, err));
  const trm__arc_tasks added = {.n = list->n - first, .task = list->task + first};
  trm__arc_index index = {0};
  trm_status st = trm__arc_index_make(&added, &index, err);
  for (int64_t i = 1; st == TRM_OK && i < index.n; i++)
    if (!strcmp(index.task[i - 1]->id, index.task[i]->id))
      st = trm__fail(err, TRM_E_FORMAT, -1, "%s: the task %s comes twice", path, index.task[i]->id);
  trm__arc_index_free(&index);
  return st;
}

/* Packed or not, without looking at what it holds. */
static trm_status is_large(const char *path, bool *large, trm_error *err) {
  trm__map map;
  TRM_TRY(trm__map_open(path, &map, err));
  *large = map.size > TRM__ARC_MAX_JSON;
  trm__map_close(&map);
  return TRM_OK;
}

static trm_status load_file(const char *path, trm__arc_tasks *list, trm_error *err) {
  json_t *json;
  bool large;
  TRM_TRY(is_large(path, &large, err));
  const size_t n = strlen(path);
  if (large && n > 3 && !strcmp(path + n - 3, ".gz"))
    TRM_FAIL(err, TRM_E_RANGE, "%s: a packed file may have %d MiB: unpack it with gunzip", path,
             TRM__ARC_MAX_JSON >> 20);
  if (large) return load_large(path, list, err);
  TRM_TRY(trm__json_load(path, TRM__ARC_MAX_JSON, &json, err));
  const trm_status st = add_object(json, path, list, err);
  json_decref(json);
  return st;
}

trm_status trm__arc_task_load(const char *path, trm__arc_task *task, trm_error *err) {
  trm__arc_tasks list = {0};
  trm_status st = load_file(path, &list, err);
  if (st == TRM_OK && list.n != 1)
    st = trm__fail(err, TRM_E_FORMAT, -1, "%s: want one task, found %lld", path, (long long)list.n);
  memset(task, 0, sizeof *task);
  if (st == TRM_OK) {
    *task = list.task[0];
    memset(&list.task[0], 0, sizeof *list.task);
  }
  trm__arc_tasks_free(&list);
  return st;
}

/* --- folders --- */

static bool is_task_file(const char *name) {
  const size_t n = strlen(name);
  return *name != '.' && ((n > 5 && !strcmp(name + n - 5, ".json")) ||
                          (n > 8 && !strcmp(name + n - 8, ".json.gz")));
}

static trm_status load_entry(const char *dir, const char *name, trm__arc_tasks *list,
                             trm_error *err) {
  char *path = trm__path_join(dir, name);
  if (!path) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");
  const int64_t before = list->n;
  trm_status st = load_file(path, list, err);
  if (st == TRM_OK && list->n != before + 1)
    st = trm__fail(err, TRM_E_FORMAT, -1,
                   "%s: want one task {\"train\": [...], \"test\": [...]} per file of a folder",
                   path);
  trm__free(path);
  return st;
}

static int by_id(const void *a, const void *b) {
  return strcmp(((const trm__arc_task *)a)->id, ((const trm__arc_task *)b)->id);
}

static trm_status load_folder(const char *dir, trm__arc_tasks *list, trm_error *err) {
  DIR *handle = opendir(dir);
  if (!handle) TRM_FAIL(err, TRM_E_IO, "%s: %s", dir, strerror(errno));
  const int64_t first = list->n;
  trm_status st = TRM_OK;
  for (struct dirent *e; st == TRM_OK && (e = readdir(handle));)
    if (is_task_file(e->d_name)) st = load_entry(dir, e->d_name, list, err);
  (void)closedir(handle);
  TRM_TRY(st);
  if (list->n == first)
    TRM_FAIL(err, TRM_E_FORMAT, "%s holds no .json or .json.gz file of a task", dir);
  qsort(list->task + first, (size_t)(list->n - first), sizeof *list->task, by_id);
  for (int64_t i = first + 1; i < list->n; i++)
    if (!strcmp(list->task[i - 1].id, list->task[i].id))
      TRM_FAIL(err, TRM_E_FORMAT, "%s has the task %s twice, as .json and as .json.gz", dir,
               list->task[i].id);
  return TRM_OK;
}

trm_status trm__arc_tasks_load(const char *path, trm__arc_tasks *list, trm_error *err) {
  return trm__path_is_dir(path) ? load_folder(path, list, err) : load_file(path, list, err);
}

/* --- solutions --- */

static trm_status solve_task(const json_t *grids, const char *path, trm__arc_task *task,
                             trm_error *err) {
  if (json_array_size(grids) != (size_t)task->n_test || (task->n_test && !json_is_array(grids)))
    TRM_FAIL(err, TRM_E_FORMAT, "%s: task %s: want an array of %d grids, one per test pair", path,
             task->id, task->n_test);
  for (int i = 0; i < task->n_test; i++) {
    char where[WHERE];
    snprintf(where, sizeof where, "%.220s: task %s: solution %d", path, task->id, i + 1);
    TRM_TRY(trm__arc_grid_from_json(json_array_get(grids, (size_t)i), where, &task->test[i].output,
                                    err));
    task->test[i].has_output = true;
  }
  return TRM_OK;
}

trm_status trm__arc_tasks_solve(const char *path, trm__arc_tasks *list, trm_error *err) {
  json_t *json;
  TRM_TRY(trm__json_load(path, TRM__ARC_MAX_JSON, &json, err));
  trm_status st = TRM_OK;
  for (int64_t i = 0; i < list->n && st == TRM_OK; i++)
    st = solve_task(json_object_get(json, list->task[i].id), path, &list->task[i], err);
  json_decref(json);
  return st;
}

/* --- subsets --- */

/* PREFIX_SUBSET_WHAT.json, or with .gz where only that is there. */
static char *kaggle_path(const char *prefix, const char *subset, const char *what) {
  const size_t size = strlen(prefix) + strlen(subset) + strlen(what) + 16;
  char *path = trm__alloc(size, 1);
  if (!path) return NULL;
  snprintf(path, size, "%s_%s_%s.json", prefix, subset, what);
  if (trm__path_exists(path)) return path;
  const size_t n = strlen(path);
  memcpy(path + n, ".gz", 4);
  if (!trm__path_exists(path)) path[n] = 0;
  return path;
}

static trm_status load_kaggle(const char *challenges, const char *solutions, trm__arc_tasks *list,
                              trm_error *err) {
  TRM_TRY(load_file(challenges, list, err));
  return trm__path_exists(solutions) ? trm__arc_tasks_solve(solutions, list, err) : TRM_OK;
}

static trm_status load_named(const char *prefix, const char *subset, const char *challenges,
                             const char *folder, trm__arc_tasks *list, trm_error *err) {
  if (trm__path_is_dir(folder)) return load_folder(folder, list, err);
  if (trm__path_is_dir(subset)) return load_folder(subset, list, err);
  TRM_FAIL(err, TRM_E_IO,
           "subset '%s': neither the file %s nor the folder %s is there; want as input file prefix "
           "what stands before _%s_challenges.json, as in PATH/arc-agi, or the folder that holds "
           "%s/",
           subset, challenges, *prefix ? folder : subset, subset, subset);
}

trm_status trm__arc_tasks_load_subset(const char *prefix, const char *subset, trm__arc_tasks *list,
                                      trm_error *err) {
  char *challenges = kaggle_path(prefix, subset, "challenges"),
       *solutions = kaggle_path(prefix, subset, "solutions"),
       *folder = trm__path_join(prefix, subset);
  trm__arc_tasks found = {0};
  trm_status st;
  if (!challenges || !solutions || !folder)
    st = trm__fail(err, TRM_E_MEMORY, -1, "no memory for a path");
  else if (trm__path_exists(challenges))
    st = load_kaggle(challenges, solutions, &found, err);
  else
    st = load_named(prefix, subset, challenges, folder, &found, err);
  trm__free(challenges);
  trm__free(solutions);
  trm__free(folder);
  if (st == TRM_OK)
    *list = found;
  else
    trm__arc_tasks_free(&found);
  return st;
}
