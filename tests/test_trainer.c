/* Training: the same bits for every split of the work, halting and metrics, errors. With
 * TEST_BRIEF, as under a sanitizer, three of the splits, with several threads each, of one batch
 * size: what a sanitizer sees of the others it has seen. */
#include "kernels/kernels.h"
#include "processors.h"
#include "small_trainer.h"

#include <math.h>

/* ---- the same bits ---- */

static const struct split {
  int threads, micro_batch;
} splits[] = {{1, 1}, {1, 2}, {1, 3}, {1, 5}, {2, 0}, {2, 1},
              {3, 0}, {3, 2}, {6, 1}, {8, 0}, {8, 3}};
enum { UPDATES = 4, ROWS_SOLVED = 8 };

typedef struct outcome {
  state_bytes state;
  trm_metrics metrics[UPDATES];
} outcome;

static bool is_brief(void) {
  return getenv("TEST_BRIEF") != NULL;
}

static outcome run(scratch *s, const trm_model *m, const trm_trainer_config *c) {
  outcome o;
  trm_trainer *t = small_trainer(m, c);
  for (int i = 0; i < UPDATES; i++) o.metrics[i] = small_update(t);
  o.state = state_of(s, t);
  trm_trainer_free(t);
  return o;
}

static void same_bits_of(scratch *s, int which, int batch_size, trm_dtype dtype, size_t first,
                         size_t step) {
  enum { SEVERAL = 4 /* the first split with threads */ };
  if (is_brief()) {
    first = SEVERAL;
    step = 3;
  }
  const trm_model_config mc = model_config(which);
  trm_model *m = small_model(&mc, 5);
  assert_int_equal(trm_model_set_dtype(m, dtype, NULL), TRM_OK);
  trm_trainer_config c = small_training(batch_size);
  const outcome want = run(s, m, &c);
  double halted = 0;
  for (int i = 0; i < UPDATES; i++) halted += want.metrics[i].count;
  /* Otherwise the test says little: rows halt, but not all of them always. */
  assert_true(halted > 0 && halted < (UPDATES - 0.5) * batch_size);
  assert_true((want.metrics[0].q_continue_loss > 0) == (which == HRM));
  for (size_t i = first; i < sizeof splits / sizeof *splits; i += step) {
    c.threads = splits[i].threads;
    c.micro_batch = splits[i].micro_batch;
    const outcome got = run(s, m, &c);
    if (!same_state(got.state, want.state) ||
        memcmp(got.metrics, want.metrics, sizeof want.metrics) != 0)
      fail_msg("model %d, %s, batch %d: other bits with %d threads and micro_batch %d", which,
               trm_dtype_name(dtype), batch_size, c.threads, c.micro_batch);
    free(got.state.data);
  }
  free(want.state.data);
  trm_model_free(m);
}

/* Of the n batch sizes, in both formats. */
static void same_bits(scratch *s, int which, int n, const int *batch_sizes) {
  for (int dtype = 0; dtype < TRM__TRAINED_DTYPES; dtype++)
    for (int i = is_brief() ? n - 1 : 0; i < n; i++)
      same_bits_of(s, which, batch_sizes[i], (trm_dtype)dtype, 0, 1);
}

static void bits_do_not_depend_on_the_split_of_a_mixer(void **state) {
  same_bits(*state, MIXER, 5, (const int[]){5, 8, 16, 21, 43});
}
static void bits_do_not_depend_on_the_split_of_attention(void **state) {
  same_bits(*state, ATTENTION, 3, (const int[]){5, 16, 21});
}
/* An odd number of positions, more channels than a block holds and not a multiple of a vector. */
static void bits_do_not_depend_on_the_split_of_odd_sizes(void **state) {
  for (int dtype = 0; dtype < TRM__TRAINED_DTYPES; dtype++) {
    same_bits_of(*state, ODD_MIXER, 21, (trm_dtype)dtype, 2, 3);
    same_bits_of(*state, ODD_ATTENTION, 29, (trm_dtype)dtype, 2, 3);
  }
}
/* Half a pair of bfloat16 values at the end of a tile would make the bits depend on tiles. */
static void bits_do_not_depend_on_the_split_of_tied_weights(void **state) {
  same_bits(*state, TIED, 1, (const int[]){29});
}
/* Nor that of what a matrix tile sums together: slots long enough to be cut, of several units. */
static void bits_do_not_depend_on_the_split_of_long_slots(void **state) {
  same_bits_of(*state, ODD_ATTENTION, 8 * 70, TRM_BFLOAT16, 5, 33);
  same_bits_of(*state, EXPERTS, 8 * 70, TRM_BFLOAT16, 5, 33);
}

