/* An evaluation that is stopped and goes on says the same, to the bit, as one that is not. */
#include <unistd.h>

#include "arc_data.h"
#include "comma_locale.h"
#include "processors.h"
#include "small_model.h"

enum { ROWS = 37, S = 5, V = 7, IDS = 3, STEPS = 4 };

/* --- a small evaluation --- */

static trm_dataset *make_data(scratch *s, const char *name, uint64_t seed) {
  int32_t inputs[ROWS * S], labels[ROWS * S], ids[ROWS];
  trm__rng r = trm__rng_at(seed, TRM__RNG_TEST, 1, 0);
  for (int i = 0; i < ROWS * S; i++) {
    inputs[i] = (int32_t)trm__rng_below(&r, V);
    labels[i] = (int32_t)trm__rng_below(&r, V);
    if (i % S == 0) ids[i / S] = (int32_t)trm__rng_below(&r, IDS);
  }
  write_small_data(scratch_path(s, name), ROWS, S, V, IDS, inputs, labels, ids);
  return open_small_data(s->path);
}

static trm_model *make_model(uint64_t seed) {
  trm_model_config c = small_config(TRM_ARCH_TRM, S);
  c.halt_max_steps = STEPS;
  return small_model(&c, seed);
}

/* What an evaluation tells while it runs, and when it is stopped. */
typedef struct witness {
  int64_t calls, stop_at; /* of progress; 0: never */
  int64_t rows, fail_at;  /* rows told; the row callback that fails; 0: none */
  int64_t synced;         /* rows told when the last state was announced */
  int told[ROWS + ARC_MAX];
} witness;

static bool progress(void *arg, int64_t done, int64_t total) {
  witness *w = arg;
  assert_in_range(done, 0, total);
  return ++w->calls != w->stop_at;
}

static trm_status row(void *arg, const trm_eval_row *r, trm_error *err) {
  witness *w = arg;
  if (++w->rows == w->fail_at) return trm__fail(err, TRM_E_IO, -1, "no room");
  w->told[r->example]++;
  return TRM_OK;
}

static trm_status sync_all(void *arg, trm_error *err) {
  witness *w = arg;
  (void)err;
  w->synced = w->rows;
  return TRM_OK;
}

static trm_eval_config watched(trm_eval_config c, witness *w) {
  c.progress = progress;
  c.progress_arg = w;
  c.row = row;
  c.row_arg = w;
  c.state_sync = sync_all;
  return c;
}

static const char *state_path(scratch *s) {
  static char path[160];
  snprintf(path, sizeof path, "%s/eval.state", s->dir);
  return path;
}

/* --- stopping --- */

/* Stops again and again, each time with another batch and number of threads. */
static void interrupted_is_the_same(scratch *s, const trm_model *m, const trm_dataset *d,
                                    trm_eval_config c, int64_t every) {
  static trm_eval_report want, got;
  static const int ways[][2] = {{5, 1}, {3, 2}, {8, 3}, {ROWS, 1}, {0, 2}};
  trm_error err;
  int sessions = 0;
  trm_status st;
  witness w = {0};

  /* The report of one that is not stopped. */
  assert_int_equal(trm_evaluate(m, d, &c, &want, NULL), TRM_OK);
  c = watched(c, &w);
  c.state = state_path(s);

  /* Sessions in other ways of computing, each stopped a little later. */
  do {
    c.batch = ways[sessions % 5][0];
    c.threads = ways[sessions % 5][1];
    w.calls = 0;
    /* Far enough for a row to be finished: the call that tells where it goes on counts as well. */
    w.stop_at = STEPS + 1 + every;
    w.synced = 0;
    int64_t before = w.rows;
    memset(&got, 0x55, sizeof got);
    st = trm_evaluate(m, d, &c, &got, &err);
    assert_true(st == TRM_OK || st == TRM_E_INTERRUPTED);

    /* All that was told was safe before the state was. */
    assert_true(w.synced == w.rows || w.rows == before);
    if (st != TRM_OK) assert_true(speaks_of(&err, "eval.state"));
    assert_in_range(++sessions, 1, 100);
  } while (st != TRM_OK);

  /* The last one's report is the same to the byte, and every row was told once. */
  assert_true(sessions > 2 || every > 3);
  assert_memory_equal(&got, &want, sizeof want);
  int64_t rows = c.limit ? c.limit : ROWS;
  for (int64_t i = 0; i < ROWS; i++) assert_int_equal(w.told[i], i < rows);

  /* A complete state gives the report at once. */
  w = (witness){0};
  memset(&got, 0x55, sizeof got);
  assert_int_equal(trm_evaluate(m, d, &c, &got, NULL), TRM_OK);
  assert_memory_equal(&got, &want, sizeof want);
  assert_true(w.rows == 0 && w.calls == 1);
  assert_int_equal(unlink(state_path(s)), 0);
}

