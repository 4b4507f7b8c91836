/* trm reproduce, the program: a whole table in seconds, stopped and killed and gone on with, and
 * folders that must not be mixed. */
#include <sys/stat.h>

#include "json_text.h"
#include "launch.h"

static char folder_path[200], model_setting[300];

/* The size of a toy; rows stay what they are. */
#define MICRO                                                                       \
  "max_updates=4", "global_batch_size=4", "arch.hidden_size=8", "arch.num_heads=1", \
      "arch.halt_max_steps=2", "eval_limit=20", "lr_warmup_steps=0", "arch.forward_dtype=float32"
/* Rows that differ in kind, and a second task. */
#define ROWS "--rows", "trm,no-ema,hrm", "--threads", "1", "-q"

static const char *in(scratch *s, const char *name) {
  snprintf(folder_path, sizeof folder_path, "%s/%s", s->dir, name);
  return folder_path;
}

static off_t size_of(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 ? info.st_size : 0;
}

static char *text_of(scratch *s, const char *folder, const char *file) {
  char path[300];
  size_t n;
  snprintf(path, sizeof path, "%s/%s/%s", s->dir, folder, file);
  return (char *)read_bytes(path, &n);
}

static int count(const char *text, const char *part) {
  int n = 0;
  for (; (text = strstr(text, part)); text += strlen(part)) n++;
  return n;
}

static int lines_of(scratch *s, const char *folder) {
  char *text = text_of(s, folder, "results.jsonl");
  const int n = count(text, "\n");
  free(text);
  return n;
}

/* The same weights and states of every run in both folders. */
static void same_runs(scratch *s, const char *a, const char *b) {
  static const char *const runs[] = {"sudoku-trm", "sudoku-no-ema", "sudoku-hrm"};
  static const char *const files[] = {"model.safetensors", "trainer.safetensors"};
  for (int i = 0; i < 3; i++)
    for (int seed = 0; seed < 2; seed++)
      for (int k = 0; k < 2; k++) {
        char left[400], right[400];
        snprintf(left, sizeof left, "%s/%s/runs/%s-%d/last/%s", s->dir, a, runs[i], seed, files[k]);
        snprintf(right, sizeof right, "%s/%s/runs/%s-%d/last/%s", s->dir, b, runs[i], seed,
                 files[k]);
        same_files(left, right);
      }
}

/* Three rows, two seeds: six lines, seed 0 of all rows first; called again nothing is done. */
static void a_table_is_written_and_complete(void **state) {
  scratch *s = *state;
  want(RUN("reproduce", "table1", MICRO, ROWS, "--seeds", "2", "--output", in(s, "whole")), 0);
  says(out_text, "| TRM (T = 3, n = 6) | 87.4 |");
  char *lines = text_of(s, "whole", "results.jsonl"), *table = text_of(s, "whole", "table1.md");
  assert_int_equal(count(lines, "\n"), 6);
  assert_true(strstr(lines, "\"run\":\"sudoku-hrm\",\"seed\":0") <
              strstr(lines, "\"run\":\"sudoku-trm\",\"seed\":1"));
  says(lines, "\"training_data\":");
  says(lines, "\"updates\":4");
  says(table, "| HRM | 55.0 |");
  says(table, "± ");
  assert_null(strstr(table, "missing"));
  assert_true(size_of(in(s, "whole/table1.svg")) > 0);

  /* Data of a seed are its own. */
  trm__json *first = json_first(lines, &(size_t){0});
  const char *data = trm__json_text(trm__json_get(first, "training_data"));
  assert_int_equal(count(lines, data), 3);
  trm__json_free(first);

  /* Again: the same lines, and no training. */
  want(RUN("reproduce", "table1", MICRO, ROWS, "--seeds", "2", "--output", in(s, "whole")), 0);
  char *again = text_of(s, "whole", "results.jsonl");
  assert_string_equal(lines, again);
  assert_null(strstr(err_text, "exactly right"));
  free(lines);
  free(again);
  free(table);

  /* Another table takes the runs that it shares: of its two rows one is trained. */
  want(RUN("reproduce", "table3", MICRO, "--rows", "hrm,trm-n2-t1", "--threads", "1", "-q",
           "--seeds", "1", "--output", in(s, "whole")),
       0);
  assert_int_equal(count(err_text, "exactly right"), 1);
  assert_int_equal(lines_of(s, "whole"), 7);
}