static void tiles_hold_whole_blocks_and_no_more_than_a_slot(void **state) {
  /* Odd and even lengths, both formats, every batch and wish, with and without memory to spare. */
  (void)state;
  trm_model_config mc = model_config(ODD_ATTENTION);
  const trm__kernels *k;
  assert_int_equal(trm__kernels_select(&k, NULL), TRM_OK);
  const int block = k->product[TRM_BFLOAT16].block > 2 ? k->product[TRM_BFLOAT16].block : 2;
  for (int odd = 0; odd < 2; odd++)
    for (int dtype = 0; dtype < TRM__TRAINED_DTYPES; dtype++)
      for (int batch = 1; batch < 80; batch++)
        for (int micro = 0; micro < 12; micro++) {
          trm_trainer_config c = small_training(batch);
          trm_trainer_cost cost;
          trm_error err;
          mc.puzzle_emb_len = 2 + odd;
          mc.forward_dtype = (trm_dtype)dtype;
          c.micro_batch = micro;
          c.memory_budget = micro % 3 ? 1 : 0; /* too little for two rows */
          if (trm_trainer_cost_of(&mc, &c, &cost, &err) != TRM_OK) fail_msg("%s", err.msg);

          /* The micro-batch fits a slot; no tile's end splits what is summed together. */
          const int slot = (batch + 7) / 8, got = cost.micro_batch;
          const int positions = mc.seq_len + mc.puzzle_emb_len;
          const bool whole = dtype == TRM_FLOAT32 || positions % block == 0;
          assert_in_range(got, 1, slot);
          if (!whole) assert_true(got * positions % block == 0 || got == slot);

          /* Where nothing can be split, the caller gets what was asked for. */
          if (micro && whole) assert_int_equal(got, micro < slot ? micro : slot);
        }

  /* A batch of a million rows at the greatest length overflows no count of bytes. */
  trm_trainer_config c = small_training(1 << 20);
  trm_trainer_cost cost;
  trm_error err;
  c.micro_batch = 1 << 20;
  mc.seq_len = 16384;
  mc.puzzle.kind = TRM_PUZZLE_NONE;
  if (trm_trainer_cost_of(&mc, &c, &cost, &err) != TRM_OK) fail_msg("%s", err.msg);
  assert_true(cost.bytes > 0 && cost.micro_batch <= 64);
}

static void bits_do_not_depend_on_the_split_of_hrm(void **state) {
  same_bits(*state, HRM, 2, (const int[]){8, 21});
}

/* ---- halting ---- */

/* A trainer that changes no weight, with q about `halt` and `go` in every row. */
static trm_trainer *still_trainer(const trm_model_config *mc, int rows, float halt, float go) {
  trm_model *m = small_model(mc, 3);
  set_q(m, halt, go);
  trm_trainer_config c = small_training(rows);
  c.lr = c.puzzle_emb_lr = 0;
  trm_trainer *t = small_trainer(m, &c);
  trm_model_free(m);
  return t;
}

