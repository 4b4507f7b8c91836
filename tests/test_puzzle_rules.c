/* Rule checkers: by kind, by name, through any vocabulary, in grids smaller than their canvas. */
#include "scratch.h"

#include "puzzle/puzzle.h"
#include "trm/maze.h"
#include "trm/puzzle.h"
#include "trm/sudoku.h"

enum { CELLS = 256 };

static trm_puzzle grid_of(int rows, int cols, const char *rules, const char *symbols) {
  trm_puzzle p = {.kind = TRM_PUZZLE_GRID, .rows = rows, .cols = cols};
  snprintf(p.rules, sizeof p.rules, "%s", rules);
  for (; *symbols; symbols++) {
    char symbol[2] = {*symbols, 0};
    assert_true(trm__puzzle_add_symbol(&p, symbol));
  }
  return p;
}

/* Text with a character per cell into tokens; '~' end mark, '_' padding. */
static void tokens_of(const trm_puzzle *p, const char *text, int32_t *tokens) {
  assert_int_equal(strlen(text), p->rows * p->cols);
  for (int i = 0; text[i]; i++) {
    tokens[i] = trm__puzzle_token(p, text + i, 1);
    if (text[i] == '_') tokens[i] = 0;
    if (text[i] == '~') tokens[i] = TRM_PUZZLE_END;
    assert_true(tokens[i] >= 0);
  }
}

static bool solves(const trm_puzzle *p, const char *question, const char *answer) {
  int32_t q[CELLS], a[CELLS];
  tokens_of(p, question, q);
  tokens_of(p, answer, a);
  return trm_puzzle_solves(p, q, a);
}

static void names_are_known(void **state) {
  (void)state;
  static const char *const expected[] = {"sudoku", "maze", "latin", "nonogram"};
  int found = 0;

  /* Every name has rules, which an answer without sense breaks. */
  for (int n = 0; trm_puzzle_rules_name(n); n++) {
    for (int i = 0; i < 4; i++) found += !strcmp(trm_puzzle_rules_name(n), expected[i]);
    trm_puzzle p = grid_of(2, 2, trm_puzzle_rules_name(n), "ab");
    assert_true(trm_puzzle_has_rules(&p));
    assert_false(solves(&p, "aabb", "aabb"));
  }
  assert_int_equal(found, 4);

  /* Other names and no name have none. */
  assert_null(trm_puzzle_rules_name(-1));
  trm_puzzle unknown = grid_of(2, 2, "chess", "ab"), none = grid_of(2, 2, "", "ab");
  assert_false(trm_puzzle_has_rules(&unknown));
  assert_false(trm_puzzle_has_rules(&none));
  assert_false(solves(&unknown, "aabb", "aabb"));

  /* Nor have kinds whose answers no rule can tell. */
  static const trm_puzzle_kind without[] = {TRM_PUZZLE_NONE, TRM_PUZZLE_ARC, TRM_PUZZLE_KINDS};
  for (int i = 0; i < 3; i++) {
    trm_puzzle p = {.kind = without[i], .rows = 30, .cols = 30};
    assert_false(trm_puzzle_has_rules(&p));
  }
}

#define Q4 "1...3......3...."
#define A4 "1234341221434321"

static void sudokus_are_checked(void **state) {
  /* The kind, and grids with its rules, whatever their symbols are called. */
  (void)state;
  trm_puzzle kinds[] = {trm_sudoku_of_size(4), grid_of(4, 4, "sudoku", ".1234"),
                        grid_of(4, 4, "sudoku", "42.31")};

  /* A solution answers its question; givens that differ, holes and repeats do not. */
  for (int k = 0; k < 3; k++) {
    assert_true(trm_puzzle_has_rules(&kinds[k]));
    assert_true(solves(&kinds[k], Q4, A4));
    assert_true(solves(&kinds[k], "................", A4));
    assert_false(solves(&kinds[k], "2...............", A4));
    assert_false(solves(&kinds[k], Q4, "123434122143432."));
    assert_false(solves(&kinds[k], Q4, "1234341243212143"));
    assert_false(solves(&kinds[k], Q4, "1234234134124123")); /* boxes */
  }

  /* A grid that is no square has no such rules. */
  trm_puzzle flat = grid_of(2, 8, "sudoku", ".1234");
  assert_false(solves(&flat, Q4, A4));

  /* Tokens that are no symbols solve nothing. */
  int32_t q[16], a[16];
  tokens_of(&kinds[0], Q4, q);
  tokens_of(&kinds[0], A4, a);
  static const int32_t foreign[] = {-100, 0, 6, 255, 1 << 30};
  for (int i = 0; i < 5; i++) {
    int32_t was = a[5];
    a[5] = foreign[i];
    assert_false(trm_puzzle_solves(&kinds[0], q, a));
    a[5] = was;
  }

  /* Nor does a puzzle that is larger than any board. */
  trm_puzzle hostile = {
      .kind = TRM_PUZZLE_SUDOKU, .rows = 900, .cols = 900, .box_rows = 30, .box_cols = 30};
  assert_false(trm_puzzle_solves(&hostile, q, a));
}

