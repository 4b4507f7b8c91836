/* The trm program as a user runs it: arguments, exit codes, what is said where, and a run that is
 * stopped, killed, starved of disk space and resumed. */
#include <math.h>
#include <pty.h>
#include <sys/stat.h>

#include "json_text.h"
#include "tiny_runs.h"

#define TINY TINY_RUN("1000")

/* FILE of a run, with best and last as the steps that they name. */
static const char *in_run(scratch *s, const char *run, const char *file) {
  return through_pointer(run_path(s, run, file));
}

static void same_file(scratch *s, const char *a, const char *b, const char *file) {
  char first[400];
  snprintf(first, sizeof first, "%s", in_run(s, a, file));
  same_files(first, in_run(s, b, file));
}

static void same_run(scratch *s, const char *a, const char *b) {
  same_file(s, a, b, "last/model.safetensors");
  same_file(s, a, b, "last/trainer.safetensors");
  same_file(s, a, b, "best/model.safetensors");
}

/* Every update once, in order, each line a JSON object. */
static void check_log(scratch *s, const char *run, int64_t updates) {
  FILE *f = fopen(in_run(s, run, "log.jsonl"), "r");
  int64_t step = 0;
  char line[4096];
  assert_non_null(f);
  while (fgets(line, sizeof line, f)) {
    trm__json *root = json_of(line);
    assert_non_null(root);
    int64_t at = trm__json_integer(trm__json_get(root, "step"));
    if (trm__json_get(root, "train/lm_loss"))
      assert_int_equal(at, ++step);
    else
      assert_non_null(trm__json_get(root, "all/exact_accuracy"));
    trm__json_free(root);
  }
  fclose(f);
  assert_int_equal(step, updates);
}

/* ---- tests ---- */

static void test_help(void **state) {
  /* The version has the kernels, the help the exit codes and variables, and every command its own
   * help with an example. */
  scratch *s = *state;
  static const char *const commands[] = {"train", "eval", "solve", "info", "data", "arc", "bench"};
  want(RUN("--version"), 0);
  says(out_text, trm_version());
  says(out_text, "kernels: ");
  want(RUN("--help"), 0);
  says(out_text, "130  interrupted");
  says(out_text, "TRM_ISA=");
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    says(out_text, commands[i]);
    want(RUN("help", commands[i]), 0);
    says(out_text, "xample");
    want(RUN(commands[i], "--help"), 0);
    assert_string_equal(err_text, "");
    want(RUN("help"), 0);
  }

  /* A group's help has its actions and not those of its neighbour. */
  want(RUN("data", "build", "--help"), 0);
  says(out_text, "a data set of ARC tasks");
  assert_null(strstr(out_text, "trm data gen"));
  want(RUN("help", "data", "gen", "maze"), 0);
  says(out_text, "Usage: trm data gen maze");

  /* A group alone does nothing; slips are told what was meant, on stderr only. */
  want(RUN("data", "gen"), 2);
  want(RUN("trian"), 2);
  says(err_text, "did you mean 'train'?");
  assert_string_equal(out_text, "");
  want(RUN("train", "--dryrun"), 2);
  says(err_text, "did you mean --dry-run?");

  /* Keys and presets are listed. */
  want(RUN("train", "--list-keys"), 0);
  says(out_text, "arch.halt_max_steps");
  want(RUN("train", "--list-presets"), 0);
  says(out_text, "sudoku-mlp");
}

/* A set of kernels that there is not: said, not just shown as none. */
static void test_unknown_kernels(void **state) {
  scratch *s = *state;
  char *before = getenv("TRM_ISA") ? strdup(getenv("TRM_ISA")) : NULL;
  assert_int_equal(setenv("TRM_ISA", "nonsense", 1), 0);
  int code = RUN("--version");
  if (before)
    setenv("TRM_ISA", before, 1);
  else
    unsetenv("TRM_ISA");
  free(before);
  want(code, 2);
  says(err_text, "TRM_ISA=nonsense is unknown");
}