static void stopped_evaluations_go_on(void **state) {
  scratch *s = *state;
  trm_dataset *d = make_data(s, "data", 1);
  trm_model *m = make_model(3);
  for (int64_t every = 0; every < 6; every++) {
    interrupted_is_the_same(s, m, d, (trm_eval_config){.steps = 0}, every);
    interrupted_is_the_same(s, m, d, (trm_eval_config){.limit = 23}, every);
    interrupted_is_the_same(s, m, d, (trm_eval_config){.limit = 23, .spread = true}, every);
    interrupted_is_the_same(s, m, d, (trm_eval_config){.halt = TRM_HALT_Q}, every);
    interrupted_is_the_same(
        s, m, d, (trm_eval_config){.halt = TRM_HALT_Q, .halt_margin = -0.3, .steps = 3}, every);
  }
  trm_model_free(m);
  trm_dataset_free(d);
}

/* Stopped early it has seen some of everything, and in the end all of it once. */
static void a_spread_evaluation_sees_some_of_everything(void **state) {
  static trm_eval_report plain, spread;
  scratch *s = *state;
  trm_dataset *d = make_data(s, "data", 1);
  trm_model *m = make_model(3);
  trm_eval_config c = {.batch = 4};
  assert_int_equal(trm_evaluate(m, d, &c, &plain, NULL), TRM_OK);
  for (int limit = 1; limit <= ROWS; limit++) {
    witness w = {0};
    c = watched((trm_eval_config){.batch = 4, .spread = true, .limit = limit}, &w);
    assert_int_equal(trm_evaluate(m, d, &c, &spread, NULL), TRM_OK);
    for (int i = 0; i < ROWS; i++) assert_int_equal(w.told[i], i < limit);
  }
  assert_memory_equal(&plain, &spread, sizeof plain);
  /* After two batches of four rows: rows of both halves of the file. */
  witness w = {.stop_at = 2 * STEPS + 1};
  c = watched((trm_eval_config){.batch = 4, .spread = true}, &w);
  assert_int_equal(trm_evaluate(m, d, &c, &spread, NULL), TRM_E_INTERRUPTED);
  assert_int_equal(w.rows, 8);
  int first = 0, last = 0;
  for (int i = 0; i < ROWS; i++) *(i < ROWS / 2 ? &first : &last) += w.told[i];
  assert_true(first >= 3 && last >= 3);
  trm_model_free(m);
  trm_dataset_free(d);
}

/* The host program chooses another decimal point in between. */
static void a_state_is_the_same_in_every_locale(void **state) {
  static trm_eval_report got;
  scratch *s = *state;
  trm_dataset *d = make_data(s, "data", 1);
  trm_model *m = make_model(3);
  witness w = {.stop_at = 2 * STEPS};
  trm_error err;
  trm_eval_config c =
      watched((trm_eval_config){.batch = 4, .halt = TRM_HALT_Q, .halt_margin = -0.3}, &w);
  c.state = state_path(s);
  assert_int_equal(trm_evaluate(m, d, &c, &got, NULL), TRM_E_INTERRUPTED);
  w.stop_at = 0;
  const bool entered = enter_comma_locale(s);
  if (trm_evaluate(m, d, &c, &got, &err) != TRM_OK) fail_msg("%s", err.msg);
  (void)setlocale(LC_ALL, "C");
  assert_int_equal(unlink(state_path(s)), 0);
  trm_model_free(m);
  trm_dataset_free(d);
  if (!entered) skip();
}

