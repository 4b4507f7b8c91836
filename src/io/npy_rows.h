/* Writes NumPy files row by row in any order.
 *
 * Alone, a file is a draft (base/draft.h). With a state the rows go to PATH.part, which is renamed
 * when it is committed. It may outlive the process: a tag behind the rows says which evaluation it
 * belongs to, and the next one goes on with it. A part of another evaluation is never changed or
 * removed. */
#ifndef TRM_IO_NPY_ROWS_H
#define TRM_IO_NPY_ROWS_H

#include "io/npy.h"

/* Zeroed: not open. */
typedef struct trm__npy_rows {
  char path[TRM__PATH_MAX], part[TRM__PATH_MAX + sizeof TRM__PARTIAL]; /* what is written */
  const char *file, *part_file; /* their last parts, below `in` */
  trm__dir in;
  trm__draft draft; /* of a file alone, and of a part until it has its name */
  int fd;           /* valid while `open` */
  bool open;
  bool created; /* the part is this process's own: it may remove it */
  bool goes_on; /* from a state that exists */
  bool alone;   /* no state will rely on it */
  bool marked;  /* the tag is in the part: a state may rely on it */
  int64_t start, end;
  size_t row_bytes;
  uint64_t tag; /* another one for every part that is begun; never 0, which is that of none, but
                   alone */
} trm__npy_rows;

/* [rows, cols], or [rows] for cols 0. state NULL: alone; where it exists, the part that it relies
 * on is taken over, else one that no state relies on, if there is any. Errors: CONFIG for a part
 * that cannot be taken over, IO, MEMORY, SYSTEM for one that another process writes. */
trm_status trm__npy_rows_open(trm__npy_rows *o, const char *path, trm__npy_type type, int64_t rows,
                              int64_t cols, const char *state, trm_error *err);
trm_status trm__npy_rows_put(trm__npy_rows *o, int64_t row, const void *values, trm_error *err);
/* What was written is on the disk, and marked as what a state relies on. */
trm_status trm__npy_rows_sync(trm__npy_rows *o, trm_error *err);
/* Puts n open files in their places: all of them, or on failure to rename a part, none. While a
 * state may rely on them they keep their tags, and trm__npy_rows_open finds them there. */
trm_status trm__npy_rows_commit(trm__npy_rows *const *list, int n, trm_error *err);
/* Cuts the tags off, after the state was removed. A process that is killed before leaves files that
 * are read all the same. */
trm_status trm__npy_rows_finish(trm__npy_rows *const *list, int n, trm_error *err);
/* Closes. A part that this process created and did not commit is removed, unless `keep` is true and
 * it is marked. */
void trm__npy_rows_close(trm__npy_rows *o, bool keep);

#endif
