/* Products of int8 values, on every instruction set of this machine: what operands hold, sums
 * against plain loops in double, values that are no numbers; then solvers with them, whose answers
 * have the same bits for any threads and batch, and what int8 is refused for. */
#include <stdlib.h>
#include <string.h>

#include "small_model.h"
#include "trm/bench.h"
#include "units.h"

/* --- values inside of operands --- */

enum { HEAD = 2, GROUP = 4 };

typedef struct matrix { /* [rows, depth], in an operand or decoded from one */
  int rows, depth;
  double *v, *scale;
} matrix;
static double *zeros(int64_t n) {
  double *v = calloc((size_t)n, sizeof *v);
  assert_non_null(v);
  return v;
}
static matrix matrix_new(int rows, int depth) {
  return (matrix){rows, depth, zeros((int64_t)rows * depth), zeros(rows)};
}
static void matrix_free(matrix m) {
  free(m.v);
  free(m.scale);
}

/* What a byte of A stands above its value: that of a row of zeros. */
static int offset_of(const trm__product *p) {
  const real zeros[GROUP] = {0};
  real row[HEAD + 1];
  p->to_a(1, GROUP, zeros, GROUP, 1, row, HEAD + 1);
  return (int)(bits_of(row[HEAD]) & 255);
}
static int byte_at(const real *units, ptrdiff_t next, int p) {
  return (int)(bits_of(units[p / GROUP * next]) >> (p % GROUP * 8) & 255);
}

/* Rows of A, `next` = 1, or columns of panels of B. */
static matrix decode(const trm__product *p, bool is_a, int rows, int depth, const real *from,
                     ptrdiff_t ld) {
  matrix m = matrix_new(rows, depth);
  const int offset = is_a ? offset_of(p) : 0;
  const ptrdiff_t next = is_a ? 1 : p->nr;
  for (int i = 0; i < rows; i++) {
    const real *head = is_a ? from + i * ld : from + i / p->nr * ld + i % p->nr;
    m.scale[i] = (double)head[0];
    for (int q = 0; q < (depth + GROUP - 1) / GROUP * GROUP; q++) {
      int b = byte_at(head + HEAD * next, next, q);
      b = is_a ? b - offset : b;
      if (b > 127) b -= 256;
      if (b < -127) b += 256;
      assert_in_range(b + 127, 0, 254);
      if (q < depth)
        m.v[i * depth + q] = b * m.scale[i];
      else if (!is_a || head[1] == 0)
        assert_int_equal(b, 0); /* what fills up a unit */
    }
  }
  return m;
}

/* Every value is the nearest multiple of its row's scale, and the largest is 127 of it. */
static void check_rounded(const trm__kernels *k, const matrix *got, const double *want,
                          const char *what, double slack) {
  for (int i = 0; i < got->rows; i++) {
    double largest = 0;
    for (int q = 0; q < got->depth; q++) largest = fmax(largest, fabs(want[i * got->depth + q]));
    probe_true(fabs(got->scale[i] - largest / 127) <= (1e-6 + slack) * largest,
               "%s %s: scale of %d is %g, the largest is %g", k->name, what, i, got->scale[i],
               largest);
    for (int q = 0; q < got->depth; q++)
      probe_true(fabs(got->v[i * got->depth + q] - want[i * got->depth + q]) <=
                     got->scale[i] * (0.5 + 1e-4) + slack * largest,
                 "%s %s %d x %d at %d %d: %g, expected %g", k->name, what, got->rows, got->depth, i,
                 q, got->v[i * got->depth + q], want[i * got->depth + q]);
  }
}
static double *in_double(const real *v, int64_t n) {
  double *d = zeros(n);
  for (int64_t i = 0; i < n; i++) d[i] = (double)v[i];
  return d;
}

/* --- products --- */

