/* ARC data sets: the same bytes as from a Python program that does what the reference does with
 * NumPy; what is said of them, and what is refused. */
#include "arc_builds.h"
#include "puzzle/arc/arc_grid.h"

/* --- building --- */

static const char *const files[FILES] = {"identifiers.json",
                                         "test/all__group_indices.npy",
                                         "test/all__inputs.npy",
                                         "test/all__labels.npy",
                                         "test/all__puzzle_identifiers.npy",
                                         "test/all__puzzle_indices.npy",
                                         "test/dataset.json",
                                         "test_puzzles.json",
                                         "train/all__group_indices.npy",
                                         "train/all__inputs.npy",
                                         "train/all__labels.npy",
                                         "train/all__puzzle_identifiers.npy",
                                         "train/all__puzzle_indices.npy",
                                         "train/dataset.json"};

/* Of ../shared/data/arc; the first two are those of ../shared/golden/arc-builder. */
static const known_build real[] = {
    {"training,evaluation,concept",
     "evaluation",
     5,
     42,
     {0xda89e658, 0x4e980c3e, 0xf171edd0, 0x7afdb809, 0xf2f5cf4d, 0x2cab808e, 0x4d6b4dff,
      0xddf82bdf, 0x0fddcdf8, 0x5c0f0a62, 0x5a100e26, 0xa77e5079, 0xc6dbd116, 0x8d10d561},
     0},
    {"training2,evaluation2,concept",
     "evaluation2",
     3,
     42,
     {0xbfbb6bf4, 0x5d299977, 0xffd77cf0, 0xe3d39719, 0x784e054f, 0xf70ba96b, 0x928ee3ed,
      0x6ac3decc, 0x96574c4d, 0xe9141b28, 0xec40b768, 0x3d47f38e, 0xa7de3710, 0x0056216d},
     0},
    {"training,evaluation,concept",
     "evaluation",
     3,
     7,
     {0xe390fa2c, 0x8ce3a652, 0xa6090ec5, 0x8396cc31, 0xe50072e9, 0x7f9ce5b7, 0xd871dc88,
      0xe12da58a, 0x8eb4e7dc, 0xa2ddcb33, 0x9c4ea058, 0x791128cf, 0x77276311, 0xbd161c9e},
     0}};

static void check_files(const known_build *k, const char *dir) {
  for (int i = 0; i < FILES; i++) {
    char path[300];
    size_t n;
    snprintf(path, sizeof path, "%s/%s", dir, files[i]);
    unsigned char *bytes = read_bytes(path, &n);
    const uint32_t crc = (uint32_t)crc32_z(0, bytes, n);
    free(bytes);
    if (crc != k->crc[i])
      fail_msg("%s of %s, %d copies, seed %llu: not the bytes of the reference", files[i],
               k->subsets, k->num_aug, (unsigned long long)k->seed);
  }
}

static void small_builds_are_those_of_the_reference(void **state) {
  scratch *s = *state;
  for (int packed = 0; packed < 2; packed++) {
    char prefix[160], dir[160];
    scratch inner = {0};
    snprintf(inner.dir, sizeof inner.dir, "%.40s/%d", s->dir, packed);
    snprintf(prefix, sizeof prefix, "%s", write_arc_files(&inner, packed));
    snprintf(dir, sizeof dir, "%s", scratch_path(s, "built"));
    for (size_t i = 0; i < sizeof small / sizeof *small; i++) {
      build_well(&small[i], prefix, dir, false, packed + 1, NULL);
      check_files(&small[i], dir);
    }
    assert_int_equal(trm__remove_tree(inner.dir, NULL), TRM_OK);
  }
}

static void real_builds_are_those_of_the_reference(void **state) {
  scratch *s = *state;
  static const char prefix[] = TRM_SHARED_DIR "/data/arc/arc-agi";
  if (!trm__path_is_dir(TRM_SHARED_DIR "/data/arc")) {
    print_message("skipped: no ARC data in " TRM_SHARED_DIR "/data/arc\n");
    skip();
  }
  char dir[160];
  snprintf(dir, sizeof dir, "%s", scratch_path(s, "real"));
  for (size_t i = 0; i < sizeof real / sizeof *real; i++) {
    build_well(&real[i], prefix, dir, false, 2, NULL);
    check_files(&real[i], dir);
  }
  assert_int_equal(trm__remove_tree(dir, NULL), TRM_OK);
}

