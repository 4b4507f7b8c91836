/* The rules beside the model: a try that they accept ends its puzzle, and where none is accepted a
 * search guesses cells, in the order that plain loops say, whatever else is asked meanwhile. */
#include <math.h>

#include "nn/pins.h"
#include "puzzle/augmenter.h"
#include "small_data.h"
#include "small_sudoku.h"
#include "thoughts.h"

enum { PUZZLES = 10, S = 36, V = 8, BUDGET = 12 };

static int32_t questions[PUZZLES][S], solutions[PUZZLES][S];
static trm_model *model;
static trm_puzzle six;

static int set_up(void **state) {
  six = trm_sudoku_of_size(6);
  for (uint32_t k = 0; k < PUZZLES; k++) {
    uint8_t question[CELLS], answer[CELLS];
    make_puzzle(6, k, question, answer);
    for (int i = 0; i < S; i++) {
      questions[k][i] = question[i] + 1;
      solutions[k][i] = answer[i] + 1;
    }
  }
  assert_int_equal(trm_model_load(TRM_SOURCE_DIR "/models/sudoku6.safetensors", &model, NULL),
                   TRM_OK);
  return scratch_open(state);
}
static int tear_down(void **state) {
  trm_model_free(model);
  return scratch_close(state);
}

/* What a puzzle comes to. */
typedef struct outcome {
  int32_t answer[S];
  int steps, searched;
  bool accepted;
} outcome;

static void think(const trm_thinking *how, const trm_queue_config *config, int steps,
                  outcome *out) {
  trm_error err;
  trm_queue_puzzle puzzles[PUZZLES];
  thoughts r = {.puzzles = puzzles, .n = PUZZLES};
  for (int k = 0; k < PUZZLES; k++)
    puzzles[k] = (trm_queue_puzzle){.inputs = questions[k], .steps = steps};
  if (trm_thinker_create(model, config, how, NULL, &r.thinker, &err) != TRM_OK)
    fail_msg("%s", err.msg);
  assert_false(trm_thinker_is_single(r.thinker));
  while (next_thought(&r)) {
    const trm_queue_answer *a = &r.answer;
    outcome *o = &out[r.puzzle];
    memset(o, 0, sizeof *o);
    memcpy(o->answer, a->answer, sizeof o->answer);
    o->steps = a->steps;
    o->searched = r.choice.searched;
    o->accepted = r.choice.accepted;
    assert_memory_equal(a->inputs, questions[r.puzzle], sizeof questions[0]);
    assert_int_equal(o->accepted, trm_puzzle_solves(&six, a->inputs, a->answer));
    assert_int_equal(a->logits != NULL, config->logits);
  }
  trm_thinker_free(r.thinker);
}

static trm_solver *alone(void) {
  trm_solver *s;
  assert_int_equal(trm_solver_create(model, &(trm_solver_config){.threads = 1}, &s, NULL), TRM_OK);
  return s;
}

/* The first step after which the rules accept an answer ends the puzzle. */
static void accepted_answers_end_a_puzzle(void **state) {
  (void)state;
  enum { STEPS = 4 };
  static outcome out[PUZZLES];
  const trm_thinking how = {.verify = true};
  trm_solver *s = alone();
  int early = 0;
  think(&how, &(trm_queue_config){.rows = 3, .threads = 2, .logits = true}, STEPS, out);
  for (int k = 0; k < PUZZLES; k++) {
    int step = 0;
    bool accepted = false;
    assert_int_equal(trm_solver_start(s, 1, questions[k], NULL, NULL), TRM_OK);
    while (step < STEPS && !accepted) {
      assert_int_equal(trm_solver_step(s, NULL), TRM_OK);
      accepted = !memcmp(trm_solver_answer(s), solutions[k], sizeof solutions[k]);
      step++;
    }
    assert_int_equal(out[k].accepted, accepted);
    assert_int_equal(out[k].steps, step);
    assert_memory_equal(out[k].answer, trm_solver_answer(s), sizeof out[k].answer);
    early += step < STEPS;
  }
  assert_true(early > 0);
  trm_solver_free(s);
}

/* --- search --- */

/* Minus the sum of p log p. */
static double plain_entropy(const float *logits) {
  double sum = 0, h = 0;
  for (int v = 0; v < V; v++) sum += exp((double)logits[v]);
  for (int v = 0; v < V; v++) {
    const double p = exp((double)logits[v]) / sum;
    h -= p * log(p);
  }
  return h;
}

/* Guesses are of the open cell that is least sure, its likeliest digits in their order, but for
 * those that stand in its row, column or box. */
