/* A training run through trm/run.h: settings and their errors, a run that is stopped by its
 * listener and goes on to the same bytes, evaluations and checkpoints out of turn, what a failed
 * read costs, which model a path means, published files. */
#include <math.h>

#include "small_data.h"

static char data_setting[240], out_setting[240];

/* A data set of Sudokus of 4x4 for all. */
static int set_up(void **state) {
  char data[200];
  if (scratch_open(state)) return -1;
  scratch *s = *state;
  snprintf(data, sizeof data, "%s", scratch_path(s, "data"));
  snprintf(data_setting, sizeof data_setting, "data_paths=[%s]", data);
  snprintf(out_setting, sizeof out_setting, "out=%s", scratch_path(s, "runs"));
  const trm_sudoku_gen_config gen = {.size = 4, .n_train = 64, .n_test = 16, .output_dir = data};
  return trm_gen_sudoku(&gen, NULL, NULL) == TRM_OK ? 0 : -1;
}

/* A listener that counts, and stops after an update. */
typedef struct ear {
  int updates, evaluations, notes, warnings;
  int64_t stop_after; /* 0: never */
  int sound_for;      /* so many more looks; -1: always */
  bool sound_speaks;  /* a failed one has a message */
  bool deaf;          /* stops evaluations */
  char last[300];
} ear;

static void hear(void *arg, trm_run_level level, const char *text) {
  ear *e = arg;
  if (level == TRM_RUN_NOTE) e->notes++;
  if (level == TRM_RUN_WARNING) e->warnings++;
  snprintf(e->last, sizeof e->last, "%.299s", text);
}

static bool follow(void *arg, const trm_run_progress *p) {
  ear *e = arg;
  if (p->evaluating) e->evaluations += p->total == 0;
  if (!p->evaluating) e->updates++;
  assert_true(p->done >= 0 && (p->total == 0 || p->done <= p->total));
  if (p->evaluating) return !e->deaf;
  return !e->stop_after || p->done < e->stop_after;
}

static trm_status is_sound(void *arg, trm_error *err) {
  ear *e = arg;
  if (e->sound_for < 0 || e->sound_for-- > 0) return TRM_OK;
  if (!e->sound_speaks) return TRM_E_IO;
  err->code = TRM_E_IO;
  snprintf(err->msg, sizeof err->msg, "a file was cut");
  return TRM_E_IO;
}

static trm_run_listener listener_of(ear *e) {
  return (trm_run_listener){.message = hear, .progress = follow, .sound = is_sound, .arg = e};
}

static const char *const small[] = {data_setting,
                                    out_setting,
                                    "project_name=p",
                                    "arch=trm",
                                    "arch.L_layers=1",
                                    "arch.H_cycles=2",
                                    "arch.L_cycles=2",
                                    "arch.hidden_size=16",
                                    "arch.num_heads=2",
                                    "arch.mlp_t=True",
                                    "arch.pos_encodings=none",
                                    "arch.puzzle_emb_len=1",
                                    "arch.halt_max_steps=3",
                                    "global_batch_size=16",
                                    "epochs=3",
                                    "eval_interval=1",
                                    "ema=True",
                                    "lr=1e-3",
                                    "lr_warmup_steps=2",
                                    "threads=1",
                                    "device=cpu"};
enum { SMALL = sizeof small / sizeof *small, UPDATES = 12 };

/* With up to three settings more, of which those behind the first NULL are none. */
static trm_run *create_with(const char *name, const char *const more[3],
                            const trm_run_listener *l) {
  const char *settings[SMALL + 4];
  char setting[60];
  int n = SMALL + 1;
  trm_run_config *c;
  trm_run *run;
  trm_error err;
  snprintf(setting, sizeof setting, "run_name=%s", name);
  memcpy(settings, small, sizeof small);
  settings[SMALL] = setting;
  for (int i = 0; i < 3 && more[i]; i++) settings[n++] = more[i];
  if (trm_run_config_load(NULL, settings, n, &c, &err) != TRM_OK) fail_msg("%s", err.msg);
  if (trm_run_create(c, l, &run, &err) != TRM_OK) fail_msg("%s", err.msg);
  assert_int_equal(trm_run_get_plan(run)->end, UPDATES);
  return run;
}

