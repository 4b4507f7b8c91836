/* Measuring: what is counted, what is refused, and how `trm bench` reads lists and prints rows. No
 * time is looked at beyond being one. */
#include <math.h>

#include "cli/bench/bench_rows.h"
#include "json_text.h"
#include "small_model.h"

static void want(trm_status got, trm_status expected, const trm_error *err) {
  if (got != expected) fail_msg("status %d, want %d: %s", (int)got, (int)expected, err->msg);
}

/* ---- the library's part ---- */

static void test_products(void **state) {
  const trm_bench_shape shapes[] = {{"one", 1, 1, 1}, {"odd", 13, 7, 5}, {"more", 40, 33, 70}};
  int n;
  (void)state;
  assert_non_null(trm_bench_shapes(&n));
  assert_true(n > 1);

  /* Of each format and number of threads, what is counted is what a product of that shape takes. */
  for (int dtype = 0; dtype < TRM_DTYPES; dtype++)
    for (int threads = 1; threads <= 3; threads++) {
      trm_bench *b;
      trm_error err = {0};
      want(trm_bench_create_products((trm_dtype)dtype, threads, shapes, 3, &b, &err), TRM_OK, &err);
      assert_int_equal(trm_bench_count(b), 3);
      for (int i = 0; i < 3; i++) assert_true(trm_bench_time(b, i, 0) >= 0);
      const trm_bench_op *op = trm_bench_op_at(b, 1);
      assert_string_equal(op->name, "odd");

      /* Each thread has a product of its own: 2 m n k operations, both operands and C in memory. */
      const double operand = dtype == TRM_BFLOAT16 ? 2
                             : dtype == TRM_INT8   ? 1
                                                   : 4,
                   flops = 2.0 * 13 * 7 * 5 * threads;
      const double bytes = (operand * (13 * 5 + 5 * 7) + 4 * 13 * 7) * threads;
      assert_float_equal(op->flops, flops, 0);
      assert_float_equal(op->bytes, bytes, 0);
      trm_bench_free(b);
    }
}

static void test_copy(void **state) {
  trm_bench *b;
  trm_error err = {0};
  (void)state;
  want(trm_bench_create_copy(2, 1 << 16, &b, &err), TRM_OK, &err);
  assert_float_equal(trm_bench_op_at(b, 0)->bytes, 2.0 * 2 * (1 << 16), 0);
  assert_true(trm_bench_time(b, 0, 1e-4) > 0);
  assert_true(trm_bench_time(b, 0, 1e-4) > 0);
  trm_bench_free(b);
}

/* The ops' arithmetic, times their calls, is the model's. */
static void check_ops(const trm_model_config *config, int threads, int teams, double *excess) {
  const int rows = 2;
  trm_bench *b;
  trm_model_cost cost;
  trm_error err = {0};
  double flops = 0;
  want(trm_bench_create_ops(config, NULL, threads, teams, rows, &b, &err), TRM_OK, &err);
  for (int i = 0; i < trm_bench_count(b); i++) {
    const trm_bench_op *op = trm_bench_op_at(b, i);
    assert_true(op->bytes > 0 && op->calls > 0);
    assert_true(!op->per_update || op->flops == 0);
    assert_true(trm_bench_time(b, i, 0) >= 0);
    flops += op->flops * op->calls / (rows * teams);
  }
  trm_bench_free(b);
  want(trm_model_cost_of(config, &cost, &err), TRM_OK, &err);
  *excess = flops / cost.flops_train - 1;
}

static void test_ops(void **state) {
  (void)state;
  for (int dtype = 0; dtype < TRM_INT8; dtype++) /* those with gradients */
    for (int mixer = 0; mixer < 2; mixer++) {
      double excess;
      trm_model_config c = small_config(TRM_ARCH_TRM, 9);
      c.no_ACT_continue = true;
      c.mlp_t = mixer;
      c.pos_encodings = mixer ? TRM_POS_NONE : TRM_POS_ROPE;
      c.forward_dtype = (trm_dtype)dtype;
      check_ops(&c, 1, 1, &excess);
      assert_true(fabs(excess) < 1e-12);
      check_ops(&c, 4, 2, &excess);
      assert_true(fabs(excess) < 1e-12);
    }
}

