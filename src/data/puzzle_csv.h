/* CSV files of puzzles: columns of questions and answers among others, which are ignored. */
#ifndef TRM_DATA_PUZZLE_CSV_H
#define TRM_DATA_PUZZLE_CSV_H

#include "data/columns.h"

typedef struct trm__puzzle_csv {
  trm__csv csv;
  trm__columns columns;
  int64_t rows, empty;             /* read so far; empty ones were passed over */
  bool held;                       /* the first line is a row */
  trm__csv_field question, answer; /* of the row read last, unguarded */
} trm__puzzle_csv;

/* Opens the file and finds the columns; `wanted` as of trm__columns_find. */
trm_status trm__puzzle_csv_open(trm__puzzle_csv *in, const char *path, const char *wanted,
                                trm_error *err);
void trm__puzzle_csv_close(trm__puzzle_csv *in); /* a zeroed one is fine */
/* The next row; question.text NULL at the end. Errors: FORMAT with file, line and column, also when
 * there is not a single row; err->pos is the line. */
trm_status trm__puzzle_csv_next(trm__puzzle_csv *in, trm_error *err);

#endif
