/* Models whose tokens are the open cells of mazes: the way from a grid to a row's sequence and
 * back, padding that nothing sees, rows that do not see each other, states, refusals, a run. */
#include "small_trainer.h"

#include <math.h>

#include "base/place.h"
#include "nn/open_cells.h"
#include "puzzle/puzzle.h"
#include "small_sets.h"

enum { SIDE = 4, CELLS = SIDE * SIDE, V = 6, WALL = TRM_MAZE_WALL, MAZES = 4 };

/* 5, 9, 16 and 12 open cells; the answers mark a shortest way. */
static const char *const questions[MAZES] = {"S###/.###/..G#/####", "S..#/##.#/#.../#.#G",
                                             "S.../..../..../...G", "S#../...#/#.../.#.G"};
static const char *const answers[MAZES] = {"S###/o###/ooG#/####", "Soo#/##o#/#.oo/#.#G",
                                           "S.../o.../o.../oooG", "S#../oo.#/#oo./.#oG"};

static void read_maze(const char *text, int32_t *out) {
  const trm_puzzle p = trm_maze_of_size(SIDE, SIDE);
  trm_error err;
  if (trm_puzzle_parse(&p, text, strlen(text), out, &err) != TRM_OK) fail_msg("%s", err.msg);
}

typedef struct mazes {
  int32_t inputs[MAZES * CELLS], labels[MAZES * CELLS], ids[MAZES];
} mazes;
static mazes read_mazes(void) {
  mazes m = {.ids = {0}};
  for (int i = 0; i < MAZES; i++) {
    read_maze(questions[i], m.inputs + i * CELLS);
    read_maze(answers[i], m.labels + i * CELLS);
  }
  return m;
}

/* All that tokens may have beside them, each by its place. */
static trm_model_config config_of(int most) {
  trm_model_config c = small_config(TRM_ARCH_TRM, CELLS);
  c.vocab_size = V;
  c.puzzle = trm_maze_of_size(SIDE, SIDE);
  c.num_puzzle_identifiers = 1;
  c.pos_encodings = TRM_POS_ROPE2D;
  c.grid_tables = c.feedback = true;
  c.registers = 1;
  c.open_cells = true;
  c.max_open_cells = most;
  return c;
}

static trm_solver *solver_of(const trm_model *m, int batch, int threads) {
  trm_solver *s;
  trm_error err;
  const trm_solver_config config = {.batch = batch, .threads = threads};
  if (trm_solver_create(m, &config, &s, &err) != TRM_OK) fail_msg("%s", err.msg);
  return s;
}
static void take_steps(trm_solver *s, int n) {
  trm_error err;
  for (int i = 0; i < n; i++) assert_int_equal(trm_solver_step(s, &err), TRM_OK);
}

/* --- the way there and back ------------------------------------------------------------------ */

static void open_cells_are_gathered_and_spread(void **state) {
  enum { ROOM = 7, OPEN = 5 };
  (void)state;
  const trm_puzzle p = trm_maze_of_size(SIDE, SIDE);
  const trm__dims dims = {.V = V, .S = ROOM, .L = ROOM, .grid_cells = CELLS};
  int32_t inputs[CELLS], labels[CELLS], own_inputs[ROOM], own_labels[ROOM], places[ROOM];
  read_maze("S###/..#./####/####", inputs);
  read_maze("S###/oo#./####/####", labels);
  inputs[11] = labels[11] = TRM_MAZE_GOAL;
  assert_int_equal(trm_puzzle_wall(&p), WALL);

  /* Cells 0, 4, 5, 7, 11 in reading order: walls above 1, to the right 2, below 4, to the left 8.
   */
  static const int cells[OPEN] = {0, 4, 5, 7, 11}, walls[OPEN] = {11, 12, 7, 11, 14};
  trm__sequence row = {own_inputs, own_labels, places};
  trm__gather_cells(&dims, &p, WALL, inputs, labels, &row);
  for (int t = 0; t < OPEN; t++) {
    assert_int_equal(trm__place_cell(places[t]), cells[t]);
    assert_int_equal(trm__place_walls(places[t]), walls[t]);
    assert_int_equal(own_inputs[t], inputs[cells[t]]);
    assert_int_equal(own_labels[t], labels[cells[t]]);
  }
  for (int t = OPEN; t < ROOM; t++) {
    assert_int_equal(places[t], TRM__NO_PLACE);
    assert_true(own_inputs[t] == 0 && own_labels[t] == TRM_IGNORE_LABEL);
  }
  for (int cell = 0; cell <= CELLS; cell++) {
    int before = 0;
    for (int t = 0; t < OPEN; t++) before += cells[t] < cell;
    assert_int_equal(trm__places_before(places, ROOM, cell), before);
  }
  assert_int_equal(trm__check_places(&dims, 0, places, NULL), TRM_OK);

  /* Back: the logits of a token are those of its cell, and a wall is sure to be one. */
  real from[ROOM * V], to[CELLS * V];
  for (int i = 0; i < ROOM * V; i++) from[i] = (real)i;
  trm__spread_logits(&dims, WALL, inputs, from, to);
  for (int cell = 0, t = 0; cell < CELLS; cell++) {
    const bool wall = inputs[cell] == WALL;
    for (int v = 0; v < V; v++)
      assert_true(wall ? (to[cell * V + v] > 1e6f) == (v == WALL)
                       : to[cell * V + v] == from[t * V + v]);
    t += !wall;
  }
}

