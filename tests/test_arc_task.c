/* Files of ARC tasks: what is read. */
#include "puzzle/arc/arc_task.h"

#include <unistd.h>

#include "arc_files.h"
#include "gzip_bytes.h"
#include "io/json.h"

/* --- reading --- */

static void subsets_are_found(void **state) {
  /* Files with solutions, without, and a folder of tasks. */
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

  /* A task has its pairs in the order of the file, and remembers in which order their members
   * stood. */
  const trm__arc_task *one = &a.task[0];
  assert_string_equal(one->id, "one");
  assert_true(one->test_first);
  assert_int_equal(one->n_train, 2);
  assert_int_equal(one->n_test, 1);
  assert_false(one->train[0].output_first);
  assert_true(one->train[1].output_first);
  assert_true(one->test[0].has_output);

  /* Its answer comes from the solutions. */
  const trm__arc_grid answer = {1, 2, {6, 6}}, input = {2, 2, {1, 2, 3, 4}}, dummy = {1, 1, {0}};
  assert_true(trm__arc_same(&one->test[0].output, &answer));
  assert_true(trm__arc_same(&one->test[0].input, &input));

  /* Names may have any letters. */
  assert_string_equal(a.task[1].id, "gr\xc3\xbcn\xf0\x9f\x98\x80");

  /* Without solutions there is no answer, unless the task has it itself. */
  assert_false(b.task[0].test[0].has_output);
  assert_true(trm__arc_same(&b.task[0].test[0].output, &dummy));
  assert_true(b.task[1].test[0].has_output);

  /* A folder is in the order of its names. */
  assert_string_equal(c.task[0].id, "a0");
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

/* --- other forms --- */

static void load_text(scratch *s, const char *text, trm__arc_tasks *list) {
  trm_error err;
  write_bytes(scratch_path(s, "form.json"), text, strlen(text));
  if (trm__arc_tasks_load(s->path, list, &err) != TRM_OK) fail_msg("%s: %s", text, err.msg);
}

#define BOM "\xef\xbb\xbf"

/* Each is the task with the demonstrations 1 -> 2 and 3 -> 4 and the test pair 5 -> 6. */
static void forms_of_a_task_are_the_same(void **state) {
  /* As ARC has it, with a mark, as pairs, as lists, and with numbers written as reals. */
  static const char *const texts[] = {
      "{\"train\": [{\"input\": [[1]], \"output\": [[2]]}, {\"input\": [[3]], \"output\": [[4]]}], "
      "\"test\": [{\"input\": [[5]], \"output\": [[6]]}]}",
      BOM
      "[{\"input\": [[1]], \"output\": [[2]]}, {\"input\": [[3]], \"output\": [[4]]}, "
      "{\"input\": [[5]], \"output\": [[6]]}]",
      "[[[[1]], [[2]]], [[[3]], [[4]]], [[[5]], [[6]]]]",
      "{\"form\": [{\"input\": [[1]], \"output\": [[2]]}, [[[3]], [[4]]], [[[5]], [[6]]]]}",
      "{\"source\": \"x\", \"examples\": [[[[1.0]], [[2.0]]], [[[3.0]], [[4e0]]], [[[0.5e1]], "
      "[[6]]]]}"};

  /* Read as one task, whose last pair is the test where nothing says otherwise. */
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    trm__arc_tasks list = {0};
    load_text(*state, texts[i], &list);
    assert_int_equal(list.n, 1);
    const trm__arc_task *t = &list.task[0];
    assert_string_equal(t->id, "form");
    assert_true(t->n_train == 2 && t->n_test == 1 && t->listed == (i > 0));
    for (int k = 0; k < 3; k++) {
      const trm__arc_grid in = {1, 1, {(uint8_t)(2 * k + 1)}}, out = {1, 1, {(uint8_t)(2 * k + 2)}};
      assert_true(trm__arc_same(&t->train[k].input, &in));
      assert_true(trm__arc_same(&t->train[k].output, &out) && t->train[k].has_output);
    }
    trm__arc_tasks_free(&list);
  }

  /* Of a single pair nothing is left for a test. */
  trm__arc_tasks one = {0};
  load_text(*state, "[[[[1]], [[2]]]]", &one);
  assert_true(one.task[0].n_train == 1 && one.task[0].n_test == 0);
  trm__arc_tasks_free(&one);
}

