/* What the program says to who does not know it yet: wrong first commands, words in the wrong
 * place, data that are not there, plans that lead nowhere; and how far it is. */
#include <errno.h>
#include <sys/stat.h>

#include "launch.h"

#define TINY                                                                                  \
  "preset=sudoku4", "arch.hidden_size=32", "arch.num_heads=1", "arch.H_cycles=1",             \
      "arch.L_cycles=1", "arch.halt_max_steps=2", "global_batch_size=8", "lr_warmup_steps=0", \
      "threads=1", "eval_limit=8", "data_paths=[s4]", "checkpoint_minutes=0"

/* All tests run in the scratch folder, so that names are as a user types them. */
static int set_up(void **state) {
  if (scratch_open(state)) return -1;
  scratch *s = *state;
  if (chdir(s->dir) != 0) return -1;
  write_bytes("puzzle.txt", "1234341221434321\n", 17);
  write_bytes("run.yaml", "preset: sudoku4\n", 16);
  want(RUN("data", "gen", "sudoku", "--size", "4", "--train", "60", "--test", "20", "--output-dir",
           "s4"),
       0);
  want(RUN("train", TINY, "checkpoint_path=run", "max_updates=2"), 0);
  want(RUN("train", TINY, "project_name=p", "run_name=one", "max_updates=1"), 0);
  want(RUN("convert", "run", "alone"), 0);
  assert_int_equal(mkdir("tasks", 0777) | mkdir("nothing", 0777), 0);
  write_bytes("tasks/one.json", "{}", 2);
  return 0;
}

static int tear_down(void **state) {
  return chdir("/") == 0 ? scratch_close(state) : -1;
}

typedef struct slip {
  const char *args[8];
  const char *said;
} slip;

static void each_is_explained(scratch *s, const slip *slips, size_t n, int code) {
  for (size_t i = 0; i < n; i++) {
    want(run_with(s, &(launch){0}, slips[i].args), code);
    says(err_text, slips[i].said);
  }
}
#define EXPLAINED(s, slips, code) each_is_explained(s, slips, sizeof slips / sizeof *slips, code)

static void wrong_commands_are_explained(void **state) {
  static const slip slips[] = {
      {{"slove"}, "did you mean 'solve'?"},
      {{"gen"}, "trm data gen KIND"},
      {{"evaluate"}, "trm eval MODEL DATA"},
      {{"predict"}, "trm solve MODEL FILE"},
      {{"resume"}, "trm train --resume DIR"},
      {{"--model", "x"}, "a command comes first"},
      {{"1234341221434321"}, "trm sudoku solve --puzzle PUZZLE"},
      {{"sudoku4"}, "it is a model, used as in `trm solve sudoku4 FILE`"},
      {{"zzzzzzzz"}, "`trm help` lists"},
      {{"help", "zzzzzzzz"}, "`trm help` lists"},
      {{"data", "sudoku"}, "trm data build sudoku or trm data gen sudoku"},
      {{"data", "arc"}, "Want trm data build arc"},
      {{"data", "gen", "sudoku6"}, "did you mean 'sudoku'"},
  };
  EXPLAINED(*state, slips, 2);
}

static void help_is_found(void **state) {
  scratch *s = *state;
  static const char *const ways[][3] = {{"help", "solve", NULL},
                                        {"--help", "solve", NULL},
                                        {"solve", "--help", "extra"},
                                        {"solve", "-h", NULL}};
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    const char *const args[] = {ways[i][0], ways[i][1], ways[i][2], NULL};
    want(run_with(s, &(launch){0}, args), 0);
    says(out_text, "Usage: trm solve MODEL");
  }
  want(RUN("help", "help"), 0);
  says(out_text, "Usage: trm COMMAND");
  want(RUN("data", "help"), 0);
  says(out_text, "trm data gen");
  want(RUN("arc", "help"), 0);
  want(RUN("-V"), 0);
  says(out_text, "kernels:");
}

