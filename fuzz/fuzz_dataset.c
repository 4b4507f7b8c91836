/* A data set folder: dataset.json and the five arrays of the set "all", as parts of the input in
 * this order; the arrays that are absent are good ones for 4x4 Sudokus. What opens is read,
 * streamed, split, surveyed and verified. The set "other" has the same files, and a seventh part is
 * identifiers.json. */
#include <stdlib.h>
#include <string.h>

#include "fuzz_arrays.h"
#include "io/json.h"
#include "trm/dataset.h"
#include "trm/sudoku.h"

enum { EXAMPLES = 3, CELLS = 16, ARRAYS = 5, PARTS = 2 + ARRAYS, BATCH = 2 };

static const char good_json[] = "{\"vocab_size\": 6, \"seq_len\": 16}";
static const char good_names[] = "[\"<blank>\", \"a\"]";
static const char *const array_names[ARRAYS] = {"inputs", "labels", "puzzle_identifiers",
                                                "puzzle_indices", "group_indices"};

/* The good arrays as bytes of .npy files. */
static fuzz_array good[ARRAYS];

/* The good arrays, and the folder with links to the files of the slots. */
static void prepare(void) {
  /* A solved Sudoku in three namings of its digits, with two cells of three given. */
  static const char solved[] = "1234341221434321";
  uint8_t inputs[EXAMPLES * CELLS], labels[EXAMPLES * CELLS];
  for (int i = 0; i < EXAMPLES * CELLS; i++) {
    labels[i] = (uint8_t)((solved[i % CELLS] - '1' + i / CELLS) % 4 + 2);
    inputs[i] = i % 3 ? labels[i] : 1;
  }

  /* Two puzzles of two and one examples, in a group each. */
  fuzz_array_make(&good[0], 2, (const int64_t[]){EXAMPLES, CELLS}, inputs);
  fuzz_array_make(&good[1], 2, (const int64_t[]){EXAMPLES, CELLS}, labels);
  fuzz_array_make(&good[2], 1, (const int64_t[]){2}, (const uint8_t[]){0, 1});
  fuzz_array_make(&good[3], 1, (const int64_t[]){3}, (const uint8_t[]){0, 2, 3});
  fuzz_array_make(&good[4], 1, (const int64_t[]){3}, (const uint8_t[]){0, 1, 2});

  /* The arrays of both sets are files of the slots. */
  FUZZ_MUST(trm__make_dirs(fuzz_path("test"), &fuzz_error));
  fuzz_link("test/dataset.json", 0);
  fuzz_link("identifiers.json", 1 + ARRAYS);
  for (int i = 0; i < ARRAYS; i++) {
    char name[64];
    snprintf(name, sizeof name, "test/all__%s.npy", array_names[i]);
    fuzz_link(name, 1 + i);
    snprintf(name, sizeof name, "test/other__%s.npy", array_names[i]);
    fuzz_link(name, 1 + i);
  }
}

static void read_examples(const trm_dataset *d) {
  const trm_dataset_info *info = trm_dataset_get_info(d);
  int32_t *inputs = malloc(2 * (size_t)info->seq_len * sizeof *inputs), id;
  FUZZ_CHECK(inputs && info->examples >= 1);
  int32_t *labels = inputs + info->seq_len;
  for (int64_t i = 0; i < info->examples && i < 4096; i++) {
    trm_dataset_example(d, i, inputs, labels, &id);
    FUZZ_CHECK(id >= 0 && id < info->num_puzzle_identifiers);
    for (int c = 0; c < info->seq_len; c++) {
      FUZZ_CHECK(inputs[c] >= 0 && inputs[c] < info->vocab_size);
      FUZZ_CHECK(labels[c] == TRM_IGNORE_LABEL || (labels[c] >= 0 && labels[c] < info->vocab_size));
    }
  }
  uint64_t fingerprint;
  FUZZ_MUST(trm_dataset_fingerprint(d, &fingerprint, &fuzz_error));
  free(inputs);
}

