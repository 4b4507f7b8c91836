/* `trm solve` on a terminal: steps that are drawn over each other, what marks cells there, and
 * puzzles that a person types. */

#include "puzzle/puzzle.h"
#include "solve_models.h"
#include "terminal.h"

static terminal t;

static const char *const no_colour[] = {"NO_COLOR=1", NULL};
#define PUZZLE "................"

/* The n-th line of a text, from 0, in its own block until the next call. */
static const char *line_of(const char *text, int n) {
  static char line[SCREEN_COLUMNS + 1];
  while (n-- > 0 && text) {
    text = strchr(text, '\n');
    text = text ? text + 1 : NULL;
  }
  if (!text) fail_msg("too few lines");
  snprintf(line, sizeof line, "%.*s", (int)strcspn(text, "\n"), text);
  return line;
}

/* --- steps --- */

/* One grid is seen in the end, that of the last step, and the answer below it. */
static void steps_take_each_others_place(void **state) {
  scratch *s = *state;
  char model[160];
  make_model_for_ones(place(s, "ones", model));
  want(terminal_run(&t, 24, 80, NULL,
                    ARGS("solve", model, "--puzzle", PUZZLE, "--show", "steps", "--steps", "5",
                         "--pace", "0")),
       0);
  const char *text = terminal_text(&t);
  assert_int_equal(t.ups, 5);
  assert_int_equal(count(text, "------+------"), 1);
  assert_memory_equal(text, "step 5 of 5: ", 13);
  assert_string_equal(line_of(text, 3), "  ------+------");
  assert_string_equal(line_of(text, 6), "bold: given  [5] changed  !5! breaks a rule");
  says(line_of(text, 7), "  valid: no  q ");

  /* A second puzzle begins below the answer of the first. */
  write_bytes(scratch_path(s, "two.txt"), PUZZLE "\n" PUZZLE "\n", 34);
  char file[160];
  want(terminal_run(&t, 24, 80, NULL,
                    ARGS("solve", model, place(s, "two.txt", file), "--show", "steps", "--steps",
                         "2", "--pace", "0")),
       0);
  text = terminal_text(&t);
  assert_int_equal(count(text, "------+------"), 2);
  assert_int_equal(count(text, "step 2 of 2: "), 2);
  assert_int_equal(count(text, "  valid: no  q "), 2);

  /* In a pipe, and on a terminal that cannot, they stand below each other without an escape. */
  static const char *const dumb[] = {"TERM=dumb", NULL};
  want(RUN("solve", model, "--puzzle", PUZZLE, "--show", "steps", "--steps", "2"), 0);
  assert_null(strchr(out_text, '\033'));
  says(out_text, "the puzzle; below, [5] is a cell that changed, !5! a given overwritten\n   .  .");
  assert_null(strstr(out_text, "break a rule"));
  want(terminal_run(&t, 40, 80, dumb,
                    ARGS("solve", model, "--puzzle", PUZZLE, "--show", "steps", "--steps", "2")),
       0);
  assert_null(strchr(t.raw, '\033'));
  assert_string_equal(line_of(terminal_text(&t), 0), line_of(out_text, 0));
}

/* A title that needs a line more than the next one leaves nothing behind. */
static void nothing_is_left_of_what_was_longer(void **state) {
  (void)state;
  want(terminal_run(&t, 24, 46, NULL,
                    ARGS("solve", TRM_SOURCE_DIR "/models/sudoku4.safetensors", "--puzzle",
                         "1...............", "--show", "steps", "--steps", "8", "--pace", "0")),
       0);
  assert_int_equal(t.ups, 8);
  const char *text = terminal_text(&t);
  says(t.raw, " break a rule, q 0"); /* in two lines */
  assert_int_equal(count(text, "break"), 1);
  assert_int_equal(count(t.raw, "\033[J"), 9); /* the answer alone would hide some of it */
  assert_memory_equal(line_of(text, 0), "step 8 of 8: 0 cells changed, q 0.", 34);
  says(line_of(text, 6), "bold: given");
  says(line_of(text, 7), "  valid: yes");
}

/* What changed is seen for a while before the next step takes its place. */
static void a_step_is_seen_before_the_next(void **state) {
  scratch *s = *state;
  char model[160];
  struct timespec before, after;
  make_model_for_ones(place(s, "ones", model));
  clock_gettime(CLOCK_MONOTONIC, &before);
  want(terminal_run(&t, 24, 80, NULL,
                    ARGS("solve", model, "--puzzle", PUZZLE, "--show", "steps", "--steps", "1",
                         "--pace", "0.6")),
       0);
  clock_gettime(CLOCK_MONOTONIC, &after);
  assert_true((double)(after.tv_sec - before.tv_sec) +
                  1e-9 * (double)(after.tv_nsec - before.tv_nsec) >
              0.6);

  /* Ctrl-C does not wait for it. */
  terminal_start(&t, 24, 80, NULL, true,
                 ARGS("solve", model, "--puzzle", PUZZLE, "--show", "steps", "--pace", "1000"));
  terminal_await(&t, "breaks a rule");
  terminal_type(&t, "\x03");
  want(terminal_end(&t), 130);
}

