/* Sudoku rules, solver and generator. */
#include "small_sudoku.h"

#include "trm/dataset.h"

/* --- text and rules --- */

static void shapes_are_known(void **state) {
  (void)state;
  int known = 0;
  for (int size = -1; size < 100; size++) {
    trm_puzzle p = trm_sudoku_of_size(size);
    if (p.kind == TRM_PUZZLE_NONE) continue;
    known++;
    assert_true(trm_sudoku_known(&p));
    assert_int_equal(p.rows, size);
    assert_int_equal(p.box_rows * p.box_cols, size);
    assert_true(p.box_rows <= p.box_cols);
  }
  assert_int_equal(known, N_SIZES);
  trm_puzzle wrong = {
      .kind = TRM_PUZZLE_SUDOKU, .rows = 9, .cols = 9, .box_rows = 3, .box_cols = 4};
  assert_false(trm_sudoku_known(&wrong));
  wrong =
      (trm_puzzle){.kind = TRM_PUZZLE_SUDOKU, .rows = 25, .cols = 25, .box_rows = 5, .box_cols = 5};
  assert_false(trm_sudoku_known(&wrong));
}

static void text_is_read_and_written(void **state) {
  (void)state;
  uint8_t values[CELLS];
  char text[CELLS + 1];
  trm_puzzle p = trm_sudoku_of_size(4);
  parse(4, "1234.0.0432100..", values);
  trm_sudoku_format(&p, values, text);
  assert_string_equal(text, "1234....4321....");
  p = trm_sudoku_of_size(16);
  uint8_t all[CELLS], back[CELLS];
  for (int i = 0; i < CELLS; i++) all[i] = (uint8_t)(i % 17);
  trm_sudoku_format(&p, all, text);
  assert_memory_equal(text, ".123456789ABCDEFG", 17);
  parse(16, text, back);
  assert_memory_equal(all, back, CELLS);
  text[10] = 'a';
  parse(16, text, back);
  assert_memory_equal(all, back, CELLS);
}

static void bad_text_is_refused(void **state) {
  (void)state;

  /* Texts that are no grid, the column to blame, and the word that says why. */
  static const struct {
    const char *text;
    int column;
    const char *word;
  } cases[] = {{"1234....4321...", 16, "16 characters, here are 15"},
               {"1234....4321.....", 17, "here are 17"},
               {"", 1, "here are 0"},
               {"12345...4321....", 5, "'5'"},
               {"1234...\n4321....", 8, "\\x0a"},
               {"1234... 4321....", 8, "'1' to '4'"}};

  /* The position counts from 1, as an editor shows it. */
  trm_puzzle p = trm_sudoku_of_size(4);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint8_t values[CELLS];
    trm_error err;
    assert_int_equal(trm_sudoku_parse(&p, cases[i].text, strlen(cases[i].text), values, &err),
                     TRM_E_FORMAT);
    assert_int_equal(err.pos, cases[i].column);
    assert_true(speaks_of(&err, cases[i].word));
  }

  /* A puzzle that is no Sudoku has no text form at all. */
  trm_puzzle none = {.kind = TRM_PUZZLE_NONE};
  uint8_t values[CELLS];
  assert_int_equal(trm_sudoku_parse(&none, "1", 1, values, NULL), TRM_E_ARGUMENT);
}

static void rules_are_checked(void **state) {
  (void)state;
  trm_puzzle p = trm_sudoku_of_size(4);
  uint8_t q[CELLS], a[CELLS];
  int cell = -1;

  /* A question and its answer keep the rules; only a full grid solves. */
  parse(4, "1234341221434321", a);
  parse(4, "1...3......3....", q);
  assert_true(trm_sudoku_consistent(&p, a, &cell));
  assert_true(trm_sudoku_consistent(&p, q, &cell));
  assert_true(trm_sudoku_solves(&p, q, a));
  assert_false(trm_sudoku_solves(&p, q, q));

  /* An answer that changes a given does not solve the question, however correct it is. */
  q[0] = 2;
  assert_false(trm_sudoku_solves(&p, q, a));

  /* The first cell that repeats a digit of its row, its column or its box is the one named. */
  static const char *const broken[] = {"1..1............", "1...........1...", "1....1.........."};
  static const int offender[] = {3, 12, 5};
  for (int i = 0; i < 3; i++) {
    parse(4, broken[i], q);
    assert_false(trm_sudoku_consistent(&p, q, &cell));
    assert_int_equal(cell, offender[i]);
  }

  /* Digits that the size does not have are no Sudoku either. */
  a[7] = 9;
  assert_false(trm_sudoku_consistent(&p, a, NULL));
}

/* --- solver --- */

