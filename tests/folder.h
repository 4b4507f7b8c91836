/* Small data set folders for tests, written from plain arrays so that they can be wrong, too. */
#ifndef TRM_TESTS_FOLDER_H
#define TRM_TESTS_FOLDER_H

#include "scratch.h"

#include "io/npy.h"

enum { FOLDER_LEN = 16, FOLDER_VOCAB = 6, FOLDER_ROWS = 12 };

/* Rows of a solved 4x4 Sudoku with renamed digits; example i is told apart by its blanks. */
typedef struct folder {
  int32_t inputs[FOLDER_ROWS * FOLDER_LEN], labels[FOLDER_ROWS * FOLDER_LEN];
  int32_t ids[FOLDER_ROWS], puzzle_indices[FOLDER_ROWS + 1], group_indices[FOLDER_ROWS + 1];
  int64_t rows, len, puzzles, puzzle_entries, group_entries;
  const char *set, *json;
} folder;

#define FOLDER_JSON                                                                         \
  "{\"pad_id\": 0, \"ignore_label_id\": 0, \"blank_identifier_id\": 0, \"vocab_size\": 6, " \
  "\"seq_len\": 16, \"num_puzzle_identifiers\": 3, \"total_groups\": 4, "                   \
  "\"mean_puzzle_examples\": 2.0, \"total_puzzles\": 6, \"sets\": [\"all\"]}"

/* 12 examples in 6 puzzles of 1, 2, 3, 1, 2, 3 examples, in groups of 1, 2, 2, 1 puzzles. */
static inline folder folder_good(void) {
  static const char solved[] = "1234341221434321";
  static const int32_t puzzle_indices[] = {0, 1, 3, 6, 7, 9, 12}, group_indices[] = {0, 1, 3, 5, 6};
  folder f = {.rows = FOLDER_ROWS,
              .len = FOLDER_LEN,
              .puzzles = 6,
              .puzzle_entries = 7,
              .group_entries = 5,
              .set = "all",
              .json = FOLDER_JSON};
  for (int r = 0; r < FOLDER_ROWS; r++)
    for (int i = 0; i < FOLDER_LEN; i++) {
      f.labels[r * FOLDER_LEN + i] = (solved[i] - '1' + r) % 4 + 2;
      f.inputs[r * FOLDER_LEN + i] = (r + 1) >> (i & 3) & 1 ? 1 : f.labels[r * FOLDER_LEN + i];
    }
  for (int p = 0; p < 6; p++) f.ids[p] = p % 3;
  memcpy(f.puzzle_indices, puzzle_indices, sizeof puzzle_indices);
  memcpy(f.group_indices, group_indices, sizeof group_indices);
  return f;
}

static inline void folder_array(const char *dir, const char *set, const char *what, int ndim,
                                int64_t rows, int64_t cols, const int32_t *data) {
  char path[256];
  int64_t shape[2] = {rows, cols};
  snprintf(path, sizeof path, "%s/%s__%s.npy", dir, set, what);
  assert_int_equal(trm__npy_save(path, TRM__NPY_I4, ndim, shape, data, NULL), TRM_OK);
}

/* Writes DIR/SPLIT. */
static inline void folder_write(const folder *f, const char *dir, const char *split) {
  char path[200], json[256];
  snprintf(path, sizeof path, "%s/%s", dir, split);
  assert_int_equal(trm__make_dirs(path, NULL), TRM_OK);
  folder_array(path, f->set, "inputs", 2, f->rows, f->len, f->inputs);
  folder_array(path, f->set, "labels", 2, f->rows, f->len, f->labels);
  folder_array(path, f->set, "puzzle_identifiers", 1, f->puzzles, 1, f->ids);
  folder_array(path, f->set, "puzzle_indices", 1, f->puzzle_entries, 1, f->puzzle_indices);
  folder_array(path, f->set, "group_indices", 1, f->group_entries, 1, f->group_indices);
  snprintf(json, sizeof json, "%s/dataset.json", path);
  write_bytes(json, f->json, strlen(f->json));
}

#endif
