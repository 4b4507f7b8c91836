/* A queue gives each puzzle what a solver of its own would give it, whatever else it holds; what
 * comes, goes and fails leaves the others alone. */
#include <math.h>

#include "small_model.h"

enum { PUZZLES = 23, S = 6, V = 7, IDS = 3, MOST = 5 };

typedef struct wanted {
  int32_t inputs[PUZZLES][S];
  int32_t ids[PUZZLES];
  int32_t answer[PUZZLES][MOST][S];     /* after each step */
  int32_t latents[PUZZLES][MOST][2][S]; /* as their tokens */
  float logits[PUZZLES][MOST][S * V], q[PUZZLES][MOST][2];
  double margin[PUZZLES][MOST];
} wanted;

static trm_model *make_model(void) {
  trm_model_config c = small_config(TRM_ARCH_TRM, S);
  c.no_ACT_continue = false;
  return small_model(&c, 3);
}

/* Every puzzle alone, by a solver. */
static wanted *solve_alone(const trm_model *m) {
  /* What is wanted of each puzzle, and a solver with one row. */
  wanted *w = calloc(1, sizeof *w);
  trm_solver *s;
  trm__rng r = trm__rng_at(1, TRM__RNG_TEST, 2, 0);
  assert_non_null(w);
  assert_int_equal(trm_solver_create(m, &(trm_solver_config){.threads = 1}, &s, NULL), TRM_OK);

  /* Random puzzles. */
  for (int k = 0; k < PUZZLES; k++) {
    for (int i = 0; i < S; i++) w->inputs[k][i] = (int32_t)trm__rng_below(&r, V);
    w->ids[k] = (int32_t)trm__rng_below(&r, IDS);
    assert_int_equal(trm_solver_start(s, 1, w->inputs[k], &w->ids[k], NULL), TRM_OK);

    /* What it says after each step. */
    for (int step = 0; step < MOST; step++) {
      assert_int_equal(trm_solver_step(s, NULL), TRM_OK);
      memcpy(w->answer[k][step], trm_solver_answer(s), sizeof w->answer[k][step]);
      memcpy(w->logits[k][step], trm_solver_logits(s), sizeof w->logits[k][step]);
      for (int i = 0; i < 2; i++)
        assert_int_equal(trm_solver_decode_latent(s, i, w->latents[k][step][i], NULL, NULL),
                         TRM_OK);
      w->q[k][step][0] = trm_solver_q_halt(s)[0];
      w->q[k][step][1] = trm_solver_q_continue(s)[0];
      w->margin[k][step] = trm_solver_halt_margin(s, 0);
    }
  }
  trm_solver_free(s);
  return w;
}

/* What a puzzle is asked: another number of steps, and every third may halt. */
static trm_queue_puzzle ask(const wanted *w, int k) {
  return (trm_queue_puzzle){.inputs = w->inputs[k],
                            .puzzle_id = w->ids[k],
                            .steps = k % (MOST + 1),
                            .halt = k % 3 ? TRM_HALT_NEVER : TRM_HALT_Q,
                            .halt_margin = 0.05 * (k % 4)};
}

static int steps_of(const wanted *w, int k, int standard) {
  const trm_queue_puzzle p = ask(w, k);
  const int most = p.steps ? p.steps : standard;
  for (int step = 1; step < most; step++)
    if (p.halt == TRM_HALT_Q && w->margin[k][step - 1] > p.halt_margin) return step;
  return most;
}

static void assert_answer_is(const wanted *w, int k, const trm_queue_answer *a,
                             const trm_queue_config *c) {
  const int last = a->steps - 1;
  assert_in_range(a->steps, 1, MOST);
  assert_memory_equal(a->inputs, w->inputs[k], sizeof w->inputs[k]);
  assert_memory_equal(a->answer, w->answer[k][last], sizeof w->answer[k][last]);
  assert_true(a->q_halt == w->q[k][last][0] && a->q_continue == w->q[k][last][1]);
  assert_int_equal(a->logits != NULL, c->logits || !a->done);
  if (a->logits) assert_memory_equal(a->logits, w->logits[k][last], sizeof w->logits[k][last]);
  assert_int_equal(a->latents != NULL, c->latents);
  if (a->latents) assert_memory_equal(a->latents, w->latents[k][last], sizeof w->latents[k][last]);
  assert_int_equal(a->trajectory != NULL, c->trajectory > 0);
  for (int i = 0; i < a->steps && i < c->trajectory; i++) {
    assert_memory_equal(a->trajectory + i * S, w->answer[k][i], sizeof w->answer[k][i]);
    assert_true(a->q_trajectory[i] == w->q[k][i][0]);
  }
}

