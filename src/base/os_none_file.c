/* Files by C's stdio alone, which opens, renames and removes them by their paths, and knows neither
 * folders nor links nor locks. See os_file.h and file.h. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

/* --- causes: errno's where C's library says some, and our own below zero --- */

enum { NO_MEMORY = -3, TAKEN = -4 };

/* Why a function of stdio failed. */
static int last_cause(void) {
  return errno > 0 ? errno : TRM__OS_UNKNOWN;
}

trm__os_why trm__os_reason(int cause) {
  static const struct {
    int cause;
    trm__os_why why;
  } known[] = {
      {NO_MEMORY, TRM__OS_NO_MEMORY}, {TAKEN, TRM__OS_THERE},
#ifdef ENOENT
      {ENOENT, TRM__OS_ABSENT},
#endif
#ifdef ENOTDIR
      {ENOTDIR, TRM__OS_ABSENT},
#endif
#ifdef EEXIST
      {EEXIST, TRM__OS_THERE},
#endif
#ifdef ENOSPC
      {ENOSPC, TRM__OS_FULL},
#endif
#ifdef ENOMEM
      {ENOMEM, TRM__OS_NO_MEMORY},
#endif
  };

  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (known[i].cause == cause) return known[i].why;
  return TRM__OS_OTHER;
}

const char *trm__os_text(int cause) {
  return cause == NO_MEMORY ? "no memory"
         : cause == TAKEN   ? "it exists already"
         : cause == TRM__OS_UNABLE
             ? "this build of trm has neither threads nor folders (TRM_OS=none)"
         : cause < 0 ? "the system does not say why"
                     : strerror(cause);
}

/* --- paths --- */

/* fopen of a name in an open folder, or of a path. */
static int open_at(const trm__dir *in, const char *name, const char *mode, FILE **f) {
  char *path = trm__path_join(in ? in->path : "", name);
  if (!path) return NO_MEMORY;
  errno = 0;
  *f = fopen(path, mode);
  const int cause = *f ? 0 : last_cause();
  trm__free(path);
  return cause;
}

/* What opens and cannot be read is a folder; a system that opens none has them absent. */
int trm__os_look(const trm__dir *in, const char *name, trm__kind *kind) {
  FILE *f;
  const int cause = open_at(in, name, "rb", &f);
  *kind = TRM__ABSENT;
  if (cause == TRM__OS_UNKNOWN || trm__os_reason(cause) == TRM__OS_ABSENT) return 0;
  if (cause) return cause;
  *kind = fgetc(f) == EOF && ferror(f) ? TRM__DIR : TRM__FILE;
  (void)fclose(f);
  return 0;
}

int trm__os_make_dir(const char *path) {
  trm__kind kind;
  const int cause = trm__os_look(NULL, path, &kind);
  return cause || kind == TRM__DIR ? cause : TRM__OS_UNABLE;
}

int trm__os_open_dir(trm__dir *d) {
  d->fd = -1;
  return 0;
}

void trm__os_close(int fd) {
  (void)fd;
}

int trm__os_sync_dir(const trm__dir *d) {
  (void)d;
  return 0;
}

int trm__os_list(const trm__dir *d, trm__names *out) {
  (void)d;
  (void)out;
  return TRM__OS_UNABLE;
}

int trm__os_remove(const trm__dir *in, const char *name) {
  char *path = trm__path_join(in ? in->path : "", name);
  if (!path) return NO_MEMORY;
  errno = 0;
  const int cause = remove(path) ? last_cause() : 0;
  trm__free(path);
  return trm__os_reason(cause) == TRM__OS_ABSENT ? 0 : cause;
}

/* Where rename replaces nothing, what has the name goes first: only there, or a failure of another
 * kind would lose it. */
static int rename_path(const char *from, const char *to) {
  errno = 0;
  if (rename(from, to) == 0) return 0;
  const int cause = last_cause();
  if (trm__os_reason(cause) != TRM__OS_THERE || remove(to) != 0) return cause;
  errno = 0;
  return rename(from, to) ? last_cause() : 0;
}

int trm__os_rename(const trm__dir *from_in, const char *from, const trm__dir *to_in,
                   const char *to) {
  char *old = trm__path_join(from_in->path, from), *new = trm__path_join(to_in->path, to);
  const int cause = old && new ? rename_path(old, new) : NO_MEMORY;
  trm__free(old);
  trm__free(new);
  return cause;
}

int trm__os_exchange(const trm__dir *in, const char *a, const char *b, bool *done) {
  (void)in;
  (void)a;
  (void)b;
  *done = false;
  return 0;
}

int trm__os_is_fixed(const char *path, bool *fixed) {
  (void)path;
  *fixed = false;
  return 0;
}

int trm__os_real_path(const char *path, char **real) {
  char *copy = trm__path_join("", path);
  if (!copy) return NO_MEMORY;
  *real = copy;
  return 0;
}

/* --- what is written --- */

int trm__os_create(const trm__dir *in, const char *name, bool folder, int *fd) {
  trm__kind kind;
  FILE *f;
  if (folder) return TRM__OS_UNABLE;
  int cause = trm__os_look(in, name, &kind);
  if (!cause && kind != TRM__ABSENT) return TAKEN;
  if (!cause) cause = open_at(in, name, "wbx", &f);
  if (cause) return cause;
  *fd = -1;
  return fclose(f) ? TRM__OS_UNKNOWN : 0;
}