/* --- marks --- */

#define STEPS(puzzle) \
  ARGS("solve", model, "--puzzle", puzzle, "--show", "steps", "--steps", "1", "--pace", "0")

/* Cells of a Sudoku of side 4 below its title, of which `right` is the mark behind the digit. */
static int count_marked(const char *text, char right) {
  static const int lines[] = {1, 2, 4, 5}, columns[] = {2, 5, 9, 12};
  int n = 0;
  for (int row = 0; row < 4; row++)
    for (int col = 0; col < 4; col++) {
      const char *cell = line_of(text, lines[row]) + columns[col];
      assert_non_null(strchr(" [!", cell[0]));
      n += cell[2] == right;
    }
  return n;
}

static void marks_have_a_form_beside_their_colour(void **state) {
  /* A puzzle with so many solutions that one step mixes them. */
  (void)state;
  static const char model[] = TRM_SOURCE_DIR "/models/sudoku4.safetensors",
                    open[] = "1...............";
  char row[SCREEN_COLUMNS + 1];
  want(terminal_run(&t, 24, 80, NULL, STEPS(open)), 0);
  const char *text = terminal_text(&t);

  /* Each cell that breaks a rule has its mark, and they are counted. */
  snprintf(row, sizeof row, ", %d break a rule, q ", count_marked(text, '!'));
  says(line_of(text, 0), row);
  assert_in_range(count_marked(text, '!'), 2, 15);

  /* A given is bold, what changed is green or, where it is wrong, red; never by that alone. */
  says(t.raw, "\033[1m ");
  assert_true(count(t.raw, "\033[31m[") > 0);
  assert_int_equal(count(t.raw, "\033[31m"), count(t.raw, "\033[31m[") + count(t.raw, "\033[31m!"));
  assert_int_equal(count(t.raw, "\033[32m"), count(t.raw, "\033[32m["));

  /* Without colour the same marks, and one more for what was given and is right. */
  snprintf(row, sizeof row, "%s", line_of(text, 4));
  const int wrong = count_marked(text, '!');
  want(terminal_run(&t, 24, 80, no_colour, STEPS(open)), 0);
  text = terminal_text(&t);
  assert_null(strstr(t.raw, "m "));
  assert_string_equal(line_of(text, 4), row); /* a row that gives nothing */
  assert_int_equal(count_marked(text, '!'), wrong);
  assert_true(count_marked(text, '\'') > 0);
  assert_string_equal(line_of(text, 6), "5' given  [5] changed  !5! breaks a rule");
}

/* --- terminals of any size --- */

/* The largest Sudoku on the smallest usual terminal, and on a narrow one. */
static void what_is_narrow_gets_narrow_cells(void **state) {
  scratch *s = *state;
  char model[160], line[257] = "";
  const trm_puzzle p = trm_sudoku_of_size(16);
  make_copying_model(place(s, "sixteen", model), &p, 1, BLANK);
  memset(line, '.', 256);
  memcpy(line, "G12", 3);
  want(terminal_run(&t, 24, 80, no_colour, STEPS(line)), 0);
  assert_int_equal(t.ups, 1);
  says(terminal_text(&t), "\n   G' 1' 2'!.!|!.!");
  assert_string_equal(line_of(terminal_text(&t), 5),
                      "  ------------+------------+------------+------------");

  /* 2 + 16 x 2 + 3 columns are enough. */
  want(terminal_run(&t, 24, 37, no_colour, STEPS(line)), 0);
  assert_int_equal(t.ups, 1);
  says(terminal_text(&t), "\n  G'1'2'.!|.!");
  says(terminal_text(&t), "|.!.!.!.!\n  .!"); /* and the character at the edge is there */
  says(terminal_text(&t), "\n5' given  5] changed  5! breaks");
  want(terminal_run(&t, 24, 36, no_colour, STEPS(line)), 0);
  assert_int_equal(t.ups, 0);
}

