/* The solver: the same bits however the work is split, and errors for what no model can read. */
#include <math.h>

#include "processors.h"
#include "small_model.h"

enum { ROWS = 7, STEPS = 3 };

/* Everything a solver gives for ROWS puzzles at each of STEPS steps. */
typedef struct record {
  int seq_len, vocab, latent_size, n_latents;
  float *logits, *latents, q[STEPS][ROWS][2];
  int32_t *answers;
} record;

static record record_alloc(const trm_model *m, const trm_solver *s) {
  const trm_model_config *c = trm_model_get_config(m);
  trm_model_cost cost;
  assert_int_equal(trm_model_cost_of(c, &cost, NULL), TRM_OK);
  record r = {
      .seq_len = c->seq_len, .vocab = c->vocab_size, .n_latents = trm_solver_latent_count(s)};
  r.latent_size = cost.positions * c->hidden_size;
  size_t cells = (size_t)(STEPS * ROWS * c->seq_len);
  r.logits = calloc(cells * (size_t)c->vocab_size, sizeof *r.logits);
  r.answers = calloc(cells, sizeof *r.answers);
  r.latents = calloc((size_t)(r.n_latents * ROWS * r.latent_size), sizeof *r.latents);
  assert_true(r.logits && r.answers && r.latents);
  return r;
}

static void record_free(record *r) {
  free(r->logits);
  free(r->answers);
  free(r->latents);
}

static void record_step(record *r, const trm_solver *s, int step, int first, int n) {
  size_t per_row = (size_t)(r->seq_len * r->vocab), cells = (size_t)r->seq_len;
  size_t at = (size_t)(step * ROWS + first);
  memcpy(r->logits + at * per_row, trm_solver_logits(s), (size_t)n * per_row * sizeof(float));
  memcpy(r->answers + at * cells, trm_solver_answer(s), (size_t)n * cells * sizeof(int32_t));
  for (int i = 0; i < n; i++) {
    r->q[step][first + i][0] = trm_solver_q_halt(s)[i];
    r->q[step][first + i][1] = trm_solver_q_continue(s)[i];
  }
}

/* All rows in groups of `batch`, with so many threads. */
static record solve(const trm_model *m, const int32_t *inputs, const int32_t *ids, int batch,
                    int threads) {
  /* A solver of the model, and room for what it will say. */
  trm_solver *s;
  trm_error err;
  const trm_solver_config config = {.batch = batch, .threads = threads};
  if (trm_solver_create(m, &config, &s, &err) != TRM_OK) fail_msg("%s", err.msg);
  record r = record_alloc(m, s);

  /* Groups of the batch, of which the last may be smaller. */
  for (int first = 0; first < ROWS; first += batch) {
    int n = ROWS - first < batch ? ROWS - first : batch;
    if (trm_solver_start(s, n, inputs + first * r.seq_len, ids + first, &err) != TRM_OK)
      fail_msg("%s", err.msg);
    assert_int_equal(trm_solver_rows(s), n);

    /* The step counts from nothing for each group. */
    for (int step = 0; step < STEPS; step++) {
      assert_int_equal(trm_solver_steps_taken(s)[0], step);
      trm_solver_step(s, NULL);
      record_step(&r, s, step, first, n);
    }

    /* The latents at the end are part of what must be the same. */
    for (int i = 0; i < r.n_latents; i++)
      memcpy(r.latents + (i * ROWS + first) * r.latent_size, trm_solver_latent(s, i, NULL),
             (size_t)(n * r.latent_size) * sizeof(float));
  }
  trm_solver_free(s);
  return r;
}

static void assert_same_record(const record *a, const record *b) {
  size_t cells = (size_t)(STEPS * ROWS * a->seq_len);
  assert_memory_equal(a->answers, b->answers, cells * sizeof *a->answers);
  assert_memory_equal(a->logits, b->logits, cells * (size_t)a->vocab * sizeof *a->logits);
  assert_memory_equal(a->q, b->q, sizeof a->q);
  assert_memory_equal(a->latents, b->latents,
                      (size_t)(a->n_latents * ROWS * a->latent_size) * sizeof *a->latents);
}

static void draw_puzzles(int seq_len, int32_t *inputs, int32_t *ids) {
  trm__rng r = trm__rng_at(5, TRM__RNG_TEST, 1, 0);
  for (int i = 0; i < ROWS * seq_len; i++) inputs[i] = (int32_t)trm__rng_below(&r, 7);
  for (int i = 0; i < ROWS; i++) ids[i] = i % 3;
}

