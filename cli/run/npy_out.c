/* See npy_out.h. */
#include "cli/run/npy_out.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/memory.h"

enum { TRAILER = 16 };

static const char trailer_magic[TRAILER - 8] = {'t', 'r', 'm', ' ', 'p', 'a', 'r', 't'};

static trm_status fail_io(trm_error *err, const char *path, const char *doing) {
  return cli_fail(err, TRM_E_IO, -1, "%s: cannot %s: %s", path, doing, strerror(errno));
}

static trm_status write_at(npy_out *o, const void *data, size_t n, int64_t at, trm_error *err) {
  const char *bytes = data;
  while (n > 0) {
    ssize_t written = pwrite(o->fd, bytes, n, at);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return fail_io(err, o->part, "write");
    bytes += written;
    n -= (size_t)written;
    at += written;
  }
  return TRM_OK;
}

/* *same: the bytes at `at` are these. */
static trm_status compare_at(npy_out *o, const void *want, size_t n, int64_t at, bool *same,
                             trm_error *err) {
  char found[TRM__NPY_HEADER];
  const ssize_t got = pread(o->fd, found, n, at);
  if (got < 0) return fail_io(err, o->part, "read");
  *same = (size_t)got == n && !memcmp(found, want, n);
  return TRM_OK;
}

/* *ours: the open file is a part with this header, and the state relies on it (its tag is taken) or
 * nobody does: it has no tag, or that of a state that was never written. */
static trm_status adopt(npy_out *o, const char *header, bool *ours, trm_error *err) {
  uint64_t tag = 0;
  struct stat s;
  *ours = false;
  if (fstat(o->fd, &s) != 0) return fail_io(err, o->part, "examine");
  /* A second name may lie anywhere, and would be written through. */
  if (!S_ISREG(s.st_mode) || s.st_nlink != 1 || s.st_size != o->end + TRAILER) return TRM_OK;
  CLI_TRY(compare_at(o, header, (size_t)o->start, 0, ours, err));
  if (!*ours) return TRM_OK;
  CLI_TRY(compare_at(o, trailer_magic, sizeof trailer_magic, o->end, ours, err));
  if (*ours && pread(o->fd, &tag, sizeof tag, o->end + (int64_t)sizeof trailer_magic) < 0)
    return fail_io(err, o->part, "read");
  if (tag && !o->goes_on && (uint32_t)tag != (uint32_t)o->tag) *ours = false;
  if (tag && o->goes_on) o->tag = tag;
  return TRM_OK;
}

/* One that is new, and in its lower half says whose it is: that of one path of a state. */
static trm_status new_tag(const char *state, uint64_t *tag, trm_error *err) {
  struct timespec t;
  struct stat s = {0};
  trm__dir in;
  char *name;
  CLI_TRY(trm__dir_open_parent(&in, state, &name, err));
  const trm_status st = fstat(in.fd, &s) ? fail_io(err, in.path, "examine") : TRM_OK;
  uint64_t owner = trm__hash_bytes(TRM__HASH_START, &s.st_ino, sizeof s.st_ino);
  owner = trm__hash_bytes(owner, name, strlen(name));
  trm__free(name);
  trm__dir_close(&in);
  CLI_TRY(st);

  clock_gettime(CLOCK_REALTIME, &t);
  uint64_t x = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
  x = (x ^ (uint64_t)getpid() << 40) * UINT64_C(0x9e3779b97f4a7c15);
  *tag = (x ^ x >> 31) << 32 | (uint32_t)(owner ^ owner >> 32) | 1;
  return TRM_OK;
}

static trm_status write_trailer(npy_out *o, uint64_t tag, trm_error *err) {
  char trailer[TRAILER];
  memcpy(trailer, trailer_magic, sizeof trailer_magic);
  memcpy(trailer + sizeof trailer_magic, &tag, sizeof tag);
  return write_at(o, trailer, sizeof trailer, o->end, err);
}

