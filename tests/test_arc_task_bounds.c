/* Files of ARC tasks: what is refused, how large they may be, and packed ones. */
#include "puzzle/arc/arc_task.h"

#include <unistd.h>

#include "arc_files.h"
#include "gzip_bytes.h"
#include "io/json.h"

/* --- refusing --- */

#define PAIR(input, output) "{\"input\": " input ", \"output\": " output "}"
#define TASK(pair) "{\"x\": {\"train\": [" PAIR("[[1]]", "[[2]]") ", " pair "], \"test\": []}}"

static const struct {
  const char *text, *speaks;
  trm_status status;
} refused[] = {
    {"[]", "there is none in it", TRM_E_FORMAT},
    {"{}", "there is none in it", TRM_E_FORMAT},
    {"7", "there is none in it", TRM_E_FORMAT},
    {"[" PAIR("[[1]]", "[[2]]") ", {\"input\": [[1]]}]", NULL, TRM_OK},
    {"[{\"input\": [[1]]}, " PAIR("[[1]]", "[[2]]") "]", "task broken: pair 1: \"output\"",
     TRM_E_FORMAT},
    {"[[[[1]], [[2]], [[3]]]]", "pair 1: \"input\"", TRM_E_FORMAT},
    {"{\"train\": [" PAIR("[[1]]", "null") "]}", "train pair 1: \"output\"", TRM_E_FORMAT},
    {"{\"train\": [" PAIR("[[1]]", "[[2]]") "], \"test\": [" PAIR("null", "[[2]]") "]}",
     "test pair 1: \"input\"", TRM_E_FORMAT},
    {TASK(PAIR("[[1]]", "[[3.5]]")), "whole number", TRM_E_RANGE},
    {TASK(PAIR("[[1]]", "[[10.0]]")), "whole number", TRM_E_RANGE},
    {TASK(PAIR("[[1]]", "[[true]]")), "whole number", TRM_E_RANGE},
    {"\xef\xbb\xbf\xef\xbb\xbf{}", "line 1", TRM_E_FORMAT},
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
    {TASK(PAIR("[[1, 2], [3]]", "[[1]]")), "row 2 has 1 cell, row 1 has 2", TRM_E_SHAPE},
    {TASK(PAIR("[[1, 2], 5]", "[[1]]")), "row 2 has 0 cells", TRM_E_SHAPE},
    {TASK(PAIR("[[1]]", "[[1, 2], [3, 10]]")), "\"output\": row 2, column 2", TRM_E_RANGE},
    {TASK(PAIR("[[1]]", "[[-1]]")), "row 1, column 1", TRM_E_RANGE},
    {TASK(PAIR("[[1]]", "[[1.5]]")), "whole number", TRM_E_RANGE},
    {TASK(PAIR("[[1]]", "[[\"1\"]]")), "whole number", TRM_E_RANGE},
    {TASK(PAIR("[[1]]", "[[99999999999999999]]")), "whole number", TRM_E_RANGE},
    {TASK(PAIR("[[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]]", "[[1]]")),
     "31 columns", TRM_E_FORMAT},
    {"{\"x\": ", "line 1", TRM_E_FORMAT},
    {"{\"x\": [[[1]]]}", "broken.json is a file of solutions: task x", TRM_E_FORMAT},
    {"{\"x\": [null, [[1, 2], [3, 4]]]}", "is a file of solutions", TRM_E_FORMAT},
    {"{\"x\": [[[1], [2]], [[3]]]}", "is a file of solutions", TRM_E_FORMAT},
    {"{\"x\": [{\"attempt_1\": [[1]], \"attempt_2\": null}]}",
     "broken.json is a submission: task x has attempts; want a file of challenges", TRM_E_FORMAT},
    {"[{\"attempt_2\": {\"answer\": [[1]]}}]", "is a submission: task broken", TRM_E_FORMAT},
};

/* Such a file is no list of tasks that are not valid; where all of them are to be answered, each
 * is.
 */
static void files_of_another_kind_are_no_tasks(void **state) {
  scratch *s = *state;
  static const char text[] = "{\"x\": [[[1]]], \"y\": [[[2]]]}";
  trm__arc_tasks list = {0};
  trm_error err;
  write_bytes(scratch_path(s, "kind.json"), text, sizeof text - 1);
  assert_int_equal(trm__arc_tasks_load(s->path, &list, &err), TRM_E_FORMAT);
  assert_true(list.invalid.tasks == 0 && speaks_of(&err, "is a file of solutions: task x"));
  trm__arc_tasks_free(&list);
  list.lenient = true;
  assert_int_equal(trm__arc_tasks_load(s->path, &list, &err), TRM_OK);
  assert_true(list.n == 2 && list.invalid.tasks == 2);
  assert_true(speaks_of(&list.invalid.why, "is a file of solutions: task x"));
  trm__arc_tasks_free(&list);
}

