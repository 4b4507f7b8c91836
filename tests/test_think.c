/* Several tries of a puzzle: each is what a solver of its own says of its view, mapped back, and
 * whose answer counts is what plain loops say, whatever else is asked at the same time. */
#include <limits.h>
#include <math.h>

#include "base/hash.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "nn/choose.h"
#include "puzzle/augmenter.h"
#include "small_data.h"
#include "small_model.h"
#include "thoughts.h"

enum { PUZZLES = 9, S = 16, V = 6, IDS = 3, STEPS = 5, VIEWS = 4, SEED = 7 };

/* What a solver says of each view of each puzzle after each step, mapped back. */
typedef struct wanted {
  int32_t inputs[PUZZLES][S], ids[PUZZLES];
  int32_t answer[PUZZLES][VIEWS][STEPS][S];
  float logits[PUZZLES][VIEWS][STEPS][S][V];
  double margin[PUZZLES][VIEWS][STEPS];
} wanted;

static trm_model_config model_config(void) {
  trm_model_config c = small_config(TRM_ARCH_TRM, S);
  c.vocab_size = V;
  c.puzzle = trm_sudoku_of_size(4);
  c.halt_max_steps = STEPS;
  c.no_ACT_continue = false;
  return c;
}
static trm_model *make_model(void) {
  const trm_model_config c = model_config();
  return small_model(&c, 5);
}

/* A view by its tables, in loops of its own. */
static void follow(const trm__image *g, trm_solver *s, const int32_t *inputs, int32_t id, int n,
                   wanted *w, int k) {
  int32_t turned[S];
  for (int i = 0; i < S; i++) turned[i] = g->token[inputs[g->cell[i]]];
  assert_int_equal(trm_solver_start(s, 1, turned, &id, NULL), TRM_OK);
  for (int step = 0; step < STEPS; step++) {
    assert_int_equal(trm_solver_step(s, NULL), TRM_OK);
    for (int i = 0; i < S; i++)
      for (int v = 0; v < V; v++) {
        w->logits[k][n][step][g->cell[i]][v] = trm_solver_logits(s)[i * V + g->token[v]];
        if (trm_solver_answer(s)[i] == g->token[v]) w->answer[k][n][step][g->cell[i]] = v;
      }
    w->margin[k][n][step] = trm_solver_halt_margin(s, 0);
  }
}

static wanted *solve_alone(const trm_model *m) {
  wanted *w = calloc(1, sizeof *w);
  trm_puzzle p = trm_sudoku_of_size(4);
  trm__augmenter a;
  trm_solver *s;
  trm__rng r = trm__rng_at(1, TRM__RNG_TEST, 3, 0);
  assert_non_null(w);
  assert_int_equal(trm__augmenter_init_views(&a, &p, NULL), TRM_OK);
  assert_int_equal(trm_solver_create(m, &(trm_solver_config){.threads = 1}, &s, NULL), TRM_OK);

  /* Random questions; of the views the key is what think.h says: seed, puzzle and number. */
  for (int k = 0; k < PUZZLES; k++) {
    for (int i = 0; i < S; i++) w->inputs[k][i] = 1 + (int32_t)trm__rng_below(&r, V - 1);
    w->ids[k] = (int32_t)trm__rng_below(&r, IDS);
    const uint64_t hash = trm__hash_bytes(
        trm__hash_bytes(TRM__HASH_START, w->inputs[k], sizeof w->inputs[k]), &w->ids[k], 4);
    for (int n = 0; n < VIEWS; n++) {
      int32_t cell[S];
      trm__image g = {.cell = cell};
      trm__rng draw = trm__rng_at(SEED, TRM__RNG_VIEW, hash, (uint32_t)n);
      trm__augmenter_view(&a, n ? &draw : NULL, &g);
      follow(&g, s, w->inputs[k], w->ids[k], n, w, k);
    }
  }
  trm_solver_free(s);
  return w;
}

/* The step after which FIRST ends puzzle k; 0: none does. */
static int passes(const wanted *w, int k, int n, double bar) {
  for (int step = 1; step < STEPS; step++)
    if (w->margin[k][n][step] > bar && w->margin[k][n][step - 1] > bar) return step + 1;
  return 0;
}
static int first_step(const wanted *w, int k, double bar) {
  int first = 0;
  for (int n = 0; n < VIEWS; n++) {
    const int step = passes(w, k, n, bar);
    if (step && (!first || step < first)) first = step;
  }
  return first;
}

static int count_same(const wanted *w, int k, int n) {
  int same = 0;
  for (int i = 0; i < VIEWS; i++)
    same += !memcmp(w->answer[k][n][STEPS - 1], w->answer[k][i][STEPS - 1], S * sizeof(int32_t));
  return same;
}

