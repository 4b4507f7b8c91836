/* The program with many runs: sweeps that are stopped, killed and called again, side by side, with
 * runs that diverge; what `trm runs` tells of them. */
#include <sys/stat.h>

#include "io/json.h"
#include "tiny_runs.h"

#define SWEEP(name) "train", "-m", TINY_RUN("8"), "eval_interval=4", "seed=0,1", name
#define LONG_SWEEP(name) "train", "-m", TINY_RUN("1000000"), "seed=0,1,2", name

static bool is_there(scratch *s, const char *run, const char *file) {
  struct stat info;
  return lstat(run_path(s, run, file), &info) == 0;
}

static int count(const char *text, const char *part) {
  int n = 0;
  for (; (text = strstr(text, part)); text += strlen(part)) n++;
  return n;
}

static int lines_of(const char *path) {
  size_t n;
  char *text = (char *)read_bytes(path, &n);
  const int lines = count(text, "\n");
  free(text);
  return lines;
}

/* ---- sweeps ---- */

/* The runs are those that single commands make, bit for bit, however many are made at once. */
static void runs_of_a_sweep_are_ordinary_runs(void **state) {
  static const char *const jobs[] = {"1", "2"};
  scratch *s = *state;
  char single[200], name[40], run[48];
  want(RUN("train", TINY_RUN("8"), "eval_interval=4", "seed=1", "run_name=single",
           "arch.expansion=2"),
       0);
  for (int i = 0; i < 2; i++) {
    snprintf(name, sizeof name, "run_name=jobs%s", jobs[i]);
    want(RUN(SWEEP(name), "arch.expansion=2,3", "--jobs", jobs[i]), 0);
    says(out_text, "sweep        4 of 4 runs done; compare them with: trm runs ");
    snprintf(run, sizeof run, "jobs%s_seed=1_expansion=2", jobs[i]);
    snprintf(single, sizeof single, "%s", run_path(s, "single", "last/model.safetensors"));
    same_files(single, run_path(s, run, "last/model.safetensors"));
  }

  /* The same command again finds that nothing is left to do, and says what came of it. */
  snprintf(run, sizeof run, "jobs2_seed=0_expansion=3");
  assert_int_equal(lines_of(run_path(s, run, "record.jsonl")), 2);
  want(RUN(SWEEP(name), "arch.expansion=2,3", "--jobs", "2"), 0);
  assert_int_equal(count(out_text, "done "), 4);
  assert_int_equal(lines_of(run_path(s, run, "record.jsonl")), 2);

  /* More updates are more to do. */
  want(
      RUN("train", "-m", TINY_RUN("12"), "eval_interval=4", "seed=0,1", name, "arch.expansion=2,3"),
      0);
  assert_int_equal(lines_of(run_path(s, run, "record.jsonl")), 4);
}

static pid_t sweep_until(scratch *s, const char *run, const char *const *args) {
  const pid_t child = start(s, args, &(const launch){0}, -1);
  for (int i = 0; i < 6000 && !is_there(s, run, "log.jsonl"); i++) nap(10);
  for (int i = 0; i < 6000 && lines_of(run_path(s, run, "log.jsonl")) < 3; i++) nap(10);
  return child;
}

/* A signal to the parent alone reaches the runs that are under way: they are saved. */
static void a_stop_saves_what_is_under_way(void **state) {
  scratch *s = *state;
  const char *const *args = ARGS(LONG_SWEEP("run_name=stop"), "--jobs", "2");
  const pid_t child = sweep_until(s, "stop_seed=1", args);
  kill(child, SIGTERM);
  want(finish(s, child), 130);
  says(err_text, "go on with the same command: trm train -m preset=sudoku4 ");
  says(out_text, "0 of 3 runs done, 3 left");
  assert_true(is_there(s, "stop_seed=0", "last") && is_there(s, "stop_seed=1", "last"));
  assert_false(is_there(s, "stop_seed=2", ""));

  /* It goes on where it was, and begins what it had not come to. */
  want(RUN("train", "-m", TINY_RUN("1000000"), "seed=0,1,2", "run_name=stop", "max_updates=30"), 0);
  says(out_text, "3 of 3 runs done");
  assert_true(lines_of(run_path(s, "stop_seed=0", "record.jsonl")) >= 2);
  assert_int_equal(lines_of(run_path(s, "stop_seed=2", "record.jsonl")), 2);
}