/* Short sequences make one tile of all rows, for one team; long ones several, for a team each. */
static const struct shape {
  trm_arch arch;
  int seq_len;
  bool mlp_t;
  trm_pos_encodings pos;
} shapes[] = {
    {TRM_ARCH_TRM, 9, false, TRM_POS_ROPE},
    {TRM_ARCH_TRM, 9, true, TRM_POS_NONE},
    {TRM_ARCH_TRM, 130, false, TRM_POS_LEARNED},
    {TRM_ARCH_TRM, 130, true, TRM_POS_NONE},
    {TRM_ARCH_HRM, 9, false, TRM_POS_ROPE},
    {TRM_ARCH_HRM, 130, false, TRM_POS_NONE},
    {TRM_ARCH_SINGLEZ, 9, true, TRM_POS_NONE},
    {TRM_ARCH_SINGLEZ, 130, false, TRM_POS_ROPE},
    {TRM_ARCH_HIER6, 9, false, TRM_POS_ROPE},
    {TRM_ARCH_HIER6, 130, true, TRM_POS_LEARNED},
    {TRM_ARCH_TRANSFORMER, 9, false, TRM_POS_ROPE},
    {TRM_ARCH_TRANSFORMER, 130, false, TRM_POS_ROPE},
};

/* A model of the k-th shape, and ROWS puzzles for it. */
static trm_model *model_of(size_t k, int32_t *inputs, int32_t *ids) {
  trm_model_config c = small_config(shapes[k].arch, shapes[k].seq_len);
  c.mlp_t = shapes[k].mlp_t;
  c.pos_encodings = shapes[k].pos;
  draw_puzzles(c.seq_len, inputs, ids);
  return small_model(&c, k);
}

static void the_same_bits_for_any_threads_and_batch(void **state) {
  (void)state;
  static const int ways[][2] = {{1, 2}, {1, 3}, {3, 1}, {3, 3}, {ROWS, 1}, {ROWS, 2}, {ROWS, 3}};
  for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
    int32_t inputs[ROWS * 130], ids[ROWS];
    trm_model *m = model_of(k, inputs, ids);
    record want = solve(m, inputs, ids, 1, 1);

    /* Rows and steps differ, or equality would say nothing. */
    size_t row = (size_t)(want.seq_len * want.vocab), step = ROWS * row;
    assert_memory_not_equal(want.logits, want.logits + row, row * sizeof *want.logits);
    assert_memory_not_equal(want.logits, want.logits + step, step * sizeof *want.logits);
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
      record got = solve(m, inputs, ids, ways[w][0], ways[w][1]);
      assert_same_record(&want, &got);
      record_free(&got);
    }
    record_free(&want);
    trm_model_free(m);
  }
}

/* Puzzle i takes 1 to STEPS steps, so that rows leave from every place. */
static int steps_of(int puzzle) {
  return 1 + (puzzle * 5 + 1) % STEPS;
}

static void assert_row_is(const record *want, trm_solver *s, int row, int puzzle) {
  int step = trm_solver_steps_taken(s)[row] - 1;
  int at = step * ROWS + puzzle, cells = want->seq_len, per_row = cells * want->vocab;
  assert_in_range(step, 0, STEPS - 1);
  assert_memory_equal(trm_solver_answer(s) + row * cells, want->answers + at * cells,
                      (size_t)cells * sizeof *want->answers);
  assert_memory_equal(trm_solver_logits(s) + row * per_row, want->logits + at * per_row,
                      (size_t)per_row * sizeof *want->logits);
  assert_true(trm_solver_q_halt(s)[row] == want->q[step][puzzle][0]);
  assert_true(trm_solver_q_continue(s)[row] == want->q[step][puzzle][1]);
  for (int i = 0; step == STEPS - 1 && i < want->n_latents; i++)
    assert_memory_equal(trm_solver_latent(s, i, NULL) + row * want->latent_size,
                        want->latents + (i * ROWS + puzzle) * want->latent_size,
                        (size_t)want->latent_size * sizeof *want->latents);
}

/* All puzzles through a few rows that are refilled; every result of every step is checked, and
 * again after other rows have left. */
