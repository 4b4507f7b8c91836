/* The trainer's state in a file: training goes on bit for bit, and a file that is damaged, made for
 * another run or out to do harm is refused and changes nothing. */
#include "processors.h"
#include "small_trainer.h"

#include <math.h>

#include "io/safetensors.h"

enum { ROWS = 10, MAX_TENSORS = 24, NEXT = 17 /* updates that the states below have seen */ };

static trm_trainer_config training(void) {
  trm_trainer_config c = small_training(ROWS);
  c.seed = 9;
  return c;
}

static trm_trainer *new_trainer(const trm_model_config *mc, const trm_trainer_config *c,
                                uint64_t seed) {
  trm_model *m = small_model(mc, seed);
  trm_trainer *t = small_trainer(m, c);
  trm_model_free(m);
  return t;
}

/* ---- resuming ---- */

static void resumes_bit_for_bit(scratch *s, const trm_model_config *mc,
                                const trm_trainer_config *c) {
  /* One that goes straight on, one that stops half-way, and one that takes over with what may
   * differ on resuming: threads, micro-batch, weights. */
  trm_trainer *straight = new_trainer(mc, c, 5), *first = new_trainer(mc, c, 5);
  trm_trainer_config other = *c; /* what may differ on resuming */
  other.threads = 3;
  other.micro_batch = 1;
  trm_trainer *second = new_trainer(mc, &other, 77);
  trm_metrics a, b;
  trm_error err;

  /* The first two. */
  for (int i = 0; i < 20; i++) a = small_update(straight);
  for (int i = 0; i < 10; i++) (void)small_update(first);
  assert_int_equal(trm_trainer_save(first, scratch_path(s, "half"), &err), TRM_OK);
  trm_trainer_free(first);

  /* The third one has a past of its own, of which nothing may remain. */
  (void)small_update(second);
  if (trm_trainer_load(second, scratch_path(s, "half"), &err) != TRM_OK) fail_msg("%s", err.msg);
  assert_int_equal(trm_trainer_updates(second), 10);

  /* At the end states and metrics are the same. */
  for (int i = 0; i < 10; i++) b = small_update(second);
  same_trainers(s, straight, second);
  assert_memory_equal(&a, &b, sizeof a);
  trm_trainer_free(straight);
  trm_trainer_free(second);
}

static void training_goes_on_bit_for_bit(void **state) {
  trm_model_config mc = small_config(TRM_ARCH_TRM, SMALL_LEN);
  trm_trainer_config c = training();
  mc.halt_exploration_prob = 0.5;
  resumes_bit_for_bit(*state, &mc, &c);
  mc.forward_dtype = TRM_BFLOAT16;
  resumes_bit_for_bit(*state, &mc, &c);
  mc.puzzle_emb_ndim = 0;
  mc.mlp_t = true;
  c.ema_rate = 0;
  c.optimizer = TRM_OPT_ADAMW;
  resumes_bit_for_bit(*state, &mc, &c);
  mc.forward_dtype = TRM_FLOAT32;
  resumes_bit_for_bit(*state, &mc, &c);
  mc = small_config(TRM_ARCH_HIER6, SMALL_LEN);
  resumes_bit_for_bit(*state, &mc, &c);
  mc = small_config(TRM_ARCH_HRM, SMALL_LEN);
  resumes_bit_for_bit(*state, &mc, &c);
  mc = model_config(TIED);
  c = training();
  resumes_bit_for_bit(*state, &mc, &c);
  mc = model_config(ATTENTION);
  c.optimizer = TRM_OPT_MUON;
  c.grad_clip = 0.5;
  resumes_bit_for_bit(*state, &mc, &c);
}

static void a_state_before_the_first_update_loads(void **state) {
  const trm_model_config mc = small_config(TRM_ARCH_TRM, SMALL_LEN);
  const trm_trainer_config c = training();
  trm_trainer *a = new_trainer(&mc, &c, 5), *b = new_trainer(&mc, &c, 6);
  assert_int_equal(trm_trainer_save(a, scratch_path(*state, "fresh"), NULL), TRM_OK);
  assert_int_equal(trm_trainer_load(b, scratch_path(*state, "fresh"), NULL), TRM_OK);
  (void)small_update(a);
  (void)small_update(b);
  same_trainers(*state, a, b);
  trm_trainer_free(a);
  trm_trainer_free(b);
}

/* ---- refusals ---- */

/* A trainer that must not change, and a copy that nothing was loaded into. */
typedef struct pair {
  scratch *s;
  trm_trainer *t, *control;
  state_bytes before;
  char good[160]; /* a file that t would load */
} pair;