static const struct {
  int size;
  const char *question, *answer;
  bool needs_guesses;
} puzzles[] = {
    {9, "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79",
     "534678912672195348198342567859761423426853791713924856961537284287419635345286179", false},
    {9, ".......1.4.........2...........5.4.7..8...3....1.9....3..4..2...5.1........8.6...",
     "693784512487512936125963874932651487568247391741398625319475268856129743274836159", false},
    {9, "..............3.85..1.2.......5.7.....4...1...9.......5......73..2.1........4...9",
     "987654321246173985351928746128537694634892157795461832519286473472319568863745219", false},
    {9, "1....7.9..3..2...8..96..5....53..9...1..8...26....4...3......1..4......7..7...3..",
     "162857493534129678789643521475312986913586742628794135356478219241935867897261354", true},
};

/* Of tokens: every cell that breaks a rule counts once. */
static void violations_are_counted(void **state) {
  (void)state;
  static const int32_t inputs[16] = {2},
                       right[16] = {2, 3, 4, 5, 4, 5, 2, 3, 3, 2, 5, 4, 5, 4, 3, 2};
  static const struct {
    int cell;
    int32_t token;
    int n; /* of the answer with that token there */
  } wrong[] = {{0, 2, 0},          {0, 3, 3},          {15, 1, 1},
               {15, INT32_MAX, 1}, {15, INT32_MIN, 1}, {15, 5, 4}};
  const trm_puzzle p = trm_sudoku_of_size(4),
                   maze = {.kind = TRM_PUZZLE_MAZE, .rows = 4, .cols = 4};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    int32_t answer[16];
    memcpy(answer, right, sizeof answer);
    answer[wrong[i].cell] = wrong[i].token;
    assert_int_equal(trm_sudoku_violations(&p, inputs, answer), wrong[i].n);
    assert_int_equal(trm_sudoku_violates(&p, inputs, answer, wrong[i].cell), wrong[i].n > 0);
  }
  assert_int_equal(trm_sudoku_violations(&maze, inputs, right), -1);
  assert_false(trm_sudoku_violates(&maze, inputs, inputs, 15));
}

static void known_puzzles_are_solved(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof puzzles / sizeof *puzzles; i++) {
    trm_puzzle p = trm_sudoku_of_size(puzzles[i].size);
    uint8_t q[CELLS], a[CELLS];
    char text[CELLS + 1];
    parse(puzzles[i].size, puzzles[i].question, q);
    trm_sudoku_result r = trm_sudoku_solve(&p, q, 2, a);
    assert_int_equal(r.solutions, 1);
    assert_true(r.complete);
    assert_int_equal(r.backtracks > 0, puzzles[i].needs_guesses);
    trm_sudoku_format(&p, a, text);
    assert_string_equal(text, puzzles[i].answer);
  }
}

/* Solutions by plain trial, for comparison. */
static int count_by_trial(const trm_puzzle *p, uint8_t *grid, int from) {
  int cells = p->rows * p->cols;
  while (from < cells && grid[from]) from++;
  if (from == cells) return 1;
  int n = 0;
  for (int v = 1; v <= p->rows; v++) {
    grid[from] = (uint8_t)v;
    if (trm_sudoku_consistent(p, grid, NULL)) n += count_by_trial(p, grid, from + 1);
  }
  grid[from] = 0;
  return n;
}

static void counts_are_exact(void **state) {
  (void)state;
  trm_puzzle p = trm_sudoku_of_size(4);

  /* There are 288 grids of side 4; the limit cuts the count, and at 0 nothing is searched. */
  uint8_t empty[CELLS] = {0};
  assert_int_equal(trm_sudoku_solve(&p, empty, 1000, NULL).solutions, 288);
  assert_int_equal(trm_sudoku_solve(&p, empty, 100, NULL).solutions, 100);
  assert_int_equal(trm_sudoku_solve(&p, empty, 0, NULL).solutions, 0);

  /* Five givens at random have every kind of count, so counting by trial can disagree. */
  int none = 0, one = 0, many = 0;
  for (uint32_t i = 0; i < 600; i++) {
    uint8_t grid[CELLS] = {0};
    trm__rng rng = rng_at(1, i);
    for (int k = 0; k < 5; k++)
      grid[trm__rng_below(&rng, 16)] = (uint8_t)(1 + trm__rng_below(&rng, 4));
    trm_sudoku_result r = trm_sudoku_solve(&p, grid, 1000, NULL);
    int expected = trm_sudoku_consistent(&p, grid, NULL) ? count_by_trial(&p, grid, 0) : 0;
    assert_int_equal(r.solutions, expected);
    assert_true(r.complete);
    none += expected == 0;
    one += expected == 1;
    many += expected > 1;
  }

  /* The draws held enough of each kind to mean something. */
  assert_true(none > 10 && one > 10 && many > 10);
}