static void test_refusals(void **state) {
  /* What `trm train` refuses: data that are missing, keys and values that are wrong, sizes that
   * leave nothing to do. */
  scratch *s = *state;
  want(RUN("train"), 2);
  says(err_text, "data_paths");
  want(RUN("train", TINY, "lrr=1"), 2);
  says(err_text, "did you mean 'lr'?");
  want(RUN("train", TINY, "arch.num_heads=3", "arch.mlp_t=False"), 2);
  want(RUN("train", TINY, "global_batch_size=1000000", "epochs=1"), 2);
  says(err_text, "less than one update");
  want(RUN("train", TINY, "global_batch_size=200", "eval_interval=2", "--dry-run"), 2);
  says(err_text, "eval_interval");

  /* Data and folders that are not there, or are no run. */
  want(RUN("train", "data_paths=[/nonexistent]"), 1);
  says(err_text, "/nonexistent");
  want(RUN("train", "--resume", data_dir), 1);
  says(err_text, "not a run folder");
  want(RUN("train", "--config", "/nonexistent.yaml"), 1);

  /* Commands without what they work on. */
  want(RUN("eval"), 2);
  want(RUN("eval", "/nonexistent", data_dir), 1);
  want(RUN("solve"), 2);
  want(RUN("solve", model_dir, "/nonexistent"), 1);
  want(RUN("info", "/nonexistent"), 1);
}

static void test_dry_run(void **state) {
  scratch *s = *state;
  want(RUN("train", TINY, "run_name=dry", "--dry-run"), 0);
  says(out_text, "parameters");
  says(out_text, "GFLOP");
  says(out_text, "depth 12");
  assert_int_not_equal(access(in_run(s, "dry", ""), F_OK), 0);
  assert_null(strstr(err_text, "exists"));
  assert_int_equal(trm__make_dirs(in_run(s, "dry", ""), NULL), TRM_OK);
  want(RUN("train", TINY, "run_name=dry", "--dry-run"), 0);
  says(err_text, "exists; go on with");
  assert_int_equal(rmdir(in_run(s, "dry", "")), 0);
}

static void test_resume(void **state) {
  scratch *s = *state;
  want(RUN("train", TINY, "run_name=whole", "max_updates=20", "eval_interval=2"), 0);
  says(out_text, "exact");
  want(RUN("train", TINY, "run_name=half", "max_updates=12", "eval_interval=2"), 0);
  char half[400];
  snprintf(half, sizeof half, "%s", in_run(s, "half", ""));
  want(RUN("train", TINY, "run_name=half"), 2);
  says(err_text, "--resume");
  want(RUN("train", "--resume", half, "lr=1"), 2);
  says(err_text, "keeps its configuration");
  want(RUN("train", "--resume", half, "max_updates=20"), 0);
  same_run(s, "whole", "half");
  check_log(s, "whole", 20);
  check_log(s, "half", 20);
  want(RUN("train", "--resume", half), 0);
  same_run(s, "whole", "half");
}

static trm__json *printed_json(void) {
  trm__json *root = json_of(out_text);
  assert_non_null(root);
  return root;
}
static void same_text(const trm__json *object, const char *key, const char *text) {
  assert_string_equal(trm__json_text(trm__json_get(object, key)), text);
}

static const char *const formats[] = {"float32", "bfloat16"};

/* A run goes on in its own number format, which its checkpoints tell. */
static void test_resume_format(void **state) {
  scratch *s = *state;
  for (int i = 0; i < 2; i++) {
    static const char *const names[][2] = {{"full0", "cut0"}, {"full1", "cut1"}};
    char format[64], full[64], cut[64], path[400];
    snprintf(format, sizeof format, "arch.forward_dtype=%s", formats[i]);
    snprintf(full, sizeof full, "run_name=%s", names[i][0]);
    snprintf(cut, sizeof cut, "run_name=%s", names[i][1]);
    want(RUN("train", TINY, format, full, "max_updates=20", "eval_interval=2"), 0);
    says(out_text, formats[i]);
    want(RUN("train", TINY, format, cut, "max_updates=12", "eval_interval=2"), 0);
    snprintf(path, sizeof path, "%s", in_run(s, names[i][1], ""));
    want(RUN("train", "--resume", path, format), 2);
    want(RUN("train", "--resume", path, "max_updates=20"), 0);
    same_run(s, names[i][0], names[i][1]);
    want(RUN("info", path, "--json"), 0);
    trm__json *root = printed_json();
    same_text(trm__json_get(root, "config"), "forward_dtype", formats[i]);
    trm__json_free(root);
  }
}

