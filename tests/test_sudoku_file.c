/* Sudokus in files, as lines, grids and codes: what is read, what is refused, and that pieces of a
 * text say the same as the whole. */
#include "sudoku_texts.h"

#define ROWS(gap)                                                                 \
  "53..7....\n6..195...\n.98....6.\n" gap "8...6...3\n4..8.3..1\n7...2...6\n" gap \
  ".6....28.\n"                                                                   \
  "...419..5\n....8..79\n"

#define ROWS4 "1...\n3...\n...3\n....\n"

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

/* A person who types begins anew: rows behind a refused grid are a new one, and a word is answered.
 */
static void who_types_begins_anew(void **state) {
  (void)state;
  static const sample samples[] = {
      {"1...\n3...\noops\n" ROWS4,
       {"!f:1:1: the grid that begins here has 2 rows", "!f:3:1: ", FOUR}},
      {"1...\n\n" ROWS4, {"!f:1:1: the grid that begins here has 1 row of", FOUR}},
      {"53..7....\n" ROWS4, {"!f:1:1: ", FOUR}},
      {"hello\n" FOUR, {"!f:1:1: ", FOUR}}};
  CHECK_ALL(samples, .puzzle = trm_sudoku_of_size(4), .typed = true);

  /* In a file the same rows are of no grid, and the word is a title. */
  static const sample in_file[] = {
      {"1...\n\n" ROWS4, {"!f:1:1: the grid that begins here has 1 row"}},
      {"hello\n" FOUR, {FOUR}}};
  CHECK_ALL(in_file, .puzzle = trm_sudoku_of_size(4));
}

/* How much of a grid has come is known while it comes. */
static void rows_of_a_grid_are_counted(void **state) {
  (void)state;
  trm_sudoku_reader *r;
  trm_sudoku_entry e;
  trm_sudoku_state found;
  const trm_sudoku_reader_config config = {.name = "f", .puzzle = trm_sudoku_of_size(4)};
  assert_int_equal(trm_sudoku_reader_create(&config, &r, NULL), TRM_OK);
  for (int i = 0; i < 4; i++) {
    assert_int_equal(trm_sudoku_reader_rows(r), i);
    trm_sudoku_reader_feed(r, &ROWS4[5 * i], 5);
    assert_int_equal(trm_sudoku_reader_next(r, &e, &found, NULL), TRM_OK);
    assert_int_equal(found, i < 3 ? TRM_SUDOKU_WANTS_MORE : TRM_SUDOKU_FOUND);
  }
  assert_int_equal(trm_sudoku_reader_rows(r), 0);
  trm_sudoku_reader_free(r);
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

/* --- characters --- */

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

/* --- files --- */

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
      cmocka_unit_test(what_may_be_a_damaged_puzzle_is_never_passed_over),
      cmocka_unit_test(the_size_that_is_wanted_decides),
      cmocka_unit_test(grids_are_read_row_by_row),
      cmocka_unit_test(an_incomplete_grid_is_refused_as_a_whole),
      cmocka_unit_test(who_types_begins_anew),
      cmocka_unit_test(rows_of_a_grid_are_counted),
      cmocka_unit_test(sixteen_may_be_numbers_or_letters),

      /* candidates, codes and characters */
      cmocka_unit_test(candidates_are_read),
      cmocka_unit_test(codes_of_other_programs_are_read),
      cmocka_unit_test(characters_of_others_are_read_or_named),

      /* bounds and files */
      cmocka_unit_test(an_endless_line_is_refused_at_once),
      cmocka_unit_test(a_file_is_opened_by_its_name),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
