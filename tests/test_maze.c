/* Mazes: text, shortest paths, the rule and symmetries. */
#include <pthread.h>

#include "scratch.h"

#include "base/number.h"
#include "base/rng.h"
#include "data/puzzle_csv.h"
#include "puzzle/dihedral.h"
#include "puzzle/maze/maze_board.h"

enum { CELLS = TRM_MAZE_MAX_CELLS };

static void parse(int rows, int cols, const char *text, uint8_t *tokens) {
  trm_puzzle p = trm_maze_of_size(rows, cols);
  assert_int_equal(trm_maze_parse(&p, text, strlen(text), tokens, NULL), TRM_OK);
}

/* --- text --- */

static void text_is_read_and_written(void **state) {
  (void)state;
  trm_puzzle p = trm_maze_of_size(2, 3);
  uint8_t tokens[6];
  static const uint8_t expected[] = {1, 2, 3, 4, 5, 2};
  char text[7];
  parse(2, 3, "# SGo ", tokens);
  assert_memory_equal(tokens, expected, 6);
  trm_maze_format(&p, tokens, text);
  assert_string_equal(text, "# SGo ");
  tokens[0] = 0;
  tokens[1] = 200;
  trm_maze_format(&p, tokens, text);
  assert_string_equal(text, "??SGo ");
}

static void bad_text_is_refused(void **state) {
  /* Texts of a wrong length or with other characters, and the column to blame. */
  (void)state;
  static const struct {
    const char *text;
    size_t n;
    int column;
    const char *word;
  } cases[] = {{"# SG ", 5, 6, "here are 5"},
               {"# SG  #", 7, 7, "here are 7"},
               {"# xG  ", 6, 3, "'x'"},
               {"# S\0  ", 6, 4, "\\x00"},
               {"", 0, 1, "2x3"}};

  /* The position counts from 1, as an editor shows it. */
  trm_puzzle p = trm_maze_of_size(2, 3);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint8_t tokens[6];
    trm_error err;
    assert_int_equal(trm_maze_parse(&p, cases[i].text, cases[i].n, tokens, &err), TRM_E_FORMAT);
    assert_int_equal(err.pos, cases[i].column);
    assert_true(speaks_of(&err, cases[i].word));
  }

  /* Sides that no maze has make no puzzle, and nothing can be read as one. */
  static const int wrong[][2] = {{0, 5}, {5, -1}, {1, 1025}, {129, 128}, {1 << 20, 1 << 20}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    uint8_t tokens[6];
    p = trm_maze_of_size(wrong[i][0], wrong[i][1]);
    assert_int_equal(p.kind, TRM_PUZZLE_NONE);
    assert_int_equal(trm_maze_parse(&p, "", 0, tokens, NULL), TRM_E_ARGUMENT);
  }
}

/* --- paths --- */

#define MAZE \
  "S   # "   \
  " ## # "   \
  "     G"   \
  " #####"
static const struct {
  const char *answer;
  bool right;
} answers[] = {
    {"S   # "
     "o## # "
     "oooooG"
     " #####",
     true}, /* down first */
    {"Sooo# "
     " ##o# "
     "   ooG"
     " #####",
     true},
    {"Sooo# "
     "o##o# "
     "oooooG"
     " #####",
     false}, /* both */
    {"S   # "
     "o## # "
     "oo ooG"
     " #####",
     false}, /* broken off */
    {"S   # "
     "o## # "
     "oooooG"
     "o#####",
     false}, /* a dead end, too */
    {"So  # "
     "o## # "
     "oo ooG"
     " #####",
     false}, /* the right number, not connected */
    {"S   # "
     "o## # "
     "oooooo"
     " #####",
     false}, /* no goal */
    {"Soo # "
     " #oo# "
     "   ooG"
     " #####",
     false}, /* through a wall */
    {"S   #o"
     "o## # "
     "oooo G"
     " #####",
     false}, /* the right number, one of them elsewhere */
    {MAZE, false},
};

static void every_shortest_path_is_right(void **state) {
  (void)state;
  uint8_t question[CELLS], answer[CELLS], found[CELLS];
  parse(4, 6, MAZE, question);
  assert_int_equal(trm_maze_shortest(4, 6, question, found), 8);
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
    parse(4, 6, answers[i].answer, answer);
    assert_int_equal(trm_maze_solves(4, 6, question, answer), answers[i].right);
    assert_int_equal(memcmp(answer, found, 24) == 0, i == 0);
  }
  parse(4, 6, answers[0].answer, answer);
  assert_false(trm_maze_solves(4, 6, answer, answer)); /* a question has no path */
  answer[5] = 77;
  assert_false(trm_maze_solves(4, 6, question, answer));
}