/* A model in the other format than it was trained in: nearly the same, and yet not. */
static void test_other_format(void **state) {
  /* Scored and solved in both formats, of which one is the model's own. */
  scratch *s = *state;
  double loss[2], q[2];
  for (int i = 0; i < 2; i++) {
    want(RUN("eval", model_dir, data_dir, "--json", i ? "--limit=0" : "--dtype=float32"), 0);
    trm__json *report = printed_json();
    same_text(report, "forward_dtype", formats[i]);
    loss[i] = trm__json_number(trm__json_get(report, "lm_loss"));
    trm__json_free(report);
    want(RUN("solve", model_dir, "--puzzle", "12343412........", "--json", "--dtype", formats[i]),
         0);
    trm__json *answer = printed_json();
    q[i] = trm__json_number(trm__json_get(answer, "q"));
    trm__json_free(answer);
  }

  /* Figures differ, for the computation does, and are close, for the model is the same. */
  assert_true(loss[0] != loss[1] && fabs(loss[0] - loss[1]) < 0.05 * loss[0]);
  assert_true(q[0] != q[1] && fabs(q[0] - q[1]) < 0.05);

  /* Both spellings of a format are known, to training too. */
  want(RUN("eval", model_dir, data_dir, "--limit=1", "--json", "--dtype=f32"), 0);
  trm__json *report = printed_json();
  same_text(report, "forward_dtype", "float32");
  trm__json_free(report);
  want(RUN("train", TINY, "arch.forward_dtype=bf16", "--dry-run"), 0);
  says(out_text, "bfloat16");

  /* Others are refused with those that there are. */
  want(RUN("train", TINY, "arch.forward_dtype=f16", "--dry-run"), 2);
  want(RUN("eval", model_dir, data_dir, "--dtype", "half"), 2);
  says(err_text, "want float32, bfloat16 or int8");
  want(RUN("solve", model_dir, "--dtype"), 2);

  /* int8 solves; it is not learned in, and no file holds it. */
  want(RUN("eval", model_dir, data_dir, "--limit=1", "--json", "--dtype=int8"), 0);
  report = printed_json();
  same_text(report, "forward_dtype", "int8");
  trm__json_free(report);
  want(RUN("train", TINY, "arch.forward_dtype=int8", "--dry-run"), 2);
  says(err_text, "no gradient");
  want(RUN("convert", model_dir, "unwritten.onnx", "--dtype", "int8"), 2);
  says(err_text, "files hold weights in float32 or bfloat16");
  want(RUN("finetune", model_dir, "--task", "t.json", "--dtype", "int8"), 2);
  says(err_text, "int8 is for solving");
}

/* No puzzle embedding, no puzzle positions: the q head reads the first cell. */
static void test_no_puzzle_positions(void **state) {
  scratch *s = *state;
  char run[400];
  want(RUN("train", TINY, "run_name=bare", "arch.puzzle_emb_ndim=0", "max_updates=6"), 0);
  says(out_text, "16 positions");
  snprintf(run, sizeof run, "%s", in_run(s, "bare", ""));
  want(RUN("train", "--resume", run, "max_updates=8"), 0);
  want(RUN("info", run), 0);
  assert_null(strstr(out_text, "puzzle_emb.weights"));
  want(RUN("eval", run, data_dir), 0);
  says(out_text, "exact");
  want(RUN("solve", run, "--puzzle", "12343412........"), 0);
  says(out_text, "valid: ");
}