static trm_status begin(npy_out *o, const char *header, trm_error *err) {
  if (ftruncate(o->fd, o->end) != 0) return fail_io(err, o->part, "make room");
  CLI_TRY(write_at(o, header, (size_t)o->start, 0, err));
  return write_trailer(o, 0, err);
}

static trm_status fail_other(const char *part, trm_error *err) {
  return cli_fail(err, TRM_E_CONFIG, -1,
                  "%s: belongs to another evaluation that was interrupted: give its --state and "
                  "options, or remove it",
                  part);
}

/* Two evaluations at once would share the rows of one part. */
static trm_status lock_part(npy_out *o, trm_error *err) {
  trm__lock lock;
  CLI_TRY(trm__lock_take(o->fd, o->part, &lock, err));
  if (lock == TRM__LOCK_BUSY)
    return cli_fail(err, TRM_E_SYSTEM, -1, "%s: another process is writing it", o->part);
  return TRM_OK;
}

/* Opens what lies at `path` and is a part of this evaluation; it is left alone otherwise. */
static trm_status open_existing(npy_out *o, const char *path, const char *header, trm_error *err) {
  bool ours;
  o->fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (o->fd < 0) return fail_io(err, path, "write");
  trm_status st = adopt(o, header, &ours, err);
  if (st == TRM_OK && !ours) st = fail_other(path, err);
  if (st == TRM_OK) st = lock_part(o, err);
  o->open = st == TRM_OK;
  if (!o->open) close(o->fd);
  return st;
}

/* A part appears complete: with its header and as one that nobody relies on. */
static trm_status create_part(npy_out *o, const char *header, trm_error *err) {
  o->fd = o->draft.fd;
  CLI_TRY(begin(o, header, err));
  if (fsync(o->fd) != 0) return fail_io(err, o->part, "write");
  return trm__draft_place(&o->draft, err);
}

/* A part that is there is taken over or left alone, never begun anew. One that no state relies on
 * is this process's own. */
static trm_status open_part(npy_out *o, const char *header, trm_error *err) {
  trm__kind part, placed;
  CLI_TRY(trm__draft_open(&o->draft, NULL, o->part, false, err));
  trm_status st = trm__path_look(o->part, &part, err);
  if (st == TRM_OK) st = trm__path_look(o->path, &placed, err);
  /* A finished part can be in its place already, while its state is not removed: there was no
   * time. */
  if (st == TRM_OK && part == TRM__ABSENT && placed == TRM__FILE && o->goes_on) {
    st = open_existing(o, o->path, header, err);
    if (st == TRM_OK) snprintf(o->part, sizeof o->part, "%s", o->path);
    if (st != TRM_E_CONFIG) {
      trm__draft_drop(&o->draft);
      return st;
    }
    st = TRM_OK; /* an older file, which the part will replace */
  }
  o->created = !o->goes_on || part == TRM__ABSENT;
  if (st == TRM_OK && part == TRM__ABSENT) st = create_part(o, header, err);
  trm__draft_drop(&o->draft);
  return st == TRM_OK ? open_existing(o, o->part, header, err) : st;
}

/* What would be put in the place of a part's file is not begun. */
static trm_status open_alone(npy_out *o, const char *header, trm_error *err) {
  char part[CLI_PATH_MAX + 8];
  snprintf(part, sizeof part, "%s.part", o->path);
  trm__kind kind;
  CLI_TRY(trm__path_look(part, &kind, err));
  if (kind != TRM__ABSENT) return fail_other(part, err);
  CLI_TRY(trm__draft_open(&o->draft, NULL, o->path, false, err));
  o->fd = o->draft.fd;
  o->open = true;
  return begin(o, header, err);
}

