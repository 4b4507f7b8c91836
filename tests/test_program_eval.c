/* trm eval and trm arc as a user runs them: an evaluation that is interrupted and goes on, saved
 * predictions that vote like the evaluation they come from, and scores. */
#include <fcntl.h>
#include <math.h>
#include <sys/file.h>

#include "arc_data.h"
#include "io/npy.h"
#include "json_text.h"
#include "launch.h"
#include "small_model.h"

static char sudoku_dir[160], sudoku_model[160], arc_dir[160], arc_model[160];
static arc_set set;

static const char *in(scratch *s, char *path, const char *name) {
  snprintf(path, 160, "%s/%s", s->dir, name);
  return path;
}

static void same_bytes_as(const char *path, const unsigned char *want_bytes, size_t n) {
  size_t m;
  unsigned char *found = read_bytes(path, &m);
  assert_int_equal(m, n);
  assert_memory_equal(found, want_bytes, n);
  free(found);
}

static double number(const trm__json *root, const char *key) {
  const trm__json *v = trm__json_get(root, key);
  if (!trm__json_is_number(v)) fail_msg("no number %s", key);
  return trm__json_number(v);
}

/* --- going on --- */

/* Sends a signal after a while; the exit code. */
static int stop_after(scratch *s, const char *const *args, int milliseconds, int sig) {
  pid_t child = start(s, args, &(launch){0}, -1);
  nap(milliseconds);
  kill(child, sig);
  return finish(s, child);
}

static void interrupted_evaluations_go_on(void **state) {
  scratch *s = *state;
  static char uninterrupted[TEXT];
  char p1[160], p2[160], q1[160], q2[160], part[170], st[160];
  in(s, p1, "p1.npy");
  in(s, p2, "p2.npy");
  in(s, q1, "q1.npy");
  in(s, q2, "q2.npy");
  in(s, st, "eval.state");
  snprintf(part, sizeof part, "%s.part", p2);

  /* One that nobody stops. */
  want(RUN("eval", sudoku_model, sudoku_dir, "--steps", "400", "--json", "--save-preds", p1,
           "--save-q", q1),
       0);
  memcpy(uninterrupted, out_text, sizeof out_text);
  const char *const *args =
      ARGS("eval", sudoku_model, sudoku_dir, "--steps", "400", "--json", "--batch", "2",
           "--threads", "1", "--state", st, "--save-preds", p2, "--save-q", q2);

  /* A kill leaves the part, and perhaps no state: all begins anew. */
  want(stop_after(s, args, 50, SIGKILL), 1000 + SIGKILL);

  /* Stopped again and again, a little later each time. */
  int code, tries = 0, stopped = 0;
  do {
    code = stop_after(s, args, 30 + 30 * tries, tries % 2 ? SIGTERM : SIGINT);
    assert_in_range(++tries, 1, 200);
    if (code > 1000) continue; /* before it could listen */
    assert_true(code == 0 || code == 130);
    if (code == 130) says(err_text, "kept in");
    assert_int_equal(access(part, F_OK), code == 0 ? -1 : 0);
    stopped += code == 130;
  } while (code != 0);
  if (!stopped) print_message("too fast to be stopped\n");

  /* Reports, predictions and halting values are the same, and the state is gone. */
  assert_string_equal(out_text, uninterrupted);
  same_files(p1, p2);
  same_files(q1, q2);
  assert_int_equal(access(st, F_OK), -1);
}