/* As its definition says: of the last three steps. */
static double residual(const wanted *w, int k, int n) {
  double sum = 0;
  for (int step = STEPS - 3; step < STEPS; step++)
    for (int i = 0; i < S; i++) {
      double square = 0;
      for (int v = 0; v < V; v++)
        square +=
            pow((double)w->logits[k][n][step][i][v] - (double)w->logits[k][n][step - 1][i][v], 2);
      sum += sqrt(square) / (3 * S);
    }
  return sum;
}

/* Which view a rule takes, and after which step. */
static int choose(const wanted *w, int k, const trm_thinking *how, int *step) {
  const int first = how->select == TRM_SELECT_FIRST ? first_step(w, k, how->bar) : 0;
  int best = -1;
  *step = first ? first : STEPS;
  for (int n = 0; n < VIEWS; n++) {
    if (first && passes(w, k, n, how->bar) != first) continue;
    const int more = best >= 0 && how->select == TRM_SELECT_MODE
                         ? count_same(w, k, n) - count_same(w, k, best)
                         : 0;
    if (how->select == TRM_SELECT_RESIDUAL) {
      if (best < 0 || residual(w, k, n) < residual(w, k, best)) best = n;
      continue;
    }
    if (best < 0 || more > 0 ||
        (more == 0 && w->margin[k][n][*step - 1] > w->margin[k][best][*step - 1]))
      best = n;
  }
  return best;
}

static void vote(const wanted *w, int k, int32_t *answer) {
  for (int i = 0; i < S; i++) {
    double sum[V] = {0};
    for (int n = 0; n < VIEWS; n++) {
      double all = 0;
      for (int v = 0; v < V; v++) all += exp((double)w->logits[k][n][STEPS - 1][i][v]);
      for (int v = 0; v < V; v++) sum[v] += exp((double)w->logits[k][n][STEPS - 1][i][v]) / all;
    }
    answer[i] = 0;
    for (int v = 1; v < V; v++)
      if (sum[v] > sum[answer[i]]) answer[i] = v;
  }
}

static void assert_chosen(const wanted *w, int k, const trm_thinking *how,
                          const trm_queue_answer *a, const trm_choice *c, bool logits) {
  int step;
  int32_t voted[S];
  const int n = choose(w, k, how, &step);
  const int32_t *answer = w->answer[k][n][step - 1];
  if (how->select == TRM_SELECT_VOTE) vote(w, k, voted);
  assert_int_equal(c->tries, VIEWS);
  assert_int_equal(c->chosen, n);
  assert_int_equal(a->steps, VIEWS * step);
  assert_true(a->margin == w->margin[k][n][step - 1]);
  assert_memory_equal(a->inputs, w->inputs[k], sizeof w->inputs[k]);
  assert_memory_equal(a->answer, how->select == TRM_SELECT_VOTE ? voted : answer, sizeof voted);
  assert_int_equal(a->logits != NULL, logits);
  if (logits) assert_memory_equal(a->logits, w->logits[k][n][step - 1], sizeof(float) * S * V);
  if (how->select == TRM_SELECT_MODE) assert_int_equal(c->agree, count_same(w, k, n));
}

static void list_puzzles(const wanted *w, trm_queue_puzzle puzzles[PUZZLES]) {
  for (int k = 0; k < PUZZLES; k++)
    puzzles[k] = (trm_queue_puzzle){.inputs = w->inputs[k], .puzzle_id = w->ids[k]};
}

static void run_all(const trm_model *m, const wanted *w, const trm_thinking *how,
                    const trm_queue_config *config) {
  trm_error err;
  trm_queue_puzzle puzzles[PUZZLES];
  thoughts r = {.puzzles = puzzles, .n = PUZZLES, .tries = VIEWS};
  list_puzzles(w, puzzles);
  if (trm_thinker_create(m, config, how, NULL, &r.thinker, &err) != TRM_OK) fail_msg("%s", err.msg);
  while (next_thought(&r)) assert_chosen(w, r.puzzle, how, &r.answer, &r.choice, config->logits);
  trm_thinker_free(r.thinker);
}

/* A bar that some of the puzzles pass early and some never, else it would show nothing. */
static double middle_bar(const wanted *w) {
  for (int i = 0; i < PUZZLES * VIEWS; i++) {
    const double bar = w->margin[i / VIEWS][i % VIEWS][1];
    int early = 0, never = 0;
    for (int k = 0; k < PUZZLES; k++) {
      const int step = first_step(w, k, bar);
      early += step && step < STEPS;
      never += !step;
    }
    if (early > 1 && never > 1) return bar;
  }
  fail_msg("no bar tells the puzzles apart");
  return 0;
}