/* What is killed has the state of its last save, and rows told since are told again. */
static void states_are_saved_on_the_way(void **state) {
  static trm_eval_report want, got;
  scratch *s = *state;
  trm_dataset *d = make_data(s, "data", 1);
  trm_model *m = make_model(3);
  witness w = {.fail_at = 20};
  trm_error err;
  trm_eval_config c = {.batch = 4, .threads = 1};
  assert_int_equal(trm_evaluate(m, d, &c, &want, NULL), TRM_OK);
  c = watched(c, &w);
  c.state = state_path(s);
  c.state_seconds = 1e-9;
  assert_int_equal(trm_evaluate(m, d, &c, &got, &err), TRM_E_IO);
  assert_true(speaks_of(&err, "no room"));
  assert_true(w.synced == 16);
  w.fail_at = 0;
  w.rows = 0;
  assert_int_equal(trm_evaluate(m, d, &c, &got, NULL), TRM_OK);
  assert_int_equal(w.rows, ROWS - 16);
  assert_memory_equal(&got, &want, sizeof want);
  assert_int_equal(unlink(state_path(s)), 0);
  /* Nowhere to write it. */
  c.state = "/nonexistent/eval.state";
  assert_int_equal(trm_evaluate(m, d, &c, &got, &err), TRM_E_IO);
  trm_model_free(m);
  trm_dataset_free(d);
}

/* --- refusals --- */

static void other_evaluations_are_refused(void **state) {
  static trm_eval_report r;
  scratch *s = *state;
  trm_dataset *d = make_data(s, "data", 1), *other = make_data(s, "other", 2);
  trm_model *m = make_model(3), *changed = make_model(3);
  trm_model_tensor_named(changed, "lm_head.weight").data[5] += 1;

  /* A state of an evaluation that was stopped. */
  witness w = {.stop_at = 9};
  trm_error err;
  trm_eval_config c = watched((trm_eval_config){.batch = 4}, &w);
  c.state = state_path(s);
  assert_int_equal(trm_evaluate(m, d, &c, &r, NULL), TRM_E_INTERRUPTED);
  w.stop_at = 0;

  /* Anything that would change the report. */
  trm_eval_config limit = c, steps = c, halt = c, margin = c, tag = c;
  limit.limit = 5;
  steps.steps = 2;
  halt.halt = TRM_HALT_Q;
  margin.halt = TRM_HALT_Q;
  margin.halt_margin = 1;
  tag.state_tag = 1;
  const struct {
    const trm_model *m;
    const trm_dataset *d;
    trm_eval_config c;
    const char *word;
  } bad[] = {{changed, d, c, "another model"},
             {m, other, c, "other data"},
             {m, d, limit, "--limit was all, now 5"},
             {m, d, steps, "--steps was 4, now 2"},
             {m, d, halt, "--halt was never, now q;"},
             {m, d, margin, "--halt was never, now q=1.0;"},
             {m, d, tag, "other outputs"}};

  /* Each is refused with what is another, and the remedy. */
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal(trm_evaluate(bad[i].m, bad[i].d, &bad[i].c, &r, &err), TRM_E_CONFIG);
    assert_true(speaks_of(&err, bad[i].word));
    assert_true(speaks_of(&err, "remove the file"));
  }
  assert_int_equal(trm_model_set_dtype(m, TRM_BFLOAT16, NULL), TRM_OK);
  assert_int_equal(trm_evaluate(m, d, &c, &r, &err), TRM_E_CONFIG);
  assert_true(speaks_of(&err, "--dtype was float32, now bfloat16"));
  assert_int_equal(trm_model_set_dtype(m, TRM_FLOAT32, NULL), TRM_OK);

  /* The same examples, and another label is ignored. */
  char path[200];
  trm_dataset_free(make_data(s, "again", 1));
  snprintf(path, sizeof path, "%s/test/dataset.json", s->path);
  const char other_json[] = "{\"vocab_size\": 7, \"seq_len\": 5, \"num_puzzle_identifiers\": 3}";
  write_bytes(path, other_json, strlen(other_json));
  trm_dataset *again = open_small_data(s->path);
  assert_int_equal(trm_evaluate(m, again, &c, &r, &err), TRM_E_CONFIG);
  assert_true(speaks_of(&err, "ignored labels"));
  trm_dataset_free(again);

  /* With all as it was it goes on. */
  assert_int_equal(trm_evaluate(m, d, &c, &r, &err), TRM_OK);
  assert_int_equal(unlink(c.state), 0);
  trm_model_free(m);
  trm_model_free(changed);
  trm_dataset_free(d);
  trm_dataset_free(other);
}