static void what_does_not_go_on_is_refused(void **state) {
  scratch *s = *state;
  char st[160], p[160], part[170];
  in(s, st, "other.state");
  in(s, p, "p.npy");
  snprintf(part, sizeof part, "%s.part", p);
  const char *const *args = ARGS("eval", sudoku_model, sudoku_dir, "--steps", "400", "--batch", "2",
                                 "--threads", "1", "--state", st);

  /* A state without predictions. */
  int code, tries = 0;
  do {
    code = stop_after(s, args, 20 + 10 * tries, SIGINT);
    assert_in_range(++tries, 1, 100);
  } while (code != 130);

  /* Rows that were not saved would be missing. */
  want(RUN("eval", sudoku_model, sudoku_dir, "--steps", "400", "--state", st, "--save-preds", p),
       2);
  says(err_text, "remove the file");
  assert_int_equal(access(part, F_OK), -1);

  /* Other steps, and what is no state. */
  want(RUN("eval", sudoku_model, sudoku_dir, "--steps", "7", "--state", st), 2);
  write_bytes(st, "nonsense", 8);
  want(RUN("eval", sudoku_model, sudoku_dir, "--state", st), 3);

  /* Without a state nothing stays behind. */
  tries = 0;
  do {
    code =
        stop_after(s, ARGS("eval", sudoku_model, sudoku_dir, "--steps", "1024", "--save-preds", p),
                   20 + 10 * tries, SIGINT);
    assert_in_range(++tries, 1, 100);
  } while (code != 130);
  assert_int_equal(access(part, F_OK), -1);
}

/* Nothing but the command that it belongs to touches what a stopped evaluation left. */
static void parts_of_others_are_left_alone(void **state) {
  scratch *s = *state;

  /* The state, the predictions, and the part of them that a stop leaves. */
  char st[160], st2[160], p[160], want_p[160], part[170], kept[160];
  in(s, st, "kept.state");
  in(s, st2, "kept2.state");
  in(s, p, "kept.npy");
  in(s, want_p, "want.npy");
  in(s, kept, "kept.copy");
  snprintf(part, sizeof part, "%s.part", p);

  /* An evaluation that is stopped somewhere in its middle. */
  const char *const *args = ARGS("eval", sudoku_model, sudoku_dir, "--steps", "400", "--batch", "2",
                                 "--threads", "1", "--state", st, "--save-preds", p);
  int code, tries = 0;
  do {
    code = stop_after(s, args, 20 + 10 * tries, SIGINT);
    assert_in_range(++tries, 1, 100);
  } while (code != 130);

  /* What it left, as it was. */
  size_t n;
  unsigned char *bytes = read_bytes(part, &n);
  write_bytes(kept, bytes, n);
  free(bytes);

/* Other evaluations with the same predictions are refused, and leave the part alone. */
#define OTHER(...)                                                                \
  want(RUN("eval", sudoku_model, sudoku_dir, "--save-preds", p, __VA_ARGS__), 2); \
  says(err_text, "kept.npy.part: belongs to another evaluation");                 \
  same_files(part, kept)
  OTHER("--steps", "400", "--state", st, "--limit", "10");
  OTHER("--steps", "400", "--state", st2);
  OTHER("--steps", "2");
  want(RUN("eval", sudoku_model, sudoku_dir, "--state", st, "--save-preds", p), 2);
  same_files(part, kept);

  /* The command that it belongs to goes on, and gives the predictions of one that was never
   * stopped. */
  want(RUN("eval", sudoku_model, sudoku_dir, "--steps", "400", "--save-preds", want_p), 0);
  want(RUN("eval", sudoku_model, sudoku_dir, "--steps", "400", "--state", st, "--save-preds", p),
       0);
  same_files(p, want_p);
  assert_int_equal(access(part, F_OK), -1);
}

