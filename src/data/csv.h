/* Comma-separated values, read from a mapped file without copies. */
#ifndef TRM_DATA_CSV_H
#define TRM_DATA_CSV_H

#include "base/file.h"

enum { TRM__CSV_MAX_FIELDS = 64 };

/* The text of a field between its quotes, if any; a doubled quote in it stays doubled. */
typedef struct trm__csv_field {
  const char *text;
  size_t n;
  long long line, column; /* of its first character, from 1 */
} trm__csv_field;

typedef struct trm__csv {
  const char *path;
  trm__map map;
  size_t at, line_start;
  long long line;
  trm__csv_field field[TRM__CSV_MAX_FIELDS]; /* of the record read last */
  int n_fields;
} trm__csv;

/* `path` must outlive the reader. A byte order mark is skipped. */
trm_status trm__csv_open(trm__csv *csv, const char *path, trm_error *err);
void trm__csv_close(trm__csv *csv); /* a zeroed one is fine */
/* The next record that is not an empty line; n_fields 0 at the end. Fields are separated by commas,
 * may stand in double quotes, and records end in LF or CR LF. Errors: FORMAT with file, line and
 * column; err->pos is the line. */
trm_status trm__csv_next(trm__csv *csv, trm_error *err);

#endif