static void guesses_are_likely(void **state) {
  (void)state;
  trm_solver *s = alone();
  for (int k = 0; k < PUZZLES; k++) {
    trm__pins out[TRM__FIRST_PINS], from = {0};
    int32_t room[S];
    assert_int_equal(trm_solver_start(s, 1, questions[k], NULL, NULL), TRM_OK);
    assert_int_equal(trm_solver_step(s, NULL), TRM_OK);
    const float *logits = trm_solver_logits(s);
    for (int depth = 0; depth < 3; depth++) {
      const int n =
          trm__pins_grow(&six, V, questions[k], &from, (const real *)logits, 99, out, room);
      assert_in_range(n, 0, depth ? TRM__NEXT_PINS : TRM__FIRST_PINS);
      if (n == 0) break;
      const int cell = out[0].cell[depth];
      for (int i = 0; i < S; i++) {
        bool open = questions[k][i] == 1;
        for (int j = 0; j < depth; j++) open &= from.cell[j] != i;
        if (open)
          assert_true(plain_entropy(logits + i * V) <= plain_entropy(logits + cell * V) + 1e-9);
        if (i == cell) assert_true(open);
      }
      for (int j = 0; j < n; j++) {
        assert_int_equal(out[j].n, depth + 1);
        assert_int_equal(out[j].cell[depth], cell);
        assert_in_range(out[j].token[depth], 2, V - 1);
        if (j)
          assert_true(logits[cell * V + out[j - 1].token[depth]] >=
                      logits[cell * V + out[j].token[depth]]);
        memcpy(room, questions[k], sizeof room);
        trm__pins_apply(&out[j], room);
        assert_int_equal(room[cell], out[j].token[depth]);
        assert_int_equal(trm_puzzle_check(&six, room, NULL), TRM_OK);
      }
      from = out[n - 1];
    }
  }
  trm_solver_free(s);
}

/* One run after the other, in the order in which questions were made. */
static void search_alone(trm_solver *s, int k, outcome *o) {
  static trm__pins all[BUDGET + TRM__FIRST_PINS];
  static float first[S * V];
  int n = 0;
  int32_t room[S];
  memset(o, 0, sizeof *o);
  for (int run = -1; run < n; run++) {
    int32_t asked[S];
    memcpy(asked, questions[k], sizeof asked);
    if (run >= 0) trm__pins_apply(&all[run], asked);
    assert_int_equal(trm_solver_start(s, 1, asked, NULL, NULL), TRM_OK);
    assert_int_equal(trm_solver_step(s, NULL), TRM_OK);
    o->steps++;
    o->searched = run + 1;
    o->accepted = !memcmp(trm_solver_answer(s), solutions[k], sizeof solutions[k]);
    if (run < 0 || o->accepted) memcpy(o->answer, trm_solver_answer(s), sizeof o->answer);
    if (o->accepted) return;
    memcpy(first, trm_solver_logits(s), sizeof first);
    const trm__pins none = {0};
    n += trm__pins_grow(&six, V, questions[k], run < 0 ? &none : &all[run], (const real *)first,
                        BUDGET - n, all + n, room);
  }
}

static void a_search_is_that_of_plain_loops(void **state) {
  (void)state;
  static outcome out[PUZZLES], want;
  static const trm_queue_config ways[] = {{.rows = 1, .threads = 1},
                                          {.rows = 4, .threads = 3, .logits = true}};
  const trm_thinking how = {.search = BUDGET};
  trm_solver *s = alone();
  for (int i = 0; i < 2; i++) {
    int found = 0, vain = 0, at_once = 0;
    think(&how, &ways[i], 1, out);
    for (int k = 0; k < PUZZLES; k++) {
      search_alone(s, k, &want);
      assert_memory_equal(&out[k], &want, sizeof want);
      found += want.accepted && want.searched;
      at_once += want.accepted && !want.searched;
      vain += !want.accepted;
    }
    assert_true(found > 0 && found + vain + at_once == PUZZLES);
  }
  trm_solver_free(s);
}

/* Views, rounds of several runs, and every rule: the same bits for other rows and threads. */
static void searches_are_the_same_among_others(void **state) {
  (void)state;
  static outcome first[PUZZLES], out[PUZZLES];
  for (int rule = 0; rule < TRM_SELECTS; rule++) {
    const trm_thinking how = {
        .views = 3, .noise = rule % 2 ? 0.3 : 0, .select = (trm_select)rule, .search = BUDGET};
    think(&how, &(trm_queue_config){.rows = 1, .threads = 1}, 1, first);
    think(&how, &(trm_queue_config){.rows = 10, .threads = 3, .logits = true}, 1, out);
    assert_memory_equal(out, first, sizeof out);
    for (int k = 0; k < PUZZLES; k++) assert_in_range(out[k].searched, 0, BUDGET);
  }
}