static void mazes_are_checked(void **state) {
  (void)state;
  trm_puzzle kinds[] = {{.kind = TRM_PUZZLE_MAZE, .rows = 3, .cols = 3},
                        grid_of(3, 3, "maze", "oGS #")};
  for (int k = 0; k < 2; k++) {
    assert_true(solves(&kinds[k], "S       G", "Soo  o  G"));
    assert_true(solves(&kinds[k], "S       G", "S  o  ooG"));
    assert_false(solves(&kinds[k], "S       G", "S  o  o G"));
    assert_false(solves(&kinds[k], "S #     G", "Soo  o  G"));
  }
}

static void latin_squares_are_checked(void **state) {
  (void)state;
  trm_puzzle p = grid_of(3, 3, "latin", "abc.d");
  assert_true(solves(&p, "a...b....", "acbcbabac"));
  assert_true(solves(&p, ".........", "adcdcacad"));
  assert_false(solves(&p, "b........", "acbcbabac"));
  assert_false(solves(&p, ".........", "abcbcabca")); /* columns */
  assert_false(solves(&p, ".........", "aabcbabac"));
  assert_false(solves(&p, ".........", "abccabdca"));
  assert_false(solves(&p, ".........", ".bcb.cc.b"));
  trm_puzzle flat = grid_of(1, 3, "latin", "abc.");
  assert_false(solves(&flat, "...", "abc"));
}

/* Columns 1 1, 1, 2; rows 2, 1, 1 1: two lines of column hints, two columns of row hints. */
#define NONOGRAM \
  "..1.."        \
  "..112"        \
  ".2???"        \
  "01???"        \
  "11???"

static void nonograms_are_checked(void **state) {
  (void)state;
  trm_puzzle p = grid_of(5, 5, "nonogram", ".#?0123");
  assert_true(solves(&p, NONOGRAM, "..1....112.2##.01..#11#.#"));
  assert_true(solves(&p, NONOGRAM, "............##.....#..#.#"));  /* hints are not looked at */
  assert_false(solves(&p, NONOGRAM, "..1....112.2.##01..#11#.#")); /* columns */
  assert_false(solves(&p, NONOGRAM, "..1....112.2##.01..#11##.")); /* runs run together */
  assert_false(solves(&p, NONOGRAM, "..1....112.2##.01..#11#.?")); /* not filled in */
  assert_false(solves(&p, NONOGRAM, "..1....112.2##.01.##11#.#")); /* one too many */
  assert_false(solves(&p, "..1....112.2??.01???11???", "..1....112.2##.01..#11#.#"));
  assert_false(solves(&p, "..1....112.2...01...11...", "..1....112.2##.01..#11#.#"));
  trm_puzzle bare = grid_of(2, 2, "nonogram", ".#?");
  assert_true(solves(&bare, "????", "....")); /* no hints: no runs */
  assert_false(solves(&bare, "????", "#..."));
}

static void published_nonograms_are_right(void **state) {
  /* Nonograms of others, where they are beside the checkout. */
  (void)state;
  char path[512], line[256];
  snprintf(path, sizeof path, "%s/data/small-grids/nonogram7/nonograms_7.csv", TRM_SHARED_DIR);
  FILE *f = fopen(path, "r");
  if (!f) {
    print_message("no %s\n", path);
    skip();
  }
  trm_puzzle p = grid_of(11, 11, "nonogram", ".#?01234567");
  int read = 0;

  /* A line has the runs of the columns and rows, then the cells. */
  for (; read < 2000 && fgets(line, sizeof line, f); read++) {
    char q[122], a[122];
    memset(q, '.', 121);
    q[121] = 0;
    int hint = 0, length[14] = {0};
    char runs[14][4];
    const char *c = line;
    for (; *c != ','; c++) {
      if (*c == '/') hint++;
      if (*c >= '0' && *c <= '7') runs[hint][length[hint]++] = *c;
    }

    /* Runs stand at the end of their four cells, above the columns and left of the rows. */
    for (int i = 0; i < 14; i++)
      for (int k = 0; k < length[i]; k++) {
        int at = 4 - length[i] + k;
        q[i < 7 ? at * 11 + 4 + i : (i - 7 + 4) * 11 + at] = runs[i][k];
      }

    /* The question has its cells open, the answer closed or empty. */
    memcpy(a, q, sizeof q);
    c++;
    for (int i = 0; i < 49; i++) {
      q[(4 + i / 7) * 11 + 4 + i % 7] = '?';
      a[(4 + i / 7) * 11 + 4 + i % 7] = c[i] == '1' ? '#' : '.';
    }

    /* The solution is right, and wrong with any cell changed. */
    assert_true(solves(&p, q, a));
    int flip = (4 + read % 7) * 11 + 4 + read / 7 % 7;
    a[flip] = a[flip] == '#' ? '.' : '#';
    assert_false(solves(&p, q, a));
  }

  fclose(f);
  assert_int_equal(read, 2000);
}