/* What has no room stands below what was there, and the cursor never leaves the screen. */
static void what_is_too_large_is_not_drawn_over(void **state) {
  scratch *s = *state;
  char model[160], line[1000] = "";
  const trm_puzzle maze = {.kind = TRM_PUZZLE_MAZE, .rows = 30, .cols = 30},
                   arc = {.kind = TRM_PUZZLE_ARC, .rows = 30, .cols = 30};
  for (int i = 0; i < 900; i++) {
    if (i && i % 30 == 0) strcat(line, "/");
    strcat(line, i == 0 ? "S" : i == 899 ? "G" : ".");
  }
  make_copying_model(place(s, "maze", model), &maze, 1, BLANK);
  want(terminal_run(&t, 24, 80, NULL, STEPS(line)), 0);
  assert_int_equal(t.ups, 0);
  says(terminal_text(&t), "the puzzle\n");
  says(terminal_text(&t), "[] changed  !! a given overwritten\nstep 1 of 1: ");
  want(terminal_run(&t, 33, 80, NULL, STEPS(line)), 0);
  assert_int_equal(t.ups, 1);
  want(terminal_run(&t, 32, 80, NULL, STEPS(line)), 0);
  assert_int_equal(t.ups, 0);

  /* Grids of tasks: nothing is given, so there is nothing to overwrite. */
  make_copying_model(place(s, "arc", model), &arc, 1, BLANK);
  want(terminal_run(&t, 24, 80, NULL, STEPS("012/340")), 0);
  assert_int_equal(t.ups, 1);
  says(terminal_text(&t), "[] changed\n012/340  valid: -");
}

/* A terminal that gets another size between two steps is drawn on anew. */
static void another_size_begins_anew(void **state) {
  scratch *s = *state;
  char model[160];
  make_model_for_ones(place(s, "ones", model));
  terminal_start(
      &t, 24, 80, NULL, false,
      ARGS("solve", model, "--puzzle", PUZZLE, "--show", "steps", "--steps", "1", "--pace", "4"));
  terminal_await(&t, "breaks a rule");
  terminal_resize(&t, 30, 70);
  want(terminal_end(&t), 0);
  assert_int_equal(t.ups, 0);
  says(terminal_text(&t), "the puzzle\n");
  says(terminal_text(&t), "step 1 of 1: ");
}

/* So is one that was another's while the program was paused. */
static void who_was_paused_begins_anew(void **state) {
  scratch *s = *state;
  char model[160];
  make_model_for_ones(place(s, "ones", model));
  terminal_start(
      &t, 24, 80, NULL, false,
      ARGS("solve", model, "--puzzle", PUZZLE, "--show", "steps", "--steps", "2", "--pace", "4"));
  terminal_await(&t, "breaks a rule");
  terminal_pause(&t);
  want(terminal_end(&t), 0);
  assert_int_equal(t.ups, 1); /* from the first step to the second */
  says(terminal_text(&t), "the puzzle\n");

  /* And who is asked for a puzzle is asked again. */
  terminal_start(&t, 24, 80, NULL, true, ARGS("solve", model));
  terminal_await(&t, "\n>\n");
  terminal_pause(&t);
  terminal_await(&t, "\n> >\n");
  terminal_type(&t, "\x04");
  want(terminal_end(&t), 0);
}

/* --- puzzles that are typed --- */

/* Each is answered when it is there; a bad one has its error, and the others go on. */
static void puzzles_are_asked_for(void **state) {
  scratch *s = *state;
  char model[160];
  make_model_for_ones(place(s, "ones", model));
  terminal_start(&t, 24, 100, NULL, true, ARGS("solve", model, "--steps", "1"));
  terminal_await(&t, "trm: type a 4x4 Sudoku: its 16 cells in a line, or 4 rows, one a line;");
  terminal_await(&t, "\n>\n");
  terminal_type(&t, GOOD "\n");
  terminal_await(&t, "  valid: no  q ");
  terminal_await(&t, "steps 1\n>");
  terminal_type(&t, "hello\n");
  terminal_await(&t, "error: stdin:2:1: 'h' is no cell");

  /* Rows: which one is next is said, and after an error it is the first. */
  terminal_type(&t, "1...\n");
  terminal_await(&t, "\nrow 2:");
  terminal_type(&t, "\n");
  terminal_await(&t, "error: stdin:3:1: the grid that begins here has 1 row of 4 cells");
  static const char *const rows[] = {"1...\n", "3...\n", "...3\n", "....\n"};
  for (int i = 0; i < 4; i++) {
    char prompt[20];
    terminal_type(&t, rows[i]);
    snprintf(prompt, sizeof prompt, "\nrow %d:", i + 2);
    if (i < 3) terminal_await(&t, prompt);
  }
  while (count(terminal_text(&t), "steps 1\n") < 2) assert_true(terminal_take(&t, 60000));

  /* The end of the input is the end, with what was wrong in the exit code. */
  terminal_type(&t, "\x04");
  want(terminal_end(&t), 3);
  says(terminal_text(&t), "trm: 2 of 4 puzzles have no answer\n");
  assert_int_equal(count(terminal_text(&t), "is no cell"), 1);

  /* Who types nothing has done nothing wrong. */
  terminal_start(&t, 24, 100, NULL, true, ARGS("solve", model));
  terminal_await(&t, "\n>");
  terminal_type(&t, "\x04");
  want(terminal_end(&t), 0);
}