static void hopeless_mazes_have_no_path(void **state) {
  (void)state;
  static const char *const wrong[] = {"S # G", "S   S", "G    ", "     ", "S oG ", "SG  G"};
  uint8_t tokens[CELLS], answer[CELLS];
  memset(answer, 9, 5);
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    parse(1, 5, wrong[i], tokens);
    assert_int_equal(trm_maze_shortest(1, 5, tokens, answer), 0);
    assert_false(trm_maze_solves(1, 5, tokens, tokens));
    assert_int_equal(answer[0], 9);
  }
  parse(1, 5, "#SG  ", tokens);
  assert_int_equal(trm_maze_shortest(1, 5, tokens, answer), 2);
  assert_memory_equal(tokens, answer, 5);
  assert_true(trm_maze_solves(1, 5, tokens, answer));
}

/* Some systems' threads have 128 KiB (musl). The largest maze, with all that is asked about it. */
static void *ask_about_a_large_maze(void *arg) {
  static uint8_t question[TRM_MAZE_MAX_CELLS], answer[TRM_MAZE_MAX_CELLS];
  static int32_t inputs[TRM_MAZE_MAX_CELLS], labels[TRM_MAZE_MAX_CELLS];
  const trm_puzzle p = trm_maze_of_size(128, 128);
  memset(question, TRM_MAZE_FREE, sizeof question);
  question[0] = TRM_MAZE_START;
  question[TRM_MAZE_MAX_CELLS - 1] = TRM_MAZE_GOAL;
  if (trm_maze_shortest(128, 128, question, answer) != 255) return NULL;
  for (int i = 0; i < TRM_MAZE_MAX_CELLS; i++) {
    inputs[i] = question[i];
    labels[i] = answer[i];
  }
  return trm_puzzle_solves(&p, inputs, labels) ? arg : NULL;
}

static void small_stacks_are_enough(void **state) {
  (void)state;
  pthread_attr_t attr;
  pthread_t thread;
  int done;
  void *good;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  skip(); /* they make frames larger */
#endif
  assert_int_equal(pthread_attr_init(&attr), 0);
  assert_int_equal(pthread_attr_setstacksize(&attr, 128 << 10), 0);
  assert_int_equal(pthread_create(&thread, &attr, ask_about_a_large_maze, &done), 0);
  assert_int_equal(pthread_join(thread, &good), 0);
  assert_ptr_equal(good, &done);
  pthread_attr_destroy(&attr);
}

/* The longest boards there are: a snake through 16 x 1024 and 128 x 128 cells. */
static void large_mazes_fit(void **state) {
  (void)state;
  static const int sizes[][2] = {{16, 1024}, {1024, 16}, {128, 128}, {1, 1024}};
  for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
    int rows = sizes[k][0], cols = sizes[k][1], open = 0;
    static uint8_t question[CELLS], answer[CELLS];
    for (int i = 0; i < rows * cols; i++) {
      int row = i / cols, col = i % cols;
      bool wall = row % 2 && col != (row % 4 == 1 ? cols - 1 : 0);
      question[i] = wall ? TRM_MAZE_WALL : TRM_MAZE_FREE;
      open += !wall;
    }
    question[0] = TRM_MAZE_START;
    int last = rows * cols - 1;
    while (question[last] == TRM_MAZE_WALL) last--;
    if (rows % 2 && rows / 2 % 2) last = (rows - 1) * cols;
    question[last] = TRM_MAZE_GOAL;
    assert_int_equal(trm_maze_shortest(rows, cols, question, answer), open);
    assert_true(trm_maze_solves(rows, cols, question, answer));
  }
}

/* Lengths by relaxation until nothing changes. */
static int length_by_relaxation(int rows, int cols, const uint8_t *q) {
  int far[144], changed = 1, goal = 0;
  for (int i = 0; i < rows * cols; i++) {
    far[i] = q[i] == TRM_MAZE_START ? 1 : 10000;
    if (q[i] == TRM_MAZE_GOAL) goal = i;
  }
  while (changed) {
    changed = 0;
    for (int i = 0; i < rows * cols; i++)
      for (int k = 0; k < rows * cols; k++) {
        int apart = abs(i / cols - k / cols) + abs(i % cols - k % cols);
        if (apart != 1 || q[i] == TRM_MAZE_WALL || q[k] == TRM_MAZE_WALL) continue;
        if (far[k] + 1 < far[i]) {
          far[i] = far[k] + 1;
          changed = 1;
        }
      }
  }
  return far[goal] < 10000 ? far[goal] : 0;
}

