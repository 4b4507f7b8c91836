/* See npy_out.h. */
#include "npy_out.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { NPY_ALIGN = 64, NPY_PREFIX = 10, HEADER = 3 * NPY_ALIGN, TRAILER = 16 };

static const char trailer_magic[TRAILER - 8] = "trm part";

static trm_status fail_io(trm_error *err, const char *path, const char *doing) {
  return cli_fail(err, TRM_E_IO, -1, "%s: cannot %s: %s", path, doing, strerror(errno));
}

static char byte_order(void) {
  const uint16_t one = 1;
  unsigned char first;
  memcpy(&first, &one, 1);
  return first ? '<' : '>';
}

/* The header as numpy.save writes it; returns its length. */
static int make_header(char out[HEADER], npy_out_type type, int64_t rows, int64_t cols) {
  char shape[64], text[HEADER];
  if (cols)
    snprintf(shape, sizeof shape, "(%lld, %lld)", (long long)rows, (long long)cols);
  else
    snprintf(shape, sizeof shape, "(%lld,)", (long long)rows);
  int n = snprintf(text, sizeof text, "{'descr': '%c%s', 'fortran_order': False, 'shape': %s, }",
                   byte_order(), type == NPY_OUT_INT32 ? "i4" : "f4", shape);
  /* Spaces and a newline up to a multiple of 64, magic and length included. */
  int length = (NPY_PREFIX + n + 1 + NPY_ALIGN - 1) / NPY_ALIGN * NPY_ALIGN - NPY_PREFIX;
  memcpy(out, "\x93NUMPY\x01\x00", 8);
  out[8] = (char)(length & 255);
  out[9] = (char)(length >> 8);
  memset(out + NPY_PREFIX, ' ', (size_t)length);
  memcpy(out + NPY_PREFIX, text, (size_t)n);
  out[NPY_PREFIX + length - 1] = '\n';
  return NPY_PREFIX + length;
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

static bool read_at(const npy_out *o, void *data, size_t n, int64_t at) {
  return pread(o->fd, data, n, at) == (ssize_t)n;
}

/* The open file is a part with this header, and the state relies on it or nobody does. Takes its
 * tag. */
static bool adopt(npy_out *o, const char *header, bool has_state) {
  char found[HEADER], trailer[TRAILER];
  uint64_t tag;
  struct stat s;
  if (fstat(o->fd, &s) != 0 || s.st_size != o->end + TRAILER ||
      !read_at(o, found, (size_t)o->start, 0) || memcmp(found, header, (size_t)o->start) != 0 ||
      !read_at(o, trailer, TRAILER, o->end) ||
      memcmp(trailer, trailer_magic, sizeof trailer_magic) != 0)
    return false;
  memcpy(&tag, trailer + sizeof trailer_magic, sizeof tag);
  if (tag && !has_state) return false;
  if (tag) o->tag = tag;
  return true;
}

static uint64_t new_tag(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  uint64_t x = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
  x = (x ^ (uint64_t)getpid() << 40) * UINT64_C(0x9e3779b97f4a7c15);
  return (x ^ x >> 31) | 1;
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

/* A finished part is in its place already, its state is not removed yet: there was no time. */
static bool open_placed(npy_out *o, const char *header) {
  if (cli_exists(o->part)) return false;
  o->fd = open(o->path, O_RDWR | O_CLOEXEC);
  if (o->fd < 0) return false;
  o->open = adopt(o, header, true);
  if (!o->open) {
    close(o->fd);
    return false;
  }
  snprintf(o->part, sizeof o->part, "%s", o->path);
  return true;
}

/* A part that is there is taken over or left alone, never begun anew. */
static trm_status open_part(npy_out *o, const char *header, npy_out_use use, trm_error *err) {
  if (use == NPY_OUT_GO_ON && open_placed(o, header)) return TRM_OK;
  o->fd = open(o->part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  o->created = o->fd >= 0;
  if (o->fd < 0 && errno == EEXIST) o->fd = open(o->part, O_RDWR | O_CLOEXEC);
  if (o->fd < 0) return fail_io(err, o->part, "write");
  o->open = true;
  if (o->created) return begin(o, header, err);
  if (use != NPY_OUT_ALONE && adopt(o, header, use == NPY_OUT_GO_ON)) return TRM_OK;
  return cli_fail(err, TRM_E_CONFIG, -1,
                  "%s: belongs to another evaluation that was interrupted: give its --state and "
                  "options, or remove it",
                  o->part);
}

trm_status npy_out_open(npy_out *o, const char *path, npy_out_type type, int64_t rows, int64_t cols,
                        npy_out_use use, trm_error *err) {
  char header[HEADER];
  struct stat s;
  int64_t values = cols ? cols : 1;
  *o = (npy_out){.fd = -1, .alone = use == NPY_OUT_ALONE, .tag = new_tag()};
  CLI_TRY(cli_path(o->path, err, "%s", path));
  snprintf(o->part, sizeof o->part, "%s.part", path);
  if (values > 1 << 28 || rows > INT64_MAX / 8 / values)
    return cli_fail(err, TRM_E_ARGUMENT, -1, "%s: %lld x %lld values are too many", path,
                    (long long)rows, (long long)values);
  if (stat(path, &s) == 0 && S_ISDIR(s.st_mode))
    return cli_fail(err, TRM_E_IO, -1, "%s: cannot write: it is a folder", path);
  o->start = make_header(header, type, rows, cols);
  o->row_bytes = 4 * (size_t)values;
  o->end = o->start + rows * (int64_t)o->row_bytes;
  return open_part(o, header, use, err);
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
  const char *slash = strrchr(o->path, '/');
  CLI_TRY(
      cli_path(dir, err, "%.*s", slash ? (int)(slash - o->path) + 1 : 1, slash ? o->path : "."));
  return cli_sync_dir(dir, err);
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
  close(o->fd);
  if (o->created && !(keep && o->marked)) unlink(o->part);
  o->open = false;
}
