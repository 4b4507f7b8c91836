/* Libraries by POSIX's loader; see os_library.h. */
#define _GNU_SOURCE 1 /* in front of every header: POSIX's functions beside C's */
#include "base/os_library.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os_posix.h"

/* Whether the file may be given to the loader, so that a broken one is not taken for a missing one.
 */
static bool is_loadable(const char *path, char *why, size_t n) {
  struct stat info;
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    if (errno != ENOENT && errno != ENOTDIR) snprintf(why, n, "%.180s: %s", path, strerror(errno));
    return false;
  }
  const bool file = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  const bool whole = file && trm__posix_is_whole(fd);
  (void)close(fd);
  if (!file)
    snprintf(why, n, "%.180s is not a file", path); /* a pipe would be waited for */
  else if (!whole)
    snprintf(why, n, "%.180s is cut off", path);
  return whole;
}

void *trm__os_library_open(const char *path, char *why, size_t n) {
  why[0] = 0;
  if (strchr(path, '/') && !is_loadable(path, why, n)) return NULL;
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  snprintf(why, n, "%.2000s", library ? path : dlerror());
  return library;
}

void *trm__os_library_symbol(void *library, const char *name) {
  return dlsym(library, name);
}

void trm__os_own_folder(char *out, size_t n) {
  /* An object of this file stands for its functions, whose pointers ISO C does not let cast. */
  static const char here = 0;
  trm__posix_file_of(&here, out, n);
  char *slash = strrchr(out, '/');
  out[slash ? slash + 1 - out : 0] = 0;
}
