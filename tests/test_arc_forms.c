/* ARC data sets in their three forms: every example in the folder, compact, in memory; on smaller
 * canvases, and moved about them. */
#include "arc_builds.h"
#include "json_text.h"
#include "npy_forms.h"
#include "puzzle/arc/arc_move.h"
#include "puzzle/arc/arc_task.h"

/* --- the same data set in three forms --- */

static void assert_same_set(const trm_dataset *a, const trm_dataset *b) {
  /* What is known of both sets without their examples. */
  const trm_dataset_info *x = trm_dataset_get_info(a), *y = trm_dataset_get_info(b);
  assert_int_equal(x->examples, y->examples);
  assert_int_equal(x->puzzles, y->puzzles);
  assert_int_equal(x->groups, y->groups);
  assert_int_equal(x->num_puzzle_identifiers, y->num_puzzle_identifiers);
  assert_true(x->identifiers == y->identifiers && x->identifiers);
  assert_int_equal(x->puzzle.kind, TRM_PUZZLE_ARC);
  assert_int_equal(y->puzzle.kind, TRM_PUZZLE_ARC);
  assert_int_equal(x->ignore_label_id, y->ignore_label_id);

  /* The fingerprint of the names of their puzzles. */
  uint64_t f, g;
  assert_int_equal(trm_dataset_fingerprint(a, &f, NULL), TRM_OK);
  assert_int_equal(trm_dataset_fingerprint(b, &g, NULL), TRM_OK);
  assert_true(f == g);

  /* Each example, to the token. */
  for (int64_t i = 0; i < x->examples; i++) {
    int32_t in[2][TRM__ARC_CELLS], out[2][TRM__ARC_CELLS], id[2];
    trm_dataset_example(a, i, in[0], out[0], &id[0]);
    trm_dataset_example(b, i, in[1], out[1], &id[1]);
    assert_memory_equal(in[0], in[1], (size_t)x->seq_len * sizeof *in[0]);
    assert_memory_equal(out[0], out[1], (size_t)x->seq_len * sizeof *out[0]);
    assert_int_equal(id[0], id[1]);
  }
}

static trm_dataset *open_set(const char *dir, const char *split) {
  trm_dataset *d;
  trm_error err;
  if (trm_dataset_open(dir, split, &d, &err) != TRM_OK) fail_msg("%s", err.msg);
  return d;
}

static void assert_same_views(const trm_dataset *a, const trm_dataset *b) {
  trm_dataset *rest[2], *held[2];
  assert_int_equal(trm_dataset_split(a, 0.4, 9, &rest[0], &held[0], NULL), TRM_OK);
  assert_int_equal(trm_dataset_split(b, 0.4, 9, &rest[1], &held[1], NULL), TRM_OK);
  assert_same_set(rest[0], rest[1]);
  assert_same_set(held[0], held[1]);
  for (int k = 0; k < 2; k++) {
    trm_dataset_free(rest[k]);
    trm_dataset_free(held[k]);
  }
}

static void the_compact_form_is_the_same_data_set(void **state) {
  scratch *s = *state;
  char prefix[160], big[160], compact[160];
  snprintf(prefix, sizeof prefix, "%s", write_arc_files(s, false));
  snprintf(big, sizeof big, "%s", scratch_path(s, "big"));
  snprintf(compact, sizeof compact, "%s", scratch_path(s, "compact"));
  build_well(&small[0], prefix, big, false, 2, NULL);
  build_well(&small[0], prefix, compact, true, 2, NULL);

  /* Both splits. */
  static const char *const splits[] = {"train", "test"};
  for (int k = 0; k < 2; k++) {
    trm_dataset *a = open_set(big, splits[k]), *b = open_set(compact, splits[k]);
    assert_same_set(a, b);
    assert_same_views(a, b);
    trm_dataset_free(a);
    trm_dataset_free(b);
  }

  /* Its arrays in other types and orders, too. */
  static const char *const arrays[] = {"pairs",  "pair_indices", "group_indices",
                                       "copies", "offsets",      "puzzle_identifiers"};
  trm_dataset *whole = open_set(big, "train");
  for (int form = 0; form < NPY_FORMS; form += 3) {
    for (int k = 0; k < 6; k++) {
      char path[300];
      snprintf(path, sizeof path, "%s/train/all__%s.npy", compact, arrays[k]);
      npy_form_again(path, npy_forms[form], NAN);
    }
    trm_dataset *b = open_set(compact, "train");
    assert_same_set(whole, b);
    trm_dataset_free(b);
  }
  trm_dataset_free(whole);

  /* What is not an array is the same file. */
  same_in_folders(big, compact, "identifiers.json");
  same_in_folders(big, compact, "test_puzzles.json");
}

