/* Data set folders: what is read and what is refused. */
#include "folder.h"
#include "npy_forms.h"

#include <unistd.h>

#include "puzzle/sudoku/sudoku_shape.h"
#include "trm/dataset.h"

/* --- reading --- */

static void examples_are_read(void **state) {
  scratch *s = *state;

  /* Both ways of writing an ignored label. */
  folder f = folder_good();
  f.labels[5] = 0; /* the ignored label */
  f.labels[6] = TRM_IGNORE_LABEL;
  folder_write(&f, scratch_path(s, "good"), "train");
  trm_dataset *d;
  trm_error err;
  assert_int_equal(trm_dataset_open(scratch_path(s, "good"), "train", &d, &err), TRM_OK);

  /* What the set says of itself. */
  const trm_dataset_info *info = trm_dataset_get_info(d);
  assert_int_equal(info->examples, 12);
  assert_int_equal(info->puzzles, 6);
  assert_int_equal(info->groups, 4);
  assert_int_equal(info->vocab_size, 6);
  assert_int_equal(info->seq_len, 16);
  assert_int_equal(info->num_puzzle_identifiers, 3);
  assert_true(info->mean_puzzle_examples == 2);
  assert_int_equal(info->puzzle.kind, TRM_PUZZLE_NONE); /* the first answer has a hole */

  /* Every example, with the id of its puzzle; ignored labels have one value. */
  static const int32_t puzzle_of[] = {0, 1, 1, 2, 2, 2, 3, 4, 4, 5, 5, 5};
  for (int64_t i = 0; i < 12; i++) {
    int32_t inputs[16], labels[16], id;
    trm_dataset_example(d, i, inputs, labels, &id);
    assert_int_equal(id, puzzle_of[i] % 3);
    for (int k = 0; k < 16; k++) {
      assert_int_equal(inputs[k], f.inputs[i * 16 + k]);
      assert_int_equal(labels[k],
                       i == 0 && (k == 5 || k == 6) ? TRM_IGNORE_LABEL : f.labels[i * 16 + k]);
    }
  }

  /* A caller may want nothing of an example. */
  trm_dataset_example(d, 3, NULL, NULL, NULL);
  trm_dataset_free(d);
  trm_dataset_free(NULL);
}

static void sudokus_are_recognised(void **state) {
  scratch *s = *state;
  folder f = folder_good();
  trm_dataset *d;
  folder_write(&f, scratch_path(s, "sudoku"), "test");
  assert_int_equal(trm_dataset_open(scratch_path(s, "sudoku"), "test", &d, NULL), TRM_OK);
  assert_int_equal(trm_dataset_get_info(d)->puzzle.kind, TRM_PUZZLE_SUDOKU);
  assert_int_equal(trm_dataset_get_info(d)->puzzle.box_rows, 2);
  trm_dataset_free(d);
  int32_t swapped = f.labels[0];
  f.labels[0] = f.labels[1];
  f.labels[1] = swapped;
  folder_write(&f, scratch_path(s, "sudoku"), "test");
  assert_int_equal(trm_dataset_open(scratch_path(s, "sudoku"), "test", &d, NULL), TRM_OK);
  assert_int_equal(trm_dataset_get_info(d)->puzzle.kind, TRM_PUZZLE_NONE);
  trm_dataset_free(d);
}

