/* trm bench: how fast this machine computes products, the ops of a model, its training and its
 * solving, and what limits each. Every combination of the lists is a row; the peaks that rows are
 * compared with are measured again before each of them, and the best counts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench/bench_model.h"

static const cli_manual manual = {
    "trm bench gemm|ops|train|infer|growth [options] [key=value ...]",
    "Measures on random values, on all threads at once:\n"
    "  gemm    matrix products by themselves, each thread its own\n"
    "  ops     every op of a training update by itself\n"
    "  train   training updates\n"
    "  infer   supervision steps of the solver\n"
    "  growth  updates against width, layers, n, cells, batch and threads\n"
    "key=value: settings of the model as in `trm train`, e.g. arch.hidden_size=128; what has\n"
    "an option below is chosen by the option only. --list-models lists the models: not every\n"
    "preset is one (arc1, arc2 and transformer-sudoku are not).\n",
    "Lists are separated by commas; every combination is a row of\n"
    "  GFLOP    the arithmetic that the model needs (products, 2 per multiply-add), and\n"
    "  ms       the median time for it, min and max over the runs, after one to warm up:\n"
    "           per sample and step (update, supervision step), of gemm per product;\n"
    "           an op's is the time of all its `calls` in an update, per sample\n"
    "  peak %   of the best product (rows `peak`) of the same format and number of threads\n"
    "  GB/s     bytes that must be read and written at least once, per second\n"
    "  MiB      held\n"
    "  steps/s  supervision steps of the whole batch; puzzles/s: each with all its steps\n"
    "  exponent of growth: log of the time over log of what grows, between neighbours,\n"
    "           beside that of the arithmetic; for batch and threads of a whole update\n"
    "  limit    arithmetic: at least 70 % of the peak; else memory: GB/s is at least 60 % of a\n"
    "           copy larger than the caches (row `peak copy`), or cache: more than 150 % of it;\n"
    "           else overhead: products too small, activations, norms, waiting for threads\n"
    "On a GPU the peaks are a square product by cuBLASLt, of random values, and a copy.\n"
    "Ctrl-C prints what was measured until then.\n\n"
    "Examples:\n"
    "  trm bench gemm -t 1,2 --dtype f32,bf16\n"
    "  trm bench gemm --shape 112x512x512,64x64x64\n"
    "  trm bench ops -m sudoku-mlp -b 64\n"
    "  trm bench train -m sudoku-mlp,sudoku6 -b 16,64 -t 1,2 -r 5 -o csv\n"
    "  trm bench train -m sudoku-mlp -b 768 --dtype bf16 --device cuda:0\n"
    "  trm bench train -m sudoku6 optimizer=muon\n"
    "  trm bench infer -m sudoku-mlp -b 1,8,64\n"
    "  trm bench growth -m sudoku6 arch.L_cycles=6 -o json\n"};

typedef struct bench_args {
  const char *models, *batches, *threads, *dtypes, *format, *shapes; /* NULL: not given */
  int runs, cells;                                                   /* cells -1: not given */
  trm_device device;
} bench_args;

/* All that a run of the command holds. */
typedef struct bench_run {
  bench_names models;
  bench_ints batches, dtypes;
  bench_products products;
  bench_format format;
  bench_machine machine;
  bench_table table;
  cli_progress bar;
  int64_t done;
  int runs, cells;
  const char *const *overrides;
  int n_overrides;
} bench_run;

static void row_done(bench_run *b) {
  cli_progress_update(&b->bar, ++b->done, NULL);
}

/* ---- gemm ---- */

static trm_status product_row(bench_run *b, const bench_case *c, const trm_bench_shape *s,
                              const trm_bench_op *op, double *seconds, int n, trm_error *err) {
  bench_row *r = bench_case_row(c, &b->table, err);
  if (!r) return TRM_E_MEMORY;
  snprintf(r->text[BENCH_OP], sizeof r->text[0], "%.20s %dx%dx%d", s->name, s->m, s->n, s->k);
  bench_row_times(r, seconds, n, 1e3);
  double median = 1e-3 * r->number[BENCH_MS];
  bench_machine_offer(&b->machine, c->dtype, c->threads_at, s, op->flops / seconds[0]);
  r->number[BENCH_GFLOP] = 1e-9 * op->flops / c->threads;
  r->number[BENCH_GFLOPS] = 1e-9 * op->flops / median;
  r->number[BENCH_GBYTES] = 1e-9 * op->bytes / median;
  return TRM_OK;
}

