/* `trm solve` on every kind of puzzle, as text and from a data set. */
#include <sys/stat.h>

#include "json_text.h"
#include "small_sets.h"
#include "solve_models.h"

static void mazes_are_solved(void **state) {
  scratch *s = *state;
  char model[160], data[160];
  const trm_puzzle p = {.kind = TRM_PUZZLE_MAZE, .rows = 3, .cols = 4};
  make_copying_model(place(s, "maze_model", model), &p, 1, BLANK);
  write_maze_set(place(s, "maze", data));
  /* The question of a maze whose goal is beside its start is its answer. */
  want(RUN_INPUT("// comment\n\n##SG/.###/####\r\n  SG ### ## \n", "solve", model), 0);
  says(out_text, "##SG/.###/####  valid: yes  q ");
  says(out_text, "..SG/.###/.##.  valid: yes  q ");
  want(RUN_INPUT("##SG/.###/####\n##SG/.###/###x\n", "solve", model), 3);
  says(out_text, "valid: yes");
  says(err_text, "stdin:2:14: 'x' is no symbol");
  /* As JSON, over several lines, and behind a line without an end. */
  want(RUN_INPUT("[\n [\n  \"#\", \"#\",\n \"S\", \"G\"\n ],\n [\".\",\"#\",\"#\",\"#\"],\n\n"
                 " [\"#\",\"#\",\"#\",\"#\"]\n]\n##SG/.###/###x\n[\n [1]\n]\n[\n",
                 "solve", model),
       3);
  says(out_text, "##SG/.###/####  valid: yes  q ");
  says(err_text, "stdin:10:14: 'x' is no symbol");
  says(err_text, "stdin:11:1: a grid of 1 x 1 cells; want 3 x 4");
  says(err_text, "stdin:14:");
  /* No answer can be right to a maze without its ends, or with too many. */
  want(RUN_INPUT("##SG/.###/####\n##.G/.###/####\n##SG/.S##/####\n", "solve", model), 3);
  says(out_text, "##SG/.###/####  valid: yes");
  says(out_text, "error: stdin:2:1: a maze has one start S and one goal G, here are 0 and 1");
  says(out_text, "error: stdin:3:1: a maze has one start S and one goal G, here are 2 and 1");
  want(RUN("solve", model, "--data", data, "--check", "--show", "grid"), 4);
  says(out_text, "  puzzle     answer\n  # #   S    # #   S \n");
  says(out_text, "##.S/...#/G###  valid: no  q ");
  says(out_text, "  steps 2  label: different\n");
  says(err_text, "1 answer is not valid");
  want(RUN("solve", model, "--data", data, "--split", "train", "--index", "1", "--show", "steps"),
       0);
  says(out_text, "step 1 of 2: 0 cells changed");
  assert_null(strstr(out_text, "step 3"));
  want(RUN("solve", model, "--data", data, "--split", "train", "--count", "5", "--json"), 0);
  size_t used;
  trm__json *root = json_first(out_text, &used);
  assert_non_null(root);
  assert_string_equal(trm__json_text(trm__json_get(root, "puzzle")), "S.##/#.../###G");
  assert_true(trm__json_is(trm__json_get(root, "valid"), TRM__JSON_FALSE));
  assert_int_equal(trm__json_integer(trm__json_get(root, "index")), 0);
  assert_string_equal(trm__json_text(trm__json_get(root, "label")), "different");
  trm__json_free(root);
  says(strchr(out_text, '\n'), "\"index\":1");
}

/* ARC has no rules; its tasks are known by their ids. */
static void arc_tasks_are_answered_by_their_ids(void **state) {
  scratch *s = *state;
  char model[160], few[160], data[160];
  const trm_puzzle p = {.kind = TRM_PUZZLE_ARC, .rows = 30, .cols = 30};
  make_copying_model(place(s, "arc_model", model), &p, 4, KNOWN);
  make_copying_model(place(s, "arc_few", few), &p, 2, KNOWN);
  write_arc_set(place(s, "arc", data));
  want(RUN("solve", model, "--data", data, "--steps", "1"), 0);
  says(out_text, "01/23  valid: -  q ");
  says(out_text, "label: different\n");
  assert_string_equal(err_text, "");
  want(RUN("solve", model, "--data", data, "--index", "1", "--steps", "1", "--json"), 0);
  says(out_text, "\"valid\":null");
  says(out_text, "\"name\":\"bbbb0002\"");
  says(err_text, "puzzle id 3 bbbb0002 was not trained");
  says(err_text, "trm finetune MODEL --task FILE.json");
  want(RUN("solve", few, "--data", data, "--index", "1"), 3);
  says(err_text, "the data have 4 puzzle ids, the model only knows 2");
  want(RUN("solve", model, "--puzzle", "12/30", "--check", "--steps", "1"), 0);
  says(out_text, "12/30  valid: -");
  says(err_text, "a puzzle given as text has no id");
  says(err_text, "nothing was checked");
  /* The grids of train lie off the corner, and an answer with them. */
  write_split(data, "train", &p, 4,
              &(small_split){.question = {"01/23"}, .answer = {"01/23"}, .id = {1}, .shift = 5});
  want(RUN("solve", model, "--data", data, "--split", "train", "--steps", "1", "--check"), 0);
  says(out_text, "01/23  valid: -");
  says(out_text, "label: equal\n");
}