/* The tasks of a subset that fit a canvas, and the canvas that all fit; in the files "arc/c". */
static int64_t count_fitting(scratch *s, int side, int *largest) {
  trm_arc_tasks *tasks;
  trm_arc_data *data;
  int64_t n = 0;
  assert_int_equal(trm_arc_tasks_load(scratch_path(s, "arc/c"), &tasks, NULL), TRM_OK);
  for (int64_t i = 0; i < tasks->n; i++) n += trm__arc_task_fits(&tasks->task[i], side);
  for (*largest = TRM__ARC_SIDE; *largest > 1; --*largest)
    if (trm_arc_data_create(tasks, 0, *largest - 1, 1, &data, NULL) != TRM_OK)
      break;
    else
      trm_arc_data_free(data);
  trm_arc_tasks_free(tasks);
  return n;
}

/* The files of tasks, places for two sets of them, how many tasks "c" has, and their largest side.
 */
typedef struct canvases {
  char prefix[160], wide[160], narrow[160];
  int64_t all;
  int side;
} canvases;

static canvases make_canvases(scratch *s) {
  canvases c;
  snprintf(c.prefix, sizeof c.prefix, "%s", write_arc_files(s, false));
  snprintf(c.wide, sizeof c.wide, "%s", scratch_path(s, "wide"));
  snprintf(c.narrow, sizeof c.narrow, "%s", scratch_path(s, "narrow"));
  c.all = count_fitting(s, TRM__ARC_SIDE, &c.side);
  assert_in_range(c.side, 2, TRM__ARC_SIDE - 1);
  return c;
}

/* Where all grids fit, a smaller canvas has the same grids with the same ids at its corner. */
static void a_canvas_may_be_smaller(void **state) {
  /* The same tasks built twice: on the canvas of the paper, and on one as wide as the largest
   * grid. Nothing is too large for either. */
  const canvases c = make_canvases(*state);
  known_build k = {
      .subsets = "a,c", .test = "a", .num_aug = 6, .seed = 5}; /* "a" has rows to test */
  trm_arc_build_report report;
  build_well(&k, c.prefix, c.wide, false, 1, &report);
  assert_true(report.tasks > c.all && report.too_large == 0);
  k.canvas = c.side;
  build_well(&k, c.prefix, c.narrow, false, 1, &report);
  assert_true(report.tasks > c.all && report.too_large == 0);

  /* On the smaller one the description follows. */
  const int side = c.side;
  trm_dataset *a = open_set(c.wide, "test"), *b = open_set(c.narrow, "test");
  const trm_dataset_info *info = trm_dataset_get_info(b);
  assert_true(info->seq_len == side * side && info->puzzle.kind == TRM_PUZZLE_ARC &&
              info->puzzle.rows == side && info->puzzle.cols == side);

  /* Augmentation draws the same grids for the same ids; only the place on the canvas differs. */
  assert_int_equal(info->examples, trm_dataset_get_info(a)->examples);
  for (int64_t i = 0; i < info->examples; i++) {
    int32_t in[2][TRM__ARC_CELLS], out[2][TRM__ARC_CELLS], id[2];
    trm__arc_grid g[2];
    trm_dataset_example(a, i, in[0], out[0], &id[0]);
    trm_dataset_example(b, i, in[1], out[1], &id[1]);
    assert_int_equal(id[0], id[1]);
    for (int label = 0; label < 2; label++) {
      trm__arc_crop(label ? out[0] : in[0], TRM__ARC_SIDE, &g[0]);
      trm__arc_crop(label ? out[1] : in[1], side, &g[1]);
      assert_true(g[0].rows > 0 && trm__arc_same(&g[0], &g[1]));
    }
  }
  trm_dataset_free(a);
  trm_dataset_free(b);
}