static pair make_pair(scratch *s) {
  trm_model_config mc = small_config(TRM_ARCH_TRM, SMALL_LEN);
  mc.halt_exploration_prob = 0.5;
  const trm_trainer_config c = training();
  pair p = {.s = s, .t = new_trainer(&mc, &c, 5), .control = new_trainer(&mc, &c, 5)};
  trm_trainer *other = new_trainer(&mc, &c, 6);
  for (int i = 0; i < 3; i++) {
    (void)small_update(p.t);
    (void)small_update(p.control);
  }
  for (int i = 0; i < NEXT; i++) (void)small_update(other);
  snprintf(p.good, sizeof p.good, "%s", scratch_path(s, "good"));
  assert_int_equal(trm_trainer_save(other, p.good, NULL), TRM_OK);
  trm_trainer_free(other);
  p.before = state_of(s, p.t);
  return p;
}

static void expect_refused(const pair *p, const char *path, trm_status want, const char *word) {
  trm_error err = {0};
  const trm_status st = trm_trainer_load(p->t, path, &err);
  if (st != want) fail_msg("status %d, expected %d (%s): %s", st, want, word, err.msg);
  assert_int_equal(err.code, want);
  assert_true(speaks_of(&err, word));
  const state_bytes now = state_of(p->s, p->t);
  assert_true(same_state(now, p->before));
  free(now.data);
}

/* Goes on as if nothing had been tried, and the good file still loads. */
static void finish(pair *p) {
  for (int i = 0; i < 3; i++) {
    const trm_metrics a = small_update(p->t), b = small_update(p->control);
    assert_memory_equal(&a, &b, sizeof a);
  }
  same_trainers(p->s, p->t, p->control);
  assert_int_equal(trm_trainer_load(p->t, p->good, NULL), TRM_OK);
  assert_int_equal(trm_trainer_updates(p->t), NEXT);
  free(p->before.data);
  trm_trainer_free(p->t);
  trm_trainer_free(p->control);
}

/* The good file, to be changed in one respect and written again. */
typedef struct loose_state {
  trm__safetensors *file;
  int n;
  trm__st_tensor tensors[MAX_TENSORS];
  unsigned char *data[MAX_TENSORS];
} loose_state;

static loose_state take_apart(const char *path) {
  loose_state l;
  assert_int_equal(trm__safetensors_open(path, &l.file, NULL), TRM_OK);
  l.n = trm__safetensors_count(l.file);
  assert_in_range(l.n, 1, MAX_TENSORS);
  for (int i = 0; i < l.n; i++) {
    l.tensors[i] = *trm__safetensors_at(l.file, i);
    const size_t bytes = (size_t)l.tensors[i].count * trm__dtype_size(l.tensors[i].dtype);
    l.data[i] = malloc(bytes + 1);
    assert_non_null(l.data[i]);
    memcpy(l.data[i], l.tensors[i].data, bytes);
    l.tensors[i].data = l.data[i];
  }
  return l;
}

static int place_of(const loose_state *l, const char *name) {
  for (int i = 0; i < l->n; i++)
    if (!strcmp(l->tensors[i].name, name)) return i;
  fail_msg("no tensor %s", name);
  return -1;
}

/* updates NULL: none. */
static const char *put_together(const loose_state *l, scratch *s, const char *updates) {
  const trm__st_meta meta[] = {{"format", "trm trainer state"}, {"updates", updates}};
  const char *path = scratch_path(s, "changed");
  assert_int_equal(trm__safetensors_save(path, l->tensors, l->n, meta, updates ? 2 : 1, NULL),
                   TRM_OK);
  return path;
}

static void throw_away(loose_state *l) {
  for (int i = 0; i < l->n; i++) free(l->data[i]);
  trm__safetensors_close(l->file);
}

/* One value of one tensor changed. */
static void expect_value_refused(const pair *p, const char *name, int64_t at, const void *value,
                                 trm_status want, const char *word) {
  loose_state l = take_apart(p->good);
  const int i = place_of(&l, name);
  const size_t size = trm__dtype_size(l.tensors[i].dtype);
  assert_in_range(at, 0, l.tensors[i].count - 1);
  memcpy(l.data[i] + (size_t)at * size, value, size);
  expect_refused(p, put_together(&l, p->s, "17"), want, word);
  throw_away(&l);
}

