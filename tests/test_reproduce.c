/* trm reproduce, its parts: intervals against values computed by hand, tables that say what they
 * must, results that are read as they were written. What the program does with them:
 * test_program_reproduce.c. */
#include <math.h>

#include "cli/reproduce/report.h"
#include "cli/reproduce/results.h"
#include "cli/reproduce/stats.h"
#include "cli/reproduce/tables.h"
#include "scratch.h"

#define NEAR(a, b, eps) assert_true(fabs((a) - (b)) <= (eps))

/* --- intervals --- */

static void pairs_count_what_only_one_answered(void **state) {
  (void)state;
  const uint8_t row[] = {0xf0, 0x03}, base[] = {0x3c, 0x01};
  const repro_pair p = repro_pair_of(row, base, 10);
  assert_int_equal(p.n, 10);
  assert_int_equal(p.only_row, 3);  /* bits 6, 7, 9 */
  assert_int_equal(p.only_base, 2); /* bits 2, 3 */
  /* Beyond n nothing counts. */
  assert_int_equal(repro_pair_of(row, base, 9).only_row, 2);
}

/* b = 15, c = 5 of 100: with half a puzzle more in each cell d = 10 / 102, its variance
 * (21 - 100 / 102) / 102^2 = 0.00192422. */
static void one_seed_is_paired_by_its_puzzles(void **state) {
  (void)state;
  const repro_pair p = {100, 15, 5};
  const repro_difference d = repro_difference_of(&p, 1, false);
  assert_int_equal(d.seeds, 1);
  NEAR(d.value, 0.10, 1e-12);
  NEAR(d.interval.low, 0.098039 - 0.085976, 1e-5);
  NEAR(d.interval.high, 0.098039 + 0.085976, 1e-5);

  /* Equal answers to all are no proof of equality. */
  const repro_pair same = {100, 0, 0};
  const repro_difference none = repro_difference_of(&same, 1, false);
  assert_true(none.interval.low < -0.01 && none.interval.high > 0.01);
}

/* Differences of 0.1, 0.2 and 0.3: 0.2 +- 4.3027 * 0.1 / sqrt(3). */
static void seeds_are_replicates(void **state) {
  (void)state;
  const repro_pair p[] = {{1000, 100, 0}, {1000, 200, 0}, {1000, 300, 0}};
  const repro_difference d = repro_difference_of(p, 3, false);
  assert_int_equal(d.seeds, 3);
  NEAR(d.value, 0.2, 1e-12);
  NEAR(d.interval.low, 0.2 - 0.248417, 1e-5);
  NEAR(d.interval.high, 0.2 + 0.248417, 1e-5);
}

/* Three equal differences do not vary, but their puzzles were drawn: 1.96 * 0.043866 / sqrt(3); the
 * same puzzles three times are no more than once. */
static void seeds_that_agree_are_no_surer_than_their_puzzles(void **state) {
  (void)state;
  const repro_pair p[] = {{100, 15, 5}, {100, 15, 5}, {100, 15, 5}};
  const repro_difference apart = repro_difference_of(p, 3, false);
  const repro_difference shared = repro_difference_of(p, 3, true);
  NEAR(apart.value, 0.1, 1e-12);
  NEAR(apart.interval.high - apart.value, 0.049638, 1e-5);
  NEAR(shared.interval.high - shared.value, 0.085976, 1e-5);
}

static void no_seed_is_no_difference(void **state) {
  (void)state;
  assert_int_equal(repro_difference_of(NULL, 0, false).seeds, 0);
}

