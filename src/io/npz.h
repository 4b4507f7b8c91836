/* NumPy's .npz: a zip archive of .npy files, as numpy.savez and numpy.savez_compressed write it. */
#ifndef TRM_IO_NPZ_H
#define TRM_IO_NPZ_H

#include "io/npy.h"

typedef struct trm__npz trm__npz;

/* Reads the list of arrays only, so that one that trm__npy cannot hold (texts, objects) does no
 * harm until it is asked for. Errors: IO; MEMORY; FORMAT. */
trm_status trm__npz_open(const char *path, trm__npz **out, trm_error *err);
void trm__npz_close(trm__npz *npz); /* NULL is fine; arrays end with it */
int trm__npz_count(const trm__npz *npz);
/* The i-th array's name, without ".npy". */
const char *trm__npz_name(const trm__npz *npz, int i);
/* An array that is read row by row: memory is taken for one row, or, in Fortran order, for all. */
typedef struct trm__npz_rows trm__npz_rows;
/* The array of that name ("inputs"); *out = NULL when there is none. Its header is read, and wants
 * as many bytes as the archive says. Close it before `npz`. Errors: MEMORY; FORMAT, naming file and
 * array. */
trm_status trm__npz_find(const trm__npz *npz, const char *name, trm__npz_rows **out,
                         trm_error *err);
void trm__npz_rows_close(trm__npz_rows *rows); /* NULL is fine */
/* Its type and shape; `data` is the row that was read last, elements 0 to row_count - 1, in C
 * order. */
const trm__npy *trm__npz_array(const trm__npz_rows *rows);
/* The next of its shape[0] rows. With the last one the whole array's CRC is checked. */
trm_status trm__npz_next(trm__npz_rows *rows, trm_error *err);

#endif