static trm_run *create(const char *name, const trm_run_listener *l) {
  return create_with(name, (const char *const[3]){NULL}, l);
}

static const char *folder_of(scratch *s, const char *name) {
  char part[80];
  snprintf(part, sizeof part, "runs/p/%s", name);
  return scratch_path(s, part);
}

static trm_run *reopen(scratch *s, const char *name, const trm_run_listener *l) {
  trm_run *run;
  trm_error err;
  if (trm_run_open(folder_of(s, name), NULL, 0, l, &run, &err) != TRM_OK) fail_msg("%s", err.msg);
  return run;
}

static void train(trm_run *run, int64_t updates, trm_status want) {
  trm_error err = {0};
  const trm_status st = trm_run_train(run, updates, &err);
  if (st != want) fail_msg("%d, not %d: %s", (int)st, (int)want, err.msg);
}

static void same_file(scratch *s, const char *a, const char *b, const char *file) {
  char path[200];
  size_t n, m;
  snprintf(path, sizeof path, "%s/last/%s", folder_of(s, a), file);
  unsigned char *x = read_bytes(path, &n);
  snprintf(path, sizeof path, "%s/last/%s", folder_of(s, b), file);
  unsigned char *y = read_bytes(path, &m);
  assert_int_equal(n, m);
  assert_memory_equal(x, y, n);
  free(x);
  free(y);
}

/* Stopped by its listener, divided into calls, killed after a call: the same bytes. */
static void a_stopped_run_goes_on_to_the_same_bytes(void **state) {
  scratch *s = *state;
  ear whole = {.sound_for = -1}, part = {.sound_for = -1, .stop_after = 5};
  const trm_run_listener l = listener_of(&whole), m = listener_of(&part);
  trm_run *run = create("whole", &l);
  assert_null(trm_run_get_state(run).folder);
  assert_null(trm_run_model(run));
  train(run, 0, TRM_OK);
  assert_int_equal(whole.updates, UPDATES);
  assert_int_equal(whole.evaluations, 3);
  assert_string_equal(trm_run_get_state(run).folder, folder_of(s, "whole"));
  assert_int_equal(trm_run_get_state(run).saved, UPDATES);
  trm_run_free(run);

  run = create("parts", &m);
  train(run, 0, TRM_E_INTERRUPTED);
  assert_int_equal(trm_run_get_state(run).saved, 5);
  part.stop_after = 0;
  train(run, 2, TRM_OK); /* the same object goes on */
  assert_int_equal(trm_run_get_state(run).update, 7);
  trm_run_free(run); /* updates 6 and 7 are lost */
  run = reopen(s, "parts", &m);
  assert_int_equal(trm_run_get_state(run).update, 5);
  train(run, 1, TRM_OK);
  assert_int_equal(trm_run_save(run, NULL), TRM_OK);
  trm_run_free(run);
  run = reopen(s, "parts", &m);
  assert_int_equal(trm_run_get_state(run).update, 6);
  train(run, 0, TRM_OK);
  train(run, 0, TRM_OK); /* nothing is left */
  trm_run_free(run);
  same_file(s, "whole", "parts", "model.safetensors");
  same_file(s, "whole", "parts", "trainer.safetensors");
}

