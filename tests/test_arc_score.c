/* ARC submissions: what is written for a list of tasks, and what they score. */
#include <math.h>

#include "scratch.h"
#include "trm.h"

/* --- scores --- */

static trm_status score_text(scratch *s, const char *submission, const char *solutions,
                             trm_arc_score *score, trm_error *err) {
  char a[160];
  snprintf(a, sizeof a, "%s", scratch_path(s, "a.json"));
  write_bytes(a, submission, strlen(submission));
  write_bytes(scratch_path(s, "b.json"), solutions, strlen(solutions));
  return trm_arc_score_files(a, s->path, score, err);
}

static void scores_are_counted_by_hand(void **state) {
  trm_arc_score c;
  assert_int_equal(
      score_text(*state,
                 "{\"one\": [{\"attempt_1\": [[1, 2]], \"attempt_2\": [[3]]}],"
                 " \"two\": [{\"attempt_1\": [], \"attempt_2\": [[5]]},"
                 "           {\"attempt_1\": [[]]}],"
                 " \"half\": [{\"attempt_2\": [[7], [7]]}],"
                 " \"unknown\": [17]}",
                 "{\"one\": [[[1, 2]]], \"two\": [[[5]], [[6]]], \"half\": [[[7, 7]], [[8]]],"
                 " \"absent\": [[[0]]]}",
                 &c, NULL),
      TRM_OK);
  assert_true(c.score == (1 + 0.5 + 0 + 0) / 4 && c.tasks == 4 && c.solved == 1);
  assert_true(c.inputs == 6 && c.right == 2 && c.missing == 1);
  assert_true(c.unanswered == 1 && c.foreign == 1);
}

/* Null, or not there: wrong, and counted. */
static void attempts_may_be_missing(void **state) {
  trm_arc_score c;
  assert_int_equal(
      score_text(
          *state,
          "\xef\xbb\xbf{\"last\": [{\"attempt_2\": [[4]], \"attempt_1\": null}],"
          " \"one\": [{\"attempt_1\": null, \"attempt_2\": null}, {}, null, {\"attempt_1\": "
          "{\"answer\": null}, \"attempt_2\": {\"answer\": [], \"metadata\": {}}}],"
          " \"none\": null, \"foreign\": null}",
          "{\"one\": [[[1]], [[1]], [[1]], [[1]], [[1]]], \"none\": [[[2]]], \"last\": [[[4]]]}",
          &c, NULL),
      TRM_OK);
  assert_true(c.tasks == 3 && c.inputs == 7 && c.right == 1 && c.solved == 1);
  assert_true(c.no_attempt == 8 && c.unanswered == 1 && c.missing == 1 && c.foreign == 1);
  assert_true(fabs(c.score - 1.0 / 3) < 1e-12);
}

/* As the ARC Prize's own programs write them. */
static void attempts_may_be_objects(void **state) {
  trm_arc_score c;
  assert_int_equal(
      score_text(
          *state,
          "{\"a\": [{\"attempt_1\": {\"answer\": [[1.0, 2]], \"correct\": false},"
          "          \"attempt_2\": {\"answer\": \"[[9]]\"}}],"
          " \"b\": [{\"attempt_1\": {\"answer\": \" [[3]] \"}, \"attempt_2\": \"[]\"}],"
          /* The first test input has no entry: the others tell which they are for. */
          " \"c\": [{\"attempt_1\": null, \"attempt_2\": {\"answer\": [[6]], \"metadata\": "
          "{\"pair_index\": 2}}}, {\"attempt_1\": {\"answer\": [[5]], \"metadata\": "
          "{\"pair_index\": "
          "1}}, \"attempt_2\": [[8]]}],"
          " \"d\": [{\"attempt_1\": {\"answer\": [[7]], \"metadata\": {\"pair_index\": 1}}}]}",
          "{\"a\": [[[1, 2]]], \"b\": [[[3]]], \"c\": [[[4]], [[5]], [[6]]], \"d\": [[[7]]]}", &c,
          NULL),
      TRM_OK);
  assert_true(c.right == 5 && c.solved == 3 && c.unanswered == 1 && c.no_attempt == 2);

  /* An entry without attempts takes no other's place: the first input has none, the second is told,
   * of the third both are null. */
  assert_int_equal(
      score_text(*state,
                 "{\"a\": [{\"attempt_1\": {\"answer\": [[5]], \"metadata\": {\"pair_index\": 1}}, "
                 "\"attempt_2\": [[8]]}, {\"attempt_1\": null, \"attempt_2\": null}]}",
                 "{\"a\": [[[4]], [[5]], [[6]]]}", &c, NULL),
      TRM_OK);
  assert_true(c.right == 1 && c.no_attempt == 2 && c.unanswered == 2);
}