static void stream(const trm_model *m, const record *want, const int32_t *inputs,
                   const int32_t *ids, int batch, int threads) {
  /* Which puzzle is in which row, and how much was computed. */
  trm_solver *s;
  int puzzle[ROWS], next = 0, done = 0, steps = 0, sum = 0;
  const trm_solver_config config = {.batch = batch, .threads = threads};
  assert_int_equal(trm_solver_create(m, &config, &s, NULL), TRM_OK);
  for (;;) {
    /* Free rows take the puzzles that wait. */
    for (int n; (n = trm_solver_rows(s)) < batch && next < ROWS; next++) {
      assert_int_equal(trm_solver_add(s, inputs + next * want->seq_len, ids[next], NULL), TRM_OK);
      assert_int_equal(trm_solver_steps_taken(s)[n], 0);
      puzzle[n] = next;
    }
    if (trm_solver_rows(s) == 0) break;

    /* One step for all rows. */
    sum += trm_solver_rows(s);
    trm_solver_step(s, NULL);
    steps++;

    /* From the last row: whoever has its steps leaves, and the last row takes its place. */
    for (int row = trm_solver_rows(s) - 1; row >= 0; row--) {
      assert_row_is(want, s, row, puzzle[row]);
      if (trm_solver_steps_taken(s)[row] < steps_of(puzzle[row])) continue;
      trm_solver_remove(s, row);
      puzzle[row] = puzzle[trm_solver_rows(s)];
      done++;
    }

    /* Those that stay have not changed. */
    for (int row = 0; row < trm_solver_rows(s); row++) assert_row_is(want, s, row, puzzle[row]);
  }

  /* The work is the sum of the steps of all. */
  int total = 0;
  for (int i = 0; i < ROWS; i++) total += steps_of(i);
  assert_int_equal(done, ROWS);
  assert_int_equal(sum, total);                /* nothing is computed twice or in vain */
  assert_true(steps <= total / batch + STEPS); /* and rows do not wait for each other */
  trm_solver_step(s, NULL);                    /* without rows: nothing */
  trm_solver_free(s);
}

static void rows_come_and_go(void **state) {
  (void)state;
  static const int ways[][2] = {{1, 1}, {2, 1}, {3, 1}, {3, 2}, {5, 3}, {ROWS, 2}};
  for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
    int32_t inputs[ROWS * 130], ids[ROWS];
    trm_model *m = model_of(k, inputs, ids);
    record want = solve(m, inputs, ids, 1, 1);
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++)
      stream(m, &want, inputs, ids, ways[w][0], ways[w][1]);
    record_free(&want);
    trm_model_free(m);
  }
}

static void the_margin_is_what_training_halts_by(void **state) {
  (void)state;

  /* With the halting loss of the paper, and with that of the simpler one. */
  int32_t inputs[ROWS * 9], ids[ROWS];
  draw_puzzles(9, inputs, ids);
  for (int both = 0; both < 2; both++) {
    trm_model_config c = small_config(TRM_ARCH_TRM, 9);
    c.no_ACT_continue = !both;

    /* One step of random puzzles. */
    trm_model *m = small_model(&c, 6);
    trm_solver *s;
    const trm_solver_config config = {.batch = ROWS};
    assert_int_equal(trm_solver_create(m, &config, &s, NULL), TRM_OK);
    assert_int_equal(trm_solver_start(s, ROWS, inputs, ids, NULL), TRM_OK);
    trm_solver_step(s, NULL);

    /* The margin is that of q_continue only where training compares with it. */
    for (int i = 0; i < ROWS; i++) {
      double halt = (double)trm_solver_q_halt(s)[i], go_on = (double)trm_solver_q_continue(s)[i];
      assert_true(go_on != 0);
      assert_true(trm_solver_halt_margin(s, i) == (both ? halt - go_on : halt));
    }
    trm_solver_free(s);
    trm_model_free(m);
  }
}

static void answers_are_the_largest_logits(void **state) {
  (void)state;
  int32_t inputs[ROWS * 9], ids[ROWS];
  trm_model_config c = small_config(TRM_ARCH_TRM, 9);
  trm_model *m = small_model(&c, 1);
  draw_puzzles(9, inputs, ids);
  record r = solve(m, inputs, ids, ROWS, 2);
  int seen[7] = {0};
  for (int i = 0; i < STEPS * ROWS * 9; i++) {
    assert_in_range(r.answers[i], 0, 6);
    seen[r.answers[i]]++;
    for (int v = 0; v < 7; v++) assert_true(r.logits[i * 7 + v] <= r.logits[i * 7 + r.answers[i]]);
  }
  int different = 0;
  for (int v = 0; v < 7; v++) different += seen[v] > 0;
  assert_true(different > 2);
  record_free(&r);
  trm_model_free(m);
}

