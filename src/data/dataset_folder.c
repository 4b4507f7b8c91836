/* See dataset_folder.h. */
#include "data/dataset_folder.h"

#include <string.h>

#include "base/memory.h"
#include "io/json.h"

static bool ends_in(const char *name, const char *suffix) {
  const size_t n = strlen(name), m = strlen(suffix);
  return n > m && !strcmp(name + n - m, suffix);
}

/* What a split holds is arrays, and the JSON that describes them. */
static trm_status check_names(const trm__dir *d, trm_error *err) {
  trm__names names;
  trm__kind kind;
  TRM_TRY(trm__dir_look(d, "dataset.json", &kind, err));
  if (kind == TRM__ABSENT)
    TRM_FAIL(err, TRM_E_IO,
             "%s has no dataset.json, so this is no data set: it is not replaced; choose "
             "another output folder",
             d->path);
  TRM_TRY(trm__dir_names(d, &names, err));
  trm_status st = TRM_OK;
  for (size_t i = 0; i < names.n && st == TRM_OK; i++)
    if (!ends_in(names.v[i], ".npy") && !ends_in(names.v[i], ".json") &&
        !ends_in(names.v[i], TRM__PARTIAL))
      st = trm__fail(err, TRM_E_IO, -1,
                     "%s holds '%s', which no data set does: it is not replaced; choose another "
                     "output folder",
                     d->path, names.v[i]);
  trm__names_free(&names);
  return st;
}

/* A split is absent or looks like one. */
static trm_status check_split(const char *dir, const char *split, trm_error *err) {
  trm__dir d;
  char *path = trm__path_join(dir, split);
  if (!path) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");
  trm__kind kind;
  trm_status st = trm__path_look(path, &kind, err);
  if (kind != TRM__ABSENT) {
    st = trm__dir_open(&d, path, err);
    if (st == TRM_OK) st = check_names(&d, err);
    trm__dir_close(&d);
  }
  trm__free(path);
  return st;
}

static trm_status check_splits(const char *dir, trm_error *err) {
  TRM_TRY(check_split(dir, "train", err));
  return check_split(dir, "test", err);
}

trm_status trm__dataset_folder_begin(trm__folder *f, const char *dir, trm_error *err) {
  static const char *const names[] = {"train", "test", "identifiers.json", "test_puzzles.json",
                                      NULL};
  static const trm__folder_kind kind = {"data set", names, false, check_splits};
  return trm__folder_begin(f, dir, &kind, err);
}

trm_status trm__dataset_folder_write_blank(const trm__folder *f, trm_error *err) {
  char *path = trm__path_join(f->path, "identifiers.json");
  trm__json_out names = trm__json_begin(TRM__JSON_INDENTED);
  if (!path) TRM_FAIL(err, TRM_E_MEMORY, "no memory for identifiers.json");
  trm__json_open(&names, NULL, '[');
  trm__json_put_text(&names, NULL, "<blank>");
  trm__json_close(&names);
  const trm_status st = trm__json_save(path, &names, err);
  trm__free(path);
  return st;
}