/* All puzzles through the queue; returns the steps of the queue. */
static int run_all(trm_queue *q, const wanted *w, const trm_queue_config *c) {
  /* Which puzzle has which place. */
  const int standard = 4;
  int puzzle[64], next = 0, done = 0, steps = 0, place;
  trm_queue_answer a;
  while (next < PUZZLES || trm_queue_busy(q)) {
    /* As many as there is room for. */
    for (; next < PUZZLES && trm_queue_room(q); next++) {
      const trm_queue_puzzle p = ask(w, next);
      assert_int_equal(trm_queue_submit(q, &p, &place, NULL), TRM_OK);
      assert_in_range(place, 0, trm_queue_places(q) - 1);
      puzzle[place] = next;
    }

    /* One step of all that are in rows. */
    assert_int_equal(trm_queue_step(q, NULL), TRM_OK);
    steps++;

    /* Those under way may be looked at. */
    for (int i = 0; trm_queue_look(q, i, &a); i++) {
      assert_false(a.done);
      assert_int_equal(a.steps, trm_solver_steps_taken(trm_queue_solver(q))[a.row]);
      assert_answer_is(w, puzzle[a.place], &a, c);
    }

    /* Those that are done are taken, with the steps and answers that they have alone. */
    for (; trm_queue_take(q, &a); done++) {
      assert_true(a.done && a.row == -1);
      assert_int_equal(a.steps, steps_of(w, puzzle[a.place], standard));
      assert_answer_is(w, puzzle[a.place], &a, c);
    }
  }

  /* None is lost, and all places are free. */
  assert_int_equal(done, PUZZLES);
  assert_int_equal(trm_queue_room(q), trm_queue_places(q));
  return steps;
}

static void answers_are_those_of_a_solver(void **state) {
  (void)state;
  static const trm_queue_config ways[] = {
      {.rows = 1, .threads = 1},
      {.rows = 3, .threads = 2, .waiting = 4, .trajectory = 2, .latents = true},
      {.rows = 5, .threads = 3, .waiting = 1, .trajectory = MOST, .logits = true},
      {.threads = 1, .waiting = 2, .logits = true, .latents = true},
      {.threads = 2, .puzzles = 2, .waiting = 30}};
  trm_model *m = make_model();
  wanted *w = solve_alone(m);
  int total = 0;
  for (int k = 0; k < PUZZLES; k++) total += steps_of(w, k, 4);
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    trm_queue *q;
    assert_int_equal(trm_queue_create(m, &ways[i], &q, NULL), TRM_OK);
    const int rows = trm_queue_places(q) - ways[i].waiting;
    if (ways[i].rows) assert_int_equal(rows, ways[i].rows);
    if (ways[i].puzzles) assert_int_equal(rows, ways[i].puzzles);
    /* No row waits while a puzzle does. */
    assert_in_range(run_all(q, w, &ways[i]), (total + rows - 1) / rows, total / rows + MOST);
    trm_queue_free(q);
  }
  trm_queue_free(NULL);
  free(w);
  trm_model_free(m);
}

/* The places of those that are done, in order. */
static int take_all(trm_queue *q, int *places) {
  trm_queue_answer a;
  int n = 0;
  for (; trm_queue_take(q, &a); n++) places[n] = a.place;
  return n;
}

static void who_came_first_begins_first(void **state) {
  (void)state;
  trm_model *m = make_model();
  wanted *w = solve_alone(m);
  trm_queue *q;
  int place[4], taken[4];
  assert_int_equal(
      trm_queue_create(m, &(trm_queue_config){.rows = 1, .waiting = 3, .threads = 1}, &q, NULL),
      TRM_OK);
  for (int k = 0; k < 4; k++) {
    const trm_queue_puzzle p = {.inputs = w->inputs[k], .steps = 1};
    assert_int_equal(trm_queue_submit(q, &p, &place[k], NULL), TRM_OK);
  }
  for (int k = 0; k < 4; k++) assert_int_equal(trm_queue_step(q, NULL), TRM_OK);
  assert_int_equal(take_all(q, taken), 4); /* also those that nobody took at once */
  assert_memory_equal(taken, place, sizeof place);
  trm_queue_free(q);
  free(w);
  trm_model_free(m);
}