static void kills_are_survived(void **state) {
  scratch *s = *state;
  const char *const *args = ARGS(LONG_SWEEP("run_name=kill"), "checkpoint_interval=1");
  const pid_t child = sweep_until(s, "kill_seed=0", args);
  kill(child, SIGKILL);
  want(finish(s, child), 1000 + SIGKILL);

  /* The run under way hears of it, and saves. */
  char line[300];
  snprintf(line, sizeof line, "%s/runs/Data4-trm/kill_seed=0", s->dir);
  for (int i = 0; i < 3000; i++) {
    trm_run_record *r;
    trm_error err;
    if (trm_run_record_open(line, &r, &err) != TRM_OK) fail_msg("%s", err.msg);
    const trm_run_stage stage = trm_run_record_summary(r)->stage;
    trm_run_record_free(r);
    if (stage != TRM_RUN_RUNNING) break;
    nap(10);
  }
  want(RUN("train", "-m", TINY_RUN("1000000"), "seed=0,1,2", "run_name=kill", "max_updates=1"), 0);
  says(out_text, "3 of 3 runs done");
}

/* A run that another process has is left to it. */
static void a_run_of_another_process_is_left_alone(void **state) {
  scratch *s = *state;
  const char *const *args = ARGS("train", TINY_RUN("1000000"), "seed=1", "run_name=mine_seed=1");
  const pid_t child = sweep_until(s, "mine_seed=1", args);
  want(RUN("train", "-m", TINY_RUN("1000000"), "seed=0,1,2", "run_name=mine", "max_updates=1"), 1);
  says(out_text, "2 of 3 runs done, 1 in the hands of other processes");
  kill(child, SIGTERM);
  want(finish(s, child), 130);
}

/* That a run diverges is what came of its settings, and no end of the others. */
static void divergence_is_a_result(void **state) {
  scratch *s = *state;
  char out[200], folder[160], run[240];
  snprintf(folder, sizeof folder, "%s", scratch_path(s, "wild"));
  snprintf(out, sizeof out, "out=%s", folder);
  for (int again = 0; again < 2; again++) {
    want(RUN("train", "-m", TINY_RUN("8"), "lr_warmup_steps=0", "weight_decay=100,1000",
             "lr=1000,1e-6", out),
         0);
    says(out_text, "diverged     at update ");
    says(out_text, "2 of 4 runs done, 2 diverged; ");
  }
  snprintf(run, sizeof run, "%s/Data4-trm/weight_decay=100_lr=1000/record.jsonl", folder);
  assert_int_equal(lines_of(run), 2);
  want(RUN("runs", folder), 0);
  assert_int_equal(count(out_text, "diverged at "), 2);

  /* They are counted, and are in no mean: 30 updates are those of the others. */
  want(RUN("runs", folder, "--by", "seed", "--format", "csv"), 0);
  says(out_text, "\n0,4,30,");
  assert_string_equal(strrchr(out_text, ','), ",2\n");
}

/* Before the first run is begun. */
static void what_one_run_would_refuse_is_told_first(void **state) {
  scratch *s = *state;
  want(RUN(SWEEP("run_name=first"), "max_updates=1"), 0);
  want(RUN(SWEEP("run_name=first"), "arch.expansion=2"), 2);
  says(err_text, "first_seed=0 is a run of other settings: its arch.expansion is ");
  want(RUN(SWEEP("run_name=second"), "lr=1e-3,huge"), 2);
  says(err_text, "second_seed=0_lr=huge: lr: want a number");
  assert_false(is_there(s, "second_seed=0_lr=1e-3", ""));
  want(RUN("train", "-m", TINY_RUN("8"), "seed=0,1,0"), 2);
  says(err_text, "0 is there twice");
  want(RUN("train", "--jobs", "2", TINY_RUN("8")), 2);
  says(err_text, "want -m, too");
  want(RUN("train", TINY_RUN("8"), "seed=0,1"), 2);
  says(err_text, "trm train -m");
  want(RUN("train", "-m", "--resume", "x"), 2);
  says(err_text, "leave --resume out");
}

