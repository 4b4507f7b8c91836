/* The results of every architecture hold bit for bit: a few updates of each, an evaluation and
 * answers, whose hashes are in same_bits.txt for each set of kernels and number format. Threads and
 * micro-batches change none of them: one line is the same for all.
 *
 * How the library is called is all in run_case; what is hashed are values in the order of their
 * documentation, never structures. What differs between machines is kept out by same_machine.c.
 *
 * With TEST_BRIEF, as under an emulator, each seventh case, by one thread; and where the table has
 * no others of a set of kernels, these. */
#include "same_bits.h"
#include "small_data.h"
#include "small_trainer.h"

enum {
  UPDATES = 3,
  ROWS = 8,
  EXAMPLES = 7,
  LEN = SMALL_LEN,
  SYMBOLS = 7,
  AT_ONCE = 3,
  BRIEF_STEP = 7
};

/* --- the cases --- */

typedef struct setup {
  trm_model_config model;
  trm_trainer_config training;
} setup;

typedef void change(setup *s);

static void rope(setup *s) {
  s->model.pos_encodings = TRM_POS_ROPE;
}
static void learned(setup *s) {
  s->model.pos_encodings = TRM_POS_LEARNED;
}
static void no_positions(setup *s) {
  s->model.pos_encodings = TRM_POS_NONE;
}
static void mixer(setup *s) {
  s->model.mlp_t = true;
  s->model.pos_encodings = TRM_POS_NONE;
}
static void learned_mixer(setup *s) {
  s->model.mlp_t = true;
  s->model.pos_encodings = TRM_POS_LEARNED;
}
static void qk_norm(setup *s) {
  s->model.qk_norm = true;
}
static void gate_norm(setup *s) {
  s->model.gate_norm = true;
}
static void attn_out_norm(setup *s) {
  s->model.attn_out_norm = true;
}
/* Grids of 2 x 3 symbols, as many as the data have. */
static void rope2d(setup *s) {
  s->model.pos_encodings = TRM_POS_ROPE2D;
  s->model.puzzle = (trm_puzzle){.kind = TRM_PUZZLE_GRID, .rows = 2, .cols = LEN / 2};
  for (int i = 1; i < SYMBOLS; i++) s->model.puzzle.vocabulary[2 * (i - 1)] = (char)('a' + i);
}
static void softmax(setup *s) {
  s->model.loss = TRM_LOSS_SOFTMAX;
}
static void no_puzzle(setup *s) {
  s->model.puzzle_emb_ndim = s->model.puzzle_emb_len = 0;
}
static void no_continue(setup *s) {
  s->model.no_ACT_continue = true;
}
static void continued(setup *s) {
  s->model.no_ACT_continue = false;
}
static void deep(setup *s) {
  s->model.L_layers = 2;
  s->model.H_layers =
      s->model.arch == TRM_ARCH_HRM || s->model.arch == TRM_ARCH_TRANSFORMER ? 3 : 0;
  s->model.H_cycles = 3;
}
/* An odd number of positions, channels that fill no vector. */
static void odd(setup *s) {
  s->model.puzzle_emb_len = 3;
  s->model.hidden_size = 20;
}
/* More than a tile of channels, and not whole ones. */
static void wide(setup *s) {
  s->model.hidden_size = 136;
  s->model.expansion = 1;
}
static void two_nets(setup *s) {
  s->model.nets = TRM_NETS_SEPARATE;
}
static void one_step(setup *s) {
  s->model.grad.kind = TRM_GRAD_ONE_STEP;
}
static void all_updates(setup *s) {
  s->model.grad.kind = TRM_GRAD_ALL;
}
static void never_halting(setup *s) {
  s->model.halting = TRM_HALTING_NEVER;
}
static void halting_solved(setup *s) {
  s->model.halting = TRM_HALTING_SOLVED;
}
static void x_always(setup *s) {
  s->model.x_always = true;
}
static void switched(setup *s) {
  s->model.moe = (trm_moe){TRM_ROUTER_SWITCH, 4};
}
static void top_two(setup *s) {
  s->model.moe = (trm_moe){TRM_ROUTER_NOISY_TOP2, 5};
}
static void switched_t(setup *s) {
  s->model.moe_t = (trm_moe){TRM_ROUTER_SWITCH, 3};
}
static void top_two_t(setup *s) {
  s->model.moe_t = (trm_moe){TRM_ROUTER_NOISY_TOP2, 4};
}
static void adamw(setup *s) {
  s->training.optimizer = TRM_OPT_ADAMW;
}
static void muon(setup *s) {
  s->training.optimizer = TRM_OPT_MUON;
  s->training.grad_clip = 0.5;
  s->model.q_weight = 0.05;
}
static void frozen(setup *s) {
  s->training.freeze_weights = true;
}
static void no_average(setup *s) {
  s->training.ema_rate = 0;
}
static void constant_rate(setup *s) {
  s->training.lr_min_ratio = 1;
  s->training.lr_warmup_steps = 0;
}