/* Places that would be read beyond tables, or that no row can have. */
static void damaged_places_are_refused(void **state) {
  static const int32_t bad[][3] = {{16 * CELLS, -1, -1}, {-2, -1, -1}, {-1, 16, -1},
                                   {32, 16, -1},         {16, 17, -1}, {0, 16, 16 * CELLS}};
  static const int32_t good[][3] = {{-1, -1, -1}, {15, 16, 16 * CELLS - 1}, {40, -1, -1}};
  (void)state;
  const trm__dims dims = {.S = 3, .grid_cells = CELLS};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_int_equal(trm__check_places(&dims, 0, bad[i], NULL), TRM_E_RANGE);
  for (size_t i = 0; i < sizeof good / sizeof *good; i++)
    assert_int_equal(trm__check_places(&dims, 0, good[i], NULL), TRM_OK);
}

/* --- solving --------------------------------------------------------------------------------- */

/* A maze without walls is what it always was, where the vector of that case is zero: the same
 * weights give the same bits. */
static void without_walls_nothing_changes(void **state) {
  (void)state;
  const mazes m = read_mazes();
  trm_model_config c = config_of(CELLS), plain = c;
  plain.open_cells = false;
  plain.max_open_cells = 0;
  trm_model *open = small_model(&c, 3), *all = small_model(&plain, 3);
  const trm_tensor walls = trm_model_tensor_named(open, "embed_walls.embedding_weight");
  assert_int_equal(walls.shape[0], TRM__WALLS);
  memset(walls.data, 0, (size_t)walls.count * sizeof *walls.data);
  for (int i = 0; i < trm_model_tensor_count(all); i++) {
    const trm_tensor to = trm_model_tensor_at(all, i);
    memcpy(to.data, trm_model_tensor_named(open, to.name).data, (size_t)to.count * sizeof *to.data);
  }

  trm_solver *a = solver_of(open, 1, 1), *b = solver_of(all, 1, 1);
  assert_int_equal(trm_solver_start(a, 1, m.inputs + 2 * CELLS, NULL, NULL), TRM_OK);
  assert_int_equal(trm_solver_start(b, 1, m.inputs + 2 * CELLS, NULL, NULL), TRM_OK);
  take_steps(a, 3);
  take_steps(b, 3);
  assert_memory_equal(trm_solver_logits(a), trm_solver_logits(b), CELLS * V * sizeof(float));
  assert_memory_equal(trm_solver_q_halt(a), trm_solver_q_halt(b), sizeof(float));
  trm_solver_free(a);
  trm_solver_free(b);
  trm_model_free(open);
  trm_model_free(all);
}

/* What a maze gets, after three steps. */
typedef struct outcome {
  int32_t answer[CELLS];
  float logits[CELLS * V], q;
} outcome;
static outcome outcome_of(const trm_solver *s, int row) {
  outcome o;
  memcpy(o.answer, trm_solver_answer(s) + row * CELLS, sizeof o.answer);
  memcpy(o.logits, trm_solver_logits(s) + (size_t)row * CELLS * V, sizeof o.logits);
  o.q = trm_solver_q_halt(s)[row];
  return o;
}
static bool same_outcome(const outcome *a, const outcome *b) {
  return !memcmp(a->answer, b->answer, sizeof a->answer) &&
         !memcmp(a->logits, b->logits, sizeof a->logits) && a->q == b->q;
}

