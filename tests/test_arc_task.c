/* Files of ARC tasks: what is read, and what is refused. */
#include "data/arc/arc_task.h"

#include "arc_files.h"
#include "io/json.h"

/* --- reading --- */

static void subsets_are_found(void **state) {
  scratch *s = *state;
  char prefix[160];
  snprintf(prefix, sizeof prefix, "%s", write_arc_files(s, false));
  trm__arc_tasks a = {0}, b = {0}, c = {0};
  assert_int_equal(trm__arc_tasks_load_subset(prefix, "a", &a, NULL), TRM_OK);
  assert_int_equal(trm__arc_tasks_load_subset(prefix, "b", &b, NULL), TRM_OK);
  assert_int_equal(trm__arc_tasks_load_subset(prefix, "c", &c, NULL), TRM_OK);
  assert_int_equal(a.n, 2);
  assert_int_equal(b.n, 3);
  assert_int_equal(c.n, 2);
  const trm__arc_task *one = &a.task[0];
  assert_string_equal(one->id, "one");
  assert_true(one->test_first);
  assert_int_equal(one->n_train, 2);
  assert_int_equal(one->n_test, 1);
  assert_false(one->train[0].output_first);
  assert_true(one->train[1].output_first);
  assert_true(one->test[0].has_output);
  const trm__arc_grid answer = {1, 2, {6, 6}}, input = {2, 2, {1, 2, 3, 4}}, dummy = {1, 1, {0}};
  assert_true(trm__arc_same(&one->test[0].output, &answer));
  assert_true(trm__arc_same(&one->test[0].input, &input));
  assert_string_equal(a.task[1].id, "gr\xc3\xbcn\xf0\x9f\x98\x80");
  assert_false(b.task[0].test[0].has_output); /* there is no file of solutions */
  assert_true(trm__arc_same(&b.task[0].test[0].output, &dummy));
  assert_true(b.task[1].test[0].has_output);
  assert_string_equal(c.task[0].id, "a0"); /* a folder: in the order of the ids */
  assert_string_equal(c.task[1].id, "z9");
  trm__arc_tasks_free(&a);
  trm__arc_tasks_free(&b);
  trm__arc_tasks_free(&c);
}

/* Whatever the order of the list. */
static void tasks_are_found_by_id(void **state) {
  (void)state;
  enum { TASKS = 50, STEP = 27 };
  trm__arc_task task[TASKS] = {0};
  const trm__arc_tasks list = {.n = TASKS, .task = task}, none = {0};
  trm__arc_index index = {0}, empty = {0};
  for (int i = 0; i < TASKS; i++) snprintf(task[i].id, sizeof task[i].id, "%d", STEP * i % TASKS);
  assert_int_equal(trm__arc_index_make(&list, &index, NULL), TRM_OK);
  assert_int_equal(trm__arc_index_make(&none, &empty, NULL), TRM_OK);
  for (int i = 0; i < TASKS; i++)
    assert_ptr_equal(trm__arc_index_find(&index, task[i].id), &task[i]);
  assert_null(trm__arc_index_find(&index, "50"));
  assert_null(trm__arc_index_find(&index, ""));
  assert_null(trm__arc_index_find(&empty, "1"));
  trm__arc_index_free(&index);
  trm__arc_index_free(&empty);
  assert_null(trm__arc_index_find(&index, "1"));
}

static void single_tasks_and_folders_are_read(void **state) {
  scratch *s = *state;
  write_arc_files(s, false);
  trm__arc_task task;
  assert_int_equal(trm__arc_task_load(scratch_path(s, "arc/c/z9.json"), &task, NULL), TRM_OK);
  assert_string_equal(task.id, "z9");
  trm__arc_task_free(&task);
  trm_arc_tasks *list;
  assert_int_equal(trm_arc_tasks_load(scratch_path(s, "arc/c"), &list, NULL), TRM_OK);
  assert_int_equal(trm_arc_tasks_count(list), 2);
  assert_string_equal(trm_arc_tasks_id(list, 0), "a0");
  assert_int_equal(trm_arc_tasks_train_pairs(list, 0), 2);
  assert_int_equal(trm_arc_tasks_test_pairs(list, 0), 1);
  trm_arc_tasks_free(list);
  trm_arc_tasks_free(NULL);
  trm_error err;
  assert_int_not_equal(trm__arc_task_load(scratch_path(s, "arc_a_challenges.json"), &task, &err),
                       TRM_OK);
  assert_true(speaks_of(&err, "want one task, found 2"));
}

/* --- refusing --- */

