/* See text_table.h. */
#include "cli/text_table.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/text.h"

bool table_parse_format(const char *text, table_format *format) {
  static const char *const names[] = {"table", "markdown", "csv", "json"};
  for (int i = 0; i < 4; i++)
    if (!strcmp(text, names[i])) {
      *format = (table_format)i;
      return true;
    }
  cli_usage_error("--format: want table, markdown, csv or json, got '%s'", text);
  return false;
}

/* ---- making ---- */

/* Room for one element more. */
static void *grow(void *v, int n, int *room, size_t size, bool *failed) {
  if (n < *room) return v;
  void *grown = realloc(v, (size_t)(2 * *room + 32) * size);
  if (!grown) {
    *failed = true;
    return v;
  }
  *room = 2 * *room + 32;
  return grown;
}

void table_column(table *t, const char *name, table_reader reader) {
  table_column_keyed(t, name, name, reader);
}

void table_column_keyed(table *t, const char *name, const char *key, table_reader reader) {
  t->columns = grow(t->columns, t->n_columns, &t->room_columns, sizeof *t->columns, &t->failed);
  if (t->failed) return;
  t->columns[t->n_columns].name = name;
  t->columns[t->n_columns].key = key;
  t->columns[t->n_columns++].reader = reader;
}

static void add_cell(table *t, const char *text, double number) {
  t->cells = grow(t->cells, t->n_cells, &t->room_cells, sizeof *t->cells, &t->failed);
  if (t->failed) return;
  char *copy = text ? strdup(text) : NULL;
  if (text && !copy) {
    t->failed = true;
    return;
  }
  if (copy) trm__text_clean(copy);
  t->cells[t->n_cells++] = (table_cell){copy, number};
}

void table_text(table *t, const char *text) {
  add_cell(t, text, NAN);
}

void table_number(table *t, double number, const char *format, ...) {
  char text[128];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  add_cell(t, text, number);
}

void table_free(table *t) {
  for (int i = 0; i < t->n_cells; i++) free(t->cells[i].text);
  free(t->cells);
  free(t->columns);
  *t = (table){0};
}

/* ---- printing ---- */

static bool is_shown(const table *t, int column, bool people) {
  const table_reader reader = t->columns[column].reader;
  return reader == TABLE_ALL || (reader == TABLE_PEOPLE) == people;
}

static int rows_of(const table *t) {
  return t->n_columns ? t->n_cells / t->n_columns : 0;
}

static const table_cell *cell_at(const table *t, int row, int column) {
  return &t->cells[row * t->n_columns + column];
}

static int width_of(const char *text) {
  return (int)trm__text_count(text, strlen(text));
}

/* Numbers stand to the right: where every cell is one, or not known. */
static bool is_numeric(const table *t, int column) {
  for (int r = 0; r < rows_of(t); r++)
    if (cell_at(t, r, column)->text && isnan(cell_at(t, r, column)->number)) return false;
  return true;
}

static void print_padded(const char *text, int width, bool right, FILE *f) {
  const int spaces = width - width_of(text);
  fprintf(f, "%*s%s%*s", right && spaces > 0 ? spaces : 0, "", text,
          !right && spaces > 0 ? spaces : 0, "");
}

/* A bar would end a cell of Markdown. */
static void print_escaped(const char *text, FILE *f) {
  for (; *text; text++) {
    if (*text == '|') fputc('\\', f);
    fputc(*text, f);
  }
}

static void print_plain(const table *t, FILE *f) {
  for (int r = -1; r < rows_of(t); r++) {
    int open = 0; /* spaces that are due: none stand at the end of a line */
    for (int c = 0; c < t->n_columns; c++) {
      if (!is_shown(t, c, true)) continue;
      int width = width_of(t->columns[c].name);
      for (int i = 0; i < rows_of(t); i++) {
        const char *text = cell_at(t, i, c)->text;
        if (text && width_of(text) > width) width = width_of(text);
      }
      const char *text = r < 0 ? t->columns[c].name : cell_at(t, r, c)->text;
      if (!text) text = "";
      const bool right = is_numeric(t, c);
      fprintf(f, "%*s", open, "");
      print_padded(text, right ? width : width_of(text), right, f);
      open = 2 + (right ? 0 : width - width_of(text));
    }
    fputc('\n', f);
  }
}

static void print_markdown(const table *t, FILE *f) {
  for (int r = -2; r < rows_of(t); r++) {
    for (int c = 0; c < t->n_columns; c++) {
      if (!is_shown(t, c, true)) continue;
      const char *text = r >= 0    ? cell_at(t, r, c)->text
                         : r == -2 ? t->columns[c].name
                                   : (is_numeric(t, c) ? "---:" : "---");
      fputs("| ", f);
      print_escaped(text ? text : "", f);
      fputc(' ', f);
    }
    fputs("|\n", f);
  }
}

/* As RFC 4180 has it. */
static void print_csv_text(const char *text, FILE *f) {
  if (!text[strcspn(text, ",\"\r\n")]) {
    fputs(text, f);
    return;
  }
  fputc('"', f);
  for (; *text; text++) {
    if (*text == '"') fputc('"', f);
    fputc(*text, f);
  }
  fputc('"', f);
}

/* The shortest text that reads back as the same number, whole ones without a point. */
static void print_number(double v, char text[TRM__NUMBER_SIZE]) {
  if (v == floor(v) && fabs(v) < 9e15)
    snprintf(text, TRM__NUMBER_SIZE, "%lld", (long long)v);
  else
    trm__number_print(v, text);
}

static void print_csv(const table *t, FILE *f) {
  for (int r = -1; r < rows_of(t); r++) {
    bool first = true;
    for (int c = 0; c < t->n_columns; c++) {
      char number[TRM__NUMBER_SIZE];
      if (!is_shown(t, c, false)) continue;
      if (!first) fputc(',', f);
      first = false;
      const char *text = r < 0 ? t->columns[c].key : cell_at(t, r, c)->text;
      if (r >= 0 && text && isfinite(cell_at(t, r, c)->number)) {
        print_number(cell_at(t, r, c)->number, number);
        text = number;
      }
      print_csv_text(text ? text : "", f);
    }
    fputc('\n', f);
  }
}

trm_status table_print(const table *t, table_format format, FILE *f, trm_error *err) {
  if (t->failed) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for a table");
  if (format == TABLE_PLAIN) print_plain(t, f);
  if (format == TABLE_MARKDOWN) print_markdown(t, f);
  if (format == TABLE_CSV) print_csv(t, f);
  return TRM_OK;
}

static void put_cell(const table_cell *cell, const char *key, trm__json_out *o) {
  const double v = cell->number;
  if (!cell->text)
    trm__json_put_null(o, key);
  else if (!isfinite(v))
    trm__json_put_text(o, key, cell->text);
  else if (v == floor(v) && fabs(v) < 9e15)
    trm__json_put_int(o, key, (int64_t)v);
  else
    trm__json_put_real(o, key, v);
}

void table_put_json(const table *t, const char *key, trm__json_out *o) {
  trm__json_open(o, key, '[');
  for (int r = 0; r < rows_of(t); r++) {
    trm__json_open(o, NULL, '{');
    for (int c = 0; c < t->n_columns; c++)
      if (is_shown(t, c, false)) put_cell(cell_at(t, r, c), t->columns[c].key, o);
    trm__json_close(o);
  }
  trm__json_close(o);
}