/* Neither what stands behind the last open cell, nor other rows, nor threads. */
static void a_row_sees_nothing_but_its_maze(void **state) {
  static const trm_pos_encodings positions[] = {TRM_POS_ROPE2D, TRM_POS_LEARNED, TRM_POS_ROPE};
  (void)state;
  const mazes m = read_mazes();
  for (size_t k = 0; k < sizeof positions / sizeof *positions; k++) {
    trm_model_config c = config_of(12);
    c.pos_encodings = positions[k];
    c.qk_norm = c.attn_out_norm = true;
    trm_model *tight = small_model(&c, 3), *loose;
    c.max_open_cells = 0;
    loose = small_model(&c, 3);
    assert_true(same_tensors(tight, loose));

    /* Alone, with as much padding as there can be. */
    outcome alone[MAZES];
    trm_solver *s = solver_of(loose, 1, 1);
    for (int i = 0; i < MAZES; i++) {
      assert_int_equal(trm_solver_start(s, 1, m.inputs + i * CELLS, NULL, NULL), TRM_OK);
      take_steps(s, 3);
      alone[i] = outcome_of(s, 0);
      for (int j = 0; j < i; j++) assert_false(same_outcome(&alone[i], &alone[j]));

      /* Walls stay walls, in what a latent reads as, too. */
      int32_t read[CELLS];
      assert_int_equal(trm_solver_decode_latent(s, trm_solver_answer_latent(s), read, NULL, NULL),
                       TRM_OK);
      assert_memory_equal(read, alone[i].answer, sizeof read);
      for (int cell = 0; cell < CELLS; cell++)
        if (m.inputs[i * CELLS + cell] == WALL) assert_int_equal(read[cell], WALL);
    }
    trm_solver_free(s);

    /* Side by side, with less; the second maze leaves after a step, and the last takes its row. */
    s = solver_of(tight, MAZES, 3);
    static const int order[] = {3, 1, 0};
    for (int i = 0; i < 3; i++)
      assert_int_equal(trm_solver_add(s, m.inputs + order[i] * CELLS, 0, NULL), TRM_OK);
    take_steps(s, 1);
    trm_solver_remove(s, 1);
    take_steps(s, 2);
    for (int row = 0; row < 2; row++) {
      const outcome o = outcome_of(s, row);
      assert_true(same_outcome(&o, &alone[row ? 0 : 3]));
    }
    trm_solver_free(s);
    trm_model_free(tight);
    trm_model_free(loose);
  }
}

/* The largest difference of the logits that two mazes' tokens get, each maze's in reading order. */
static double distance(const trm_model *m, const char *one, const char *other) {
  const char *const texts[2] = {one, other};
  float logits[2][CELLS * V];
  int n[2] = {0};
  for (int k = 0; k < 2; k++) {
    int32_t inputs[CELLS];
    read_maze(texts[k], inputs);
    trm_solver *s = solver_of(m, 1, 1);
    assert_int_equal(trm_solver_start(s, 1, inputs, NULL, NULL), TRM_OK);
    take_steps(s, 2);
    for (int i = 0; i < CELLS * V; i++)
      if (inputs[i / V] != WALL) logits[k][n[k]++] = trm_solver_logits(s)[i];
    trm_solver_free(s);
  }
  assert_true(n[0] == n[1] && n[0] > 0);
  double most = 0;
  for (int i = 0; i < n[0]; i++)
    most = fmax(most, fabs((double)logits[0][i] - (double)logits[1][i]));
  return most;
}

/* Two tokens between walls, the same in all mazes but for their places: what attention sees is how
 * far one is from the other, in rows and in columns; a table of positions tells all apart. */
static void tokens_stand_where_their_cells_are(void **state) {
  static const char first[] = "S#G#/####/####/####", moved[] = "####/#S#G/####/####",
                    below[] = "S###/####/G###/####", further[] = "S##G/####/####/####";
  static const struct {
    trm_pos_encodings positions;
    const char *text;
    bool same;
  } expected[] = {{TRM_POS_ROPE2D, moved, true},     {TRM_POS_ROPE2D, below, false},
                  {TRM_POS_ROPE2D, further, false},  {TRM_POS_ROPE, moved, true},
                  {TRM_POS_ROPE, further, false},    {TRM_POS_LEARNED, moved, false},
                  {TRM_POS_LEARNED, further, false}, {TRM_POS_NONE, further, true}};
  (void)state;
  for (size_t k = 0; k < sizeof expected / sizeof *expected; k++) {
    trm_model_config c = config_of(3);
    c.pos_encodings = expected[k].positions;
    c.grid_tables = false;
    c.registers = c.puzzle_emb_len = c.puzzle_emb_ndim = 0;
    trm_model *m = small_model(&c, 3);
    const double d = distance(m, first, expected[k].text);
    if (expected[k].same ? !(d < 1e-4) : !(d > 1e-3))
      fail_msg("%s, %s: %g", trm_pos_encodings_name(c.pos_encodings), expected[k].text, d);
    trm_model_free(m);
  }
}