/* What a kill left before there was a state is nobody's: the same command begins anew with it. */
static void parts_without_a_state_are_taken_over(void **state) {
  scratch *s = *state;
  char st[160], other[160], p[160], want_p[160], part[170], draft[200];
  in(s, st, "killed.state");
  in(s, other, "killed2.state");
  in(s, p, "killed.npy");
  in(s, want_p, "unkilled.npy");
  snprintf(part, sizeof part, "%s.part", p);
  snprintf(draft, sizeof draft, "%s.trm-partial", part);
  want(RUN("eval", sudoku_model, sudoku_dir, "--steps", "400", "--save-preds", want_p), 0);
  for (int tagged = 0; tagged < 2; tagged++) {
    const char *const *args = ARGS("eval", sudoku_model, sudoku_dir, "--steps", "400", "--batch",
                                   "2", "--threads", "1", "--state", st, "--save-preds", p);
    int code, tries = 0;
    do {
      code = stop_after(s, args, 20 + 10 * tries, SIGINT);
      assert_in_range(++tries, 1, 100);
    } while (code != 130);
    assert_int_equal(remove(st), 0);

    /* With the tag of a state that was about to be written, and without one. */
    size_t n;
    unsigned char *bytes = read_bytes(part, &n);
    if (!tagged) memset(bytes + n - 8, 0, 8);
    write_bytes(part, bytes, n);
    write_bytes(draft, bytes, n / 2);
    free(bytes);
    if (tagged) {
      want(RUN("eval", sudoku_model, sudoku_dir, "--steps", "400", "--state", other, "--save-preds",
               p),
           2);
      says(err_text, "killed.npy.part: belongs to another evaluation");
    }
    /* Two at once would share it. */
    const int busy = open(part, O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(busy, LOCK_EX), 0);
    want(RUN("eval", sudoku_model, sudoku_dir, "--steps", "400", "--state", st, "--save-preds", p),
         1);
    says(err_text, "killed.npy.part: another process is writing it");
    close(busy);
    want(RUN("eval", sudoku_model, sudoku_dir, "--steps", "400", "--state", st, "--save-preds", p),
         0);
    same_files(p, want_p);
    assert_int_equal(access(part, F_OK), -1);
    assert_int_equal(access(draft, F_OK), -1);
    assert_int_equal(remove(p), 0);
  }
}

/* An evaluation that cannot be told or saved is kept, and told when it can. */
static void what_cannot_be_written_is_kept(void **state) {
  scratch *s = *state;
  char st[160], p[160], q[160], part[170], command[1000];
  in(s, st, "full.state");
  in(s, p, "full.npy");
  in(s, q, "full_q.npy");
  snprintf(part, sizeof part, "%s.part", p);
  snprintf(command, sizeof command,
           "'%s' eval '%s' '%s' --state '%s' --save-preds '%s' --save-q '%s' >/dev/full "
           "2>/dev/null",
           TRM_PROGRAM, sudoku_model, sudoku_dir, st, p, q);

  /* A report that cannot be written loses nothing: state and predictions wait. */
  if (access("/dev/full", W_OK) != 0) skip();
  assert_int_not_equal(system(command), 0);
  assert_int_equal(access(st, F_OK), 0);
  assert_int_equal(access(part, F_OK), 0);
  assert_int_equal(access(p, F_OK), -1);

  /* The same command ends it. */
  want(RUN("eval", sudoku_model, sudoku_dir, "--state", st, "--save-preds", p, "--save-q", q), 0);
  says(err_text, "going on after 48 of 48");
  assert_int_equal(access(st, F_OK), -1);
  assert_int_equal(access(part, F_OK), -1);
  assert_int_equal(access(p, F_OK), 0);

  /* Killed when one of two was in its place, and when none had lost its tag. */
  char placed[160];
  size_t n, m;
  assert_int_not_equal(system(command), 0);
  unsigned char *want_bytes = read_bytes(p, &n), *tagged;

  /* The file that was in its place is a whole .npy with a tag behind it. */
  assert_int_equal(rename(part, p), 0);
  tagged = read_bytes(p, &m);
  assert_int_equal(m, n + 16);
  write_bytes(in(s, placed, "placed.npy"), tagged, m);
  trm__npy a;
  assert_int_equal(trm__npy_open(placed, &a, NULL), TRM_OK);
  assert_memory_equal(a.map.data, want_bytes, n);
  trm__npy_close(&a);

  /* The same command ends that, too. */
  want(RUN("eval", sudoku_model, sudoku_dir, "--state", st, "--save-preds", p, "--save-q", q), 0);
  says(err_text, "going on after 48 of 48");
  assert_int_equal(access(st, F_OK), -1);
  same_bytes_as(p, want_bytes, n);
  free(want_bytes);
  free(tagged);

  /* Seen before the work, not after it. */
  want(RUN("eval", arc_model, arc_dir, "--state", st, "--submission", "/nonexistent/a.json"), 1);
  assert_int_equal(access(st, F_OK), -1);
}