#define PAIR(input, output) "{\"input\": " input ", \"output\": " output "}"
#define TASK(pair) "{\"x\": {\"train\": [" PAIR("[[1]]", "[[2]]") ", " pair "], \"test\": []}}"

static const struct {
  const char *text, *speaks;
  trm_status status;
} refused[] = {
    {"[]", "want a JSON object", TRM_E_FORMAT},
    {"{}", "no task", TRM_E_FORMAT},
    {"{\"x\": 3}", "task x", TRM_E_FORMAT},
    {"{\"x\": {\"train\": []}}", "1 to 1000 pairs", TRM_E_FORMAT},
    {"{\"x\": {\"test\": [{\"input\": [[1]]}]}}", "1 to 1000 pairs", TRM_E_FORMAT},
    {"{\"x\": {\"train\": [" PAIR("[[1]]", "[[2]]") "], \"test\": 7}}", "\"test\"", TRM_E_FORMAT},
    {"{\"\": {\"train\": [" PAIR("[[1]]", "[[2]]") "]}}", "id of a task", TRM_E_FORMAT},
    {"{\"a|||b\": {\"train\": [" PAIR("[[1]]", "[[2]]") "]}}", "id of a task", TRM_E_FORMAT},
    {"{\"a\\nb\": {\"train\": [" PAIR("[[1]]", "[[2]]") "]}}", "id of a task", TRM_E_FORMAT},
    {"{\"x\": 1, \"x\": 2}", "duplicate", TRM_E_FORMAT},
    {TASK("{\"output\": [[1]]}"), "task x: train pair 2: \"input\"", TRM_E_FORMAT},
    {TASK("{\"input\": [[1]]}"), "task x: train pair 2: \"output\"", TRM_E_FORMAT},
    {TASK("[]"), "train pair 2: \"input\"", TRM_E_FORMAT},
    {TASK(PAIR("[]", "[[1]]")), "found 0 rows", TRM_E_FORMAT},
    {TASK(PAIR("[[]]", "[[1]]")), "0 columns", TRM_E_FORMAT},
    {TASK(PAIR("[1, 2]", "[[1]]")), "1 to 30 rows", TRM_E_FORMAT},
    {TASK(PAIR("[[1, 2], [3]]", "[[1]]")), "row 2 has 1 cells, row 1 has 2", TRM_E_SHAPE},
    {TASK(PAIR("[[1, 2], 5]", "[[1]]")), "row 2 has 0 cells", TRM_E_SHAPE},
    {TASK(PAIR("[[1]]", "[[1, 2], [3, 10]]")), "\"output\": row 2, column 2", TRM_E_RANGE},
    {TASK(PAIR("[[1]]", "[[-1]]")), "row 1, column 1", TRM_E_RANGE},
    {TASK(PAIR("[[1]]", "[[1.5]]")), "whole number", TRM_E_RANGE},
    {TASK(PAIR("[[1]]", "[[\"1\"]]")), "whole number", TRM_E_RANGE},
    {TASK(PAIR("[[1]]", "[[99999999999999999]]")), "whole number", TRM_E_RANGE},
    {TASK(PAIR("[[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]]", "[[1]]")),
     "31 columns", TRM_E_FORMAT},
    {"{\"x\": ", "line 1", TRM_E_FORMAT},
};

static void broken_files_are_refused(void **state) {
  scratch *s = *state;
  const char *path = scratch_path(s, "broken.json");
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    trm_error err = {0};
    trm__arc_tasks list = {0};
    write_bytes(path, refused[i].text, strlen(refused[i].text));
    const trm_status st = trm__arc_tasks_load(path, &list, &err);
    if (st != refused[i].status) fail_msg("%s: status %d, %s", refused[i].text, st, err.msg);
    assert_true(speaks_of(&err, refused[i].speaks));
    assert_true(speaks_of(&err, "broken.json"));
    trm__arc_tasks_free(&list);
  }
}

/* 30 x 30 is read, 31 rows are not. */
static void the_largest_grid_is_read(void **state) {
  scratch *s = *state;
  for (int rows = 30; rows <= 31; rows++) {
    json_t *grid = json_array();
    for (int i = 0; i < rows; i++) {
      json_t *row = json_array();
      for (int j = 0; j < 30; j++) json_array_append_new(row, json_integer((i + j) % 10));
      json_array_append_new(grid, row);
    }
    json_t *task = json_pack("{s:[{s:O, s:o}]}", "train", "input", grid, "output", grid);
    assert_non_null(task);
    const char *path = scratch_path(s, "large.json");
    assert_int_equal(json_dump_file(task, path, 0), 0);
    json_decref(task);
    trm__arc_task t;
    trm_error err;
    const trm_status st = trm__arc_task_load(path, &t, &err);
    assert_int_equal(st, rows == 30 ? TRM_OK : TRM_E_FORMAT);
    if (st != TRM_OK) continue;
    assert_string_equal(t.id, "large");
    assert_int_equal(t.n_test, 0);
    assert_int_equal(t.train[0].input.cell[899], 58 % 10);
    trm__arc_task_free(&t);
  }
}

