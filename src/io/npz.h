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
/* The array of that name ("inputs"), read and checked at the first call; *out = NULL when there is
 * none. It belongs to `npz`: do not close it. A compressed one may have 4 GiB unpacked at most, and
 * takes no memory before its header is seen to want as many bytes as the archive says. Errors:
 * MEMORY; FORMAT, naming file and array. */
trm_status trm__npz_find(trm__npz *npz, const char *name, const trm__npy **out, trm_error *err);

#endif
