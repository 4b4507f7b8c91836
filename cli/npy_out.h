/* Writes NumPy files row by row in any order; the library's reader and writer of .npy are not part
 * of its public face.
 *
 * The rows go to PATH.part, which is renamed when it is committed. It may outlive the process: a
 * tag behind the rows says which evaluation it belongs to, and the next one goes on with it. */
#ifndef TRM_CLI_NPY_OUT_H
#define TRM_CLI_NPY_OUT_H

#include "files.h"

typedef enum npy_out_type { NPY_OUT_INT32, NPY_OUT_FLOAT32 } npy_out_type;

/* Zeroed: not open. */
typedef struct npy_out {
  char path[CLI_PATH_MAX], part[CLI_PATH_MAX + 8];
  int fd; /* valid while `open` */
  bool open;
  bool needed; /* the part is to be kept: a saved state counts on it */
  int64_t start, end;
  size_t row_bytes;
  uint64_t tag; /* another one for every part that is begun; never 0 */
} npy_out;

/* [rows, cols], or [rows] for cols 0. With `go_on` an existing part of the same shape is taken as
 * it is. */
trm_status npy_out_open(npy_out *o, const char *path, npy_out_type type, int64_t rows, int64_t cols,
                        bool go_on, trm_error *err);
trm_status npy_out_row(npy_out *o, int64_t row, const void *values, trm_error *err);
/* What was written is on the disk, and needed from now on. */
trm_status npy_out_sync(npy_out *o, trm_error *err);
trm_status npy_out_commit(npy_out *o, trm_error *err);
/* Closes; a part that was not committed is removed unless it is needed. */
void npy_out_close(npy_out *o);

#endif