/* Data that changed under a run are refused; a lost log is not the end of one. */
static void test_changed_data(void **state) {
  scratch *s = *state;
  char run[400], dir[400], setting[420];
  snprintf(dir, sizeof dir, "%s", scratch_path(s, "changing"));
  snprintf(setting, sizeof setting, "data_paths=[%s]", dir);
  want(RUN("data", "gen", "sudoku", "--size=4", "--train=60", "--test=10", "--output-dir", dir), 0);
  want(RUN("train", TINY, setting, "project_name=Data4-trm", "run_name=moved", "max_updates=4"), 0);
  snprintf(run, sizeof run, "%s", in_run(s, "moved", ""));
  assert_int_equal(unlink(in_run(s, "moved", "log.jsonl")), 0);
  want(RUN("train", "--resume", run, "max_updates=6"), 0);
  says(err_text, "lines are lost");
  want(RUN("data", "gen", "sudoku", "--size=4", "--train=60", "--test=10", "--seed=9",
           "--output-dir", dir),
       0);
  want(RUN("train", "--resume", run, "max_updates=8"), 3);
  says(err_text, "not those the run began with");
}

/* What only the trainer refuses leaves no folder behind that would take the name. */
static void test_refused_run(void **state) {
  scratch *s = *state;
  want(RUN("train", TINY, "run_name=late", "lr_min_ratio=0.1", "lr_warmup_steps=100000"), 2);
  says(err_text, "lr_warmup_steps");
  assert_int_not_equal(access(in_run(s, "late", ""), F_OK), 0);
  want(RUN("train", TINY, "run_name=late", "lr_min_ratio=0.1", "max_updates=2"), 0);
  char late[400];
  snprintf(late, sizeof late, "%s", in_run(s, "late", ""));
  want(RUN("train", "--resume", late), 0);
  says(err_text, "all 2 updates are done");
}

/* Killed at moments that walk through the run, again and again, until it is done. */
static void test_kill(void **state) {
  /* A run that nothing disturbs, and one that is killed. */
  scratch *s = *state;
  char path[400];
  const launch plain = {0};
  want(RUN("train", TINY, "run_name=quiet", "max_updates=150", "eval_interval=5",
           "checkpoint_interval=2"),
       0);
  pid_t child = start(s,
                      ARGS("train", TINY, "run_name=killed", "max_updates=150", "eval_interval=5",
                           "checkpoint_interval=2"),
                      &plain, -1);
  snprintf(path, sizeof path, "%s", in_run(s, "killed", ""));

  /* At growing moments, so that it dies in its beginning, in writing and in evaluating. */
  int code = 1000, kills = 0;
  for (int i = 0; code != 0 && i < 60; i++) {
    nap(20 + 37 * i % 120 + 5 * i);
    if (i < 40) kill(child, SIGKILL); /* a slow build gets to its end by then */
    code = finish(s, child);
    kills += code == 1000 + SIGKILL;
    if (code == 0) break;

    /* Killed before there is a folder, it begins anew; else it goes on. */
    if (access(path, F_OK) != 0) {
      child = start(s,
                    ARGS("train", TINY, "run_name=killed", "max_updates=150", "eval_interval=5",
                         "checkpoint_interval=2"),
                    &plain, -1);
      continue;
    }
    want(code, 1000 + SIGKILL);
    child = start(s, ARGS("train", "--resume", path), &plain, -1);
  }

  /* The end is that of the undisturbed run, with a log of each update once. */
  want(code, 0);
  assert_true(kills > 0);
  same_run(s, "quiet", "killed");
  check_log(s, "killed", 150);
}

static void test_signals(void **state) {
  scratch *s = *state;
  static const int signals[] = {SIGINT, SIGTERM};
  char path[400];
  snprintf(path, sizeof path, "%s", in_run(s, "stopped", ""));
  pid_t child =
      start(s, ARGS("train", TINY, "run_name=stopped", "max_updates=100000"), &(launch){0}, -1);
  off_t before = 0;
  for (size_t i = 0; i < 2; i++) {
    /* Once the log has grown, the handlers are in place and the loop runs. */
    struct stat log = {0};
    for (int wait = 0; wait < 1500 && log.st_size <= before; wait++) {
      nap(20);
      if (stat(in_run(s, "stopped", "log.jsonl"), &log) != 0) log.st_size = 0;
    }
    assert_true(log.st_size > before);
    kill(child, signals[i]);
    want(finish(s, child), 130);
    assert_int_equal(stat(in_run(s, "stopped", "log.jsonl"), &log), 0);
    before = log.st_size;
    says(err_text, "trm train --resume");
    assert_int_equal(access(in_run(s, "stopped", "last/trainer.safetensors"), R_OK), 0);
    if (i == 0) child = start(s, ARGS("train", "--resume", path), &(launch){0}, -1);
  }
}