static void every_integer_type_is_read(void **state) {
  scratch *s = *state;

  /* The inputs written anew with each type. */
  static const trm__npy_type types[] = {TRM__NPY_U1, TRM__NPY_I1, TRM__NPY_U2, TRM__NPY_I2,
                                        TRM__NPY_U4, TRM__NPY_I4, TRM__NPY_U8, TRM__NPY_I8};
  folder f = folder_good();
  folder_write(&f, scratch_path(s, "types"), "train");
  for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
    unsigned char raw[FOLDER_ROWS * FOLDER_LEN * 8] = {0};
    size_t size = trm__npy_type_size(types[t]);
    for (int i = 0; i < FOLDER_ROWS * FOLDER_LEN; i++)
      raw[(size_t)i * size] = (unsigned char)f.inputs[i];
    int64_t shape[] = {FOLDER_ROWS, FOLDER_LEN};
    assert_int_equal(trm__npy_save(scratch_path(s, "types/train/all__inputs.npy"), types[t], 2,
                                   shape, raw, NULL),
                     TRM_OK);

    /* Every example is the same. */
    trm_dataset *d;
    assert_int_equal(trm_dataset_open(scratch_path(s, "types"), "train", &d, NULL), TRM_OK);
    for (int64_t i = 0; i < FOLDER_ROWS; i++) {
      int32_t inputs[16];
      trm_dataset_example(d, i, inputs, NULL, NULL);
      assert_memory_equal(inputs, f.inputs + i * 16, sizeof inputs);
    }
    trm_dataset_free(d);
  }
}

/* Every array of a folder in every form is the same data set, and a fraction in it is named. */
static void every_form_is_the_same_set(void **state) {
  scratch *s = *state;

  /* Each array in turn, in each form, between good ones. */
  static const char *const arrays[] = {"inputs", "labels", "puzzle_identifiers", "puzzle_indices",
                                       "group_indices"};
  const char *dir = "forms";
  folder f = folder_good();
  trm_dataset *d;
  trm_error err;
  uint64_t want, got;
  for (int k = 0; k < 5; k++)
    for (int form = 0; form < NPY_FORMS; form++) {
      const char *descr = npy_forms[form].descr;
      char path[160];

      /* The fingerprint of the set as it is written. */
      folder_write(&f, scratch_path(s, dir), "train");
      assert_int_equal(trm_dataset_open(scratch_path(s, dir), "train", &d, &err), TRM_OK);
      assert_int_equal(trm_dataset_fingerprint(d, &want, &err), TRM_OK);
      trm_dataset_free(d);

      /* In the other form it has the same one. */
      snprintf(path, sizeof path, "%s/%s/train/all__%s.npy", s->dir, dir, arrays[k]);
      npy_form_again(path, npy_forms[form], NAN);
      if (trm_dataset_open(scratch_path(s, dir), "train", &d, &err) != TRM_OK)
        fail_msg("%s: %s", descr, err.msg);
      assert_int_equal(trm_dataset_fingerprint(d, &got, &err), TRM_OK);
      assert_true(got == want);

      /* So have the examples, row by row. */
      for (int64_t i = 0; i < FOLDER_ROWS; i++) {
        int32_t inputs[16], labels[16];
        trm_dataset_example(d, i, inputs, labels, NULL);
        assert_memory_equal(inputs, f.inputs + i * 16, sizeof inputs);
        assert_memory_equal(labels, f.labels + i * 16, sizeof labels);
      }
      trm_dataset_free(d);

      /* A fraction is refused with the file and the index. */
      if (!strchr(descr, 'f')) continue;
      npy_form_again(path, npy_forms[form], 0.5);
      assert_int_equal(trm_dataset_open(scratch_path(s, dir), "train", &d, &err), TRM_E_FORMAT);
      assert_true(speaks_of(&err, path));
      assert_true(speaks_of(&err, k < 2 ? "element [0, 0] is 0.5" : "element [0] is 0.5"));
    }
}

static void huge_values_do_not_wrap(void **state) {
  scratch *s = *state;
  folder f = folder_good();
  folder_write(&f, scratch_path(s, "huge"), "train");
  uint64_t wide[FOLDER_ROWS * FOLDER_LEN];
  for (int i = 0; i < FOLDER_ROWS * FOLDER_LEN; i++) wide[i] = (uint64_t)f.inputs[i];
  int64_t shape[] = {FOLDER_ROWS, FOLDER_LEN};
  static const uint64_t wrong[] = {1ull << 32, (1ull << 63) + 2, ~0ull};
  for (int k = 0; k < 3; k++) {
    wide[20] = wrong[k];
    assert_int_equal(trm__npy_save(scratch_path(s, "huge/train/all__inputs.npy"), TRM__NPY_U8, 2,
                                   shape, wide, NULL),
                     TRM_OK);
    trm_dataset *d;
    trm_error err;
    assert_int_equal(trm_dataset_open(scratch_path(s, "huge"), "train", &d, &err), TRM_E_RANGE);
    assert_null(d);
    assert_true(speaks_of(&err, "row 1 column 4"));
  }
}

