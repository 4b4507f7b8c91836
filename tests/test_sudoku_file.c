/* Sudokus in files of every form: what is read, what is refused, and that pieces of a text say the
 * same as the whole. */
#include "data/sudoku/sudoku_reader.h"
#include "scratch.h"

#define P "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79"
#define P0 "530070000600195000098000060800060003400803001700020006060000280000419005000080079"
#define S "534678912672195348198342567859761423426853791713924856961537284287419635345286179"
#define WRONG "534678912672195348198342567859761423426853791713924856961537284287419635345286197"
/* Another puzzle. */
#define P2 "..............3.85..1.2.......5.7.....4...1...9.......5......73..2.1........4...9"
#define FOUR "1...3......3...."
#define FOUR_S "1234341221434321"

#define ROWS(gap)                                                                 \
  "53..7....\n6..195...\n.98....6.\n" gap "8...6...3\n4..8.3..1\n7...2...6\n" gap \
  ".6....28.\n"                                                                   \
  "...419..5\n....8..79\n"

/* Reads a text, fed `step` bytes at a time, into lines of "PUZZLE", "PUZZLE=SOLUTION" and "!ERROR";
 * returns how many. */
static int read_text(const trm_sudoku_reader_config *config, const char *text, size_t step,
                     char out[][700], int room) {
  /* The reader, and how much of the text it has had. */
  trm_sudoku_reader *r;
  const size_t n = strlen(text);
  size_t at = 0;
  char puzzle[TRM_SUDOKU_MAX_CELLS + 1], solution[TRM_SUDOKU_MAX_CELLS + 1];
  assert_int_equal(trm_sudoku_reader_create(config, &r, NULL), TRM_OK);
  for (int i = 0;;) {
    trm_sudoku_entry e;
    trm_sudoku_state state;
    trm_error err;
    assert_in_range(i, 0, room - 1);

    /* What it found is written as one line; otherwise it gets the next piece, then the end. */
    const trm_status st = trm_sudoku_reader_next(r, &e, &state, &err);
    if (st != TRM_OK) {
      snprintf(out[i++], 700, "!%s", err.msg);
    } else if (state == TRM_SUDOKU_FOUND) {
      trm_sudoku_format(&e.puzzle, e.givens, puzzle);
      trm_sudoku_format(&e.puzzle, e.solution, solution);
      snprintf(out[i++], 700, "%s%s%s", puzzle, e.has_solution ? "=" : "",
               e.has_solution ? solution : "");
    } else if (state == TRM_SUDOKU_END) {
      trm_sudoku_reader_free(r);
      return i;
    } else if (at == n) {
      trm_sudoku_reader_feed(r, NULL, 0);
      trm_sudoku_reader_end(r);
    } else {
      const size_t piece = n - at < step ? n - at : step;
      trm_sudoku_reader_feed(r, text + at, piece);
      at += piece;
    }
  }
}

/* A text, and what is in it; "!" begins a part of a message. */
typedef struct sample {
  const char *text, *want[4];
} sample;

static void check(const trm_sudoku_reader_config *config, const sample *s) {
  static const size_t steps[] = {1 << 20, 1, 7};
  static char out[3][12][700];
  int n[3];
  for (int k = 0; k < 3; k++) n[k] = read_text(config, s->text, steps[k], out[k], 12);
  for (int i = 0; i < 4 && (i < n[0] || s->want[i]); i++) {
    const char *want = s->want[i] ? s->want[i] : "";
    const bool same = i < n[0] && (*want == '!' ? *out[0][i] == '!' && strstr(out[0][i], want + 1)
                                                : !strcmp(out[0][i], want));
    if (!same)
      fail_msg("'%.300s'\n  number %d: %s\n  want: %s", s->text, i + 1,
               i < n[0] ? out[0][i] : "nothing", want);
  }
  for (int k = 1; k < 3; k++) {
    assert_int_equal(n[k], n[0]);
    for (int i = 0; i < n[0]; i++) assert_string_equal(out[k][i], out[0][i]);
  }
}

static void check_all(const sample *samples, size_t n, const trm_sudoku_reader_config *config) {
  for (size_t i = 0; i < n; i++) check(config, &samples[i]);
}
#define CHECK_ALL(samples, ...)                             \
  check_all((samples), sizeof(samples) / sizeof *(samples), \
            &(const trm_sudoku_reader_config){.name = "f", __VA_ARGS__})

/* --- a puzzle a line --- */