static void words_of_train_are_explained(void **state) {
  /* A word for each habit: presets, files and options of other programs. */
  static const slip slips[] = {
      {{"train"}, "trm train preset=sudoku6"},
      {{"train", "sudoku6"}, "the preset is preset=sudoku6"},
      {{"train", "s4"}, "data_paths=\"[s4]\""},
      {{"train", "run.yaml"}, "--config run.yaml"},
      {{"train", "lr", "1e-3"}, "as in lr=VALUE"},
      {{"train", "--lr", "1e-3"}, "written without dashes: lr=1e-3"},
      {{"train", "--lr=1e-3"}, "written without dashes: lr=1e-3"},
      {{"train", "-lr", "1e-3"}, "written without dashes: lr=1e-3"},
      {{"train", "--preset", "sudoku6"}, "preset=sudoku6"},
      {{"train", "--max-updates", "3"}, "max_updates=3"},
      {{"train", "--hidden-size", "64"}, "arch.hidden_size=64"},
      {{"train", "--batch-size", "64"}, "global_batch_size=64"},
      {{"train", "--data", "s4"}, "data_paths=\"[s4]\""},
      {{"train", "--ema"}, "ema=VALUE"},
      {{"train", "--zzzz", "3"}, "unknown option --zzzz; --help lists"},
      {{"train", "--dry-rum"}, "did you mean --dry-run?"},
      {{"train", "data_paths=s4"}, "data_paths=\"[s4]\""},
      {{"train", "resume=run"}, "--resume run"},
      {{"train", "dry_run=True"}, "as an option: --dry-run\n"},
      {{"train", "arch.n=3"}, "did you mean 'arch.L_cycles'?"},
      {{"train", "arch.loss=stablemax"}, "did you mean 'arch.loss.loss_type'?"},
      {{"train", "arch.hidden_dim=64"}, "did you mean 'arch.hidden_size'?"},
      {{"train", "steps=100"}, "did you mean 'max_updates'?"},
      {{"train", "data=s4"}, "did you mean 'data_paths'?"},
      {{"bench", "train", "--hidden-size", "64"}, "arch.hidden_size=64"},
      {{"bench", "train", "batch=64"}, "--batch 64"},
  };
  EXPLAINED(*state, slips, 2);
}

static void words_of_others_are_explained(void **state) {
  /* Arguments in another order, keys in place of options, and the other way round. */
  static const slip slips[] = {
      {{"eval", "s4", "run"}, "want MODEL, then DATA, as in: trm eval run s4"},
      {{"eval", "s4"}, "trm eval MODEL s4"},
      {{"eval", "run"}, "trm eval run DATA"},
      {{"eval", "run", "s4", "limit=5"}, "as an option: --limit 5"},
      {{"eval", "run", "s4", "save_preds=a.npy"}, "as an option: --save-preds a.npy"},
      {{"eval", "run", "s4", "json=true"}, "as an option: --json\n"},
      {{"eval", "--model", "run"}, "this argument is written without one"},
      {{"solve", "puzzle.txt", "run"}, "as in: trm solve run puzzle.txt"},
      {{"solve", "run", "s4"}, "as in: trm solve run --data s4"},
      {{"solve", "run", "run"},
       "run is a model: want MODEL, then a FILE of puzzles, as in: trm solve run FILE"},
      {{"solve", "run", "tasks"}, "tasks is a folder, and no data set"},
      {{"solve", "run", "nothing"}, "nothing is a folder, and no data set"},
      {{"finetune", "run", "tasks"}, "as in: trm finetune run --task tasks"},
      {{"data", "gen", "sudoku", "size=6"}, "--size 6"},
      {{"data", "gen", "sudoku", "--output", "x"}, "did you mean --output-dir?"},
      {{"data", "gen", "sudoku", "--dir", "x"}, "did you mean --output-dir?"},
  };
  EXPLAINED(*state, slips, 2);
}