static void several_sets_are_joined(void **state) {
  scratch *s = *state;

  /* A folder of two sets, of which the second has one more id. */
  folder f = folder_good();
  f.json =
      "{\"vocab_size\": 6, \"seq_len\": 16, \"sets\": [\"all\", \"more\"], "
      "\"puzzle\": {\"kind\": \"sudoku\", \"rows\": 4, \"cols\": 4, \"box_rows\": 2, "
      "\"box_cols\": 2}}";
  folder_write(&f, scratch_path(s, "joined"), "train");
  folder more = f;
  more.set = "more";
  more.ids[2] = 6;
  folder_write(&more, scratch_path(s, "joined"), "train");

  /* Counts are sums, ids are the most of both, and what the puzzle is is said once. */
  trm_dataset *d;
  assert_int_equal(trm_dataset_open(scratch_path(s, "joined"), "train", &d, NULL), TRM_OK);
  const trm_dataset_info *info = trm_dataset_get_info(d);
  assert_int_equal(info->examples, 24);
  assert_int_equal(info->groups, 8);
  assert_int_equal(info->num_puzzle_identifiers, 7);
  assert_int_equal(info->ignore_label_id, TRM_IGNORE_LABEL);
  assert_int_equal(info->puzzle.kind, TRM_PUZZLE_SUDOKU);

  /* The second set's rows follow the first one's. */
  int32_t inputs[16], id;
  trm_dataset_example(d, 12 + 4, inputs, NULL, &id);
  assert_memory_equal(inputs, f.inputs + 4 * 16, sizeof inputs);
  assert_int_equal(id, 6);
  trm_dataset_free(d);
}

static void split_parts_a_set(void **state) {
  scratch *s = *state;
  folder f = folder_good();
  folder_write(&f, scratch_path(s, "split"), "train");
  trm_dataset *d, *part[2], *again[2];
  trm_error err;
  assert_int_equal(trm_dataset_open(scratch_path(s, "split"), "train", &d, NULL), TRM_OK);

  /* A quarter of four groups is one. */
  assert_int_equal(trm_dataset_split(d, 0.25, 9, &part[0], &part[1], &err), TRM_OK);
  assert_int_equal(trm_dataset_get_info(part[0])->groups, 3);
  assert_int_equal(trm_dataset_get_info(part[1])->groups, 1);

  /* Every example is in one of the parts, with its id. */
  int seen[FOLDER_ROWS] = {0};
  for (int k = 0; k < 2; k++)
    for (int64_t i = 0; i < trm_dataset_get_info(part[k])->examples; i++) {
      int32_t inputs[16], id, other;
      int row = 0;
      trm_dataset_example(part[k], i, inputs, NULL, &id);
      while (memcmp(inputs, f.inputs + row * 16, sizeof inputs)) assert_true(++row < FOLDER_ROWS);
      trm_dataset_example(d, row, NULL, NULL, &other);
      assert_int_equal(id, other);
      seen[row]++;
    }
  for (int i = 0; i < FOLDER_ROWS; i++) assert_int_equal(seen[i], 1);

  /* A part of a part, and the same seed again. */
  assert_int_equal(trm_dataset_split(part[0], 0.5, 1, &again[0], &again[1], NULL), TRM_OK);
  int64_t rest = trm_dataset_get_info(part[0])->examples;
  assert_int_equal(
      trm_dataset_get_info(again[0])->examples + trm_dataset_get_info(again[1])->examples, rest);
  for (int64_t i = 0; i < trm_dataset_get_info(again[1])->examples; i++)
    trm_dataset_example(again[1], i, (int32_t[16]){0}, (int32_t[16]){0}, NULL);
  trm_dataset_free(again[0]);
  trm_dataset_free(again[1]);
  assert_int_equal(trm_dataset_split(d, 0.25, 9, &again[0], &again[1], NULL), TRM_OK);
  assert_int_equal(trm_dataset_get_info(again[0])->examples, rest);

  /* Shares that leave nothing, and a set of one group. */
  trm_dataset *none;
  static const double wrong[] = {0, 1, -1, 2};
  for (int k = 0; k < 4; k++)
    assert_int_equal(trm_dataset_split(d, wrong[k], 9, &none, &none, NULL), TRM_E_ARGUMENT);
  assert_int_equal(trm_dataset_split(part[1], 0.5, 9, &none, &none, NULL), TRM_E_RANGE);
  for (int k = 0; k < 2; k++) trm_dataset_free(part[k]), trm_dataset_free(again[k]);
  trm_dataset_free(d);
}