/* Waiting, under way and done: each leaves room, and the others go on as they would. */
static void who_leaves_makes_room(void **state) {
  /* Five puzzles for three rows and two places to wait. */
  (void)state;
  trm_model *m = make_model();
  wanted *w = solve_alone(m);
  trm_queue *q;
  trm_error err;
  int place[5];
  assert_int_equal(
      trm_queue_create(m, &(trm_queue_config){.rows = 3, .waiting = 2, .threads = 1}, &q, NULL),
      TRM_OK);
  for (int k = 0; k < 5; k++) {
    const trm_queue_puzzle p = {
        .inputs = w->inputs[k], .puzzle_id = w->ids[k], .steps = k == 0 ? 1 : 3};
    assert_int_equal(trm_queue_submit(q, &p, &place[k], NULL), TRM_OK);
  }

  /* After one step 0 is done, 1 and 2 have begun, 3 and 4 wait. */
  assert_int_equal(trm_queue_step(q, NULL), TRM_OK);
  assert_int_equal(trm_queue_busy(q), 4);

  /* One of each kind leaves. It cannot leave twice. */
  const int leave[] = {0, 1, 4};
  for (int i = 0; i < 3; i++) {
    assert_int_equal(trm_queue_cancel(q, place[leave[i]], &err), TRM_OK);
    assert_int_equal(trm_queue_cancel(q, place[leave[i]], &err), TRM_E_ARGUMENT);
    assert_true(speaks_of(&err, "holds no puzzle"));
    assert_int_equal(trm_queue_room(q), i + 1);
  }

  /* Places that there are not hold nothing. */
  assert_int_equal(trm_queue_cancel(q, -1, &err), TRM_E_ARGUMENT);
  assert_int_equal(trm_queue_cancel(q, 5, &err), TRM_E_ARGUMENT);

  /* The others are answered as they would be alone. */
  trm_queue_answer a;
  assert_false(trm_queue_take(q, &a));
  for (int step = 0; step < 3; step++) assert_int_equal(trm_queue_step(q, NULL), TRM_OK);
  static const int stay[] = {2, 3};
  for (int i = 0; i < 2; i++) {
    assert_true(trm_queue_take(q, &a));
    assert_int_equal(a.place, place[stay[i]]);
    assert_int_equal(a.steps, 3);
    assert_answer_is(w, stay[i], &a, &(trm_queue_config){0});
  }
  assert_false(trm_queue_take(q, &a));
  assert_int_equal(trm_queue_room(q), 5);
  trm_queue_free(q);
  free(w);
  trm_model_free(m);
}

static void a_bad_puzzle_fails_alone(void **state) {
  /* What is wrong about a puzzle, and how it is told. */
  (void)state;
  trm_model *m = make_model();
  wanted *w = solve_alone(m);
  trm_queue *q;
  trm_error err;
  int32_t wrong[S] = {V};
  const trm_queue_config c = {.rows = 2, .threads = 1};
  const struct {
    trm_queue_puzzle puzzle;
    trm_status status;
    const char *words;
  } bad[] = {{{.inputs = wrong}, TRM_E_RANGE, "token 7"},
             {{.inputs = w->inputs[0], .puzzle_id = IDS}, TRM_E_RANGE, "puzzle id 3"},
             {{.inputs = w->inputs[0], .steps = -1}, TRM_E_ARGUMENT, "steps = -1"},
             {{.inputs = w->inputs[0], .steps = TRM_MAX_STEPS + 1}, TRM_E_ARGUMENT, "1024"},
             {{.inputs = w->inputs[0], .halt = TRM_HALTS}, TRM_E_ARGUMENT, "halt = 3"},
             {{.inputs = w->inputs[0], .halt_margin = (double)INFINITY}, TRM_E_ARGUMENT, "finite"}};

  /* Refused, it takes no place. */
  assert_int_equal(trm_queue_create(m, &c, &q, NULL), TRM_OK);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    int place = -7;
    assert_int_equal(trm_queue_submit(q, &bad[i].puzzle, &place, &err), bad[i].status);
    assert_true(speaks_of(&err, bad[i].words));
    assert_int_equal(place, -7);
    assert_int_equal(trm_queue_room(q), 2);
  }

  /* All that are good are answered. */
  run_all(q, w, &c);

  /* A full queue takes no more. */
  const trm_queue_puzzle p = ask(w, 0);
  for (int i = 0; i < 2; i++) assert_int_equal(trm_queue_submit(q, &p, NULL, &err), TRM_OK);
  assert_int_equal(trm_queue_submit(q, &p, NULL, &err), TRM_E_ARGUMENT);
  assert_true(speaks_of(&err, "all 2 places"));
  trm_queue_free(q);
  free(w);
  trm_model_free(m);
}

static void sizes_out_of_range_are_refused(void **state) {
  (void)state;
  static const trm_queue_config bad[] = {
      {.rows = -1},    {.rows = (1 << 20) + 1},           {.waiting = -1},   {.puzzles = -1},
      {.threads = -1}, {.trajectory = TRM_MAX_STEPS + 1}, {.trajectory = -1}};
  trm_model *m = make_model();
  trm_error err;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    trm_queue *q;
    assert_int_equal(trm_queue_create(m, &bad[i], &q, &err), TRM_E_ARGUMENT);
    assert_true(speaks_of(&err, "none negative"));
  }
  trm_model_free(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(answers_are_those_of_a_solver),
      cmocka_unit_test(who_came_first_begins_first),
      cmocka_unit_test(who_leaves_makes_room),
      cmocka_unit_test(a_bad_puzzle_fails_alone),
      cmocka_unit_test(sizes_out_of_range_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