/* Rows that are sure halt after `after` steps, and all of them count from there. */
static void expect_halts_after(const trm_model_config *mc, float halt, float go, int after) {
  enum { ROWS = 5 };
  trm_trainer *t = still_trainer(mc, ROWS, halt, go);
  for (int r = 0; r < ROWS; r++) assert_int_equal(trm_trainer_wants(t)[r], 1);
  for (int u = 0; u < 9; u++) {
    (void)small_update(t);
    for (int r = 0; r < ROWS; r++) {
      assert_int_equal(trm_trainer_steps_taken(t)[r], u % after + 1);
      assert_int_equal(trm_trainer_halted(t)[r], u % after + 1 == after);
      assert_int_equal(trm_trainer_wants(t)[r], trm_trainer_halted(t)[r]);
    }
  }
  trm_trainer_free(t);
}

static void rows_halt_when_q_says_so_or_steps_run_out(void **state) {
  (void)state;
  trm_model_config c = model_config(MIXER), hrm = model_config(HRM);
  c.halt_exploration_prob = hrm.halt_exploration_prob = 0;
  expect_halts_after(&c, -3, 9, 4);
  expect_halts_after(&c, 3, 9, 1); /* q[1] has no say without a continue loss */
  expect_halts_after(&hrm, 3, 9, 4);
  expect_halts_after(&hrm, -3, -9, 1);
  c.halt_margin = hrm.halt_margin = 4; /* of q_halt; of the difference to q_continue */
  expect_halts_after(&c, 3, 9, 4);
  expect_halts_after(&c, 5, 9, 1);
  expect_halts_after(&hrm, 5, 2, 4);
  expect_halts_after(&hrm, -3, -9, 1);
  c.halt_max_steps = hrm.halt_max_steps = 1;
  c.halt_exploration_prob = 1; /* of no effect: there is nothing to explore */
  expect_halts_after(&c, -3, 0, 1);
  expect_halts_after(&hrm, -3, 9, 1);
}

/* With probability 1/2 a row draws a minimum of 2, 3 or 4 steps at each step, and may halt from
 * there on: of rows that want to halt, after 1 step 1/2 do, after 2 2/3, after 3 5/6, after 4 all.
 */
static void exploration_keeps_rows_busy(void **state) {
  enum { ROWS = 48, ROUNDS = 40 };
  static const double share[] = {0, 1 / 2.0, 2 / 3.0, 5 / 6.0, 1};

  /* Still means a rate of zero: q stays what makes every row want to halt. */
  const trm_model_config c = model_config(MIXER);
  double busy[5] = {0}, halted[5] = {0};
  (void)state;
  trm_trainer *t = still_trainer(&c, ROWS, 3, 0);

  /* How often a row came to each number of steps, and how often it halted there. */
  for (int u = 0; u < ROUNDS; u++) {
    (void)small_update(t);
    for (int r = 0; r < ROWS; r++) {
      const int steps = trm_trainer_steps_taken(t)[r];
      assert_in_range(steps, 1, 4);
      busy[steps]++;
      halted[steps] += trm_trainer_halted(t)[r];
    }
  }
  trm_trainer_free(t);

  /* Each share is the expected one, within four standard deviations. */
  for (int s = 1; s <= 4; s++) {
    assert_true(busy[s] > 20);
    const double deviation = sqrt(share[s] * (1 - share[s]) / busy[s]);
    if (!(fabs(halted[s] / busy[s] - share[s]) <= 4 * deviation))
      fail_msg("of %g rows %g halted after %d steps", busy[s], halted[s], s);
  }
}

