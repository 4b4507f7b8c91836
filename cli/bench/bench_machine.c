/* The two rates a machine or a GPU has at best, measured in the same run as all the rest: of
 * arithmetic in a single product, and of memory in a copy. What limits a row is read off from them.
 */
#include <math.h>
#include <string.h>

#include "cli/bench/bench_rows.h"

/* Seconds per product; a copy larger than the caches of its time. */
#define PRODUCT_SECONDS 0.004
#define COPY_BYTES ((int64_t)64 << 20)

void bench_machine_offer(bench_machine *m, trm_dtype dtype, int i, const trm_bench_shape *s,
                         double flops) {
  if (!(flops > m->flops[dtype][i])) return;
  m->flops[dtype][i] = flops;
  snprintf(m->best[dtype][i], sizeof m->best[dtype][i], "%.20s %dx%dx%d", s->name, s->m, s->n,
           s->k);
}

static trm_status measure_products(bench_machine *m, trm_dtype dtype, int i, trm_error *err) {
  trm_bench *b;
  int n;
  const trm_bench_shape *shapes = trm_bench_shapes(&n);
  CLI_TRY(trm_bench_create_products(dtype, m->threads.v[i], shapes, n, &b, err));
  for (int op = 0; op < n && !cli_interrupted(); op++) {
    const trm_bench_op *about = trm_bench_op_at(b, op);
    bench_machine_offer(m, dtype, i, &shapes[op],
                        about->flops / trm_bench_time(b, op, PRODUCT_SECONDS));
  }
  trm_bench_free(b);
  return TRM_OK;
}

static trm_status measure_copy(bench_machine *m, int i, trm_error *err) {
  enum { TIMES = 5 };
  trm_bench *b;
  CLI_TRY(trm_bench_create_copy(m->threads.v[i], COPY_BYTES, &b, err));
  for (int n = 0; n < TIMES && !cli_interrupted(); n++)
    m->copy[i] = fmax(m->copy[i], trm_bench_op_at(b, 0)->bytes / trm_bench_time(b, 0, 0));
  trm_bench_free(b);
  return TRM_OK;
}

/* One square product, the largest power of two that `work` allows. */
static trm_status measure_device(bench_machine *m, trm_dtype dtype, trm_error *err) {
  enum { LEAST = 64, MOST = 8192 };
  trm_bench_shape square = {"square", LEAST, LEAST, LEAST};
  double flops, copy;
  while (square.m < MOST && 16 * pow(square.m, 3) <= m->work)
    square.m = square.n = square.k = 2 * square.m;
  CLI_TRY(trm_bench_device_rates(m->device, dtype, &square, &flops, &copy, err));
  bench_machine_offer(m, dtype, 0, &square, flops);
  m->copy[0] = fmax(m->copy[0], copy);
  return TRM_OK;
}

trm_status bench_machine_measure(bench_machine *m, trm_dtype dtype, int threads, trm_error *err) {
  if (m->device.kind != TRM_DEVICE_CPU) return measure_device(m, dtype, err);
  if (m->copy[threads] == 0) CLI_TRY(measure_copy(m, threads, err));
  return measure_products(m, dtype, threads, err);
}

/* The shares from which on a limit is believed to be reached. */
#define ARITHMETIC_SHARE 0.7
#define MEMORY_SHARE 0.6
/* Bytes come faster than any copy in memory only from a cache. */
#define CACHE_SHARE 1.5

static void compare(const bench_machine *m, bench_row *r) {
  /* NaN where a row has no such rate, or nothing to compare it with. */
  double most_flops = m->flops[r->dtype][r->threads], most_bytes = m->copy[r->threads];
  double flops = most_flops > 0 ? 1e9 * r->number[BENCH_GFLOPS] / most_flops : NAN;
  double bytes = most_bytes > 0 ? 1e9 * r->number[BENCH_GBYTES] / most_bytes : NAN;
  r->number[BENCH_PEAK] = 100 * flops;
  const char *limit = isnan(flops) && isnan(bytes) ? ""
                      : flops >= ARITHMETIC_SHARE  ? "arithmetic"
                      : bytes >= CACHE_SHARE       ? "cache"
                      : bytes >= MEMORY_SHARE      ? "memory"
                                                   : "overhead";
  snprintf(r->text[BENCH_LIMIT], sizeof r->text[0], "%s", limit);
}

static trm_status add_peak(const bench_machine *m, int dtype, int i, bench_table *t,
                           trm_error *err) {
  bench_row *r = bench_table_add(t, "peak", err);
  if (!r) return TRM_E_MEMORY;
  bool copy = dtype == TRM_DTYPES;
  snprintf(r->text[BENCH_OP], sizeof r->text[0], "%s", copy ? "copy" : m->best[dtype][i]);
  bench_where(m->device, r);
  if (!copy)
    snprintf(r->text[BENCH_DTYPE], sizeof r->text[0], "%s", trm_dtype_name((trm_dtype)dtype));
  r->number[BENCH_THREADS] = m->threads.v[i];
  r->number[copy ? BENCH_GBYTES : BENCH_GFLOPS] = 1e-9 * (copy ? m->copy[i] : m->flops[dtype][i]);
  return TRM_OK;
}

trm_status bench_machine_compare(const bench_machine *m, bench_table *t, trm_error *err) {
  bench_table all = {0};
  trm_status st = TRM_OK;
  for (int i = 0; i < t->n; i++) compare(m, &t->rows[i]);

  /* What the machine can do comes first, where it was measured; then the rows compared with it. */
  for (int d = 0; d <= TRM_DTYPES; d++)
    for (int i = 0; i < m->threads.n && st == TRM_OK; i++)
      if ((d == TRM_DTYPES ? m->copy[i] : m->flops[d][i]) > 0) st = add_peak(m, d, i, &all, err);
  for (int i = 0; i < t->n && st == TRM_OK; i++) {
    bench_row *r = bench_table_add(&all, "", err);
    if (r)
      *r = t->rows[i];
    else
      st = TRM_E_MEMORY;
  }

  /* The new table takes the place of the old one, or nothing has changed. */
  if (st != TRM_OK) {
    bench_table_free(&all);
    return st;
  }
  bench_table_free(t);
  *t = all;
  return TRM_OK;
}
