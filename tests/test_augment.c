/* Images of grids and mazes: they can be undone, fit their canvas, and have one canonical form. */
#include "folder.h"

#include "puzzle/augmenter.h"
#include "puzzle/puzzle.h"
#include "puzzle/sudoku/sudoku_symmetry.h"
#include "trm/grid.h"
#include "trm/maze.h"
#include "trm/sudoku.h"

enum { MAX_CELLS = 48 };

static trm_puzzle grid_puzzle(int rows, int cols, bool sized, const char *symmetries) {
  trm_puzzle p = {.kind = TRM_PUZZLE_GRID, .rows = rows, .cols = cols, .sized = sized};
  const char *const symbols[] = {"0", "1", "2", "3", "4", "5", "+", "-"};
  for (int i = 0; i < 8; i++) assert_true(trm__puzzle_add_symbol(&p, symbols[i]));
  snprintf(p.symmetries, sizeof p.symmetries, "%s", symmetries);
  return p;
}

static trm__grid_symmetry symmetry_of(const trm_puzzle *p) {
  trm__grid_symmetry s;
  trm_error err;
  if (trm__grid_symmetry_init(&s, p, p->symmetries, "test", NULL, &err) != TRM_OK)
    fail_msg("%s", err.msg);
  return s;
}

/* A random grid of some size in the corner of the canvas. */
static void random_grid(const trm_puzzle *p, trm__rng *rng, int rows, int cols, bool label,
                        int32_t *to) {
  int first = trm_puzzle_first_symbol(p);
  for (int i = 0; i < p->rows; i++)
    for (int j = 0; j < p->cols; j++) {
      int32_t *cell = to + i * p->cols + j;
      *cell = label ? TRM_IGNORE_LABEL : 0;
      if (i < rows && j < cols) {
        int v = (int)trm__rng_below(rng, label ? 9 : 8);
        *cell = v == 8 ? TRM_IGNORE_LABEL : first + v;
      } else if ((i == rows && j < cols) || (j == cols && i < rows)) {
        *cell = TRM_PUZZLE_END;
      }
    }
}

static trm__grid_image inverse_of(const trm__grid_symmetry *s, const trm__grid_image *g) {
  trm__grid_image back = {.transform = trm__dihedral_inverse(g->transform)};
  for (int v = 0; v < s->tokens; v++) back.token[g->token[v]] = (uint8_t)v;
  return back;
}

static void images_can_be_undone(void **state) {
  (void)state;

  /* Shapes and symmetries with the transforms that leave the canvas as it is. */
  static const struct {
    int rows, cols;
    bool sized;
    const char *symmetries;
    unsigned transforms; /* that must occur */
  } cases[] = {{5, 5, false, "dihedral,permute:1-3", 0xff},
               {4, 6, false, "dihedral", 0x35},
               {4, 6, true, "dihedral,permute:+--,permute:0+5+2", 0xff},
               {4, 6, true, "rotate", 0x0f},
               {6, 4, false, "rotate", 0x05},
               {6, 4, true, "flip", 0x35},
               {5, 5, false, "transpose", 0x41},
               {5, 5, false, "permute:0-5", 0x01}};

  /* Four hundred draws of two grids each. */
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    trm_puzzle p = grid_puzzle(cases[c].rows, cases[c].cols, cases[c].sized, cases[c].symmetries);
    trm__grid_symmetry s = symmetry_of(&p);
    unsigned seen = 0;
    for (uint32_t k = 0; k < 400; k++) {
      int32_t grid[2][MAX_CELLS], image[MAX_CELLS], back[MAX_CELLS];
      int32_t form[MAX_CELLS], image_form[MAX_CELLS], work[MAX_CELLS];
      trm__rng rng = trm__rng_at(c, TRM__RNG_TEST, 0, k);
      size_t bytes = (size_t)(p.rows * p.cols) * sizeof **grid;

      /* Where sizes may differ, grids are smaller than the canvas. */
      for (int g = 0; g < 2; g++) {
        int rows = p.sized ? 1 + (int)trm__rng_below(&rng, (uint32_t)p.rows) : p.rows;
        int cols = p.sized ? 1 + (int)trm__rng_below(&rng, (uint32_t)p.cols) : p.cols;
        random_grid(&p, &rng, rows, cols, g, grid[g]);
      }

      /* What is drawn is one of the transforms, and has an inverse. */
      trm__grid_image drawn;
      trm__grid_image_draw(&s, grid[0], grid[1], &rng, &drawn);
      seen |= 1u << drawn.transform;
      trm__grid_image undo = inverse_of(&s, &drawn);

      /* The inverse gives the grid back, padding and ignored labels included. */
      for (int g = 0; g < 2; g++) {
        int32_t pad = g ? TRM_IGNORE_LABEL : 0;
        trm__grid_image_apply(&s, &drawn, pad, grid[g], image);
        trm__grid_image_apply(&s, &undo, pad, image, back);
        assert_memory_equal(back, grid[g], bytes);
      }

      /* An image has the canonical form of its original. */
      trm__grid_image_apply(&s, &drawn, 0, grid[0], image);
      trm__grid_canonical(&s, grid[0], work, form);
      trm__grid_canonical(&s, image, work, image_form);
      assert_memory_equal(form, image_form, bytes);
    }

    /* All transforms that should occur did, and no others. */
    assert_int_equal(seen, cases[c].transforms);
  }
}