/* A task in each line, as BARC's sets come. */
static void lines_of_tasks_are_read(void **state) {
  scratch *s = *state;
  static const char text[] = BOM
      "{\"source\": \"a\", \"examples\": [[[[1.0]], [[2.0]]], [[[3.0]], [[4.0]]]]}\r\n\n \t\n"
      "{\"task_id\": \"named\", \"train\": [[[[1]], [[2]]]]}\n"
      "{\"id\": \"other\", \"examples\": [[[[1]], [[2]]]]}\n[[[[5]], [[6]]]]";
  static const char *const ids[] = {"barc-1", "named", "other", "barc-6"};
  trm__arc_tasks list = {0};
  trm_error err;
  assert_int_equal(trm__make_dirs(scratch_path(s, "set"), NULL), TRM_OK);
  write_bytes(scratch_path(s, "set/barc.jsonl"), text, sizeof text - 1);
  if (trm__arc_tasks_load(s->path, &list, &err) != TRM_OK) fail_msg("%s", err.msg);
  assert_int_equal(list.n, 4);
  for (int i = 0; i < 4; i++) assert_string_equal(list.task[i].id, ids[i]);
  assert_true(list.task[0].n_train == 1 && list.task[0].test[0].output.cell[0] == 4);
  trm__arc_tasks_free(&list);

  /* Packed, whatever the name says, and with the line ends of old Macs. */
  char packed_text[sizeof text];
  static const char *const packed[] = {"set/barc.jsonl.gz", "set/barc.ndjson.gz",
                                       "set/barc.ndjson"};
  for (int k = 0; k < 4; k++) {
    size_t n = 0;
    for (const char *c = text; *c; c++)
      if (k < 3 || *c != '\r') packed_text[n++] = (char)(k == 3 && *c == '\n' ? '\r' : *c);
    packed_text[n] = 0;
    if (k < 3)
      gzip_write(scratch_path(s, packed[k]), packed_text);
    else
      write_bytes(scratch_path(s, "set/barc.jsonl"), packed_text, n);
    if (trm__arc_tasks_load(s->path, &list, &err) != TRM_OK) fail_msg("%s", err.msg);
    assert_int_equal(list.n, 4);
    for (int i = 0; i < 4; i++) assert_string_equal(list.task[i].id, ids[i]);
    trm__arc_tasks_free(&list);
  }

  /* It may be a subset. */
  char prefix[160];
  snprintf(prefix, sizeof prefix, "%s", scratch_path(s, "set"));
  assert_int_equal(trm__arc_tasks_load_subset(prefix, "barc.jsonl", &list, NULL), TRM_OK);
  assert_int_equal(list.n, 4);
  trm__arc_tasks_free(&list);
}

static void bad_lines_are_named(void **state) {
  scratch *s = *state;
  static const struct {
    const char *text, *speaks;
  } bad[] = {
      {"{\"id\": \"a\", \"examples\": [[[[1]], [[2]]]]}\n{\"id\": \"a\", \"examples\": [[[[1]], "
       "[[2]]]]}\n",
       "the task a comes twice"},
      {" \n", "there is no task"},
      {"[[[[1]], [[2]]]]\n[[[[1]], [[2]]]\n", "line 2"},
      {"[[[[1]], [[2]]]] [[[[1]], [[2]]]]\n", "line 1"},
      {"[[[[1]], [[20]]]]\n", "task bad-1: pair 1"}};
  trm__arc_tasks list = {0};
  trm_error err;
  static const char wide[] = "\xff\xfe[\0[\0";
  write_bytes(scratch_path(s, "wide.jsonl"), wide, sizeof wide - 1);
  assert_int_equal(trm__arc_tasks_load(s->path, &list, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, "wide.jsonl is text in UTF-16"));

  /* The file, and the line or the task. */
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    write_bytes(scratch_path(s, "bad.ndjson"), bad[i].text, strlen(bad[i].text));
    assert_int_not_equal(trm__arc_tasks_load(s->path, &list, &err), TRM_OK);
    assert_true(speaks_of(&err, bad[i].speaks) && speaks_of(&err, "bad.ndjson"));
    trm__arc_tasks_free(&list);
  }
}