/* Killed after each few moments until it is through: the runs have the bits of the others. */
static void a_killed_table_goes_on_with_the_same_bits(void **state) {
  scratch *s = *state;
  int code = 1000 + SIGKILL, kills = 0;
  while (code == 1000 + SIGKILL) {
    const pid_t child = start(s,
                              ARGS("reproduce", "table1", MICRO, "checkpoint_interval=1", ROWS,
                                   "--seeds", "2", "--output", in(s, "killed")),
                              &(const launch){0}, -1);
    siginfo_t info = {0};
    nap(150 + 170 * kills);
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT), 0);
    if (info.si_pid == 0) kills += kill(child, SIGKILL) == 0;
    code = finish(s, child);
  }
  want(code, 0);
  assert_true(kills > 0);
  assert_int_equal(lines_of(s, "killed"), 6);
  same_runs(s, "whole", "killed");
}

/* Ctrl-C: 130, what was learned is saved, and the table so far is there. */
static void a_stopped_table_says_how_to_go_on(void **state) {
  scratch *s = *state;
  const char *const *args =
      ARGS("reproduce", "table1", MICRO, "max_updates=1000000", "--rows", "trm", "--seeds", "1",
           "--threads", "1", "-q", "--output", in(s, "stopped"));
  const pid_t child = start(s, args, &(const launch){0}, -1);
  char log[300];
  snprintf(log, sizeof log, "%s/stopped/runs/sudoku-trm-0/log.jsonl", s->dir);
  for (int i = 0; i < 3000 && size_of(log) < 2000; i++) nap(10);

  /* Nobody else works in the folder meanwhile. */
  scratch other;
  snprintf(other.dir, sizeof other.dir, "%.56s/other", s->dir);
  assert_int_equal(mkdir(other.dir, 0777), 0);
  want(run_with(&other, &(const launch){0}, args), 1);
  says(err_text, "another trm reproduce is at work there");

  kill(child, SIGINT);
  want(finish(s, child), 130);
  says(err_text, "which is saved");
  says(err_text, "goes on");
  says(out_text, "1 run is missing");
  assert_int_equal(access(in(s, "stopped/runs/sudoku-trm-0/last"), R_OK), 0);
}

/* The time is up before the first run: nothing is trained, and what is missing is said. */
static void time_that_is_up_ends_between_runs(void **state) {
  scratch *s = *state;
  want(RUN("reproduce", "table1", MICRO, ROWS, "--seeds", "1", "--time", "0.001s", "--output",
           in(s, "late")),
       0);
  says(err_text, "the time is up; 3 runs are missing");
  assert_int_equal(access(in(s, "late/results.jsonl"), R_OK), -1);
  want(RUN("reproduce", "table1", MICRO, ROWS, "--seeds", "1", "--time", "1h", "--output",
           in(s, "late")),
       0);
  assert_int_equal(lines_of(s, "late"), 3);
}

/* A rate that no weights survive: the row is a result, and the rows after it are trained. */
static void a_row_that_diverges_is_a_result(void **state) {
  scratch *s = *state;
  for (int i = 0; i < 2; i++) {
    want(RUN("reproduce", "table1", MICRO, "max_updates=8", "lr=1e3", "--rows", "trm,hrm",
             "--seeds", "1", "--threads", "1", "-q", "--output", in(s, "diverged")),
         0);
    assert_int_equal(lines_of(s, "diverged"), 2);
    says(out_text, "| diverged at update ");
  }
  char *lines = text_of(s, "diverged", "results.jsonl");
  says(lines, "\"diverged_at_update\":");
  free(lines);
}

static void folders_are_not_mixed(void **state) {
  scratch *s = *state;
  /* Other settings, another scale. */
  want(RUN("reproduce", "table1", MICRO, "lr=1", ROWS, "--seeds", "2", "--output", in(s, "whole")),
       2);
  says(err_text, "tables are not mixed");
  assert_string_equal(out_text, ""); /* before the plan, and without one, too */
  want(RUN("reproduce", "table1", MICRO, "lr=1", "--dry-run", "--output", in(s, "whole")), 2);
  says(err_text, "tables are not mixed");
  want(RUN("reproduce", "table1", MICRO, ROWS, "--scale", "paper", "--output", in(s, "whole")), 2);
  says(err_text, "--scale laptop");

  /* A line of a row that had other settings, as of another version of the program. */
  char *lines = text_of(s, "whole", "results.jsonl"), path[300];
  char *decay = strstr(lines, "weight_decay=0.1");
  assert_non_null(decay);
  decay[strlen("weight_decay=0.")] = '2';
  snprintf(path, sizeof path, "%s", in(s, "whole/results.jsonl"));
  write_bytes(path, lines, strlen(lines));
  want(RUN("reproduce", "table1", MICRO, ROWS, "--seeds", "2", "--output", in(s, "whole")), 2);
  says(err_text, "line 1: sudoku-trm was trained with other settings");
  free(lines);
}

/* The count, and so the bits, are those of trm eval, of a model that solves most puzzles in a step.
 */