static void choices_are_those_of_plain_loops(void **state) {
  (void)state;
  static const trm_queue_config ways[] = {{.rows = 1, .threads = 1, .logits = true},
                                          {.rows = 6, .threads = 2},
                                          {.rows = 11, .threads = 3, .logits = true},
                                          {.threads = 1, .puzzles = 3}};
  trm_model *m = make_model();
  wanted *w = solve_alone(m);
  const double bar = middle_bar(w);

  for (int rule = 0; rule < TRM_SELECTS; rule++)
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
      const trm_thinking how = {
          .views = VIEWS, .select = (trm_select)rule, .bar = bar, .seed = SEED};
      run_all(m, w, &how, &ways[i]);
    }
  free(w);
  trm_model_free(m);
}

/* One try that ends once it is above the bar twice, by the queue alone. */
static void a_single_try_may_end_early(void **state) {
  (void)state;
  trm_model *m = make_model();
  wanted *w = solve_alone(m);
  trm_thinker *t;
  trm_queue_answer a;
  const double bar = middle_bar(w);
  const trm_thinking how = {.select = TRM_SELECT_FIRST, .bar = bar};
  assert_int_equal(trm_thinker_create(m, &(trm_queue_config){.rows = 1}, &how, NULL, &t, NULL),
                   TRM_OK);
  assert_true(trm_thinker_is_single(t));
  for (int k = 0; k < PUZZLES; k++) {
    const int step = passes(w, k, 0, bar);
    const trm_queue_puzzle p = {.inputs = w->inputs[k], .puzzle_id = w->ids[k]};
    assert_int_equal(trm_thinker_submit(t, &p, NULL, NULL), TRM_OK);
    while (trm_thinker_busy(t)) assert_int_equal(trm_thinker_step(t, NULL), TRM_OK);
    assert_true(trm_thinker_take(t, &a, NULL));
    assert_int_equal(a.steps, step ? step : STEPS);
    assert_int_equal(a.halted, step > 0);
  }
  trm_thinker_free(t);
  free(w);
  trm_model_free(m);
}

/* --- evaluations --- */

typedef struct watch {
  const wanted *w;
  const trm_thinking *how;
  int rows, steps, exact;
  int64_t left; /* calls until it is stopped; below 0: never */
} watch;

/* An example as it is told of: the answer, q and steps that plain loops choose. */
static trm_status told(void *arg, const trm_eval_row *r, trm_error *err) {
  watch *o = arg;
  int step;
  int32_t voted[S];
  const int k = (int)r->example, n = choose(o->w, k, o->how, &step);
  vote(o->w, k, voted);
  (void)err;
  assert_memory_equal(r->answer,
                      o->how->select == TRM_SELECT_VOTE ? voted : o->w->answer[k][n][step - 1],
                      sizeof voted);
  assert_int_equal(r->steps, VIEWS * step);
  bool exact = true;
  for (int i = 0; i < S; i++) exact &= r->labels[i] < 0 || r->labels[i] == r->answer[i];
  o->rows++;
  o->steps += r->steps;
  o->exact += exact;
  return TRM_OK;
}
static bool go_on(void *arg, int64_t done, int64_t total) {
  (void)done;
  (void)total;
  return ((watch *)arg)->left-- != 0;
}

/* Half of the labels are what the surest view says. */
static trm_dataset *make_data(scratch *s, const wanted *w) {
  int32_t labels[PUZZLES * S];
  trm_dataset *d;
  trm_error err;
  const trm_thinking q = {.views = VIEWS};
  for (int k = 0; k < PUZZLES; k++) {
    int step;
    const int n = choose(w, k, &q, &step);
    for (int i = 0; i < S; i++)
      labels[k * S + i] = k % 2 ? 1 + (k + i) % (V - 1) : w->answer[k][n][STEPS - 1][i];
  }
  write_small_data(s->dir, PUZZLES, S, V, IDS, w->inputs[0], labels, w->ids);
  if (trm_dataset_open(s->dir, "test", &d, &err) != TRM_OK) fail_msg("%s", err.msg);
  return d;
}

