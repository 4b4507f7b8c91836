/* See arc_tests.h. identifiers.json may have a million names: they are taken one by one and kept as
 * a few bytes each. */
#include "eval/arc_tests.h"

#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/text.h"
#include "io/json.h"

enum { MAX_TESTS = 1 << 24, FIRST_NAMES = 1024 };

static const char blank_name[] = "<blank>";

/* --- test_puzzles.json --- */

static trm_status add_task(const trm__arc_task *from, trm__arc_tests *t, trm__arc_grids *grids,
                           trm_error *err) {
  trm__arc_tested *task = &t->task[t->n_tasks++];
  memcpy(task->id, from->id, sizeof task->id);
  task->first = t->n_tests;
  for (; task->n < from->n_test; task->n++, t->n_tests++) {
    trm__arc_test *test = &t->test[t->n_tests];
    TRM_TRY(trm__arc_grids_add(grids, &from->test[task->n].input, &test->input, err));
    TRM_TRY(trm__arc_grids_add(grids, &from->test[task->n].output, &test->output, err));
    test->known = from->test[task->n].has_output;
    test->slot = task->first;
    while (t->test[test->slot].input != test->input) test->slot++;
  }
  return TRM_OK;
}

static trm_status add_tasks(const char *path, const trm__arc_tasks *list, trm__arc_tests *t,
                            trm__arc_grids *grids, trm_error *err) {
  int64_t n = 0;
  for (int64_t i = 0; i < list->n; i++) {
    n += list->task[i].n_test;
    if (list->task[i].n_test == 0 || n > MAX_TESTS)
      TRM_FAIL(err, TRM_E_FORMAT, "%s: task %s: want 1 or more test pairs, %d in all tasks at most",
               path, list->task[i].id, MAX_TESTS);
  }
  TRM_ALLOC(&t->task, list->n, "the test tasks", err);
  TRM_ALLOC(&t->test, n, "the test inputs", err);
  for (int64_t i = 0; i < list->n; i++) TRM_TRY(add_task(&list->task[i], t, grids, err));
  return TRM_OK;
}

/* A data set has the grid [[0]] for an output that nobody told. Few tasks have it for their right
 * output: where no other is to be seen, the outputs are hidden. */
static void find_hidden(const trm__arc_tasks *list, trm__arc_tests *t) {
  for (int64_t i = 0; i < list->n; i++)
    for (int k = 0; k < list->task[i].n_test; k++) {
      const trm__arc_grid *g = &list->task[i].test[k].output;
      if (g->rows != 1 || g->cols != 1 || g->cell[0] != 0) return;
    }
  for (int32_t i = 0; i < t->n_tests; i++) t->test[i].known = false;
}

/* --- identifiers.json --- */

/* A place in the text of a file, and the names read so far. */
typedef struct reading {
  const char *path, *text;
  size_t at, size;
  const trm__arc_tasks *tasks;
  trm__arc_index index; /* of the tasks: there may be a thousand names for each */
  trm__arc_tests *t;
  int32_t room;
} reading;

/* The number of a task; TRM__ARC_UNTESTED when it is not tested. */
static int32_t find_task(const reading *r, const char *text, size_t length) {
  char id[TRM__ARC_MAX_ID + 1];
  if (length > TRM__ARC_MAX_ID) return TRM__ARC_UNTESTED;
  memcpy(id, text, length);
  id[length] = 0;
  const trm__arc_task *task = trm__arc_index_find(&r->index, id);
  return task ? (int32_t)(task - r->tasks->task) : TRM__ARC_UNTESTED;
}

static trm_status make_room(reading *r, trm_error *err) {
  trm__arc_name *name;
  if (r->t->n_names < r->room) return TRM_OK;
  if (r->room > INT32_MAX / 2)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: more than 2^30 puzzle ids", r->path);
  int32_t room = r->room ? 2 * r->room : FIRST_NAMES;
  TRM_ALLOC(&name, room, "the names of puzzle ids", err);
  if (r->t->n_names) memcpy(name, r->t->name, (size_t)r->t->n_names * sizeof *name);
  trm__free(r->t->name);
  r->t->name = name;
  r->room = room;
  return TRM_OK;
}

static trm_status add_name(reading *r, const char *text, trm_error *err) {
  size_t length;
  TRM_TRY(make_room(r, err));
  trm__arc_name *name = &r->t->name[r->t->n_names];
  if (!trm__arc_copy_parse(text, &length, &name->copy))
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: id %d: '%.80s' is neither TASK nor TASK|||tN|||COLOURS with N from 0 to 7 and a "
             "permutation of the colours",
             r->path, r->t->n_names, text);
  name->task = strcmp(text, blank_name) ? find_task(r, text, length) : TRM__ARC_BLANK;
  r->t->n_names++;
  trm__identity_add(&r->t->identity, text, strlen(text));
  return TRM_OK;
}

static char next_mark(reading *r) {
  while (r->at < r->size && r->text[r->at] && strchr(" \t\r\n", r->text[r->at])) r->at++;
  return (char)(r->at < r->size ? r->text[r->at] : 0);
}

/* One of `marks` must follow; it is passed, but not the quote that begins a name. */
static trm_status expect(reading *r, const char *marks, char *found, trm_error *err) {
  *found = next_mark(r);
  if (!*found || !strchr(marks, *found))
    TRM_FAIL_AT(err, TRM_E_FORMAT, r->at,
                "%s: byte %zu: want one of %s, for an array of names [\"<blank>\", ...]", r->path,
                r->at, marks);
  r->at += *found != '"';
  return TRM_OK;
}

