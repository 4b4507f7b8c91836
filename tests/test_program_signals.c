/* The program and its process: descriptors that are closed, signals, limits, and files that are cut
 * while they are in use. Nothing that was done is lost, and nothing wrong is written. */
#include <sys/stat.h>

#include "io/npy.h"
#include "json_text.h"
#include "tiny_runs.h"

#define TINY TINY_RUN("1000000")

static bool is_there(scratch *s, const char *name) {
  struct stat info;
  return lstat(scratch_path(s, name), &info) == 0;
}

static void same_run(scratch *s, const char *a, const char *b) {
  static const char *const files[] = {"last/model.safetensors", "last/trainer.safetensors"};
  for (int i = 0; i < 2; i++) {
    char first[160];
    snprintf(first, sizeof first, "%s", run_path(s, a, files[i]));
    same_files(first, run_path(s, b, files[i]));
  }
}

static void check_log(scratch *s, const char *run) {
  char line[4096];
  FILE *f = fopen(run_path(s, run, "log.jsonl"), "r");
  assert_non_null(f);
  while (fgets(line, sizeof line, f))
    if (*line != '{') fail_msg("in log.jsonl: %s", line);
  fclose(f);
}

static off_t size_of(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 ? info.st_size : 0;
}

/* The exit code of a child that was asked to end; one that does not is killed. */
static int ended(scratch *s, pid_t child) {
  enum { PATIENCE = 6000 }; /* times 10 ms */
  siginfo_t info = {0};
  for (int i = 0; i < PATIENCE && info.si_pid == 0; i++) {
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT), 0);
    if (info.si_pid == 0) nap(10);
  }
  if (info.si_pid == 0) kill(child, SIGKILL);
  return finish(s, child);
}

/* Waits until the file is longer than `than`. */
static void await_growth(const char *path, off_t than) {
  for (int i = 0; i < 3000 && size_of(path) <= than; i++) nap(10);
  assert_true(size_of(path) > than);
}

/* --- descriptors --- */

/* Whatever is closed, files hold what they hold otherwise, and lost results are a failure. */
static void closed_descriptors_do_no_harm(void **state) {
  scratch *s = *state;
  char preds[160], plain[160], run[32], name[160], grown[160];
  snprintf(plain, sizeof plain, "%s/plain.npy", s->dir);
  want(RUN("eval", model_dir, data_dir, "--save-preds", plain), 0);
  want(RUN("train", TINY, "run_name=open", "max_updates=4"), 0);
  want(RUN("convert", model_dir, scratch_path(s, "plain.safetensors")), 0);
  for (int closed = 1; closed < 8; closed++) {
    const launch l = {.closed = closed};
    const int results = closed & 2 ? 1 : 0; /* what nobody gets */
    snprintf(preds, sizeof preds, "%s/closed%d.npy", s->dir, closed);
    want(run_with(s, &l, ARGS("eval", model_dir, data_dir, "--save-preds", preds)), results);
    if (results && !(closed & 4)) says(err_text, "written to stdout: it is closed");
    same_files(plain, preds);
    snprintf(run, sizeof run, "run_name=closed%d", closed);
    want(run_with(s, &l, ARGS("train", TINY, run, "max_updates=4")), 0);
    same_run(s, "open", run + strlen("run_name="));
    check_log(s, run + strlen("run_name="));
    want(run_with(s, &l, ARGS("solve", model_dir, "--puzzle", "1...341221434.21")), results);
    snprintf(grown, sizeof grown, "%s/grown%d", s->dir, closed);
    want(run_with(s, &l,
                  ARGS("data", "gen", "sudoku", "--size", "4", "--train", "5", "--test", "0",
                       "--output-dir", grown)),
         0);
    want(RUN("data", "verify", grown), 0);
    snprintf(name, sizeof name, "%s/closed%d.safetensors", s->dir, closed);
    want(run_with(s, &l, ARGS("convert", model_dir, name)), 0);
    same_files(scratch_path(s, "plain.safetensors"), name);
    /* There is nothing to read, which is not the same as an empty list. */
    if (closed & 1) want(run_with(s, &l, ARGS("solve", model_dir, "-")), 1);
  }
}

/* --- signals --- */

static const int stops[] = {SIGINT,  SIGTERM,   SIGHUP,  SIGUSR1, SIGUSR2,
                            SIGXCPU, SIGVTALRM, SIGPROF, SIGALRM};
enum { STOPS = sizeof stops / sizeof *stops };

