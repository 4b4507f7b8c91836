/* Arrays in the forms that NumPy and others write: any type, byte order and order of indices. */
#ifndef TRM_TESTS_NPY_FORMS_H
#define TRM_TESTS_NPY_FORMS_H

#include <math.h>

#include "io/npy.h"
#include "scratch.h"

typedef struct npy_form {
  const char *descr;
  bool fortran;
  int version;
} npy_form;

/* Each type in each way of writing it, and both orders, with small values that all of them hold. */
static const npy_form npy_forms[] = {
    {"<i8", true, 1},  {">i8", false, 1}, {">i8", true, 2},  {"=i8", false, 3}, {"i8", true, 1},
    {"|u1", true, 1},  {"<u1", false, 1}, {">u1", true, 1},  {"u1", false, 2},  {"<i1", true, 3},
    {">u2", false, 1}, {"<u2", true, 1},  {">i2", true, 1},  {"|i2", false, 1}, {">u4", true, 1},
    {">i4", false, 1}, {"=i4", true, 2},  {">u8", true, 1},  {"<u8", true, 1},  {"<b1", true, 1},
    {"<f2", false, 1}, {">f2", true, 1},  {"<f4", false, 1}, {">f4", true, 1},  {"=f4", true, 3},
    {"f8", false, 1},  {">f8", true, 1},  {"<f8", true, 2},
};
enum { NPY_FORMS = sizeof npy_forms / sizeof *npy_forms, NPY_FORM_HEAD = 256 };

static inline uint64_t npy_form_bits(char kind, size_t size, double v) {
  uint64_t bits = 0;
  const float narrow = (float)v;
  if (kind != 'f') return (uint64_t)(int64_t)v;
  if (size == 8) {
    memcpy(&bits, &v, size);
  } else if (size == 4) {
    memcpy(&bits, &narrow, size);
  } else if (v < 0 || v > 0) { /* a half: 1.f * 2^(exponent - 15) */
    int exponent;
    const double f = frexp(fabs(v), &exponent);
    bits = (v < 0 ? 0x8000u : 0) | (uint64_t)(exponent + 14) << 10 | (uint64_t)(f * 2048 - 1024);
  }
  return bits;
}

/* The bytes of a file with the row-major values; its length. `out` has NPY_FORM_HEAD bytes beside
 * 8 for a value. */
static inline size_t npy_form_make(unsigned char *out, npy_form form, int ndim,
                                   const int64_t *shape, const double *values) {
  /* The type without its order of bytes, and a shape of three dimensions. */
  const char *type = form.descr + strspn(form.descr, "<>=|");
  const size_t size = (size_t)(type[1] - '0'), prefix = form.version == 1 ? 10 : 12;
  const int64_t full[3] = {shape[0], ndim > 1 ? shape[1] : 1, ndim > 2 ? shape[2] : 1};

  /* The header. */
  char *head = (char *)out + prefix;
  int n = snprintf(head, 200, "{'descr': '%s', 'fortran_order': %s, 'shape': (", form.descr,
                   form.fortran ? "True" : "False");
  for (int i = 0; i < ndim; i++) n += snprintf(head + n, 32, "%lld, ", (long long)shape[i]);
  n += snprintf(head + n, 8, "), }\n");
  memcpy(out, "\x93NUMPY", 6);
  out[6] = (unsigned char)form.version;
  out[7] = 0;
  for (size_t i = 8; i < prefix; i++) out[i] = (unsigned char)(n >> 8 * (i - 8));

  /* Values at their place in the order of the file, their bytes in that of the type. */
  unsigned char *data = out + prefix + n;
  for (int64_t i = 0; i < full[0]; i++)
    for (int64_t j = 0; j < full[1]; j++)
      for (int64_t k = 0; k < full[2]; k++) {
        const int64_t c = (i * full[1] + j) * full[2] + k;
        const int64_t f = i + full[0] * (j + full[1] * k);
        const uint64_t bits = npy_form_bits(*type, size, values[c]);
        unsigned char *to = data + (size_t)(form.fortran ? f : c) * size;
        for (size_t b = 0; b < size; b++)
          to[*form.descr == '>' ? size - 1 - b : b] = (unsigned char)(bits >> 8 * b);
      }
  return prefix + (size_t)n + (size_t)(full[0] * full[1] * full[2]) * size;
}

/* Writes it. */
static inline void npy_form_save(const char *path, npy_form form, int ndim, const int64_t *shape,
                                 const double *values) {
  int64_t count = 1;
  for (int i = 0; i < ndim; i++) count *= shape[i];
  unsigned char *bytes = malloc(NPY_FORM_HEAD + 8 * (size_t)count);
  assert_non_null(bytes);
  write_bytes(path, bytes, npy_form_make(bytes, form, ndim, shape, values));
  free(bytes);
}

/* Writes the array of a file again in another form, with `first` in place of its first element
 * unless that is NaN. */
static inline void npy_form_again(const char *path, npy_form form, double first) {
  trm__npy a;
  assert_int_equal(trm__npy_open(path, &a, NULL), TRM_OK);
  const int64_t shape[] = {a.shape[0], a.shape[1], a.shape[2]};
  const int ndim = a.ndim;
  double *values = malloc((size_t)(a.count ? a.count : 1) * sizeof *values);
  assert_non_null(values);
  for (int64_t i = 0; i < a.count; i++) values[i] = trm__npy_double(&a, i);
  if (!isnan(first)) values[0] = first;
  trm__npy_close(&a);
  npy_form_save(path, form, ndim, shape, values);
  free(values);
}

#endif