/* null: nobody tells it. */
static void null_outputs_are_hidden(void **state) {
  scratch *s = *state;
  const trm__arc_grid dummy = {1, 1, {0}};
  trm__arc_tasks list = {0};
  load_text(
      s,
      "{\"a\": {\"train\": [[[[1]], [[2]]]], \"test\": [{\"input\": [[5]], \"output\": null}, "
      "{\"input\": [[6]], \"output\": [[7]]}]}, \"b\": {\"train\": [[[[1]], [[2]]]], \"test\": "
      "null}}",
      &list);
  assert_true(list.n == 2 && list.task[0].n_test == 2 && list.task[1].n_test == 0);
  assert_false(list.task[0].test[0].has_output);
  assert_true(trm__arc_same(&list.task[0].test[0].output, &dummy));
  assert_true(list.task[0].test[1].has_output);
  /* So they are in a file of solutions. */
  static const char solutions[] = BOM "{\"b\": [], \"a\": [[[3]], null]}";
  write_bytes(scratch_path(s, "s.json"), solutions, sizeof solutions - 1);
  assert_int_equal(trm__arc_tasks_solve(s->path, &list, NULL), TRM_OK);
  assert_true(list.task[0].test[0].has_output && list.task[0].test[0].output.cell[0] == 3);
  assert_int_equal(list.task[0].test[1].output.cell[0], 7);
  trm__arc_tasks_free(&list);
}

/* URM's names, and others with "-" where Kaggle has "_"; the solutions of the same form first. */
static void names_may_have_other_marks(void **state) {
  scratch *s = *state;
  static const char task[] =
      "{\"a\": {\"train\": [[[[1]], [[2]]]], \"test\": [{\"input\": [[5]]}]}}",
                    right[] = "{\"a\": [[[6]]]}", wrong[] = "{\"a\": [[[7]]]}";
  static const char *const names[][2] = {
      {"%s/p_training_challenges.json", "%s/p_training_solutions.json"},
      {"%s/p_training-challenges.json", "%s/p_training-solutions.json"},
      {"%s/p-training-challenges.json", "%s/p-training-solutions.json"},
      {"%s/p-training_challenges.json", "%s/p-training_solutions.json"}};

  /* Each pair of names, of which the one that is preferred is read. */
  char prefix[160], path[200];
  snprintf(prefix, sizeof prefix, "%s/p", s->dir);
  for (int i = 3; i >= 0; i--) { /* each goes before those that are there already */
    trm__arc_tasks list = {0};
    for (int k = 0; k < 2; k++) {
      snprintf(path, sizeof path, names[i][k], s->dir);
      write_bytes(path, k ? right : task, k ? sizeof right - 1 : sizeof task - 1);
    }
    assert_int_equal(trm__arc_tasks_load_subset(prefix, "training", &list, NULL), TRM_OK);
    assert_true(list.n == 1 && list.task[0].test[0].output.cell[0] == 6);
    trm__arc_tasks_free(&list);
    write_bytes(path, wrong, sizeof wrong - 1);
  }

  /* Solutions of another form, packed, where there is no better one. */
  trm__arc_tasks list = {0};
  for (int i = 0; i < 4; i++) {
    snprintf(path, sizeof path, names[i][1], s->dir);
    assert_int_equal(unlink(path), 0);
  }
  write_packed(scratch_path(s, "p-training-solutions.json.gz"), right);
  assert_int_equal(trm__arc_tasks_load_subset(prefix, "training", &list, NULL), TRM_OK);
  assert_true(list.task[0].test[0].output.cell[0] == 6);
  trm__arc_tasks_free(&list);
}