/* One run that every signal stops once ends in the bytes of one that none did. */
static void signals_lose_nothing(void **state) {
  /* A run that goes on and on. */
  scratch *s = *state;
  char path[160], log[160], updates[40], last[160];
  snprintf(path, sizeof path, "%s", run_path(s, "stopped", ""));
  snprintf(log, sizeof log, "%s", run_path(s, "stopped", "log.jsonl"));
  snprintf(last, sizeof last, "%s", run_path(s, "stopped", "last/run.json"));
  pid_t child =
      start(s, ARGS("train", TINY, "run_name=stopped", "max_updates=100000"), &(launch){0}, -1);

  /* Each signal stops it after some updates: what is saved is said, and it goes on. */
  for (int i = 0; i < STOPS; i++) {
    await_growth(log, i ? size_of(log) : 0);
    kill(child, stops[i]);
    if (ended(s, child) != 130) fail_msg("signal %d: %s", stops[i], err_text);
    says(err_text, "which is saved");
    says(err_text, "trm train --resume");
    child = start(s, ARGS("train", "--resume", path), &(launch){0}, -1);
  }

  /* Stopped for the last time. */
  await_growth(log, size_of(log));
  kill(child, SIGTERM);
  want(ended(s, child), 130);

  /* One that nobody stops, of as many updates, ends in the same files. */
  trm__json *mark = json_of_file(last);
  snprintf(updates, sizeof updates, "max_updates=%d",
           (int)trm__json_integer(trm__json_get(mark, "update")));
  trm__json_free(mark);
  want(RUN("train", TINY, "run_name=quiet", updates), 0);
  same_run(s, "quiet", "stopped");
}

/* Signals that say nothing about the end: a run goes on, to the same bytes. */
static void a_run_goes_on(scratch *s, const char *name, const launch *l, const int *sent, int n) {
  char setting[64], log[160];
  snprintf(setting, sizeof setting, "run_name=%s", name);
  snprintf(log, sizeof log, "%s", run_path(s, name, "log.jsonl"));
  pid_t child = start(s, ARGS("train", TINY, setting, "max_updates=100"), l, -1);
  await_growth(log, 0);
  for (int i = 0; i < n; i++) {
    kill(child, sent[i]);
    nap(20);
  }
  want(finish(s, child), 0);
  same_run(s, "unsent", name);
}

static void other_signals_change_nothing(void **state) {
  scratch *s = *state;
  want(RUN("train", TINY, "run_name=unsent", "max_updates=100"), 0);
  a_run_goes_on(s, "paused", &(launch){0}, (const int[]){SIGTSTP, SIGCONT, SIGSTOP, SIGCONT}, 4);
  a_run_goes_on(s, "nohup", &(launch){.ignored = SIGHUP}, (const int[]){SIGHUP}, 1);
  a_run_goes_on(s, "winch", &(launch){0}, (const int[]){SIGWINCH, SIGCHLD, SIGPIPE}, 3);
}

/* A training that does not end by itself; it has written to its log. */
static pid_t start_endless(scratch *s, const char *run, const launch *l) {
  char setting[64], log[160];
  snprintf(setting, sizeof setting, "run_name=%s", run);
  snprintf(log, sizeof log, "%s", run_path(s, run, "log.jsonl"));
  pid_t child = start(s, ARGS("train", TINY, setting, "max_updates=100000"), l, -1);
  await_growth(log, 0);
  return child;
}

/* What a launcher left ignored or blocked does not make the program deaf to being ended. */
static void it_can_always_be_ended(void **state) {
  scratch *s = *state;
  const launch deaf[] = {{.ignored = SIGTERM}, {.blocked = SIGTERM}};
  for (int i = 0; i < 2; i++) {
    pid_t child = start_endless(s, i ? "deaf1" : "deaf0", &deaf[i]);
    kill(child, SIGTERM);
    want(ended(s, child), 130);
  }
}

/* `timeout -s INT` sends it to the process and to its group: that is one request. */
static void an_interrupt_may_come_twice(void **state) {
  scratch *s = *state;
  pid_t child = start_endless(s, "twice", &(launch){0});
  kill(child, SIGINT);
  nap(1);
  kill(child, SIGINT);
  want(ended(s, child), 130);
  says(err_text, "which is saved");
}

/* A crash by hand is still one. */
static void a_bus_error_is_a_crash(void **state) {
  scratch *s = *state;
  pid_t child = start_endless(s, "bus", &(launch){0});
  kill(child, SIGBUS);
  const int code = ended(s, child);
  /* 1, 66: the address, the thread sanitizer told of it. */
  assert_true(code == 1000 + SIGBUS || code == 1 || code == 66);
}