/* On a canvas one cell narrower than the largest grid. */
static void tasks_that_are_too_large_are_left_out(void **state) {
  /* Those that do not fit are counted. */
  scratch *s = *state;
  static const char *const splits[] = {"train", "test"};
  const canvases c = make_canvases(s);
  const known_build k = {
      .subsets = "c", .test = "c", .num_aug = 6, .seed = 5, .canvas = c.side - 1};
  trm_arc_build_report report;
  int side;
  build_well(&k, c.prefix, c.wide, false, 1, &report);
  assert_int_equal(report.tasks, count_fitting(s, c.side - 1, &side));
  assert_true(report.too_large > 0 && report.tasks + report.too_large == c.all);

  /* The compact form leaves out the same ones. */
  build_well(&k, c.prefix, c.narrow, true, 1, &report);
  for (int i = 0; i < 2; i++) {
    trm_dataset *a = open_set(c.wide, splits[i]), *b = open_set(c.narrow, splits[i]);
    assert_same_set(a, b);
    trm_dataset_free(a);
    trm_dataset_free(b);
  }
}

static void a_canvas_for_nothing_is_refused(void **state) {
  /* Where nothing is left to build, that is an error. */
  scratch *s = *state;
  const canvases c = make_canvases(s);
  trm_arc_build_report report;
  trm_error err;
  const known_build none = {.subsets = "c,d", .test = "d", .canvas = 1};
  static const char large[] =
      "{\"x\": {\"train\": [{\"input\": [[1]], \"output\": [[1, 1]]}], "
      "\"test\": [{\"input\": [[1]]}]}}";
  write_bytes(scratch_path(s, "arc_d_challenges.json"), large, sizeof large - 1);
  assert_int_equal(build(&none, c.prefix, c.narrow, false, 1, NULL, &err), TRM_E_RANGE);
  assert_true(speaks_of(&err, "no task is valid and fits"));

  /* Where one task fits, that is a data set. */
  const known_build rest = {.subsets = "c,d", .test = "c", .canvas = 1};
  build_well(&rest, c.prefix, c.narrow, false, 1, &report);
  assert_true(report.tasks == 1 && report.too_large == c.all);

  /* A canvas wider than the form's own is refused. */
  const known_build wide = {.subsets = "c", .test = "c", .canvas = 31};
  assert_int_equal(build(&wide, c.prefix, c.narrow, false, 1, NULL, &err), TRM_E_ARGUMENT);
}

static void tasks_in_memory_are_the_same_data_set(void **state) {
  /* A folder is built from files. */
  scratch *s = *state;
  char prefix[160], dir[160];
  snprintf(prefix, sizeof prefix, "%s", write_arc_files(s, false));
  snprintf(dir, sizeof dir, "%s", scratch_path(s, "big"));
  const known_build k = {.subsets = "c", .test = "c", .num_aug = 12, .seed = 5};
  build_well(&k, prefix, dir, false, 1, NULL);

  /* The same tasks, loaded and kept in memory. */
  trm_arc_tasks *tasks;
  trm_arc_data *data;
  assert_int_equal(trm_arc_tasks_load(scratch_path(s, "arc/c"), &tasks, NULL), TRM_OK);
  assert_int_equal(trm_arc_data_create(tasks, 12, 0, 5, &data, NULL), TRM_OK);
  trm_arc_tasks_free(tasks);

  /* Examples, ids and their names are those of the folder. */
  trm_dataset *train = open_set(dir, "train"), *test = open_set(dir, "test");
  assert_same_set(train, data->train);
  assert_same_set(test, data->test);
  trm__json *names = json_of_file(scratch_path(s, "big/identifiers.json"));
  assert_int_equal(trm__json_n_items(names), data->n_names);
  for (int i = 0; i < data->n_names; i++)
    assert_string_equal(data->names[i], trm__json_text(trm__json_item(names, (size_t)i)));

  /* Freeing nothing is allowed. */
  trm__json_free(names);
  trm_dataset_free(train);
  trm_dataset_free(test);
  trm_arc_data_free(data);
  trm_arc_data_free(NULL);
}

