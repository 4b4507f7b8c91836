/* The lines of a small file, such as the kernel's, without taking memory: what the system says is
 * also asked for when there is none left. A line that does not fit is passed over. */
#ifndef TRM_BASE_OS_LINUX_LINES_H
#define TRM_BASE_OS_LINUX_LINES_H

#include <stdbool.h>
#include <stddef.h>

typedef struct trm__system_lines {
  int fd;
  size_t begin, end, total; /* bytes of the buffer not yet given out; bytes read */
  char buffer[8192];
} trm__system_lines;

/* False when there is no such regular file; then there is nothing to close. */
bool trm__system_lines_open(trm__system_lines *r, const char *path);
/* The same of the file at ROOT/NAME. */
bool trm__system_lines_open_below(trm__system_lines *r, const char *root, const char *name);
/* The next whole line without its end, valid until the call after; NULL after the last. */
char *trm__system_lines_next(trm__system_lines *r);
void trm__system_lines_close(trm__system_lines *r);

#endif
