/* Sudokus in documents of other programs: tables, with or without ratings, JSON and XML. */
#include "sudoku_texts.h"

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
      {"[\n[1, 2],\n[3, 4]\n]\n" FOUR, {"!f:1:1: the JSON that begins here holds no", FOUR}},
      {"\n[\n[1, 0,\n", {"!f:2:1: the JSON that begins here is not closed"}},
      {"[\n1 2\n]\n" FOUR, {"!f: line 2, column 3: ", FOUR}}};
  CHECK_ALL(samples, .uniform = false);
}

/* Who has a field for each thing calls the puzzle as a column of a table, and may have its solution
 * beside it. */
static void objects_are_read_by_their_names(void **state) {
  (void)state;

  /* By the usual names of columns, in any case. */
  static const sample samples[] = {
      {"{\"puzzle\": " ROWS_OF_FOUR "}\n{\"id\": 7, \"Quiz\": " ROWS_OF_FOUR "}\n" P,
       {FOUR, FOUR, P}},
      {"{\"question\": " ROWS_OF_FOUR ", \"answer\": \"" FOUR_S "\"}", {FOUR "=" FOUR_S}},
      {"{\"puzzle\": " ROWS_OF_FOUR ", \"solution\": " ROWS_OF_FOUR "}\n" FOUR,
       {"!f:1:2: the answer is blank in row 1, column 2", FOUR}},
      {"{\"puzzle\": " ROWS_OF_FOUR ", \"solution\": 7}", {"!f:1:1: the solution is no grid of 4"}},
      {"{\n \"input\": [\n  [1, 0, 0, 0], [3, 0, 0, 0],\n  [0, 0, 0, 3], [0, 0, 0, 0]]\n}\n" P,
       {FOUR, P}},
      {"{\n \"puzzles\": [\n  \"" P "\",\n  " ROWS_OF_FOUR "\n ]\n}\n", {P, FOUR}},
      {"[{\"puzzle\": " ROWS_OF_FOUR "},\n {\"puzzle\": \"" P "\"}]", {FOUR, P}},
      {"[\n {\n  \"puzzle\": \"" P "\"\n },\n {\n  \"title\": 1\n }\n]",
       {P, "!f:1:1: item 2 of the array: want a list of 9 rows"}},
      {"{\"puzzle\": \"" P "\"}", {P}},
      {"{\"puzzle\": \"" FOUR "\",\n \"solution\": \"" FOUR_S "\"}", {FOUR "=" FOUR_S}},
      {"{\"board\": " ROWS_OF_FOUR "}\n" P, {"!f:1:1: the JSON that begins here holds no", P}},
      {"{\n\"puzzle\": [[1,", {"!f:1:1: the JSON that begins here is not closed"}}};
  CHECK_ALL(samples, .uniform = false);

  /* By a name of the user's own. */
  static const sample chosen[] = {{"{\"puzzle\": [[1]], \"board\": " ROWS_OF_FOUR "}", {FOUR}}};
  CHECK_ALL(chosen, .columns = "board");
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

int main(void) {
  const struct CMUnitTest tests[] = {
      /* tables */
      cmocka_unit_test(tables_are_read_by_their_headers),
      cmocka_unit_test(spreadsheets_write_tables),
      cmocka_unit_test(ratings_are_numbers),

      /* JSON and XML */
      cmocka_unit_test(lists_of_lists_are_read),
      cmocka_unit_test(objects_are_read_by_their_names),
      cmocka_unit_test(games_of_opensudoku_are_read),
      cmocka_unit_test(xml_may_begin_behind_other_lines),
      cmocka_unit_test(a_line_of_xml_may_be_long),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