static void evaluations_choose_as_well(void **state) {
  static trm_eval_report first, r;
  scratch *s = *state;
  trm_model *m = make_model();
  wanted *w = solve_alone(m);
  trm_dataset *d = make_data(s, w);
  char path[200];
  trm_error err;
  snprintf(path, sizeof path, "%s/state", s->dir);
  for (int rule = 0; rule < TRM_SELECTS; rule++) {
    const trm_thinking how = {
        .views = VIEWS, .select = (trm_select)rule, .bar = middle_bar(w), .seed = SEED};
    watch o = {.w = w, .how = &how, .left = -1};
    trm_eval_config c = {.think = how, .batch = 1, .threads = 1, .row = told, .row_arg = &o};
    if (trm_evaluate(m, d, &c, &first, &err) != TRM_OK) fail_msg("%s", err.msg);
    assert_int_equal(o.rows, PUZZLES);
    assert_int_equal(first.exact, o.exact);
    assert_int_equal(first.tries, VIEWS);
    assert_int_equal(first.n_steps, 0);
    assert_true(first.mean_steps == (double)o.steps / PUZZLES);

    /* The same bits for another batch and more threads, and for one that is stopped halfway and
     * goes on; in place of whose state another rule is refused. */
    c.batch = 7;
    c.threads = 3;
    assert_int_equal(trm_evaluate(m, d, &c, &r, NULL), TRM_OK);
    assert_memory_equal(&r, &first, sizeof r);
    o.left = STEPS + 1;
    c.batch = VIEWS;
    c.state = path;
    c.progress = go_on;
    c.progress_arg = &o;
    assert_int_equal(trm_evaluate(m, d, &c, &r, NULL), TRM_E_INTERRUPTED);
    o.left = -1;
    c.think.select = (trm_select)((rule + 1) % TRM_SELECTS);
    assert_int_equal(trm_evaluate(m, d, &c, &r, &err), TRM_E_CONFIG);
    assert_non_null(strstr(err.msg, "--views"));
    c.think = (trm_thinking){0};
    assert_int_equal(trm_evaluate(m, d, &c, &r, &err), TRM_E_CONFIG);
    c.think = how;
    if (trm_evaluate(m, d, &c, &r, &err) != TRM_OK) fail_msg("%s", err.msg);
    assert_memory_equal(&r, &first, sizeof r);
    assert_int_equal(remove(path), 0);
  }
  trm_dataset_free(d);
  free(w);
  trm_model_free(m);
}

/* --- noise --- */

/* z_L of every row gets noise by the sequence of its key; nothing else. Added by hand on the host
 * it is the same bits. */
static void add_by_hand(trm_solver *s, int row, uint64_t key, int step, double deviation) {
  const trm_model_config c = small_config(TRM_ARCH_TRM, S);
  const int n = (S + c.puzzle_emb_len) * c.hidden_size, latent = !trm_solver_answer_latent(s);
  float *z = (float *)(uintptr_t)trm_solver_latent(s, latent, NULL) + (int64_t)row * n;
  trm__rng rng = trm__rng_at(SEED, TRM__RNG_JITTER, key, (uint32_t)(32 * step + latent));
  for (int i = 0; i < n; i += 2) {
    const double length = sqrt(-2 * log(trm__rng_uniform(&rng)));
    const double angle = 6.28318530717958648 * trm__rng_uniform(&rng);
    z[i] += (float)deviation * (float)(length * cos(angle));
    z[i + 1] += (float)deviation * (float)(length * sin(angle));
  }
}

static void noise_is_that_of_the_key(void **state) {
  (void)state;
  static const uint64_t keys[3] = {5, UINT64_C(0xfedcba9876543210), 9};
  trm_model *m = make_model();
  wanted *w = solve_alone(m);
  trm_solver *by_hand, *noisy;
  const trm_solver_config plain = {.batch = 3, .threads = 1};
  const trm_solver_config disturbed = {.batch = 3, .threads = 3, .noise = 0.5, .seed = SEED};
  assert_int_equal(trm_solver_create(m, &plain, &by_hand, NULL), TRM_OK);
  assert_int_equal(trm_solver_create(m, &disturbed, &noisy, NULL), TRM_OK);
  for (int r = 0; r < 3; r++) {
    assert_int_equal(trm_solver_add(by_hand, w->inputs[r], w->ids[r], NULL), TRM_OK);
    assert_int_equal(trm_solver_add(noisy, w->inputs[r], w->ids[r], NULL), TRM_OK);
    trm_solver_set_noise_key(noisy, r, keys[r]);
  }
  for (int step = 0; step < STEPS; step++) {
    for (int r = 0; r < trm_solver_rows(by_hand); r++)
      add_by_hand(by_hand, r, keys[step > 2 && r == 0 ? 2 : r], step, 0.5);
    assert_int_equal(trm_solver_step(by_hand, NULL), TRM_OK);
    assert_int_equal(trm_solver_step(noisy, NULL), TRM_OK);
    const size_t n = (size_t)trm_solver_rows(noisy) * S * V;
    assert_memory_equal(trm_solver_logits(noisy), trm_solver_logits(by_hand), n * sizeof(float));
    assert_memory_not_equal(trm_solver_logits(noisy), w->logits[0][0][step], S * V * sizeof(float));
    if (step != 2) continue;
    /* Keys move with their rows. */
    trm_solver_remove(by_hand, 0);
    trm_solver_remove(noisy, 0);
  }
  trm_solver_free(by_hand);
  trm_solver_free(noisy);
  free(w);
  trm_model_free(m);
}