/* A task is no line of text, and is not answered without its demonstrations. */
static void tasks_in_json_belong_to_finetune(void **state) {
  /* A task as ARC writes it, as an editor may leave it, and as nested lists. */
  scratch *s = *state;
  static const char *const texts[] = {"{\"train\": []}\n", "\xef\xbb\xbf\n  {\n\"train\": []\n}\n",
                                      "[[[[1]], [[2]]]]"};

  /* A model that could answer grids. */
  char model[160], task[160], want_text[200];
  const trm_puzzle p = {.kind = TRM_PUZZLE_ARC, .rows = 30, .cols = 30};
  make_copying_model(place(s, "task_model", model), &p, 2, KNOWN);
  place(s, "task.json", task);
  snprintf(want_text, sizeof want_text, "trm finetune MODEL --task %s", task);

  /* Wherever a task stands, the message names the command that takes it. */
  for (size_t i = 0; i < 3; i++) {
    write_bytes(task, texts[i], strlen(texts[i]));
    want(RUN("solve", model, task), 3);
    says(err_text, want_text);
    assert_ptr_equal(strchr(out_text, '\n'), out_text + strlen(out_text) - 1); /* one error */
    want(RUN("solve", model, "--puzzle", texts[i]), 3);
    says(err_text, "--puzzle:");
    says(err_text, "trm finetune MODEL --task FILE.json");
  }

  /* A grid in JSON is no task, and is solved. */
  want(RUN("solve", model, "--puzzle", "[[1, 2], [3, 4]]"), 0);
  says(out_text, "12/34  valid: -");

  /* A number of steps has the bound of the library. */
  want(RUN("solve", model, "--puzzle", "12/34", "--steps", "1025"), 2);
  says(err_text, "--steps: want a whole number from 0 to 1024, got '1025'");
  /* A folder of tasks is for finetune, too, if the model is for tasks. */
  char tasks[160], one[200];
  assert_int_equal(mkdir(place(s, "tasks", tasks), 0777), 0);
  snprintf(one, sizeof one, "%s/one.json", tasks);
  write_bytes(one, "{}", 2);
  want(RUN("solve", model, tasks), 2);
  says(err_text, "tasks of ARC are answered by: trm finetune");
}

static void a_users_grids_are_solved(void **state) {
  scratch *s = *state;
  char model[160], data[160];
  trm_puzzle p = {.kind = TRM_PUZZLE_GRID, .rows = 3, .cols = 4, .sized = true};
  static const char *const symbols[] = {".", "<&>", "12", "a b"};
  for (int i = 0; i < 4; i++) assert_true(trm__puzzle_add_symbol(&p, symbols[i]));
  make_copying_model(place(s, "grid_model", model), &p, 1, BLANK);
  write_grid_set(place(s, "grid", data));
  want(RUN_INPUT("# comment\n12 a\\x20b / . .\n", "solve", model), 0);
  says(out_text, "12 a\\x20b / . .  valid: -  q ");
  want(RUN("solve", model, "--data", data, "--count", "9", "--check"), 4);
  says(out_text, ". <&> / 12 .  valid: -");
  says(err_text, "2 answers are not equal to the label");
}

static void what_does_not_fit_is_refused(void **state) {
  scratch *s = *state;
  char model[160], nameless[160], data[160];
  trm_puzzle p = {.kind = TRM_PUZZLE_MAZE, .rows = 3, .cols = 4};
  make_copying_model(place(s, "refusing", model), &p, 1, BLANK);
  write_arc_set(place(s, "arc_again", data));
  want(RUN("solve", model, "--data", data), 3);
  says(err_text, "arc_again: the data have seq_len 900 and vocab_size 12, the model 12 and 6");
  write_maze_set(place(s, "maze_again", data));
  want(RUN("solve", model, "--data", data, "--index", "7"), 2);
  says(err_text, "test has examples 0 to 0, got 7");
  want(RUN("solve", model, "--data", data, "--puzzle", "x"), 2);
  want(RUN("solve", model, "-", "--data", data), 2);
  want(RUN("solve", model, "--index", "1"), 2);
  want(RUN("solve", model, "--show", "all"), 2);
  /* A model that does not say what its tokens are learns it from the data. */
  make_copying_model(place(s, "nameless", nameless), &p, 1, BLANK);
  char config[200];
  snprintf(config, sizeof config, "%s/config.json", nameless);
  json_change(config, "puzzle", NULL, config);
  want(RUN("solve", nameless, "--puzzle", "##SG/####/####"), 2);
  says(err_text, "does not say what its tokens mean");
  want(RUN("solve", nameless, "--data", data), 0);
  says(out_text, "##.S/...#/G###  valid: no");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(mazes_are_solved),
      cmocka_unit_test(arc_tasks_are_answered_by_their_ids),
      cmocka_unit_test(tasks_in_json_belong_to_finetune),
      cmocka_unit_test(a_users_grids_are_solved),
      cmocka_unit_test(what_does_not_fit_is_refused),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
