/* The CSV reader. Invariant: at <= map.size; every access is preceded by that comparison. */
#include "data/csv.h"

#include <string.h>

trm_status trm__csv_open(trm__csv *csv, const char *path, trm_error *err) {
  memset(csv, 0, sizeof *csv);
  csv->path = path;
  csv->line = 1;
  TRM_TRY(trm__map_open(path, &csv->map, err));
  static const unsigned char mark[] = {0xef, 0xbb, 0xbf};
  if (csv->map.size >= sizeof mark && !memcmp(csv->map.data, mark, sizeof mark))
    csv->at = csv->line_start = sizeof mark;
  return TRM_OK;
}

void trm__csv_close(trm__csv *csv) {
  trm__map_close(&csv->map);
}

/* The byte at `at`, -1 at the end of the file. */
static int peek(const trm__csv *csv) {
  return csv->at < csv->map.size ? csv->map.data[csv->at] : -1;
}

static void step(trm__csv *csv) {
  if (csv->map.data[csv->at++] == '\n') {
    csv->line++;
    csv->line_start = csv->at;
  }
}

static bool at_line_end(const trm__csv *csv) {
  int c = peek(csv);
  return c == -1 || c == '\n' ||
         (c == '\r' && csv->at + 1 < csv->map.size && csv->map.data[csv->at + 1] == '\n');
}

static void skip_line_end(trm__csv *csv) {
  if (peek(csv) == '\r') step(csv);
  if (peek(csv) == '\n') step(csv);
}

static void begin_field(trm__csv *csv, trm__csv_field *f) {
  f->text = (const char *)csv->map.data + csv->at;
  f->line = csv->line;
  f->column = (long long)(csv->at - csv->line_start) + 1;
}

static trm_status read_quoted(trm__csv *csv, trm__csv_field *f, trm_error *err) {
  step(csv);
  begin_field(csv, f);
  for (;; step(csv)) {
    if (peek(csv) == -1)
      TRM_FAIL_AT(err, TRM_E_FORMAT, f->line,
                  "%s line %lld column %lld: the quote opened here is never closed", csv->path,
                  f->line, f->column - 1);
    if (peek(csv) != '"') continue;
    f->n = (size_t)((const char *)csv->map.data + csv->at - f->text);
    step(csv);
    if (peek(csv) != '"') break;
  }
  if (peek(csv) != ',' && !at_line_end(csv))
    TRM_FAIL_AT(err, TRM_E_FORMAT, csv->line,
                "%s line %lld column %lld: want a comma or the end of the line after the closing "
                "quote",
                csv->path, csv->line, (long long)(csv->at - csv->line_start) + 1);
  return TRM_OK;
}

trm_status trm__csv_next(trm__csv *csv, trm_error *err) {
  csv->n_fields = 0;
  while (peek(csv) != -1 && at_line_end(csv)) skip_line_end(csv);
  if (peek(csv) == -1) return TRM_OK;
  for (;;) {
    if (csv->n_fields == TRM__CSV_MAX_FIELDS)
      TRM_FAIL_AT(err, TRM_E_FORMAT, csv->line, "%s line %lld: more than %d columns", csv->path,
                  csv->line, TRM__CSV_MAX_FIELDS);
    trm__csv_field *f = &csv->field[csv->n_fields++];
    if (peek(csv) == '"') {
      TRM_TRY(read_quoted(csv, f, err));
    } else {
      begin_field(csv, f);
      while (peek(csv) != ',' && !at_line_end(csv)) step(csv);
      f->n = (size_t)((const char *)csv->map.data + csv->at - f->text);
    }
    if (peek(csv) != ',') break;
    step(csv);
  }
  skip_line_end(csv);
  return TRM_OK;
}
