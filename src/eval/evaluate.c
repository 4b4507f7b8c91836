/* Evaluation: by default as the reference does it, where every row runs all supervision steps; or
 * with early exit, where a row that halts makes room for the next example of the file. Metrics are
 * means over rows with at least one label.
 *
 * A row's results do not depend on the others; counts are whole numbers and losses are added up in
 * the order of the file at the end. So a report is the same bits for any batch, any number of
 * threads and any order in which rows come and go. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "kernels/loss.h"
#include "trm.h"

enum {
  MAX_BATCH = 1 << 20,
  /* Without a batch size each thread gets rows of about so many positions: a few tiles of the
   * solver, so that no thread waits long for another. */
  POSITIONS_PER_THREAD = 768
};

/* Of one example's last step; zeros for one without labels. */
typedef struct losses {
  double lm, q_halt;
} losses;

typedef struct step_counts {
  int64_t exact, halted;
  int64_t *right; /* [S + 1]: right cells of the rows with so many labels */
} step_counts;

typedef struct evaluation {
  const trm_dataset *data;
  const trm_eval_config *config;
  const trm_model_config *model;
  trm_solver *solver;
  int64_t total, next, done; /* examples to look at, to begin with next, and finished */
  int steps, batch;
  int32_t *inputs, *labels; /* [S] of the example that begins; [batch, S] of the solver's rows */
  int64_t *example;         /* [batch] the solver's rows are of */
  losses *loss;             /* [total] */
  step_counts *counts;      /* [steps] */
  int64_t *right;           /* [steps, S + 1], the memory of counts[].right */
  int64_t rows, cells, cells_right, q_right;
} evaluation;

/* --- scoring --- */

typedef struct score {
  int valid, right;
} score;

static score score_row(const int32_t *answer, const int32_t *labels, int n) {
  score s = {0, 0};
  for (int i = 0; i < n; i++) {
    s.valid += labels[i] >= 0;
    s.right += labels[i] >= 0 && labels[i] == answer[i];
  }
  return s;
}

/* In double; the mean over the labels of a row that count. */
static double row_loss(const evaluation *e, const real *logits, const int32_t *labels) {
  int V = e->model->vocab_size, valid = 0;
  double sum = 0;
  for (int i = 0; i < e->model->seq_len; i++) {
    if (labels[i] < 0) continue;
    sum += trm__cross_entropy(e->model->loss, V, logits + (int64_t)i * V, labels[i], 0, NULL);
    valid++;
  }
  return sum / valid;
}

/* Counts a row's score for step `step` (from 1); its last one stands for all that it leaves out. */
static void count_score(evaluation *e, score s, int step, bool last) {
  int end = last ? e->steps : step;
  if (s.valid == 0) return;
  for (int i = step - 1; i < end; i++) {
    e->counts[i].right[s.valid] += s.right;
    e->counts[i].exact += s.right == s.valid;
  }
  if (last) e->counts[step - 1].halted++;
}

/* What is only asked of a row's last step. */
static trm_status count_last(evaluation *e, int row, score s, trm_error *err) {
  int64_t S = e->model->seq_len, V = e->model->vocab_size, example = e->example[row];
  double q = (double)trm_solver_q_halt(e->solver)[row];
  /* The solver's logits are `real`s behind the public type. */
  const real *logits = (const real *)(const void *)trm_solver_logits(e->solver);
  bool exact = s.right == s.valid;
  if (s.valid == 0) return TRM_OK;
  losses l = {row_loss(e, logits + row * S * V, e->labels + row * S),
              trm__binary_cross_entropy(q, exact)};
  if (!isfinite(l.lm) || !isfinite(q))
    TRM_FAIL_AT(err, TRM_E_NUMERIC, example,
                "example %lld: its logits are NaN or infinite; the model's weights are too large, "
                "take an earlier checkpoint",
                (long long)example);
  e->loss[example] = l;
  e->rows++;
  e->cells += s.valid;
  e->cells_right += s.right;
  e->q_right += (q >= 0) == exact;
  return TRM_OK;
}

/* --- rows come and go --- */

static trm_status add_rows(evaluation *e, trm_error *err) {
  int64_t S = e->model->seq_len;
  for (int row; (row = trm_solver_rows(e->solver)) < e->batch && e->next < e->total; e->next++) {
    int32_t id;
    trm_dataset_example(e->data, e->next, e->inputs, e->labels + row * S, &id);
    e->example[row] = e->next;
    /* Without a table of embeddings any id will do. */
    TRM_TRY(trm_solver_add(e->solver, e->inputs, e->model->puzzle_emb_ndim ? id : 0, err));
  }
  return TRM_OK;
}