int trm__os_hold(const trm__dir *in, const char *name, bool folder, int *fd) {
  (void)in;
  (void)name;
  (void)folder;
  *fd = -1;
  return 0;
}

bool trm__os_is_held(const trm__dir *in, const char *name, int fd) {
  (void)in;
  (void)name;
  (void)fd;
  return true;
}

int trm__os_lock(int fd, trm__lock *out) {
  (void)fd;
  *out = TRM__LOCK_NONE;
  return 0;
}

int trm__os_stream(const trm__dir *in, const char *name, int fd, FILE **out) {
  (void)fd;
  return open_at(in, name, "wb", out);
}

int trm__os_sync(FILE *f) {
  (void)f;
  return 0;
}

int64_t trm__os_tell(FILE *f) {
  return ftell(f);
}

int trm__os_seek(FILE *f, int64_t at, int whence) {
  return at < LONG_MIN || at > LONG_MAX ? -1 : fseek(f, (long)at, whence);
}

/* --- what grows: there are no folders for it to grow in --- */

trm_status trm__dir_open_log(const trm__dir *d, const char *name, int *fd, int *links,
                             trm_error *err) {
  *fd = -1;
  *links = 0;
  TRM_FAIL(err, TRM_E_SYSTEM, "%s/%s: cannot be opened: %s", d->path, name,
           trm__os_text(TRM__OS_UNABLE));
}

int trm__os_size(int fd, int64_t *bytes) {
  (void)fd;
  (void)bytes;
  return TRM__OS_UNABLE;
}

int trm__os_cut(int fd, int64_t bytes) {
  (void)fd;
  (void)bytes;
  return TRM__OS_UNABLE;
}

int trm__os_append(int fd, const void *data, size_t n) {
  (void)fd;
  (void)data;
  (void)n;
  return TRM__OS_UNABLE;
}

int trm__os_sync_fd(int fd) {
  (void)fd;
  return TRM__OS_UNABLE;
}

/* --- what is written in any order: by no number of a file --- */

int trm__os_open_rows(const trm__dir *in, const char *name, int *fd, int *links) {
  (void)in;
  (void)name;
  (void)fd;
  (void)links;
  return TRM__OS_UNABLE;
}

int trm__os_write_at(int fd, const void *data, size_t n, int64_t at) {
  (void)at;
  return trm__os_append(fd, data, n);
}

int trm__os_read_at(int fd, void *data, size_t n, int64_t at, size_t *got) {
  (void)at;
  (void)got;
  return trm__os_append(fd, data, n);
}

int trm__os_identity(const trm__dir *d, uint64_t *id) {
  (void)d;
  *id = 0;
  return 0;
}

/* --- what is read --- */

int trm__os_open_stream(const char *path, FILE **out, bool *is_file) {
  *is_file = true;
  return open_at(NULL, path, "rb", out);
}

int trm__os_read_small(const trm__dir *in, const char *name, char *text, size_t room, size_t *n) {
  FILE *f;
  const int cause = open_at(in, name, "rb", &f);
  if (cause) return cause;
  errno = 0;
  const size_t got = fread(text, 1, room, f);
  const int failed = ferror(f) ? last_cause() : 0;
  (void)fclose(f);
  if (!failed) *n = got;
  return failed;
}

/* The whole open file into a fresh block. */
static trm_status copy_file(FILE *f, const char *path, trm__map *map, trm_error *err) {
  errno = 0;
  const long size = fseek(f, 0, SEEK_END) ? -1 : ftell(f);
  if (size < 0 || fseek(f, 0, SEEK_SET))
    TRM_FAIL(err, TRM_E_IO, "%s: cannot be examined: %s", path, trm__os_text(last_cause()));
  if (size == 0) return TRM_OK;
  unsigned char *data = trm__alloc((size_t)size, 1);
  if (!data) TRM_FAIL(err, TRM_E_MEMORY, "%s: no memory to read it (%ld bytes)", path, size);
  errno = 0;
  const size_t n = fread(data, 1, (size_t)size, f);
  *map = (trm__map){.data = data, .size = n, .copied = true};
  if (!ferror(f) && n) return TRM_OK;
  trm__map_close(map);
  if (!ferror(f)) return TRM_OK; /* it was cut since */
  TRM_FAIL(err, TRM_E_IO, "%s: cannot be read: %s", path, trm__os_text(last_cause()));
}

trm_status trm__map_open(const char *path, trm__map *map, trm_error *err) {
  trm__kind kind;
  FILE *f;
  *map = (trm__map){0};
  TRM_TRY(trm__path_look(path, &kind, err));
  if (kind == TRM__DIR) TRM_FAIL(err, TRM_E_IO, "%s: is a folder, want a regular file", path);
  const int cause = open_at(NULL, path, "rb", &f);
  if (cause)
    TRM_FAIL(err, trm__os_reason(cause) == TRM__OS_NO_MEMORY ? TRM_E_MEMORY : TRM_E_IO,
             "%s: cannot be opened: %s", path, trm__os_text(cause));
  const trm_status st = copy_file(f, path, map, err);
  (void)fclose(f); /* only read from: nothing to lose */
  return st;
}

void trm__map_close(trm__map *map) {
  trm__free((void *)(uintptr_t)map->data);
  *map = (trm__map){0};
}