static void test_full_disk(void **state) {
  scratch *s = *state;
  char path[400];
  want(RUN("train", TINY, "run_name=roomy", "max_updates=24", "eval_interval=3"), 0);
  want(RUN("train", TINY, "run_name=full", "max_updates=12", "eval_interval=3"), 0);
  snprintf(path, sizeof path, "%s", in_run(s, "full", ""));
  want(run_with(s, &(const launch){.file_limit = 20000},
                ARGS("train", "--resume", path, "max_updates=24")),
       1);
  says(err_text, "the last checkpoint is intact");
  want(RUN("train", "--resume", path, "max_updates=24"), 0);
  same_run(s, "roomy", "full");
}

static void test_damage(void **state) {
  scratch *s = *state;
  char path[400];
  want(RUN("train", TINY, "run_name=hurt", "max_updates=2"), 0);
  snprintf(path, sizeof path, "%s", in_run(s, "hurt", ""));
  assert_int_equal(truncate(in_run(s, "hurt", "last/trainer.safetensors"), 1000), 0);
  want(RUN("train", "--resume", path), 3);
  assert_int_equal(truncate(in_run(s, "hurt", "last/model.safetensors"), 1000), 0);
  want(RUN("eval", path, data_dir), 3);
  write_bytes(in_run(s, "hurt", "last/run.json"), "{\"update\": -4}", 14);
  want(RUN("train", "--resume", path), 3);
  says(err_text, "run.json");
}

/* Pipes that nobody writes to, where a run or a plug-in has a file. */
static void test_pipes(void **state) {
  scratch *s = *state;
  char path[400], plugin[400];
  snprintf(path, sizeof path, "%s", in_run(s, "piped", ""));
  want(RUN("train", TINY, "run_name=piped", "max_updates=1"), 0);
  assert_int_equal(remove(in_run(s, "piped", "last/run.json")), 0);
  assert_int_equal(mkfifo(in_run(s, "piped", "last/run.json"), 0600), 0);
  want(RUN("info", path), 0); /* what is needed of a model is there */
  want(RUN("train", "--resume", path), 3);
  says(err_text, "step_1 is not complete: it has no run.json");
  snprintf(plugin, sizeof plugin, "%s", scratch_path(s, "libtrm-cuda.so"));
  assert_int_equal(mkfifo(plugin, 0600), 0);
  const char *old = getenv("TRM_PLUGINS");
  char *kept = old ? strdup(old) : NULL;
  setenv("TRM_PLUGINS", s->dir, 1);
  want(RUN("--version"), 0);
  says(out_text, "libtrm-cuda.so is not a file");
  kept ? setenv("TRM_PLUGINS", kept, 1) : unsetenv("TRM_PLUGINS");
  free(kept);
}

/* No file of the name "-" is made, whatever asks for it. */
static void test_no_name(void **state) {
  scratch *s = *state;
  static const char *const options[] = {"--state", "--save-preds", "--save-q", "--submission"};
  for (int i = 0; i < 4; i++) {
    want(RUN("eval", model_dir, data_dir, options[i], "-"), 2);
    says(err_text, "want the name of a file or folder to write, got '-'");
  }
  want(RUN("arc", "vote", "--data", data_dir, "--preds", "a", "--q", "b", "--submission", "-"), 2);
  want(RUN("finetune", model_dir, "--task", "x.json", "--out", "-"), 2);
  want(RUN("finetune", model_dir, "--task", "x.json", "--submission", "-"), 2);
  want(RUN("finetune", model_dir, "--task", "x.json", "--out", scratch_path(s, "tuned.pt")), 2);
  says(err_text, ".pt is the ending of a file");
  want(RUN("data", "gen", "sudoku", "--size", "4", "--output-dir", "-"), 2);
  want(RUN("data", "gen", "maze", "--size", "4", "--output-dir", "-"), 2);
  want(RUN("data", "build", "sudoku", "--input", "x.csv", "--output-dir", "-"), 2);
  want(RUN("eval", model_dir, data_dir, "--save-preds", "x.csv"), 2);
  says(err_text, "the name must not end in .csv");
  assert_int_equal(access("-", F_OK), -1);
}

