/* Streams of training batches: epochs, seeking, wanted rows, augmentation. */
#include "folder.h"

#include "puzzle/sudoku/sudoku_shape.h"
#include "trm/dataset.h"

enum { MAX_BATCH = 64 };

typedef struct batch {
  int32_t inputs[MAX_BATCH * FOLDER_LEN], labels[MAX_BATCH * FOLDER_LEN], ids[MAX_BATCH];
} batch;

static trm_dataset *open_folder(scratch *s, const char *name, const folder *f) {
  trm_dataset *d;
  char dir[160];
  snprintf(dir, sizeof dir, "%s", scratch_path(s, name));
  folder_write(f, dir, "train");
  assert_int_equal(trm_dataset_open(dir, "train", &d, NULL), TRM_OK);
  return d;
}

/* 12 groups of one puzzle of one example: the shape of an unaugmented Sudoku set. */
static folder folder_single(void) {
  folder f = folder_good();
  f.puzzles = FOLDER_ROWS;
  f.puzzle_entries = f.group_entries = FOLDER_ROWS + 1;
  for (int i = 0; i <= FOLDER_ROWS; i++) f.puzzle_indices[i] = f.group_indices[i] = i;
  for (int i = 0; i < FOLDER_ROWS; i++) f.ids[i] = i % 3;
  return f;
}

static trm_stream *make_stream(const trm_dataset *d, int batch_size, int64_t epochs,
                               trm_augment augment) {
  trm_stream *stream;
  trm_error err;
  trm_stream_config config = {batch_size, 21, epochs, augment};
  assert_int_equal(trm_stream_create(&d, 1, &config, &stream, &err), TRM_OK);
  return stream;
}

/* The row of the folder that a row of a batch came from. */
static int row_of(const folder *f, const int32_t *inputs) {
  for (int r = 0; r < FOLDER_ROWS; r++)
    if (!memcmp(inputs, f->inputs + r * FOLDER_LEN, FOLDER_LEN * sizeof *inputs)) return r;
  fail_msg("a row that the folder does not have");
  return -1;
}

static void draw(trm_stream *stream, const uint8_t *want, batch *b) {
  memset(b, 0, sizeof *b);
  trm_stream_next(stream, want, b->inputs, b->labels, b->ids);
}

static void an_epoch_visits_each_group_once(void **state) {
  folder f = folder_single();

  /* Twelve rows, four at a time. */
  trm_dataset *d = open_folder(*state, "once", &f);
  trm_stream *stream = make_stream(d, 4, 2, TRM_AUGMENT_NONE);
  int orders_differ = 0;
  int first[FOLDER_ROWS];

  /* Each epoch of three batches has every row once, with its id and answer. */
  for (int epoch = 0; epoch < 8; epoch++) {
    int seen[FOLDER_ROWS] = {0}, order[FOLDER_ROWS];
    for (int k = 0; k < 3; k++) {
      batch b;
      draw(stream, NULL, &b);
      for (int r = 0; r < 4; r++) {
        int row = order[k * 4 + r] = row_of(&f, b.inputs + r * FOLDER_LEN);
        seen[row]++;
        assert_int_equal(b.ids[r], f.ids[row]);
        assert_memory_equal(b.labels + r * FOLDER_LEN, f.labels + row * FOLDER_LEN,
                            FOLDER_LEN * sizeof *b.labels);
      }
    }
    for (int i = 0; i < FOLDER_ROWS; i++) assert_int_equal(seen[i], 1);

    /* The order of an epoch is its own. */
    if (!epoch) memcpy(first, order, sizeof first);
    orders_differ += memcmp(first, order, sizeof first) != 0;
  }
  assert_true(orders_differ >= 6);

  /* The position counts batches; freeing nothing is allowed. */
  assert_int_equal(trm_stream_position(stream), 24);
  trm_stream_free(stream);
  trm_stream_free(NULL);
  trm_dataset_free(d);
}

/* 12 groups, 2 epochs, batches of 5: four batches, then four examples are dropped. */
static void the_open_batch_is_dropped(void **state) {
  folder f = folder_single();
  trm_dataset *d = open_folder(*state, "dropped", &f);
  trm_stream *stream = make_stream(d, 5, 2, TRM_AUGMENT_NONE);
  for (int iteration = 0; iteration < 3; iteration++) {
    int seen[FOLDER_ROWS] = {0};
    for (int k = 0; k < 4; k++) {
      batch b;
      draw(stream, NULL, &b);
      for (int r = 0; r < 5; r++) {
        int row = row_of(&f, b.inputs + r * FOLDER_LEN);
        seen[row]++;
        if (k < 2) assert_int_equal(seen[row], 1); /* ten of the first epoch's twelve */
      }
    }
    for (int i = 0; i < FOLDER_ROWS; i++) assert_true(seen[i] == 1 || seen[i] == 2);
  }
  trm_stream_free(stream);
  trm_dataset_free(d);
}