static void values_out_of_range_are_refused(void **state) {
  static const struct {
    const char *tensor;
    int64_t at;
    int32_t value;
    const char *word;
  } bad[] = {{"inputs", 0, 7, "row 0"},         {"inputs", ROWS * SMALL_LEN - 1, -1, "row 9"},
             {"labels", 8, 7, "label"},         {"labels", 0, INT32_MAX, "label"},
             {"puzzle_ids", 9, 3, "puzzle id"}, {"puzzle_ids", 0, INT32_MIN, "puzzle id"},
             {"steps", 4, -1, "row 4"},         {"steps", 5, 5, "row 5"},
             {"steps", 9, INT32_MAX, "row 9"}};
  static const uint8_t two = 2;
  pair p = make_pair(*state);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    expect_value_refused(&p, bad[i].tensor, bad[i].at, &bad[i].value, TRM_E_FORMAT, bad[i].word);
  expect_value_refused(&p, "halted", 3, &two, TRM_E_FORMAT, "row 3");
  finish(&p);
}

/* A row that is busy although it has taken all its steps would never be given a puzzle in time. */
static void busy_rows_have_steps_left(void **state) {
  static const uint8_t busy = 0;
  static const int32_t all = 4;
  pair p = make_pair(*state);
  loose_state l = take_apart(p.good);
  memcpy(l.data[place_of(&l, "steps")], &all, sizeof all);
  memcpy(l.data[place_of(&l, "halted")], &busy, sizeof busy);
  expect_refused(&p, put_together(&l, p.s, "17"), TRM_E_FORMAT, "row 0");
  throw_away(&l);
  finish(&p);
}

static void not_finite_values_are_refused(void **state) {
  static const char *const names[] = {"params", "buffers", "puzzle_emb", "ema",
                                      "adam_m", "adam_v",  "z_H",        "z_L"};
  static const float bad[] = {NAN, INFINITY, -INFINITY};
  static const float negative = -1e-20f;
  pair p = make_pair(*state);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    expect_value_refused(&p, names[i], (int64_t)i * 3, &bad[i % 3], TRM_E_NUMERIC, names[i]);
  expect_value_refused(&p, "adam_v", 100, &negative, TRM_E_NUMERIC, "value 100 of adam_v");
  finish(&p);
}

static void updates_must_be_a_count(void **state) {
  static const char *const bad[] = {"-1",
                                    "",
                                    " 3",
                                    "+3",
                                    "0x10",
                                    "3 ",
                                    "1e3",
                                    "many",
                                    "1000000000000001",
                                    "9223372036854775807",
                                    "99999999999999999999999",
                                    NULL};
  pair p = make_pair(*state);
  loose_state l = take_apart(p.good);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    expect_refused(&p, put_together(&l, p.s, bad[i]), TRM_E_FORMAT, "updates");
  throw_away(&l);
  finish(&p);
}

/* Each tensor in turn: missing, one value short, of another type; and one too many. */
static void tensors_must_be_all_there(void **state) {
  /* A state taken apart. */
  pair p = make_pair(*state);
  loose_state l = take_apart(p.good);

  /* Each tensor under another name, one value short, of another type. */
  for (int i = 0; i < l.n; i++) {
    loose_state changed = l;
    changed.tensors[i].name = "elsewhere";
    expect_refused(&p, put_together(&changed, p.s, "17"), TRM_E_SHAPE, l.tensors[i].name);
    changed = l;
    changed.tensors[i].shape[0]--;
    expect_refused(&p, put_together(&changed, p.s, "17"), TRM_E_SHAPE, l.tensors[i].name);
    changed = l;
    changed.tensors[i].dtype = changed.tensors[i].dtype == TRM__U8 ? TRM__F16 : TRM__U8;
    if (changed.tensors[i].dtype == TRM__F16) changed.tensors[i].data = l.data[0];
    expect_refused(&p, put_together(&changed, p.s, "17"), TRM_E_SHAPE, l.tensors[i].name);
  }

  /* One too many. */
  loose_state more = l;
  more.tensors[more.n] = more.tensors[0];
  more.tensors[more.n++].name = "more";
  expect_refused(&p, put_together(&more, p.s, "17"), TRM_E_SHAPE, "tensors");
  throw_away(&l);
  finish(&p);
}

static void damaged_files_are_refused(void **state) {
  /* A good state. */
  pair p = make_pair(*state);
  size_t n;
  unsigned char *data = read_bytes(p.good, &n);
  char path[160];
  snprintf(path, sizeof path, "%s", scratch_path(p.s, "damaged"));

  /* Cut at the ends of its parts and within them. */
  const size_t lengths[] = {0, 7, 8, 100, n / 2, n - 1};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    write_bytes(path, data, lengths[i]);
    expect_refused(&p, path, TRM_E_FORMAT, "damaged");
  }

  /* With a byte too many, and with noise in place of all. */
  data[n] = 0;
  write_bytes(path, data, n + 1);
  expect_refused(&p, path, TRM_E_FORMAT, "damaged");
  trm__rng r = trm__rng_at(1, TRM__RNG_TEST, 2, 0);
  for (size_t i = 0; i < n; i++) data[i] = (unsigned char)trm__rng_u32(&r);
  write_bytes(path, data, n);
  expect_refused(&p, path, TRM_E_FORMAT, "damaged");
  free(data);

  /* A file that is not there, and a folder. */
  expect_refused(&p, scratch_path(p.s, "absent"), TRM_E_IO, "absent");
  assert_int_equal(trm__make_dirs(scratch_path(p.s, "folder"), NULL), TRM_OK);
  expect_refused(&p, scratch_path(p.s, "folder"), TRM_E_IO, "folder");
  finish(&p);
}

