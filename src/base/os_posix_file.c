/* Files of POSIX, read and written; see os_file.h and file.h. */
#define _GNU_SOURCE 1 /* in front of every header: POSIX's functions beside C's */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"

/* --- what is held and locked --- */

int trm__os_create(const trm__dir *in, const char *name, bool folder, int *fd) {
  const int flags = folder ? O_RDONLY | O_DIRECTORY : O_WRONLY | O_CREAT | O_EXCL;
  if (folder && mkdirat(in->fd, name, 0777)) return errno;
  const int made = openat(in->fd, name, flags | O_NOFOLLOW | O_CLOEXEC, 0666);
  const int cause = made < 0 ? errno : 0;
  if (cause && folder) (void)unlinkat(in->fd, name, AT_REMOVEDIR);
  if (!cause) *fd = made;
  return cause;
}

int trm__os_hold(const trm__dir *in, const char *name, bool folder, int *fd) {
  const int mode = folder ? O_RDONLY | O_DIRECTORY : O_WRONLY;
  const int held = openat(in->fd, name, mode | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (held < 0) return errno;
  *fd = held;
  return 0;
}

bool trm__os_is_held(const trm__dir *in, const char *name, int fd) {
  struct stat named, opened;
  return fstatat(in->fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &opened) == 0 &&
         named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

/* File systems that know no locks say so in many ways; NFS cannot lock what is only read. */
int trm__os_lock(int fd, trm__lock *out) {
  static const int unsupported[] = {ENOLCK, ENOSYS, EOPNOTSUPP, EINVAL, EBADF};
  int failed;
  do failed = flock(fd, LOCK_EX | LOCK_NB);
  while (failed && errno == EINTR);
  *out = failed ? TRM__LOCK_BUSY : TRM__LOCKED;
  if (!failed || errno == EWOULDBLOCK) return 0;
  for (size_t i = 0; i < sizeof unsupported / sizeof *unsupported; i++)
    if (errno == unsupported[i]) {
      *out = TRM__LOCK_NONE;
      return 0;
    }
  return errno;
}

/* --- streams --- */

/* The stream has a descriptor of its own; the other carries the lock until the end. */
int trm__os_stream(const trm__dir *in, const char *name, int fd, FILE **out) {
  (void)in;
  (void)name;
  const int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  FILE *f = own < 0 ? NULL : fdopen(own, "wb");
  const int cause = f ? 0 : errno;
  if (!f && own >= 0) (void)close(own);
  if (f) *out = f;
  return cause;
}

int trm__os_sync(FILE *f) {
  return fsync(fileno(f)) ? errno : 0;
}

int64_t trm__os_tell(FILE *f) {
  return ftello(f);
}

int trm__os_seek(FILE *f, int64_t at, int whence) {
  return fseeko(f, (off_t)at, whence);
}

/* --- what grows --- */

int trm__os_size(int fd, int64_t *bytes) {
  struct stat info;
  if (fstat(fd, &info)) return errno;
  *bytes = info.st_size;
  return 0;
}

int trm__os_cut(int fd, int64_t bytes) {
  return ftruncate(fd, (off_t)bytes) ? errno : 0;
}

int trm__os_append(int fd, const void *data, size_t n) {
  for (const char *at = data, *end = at + n; at < end;) {
    const ssize_t wrote = write(fd, at, (size_t)(end - at));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return wrote < 0 ? errno : TRM__OS_UNKNOWN;
    at += wrote;
  }
  return 0;
}

int trm__os_sync_fd(int fd) {
  return fsync(fd) && errno != EINVAL ? errno : 0;
}

int trm__os_open_rows(const trm__dir *in, const char *name, int *fd, int *links) {
  struct stat info;
  const int held = openat(in->fd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (held < 0) return errno;
  if (fstat(held, &info)) {
    const int cause = errno;
    (void)close(held);
    return cause;
  }
  *fd = held;
  *links = S_ISREG(info.st_mode) ? (int)info.st_nlink : 0;
  return 0;
}

int trm__os_write_at(int fd, const void *data, size_t n, int64_t at) {
  for (const char *bytes = data, *end = bytes + n; bytes < end;) {
    const ssize_t wrote = pwrite(fd, bytes, (size_t)(end - bytes), (off_t)at);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return wrote < 0 ? errno : TRM__OS_UNKNOWN;
    bytes += wrote;
    at += wrote;
  }
  return 0;
}

int trm__os_read_at(int fd, void *data, size_t n, int64_t at, size_t *got) {
  size_t done = 0;
  for (ssize_t more = 1; done < n && more != 0;) {
    more = pread(fd, (char *)data + done, n - done, (off_t)(at + (int64_t)done));
    if (more < 0 && errno != EINTR) return errno;
    if (more > 0) done += (size_t)more;
  }
  *got = done;
  return 0;
}

int trm__os_identity(const trm__dir *d, uint64_t *id) {
  struct stat info;
  if (fstat(d->fd, &info)) return errno;
  *id = info.st_ino;
  return 0;
}

trm_status trm__dir_open_log(const trm__dir *d, const char *name, int *fd, int *links,
                             trm_error *err) {
  enum { FLAGS = O_RDWR | O_CREAT | O_APPEND };
  struct stat info;
  *fd = openat(d->fd, name, FLAGS | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0666);
  if (*fd < 0 && errno == ELOOP)
    TRM_FAIL(err, TRM_E_IO, "%s/%s: is a link; want a file: remove the link", d->path, name);
  if (*fd < 0) return trm__dir_fail(d, name, "cannot be opened", errno, err);
  trm_status st = TRM_OK;
  if (fstat(*fd, &info))
    st = trm__dir_fail(d, name, "cannot be examined", errno, err);
  else if (!S_ISREG(info.st_mode))
    st = trm__fail(err, TRM_E_IO, -1, "%s/%s: is not a plain file", d->path, name);
  else
    *links = (int)info.st_nlink;
  if (st == TRM_OK) return st;
  (void)close(*fd);
  *fd = -1;
  return st;
}

/* --- reading --- */

int trm__os_open_stream(const char *path, FILE **out, bool *is_file) {
  struct stat info;
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return errno;
  FILE *f = fstat(fd, &info) == 0 && fcntl(fd, F_SETFL, 0) == 0 ? fdopen(fd, "rb") : NULL;
  if (!f) {
    const int cause = errno;
    (void)close(fd);
    return cause;
  }
  *is_file = S_ISREG(info.st_mode);
  *out = f;
  return 0;
}

int trm__os_read_small(const trm__dir *in, const char *name, char *text, size_t room, size_t *n) {
  const int fd = openat(in->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  ssize_t got;
  if (fd < 0 && errno != ELOOP) return errno;
  if (fd < 0) {
    got = readlinkat(in->fd, name, text, room);
  } else {
    do got = read(fd, text, room);
    while (got < 0 && errno == EINTR);
  }
  const int cause = got < 0 ? errno : 0;
  if (fd >= 0) (void)close(fd);
  if (!cause) *n = (size_t)got;
  return cause;
}

/* --- maps --- */

/* Up to here a file is copied: whoever cuts it meanwhile does no harm. */
enum { SMALL = 1 << 20 };

/* Reads the whole file into a fresh block. */
static trm_status copy_fd(int fd, const char *path, size_t size, trm__map *map, trm_error *err) {
  unsigned char *data = trm__alloc(size, 1);
  if (!data) TRM_FAIL(err, TRM_E_MEMORY, "%s: no memory to read it (%zu bytes)", path, size);
  size_t n = 0;
  while (n < size) {
    const ssize_t got = read(fd, data + n, size - n);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      const int cause = errno;
      trm__free(data);
      TRM_FAIL(err, TRM_E_IO, "%s: cannot be read: %s", path, strerror(cause));
    }
    if (got == 0) break; /* it was cut since */
    n += (size_t)got;
  }
  *map = (trm__map){.data = data, .size = n, .copied = true};
  if (n == 0) trm__map_close(map);
  return TRM_OK;
}

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
  if (size <= SMALL) return copy_fd(fd, path, size, map, err);
  void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (data == MAP_FAILED)
    TRM_FAIL(err, errno == ENOMEM ? TRM_E_MEMORY : TRM_E_IO, "%s: cannot be mapped: %s", path,
             strerror(errno));
  *map = (trm__map){.data = data, .size = size};
  return TRM_OK;
}

trm_status trm__map_open(const char *path, trm__map *map, trm_error *err) {
  *map = (trm__map){0};
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not hang us */
  if (fd < 0)
    TRM_FAIL(err, errno == ENOMEM ? TRM_E_MEMORY : TRM_E_IO, "%s: cannot be opened: %s", path,
             strerror(errno));
  const trm_status st = map_fd(fd, path, map, err);
  (void)close(fd); /* only read from: nothing to lose */
  return st;
}

void trm__map_close(trm__map *map) {
  void *data = (void *)(uintptr_t)map->data;
  if (map->copied)
    trm__free(data);
  else if (data)
    (void)munmap(data, map->size);
  *map = (trm__map){0};
}
