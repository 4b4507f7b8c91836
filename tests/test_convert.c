/* Models in other files: round trips by the program and the library, and the embeddings of some
 * ids. */
#include <math.h>
#include <sys/stat.h>

#include "converting.h"

static char path_c[PATH];

/* folder -> one file -> torch -> folder, each read back; then the same in bfloat16. */
static void round_trips(void **state) {
  /* Each format of numbers, from the same model. */
  scratch *s = *state;
  trm_model *m = make_model(s, "m", true);
  for (int round = 0; round < 2; round++) {
    const char *dtype = round ? "bf16" : "f32";
    char pt[PATH];

    /* A folder becomes one file. */
    want(RUN("convert", path_a, place(s, path_b, "one.safetensors"), "--dtype", dtype), 0);
    comes_back(path_b, m, round);

    /* That becomes a torch file, with its YAML beside it, and a folder again. */
    snprintf(pt, sizeof pt, "%s/torch%d", s->dir, round);
    assert_int_equal(trm__make_dirs(pt, NULL), TRM_OK);
    snprintf(pt, sizeof pt, "%s/torch%d/m.pt", s->dir, round);
    want(RUN("convert", path_b, pt, "--dtype", dtype), 0);
    want(RUN("convert", pt, place(s, path_c, "again")), 0);
    comes_back(path_c, m, round);

    /* Where the YAML is what would be written, a second conversion is no conflict. */
    want(RUN("convert", path_b, pt), 0);
    want(RUN("convert", path_b, pt, "--seq-len", "12345"), 2);
    says(err_text, "--seq-len says 12345");

    /* One that says something else belongs to somebody: it is not overwritten. */
    char yaml[240];
    snprintf(yaml, sizeof yaml, "%s/torch%d/all_config.yaml", s->dir, round);
    size_t n;
    unsigned char *text = read_bytes(yaml, &n);
    text[n] = '\0'; /* there is room for one byte more */
    assert_non_null(strstr((char *)text, "\nlr_min_ratio:"));
    assert_null(strstr((char *)text, "eval_views")); /* ours: the reference does not know it */
    assert_null(strstr((char *)text, "checkpoint_minutes"));
    text[n] = '\n';
    write_bytes(yaml, text, n + 1);
    free(text);
    want(RUN("convert", path_b, pt), 1);
    says(err_text, "all_config.yaml is there already");
  }
  trm_model_free(m);
}

static void info_needs_no_weights(void **state) {
  scratch *s = *state;
  trm_model *m = make_model(s, "m", true), *peek;
  trm_error err;
  static char folder[TEXT];
  want(RUN("info", path_a, "--json"), 0);
  memcpy(folder, out_text, sizeof folder);
  want(RUN("convert", path_a, place(s, path_b, "info.safetensors")), 0);
  want(RUN("info", path_b, "--json"), 0);
  assert_string_equal(out_text, folder);
  assert_int_equal(trm_model_peek(path_b, NULL, &peek, &err), TRM_OK);
  same_config(m, peek);
  for (int i = 0; i < trm_model_tensor_count(m); i++) {
    const trm_tensor a = trm_model_tensor_at(m, i), b = trm_model_tensor_at(peek, i);
    assert_string_equal(a.name, b.name);
    assert_true(a.count == b.count && !b.data);
  }
  trm_model_free(peek);
  trm_model_free(m);
}

static void a_file_alone_must_say_what_it_is(void **state) {
  scratch *s = *state;
  static char folder[TEXT];
  trm_model *m = make_model(s, "m", true), *none;
  trm_error err;
  char weights[220];
  snprintf(weights, sizeof weights, "%s/model.safetensors", path_a);
  /* Beside the config.json of its folder it is that model. */
  want(RUN("info", path_a, "--json"), 0);
  memcpy(folder, out_text, sizeof folder);
  want(RUN("info", weights, "--json"), 0);
  assert_string_equal(out_text, folder);
  assert_int_equal(trm_model_load(weights, &none, &err), TRM_OK);
  same_config(m, none);
  trm_model_free(none);
  assert_int_equal(rename(weights, place(s, path_b, "alone.safetensors")), 0);
  assert_int_equal(trm_model_load(path_b, &none, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, "no config.json beside it"));
  assert_int_equal(
      trm_model_export(m, place(s, path_b, "x"), (trm_file_format)3, TRM_FLOAT32, &err),
      TRM_E_ARGUMENT);
  trm_model_free(m);
}

