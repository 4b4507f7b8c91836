/* Rows of `trm bench` and how they are printed. */
#include "cli/bench/bench_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/json_print.h"

/* digits: of a number in md; 0: a whole number. */
static const struct {
  const char *key, *title;
  bool is_text;
  int index, digits;
} columns[] = {
    {"test", "test", true, BENCH_TEST, 0},
    {"model", "model", true, BENCH_MODEL, 0},
    {"op", "op", true, BENCH_OP, 0},
    {"dtype", "dtype", true, BENCH_DTYPE, 0},
    {"isa", "ISA", true, BENCH_ISA, 0},
    {"threads", "threads", false, BENCH_THREADS, 0},
    {"batch", "batch", false, BENCH_BATCH, 0},
    {"micro_batch", "micro", false, BENCH_MICRO, 0},
    {"runs", "runs", false, BENCH_RUNS, 0},
    {"calls", "calls", false, BENCH_CALLS, 3},
    {"gflop", "GFLOP", false, BENCH_GFLOP, 4},
    {"ms", "ms", false, BENCH_MS, 4},
    {"ms_min", "min", false, BENCH_MS_MIN, 4},
    {"ms_max", "max", false, BENCH_MS_MAX, 4},
    {"time_percent", "time %", false, BENCH_TIME, 3},
    {"gflop_per_s", "GFLOP/s", false, BENCH_GFLOPS, 4},
    {"peak_percent", "peak %", false, BENCH_PEAK, 3},
    {"gb_per_s", "GB/s", false, BENCH_GBYTES, 3},
    {"mib", "MiB", false, BENCH_MIB, 4},
    {"steps_per_s", "steps/s", false, BENCH_STEPS, 4},
    {"puzzles_per_s", "puzzles/s", false, BENCH_PUZZLES, 4},
    {"exponent", "exponent", false, BENCH_EXPONENT, 3},
    {"exponent_arithmetic", "of arithmetic", false, BENCH_ARITHMETIC, 3},
    {"limit", "limit", true, BENCH_LIMIT, 0},
};
enum { N_COLUMNS = sizeof columns / sizeof *columns };

/* ---- rows ---- */

bench_row *bench_table_add(bench_table *t, const char *test, trm_error *err) {
  if (t->n == t->room) {
    bench_row *grown = realloc(t->rows, (size_t)(t->room + 32) * sizeof *grown);
    if (!grown) {
      cli_fail(err, TRM_E_MEMORY, -1, "no memory for the results");
      return NULL;
    }
    t->rows = grown;
    t->room += 32;
  }
  bench_row *r = &t->rows[t->n++];
  memset(r, 0, sizeof *r);
  for (int i = 0; i < BENCH_NUMBERS; i++) r->number[i] = NAN;
  snprintf(r->text[BENCH_TEST], sizeof r->text[0], "%s", test);
  return r;
}

void bench_where(trm_device device, bench_row *r) {
  if (device.kind == TRM_DEVICE_CPU)
    snprintf(r->text[BENCH_ISA], sizeof r->text[0], "%s", trm_isa());
  else
    trm_device_name(device, r->text[BENCH_ISA], sizeof r->text[0]);
}