static void lines_are_read_with_what_stands_beside(void **state) {
  (void)state;
  static const sample samples[] = {
      {P "\n" P2 "\n", {P, P2}},
      {P0, {P}},
      {"\xef\xbb\xbf" P "\r\n" P2 "\r\n", {P, P2}},
      {P "\r" P2 "\r", {P, P2}},
      {"53__7____6__195____98____6_8___6___34__8_3__17___2___6_6____28____419__5____8__79", {P}},
      {"53**7****6**195****98****6*8***6***34**8*3**17***2***6*6****28****419**5****8**79", {P}},
      {"53--7----6--195----98----6-8---6---34--8-3--17---2---6-6----28----419--5----8--79", {P}},
      {"53xx7xxxx6xx195xxxx98xxxx6x8xxx6xxx34xx8x3xx17xxx2xxx6x6xxxx28xxxx419xx5xxxx8xx79", {P}},
      {"53XX7XXXX6XX195XXXX98XXXX6X8XXX6XXX34XX8X3XX17XXX2XXX6X6XXXX28XXXX419XX5XXXX8XX79", {P}},
      {"53??7????6??195????98????6?8???6???34??8?3??17???2???6?6????28????419??5????8??79", {P}},
      /* Up to 9 nothing but blanks is written as 0 or as anything else. */
      {"53..7000060019500009800006080006000340080300170002000606....28....419..5....8..79", {P}},
      {P " 1.5", {P}},
      {P "\t1.33333333333333", {P}},
      {"0123456789ab " P0 "  1.2", {P}},
      {"d41d8cd98f00b204e9800998ecf8427e;" P, {P}},
      {P " " S, {P "=" S}},
      {P ":1:" S, {P "=" S}},
      {P "," S, {P "=" S}},
      {S ";" P, {P "=" S}},
      {"12\t" P "\t" S "\t30\t0.0", {P "=" S}},
      {"\"" P "\",\"" S "\"", {P "=" S}},
      {P " # hard, 2\n# " P2 "\n" P2 "# easy", {P, P2}},
      {"My puzzles\n" P "\nGrid 02\n" P2 "\n", {P, P2}},
      {"5 3 0 0 7 0 0 0 0 6 0 0 1 9 5 0 0 0 0 9 8 0 0 0 0 6 0 8 0 0 0 6 0 0 0 3 4 0 0 8 0 3 0 0 1 "
       "7 0 0 0 2 0 0 0 6 0 6 0 0 0 0 2 8 0 0 0 0 4 1 9 0 0 5 0 0 0 0 8 0 0 7 9",
       {P}},
      {"530070000 600195000 098000060 800060003 400803001 700020006 060000280 000419005 000080079",
       {P}},
      {"[[1,0,0,0],[3,0,0,0],[0,0,0,3],[0,0,0,0]]", {FOUR}},
      {FOUR "\n" P, {FOUR, P}},
      {"", {NULL}},
      {"\n# nothing\n\n", {NULL}}};
  CHECK_ALL(samples, .uniform = false);
}

static void what_may_be_a_damaged_puzzle_is_never_passed_over(void **state) {
  (void)state;
  static const sample samples[] = {
      {"53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..7\n" P2,
       {"!f:1:1: 80 characters are no Sudoku", P2}},
      {"53OO7OOOO6OO195OOOO98OOOO6O8OOO6OOO34OO8O3OO17OOO2OOO6O6OOOO28OOOO419OO5OOOO8OO79",
       {"!f:1:3: 'O' is no cell of a 9x9 Sudoku"}},
      /* The solution is not the puzzle where that is one cell short. */
      {"53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..7," S,
       {"!f:1:1: 80 cells beside a puzzle of 81"}},
      {P " " P2, {"!f:1:83: two puzzles in a line"}},
      {P " " S " " S, {"!f:1:1: more than a puzzle and its solution"}},
      {P "," WRONG, {"!f:1:162: the answer has '9' where the question gives '7'"}},
      {"53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..7.,"
       "534678912672195348198342567859761423426853791713924856961537284287419635345286178",
       {"!f:1:163: the answer breaks the rules"}},
      {P ",134678912672195348198342567859761423426853791713924856961537284287419635345286179",
       {"!f:1:83: the answer has '1' where the question gives '5'"}},
      {"1", {"!f:1:1: 1 character is no"}},
      {"\xff\xfe"
       "5\n" P,
       {"!f:1:1: text in UTF-16"}},
      {"title 53..7....6..195....98....6.8...6..\n" P, {"!f:1:7: 34 characters", P}},
      {"\x1f\x8b\x08\x08 names\n" P "\n", {"!f:1:1: packed by gzip"}},
      {P "\neasy 530070000 600195000 098000060 800060003\n" P2, {P, "!f:2:6: ", P2}},
      {"Sudoku 12 of 2026-11-28\n" P, {P}}};
  CHECK_ALL(samples, .uniform = false);
}

static void the_size_that_is_wanted_decides(void **state) {
  (void)state;
  static const sample nine[] = {
      {FOUR,
       {"!f:1:1: a 4x4 Sudoku of 16 cells, or a row of a 16x16 Sudoku, but the model is for 9x9"}},
      {"1...\n3...\n...3\n....\n", {"!f:1:1: a row of 4 cells, as of a 4x4 Sudoku"}}};
  CHECK_ALL(nine, .puzzle = trm_sudoku_of_size(9), .owner = "the model");
  static const sample six[] = {
      {P, {"!f:1:1: a 9x9 Sudoku of 81 cells, but the model is for 6x6"}},
      {"12\n", {"!f:1:3: a 6x6 Sudoku has 36 characters, here are 2"}},
      {".3.5...4.......4..62...3.....21....z", {"!f:1:36: 'z' is no cell of a 6x6 Sudoku"}},
      {ROWS(""), {"!f:1:1: a row of 9 cells, as of a 9x9 Sudoku, but the model is for 6x6"}},
      {"2x3:d6_5c1a3b6a3b2a6b3a2c1_6d", {"....65...1.3..6.3..2.6..3.2...16...."}},
      {"3x2:c5_1f5_2a6f6a2_4f1_4c", {"!boxes of 3 rows and 2 columns, but the model has"}}};
  CHECK_ALL(six, .puzzle = trm_sudoku_of_size(6), .owner = "the model");
  /* A row of 16 is no 4x4, and the other way round. */
  static const sample first[] = {
      {FOUR "\n" P, {FOUR, "!f:2:1: a 9x9 Sudoku of 81 cells, but the puzzle before is 4x4"}}};
  CHECK_ALL(first, .uniform = true);
}