/* A lenient list counts what is no task, and keeps its id and the number of its test inputs. */
static void what_is_no_task_is_counted(void **state) {
  scratch *s = *state;
  static const char text[] =
      "{\"good\": {\"train\": [[[[1]], [[2]]]], \"test\": [{\"input\": [[5]]}]},"
      " \"pink\": {\"train\": [[[[1]], [[10]]]], \"test\": [[[[1]], [[2]]], [[[1]], [[2]]]]},"
      " \"empty\": {\"train\": []}, \"seven\": 7,"
      " \"late\": {\"train\": [[[[1]], [[2]]]], \"test\": [{\"input\": [[5]]}]},"
      " \"ragged\": [[[[1]], [[2]]], [[[1, 2], [1]], [[2]]]]}";
  static const char solutions[] = "{\"good\": [[[6]]], \"late\": [[[6], []]]}";

  /* What is valid is kept, and what is not is counted, told and stands for its test inputs. */
  trm__arc_tasks list = {.lenient = true};
  load_text(s, text, &list);
  assert_true(list.n == 6 && list.invalid.tasks == 4);
  assert_string_equal(list.invalid.ids, "pink, empty, seven, ragged");
  assert_true(speaks_of(&list.invalid.why, "task pink: train pair 1: \"output\": row 1, column 1"));
  const trm__arc_task *pink = &list.task[1];
  assert_true(pink->invalid && pink->n_train == 0 && pink->n_test == 2);
  assert_true(pink->test[1].input.rows == 1 && pink->test[1].input.cell[0] == 0);

  /* Solutions that are none make their task one of them. */
  write_bytes(scratch_path(s, "s.json"), solutions, sizeof solutions - 1);
  assert_int_equal(trm__arc_tasks_solve(s->path, &list, NULL), TRM_OK);
  assert_true(list.invalid.tasks == 5 && list.task[4].invalid);
  assert_int_equal(trm__arc_tasks_keep_valid(&list), 5);
  assert_true(list.n == 1 && list.task[0].test[0].output.cell[0] == 6);
  trm__arc_tasks_free(&list);

  /* A file that is broken is none of them, and neither is an id. */
  trm_error err;
  list.lenient = true;
  write_bytes(scratch_path(s, "form.json"), text, sizeof text - 2);
  assert_int_equal(trm__arc_tasks_load(s->path, &list, &err), TRM_E_FORMAT);
  assert_true(list.n == 0 && list.invalid.tasks == 0);
  static const char named[] = "{\"a|||b\": 3}";
  write_bytes(s->path, named, sizeof named - 1);
  assert_int_equal(trm__arc_tasks_load(s->path, &list, &err), TRM_E_FORMAT);
  trm__arc_tasks_free(&list);

  /* Without leave it is an error, and told which task it is about. */
  write_bytes(s->path, text, sizeof text - 1);
  assert_int_equal(trm__arc_tasks_load(s->path, &list, &err), TRM_E_RANGE);
  assert_true(list.invalid.tasks == 1 && !strcmp(list.invalid.ids, "pink"));
  trm__arc_tasks_free(&list);
}

/* Of a file to be answered: what there is time and room for. */
static void possible_tasks_are_chosen(void **state) {
  /* A bad task, one with a large answer, one with a large input, one without a test, and a good
   * one. */
  scratch *s = *state;
  static const char text[] =
      "{\"bad\": 3, \"small\": [[[[1]], [[2]]], [[[1]], [[2, 2]]]],"
      " \"large\": [[[[1]], [[2]]], [[[1, 1, 1]], [[2]]]],"
      " \"untested\": {\"train\": [[[[1]], [[2]]]], \"test\": []},"
      " \"other\": [[[[3]], [[4]]], [[[5]], [[6]]]]}";
  trm_arc_tasks *all, *some;
  trm_arc_invalid invalid;
  write_bytes(scratch_path(s, "all.json"), text, sizeof text - 1);

  /* A set is refused with a bad task; to be answered, the others will do. */
  assert_int_equal(trm_arc_tasks_load(s->path, &all, NULL), TRM_E_FORMAT);
  assert_int_equal(trm_arc_tasks_load_all(s->path, &all, &invalid, NULL), TRM_OK);
  assert_true(trm_arc_tasks_count(all) == 5 && invalid.tasks == 1);
  assert_int_equal(trm_arc_tasks_train_pairs(all, 0), 0);

  /* Those whose grids fit are answered. */
  assert_int_equal(trm_arc_tasks_possible(all, 2, &some, NULL), TRM_OK);
  assert_int_equal(trm_arc_tasks_count(some), 2);
  assert_string_equal(trm_arc_tasks_id(some, 0), "small");
  assert_string_equal(trm_arc_tasks_id(some, 1), "other");
  assert_int_equal(some->task[1].test[0].input.cell[0], 5);
  trm_arc_tasks_free(some);

  /* Without a bound, those that have anything to answer. */
  assert_int_equal(trm_arc_tasks_possible(all, 0, &some, NULL), TRM_OK);
  assert_int_equal(trm_arc_tasks_count(some), 3);
  trm_arc_tasks_free(some);
  trm_arc_tasks_free(all);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(subsets_are_found),
      cmocka_unit_test(tasks_are_found_by_id),
      cmocka_unit_test(single_tasks_and_folders_are_read),
      cmocka_unit_test(forms_of_a_task_are_the_same),
      cmocka_unit_test(lines_of_tasks_are_read),
      cmocka_unit_test(bad_lines_are_named),
      cmocka_unit_test(null_outputs_are_hidden),
      cmocka_unit_test(names_may_have_other_marks),
      cmocka_unit_test(what_is_no_task_is_counted),
      cmocka_unit_test(possible_tasks_are_chosen),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
