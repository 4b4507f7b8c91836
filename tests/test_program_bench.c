/* `trm bench` as a user runs it: reports in every format, refusals, Ctrl-C. */

#include "json_text.h"
#include "launch.h"

#define TINY_BENCH "-m", "sudoku4", "-b", "8", "-r", "2", "arch.hidden_size=32", "arch.H_cycles=1"

/* The rows of a test in a report printed as JSON. */
static int bench_rows_of(const char *test, bool interrupted) {
  trm__json *root = json_of(out_text);
  int n = 0;
  if (!root) fail_msg("not JSON:\n%s", out_text);
  assert_int_equal(trm__json_is_true(trm__json_get(root, "interrupted")), interrupted);
  const trm__json *rows = trm__json_get(root, "rows");
  for (size_t i = 0; i < trm__json_n_items(rows); i++) {
    const trm__json *row = trm__json_item(rows, i);
    bool peak = !strcmp(trm__json_text(trm__json_get(row, "test")), "peak");
    n += !strcmp(trm__json_text(trm__json_get(row, "test")), test);
    assert_non_null(trm__json_get(row, peak ? "op" : "limit"));
    assert_true(peak || trm__json_number(trm__json_get(row, "ms")) > 0);
  }
  trm__json_free(root);
  return n;
}

static void test_bench(void **state) {
  scratch *s = *state;
  want(RUN("bench", "gemm", "--shape", "5x6x7,64x64x64", "-t", "1,2", "-r", "1", "-o", "json"), 0);
  assert_int_equal(bench_rows_of("gemm", false), 8);
  assert_int_equal(bench_rows_of("peak", false), 6); /* two formats and the copy, threads 1, 2 */
  want(RUN("bench", "train", TINY_BENCH, "-t", "1,2", "--dtype=bf16", "--output=json"), 0);
  assert_int_equal(bench_rows_of("train", false), 2);
  want(RUN("bench", "infer", TINY_BENCH, "-b=1,3", "--dtype", "f32", "-o", "json"), 0);
  assert_int_equal(bench_rows_of("infer", false), 2);
  want(RUN("bench", "ops", TINY_BENCH, "-t", "1", "--dtype", "f32", "-o", "json"), 0);
  assert_true(bench_rows_of("ops", false) > 10);
  want(RUN("bench", "train", TINY_BENCH, "-t", "1", "--cells", "9"), 0);
  says(out_text, "GFLOP/s");

  /* What depends on a grid has one, of any number of cells; and Muon trains. */
  static const char *const grids[] = {"0", "9", "12", "13"};
  for (int i = 0; i < 4; i++)
    want(RUN("bench", "infer", TINY_BENCH, "-t", "1", "--dtype", "f32", "--cells", grids[i],
             "arch.mlp_t=false", "arch.pos_encodings=rope2d", "arch.grid_tables=true"),
         0);
  want(RUN("bench", "train", TINY_BENCH, "-t", "1", "--dtype", "f32", "optimizer=muon",
           "muon_steps=5", "arch.feedback=true"),
       0);

  /* A preset's rate may fall and its cycles grow over a run: an update is timed at its full depth.
   */
  want(RUN("bench", "train", "-m", "sudoku6,maze10", "-b", "2", "-t", "1", "-r", "1", "--dtype",
           "f32", "-o", "json"),
       0);
  assert_int_equal(bench_rows_of("train", false), 2);
  want(RUN("bench", "train", "-m", "sudoku6", "--cells", "81", "-b", "1", "-t", "1", "-r", "1"), 0);
  want(RUN("bench", "--list-models"), 0);
  says(out_text, "sudoku-mlp-t6");
}

static void test_bench_refusals(void **state) {
  /* Commands and models that are misspelt. */
  scratch *s = *state;
  want(RUN("bench"), 2);
  want(RUN("bench", "trian"), 2);
  says(err_text, "did you mean 'train'?");
  want(RUN("bench", "train", "-m", "sudoku7"), 2);
  says(err_text, "did you mean 'sudoku");

  /* Lists, numbers and formats that are none. */
  want(RUN("bench", "train", "-b", "0"), 2);
  says(err_text, "--batch: want whole numbers from 1");
  want(RUN("bench", "train", "--batches", "4"), 2);
  says(err_text, "did you mean --batch?");
  want(RUN("bench", "train", "-q", "4"), 2);
  want(RUN("bench", "train", "-b"), 2);
  says(err_text, "a list, e.g. 1,64");
  want(RUN("bench", "train", "-t", "1,,2"), 2);
  says(err_text, "empty entry in '1,,2'");
  want(RUN("bench", "train", "-r", "0"), 2);
  want(RUN("bench", "train", "-o", "xml"), 2);

  /* Keys that a bench does not know, or one of them does not take. */
  want(RUN("bench", "train", "hidden_size=3"), 2);
  says(err_text, "did you mean 'arch.hidden_size'?");
  want(RUN("bench", "growth", "-b", "1,2"), 2);
  want(RUN("bench", "gemm", "lr=1"), 2);

  /* A bad model in a list is refused before anything is timed. */
  want(RUN("bench", "train", TINY_BENCH, "-m", "sudoku4,nope"), 2);
  says(err_text, "unknown model 'nope'");
  assert_string_equal(out_text, "");
}

/* What a bench would not look at is refused, not ignored. */
static void test_bench_unused(void **state) {
  scratch *s = *state;
  static const char *const settings[][2] = {{"preset=sudoku4", "preset: use -m NAME"},
                                            {"+arch.forward_dtype=f32", "use --dtype"},
                                            {"++global_batch_size=4", "use -b"},
                                            {"threads=1", "threads: use -t"}};
  static const char *const options[][3] = {{"gemm", "--model=sudoku4", "for ops, train, infer"},
                                           {"gemm", "-b=1", "for ops, train, infer"},
                                           {"gemm", "--cells=0", "for ops, train, infer"},
                                           {"ops", "--shape=1x1x1", "for gemm"},
                                           {"growth", "--shape=1x1x1", "for gemm"}};
  for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
    want(RUN("bench", "train", TINY_BENCH, settings[i][0]), 2);
    says(err_text, settings[i][1]);
  }
  want(RUN("bench", "infer", TINY_BENCH, "optimizer=muon"), 2);
  says(err_text, "optimizer: is for train, ops and growth");
  for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
    want(RUN("bench", options[i][0], options[i][1]), 2);
    says(err_text, options[i][2]);
  }
}

static bool catches(pid_t child, int number) {
  char path[64], line[256];
  bool caught = false;
  snprintf(path, sizeof path, "/proc/%d/status", (int)child);
  FILE *f = fopen(path, "r");
  while (f && fgets(line, sizeof line, f))
    if (!strncmp(line, "SigCgt:", 7)) caught = strtoull(line + 7, NULL, 16) >> (number - 1) & 1;
  if (f) fclose(f);
  return caught;
}

static void test_bench_interrupted(void **state) {
  scratch *s = *state;
  pid_t child =
      start(s, ARGS("bench", "train", TINY_BENCH, "-r", "1000", "-o", "json"), &(launch){0}, -1);
  for (int wait = 0; wait < 1500 && !catches(child, SIGINT); wait++) nap(20);
  kill(child, SIGINT);
  want(finish(s, child), 130);
  int rows = bench_rows_of("train", true);
  char said[64];
  assert_true(rows <= 2);
  snprintf(said, sizeof said, "trm: interrupted; %d row", rows);
  says(err_text, said);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_bench),
      cmocka_unit_test(test_bench_refusals),
      cmocka_unit_test(test_bench_unused),
      cmocka_unit_test(test_bench_interrupted),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