/* --- grids of rows --- */

static void grids_are_read_row_by_row(void **state) {
  (void)state;
  static const sample samples[] = {
      {ROWS(""), {P}},
      {ROWS("\n") "\n" ROWS("\n"), {P, P}},
      {"Grid 01\n" ROWS("") "Grid 02\n" ROWS(""), {P, P}},
      {"#ARuud\n#Uhttp://example.org/\n" ROWS(""), {P}},
      {P "\n[Hard]\n" P2 "\n[Evil]\n" P, {P, P2, P}},
      {"[Puzzle]\n" ROWS("") "[State]\n" ROWS("") "[PencilMarks]\n1,2\n,3,\n", {P}},
      {"53.|.7.|...\n6..|195|...\n.98|...|.6.\n-----------\n8..|.6.|..3\n4..|8.3|..1\n7..|.2.|..6\n"
       "-----------\n.6.|...|28.\n...|419|..5\n...|.8.|.79\n",
       {P}},
      {" *-----------*\n |53.|.7.|...|\n |6..|195|...|\n |.98|...|.6.|\n |---+---+---|\n"
       " |8..|.6.|..3|\n |4..|8.3|..1|\n |7..|.2.|..6|\n |---+---+---|\n |.6.|...|28.|\n"
       " |...|419|..5|\n |...|.8.|.79|\n *-----------*\n",
       {P}},
      /* A frame as wide as the grid; the same where '-' is the blank. */
      {"---------\n53..7....\n6..195...\n.98....6.\n---------\n8...6...3\n4..8.3..1\n7...2...6\n"
       "---------\n.6....28.\n...419..5\n....8..79\n---------\n",
       {P}},
      {"---------\n-----3-85\n--1-2----\n---5-7---\n--4---1--\n-9-------\n5------73\n--2-1----\n"
       "----4---9\n",
       {P2}},
      {"53--7----\n6--195---\n-98----6-\n---------\n---+---+---\n4--8-3--1\n7---2---6\n"
       "-6----28-\n---419--5\n----8--79\n",
       {"53..7....6..195....98....6..........4..8.3..17...2...6.6....28....419..5....8..79"}},
      {"+-------+-------+-------+\n| 5 3   |   7   |       |\n| 6     | 1 9 5 |       |\n"
       "|   9 8 |       |   6   |\n+-------+-------+-------+\n| 8     |   6   |     3 |\n"
       "| 4     | 8   3 |     1 |\n| 7     |   2   |     6 |\n+-------+-------+-------+\n"
       "|   6   |       | 2 8   |\n|       | 4 1 9 |     5 |\n|       |   8   |   7 9 |\n"
       "+-------+-------+-------+\n",
       {P}},
      {"5 3   |   7   |      \n6     | 1 9 5 |      \n  9 8 |       |   6  \n"
       "------+-------+------\n8     |   6   |     3\n4     | 8   3 |     1\n7     |   2   |     "
       "6\n"
       "------+-------+------\n  6   |       | 2 8\n      | 4 1 9 |     5\n      |   8   |   7 9\n",
       {P}},
      {"5,3,,,7,,,,\n6,,,1,9,5,,,\n,9,8,,,,,6,\n8,,,,6,,,,3\n4,,,8,,3,,,1\n7,,,,2,,,,6\n,6,,,,,2,8,"
       "\n"
       ",,,4,1,9,,,5\n,,,,8,,,7,9\n",
       {P}},
      {"1 0 0 0\n3 0 0 0\n0 0 0 3\n0 0 0 0\n", {FOUR}},
      {ROWS("") P2, {P, P2}}};
  CHECK_ALL(samples, .uniform = false);
}

/* Rows of two grids are never put together. */
static void an_incomplete_grid_is_refused_as_a_whole(void **state) {
  (void)state;
  static const sample samples[] = {
      {"53..7....\n6..195...\n",
       {"!f:1:1: the grid that begins here has 2 rows of 9 cells, want 9"}},
      {"a title\n53..7....\n6..195...\n" P2, {"!f:2:1: the grid", P2}},
      {"53..7....\n6..195...\n.98....6.\n8...6...3\n4..8.3..1\n7...2...6\n\n" ROWS(""),
       {"!f:1:1: the grid that begins here has 6 rows", P}},
      {"53..7....\n6..195...\n.98....6.\n8...6...3\n4..8.3.1\n7...2...6\n.6....28.\n...419..5\n"
       "....8..79\n\n" ROWS(""),
       {"!f:1:1: the grid that begins here has 4 rows", P}},
      {"Grid 01\n53..7....\n6..195...\nGrid 02\n" ROWS(""), {"!f:2:1: the grid", P}},
      {"53..7....\n6..195...\n.98....6.\n\n" ROWS(""),
       {"!f:1:1: the grid that begins here has 6"}}};
  CHECK_ALL(samples, .uniform = false);
}