static void folders_are_made_locked_and_given_back(void **state) {
  scratch *s = *state;
  ear e = {.sound_for = -1};
  const trm_run_listener l = listener_of(&e);
  trm_run *run = create("made", &l), *second;
  trm_error err;
  assert_int_equal(trm_run_check(run, &err), TRM_OK);
  assert_false(trm__path_exists(folder_of(s, "made")));
  assert_int_equal(trm_run_place(run, &err), TRM_OK);
  assert_true(trm__path_is_dir(folder_of(s, "made")));
  assert_int_equal(trm_run_open(folder_of(s, "made"), NULL, 0, &l, &second, &err), TRM_E_IO);
  assert_null(second);
  assert_true(speaks_of(&err, "another process"));

  second = create("made", &l);
  assert_int_equal(trm_run_check(second, &err), TRM_E_CONFIG);
  assert_int_equal(trm_run_train(second, 1, &err), TRM_E_CONFIG);
  assert_true(speaks_of(&err, "exists"));
  trm_run_discard(second); /* the folder is not its own */
  trm_run_free(second);
  assert_true(trm__path_is_dir(folder_of(s, "made")));
  trm_run_discard(run);
  assert_null(trm_run_get_state(run).folder);
  assert_false(trm__path_exists(folder_of(s, "made")));

  /* The run is as before, also one that has begun; with an update it stays. */
  assert_int_equal(trm_run_begin(run, &err), TRM_OK);
  trm_run_discard(run);
  assert_false(trm__path_exists(folder_of(s, "made")));
  train(run, 1, TRM_OK);
  trm_run_discard(run);
  assert_true(trm__path_is_dir(folder_of(s, "made")));
  trm_run_free(run);
}

static void nothing_is_done_before_the_first_update(void **state) {
  (void)state;
  trm_run *run = create("early", NULL);
  trm_error err;
  assert_int_equal(trm_run_evaluate(run, &err), TRM_E_ARGUMENT);
  assert_int_equal(trm_run_save(run, &err), TRM_E_ARGUMENT);
  assert_true(speaks_of(&err, "before the first update"));
  train(run, 1, TRM_OK);
  assert_int_equal(trm_run_evaluate(run, &err), TRM_OK);
  assert_true(trm_run_get_state(run).best_exact >= 0);
  assert_int_equal(trm_run_get_state(run).best_update, 1);
  assert_int_equal(trm_run_save(run, &err), TRM_OK);
  assert_int_equal(trm_run_get_state(run).saved, 1);
  assert_int_equal(trm_run_train(run, -1, &err), TRM_E_ARGUMENT);
  trm_run_free(run);
}

/* What it found best can be gone back to, and a stop costs no update. */
static void an_evaluation_out_of_turn_is_saved(void **state) {
  scratch *s = *state;
  ear e = {.sound_for = -1};
  const trm_run_listener l = listener_of(&e);
  trm_run *run = create("turn", &l);
  trm_error err;
  train(run, 1, TRM_OK);
  assert_int_equal(trm_run_evaluate(run, &err), TRM_OK);
  train(run, 1, TRM_OK);
  assert_int_equal(trm_run_save(run, &err), TRM_OK);
  assert_int_equal(e.warnings, 0);
  assert_int_equal(trm_run_get_state(run).best_update, 1);
  assert_true(trm__path_exists(scratch_path(s, "runs/p/turn/step_1/model.safetensors")));

  train(run, 1, TRM_OK);
  e.deaf = true;
  assert_int_equal(trm_run_evaluate(run, &err), TRM_E_INTERRUPTED);
  assert_int_equal(trm_run_get_state(run).saved, 3);
  trm_run_free(run);
}

/* A read that failed beneath: the updates before it are kept, and nothing that came of it. */
/* The last figure of that name in a run's log; NAN: there is none. */
static double logged(scratch *s, const char *run, const char *key) {
  char path[200], quoted[60];
  size_t n;
  double value = NAN;
  snprintf(path, sizeof path, "%s/log.jsonl", folder_of(s, run));
  snprintf(quoted, sizeof quoted, "\"%s\":", key);
  char *text = (char *)read_bytes(path, &n);
  text = realloc(text, n + 1);
  assert_non_null(text);
  text[n] = 0;
  for (const char *at = text; (at = strstr(at, quoted));)
    value = strtod(at += strlen(quoted), NULL);
  free(text);
  return value;
}

/* What training logs of its weights is what an evaluation with the same tries says of them; without
 * such keys the log has no word of tries. */
