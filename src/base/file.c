/* Files and folders through POSIX. A written file is complete or absent: the bytes go to a
 * neighbour named PATH.tmp.PID, reach the disk, and only then take the name. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

/* --- maps --- */

static trm_status map_fd(int fd, const char *path, trm__map *map, trm_error *err) {
  struct stat info;
  if (fstat(fd, &info))
    TRM_FAIL(err, TRM_E_IO, "%s: cannot be examined: %s", path, strerror(errno));
  if (!S_ISREG(info.st_mode))
    TRM_FAIL(err, TRM_E_IO, "%s: is %s, want a regular file", path,
             S_ISDIR(info.st_mode) ? "a folder" : "a device or pipe");
  if (info.st_size == 0) return TRM_OK;
  if ((uintmax_t)info.st_size > PTRDIFF_MAX)
    TRM_FAIL(err, TRM_E_IO, "%s: %jd bytes are too many for this machine", path,
             (intmax_t)info.st_size);
  const size_t size = (size_t)info.st_size;
  void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (data == MAP_FAILED)
    TRM_FAIL(err, TRM_E_IO, "%s: cannot be mapped: %s", path, strerror(errno));
  map->data = data;
  map->size = size;
  return TRM_OK;
}

trm_status trm__map_open(const char *path, trm__map *map, trm_error *err) {
  *map = (trm__map){0};
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not hang us */
  if (fd < 0) TRM_FAIL(err, TRM_E_IO, "%s: cannot be opened: %s", path, strerror(errno));
  const trm_status st = map_fd(fd, path, map, err);
  (void)close(fd); /* only read from: nothing to lose */
  return st;
}

void trm__map_close(trm__map *map) {
  if (map->data) (void)munmap((void *)(uintptr_t)map->data, map->size);
  *map = (trm__map){0};
}

/* --- writers --- */

static void writer_release(trm__writer *w) {
  trm__free(w->path);
  trm__free(w->tmp);
  *w = (trm__writer){0};
}

static trm_status writer_names(trm__writer *w, const char *path, trm_error *err) {
  enum { SUFFIX = 32 }; /* ".tmp." and a pid of any width */
  const size_t n = strlen(path);
  TRM_ALLOC(&w->path, n + 1, "a file name", err);
  memcpy(w->path, path, n + 1);
  TRM_ALLOC(&w->tmp, n + SUFFIX, "a file name", err);
  (void)snprintf(w->tmp, n + SUFFIX, "%s.tmp.%jd", path, (intmax_t)getpid());
  return TRM_OK;
}

/* A fresh file: what a crashed process of the same pid left there goes, links are not followed. */
static int open_fresh(const char *path) {
  if (unlink(path) && errno != ENOENT) return -1;
  return open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
}

trm_status trm__writer_open(trm__writer *w, const char *path, trm_error *err) {
  *w = (trm__writer){0};
  const trm_status st = writer_names(w, path, err);
  if (st != TRM_OK) {
    writer_release(w);
    return st;
  }
  const int fd = open_fresh(w->tmp);
  if (fd >= 0) w->f = fdopen(fd, "wb");
  if (!w->f) {
    const int cause = errno;
    if (fd >= 0) {
      (void)close(fd);
      (void)unlink(w->tmp);
    }
    writer_release(w);
    TRM_FAIL(err, TRM_E_IO, "%s: cannot be created: %s", path, strerror(cause));
  }
  return TRM_OK;
}

static void remember(trm__writer *w) {
  if (!w->error) w->error = errno ? errno : EIO;
}

void trm__write(trm__writer *w, const void *data, size_t n) {
  if (w->error || n == 0) return;
  errno = 0;
  if (fwrite(data, 1, n, w->f) != n) remember(w);
}

void trm__writer_printf(trm__writer *w, const char *fmt, ...) {
  if (w->error) return;
  errno = 0;
  va_list args;
  va_start(args, fmt);
  if (vfprintf(w->f, fmt, args) < 0) remember(w);
  va_end(args);
}

/* The folder that holds `path`, in a fresh block; NULL when out of memory. */
static char *parent_of(const char *path) {
  const char *slash = strrchr(path, '/');
  if (!slash) return trm__path_join("", ".");
  const size_t n = slash == path ? 1 : (size_t)(slash - path);
  char *dir = trm__alloc(n + 1, 1);
  if (dir) memcpy(dir, path, n);
  return dir;
}