/* --- compact folders are hostile, too --- */

/* Breaks one byte of one file after the other: the folder opens, or says why not, and what opens
 * can be read. */
static void broken_compact_folders_are_safe(void **state) {
  /* Every file that the compact form has of its own, and the description. */
  scratch *s = *state;
  static const char *const arrays[] = {"all__pairs.npy",   "all__pair_indices.npy",
                                       "all__copies.npy",  "all__group_indices.npy",
                                       "all__offsets.npy", "all__puzzle_identifiers.npy",
                                       "dataset.json"};
  char prefix[160], dir[160];
  snprintf(prefix, sizeof prefix, "%s", write_arc_files(s, false));
  snprintf(dir, sizeof dir, "%s", scratch_path(s, "hostile"));
  build_well(&small[0], prefix, dir, true, 1, NULL);

  /* Large files are sampled, small ones are broken byte by byte. */
  int refusals = 0;
  for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) {
    char path[300];
    size_t n;
    snprintf(path, sizeof path, "%s/test/%s", dir, arrays[k]);
    unsigned char *bytes = read_bytes(path, &n);
    const size_t step = n > 2000 ? 97 : 1;
    for (size_t i = 0; i < n; i += step) {
      const unsigned char good = bytes[i];
      bytes[i] = (unsigned char)(good + 1 + i % 255);
      write_bytes(path, bytes, n);
      bytes[i] = good;

      /* Either the folder is refused with more than a word, */
      trm_dataset *d;
      trm_error err;
      if (trm_dataset_open(dir, "test", &d, &err) != TRM_OK) {
        refusals++;
        assert_true(strlen(err.msg) > 10);
        continue;
      }

      /* or what it claims to have can be read, which the sanitizers watch. */
      int32_t in[TRM__ARC_CELLS], out[TRM__ARC_CELLS], id;
      const int64_t rows = trm_dataset_get_info(d)->examples;
      for (int64_t e = 0; e < rows && trm_dataset_get_info(d)->seq_len == TRM__ARC_CELLS; e++)
        trm_dataset_example(d, e, in, out, &id);
      trm_dataset_free(d);
    }
    write_bytes(path, bytes, n);
    free(bytes);
  }

  /* Most bytes matter, and the folder is whole again at the end. */
  assert_true(refusals > 200);
  trm_dataset_free(open_set(dir, "test"));
}