static void tied(setup *s) {
  s->model.tie_embeddings = true;
}
static void smoothed(setup *s) {
  s->model.label_smoothing = 0.1;
}
static void learned_latents(setup *s) {
  s->model.learned_latents = true;
  s->model.grad.kind = TRM_GRAD_ALL;
}
/* Six cells, six symbols. */
static void of_grid(setup *s) {
  s->model.puzzle = (trm_puzzle){.kind = TRM_PUZZLE_GRID,
                                 .rows = 2,
                                 .cols = 3,
                                 .rules = "latin",
                                 .vocabulary = ".\0a\0b\0c\0d\0e"};
}
static void tables(setup *s) {
  of_grid(s);
  s->model.grid_tables = true;
  s->model.registers = 2;
}
static void constrained(setup *s) {
  of_grid(s);
  s->model.constraint_weight = 0.3;
}
static void fed_back(setup *s) {
  of_grid(s);
  s->model.no_ACT_continue = s->model.feedback = true;
  s->model.feedback_corrupt_cells = 0.4;
}
static void weighted_steps(setup *s) {
  s->model.step_decay = 0.7;
}
static void random_start(setup *s) {
  s->model.start_std = 1;
  s->model.damping = 0.05;
  s->model.update_noise = 0.01;
}
/* Mazes of 2 x 3 cells, of which about a seventh are walls. */
static void open_cells(setup *s) {
  s->model.puzzle = (trm_puzzle){.kind = TRM_PUZZLE_GRID,
                                 .rows = 2,
                                 .cols = 3,
                                 .rules = "maze",
                                 .vocabulary = "#\0 \0S\0G\0o\0x"};
  s->model.open_cells = true;
}
static void with_feedback(setup *s) {
  s->model.no_ACT_continue = s->model.feedback = true;
}
static void by_row_and_column(setup *s) {
  s->model.pos_encodings = TRM_POS_ROPE2D;
}
/* Where some rows are done early, and some not at all. */
static void solver(setup *s, trm_recursion method, trm_solver_grad grad) {
  s->model.solver = method;
  s->model.solver_grad = grad;
  s->model.solver_iterations = 9;
  s->model.solver_tolerance = 0.1;
}
static void fixed_point(setup *s) {
  solver(s, TRM_RECURSION_FIXED_POINT, (trm_solver_grad){TRM_SOLVER_GRAD_ONE_STEP, 0});
}
static void anderson(setup *s) {
  solver(s, TRM_RECURSION_ANDERSON, (trm_solver_grad){TRM_SOLVER_GRAD_IMPLICIT, 0});
}
static void broyden(setup *s) {
  solver(s, TRM_RECURSION_BROYDEN, (trm_solver_grad){TRM_SOLVER_GRAD_PHANTOM, 2});
  s->model.solver_tau = 0.5;
}

