/* bench_update: times one training update of a few shapes, and the best single matrix product on
 * the same threads in the same run, to which the shares refer. Figures and commands:
 * docs/BENCHMARKS.md.
 *
 *   bench_update SHAPE BATCH [THREADS [RUNS [MICRO_BATCH]]] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/rng.h"
#include "base/team.h"
#include "kernels/kernels.h"
#include "trm.h"

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* --- shapes ---------------------------------------------------------------------------------- */

static const struct shape {
  const char *name, *about;
  int seq_len, vocab, D, heads, P, n, T;
  bool mlp_t;
} shapes[] = {
    {"sudoku-mlp", "the paper's Sudoku-Extreme model with the mixer", 81, 11, 512, 8, 16, 6, 3,
     true},
    {"sudoku-att", "the same with attention", 81, 11, 512, 8, 16, 6, 3, false},
    {"sudoku-mlp-t6", "n = 6, T = 6: out of memory in the paper's Table 3", 81, 11, 512, 8, 16, 6,
     6, true},
    {"maze-att", "the paper's Maze-Hard model, 916 positions", 900, 6, 512, 8, 16, 4, 3, false},
    {"sudoku6-ref", "6x6 Sudoku, width 64, n = 6, T = 3", 36, 8, 64, 2, 1, 6, 3, true},
    {"sudoku6", "the preset sudoku6: n = 3, T = 2", 36, 8, 64, 2, 1, 3, 2, true},
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

static trm_model_config config_of(const struct shape *s) {
  trm_model_config c = trm_model_config_default(TRM_ARCH_TRM);
  c.seq_len = s->seq_len;
  c.vocab_size = s->vocab;
  c.num_puzzle_identifiers = 1;
  c.hidden_size = c.puzzle_emb_ndim = s->D;
  c.num_heads = s->heads;
  c.puzzle_emb_len = s->P;
  c.L_cycles = s->n;
  c.H_cycles = s->T;
  c.mlp_t = s->mlp_t;
  c.forward_dtype = getenv("DTYPE") ? TRM_FLOAT32 : TRM_BFLOAT16;
  c.pos_encodings = s->mlp_t ? TRM_POS_NONE : TRM_POS_ROPE;
  return c;
}

/* --- the peak -------------------------------------------------------------------------------- */

enum { M = 98, N = 512, K = 512, REPEATS = 200 };
typedef struct peak {
  const trm__product *p;
  real *memory; /* per thread: A, B, C */
  int64_t size;
} peak;

static void peak_lane(void *arg, trm__lane *lane) {
  const peak *p = arg;
  real *a = p->memory + lane->team * p->size, *b = a + M * K, *c = b + K * N;
  for (int i = 0; i < REPEATS; i++)
    p->p->gemm(M, N, K / p->p->group, a, K / p->p->group, b, (ptrdiff_t)K / p->p->group * p->p->nr, c, N, false);
}

/* GFLOP/s of the best of several runs of a product that fits each core's cache. */
static double measure_peak(int threads, trm_dtype dtype, trm_error *err) {
  trm__pool *pool;
  peak p = {.size = M * K + K * N + M * N};
  double best = 0;
  const trm__kernels *k;
  if (trm__kernels_select(&k, err) != TRM_OK || trm__pool_create(threads, &pool, err) != TRM_OK)
    return 0;
  p.p = &k->product[dtype];
  p.memory = trm__alloc((size_t)threads * (size_t)p.size, sizeof *p.memory);
  for (int run = 0; p.memory && run < 10; run++) {
    double start = now();
    trm__pool_run(pool, threads, peak_lane, &p);
    double rate = 2e-9 * M * N * K * REPEATS * threads / (now() - start);
    best = rate > best ? rate : best;
  }
  trm__free(p.memory);
  trm__pool_free(pool);
  return best;
}

/* --- the update ------------------------------------------------------------------------------ */

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static trm_status time_updates(trm_trainer *t, const trm_model_config *m, int batch, int runs,
                               double *seconds, trm_error *err) {
  size_t cells = (size_t)batch * (size_t)m->seq_len;
  int32_t *inputs = calloc(cells, sizeof *inputs), *labels = calloc(cells, sizeof *labels);
  int32_t *ids = calloc((size_t)batch, sizeof *ids);
  trm_status st = inputs && labels && ids ? TRM_OK : TRM_E_MEMORY;
  trm__rng rng = trm__rng_at(1, TRM__RNG_TEST, 0, 0);
  for (size_t i = 0; st == TRM_OK && i < cells; i++) {
    inputs[i] = (int32_t)trm__rng_below(&rng, (uint32_t)m->vocab_size);
    labels[i] = (int32_t)trm__rng_below(&rng, (uint32_t)m->vocab_size);
  }
  for (int i = -1; st == TRM_OK && i < runs; i++) { /* one to warm up */
    double start = now();
    st = trm_trainer_step(t, &(trm_batch){inputs, labels, ids}, NULL, err);
    if (i >= 0) seconds[i] = now() - start;
  }
  free(inputs);
  free(labels);
  free(ids);
  return st;
}

static trm_status bench(const struct shape *s, const trm_trainer_config *config, int runs,
                        double *seconds, trm_error *err) {
  trm_model_config m = config_of(s);
  trm_model_cost cost;
  trm_model *model;
  trm_trainer *t;
  trm_status st = trm_model_cost_of(&m, &cost, err);
  if (st == TRM_OK) st = trm_model_create(&m, 0, &model, err);
  if (st != TRM_OK) return st;
  st = trm_trainer_create(model, config, &t, err);
  trm_model_free(model);
  if (st != TRM_OK) return st;
  st = time_updates(t, &m, config->batch_size, runs, seconds, err);
  if (st == TRM_OK) {
    double top = measure_peak(config->threads, m.forward_dtype, err), rows = config->batch_size;
    qsort(seconds, (size_t)runs, sizeof *seconds, by_value);
    double middle = seconds[runs / 2], rate = 1e-9 * cost.flops_train * rows / middle;
    printf("%s: %s\n", s->name, s->about);
    printf("  %s, %d threads, batch %d, micro-batch %d, %.0f MiB, %d updates timed\n", trm_isa(),
           config->threads, config->batch_size, trm_trainer_micro_batch(t),
           (double)trm_trainer_bytes(t) / 1048576, runs);
    printf("  %.2f GFLOP per row and update; ms per row: min %.3f, median %.3f, max %.3f\n",
           1e-9 * cost.flops_train, 1e3 * seconds[0] / rows, 1e3 * middle / rows,
           1e3 * seconds[runs - 1] / rows);
    printf("  %.0f GFLOP/s, %.0f %% of the best product (%.0f)\n", rate, 100 * rate / top, top);
  }
  trm_trainer_free(t);
  return st;
}

int main(int argc, char **argv) {
  const struct shape *s = NULL;
  for (int i = 0; argc > 2 && i < N_SHAPES; i++)
    if (!strcmp(argv[1], shapes[i].name)) s = &shapes[i];
  trm_trainer_config config = trm_trainer_config_default();
  config.batch_size = argc > 2 ? atoi(argv[2]) : 0;
  config.threads = argc > 3 ? atoi(argv[3]) : trm_default_threads();
  int runs = argc > 4 ? atoi(argv[4]) : 5;
  config.micro_batch = argc > 5 ? atoi(argv[5]) : 0;
  config.lr = config.puzzle_emb_lr = 1e-5;
  if (!s || config.batch_size < 1 || config.threads < 1 || runs < 1 || runs > 1000) {
    fprintf(stderr, "usage: bench_update SHAPE BATCH [THREADS [RUNS [MICRO_BATCH]]]\n");
    for (int i = 0; i < N_SHAPES; i++)
      fprintf(stderr, "  %-14s %s\n", shapes[i].name, shapes[i].about);
    return 2;
  }
  trm_error err;
  double *seconds = calloc((size_t)runs, sizeof *seconds);
  trm_status st = seconds ? bench(s, &config, runs, seconds, &err) : TRM_E_MEMORY;
  if (st != TRM_OK) fprintf(stderr, "bench_update: %s\n", seconds ? err.msg : "no memory");
  free(seconds);
  return st == TRM_OK ? 0 : 1;
}
