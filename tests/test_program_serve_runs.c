/* trm serve --run: trainings that are shown while they go on, end, are killed, go on and go away.
 */
#include <sys/stat.h>

#include "serve_client.h"
#include "tiny_runs.h"

enum { TRAIN = 48, TEST = 8 };

static int set_up_runs(void **state) {
  if (open_runs(state, TRAIN, TEST, 3) != 0) return -1;
  scratch *s = *state;
  put_model(s, "four", 4, 3);
  if (RUN("serve", "--port", "0", "--host", "256.0.0.1") == 1 &&
      strstr(err_text, "libmicrohttpd")) {
    print_message("skipped: %s\n", err_text);
    (void)scratch_close(state);
    exit(77);
  }
  return 0;
}

/* ---- what is asked ---- */

/* A server of one model that watches a folder, which must be there. */
static server watch(scratch *s, const char *folder) {
  char four[200], watched[200];
  snprintf(four, sizeof four, "%s/four.safetensors", s->dir);
  snprintf(watched, sizeof watched, "%s", folder);
  return open_any(s, ARGS("serve", four, "--port", "0", "--threads", "1", "--run", watched));
}

static trm__json *get(const server *v, const char *path, int status) {
  char request[300];
  snprintf(request, sizeof request,
           "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
  is_status(ask(v, request), status);
  return json_of(body());
}

/* The run of that name, or NULL, in an answer of /v1/runs. */
static const trm__json *run_in(const trm__json *all, const char *name) {
  const trm__json *runs = trm__json_get(all, "runs");
  for (size_t i = 0; i < trm__json_n_items(runs); i++) {
    const trm__json *one = trm__json_item(runs, i);
    if (!strcmp(trm__json_text(trm__json_get(one, "name")), name)) return one;
  }
  return NULL;
}

/* Asks until the run has a member of that value, which is JSON; NULL: until it is not there. */
static trm__json *await_run(const server *v, const char *name, const char *member,
                            const char *value) {
  for (int naps = 0; naps < 1200; naps++) {
    trm__json *all = get(v, "/v1/runs", 200), *want = value ? json_of(value) : NULL;
    const trm__json *run = run_in(all, name);
    const bool so = value ? run && trm__json_same(trm__json_get(run, member), want) : !run;
    trm__json_free(want);
    if (so) return all;
    trm__json_free(all);
    nap(50);
  }
  fail_msg("%s: %s is never %s:\n%s", name, member ? member : "it", value ? value : "gone", heard);
  return NULL;
}

static int64_t whole(const trm__json *v, const char *member) {
  int64_t n = -1;
  assert_true(trm__json_whole(trm__json_get(v, member), &n));
  return n;
}

/* Asks until a problem is told of what the path answers, or of that run in it. */
static void await_problem(const server *v, const char *path, const char *run, const char *part) {
  for (int naps = 0; naps < 1200; naps++) {
    trm__json *all = get(v, path, 200);
    const char *problem = trm__json_text(trm__json_get(run ? run_in(all, run) : all, "problem"));
    if (problem) says(problem, part);
    trm__json_free(all);
    if (problem) return;
    nap(50);
  }
  fail_msg("no problem is told:\n%s", heard);
}

/* A cell as text has it. */
static char symbol_of(const trm__json *cell) {
  if (trm__json_is(cell, TRM__JSON_NULL)) return '?';
  return (char)(trm__json_integer(cell) ? '0' + trm__json_integer(cell) : '.');
}

/* ---- tests ---- */

/* A run that is done: what its files say, its curves, and what its checkpoint answers. */
static void shows_a_run(void **state) {
  scratch *s = *state;
  char path[100];
  want(RUN("train", TINY_RUN("10"), "run_name=done", "log_interval=1", "eval_interval=5"), 0);
  server v = watch(s, run_path(s, "done", ""));
  trm__json *api = get(&v, "/openapi.json", 200);
  trm__json *all = await_run(&v, "done", "stage", "\"done\"");
  const trm__json *run = run_in(all, "done");
  is_described(api, "Runs", all, 4);
  is_described(api, "Run", run, 23);
  assert_int_equal(trm__json_n_items(trm__json_get(all, "runs")), 1);
  assert_int_equal(whole(run, "updates"), 30);
  assert_int_equal(whole(run, "end"), 30);
  assert_int_equal(whole(run, "last_update"), 30);
  assert_int_equal(whole(run, "examples"), TEST);
  assert_string_equal(trm__json_text(trm__json_get(run, "state")), "done");
  assert_true(trm__json_is(trm__json_get(run, "eta"), TRM__JSON_NULL));
  const int64_t id = whole(run, "id");
  trm__json_free(all);

  /* A curve, by a key with an escape and without. */
  for (int i = 0; i < 2; i++) {
    trm__json *curves = get(
        &v, i ? "/v1/runs/curve?key=train%2Flm_loss&x=1" : "/v1/runs/curve?key=train/lm_loss", 200);
    const trm__json *curve = trm__json_item(trm__json_get(curves, "curves"), 0);
    is_described(api, "Curves", curves, 2);
    is_described(api, "Curve", curve, 6);
    assert_int_equal(whole(curve, "run"), id);
    assert_int_equal(trm__json_n_items(trm__json_get(curve, "updates")), 30);
    assert_true(trm__json_number(trm__json_item(trm__json_get(curve, "updates"), 29)) == 30);
    assert_true(trm__json_number(trm__json_item(trm__json_get(curve, "values"), 0)) > 1);
    trm__json_free(curves);
  }

  /* Its puzzles, each as trm solve answers it by the same checkpoint. */
  trm__json_free(await_run(&v, "done", "checkpoint", "30"));
  snprintf(path, sizeof path, "/v1/runs/puzzles?run=%d", (int)id);
  trm__json *told = get(&v, path, 200);
  is_described(api, "RunPuzzles", told, 3);
  const trm__json *solved = trm__json_get(told, "solved");
  const trm__json *puzzles = trm__json_get(solved, "puzzles");
  assert_int_equal(trm__json_n_items(puzzles), 4);
  assert_string_equal(trm__json_text(trm__json_get(solved, "split")), "test");
  assert_int_equal(whole(trm__json_get(solved, "model"), "rows"), 4);
  for (size_t i = 0; i < 4; i++) {
    char question[17], answer[17];
    const trm__json *one = trm__json_item(puzzles, i), *steps = trm__json_get(one, "steps");
    assert_int_equal(trm__json_n_items(steps), 3);
    const trm__json *grid = trm__json_get(trm__json_item(steps, 2), "grid");
    for (size_t k = 0; k < 16; k++) {
      const trm__json *row = trm__json_item(trm__json_get(one, "question"), k / 4);
      question[k] = symbol_of(trm__json_item(row, k % 4));
      answer[k] = symbol_of(trm__json_item(trm__json_item(grid, k / 4), k % 4));
    }
    question[16] = answer[16] = 0;
    const bool right = trm__json_same(grid, trm__json_get(one, "solution"));
    assert_int_equal(trm__json_is_true(trm__json_get(one, "right")), right);
    char last[200];
    snprintf(last, sizeof last, "%s/last", run_path(s, "done", ""));
    want(RUN("solve", last, "--puzzle", question, "--threads", "1"), 0);
    assert_memory_equal(out_text, answer, 16);
  }
  trm__json_free(told);
  trm__json_free(api);

  /* The page that is told of. */
  is_status(ask(&v, GET("/runs.html", "")), 200);
  says(heard, "Content-Type: text/html");
  want(close_server(&v), 0);
}

/* Runs that begin, end, are killed, go on and are removed while somebody looks. */
static void follows_lives(void **state) {
  scratch *s = *state;
  want(RUN("train", TINY_RUN("1000"), "run_name=lives", "max_updates=3", "log_interval=1"), 0);
  server v = watch(s, scratch_path(s, "runs"));
  trm__json *all = await_run(&v, "Data4-trm/lives", "updates", "3");
  assert_int_equal(whole(run_in(all, "Data4-trm/lives"), "end"), 3);
  trm__json_free(all);
  trm__json_free(await_run(&v, "Data4-trm/lives", "checkpoint", "3"));

  /* It goes on, further than before; the newest checkpoint solves. */
  want(RUN("train", "--resume", run_path(s, "lives", ""), "max_updates=5"), 0);
  all = await_run(&v, "Data4-trm/lives", "updates", "5");
  const int64_t revision = whole(run_in(all, "Data4-trm/lives"), "revision");
  assert_int_equal(whole(run_in(all, "Data4-trm/lives"), "end"), 5);
  assert_true(revision > 1);
  trm__json_free(all);
  trm__json_free(await_run(&v, "Data4-trm/lives", "checkpoint", "5"));

  /* A new one without a checkpoint, under way, is killed: it has no end. */
  const pid_t child = start(s,
                            ARGS("train", TINY_RUN("1000000"), "run_name=killed", "-q",
                                 "log_interval=1", "eval_interval=null"),
                            &(launch){0}, -1);
  all = await_run(&v, "Data4-trm/killed", "stage", "\"running\"");
  assert_true(
      trm__json_is(trm__json_get(run_in(all, "Data4-trm/killed"), "state"), TRM__JSON_NULL));
  assert_int_equal(whole(run_in(all, "Data4-trm/killed"), "checkpoint"), 0);
  trm__json_free(all);
  for (int naps = 0;; naps++) {
    all = get(&v, "/v1/runs", 200);
    const trm__json *run = run_in(all, "Data4-trm/killed");
    const bool goes = trm__json_is_number(trm__json_get(run, "eta")) && whole(run, "updates") > 0;
    trm__json_free(all);
    if (goes) break;
    if (naps == 600) fail_msg("no eta:\n%s", heard);
    nap(50);
  }
  kill(child, SIGKILL);
  (void)finish(s, child);
  all = await_run(&v, "Data4-trm/killed", "stage", "\"stopped\"");
  const trm__json *run = run_in(all, "Data4-trm/killed");
  assert_true(trm__json_is(trm__json_get(run, "eta"), TRM__JSON_NULL));
  assert_true(trm__json_is(trm__json_get(run, "state"), TRM__JSON_NULL));
  char path[100];
  snprintf(path, sizeof path, "/v1/runs/puzzles?run=%d", (int)whole(run, "id"));
  trm__json_free(all);
  trm__json *told = get(&v, path, 200);
  assert_true(trm__json_is(trm__json_get(told, "solved"), TRM__JSON_NULL));
  trm__json_free(told);

  /* One that is removed is gone, and its id is nobody's. */
  assert_int_equal(trm__remove_tree(run_path(s, "killed", ""), NULL), TRM_OK);
  trm__json_free(await_run(&v, "Data4-trm/killed", NULL, NULL));
  trm__json_free(get(&v, path, 404));
  want(close_server(&v), 0);
}

/* A log that was cut and replaced, a configuration and data that are not there. */
static void tells_what_is_broken(void **state) {
  scratch *s = *state;
  want(RUN("train", TINY_RUN("1000"), "run_name=broken", "max_updates=2", "log_interval=1"), 0);
  server v = watch(s, run_path(s, "broken", ""));
  trm__json_free(await_run(&v, "broken", "checkpoint", "2"));
  static const char log[] =
      "{\"step\":1,\"epoch\":1.0,\"time\":5.0,\"x\":1}\nno line\n{\"step\":7,"
      "\"epoch\":7.0,\"time\":6.0,\"x\":1e308}\n{\"step\":9,\"ti";
  write_bytes(run_path(s, "broken", "log.jsonl"), log, strlen(log));
  trm__json_free(await_run(&v, "broken", "updates", "7"));
  trm__json *curves = get(&v, "/v1/runs/curve?key=x", 200);
  const trm__json *curve = trm__json_item(trm__json_get(curves, "curves"), 0);
  assert_int_equal(trm__json_n_items(trm__json_get(curve, "values")), 2);
  trm__json_free(curves);
  curves = get(&v, "/v1/runs/curve?key=train/lm_loss", 200);
  assert_int_equal(trm__json_n_items(trm__json_get(curves, "curves")), 0);
  trm__json_free(curves);
  want(close_server(&v), 0);

  /* Without its data curves are shown, and why there are no puzzles. */
  char there[200], away[200];
  snprintf(there, sizeof there, "%s/test", data_dir);
  snprintf(away, sizeof away, "%s/away", data_dir);
  assert_int_equal(rename(there, away), 0);
  snprintf(there, sizeof there, "%s/train", data_dir);
  assert_int_equal(trm__remove_tree(there, NULL), TRM_OK);
  v = watch(s, run_path(s, "broken", ""));
  trm__json_free(await_run(&v, "broken", "updates", "7"));
  await_problem(&v, "/v1/runs/puzzles?run=0", NULL, "data set is not there");

  /* And a configuration that cannot be read is told; what was read stays. */
  write_bytes(run_path(s, "broken", "config.yaml"), "arch: [", 7);
  write_bytes(run_path(s, "broken", "record.jsonl"), "", 0);
  await_problem(&v, "/v1/runs", "broken", "config.yaml");
  trm__json_free(await_run(&v, "broken", "updates", "7"));
  want(close_server(&v), 0);

  /* Of one that was never read there is no result. */
  v = watch(s, run_path(s, "broken", ""));
  await_problem(&v, "/v1/runs", "broken", "config.yaml");
  trm__json_free(await_run(&v, "broken", "best_exact", "null"));
  want(close_server(&v), 0);
}

/* Answers that nobody reads take so much memory and no more: the next ones are told to come again,
 * and when those clients have left there is room. */
static void unread_answers_are_bounded(void **state) {
  enum { RUNS = 64, POINTS = 256, CLIENTS = 160, BUFFER = 4096 };
  static const char curve[] =
      "GET /v1/runs/curve?key=x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  scratch *s = *state;
  const int size = BUFFER;
  int fd[CLIENTS];
  char four[200], many[200], config[200], part[300];
  want(RUN("train", TINY_RUN("1000"), "run_name=many", "max_updates=1"), 0);
  FILE *log = fopen(scratch_path(s, "log.jsonl"), "w");
  assert_non_null(log);
  for (int i = 1; i <= POINTS; i++)
    (void)fprintf(log, "{\"step\":%d,\"time\":%.3f,\"x\":%.17g}\n", i * 1000, i / 3.0, i / 7.0);
  assert_int_equal(fclose(log), 0);
  snprintf(config, sizeof config, "%s", run_path(s, "many", "config.yaml"));
  snprintf(many, sizeof many, "%s", scratch_path(s, "many"));
  for (int i = 1; i <= RUNS; i++) {
    snprintf(part, sizeof part, "%s/%d", many, i);
    assert_int_equal(trm__make_dirs(part, NULL), TRM_OK);
    snprintf(part, sizeof part, "%s/%d/config.yaml", many, i);
    assert_int_equal(link(config, part), 0);
    snprintf(part, sizeof part, "%s/%d/log.jsonl", many, i);
    assert_int_equal(link(scratch_path(s, "log.jsonl"), part), 0);
  }
  snprintf(four, sizeof four, "%s/four.safetensors", s->dir);
  server v = open_any(
      s, ARGS("serve", four, "--port", "0", "--threads", "1", "--timeout", "1000", "--run", many));
  for (int i = 1; i <= RUNS; i++) {
    snprintf(part, sizeof part, "%d", i);
    trm__json_free(await_run(&v, part, "updates", "256000"));
  }

  for (int i = 0; i < CLIENTS; i++) {
    fd[i] = dial_with(&v, &size);
    put(fd[i], curve);
  }
  int got = 0;
  for (int naps = 0; got != 429 && naps < 600; naps++, nap(50)) got = ask(&v, curve);
  is_status(got, 429);
  says(heard, "Retry-After: 1\r\n");
  is_status(ask(&v, GET("/health", "")), 200);
  for (int i = 0; i < CLIENTS; i++) close(fd[i]);
  for (int naps = 0; got != 200 && naps < 600; naps++, nap(50)) got = ask(&v, curve);
  is_status(got, 200);
  want(close_server(&v), 0);
}

/* Whatever is asked, nothing but what is known is answered. */
static void refuses_other_questions(void **state) {
  static const struct {
    const char *path;
    int status;
  } cases[] = {
      {"/v1/runs/curve", 400},
      {"/v1/runs/curve?key=a&key=b", 400},
      {"/v1/runs/curve?key=%", 400},
      {"/v1/runs/curve?key=%0", 400},
      {"/v1/runs/curve?key=%00", 400},
      {"/v1/runs/curve?key=%+1", 400},
      {"/v1/runs/curve?key=", 200},
      {"/v1/runs/curve?key=%ff%01", 200},
      {"/v1/runs/curve?key=../../../../etc/passwd", 200},
      {"/v1/runs/puzzles", 400},
      {"/v1/runs/puzzles?run=", 400},
      {"/v1/runs/puzzles?run=0x0", 400},
      {"/v1/runs/puzzles?run=..", 400},
      {"/v1/runs/puzzles?run=-1", 404},
      {"/v1/runs/puzzles?run=9223372036854775807", 404},
      {"/v1/runs/puzzles?run=99999999999999999999", 400},
      {"/v1/runs/", 404},
      {"/v1/runs/0", 404},
      {"/v1/runs/..%2f..%2fetc%2fpasswd", 404},
  };
  scratch *s = *state;
  char none[200];
  snprintf(none, sizeof none, "%s", scratch_path(s, "none"));
  assert_int_equal(mkdir(none, 0777), 0);
  server v = watch(s, none);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    trm__json_free(get(&v, cases[i].path, cases[i].status));
  trm__json *all = get(&v, "/v1/runs", 200);
  assert_int_equal(trm__json_n_items(trm__json_get(all, "runs")), 0);
  trm__json_free(all);

  /* A folder that goes away is told. */
  assert_int_equal(rmdir(none), 0);
  await_problem(&v, "/v1/runs", NULL, "does not exist");
  want(close_server(&v), 0);

  /* What is no folder is refused at once. */
  want(RUN("serve", "--port", "0", "--run", none), 1);
  says(err_text, "it does not exist; want a folder of runs, or a run");
  want(RUN("serve", "--port", "0", "--run", scratch_path(s, "four.safetensors")), 1);
  says(err_text, "it is no folder");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(shows_a_run),
      cmocka_unit_test(follows_lives),
      cmocka_unit_test(unread_answers_are_bounded),
      cmocka_unit_test(refuses_other_questions),
      cmocka_unit_test(tells_what_is_broken), /* the last one, for it takes the data away */
  };
  return cmocka_run_group_tests(tests, set_up_runs, scratch_close);
}