void bench_table_free(bench_table *t) {
  free(t->rows);
  *t = (bench_table){0};
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

void bench_row_times(bench_row *r, double *seconds, int n, double scale) {
  qsort(seconds, (size_t)n, sizeof *seconds, by_value);
  double middle = n % 2 ? seconds[n / 2] : 0.5 * (seconds[n / 2 - 1] + seconds[n / 2]);
  r->number[BENCH_RUNS] = n;
  r->number[BENCH_MS] = scale * middle;
  r->number[BENCH_MS_MIN] = scale * seconds[0];
  r->number[BENCH_MS_MAX] = scale * seconds[n - 1];
}

/* ---- printing ---- */

static bool is_empty(const bench_row *r, int column) {
  int i = columns[column].index;
  return columns[column].is_text ? !r->text[i][0] : isnan(r->number[i]);
}

/* So many significant digits, but never an exponent. */
static void cell_text(const bench_row *r, int column, char *text, size_t n) {
  text[0] = 0;
  if (is_empty(r, column)) return;
  if (columns[column].is_text) {
    snprintf(text, n, "%s", r->text[columns[column].index]);
    return;
  }
  double v = r->number[columns[column].index], size = fabs(v);
  int whole = size >= 1 ? (int)log10(size) + 1 : size >= 1e-6 ? (int)floor(log10(size)) + 1 : 0;
  int places = columns[column].digits ? columns[column].digits - whole : 0;
  snprintf(text, n, "%.*f", places < 0 ? 0 : places, v);
}

/* How wide each column has to be; 0: every row of it is empty, and it is left out. */
static void measure_columns(const bench_table *t, int width[N_COLUMNS]) {
  char text[64];
  for (int c = 0; c < N_COLUMNS; c++) {
    width[c] = 0;
    for (int i = 0; i < t->n; i++) {
      cell_text(&t->rows[i], c, text, sizeof text);
      if ((int)strlen(text) > width[c]) width[c] = (int)strlen(text);
    }
    int title = (int)strlen(columns[c].title);
    if (width[c] && width[c] < title) width[c] = title;
  }
}

static void print_md(const bench_table *t, FILE *f) {
  static const char dashes[] = "------------------------------------------------------------";
  int width[N_COLUMNS];
  char text[64];
  if (!t->n) return;
  measure_columns(t, width);

  /* Before the rows are two lines of titles and dashes, with a colon where numbers are. */
  for (int i = -2; i < t->n; i++) {
    for (int c = 0; c < N_COLUMNS; c++) {
      bool left = columns[c].is_text;
      if (!width[c]) continue;
      if (i == -2) snprintf(text, sizeof text, "%s", columns[c].title);
      if (i == -1)
        snprintf(text, sizeof text, "%.*s%s", left ? width[c] : width[c] - 1, dashes,
                 left ? "" : ":");
      if (i >= 0) cell_text(&t->rows[i], c, text, sizeof text);
      fprintf(f, "| %*s ", left ? -width[c] : width[c], text);
    }
    fputs("|\n", f);
  }
}

static void print_csv(const bench_table *t, FILE *f) {
  for (int c = 0; c < N_COLUMNS; c++) fprintf(f, "%s%s", c ? "," : "", columns[c].key);
  fputc('\n', f);
  for (int i = 0; i < t->n; i++) {
    for (int c = 0; c < N_COLUMNS; c++) {
      const bench_row *r = &t->rows[i];
      if (c) fputc(',', f);
      if (is_empty(r, c)) continue;
      if (!columns[c].is_text) {
        fprintf(f, "%.9g", r->number[columns[c].index]);
        continue;
      }

      /* A text with a comma or a quote in it stands in quotes, which are doubled. */
      const char *text = r->text[columns[c].index];
      bool quote = strpbrk(text, ",\"") != NULL;
      if (quote) fputc('"', f);
      for (; *text; text++) fprintf(f, *text == '"' ? "\"%c" : "%c", *text);
      if (quote) fputc('"', f);
    }
    fputc('\n', f);
  }
}

static void put_row(trm__json_out *o, const bench_row *r) {
  trm__json_open(o, NULL, '{');
  for (int c = 0; c < N_COLUMNS; c++) {
    const int i = columns[c].index;
    if (is_empty(r, c)) continue;
    if (columns[c].is_text)
      trm__json_put_text(o, columns[c].key, r->text[i]);
    else if (columns[c].digits)
      trm__json_put_real(o, columns[c].key, r->number[i]);
    else
      trm__json_put_int(o, columns[c].key, (int64_t)r->number[i]);
  }
  trm__json_close(o);
}

static trm_status print_json(const bench_table *t, bool interrupted, FILE *f, trm_error *err) {
  trm__json_out o = trm__json_begin(TRM__JSON_INDENTED);
  trm__json_open(&o, NULL, '{');
  trm__json_put_text(&o, "version", trm_version());
  trm__json_put_text(&o, "isa", trm_isa());
  trm__json_put_bool(&o, "interrupted", interrupted);
  trm__json_open(&o, "rows", '[');
  for (int i = 0; i < t->n; i++) put_row(&o, &t->rows[i]);
  trm__json_close(&o);
  trm__json_close(&o);
  return cli_print_json(&o, f, err);
}

static const char *const format_names[BENCH_FORMATS] = {
    [BENCH_MD] = "md", [BENCH_CSV] = "csv", [BENCH_JSON] = "json"};

bool bench_format_from_name(const char *name, bench_format *out) {
  for (int i = 0; i < BENCH_FORMATS; i++) {
    if (strcmp(name, format_names[i]) != 0) continue;
    *out = (bench_format)i;
    return true;
  }
  return false;
}

trm_status bench_print(const bench_table *t, bench_format format, bool interrupted, FILE *f,
                       trm_error *err) {
  if (format == BENCH_JSON) return print_json(t, interrupted, f, err);
  if (format == BENCH_CSV)
    print_csv(t, f);
  else
    print_md(t, f);
  return TRM_OK;
}
