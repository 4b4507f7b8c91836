/* `trm sudoku`, and Sudokus of other programs in `trm solve`: what a user sees. */
#include "json_text.h"
#include "launch.h"

#define P "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79"
#define S "534678912672195348198342567859761423426853791713924856961537284287419635345286179"
#define WRONG "134678912672195348198342567859761423426853791713924856961537284287419635345286179"
#define HARD "..............3.85..1.2.......5.7.....4...1...9.......5......73..2.1........4...9"
#define TWICE "55..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79"

static void solutions_come_in_the_order_of_the_file(void **state) {
  scratch *s = *state;
  char path[200];
  snprintf(path, sizeof path, "%s", scratch_path(s, "puzzles"));
  write_bytes(path, "A title\n" P " easy\n" HARD "\n", 8 + sizeof P - 1 + 6 + sizeof HARD);
  want(RUN("sudoku", "solve", path), 0);
  assert_memory_equal(out_text, S "  solutions: 1\n", sizeof S + 14);
  assert_int_equal(strlen(out_text), 2 * (sizeof S + 14));
  assert_string_equal(err_text, "");
  want(RUN("sudoku", "solve", "--puzzle", P), 0);
  assert_string_equal(out_text, S "  solutions: 1\n");
  want(RUN_INPUT("1...............\n", "sudoku", "solve"), 4);
  says(out_text, "  solutions: 2 or more\n");
  says(err_text, "1 of 1 puzzle has not exactly one solution");
  want(RUN_INPUT("123.............4...\n123....4........", "sudoku", "solve", "-"), 3);
  says(out_text, "error: stdin:1:1: 20 characters");
  says(out_text, "\nnone  solutions: 0\n");
}

/* Between puzzles of a line each a line of words may be one that was lost: the first is named. */
static void lines_of_words_are_told(void **state) {
  scratch *s = *state;
  want(RUN_INPUT("A title\n" P "\nhello\n" P "\nhello again\n" P "\n", "sudoku", "solve"), 0);
  assert_int_equal(strlen(out_text), 3 * (sizeof S + 14));
  says(err_text, "stdin:3: a line of words is passed over as a title");
  assert_null(strstr(err_text, "stdin:1:"));
  assert_null(strstr(err_text, "stdin:5:"));
  want(RUN_INPUT(P "\nhello\n", "solve", "sudoku9", "-", "--steps", "1"), 0);
  says(err_text, "stdin:2: a line of words");

  /* Grids of rows have titles. */
  want(RUN_INPUT("One\n12..\n34..\n2143\n4321\nTwo\n12..\n34..\n2143\n4321\n", "sudoku", "solve"),
       0);
  assert_string_equal(err_text, "");
}

static void what_cannot_be_solved_is_said(void **state) {
  scratch *s = *state;
  want(RUN_INPUT(TWICE "\n" P "," WRONG "\n" P "\n", "sudoku", "solve"), 3);
  says(out_text, "error: stdin:1:2: '5' in row 1, column 2 stands twice in its row, column or box");
  says(out_text, "\nerror: stdin:2:83: the answer has '1' where the question gives '5'");
  says(out_text, "\n" S "  solutions: 1\n");
  says(err_text, "2 of 3 puzzles could not be read");
  want(RUN_INPUT("nothing here\n", "sudoku", "solve"), 3);
  says(err_text, "stdin holds no Sudoku");
}

static void ratings_are_told(void **state) {
  scratch *s = *state;
  want(RUN_INPUT(P "\n" HARD "\n1...............\n", "sudoku", "rate"), 0);
  says(out_text, P "  givens: 30  solutions: 1  wrong guesses: 0  singles suffice: yes\n" HARD
                   "  givens: 17  solutions: 1  wrong guesses: ");
  says(out_text,
       "\n1...............  givens: 1  solutions: 2 or more  wrong guesses: 0  singles "
       "suffice: no\n");
}

static void json_says_the_same(void **state) {
  scratch *s = *state;
  size_t used;
  want(RUN_INPUT("\n" P "\nx12\n", "sudoku", "solve", "--json"), 3);
  trm__json *first = json_first(out_text, &used);
  assert_string_equal(trm__json_text(trm__json_get(first, "puzzle")), P);
  assert_string_equal(trm__json_text(trm__json_get(first, "answer")), S);
  assert_int_equal(trm__json_integer(trm__json_get(first, "solutions")), 1);
  assert_int_equal(trm__json_integer(trm__json_get(first, "line")), 2);
  trm__json_free(first);
  says(strchr(out_text, '\n'), "\"error\":\"stdin:3:1: ");
  want(RUN("sudoku", "solve", "--json", "--puzzle", "123....4........"), 4);
  says(out_text, "\"answer\":null,\"solutions\":0");
  want(RUN("sudoku", "rate", "--json", "--puzzle", P), 0);
  says(out_text,
       "\"givens\":30,\"solutions\":1,\"wrong_guesses\":0,\"singles_suffice\":true,\"line\":1}");
}

