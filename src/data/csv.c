/* The CSV reader. Invariant: at <= limit <= size; every access is preceded by that comparison. */
#include "data/csv.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "io/lines.h"

static const struct {
  char c;
  const char *name;
} separators[] = {{',', "a comma"}, {';', "a semicolon"}, {'\t', "a tab"}};
enum { N_SEPARATORS = sizeof separators / sizeof *separators };

/* The separator that the line at `at` has most of. */
static char guess_separator(const trm__csv *csv) {
  size_t count[N_SEPARATORS] = {0}, best = 0;
  size_t end =
      csv->size - csv->at > TRM__CSV_MAX_RECORD ? csv->at + TRM__CSV_MAX_RECORD : csv->size;
  for (size_t i = csv->at; i < end && csv->data[i] != '\n' && csv->data[i] != '\r'; i++)
    for (size_t k = 0; k < N_SEPARATORS; k++) count[k] += csv->data[i] == separators[k].c;
  for (size_t k = 1; k < N_SEPARATORS; k++)
    if (count[k] > count[best]) best = k;
  return separators[best].c;
}

trm_status trm__csv_open(trm__csv *csv, const char *path, trm_error *err) {
  memset(csv, 0, sizeof *csv);
  csv->path = path;
  csv->line = 1;
  TRM_TRY(trm__lines_map(path, &csv->map, &csv->at, err));
  csv->data = csv->map.data;
  csv->size = csv->limit = csv->map.size;
  csv->line_start = csv->at;
  csv->separator = guess_separator(csv);
  return TRM_OK;
}

void trm__csv_open_text(trm__csv *csv, const char *path, const char *text, size_t n, long long line,
                        char separator) {
  csv->path = path;
  csv->map = (trm__map){.data = NULL};
  csv->data = (const unsigned char *)text;
  csv->size = csv->limit = n;
  csv->at = csv->line_start = 0;
  csv->line = line;
  csv->separator = separator ? separator : guess_separator(csv);
  csv->in_short = true;
  csv->n_fields = 0;
}

void trm__csv_close(trm__csv *csv) {
  trm__map_close(&csv->map);
}

/* The byte at `at`, -1 at the end of what is read. */
static int peek(const trm__csv *csv) {
  return csv->at < csv->limit ? csv->data[csv->at] : -1;
}

static void step(trm__csv *csv) {
  int c = csv->data[csv->at++];
  if (c == '\n' || (c == '\r' && peek(csv) != '\n')) {
    csv->line++;
    csv->line_start = csv->at;
  }
}

static bool at_line_end(const trm__csv *csv) {
  int c = peek(csv);
  return c == -1 || c == '\n' || c == '\r';
}

static void skip_line_end(trm__csv *csv) {
  if (peek(csv) == '\r') step(csv);
  if (peek(csv) == '\n') step(csv);
}

static void begin_field(trm__csv *csv, trm__csv_field *f) {
  f->text = (const char *)csv->data + csv->at;
  f->line = csv->line;
  f->column = (long long)(csv->at - csv->line_start) + 1;
}

trm_status trm__csv_refuse(const trm__csv *csv, trm_status code, long long line, long long column,
                           trm_error *err, const char *fmt, ...) {
  char what[400];
  va_list args;
  va_start(args, fmt);
  if (vsnprintf(what, sizeof what, fmt, args) < 0) *what = 0;
  va_end(args);
  return trm__fail(err, code, line,
                   csv->in_short ? "%.300s:%lld:%lld: %s" : "%.300s line %lld column %lld: %s",
                   csv->path, line, column, what);
}

static long long column_at(const trm__csv *csv) {
  return (long long)(csv->at - csv->line_start) + 1;
}

