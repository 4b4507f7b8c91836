/* Evaluation against a plain recount: every row solved alone, every metric as its definition says.
 */
#include <math.h>

#include "processors.h"
#include "small_data.h"
#include "small_model.h"

enum { ROWS = 41, S = 5, V = 7, IDS = 3, STEPS = 4 };

/* Inputs drawn; labels in part what the model will answer, so that some rows are exact. */
typedef struct examples {
  int32_t inputs[ROWS * S], labels[ROWS * S], ids[ROWS];
  int32_t answers[STEPS][ROWS * S];
  float logits[STEPS][ROWS * S * V], q[STEPS][ROWS], q_continue[STEPS][ROWS];
} examples;

static examples ex;

static void solve_alone(const trm_model *m, int row) {
  trm_solver *s;
  assert_int_equal(trm_solver_create(m, &(trm_solver_config){.batch = 1, .threads = 1}, &s, NULL),
                   0);
  assert_int_equal(trm_solver_start(s, 1, ex.inputs + row * S, &ex.ids[row], NULL), TRM_OK);
  for (int step = 0; step < STEPS; step++) {
    trm_solver_step(s, NULL);
    memcpy(ex.answers[step] + row * S, trm_solver_answer(s), S * sizeof(int32_t));
    memcpy(ex.logits[step] + row * S * V, trm_solver_logits(s), S * V * sizeof(float));
    ex.q[step][row] = trm_solver_q_halt(s)[0];
    ex.q_continue[step][row] = trm_solver_q_continue(s)[0];
  }
  trm_solver_free(s);
}

/* Row 3, 10, 17 …: no label; others: one to S labels. */
static void make_examples(const trm_model *m) {
  for (int row = 0; row < ROWS; row++) {
    trm__rng r = trm__rng_at(9, TRM__RNG_TEST, 2, (uint32_t)row);
    ex.ids[row] = (int32_t)trm__rng_below(&r, IDS);
    for (int i = 0; i < S; i++) ex.inputs[row * S + i] = (int32_t)trm__rng_below(&r, V);
    solve_alone(m, row);
    bool right = trm__rng_below(&r, 2);
    int labels = row % 7 == 3 ? 0 : 1 + (int)trm__rng_below(&r, S);
    for (int i = 0; i < S; i++) {
      int32_t drawn = 1 + (int32_t)trm__rng_below(&r, V - 1);
      int32_t answer = ex.answers[STEPS - 1][row * S + i];
      ex.labels[row * S + i] = i >= labels ? 0 : right ? answer : drawn;
    }
  }
}

static trm_model_config model_config(trm_loss loss) {
  trm_model_config c = small_config(TRM_ARCH_TRM, S);
  c.halt_max_steps = STEPS;
  c.loss = loss;
  return c;
}

static trm_model *make_model(trm_loss loss) {
  trm_model_config c = model_config(loss);
  return small_model(&c, 21);
}

/* --- the recount --- */

typedef struct recount {
  int64_t rows, exact, cells, right, q_right, halted[STEPS], steps;
  double accuracy, lm, q_loss, step_accuracy[STEPS], step_exact[STEPS];
} recount;

/* When a row stops: the first step (from 0) whose q is high enough, or the last. */
typedef struct halting {
  trm_halt halt;
  bool both; /* q_continue counts */
  double margin;
} halting;

static int last_step(halting h, int row) {
  for (int step = 0; h.halt == TRM_HALT_Q && step < STEPS; step++) {
    double against = h.both ? (double)ex.q_continue[step][row] : 0;
    if ((double)ex.q[step][row] - against > h.margin) return step;
  }
  return STEPS - 1;
}

static double cell_loss(trm_loss loss, const float *x, int label) {
  double p[V], sum = 0;
  for (int v = 0; v < V; v++) {
    double e = (double)x[v];
    p[v] = loss == TRM_LOSS_SOFTMAX ? exp(e) : e < 0 ? 1 / (1 - e + 1e-30) : e + 1;
    sum += p[v];
  }
  return -log(p[label] / sum);
}