/* However much a configuration says, its last word is one. */
enum { MAZE = 2 * 50, MAZE_V = 6, MANY_IDS = 65536 };
static trm_model *make_long_model(const char *noise) {
  static const char *const settings[][2] = {{"num_puzzle_identifiers", "65536"},
                                            {"puzzle_emb_ndim", "1"},
                                            {"halt_max_steps", "1000"},
                                            {"expansion", "3.3333333333"},
                                            {"rope_theta", "1.1e-30"},
                                            {"rms_norm_eps", "1.1e-30"},
                                            {"pos_encodings", "rope2d"},
                                            {"rope_theta_cols", "1.1e-30"},
                                            {"nets", "separate"},
                                            {"x_always", "true"},
                                            {"tie_embeddings", "true"},
                                            {"qk_norm", "true"},
                                            {"gate_norm", "true"},
                                            {"attn_out_norm", "true"},
                                            {"inner_norm_eps", "1.1e-30"},
                                            {"grid_tables", "true"},
                                            {"registers", "10"},
                                            {"feedback", "true"},
                                            {"start_std", "1.1e-30"},
                                            {"damping", "1.1e-30"},
                                            {"open_cells", "true"},
                                            {"max_open_cells", "80"},
                                            {"H_cycles", "10"},
                                            {"L_cycles", "10"}};
  trm_model_config c = small_config(TRM_ARCH_TRM, MAZE);
  trm_error err = {0};
  c.vocab_size = MAZE_V;
  c.puzzle = (trm_puzzle){.kind = TRM_PUZZLE_MAZE, .rows = 2, .cols = MAZE / 2};
  for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
    if (trm_model_config_set(&c, settings[i][0], settings[i][1], &err)) fail_msg("%s", err.msg);
  assert_int_equal(trm_model_config_set(&c, "update_noise", noise, &err), TRM_OK);
  return small_model(&c, 3);
}
static void long_configurations_differ(void **state) {
  static trm_eval_report r;
  scratch *s = *state;
  int32_t cells[ROWS * MAZE], ids[ROWS] = {0};
  for (int i = 0; i < ROWS * MAZE; i++) cells[i] = 1 + i % (MAZE_V - 1);
  write_small_data(scratch_path(s, "mazes"), ROWS, MAZE, MAZE_V, MANY_IDS, cells, cells, ids);
  trm_dataset *d = open_small_data(s->path);
  trm_model *m = make_long_model("1.1e-30"), *other = make_long_model("0.55e-30");
  witness w = {.stop_at = 9};
  trm_error err;
  trm_eval_config c = watched((trm_eval_config){.batch = 4, .steps = 2, .threads = 1}, &w);
  c.state = state_path(s);
  if (trm_evaluate(m, d, &c, &r, &err) != TRM_E_INTERRUPTED) fail_msg("%s", err.msg);
  w.stop_at = 0;
  assert_int_equal(trm_evaluate(other, d, &c, &r, &err), TRM_E_CONFIG);
  assert_true(speaks_of(&err, "another model"));
  assert_int_equal(trm_evaluate(m, d, &c, &r, &err), TRM_OK);
  assert_int_equal(unlink(c.state), 0);
  trm_model_free(m);
  trm_model_free(other);
  trm_dataset_free(d);
}

/* The margin is told in as few digits as it has, and one that was written in more is the same. */
static void a_margin_is_the_same_in_any_digits(void **state) {
  static const char now[] = "q=0.1", before[] = "q=0.10000000000000001";
  static trm_eval_report r;
  scratch *s = *state;
  trm_dataset *d = make_data(s, "data", 1);
  trm_model *m = make_model(3);
  witness w = {.stop_at = 9};
  trm_error err;
  trm_eval_config c = watched((trm_eval_config){.batch = 4}, &w);
  c.halt = TRM_HALT_Q;
  c.halt_margin = 0.1;
  c.state = state_path(s);
  assert_int_equal(trm_evaluate(m, d, &c, &r, NULL), TRM_E_INTERRUPTED);
  w.stop_at = 0;

  size_t n;
  unsigned char *bytes = read_bytes(c.state, &n), *at = bytes + 8;
  while (at < bytes + n && memcmp(at, now, sizeof now - 1) != 0) at++;
  assert_true(at < bytes + n && at[sizeof now - 1] == '"');
  const size_t front = (size_t)(at - bytes), more = sizeof before - sizeof now;
  unsigned char *old = malloc(n + more);
  assert_non_null(old);
  memcpy(old, bytes, front);
  memcpy(old + front, before, sizeof before - 1);
  memcpy(old + front + sizeof before - 1, at + sizeof now - 1, n - front - (sizeof now - 1));
  const size_t header = (old[0] | (size_t)old[1] << 8) + more;
  old[0] = (unsigned char)(header & 0xff);
  old[1] = (unsigned char)(header >> 8);
  write_bytes(c.state, old, n + more);

  c.halt_margin = 0.25;
  assert_int_equal(trm_evaluate(m, d, &c, &r, &err), TRM_E_CONFIG);
  assert_true(speaks_of(&err, "now q=0.25;"));
  c.halt_margin = 0.1;
  if (trm_evaluate(m, d, &c, &r, &err) != TRM_OK) fail_msg("%s", err.msg);
  assert_int_equal(unlink(c.state), 0);
  free(bytes);
  free(old);
  trm_model_free(m);
  trm_dataset_free(d);
}