static void contradictions_are_seen(void **state) {
  (void)state;
  trm_puzzle p = trm_sudoku_of_size(9);
  uint8_t q[CELLS] = {0}, a[CELLS];
  memset(a, 77, sizeof a);
  q[0] = q[1] = 5; /* twice in a row */
  assert_int_equal(trm_sudoku_solve(&p, q, 2, a).solutions, 0);
  memset(q, 0, sizeof q); /* nothing left for the last cell of row 0 */
  for (int i = 0; i < 8; i++) q[i] = (uint8_t)(i + 1);
  q[8 + 9 * 5] = 9;
  assert_int_equal(trm_sudoku_solve(&p, q, 2, a).solutions, 0);
  q[3] = 200; /* no digit at all */
  assert_int_equal(trm_sudoku_solve(&p, q, 2, a).solutions, 0);
  assert_int_equal(a[0], 77);
  p.box_rows = 2;
  assert_int_equal(trm_sudoku_solve(&p, q, 2, a).solutions, 0);
}

static void hostile_grids_end(void **state) {
  (void)state;
  uint8_t q[CELLS] = {0};
  trm_puzzle p = trm_sudoku_of_size(9);
  trm_sudoku_result r = trm_sudoku_solve(&p, q, INT32_MAX, NULL);
  assert_false(r.complete);
  assert_true(r.solutions > 1000);
  /* No solution, few givens: long for a solver without hidden singles. */
  parse(9, ".....5.8....6.1.43..........1.5........1.6...3.......553.....61........4.........", q);
  r = trm_sudoku_solve(&p, q, 2, NULL);
  assert_int_equal(r.solutions, 0);
  p = trm_sudoku_of_size(16);
  memset(q, 0, sizeof q);
  assert_int_equal(trm_sudoku_solve(&p, q, 2, NULL).solutions, 2);
}

static void published_puzzles_are_unique(void **state) {
  (void)state;

  /* Lists of others, each puzzle of which is known to have one solution. */
  static const char *const lists[] = {"puzzles2_17_clue", "puzzles3_magictour_top1465",
                                      "puzzles6_forum_hardest_1106"};
  trm_puzzle p = trm_sudoku_of_size(9);
  int read = 0;

  /* A list that is not on this machine is passed over. */
  for (int k = 0; k < 3; k++) {
    char path[512], line[256];
    snprintf(path, sizeof path, "%s/data/sudoku-hard-lists/%s", TRM_SHARED_DIR, lists[k]);
    FILE *f = fopen(path, "r");
    if (!f) continue;

    /* A hundred and fifty of each: these are the hardest that people have found. */
    for (int n = 0; n < 150 && fgets(line, sizeof line, f);) {
      if (*line == '#' || strlen(line) < 81) continue;
      uint8_t q[CELLS], a[CELLS];
      assert_int_equal(trm_sudoku_parse(&p, line, 81, q, NULL), TRM_OK);
      trm_sudoku_result r = trm_sudoku_solve(&p, q, 2, a);
      assert_int_equal(r.solutions, 1);
      assert_true(trm_sudoku_solves(&p, q, a));
      n++;
      read++;
    }
    fclose(f);
  }

  /* With no list at all nothing was shown, so the test does not pass. */
  if (!read) {
    print_message("no puzzle lists below %s\n", TRM_SHARED_DIR);
    skip();
  }
}

/* --- generator --- */

static void generated_puzzles_are_minimal(void **state) {
  (void)state;
  for (int k = 0; k < 4; k++) {
    trm_puzzle p = trm_sudoku_of_size(sizes[k]);
    for (uint32_t i = 0; i < 20; i++) {
      /* The solver finds the answer, and no other. */
      uint8_t q[CELLS], a[CELLS], again[CELLS], found[CELLS];
      make_puzzle(sizes[k], i, q, a);
      assert_true(trm_sudoku_solves(&p, q, a));
      assert_int_equal(trm_sudoku_solve(&p, q, 2, found).solutions, 1);
      assert_memory_equal(found, a, (size_t)(p.rows * p.cols));

      /* The same draw makes the same puzzle. */
      make_puzzle(sizes[k], i, again, found);
      assert_memory_equal(again, q, (size_t)(p.rows * p.cols));

      /* No given can be spared: without any one of them there is a second solution. */
      for (int c = 0; c < p.rows * p.cols; c++) {
        uint8_t v = q[c];
        if (!v) continue;
        q[c] = 0;
        assert_int_equal(trm_sudoku_solve(&p, q, 2, NULL).solutions, 2);
        q[c] = v;
      }
    }
  }
}