/* Choices that were finished before the signal are told, and drawn; the exit code says that there
 * were more. */
static void a_table_of_choices_that_is_stopped_is_told(void **state) {
  scratch *s = *state;
  char svg[160];
  in(s, svg, "scaling.svg");
  const char *const *args = ARGS("eval", sudoku_model, sudoku_dir, "--steps", "100", "--views", "9",
                                 "--scaling", "--json", "--threads", "1", "--svg", svg);
  int code, milliseconds = 30;
  do {
    (void)remove(svg);
    code = stop_after(s, args, milliseconds, SIGINT);
    milliseconds = milliseconds * 3 / 2;
    assert_in_range(milliseconds, 30, 60000);
  } while (code != 130 || !*out_text);
  says(err_text, " of 10 choices; what is finished is printed");
  trm__json *root = json_of(out_text);
  assert_true(trm__json_is_true(trm__json_get(root, "interrupted")));
  assert_in_range(trm__json_n_items(trm__json_get(root, "choices")), 1, 9);
  assert_int_equal(trm__json_n_items(trm__json_get(root, "calibration")), 10);
  trm__json_free(root);
  assert_int_equal(access(svg, F_OK), 0);
}

static void answers_are_checked_by_the_rules(void **state) {
  scratch *s = *state;
  want(RUN("eval", sudoku_model, sudoku_dir), 0);
  says(out_text, "equal their label");
  says(out_text, "right by the rules");
  says(out_text, "right about being right, by the label");
  says(out_text, "the same, by the rules");
  says(out_text, "mean of the examples' shares");
  want(RUN("eval", sudoku_model, sudoku_dir, "--json"), 0);
  trm__json *root = json_of(out_text);
  assert_true(number(root, "valid") >= number(root, "exact"));
  assert_true(number(root, "checked") == number(root, "examples"));
  assert_int_equal(trm__json_n_items(trm__json_get(root, "valid_interval")), 2);
  assert_in_range((int64_t)(number(root, "q_valid_accuracy") * 1000), 0, 1000);
  assert_int_equal(trm__json_n_items(trm__json_get(root, "q_valid_interval")), 2);
  assert_true(number(root, "untrained") == 0);
  trm__json_free(root);
}

/* --- ARC --- */

static void saved_predictions_vote_like_the_evaluation(void **state) {
  scratch *s = *state;

  /* Predictions, halting values and submissions. */
  char p[160], q[160], a[160], b[160];
  in(s, p, "arc_p.npy");
  in(s, q, "arc_q.npy");
  in(s, a, "a.json");
  in(s, b, "b.json");

  /* The evaluation votes itself. */
  want(RUN("eval", arc_model, arc_dir, "--json", "--save-preds", p, "--save-q", q, "--submission",
           a),
       0);
  trm__json *root = json_of(out_text);

  /* Its figures agree with each other, grids of different sizes or not. */
  const trm__json *arc = trm__json_get(root, "arc");
  const trm__json *interval = trm__json_get(root, "cell_interval"); /* grids of different sizes */
  const double cells = number(root, "cells_right") / number(root, "cells");
  assert_true(fabs(number(root, "cell_accuracy") - cells) < 1e-9);
  assert_true(trm__json_number(trm__json_item(interval, 0)) <= cells);
  assert_true(trm__json_number(trm__json_item(interval, 1)) >= cells);
  assert_true(number(arc, "tasks") == ARC_TASKS && number(arc, "predictions") == set.n);

  /* Voting on what it saved gives the same votes and the same submission. */
  want(RUN("arc", "vote", "--data", arc_dir, "--preds", p, "--q", q, "--submission", b, "--json"),
       0);
  trm__json *again = json_of(out_text);
  assert_true(trm__json_same(arc, again));
  same_files(a, b);
  trm__json_free(again);
  trm__json_free(root);
}