static trm_status read_name(reading *r, trm_error *err) {
  trm__json_fault fault;
  trm__json *name;
  size_t used;
  trm_status st = trm__json_decode(r->text + r->at, r->size - r->at, &used, &name, &fault);
  if (st == TRM_E_MEMORY) TRM_FAIL(err, st, "%s: no memory for a name", r->path);
  if (st != TRM_OK)
    TRM_FAIL_AT(err, TRM_E_FORMAT, r->at, "%s: the name at byte %zu: %s", r->path, r->at,
                fault.what);
  r->at += used;
  st = add_name(r, trm__json_text(name), err);
  trm__json_free(name);
  return st;
}

static trm_status read_names(reading *r, trm_error *err) {
  char mark;
  TRM_TRY(expect(r, "[", &mark, err));
  do {
    TRM_TRY(expect(r, "\"", &mark, err));
    TRM_TRY(read_name(r, err));
    TRM_TRY(expect(r, ",]", &mark, err));
  } while (mark == ',');
  if (next_mark(r) || r->at < r->size)
    TRM_FAIL_AT(err, TRM_E_FORMAT, r->at, "%s: byte %zu: text after the array", r->path, r->at);
  return TRM_OK;
}

/* --- both --- */

static uint64_t mix_grid(uint64_t hash, const trm__arc_grid *g) {
  const uint8_t shape[2] = {g->rows, g->cols};
  return trm__hash_bytes(trm__hash_bytes(hash, shape, sizeof shape), g->cell,
                         (size_t)g->rows * g->cols);
}

static uint64_t mix_tasks(uint64_t hash, const trm__arc_tasks *tasks) {
  for (int64_t i = 0; i < tasks->n; i++) {
    const trm__arc_task *task = &tasks->task[i];
    hash = trm__hash_bytes(hash, task->id, strlen(task->id) + 1);
    hash = trm__hash_bytes(hash, &task->n_test, sizeof task->n_test);
    for (int k = 0; k < task->n_test; k++)
      hash = mix_grid(mix_grid(hash, &task->test[k].input), &task->test[k].output);
  }
  return hash;
}

static trm_status load_both(const char *tasks_path, const char *names_path, trm__arc_tests *t,
                            trm__arc_grids *grids, trm_error *err) {
  trm__map tasks_file = {0}, names_file = {0};
  trm__arc_tasks tasks = {0};
  trm_status st;
  TRM_GOTO(trm__arc_tasks_load(tasks_path, &tasks, err));
  TRM_GOTO(add_tasks(tasks_path, &tasks, t, grids, err));
  find_hidden(&tasks, t);

  /* Which copy of which task each puzzle id is: by its name. */
  TRM_GOTO(trm__map_open(tasks_path, &tasks_file, err));
  TRM_GOTO(trm__map_open(names_path, &names_file, err));
  reading r = {.path = names_path,
               .text = (const char *)names_file.data,
               .size = names_file.size,
               .tasks = &tasks,
               .t = t};
  r.at = names_file.size ? trm__text_mark(r.text, r.size) : 0;
  st = trm__arc_index_make(&tasks, &r.index, err);
  if (st == TRM_OK) st = read_names(&r, err);
  trm__arc_index_free(&r.index);
  if (st != TRM_OK) goto done;

  /* Votes belong to these two files. */
  t->fingerprint = trm__hash_bytes(TRM__HASH_START, tasks_file.data, tasks_file.size);
  t->fingerprint = trm__hash_bytes(t->fingerprint, names_file.data, names_file.size);
done:
  trm__map_close(&tasks_file);
  trm__map_close(&names_file);
  trm__arc_tasks_free(&tasks);
  return st;
}

trm_status trm__arc_tests_load(const char *dir, trm__arc_tests *t, trm__arc_grids *grids,
                               trm_error *err) {
  char *tasks = trm__path_join(dir, "test_puzzles.json");
  char *names = trm__path_join(dir, "identifiers.json");
  trm_status st = tasks && names ? load_both(tasks, names, t, grids, err)
                                 : trm__fail(err, TRM_E_MEMORY, -1, "no memory for a file name");
  trm__free(tasks);
  trm__free(names);
  return st;
}

trm_status trm__arc_tests_of(const trm__arc_tasks *tasks, const char *const *names, int n,
                             trm__arc_tests *t, trm__arc_grids *grids, trm_error *err) {
  reading r = {.path = "names", .tasks = tasks, .t = t};
  TRM_TRY(add_tasks("tasks", tasks, t, grids, err));
  TRM_TRY(trm__arc_index_make(tasks, &r.index, err));
  t->fingerprint = mix_tasks(TRM__HASH_START, tasks);
  trm_status st = TRM_OK;
  for (int id = 0; st == TRM_OK && id < n; id++) {
    st = add_name(&r, names[id], err);
    t->fingerprint = trm__hash_bytes(t->fingerprint, names[id], strlen(names[id]) + 1);
  }
  trm__arc_index_free(&r.index);
  return st;
}

void trm__arc_tests_free(trm__arc_tests *t) {
  trm__free(t->task);
  trm__free(t->test);
  trm__free(t->name);
  *t = (trm__arc_tests){0};
}
