/* The reader of puzzle CSV files: columns by name, and rows that have them. */
#include "data/puzzle_csv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool field_is(const trm__csv_field *f, const char *name) {
  return f->n == strlen(name) && !memcmp(f->text, name, f->n);
}

static trm_status read_header(trm__puzzle_csv *in, bool need_rating, trm_error *err) {
  static const char *const names[TRM__CSV_COLUMNS] = {"question", "answer", "rating"};
  trm__csv *csv = &in->csv;
  TRM_TRY(trm__csv_next(csv, err));
  if (!csv->n_fields)
    TRM_FAIL_AT(err, TRM_E_FORMAT, 1,
                "%s line 1 column 1: the file is empty, want a header with the columns "
                "question,answer",
                csv->path);
  for (int c = 0; c < TRM__CSV_COLUMNS; c++) {
    in->where[c] = -1;
    for (int i = csv->n_fields - 1; i >= 0; i--)
      if (field_is(&csv->field[i], names[c])) in->where[c] = i;
    if (in->where[c] < 0 && (c != TRM__CSV_RATING || need_rating))
      TRM_FAIL_AT(err, TRM_E_FORMAT, csv->field[0].line,
                  "%s line %lld column 1: the header has no column '%s' (want "
                  "question,answer; others, such as rating, are not always needed)",
                  csv->path, csv->field[0].line, names[c]);
  }
  return TRM_OK;
}

trm_status trm__puzzle_csv_open(trm__puzzle_csv *in, const char *path, bool need_rating,
                                trm_error *err) {
  memset(in, 0, sizeof *in);
  TRM_TRY(trm__csv_open(&in->csv, path, err));
  in->most = 1;
  for (size_t i = 0; i < in->csv.map.size; i++) in->most += in->csv.map.data[i] == '\n';
  TRM_TRY(read_header(in, need_rating, err));
  if (in->most > INT32_MAX)
    TRM_FAIL(err, TRM_E_RANGE, "%s has more than 2^31 - 1 lines", in->csv.path);
  return TRM_OK;
}

void trm__puzzle_csv_close(trm__puzzle_csv *in) {
  trm__csv_close(&in->csv);
}

/* A cell of the row, or an error when the row is too short to have it. */
static trm_status row_field(const trm__csv *csv, int i, const char *name,
                            const trm__csv_field **out, trm_error *err) {
  if (i < csv->n_fields) {
    *out = &csv->field[i];
    return TRM_OK;
  }
  const trm__csv_field *last = &csv->field[csv->n_fields - 1];
  long long end = last->column + (long long)last->n;
  TRM_FAIL_AT(err, TRM_E_FORMAT, last->line,
              "%s line %lld column %lld: the row has %d columns, the %s is column %d of the header",
              csv->path, last->line, end, csv->n_fields, name, i + 1);
}

trm_status trm__puzzle_csv_next(trm__puzzle_csv *in, trm_error *err) {
  trm__csv *csv = &in->csv;
  in->question = in->answer = NULL;
  TRM_TRY(trm__csv_next(csv, err));
  if (!csv->n_fields) {
    if (!in->rows)
      TRM_FAIL_AT(err, TRM_E_FORMAT, csv->line,
                  "%s line %lld column 1: there is a header but no puzzle", csv->path, csv->line);
    return TRM_OK;
  }
  in->rows++;
  TRM_TRY(row_field(csv, in->where[TRM__CSV_QUESTION], "question", &in->question, err));
  return row_field(csv, in->where[TRM__CSV_ANSWER], "answer", &in->answer, err);
}

trm_status trm__puzzle_csv_rating(const trm__puzzle_csv *in, double *rating, trm_error *err) {
  const trm__csv_field *f;
  TRM_TRY(row_field(&in->csv, in->where[TRM__CSV_RATING], "rating", &f, err));
  char text[64] = {0}, *end = text;
  if (f->n < sizeof text) memcpy(text, f->text, f->n);
  *rating = strtod(text, &end);
  if (!f->n || *end || end == text || !isfinite(*rating))
    TRM_FAIL_AT(err, TRM_E_FORMAT, f->line, "%s line %lld column %lld: the rating is no number",
                in->csv.path, f->line, f->column);
  return TRM_OK;
}