/* A file for each task, against the tasks themselves. */
static void folders_are_scored(void **state) {
  scratch *s = *state;
  static const struct {
    const char *name, *text;
  } files[] = {{"sub/a.json", "[{\"attempt_1\": {\"answer\": [[2]]}}]"},
               {"sub/b.json", "[{\"attempt_1\": [[9]], \"attempt_2\": [[4]]}, null]"},
               {"sub/x.json", "[]"},
               {"sub/results.json", "{\"score\": 1}"},
               {"sub/notes.txt", "none"},
               {"tasks/a.json", "[[[[1]], [[2]]], [[[1]], [[2]]]]"},
               {"tasks/b.json",
                "{\"train\": [[[[1]], [[2]]]], \"test\": [[[[3]], [[4]]], [[[5]], "
                "[[6]]]]}"},
               {"tasks/c.json", "[[[[1]], [[2]]], [[[7]], [[8]]]]"},
               {"all.json",
                "{\"b\": {\"train\": [[[[1]], [[2]]]], \"test\": [[[[3]], [[4]]], [[[5]], "
                "[[6]]]]}}"}};

  /* Folders without anything in them. */
  char sub[160], tasks[160];
  snprintf(sub, sizeof sub, "%s", scratch_path(s, "sub"));
  snprintf(tasks, sizeof tasks, "%s", scratch_path(s, "tasks"));
  assert_int_equal(trm__make_dirs(sub, NULL), TRM_OK);
  trm_arc_score c;
  trm_error err;
  assert_int_equal(trm__make_dirs(tasks, NULL), TRM_OK);
  assert_int_equal(trm_arc_score_files(sub, tasks, &c, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, "holds no"));

  /* A task, one that only the submission has, and files that are neither. */
  for (size_t i = 0; i < sizeof files / sizeof *files; i++)
    write_bytes(scratch_path(s, files[i].name), files[i].text, strlen(files[i].text));
  if (trm_arc_score_files(sub, tasks, &c, &err) != TRM_OK) fail_msg("%s", err.msg);
  assert_true(c.tasks == 3 && c.inputs == 4 && c.right == 2 && c.solved == 1);
  assert_true(c.missing == 1 && c.foreign == 1 && c.no_attempt == 3 && c.score == 0.5);
  assert_int_equal(trm_arc_score_files(sub, scratch_path(s, "all.json"), &c, NULL), TRM_OK);
  assert_true(c.tasks == 1 && c.right == 1 && c.foreign == 2);

  /* A single task is known by its file's name. */
  assert_int_equal(trm_arc_score_files(sub, scratch_path(s, "tasks/b.json"), &c, NULL), TRM_OK);
  assert_true(c.tasks == 1 && c.right == 1);

  /* A file that is broken is named. */
  write_bytes(scratch_path(s, "sub/c.json"), "[", 1);
  assert_int_equal(trm_arc_score_files(sub, tasks, &c, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, "c.json"));
}