static void sixteen_may_be_numbers_or_letters(void **state) {
  (void)state;
  char numbers[2000] = "", letters[300] = "", from_zero[300] = "";
  for (int row = 0; row < 16; row++) {
    for (int col = 0; col < 16; col++) {
      const int v = row == col ? 0 : (row % 4 * 4 + row / 4 + col) % 16 + 1;
      snprintf(numbers + strlen(numbers), 8, "%d%s", v, col < 15 ? " " : "\n");
      letters[strlen(letters)] = ".123456789ABCDEFG"[v];
      from_zero[strlen(from_zero)] = ".123456789ABCDEF0"[v];
    }
  }
  const sample samples[] = {{numbers, {letters}}, {letters, {letters}}, {from_zero, {letters}}};
  CHECK_ALL(samples, .uniform = false);
}

/* --- candidates --- */

static void fill_candidates(const char *puzzle, const char *answer, int dropped, char out[730]) {
  for (int i = 0; i < 81; i++)
    for (int d = 0; d < 9; d++) {
      const bool given = puzzle[i] != '.', is_it = (given ? puzzle : answer)[i] == '1' + d;
      out[9 * i + d] = (char)((given ? is_it : i != dropped || is_it) ? '1' + d : '.');
    }
  out[729] = 0;
}

static void candidates_are_read(void **state) {
  (void)state;
  static char all[730], hint[730], wrong[730], rows[4000];
  fill_candidates(P, S, -1, all);
  fill_candidates(P, S, -1, wrong);
  wrong[9 * 2 + 3] = '.'; /* row 1, column 3 is a 4 */
  const char *few =
      "53.......6...9....................................................................";
  fill_candidates(few, S, 5, hint);
  hint[9 * 5 + 0] = '1'; /* two candidates: a hint, no given */
  for (int i = 0; i < 81; i++) {
    for (int d = 0; d < 9; d++)
      if (all[9 * i + d] != '.') snprintf(rows + strlen(rows), 2, "%c", all[9 * i + d]);
    strcat(rows, i % 9 == 8 ? "\n" : i % 3 == 2 ? " | " : " ");
    if (i == 26) strcat(rows, "------+------+------\n");
  }
  /* Behind a '*' the digit of a cell is none that was given. */
  static const char open_cells[] =
      " 1 *2 | 3 4\n 3  4 | 1 2\n------+-----\n 2  1 | 4 3\n 4  3 | 2 1\n";
  const sample samples[] = {{all, {P}},
                            {open_cells, {"1.34341221434321"}},
                            {rows, {P}},
                            {wrong, {"!row 1, column 3 leave out its digit, 4"}},
                            {hint, {"!row 1, column 6 say more than the givens"}}};
  CHECK_ALL(samples, .uniform = false);
}

/* --- codes --- */

static void codes_of_other_programs_are_read(void **state) {
  (void)state;

  /* HoDoKu's library, sgt-puzzles' game ids and the addresses of puzz.link, each with what is wrong
   * about it where something is. */
  static const sample samples[] = {
      {":0000:x:" P ":::", {P}},
      {":0000:x:53+4.7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79"
       ":112 216::",
       {P}},
      {":0000:x:53+1.7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79"
       ":::",
       {"!row 1, column 3 leave out its digit, 4"}},
      {":0000:x:" P ":413::", {"!row 1, column 3 leave out its digit, 4"}},
      {":0000:x:" P ":41::", {"!f:1:91: want deleted candidates"}},
      {":0000:x:53..7:::", {"!f:1:9: a HoDoKu library line has 81 cells"}},
      {"3x3:5_3b7d6b1_9_5d9_8d6a8c6c3_4b8a3b1_7c2c6a6d2_8d4_1_9b5d8b7_9", {P}},
      {"3x3dt:5_3b7d6b1_9_5d9_8d6a8c6c3_4b8a3b1_7c2c6a6d2_8d4_1_9b5d8b7_9", {P}},
      {"2x2:1c3e3e", {"1...3.....3....."}},
      {"3x3kdu:zzzc,8_11", {"!f:1:4: a Killer Sudoku"}},
      {"3x3x:d5b2_3b2_4a1", {"!f:1:4: an X Sudoku"}},
      {"9j:c3a1c,_bc__a_", {"!f:1:2: a jigsaw Sudoku"}},
      {"3x3#123456789", {"!f:1:4: the seed of a game"}},
      {"5x5:a1", {"!f:1:1: a game id of Solo of a size"}},
      {"3x3:a1", {"!has fewer cells than its grid"}},
      {"2x2:zz", {"!f:1:5: the game id has more cells"}},
      {"https://puzz.link/p?sudoku/9/9/53h7j6h195j98j6g8i6i34h8g3h17i2i6g6j28j419h5j8h79", {P}},
      {"http://pzv.jp/p.html?sudoku/4/4/1i3k3k", {"1...3.....3....."}},
      {"https://puzz.link/p?nurikabe/5/5/abc", {"!f:1:21: a puzzle of the kind 'nurikabe'"}},
      {"https://puzz.link/p?sudoku/8/8/1", {"!want a Sudoku of 4/4"}},
      {"https://puzz.link/p?sudoku/9/9/1", {"!fewer cells"}}};
  CHECK_ALL(samples, .uniform = false);
}

