/* A small data set folder of each kind, written by hand: from lines of text, so that a test can
 * spoil any of it. */
#ifndef TRM_TESTS_SMALL_SETS_H
#define TRM_TESTS_SMALL_SETS_H

#include "io/json.h"

#include "io/npy.h"
#include "puzzle/puzzle.h"
#include "scratch.h"
#include "trm.h"

enum { SET_ROWS = 16 };

/* Example i: question[i] and answer[i] of puzzle[i] (from 0, not falling), whose id is id[puzzle]
 * and whose group is group[puzzle]. */
typedef struct small_split {
  const char *question[SET_ROWS], *answer[SET_ROWS]; /* answer NULL: no label at all */
  int puzzle[SET_ROWS], group[SET_ROWS], id[SET_ROWS];
  int shift; /* sized grids lie so many rows below and columns beside the corner */
} small_split;

static inline void set_array(const char *dir, const char *name, int ndim, int64_t rows,
                             int64_t cols, const int32_t *data) {
  char path[300];
  int64_t shape[2] = {rows, cols};
  snprintf(path, sizeof path, "%s/all__%s.npy", dir, name);
  assert_int_equal(trm__npy_save(path, TRM__NPY_I4, ndim, shape, data, NULL), TRM_OK);
}

/* Row of tokens from a line; "" is an empty canvas. */
static inline void set_tokens(const trm_puzzle *p, const char *text, int shift, int32_t *out) {
  int32_t *plain = calloc((size_t)p->rows * (size_t)p->cols, sizeof *plain);
  trm_error err;
  assert_non_null(plain);
  memset(out, 0, (size_t)p->rows * (size_t)p->cols * sizeof *out);
  if (text && *text && trm_puzzle_parse(p, text, strlen(text), plain, &err) != TRM_OK)
    fail_msg("%s: %s", text, err.msg);
  for (int row = 0; row + shift < p->rows; row++)
    for (int col = 0; col + shift < p->cols; col++)
      out[(row + shift) * p->cols + col + shift] = plain[row * p->cols + col];
  free(plain);
}

/* Writes DIR/SPLIT; `n_ids` and the puzzle go to dataset.json. */
static inline void write_split(const char *dir, const char *split, const trm_puzzle *p, int n_ids,
                               const small_split *s) {
  /* As many rows as there are questions. */
  char folder[220], path[300];
  int cells = p->rows * p->cols, n = 0, puzzles = 0, groups = 0;
  int32_t puzzle_start[SET_ROWS + 1] = {0}, group_start[SET_ROWS + 1] = {0}, ids[SET_ROWS];
  while (n < SET_ROWS && s->question[n]) n++;
  int32_t *inputs = calloc((size_t)(n * cells), sizeof *inputs);
  int32_t *labels = calloc((size_t)(n * cells), sizeof *labels);
  assert_true(inputs && labels);

  /* Tokens, and where each puzzle and each group begins. */
  for (int i = 0; i < n; i++) {
    set_tokens(p, s->question[i], s->shift, inputs + i * cells);
    set_tokens(p, s->answer[i], s->shift, labels + i * cells);
    puzzles = s->puzzle[i] + 1;
    puzzle_start[puzzles] = i + 1;
  }
  for (int i = 0; i < puzzles; i++) {
    ids[i] = s->id[i];
    groups = s->group[i] + 1;
    group_start[groups] = i + 1;
  }

  /* The arrays. */
  snprintf(folder, sizeof folder, "%s/%s", dir, split);
  assert_int_equal(trm__make_dirs(folder, NULL), TRM_OK);
  set_array(folder, "inputs", 2, n, cells, inputs);
  set_array(folder, "labels", 2, n, cells, labels);
  set_array(folder, "puzzle_identifiers", 1, puzzles, 1, ids);
  set_array(folder, "puzzle_indices", 1, puzzles + 1, 1, puzzle_start);
  set_array(folder, "group_indices", 1, groups + 1, 1, group_start);
  free(inputs);
  free(labels);

  /* What the set says of itself. */
  trm__json_out o = trm__json_begin(TRM__JSON_SPACED);
  trm__json_open(&o, NULL, '{');
  trm__json_put_int(&o, "pad_id", 0);
  trm__json_put_int(&o, "ignore_label_id", 0);
  trm__json_put_int(&o, "blank_identifier_id", 0);
  trm__json_put_int(&o, "vocab_size", trm_puzzle_first_symbol(p) + trm_puzzle_n_symbols(p));
  trm__json_put_int(&o, "seq_len", cells);
  trm__json_put_int(&o, "num_puzzle_identifiers", n_ids);
  trm__json_put_int(&o, "total_groups", groups);
  trm__json_put_int(&o, "total_puzzles", puzzles);
  trm__json_put_real(&o, "mean_puzzle_examples", (double)n / puzzles);
  trm__json_open(&o, "sets", '[');
  trm__json_put_text(&o, NULL, "all");
  trm__json_close(&o);
  trm__puzzle_put(&o, "puzzle", p);
  trm__json_close(&o);
  snprintf(path, sizeof path, "%s/dataset.json", folder);
  assert_int_equal(trm__json_save(path, &o, NULL), TRM_OK);
}

