/* Timing a model: shapes, random puzzles, updates, supervision steps, single ops. */
#include "cli/bench/bench_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A run repeats what it times for so many seconds; an op's runs are shorter, for there are many. */
#define RUN_SECONDS 0.05
#define OP_SECONDS 0.01

/* ---- shapes ---- */

static const struct {
  const char *name, *about, *preset;
  int seq_len, vocab;
  const char *extra[2];
} shapes[] = {
    {"sudoku-mlp", "the paper's Sudoku-Extreme model with the mixer", "sudoku-mlp", 81, 11, {0}},
    {"sudoku-mlp-nopad", "the same without puzzle positions", "sudoku-mlp-nopad", 81, 11, {0}},
    {"sudoku-att", "the paper's with attention", "sudoku-att", 81, 11, {0}},
    {"sudoku-mlp-t6",
     "n = 6, T = 6: out of memory in the paper's Table 3",
     "sudoku-mlp",
     81,
     11,
     {"arch.H_cycles=6"}},
    {"maze-att", "the paper's Maze-Hard model, 900 cells", "maze-att", 900, 6, {0}},
    {"hrm-sudoku", "HRM on Sudoku-Extreme", "hrm-sudoku", 81, 11, {0}},
    {"sudoku4", "the preset sudoku4", "sudoku4", 16, 6, {0}},
    {"sudoku6", "the preset sudoku6: width 64, n = 3, T = 2", "sudoku6", 36, 8, {0}},
    {"sudoku6-adam",
     "the preset sudoku6-adam: the same, AdamATan2, the reference's blocks",
     "sudoku6-adam",
     36,
     8,
     {0}},
    {"sudoku6-ref",
     "that with n = 6, T = 3",
     "sudoku6-adam",
     36,
     8,
     {"arch.L_cycles=6", "arch.H_cycles=3"}},
    {"maze10", "the preset maze10: width 96, attention", "maze10", 100, 6, {0}},
    {"sudoku9", "the preset sudoku9: width 192, attention", "sudoku9", 81, 11, {0}},
    {"sudoku9-small", "the preset sudoku9-small: width 128", "sudoku9-small", 81, 11, {0}},
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes, MAX_OVERRIDES = 64 };

void bench_print_models(FILE *f) {
  for (int i = 0; i < N_SHAPES; i++) fprintf(f, "%-16s %s\n", shapes[i].name, shapes[i].about);
}

static int find_shape(const char *name, trm_error *err) {
  trm__nearest near = {.word = name};
  for (int i = 0; i < N_SHAPES; i++) {
    if (!strcmp(shapes[i].name, name)) return i;
    trm__nearest_offer(&near, shapes[i].name);
  }
  cli_fail(err, TRM_E_CONFIG, -1, "unknown model '%s'%s%s%s", name,
           near.best ? "; did you mean '" : "; `trm bench --list-models` lists all",
           near.best ? near.best : "", near.best ? "'?" : "");
  return -1;
}

/* What data of that size would say of themselves: the first puzzle that has as many cells and
 * tokens, a Sudoku, a maze or a grid of letters, as near to a square as it can be. */
static trm_puzzle puzzle_of(int cells, int vocab) {
  int rows = 1;
  for (int i = 2; i * i <= cells; i++)
    if (cells % i == 0) rows = i;
  const trm_puzzle sudoku = trm_sudoku_of_size(rows);
  const trm_puzzle maze = {.kind = TRM_PUZZLE_MAZE, .rows = rows, .cols = cells / rows};
  trm_puzzle grid = {.kind = TRM_PUZZLE_GRID, .rows = rows, .cols = cells / rows};
  for (int i = 0; i + trm_puzzle_first_symbol(&grid) < vocab && i < 26; i++)
    grid.vocabulary[2 * i] = (char)('A' + i);

  const trm_puzzle *const list[] = {&sudoku, &maze};
  for (size_t i = 0; i < sizeof list / sizeof *list; i++)
    if (list[i]->rows * list[i]->cols == cells &&
        trm_puzzle_first_symbol(list[i]) + trm_puzzle_n_symbols(list[i]) == vocab)
      return *list[i];
  return grid;
}