/* --- tables --- */

static void tables_are_read_by_their_headers(void **state) {
  (void)state;

  /* Columns are found by their names, whatever the separator; faults name line and column. */
  static const sample samples[] = {
      {"quizzes,solutions\n" P0 "," S "\n" P2 ",\n", {P "=" S, P2}},
      {"id,puzzle,solution,clues,difficulty\n1," P "," S ",30,0.0\n", {P "=" S}},
      {" Puzzle ; Solution \r\n" P ";" S "\r\n", {P "=" S}},
      {"QUESTION\tANSWER\n" P "\t" S "\n", {P "=" S}},
      {"Puzzle,Solution,\n" P "," S ",\n", {P "=" S}},
      {"note,question\n\"a, \"\"b\n\"," P "\n", {P}},
      {"puzzle,sudoku\n" P "," P2 "\n", {"!f:1:8: the header has two columns for the question"}},
      {"question,answer\n", {"!f:2:1: there is a header but no puzzle"}},
      {"question,answer\n" P "," WRONG "\n" P "," S "\n",
       {"!f:2:162: the answer has '9' where", P "=" S}},
      {"question,answer\n" P "\n", {"!f:2:82: the row has 1 column, the answer is column 2"}},
      {"question,answer\n" P "," S ",3\n", {"!f:2:165: the row has 3 columns, the header 2"}},
      {"question,answer\n\"" P "," S "\n", {"!f:2:1: the quote opened here is never closed"}},
      {"start,end\n" P "," S "\n", {P "=" S}},
      {"q,a\n" P "," S "\n", {"!f:1:1: neither a Sudoku nor a header", P "=" S}},
      {"0;1\n" P ";" S "\n", {"!say which it is with --columns", P "=" S}},
      {"puzzle,solution\n5," S "\n,x\n",
       {"!f:2:1: 1 character is no", "!f:3:1: the row has text"}}};
  CHECK_ALL(samples, .uniform = false);

  /* Names that are chosen count even where they are in no list of names. */
  static const sample chosen[] = {{"End,Start\n" S "," P "\n", {P "=" S}}};
  CHECK_ALL(chosen, .columns = "start,end");

  /* Numbers do without a header, and with one. */
  static const sample numbered[] = {{S "," P "\n" S "," P0 "\n", {P "=" S, P "=" S}},
                                    {"a,b\n" S "," P "\n", {P "=" S}}};
  CHECK_ALL(numbered, .columns = "2,1");

  /* A name that is not there is said before any row is read. */
  static const sample missing[] = {{"a,b\n" P "," S "\n",
                                    {"!f:1:1: --columns: there is no column "
                                     "'start' in the first line"}}};
  CHECK_ALL(missing, .columns = "start");

  /* Where ratings are needed, a table without them is refused at its header. */
  static const sample unrated[] = {
      {"puzzle,solution\n" P "," S, {"!no column for the rating ('rating', 'difficulty'"}}};
  CHECK_ALL(unrated, .need_rating = true);
}

/* What a spreadsheet adds is no fault: rows that nobody filled in, and guards of texts. */
static void spreadsheets_write_tables(void **state) {
  (void)state;
  static const sample samples[] = {
      {"puzzle,solution,x\n,,\n" P "," S "\n,,\n , ,\n\"\",\"\",\"\"\n" P2 ",,\n,,\n",
       {P "=" S, P2}},
      {P "," S ",1,2\n,,,\n" P2 ",\n,,,,,,,,\n;\n", {P "=" S, P2}},
      {",,,,,,,,\n,,3,2,6,,,,\n", {"!f:1:1: the grid that begins here has 2 rows of 9 cells"}},
      {"Puzzle;Solution\n=\"" P "\";=\"" S "\"\n'" P ";'" S "\n", {P "=" S, P "=" S}},
      {"puzzle,solution\n\"=\"\"" P "\"\"\",\"=\"\"" S "\"\"\"\n", {P "=" S}},
      {"puzzle;solution\n=\"\";=\"\"\n" P ";=\"\"\n", {P}},
      {"puzzle;solution\n\"" P "\"x;" S "\n", {"!f:2:84: want a semicolon or the end"}},
      {"puzzle\tsolution\n\"" P "\"x\t" S "\n", {"!f:2:84: want a tab or the end"}}};
  CHECK_ALL(samples, .uniform = false);
}

