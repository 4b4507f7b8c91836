/* trm finetune as a user runs it: a task that a model has never seen is learned and answered. */
#include <pty.h>

#include "json_text.h"
#include "launch.h"
#include "small_model.h"

static const char task_text[] =
    "{\"train\": [{\"input\": [[1]], \"output\": [[3]]}, {\"input\": [[2]], \"output\": [[3]]}],"
    " \"test\": [{\"input\": [[4]]}, {\"input\": [[5]], \"output\": [[3]]}]}";

static trm_model_config arc_config(void) {
  trm_model_config c = small_config(TRM_ARCH_TRM, 900);
  c.vocab_size = 12;
  c.H_cycles = c.L_cycles = 1;
  c.pos_encodings = TRM_POS_ROPE;
  c.puzzle = (trm_puzzle){.kind = TRM_PUZZLE_ARC, .rows = 30, .cols = 30};
  c.halt_max_steps = 2;
  return c;
}

static void save_model(const trm_model_config *c, const char *dir) {
  trm_error err;
  trm_model *m = small_model(c, 3);
  if (trm_model_save(m, dir, &err) != TRM_OK) fail_msg("%s", err.msg);
  trm_model_free(m);
}

static void a_new_task_is_answered(void **state) {
  scratch *s = *state;
  char model[160], task[160], out[160], submission[160];
  trm_model_config c = arc_config();
  snprintf(model, sizeof model, "%s/model", s->dir);
  snprintf(task, sizeof task, "%s/0f5a1c2e.json", s->dir);
  snprintf(out, sizeof out, "%s/tuned", s->dir);
  snprintf(submission, sizeof submission, "%s/submission.json", s->dir);

  /* A model, and a task it has never seen. */
  save_model(&c, model);
  write_bytes(task, task_text, sizeof task_text - 1);
  want(RUN("finetune", model, "--task", task, "--steps", "5", "--copies", "2", "--batch", "4",
           "--out", out, "--submission", submission),
       0);
  says(out_text, "task 0f5a1c2e, test input 1 of 2");
  says(out_text, "task 0f5a1c2e, test input 2 of 2");

  /* The submission has both test inputs. */
  trm__json *root = json_of_file(submission);
  const trm__json *answers = trm__json_get(root, "0f5a1c2e");
  assert_int_equal(trm__json_n_items(answers), 2);

  /* The same again as JSON: the attempts are those of the submission; three copies have voted. */
  want(RUN("finetune", model, "--task", task, "--steps", "5", "--copies", "2", "--batch", "4",
           "--json"),
       0);
  const char *line = out_text;
  for (size_t i = 0; i < 2; i++) {
    size_t used;
    trm__json *input = json_first(line, &used);
    assert_non_null(input);
    const trm__json *attempts = trm__json_get(input, "attempts"),
                    *best = trm__json_item(attempts, 0);
    assert_true(trm__json_same(trm__json_get(best, "grid"),
                               trm__json_get(trm__json_item(answers, i), "attempt_1")));
    assert_true(trm__json_integer(trm__json_get(best, "votes")) >= 1);
    assert_true(trm__json_integer(trm__json_get(best, "votes")) <= 3);
    /* Only the second input has an output to be right about. */
    assert_int_equal(trm__json_is(trm__json_get(best, "right"), TRM__JSON_NULL), i == 0);
    trm__json_free(input);
    line = strchr(line, '\n') + 1;
  }
  trm__json_free(root);

  /* The model was kept, with the ids of the task and its copies. */
  want(RUN("info", out, "--json"), 0);
  says(out_text, "\"num_puzzle_identifiers\": 4");
}

/* A model of tied embeddings, two nets and learned starts learns it too, with its weights frozen or
 * not; what it leaves is of the same kind. */