/* Builders and generators that are stopped leave nothing, neither beside their place nor in it. */
static void stopped_builders_leave_nothing(void **state) {
  scratch *s = *state;
  char out[160];
  snprintf(out, sizeof out, "%s/built/set", s->dir);
  assert_int_equal(mkdir(scratch_path(s, "built"), 0777), 0);
  for (int i = 0; i < STOPS; i++) {
    pid_t child = start(s,
                        ARGS("data", "gen", "sudoku", "--size", "9", "--train", "2000000", "--test",
                             "10", "--output-dir", out),
                        &(launch){0}, -1);
    struct stat info;
    for (int k = 0; k < 3000 && (stat(scratch_path(s, "built"), &info) || info.st_nlink < 3); k++)
      nap(10);
    kill(child, stops[i]);
    want(ended(s, child), 130);
    assert_int_equal(rmdir(scratch_path(s, "built")), 0); /* it is empty */
    assert_int_equal(mkdir(scratch_path(s, "built"), 0777), 0);
  }
}

/* --- limits --- */

static void the_limit_of_files_is_named(void **state) {
  scratch *s = *state;
  want(run_with(s, &(launch){.file_limit = 4096},
                ARGS("convert", model_dir, scratch_path(s, "limited.safetensors"))),
       1);
  says(err_text, "limited.safetensors");
  says(err_text, "file size limit (ulimit -f)");
  assert_false(is_there(s, "limited.safetensors"));
  want(run_with(s, &(launch){.file_limit = 20000},
                ARGS("train", TINY, "run_name=limited", "max_updates=50")),
       1);
  says(err_text, "file size limit (ulimit -f)");
}

/* --- files that are cut --- */

enum { LARGE = 100000, CELLS = 16 }; /* examples: too many to be read at once rather than mapped */

/* The set of data_dir again and again, until its arrays are large. */
static void write_large_set(const char *dir) {
  /* Enough rows for arrays that are mapped rather than copied. */
  static const char *const splits[] = {"train", "test"};
  static const char *const arrays[] = {"inputs", "labels"};
  int32_t *tokens = calloc((size_t)LARGE * CELLS, sizeof *tokens);
  int32_t *starts = calloc(LARGE + 1, sizeof *starts), *ids = calloc(LARGE, sizeof *ids);
  assert_true(tokens && starts && ids);
  for (int i = 0; i <= LARGE; i++) starts[i] = i;

  /* Both splits: */
  for (int k = 0; k < 2; k++) {
    char from[200], to[300], json[400], count_text[24];
    snprintf(to, sizeof to, "%s/%s", dir, splits[k]);
    assert_int_equal(trm__make_dirs(to, NULL), TRM_OK);
    const int64_t rows[] = {LARGE, CELLS}, count[] = {LARGE}, more[] = {LARGE + 1};

    /* inputs and labels repeat those of the small set, */
    for (int a = 0; a < 2; a++) {
      trm__npy small;
      snprintf(from, sizeof from, "%s/%s/all__%s.npy", data_dir, splits[k], arrays[a]);
      assert_int_equal(trm__npy_open(from, &small, NULL), TRM_OK);
      for (int64_t i = 0; i < (int64_t)LARGE * CELLS; i++)
        tokens[i] = (int32_t)trm__npy_int(&small, i % (small.shape[0] * CELLS));
      trm__npy_close(&small);
      snprintf(to, sizeof to, "%s/%s/all__%s.npy", dir, splits[k], arrays[a]);
      assert_int_equal(trm__npy_save(to, TRM__NPY_I4, 2, rows, tokens, NULL), TRM_OK);
    }

    /* every row is a puzzle and a group of its own, without an id, */
    snprintf(to, sizeof to, "%s/%s/all__puzzle_identifiers.npy", dir, splits[k]);
    assert_int_equal(trm__npy_save(to, TRM__NPY_I4, 1, count, ids, NULL), TRM_OK);
    snprintf(to, sizeof to, "%s/%s/all__puzzle_indices.npy", dir, splits[k]);
    assert_int_equal(trm__npy_save(to, TRM__NPY_I4, 1, more, starts, NULL), TRM_OK);
    snprintf(to, sizeof to, "%s/%s/all__group_indices.npy", dir, splits[k]);
    assert_int_equal(trm__npy_save(to, TRM__NPY_I4, 1, more, starts, NULL), TRM_OK);

    /* and the description is that of the small set with other counts. */
    snprintf(from, sizeof from, "%s/%s/dataset.json", data_dir, splits[k]);
    snprintf(json, sizeof json, "%s/%s/dataset.json", dir, splits[k]);
    snprintf(count_text, sizeof count_text, "%d", (int)LARGE);
    json_change(from, "total_groups", count_text, json);
    json_change(json, "total_puzzles", count_text, json);
    json_change(json, "mean_puzzle_examples", "1.0", json);
  }
  free(tokens);
  free(starts);
  free(ids);
}