typedef void int8_check(const trm__kernels *k, const trm__product *p, trm__rng *rng);
static void on_every_set(int8_check *check) {
  const trm__kernels *k[MAX_ISA];
  const int n = isas(k);
  for (int i = 0; i < n; i++) {
    const trm__product *p[TRM__INT8_PRODUCTS];
    const int products = trm__int8_products(k[i], p);
    assert_in_range(products, 1, TRM__INT8_PRODUCTS);
    for (int j = 0; j < products; j++) {
      trm__rng rng = probe_rng(7);
      assert_int_equal(p[j]->dtype, TRM_INT8);
      assert_int_equal(p[j]->head, HEAD);
      assert_int_equal(p[j]->group, GROUP);
      check(k[i], p[j], &rng);
    }
  }
}

/* C = A B and C += A B, by what the operands hold. B across: [k, n]; along: [n, k]. */
static void check_product(const trm__kernels *k, const trm__product *p, int m, int n, int depth,
                          bool across, trm__rng *rng) {
  const int units = trm__units(p, depth), lda = units + 3, ldc = n + 2;
  const int panels = (n + p->nr - 1) / p->nr;
  real *a = probe_random((int64_t)m * depth, 2, rng), *b = probe_random((int64_t)n * depth, 1, rng);
  fenced in_a = fence((int64_t)(m - 1) * lda + units), in_b = fence(trm__size_b(p, depth, n));
  fenced c = fence((int64_t)(m - 1) * ldc + n);

  p->to_a(m, depth, a, depth, 1, in_a.v, lda);
  p->to_b(depth, n, b, across ? n : 1, across ? 1 : depth, in_b.v);
  matrix of_a = decode(p, true, m, depth, in_a.v, lda);
  matrix of_b = decode(p, false, panels * p->nr, depth, in_b.v, (ptrdiff_t)units * p->nr);

  /* The operands: rounded rows and columns, and zeros to the end of the last panel. */
  double *want_a = in_double(a, (int64_t)m * depth),
         *want_b = zeros((int64_t)panels * p->nr * depth);
  for (int j = 0; j < n; j++)
    for (int q = 0; q < depth; q++)
      want_b[j * depth + q] = (double)b[across ? q * n + j : j * depth + q];
  check_rounded(k, &of_a, want_a, "to_a", 0);
  check_rounded(k, &of_b, want_b, across ? "to_b across" : "to_b along", 0);

  /* The sums are exact, so that only scales round. */
  for (int twice = 0; twice < 2; twice++) {
    p->gemm(m, n, units, in_a.v, lda, in_b.v, (ptrdiff_t)units * p->nr, c.v, ldc,
            twice ? TRM__ADD | TRM__FETCH_B : TRM__SET);
    for (int i = 0; i < m; i++)
      for (int j = 0; j < n; j++) {
        double sum = 0, size = 0;
        for (int q = 0; q < depth; q++) {
          const double x = of_a.v[i * depth + q] * of_b.v[j * depth + q];
          sum += x;
          size += fabs(x);
        }
        sum *= 1 + twice;
        probe_true(fabs((double)c.v[i * ldc + j] - sum) <= 2e-6 * fabs(sum) + 1e-7 * size,
                   "%s %d x %d x %d at %d %d: %.9g, expected %.9g", k->name, m, n, depth, i, j,
                   (double)c.v[i * ldc + j], sum);
      }
  }

  free(want_a);
  free(want_b);
  matrix_free(of_a);
  matrix_free(of_b);
  unfence(in_a);
  unfence(in_b);
  unfence(c);
  trm__free(a);
  trm__free(b);
}

static void check_shapes(const trm__kernels *k, const trm__product *p, trm__rng *rng) {
  static const int rows[] = {1, 2, 5, 14, 15, 37}, cols[] = {1, 8, 15, 16, 17, 33, 70},
                   depths[] = {1, 3, 4, 5, 17, 37, 64, 97, 130};
  enum { ROWS = sizeof rows / sizeof *rows, COLS = sizeof cols / sizeof *cols };
  for (int j = 0; j < COLS; j++)
    for (int d = 0; d < (int)(sizeof depths / sizeof *depths); d++)
      check_product(k, p, rows[(j + d) % ROWS], cols[j], depths[d], (j + d) % 2, rng);
}
static void products_are_those_of_rounded_values(void **state) {
  (void)state;
  on_every_set(check_shapes);
}