static trm_status time_products(bench_run *b, const bench_case *c, const trm_bench_shape *shapes,
                                int n_shapes, double *seconds, trm_error *err) {
  trm_bench *bench;
  trm_status st = TRM_OK;
  CLI_TRY(bench_machine_measure(&b->machine, c->dtype, c->threads_at, err));
  CLI_TRY(trm_bench_create_products(c->dtype, c->threads, shapes, n_shapes, &bench, err));
  for (int i = 0; i < n_shapes && st == TRM_OK; i++, row_done(b)) {
    int n = 0;
    while (n <= c->runs && !cli_interrupted()) {
      seconds[n] = trm_bench_time(bench, i, 0.01);
      n++;
    }
    /* The first was to warm up. */
    if (n > 1)
      st = product_row(b, c, &shapes[i], trm_bench_op_at(bench, i), seconds + 1, n - 1, err);
  }
  trm_bench_free(bench);
  return st;
}

static trm_status run_gemm(bench_run *b, trm_error *err) {
  int n = b->products.n;
  const trm_bench_shape *shapes = n ? b->products.v : trm_bench_shapes(&n);
  double *seconds = calloc((size_t)b->runs + 1, sizeof *seconds);
  trm_status st =
      seconds ? TRM_OK : cli_fail(err, TRM_E_MEMORY, -1, "no memory for %d runs", b->runs);
  cli_progress_begin(&b->bar, "timing", 0, (int64_t)n * b->dtypes.n * b->machine.threads.n, "rows",
                     1);
  for (int d = 0; d < b->dtypes.n; d++)
    for (int i = 0; i < b->machine.threads.n && st == TRM_OK && !cli_interrupted(); i++) {
      const bench_case c = {.test = "gemm",
                            .dtype = (trm_dtype)b->dtypes.v[d],
                            .threads = b->machine.threads.v[i],
                            .threads_at = i,
                            .runs = b->runs};
      st = time_products(b, &c, shapes, n, seconds, err);
    }
  free(seconds);
  return st;
}

/* ---- ops, train, infer ---- */

typedef trm_status case_fn(const bench_case *c, bench_table *t, trm_error *err);

static trm_status run_model(bench_run *b, const char *test, case_fn *run, bench_model *m,
                            trm_error *err) {
  for (int d = 0; d < b->dtypes.n; d++)
    for (int i = 0; i < b->machine.threads.n; i++)
      for (int j = 0; j < b->batches.n && !cli_interrupted(); j++, row_done(b)) {
        const bench_case c = {.test = test,
                              .model = m,
                              .dtype = (trm_dtype)b->dtypes.v[d],
                              .device = b->machine.device,
                              .threads = b->machine.threads.v[i],
                              .threads_at = i,
                              .batch = b->batches.v[j],
                              .runs = b->runs};

        /* What the machine can do is measured with as much work. */
        trm_model_cost cost;
        CLI_TRY(trm_model_cost_of(&m->model, &cost, err));
        b->machine.work = cost.flops_train * c.batch;
        CLI_TRY(bench_machine_measure(&b->machine, c.dtype, i, err));
        CLI_TRY(run(&c, &b->table, err));
      }
  return TRM_OK;
}

/* All models, before the first takes its time. */
static trm_status check_models(const bench_run *b, trm_error *err) {
  for (int i = 0; i < b->models.n; i++) {
    bench_model m;
    CLI_TRY(bench_model_load(&m, b->models.v[i], b->cells, b->overrides, b->n_overrides, err));
  }
  return TRM_OK;
}

static trm_status run_models(bench_run *b, const char *test, case_fn *run, trm_error *err) {
  CLI_TRY(check_models(b, err));
  cli_progress_begin(&b->bar, "timing", 0,
                     (int64_t)b->models.n * b->dtypes.n * b->machine.threads.n * b->batches.n,
                     "cases", 1);
  for (int i = 0; i < b->models.n; i++) {
    bench_model m;
    CLI_TRY(bench_model_load(&m, b->models.v[i], b->cells, b->overrides, b->n_overrides, err));
    CLI_TRY(run_model(b, test, run, &m, err));
  }
  return TRM_OK;
}

