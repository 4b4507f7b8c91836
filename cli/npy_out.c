/* See npy_out.h. */
#include "npy_out.h"

#include <string.h>

enum { NPY_ALIGN = 64, NPY_PREFIX = 10 };

static char byte_order(void) {
  const uint16_t one = 1;
  unsigned char first;
  memcpy(&first, &one, 1);
  return first ? '<' : '>';
}

trm_status cli_npy_write(cli_outfile *out, const int32_t *data, int64_t rows, int64_t cols,
                         trm_error *err) {
  char header[2 * NPY_ALIGN];
  int n = snprintf(header, sizeof header,
                   "{'descr': '%ci4', 'fortran_order': False, 'shape': (%lld, %lld), }",
                   byte_order(), (long long)rows, (long long)cols);
  /* Spaces and a newline up to a multiple of 64, magic and length included. */
  int length = (NPY_PREFIX + n + 1 + NPY_ALIGN - 1) / NPY_ALIGN * NPY_ALIGN - NPY_PREFIX;
  fwrite("\x93NUMPY\x01\x00", 1, 8, out->f);
  fputc(length & 255, out->f);
  fputc(length >> 8, out->f);
  fprintf(out->f, "%-*s\n", length - 1, header);
  fwrite(data, sizeof *data, (size_t)rows * (size_t)cols, out->f);
  return cli_outfile_commit(out, err);
}
