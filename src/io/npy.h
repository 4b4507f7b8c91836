/* NumPy's .npy files: arrays of one to three dimensions, read mapped, and written in C order. */
#ifndef TRM_IO_NPY_H
#define TRM_IO_NPY_H

#include "base/file.h"

enum { TRM__NPY_MAX_DIMS = 3 };

typedef enum trm__npy_type {
  TRM__NPY_B1,
  TRM__NPY_U1,
  TRM__NPY_I1,
  TRM__NPY_U2,
  TRM__NPY_I2,
  TRM__NPY_U4,
  TRM__NPY_I4,
  TRM__NPY_U8,
  TRM__NPY_I8,
  TRM__NPY_F2,
  TRM__NPY_F4,
  TRM__NPY_F8,
  TRM__NPY_N_TYPES
} trm__npy_type;

/* Read only. Elements are known by their row-major number, in whatever order and byte order they
 * lie at `data`, in no particular alignment. */
typedef struct trm__npy {
  trm__map map;
  const unsigned char *data;
  trm__npy_type type;
  bool swapped; /* big-endian */
  bool fortran; /* the first index moves fastest; never of one dimension, where it means nothing */
  int ndim;
  int64_t shape[TRM__NPY_MAX_DIMS]; /* 1 beyond ndim */
  int64_t count;                    /* elements in all */
  int64_t row_count; /* elements in one row: the product of all dimensions but the first */
} trm__npy;

/* Format 1.0, 2.0 and 3.0; any type above, little-endian or big-endian, in C or Fortran order. The
 * tag of `trm eval --save-preds` may follow, 16 bytes that begin with "trm part": it stays when the
 * process is killed at the very end. Errors: IO; FORMAT for a broken header, a type that is not
 * read, and a length that is not what the header promises; those name the file and the byte. */
trm_status trm__npy_open(const char *path, trm__npy *a, trm_error *err);
void trm__npy_close(trm__npy *a); /* a zeroed one is fine */

enum { TRM__NPY_PREFIX = 12 };
/* The bytes of a file before its elements, as its first ones say; 0: it is too short to tell. */
size_t trm__npy_head_bytes(const unsigned char *prefix, size_t n);
/* What the head of a file of n bytes says, checked as above: nothing behind it is touched, and
 * a->data is NULL. */
trm_status trm__npy_from_head(const char *path, const unsigned char *head, size_t n_head, size_t n,
                              trm__npy *a, trm_error *err);

/* "<i4" */
const char *trm__npy_type_name(trm__npy_type type);
size_t trm__npy_type_size(trm__npy_type type);
bool trm__npy_is_integer(const trm__npy *a);
/* Element i, 0 <= i < count. What no int64 holds reads as the nearest, or as 0. */
int64_t trm__npy_int(const trm__npy *a, int64_t i);
double trm__npy_double(const trm__npy *a, int64_t i);
/* Its trm__npy_type_size bytes, little-endian. */
void trm__npy_load(const trm__npy *a, int64_t i, void *out);
/* The first of n elements that is no whole number; -1: all are, and trm__npy_int gives them. */
int64_t trm__npy_find_fraction(const trm__npy *a, int64_t n);
/* FORMAT, with the file and the index of the first that is not, unless all elements are whole
 * numbers: integers, or floats without a fraction. */
trm_status trm__npy_check_whole(const trm__npy *a, const char *path, trm_error *err);

/* The whole header of a C-ordered array as NumPy writes it, before its elements; returns its
 * length. The shape is one that is written: 1 to 3 dimensions, none below zero. */
enum { TRM__NPY_HEADER = 512 };
size_t trm__npy_header(char text[TRM__NPY_HEADER], trm__npy_type type, int ndim,
                       const int64_t *shape);
/* A file whose shape is known before its rows, complete or absent:
 *   TRM_TRY(trm__npy_create(&w, path, type, ndim, shape, err));
 *   trm__npy_append(&w, rows, n); ...     (errors are remembered, not returned)
 *   return trm__npy_commit(&w, err);      -- fails unless shape[0] rows have come
 * The bytes are those that numpy.save writes. */
typedef struct trm__npy_writer {
  trm__writer file;
  size_t row_bytes;
  int64_t rows, rows_written;
} trm__npy_writer;
trm_status trm__npy_create(trm__npy_writer *w, const char *path, trm__npy_type type, int ndim,
                           const int64_t *shape, trm_error *err);
void trm__npy_append(trm__npy_writer *w, const void *rows, int64_t n);
trm_status trm__npy_commit(trm__npy_writer *w, trm_error *err);
void trm__npy_abort(trm__npy_writer *w); /* after commit or on a zeroed one: no effect */
/* All of that for an array in memory. */
trm_status trm__npy_save(const char *path, trm__npy_type type, int ndim, const int64_t *shape,
                         const void *data, trm_error *err);

#endif