/* By whatever instructions: the same bits. */
static void multiply(const trm__product *p, int m, int n, int depth, const real *a, const real *b,
                     real *c) {
  const int units = trm__units(p, depth);
  real *in_a = probe_reals((int64_t)m * units), *in_b = probe_reals(trm__size_b(p, depth, n));
  p->to_a(m, depth, a, depth, 1, in_a, units);
  p->to_b(depth, n, b, n, 1, in_b);
  p->gemm(m, n, units, in_a, units, in_b, (ptrdiff_t)units * p->nr, c, n, TRM__SET);
  trm__free(in_a);
  trm__free(in_b);
}
static void quicker_instructions_give_the_same_bits(void **state) {
  enum { M = 23, N = 45, K = 131 };
  const trm__kernels *k[MAX_ISA];
  const int n = isas(k);
  trm__rng rng = probe_rng(11);
  real *a = probe_random(M * K, 1, &rng), *b = probe_random(K * N, 1, &rng), c[2][M * N];
  (void)state;
  for (int i = 0; i < n; i++) {
    const trm__product *p[TRM__INT8_PRODUCTS];
    const int products = trm__int8_products(k[i], p);
    for (int j = 0; j < products; j++) multiply(p[j], M, N, K, a, b, c[j]);
    assert_true(trm__product_of(k[i], TRM_INT8) == p[products - 1]);
    if (products > 1) probe_true(probe_same(c[0], c[1], M * N), "%s", k[i]->name);
  }
  trm__free(a);
  trm__free(b);
}

/* What is next to nothing is 0, what is no number spoils its row or column and no other. */
static void check_flaws(const trm__kernels *k, const trm__product *p, trm__rng *rng) {
  enum { M = 5, N = 20, K = 23 };
  static const real flaws[] = {(real)NAN, (real)INFINITY, (real)-INFINITY};
  for (int f = 0; f < 3; f++) {
    real *a = probe_random(M * K, 1, rng), *b = probe_random(K * N, 1, rng), c[M * N];
    const int units = trm__units(p, K);
    real *in_a = probe_reals(M * units), *in_b = probe_reals(trm__size_b(p, K, N));
    a[2 * K + f] = flaws[f];
    b[7 * N + 18] = flaws[f];
    memset(a + 3 * K, 0, K * sizeof *a);
    for (int q = 0; q < K; q++) b[q * N + 4] = q % 2 ? 1e-40f : 0;
    p->to_a(M, K, a, K, 1, in_a, units);
    p->to_b(K, N, b, N, 1, in_b);
    p->gemm(M, N, units, in_a, units, in_b, (ptrdiff_t)units * p->nr, c, N, TRM__SET);
    for (int i = 0; i < M; i++)
      for (int j = 0; j < N; j++) {
        const bool spoilt = i == 2 || j == 18, nothing = i == 3 || j == 4;
        const double got = (double)c[i * N + j];
        probe_true(spoilt    ? isnan(got)
                   : nothing ? got == 0
                             : isfinite(got) && got != 0,
                   "%s: %g in A and B: at %d %d %g", k->name, (double)flaws[f], i, j, got);
      }
    trm__free(a);
    trm__free(b);
    trm__free(in_a);
    trm__free(in_b);
  }
}
static void what_is_no_number_spoils_its_row_and_column(void **state) {
  (void)state;
  on_every_set(check_flaws);
}