trm_status bench_model_load(bench_model *m, const char *name, int seq_len,
                            const char *const *overrides, int n, trm_error *err) {
  const char *all[MAX_OVERRIDES];
  char preset[64];
  int at = find_shape(name, err), used = 0;
  if (at < 0) return TRM_E_CONFIG;
  if (n > MAX_OVERRIDES - 3)
    return cli_fail(err, TRM_E_CONFIG, -1, "more than %d settings", MAX_OVERRIDES - 3);

  /* The preset, what this shape changes of it, and what the user does: the last one counts. */
  snprintf(preset, sizeof preset, "preset=%s", shapes[at].preset);
  all[used++] = preset;
  for (int i = 0; i < 2 && shapes[at].extra[i]; i++) all[used++] = shapes[at].extra[i];
  for (int i = 0; i < n; i++) all[used++] = overrides[i];
  trm_run_config *run;
  CLI_TRY(trm_run_config_load(NULL, all, used, &run, err));
  *m = (bench_model){.model = *trm_run_config_model(run), .trainer = *trm_run_config_trainer(run)};
  trm_run_config_free(run);

  /* What a training run would learn from its data. */
  snprintf(m->name, sizeof m->name, "%s", name);
  m->model.seq_len = seq_len ? seq_len : shapes[at].seq_len;
  m->model.vocab_size = shapes[at].vocab;
  m->model.num_puzzle_identifiers = 1;
  m->model.puzzle = puzzle_of(m->model.seq_len, m->model.vocab_size);

  /* A Sudoku of another size is one, too, whose symbols are those of that size: options that ask
   * for its rules go on to work. */
  const trm_puzzle own = puzzle_of(shapes[at].seq_len, shapes[at].vocab);
  const trm_puzzle other = trm_sudoku_of_size((int)lrint(sqrt(m->model.seq_len)));
  if (trm_puzzle_facts_of(&own)->boxes && other.kind != TRM_PUZZLE_NONE &&
      other.rows * other.cols == m->model.seq_len) {
    m->model.puzzle = other;
    m->model.vocab_size = trm_puzzle_first_symbol(&other) + trm_puzzle_n_symbols(&other);
  }
  return trm_model_config_check(&m->model, err);
}

/* ---- rows ---- */

bench_row *bench_case_row(const bench_case *c, bench_table *t, trm_error *err) {
  bench_row *r = bench_table_add(t, c->test, err);
  if (!r) return NULL;
  if (c->model) snprintf(r->text[BENCH_MODEL], sizeof r->text[0], "%s", c->model->name);
  snprintf(r->text[BENCH_DTYPE], sizeof r->text[0], "%s", trm_dtype_name(c->dtype));
  bench_where(c->device, r);
  r->dtype = c->dtype;
  r->threads = c->threads_at;
  r->number[BENCH_THREADS] = c->threads;
  if (c->batch) r->number[BENCH_BATCH] = c->batch;
  return r;
}

/* A call that is timed: once to warm up and to see how often it fits into a run, then `runs` times.
 * *n: runs done, fewer when interrupted. */
typedef trm_status timed_fn(void *arg, trm_error *err);

static trm_status time_runs(timed_fn *call, void *arg, int runs, double *seconds, int *n,
                            trm_error *err) {
  double start = cli_now();
  *n = 0;
  if (cli_interrupted()) return TRM_OK;
  CLI_TRY(call(arg, err));
  double once = cli_now() - start;
  /* The first call may take longer than the others, so look at a second one where it is cheap. */
  if (once < RUN_SECONDS && !cli_interrupted()) {
    start = cli_now();
    CLI_TRY(call(arg, err));
    once = cli_now() - start;
  }
  int repeats = once * 1e5 > RUN_SECONDS ? (int)ceil(RUN_SECONDS / once) : 100000;
  for (; *n < runs; ++*n) {
    start = cli_now();
    for (int i = 0; i < repeats; i++) {
      if (cli_interrupted()) return TRM_OK;
      CLI_TRY(call(arg, err));
    }
    seconds[*n] = (cli_now() - start) / repeats;
  }
  return TRM_OK;
}

