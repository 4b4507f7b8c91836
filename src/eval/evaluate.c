/* Evaluation as the reference does it: every row runs all supervision steps, metrics are means over
 * rows with at least one label. Batches follow the order of the file and every row is scored on its
 * own in that order, so a report is the same bits for any batch and any number of threads. */
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

/* Sums over the rows that count. */
typedef struct step_sums {
  double accuracy;
  int64_t exact;
} step_sums;

typedef struct evaluation {
  const trm_dataset *data;
  const trm_eval_config *config;
  const trm_model_config *model;
  trm_solver *solver;
  int64_t total; /* examples to look at */
  int steps, batch;
  int32_t *inputs, *labels, *ids; /* [batch, S], [batch, S], [batch] */
  step_sums *sums;                /* [steps] */
  int64_t rows, cells, cells_right, q_right;
  double lm_loss, q_loss;
} evaluation;

/* --- losses of the last step, in double --- */

/* Mean over the labels of a row that count. */
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

static void add_step(evaluation *e, int n, step_sums *sums) {
  int S = e->model->seq_len;
  const int32_t *answer = trm_solver_answer(e->solver);
  for (int r = 0; r < n; r++) {
    score s = score_row(answer + (int64_t)r * S, e->labels + (int64_t)r * S, S);
    if (s.valid == 0) continue;
    sums->accuracy += (double)s.right / s.valid;
    sums->exact += s.right == s.valid;
  }
}

/* What is only asked of the last step. */
static trm_status add_last(evaluation *e, int64_t first, int n, trm_error *err) {
  int S = e->model->seq_len, V = e->model->vocab_size;
  const int32_t *answer = trm_solver_answer(e->solver);
  const float *q = trm_solver_q_halt(e->solver);
  /* The solver's logits are `real`s behind the public type. */
  const real *logits = (const real *)(const void *)trm_solver_logits(e->solver);
  for (int r = 0; r < n; r++) {
    const int32_t *labels = e->labels + (int64_t)r * S;
    score s = score_row(answer + (int64_t)r * S, labels, S);
    if (s.valid == 0) continue;
    bool exact = s.right == s.valid;
    double lm = row_loss(e, logits + (int64_t)r * S * V, labels);
    if (!isfinite(lm) || !isfinite(q[r]))
      TRM_FAIL_AT(
          err, TRM_E_NUMERIC, first + r,
          "example %lld: its logits are NaN or infinite; the model's weights are too large, "
          "take an earlier checkpoint",
          (long long)(first + r));
    e->rows++;
    e->cells += s.valid;
    e->cells_right += s.right;
    e->q_right += (q[r] >= 0) == exact;
    e->lm_loss += lm;
    e->q_loss += trm__binary_cross_entropy((double)q[r], exact);
  }
  if (e->config->preds)
    memcpy(e->config->preds + first * S, answer, (size_t)n * (size_t)S * sizeof *answer);
  return TRM_OK;
}

/* Examples [first, first + n). */
static trm_status run_batch(evaluation *e, int64_t first, int n, trm_error *err) {
  const trm_eval_config *c = e->config;
  int64_t S = e->model->seq_len;
  for (int r = 0; r < n; r++)
    trm_dataset_example(e->data, first + r, e->inputs + r * S, e->labels + r * S, &e->ids[r]);
  /* Without a table of embeddings any id will do. */
  TRM_TRY(
      trm_solver_start(e->solver, n, e->inputs, e->model->puzzle_emb_ndim ? e->ids : NULL, err));
  for (int step = 0; step < e->steps; step++) {
    trm_solver_step(e->solver);
    add_step(e, n, &e->sums[step]);
    if (step == e->steps - 1) TRM_TRY(add_last(e, first, n, err));
    int64_t done = first + (int64_t)n * (step + 1) / e->steps;
    if (c->progress && !c->progress(c->progress_arg, done, e->total))
      TRM_FAIL(err, TRM_E_INTERRUPTED, "stopped after %lld of %lld examples", (long long)done,
               (long long)e->total);
  }
  return TRM_OK;
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
  size_t cells = (size_t)e->batch * (size_t)d->seq_len;
  TRM_ALLOC(&e->inputs, cells, "a batch of inputs", err);
  TRM_ALLOC(&e->labels, cells, "a batch of labels", err);
  TRM_ALLOC(&e->ids, e->batch, "a batch of puzzle ids", err);
  TRM_ALLOC(&e->sums, e->steps, "the metrics of each step", err);
  return trm_solver_create(model, &(trm_solver_config){.batch = e->batch, .threads = c->threads},
                           &e->solver, err);
}

static void evaluation_end(evaluation *e) {
  trm_solver_free(e->solver);
  trm__free(e->inputs);
  trm__free(e->labels);
  trm__free(e->ids);
  trm__free(e->sums);
}

static void make_report(const evaluation *e, trm_eval_report *r) {
  double n = e->rows > 0 ? (double)e->rows : 1;
  const step_sums *last = &e->sums[e->steps - 1];
  memset(r, 0, sizeof *r);
  r->examples = e->rows;
  r->exact = last->exact;
  r->cells = e->cells;
  r->cells_right = e->cells_right;
  r->accuracy = last->accuracy / n;
  r->exact_accuracy = (double)last->exact / n;
  r->q_halt_accuracy = (double)e->q_right / n;
  r->lm_loss = e->lm_loss / n;
  r->q_halt_loss = e->q_loss / n;
  r->exact_interval = trm_wilson((double)last->exact, (double)e->rows);
  r->q_halt_interval = trm_wilson((double)e->q_right, (double)e->rows);
  r->cell_interval = trm_wilson((double)e->cells_right, (double)e->cells);
  r->n_steps = e->steps;
  for (int i = 0; i < e->steps; i++)
    r->step[i] = (trm_eval_step){e->sums[i].accuracy / n, (double)e->sums[i].exact / n};
}

trm_status trm_evaluate(const trm_model *model, const trm_dataset *data,
                        const trm_eval_config *config, trm_eval_report *report, trm_error *err) {
  evaluation e = {.data = data, .config = config, .model = trm_model_get_config(model)};
  trm_status st;
  TRM_GOTO(evaluation_begin(&e, model, err));
  for (int64_t first = 0; first < e.total; first += e.batch) {
    int n = (int)(e.total - first < e.batch ? e.total - first : e.batch);
    TRM_GOTO(run_batch(&e, first, n, err));
  }
  make_report(&e, report);
done:
  evaluation_end(&e);
  return st;
}