static void busy_rows_ignore_the_fresh_batch(void **state) {
  enum { ROWS = 21 };

  /* Two trainers with the same start. */
  const trm_model_config mc = model_config(ATTENTION);
  const trm_trainer_config c = small_training(ROWS);
  trm_model *m = small_model(&mc, 5);
  trm_trainer *a = small_trainer(m, &c), *b = small_trainer(m, &c);
  static small_batch fresh;
  int ignored = 0;

  /* To one of them, rows of the fresh batch that it does not want are noise. */
  for (int u = 0; u < 6; u++) {
    trm_batch batch = small_batch_at(&fresh, (uint64_t)u);
    for (int r = 0; r < ROWS; r++) {
      if (trm_trainer_wants(b)[r]) continue;
      ignored++; /* what is not looked at may be anything */
      fresh.ids[r] = -1;
      for (int i = 0; i < SMALL_LEN; i++) fresh.inputs[r * SMALL_LEN + i] = 1000 + i;
      for (int i = 0; i < SMALL_LEN; i++) fresh.labels[r * SMALL_LEN + i] = 1000 + i;
    }

    /* Both take the step. */
    assert_int_equal(trm_trainer_step(b, &batch, NULL, NULL), TRM_OK);
    (void)small_update(a);
  }

  /* There were such rows, and they left no trace. */
  assert_true(ignored > 10 && ignored < 5 * ROWS);
  same_trainers(*state, a, b);
  trm_trainer_free(a);
  trm_trainer_free(b);
  trm_model_free(m);
}

/* A halted row starts over: the same puzzle gives the same loss again, a busy one another. */
static void halted_rows_start_over(void **state) {
  (void)state;
  for (int halting = 0; halting < 2; halting++) {
    trm_model_config mc = model_config(MIXER);
    mc.halt_exploration_prob = 0;
    trm_trainer *t = still_trainer(&mc, 8, halting ? 3 : -3, 0);
    static small_batch b;
    const trm_batch fresh = small_batch_at(&b, 1);
    trm_metrics first, second;
    assert_int_equal(trm_trainer_step(t, &fresh, &first, NULL), TRM_OK);
    assert_int_equal(trm_trainer_step(t, &fresh, &second, NULL), TRM_OK);
    assert_true((first.lm_loss == second.lm_loss) == halting);
    trm_trainer_free(t);
  }
}

static bool is_zero(trm_tensor t) {
  for (int64_t i = 0; i < t.count; i++)
    if (t.data[i] != 0) return false;
  return true;
}

/* A vector that latents start from learns of the rows that have just begun, and of no others. */
static void starts_learn_of_rows_that_begin(void **state) {
  (void)state;
  static const char *const starts[] = {"H_init", "L_init"};
  trm_model_config mc = model_config(TIED);
  mc.halt_exploration_prob = 0;
  trm_trainer *t = still_trainer(&mc, 8, -3, 0); /* nobody halts but at the end */
  for (int u = 0; u < 2 * mc.halt_max_steps; u++) {
    (void)small_update(t);
    for (int i = 0, k = 0; i < trm_model_tensor_count(trm_trainer_weights(t)); i++) {
      const trm_tensor g = trm_trainer_gradient_at(t, i);
      if (k == 2 || strcmp(g.name, starts[k]) != 0) continue;
      assert_int_equal(g.kind, TRM_TENSOR_PARAM);
      assert_int_equal(is_zero(g), u % mc.halt_max_steps != 0);
      k++;
    }
  }
  trm_trainer_free(t);
}

/* The first step's logits of a model. */
static void first_logits(const trm_model *m, float *out) {
  static small_batch b;
  const trm_batch puzzles = small_batch_at(&b, 9);
  trm_solver *s;
  trm_error err;
  if (trm_solver_create(m, &(trm_solver_config){.batch = 4}, &s, &err) != TRM_OK ||
      trm_solver_start(s, 4, puzzles.inputs, puzzles.puzzle_ids, &err) != TRM_OK ||
      trm_solver_step(s, &err) != TRM_OK)
    fail_msg("%s", err.msg);
  memcpy(out, trm_solver_logits(s), 4 * SMALL_LEN * 7 * sizeof *out);
  trm_solver_free(s);
}