static void evaluations_try_as_they_are_told(void **state) {
  scratch *s = *state;
  static const struct {
    const char *name, *settings[3];
    trm_thinking how;
  } runs[] = {
      {"one", {NULL}, {0}},
      {"votes", {"eval_views=4", "eval_select=vote"}, {.views = 4, .select = TRM_SELECT_VOTE}},
      {"noise",
       {"eval_rollouts=3", "eval_noise=0.5", "eval_select=mode"},
       {.rollouts = 3, .noise = 0.5, .select = TRM_SELECT_MODE}},
      {"first",
       {"eval_views=2", "eval_select=first", "eval_bar=-40"},
       {.views = 2, .select = TRM_SELECT_FIRST, .bar = -40}}};
  double losses[4];
  for (int i = 0; i < 4; i++) {
    trm_run *run = create_with(runs[i].name, runs[i].settings, NULL);
    train(run, 0, TRM_OK);
    trm_run_free(run);

    /* The weights that were evaluated last. */
    trm_model *m;
    trm_dataset *d;
    trm_error err;
    trm_eval_report *report = malloc(sizeof *report);
    char path[200];
    snprintf(path, sizeof path, "%s/last", folder_of(s, runs[i].name));
    assert_int_equal(trm_model_load(path, &m, &err), TRM_OK);
    assert_int_equal(trm_dataset_open(scratch_path(s, "data"), "test", &d, &err), TRM_OK);
    const trm_eval_config c = {.threads = 1, .think = runs[i].how};
    if (trm_evaluate(m, d, &c, report, &err) != TRM_OK) fail_msg("%s", err.msg);

    const double tries = logged(s, runs[i].name, "all/tries"),
                 steps = logged(s, runs[i].name, "all/steps");
    losses[i] = logged(s, runs[i].name, "all/lm_loss");
    assert_true(fabs(losses[i] - report->lm_loss) < 1e-9);
    assert_true(fabs(logged(s, runs[i].name, "all/accuracy") - report->accuracy) < 1e-9);
    assert_true(i == 0 ? isnan(tries) && isnan(steps)
                       : tries == report->tries && fabs(steps - report->mean_steps) < 1e-9);
    assert_true(i == 0 || losses[i] != losses[0]);
    trm_model_free(m);
    trm_dataset_free(d);
    free(report);
  }
}

/* Images are asked of puzzles that have none: said before the first update. */
static void views_want_symmetries(void **state) {
  scratch *s = *state;
  int32_t inputs[8 * 4], labels[8 * 4], ids[8] = {0};
  for (int i = 0; i < 8 * 4; i++) inputs[i] = labels[i] = 1 + i % 3;
  const char *settings[] = {NULL, out_setting, "arch=trm", "eval_views=2", "device=cpu"};
  char data[240];
  trm_run_config *c;
  trm_run *run;
  trm_error err;
  char plain[200], test[220], training[220];
  snprintf(plain, sizeof plain, "%s", scratch_path(s, "plain"));
  snprintf(test, sizeof test, "%s/test", plain);
  snprintf(training, sizeof training, "%s/train", plain);
  write_small_data(plain, 8, 4, 5, 1, inputs, labels, ids);
  assert_int_equal(rename(test, training), 0);
  write_small_data(plain, 8, 4, 5, 1, inputs, labels, ids);
  snprintf(data, sizeof data, "data_paths=[%s]", plain);
  settings[0] = data;
  assert_int_equal(trm_run_config_load(NULL, settings, 5, &c, &err), TRM_OK);
  assert_int_equal(trm_run_create(c, NULL, &run, &err), TRM_E_CONFIG);
  assert_true(speaks_of(&err, "eval_views: puzzles of kind none have no symmetries"));
}