/* Each check of the compact form, by a value that breaks just that. */
static void compact_checks_say_what_is_wrong(void **state) {
  /* A byte of each file, its new value, and what the message must name. */
  scratch *s = *state;
  static const struct {
    const char *file;
    int from_end; /* the byte, counted from the end of the file */
    unsigned char value;
    const char *speaks;
  } bad[] = {{"all__offsets.npy", 1, 30, "offsets.npy row 73"},
             {"all__offsets.npy", 2, 30, "offsets.npy row 73"},
             {"all__copies.npy", 10, 8, "copies.npy row 31"},
             {"all__copies.npy", 1, 0, "copies.npy row 31"},
             {"all__puzzle_identifiers.npy", 4, 255, "identifiers.npy row 31"},
             {"all__pair_indices.npy", 4, 255, "pair_indices.npy row 7"},
             {"all__group_indices.npy", 8, 32, "is empty"},
             {"all__pairs.npy", 900, 12, "the output is no grid"},
             {"all__pairs.npy", 1, 2, "the output is no grid"}};

  /* A folder that is valid but for that byte. */
  char prefix[160], dir[160], path[300];
  snprintf(prefix, sizeof prefix, "%s", write_arc_files(s, false));
  snprintf(dir, sizeof dir, "%s", scratch_path(s, "hostile"));
  build_well(&small[0], prefix, dir, true, 1, NULL);
  for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
    size_t n;
    trm_dataset *d;
    trm_error err;
    snprintf(path, sizeof path, "%s/train/%s", dir, bad[k].file);
    unsigned char *bytes = read_bytes(path, &n);
    const unsigned char good = bytes[n - (size_t)bad[k].from_end];
    bytes[n - (size_t)bad[k].from_end] = bad[k].value;
    write_bytes(path, bytes, n);

    /* The check that fires is the one that was meant. */
    assert_int_not_equal(trm_dataset_open(dir, "train", &d, &err), TRM_OK);
    assert_true(speaks_of(&err, bad[k].speaks));
    bytes[n - (size_t)bad[k].from_end] = good;
    write_bytes(path, bytes, n);
    free(bytes);
  }
  trm_dataset_free(open_set(dir, "train"));
}

/* --- on the fly --- */

/* In training every draw of a pair is moved, with its id, its colours and its shape unchanged. */
static void training_moves_pairs(void **state) {
  /* Compact data without augmented copies: all variety comes from moving. */
  scratch *s = *state;
  char prefix[160], dir[160];
  snprintf(prefix, sizeof prefix, "%s", write_arc_files(s, false));
  snprintf(dir, sizeof dir, "%s", scratch_path(s, "moving"));
  const known_build k = {.subsets = "c", .num_aug = 0, .seed = 1};
  build_well(&k, prefix, dir, true, 1, NULL);
  trm_dataset *d = open_set(dir, "train");

  /* Many batches, longer than the data. */
  const trm_stream_config config = {4, 3, 1000, TRM_AUGMENT_ON_THE_FLY};
  trm_stream *stream;
  assert_int_equal(trm_stream_create((const trm_dataset *const *)&d, 1, &config, &stream, NULL),
                   TRM_OK);
  bool seen[TRM__ARC_CELLS] = {false};
  int places = 0;
  for (int batch = 0; batch < 200; batch++) {
    int32_t inputs[4 * TRM__ARC_CELLS], labels[4 * TRM__ARC_CELLS], ids[4];
    trm_stream_next(stream, NULL, inputs, labels, ids);

    /* A pair moves as one, so that the relation of input and output stays. */
    for (int row = 0; row < 4; row++) {
      const int32_t *in = inputs + row * TRM__ARC_CELLS, *out = labels + row * TRM__ARC_CELLS;
      int at = 0, first = 0;
      while (in[at] < TRM__ARC_FIRST) at++;
      while (out[first] < TRM__ARC_FIRST) first++;
      assert_int_equal(at, first); /* input and output have moved together */
      places += !seen[at];
      seen[at] = true;

      /* Moved back, it is an example of its puzzle. */
      bool known = false;
      for (int64_t e = 0; e < trm_dataset_get_info(d)->examples && !known; e++) {
        int32_t from_in[TRM__ARC_CELLS], from_out[TRM__ARC_CELLS], id;
        trm_dataset_example(d, e, from_in, from_out, &id);
        int was = 0;
        while (from_in[was] < TRM__ARC_FIRST) was++;
        known = id == ids[row];
        for (int i = 0; i < TRM__ARC_CELLS && known; i++) {
          if (from_in[i] >= TRM__ARC_FIRST) known = in[i - was + at] == from_in[i];
          if (known && from_out[i] >= TRM__ARC_FIRST) known = out[i - was + at] == from_out[i];
        }
      }
      assert_true(known);
    }
  }

  /* Places are spread over the canvas: most of some 900 are seen. */
  assert_true(places > 300);
  trm_stream_free(stream);
  trm_dataset_free(d);
}