/* What is written is said by the ending; one that is not known makes no folder of that name. */
static void endings_say_what_is_written(void **state) {
  /* Endings of other formats, and misspelt ones, are refused with those that are known. */
  scratch *s = *state;
  trm_model_free(make_model(s, "m", true));
  static const char *const unknown[] = {"x.onnx2", "x.ckpt", "x.bin",        "x.gguf",
                                        "x.h5",    "x.npz",  "x.safetensor", "x.pt2"};
  for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
    want(RUN("convert", path_a, place(s, path_b, unknown[i])), 2);
    says(err_text, "want NAME.safetensors, NAME.pt, NAME.pth, NAME.onnx, or a folder");
    assert_false(trm__path_exists(path_b));
  }

  /* Case does not matter; what ends in a slash, exists as a folder or has a version is a folder. */
  static const char *const good[][2] = {
      {"up/x.PT", "f"}, {"x.SafeTensors", "f"}, {"x.onnx/", "d"}, {"v1.5", "d"}, {"x.onnx", "d"}};
  assert_int_equal(trm__make_dirs(place(s, path_b, "up"), NULL), TRM_OK);
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    want(RUN("convert", path_a, place(s, path_b, good[i][0])), 0);
    assert_int_equal(trm__path_is_dir(path_b), *good[i][1] == 'd');
    want(RUN("info", path_b), 0);
  }

  /* A model is no stream, and nothing has no name. */
  want(RUN("convert", path_a, "-"), 2);
  says(err_text, "OUT: want the name of a file or folder");
  want(RUN("convert", path_a, ""), 2);
  assert_int_equal(access("-", F_OK), -1);
}

/* A download is the folder it came in, if that says which checkpoint is meant. */
static void a_download_is_named_by_its_folder(void **state) {
  /* A folder with one checkpoint of the reference, whose names are `step_N`. */
  scratch *s = *state;
  char step[PATH];
  trm_model_free(make_model(s, "m", true));
  assert_int_equal(trm__make_dirs(place(s, path_c, "download"), NULL), TRM_OK);
  want(RUN("convert", path_a, place(s, path_b, "download/x.pt")), 0);
  assert_int_equal(rename(path_b, place(s, step, "download/step_20")), 0);

  /* Its name is enough to look at it and to score it. */
  make_data(s, "data01", 0, 1);
  want(RUN("info", path_c), 0);
  says(out_text, "L_level.layers.0");
  want(RUN("eval", path_c, path_data), 0);
  says(out_text, "download/step_20, in");
  assert_null(strstr(err_text, "passed over")); /* its step_N is no folder of a run */

  /* Of two, one must be named; both are listed. */
  assert_int_equal(link(step, place(s, path_b, "download/step_7")), 0);
  want(RUN("eval", path_c, path_data), 1);
  says(err_text, "name one of the 2 checkpoints in it: step_20, step_7");
  want(RUN("info", path_c), 1);
  says(err_text, "step_20, step_7");
  want(RUN("eval", path_b, path_data), 0);

  /* With none the folder says what is missing. */
  assert_true(remove(path_b) == 0 && remove(step) == 0);
  want(RUN("info", path_c), 1);
  says(err_text, "no checkpoint step_N");
}

