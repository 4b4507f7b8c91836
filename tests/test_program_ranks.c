/* `trm train` by several processes: the files of one, and what happens when one of them fails. */
#include "rank_processes.h"
#include "tiny_runs.h"

#include "base/rng.h"

enum { END = 40, EVERY = 10 };
#define RUN_OF(name) \
  "train", TINY_RUN("1000"), "max_updates=40", "checkpoint_interval=10", "+run_name=" name

static char whole[200]; /* the end of a run of one process */

static int open_group(void **state) {
  if (setenv("TRM_PLUGINS", RANK_PLUGINS, 1) != 0 || open_runs(state, 60, 20, 3) != 0) return -1;
  scratch *s = *state;
  snprintf(whole, sizeof whole, "%s", run_path(s, "whole", "step_40"));
  return RUN(RUN_OF("whole"));
}

/* A run ends in the files of the run of one process; its log has the same lines, but for times. */
static void same_end(scratch *s, const char *run) {
  static const char *const files[] = {"trainer.safetensors", "model.safetensors", "config.json"};
  char a[300], b[300], step[200];
  snprintf(step, sizeof step, "%s", run_path(s, run, "step_40"));
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    snprintf(a, sizeof a, "%s/%s", whole, files[i]);
    snprintf(b, sizeof b, "%s/%s", step, files[i]);
    same_files(a, b);
  }
}

/* The lines of a log without what tells of time. */
static char *timeless(const char *path) {
  size_t n;
  char *text = (char *)read_bytes(path, &n);
  static const char *const keys[] = {"\"time\":", "\"samples_per_s\":"};
  for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
    for (char *at = text; (at = strstr(at, keys[k]));) {
      char *end = strchr(at, ',');
      assert_non_null(end);
      memmove(at, end + 1, strlen(end));
    }
  return text;
}

static void same_logs(scratch *s, const char *run) {
  char path[200];
  snprintf(path, sizeof path, "%s", run_path(s, "whole", "log.jsonl"));
  char *a = timeless(path), *b = timeless(run_path(s, run, "log.jsonl"));
  assert_string_equal(a, b);
  free(a);
  free(b);
}

static void ranks_train_as_one(void **state) {
  scratch *s = *state;
  ranks r = RANKS(2, RUN_OF("two"));
  want_ranks(&r, 0);
  says(out_text, "ranks        2, which share each update");
  says(out_text, "last         update 40");
  says(r.err[0], "an update of 2 ranks took ");
  says(r.err[0], " of exchange, in which a rank sends 0.");
  assert_string_equal(r.err[1], ""); /* rank 0 tells */
  same_end(s, "two");
  same_logs(s, "two");
  r = RANKS(8, RUN_OF("eight"), "threads=2");
  want_ranks(&r, 0);
  same_end(s, "eight");
  same_logs(s, "eight");
}

static void runs_go_on_with_other_numbers_of_ranks(void **state) {
  scratch *s = *state;
  static const int numbers[] = {4, 1, 2, 8};
  ranks r = RANKS(2, "train", TINY_RUN("1000"), "max_updates=8", "checkpoint_interval=10",
                  "+run_name=changing");
  want_ranks(&r, 0);
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    char most[32];
    snprintf(most, sizeof most, "max_updates=%d", i == 3 ? END : 8 * (int)(i + 2));
    r = RANKS(numbers[i], "train", "--resume", run_path(s, "changing", ""), most);
    want_ranks(&r, 0);
  }
  same_end(s, "changing");
}

/* --- who does not fit ------------------------------------------------------------------------ */

