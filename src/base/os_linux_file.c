/* Linux: names that change places, folders emptied without memory, and what a library's file is;
 * see os_file.h and os_posix.h. */
#define _GNU_SOURCE 1 /* in front of every header: Linux's functions beside C's */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/os_file.h"
#include "base/os_linux_lines.h"
#include "base/os_posix.h"

/* --- folders --- */

/* A system that is older than the call, and file systems that cannot, say so in many ways. */
int trm__os_exchange(const trm__dir *in, const char *a, const char *b, bool *done) {
  enum { EXCHANGE = 2 }; /* RENAME_EXCHANGE, which not every libc names */
  static const int unable[] = {ENOSYS, EINVAL, EOPNOTSUPP, EPERM, EXDEV, EBUSY};
  *done = syscall(SYS_renameat2, in->fd, a, in->fd, b, EXCHANGE) == 0;
  const int cause = *done ? 0 : errno;
  for (size_t i = 0; i < sizeof unable / sizeof *unable; i++)
    if (cause == unable[i]) return 0;
  return cause;
}

/* A stream would take memory, and that there is none may be why all this goes. */
int trm__posix_empty(int fd, int (*remove_at)(int parent, const char *name)) {
  enum { LENGTH_AT = 16, NAME_AT = 19 }; /* of a struct linux_dirent64 */
  char block[1024];
  long n;
  for (bool removed = true; removed;) { /* entries may move as others go */
    removed = false;
    if (lseek(fd, 0, SEEK_SET) < 0) return errno;
    while ((n = syscall(SYS_getdents64, fd, block, sizeof block)) > 0)
      for (long at = 0; at < n;) {
        const char *name = block + at + NAME_AT;
        uint16_t length;
        memcpy(&length, block + at + LENGTH_AT, sizeof length);
        at += length;

        if (trm__posix_is_dots(name)) continue;
        const int cause = remove_at(fd, name);
        if (cause) return cause;
        removed = true;
      }
    if (n < 0) return errno;
  }
  return 0;
}

/* --- libraries --- */

/* The system keeps a list in full: what the loader knows is how it was called, and a program found
 * through PATH was called by name. */
void trm__posix_file_of(const void *here, char *out, size_t n) {
  const uintptr_t at = (uintptr_t)here;
  trm__system_lines maps;
  Dl_info info;
  out[0] = 0;
  if (trm__system_lines_open(&maps, "/proc/self/maps")) {
    for (const char *line; !out[0] && (line = trm__system_lines_next(&maps));) {
      uintptr_t from, to;
      const char *path = strchr(line, '/');
      if (path && sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &from, &to) == 2 && from <= at && at < to)
        snprintf(out, n, "%s", path);
    }
    trm__system_lines_close(&maps);
  }
  if (!out[0] && dladdr(here, &info) && info.dli_fname) snprintf(out, n, "%s", info.dli_fname);
}

bool trm__posix_is_whole(int fd) {
  Elf64_Ehdr head;
  Elf64_Phdr part;
  struct stat info;
  if (pread(fd, &head, sizeof head, 0) != sizeof head ||
      memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_ident[EI_CLASS] != ELFCLASS64 ||
      head.e_phoff > INT64_MAX / 2 || fstat(fd, &info) != 0)
    return true;
  const uint64_t size = (uint64_t)info.st_size;
  for (uint64_t i = 0; i < head.e_phnum; i++) {
    if (pread(fd, &part, sizeof part, (off_t)(head.e_phoff + i * sizeof part)) != sizeof part)
      return false;
    if (part.p_type == PT_LOAD && (part.p_offset > size || part.p_filesz > size - part.p_offset))
      return false;
  }
  return true;
}