static recount count_again(trm_loss loss, int rows, halting h) {
  /* Every row that has a label, after the step at which it halts. */
  recount c = {0};
  for (int row = 0; row < rows; row++) {
    int valid = 0, right[STEPS] = {0}, last = last_step(h, row);
    double lm = 0, q = (double)ex.q[last][row];

    /* Its loss and what is right, cell by cell, for each number of steps. */
    for (int i = row * S; i < (row + 1) * S; i++) {
      if (ex.labels[i] == 0) continue;
      valid++;
      lm += cell_loss(loss, ex.logits[last] + i * V, ex.labels[i]);
      for (int step = 0; step < STEPS; step++)
        right[step] += ex.answers[step < last ? step : last][i] == ex.labels[i];
    }
    if (!valid) continue;

    /* A row is exact when all its cells are; q is held against that. */
    int exact = right[last] == valid;
    double p = 1 / (1 + exp(-q));
    c.rows++;
    c.exact += exact;
    c.cells += valid;
    c.right += right[last];
    c.q_right += (q >= 0) == exact;
    c.lm += lm / valid;
    c.q_loss -= log(exact ? p : 1 - p);
    c.halted[last]++;
    c.steps += last + 1;

    /* Had all rows gone on to each step. */
    for (int step = 0; step < STEPS; step++) {
      c.step_accuracy[step] += (double)right[step] / valid;
      c.step_exact[step] += right[step] == valid;
    }
  }
  return c;
}

static const halting never = {TRM_HALT_NEVER, false, 0};

static void close_to(double got, double want, const char *what) {
  if (!(fabs(got - want) < 1e-12 * (1 + fabs(want))))
    fail_msg("%s: %.17g, want %.17g", what, got, want);
}

static void check_report(const trm_eval_report *r, trm_loss loss, int rows, halting h) {
  /* Counts are those of the recount. */
  recount c = count_again(loss, rows, h);
  double n = (double)c.rows;
  assert_int_equal(r->examples, c.rows);
  assert_int_equal(r->exact, c.exact);
  assert_int_equal(r->cells, c.cells);
  assert_int_equal(r->cells_right, c.right);
  assert_int_equal(r->n_steps, STEPS);

  /* So are means, over rows. */
  close_to(r->accuracy, c.step_accuracy[STEPS - 1] / n, "accuracy");
  close_to(r->exact_accuracy, (double)c.exact / n, "exact_accuracy");
  close_to(r->q_halt_accuracy, (double)c.q_right / n, "q_halt_accuracy");
  close_to(r->lm_loss, c.lm / n, "lm_loss");
  close_to(r->q_halt_loss, c.q_loss / n, "q_halt_loss");
  close_to(r->mean_steps, (double)c.steps / n, "mean_steps");

  /* And the curves over steps. */
  for (int i = 0; i < STEPS; i++) {
    close_to(r->step[i].accuracy, c.step_accuracy[i] / n, "step accuracy");
    close_to(r->step[i].exact_accuracy, c.step_exact[i] / n, "step exact_accuracy");
    assert_int_equal(r->step[i].halted, c.halted[i]);
  }

  /* Intervals follow from counts. */
  const trm_interval want[] = {trm_wilson((double)c.exact, n), trm_wilson((double)c.q_right, n),
                               trm_wilson((double)c.right, (double)c.cells)};
  assert_memory_equal(&r->exact_interval, &want[0], sizeof *want);
  assert_memory_equal(&r->q_halt_interval, &want[1], sizeof *want);
  assert_memory_equal(&r->cell_interval, &want[2], sizeof *want);
}

/* --- tests --- */