static void a_maze_with_too_many_open_cells_or_none_is_refused(void **state) {
  (void)state;
  const mazes m = read_mazes();
  const trm_model_config c = config_of(11);
  trm_model *model = small_model(&c, 3);
  trm_solver *s = solver_of(model, 1, 1);
  trm_error err;
  assert_int_equal(trm_solver_start(s, 1, m.inputs + CELLS, NULL, &err), TRM_OK);
  assert_int_equal(trm_solver_check(s, m.inputs + 3 * CELLS, 0, &err), TRM_E_RANGE);
  assert_non_null(strstr(err.msg, "has 12 open cells, but the model takes at most 11"));
  assert_non_null(strstr(err.msg, "max_open_cells = 12"));
  int32_t walls[CELLS];
  for (int i = 0; i < CELLS; i++) walls[i] = WALL;
  assert_int_equal(trm_solver_check(s, walls, 0, &err), TRM_E_RANGE);
  assert_non_null(strstr(err.msg, "no open cell"));
  trm_solver_free(s);
  trm_model_free(model);
}

/* --- training -------------------------------------------------------------------------------- */

static trm_metrics update(trm_trainer *t, const mazes *m) {
  trm_metrics metrics;
  trm_error err;
  const trm_batch batch = {m->inputs, m->labels, m->ids};
  if (trm_trainer_step(t, &batch, &metrics, &err) != TRM_OK) fail_msg("%s", err.msg);
  return metrics;
}

/* Padding has no part in losses, counts and gradients: with more of it an update is the same. */
static void padding_teaches_nothing(void **state) {
  (void)state;
  const mazes m = read_mazes();
  trm_model_config c = config_of(CELLS);
  c.seq_len = 2 * CELLS;
  c.puzzle = trm_maze_of_size(2 * SIDE, SIDE);
  static int32_t inputs[MAZES * 2 * CELLS], labels[MAZES * 2 * CELLS];
  for (int i = 0; i < MAZES * 2 * CELLS; i++) {
    const int maze = i / (2 * CELLS), cell = i % (2 * CELLS);
    inputs[i] = cell < CELLS ? m.inputs[maze * CELLS + cell] : WALL;
    labels[i] = cell < CELLS ? m.labels[maze * CELLS + cell] : WALL;
  }
  trm_trainer_config tc = small_training(MAZES);
  trm_trainer *trainers[2];
  double losses[2] = {0};
  for (int k = 0; k < 2; k++) {
    c.max_open_cells = k ? 27 : CELLS;
    tc.threads = k ? 3 : 1;
    tc.micro_batch = k ? 2 : 1;
    trm_model *model = small_model(&c, 3);
    trainers[k] = small_trainer(model, &tc);
    for (int i = 0; i < 4; i++) {
      trm_metrics metrics;
      trm_error err;
      if (trm_trainer_step(trainers[k], &(trm_batch){inputs, labels, m.ids}, &metrics, &err))
        fail_msg("%s", err.msg);
      losses[k] += metrics.loss;
    }
    trm_model_free(model);
  }
  assert_true(losses[0] == losses[1] && losses[0] > 0);
  assert_true(same_tensors(trm_trainer_weights(trainers[0]), trm_trainer_weights(trainers[1])));
  for (int k = 0; k < 2; k++) trm_trainer_free(trainers[k]);
}