/* Whatever byte is hurt: an error or, where it is a loss or a count in its range, a report. */
static void hurt_states_do_no_harm(void **state) {
  /* A state of an evaluation that was stopped. */
  static trm_eval_report r;
  scratch *s = *state;
  trm_dataset *d = make_data(s, "data", 1);
  trm_model *m = make_model(3);
  witness w = {.stop_at = 9};
  trm_eval_config c = watched((trm_eval_config){.batch = 4, .threads = 1}, &w);
  c.state = state_path(s);
  assert_int_equal(trm_evaluate(m, d, &c, &r, NULL), TRM_E_INTERRUPTED);

  /* Cut anywhere, it is refused. */
  size_t n, refused = 0;
  unsigned char *bytes = read_bytes(c.state, &n);
  for (size_t cut = 0; cut < n; cut += n / 13 + 1) {
    write_bytes(c.state, bytes, cut);
    w.stop_at = 0;
    assert_int_not_equal(trm_evaluate(m, d, &c, &r, NULL), TRM_OK);
  }

  /* With a byte changed it is refused, or what it says is in its range. */
  for (size_t at = 0; at < n; at += n / 150 + 1) {
    unsigned char kept = bytes[at];
    bytes[at] ^= 0xff;
    write_bytes(c.state, bytes, n);
    w = (witness){0};
    refused += trm_evaluate(m, d, &c, &r, NULL) != TRM_OK;
    bytes[at] = kept;
  }

  /* Most changes are seen. */
  assert_true(refused > 75);

  assert_int_equal(unlink(c.state), 0);
  free(bytes);
  trm_model_free(m);
  trm_dataset_free(d);
}

/* --- votes --- */

static arc_set set;

static trm_model *arc_model(void) {
  trm_model_config c = small_config(TRM_ARCH_TRM, TRM__ARC_CELLS);
  c.vocab_size = 12;
  c.num_puzzle_identifiers = ARC_IDS;
  c.H_cycles = c.L_cycles = 1;
  c.halt_max_steps = 2;
  return small_model(&c, 5);
}

static trm_arc_votes *open_votes(const char *dir) {
  trm_arc_votes *v;
  assert_int_equal(trm_arc_votes_create(dir, &v, NULL), TRM_OK);
  return v;
}

/* Counts and submission of some votes, to be compared byte by byte. */
typedef struct outcome {
  trm_arc_counts counts;
  double pass[2];
  char text[1 << 16];
} outcome;

static void take_outcome(scratch *s, const trm_arc_votes *v, outcome *o) {
  memset(o, 0, sizeof *o);
  assert_int_equal(trm_arc_votes_count(v, (const int[]){1, 2}, 2, o->pass, &o->counts, NULL),
                   TRM_OK);
  assert_int_equal(trm_arc_votes_submit(v, scratch_path(s, "sub.json"), NULL), TRM_OK);
  size_t n;
  unsigned char *text = read_bytes(s->path, &n);
  assert_true(n < sizeof o->text);
  memcpy(o->text, text, n);
  free(text);
}

