/* CSV files of puzzles: a header that names the columns question, answer and rating in any order,
 * among others that are ignored. */
#ifndef TRM_DATA_PUZZLE_CSV_H
#define TRM_DATA_PUZZLE_CSV_H

#include "data/csv.h"

enum { TRM__CSV_QUESTION, TRM__CSV_ANSWER, TRM__CSV_RATING, TRM__CSV_COLUMNS };

typedef struct trm__puzzle_csv {
  trm__csv csv;
  int where[TRM__CSV_COLUMNS];             /* -1: no such column */
  int64_t rows, most;                      /* read so far; no more than these are in the file */
  const trm__csv_field *question, *answer; /* of the row read last */
} trm__puzzle_csv;

/* Opens the file and reads the header. */
trm_status trm__puzzle_csv_open(trm__puzzle_csv *in, const char *path, bool need_rating,
                                trm_error *err);
void trm__puzzle_csv_close(trm__puzzle_csv *in); /* a zeroed one is fine */
/* The next row; question NULL at the end. Errors: FORMAT with file, line and column, also when
 * there is not a single row; err->pos is the line. */
trm_status trm__puzzle_csv_next(trm__puzzle_csv *in, trm_error *err);
/* The rating of the row read last. */
trm_status trm__puzzle_csv_rating(const trm__puzzle_csv *in, double *rating, trm_error *err);

#endif
