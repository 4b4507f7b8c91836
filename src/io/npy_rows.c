/* See npy_rows.h. */
#include "io/npy_rows.h"

#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/os_thread.h"

enum { TRAILER = 16 };

static const char trailer_magic[TRAILER - 8] = {'t', 'r', 'm', ' ', 'p', 'a', 'r', 't'};

/* Forwards a cause, 0: none. */
static trm_status report(const char *path, const char *doing, int cause, trm_error *err) {
  if (!cause) return TRM_OK;
  TRM_FAIL(err, TRM_E_IO, "%s: cannot %s: %s", path, doing, trm__os_text(cause));
}

static trm_status write_at(trm__npy_rows *o, const void *data, size_t n, int64_t at,
                           trm_error *err) {
  return report(o->part, "write", trm__os_write_at(o->fd, data, n, at), err);
}

/* *same: the bytes at `at` are these. */
static trm_status compare_at(trm__npy_rows *o, const void *want, size_t n, int64_t at, bool *same,
                             trm_error *err) {
  char found[TRM__NPY_HEADER];
  size_t got = 0;
  TRM_TRY(report(o->part, "read", trm__os_read_at(o->fd, found, n, at, &got), err));
  *same = got == n && !memcmp(found, want, n);
  return TRM_OK;
}

/* *ours: the open file, which has so many names (0: it is no plain file), is a part with this
 * header, and the state relies on it (its tag is taken) or nobody does: it has no tag, or that of a
 * state that was never written. */
static trm_status adopt(trm__npy_rows *o, const char *header, int links, bool *ours,
                        trm_error *err) {
  const int64_t at = o->end + (int64_t)sizeof trailer_magic;
  uint64_t tag = 0;
  size_t got = 0;
  int64_t size = 0;
  *ours = false;

  /* A second name may lie anywhere, and would be written through. */
  TRM_TRY(report(o->part, "examine", trm__os_size(o->fd, &size), err));
  if (links != 1 || size != o->end + TRAILER) return TRM_OK;
  TRM_TRY(compare_at(o, header, (size_t)o->start, 0, ours, err));
  if (!*ours) return TRM_OK;
  TRM_TRY(compare_at(o, trailer_magic, sizeof trailer_magic, o->end, ours, err));
  if (*ours)
    TRM_TRY(report(o->part, "read", trm__os_read_at(o->fd, &tag, sizeof tag, at, &got), err));

  if (tag && !o->goes_on && (uint32_t)tag != (uint32_t)o->tag) *ours = false;
  if (tag && o->goes_on) o->tag = tag;
  return TRM_OK;
}

/* One that is new, and in its lower half says whose it is: that of one path of a state. */
static trm_status new_tag(const char *state, uint64_t *tag, trm_error *err) {
  struct timespec t = {0};
  trm__dir in;
  char *name;
  uint64_t folder = 0;
  TRM_TRY(trm__dir_open_parent(&in, state, &name, err));
  const trm_status st = report(in.path, "examine", trm__os_identity(&in, &folder), err);
  uint64_t owner = trm__hash_bytes(TRM__HASH_START, &folder, sizeof folder);
  owner = trm__hash_bytes(owner, name, strlen(name));
  trm__free(name);
  trm__dir_close(&in);
  TRM_TRY(st);

  (void)timespec_get(&t, TIME_UTC);
  uint64_t x = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
  x = (x ^ (uint64_t)trm__os_process() << 40) * UINT64_C(0x9e3779b97f4a7c15);
  *tag = (x ^ x >> 31) << 32 | (uint32_t)(owner ^ owner >> 32) | 1;
  return TRM_OK;
}

static trm_status write_trailer(trm__npy_rows *o, uint64_t tag, trm_error *err) {
  char trailer[TRAILER];
  memcpy(trailer, trailer_magic, sizeof trailer_magic);
  memcpy(trailer + sizeof trailer_magic, &tag, sizeof tag);
  return write_at(o, trailer, sizeof trailer, o->end, err);
}

static trm_status begin(trm__npy_rows *o, const char *header, trm_error *err) {
  TRM_TRY(report(o->part, "make room", trm__os_cut(o->fd, o->end), err));
  TRM_TRY(write_at(o, header, (size_t)o->start, 0, err));
  return write_trailer(o, 0, err);
}