static void usage_is_explained(void **state) {
  /* Each action has examples, and tells of columns. */
  scratch *s = *state;
  static const char *const words[] = {"solve", "rate"};
  for (int i = 0; i < 2; i++) {
    want(RUN("sudoku", words[i], "-h"), 0);
    says(out_text, "Examples:\n");
    want(RUN("help", "sudoku", words[i]), 0);
    says(out_text, "--columns");
  }

  /* So has the group; without an action, or with a slip, it explains. */
  want(RUN("sudoku", "--help"), 0);
  says(out_text, "trm sudoku rate");
  want(RUN("sudoku"), 2);
  want(RUN("sudoku", "slove"), 2);
  says(err_text, "did you mean 'solve'?");

  /* A puzzle is no file, and a file that is missing is named. */
  want(RUN("sudoku", "solve", "a", "b"), 2);
  want(RUN("sudoku", "solve", P), 2);
  says(err_text, "is a puzzle, and there is no file of that name: give it by --puzzle");
  want(RUN("sudoku", "solve", scratch_path(s, "absent")), 1);
  says(err_text, "absent: No such file");

  /* A column may be chosen, and one that is not there is said. */
  want(RUN_INPUT("a;b\n" S ";" P "\n", "sudoku", "solve", "--columns", "b,a"), 0);
  assert_string_equal(out_text, S "  solutions: 1\n");
  want(RUN_INPUT("a;b\n" S ";" P "\n", "sudoku", "solve", "--columns", "c"), 3);
  says(err_text, "there is no column 'c' in the first line, which has 2");
}

/* --- trm solve --- */

static void make_model(const char *dir, int size) {
  trm_model_config c = trm_model_config_default(TRM_ARCH_TRM);
  c.vocab_size = size + 2;
  c.seq_len = size * size;
  c.num_puzzle_identifiers = 1;
  c.puzzle = trm_sudoku_of_size(size);
  c.hidden_size = 32;
  c.num_heads = 1;
  c.H_cycles = c.L_cycles = 1;
  c.puzzle_emb_ndim = 0;
  trm_model *m;
  trm_error err;
  if (trm_model_create(&c, 1, &m, &err) != TRM_OK) fail_msg("%s", err.msg);
  if (trm_model_save(m, dir, &err) != TRM_OK) fail_msg("%s", err.msg);
  trm_model_free(m);
}

/* A model gets from any file the puzzles that it is made for, and says what the others are. */
static void models_get_the_puzzles_of_any_form(void **state) {
  /* A model of Sudokus of side 9. */
  scratch *s = *state;
  char model[160];
  snprintf(model, sizeof model, "%s", scratch_path(s, "nine"));
  make_model(model, 9);

  /* A line, a table, a grid of rows, a code of another program. */
  static const char *const inputs[] = {
      P " 1.5\n", "quizzes,solutions\n" P "," S "\n",
      "[Puzzle]\n53..7....\n6..195...\n.98....6.\n8...6...3\n4..8.3..1\n7...2...6\n.6....28.\n"
      "...419..5\n....8..79\n",
      ":0000:x:" P ":::\n"};
  for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
    want(RUN_INPUT(inputs[i], "solve", model, "--steps", "1", "--json"), 0);
    says(out_text, "\"puzzle\":\"" P "\"");
  }

  /* A column may be chosen. */
  want(RUN_INPUT(S ";" P "\n", "solve", model, "--steps", "1", "--json", "--columns", "2"), 0);
  says(out_text, "\"puzzle\":\"" P "\"");

  /* A wrong answer beside a puzzle is told, with its place. */
  want(RUN_INPUT(P "," WRONG "\n" P "\n", "solve", model, "--steps", "1"), 3);
  says(out_text, "error: stdin:1:83: the answer has '1' where the question gives '5'");

  /* A puzzle where a file is wanted. */
  want(RUN("solve", model, P), 2);
  says(err_text, "is a puzzle, and there is no file of that name: give it by --puzzle");
  want(RUN("solve", P), 2);
  says(err_text, "is a puzzle: want MODEL first, such as sudoku9, and the puzzle by --puzzle");
}

/* A Sudoku says by its size which of the models that come with the program is for it. */
static void a_model_may_be_left_out(void **state) {
  scratch *s = *state;
  want(RUN("solve", "--puzzle", "1...............", "--steps", "1"), 0);
  says(err_text, "trm: by the model sudoku4\n");
  says(out_text, "  valid: ");

  /* Where nothing says which, those that there are. */
  want(RUN("solve"), 2);
  says(err_text, "want MODEL: ");
  says(err_text, "sudoku9");
  want(RUN("solve", "--puzzle", "S./.G"), 2);
  says(err_text, "want MODEL: ");
}

static void other_sizes_are_named(void **state) {
  scratch *s = *state;
  char model[160];
  snprintf(model, sizeof model, "%s", scratch_path(s, "six"));
  make_model(model, 6);
  want(RUN("solve", model, "--puzzle", P), 3);
  says(err_text,
       "--puzzle:1:1: a 9x9 Sudoku of 81 cells, but the model is for 6x6; the model sudoku9 is "
       "for 9x9\n");
  want(RUN_INPUT("1...3......3....\n\n" P "\n", "solve", model), 3);
  says(err_text,
       "stdin:1:1: a 4x4 Sudoku of 16 cells, or a row of a 16x16 Sudoku, but the model is for "
       "6x6; the model sudoku4 is for 4x4\n");
  says(err_text, "but the model is for 6x6\n"); /* it is said once */
  want(RUN("help", "data", "gen", "sudoku"), 0);
  says(out_text, "4, 6, 8, 9, 10, 12 or 16");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(solutions_come_in_the_order_of_the_file),
                                     cmocka_unit_test(lines_of_words_are_told),
                                     cmocka_unit_test(what_cannot_be_solved_is_said),
                                     cmocka_unit_test(ratings_are_told),
                                     cmocka_unit_test(json_says_the_same),
                                     cmocka_unit_test(usage_is_explained),
                                     cmocka_unit_test(models_get_the_puzzles_of_any_form),
                                     cmocka_unit_test(a_model_may_be_left_out),
                                     cmocka_unit_test(other_sizes_are_named)};
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