static void an_unsound_read_ends_the_run(void **state) {
  scratch *s = *state;
  ear e = {.sound_for = -1};
  const trm_run_listener l = listener_of(&e);
  trm_run *run = create("unsound", &l);
  trm_error err;
  train(run, 2, TRM_OK);
  e.sound_for = 1;
  e.sound_speaks = true;
  assert_int_equal(trm_run_train(run, 0, &err), TRM_E_IO);
  assert_string_equal(err.msg, "a file was cut");
  assert_int_equal(trm_run_get_state(run).saved, 3);

  /* The batch is lost to this object, so that more of it would be another run. */
  e.sound_for = -1;
  assert_int_equal(trm_run_train(run, 1, &err), TRM_E_ARGUMENT);
  assert_true(speaks_of(&err, "open it again"));
  trm_run_free(run);

  /* A listener that only returns the failure, to a caller that wants no message. */
  run = reopen(s, "unsound", &l);
  e.sound_for = 0;
  e.sound_speaks = false;
  assert_int_equal(trm_run_begin(run, NULL), TRM_E_IO);
  e.sound_for = -1;
  assert_int_equal(trm_run_begin(run, &err), TRM_OK);
  e.sound_for = 0;
  assert_int_equal(trm_run_train(run, 0, &err), TRM_E_IO);
  assert_int_equal(err.code, TRM_E_IO);
  trm_run_free(run);
  e.sound_for = -1;
  run = reopen(s, "unsound", &l);
  assert_int_equal(trm_run_get_state(run).update, 3);
  trm_run_free(run);
}

/* --- batches --- */

/* Which updates it was called for, and what it does. */
typedef struct hand {
  int64_t first, last;
  int64_t fails_at;  /* 0: never */
  int64_t breaks_at; /* gives a token out of range */
  bool renames;      /* digits, by the update */
} hand;

static trm_status change(void *arg, int64_t update, const uint8_t *wants, int32_t *inputs,
                         int32_t *labels, int32_t *puzzle_ids, trm_error *err) {
  enum { B = 16, L = 16 };
  hand *h = arg;
  if (!h->first) h->first = update;
  assert_true(update == h->first || update == h->last + 1);
  h->last = update;
  for (int row = 0; row < B; row++) {
    if (!wants[row]) continue;
    assert_int_equal(puzzle_ids[row], 0);
    for (int i = row * L; i < (row + 1) * L; i++) {
      assert_true(labels[i] >= 2 && labels[i] <= 5 && (inputs[i] == 1 || inputs[i] == labels[i]));
      if (!h->renames) continue;
      labels[i] = 2 + (labels[i] - 2 + (int)update) % 4;
      if (inputs[i] > 1) inputs[i] = labels[i];
    }
    if (update == h->breaks_at) labels[row * L] = 6;
  }
  if (update != h->fails_at) return TRM_OK;
  snprintf(err->msg, sizeof err->msg, "no more of this");
  return TRM_E_PUZZLE;
}

/* A listener may change what is learned, by the number of the update; it is the same in a run that
 * was stopped, and without it, or where it changes nothing, the bits are the usual ones. */
static void a_listener_may_change_batches(void **state) {
  scratch *s = *state;
  hand still = {0}, whole = {.renames = true}, part = {.renames = true};
  const trm_run_listener idle = {.arg = &still, .batch = change};
  const trm_run_listener l = {.arg = &whole, .batch = change};
  const trm_run_listener m = {.arg = &part, .batch = change};
  trm_run *run = create("same", &idle);
  train(run, 0, TRM_OK);
  trm_run_free(run);
  same_file(s, "whole", "same", "model.safetensors");
  run = create("renamed", &l);
  train(run, 0, TRM_OK);
  trm_run_free(run);
  assert_true(still.first == 1 && still.last == UPDATES && whole.last == UPDATES);

  /* Stopped between, and on from there. */
  run = create("renamed-parts", &m);
  train(run, 5, TRM_OK);
  assert_int_equal(trm_run_save(run, NULL), TRM_OK);
  trm_run_free(run);
  assert_int_equal(part.last, 5);
  run = reopen(s, "renamed-parts", &m);
  train(run, 0, TRM_OK);
  trm_run_free(run);
  assert_int_equal(part.last, UPDATES);
  same_file(s, "renamed", "renamed-parts", "model.safetensors");
  same_file(s, "renamed", "renamed-parts", "trainer.safetensors");

  /* What it changed was learned. */
  size_t n, k;
  char path[300];
  snprintf(path, sizeof path, "%s/last/model.safetensors", folder_of(s, "renamed"));
  unsigned char *x = read_bytes(path, &n);
  snprintf(path, sizeof path, "%s/last/model.safetensors", folder_of(s, "whole"));
  unsigned char *y = read_bytes(path, &k);
  assert_true(n == k && memcmp(x, y, n) != 0);
  free(x);
  free(y);
}

