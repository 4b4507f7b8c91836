/* Lists of tasks, and the files and folders they come from; see arc_task.h. */
#include "puzzle/arc/arc_task.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "io/json.h"
#include "io/lines.h"

/* --- tasks --- */

void trm__arc_task_free(trm__arc_task *task) {
  trm__free(task->train);
  memset(task, 0, sizeof *task);
}

trm_status trm__arc_tasks_add(trm__arc_tasks *list, trm__arc_task **out, trm_error *err) {
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

static bool is_valid(const trm__arc_task *task, int unused) {
  (void)unused;
  return !task->invalid;
}

/* Frees the others; returns how many those were. */
static int64_t keep(trm__arc_tasks *list, bool (*good)(const trm__arc_task *, int), int side) {
  int64_t kept = 0;
  const int64_t all = list->n;
  for (int64_t i = 0; i < all; i++) {
    trm__arc_task *task = &list->task[i];
    if (good(task, side)) {
      list->task[kept++] = *task;
    } else {
      list->pairs -= task->n_train + task->n_test;
      trm__arc_task_free(task);
    }
  }
  list->n = kept;
  return all - kept;
}

int64_t trm__arc_tasks_keep_fitting(trm__arc_tasks *list, int side) {
  return keep(list, trm__arc_task_fits, side);
}

int64_t trm__arc_tasks_keep_valid(trm__arc_tasks *list) {
  return keep(list, is_valid, 0);
}

static bool ends_in(const char *name, const char *ending) {
  const size_t n = strlen(name), m = strlen(ending);
  return n > m && !strcmp(name + n - m, ending);
}

/* The id of a task in a file of its own: its name without folders and ending. */
static void id_of_file(const char *path, char *id, size_t size) {
  static const char *const endings[] = {".ndjson.gz", ".jsonl.gz", ".json.gz",
                                        ".ndjson",    ".jsonl",    ".json"};
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  size_t n = strlen(name);
  for (size_t k = 0; k < sizeof endings / sizeof *endings; k++)
    if (ends_in(name, endings[k])) {
      n -= strlen(endings[k]);
      break;
    }
  snprintf(id, size, "%.*s", (int)(n < size ? n : size - 1), name);
}

/* A task, or a list of pairs: not an object of tasks. */
static bool is_one_task(const trm__json *json) {
  return trm__json_is(json, TRM__JSON_ARRAY) ||
         trm__json_is(trm__json_get(json, "train"), TRM__JSON_ARRAY) ||
         trm__json_is(trm__json_get(json, "examples"), TRM__JSON_ARRAY);
}

static trm_status add_tasks(const trm__json *json, const char *path, trm__arc_tasks *list,
                            trm_error *err) {
  if (!trm__json_n_items(json) && !trm__json_n_members(json))
    TRM_FAIL(err, TRM_E_FORMAT, "%s: want a task, or an object of tasks: there is none in it",
             path);
  if (is_one_task(json)) {
    char id[TRM__ARC_MAX_ID + 100];
    id_of_file(path, id, sizeof id);
    return trm__arc_task_read(json, path, id, list, err);
  }
  for (size_t i = 0; i < trm__json_n_members(json); i++)
    TRM_TRY(trm__arc_task_read(trm__json_member(json, i), path, trm__json_key(json, i), list, err));
  return TRM_OK;
}

/* --- files --- */

typedef struct large_file {
  const char *path;
  trm__arc_tasks *list;
} large_file;

static trm_status add_member(void *arg, const char *id, const trm__json *value, trm_error *err) {
  const large_file *file = arg;
  return trm__arc_task_read(value, file->path, id, file->list, err);
}

/* The tasks from `first` on, of one file, have different ids. */
static trm_status check_ids(const trm__arc_tasks *list, int64_t first, const char *path,
                            trm_error *err) {
  const trm__arc_tasks added = {.n = list->n - first, .task = list->task + first};
  trm__arc_index index = {0};
  trm_status st = trm__arc_index_make(&added, &index, err);
  for (int64_t i = 1; st == TRM_OK && i < index.n; i++)
    if (!strcmp(index.task[i - 1]->id, index.task[i]->id))
      st = trm__fail(err, TRM_E_FORMAT, -1, "%s: the task %s comes twice", path, index.task[i]->id);
  trm__arc_index_free(&index);
  return st;
}

/* Each member of a large file is one task, and is read by itself. */
static trm_status load_large(const char *path, trm__arc_tasks *list, trm_error *err) {
  const int64_t first = list->n;
  TRM_TRY(trm__json_members(path, TRM__ARC_MAX_JSON, add_member, &(large_file){path, list}, err));
  return check_ids(list, first, path, err);
}

/* --- lines --- */

/* The task of a line: the id that it tells, or else FILE-LINE. */
static trm_status add_line(const char *text, size_t n, const char *path, int64_t line,
                           trm__arc_tasks *list, trm_error *err) {
  char id[TRM__ARC_MAX_ID + 100];
  trm__json *json;
  if (n > TRM__ARC_MAX_JSON)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: line %lld: more than %d bytes", path, (long long)line,
             TRM__ARC_MAX_JSON);
  TRM_TRY(trm__json_parse(text, n, path, line, &json, err));
  const char *told = trm__json_text(trm__json_get(json, "task_id"));
  if (!told) told = trm__json_text(trm__json_get(json, "id"));
  if (!told) {
    id_of_file(path, id, sizeof id);
    const size_t used = strlen(id);
    (void)snprintf(id + used, sizeof id - used, "-%lld", (long long)line);
  }
  const trm_status st = trm__arc_task_read(json, path, told ? told : id, list, err);
  trm__json_free(json);
  return st;
}

