/* Tasks in memory and data sets of them: the public face of arc_task.h and arc_draw.h. */
#include <string.h>

#include "base/memory.h"
#include "data/arc/arc_draw.h"
#include "data/arc_compact.h"
#include "data/identity.h"
#include "trm/arc.h"

/* --- tasks --- */

/* `invalid` NULL: none is taken. */
static trm_status load(const char *path, trm_arc_tasks **out, trm_arc_invalid *invalid,
                       trm_error *err) {
  *out = NULL;
  trm_arc_tasks *list;
  TRM_ALLOC(&list, 1, "a list of tasks", err);
  list->lenient = invalid != NULL;
  const trm_status st = trm__arc_tasks_load(path, list, err);
  if (invalid) *invalid = list->invalid;
  if (st == TRM_OK)
    *out = list;
  else
    trm_arc_tasks_free(list);
  return st;
}

trm_status trm_arc_tasks_load(const char *path, trm_arc_tasks **out, trm_error *err) {
  return load(path, out, NULL, err);
}

trm_status trm_arc_tasks_load_all(const char *path, trm_arc_tasks **out, trm_arc_invalid *invalid,
                                  trm_error *err) {
  return load(path, out, invalid, err);
}

static trm_status copy_task(trm__arc_tasks *list, const trm__arc_task *from, trm_error *err) {
  trm__arc_task *task;
  const int n = from->n_train + from->n_test;
  TRM_TRY(trm__arc_tasks_add(list, &task, err));
  memset(task, 0, sizeof *task);
  TRM_ALLOC(&task->train, n, "the pairs of a task", err);
  memcpy(task->train, from->train, (size_t)n * sizeof *task->train);
  memcpy(task->id, from->id, sizeof task->id);
  task->test_first = from->test_first;
  task->n_train = from->n_train;
  task->n_test = from->n_test;
  task->test = task->train + task->n_train;
  list->pairs += n;
  return TRM_OK;
}

trm_status trm_arc_tasks_possible(const trm_arc_tasks *tasks, int canvas, trm_arc_tasks **out,
                                  trm_error *err) {
  *out = NULL;
  trm_arc_tasks *list;
  trm_status st = TRM_OK;
  TRM_ALLOC(&list, 1, "a list of tasks", err);
  for (int64_t i = 0; i < tasks->n && st == TRM_OK; i++) {
    const trm__arc_task *task = &tasks->task[i];
    if (!task->invalid && task->n_test && trm__arc_task_fits(task, canvas ? canvas : TRM__ARC_SIDE))
      st = copy_task(list, task, err);
  }
  if (st == TRM_OK)
    *out = list;
  else
    trm_arc_tasks_free(list);
  return st;
}

void trm_arc_tasks_free(trm_arc_tasks *tasks) {
  if (!tasks) return;
  trm__arc_tasks_free(tasks);
  trm__free(tasks);
}

int64_t trm_arc_tasks_count(const trm_arc_tasks *tasks) {
  return tasks->n;
}
const char *trm_arc_tasks_id(const trm_arc_tasks *tasks, int64_t i) {
  return tasks->task[i].id;
}
int trm_arc_tasks_train_pairs(const trm_arc_tasks *tasks, int64_t i) {
  return tasks->task[i].n_train;
}
int trm_arc_tasks_test_pairs(const trm_arc_tasks *tasks, int64_t i) {
  return tasks->task[i].n_test;
}
bool trm_arc_tasks_test_solved(const trm_arc_tasks *tasks, int64_t i, int k) {
  return tasks->task[i].test[k].has_output;
}

/* --- data sets --- */

/* What a trm_arc_data is inside; `shown` comes first, so that a pointer to it is one to this. */
typedef struct arc_data {
  trm_arc_data shown;
  const char **name;                /* [n_names] */
  char (*text)[TRM__ARC_NAME_ROOM]; /* [n_names] */
} arc_data;

