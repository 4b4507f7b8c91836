/* Tasks of ARC as JSON, packed or not, or as lines, and solutions to them, as two parts of the
 * input. What is accepted gives data sets with copies; what is no task is counted, and stays small.
 */
#include <string.h>

#include "fuzz.h"
#include "puzzle/arc/arc_task.h"
#include "trm/arc.h"

enum { FEW = 4 };

static void check_grid(const trm__arc_grid *g) {
  FUZZ_CHECK(g->rows >= 1 && g->rows <= TRM__ARC_SIDE && g->cols >= 1 && g->cols <= TRM__ARC_SIDE);
  for (int i = 0; i < g->rows * g->cols; i++) FUZZ_CHECK(g->cell[i] < TRM__ARC_COLOURS);
}

/* Each is found under its id. */
static void check_index(const trm__arc_tasks *list) {
  trm__arc_index index = {0};
  trm_error err;
  if (fuzz_accepted(trm__arc_index_make(list, &index, &err), &err))
    for (int64_t i = 0; i < list->n; i++)
      FUZZ_CHECK(trm__arc_index_find(&index, list->task[i].id) == &list->task[i]);
  trm__arc_index_free(&index);
}

/* The number of pairs. */
static int check_tasks(const trm__arc_tasks *list) {
  int pairs = 0;
  check_index(list);
  for (int64_t i = 0; i < list->n; i++) {
    const trm__arc_task *t = &list->task[i];
    FUZZ_CHECK(t->id[0] && strlen(t->id) <= TRM__ARC_MAX_ID && t->n_test >= 0);
    FUZZ_CHECK(t->invalid ? list->lenient && t->n_train == 0 : t->n_train >= 1);
    for (int k = 0; k < t->n_train + t->n_test; k++, pairs++) {
      const trm__arc_pair *p = k < t->n_train ? &t->train[k] : &t->test[k - t->n_train];
      check_grid(&p->input);
      check_grid(&p->output);
    }
  }
  return pairs;
}

static void make_data(const trm__arc_tasks *list) {
  trm_arc_data *data;
  trm_error err;
  const int canvas = list->n % 2 ? 5 : 0;
  if (!fuzz_accepted(trm_arc_data_create(list, 2, canvas, 1, &data, &err), &err)) return;
  FUZZ_CHECK(trm_dataset_get_info(data->train)->seq_len == (canvas ? 25 : TRM__ARC_CELLS));
  FUZZ_CHECK(data->train && data->n_names >= 1 + list->n && data->names[0]);
  trm_arc_data_free(data);
}

/* All that a file has, and of it what can be answered on a small canvas. */
static void read_all(const char *path) {
  trm_arc_tasks *all, *some;
  trm_arc_invalid invalid;
  trm_error err;
  if (!fuzz_accepted(trm_arc_tasks_load_all(path, &all, &invalid, &err), &err)) return;
  (void)check_tasks(all);
  FUZZ_CHECK(invalid.tasks <= all->n && !invalid.tasks == !invalid.ids[0]);
  FUZZ_MUST(trm_arc_tasks_possible(all, 2, &some, &fuzz_error));
  FUZZ_CHECK(some->n <= all->n - invalid.tasks);
  for (int64_t i = 0; i < some->n; i++)
    FUZZ_CHECK(some->task[i].n_test > 0 && trm__arc_task_fits(&some->task[i], 2));
  trm_arc_tasks_free(some);
  trm_arc_tasks_free(all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static bool linked;
  fuzz_bytes parts[2];
  trm__arc_tasks list = {0};
  trm_error err;
  fuzz_split(data, size, parts, 2);
  (void)fuzz_file(0, parts[0].data, parts[0].size);
  if (!linked) fuzz_link("task.json", 0);
  if (!linked) fuzz_link("task.jsonl", 0);
  linked = true;
  read_all(fuzz_path("task.json"));
  read_all(fuzz_path("task.jsonl"));
  if (fuzz_accepted(trm__arc_tasks_load(fuzz_path("task.json"), &list, &err), &err)) {
    if (check_tasks(&list) <= FEW) make_data(&list);
    const char *path = fuzz_file(1, parts[1].data, parts[1].size);
    if (fuzz_accepted(trm__arc_tasks_solve(path, &list, &err), &err)) (void)check_tasks(&list);
  }
  trm__arc_tasks_free(&list);
  return 0;
}