static void small_grids_are_found(void **state) {
  (void)state;
  trm_puzzle p = grid_of(4, 5, "latin", ".ab");
  p.sized = true;
  assert_true(solves(&p,
                     "a.~__..~__~~___"
                     "_____",
                     "ab~__ba~__~~___"
                     "_____"));
  assert_true(solves(&p, "______a.~__..~__~~__", "_____bab~bbba~bb~~bb"));
  assert_false(solves(&p, "a.~__..~__~~________", "ab~__ab~__~~________"));
  assert_false(solves(&p, "____________________", "____________________"));
  assert_false(solves(&p, "___________________a", "____________________"));
  assert_true(solves(&p, "___________________.", "___________________a"));
  /* A hole in the first row does not make the grid smaller than it is shown to be. */
  assert_false(solves(&p, "._.~~_..~~__________", "aab~~bba~~__________"));
}

/* A question that no answer can be right to is told before anybody answers it. */
static void impossible_questions_are_refused(void **state) {
  (void)state;
  const trm_puzzle sudoku = trm_sudoku_of_size(4), maze = trm_maze_of_size(2, 3);
  const trm_puzzle latin = grid_of(3, 3, "latin", ".abc"), flat = grid_of(2, 3, "latin", ".abc");
  const trm_puzzle nonogram = grid_of(2, 2, "nonogram", ".#?1"), free = grid_of(1, 2, "", "ab");

  /* What is said of each, or NULL where there is nothing to say. */
  const struct {
    const trm_puzzle *p;
    const char *question, *said; /* NULL: it is fine */
  } cases[] = {{&sudoku, Q4, NULL},
               {&sudoku, "1..1............", "row 1, column"},
               {&maze, "S  ##G", NULL},
               {&maze, "   ##G", "one start S and one goal G, here are 0 and 1"},
               {&maze, "S  ## ", "here is 1 and 0"},
               {&maze, "S S##G", "here are 2 and 1"},
               {&maze, "S# ##G", "no way leads from S to G"},
               {&maze, "S o##G", "row 1, column 3: a path, 'o', is for the answer"},
               {&latin, "a...b...c", NULL},
               {&latin, "a.....a..", "row 3, column 1: the symbol stands twice"},
               {&latin, "...b.b...", "row 2, column 3: the symbol stands twice"},
               {&flat, "......", "no square"},
               {&nonogram, ".11?", NULL},
               {&nonogram, ".111", "no rectangle in the lower right corner"},
               {&free, "ab", NULL}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int32_t q[CELLS];
    trm_error err = {0};
    tokens_of(cases[i].p, cases[i].question, q);
    const trm_status st = trm_puzzle_check(cases[i].p, q, &err);
    assert_int_equal(st, cases[i].said ? TRM_E_PUZZLE : TRM_OK);
    if (cases[i].said && !strstr(err.msg, cases[i].said))
      fail_msg("'%s': no '%s' in '%s'", cases[i].question, cases[i].said, err.msg);
  }
}

/* The unit of a cell, counted by looking for it among the cells of each. */
static int unit_of(trm__unit_set u, int cell) {
  for (int k = 0; k < u.n; k++)
    for (int i = 0; i < u.high * u.wide; i++)
      if (trm__unit_cell(u, k, i) == cell) return k;
  return -1;
}

