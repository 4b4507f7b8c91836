/* Files: read-only maps, writes that appear complete or not at all, folders. */
#ifndef TRM_BASE_FILE_H
#define TRM_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"

/* A whole file mapped read-only. size 0 has data NULL. */
typedef struct trm__map {
  const unsigned char *data;
  size_t size;
} trm__map;
trm_status trm__map_open(const char *path, trm__map *map, trm_error *err);
void trm__map_close(trm__map *map); /* zeroed map is fine; zeroes it */

/* A file that is written beside its place and renamed into it:
 *   trm__writer w; TRM_TRY(trm__writer_open(&w, path, err));
 *   trm__write(&w, p, n); ...        (errors are remembered, not returned)
 *   return trm__writer_commit(&w, err);  -- flush, fsync, rename, fsync folder
 * A failed commit removes the temporary file and names path and cause. A process has at
 * most one writer per path at a time. */
typedef struct trm__writer {
  FILE *f;
  char *path, *tmp;
  int error; /* first errno, 0 */
} trm__writer;
trm_status trm__writer_open(trm__writer *w, const char *path, trm_error *err);
void trm__write(trm__writer *w, const void *data, size_t n);
void trm__writer_printf(trm__writer *w, const char *fmt, ...) TRM__PRINTF(2, 3);
trm_status trm__writer_commit(trm__writer *w, trm_error *err);
void trm__writer_abort(trm__writer *w); /* after commit or on zeroed: no effect */

/* mkdir -p; an existing folder is fine. */
trm_status trm__make_dirs(const char *path, trm_error *err);
/* fsync of a folder, so that renames in it survive a power cut. */
trm_status trm__sync_dir(const char *path, trm_error *err);
/* Removes a folder and what is in it (no links followed); absent is fine. */
trm_status trm__remove_tree(const char *path, trm_error *err);
bool trm__path_exists(const char *path);
bool trm__path_is_dir(const char *path);
/* "dir/name" in a fresh block (trm__free), NULL when out of memory. */
char *trm__path_join(const char *dir, const char *name);

#endif