static const struct sample {
  const char *name;
  trm_arch arch;
  change *change[3];
} samples[] = {
    {"trm-rope", TRM_ARCH_TRM, {rope}},
    {"trm-learned", TRM_ARCH_TRM, {learned}},
    {"trm-no-positions", TRM_ARCH_TRM, {no_positions}},
    {"trm-mixer", TRM_ARCH_TRM, {mixer}},
    {"trm-mixer-learned", TRM_ARCH_TRM, {learned_mixer}},
    {"trm-mixer-deep", TRM_ARCH_TRM, {mixer, deep}},
    {"trm-rope-odd", TRM_ARCH_TRM, {rope, odd}},
    {"trm-mixer-odd", TRM_ARCH_TRM, {mixer, odd}},
    {"trm-rope-wide", TRM_ARCH_TRM, {rope, wide}},
    {"trm-mixer-wide", TRM_ARCH_TRM, {mixer, wide}},
    {"trm-rope-no-puzzle", TRM_ARCH_TRM, {rope, no_puzzle}},
    {"trm-mixer-no-puzzle", TRM_ARCH_TRM, {mixer, no_puzzle}},
    {"trm-rope-continue", TRM_ARCH_TRM, {rope, continued}},
    {"trm-mixer-continue", TRM_ARCH_TRM, {mixer, continued}},
    {"trm-rope-softmax", TRM_ARCH_TRM, {rope, softmax}},
    {"trm-mixer-adamw", TRM_ARCH_TRM, {mixer, adamw}},
    {"trm-rope-frozen", TRM_ARCH_TRM, {rope, frozen}},
    {"trm-mixer-no-average", TRM_ARCH_TRM, {mixer, no_average}},
    {"trm-mixer-constant-rate", TRM_ARCH_TRM, {mixer, constant_rate}},
    {"hrm-rope", TRM_ARCH_HRM, {rope}},
    {"hrm-learned", TRM_ARCH_HRM, {learned}},
    {"hrm-mixer", TRM_ARCH_HRM, {mixer}},
    {"hrm-rope-deep", TRM_ARCH_HRM, {rope, deep}},
    {"hrm-rope-no-continue", TRM_ARCH_HRM, {rope, no_continue}},
    {"singlez-rope", TRM_ARCH_SINGLEZ, {rope}},
    {"singlez-mixer", TRM_ARCH_SINGLEZ, {mixer}},
    {"singlez-rope-continue", TRM_ARCH_SINGLEZ, {rope, continued}},
    {"hier6-rope", TRM_ARCH_HIER6, {rope}},
    {"hier6-mixer", TRM_ARCH_HIER6, {mixer}},
    {"hier6-mixer-continue", TRM_ARCH_HIER6, {mixer, continued}},
    {"transformer-rope", TRM_ARCH_TRANSFORMER, {rope}},
    {"transformer-learned", TRM_ARCH_TRANSFORMER, {learned}},
    {"transformer-mixer", TRM_ARCH_TRANSFORMER, {mixer}},
    {"transformer-rope-deep", TRM_ARCH_TRANSFORMER, {rope, deep}},
    {"transformer-mixer-no-continue", TRM_ARCH_TRANSFORMER, {mixer, no_continue}},
    {"trm-two-nets", TRM_ARCH_TRM, {mixer, two_nets, deep}},
    {"trm-one-step", TRM_ARCH_TRM, {rope, one_step}},
    {"trm-all-updates", TRM_ARCH_TRM, {mixer, all_updates}},
    {"trm-never-halting", TRM_ARCH_TRM, {mixer, never_halting}},
    {"trm-halting-solved", TRM_ARCH_TRM, {mixer, halting_solved}},
    {"singlez-x-always", TRM_ARCH_SINGLEZ, {mixer, x_always}},
    {"hier-mixer", TRM_ARCH_HIER, {mixer}},
    {"trm-rope-tied", TRM_ARCH_TRM, {rope, tied}},
    {"transformer-learned-tied", TRM_ARCH_TRANSFORMER, {learned, tied}},
    {"trm-mixer-smoothed", TRM_ARCH_TRM, {mixer, smoothed}},
    {"trm-rope-smoothed-softmax", TRM_ARCH_TRM, {rope, smoothed, softmax}},
    {"trm-rope-learned-latents", TRM_ARCH_TRM, {rope, learned_latents}},
    {"hier6-mixer-learned-latents", TRM_ARCH_HIER6, {mixer, learned_latents}},
    {"hrm-rope-learned-latents-tied", TRM_ARCH_HRM, {rope, learned_latents, tied}},
    {"trm-rope-switch", TRM_ARCH_TRM, {rope, switched}},
    {"trm-rope-odd-top2", TRM_ARCH_TRM, {rope, odd, top_two}},
    {"trm-mixer-switch-t", TRM_ARCH_TRM, {mixer, switched_t}},
    {"trm-mixer-odd-top2-t", TRM_ARCH_TRM, {mixer, odd, top_two_t}},
    {"hrm-mixer-top2-switch-t", TRM_ARCH_HRM, {mixer, top_two, switched_t}},
    {"trm-rope-fixed-point", TRM_ARCH_TRM, {rope, fixed_point}},
    {"trm-mixer-anderson", TRM_ARCH_TRM, {mixer, anderson}},
    {"trm-rope-qk-norm", TRM_ARCH_TRM, {rope, qk_norm}},
    {"hrm-rope-qk-norm-odd", TRM_ARCH_HRM, {rope, qk_norm, odd}},
    {"trm-mixer-gate-norm", TRM_ARCH_TRM, {mixer, gate_norm}},
    {"trm-mixer-gate-norm-wide", TRM_ARCH_TRM, {mixer, gate_norm, wide}},
    {"trm-rope-gate-norm-odd", TRM_ARCH_TRM, {rope, gate_norm, odd}},
    {"trm-rope2d-out-norm", TRM_ARCH_TRM, {rope2d, attn_out_norm}},
    {"hrm-rope-broyden", TRM_ARCH_HRM, {rope, broyden, all_updates}},
    {"trm-rope-muon", TRM_ARCH_TRM, {rope, muon}},
    {"trm-mixer-odd-muon", TRM_ARCH_TRM, {mixer, odd, muon}},
    {"trm-rope-tables-registers", TRM_ARCH_TRM, {rope, tables}},
    {"trm-mixer-tables-registers", TRM_ARCH_TRM, {mixer, tables, no_puzzle}},
    {"trm-mixer-constraint", TRM_ARCH_TRM, {mixer, constrained, softmax}},
    {"trm-rope-feedback", TRM_ARCH_TRM, {rope, fed_back}},
    {"trm-mixer-weighted-steps", TRM_ARCH_TRM, {mixer, weighted_steps}},
    {"trm-mixer-random-start", TRM_ARCH_TRM, {mixer, random_start}},
    {"hrm-rope-random-start-continue", TRM_ARCH_HRM, {rope, random_start, continued}},
    {"hrm-mixer-feedback-tables", TRM_ARCH_HRM, {mixer, fed_back, tables}},
    {"trm-rope2d-open-cells", TRM_ARCH_TRM, {open_cells, by_row_and_column, continued}},
    {"trm-learned-open-cells", TRM_ARCH_TRM, {open_cells, learned, with_feedback}},
};
enum { N_SAMPLES = sizeof samples / sizeof *samples };