/* What is moved is what would have been placed there; what is no pair stays. */
static void a_move_is_a_placement(void **state) {
  /* Grids of one cell, of nearly the canvas, and of all of it. */
  (void)state;
  static const struct {
    int side, rows, cols, out_rows, out_cols;
  } sizes[] = {{30, 1, 1, 3, 2},   {30, 30, 2, 4, 4}, {30, 29, 30, 29, 30}, {30, 30, 30, 30, 30},
               {30, 5, 29, 29, 1}, {6, 2, 3, 4, 2},   {6, 6, 6, 6, 6}};

  /* Random colours, 50 times for each size. */
  trm__rng rng = trm__rng_at(1, TRM__RNG_TEST, 0, 0);
  for (size_t k = 0; k < 50 * sizeof sizes / sizeof *sizes; k++) {
    const size_t z = k / 50;
    const int width = sizes[z].side, cells = width * width;
    trm__arc_grid in = {(uint8_t)sizes[z].rows, (uint8_t)sizes[z].cols, {0}};
    trm__arc_grid out = {(uint8_t)sizes[z].out_rows, (uint8_t)sizes[z].out_cols, {0}};
    for (int i = 0; i < TRM__ARC_CELLS; i++) {
      in.cell[i] = (uint8_t)trm__rng_below(&rng, 10);
      out.cell[i] = (uint8_t)trm__rng_below(&rng, 10);
    }

    /* The pair, placed at the corner; labels beside a grid are ignored ones. */
    uint8_t tokens[TRM__ARC_CELLS];
    int32_t from[2][TRM__ARC_CELLS], to[2][TRM__ARC_CELLS];
    for (int side = 0; side < 2; side++) {
      trm__arc_place(side ? &out : &in, width, 0, 0, tokens);
      for (int i = 0; i < cells; i++)
        from[side][i] = side && !tokens[i] ? TRM_IGNORE_LABEL : tokens[i];
    }

    /* Moved, it is what placing it there would have given. */
    trm__arc_move(&rng, width, from[0], from[1], to[0], to[1]);
    int at = 0;
    while (to[0][at] < TRM__ARC_FIRST) at++;
    for (int side = 0; side < 2; side++) {
      trm__arc_place(side ? &out : &in, width, at / width, at % width, tokens);
      for (int i = 0; i < cells; i++)
        assert_int_equal(to[side][i], side && !tokens[i] ? TRM_IGNORE_LABEL : tokens[i]);
    }

    /* A colour that no grid can have there makes it no pair: then nothing moves. */
    if (sizes[z].rows >= width - 1) continue;
    from[1][cells - 1] = from[1][cells - 1] == 5 ? 6 : 5; /* a colour where none can be */
    trm__arc_move(&rng, width, from[0], from[1], to[0], to[1]);
    if (sizes[z].out_rows < width - 1) {
      assert_memory_equal(from[0], to[0], (size_t)cells * sizeof from[0][0]);
      assert_memory_equal(from[1], to[1], (size_t)cells * sizeof from[1][0]);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_compact_form_is_the_same_data_set),
      cmocka_unit_test(a_canvas_may_be_smaller),
      cmocka_unit_test(tasks_that_are_too_large_are_left_out),
      cmocka_unit_test(a_canvas_for_nothing_is_refused),
      cmocka_unit_test(tasks_in_memory_are_the_same_data_set),
      cmocka_unit_test(broken_compact_folders_are_safe),
      cmocka_unit_test(compact_checks_say_what_is_wrong),
      cmocka_unit_test(training_moves_pairs),
      cmocka_unit_test(a_move_is_a_placement),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
