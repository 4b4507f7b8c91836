/* The data set folder of a builder. It grows beside its place and is renamed into it, so that who
 * looks sees the old folder or the new one, and a failure leaves nothing. Where the system cannot
 * exchange two folders at once, an old one is renamed first, and for an instant there is none. */
#include "data/dataset_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/memory.h"
#include "io/json.h"

/* The copy of a path without trailing slashes, with a suffix. */
static char *path_with(const char *path, const char *suffix) {
  size_t n = strlen(path), m = strlen(suffix);
  while (n > 1 && path[n - 1] == '/') n--;
  char *copy = trm__alloc(n + m + 1, 1);
  if (!copy) return NULL;
  memcpy(copy, path, n);
  memcpy(copy + n, suffix, m);
  return copy;
}

/* The folder that holds `path`, which has no trailing slashes. */
static char *parent_of(const char *path) {
  const char *slash = strrchr(path, '/');
  if (!slash) return path_with(".", "");
  char *parent = path_with(path, "");
  if (parent) parent[slash == path ? 1 : slash - path] = 0;
  return parent;
}

static bool is_ours(const char *name) {
  static const char *const ours[] = {
      ".", "..", "train", "test", "identifiers.json", "test_puzzles.json"};
  for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
    if (!strcmp(name, ours[i])) return true;
  return false;
}

/* True when DIR/SPLIT is absent or holds a dataset.json. */
static bool is_split(const char *dir, const char *split) {
  char *path = trm__path_join(dir, split),
       *json = path ? trm__path_join(path, "dataset.json") : NULL;
  bool good = json && (!trm__path_exists(path) || trm__path_exists(json));
  trm__free(json);
  trm__free(path);
  return good;
}

/* What may be replaced: nothing, an empty folder, or what an earlier build wrote. */
static trm_status check_place(const char *dir, trm_error *err) {
  if (!trm__path_exists(dir)) return TRM_OK;
  if (!trm__path_is_dir(dir))
    TRM_FAIL(err, TRM_E_IO, "%s exists and is no folder: choose another output folder", dir);
  DIR *handle = opendir(dir);
  if (!handle) TRM_FAIL(err, TRM_E_IO, "%s: %s", dir, strerror(errno));
  trm_status st = TRM_OK;
  for (struct dirent *e; st == TRM_OK && (e = readdir(handle));)
    if (!is_ours(e->d_name))
      st = trm__fail(err, TRM_E_IO, -1,
                     "%s holds '%s', which no data set does: it is not replaced; choose another "
                     "output folder",
                     dir, e->d_name);
  (void)closedir(handle);
  if (st == TRM_OK && (!is_split(dir, "train") || !is_split(dir, "test")))
    st = trm__fail(
        err, TRM_E_IO, -1,
        "%s is no data set (train or test in it has no dataset.json): it is not replaced; "
        "choose another output folder",
        dir);
  return st;
}

/* The folder itself where `dir` is a link to one: the link stays. */
static trm_status find_place(const char *dir, char **place, trm_error *err) {
  char real[PATH_MAX];
  *place = path_with(dir, "");
  if (!*place) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");
  const char *slash = strrchr(*place, '/'), *name = slash ? slash + 1 : *place;
  if (!strcmp(name, ".") || !strcmp(name, ".."))
    TRM_FAIL(err, TRM_E_IO, "%s: a data set takes the place of its folder: name that instead", dir);
  struct stat info;
  if (lstat(*place, &info) || !S_ISLNK(info.st_mode)) return TRM_OK;
  if (!realpath(*place, real))
    TRM_FAIL(err, TRM_E_IO, "%s is a link that leads nowhere: %s", dir, strerror(errno));
  trm__free(*place);
  *place = path_with(real, "");
  if (!*place) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");
  return TRM_OK;
}

trm_status trm__folder_begin(trm__folder *f, const char *dir, trm_error *err) {
  if (!dir || !*dir) TRM_FAIL(err, TRM_E_ARGUMENT, "no output folder was named");
  char suffix[64];
  snprintf(suffix, sizeof suffix, ".partial-%ld", (long)getpid());
  TRM_TRY(find_place(dir, &f->dir, err));
  dir = f->dir;
  TRM_TRY(check_place(f->dir, err));
  snprintf(suffix, sizeof suffix, ".replaced-%ld", (long)getpid());
  f->replaced = path_with(dir, suffix);
  snprintf(suffix, sizeof suffix, ".partial-%ld", (long)getpid());
  f->temporary = path_with(dir, suffix);
  f->parent = parent_of(f->dir);
  if (!f->replaced || !f->temporary || !f->parent)
    TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");
  TRM_TRY(trm__remove_tree(f->temporary, err));
  return trm__make_dirs(f->temporary, err);
}

trm_status trm__folder_write_blank(const trm__folder *f, trm_error *err) {
  char *path = trm__path_join(f->temporary, "identifiers.json");
  json_t *names = json_pack("[s]", "<blank>");
  trm_status st = path && names
                      ? trm__json_save(path, names, err)
                      : trm__fail(err, TRM_E_MEMORY, -1, "no memory for identifiers.json");
  json_decref(names);
  trm__free(path);
  return st;
}

/* Two folders take each other's names in one step; false where kernel or file system cannot. */
static bool exchange(const char *a, const char *b) {
#if defined(SYS_renameat2) && defined(RENAME_EXCHANGE)
  return syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) == 0;
#else
  (void)a;
  (void)b;
  return false;
#endif
}

/* The new folder takes the place of an old one, which is then f->temporary. */
static trm_status replace(trm__folder *f, trm_error *err) {
  if (exchange(f->temporary, f->dir)) return TRM_OK;
  TRM_TRY(trm__remove_tree(f->replaced, err));
  if (rename(f->dir, f->replaced))
    TRM_FAIL(err, TRM_E_IO, "%s cannot be replaced: %s", f->dir, strerror(errno));
  if (rename(f->temporary, f->dir)) {
    int cause = errno;
    (void)rename(f->replaced, f->dir);
    TRM_FAIL(err, TRM_E_IO, "%s cannot be put in place: %s", f->dir, strerror(cause));
  }
  char *new_name = f->temporary; /* there is nothing of that name now */
  f->temporary = f->replaced;
  f->replaced = new_name;
  return TRM_OK;
}

trm_status trm__folder_commit(trm__folder *f, trm_error *err) {
  TRM_TRY(trm__sync_dir(f->temporary, err));
  TRM_TRY(check_place(f->dir, err));
  if (trm__path_exists(f->dir))
    TRM_TRY(replace(f, err));
  else if (rename(f->temporary, f->dir))
    TRM_FAIL(err, TRM_E_IO, "%s cannot be put in place: %s", f->dir, strerror(errno));
  TRM_TRY(trm__sync_dir(f->parent, err));
  return trm__remove_tree(f->temporary, err); /* the old folder, or nothing */
}

void trm__folder_abort(trm__folder *f) {
  if (f->temporary) (void)trm__remove_tree(f->temporary, NULL);
  trm__free(f->dir);
  trm__free(f->temporary);
  trm__free(f->replaced);
  trm__free(f->parent);
  memset(f, 0, sizeof *f);
}