/* Groups of several puzzles of several examples: one puzzle each, examples without replacement. */
static void groups_give_one_puzzle(void **state) {
  folder f = folder_good();
  trm_dataset *d = open_folder(*state, "groups", &f);
  trm_stream *stream = make_stream(d, 4, 1000, TRM_AUGMENT_NONE);
  int picked[6] = {0}, rows[FOLDER_ROWS] = {0};
  for (int k = 0; k < 300; k++) {
    batch b;
    draw(stream, NULL, &b);
    int before = -1, used = 0;
    for (int r = 0; r < 4; r++) {
      int row = row_of(&f, b.inputs + r * FOLDER_LEN), puzzle = 0;
      while (f.puzzle_indices[puzzle + 1] <= row) puzzle++;
      rows[row]++;
      picked[puzzle]++;
      int size = f.puzzle_indices[puzzle + 1] - f.puzzle_indices[puzzle];
      /* Epochs may meet in a batch: the same puzzle again, from the start. */
      if (puzzle != before || __builtin_popcount((unsigned)used) == size) used = 0;
      assert_false(used >> row & 1);
      used |= 1 << row;
      before = puzzle;
    }
  }
  for (int p = 0; p < 6; p++) assert_true(picked[p] > 20);
  for (int i = 0; i < FOLDER_ROWS; i++) assert_true(rows[i] > 20);
  trm_stream_free(stream);
  trm_dataset_free(d);
}

static void seeking_is_replaying(void **state) {
  enum { BATCHES = 60 };

  /* With and without images, and with batches that end where epochs do or not. */
  static batch run[BATCHES];
  folder folders[2] = {folder_single(), folder_good()};
  for (int kind = 0; kind < 6; kind++) {
    trm_dataset *d = open_folder(*state, "seek", &folders[kind & 1]);
    trm_augment augment = kind & 1 ? TRM_AUGMENT_NONE : TRM_AUGMENT_ON_THE_FLY;
    int size = kind < 2 ? 4 : kind < 4 ? 5 : 7;
    trm_stream *stream = make_stream(d, size, 3, augment), *other;

    /* A run of sixty batches, to compare with. */
    for (int k = 0; k < BATCHES; k++) draw(stream, NULL, &run[k]);

    /* To each of some places, backwards too: a stream that has run, and a new one. */
    static const int targets[] = {0, 59, 7, 8, 30, 29, 1, 6, 11};
    for (size_t t = 0; t < sizeof targets / sizeof *targets; t++) {
      other = make_stream(d, size, 3, augment);
      assert_int_equal(trm_stream_seek(other, targets[t], NULL), TRM_OK);
      assert_int_equal(trm_stream_seek(stream, targets[t], NULL), TRM_OK);

      /* From there on both give what the run gave. */
      for (int k = targets[t]; k < BATCHES; k++) {
        batch fresh, moved;
        assert_int_equal(trm_stream_position(other), k);
        draw(other, NULL, &fresh);
        draw(stream, NULL, &moved);
        assert_memory_equal(&fresh, &run[k], sizeof fresh);
        assert_memory_equal(&moved, &run[k], sizeof moved);
      }
      trm_stream_free(other);
    }

    /* There is nothing before the start. */
    assert_int_equal(trm_stream_seek(stream, -1, NULL), TRM_E_ARGUMENT);
    trm_stream_free(stream);
    trm_dataset_free(d);
  }
}