static setup setup_of(const struct sample *sample) {
  setup s = {small_config(sample->arch, LEN), small_training(ROWS)};
  if (sample->arch == TRM_ARCH_HIER6) s.model.L_cycles = 6;
  s.model.halt_exploration_prob = 0.5;
  s.training.seed = 11;
  for (int i = 0; i < 3 && sample->change[i]; i++) sample->change[i](&s);
  return s;
}

static bool is_mine(const char *name) {
  return strncmp(name, "program", 7) != 0;
}

/* --- what is hashed --- */

typedef struct results {
  uint64_t model, average, state, log, evaluation, answers;
} results;

static uint64_t add_double(uint64_t hash, double v) {
  return bits_add(hash, &v, sizeof v);
}

static uint64_t bits_of_model(const trm_model *m) {
  uint64_t hash = BITS_START;
  for (int i = 0; i < trm_model_tensor_count(m); i++) {
    const trm_tensor t = trm_model_tensor_at(m, i);
    hash = bits_add(hash, t.name, strlen(t.name));
    hash = bits_add(hash, t.data, (size_t)t.count * sizeof *t.data);
  }
  return hash;
}

static uint64_t add_metrics(uint64_t hash, const trm_metrics *m) {
  const double figures[] = {m->count, m->accuracy, m->exact_accuracy, m->q_halt_accuracy,
                            m->steps, m->lm_loss,  m->q_halt_loss,    m->q_continue_loss,
                            m->loss,  m->lr,       m->puzzle_emb_lr,  m->grad_norm};
  for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) hash = add_double(hash, figures[i]);
  const double of_experts[] = {m->aux_loss, m->expert_load_min, m->expert_load_max};
  for (int i = 0; i < 3 && m->aux_loss > 0; i++) hash = add_double(hash, of_experts[i]);
  if (m->solver_iterations > 0)
    hash = add_double(add_double(hash, m->residual), m->solver_iterations);
  return hash;
}