static void remove_row(evaluation *e, int row) {
  int64_t S = e->model->seq_len;
  trm_solver_remove(e->solver, row);
  int last = trm_solver_rows(e->solver);
  if (row == last) return;
  e->example[row] = e->example[last];
  memcpy(e->labels + row * S, e->labels + last * S, (size_t)S * sizeof *e->labels);
}

/* A row after a supervision step. */
static trm_status take_row(evaluation *e, int row, trm_error *err) {
  const trm_eval_config *c = e->config;
  int64_t S = e->model->seq_len;
  const int32_t *answer = trm_solver_answer(e->solver) + row * S;
  int step = trm_solver_steps_taken(e->solver)[row];
  bool halts = c->halt == TRM_HALT_Q && trm_solver_halt_margin(e->solver, row) > c->halt_margin;
  bool last = halts || step == e->steps;
  score s = score_row(answer, e->labels + row * S, (int)S);
  count_score(e, s, step, last);
  if (!last) return TRM_OK;
  TRM_TRY(count_last(e, row, s, err));
  if (c->preds) memcpy(c->preds + e->example[row] * S, answer, (size_t)S * sizeof *answer);
  remove_row(e, row);
  e->done++;
  return TRM_OK;
}

static trm_status tell_progress(const evaluation *e, trm_error *err) {
  const trm_eval_config *c = e->config;
  int64_t taken = 0;
  for (int row = 0; row < trm_solver_rows(e->solver); row++)
    taken += trm_solver_steps_taken(e->solver)[row];
  int64_t done = e->done + taken / e->steps;
  if (c->progress && !c->progress(c->progress_arg, done, e->total))
    TRM_FAIL(err, TRM_E_INTERRUPTED, "stopped after %lld of %lld examples", (long long)done,
             (long long)e->total);
  return TRM_OK;
}

static trm_status run_all(evaluation *e, trm_error *err) {
  for (;;) {
    TRM_TRY(add_rows(e, err));
    if (trm_solver_rows(e->solver) == 0) return TRM_OK;
    trm_solver_step(e->solver);
    for (int row = trm_solver_rows(e->solver) - 1; row >= 0; row--) TRM_TRY(take_row(e, row, err));
    TRM_TRY(tell_progress(e, err));
  }
}

/* --- set-up --- */

static trm_status check_config(const trm_eval_config *c, trm_error *err) {
  if (c->limit < 0 || c->steps < 0 || c->steps > TRM_EVAL_MAX_STEPS || c->batch < 0 ||
      c->batch > MAX_BATCH || c->threads < 0)
    TRM_FAIL(
        err, TRM_E_ARGUMENT,
        "limit = %lld, steps = %d, batch = %d, threads = %d: expected none negative, at most %d "
        "steps and a batch of at most %d",
        (long long)c->limit, c->steps, c->batch, c->threads, TRM_EVAL_MAX_STEPS, MAX_BATCH);
  if ((c->halt != TRM_HALT_NEVER && c->halt != TRM_HALT_Q) || !isfinite(c->halt_margin))
    TRM_FAIL(err, TRM_E_ARGUMENT,
             "halt = %d, halt_margin = %g: expected TRM_HALT_NEVER or TRM_HALT_Q and a finite "
             "number",
             (int)c->halt, c->halt_margin);
  return TRM_OK;
}

static trm_status check_agreement(const trm_model_config *m, const trm_dataset_info *d,
                                  trm_error *err) {
  if (m->seq_len != d->seq_len || m->vocab_size != d->vocab_size)
    TRM_FAIL(err, TRM_E_SHAPE,
             "the data have seq_len %d and vocab_size %d, the model %d and %d: evaluate a model on "
             "the kind of data that it was trained on",
             d->seq_len, d->vocab_size, m->seq_len, m->vocab_size);
  if (m->puzzle_emb_ndim > 0 && d->num_puzzle_identifiers > m->num_puzzle_identifiers)
    TRM_FAIL(err, TRM_E_SHAPE,
             "the data have %d puzzle ids, the model only knows %d: an id that was not trained has "
             "no embedding",
             d->num_puzzle_identifiers, m->num_puzzle_identifiers);
  return TRM_OK;
}