static void variants_learn_a_task(void **state) {
  scratch *s = *state;
  char model[160], task[160], out[160];
  trm_model_config c = arc_config();
  c.tie_embeddings = c.learned_latents = true;
  c.nets = TRM_NETS_SEPARATE;
  c.label_smoothing = 0.1;
  snprintf(model, sizeof model, "%s/variant", s->dir);
  snprintf(task, sizeof task, "%s/0f5a1c2e.json", s->dir);
  save_model(&c, model);
  write_bytes(task, task_text, sizeof task_text - 1);

  /* Where latents start is among the weights. */
  for (int frozen = 0; frozen < 2; frozen++) {
    trm_model *before, *after;
    snprintf(out, sizeof out, "%s/tuned%d", s->dir, frozen);
    want(RUN("finetune", model, "--task", task, "--steps", "2", "--copies", "2", "--batch", "4",
             "--out", out, frozen ? "--freeze-weights" : NULL),
         0);
    says(out_text, "task 0f5a1c2e, test input 2 of 2");
    assert_int_equal(trm_model_load(model, &before, NULL), TRM_OK);
    assert_int_equal(trm_model_load(out, &after, NULL), TRM_OK);
    assert_true(trm_model_get_config(after)->learned_latents);
    const trm_tensor a = trm_model_tensor_named(before, "H_init"),
                     b = trm_model_tensor_named(after, "H_init");
    assert_int_equal(!memcmp(a.data, b.data, 16 * sizeof(float)), frozen);
    trm_model_free(before);
    trm_model_free(after);
  }
}

/* Copies that are answered several times vote once each. */
static void copies_are_answered_in_rollouts(void **state) {
  scratch *s = *state;
  char model[160], task[160];
  trm_model_config c = arc_config();
  snprintf(model, sizeof model, "%s/rolled", s->dir);
  snprintf(task, sizeof task, "%s/0f5a1c2e.json", s->dir);
  save_model(&c, model);
  write_bytes(task, task_text, sizeof task_text - 1);
  want(RUN("finetune", model, "--task", task, "--steps", "1", "--copies", "2", "--json",
           "--rollouts", "3", "--noise", "0.5"),
       0);

  /* Of each of both test inputs the task itself and two copies. */
  int inputs = 0;
  for (const char *line = out_text; *line; line = strchr(line, '\n') + 1, inputs++) {
    size_t used;
    int64_t votes = 0;
    trm__json *input = json_first(line, &used);
    assert_non_null(input);
    const trm__json *attempts = trm__json_get(input, "attempts");
    for (size_t i = 0; i < trm__json_n_items(attempts); i++)
      votes += trm__json_integer(trm__json_get(trm__json_item(attempts, i), "votes"));
    assert_in_range(votes, 1, 3);
    trm__json_free(input);
  }
  assert_int_equal(inputs, 2);
}

typedef struct tuning {
  char model[160], task[160], submission[160], plain[160], state[160], answers[170];
} tuning;

static void set_out(scratch *s, tuning *t) {
  trm_model_config c = arc_config();
  snprintf(t->model, sizeof t->model, "%s/model", s->dir);
  snprintf(t->task, sizeof t->task, "%s/0f5a1c2e.json", s->dir);
  snprintf(t->submission, sizeof t->submission, "%s/submission.json", s->dir);
  snprintf(t->plain, sizeof t->plain, "%s/plain.json", s->dir);
  snprintf(t->state, sizeof t->state, "%s/tune.state", s->dir);
  snprintf(t->answers, sizeof t->answers, "%s.answers", t->state);
  save_model(&c, t->model);
  write_bytes(t->task, task_text, sizeof task_text - 1);
}

static bool is_there(const char *path) {
  return access(path, F_OK) == 0;
}

static void await(const char *path) {
  for (int i = 0; i < 6000 && !is_there(path); i++) nap(10);
  assert_true(is_there(path));
}

#define TUNING \
  "finetune", t.model, "--task", t.task, "--steps", "20", "--copies", "3", "--batch", "4"

/* Stopped at growing moments until it is done: answers, model and submission of one that was not.
 */