/* What a command writes takes the place of what was there, and says so; nothing is said of a place
 * that is free or an empty folder. */
static void what_is_replaced_is_told(void **state) {
  scratch *s = *state;
  static const char *const data[] = {"data", "gen",    "sudoku", "--size",       "4",     "--count",
                                     "9",    "--test", "0",      "--output-dir", "again", NULL},
                           *const folder[] = {"convert", "run", "again_model", NULL},
                           *const file[] = {"convert", "run", "again.safetensors", NULL},
                           *const array[] = {"eval", "run", "s4", "--save-q", "again.npy", NULL};
  static const struct {
    const char *const *args;
    const char *said;
  } writers[] = {{data, "trm: again was there and is replaced\n"},
                 {folder, "trm: again_model was there and is replaced\n"},
                 {file, "trm: again.safetensors was there and is replaced\n"},
                 {array, "trm: again.npy was there and is replaced\n"}};
  assert_int_equal(mkdir("again", 0777), 0);
  for (size_t i = 0; i < sizeof writers / sizeof *writers; i++) {
    want(run_with(s, &(launch){0}, writers[i].args), 0);
    assert_null(strstr(err_text, "replaced"));
    want(run_with(s, &(launch){0}, writers[i].args), 0);
    says(err_text, writers[i].said);
  }

  /* The last of several names is the one that is written. */
  want(RUN("data", "gen", "sudoku", "--size", "4", "--test", "0", "--output-dir", "again",
           "--output-dir", "fresh"),
       0);
  assert_null(strstr(err_text, "replaced"));

  /* Where nothing was written, nothing is replaced: a folder of other things is refused. */
  want(RUN("data", "gen", "sudoku", "--size", "4", "--output-dir", "tasks"), 1);
  assert_null(strstr(err_text, "tasks was there and is replaced"));
}

/* A file may be called so. */
static void a_file_with_a_sign_is_a_file(void **state) {
  scratch *s = *state;
  assert_int_equal(rename("puzzle.txt", "steps=2"), 0);
  want(RUN("solve", "run", "steps=2"), 0);
  assert_int_equal(rename("steps=2", "puzzle.txt"), 0);
}

static void folders_are_told_apart(void **state) {
  /* A folder, a file or a preset in the place of another, and the command that was meant. */
  static const slip slips[] = {
      {{"eval", "run", "s4", "--split", "valid"}, "s4 has no split 'valid'; it has: test, train"},
      {{"solve", "run", "--data", "s4", "--split", "val"}, "no split 'val'; it has: test, train"},
      {{"data", "show", "s4/train"}, "one split of a data set: name the folder that holds it"},
      {{"data", "info", "run"}, "no data set folder, but a run"},
      {{"data", "verify", "run/step_2"}, "no data set folder, but a model"},
      {{"data", "info", "puzzle.txt"}, "no data set folder, but a file"},
      {{"data", "info", "nowhere"}, "nowhere does not exist"},
      {{"eval", "run", "nowhere"}, "nowhere does not exist"},
      {{"train", "--resume", "run/last"}, "newest checkpoint: trm train --resume run\n"},
      {{"train", "--resume", "run/step_2/"}, "newest checkpoint: trm train --resume run\n"},
      {{"train", "--resume", "run/step_2", "--dry-run"}, "trm train --resume run\n"},
      {{"train", "--resume", "./run/step_2/model.safetensors"}, "trm train --resume ./run\n"},
      {{"train", "--resume", "run/config.yaml"}, "trm train --resume run\n"},
      {{"train", "--resume", "nowhere"}, "nowhere does not exist"},
      {{"train", "--resume", "s4"}, "s4: not a run folder: it has no config.yaml\n"},
      {{"train", "--resume", "."}, "with a run in it: trm train --resume ./run\n"},
      {{"train", "--resume", "./"}, "with a run in it: trm train --resume ./run\n"},
      {{"train", "--resume", "runs"}, "with a run in it: trm train --resume runs/p/one\n"},
      {{"eval", "runs", "s4"}, "a folder with a run in it: runs/p/one\n"},
      {{"solve", "runs/p", "puzzle.txt"}, "a folder with a run in it: runs/p/one\n"},
      {{"train", "--resume", "alone"}, "load_checkpoint=alone starts a new run"},
      {{"train", "data_paths=[nowhere]"}, "`trm data gen` or `trm data build`"},
      {{"train", "data_paths=[nowhere]"}, "say where it is with data_paths="},
      {{"train", "preset=sudoku4"}, "say where it is with data_paths="},
      {{"train", "preset=sudoku-mlp"}, "--subsample-size 1000 --num-aug 1000 --output-dir data/"},
      {{"train", "preset=maze-att"}, "--aug --output-dir data/maze (docs/BUILD_DATA.md says"},
      {{"train", "data_paths=[data/maze10]"}, "trm data gen maze --size 10"},
      {{"train", "preset=sudoku4", "data_paths=[my data]"}, "--size 4 --output-dir 'my data'"},
      {{"train", "preset=sudoku9"},
       "--hard --train 24000 --test 2000 --output-dir data/sudoku9-hard"},
      {{"train", "data_paths=[data/sudoku9-hard]"}, "trm data gen sudoku --hard"},
      {{"train", "data_paths=[data/sudoku9]"}, "--min-givens 24 --max-givens 42"},
  };
  EXPLAINED(*state, slips, 1);
}

