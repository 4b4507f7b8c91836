/* The rows of `trm bench`: what was measured, the peaks they are compared with, and three ways to
 * print them. */
#ifndef TRM_CLI_BENCH_ROWS_H
#define TRM_CLI_BENCH_ROWS_H

#include "cli/cli.h"

/* ---- lists on the command line ---- */

enum { BENCH_LIST_MAX = 16 };
typedef struct bench_ints {
  int v[BENCH_LIST_MAX], n;
} bench_ints;
typedef struct bench_names {
  char v[BENCH_LIST_MAX][40];
  int n;
} bench_names;

/* "1,8,64": numbers from 1 to `most`. False with a message on stderr that names `option`. */
bool bench_parse_ints(const char *option, const char *text, int most, bench_ints *out);
bool bench_parse_names(const char *option, const char *text, bench_names *out);
/* "f32,bf16", in each spelling that trm_dtype_from_name takes; v[i] is a trm_dtype. */
bool bench_parse_dtypes(const char *option, const char *text, bench_ints *out);
/* "112x512x256,...": m, n and k of products. */
typedef struct bench_products {
  trm_bench_shape v[BENCH_LIST_MAX];
  int n;
} bench_products;
bool bench_parse_products(const char *option, const char *text, bench_products *out);

/* ---- rows ---- */

typedef enum bench_text {
  BENCH_TEST,
  BENCH_MODEL,
  BENCH_OP,
  BENCH_DTYPE,
  BENCH_ISA,
  BENCH_LIMIT,
  BENCH_TEXTS
} bench_text;

typedef enum bench_number {
  BENCH_THREADS,
  BENCH_BATCH,
  BENCH_MICRO,
  BENCH_RUNS,
  BENCH_CALLS,      /* of an op per sample and update */
  BENCH_GFLOP,      /* that the model needs for what ms says */
  BENCH_MS,         /* the median; per sample and step, of gemm per product */
  BENCH_MS_MIN,     /* of the runs */
  BENCH_MS_MAX,     /* of the runs */
  BENCH_TIME,       /* % of the time of all ops */
  BENCH_GFLOPS,     /* per second, all threads */
  BENCH_PEAK,       /* % of the best product */
  BENCH_GBYTES,     /* per second, all threads */
  BENCH_MIB,        /* held */
  BENCH_STEPS,      /* supervision steps per second */
  BENCH_PUZZLES,    /* per second, each with all its steps */
  BENCH_EXPONENT,   /* d log(time) / d log(what grows), from the row before */
  BENCH_ARITHMETIC, /* the same of the arithmetic */
  BENCH_NUMBERS
} bench_number;

/* Absent: empty text, NaN. */
typedef struct bench_row {
  char text[BENCH_TEXTS][48];
  double number[BENCH_NUMBERS];
  trm_dtype dtype;
  int threads; /* position in the machine's list */
} bench_row;

typedef struct bench_table {
  bench_row *rows;
  int n, room;
} bench_table;

/* An empty row at the end, valid until the next is added; NULL without memory. */
bench_row *bench_table_add(bench_table *t, const char *test, trm_error *err);
/* Where the row was measured: the kernels' instruction set, or the GPU. */
void bench_where(trm_device device, bench_row *r);
void bench_table_free(bench_table *t);
/* ms, its range and the number of runs from the seconds of each; `scale` units of ms per second. */
void bench_row_times(bench_row *r, double *seconds, int n, double scale);

typedef enum bench_format { BENCH_MD, BENCH_CSV, BENCH_JSON, BENCH_FORMATS } bench_format;
bool bench_format_from_name(const char *name, bench_format *out);
trm_status bench_print(const bench_table *t, bench_format format, bool interrupted, FILE *f,
                       trm_error *err);

/* ---- the machine ---- */

/* Best rates seen, per number format and position in the list of threads; 0: not measured. */
typedef struct bench_machine {
  trm_device device;
  double work; /* FLOP: a GPU's product has about as many at most */
  bench_ints threads;
  double flops[TRM_DTYPES][BENCH_LIST_MAX];  /* per second */
  double copy[BENCH_LIST_MAX];               /* bytes per second, read and written */
  char best[TRM_DTYPES][BENCH_LIST_MAX][48]; /* the product that was the best */
} bench_machine;

/* Measures once more and keeps the best. */
trm_status bench_machine_measure(bench_machine *m, trm_dtype dtype, int threads, trm_error *err);
/* A product computed at that rate, which is kept if it is the best. */
void bench_machine_offer(bench_machine *m, trm_dtype dtype, int threads, const trm_bench_shape *s,
                         double flops);
/* Adds a row for every peak in front and fills in each row's share and limit. */
trm_status bench_machine_compare(const bench_machine *m, bench_table *t, trm_error *err);

#endif
