/* Paths and open folders; see folder.h. */
#include "base/folder.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* --- paths --- */

static trm_status code_of(int cause) {
  return trm__os_reason(cause) == TRM__OS_NO_MEMORY ? TRM_E_MEMORY : TRM_E_IO;
}

static trm_status format_path(char *out, const char *fmt, va_list args, trm_error *err) {
  const int n = vsnprintf(out, TRM__PATH_MAX, fmt, args);
  if (n < 0 || n >= TRM__PATH_MAX)
    TRM_FAIL(err, TRM_E_ARGUMENT, "a path is longer than %d bytes: %.80s...", TRM__PATH_MAX - 1,
             out);
  return TRM_OK;
}

trm_status trm__path_format(char *out, trm_error *err, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  const trm_status st = format_path(out, fmt, args, err);
  va_end(args);
  return st;
}

trm_status trm__path_look_at(trm__kind *kind, trm_error *err, const char *fmt, ...) {
  char path[TRM__PATH_MAX];
  va_list args;
  *kind = TRM__ABSENT;
  va_start(args, fmt);
  const trm_status st = format_path(path, fmt, args, err);
  va_end(args);
  return st == TRM_OK ? trm__path_look(path, kind, err) : st;
}

trm_status trm__path_look(const char *path, trm__kind *kind, trm_error *err) {
  const int cause = trm__os_look(NULL, path, kind);
  if (cause) TRM_FAIL(err, code_of(cause), "%s: cannot be examined: %s", path, trm__os_text(cause));
  return TRM_OK;
}

bool trm__path_exists(const char *path) {
  trm__kind kind;
  return trm__path_look(path, &kind, NULL) != TRM_OK || kind != TRM__ABSENT;
}

bool trm__path_is_dir(const char *path) {
  trm__kind kind;
  return trm__path_look(path, &kind, NULL) == TRM_OK && kind == TRM__DIR;
}

char *trm__path_join(const char *dir, const char *name) {
  const size_t n_dir = strlen(dir), n_name = strlen(name);
  const size_t slash = n_dir && dir[n_dir - 1] != '/';
  char *path = trm__alloc(n_dir + slash + n_name + 1, 1);
  if (!path) return NULL;
  memcpy(path, dir, n_dir);
  if (slash) path[n_dir] = '/';
  memcpy(path + n_dir + slash, name, n_name);
  return path;
}

static trm_status make_dir(const char *path, trm_error *err) {
  const int cause = trm__os_make_dir(path);
  if (!cause) return TRM_OK;
  TRM_FAIL(err, code_of(cause), "%s: the folder cannot be made: %s", path, trm__os_text(cause));
}

trm_status trm__make_dirs(const char *path, trm_error *err) {
  char *prefix = trm__path_join("", path);
  if (!prefix) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a file name");
  trm_status st = TRM_OK;
  for (char *c = prefix; *c && st == TRM_OK; c++) {
    if (*c != '/' || c == prefix) continue;
    *c = 0;
    st = make_dir(prefix, err);
    *c = '/';
  }
  if (st == TRM_OK) st = make_dir(prefix, err);
  trm__free(prefix);
  return st;
}

trm_status trm__sync_dir(const char *path, trm_error *err) {
  trm__dir d;
  TRM_TRY(trm__dir_open(&d, path, err));
  const trm_status st = trm__dir_sync(&d, err);
  trm__dir_close(&d);
  return st;
}

/* --- opening --- */

/* Takes `path`, a fresh block, over. */
static trm_status open_owned(trm__dir *d, char *path, trm_error *err) {
  *d = (trm__dir){.path = path};
  if (!path) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");
  const int cause = trm__os_open_dir(d);
  if (!cause) return TRM_OK;
  const trm_status st = trm__fail(err, code_of(cause), -1, "%s: the folder cannot be opened: %s",
                                  path, trm__os_text(cause));
  trm__free(path);
  *d = (trm__dir){0};
  return st;
}

trm_status trm__dir_open(trm__dir *d, const char *path, trm_error *err) {
  return open_owned(d, trm__path_join("", path), err);
}

