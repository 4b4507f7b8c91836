/* A compact ARC data set: dataset.json and the six arrays as parts of the input in this order;
 * those that are absent are good ones. What opens is read through and streamed. */
#include <stdlib.h>
#include <string.h>

#include "fuzz_arrays.h"
#include "io/json.h"
#include "trm/dataset.h"

enum { ARRAYS = 6, PARTS = 1 + ARRAYS, CELLS = 900, PAIRS = 2, BATCH = 2 };

static const char good_json[] =
    "{\"pad_id\": 0, \"ignore_label_id\": 0, \"blank_identifier_id\": 0, \"vocab_size\": 12, "
    "\"seq_len\": 900, \"num_puzzle_identifiers\": 3, \"sets\": [\"all\"], \"compact\": \"arc\", "
    "\"puzzle\": {\"kind\": \"arc\", \"rows\": 30, \"cols\": 30}}";
static const char *const array_names[ARRAYS] = {
    "pairs", "pair_indices", "group_indices", "puzzle_identifiers", "copies", "offsets"};

static fuzz_array good[ARRAYS];

/* One task of two pairs of 1x2 and 2x1 cells, itself and one copy. */
static void prepare(void) {
  /* Grids of one row or one column, with their ends, on the canvas of ARC. */
  static uint8_t pairs[PAIRS * 2 * CELLS];
  for (int k = 0; k < PAIRS * 2; k++) {
    uint8_t *canvas = pairs + k * CELLS;
    canvas[0] = (uint8_t)(2 + k);
    canvas[k % 2 ? 30 : 1] = 5;
    for (int end = 0; end < 2; end++) canvas[k % 2 ? 60 * end + !end : 30 + end] = 1;
    if (k % 2)
      canvas[31] = 1;
    else
      canvas[2] = 1;
  }

  /* Two ids of one task: the pairs, and who has which. */
  fuzz_array_make(&good[0], 3, (const int64_t[]){PAIRS, 2, CELLS}, pairs);
  fuzz_array_make(&good[1], 1, (const int64_t[]){2}, (const uint8_t[]){0, PAIRS});
  fuzz_array_make(&good[2], 1, (const int64_t[]){2}, (const uint8_t[]){0, 2});
  fuzz_array_make(&good[3], 1, (const int64_t[]){2}, (const uint8_t[]){1, 2});

  /* Colours of the copy, and where each grid lies. */
  fuzz_array_make(&good[4], 2, (const int64_t[]){2, 10},
                  (const uint8_t[]){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 3, 2, 1, 3, 4, 5, 6, 7, 9, 8});
  fuzz_array_make(&good[5], 2, (const int64_t[]){2 * PAIRS, 2},
                  (const uint8_t[]){0, 0, 3, 4, 0, 0, 20, 20});

  /* The arrays are files of the slots. */
  FUZZ_MUST(trm__make_dirs(fuzz_path("test"), &fuzz_error));
  fuzz_link("test/dataset.json", 0);
  for (int i = 0; i < ARRAYS; i++) {
    char name[64];
    snprintf(name, sizeof name, "test/all__%s.npy", array_names[i]);
    fuzz_link(name, 1 + i);
  }
}

static void check_row(const int32_t *inputs, const int32_t *labels, int32_t id,
                      const trm_dataset_info *info) {
  FUZZ_CHECK(id >= 0 && id < info->num_puzzle_identifiers);
  for (int c = 0; c < CELLS; c++) {
    FUZZ_CHECK(inputs[c] >= 0 && inputs[c] < info->vocab_size);
    FUZZ_CHECK(labels[c] == TRM_IGNORE_LABEL || (labels[c] >= 0 && labels[c] < info->vocab_size));
  }
}

static void read_examples(const trm_dataset *d) {
  static int32_t inputs[BATCH * CELLS], labels[BATCH * CELLS], ids[BATCH];
  const trm_dataset_info *info = trm_dataset_get_info(d);
  FUZZ_CHECK(info->seq_len == CELLS);
  for (int64_t i = 0; i < info->examples && i < 64; i++) {
    trm_dataset_example(d, i, inputs, labels, ids);
    check_row(inputs, labels, ids[0], info);
  }
  const trm_stream_config config = {
      .batch_size = BATCH, .seed = 1, .epochs_per_iter = 1, .augment = TRM_AUGMENT_ON_THE_FLY};
  trm_stream *s;
  trm_error err;
  if (!fuzz_accepted(trm_stream_create(&d, 1, &config, &s, &err), &err)) return;
  for (int k = 0; k < 2; k++) {
    trm_stream_next(s, NULL, inputs, labels, ids);
    for (int r = 0; r < BATCH; r++) check_row(inputs + r * CELLS, labels + r * CELLS, ids[r], info);
  }
  trm_stream_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  /* The folder is made once. */
  fuzz_bytes parts[PARTS];
  trm_dataset *d;
  trm_error err;
  if (!good[0].size) prepare();

  /* A part that is empty stands for the good one. */
  fuzz_split(data, size, parts, PARTS);
  fuzz_part(0, parts[0], good_json, sizeof good_json - 1);
  for (int i = 0; i < ARRAYS; i++) fuzz_part(1 + i, parts[1 + i], good[i].data, good[i].size);

  /* The good files are good, and what is accepted can be read. */
  const trm_status st = trm_dataset_open(fuzz_folder(), "test", &d, &err);
  if (st != TRM_OK && !size) fuzz_failed(__FILE__, __LINE__, "the good files are good", err.msg);
  if (!fuzz_accepted(st, &err)) return 0;
  read_examples(d);
  trm_dataset_free(d);
  return 0;
}
