/* See puzzle_csv.h. */
#include "data/puzzle_csv.h"

#include <string.h>

trm_status trm__puzzle_csv_open(trm__puzzle_csv *in, const char *path, const char *wanted,
                                trm_error *err) {
  trm__csv *csv = &in->csv;
  memset(in, 0, sizeof *in);
  TRM_TRY(trm__csv_open(csv, path, err));
  TRM_TRY(trm__csv_next(csv, err));
  if (!csv->n_fields)
    return trm__csv_refuse(csv, TRM_E_FORMAT, 1, 1, err,
                           "the file is empty, want a header with the columns question,answer");
  TRM_TRY(
      trm__columns_find(csv, wanted, 1u << TRM__QUESTION | 1u << TRM__ANSWER, &in->columns, err));
  in->held = !in->columns.named && !trm__columns_are_named(csv);
  return TRM_OK;
}

void trm__puzzle_csv_close(trm__puzzle_csv *in) {
  trm__csv_close(&in->csv);
}

/* The next row that somebody filled in. */
static trm_status next_row(trm__puzzle_csv *in, trm_error *err) {
  trm__csv *csv = &in->csv;
  for (;; in->empty++) {
    if (!in->held) TRM_TRY(trm__csv_next(csv, err));
    in->held = false;
    if (!csv->n_fields || !trm__csv_is_empty(csv, false)) return TRM_OK;
  }
}

trm_status trm__puzzle_csv_next(trm__puzzle_csv *in, trm_error *err) {
  const trm__csv *csv = &in->csv;
  const trm__csv_field *question, *answer;
  in->question = in->answer = (trm__csv_field){.n = 0};
  TRM_TRY(next_row(in, err));
  if (!csv->n_fields && in->rows) return TRM_OK;
  if (!csv->n_fields)
    return trm__csv_refuse(csv, TRM_E_FORMAT, csv->line, 1, err, "there is a header but no puzzle");
  in->rows++;
  TRM_TRY(trm__columns_check(&in->columns, csv, err));
  TRM_TRY(trm__columns_field(&in->columns, csv, TRM__QUESTION, &question, err));
  TRM_TRY(trm__columns_field(&in->columns, csv, TRM__ANSWER, &answer, err));
  in->question = trm__csv_unguarded(*question);
  in->answer = trm__csv_unguarded(*answer);
  return TRM_OK;
}
