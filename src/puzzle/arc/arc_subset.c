/* Which files and folders are a subset; see arc_task.h. */
#include <string.h>

#include "base/memory.h"
#include "puzzle/arc/arc_task.h"

/* What stands before and behind the subset in the names of its files: Kaggle's first. */
static const char marks[][2] = {{'_', '_'}, {'_', '-'}, {'-', '-'}, {'-', '_'}};
enum { NAMES = sizeof marks / sizeof *marks };

/* A file of that name, or with .gz where only that is there. */
static trm_status look(char *path, int n, bool *there, trm_error *err) {
  trm__kind kind;
  TRM_TRY(trm__path_look(path, &kind, err));
  if (kind == TRM__ABSENT) {
    memcpy(path + n, ".gz", 4);
    TRM_TRY(trm__path_look(path, &kind, err));
  }
  *there = kind != TRM__ABSENT;
  if (!*there) path[n] = 0;
  return TRM_OK;
}

/* The file of a subset, in a fresh block; with the marks number `name` before others. Where none is
 * there, the path is the one that it should have. */
static trm_status kaggle_path(const char *prefix, const char *subset, const char *what, int *name,
                              char **path, bool *there, trm_error *err) {
  const size_t size = strlen(prefix) + strlen(subset) + strlen(what) + 16;
  const int first = *name;
  *there = false;
  *path = trm__alloc(size, 1);
  if (!*path) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");
  for (int i = 0; i <= NAMES && !*there; i++) {
    *name = i < NAMES ? (first + i) % NAMES : first;
    const int n = snprintf(*path, size, "%s%c%s%c%s.json", prefix, marks[*name][0], subset,
                           marks[*name][1], what);
    TRM_TRY(look(*path, n, there, err));
  }
  return TRM_OK;
}

static trm_status load_named(const char *prefix, const char *subset, const char *challenges,
                             const char *folder, trm__arc_tasks *list, trm_error *err) {
  const char *const paths[] = {folder, subset};
  for (int i = 0; i < 2; i++) {
    trm__kind kind;
    TRM_TRY(trm__path_look(paths[i], &kind, err));
    if (kind != TRM__ABSENT) return trm__arc_tasks_load(paths[i], list, err);
  }
  TRM_FAIL(err, TRM_E_IO,
           "subset '%s': neither the file %s nor the folder %s is there; want as input file prefix "
           "what stands before _%s_challenges.json, as in PATH/arc-agi, or the folder that holds "
           "%s/",
           subset, challenges, *prefix ? folder : subset, subset, subset);
}

trm_status trm__arc_tasks_load_subset(const char *prefix, const char *subset, trm__arc_tasks *list,
                                      trm_error *err) {
  char *challenges = NULL, *solutions = NULL, *folder = trm__path_join(prefix, subset);
  bool has_challenges, has_solutions;
  int name = 0;
  trm__arc_tasks found = {.lenient = list->lenient};
  trm_status st = folder ? TRM_OK : trm__fail(err, TRM_E_MEMORY, -1, "no memory for a path");

  /* Kaggle's pair of files, PREFIX_SUBSET_challenges.json and _solutions.json, or one folder or
   * file of tasks. */
  if (st == TRM_OK)
    st = kaggle_path(prefix, subset, "challenges", &name, &challenges, &has_challenges, err);
  if (st == TRM_OK)
    st = kaggle_path(prefix, subset, "solutions", &name, &solutions, &has_solutions, err);
  if (st == TRM_OK)
    st = has_challenges ? trm__arc_tasks_load(challenges, &found, err)
                        : load_named(prefix, subset, challenges, folder, &found, err);
  if (st == TRM_OK && has_challenges && has_solutions)
    st = trm__arc_tasks_solve(solutions, &found, err);

  /* What was invalid is told after a failure, too. */
  trm__free(challenges);
  trm__free(solutions);
  trm__free(folder);
  list->invalid = found.invalid;
  if (st == TRM_OK)
    *list = found;
  else
    trm__arc_tasks_free(&found);
  return st;
}