static trm_status name_ids(arc_data *data, const trm__arc_drawn *drawn, trm__identity *identity,
                           trm_error *err) {
  const int n = drawn->n_names + 1;
  TRM_ALLOC(&data->name, n, "the names of copies", err);
  TRM_ALLOC(&data->text, n, "the names of copies", err);
  memcpy(data->text[0], "<blank>", sizeof "<blank>");
  for (int id = 0; id < n; id++) {
    if (id) trm__arc_drawn_name(drawn, id, data->text[id]);
    data->name[id] = data->text[id];
    trm__identity_add(identity, data->name[id], strlen(data->name[id]));
  }
  data->shown.names = data->name;
  data->shown.n_names = n;
  return TRM_OK;
}

static trm_status fill_data(arc_data *data, const trm__arc_plan *plan, trm_error *err) {
  trm__arc_drawn drawn = {0};
  TRM_TRY(trm__arc_draw(plan, &drawn, err));
  const int ids = drawn.n_names + 1;
  trm__identity identity = {0};
  trm__arc_split *test = &drawn.split[TRM__ARC_TEST];
  trm_status st = name_ids(data, &drawn, &identity, err);
  if (st == TRM_OK)
    st = trm__arc_compact_dataset(&drawn.split[TRM__ARC_TRAIN], ids, &data->shown.train, err);
  if (st == TRM_OK && test->groups)
    st = trm__arc_compact_dataset(test, ids, &data->shown.test, err);
  trm__arc_drawn_free(&drawn);
  const uint64_t number = trm__identity_number(&identity);
  if (data->shown.train) data->shown.train->info.identifiers = number;
  if (data->shown.test) data->shown.test->info.identifiers = number;
  return st;
}

static trm_status check_canvas(const trm_arc_tasks *tasks, int side, trm_error *err) {
  if (side < 1 || side > TRM__ARC_SIDE)
    TRM_FAIL(err, TRM_E_ARGUMENT, "canvas %d: want 1 to 30, or 0 for 30", side);
  for (int64_t i = 0; i < tasks->n; i++)
    if (!trm__arc_task_fits(&tasks->task[i], side))
      TRM_FAIL(err, TRM_E_SHAPE, "task %s has a grid larger than the canvas of %d x %d cells",
               tasks->task[i].id, side, side);
  return TRM_OK;
}

trm_status trm_arc_data_create(const trm_arc_tasks *tasks, int num_aug, int canvas, uint64_t seed,
                               trm_arc_data **out, trm_error *err) {
  *out = NULL;
  if (!canvas) canvas = TRM__ARC_SIDE;
  TRM_TRY(check_canvas(tasks, canvas, err));
  if (seed > UINT32_MAX)
    TRM_FAIL(err, TRM_E_ARGUMENT, "seed %llu: want 0 to 4294967295", (unsigned long long)seed);

  /* One subset, which is tested where a task has test pairs. */
  trm__arc_plan plan = {.subset = tasks,
                        .n_subsets = 1,
                        .test_subset = -1,
                        .num_aug = num_aug,
                        .canvas = canvas,
                        .seed = (uint32_t)seed};
  for (int64_t i = 0; i < tasks->n; i++)
    if (tasks->task[i].n_test) plan.test_subset = 0;

  /* The data set that is shown is part of what is made. */
  arc_data *data;
  TRM_ALLOC(&data, 1, "a data set of tasks", err);
  const trm_status st = fill_data(data, &plan, err);
  if (st == TRM_OK)
    *out = &data->shown;
  else
    trm_arc_data_free(&data->shown);
  return st;
}

void trm_arc_data_free(trm_arc_data *shown) {
  if (!shown) return;
  arc_data *data = (arc_data *)shown;
  trm_dataset_free(data->shown.train);
  trm_dataset_free(data->shown.test);
  trm__free(data->name);
  trm__free(data->text);
  trm__free(data);
}