static void the_number_of_votes_is_told(void **state) {
  scratch *s = *state;
  char text[400];

  /* With a limit the score says of how many answers it is; without one it does not. */
  want(RUN("eval", arc_model, arc_dir, "--limit", "3"), 0);
  says(out_text, "pass@2 ");
  says(out_text, "test inputs have no prediction");
  snprintf(text, sizeof text, "only 3 of %lld answers voted", (long long)set.n);
  says(out_text, text);
  want(RUN("eval", arc_model, arc_dir), 0);
  assert_null(strstr(out_text, "answers voted"));
}

/* Of the predictions that were saved above. */
static void evaluations_are_pooled(void **state) {
  scratch *s = *state;
  char p[160], q[160], a[160], pooled[400], both[400];
  in(s, p, "arc_p.npy");
  in(s, q, "arc_q.npy");
  in(s, a, "a.json");

  /* Several evaluations vote together; each needs its halting values. */
  snprintf(pooled, sizeof pooled, "%s,%s", p, p);
  snprintf(both, sizeof both, "%s,%s", q, q);
  want(RUN("arc", "vote", "--data", arc_dir, "--preds", pooled, "--q", both), 0);
  says(out_text, "pass@1000 ");
  want(RUN("arc", "vote", "--data", arc_dir, "--preds", pooled, "--q", q), 2);

  /* Names that are missing, files in each other's place, and data without tasks are refused. */
  want(RUN("arc", "vote", "--data", arc_dir, "--preds", "a.npy,", "--q", q), 2);
  want(RUN("arc", "vote", "--data", arc_dir, "--preds", q, "--q", p), 3);
  want(RUN("arc", "vote", "--data", sudoku_dir, "--preds", p, "--q", q), 1);
  says(err_text, "test_puzzles.json");

  /* A submission comes of the test split of an ARC set only. */
  want(RUN("eval", sudoku_model, sudoku_dir, "--submission", a), 2);
  says(err_text, "not the test split of an ARC set");
}

static void submissions_are_scored(void **state) {
  scratch *s = *state;

  /* Solutions of two tasks, and a submission that has half of one. */
  char right[160], a[160];
  in(s, right, "solutions.json");
  in(s, a, "best.json");
  static const char solutions[] = "{\"t\": [[[1]], [[2]]], \"u\": [[[3]]]}";
  static const char answers[] =
      "{\"t\": [{\"attempt_1\": [[0]], \"attempt_2\": [[1]]}, {\"attempt_1\": [[1]]}]}";
  write_bytes(right, solutions, strlen(solutions));
  write_bytes(a, answers, strlen(answers));

  /* The score is the mean over tasks, and what is missing is said. */
  want(RUN("arc", "score", a, right), 0);
  says(out_text, "25.00 %");
  says(out_text, "1 of 3 test inputs");
  says(out_text, "1 task is missing");

  /* The same in JSON. */
  want(RUN("arc", "score", a, right, "--json"), 0);
  trm__json *root = json_of(out_text);
  assert_true(number(root, "score") == 0.25 && number(root, "missing") == 1);
  trm__json_free(root);

  /* No submission, no solutions, an action that is misspelt, and none. */
  write_bytes(a, "{\"t\": 1}", 8);
  want(RUN("arc", "score", a, right), 3);
  want(RUN("arc", "score", a), 2);
  want(RUN("arc", "scroe"), 2);
  want(RUN("arc"), 2);

  /* Each has a help with an example. */
  want(RUN("arc", "--help"), 0);
  want(RUN("arc", "vote", "--help"), 0);
  says(out_text, "xample");
}