/* Bytes of the header, one at a time: refused, or without effect on what is loaded. */
static void spoilt_headers_do_no_harm(void **state) {
  /* A good state, of which only the header is changed. */
  pair p = make_pair(*state);
  size_t n;
  uint64_t header;
  unsigned char *data = read_bytes(p.good, &n);
  char path[160];
  memcpy(&header, data, sizeof header);
  snprintf(path, sizeof path, "%s", scratch_path(p.s, "spoilt"));
  trm__rng r = trm__rng_at(2, TRM__RNG_TEST, 2, 0);
  int refused = 0;

  /* One byte at a time: refused, or loaded as it was. */
  for (int i = 0; i < 200; i++) {
    const size_t at = trm__rng_below(&r, (uint32_t)header + 8);
    const unsigned char kept = data[at];
    data[at] = (unsigned char)trm__rng_u32(&r);
    write_bytes(path, data, n);
    refused += trm_trainer_load(p.t, path, NULL) != TRM_OK;
    data[at] = kept;
  }

  /* Most bytes matter, and after all of these the trainer takes the good state. */
  assert_true(refused > 150);
  free(data);
  assert_int_equal(trm_trainer_load(p.control, p.good, NULL), TRM_OK);
  assert_int_equal(trm_trainer_load(p.t, p.good, NULL), TRM_OK);
  finish(&p);
}

static void states_of_other_runs_are_refused(void **state) {
  pair p = make_pair(*state);
  const trm_model_config mc = small_config(TRM_ARCH_TRM, SMALL_LEN);
  trm_model_config others[6];
  for (int i = 0; i < 6; i++) others[i] = mc;
  others[0] = small_config(TRM_ARCH_HRM, SMALL_LEN);
  others[1] = small_config(TRM_ARCH_SINGLEZ, SMALL_LEN);
  others[2] = small_config(TRM_ARCH_HIER6, SMALL_LEN);
  others[3].mlp_t = true;
  others[4].num_puzzle_identifiers = 20;
  others[5].puzzle_emb_ndim = 0;
  trm_trainer_config c = training();
  for (int i = 0; i < 6; i++) {
    trm_trainer *t = new_trainer(&others[i], &c, 5);
    assert_int_equal(trm_trainer_save(t, scratch_path(p.s, "other"), NULL), TRM_OK);
    expect_refused(&p, scratch_path(p.s, "other"), TRM_E_SHAPE, "other");
    trm_trainer_free(t);
  }
  for (int i = 0; i < 2; i++) {
    c = training();
    if (i == 0) c.batch_size = ROWS + 1;
    if (i == 1) c.ema_rate = 0;
    trm_trainer *t = new_trainer(&mc, &c, 5);
    assert_int_equal(trm_trainer_save(t, scratch_path(p.s, "other"), NULL), TRM_OK);
    expect_refused(&p, scratch_path(p.s, "other"), TRM_E_SHAPE, i ? "ema" : "batch size");
    /* and the other way round */
    assert_int_equal(trm_trainer_load(t, p.good, NULL), TRM_E_SHAPE);
    trm_trainer_free(t);
  }
  finish(&p);
}

static void states_that_cannot_be_written_are_reported(void **state) {
  pair p = make_pair(*state);
  trm_error err;
  assert_int_equal(trm_trainer_save(p.t, scratch_path(p.s, "absent/state"), &err), TRM_E_IO);
  assert_true(speaks_of(&err, "absent/state"));
  finish(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(training_goes_on_bit_for_bit),
      cmocka_unit_test(a_state_before_the_first_update_loads),
      cmocka_unit_test(values_out_of_range_are_refused),
      cmocka_unit_test(busy_rows_have_steps_left),
      cmocka_unit_test(not_finite_values_are_refused),
      cmocka_unit_test(updates_must_be_a_count),
      cmocka_unit_test(tensors_must_be_all_there),
      cmocka_unit_test(damaged_files_are_refused),
      cmocka_unit_test(spoilt_headers_do_no_harm),
      cmocka_unit_test(states_of_other_runs_are_refused),
      cmocka_unit_test(states_that_cannot_be_written_are_reported),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