static void solutions_must_fit(void **state) {
  scratch *s = *state;
  static const struct {
    const char *text, *speaks;
  } bad[] = {{"{\"one\": [[[6, 6]]]}", "task gr"},
             {"{\"gr\\u00fcn\\ud83d\\ude00\": [[[1]], [[2]]], \"one\": []}", "one per test pair"},
             {"{\"gr\\u00fcn\\ud83d\\ude00\": [[[1]], [[2]]], \"one\": [[[11]]]}", "solution 1"},
             {"[3]", "task one"}};
  char prefix[160];
  snprintf(prefix, sizeof prefix, "%s", write_arc_files(s, false));
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    trm_error err;
    trm__arc_tasks list = {0};
    const char *path = scratch_path(s, "arc_a_solutions.json");
    write_bytes(path, bad[i].text, strlen(bad[i].text));
    assert_int_not_equal(trm__arc_tasks_load_subset(prefix, "a", &list, &err), TRM_OK);
    assert_true(speaks_of(&err, bad[i].speaks));
    assert_int_equal(list.n, 0);
  }
  trm__arc_tasks none = {0};
  trm_error err;
  assert_int_equal(trm__arc_tasks_load_subset(prefix, "no", &none, &err), TRM_E_IO);
  assert_true(speaks_of(&err, "arc_no_challenges.json"));
}

static void folders_must_hold_one_task_per_file(void **state) {
  scratch *s = *state;
  trm_error err;
  trm__arc_tasks list = {0};
  assert_int_equal(trm__make_dirs(scratch_path(s, "folder"), NULL), TRM_OK);
  assert_int_equal(trm__arc_tasks_load(scratch_path(s, "folder"), &list, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, "holds no"));
  const char *text = arc_files[3].text;
  write_bytes(scratch_path(s, "folder/t.json"), text, strlen(text));
  write_packed(scratch_path(s, "folder/t.json.gz"), text);
  assert_int_equal(trm__arc_tasks_load(scratch_path(s, "folder"), &list, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, "twice"));
  trm__arc_tasks_free(&list);
  write_bytes(scratch_path(s, "folder/t.json"), arc_files[0].text, strlen(arc_files[0].text));
  assert_int_equal(trm__arc_tasks_load(scratch_path(s, "folder"), &list, &err), TRM_E_FORMAT);
  trm__arc_tasks_free(&list);
}

/* A short text may stand for much memory: refused before that is taken. */
static void too_much_is_refused(void **state) {
  scratch *s = *state;
  const char *path = scratch_path(s, "much.json"), *task = arc_files[3].text;
  trm__arc_tasks list = {.pairs = TRM__ARC_MAX_LISTED - 1}; /* its task has two */
  trm_error err;
  write_bytes(path, task, strlen(task));
  assert_int_equal(trm__arc_tasks_load(path, &list, &err), TRM_E_RANGE);
  assert_true(speaks_of(&err, "task much: more than 131072 pairs"));
  trm__arc_tasks_free(&list);
  const size_t n = 6000002;
  char *text = malloc(n);
  assert_non_null(text);
  memset(text, ',', n);
  text[0] = '[';
  write_bytes(path, text, n);
  json_t *json;
  assert_int_equal(trm__json_load(path, n, &json, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, "some 6000003 JSON values"));
  text[n - 1] = ' '; /* as many as may be: now it is only wrong JSON */
  text[n - 2] = ' ';
  text[n - 3] = ' ';
  write_bytes(path, text, n);
  assert_int_equal(trm__json_load(path, n, &json, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, "line 1"));
  free(text);
}

