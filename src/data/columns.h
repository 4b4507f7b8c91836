/* Tables of puzzles: which column is which, said by the names of a header or by the user. */
#ifndef TRM_DATA_COLUMNS_H
#define TRM_DATA_COLUMNS_H

#include "data/csv.h"
#include "puzzle/roles.h"

typedef struct trm__columns {
  int at[TRM__ROLES]; /* -1: none */
  int n;              /* of the first line */
  bool named;         /* the first line is a header, no puzzle */
} trm__columns;

/* True when the record read last names a column of questions, in any case. */
bool trm__columns_are_named(const trm__csv *csv);
/* What the columns of the record read last, the first, are for. `wanted`:
 * QUESTION[,ANSWER[,RATING]], names of the header or numbers from 1; NULL: the usual names.
 * `needed`: bits 1 << role. Errors: FORMAT for a header, ARGUMENT for what is wanted. */
trm_status trm__columns_find(const trm__csv *csv, const char *wanted, unsigned needed,
                             trm__columns *out, trm_error *err);
/* What no column of the header speaks of must be empty. Errors: FORMAT. */
trm_status trm__columns_check(const trm__columns *c, const trm__csv *csv, trm_error *err);
/* A field of the record. Errors: FORMAT when it is too short to have it. */
trm_status trm__columns_field(const trm__columns *c, const trm__csv *csv, int role,
                              const trm__csv_field **out, trm_error *err);

#endif
