/* Writes a NumPy file; the library's reader and writer of .npy are not part of its public face. */
#ifndef TRM_CLI_NPY_OUT_H
#define TRM_CLI_NPY_OUT_H

#include "files.h"

/* int32 [rows, cols], row-major, into the opened file, which is committed. */
trm_status cli_npy_write(cli_outfile *out, const int32_t *data, int64_t rows, int64_t cols,
                         trm_error *err);

#endif