static void test_eval(void **state) {
  scratch *s = *state;
  char preds[400];

  /* A run's best checkpoint is scored, and predictions are saved as NumPy has them. */
  want(RUN("eval", model_dir, data_dir, "--steps", "2"), 0);
  says(out_text, "exact");
  says(err_text, "best checkpoint");
  snprintf(preds, sizeof preds, "%s/preds.npy", s->dir);
  want(RUN("eval", model_dir, data_dir, "--limit", "5", "--json", "--save-preds", preds), 0);
  trm__json *root = json_of(out_text);
  assert_non_null(root);
  assert_int_equal(trm__json_integer(trm__json_get(root, "examples")), 5);
  assert_int_equal(trm__json_n_items(trm__json_get(root, "steps")), 3);
  assert_int_equal(trm__json_n_items(trm__json_get(root, "exact_interval")), 2);
  trm__json_free(root);
  size_t n;
  unsigned char *bytes = read_bytes(preds, &n);
  assert_int_equal(n, 128 + 5 * 16 * 4);
  assert_memory_equal(bytes, "\x93NUMPY\x01\x00\x76\x00", 10);
  says((char *)bytes + 10, "'shape': (5, 16)");
  free(bytes);

  /* A bar that every q is above, and one that none is. */
  want(RUN("eval", model_dir, data_dir, "--halt", "q=-1000", "--json"), 0);
  root = json_of(out_text);
  assert_non_null(root);
  assert_true(trm__json_number(trm__json_get(root, "mean_steps")) == 1);
  assert_string_equal(trm__json_text(trm__json_get(root, "halt")), "q=-1000");
  const trm__json *step = trm__json_item(trm__json_get(root, "steps"), 0);
  assert_int_equal(trm__json_integer(trm__json_get(step, "halted")), 16);
  trm__json_free(root);
  want(RUN("eval", model_dir, data_dir, "--halt=q=1000"), 0);
  says(out_text, "at most 3 supervision steps");
  says(out_text, "3.00 on average");

  /* One of a kind is one. */
  want(RUN("eval", model_dir, data_dir, "--limit", "1", "--steps", "1"), 0);
  says(out_text, ", 1 example, 1 supervision step\n");

  /* Several tries: what was chosen how, and no table of steps. */
  want(RUN("eval", model_dir, data_dir, "--views", "4", "--select", "mode", "--json"), 0);
  root = json_of(out_text);
  assert_non_null(root);
  assert_true(trm__json_number(trm__json_get(root, "mean_steps")) == 12);
  const trm__json *thinking = trm__json_get(root, "thinking");
  assert_int_equal(trm__json_integer(trm__json_get(thinking, "tries")), 4);
  assert_string_equal(trm__json_text(trm__json_get(thinking, "select")), "mode");
  assert_int_equal(trm__json_n_items(trm__json_get(root, "steps")), 0);
  trm__json_free(root);
  want(RUN("eval", model_dir, data_dir, "--views", "2", "--seed", "18446744073709551615", "--json"),
       0);
  says(out_text, "\"seed\": 18446744073709551615");
  want(RUN("eval", model_dir, data_dir, "--views", "2"), 0);
  says(out_text, "2 of each, --select q: 6.00 steps on average");
  assert_null(strstr(out_text, "  step    exact"));

  /* What the rules accept is told apart. */
  want(RUN("eval", model_dir, data_dir, "--verify", "--search", "2", "--json"), 0);
  root = json_of(out_text);
  assert_non_null(root);
  thinking = trm__json_get(root, "thinking");
  assert_int_equal(trm__json_integer(trm__json_get(thinking, "accepted")),
                   trm__json_integer(trm__json_get(root, "valid")));
  assert_true(trm__json_is_number(trm__json_get(thinking, "found")));
  trm__json_free(root);

  /* A table of choices, as a picture, too: three of one try, the early exit, five of tries. */
  char picture[420];
  snprintf(picture, sizeof picture, "%s.svg", preds);
  want(RUN("eval", model_dir, data_dir, "--views", "8", "--scaling", "--json", "--svg", picture),
       0);
  root = json_of(out_text);
  assert_non_null(root);
  const trm__json *choices = trm__json_get(root, "choices");
  assert_int_equal(trm__json_n_items(choices), 10);
  const trm__json *last = trm__json_item(choices, 9);
  assert_string_equal(trm__json_text(trm__json_get(last, "select")), "vote");
  assert_true(trm__json_number(trm__json_get(last, "mean_steps")) == 24);
  assert_false(trm__json_is_true(trm__json_get(root, "interrupted")));
  for (size_t i = 0; i < trm__json_n_members(last); i++) {
    const char *key = trm__json_key(last, i);
    assert_int_equal(strspn(key, "abcdefghijklmnopqrstuvwxyz_"), strlen(key));
  }
  assert_int_equal(trm__json_n_items(trm__json_get(root, "calibration")), 10);
  trm__json_free(root);
  assert_int_equal(access(picture, R_OK), 0);
  want(RUN("eval", model_dir, data_dir, "--scaling", "--limit", "4", "--format", "markdown"), 0);
  says(out_text, "| tries | steps | select |");
  says(out_text, "q valid % and valid AUC by the rules");
  static const char *const others[][2] = {{"--select", "q"}, {"--halt", "q"}, {"--search", "2"}};
  for (int i = 0; i < 3; i++) {
    want(RUN("eval", model_dir, data_dir, "--scaling", others[i][0], others[i][1]), 2);
    says(err_text, "--scaling measures a table of choices");
  }
  want(RUN("eval", model_dir, data_dir, "--scaling", "--noise", "0.5"), 2);
  says(err_text, "--noise is of several tries");
  want(RUN("eval", model_dir, data_dir, "--scaling", "--json", "--format", "json"), 2);
  says(err_text, "--json is --format json");
  want(RUN("eval", model_dir, "/nonexistent", "--scaling", "--svg", "/nonexistent/a.svg"), 1);
  says(err_text, "/nonexistent/a.svg: cannot be written");
  want(RUN("eval", model_dir, "/nonexistent", "--state", "/nonexistent/a.state"), 1);
  says(err_text, "/nonexistent/a.state: cannot be written");
  want(RUN("eval", model_dir, data_dir, "--svg", picture), 2);
  says(err_text, "--svg is of --scaling");

  /* What cannot be scored or saved is said before any work. */
  want(RUN("eval", model_dir, data_dir, "--halt", "q>1"), 2);
  says(err_text, "never, q or q=LOGIT");
  want(RUN("eval", model_dir, data_dir, "--split", "nope"), 1);
  want(RUN("eval", model_dir, data_dir, "--save-preds", "/nonexistent/p.npy"), 1);
  want(RUN("eval", model_dir, data_dir, "--threads", "2147483647"), 2);
  says(err_text, "threads: want");
}