static void stopped_ones_go_on(void **state) {
  /* Two models and two submissions. */
  scratch *s = *state;
  static char uninterrupted[TEXT];
  tuning t;
  char out1[160], out2[160], one[200], two[200];
  set_out(s, &t);
  snprintf(out1, sizeof out1, "%s/out1", s->dir);
  snprintf(out2, sizeof out2, "%s/out2", s->dir);

  /* One that nobody stops. */
  want(RUN(TUNING, "--submission", t.plain, "--out", out1), 0);
  memcpy(uninterrupted, out_text, sizeof out_text);

  /* One that is stopped by three signals in turn, each time a little later. */
  int code, stopped = 0, tries = 0;
  do {
    pid_t child =
        start(s, ARGS(TUNING, "--submission", t.submission, "--out", out2, "--state", t.state),
              &(launch){0}, -1);
    nap(20 + 40 * tries);
    kill(child, tries % 3 == 2 ? SIGKILL : tries % 3 ? SIGHUP : SIGTERM);
    code = finish(s, child);
    assert_in_range(++tries, 1, 300);

    /* Killed, or stopped before it could listen, it says nothing; else it tells how to go on. */
    if (code > 1000) continue;
    assert_true(code == 0 || code == 130);
    stopped += code == 130;
    if (code == 130) says(err_text, "the same command goes on from");
  } while (code != 0);

  /* Some stops were heard, and the end is the same: text, submission and weights. */
  assert_true(stopped > 0);
  assert_string_equal(out_text, uninterrupted);
  same_files(t.plain, t.submission);
  snprintf(one, sizeof one, "%s/model.safetensors", out1);
  snprintf(two, sizeof two, "%s/model.safetensors", out2);
  same_files(one, two);

  /* A state that is not needed any more is removed. */
  assert_false(is_there(t.state) || is_there(t.answers));
}

/* While it answers, a stop leaves the votes that are there, and the same command the rest. */
static void a_stop_while_answering_keeps_the_votes(void **state) {
  /* One step of training and long answers, so that it is answering when the state appears. */
  scratch *s = *state;
  tuning t;
  set_out(s, &t);
  const char *const *args =
      ARGS("finetune", t.model, "--task", t.task, "--steps", "1", "--copies", "5", "--answer-steps",
           "20", "--threads", "1", "--submission", t.submission, "--state", t.state);

  /* The submission of one that nobody stops. */
  want(RUN("finetune", t.model, "--task", t.task, "--steps", "1", "--copies", "5", "--answer-steps",
           "20", "--threads", "1", "--submission", t.plain),
       0);

  /* The stop leaves a submission, valid and incomplete. */
  pid_t child = start(s, args, &(launch){0}, -1);
  await(t.state);
  kill(child, SIGTERM);
  want(finish(s, child), 130);
  says(err_text, "has the votes of the answers until then");
  trm__json *root = json_of_file(t.submission);
  assert_true(trm__json_is(root, TRM__JSON_OBJECT));
  trm__json_free(root);
  assert_true(is_there(t.state) && is_there(t.answers));

  /* The same command completes it. */
  want(run_with(s, &(launch){0}, args), 0);
  same_files(t.plain, t.submission);
  assert_false(is_there(t.state) || is_there(t.answers));
}

/* Without a state what was learned answers. */
static void a_stop_without_a_state_still_answers(void **state) {
  scratch *s = *state;
  tuning t;
  char out[160], model[200], text[4096] = "";
  int master, slave;
  struct winsize size = {24, 100, 0, 0};

  /* On a terminal, a training that does not end by itself. */
  set_out(s, &t);
  snprintf(out, sizeof out, "%s/tuned", s->dir);
  snprintf(model, sizeof model, "%s/model.safetensors", out);
  if (openpty(&master, &slave, NULL, NULL, &size) != 0) skip();
  pid_t child = start(s,
                      ARGS("finetune", t.model, "--task", t.task, "--steps", "1000000", "--copies",
                           "2", "--submission", t.submission, "--out", out),
                      &(launch){0}, slave);
  close(slave);

  /* The bar shows the loss of an example: some 4 here, those of the batch are six times as much. */
  size_t used = 0;
  const char *loss = NULL;
  for (ssize_t n; used < sizeof text - 1 && (!loss || !strchr(loss, ' ')); used += (size_t)n) {
    if ((n = read(master, text + used, sizeof text - 1 - used)) <= 0) break;
    loss = strstr(text, "loss ");
    if (loss) loss += strlen("loss ");
  }
  if (!loss) fail_msg("no loss in: %s", text);
  assert_true(strtod(loss, NULL) > 0 && strtod(loss, NULL) < 8);

  /* Stopped, it answers, and the submission and the model are there. */
  kill(child, SIGTERM);
  while (read(master, text, sizeof text) > 0) {
  }
  want(finish(s, child), 130);
  close(master);
  says(out_text, "task 0f5a1c2e, test input 2 of 2");
  trm__json *root = json_of_file(t.submission);
  assert_int_equal(trm__json_n_items(trm__json_get(root, "0f5a1c2e")), 2);
  trm__json_free(root);
  assert_true(is_there(model));
}