/* A model that has seen other tasks. */
static void untrained_tasks_are_told(void **state) {
  scratch *s = *state;
  char fresh[160];
  trm_model *m;
  assert_int_equal(trm_model_load(arc_model, &m, NULL), TRM_OK);
  trm_tensor t = trm_model_tensor_named(m, "puzzle_emb.weights");
  memset(t.data, 0, (size_t)t.count / 2 * sizeof *t.data);
  assert_int_equal(trm_model_save(m, in(s, fresh, "fresh"), NULL), TRM_OK);
  trm_model_free(m);
  want(RUN("eval", arc_model, arc_dir, "--limit", "2"), 0);
  assert_null(strstr(err_text, "finetune"));
  want(RUN("eval", fresh, arc_dir, "--limit", "2"), 0);
  says(err_text, "2 of the examples");
  says(err_text, "trm finetune MODEL --task FILE.json");
}

#define TINY                                                                             \
  "arch=trm", out, "project_name=mini", "arch.hidden_size=16", "arch.num_heads=2",       \
      "arch.H_cycles=1", "arch.L_cycles=1", "arch.L_layers=1", "arch.halt_max_steps=2",  \
      "arch.puzzle_emb_ndim=16", "global_batch_size=2", "epochs=40", "eval_interval=20", \
      "ema=True"

/* Where the right outputs are not told, how many answers are right is not either. */
static void hidden_outputs_are_not_measured(void **state) {
  scratch *s = *state;
  char dir[160], data[200], out[200], path[240];

  /* Outputs as they are published: one black cell. */
  arc_set hidden = set;
  for (int t = 0; t < ARC_TASKS; t++)
    for (int i = 0; i < arc_tests[t]; i++)
      hidden.output[t][i] = (trm__arc_grid){.rows = 1, .cols = 1};
  arc_write(&hidden, in(s, dir, "hidden"));

  /* Scores that mean nothing are not printed. */
  want(RUN("eval", arc_model, dir), 0);
  says(out_text, "pass@K cannot be measured: the test outputs are hidden");
  assert_null(strstr(out_text, "pass@1 "));
  says(err_text, "what is equal to them says nothing");

  /* In JSON they are null. */
  want(RUN("eval", arc_model, dir, "--json"), 0);
  trm__json *root = json_of(out_text);
  const trm__json *arc = trm__json_get(root, "arc");
  assert_true(trm__json_is(trm__json_get(arc, "ARC/pass@1"), TRM__JSON_NULL));
  assert_true(trm__json_is(trm__json_get(arc, "ARC/pass@1000"), TRM__JSON_NULL));
  assert_true(number(arc, "hidden") == number(arc, "test_inputs"));
  trm__json_free(root);

  /* So do the log of a training run and what it says. */
  snprintf(data, sizeof data, "data_paths=[%s]", dir);
  snprintf(out, sizeof out, "out=%s/runs", s->dir);
  assert_int_equal(trm__make_dirs(in(s, path, "hidden/train"), NULL), TRM_OK);
  char command[500];
  snprintf(command, sizeof command, "cp '%s'/test/* '%s'", dir, path);
  assert_int_equal(system(command), 0);
  want(RUN("train", TINY, data, "evaluators=[arc@ARC]", "run_name=hidden", "max_updates=1"), 0);
  says(err_text, "ARC: pass@K cannot be measured");
  size_t n;
  snprintf(path, sizeof path, "%s/runs/mini/hidden/log.jsonl", s->dir);
  unsigned char *log = read_bytes(path, &n);
  says((char *)log, "\"ARC/pass@1\":null");
  free(log);
}