/* identifiers.json, or another file beside the splits. */
static inline void write_beside(const char *dir, const char *name, const char *text) {
  char path[300];
  snprintf(path, sizeof path, "%s/%s", dir, name);
  write_bytes(path, text, strlen(text));
}

/* Two groups: a 4x4 Sudoku with an image of it as a stored copy, and another one. In test: the
 * first training puzzle, an image of it, and a new one. */
static inline void write_sudoku_set(const char *dir) {
  trm_puzzle p = trm_sudoku_of_size(4);
  write_split(
      dir, "train", &p, 1,
      &(small_split){.question = {"1...341221434.21", "2...342112434.12", "12..3412214343.1"},
                     .answer = {"1234341221434321", "2134342112434312", "1234341221434321"},
                     .puzzle = {0, 1, 2},
                     .group = {0, 0, 1}});
  write_split(
      dir, "test", &p, 1,
      &(small_split){.question = {"1...341221434.21", "3...143223414.23", "1234341221434..."},
                     .answer = {"1234341221434321", "3214143223414123", "1234341221434321"},
                     .puzzle = {0, 1, 2},
                     .group = {0, 1, 2}});
  write_beside(dir, "identifiers.json", "[\"<blank>\"]");
}

/* A maze, and in test the same one mirrored. */
static inline void write_maze_set(const char *dir) {
  trm_puzzle p = {.kind = TRM_PUZZLE_MAZE, .rows = 3, .cols = 4};
  write_split(dir, "train", &p, 1,
              &(small_split){.question = {"S.##/#.../###G", "S..G/####/####"},
                             .answer = {"So##/#ooo/###G", "SooG/####/####"},
                             .puzzle = {0, 1},
                             .group = {0, 1}});
  write_split(dir, "test", &p, 1,
              &(small_split){.question = {"##.S/...#/G###"}, .answer = {"##oS/ooo#/G###"}});
  write_beside(dir, "identifiers.json", "[\"<blank>\"]");
}

/* Two tasks, the first with a copy; train lies off the corner. */
static inline void write_arc_set(const char *dir) {
  /* Puzzle ids 1 and 2 are the task and its copy, in one group; test rows lie at the corner. */
  trm_puzzle p = {.kind = TRM_PUZZLE_ARC, .rows = 30, .cols = 30};
  write_split(dir, "train", &p, 4,
              &(small_split){.question = {"01/23", "0/1", "10/32", "55"},
                             .answer = {"10/32", "1/0", "01/23", "5"},
                             .puzzle = {0, 0, 1, 2},
                             .group = {0, 0, 1},
                             .id = {1, 2, 3},
                             .shift = 3});
  write_split(dir, "test", &p, 4,
              &(small_split){.question = {"01/23", "777/777"},
                             .answer = {"10/32", "7"},
                             .puzzle = {0, 1},
                             .group = {0, 1},
                             .id = {1, 3}});

  /* Names of the ids, and the tasks with their answers. */
  write_beside(dir, "identifiers.json",
               "[\"<blank>\", \"aaaa0001\", \"aaaa0001|||t3|||0213456789\", \"bbbb0002\"]");
#define PAIR(input, output) "[{\"input\": [" input "], \"output\": [" output "]}]"
  write_beside(dir, "test_puzzles.json",
               "{\"aaaa0001\": {\"train\": " PAIR("[0, 1]", "[1, 0]") ", \"test\": " PAIR(
                   "[0, 1], [2, 3]", "[1, 0], [3, 2]") "}, \"bbbb0002\": {\"train\": " PAIR(
                   "[5, 5]", "[5]") ", \"test\": " PAIR("[7, 7, 7], [7, 7, 7]", "[7]") "}}");
#undef PAIR
}

/* Grids of the user, whose symbols want escaping everywhere. */
static inline void write_grid_set(const char *dir) {
  trm_puzzle p = {.kind = TRM_PUZZLE_GRID, .rows = 3, .cols = 4, .sized = true};
  static const char *const symbols[] = {".", "<&>", "12", "a b"};
  for (int i = 0; i < 4; i++) assert_true(trm__puzzle_add_symbol(&p, symbols[i]));
  small_split s = {.question = {". <&> / 12 .", ". . ."},
                   .answer = {"12", "a\\x20b a\\x20b a\\x20b"},
                   .puzzle = {0, 1},
                   .group = {0, 1}};
  write_split(dir, "test", &p, 1, &s);
  write_beside(dir, "identifiers.json", "[\"<blank>\"]");
}

#endif
