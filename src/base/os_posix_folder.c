/* Paths and open folders of POSIX; see os_file.h. An open folder is a descriptor. */
#define _GNU_SOURCE 1 /* in front of every header: POSIX's functions beside C's */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/memory.h"
#include "base/os_posix.h"

/* --- causes: errno's --- */

trm__os_why trm__os_reason(int cause) {
  switch (cause) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG: /* what is too long for the file system cannot be there */
      return TRM__OS_ABSENT;
    case EEXIST:
      return TRM__OS_THERE;
    case EXDEV:
    case EBUSY:
      return TRM__OS_FIXED;
    case ENOSPC:
    case EDQUOT:
      return TRM__OS_FULL;
    case ENOMEM:
      return TRM__OS_NO_MEMORY;
    default:
      return TRM__OS_OTHER;
  }
}

const char *trm__os_text(int cause) {
  return strerror(cause == TRM__OS_UNKNOWN ? EIO : cause);
}

/* --- looking --- */

static int place_of(const trm__dir *in) {
  return in ? in->fd : AT_FDCWD;
}

static trm__kind kind_of(const struct stat *info) {
  return S_ISREG(info->st_mode)   ? TRM__FILE
         : S_ISDIR(info->st_mode) ? TRM__DIR
         : S_ISLNK(info->st_mode) ? TRM__LINK
                                  : TRM__OTHER;
}

int trm__os_look(const trm__dir *in, const char *name, trm__kind *kind) {
  struct stat info;
  *kind = TRM__ABSENT;
  if (fstatat(place_of(in), name, &info, in ? AT_SYMLINK_NOFOLLOW : 0) == 0)
    *kind = kind_of(&info);
  else if (in ? errno != ENOENT : trm__os_reason(errno) != TRM__OS_ABSENT)
    return errno;
  return 0;
}

int trm__os_is_fixed(const char *path, bool *fixed) {
  struct stat here, above;
  char *parent = trm__path_join(path, "..");
  if (!parent) return ENOMEM;
  const int cause = stat(path, &here) == 0 && stat(parent, &above) == 0 ? 0 : errno;
  trm__free(parent);
  if (!cause) *fixed = here.st_dev != above.st_dev;
  return cause;
}

int trm__os_real_path(const char *path, char **real) {
  char found[PATH_MAX];
  if (!realpath(path, found)) return errno;
  char *copy = trm__path_join("", found);
  if (!copy) return ENOMEM;
  *real = copy;
  return 0;
}

/* --- opening --- */

int trm__os_make_dir(const char *path) {
  trm__kind kind;
  if (mkdir(path, 0777) == 0) return 0;
  const int cause = errno;
  if (cause != EEXIST && cause != EROFS && cause != EACCES) return cause;
  const int unknown = trm__os_look(NULL, path, &kind); /* what is there may do */
  if (unknown || kind == TRM__DIR) return unknown;
  return cause != EEXIST ? cause : kind == TRM__ABSENT ? ENOENT : ENOTDIR;
}

int trm__os_open_dir(trm__dir *d) {
  d->fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return d->fd < 0 ? errno : 0;
}

void trm__os_close(int fd) {
  (void)close(fd);
}

/* EINVAL: a file system that has nothing to sync for a folder. */
int trm__os_sync_dir(const trm__dir *d) {
  return fsync(d->fd) == 0 || errno == EINVAL ? 0 : errno;
}

DIR *trm__posix_read_from_start(int fd) {
  const int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = own < 0 ? NULL : fdopendir(own);
  if (!dir && own >= 0) {
    const int cause = errno;
    (void)close(own);
    errno = cause;
  }
  return dir;
}

/* Adds a copy. */
static int add_name(trm__names *names, size_t *room, const char *name) {
  if (names->n == *room) {
    const size_t more = *room ? 2 * *room : 16;
    char **v = trm__alloc(more, sizeof *v);
    if (!v) return ENOMEM;
    if (names->n) memcpy(v, names->v, names->n * sizeof *v);
    trm__free(names->v);
    names->v = v;
    *room = more;
  }
  char *copy = trm__path_join("", name);
  if (!copy) return ENOMEM;
  names->v[names->n++] = copy;
  return 0;
}

int trm__os_list(const trm__dir *d, trm__names *out) {
  DIR *dir = trm__posix_read_from_start(d->fd);
  int cause = dir ? 0 : errno;
  for (size_t room = 0; !cause;) {
    errno = 0;
    const struct dirent *entry = readdir(dir);
    cause = errno;
    if (!entry) break;
    if (!trm__posix_is_dots(entry->d_name)) cause = add_name(out, &room, entry->d_name);
  }
  if (dir) (void)closedir(dir);
  return cause;
}

/* --- removing and renaming --- */

/* A link is unlinked, never opened: O_NOFOLLOW holds even if it takes the place of a folder
 * meanwhile. */
static int remove_at(int parent, const char *name) {
  struct stat info;
  if (fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW)) return errno == ENOENT ? 0 : errno;
  if (!S_ISDIR(info.st_mode)) return unlinkat(parent, name, 0) ? errno : 0;
  const int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return errno;
  const int cause = trm__posix_empty(fd, remove_at);
  (void)close(fd);
  if (cause) return cause;
  return unlinkat(parent, name, AT_REMOVEDIR) ? errno : 0;
}

int trm__os_remove(const trm__dir *in, const char *name) {
  return remove_at(place_of(in), name);
}

int trm__os_rename(const trm__dir *from_in, const char *from, const trm__dir *to_in,
                   const char *to) {
  return renameat(from_in->fd, from, to_in->fd, to) ? errno : 0;
}