static double swiglu(double g, double u) {
  return g / (1 + exp(-g)) * u;
}
/* 2e-4: the sigmoid is as exact as bfloat16 needs. */
static void check_swiglu(const trm__kernels *k, const trm__product *p, trm__rng *rng) {
  enum { ROWS = 7, N = 128, LD = N + 32, COLS = 50 };
  real *g = probe_random(N * LD, 4, rng), *u = probe_random(N * LD, 2, rng);
  const int units = trm__units(p, N), panels = (COLS + p->nr - 1) / p->nr;
  fenced a = fence(ROWS * units), b = fence(trm__size_b(p, N, COLS));
  double *want = zeros((int64_t)panels * p->nr * N);

  /* A: rows of N units. */
  p->swiglu_a(ROWS, N, g, u, LD, a.v, units, NULL, NULL);
  for (int i = 0; i < ROWS; i++)
    for (int j = 0; j < N; j++)
      want[i * N + j] = swiglu((double)g[i * LD + j], (double)u[i * LD + j]);
  matrix got = decode(p, true, ROWS, N, a.v, units);
  check_rounded(k, &got, want, "swiglu_a", 2e-4);
  matrix_free(got);

  /* B: the depth is N units, of COLS columns. */
  memset(want, 0, (size_t)(panels * p->nr) * N * sizeof *want);
  p->swiglu_b(N, COLS, g, u, LD, b.v, NULL, NULL, 0);
  for (int j = 0; j < COLS; j++)
    for (int i = 0; i < N; i++)
      want[j * N + i] = swiglu((double)g[i * LD + j], (double)u[i * LD + j]);
  got = decode(p, false, panels * p->nr, N, b.v, (ptrdiff_t)units * p->nr);
  check_rounded(k, &got, want, "swiglu_b", 2e-4);
  matrix_free(got);

  free(want);
  unfence(a);
  unfence(b);
  trm__free(g);
  trm__free(u);
}
static void activations_are_rounded_as_operands(void **state) {
  (void)state;
  on_every_set(check_swiglu);
}

/* Shares of a row, which sum to 1 as they were rounded. */
static void check_softmax(const trm__kernels *k, const trm__product *p, trm__rng *rng) {
  enum { ROWS = 3 };
  static const int lengths[] = {1, 5, 16, 63, 64, 65, 200};
  for (size_t t = 0; t < sizeof lengths / sizeof *lengths; t++) {
    const int n = lengths[t], units = trm__units(p, n), ld = n + 1;
    real *s = probe_random(ROWS * ld, 9, rng), lse[ROWS], inverse[ROWS];
    fenced a = fence(ROWS * units);
    p->softmax_a(ROWS, n, s, ld, 0.5f, a.v, units, lse, inverse);
    matrix got = decode(p, true, ROWS, n, a.v, units);
    for (int i = 0; i < ROWS; i++) {
      double big = -INFINITY, total = 0, sum = 0;
      for (int j = 0; j < n; j++) big = fmax(big, (double)s[i * ld + j]);
      for (int j = 0; j < n; j++) total += exp(0.5 * ((double)s[i * ld + j] - big));
      for (int j = 0; j < n; j++) {
        const double whole = got.v[i * n + j] + (double)a.v[i * units + 1]; /* and the shift */
        const double share = whole * (double)inverse[i];
        const double e = exp(0.5 * ((double)s[i * ld + j] - big));
        sum += share;
        probe_true(fabs(whole - 254 * e) <= 0.5 + 1e-3, "%s: %d of %d is %g, not %g", k->name, j, n,
                   whole, 254 * e);
      }
      probe_true(fabs(sum - 1) < 1e-5, "%s: shares of %d sum to %g", k->name, n, sum);
      probe_true(fabs((double)lse[i] - log2(total) - 0.5 * big / log(2)) < 1e-4, "%s", k->name);
    }
    matrix_free(got);
    unfence(a);
    trm__free(s);
  }
}
static void shares_are_rounded_and_sum_to_one(void **state) {
  (void)state;
  on_every_set(check_softmax);
}