void trm__dir_close(trm__dir *d) {
  if (d->path) trm__os_close(d->fd);
  trm__free(d->path);
  *d = (trm__dir){0};
}

trm_status trm__dir_open_parent(trm__dir *d, const char *path, char **name, trm_error *err) {
  *d = (trm__dir){0};
  char *whole = *name = trm__path_join("", path);
  if (!whole) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");

  /* Slashes at the end say nothing; what is behind the last of the others is the name. */
  size_t n = strlen(whole);
  while (n > 1 && whole[n - 1] == '/') whole[--n] = 0;
  char *slash = strrchr(whole, '/');
  char *last = slash ? slash + 1 : whole;
  trm_status st;
  if (!*last || !strcmp(last, ".") || !strcmp(last, "..")) {
    st = trm__fail(err, TRM_E_IO, -1, "'%s' stands for a place without its name: name that instead",
                   path);
  } else {
    char *parent = slash ? trm__path_join("", whole) : trm__path_join("", ".");
    if (parent && slash) parent[slash == whole ? 1 : slash - whole] = 0;
    st = open_owned(d, parent, err);
  }

  if (st == TRM_OK) {
    memmove(whole, last, strlen(last) + 1);
    return TRM_OK;
  }
  trm__free(whole);
  *name = NULL;
  return st;
}

trm_status trm__dir_sync(const trm__dir *d, trm_error *err) {
  const int cause = trm__os_sync_dir(d);
  if (!cause) return TRM_OK;
  TRM_FAIL(err, TRM_E_IO, "%s: new files may not survive a power cut: %s", d->path,
           trm__os_text(cause));
}

/* --- looking --- */

trm_status trm__dir_fail(const trm__dir *d, const char *name, const char *what, int cause,
                         trm_error *err) {
  TRM_FAIL(err, code_of(cause), "%s/%s: %s: %s", d->path, name, what, trm__os_text(cause));
}

trm_status trm__dir_look(const trm__dir *d, const char *name, trm__kind *kind, trm_error *err) {
  const int cause = trm__os_look(d, name, kind);
  return cause ? trm__dir_fail(d, name, "cannot be examined", cause, err) : TRM_OK;
}

static int compare_names(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

trm_status trm__dir_names(const trm__dir *d, trm__names *out, trm_error *err) {
  *out = (trm__names){0};
  const int cause = trm__os_list(d, out);
  if (!cause) {
    if (out->n) qsort(out->v, out->n, sizeof *out->v, compare_names);
    return TRM_OK;
  }
  trm__names_free(out);
  TRM_FAIL(err, code_of(cause), "%s: the folder cannot be read: %s", d->path, trm__os_text(cause));
}

void trm__names_free(trm__names *names) {
  for (size_t i = 0; i < names->n; i++) trm__free(names->v[i]);
  trm__free(names->v);
  *names = (trm__names){0};
}

/* --- removing and renaming --- */

trm_status trm__remove_tree(const char *path, trm_error *err) {
  const int cause = trm__os_remove(NULL, path);
  if (!cause) return TRM_OK;
  TRM_FAIL(err, code_of(cause), "%s: cannot be removed: %s", path, trm__os_text(cause));
}

trm_status trm__dir_remove(const trm__dir *d, const char *name, trm_error *err) {
  const int cause = trm__os_remove(d, name);
  return cause ? trm__dir_fail(d, name, "cannot be removed", cause, err) : TRM_OK;
}

trm_status trm__dir_rename(const trm__dir *d, const char *from, const char *to, trm_error *err) {
  const int cause = trm__os_rename(d, from, d, to);
  return cause ? trm__dir_fail(d, to, "cannot be put in place", cause, err) : TRM_OK;
}

trm_status trm__dir_exchange(const trm__dir *d, const char *a, const char *b, bool *done,
                             trm_error *err) {
  *done = false;
  const int cause = trm__os_exchange(d, a, b, done);
  return cause ? trm__dir_fail(d, b, "cannot be replaced", cause, err) : TRM_OK;
}