/* A pipe in the place of a file that nobody writes to is refused, not waited for. */
static void pipes_are_not_waited_for(void **state) {
  scratch *s = *state;
  char file[PATH], pt[PATH];

  /* A pipe in the place of the YAML: it is neither waited for nor written to. */
  trm_model_free(make_model(s, "m", true));
  assert_int_equal(trm__make_dirs(place(s, path_c, "piped"), NULL), TRM_OK);
  want(RUN("convert", path_a, place(s, pt, "piped/x.pt")), 0);
  assert_int_equal(remove(place(s, file, "piped/all_config.yaml")), 0);
  assert_int_equal(mkfifo(file, 0600), 0);
  want(RUN("info", pt), 1);
  says(err_text, "all_config.yaml: is no file, and nothing comes from it");
  want(RUN("convert", path_a, pt), 1);
  says(err_text, "all_config.yaml: is a device or pipe");
  want(RUN("train", "--config", file), 1);
  says(err_text, "nothing comes from it");

  /* In the place of a model, and of a folder's configuration. */
  assert_int_equal(mkfifo(place(s, file, "piped/model.safetensors"), 0600), 0);
  want(RUN("info", path_c), 1);
  assert_int_equal(mkfifo(place(s, file, "piped/config.json"), 0600), 0);
  want(RUN("info", path_c), 1);
  says(err_text, "want a regular file");

  /* One that somebody writes to is read. */
  char command[600];
  snprintf(command, sizeof command, "echo 'nonsense: 1' | '%s' train --config /dev/stdin 2>&1",
           TRM_PROGRAM);
  FILE *out = popen(command, "r");
  assert_non_null(out);
  assert_non_null(fgets(out_text, sizeof out_text, out));
  pclose(out);
  says(out_text, "/dev/stdin:1:1: unknown key 'nonsense'");
}

/* --- the embeddings of some ids --- */

static void kept_ids_find_their_rows(void **state) {
  /* A model with three ids, scored on data that use two of them. */
  scratch *s = *state;
  trm_model *m = make_model(s, "m", true), *some;
  static char whole[TEXT];
  int n;
  make_data(s, "data02", 2, 0);
  want(RUN("eval", path_a, path_data, "--threads", "1"), 0);
  memcpy(whole, strchr(out_text, '\n'), strlen(strchr(out_text, '\n')) + 1);

  /* Only the ids that the data use are kept. */
  char used[240];
  snprintf(used, sizeof used, "used:%s", path_data);
  want(RUN("convert", path_a, place(s, path_b, "some.safetensors"), "--puzzle-emb", used), 0);
  says(err_text, "2 of 3 puzzle embeddings kept");

  /* The scores are the same to the digit. */
  want(RUN("eval", path_b, path_data, "--threads", "1"), 0);
  assert_string_equal(strchr(out_text, '\n'), whole);

  /* The rows are those of their ids, which are still counted as three. */
  some = load(path_b);
  const int32_t *ids = trm_model_puzzle_ids(some, &n);
  assert_true(n == 2 && ids[0] == 0 && ids[1] == 2);
  assert_int_equal(trm_model_get_config(some)->num_puzzle_identifiers, 3);
  const trm_tensor a = trm_model_tensor_named(m, "puzzle_emb.weights");
  const trm_tensor b = trm_model_tensor_named(some, "puzzle_emb.weights");
  assert_int_equal(b.shape[0], 2);
  assert_memory_equal(b.data + b.shape[1], a.data + 2 * a.shape[1],
                      (size_t)a.shape[1] * sizeof(float));

  /* A reader of `trm info` sees that rows were left out. */
  want(RUN("info", path_b), 0);
  says(out_text, "puzzle_ids_kept");
  trm_model_free(some);
  trm_model_free(m);
}