/* --- reports and refusals --- */

static void reports_say_what_to_know(void **state) {
  scratch *s = *state;
  char prefix[160];
  snprintf(prefix, sizeof prefix, "%s", write_arc_files(s, false));
  trm_arc_build_report r;
  build_well(&small[0], prefix, scratch_path(s, "built"), true, 1, &r);
  assert_int_equal(r.tasks, 6);
  assert_int_equal(r.train_tasks, 7);
  assert_int_equal(r.test_tasks, 3);
  assert_int_equal(r.train_puzzles, 32);
  assert_int_equal(r.train_examples, 74);
  assert_int_equal(r.test_puzzles, 12);
  assert_int_equal(r.test_examples, 17);
  assert_int_equal(r.identifiers, 31);
  assert_int_equal(r.unsolved, 3);           /* "say" one, "two" two */
  assert_int_equal(r.short_of_copies, 1);    /* "say": all cells are 0 */
  assert_int_equal(r.test_tasks_trained, 1); /* "one" */
}

static bool stop_at_once(void *arg, int64_t done, int64_t total) {
  ++*(int *)arg;
  assert_true(done == 0 && total > 0); /* nothing is written while copies are drawn */
  return false;
}

static bool stop_when_writing(void *arg, int64_t done, int64_t total) {
  (void)done;
  assert_true(total > 0);
  return ++*(int *)arg <= 2; /* one call for each of the two tasks comes before */
}

static void bad_requests_are_refused(void **state) {
  scratch *s = *state;

  /* A request that no set can meet, and the word that tells it. */
  static const struct {
    known_build k;
    const char *speaks;
  } bad[] = {{{.subsets = "a", .test = "b"}, "'b'"},
             {{.subsets = "a,a", .test = "a"}, "twice"},
             {{.subsets = "a", .num_aug = -1}, "copies"},
             {{.subsets = "a", .num_aug = 1000001}, "copies"},
             {{.subsets = "a", .seed = UINT64_C(1) << 32}, "seed"}};

  /* Nothing is written of it. */
  char prefix[160], dir[160];
  snprintf(prefix, sizeof prefix, "%s", write_arc_files(s, false));
  snprintf(dir, sizeof dir, "%s", scratch_path(s, "never"));
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    trm_error err;
    assert_int_equal(build(&bad[i].k, prefix, dir, false, 1, NULL, &err), TRM_E_ARGUMENT);
    assert_true(speaks_of(&err, bad[i].speaks));
    assert_false(trm__path_exists(dir));
  }
}

static void a_stopped_build_leaves_nothing(void **state) {
  scratch *s = *state;
  char prefix[160], dir[160];
  snprintf(prefix, sizeof prefix, "%s", write_arc_files(s, false));
  snprintf(dir, sizeof dir, "%s", scratch_path(s, "never"));

  /* Stopped while it writes, and stopped at the first look, in each form and with threads or
   * without. */
  for (int threads = 1; threads <= 2; threads++)
    for (int compact = 0; compact < 2; compact++) {
      const char *names[] = {"a"};
      int calls = 0;
      const trm_arc_build_config config = {.input_prefix = prefix,
                                           .subsets = names,
                                           .n_subsets = 1,
                                           .output_dir = dir,
                                           .num_aug = 20,
                                           .compact = compact,
                                           .threads = threads,
                                           .progress = stop_when_writing,
                                           .progress_arg = &calls};

      /* Both leave no folder. */
      assert_int_equal(trm_build_arc(&config, NULL, NULL), TRM_E_INTERRUPTED);
      assert_true(calls >= 3);
      trm_arc_build_config early = config;
      early.progress = stop_at_once;
      calls = 0;
      assert_int_equal(trm_build_arc(&early, NULL, NULL), TRM_E_INTERRUPTED);
      assert_int_equal(calls, 1);
      assert_false(trm__path_exists(dir));
    }
}

