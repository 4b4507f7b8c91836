/* Files: read-only maps, and writes that appear complete or not at all. */
#ifndef TRM_BASE_FILE_H
#define TRM_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/draft.h"

/* A whole file, read-only: a copy of a small one, a map of a large one, which must not be cut while
 * it is open (without maps, by TRM_OS=none, a copy). size 0 has data NULL. */
typedef struct trm__map {
  const unsigned char *data;
  size_t size;
  bool copied;
} trm__map;
/* Errors: IO (what is no plain file is refused, and does not block); MEMORY. */
trm_status trm__map_open(const char *path, trm__map *map, trm_error *err);
void trm__map_close(trm__map *map); /* zeroed map is fine; zeroes it */

/* A file that is written beside its place and renamed into it (base/draft.h):
 *   trm__writer w; TRM_TRY(trm__writer_open(&w, path, err));
 *   trm__write(&w, p, n); ...        (errors are remembered, not returned)
 *   return trm__writer_commit(&w, err);  -- flush, fsync, rename, fsync folder
 * A failed commit removes what was written and names path and cause. One process at a time writes
 * a path, through one writer. A link of that name is replaced, what it points to stays. */
typedef struct trm__writer {
  FILE *f; /* its own: a caller that printed into it would lose the cause of a failure */
  trm__draft draft;
  int error; /* the first cause (base/os_file.h), 0 */
} trm__writer;
trm_status trm__writer_open(trm__writer *w, const char *path, trm_error *err);
/* The file `name` in an open folder, which must stay open until the writer is done. */
trm_status trm__writer_open_at(trm__writer *w, const trm__dir *in, const char *name,
                               trm_error *err);
void trm__write(trm__writer *w, const void *data, size_t n);
/* Where the next byte goes; a failure is remembered, and the place is then one that exists. */
int64_t trm__writer_tell(trm__writer *w);
void trm__writer_seek(trm__writer *w, int64_t at);
void trm__writer_seek_end(trm__writer *w);
void trm__writer_printf(trm__writer *w, const char *fmt, ...) TRM__PRINTF(2, 3);
trm_status trm__writer_commit(trm__writer *w, trm_error *err);
/* All of that for n bytes that are there: the file `name` in an open folder, or with in NULL a
 * path. */
trm_status trm__writer_save(const trm__dir *in, const char *name, const void *data, size_t n,
                            trm_error *err);
void trm__writer_abort(trm__writer *w); /* after commit or on zeroed: no effect */

#endif