/* Quantiles as printed in any table of Student's t. */
static void student_is_that_of_tables(void **state) {
  (void)state;
  static const struct {
    int freedom;
    double value;
  } known[] = {{1, 12.7062}, {2, 4.3027}, {10, 2.2281}, {11, 2.2010}, {30, 2.0423}, {100, 1.9840}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    NEAR(repro_student(known[i].freedom), known[i].value, 1e-3);
}

/* --- tables --- */

static bool same_settings(const repro_row *a, const repro_row *b, repro_scale scale) {
  const char *x[REPRO_MAX_SETTINGS], *y[REPRO_MAX_SETTINGS];
  const int n = repro_row_settings(a, scale, NULL, 0, x);
  if (n != repro_row_settings(b, scale, NULL, 0, y)) return false;
  for (int i = 0; i < n; i++)
    if (strcmp(x[i], y[i]) != 0) return false;
  return true;
}

/* Each task has one base, which rows of that task are compared with, and no row is another. */
static void tables_have_bases_and_no_row_twice(void **state) {
  (void)state;
  const repro_table *t;
  for (int k = 0; (t = repro_table_at(k)); k++) {
    assert_ptr_equal(repro_table_find(t->name), t);
    assert_true(t->n <= REPRO_MAX_ROWS);
    for (int i = 0; i < t->n; i++) {
      const repro_row *row = &t->rows[i];
      int bases = 0;
      assert_true(row->paper >= 0 || row->said);
      for (int j = 0; j < t->n; j++) {
        bases += t->rows[j].base && t->rows[j].where == row->where;
        if (i != j) assert_false(same_settings(row, &t->rows[j], REPRO_LAPTOP));
        if (i != j) assert_false(same_settings(row, &t->rows[j], REPRO_PAPER));
      }
      assert_int_equal(bases, 1);
      assert_true(repro_base_of(t, row)->base);
      assert_int_equal(repro_base_of(t, row)->where, row->where);
    }
  }
  assert_null(repro_table_find("table5"));
}

/* What is in the paper's text of two rows, so that columns are not shifted. */
static void figures_are_the_papers(void **state) {
  (void)state;
  static const struct {
    const char *table, *variant;
    double paper;
  } known[] = {{"table1", "no-ema", 79.9},    {"table1", "hrm", 55.0},
               {"table2", "multi-z", 77.6},   {"table3", "hrm-n6-t3", 62.3},
               {"table3", "trm-n8-t4", 84.2}, {"table4", "att", 74.7}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    const repro_table *t = repro_table_find(known[i].table);
    int at = 0;
    while (strcmp(t->rows[at].variant, known[i].variant) != 0) at++;
    NEAR(t->rows[at].paper, known[i].paper, 1e-9);
  }
}

/* A setting for all rows comes before what makes a row this one. */
static void rows_keep_what_they_are(void **state) {
  (void)state;
  const char *list[REPRO_MAX_SETTINGS];
  const char *const user[] = {"arch.H_cycles=5", "lr=1"};
  const repro_table *t = repro_table_find("table1");
  int row = 0, last_T = -1, lr = -1;
  while (strcmp(t->rows[row].variant, "trm-n2-t2") != 0) row++;
  const int n = repro_row_settings(&t->rows[row], REPRO_LAPTOP, user, 2, list);
  for (int i = 0; i < n; i++) {
    if (!strncmp(list[i], "arch.H_cycles=", 14)) last_T = i;
    if (!strncmp(list[i], "lr=", 3)) lr = i;
  }
  assert_string_equal(list[last_T], "arch.H_cycles=2");
  assert_string_equal(list[lr], "lr=1");
}

/* A row that is known to this build costs what its plan says; one that is not says why. */
static void costs_follow_the_plan(void **state) {
  (void)state;
  const repro_table *t = repro_table_find("table3");
  const char *const wrong[] = {"arch.no_such_key=1"};
  for (int i = 0; i < t->n; i++) {
    for (int s = 0; s < REPRO_SCALES; s++) {
      const repro_cost c = repro_cost_of(&t->rows[i], (repro_scale)s, NULL, 0);
      if (c.unable[0]) fail_msg("%s: %s", t->rows[i].label, c.unable);
      assert_true(c.train > 0 && c.eval > 0 && c.bytes > 0 && c.updates > 0);
    }
    const repro_cost c = repro_cost_of(&t->rows[i], REPRO_LAPTOP, wrong, 1);
    assert_non_null(strstr(c.unable, "no_such_key"));
  }
  /* T (n + 1) layers, and the paper's number of updates. */
  assert_int_equal(repro_cost_of(&t->rows[0], REPRO_PAPER, NULL, 0).model.depth, 42);
  assert_int_equal(repro_cost_of(&t->rows[0], REPRO_PAPER, NULL, 0).updates, 65104);
}

static void verdicts_compare_signs(void **state) {
  (void)state;
  const repro_table *t = repro_table_find("table1"), *f = repro_table_find("failed"),
                    *m = repro_table_find("table3");
  const repro_row *worse = &t->rows[1];
  const repro_difference no = {0}, less = {3, -0.05, {-0.09, -0.01}},
                         more = {3, 0.05, {0.01, 0.09}}, perhaps = {3, 0.05, {-0.01, 0.11}},
                         same = {3, 0, {-0.04, 0.04}};
  assert_int_equal(repro_judge(t, worse, &no), REPRO_OPEN);
  assert_int_equal(repro_judge(t, &t->rows[0], &more), REPRO_OPEN); /* the base */
  assert_int_equal(repro_judge(t, worse, &less), REPRO_AGREES);
  assert_int_equal(repro_judge(t, worse, &perhaps), REPRO_DIFFERS);
  assert_int_equal(repro_judge(t, worse, &more), REPRO_CONTRADICTS);
  assert_int_equal(repro_judge(t, worse, &same), REPRO_DIFFERS);

  /* Words in place of figures; out of memory says nothing. */
  for (int i = 1; i < f->n; i++) {
    const repro_verdict v = repro_judge(f, &f->rows[i], &more);
    const bool says = f->rows[i].paper >= 0 || f->rows[i].against != REPRO_UNSAID;
    assert_int_equal(v, says ? REPRO_CONTRADICTS : REPRO_OPEN);
    if (f->rows[i].against == REPRO_SAME)
      assert_true(repro_judge(f, &f->rows[i], &less) == REPRO_AGREES &&
                  repro_judge(f, &f->rows[i], &same) == REPRO_AGREES);
  }
  for (int i = 0; i < m->n; i++)
    if (m->rows[i].paper < 0) assert_int_equal(repro_judge(m, &m->rows[i], &more), REPRO_OPEN);
}

/* --- results --- */

static trm_status add(repro_results *r, const char *name, int seed, int64_t diverged,
                      trm_error *err) {
  static const char *const settings[] = {"lr=1", "a=[b,c]"};
  static const trm_model_cost cost = {.n_params = 5, .depth = 42, .flops_train = 1e6};
  const repro_record record = {settings, 2, &cost, 1, 2, "cpu"};
  repro_result one = {.seed = seed, .diverged = diverged, .updates = 7, .seconds = 1.5};
  snprintf(one.name, sizeof one.name, "%s", name);
  if (!diverged) {
    one.n = 11;
    one.right = 3;
    one.bits = calloc(2, 1);
    one.bits[0] = 0x81;
    one.bits[1] = 0x04;
  }
  return repro_results_add(r, &one, &record, err);
}

static void results_are_read_as_they_were_written(void **state) {
  scratch *s = *state;
  repro_results r, again;
  trm_error err;
  assert_int_equal(repro_results_load(&r, s->dir, &err), TRM_OK);
  assert_int_equal(r.n, 0);
  assert_int_equal(add(&r, "sudoku-trm", 0, 0, &err), TRM_OK);
  assert_int_equal(add(&r, "sudoku-att", 2, 9, &err), TRM_OK);
  repro_results_free(&r);

  /* Bits, settings and an update that failed. */
  assert_int_equal(repro_results_load(&again, s->dir, &err), TRM_OK);
  assert_int_equal(again.n, 2);
  const repro_result *one = repro_results_find(&again, "sudoku-trm", 0);
  assert_non_null(one);
  assert_int_equal(one->n, 11);
  assert_int_equal(one->right, 3);
  assert_int_equal(one->bits[0], 0x81);
  assert_int_equal(one->bits[1], 0x04);
  assert_string_equal(one->settings, "lr=1 a=[b,c]");
  NEAR(one->seconds, 1.5, 0);
  assert_int_equal(repro_results_find(&again, "sudoku-att", 2)->diverged, 9);
  assert_null(repro_results_find(&again, "sudoku-att", 0));

  /* Of the data 1 and 2, whose fingerprints are in the lines. */
  assert_null(repro_results_of_other_data(&again, "sudoku", -1, 1, 2));
  assert_ptr_equal(repro_results_of_other_data(&again, "sudoku", -1, 1, 3), &again.v[0]);
  assert_ptr_equal(repro_results_of_other_data(&again, "sudoku", 2, 9, 2), &again.v[1]);
  assert_null(repro_results_of_other_data(&again, "sudoku", 1, 9, 9));
  assert_null(repro_results_of_other_data(&again, "sudo", -1, 9, 9));
  repro_results_free(&again);
}

static void results_that_lie_are_refused(void **state) {
  scratch *s = *state;
  static const struct {
    const char *text, *says;
  } bad[] = {
      {"{\"run\":\"a\",\"seed\":0,\"updates\":1,\"settings\":[],\"examples\":4,\"exact\":2,"
       "\"exact_bits\":\"01\"}\n",
       "not those of 2 of 4"},
      {"{\"run\":\"a\",\"seed\":0,\"updates\":1,\"settings\":[],\"examples\":4,\"exact\":1,"
       "\"exact_bits\":\"10\"}\n",
       "not those of 1 of 4"}, /* bit 4 is beyond them */
      {"{\"run\":\"a\",\"seed\":0,\"updates\":1,\"settings\":[],\"examples\":4,\"exact\":1,"
       "\"exact_bits\":\"x1\"}\n",
       "not those of"},
      {"{\"run\":\"a\",\"seed\":-1}\n", "seed"},
      {"\n{\"run\":\"a\",\n", "line 2"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    repro_results r;
    trm_error err;
    write_bytes(scratch_path(s, "results.jsonl"), bad[i].text, strlen(bad[i].text));
    assert_int_not_equal(repro_results_load(&r, s->dir, &err), TRM_OK);
    if (!strstr(err.msg, bad[i].says)) fail_msg("no '%s' in: %s", bad[i].says, err.msg);
    repro_results_free(&r);
  }
  remove(scratch_path(s, "results.jsonl"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pairs_count_what_only_one_answered),
      cmocka_unit_test(one_seed_is_paired_by_its_puzzles),
      cmocka_unit_test(seeds_are_replicates),
      cmocka_unit_test(seeds_that_agree_are_no_surer_than_their_puzzles),
      cmocka_unit_test(no_seed_is_no_difference),
      cmocka_unit_test(student_is_that_of_tables),
      cmocka_unit_test(tables_have_bases_and_no_row_twice),
      cmocka_unit_test(figures_are_the_papers),
      cmocka_unit_test(rows_keep_what_they_are),
      cmocka_unit_test(costs_follow_the_plan),
      cmocka_unit_test(verdicts_compare_signs),
      cmocka_unit_test(results_are_read_as_they_were_written),
      cmocka_unit_test(results_that_lie_are_refused),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