/* The logits of the chosen try of every puzzle. */
static void ask_all(const trm_model *m, const wanted *w, const trm_queue_config *way,
                    const trm_thinking *how, float logits[PUZZLES][S * V]) {
  trm_queue_puzzle puzzles[PUZZLES];
  trm_error err;
  list_puzzles(w, puzzles);
  thoughts r = {.puzzles = puzzles, .n = PUZZLES};
  if (trm_thinker_create(m, way, how, NULL, &r.thinker, &err) != TRM_OK) fail_msg("%s", err.msg);
  while (next_thought(&r)) memcpy(logits[r.puzzle], r.answer.logits, sizeof logits[0]);
  trm_thinker_free(r.thinker);
}

/* The same bits for other rows and threads, other bits by each of these. */
static void check_among_others(const trm_model *m, const trm_thinking *hows, int n) {
  static const trm_queue_config ways[] = {{.rows = 1, .threads = 1, .logits = true},
                                          {.rows = 7, .threads = 2, .logits = true},
                                          {.rows = 31, .threads = 3, .logits = true}};
  static float logits[4][PUZZLES][S * V], again[PUZZLES][S * V];
  wanted *w = solve_alone(m);
  assert_true(n <= 4);
  for (int h = 0; h < n; h++) {
    ask_all(m, w, &ways[0], &hows[h], logits[h]);
    for (int i = 1; i < 3; i++) {
      ask_all(m, w, &ways[i], &hows[h], again);
      assert_memory_equal(again, logits[h], sizeof again);
    }
  }
  for (int h = 1; h < n; h++)
    assert_memory_not_equal(logits[h][0], logits[0][0], sizeof logits[0][0]);
  free(w);
}

/* Rollouts of views, and every number that the noise follows from. */
static void rollouts_are_the_same_among_others(void **state) {
  (void)state;
  static const trm_thinking hows[] = {
      {.views = 2, .rollouts = 3, .noise = 0.5, .select = TRM_SELECT_RESIDUAL, .seed = SEED},
      {.views = 2, .rollouts = 3, .noise = 0.5, .select = TRM_SELECT_RESIDUAL, .seed = SEED + 1},
      {.views = 2, .rollouts = 3, .noise = 0.25, .select = TRM_SELECT_RESIDUAL, .seed = SEED},
      {.noise = 0.5, .seed = SEED}};
  trm_model *m = make_model();
  check_among_others(m, hows, 4);
  trm_model_free(m);
}

/* The breadth of EqR: a model that starts at random has rollouts without noise, and so has one with
 * noise behind its updates. */
static void models_that_draw_have_rollouts(void **state) {
  (void)state;
  static const trm_thinking hows[] = {
      {.rollouts = 5, .select = TRM_SELECT_RESIDUAL, .seed = SEED},
      {.rollouts = 5, .select = TRM_SELECT_RESIDUAL, .seed = SEED + 1},
      {.rollouts = 4, .views = 2, .select = TRM_SELECT_Q, .seed = SEED + 2},
      {.seed = SEED + 3}};
  for (int which = 0; which < 2; which++) {
    trm_model_config c = model_config();
    if (which == 0) c.start_std = 1;
    if (which == 1) c.update_noise = 0.1;
    trm_model *m = small_model(&c, 5);
    check_among_others(m, hows, 4);
    trm_model_free(m);
  }
}

/* Each rollout is what a solver of its own says by the try's key, and the choice is the one whose
 * logits move least. A single try is the first of them. */