/* Blanks, digits and frames have more than one character; what is none is named. */
static void characters_of_others_are_read_or_named(void **state) {
  (void)state;
#define DOT "\xc2\xb7"
#define BAR "\xe2\x94\x82"
#define LINE "\xe2\x94\x80\xe2\x94\x80\xe2\x94\x80\xe2\x94\x80\xe2\x94\x80"
  static const sample samples[] = {
      {"1" DOT DOT DOT "3" DOT DOT DOT DOT DOT DOT "3" DOT DOT DOT DOT "\n", {FOUR}},
      {"question\xc2\xa0;answer\n1" DOT DOT DOT "3......3....;" FOUR_S "\n", {FOUR "=" FOUR_S}},
      {"\xef\xbc\x91...\xef\xbc\x93......3....", {FOUR}},
      {"1" DOT DOT DOT "\n3" DOT DOT DOT "\n" DOT DOT DOT "3\n" DOT DOT DOT DOT "\n", {FOUR}},
      {"\xe2\x94\x8c" LINE "\xe2\x94\xac" LINE "\xe2\x94\x90\n" BAR " 1 . " BAR " . . " BAR "\n" BAR
       " 3 . " BAR " . . " BAR "\n\xe2\x94\x9c" LINE "\xe2\x94\xbc" LINE "\xe2\x94\xa4\n" BAR
       " . . " BAR " . 3 " BAR "\n" BAR " . . " BAR " . . " BAR "\n\xe2\x94\x94" LINE
       "\xe2\x94\xb4" LINE "\xe2\x94\x98\n",
       {FOUR}},
      {"1..." DOT "......3...\xe4\xba\x94", {"!f:1:16: '\xe4\xba\x94' is no cell of a 4x4"}},
      {"1..." DOT "......3...\xe2\x80\x8b", {"!f:1:16: 'U+200B' is no cell of a 4x4"}},
      {"1..." DOT "......3...\xe9", {"!f:1:16: '\\xe9' is no cell of a 4x4"}}};
  CHECK_ALL(samples, .uniform = false);
}

/* --- JSON --- */

#define ROWS_OF_FOUR "[[1, 0, 0, 0], [3, 0, 0, 0], [0, 0, 0, 3], [0, 0, 0, 0]]"
#define LONG_FOUR                                                                         \
  "[\n [\n  1,\n  0,\n  null,\n  0\n ],\n [\n  3, 0, \"\", 0\n ],\n [0,0,0,3.0],\n\n [\n" \
  "0,0,\".\",0\n ]\n]\n"

static void lists_of_lists_are_read(void **state) {
  (void)state;

  /* One puzzle in several lines or in one, arrays of puzzles, and what is wrong about others. */
  static const sample samples[] = {
      {ROWS_OF_FOUR, {FOUR}},
      {LONG_FOUR, {FOUR}},
      {LONG_FOUR LONG_FOUR P, {FOUR, FOUR, P}},
      {"[" ROWS_OF_FOUR ", " ROWS_OF_FOUR "]\n", {FOUR, FOUR}},
      {"[\n" ROWS_OF_FOUR ",\n\"" P "\",\n" ROWS_OF_FOUR "]\n", {FOUR, P, FOUR}},
      {"[[1, null, null, null], [3, null, null, null], [null, null, null, 3], [0, 0, 0, 0]]",
       {FOUR}},
      {"[\n1,0,0,0,3,0,0,0,\n0,0,0,3,0,0,0,0]", {FOUR}},
      {"[\n\"1...\",\n\"3...\",\n\"...3\",\n\"....\"\n]\n", {FOUR}},
      {"[\"" P "\", \"" P2 "\", \"" P0 "\"]", {P, P2, P}},
      {"[\n[1, 0, 0, 0],\n[3, 0, 0, 0],\n[0, 0, 0, 3],\n[0, 0, 7, 0]\n]\n" FOUR,
       {"!f:1:1: row 4, column 3 is no cell of a Sudoku", FOUR}},
      {"[\n" ROWS_OF_FOUR ", [[1]], " ROWS_OF_FOUR "]",
       {FOUR, "!f:1:1: item 2 of the array", FOUR}},
      {"[\n[1, 2],\n[3, 4]\n]\n" FOUR, {"!f:1:1: the array that begins here holds no", FOUR}},
      {"\n[\n[1, 0,\n", {"!f:2:1: the array that begins here is not closed"}},
      {"[\n1 2\n]\n" FOUR, {"!f: line 2, column 3: ", FOUR}}};
  CHECK_ALL(samples, .uniform = false);
}

/* --- lines without an end --- */

