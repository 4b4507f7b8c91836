/* See fuzz.h. Files live in memory (memfd_create) and are opened through /proc/self/fd, folders
 * in $TMPDIR or /dev/shm, so that a run costs microseconds and leaves nothing on a disk. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"

void fuzz_failed(const char *file, int line, const char *what, const char *message) {
  fprintf(stderr, "%s:%d: does not hold: %s%s%s\n", file, line, what, message ? ": " : "",
          message ? message : "");
  abort();
}

bool fuzz_accepted_cli(trm_status st, const trm_error *err) {
  if (st == TRM_OK) return true;
  FUZZ_CHECK(st == err->code);
  FUZZ_CHECK(st != TRM_E_MEMORY && st != TRM_E_SYSTEM && st != TRM_E_INTERRUPTED);
  FUZZ_CHECK(err->pos >= -1);
  FUZZ_CHECK(memchr(err->msg, 0, sizeof err->msg) && err->msg[0]);
  return false;
}

bool fuzz_accepted(trm_status st, const trm_error *err) {
  if (fuzz_accepted_cli(st, err)) return true;
  for (const char *c = err->msg; *c; c++) FUZZ_CHECK((unsigned char)*c >= ' ' && *c != 127);
  return false;
}

void fuzz_split(const uint8_t *data, size_t size, fuzz_bytes *parts, int n) {
  static const char mark[] = "\n====\n";
  const size_t length = sizeof mark - 1;
  memset(parts, 0, (size_t)n * sizeof *parts);
  for (int i = 0; i < n; i++) {
    const uint8_t *end = i + 1 < n && size ? memmem(data, size, mark, length) : NULL;
    parts[i] = (fuzz_bytes){data, end ? (size_t)(end - data) : size};
    if (!end) return;
    size -= (size_t)(end - data) + length;
    data = end + length;
  }
}

/* --- files --- */

static int slots[FUZZ_FILES]; /* descriptors; 0: not made yet */

static int slot_descriptor(int slot) {
  if (!slots[slot]) slots[slot] = memfd_create("fuzz", MFD_CLOEXEC);
  FUZZ_CHECK(slots[slot] > 0);
  return slots[slot];
}

static const char *slot_path(int slot) {
  static char paths[FUZZ_FILES][40];
  snprintf(paths[slot], sizeof paths[slot], "/proc/self/fd/%d", slot_descriptor(slot));
  return paths[slot];
}

const char *fuzz_file(int slot, const void *data, size_t size) {
  const int fd = slot_descriptor(slot);
  FUZZ_CHECK(ftruncate(fd, 0) == 0);
  FUZZ_CHECK(size == 0 || pwrite(fd, data, size, 0) == (ssize_t)size);
  return slot_path(slot);
}

const char *fuzz_part(int slot, fuzz_bytes part, const void *good, size_t size) {
  return part.size ? fuzz_file(slot, part.data, part.size) : fuzz_file(slot, good, size);
}

/* --- maps --- */

/* The library maps files, and a sanitizer sees no read beyond the end of a map within its last
 * page. Targets are linked so that a read-only map of a file becomes a block with the file's bytes.
 */
void *__real_mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset);
int __real_munmap(void *map, size_t n);
int __wrap_munmap(void *map, size_t n);

enum { MAX_MAPS = 8192 };
static void *maps[MAX_MAPS];
static int n_maps;

void *__wrap_mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset) {
  if (fd < 0 || protection != PROT_READ) return __real_mmap(at, n, protection, flags, fd, offset);
  void *block;
  FUZZ_CHECK(n_maps < MAX_MAPS && posix_memalign(&block, 4096, n) == 0);
  FUZZ_CHECK(pread(fd, block, n, offset) == (ssize_t)n);
  return maps[n_maps++] = block;
}

int __wrap_munmap(void *map, size_t n) {
  for (int i = n_maps - 1; i >= 0; i--)
    if (maps[i] == map) {
      free(map);
      maps[i] = maps[--n_maps];
      return 0;
    }
  return __real_munmap(map, n);
}

/* --- the folder --- */

static char folder[96];

static void remove_folder(void) {
  (void)trm__remove_tree(folder, NULL);
}

const char *fuzz_folder(void) {
  if (folder[0]) return folder;
  const char *home = getenv("TMPDIR");
  const int n = snprintf(folder, sizeof folder, "%s/trm_fuzz_XXXXXX", home ? home : "/dev/shm");
  FUZZ_CHECK(n > 0 && (size_t)n < sizeof folder && mkdtemp(folder));
  FUZZ_CHECK(atexit(remove_folder) == 0);
  return folder;
}

const char *fuzz_path(const char *name) {
  static char paths[4][128];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", fuzz_folder(), name);
  return path;
}

void fuzz_put_file(const char *name, const void *data, size_t size) {
  FILE *f = fopen(fuzz_path(name), "wb");
  FUZZ_CHECK(f && (size == 0 || fwrite(data, 1, size, f) == size) && fclose(f) == 0);
}

void fuzz_link(const char *name, int slot) {
  FUZZ_CHECK(symlink(slot_path(slot), fuzz_path(name)) == 0);
}
