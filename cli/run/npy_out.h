/* Writes NumPy files row by row in any order.
 *
 * Alone, a file is a draft (base/draft.h). With a state the rows go to PATH.part, which is renamed
 * when it is committed. It may outlive the process: a tag behind the rows says which evaluation it
 * belongs to, and the next one goes on with it. A part of another evaluation is never changed or
 * removed. */
#ifndef TRM_CLI_NPY_OUT_H
#define TRM_CLI_NPY_OUT_H

#include "cli/files.h"
#include "io/npy.h"

/* Zeroed: not open. */
typedef struct npy_out {
  char path[CLI_PATH_MAX], part[CLI_PATH_MAX + sizeof TRM__PARTIAL];
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
} npy_out;

/* [rows, cols], or [rows] for cols 0. state NULL: alone; where it exists, the part that it relies
 * on is taken over, else one that no state relies on, if there is any. Errors: CONFIG for a part
 * that cannot be taken over, IO, MEMORY, SYSTEM for one that another process writes. */
trm_status npy_out_open(npy_out *o, const char *path, trm__npy_type type, int64_t rows,
                        int64_t cols, const char *state, trm_error *err);
trm_status npy_out_row(npy_out *o, int64_t row, const void *values, trm_error *err);
/* What was written is on the disk, and marked as what a state relies on. */
trm_status npy_out_sync(npy_out *o, trm_error *err);
/* Puts n open files in their places: all of them, or on failure to rename a part, none. While a
 * state may rely on them they keep their tags, and npy_out_open finds them there. */
trm_status npy_out_commit(npy_out *const *list, int n, trm_error *err);
/* Cuts the tags off, after the state was removed. A process that is killed before leaves files that
 * are read all the same. */
trm_status npy_out_finish(npy_out *const *list, int n, trm_error *err);
/* Closes. A part that this process created and did not commit is removed, unless `keep` is true and
 * it is marked. */
void npy_out_close(npy_out *o, bool keep);

#endif
