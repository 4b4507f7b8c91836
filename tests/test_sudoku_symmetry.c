/* The symmetries of Sudokus, and the canonical form that all images of one have. */
#include "small_sudoku.h"

#include "puzzle/sudoku/sudoku_symmetry.h"
#include "trm/dataset.h"

static void symmetries_are_bijections_that_keep_the_rules(void **state) {
  (void)state;
  for (int k = 0; k < N_SIZES; k++) {
    /* One puzzle for each size; above 10 none is made, for that would take too long. */
    trm_puzzle p = trm_sudoku_of_size(sizes[k]);
    int cells = p.rows * p.cols;
    uint8_t q[CELLS], a[CELLS];
    make_puzzle(sizes[k] > 10 ? 10 : sizes[k], 3, q, a);
    for (uint32_t i = 0; i < 50; i++) {
      /* Cells and digits are permuted, each hit once, and an empty cell stays empty. */
      trm__rng rng = rng_at(60 + (uint64_t)k, i);
      trm__symmetry g;
      trm__symmetry_draw(&p, &rng, &g);
      int hit[CELLS] = {0}, digit[17] = {0};
      for (int c = 0; c < cells; c++) hit[g.cell[c]]++;
      for (int c = 0; c < cells; c++) assert_int_equal(hit[c], 1);
      for (int v = 0; v <= p.rows; v++) digit[g.digit[v]]++;
      for (int v = 0; v <= p.rows; v++) assert_int_equal(digit[v], 1);
      assert_int_equal(g.digit[0], 0);

      /* The image of a puzzle is a puzzle, answered by the image of the answer. */
      if (sizes[k] > 10) continue;
      uint8_t question[CELLS], answer[CELLS];
      trm__symmetry_apply(&g, q, question);
      trm__symmetry_apply(&g, a, answer);
      assert_true(trm_sudoku_solves(&p, question, answer));
      assert_int_equal(count_givens(question, cells), count_givens(q, cells));
    }
  }
}

static void every_symmetry_is_drawn(void **state) {
  (void)state;
  trm_puzzle p = trm_sudoku_of_size(4);
  enum { GROUP = 2 * 8 * 8, DRAWS = 4000 };
  uint8_t seen[GROUP][16];
  int n = 0;
  for (uint32_t i = 0; i < DRAWS; i++) {
    trm__rng rng = rng_at(70, i);
    trm__symmetry g;
    trm__symmetry_draw(&p, &rng, &g);
    int at = 0;
    while (at < n && memcmp(seen[at], g.cell, 16)) at++;
    if (at < n) continue;
    assert_true(n < GROUP);
    memcpy(seen[n++], g.cell, 16);
  }
  assert_int_equal(n, GROUP);
}

static void tokens_follow_values(void **state) {
  (void)state;
  trm_puzzle p = trm_sudoku_of_size(6);
  uint8_t q[CELLS], a[CELLS], image[CELLS];
  int32_t tokens[CELLS], moved[CELLS];
  make_puzzle(6, 0, q, a);
  trm__rng rng = rng_at(80, 0);
  trm__symmetry g;
  trm__symmetry_draw(&p, &rng, &g);
  trm__symmetry_apply(&g, q, image);
  for (int i = 0; i < 36; i++) tokens[i] = q[i] + 1;
  trm__symmetry_apply_tokens(&g, tokens, moved);
  for (int i = 0; i < 36; i++) assert_int_equal(moved[i], image[i] + 1);
  static const int32_t fixed[] = {TRM_IGNORE_LABEL, 0, 1};
  for (int k = 0; k < 3; k++) {
    for (int i = 0; i < 36; i++) tokens[i] = fixed[k];
    trm__symmetry_apply_tokens(&g, tokens, moved);
    assert_memory_equal(tokens, moved, 36 * sizeof *tokens);
  }
}

/* --- the canonical form --- */

/* A grid and an image of it that is drawn have the same form, the form of a form is itself, and no
 * given is lost. */
static void assert_form_is_kept(const trm_puzzle *p, const uint8_t *grid, trm__rng *rng) {
  const int cells = p->rows * p->cols;
  uint8_t form[CELLS], image[CELLS], again[CELLS];
  trm__symmetry g;
  trm__symmetry_draw(p, rng, &g);
  trm__symmetry_apply(&g, grid, image);
  trm_sudoku_canonical(p, grid, form);
  trm_sudoku_canonical(p, image, again);
  assert_memory_equal(form, again, (size_t)cells);
  trm_sudoku_canonical(p, form, again);
  assert_memory_equal(form, again, (size_t)cells);
  assert_int_equal(count_givens(form, cells), count_givens(grid, cells));
}

