/* Files packed by gzip (RFC 1952), one member behind the other as `cat` joins them; what unpacks
 * them takes memory in proportion to what is asked for, not to what they claim. */
#ifndef TRM_IO_GZIP_H
#define TRM_IO_GZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/file.h"

/* True when bytes begin as such a file does. */
bool trm__gzip_is(const void *data, size_t n);

/* A packed file in memory, which must stay, unpacked piece by piece. `path` is for messages. */
typedef struct trm__gzip trm__gzip;
trm_status trm__gzip_open(const char *path, const void *data, size_t n, trm__gzip **out,
                          trm_error *err);
void trm__gzip_close(trm__gzip *g); /* NULL is fine */
/* Up to n more bytes; *got is less at the end only, and the CRCs are checked by then. Errors:
 * FORMAT for broken and truncated data; MEMORY. */
trm_status trm__gzip_read(trm__gzip *g, void *out, size_t n, size_t *got, trm_error *err);

/* How many bytes it has when unpacked, or a number above `most` where it has more. Nothing is kept
 * of them, and all CRCs are checked. */
trm_status trm__gzip_measure(const char *path, const void *data, size_t n, size_t most,
                             size_t *size, trm_error *err);
/* All of it in a fresh block (trm__free) of `size` bytes, as many as were measured. */
trm_status trm__gzip_unpack(const char *path, const void *data, size_t n, size_t size,
                            unsigned char **out, trm_error *err);

/* Opens a file as trm__map_open does; of a packed one what it holds, in memory, if there is room
 * for it: a small file may hold much. */
trm_status trm__gzip_map(const char *path, trm__map *map, trm_error *err);

#endif