static uint64_t add_report(uint64_t hash, const trm_eval_report *r) {
  const double figures[] = {(double)r->examples,    (double)r->exact,    (double)r->cells,
                            (double)r->cells_right, r->accuracy,         r->exact_accuracy,
                            r->q_halt_accuracy,     r->lm_loss,          r->q_halt_loss,
                            r->mean_steps,          (double)r->untrained};
  for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) hash = add_double(hash, figures[i]);
  for (int i = 0; i < r->n_steps; i++) {
    hash = add_double(hash, r->step[i].accuracy);
    hash = add_double(hash, r->step[i].exact_accuracy);
    hash = add_double(hash, (double)r->step[i].halted);
  }
  return hash;
}

/* Of one example each: they finish in an order that depends on the batch. */
static trm_status note_row(void *arg, const trm_eval_row *row, trm_error *err) {
  uint64_t hash = BITS_START, *of_example = arg;
  (void)err;
  hash = bits_add(hash, row->answer, LEN * sizeof *row->answer);
  hash = bits_add(hash, &row->q_halt, sizeof row->q_halt);
  of_example[row->example] = bits_add(hash, &row->steps, sizeof row->steps);
  return TRM_OK;
}

static uint64_t add_evaluation(uint64_t hash, const trm_model *m, const trm_dataset *d,
                               trm_eval_config config) {
  static trm_eval_report report;
  uint64_t rows[EXAMPLES];
  trm_error err;
  config.row = note_row;
  config.row_arg = rows;
  if (trm_evaluate(m, d, &config, &report, &err) != TRM_OK) fail_msg("%s", err.msg);
  return bits_add(add_report(hash, &report), rows, sizeof rows);
}

/* Every step of a few puzzles. */
static uint64_t bits_of_answers(const trm_model *m, int threads) {
  static small_batch b;

  /* Puzzles that no update has seen, all at once. */
  const trm_batch puzzles = small_batch_at(&b, 1000);
  uint64_t hash = BITS_START;
  trm_solver *s;
  trm_error err;
  const trm_solver_config config = {.batch = AT_ONCE, .threads = threads};
  const int32_t *ids = trm_model_get_config(m)->puzzle_emb_ndim ? puzzles.puzzle_ids : NULL;
  if (trm_solver_create(m, &config, &s, &err) != TRM_OK) fail_msg("%s", err.msg);
  assert_int_equal(trm_solver_start(s, AT_ONCE, puzzles.inputs, ids, &err), TRM_OK);

  /* Everything that a caller may see after a step. */
  for (int step = 0; step < 4; step++) {
    assert_int_equal(trm_solver_step(s, &err), TRM_OK);
    const size_t n = (size_t)trm_solver_rows(s);
    hash = bits_add(hash, trm_solver_answer(s), n * LEN * sizeof(int32_t));
    hash = bits_add(hash, trm_solver_logits(s), n * LEN * SYMBOLS * sizeof(float));
    hash = bits_add(hash, trm_solver_q_halt(s), n * sizeof(float));
    hash = bits_add(hash, trm_solver_q_continue(s), n * sizeof(float));
    hash = bits_add(hash, trm_solver_steps_taken(s), n * sizeof(int32_t));
    for (int row = 0; row < (int)n; row++) hash = add_double(hash, trm_solver_halt_margin(s, row));
  }

  trm_solver_free(s);
  return hash;
}

/* A life of a model: trained, saved, evaluated with and without early exit, asked. */
static results run_case(scratch *folder, const trm_model *m, trm_trainer_config training,
                        const trm_dataset *d, int threads, int micro_batch) {
  /* Trained, with what an update reports. */
  results r = {.log = BITS_START};
  training.threads = threads;
  training.micro_batch = micro_batch;
  trm_trainer *t = small_trainer(m, &training);
  for (int i = 0; i < UPDATES; i++) {
    const trm_metrics metrics = small_update(t);
    r.log = add_metrics(r.log, &metrics);
  }

  /* The state that is saved, and both sets of weights. */
  const state_bytes state = state_of(folder, t);
  r.state = bits_add(BITS_START, state.data, state.n);
  free(state.data);
  r.model = bits_of_model(trm_trainer_weights(t));
  r.average = bits_of_model(trm_trainer_ema(t));

  /* Evaluated with all steps and with early exit, in batches of another size. */
  const trm_model *average = trm_trainer_ema(t);
  r.evaluation = add_evaluation(BITS_START, average, d, (trm_eval_config){.threads = threads});
  r.evaluation = add_evaluation(
      r.evaluation, average, d,
      (trm_eval_config){.threads = threads, .batch = micro_batch, .halt = TRM_HALT_Q});

  /* Asked. */
  r.answers = bits_of_answers(average, threads);
  trm_trainer_free(t);
  return r;
}