static void stream_batches(const trm_dataset *d, trm_augment augment) {
  const trm_dataset_info *info = trm_dataset_get_info(d);
  const trm_stream_config config = {
      .batch_size = BATCH, .seed = 1, .epochs_per_iter = 1, .augment = augment};
  trm_stream *s;
  trm_error err;
  if (!fuzz_accepted(trm_stream_create(&d, 1, &config, &s, &err), &err)) return;
  const size_t cells = (size_t)BATCH * (size_t)info->seq_len;
  int32_t *inputs = malloc(2 * cells * sizeof *inputs), ids[BATCH];
  FUZZ_CHECK(inputs);
  for (int k = 0; k < 3; k++) {
    trm_stream_next(s, NULL, inputs, inputs + cells, ids);
    for (size_t c = 0; c < cells; c++) FUZZ_CHECK(inputs[c] >= 0 && inputs[c] < info->vocab_size);
    for (int r = 0; r < BATCH; r++)
      FUZZ_CHECK(ids[r] >= 0 && ids[r] < info->num_puzzle_identifiers);
  }
  (void)fuzz_accepted(trm_stream_seek(s, 1, &err), &err);
  free(inputs);
  trm_stream_free(s);
}

static void split_groups(const trm_dataset *d) {
  trm_dataset *rest, *held;
  trm_error err;
  if (!fuzz_accepted(trm_dataset_split(d, 0.5, 1, &rest, &held, &err), &err)) return;
  const trm_dataset_info *a = trm_dataset_get_info(rest), *b = trm_dataset_get_info(held);
  FUZZ_CHECK(a->groups >= 1 && b->groups >= 1);
  FUZZ_CHECK(a->examples + b->examples <= trm_dataset_get_info(d)->examples);
  if (a->examples) read_examples(rest);
  trm_dataset_free(rest);
  trm_dataset_free(held);
}

static void count_failure(void *arg, const char *check, const trm_error *failure) {
  FUZZ_CHECK(check && check[0]);
  if (failure) FUZZ_CHECK(!fuzz_accepted(failure->code, failure));
  *(int *)arg += failure != NULL;
}

static void survey(void) {
  trm_survey found;
  trm_error err;
  int failures, counted = 0;
  const trm_survey_config some = {.max_groups = 64};
  const trm_verify_config verify = {
      .max_examples = 4, .report = count_failure, .report_arg = &counted};
  (void)fuzz_accepted(trm_dataset_survey(fuzz_folder(), &some, &found, &err), &err);
  FUZZ_MUST(trm_dataset_verify(fuzz_folder(), &verify, &failures, &fuzz_error));
  FUZZ_CHECK(failures == counted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  /* The folder is made once. */
  fuzz_bytes parts[PARTS];
  trm_dataset *d;
  trm_error err;
  if (!good[0].size) prepare();

  /* A part that is empty stands for the good one: description, arrays, names. */
  fuzz_split(data, size, parts, PARTS);
  fuzz_part(0, parts[0], good_json, sizeof good_json - 1);
  for (int i = 0; i < ARRAYS; i++) fuzz_part(1 + i, parts[1 + i], good[i].data, good[i].size);
  fuzz_part(1 + ARRAYS, parts[1 + ARRAYS], good_names, sizeof good_names - 1);

  /* The good files are good. */
  const trm_status st = trm_dataset_open(fuzz_folder(), "test", &d, &err);
  FUZZ_CHECK((st == TRM_OK) == (d != NULL));
  FUZZ_CHECK(st == TRM_OK || size);

  /* A survey, which may find anything, and reading, which may not. */
  survey();
  if (!fuzz_accepted(st, &err)) return 0;
  read_examples(d);
  stream_batches(d, TRM_AUGMENT_NONE);
  stream_batches(d, TRM_AUGMENT_ON_THE_FLY);
  split_groups(d);
  trm_dataset_free(d);
  return 0;
}