/* Rows and columns of every puzzle, boxes where its kind or its rules have them. */
static void cells_are_in_units(void **state) {
  (void)state;
  trm_puzzle small = grid_of(4, 4, "sudoku", ".1234");
  small.sized = true;
  const struct {
    trm_puzzle p;
    int n, box_of[3]; /* of cells 0, 7 and the last */
    bool once;
  } cases[] = {{trm_sudoku_of_size(4), 3, {0, 1, 3}, true},
               {trm_sudoku_of_size(6), 3, {0, 0, 5}, true}, /* boxes of 2 x 3 cells */
               {trm_sudoku_of_size(12), 3, {0, 1, 11}, true},
               {grid_of(4, 4, "sudoku", ".1234"), 3, {0, 1, 3}, true},
               {small, 2, {0, 0, 0}, false}, /* whose grids may be smaller */
               {grid_of(2, 5, "latin", ".ab"), 2, {0, 0, 0}, true},
               {grid_of(5, 5, "sudoku", ".12345"), 2, {0, 0, 0}, true},
               {trm_maze_of_size(3, 4), 2, {0, 0, 0}, false},
               {(trm_puzzle){.kind = TRM_PUZZLE_ARC, .rows = 30, .cols = 30}, 2, {0, 0, 0}, false},
               {(trm_puzzle){.kind = TRM_PUZZLE_NONE, .rows = 3, .cols = 3}, 0, {0, 0, 0}, false}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const trm_puzzle *p = &cases[i].p;
    const int cells = p->rows * p->cols, looked_at[] = {0, 7, cells - 1};
    trm__unit_set u[TRM__MOST_UNITS];
    const int n = trm__puzzle_units(p, u);
    assert_int_equal(n, cases[i].n);
    assert_int_equal(trm__puzzle_is_once(p), cases[i].once);
    for (int cell = 0; cell < cells && n > 0; cell++) {
      assert_int_equal(trm__unit_of(u[0], cell), cell / p->cols);
      assert_int_equal(trm__unit_of(u[1], cell), cell % p->cols);
      for (int k = 0; k < n; k++) assert_int_equal(trm__unit_of(u[k], cell), unit_of(u[k], cell));
    }
    for (int k = 0; k < 3 && n == 3; k++)
      assert_int_equal(trm__unit_of(u[2], looked_at[k]), cases[i].box_of[k]);
    int box_rows, box_cols;
    assert_int_equal(trm_puzzle_boxes(p, &box_rows, &box_cols), n == 3);
    assert_int_equal(box_rows * box_cols, n == 3 ? cells / u[2].n : 0);
  }
}

/* Which cells are given, and what stands in the place of the others. */
static void blanks_and_what_fills_them(void **state) {
  (void)state;
  const struct {
    trm_puzzle p;
    int n_blanks, n_fills, blank, fill; /* the last of each */
  } cases[] = {{trm_sudoku_of_size(9), 1, 9, 1, 10},
               {grid_of(4, 4, "sudoku", "42.31"), 1, 4, 3, 5},
               {grid_of(3, 3, "latin", "0a.b"), 2, 2, 3, 4},
               {trm_maze_of_size(3, 4), 1, 2, 2, 5},
               {grid_of(3, 3, "nonogram", ".#?1"), 1, 2, 3, 2},
               {grid_of(3, 3, "latin", "abc"), 0, 3, -1, 3},
               {grid_of(3, 3, "", ".abc"), 0, 0, -1, -1},
               {(trm_puzzle){.kind = TRM_PUZZLE_ARC, .rows = 30, .cols = 30}, 0, 0, -1, -1},
               {(trm_puzzle){.kind = TRM_PUZZLE_NONE}, 0, 0, -1, -1}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int32_t blanks[TRM_PUZZLE_MAX_BLANKS], fills[TRM_PUZZLE_MAX_SYMBOLS];
    const int n = trm_puzzle_blanks(&cases[i].p, blanks);
    const int m = trm__puzzle_fills(&cases[i].p, fills);
    assert_int_equal(n, cases[i].n_blanks);
    assert_int_equal(m, cases[i].n_fills);
    if (n) assert_int_equal(blanks[n - 1], cases[i].blank);
    if (m) assert_int_equal(fills[m - 1], cases[i].fill);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_are_known),       cmocka_unit_test(sudokus_are_checked),
      cmocka_unit_test(mazes_are_checked),     cmocka_unit_test(latin_squares_are_checked),
      cmocka_unit_test(nonograms_are_checked), cmocka_unit_test(published_nonograms_are_right),
      cmocka_unit_test(small_grids_are_found), cmocka_unit_test(impossible_questions_are_refused),
      cmocka_unit_test(cells_are_in_units),    cmocka_unit_test(blanks_and_what_fills_them),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