/* A row callback: answers in file order; each example once, and as it is in the data. */
static trm_status keep_answer(void *arg, const trm_eval_row *row, trm_error *err) {
  int32_t *kept = (int32_t *)arg + row->example * S;
  (void)err;
  assert_in_range(row->example, 0, ROWS - 1);
  assert_int_equal(kept[0], -1);
  assert_int_equal(row->puzzle_id, ex.ids[row->example]);
  assert_memory_equal(row->inputs, ex.inputs + row->example * S, S * sizeof *kept);
  for (int i = 0; i < S; i++) {
    int32_t label = ex.labels[row->example * S + i];
    assert_true(row->labels[i] == (label ? label : TRM_IGNORE_LABEL));
  }
  assert_true(row->q_halt == ex.q[row->steps - 1][row->example]);
  memcpy(kept, row->answer, S * sizeof *kept);
  return TRM_OK;
}

static trm_dataset *make_data(scratch *s, const trm_model *m) {
  make_examples(m);
  write_small_data(scratch_path(s, "data"), ROWS, S, V, IDS, ex.inputs, ex.labels, ex.ids);
  return open_small_data(s->path);
}

static void reports_are_what_a_recount_gives(void **state) {
  static trm_eval_report r;
  for (int loss = TRM_LOSS_STABLEMAX; loss <= TRM_LOSS_SOFTMAX; loss++) {
    trm_model *m = make_model((trm_loss)loss);
    trm_dataset *d = make_data(*state, m);
    recount c = count_again((trm_loss)loss, ROWS, never);
    assert_true(c.rows == 35 && c.exact > 5 && c.exact < 30 && c.q_right > 5 && c.q_right < 30);
    assert_true(c.step_accuracy[0] != c.step_accuracy[STEPS - 1]);
    assert_int_equal(trm_evaluate(m, d, &(trm_eval_config){.steps = 0}, &r, NULL), TRM_OK);
    check_report(&r, (trm_loss)loss, ROWS, never);
    trm_dataset_free(d);
    trm_model_free(m);
  }
}

/* Rows (labelled or not) that stop before the last step. */
static int early(halting h) {
  int n = 0;
  for (int row = 0; row < ROWS; row++) n += last_step(h, row) < STEPS - 1;
  return n;
}

static void rows_that_halt_make_room(void **state) {
  /* Batches and threads that bring rows in and out in other orders. */
  static trm_eval_report want, got;
  static int32_t preds[ROWS * S], stopped[ROWS * S];
  static const int ways[][2] = {{1, 1}, {2, 1}, {7, 1}, {7, 2}, {10, 3}, {ROWS, 2}, {0, 0}};

  /* With and without the continue loss, with and without a margin. */
  for (int k = 0; k < 4; k++) {
    const halting h = {TRM_HALT_Q, k % 2 == 1, k < 2 ? 0 : 0.2};
    trm_model_config mc = model_config(TRM_LOSS_STABLEMAX);
    mc.no_ACT_continue = !h.both;
    trm_model *m = small_model(&mc, 22);
    trm_dataset *d = make_data(*state, m);

    /* Enough rows halt early, and their answers are not those of the last step. */
    assert_true(early(h) > 4 && early(h) < ROWS - 4);
    for (int i = 0; i < ROWS * S; i++) stopped[i] = ex.answers[last_step(h, i / S)][i];
    assert_memory_not_equal(stopped, ex.answers[STEPS - 1], sizeof stopped);

    /* Each way of computing, with memory that is not clean. */
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
      const trm_eval_config c = {.halt = h.halt,
                                 .halt_margin = h.margin,
                                 .batch = ways[w][0],
                                 .threads = ways[w][1],
                                 .row = keep_answer,
                                 .row_arg = preds};
      memset(preds, -1, sizeof preds);
      memset(&got, 0x55, sizeof got);
      assert_int_equal(trm_evaluate(m, d, &c, &got, NULL), TRM_OK);

      /* The first report is right; the others and all answers are the same bytes. */
      if (w == 0) {
        want = got;
        check_report(&want, TRM_LOSS_STABLEMAX, ROWS, h);
      }
      assert_memory_equal(&want, &got, sizeof want);
      assert_memory_equal(preds, stopped, sizeof preds);
    }
    trm_dataset_free(d);
    trm_model_free(m);
  }
}