/* --- broken folders --- */

#define BREAK(name, ...)        \
  static void name(folder *f) { \
    __VA_ARGS__;                \
  }
BREAK(token_high, f->inputs[3 * 16 + 2] = 6)
BREAK(token_negative, f->inputs[3 * 16 + 2] = -1)
BREAK(label_high, f->labels[11 * 16 + 15] = 99)
BREAK(label_negative, f->labels[0] = -99)
BREAK(id_high, f->ids[5] = 3)
BREAK(id_negative, f->ids[0] = -1)
BREAK(puzzle_first, f->puzzle_indices[0] = 1)
BREAK(puzzle_falls, f->puzzle_indices[3] = 2)
BREAK(puzzle_beyond, f->puzzle_indices[4] = 13)
BREAK(puzzle_negative, f->puzzle_indices[2] = -5)
BREAK(puzzle_short, f->puzzle_indices[6] = 11)
BREAK(puzzle_entries, f->puzzle_entries = 6)
BREAK(group_first, f->group_indices[0] = 1)
BREAK(group_falls, f->group_indices[2] = 0)
BREAK(group_beyond, f->group_indices[4] = 7)
BREAK(group_short, f->group_entries = 4)
BREAK(group_empty, f->group_entries = 0)
BREAK(columns, f->len = 12)
BREAK(no_rows, f->rows = 0; f->puzzles = 0; f->puzzle_entries = f->group_entries = 1)
BREAK(set_missing, f->json = "{\"vocab_size\":6,\"seq_len\":16,\"sets\":[\"some\"]}")
BREAK(set_path, f->json = "{\"vocab_size\":6,\"seq_len\":16,\"sets\":[\"../x\"]}")
BREAK(set_number, f->json = "{\"vocab_size\":6,\"seq_len\":16,\"sets\":[1]}")
BREAK(set_none, f->json = "{\"vocab_size\":6,\"seq_len\":16,\"sets\":[]}")
BREAK(vocab_missing, f->json = "{\"seq_len\":16}")
BREAK(vocab_text, f->json = "{\"vocab_size\":\"6\",\"seq_len\":16}")
BREAK(vocab_zero, f->json = "{\"vocab_size\":0,\"seq_len\":16}")
BREAK(len_huge, f->json = "{\"vocab_size\":6,\"seq_len\":9223372036854775807}")
BREAK(json_array, f->json = "[]")
BREAK(json_open, f->json = "{\"vocab_size\":6,\n\"seq_len\":")
BREAK(json_empty, f->json = "")
BREAK(pad_high, f->json = "{\"vocab_size\":6,\"seq_len\":16,\"pad_id\":6}")
BREAK(ids_many, f->json = "{\"vocab_size\":6,\"seq_len\":16,\"num_puzzle_identifiers\":4194304}")
BREAK(id_large, f->json = "{\"vocab_size\":6,\"seq_len\":16}"; f->ids[2] = 2147483646)
#define WITH_PUZZLE(text) "{\"vocab_size\":6,\"seq_len\":16,\"puzzle\":" text "}"
BREAK(puzzle_text, f->json = WITH_PUZZLE("\"sudoku\""))
BREAK(puzzle_rows, f->json = WITH_PUZZLE("{\"kind\":\"sudoku\",\"rows\":4}"))
BREAK(puzzle_boxes, f->json = WITH_PUZZLE("{\"kind\":\"sudoku\",\"rows\":4,\"cols\":4,"
                                          "\"box_rows\":3,\"box_cols\":2}"))