/* ---- random puzzles ---- */

typedef struct puzzles {
  int32_t *inputs, *labels, *ids;
} puzzles;

static void free_puzzles(puzzles *p) {
  free(p->inputs);
  free(p->labels);
  free(p->ids);
}

static trm_status make_puzzles(const trm_model_config *c, int batch, puzzles *p, trm_error *err) {
  size_t cells = (size_t)batch * (size_t)c->seq_len;
  uint32_t x = 1;
  p->inputs = calloc(cells, sizeof *p->inputs);
  p->labels = calloc(cells, sizeof *p->labels);
  p->ids = calloc((size_t)batch, sizeof *p->ids);
  if (!p->inputs || !p->labels || !p->ids)
    return cli_fail(err, TRM_E_MEMORY, -1, "no memory for %d puzzles", batch);
  for (size_t i = 0; i < 2 * cells; i++) {
    x = 1664525 * x + 1013904223; /* Knuth's linear congruential generator */
    (i < cells ? p->inputs : p->labels - cells)[i] = (int32_t)((x >> 8) % (uint32_t)c->vocab_size);
  }
  return TRM_OK;
}

/* ---- a training update ---- */

typedef struct training {
  trm_trainer *trainer;
  puzzles puzzles;
} training;

static trm_status update(void *arg, trm_error *err) {
  const training *t = arg;
  const puzzles *p = &t->puzzles;
  return trm_trainer_step(t->trainer, &(trm_batch){p->inputs, p->labels, p->ids}, NULL, err);
}

/* An update at the model's full depth, as it is at the end of a curriculum, at a rate of learning
 * that keeps random weights where they are. */
static trm_trainer_config trainer_config(const bench_case *c) {
  trm_trainer_config config = c->model->trainer;
  config.curriculum = (trm_curriculum){0};
  config.lr_schedule = TRM_LR_CONSTANT;
  config.batch_size = c->batch;
  config.threads = c->threads;
  config.device = c->device;
  config.lr = config.puzzle_emb_lr = 1e-5;
  config.total_steps = 0;
  return config;
}

static trm_model_config model_config(const bench_case *c) {
  trm_model_config config = c->model->model;
  config.forward_dtype = c->dtype;
  return config;
}

static trm_status train_row(const bench_case *c, const trm_trainer_cost *held, double *seconds,
                            int n, bench_table *t, trm_error *err) {
  trm_model_cost cost;
  trm_model_config config = model_config(c);
  CLI_TRY(trm_model_cost_of(&config, &cost, err));
  bench_row *r = bench_case_row(c, t, err);
  if (!r) return TRM_E_MEMORY;
  bench_row_times(r, seconds, n, 1e3 / c->batch);
  double median = 1e-3 * r->number[BENCH_MS] * c->batch;
  r->number[BENCH_MICRO] = held->micro_batch;
  r->number[BENCH_GFLOP] = cost.flops_train / 1e9;
  r->number[BENCH_GFLOPS] = 1e-9 * cost.flops_train * c->batch / median;
  /* What an update must at least write and read once: all it keeps, and all the rows keep. */
  double rows = (double)c->batch * (double)(cost.bytes_saved + cost.bytes_carry);
  r->number[BENCH_GBYTES] = 2e-9 * (rows + (double)(held->weights + held->gradients)) / median;
  r->number[BENCH_MIB] = (double)held->bytes / 1048576;
  return TRM_OK;
}

