/* The best a core can do: products and copies on memory of each thread's own. */
#include <string.h>

#include "base/memory.h"
#include "bench/measure.h"
#include "kernels/kernels.h"

/* "block": as the backend calls the kernel, 112 rows and 128 units at a time, operands in the
 * second-level cache. The others are whole products of a model, as a library would be given them:
 * four rows of 97 positions (16 + 81) at width 512, and two of 37 at width 64. */
static const trm_bench_shape shapes[] = {
    {"block in", 112, 128, 512},       {"block out", 112, 512, 128},
    {"block square", 112, 256, 256},   {"mlp in", 388, 3072, 512},
    {"mlp out", 388, 512, 1536},       {"mlp gradient", 3072, 512, 388},
    {"mixer in", 1024, 512, 97},       {"mixer out", 97, 512, 512},
    {"attention qkv", 388, 1536, 512}, {"attention scores", 97, 97, 64},
    {"attention values", 97, 64, 97},  {"6x6 mlp in", 74, 512, 64},
    {"6x6 mlp out", 74, 64, 256},      {"6x6 mlp gradient", 512, 64, 74},
    {"6x6 mixer in", 512, 64, 37},     {"6x6 mixer out", 37, 64, 256},
    {"6x6 chunk", 74, 128, 64},
};

const trm_bench_shape *trm_bench_shapes(int *n) {
  *n = sizeof shapes / sizeof *shapes;
  return shapes;
}

typedef struct state {
  const trm__product *p;
  trm_bench_shape *shapes;
  real *memory;                 /* per thread: A, B, C (a copy: from, to) */
  int64_t size_a, size_b, size; /* of one thread's */
} state;

static void free_state(void *arg) {
  state *s = arg;
  if (!s) return;
  trm__free(s->shapes);
  trm__free(s->memory);
  trm__free(s);
}

/* Operands above this are not in the near caches when a product comes back to them. */
enum { FAR_BYTES = 1 << 19 };

static int mode_of(int64_t size_b, int64_t size_c) {
  const int64_t far = FAR_BYTES / (int64_t)sizeof(real);
  return TRM__SET | (size_b > far ? TRM__FETCH_B : 0) | (size_c > far ? TRM__FETCH_C : 0);
}

static void run_product(trm_bench *b, const trm__bench_op *op, trm__lane *lane) {
  const state *s = b->state;
  const trm_bench_shape *c = op->arg;
  const trm__product *p = s->p;
  int units = trm__units(p, c->k);
  real *a = s->memory + lane->team * s->size;
  p->gemm(c->m, c->n, units, a, units, a + s->size_a, (ptrdiff_t)units * p->nr,
          a + s->size_a + s->size_b, c->n,
          mode_of(trm__size_b(p, c->k, c->n), (int64_t)c->m * c->n));
}

static int64_t grow(int64_t *most, int64_t n) {
  n = (n + 15) / 16 * 16;
  return *most = n > *most ? n : *most;
}

/* Each thread's operands are units of random values: what a unit holds does not depend on the
 * shape, so that all shapes share them. */
static trm_status fill_operands(const state *s, int threads, trm_error *err) {
  const int64_t most = 1 << 20, row = s->size < most ? s->size : most;
  const int k = (int)(row - s->p->head) * s->p->group;
  real *values;
  TRM_ALLOC(&values, k, "the operands of a bench", err);
  trm__bench_random(values, k);
  for (int64_t at = 0; at < threads * s->size; at += row) {
    int64_t left = threads * s->size - at, n = left < row ? left : row;
    s->p->to_a(1, (int)(n - s->p->head) * s->p->group, values, k, 1, s->memory + at, (ptrdiff_t)n);
  }
  trm__free(values);
  return TRM_OK;
}

static trm_status check_shapes(const trm_bench_shape *c, int n, trm_error *err) {
  enum { MOST = 16384 };
  if (n < 1) TRM_FAIL(err, TRM_E_ARGUMENT, "no products to time");
  for (int i = 0; i < n; i++, c++)
    if (c->m < 1 || c->n < 1 || c->k < 1 || c->m > MOST || c->n > MOST || c->k > MOST)
      TRM_FAIL(err, TRM_E_ARGUMENT, "product %d x %d x %d: want 1 to %d each", c->m, c->n, c->k,
               MOST);
  return TRM_OK;
}