static void who_differs_is_refused_before_anything_is_made(void **state) {
  scratch *s = *state;
  char other_data[200], data[220], exists[64];
  trm_error err;
  snprintf(other_data, sizeof other_data, "%s", scratch_path(s, "other4"));
  snprintf(data, sizeof data, "data_paths=[%s]", other_data);
  const trm_sudoku_gen_config config = {
      .size = 4, .n_train = 60, .n_test = 20, .seed = 4, .threads = 1, .output_dir = other_data};
  assert_int_equal(trm_gen_sudoku(&config, NULL, &err), TRM_OK);
  const struct {
    rank_way way;
    int code;
    const char *says;
  } cases[] = {
      {{.rank = 1, .more = "seed=5"},
       2,
       "rank 1 (host1): its configuration is seed=5, that of "
       "rank 0 seed=0"},
      {{.rank = 0, .more = "lr=3e-3"}, 2, "rank 1 (host1): its configuration is lr=0.001"},
      {{.rank = 3, .more = data}, 2, "rank 3 (host3): its data is fingerprint "},
      {{.rank = 2, .isa = "portable"}, 2, "rank 2 (host2): its set of kernels is portable"},
      {{.rank = 2, .more = "data_paths=[/nowhere/data]"}, 1, "rank 2 (host2): /nowhere/data"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const ranks r = run_ranks(s, 4, &cases[i].way, ARGS(RUN_OF("refused")));
    want_ranks(&r, cases[i].code);
    says(r.err[0], cases[i].says);
    for (int k = 1; k < 4; k++) assert_string_equal(r.err[k], "");
    assert_int_not_equal(access(run_path(s, "refused", ""), F_OK), 0);
  }

  /* Another version: before a folder is looked for, or a file. */
  const rank_way version = {.rank = 1, .version = true};
  ranks v = run_ranks(s, 2, &version, ARGS("train", "--resume", "/nowhere/run"));
  want_ranks(&v, 2);
  says(v.err[0], "rank 1 (host1): its version of trm is 9");
  assert_string_equal(v.err[1], "");

  /* What is no difference, and what all have alike but cannot be. */
  ranks r = run_ranks(s, 2, &(rank_way){.rank = 1, .more = "threads=2"}, ARGS(RUN_OF("threads")));
  want_ranks(&r, 0);
  same_end(s, "threads");
  r = RANKS(2, RUN_OF("threads"));
  want_ranks(&r, 2);
  snprintf(exists, sizeof exists, "threads exists");
  says(r.err[0], exists);
  r = RANKS(3, RUN_OF("refused"));
  want_ranks(&r, 2);
  says(r.err[0], "3 ranks: want 1, 2, 4 or 8");
}

static void without_the_part_nothing_is_trained_many_times(void **state) {
  scratch *s = *state;
  setenv("TRM_PLUGINS", s->dir, 1);
  setenv("PMI_SIZE", "2", 1);
  want(RUN(RUN_OF("alone")), 1);
  says(err_text, "a process manager started this (PMI_SIZE is set), but libtrm-mpi.so");
  says(err_text, "TRM_MPI=off");
  setenv("TRM_MPI", "off", 1);
  want(RUN(RUN_OF("alone")), 0);
  same_end(s, "alone");
  unsetenv("TRM_MPI");
  unsetenv("PMI_SIZE");
  setenv("TRM_PLUGINS", RANK_PLUGINS, 1);
}

/* --- who fails ------------------------------------------------------------------------------- */

/* Waits until the run has its first checkpoint, and then some. */
static void wait_for_checkpoint(scratch *s, const char *run, int more) {
  char last[200];
  snprintf(last, sizeof last, "%s", run_path(s, run, "last"));
  for (int i = 0; i < 60000 && access(last, F_OK) != 0; i++) nap(1);
  nap(more);
}

static void a_killed_rank_ends_the_job_and_the_run_goes_on(void **state) {
  scratch *s = *state;
  const char *more = getenv("TEST_ROUNDS"); /* for docs/RELIABILITY.md */
  const int rounds = more ? atoi(more) : 4;
  int hits = 0;
  for (int round = 0; round < rounds; round++) {
    const int n = round % 2 ? 4 : 2, victim = round / 2 % n;
    char run[32], name[48];
    snprintf(run, sizeof run, "killed%d", round);
    snprintf(name, sizeof name, "+run_name=%s", run);
    ranks r = start_ranks(
        s, n, &all_alike,
        ARGS("train", TINY_RUN("1000"), "max_updates=40", "checkpoint_interval=10", name));
    wait_for_checkpoint(s, run, 7 * round % 97);
    kill(r.pid[victim], SIGKILL);
    finish_ranks(s, &r);

    /* Each of the others says who is gone, and none is left behind. */
    if (r.code[victim] == 1000 + SIGKILL) {
      hits++;
      for (int i = 0; i < n; i++)
        if (i != victim && r.code[i] != 0) says(r.err[i], "is gone");
    }
    r = RANKS(victim ? 1 : 4, "train", "--resume", run_path(s, run, ""));
    want_ranks(&r, 0);
    same_end(s, run);
    same_logs(s, run);
  }
  print_message("%d of %d rounds: a rank was killed at work\n", hits, rounds);
  assert_true(hits >= rounds / 2);
}

static void a_signal_to_one_stops_all(void **state) {
  scratch *s = *state;
  for (int victim = 0; victim < 2; victim++) {
    const char *run = victim ? "stopped1" : "stopped0";
    char name[48];
    snprintf(name, sizeof name, "+run_name=%s", run);
    ranks r = start_ranks(s, 2, &all_alike,
                          ARGS("train", TINY_RUN("100000"), "checkpoint_interval=10", name));
    wait_for_checkpoint(s, run, 5);
    kill(r.pid[victim], SIGTERM);
    finish_ranks(s, &r);
    want_ranks(&r, 130);
    says(r.err[0], "which is saved");
    says(r.err[0], "go on with: trm train --resume");
    r = RANKS(1, "train", "--resume", run_path(s, run, ""), "max_updates=40");
    want_ranks(&r, 0);
  }
}

static void a_full_disk_is_told_by_all(void **state) {
  /* The limit is that of a checkpoint's largest file, or below: rank 0 meets it, rank 1 does not.
   */
  scratch *s = *state;
  rank_way way = {.rank = 1, .file_limit = 100000};
  ranks r = run_ranks(s, 2, &way, ARGS(RUN_OF("limit1")));
  want_ranks(&r, 0);
  same_end(s, "limit1");
  way.rank = 0;
  r = run_ranks(s, 2, &way, ARGS(RUN_OF("limit0")));
  want_ranks(&r, 1);
  says(r.err[0], "rank 0 (host0): ");
  says(r.err[0], "nothing has been saved yet");
  assert_string_equal(r.err[1], "");
  r = RANKS(4, "train", "--resume", run_path(s, "limit0", ""));
  want_ranks(&r, 0);
  same_end(s, "limit0");
}

static void writes_of_one_that_fail_end_all_and_the_run_goes_on(void **state) {
  /* Of any file, behind so many bytes. Rank 1 writes none. */
  scratch *s = *state;
  const char *more = getenv("TEST_ROUNDS"); /* for docs/RELIABILITY.md */
  const int rounds = more ? atoi(more) : 4;
  int hits = 0;
  trm__rng random = trm__rng_at(11, TRM__RNG_TEST, 1, 0);
  for (int round = 0; round < rounds; round++) {
    char run[32], name[48];
    snprintf(run, sizeof run, "full%d", round);
    snprintf(name, sizeof name, "+run_name=%s", run);
    const rank_way way = {.rank = round % 4 == 3,
                          .file_limit = 1000 + (rlim_t)trm__rng_below(&random, 1 << 20)};
    ranks r = run_ranks(
        s, 2, &way,
        ARGS("train", TINY_RUN("1000"), "max_updates=40", "checkpoint_interval=10", name));
    want_ranks(&r, r.code[0]);
    if (r.code[0]) {
      hits++;
      assert_int_equal(way.rank, 0);
      assert_int_equal(r.code[0], 1);
      says(r.err[0], "rank 0 (host0): ");
      assert_string_equal(r.err[1], "");
    }

    /* On from the last checkpoint; a folder that could not be made is not there. */
    const bool there = access(run_path(s, run, ""), F_OK) == 0;
    r = there
            ? RANKS(2, "train", "--resume", run_path(s, run, ""))
            : RANKS(2, "train", TINY_RUN("1000"), "max_updates=40", "checkpoint_interval=10", name);
    want_ranks(&r, 0);
    same_end(s, run);
    same_logs(s, run);
  }
  print_message("%d of %d rounds: a write failed\n", hits, rounds);
}

static void not_a_number_ends_all_alike(void **state) {
  scratch *s = *state;
  ranks r = RANKS(2, "train", TINY_RUN("1000"), "max_updates=40", "lr=1e3", "optimizer=adamw",
                  "lr_warmup_steps=0", "+run_name=nan");
  assert_int_not_equal(r.code[0], 0);
  want_ranks(&r, r.code[0]);
  says(r.err[0], "is NaN or infinite");
  assert_string_equal(r.err[1], "");
}

/* --- evaluations ----------------------------------------------------------------------------- */

static void ranks_evaluate_as_one(void **state) {
  scratch *s = *state;
  char preds[200], q[200], more_preds[200], more_q[200], text[4096];
  snprintf(preds, sizeof preds, "%s", scratch_path(s, "preds.npy"));
  snprintf(q, sizeof q, "%s", scratch_path(s, "q.npy"));
  snprintf(more_preds, sizeof more_preds, "%s", scratch_path(s, "more_preds.npy"));
  snprintf(more_q, sizeof more_q, "%s", scratch_path(s, "more_q.npy"));
  want(RUN("eval", whole, data_dir, "--json", "--save-preds", preds, "--save-q", q), 0);
  snprintf(text, sizeof text, "%.4000s", out_text);
  ranks r =
      RANKS(4, "eval", whole, data_dir, "--json", "--save-preds", more_preds, "--save-q", more_q);
  want_ranks(&r, 0);
  assert_string_equal(out_text, text);
  same_files(preds, more_preds);
  same_files(q, more_q);

  /* What ranks do not do. */
  r = RANKS(2, "eval", whole, data_dir, "--state", scratch_path(s, "state"));
  want_ranks(&r, 2);
  says(r.err[0], "2 ranks share");
  r = RANKS(2, "eval", whole, data_dir, "--scaling");
  want_ranks(&r, 2);
  says(r.err[0], "--scaling is of one process, not of 2 ranks");
  r = RANKS(2, "train", "-m", TINY_RUN("1000"), "seed=1,2");
  want_ranks(&r, 2);
  says(r.err[0], "a sweep (-m) is of one process");
  r = RANKS(2, "finetune", whole, "--task", "/nowhere/task.json", "--submission",
            scratch_path(s, "answers.json"));
  want_ranks(&r, 2);
  says(r.err[0], "a finetuning is of one process, not of 2 ranks; start one");
  r = RANKS(2, "reproduce", "table1", "--output", scratch_path(s, "tables"));
  want_ranks(&r, 2);
  says(r.err[0], "a table is of one process, not of 2 ranks; start one");
  assert_int_not_equal(access(scratch_path(s, "tables"), F_OK), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ranks_train_as_one),
      cmocka_unit_test(runs_go_on_with_other_numbers_of_ranks),
      cmocka_unit_test(who_differs_is_refused_before_anything_is_made),
      cmocka_unit_test(without_the_part_nothing_is_trained_many_times),
      cmocka_unit_test(a_killed_rank_ends_the_job_and_the_run_goes_on),
      cmocka_unit_test(a_signal_to_one_stops_all),
      cmocka_unit_test(a_full_disk_is_told_by_all),
      cmocka_unit_test(writes_of_one_that_fail_end_all_and_the_run_goes_on),
      cmocka_unit_test(not_a_number_ends_all_alike),
      cmocka_unit_test(ranks_evaluate_as_one),
  };
  return cmocka_run_group_tests(tests, open_group, scratch_close);
}