/* --- a file of many tasks --- */

/* Five that can be answered, with seven test inputs; one above the canvas, one that is none, one
 * without a test input. */
static const char many_text[] =
    "{\"wide\": {\"train\": [{\"input\": [[1]], \"output\": [[3]]}], \"test\": [{\"input\": [[1, "
    "2, 3, "
    "4, 5, 6, 7]]}]},"
    " \"e\": {\"train\": [{\"input\": [[1]], \"output\": [[3]]}], \"test\": [{\"input\": [[4]]}, "
    "{\"input\": [[6]]}, {\"input\": [[7]]}]},"
    " \"pink\": {\"train\": [{\"input\": [[1]], \"output\": [[10]]}], \"test\": [{\"input\": "
    "[[4]]}, "
    "{\"input\": [[4]]}]},"
    " \"a\": [{\"input\": [[1]], \"output\": [[3]]}, {\"input\": [[5]], \"output\": [[3]]}],"
    " \"untested\": {\"train\": [{\"input\": [[1]], \"output\": [[3]]}], \"test\": []},"
    " \"b\": [{\"input\": [[1]], \"output\": [[4]]}, {\"input\": [[5]], \"output\": null}],"
    " \"c\": [{\"input\": [[1]], \"output\": [[5]]}, {\"input\": [[5]], \"output\": [[3]]}],"
    " \"d\": [{\"input\": [[1]], \"output\": [[6]]}, {\"input\": [[5]], \"output\": [[3]]}]}";

static void set_out_many(scratch *s, tuning *t) {
  set_out(s, t);
  trm_model_config c = arc_config();
  c.seq_len = 36;
  c.puzzle.rows = c.puzzle.cols = 6;
  snprintf(t->model, sizeof t->model, "%s/small", s->dir);
  snprintf(t->task, sizeof t->task, "%s/arc-agi_test_challenges.json", s->dir);
  save_model(&c, t->model);
  write_bytes(t->task, many_text, sizeof many_text - 1);
}

/* Two attempts to every test input of every task, in the order of the file. */
static void check_complete(const char *submission) {
  /* The tasks of the file, each with its number of test inputs. */
  static const struct {
    const char *id;
    size_t n;
  } want_tasks[] = {{"wide", 1},     {"e", 3}, {"pink", 2}, {"a", 1},
                    {"untested", 0}, {"b", 1}, {"c", 1},    {"d", 1}};

  /* Every task is there, one that could not be read, too. */
  trm__json *root = json_of_file(submission);
  assert_int_equal(trm__json_n_members(root), 8);
  for (size_t i = 0; i < 8; i++) {
    const trm__json *inputs = trm__json_member(root, i);
    assert_string_equal(trm__json_key(root, i), want_tasks[i].id);
    assert_true(trm__json_is(inputs, TRM__JSON_ARRAY));

    /* Two attempts for each input, and each is a grid. */
    assert_int_equal(trm__json_n_items(inputs), want_tasks[i].n);
    for (size_t k = 0; k < want_tasks[i].n; k++)
      for (int attempt = 1; attempt <= 2; attempt++) {
        char key[16];
        snprintf(key, sizeof key, "attempt_%d", attempt);
        const trm__json *grid = trm__json_get(trm__json_item(inputs, k), key);
        assert_in_range(trm__json_n_items(grid), 1, 30);
        assert_in_range(trm__json_n_items(trm__json_item(grid, 0)), 1, 30);
      }
  }
  trm__json_free(root);
}

