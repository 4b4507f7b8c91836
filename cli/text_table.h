/* Tables of results in the forms that people and programs read. */
#ifndef TRM_CLI_TEXT_TABLE_H
#define TRM_CLI_TEXT_TABLE_H

#include "cli/cli.h"
#include "io/json.h"

typedef enum table_format { TABLE_PLAIN, TABLE_MARKDOWN, TABLE_CSV, TABLE_JSON } table_format;
/* The value of --format: "table", "markdown", "csv" or "json"; a usage error is reported when it is
 * false. */
bool table_parse_format(const char *text, table_format *format);

/* Who reads a column: people (plain and Markdown) or programs (CSV and JSON). */
typedef enum table_reader { TABLE_ALL, TABLE_PEOPLE, TABLE_PROGRAMS } table_reader;

/* A cell: what people see, and the number behind it, if it is one. */
typedef struct table_cell {
  char *text;    /* NULL: nothing is known */
  double number; /* NAN: it is a text */
} table_cell;

/* Columns first, then the cells, row by row. Zeroed: empty. A failure to get memory is remembered,
 * and returned by table_print. */
typedef struct table {
  struct {
    const char *name, *key; /* for people, for programs; they must outlive it */
    table_reader reader;
  } * columns;
  table_cell *cells;
  int n_columns, n_cells, room_columns, room_cells;
  bool failed;
} table;

void table_column(table *t, const char *name, table_reader reader);
/* One that programs know by another name. */
void table_column_keyed(table *t, const char *name, const char *key, table_reader reader);
void table_text(table *t, const char *text); /* NULL: nothing is known */
/* A number that people see as the format makes it, printf's with what follows. */
void table_number(table *t, double number, const char *format, ...) CLI_PRINTF(3, 4);
void table_free(table *t);

/* Plain, as Markdown, or as CSV with a line of names. Errors: MEMORY; what `f` did not take is left
 * to who closes it. */
trm_status table_print(const table *t, table_format format, FILE *f, trm_error *err);
/* As an array of objects under `key`. */
void table_put_json(const table *t, const char *key, trm__json_out *o);

#endif
