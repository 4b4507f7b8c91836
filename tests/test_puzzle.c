/* What tokens mean: symbols and JSON of every kind; ARC's copies, canvas and crop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/rng.h"
#include "json_text.h"
#include "puzzle/arc/arc_grid.h"
#include "puzzle/dihedral.h"
#include "puzzle/puzzle.h"
#include "trm/sudoku.h"

static trm_puzzle user_puzzle(bool sized) {
  trm_puzzle p = {.kind = TRM_PUZZLE_GRID, .rows = 3, .cols = 4, .sized = sized};
  assert_true(trm__puzzle_add_symbol(&p, "-1"));
  assert_true(trm__puzzle_add_symbol(&p, " "));
  assert_true(trm__puzzle_add_symbol(&p, "10"));
  strcpy(p.rules, "latin");
  strcpy(p.symmetries, "dihedral,permute:-1");
  return p;
}

static void symbols_of_each_kind(void **state) {
  /* One of each kind, and nothing. */
  (void)state;
  trm_puzzle sudoku = trm_sudoku_of_size(9), maze = {.kind = TRM_PUZZLE_MAZE, .rows = 2, .cols = 2},
             arc = {.kind = TRM_PUZZLE_ARC, .rows = 30, .cols = 30}, none = {.rows = 1};

  /* Tokens of each have the symbol that people write; padding, ends and what is beyond have
   * none. */
  assert_string_equal(trm_puzzle_symbol(&sudoku, 1), ".");
  assert_string_equal(trm_puzzle_symbol(&sudoku, 10), "9");
  assert_null(trm_puzzle_symbol(&sudoku, 0));
  assert_null(trm_puzzle_symbol(&sudoku, 11));
  assert_string_equal(trm_puzzle_symbol(&maze, 5), "o");
  assert_null(trm_puzzle_symbol(&maze, 6));
  assert_null(trm_puzzle_symbol(&arc, TRM_PUZZLE_END));
  assert_string_equal(trm_puzzle_symbol(&arc, 11), "9");
  assert_null(trm_puzzle_symbol(&none, 0));

  /* A user's puzzle has its own symbols, behind the end of rows where sizes differ. */
  trm_puzzle user = user_puzzle(false), sized = user_puzzle(true);
  assert_int_equal(trm_puzzle_n_symbols(&user), 3);
  assert_string_equal(trm_puzzle_symbol(&user, 1), "-1");
  assert_string_equal(trm_puzzle_symbol(&user, 3), "10");
  assert_null(trm_puzzle_symbol(&sized, 1));
  assert_string_equal(trm_puzzle_symbol(&sized, 3), " ");

  /* The way back knows no other texts. */
  assert_int_equal(trm__puzzle_token(&sized, "10", 2), 4);
  assert_int_equal(trm__puzzle_token(&sized, "1", 1), -1);
}

static void vocabulary_has_limits(void **state) {
  (void)state;
  trm_puzzle p = {.kind = TRM_PUZZLE_GRID, .rows = 1, .cols = 1};
  assert_false(trm__puzzle_add_symbol(&p, ""));
  assert_false(trm__puzzle_add_symbol(&p, "sixteen letters!"));
  assert_true(trm__puzzle_add_symbol(&p, "a"));
  assert_false(trm__puzzle_add_symbol(&p, "a"));
  char name[8];
  int n = 1;
  for (; n < 1000; n++) {
    snprintf(name, sizeof name, "x%d", n);
    if (!trm__puzzle_add_symbol(&p, name)) break;
  }
  assert_int_equal(n, TRM_PUZZLE_MAX_SYMBOLS);
  assert_int_equal(trm_puzzle_n_symbols(&p), TRM_PUZZLE_MAX_SYMBOLS);
  trm_puzzle full = {.kind = TRM_PUZZLE_GRID};
  memset(full.vocabulary, 'x', sizeof full.vocabulary - 1);
  assert_true(trm_puzzle_n_symbols(&full) <= 1);
  assert_false(trm__puzzle_add_symbol(&full, "a"));
}