/* An average solves from its own starts: as a model does whose buffers they are. */
static void averages_start_where_theirs_are(void **state) {
  (void)state;
  float logits[3][4 * SMALL_LEN * 7];
  const trm_model_config mc = model_config(TIED);
  trm_model_config fixed = mc;
  trm_model *m = small_model(&mc, 5), *still;
  trm_error err;
  const trm_trainer_config c = small_training(12);
  trm_trainer *t = small_trainer(m, &c);
  for (int u = 0; u < UPDATES; u++) (void)small_update(t);

  /* The same weights with starts that are never trained: once the average's, once the raw ones. */
  fixed.learned_latents = false;
  assert_int_equal(trm_model_create(&fixed, 1, &still, &err), TRM_OK);
  assert_int_equal(trm_model_tensor_named(still, "H_init").kind, TRM_TENSOR_BUFFER);
  first_logits(trm_trainer_ema(t), logits[0]);
  assert_int_equal(trm_model_copy_weights(still, trm_trainer_ema(t), NULL, &err), TRM_OK);
  first_logits(still, logits[1]);
  memcpy(trm_model_tensor_named(still, "H_init").data,
         trm_model_tensor_named(trm_trainer_weights(t), "H_init").data, 16 * sizeof(float));
  first_logits(still, logits[2]);
  assert_memory_equal(logits[0], logits[1], sizeof logits[0]);
  assert_memory_not_equal(logits[0], logits[2], sizeof logits[0]);
  trm_model_free(still);
  trm_trainer_free(t);
  trm_model_free(m);
}

/* What row r's answer deserves. */
static void count_row(trm_metrics *m, const int32_t *labels, const int32_t *answer, bool sure,
                      int steps) {
  int valid = 0, right = 0;
  for (int i = 0; i < SMALL_LEN; i++) {
    valid += labels[i] >= 0;
    right += labels[i] >= 0 && labels[i] == answer[i];
  }
  if (!valid) return;
  m->count++;
  m->accuracy += (double)right / valid;
  m->exact_accuracy += right == valid;
  m->q_halt_accuracy += sure == (right == valid);
  m->steps += steps;
}

/* Each row's puzzle is solved beside the trainer, which stands still, for as many steps; labels are
 * made so that some rows are exactly right. */
static void metrics_count_halted_rows_only(void **state) {
  enum { ROWS = 21 };
  const trm_model_config mc = model_config(ATTENTION);
  static small_batch fresh, now;
  int32_t answer[4][ROWS * SMALL_LEN];
  double counted = 0, exact = 0, unlabelled = 0;
  (void)state;
  trm_trainer *t = still_trainer(&mc, ROWS, 3, 0);
  trm_solver *s;
  assert_int_equal(trm_solver_create(trm_trainer_weights(t),
                                     &(trm_solver_config){.batch = ROWS, .threads = 1}, &s, NULL),
                   TRM_OK);
  for (int u = 0; u < 8; u++) {
    trm_batch batch = small_batch_at(&fresh, (uint64_t)u);
    trm_metrics want = {0}, got;
    for (int r = 0; r < ROWS; r++) {
      if (!trm_trainer_wants(t)[r]) continue;
      memcpy(now.inputs + r * SMALL_LEN, fresh.inputs + r * SMALL_LEN, SMALL_LEN * sizeof(int32_t));
      now.ids[r] = fresh.ids[r];
    }
    assert_int_equal(trm_solver_start(s, ROWS, now.inputs, now.ids, NULL), TRM_OK);
    for (int k = 0; k < 4; k++) {
      trm_solver_step(s, NULL);
      memcpy(answer[k], trm_solver_answer(s), sizeof answer[k]);
    }
    for (int r = 0; r < ROWS; r++) {
      if (!trm_trainer_wants(t)[r]) continue;
      for (int i = r * SMALL_LEN; i < (r + 1) * SMALL_LEN; i++) {
        if (r % 3 == 0 && fresh.labels[i] >= 0) fresh.labels[i] = answer[r % 4][i];
        now.labels[i] = fresh.labels[i];
      }
    }
    assert_int_equal(trm_trainer_step(t, &batch, &got, NULL), TRM_OK);
    for (int r = 0; r < ROWS; r++) {
      const int steps = trm_trainer_steps_taken(t)[r];
      const double before = want.count;
      if (!trm_trainer_halted(t)[r]) continue;
      count_row(&want, now.labels + r * SMALL_LEN, answer[steps - 1] + r * SMALL_LEN, true, steps);
      unlabelled += want.count == before;
    }
    assert_true(got.count == want.count && got.steps == want.steps);
    assert_true(got.exact_accuracy == want.exact_accuracy);
    assert_true(got.q_halt_accuracy == want.q_halt_accuracy);
    assert_true(fabs(got.accuracy - want.accuracy) < 1e-9);
    assert_true(fabs(got.loss - got.lm_loss - 0.5 * (got.q_halt_loss + got.q_continue_loss)) <
                1e-9);
    counted += got.count;
    exact += got.exact_accuracy;
  }
  /* Otherwise the test says little. */
  assert_true(exact > 3 && exact < counted && counted < 8 * ROWS - 10 && unlabelled > 3);
  trm_solver_free(s);
  trm_trainer_free(t);
}