static void a_dry_run_lists_and_writes_nothing(void **state) {
  scratch *s = *state;
  want(RUN(SWEEP("run_name=dry"), "arch.L_cycles=1,2", "--dry-run"), 0);
  static const char *const names[] = {"dry_seed=0_L_cycles=1\n", "dry_seed=0_L_cycles=2\n",
                                      "dry_seed=1_L_cycles=1\n", "dry_seed=1_L_cycles=2\n"};
  const char *at = out_text;
  for (int i = 0; i < 4; i++) {
    at = strstr(at, names[i]);
    assert_non_null(at);
  }
  says(out_text, "4 runs, ");
  assert_false(is_there(s, "dry_seed=0_L_cycles=1", ""));
}

/* ---- comparing ---- */

/* Two settings, two seeds. */
static void runs_are_compared(void **state) {
  scratch *s = *state;
  char folder[200], svg[260], out[220];
  snprintf(folder, sizeof folder, "%s", scratch_path(s, "compared"));
  snprintf(out, sizeof out, "out=%s", folder);
  want(RUN("train", "-m", TINY_RUN("8"), "eval_interval=4", "seed=0,1", "arch.L_cycles=2,1", out),
       0);
  snprintf(svg, sizeof svg, "%s/broken", folder);
  mkdir(svg, 0777);
  snprintf(svg, sizeof svg, "%s/broken/config.yaml", folder);
  write_bytes(svg, "arch: [", 7);

  /* For people: only what differs, and means below. */
  want(RUN("runs", folder), 0);
  says(out_text, "arch.L_cycles  seed  updates");
  says(out_text, " ± ");
  assert_null(strstr(out_text, "arch.H_cycles"));
  says(err_text, "broken is passed over");
  want(RUN("runs", folder, "--format", "markdown"), 0);
  says(out_text, "| run | arch.L_cycles | seed | updates | time | best | last | state |\n| --- |");
  says(out_text, "| arch.L_cycles | runs | updates | time | best | last | diverged |");

  /* For programs: each table by itself, or both. */
  want(RUN("runs", folder, "--format", "csv"), 0);
  assert_int_equal(count(out_text, "\n"), 5);
  says(out_text, "folder,arch.L_cycles,seed,updates,seconds,best,last,state,diverged_at,end,");
  want(RUN("runs", folder, "--by", "arch.L_cycles,lr", "--csv"), 0); /* the same form, shorter */
  assert_int_equal(count(out_text, "\n"), 3);
  says(out_text, "arch.L_cycles,lr,runs,updates,seconds,best_mean,best_deviation,");
  want(RUN("runs", folder, "--format", "json"), 0);
  trm__json *v;
  assert_int_equal(trm__json_parse(out_text, strlen(out_text), "stdout", 1, &v, NULL), TRM_OK);
  assert_int_equal(trm__json_n_items(trm__json_get(v, "runs")), 4);
  assert_int_equal(trm__json_n_items(trm__json_get(v, "groups")), 2);
  const trm__json *one = trm__json_item(trm__json_get(v, "runs"), 0);
  assert_string_equal(trm__json_text(trm__json_get(one, "state")), "done");
  says(trm__json_text(trm__json_get(one, "command")), "trm train -m preset=sudoku4 'data_paths=[");
  trm__json_free(v);

  /* Curves: a line and a band for each group. */
  snprintf(svg, sizeof svg, "%s/curves.svg", s->dir);
  static const char *const figures[] = {"exact", "loss", "train/grad_norm"};
  static const char *const axes[] = {"updates", "time", "samples"};
  for (int i = 0; i < 3; i++) {
    want(RUN("runs", folder, "--curves", svg, "--y", figures[i], "--x", axes[i]), 0);
    size_t n;
    char *text = (char *)read_bytes(svg, &n);
    says(text, ">L_cycles=2</text>");
    says(text, ">L_cycles=1</text>");
    assert_int_equal(count(text, "class=\"line s0\""), 2); /* and its place in the legend */
    if (i != 1) assert_int_equal(count(text, "class=\"band f"), 2);
    free(text);
  }
}