static trm_status fail_commit(const char *path, int cause, trm_error *err) {
  if (cause == ENOSPC || cause == EDQUOT)
    TRM_FAIL(err, TRM_E_IO,
             "%s: the disk is full (%s); nothing at this path has changed, make room and try again",
             path, strerror(cause));
  TRM_FAIL(err, TRM_E_IO, "%s: cannot be written: %s; nothing at this path has changed", path,
           strerror(cause));
}

trm_status trm__writer_commit(trm__writer *w, trm_error *err) {
  char *dir = parent_of(w->path);
  if (!dir) {
    trm__writer_abort(w);
    TRM_FAIL(err, TRM_E_MEMORY, "no memory to finish a file");
  }
  errno = 0;
  if (!w->error && fflush(w->f)) remember(w);
  if (!w->error && fsync(fileno(w->f))) remember(w);
  if (fclose(w->f)) remember(w);
  w->f = NULL;
  if (!w->error && rename(w->tmp, w->path)) remember(w);
  trm_status st;
  if (w->error) {
    (void)unlink(w->tmp);
    st = fail_commit(w->path, w->error, err);
  } else {
    st = trm__sync_dir(dir, err);
  }
  trm__free(dir);
  writer_release(w);
  return st;
}

void trm__writer_abort(trm__writer *w) {
  if (w->f) {
    (void)fclose(w->f); /* the bytes are not wanted */
    (void)unlink(w->tmp);
  }
  writer_release(w);
}

/* --- folders --- */

static trm_status make_dir(const char *path, trm_error *err) {
  if (mkdir(path, 0777) == 0) return TRM_OK;
  const int refused = errno;
  if (trm__path_is_dir(path)) return TRM_OK;
  const int cause = trm__path_exists(path) ? ENOTDIR : refused;
  TRM_FAIL(err, TRM_E_IO, "%s: the folder cannot be made: %s", path, strerror(cause));
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
  const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) TRM_FAIL(err, TRM_E_IO, "%s: cannot be opened: %s", path, strerror(errno));
  /* EINVAL: a file system that has nothing to sync for a folder. */
  const int cause = fsync(fd) && errno != EINVAL ? errno : 0;
  (void)close(fd);
  if (cause)
    TRM_FAIL(err, TRM_E_IO, "%s: new files may not survive a power cut: %s", path, strerror(cause));
  return TRM_OK;
}

static int remove_at(int parent, const char *name);

/* Empties the folder open at `fd`, which it closes; 0 or an errno. */
static int empty_dir(int fd) {
  DIR *dir = fdopendir(fd);
  if (!dir) {
    const int cause = errno;
    (void)close(fd);
    return cause;
  }
  int cause = 0;
  while (!cause) {
    errno = 0;
    const struct dirent *entry = readdir(dir);
    if (!entry) {
      cause = errno;
      break;
    }
    if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
      cause = remove_at(fd, entry->d_name);
  }
  (void)closedir(dir);
  return cause;
}

/* Removes `name` in the folder open at `parent`; 0 or an errno. A link is unlinked, never
 * opened: O_NOFOLLOW holds even if it takes the place of a folder meanwhile. */
static int remove_at(int parent, const char *name) {
  struct stat info;
  if (fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW)) return errno == ENOENT ? 0 : errno;
  if (!S_ISDIR(info.st_mode)) return unlinkat(parent, name, 0) ? errno : 0;
  const int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return errno;
  const int cause = empty_dir(fd);
  if (cause) return cause;
  return unlinkat(parent, name, AT_REMOVEDIR) ? errno : 0;
}

trm_status trm__remove_tree(const char *path, trm_error *err) {
  const int cause = remove_at(AT_FDCWD, path);
  if (cause) TRM_FAIL(err, TRM_E_IO, "%s: cannot be removed: %s", path, strerror(cause));
  return TRM_OK;
}

/* --- paths --- */

bool trm__path_exists(const char *path) {
  struct stat info;
  return stat(path, &info) == 0;
}

bool trm__path_is_dir(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
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