/* ---- errors ---- */

static void data_out_of_range_change_nothing(void **state) {
  enum { ROWS = 5 };
  const trm_model_config mc = model_config(ATTENTION);
  const trm_trainer_config c = small_training(ROWS);

  /* Tokens, labels and ids below and above what the model has, in different rows. */
  static small_batch b;
  const struct {
    int32_t *at, value;
    const char *word;
    int row;
  } bad[] = {{b.inputs + 13, 7, "token 7", 2},
             {b.inputs, -1, "token -1", 0},
             {b.inputs + 29, INT32_MIN, "token", 4},
             {b.labels + 29, 7, "label 7", 4},
             {b.labels, INT32_MAX, "label", 0},
             {b.ids + 3, 3, "id 3", 3},
             {b.ids + 4, -1, "id -1", 4}};

  /* All of them, in each state of the rows up to the one in which all want a fresh puzzle. */
  trm_model *m = small_model(&mc, 5);
  trm_trainer *t = small_trainer(m, &c);
  for (int u = 0; u < 4; u++) { /* until all rows want a fresh puzzle */
    const state_bytes before = state_of(*state, t);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
      const trm_batch fresh = small_batch_at(&b, (uint64_t)u);
      trm_error err;

      /* A row that is not looked at may hold anything. */
      if (!trm_trainer_wants(t)[bad[i].row]) continue;
      *bad[i].at = bad[i].value;

      /* The error names the value and the row, and the trainer is what it was. */
      assert_int_equal(trm_trainer_step(t, &fresh, NULL, &err), TRM_E_RANGE);
      assert_true(speaks_of(&err, bad[i].word));
      assert_int_equal(err.pos, bad[i].row);
      const state_bytes after = state_of(*state, t);
      assert_true(same_state(before, after));
      free(after.data);
    }
    free(before.data);

    /* A good batch is still taken. */
    (void)small_update(t);
  }
  trm_trainer_free(t);
  trm_model_free(m);
}

/* One bad value in any tensor: the update is not applied, the tensor named, nothing saved. */
static void not_finite_weights_are_named(void **state) {
  static const float values[] = {NAN, INFINITY};
  const trm_model_config mc = model_config(HRM);
  const trm_trainer_config c = small_training(5);
  trm_model *m = small_model(&mc, 5);
  for (int i = 0; i < trm_model_tensor_count(m); i++) {
    trm_trainer *t = small_trainer(m, &c);
    trm_error err;
    static small_batch b;
    const trm_batch fresh = small_batch_at(&b, 1);
    for (int k = 0; k < 5 * SMALL_LEN; k++) b.inputs[k] %= 6;
    assert_int_equal(trm_trainer_step(t, &fresh, NULL, NULL), TRM_OK);
    const trm_tensor w = trm_model_tensor_at(trm_trainer_weights(t), i);
    /* The last row of the token embedding belongs to a token that the batch does not have. */
    for (int64_t j = w.kind == TRM_TENSOR_PARAM ? w.count - 1 : 0; j < w.count; j++)
      w.data[j] = values[i % 2];
    for (int u = 0; u < 4; u++) { /* a buffer is used by the next refill */
      if (trm_trainer_step(t, &fresh, NULL, &err) != TRM_OK) break;
      assert_true(u < 3 && w.kind == TRM_TENSOR_BUFFER);
    }
    char update[40];
    snprintf(update, sizeof update, "update %d", (int)trm_trainer_updates(t) + 1);
    assert_int_equal(err.code, TRM_E_NUMERIC);
    assert_int_equal(err.pos, trm_trainer_updates(t) + 1);
    assert_true(speaks_of(&err, w.name) && speaks_of(&err, update));
    assert_int_equal(trm_trainer_save(t, scratch_path(*state, "bad"), &err), TRM_E_NUMERIC);
    assert_false(trm__path_exists(((scratch *)*state)->path));
    trm_trainer_free(t);
  }
  trm_model_free(m);
}