/* A line has a bound, which is told as soon as it is passed; what is behind the line is read. */
static void an_endless_line_is_refused_at_once(void **state) {
  (void)state;

  /* A reader that is fed one character without an end, 64 KiB at a time. */
  enum { PIECE = 1 << 16 };
  static char piece[PIECE];
  const trm_sudoku_reader_config config = {.name = "f"};
  trm_sudoku_reader *r;
  trm_sudoku_entry e;
  trm_sudoku_state at;
  trm_error err;
  trm_status st = TRM_OK;
  memset(piece, '5', PIECE);
  assert_int_equal(trm_sudoku_reader_create(&config, &r, NULL), TRM_OK);
  trm_sudoku_reader_feed(r, "\n", 1);

  /* It asks for more as long as a line may be so long, and not a piece longer. */
  for (int i = 0; i <= TRM__SUDOKU_MAX_LINE / PIECE && st == TRM_OK; i++) {
    st = trm_sudoku_reader_next(r, &e, &at, &err);
    assert_true(st != TRM_OK || at == TRM_SUDOKU_WANTS_MORE);
    if (st == TRM_OK) trm_sudoku_reader_feed(r, piece, PIECE);
  }

  /* The message names the line and the bound. */
  if (st == TRM_OK) st = trm_sudoku_reader_next(r, &e, &at, &err);
  assert_int_equal(st, TRM_E_FORMAT);
  assert_int_equal(err.pos, 2);
  assert_true(speaks_of(&err, "the line is too long for a puzzle: it has more than 1 MiB"));

  /* The rest of the line is passed over, without another message. */
  for (int i = 0; i < 3; i++) {
    assert_int_equal(trm_sudoku_reader_next(r, &e, &at, &err), TRM_OK);
    assert_int_equal(at, TRM_SUDOKU_WANTS_MORE);
    trm_sudoku_reader_feed(r, piece, PIECE);
  }

  /* Behind it, lines count on and a puzzle is read. */
  assert_int_equal(trm_sudoku_reader_next(r, &e, &at, &err), TRM_OK);
  trm_sudoku_reader_feed(r, "5\n" P "\n", sizeof P + 2);
  assert_int_equal(trm_sudoku_reader_next(r, &e, &at, &err), TRM_OK);
  assert_int_equal(at, TRM_SUDOKU_FOUND);
  assert_int_equal(e.line, 3);
  trm_sudoku_reader_free(r);
}

/* The rating is the column of that name, in whatever locale; else that of the difficulty. */
static void ratings_are_numbers(void **state) {
  (void)state;

  /* The better column, spaces and exponents, a word, and a number that no double holds. */
  static const struct {
    const char *text;
    double rating;
  } cases[] = {{"puzzle,difficulty,rating\n" P ",9,1.5\n", 1.5},
               {"puzzle,difficulty\n" P ", 2e1\n", 20},
               {"puzzle,difficulty\n" P ",hard\n", -1},
               {"puzzle,difficulty\n" P ",1e999\n", -1}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    /* Read with the wish for a rating, it is there or the message says that it is none. */
    const trm_sudoku_reader_config config = {.name = "f", .need_rating = true};
    trm_sudoku_reader *r;
    trm_sudoku_entry e;
    trm_sudoku_state at;
    trm_error err;
    assert_int_equal(trm_sudoku_reader_create(&config, &r, NULL), TRM_OK);
    trm_sudoku_reader_feed(r, cases[i].text, strlen(cases[i].text));
    trm_sudoku_reader_end(r);
    const trm_status st = trm_sudoku_reader_next(r, &e, &at, &err);
    assert_int_equal(st == TRM_OK, cases[i].rating >= 0);
    if (st == TRM_OK) assert_true(e.has_rating && e.rating == cases[i].rating);
    if (st != TRM_OK) assert_true(speaks_of(&err, "the rating is no number"));
    trm_sudoku_reader_free(r);
  }
}

/* --- XML --- */

#define GAME(data) "<game created=\"1\" state=\"1\" data=\"" data "\"/>"
#define DOCUMENT(games)                                                          \
  "<?xml version='1.0' encoding='UTF-8'?>\n<opensudoku version=\"2\">\n<folder " \
  "name=\"a\">\n" games "\n</folder></opensudoku>\n"

static void games_of_opensudoku_are_read(void **state) {
  (void)state;
#ifdef TRM_EXPAT_TESTED
  static char versioned[2000] = "version: 3 ";
  static char document[3000];

  /* A newer form: a game's cells with their value, notes and whether they may be changed. */
  for (int i = 0; i < 81; i++)
    snprintf(versioned + strlen(versioned), 12, "%c|%s|%d|", i == 2 ? '4' : P0[i],
             i == 2 ? "0" : "3", P[i] == '.');
  snprintf(document, sizeof document, DOCUMENT(GAME("%s")), versioned);

  /* Both forms, games that are damaged, and documents of another kind or with entities. */
  const sample samples[] = {
      {DOCUMENT(GAME(P0) "\n" GAME(P0)), {P, P}},
      {document, {P}},
      {DOCUMENT(GAME("123") GAME(P0)), {"!f:4:1: a game of OpenSudoku: its data are not 81", P}},
      {"<html><body>" P "</body></html>\n" P, {"!not a document of OpenSudoku"}},
      {"<!DOCTYPE a [<!ENTITY b \"c\">]>\n<opensudoku/>", {"!a document type is not taken"}},
      {"<opensudoku>\n" GAME(P0) "\n", {P, "!no XML that can be read"}}};
  CHECK_ALL(samples, .uniform = false);
#else
  static const sample samples[] = {{DOCUMENT(GAME(P0)), {"!was built without libexpat"}}};
  CHECK_ALL(samples, .uniform = false);
#endif
}

