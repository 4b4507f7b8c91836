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

/* The open file is a part with this header. */
static bool adopt(npy_out *o, const char *header) {
  char found[HEADER], trailer[TRAILER];
  struct stat s;
  if (fstat(o->fd, &s) != 0 || s.st_size != o->end + TRAILER ||
      !read_at(o, found, (size_t)o->start, 0) || memcmp(found, header, (size_t)o->start) != 0 ||
      !read_at(o, trailer, TRAILER, o->end) ||
      memcmp(trailer, trailer_magic, sizeof trailer_magic) != 0)
    return false;
  memcpy(&o->tag, trailer + sizeof trailer_magic, sizeof o->tag);
  o->needed = true; /* who left it there may still count on it */
  return o->tag != 0;
}

static uint64_t new_tag(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  uint64_t x = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
  x = (x ^ (uint64_t)getpid() << 40) * UINT64_C(0x9e3779b97f4a7c15);
  return (x ^ x >> 31) | 1;
}

static trm_status begin(npy_out *o, const char *header, trm_error *err) {
  char trailer[TRAILER];
  o->tag = new_tag();
  o->needed = false;
  memcpy(trailer, trailer_magic, sizeof trailer_magic);
  memcpy(trailer + sizeof trailer_magic, &o->tag, sizeof o->tag);
  if (ftruncate(o->fd, 0) != 0 || ftruncate(o->fd, o->end) != 0)
    return fail_io(err, o->part, "make room");
  CLI_TRY(write_at(o, header, (size_t)o->start, 0, err));
  return write_at(o, trailer, sizeof trailer, o->end, err);
}

trm_status npy_out_open(npy_out *o, const char *path, npy_out_type type, int64_t rows, int64_t cols,
                        bool go_on, trm_error *err) {
  char header[HEADER];
  int64_t values = cols ? cols : 1;
  *o = (npy_out){.fd = -1};
  CLI_TRY(cli_path(o->path, err, "%s", path));
  snprintf(o->part, sizeof o->part, "%s.part", path);
  if (values > 1 << 28 || rows > INT64_MAX / 8 / values)
    return cli_fail(err, TRM_E_ARGUMENT, -1, "%s: %lld x %lld values are too many", path,
                    (long long)rows, (long long)values);
  o->start = make_header(header, type, rows, cols);
  o->row_bytes = 4 * (size_t)values;
  o->end = o->start + rows * (int64_t)o->row_bytes;
  o->fd = open(o->part, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (o->fd < 0) return fail_io(err, o->part, "write");
  o->open = true;
  return go_on && adopt(o, header) ? TRM_OK : begin(o, header, err);
}

trm_status npy_out_row(npy_out *o, int64_t row, const void *values, trm_error *err) {
  return write_at(o, values, o->row_bytes, o->start + row * (int64_t)o->row_bytes, err);
}

trm_status npy_out_sync(npy_out *o, trm_error *err) {
  if (fsync(o->fd) != 0) return fail_io(err, o->part, "write");
  o->needed = true;
  return TRM_OK;
}

trm_status npy_out_commit(npy_out *o, trm_error *err) {
  char dir[CLI_PATH_MAX];
  if (ftruncate(o->fd, o->end) != 0 || fsync(o->fd) != 0 || rename(o->part, o->path) != 0)
    return fail_io(err, o->path, "write");
  o->needed = true;
  npy_out_close(o);
  const char *slash = strrchr(o->path, '/');
  CLI_TRY(
      cli_path(dir, err, "%.*s", slash ? (int)(slash - o->path) + 1 : 1, slash ? o->path : "."));
  return cli_sync_dir(dir, err);
}

void npy_out_close(npy_out *o) {
  if (!o->open) return;
  close(o->fd);
  if (!o->needed) unlink(o->part);
  o->open = false;
}