static void expect_bad(const trm_model *m, const trm_trainer_config *c, const char *field) {
  trm_trainer *t = NULL;
  trm_error err;
  assert_int_equal(trm_trainer_create(m, c, &t, &err), TRM_E_CONFIG);
  assert_true(speaks_of(&err, field));
  assert_null(t);
}

static void bad_configurations_name_their_field(void **state) {
/* Every field with the first values beyond both ends of its range. */
#define AT(field) #field, offsetof(trm_trainer_config, field)
  static const struct {
    const char *name;
    size_t offset;
    double low, high;
  } reals[] = {{AT(lr), -1e-9, 1e4},
               {AT(beta1), -1e-9, 1},
               {AT(beta2), -1e-9, 1 - 1e-9},
               {AT(adam_eps), 0, 2},
               {AT(weight_decay), -1e-9, 1e7},
               {AT(puzzle_emb_lr), -1e-9, 1e4},
               {AT(puzzle_emb_weight_decay), -1e-9, 1e7},
               {AT(lr_min_ratio), -1e-9, 1e4},
               {AT(ema_rate), -1e-9, 1.001}};
  static const struct {
    const char *name;
    size_t offset;
    int low, high;
  } ints[] = {
      {AT(batch_size), 0, 1 << 21}, {AT(threads), -1, 1025}, {AT(micro_batch), -1, 1 << 21}};
  static const struct {
    const char *name;
    size_t offset;
  } longs[] = {{AT(lr_warmup_steps)}, {AT(total_steps)}, {AT(memory_budget)}};
#undef AT

  /* Each is tried with them, and with what no range has. */
  const trm_model_config mc = model_config(MIXER);
  trm_model *m = small_model(&mc, 5);
  (void)state;
  for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
    const double bad[] = {reals[i].low, reals[i].high, NAN, INFINITY, -INFINITY};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
      trm_trainer_config c = small_training(5);
      memcpy((char *)&c + reals[i].offset, &bad[k], sizeof bad[k]);
      expect_bad(m, &c, reals[i].name);
    }
  }
  for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) {
    const int bad[] = {ints[i].low, ints[i].high, INT32_MIN, INT32_MAX};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
      trm_trainer_config c = small_training(5);
      memcpy((char *)&c + ints[i].offset, &bad[k], sizeof bad[k]);
      expect_bad(m, &c, ints[i].name);
    }
  }
  for (size_t i = 0; i < sizeof longs / sizeof *longs; i++) {
    const int64_t bad[] = {-1, INT64_MIN, INT64_MAX};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
      trm_trainer_config c = small_training(5);
      memcpy((char *)&c + longs[i].offset, &bad[k], sizeof bad[k]);
      expect_bad(m, &c, longs[i].name);
    }
  }

  /* An optimiser that is none. */
  trm_trainer_config c = small_training(5);
  c.optimizer = (trm_optimizer)7;
  expect_bad(m, &c, "optimizer");
  trm_model_free(m);
}

static void optimizers_have_names(void **state) {
  trm_optimizer o;
  (void)state;
  for (int i = 0; i < 2; i++) {
    assert_true(trm_optimizer_from_name(trm_optimizer_name((trm_optimizer)i), &o));
    assert_int_equal(o, i);
  }
  assert_null(trm_optimizer_name(TRM_OPTIMIZERS));
  assert_false(trm_optimizer_from_name("sgd", &o));
}

