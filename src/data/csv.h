/* Comma-separated values, or such with another separator, read from a mapped file, or a text,
 * without copies. */
#ifndef TRM_DATA_CSV_H
#define TRM_DATA_CSV_H

#include "base/error.h"
#include "base/file.h"

enum { TRM__CSV_MAX_FIELDS = 64, TRM__CSV_MAX_RECORD = 1 << 20 /* bytes */ };

/* The text of a field between its quotes, if any; a doubled quote in it stays doubled. */
typedef struct trm__csv_field {
  const char *text;
  size_t n;
  long long line, column; /* of its first character, from 1 */
} trm__csv_field;

typedef struct trm__csv {
  const char *path;
  trm__map map;
  const unsigned char *data;
  size_t size, at, line_start;
  size_t limit; /* what is read ends there for now: a record has a bound */
  char separator;
  bool in_short; /* messages begin with PATH:LINE:COLUMN: */
  long long line;
  trm__csv_field field[TRM__CSV_MAX_FIELDS]; /* of the record read last */
  int n_fields;
} trm__csv;

/* `path` must outlive the reader. A byte order mark is skipped, UTF-16 refused. The separator is
 * the one of , ; and tab that the first line has most of. */
trm_status trm__csv_open(trm__csv *csv, const char *path, trm_error *err);
/* Reads a text that begins at `line` of its file; messages are short. Separator 0: as above. */
void trm__csv_open_text(trm__csv *csv, const char *path, const char *text, size_t n, long long line,
                        char separator);
void trm__csv_close(trm__csv *csv); /* a zeroed one is fine */
/* The next record that is not an empty line; n_fields 0 at the end. Fields may stand in double
 * quotes, and records end in LF, CR LF or CR. Errors: FORMAT with file, line and column, also for
 * more than TRM__CSV_MAX_RECORD bytes; err->pos is the line. */
trm_status trm__csv_next(trm__csv *csv, trm_error *err);
/* Fills err with file, line, column and what is wrong; returns `code`. */
trm_status trm__csv_refuse(const trm__csv *csv, trm_status code, long long line, long long column,
                           trm_error *err, const char *fmt, ...) TRM__PRINTF(6, 7);

/* True when no field of the record has anything in it, as rows of a spreadsheet that nobody filled
 * in; with `trim` spaces are nothing. */
bool trm__csv_is_empty(const trm__csv *csv, bool trim);
/* The field without what a spreadsheet guards a text by that it would take for a number: ="...". */
trm__csv_field trm__csv_unguarded(trm__csv_field f);
/* The same without the spaces around it, and without a guard '. */
trm__csv_field trm__csv_trimmed(trm__csv_field f);

#endif