static bool count_calls(void *arg, int64_t done, int64_t total) {
  int64_t *calls = arg; /* calls, and the last `done` */
  assert_true(done >= calls[1] && done <= total);
  calls[0]++;
  calls[1] = done;
  return true;
}

/* Steps of the batch follow from the sum of the rows' steps; groups that wait for their slowest row
 * would need more. */
static void early_exit_costs_the_mean(void **state) {
  /* A model whose rows halt after different numbers of steps. */
  enum { BATCH = 4 };
  static trm_eval_report r;
  const halting h = {TRM_HALT_Q, false, 0};
  int64_t calls[2] = {0}, sum = 0, waiting = 0;
  trm_model_config mc = model_config(TRM_LOSS_STABLEMAX);
  trm_model *m = small_model(&mc, 22);
  trm_dataset *d = make_data(*state, m);

  /* What the rows need, and what they would if groups waited for their slowest. */
  for (int first = 0; first < ROWS; first += BATCH) {
    int slowest = 0;
    for (int row = first; row < ROWS && row < first + BATCH; row++) {
      int steps = last_step(h, row) + 1;
      sum += steps;
      slowest = steps > slowest ? steps : slowest;
    }
    waiting += slowest;
  }

  /* The evaluation counts its steps. */
  const trm_eval_config c = {
      .halt = TRM_HALT_Q, .batch = BATCH, .progress = count_calls, .progress_arg = calls};
  assert_int_equal(trm_evaluate(m, d, &c, &r, NULL), TRM_OK);

  /* They are the sum over the batch, but for the last ones, where rows run out. */
  assert_int_equal(calls[1], ROWS);
  assert_true(calls[0] >= (sum + BATCH - 1) / BATCH);
  assert_true(calls[0] <= sum / BATCH + STEPS && calls[0] < waiting);
  trm_dataset_free(d);
  trm_model_free(m);
}

static void reports_do_not_depend_on_batch_and_threads(void **state) {
  static trm_eval_report want, got;
  static int32_t preds[ROWS * S];
  trm_model *m = make_model(TRM_LOSS_STABLEMAX);
  trm_dataset *d = make_data(*state, m);
  assert_int_equal(trm_evaluate(m, d, &(trm_eval_config){.batch = 1, .threads = 1}, &want, NULL),
                   0);
  static const int ways[][2] = {{1, 3}, {7, 1}, {7, 2}, {ROWS, 3}, {1000, 2}, {0, 1}, {0, 0}};
  for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
    const trm_eval_config c = {
        .batch = ways[w][0], .threads = ways[w][1], .row = keep_answer, .row_arg = preds};
    memset(preds, -1, sizeof preds);
    memset(&got, 0x55, sizeof got);
    assert_int_equal(trm_evaluate(m, d, &c, &got, NULL), TRM_OK);
    assert_memory_equal(&want, &got, sizeof want);
    assert_memory_equal(preds, ex.answers[STEPS - 1], sizeof preds); /* file order */
  }
  trm_dataset_free(d);
  trm_model_free(m);
}

static void a_limit_takes_the_first(void **state) {
  static trm_eval_report r;
  static int32_t preds[ROWS * S];
  trm_model *m = make_model(TRM_LOSS_STABLEMAX);
  trm_dataset *d = make_data(*state, m);
  for (int limit = 1; limit < ROWS; limit += 13) {
    const trm_eval_config c = {
        .limit = limit, .batch = 4, .threads = 2, .row = keep_answer, .row_arg = preds};
    memset(preds, -1, sizeof preds);
    assert_int_equal(trm_evaluate(m, d, &c, &r, NULL), TRM_OK);
    check_report(&r, TRM_LOSS_STABLEMAX, limit, never);
    assert_memory_equal(preds, ex.answers[STEPS - 1], (size_t)(limit * S) * sizeof *preds);
    assert_int_equal(preds[limit * S], -1);
  }
  assert_int_equal(trm_evaluate(m, d, &(trm_eval_config){.limit = ROWS + 9}, &r, NULL), TRM_OK);
  check_report(&r, TRM_LOSS_STABLEMAX, ROWS, never);
  /* Another number of steps: the last one counts. */
  memset(preds, -1, sizeof preds);
  const trm_eval_config two = {.steps = 2, .row = keep_answer, .row_arg = preds};
  double at_two = r.step[1].accuracy;
  assert_int_equal(trm_evaluate(m, d, &two, &r, NULL), TRM_OK);
  assert_int_equal(r.n_steps, 2);
  assert_true(r.accuracy == at_two && r.step[1].accuracy == at_two);
  assert_memory_equal(preds, ex.answers[1], sizeof preds);
  trm_dataset_free(d);
  trm_model_free(m);
}