/* Evaluations of a training run vote, each for itself. */
static void training_votes_when_asked(void **state) {
  scratch *s = *state;

  /* The tasks of the tests as files of challenges. */
  static const char *const subsets[] = {"x"};
  char tasks[160], prefix[160], dir[160], data[200], out[200], log_path[200];
  in(s, tasks, "arc/test_puzzles.json");
  size_t n;
  unsigned char *text = read_bytes(tasks, &n);
  in(s, prefix, "mini");
  in(s, dir, "mini_set");
  snprintf(log_path, sizeof log_path, "%s_x_challenges.json", prefix);
  write_bytes(log_path, text, n);
  free(text);

  /* A set of them, with a copy of each. */
  const trm_arc_build_config build = {.input_prefix = prefix,
                                      .subsets = subsets,
                                      .n_subsets = 1,
                                      .test_set_name = "x",
                                      .output_dir = dir,
                                      .num_aug = 1,
                                      .seed = 1};
  trm_error err;
  if (trm_build_arc(&build, NULL, &err) != TRM_OK) fail_msg("%s", err.msg);

  /* A run that evaluates by voting: all answers have voted. */
  snprintf(data, sizeof data, "data_paths=[%s]", dir);
  snprintf(out, sizeof out, "out=%s/runs", s->dir);
  want(RUN("train", TINY, data, "evaluators=[arc@ARC]", "run_name=votes"), 0);
  says(err_text, "ARC: pass@1 ");
  assert_null(strstr(err_text, "answers vote"));

  /* With a limit it says how many. */
  want(RUN("train", TINY, data, "evaluators=[arc@ARC]", "eval_limit=1", "run_name=few"), 0);
  says(err_text, "only 1 of ");

  /* The log has the scores. */
  snprintf(log_path, sizeof log_path, "%s/runs/mini/votes/log.jsonl", s->dir);
  text = read_bytes(log_path, &n);
  says((char *)text, "ARC/pass@2");
  says((char *)text, "ARC/pass@1000");
  free(text);

  /* A set without tasks cannot vote. */
  snprintf(data, sizeof data, "data_paths=[%s]", sudoku_dir);
  want(RUN("train", TINY, data, "evaluators=[arc@ARC]", "run_name=none"), 2);
  says(err_text, "no ARC set");
}

static int set_up(void **state) {
  if (scratch_open(state) != 0) return -1;

  /* Where the sets and models of all tests are. */
  scratch *s = *state;
  trm_model_config c = small_config(TRM_ARCH_TRM, 16);
  in(s, sudoku_dir, "sudoku");
  in(s, sudoku_model, "sudoku_model");
  in(s, arc_dir, "arc");
  in(s, arc_model, "arc_model");

  /* Sudokus of side 4, and a model for them. */
  const trm_sudoku_gen_config gen = {
      .size = 4, .n_train = 2, .n_test = 48, .seed = 3, .threads = 1, .output_dir = sudoku_dir};
  assert_int_equal(trm_gen_sudoku(&gen, NULL, NULL), TRM_OK);
  c.vocab_size = 6;
  c.num_puzzle_identifiers = 1;
  trm_model *m = small_model(&c, 1);
  assert_int_equal(trm_model_save(m, sudoku_model, NULL), TRM_OK);
  trm_model_free(m);

  /* ARC tasks, and a model that takes few steps with them. */
  arc_make(&set, 11);
  arc_write(&set, arc_dir);
  c = small_config(TRM_ARCH_TRM, TRM__ARC_CELLS);
  c.vocab_size = 12;
  c.num_puzzle_identifiers = ARC_IDS;
  c.H_cycles = c.L_cycles = 1;
  c.halt_max_steps = 2;
  m = small_model(&c, 5);
  assert_int_equal(trm_model_save(m, arc_model, NULL), TRM_OK);
  trm_model_free(m);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(interrupted_evaluations_go_on),
      cmocka_unit_test(what_does_not_go_on_is_refused),
      cmocka_unit_test(parts_of_others_are_left_alone),
      cmocka_unit_test(parts_without_a_state_are_taken_over),
      cmocka_unit_test(what_cannot_be_written_is_kept),
      cmocka_unit_test(a_table_of_choices_that_is_stopped_is_told),
      cmocka_unit_test(answers_are_checked_by_the_rules),
      cmocka_unit_test(saved_predictions_vote_like_the_evaluation),
      cmocka_unit_test(the_number_of_votes_is_told),
      cmocka_unit_test(evaluations_are_pooled),
      cmocka_unit_test(submissions_are_scored),
      cmocka_unit_test(untrained_tasks_are_told),
      cmocka_unit_test(training_votes_when_asked),
      cmocka_unit_test(hidden_outputs_are_not_measured),
  };
  return cmocka_run_group_tests(tests, set_up, scratch_close);
}