/* The continue target's forward walk ends in a head of which the model needs two logits only. */
static void test_ops_continue(void **state) {
  double excess;
  trm_model_config c = small_config(TRM_ARCH_HRM, 9);
  (void)state;
  c.no_ACT_continue = false;
  c.pos_encodings = TRM_POS_LEARNED;
  check_ops(&c, 3, 3, &excess);
  trm_model_cost cost;
  assert_int_equal(trm_model_cost_of(&c, &cost, NULL), TRM_OK);
  double head = 2.0 * c.seq_len * c.vocab_size * c.hidden_size;
  assert_true(fabs(excess - head / cost.flops_train) < 1e-12);
}

/* With Muon an update has a row for the matrices of the nets in place of AdamATan2's: for each of
 * their m x n values, m <= n, a step computes 4 m^2 n + 2 m^3. */
static void test_ops_of_muon(void **state) {
  trm_bench *b;
  trm_error err = {0};
  trm_trainer_config t = trm_trainer_config_default();
  const trm_model_config c = small_config(TRM_ARCH_TRM, 9);
  (void)state;
  t.optimizer = TRM_OPT_MUON;
  t.muon_steps = 3;

  /* What the steps come to, by the shapes of the model's tensors; qkv is 3 H matrices, by heads. */
  trm_model *model;
  double flops = 0;
  want(trm_model_create(&c, 0, &model, &err), TRM_OK, &err);
  for (int i = 0; i < trm_model_tensor_count(model); i++) {
    const trm_tensor tensor = trm_model_tensor_at(model, i);
    if (!strstr(tensor.name, "layers")) continue;
    const double count = strstr(tensor.name, "qkv") && t.muon_per_head ? 3 * c.num_heads : 1;
    const double rows = (double)tensor.shape[0] / count, cols = (double)tensor.shape[1];
    const double m = fmin(rows, cols), n = fmax(rows, cols);
    flops += count * t.muon_steps * (4 * m * m * n + 2 * m * m * m);
  }
  trm_model_free(model);

  /* The row, with three threads as one team. */
  int found = 0;
  want(trm_bench_create_ops(&c, &t, 3, 3, 2, &b, &err), TRM_OK, &err);
  for (int i = 0; i < trm_bench_count(b); i++) {
    const trm_bench_op *op = trm_bench_op_at(b, i);
    assert_string_not_equal(op->name, "optimiser");
    if (strcmp(op->name, "Muon") != 0) continue;
    found++;
    assert_true(op->per_update && op->calls == 1 && op->bytes > 0);
    assert_true(fabs(op->flops / flops - 1) < 1e-12);
    assert_true(trm_bench_time(b, i, 0) > 0);
  }
  assert_int_equal(found, 1);
  trm_bench_free(b);
}

/* How often an update calls the op of that name on a tile; 0: it is not there. */
static double calls_of(const trm_model_config *c, const char *name) {
  double calls = 0;
  trm_bench *b;
  trm_error err = {0};
  want(trm_bench_create_ops(c, NULL, 1, 1, 2, &b, &err), TRM_OK, &err);
  for (int i = 0; i < trm_bench_count(b); i++) {
    const trm_bench_op *op = trm_bench_op_at(b, i);
    if (!strcmp(op->name, name)) calls = op->calls;
  }
  trm_bench_free(b);
  return calls;
}

/* What some models do beside their blocks: T = 2 cycles of n + 1 = 3 updates, of which the last has
 * a gradient, which a damped update passes in two parts. */
static void test_ops_of_variants(void **state) {
  trm_model_config c = small_config(TRM_ARCH_TRM, 16);
  (void)state;
  c.puzzle = trm_sudoku_of_size(4);
  c.vocab_size = 6;
  c.H_cycles = c.L_cycles = 2;
  c.no_ACT_continue = true;
  static const char *const names[] = {"decode", "mix", "jitter behind an update", "start"};
  for (int i = 0; i < 4; i++) assert_true(calls_of(&c, names[i]) == 0);
  c.feedback = true;
  c.damping = 0.05;
  c.update_noise = 0.01;
  c.start_std = 1;
  static const double want_calls[] = {1, 6 + 2 * 3, 6, 2};
  for (int i = 0; i < 4; i++) assert_true(calls_of(&c, names[i]) == want_calls[i]);
}