static trm_status run_ops(bench_run *b, trm_error *err) {
  return run_models(b, "ops", bench_ops, err);
}
static trm_status run_train(bench_run *b, trm_error *err) {
  return run_models(b, "train", bench_train, err);
}
static trm_status run_infer(bench_run *b, trm_error *err) {
  return run_models(b, "infer", bench_infer, err);
}

/* ---- growth ---- */

/* What grows: a key of the model, or one of the three that are none. */
static const struct sweep {
  const char *name, *key;
  enum { KEY, CELLS, BATCH, THREADS } what;
  int values[5]; /* 0: the end; of threads: the list of the command line */
} sweeps[] = {
    {"width", "arch.hidden_size", KEY, {64, 128, 256, 512, 0}},
    {"layers", "arch.L_layers", KEY, {1, 2, 4, 8, 0}},
    {"n", "arch.L_cycles", KEY, {1, 3, 6, 12, 0}},
    {"cells", NULL, CELLS, {16, 36, 81, 256, 0}},
    {"batch", NULL, BATCH, {8, 32, 128, 512, 0}},
    {"threads", NULL, THREADS, {0}},
};
enum { N_SWEEPS = sizeof sweeps / sizeof *sweeps, MAX_SETTINGS = 64 };

static int sweep_points(const bench_run *b, const struct sweep *s) {
  int n = 0;
  while (s->values[n]) n++;
  return s->what == THREADS ? b->machine.threads.n : n;
}

/* The row of one point, compared with the row before it unless it is the first. */
static void compare_growth(bench_row *r, const bench_row *before, const struct sweep *s, int value,
                           int value_before) {
  snprintf(r->text[BENCH_OP], sizeof r->text[0], "%s %d", s->name, value);
  if (!before) return;
  double grown = log((double)value / value_before);
  double rows = log(r->number[BENCH_BATCH] / before->number[BENCH_BATCH]);
  double work = log(r->number[BENCH_GFLOP] / before->number[BENCH_GFLOP]);
  r->number[BENCH_EXPONENT] = (log(r->number[BENCH_MS] / before->number[BENCH_MS]) + rows) / grown;
  r->number[BENCH_ARITHMETIC] = s->what == THREADS ? -1 : (work + rows) / grown;
}

static trm_status grow_point(bench_run *b, const struct sweep *s, int dtype, int point,
                             trm_error *err) {
  const char *settings[MAX_SETTINGS];
  char setting[64];
  int n = b->n_overrides,
      value = s->what == THREADS ? b->machine.threads.v[point] : s->values[point];
  bench_model m;

  /* The model, with the key that grows set to this point's value. */
  if (n >= MAX_SETTINGS) return cli_fail(err, TRM_E_CONFIG, -1, "too many settings");
  for (int i = 0; i < n; i++) settings[i] = b->overrides[i];
  if (s->key) {
    snprintf(setting, sizeof setting, "%s=%d", s->key, value);
    settings[n++] = setting;
  }
  CLI_TRY(
      bench_model_load(&m, b->models.v[0], s->what == CELLS ? value : b->cells, settings, n, err));

  /* Its updates are timed at the one thing that grows, and all else as it is. */
  int at = s->what == THREADS ? point : b->machine.threads.n - 1;
  const bench_case c = {.test = "growth",
                        .model = &m,
                        .dtype = (trm_dtype)dtype,
                        .threads = b->machine.threads.v[at],
                        .threads_at = at,
                        .batch = s->what == BATCH ? value : b->batches.v[0],
                        .runs = b->runs};
  CLI_TRY(bench_machine_measure(&b->machine, c.dtype, at, err));
  return bench_train(&c, &b->table, err);
}

static trm_status grow(bench_run *b, const struct sweep *s, int dtype, trm_error *err) {
  for (int i = 0; i < sweep_points(b, s) && !cli_interrupted(); i++, row_done(b)) {
    int before = b->table.n;
    const int *values = s->what == THREADS ? b->machine.threads.v : s->values;
    CLI_TRY(grow_point(b, s, dtype, i, err));
    if (b->table.n == before) return TRM_OK; /* interrupted */
    bench_row *r = &b->table.rows[before];
    compare_growth(r, i ? r - 1 : NULL, s, values[i], i ? values[i - 1] : 0);
  }
  return TRM_OK;
}