static void unwanted_rows_change_nothing(void **state) {
  folder folders[2] = {folder_single(), folder_good()};

  /* Two equal streams of images. */
  for (int kind = 0; kind < 2; kind++) {
    trm_dataset *d = open_folder(*state, "want", &folders[kind]);
    trm_stream *all = make_stream(d, 6, 5, TRM_AUGMENT_ON_THE_FLY);
    trm_stream *some = make_stream(d, 6, 5, TRM_AUGMENT_ON_THE_FLY);
    trm__rng rng = trm__rng_at(1, TRM__RNG_TEST, 0, 0);

    /* One of them leaves out rows at random. */
    for (int k = 0; k < 40; k++) {
      batch full, part;
      uint8_t want[6];
      for (int r = 0; r < 6; r++) want[r] = (uint8_t)trm__rng_below(&rng, 2);
      draw(all, NULL, &full);
      draw(some, want, &part);

      /* Those it wants are the same; the others are zero. */
      for (int r = 0; r < 6; r++)
        for (int i = 0; i < FOLDER_LEN; i++) {
          int at = r * FOLDER_LEN + i;
          assert_int_equal(part.inputs[at], want[r] ? full.inputs[at] : 0);
          assert_int_equal(part.labels[at], want[r] ? full.labels[at] : 0);
          assert_int_equal(part.ids[r], want[r] ? full.ids[r] : 0);
        }
    }
    trm_stream_free(all);
    trm_stream_free(some);
    trm_dataset_free(d);
  }
}

static void augmentation_keeps_answers_right(void **state) {
  folder f = folder_single();

  /* Sudokus with one ignored label. */
  f.labels[3 * FOLDER_LEN + 7] = 0; /* an ignored label travels with its cell */
  f.json =
      "{\"vocab_size\": 6, \"seq_len\": 16, \"ignore_label_id\": 0, \"puzzle\": {\"kind\": "
      "\"sudoku\", \"rows\": 4, \"cols\": 4, \"box_rows\": 2, \"box_cols\": 2}}";
  trm_dataset *d = open_folder(*state, "augment", &f);
  const trm_puzzle *p = &trm_dataset_get_info(d)->puzzle;
  trm_stream *stream = make_stream(d, 6, 100, TRM_AUGMENT_ON_THE_FLY);
  int ignored = 0, changed = 0;

  /* Many images. */
  for (int k = 0; k < 60; k++) {
    batch b;
    draw(stream, NULL, &b);
    for (int r = 0; r < 6; r++) {
      uint8_t q[16], a[16];
      int holes = 0, known = 0;

      /* A given cell has the digit of its answer. */
      for (int i = 0; i < 16; i++) {
        int32_t label = b.labels[r * 16 + i];
        holes += label == TRM_IGNORE_LABEL;
        q[i] = (uint8_t)(b.inputs[r * 16 + i] - 1);
        a[i] = (uint8_t)(label == TRM_IGNORE_LABEL ? 0 : label - 1);
        assert_true(!q[i] || !a[i] || q[i] == a[i]);
      }

      /* The ignored label has moved with its cell, and the answer is one of the image. */
      assert_true(holes <= 1);
      ignored += holes;
      assert_true(trm_sudoku_consistent(p, a, NULL));
      assert_true(holes || trm_sudoku_solves(p, q, a));

      /* Whether the image is another puzzle than those in the file. */
      for (int i = 0; i < FOLDER_ROWS; i++)
        known |= !memcmp(b.inputs + r * 16, f.inputs + i * 16, 16 * sizeof *b.inputs);
      changed += !known;
    }
  }

  assert_int_equal(ignored, 30); /* once per epoch */
  assert_true(changed > 300);    /* of 360: nearly every draw is a new image */
  trm_stream_free(stream);
  trm_dataset_free(d);
}

static void several_sets_make_one_epoch(void **state) {
  /* Two sets that are told apart by their ids. */
  folder f = folder_single(), g = folder_single();
  for (int i = 0; i < FOLDER_ROWS; i++) g.ids[i] = 2, f.ids[i] = i % 2;
  trm_dataset *sets[2] = {open_folder(*state, "one", &f), open_folder(*state, "two", &g)};
  trm_stream *stream;
  trm_stream_config config = {8, 3, 1, TRM_AUGMENT_NONE};
  const trm_dataset *const both[2] = {sets[0], sets[1]};
  assert_int_equal(trm_stream_create(both, 2, &config, &stream, NULL), TRM_OK);

  /* One epoch of both has every row of each once. */
  int seen[2][FOLDER_ROWS] = {{0}}, mixed = 0;
  for (int k = 0; k < 3; k++) {
    batch b;
    int from[2] = {0, 0};
    draw(stream, NULL, &b);
    for (int r = 0; r < 8; r++) {
      int which = b.ids[r] == 2;
      from[which]++;
      seen[which][row_of(&f, b.inputs + r * FOLDER_LEN)]++;
    }
    mixed += from[0] && from[1];
  }

  /* Batches mix them. */
  for (int i = 0; i < 2 * FOLDER_ROWS; i++) assert_int_equal(seen[i / 12][i % 12], 1);
  assert_true(mixed >= 2);
  trm_stream_free(stream);

  /* Sets with other vocabularies do not go together, and the message has both numbers. */
  f.json = "{\"vocab_size\": 7, \"seq_len\": 16}";
  trm_dataset *wide = open_folder(*state, "wide", &f);
  const trm_dataset *const unlike[2] = {sets[0], wide};
  trm_error err;
  assert_int_equal(trm_stream_create(unlike, 2, &config, &stream, &err), TRM_E_SHAPE);
  assert_null(stream);
  assert_true(speaks_of(&err, "vocab_size 6 and 7"));
  trm_dataset_free(wide);
  for (int k = 0; k < 2; k++) trm_dataset_free(sets[k]);
}