static void test_refusals(void **state) {
  const trm_bench_shape good = {"good", 2, 2, 2}, empty = {"empty", 2, 0, 2},
                        huge = {"huge", 2, 2, 1 << 20};
  trm_model_config c = small_config(TRM_ARCH_TRM, 9);
  trm_bench *b;
  trm_error e = {0};
  (void)state;
  want(trm_bench_create_products(TRM_FLOAT32, 0, &good, 1, &b, &e), TRM_E_ARGUMENT, &e);
  want(trm_bench_create_products(TRM_FLOAT32, 5000, &good, 1, &b, &e), TRM_E_ARGUMENT, &e);
  want(trm_bench_create_products(TRM_DTYPES, 1, &good, 1, &b, &e), TRM_E_ARGUMENT, &e);
  want(trm_bench_create_products(TRM_FLOAT32, 1, &good, 0, &b, &e), TRM_E_ARGUMENT, &e);
  want(trm_bench_create_products(TRM_FLOAT32, 1, &empty, 1, &b, &e), TRM_E_ARGUMENT, &e);
  want(trm_bench_create_products(TRM_FLOAT32, 1, &huge, 1, &b, &e), TRM_E_ARGUMENT, &e);
  want(trm_bench_create_copy(1, 0, &b, &e), TRM_E_ARGUMENT, &e);
  want(trm_bench_create_ops(&c, NULL, 3, 2, 1, &b, &e), TRM_E_ARGUMENT, &e);
  want(trm_bench_create_ops(&c, NULL, 1, 1, 0, &b, &e), TRM_E_ARGUMENT, &e);
  c.hidden_size = 0;
  want(trm_bench_create_ops(&c, NULL, 1, 1, 1, &b, &e), TRM_E_CONFIG, &e);
  trm_bench_free(NULL);
}

/* ---- the program's part ---- */