static bool is_blank(const char *text, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (text[i] != ' ' && text[i] != '\t') return false;
  return true;
}

/* A task in each line. */
static trm_status load_lines(const char *path, trm__arc_tasks *list, trm_error *err) {
  const int64_t first = list->n;
  const char *text;
  size_t n;
  trm__lines in;
  trm_status st = trm__lines_open(&in, path, err);
  while (st == TRM_OK && trm__lines_next(&in, &text, &n))
    if (!is_blank(text, n)) st = add_line(text, n, path, in.n, list, err);
  trm__lines_close(&in);
  TRM_TRY(st);
  if (list->n == first) TRM_FAIL(err, TRM_E_FORMAT, "%s: there is no task in it", path);
  return check_ids(list, first, path, err);
}

/* Packed or not, without looking at what it holds. */
static trm_status is_large(const char *path, bool *large, trm_error *err) {
  trm__map map;
  TRM_TRY(trm__map_open(path, &map, err));
  *large = map.size > TRM__ARC_MAX_JSON;
  trm__map_close(&map);
  return TRM_OK;
}

static bool has_lines(const char *path) {
  return ends_in(path, ".jsonl") || ends_in(path, ".ndjson") || ends_in(path, ".jsonl.gz") ||
         ends_in(path, ".ndjson.gz");
}

static trm_status load_file(const char *path, trm__arc_tasks *list, trm_error *err) {
  trm__json *json;
  bool large;
  if (has_lines(path)) return load_lines(path, list, err);
  TRM_TRY(is_large(path, &large, err));
  if (large && ends_in(path, ".gz"))
    TRM_FAIL(err, TRM_E_RANGE, "%s: a packed file may have %d MiB: unpack it with gunzip", path,
             TRM__ARC_MAX_JSON >> 20);
  if (large) return load_large(path, list, err);
  TRM_TRY(trm__json_load(path, TRM__ARC_MAX_JSON, &json, err));
  const trm_status st = add_tasks(json, path, list, err);
  trm__json_free(json);
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
  return *name != '.' && (ends_in(name, ".json") || ends_in(name, ".json.gz"));
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
  const int64_t first = list->n;
  trm__names names;
  trm__dir d;
  TRM_TRY(trm__dir_open(&d, dir, err));
  trm_status st = trm__dir_names(&d, &names, err);
  trm__dir_close(&d);
  for (size_t i = 0; i < names.n && st == TRM_OK; i++)
    if (is_task_file(names.v[i])) st = load_entry(dir, names.v[i], list, err);
  trm__names_free(&names);
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
  trm__kind kind;
  TRM_TRY(trm__path_look(path, &kind, err));
  return (kind == TRM__DIR ? load_folder : load_file)(path, list, err);
}