/* Every test input of a list is in the file: what nobody answered stands in for itself. */
static void submissions_of_lists_are_complete(void **state) {
  scratch *s = *state;
  static const char text[] =
      "{\"none\": 3, \"a\": {\"train\": [[[[1]], [[2]]]], \"test\": [{\"input\": [[1]]}, "
      "{\"input\": "
      "[[2]]}]}, \"wide\": {\"train\": [[[[1]], [[2]]]], \"test\": [{\"input\": [[3, 4, 5]]}]},"
      " \"b\": {\"train\": [[[[1]], [[2]]]], \"test\": [{\"input\": [[6]]}]},"
      " \"bad\": {\"train\": [], \"test\": [{\"input\": [[7]]}]}}";
  static const char *const names[] = {"<blank>", "a", "b"};
  trm_arc_tasks *all, *some;
  trm_arc_invalid invalid;
  trm_arc_votes *v;
  int64_t stand_ins;
  trm_error err;

  /* Tasks of which some can be answered, and votes for these. */
  write_bytes(scratch_path(s, "all.json"), text, sizeof text - 1);
  assert_int_equal(trm_arc_tasks_load_all(s->path, &all, &invalid, NULL), TRM_OK);
  assert_int_equal(trm_arc_tasks_possible(all, 2, &some, NULL), TRM_OK);
  assert_int_equal(trm_arc_votes_create_for(some, names, 3, &v, NULL), TRM_OK);
  static const int32_t two[] = {4}, six[] = {8}, nine[] = {11}, nothing[] = {0};
  assert_int_equal(trm_arc_votes_add(v, 0, 1, 1, two, nine, 0, NULL), TRM_OK);
  assert_int_equal(trm_arc_votes_add(v, 1, 2, 1, six, nothing, 0, NULL), TRM_OK);
  const char *path = scratch_path(s, "submission.json");
  assert_int_equal(trm_arc_votes_submit_all(v, all, path, &stand_ins, NULL), TRM_OK);

  /* Every task has its attempts: answers where there are some, else its input, else a cell. */
  size_t n;
  char *written = (char *)read_bytes(path, &n);
  static const char wanted[] =
      "{\"none\": [], \"a\": [{\"attempt_1\": [[1]], \"attempt_2\": [[1]]}, {\"attempt_1\": [[9]], "
      "\"attempt_2\": [[9]]}], \"wide\": [{\"attempt_1\": [[3, 4, 5]], \"attempt_2\": [[3, 4, "
      "5]]}], "
      "\"b\": [{\"attempt_1\": [[6]], \"attempt_2\": [[6]]}], \"bad\": [{\"attempt_1\": [[0]], "
      "\"attempt_2\": [[0]]}]}";
  assert_int_equal(n, sizeof wanted - 1);
  assert_memory_equal(written, wanted, n);
  assert_int_equal(stand_ins, 3);
  free(written);

  /* The other way around there is a task too many. */
  trm_arc_tasks *few;
  static const char short_text[] = "{\"a\": [[[[1]], [[2]]], [[[1]], [[2]]]]}";
  write_bytes(scratch_path(s, "few.json"), short_text, sizeof short_text - 1);
  assert_int_equal(trm_arc_tasks_load(s->path, &few, NULL), TRM_OK);
  assert_int_equal(trm_arc_votes_submit_all(v, few, scratch_path(s, "no.json"), NULL, &err),
                   TRM_E_ARGUMENT);
  assert_true(speaks_of(&err, "task a"));
  assert_false(trm__path_exists(s->path));
  trm_arc_tasks_free(few);
  trm_arc_votes_free(v);
  trm_arc_tasks_free(some);
  trm_arc_tasks_free(all);
}

/* However many copies answer nothing, a grid is the better attempt. */
static void a_grid_comes_before_none(void **state) {
  scratch *s = *state;
  static const char text[] = "{\"a\": [[[[1]], [[2]]], [[[5]], [[6]]]]}";
  static const char *const names[] = {"<blank>", "a"};
  static const int32_t question[] = {7}, nothing[] = {0}, nine[] = {11};
  trm_arc_tasks *tasks;
  trm_arc_votes *v;
  trm_arc_answer best[2];
  trm_arc_counts c;
  double pass;
  int found;
  size_t n;

  /* One task, and five predictions that are no grid. */
  write_bytes(scratch_path(s, "one.json"), text, sizeof text - 1);
  assert_int_equal(trm_arc_tasks_load(s->path, &tasks, NULL), TRM_OK);
  assert_int_equal(trm_arc_votes_create_for(tasks, names, 2, &v, NULL), TRM_OK);
  for (int i = 0; i < 5; i++)
    assert_int_equal(trm_arc_votes_add(v, i, 1, 1, question, nothing, 3, NULL), TRM_OK);
  assert_int_equal(trm_arc_votes_answers(v, 0, 0, 2, best, &found, NULL), TRM_OK);
  assert_true(found == 1 && best[0].rows == 0 && best[0].votes == 5);

  /* One that is a grid comes before them, however unsure it is, and the input is the other
   * attempt. */
  assert_int_equal(trm_arc_votes_add(v, 5, 1, 1, question, nine, -3, NULL), TRM_OK);
  assert_int_equal(trm_arc_votes_answers(v, 0, 0, 2, best, &found, NULL), TRM_OK);
  assert_true(found == 2 && best[0].rows == 1 && best[0].cell[0] == 9 && best[0].votes == 1);
  assert_true(best[1].rows == 0 && best[1].votes == 5);
  assert_int_equal(trm_arc_votes_submit_all(v, tasks, scratch_path(s, "sub.json"), NULL, NULL),
                   TRM_OK);
  char *written = (char *)read_bytes(s->path, &n);
  assert_string_equal(written, "{\"a\": [{\"attempt_1\": [[9]], \"attempt_2\": [[5]]}]}");
  free(written);

  /* What is compared with the reference counts as it does. */
  assert_int_equal(trm_arc_votes_count(v, (const int[]){1}, 1, &pass, &c, NULL), TRM_OK);
  assert_true(pass == 0);
  assert_int_equal(trm_arc_votes_submit(v, scratch_path(s, "same.json"), NULL), TRM_OK);
  written = (char *)read_bytes(s->path, &n);
  assert_string_equal(written, "{\"a\": [{\"attempt_1\": [], \"attempt_2\": [[9]]}]}");
  free(written);
  trm_arc_votes_free(v);
  trm_arc_tasks_free(tasks);
}