static void views_are_streamed(void **state) {
  folder f = folder_single();
  trm_dataset *d = open_folder(*state, "views", &f), *rest, *held;
  assert_int_equal(trm_dataset_split(d, 0.25, 4, &rest, &held, NULL), TRM_OK);
  int seen[FOLDER_ROWS] = {0};
  const trm_dataset *parts[2] = {rest, held};
  for (int k = 0; k < 2; k++) {
    trm_stream *stream = make_stream(parts[k], 3, 1, TRM_AUGMENT_NONE);
    for (int64_t i = 0; i < trm_dataset_get_info(parts[k])->examples / 3; i++) {
      batch b;
      draw(stream, NULL, &b);
      for (int r = 0; r < 3; r++) seen[row_of(&f, b.inputs + r * FOLDER_LEN)]++;
    }
    trm_stream_free(stream);
  }
  for (int i = 0; i < FOLDER_ROWS; i++) assert_int_equal(seen[i], 1);
  trm_dataset_free(rest);
  trm_dataset_free(held);
  trm_dataset_free(d);
}

static void bad_streams_are_refused(void **state) {
  /* Data that nothing is known of have no images. */
  folder f = folder_single(), strange = folder_single();
  strange.json = "{\"vocab_size\": 7, \"seq_len\": 16}";
  trm_dataset *d = open_folder(*state, "small", &f);
  trm_dataset *unknown = open_folder(*state, "unknown", &strange);

  /* Sizes that are none, that overflow, and that the data do not fill. */
  struct {
    const trm_dataset *set;
    trm_stream_config config;
    trm_status code;
    const char *word;
  } cases[] = {{d, {0, 1, 1, TRM_AUGMENT_NONE}, TRM_E_ARGUMENT, "batch_size 0"},
               {d, {4, 1, 0, TRM_AUGMENT_NONE}, TRM_E_ARGUMENT, "epochs_per_iter 0"},
               {d, {4, 1, INT64_MAX, TRM_AUGMENT_NONE}, TRM_E_ARGUMENT, "31 bits"},
               {d, {13, 1, 1, TRM_AUGMENT_NONE}, TRM_E_CONFIG, "at most 12"},
               {d, {37, 1, 3, TRM_AUGMENT_NONE}, TRM_E_CONFIG, "at least 4"},
               {unknown, {4, 1, 1, TRM_AUGMENT_ON_THE_FLY}, TRM_E_CONFIG, "augment=none"}};

  /* No stream is made, and the message says what would do. */
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    trm_stream *stream;
    trm_error err;
    assert_int_equal(trm_stream_create(&cases[i].set, 1, &cases[i].config, &stream, &err),
                     cases[i].code);
    assert_null(stream);
    assert_true(speaks_of(&err, cases[i].word));
  }

  /* No sets at all are refused. */
  trm_stream *stream;
  assert_int_equal(trm_stream_create(NULL, 0, &cases[0].config, &stream, NULL), TRM_E_ARGUMENT);
  trm_dataset_free(d);
  trm_dataset_free(unknown);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_epoch_visits_each_group_once),
      cmocka_unit_test(the_open_batch_is_dropped),
      cmocka_unit_test(groups_give_one_puzzle),
      cmocka_unit_test(seeking_is_replaying),
      cmocka_unit_test(unwanted_rows_change_nothing),
      cmocka_unit_test(augmentation_keeps_answers_right),
      cmocka_unit_test(several_sets_make_one_epoch),
      cmocka_unit_test(views_are_streamed),
      cmocka_unit_test(bad_streams_are_refused),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