static void a_new_start_forgets_the_last(void **state) {
  (void)state;

  /* The same puzzles, twice, on each architecture. */
  enum { S = 9, CELLS = ROWS * S * 7 };
  int32_t inputs[ROWS * S], ids[ROWS];
  static float first[CELLS];
  for (int arch = TRM_ARCH_TRM; arch <= TRM_ARCH_TRANSFORMER; arch++) {
    trm_model_config c = small_config((trm_arch)arch, S);
    trm_model *m = small_model(&c, 2);
    trm_solver *s;
    draw_puzzles(S, inputs, ids);
    assert_int_equal(
        trm_solver_create(m, &(trm_solver_config){.batch = ROWS, .threads = 2}, &s, NULL), TRM_OK);

    /* What the second round computes is what the first one did. */
    for (int round = 0; round < 2; round++) {
      assert_int_equal(trm_solver_start(s, ROWS, inputs, ids, NULL), TRM_OK);
      for (int step = 0; step < STEPS; step++) trm_solver_step(s, NULL);
      if (round == 0)
        memcpy(first, trm_solver_logits(s), sizeof first);
      else
        assert_memory_equal(first, trm_solver_logits(s), sizeof first);

      /* A smaller start between them leaves nothing behind. */
      assert_int_equal(trm_solver_start(s, 2, inputs + S, ids, NULL), TRM_OK);
      trm_solver_step(s, NULL);
      for (int i = 0; i < 2; i++) assert_int_equal(trm_solver_steps_taken(s)[i], 1);
      assert_int_equal(trm_solver_rows(s), 2);
    }
    trm_solver_free(s);
    trm_model_free(m);
  }
}

static void latents_have_the_names_of_the_paper(void **state) {
  (void)state;

  /* Every architecture that has a paper, and its latents in the order of its equations. */
  static const struct {
    trm_arch arch;
    const char *names; /* in order */
  } cases[] = {{TRM_ARCH_TRM, "z_H z_L "},
               {TRM_ARCH_HRM, "z_H z_L "},
               {TRM_ARCH_SINGLEZ, "z_L "},
               {TRM_ARCH_HIER6, "z_H z_L1 z_L2 z_L3 z_L4 z_L5 z_L6 "},
               {TRM_ARCH_TRANSFORMER, "z_H "}};

  /* A solver lists them by index. */
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    trm_model_config c = small_config(cases[k].arch, 9);
    trm_model *m = small_model(&c, 3);
    trm_solver *s;
    assert_int_equal(trm_solver_create(m, &(trm_solver_config){0}, &s, NULL), TRM_OK);
    char all[80] = "";
    for (int i = 0; i < trm_solver_latent_count(s); i++) {
      const char *name = "";
      assert_non_null(trm_solver_latent(s, i, &name));
      assert_string_equal(name, trm_solver_latent_name(s, i));
      snprintf(all + strlen(all), sizeof all - strlen(all), "%s ", name);
    }
    assert_string_equal(all, cases[k].names);

    /* An index that there is none for has no latent. */
    assert_null(trm_solver_latent(s, -1, NULL));
    assert_null(trm_solver_latent(s, trm_solver_latent_count(s), NULL));
    trm_solver_free(s);
    trm_model_free(m);
  }
}

/* lm_head times a latent behind the puzzle positions, in double: [S, V] of a row. */
static void assert_head_reads(trm_model *m, const float *z, const float *logits,
                              const int32_t *tokens) {
  const trm_model_config *c = trm_model_get_config(m);
  const int D = c->hidden_size, V = c->vocab_size;
  const float *head = trm_model_tensor_named(m, "lm_head.weight").data;
  trm_model_cost cost;
  assert_int_equal(trm_model_cost_of(c, &cost, NULL), TRM_OK);
  z += (cost.positions - c->seq_len) * D;
  for (int t = 0; t < c->seq_len; t++, z += D, logits += V)
    for (int v = 0; v < V; v++) {
      double sum = 0;
      for (int k = 0; k < D; k++) sum += (double)head[v * D + k] * (double)z[k];
      assert_true(fabs(sum - (double)logits[v]) < 1e-5 * (1 + fabs(sum)));
      assert_true(logits[v] <= logits[tokens[t]]);
    }
}