/* A score that is no number makes no shares. */
static void check_softmax_flaw(const trm__kernels *k, const trm__product *p, trm__rng *rng) {
  enum { TWO = 2, N = 40, COLS = 3 };
  const int units = trm__units(p, N);
  real *s = probe_random(TWO * N, 1, rng), *v = probe_random(N * COLS, 1, rng);
  real *a = probe_reals(TWO * units), *b = probe_reals(trm__size_b(p, N, COLS));
  real lse[TWO], inverse[TWO], c[TWO * COLS];
  s[N + 7] = (real)NAN;
  p->softmax_a(TWO, N, s, N, 1, a, units, lse, inverse);
  p->to_b(N, COLS, v, COLS, 1, b);
  p->gemm(TWO, COLS, units, a, units, b, (ptrdiff_t)units * p->nr, c, COLS, TRM__SET);
  for (int j = 0; j < COLS; j++)
    probe_true(isfinite((double)c[j]) && isnan((double)c[COLS + j]), "%s", k->name);
  trm__free(s);
  trm__free(v);
  trm__free(a);
  trm__free(b);
}
static void a_score_that_is_no_number_makes_no_shares(void **state) {
  (void)state;
  on_every_set(check_softmax_flaw);
}

/* --- solvers --- */

enum { LEN = 30, ROWS = 5, STEPS = 3 };

static void plain(trm_model_config *c) {
  (void)c;
}
static void mixer(trm_model_config *c) {
  c->mlp_t = true;
  c->pos_encodings = TRM_POS_NONE;
}
static void normed(trm_model_config *c) {
  c->gate_norm = c->qk_norm = c->attn_out_norm = true;
}
static void normed_mixer(trm_model_config *c) {
  mixer(c);
  c->gate_norm = true;
}
static void least(trm_model_config *c) { /* rows shorter than their head */
  c->hidden_size = 2;
  c->num_heads = 1;
  c->puzzle_emb_ndim = 4;
}
static void experts(trm_model_config *c) {
  c->moe = (trm_moe){TRM_ROUTER_SWITCH, 3};
}
static void (*const kinds[])(trm_model_config *) = {plain,        mixer,   normed,
                                                    normed_mixer, experts, least};
enum { KINDS = sizeof kinds / sizeof *kinds };

static trm_model *model_of(int kind, trm_dtype dtype) {
  trm_model_config c = small_config(TRM_ARCH_TRM, LEN);
  kinds[kind](&c);
  trm_model *m = small_model(&c, 3);
  assert_int_equal(trm_model_set_dtype(m, dtype, NULL), TRM_OK);
  return m;
}

/* Logits of ROWS puzzles. */
static void logits_of(const trm_model *m, int steps, int threads, int batch, float *out) {
  const int64_t each = LEN * 7;
  for (int first = 0; first < ROWS; first += batch) {
    const int n = ROWS - first < batch ? ROWS - first : batch;
    int32_t inputs[ROWS * LEN];
    trm_solver *s;
    trm_error err;
    for (int i = 0; i < n * LEN; i++) inputs[i] = (first * LEN + i) * 5 % 7;
    const trm_solver_config config = {.batch = batch, .threads = threads};
    if (trm_solver_create(m, &config, &s, &err) != TRM_OK) fail_msg("%s", err.msg);
    assert_int_equal(trm_solver_start(s, n, inputs, NULL, &err), TRM_OK);
    for (int i = 0; i < steps; i++) assert_int_equal(trm_solver_step(s, &err), TRM_OK);
    memcpy(out + first * each, trm_solver_logits(s), (size_t)(n * each) * sizeof *out);
    trm_solver_free(s);
  }
}

