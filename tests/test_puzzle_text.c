/* Puzzles as text: every kind there and back, where a grid lies, and what is refused at which
 * column. */
#include "scratch.h"

#include "puzzle/puzzle.h"
#include "trm.h"

enum { MOST = 900 };

static trm_puzzle maze_of(int rows, int cols) {
  return (trm_puzzle){.kind = TRM_PUZZLE_MAZE, .rows = rows, .cols = cols};
}

static trm_puzzle grid_of(int rows, int cols, bool sized, const char *const *symbols) {
  trm_puzzle p = {.kind = TRM_PUZZLE_GRID, .rows = rows, .cols = cols, .sized = sized};
  for (; *symbols; symbols++) assert_true(trm__puzzle_add_symbol(&p, *symbols));
  return p;
}

#define GRID(rows, cols, sized, ...) \
  grid_of(rows, cols, sized, (const char *const[]){__VA_ARGS__, NULL})

/* Reads `text` and writes it as `again`. */
static void reads_as(const trm_puzzle *p, const char *text, const char *again) {
  int32_t tokens[MOST];
  char out[4 * MOST];
  trm_error err;
  if (trm_puzzle_parse(p, text, strlen(text), tokens, &err) != TRM_OK)
    fail_msg("%s: %s", text, err.msg);
  size_t n = trm_puzzle_format(p, tokens, out, sizeof out);
  assert_string_equal(out, again);
  assert_int_equal(n, strlen(again));
  assert_true(n < trm_puzzle_text_size(p));
}

static void refuses(const trm_puzzle *p, const char *text, int column, const char *word) {
  int32_t tokens[MOST];
  trm_error err;
  assert_int_equal(trm_puzzle_parse(p, text, strlen(text), tokens, &err), TRM_E_FORMAT);
  if (err.pos != column) fail_msg("column %d, want %d: %s", (int)err.pos, column, err.msg);
  assert_true(speaks_of(&err, word));
}

static void every_kind_reads_what_it_writes(void **state) {
  /* Sudokus, mazes and ARC: one character a cell, with the blanks that people write. */
  (void)state;
  trm_puzzle sudoku = trm_sudoku_of_size(4), maze = maze_of(3, 4);
  trm_puzzle arc = {.kind = TRM_PUZZLE_ARC, .rows = 30, .cols = 30};
  reads_as(&sudoku, "1.0.4..........3", "1...4..........3");
  reads_as(&maze, "#S.#/#o.#/#G##", "#S.#/#o.#/#G##");
  reads_as(&maze, "#S  #o.#  G#", "#S../#o.#/..G#");
  reads_as(&maze, "#S#./# #./# G#", "#S#./#.#./#.G#");
  reads_as(&arc, "012/345", "012/345");
  reads_as(&arc, "9", "9");
  reads_as(&arc, "123456789012345678901234567890", "123456789012345678901234567890");

  /* Words are separated by spaces, rows by slashes, and either may be part of a name when it is
   * escaped. */
  trm_puzzle words = GRID(2, 2, false, "1", "12", "a b", "/");
  reads_as(&words, "1 12 / a\\x20b \\x2f", "1 12 / a\\x20b \\x2f");
  reads_as(&words, "  12   1 / 1 1 ", "12 1 / 1 1");
  reads_as(&words, "12 1 1 12", "12 1 / 1 12");

  /* Signs of one character, those that would end a cell among them. */
  trm_puzzle odd = GRID(1, 6, true, " ", ".", "\\", "\xc3\xa9", "\x1b", "?");
  reads_as(&odd, " .\\x5c\xc3\xa9\\x1B?", "\\x20.\\x5c\xc3\xa9\\x1b?");

  /* Control characters and bytes that are no text are escaped, and read both ways. */
  trm_puzzle controls = GRID(1, 3, false, "a", "\xc2\x9b", "\xff");
  reads_as(&controls, "a \\xc2\\x9b \\xff", "a \\xc2\\x9b \\xff");
  reads_as(&controls, "\xc2\x9b \xff a", "\\xc2\\x9b \\xff a");

  /* Names of the greatest length, and their longest escapes. */
  trm_puzzle long_names = GRID(1, 2, false, "               ", "123456789012345");
  reads_as(&long_names, "123456789012345 123456789012345", "123456789012345 123456789012345");
  char all[3 * 15 + 16 + 32] = "";
  for (int i = 0; i < 15; i++) strcat(all, "\\x20");
  strcat(all, " 123456789012345");
  reads_as(&long_names, all, all);
}

static void what_is_wrong_is_named_with_its_column(void **state) {
  (void)state;
  trm_puzzle sudoku = trm_sudoku_of_size(4), maze = maze_of(2, 3);
  trm_puzzle arc = {.kind = TRM_PUZZLE_ARC, .rows = 30, .cols = 30};
  trm_puzzle words = GRID(2, 2, false, "1", "12"), none = {.kind = TRM_PUZZLE_NONE};
  refuses(&sudoku, "12y", 3, "'y'");
  refuses(&maze, "#S#/#x#", 6, "'x' is no symbol");
  refuses(&maze, "#S#/##", 7, "row 2 has 2 cells, want 3");
  refuses(&maze, "#S##/###", 4, "want 2 rows of 3");
  refuses(&maze, "#S#/###/###", 9, "row 3");
  refuses(&maze, "#S#", 4, "here is 1 row");
  refuses(&maze, "", 1, "row 1 has 0 cells");
  refuses(&maze, "//", 1, "row 1 has 0 cells");
  refuses(&arc, "12/3", 5, "row 2 has 1 cell, want 2");
  refuses(&arc, "1234567890123456789012345678901", 31, "column 31");
  refuses(&arc, "1\x1b", 2, "'\\x1b' is no symbol");
  refuses(&words, "1 12 / 1 13", 10, "'13' is no symbol of this puzzle (want one of: 1 12)");
  refuses(&words, "1 1234567890123456789 / 1 1", 3, "is no symbol");
  int32_t tokens[4];
  assert_int_equal(trm_puzzle_parse(&none, "1", 1, tokens, NULL), TRM_E_ARGUMENT);
}