/* It refuses a batch, or makes one that is none: the run ends, and the updates before are kept. */
static void a_bad_batch_ends_the_run(void **state) {
  scratch *s = *state;
  static const struct {
    const char *name;
    hand h;
    trm_status status;
    const char *says;
  } cases[] = {{"refused", {.fails_at = 4}, TRM_E_PUZZLE, "no more of this"},
               {"broken", {.breaks_at = 4}, TRM_E_RANGE, "6"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    hand h = cases[i].h;
    const trm_run_listener l = {.arg = &h, .batch = change};
    trm_run *run = create(cases[i].name, &l);
    trm_error err;
    assert_int_equal(trm_run_train(run, 0, &err), cases[i].status);
    assert_true(speaks_of(&err, cases[i].says));
    assert_int_equal(trm_run_get_state(run).saved, 3);
    assert_int_equal(trm_run_train(run, 1, &err), TRM_E_ARGUMENT);
    trm_run_free(run);

    h = (hand){0};
    run = reopen(s, cases[i].name, &l);
    train(run, 0, TRM_OK);
    assert_int_equal(h.first, 4);
    trm_run_free(run);
    same_file(s, "whole", cases[i].name, "model.safetensors");
  }
}

/* --- configurations --- */

static void settings_are_layers(void **state) {
  (void)state;
  static const char *const settings[] = {"preset=sudoku6", "lr=1e-3", "lr=5e-4"};
  trm_run_config *c;
  trm_error err;
  char text[64];
  assert_int_equal(trm_run_config_load(NULL, settings, 3, &c, &err), TRM_OK);
  assert_true(trm_run_config_trainer(c)->lr == 5e-4);
  assert_int_equal(trm_run_config_model(c)->hidden_size, 64);
  assert_string_equal(trm_run_config_item(c, "data_paths", 0), "data/sudoku6");
  assert_string_equal(trm_run_config_item(c, "preset", 0), "sudoku6");
  assert_null(trm_run_config_item(c, "data_paths", 1));
  assert_null(trm_run_config_item(c, "run_name", 0));
  assert_null(trm_run_config_item(c, "lr", 0));

  /* One more, which may be another preset below the others. */
  assert_int_equal(trm_run_config_set(c, "arch.hidden_size", "32", &err), TRM_OK);
  assert_int_equal(trm_run_config_set(c, "preset", "sudoku9-small", &err), TRM_OK);
  assert_int_equal(trm_run_config_model(c)->hidden_size, 32);
  assert_int_equal(trm_run_config_model(c)->num_heads, 4);
  assert_true(trm_run_config_trainer(c)->lr == 5e-4);

  /* What is refused changes nothing. */
  assert_int_equal(trm_run_config_set(c, "arch.hidden_size", "-3", &err), TRM_E_CONFIG);
  assert_int_equal(trm_run_config_set(c, "arch.hiden_size", "3", &err), TRM_E_CONFIG);
  assert_true(speaks_of(&err, "did you mean 'arch.hidden_size'?"));
  assert_int_equal(trm_run_config_get(c, "arch.hidden_size", text, sizeof text, &err), TRM_OK);
  assert_string_equal(text, "32");
  assert_int_equal(trm_run_config_get(c, "hidden", text, sizeof text, &err), TRM_E_CONFIG);
  assert_int_equal(trm_run_config_get(NULL, "lr", text, 4, &err), TRM_OK);
  assert_string_equal(text, "0.0");
  trm_run_config_free(c);
}

static void yaml_reads_back(void **state) {
  scratch *s = *state;
  static const char *const settings[] = {"preset=maze-small", "run_name='a b'", "max_updates=9"};
  trm_run_config *c, *back;
  trm_error err;
  assert_int_equal(trm_run_config_load(NULL, settings, 3, &c, &err), TRM_OK);
  const size_t n = trm_run_config_text(c, false, NULL, 0);
  char *text = malloc(2 * n + 2), *again = text + n + 1;
  assert_non_null(text);
  assert_int_equal(trm_run_config_text(c, false, text, n + 1), n);
  write_bytes(scratch_path(s, "c.yaml"), text, n);
  if (trm_run_config_load(s->path, NULL, 0, &back, &err) != TRM_OK) fail_msg("%s", err.msg);
  assert_int_equal(trm_run_config_text(back, false, again, n + 1), n);
  assert_string_equal(text, again);
  free(text);
  trm_run_config_free(c);
  trm_run_config_free(back);
}

/* "update 2/1" would say that a run is past its end. */
static void a_run_that_passed_max_updates_ends_where_it_is(void **state) {
  scratch *s = *state;
  static const char *const fewer[] = {"max_updates=1"};
  trm_error err;
  trm_run *run = create("passed", NULL);
  train(run, 2, TRM_OK);
  assert_int_equal(trm_run_save(run, &err), TRM_OK);
  trm_run_free(run);

  assert_int_equal(trm_run_open(folder_of(s, "passed"), fewer, 1, NULL, &run, &err), TRM_OK);
  assert_int_equal(trm_run_get_plan(run)->end, 2);
  train(run, 0, TRM_OK);
  assert_int_equal(trm_run_get_state(run).update, 2);
  trm_run_free(run);
}

static void bad_input_is_refused_with_its_place(void **state) {
  scratch *s = *state;
  static const char yaml[] = "# a run\nepochs: 5\narch:\n  name: trm\n  lrr: 1\n";
  static const char *const changed[] = {"lr=1"}, *const word[] = {"sudoku6"};
  trm_run_config *c;
  trm_run *run;
  trm_error err;
  write_bytes(scratch_path(s, "bad.yaml"), yaml, sizeof yaml - 1);
  assert_int_equal(trm_run_config_load(s->path, NULL, 0, &c, &err), TRM_E_CONFIG);
  assert_null(c);
  assert_int_equal(err.pos, 5);
  assert_true(speaks_of(&err, "bad.yaml:5:3: unknown key 'arch.lrr'"));
  assert_int_equal(trm_run_config_load(NULL, word, 1, &c, &err), TRM_E_CONFIG);
  assert_true(speaks_of(&err, "preset=sudoku6"));

  run = create("kept", NULL);
  train(run, 1, TRM_OK);
  trm_run_free(run);
  assert_int_equal(trm_run_open(folder_of(s, "kept"), changed, 1, NULL, &run, &err), TRM_E_CONFIG);
  assert_true(speaks_of(&err, "keeps its configuration"));
  assert_int_equal(trm_run_open(s->dir, NULL, 0, NULL, &run, &err), TRM_E_IO);
  assert_true(speaks_of(&err, "not a run folder"));
  assert_null(run);

  /* Two folders above a run, as in OUT/PROJECT/RUN. */
  assert_int_equal(trm_run_open(scratch_path(s, "runs"), NULL, 0, NULL, &run, &err), TRM_E_IO);
  assert_true(speaks_of(&err, "with a run in it: trm train --resume "));
  assert_null(run);
}

static void keys_and_presets_are_listed(void **state) {
  (void)state;
  char text[100];
  int n = 0;
  for (; trm_run_config_field(n); n++) {
    const trm_bounds b = trm_field_bounds(trm_run_config_field(n));
    assert_true(b.key && b.help);
    assert_int_equal(trm_run_config_get(NULL, b.key, text, sizeof text, NULL), TRM_OK);
  }
  assert_true(n > 50);
  for (n = 0; trm_run_preset_at(n); n++)
    assert_ptr_equal(trm_run_preset_find(trm_run_preset_at(n)->name), trm_run_preset_at(n));
  assert_true(n > 10);
  assert_null(trm_run_preset_find("sudoku"));
  assert_null(trm_run_preset_at(-1));
}

/* --- models by their paths --- */

static void paths_mean_models(void **state) {
  scratch *s = *state;
  char file[TRM_PATH_SIZE], path[300];
  const char *which;
  trm_run_state at;
  trm_model *m, *back;
  trm_error err;
  trm_run *run = create("found", NULL);
  train(run, 4, TRM_OK);
  trm_run_free(run);
  assert_int_equal(trm_run_look(folder_of(s, "found"), NULL, &at, &err), TRM_OK);
  assert_int_equal(at.update, 4);
  assert_int_equal(trm_model_find(s->path, NULL, file, &which, &err), TRM_OK);
  assert_string_equal(which, "best");
  assert_non_null(strstr(file, "runs/p/found/step_4"));
  snprintf(path, sizeof path, "%s/last", folder_of(s, "found"));
  assert_int_equal(trm_model_find(path, NULL, file, &which, &err), TRM_OK);
  assert_null(which);
  assert_int_equal(trm_model_open(file, NULL, NULL, &m, &err), TRM_OK);
  assert_int_equal(trm_model_find(scratch_path(s, "nowhere"), NULL, file, &which, &err), TRM_OK);
  assert_string_equal(file, "");
  assert_int_equal(trm_model_find(s->dir, NULL, file, &which, &err), TRM_E_IO);

  /* As others would publish it, and back. */
  ear e = {.sound_for = -1};
  const trm_run_listener l = listener_of(&e);
  bool is;
  assert_int_equal(trm__make_dirs(scratch_path(s, "public"), NULL), TRM_OK);
  snprintf(path, sizeof path, "%s/model.pt", s->path);
  if (trm_published_save(m, path, TRM_FLOAT32, &err) != TRM_OK) fail_msg("%s", err.msg);
  assert_int_equal(trm_published_is(path, &is, &err), TRM_OK);
  assert_true(is);
  assert_int_equal(trm_model_find(s->path, NULL, file, &which, &err), TRM_OK);
  assert_string_equal(file, path);
  if (trm_model_open(file, NULL, &l, &back, &err) != TRM_OK) fail_msg("%s", err.msg);
  const trm_tensor x = trm_model_tensor_at(m, 0), y = trm_model_tensor_at(back, 0);
  assert_int_equal(x.count, y.count);
  assert_memory_equal(x.data, y.data, (size_t)x.count * sizeof *x.data);
  trm_model_free(back);
  trm_model_free(m);

  /* Without its configuration nobody knows what it is: the lines that would do are told. */
  snprintf(path, sizeof path, "%s/all_config.yaml", scratch_path(s, "public"));
  assert_int_equal(remove(path), 0);
  assert_int_equal(trm_model_open(file, NULL, &l, &back, &err), TRM_E_IO);
  assert_null(back);
  assert_true(e.notes > 0);
  assert_non_null(strstr(e.last, "  puzzle_emb_len: "));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_stopped_run_goes_on_to_the_same_bytes),
      cmocka_unit_test(folders_are_made_locked_and_given_back),
      cmocka_unit_test(nothing_is_done_before_the_first_update),
      cmocka_unit_test(an_evaluation_out_of_turn_is_saved),
      cmocka_unit_test(evaluations_try_as_they_are_told),
      cmocka_unit_test(views_want_symmetries),
      cmocka_unit_test(an_unsound_read_ends_the_run),
      cmocka_unit_test(a_listener_may_change_batches),
      cmocka_unit_test(a_bad_batch_ends_the_run),
      cmocka_unit_test(settings_are_layers),
      cmocka_unit_test(yaml_reads_back),
      cmocka_unit_test(a_run_that_passed_max_updates_ends_where_it_is),
      cmocka_unit_test(bad_input_is_refused_with_its_place),
      cmocka_unit_test(keys_and_presets_are_listed),
      cmocka_unit_test(paths_mean_models),
  };
  return cmocka_run_group_tests(tests, set_up, scratch_close);
}
