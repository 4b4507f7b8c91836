/* Lines of a text file, ended by LF, CR LF or a lone CR; a byte order mark is skipped. A plain file
 * is mapped, one packed by gzip, which its first bytes tell, is unpacked into memory. */
#ifndef TRM_IO_LINES_H
#define TRM_IO_LINES_H

#include "base/file.h"

typedef struct trm__lines {
  trm__map map;
  size_t at;
  long long n; /* lines read */
} trm__lines;

/* Maps a file of text; *begin is where it begins, behind its mark. Errors: IO; MEMORY, also where a
 * packed one holds more than there is room for; FORMAT for UTF-16 and broken gzip data. */
trm_status trm__lines_map(const char *path, trm__map *map, size_t *begin, trm_error *err);

trm_status trm__lines_open(trm__lines *in, const char *path, trm_error *err);
void trm__lines_close(trm__lines *in); /* a zeroed one is fine */
enum { TRM__LINES_MAX = 32 << 20 };
/* The next line without its end; false at the end of the file. Of a longer one than TRM__LINES_MAX
 * bytes only that many and one are looked at: refuse it. */
bool trm__lines_next(trm__lines *in, const char **text, size_t *n);

#endif