/* The command that is named makes what the preset wants, word for word. */
static void named_commands_run(void **state) {
  scratch *s = *state;
  static const char *const presets[] = {"preset=sudoku4", "preset=sudoku6"};
  for (size_t i = 0; i < sizeof presets / sizeof *presets; i++) {
    char line[600];
    want(RUN("train", presets[i], "--dry-run"), 1);
    const char *command = strstr(err_text, "make it with: trm ");
    assert_non_null(command);
    snprintf(line, sizeof line, "%s %s", TRM_PROGRAM, command + strlen("make it with: trm "));
    strcpy(strchr(line, '\n'), " >made 2>&1");
    if (system(line) != 0) fail_msg("%s", line);
    want(RUN("train", presets[i], "max_updates=1", "--dry-run"), 0);
    assert_null(strstr(err_text, "warning"));
  }
}

static void is_warned(scratch *s, bool expected, const char *a, const char *b, const char *c) {
  want(RUN("train", TINY, "--dry-run", "augment=none", a, b, c), 0);
  if (!expected != !strstr(err_text, "learned by heart")) fail_msg("%s %s: %s", a, b, err_text);
  if (expected) says(err_text, "augment=on-the-fly");
}

/* 60 puzzles in batches of 8: 7.5 updates an epoch. */
static void puzzles_learned_by_heart_are_told(void **state) {
  scratch *s = *state;
  write_bytes("list.txt", ".234341221434321\n1.34341221434321\n", 34);
  want(RUN("data", "build", "sudoku", "--input", "list.txt", "--num-aug", "3", "--output-dir",
           "stored"),
       0);
  is_warned(s, true, "epochs=100", NULL, NULL);
  says(err_text, "60 puzzles, each seen about 100 times");
  is_warned(s, false, "epochs=20", NULL, NULL);
  is_warned(s, false, "epochs=100", "max_updates=100", NULL);
  is_warned(s, false, "epochs=100", "augment=on-the-fly", NULL);
  is_warned(s, false, "epochs=1000", "data_paths=[stored]", "validation_share=0.5");
  want(RUN("train", TINY, "augment=none", "epochs=30", "checkpoint_path=heart"), 0);
  says(err_text, "learned by heart");
}