static void test_solve(void **state) {
  scratch *s = *state;

  /* A line that is no puzzle, and inputs without one. */
  want(RUN_INPUT("# two\n1...\n", "solve", model_dir, "-"), 3);
  says(err_text, "stdin:2:");
  const char *const empty[] = {"", "\n  # none\n\n", "\xef\xbb\xbf", "\r\r"};
  for (int i = 0; i < 4; i++) {
    want(RUN_INPUT(empty[i], "solve", model_dir), 3);
    assert_string_equal(out_text, "");
    says(err_text, "stdin holds no puzzle");
  }

  /* What is right is answered, what is not is named with its place. */
  want(RUN_INPUT("12343412........\r\n# again\n000000000000000z\n", "solve", model_dir, "-"), 3);
  says(out_text, "valid: ");
  says(err_text, "stdin:3:16: ");
  want(RUN_INPUT("11..............", "solve", model_dir, "-"), 3);
  says(err_text, "stands twice");

  /* In JSON, step by step, and without codes for a terminal. */
  want(RUN("solve", model_dir, "--puzzle", "12343412........", "--json"), 0);
  trm__json *root = json_of(out_text);
  assert_non_null(root);
  assert_string_equal(trm__json_text(trm__json_get(root, "puzzle")), "12343412........");
  assert_int_equal(trm__json_length(trm__json_get(root, "answer")), 16);
  assert_true(trm__json_is_bool(trm__json_get(root, "valid")));
  assert_int_equal(trm__json_integer(trm__json_get(root, "steps")), 3);
  trm__json_free(root);
  want(RUN("solve", model_dir, "--puzzle", "1...............", "--show", "steps"), 0);
  says(out_text, "step 3 of 3");
  says(out_text, "---");
  assert_null(strstr(out_text, "\033"));

  /* Hardly trained: somewhere among many blank grids an answer is wrong. */
  want(RUN("solve", model_dir, "--puzzle", "................", "--check", "--steps", "1"), 4);
  says(out_text, "valid: no");

  /* Options that mean nothing, and a bar that every q is above. */
  want(RUN("solve", model_dir, "--show", "all"), 2);
  want(RUN("solve", model_dir, "--halt", "q="), 2);
  says(err_text, "never, q or q=LOGIT");
  want(RUN("solve", model_dir, "--puzzle", "1...............", "--halt", "q=-1000"), 0);
  says(out_text, "steps 1\n");
}