/* Latents are decoded after each step of ROWS puzzles: that of the answer is the answer. */
static void decode_all(trm_model *m, const int32_t *inputs, const int32_t *ids, int threads) {
  trm_solver *s;
  const trm_model_config *c = trm_model_get_config(m);
  const trm_solver_config config = {.batch = ROWS, .threads = threads};
  assert_int_equal(trm_solver_create(m, &config, &s, NULL), TRM_OK);
  record want = solve(m, inputs, ids, ROWS, 1);
  const size_t cells = (size_t)(ROWS * c->seq_len), all = cells * (size_t)c->vocab_size;
  int32_t *tokens = calloc(cells, sizeof *tokens);
  float *logits = calloc(all, sizeof *logits);
  assert_true(tokens && logits);
  assert_int_equal(trm_solver_start(s, ROWS, inputs, ids, NULL), TRM_OK);
  for (int step = 0; step < STEPS; step++) {
    trm_solver_step(s, NULL);

    /* Each by the same head; another latent says something else. */
    for (int i = 0; i < want.n_latents; i++) {
      assert_int_equal(trm_solver_decode_latent(s, i, tokens, logits, NULL), TRM_OK);
      const bool is_answer = i == trm_solver_answer_latent(s);
      assert_int_equal(!memcmp(logits, trm_solver_logits(s), all * sizeof *logits), is_answer);
      if (is_answer) assert_memory_equal(tokens, trm_solver_answer(s), cells * sizeof *tokens);
      const float *z = trm_solver_latent(s, i, NULL);
      for (int row = 0; row < ROWS; row++)
        assert_head_reads(m, z + row * want.latent_size, logits + row * c->seq_len * c->vocab_size,
                          tokens + row * c->seq_len);
    }

    /* That leaves results and latents alone. */
    assert_memory_equal(trm_solver_logits(s), want.logits + (size_t)step * all,
                        all * sizeof *logits);
    for (int row = 0; row < ROWS; row++)
      assert_true(trm_solver_q_halt(s)[row] == want.q[step][row][0]);
  }
  free(tokens);
  free(logits);
  record_free(&want);
  trm_solver_free(s);
}

static void the_answers_latent_decodes_to_the_answer(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
    int32_t inputs[ROWS * 130], ids[ROWS];
    trm_model *m = model_of(k, inputs, ids);
    for (int threads = 1; threads <= 3; threads++) decode_all(m, inputs, ids, threads);
    trm_model_free(m);
  }
}

static void a_latent_that_is_not_there_is_refused(void **state) {
  (void)state;
  trm_model_config c = small_config(TRM_ARCH_TRM, 9);
  trm_model *m = small_model(&c, 3);
  trm_solver *s;
  trm_error err;
  int32_t tokens[9];
  assert_int_equal(trm_solver_create(m, &(trm_solver_config){0}, &s, NULL), TRM_OK);
  assert_int_equal(trm_solver_decode_latent(s, -1, tokens, NULL, &err), TRM_E_ARGUMENT);
  assert_int_equal(trm_solver_decode_latent(s, 2, tokens, NULL, &err), TRM_E_ARGUMENT);
  assert_true(speaks_of(&err, "latent 2, but the model's are 0 to 1"));
  assert_null(trm_solver_latent_name(s, 2));

  /* Without a row there is nothing to read. */
  assert_int_equal(trm_solver_decode_latent(s, 1, NULL, NULL, &err), TRM_OK);
  trm_solver_free(s);
  trm_model_free(m);
}

/* Values that a model of 7 symbols and 3 ids has nothing for. */
static const int32_t wrong_tokens[] = {-1, 7, INT32_MAX, INT32_MIN};
static const int32_t wrong_ids[] = {-1, 3, INT32_MAX, INT32_MIN};