/* 2 x 3 on a 4 x 4 canvas, turned counter-clockwise: 3 x 2, its marks anew. */
static void sized_grids_are_placed_again(void **state) {
  (void)state;
  trm_puzzle p = grid_puzzle(4, 4, true, "rotate");
  trm__grid_symmetry s = symmetry_of(&p);
  const int32_t grid[] = {2, 3, 4, 1, 5, 6, 7, 1, 1, 1, 1, 0, 0, 0, 0, 0};
  const int32_t want[] = {4, 7, 1, 0, 3, 6, 1, 0, 2, 5, 1, 0, 1, 1, 0, 0};
  int32_t image[16];
  trm__grid_image turn = {.transform = 1};
  for (int v = 0; v < s.tokens; v++) turn.token[v] = (uint8_t)v;
  trm__grid_image_apply(&s, &turn, 0, grid, image);
  assert_memory_equal(image, want, sizeof want);
}

static void names_change_within_their_class(void **state) {
  (void)state;

  /* Symbols 1 to 3 may change among themselves, 4 and 5 may, the others not. */
  trm_puzzle p = grid_puzzle(2, 4, false, "permute:1-3,permute:4+5");
  trm__grid_symmetry s = symmetry_of(&p);
  int seen[2][6] = {{0}};
  const int32_t grid[8] = {1, 2, 3, 4, 5, 6, 7, 8};

  /* Many images of a grid that has each symbol once. */
  for (uint32_t k = 0; k < 600; k++) {
    int32_t image[8];
    trm__rng rng = trm__rng_at(1, TRM__RNG_TEST, 0, k);
    trm__grid_image drawn;
    trm__grid_image_draw(&s, grid, grid, &rng, &drawn);
    trm__grid_image_apply(&s, &drawn, 0, grid, image);

    /* Those that are in no class stay; each class is permuted (its sum and product stay). */
    assert_int_equal(image[0], 1);
    assert_int_equal(image[6], 7);
    assert_int_equal(image[7], 8);
    assert_int_equal(image[1] + image[2] + image[3], 9);
    assert_int_equal(image[1] * image[2] * image[3], 24);
    assert_int_equal(image[4] + image[5], 11);

    /* How often each order came. */
    seen[0][(image[1] - 2) * 2 + (image[2] > image[3])]++;
    seen[1][image[4] - 5]++;
  }

  /* No order is rare: six of the one class, two of the other. */
  for (int i = 0; i < 6; i++) assert_true(seen[0][i] > 60);
  for (int i = 0; i < 2; i++) assert_true(seen[1][i] > 240);
}