static void targets_are_met(void **state) {
  (void)state;

  /* Bounds on givens and on backtracks (0: none), alone and together. */
  static const struct {
    int size;
    trm__sudoku_target target;
  } cases[] = {{6, {0, 12, 0, 0}}, {6, {12, 14, 0, 0}}, {9, {30, 34, 0, 0}},
               {9, {0, 0, 3, 0}},  {9, {0, 26, 1, 6}},  {4, {5, 5, 0, 0}}};
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    /* One shape and one stream of random numbers for all tries of a case. */
    trm_puzzle p = trm_sudoku_of_size(cases[k].size);
    const trm__sudoku_target *t = &cases[k].target;
    trm__sudoku_shape s;
    trm__sudoku_shape_init(&s, &p);
    trm__rng rng = rng_at(50 + k, 0);

    /* Tries that miss the target are no puzzles; of the others each keeps the bounds. */
    int met = 0, spread = 0, first = -1;
    for (int tries = 0; tries < 2000 && met < 15; tries++) {
      uint8_t q[CELLS], a[CELLS];
      if (!trm__sudoku_generate(&s, t, &rng, q, a)) continue;
      met++;
      int givens = count_givens(q, s.cells);
      if (first < 0) first = givens;
      spread |= givens != first;
      trm_sudoku_result r = trm_sudoku_solve(&p, q, 2, NULL);
      assert_int_equal(r.solutions, 1);
      assert_true(givens >= t->min_givens && (!t->max_givens || givens <= t->max_givens));
      assert_true(r.backtracks >= t->min_backtracks);
      assert_true(!t->max_backtracks || r.backtracks <= t->max_backtracks);
    }

    /* Fifteen of 2000 tries is what a builder relies on; and a range is used, not one value of
     * it. */
    assert_int_equal(met, 15);
    assert_int_equal(spread, t->min_givens != t->max_givens || !t->min_givens);
  }
}

static int compare_counts(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

/* Random minimal puzzles have a median below 5 backtracks, Sudoku-Extreme one of 155. */
static void hard_puzzles_are_hard(void **state) {
  (void)state;

  /* What is counted over a few calls of the generator, each of which yields many puzzles. */
  enum { CALLS = 3, YIELD = TRM__SUDOKU_HARD_YIELD };
  trm_puzzle p = trm_sudoku_of_size(9);
  trm__sudoku_shape s;
  trm__sudoku_shape_init(&s, &p);
  int64_t backtracks[CALLS * YIELD];
  int n = 0;

  /* A call may drop some of its climbs, never most of them. */
  for (uint32_t call = 0; call < CALLS; call++) {
    uint8_t q[YIELD][81], a[YIELD][81], again[YIELD][81], solved[81];
    trm__rng rng = rng_at(60, call), same = rng_at(60, call);
    int made = trm__sudoku_generate_hard(&p, &s, &rng, q[0], a[0]);
    assert_in_range(made, YIELD / 2, YIELD);

    /* Each puzzle has the one solution that came with it, and is minimal. */
    for (int i = 0; i < made; i++) {
      trm_sudoku_result r = trm_sudoku_solve(&p, q[i], 2, solved);
      assert_int_equal(r.solutions, 1);
      assert_memory_equal(a[i], solved, 81);
      backtracks[n++] = r.backtracks;
      for (int c = 0; c < 81; c++) {
        uint8_t v = q[i][c];
        q[i][c] = 0;
        if (v) assert_int_equal(trm_sudoku_solve(&p, q[i], 2, NULL).solutions, 2);
        q[i][c] = v;
      }
    }

    /* The first call once more, from the same random numbers: the same puzzles. */
    if (call) continue;
    assert_int_equal(trm__sudoku_generate_hard(&p, &s, &same, again[0], a[0]), made);
    assert_memory_equal(again, q, (size_t)made * 81);
  }

  /* The spread is that of hard puzzles: hardly any easy ones, and a long tail. */
  qsort(backtracks, (size_t)n, sizeof *backtracks, compare_counts);
  assert_true(backtracks[n / 8] < 30);
  assert_true(backtracks[n / 2] > 60);
  assert_true(backtracks[n * 7 / 8] > 250);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      /* sizes, text and rules */
      cmocka_unit_test(shapes_are_known),
      cmocka_unit_test(text_is_read_and_written),
      cmocka_unit_test(bad_text_is_refused),
      cmocka_unit_test(rules_are_checked),
      cmocka_unit_test(violations_are_counted),

      /* solving */
      cmocka_unit_test(known_puzzles_are_solved),
      cmocka_unit_test(counts_are_exact),
      cmocka_unit_test(contradictions_are_seen),
      cmocka_unit_test(hostile_grids_end),
      cmocka_unit_test(published_puzzles_are_unique),

      /* making puzzles */
      cmocka_unit_test(generated_puzzles_are_minimal),
      cmocka_unit_test(targets_are_met),
      cmocka_unit_test(hard_puzzles_are_hard),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