static trm_status run_growth(bench_run *b, trm_error *err) {
  int64_t points = 0;
  for (int i = 0; i < N_SWEEPS; i++) points += sweep_points(b, &sweeps[i]);
  cli_progress_begin(&b->bar, "timing", 0, points * b->dtypes.n, "points", 1);
  for (int d = 0; d < b->dtypes.n; d++)
    for (int i = 0; i < N_SWEEPS && !cli_interrupted(); i++)
      CLI_TRY(grow(b, &sweeps[i], b->dtypes.v[d], err));
  return TRM_OK;
}

/* ---- the command ---- */

static const struct test {
  const char *name;
  trm_status (*run)(bench_run *b, trm_error *err);
  const char *batches; /* by default */
  bool all_threads;    /* by default 1 and all of them, else all */
} tests[] = {
    {"gemm", run_gemm, "1", true},      {"ops", run_ops, "64", false},
    {"train", run_train, "64", false},  {"infer", run_infer, "1,64", false},
    {"growth", run_growth, "64", true},
};
enum { N_TESTS = sizeof tests / sizeof *tests };

static const struct test *find_test(const char *name) {
  trm__nearest near = {.word = name};
  for (int i = 0; i < N_TESTS; i++) {
    if (!strcmp(tests[i].name, name)) return &tests[i];
    trm__nearest_offer(&near, tests[i].name);
  }
  cli_usage_error("unknown bench '%s'; %s%s%s", name, near.best ? "did you mean '" : "want ",
                  near.best ? near.best : "gemm, ops, train, infer or growth",
                  near.best ? "'?" : "");
  return NULL;
}

/* Refuses an option that the bench would not look at. */
static bool check_options(const bench_args *a, const struct test *test) {
  const struct {
    const char *name;
    bool given, of_gemm;
  } some[] = {{"model", a->models, false},
              {"batch", a->batches, false},
              {"cells", a->cells >= 0, false},
              {"shape", a->shapes, true}};
  bool gemm = test->run == run_gemm;
  if (a->device.kind == TRM_DEVICE_CUDA && test->run != run_train && test->run != run_infer) {
    cli_usage_error("--device is for train and infer, not for %s", test->name);
    return false;
  }
  for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
    if (!some[i].given || some[i].of_gemm == gemm) continue;
    cli_usage_error("--%s is for %s, not for %s", some[i].name,
                    gemm ? "ops, train, infer and growth" : "gemm", test->name);
    return false;
  }
  return true;
}

/* Refuses a setting that an option would override, or that the bench would not look at. */
static bool check_settings(const struct test *test, const char *const *settings, int n) {
  const bool updates = test->run == run_train || test->run == run_ops || test->run == run_growth;
  const struct {
    const char *key, *instead;
    bool refused;
  } some[] = {{"preset", "use -m NAME", true},
              {"arch.forward_dtype", "use --dtype", true},
              {"global_batch_size", "use -b", true},
              {"threads", "use -t", true},
              {"optimizer", "is for train, ops and growth, which are about updates", !updates}};
  for (int i = 0; i < n; i++) {
    const char *key = settings[i] + strspn(settings[i], "+");
    size_t length = strcspn(key, "=");
    for (size_t j = 0; j < sizeof some / sizeof *some; j++) {
      if (length != strlen(some[j].key) || strncmp(key, some[j].key, length) != 0) continue;
      if (!some[j].refused) continue;
      cli_usage_error("%s: %s", some[j].key, some[j].instead);
      return false;
    }
  }
  return true;
}

static bool read_threads(const char *text, bool with_one, bench_ints *out) {
  if (text) return bench_parse_ints("threads", text, 1024, out);
  int all = trm_default_threads();
  out->n = 0;
  if (with_one && all > 1) out->v[out->n++] = 1;
  out->v[out->n++] = all;
  return true;
}

static bool read_lists(const bench_args *a, const struct test *test, bench_run *b) {
  if (a->runs < 1 || a->runs > 1000) {
    cli_usage_error("--runs: want 1 to 1000, got %d", a->runs);
    return false;
  }
  if (!bench_format_from_name(a->format, &b->format)) {
    cli_usage_error("--output: want md, csv or json, got '%s'", a->format);
    return false;
  }

  /* What is trained or solved may be on a GPU; threads are the CPU's. */
  b->runs = a->runs;
  b->machine.device = (trm_device){TRM_DEVICE_CPU, 0};
  if (test->run == run_train || test->run == run_infer)
    b->machine.device = trm_device_resolve(a->device, NULL);
  cli_note_device(a->device);
  const bool on_cpu = b->machine.device.kind == TRM_DEVICE_CPU;
  if (a->threads && !on_cpu) {
    cli_usage_error("--threads is for the CPU");
    return false;
  }

  /* The lists, each with its default. */
  b->cells = a->cells > 0 ? a->cells : 0;
  return bench_parse_names("model", a->models ? a->models : "sudoku6", &b->models) &&
         bench_parse_ints("batch", a->batches ? a->batches : test->batches, 1 << 20, &b->batches) &&
         bench_parse_dtypes("dtype", a->dtypes, &b->dtypes) &&
         read_threads(on_cpu ? a->threads : "1", test->all_threads, &b->machine.threads) &&
         (!a->shapes || bench_parse_products("shape", a->shapes, &b->products));
}