static void test_info(void **state) {
  scratch *s = *state;
  want(RUN("info", model_dir, "--json"), 0);
  trm__json *root = json_of(out_text);
  assert_non_null(root);
  assert_int_equal(trm__json_integer(trm__json_get(root, "update")), 2);
  assert_true(trm__json_n_items(trm__json_get(root, "tensors")) > 5);
  trm__json_free(root);
  want(RUN("info", model_dir), 0);
  says(out_text, "L_level.layers.0.mlp_t.gate_up_proj.weight");
  want(RUN("info", data_dir), 0);
  says(out_text, "Sudoku 4x4");
}

/* The bar is for terminals only. */
static void test_terminal(void **state) {
  /* Without a terminal nothing is drawn over. */
  scratch *s = *state;
  int master, slave;
  struct winsize size = {24, 100, 0, 0};
  char text[4096] = "";
  want(RUN("train", TINY, "run_name=silent", "max_updates=3"), 0);
  assert_null(strchr(err_text, '\r'));

  /* With one: */
  if (openpty(&master, &slave, NULL, NULL, &size) != 0) {
    print_message("no pseudo-terminal here\n");
    skip();
  }
  unlink(scratch_path(s, "err"));

  /* the program writes its errors there. */
  pid_t child =
      start(s, ARGS("train", TINY, "run_name=shown", "max_updates=3"), &(launch){0}, slave);
  close(slave);
  size_t used = 0;
  for (ssize_t n; used < sizeof text - 1; used += (size_t)n)
    if ((n = read(master, text + used, sizeof text - 1 - used)) <= 0) break;
  text[used] = 0;
  want(finish(s, child), 0);
  close(master);

  /* The bar has what is done, how long it takes, and how good it is. */
  says(text, "training ");
  says(text, "ETA");
  says(text, "exact");
}

static int set_up(void **state) {
  return open_runs(state, 64, 16, 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_help),         cmocka_unit_test(test_unknown_kernels),
      cmocka_unit_test(test_refusals),     cmocka_unit_test(test_dry_run),
      cmocka_unit_test(test_resume),       cmocka_unit_test(test_resume_format),
      cmocka_unit_test(test_other_format), cmocka_unit_test(test_no_puzzle_positions),
      cmocka_unit_test(test_changed_data), cmocka_unit_test(test_refused_run),
      cmocka_unit_test(test_kill),         cmocka_unit_test(test_signals),
      cmocka_unit_test(test_full_disk),    cmocka_unit_test(test_damage),
      cmocka_unit_test(test_eval),         cmocka_unit_test(test_solve),
      cmocka_unit_test(test_info),         cmocka_unit_test(test_terminal),
      cmocka_unit_test(test_pipes),        cmocka_unit_test(test_no_name),
  };
  return cmocka_run_group_tests(tests, set_up, scratch_close);
}