static void broken_files_are_refused(void **state) {
  scratch *s = *state;
  const char *path = scratch_path(s, "broken.json");
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    trm_error err = {0};
    trm__arc_tasks list = {0};
    write_bytes(path, refused[i].text, strlen(refused[i].text));
    const trm_status st = trm__arc_tasks_load(path, &list, &err);
    if (st != refused[i].status) fail_msg("%s: status %d, %s", refused[i].text, st, err.msg);
    trm__arc_tasks_free(&list);
    if (st == TRM_OK) continue;
    assert_true(speaks_of(&err, refused[i].speaks));
    assert_true(speaks_of(&err, "broken.json"));
  }
}

/* Of 30 columns. */
static void put_grid(trm__json_out *o, const char *key, int rows) {
  trm__json_open(o, key, '[');
  for (int i = 0; i < rows; i++) {
    trm__json_open(o, NULL, '[');
    for (int j = 0; j < 30; j++) trm__json_put_int(o, NULL, (i + j) % 10);
    trm__json_close(o);
  }
  trm__json_close(o);
}

/* 30 x 30 is read, 31 rows are not. */
static void the_largest_grid_is_read(void **state) {
  scratch *s = *state;

  /* A task of one pair whose grids have so many rows. */
  for (int rows = 30; rows <= 31; rows++) {
    const char *path = scratch_path(s, "large.json");
    trm__json_out o = trm__json_begin(TRM__JSON_COMPACT);
    trm__json_open(&o, NULL, '{');
    trm__json_open(&o, "train", '[');
    trm__json_open(&o, NULL, '{');
    put_grid(&o, "input", rows);
    put_grid(&o, "output", rows);
    trm__json_close(&o);
    trm__json_close(&o);
    trm__json_close(&o);
    assert_int_equal(trm__json_save(path, &o, NULL), TRM_OK);

    /* The bound is the format's own. */
    trm__arc_task t;
    trm_error err;
    const trm_status st = trm__arc_task_load(path, &t, &err);
    assert_int_equal(st, rows == 30 ? TRM_OK : TRM_E_FORMAT);

    /* What is read is whole, to the last cell. */
    if (st != TRM_OK) continue;
    assert_string_equal(t.id, "large");
    assert_int_equal(t.n_test, 0);
    assert_int_equal(t.train[0].input.cell[899], 58 % 10);
    trm__arc_task_free(&t);
  }
}

static void solutions_must_fit(void **state) {
  scratch *s = *state;

  /* Solutions that are of another task, of too few pairs, no grids, or files of another kind. */
  static const struct {
    const char *text, *speaks;
  } bad[] = {{"{\"one\": [[[6, 6]]]}", "task gr"},
             {"{\"gr\\u00fcn\\ud83d\\ude00\": [[[1]], [[2]]], \"one\": []}", "one per test pair"},
             {"{\"gr\\u00fcn\\ud83d\\ude00\": [[[1]], [[2]]], \"one\": [[[11]]]}", "solution 1"},
             {"{\"gr\\u00fcn\\ud83d\\ude00\": [[[1]], [[2]]], \"one\": {\"train\": []}}",
              "arc_a_solutions.json is a file of challenges: task one"},
             {"{\"gr\\u00fcn\\ud83d\\ude00\": [[[1]], [[2]]], \"one\": [{\"attempt_1\": [[1]]}]}",
              "arc_a_solutions.json is a submission: task one"},
             {"[3]", "task one"}};

  /* The challenges are good. */
  char prefix[160];
  snprintf(prefix, sizeof prefix, "%s", write_arc_files(s, false));

  /* A subset is refused as a whole, with the task or the file to look at. */
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    trm_error err;
    trm__arc_tasks list = {0};
    const char *path = scratch_path(s, "arc_a_solutions.json");
    write_bytes(path, bad[i].text, strlen(bad[i].text));
    assert_int_not_equal(trm__arc_tasks_load_subset(prefix, "a", &list, &err), TRM_OK);
    assert_true(speaks_of(&err, bad[i].speaks));
    assert_int_equal(list.n, 0);
  }

  /* A subset without challenges names the file that it wants. */
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

  /* A list that has nearly all the pairs it may have takes no task of two. */
  const char *path = scratch_path(s, "much.json"), *task = arc_files[3].text;
  trm__arc_tasks list = {.pairs = TRM__ARC_MAX_LISTED - 1}; /* its task has two */
  trm_error err;
  write_bytes(path, task, strlen(task));
  assert_int_equal(trm__arc_tasks_load(path, &list, &err), TRM_E_RANGE);
  assert_true(speaks_of(&err, "task much: more than 524288 pairs"));
  trm__arc_tasks_free(&list);

  /* A text of many small values. */
  const size_t n = 2 * (size_t)TRM__JSON_MAX_VALUES + 1; /* and an array of one item more */
  char *text = malloc(n);
  assert_non_null(text);
  for (size_t i = 0; i < n; i++) text[i] = i % 2 ? '1' : ',';
  text[0] = '[';
  text[n - 1] = ']';
  write_bytes(path, text, n);

  /* One value above the bound is refused by its count. */
  trm__json *json;
  assert_int_equal(trm__json_load(path, n, &json, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, "more than 6000000 JSON values"));

  /* At the bound it is read. */
  text[n - 3] = ']';
  text[n - 2] = text[n - 1] = ' ';
  write_bytes(path, text, n);
  assert_int_equal(trm__json_load(path, n, &json, &err), TRM_OK);
  assert_int_equal(trm__json_n_items(json), TRM__JSON_MAX_VALUES - 1);
  trm__json_free(json);
  free(text);
}

