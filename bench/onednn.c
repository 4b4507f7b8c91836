/* bench_onednn: our products beside those of oneDNN, on the shapes of `trm bench gemm`, interleaved
 * in one run, the best of each (other work on the machine makes both slower, never faster). Both
 * get their operands ready: A row-major in the number format, B packed as each wants it (oneDNN:
 * weights of format "any"); C is float32. Every thread computes products of its own, as the teams
 * of a trainer do.
 *
 *   bench_onednn [THREADS [RUNS]] */
#include <dnnl.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/os_thread.h"
#include "base/team.h"
#include "trm.h"

enum { MAX_THREADS = 64, MAX_RUNS = 1000 };
#define SECONDS 0.005

/* --- oneDNN ---------------------------------------------------------------------------------- */

typedef struct library {
  dnnl_engine_t engine;
  dnnl_stream_t stream;
  dnnl_primitive_t primitive;
  dnnl_exec_arg_t args[3]; /* A, B, C */
} library;

static dnnl_status_t make_memory(library *l, int i, int arg, const dnnl_memory_desc_t *desc) {
  l->args[i].arg = arg;
  dnnl_status_t st = dnnl_memory_create(&l->args[i].memory, desc, l->engine, DNNL_MEMORY_ALLOCATE);
  if (st != dnnl_success) return st;
  void *data;
  st = dnnl_memory_get_data_handle(l->args[i].memory, &data);
  /* Halves of about +-0.01 to 0.03 are such values as bfloat16, and as float32 two by two. */
  uint32_t state = 1;
  for (size_t j = 0; st == dnnl_success && j < dnnl_memory_desc_get_size(desc) / 2; j++) {
    state = state * 1664525u + 1013904223u;
    ((uint16_t *)data)[j] = (uint16_t)(0x3c00u | (state >> 16 & 0x80ffu));
  }
  return st;
}

static dnnl_status_t open_library(library *l, const trm_bench_shape *s, trm_dtype dtype) {
  /* Both operands in the format, float32 sums; oneDNN chooses the order of the weights, as trm
   * does. */
  const dnnl_data_type_t type = dtype == TRM_BFLOAT16 ? dnnl_bf16 : dnnl_f32;
  const dnnl_dims_t a = {s->m, s->k}, b = {s->k, s->n}, c = {s->m, s->n};
  dnnl_memory_desc_t da, db, dc;
  dnnl_matmul_desc_t matmul;
  dnnl_primitive_desc_t desc = NULL;

  /* Engine, shapes, primitive and memory, each only if all before it was made. */
  dnnl_status_t st = dnnl_engine_create(&l->engine, dnnl_cpu, 0);
  if (st == dnnl_success) st = dnnl_stream_create(&l->stream, l->engine, dnnl_stream_default_flags);
  if (st == dnnl_success) st = dnnl_memory_desc_init_by_tag(&da, 2, a, type, dnnl_ab);
  if (st == dnnl_success) st = dnnl_memory_desc_init_by_tag(&db, 2, b, type, dnnl_format_tag_any);
  if (st == dnnl_success) st = dnnl_memory_desc_init_by_tag(&dc, 2, c, dnnl_f32, dnnl_ab);
  if (st == dnnl_success) st = dnnl_matmul_desc_init(&matmul, &da, &db, NULL, &dc);
  if (st == dnnl_success) st = dnnl_primitive_desc_create(&desc, &matmul, NULL, l->engine, NULL);
  if (st == dnnl_success) st = dnnl_primitive_create(&l->primitive, desc);
  if (st == dnnl_success) st = make_memory(l, 0, DNNL_ARG_SRC, &da);
  if (st == dnnl_success)
    st = make_memory(l, 1, DNNL_ARG_WEIGHTS,
                     dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 0));
  if (st == dnnl_success) st = make_memory(l, 2, DNNL_ARG_DST, &dc);

  /* The primitive keeps what it needs of its description. */
  if (desc) dnnl_primitive_desc_destroy(desc);
  return st;
}

static void close_library(library *l) {
  for (int i = 0; i < 3; i++)
    if (l->args[i].memory) dnnl_memory_destroy(l->args[i].memory);
  if (l->primitive) dnnl_primitive_destroy(l->primitive);
  if (l->stream) dnnl_stream_destroy(l->stream);
  if (l->engine) dnnl_engine_destroy(l->engine);
}

/* Timed as trm_bench_time does: each thread by itself, the slowest counts. */
typedef struct call {
  library *lib; /* [threads] */
  int64_t repeats;
  double seconds[MAX_THREADS];
} call;