/* A training whose data are cut says so, and has kept the updates before, which go on when the data
 * are whole again. */
static void cut_training_data_lose_nothing(void **state) {
  scratch *s = *state;

  /* The large set, and where a run with it leaves what. */
  char dir[160], inputs[200], setting[200], path[160], log[200], last[200], updates[40];
  snprintf(dir, sizeof dir, "%s/large", s->dir);
  write_large_set(dir);
  snprintf(inputs, sizeof inputs, "%s/train/all__inputs.npy", dir);
  snprintf(setting, sizeof setting, "data_paths=[%s]", dir);
  snprintf(path, sizeof path, "%s/runs/cut", s->dir);
  snprintf(log, sizeof log, "%s/log.jsonl", path);
  snprintf(last, sizeof last, "%s/last/run.json", path);

  /* The array as it is before it is cut. */
  size_t n;
  unsigned char *whole = read_bytes(inputs, &n);
  char place[200];
  snprintf(place, sizeof place, "checkpoint_path=%s", path);

  /* Cut while the run trains, it is named, and what was done is saved. */
  pid_t child = start(s, ARGS("train", TINY, setting, place, "max_updates=100000", "eval_limit=10"),
                      &(launch){0}, -1);
  await_growth(log, 0);
  assert_int_equal(truncate(inputs, 4096), 0);
  want(ended(s, child), 1);
  says(err_text, "large/train/all__inputs.npy: was cut short");
  says(err_text, "trm train --resume");

  /* Whole again, the run goes on for a few updates. */
  write_bytes(inputs, whole, n);
  free(whole);
  trm__json *mark = json_of_file(last);
  snprintf(updates, sizeof updates, "max_updates=%d",
           3 + (int)trm__json_integer(trm__json_get(mark, "update")));
  trm__json_free(mark);
  want(RUN("train", "--resume", path, updates), 0);

  /* A run whose data nobody cut ends in the same files. */
  snprintf(place, sizeof place, "checkpoint_path=%s/runs/uncut", s->dir);
  want(RUN("train", TINY, setting, place, updates, "eval_limit=10"), 0);
  static const char *const files[] = {"last/model.safetensors", "last/trainer.safetensors"};
  for (int i = 0; i < 2; i++) {
    char a[200], b[200];
    snprintf(a, sizeof a, "%s/%s", path, files[i]);
    snprintf(b, sizeof b, "%s/runs/uncut/%s", s->dir, files[i]);
    same_files(a, b);
  }
}

/* An evaluation whose data are cut reports nothing and saves nothing of what it did not read. */
static void cut_test_data_are_not_scored(void **state) {
  scratch *s = *state;
  char dir[160], inputs[200], st[160], part[160], preds[160];
  snprintf(dir, sizeof dir, "%s/large", s->dir);
  write_large_set(dir);
  snprintf(inputs, sizeof inputs, "%s/test/all__inputs.npy", dir);
  snprintf(preds, sizeof preds, "%s/cut.npy", s->dir);
  snprintf(part, sizeof part, "%s/cut.npy.part", s->dir);
  snprintf(st, sizeof st, "%s/cut.state", s->dir);
  pid_t child = start(s,
                      ARGS("eval", model_dir, dir, "--steps", "64", "--save-preds", preds,
                           "--threads", "1", "--state", st),
                      &(launch){0}, -1);
  await_growth(part, 0);
  assert_int_equal(truncate(inputs, 4096), 0);
  want(ended(s, child), 1);
  says(err_text, "large/test/all__inputs.npy: was cut short");
  assert_string_equal(out_text, "");
  assert_false(is_there(s, "cut.npy"));
  assert_false(is_there(s, "cut.state"));
}

/* --- all --- */

static int set_up(void **state) {
  return open_runs(state, 60, 12, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(closed_descriptors_do_no_harm),
      cmocka_unit_test(signals_lose_nothing),
      cmocka_unit_test(other_signals_change_nothing),
      cmocka_unit_test(it_can_always_be_ended),
      cmocka_unit_test(an_interrupt_may_come_twice),
      cmocka_unit_test(a_bus_error_is_a_crash),
      cmocka_unit_test(stopped_builders_leave_nothing),
      cmocka_unit_test(the_limit_of_files_is_named),
      cmocka_unit_test(cut_training_data_lose_nothing),
      cmocka_unit_test(cut_test_data_are_not_scored),
  };
  return cmocka_run_group_tests(tests, set_up, scratch_close);
}
