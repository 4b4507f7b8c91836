/* Sweeps: which runs come of settings with several values, in which order, and what they are
 * called. */
#include "scratch.h"
#include "trm.h"

static trm_sweep *sweep_of(const char *const *settings, int n) {
  trm_sweep *sweep;
  trm_error err;
  if (trm_sweep_create(settings, n, &sweep, &err) != TRM_OK) fail_msg("%s", err.msg);
  return sweep;
}

/* The settings of run i, with spaces between. */
static const char *line_of(trm_sweep *sweep, int i) {
  static char line[2000];
  const char *const *settings;
  int n;
  assert_int_equal(trm_sweep_settings(sweep, i, &settings, &n, NULL), TRM_OK);
  line[0] = 0;
  for (int k = 0; k < n; k++)
    snprintf(line + strlen(line), sizeof line - strlen(line), "%s%s", k ? " " : "", settings[k]);
  return line;
}

static const char *name_of(trm_sweep *sweep, int i) {
  const char *name;
  assert_int_equal(trm_sweep_name(sweep, i, &name, NULL), TRM_OK);
  return name;
}

/* Hydra's order: the last key changes with every run. */
static void the_last_key_is_fastest(void **state) {
  static const char *const settings[] = {"seed=0,1", "lr=1e-4", "+arch.L_cycles=3, 6"};
  static const char *const lines[] = {"seed=0 lr=1e-4 +arch.L_cycles=3 run_name=seed=0_L_cycles=3",
                                      "seed=0 lr=1e-4 +arch.L_cycles=6 run_name=seed=0_L_cycles=6",
                                      "seed=1 lr=1e-4 +arch.L_cycles=3 run_name=seed=1_L_cycles=3",
                                      "seed=1 lr=1e-4 +arch.L_cycles=6 run_name=seed=1_L_cycles=6"};
  (void)state;
  trm_sweep *sweep = sweep_of(settings, 3);
  assert_int_equal(trm_sweep_count(sweep), 4);
  for (int i = 0; i < 4; i++) assert_string_equal(line_of(sweep, i), lines[i]);
  trm_sweep_free(sweep);
}

/* What is one value of a key with commas, and what are several. */
static void brackets_and_quotes_hold_together(void **state) {
  static const struct {
    const char *setting;
    int n;
    const char *values[4];
  } cases[] = {
      {"data_paths=[a,b],[c]", 2, {"data_paths=[a,b]", "data_paths=[c]"}},
      {"data_paths=[[a,b],c]", 1, {"data_paths=[[a,b],c]"}},
      {"run=\"a,b\",c", 2, {"run=\"a,b\"", "run=c"}},
      {"run='a,]',b", 2, {"run='a,]'", "run=b"}},
      {"seed=choice(1, 2,5)", 3, {"seed=1", "seed=2", "seed=5"}},
      {"seed=range(3)", 3, {"seed=0", "seed=1", "seed=2"}},
      {"seed=range(2, 8,3)", 2, {"seed=2", "seed=5"}},
      {"seed=range(5,2,-1)", 3, {"seed=5", "seed=4", "seed=3"}},
      {"lr=range(0,0.3,0.1)", 3, {"lr=0", "lr=0.1", "lr=0.2"}},
      {"f=g(1,2)", 1, {"f=g(1,2)"}},
      {"lr=", 1, {"lr="}},
      {"not a setting", 1, {"not a setting"}},
  };
  (void)state;
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    trm_sweep *sweep = sweep_of(&cases[c].setting, 1);
    if (trm_sweep_count(sweep) != cases[c].n)
      fail_msg("%s: %d runs", cases[c].setting, trm_sweep_count(sweep));
    for (int i = 0; i < cases[c].n; i++) {
      const char *line = line_of(sweep, i), *end = strstr(line, " run_name=");
      assert_non_null(end);
      assert_int_equal(end - line, strlen(cases[c].values[i]));
      assert_memory_equal(line, cases[c].values[i], (size_t)(end - line));
    }
    trm_sweep_free(sweep);
  }
}