typedef struct watch {
  int64_t calls, last, stop_at;
} watch;

static bool watch_progress(void *arg, int64_t done, int64_t total) {
  watch *w = arg;
  assert_int_equal(total, ROWS);
  assert_true(done >= w->last && done <= total);
  w->last = done;
  return ++w->calls != w->stop_at;
}

static void progress_is_told_and_may_stop(void **state) {
  /* A callback that counts, and stops nothing. */
  static trm_eval_report r;
  trm_model *m = make_model(TRM_LOSS_STABLEMAX);
  trm_dataset *d = make_data(*state, m);
  watch w = {0};
  trm_error err;
  trm_eval_config c = {.batch = 10, .threads = 1, .progress = watch_progress, .progress_arg = &w};
  assert_int_equal(trm_evaluate(m, d, &c, &r, &err), TRM_OK);
  assert_int_equal(w.last, ROWS);
  int64_t calls = w.calls;
  assert_int_equal(calls, 5 * STEPS);

  /* Memory of a report that must not change. */
  memset(&r, 0x55, sizeof r);
  static trm_eval_report untouched;
  untouched = r;

  /* Stopped at every third call: no call follows, the message says how far it was, and there is no
   * report of a part. */
  for (int64_t stop = 1; stop <= calls; stop += 3) {
    w = (watch){.stop_at = stop};
    assert_int_equal(trm_evaluate(m, d, &c, &r, &err), TRM_E_INTERRUPTED);
    assert_int_equal(w.calls, stop);
    assert_true(speaks_of(&err, "of 41 examples"));
    assert_memory_equal(&r, &untouched, sizeof r);
  }
  trm_dataset_free(d);
  trm_model_free(m);
}

static void refuses(const trm_model *m, const trm_dataset *d, trm_eval_config c, trm_status status,
                    const char *word) {
  static trm_eval_report r;
  trm_error err;
  assert_int_equal(trm_evaluate(m, d, &c, &r, &err), status);
  assert_true(speaks_of(&err, word));
}