/* A model that knows nothing of 4x4 Sudokus, and whose q differs from puzzle to puzzle. */
static trm_model *ignorant(void) {
  trm_model_config c = trm_model_config_default(TRM_ARCH_TRM);
  trm_model *m;
  c.hidden_size = 32;
  c.num_heads = 2;
  c.H_cycles = c.L_cycles = 1;
  c.puzzle_emb_ndim = c.puzzle_emb_len = 0;
  c.halt_max_steps = 8;
  c.seq_len = 16;
  c.vocab_size = 6;
  c.num_puzzle_identifiers = 1;
  c.puzzle = trm_sudoku_of_size(4);
  assert_int_equal(trm_model_create(&c, 1, &m, NULL), TRM_OK);
  trm_tensor w = trm_model_tensor_named(m, "q_head.weight"),
             b = trm_model_tensor_named(m, "q_head.bias");
  trm__rng r = trm__rng_at(1, TRM__RNG_TEST, 0, 0);
  for (int i = 0; i < w.count; i++) w.data[i] = (float)(2 * trm__rng_uniform(&r) - 1);
  memset(b.data, 0, (size_t)b.count * sizeof *b.data);
  return m;
}

/* Tries that end one by one leave their places to no other puzzle, for the rounds that follow take
 * them again: all puzzles end, with the steps that they take alone. */
static void rounds_find_their_places(void **state) {
  enum { MANY = 60, CELLS_OF_4 = 16 };
  (void)state;
  trm_model *m = ignorant();
  const trm_thinking how = {.views = 2, .search = 16};
  int32_t given[MANY][CELLS_OF_4];
  trm_queue_puzzle puzzles[MANY];
  int steps[2][MANY] = {{0}}, searched = 0;
  for (int k = 0; k < MANY; k++) {
    for (int i = 0; i < CELLS_OF_4; i++) given[k][i] = 1;
    given[k][k % CELLS_OF_4] = 2 + k / CELLS_OF_4;
    puzzles[k] = (trm_queue_puzzle){.inputs = given[k], .halt = TRM_HALT_Q, .halt_margin = 0.5};
  }
  for (int rows = 1; rows <= 4; rows += 3) {
    const trm_queue_config config = {.rows = rows};
    thoughts r = {.puzzles = puzzles, .n = MANY};
    assert_int_equal(trm_thinker_create(m, &config, &how, NULL, &r.thinker, NULL), TRM_OK);
    while (next_thought(&r)) {
      steps[rows > 1][r.puzzle] = r.answer.steps;
      searched += r.choice.searched;
    }
    trm_thinker_free(r.thinker);
  }
  assert_memory_equal(steps[0], steps[1], sizeof steps[0]);
  assert_true(searched > 0);
  trm_model_free(m);
}

/* A puzzle that is refused leaves nothing behind. */
static void what_is_refused_takes_no_place(void **state) {
  (void)state;
  trm_thinker *t;
  trm_queue_answer a;
  int32_t bad[S] = {V};
  assert_int_equal(trm_thinker_create(model, &(trm_queue_config){.rows = 2},
                                      &(trm_thinking){.views = 2}, NULL, &t, NULL),
                   TRM_OK);
  const int room = trm_thinker_room(t);
  assert_int_equal(trm_thinker_submit(t, &(trm_queue_puzzle){.inputs = bad}, NULL, NULL),
                   TRM_E_RANGE);
  assert_int_equal(trm_thinker_busy(t), 0);
  assert_int_equal(trm_thinker_step(t, NULL), TRM_OK);
  assert_false(trm_thinker_take(t, &a, NULL));
  assert_int_equal(trm_thinker_room(t), room);
  trm_thinker_free(t);
}

/* --- evaluations --- */

/* What is told of an example: by its label, and by the rules. */
typedef struct judged {
  int64_t exact, valid, q_exact, q_valid;
} judged;

static trm_status judge(void *arg, const trm_eval_row *row, trm_error *err) {
  judged *j = arg;
  const int64_t k = row->example;
  (void)err;
  assert_int_equal(row->exact, !memcmp(row->answer, row->labels, sizeof questions[k]));
  assert_int_equal(row->valid, trm_puzzle_solves(&six, questions[k], row->answer));
  j->exact += row->exact;
  j->valid += row->valid;
  j->q_exact += (row->q_halt >= 0) == row->exact;
  j->q_valid += (row->q_halt >= 0) == row->valid;
  return TRM_OK;
}