static void what_is_no_sweep_is_refused(void **state) {
  static const struct {
    const char *setting, *word;
  } cases[] = {
      {"seed=1,2,1", "1 is there twice"},          {"seed=1,,2", "missing beside a comma"},
      {"seed=1,", "missing beside a comma"},       {"data_paths=[a,b", "does not match"},
      {"data_paths=a],b", "does not match"},       {"run=\"a,b", "does not match"},
      {"seed=glob(*)", "choice(a,b) and range"},   {"seed=interval(1,2)", "choice(a,b) and range"},
      {"seed=range(1,2,3,4)", "want range(STOP)"}, {"seed=range(1,1)", "want range(STOP)"},
      {"seed=range(1,5,0)", "want range(STOP)"},   {"seed=range(1,5,-1)", "want range(STOP)"},
      {"seed=range(a)", "want range(STOP)"},       {"seed=range(1e300)", "want range(STOP)"},
      {"checkpoint_path=a,b", "project_name="},    {"+checkpoint_path=a", "project_name="},
  };
  (void)state;
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    trm_sweep *sweep;
    trm_error err = {0};
    if (trm_sweep_create(&cases[c].setting, 1, &sweep, &err) != TRM_E_CONFIG)
      fail_msg("%s is taken", cases[c].setting);
    assert_null(sweep);
    assert_true(speaks_of(&err, cases[c].word));
  }

  /* More runs than anybody trains. */
  static const char *const many[] = {"a=range(10000)", "b=range(101)"};
  trm_sweep *sweep;
  trm_error err;
  assert_int_equal(trm_sweep_create(many, 2, &sweep, &err), TRM_E_CONFIG);
  assert_true(speaks_of(&err, "1000000"));
}

/* A name says the values, is one folder's, and is another one for other values. */
static void names_tell_runs_apart(void **state) {
  static const char *const named[] = {"run_name=first", "arch.H_cycles=1,2", "arch.L_cycles=3"};
  static const char *const clash[] = {"arch.loss.name=a,b", "arch.name=c,d"};
  static const char *const odd[] = {"data_paths=[a/b],[a-b]"};
  static const char *const single[] = {"seed=4"};
  static const char *const names[] = {"run_name=x,y", "seed=1,2"};
  char text[700] = "data_paths=", first[300];
  const char *const long_one = text;
  (void)state;

  /* The name that was given comes first; single values say nothing. */
  trm_sweep *sweep = sweep_of(named, 3);
  assert_string_equal(name_of(sweep, 1), "first_H_cycles=2");
  trm_sweep_free(sweep);
  sweep = sweep_of(names, 2);
  assert_string_equal(name_of(sweep, 3), "y_seed=2");
  trm_sweep_free(sweep);
  sweep = sweep_of(single, 1);
  assert_string_equal(name_of(sweep, 0), "run");
  trm_sweep_free(sweep);

  /* Two keys with one last part have their whole names. */
  sweep = sweep_of(clash, 2);
  assert_string_equal(name_of(sweep, 0), "arch.loss.name=a_arch.name=c");
  trm_sweep_free(sweep);

  /* No slash, and no two names that are one. */
  sweep = sweep_of(odd, 1);
  snprintf(first, sizeof first, "%s", name_of(sweep, 0));
  assert_null(strchr(first, '/'));
  assert_memory_equal(first, "data_paths=-a-b-~", 17);
  assert_string_not_equal(first, name_of(sweep, 1));
  trm_sweep_free(sweep);

  /* No name is too long for a file system. */
  for (int i = 0; i < 600; i++) strcat(text, i == 300 ? "," : i % 2 ? "x" : "y");
  strcat(text, "z");
  sweep = sweep_of(&long_one, 1);
  snprintf(first, sizeof first, "%s", name_of(sweep, 0));
  assert_in_range(strlen(first), 100, 200);
  assert_string_not_equal(first, name_of(sweep, 1));
  trm_sweep_free(sweep);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(the_last_key_is_fastest),
                                     cmocka_unit_test(brackets_and_quotes_hold_together),
                                     cmocka_unit_test(what_is_no_sweep_is_refused),
                                     cmocka_unit_test(names_tell_runs_apart)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