static void answers_are_those_of_trm_eval(void **state) {
  scratch *s = *state;
  want(RUN("reproduce", "table1", "--rows", "sudoku-trm", "--seeds", "1", "-q", model_setting,
           "arch.hidden_size=64", "arch.num_heads=2", "arch.H_cycles=2", "arch.L_cycles=3",
           "arch.gate_norm=true", "arch.feedback=true", "arch.halt_max_steps=1", "max_updates=1",
           "global_batch_size=2", "lr=1e-9", "eval_limit=60", "--output", in(s, "six")),
       0);
  char run[300], data[300], *lines = text_of(s, "six", "results.jsonl");
  trm__json *line = json_first(lines, &(size_t){0});
  snprintf(run, sizeof run, "%s/six/runs/sudoku-trm-0/last", s->dir);
  snprintf(data, sizeof data, "%s/six/data/sudoku-0", s->dir);
  want(RUN("eval", run, data, "--limit", "60", "--json", "-q"), 0);
  trm__json *eval = json_of(out_text);
  const int64_t exact = trm__json_integer(trm__json_get(line, "exact"));
  assert_true(exact > 20 && exact < 60);
  assert_int_equal(trm__json_integer(trm__json_get(line, "examples")), 60);
  assert_int_equal(exact,
                   (int64_t)(60 * trm__json_number(trm__json_get(eval, "exact_accuracy")) + 0.5));
  trm__json_free(line);
  trm__json_free(eval);
  free(lines);
}

/* A process that ends between the evaluation of a run and its line leaves a run without one. The
 * next one asks the model again, as the run did: with its tries of each puzzle. */
static void answers_that_were_not_written_down_are_given_again(void **state) {
  scratch *s = *state;
  char folder[sizeof folder_path];
  snprintf(folder, sizeof folder, "%s", in(s, "tries"));
  const char *const *args =
      ARGS("reproduce", "table1", "--rows", "sudoku-trm", "--seeds", "1", "-q", model_setting,
           "arch.hidden_size=64", "arch.num_heads=2", "arch.H_cycles=2", "arch.L_cycles=3",
           "arch.gate_norm=true", "arch.feedback=true", "arch.halt_max_steps=1", "max_updates=1",
           "global_batch_size=2", "lr=1e-9", "eval_limit=60", "eval_views=4", "eval_select=mode",
           "--output", folder);
  want(run_with(s, &(const launch){0}, args), 0);
  char *before = text_of(s, "tries", "results.jsonl");
  assert_int_equal(unlink(in(s, "tries/results.jsonl")), 0);
  want(run_with(s, &(const launch){0}, args), 0);
  char *after = text_of(s, "tries", "results.jsonl");

  /* The same puzzles, and they are not those of one try of each. */
  trm__json *first = json_first(before, &(size_t){0}), *again = json_first(after, &(size_t){0});
  const char *bits = trm__json_text(trm__json_get(first, "exact_bits"));
  assert_string_equal(trm__json_text(trm__json_get(again, "exact_bits")), bits);
  char *single = text_of(s, "six", "results.jsonl");
  trm__json *one = json_first(single, &(size_t){0});
  assert_string_not_equal(trm__json_text(trm__json_get(one, "exact_bits")), bits);
  trm__json_free(first);
  trm__json_free(again);
  trm__json_free(one);
  free(before);
  free(after);
  free(single);
}

/* The paper's scale, its rows made small, on data that are somewhere else: they are found there,
 * and also said to be missing. */
static void the_papers_data_are_the_users(void **state) {
  scratch *s = *state;
  char data[300];
  snprintf(data, sizeof data, "%s/nine", s->dir);
  want(RUN("data", "gen", "sudoku", "--size", "9", "--train", "10", "--test", "5", "-q",
           "--output-dir", data),
       0);
  want(RUN("reproduce", "table2", "--scale", "paper", MICRO, "--rows", "multi-z", "--seeds", "1",
           "--threads", "1", "-q", "--output", in(s, "paper")),
       1);
  says(err_text, "trm data build sudoku");
  want(RUN("reproduce", "table2", "--scale", "paper", MICRO, "--rows", "multi-z", "--seeds", "1",
           "--threads", "1", "-q", "--sudoku", data, "--output", in(s, "paper")),
       0);
  assert_int_equal(lines_of(s, "paper"), 1);
  char *table = text_of(s, "paper", "table2.md");
  says(table, ", 5 test puzzles a seed");
  free(table);

  /* Puzzles of another size are not what the table says it is about. */
  snprintf(data, sizeof data, "%s/whole/data/sudoku-0", s->dir);
  want(RUN("reproduce", "table2", "--scale", "paper", MICRO, "--rows", "multi-z", "--seeds", "1",
           "--threads", "1", "-q", "--sudoku", data, "--output", in(s, "six_for_nine")),
       2);
  says(err_text, "Sudoku-Extreme, 1,000 puzzles: its data are sudoku of 9 x 9 cells");
  assert_int_equal(access(in(s, "six_for_nine/runs"), F_OK), -1);

  /* Another row on other puzzles could not be compared with it. */
  snprintf(data, sizeof data, "%s/other_nine", s->dir);
  want(RUN("data", "gen", "sudoku", "--size", "9", "--train", "10", "--test", "5", "--seed", "1",
           "-q", "--output-dir", data),
       0);
  want(RUN("reproduce", "table2", "--scale", "paper", MICRO, "--rows", "single-z", "--seeds", "1",
           "--threads", "1", "-q", "--sudoku", data, "--output", in(s, "paper")),
       2);
  says(err_text, "sudoku-multi-z of seed 0 there was trained or tested on other data");
  assert_int_equal(lines_of(s, "paper"), 1);
}