/* It learns a few mazes by heart, and counts what a cell may be: open ones. */
static void mazes_are_learned(void **state) {
  (void)state;
  const mazes m = read_mazes();
  trm_model_config c = config_of(0);
  c.hidden_size = 32;
  c.halting = TRM_HALTING_NEVER;
  c.halt_max_steps = 2;
  trm_model *model = small_model(&c, 3);
  trm_trainer_config tc = small_training(MAZES);
  tc.lr = 5e-3;
  tc.total_steps = 400;
  trm_trainer *t = small_trainer(model, &tc);
  trm_metrics metrics = {0};
  for (int i = 0; i < 400; i++) metrics = update(t, &m);
  assert_true(metrics.count == MAZES && metrics.exact_accuracy == MAZES);

  /* Answers are whole grids that the rules accept. */
  trm_solver *s = solver_of(trm_trainer_weights(t), MAZES, 1);
  assert_int_equal(trm_solver_start(s, MAZES, m.inputs, NULL, NULL), TRM_OK);
  take_steps(s, 2);
  assert_memory_equal(trm_solver_answer(s), m.labels, sizeof m.labels);
  trm_solver_free(s);
  trm_trainer_free(t);
  trm_model_free(model);
}

/* A state has the places of its rows: what goes on from it ends in the same bytes, also where no
 * row has begun yet. */
static void a_state_keeps_places(void **state) {
  const mazes m = read_mazes();
  const trm_model_config c = config_of(0);
  trm_model *model = small_model(&c, 3);
  trm_trainer_config tc = small_training(MAZES);
  trm_trainer *a = small_trainer(model, &tc), *b = small_trainer(model, &tc);
  trm_error err;
  scratch *s = *state;
  char path[300];
  snprintf(path, sizeof path, "%s/state", s->dir);
  for (int updates = 0; updates <= 2; updates += 2) {
    for (int i = 0; i < updates; i++) update(a, &m);
    assert_int_equal(trm_trainer_save(a, path, &err), TRM_OK);
    if (trm_trainer_load(b, path, &err) != TRM_OK) fail_msg("%s", err.msg);
    for (int i = 0; i < 2; i++) {
      update(a, &m);
      update(b, &m);
    }
    same_trainers(s, a, b);
  }
  trm_trainer_free(a);
  trm_trainer_free(b);
  trm_model_free(model);
}

/* --- configurations and runs ----------------------------------------------------------------- */

static void expect_refusal(const trm_model_config *c, const char *words) {
  trm_error err;
  assert_int_equal(trm_model_config_check(c, &err), TRM_E_CONFIG);
  if (!strstr(err.msg, words)) fail_msg("\"%s\" lacks \"%s\"", err.msg, words);
}

static void what_cannot_be_is_refused(void **state) {
  (void)state;
  trm_model_config c = config_of(0);
  assert_int_equal(trm_model_config_check(&c, NULL), TRM_OK);
  c.mlp_t = true;
  c.pos_encodings = TRM_POS_NONE;
  expect_refusal(&c, "needs mlp_t = false");
  c = config_of(0);
  c.moe = (trm_moe){TRM_ROUTER_SWITCH, 2};
  expect_refusal(&c, "choose one of the two");
  c = config_of(0);
  c.solver = TRM_RECURSION_ANDERSON;
  expect_refusal(&c, "choose solver = recursion");
  c = config_of(CELLS + 1);
  expect_refusal(&c, "max_open_cells = 17, but a puzzle has 16 cells");
  c = config_of(5);
  c.open_cells = false;
  expect_refusal(&c, "needs open_cells = true");
  c = config_of(0);
  c.puzzle = trm_sudoku_of_size(4);
  expect_refusal(&c, "which cells of the puzzle are walls");
}

/* Costs follow from the tokens of a row. */
static void costs_follow(void **state) {
  (void)state;
  trm_model_cost some, all;
  trm_model_config c = config_of(8);
  assert_int_equal(trm_model_cost_of(&c, &some, NULL), TRM_OK);
  c.max_open_cells = 0;
  assert_int_equal(trm_model_cost_of(&c, &all, NULL), TRM_OK);
  const int front = all.positions - CELLS;
  assert_int_equal(some.positions, front + 8);
  assert_int_equal(some.n_params, all.n_params);
  assert_true(some.bytes_carry * all.positions == all.bytes_carry * some.positions);
  assert_true(some.flops_train < 0.7 * all.flops_train);
}