static void json_keeps_everything(void **state) {
  /* Every kind, with all that it may say of itself. */
  (void)state;
  trm_puzzle all[] = {trm_sudoku_of_size(6),
                      {.kind = TRM_PUZZLE_MAZE, .rows = 7, .cols = 9},
                      {.kind = TRM_PUZZLE_ARC, .rows = 30, .cols = 30},
                      user_puzzle(false),
                      user_puzzle(true),
                      {.kind = TRM_PUZZLE_NONE}};

  /* Written, */
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    trm_puzzle back;
    trm_error err;
    char *text;
    trm__json_out o = trm__json_begin(TRM__JSON_COMPACT);
    trm__puzzle_put(&o, NULL, &all[i]);
    assert_int_equal(trm__json_finish(&o, "a puzzle", &text, NULL), TRM_OK);

    /* and read again: the same bytes. */
    trm__json *json = json_of(text);
    trm__free(text);
    assert_int_equal(trm__puzzle_from_json(json, "file", &back, &err), TRM_OK);
    assert_memory_equal(&back, &all[i], sizeof back);

    /* It agrees with its own vocabulary, and with no other. */
    int vocab = trm_puzzle_first_symbol(&back) + trm_puzzle_n_symbols(&back);
    assert_int_equal(trm__puzzle_check(&back, vocab, back.rows * back.cols, "file", &err), TRM_OK);
    if (back.kind != TRM_PUZZLE_NONE)
      assert_int_equal(trm__puzzle_check(&back, vocab + 1, back.rows * back.cols, "f", &err),
                       TRM_E_CONFIG);
    trm__json_free(json);
  }
}

static void bad_json_is_refused(void **state) {
  /* Texts that describe no puzzle. */
  (void)state;
  static const char *const bad[] = {
      "[]",
      "{}",
      "{\"kind\": \"chess\"}",
      "{\"kind\": \"maze\", \"rows\": 1025}",
      "{\"kind\": \"maze\", \"colour\": 1}",
      "{\"kind\": \"grid\", \"rows\": 1, \"cols\": 1}",
      "{\"kind\": \"grid\", \"rows\": 1, \"cols\": 1, \"vocabulary\": [\"a\", \"a\"]}",
      "{\"kind\": \"grid\", \"rows\": 1, \"cols\": 1, \"vocabulary\": [1]}",
      ("{\"kind\": \"grid\", \"rows\": 1, \"cols\": 1, \"vocabulary\": [\"a\"], \"rules\": "
       "\"a name that is too long\"}")};

  /* Each is refused with the name of the file. */
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    trm_puzzle p;
    trm_error err = {0};
    trm__json *json = json_of(bad[i]);
    assert_int_not_equal(trm__puzzle_from_json(json, "file", &p, &err), TRM_OK);
    assert_non_null(strstr(err.msg, "file"));
    trm__json_free(json);
  }
}

static trm__arc_grid random_grid(trm__rng *rng) {
  trm__arc_grid g = {.rows = (uint8_t)(1 + trm__rng_below(rng, 30)),
                     .cols = (uint8_t)(1 + trm__rng_below(rng, 30))};
  for (int i = 0; i < g.rows * g.cols; i++) g.cell[i] = (uint8_t)trm__rng_below(rng, 10);
  return g;
}

/* Turning by hand, from the definitions in words. */
static void transforms_are_the_reference_s(void **state) {
  (void)state;
  /* 0 1 2
   * 3 4 5 */
  static const uint8_t want[TRM__DIHEDRAL][6] = {
      {0, 1, 2, 3, 4, 5}, {2, 5, 1, 4, 0, 3}, {5, 4, 3, 2, 1, 0}, {3, 0, 4, 1, 5, 2},
      {2, 1, 0, 5, 4, 3}, {3, 4, 5, 0, 1, 2}, {0, 3, 1, 4, 2, 5}, {5, 2, 4, 1, 3, 0}};
  for (int t = 0; t < TRM__DIHEDRAL; t++) {
    int cols = trm__dihedral_turns(t) ? 2 : 3;
    for (int i = 0; i < 6; i++)
      assert_int_equal(trm__dihedral_source(t, 2, 3, i / cols, i % cols), want[t][i]);
  }
}