static trm_status choose_batch(const trm_model *model, const trm_eval_config *c, int64_t total,
                               int *batch, trm_error *err) {
  trm_model_cost cost;
  TRM_TRY(trm_model_cost_of(trm_model_get_config(model), &cost, err));
  int64_t threads = c->threads ? c->threads : trm_default_threads();
  int64_t each = POSITIONS_PER_THREAD / cost.positions, rows = threads * (each > 1 ? each : 1);
  if (c->batch) rows = c->batch;
  if (rows > MAX_BATCH) rows = MAX_BATCH;
  *batch = (int)(rows < total ? rows : total > 0 ? total : 1);
  return TRM_OK;
}

static trm_status evaluation_begin(evaluation *e, const trm_model *model, trm_error *err) {
  const trm_dataset_info *d = trm_dataset_get_info(e->data);
  const trm_eval_config *c = e->config;
  TRM_TRY(check_config(c, err));
  TRM_TRY(check_agreement(e->model, d, err));
  e->steps = c->steps ? c->steps : e->model->halt_max_steps;
  e->total = c->limit && c->limit < d->examples ? c->limit : d->examples;
  TRM_TRY(choose_batch(model, c, e->total, &e->batch, err));
  size_t S = (size_t)d->seq_len, steps = (size_t)e->steps;
  TRM_ALLOC(&e->inputs, S, "an example", err);
  TRM_ALLOC(&e->labels, (size_t)e->batch * S, "the labels of a batch", err);
  TRM_ALLOC(&e->example, e->batch, "the examples of a batch", err);
  TRM_ALLOC(&e->loss, e->total, "the losses of all examples", err);
  TRM_ALLOC(&e->counts, steps, "the counts of each step", err);
  TRM_ALLOC(&e->right, steps * (S + 1), "the counts of each step", err);
  for (size_t i = 0; i < steps; i++) e->counts[i].right = e->right + i * (S + 1);
  return trm_solver_create(model, &(trm_solver_config){.batch = e->batch, .threads = c->threads},
                           &e->solver, err);
}

static void evaluation_end(evaluation *e) {
  trm_solver_free(e->solver);
  trm__free(e->inputs);
  trm__free(e->labels);
  trm__free(e->example);
  trm__free(e->loss);
  trm__free(e->counts);
  trm__free(e->right);
}

static trm_eval_step step_report(const evaluation *e, int i, double n) {
  const step_counts *c = &e->counts[i];
  double shares = 0;
  for (int valid = 1; valid <= e->model->seq_len; valid++)
    shares += (double)c->right[valid] / valid;
  return (trm_eval_step){shares / n, (double)c->exact / n, c->halted};
}

static void make_report(const evaluation *e, trm_eval_report *r) {
  double n = e->rows > 0 ? (double)e->rows : 1;
  losses sum = {0, 0};
  int64_t taken = 0;
  for (int64_t i = 0; i < e->total; i++) {
    sum.lm += e->loss[i].lm;
    sum.q_halt += e->loss[i].q_halt;
  }
  memset(r, 0, sizeof *r);
  for (int i = 0; i < e->steps; i++) {
    r->step[i] = step_report(e, i, n);
    taken += (i + 1) * e->counts[i].halted;
  }
  const trm_eval_step *last = &r->step[e->steps - 1];
  r->n_steps = e->steps;
  r->examples = e->rows;
  r->exact = e->counts[e->steps - 1].exact;
  r->cells = e->cells;
  r->cells_right = e->cells_right;
  r->accuracy = last->accuracy;
  r->exact_accuracy = last->exact_accuracy;
  r->q_halt_accuracy = (double)e->q_right / n;
  r->lm_loss = sum.lm / n;
  r->q_halt_loss = sum.q_halt / n;
  r->mean_steps = (double)taken / n;
  r->exact_interval = trm_wilson((double)r->exact, (double)e->rows);
  r->q_halt_interval = trm_wilson((double)e->q_right, (double)e->rows);
  r->cell_interval = trm_wilson((double)e->cells_right, (double)e->cells);
}

trm_status trm_evaluate(const trm_model *model, const trm_dataset *data,
                        const trm_eval_config *config, trm_eval_report *report, trm_error *err) {
  evaluation e = {.data = data, .config = config, .model = trm_model_get_config(model)};
  trm_status st;
  TRM_GOTO(evaluation_begin(&e, model, err));
  TRM_GOTO(run_all(&e, err));
  make_report(&e, report);
done:
  evaluation_end(&e);
  return st;
}