static void what_does_not_fit_is_refused(void **state) {
  trm_model *m = make_model(TRM_LOSS_STABLEMAX);
  trm_dataset *d = make_data(*state, m);

  /* Settings beyond what there is. */
  refuses(m, d, (trm_eval_config){.limit = -1}, TRM_E_ARGUMENT, "limit = -1");
  refuses(m, d, (trm_eval_config){.steps = -1}, TRM_E_ARGUMENT, "steps = -1");
  refuses(m, d, (trm_eval_config){.steps = TRM_EVAL_MAX_STEPS + 1}, TRM_E_ARGUMENT, "1024");
  refuses(m, d, (trm_eval_config){.batch = -1}, TRM_E_ARGUMENT, "batch = -1");
  refuses(m, d, (trm_eval_config){.batch = 1 << 30}, TRM_E_ARGUMENT, "batch = 1073741824");
  refuses(m, d, (trm_eval_config){.threads = -2}, TRM_E_ARGUMENT, "threads = -2");
  refuses(m, d, (trm_eval_config){.halt = TRM_HALTS}, TRM_E_ARGUMENT, "halt = 3");
  refuses(m, d, (trm_eval_config){.halt_margin = NAN}, TRM_E_ARGUMENT, "halt_margin");

  /* A model of other sizes than the data. */
  for (int k = 0; k < 3; k++) {
    trm_model_config c = *trm_model_get_config(m);
    if (k == 0) c.seq_len = 6;
    if (k == 1) c.vocab_size = 8;
    if (k == 2) c.num_puzzle_identifiers = 2;
    trm_model *other = small_model(&c, 1);
    refuses(other, d, (trm_eval_config){0}, TRM_E_SHAPE, k < 2 ? "seq_len 5" : "3 puzzle ids");
    trm_model_free(other);
  }

  /* Ids do not matter to a model without a table of them. */
  trm_model_config c = *trm_model_get_config(m);
  c.num_puzzle_identifiers = 1;
  c.puzzle_emb_ndim = 0;
  trm_model *plain = small_model(&c, 1);
  static trm_eval_report r;
  assert_int_equal(trm_evaluate(plain, d, &(trm_eval_config){0}, &r, NULL), TRM_OK);
  trm_model_free(plain);

  /* Weights with which there are no finite losses. */
  trm_tensor head = trm_model_tensor_named(m, "lm_head.weight");
  for (int64_t i = 0; i < head.count; i++) head.data[i] = i % 2 ? 3e38f : -3e38f;
  refuses(m, d, (trm_eval_config){0}, TRM_E_NUMERIC, "example ");
  trm_dataset_free(d);
  trm_model_free(m);
}

static void without_labels_only_answers_count(void **state) {
  static trm_eval_report r;
  static int32_t preds[ROWS * S];
  trm_model *m = make_model(TRM_LOSS_STABLEMAX);
  make_examples(m);
  memset(ex.labels, 0, sizeof ex.labels);
  write_small_data(scratch_path(*state, "bare"), ROWS, S, V, IDS, ex.inputs, ex.labels, ex.ids);
  trm_dataset *d = open_small_data(((scratch *)*state)->path);
  memset(preds, -1, sizeof preds);
  assert_int_equal(
      trm_evaluate(m, d, &(trm_eval_config){.row = keep_answer, .row_arg = preds}, &r, NULL),
      TRM_OK);
  assert_memory_equal(preds, ex.answers[STEPS - 1], sizeof preds);
  assert_true(r.examples == 0 && r.cells == 0 && r.accuracy == 0 && r.lm_loss == 0);
  assert_true(r.exact_interval.low == 0 && r.exact_interval.high == 1);
  trm_dataset_free(d);
  trm_model_free(m);
}

/* A row of the table of embeddings that is still the blank id's; ids 0 to 2, 0 the blank one. */
static void untrained_ids_are_counted(void **state) {
  static trm_eval_report r;
  trm_model *m = make_model(TRM_LOSS_STABLEMAX);
  trm_dataset *d = make_data(*state, m);
  trm_tensor t = trm_model_tensor_named(m, "puzzle_emb.weights");
  int64_t of_two = 0;
  for (int i = 0; i < ROWS; i++) of_two += ex.ids[i] == 2;
  assert_int_equal(trm_evaluate(m, d, &(trm_eval_config){0}, &r, NULL), TRM_OK);
  assert_true(r.untrained == 0 && !r.rules && r.checked == 0);
  memcpy(t.data + 2 * t.shape[1], t.data, (size_t)t.shape[1] * sizeof *t.data);
  assert_int_equal(trm_evaluate(m, d, &(trm_eval_config){0}, &r, NULL), TRM_OK);
  assert_true(r.untrained == of_two && of_two > 0);
  trm_dataset_free(d);
  trm_model_free(m);
}