static void votes_go_on(void **state) {
  static trm_eval_report want, got;
  static outcome a, b;
  scratch *s = *state;
  char dir[160];
  trm_error err;

  /* Votes of an evaluation that is not stopped. */
  arc_make(&set, 11);
  snprintf(dir, sizeof dir, "%s", scratch_path(s, "arc"));
  arc_write(&set, dir);
  trm_dataset *d = open_small_data(dir);
  trm_model *m = arc_model();
  trm_arc_votes *v = open_votes(dir);
  trm_eval_config c = {.batch = 4, .votes = v};
  assert_int_equal(trm_evaluate(m, d, &c, &want, NULL), TRM_OK);
  take_outcome(s, v, &a);
  assert_true(a.counts.votes == set.n && a.counts.grids > 14);

  /* Votes that are there already cannot be told from those of a state. */
  c.state = state_path(s);
  assert_int_equal(trm_evaluate(m, d, &c, &got, &err), TRM_E_ARGUMENT);
  assert_true(speaks_of(&err, "empty"));

  /* Without a state votes of evaluations are pooled. */
  c.state = NULL;
  assert_int_equal(trm_evaluate(m, d, &c, &got, NULL), TRM_OK);
  take_outcome(s, v, &b);
  assert_int_equal(b.counts.votes, 2 * set.n);
  assert_true(b.counts.grids == a.counts.grids);
  assert_string_equal(a.text, b.text);
  trm_arc_votes_free(v);

  /* Stopped again and again, with the votes of its state. */
  c.state = state_path(s);
  trm_status st;
  int sessions = 0;
  do {
    witness w = {.stop_at = 6};
    c.votes = v = open_votes(dir);
    c = watched(c, &w);
    c.batch = 3 + sessions;
    st = trm_evaluate(m, d, &c, &got, NULL);
    assert_true(st == TRM_OK || st == TRM_E_INTERRUPTED);
    if (st == TRM_OK) take_outcome(s, v, &b);
    trm_arc_votes_free(v);
    assert_in_range(++sessions, 1, 40);
  } while (st != TRM_OK);

  /* Report and votes are those of the first. */
  assert_true(sessions > 2);
  assert_memory_equal(&got, &want, sizeof want);
  assert_memory_equal(&a, &b, sizeof a);

  /* A state with votes is none without. */
  c.votes = NULL;
  assert_int_equal(trm_evaluate(m, d, &c, &got, &err), TRM_E_CONFIG);
  trm_model_free(m);
  trm_dataset_free(d);
}

static void hurt_votes_do_no_harm(void **state) {
  /* The state of an evaluation that voted, complete, of the test before. */
  static trm_eval_report r;
  scratch *s = *state;
  size_t n, refused = 0, tried = 0;
  const char *dir = scratch_path(s, "arc");
  trm_dataset *d = open_small_data(dir);
  trm_model *m = arc_model();
  unsigned char *bytes = read_bytes(state_path(s), &n); /* complete, of the test before */
  trm_eval_config c = {.state = state_path(s)};

  /* With a byte changed it is refused, or votes can be counted of it. */
  for (size_t at = 0; at < n; at += n / 300 + 1) {
    unsigned char kept = bytes[at];
    bytes[at] ^= 0xf3;
    write_bytes(c.state, bytes, n);
    c.votes = open_votes(scratch_path(s, "arc"));
    witness w = {.stop_at = 1};
    c.progress = progress;
    c.progress_arg = &w;
    trm_status st = trm_evaluate(m, d, &c, &r, NULL);
    refused += st != TRM_OK;
    outcome o;
    if (st == TRM_OK || st == TRM_E_INTERRUPTED) take_outcome(s, c.votes, &o);
    trm_arc_votes_free(c.votes);
    bytes[at] = kept;
    tried++;
  }

  /* Most changes are seen. */
  assert_true(refused > tried / 2);

  free(bytes);
  trm_model_free(m);
  trm_dataset_free(d);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(stopped_evaluations_go_on),
      cmocka_unit_test(a_spread_evaluation_sees_some_of_everything),
      cmocka_unit_test(a_state_is_the_same_in_every_locale),
      cmocka_unit_test(states_are_saved_on_the_way),
      cmocka_unit_test(other_evaluations_are_refused),
      cmocka_unit_test(long_configurations_differ),
      cmocka_unit_test(a_margin_is_the_same_in_any_digits),
      cmocka_unit_test(hurt_states_do_no_harm),
      cmocka_unit_test(votes_go_on),
      cmocka_unit_test(hurt_votes_do_no_harm),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