trm_status npy_out_open(npy_out *o, const char *path, trm__npy_type type, int64_t rows,
                        int64_t cols, const char *state, trm_error *err) {
  char header[TRM__NPY_HEADER];
  struct stat s;
  int64_t values = cols ? cols : 1;
  *o = (npy_out){.fd = -1, .alone = !state};
  if (state) {
    trm__kind kind;
    CLI_TRY(trm__path_look(state, &kind, err));
    CLI_TRY(new_tag(state, &o->tag, err));
    o->goes_on = kind != TRM__ABSENT;
  }
  CLI_TRY(cli_path(o->path, err, "%s", path));
  snprintf(o->part, sizeof o->part, "%s%s", path, o->alone ? TRM__PARTIAL : ".part");
  if (values > 1 << 28 || rows > INT64_MAX / 8 / values)
    return cli_fail(err, TRM_E_ARGUMENT, -1, "%s: %lld x %lld values are too many", path,
                    (long long)rows, (long long)values);
  if (stat(path, &s) == 0 && S_ISDIR(s.st_mode))
    return cli_fail(err, TRM_E_IO, -1, "%s: cannot write: it is a folder", path);
  o->start = (int64_t)trm__npy_header(header, type, cols ? 2 : 1, (int64_t[]){rows, cols});
  o->row_bytes = trm__npy_type_size(type) * (size_t)values;
  o->end = o->start + rows * (int64_t)o->row_bytes;
  return (o->alone ? open_alone : open_part)(o, header, err);
}

trm_status npy_out_row(npy_out *o, int64_t row, const void *values, trm_error *err) {
  return write_at(o, values, o->row_bytes, o->start + row * (int64_t)o->row_bytes, err);
}

trm_status npy_out_sync(npy_out *o, trm_error *err) {
  if (!o->marked) CLI_TRY(write_trailer(o, o->tag, err));
  if (fsync(o->fd) != 0) return fail_io(err, o->part, "write");
  o->marked = true;
  return TRM_OK;
}

static trm_status cut(npy_out *o, const char *path, trm_error *err) {
  if (ftruncate(o->fd, o->end) != 0 || fsync(o->fd) != 0) return fail_io(err, path, "write");
  return TRM_OK;
}

/* The folder of a file that was renamed reaches the disk. */
static trm_status settle(npy_out *o, trm_error *err) {
  char dir[CLI_PATH_MAX];
  o->created = false; /* nothing is left to remove */
  if (o->alone) {
    o->open = false;
    return trm__draft_placed(&o->draft, err);
  }
  const char *slash = strrchr(o->path, '/');
  CLI_TRY(
      cli_path(dir, err, "%.*s", slash ? (int)(slash - o->path) + 1 : 1, slash ? o->path : "."));
  return trm__sync_dir(dir, err);
}

trm_status npy_out_commit(npy_out *const *list, int n, trm_error *err) {
  trm_status st = TRM_OK;
  int moved = 0;
  for (int i = 0; i < n && st == TRM_OK; i++)
    if (list[i]->alone)
      st = cut(list[i], list[i]->part, err);
    else if (fsync(list[i]->fd) != 0)
      st = fail_io(err, list[i]->part, "write");
  for (; moved < n && st == TRM_OK; moved += st == TRM_OK)
    if (rename(list[moved]->part, list[moved]->path) != 0)
      st = fail_io(err, list[moved]->path, "write");
  if (st != TRM_OK)
    while (moved-- > 0) rename(list[moved]->path, list[moved]->part);
  for (int i = 0; i < n && st == TRM_OK; i++) st = settle(list[i], err);
  return st;
}

trm_status npy_out_finish(npy_out *const *list, int n, trm_error *err) {
  for (int i = 0; i < n; i++) CLI_TRY(cut(list[i], list[i]->path, err));
  return TRM_OK;
}

void npy_out_close(npy_out *o, bool keep) {
  if (!o->open) return;
  o->open = false;
  if (o->alone) {
    trm__draft_drop(&o->draft);
    return;
  }
  close(o->fd);
  if (o->created && !(keep && o->marked)) unlink(o->part);
}