static void what_no_model_can_read_is_refused(void **state) {
  (void)state;

  /* Settings beyond what any solver has. */
  enum { S = 9 };
  trm_model_config c = small_config(TRM_ARCH_TRM, S);
  trm_model *m = small_model(&c, 4);
  trm_solver *s;
  trm_error err;
  static const trm_solver_config wrong[] = {{.batch = -1}, {.batch = 1 << 30}, {.threads = -1}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    assert_int_equal(trm_solver_create(m, &wrong[i], &s, &err), TRM_E_ARGUMENT);

  /* More or fewer puzzles than there are rows. */
  assert_int_equal(trm_solver_create(m, &(trm_solver_config){.batch = 3}, &s, &err), TRM_OK);
  int32_t inputs[3 * S] = {0}, ids[3] = {0};
  assert_int_equal(trm_solver_start(s, 0, inputs, ids, &err), TRM_E_ARGUMENT);
  assert_int_equal(trm_solver_start(s, 4, inputs, ids, &err), TRM_E_ARGUMENT);
  assert_true(speaks_of(&err, "1 to 3"));

  /* Tokens that the model has no embedding for: the row and the position are named. */
  for (int i = 0; i < 4; i++) {
    inputs[2 * S + 8] = wrong_tokens[i];
    assert_int_equal(trm_solver_start(s, 3, inputs, ids, &err), TRM_E_RANGE);
    assert_int_equal(err.pos, 2);
    assert_true(speaks_of(&err, "row 2, position 8") && speaks_of(&err, "0 to 6"));
    assert_int_equal(trm_solver_start(s, 2, inputs, ids, &err), TRM_OK);
  }

  /* Ids likewise. */
  inputs[2 * S + 8] = 6;
  for (int i = 0; i < 4; i++) {
    ids[1] = wrong_ids[i];
    assert_int_equal(trm_solver_start(s, 3, inputs, ids, &err), TRM_E_RANGE);
    assert_true(speaks_of(&err, "row 1") && speaks_of(&err, "0 to 2"));
  }
  trm_solver_free(s);
  trm_solver_free(NULL);
  trm_model_free(m);
}

static void a_puzzle_that_cannot_be_read_takes_no_row(void **state) {
  (void)state;

  /* Without ids all are 0; a full solver takes no other puzzle. */
  enum { S = 9 };
  trm_model_config c = small_config(TRM_ARCH_TRM, S);
  trm_model *m = small_model(&c, 4);
  trm_solver *s;
  trm_error err;
  int32_t inputs[3 * S] = {0};
  assert_int_equal(trm_solver_create(m, &(trm_solver_config){.batch = 3}, &s, &err), TRM_OK);
  assert_int_equal(trm_solver_start(s, 3, inputs, NULL, &err), TRM_OK);
  trm_solver_step(s, NULL);
  assert_int_equal(trm_solver_add(s, inputs, 0, &err), TRM_E_ARGUMENT);
  assert_true(speaks_of(&err, "all 3 rows"));

  /* A single puzzle is checked as a batch is. */
  trm_solver_remove(s, 0);
  for (int i = 0; i < 4; i++) {
    inputs[8] = wrong_tokens[i];
    assert_int_equal(trm_solver_add(s, inputs, 0, &err), TRM_E_RANGE);
    assert_true(speaks_of(&err, "row 2, position 8") && speaks_of(&err, "0 to 6"));
    inputs[8] = 6;
    assert_int_equal(trm_solver_add(s, inputs, wrong_ids[i], &err), TRM_E_RANGE);
    assert_true(speaks_of(&err, "row 2: puzzle id"));
    assert_int_equal(trm_solver_rows(s), 2);
  }

  /* What is right is taken. */
  assert_int_equal(trm_solver_add(s, inputs, 2, &err), TRM_OK);
  assert_int_equal(trm_solver_rows(s), 3);
  trm_solver_free(s);
  trm_model_free(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_same_bits_for_any_threads_and_batch),
      cmocka_unit_test(rows_come_and_go),
      cmocka_unit_test(the_margin_is_what_training_halts_by),
      cmocka_unit_test(answers_are_the_largest_logits),
      cmocka_unit_test(a_new_start_forgets_the_last),
      cmocka_unit_test(latents_have_the_names_of_the_paper),
      cmocka_unit_test(the_answers_latent_decodes_to_the_answer),
      cmocka_unit_test(a_latent_that_is_not_there_is_refused),
      cmocka_unit_test(what_no_model_can_read_is_refused),
      cmocka_unit_test(a_puzzle_that_cannot_be_read_takes_no_row),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