static void each_rollout_has_its_start(void **state) {
  (void)state;
  enum { ROLLOUTS = 4 };
  static float logits[ROLLOUTS][STEPS][S * V], chosen[PUZZLES][S * V], single[PUZZLES][S * V];
  static const trm_queue_config way = {.rows = 3, .threads = 2, .logits = true};
  static const trm_thinking how = {
      .rollouts = ROLLOUTS, .select = TRM_SELECT_RESIDUAL, .seed = SEED};
  trm_model_config c = model_config();
  c.start_std = 1;
  trm_model *m = small_model(&c, 5);
  wanted *w = solve_alone(m);
  trm_solver *s;
  const trm_solver_config alone = {.threads = 1, .seed = SEED};
  ask_all(m, w, &way, &how, chosen);
  ask_all(m, w, &way, &(trm_thinking){.seed = SEED}, single);
  assert_int_equal(trm_solver_create(m, &alone, &s, NULL), TRM_OK);
  for (int k = 0; k < PUZZLES; k++) {
    const uint64_t hash = trm__hash_bytes(
        trm__hash_bytes(TRM__HASH_START, w->inputs[k], sizeof w->inputs[k]), &w->ids[k], 4);
    double least = INFINITY;
    int best = 0;
    for (int32_t n = 0; n < ROLLOUTS; n++) {
      assert_int_equal(trm_solver_start(s, 1, w->inputs[k], &w->ids[k], NULL), TRM_OK);
      trm_solver_set_noise_key(s, 0, trm__hash_bytes(hash, &n, sizeof n));
      for (int step = 0; step < STEPS; step++) {
        assert_int_equal(trm_solver_step(s, NULL), TRM_OK);
        memcpy(logits[n][step], trm_solver_logits(s), sizeof logits[n][step]);
      }
      double moved = 0;
      for (int step = STEPS - 3; step < STEPS; step++)
        moved += trm__logits_distance(S, V, logits[n][step], logits[n][step - 1]) / 3;
      if (moved < least) best = n;
      if (moved < least) least = moved;
      if (n > 0) assert_memory_not_equal(logits[n][0], logits[0][0], sizeof logits[0][0]);
    }
    assert_memory_equal(chosen[k], logits[best][STEPS - 1], sizeof chosen[k]);
    assert_memory_equal(single[k], logits[0][STEPS - 1], sizeof single[k]);
  }
  trm_solver_free(s);
  free(w);
  trm_model_free(m);
}

/* --- views --- */

static void views_are_symmetries(void **state) {
  (void)state;
  static const int32_t solved[S] = {2, 3, 4, 5, 4, 5, 2, 3, 3, 2, 5, 4, 5, 4, 3, 2};
  trm_puzzle p = trm_sudoku_of_size(4);
  trm__augmenter a;
  int others = 0;
  assert_int_equal(trm__augmenter_init_views(&a, &p, NULL), TRM_OK);
  for (uint32_t n = 0; n < 50; n++) {
    int32_t cell[S], image[S];
    bool seen[S] = {false};
    trm__image g = {.cell = cell};
    trm__rng draw = trm__rng_at(1, TRM__RNG_VIEW, 5, n);
    trm__augmenter_view(&a, n ? &draw : NULL, &g);
    for (int i = 0; i < S; i++) {
      image[i] = trm__image_token(g.token, solved[cell[i]]);
      seen[cell[i]] = true;
    }
    for (int i = 0; i < S; i++) assert_true(seen[i]);
    for (int v = 0; v < TRM__VIEW_TOKENS; v++) assert_int_equal(g.original[g.token[v]], v);
    assert_true(g.token[0] == 0 && g.token[1] == 1);
    assert_true(trm_puzzle_solves(&p, image, image));
    others += memcmp(image, solved, sizeof image) != 0;
    if (n == 0) assert_int_equal(others, 0);
  }
  assert_in_range(others, 40, 49);
}

/* Of grids those that they declare; of grids that are smaller than their canvas only symbols change
 * names. */
static void declared_symmetries_are_views(void **state) {
  (void)state;
  static const struct {
    bool sized;
    const char *symmetries;
    bool known, turns;
  } cases[] = {{false, "dihedral,permute:1-3", true, true},
               {false, "permute:1-3", true, false},
               {true, "dihedral,permute:1-3", true, false},
               {true, "dihedral", false, false},
               {false, "", false, false}};
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    trm_puzzle p = {.kind = TRM_PUZZLE_GRID, .rows = 3, .cols = 3, .sized = cases[k].sized};
    trm__augmenter a;
    trm_error err;
    static const char vocabulary[] = "1\0002\0003\0";
    memcpy(p.vocabulary, vocabulary, sizeof vocabulary);
    snprintf(p.symmetries, sizeof p.symmetries, "%s", cases[k].symmetries);
    const trm_status st = trm__augmenter_init_views(&a, &p, &err);
    assert_int_equal(st, cases[k].known ? TRM_OK : TRM_E_CONFIG);
    if (st != TRM_OK) {
      assert_non_null(strstr(err.msg, "no symmetries"));
      continue;
    }
    bool moved = false, renamed = false;
    for (uint32_t n = 1; n < 20; n++) {
      int32_t cell[9];
      trm__image g = {.cell = cell};
      trm__rng draw = trm__rng_at(1, TRM__RNG_VIEW, 5, n);
      trm__augmenter_view(&a, &draw, &g);
      for (int i = 0; i < 9; i++) moved |= cell[i] != i;
      for (int v = 0; v < 5; v++) renamed |= g.token[v] != v;
    }
    assert_int_equal(moved, cases[k].turns);
    assert_true(renamed);
  }

  /* ARC's ids stand for one copy each, and of unknown puzzles nothing is known. */
  trm__augmenter a;
  const trm_puzzle arc = {.kind = TRM_PUZZLE_ARC, .rows = 30, .cols = 30}, none = {0};
  assert_int_equal(trm__augmenter_init_views(&a, &arc, NULL), TRM_E_CONFIG);
  assert_int_equal(trm__augmenter_init_views(&a, &none, NULL), TRM_E_CONFIG);
}