static trm_status products_state(trm_dtype dtype, int threads, const trm_bench_shape *c, int n,
                                 state *s, trm_error *err) {
  const trm__kernels *k;
  int64_t size_c = 0;
  TRM_TRY(trm__kernels_select(&k, err));
  if (!(s->p = trm__product_of(k, dtype)))
    TRM_FAIL(err, TRM_E_CONFIG, "the kernels %s have no products in %s", k->name,
             trm_dtype_name(dtype));
  TRM_ALLOC(&s->shapes, n, "the products of a bench", err);
  memcpy(s->shapes, c, (size_t)n * sizeof *c);
  for (int i = 0; i < n; i++) {
    grow(&s->size_a, (int64_t)c[i].m * trm__units(s->p, c[i].k));
    grow(&s->size_b, trm__size_b(s->p, c[i].k, c[i].n));
    grow(&size_c, (int64_t)c[i].m * c[i].n);
  }
  s->size = s->size_a + s->size_b + size_c;
  TRM_ALLOC(&s->memory, threads * s->size, "the operands of a bench", err);
  return fill_operands(s, threads, err);
}

trm_status trm_bench_create_products(trm_dtype dtype, int threads, const trm_bench_shape *c, int n,
                                     trm_bench **out, trm_error *err) {
  trm_bench *b;
  state *s;
  *out = NULL;
  if ((unsigned)dtype >= TRM_DTYPES || threads < 1 || threads > TRM__BENCH_THREADS)
    TRM_FAIL(err, TRM_E_ARGUMENT, "a bench of products: number format %d, %d threads", (int)dtype,
             threads);
  TRM_TRY(check_shapes(c, n, err));
  TRM_ALLOC(&s, 1, "a bench", err);
  trm_status st = products_state(dtype, threads, c, n, s, err);
  if (st != TRM_OK) {
    free_state(s);
    return st;
  }
  TRM_TRY(trm__bench_create(threads, n, s, free_state, &b, err));

  /* A product's FLOPs, and what it reads and writes once: operands in their format, C in float32.
   */
  const double bytes[TRM_DTYPES] = {[TRM_FLOAT32] = 4, [TRM_BFLOAT16] = 2, [TRM_INT8] = 1};
  for (b->n_ops = 0; b->n_ops < n; b->n_ops++) {
    const trm_bench_shape *x = &s->shapes[b->n_ops];
    double mk = (double)x->m * x->k, kn = (double)x->k * x->n, mn = (double)x->m * x->n;
    b->ops[b->n_ops] =
        (trm__bench_op){.about = {.name = x->name,
                                  .flops = 2 * mn * x->k * threads,
                                  .bytes = (bytes[dtype] * (mk + kn) + 4 * mn) * threads,
                                  .calls = 1},
                        .run = run_product,
                        .arg = x,
                        .teams = threads};
  }
  *out = b;
  return TRM_OK;
}

static void run_copy(trm_bench *b, const trm__bench_op *op, trm__lane *lane) {
  const state *s = b->state;
  real *from = s->memory + lane->team * s->size;
  (void)op;
  memcpy(from + s->size_a, from, (size_t)s->size_a * sizeof *from);
}

trm_status trm_bench_create_copy(int threads, int64_t bytes, trm_bench **out, trm_error *err) {
  trm_bench *b;
  state *s;
  *out = NULL;
  if (threads < 1 || threads > TRM__BENCH_THREADS || bytes < 1 || bytes > (int64_t)1 << 40)
    TRM_FAIL(err, TRM_E_ARGUMENT, "a copy of %lld bytes by %d threads: want 1 to 2^40, 1 to %d",
             (long long)bytes, threads, TRM__BENCH_THREADS);
  TRM_ALLOC(&s, 1, "a bench", err);

  grow(&s->size_a, (bytes + (int64_t)sizeof(real) - 1) / (int64_t)sizeof(real));
  s->size = 2 * s->size_a;
  s->memory = trm__alloc((uint64_t)threads * (uint64_t)s->size, sizeof *s->memory);
  if (!s->memory) {
    free_state(s);
    TRM_FAIL(err, TRM_E_MEMORY, "no memory for %d copies of %lld bytes", threads, (long long)bytes);
  }
  TRM_TRY(trm__bench_create(threads, 1, s, free_state, &b, err));

  double moved = 2.0 * (double)s->size_a * sizeof(real) * threads;
  b->ops[b->n_ops++] = (trm__bench_op){
      .about = {.name = "copy", .bytes = moved, .calls = 1}, .run = run_copy, .teams = threads};
  *out = b;
  return TRM_OK;
}
