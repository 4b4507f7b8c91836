#define _GNU_SOURCE 1 /* in front of every header: O_CLOEXEC */
#include "base/os_linux_lines.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_BYTES = 4 << 20 /* of a file: mountinfo has some hundred bytes for each mount */ };

bool trm__system_lines_open(trm__system_lines *r, const char *path) {
  struct stat info;
  r->begin = r->end = r->total = 0;
  r->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not hang us */
  if (r->fd < 0) return false;
  if (fstat(r->fd, &info) == 0 && S_ISREG(info.st_mode)) return true;
  (void)close(r->fd);
  return false;
}

bool trm__system_lines_open_below(trm__system_lines *r, const char *root, const char *name) {
  char path[4096];
  const int n = snprintf(path, sizeof path, "%s%s", root, name);
  return n >= 0 && (size_t)n < sizeof path && trm__system_lines_open(r, path);
}

/* More bytes behind those not yet given out; false at the end or when there is no room. */
static bool fill(trm__system_lines *r) {
  memmove(r->buffer, r->buffer + r->begin, r->end - r->begin);
  r->end -= r->begin;
  r->begin = 0;
  const size_t room = sizeof r->buffer - r->end;
  const ssize_t n = room && r->total < MAX_BYTES ? read(r->fd, r->buffer + r->end, room) : 0;
  if (n <= 0) return false;
  r->end += (size_t)n;
  r->total += (size_t)n;
  return true;
}

char *trm__system_lines_next(trm__system_lines *r) {
  bool whole = true;
  for (;;) {
    char *line = r->buffer + r->begin, *stop = memchr(line, '\n', r->end - r->begin);
    if (stop) {
      r->begin = (size_t)(stop + 1 - r->buffer);
      *stop = 0;
      if (whole) return line;
      whole = true;
      continue;
    }
    if (r->end - r->begin == sizeof r->buffer) { /* too long: drop what there is of it */
      r->begin = r->end;
      whole = false;
    }
    if (!fill(r)) return NULL;
  }
}

void trm__system_lines_close(trm__system_lines *r) {
  (void)close(r->fd);
}