static void words_are_checked_before_anything_is_written(void **state) {
  scratch *s = *state;
  static const struct {
    const char *args[8], *says;
  } bad[] = {
      {{"table9"}, "unknown table"},
      {{"tabel1"}, "did you mean table1"},
      {{"table1", "--rows", "no-emu"}, "did you mean no-ema"},
      {{"table1", "--rows", ""}, "has no row ''"},
      {{"table1", "--rows", "hrm,"}, "has no row ''"},
      {{"table1", "--scale", "phone"}, "want laptop or paper"},
      {{"table1", "--time", "soon"}, "want a time as 3h"},
      {{"table1", "--time", "1min2h"}, "want a time as 3h"},
      {{"table1", "--seeds", "101"}, "1 to 100"},
      {{"table1", "seed=3"}, "use --seeds"},
      {{"table1", "arch=hrm"}, "arch: use --rows"},
      {{"table1", "arch.name=hrm"}, "arch.name: use --rows"},
      {{"table1", "data_paths=[x]"}, "use --sudoku or --maze"},
      {{"table1", "--sudoku", "x"}, "for --scale paper"},
      {{"table1", "max_updatez=3"}, "no row can be run: unknown key 'max_updatez'"},
      {{"table1", "max_updates=null"}, "max_updates: want a number"},
      {{"table1", "stray"}, "want key=value"},
      {{NULL}, "want table1"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    const char *args[12] = {"reproduce"};
    int n = 1;
    for (int k = 0; k < 8 && bad[i].args[k]; k++) args[n++] = bad[i].args[k];
    if (bad[i].args[0]) args[n++] = "--output", args[n++] = in(s, "none");
    want(run_with(s, &(const launch){0}, args), 2);
    says(err_text, bad[i].says);
  }
  assert_int_equal(access(in(s, "none"), F_OK), -1);
}

/* A plan has all rows with their costs, at both scales, and writes nothing. */
static void a_plan_costs_nothing(void **state) {
  scratch *s = *state;
  want(RUN("reproduce", "table3", MICRO, "--rows", "hrm", "--dry-run"), 0);
  const double once = strtod(strstr(out_text, "seeds of all: ") + 14, NULL);
  want(RUN("reproduce", "table3", MICRO, "--rows", "hrm", "--dry-run", "eval_limit=null",
           "eval_views=1024"),
       0);
  assert_true(strtod(strstr(out_text, "seeds of all: ") + 14, NULL) > 1000 * once);
  want(RUN("reproduce", "table3", MICRO, "--dry-run", "--output", in(s, "none")), 0);
  says(out_text, "sudoku-hrm-n6-t6");
  says(out_text, "trm data gen sudoku --size 6");
  want(RUN("reproduce", "table4", "--scale", "paper", "--dry-run", "--rows", "sudoku-direct",
           "--output", in(s, "none")),
       0);
  says(out_text, "--subsample-size 1000 --num-aug 1000");
  says(out_text, "27,");
  assert_int_equal(access(in(s, "none"), F_OK), -1);
}

int main(void) {
  snprintf(model_setting, sizeof model_setting, "load_checkpoint=%s/models/sudoku6.safetensors",
           TRM_SOURCE_DIR);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_table_is_written_and_complete),
      cmocka_unit_test(a_killed_table_goes_on_with_the_same_bits),
      cmocka_unit_test(a_stopped_table_says_how_to_go_on),
      cmocka_unit_test(time_that_is_up_ends_between_runs),
      cmocka_unit_test(a_row_that_diverges_is_a_result),
      cmocka_unit_test(folders_are_not_mixed),
      cmocka_unit_test(answers_are_those_of_trm_eval),
      cmocka_unit_test(answers_that_were_not_written_down_are_given_again),
      cmocka_unit_test(the_papers_data_are_the_users),
      cmocka_unit_test(words_are_checked_before_anything_is_written),
      cmocka_unit_test(a_plan_costs_nothing),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