BREAK(puzzle_size, f->json = WITH_PUZZLE("{\"kind\":\"sudoku\",\"rows\":9,\"cols\":9,"
                                         "\"box_rows\":3,\"box_cols\":3}"))

static const struct {
  void (*damage)(folder *f);
  trm_status code;
  int pos;
  const char *word[2];
} broken[] = {
    {token_high, TRM_E_RANGE, 3, {"all__inputs.npy row 3 column 2", "token 6, want 0 to 5"}},
    {token_negative, TRM_E_RANGE, 3, {"all__inputs.npy row 3", "-1"}},
    {label_high, TRM_E_RANGE, 11, {"all__labels.npy row 11 column 15", "label 99"}},
    {label_negative, TRM_E_RANGE, 0, {"all__labels.npy row 0", "-99"}},
    {id_high, TRM_E_RANGE, 5, {"all__puzzle_identifiers.npy row 5", "id 3, want 0 to 2"}},
    {id_negative, TRM_E_RANGE, 0, {"all__puzzle_identifiers.npy row 0", "-1"}},
    {puzzle_first, TRM_E_RANGE, 0, {"all__puzzle_indices.npy row 0", "1, want 0"}},
    {puzzle_falls, TRM_E_RANGE, 3, {"all__puzzle_indices.npy row 3", "2, want 3 to 12"}},
    {puzzle_beyond, TRM_E_RANGE, 4, {"all__puzzle_indices.npy row 4", "13"}},
    {puzzle_negative, TRM_E_RANGE, 2, {"all__puzzle_indices.npy row 2", "-5"}},
    {puzzle_short, TRM_E_RANGE, 6, {"all__puzzle_indices.npy row 6", "11, want 12"}},
    {puzzle_entries, TRM_E_SHAPE, -1, {"all__puzzle_indices.npy", "6 entries, want 7"}},
    {group_first, TRM_E_RANGE, 0, {"all__group_indices.npy row 0", "want 0"}},
    {group_falls, TRM_E_RANGE, 2, {"all__group_indices.npy row 2", "0, want 1"}},
    {group_beyond, TRM_E_RANGE, 4, {"all__group_indices.npy row 4", "7"}},
    {group_short, TRM_E_RANGE, 3, {"all__group_indices.npy row 3", "5, want 6"}},
    {group_empty, TRM_E_SHAPE, -1, {"all__group_indices.npy", "empty"}},
    {columns, TRM_E_SHAPE, -1, {"all__inputs.npy", "12 columns"}},
    {no_rows, TRM_E_FORMAT, -1, {"no examples", ""}},
    {set_missing, TRM_E_IO, -1, {"some__inputs.npy", ""}},
    {set_path, TRM_E_FORMAT, -1, {"dataset.json", "entry 0 of \"sets\""}},
    {set_number, TRM_E_FORMAT, -1, {"dataset.json", "sets"}},
    {set_none, TRM_E_FORMAT, -1, {"dataset.json", "sets"}},
    {vocab_missing, TRM_E_FORMAT, -1, {"dataset.json", "vocab_size"}},
    {vocab_text, TRM_E_FORMAT, -1, {"dataset.json", "vocab_size"}},
    {vocab_zero, TRM_E_RANGE, -1, {"dataset.json", "vocab_size"}},
    {len_huge, TRM_E_RANGE, -1, {"dataset.json", "seq_len"}},
    {json_array, TRM_E_FORMAT, -1, {"dataset.json", "object"}},
    {json_open, TRM_E_FORMAT, 2, {"dataset.json", ""}},
    {json_empty, TRM_E_FORMAT, -1, {"dataset.json", "an empty file"}},
    {pad_high, TRM_E_RANGE, -1, {"dataset.json", "pad_id"}},
    {ids_many, TRM_E_RANGE, -1, {"4194304 puzzle ids (num_puzzle", "0 bytes of names"}},
    {id_large, TRM_E_RANGE, -1, {"2147483647 puzzle ids (the largest", "but 6 puzzles"}},
    {puzzle_text, TRM_E_FORMAT, -1, {"dataset.json", "puzzle"}},
    {puzzle_rows, TRM_E_CONFIG, -1, {"dataset.json", "4 x 0"}},
    {puzzle_boxes, TRM_E_CONFIG, -1, {"dataset.json", "3 x 2"}},
    {puzzle_size, TRM_E_CONFIG, -1, {"dataset.json", "9 x 9"}},
};