/* The stream draws what trm__symmetry_draw gives for (seed, batch, row). */
static void sudoku_streams_are_as_before(void **state) {
  /* The same data set as two streams, of which one draws images. */
  folder f = folder_good();
  char dir[160];
  snprintf(dir, sizeof dir, "%s", scratch_path(*state, "sudoku"));
  folder_write(&f, dir, "train");
  trm_dataset *d;
  assert_int_equal(trm_dataset_open(dir, "train", &d, NULL), TRM_OK);
  const trm_dataset *sets[1] = {d};
  trm_stream *plain, *drawn;
  trm_stream_config config = {4, 9, 10, TRM_AUGMENT_NONE};
  assert_int_equal(trm_stream_create(sets, 1, &config, &plain, NULL), TRM_OK);
  config.augment = TRM_AUGMENT_ON_THE_FLY;
  assert_int_equal(trm_stream_create(sets, 1, &config, &drawn, NULL), TRM_OK);

  /* Row by row, the image is the symmetry of that batch and row applied to the plain one. */
  for (uint64_t batch = 0; batch < 8; batch++) {
    int32_t in[2][4 * FOLDER_LEN], label[2][4 * FOLDER_LEN], ids[4], want[FOLDER_LEN];
    trm_stream_next(plain, NULL, in[0], label[0], ids);
    trm_stream_next(drawn, NULL, in[1], label[1], ids);
    for (uint32_t row = 0; row < 4; row++) {
      trm__rng rng = trm__rng_at(9, TRM__RNG_AUGMENT, batch, row);
      trm__symmetry g;
      trm__symmetry_draw(&trm_dataset_get_info(d)->puzzle, &rng, &g);
      trm__symmetry_apply_tokens(&g, in[0] + row * FOLDER_LEN, want);
      assert_memory_equal(in[1] + row * FOLDER_LEN, want, sizeof want);
      trm__symmetry_apply_tokens(&g, label[0] + row * FOLDER_LEN, want);
      assert_memory_equal(label[1] + row * FOLDER_LEN, want, sizeof want);
    }
  }

  trm_stream_free(plain);
  trm_stream_free(drawn);
  trm_dataset_free(d);
}

static void mazes_stay_mazes(void **state) {
  (void)state;

  /* A maze of 4 by 5 cells and its shortest path. */
  const char question[] = "#### #S  ##  ## G###";
  trm_puzzle p = trm_maze_of_size(4, 5);
  trm__augmenter a;
  uint8_t tokens[20], answer[20];
  int32_t from[2][20], to[2][20];
  unsigned images = 0;
  assert_int_equal(trm__augmenter_init(&a, &p, "test", NULL), TRM_OK);
  assert_int_equal(trm_maze_parse(&p, question, 20, tokens, NULL), TRM_OK);
  assert_true(trm_maze_shortest(4, 5, tokens, answer) > 0);
  for (int i = 0; i < 20; i++) from[0][i] = tokens[i], from[1][i] = answer[i];

  /* Under every image the path is one of the shortest. */
  for (uint32_t k = 0; k < 40; k++) {
    trm__rng rng = trm__rng_at(2, TRM__RNG_TEST, 0, k);
    trm__augmenter_draw(&a, &rng, from[0], from[1], to[0], to[1]);
    for (int i = 0; i < 20; i++) tokens[i] = (uint8_t)to[0][i], answer[i] = (uint8_t)to[1][i];
    assert_true(trm_maze_solves(4, 5, tokens, answer));
    for (int t = 0; t < 4; t++)
      images |= (unsigned)(tokens[(int[]){6, 8, 11, 13}[t]] == TRM_MAZE_START) << t;
  }
  assert_int_equal(images, 15); /* the start in four places: all that a wide canvas allows */
}