static void a_copy_is_undone_and_named(void **state) {
  /* Random grids, each transform, random colours but for black. */
  (void)state;
  trm__rng rng = trm__rng_at(1, TRM__RNG_TEST, 0, 0);
  for (int round = 0; round < 400; round++) {
    trm__arc_grid g = random_grid(&rng), image, back;
    trm__arc_copy c = trm__arc_identity, parsed;
    c.transform = (uint8_t)(round % 8);
    for (int i = 9; i > 1; i--) {
      int j = 1 + (int)trm__rng_below(&rng, (uint32_t)i);
      uint8_t v = c.colour[i];
      c.colour[i] = c.colour[j];
      c.colour[j] = v;
    }

    /* Undoing gives the grid back. */
    trm__arc_copy_apply(&c, &g, &image);
    trm__arc_copy_undo(&c, &image, &back);
    assert_true(trm__arc_same(&g, &back));

    /* A name with the copy in its tail says the same. */
    char name[64] = "a68b268e";
    size_t length;
    trm__arc_copy_tail(&c, name + 8);
    assert_true(trm__arc_copy_parse(name, &length, &parsed));
    assert_int_equal(length, 8);
    assert_memory_equal(&parsed, &c, sizeof c);
  }
}

static void bad_names_are_refused(void **state) {
  (void)state;
  static const char *const bad[] = {
      "a|||t8|||0123456789", "a|||t1|||0123456788", "a|||",
      "a|||t1|||012345678",  "a|||x1|||0123456789", "a|||t1||0123456789x"};
  size_t length;
  trm__arc_copy c;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_false(trm__arc_copy_parse(bad[i], &length, &c));
  assert_true(trm__arc_copy_parse("plain", &length, &c));
  assert_int_equal(length, 5);
}

static void what_is_placed_is_cropped(void **state) {
  /* Random grids. */
  (void)state;
  trm__rng rng = trm__rng_at(2, TRM__RNG_TEST, 0, 0);
  for (int round = 0; round < 200; round++) {
    trm__arc_grid g = random_grid(&rng), back;
    uint8_t bytes[TRM__ARC_CELLS];
    int32_t tokens[TRM__ARC_CELLS];

    /* At the corner. */
    trm__arc_place(&g, TRM__ARC_SIDE, 0, 0, bytes);
    for (int i = 0; i < TRM__ARC_CELLS; i++) tokens[i] = bytes[i];
    trm__arc_crop(tokens, TRM__ARC_SIDE, &back);
    assert_true(trm__arc_same(&g, &back));

    /* As far from it as it goes: every cell is there, and the last one last. */
    int row = 30 - g.rows, col = 30 - g.cols, seen = 0;
    trm__arc_place(&g, TRM__ARC_SIDE, row, col, bytes);
    for (int i = 0; i < TRM__ARC_CELLS; i++) seen += bytes[i] != 0;
    assert_int_equal(seen, g.rows * g.cols);
    assert_int_equal(bytes[TRM__ARC_CELLS - 1], g.cell[g.rows * g.cols - 1] + 2);
  }

  /* A canvas without a grid crops to nothing. */
  int32_t nothing[TRM__ARC_CELLS] = {0};
  trm__arc_grid empty;
  trm__arc_crop(nothing, TRM__ARC_SIDE, &empty);
  assert_int_equal(empty.rows * empty.cols, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(symbols_of_each_kind),
      cmocka_unit_test(vocabulary_has_limits),
      cmocka_unit_test(json_keeps_everything),
      cmocka_unit_test(bad_json_is_refused),
      cmocka_unit_test(transforms_are_the_reference_s),
      cmocka_unit_test(a_copy_is_undone_and_named),
      cmocka_unit_test(bad_names_are_refused),
      cmocka_unit_test(what_is_placed_is_cropped),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