/* --- what is refused --- */

static void nonsense_is_refused(void **state) {
  (void)state;
  static const struct {
    trm_thinking how;
    trm_queue_config queue;
    const char *words;
  } cases[] = {
      {{.views = -1}, {.rows = 1}, "views = -1"},
      {{.views = TRM_MAX_TRIES + 1}, {.rows = 1}, "expected 1 to 1024"},
      {{.select = TRM_SELECTS}, {.rows = 1}, "expected a rule"},
      {{.select = (trm_select)-1}, {.rows = 1}, "expected a rule"},
      {{.bar = NAN}, {.rows = 1}, "finite"},
      {{.views = 33, .rollouts = 32, .noise = 1}, {.rows = 1}, "in all"},
      {{.rollouts = -1}, {.rows = 1}, "rollouts = -1"},
      {{.rollouts = INT_MAX, .views = 2, .noise = 1}, {.rows = 1}, "in all"},
      {{.rollouts = 2}, {.rows = 1}, "all the same"},
      {{.noise = -1}, {.rows = 1}, "noise = -1"},
      {{.noise = NAN}, {.rows = 1}, "noise"},
      {{.noise = INFINITY}, {.rows = 1}, "noise"},
      {{.views = 2}, {.rows = 1, .trajectory = 2}, "of one try"},
      {{.views = 2}, {.rows = 1, .latents = true}, "of one try"},
      {{.views = 2}, {.rows = 1, .waiting = -1}, "waiting"},
      {{.views = 2}, {.rows = -1}, "rows"},
  };
  trm_model *m = make_model();
  trm_thinker *t;
  trm_error err;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_int_equal(trm_thinker_create(m, &cases[i].queue, &cases[i].how, NULL, &t, &err),
                     TRM_E_ARGUMENT);
    assert_null(t);
    if (!strstr(err.msg, cases[i].words)) fail_msg("%s", err.msg);
  }

  /* A puzzle of other sizes; and of puzzles a token that nobody knows, and an exit beside FIRST. */
  const trm_puzzle other = trm_sudoku_of_size(6);
  const trm_thinking how = {.views = 3, .select = TRM_SELECT_FIRST};
  assert_int_equal(trm_thinker_create(m, &(trm_queue_config){.rows = 1}, &how, &other, &t, &err),
                   TRM_E_ARGUMENT);
  assert_int_equal(trm_thinker_create(m, &(trm_queue_config){.rows = 1}, &how, NULL, &t, &err),
                   TRM_OK);
  int32_t inputs[S] = {[3] = V};
  trm_queue_puzzle p = {.inputs = inputs};
  assert_int_equal(trm_thinker_submit(t, &p, NULL, &err), TRM_E_RANGE);
  assert_int_equal(trm_thinker_busy(t), 0);
  inputs[3] = 1;
  p.halt = TRM_HALT_Q;
  assert_int_equal(trm_thinker_submit(t, &p, NULL, &err), TRM_E_ARGUMENT);
  p.halt = TRM_HALT_NEVER;
  assert_int_equal(trm_thinker_submit(t, &p, NULL, &err), TRM_OK);
  assert_int_equal(trm_thinker_submit(t, &p, NULL, &err), TRM_E_ARGUMENT);
  trm_thinker_free(t);
  trm_model_free(m);
}

/* --- the numbers of others --- */

enum { G_STEPS = 6, G_TRIES = 4, G_PUZZLES = 5, G_S = 6, G_V = 4 };

static const void *tensor(const trm__safetensors *f, const char *name, int64_t count) {
  const trm__st_tensor *t = trm__safetensors_find(f, name);
  assert_non_null(t);
  assert_int_equal(t->count, count);
  return t->data;
}
static int64_t number(const trm__json *o, const char *key) {
  return trm__json_integer(trm__json_get(o, key));
}

