/* The system refuses the n-th block of memory, or the n-th thread: votes and evaluations with a
 * state report it, give back all they took (the address sanitizer sees what they do not), and leave
 * no file behind that is not whole. */
#include <unistd.h>

#include "arc_data.h"
#include "processors.h"
#include "refuse.h"
#include "small_model.h"

static arc_set set;
static char dir[160], file[160];
static trm_model *model;
static trm_dataset *data;

static trm_status vote(trm_error *err) {
  trm_arc_votes *v;
  trm_status st = TRM_OK;
  double pass;
  TRM_TRY(trm_arc_votes_create(dir, &v, err));
  for (int i = 0; i < set.n && st == TRM_OK; i++) {
    const arc_example *e = &set.example[i];
    st = trm_arc_votes_add(v, i, e->id, TRM__ARC_SIDE, e->inputs, e->answer, e->q, err);
  }
  if (st == TRM_OK) st = trm_arc_votes_count(v, (const int[]){2}, 1, &pass, NULL, err);
  if (st == TRM_OK) st = trm_arc_votes_submit(v, file, err);
  trm_arc_votes_free(v);
  return st;
}

static trm_status read_files(trm_error *err) {
  char preds[200], q[200];
  trm_arc_votes *v;
  snprintf(preds, sizeof preds, "%s/p.npy", dir);
  snprintf(q, sizeof q, "%s/q.npy", dir);
  TRM_TRY(trm_arc_votes_create(dir, &v, err));
  trm_status st = trm_arc_votes_add_files(v, data, preds, q, NULL, NULL, NULL, err);
  trm_arc_votes_free(v);
  return st;
}

/* From the state in `file`, if there is one. */
static trm_status evaluate(trm_error *err) {
  static trm_eval_report r;
  trm_arc_votes *v;
  TRM_TRY(trm_arc_votes_create(dir, &v, err));
  const trm_eval_config c = {.limit = 2, .batch = 2, .threads = 2, .votes = v, .state = file};
  trm_status st = trm_evaluate(model, data, &c, &r, err);
  trm_arc_votes_free(v);
  return st;
}

static void every_refusal_is_reported(void **state) {
  static const struct {
    trm_status (*run)(trm_error *err);
    bool keep; /* the file of the run before */
  } actions[] = {{vote, false}, {read_files, false}, {evaluate, false}, {evaluate, true}};
  (void)state;
  for (size_t k = 0; k < sizeof actions / sizeof *actions; k++) {
    int reported = 0;
    trm_status st;
    trm_error err;
    bool old = trm__path_exists(file);
    for (int n = 0; REFUSING(n, st, err, actions[k].run(&err)); n++) {
      /* A refusal is an error of memory or of the system, and takes no file away. */
      if (st != TRM_OK) {
        assert_true(st == TRM_E_MEMORY || st == TRM_E_SYSTEM);
        reported++;
      }
      if (old) assert_true(trm__path_exists(file));
      if (!actions[k].keep) (void)unlink(file);
      old = trm__path_exists(file);
    }
    assert_true(reported > 8);

    /* The complete state of the first evaluation is what the second begins with. */
    if (k != 2) (void)unlink(file);
  }
}

/* Votes for the ids of another draw. */
static void votes_of_other_ids(const trm_arc_tasks *tasks, const trm_arc_data *arc) {
  /* A model for the names of one draw. */
  trm_arc_data *other;
  trm_arc_votes *votes;
  trm_eval_report report;
  trm_error err;
  trm_model_config c = small_config(TRM_ARCH_TRM, 100);
  c.vocab_size = 12;
  c.num_puzzle_identifiers = arc->n_names;
  trm_model *m = small_model(&c, 5);

  /* Votes of another draw are refused, though they have as many names; those of its own are
   * taken. */
  assert_int_equal(trm_arc_data_create(tasks, 2, 10, 2, &other, NULL), TRM_OK);
  for (int same = 0; same < 2; same++) {
    const trm_arc_data *from = same ? arc : other;
    assert_int_equal(trm_arc_votes_create_for(tasks, from->names, from->n_names, &votes, NULL),
                     TRM_OK);
    const trm_eval_config config = {.limit = 1, .steps = 1, .threads = 1, .votes = votes};
    assert_int_equal(trm_evaluate(m, arc->test, &config, &report, &err),
                     same ? TRM_OK : TRM_E_SHAPE);
    if (!same) assert_true(speaks_of(&err, "have other names than those of the tasks"));
    trm_arc_votes_free(votes);
  }
  trm_arc_data_free(other);
  trm_model_free(m);
}

