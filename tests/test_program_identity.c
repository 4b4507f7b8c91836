/* Ids and tokens by number, as a user meets them: a model is refused data in which they mean
 * something else, by every command that would use them. */
#include "launch.h"
#include "small_sets.h"

static char run_dir[160], out_setting[200], data_dir[160], other_dir[160];

static const char own_names[] = "[\"<blank>\", \"aaaa0001\", \"aaaa0001|||t3|||0213456789\"]";
static const char other_names[] = "[\"<blank>\", \"bbbb0002\", \"aaaa0001\"]";

static const char *place(scratch *s, char *out, const char *name) {
  snprintf(out, 160, "%s/%s", s->dir, name);
  return out;
}

/* Two puzzles of a 3x3 canvas with ids 1 and 2 of n_ids, and the names in identifiers.json. */
static void write_set(const char *dir, int n_ids, const char *names) {
  const trm_puzzle p = {.kind = TRM_PUZZLE_ARC, .rows = 3, .cols = 3};
  const small_split split = {.question = {"01/23", "3"},
                             .answer = {"10/32", "4"},
                             .puzzle = {0, 1},
                             .group = {0, 1},
                             .id = {1, 2}};
  write_split(dir, "train", &p, n_ids, &split);
  write_split(dir, "test", &p, n_ids, &split);
  if (names) write_beside(dir, "identifiers.json", names);
}

#define SETTINGS                                                                      \
  "arch.hidden_size=16", "arch.num_heads=2", "arch.H_cycles=1", "arch.L_cycles=1",    \
      "arch.puzzle_emb_len=1", "arch.halt_max_steps=2", "arch.forward_dtype=float32", \
      "global_batch_size=2", "lr=1e-3", "threads=1", "max_updates=2", "epochs=100", out_setting

static const char *list(char *out, const char *key, const char *a, const char *b) {
  snprintf(out, 500, b ? "%s=[%s,%s]" : "%s=[%s]", key, a, b);
  return out;
}

/* A run on the data set of its own names. */
static void train_model(scratch *s) {
  char paths[500];
  write_set(place(s, data_dir, "own"), 3, own_names);
  write_set(place(s, other_dir, "other"), 3, other_names);
  snprintf(out_setting, sizeof out_setting, "out=%s/runs", s->dir);
  place(s, run_dir, "runs/Own-trm/r");
  if (access(run_dir, F_OK) == 0) return;
  want(RUN("train", SETTINGS, list(paths, "data_paths", data_dir, NULL), "run_name=r"), 0);
}

static void every_command_refuses_other_ids(void **state) {
  scratch *s = *state;
  char file[160], used[200], paths[500], tests[500];
  train_model(s);

  /* Scoring. */
  want(RUN("eval", run_dir, data_dir, "--threads", "1"), 0);
  assert_null(strstr(err_text, "warning"));
  want(RUN("eval", run_dir, other_dir), 3);
  says(err_text, other_dir);
  says(err_text, "are not those that the model was trained with");
  says(err_text, "same subsets, order, seed and copies");

  /* Solving. */
  want(RUN("solve", run_dir, "--data", data_dir), 0);
  want(RUN("solve", run_dir, "--data", other_dir), 3);
  says(err_text, "are not those that the model was trained with");

  /* Converting, and what was converted; a torch file does not say what ids mean. */
  place(s, file, "some.safetensors");
  snprintf(used, sizeof used, "used:%s", other_dir);
  want(RUN("convert", run_dir, file, "--puzzle-emb", used), 3);
  says(err_text, "are not those that the model was trained with");
  snprintf(used, sizeof used, "used:%s", data_dir);
  want(RUN("convert", run_dir, file, "--puzzle-emb", used), 0);
  want(RUN("eval", file, data_dir, "--threads", "1"), 0);
  want(RUN("eval", file, other_dir), 3);
  want(RUN("convert", run_dir, place(s, file, "torch.pt")), 0);
  says(err_text, "does not say what puzzle ids mean");
  want(RUN("eval", file, other_dir, "--threads", "1"), 0);

  /* What is made of it for a data set belongs to that. */
  char some[160];
  want(RUN("convert", file, place(s, some, "torch.safetensors"), "--puzzle-emb", used), 0);
  want(RUN("eval", some, data_dir, "--threads", "1"), 0);
  want(RUN("eval", some, other_dir), 3);
  says(err_text, "are not those that the model was trained with");
  assert_int_equal(remove(file), 0);

  /* Found by the dry run, not by the first evaluation. */
  want(RUN("train", SETTINGS, list(paths, "data_paths", data_dir, NULL),
           list(tests, "data_paths_test", other_dir, NULL), "--dry-run"),
       3);
  says(err_text, "does not fit the training data");
  want(RUN("train", SETTINGS, paths, list(tests, "data_paths_test", data_dir, NULL), "--dry-run"),
       0);
  want(RUN("train", SETTINGS, paths, tests, "arch.puzzle_emb_ndim=0", "--dry-run"), 0);
}