/* A grid may be JSON, over as many lines as its writer likes. */
static void lists_of_lists_are_grids(void **state) {
  (void)state;
  const trm_puzzle maze = maze_of(2, 3);
  const trm_puzzle arc = {.kind = TRM_PUZZLE_ARC, .rows = 30, .cols = 30};
  const trm_puzzle words = GRID(1, 2, false, "1", "12", "a b", "/");
  const trm_puzzle bracket = GRID(1, 3, false, "[", "1", "]");
  reads_as(&maze, "[[\"#\", \"S\", \" \"], [\"#\", \".\", \"G\"]]", "#S./#.G");
  reads_as(&arc, "[\n [\n  0,\n  1\n ],\n [2.0, \"9\"]\n]", "01/29");
  reads_as(&words, "[[\"a b\", 12]]", "a\\x20b 12");
  reads_as(&words, "[[\"/\", 1]]", "\\x2f 1");
  reads_as(&bracket, "[1]", "[1]");
  refuses(&maze, "[[\"#\"], [\"S\"]]", 1, "a grid of 2 x 1 cells; want 2 x 3");
  refuses(&maze, "[[\"#\", \"S\", \"x\"], [\"#\", \"o\", \"G\"]]", 1,
          "row 1, column 3 of the grid: 'x'");
  refuses(&maze, "[[\"#\", null, \"S\"], [\"#\", \"o\", \"G\"]]", 1,
          "row 1, column 2 of the grid: ''");
  refuses(&maze, "[[\"#\", \"S\", \"G\"]]", 1, "a grid of 1 x 3 cells; want 2 x 3");
  refuses(&arc, "[[0, 1], [2]]", 1, "an array of rows of one length");
  refuses(&arc, "[[0, 1] [2, 3]]", 9, "JSON: ");
}

/* Who keeps more than the grid has it in an object, by the name of a column. */
static void objects_have_grids_by_name(void **state) {
  (void)state;
  const trm_puzzle maze = maze_of(2, 3);
  const trm_puzzle words = GRID(2, 2, true, "1", "12");
  const trm_puzzle brace = GRID(1, 3, false, "{", "1", "}");
  reads_as(&maze, "{\"id\": 3, \"puzzle\": [[\"#\", \"S\", \" \"], [\"#\", \".\", \"G\"]]}",
           "#S./#.G");
  reads_as(&maze, "{\"Question\": \"#S./#.G\"}", "#S./#.G");
  reads_as(&words, "{\"input\": \"1 12\"}", "1 12");
  reads_as(&words, "{\"quiz\": [[12], [1]]}", "12 / 1");
  reads_as(&brace, "{1}", "{1}");
  refuses(&maze, "{\"maze\": \"#S./#.G\"}", 1, "the object has no puzzle");
  refuses(&maze, "{\"puzzle\": [[1]]}", 1, "a grid of 1 x 1 cells; want 2 x 3");
  refuses(&maze, "{\"puzzle\": 7}", 1, "want a grid");
}

/* Anywhere on the canvas, and cut short where there is no room. */
static void grids_are_found_on_their_canvas(void **state) {
  (void)state;
  trm_puzzle p = GRID(4, 5, true, "a", "b");
  int32_t tokens[20] = {0};
  char text[40];
  assert_int_equal(trm_puzzle_locate(&p, tokens).rows, 0);
  assert_int_equal(trm_puzzle_format(&p, tokens, text, sizeof text), 0);
  assert_string_equal(text, "");
  static const int32_t placed[20] = {0, 0, 0, 0, 0, 0, 2, 3, 1, 0, 0, 3, 0, 1, 0, 0, 1, 1, 0, 0};
  trm_puzzle_box box = trm_puzzle_locate(&p, placed);
  assert_true(box.row == 1 && box.col == 1 && box.rows == 2 && box.cols == 2);
  trm_puzzle_format(&p, placed, text, sizeof text);
  assert_string_equal(text, "ab/b?");
  assert_int_equal(trm_puzzle_format(&p, placed, text, 3), 5);
  assert_string_equal(text, "ab");
  assert_int_equal(trm_puzzle_format(&p, placed, NULL, 0), 5);
  /* Of an answer only what begins at the corner counts: two cells below each other, or beside. */
  box = trm_puzzle_crop(&p, placed, 1, 1);
  assert_true(box.rows == 1 && box.cols == 2);
  assert_int_equal(trm_puzzle_crop(&p, placed, 0, 0).rows, 0);
  static const int32_t ends[] = {2, 3, 1, 0, 0, 3, 2, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0};
  assert_int_equal(trm_puzzle_parse(&p, "ab/ba", 5, tokens, NULL), TRM_OK);
  assert_memory_equal(tokens, ends, sizeof ends);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_kind_reads_what_it_writes),
      cmocka_unit_test(what_is_wrong_is_named_with_its_column),
      cmocka_unit_test(lists_of_lists_are_grids),
      cmocka_unit_test(objects_have_grids_by_name),
      cmocka_unit_test(grids_are_found_on_their_canvas),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