/* Its answer is its input: branches of blocks add nothing, and the head reads what was embedded. */
static trm_model *copying_model(trm_puzzle puzzle, int vocab) {
  trm_model_config c = small_config(TRM_ARCH_TRANSFORMER, puzzle.rows * puzzle.cols);
  c.puzzle = puzzle;
  c.vocab_size = vocab;
  c.num_puzzle_identifiers = 1;
  trm_model *m = small_model(&c, 4);
  for (int i = 0; i < trm_model_tensor_count(m); i++) {
    trm_tensor t = trm_model_tensor_at(m, i);
    memset(t.data, 0, (size_t)t.count * sizeof *t.data);
    bool words =
        !strcmp(t.name, "embed_tokens.embedding_weight") || !strcmp(t.name, "lm_head.weight");
    for (int v = 0; words && v < vocab; v++) t.data[v * t.shape[1] + v] = 1;
  }
  return m;
}

/* Grids that are given as a whole, but for a blank in every third: what equals its only label need
 * not be right. */
static void answers_are_checked_by_the_rules(void **state) {
  enum { CELLS = 16, N = 40 };
  static trm_eval_report r;
  static int32_t inputs[N * CELLS], labels[N * CELLS], ids[N];
  static const uint8_t solved[CELLS] = {1, 2, 3, 4, 3, 4, 1, 2, 2, 1, 4, 3, 4, 3, 2, 1};
  trm_model *m = copying_model(trm_sudoku_of_size(4), 6);
  for (int i = 0; i < N; i++) {
    for (int k = 0; k < CELLS; k++) inputs[i * CELLS + k] = 1 + solved[k];
    if (i % 3 == 0) inputs[i * CELLS + 7] = 1;
    if (i % 10) labels[i * CELLS] = inputs[i * CELLS]; /* four have no label at all */
  }
  write_small_data(scratch_path(*state, "rules"), N, CELLS, 6, 1, inputs, labels, ids);
  trm_dataset *d = open_small_data(((scratch *)*state)->path);
  assert_int_equal(trm_evaluate(m, d, &(trm_eval_config){0}, &r, NULL), TRM_OK);
  assert_true(r.rules && r.checked == N && r.valid == N - (N + 2) / 3);
  assert_true(r.examples == N - 4 && r.exact == N - 4);
  trm_interval w = trm_wilson((double)r.valid, N);
  assert_memory_equal(&r.valid_interval, &w, sizeof w);
  trm_dataset_free(d);
  trm_model_free(m);
}

/* The roots of (p - right / n)^2 = z^2 p (1 - p) / n, found by bisection; n = 0 says nothing. */
static void wilson_intervals_are_known(void **state) {
  (void)state;
  static const struct {
    double right, n, low, high;
  } known[] = {{95, 100, 0.88825, 0.97846}, {0, 10, 0, 0.27753},           {10, 10, 0.72247, 1},
               {1, 2, 0.09453, 0.90547},    {500, 1000, 0.46907, 0.53093}, {0, 0, 0, 1},
               {1, 1, 0.20655, 1}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    trm_interval w = trm_wilson(known[i].right, known[i].n);
    if (fabs(w.low - known[i].low) > 6e-6 || fabs(w.high - known[i].high) > 6e-6)
      fail_msg("%g of %g: %.6f to %.6f", known[i].right, known[i].n, w.low, w.high);
    assert_true(w.low >= 0 && w.high <= 1);
  }
  for (int n = 1; n < 300; n++) /* where rounding would end at 0.9999999999999999 */
    assert_true(trm_wilson(n, n).high >= 1 && trm_wilson(0, n).low <= 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reports_are_what_a_recount_gives),
      cmocka_unit_test(rows_that_halt_make_room),
      cmocka_unit_test(early_exit_costs_the_mean),
      cmocka_unit_test(reports_do_not_depend_on_batch_and_threads),
      cmocka_unit_test(a_limit_takes_the_first),
      cmocka_unit_test(progress_is_told_and_may_stop),
      cmocka_unit_test(what_does_not_fit_is_refused),
      cmocka_unit_test(without_labels_only_answers_count),
      cmocka_unit_test(untrained_ids_are_counted),
      cmocka_unit_test(answers_are_checked_by_the_rules),
      cmocka_unit_test(wilson_intervals_are_known),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