static void a_fingerprint_is_shown(void **state) {
  scratch *s = *state;
  static const char key[] = "\"identifiers\": \"";
  char shown[40];
  train_model(s);
  want(RUN("info", data_dir, "--json"), 0);
  says(out_text, key);
  snprintf(shown, sizeof shown, "%.32s", strstr(out_text, key));
  want(RUN("info", run_dir, "--json"), 0);
  says(out_text, shown);
  want(RUN("info", other_dir, "--json"), 0);
  assert_null(strstr(out_text, shown));
  want(RUN("info", run_dir), 0);
  says(out_text, "  identifiers  ");
}

/* Without names numbers of ids are compared, and a difference is told. */
static void numbers_that_differ_are_told(void **state) {
  /* A model, data with more ids and no names, and the model as an older release wrote it, without a
   * fingerprint. */
  scratch *s = *state;
  char smaller[160], old[160], config[200], text[4096];
  train_model(s);
  write_set(place(s, smaller, "nameless"), 4, NULL);
  place(s, old, "old");
  want(RUN("convert", run_dir, old), 0);
  snprintf(config, sizeof config, "%s/config.json", old);
  size_t n;
  char *whole = (char *)read_bytes(config, &n), *at = strstr(whole, ",\n  \"identifiers\"");
  assert_non_null(at); /* as an older model: its last key goes */
  snprintf(text, sizeof text, "%.*s\n}\n", (int)(at - whole), whole);
  write_bytes(config, text, strlen(text));
  free(whole);

  /* Numbers that agree are not worth a word. */
  want(RUN("eval", old, other_dir, "--threads", "1"), 0);
  assert_null(strstr(err_text, "warning"));

  /* More ids than the model knows are an error. */
  write_set(smaller, 4, NULL);
  want(RUN("eval", old, smaller), 3);
  says(err_text, "the data have 4 puzzle ids, the model only knows 3");

  /* Fewer are told, for nothing says whether they mean the same. */
  char larger[160], paths[500];
  write_set(place(s, larger, "more"), 5, NULL);
  want(RUN("train", SETTINGS, list(paths, "data_paths", larger, NULL), "run_name=more"), 0);
  place(s, larger, "runs/More-trm/more");
  want(RUN("eval", larger, data_dir, "--threads", "1"), 0);
  says(err_text, "has 3 puzzle ids, the model 5, and nothing says whether they mean the same");
}

static void weights_of_other_ids_start_at_their_mean(void **state) {
  scratch *s = *state;
  char paths[500], load[200];
  train_model(s);
  snprintf(load, sizeof load, "load_checkpoint=%s", run_dir);
  want(RUN("train", SETTINGS, list(paths, "data_paths", data_dir, NULL), load, "run_name=same"), 0);
  assert_null(strstr(err_text, "start at the mean"));
  want(RUN("train", SETTINGS, list(paths, "data_paths", other_dir, NULL), load, "run_name=new"), 0);
  says(err_text, "has other puzzle ids than the data");
  place(s, load, "runs/Other-trm/new");
  want(RUN("eval", load, other_dir, "--threads", "1"), 0);
  want(RUN("eval", load, data_dir), 3);
}