static void lengths_are_exact(void **state) {
  (void)state;
  int solved = 0;
  for (uint32_t n = 0; n < 300; n++) {
    trm__rng rng = trm__rng_at(3, TRM__RNG_TEST, 1, n);
    int rows = 1 + (int)trm__rng_below(&rng, 10), cols = 2 + (int)trm__rng_below(&rng, 8);
    uint8_t q[144], a[144];
    for (int i = 0; i < rows * cols; i++)
      q[i] = trm__rng_below(&rng, 10) < 4 ? TRM_MAZE_WALL : TRM_MAZE_FREE;
    uint32_t s = trm__rng_below(&rng, (uint32_t)(rows * cols)), g = s;
    while (g == s) g = trm__rng_below(&rng, (uint32_t)(rows * cols));
    q[s] = TRM_MAZE_START;
    q[g] = TRM_MAZE_GOAL;
    int length = trm_maze_shortest(rows, cols, q, a);
    assert_int_equal(length, length_by_relaxation(rows, cols, q));
    if (!length) continue;
    solved++;
    assert_true(trm_maze_solves(rows, cols, q, a));
  }
  assert_in_range(solved, 50, 250);
}

/* --- symmetries --- */

static void images_have_one_canonical_form(void **state) {
  (void)state;

  /* A square has eight images, any other shape has four, the maze itself first among them. */
  static const int sizes[][2] = {{5, 5}, {4, 7}};
  for (int k = 0; k < 2; k++) {
    trm_puzzle p = trm_maze_of_size(sizes[k][0], sizes[k][1]);
    int cells = p.rows * p.cols, transforms[TRM__DIHEDRAL],
        n = trm__maze_transforms(&p, transforms);
    assert_int_equal(n, k ? 4 : 8);
    assert_int_equal(transforms[0], 0);

    /* Random walls, of which each image has the same form. */
    for (uint32_t i = 0; i < 50; i++) {
      uint8_t maze[49], image[49], form[49], again[49];
      trm__rng rng = trm__rng_at(3, TRM__RNG_TEST, 2, i);
      for (int c = 0; c < cells; c++) maze[c] = (uint8_t)(1 + trm__rng_below(&rng, 2));
      trm__maze_canonical(&p, maze, form);
      bool is_image = false;
      for (int t = 0; t < n; t++) {
        trm__maze_image(&p, transforms[t], maze, image);
        trm__maze_canonical(&p, image, again);
        assert_memory_equal(form, again, (size_t)cells);
        is_image |= memcmp(image, form, (size_t)cells) == 0;
      }

      /* The form is one of the images. */
      assert_true(is_image);

      /* A maze with one cell changed has another form. */
      maze[i % (uint32_t)cells] ^= 3;
      trm__maze_canonical(&p, maze, again);
      assert_memory_not_equal(form, again, (size_t)cells);
    }
  }
}

/* --- published mazes --- */

static void published_labels_follow_the_rule(void **state) {
  /* Mazes of others, where they are beside the checkout, with their answer and the length of its
   * path. */
  (void)state;
  static const char *const files[] = {"train", "test"};
  trm_puzzle p = trm_maze_of_size(30, 30);
  int read = 0;
  for (int k = 0; k < 2; k++) {
    char path[512];
    trm__puzzle_csv *in = calloc(1, sizeof *in);
    assert_non_null(in);
    snprintf(path, sizeof path, "%s/data/maze-hard/%s.csv", TRM_SHARED_DIR, files[k]);

    /* Each label is a shortest path, of the length that is said, and the one that we find. */
    if (trm__puzzle_csv_open(in, path, "question,answer,rating", NULL) == TRM_OK) {
      for (;; read++) {
        uint8_t q[900], a[900], found[900];
        double rating;
        assert_int_equal(trm__puzzle_csv_next(in, NULL), TRM_OK);
        if (!in->question.text) break;
        assert_int_equal(trm_maze_parse(&p, in->question.text, in->question.n, q, NULL), TRM_OK);
        assert_int_equal(trm_maze_parse(&p, in->answer.text, in->answer.n, a, NULL), TRM_OK);
        const trm__csv_field *f = &in->csv.field[in->columns.at[TRM__RATING]];
        rating = trm__number_read(f->text, f->n);
        assert_true(trm_maze_solves(30, 30, q, a));
        assert_int_equal(trm_maze_shortest(30, 30, q, found), (int)rating + 1);
        assert_memory_equal(found, a, 900);
      }
    }
    trm__puzzle_csv_close(in);
    free(in);
  }

  /* With no file at all nothing was shown, so the test does not pass. */
  if (!read) {
    print_message("no mazes below %s\n", TRM_SHARED_DIR);
    skip();
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      /* text */
      cmocka_unit_test(text_is_read_and_written),
      cmocka_unit_test(bad_text_is_refused),

      /* paths */
      cmocka_unit_test(every_shortest_path_is_right),
      cmocka_unit_test(hopeless_mazes_have_no_path),
      cmocka_unit_test(small_stacks_are_enough),
      cmocka_unit_test(large_mazes_fit),
      cmocka_unit_test(lengths_are_exact),

      /* symmetries, and mazes of others */
      cmocka_unit_test(images_have_one_canonical_form),
      cmocka_unit_test(published_labels_follow_the_rule),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