/* ---- solved steps ---- */

static trm_metrics solved_update(double tolerance, int iterations) {
  trm_model_config mc = model_config(MIXER);
  mc.solver = TRM_RECURSION_FIXED_POINT;
  mc.solver_tolerance = tolerance;
  mc.solver_iterations = iterations;
  trm_model *m = small_model(&mc, 5);
  const trm_trainer_config c = small_training(ROWS_SOLVED);
  trm_trainer *t = small_trainer(m, &c);
  const trm_metrics metrics = small_update(t);
  trm_trainer_free(t);
  trm_model_free(m);
  return metrics;
}

/* What is told of solutions is of every row: with a tolerance that anything meets one application,
 * with one that nothing meets all of them, and a residual that more of these can only lessen. */
static void solutions_are_measured(void **state) {
  (void)state;
  const trm_metrics at_once = solved_update(1e3, 9), two = solved_update(0, 2),
                    nine = solved_update(0, 9);
  assert_true(at_once.solver_iterations == ROWS_SOLVED);
  assert_true(two.solver_iterations == 2 * ROWS_SOLVED);
  assert_true(nine.solver_iterations == 9 * ROWS_SOLVED);
  assert_true(at_once.residual > two.residual && two.residual > nine.residual);
  assert_true(nine.residual > 0);
}

/* A solver needs a z of its own to solve for, and its options a solver. */
static void solvers_that_cannot_be_are_refused(void **state) {
  (void)state;
  trm_error err;
  for (int i = 0; i < 4; i++) {
    static const char *const reasons[] = {"no z_L of its own", "no z_L of its own",
                                          "there is no solver", "only a phantom gradient"};
    static const trm_arch archs[] = {TRM_ARCH_SINGLEZ, TRM_ARCH_HIER6, TRM_ARCH_TRM, TRM_ARCH_TRM};
    trm_model_config c = small_config(archs[i], SMALL_LEN);
    assert_int_equal(trm_model_config_check(&c, &err), TRM_OK);
    if (i == 2) c.solver_grad.kind = TRM_SOLVER_GRAD_IMPLICIT;
    if (i == 3) c.solver_tau = 0.5;
    if (i != 2) c.solver = TRM_RECURSION_ANDERSON;
    assert_int_equal(trm_model_config_check(&c, &err), TRM_E_CONFIG);
    if (!strstr(err.msg, reasons[i])) fail_msg("%s", err.msg);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(solutions_are_measured),
      cmocka_unit_test(solvers_that_cannot_be_are_refused),
      cmocka_unit_test(bits_do_not_depend_on_the_split_of_a_mixer),
      cmocka_unit_test(bits_do_not_depend_on_the_split_of_attention),
      cmocka_unit_test(bits_do_not_depend_on_the_split_of_hrm),
      cmocka_unit_test(bits_do_not_depend_on_the_split_of_odd_sizes),
      cmocka_unit_test(bits_do_not_depend_on_the_split_of_tied_weights),
      cmocka_unit_test(bits_do_not_depend_on_the_split_of_long_slots),
      cmocka_unit_test(tiles_hold_whole_blocks_and_no_more_than_a_slot),
      cmocka_unit_test(rows_halt_when_q_says_so_or_steps_run_out),
      cmocka_unit_test(exploration_keeps_rows_busy),
      cmocka_unit_test(busy_rows_ignore_the_fresh_batch),
      cmocka_unit_test(halted_rows_start_over),
      cmocka_unit_test(starts_learn_of_rows_that_begin),
      cmocka_unit_test(averages_start_where_theirs_are),
      cmocka_unit_test(metrics_count_halted_rows_only),
      cmocka_unit_test(data_out_of_range_change_nothing),
      cmocka_unit_test(not_finite_weights_are_named),
      cmocka_unit_test(bad_configurations_name_their_field),
      cmocka_unit_test(optimizers_have_names),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