static void canonical_is_invariant(void **state) {
  (void)state;
  for (int k = 0; k < N_SIZES; k++) {
    /* Sizes above 10 would take too long to generate. */
    int size = sizes[k] > 10 ? 9 : sizes[k];
    trm_puzzle p = trm_sudoku_of_size(size);

    /* Each puzzle, and the full grid that solves it, under 24 symmetries. */
    for (uint32_t i = 0; i < 12; i++) {
      uint8_t grid[2][CELLS];
      make_puzzle(size, i, grid[0], grid[1]); /* the puzzle and the solved grid */
      for (uint32_t j = 0; j < 24; j++) {
        trm__rng rng = rng_at(90 + i, j);
        assert_form_is_kept(&p, grid[j & 1], &rng);
      }
    }
  }
}

/* Sparse and regular grids have many symmetries of their own. */
static void canonical_survives_symmetric_grids(void **state) {
  (void)state;
  for (int k = 0; k < N_SIZES; k++) {
    /* Nothing, one cell, a diagonal, a checkerboard, and a whole cyclic grid. */
    trm_puzzle p = trm_sudoku_of_size(sizes[k]);
    int size = p.rows;
    for (int kind = 0; kind < 5; kind++) {
      uint8_t grid[CELLS] = {0};
      for (int r = 0; r < size; r++)
        for (int c = 0; c < size; c++) {
          int band = r / p.box_rows, in_band = r % p.box_rows;
          int cyclic = (c + in_band * p.box_cols + band) % size;
          bool keep[] = {false, r == 0 && c == 0, r == c, (r + c) % 2 == 0, true};
          if (keep[kind]) grid[r * size + c] = (uint8_t)(cyclic + 1);
        }

      /* The search for the least image must end, and at the same form, though many images tie. */
      trm__rng rng = rng_at(110, (uint32_t)(k * 5 + kind));
      assert_form_is_kept(&p, grid, &rng);
    }
  }
}

/* The least image of a 4x4 grid by trying all 128 permutations of its cells. */
static void least_image(const uint8_t *grid, uint8_t *least) {
  static const uint8_t order[8][4] = {{0, 1, 2, 3}, {1, 0, 2, 3}, {0, 1, 3, 2}, {1, 0, 3, 2},
                                      {2, 3, 0, 1}, {3, 2, 0, 1}, {2, 3, 1, 0}, {3, 2, 1, 0}};
  memset(least, 255, 16);
  for (int which = 0; which < 128; which++) {
    const uint8_t *rows = order[which & 7], *cols = order[which >> 3 & 7];
    uint8_t image[16], name[5] = {0}, names = 0;
    for (int i = 0; i < 16; i++) {
      int r = rows[i / 4], c = cols[i % 4];
      uint8_t v = grid[which >> 6 ? c * 4 + r : r * 4 + c];
      if (v && !name[v]) name[v] = ++names;
      image[i] = name[v];
    }
    if (memcmp(image, least, 16) < 0) memcpy(least, image, 16);
  }
}

static void canonical_separates_exactly(void **state) {
  (void)state;

  /* Puzzles of side 4 are small enough to try all images of each. */
  enum { GRIDS = 400 };
  static uint8_t form[GRIDS][16], least[GRIDS][16];
  trm_puzzle p = trm_sudoku_of_size(4);

  /* The least image of all is the truth that forms are compared with. */
  for (uint32_t i = 0; i < GRIDS; i++) {
    uint8_t q[CELLS], a[CELLS];
    make_puzzle(4, i, q, a);
    if (i % 4 == 1) memcpy(q, a, 16); /* solved grids, too */
    if (i % 4 == 2) q[i % 16] = 0;    /* and puzzles with several solutions */
    trm_sudoku_canonical(&p, q, form[i]);
    least_image(q, least[i]);
    uint8_t check[16];
    least_image(form[i], check);
    assert_memory_equal(check, least[i], 16); /* the form is itself an image */
  }

  /* Two forms are equal exactly where the least images are. */
  int same = 0;
  for (int i = 0; i < GRIDS; i++)
    for (int j = 0; j < i; j++) {
      bool equal = !memcmp(form[i], form[j], 16);
      assert_int_equal(equal, !memcmp(least[i], least[j], 16));
      same += equal;
    }

  /* With too few pairs of equals half of the claim would be empty. */
  assert_true(same > 100);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      /* symmetries */
      cmocka_unit_test(symmetries_are_bijections_that_keep_the_rules),
      cmocka_unit_test(every_symmetry_is_drawn),
      cmocka_unit_test(tokens_follow_values),

      /* canonical forms */
      cmocka_unit_test(canonical_is_invariant),
      cmocka_unit_test(canonical_survives_symmetric_grids),
      cmocka_unit_test(canonical_separates_exactly),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