/* --- the walk --- */

static void print_results(const results *r, char text[BITS_TEXT]) {
  snprintf(text, BITS_TEXT,
           "model=%016llx average=%016llx state=%016llx log=%016llx evaluation=%016llx "
           "answers=%016llx",
           (unsigned long long)r->model, (unsigned long long)r->average,
           (unsigned long long)r->state, (unsigned long long)r->log,
           (unsigned long long)r->evaluation, (unsigned long long)r->answers);
}

typedef struct walk {
  scratch *folder;
  trm_dataset *data;
  trm_model *model[N_SAMPLES]; /* untrained */
} walk;

static void walk_isa(bits_table *t, const char *isa, void *arg) {
  static const int splits[][2] = {{1, ROWS / 2}, {3, 2}}; /* threads, rows */
  const walk *w = arg;

  /* Where the table has only each seventh case of a set, that is all there is to compare. */
  char second[BITS_KEY];
  snprintf(second, sizeof second, "%s %s %s", isa, trm_dtype_name(TRM_FLOAT32), samples[1].name);
  const bool told = getenv("TEST_BRIEF") != NULL;
  const bool brief = told || (!t->writes && !bits_find(t, second));
  if (brief && !told) print_message("%s: the table has each seventh case only\n", isa);
  const size_t n_splits = told ? 1 : sizeof splits / sizeof *splits;

  /* Threads and micro-batches must not matter; the first split is held against the table. */
  for (int dtype = 0; dtype < TRM__TRAINED_DTYPES; dtype++)
    for (int i = 0; i < N_SAMPLES; i += brief ? BRIEF_STEP : 1) {
      const setup s = setup_of(&samples[i]);
      char key[BITS_KEY], first[BITS_TEXT], text[BITS_TEXT];
      snprintf(key, sizeof key, "%s %s %s", isa, trm_dtype_name((trm_dtype)dtype), samples[i].name);
      assert_int_equal(trm_model_set_dtype(w->model[i], (trm_dtype)dtype, NULL), TRM_OK);
      for (size_t k = 0; k < n_splits; k++) {
        const results r =
            run_case(w->folder, w->model[i], s.training, w->data, splits[k][0], splits[k][1]);
        print_results(&r, k ? text : first);
        if (k && strcmp(text, first) != 0)
          fail_msg("%s: threads and micro-batches change it\n  %s\n  %s", key, first, text);
      }
      bits_check(t, key, first);
    }
  if (!brief) bits_unclaimed(t, isa, is_mine);
}

static bool writes;

static void results_hold(void **state) {
  static bits_table table;

  /* What the models are evaluated on: random examples, in which a label 0 is ignored. */
  static small_batch b;
  walk w = {.folder = *state};
  const trm_batch examples = small_batch_at(&b, 2000);
  int32_t labels[EXAMPLES * LEN];
  for (int i = 0; i < EXAMPLES * LEN; i++) /* a label 0 is ignored */
    labels[i] = examples.labels[i] < 0 ? 0 : examples.labels[i];
  char dir[100];
  snprintf(dir, sizeof dir, "%s/data", w.folder->dir);
  write_small_data(dir, EXAMPLES, LEN, SYMBOLS, 3, examples.inputs, labels, examples.puzzle_ids);
  w.data = open_small_data(dir);

  /* A model for each sample. */
  for (int i = 0; i < N_SAMPLES; i += getenv("TEST_BRIEF") ? BRIEF_STEP : 1) {
    const setup s = setup_of(&samples[i]);
    w.model[i] = small_model(&s.model, 5);
  }

  /* Every set of kernels against the table. */
  bits_open(&table, writes);
  bits_on_every_isa(&table, is_mine, walk_isa, &w);

  for (int i = 0; i < N_SAMPLES; i++) trm_model_free(w.model[i]);
  trm_dataset_free(w.data);
  bits_close(&table);
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(results_hold)};
  writes = argc == 2 && !strcmp(argv[1], "--write");
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