static void an_id_that_was_not_kept_is_named(void **state) {
  scratch *s = *state;
  trm_model *m = make_model(s, "m", true), *some, *clone, *none;
  trm_error err;

  /* Ids in any order, some twice; some that the model has not, or has not any more; and none. */
  const int32_t ids[] = {2, 0, 2}, outside[] = {3}, dropped[] = {1};
  assert_int_equal(trm_model_keep_puzzle_ids(m, ids, 3, &some, &err), TRM_OK);
  assert_int_equal(trm_model_keep_puzzle_ids(m, outside, 1, &none, &err), TRM_E_RANGE);
  assert_int_equal(trm_model_keep_puzzle_ids(some, dropped, 1, &none, &err), TRM_E_RANGE);
  assert_int_equal(trm_model_keep_puzzle_ids(m, ids, 0, &none, &err), TRM_E_ARGUMENT);

  /* The puzzle that is asked for needs its embedding, another one does not. */
  trm_solver *solver;
  const int32_t tokens[SEQ] = {1};
  assert_int_equal(trm_model_clone(some, &clone, &err), TRM_OK);
  assert_int_equal(trm_solver_create(clone, &(trm_solver_config){.threads = 1}, &solver, &err),
                   TRM_OK);
  assert_int_equal(trm_solver_add(solver, tokens, 1, &err), TRM_E_RANGE);
  assert_true(speaks_of(&err, "puzzle id 1 has no embedding"));
  assert_int_equal(trm_solver_add(solver, tokens, 2, &err), TRM_OK);
  trm_solver_free(solver);

  /* Training wants them all. */
  const trm_trainer_config t = trm_trainer_config_default();
  trm_trainer *trainer;
  assert_int_equal(trm_trainer_create(some, &t, &trainer, &err), TRM_E_ARGUMENT);
  assert_true(speaks_of(&err, "2 of its 3"));

  /* Taken over into a whole model: the rows there are, and the mean of them. */
  bool reset;
  trm_model *whole;
  assert_int_equal(trm_model_create(trm_model_get_config(m), 9, &whole, &err), TRM_OK);
  assert_int_equal(trm_model_copy_weights(whole, some, &reset, &err), TRM_OK);
  assert_true(reset);
  const trm_tensor a = trm_model_tensor_named(m, "puzzle_emb.weights");
  const trm_tensor b = trm_model_tensor_named(whole, "puzzle_emb.weights");
  const int64_t E = a.shape[1];
  for (int64_t j = 0; j < E; j++) {
    assert_true(b.data[j] == a.data[j] && b.data[2 * E + j] == a.data[2 * E + j]);
    assert_true(fabsf(b.data[E + j] - (a.data[j] + a.data[2 * E + j]) / 2) < 1e-6f);
  }

  /* A torch file cannot say which rows are there. */
  assert_int_equal(
      trm_model_export(some, place(s, path_b, "some.pt"), TRM_FILE_TORCH, TRM_FLOAT32, &err),
      TRM_E_ARGUMENT);
  assert_true(speaks_of(&err, ".safetensors"));
  trm_model_free(whole);
  trm_model_free(clone);
  trm_model_free(some);
  trm_model_free(m);
}

static void drop_keeps_the_blank_id(void **state) {
  scratch *s = *state;
  trm_model *m = make_model(s, "m", true);
  make_data(s, "data01", 0, 1);
  want(RUN("convert", path_a, place(s, path_b, "none"), "--puzzle-emb", "drop"), 0);
  want(RUN("eval", path_b, path_data), 3);
  says(err_text, "puzzle id 1 has no embedding");
  want(RUN("convert", path_a, path_b, "--puzzle-emb", "some"), 2);
  want(RUN("convert", path_a, path_b, "--puzzle-emb", "used:/nonexistent"), 1);
  trm_model_free(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(round_trips),
      cmocka_unit_test(info_needs_no_weights),
      cmocka_unit_test(a_file_alone_must_say_what_it_is),
      cmocka_unit_test(endings_say_what_is_written),
      cmocka_unit_test(a_download_is_named_by_its_folder),
      cmocka_unit_test(pipes_are_not_waited_for),
      cmocka_unit_test(kept_ids_find_their_rows),
      cmocka_unit_test(an_id_that_was_not_kept_is_named),
      cmocka_unit_test(drop_keeps_the_blank_id),
  };
  return cmocka_run_group_tests_name("convert", tests, scratch_open, scratch_close);
}