static trm_status time_training(const bench_case *c, training *x, bench_table *t, trm_error *err) {
  trm_model *model;
  trm_model_config mc = model_config(c);
  trm_trainer_config tc = trainer_config(c);
  trm_trainer_cost cost;
  int n;
  CLI_TRY(trm_trainer_cost_of(&mc, &tc, &cost, err));
  CLI_TRY(trm_model_create(&mc, 0, &model, err));
  trm_status st = trm_trainer_create(model, &tc, &x->trainer, err);
  trm_model_free(model);
  CLI_TRY(st);
  CLI_TRY(make_puzzles(&mc, c->batch, &x->puzzles, err));
  double *seconds = calloc((size_t)c->runs, sizeof *seconds);
  if (!seconds) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for %d runs", c->runs);
  st = time_runs(update, x, c->runs, seconds, &n, err);
  if (st == TRM_OK && n > 0) st = train_row(c, &cost, seconds, n, t, err);
  free(seconds);
  return st;
}

trm_status bench_train(const bench_case *c, bench_table *t, trm_error *err) {
  training x = {0};
  trm_status st = time_training(c, &x, t, err);
  trm_trainer_free(x.trainer);
  free_puzzles(&x.puzzles);
  return st;
}

/* ---- a supervision step ---- */

typedef struct solving {
  trm_model *model;
  trm_solver *solver;
  puzzles puzzles;
} solving;

static trm_status solver_step(void *arg, trm_error *err) {
  const solving *s = arg;
  return trm_solver_step(s->solver, err);
}

static trm_status infer_row(const bench_case *c, const solving *s, double *seconds, int n,
                            bench_table *t, trm_error *err) {
  trm_model_cost cost;
  const trm_model_config *config = trm_model_get_config(s->model);
  CLI_TRY(trm_model_cost_of(config, &cost, err));
  bench_row *r = bench_case_row(c, t, err);
  if (!r) return TRM_E_MEMORY;
  bench_row_times(r, seconds, n, 1e3 / c->batch);
  double median = 1e-3 * r->number[BENCH_MS] * c->batch;

  /* Arithmetic and bytes of one step of the whole batch: weights once, latents there and back. */
  static const double weight[TRM_DTYPES] = {[TRM_FLOAT32] = 4, [TRM_BFLOAT16] = 2, [TRM_INT8] = 1};
  r->number[BENCH_GFLOP] = cost.flops_forward / 1e9;
  r->number[BENCH_GFLOPS] = 1e-9 * cost.flops_forward * c->batch / median;
  r->number[BENCH_GBYTES] =
      1e-9 *
      (weight[c->dtype] * (double)cost.n_params + 2.0 * c->batch * (double)cost.bytes_carry) /
      median;
  r->number[BENCH_MIB] =
      ((double)trm_solver_bytes(s->solver) + 4.0 * (double)(cost.n_params + cost.n_puzzle_emb)) /
      1048576;
  r->number[BENCH_STEPS] = 1 / median;
  r->number[BENCH_PUZZLES] = c->batch / median / config->halt_max_steps;
  return TRM_OK;
}

static trm_status time_solving(const bench_case *c, solving *s, bench_table *t, trm_error *err) {
  trm_model_config config = model_config(c);
  int n;
  CLI_TRY(trm_model_create(&config, 0, &s->model, err));
  CLI_TRY(trm_solver_create(
      s->model, &(trm_solver_config){.batch = c->batch, .threads = c->threads, .device = c->device},
      &s->solver, err));
  CLI_TRY(make_puzzles(&config, c->batch, &s->puzzles, err));
  CLI_TRY(trm_solver_start(s->solver, c->batch, s->puzzles.inputs, NULL, err));
  double *seconds = calloc((size_t)c->runs, sizeof *seconds);
  if (!seconds) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for %d runs", c->runs);
  trm_status st = time_runs(solver_step, s, c->runs, seconds, &n, err);
  if (st == TRM_OK && n > 0) st = infer_row(c, s, seconds, n, t, err);
  free(seconds);
  return st;
}

trm_status bench_infer(const bench_case *c, bench_table *t, trm_error *err) {
  solving s = {0};
  trm_status st = time_solving(c, &s, t, err);
  trm_solver_free(s.solver);
  trm_model_free(s.model);
  free_puzzles(&s.puzzles);
  return st;
}

