/* A user's own puzzles on the command line, as docs/RECIPE_NONOGRAM.md tells it: nonograms from
 * their raw lines to a model's answers. */
#include "launch.h"

#include "trm.h"

static const char raw[] =
    "1.2/3.1/1.3/1/5/4/4/3/1.3/1.3/3.3/2.1.1/1.1/2,"
    "0001110001011101001111110111011010110100001100000\n"
    "3/1/3.1/4/5/5/2/3/4/4/6/1.4/1/1,0000111000111100111101111110101111010000000010000\n"
    "2/2/2.3/2.1/2.1/1.3/6/5/3.1/2/3/1.2/3.1/4,"
    "0011111001110100000110000111001001111100011111000\n"
    "5/6/4/4/2/2/1/1.4/5/4/4/3/2/1,0101111011111011110001111000111000011000001000000\n";

/* Writes DIR/nonograms.csv from the raw lines. */
static void convert(scratch *s) {
  char command[600];
  write_bytes(scratch_path(s, "raw.csv"), raw, sizeof raw - 1);
  snprintf(command, sizeof command,
           "awk -f '" TRM_SOURCE_DIR
           "/examples/nonogram/to_grid.awk' %s/raw.csv > %s/nonograms.csv",
           s->dir, s->dir);
  assert_int_equal(system(command), 0);
}

static void the_recipe_works(void **state) {
  /* Places of what the recipe makes. */
  scratch *s = *state;
  char csv[160], dir[160], paths[200], out[200], model[200];
  snprintf(csv, sizeof csv, "%s", scratch_path(s, "nonograms.csv"));
  snprintf(dir, sizeof dir, "%s", scratch_path(s, "nonogram7"));
  snprintf(paths, sizeof paths, "data_paths=[%s]", dir);
  snprintf(out, sizeof out, "out=%s/runs", s->dir);
  snprintf(model, sizeof model, "%s/runs/Nonogram7-trm/first", s->dir);

  /* A data set of the converted puzzles, with rules and a symmetry. */
  convert(s);
  want(
      RUN("data", "build", "grid", "--input", csv, "--rules", "nonogram", "--symmetry", "transpose",
          "--vocabulary", ".,#,?,1,2,3,4,5,6,7", "--test-share", "0.25", "--output-dir", dir),
      0);
  says(out_text, "train: 3 puzzles");
  says(out_text, "test: 1 puzzle\n");

  /* What was said of it is kept. */
  want(RUN("data", "info", dir), 0);
  says(out_text, "rules nonogram");
  says(out_text, "transpose");

  /* A model of it is trained, scored and asked. */
  want(RUN("train", "preset=sudoku6-adam", paths, out, "run_name=first", "threads=1",
           "arch.hidden_size=32", "arch.H_cycles=1", "arch.L_cycles=1", "arch.halt_max_steps=2",
           "global_batch_size=3", "epochs=2"),
       0);
  want(RUN("eval", model, dir), 0);
  says(out_text, "1 example,");
  want(RUN("solve", model, "--data", dir, "--index", "0"), 0);
  says(out_text, "valid: ");
}

static void mistakes_are_explained(void **state) {
  /* The converted puzzles. */
  scratch *s = *state;
  char csv[160], dir[160], paths[200], out[200];
  snprintf(csv, sizeof csv, "%s", scratch_path(s, "nonograms.csv"));
  snprintf(dir, sizeof dir, "%s", scratch_path(s, "plain"));
  snprintf(paths, sizeof paths, "data_paths=[%s]", dir);
  snprintf(out, sizeof out, "out=%s/runs", s->dir);
  convert(s);

  /* Options that are missing or are half given, and a file that is not there. */
  want(RUN("data", "build", "grid", "--output-dir", dir), 2);
  says(err_text, "--input is needed");
  want(RUN("data", "build", "grid", "--input", csv, "--output-dir", dir, "--canvas", "12"), 2);
  says(err_text, "--canvas: want rows x columns");
  want(RUN("data", "build", "grid", "--input", csv, "--output-dir", dir, "--rows", "3"), 2);
  says(err_text, "--rows needs --cols");
  want(RUN("data", "build", "grid", "--input", csv, "--output-dir", dir, "--vocabulary", "no.txt"),
       1);
  says(err_text, "there is no file no.txt");

  /* Rules that the puzzles break, with the line. */
  want(RUN("data", "build", "grid", "--input", csv, "--output-dir", dir, "--rules", "sudoku"), 3);
  says(err_text, "nonograms.csv line 2");

  /* Without symmetries there are no images, and the remedy is told. */
  want(RUN("data", "build", "grid", "--input", csv, "--output-dir", dir), 0);
  want(RUN("train", "preset=sudoku6-adam", paths, out, "global_batch_size=4", "--dry-run"), 2);
  says(err_text, "declare no symmetries");
  says(err_text, "augment=none");
}

static void build_text(scratch *s, const char *name, const char *text, const char *message) {
  char path[160], dir[160];
  snprintf(path, sizeof path, "%s", scratch_path(s, name));
  snprintf(dir, sizeof dir, "%s", scratch_path(s, "never"));
  write_bytes(path, text, strlen(text));
  want(
      RUN("data", "build", "grid", "--input", path, "--vocabulary", "1,2,3,4", "--output-dir", dir),
      3);
  says(err_text, message);
}

static void bad_cells_are_named(void **state) {
  scratch *s = *state;
  build_text(s, "e.csv", "", "want a header with the columns question,answer");
  build_text(s, "a.csv", "question,answer\n1234,123x\n", "output row 2, column 2: 'x'");
  build_text(s, "b.csv", "question,answer\n12/34,12/x4\n", "output row 2, column 1: 'x'");
  build_text(s, "c.jsonl", "{\"input\": [[1234567890123456]], \"output\": [[1]]}\n",
             "integer of 16 characters; want at most 15");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_recipe_works),
      cmocka_unit_test(mistakes_are_explained),
      cmocka_unit_test(bad_cells_are_named),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
