/* The system refuses the n-th block of memory or the n-th thread: what reads and makes ARC data
 * sets reports it, gives back all it took (the address sanitizer sees what it does not), and leaves
 * no folder behind. */
#include <dirent.h>
#include <errno.h>
#include <unistd.h>

#include "arc_files.h"
#include "refuse.h"

#include "trm.h"

static trm_status build(scratch *s, bool compact, trm_error *err) {
  static const char *const subsets[] = {"b", "c"};
  char prefix[160];
  snprintf(prefix, sizeof prefix, "%s", scratch_path(s, "arc"));
  const trm_arc_build_config config = {.input_prefix = prefix,
                                       .subsets = subsets,
                                       .n_subsets = 2,
                                       .test_set_name = "b",
                                       .output_dir = scratch_path(s, "made"),
                                       .num_aug = 1,
                                       .compact = compact,
                                       .threads = 2};
  return trm_build_arc(&config, NULL, err);
}

static trm_status build_big(scratch *s, trm_error *err) {
  return build(s, false, err);
}
static trm_status build_compact(scratch *s, trm_error *err) {
  return build(s, true, err);
}

static trm_status open_compact(scratch *s, trm_error *err) {
  trm_dataset *d;
  TRM_TRY(trm_dataset_open(scratch_path(s, "set"), "train", &d, err));
  trm_dataset_free(d);
  return TRM_OK;
}

static trm_status make_data(scratch *s, trm_error *err) {
  trm_arc_tasks *tasks = NULL;
  trm_arc_data *data = NULL;
  trm_status st;
  TRM_GOTO(trm_arc_tasks_load(scratch_path(s, "arc/c"), &tasks, err));
  TRM_GOTO(trm_arc_data_create(tasks, 3, 0, 1, &data, err));
done:
  trm_arc_tasks_free(tasks);
  trm_arc_data_free(data);
  return st;
}

static void every_refusal_is_reported(void **state) {
  scratch *s = *state;

  /* Whatever takes memory while ARC data are read or made. */
  static trm_status (*const actions[])(scratch *, trm_error *) = {build_big, build_compact,
                                                                  open_compact, make_data};
  char made[160];

  /* Files in the forms that take the most steps: packed, and a single folder. */
  write_arc_files(s, true);
  write_arc_files(s, false);
  assert_int_equal(unlink(scratch_path(s, "arc_b_challenges.json")), 0); /* the packed one stays */
  assert_int_equal(unlink(scratch_path(s, "arc/c/a0.json.gz")), 0);
  assert_int_equal(unlink(scratch_path(s, "arc/c/z9.json")), 0);
  snprintf(made, sizeof made, "%s", scratch_path(s, "made"));

  /* A compact set to open. */
  assert_int_equal(build(s, true, NULL), TRM_OK);
  assert_int_equal(rename(made, scratch_path(s, "set")), 0);

  /* Each action with its first call refused, then its second, until none is. */
  for (size_t k = 0; k < sizeof actions / sizeof *actions; k++) {
    int reported = 0;
    trm_status st;
    trm_error err;
    for (int n = 0; REFUSING(n, st, err, actions[k](s, &err)); n++) {
      /* A refusal is an error of memory or of the system, and leaves no folder. */
      if (st != TRM_OK) {
        assert_true(st == TRM_E_MEMORY || st == TRM_E_SYSTEM);
        assert_false(trm__path_exists(made));
        reported++;
      }
      assert_int_equal(trm__remove_tree(made, NULL), TRM_OK);
    }

    /* Most refusals are reported. */
    assert_true(reported > 10);
    assert_int_equal(trm__remove_tree(made, NULL), TRM_OK);
  }
}

/* readdir fails as it ends, after this many names of a folder. */
static int names_left = -1; /* -1: never */
struct dirent *__real_readdir(DIR *dir);
struct dirent *__wrap_readdir(DIR *dir);
struct dirent *__wrap_readdir(DIR *dir) {
  if (names_left == 0) {
    errno = EIO;
    return NULL;
  }
  if (names_left > 0) names_left--;
  return __real_readdir(dir);
}

static void a_folder_that_cannot_be_read_to_its_end_is_refused(void **state) {
  scratch *s = *state;
  trm_arc_tasks *tasks = NULL;
  trm_error err;
  int n = 0;
  for (bool refused = true; refused; n++) {
    names_left = n;
    refused = trm_arc_tasks_load(scratch_path(s, "arc/c"), &tasks, &err) != TRM_OK;
    if (!refused) break;
    assert_int_equal(err.code, TRM_E_IO);
    assert_non_null(strstr(err.msg, "Input/output error"));
  }
  assert_true(n > 3); /* ".", ".." and the tasks */
  names_left = -1;
  trm_arc_tasks_free(tasks);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_refusal_is_reported),
      cmocka_unit_test(a_folder_that_cannot_be_read_to_its_end_is_refused)};
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