static trm_status read_quoted(trm__csv *csv, trm__csv_field *f, trm_error *err) {
  size_t separator = 0;
  step(csv);
  begin_field(csv, f);
  for (;; step(csv)) {
    if (peek(csv) == -1)
      return trm__csv_refuse(csv, TRM_E_FORMAT, f->line, f->column - 1, err,
                             "the quote opened here is never closed");
    if (peek(csv) != '"') continue;
    f->n = (size_t)((const char *)csv->data + csv->at - f->text);
    step(csv);
    if (peek(csv) != '"') break;
  }
  if (peek(csv) == csv->separator || at_line_end(csv)) return TRM_OK;
  while (separators[separator].c != csv->separator) separator++;
  return trm__csv_refuse(csv, TRM_E_FORMAT, csv->line, column_at(csv), err,
                         "want %s or the end of the line after the closing quote",
                         separators[separator].name);
}

static trm_status read_record(trm__csv *csv, trm_error *err) {
  for (;;) {
    if (csv->n_fields == TRM__CSV_MAX_FIELDS)
      return trm__csv_refuse(csv, TRM_E_FORMAT, csv->line, column_at(csv), err,
                             "more than %d columns", TRM__CSV_MAX_FIELDS);
    trm__csv_field *f = &csv->field[csv->n_fields++];
    if (peek(csv) == '"') {
      TRM_TRY(read_quoted(csv, f, err));
    } else {
      begin_field(csv, f);
      while (peek(csv) != csv->separator && !at_line_end(csv)) step(csv);
      f->n = (size_t)((const char *)csv->data + csv->at - f->text);
    }
    if (peek(csv) != csv->separator) break;
    step(csv);
  }
  skip_line_end(csv);
  return TRM_OK;
}

trm_status trm__csv_next(trm__csv *csv, trm_error *err) {
  csv->n_fields = 0;
  csv->limit = csv->size;
  while (peek(csv) != -1 && at_line_end(csv)) skip_line_end(csv);
  if (peek(csv) == -1) return TRM_OK;
  const long long line = csv->line;
  if (csv->size - csv->at > TRM__CSV_MAX_RECORD) csv->limit = csv->at + TRM__CSV_MAX_RECORD;
  const trm_status st = read_record(csv, err);
  if (csv->at < csv->limit || csv->limit == csv->size) return st;
  return trm__csv_refuse(csv, TRM_E_FORMAT, line, 1, err,
                         "a row of more than 1 MiB: a line end or a closing quote is missing");
}

/* --- what spreadsheets put around a text --- */

static trm__csv_field drop_spaces(trm__csv_field f) {
  while (f.n && isspace((unsigned char)*f.text)) f.text++, f.n--, f.column++;
  while (f.n && isspace((unsigned char)f.text[f.n - 1])) f.n--;
  return f;
}

trm__csv_field trm__csv_unguarded(trm__csv_field f) {
  const size_t quotes = f.n >= 5 && f.text[2] == '"' ? 2 : 1; /* doubled in a field in quotes */
  if (f.n < 1 + 2 * quotes || memcmp(f.text, "=\"\"", 1 + quotes) != 0) return f;
  if (memcmp(f.text + f.n - quotes, "\"\"", quotes) != 0) return f;
  f.text += 1 + quotes;
  f.column += 1 + (long long)quotes;
  f.n -= 1 + 2 * quotes;
  return f;
}

/* As most fields are: neither spaces nor a guard around it. */
static bool is_bare(const trm__csv_field *f) {
  const unsigned char first = f->n ? (unsigned char)*f->text : ' ';
  return first > ' ' && first != '=' && first != '\'' && (unsigned char)f->text[f->n - 1] > ' ';
}

trm__csv_field trm__csv_trimmed(trm__csv_field f) {
  if (is_bare(&f)) return f;
  f = drop_spaces(trm__csv_unguarded(drop_spaces(f)));
  if (f.n && *f.text == '\'') f.text++, f.n--, f.column++;
  return f;
}

bool trm__csv_is_empty(const trm__csv *csv, bool trim) {
  for (int i = 0; i < csv->n_fields; i++)
    if ((trim ? trm__csv_trimmed(csv->field[i]) : csv->field[i]).n) return false;
  return true;
}