/* golden/recipes/select: what rules in plain torch chose among four noisy rollouts. */
static void rules_choose_as_the_golden_numbers(void **state) {
  (void)state;
  static const char dir[] = TRM_SHARED_DIR "/golden/recipes/select";
  trm__json *json;
  trm__safetensors *f;
  trm_error err;
  if (trm__json_load(TRM_SHARED_DIR "/golden/recipes/select/case.json", 1 << 20, &json, &err)) {
    print_message("no %s: skipped\n", dir);
    skip();
  }
  assert_int_equal(
      trm__safetensors_open(TRM_SHARED_DIR "/golden/recipes/select/expected.safetensors", &f, &err),
      TRM_OK);
  const int64_t all = (int64_t)G_STEPS * G_TRIES * G_PUZZLES;
  const float *scores = tensor(f, "residual_score", (int64_t)G_TRIES * G_PUZZLES);
  const float *q = tensor(f, "q_halt", all), *logits = tensor(f, "logits", all * G_S * G_V);
  const int32_t *grids = tensor(f, "final_grid", (int64_t)G_TRIES * G_PUZZLES * G_S);
  const double bar =
      trm__json_number(trm__json_get(trm__json_get(json, "selection"), "q_threshold"));

  for (int k = 0; k < G_PUZZLES; k++) {
    const trm__json *want = trm__json_item(trm__json_get(json, "chosen"), (size_t)k);
    trm__try tries[G_TRIES];
    int64_t sums[G_S * G_V] = {0};
    int32_t voted[G_S];

    /* All at their last step ... */
    for (int n = 0; n < G_TRIES; n++) {
      const int last = ((G_STEPS - 1) * G_TRIES + n) * G_PUZZLES + k;
      tries[n] = (trm__try){.done = true,
                            .steps = G_STEPS,
                            .margin = (double)q[last],
                            .answer = grids + (n * G_PUZZLES + k) * G_S};
      real row[G_S * G_V];
      for (int i = 0; i < G_S * G_V; i++) row[i] = (real)logits[last * G_S * G_V + i];
      trm__vote_add(G_S, G_V, row, sums);
      for (int step = G_STEPS - 3; step < G_STEPS; step++) {
        const float *now = logits + ((step * G_TRIES + n) * G_PUZZLES + k) * G_S * G_V;
        tries[n].residual +=
            trm__logits_distance(G_S, G_V, now, now - G_TRIES * G_PUZZLES * G_S * G_V) / 3;
      }
      assert_true(fabs(tries[n].residual - (double)scores[n * G_PUZZLES + k]) <
                  1e-5 * tries[n].residual);
    }
    assert_int_equal(trm__choose(TRM_SELECT_RESIDUAL, G_TRIES, G_S, tries),
                     number(want, "residual"));
    const trm__json *mode = trm__json_get(want, "vote");
    assert_int_equal(trm__choose(TRM_SELECT_Q, G_TRIES, G_S, tries), number(want, "max_q"));
    const int most = trm__choose(TRM_SELECT_MODE, G_TRIES, G_S, tries);
    assert_int_equal(most, number(mode, "rollout"));
    assert_int_equal(trm__choose_agree(G_TRIES, G_S, tries, tries[most].answer),
                     number(mode, "count"));
    trm__vote_count(G_S, G_V, sums, voted);
    const trm__json *mean = trm__json_get(want, "mean_probability_answer");
    for (int i = 0; i < G_S; i++)
      assert_int_equal(voted[i], trm__json_integer(trm__json_item(mean, (size_t)i)));

    /* ... and each at its first step above the bar twice. */
    const trm__json *first = trm__json_get(want, "first_q_twice");
    for (int n = 0; n < G_TRIES; n++)
      for (int step = 1; step < G_STEPS && !tries[n].passed; step++) {
        const int at = (step * G_TRIES + n) * G_PUZZLES + k, before = at - G_TRIES * G_PUZZLES;
        if (!((double)q[at] > bar && (double)q[before] > bar)) continue;
        tries[n].passed = true;
        tries[n].steps = step + 1;
        tries[n].margin = (double)q[at];
      }
    const int chosen = trm__choose(TRM_SELECT_FIRST, G_TRIES, G_S, tries);
    assert_int_equal(chosen, number(first, "rollout"));
    if (tries[chosen].passed) assert_int_equal(tries[chosen].steps - 1, number(first, "step"));
  }
  trm__safetensors_close(f);
  trm__json_free(json);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(choices_are_those_of_plain_loops),
      cmocka_unit_test(a_single_try_may_end_early),
      cmocka_unit_test(evaluations_choose_as_well),
      cmocka_unit_test(noise_is_that_of_the_key),
      cmocka_unit_test(rollouts_are_the_same_among_others),
      cmocka_unit_test(models_that_draw_have_rollouts),
      cmocka_unit_test(each_rollout_has_its_start),
      cmocka_unit_test(views_are_symmetries),
      cmocka_unit_test(declared_symmetries_are_views),
      cmocka_unit_test(nonsense_is_refused),
      cmocka_unit_test(rules_choose_as_the_golden_numbers),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