/* Ids are those of the folders: a model of two folders answers both, and no third. */
static void several_folders(void **state) {
  scratch *s = *state;
  char paths[500], third[160], model[160];
  train_model(s);

  /* A run of two sets is told that they share ids, and knows both. */
  want(RUN("train", SETTINGS, list(paths, "data_paths", data_dir, other_dir), "project_name=Two",
           "run_name=two"),
       0);
  says(err_text, "share its embedding");
  place(s, model, "runs/Two/two");
  want(RUN("eval", model, data_dir, "--threads", "1"), 0);
  want(RUN("eval", model, other_dir, "--threads", "1"), 0);

  /* It does not know a third. */
  write_set(place(s, third, "third"), 3, "[\"<blank>\", \"cccc0003\", \"dddd0004\"]");
  want(RUN("eval", model, third), 3);

  /* A model has room for so many lists of names. */
  char folders[2000] = "data_paths=[";
  for (int i = 0; i <= TRM_MODEL_ID_LISTS; i++) {
    char name[20], dir[160], names[80];
    snprintf(name, sizeof name, "nth%d", i);
    snprintf(names, sizeof names, "[\"<blank>\", \"%08d\", \"eeee0005\"]", i);
    write_set(place(s, dir, name), 3, names);
    snprintf(folders + strlen(folders), sizeof folders - strlen(folders), "%s%s", i ? "," : "",
             dir);
  }
  strcat(folders, "]");
  want(RUN("train", SETTINGS, folders, "--dry-run"), 2);
  says(err_text, "nth8 is the folder of number 9 whose puzzle ids have other names");

  /* A number of ids that no names account for is no reason to take gigabytes. */
  write_set(third, INT32_MAX, own_names);
  want(RUN("train", SETTINGS, list(paths, "data_paths", third, third), "--dry-run"), 3);
  says(err_text, "want no more ids than puzzles or names");
}

static void kinds_are_not_mixed(void **state) {
  scratch *s = *state;
  char maze[160], grid[160], paths[500], tests[500];
  trm_puzzle p = {.kind = TRM_PUZZLE_GRID, .rows = 3, .cols = 4};
  static const char *const symbols[] = {".", "a", "b", "c", "d"};
  for (int i = 0; i < 5; i++) assert_true(trm__puzzle_add_symbol(&p, symbols[i]));
  const small_split split = {.question = {"aaaa/bbbb/...."}, .answer = {"aaaa/bbbb/...."}};
  snprintf(out_setting, sizeof out_setting, "out=%s/runs", s->dir);
  write_maze_set(place(s, maze, "maze"));
  place(s, grid, "grid");
  write_split(grid, "train", &p, 1, &split);
  write_split(grid, "test", &p, 1, &split);
  /* The two have as many cells and tokens. */
  want(RUN("train", SETTINGS, list(paths, "data_paths", maze, NULL), "--dry-run"), 0);
  want(RUN("train", SETTINGS, list(paths, "data_paths", grid, NULL), "--dry-run"), 0);
  want(RUN("train", SETTINGS, list(tests, "data_paths_test", maze, NULL), paths, "--dry-run"), 3);
  says(err_text, "the data: kind maze, 3 x 4 cells; the model: kind grid, 3 x 4");
  want(RUN("train", SETTINGS, list(paths, "data_paths", grid, maze), "--dry-run"), 3);
  says(err_text, "kind maze");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_command_refuses_other_ids),
      cmocka_unit_test(a_fingerprint_is_shown),
      cmocka_unit_test(numbers_that_differ_are_told),
      cmocka_unit_test(weights_of_other_ids_start_at_their_mean),
      cmocka_unit_test(several_folders),
      cmocka_unit_test(kinds_are_not_mixed),
  };
  return cmocka_run_group_tests_name("program_identity", tests, scratch_open, scratch_close);
}