/* An epoch without end is long on any machine. */
static void long_trainings_are_told(void **state) {
  scratch *s = *state;
  want(RUN("train", "preset=hrm-sudoku", "data_paths=[s4]", "arch.hidden_size=64",
           "epochs=1000000000000", "--dry-run"),
       0);
  says(err_text, "`trm train preset=sudoku4 data_paths=\"[s4]\"`");
  says(err_text, "device=cuda:0");
  want(RUN("train", TINY, "epochs=1000000000000", "--dry-run"), 0);
  says(err_text, "more than a day");
  assert_null(strstr(err_text, "trm train preset="));
  want(RUN("train", TINY, "max_updates=2", "--dry-run"), 0);
  assert_null(strstr(err_text, "more than a day"));
}

static int count_lines(const char *part) {
  int n = 0;
  for (const char *at = err_text; (at = strstr(at, part)); at++) n++;
  return n;
}

/* A pace that every update exceeds. */
static void lines_tell_how_far_it_is(void **state) {
  scratch *s = *state;
  want(RUN("train", TINY, "max_updates=5", "log_seconds=1e-9", "checkpoint_path=lines"), 0);
  assert_int_equal(count_lines("trm: training "), 5);
  says(err_text, "trm: training  80%  4/5  loss ");
  says(err_text, "ETA");
  assert_null(strpbrk(err_text, "\r\033"));
  want(RUN("train", TINY, "max_updates=5", "log_seconds=0", "checkpoint_path=none"), 0);
  assert_int_equal(count_lines("ETA"), 0);
  want(RUN("train", TINY, "max_updates=5", "log_seconds=1e-9", "-q", "checkpoint_path=quiet"), 0);
  assert_int_equal(count_lines("ETA"), 0);
  says(err_text, "trm: update 5/5"); /* what was measured is no progress */

  /* A resumed run may have another pace. */
  want(RUN("train", "--resume", "none", "max_updates=7", "log_seconds=1e-9"), 0);
  assert_int_equal(count_lines("trm: training "), 2);
  want(RUN("eval", "run", "s4", "--quiet"), 0);
  want(RUN("data", "gen", "sudoku", "--size", "4", "--output-dir", "g", "-q"), 0);
}

/* Whoever has a full disk is told so, however much was printed and whatever of it was refused. */
static void lost_results_have_a_reason(void **state) {
  static const char *const lines[] = {
      "--help",
      "help --bash",
      "help solve",
      "info run",
      "info run --json",
      "info sudoku9 --json",
      "models --json",
      "data info s4 --json",
      "data show s4 --split train --count 60",
      "eval run s4 --json",
      "solve run puzzle.txt",
      "solve run puzzle.txt --json",
      "solve run --data s4 --split train --count 60 --show latents",
      "solve run --data s4 --split train --count 60 --show latents --json",
      "solve run puzzle.txt --show steps --svg -",
      "sudoku solve --puzzle 123434122143432.",
  };
  (void)state;
  if (access("/dev/full", W_OK) != 0) skip();
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    char command[400];
    snprintf(command, sizeof command, "'%s' %s >/dev/full 2>err", TRM_PROGRAM, lines[i]);
    print_message("trm %s\n", lines[i]);
    const int status = system(command);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    slurp("err", err_text);
    says(err_text, "could not be written");
    says(err_text, strerror(ENOSPC));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(wrong_commands_are_explained),
      cmocka_unit_test(help_is_found),
      cmocka_unit_test(words_of_train_are_explained),
      cmocka_unit_test(words_of_others_are_explained),
      cmocka_unit_test(what_is_replaced_is_told),
      cmocka_unit_test(lost_results_have_a_reason),
      cmocka_unit_test(a_file_with_a_sign_is_a_file),
      cmocka_unit_test(folders_are_told_apart),
      cmocka_unit_test(named_commands_run),
      cmocka_unit_test(puzzles_learned_by_heart_are_told),
      cmocka_unit_test(long_trainings_are_told),
      cmocka_unit_test(lines_tell_how_far_it_is),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