/* A task of the test set without a test pair has nothing to be tested on. */
static void a_test_task_needs_a_test_pair(void **state) {
  scratch *s = *state;
  static const char text[] = "{\"t\": {\"train\": [{\"input\": [[1]], \"output\": [[2]]}]}}";
  write_bytes(scratch_path(s, "arc_t_challenges.json"), text, sizeof text - 1);
  char prefix[160];
  snprintf(prefix, sizeof prefix, "%s", scratch_path(s, "arc"));
  const known_build tested = {.subsets = "t", .test = "t"}, trained = {.subsets = "t"};
  trm_error err;
  assert_int_equal(build(&tested, prefix, scratch_path(s, "never"), false, 1, NULL, &err),
                   TRM_E_FORMAT);
  assert_true(speaks_of(&err, "no test pair"));
  build_well(&trained, prefix, scratch_path(s, "built"), false, 1, NULL);
  assert_false(trm__path_exists(scratch_path(s, "built/test")));
}

/* A set without the tasks that are none is the set that never had them. */
static void tasks_that_are_none_are_left_out(void **state) {
  scratch *s = *state;

  /* Tasks and their answers, alone and between others that are none. */
  static const char good
      [] = "{\"t\": {\"train\": [[[[1]], [[2]]]], \"test\": [{\"input\": [[5]]}]},"
           " \"u\": [[[[3]], [[4]]], [[[5]], [[6]]]]}",
  mixed[] =
      "{\"pink\": [[[[3]], [[10]]]], \"t\": {\"train\": [[[[1]], [[2]]]], \"test\": [{\"input\": "
      "[[5]]}]}, \"odd\": 3, \"u\": [[[[3]], [[4]]], [[[5]], [[6]]]], \"v\": {\"train\": [[[[1]], "
      "[[2]]]], \"test\": [{\"input\": [[5]]}]}}",
  solutions[] = "{\"t\": [[[9]]], \"u\": [[[6]]], \"v\": [[[11]]]}";
  static const char *const subsets[] = {"m"};

  /* Where both sets go. */
  char prefix[160], dir[2][160];
  snprintf(prefix, sizeof prefix, "%s", scratch_path(s, "arc"));
  snprintf(dir[0], sizeof dir[0], "%s", scratch_path(s, "plain"));
  snprintf(dir[1], sizeof dir[1], "%s", scratch_path(s, "skipped"));
  trm_arc_build_config c = {.input_prefix = prefix,
                            .subsets = subsets,
                            .n_subsets = 1,
                            .test_set_name = "m",
                            .num_aug = 2};

  /* Without them the set is built; with them it is refused, */
  trm_arc_build_report report;
  trm_error err;
  write_bytes(scratch_path(s, "arc_m_solutions.json"), solutions, sizeof solutions - 1);
  for (int i = 0; i < 2; i++) {
    c.output_dir = dir[i];
    write_bytes(scratch_path(s, "arc_m_challenges.json"), i ? mixed : good,
                i ? sizeof mixed - 1 : sizeof good - 1);
    if (i) {
      assert_int_equal(trm_build_arc(&c, &report, &err), TRM_E_RANGE);
      assert_true(speaks_of(&err, "task pink"));
      assert_int_equal(report.invalid.tasks, 1);
      assert_false(trm__path_exists(dir[i]));
    }

    /* or built of the rest on demand, and the report names what was left out. */
    c.skip_invalid = i;
    if (trm_build_arc(&c, &report, &err) != TRM_OK) fail_msg("%s", err.msg);
    assert_true(report.tasks == 2 && report.listed == 1 && report.unsolved == 0);
    assert_int_equal(report.invalid.tasks, 3 * i);
    assert_string_equal(report.invalid.ids, i ? "pink, odd, v" : "");
  }

  /* The first of them is explained. */
  assert_true(speaks_of(&report.invalid.why, "task pink: pair 1: \"output\""));

  /* Both sets are the same files. */
  for (int i = 0; i < FILES; i++) same_in_folders(dir[0], dir[1], files[i]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(small_builds_are_those_of_the_reference),
      cmocka_unit_test(real_builds_are_those_of_the_reference),
      cmocka_unit_test(reports_say_what_to_know),
      cmocka_unit_test(bad_requests_are_refused),
      cmocka_unit_test(a_stopped_build_leaves_nothing),
      cmocka_unit_test(a_test_task_needs_a_test_pair),
      cmocka_unit_test(tasks_that_are_none_are_left_out),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