static void what_cannot_be_compared_is_told(void **state) {
  scratch *s = *state;
  want(RUN("runs", scratch_path(s, "nowhere")), 1);
  says(err_text, "nowhere does not exist");
  want(RUN("runs", data_dir), 1);
  says(err_text, "no training runs are in it");
  want(RUN("runs", model_dir, "--by", "arch.hidden"), 2);
  says(err_text, "unknown key 'arch.hidden'");
  want(RUN("runs", model_dir, "--format", "xml"), 2);
  says(err_text, "--format: want table, markdown, csv or json, got 'xml'");
  want(RUN("runs", model_dir, "--csv", "--format", "json"), 2);
  says(err_text, "--csv is --format csv: want one of them");
  want(RUN("runs", model_dir, "--x", "days"), 2);
  says(err_text, "--x: want updates, time or samples");
  want(RUN("runs", model_dir, "--y", "beauty"), 2);
  says(err_text, "--y: want exact, ");
  want(RUN("runs", model_dir, "--x", "time"), 2);
  says(err_text, "name one with --curves");
  want(RUN("runs", model_dir, "--y", "all/beauty", "--curves", scratch_path(s, "no.svg")), 3);
  says(err_text, "none of the runs has all/beauty in its log");
}

/* The folder that is given to others says where its model is from; what somebody wrote into that
 * text stays. */
static void a_model_folder_has_a_card(void **state) {
  scratch *s = *state;
  char folder[200], card[240];
  snprintf(folder, sizeof folder, "%s", scratch_path(s, "given"));
  snprintf(card, sizeof card, "%s/README.md", folder);
  want(RUN("train", TINY_RUN("8"), "eval_interval=4", "run_name=carded"), 0);
  want(RUN("convert", run_path(s, "carded", ""), folder), 0);
  want(RUN("convert", run_path(s, "carded", "last"), folder), 0); /* takes the place of the first */

  /* The head, the data, the command and the score of that update. */
  size_t n;
  char *text = (char *)read_bytes(card, &n);
  says(text, "---\nlibrary_name: trm\ntags: [tiny-recursive-model, trm, sudoku]\nmodel-index: [{");
  says(text, "\n# given: 4x4 Sudoku\n");
  says(text, "data4: train, 60 examples, fingerprint ");
  says(text, "\n    trm train preset=sudoku4 ");
  says(text, "Exactly right: ");
  says(text, " of 20 examples");
  free(text);

  /* A score is of all sets that were measured. */
  char sets[700];
  snprintf(sets, sizeof sets, "data_paths_test=[%s,%s]", data_dir, data_dir);
  want(RUN("train", TINY_RUN("8"), "eval_interval=8", "run_name=twice", sets), 0);
  want(RUN("convert", run_path(s, "twice", ""), folder), 0);
  text = (char *)read_bytes(card, &n);
  says(text, "\"name\": \"2 sets\"");
  says(text, " of 40 examples");
  assert_int_equal(count(strstr(text, " of 40 examples"), data_dir), 2);
  free(text);

  /* A model of which nothing is known, and a card that was edited. */
  want(RUN("convert", folder, scratch_path(s, "unknown")), 0);
  text = (char *)read_bytes(scratch_path(s, "unknown/README.md"), &n);
  says(text, "It was not evaluated.");
  assert_null(strstr(text, "model-index"));
  free(text);
  write_bytes(card, "mine", 4);
  want(RUN("convert", model_dir, folder), 1);
  says(err_text, "given/README.md is somebody's own text");
  text = (char *)read_bytes(card, &n);
  assert_memory_equal(text, "mine", 4);
  free(text);
}

static int set_up(void **state) {
  return open_runs(state, 60, 20, 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(runs_of_a_sweep_are_ordinary_runs),
                                     cmocka_unit_test(a_stop_saves_what_is_under_way),
                                     cmocka_unit_test(kills_are_survived),
                                     cmocka_unit_test(a_run_of_another_process_is_left_alone),
                                     cmocka_unit_test(divergence_is_a_result),
                                     cmocka_unit_test(what_one_run_would_refuse_is_told_first),
                                     cmocka_unit_test(a_dry_run_lists_and_writes_nothing),
                                     cmocka_unit_test(runs_are_compared),
                                     cmocka_unit_test(what_cannot_be_compared_is_told),
                                     cmocka_unit_test(a_model_folder_has_a_card)};
  return cmocka_run_group_tests(tests, set_up, scratch_close);
}