/* ---- single ops ---- */

/* Calls of an op for each row of the batch. */
static double calls_per_row(const bench_case *c, const trm_trainer_cost *cost,
                            const trm_bench_op *op) {
  return op->calls / (op->per_update ? c->batch : cost->micro_batch * cost->teams);
}

static trm_status op_row(const bench_case *c, const trm_trainer_cost *cost, const trm_bench_op *op,
                         double *seconds, int n, bench_table *t, trm_error *err) {
  bench_row *r = bench_case_row(c, t, err);
  if (!r) return TRM_E_MEMORY;
  double share = calls_per_row(c, cost, op);
  bench_row_times(r, seconds, n, 1e3 * share);
  double median = 1e-3 * r->number[BENCH_MS] / share;
  snprintf(r->text[BENCH_OP], sizeof r->text[0], "%s", op->name);
  r->number[BENCH_MICRO] = cost->micro_batch;
  r->number[BENCH_CALLS] = op->calls;
  if (op->flops > 0) {
    r->number[BENCH_GFLOP] = 1e-9 * op->flops * share;
    r->number[BENCH_GFLOPS] = 1e-9 * op->flops / median;
  }
  r->number[BENCH_GBYTES] = 1e-9 * op->bytes / median;
  return TRM_OK;
}

/* Of all ops: each row's share of the time, and a row for the sum. */
static trm_status sum_rows(const bench_case *c, bench_table *t, int first, trm_error *err) {
  double ms = 0, gflop = 0;
  int end = t->n;
  for (int i = first; i < end; i++) {
    ms += t->rows[i].number[BENCH_MS];
    if (t->rows[i].number[BENCH_GFLOP] > 0) gflop += t->rows[i].number[BENCH_GFLOP];
  }
  for (int i = first; i < end; i++)
    t->rows[i].number[BENCH_TIME] = 100 * t->rows[i].number[BENCH_MS] / ms;

  /* The sum stands below them. */
  bench_row *r = bench_case_row(c, t, err);
  if (!r) return TRM_E_MEMORY;
  snprintf(r->text[BENCH_OP], sizeof r->text[0], "all of these");
  r->number[BENCH_MS] = ms;
  r->number[BENCH_TIME] = 100;
  r->number[BENCH_GFLOP] = gflop;
  r->number[BENCH_GFLOPS] = 1e3 * gflop / ms;
  return TRM_OK;
}

static trm_status time_ops(const bench_case *c, const trm_trainer_cost *cost, trm_bench *b,
                           double *seconds, bench_table *t, trm_error *err) {
  int first = t->n;
  for (int i = 0; i < trm_bench_count(b) && !cli_interrupted(); i++) {
    int n = 0;
    trm_bench_time(b, i, OP_SECONDS); /* to warm up */
    while (n < c->runs && !cli_interrupted()) seconds[n++] = trm_bench_time(b, i, OP_SECONDS);
    if (n > 0) CLI_TRY(op_row(c, cost, trm_bench_op_at(b, i), seconds, n, t, err));
  }
  bool complete = t->n - first == trm_bench_count(b);
  return complete ? sum_rows(c, t, first, err) : TRM_OK;
}

trm_status bench_ops(const bench_case *c, bench_table *t, trm_error *err) {
  trm_model_config mc = model_config(c);
  trm_trainer_config tc = trainer_config(c);
  trm_trainer_cost cost;
  trm_bench *b;
  CLI_TRY(trm_trainer_cost_of(&mc, &tc, &cost, err));
  CLI_TRY(trm_bench_create_ops(&mc, &tc, cost.threads, cost.teams, cost.micro_batch, &b, err));
  double *seconds = calloc((size_t)c->runs, sizeof *seconds);
  trm_status st = seconds ? time_ops(c, &cost, b, seconds, t, err)
                          : cli_fail(err, TRM_E_MEMORY, -1, "no memory for %d runs", c->runs);
  free(seconds);
  trm_bench_free(b);
  return st;
}