/* Sudokus of 10 x 10 have the vocabulary and the cells of ARC on a canvas of 10 x 10. */
static void other_kinds_are_refused(void **state) {
  /* Tasks on a canvas of 10 by 10. */
  (void)state;
  char path[200];
  trm_arc_tasks *tasks;
  trm_arc_data *arc;
  trm_eval_report report;
  trm_error err;
  snprintf(path, sizeof path, "%s/test_puzzles.json", dir);
  assert_int_equal(trm_arc_tasks_load(path, &tasks, NULL), TRM_OK);
  if (trm_arc_data_create(tasks, 0, 10, 1, &arc, &err) != TRM_OK) fail_msg("%s", err.msg);
  votes_of_other_ids(tasks, arc);
  trm_arc_tasks_free(tasks);

  /* A model of such tasks scores them; a model of Sudokus does not, though all numbers agree. */
  for (int sudoku = 0; sudoku < 2; sudoku++) {
    trm_model_config c = small_config(TRM_ARCH_TRM, 100);
    c.vocab_size = 12;
    c.num_puzzle_identifiers = arc->n_names;
    c.halt_max_steps = 1;
    c.puzzle = sudoku ? trm_sudoku_of_size(10)
                      : (trm_puzzle){.kind = TRM_PUZZLE_ARC, .rows = 10, .cols = 10};
    trm_model *m = small_model(&c, 5);
    const trm_eval_config config = {.limit = 1, .threads = 1};
    assert_int_equal(trm_evaluate(m, arc->test, &config, &report, &err),
                     sudoku ? TRM_E_SHAPE : TRM_OK);
    if (sudoku) assert_true(speaks_of(&err, "the model: kind sudoku, 10 x 10"));
    trm_model_free(m);
  }
  trm_arc_data_free(arc);
}

static int set_up(void **state) {
  /* A set of ARC. */
  if (scratch_open(state) != 0) return -1;
  scratch *s = *state;
  char path[200];
  float q[ARC_MAX] = {0};
  static uint8_t preds[ARC_MAX * TRM__ARC_CELLS];
  snprintf(dir, sizeof dir, "%s/arc", s->dir);
  snprintf(file, sizeof file, "%s/file", s->dir);
  arc_make(&set, 2);
  arc_write(&set, dir);
  data = open_small_data(dir);

  /* Predictions for it, all blank, with their q. */
  snprintf(path, sizeof path, "%s/p.npy", dir);
  const int64_t shape[] = {set.n, TRM__ARC_CELLS};
  assert_int_equal(trm__npy_save(path, TRM__NPY_U1, 2, shape, preds, NULL), TRM_OK);
  snprintf(path, sizeof path, "%s/q.npy", dir);
  assert_int_equal(trm__npy_save(path, TRM__NPY_F4, 1, shape, q, NULL), TRM_OK);

  /* The smallest model that reads it. */
  trm_model_config c = small_config(TRM_ARCH_TRM, TRM__ARC_CELLS);
  c.vocab_size = 12;
  c.num_puzzle_identifiers = ARC_IDS;
  c.H_cycles = c.L_cycles = 1;
  c.halt_max_steps = 1;
  model = small_model(&c, 5);
  return 0;
}

static int tear_down(void **state) {
  trm_model_free(model);
  trm_dataset_free(data);
  return scratch_close(state);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_refusal_is_reported),
                                     cmocka_unit_test(other_kinds_are_refused)};
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