/* What a build of tasks in two files of the largest size may write. */
static void large_files_are_read_task_by_task(void **state) {
  scratch *s = *state;
  const char *path = scratch_path(s, "large.json");
  const size_t size = TRM__ARC_MAX_JSON + 100;
  char *text = malloc(size + 1);
  assert_non_null(text);
  trm__arc_tasks list = {0};
  trm_error err;
  const struct {
    const char *first, *last, *word;
  } cases[] = {
      {"{\"a\\\"]\": ", ", \"b\": ", NULL},    {"{\"a\": ", ", \"a\": ", "task a comes twice"},
      {"{\"a\": ", " \"b\": ", "end of file"}, {"{,\"a\": ", ", \"b\": ", "a key in quotes"},
      {"[\"a\": ", ", \"b\": ", "an object"},  {"{\"a\": ", ", \"b\": [", "byte"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *task = arc_files[3].text;
    memset(text, ' ', size);
    const int first = snprintf(text, size, "%s%s", cases[i].first, task);
    text[first] = ' ';
    const size_t at = size - 200 - strlen(task);
    const int last = snprintf(text + at, size - at, "%s%s}", cases[i].last, task);
    text[at + (size_t)last] = ' ';
    write_bytes(path, text, size);
    const trm_status st = trm__arc_tasks_load(path, &list, &err);
    assert_int_equal(st, cases[i].word ? TRM_E_FORMAT : TRM_OK);
    if (!cases[i].word) {
      assert_int_equal(list.n, 2);
      assert_string_equal(list.task[0].id, "a\"]");
      assert_string_equal(list.task[1].id, "b");
    } else {
      assert_true(speaks_of(&err, cases[i].word));
    }
    trm__arc_tasks_free(&list);
  }
  memset(text, ' ', size); /* one value that is too large */
  memcpy(text, "{\"a\": [", 7);
  text[size - 1] = '}';
  write_bytes(path, text, size);
  assert_int_equal(trm__arc_tasks_load(path, &list, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, "want at most 16777216"));
  trm__arc_tasks_free(&list);
  free(text);
}

/* --- gzip --- */

static void packed_json_is_read_and_bounded(void **state) {
  scratch *s = *state;
  char text[5000];
  memset(text, ' ', sizeof text);
  text[0] = '[';
  text[sizeof text - 2] = ']';
  text[sizeof text - 1] = 0;
  const size_t n = sizeof text - 1;
  const char *path = scratch_path(s, "packed.json.gz");
  write_packed(path, text);
  json_t *json;
  trm_error err;
  assert_int_equal(trm__json_load(path, n, &json, &err), TRM_OK);
  json_decref(json);
  assert_int_equal(trm__json_load(path, n - 1, &json, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, "when unpacked"));
  size_t packed;
  unsigned char *bytes = read_bytes(path, &packed);
  for (size_t cut = 2; cut < packed; cut++) { /* every truncation */
    write_bytes(path, bytes, cut);
    assert_int_equal(trm__json_load(path, n, &json, &err), TRM_E_FORMAT);
  }
  bytes[packed / 2] ^= 0x55;
  write_bytes(path, bytes, packed);
  assert_int_equal(trm__json_load(path, n, &json, &err), TRM_E_FORMAT);
  free(bytes);
}

/* Two gzip members one after the other are one text, as gunzip sees them. */
static void joined_members_are_one_text(void **state) {
  scratch *s = *state;
  size_t a, b;
  write_packed(scratch_path(s, "a.gz"), "[1, ");
  unsigned char *first = read_bytes(s->path, &a);
  write_packed(scratch_path(s, "a.gz"), "2]");
  unsigned char *second = read_bytes(s->path, &b);
  unsigned char both[200];
  assert_true(a + b + 20 < sizeof both);
  memcpy(both, first, a);
  memcpy(both + a, second, b);
  free(first);
  free(second);
  memset(both + a + b, 0, sizeof both - a - b);
  json_t *json;
  for (size_t zeros = 0; zeros < 20; zeros++) { /* which may pad the file */
    write_bytes(s->path, both, a + b + zeros);
    assert_int_equal(trm__json_load(s->path, 1000, &json, NULL), TRM_OK);
    assert_int_equal(json_array_size(json), 2);
    json_decref(json);
  }
  both[a + b + 3] = 1;
  write_bytes(s->path, both, a + b + 8);
  assert_int_equal(trm__json_load(s->path, 1000, &json, NULL), TRM_E_FORMAT);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(subsets_are_found),
                                     cmocka_unit_test(tasks_are_found_by_id),
                                     cmocka_unit_test(single_tasks_and_folders_are_read),
                                     cmocka_unit_test(broken_files_are_refused),
                                     cmocka_unit_test(the_largest_grid_is_read),
                                     cmocka_unit_test(solutions_must_fit),
                                     cmocka_unit_test(folders_must_hold_one_task_per_file),
                                     cmocka_unit_test(too_much_is_refused),
                                     cmocka_unit_test(large_files_are_read_task_by_task),
                                     cmocka_unit_test(packed_json_is_read_and_bounded),
                                     cmocka_unit_test(joined_members_are_one_text)};
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