static void ctrl_c_ends_the_asking(void **state) {
  scratch *s = *state;
  char model[160];
  make_model_for_ones(place(s, "ones", model));
  terminal_start(&t, 24, 100, NULL, true, ARGS("solve", model, "--json"));
  terminal_await(&t, "\n>");
  terminal_type(&t, "12\n");
  terminal_await(
      &t, "\n{\"line\":1,\"error\":\"stdin:1:3: a 4x4 Sudoku has 16 characters, here are 2\"}\n>");
  terminal_type(&t, "\x03");
  want(terminal_end(&t), 130);
  says(terminal_text(&t), "\ntrm: error: interrupted after 1 answer\n");
}

/* Other kinds say what their cells are; JSON goes on in the next line. */
static void every_kind_says_what_may_be_typed(void **state) {
  scratch *s = *state;
  char model[160];
  const trm_puzzle maze = {.kind = TRM_PUZZLE_MAZE, .rows = 3, .cols = 4};
  trm_puzzle grid = {.kind = TRM_PUZZLE_GRID, .rows = 1, .cols = 2};
  static const char *const symbols[] = {".", "<&>"};
  for (int i = 0; i < 2; i++) assert_true(trm__puzzle_add_symbol(&grid, symbols[i]));
  make_copying_model(place(s, "maze_typed", model), &maze, 1, BLANK);
  terminal_start(&t, 24, 120, NULL, true, ARGS("solve", model, "--steps", "1"));
  terminal_await(
      &t, "type a puzzle (maze 3x4) in a line, rows separated by /, of the cells # . S G o;");
  terminal_type(&t, "[[\"#\",\"#\",\"S\",\"G\"],\n");
  terminal_await(&t, "\n...");
  terminal_type(&t, "\"####\",\"####\"]\n");
  terminal_await(&t, "stdin:1:");
  terminal_type(&t, "##SG/.###/####\n");
  terminal_await(&t, "##SG/.###/####  valid: ");
  terminal_type(&t, "\x04");
  want(terminal_end(&t), 3);

  make_copying_model(place(s, "grid_typed", model), &grid, 1, BLANK);
  terminal_start(&t, 24, 120, NULL, true, ARGS("solve", model, "--steps", "1"));
  terminal_await(&t, "rows separated by \" / \" and cells by spaces, of the cells . <&>;");
  terminal_type(&t, ". <&>\n");
  terminal_await(&t, ". <&>  valid: -");
  terminal_type(&t, "\x04");
  want(terminal_end(&t), 0);
}

/* Nobody is asked where no one types, nor where the puzzles come from elsewhere. */
static void nobody_else_is_asked(void **state) {
  scratch *s = *state;
  char model[160];
  make_model_for_ones(place(s, "ones", model));
  want(RUN_INPUT(GOOD "\n", "solve", model, "--steps", "1"), 0);
  assert_string_equal(err_text, "");
  want(terminal_run(&t, 24, 100, NULL, ARGS("solve", model)), 3);
  says(terminal_text(&t), "stdin holds no puzzle");
  assert_null(strstr(terminal_text(&t), "> "));
  terminal_start(&t, 24, 100, NULL, true, ARGS("solve", model, "--puzzle", GOOD, "--steps", "1"));
  want(terminal_end(&t), 0);
  assert_null(strstr(terminal_text(&t), "> "));

  /* Another command that reads puzzles asks in the same way. */
  terminal_start(&t, 24, 100, NULL, true, ARGS("sudoku", "solve"));
  terminal_await(&t, "trm: type a Sudoku: its cells in a line, or its rows, one a line;");
  terminal_type(&t, "1...\n");
  terminal_await(&t, "\nrow 2:");
  terminal_type(&t, "34..\n2.4.\n...1\n");
  terminal_await(&t, "solutions: 1");
  terminal_type(&t, "\x04");
  want(terminal_end(&t), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(steps_take_each_others_place),
      cmocka_unit_test(nothing_is_left_of_what_was_longer),
      cmocka_unit_test(a_step_is_seen_before_the_next),
      cmocka_unit_test(marks_have_a_form_beside_their_colour),
      cmocka_unit_test(what_is_narrow_gets_narrow_cells),
      cmocka_unit_test(what_is_too_large_is_not_drawn_over),
      cmocka_unit_test(another_size_begins_anew),
      cmocka_unit_test(who_was_paused_begins_anew),
      cmocka_unit_test(puzzles_are_asked_for),
      cmocka_unit_test(ctrl_c_ends_the_asking),
      cmocka_unit_test(every_kind_says_what_may_be_typed),
      cmocka_unit_test(nobody_else_is_asked),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