static void test_lists(void **state) {
  bench_ints v;
  bench_names names;
  bench_products products;
  (void)state;
  assert_true(bench_parse_ints("batch", "1,8,64", 64, &v));
  assert_int_equal(v.n, 3);
  assert_int_equal(v.v[2], 64);

  /* Empty entries, numbers out of range or with something behind them, and too many. */
  static const char *const bad[] = {"",
                                    ",",
                                    "1,",
                                    ",1",
                                    "1,,2",
                                    "0",
                                    "65",
                                    "-1",
                                    "1x",
                                    "1 2",
                                    "1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    if (bench_parse_ints("batch", bad[i], 64, &v)) fail_msg("'%s' was taken", bad[i]);

  /* Words by any of their names. */
  assert_true(bench_parse_dtypes("dtype", "bf16,float32,bfloat16,f32", &v));
  for (int i = 0; i < 4; i++) assert_int_equal(v.v[i], i % 2 ? TRM_FLOAT32 : TRM_BFLOAT16);
  assert_false(bench_parse_dtypes("dtype", "f32,f16", &v));

  /* Shapes of products have three sizes within bounds. */
  assert_true(bench_parse_products("shape", "1x2x3,16384x5x6", &products));
  assert_int_equal(products.n, 2);
  assert_int_equal(products.v[0].k, 3);
  assert_int_equal(products.v[1].m, 16384);
  static const char *const bad_products[] = {"1x2",   "1x2x3x4",   "1x2x", "x1x2",
                                             "1x2x0", "16385x1x1", "axbxc"};
  for (size_t i = 0; i < sizeof bad_products / sizeof *bad_products; i++)
    if (bench_parse_products("shape", bad_products[i], &products))
      fail_msg("'%s' was taken", bad_products[i]);

  /* Names of models are looked up later. */
  assert_true(bench_parse_names("model", "sudoku6,maze-att", &names));
  assert_string_equal(names.v[1], "maze-att");
}

static void test_times(void **state) {
  double odd[] = {3, 1, 2}, even[] = {4, 1, 2, 3};
  bench_table t = {0};
  bench_row *r = bench_table_add(&t, "train", NULL);
  (void)state;
  bench_row_times(r, odd, 3, 1e3);
  assert_float_equal(r->number[BENCH_MS], 2e3, 0);
  assert_float_equal(r->number[BENCH_MS_MIN], 1e3, 0);
  assert_float_equal(r->number[BENCH_MS_MAX], 3e3, 0);
  bench_row_times(r, even, 4, 1);
  assert_float_equal(r->number[BENCH_MS], 2.5, 0);
  bench_table_free(&t);
}

/* Rows compared with given peaks: shares and limits. */
static bench_table compared_rows(void) {
  static const struct {
    const char *name;
    double gflops, gbytes;
  } rows[] = {
      {"products, \"quoted\"", 80, 1}, {"moves", 10, 7}, {"from cache", NAN, 20}, {"waits", 10, 1}};
  bench_machine m = {.threads = {{1, 2}, 2}};
  bench_table t = {0};

  /* A machine of 100 GFLOP/s and 10 GB/s. */
  m.flops[TRM_BFLOAT16][1] = 100e9;
  m.copy[1] = 10e9;
  strcpy(m.best[TRM_BFLOAT16][1], "best");

  /* Rows that take 0.1 ns to 100 s. */
  for (int i = 0; i < 4; i++) {
    bench_row *r = bench_table_add(&t, "ops", NULL);
    assert_non_null(r);
    r->dtype = TRM_BFLOAT16;
    r->threads = 1;
    snprintf(r->text[BENCH_OP], sizeof r->text[0], "%s", rows[i].name);
    r->number[BENCH_GFLOPS] = rows[i].gflops;
    r->number[BENCH_GBYTES] = rows[i].gbytes;
    r->number[BENCH_MS] = 1e-7 * pow(10, 4 * i);
  }
  assert_int_equal(bench_machine_compare(&m, &t, NULL), TRM_OK);
  return t;
}

static void test_limits(void **state) {
  static const char *const limits[] = {"arithmetic", "memory", "cache", "overhead"};
  bench_table t = compared_rows();
  (void)state;
  assert_int_equal(t.n, 6);
  assert_string_equal(t.rows[0].text[BENCH_OP], "best");
  assert_string_equal(t.rows[1].text[BENCH_OP], "copy");
  for (int i = 0; i < 4; i++) assert_string_equal(t.rows[2 + i].text[BENCH_LIMIT], limits[i]);
  assert_float_equal(t.rows[2].number[BENCH_PEAK], 80, 1e-9);
  assert_true(isnan(t.rows[4].number[BENCH_PEAK]));
  bench_table_free(&t);
}

static char *printed(const bench_table *t, bench_format format) {
  char *text = NULL;
  size_t n;
  FILE *f = open_memstream(&text, &n);
  assert_non_null(f);
  assert_int_equal(bench_print(t, format, false, f, NULL), TRM_OK);
  fclose(f);
  return text;
}

/* Of one line: separators outside quotes. */
static int count_separators(const char *line, char separator) {
  int n = 0;
  bool quoted = false;
  for (; *line && *line != '\n'; line++) {
    if (*line == '"') quoted = !quoted;
    n += *line == separator && !quoted;
  }
  return n;
}

static void check_lines(const char *text, char separator, int lines) {
  int n = 0, expected = count_separators(text, separator);
  assert_true(expected > 5);
  for (const char *line = text; *line; line = strchr(line, '\n') + 1, n++)
    assert_int_equal(count_separators(line, separator), expected);
  assert_int_equal(n, lines);
}

static void test_formats(void **state) {
  bench_table t = compared_rows();
  bench_format format;
  (void)state;
  char *md = printed(&t, BENCH_MD), *csv = printed(&t, BENCH_CSV), *json = printed(&t, BENCH_JSON);

  /* For readers: every line has as many columns, and none that is empty everywhere. */
  check_lines(md, '|', 2 + t.n);
  assert_null(strstr(md, "puzzles/s")); /* empty everywhere */
  assert_null(strstr(md, "nan"));

  /* For tables: quotes are doubled, and a missing number is an empty cell. */
  check_lines(csv, ',', 1 + t.n);
  assert_non_null(strstr(csv, "\"products, \"\"quoted\"\"\""));
  assert_null(strstr(csv, "nan"));

  /* For programs: names of keys with their units. */
  trm__json *root = json_of(json);
  assert_non_null(root);
  const trm__json *row = trm__json_item(trm__json_get(root, "rows"), 2);
  assert_string_equal(trm__json_text(trm__json_get(row, "op")), "products, \"quoted\"");
  assert_float_equal(trm__json_number(trm__json_get(row, "gflop_per_s")), 80, 1e-6);
  assert_null(trm__json_get(row, "mib"));
  trm__json_free(root);
  free(md);
  free(csv);
  free(json);
  bench_table_free(&t);
  assert_true(bench_format_from_name("csv", &format) && format == BENCH_CSV);
  assert_false(bench_format_from_name("xml", &format));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_products),    cmocka_unit_test(test_copy),
      cmocka_unit_test(test_ops),         cmocka_unit_test(test_ops_continue),
      cmocka_unit_test(test_ops_of_muon), cmocka_unit_test(test_ops_of_variants),
      cmocka_unit_test(test_refusals),    cmocka_unit_test(test_lists),
      cmocka_unit_test(test_times),       cmocka_unit_test(test_limits),
      cmocka_unit_test(test_formats),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