static void xml_may_begin_behind_other_lines(void **state) {
  scratch *s = *state;

  /* Nothing, a word, a comment and a puzzle in front of the document. */
  static const char *const begins[] = {"", "title\n", "# a comment\n\n", P "\n"};
  const char *path = scratch_path(s, "behind");
  const trm_sudoku_reader_config config = {.name = path};
  for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
    /* The three games of the document are found in any case, and the puzzle before it. */
    char text[1000];
    int64_t found = 0;
    trm_sudoku_reader *r;
    trm_sudoku_entry e;
    trm_sudoku_state at;
    snprintf(text, sizeof text, "%s<opensudoku>" GAME(P0) GAME(P0) GAME(P0) "</opensudoku>\n",
             begins[i]);
    write_bytes(path, text, strlen(text));
    assert_int_equal(trm_sudoku_reader_open(&config, &r, NULL), TRM_OK);
    for (;; found++) {
      const trm_status st = trm_sudoku_reader_next(r, &e, &at, NULL);
      if (st != TRM_OK || at == TRM_SUDOKU_END) break;
    }
#ifdef TRM_EXPAT_TESTED
    assert_int_equal(found, *begins[i] == *P ? 4 : 3);
#endif
    trm_sudoku_reader_free(r);
  }
}

/* Programs write all of their XML in one line, which may come in pieces. */
static void a_line_of_xml_may_be_long(void **state) {
  (void)state;
#ifdef TRM_EXPAT_TESTED
  /* More games than a line of text may hold, without any end of line. */
  enum { GAMES = 12000, PIECE = 100000 };
  static const char game[] = "<game data=\"" P0 "\"/>";
  const size_t room = GAMES * sizeof game + 100;
  char *text = malloc(room);
  const trm_sudoku_reader_config config = {.name = "f"};
  trm_sudoku_reader *r;
  trm_sudoku_entry e;
  trm_sudoku_state at = TRM_SUDOKU_FOUND;
  size_t n = (size_t)snprintf(text, room, "<opensudoku>"), fed = 0;
  int found = 0;
  for (int i = 0; i < GAMES; i++) n += (size_t)snprintf(text + n, room - n, "%s", game);
  n += (size_t)snprintf(text + n, room - n, "</opensudoku>");
  assert_true(n > TRM__SUDOKU_MAX_LINE);

  /* They are found while they come. */
  assert_int_equal(trm_sudoku_reader_create(&config, &r, NULL), TRM_OK);
  while (at != TRM_SUDOKU_END) {
    const size_t piece = n - fed < PIECE ? n - fed : PIECE;
    assert_int_equal(trm_sudoku_reader_next(r, &e, &at, NULL), TRM_OK);
    found += at == TRM_SUDOKU_FOUND;
    if (at != TRM_SUDOKU_WANTS_MORE) continue;
    trm_sudoku_reader_feed(r, text + fed, piece);
    if (!piece) trm_sudoku_reader_end(r);
    fed += piece;
  }

  /* None is lost where a piece ends within one. */
  assert_int_equal(found, GAMES);
  trm_sudoku_reader_free(r);
  free(text);
#else
  skip();
#endif
}

static void a_file_is_opened_by_its_name(void **state) {
  scratch *s = *state;
  const char *path = scratch_path(s, "puzzles");
  const trm_sudoku_reader_config config = {.name = path};
  trm_sudoku_reader *r;
  trm_sudoku_entry e;
  trm_sudoku_state at;
  trm_error err;
  assert_int_equal(trm_sudoku_reader_open(&config, &r, &err), TRM_E_IO);
  write_bytes(path, "x " P "\n", sizeof P + 2);
  assert_int_equal(trm_sudoku_reader_open(&config, &r, &err), TRM_OK);
  assert_int_equal(trm_sudoku_reader_next(r, &e, &at, &err), TRM_OK);
  assert_int_equal(at, TRM_SUDOKU_FOUND);
  assert_true(e.line == 1 && e.column == 3 && e.in_line);
  assert_string_equal(e.form, "a puzzle a line");
  assert_int_equal(trm_sudoku_reader_next(r, &e, &at, &err), TRM_OK);
  assert_int_equal(at, TRM_SUDOKU_END);
  trm_sudoku_reader_free(r);
  const trm_sudoku_reader_config strange = {.puzzle = {.kind = TRM_PUZZLE_MAZE}};
  assert_int_equal(trm_sudoku_reader_create(&strange, &r, &err), TRM_E_ARGUMENT);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      /* lines and grids */
      cmocka_unit_test(lines_are_read_with_what_stands_beside),
      cmocka_unit_test(a_line_of_xml_may_be_long),
      cmocka_unit_test(what_may_be_a_damaged_puzzle_is_never_passed_over),
      cmocka_unit_test(the_size_that_is_wanted_decides),
      cmocka_unit_test(grids_are_read_row_by_row),
      cmocka_unit_test(an_incomplete_grid_is_refused_as_a_whole),
      cmocka_unit_test(sixteen_may_be_numbers_or_letters), cmocka_unit_test(candidates_are_read),

      /* codes, tables and lists */
      cmocka_unit_test(codes_of_other_programs_are_read),
      cmocka_unit_test(tables_are_read_by_their_headers),
      cmocka_unit_test(spreadsheets_write_tables),
      cmocka_unit_test(characters_of_others_are_read_or_named),
      cmocka_unit_test(lists_of_lists_are_read),

      /* bounds and ratings */
      cmocka_unit_test(an_endless_line_is_refused_at_once), cmocka_unit_test(ratings_are_numbers),

      /* XML and files */
      cmocka_unit_test(games_of_opensudoku_are_read),
      cmocka_unit_test(xml_may_begin_behind_other_lines),
      cmocka_unit_test(a_file_is_opened_by_its_name)};
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