static void solvers_have_the_same_bits_and_are_near(void **state) {
  static float want[ROWS * LEN * 7], got[ROWS * LEN * 7];
  const trm__kernels *k[MAX_ISA];
  const int n = isas(k);
  (void)state;
  for (int isa = 0; isa < n; isa++)
    for (int kind = 0; kind < KINDS; kind++) {
      double wrong = 0, size = 0;
      assert_int_equal(setenv("TRM_ISA", k[isa]->name, 1), 0);
      trm_model *exact = model_of(kind, TRM_FLOAT32), *m = model_of(kind, TRM_INT8);

      /* Not those of float32, but near, about three times as far as bfloat16; further steps of
       * weights that have learned nothing take any difference apart. */
      logits_of(exact, 1, 1, ROWS, got);
      logits_of(m, 1, 1, ROWS, want);
      for (int i = 0; i < ROWS * LEN * 7; i++) {
        wrong += pow((double)(want[i] - got[i]), 2);
        size += pow((double)got[i], 2);
      }
      probe_true(wrong > 0 && sqrt(wrong / size) < (kinds[kind] == least ? 0.5 : 0.08),
                 "%s, model %d: off by %g", k[isa]->name, kind, sqrt(wrong / size));

      logits_of(m, STEPS, 1, ROWS, want);
      for (int threads = 1; threads <= 3; threads++)
        for (int batch = 1; batch <= ROWS; batch += 2) {
          logits_of(m, STEPS, threads, batch, got);
          probe_true(memcmp(got, want, sizeof got) == 0, "%s, model %d: %d threads, batch %d",
                     k[isa]->name, kind, threads, batch);
        }
      trm_model_free(exact);
      trm_model_free(m);
    }
  assert_int_equal(unsetenv("TRM_ISA"), 0);
}

static void refused(trm_status got, trm_status want, const trm_error *err, const char *words) {
  assert_int_equal(got, want);
  if (!strstr(err->msg, words)) fail_msg("\"%s\" lacks \"%s\"", err->msg, words);
}
static void training_files_and_gpus_are_refused(void **state) {
  trm_model *m = model_of(0, TRM_INT8);
  trm_trainer_config c = trm_trainer_config_default();
  trm_trainer *t;
  trm_solver *s;
  trm_bench *b;
  trm_error err;
  (void)state;
  refused(trm_bench_create_ops(trm_model_get_config(m), NULL, 1, 1, 1, &b, &err), TRM_E_CONFIG,
          &err, "no gradient");
  refused(trm_trainer_create(m, &c, &t, &err), TRM_E_CONFIG, &err, "no gradient");
  refused(trm_model_export(m, "unwritten", TRM_FILE_SAFETENSORS, TRM_INT8, &err), TRM_E_ARGUMENT,
          &err, "files hold");
  const trm_solver_config on_gpu = {.batch = 1, .device = {TRM_DEVICE_CUDA, 0}};
  refused(trm_solver_create(m, &on_gpu, &s, &err), TRM_E_CONFIG, &err, "device cpu");
  trm_model_free(m);
}

/* A file's reader may have no int8: it is told of bfloat16. */
static void files_of_a_model_in_int8_say_bfloat16(void **state) {
  static const struct {
    const char *name;
    trm_file_format format;
  } files[] = {{"m.safetensors", TRM_FILE_SAFETENSORS}, {"m", TRM_FILE_FOLDER}};
  scratch *s = *state;
  trm_model *m = model_of(0, TRM_INT8), *got;
  trm_error err;
  for (int i = 0; i < 2; i++) {
    const char *path = scratch_path(s, files[i].name);
    if (trm_model_export(m, path, files[i].format, TRM_FLOAT32, &err) != TRM_OK ||
        trm_model_load(path, &got, &err) != TRM_OK)
      fail_msg("%s", err.msg);
    assert_int_equal(trm_model_get_config(got)->forward_dtype, TRM_BFLOAT16);
    trm_model_free(got);
  }
  assert_int_equal(trm_model_get_config(m)->forward_dtype, TRM_INT8);
  trm_model_free(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(products_are_those_of_rounded_values),
                                     cmocka_unit_test(quicker_instructions_give_the_same_bits),
                                     cmocka_unit_test(what_is_no_number_spoils_its_row_and_column),
                                     cmocka_unit_test(activations_are_rounded_as_operands),
                                     cmocka_unit_test(shares_are_rounded_and_sum_to_one),
                                     cmocka_unit_test(a_score_that_is_no_number_makes_no_shares),
                                     cmocka_unit_test(solvers_have_the_same_bits_and_are_near),
                                     cmocka_unit_test(files_of_a_model_in_int8_say_bfloat16),
                                     cmocka_unit_test(training_files_and_gpus_are_refused)};
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