static void broken_folders_are_refused(void **state) {
  scratch *s = *state;
  for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
    folder f = folder_good();
    broken[i].damage(&f);
    folder_write(&f, scratch_path(s, "broken"), "train");
    trm_dataset *d;
    trm_error err = {.pos = -2};
    trm_status st = trm_dataset_open(scratch_path(s, "broken"), "train", &d, &err);
    if (st != broken[i].code || err.pos != broken[i].pos)
      print_message("case %zu: %d at %lld: %s\n", i, (int)st, (long long)err.pos, err.msg);
    assert_int_equal(st, broken[i].code);
    assert_int_equal(err.pos, broken[i].pos);
    assert_null(d);
    for (int k = 0; k < 2; k++) assert_true(speaks_of(&err, broken[i].word[k]));
  }
}

/* As many ids as there can be names, of two quotes and a comma at least. */
static void many_ids_want_names(void **state) {
  enum { IDS = 70000 };
  scratch *s = *state;
  folder f = folder_good();
  f.json = "{\"vocab_size\":6,\"seq_len\":16,\"num_puzzle_identifiers\":70000}";
  folder_write(&f, scratch_path(s, "many"), "train");
  char *names = malloc(3 * IDS + 1);
  assert_non_null(names);
  for (int enough = 0; enough < 2; enough++) {
    trm_dataset *d;
    const size_t n = enough ? IDS : IDS - 2;
    names[0] = '[';
    for (size_t i = 0; i < 3 * n; i++) names[1 + i] = "\"\","[i % 3];
    names[3 * n] = ']';
    write_bytes(scratch_path(s, "many/identifiers.json"), names, 3 * n + 1);
    const trm_status st = trm_dataset_open(scratch_path(s, "many"), "train", &d, NULL);
    assert_int_equal(st, enough ? TRM_OK : TRM_E_RANGE);
    trm_dataset_free(d);
  }
  free(names);
}

static void broken_files_are_refused(void **state) {
  scratch *s = *state;

  /* A folder that is not there. */
  static const char *const arrays[] = {"inputs", "labels", "puzzle_identifiers", "puzzle_indices",
                                       "group_indices"};
  trm_dataset *d;
  trm_error err;
  assert_int_equal(trm_dataset_open(scratch_path(s, "nowhere"), "train", &d, &err), TRM_E_IO);
  assert_true(speaks_of(&err, "nowhere does not exist"));

  /* For each array: */
  for (int k = 0; k < 5; k++) {
    folder f = folder_good();
    folder_write(&f, scratch_path(s, "files"), "train");
    char name[64];

    /* a file that is cut short, */
    snprintf(name, sizeof name, "files/train/all__%s.npy", arrays[k]);
    size_t n;
    unsigned char *bytes = read_bytes(scratch_path(s, name), &n);
    write_bytes(s->path, bytes, n - 1); /* cut short */
    free(bytes);
    assert_int_equal(trm_dataset_open(scratch_path(s, "files"), "train", &d, &err), TRM_E_FORMAT);
    assert_true(speaks_of(&err, arrays[k]));

    /* one of another shape, */
    int64_t shape[3] = {2, 2, 2};
    double real[8] = {0};
    assert_int_equal(trm__npy_save(scratch_path(s, name), TRM__NPY_I8, 3, shape, real, NULL), 0);
    assert_int_equal(trm_dataset_open(scratch_path(s, "files"), "train", &d, &err), TRM_E_SHAPE);
    assert_true(speaks_of(&err, "3 dimensions"));

    /* and one that is missing. The array is named. */
    assert_int_equal(unlink(scratch_path(s, name)), 0);
    assert_int_equal(trm_dataset_open(scratch_path(s, "files"), "train", &d, &err), TRM_E_IO);
  }
}