/* Whole streams of a user's puzzles: every row is an image of an example. */
static void grid_streams_give_images(void **state) {
  /* Two puzzles of different sizes. */
  char train[160], out[160];
  const char *text =
      "{\"input\": [[1, 2, 3]], \"output\": [[3], [2], [1]]}\n"
      "{\"input\": [[1, 1], [2, 4]], \"output\": [[null, 2]]}\n";
  snprintf(train, sizeof train, "%s", scratch_path(*state, "g.jsonl"));
  snprintf(out, sizeof out, "%s", scratch_path(*state, "grids"));
  write_bytes(train, text, strlen(text));

  /* Built with all turns and three symbols that may change. */
  trm_grid_build_config c = {
      .train = train, .output_dir = out, .symmetries = "dihedral,permute:1-3"};
  trm_dataset *d;
  assert_int_equal(trm_build_grid(&c, NULL, NULL), TRM_OK);
  assert_int_equal(trm_dataset_open(out, "train", &d, NULL), TRM_OK);
  const trm_puzzle *p = &trm_dataset_get_info(d)->puzzle;
  trm__grid_symmetry s = symmetry_of(p);

  /* The form of each question. */
  int32_t form[2][9], work[9];
  for (int i = 0; i < 2; i++) {
    int32_t inputs[9];
    trm_dataset_example(d, i, inputs, NULL, NULL);
    trm__grid_canonical(&s, inputs, work, form[i]);
  }

  /* A stream that draws images. */
  trm_stream *stream;
  const trm_dataset *sets[1] = {d};
  trm_stream_config config = {2, 4, 100, TRM_AUGMENT_ON_THE_FLY};
  assert_int_equal(trm_stream_create(sets, 1, &config, &stream, NULL), TRM_OK);
  int upright = 0;

  /* Each row has the form of one of them, and only its padding is ignored. */
  for (int k = 0; k < 50; k++) {
    int32_t inputs[18], labels[18], ids[2], found[9];
    trm_stream_next(stream, NULL, inputs, labels, ids);
    for (int r = 0; r < 2; r++) {
      const int32_t *in = inputs + r * 9, *label = labels + r * 9;
      for (int i = 0; i < 9; i++) assert_true(label[i] > 0 || label[i] == TRM_IGNORE_LABEL);
      trm__grid_canonical(&s, in, work, found);
      int which = memcmp(found, form[0], sizeof found) != 0;
      assert_memory_equal(found, form[which], sizeof found);

      /* The first one is a line, or the same upright; question and answer are turned alike. */
      if (which) continue;
      bool down = in[1] == TRM_PUZZLE_END;
      upright += down;
      for (int i = 0; i < 3; i++)
        assert_true(in[down ? 3 * i : i] == label[down ? i : 3 * i] ||
                    in[down ? 3 * i : i] == label[down ? 2 - i : 3 * (2 - i)]);
    }
  }

  /* Both positions of the line occur. */
  assert_true(upright > 10 && upright < 40);
  trm_stream_free(stream);
  trm_dataset_free(d);
}

static void what_has_no_images_is_refused(void **state) {
  (void)state;

  /* Puzzles of which nothing is known, without symmetries, with an unknown one, and with one that
   * its shape has not. */
  trm_puzzle none = {0}, bare = grid_puzzle(4, 4, false, ""),
             odd = grid_puzzle(4, 4, false, "spin");
  trm_puzzle wide = grid_puzzle(4, 6, false, "transpose");
  const struct {
    const trm_puzzle *p;
    const char *word;
  } cases[] = {{&none, "no \"puzzle\""},
               {&bare, "declare no symmetries"},
               {&odd, "'spin'"},
               {&wide, "4 x 6 cells have none"}};

  /* The set is named, and so is what is missing. */
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    trm__augmenter a;
    trm_error err;
    assert_int_equal(trm__augmenter_init(&a, cases[i].p, "set 1", &err), TRM_E_CONFIG);
    assert_true(speaks_of(&err, cases[i].word));
    assert_true(speaks_of(&err, "set 1"));
    assert_false(trm_puzzle_has_images(cases[i].p));
  }

  /* What has images is known as such. */
  trm_puzzle square = grid_puzzle(4, 4, false, "transpose"), sudoku = trm_sudoku_of_size(9);
  assert_true(trm_puzzle_has_images(&square) && trm_puzzle_has_images(&sudoku));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(images_can_be_undone),
      cmocka_unit_test(sized_grids_are_placed_again),
      cmocka_unit_test(names_change_within_their_class),
      cmocka_unit_test(sudoku_streams_are_as_before),
      cmocka_unit_test(mazes_stay_mazes),
      cmocka_unit_test(grid_streams_give_images),
      cmocka_unit_test(what_has_no_images_is_refused),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