static trm_status fail_other(const char *part, trm_error *err) {
  TRM_FAIL(err, TRM_E_CONFIG,
           "%s: belongs to another evaluation that was interrupted: give its --state and options, "
           "or remove it",
           part);
}

/* Two evaluations at once would share the rows of one part. */
static trm_status lock_part(trm__npy_rows *o, trm_error *err) {
  trm__lock lock;
  TRM_TRY(trm__lock_take(o->fd, o->part, &lock, err));
  if (lock == TRM__LOCK_BUSY)
    TRM_FAIL(err, TRM_E_SYSTEM, "%s: another process is writing it", o->part);
  return TRM_OK;
}

/* Opens what is called `file` and is a part of this evaluation; it is left alone otherwise. */
static trm_status open_existing(trm__npy_rows *o, const char *path, const char *file,
                                const char *header, trm_error *err) {
  bool ours;
  int links = 0;
  TRM_TRY(report(path, "write", trm__os_open_rows(&o->in, file, &o->fd, &links), err));
  trm_status st = adopt(o, header, links, &ours, err);
  if (st == TRM_OK && !ours) st = fail_other(path, err);
  if (st == TRM_OK) st = lock_part(o, err);
  o->open = st == TRM_OK;
  if (!o->open) trm__os_close(o->fd);
  return st;
}

/* A part appears complete: with its header and as one that nobody relies on. */
static trm_status create_part(trm__npy_rows *o, const char *header, trm_error *err) {
  o->fd = o->draft.fd;
  TRM_TRY(begin(o, header, err));
  TRM_TRY(report(o->part, "write", trm__os_sync_fd(o->fd), err));
  return trm__draft_place(&o->draft, err);
}

/* A part that is there is taken over or left alone, never begun anew. One that no state relies on
 * is this process's own. */
static trm_status open_part(trm__npy_rows *o, const char *header, trm_error *err) {
  trm__kind part, placed;
  TRM_TRY(trm__draft_open(&o->draft, NULL, o->part, false, err));
  trm_status st = trm__path_look(o->part, &part, err);
  if (st == TRM_OK) st = trm__path_look(o->path, &placed, err);

  /* A finished part can be in its place already, while its state is not removed: there was no
   * time. */
  if (st == TRM_OK && part == TRM__ABSENT && placed == TRM__FILE && o->goes_on) {
    st = open_existing(o, o->path, o->file, header, err);
    if (st == TRM_OK) {
      memcpy(o->part, o->path, sizeof o->path);
      o->part_file = o->part + (o->file - o->path);
    }
    if (st != TRM_E_CONFIG) {
      trm__draft_drop(&o->draft);
      return st;
    }
    st = TRM_OK; /* an older file, which the part will replace */
  }

  o->created = !o->goes_on || part == TRM__ABSENT;
  if (st == TRM_OK && part == TRM__ABSENT) st = create_part(o, header, err);
  trm__draft_drop(&o->draft);
  return st == TRM_OK ? open_existing(o, o->part, o->part_file, header, err) : st;
}

/* What would be put in the place of a part's file is not begun. */
static trm_status open_alone(trm__npy_rows *o, const char *header, trm_error *err) {
  trm__kind kind;
  char part[TRM__PATH_MAX];
  TRM_TRY(trm__path_format(part, err, "%s.part", o->path));
  TRM_TRY(trm__path_look(part, &kind, err));
  if (kind != TRM__ABSENT) return fail_other(part, err);
  TRM_TRY(trm__draft_open(&o->draft, NULL, o->path, false, err));
  o->fd = o->draft.fd;
  o->open = true;
  return begin(o, header, err);
}