/* Whoever names the wrong split, or the wrong folder, learns what there is. */
static void missing_splits_are_told(void **state) {
  scratch *s = *state;
  const folder f = folder_good();
  char dir[160];
  trm_dataset *d;
  trm_error err;
  snprintf(dir, sizeof dir, "%s", scratch_path(s, "splits"));
  folder_write(&f, dir, "train");
  folder_write(&f, dir, "val");
  write_bytes(scratch_path(s, "splits/notes.txt"), "x", 1);
  assert_int_equal(trm_dataset_open(dir, "valid", &d, &err), TRM_E_IO);
  assert_true(speaks_of(&err, "splits has no split 'valid'; it has: train, val"));
  assert_int_equal(trm_dataset_open(scratch_path(s, "splits/val"), "test", &d, &err), TRM_E_IO);
  assert_true(speaks_of(&err, "one split of a data set"));
  assert_int_equal(trm_dataset_open(s->dir, "test", &d, &err), TRM_E_IO);
  assert_true(speaks_of(&err, "no data set folder: want train/dataset.json"));
}

static void shared_folders_open(void **state) {
  (void)state;

  /* A folder that another program has written, where it is beside the checkout. */
  char dir[512];
  snprintf(dir, sizeof dir, "%s/data/small-grids/sudoku6/data/sudoku_6x6_small", TRM_SHARED_DIR);
  if (!trm__path_is_dir(dir)) {
    print_message("no data below %s\n", TRM_SHARED_DIR);
    skip();
  }

  /* Every split opens, though its puzzle is not one that is known. */
  static const char *const splits[] = {"train", "val", "test"};
  for (int k = 0; k < 3; k++) {
    trm_dataset *d;
    trm_error err;
    assert_int_equal(trm_dataset_open(dir, splits[k], &d, &err), TRM_OK);
    const trm_dataset_info *info = trm_dataset_get_info(d);
    assert_int_equal(info->examples, k ? 1000 : 5000);
    assert_int_equal(info->seq_len, 64);
    assert_int_equal(info->num_puzzle_identifiers, 1);
    assert_int_equal(info->ignore_label_id, TRM_IGNORE_LABEL);
    assert_int_equal(info->puzzle.kind, TRM_PUZZLE_NONE);

    /* Its ignored labels are understood. */
    int32_t inputs[64], labels[64];
    trm_dataset_example(d, 0, inputs, labels, NULL);
    assert_int_equal(labels[6], TRM_IGNORE_LABEL);
    trm_dataset_free(d);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(examples_are_read),          cmocka_unit_test(sudokus_are_recognised),
      cmocka_unit_test(every_integer_type_is_read), cmocka_unit_test(every_form_is_the_same_set),
      cmocka_unit_test(huge_values_do_not_wrap),    cmocka_unit_test(several_sets_are_joined),
      cmocka_unit_test(split_parts_a_set),          cmocka_unit_test(broken_folders_are_refused),
      cmocka_unit_test(broken_files_are_refused),   cmocka_unit_test(many_ids_want_names),
      cmocka_unit_test(missing_splits_are_told),    cmocka_unit_test(shared_folders_open),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
