/* POSIX and no more: no exchange of names, folders emptied by a stream; see os_file.h and
 * os_posix.h. */
#define _GNU_SOURCE 1 /* in front of every header: POSIX's functions beside C's */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>

#include "base/os_file.h"
#include "base/os_posix.h"

int trm__os_exchange(const trm__dir *in, const char *a, const char *b, bool *done) {
  (void)in;
  (void)a;
  (void)b;
  *done = false;
  return 0;
}

int trm__posix_empty(int fd, int (*remove_at)(int parent, const char *name)) {
  int cause = 0;
  for (bool removed = true; removed && !cause;) { /* entries may be passed over as others go */
    DIR *dir = trm__posix_read_from_start(fd);
    if (!dir) return errno;
    removed = false;
    while (!cause) {
      errno = 0;
      const struct dirent *entry = readdir(dir);
      if (!entry) cause = errno;
      if (!entry) break;
      if (trm__posix_is_dots(entry->d_name)) continue;
      cause = remove_at(fd, entry->d_name);
      removed = true;
    }
    (void)closedir(dir);
  }
  return cause;
}

void trm__posix_file_of(const void *here, char *out, size_t n) {
  Dl_info info;
  out[0] = 0;
  if (dladdr(here, &info) && info.dli_fname) snprintf(out, n, "%s", info.dli_fname);
}

bool trm__posix_is_whole(int fd) {
  (void)fd;
  return true;
}