/* Some labels are of another puzzle: then what is right by the rules is not what is labelled. */
static void evaluations_tell_of_the_rules_apart(void **state) {
  static trm_eval_report r[2];
  static outcome out[PUZZLES];
  static int32_t labels[PUZZLES][S];
  static const int32_t ids[PUZZLES];
  scratch *s = *state;
  trm_dataset *d;
  trm_error err;
  int64_t accepted = 0, found = 0, steps = 0;
  const trm_thinking how = {.search = BUDGET};
  think(&how, &(trm_queue_config){.rows = 1}, 1, out);
  for (int k = 0; k < PUZZLES; k++) {
    accepted += out[k].accepted;
    found += out[k].accepted && out[k].searched;
    steps += out[k].steps;
    memcpy(labels[k], solutions[k % 3 ? k : k / 2], sizeof labels[k]);
  }
  write_small_data(s->dir, PUZZLES, S, V, 1, questions[0], labels[0], ids);
  if (trm_dataset_open(s->dir, "test", &d, &err) != TRM_OK) fail_msg("%s", err.msg);
  for (int i = 0; i < 2; i++) {
    judged j = {0};
    const trm_eval_config c = {.think = how,
                               .steps = 1,
                               .batch = i ? 7 : 1,
                               .threads = 1 + i,
                               .row = judge,
                               .row_arg = &j};
    if (trm_evaluate(model, d, &c, &r[i], &err) != TRM_OK) fail_msg("%s", err.msg);
    assert_true(r[i].exact == j.exact && r[i].valid == j.valid && r[i].valid > r[i].exact);
    assert_true(r[i].q_halt_accuracy == (double)j.q_exact / PUZZLES);
    assert_true(r[i].q_valid_accuracy == (double)j.q_valid / PUZZLES && j.q_valid != j.q_exact);
    const trm_interval range = trm_wilson((double)j.q_valid, PUZZLES);
    assert_memory_equal(&r[i].q_valid_interval, &range, sizeof range);
  }
  assert_memory_equal(&r[0], &r[1], sizeof r[0]);
  assert_int_equal(r[0].accepted, accepted);
  assert_int_equal(r[0].found, found);
  assert_int_equal(r[0].valid, accepted);
  assert_true(r[0].mean_steps == (double)steps / PUZZLES);
  trm_dataset_free(d);
}

static void what_has_no_rules_is_refused(void **state) {
  (void)state;
  trm_thinker *t;
  trm_error err;
  const trm_queue_config c = {.rows = 1};
  const trm_puzzle none = {.kind = TRM_PUZZLE_GRID, .rows = 6, .cols = 6, .vocabulary = "1\0002\0"};
  const trm_thinking verify = {.verify = true}, search = {.search = -1},
                     more = {.search = TRM_MAX_SEARCH + 1};
  assert_int_equal(trm_thinker_create(model, &c, &verify, &none, &t, &err), TRM_E_CONFIG);
  assert_non_null(strstr(err.msg, "no rules are known"));
  const trm_puzzle maze = {.kind = TRM_PUZZLE_MAZE, .rows = 6, .cols = 6};
  const trm_thinking guesses = {.search = 4};
  assert_int_equal(trm_thinker_create(model, &c, &guesses, &maze, &t, &err), TRM_E_CONFIG);
  assert_non_null(strstr(err.msg, "once in every row"));
  assert_int_equal(trm_thinker_create(model, &c, &search, NULL, &t, &err), TRM_E_ARGUMENT);
  assert_int_equal(trm_thinker_create(model, &c, &more, NULL, &t, &err), TRM_E_ARGUMENT);
  const trm_queue_config latents = {.rows = 1, .latents = true};
  assert_int_equal(trm_thinker_create(model, &latents, &verify, NULL, &t, &err), TRM_E_ARGUMENT);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(accepted_answers_end_a_puzzle),
      cmocka_unit_test(guesses_are_likely),
      cmocka_unit_test(a_search_is_that_of_plain_loops),
      cmocka_unit_test(searches_are_the_same_among_others),
      cmocka_unit_test(rounds_find_their_places),
      cmocka_unit_test(what_is_refused_takes_no_place),
      cmocka_unit_test(evaluations_tell_of_the_rules_apart),
      cmocka_unit_test(what_has_no_rules_is_refused),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
