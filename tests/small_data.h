/* A data set folder of given examples, one puzzle and group per example. */
#ifndef TRM_TESTS_SMALL_DATA_H
#define TRM_TESTS_SMALL_DATA_H

#include "io/npy.h"
#include "scratch.h"
#include "trm.h"

/* Writes DIR/test: inputs, labels [n, seq_len] (label 0: ignored), ids [n]. */
static inline void write_small_data(const char *dir, int n, int seq_len, int vocab, int n_ids,
                                    const int32_t *inputs, const int32_t *labels,
                                    const int32_t *ids) {
  /* Every example is a puzzle and a group of its own. */
  char test[200], path[300], text[400];
  int32_t *index = malloc((size_t)(n + 1) * sizeof *index);
  assert_non_null(index);
  for (int i = 0; i <= n; i++) index[i] = i;
  const struct {
    const char *name;
    const int32_t *data;
    int ndim;
    int64_t shape[2];
  } arrays[] = {{"inputs", inputs, 2, {n, seq_len}},
                {"labels", labels, 2, {n, seq_len}},
                {"puzzle_identifiers", ids, 1, {n, 0}},
                {"puzzle_indices", index, 1, {n + 1, 0}},
                {"group_indices", index, 1, {n + 1, 0}}};

  /* The arrays. */
  snprintf(test, sizeof test, "%s/test", dir);
  assert_int_equal(trm__make_dirs(test, NULL), TRM_OK);
  for (int i = 0; i < 5; i++) {
    snprintf(path, sizeof path, "%s/all__%s.npy", test, arrays[i].name);
    assert_int_equal(
        trm__npy_save(path, TRM__NPY_I4, arrays[i].ndim, arrays[i].shape, arrays[i].data, NULL),
        TRM_OK);
  }
  free(index);

  /* What the set says of itself. */
  snprintf(path, sizeof path, "%s/dataset.json", test);
  snprintf(
      text, sizeof text,
      "{\"pad_id\": 0, \"ignore_label_id\": 0, \"blank_identifier_id\": 0, \"vocab_size\": %d, "
      "\"seq_len\": %d, \"num_puzzle_identifiers\": %d, \"total_groups\": %d, "
      "\"mean_puzzle_examples\": 1, \"total_puzzles\": %d, \"sets\": [\"all\"]}",
      vocab, seq_len, n_ids, n, n);
  write_bytes(path, text, strlen(text));
}

static inline trm_dataset *open_small_data(const char *dir) {
  trm_dataset *d;
  trm_error err;
  if (trm_dataset_open(dir, "test", &d, &err) != TRM_OK) fail_msg("%s", err.msg);
  return d;
}

#endif