static void false_submissions_are_refused(void **state) {
  /* A submission, solutions, and what is wrong about one of them. */
  static const struct {
    const char *submission, *solutions, *word;
  } bad[] = {
      {"[]", "{\"a\": [[[1]]]}", "object of tasks"},
      {"{}", "{}", "at least one"},
      {"{}", "[7]", "object of tasks"},
      {"{\"a\": 3}", "{\"a\": [[[1]]]}", "task a"},
      {"{\"a\": [3]}", "{\"a\": [[[1]]]}", "attempt_1"},
      {"{\"a\": [{\"attempt1\": [[1]]}]}", "{\"a\": [[[1]]]}", "attempt_1"},
      {"{\"a\": [[[1]]]}", "{\"a\": [[[1]]]}", "a.json is a file of solutions"},
      {"{\"a\": null, \"b\": [null, [[1]]]}", "{\"a\": [[[1]]], \"b\": [[[1]], [[1]]]}",
       "a.json is a file of solutions: task b"},
      {"{\"a\": {\"train\": [], \"test\": []}}", "{\"a\": [[[1]]]}",
       "a.json is a file of challenges"},
      {"{\"a\": [[[[1]], [[2]]]]}", "{\"a\": [[[1]]]}", "a.json is a file of challenges"},
      {"{}", "{\"a\": [{\"attempt_1\": [[1]]}]}", "b.json is a submission: task a has attempts"},
      {"{}", "{\"a\": [{\"input\": [[1]]}]}", "b.json is a file of challenges"},
      {"{\"a\": [{\"attempt_2\": {\"grid\": [[1]]}}]}", "{\"a\": [[[1]]]}", "\"answer\""},
      {"{\"a\": [{\"attempt_2\": {\"answer\": 7}}]}", "{\"a\": [[[1]]]}", "attempt_2"},
      {"{\"a\": [{\"attempt_2\": \"[[1]\"}]}", "{\"a\": [[[1]]]}", "attempt_2"},
      {"{\"a\": [{\"attempt_2\": true}]}", "{\"a\": [[[1]]]}", "attempt_2"},
      {"{}", "{\"a\": [null]}", "test 1"},
      {"{}", "{\"a\": {\"train\": [[[[1]], [[2]]]], \"test\": [{\"input\": [[1]]}]}}",
       "test 1: its right output"},
      {"{\"a\": [{\"attempt_1\": 3}]}", "{\"a\": [[[1]]]}", "test 1"},
      {"{\"a\": [{\"attempt_1\": [[1], []]}]}", "{\"a\": [[[1]]]}", "row 2"},
      {"{\"a\": [{\"attempt_1\": [[10]]}]}", "{\"a\": [[[1]]]}", "attempt_1"},
      {"{\"a\": [{\"attempt_1\": [[1.5]]}]}", "{\"a\": [[[1]]]}", "attempt_1"},
      {"{\"a\": [{\"attempt_1\": [[1]]}, {\"attempt_1\": [[1]]}]}", "{\"a\": [[[1]]]}",
       "2 entries"},
      {"{\"a\": [{\"attempt_1\": {\"answer\": [[1]], \"metadata\": {\"pair_index\": 0}}}, "
       "{\"attempt_1\": {\"answer\": [[2]], \"metadata\": {\"pair_index\": 0}}}]}",
       "{\"a\": [[[1]], [[2]]]}", "test 1: two entries are for this test input"},
      {"{\"a\": [{\"attempt_2\": {\"answer\": [[1]], \"metadata\": {\"pair_index\": 1}}}, "
       "{\"attempt_1\": [[2]]}]}",
       "{\"a\": [[[1]], [[2]]]}", "test 2: two entries are for this test input"},
      {"{\"a\": []}", "{\"a\": []}", "array of grids"},
      {"{\"a\": []}", "{\"a\": [[]]}", "test 1"},
      {"{", "{\"a\": []}", "line 1"}};

  /* No score is given. */
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    trm_arc_score c;
    trm_error err;
    if (score_text(*state, bad[i].submission, bad[i].solutions, &c, &err) == TRM_OK)
      fail_msg("taken: %s against %s", bad[i].submission, bad[i].solutions);
    assert_true(speaks_of(&err, bad[i].word));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(scores_are_counted_by_hand),
      cmocka_unit_test(attempts_may_be_missing),
      cmocka_unit_test(attempts_may_be_objects),
      cmocka_unit_test(folders_are_scored),
      cmocka_unit_test(submissions_of_lists_are_complete),
      cmocka_unit_test(a_grid_comes_before_none),
      cmocka_unit_test(false_submissions_are_refused),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
