/* See splits.h. */
#include "data/splits.h"

#include <stdio.h>
#include <string.h>

#include "base/folder.h"
#include "base/memory.h"

static trm_status holds_split(const char *dir, const char *split, bool *holds, trm_error *err) {
  trm__kind kind = TRM__ABSENT;
  char *folder = trm__path_join(dir, split);
  char *path = folder ? trm__path_join(folder, "dataset.json") : NULL;
  trm_status st = path ? trm__path_look(path, &kind, err)
                       : trm__fail(err, TRM_E_MEMORY, -1, "no memory for a path");
  *holds = kind != TRM__ABSENT;
  trm__free(path);
  trm__free(folder);
  return st;
}

/* What a folder is by a name in it; NULL: nothing that is known. */
static const char *meaning_of(const char *name) {
  if (!strcmp(name, "model.safetensors")) return ", but a model";
  if (!strcmp(name, "log.jsonl")) return ", but a run";
  return NULL;
}

static trm_status fail_no_set(const char *dir, const char *what, trm_error *err) {
  TRM_FAIL(err, TRM_E_IO,
           "%s is no data set folder%s: want train/dataset.json or test/dataset.json in it", dir,
           what);
}

/* What the names in `dir` say. */
static trm_status explain(const char *dir, const char *split, const trm__names *names,
                          trm_error *err) {
  enum { MANY = 200 /* bytes of names */ };
  char there[2 * MANY] = "";
  const char *what = "";
  size_t used = 0;
  for (size_t i = 0; i < names->n; i++) {
    bool holds;
    if (!strcmp(names->v[i], "dataset.json"))
      TRM_FAIL(err, TRM_E_IO, "%s is one split of a data set: name the folder that holds it", dir);
    if (meaning_of(names->v[i])) what = meaning_of(names->v[i]);
    TRM_TRY(holds_split(dir, names->v[i], &holds, err));
    if (holds && used < MANY)
      used += (size_t)snprintf(there + used, sizeof there - used, "%s%.100s", used ? ", " : "",
                               names->v[i]);
  }
  if (!used || !split) return fail_no_set(dir, what, err);
  TRM_FAIL(err, TRM_E_IO, "%s has no split '%s'; it has: %s", dir, split, there);
}

trm_status trm__split_missing(const char *dir, const char *split, trm_error *err) {
  trm__kind kind;
  trm__names names;
  trm__dir d;
  TRM_TRY(trm__path_look(dir, &kind, err));
  if (kind == TRM__ABSENT)
    TRM_FAIL(err, TRM_E_IO, "%s does not exist: want a data set folder", dir);
  if (kind != TRM__DIR) return fail_no_set(dir, ", but a file", err);
  TRM_TRY(trm__dir_open(&d, dir, err));
  trm_status st = trm__dir_names(&d, &names, err);
  trm__dir_close(&d);
  TRM_TRY(st);
  st = explain(dir, split, &names, err);
  trm__names_free(&names);
  return st;
}

trm_status trm__find_splits(const char *dir, bool *train, bool *test, trm_error *err) {
  TRM_TRY(holds_split(dir, "train", train, err));
  TRM_TRY(holds_split(dir, "test", test, err));
  return *train || *test ? TRM_OK : trm__split_missing(dir, NULL, err);
}