static void library_lane(void *arg, trm__lane *lane) {
  call *c = arg;
  library *l = &c->lib[lane->team];
  omp_set_num_threads(1);
  double start = trm__os_seconds();
  for (int64_t i = 0; i < c->repeats; i++) {
    dnnl_primitive_execute(l->primitive, l->stream, 3, l->args);
    dnnl_stream_wait(l->stream);
  }
  c->seconds[lane->team] = trm__os_seconds() - start;
}

/* Seconds of one product per thread; *repeats is found the first time. */
static double time_library(trm__pool *pool, library *lib, int64_t *repeats) {
  const int threads = trm__pool_threads(pool);
  call c = {.lib = lib, .repeats = *repeats ? *repeats : 1};
  for (;; c.repeats *= 2) {
    double slowest = 0;
    trm__pool_run(pool, threads, library_lane, &c);
    for (int i = 0; i < threads; i++) slowest = fmax(slowest, c.seconds[i]);
    if (!*repeats && slowest < SECONDS) continue;
    *repeats = c.repeats;
    return slowest / (double)c.repeats;
  }
}

/* --- the table ------------------------------------------------------------------------------- */

static trm_status compare(trm__pool *pool, const trm_bench_shape *s, trm_dtype dtype, library *lib,
                          int runs, trm_error *err) {
  /* Each thread has a copy of its own of the product, in both libraries. */
  const int threads = trm__pool_threads(pool);
  double ours = INFINITY, theirs = INFINITY;
  int64_t repeats = 0;
  trm_bench *b;
  for (int i = 0; i < threads; i++)
    if (open_library(&lib[i], s, dtype) != dnnl_success)
      TRM_FAIL(err, TRM_E_SYSTEM, "oneDNN refuses %s %dx%dx%d", s->name, s->m, s->n, s->k);

  /* One round of each that does not count: it finds pages, frequencies and repeats. */
  TRM_TRY(trm_bench_create_products(dtype, threads, s, 1, &b, err));
  time_library(pool, lib, &repeats);
  trm_bench_time(b, 0, SECONDS);

  /* In turn, so that whatever slows the machine slows both; the best of each. */
  for (int i = 0; i < runs; i++) {
    ours = fmin(ours, trm_bench_time(b, 0, SECONDS));
    theirs = fmin(theirs, time_library(pool, lib, &repeats));
  }
  trm_bench_free(b);

  /* GFLOP/s of all threads. */
  double gflop = 2e-9 * s->m * s->n * s->k * threads;
  double x = gflop / ours, y = gflop / theirs;
  char size[32];
  snprintf(size, sizeof size, "%dx%dx%d", s->m, s->n, s->k);
  printf("| %-16s | %-13s | %-8s | %7d | %7.0f | %7.0f | %5.2f |\n", s->name, size,
         trm_dtype_name(dtype), threads, x, y, x / y);
  fflush(stdout);
  return TRM_OK;
}

int main(int argc, char **argv) {
  /* Threads and rounds. */
  int threads = argc > 1 ? atoi(argv[1]) : 1, runs = argc > 2 ? atoi(argv[2]) : 25, n;
  if (argc > 3 || threads < 1 || threads > MAX_THREADS || runs < 1 || runs > MAX_RUNS) {
    fprintf(stderr, "usage: bench_onednn [THREADS [RUNS]]\n");
    return 2;
  }

  /* The table's head, with what is compared. */
  const dnnl_version_t *v = dnnl_version();
  const trm_bench_shape *shapes = trm_bench_shapes(&n);
  trm_error err = {0};
  trm__pool *pool = NULL;
  trm_status st = trm__pool_create(threads, &pool, &err);
  printf("GFLOP/s of all threads: trm (%s) and oneDNN %d.%d.%d, best of %d\n\n", trm_isa(),
         v->major, v->minor, v->patch, runs);
  printf("| product          | m x n x k     | dtype    | threads |     trm |  oneDNN | ratio |\n");
  printf("|------------------|---------------|----------|--------:|--------:|--------:|------:|\n");

  /* A row for each format and shape. */
  for (int d = 0; d < TRM_DTYPES; d++)
    for (int i = 0; i < n && st == TRM_OK; i++) {
      library *lib = trm__alloc((size_t)threads, sizeof *lib);
      st = lib ? compare(pool, &shapes[i], (trm_dtype)d, lib, runs, &err) : TRM_E_MEMORY;
      for (int j = 0; lib && j < threads; j++) close_library(&lib[j]);
      trm__free(lib);
    }

  /* A failure is told with its place. */
  trm__pool_free(pool);
  if (st != TRM_OK) fprintf(stderr, "bench_onednn: %s\n", err.msg[0] ? err.msg : "no memory");
  return st == TRM_OK ? 0 : 1;
}