/* Prints what there is, also after a failure or Ctrl-C. */
static int run_test(const struct test *test, bench_run *b) {
  trm_error err = {0}, late = {0};
  trm_status st = test->run(b, &err);
  cli_progress_end(&b->bar);
  trm_status printed = TRM_OK;
  int rows = b->table.n; /* without the peaks */
  if (rows) printed = bench_machine_compare(&b->machine, &b->table, &late);
  if (printed == TRM_OK && (rows || st == TRM_OK))
    printed = bench_print(&b->table, b->format, cli_interrupted(), stdout, &late);
  bench_table_free(&b->table);
  if (st != TRM_OK) return cli_finish(cli_report_error(&err));
  if (printed != TRM_OK) return cli_finish(cli_report_error(&late));
  if (!cli_interrupted()) return cli_finish(CLI_OK);
  cli_note("interrupted; %d row%s measured", rows, rows == 1 ? "" : "s");
  return cli_finish(CLI_INTERRUPTED);
}

int cmd_bench(int argc, char **argv) {
  bench_args a = {.dtypes = "f32,bf16", .format = "md", .runs = 5, .cells = -1};
  bool list_models = false;
  const cli_option options[] = {
      {"m,model", CLI_NAMES, &a.models, "LIST", "models (default: sudoku6); growth takes one"},
      {"b,batch", CLI_NUMBERS, &a.batches, "LIST",
       "rows at once (default: 64; infer: 1,64); growth takes one"},
      {"t,threads", CLI_NUMBERS, &a.threads, "LIST",
       "(default: as many as the process may use; gemm, growth: also 1)"},
      {"dtype", CLI_NAMES, &a.dtypes, "LIST", "number formats (default: f32,bf16)"},
      {"device", CLI_DEVICE, &a.device, "NAME", "cpu (default), auto or cuda:N; train and infer"},
      {"r,runs", CLI_SIZE, &a.runs, "N", "timed runs of each row (default: 5)"},
      {"o,output", CLI_STRING, &a.format, "FORMAT", "md, csv or json (default: md)"},
      {"shape", CLI_NAMES, &a.shapes, "LIST", "gemm: MxNxK (default: those of the models)"},
      {"list-models", CLI_FLAG, &list_models, NULL, "print the models"},
      {"cells", CLI_INT, &a.cells, "N", "cells of a puzzle (0: the model's)"},
      CLI_QUIET_ROW,
      {NULL, CLI_FLAG, NULL, NULL, NULL}};

  /* Settings of the models follow the test's name. */
  int code;
  bench_run b = {0};
  if (!cli_options_parse_settings(&manual, options, trm_run_config_suggest, &argc, argv, &code))
    return code;
  if (list_models) {
    bench_print_models(stdout);
    return cli_finish(CLI_OK);
  }
  if (argc < 1) return cli_usage_error("want gemm, ops, train, infer or growth; see --help");

  /* The test decides which options it has, and how many values. */
  const struct test *test = find_test(argv[0]);
  if (!test || !check_options(&a, test) || !read_lists(&a, test, &b)) return CLI_USAGE;
  if (test->run == run_growth && (b.models.n > 1 || b.batches.n > 1))
    return cli_usage_error("growth takes one --model and one --batch");
  if (test->run == run_gemm && argc > 1)
    return cli_usage_error("gemm takes no settings of a model, got '%s'", argv[1]);

  /* What follows the name are settings of the models. */
  b.overrides = (const char *const *)argv + 1;
  b.n_overrides = argc - 1;
  if (!check_settings(test, b.overrides, b.n_overrides)) return CLI_USAGE;
  return run_test(test, &b);
}