static trm_run *run_of(scratch *s, const char *more, trm_error *err) {
  char data[240], out[240];
  snprintf(data, sizeof data, "data_paths=[%s/mazes]", s->dir);
  snprintf(out, sizeof out, "out=%s/runs", s->dir);
  const char *settings[] = {data,
                            out,
                            "run_name=r",
                            "project_name=p",
                            "arch=trm",
                            "arch.hidden_size=16",
                            "arch.num_heads=2",
                            "arch.H_cycles=1",
                            "arch.L_cycles=1",
                            "arch.halt_max_steps=2",
                            "arch.pos_encodings=rope2d",
                            "arch.open_cells=True",
                            "global_batch_size=8",
                            "epochs=2",
                            "eval_interval=1",
                            "threads=1",
                            "device=cpu",
                            more};
  trm_run_config *c;
  trm_run *run = NULL;
  const int n = (int)(sizeof settings / sizeof *settings) - !more;
  if (trm_run_config_load(NULL, settings, n, &c, err) != TRM_OK) fail_msg("%s", err->msg);
  (void)trm_run_create(c, NULL, &run, err);
  return run;
}

/* As many tokens as a maze of the training or test set needs, and no fewer than asked for. */
static void a_run_counts_the_open_cells_of_its_data(void **state) {
  scratch *s = *state;
  char dir[240], sub[300];
  trm_error err;
  snprintf(dir, sizeof dir, "%s/mazes", s->dir);
  const trm_maze_gen_config gen = {.rows = 5,
                                   .cols = 5,
                                   .n_train = 16,
                                   .n_test = 8,
                                   .min_path = 5,
                                   .min_walls = 0.3,
                                   .max_walls = 0.5,
                                   .output_dir = dir};
  if (trm_gen_maze(&gen, NULL, &err) != TRM_OK) fail_msg("%s", err.msg);

  /* By counting. */
  static const char *const splits[] = {"train", "test"};
  int most = 0;
  for (int k = 0; k < 2; k++) {
    trm_dataset *d;
    assert_int_equal(trm_dataset_open(dir, splits[k], &d, &err), TRM_OK);
    for (int64_t i = 0; i < trm_dataset_get_info(d)->examples; i++) {
      int32_t inputs[25];
      int n = 0;
      trm_dataset_example(d, i, inputs, NULL, NULL);
      for (int cell = 0; cell < 25; cell++) n += inputs[cell] != WALL;
      if (n > most) most = n;
    }
    trm_dataset_free(d);
  }
  assert_in_range(most, 5, 24);

  trm_run *run = run_of(s, NULL, &err);
  if (!run) fail_msg("%s", err.msg);
  const trm_run_plan *plan = trm_run_get_plan(run);
  assert_int_equal(plan->model->max_open_cells, most);
  if (trm_run_train(run, 0, &err) != TRM_OK) fail_msg("%s", err.msg);
  trm_run_free(run);

  /* The model that it saved knows, and the run can be opened again. */
  trm_model *m;
  snprintf(sub, sizeof sub, "%s/runs/p/r/last", s->dir);
  if (trm_model_load(sub, &m, &err) != TRM_OK) fail_msg("%s", err.msg);
  assert_true(trm_model_get_config(m)->open_cells);
  assert_int_equal(trm_model_get_config(m)->max_open_cells, most);
  trm_model_free(m);
  snprintf(sub, sizeof sub, "%s/runs/p/r", s->dir);
  if (trm_run_open(sub, NULL, 0, NULL, &run, &err) != TRM_OK) fail_msg("%s", err.msg);
  trm_run_free(run);

  /* Fewer than that is refused, more is taken. */
  char setting[60];
  snprintf(setting, sizeof setting, "arch.max_open_cells=%d", most - 1);
  assert_null(run_of(s, setting, &err));
  assert_non_null(strstr(err.msg, "open cells; set it to that or more"));
  assert_int_equal(err.code, TRM_E_CONFIG);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(open_cells_are_gathered_and_spread),
      cmocka_unit_test(damaged_places_are_refused),
      cmocka_unit_test(without_walls_nothing_changes),
      cmocka_unit_test(a_row_sees_nothing_but_its_maze),
      cmocka_unit_test(tokens_stand_where_their_cells_are),
      cmocka_unit_test(a_maze_with_too_many_open_cells_or_none_is_refused),
      cmocka_unit_test(padding_teaches_nothing),
      cmocka_unit_test(mazes_are_learned),
      cmocka_unit_test_setup_teardown(a_state_keeps_places, scratch_open, scratch_close),
      cmocka_unit_test(what_cannot_be_is_refused),
      cmocka_unit_test(costs_follow),
      cmocka_unit_test_setup_teardown(a_run_counts_the_open_cells_of_its_data, scratch_open,
                                      scratch_close),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