/* The last part of a path, where it begins. */
static const char *last_of(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/* Paths, the folder, and the file's layout; *header is what it begins with. */
static trm_status set_up(trm__npy_rows *o, const char *path, trm__npy_type type, int64_t rows,
                         int64_t cols, char header[TRM__NPY_HEADER], trm_error *err) {
  const int64_t values = cols ? cols : 1;
  char *name;
  trm__kind kind;
  TRM_TRY(trm__path_format(o->path, err, "%s", path));
  (void)snprintf(o->part, sizeof o->part, "%s%s", path, o->alone ? TRM__PARTIAL : ".part");
  o->file = last_of(o->path);
  o->part_file = last_of(o->part);
  if (values > 1 << 28 || rows > INT64_MAX / 8 / values)
    TRM_FAIL(err, TRM_E_ARGUMENT, "%s: %lld x %lld values are too many", path, (long long)rows,
             (long long)values);
  TRM_TRY(trm__path_look(path, &kind, err));
  if (kind == TRM__DIR) TRM_FAIL(err, TRM_E_IO, "%s: cannot write: it is a folder", path);

  trm_error cause = {0};
  const trm_status st = trm__dir_open_parent(&o->in, path, &name, &cause);
  if (st != TRM_OK) TRM_FAIL(err, st, "%s: cannot be written: %s", path, cause.msg);
  trm__free(name);
  o->start = (int64_t)trm__npy_header(header, type, cols ? 2 : 1, (int64_t[]){rows, cols});
  o->row_bytes = trm__npy_type_size(type) * (size_t)values;
  o->end = o->start + rows * (int64_t)o->row_bytes;
  return TRM_OK;
}

trm_status trm__npy_rows_open(trm__npy_rows *o, const char *path, trm__npy_type type, int64_t rows,
                              int64_t cols, const char *state, trm_error *err) {
  char header[TRM__NPY_HEADER];
  *o = (trm__npy_rows){.alone = !state};
  if (state) {
    trm__kind kind;
    TRM_TRY(trm__path_look(state, &kind, err));
    TRM_TRY(new_tag(state, &o->tag, err));
    o->goes_on = kind != TRM__ABSENT;
  }
  trm_status st = set_up(o, path, type, rows, cols, header, err);
  if (st == TRM_OK) st = (o->alone ? open_alone : open_part)(o, header, err);
  if (!o->open) trm__dir_close(&o->in);
  return st;
}

trm_status trm__npy_rows_put(trm__npy_rows *o, int64_t row, const void *values, trm_error *err) {
  return write_at(o, values, o->row_bytes, o->start + row * (int64_t)o->row_bytes, err);
}

trm_status trm__npy_rows_sync(trm__npy_rows *o, trm_error *err) {
  if (!o->marked) TRM_TRY(write_trailer(o, o->tag, err));
  TRM_TRY(report(o->part, "write", trm__os_sync_fd(o->fd), err));
  o->marked = true;
  return TRM_OK;
}

static trm_status cut(trm__npy_rows *o, const char *path, trm_error *err) {
  TRM_TRY(report(path, "write", trm__os_cut(o->fd, o->end), err));
  return report(path, "write", trm__os_sync_fd(o->fd), err);
}

static int rename_in(const trm__npy_rows *o, const char *from, const char *to) {
  return strcmp(from, to) ? trm__os_rename(&o->in, from, &o->in, to) : 0;
}

/* The folder of a file that was renamed reaches the disk. */
static trm_status settle(trm__npy_rows *o, trm_error *err) {
  o->created = false; /* nothing is left to remove */
  if (!o->alone) return trm__dir_sync(&o->in, err);
  o->open = false;
  trm__dir_close(&o->in);
  return trm__draft_placed(&o->draft, err);
}

trm_status trm__npy_rows_commit(trm__npy_rows *const *list, int n, trm_error *err) {
  trm_status st = TRM_OK;
  int moved = 0;
  for (int i = 0; i < n && st == TRM_OK; i++)
    st = list[i]->alone ? cut(list[i], list[i]->part, err)
                        : report(list[i]->part, "write", trm__os_sync_fd(list[i]->fd), err);

  /* All, or those that were renamed go back. */
  for (; moved < n && st == TRM_OK; moved += st == TRM_OK)
    st = report(list[moved]->path, "write",
                rename_in(list[moved], list[moved]->part_file, list[moved]->file), err);
  if (st != TRM_OK)
    while (moved-- > 0) (void)rename_in(list[moved], list[moved]->file, list[moved]->part_file);
  for (int i = 0; i < n && st == TRM_OK; i++) st = settle(list[i], err);
  return st;
}

trm_status trm__npy_rows_finish(trm__npy_rows *const *list, int n, trm_error *err) {
  for (int i = 0; i < n; i++) TRM_TRY(cut(list[i], list[i]->path, err));
  return TRM_OK;
}

void trm__npy_rows_close(trm__npy_rows *o, bool keep) {
  if (!o->open) return;
  o->open = false;
  if (o->alone) {
    trm__draft_drop(&o->draft);
  } else {
    trm__os_close(o->fd);
    if (o->created && !(keep && o->marked)) (void)trm__os_remove(&o->in, o->part_file);
  }
  trm__dir_close(&o->in);
}