/* What a build of tasks in two files of the largest size may write. */
static void large_files_are_read_task_by_task(void **state) {
  /* A text of more bytes than one value may have. */
  scratch *s = *state;
  const char *path = scratch_path(s, "large.json");
  const size_t size = TRM__ARC_MAX_JSON + 100;
  char *text = malloc(size + 1);
  assert_non_null(text);
  trm__arc_tasks list = {0};
  trm_error err;

  /* What stands at its start and near its end, with spaces between. */
  const struct {
    const char *first, *last, *word;
  } cases[] = {{"{\"a\\\"]\": ", ", \"b\": ", NULL},
               {"\xef\xbb\xbf{\"a\\\"]\": ", ", \"b\": ", NULL},
               {"{\"a\": ", ", \"a\": ", "task a comes twice"},
               {"{\"a\": ", " \"b\": ", "end of the text"},
               {"{,\"a\": ", ", \"b\": ", "a key in quotes"},
               {"[\"a\": ", ", \"b\": ", "an object"},
               {"{\"a\": ", ", \"b\": [", "byte"}};

  /* Two tasks of modest size in it. */
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *task = arc_files[3].text;
    memset(text, ' ', size);
    const int first = snprintf(text, size, "%s%s", cases[i].first, task);
    text[first] = ' ';
    const size_t at = size - 200 - strlen(task);
    const int last = snprintf(text + at, size - at, "%s%s}", cases[i].last, task);
    text[at + (size_t)last] = ' ';
    write_bytes(path, text, size);

    /* Good ones are both there; a mistake is found wherever it is. */
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

  /* One value that is too large is refused, whatever the file may be. */
  memset(text, ' ', size);
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

  /* A text of 5 KB that packs to a few bytes. */
  char text[5000];
  memset(text, ' ', sizeof text);
  text[0] = '[';
  text[sizeof text - 2] = ']';
  text[sizeof text - 1] = 0;
  const size_t n = sizeof text - 1;
  const char *path = scratch_path(s, "packed.json.gz");
  write_packed(path, text);
  trm__json *json;
  trm_error err;

  /* The bound counts what is unpacked, exactly. */
  assert_int_equal(trm__json_load(path, n, &json, &err), TRM_OK);
  trm__json_free(json);
  assert_int_equal(trm__json_load(path, n - 1, &json, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, "when unpacked"));

  /* A cut or damaged file is refused as such. */
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

  /* Half a text in each of two files. */
  size_t a, b;
  write_packed(scratch_path(s, "a.gz"), "[1, ");
  unsigned char *first = read_bytes(s->path, &a);
  write_packed(scratch_path(s, "a.gz"), "2]");
  unsigned char *second = read_bytes(s->path, &b);

  /* Joined, with room behind. */
  enum { PADDING = 20 };
  unsigned char *both = calloc(1, a + b + PADDING);
  assert_non_null(both);
  memcpy(both, first, a);
  memcpy(both + a, second, b);
  free(first);
  free(second);

  /* Zeros may follow, as some tapes and tools leave them. */
  trm__json *json;
  for (size_t zeros = 0; zeros < PADDING; zeros++) { /* which may pad the file */
    write_bytes(s->path, both, a + b + zeros);
    assert_int_equal(trm__json_load(s->path, 1000, &json, NULL), TRM_OK);
    assert_int_equal(trm__json_n_items(json), 2);
    trm__json_free(json);
  }

  /* Anything else behind them is damage. */
  const size_t end = a + b;
  assert_in_range(end, 1, 200);
  if (end < 200) both[end + 3] = 1;
  write_bytes(s->path, both, a + b + 8);
  assert_int_equal(trm__json_load(s->path, 1000, &json, NULL), TRM_E_FORMAT);
  free(both);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(broken_files_are_refused),
      cmocka_unit_test(files_of_another_kind_are_no_tasks),
      cmocka_unit_test(the_largest_grid_is_read),
      cmocka_unit_test(solutions_must_fit),
      cmocka_unit_test(folders_must_hold_one_task_per_file),
      cmocka_unit_test(too_much_is_refused),
      cmocka_unit_test(large_files_are_read_task_by_task),
      cmocka_unit_test(packed_json_is_read_and_bounded),
      cmocka_unit_test(joined_members_are_one_text),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
