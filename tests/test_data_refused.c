/* The system refuses the n-th block of memory, or the n-th thread: data sets, streams and builders
 * report it, give back all they took (the address sanitizer sees what they do not), and leave no
 * folder behind. */
#include "folder.h"
#include "refuse.h"
#include "trm/dataset.h"
#include "trm/grid.h"

static trm_status open_set(scratch *s, trm_error *err) {
  trm_dataset *d;
  TRM_TRY(trm_dataset_open(scratch_path(s, "set"), "train", &d, err));
  trm_dataset_free(d);
  return TRM_OK;
}

static trm_status split_and_stream(scratch *s, trm_error *err) {
  trm_dataset *d, *rest = NULL, *held = NULL;
  trm_stream *stream = NULL;
  trm_stream_config config = {2, 1, 1, TRM_AUGMENT_ON_THE_FLY};
  TRM_TRY(trm_dataset_open(scratch_path(s, "set"), "train", &d, err));
  trm_status st;
  TRM_GOTO(trm_dataset_split(d, 0.5, 1, &rest, &held, err));
  TRM_GOTO(trm_stream_create((const trm_dataset *const *)&rest, 1, &config, &stream, err));
done:
  trm_stream_free(stream);
  trm_dataset_free(rest);
  trm_dataset_free(held);
  trm_dataset_free(d);
  return st;
}

static trm_status build(scratch *s, trm_error *err) {
  char csv[160];
  snprintf(csv, sizeof csv, "%s", scratch_path(s, "in.csv"));
  trm_sudoku_build_config config = {.train_csv = csv,
                                    .test_csv = csv,
                                    .output_dir = scratch_path(s, "made"),
                                    .subsample_size = 1,
                                    .num_aug = 2};
  return trm_build_sudoku(&config, NULL, err);
}

static trm_status generate(scratch *s, trm_error *err) {
  trm_sudoku_gen_config config = {
      .size = 4, .n_train = 5, .n_test = 5, .threads = 2, .output_dir = scratch_path(s, "made")};
  return trm_gen_sudoku(&config, NULL, err);
}

static trm_status build_grids(scratch *s, trm_error *err) {
  char csv[160];
  snprintf(csv, sizeof csv, "%s", scratch_path(s, "in.csv"));
  trm_grid_build_config config = {.train = csv,
                                  .test_share = 0.5,
                                  .symmetries = "dihedral,permute:1-4",
                                  .num_aug = 2,
                                  .output_dir = scratch_path(s, "made")};
  return trm_build_grid(&config, NULL, err);
}

static trm_status survey(scratch *s, trm_error *err) {
  trm_survey report;
  return trm_dataset_survey(scratch_path(s, "set"), NULL, &report, err);
}

static trm_status verify(scratch *s, trm_error *err) {
  int failures;
  return trm_dataset_verify(scratch_path(s, "set"), NULL, &failures, err);
}

static void every_refusal_is_reported(void **state) {
  scratch *s = *state;
  static trm_status (*const actions[])(scratch *, trm_error *) = {
      open_set, split_and_stream, build, generate, build_grids, survey, verify};
  folder f = folder_good();
  char dir[160];
  snprintf(dir, sizeof dir, "%s", scratch_path(s, "set"));
  folder_write(&f, dir, "train");
  static const char csv[] =
      "question,answer\n1...3......3....,1234341221434321\n12..............,1234341221434321\n";
  write_bytes(scratch_path(s, "in.csv"), csv, sizeof csv - 1);
  for (size_t k = 0; k < sizeof actions / sizeof *actions; k++) {
    int n = 0, reported = 0;
    trm_error err;
    for (;; n++) {
      calls_left = n;
      trm_status st = actions[k](s, &err);
      bool was_refused = calls_left < 0;
      calls_left = -1;
      if (!was_refused) {
        assert_int_equal(st, TRM_OK);
        break;
      }
      if (st != TRM_OK) {
        assert_true(st == TRM_E_MEMORY || st == TRM_E_SYSTEM);
        assert_false(trm__path_exists(scratch_path(s, "made")));
        reported++;
      }
      assert_int_equal(trm__remove_tree(scratch_path(s, "made"), NULL), TRM_OK);
    }
    assert_true(reported > 3);
    assert_int_equal(trm__remove_tree(scratch_path(s, "made"), NULL), TRM_OK);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_refusal_is_reported)};
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