static void all_tasks_of_a_file_are_answered(void **state) {
  scratch *s = *state;
  tuning t;
  set_out_many(s, &t);

  /* What could not be answered is told with the reason, and every task is in the submission. */
  want(RUN("finetune", t.model, "--task", t.task, "--steps", "3", "--copies", "2", "--submission",
           t.submission),
       0);
  says(err_text,
       "larger than the model's canvas of 6 x 6 cells, not answered: 1 of 8, the first is wide");
  says(err_text, "not valid, not answered: 1 of 8 (pink);");
  says(err_text, "without a \"test\" pair: 1 of 8");
  says(err_text, "test inputs without an answer: 3");
  says(out_text, "task wide, test input 1 of 1\nno answer");
  check_complete(t.submission);

  /* An attempt that nothing was learned for is the input. */
  trm__json *root = json_of_file(t.submission);
  const trm__json *grid =
      trm__json_get(trm__json_item(trm__json_get(root, "wide"), 0), "attempt_2");
  assert_int_equal(trm__json_n_items(trm__json_item(grid, 0)), 7); /* the input */
  trm__json_free(root);

  /* Where none can be answered it is said why. */
  static const char wide_text[] =
      "{\"train\": [{\"input\": [[1]], \"output\": [[3]]}], \"test\": [{\"input\": [[1, 2, 3, 4, "
      "5, 6, "
      "7]]}]}";
  write_bytes(t.task, wide_text, sizeof wide_text - 1);
  want(RUN("finetune", t.model, "--task", t.task, "--submission", t.submission), 3);
  says(err_text, "larger than the model's canvas");
  write_bytes(t.task, "{\"a\": 3}", 8);
  want(RUN("finetune", t.model, "--task", t.task, "--submission", t.submission), 3);
  says(err_text, "task a: want an array");
}

static void kill_when_there(scratch *s, const char *const *args, const char *path) {
  pid_t child = start(s, args, &(launch){0}, -1);
  await(path);
  kill(child, SIGKILL);
  assert_true(finish(s, child) > 1000);
}

/* Killed, it goes on with the time that is left, and the submission is complete whatever there is
 * time for. */
static void the_time_for_all_tasks_is_limited(void **state) {
  scratch *s = *state;
  tuning t;
  char file[180];
  set_out_many(s, &t);
  snprintf(file, sizeof file, "%s.time", t.state);

/* The same command with much time and with little, stopped when its state is there. */
#define TIMED(minutes)                                                                           \
  ARGS("finetune", t.model, "--task", t.task, "--copies", "5", "--threads", "1", "--submission", \
       t.submission, "--state", t.state, "--minutes", minutes)
  const char *const *whole = TIMED("100"), *const *args = TIMED("0.1");
  kill_when_there(s, whole, t.state);

  /* The clock knows what was used. */
  trm__json *clock = json_of_file(file);
  assert_true(trm__json_number(trm__json_get(clock, "seconds")) > 0);
  assert_int_equal(trm__json_integer(trm__json_get(clock, "trained")), -1);
  trm__json_free(clock);

  /* With little time it goes on and comes to an end. */
  want(run_with(s, &(launch){0}, args), 0);
  says(err_text, "going on after update");
  check_complete(t.submission);
  assert_false(is_there(t.state) || is_there(t.answers) || is_there(file));

  /* All time was used before: not even one update more, and no answer. */
  static const char used[] = "{\"seconds\": 1e6, \"row_step\": 0.001, \"trained\": -1}";
  kill_when_there(s, whole, t.state);
  write_bytes(file, used, sizeof used - 1);
  want(run_with(s, &(launch){0}, args), 0);
  assert_null(strstr(err_text, "going on after update"));
  says(err_text, "the time is over: 0 of 42 copies");
  says(err_text, "test inputs without an answer: 10");
  check_complete(t.submission);
  assert_false(is_there(t.state) || is_there(t.answers) || is_there(file));

  /* The clock of a state that is gone says nothing; that of one that is there may be hurt. */
  write_bytes(file, used, sizeof used - 1);
  kill_when_there(s, whole, t.state);
  clock = json_of_file(file);
  assert_true(trm__json_number(trm__json_get(clock, "seconds")) < 1e5);
  trm__json_free(clock);
  static const char hurt[] = "{\"seconds\": -1, \"row_step\": 0, \"trained\": -1}";
  write_bytes(file, hurt, sizeof hurt - 1);
  want(run_with(s, &(launch){0}, args), 3);
  says(err_text, "tune.state.time");
}

/* A file that has the name of a clock, and is none, is left as it is. */
static void clocks_of_others_are_kept(void **state) {
  scratch *s = *state;
  tuning t;
  char file[180];
  static const char *const others[] = {"notes\n", "{}", "{\"seconds\": 1}", ""};
  set_out(s, &t);
  snprintf(file, sizeof file, "%s.time", t.state);
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    size_t n;
    write_bytes(file, others[i], strlen(others[i]));
    want(RUN(TUNING, "--state", t.state, "--minutes", "1"), 3);
    says(err_text, "tune.state.time");
    says(err_text, "give --state another name");
    unsigned char *kept = read_bytes(file, &n);
    assert_int_equal(n, strlen(others[i]));
    assert_memory_equal(kept, others[i], n);
    free(kept);
    assert_false(is_there(t.state) || is_there(t.answers));
  }
}

static void what_cannot_be_learned_is_refused(void **state) {
  scratch *s = *state;
  char model[160], plain[160], task[160];
  trm_model_config c = arc_config();
  snprintf(model, sizeof model, "%s/model", s->dir);
  snprintf(plain, sizeof plain, "%s/plain", s->dir);
  snprintf(task, sizeof task, "%s/task.json", s->dir);

  /* A model without puzzle embeddings has nothing to learn with its weights frozen. */
  save_model(&c, model);
  c.puzzle_emb_ndim = c.puzzle_emb_len = 0;
  trm_model *m;
  trm_error err;
  assert_int_equal(trm_model_create(&c, 1, &m, &err), TRM_OK);
  assert_int_equal(trm_model_save(m, plain, &err), TRM_OK);
  trm_model_free(m);
  write_bytes(task, task_text, sizeof task_text - 1);
  want(RUN("finetune", plain, "--task", task, "--freeze-weights"), 2);
  says(err_text, "no puzzle embeddings");

  /* No task, a task that is not there, and times that are none. */
  want(RUN("finetune", model), 2);
  want(RUN("finetune", model, "--task", task, "--rollouts", "2"), 2);
  says(err_text, "--rollouts wants --noise");
  want(RUN("finetune", model, "--task", "nowhere.json"), 1);
  static const char *const minutes[] = {"0", "-1", "nan", "inf", "1e300", "1e8"};
  for (size_t i = 0; i < sizeof minutes / sizeof *minutes; i++) {
    want(RUN("finetune", model, "--task", "nowhere.json", "--minutes", minutes[i]), 2);
    says(err_text, "--minutes: want a number above 0, at most 10000000");
  }
  want(RUN("finetune", model, "--task", "nowhere.json", "--minutes", "1e7"), 1);

  /* Folders that hold anything else are left as they are, before any work. */
  want(RUN("finetune", model, "--task", task, "--steps", "100000000", "--out", s->dir), 1);
  says(err_text, "which no model folder does");
  want(RUN("convert", model, s->dir), 1);
  says(err_text, "which no model folder does");
  want(RUN("convert", model, plain), 0);

  /* A task without a test, and one that is broken. */
  static const char no_test[] =
      "{\"train\": [{\"input\": [[1]], \"output\": [[2]]}], \"test\": []}";
  write_bytes(task, no_test, sizeof no_test - 1);
  want(RUN("finetune", model, "--task", task), 3);
  says(err_text, "no \"test\" pair");
  write_bytes(task, "{", 1);
  want(RUN("finetune", model, "--task", task), 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_new_task_is_answered, scratch_open, scratch_close),
      cmocka_unit_test_setup_teardown(variants_learn_a_task, scratch_open, scratch_close),
      cmocka_unit_test_setup_teardown(copies_are_answered_in_rollouts, scratch_open, scratch_close),
      cmocka_unit_test_setup_teardown(stopped_ones_go_on, scratch_open, scratch_close),
      cmocka_unit_test_setup_teardown(a_stop_while_answering_keeps_the_votes, scratch_open,
                                      scratch_close),
      cmocka_unit_test_setup_teardown(a_stop_without_a_state_still_answers, scratch_open,
                                      scratch_close),
      cmocka_unit_test_setup_teardown(all_tasks_of_a_file_are_answered, scratch_open,
                                      scratch_close),
      cmocka_unit_test_setup_teardown(the_time_for_all_tasks_is_limited, scratch_open,
                                      scratch_close),
      cmocka_unit_test_setup_teardown(clocks_of_others_are_kept, scratch_open, scratch_close),
      cmocka_unit_test_setup_teardown(what_cannot_be_learned_is_refused, scratch_open,
                                      scratch_close),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
